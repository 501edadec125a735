"""The kubernetes provider: Secrets of another namespace, through the API server that esod itself is a client of."""

import base64
import json
import subprocess

import pytest
import yaml

from harness import GROUP, decoded, external_secret, wait_for

BOTH = pytest.mark.parametrize("isolation", ["process", "none"])
TOKEN = {"token": {"bearerToken": {"name": "login", "key": "token"}}}


def b64(text):
    return base64.b64encode(text.encode()).decode()


def secret(namespace, name, data, labels=None, annotations=None):
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}, "annotations": annotations or {}},
            "data": {k: b64(v) for k, v in data.items()}}


@pytest.fixture
def remote(second_space):
    """The namespace that stores read."""
    return second_space


@pytest.fixture
def make_esod(make_operator):
    def make(**config):
        return make_operator(plugins=["fake", "kubernetes"], **config).start()
    return make


@pytest.fixture
def esod(make_esod):
    return make_esod()


class Stores:
    """Makes stores in the test's namespace that look into the other one."""

    def __init__(self, cluster, space, remote, plane):
        self.cluster, self.space, self.remote, self.plane = cluster, space, remote, plane

    def account(self, name, rules):
        """A service account beside the stores, with rights in the other namespace alone."""
        ns, other = self.space.name, self.remote.name
        self.cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": ns}})
        self.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name, "namespace": other},
             "rules": rules},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": other},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
             "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": ns}]}]))

    def token(self, account):
        path = f"{self.cluster.path('ServiceAccount', self.space.name, account)}/token"
        return self.cluster.call("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                                                "spec": {"expirationSeconds": 3600}})["status"]["token"]

    def login(self, token):
        self.cluster.apply(secret(self.space.name, "login", {"token": token}))

    def make(self, name="remote", auth=None, server=None, ready=True, **block):
        server = {"url": self.plane.server, "caBundle": b64(self.plane.ca), **(server or {})}
        server = {k: v for k, v in server.items() if v is not None}
        provider = {"server": server, "auth": auth or TOKEN, "remoteNamespace": self.remote.name, **block}
        self.cluster.apply({"apiVersion": GROUP + "/v1", "kind": "SecretStore", "metadata": {"name": name, "namespace": self.space.name},
                            "spec": {"provider": {"kubernetes": provider}}})
        if ready:
            wait_for(lambda: self.cluster.ready("SecretStore", name, self.space.name))

    def why(self, name="remote", reason="InvalidProviderConfig"):
        """The text of the store's newest event of this reason."""
        def look():
            found = self.cluster.events(self.space.name, name, reason)
            return found and found[-1]["message"]
        return wait_for(look)

    def external_secret(self, name, data=None, store="remote", **spec):
        self.cluster.apply(external_secret(self.space.name, name, store, data, kind="SecretStore", **spec))

    def synced(self, name, want):
        return self.space.synced(name, want)

    def error(self, name):
        def look():
            found = self.cluster.events(self.space.name, name, "UpdateFailed")
            return found and found[-1]["message"]
        return wait_for(look)


@pytest.fixture
def stores(cluster, space, remote, control_plane):
    return Stores(cluster, space, remote, control_plane)


READ = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]


@BOTH
def test_reads_as_a_service_account_with_few_rights(make_esod, cluster, stores, space, remote, isolation):
    make_esod(isolation=isolation)
    cluster.apply(secret(remote.name, "db", {"user": "bob", "conf": '{"port":5432,"hosts":["a","b"]}', "tls.crt": "PEM"},
                         {"app.kubernetes.io/name": "db"}, {"owner": '{"team":{"name":"blue"}}'}))
    stores.account("reader", READ)
    stores.make(auth={"serviceAccount": {"name": "reader"}})
    fetch = {"key": "db", "metadataPolicy": "Fetch"}
    stores.external_secret("parts", {
        "user": {"key": "db", "property": "user"}, "crt": {"key": "db", "property": "tls.crt"},
        "port": {"key": "db", "property": "conf.port"}, "host": {"key": "db", "property": "conf.hosts.1"},
        "label": {**fetch, "property": "labels.app.kubernetes.io/name"},
        "team": {**fetch, "property": "annotations.owner.team.name"}, "labels": {**fetch, "property": "labels"},
        "all": "db", "metadata": fetch})
    _, made = stores.synced("parts", {
        "user": "bob", "crt": "PEM", "port": "5432", "host": "b", "label": "db", "team": "blue",
        "labels": '{"app.kubernetes.io/name":"db"}',
        "all": json.dumps({"conf": '{"port":5432,"hosts":["a","b"]}', "tls.crt": "PEM", "user": "bob"}, separators=(",", ":")),
        "metadata": '{"annotations":{"owner":"{\\"team\\":{\\"name\\":\\"blue\\"}}"},"labels":{"app.kubernetes.io/name":"db"}}'})
    assert made["type"] == "Opaque"

    stores.external_secret("whole", dataFrom=[{"extract": {"key": "db"}}])
    stores.synced("whole", {"user": "bob", "conf": '{"port":5432,"hosts":["a","b"]}', "tls.crt": "PEM"})
    stores.external_secret("members", dataFrom=[{"extract": {"key": "db", "property": "conf"}}])
    stores.synced("members", {"port": "5432", "hosts": '["a","b"]'})
    stores.external_secret("missing", {"x": {"key": "db", "property": "nope"}})
    assert stores.error("missing").endswith('err: property nope does not exist in data of secret "db"')
    stores.external_secret("gone", {"x": "nothing"})
    assert stores.error("gone").endswith("err: Secret does not exist")


