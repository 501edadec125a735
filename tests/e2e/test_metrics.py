"""What /metrics says: the reference's names and labels, over TLS, and to those who may read it."""

import concurrent.futures
import contextlib
import re
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import warnings

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from harness import GROUP, ROOT, external_secret, store, wait_for, with_server
from proxy import HttpProxy

APP = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "shop-1", "app.kubernetes.io/version": "1.2",
       "app.kubernetes.io/component": "db", "app.kubernetes.io/part-of": "mall", "app.kubernetes.io/managed-by": "Helm"}


class Page:
    """A page of metrics, as Prometheus' own parser understands it."""

    def __init__(self, text):
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        # This parser puts _total behind counters that have none, as the reference's sync_calls_error.
        bare = {n + "_total": n for n in re.findall(r"^# TYPE (\S+) counter$", text, re.M) if not n.endswith("_total")}
        self.samples = [s._replace(name=bare.get(s.name, s.name)) for f in self.families for s in f.samples]

    def all(self, series, /, **labels):
        return [s for s in self.samples if s.name == series and labels.items() <= s.labels.items()]

    def value(self, series, /, **labels):
        """The one sample with exactly these labels; None: there is none."""
        found = [s for s in self.samples if s.name == series and s.labels == labels]
        assert len(found) <= 1, f"{series}{labels} stands there {len(found)} times"
        return found[0].value if found else None

    def conditions(self, family, namespace, name):
        return {(s.labels["condition"], s.labels["status"]): s.value
                for s in self.all(f"{family}_status_condition", namespace=namespace, name=name)}


def page(operator):
    return Page(operator.metrics())


def eventually(operator, check, timeout=15):
    return wait_for(lambda: check(page(operator)), timeout)


# ---- names, labels, rules

def test_an_external_secret_from_its_birth_to_its_end(operator, cluster, space):
    me = {"name": "app", "namespace": space.name}
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "1"})
    eventually(operator, lambda p: p.conditions("externalsecret", space.name, "app")
               == {("Ready", "True"): 1, ("Ready", "False"): 0})
    p = page(operator)
    calls = p.value("externalsecret_sync_calls_total", **me)
    assert calls >= 1
    assert p.value("externalsecret_sync_calls_error", **me) is None
    assert 0 < p.value("externalsecret_reconcile_duration", **me) < 60e9  # nanoseconds

    space.external_secret("app", data={"k": "missing"})
    space.failed("app")
    eventually(operator, lambda p: p.conditions("externalsecret", space.name, "app")
               == {("Ready", "True"): 0, ("Ready", "False"): 1})
    p = page(operator)
    assert p.value("externalsecret_sync_calls_error", **me) >= 1
    assert p.value("externalsecret_sync_calls_total", **me) > calls
    errors = p.value("controller_runtime_reconcile_errors_total", controller="externalsecret")
    assert errors >= 1
    assert p.value("controller_runtime_reconcile_total", controller="externalsecret", result="error") == errors

    cluster.delete("ExternalSecret", "app", space.name)
    eventually(operator, lambda p: p.conditions("externalsecret", space.name, "app") == {("Deleted", "False"): 1})
    space.external_secret("app", data={"k": "a"})
    eventually(operator, lambda p: p.conditions("externalsecret", space.name, "app")
               == {("Ready", "True"): 1, ("Ready", "False"): 0})


def test_stores(operator, cluster, space):
    cluster_wide = {"name": space.name, "namespace": ""}
    space.store({"a": "1"})
    cluster.apply(store("mine", {"a": "1"}, namespace=space.name))
    ready = {("Ready", "True"): 1, ("Ready", "False"): 0}
    eventually(operator, lambda p: p.conditions("clustersecretstore", "", space.name) == ready)
    eventually(operator, lambda p: p.conditions("secretstore", space.name, "mine") == ready)
    p = page(operator)
    assert p.value("clustersecretstore_reconcile_duration", **cluster_wide) > 0
    assert p.value("secretstore_reconcile_duration", name="mine", namespace=space.name) > 0

    cluster.delete("SecretStore", "mine", space.name)
    eventually(operator, lambda p: not [s for s in p.samples if s.name.startswith("secretstore_")
                                        and s.labels["namespace"] == space.name])


def test_conditions_are_there_after_a_restart(operator, cluster, space):
    """What is in order has nothing to do for an hour; alerts must not wait for that."""
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "1"})
    operator.restart()
    eventually(operator, lambda p: p.conditions("externalsecret", space.name, "app")
               == {("Ready", "True"): 1, ("Ready", "False"): 0})


