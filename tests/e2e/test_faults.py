"""The API server fails in every way it can, esod is killed and stopped: in the end all is in step."""

import json
import os
import random
import time

import pytest

from harness import condition, decoded, external_secret, store, version, wait_for, with_server
from proxy import TcpProxy

SECRETS = r"^(POST|PUT|PATCH) /api/v1/namespaces/[^/]+/secrets"
STATUS = r"^(PUT|PATCH) .*/externalsecrets/[^/]+/status"
LISTS = r"^GET /api[^?]*/externalsecrets(\?(?!.*watch=(1|true)).*)?$"
WATCHES = r"^GET /api.*/externalsecrets\?.*watch=(1|true)"
ALL = r"^"


def put_many(cluster, space, count, start=0):
    for i in range(start, start + count):
        cluster.apply(external_secret(space.name, f"app-{i}", space.name, {"k": f"k{i % 10}"}))


def store_ten(space, **how):
    space.store({f"k{i}": f"value {i}" for i in range(10)}, **how)


def all_in_step(cluster, space, count, timeout=40):
    """The Secrets by name, once there are exactly `count`, all exact, and all ExternalSecrets are Ready."""
    def check():
        secrets = space.secrets()
        assert set(secrets) == {f"app-{i}" for i in range(count)}
        for i in range(count):
            assert decoded(secrets[f"app-{i}"]) == {"k": f"value {i % 10}".encode()}
        waiting = {o["metadata"]["name"]: condition(o) for o in cluster.list("ExternalSecret", space.name)
                   if (condition(o) or {}).get("status") != "True"}
        assert not waiting
        return secrets
    return wait_for(check, timeout, every=0.3)


# ---- the API server itself

@pytest.mark.sanitized
def test_the_api_server_dies_and_comes_back(operator, control_plane, cluster, space):
    store_ten(space)
    put_many(cluster, space, 20)
    before = {k: version(v) for k, v in all_in_step(cluster, space, 20).items()}
    control_plane.kill_apiserver()
    try:
        time.sleep(3)
        assert operator.running()
        assert operator.probe("/healthz") == 200
    finally:
        control_plane.start_apiserver()
    put_many(cluster, space, 5, start=20)
    cluster.delete("Secret", "app-0", space.name)
    after = all_in_step(cluster, space, 25)
    for name in before.keys() - {"app-0"}:
        assert version(after[name]) == before[name]


def test_the_api_server_dies_in_the_middle_of_work(make_operator, control_plane, cluster, space):
    store_ten(space, ready=False)
    put_many(cluster, space, 200)
    operator = make_operator().start(wait=False)
    wait_for(lambda: len(space.secrets()) >= 20, every=0.01)
    control_plane.kill_apiserver()
    time.sleep(1)
    control_plane.start_apiserver()
    all_in_step(cluster, space, 200)
    assert operator.running()


def test_the_api_server_is_not_there_yet_when_esod_starts(make_operator, control_plane, cluster, space):
    store_ten(space, ready=False)
    put_many(cluster, space, 5)
    control_plane.kill_apiserver()
    try:
        operator = make_operator().start(wait=False)
        time.sleep(2)
        assert operator.running(), operator.tail()
        assert operator.probe("/readyz") != 200
    finally:
        control_plane.start_apiserver()
    all_in_step(cluster, space, 5)
    assert operator.probe("/readyz") == 200


# ---- answers that go wrong on the way

EXPIRED = json.dumps({"type": "ERROR", "object": {
    "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
    "message": "too old resource version"}}).encode() + b"\n"

