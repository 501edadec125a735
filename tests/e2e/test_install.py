"""The chart on a cluster that runs its pods: installed, changed, taken back, removed; and what goes wrong on the way."""

import json
import os
import re
import signal
import subprocess

import pytest
import yaml

import harness
from harness import build_dir, decoded, store, version, wait_for
from pods import libraries

DEFINITIONS = ["clusterexternalsecrets", "clusterpushsecrets", "clustersecretstores", "externalsecrets", "pushsecrets", "secretstores"]


@pytest.fixture
def without_definitions(pod_cluster):
    """As on a cluster that has never seen esod."""
    pod_cluster.kubectl("delete", "crd", *(f"{d}.external-secrets.io" for d in DEFINITIONS), "--ignore-not-found")
    yield
    disown(pod_cluster)


def disown(cluster):
    """The definitions as if kubectl had made them."""
    notes = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace", "helm.sh/resource-policy")
    for name, definition in definitions(cluster).items():
        if "meta.helm.sh/release-name" in (definition["metadata"].get("annotations") or {}):
            cluster.patch("CustomResourceDefinition", name, {"metadata": {
                "annotations": {note: None for note in notes}, "labels": {"app.kubernetes.io/managed-by": None}}})


def definitions(cluster):
    return {o["metadata"]["name"]: o for o in cluster.list("CustomResourceDefinition")}


def run_notes(notes, helm, cluster, folder):
    """What NOTES tell people to type, typed."""
    tools = folder / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(cluster.plane.conf["tools"]["kubectl"])
    (tools / "helm").symlink_to(helm.binary)
    script = "set -e\n" + "".join(line[2:] + "\n" for line in notes.splitlines() if line.startswith("  "))
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "KUBECONFIG": cluster.kubeconfig, "HOME": str(folder)}
    return subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, timeout=60)


def test_from_nothing_to_a_secret(release, pod_cluster, app, without_definitions, tmp_path):
    esod = release()
    notes = esod.install("--wait", "--timeout=30s").stdout.split("NOTES:\n")[1]
    first = esod.pod()
    assert sorted(definitions(pod_cluster)) == [f"{d}.external-secrets.io" for d in DEFINITIONS]
    # What helm keeps of a release has to fit into a Secret, which may have 1 MiB.
    kept = decoded(pod_cluster.get("Secret", "sh.helm.release.v1.esod.v1", esod.namespace))["release"]
    assert len(kept) < 512 << 10

    typed = run_notes(notes, esod.helm, pod_cluster, tmp_path)
    assert typed.returncode == 0, typed.stderr
    assert f'deployment "esod" successfully rolled out' in typed.stdout
    assert "externalsecret.external-secrets.io/hello condition met\nhello" in typed.stdout
    # `helm test` is `esod preflight` with the release's account and settings.
    assert re.search(r"^ok +rights +all [0-9]+ that these settings need$", typed.stdout, re.M), typed.stdout
    assert "FAILED" not in typed.stdout

    app.store({"a": "1"})
    app.external_secret("kept", data={"k": "a"})
    _, secret = app.synced("kept", {"k": "1"})

    # Settings change: another pod, that has them. It finds everything in step, and writes nothing.
    assert esod.plugins() == ["aws", "fake", "gcp", "kubernetes", "vault", "webhook"]
    esod.upgrade("--set", "concurrent=7,plugins={fake,vault}", "--wait", "--timeout=30s")
    assert esod.pod()["metadata"]["name"] != first["metadata"]["name"]
    assert 'controller_runtime_max_concurrent_reconciles{controller="externalsecret"} 7' in esod.metrics()
    assert esod.plugins() == ["fake", "vault"]
    esod.helm("rollback", "esod", "1", "--namespace", esod.namespace, "--wait", "--timeout=30s")
    assert esod.plugins() == ["aws", "fake", "gcp", "kubernetes", "vault", "webhook"]
    assert 'controller_runtime_max_concurrent_reconciles{controller="externalsecret"} 24' in esod.metrics()

    # It goes, and what people have made stays.
    esod.helm("uninstall", "esod", "--namespace", esod.namespace, "--wait", "--timeout=30s")
    wait_for(lambda: not esod.pods())
    assert sorted(definitions(pod_cluster)) == [f"{d}.external-secrets.io" for d in DEFINITIONS]
    assert pod_cluster.get("ExternalSecret", "kept", app.name)
    assert version(pod_cluster.get("Secret", "kept", app.name)) == version(secret)

    # And comes back to it: the definitions that stayed are its own.
    esod.install("--wait", "--timeout=30s")
    app.external_secret("fresh", data={"k": "a"})
    app.synced("fresh", {"k": "1"})
    assert version(pod_cluster.get("Secret", "kept", app.name)) == version(secret)


