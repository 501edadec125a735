"""The way of one ExternalSecret: from `kubectl apply` to a Secret, its upkeep, and its end."""

import calendar
import time

import pytest

from harness import (CREATED_BY, DATA_HASH, FINALIZER, MANAGED, MANAGER, condition, data_hash, decoded, owner_hash, stays,
                     store, synced_version, version, wait_for)

pytestmark = pytest.mark.sanitized


def seconds(timestamp):
    return calendar.timegm(time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ"))


def manager_keys(secret, manager):
    keys = set()
    for entry in secret["metadata"]["managedFields"]:
        if entry["manager"] == manager:
            keys |= {k[2:] for k in entry["fieldsV1"].get("f:data", {}) if k.startswith("f:")}
    return keys


def test_kubectl_apply_gives_the_secret(operator, cluster, space):
    before = int(time.time())
    space.store({"/db": '{"user":"anna","password":"p\\u00e4ss w\\u00f6rd"}', "token": "plain"})
    cluster.kubectl("apply", "-f", "-", stdin=f"""
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: app
  namespace: {space.name}
  labels: {{team: red}}
  annotations: {{note: "one two"}}
spec:
  refreshInterval: 1h
  secretStoreRef: {{name: {space.name}, kind: ClusterSecretStore}}
  target: {{name: app-credentials}}
  data:
  - secretKey: user
    remoteRef: {{key: /db, property: user}}
  - secretKey: password
    remoteRef: {{key: /db, property: password}}
  - secretKey: token
    remoteRef: {{key: token}}
""")
    want = {"user": b"anna", "password": "päss wörd".encode(), "token": b"plain"}
    secret = wait_for(lambda: cluster.holds(space.name, "app-credentials", want))
    es = wait_for(lambda: cluster.ready("ExternalSecret", "app", space.name))

    # The Secret
    meta = secret["metadata"]
    assert secret["type"] == "Opaque"
    assert "immutable" not in secret
    assert meta["labels"] == {"team": "red", MANAGED: "true", CREATED_BY: owner_hash(space.name, "app")}
    assert meta["annotations"] == {**es["metadata"]["annotations"], DATA_HASH: data_hash(want)}
    assert meta["ownerReferences"] == [{
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "app", "uid": es["metadata"]["uid"],
        "controller": True, "blockOwnerDeletion": True}]
    assert manager_keys(secret, MANAGER + "app") == set(want)

    # The ExternalSecret; its finalizer may come after the Secret, nothing depends on it here
    wait_for(lambda: cluster.get("ExternalSecret", "app", space.name)["metadata"].get("finalizers") == [FINALIZER])
    status = es["status"]
    ready = condition(es)
    assert (ready["status"], ready["reason"], ready["message"]) == ("True", "SecretSynced", "secret synced")
    assert before <= seconds(ready["lastTransitionTime"]) <= time.time() + 1
    assert before <= seconds(status["refreshTime"]) <= time.time() + 1
    assert status["syncedResourceVersion"] == synced_version(es)
    assert status["binding"] == {"name": "app-credentials"}

    # What people see
    created = wait_for(lambda: cluster.events(space.name, "app", "Created"))
    assert [(e["type"], e["message"], e["source"]["component"]) for e in created] == [
        ("Normal", "secret created", "external-secrets")]
    shown = cluster.kubectl("get", "externalsecret", "app", "-n", space.name).stdout.split("\n")
    assert shown[0].split() == ["NAME", "STORETYPE", "STORE", "REFRESH", "INTERVAL", "STATUS", "READY", "LAST", "SYNC"]
    assert shown[1].split()[:6] == ["app", "ClusterSecretStore", space.name, "1h", "SecretSynced", "True"]


def test_the_store_says_that_it_is_valid(operator, cluster, space):
    name = space.store({"a": "b"})
    obj = cluster.get("ClusterSecretStore", name)
    ready = condition(obj)
    assert (ready["status"], ready["reason"], ready["message"]) == ("True", "Valid", "store validated")
    assert obj["status"]["capabilities"] == "ReadWrite"
    events = wait_for(lambda: cluster.events("default", name, "Valid"))
    assert {(e["type"], e["message"], e["source"]["component"]) for e in events} == {
        ("Normal", "store validated", "cluster-secret-store")}


def test_a_namespaced_store_serves_its_namespace(operator, cluster, space):
    cluster.apply(store("own", {"a": "1"}, namespace=space.name))
    space.external_secret("app", "own", {"k": "a"}, kind="SecretStore")
    space.synced("app", {"k": "1"})


def test_many_forms_in_one_object(operator, space):
    space.store({"obj": '{"one":"1","two":{"deep":true},"sp ace":"x"}', "b64": "aGVsbG8=", "v": {"value": "old", "version": "v1"},
                 "app-x": "X", "app-y": "Y"})
    space.external_secret("app", dataFrom=[
        {"extract": {"key": "obj"}},
        {"find": {"name": {"regexp": "^app-"}}, "rewrite": [{"regexp": {"source": "^app-(.*)$", "target": "found_$1"}}]}],
        data={"deep": {"key": "obj", "property": "two.deep"}, "hello": {"key": "b64", "decodingStrategy": "Base64"},
              "versioned": {"key": "v", "version": "v1"}, "one": "b64"})
    space.synced("app", {"one": "aGVsbG8=", "two": '{"deep":true}', "sp_ace": "x", "found_x": "X", "found_y": "Y",
                         "deep": "true", "hello": "hello", "versioned": "old"})


def test_large_and_odd_values_arrive_unchanged(operator, cluster, space):
    large = "0123456789abcdef" * (300 * 1024 // 16)
    odd = "\t line\r\n \"quoted\" \\ back \u2028 \U0001f511 " + "".join(chr(c) for c in range(0x20, 0x250))
    cluster.create(store("own", {"large": large, "odd": odd}, namespace=space.name))
    space.external_secret("app", "own", {"large": "large", "odd": "odd"}, kind="SecretStore")
    _, secret = space.synced("app", {"large": large, "odd": odd})
    assert secret["metadata"]["annotations"][DATA_HASH] == data_hash(decoded(secret))


def test_a_changed_value_arrives_with_the_interval(operator, cluster, space):
    space.store({"a": "first"})
    space.external_secret("app", data={"k": "a"}, refreshInterval="1s")
    first, _ = space.synced("app", {"k": "first"})
    space.store({"a": "second"})
    second, secret = space.synced("app", {"k": "second"}, timeout=8)
    assert secret["metadata"]["annotations"][DATA_HASH] == data_hash({"k": b"second"})
    assert first["metadata"]["generation"] == second["metadata"]["generation"]
    wait_for(lambda: cluster.get("ExternalSecret", "app", space.name)["status"]["refreshTime"] > first["status"]["refreshTime"])
    updated = wait_for(lambda: cluster.events(space.name, "app", "Updated"))
    assert {(e["type"], e["message"]) for e in updated} == {("Normal", "secret updated")}


def test_an_unchanged_value_is_not_written_again(operator, cluster, space):
    space.store({"a": "same"})
    space.external_secret("app", data={"k": "a"}, refreshInterval="1s")
    es, secret = space.synced("app", {"k": "same"})
    wait_for(lambda: seconds(cluster.get("ExternalSecret", "app", space.name)["status"]["refreshTime"])
             >= seconds(es["status"]["refreshTime"]) + 3)
    assert version(cluster.get("Secret", "app", space.name)) == version(secret)
    assert cluster.events(space.name, "app", "Updated") == []


def test_an_hour_long_interval_does_not_refresh_but_an_annotation_does(operator, cluster, space):
    space.store({"a": "first"})
    space.external_secret("app", data={"k": "a"})
    es, _ = space.synced("app", {"k": "first"})
    space.store({"a": "second"})
    stays(lambda: cluster.holds(space.name, "app", {"k": "first"}), 2)
    cluster.patch("ExternalSecret", "app", {"metadata": {"annotations": {"external-secrets.io/force-sync": "now"}}}, space.name)
    space.synced("app", {"k": "second"})
    again = wait_for(lambda: cluster.get("ExternalSecret", "app", space.name))
    assert again["status"]["syncedResourceVersion"] == synced_version(again) != es["status"]["syncedResourceVersion"]


def test_an_edited_spec_is_followed(operator, cluster, space):
    space.store({"a": "1", "b": "2"})
    space.external_secret("app", data={"k": "a", "gone": "b"})
    space.synced("app", {"k": "1", "gone": "2"})
    space.external_secret("app", data={"k": "b"})
    es, secret = space.synced("app", {"k": "2"})
    assert manager_keys(secret, MANAGER + "app") == {"k"}
    wait_for(lambda: (lambda o: o["status"]["syncedResourceVersion"] == synced_version(o))(
        cluster.get("ExternalSecret", "app", space.name)))
    assert es["metadata"]["generation"] == 2


def test_a_renamed_target_takes_its_old_secret_away(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"}, target={"name": "old"})
    wait_for(lambda: cluster.holds(space.name, "old", {"k": "1"}))
    space.external_secret("app", data={"k": "a"}, target={"name": "new"})
    wait_for(lambda: cluster.holds(space.name, "new", {"k": "1"}))
    wait_for(lambda: cluster.get("Secret", "old", space.name) is None)


@pytest.mark.parametrize("damage", [
    {"data": {"k": "dGFtcGVyZWQ="}}, {"data": {"extra": "eA=="}}, {"data": {"k": None}},
    {"metadata": {"labels": {MANAGED: None}}}, {"metadata": {"annotations": {DATA_HASH: "0"}}},
], ids=["changed value", "extra key", "lost key", "lost label", "wrong hash"])
def test_a_damaged_secret_is_repaired_at_once(operator, cluster, space, damage):
    space.store({"a": "true value"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "true value"})
    cluster.patch("Secret", "app", damage, space.name)

    def repaired():
        secret = cluster.holds(space.name, "app", {"k": "true value"})
        assert secret["metadata"]["labels"].get(MANAGED) == "true"
        assert secret["metadata"]["annotations"].get(DATA_HASH) == data_hash({"k": b"true value"})
        return True
    wait_for(repaired, 8)


def test_a_deleted_secret_comes_back(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"})
    _, old = space.synced("app", {"k": "1"})
    cluster.delete("Secret", "app", space.name)
    new = wait_for(lambda: cluster.holds(space.name, "app", {"k": "1"}), 8)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]


def test_foreign_secrets_are_left_alone(operator, cluster, space):
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "foreign", "namespace": space.name},
                   "data": {"mine": "eA=="}})
    foreign = version(cluster.get("Secret", "foreign", space.name))
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "1"})
    assert version(cluster.get("Secret", "foreign", space.name)) == foreign


