"""Several replicas, one of which leads: hand-over, crash, freeze, a network that is gone. Each has a proxy of its own."""

import datetime
import re
import signal
import threading
import time
import urllib.request

import pytest
import yaml

from harness import PATIENCE, Refused, external_secret, wait_for, with_server
from proxy import HttpProxy, TcpProxy

pytestmark = pytest.mark.sanitized

LEASE = "external-secrets-controller"
DURATION, DEADLINE, RETRY = 3 * PATIENCE, 2 * PATIENCE, 0.5 * PATIENCE
SLACK = 0.5 * PATIENCE  # between what happens and what a test sees of it
LOST = 3  # esod's exit code
WRITE = r"^(POST|PUT|PATCH|DELETE) "
IDENTITY = re.compile(r'"asking for the lease".*"identity":"([^"]+)"')


class Replica:
    """An operator behind a proxy that writes down what it asks for."""

    def __init__(self, operator, proxy):
        self.operator, self.proxy = operator, proxy

    @property
    def identity(self):
        found = IDENTITY.findall(self.operator.log)
        assert found, "it has not asked for the lease yet"
        return found[-1]

    def writes(self, since=0.0):
        """(time, line, status) of what it wrote, its own lease aside."""
        return [r for r in self.proxy.requests(WRITE) if r[0] >= since and "/leases" not in r[1]]

    def taken(self):
        """When it got the lease."""
        return next(r[0] for r in self.proxy.requests("^(PUT|POST) .*/leases") if r[2] in (200, 201))

    def ready_page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.operator.live}/readyz", timeout=5) as answer:
            return answer.read().decode()

    def ended(self, timeout):
        """Its exit code, once it has ended by itself."""
        code = self.operator.process.wait(timeout * PATIENCE)
        self.operator.process = None
        return code

    def master(self):
        found = re.findall(rf'^leader_election_master_status{{name="{LEASE}"}} (\d)$', self.operator.metrics(), re.M)
        return [int(n) for n in found]


@pytest.fixture
def replica(control_plane, kubeconfig, make_operator, space, tmp_path):
    """replica() gives one that is started; all of a test ask for the same lease."""
    proxies, operators = [], []

    def make(kind=HttpProxy, wait=True, start=True):
        folder = tmp_path / f"proxy-{len(proxies)}"
        folder.mkdir()
        proxy = HttpProxy(control_plane, folder) if kind is HttpProxy else TcpProxy(control_plane.conf["api"])
        proxies.append(proxy)
        conf = folder / "kubeconfig"
        conf.write_text(with_server(kubeconfig, proxy.url, getattr(proxy, "ca", None)))
        operator = make_operator(
            kubeconfig=conf, enableLeaderElection=True, leaderElectionNamespace=space.name,
            leaderElectionLeaseDuration=f"{DURATION}s", leaderElectionRenewDeadline=f"{DEADLINE}s",
            leaderElectionRetryPeriod=f"{round(RETRY * 1000)}ms")
        operators.append(operator)
        if start:
            operator.start(wait)
        return Replica(operator, proxy)

    yield make
    # A leader without its API server would end by itself, with another exit code.
    for operator in operators:
        if operator.process:
            operator.stop()
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def lease(cluster, space):
    """What the Lease says now."""
    def read():
        found = cluster.get("Lease", LEASE, space.name)
        return found["spec"] if found else {}
    return read


def leads(lease, replica):
    assert lease().get("holderIdentity") == replica.identity
    return replica


def busy(cluster, space, count):
    """So many ExternalSecrets that are refreshed each second."""
    space.store({"k": "v"})
    cluster.apply(*[external_secret(space.name, f"app-{i}", space.name, {"k": "k"}, refreshInterval="1s") for i in range(count)])
    wait_for(lambda: len(space.secrets()) == count, 30)


def leader_and_standby(replica, lease):
    first = replica()
    wait_for(lambda: leads(lease, first))
    second = replica()
    wait_for(lambda: f"standby: {first.identity} is the leader" in second.ready_page())
    return first, second


def test_one_works_and_one_stands_by(replica, lease, cluster, space):
    first, second = leader_and_standby(replica, lease)
    busy(cluster, space, 3)
    space.external_secret("late", data={"k": "k"})
    space.synced("late", {"k": "v"})
    assert first.writes() and not second.proxy.requests(WRITE)
    assert first.master() == [1] and second.master() == [0]
    assert "standby" not in first.ready_page()
    assert second.operator.probe("/healthz") == 200

    said = wait_for(lambda: cluster.events(space.name, LEASE, "LeaderElection"))
    assert [e["message"] for e in said] == [f"{first.identity} became leader"]
    assert said[0]["involvedObject"]["kind"] == "Lease" and said[0]["source"]["component"] == first.identity
    spec = lease()
    assert spec["leaseDurationSeconds"] == DURATION and spec["leaseTransitions"] == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec["renewTime"])
    assert re.fullmatch(r".+_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", spec["holderIdentity"])
    wait_for(lambda: lease()["renewTime"] > spec["renewTime"])
    assert lease()["acquireTime"] == spec["acquireTime"]