def test_conditions_of_others_objects_are_theirs_to_tell(make_operator, cluster, space):
    """Two operators with classes of their own would say everything twice."""
    mine, other = make_operator().start(), make_operator(controllerClass="other").start()
    space.store({"a": "1"}, controller="default")
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "1"})
    me = {"name": "app", "namespace": space.name}
    eventually(mine, lambda p: p.conditions("externalsecret", space.name, "app"))
    eventually(other, lambda p: p.value("externalsecret_sync_calls_total", **me))
    p = page(other)
    assert p.conditions("externalsecret", space.name, "app") == {}
    assert p.conditions("clustersecretstore", "", space.name) == {}


def test_extended_labels(make_operator, cluster, space):
    operator = make_operator(enableExtendedMetricLabels=True).start()
    want = {k.replace(".", "_").replace("/", "_").replace("-", "_"): v for k, v in APP.items()}
    obj = external_secret(space.name, "app", space.name, {"k": "a"})
    space.store({"a": "1"})
    cluster.apply({**obj, "metadata": {**obj["metadata"], "labels": APP}})
    space.synced("app", {"k": "1"})
    me = {"name": "app", "namespace": space.name}
    eventually(operator, lambda p: p.value("externalsecret_sync_calls_total", **me, **want))
    p = page(operator)
    assert p.value("externalsecret_status_condition", condition="Ready", status="True", **me, **want) == 1
    assert p.value("externalsecret_reconcile_duration", **me, **want) > 0
    empty = dict.fromkeys(want, "")
    assert p.value("clustersecretstore_status_condition", condition="Ready", status="True", name=space.name,
                   namespace="", **empty) == 1

    cluster.patch("ExternalSecret", "app", {"metadata": {"labels": {"app.kubernetes.io/version": "1.3"}}}, space.name)
    want["app_kubernetes_io_version"] = "1.3"
    eventually(operator, lambda p: p.value("externalsecret_sync_calls_total", **me, **want))
    assert len(page(operator).all("externalsecret_sync_calls_total", **me)) == 1, "the old labels are gone"


QUEUE = {"name": "externalsecret", "controller": "externalsecret"}


def test_what_controller_runtime_has(operator, space):
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "1"})
    eventually(operator, lambda p: p.value("workqueue_work_duration_seconds_count", **QUEUE))
    p = page(operator)
    for controller in ("externalsecret", "secretstore", "clustersecretstore"):
        for result in ("success", "error", "requeue", "requeue_after"):
            assert p.value("controller_runtime_reconcile_total", controller=controller, result=result) is not None
        assert p.value("controller_runtime_max_concurrent_reconciles", controller=controller) == 24
        assert p.value("controller_runtime_active_workers", controller=controller) >= 0
        for gauge in ("workqueue_unfinished_work_seconds", "workqueue_longest_running_processor_seconds",
                      "workqueue_adds_total", "workqueue_retries_total"):
            assert p.value(gauge, name=controller, controller=controller) is not None, gauge
        for priority in ("0", "-100"):
            assert p.value("workqueue_depth", name=controller, controller=controller, priority=priority) is not None
    count = p.value("controller_runtime_reconcile_time_seconds_count", controller="externalsecret")
    assert count >= 1
    assert p.value("workqueue_queue_duration_seconds_count", **QUEUE) >= count
    assert p.value("workqueue_adds_total", **QUEUE) >= 1
    assert p.all("rest_client_requests_total", method="GET", code="200")
    assert p.value("process_start_time_seconds") <= time.time()
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
                 "process_open_fds", "process_max_fds"):
        assert p.value(name) > 0, name


def test_what_esod_adds(operator, space):
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "1"})
    p = page(operator)
    assert [s.value for s in p.all("esod_build_info")] == [1]
    assert p.all("esod_plugin_info", plugin="fake")[0].value == 1
    for kind in ("ExternalSecret", "PushSecret", "SecretStore", "ClusterSecretStore", "ClusterExternalSecret", "ClusterPushSecret", "Secret",
                 "Namespace"):
        assert p.value("esod_watch_healthy", kind=kind) == 1, kind
    eventually(operator, lambda p: p.value("esod_cache_objects", kind="Secret") >= 1)
    assert p.value("esod_http_requests_total") > 0
    assert p.all("rest_client_request_duration_seconds_count", verb="GET")[0].value > 0
    reads = sum(s.value for s in p.all("esod_provider_reads_total", provider="fake", operation="get"))
    assert p.value("esod_provider_read_duration_seconds_count", provider="fake", operation="get") == reads >= 1
    assert not p.all("esod_externalsecret_overdue_seconds"), "nothing is late"
    # There from the start: a rate needs a series that was there before the first.
    for name, labels in (("esod_plugin_restarts_total", {"plugin": "fake"}), ("esod_plugin_lost_calls_total", {"plugin": "fake"}),
                         ("esod_events_dropped_total", {})):
        assert p.value(name, **labels) == 0, name
    assert p.value("esod_http_connections_opened_total") > 0
    assert p.value("esod_http_streams") == 8