def test_a_release_for_each_of_two_namespaces(release, pod_cluster):
    one, two = release(), release()
    for esod in (one, two):
        esod.up("--set", "installCRDs=false,scopedRBAC=true,plugins={fake}")
    for esod, value in ((one, "1"), (two, "2")):
        pod_cluster.apply(store("mine", {"a": value}, namespace=esod.namespace),
                          harness.external_secret(esod.namespace, "app", "mine", {"k": "a"}, kind="SecretStore"))
    for esod, value in ((one, "1"), (two, "2")):
        wait_for(lambda: pod_cluster.holds(esod.namespace, "app", {"k": value}))
    for esod in (one, two):
        pod_cluster.delete("ExternalSecret", "app", esod.namespace)
        wait_for(lambda: pod_cluster.get("ExternalSecret", "app", esod.namespace) is None)

    # A third one, for all namespaces, would serve what they serve.
    said = release().helm.refused("everywhere", "--set", "installCRDs=false")
    assert f"Deployment esod in namespace {min(one.namespace, two.namespace)} (esod) serves the same objects" in said
    assert "Two operators undo each other's writes" in said
    assert "give each a namespace of its own (scopedNamespace, scopedRBAC)" in said


def test_definitions_of_others(release, pod_cluster, helm, esod_bin):
    """Those of the reference are used as they are, or taken over, as the message says; never silently."""
    esod = release()
    # Two are enough here: the API server takes its time for each.
    few = ["--set", "plugins={fake},crds.createClusterExternalSecret=false,crds.createClusterPushSecret=false,"
           "crds.createPushSecret=false,crds.createClusterSecretStore=false"]
    pod_cluster.patch("CustomResourceDefinition", "secretstores.external-secrets.io", {"metadata": {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "external-secrets", "meta.helm.sh/release-namespace": "security"}}})
    try:
        said = helm.refused(esod.namespace, *few)
        assert "externalsecrets.external-secrets.io: already in the cluster, applied without Helm." in said
        assert "secretstores.external-secrets.io: already in the cluster, of Helm release external-secrets in namespace security." in said
        assert "takes them along when it is uninstalled, and with them all ExternalSecrets and their Secrets" in said
        before = {name: version(o) for name, o in definitions(pod_cluster).items()}
        esod.up("--set", "installCRDs=false,plugins={fake}")
        assert {name: version(o) for name, o in definitions(pod_cluster).items()} == before

        # The message's own commands make them esod's.
        for line in said.splitlines():
            if line.startswith("  kubectl "):
                pod_cluster.kubectl(*line.split()[1:])
        esod.up(*few, change=True)
        for name in ("externalsecrets", "secretstores"):
            notes = definitions(pod_cluster)[f"{name}.external-secrets.io"]["metadata"]["annotations"]
            assert notes["meta.helm.sh/release-name"] == "esod" and notes["helm.sh/resource-policy"] == "keep"

        # Somebody changes them beside Helm, for fewer plugins: the next upgrade puts the chart's own back.
        def providers():
            schema = definitions(pod_cluster)["secretstores.external-secrets.io"]["spec"]["versions"][0]["schema"]
            return set(schema["openAPIV3Schema"]["properties"]["spec"]["properties"]["provider"]["properties"])
        all_of_them = providers()
        subprocess.run([esod_bin, "crds", "--apply", "--force-conflicts", "--plugin", "fake", "--kubeconfig", pod_cluster.kubeconfig],
                       check=True, capture_output=True, timeout=60)
        assert providers() == {"fake"} < all_of_them
        esod.up(*few, "--set", "concurrent=5", change=True)
        assert providers() == all_of_them
    finally:
        disown(pod_cluster)