def test_a_graceful_stop_hands_over_at_once(replica, lease, cluster, space):
    first, second = leader_and_standby(replica, lease)
    busy(cluster, space, 20)
    code, _ = first.operator.stop()
    ended = time.monotonic()
    assert code == 0
    wait_for(lambda: second.writes())
    took = second.writes()[0][0] - ended
    print(f"first write of the other {took * 1000:.0f} ms after the end of the first")
    assert took < 2 * PATIENCE
    last = first.writes()[-1][0]
    assert last < second.writes()[0][0], "both wrote at the same time"
    leads(lease, second)
    assert lease()["leaseTransitions"] >= 1
    assert second.master() == [1] and "standby" not in second.ready_page()
    said = [e["message"] for e in cluster.events(space.name, LEASE, "LeaderElection")]
    assert f"{first.identity} stopped leading" in said
    wait_for(lambda: f"{second.identity} became leader" in
             [e["message"] for e in cluster.events(space.name, LEASE, "LeaderElection")])


def test_a_standby_ends_without_a_trace(replica, lease, cluster, space):
    first, second = leader_and_standby(replica, lease)
    code, took = second.operator.stop()
    assert code == 0 and took < 2 * PATIENCE
    leads(lease, first)
    assert not second.proxy.requests(WRITE)


def test_a_crash_is_made_up_for_within_the_lease(replica, lease, cluster, space):
    first, second = leader_and_standby(replica, lease)
    busy(cluster, space, 20)
    first.operator.kill()
    killed = time.monotonic()
    wait_for(lambda: second.writes())
    taken = second.taken() - killed
    wrote = second.writes()[0][0] - killed
    print(f"the other leads {taken:.2f} s after SIGKILL and writes after {wrote:.2f} s, lease {DURATION} s")
    assert taken < DURATION + SLACK and wrote < taken + 2 * PATIENCE
    leads(lease, second)


def test_a_frozen_leader_writes_nothing_when_it_wakes_up(replica, lease, cluster, space):
    first, second = leader_and_standby(replica, lease)
    busy(cluster, space, 100)
    # Slow enough that it is never done: whenever it is frozen, each worker has something to write.
    slow = 0.2
    first.proxy.rule(r"^(PUT|PATCH) .*/externalsecrets/", times=-1, delay=slow)
    begun = time.monotonic()
    wait_for(lambda: len(first.writes(begun)) > 100)  # it is in the middle of it
    first.operator.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: second.writes())
        leads(lease, second)
        wait_for(lambda: len(second.writes()) > 100)
    finally:
        woken = time.monotonic()
        first.operator.process.send_signal(signal.SIGCONT)
    assert first.ended(10) == LOST
    assert "the lease was lost" in first.operator.log
    time.sleep(5 * slow)  # the proxy notes a request when it has answered it
    late = [r for r in first.proxy.requests(WRITE) if r[0] >= woken]
    assert not late, "it wrote after another one had taken over"
    assert second.operator.running()
    leads(lease, second)


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_leader_without_its_api_server_steps_down_in_time(replica, lease, cluster, space, how):
    first = replica(TcpProxy)
    wait_for(lambda: leads(lease, first))
    second = replica()
    busy(cluster, space, 20)
    cut = time.monotonic()
    if how == "silent":
        first.proxy.freeze()
    else:
        first.proxy.refusing = True
        first.proxy.cut()
    code = first.ended(DURATION + 5)
    ended = time.monotonic()
    assert code == LOST
    wait_for(lambda: second.writes())
    print(f"ended {ended - cut:.2f} s after the cut, the other wrote after {second.writes()[0][0] - cut:.2f} s")
    assert ended < second.writes()[0][0], "both could have written"
    assert second.writes()[0][0] - cut < DURATION + SLACK + RETRY
    # What the network held back arrives now, long after its sender has gone; versions keep it out of Secrets and statuses.
    first.proxy.thaw()
    leads(lease, second)


def test_a_lease_deleted_by_hand_stays_with_its_leader(replica, lease, cluster, space):
    first, second = leader_and_standby(replica, lease)
    cluster.delete("Lease", LEASE, space.name)
    wait_for(lambda: leads(lease, first), 1)  # it hears of it, and does not wait for its next renewal
    time.sleep(DURATION + SLACK)
    leads(lease, first)
    assert first.operator.running() and not second.proxy.requests(WRITE)


def test_a_lease_that_somebody_takes_away_ends_its_leader(replica, lease, cluster, space):
    first = replica()
    wait_for(lambda: leads(lease, first))

    def take():
        found = cluster.get("Lease", LEASE, space.name)
        found["spec"]["holderIdentity"] = "somebody-else"
        try:
            return cluster.call("PUT", cluster.path("Lease", space.name, LEASE), found)
        except Refused as e:
            assert e.status != 409, "it was renewed meanwhile"
            raise

    wait_for(take)
    assert first.ended(DEADLINE) == LOST
    assert lease()["holderIdentity"] == "somebody-else"


