"""A restart with everything in step writes nothing."""

import time

import pytest

from harness import condition, version, wait_for

pytestmark = pytest.mark.sanitized

COUNT = 30


def everything(cluster, space):
    """kind/name -> resourceVersion of all that an operator could write."""
    found = {}
    for kind in ("ExternalSecret", "Secret"):
        found.update({f"{kind}/{o['metadata']['name']}": version(o) for o in cluster.list(kind, space.name)})
    found[f"ClusterSecretStore/{space.name}"] = version(cluster.get("ClusterSecretStore", space.name))
    return found


@pytest.fixture
def in_step(operator, cluster, space):
    space.store({f"k{i}": f"value {i}" for i in range(COUNT)})
    for i in range(COUNT):
        space.external_secret(f"app-{i}", data={"k": f"k{i}"})
    for i in range(COUNT):
        space.synced(f"app-{i}", {"k": f"value {i}"})
    return everything(cluster, space)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_restart_writes_nothing(operator, cluster, space, in_step, how):
    operator.stop() if how == "SIGTERM" else operator.kill()
    operator.start()
    # It has looked at everything once a change on top of it has been carried out.
    space.external_secret("canary", data={"k": "k0"})
    space.synced("canary", {"k": "value 0"})
    time.sleep(2)
    now = everything(cluster, space)
    assert {k: v for k, v in now.items() if not k.endswith("/canary")} == in_step


def test_what_changed_meanwhile_is_made_up_for(operator, cluster, space, in_step):
    operator.stop()
    cluster.delete("Secret", "app-0", space.name)
    cluster.patch("Secret", "app-1", {"data": {"k": "dGFtcGVyZWQ="}}, space.name)
    space.external_secret("app-2", data={"renamed": "k2"})
    cluster.delete("ExternalSecret", "app-3", space.name)
    space.external_secret("app-new", data={"k": "k9"})
    operator.start()
    space.synced("app-0", {"k": "value 0"})
    space.synced("app-1", {"k": "value 1"})
    space.synced("app-2", {"renamed": "value 2"})
    space.synced("app-new", {"k": "value 9"})
    wait_for(lambda: cluster.get("ExternalSecret", "app-3", space.name) is None)
    now = everything(cluster, space)
    for i in range(4, COUNT):
        assert now[f"Secret/app-{i}"] == in_step[f"Secret/app-{i}"]
        assert now[f"ExternalSecret/app-{i}"] == in_step[f"ExternalSecret/app-{i}"]


def test_the_interval_counts_over_a_restart(operator, cluster, space):
    """The remaining time is waited for, neither none of it nor all of it again."""
    space.store({"a": "first"})
    space.external_secret("app", data={"k": "a"}, refreshInterval="8s")
    es, _ = space.synced("app", {"k": "first"})
    begun = time.monotonic()
    operator.stop()
    space.store({"a": "second"}, ready=False)
    time.sleep(3)
    operator.start()
    cluster.holds(space.name, "app", {"k": "first"})
    space.synced("app", {"k": "second"}, timeout=9)
    assert time.monotonic() - begun >= 5
    assert condition(cluster.get("ExternalSecret", "app", space.name))["lastTransitionTime"] == \
        condition(es)["lastTransitionTime"]