def test_rights_that_are_missing_are_named(esod, cluster, stores, remote):
    stores.account("nothing", [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}])
    stores.make("blind", auth={"serviceAccount": {"name": "nothing"}}, ready=False)
    assert stores.why("blind") == "client is not allowed to get secrets"

    cluster.apply(secret(remote.name, "mine", {"k": "v"}), secret(remote.name, "yours", {"k": "v"}))
    stores.account("one", [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mine"], "verbs": ["get"]}])
    stores.make(auth={"serviceAccount": {"name": "one"}})
    stores.external_secret("mine", {"k": {"key": "mine", "property": "k"}})
    stores.synced("mine", {"k": "v"})
    stores.external_secret("yours", {"k": {"key": "yours", "property": "k"}})
    assert stores.error("yours").endswith(
        f'err: cannot get secret "yours" in namespace "{remote.name}": forbidden: the credentials do not have this right '
        "(status 403)")
    stores.external_secret("find", dataFrom=[{"find": {"name": {"regexp": "."}}}])
    assert stores.error("find").endswith(
        f'cannot list secrets in namespace "{remote.name}": forbidden: the credentials do not have this right (status 403)')


def test_a_token_that_is_replaced_counts_at_once(esod, cluster, stores, remote):
    cluster.apply(secret(remote.name, "db", {"k": "v"}))
    stores.account("reader", READ)
    stores.login("not-a-token")
    stores.make()
    assert stores.why(reason="ValidationUnknown") == (
        "could not verify if client is valid: the API server answered SelfSubjectRulesReview with status 401 (Unauthorized)")
    stores.external_secret("db", {"k": {"key": "db", "property": "k"}})
    assert stores.error("db").endswith(
        f'cannot get secret "db" in namespace "{remote.name}": the API server does not accept the credentials: Unauthorized '
        "(status 401)")
    stores.login(stores.token("reader") + "\n")  # as it comes out of a file
    stores.synced("db", {"k": "v"})


def test_a_token_that_is_revoked_is_asked_for_again(esod, cluster, stores, remote, proxy):
    cluster.apply(secret(remote.name, "db", {"k": "one"}))
    stores.account("reader", READ)
    stores.make(auth={"serviceAccount": {"name": "reader"}}, server={"url": proxy.url, "caBundle": b64(proxy.ca)})
    stores.external_secret("db", {"k": {"key": "db", "property": "k"}})
    stores.synced("db", {"k": "one"})
    refused = proxy.rule(rf"^GET /api/v1/namespaces/{remote.name}/secrets/db$", status=401)
    cluster.apply(secret(remote.name, "db", {"k": "two"}))
    cluster.patch("ExternalSecret", "db", {"metadata": {"annotations": {"force-sync": "1"}}}, stores.space.name)
    stores.synced("db", {"k": "two"})
    assert len(refused.hits) == 1
    assert not cluster.events(stores.space.name, "db", "UpdateFailed")


def test_certificates_are_checked(esod, cluster, stores, remote, proxy):
    cluster.apply(secret(remote.name, "db", {"k": "v"}))
    stores.account("reader", READ)
    stores.login(stores.token("reader"))
    stores.make(server={"caBundle": b64(proxy.ca)})  # another server's
    why = stores.why(reason="ValidationUnknown")
    assert why.startswith("could not verify if client is valid: ") and "certificate" in why
    stores.external_secret("db", {"k": {"key": "db", "property": "k"}})
    assert "certificate" in stores.error("db")
    stores.make()
    stores.synced("db", {"k": "v"})


def test_finds_more_than_one_page(esod, cluster, stores, remote, proxy):
    cluster.create_many(secret(remote.name, f"many-{i:03}", {"n": str(i)}, {"app": "x" if i % 2 else "y"}) for i in range(620))
    stores.account("reader", READ)
    stores.login(stores.token("reader"))
    stores.make(server={"url": proxy.url, "caBundle": b64(proxy.ca)})
    # The token of the first page is too old for the second: all begins again.
    gone = proxy.rule(rf"^GET /api/v1/namespaces/{remote.name}/secrets\?.*continue=", status=410)
    stores.external_secret("many", dataFrom=[{"find": {"name": {"regexp": "^many-"}}}])
    stores.synced("many", {f"many-{i:03}": f'{{"n":"{i}"}}' for i in range(620)})
    assert len(gone.hits) == 1
    assert len(proxy.requests(rf"/namespaces/{remote.name}/secrets\?limit=500")) == 4
    stores.external_secret("odd", dataFrom=[{"find": {"tags": {"app": "x"}}}])
    stores.synced("odd", {f"many-{i:03}": f'{{"n":"{i}"}}' for i in range(1, 620, 2)})


def test_a_kubeconfig_in_a_secret(esod, cluster, stores, remote, space):
    def put(config):
        cluster.apply(secret(space.name, "kubeconfig", {"config": yaml.safe_dump(config)}))

    cluster.apply(secret(remote.name, "db", {"k": "v"}))
    stores.account("reader", READ)
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "there",
              "contexts": [{"name": "there", "context": {"cluster": "c", "user": "u"}}],
              "clusters": [{"name": "c", "cluster": {"server": stores.plane.server, "certificate-authority-data": b64(stores.plane.ca)}}],
              "users": [{"name": "u", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws"}}}]}
    put(config)
    cluster.apply({"apiVersion": GROUP + "/v1", "kind": "SecretStore", "metadata": {"name": "remote", "namespace": space.name},
                   "spec": {"provider": {"kubernetes": {"remoteNamespace": remote.name, "authRef": {"name": "kubeconfig", "key": "config"}}}}})
    assert stores.why() == (
        "authRef: the kubeconfig's user has exec, which runs a program to log in, which a store cannot; use a token, a client "
        "certificate, or auth.serviceAccount")
    config["users"][0]["user"] = {"token": stores.token("reader")}
    put(config)
    stores.external_secret("db", {"k": {"key": "db", "property": "k"}})
    stores.synced("db", {"k": "v"})


def push_secret(namespace, name, data, store="remote", **spec):
    return {"apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret", "metadata": {"name": name, "namespace": namespace},
            "spec": {"refreshInterval": "1h", "secretStoreRefs": [{"name": store}], "selector": {"secret": {"name": "src"}},
                     "data": data, **spec}}


def match(secret_key=None, remote_key="copy", prop=None, metadata=None):
    ref = {"remoteKey": remote_key, **({"property": prop} if prop else {})}
    made = {"match": {**({"secretKey": secret_key} if secret_key else {}), "remoteRef": ref}}
    if metadata:
        made["metadata"] = {"apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata", "spec": metadata}
    return made


def test_pushes_and_takes_back(esod, cluster, stores, space, remote):
    stores.account("writer", [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "delete"]}])
    stores.make(auth={"serviceAccount": {"name": "writer"}})
    cluster.apply(secret(space.name, "src", {"a": "1", "b": "<2>"}, {"team": "blue"}))

    def apply(name, *data, **spec):
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(push_secret(space.name, name, list(data), **spec)))

    def there(name, want):
        wait_for(lambda: cluster.holds(remote.name, name, want))
        return cluster.get("Secret", name, remote.name)

    # The whole; then one key and the whole as one value beside what somebody else has put there.
    apply("whole", match())
    assert there("copy", {"a": "1", "b": "<2>"})["metadata"]["labels"]["team"] == "blue"
    cluster.apply(secret(remote.name, "shared", {"theirs": "stays"}, {"owner": "them"}))
    apply("parts", match("a", "shared", "mine", {"labels": {"from": "us"}, "sourceMergePolicy": "Replace"}),
          match(None, "shared", "all", {"targetMergePolicy": "Ignore"}), deletionPolicy="Delete")
    found = there("shared", {"theirs": "stays", "mine": "1", "all": '{"a":"1","b":"<2>"}'})
    assert found["metadata"]["labels"] == {"owner": "them", "from": "us"}

    # What was pushed goes, what was there stays.
    cluster.kubectl("delete", "pushsecret", "parts", "-n", space.name)
    there("shared", {"theirs": "stays"})
    apply("alone", match("a", "single", "only"), deletionPolicy="Delete")
    there("single", {"only": "1"})
    cluster.kubectl("delete", "pushsecret", "alone", "-n", space.name)
    wait_for(lambda: cluster.get("Secret", "single", remote.name) is None)

    # Another namespace than the store's is for ClusterSecretStores.
    apply("elsewhere", match("a", "x", "k", {"remoteNamespace": "default"}))

    def refused():
        found = [e["message"] for e in cluster.list("Event", space.name) if e["involvedObject"]["name"] == "elsewhere"]
        assert any("remoteNamespace override is only supported with ClusterSecretStore" in m for m in found), found
        return True
    wait_for(refused)


def test_warnings_and_mistakes(esod, cluster, stores, space):
    stores.login("x")
    stores.make(server={"caBundle": None, "url": "127.0.0.1:1"}, ready=False)
    assert stores.why(reason="ValidationWarning") == (
        "No caBundle or caProvider specified; TLS connections will use system certificate roots.")
    stores.make("both", authRef={"name": "login", "key": "token"}, ready=False)
    assert stores.why("both") == "authRef and inline auth cannot both be set"
    stores.make("lost", auth={"serviceAccount": {"name": "nobody"}}, ready=False)
    assert stores.why("lost") == 'cannot create service account token: serviceaccounts "nobody" not found'