def test_two_that_start_at_the_same_moment(replica, lease, cluster, space):
    both = [replica(start=False), replica(start=False)]
    for r in both:
        r.operator.start(wait=False)
    for r in both:
        wait_for(r.operator.is_ready, 20)
    wait_for(lambda: lease().get("holderIdentity"))
    busy(cluster, space, 5)
    time.sleep(2 * RETRY)
    leaders = [r for r in both if r.master() == [1]]
    assert len(leaders) == 1
    leads(lease, leaders[0])
    assert [bool(r.writes()) for r in both] == [r is leaders[0] for r in both]


def micro(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class GoHolder:
    """Holds the lease as client-go does, with a clock that is an hour behind."""

    def __init__(self, cluster, namespace):
        self.cluster, self.namespace, self.stopped = cluster, namespace, threading.Event()
        self.spec = {"holderIdentity": "external-secrets-5d8f_1b6f7e0c-54f3-4be5-8d0e-4f3f3f1c2a77", "leaseDurationSeconds": DURATION,
                     "acquireTime": micro(time.time() - 3600), "leaseTransitions": 6, "renewTime": micro(time.time() - 3600)}
        cluster.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                        "metadata": {"name": LEASE, "namespace": namespace}, "spec": self.spec})
        self.thread = threading.Thread(target=self._renew, daemon=True)
        self.thread.start()

    def _write(self, **changes):
        found = self.cluster.get("Lease", LEASE, self.namespace)
        found["spec"] = {**self.spec, **changes}
        self.cluster.call("PUT", self.cluster.path("Lease", self.namespace, LEASE), found)

    def _renew(self):
        while not self.stopped.wait(RETRY):
            self._write(renewTime=micro(time.time() - 3600))

    def dies(self):
        self.stopped.set()
        self.thread.join(30)

    def releases(self):
        self.dies()
        now = micro(time.time() - 3600)
        self._write(holderIdentity="", leaseDurationSeconds=1, acquireTime=now, renewTime=now)


@pytest.mark.parametrize("end", ["dies", "releases"])
def test_a_holder_written_in_go_is_respected(replica, lease, cluster, space, end):
    other = GoHolder(cluster, space.name)
    try:
        mine = replica()
        space.store({"k": "v"}, ready=False)
        space.external_secret("app", data={"k": "k"})
        time.sleep(DURATION + SLACK)
        assert not mine.proxy.requests(WRITE)
        assert f"standby: {other.spec['holderIdentity']} is the leader" in mine.ready_page()
    finally:
        begun = time.monotonic()
        getattr(other, end)()
    wait_for(lambda: mine.writes())
    took = mine.writes()[0][0] - begun
    print(f"taken over {took:.2f} s after the other {end}")
    assert took < (DURATION + RETRY if end == "dies" else RETRY) + SLACK
    space.synced("app", {"k": "v"})
    assert lease()["leaseTransitions"] == 7


def test_a_replica_without_the_right_says_so(replica, cluster, kubeconfig, make_operator, space, tmp_path):
    cluster.kubectl("create", "serviceaccount", "reader", "-n", space.name)
    cluster.kubectl("create", "clusterrolebinding", f"{space.name}-reader", "--clusterrole=view",
                    f"--serviceaccount={space.name}:reader")
    cluster.kubectl("create", "clusterrole", f"{space.name}-all", "--verb=get,list,watch",
                    "--resource=secrets,namespaces,externalsecrets.external-secrets.io,secretstores.external-secrets.io,"
                    "clustersecretstores.external-secrets.io,pushsecrets.external-secrets.io,"
                    "clusterexternalsecrets.external-secrets.io,clusterpushsecrets.external-secrets.io")
    cluster.kubectl("create", "clusterrolebinding", f"{space.name}-all", f"--clusterrole={space.name}-all",
                    f"--serviceaccount={space.name}:reader")
    try:
        token = cluster.kubectl("create", "token", "reader", "-n", space.name).stdout.strip()
        conf = yaml.safe_load(open(kubeconfig))
        conf["users"] = [{"name": u["name"], "user": {"token": token}} for u in conf["users"]]
        path = tmp_path / "reader"
        path.write_text(yaml.safe_dump(conf))
        operator = make_operator(kubeconfig=path, enableLeaderElection=True, leaderElectionNamespace=space.name).start()
        page = wait_for(lambda: (t := Replica(operator, None).ready_page()) and "leader election: " in t and t)
        assert "standby: nobody is the leader yet" in page and "leases.coordination.k8s.io" in page
        assert operator.running()
    finally:
        cluster.kubectl("delete", "clusterrolebinding", f"{space.name}-reader", f"{space.name}-all", "--ignore-not-found")
        cluster.kubectl("delete", "clusterrole", f"{space.name}-all", "--ignore-not-found")
