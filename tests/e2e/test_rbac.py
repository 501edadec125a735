"""The plain manifests that the chart is rendered to: a real API server takes them, and their rights are enough."""

import secrets

import pytest
import yaml

from harness import GROUP, ROOT, condition, external_secret, stays, store, wait_for
from helm import of_kind

VARIANTS = {"cluster": "esod", "namespaced": "esod-namespaced"}


def manifests(chart, variant, namespace):
    """All objects of a variant but the definitions, moved to a namespace as the head of esod-namespaced.yaml says."""
    here = "apps" if variant == "namespaced" else "esod"
    objects = [o for o in chart.plain(VARIANTS[variant]) if o["kind"] != "CustomResourceDefinition"]
    text = yaml.safe_dump_all(objects).replace(f"namespace: {here}\n", f"namespace: {namespace}\n")
    objects = list(yaml.safe_load_all(text))
    for obj in objects:
        if obj["kind"] == "Namespace":
            obj["metadata"]["name"] = namespace
    return objects


def as_user(kubeconfig, token, path):
    """A kubeconfig like another one, for whoever has this token."""
    conf = yaml.safe_load(open(kubeconfig))
    conf["users"] = [{"name": u["name"], "user": {"token": token}} for u in conf["users"]]
    path.write_text(yaml.safe_dump(conf))
    return path


class Installed:
    """A variant that was applied, and an operator that has the rights of its service account and its settings."""

    def __init__(self, cluster, make_operator, tmp_path, objects, namespace):
        self.cluster, self.namespace, self.objects = cluster, namespace, objects
        cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(self.objects))
        token = cluster.kubectl("create", "token", "esod", "-n", namespace).stdout.strip()
        config = yaml.safe_load(of_kind(self.objects, "ConfigMap")["data"]["esod.yaml"])
        mine = as_user(cluster.kubeconfig, token, tmp_path / "kubeconfig-esod")
        # Ports and the log are the test's own. In a pod the Lease is in the pod's namespace; a kubeconfig knows nothing of it.
        config = {k: v for k, v in config.items() if k not in ("metricsAddr", "liveAddr", "logLevel")}
        self.operator = make_operator(kubeconfig=mine, leaderElectionNamespace=namespace, **config)
        self.operator.start()

    def may(self, verb, resource, namespace):
        p = self.cluster.kubectl("auth", "can-i", verb, resource, "-n", namespace, "--as",
                                 f"system:serviceaccount:{self.namespace}:esod", check=False)
        return p.stdout.strip() == "yes"

    def was_never_refused(self):
        refused = [line for line in self.operator.log.splitlines() if "forbidden" in line.lower() or "cannot " in line]
        assert not refused, "\n".join(refused[:5])

    def remove(self):
        self.cluster.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-",
                             stdin=yaml.safe_dump_all(self.objects))


@pytest.fixture
def install(chart, cluster, make_operator, tmp_path):
    made = []

    def install(variant, namespace):
        made.append(Installed(cluster, make_operator, tmp_path, manifests(chart, variant, namespace), namespace))
        return made[-1]

    yield install
    for installed in made:
        installed.remove()


def everything_that_esod_does(cluster, space, namespace, name, kind):
    """Creates, updates, repairs and deletes Secrets, with events, conditions and finalizers."""
    cluster.apply(external_secret(namespace, "app", name, {"k": "a"}, kind=kind, target={"deletionPolicy": "Delete"}))
    space.synced("app", {"k": "1"})
    wait_for(lambda: cluster.events(namespace, "app", "Created"))
    assert cluster.get("ExternalSecret", "app", namespace)["metadata"]["finalizers"]
    cluster.patch("Secret", "app", {"data": {"k": "Yg=="}}, namespace)
    space.synced("app", {"k": "1"})
    cluster.apply(external_secret(namespace, "app", name, {"k": "a"}, kind=kind,
                                  target={"name": "renamed", "deletionPolicy": "Delete"}))
    wait_for(lambda: cluster.holds(namespace, "renamed", {"k": "1"}))
    wait_for(lambda: cluster.get("Secret", "app", namespace) is None)
    cluster.apply(external_secret(namespace, "wrong", name, {"k": "nothing"}, kind=kind))
    space.failed("wrong")
    wait_for(lambda: cluster.events(namespace, "wrong", "UpdateFailed"))
    cluster.delete("ExternalSecret", "app", namespace)
    wait_for(lambda: cluster.get("ExternalSecret", "app", namespace) is None)
    wait_for(lambda: cluster.get("Secret", "renamed", namespace) is None)
    pushes_and_takes_back(cluster, namespace, name, kind)


