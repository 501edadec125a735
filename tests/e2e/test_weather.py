"""What clusters do to those who live in them: namespaces and definitions go, rights are taken away, others say no, quotas are
full, history is compacted. Nothing is lost, nothing spins, the log stays readable, and in the end all is in step."""

import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import time

import pytest

from harness import (GROUP, PATIENCE, SANITIZED, Refused, condition, decoded, external_secret, version, wait_for, with_server,
                     without_notes)
from proxy import TcpProxy

WRITES = r"^(POST|PUT|PATCH|DELETE) (?!.*/events)"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(operator):
    """Of esod and of the plugins' processes that have ended."""
    with open(f"/proc/{operator.process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(n) for n in fields[11:15]) / TICKS


def does_not_spin(operator, seconds=2.0, share=0.25):
    before = cpu_seconds(operator)
    time.sleep(seconds)
    used = cpu_seconds(operator) - before
    assert used < seconds * share * PATIENCE, f"{used:.2f} s of CPU in {seconds} s"


def lines(operator, *levels):
    found = [json.loads(line) for line in without_notes(operator.log).splitlines() if line.startswith("{")]
    return [line for line in found if line["level"] in levels]


def many(space, count, **spec):
    return [external_secret(space.name, f"app-{i}", space.name, {"k": f"k{i % 10}"}, **spec) for i in range(count)]


def ten(word="value"):
    return {f"k{i}": f"{word} {i}" for i in range(10)}


def in_step(cluster, space, count, word="value"):
    secrets = {s["metadata"]["name"]: decoded(s) for s in cluster.list("Secret", space.name)}
    assert secrets == {f"app-{i}": {"k": f"{word} {i % 10}".encode()} for i in range(count)}
    waiting = [o["metadata"]["name"] for o in cluster.list("ExternalSecret", space.name)
               if (condition(o) or {}).get("status") != "True"]
    assert not waiting
    return True


# ---- a namespace goes

@pytest.mark.sanitized
def test_a_namespace_goes_with_all_that_is_in_it(behind, proxy, cluster, space):
    """Secrets may go before the ExternalSecrets that would make them again: refused, and nobody's mistake."""
    count = 60 if SANITIZED else 200
    behind.start()
    space.store(ten())
    cluster.create_many(many(space, count))
    wait_for(lambda: in_step(cluster, space, count), 60, every=0.5)
    cluster.delete("Namespace", space.name)
    wait_for(lambda: cluster.get("Namespace", space.name)["metadata"].get("deletionTimestamp"))
    cluster.delete_all("Secret", space.name)
    # New ones come too late.
    refused_from = len(proxy.requests(WRITES))
    wait_for(lambda: cluster.get("Namespace", space.name) is None, 60, every=0.3)
    refused = [line for _, line, status in proxy.requests(WRITES)[refused_from:] if status == 403]
    assert len(refused) <= 2 * count, "an object that is going is tried again and again"
    assert lines(behind, "warn", "error") == []
    assert not [line for _, line, _ in proxy.requests(r"/status$")[refused_from:] if line.startswith("PATCH")]
    does_not_spin(behind)


# ---- a store goes

@pytest.mark.sanitized
def test_a_store_that_goes_and_comes_back(operator, cluster, space):
    count = 30
    space.store(ten())
    cluster.create_many(many(space, count, refreshInterval="1s"))
    wait_for(lambda: in_step(cluster, space, count), 30, every=0.3)
    before = {s["metadata"]["name"]: version(s) for s in cluster.list("Secret", space.name)}
    cluster.delete("ClusterSecretStore", space.name)

    def explained():
        for es in cluster.list("ExternalSecret", space.name):
            assert condition(es)["message"] == (
                f'could not get secret data from provider: error processing spec.data[0] (key: {es["spec"]["data"][0]["remoteRef"]["key"]}), '
                f'err: could not get ClusterSecretStore "{space.name}", ClusterSecretStore.external-secrets.io "{space.name}" not found')
        return True
    wait_for(explained)
    assert {s["metadata"]["name"]: version(s) for s in cluster.list("Secret", space.name)} == before
    does_not_spin(operator)
    space.store(ten("second"))
    wait_for(lambda: in_step(cluster, space, count, "second"), 5, every=0.2)


# ---- somebody says no

RIGHTS = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "e2e-weather"},
          "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
          "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "esod"}]}
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@pytest.mark.sanitized
def test_rights_are_taken_away_and_given_back(make_operator, control_plane, cluster, space, tmp_path):
    count = 20
    tcp = TcpProxy(control_plane.conf["api"])
    path = tmp_path / "through-proxy"
    path.write_text(with_server(control_plane.state / "kubeconfig-operator", tcp.url))
    cluster.call("POST", BINDINGS, RIGHTS)
    try:
        operator = make_operator(kubeconfig=path).start()
        space.store(ten())
        cluster.create_many(many(space, count, refreshInterval="1s"))
        wait_for(lambda: in_step(cluster, space, count), 30, every=0.3)
        cluster.call("DELETE", f"{BINDINGS}/e2e-weather")
        tcp.cut()  # watches that stand would go on
        space.store(ten("second"), ready=False)
        cluster.delete("Secret", "app-0", space.name)
        does_not_spin(operator, 3)
        assert operator.running() and operator.probe("/healthz") == 200
        said = lines(operator, "warn", "error")
        assert 0 < len(said) < 12 * count, f"{len(said)} lines"
        assert any("cannot" in line.get("error", "") for line in said), "nobody says which right is missing"
        cluster.call("POST", BINDINGS, RIGHTS)
        wait_for(lambda: in_step(cluster, space, count, "second"), 40, every=0.3)
    finally:
        tcp.close()
        try:
            cluster.call("DELETE", f"{BINDINGS}/e2e-weather")
        except Refused as e:
            assert e.status == 404