def test_the_secret_goes_with_its_owner(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "1"})
    cluster.kubectl("delete", "externalsecret", "app", "-n", space.name, "--wait=true", "--timeout=20s")
    assert cluster.get("ExternalSecret", "app", space.name) is None
    wait_for(lambda: cluster.get("Secret", "app", space.name) is None, 40)


def test_deletion_policy_retain_keeps_an_orphan(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"}, target={"creationPolicy": "Orphan"})
    _, secret = space.synced("app", {"k": "1"})
    assert "ownerReferences" not in secret["metadata"]
    assert CREATED_BY not in secret["metadata"]["labels"]
    cluster.delete("ExternalSecret", "app", space.name)
    wait_for(lambda: cluster.get("ExternalSecret", "app", space.name) is None)
    stays(lambda: cluster.holds(space.name, "app", {"k": "1"}), 2)


def test_a_value_that_vanishes_takes_the_secret_with_it_under_delete(operator, cluster, space):
    space.store({"a": "1", "other": "x"})
    space.external_secret("app", data={"k": "a"}, refreshInterval="1s", target={"deletionPolicy": "Delete"})
    space.synced("app", {"k": "1"})
    space.store({"other": "x"})
    wait_for(lambda: cluster.get("Secret", "app", space.name) is None, 8)

    def told():
        ready = condition(cluster.get("ExternalSecret", "app", space.name))
        assert (ready["status"], ready["reason"]) == ("True", "SecretDeleted")
        assert ready["message"] == "secret deleted due to DeletionPolicy=Delete"
        return True
    wait_for(told)
    space.store({"a": "back", "other": "x"})
    space.synced("app", {"k": "back"}, timeout=8)


def test_a_store_that_comes_late_wakes_its_dependents(operator, space):
    """Nobody waits for a backoff that an event could end: by then it would be 8 s."""
    space.external_secret("app", data={"k": "a"})
    space.failed("app")
    time.sleep(9)
    space.store({"a": "1"})
    space.synced("app", {"k": "1"}, timeout=2)


def test_a_corrected_store_wakes_its_dependents(operator, cluster, space):
    space.store({"other": "1"})
    space.external_secret("app", data={"k": "a"})
    space.failed("app")
    time.sleep(9)
    space.store({"other": "1", "a": "2"})
    space.synced("app", {"k": "2"}, timeout=2)
    assert condition(cluster.get("ExternalSecret", "app", space.name))["message"] == "secret synced"


def test_objects_that_were_there_before_the_operator(make_operator, cluster, space):
    space.store({"a": "1"}, ready=False)
    for i in range(20):
        space.external_secret(f"app-{i}", data={"k": "a"})
    make_operator().start()
    for i in range(20):
        space.synced(f"app-{i}", {"k": "1"})
