"""Others write at the same time: users, other ExternalSecrets, other controllers. Nobody's work is lost, and nobody fights."""

import base64
import time

import pytest

from harness import FINALIZER, MANAGER, SANITIZED, Refused, condition, decoded, external_secret, stays, synced_version, version, wait_for

SECRET_WRITES = r"^(POST|PUT|PATCH|DELETE) /api/v1/namespaces/[^/]+/secrets"
WRITES = r"^(POST|PUT|PATCH|DELETE) (?!.*/events)"


def is_quiet(proxy, seconds=1.5):
    """No request but for events, and for what a watch or a page asks, for so long."""
    count = len(proxy.requests(WRITES))
    time.sleep(seconds)
    return proxy.requests(WRITES)[count:] == []


# ---- several ExternalSecrets, one Secret

def owner_of(cluster, space, name):
    secret = cluster.get("Secret", name, space.name)
    assert secret, f"there is no Secret {name}"
    return secret["metadata"]["ownerReferences"][0]["name"], secret


@pytest.mark.sanitized
def test_three_hundred_want_the_same_secret(behind, proxy, cluster, space):
    """One has it, the others say so once; when it goes, another one has it."""
    count = 60 if SANITIZED else 300
    behind.start()
    space.store({f"k{i}": f"value {i}" for i in range(count)})
    cluster.create_many(external_secret(space.name, f"app-{i}", space.name, {"k": f"k{i}"}, target={"name": "wanted"})
                        for i in range(count))

    def writes_that_went_through():
        return len([1 for _, _, status in proxy.requests(SECRET_WRITES) if status in (200, 201)])

    def decided():
        found = {o["metadata"]["name"]: condition(o) for o in cluster.list("ExternalSecret", space.name)}
        assert None not in found.values()
        ready = [name for name, c in found.items() if c["status"] == "True"]
        owner, secret = owner_of(cluster, space, "wanted")
        assert ready == [owner]
        losers = {c["message"] for name, c in found.items() if name != owner}
        assert losers == {"target is owned by another ExternalSecret: unable to mutate secret wanted: "
                          f"secret is owned by another ExternalSecret: {owner}"}
        assert decoded(secret) == {"k": f"value {owner[4:]}".encode()}
        return owner, secret
    owner, secret = wait_for(decided, 30, every=0.5)
    wait_for(lambda: is_quiet(proxy), 20)
    assert writes_that_went_through() == 1
    # Each says it once: its finalizer and its condition, and what came in between may be tried again.
    assert len(proxy.requests(WRITES)) < 4 * count
    assert version(cluster.get("Secret", "wanted", space.name)) == version(secret)

    cluster.delete("ExternalSecret", owner, space.name)
    wait_for(lambda: cluster.get("ExternalSecret", owner, space.name) is None)
    heir, _ = wait_for(decided, 60, every=0.5)
    assert heir != owner
    wait_for(lambda: is_quiet(proxy), 20)
    assert writes_that_went_through() == 2


def test_two_merge_into_one_secret(behind, proxy, cluster, space):
    behind.start()
    cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shared", "namespace": space.name},
                    "data": {"mine": "eA=="}})
    space.store({"a": "one", "b": "two"})
    for key in ("a", "b"):
        cluster.create(external_secret(space.name, f"app-{key}", space.name, {key: key}, refreshInterval="1s",
                                       target={"name": "shared", "creationPolicy": "Merge"}))
    secret = wait_for(lambda: cluster.holds(space.name, "shared", {"mine": "x", "a": "one", "b": "two"}))
    stays(lambda: cluster.holds(space.name, "shared", {"mine": "x", "a": "one", "b": "two"}), 2.5)
    assert version(cluster.get("Secret", "shared", space.name)) == version(secret), "they write in turns"
    space.store({"a": "one", "b": "three"})
    wait_for(lambda: cluster.holds(space.name, "shared", {"mine": "x", "a": "one", "b": "three"}))
    # What one no longer wants goes, and nothing else.
    space.external_secret("app-b", data={"c": "b"}, refreshInterval="1s", target={"name": "shared", "creationPolicy": "Merge"})
    wait_for(lambda: cluster.holds(space.name, "shared", {"mine": "x", "a": "one", "c": "three"}))


def test_two_orphans_do_not_fight(behind, proxy, cluster, space):
    behind.start()
    space.store({"a": "one", "b": "two"})
    for key in ("a", "b"):
        space.external_secret(f"app-{key}", data={"k": key}, target={"name": "shared", "creationPolicy": "Orphan"})
    wait_for(lambda: all(condition(o) and condition(o)["status"] == "True" for o in cluster.list("ExternalSecret", space.name)))
    wait_for(lambda: is_quiet(proxy), 10)
    assert len(proxy.requests(SECRET_WRITES)) <= 4
    assert decoded(cluster.get("Secret", "shared", space.name))["k"] in (b"one", b"two")


# ---- somebody is quicker

@pytest.mark.sanitized
def test_an_edit_while_the_pass_runs_is_followed(behind, proxy, cluster, space):
    behind.start()
    space.store({"a": "one", "b": "two"})
    secret = proxy.rule(SECRET_WRITES, delay=1.0)
    status = proxy.rule(r"^(PUT|PATCH) .*/externalsecrets/app/status", delay=1.0, times=3)
    space.external_secret("app", data={"k": "a"})
    wait_for(lambda: secret.hits, every=0.01)
    space.external_secret("app", data={"k": "b"})
    wait_for(lambda: status.hits, every=0.01)
    space.external_secret("app", data={"k": "b", "l": "a"})

    def followed():
        es, _ = cluster.ready("ExternalSecret", "app", space.name), cluster.holds(space.name, "app", {"k": "two", "l": "one"})
        assert es["status"]["syncedResourceVersion"] == synced_version(es)
        return True
    wait_for(followed)
    assert wait_for(lambda: is_quiet(proxy), 10)
    assert '"level":"error"' not in behind.log