FAULTS = {
    "401 on everything for 3 s": (ALL, {"status": 401, "times": -1, "seconds": 3}),
    "403 on Secrets": (SECRETS, {"status": 403, "times": 4}),
    "409 on Secrets": (SECRETS, {"status": 409, "times": 4}),
    "409 on status": (STATUS, {"status": 409, "times": 4}),
    "429 on Secrets": (SECRETS, {"status": 429, "headers": {"Retry-After": "1"}, "times": 4}),
    "429 on everything for 2 s": (ALL, {"status": 429, "headers": {"Retry-After": "1"}, "times": -1, "seconds": 2}),
    "500 on Secrets": (SECRETS, {"status": 500, "times": 4}),
    "500 on status": (STATUS, {"status": 500, "times": 4}),
    "503 on everything for 3 s": (ALL, {"status": 503, "times": -1, "seconds": 3}),
    "writes cut before": (SECRETS, {"cut": "before", "times": 4}),
    "answers to writes lost": (SECRETS, {"cut": "after", "times": 4}),
    "answers to writes cut off": (SECRETS, {"cut": "inside", "times": 4}),
    "answers to status lost": (STATUS, {"cut": "after", "times": 4}),
    "everything cut for 3 s": (ALL, {"cut": "before", "times": -1, "seconds": 3}),
    "everything slow": (ALL, {"delay": 1.5, "times": -1, "seconds": 6}),
    "answers that are no JSON": (SECRETS, {"body": b"<html>please log in</html>", "times": 4}),
}


@pytest.mark.parametrize("pattern, what", FAULTS.values(), ids=FAULTS)
def test_a_fault_while_syncing(behind, proxy, cluster, space, pattern, what):
    behind.start()
    store_ten(space)
    rule = proxy.rule(pattern, **what)
    put_many(cluster, space, 6)
    secrets = all_in_step(cluster, space, 6)
    assert rule.hits, "the fault was never met"
    assert behind.running()
    # Nothing is made twice, and nothing is written once more after all is in step.
    assert len([status for _, _, status in proxy.requests(SECRETS) if status == 201]) <= 6
    time.sleep(1)
    assert {k: version(v) for k, v in space.secrets().items()} == {k: version(v) for k, v in secrets.items()}


START_FAULTS = {
    "lists answered 500": (LISTS, {"status": 500, "times": 2}),
    "lists answered 429": (LISTS, {"status": 429, "headers": {"Retry-After": "1"}, "times": 2}),
    "lists answered 410": (LISTS, {"status": 410, "times": 1}),
    "lists cut off": (LISTS, {"cut": "inside", "times": 2}),
    "lists that are no JSON": (LISTS, {"body": b"{\"kind\": \"ExternalSecretList\", \"items\": [{\"meta", "times": 2}),
    "watches answered 410": (WATCHES, {"status": 410, "times": 2}),
    "watches that say 410": (WATCHES, {"body": EXPIRED, "times": 2}),
    "watches cut": (WATCHES, {"cut": "before", "times": 3}),
    "watches cut in the middle of a line": (WATCHES, {"cut": "inside", "times": 6}),
    "watches with broken lines": (WATCHES, {"body": b"{\"type\": \"ADDED\", \"object\n", "times": 2}),
    "everything 403 for 3 s": (ALL, {"status": 403, "times": -1, "seconds": 3}),
    "everything cut for 3 s": (ALL, {"cut": "before", "times": -1, "seconds": 3}),
}


@pytest.mark.parametrize("pattern, what", START_FAULTS.values(), ids=START_FAULTS)
def test_a_fault_while_starting(behind, proxy, cluster, space, pattern, what):
    store_ten(space, ready=False)
    put_many(cluster, space, 3)
    # Whether an operator lists and watches, or watches from the beginning, is its own affair.
    rules = [proxy.rule(pattern, **what)]
    if pattern is LISTS:
        rules.append(proxy.rule(WATCHES, **what))
    behind.start(wait=False)
    all_in_step(cluster, space, 3)
    assert any(r.hits for r in rules), "the fault was never met"
    put_many(cluster, space, 3, start=3)
    all_in_step(cluster, space, 6)
    assert behind.running()


def test_retry_after_is_obeyed(behind, proxy, cluster, space):
    behind.start()
    store_ten(space)
    rule = proxy.rule(SECRETS, status=429, headers={"Retry-After": "2"}, times=1)
    put_many(cluster, space, 1)
    all_in_step(cluster, space, 1)
    refused = rule.hits[0][0]
    again = [when for when, _, status in proxy.requests(SECRETS) if status in (200, 201)]
    assert again and again[0] - refused >= 1.9


def test_a_refused_write_is_explained_while_it_lasts(behind, proxy, cluster, space):
    behind.start()
    store_ten(space)
    rule = proxy.rule(SECRETS, status=403, times=-1)
    put_many(cluster, space, 1)
    message = space.failed("app-0")
    assert message.startswith("could not update secret: ")
    assert "Forbidden" in message or "403" in message
    rule.left = 0
    all_in_step(cluster, space, 1)