# ---- the page

@contextlib.contextmanager
def slow_reader(operator):
    """Somebody who asks for the page and reads ten bytes of it."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        s.connect(("127.0.0.1", operator.metrics_port))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert s.recv(10) == b"HTTP/1.1 2"
        yield


def test_a_page_of_hundreds_is_quick_and_valid(operator, cluster, space):
    """tests/unit/ops/server_test.c has one of a hundred thousand samples."""
    many = 300
    space.store({"a": "1"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: cluster.create(external_secret(space.name, f"app-{i}", space.name, {"k": "a"})),
                      range(many)))
    wait_for(lambda: len(page(operator).all("externalsecret_sync_calls_total", namespace=space.name)) == many, 60)
    seconds = []
    with slow_reader(operator):
        for _ in range(3):
            started = time.monotonic()
            text = operator.metrics()
            seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.5, seconds
    p = Page(text)
    assert len({f.name for f in p.families}) == len(p.families), "each family stands there once"
    assert len(p.all("externalsecret_status_condition", namespace=space.name, condition="Ready")) == 2 * many
    assert len({(s.name, tuple(sorted(s.labels.items()))) for s in p.samples}) == len(p.samples)


def test_a_slow_reader_holds_up_nobody(operator, cluster, space):
    space.store({"a": "1"})
    with slow_reader(operator):
        space.external_secret("app", data={"k": "a"})
        space.synced("app", {"k": "1"})
        assert page(operator).value("externalsecret_sync_calls_total", name="app", namespace=space.name) >= 1
        assert operator.probe("/readyz") == 200


# ---- TLS

def make_certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    folder / "tls.key", "-out", folder / "tls.crt"], check=True, capture_output=True, timeout=30)
    return (folder / "tls.crt").read_text()


def get_secure(operator, ca=None, token=None, timeout=15):
    """(status, body); `ca`: PEM, or None for no check."""
    context = ssl.create_default_context(cadata=ca) if ca else ssl._create_unverified_context()
    request = urllib.request.Request(f"https://127.0.0.1:{operator.metrics_port}/metrics",
                                     headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def test_tls_with_a_certificate_that_changes(make_operator, tmp_path):
    first = make_certificate(tmp_path, "first")
    operator = make_operator(metricsSecure=True, metricsCertDir=str(tmp_path)).start()
    status, body = get_secure(operator, first)
    assert status == 200 and "process_resident_memory_bytes" in body
    with pytest.raises(OSError):  # not without TLS
        operator.metrics()
    with pytest.raises(ssl.SSLError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = ssl._create_unverified_context()
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.minimum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", operator.metrics_port)) as s:
            old.wrap_socket(s)

    (tmp_path / "tls.key").write_text("broken\n")  # halfway through a change
    wait_for(lambda: "not a private key in PEM" in operator.log, 20)
    assert get_secure(operator, first)[0] == 200

    second = make_certificate(tmp_path, "second")

    def changed():
        try:
            return get_secure(operator, second)[0] == 200
        except urllib.error.URLError:
            return False
    wait_for(changed, 20)
    with pytest.raises(urllib.error.URLError):
        get_secure(operator, first)
    assert operator.log.count("not a private key in PEM") == 1


def test_tls_without_a_certificate(make_operator):
    operator = make_operator(metricsSecure=True).start()
    status, body = get_secure(operator)
    assert status == 200
    Page(body)


@pytest.mark.parametrize("config, said", [
    ({"metricsAuth": True},
     "--metrics-auth requires --metrics-secure; bearer tokens over plaintext HTTP is not allowed"),
    ({"metricsSecure": True, "metricsCertDir": "/nonexistent"},
     "--metrics-cert-dir: /nonexistent/tls.crt: No such file or directory"),
])
def test_wrong_settings_end_the_start(make_operator, config, said):
    operator = make_operator(**config)
    operator.start(wait=False)
    assert operator.process.wait(20) == 2
    assert said in operator.log
    operator.process = None


# ---- who may read

@pytest.fixture
def tokens(cluster, space):
    """Of a service account that may get /metrics, and of one that may not."""
    def rbac(kind, name, body):
        return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, **body}
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": space.name}}
        for name in ("scraper", "nobody")] + [
        rbac("ClusterRole", space.name, {"rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]}),
        rbac("ClusterRoleBinding", space.name, {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": space.name},
            "subjects": [{"kind": "ServiceAccount", "name": "scraper", "namespace": space.name}]})]
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
    yield {name: cluster.kubectl("create", "token", name, "-n", space.name).stdout.strip()
           for name in ("scraper", "nobody")}
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", space.name)


def test_only_those_who_may_read(make_operator, cluster, space, tokens):
    operator = make_operator(metricsSecure=True, metricsAuth=True).start()
    assert get_secure(operator)[0] == 401
    assert get_secure(operator, token="not-a-token")[0] == 401
    assert get_secure(operator, token=tokens["nobody"])[0] == 403
    status, body = get_secure(operator, token=tokens["scraper"])
    assert status == 200 and Page(body).value("process_open_fds") > 0
    assert operator.probe("/healthz") == 200 and operator.probe("/readyz") == 200
    for token in tokens.values():
        assert token not in operator.log and token not in body

    def reviews():
        return sum(s.value for s in Page(get_secure(operator, token=tokens["scraper"])[1])
                   .all("rest_client_requests_total", method="POST", code="201"))
    before = reviews()
    for _ in range(20):
        get_secure(operator, token=tokens["scraper"])
    assert reviews() - before <= 4, "an answer counts for a while"


def test_nobody_reads_while_the_api_server_does_not_say(make_operator, control_plane, kubeconfig, space, tokens,
                                                        tmp_path):
    proxy = HttpProxy(control_plane, tmp_path)
    path = tmp_path / "through-proxy"
    path.write_text(with_server(kubeconfig, proxy.url, proxy.ca))
    operator = make_operator(kubeconfig=path, metricsSecure=True, metricsAuth=True).start()
    try:
        refused = proxy.rule("POST .*subjectaccessreviews", status=403, times=-1)
        assert get_secure(operator, token=tokens["scraper"])[0] == 503
        wait_for(lambda: "does not say who may read the metrics" in operator.log)
        refused.left = 0
        assert get_secure(operator, token=tokens["scraper"])[0] == 200, "no answer is not remembered"

        slow = proxy.rule("POST .*tokenreviews", delay=20, times=1)
        started = time.monotonic()
        assert get_secure(operator, token=tokens["nobody"])[0] == 503
        assert time.monotonic() - started < 10
        assert slow.hits
    finally:
        proxy.close()


# ---- what docs/operations.md and the reference's dashboards promise

# Of the reference's own dashboard (docs/snippets/dashboard.json there), what it draws for the controllers served here.
DASHBOARD = """
controller_runtime_reconcile_time_seconds_bucket{controller="externalsecret"}
controller_runtime_active_workers{controller="externalsecret"}
controller_runtime_max_concurrent_reconciles{controller="externalsecret"}
controller_runtime_reconcile_total{controller="externalsecret",result="error"}
controller_runtime_reconcile_total{controller="secretstore",result="error"}
controller_runtime_reconcile_total{controller="clustersecretstore",result="error"}
workqueue_depth{name="externalsecret"}
externalsecret_status_condition{condition="Ready",status="False"}
externalsecret_sync_calls_error
"""


@pytest.fixture
def seasoned(operator, cluster, space):
    """The page of an operator that has seen success and failure."""
    space.store({"a": "1"})
    cluster.apply(store("mine", {"a": "1"}, namespace=space.name))
    space.external_secret("app", data={"k": "a"})
    space.external_secret("bad", data={"k": "missing"})
    space.synced("app", {"k": "1"})
    space.failed("bad")
    cluster.apply({"apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret", "metadata": {"name": "ps", "namespace": space.name},
                   "spec": {"secretStoreRefs": [{"name": "mine"}], "selector": {"secret": {"name": "app"}},
                            "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "pushed"}}}]}})
    wait_for(lambda: cluster.ready("PushSecret", "ps", space.name))
    return eventually(operator, lambda p: p if p.all("externalsecret_sync_calls_error", name="bad") else None)


def test_the_reference_dashboard_finds_its_series(seasoned):
    for line in DASHBOARD.split():
        name, _, labels = line.rstrip("}").partition("{")
        want = {k: v.strip('"') for k, v in (pair.split("=") for pair in labels.split(",") if pair)}
        assert seasoned.all(name, **want), line


def section(title):
    text = (ROOT / "docs" / "operations.md").read_text()
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, title
    return found.group(1)


# Made by other parts, when these are in use.
NOT_YET = {"externalsecret_provider_api_calls_count", "esod_provider_reads_shared_total", "leader_election_master_status",
           "clusterexternalsecret_status_condition", "clusterexternalsecret_reconcile_duration",
           "clusterpushsecret_status_condition", "clusterpushsecret_reconcile_duration",
           "esod_externalsecret_overdue_seconds", "esod_memory_limit_bytes", "esod_memory_working_set_bytes"}


def test_every_metric_is_in_the_documentation(seasoned):
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", section("Metrics"), re.M))
    there = {re.search(r"^# TYPE (\S+)", line).group(1) for line in seasoned.text.splitlines() if line.startswith("# TYPE")}
    assert there <= documented, f"not in docs/operations.md: {sorted(there - documented)}"
    assert documented - NOT_YET <= there, f"only in docs/operations.md: {sorted(documented - there - NOT_YET)}"
