"""ClusterExternalSecrets and ClusterPushSecrets on a real API server."""

import secrets

import pytest

from harness import GROUP, FINALIZER, condition, stays, store, version, wait_for

HELD = "externalsecrets.external-secrets.io/ces-"


class Teams:
    """Namespaces that a parent selects by a label, and the parent's objects."""

    def __init__(self, cluster):
        self.cluster, self.mark, self.made = cluster, f"t{secrets.token_hex(4)}", []

    def namespace(self, name, member=True):
        name = f"{self.mark}-{name}"
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace",
                            "metadata": {"name": name, "labels": {"mark": self.mark} if member else {}}})
        self.made.append(("Namespace", name))
        return name

    def label(self, namespace, member):
        self.cluster.patch("Namespace", namespace, {"metadata": {"labels": {"mark": self.mark if member else None}}})

    def store(self, entries):
        self.cluster.apply(store(self.mark, entries))
        self.made.append(("ClusterSecretStore", self.mark))
        wait_for(lambda: self.cluster.ready("ClusterSecretStore", self.mark))

    def parent(self, kind="ClusterExternalSecret", **spec):
        api = "v1" if kind == "ClusterExternalSecret" else "v1alpha1"
        self.cluster.apply({"apiVersion": f"{GROUP}/{api}", "kind": kind, "metadata": {"name": self.mark},
                            "spec": {"namespaceSelectors": [{"matchLabels": {"mark": self.mark}}], **spec}})
        self.made.append((kind, self.mark))

    def provide(self, **spec):
        self.parent(externalSecretSpec={"secretStoreRef": {"name": self.mark, "kind": "ClusterSecretStore"},
                                        "data": [{"secretKey": "k", "remoteRef": {"key": "a"}}]}, **spec)

    def status(self, kind="ClusterExternalSecret"):
        return self.cluster.get(kind, self.mark).get("status") or {}

    def provisioned(self, *names, kind="ClusterExternalSecret"):
        wait_for(lambda: self.status(kind).get("provisionedNamespaces", []) == sorted(names))


@pytest.fixture
def teams(cluster, operator):
    made = Teams(cluster)
    yield made
    for kind, name in reversed(made.made):
        cluster.delete(kind, name)


@pytest.mark.sanitized
def test_secrets_follow_namespaces(teams, cluster):
    teams.store({"a": "1"})
    one, other = teams.namespace("a"), teams.namespace("b", member=False)
    teams.provide()
    wait_for(lambda: cluster.holds(one, teams.mark, {"k": "1"}))
    teams.provisioned(one)
    assert condition(cluster.get("ClusterExternalSecret", teams.mark)) == {"type": "Ready", "status": "True"}

    teams.label(other, True)
    wait_for(lambda: cluster.holds(other, teams.mark, {"k": "1"}))
    teams.provisioned(one, other)
    teams.label(one, False)
    wait_for(lambda: cluster.get("ExternalSecret", teams.mark, one) is None)
    wait_for(lambda: cluster.get("Secret", teams.mark, one) is None)
    # The namespace is not held any longer: whoever deletes it does not wait for anybody.
    wait_for(lambda: not cluster.get("Namespace", one)["metadata"].get("finalizers"))

    cluster.delete("ClusterExternalSecret", teams.mark)
    wait_for(lambda: cluster.get("ClusterExternalSecret", teams.mark) is None)
    wait_for(lambda: cluster.get("Secret", teams.mark, other) is None)
    assert not cluster.get("Namespace", other)["metadata"].get("finalizers")


def test_a_namespace_can_be_deleted_and_made_again(teams, cluster):
    teams.store({"a": "1"})
    name = teams.namespace("a")
    teams.provide()
    wait_for(lambda: cluster.holds(name, teams.mark, {"k": "1"}))
    assert cluster.get("Namespace", name)["metadata"]["finalizers"] == [HELD + teams.mark]
    cluster.delete("Namespace", name)
    wait_for(lambda: cluster.get("Namespace", name) is None, 30)
    wait_for(lambda: not teams.status().get("provisionedNamespaces"))
    teams.namespace("a")
    wait_for(lambda: cluster.holds(name, teams.mark, {"k": "1"}))