def test_two_releases_for_all_namespaces(release, app):
    """With a class for each, and with names that do not meet; or it is said how they do."""
    one, two = release(), release()
    one.up("--set", "installCRDs=false,plugins={fake},controllerClass=one")
    said = two.helm.refused(two.namespace, "--set", "installCRDs=false,plugins={fake},controllerClass=two")
    assert f"ClusterRole esod-controller is there already, of Helm release esod in namespace {one.namespace}" in said
    flags = re.search(r"^  (--set fullnameOverride=\S+)$", said, re.M)[1].split()
    two.install("--set", "installCRDs=false,plugins={fake},controllerClass=two", *flags)
    for esod, cls in ((one, "one"), (two, "two")):
        esod.pod()
        name = f"{esod.namespace}-{cls}"
        app.store({"a": cls}, name=name, controller=cls)
        app.external_secret(cls, name, {"k": "a"})
        app.synced(cls, {"k": cls})


NAMESPACE_ADMIN = [
    {"apiGroups": ["", "apps", "rbac.authorization.k8s.io", "coordination.k8s.io", "external-secrets.io"],
     "resources": ["*"], "verbs": ["*"]}]


def let_operator(cluster, name, namespace, rules, kind="Role"):
    """The user `operator` may do this, in a namespace or everywhere."""
    where = {"namespace": namespace} if kind == "Role" else {}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name, **where}, "rules": rules}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind + "Binding", "metadata": {"name": name, **where},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
               "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "operator"}]}
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([role, binding]))


def test_an_admin_of_one_namespace(release, pod_cluster, pod_plane, tmp_path):
    """Each step says what is missing, until what is asked for fits the rights."""
    esod = release()
    pod_cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": esod.namespace}})
    let_operator(pod_cluster, "admin", esod.namespace, NAMESPACE_ADMIN)
    esod.helm = esod.helm.as_user(pod_plane.state / "kubeconfig-operator", tmp_path / "helm")
    refused = lambda *args: esod.helm.refused(esod.namespace, *args)

    said = refused()
    assert "no right to list Deployments? Serve one namespace with scopedRBAC=true and installCRDs=false" in said
    assert 'User "operator" cannot list resource "deployments" in API group "apps" at the cluster scope' in said
    said = refused("--set", "scopedRBAC=true")
    assert "no right to read definitions? Let an administrator apply them, and set installCRDs=false" in said
    assert 'User "operator" cannot get resource "customresourcedefinitions"' in said
    esod.up("--set", "scopedRBAC=true,installCRDs=false,plugins={fake}")
    esod.pod()


def test_a_plugin_that_the_image_lacks(release, pod_cluster):
    esod = release()
    esod.install("--set", "installCRDs=false,plugins={fake,vaul}")
    log, message = esod.stopped()
    assert message.endswith(log.splitlines()[-1])
    assert "/etc/esod/esod.yaml:" in log and "plugin vaul: no such file; looked for /usr/lib/esod/plugins/vaul.so" in log
    assert "; the plugins there are aws, fake, gcp, kubernetes, vault, webhook" in log

    # An upgrade puts it right, without a hand on the pod that hangs.
    esod.up("--set", "installCRDs=false,plugins={fake,vault}", change=True)
    assert esod.plugins() == ["fake", "vault"]


def test_a_pin_that_does_not_match(release, pod_cluster):
    esod = release()
    esod.install("--set", "installCRDs=false", values={"plugins": [{"name": "fake", "sha256": "0" * 64}]})
    log, message = esod.stopped()
    assert message.endswith(log.splitlines()[-1])
    is_ = json.loads(pod_cluster.run(esod.namespace, ["plugins", "--json"])[1])["plugins"]
    digest = next(p["sha256"] for p in is_ if p["name"] == "fake")
    assert "/etc/esod/esod.yaml:" in log and f"its SHA-256 is {digest} and the configuration pins {'0' * 64}" in log
    assert "if the file was meant to change, pin the new one" in log


