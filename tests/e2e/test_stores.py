"""What stores are opened with: credentials, certificates, namespaces. Nothing waits for an interval that an event could end.

Where a test sleeps first, it is so that the next try by itself would be seconds away."""

import base64
import http.server
import re
import secrets
import ssl
import subprocess
import threading
import time

import pytest

from harness import Space, build_dir, stays, store, wait_for, with_server
from proxy import HttpProxy

pytestmark = pytest.mark.sanitized

PLUGIN = build_dir() / "tests/plugins/logs_in.so"
BOTH = pytest.mark.parametrize("isolation", ["process", "none"])


@pytest.fixture(scope="module", autouse=True)
def known(also_known):
    also_known(PLUGIN)


@pytest.fixture
def make_esod(make_operator):
    def make(**config):
        return make_operator(plugins=["fake", {"path": str(PLUGIN)}], **config)
    return make


@pytest.fixture
def esod(make_esod):
    return make_esod().start()


@pytest.fixture
def second_space(cluster):
    made = Space(cluster, f"e2e-{secrets.token_hex(4)}")
    yield made
    made.remove()


def secret(namespace, name, labels=None, **data):
    return {"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace, **({"labels": labels} if labels else {})},
            "data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}}


def config_map(namespace, name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def logs_in(name, namespace=None, ref=None, **block):
    """A store that logs in with the Secret that `ref` names."""
    if ref:
        block["auth"] = {"secretRef": ref}
    obj = store(name, {}, namespace)
    obj["spec"]["provider"] = {"logs_in": block}
    return obj


def put(cluster, obj):
    """The API server may still work with the definitions of before."""
    wait_for(lambda: "logs_in" in cluster.apply(obj)["spec"]["provider"])


def at_once(check):
    """check() comes true within a second; returns the seconds that it took."""
    started = time.monotonic()
    wait_for(check, 1, every=0.01)
    return time.monotonic() - started


def not_ready(cluster, name, namespace=None, kind=None):
    return wait_for(lambda: cluster.failed(kind or ("SecretStore" if namespace else "ClusterSecretStore"), name, namespace,
                                           reason="InvalidProviderConfig"))


REF = {"name": "login", "key": "token"}
NAP = 4  # after failures at 0, 1 and 3 s the next one is due at 7 s, or a tenth earlier


# ---- credentials

@BOTH
def test_a_rotated_credential_is_used_at_once(make_esod, cluster, space, isolation):
    esod = make_esod(isolation=isolation).start()
    cluster.apply(secret(space.name, "login", token="wrong"))
    put(cluster, logs_in("own", space.name, lazy=True, ref=REF))  # it opens; reading is what fails
    space.external_secret("app", "own", {"k": "a"}, kind="SecretStore")
    assert "the credential was refused" in space.failed("app")
    time.sleep(NAP)
    cluster.apply(secret(space.name, "login", token="right"))
    took = at_once(lambda: cluster.holds(space.name, "app", {"k": "right"}))
    print(f"from the Secret's change to the ExternalSecret's Secret: {took * 1000:.0f} ms")
    assert len(re.findall("what the store was opened with has changed", esod.log)) == 1


def test_a_healthy_store_is_looked_at_again(esod, cluster, space):
    cluster.apply(secret(space.name, "login", token="right"))
    put(cluster, logs_in("own", space.name, ref=REF))
    wait_for(lambda: cluster.ready("SecretStore", "own", space.name))
    cluster.apply(secret(space.name, "login", token="wrong"))

    def refused():
        message = cluster.failed("SecretStore", "own", space.name, reason="InvalidProviderConfig")
        return message == "unable to create client: the credential was refused"
    at_once(refused)
    cluster.apply(secret(space.name, "login", token="right"))
    at_once(lambda: cluster.ready("SecretStore", "own", space.name))


@BOTH
def test_a_missing_credential_is_waited_for(make_esod, cluster, space, isolation):
    make_esod(isolation=isolation).start()
    put(cluster, logs_in("own", space.name, ref=REF))
    space.external_secret("app", "own", {"k": "a"}, kind="SecretStore")
    assert not_ready(cluster, "own", space.name) == (
        f'unable to create client: cannot get Kubernetes secret "login" from namespace "{space.name}": secrets "login" not found')
    space.failed("app")
    time.sleep(NAP)
    cluster.apply(secret(space.name, "login", token="here"))
    at_once(lambda: cluster.ready("SecretStore", "own", space.name))
    at_once(lambda: cluster.holds(space.name, "app", {"k": "here"}))

    cluster.delete("Secret", "login", space.name)
    at_once(lambda: cluster.failed("SecretStore", "own", space.name, reason="InvalidProviderConfig"))


def test_a_credential_that_esod_makes_itself(esod, cluster, space):
    """The watch of credentials leaves out esod's own Secrets, and no watch brings its own writes back."""
    space.store({"vault-token": "wrong"})
    space.external_secret("login", data={"token": "vault-token"}, refreshInterval="1s")
    wait_for(lambda: cluster.holds(space.name, "login", {"token": "wrong"}))
    put(cluster, logs_in("own", space.name, lazy=True, ref=REF))
    space.external_secret("app", "own", {"k": "a"}, kind="SecretStore")
    space.failed("app")
    time.sleep(NAP)
    space.store({"vault-token": "right"})
    wait_for(lambda: cluster.holds(space.name, "login", {"token": "right"}), 4)
    at_once(lambda: cluster.holds(space.name, "app", {"k": "right"}))


def test_a_service_account_that_comes_late(esod, cluster, space):
    put(cluster, logs_in("own", space.name, auth={"serviceAccountRef": {"name": "robot"}}))
    assert 'cannot request Kubernetes service account token for service account "robot"' in not_ready(cluster, "own", space.name)
    time.sleep(NAP)
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": space.name}})
    at_once(lambda: cluster.ready("SecretStore", "own", space.name))


# ---- referent authentication

@BOTH
def test_each_consumer_has_its_own_credential(make_esod, cluster, space, second_space, isolation):
    make_esod(isolation=isolation).start()
    cluster.apply(secret(space.name, "login", token="one"), secret(second_space.name, "login", token="wrong"))
    space.store({}, ready=False)  # so that it is removed in the end
    put(cluster, logs_in(space.name, lazy=True, ref=REF))
    wait_for(lambda: cluster.ready("ClusterSecretStore", space.name))
    for ns in (space, second_space):
        ns.external_secret("app", space.name, {"k": "a"})
    space.synced("app", {"k": "one"})
    assert "refused" in second_space.failed("app")
    refreshed = cluster.get("ExternalSecret", "app", space.name)["status"]["refreshTime"]
    time.sleep(NAP)
    cluster.apply(secret(second_space.name, "login", token="two"))
    at_once(lambda: cluster.holds(second_space.name, "app", {"k": "two"}))
    cluster.holds(space.name, "app", {"k": "one"})
    assert cluster.get("ExternalSecret", "app", space.name)["status"]["refreshTime"] == refreshed


def test_a_reference_to_another_namespace_is_refused(esod, cluster, space, second_space):
    cluster.apply(secret(second_space.name, "login", token="one"))
    put(cluster, logs_in("own", space.name, ref={**REF, "namespace": second_space.name}))
    assert not_ready(cluster, "own", space.name) == (
        "unable to create client: namespace should either be empty or match the namespace of the SecretStore for a namespaced "
        "SecretStore")


# ---- conditions

def test_a_label_lets_a_namespace_in(esod, cluster, space):
    space.store({"a": "1"}, conditions=[{"namespaceSelector": {"matchLabels": {"team": "a"}}}])
    space.external_secret("app", data={"k": "a"})
    assert "denied by spec.condition" in space.failed("app")
    time.sleep(NAP)
    cluster.patch("Namespace", space.name, {"metadata": {"labels": {"team": "a"}}})
    at_once(lambda: cluster.holds(space.name, "app", {"k": "1"}))


# ---- stores that go

@BOTH
def test_a_store_that_is_deleted_while_it_is_used(make_esod, cluster, space, isolation):
    make_esod(isolation=isolation).start()
    cluster.apply(secret(space.name, "login", token="one"))
    put(cluster, logs_in("own", space.name, ref=REF))
    for i in range(5):
        space.external_secret(f"app-{i}", "own", {"k": "a"}, kind="SecretStore", refreshInterval="1s")
    for i in range(5):
        space.synced(f"app-{i}", {"k": "one"})
    cluster.delete("SecretStore", "own", space.name)
    for i in range(5):
        assert 'could not get SecretStore "own"' in space.failed(f"app-{i}")
    cluster.apply(secret(space.name, "login", token="two"))
    put(cluster, logs_in("own", space.name, ref=REF))
    for i in range(5):
        space.synced(f"app-{i}", {"k": "two"})


# ---- certificates

class Backend:
    """A TLS server with a certificate of its own, which can be changed."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        self.renew()

        class Handler(http.server.BaseHTTPRequestHandler):  # HTTP/1.0: each request is a handshake
            def do_GET(self):
                body = b"the answer"
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(inner):
                sock, address = super().get_request()
                return self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, request, client_address):
                pass  # a client that does not trust it goes away

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def renew(self):
        """A new certificate from here on; returns what a client has to trust."""
        self.count += 1
        cert, key = self.folder / f"{self.count}.crt", self.folder / f"{self.count}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", f"/CN=backend {self.count}", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # sessions of the old one are not resumed
        context.load_cert_chain(cert, key)
        self.context, self.ca = context, cert.read_text()
        return self.ca

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def backend(tmp_path):
    made = Backend(tmp_path)
    yield made
    made.close()


def trust(cluster, namespace, where, pem):
    """Puts the certificate there; what the store's block says of it."""
    if where == "bundle":
        return {"caBundle": base64.b64encode(pem.encode()).decode()}
    if where == "bundle of server":
        return {"server": {"caBundle": base64.b64encode(pem.encode()).decode()}}
    cluster.apply(secret(namespace, "roots", ca=pem) if where == "Secret" else config_map(namespace, "roots", ca=pem))
    return {"caProvider": {"type": where, "name": "roots", "key": "ca"}}


@pytest.mark.parametrize("where", ["bundle", "bundle of server", "Secret", "ConfigMap"])
def test_the_certificate_of_a_store_is_trusted(esod, cluster, space, backend, where):
    put(cluster, logs_in("own", space.name, url=backend.url, **trust(cluster, space.name, where, backend.ca)))
    wait_for(lambda: cluster.ready("SecretStore", "own", space.name))
    space.external_secret("app", "own", {"k": "a"}, kind="SecretStore", refreshInterval="1s")
    space.synced("app", {"k": "the answer"})

    pem = backend.renew()
    assert "certificate" in space.failed("app")
    time.sleep(NAP)
    block = trust(cluster, space.name, where, pem)
    if where.startswith("bundle"):
        put(cluster, logs_in("own", space.name, url=backend.url, **block))
    at_once(lambda: cluster.ready("ExternalSecret", "app", space.name))


@BOTH
def test_nobody_else_is_trusted(make_esod, cluster, space, backend, tmp_path, monkeypatch, isolation):
    """Neither the system's roots beside the store's own, nor the store's own for another store."""
    roots = tmp_path / "system-roots.pem"
    roots.write_text(backend.ca)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    make_esod(isolation=isolation).start()
    put(cluster, logs_in("system", space.name, url=backend.url))
    wait_for(lambda: cluster.ready("SecretStore", "system", space.name))

    (tmp_path / "other").mkdir()
    other = Backend(tmp_path / "other")
    try:
        put(cluster, logs_in("other", space.name, url=backend.url, **trust(cluster, space.name, "ConfigMap", other.ca)))
        assert "certificate" in not_ready(cluster, "other", space.name)
        put(cluster, logs_in("none", space.name, url=other.url))
        assert "certificate" in not_ready(cluster, "none", space.name)
    finally:
        other.close()


def test_a_bundle_that_is_none(esod, cluster, space):
    put(cluster, logs_in("own", space.name, caBundle=base64.b64encode(b"trust me").decode()))
    assert not_ready(cluster, "own", space.name) == (
        "unable to create client: failed to decode ca bundle: failed to parse the new certificate, not valid pem data")


def test_a_cluster_store_says_where_its_certificate_is(esod, cluster, space, backend):
    space.store({}, ready=False)
    block = trust(cluster, space.name, "ConfigMap", backend.ca)
    put(cluster, logs_in(space.name, url=backend.url, **block))
    assert not_ready(cluster, space.name) == "unable to create client: missing namespace on caProvider secret"
    block["caProvider"]["namespace"] = space.name
    put(cluster, logs_in(space.name, url=backend.url, **block))
    wait_for(lambda: cluster.ready("ClusterSecretStore", space.name))


# ---- what it costs

@pytest.fixture
def proxy(control_plane, tmp_path):
    made = HttpProxy(control_plane, tmp_path)
    yield made
    made.close()


@pytest.fixture
def behind(make_esod, kubeconfig, proxy, tmp_path):
    path = tmp_path / "through-proxy"
    path.write_text(with_server(kubeconfig, proxy.url, proxy.ca))
    return lambda **config: make_esod(kubeconfig=path, **config).start()


def test_each_version_is_read_once_and_nothing_spins(behind, proxy, cluster, space, backend):
    behind()
    login = f"GET /api/v1/namespaces/{space.name}/secrets/login( |$)"
    cluster.apply(secret(space.name, "login", token="one"))
    put(cluster, logs_in("own", space.name, ref=REF))
    for i in range(20):
        space.external_secret(f"app-{i}", "own", {"k": "a"}, kind="SecretStore")
    for i in range(20):
        space.synced(f"app-{i}", {"k": "one"})
    assert len(proxy.requests(login)) == 1

    for n, token in enumerate(("two", "three"), 2):
        cluster.apply(secret(space.name, "login", token=token))
        wait_for(lambda: len(proxy.requests(login)) == n)
    stays(lambda: len(proxy.requests(login)) == 3 or pytest.fail("it is read again and again"), 2)
    before = len(proxy.requests("."))
    cluster.apply(secret(space.name, "unrelated", token="x"), config_map(space.name, "unrelated", ca="x"))
    time.sleep(2)
    assert len(proxy.requests(".")) == before, proxy.requests(".")[before:]
    space.external_secret("late", "own", {"k": "a"}, kind="SecretStore")
    space.synced("late", {"k": "three"})
    assert len(proxy.requests(login)) == 3


def test_of_one_namespace_only_that_is_watched(behind, proxy, cluster, space):
    behind(namespace=space.name)
    cluster.apply(secret(space.name, "login", token="wrong"))
    put(cluster, logs_in("own", space.name, lazy=True, ref=REF))
    space.external_secret("app", "own", {"k": "a"}, kind="SecretStore")
    space.failed("app")
    time.sleep(NAP)
    cluster.apply(secret(space.name, "login", token="right"))
    at_once(lambda: cluster.holds(space.name, "app", {"k": "right"}))
    assert not proxy.requests("^GET /api/v1/(secrets|configmaps|serviceaccounts)")
