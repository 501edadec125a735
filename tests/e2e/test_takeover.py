"""Changing over: esod adopts what the reference operator left behind without a write, looks after it from then on, and
leaves behind what the reference expects.

The reference's part is played from the specification, with hashes of its own: `Reference` writes objects as it does, and
`has_work_for` is its decision whether an object needs anything.
"""

import base64
import calendar
import copy
import hashlib
import json
import time

import pytest

from harness import (CREATED_BY, DATA_HASH, FINALIZER, GROUP, MANAGED, MANAGER, condition, data_hash, decoded, external_secret,
                     owner_hash, stays, store, synced_version, version, wait_for, with_server)

pytestmark = pytest.mark.sanitized

WRITES = r"^(POST|PUT|PATCH|DELETE) (?!.*/events)"

APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": '{"kind":"ExternalSecret"}\n', "note": "two words, \u00e4"}


def written_here(proxy, space):
    """The writes that the proxy has seen. Namespaces that other tests have left to be deleted are not this test's."""
    lines = [line for _, line, _ in proxy.requests(WRITES)]
    return [line for line in lines if "/namespaces/e2e-" not in line or f"/namespaces/{space.name}/" in line]


def manager_of(name):
    manager = MANAGER + name
    return manager if len(manager) <= 63 else MANAGER + "sha3/" + hashlib.sha3_224(name.encode()).hexdigest()


def timestamp(ago=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def encoded(data):
    return {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}


def without_status(obj):
    """What a user keeps in a file."""
    return {k: obj[k] for k in ("apiVersion", "kind", "spec")} | {
        "metadata": {k: obj["metadata"][k] for k in ("name", "namespace", "labels", "annotations") if k in obj["metadata"]}}


class Reference:
    """Writes what the reference writes, with its field managers and in its order."""

    def __init__(self, cluster, space):
        self.cluster, self.ns = cluster, space.name

    def _write(self, method, kind, obj, manager, sub=None):
        name = obj["metadata"]["name"] if method != "POST" else None
        return self.cluster.call(method, self.cluster.path(kind, obj["metadata"].get("namespace"), name, sub), obj,
                                 [("fieldManager", manager)])

    def secret(self, es, data):
        """The Secret as the reference shapes it for an object without a template (sections 2 and 7)."""
        target, meta = es["spec"]["target"], es["metadata"]
        made = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": encoded(data), "metadata": {
            "name": target.get("name") or meta["name"], "namespace": self.ns,
            "labels": {**meta.get("labels", {}), MANAGED: "true"},
            "annotations": {**meta.get("annotations", {}), DATA_HASH: data_hash({k: v.encode() for k, v in data.items()})}}}
        if target["creationPolicy"] == "Owner":
            made["metadata"]["labels"][CREATED_BY] = owner_hash(self.ns, meta["name"])
            made["metadata"]["ownerReferences"] = [{
                "apiVersion": GROUP + "/v1", "kind": "ExternalSecret", "name": meta["name"], "uid": meta["uid"],
                "controller": True, "blockOwnerDeletion": True}]
        if target.get("immutable"):
            made["immutable"] = True
        return made

    def status(self, es, ago, secret=True):
        made = {"refreshTime": timestamp(ago), "syncedResourceVersion": synced_version(es), "conditions": [
            {"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced",
             "lastTransitionTime": timestamp(ago + 100)}]}
        if secret:
            made["binding"] = {"name": es["spec"]["target"].get("name") or es["metadata"]["name"]}
        return made

    def leave(self, name, data, ago=60, labels=None, annotations=None, kind="ClusterSecretStore", store_name=None, foreign=None,
              **spec):
        """An ExternalSecret that was served: keys of the Secret have the values of equal remote keys."""
        wanted = external_secret(self.ns, name, store_name or self.ns, {k: k for k in data}, kind=kind, **spec)
        wanted["metadata"] |= {"labels": labels or {"team": "red"}, "annotations": annotations or APPLIED}
        es = self.cluster.create(wanted)
        es = self.cluster.call("PATCH", self.cluster.path("ExternalSecret", self.ns, name),
                               {"metadata": {"finalizers": [FINALIZER]}}, [("fieldManager", "external-secrets")],
                               "application/merge-patch+json")
        policy = es["spec"]["target"]["creationPolicy"]
        if policy != "None":
            made = self.secret(es, data)
            if foreign:
                self.merge_into(made, foreign)
            else:
                self._write("POST", "Secret", made, manager_of(name))
        es["status"] = self.status(es, ago, policy != "None")
        return self._write("PUT", "ExternalSecret", es, "external-secrets", "status")

    def merge_into(self, made, foreign):
        """Somebody made the Secret; the reference marks it as managed and adds its own (3.7, 7.1)."""
        name = made["metadata"]["name"]
        es_name = name
        self._write("POST", "Secret", {"apiVersion": "v1", "kind": "Secret", "data": encoded(foreign),
                                       "metadata": {"name": name, "namespace": self.ns, "labels": {"mine": "yes"}}}, "kubectl")
        now = self.cluster.call("PATCH", self.cluster.path("Secret", self.ns, name), {"metadata": {"labels": {MANAGED: "true"}}},
                                [("fieldManager", manager_of(es_name))], "application/merge-patch+json")
        now["data"] |= made["data"]
        now["metadata"]["labels"] |= made["metadata"]["labels"]
        now["metadata"]["annotations"] = {**made["metadata"]["annotations"], DATA_HASH: data_hash(decoded(now))}
        self._write("PUT", "Secret", now, manager_of(es_name))

    def leave_store(self, entries, namespace=None):
        """A store that was validated."""
        name = "own" if namespace else self.ns
        made = self.cluster.create(store(name, entries, namespace=namespace))
        made["status"] = {"capabilities": "ReadWrite", "conditions": [
            {"type": "Ready", "status": "True", "reason": "Valid", "message": "store validated",
             "lastTransitionTime": timestamp(500)}]}
        return self._write("PUT", made["kind"], made, "external-secrets", "status")