def test_an_edited_child_is_put_right(teams, cluster):
    teams.store({"a": "1", "b": "2"})
    name = teams.namespace("a")
    teams.provide(externalSecretMetadata={"labels": {"l": "1"}})
    wait_for(lambda: cluster.holds(name, teams.mark, {"k": "1"}))
    cluster.patch("ExternalSecret", teams.mark, {"metadata": {"labels": {"l": "2"}},
                                                 "spec": {"data": [{"secretKey": "k", "remoteRef": {"key": "b"}}]}}, name)
    wait_for(lambda: cluster.get("ExternalSecret", teams.mark, name)["metadata"]["labels"] == {"l": "1"})
    wait_for(lambda: cluster.holds(name, teams.mark, {"k": "1"}))

    # Whoever deletes it has it back, as long as it is wanted.
    uid = cluster.get("ExternalSecret", teams.mark, name)["metadata"]["uid"]
    cluster.delete("ExternalSecret", teams.mark, name)
    wait_for(lambda: (cluster.get("ExternalSecret", teams.mark, name) or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid)
    wait_for(lambda: cluster.holds(name, teams.mark, {"k": "1"}))


def test_a_child_that_cannot_go_yet(teams, cluster):
    """Something else keeps the former child: the parent says so, and goes on when it is gone."""
    teams.store({"a": "1"})
    name = teams.namespace("a")
    teams.provide()
    wait_for(lambda: cluster.holds(name, teams.mark, {"k": "1"}))
    cluster.patch("ExternalSecret", teams.mark, {"metadata": {"finalizers": [FINALIZER, "example.com/slow"]}}, name)
    cluster.delete("ExternalSecret", teams.mark, name)
    wait_for(lambda: teams.status().get("failedNamespaces") == [
        {"namespace": name, "reason": "the former ExternalSecret is still being deleted"}])
    cluster.patch("ExternalSecret", teams.mark, {"metadata": {"finalizers": None}}, name)
    teams.provisioned(name)
    wait_for(lambda: not teams.status().get("failedNamespaces"))


def test_at_rest_nothing_is_written(teams, cluster):
    teams.store({"a": "1"})
    name = teams.namespace("a")
    teams.provide(refreshTime="1s")
    wait_for(lambda: cluster.holds(name, teams.mark, {"k": "1"}))
    teams.provisioned(name)
    wait_for(lambda: cluster.ready("ExternalSecret", teams.mark, name))
    before = [version(cluster.get("ClusterExternalSecret", teams.mark)),
              version(cluster.get("ExternalSecret", teams.mark, name))]

    def unchanged():
        assert before == [version(cluster.get("ClusterExternalSecret", teams.mark)),
                          version(cluster.get("ExternalSecret", teams.mark, name))]

    stays(unchanged, 2.5)


@pytest.mark.sanitized
def test_push_secrets_follow_namespaces(teams, cluster):
    teams.store({})
    name = teams.namespace("a")
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "src", "namespace": name}, "stringData": {"k": "v"}})
    teams.parent("ClusterPushSecret", pushSecretName="child",
                 pushSecretSpec={"secretStoreRefs": [{"name": teams.mark, "kind": "ClusterSecretStore"}],
                                 "selector": {"secret": {"name": "src"}},
                                 "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "r"}}}]})
    wait_for(lambda: cluster.ready("PushSecret", "child", name))
    teams.provisioned(name, kind="ClusterPushSecret")
    assert cluster.get("PushSecret", "child", name)["metadata"]["ownerReferences"][0]["kind"] == "ClusterPushSecret"
    teams.label(name, False)
    wait_for(lambda: cluster.get("PushSecret", "child", name) is None)