class Webhook(http.server.BaseHTTPRequestHandler):
    """An admission webhook that knows what is in the Secret, denies it, and says so."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        values = [base64.b64decode(v).decode() for v in (review["request"]["object"].get("data") or {}).values()]
        answer = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": {
            "uid": review["request"]["uid"], "allowed": False,
            "status": {"code": 403, "message": f"secrets need an owner label, and {values} is too weak"}}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def webhook(cluster, space, tmp_path):
    """Denies all writes of Secrets in the test's namespace; call it to have it gone."""
    cert, key = tmp_path / "hook.crt", tmp_path / "hook.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=hook", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
                   check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    where = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    cluster.call("POST", where, {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": space.name}, "webhooks": [{
            "name": "strict.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 5,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}],
            "clientConfig": {"url": f"https://127.0.0.1:{server.server_address[1]}/",
                             "caBundle": base64.b64encode(cert.read_bytes()).decode()}}]})

    def remove():
        try:
            cluster.call("DELETE", f"{where}/{space.name}")
        except Refused as e:
            assert e.status == 404

    yield remove
    remove()
    server.shutdown()
    server.server_close()


@pytest.mark.sanitized
def test_somebody_elses_webhook_denies_secrets(operator, webhook, cluster, space):
    """Its reason is told; the values, should it quote them, are not."""
    space.store({"a": "planted-first-value", "b": "planted-\"second\"\nvalue"})

    def denied():
        """The API server takes up a webhook a moment after it was configured."""
        try:
            cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "try", "namespace": space.name}})
            cluster.delete("Secret", "try", space.name)
        except Refused as e:
            return "strict.example.com" in str(e)
    wait_for(denied)
    space.external_secret("app", data={"k": "a", "l": "b"})
    message = space.failed("app")
    assert message.startswith('could not update secret: admission webhook "strict.example.com" denied the request: '
                              'secrets need an owner label')
    event = wait_for(lambda: cluster.events(space.name, "app", "UpdateFailed"))[0]
    for text in (message, event["message"], operator.log):
        assert "planted" not in text and "second" not in text
    does_not_spin(operator)
    webhook()
    space.synced("app", {"k": "planted-first-value", "l": "planted-\"second\"\nvalue"}, timeout=20)


