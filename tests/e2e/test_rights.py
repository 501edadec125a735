"""The chart's rights are exactly those that esod uses: nothing is refused, and nothing is given that it never asks for.

esod runs as a pod with its service account's token, and does all that it does. The API server's audit log says what
it asked for; the rules in the cluster say what it may.
"""

import base64
import itertools
import threading

import audit
from harness import GROUP, KINDS, Refused, external_secret, store, wait_for
from pods import PodCluster

# Looked at by an admission plugin while a Secret is written, so no request of esod's shows it.
# test_without_finalizers_... has what happens without it.
NOT_ASKED = "/finalizers.external-secrets.io"


def is_tight(cluster, esod):
    """Nothing refused, nothing too much."""
    account = f"system:serviceaccount:{esod.namespace}:esod"
    rights = audit.granted(cluster, esod.namespace, "esod")
    assert rights

    def check():
        asked = audit.requests(cluster.plane, account)
        refused, left = audit.forbidden(asked), [r for r in audit.unused(rights, asked) if NOT_ASKED not in r]
        assert not refused and not left, "\n".join(["refused:", *refused, "never needed:", *left])
        return asked
    return wait_for(check, 3)


class Storm:
    """People who change everything all the time: esod's writes meet conflicts, and then it reads and patches."""

    def __init__(self, cluster, account, wanted):
        self.cluster, self.account, self.wanted = cluster, account, wanted
        self.over, self.threads = threading.Event(), []

    def change(self, kind, name, namespace, *patches):
        def run():
            mine = PodCluster(self.cluster.plane)
            for patch in itertools.cycle(patches):
                if self.over.is_set():
                    return
                try:
                    mine.patch(kind, name, patch, namespace)
                except Refused as e:
                    assert e.status == 404, e  # it comes and goes
        self.threads.append(threading.Thread(target=run))

    def come_and_go(self, obj):
        def run():
            mine = PodCluster(self.cluster.plane)
            while not self.over.is_set():
                mine.apply(obj)
                self.over.wait(0.3)
                mine.delete(obj["kind"], obj["metadata"]["name"])
        self.threads.append(threading.Thread(target=run))

    def rage(self):
        for thread in self.threads:
            thread.start()
        try:
            wait_for(self._all_seen, 30, every=0.3)
        finally:
            self.over.set()
            for thread in self.threads:
                thread.join()

    def _all_seen(self):
        asked = audit.requests(self.cluster.plane, self.account)
        left = audit.unused(self.wanted, asked)
        assert not left, "\n".join(left)
        return True


