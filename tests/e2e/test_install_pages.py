"""docs/install.md, upgrading.md and migrating.md, command by command, in a cluster that runs pods."""

import json
import re
import secrets
import subprocess
import urllib.request

import pytest
import yaml

import harness
import pages
import reference
from test_takeover import LEFT, VALUES, Reference, leave_all, versions

INSTALL, UPGRADING, MIGRATING = (pages.Page(harness.ROOT / "docs" / f"{name}.md") for name in ("install", "upgrading", "migrating"))


def sections(page):
    return {s.section for s in page.steps()}


@pytest.mark.timeout(180)
def test_installing_upgrading_and_removing(definitions_of, pod_cluster, typed, clone):
    definitions_of("esod", "esod")
    ways = ["Helm", "Is it right?"], ["Uninstalling"], ["Without Helm"]
    assert sections(INSTALL) == {s for way in ways for s in way}
    env = typed()
    pages.follow(INSTALL, clone, env, 60, sections=ways[0])
    pages.follow(UPGRADING, clone, env, 60)
    pages.follow(INSTALL, clone, env, 60, sections=ways[1])
    pages.follow(INSTALL, clone, env, 60, sections=ways[2])
    left = pod_cluster.kubectl("get", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/name=esod", "-o", "name").stdout
    assert not left
    assert pod_cluster.get("CustomResourceDefinition", "externalsecrets.external-secrets.io")


def test_the_values_of_the_page_are_taken(chart):
    together = []  # Helm takes its time: pieces that do not meet are one file
    for block in INSTALL.blocks("yaml"):
        piece = yaml.safe_load(block.text)
        home = next((values for values in together if not set(values) & set(piece)), None)
        if home is None:
            together.append(home := {})
        home.update(piece)
    assert sum(map(len, together)) > 10
    for values in together:
        chart.template({"installCRDs": False, **values}, "--show-only", "templates/deployment.yaml")


def test_the_page_names_every_right(esod_bin):
    said = subprocess.run([str(esod_bin), "preflight", "--rights", "-o", "json", "--metrics-auth", "--metrics-secure",
                           "--enable-leader-election"], capture_output=True, text=True, timeout=60, check=True).stdout
    rights = {}
    for rule in json.loads(said)["rules"]:
        for resource in rule["resources"]:
            rights.setdefault(resource, set()).update(rule["verbs"])
    assert len(rights) > 10
    text = INSTALL.path.read_text()
    table = [line for line in text[text.index("## Rights"):].splitlines() if line.startswith("| `")]
    shown = {}
    for resources, verbs in (line.strip("|").split("|")[:2] for line in table):
        named = re.findall(r"`([^`]+)`", resources)
        if named == [".../status"]:
            named = [r for r in rights if r.endswith("/status")]
        for resource in named:
            shown.setdefault(resource, set()).update(re.findall(r"get|list|watch|create|update|delete|patch", verbs))
    assert {r: shown.get(r) for r in rights} == rights


# ---- migrating

CHART = "external-secrets/external-secrets --version 2.9.0"


@pytest.fixture
def served_by_the_reference(definitions_of, pod_cluster, chart, crds, tmp_path):
    """A cluster with a release of it, and objects that it has served. (its chart, the namespace with the objects)"""
    archive = reference.write_chart(tmp_path / "external-secrets", crds)
    args = "external-secrets", archive, "-n", "external-secrets", "--create-namespace"
    definitions_of("external-secrets", "external-secrets")
    # Its webhook would let nobody write anything, since its program does not run.
    chart.run("install", *args, "--set", "webhook.create=false", kubeconfig=pod_cluster.kubeconfig)
    app = harness.Space(pod_cluster, f"app-{secrets.token_hex(4)}")
    leave_all(Reference(pod_cluster, app), app)
    chart.run("upgrade", *args[:-1], "--set", "webhook.create=true,concurrent=3", kubeconfig=pod_cluster.kubeconfig)
    yield archive, app
    chart.run("uninstall", "esod", "-n", "external-secrets", "--ignore-not-found", kubeconfig=pod_cluster.kubeconfig)
    pod_cluster.kubectl("delete", "validatingwebhookconfigurations", "-l", "external-secrets.io/component=webhook")
    pod_cluster.kubectl("delete", "namespace", "external-secrets", "--wait=false")
    for kind, where in (("ExternalSecret", app.name), ("SecretStore", app.name), ("ClusterSecretStore", None)):
        for o in pod_cluster.list(kind, where):  # nobody is there for their finalizers
            pod_cluster.patch(kind, o["metadata"]["name"], {"metadata": {"finalizers": None}}, where)
    app.remove()


def webhooks(cluster):
    return cluster.kubectl("get", "validatingwebhookconfigurations", "-o", "name").stdout.split()


def owners(cluster):
    """Which release the definitions belong to."""
    found = cluster.json("get", "crd")["items"]
    return {o["metadata"]["annotations"]["meta.helm.sh/release-name"] for o in found}


def looked_at(cluster, names):
    """Waits until esod's pod has had a look at each of them."""
    def check():
        (pod,) = cluster.pods("external-secrets")
        with urllib.request.urlopen(f"http://{pod['status']['podIP']}:8080/metrics", timeout=5) as answer:
            seen = set(re.findall(r'^externalsecret_sync_calls_total\{name="([^"]+)"', answer.read().decode(), re.M))
        assert set(names) <= seen, f"not looked at yet: {set(names) - seen}"
        return True
    harness.wait_for(check)


@pytest.mark.timeout(240)
def test_there_and_back_and_for_good(served_by_the_reference, pod_cluster, typed, clone):
    archive, app = served_by_the_reference
    before = versions(pod_cluster, app)
    env = typed()

    def go(*sections):
        pages.follow(MIGRATING, clone, env, 90, sections=sections, edit=lambda text: text.replace(CHART, str(archive)))

    def replicas():
        return {d["metadata"]["name"]: d["spec"]["replicas"] for d in pod_cluster.json("get", "deployments", "-n", "external-secrets")["items"]}

    go("Before", "There")
    looked_at(pod_cluster, LEFT)
    assert versions(pod_cluster, app) == before
    assert replicas() == {"external-secrets": 0, "esod": 1} and not webhooks(pod_cluster)
    assert owners(pod_cluster) == {"external-secrets"}

    go("Back")
    assert replicas() == {"external-secrets": 1, "external-secrets-webhook": 1, "external-secrets-cert-controller": 1}
    assert len(webhooks(pod_cluster)) == 2
    assert versions(pod_cluster, app) == before

    go("There", "For good")
    looked_at(pod_cluster, LEFT)
    assert versions(pod_cluster, app) == before
    assert replicas() == {"esod": 1} and not webhooks(pod_cluster)
    assert owners(pod_cluster) == {"esod"}
    # The definitions know the rules of the webhook now, and the Secrets are looked after.
    assert "either data or dataFrom should be specified" in pod_cluster.kubectl(
        "patch", "externalsecret", "app", "-n", app.name, "--type=json", "-p", '[{"op":"remove","path":"/spec/data"}]',
        check=False).stderr
    pod_cluster.delete("Secret", "app", app.name)
    app.synced("app", VALUES)

    go("Back from here")
    assert owners(pod_cluster) == {"external-secrets"}
    assert pod_cluster.get("Secret", "app", app.name)