def test_a_quota_is_full(operator, cluster, space):
    space.store(ten())
    quotas = f"/api/v1/namespaces/{space.name}/resourcequotas"
    cluster.call("POST", quotas, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
                                  "spec": {"hard": {"secrets": "2"}}})
    cluster.call("PATCH", f"{quotas}/few/status", {"status": {"hard": {"secrets": "2"}, "used": {"secrets": "0"}}},
                 content="application/merge-patch+json")
    cluster.create_many(many(space, 5))

    def two():
        found = [condition(o) for o in cluster.list("ExternalSecret", space.name)]
        assert None not in found
        why = [c["message"] for c in found if c["status"] == "False"]
        assert len(why) == 3 and all("exceeded quota: few, requested: secrets=1, used: secrets=2, limited: secrets=2" in w
                                     for w in why)
        return True
    wait_for(two)
    does_not_spin(operator)
    cluster.call("DELETE", f"{quotas}/few")
    wait_for(lambda: in_step(cluster, space, 5), 30, every=0.3)


# ---- history goes

def compact(control_plane):
    """What has happened so far is forgotten: a watch from before is answered 410."""
    header = control_plane.etcd("kv/range", key=base64.b64encode(b"compact").decode())["header"]
    control_plane.etcd("kv/compaction", revision=header["revision"], physical=True)


@pytest.mark.sanitized
def test_a_restart_and_a_compaction_while_hundreds_refresh(operator, control_plane, cluster, space):
    count = 100 if SANITIZED else 500
    space.store(ten())
    cluster.create_many(many(space, count, refreshInterval="5s" if SANITIZED else "20s"))
    wait_for(lambda: in_step(cluster, space, count), 90, every=1)
    uids = {s["metadata"]["name"]: s["metadata"]["uid"] for s in cluster.list("Secret", space.name)}
    control_plane.kill_apiserver()
    compact(control_plane)
    control_plane.start_apiserver()
    # Done while the watches may still be away: each has to be noticed.
    for name in ("app-1", "app-2", "app-3"):
        cluster.delete("Secret", name, space.name)
    cluster.patch("Secret", "app-4", {"data": {"k": "eA=="}}, space.name)
    cluster.delete("ExternalSecret", f"app-{count - 1}", space.name)
    wait_for(lambda: cluster.get("ExternalSecret", f"app-{count - 1}", space.name) is None)
    wait_for(lambda: cluster.get("Secret", f"app-{count - 1}", space.name) is None, 60)
    wait_for(lambda: in_step(cluster, space, count - 1), 40, every=0.5)
    space.store(ten("second"))
    compact(control_plane)
    wait_for(lambda: in_step(cluster, space, count - 1, "second"), 60, every=1)
    now = {s["metadata"]["name"]: s["metadata"]["uid"] for s in cluster.list("Secret", space.name)}
    assert [name for name in now if now[name] != uids[name]] == ["app-1", "app-2", "app-3"]
    does_not_spin(operator, 2, share=0.6)


# ---- the definitions go; the last one, since the garbage collector takes half a minute to know the new ones

@pytest.mark.sanitized
def test_the_definitions_go_and_come_back(operator, control_plane, crds, cluster, space):
    count = 20
    space.store(ten())
    cluster.create_many(many(space, count))
    wait_for(lambda: in_step(cluster, space, count), 30, every=0.3)
    name = f"externalsecrets.{GROUP}"
    cluster.delete("CustomResourceDefinition", name)
    # Its objects go with it, and esod gives its finalizers back.
    wait_for(lambda: cluster.get("CustomResourceDefinition", name) is None, 40)
    does_not_spin(operator, 3)
    assert operator.running() and operator.probe("/healthz") == 200
    assert len(lines(operator, "warn", "error")) < 20
    control_plane.apply_crds(crds)
    cluster.create_many(many(space, count))
    wait_for(lambda: in_step(cluster, space, count), 60, every=0.3)
