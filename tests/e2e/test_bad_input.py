"""Wrong input is refused at the door where that is possible, and else explained where it was written."""

import os
import subprocess

import pytest

from harness import Refused, condition, external_secret, store, wait_for

FETCH = "could not get secret data from provider"


def apply_yaml(cluster, text):
    return cluster.kubectl("apply", "-f", "-", stdin=text, check=False)


# ---- refused by the API server

SPEC = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {{name: wrong, namespace: {namespace}}}
spec:
  secretStoreRef: {{name: s, kind: ClusterSecretStore}}
"""

REFUSED = {
    "interval is a number": ("  refreshInterval: 5\n  data: [{secretKey: k, remoteRef: {key: a}}]", "spec.refreshInterval"),
    "data is a map": ("  data: {k: a}", "spec.data"),
    "key is a number": ("  data: [{secretKey: k, remoteRef: {key: 5}}]", "spec.data[0].remoteRef.key"),
    "key is missing": ("  data: [{secretKey: k, remoteRef: {}}]", "spec.data[0].remoteRef.key"),
    "secretKey is missing": ("  data: [{remoteRef: {key: a}}]", "spec.data[0].secretKey"),
    "secretKey has a space": ("  data: [{secretKey: 'a b', remoteRef: {key: a}}]", "spec.data[0].secretKey"),
    "unknown creation policy": ("  target: {creationPolicy: Sometimes}\n  data: [{secretKey: k, remoteRef: {key: a}}]",
                                "spec.target.creationPolicy"),
    "unknown deletion policy": ("  target: {deletionPolicy: Perhaps}\n  data: [{secretKey: k, remoteRef: {key: a}}]",
                                "spec.target.deletionPolicy"),
    "unknown refresh policy": ("  refreshPolicy: Daily\n  data: [{secretKey: k, remoteRef: {key: a}}]", "spec.refreshPolicy"),
    "unknown decoding": ("  data: [{secretKey: k, remoteRef: {key: a, decodingStrategy: Rot13}}]",
                         "spec.data[0].remoteRef.decodingStrategy"),
    "unknown field": ("  data: [{secretKey: k, remoteRef: {key: a, proprety: b}}]", 'unknown field "spec.data[0].remoteRef.proprety"'),
    "nothing asked for": ("  target: {name: t}", "either data or dataFrom should be specified"),
    "delete without owning": ("  target: {creationPolicy: Merge, deletionPolicy: Delete}\n"
                              "  data: [{secretKey: k, remoteRef: {key: a}}]",
                              "deletionPolicy=Delete must not be used when the controller doesn't own the secret. "
                              "Please set creationPolicy=Owner"),
    "merge into nothing": ("  target: {creationPolicy: None, deletionPolicy: Merge}\n"
                           "  data: [{secretKey: k, remoteRef: {key: a}}]",
                           "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with"),
    "two ways at once": ("  dataFrom: [{extract: {key: a}, find: {name: {regexp: b}}}]",
                         "extract, find, or generatorRef cannot be set at the same time"),
    "no way at all": ("  dataFrom: [{rewrite: [{regexp: {source: a, target: b}}]}]",
                      "either extract, find, or sourceRef must be set to dataFrom"),
}


@pytest.mark.parametrize("rest, said", REFUSED.values(), ids=REFUSED)
def test_a_wrong_external_secret_is_refused(cluster, space, rest, said):
    p = apply_yaml(cluster, SPEC.format(namespace=space.name) + rest)
    assert p.returncode != 0
    assert said in p.stderr
    assert cluster.get("ExternalSecret", "wrong", space.name) is None


STORES = {
    "no provider": ("{provider: {}}", "spec.provider"),
    "unknown provider": ("{provider: {nosuch: {}}}", "spec.provider"),
    "provider is a word": ("{provider: fake}", "spec.provider"),
    "values are numbers": ("{provider: {fake: {data: [{key: a, value: 5}]}}}", "spec.provider.fake.data[0].value"),
    "key is missing": ("{provider: {fake: {data: [{value: b}]}}}", "spec.provider.fake.data[0].key"),
}


@pytest.mark.parametrize("spec, said", STORES.values(), ids=STORES)
def test_a_wrong_store_is_refused(cluster, space, spec, said):
    p = apply_yaml(cluster, f"""
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {{name: wrong, namespace: {space.name}}}
spec: {spec}
""")
    assert p.returncode != 0
    assert said in p.stderr
    assert cluster.get("SecretStore", "wrong", space.name) is None


# ---- accepted, and explained in the condition

def sick_store(namespace):
    """Its provider says on each validation that something is wrong."""
    made = store("sick", {"a": "1"}, namespace=namespace)
    made["spec"]["provider"]["fake"]["validationResult"] = 2
    return made


def explained(operator, cluster, space, name="app"):
    """(condition message, texts of the Warning events) of a failing ExternalSecret."""
    message = space.failed(name)
    events = wait_for(lambda: cluster.events(space.name, name, "UpdateFailed"))
    assert {e["type"] for e in events} == {"Warning"}
    assert message.startswith(FETCH + ": "), message
    assert cluster.get("Secret", name, space.name) is None
    return message, "\n".join(e["message"] for e in events)


def test_a_missing_store_is_named(operator, cluster, space):
    space.external_secret("app", "no-such-store", {"k": "a"})
    message, event = explained(operator, cluster, space)
    assert 'could not get ClusterSecretStore "no-such-store"' in message
    assert 'could not get ClusterSecretStore "no-such-store"' in event


def test_a_missing_namespaced_store_is_named(operator, cluster, space):
    space.external_secret("app", "no-such-store", {"k": "a"}, secretStoreRef={"name": "no-such-store"})
    message, _ = explained(operator, cluster, space)
    assert 'could not get SecretStore "no-such-store"' in message


def test_a_missing_key_is_named_with_its_place(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a", "missing": "/not/there"})
    message, event = explained(operator, cluster, space)
    for text in (message, event):
        assert "error processing spec.data[1] (key: /not/there), err: " in text
        assert "Secret does not exist" in text


def test_a_missing_property_is_named_with_its_place(operator, cluster, space):
    space.store({"a": '{"b":"1"}'})
    space.external_secret("app", data={"k": {"key": "a", "property": "c.d"}})
    message, _ = explained(operator, cluster, space)
    assert "error processing spec.data[0] (key: a), err: " in message


def test_a_bad_pattern_is_named_with_its_place(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("app", dataFrom=[{"extract": {"key": "a"}}, {"find": {"name": {"regexp": "("}}}][1:])
    message, _ = explained(operator, cluster, space)
    assert "error processing spec.dataFrom[0].find, err: " in message
    assert "could not compile find.name.regexp [(]" in message


def test_values_that_cannot_be_decoded_are_named_but_not_quoted(operator, cluster, space):
    space.store({"a": "!!not-base64!!"})
    space.external_secret("app", data={"k": {"key": "a", "decodingStrategy": "Base64"}})
    message, event = explained(operator, cluster, space)
    assert "error processing spec.data[0] (key: a), err: " in message
    assert "not-base64" not in message + event


def test_a_key_that_no_secret_may_have_is_named(operator, cluster, space):
    space.store({"a": '{"pl us":"1","pl_us":"2"}'})
    space.external_secret("app", dataFrom=[{"extract": {"key": "a"}}])
    message, _ = explained(operator, cluster, space)
    assert "error processing spec.dataFrom[0].extract, err: " in message
    assert "secret name collision during conversion: pl_us" in message


def test_a_store_that_is_not_ready_is_named(operator, cluster, space):
    cluster.apply(sick_store(space.name))
    sick = wait_for(lambda: cluster.failed("SecretStore", "sick", space.name, "InvalidProviderConfig"))
    assert sick.startswith("unable to validate store")
    space.external_secret("app", "sick", {"k": "a"}, kind="SecretStore")
    message, _ = explained(operator, cluster, space)
    assert 'SecretStore "sick" is not ready' in message


def test_a_provider_that_is_not_loaded_is_named(make_operator, cluster, space):
    """The definitions of the cluster may know providers that this operator was not given."""
    make_operator(plugins=[]).start()
    cluster.apply(store("unloaded", {"a": "1"}, namespace=space.name))
    message = wait_for(lambda: cluster.failed("SecretStore", "unloaded", space.name, "InvalidProviderConfig"))
    assert message.startswith("unable to create client: ")
    assert "fake" in message


def test_two_providers_in_one_store(make_operator, cluster, space):
    """The schema refuses it; where an older schema let it in, the condition says so."""
    make_operator().start()
    two = store("two", {"a": "1"}, namespace=space.name)
    two["spec"]["provider"]["other"] = {}
    crd = cluster.get("CustomResourceDefinition", "secretstores.external-secrets.io")
    strict = [v["schema"] for v in crd["spec"]["versions"]]
    loose = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    name = crd["metadata"]["name"]

    def put(schemas):
        versions = [{**v, "schema": s} for v, s in zip(crd["spec"]["versions"], schemas)]
        cluster.patch("CustomResourceDefinition", name, {"spec": {"versions": versions}})

    put([loose] * len(strict))
    try:
        def stored():
            try:
                got = cluster.apply(two)
            except Refused as e:
                raise AssertionError(f"the schema has not arrived yet: {e}") from e
            assert "other" in got["spec"]["provider"], "the schema has not arrived yet"
            return True
        wait_for(stored)
        message = wait_for(lambda: cluster.failed("SecretStore", "two", space.name, "InvalidProviderConfig"))
        assert message.startswith("unable to create client: ")
        assert "exactly one" in message and "found 2" in message
    finally:
        cluster.delete("SecretStore", "two", space.name)
        put(strict)


# ---- and nobody else suffers

@pytest.mark.sanitized
def test_one_broken_object_does_not_hinder_the_others(operator, cluster, space):
    space.store({"a": "1", "bad": "no json"})
    space.external_secret("broken-key", data={"k": "missing"})
    space.external_secret("broken-store", "nowhere", {"k": "a"})
    space.external_secret("broken-value", dataFrom=[{"extract": {"key": "bad"}}])
    cluster.apply(*[external_secret(space.name, f"app-{i}", space.name, {"k": "a"}) for i in range(50)])

    def all_synced():
        ready = {o["metadata"]["name"] for o in cluster.list("ExternalSecret", space.name)
                 if (condition(o) or {}).get("status") == "True"}
        assert ready == {f"app-{i}" for i in range(50)}
        return True
    wait_for(all_synced, 20, every=0.3)
    assert set(space.secrets()) == {f"app-{i}" for i in range(50)}
    for name in ("broken-key", "broken-store", "broken-value"):
        assert space.failed(name).startswith(FETCH + ": ")


@pytest.mark.sanitized
def test_a_broken_store_does_not_hinder_the_others(operator, cluster, space):
    cluster.apply(sick_store(space.name))
    space.store({"a": "1"})
    for i in range(10):
        space.external_secret(f"sick-{i}", "sick", {"k": "a"}, kind="SecretStore")
        space.external_secret(f"app-{i}", data={"k": "a"})
    for i in range(10):
        space.synced(f"app-{i}", {"k": "1"})
        assert 'SecretStore "sick" is not ready' in space.failed(f"sick-{i}")


# ---- the operator's own settings

@pytest.fixture
def refused(esod_bin, kubeconfig, tmp_path):
    """refused(config text, *flags): what `esod run` says when it will not start; its exit code must be 2."""
    def run(config, *flags, env=None):
        path = tmp_path / "esod.yaml"
        path.write_text(config)
        p = subprocess.run([esod_bin, "run", "--config", path, *flags], capture_output=True, text=True, timeout=60,
                           env={**os.environ, "KUBECONFIG": str(kubeconfig), **(env or {})})
        assert p.returncode == 2, p.stderr
        return p.stderr.replace(str(tmp_path), "TMP")

    return run


ADDRESSES = "metricsAddr: 127.0.0.1:0\nliveAddr: 127.0.0.1:0\n"
SETTINGS = {
    "unknown key": (ADDRESSES + "metricAddr: 127.0.0.1:0\n", "TMP/esod.yaml:3: metricAddr"),
    "wrong type": (ADDRESSES + "concurrent: many\n", "TMP/esod.yaml:3: concurrent"),
    "broken YAML": (ADDRESSES + "plugins: [fake\n", "TMP/esod.yaml:"),
    "plugin that is not there": (ADDRESSES + "plugins: [nosuch]\n", "nosuch"),
}


@pytest.mark.parametrize("config, said", SETTINGS.values(), ids=SETTINGS)
def test_wrong_settings_are_refused_with_their_place(refused, config, said):
    assert said in refused(config)


def test_an_unknown_flag_is_named(refused):
    assert "--no-such-flag" in refused(ADDRESSES, "--no-such-flag")


def test_a_missing_kubeconfig_is_explained(refused, tmp_path):
    assert "KUBECONFIG: " in refused(ADDRESSES + "plugins: []\n", env={"KUBECONFIG": str(tmp_path / "nowhere")})