def has_work_for(es, secret):
    """Would the reference fetch and write, now? (section 4)"""
    status, spec = es.get("status") or {}, es["spec"]
    policy = spec.get("refreshPolicy", "Periodic")
    synced, refreshed = status.get("syncedResourceVersion", ""), status.get("refreshTime")
    due = not synced or not refreshed
    if policy != "CreatedOnce":
        due = due or synced != synced_version(es)
    if policy == "Periodic" and not due:
        age = time.time() - seconds(refreshed)
        due = age < -1 or age > 3600
    if spec["refreshInterval"] == "0" and synced:
        due = False
    valid = secret and secret["metadata"]["labels"].get(MANAGED) == "true" and \
        secret["metadata"]["annotations"].get(DATA_HASH) == data_hash(decoded(secret))
    return due or not (valid or spec["target"]["creationPolicy"] in ("Orphan", "None"))


@pytest.fixture
def reference(cluster, space):
    return Reference(cluster, space)


def passed_by(operator, space, names):
    """Waits until esod has had a look at each of them."""
    def check():
        seen = {line["name"] for line in map(json.loads, (raw for raw in operator.log.splitlines() if '"pass"' in raw))
                if line.get("namespace") == space.name}
        assert set(names) <= seen, f"not looked at yet: {set(names) - seen}"
        return True
    wait_for(check)


def versions(cluster, space):
    found = {f"{kind}/{o['metadata']['name']}": version(o) for kind in ("ExternalSecret", "Secret", "SecretStore")
             for o in cluster.list(kind, space.name)}
    return found | {"ClusterSecretStore": version(cluster.get("ClusterSecretStore", space.name))}


LONG = "n" * 27, "n" * 28, "long." * 12 + "name", "x" * 253
VALUES = {"k": "one", "other": "two"}
LEFT = {
    "app": {},
    "renamed": {"target": {"name": "another"}},
    "orphan": {"target": {"creationPolicy": "Orphan"}},
    "created-or-merged": {"target": {"creationPolicy": "CreateOrMerge"}},
    "merged": {"target": {"creationPolicy": "Merge"}, "foreign": {"mine": "x"}},
    "none": {"target": {"creationPolicy": "None"}},
    "delete": {"target": {"deletionPolicy": "Delete"}},
    "frozen": {"target": {"immutable": True}},
    "once": {"refreshInterval": "0"},
    "created-once": {"refreshPolicy": "CreatedOnce", "ago": 100000},
    "on-change": {"refreshPolicy": "OnChange", "ago": 100000},
    "namespaced": {"kind": "SecretStore", "store_name": "own"},
    **{name: {} for name in LONG},
}


def leave_all(reference, space, **more):
    space._stores.append(space.name)
    reference.leave_store(VALUES)
    reference.leave_store(VALUES, space.name)
    for name, how in LEFT.items():
        reference.leave(name, VALUES, **{**how, **more})