class Work:
    """All that esod does in one namespace with one kind of store."""

    def __init__(self, cluster, namespace, kind, name):
        self.cluster, self.namespace, self.kind, self.name = cluster, namespace, kind, name
        self.where = namespace if kind == "SecretStore" else None

    def put(self, name, data, **spec):
        self.cluster.apply(external_secret(self.namespace, name, self.name, data, kind=self.kind, **spec))

    def synced(self, name, want, target=None):
        wait_for(lambda: self.cluster.holds(self.namespace, target or name, want)
                 and self.cluster.ready("ExternalSecret", name, self.namespace))

    def gone(self, kind, name):
        wait_for(lambda: self.cluster.get(kind, name, self.namespace) is None)

    def secrets(self):
        """Made, repaired, renamed, merged into, deleted; failures with their events, again and again."""
        self.put("app", {"k": "a"}, target={"deletionPolicy": "Delete"})
        self.synced("app", {"k": "1"})
        self.cluster.patch("Secret", "app", {"data": {"k": "Yg=="}}, self.namespace)
        self.synced("app", {"k": "1"})
        self.put("app", {"k": "a"}, target={"name": "renamed", "deletionPolicy": "Delete"})
        self.synced("app", {"k": "1"}, "renamed")
        self.gone("Secret", "app")
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shared", "namespace": self.namespace},
                            "stringData": {"own": "x"}})
        self.put("merged", {"k": "a"}, target={"name": "shared", "creationPolicy": "Merge", "deletionPolicy": "Merge"})
        self.synced("merged", {"own": "x", "k": "1"}, "shared")
        self.put("wrong", {"k": "nothing"}, refreshInterval="1s")
        wait_for(lambda: self.cluster.failed("ExternalSecret", "wrong", self.namespace))
        # The same again is not another event, but a patch of the one that is there.
        wait_for(lambda: any(e["count"] > 1 for e in self.cluster.events(self.namespace, "wrong", "UpdateFailed")))
        for name in ("app", "merged", "wrong"):
            self.cluster.delete("ExternalSecret", name, self.namespace)
            self.gone("ExternalSecret", name)
        self.gone("Secret", "renamed")

    def templates(self):
        """Of a ConfigMap and a Secret."""
        meta = {"namespace": self.namespace}
        self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "form", **meta},
                            "data": {"c": "{{ .k }} from a ConfigMap"}},
                           {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "form", **meta},
                            "stringData": {"s": "{{ .k }} from a Secret"}})
        template = {"templateFrom": [{"configMap": {"name": "form", "items": [{"key": "c"}]}},
                                     {"secret": {"name": "form", "items": [{"key": "s"}]}}]}
        self.put("templated", {"k": "a"}, target={"template": template})
        self.synced("templated", {"c": "1 from a ConfigMap", "s": "1 from a Secret"})

    def pushes(self):
        """There and back again, with the finalizers of PushSecret and store."""
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "src", "namespace": self.namespace},
                            "stringData": {"k": "pushed"}})
        self.push("ps", "src", deletionPolicy="Delete")
        wait_for(lambda: self.cluster.ready("PushSecret", "ps", self.namespace))
        wait_for(lambda: self.cluster.get(self.kind, self.name, self.where)["metadata"].get("finalizers"))
        self.cluster.delete("PushSecret", "ps", self.namespace)
        self.gone("PushSecret", "ps")
        wait_for(lambda: not self.cluster.get(self.kind, self.name, self.where)["metadata"].get("finalizers"))

    def conflicts(self, esod, *more):
        """All that needs a second look; `more` are stores like this one, (kind, name)."""
        label = lambda value: {"metadata": {"labels": {"storm": value}}}
        stores = [(self.kind, self.name), *more]
        plurals = ["externalsecrets", "pushsecrets", *(KINDS[kind][1] for kind, _ in stores)]
        wanted = [r for r in audit.granted(self.cluster, esod.namespace, "esod") if r.group == GROUP
                  and r.resource.split("/")[0] in plurals and r.verb in ("get", "patch")]
        storm = Storm(self.cluster, f"system:serviceaccount:{esod.namespace}:esod", wanted)
        self.put("busy", {"k": "a"})
        storm.change("ExternalSecret", "busy", self.namespace, label("a"), label("b"))
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pushed", "namespace": self.namespace},
                            "stringData": {"k": "pushed"}})
        for kind, name in stores:
            if any(r.resource == "pushsecrets" for r in wanted):
                self.push("busy-" + kind.lower(), "pushed", kind, name)
                policy = lambda value: {"spec": {"deletionPolicy": value}}
                storm.change("PushSecret", "busy-" + kind.lower(), self.namespace, label("a"), policy("Delete"), label("b"), policy("None"))
            works = lambda value: {"spec": {"provider": {"fake": {"validationResult": value}}}}
            storm.change(kind, name, self.namespace if kind == "SecretStore" else None, label("a"), works(2), label("b"), works(0), label("c"))
        storm.rage()

    def cluster_kinds(self, esod):
        """A namespace that two parents select and do not select, children that somebody edits, and conflicts."""
        wanted = [r for r in audit.granted(self.cluster, esod.namespace, "esod") if NOT_ASKED not in str(r) and (
            r.resource.startswith(("clusterexternalsecrets", "clusterpushsecrets", "namespaces"))
            or r.resource in ("externalsecrets", "pushsecrets") and r.verb in ("create", "update", "delete"))]
        label = lambda value: {"metadata": {"labels": {"storm": value}}}
        member = lambda value: {"metadata": {"labels": {"member": value}}}
        name, select = f"all-{self.namespace}", [{"matchLabels": {"member": self.namespace}}]
        to = {"name": self.name, "kind": self.kind}
        specs = {"ClusterExternalSecret": {"externalSecretSpec": {
                     "secretStoreRef": to, "data": [{"secretKey": "k", "remoteRef": {"key": "a"}}]}},
                 "ClusterPushSecret": {"pushSecretSpec": {
                     "secretStoreRefs": [to], "selector": {"secret": {"name": "pushed"}},
                     "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "all"}}}]}}}
        storm = Storm(self.cluster, f"system:serviceaccount:{esod.namespace}:esod", wanted)
        self.cluster.patch("Namespace", self.namespace, member(self.namespace))
        for kind, spec in specs.items():
            parent = {"apiVersion": KINDS[kind][0], "kind": kind, "metadata": {"name": name},
                      "spec": {"namespaceSelectors": select, **spec}}
            self.cluster.apply(parent)
            child = kind.removeprefix("Cluster")
            have = lambda: (self.cluster.get(child, name, self.namespace) or {"spec": {}})["spec"]
            wait_for(have)
            interval = have().get("refreshInterval")
            self.cluster.patch(child, name, {"spec": {"refreshInterval": "17h"}}, self.namespace)
            wait_for(lambda: have() and have().get("refreshInterval") == interval)
            storm.come_and_go(parent)
            storm.change(kind, name, None, label("a"), label("b"))
        storm.change("Namespace", self.namespace, None, member(None), label("a"), label("b"), member(self.namespace), label("c"))
        storm.rage()
        self.cluster.patch("Namespace", self.namespace, member(None))
        for kind in specs:
            self.cluster.delete(kind, name)
            wait_for(lambda: self.cluster.get(kind, name) is None)

    def push(self, name, secret, kind=None, to=None, **spec):
        self.cluster.apply({"apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret", "metadata": {"name": name, "namespace": self.namespace},
                            "spec": {"secretStoreRefs": [{"name": to or self.name, "kind": kind or self.kind}],
                                     "selector": {"secret": {"name": secret}},
                                     "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": name}}}], **spec}})

    def logins(self, plane):
        """Stores that log in with a service account, with a Secret, and trust a ConfigMap's certificate authority."""
        reader, token = "reader", "token"
        ca = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca", "namespace": self.namespace}, "data": {"ca": plane.ca}}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": reader, "namespace": self.namespace}}
        held = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": token, "namespace": self.namespace},
                "data": {"t": base64.b64encode(b"admintoken").decode()}}
        self.cluster.apply(ca, account, held, {"apiVersion": "v1", "kind": "Secret", "stringData": {"v": "far"},
                                               "metadata": {"name": "remote", "namespace": self.namespace}})
        self.cluster.kubectl("create", "rolebinding", "reader", "-n", self.namespace, "--clusterrole=admin",
                             f"--serviceaccount={self.namespace}:{reader}")
        for name, auth in (("by-account", {"serviceAccount": {"name": reader}}), ("by-token", {"token": {"bearerToken": {"name": token, "key": "t"}}})):
            provider = {"remoteNamespace": self.namespace, "auth": auth,
                        "server": {"url": "https://kubernetes.default.svc", "caProvider": {"type": "ConfigMap", "name": "ca", "key": "ca"}}}
            self.cluster.apply({"apiVersion": GROUP + "/v1", "kind": "SecretStore", "metadata": {"name": name, "namespace": self.namespace},
                                "spec": {"provider": {"kubernetes": provider}}})
            self.cluster.apply(external_secret(self.namespace, name, name, {"k": {"key": "remote", "property": "v"}}, kind="SecretStore"))
            wait_for(lambda: self.cluster.holds(self.namespace, name, {"k": "far"}))

        # Whose IAM role is an annotation of a service account. There is no AWS here; it is as far as it gets.
        self.cluster.apply({"apiVersion": GROUP + "/v1", "kind": "SecretStore", "metadata": {"name": "aws", "namespace": self.namespace},
                            "spec": {"provider": {"aws": {"service": "SecretsManager", "region": "eu-west-1", "auth": {
                                "jwt": {"serviceAccountRef": {"name": reader}}}}}}})
        self.cluster.apply(external_secret(self.namespace, "aws", "aws", {"k": "k"}, kind="SecretStore"))

    def other_kinds(self):
        """target.manifest: a ConfigMap that comes, changes and goes."""
        self.put("config", {"k": "a"}, target={"name": "made", "manifest": {"apiVersion": "v1", "kind": "ConfigMap"}, "deletionPolicy": "Delete"})
        wait_for(lambda: (self.cluster.get("ConfigMap", "made", self.namespace) or {}).get("data") == {"k": "1"})
        self.cluster.patch("ConfigMap", "made", {"data": {"k": "drifted"}}, self.namespace)
        wait_for(lambda: self.cluster.get("ConfigMap", "made", self.namespace)["data"] == {"k": "1"})
        self.cluster.delete("ExternalSecret", "config", self.namespace)
        self.gone("ConfigMap", "made")