def pushes_and_takes_back(cluster, namespace, name, kind):
    """With finalizers, of the store too."""
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "src", "namespace": namespace, "labels": {"p": "1"}},
                   "stringData": {"k": "pushed"}})
    cluster.apply({"apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret", "metadata": {"name": "ps", "namespace": namespace},
                   "spec": {"deletionPolicy": "Delete", "secretStoreRefs": [{"name": name, "kind": kind}],
                            "selector": {"secret": {"selector": {"matchLabels": {"p": "1"}}}},
                            "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "r"}}}]}})
    wait_for(lambda: cluster.ready("PushSecret", "ps", namespace))
    where = namespace if kind == "SecretStore" else None
    assert cluster.get(kind, name, where)["metadata"]["finalizers"]
    cluster.delete("PushSecret", "ps", namespace)
    wait_for(lambda: cluster.get("PushSecret", "ps", namespace) is None)
    wait_for(lambda: not cluster.get(kind, name, where)["metadata"].get("finalizers"))


def only_its_own_lease(esod):
    assert '"this replica is the leader"' in esod.operator.log
    for verb in ("get", "list", "watch", "update"):
        assert esod.may(verb, "leases.coordination.k8s.io/external-secrets-controller", esod.namespace), verb
        assert not esod.may(verb, "leases.coordination.k8s.io/another", esod.namespace), verb
    for verb, namespace in (("delete", esod.namespace), ("patch", esod.namespace), ("get", "kube-system"), ("create", "kube-system")):
        assert not esod.may(verb, "leases.coordination.k8s.io/external-secrets-controller", namespace), verb


def test_the_rights_are_enough_for_a_cluster(install, cluster, space):
    esod = install("cluster", f"esod-{secrets.token_hex(4)}")
    space.store({"a": "1"}, conditions=[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}}}])
    everything_that_esod_does(cluster, space, space.name, space.name, "ClusterSecretStore")
    esod.was_never_refused()

    for verb, resource in (("deletecollection", "externalsecrets.external-secrets.io"),
                           ("delete", "clusterexternalsecrets.external-secrets.io"),
                           ("delete", "clusterpushsecrets.external-secrets.io"), ("update", "clustersecretstores.external-secrets.io"),
                           ("deletecollection", "secrets"),
                           ("get", "pods"), ("create", "pods"), ("update", "configmaps"), ("delete", "namespaces"),
                           ("escalate", "clusterroles.rbac.authorization.k8s.io")):
        assert not esod.may(verb, resource, space.name), f"{verb} {resource}"
    assert esod.may("get", "secrets", space.name)
    assert all(esod.may("watch", resource, space.name) for resource in ("configmaps", "serviceaccounts"))
    only_its_own_lease(esod)


def test_the_quickstart_on_a_cluster(install, cluster):
    esod = install("cluster", f"esod-{secrets.token_hex(4)}")
    folder = str(ROOT / "examples" / "quickstart")
    try:
        cluster.kubectl("apply", "-f", folder)
        wait_for(lambda: cluster.holds("default", "database-credentials",
                                       {"user": "app", "password": "s3cr3t", "host": "db.example.com", "port": "5432"}))
        wait_for(lambda: cluster.holds("default", "api", {"token": "token-12345", "database-host": "db.example.com"}))
        wait_for(lambda: cluster.ready("ExternalSecret", "database", "default"))
        esod.was_never_refused()
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", folder)
    wait_for(lambda: cluster.get("ExternalSecret", "database", "default") is None)


def test_the_rights_are_enough_for_one_namespace(install, cluster, space):
    esod = install("namespaced", space.name)
    cluster.apply(store("mine", {"a": "1"}, namespace=space.name))
    wait_for(lambda: cluster.ready("SecretStore", "mine", space.name))
    everything_that_esod_does(cluster, space, space.name, "mine", "SecretStore")

    # A ClusterSecretStore is out of its sight: whoever serves these serves what refers to them.
    cluster.apply(store(space.store({"a": "1"}, ready=False), {"a": "1"}))
    space.external_secret("far", data={"k": "a"})
    stays(lambda: condition(cluster.get("ExternalSecret", "far", space.name)) is None, 2)
    assert condition(cluster.get("ClusterSecretStore", space.name)) is None
    esod.was_never_refused()

    assert esod.may("get", "secrets", space.name)
    for namespace in ("default", "kube-system"):
        assert not esod.may("get", "secrets", namespace)
        assert not esod.may("list", "externalsecrets.external-secrets.io", namespace)
    only_its_own_lease(esod)


@pytest.mark.parametrize("variant", ["cluster", "namespaced"])
def test_the_pod_is_allowed_where_pods_are_restricted(chart, cluster, space, variant):
    objects = manifests(chart, variant, space.name)
    cluster.patch("Namespace", space.name, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    deployment = of_kind(objects, "Deployment")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "esod", "namespace": space.name},
           "spec": deployment["spec"]["template"]["spec"]}
    cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
    p = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(deployment))
    assert "Warning" not in p.stderr, p.stderr

    # The same pod without its restrictions is refused: the check above checks something.
    pod["spec"]["securityContext"] = pod["spec"]["containers"][0]["securityContext"] = {}
    p = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod), check=False)
    assert "violates PodSecurity" in p.stderr
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