# ---- from the reference to esod

def test_what_is_in_step_is_adopted_without_a_write(behind, proxy, reference, cluster, space):
    leave_all(reference, space)
    before = versions(cluster, space)
    for _ in range(2):
        behind.start()
        passed_by(behind, space, [*LEFT, "own"])
        wait_for(lambda: cluster.events("default", space.name, "Valid"))
        time.sleep(1)
        behind.stop()
    assert versions(cluster, space) == before
    assert written_here(proxy, space) == []
    assert [e["reason"] for e in cluster.list("Event", space.name)
            if e["involvedObject"]["kind"] == "ExternalSecret"] == []


def test_what_is_due_is_refreshed_and_nothing_but_the_time_is_written(behind, proxy, reference, cluster, space):
    """The reference stopped two hours ago; values are as they were."""
    due = [name for name, how in LEFT.items() if not how.get("refreshPolicy") and how.get("refreshInterval") != "0"]
    leave_all(reference, space, ago=7200)
    before = versions(cluster, space)
    left = {o["metadata"]["name"]: o for o in cluster.list("ExternalSecret", space.name)}
    behind.start()

    def refreshed():
        now = {o["metadata"]["name"]: o for o in cluster.list("ExternalSecret", space.name)}
        for name in due:
            assert time.time() - seconds(now[name]["status"]["refreshTime"]) < 3600, f"{name} was not refreshed"
        return now
    now = wait_for(refreshed)
    after = versions(cluster, space)
    changed = {key for key in before if before[key] != after.get(key)}
    assert changed == {f"ExternalSecret/{name}" for name in due}
    for name in due:
        want = {**left[name]["status"], "refreshTime": now[name]["status"]["refreshTime"]}
        assert now[name]["status"] == want
        assert now[name]["metadata"]["generation"] == left[name]["metadata"]["generation"]
    written = written_here(proxy, space)
    assert len(written) == len(due) and all("/status" in line for line in written), written


