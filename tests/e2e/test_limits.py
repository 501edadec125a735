"""As large, as long and as odd as it gets: what fits arrives unchanged, what does not is explained before it is tried."""

import base64
import os

import pytest

from harness import MANAGED, data_hash, decoded, external_secret, store, version, wait_for

MIB = 1024 * 1024
HALF = "0123456789abcdef" * (MIB // 2 // 16)


def large_stores(cluster, space, *lengths):
    """A store for each value: no object of the API server may be larger than 1.5 MiB."""
    for i, length in enumerate(lengths):
        cluster.create(store(f"s{i}", {"v": (HALF * 3)[:length]}, namespace=space.name))


def from_all(count):
    return [{"secretKey": f"k{i}", "remoteRef": {"key": "v"}, "sourceRef": {"storeRef": {"name": f"s{i}", "kind": "SecretStore"}}}
            for i in range(count)]


def put(cluster, space, data, **spec):
    made = external_secret(space.name, "app", "s0", kind="SecretStore", **spec)
    made["spec"]["data"] = data
    return cluster.apply(made)


def test_a_secret_may_hold_a_mebibyte(operator, cluster, space):
    large_stores(cluster, space, MIB // 2, MIB // 2)
    put(cluster, space, from_all(2))
    _, secret = space.synced("app", {"k0": HALF, "k1": HALF})
    assert secret["metadata"]["annotations"]["reconcile.external-secrets.io/data-hash"] == data_hash(decoded(secret))


@pytest.mark.sanitized
def test_a_byte_more_is_explained_and_not_tried(behind, proxy, cluster, space):
    behind.start()
    large_stores(cluster, space, MIB // 2, MIB // 2 + 1)
    put(cluster, space, from_all(2))
    wait_for(lambda: space.failed("app") == (
        "could not update secret: secret app would hold 1048577 bytes, and Kubernetes takes 1048576 at most: "
        "ask for fewer keys, or spread them over several ExternalSecrets (largest: k1 with 524289 bytes)"))
    wait_for(lambda: any("would hold 1048577 bytes" in e["message"] for e in cluster.events(space.name, "app", "UpdateFailed")))
    assert proxy.requests(r"^POST .*/secrets") == []
    # What is already there counts as well.
    cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shared", "namespace": space.name},
                    "data": {"mine": base64.b64encode(HALF.encode()).decode()}})
    before = version(cluster.get("Secret", "shared", space.name))
    put(cluster, space, from_all(2)[1:], target={"name": "shared", "creationPolicy": "Merge"})
    wait_for(lambda: "unable to mutate secret shared: secret shared would hold 1048577 bytes" in space.failed("app"))
    assert version(cluster.get("Secret", "shared", space.name)) == before
    # With a smaller one all is well.
    put(cluster, space, from_all(1), target={"name": "shared", "creationPolicy": "Merge"})
    wait_for(lambda: cluster.ready("ExternalSecret", "app", space.name))
    assert set(cluster.get("Secret", "shared", space.name)["data"]) == {"mine", "k0"}


def test_two_thousand_entries(operator, cluster, space):
    values = {f"key-{i}": f"value {i}" for i in range(2000)}
    space.store(values)
    space.external_secret("app", data={k: k for k in values})
    space.synced("app", values, timeout=30)
    values.pop("key-77")
    space.external_secret("app", data={k: k for k in values})
    space.synced("app", values, timeout=30)


@pytest.mark.sanitized
@pytest.mark.parametrize("name", ["x" * 253, "x" * 229 + ".y" + "z" * 22], ids=["letters", "with a dot"])
def test_names_of_253_characters(operator, cluster, space, name):
    """Wherever a longer text is made of them, it has to stay a name: of events, for instance."""
    assert len(name) == 253
    cluster.apply(store(name, {"a" * 253: "1"}, namespace=space.name))
    space.external_secret(name, name, {"k" * 253: "a" * 253}, kind="SecretStore")
    _, secret = space.synced(name, {"k" * 253: "1"})
    assert secret["metadata"]["labels"][MANAGED] == "true"
    assert wait_for(lambda: cluster.events(space.name, name, "Created"))
    space.external_secret(name, name, {"k": "missing"}, kind="SecretStore")
    assert "error processing spec.data[0] (key: missing)" in space.failed(name)
    assert wait_for(lambda: cluster.events(space.name, name, "UpdateFailed"))
    cluster.delete("ExternalSecret", name, space.name)
    wait_for(lambda: cluster.get("ExternalSecret", name, space.name) is None)


# ---- odd answers

@pytest.mark.sanitized
def test_bytes_that_are_no_text_arrive_unchanged(operator, space):
    odd = bytes(range(256)) + os.urandom(64)
    space.store({"a": base64.b64encode(odd).decode(), "map": '{"deep":"' + base64.b64encode(odd).decode() + '"}'})
    space.external_secret("app", data={"k": {"key": "a", "decodingStrategy": "Base64"}},
                          dataFrom=[{"extract": {"key": "map", "decodingStrategy": "Auto"}}])
    space.synced("app", {"k": odd, "deep": odd})


def test_empty_values_are_values(operator, space):
    space.store({"a": '{"empty":"","null":null,"blank":" "}'})
    space.external_secret("app", data={"k": {"key": "a", "property": "empty"}}, dataFrom=[{"extract": {"key": "a"}}])
    space.synced("app", {"k": "", "empty": "", "null": "", "blank": " "})


@pytest.mark.sanitized
def test_an_answer_without_a_key_touches_nothing(operator, cluster, space):
    space.store({"a": '{"k":"1"}'})
    space.external_secret("app", dataFrom=[{"extract": {"key": "a"}}], refreshInterval="1s")
    _, secret = space.synced("app", {"k": "1"})
    space.store({"a": "{}"})

    def retained():
        es = cluster.ready("ExternalSecret", "app", space.name)
        assert es["status"]["conditions"][0]["message"] == "secret retained due to DeletionPolicy=Retain"
        return True
    wait_for(retained)
    assert version(cluster.get("Secret", "app", space.name)) == version(secret)


@pytest.mark.parametrize("value, ref, said", [
    ("plain text", {"data": {"k": {"key": "a", "property": "b"}}}, "error processing spec.data[0] (key: a), err: "),
    ("plain text", {"dataFrom": [{"extract": {"key": "a"}}]}, "error processing spec.dataFrom[0].extract, err: "),
    ('["a","list"]', {"dataFrom": [{"extract": {"key": "a"}}]}, "error processing spec.dataFrom[0].extract, err: "),
    ('{"a/b":"1","a:b":"2"}', {"dataFrom": [{"extract": {"key": "a"}}]}, "secret name collision during conversion: a_b"),
    ('{"%s":"1"}' % ("k" * 254), {"dataFrom": [{"extract": {"key": "a"}}]}, "key has length 254 but max is 253"),
    ('{"a":"plan\\u0000ted"}', {"dataFrom": [{"extract": {"key": "a", "nullBytePolicy": "Fail"}}]},
     'fetched secret value for key "a" contains null bytes'),
], ids=["property of text", "map of text", "map of a list", "colliding keys", "long key", "null byte"])
def test_an_answer_of_another_form_is_explained_and_not_quoted(operator, cluster, space, value, ref, said):
    space.store({"a": value})
    space.external_secret("app", **ref)
    message = space.failed("app")
    assert message.startswith("could not get secret data from provider: ") and said in message
    assert "plain text" not in operator.log + message and "planted" not in operator.log + message.replace("plan\0ted", "planted")
    assert cluster.get("Secret", "app", space.name) is None
