"""Reads that are shared: what a backend is asked, counted by the backend itself."""

import json
import os
import secrets
import threading
import time

import pytest

import backends
from harness import build_dir, decoded, synced_version, wait_for
from test_no_leaks import found_in_memory
from test_sync import seconds

PLUGIN = build_dir() / "tests/plugins/check/reads_http.so"
BATCHES = build_dir() / "tests/plugins/check/batches_http.so"
KIND = {"kind": "SecretStore"}


class Backend(backends.Backend):
    """Values by path, over HTTP, alone or several in one request; counts who asks. A value may be a function of the token."""

    def __init__(self):
        self.values, self.asked, self.pause, self.lock = {}, [], 0, threading.Lock()
        self.refusal = None  # the status of an answer to several keys
        super().__init__()

    def answer(self, method, path, headers, body):
        if method == "POST":
            return self.answer_several(path, body.decode().split())
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        with self.lock:
            self.asked.append((path, token))
            value = self.values.get(path)
        time.sleep(self.pause)
        return 404 if value is None else 200, (value(token) if callable(value) else value or "").encode()

    def answer_several(self, path, keys):
        with self.lock:
            self.asked.append((path + " " + " ".join(keys), ""))
            refusal = self.refusal
        lines = [f"200 {self.values[k]}" if k in self.values else "404" for k in keys]
        return refusal or 200, "".join(line + "\n" for line in lines).encode()

    def count(self, path=None):
        with self.lock:
            return sum(1 for asked, _ in self.asked if path in (None, asked))

    def forget(self):
        with self.lock:
            self.asked.clear()


@pytest.fixture(scope="module", autouse=True)
def known(also_known):
    also_known(PLUGIN, BATCHES)


@pytest.fixture
def backend():
    made = Backend()
    yield made
    made.close()


@pytest.fixture
def make_reader(make_operator):
    def make(**config):
        return make_operator(plugins=["fake", {"path": str(PLUGIN)}, {"path": str(BATCHES)}], **config)
    return make


def spec_of(backend, provider="reads_http"):
    return {"provider": {provider: {"url": backend.url, "secret": "login"}}}


def login(cluster, namespace, token):
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": namespace},
                   "stringData": {"token": token}})