READER = "e2e-takeover-reader"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def reader(control_plane, cluster, proxy, tmp_path):
    """The kubeconfig of somebody who may read all that esod reads, and write nothing: what docs/operations.md advises."""
    rules = [{"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list", "watch"]},
             {"apiGroups": [""], "resources": ["secrets", "configmaps", "namespaces"], "verbs": ["get", "list", "watch"]}]
    meta = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": READER}}
    cluster.call("POST", f"{RBAC}/clusterroles", {**meta, "kind": "ClusterRole", "rules": rules})
    cluster.call("POST", f"{RBAC}/clusterrolebindings", {
        **meta, "kind": "ClusterRoleBinding", "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": READER},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody"}]})
    path = tmp_path / "reader"
    path.write_text(with_server(control_plane.state / "kubeconfig-nobody", proxy.url, proxy.ca))
    yield path
    for kind in ("clusterrolebindings", "clusterroles"):
        cluster.call("DELETE", f"{RBAC}/{kind}/{READER}")


def test_who_may_only_read_shows_beforehand_what_would_be_written(make_operator, reader, reference, proxy, cluster, space):
    leave_all(reference, space)
    cluster.patch("Secret", "app", {"data": {"k": "eA=="}}, space.name)
    cluster.patch("ExternalSecret", "merged", {"metadata": {"labels": {"team": "blue"}}}, space.name)
    before = versions(cluster, space)
    operator = make_operator(kubeconfig=reader).start()
    passed_by(operator, space, [name for name in LEFT if name not in ("app", "merged")])

    def told():
        said = [line for line in map(json.loads, operator.log.splitlines())
                if line["level"] == "error" and line.get("namespace") == space.name]
        assert {line["name"] for line in said} == {"app", "merged"}
        for line in said:
            assert 'User "nobody" cannot update resource "secrets"' in line["error"], line
        return True
    wait_for(told)
    time.sleep(1)
    told()
    refused = {line.split("?")[0] for line in written_here(proxy, space)}
    where = f"/namespaces/{space.name}"
    assert {line for line in refused if line.endswith(("/secrets/app", "/secrets/merged"))} == {
        f"PUT /api/v1{where}/secrets/{name}" for name in ("app", "merged")}
    assert all(line.endswith(("/app", "/merged", "/app/status", "/merged/status")) for line in refused), refused
    assert versions(cluster, space) == before


@pytest.mark.parametrize("name", ["app", *LONG[1:3]], ids=["short", "28 letters", "64 letters"])
@pytest.mark.parametrize("policy", ["Owner", "Orphan", "CreateOrMerge", "Merge"])
def test_what_is_no_longer_named_goes(make_operator, reference, cluster, space, name, policy):
    """Keys, labels and annotations that the reference wrote: known by its field manager."""
    space._stores.append(space.name)
    reference.leave_store(VALUES)
    foreign = {"foreign": {"mine": "x"}} if policy == "Merge" else {}
    es = reference.leave(name, VALUES, labels={"team": "red", "stale": "label"}, annotations={"stale": "note", "kept": "note"},
                         target={"creationPolicy": policy}, **foreign)
    cluster.call("PATCH", cluster.path("Secret", space.name, name),
                 {"metadata": {"labels": {"theirs": "label"}, "annotations": {"theirs": "note"}}}, [("fieldManager", "somebody")],
                 "application/merge-patch+json")
    make_operator().start()
    file = without_status(es)
    file["spec"]["data"] = [d for d in file["spec"]["data"] if d["secretKey"] == "k"]
    file["metadata"] |= {"labels": {"team": "red"}, "annotations": {"kept": "note"}}
    file["metadata"]["resourceVersion"] = version(es)
    file["metadata"]["finalizers"] = es["metadata"]["finalizers"]
    cluster.call("PUT", cluster.path("ExternalSecret", space.name, name), file)
    want = {"k": "one", **foreign.get("foreign", {})}
    _, secret = space.synced(name, want)
    labels, notes = secret["metadata"]["labels"], secret["metadata"]["annotations"]
    assert set(labels) == {"team", "theirs", MANAGED} | ({CREATED_BY} if policy == "Owner" else set()) | (
        {"mine"} if foreign else set())
    assert set(notes) == {"kept", "theirs", DATA_HASH}
    assert notes[DATA_HASH] == data_hash(decoded(secret))


def test_what_the_policies_promise_when_it_is_deleted(make_operator, reference, cluster, space):
    leave_all(reference, space)
    make_operator().start()
    for name in LEFT:
        cluster.delete("ExternalSecret", name, space.name)
    wait_for(lambda: not cluster.list("ExternalSecret", space.name))
    wait_for(lambda: cluster.get("Secret", "delete", space.name) is None)
    kept = {"orphan", "created-or-merged", "merged"}
    # The others go with their owner, by the garbage collector's hand.
    wait_for(lambda: {s["metadata"]["name"] for s in cluster.list("Secret", space.name)} == kept, 40)
    cluster.holds(space.name, "merged", {**VALUES, "mine": "x"})


def test_objects_stored_as_v1beta1(make_operator, control_plane, reference, cluster, space):
    """As an old installation keeps them: nobody has written them since v1 came."""
    kinds = {"ExternalSecret": "externalsecrets", "ClusterSecretStore": "clustersecretstores"}

    def stored_as(name):
        for plural in kinds.values():
            crd = cluster.get("CustomResourceDefinition", f"{plural}.{GROUP}")
            held = [{**v, "storage": v["name"] == name} for v in crd["spec"]["versions"]]
            cluster.patch("CustomResourceDefinition", f"{plural}.{GROUP}", {"spec": {"versions": held}})

    def in_etcd(*path):
        key = base64.b64encode("/".join(("/registry", GROUP, *path)).encode()).decode()
        return base64.b64decode(control_plane.etcd("kv/range", key=key)["kvs"][0]["value"])

    space._stores.append(space.name)
    stored_as("v1beta1")
    try:
        def old():
            cluster.delete("ClusterSecretStore", space.name)
            reference.leave_store(VALUES)
            assert b'"apiVersion":"external-secrets.io/v1beta1"' in in_etcd("clustersecretstores", space.name)
            es = reference.leave("app", VALUES) if not cluster.get("ExternalSecret", "app", space.name) else None
            return es
        es = wait_for(old)
    finally:
        stored_as("v1")
    assert b'"apiVersion":"external-secrets.io/v1beta1"' in in_etcd("externalsecrets", space.name, "app")
    owner, = cluster.get("Secret", "app", space.name)["metadata"]["ownerReferences"]
    cluster.patch("Secret", "app", {"metadata": {"ownerReferences": [{**owner, "apiVersion": GROUP + "/v1beta1"}]}}, space.name)
    before = versions(cluster, space)
    operator = make_operator().start()
    passed_by(operator, space, ["app"])
    time.sleep(1)
    assert versions(cluster, space) == before
    # And is served like any other from then on.
    cluster.patch("ExternalSecret", "app", {"spec": {"data": [es["spec"]["data"][0]]}}, space.name)
    _, secret = space.synced("app", {"k": "one"})
    assert secret["metadata"]["ownerReferences"] == [owner]
    for plural in kinds.values():
        cluster.patch("CustomResourceDefinition", f"{plural}.{GROUP}", {"status": {"storedVersions": ["v1"]}}, sub="status")


# ---- and back

def fields(entry):
    """The managed fields of an entry, without the uids in it."""
    text = json.dumps(entry["fieldsV1"], sort_keys=True)
    return {k: v for k, v in entry.items() if k not in ("time", "fieldsV1")}, text


def test_what_esod_leaves_is_what_the_reference_leaves(operator, reference, cluster, space):
    """The same objects, served by both: equal to the byte, times aside; and the reference finds nothing to do."""
    cluster.apply(store("own", VALUES, namespace=space.name))
    space.store(VALUES)
    plain = {name: how for name, how in LEFT.items() if "foreign" not in how}
    for name, how in plain.items():
        spec = {k: v for k, v in how.items() if k not in ("ago", "store_name")}
        made = external_secret(space.name, name, how.get("store_name", space.name), {k: k for k in VALUES},
                               **{"kind": "ClusterSecretStore", **spec})
        made["metadata"] |= {"labels": {"team": "red"}, "annotations": APPLIED}
        cluster.create(made)

    def served():
        found = {o["metadata"]["name"]: o for o in cluster.list("ExternalSecret", space.name)}
        for o in found.values():
            assert o["metadata"].get("finalizers") == [FINALIZER] and condition(o)["status"] == "True"
        return found
    found = wait_for(served)
    operator.stop()

    for name, es in found.items():
        target = es["spec"]["target"].get("name") or name
        secret = cluster.get("Secret", target, space.name)
        none = es["spec"]["target"]["creationPolicy"] == "None"
        assert not has_work_for(es, secret), name
        refreshed = es["status"]["refreshTime"]
        assert 0 <= time.time() - seconds(refreshed) < 100
        want = reference.status(es, 0, not none)
        want["refreshTime"] = want["conditions"][0]["lastTransitionTime"] = refreshed
        assert es["status"] == want, name
        if none:
            assert secret is None
            continue
        made = reference.secret(es, VALUES)
        bare = copy.deepcopy(secret)
        for key in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
            del bare["metadata"][key]
        assert bare == made, name
        # What the API server notes for the reference's own request.
        cluster.delete("Secret", target, space.name)
        theirs = reference._write("POST", "Secret", made, manager_of(name))
        assert [fields(e) for e in secret["metadata"]["managedFields"]] == \
            [fields(e) for e in theirs["metadata"]["managedFields"]], name
        assert secret["metadata"]["managedFields"][0]["operation"] == "Update"


def test_there_and_back_again_writes_nothing(make_operator, reference, cluster, space):
    """The reference's objects, looked after by esod, edited meanwhile: the reference finds nothing to do, and would find
    what to take away once a key is dropped."""
    leave_all(reference, space)
    operator = make_operator().start()
    for name in LEFT:
        cluster.patch("ExternalSecret", name, {"metadata": {"labels": {"team": "blue"}}}, space.name)

    def followed():
        for es in cluster.list("ExternalSecret", space.name):
            name, spec = es["metadata"]["name"], es["spec"]
            if spec["refreshInterval"] == "0" or spec.get("refreshPolicy") == "CreatedOnce":
                continue  # they do not follow
            assert es["status"]["syncedResourceVersion"] == synced_version(es), name
            assert condition(es)["lastTransitionTime"] < es["status"]["refreshTime"]
            secret = cluster.get("Secret", spec["target"].get("name") or name, space.name)
            assert not has_work_for(es, secret), name
            if secret and not spec["target"].get("immutable"):
                assert secret["metadata"]["labels"]["team"] == "blue", name
                mine = [e for e in secret["metadata"]["managedFields"] if e["manager"] == manager_of(name)]
                assert {e["operation"] for e in mine} == {"Update"}
                owned = {k[2:] for e in mine for k in e["fieldsV1"].get("f:data", {}) if k != "."}
                assert owned == set(VALUES), name
        return True
    wait_for(followed)
    before = versions(cluster, space)
    operator.restart()
    passed_by(operator, space, LEFT)
    stays(lambda: versions(cluster, space) == before, 1)
    assert versions(cluster, space) == before
