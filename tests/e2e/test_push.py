"""PushSecrets on a real API server: what a backend is handed, when, and what becomes of it in the end."""

import base64
import json
import secrets
import threading
import time

import pytest

import backends
from harness import GROUP, build_dir, condition, decoded, stays, synced_version, version, wait_for

PLUGIN = build_dir() / "tests/plugins/check/pushes_http.so"
FINALIZER = "pushsecret.externalsecrets.io/finalizer"
HOLD = "secretstore.externalsecrets.io/finalizer"


class Backend(backends.Backend):
    """Keeps what is put into it, by "path?property", and notes everything that it is asked."""

    def __init__(self):
        self.kept, self.asked, self.status, self.lock = {}, [], 200, threading.Lock()
        super().__init__()

    def answer(self, method, path, headers, body):
        place = path.lstrip("/").rstrip("?")
        with self.lock:
            self.asked.append((method, place))
            if self.status != 200:
                return self.status, b""
            if method == "PUT":
                self.kept[place] = json.loads(body)
            elif method == "DELETE":
                self.kept.pop(place, None)
            return 200 if method == "DELETE" or place in self.kept else 404, b""

    def values(self, place):
        with self.lock:
            return self.kept[place]["values"] if place in self.kept else None

    def count(self, method):
        with self.lock:
            return sum(1 for asked, _ in self.asked if asked == method)


@pytest.fixture(scope="module", autouse=True)
def known(also_known):
    also_known(PLUGIN)


@pytest.fixture
def backend():
    made = Backend()
    yield made
    made.close()


@pytest.fixture
def make_pusher(make_operator):
    def make(**config):
        return make_operator(plugins=["fake", {"path": str(PLUGIN)}], **config)
    return make


class Room:
    """A namespace in which something is pushed; what has finalizers leaves with it."""

    def __init__(self, cluster, space, backend):
        self.cluster, self.ns, self.backend = cluster, space.name, backend

    def store(self, name="s", labels=None):
        obj = {"apiVersion": GROUP + "/v1", "kind": "SecretStore",
               "metadata": {"name": name, "namespace": self.ns, "labels": labels or {}},
               "spec": {"provider": {"pushes_http": {"url": self.backend.url}}}}
        # The API server may still work with the schema of before.
        wait_for(lambda: self.cluster.apply(obj)["spec"]["provider"].get("pushes_http"))

    def secret(self, name="src", labels=None, **values):
        return self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "stringData": values,
                                   "metadata": {"name": name, "namespace": self.ns, "labels": labels or {}}})

    def push(self, name="ps", data=(("k", "r"),), **spec):
        entries = [{"match": {"secretKey": k, "remoteRef": {"remoteKey": r}}} for k, r in data]
        body = {"secretStoreRefs": [{"name": "s"}], "selector": {"secret": {"name": "src"}}, "data": entries, **spec}
        return self.cluster.apply({"apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret",
                                   "metadata": {"name": name, "namespace": self.ns}, "spec": body})

    def synced(self, name="ps"):
        def check():
            obj = self.cluster.ready("PushSecret", name, self.ns)
            assert obj["status"]["syncedResourceVersion"] == synced_version(obj)
            return obj
        return wait_for(check)

    def failed(self, name="ps", reason="Errored"):
        return wait_for(lambda: self.cluster.failed("PushSecret", name, self.ns, reason))

    def has(self, place, **values):
        wait_for(lambda: self.backend.values(place) == values)

    def finalizers(self, kind, name):
        return self.cluster.get(kind, name, self.ns)["metadata"].get("finalizers", [])

    def is_gone(self, kind, name):
        return wait_for(lambda: self.cluster.get(kind, name, self.ns) is None)

    def remove(self):
        for kind in ("PushSecret", "SecretStore"):
            for obj in self.cluster.list(kind, self.ns):
                self.cluster.patch(kind, obj["metadata"]["name"], {"metadata": {"finalizers": None}}, self.ns)
            self.cluster.delete_all(kind, self.ns)