@pytest.mark.sanitized
@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_deletion_while_the_pass_runs_leaves_nothing(behind, proxy, cluster, space, policy):
    behind.start()
    space.store({"a": "one"})
    rule = proxy.rule(SECRET_WRITES, delay=1.0)
    space.external_secret("app", data={"k": "a"}, target={"deletionPolicy": policy})
    wait_for(lambda: rule.hits, every=0.01)
    cluster.delete("ExternalSecret", "app", space.name)
    wait_for(lambda: cluster.get("ExternalSecret", "app", space.name) is None)
    wait_for(lambda: any(status == 201 for _, _, status in proxy.requests(SECRET_WRITES)))
    wait_for(lambda: cluster.get("Secret", "app", space.name) is None, 60)
    stays(lambda: cluster.get("Secret", "app", space.name) is None, 1)
    assert '"level":"error"' not in behind.log


@pytest.mark.sanitized
def test_finalizers_are_given_back_whatever_conflicts(behind, proxy, cluster, space):
    """Ours goes although the API server refuses it time and again; somebody else's stays."""
    behind.start()
    space.store({"a": "one"})
    for name in ("app", "held"):
        space.external_secret(name, data={"k": "a"})
        space.synced(name, {"k": "one"})
        wait_for(lambda: cluster.get("ExternalSecret", name, space.name)["metadata"].get("finalizers") == [FINALIZER])
    cluster.patch("ExternalSecret", "held", {"metadata": {"finalizers": [FINALIZER, "example.com/hold"]}}, space.name)
    rule = proxy.rule(r"^PATCH .*/externalsecrets/(app|held)(\?|$)", status=409, times=8)
    cluster.delete_all("ExternalSecret", space.name)
    wait_for(lambda: cluster.get("ExternalSecret", "app", space.name) is None)
    wait_for(lambda: cluster.get("ExternalSecret", "held", space.name)["metadata"]["finalizers"] == ["example.com/hold"])
    assert rule.left == 0
    assert '"level":"error"' not in behind.log, "a conflict is no error"
    cluster.patch("ExternalSecret", "held", {"metadata": {"finalizers": None}}, space.name)
    wait_for(lambda: cluster.get("ExternalSecret", "held", space.name) is None)


@pytest.mark.sanitized
def test_a_secret_made_immutable_is_explained_until_it_goes(behind, proxy, cluster, space):
    behind.start()
    space.store({"a": "one"})
    space.external_secret("app", data={"k": "a"}, refreshInterval="1s")
    space.synced("app", {"k": "one"})
    cluster.patch("Secret", "app", {"immutable": True}, space.name)
    stays(lambda: cluster.ready("ExternalSecret", "app", space.name), 1.5)
    space.store({"a": "two"})
    message = space.failed("app")
    assert message == "could not update secret, target is immutable: unable to update secret app: secret is immutable"
    count = len(proxy.requests(WRITES))
    time.sleep(2.5)
    assert proxy.requests(WRITES)[count:] == [], "it is not tried, since it cannot work"
    cluster.holds(space.name, "app", {"k": "one"})
    cluster.delete("Secret", "app", space.name)
    space.synced("app", {"k": "two"})
    assert "immutable" not in cluster.get("Secret", "app", space.name)


def test_a_secret_edited_again_and_again_is_put_right_each_time(behind, proxy, cluster, space):
    """Two controllers, one Secret: there is no end to it, but it is no storm either."""
    behind.start()
    space.store({"a": "one"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "one"})
    before = len(proxy.requests(SECRET_WRITES))
    edits = 0
    for _ in range(20):
        try:
            cluster.patch("Secret", "app", {"data": {"k": base64.b64encode(b"other").decode()}}, space.name)
            edits += 1
        except Refused as e:
            assert e.status == 409
    space.synced("app", {"k": "one"})
    assert len(proxy.requests(SECRET_WRITES)) - before <= 2 * edits
    assert wait_for(lambda: is_quiet(proxy), 10)


def test_who_has_changed_a_secret_is_in_the_log(operator, cluster, space):
    """The one who put it right says whose work that undoes, even if the other one has the same name."""
    space.store({"a": "one"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "one"})

    def edit(manager):
        cluster.call("PATCH", cluster.path("Secret", space.name, "app"), {"data": {"k": base64.b64encode(manager.encode()).decode()}},
                     [("fieldManager", manager)], "application/merge-patch+json")
        space.synced("app", {"k": "one"})
        wait_for(lambda: [line for line in operator.log.splitlines() if "is put right" in line and f'"manager":"{manager}"' in line])
        return [line for line in operator.log.splitlines() if "is put right" in line][-1]

    line = edit("somebodys-pipeline")
    assert '"level":"warn"' in line and '"target":"app"' in line and "changed by somebody else and is put right" in line
    time.sleep(1.1)  # what the API server notes is to the second
    line = edit(MANAGER + "app")
    assert "changed under esod's own name and is put right: does another operator run?" in line
    assert base64.b64encode(b"somebodys-pipeline").decode() not in operator.log
