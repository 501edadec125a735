"""PushSecrets into Secret Manager, looked at with Google's own client."""

import json

import pytest

from gcp import gcp_plugin, gcp_store, google_client, key_secret
from harness import GROUP, wait_for

NAME = "projects/demo/secrets/"


@pytest.fixture
def pushes(make_operator, gcp, cluster, space):
    """push(name, match..., **spec) of the Secret `src`, with a store that works."""
    make_operator(plugins=[gcp_plugin(gcp)]).start()
    cluster.apply(key_secret(gcp, space.name, gcp.account("esod")), gcp_store("gcp", space.name))
    wait_for(lambda: cluster.ready("SecretStore", "gcp", space.name))

    def push(name, key, remote, metadata=None, property=None, **spec):
        ref = {"remoteKey": remote, **({"property": property} if property else {})}
        entry = {"match": {"secretKey": key, "remoteRef": ref}} if key else {"match": {"remoteRef": ref}}
        if metadata is not None:
            entry["metadata"] = {"apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata",
                                 "spec": metadata}
        return cluster.apply({"apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret",
                              "metadata": {"name": name, "namespace": space.name},
                              "spec": {"secretStoreRefs": [{"name": "gcp"}], "selector": {"secret": {"name": "src"}},
                                       "data": [entry], **spec}})

    yield push
    for obj in cluster.list("PushSecret", space.name):
        cluster.patch("PushSecret", obj["metadata"]["name"], {"metadata": {"finalizers": None}}, space.name)
    cluster.delete_all("PushSecret", space.name)
    cluster.patch("SecretStore", "gcp", {"metadata": {"finalizers": None}}, space.name)


@pytest.fixture
def google(gcp):
    return google_client(gcp, gcp.account("admin"))


def source(cluster, space, **values):
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "stringData": values, "metadata": {"name": "src", "namespace": space.name}})


def value(google, key):
    return google.access_secret_version(name=f"{NAME}{key}/versions/latest").payload.data.decode()


def versions(google, key):
    return len(list(google.list_secret_versions(parent=NAME + key)))


def test_a_life_of_a_pushed_secret(pushes, gcp, google, cluster, space):
    source(cluster, space, k="first")
    pushes("life", "k", "db", {"labels": {"team": "a"}, "annotations": {"note": "x<y"}, "replicationLocation": ["europe-west3"],
                               "topics": ["projects/demo/topics/changes"]}, deletionPolicy="Delete")
    wait_for(lambda: cluster.ready("PushSecret", "life", space.name))
    assert value(google, "db") == "first"
    made = google.get_secret(name=NAME + "db")
    assert dict(made.labels) == {"team": "a", "managed-by": "external-secrets"}
    assert dict(made.annotations) == {"note": "x<y"}
    assert [r.location for r in made.replication.user_managed.replicas] == ["europe-west3"]
    assert [t.name for t in made.topics] == ["projects/demo/topics/changes"]

    source(cluster, space, k="second")
    wait_for(lambda: value(google, "db") == "second")
    assert versions(google, "db") == 2
    google.update_secret(secret={"name": made.name, "labels": {"team": "b", "managed-by": "external-secrets"}},
                         update_mask={"paths": ["labels"]})
    pushes("life", "k", "db", {"labels": {"tier": "web"}, "mergePolicy": "Merge"}, deletionPolicy="Delete")
    wait_for(lambda: dict(google.get_secret(name=made.name).labels) == {"team": "b", "tier": "web", "managed-by": "external-secrets"})
    assert dict(google.get_secret(name=made.name).annotations) == {}
    assert versions(google, "db") == 2  # the value is the same
    cluster.delete("PushSecret", "life", space.name)
    wait_for(lambda: cluster.get("PushSecret", "life", space.name) is None)
    assert not list(google.list_secrets(parent="projects/demo"))


def test_properties_and_whole_secrets(pushes, gcp, google, cluster, space):
    gcp.put("shared", '{"user": "anna", "nested": {"a": 1}}', labels={"owner": "me"})
    source(cluster, space, k="s3same", other="x")
    pushes("property", "k", "shared", property="nested.password")
    pushes("whole", None, "whole")
    for name in ("property", "whole"):
        wait_for(lambda: cluster.ready("PushSecret", name, space.name))
    assert json.loads(value(google, "shared")) == {"user": "anna", "nested": {"a": 1, "password": "s3same"}}
    assert dict(google.get_secret(name=NAME + "shared").labels) == {"owner": "me", "managed-by": "external-secrets"}
    assert value(google, "whole") == '{"k":"s3same","other":"x"}'


def test_what_is_not_pushed(pushes, gcp, google, cluster, space):
    gcp.put("foreign", "untouched")
    gcp.put("there", "untouched", labels={"managed-by": "external-secrets"})
    source(cluster, space, k="planted-value")
    pushes("foreign", "k", "foreign")
    message = wait_for(lambda: cluster.failed("PushSecret", "foreign", space.name, "Errored"))
    assert message.endswith("secret foreign is not managed by external secrets")
    pushes("there", "k", "there", updatePolicy="IfNotExists")
    wait_for(lambda: cluster.ready("PushSecret", "there", space.name))
    assert value(google, "foreign") == value(google, "there") == "untouched"
    pushes("wrong", "k", "new", {"label": {}})
    assert 'unknown field "label"' in wait_for(lambda: cluster.failed("PushSecret", "wrong", space.name, "Errored"))
    pushes("name", "k", "no name")
    message = wait_for(lambda: cluster.failed("PushSecret", "name", space.name, "Errored"))
    assert message.endswith("CreateSecret of no name: status 400 INVALID_ARGUMENT")
    assert {s.name.rpartition("/")[2] for s in google.list_secrets(parent="projects/demo")} == {"foreign", "there"}