@pytest.mark.sanitized
def test_connections_cut_again_and_again(make_operator, control_plane, kubeconfig, cluster, space, tmp_path):
    """The same over HTTP/2, where one connection carries everything."""
    tcp = TcpProxy(control_plane.conf["api"])
    try:
        path = tmp_path / "through-proxy"
        path.write_text(with_server(kubeconfig, tcp.url))
        operator = make_operator(kubeconfig=path).start()
        store_ten(space)
        for round_ in range(6):
            put_many(cluster, space, 10, start=10 * round_)
            assert tcp.cut() > 0
            time.sleep(0.3)
        all_in_step(cluster, space, 60)
        tcp.refusing = True
        tcp.cut()
        put_many(cluster, space, 5, start=60)
        time.sleep(2)
        tcp.refusing = False
        all_in_step(cluster, space, 65)
        tcp.freeze()
        put_many(cluster, space, 5, start=65)
        time.sleep(3)
        tcp.thaw()
        all_in_step(cluster, space, 70)
        assert operator.running()
    finally:
        tcp.close()


# ---- esod itself

def test_killed_at_twenty_random_moments(make_operator, cluster, space):
    """Each round there is work for about half of 200 objects; the other half must not be touched."""
    count = 200
    seed = int(os.environ.get("ESOD_SEED") or time.time())
    print(f"ESOD_SEED={seed}")
    chance = random.Random(seed)
    store_ten(space, ready=False)
    put_many(cluster, space, count)
    operator = make_operator()
    begun = time.monotonic()
    operator.start()
    all_in_step(cluster, space, count, 60)
    whole = min(max(time.monotonic() - begun, 0.5), 3.0)
    operator.kill()
    for _ in range(20):
        for name in chance.sample(sorted(space.secrets()), 50):
            cluster.delete("Secret", name, space.name)
        kept = {k: version(v) for k, v in space.secrets().items()}
        operator.start(wait=False)
        time.sleep(chance.uniform(0.0, whole))
        assert operator.running(), operator.tail()
        operator.kill()
        now = space.secrets()
        assert {k: version(now[k]) for k in kept} == kept, "a Secret that was right was written again"
    right = {k: version(v) for k, v in space.secrets().items()}
    operator.start()
    end = all_in_step(cluster, space, count)
    assert {k: version(end[k]) for k in right} == right
    assert len(cluster.list("Secret", space.name)) == count


@pytest.mark.sanitized
@pytest.mark.parametrize("after", [0.0, 0.1, 0.5])
def test_sigterm_under_load(make_operator, cluster, space, after):
    store_ten(space, ready=False)
    put_many(cluster, space, 200)
    operator = make_operator().start(wait=False)
    wait_for(lambda: operator.probe("/healthz") == 200, every=0.005)
    time.sleep(after)
    code, _ = operator.stop(timeout=10)
    assert code == 0
    operator.start()
    all_in_step(cluster, space, 200)


@pytest.mark.sanitized
def test_sigterm_while_stores_go(make_operator, cluster, space):
    """The watch still has deletions of large objects to read while the rest is being torn down."""
    operator = make_operator()
    for round_ in range(4):
        operator.start()
        cluster.apply(*[store(f"own-{i}", {"a": "1", "large": 100 * 1024 * "x"}, namespace=space.name) for i in range(20)])
        space.external_secret("app", "own-19", {"k": "a"}, kind="SecretStore", refreshInterval=f"{round_ + 1}h")
        wait_for(lambda: cluster.ready("SecretStore", "own-19", space.name))
        cluster.delete_all("SecretStore", space.name)
        code, _ = operator.stop(timeout=10)
        assert code == 0, f"round {round_}"


def test_sigterm_while_the_api_server_is_slow(behind, proxy, cluster, space):
    """Work in flight is waited for, as long as the settings allow, and then given up."""
    behind.config["shutdownGrace"] = "2s"
    behind.start()
    store_ten(space)
    rule = proxy.rule(SECRETS, delay=20, times=-1)
    put_many(cluster, space, 30)
    wait_for(lambda: rule.hits)
    code, seconds = behind.stop(timeout=10)
    assert code == 0
    assert seconds >= 1.5
    rule.left = 0