def put_store(cluster, backend, namespace=None, name="s", provider="reads_http"):
    """The API server may still work with the schema of before."""
    obj = {"apiVersion": "external-secrets.io/v1", "kind": "SecretStore" if namespace else "ClusterSecretStore",
           "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, "spec": spec_of(backend, provider)}
    wait_for(lambda: cluster.apply(obj)["spec"]["provider"].get(provider))
    return obj["kind"]


@pytest.fixture
def store(cluster, space, backend):
    """A SecretStore "s" in the test's namespace that has been validated, by an operator that has ended again."""
    login(cluster, space.name, "token-of-" + space.name)
    put_store(cluster, backend, space.name)


@pytest.fixture
def validated(store, make_reader, cluster, space):
    first = make_reader().start()
    wait_for(lambda: cluster.ready("SecretStore", "s", space.name))
    first.stop()


def many(space, count, ref, **spec):
    names = [f"es{i}" for i in range(count)]
    for name in names:
        space.external_secret(name, "s", {"k": ref}, kind="SecretStore", **spec)
    return names


def hold(space, names, value):
    have = {n: decoded(s) for n, s in space.secrets().items()}
    assert len(have) == len(names)
    assert all(have[n] == {"k": value.encode()} for n in names)
    return True


def counted(operator, family, **labels):
    """The sum of a family's samples that have these labels."""
    total = 0
    for line in operator.metrics().splitlines():
        if line.startswith(family + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            total += float(line.rsplit(" ", 1)[1])
    return total


# ---- one read for many

def test_what_falls_due_together_is_read_once(validated, make_reader, space, backend):
    """All are in the queue before anybody reads: then one read is a promise, however long it takes."""
    backend.values["/db"], backend.pause = "value", 0.5
    names = many(space, 200, "/db")
    operator = make_reader().start()
    wait_for(lambda: hold(space, names, "value"), 30)
    assert backend.count() == 1
    reads = {result: counted(operator, "esod_provider_reads_total", provider="reads_http", operation="get", result=result)
             for result in ("success", "not_found", "error")}
    assert reads == {"success": 1, "not_found": 0, "error": 0}
    assert counted(operator, "esod_provider_reads_shared_total", provider="reads_http") == 199
    assert counted(operator, "esod_provider_reads_shared_total", how="in_flight") >= 1  # the first workers met it under way


def test_a_store_that_comes_last_is_asked_once_or_twice(make_reader, cluster, space, backend):
    """Its Ready wakes all at once. One pass may be at work in that very moment, and read for itself."""
    backend.values["/db"] = "value"
    make_reader().start()
    names = many(space, 100, "/db")
    login(cluster, space.name, "t")
    put_store(cluster, backend, space.name)
    wait_for(lambda: hold(space, names, "value"), 30)
    assert backend.count() in (1, 2)


def test_properties_of_one_key_are_one_read(store, make_reader, cluster, space, backend):
    backend.values["/db"] = json.dumps({"user": "anna", "password": "pw", "more": {"port": 1}})
    make_reader().start()
    wait_for(lambda: cluster.ready("SecretStore", "s", space.name))
    space.external_secret("app", "s", {"u": {"key": "/db", "property": "user"}, "p": {"key": "/db", "property": "password"},
                                       "n": {"key": "/db", "property": "more.port"}},
                          kind="SecretStore", dataFrom=[{"extract": {"key": "/db"}}])
    space.synced("app", {"u": "anna", "p": "pw", "n": "1", "user": "anna", "password": "pw", "more": '{"port": 1}'})
    assert backend.count() == 1


def test_other_keys_and_versions_are_other_reads(validated, make_reader, space, backend):
    for i in range(4):
        backend.values[f"/{i}"] = f"value {i}"
    names = []
    for i in range(4):
        for j in range(5):
            names.append(f"es{i}-{j}")
            space.external_secret(names[-1], "s", {"k": f"/{i}"}, kind="SecretStore")
    space.external_secret("versioned", "s", {"k": {"key": "/0", "version": "2"}}, kind="SecretStore")
    make_reader().start()
    for name in names:
        space.synced(name, {"k": f"value {name[2]}"})
    space.synced("versioned", {"k": "value 0"})
    assert backend.count() == 5
    assert backend.count("/0") == 2


def test_a_missing_secret_is_asked_for_once(validated, make_reader, space, backend):
    names = many(space, 30, "/none")
    operator = make_reader().start()
    for name in names:
        assert "Secret does not exist" in space.failed(name)
    # That is an answer like a value. When they try again, each reads for himself or meets another one.
    assert counted(operator, "esod_provider_reads_shared_total", provider="reads_http", operation="get") >= 29
    assert counted(operator, "esod_provider_reads_total", provider="reads_http", result="not_found") >= 1
    assert counted(operator, "esod_provider_reads_total", provider="reads_http", result="success") == 0


# ---- several keys in one request

@pytest.fixture
def batching(make_reader, cluster, space, backend):
    """A validated store "s" whose provider takes several keys at once; /0 to /3 are there."""
    backend.values.update({f"/{i}": f"value {i}" for i in range(4)})
    login(cluster, space.name, "t")
    put_store(cluster, backend, space.name, provider="batches_http")
    operator = make_reader().start()
    wait_for(lambda: cluster.ready("SecretStore", "s", space.name))
    return operator


def entries(*keys):
    return {f"k{i}": key for i, key in enumerate(keys)}


def test_keys_of_one_external_secret_are_one_request(batching, space, backend):
    space.external_secret("app", "s", entries("/0", "/1", "/2", "/0"), kind="SecretStore")
    space.synced("app", {"k0": "value 0", "k1": "value 1", "k2": "value 2", "k3": "value 0"})
    assert [asked for asked, _ in backend.asked] == ["/batch /0 /1 /2"]
    assert counted(batching, "esod_provider_reads_total", provider="batches_http", operation="get_batch") == 1
    assert counted(batching, "esod_provider_reads_total", provider="batches_http", operation="get") == 0


def test_a_missing_key_of_several_is_told_as_that_of_one(batching, space, backend):
    space.external_secret("one", "s", {"k": "/none"}, kind="SecretStore")
    space.external_secret("some", "s", {"a": "/0", "k": "/none", "z": "/nil"}, kind="SecretStore")
    one, some = space.failed("one"), space.failed("some")
    assert one == some.replace("spec.data[1]", "spec.data[0]") and "Secret does not exist" in one
    assert "/batch /0 /none /nil" in [asked for asked, _ in backend.asked]
    backend.values.update({"/none": "there", "/nil": "too"})
    space.synced("some", {"a": "value 0", "k": "there", "z": "too"})


def test_who_may_read_but_not_several_at_once(batching, space, backend):
    backend.refusal = 403
    space.external_secret("app", "s", entries("/0", "/1"), kind="SecretStore")
    space.synced("app", {"k0": "value 0", "k1": "value 1"})
    space.external_secret("more", "s", entries("/2", "/3"), kind="SecretStore")
    space.synced("more", {"k0": "value 2", "k1": "value 3"})
    assert [asked for asked, _ in backend.asked] == ["/batch /0 /1", "/0", "/1", "/2", "/3"]


# ---- the interval

def test_refreshes_share_and_bring_what_is_new_in_time(validated, make_reader, cluster, space, backend):
    """Deterministic on a busy machine too: the status says when a refresh began, and the metrics how many there were."""
    backend.values["/db"] = "old"
    names = many(space, 60, "/db", refreshInterval="5s")
    operator = make_reader().start()
    wait_for(lambda: hold(space, names, "old"), 30)

    def refreshes():
        return (counted(operator, "esod_provider_reads_total", provider="reads_http"),
                counted(operator, "esod_provider_reads_shared_total", provider="reads_http"))

    reads_before, shared_before = refreshes()
    backend.values["/db"] = "new"
    changed = time.time()

    def all_new():
        # Before its Secret is looked at: a refresh that says it began half a second after the change (which is the
        # window, a tenth of 5 s), and is told in whole seconds, has brought the new value.
        began = {o["metadata"]["name"]: seconds(o["status"]["refreshTime"]) for o in cluster.list("ExternalSecret", space.name)}
        have = {n: decoded(s)["k"] for n, s in space.secrets().items()}
        assert all(have[n] == b"new" for n in names if began[n] > changed + 0.5), "older than the window allows"
        return all(have[n] == b"new" for n in names)

    while not all_new():
        assert time.time() - changed < 60
        time.sleep(0.05)
    # Two more rounds
    wait_for(lambda: sum(refreshes()) - reads_before - shared_before >= 3 * 60, 60)
    reads, shared = (now - before for now, before in zip(refreshes(), (reads_before, shared_before)))
    assert reads < shared / 2, f"{reads} reads and {shared} that were saved"


def test_without_a_window_the_value_is_never_older_than_the_pass(validated, make_reader, space, backend):
    backend.values["/db"] = "value"
    names = many(space, 40, "/db")
    make_reader(readWindow="0s").start()
    wait_for(lambda: hold(space, names, "value"), 30)
    assert backend.count() == 1  # in flight and in the queue


# ---- never staler than asked for

def test_a_forced_sync_always_sees_what_was_changed_before(validated, make_reader, cluster, space, backend):
    backend.values["/db"] = "value"
    names = many(space, 10, "/db")
    make_reader(readWindow="1m").start()
    wait_for(lambda: hold(space, names, "value"), 30)
    for i in range(25):
        name, value = names[i % 3], f"value {i}"
        backend.values["/db"] = value
        obj = cluster.patch("ExternalSecret", name, {"metadata": {"annotations": {"force-sync": str(i)}}}, space.name)

        def forced():
            now = cluster.get("ExternalSecret", name, space.name)
            return now.get("status", {}).get("syncedResourceVersion") == synced_version(obj)

        wait_for(forced, every=0.01)
        assert decoded(cluster.get("Secret", name, space.name)) == {"k": value.encode()}


def test_an_edited_store_is_asked_anew(validated, make_reader, cluster, space, backend):
    backend.values["/db"] = "value"
    names = many(space, 10, "/db")
    make_reader().start()
    wait_for(lambda: hold(space, names, "value"), 30)
    other = Backend()
    try:
        other.values["/db"] = "of the other backend"
        put_store(cluster, other, space.name)
        wait_for(lambda: cluster.get("SecretStore", "s", space.name)["spec"] == spec_of(other))
        for name in names:
            cluster.patch("ExternalSecret", name, {"metadata": {"annotations": {"force-sync": "1"}}}, space.name)
        wait_for(lambda: hold(space, names, "of the other backend"), 30)
    finally:
        other.close()


def test_namespaces_with_credentials_of_their_own_do_not_share(make_reader, cluster, space, backend):
    """A ClusterSecretStore whose plugin reads the consumer's Secret: each gets what his own token opens."""
    other = f"{space.name}-b"
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    backend.values["/db"], backend.pause = (lambda token: f"for {token}"), 0.05
    for namespace in (space.name, other):
        login(cluster, namespace, "token-of-" + namespace)
    operator = make_reader().start()
    space._stores.append(space.name)
    put_store(cluster, backend, name=space.name)
    wait_for(lambda: cluster.ready("ClusterSecretStore", space.name))
    operator.stop()
    objects = [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": f"es{i}", "namespace": ns},
                "spec": {"secretStoreRef": {"name": space.name, "kind": "ClusterSecretStore"}, "refreshInterval": "1h",
                         "data": [{"secretKey": "k", "remoteRef": {"key": "/db"}}]}}
               for i in range(15) for ns in (space.name, other)]
    cluster.apply(*objects)
    try:
        make_reader().start()
        for obj in objects:
            ns, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
            wait_for(lambda: cluster.holds(ns, name, {"k": f"for token-of-{ns}"}))
    finally:
        cluster.delete_all("ExternalSecret", other)
        wait_for(lambda: not cluster.list("ExternalSecret", other), 30)
        cluster.delete("Namespace", other)


# ---- memory

def test_what_is_kept_is_gone_after_the_window(validated, make_reader, space, backend):
    shared, alone = (f"planted-{secrets.token_hex(12)}" for _ in range(2))
    backend.values.update({"/shared": shared, "/alone": alone})
    space.external_secret("alone", "s", {"k": "/alone"}, kind="SecretStore")
    for name in ("one", "two"):
        space.external_secret(name, "s", {"k": "/shared"}, kind="SecretStore")
    operator = make_reader(readWindow="20s").start()
    began = time.monotonic()
    space.synced("alone", {"k": alone})
    for name in ("one", "two"):
        space.synced(name, {"k": shared})
    time.sleep(1)
    pid = operator.process.pid
    if os.geteuid() != 0:
        # Only root may look.
        with pytest.raises(PermissionError):
            found_in_memory(pid, [shared.encode()])
        return
    assert found_in_memory(pid, [shared.encode()]), "what the next refresh may use has to be somewhere"
    assert not found_in_memory(pid, [alone.encode()])
    time.sleep(max(0, began + 20 + 4 - time.monotonic()))
    assert not found_in_memory(pid, [shared.encode(), alone.encode()])