@pytest.fixture
def room(cluster, space, backend):
    made = Room(cluster, space, backend)
    yield made
    made.remove()


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_what_is_pushed_and_when(make_pusher, room, cluster, backend, isolation):
    operator = make_pusher(isolation=isolation).start()
    room.store()
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
                   "metadata": {"name": "src", "namespace": room.ns, "labels": {"l": "1"}, "annotations": {"a": "2"}},
                   "data": {"username": base64.b64encode(b"bob").decode()}})
    room.push(data=[], dataTo=[{"storeRef": {"name": "s"}, "metadata": {"m": [1]},
                                "rewrite": [{"regexp": {"source": "^", "target": "app-"}}]}])
    pushed = room.synced()
    room.has("app-username", username="bob")
    request = backend.kept["app-username"]["request"]
    assert request["store"].pop("generation") == 1
    assert request == {"remoteKey": "app-username", "property": "", "secretKey": "username", "metadata": {"m": [1]},
                       "type": "kubernetes.io/basic-auth", "labels": {"l": "1"}, "annotations": {"a": "2"},
                       "store": {"kind": "SecretStore", "namespace": room.ns, "name": "s"}, "namespace": room.ns}
    assert condition(pushed)["reason"] == "Synced" and condition(pushed)["message"] == "PushSecret synced successfully"
    assert pushed["status"]["syncedPushSecrets"] == {"SecretStore/s": {"app-username": {
        "match": {"secretKey": "username", "remoteRef": {"remoteKey": "app-username"}}, "metadata": {"m": [1]},
        "conversionStrategy": "None"}}}
    assert wait_for(lambda: cluster.events(room.ns, "ps", "Synced"))[0]["source"]["component"] == "pushsecret"

    count = backend.count("PUT")
    cluster.patch("Secret", "src", {"stringData": {"username": "alice"}}, room.ns)
    room.has("app-username", username="alice")
    stays(lambda: backend.count("PUT") == count + 1, 1)
    labels = f'{{name="ps",namespace="{room.ns}"}}'
    assert f"pushsecret_reconcile_duration{labels}" in operator.metrics()
    assert f'pushsecret_status_condition{{condition="Ready",name="ps",namespace="{room.ns}",status="True"}} 1' in operator.metrics()


@pytest.mark.sanitized
def test_everything_is_deleted_in_the_end(make_pusher, room, cluster, backend):
    make_pusher().start()
    room.store()
    room.secret(k="v")
    room.push(data=[("k", "r"), ("k", "t")], deletionPolicy="Delete")
    room.synced()
    room.has("t", k="v")
    assert room.finalizers("PushSecret", "ps") == [FINALIZER] and room.finalizers("SecretStore", "s") == [HOLD]
    room.push(deletionPolicy="Delete")
    room.has("r", k="v")
    wait_for(lambda: backend.values("t") is None)
    cluster.delete("SecretStore", "s", room.ns)  # it waits
    backend.status = 500
    cluster.delete("PushSecret", "ps", room.ns)
    assert room.failed() == ("Failed to Delete Secrets from Provider: could not delete remote ref r from target secretstore s: "
                             "the backend is not well")
    assert room.finalizers("SecretStore", "s") == [HOLD]
    backend.status = 200
    room.is_gone("PushSecret", "ps")
    room.is_gone("SecretStore", "s")
    assert not backend.kept


def test_a_namespace_goes_with_all_that_is_in_it(make_pusher, room, cluster, backend):
    make_pusher().start()
    room.store()
    room.secret(k="v")
    room.push(deletionPolicy="Delete")
    room.synced()
    room.has("r", k="v")
    wait_for(lambda: room.finalizers("SecretStore", "s"))
    cluster.delete("Namespace", room.ns)
    room.is_gone("PushSecret", "ps")
    room.is_gone("SecretStore", "s")
    assert not backend.kept


def test_a_source_goes_and_comes_back(make_pusher, room, cluster, backend):
    make_pusher().start()
    room.store()
    room.push(deletionPolicy="Delete")
    assert room.failed() == 'could not get source secret: secrets "src" not found'
    room.secret(k="v")
    room.synced()
    cluster.delete("Secret", "src", room.ns)
    assert room.failed(reason="SourceDeleted") == "source secret deleted; provider secrets cleaned up"
    wait_for(lambda: not backend.kept)
    room.secret(k="w")
    room.synced()
    room.has("r", k="w")