@pytest.fixture
def plugin_image(pod_plane, tmp_path):
    """An image of somebody else, with a plugin in it and a program that copies it."""
    rootfs = tmp_path / "acme"
    files = {"/bin/cp": "bin/cp", str(build_dir() / "tests/plugins/plain.so"): "acme.so"}
    files |= {library: library.lstrip("/") for library in libraries("/bin/cp")}
    for source, target in files.items():
        (rootfs / target).parent.mkdir(parents=True, exist_ok=True)
        (rootfs / target).write_bytes(open(source, "rb").read())
        (rootfs / target).chmod(0o755)
    pod_plane.add_image("registry.example.com/acme:1", rootfs, user="65532:65532")
    return "registry.example.com/acme:1", rootfs / "acme.so"


def test_a_plugin_of_somebody_else(release, pod_cluster, plugin_image):
    """It comes with an image of its own, and is loaded beside those of esod's image, fenced in like them."""
    image, _ = plugin_image
    esod = release()
    esod.up("--set", "installCRDs=false",
                 values={"plugins": ["fake"], "extraPlugins": [{"name": "acme", "image": image}]})
    assert esod.plugins() == ["fake", "plain"]
    esod.upgrade("--set", "installCRDs=false", values={"extraPlugins": [{"name": "acme", "image": "registry.example.com/acme:2"}]})

    def waits():
        state = esod.pods()[-1]["status"]["initContainerStatuses"][0]["state"]
        assert state.get("waiting", {}).get("reason") == "ImagePullBackOff", state
        return state["waiting"]["message"]
    assert "registry.example.com/acme:2" in wait_for(waits)


def test_the_fence_of_a_plugin_in_a_restricted_pod(release, pod_cluster, esod_bin):
    """A container runtime allows no namespaces; what is left holds, and nothing is logged as a warning."""
    esod = release()
    pod_cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": esod.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    esod.up("--set", "installCRDs=false")
    pod = esod.pod()
    code, said = pod_cluster.run(esod.namespace, ["plugins", "--json"])
    assert code == 0, said
    plugins = json.loads(said)["plugins"]
    outside = subprocess.run([esod_bin, "plugins", "--json", "--plugin=fake"], check=True, capture_output=True, text=True).stdout
    holds = {"no-new-privileges", "seccomp", "limits"} | {f for f in json.loads(outside)["plugins"][0]["fences"] if f == "landlock"}
    assert {p["name"]: set(p["fences"]) for p in plugins} == {
        name: holds for name in ("aws", "fake", "gcp", "kubernetes", "vault", "webhook")}
    log = [json.loads(line) for line in pod_cluster.logs(esod.namespace, pod["metadata"]["name"]).splitlines()]
    assert not [line for line in log if line["level"] in ("warn", "error")]


def test_an_esod_that_hangs_is_started_again(release, pod_cluster):
    """By its liveness probe, which is the chart's but for its patience."""
    esod = release()
    probe = {"initialDelaySeconds": 2, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 3}
    esod.up("--set", "installCRDs=false", values={"plugins": ["fake"], "livenessProbe": {"spec": probe},
                                                              "config": {"shutdownGrace": "1s"}, "terminationGracePeriodSeconds": 2})
    pod = esod.pod()
    os.kill(pod_cluster.plane.pid_of(pod, "esod"), signal.SIGSTOP)

    def again():
        status = pod_cluster.get("Pod", pod["metadata"]["name"], esod.namespace)["status"]["containerStatuses"][0]
        assert status["restartCount"] == 1 and status["ready"], status
        return status
    assert wait_for(again)["lastState"]["terminated"]["exitCode"] == 137
    assert pod_cluster.events(esod.namespace, pod["metadata"]["name"], "Unhealthy")