def hands_over(cluster, esod):
    """The leader goes; the one that stands by goes on."""
    holder = lambda: cluster.get("Lease", "external-secrets-controller", esod.namespace)["spec"].get("holderIdentity", "")
    leader = wait_for(holder).rsplit("_", 1)[0]
    cluster.kubectl("delete", "pod", "-n", esod.namespace, leader, "--wait=false")
    wait_for(lambda: holder() and not holder().startswith(leader))


def test_the_rights_of_a_release_for_all_namespaces(release, pod_cluster, app):
    """Also with the metrics behind a token, objects of other kinds, two replicas."""
    esod = release()
    esod.up(values={
        "installCRDs": False, "replicaCount": 2, "genericTargets": {"enabled": True},
        "metrics": {"listen": {"secure": {"enabled": True}, "auth": {"enabled": True}}}})
    app.store({"a": "1"}, conditions=[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": app.name}}}])
    work = Work(pod_cluster, app.name, "ClusterSecretStore", app.name)
    work.secrets()
    work.templates()
    work.pushes()
    work.logins(pod_cluster.plane)
    work.other_kinds()
    pod_cluster.apply(store("own", {"a": "1"}, namespace=app.name))
    own = Work(pod_cluster, app.name, "SecretStore", "own")
    own.pushes()
    work.conflicts(esod, ("SecretStore", "own"))
    if any(right.resource == "clusterexternalsecrets" for right in audit.granted(pod_cluster, esod.namespace, "esod")):
        work.cluster_kinds(esod)
    esod.scrape()
    hands_over(pod_cluster, esod)
    is_tight(pod_cluster, esod)


def test_the_rights_of_a_release_for_one_namespace(release, pod_cluster):
    esod = release()
    esod.up("--set", "installCRDs=false,scopedRBAC=true,replicaCount=2")
    pod_cluster.apply(store("own", {"a": "1"}, namespace=esod.namespace))
    work = Work(pod_cluster, esod.namespace, "SecretStore", "own")
    work.secrets()
    work.templates()
    work.pushes()
    work.logins(pod_cluster.plane)
    work.conflicts(esod)
    hands_over(pod_cluster, esod)
    is_tight(pod_cluster, esod)
    rights = audit.granted(pod_cluster, esod.namespace, "esod")
    assert {right.namespace for right in rights} == {esod.namespace}, "it reaches out of its namespace"
    work.cluster.delete_all("ExternalSecret", esod.namespace)


def test_the_rights_of_a_small_release(release, pod_cluster):
    """No PushSecrets, no stores but those of namespaces, one replica that elects nobody, plugins that log in nowhere."""
    esod = release()
    esod.up("--set", "installCRDs=false,processPushSecret=false,processClusterStore=false,"
                 "processClusterExternalSecret=false,processClusterPushSecret=false,"
                 "leaderElect=false,plugins={fake,webhook},openshiftFinalizers=true")
    pod_cluster.apply(store("own", {"a": "1"}, namespace=esod.namespace))
    work = Work(pod_cluster, esod.namespace, "SecretStore", "own")
    work.secrets()
    work.templates()
    work.conflicts(esod)
    is_tight(pod_cluster, esod)
    work.cluster.delete_all("ExternalSecret", esod.namespace)


def test_without_finalizers_an_owner_reference_may_be_refused(release, pod_cluster, app):
    """openshiftFinalizers: what the API server says where it enforces this, and who needs the value."""
    esod = release()
    esod.up("--set", "installCRDs=false,openshiftFinalizers=false,plugins={fake}")
    app.store({"a": "1"})
    app.external_secret("app", data={"k": "a"})
    assert "cannot set blockOwnerDeletion" in app.failed("app")