def test_a_restart_pushes_only_what_is_new(make_pusher, room, cluster, backend):
    first = make_pusher().start()
    room.store()
    room.secret(k="v")
    room.secret(name="other", k="o")
    room.push(deletionPolicy="Delete")
    room.push("still", data=[("k", "o")], selector={"secret": {"name": "other"}})
    room.synced(), room.synced("still")
    wait_for(lambda: room.finalizers("SecretStore", "s"))
    wait_for(lambda: cluster.ready("SecretStore", "s", room.ns))
    first.stop()
    time.sleep(1.1)  # times are in seconds
    room.secret(k="written while nobody watched")
    before = {name: version(cluster.get("PushSecret", name, room.ns)) for name in ("ps", "still")}
    puts = backend.count("PUT")

    make_pusher().start()
    room.has("r", k="written while nobody watched")
    wait_for(lambda: version(cluster.get("PushSecret", "ps", room.ns)) != before["ps"])
    stays(lambda: backend.count("PUT") == puts + 1, 1)
    assert version(cluster.get("PushSecret", "still", room.ns)) == before["still"]
    room.secret(name="other", k="p")
    room.has("o", k="p")


def test_sources_and_stores_by_labels(make_pusher, room, cluster, backend):
    make_pusher().start()
    room.store("s", {"to": "us"})
    room.push(data=[], selector={"secret": {"selector": {"matchLabels": {"pick": "me"}, "matchExpressions": [
                  {"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "old", "operator": "DoesNotExist"}]}}},
              secretStoreRefs=[{"labelSelector": {"matchLabels": {"to": "us"}}}],
              dataTo=[{"storeRef": {"labelSelector": {"matchLabels": {"to": "us"}}}}])
    room.synced()
    assert not backend.kept
    room.secret("one", {"pick": "me", "tier": "a"}, x="1")
    room.secret("two", {"pick": "me", "tier": "b", "old": ""}, y="2")
    room.secret("three", {"pick": "me", "tier": "b"}, z="3")
    room.has("z", z="3")
    room.has("x", x="1")
    assert backend.values("y") is None


def test_what_is_pushed_can_be_read_again(make_pusher, room, cluster, space):
    make_pusher().start()
    name = space.store({"seed": "s"})
    room.secret(k="back again", l="2")
    room.push(secretStoreRefs=[{"name": name, "kind": "ClusterSecretStore"}],
              data=[("k", "pushed")], updatePolicy="IfNotExists")
    assert condition(room.synced())["message"] == "PushSecret synced successfully. Existing secrets in providers unchanged."
    space.external_secret("es", name, {"k": "pushed"})
    space.synced("es", {"k": "back again"})


def test_no_value_is_told(make_pusher, room, cluster, backend):
    value = secrets.token_hex(16)
    operator = make_pusher().start()
    room.store()
    room.secret(k=value)
    backend.status = 403
    room.push(template={"data": {"k": value}})
    assert room.failed() == "set secret failed: could not write remote ref k to target secretstore s: the backend refuses"
    events = wait_for(lambda: cluster.events(room.ns, "ps", "Errored"))
    everything = json.dumps([events, cluster.get("PushSecret", "ps", room.ns)["status"]]) + operator.log
    assert value not in everything and base64.b64encode(value.encode()).decode() not in everything


def test_switched_off(make_pusher, room, cluster, backend):
    make_pusher(enablePushSecretReconciler=False).start()
    room.store()
    room.secret(k="v")
    room.push(deletionPolicy="Delete")
    wait_for(lambda: cluster.ready("SecretStore", "s", room.ns))
    stays(lambda: not cluster.get("PushSecret", "ps", room.ns).get("status"), 1)
    assert not room.finalizers("SecretStore", "s") and not backend.asked
    assert decoded(cluster.get("Secret", "src", room.ns)) == {"k": b"v"}
