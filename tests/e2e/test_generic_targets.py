"""target.manifest: ExternalSecrets that make objects of other kinds, on a real API server."""

import hashlib
import json
import secrets

import pytest

import harness
from harness import CREATED_BY, DATA_HASH, MANAGED, MANAGER, condition, owner_hash, stays, version, wait_for

pytestmark = pytest.mark.sanitized

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap"}


def content_hash(text):
    """Of what Go's %+v makes of the content."""
    return hashlib.sha3_224(text.encode()).hexdigest()


def definition(plural, kind, group, **spec):
    """A custom resource of which anything may be said, with one default and one pattern."""
    properties = {"replicas": {"type": "integer", "default": 3}, "code": {"type": "string", "pattern": "^[0-9]+$"}}
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": properties},
        "operation": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
                     "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                                   "schema": {"openAPIV3Schema": schema}}], **spec}}


class Custom:
    """A kind of the test's own, with an odd plural."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.group = f"g{secrets.token_hex(4)}.example"
        self.kind = "Mouse" + secrets.token_hex(2)
        self.manifest = {"apiVersion": f"{self.group}/v1", "kind": self.kind}
        self.installed = False
        harness.KINDS[self.kind] = (f"{self.group}/v1", "mice", True)

    def install(self, **spec):
        self.cluster.apply(definition("mice", self.kind, self.group, **spec))
        self.installed = True
        return self

    def remove(self):
        if self.installed:
            self.cluster.delete("CustomResourceDefinition", f"mice.{self.group}")
        del harness.KINDS[self.kind]


@pytest.fixture
def custom(cluster):
    made = Custom(cluster)
    yield made
    made.remove()


@pytest.fixture
def operator(make_operator):
    return make_operator(unsafeAllowGenericTargets=True).start()


def target(manifest, **more):
    return {"manifest": manifest, **more}


def synced(cluster, space, name="es", reason="ResourceSynced"):
    def check():
        es = cluster.ready("ExternalSecret", name, space.name)
        assert condition(es)["reason"] == reason, condition(es)
        return es
    return wait_for(check)


def refused(cluster, space, name="es", reason="ResourceSyncedError"):
    return wait_for(lambda: cluster.failed("ExternalSecret", name, space.name, reason))


def holds(cluster, kind, name, namespace, member, want):
    obj = cluster.get(kind, name, namespace)
    assert obj, f"there is no {kind} {name}"
    assert obj.get(member) == want, obj.get(member)
    return obj


# ---- the way of one

def test_a_config_map(operator, cluster, space):
    space.store({"a": "1", "b": "two"})
    es = space.external_secret("es", data={"x": "a", "y": "b"}, target=target(CONFIG_MAP, name="map"))
    made = wait_for(lambda: holds(cluster, "ConfigMap", "map", space.name, "data", {"x": "1", "y": "two"}))
    meta = made["metadata"]
    assert meta["labels"] == {MANAGED: "true", CREATED_BY: owner_hash(space.name, "es")}
    assert meta["annotations"] == {DATA_HASH: content_hash("map[x:1 y:two]")}
    assert [o["uid"] for o in meta["ownerReferences"]] == [es["metadata"]["uid"]]
    assert [e["manager"] for e in meta["managedFields"]] == [MANAGER + "es"]
    es = synced(cluster, space)
    assert condition(es)["message"] == "secret synced"
    assert "binding" not in es["status"]
    created = wait_for(lambda: cluster.events(space.name, "es", "Created"))
    assert [e["message"] for e in created] == ["Created ConfigMap map"]
    space.store({"a": "1", "b": "three"})
    cluster.patch("ExternalSecret", "es", {"metadata": {"annotations": {"external-secrets.io/force-sync": "1"}}}, space.name)
    wait_for(lambda: holds(cluster, "ConfigMap", "map", space.name, "data", {"x": "1", "y": "three"}))
    updated = wait_for(lambda: cluster.events(space.name, "es", "Updated"))
    assert [e["message"] for e in updated] == ["Updated ConfigMap map"]
    assert cluster.get("Secret", "map", space.name) is None


def test_a_custom_resource_with_defaults(operator, cluster, space, custom):
    """What the API server adds is no drift, and refreshes that change nothing write nothing."""
    custom.install()
    space.store({"a": "1"})
    space.external_secret("es", data={"x": "a"}, refreshInterval="1s", target=target(custom.manifest))
    made = wait_for(lambda: holds(cluster, custom.kind, "es", space.name, "spec", {"data": {"x": "1"}, "replicas": 3}))
    first = synced(cluster, space)["status"]["refreshTime"]
    wait_for(lambda: cluster.get("ExternalSecret", "es", space.name)["status"]["refreshTime"] > first)
    # The status of the object is none of ours, and no reason to look at it.
    cluster.patch(custom.kind, "es", {"status": {"phase": "Running"}}, space.name, "status")
    seen = cluster.get("ExternalSecret", "es", space.name)["status"]["refreshTime"]
    wait_for(lambda: cluster.get("ExternalSecret", "es", space.name)["status"]["refreshTime"] > seen)
    now = cluster.get(custom.kind, "es", space.name)
    assert now["status"] == {"phase": "Running"}
    assert now["metadata"]["generation"] == made["metadata"]["generation"]
    assert not cluster.events(space.name, "es", "Updated")


def test_an_application_with_a_nested_path(operator, cluster, space, custom):
    """What others put beside spec stays, and so do their labels and finalizers."""
    custom.install()
    space.store({"a": "1"})
    template = {
        "metadata": {"labels": {"team": "red"}},
        "templateFrom": [
            {"target": "spec", "literal": "project: default\nsources:\n- repoURL: https://git.example\n"},
            {"target": "spec.sources[0].helm.valuesObject", "literal": "logLevel: debug\nworkers: 4\n"},
            {"target": "spec.sources[1].repoURL", "literal": "https://other.example"},
            {"target": "Annotations", "literal": "note: \"5\""}]}
    space.external_secret("es", data={"x": "a"}, target=target(custom.manifest, name="app", template=template))
    want = {"project": "default", "replicas": 3, "sources": [
        {"repoURL": "https://git.example", "helm": {"valuesObject": {"logLevel": "debug", "workers": 4}}},
        {"repoURL": "https://other.example"}]}
    made = wait_for(lambda: holds(cluster, custom.kind, "app", space.name, "spec", want))
    assert made["metadata"]["labels"]["team"] == "red"
    assert made["metadata"]["annotations"]["note"] == "5"
    go = ("map[project:default sources:[map[helm:map[valuesObject:map[logLevel:debug workers:4]] "
          "repoURL:https://git.example] map[repoURL:https://other.example]]]")
    assert made["metadata"]["annotations"][DATA_HASH] == content_hash(go)
    synced(cluster, space)
    cluster.patch(custom.kind, "app", {"operation": {"sync": {"revision": "main"}}, "metadata": {
        "finalizers": ["example.com/theirs"], "labels": {"theirs": "1"}}}, space.name)
    template["templateFrom"][1]["literal"] = "logLevel: info\n"
    space.external_secret("es", data={"x": "a"}, target=target(custom.manifest, name="app", template=template))
    want["sources"][0]["helm"]["valuesObject"] = {"logLevel": "info"}
    made = wait_for(lambda: holds(cluster, custom.kind, "app", space.name, "spec", want))
    assert made["operation"] == {"sync": {"revision": "main"}}
    assert made["metadata"]["finalizers"] == ["example.com/theirs"]
    assert made["metadata"]["labels"]["theirs"] == "1"
    cluster.patch(custom.kind, "app", {"metadata": {"finalizers": None}}, space.name)


def test_a_secret_as_manifest(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("es", data={"x": "a"}, target=target({"apiVersion": "v1", "kind": "Secret"}))
    made = wait_for(lambda: cluster.holds(space.name, "es", {"x": "1"}))
    assert made["metadata"]["annotations"][DATA_HASH] == content_hash("map[x:MQ==]")
    synced(cluster, space)
    cluster.patch("Secret", "es", {"data": {"x": "Mg=="}}, space.name)
    wait_for(lambda: cluster.holds(space.name, "es", {"x": "1"}))
    seen = version(cluster.get("Secret", "es", space.name))
    stays(lambda: version(cluster.get("Secret", "es", space.name)) == seen, 1.5)


# ---- drift

def test_what_is_edited_or_deleted_is_repaired(operator, cluster, space, custom):
    custom.install()
    space.store({"a": "1"})
    space.external_secret("map", data={"x": "a"}, refreshInterval="0", target=target(CONFIG_MAP))
    space.external_secret("mouse", data={"x": "a"}, refreshInterval="0", target=target(custom.manifest))
    synced(cluster, space, "map")
    synced(cluster, space, "mouse")
    wait_for(lambda: '"targets of this kind are watched"' in operator.log)
    cluster.patch("ConfigMap", "map", {"data": {"x": "edited", "more": "y"}}, space.name)
    wait_for(lambda: holds(cluster, "ConfigMap", "map", space.name, "data", {"x": "1"}))
    cluster.patch(custom.kind, "mouse", {"spec": {"replicas": 5, "data": {"x": "edited"}}}, space.name)
    wait_for(lambda: holds(cluster, custom.kind, "mouse", space.name, "spec", {"data": {"x": "1"}, "replicas": 3}))
    cluster.delete("ConfigMap", "map", space.name)
    wait_for(lambda: holds(cluster, "ConfigMap", "map", space.name, "data", {"x": "1"}))
    cluster.patch("ConfigMap", "map", {"metadata": {"labels": {MANAGED: None}}}, space.name)
    wait_for(lambda: cluster.get("ConfigMap", "map", space.name)["metadata"]["labels"].get(MANAGED) == "true")


def test_a_restart_takes_it_as_it_is(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("es", data={"x": "a"}, target=target(CONFIG_MAP))
    synced(cluster, space)
    seen = version(cluster.get("ConfigMap", "es", space.name))
    operator.restart()
    cluster.patch("ConfigMap", "es", {"data": {"more": "y"}}, space.name)
    wait_for(lambda: holds(cluster, "ConfigMap", "es", space.name, "data", {"x": "1"}))
    operator.stop()
    cluster.patch("ConfigMap", "es", {"data": {"x": "edited"}}, space.name)
    operator.start()
    made = wait_for(lambda: holds(cluster, "ConfigMap", "es", space.name, "data", {"x": "1"}))
    assert version(made) != seen
    seen = version(made)
    operator.restart()
    stays(lambda: version(cluster.get("ConfigMap", "es", space.name)) == seen, 1.5)


# ---- policies

def test_merging(operator, cluster, space):
    space.store({"a": "1"})
    space.external_secret("es", data={"x": "a"}, refreshInterval="1s", target=target(CONFIG_MAP, creationPolicy="Merge"))
    es = synced(cluster, space, reason="ResourceMissing")
    assert condition(es)["message"] == "resource will not be created due to CreationPolicy=Merge"
    cluster.apply({**CONFIG_MAP, "metadata": {"name": "es", "namespace": space.name}, "data": {"theirs": "t"}})
    made = wait_for(lambda: holds(cluster, "ConfigMap", "es", space.name, "data", {"theirs": "t", "x": "1"}))
    assert "ownerReferences" not in made["metadata"]
    synced(cluster, space)
    space.external_secret("es", data={"z": "a"}, refreshInterval="1s", target=target(CONFIG_MAP, creationPolicy="Merge"))
    wait_for(lambda: holds(cluster, "ConfigMap", "es", space.name, "data", {"theirs": "t", "z": "1"}))


def test_two_of_one_target(operator, cluster, space):
    space.store({"a": "1", "b": "2"})
    space.external_secret("one", data={"x": "a"}, target=target(CONFIG_MAP, name="map"))
    synced(cluster, space, "one")
    space.external_secret("two", data={"x": "b"}, target=target(CONFIG_MAP, name="map"))
    assert refused(cluster, space, "two") == ("could not apply template to manifest: secret is owned by another "
                                              "ExternalSecret: one")
    holds(cluster, "ConfigMap", "map", space.name, "data", {"x": "1"})
    cluster.delete("ExternalSecret", "one", space.name)
    wait_for(lambda: holds(cluster, "ConfigMap", "map", space.name, "data", {"x": "2"}), 30)


def test_deletion(operator, cluster, space, custom):
    """The target goes with deletionPolicy=Delete, and the watch with the last that uses its kind."""
    custom.install()
    space.store({"a": "1"})
    for name in ("one", "two"):
        space.external_secret(name, data={"x": "a"}, target=target(custom.manifest, deletionPolicy="Delete", creationPolicy="Orphan"))
    space.external_secret("kept", data={"x": "a"}, target=target(custom.manifest, creationPolicy="Orphan"))
    for name in ("one", "two", "kept"):
        synced(cluster, space, name)
    watches = f'"kind":"{custom.kind}"'
    ended = [line for line in operator.log.splitlines() if "its watch ends" in line and watches in line]
    assert not ended
    for name in ("one", "two", "kept"):
        cluster.delete("ExternalSecret", name, space.name)
        wait_for(lambda: cluster.get("ExternalSecret", name, space.name) is None)
    wait_for(lambda: [line for line in operator.log.splitlines() if "its watch ends" in line and watches in line])
    assert cluster.get(custom.kind, "one", space.name) is None
    assert cluster.get(custom.kind, "two", space.name) is None
    assert cluster.get(custom.kind, "kept", space.name)
    assert operator.is_ready()


def test_values_that_go(operator, cluster, space):
    space.store({"a": "1"})
    find = {"dataFrom": [{"find": {"name": {"regexp": "^a$"}}}]}
    space.external_secret("es", refreshInterval="1s", target=target(CONFIG_MAP, deletionPolicy="Delete"), **find)
    wait_for(lambda: holds(cluster, "ConfigMap", "es", space.name, "data", {"a": "1"}))
    space.store({"b": "1"})
    es = synced(cluster, space, reason="ResourceDeleted")
    assert condition(es)["message"] == "secret deleted due to DeletionPolicy=Delete"
    assert cluster.get("ConfigMap", "es", space.name) is None
    space.store({"a": "2"})
    wait_for(lambda: holds(cluster, "ConfigMap", "es", space.name, "data", {"a": "2"}))


# ---- what is refused

def test_a_definition_may_come_later(operator, cluster, space, custom):
    space.store({"a": "1"})
    space.external_secret("es", data={"x": "a"}, target=target(custom.manifest))
    message = refused(cluster, space)
    assert message.startswith("could not get target resource: failed to get target resource: no matches for kind "
                              f'"{custom.kind}" in version "{custom.group}/v1"')
    custom.install()
    wait_for(lambda: holds(cluster, custom.kind, "es", space.name, "spec", {"data": {"x": "1"}, "replicas": 3}), 40)
    synced(cluster, space)


def test_cluster_scoped_kinds_are_refused(operator, cluster, space):
    space.store({"a": "1"})
    name = f"esod-{secrets.token_hex(4)}"
    space.external_secret("es", data={"x": "a"}, target=target({"apiVersion": "v1", "kind": "Namespace"}, name=name))
    message = refused(cluster, space, reason="SecretSyncedError")
    assert message == ("invalid generic target: target.manifest: Namespace of v1 is cluster-scoped, and an ExternalSecret "
                       "writes into its own namespace only: name a namespaced kind")
    assert cluster.get("Namespace", name) is None


def test_templates_cannot_reach_other_namespaces(operator, cluster, space):
    space.store({"a": "1"})
    template = {"templateFrom": [{"target": "metadata.namespace", "literal": "default"}]}
    space.external_secret("es", data={"x": "a"}, target=target(CONFIG_MAP, template=template))
    assert "templateFrom must not change the target's" in refused(cluster, space)
    assert cluster.get("ConfigMap", "es", "default") is None


def test_a_refusal_quotes_no_value(operator, cluster, space, custom):
    """The API server quotes what it refuses; that may be a secret."""
    custom.install()
    space.store({"a": "s3cr3t-value"})
    template = {"templateFrom": [{"target": "spec.code", "literal": "s3cr3t-value"}]}
    space.external_secret("es", data={"x": "a"}, target=target(custom.manifest, template=template))
    message = refused(cluster, space)
    assert message == ("could not update secret: failed to create target resource: the API server refused the content "
                       "(Invalid): spec.code (FieldValueInvalid)")
    wait_for(lambda: cluster.events(space.name, "es", "UpdateFailed"))
    for event in cluster.events(space.name, "es"):
        assert "s3cr3t" not in event["message"]
    assert "s3cr3t" not in operator.log


def test_without_the_flag(make_operator, cluster, space):
    operator = make_operator().start()
    space.store({"a": "1"})
    space.external_secret("es", data={"x": "a"}, target=target(CONFIG_MAP))
    message = refused(cluster, space, reason="SecretSyncedError")
    assert message == ("invalid generic target: generic targets are disabled. Enable with --unsafe-allow-generic-targets "
                       "flag")
    assert cluster.get("ConfigMap", "es", space.name) is None
    operator.stop()
    operator.args = ["--unsafe-allow-generic-targets"]
    operator.start()
    wait_for(lambda: holds(cluster, "ConfigMap", "es", space.name, "data", {"x": "1"}))


def test_a_kind_without_rights(make_operator, cluster, space, tmp_path):
    """Said in the condition, and no reason for the rest to stop."""
    from test_rbac import as_user
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "esod", "namespace": space.name}}
    rules = [{"apiGroups": ["external-secrets.io"], "resources": ["*"], "verbs": ["*"]},
             {"apiGroups": [""], "resources": ["secrets", "events"], "verbs": ["*"]},
             {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch", "get"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": space.name}, "rules": rules}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": space.name},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": space.name},
               "subjects": [{"kind": "ServiceAccount", "name": "esod", "namespace": space.name}]}
    objects = "\n---\n".join(json.dumps(o) for o in (account, role, binding))
    cluster.kubectl("apply", "-f", "-", stdin=objects)
    try:
        token = cluster.kubectl("create", "token", "esod", "-n", space.name).stdout.strip()
        mine = as_user(cluster.kubeconfig, token, tmp_path / "kubeconfig-esod")
        operator = make_operator(kubeconfig=mine, unsafeAllowGenericTargets=True).start()
        space.store({"a": "1"})
        space.external_secret("es", data={"x": "a"}, target=target(CONFIG_MAP))
        message = refused(cluster, space)
        assert "could not update secret: failed to create target resource: configmaps is forbidden" in message
        space.external_secret("plain", data={"x": "a"})
        space.synced("plain", {"x": "1"})
        assert operator.is_ready()
        rules.append({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "update", "delete"]})
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(role))
        wait_for(lambda: holds(cluster, "ConfigMap", "es", space.name, "data", {"x": "1"}), 60)
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=objects)
