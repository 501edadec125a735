"""The chart and an API server: what that says to the manifests, and what the chart finds in a cluster before it installs anything."""

import re

import pytest
import yaml

from harness import ROOT, wait_for
from helm import of_kind, reference_values

HERE = ROOT / "tests" / "e2e"
PIN = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

MATRIX = {
    "defaults": {},
    "everything": {
        "replicaCount": 2, "podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"}, "networkPolicy": {"enabled": True},
        "metrics": {"service": {"enabled": True}, "listen": {"secure": {"enabled": True, "secretName": "tls"}, "auth": {"enabled": True}}},
        "genericTargets": {"enabled": True, "resources": [{"apiGroup": "", "resources": ["configmaps"], "verbs": ["get"]}]},
        "systemAuthDelegator": True, "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:x"}, "extraLabels": {"a": "b"}},
        "service": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]},
        "extraPlugins": [{"name": "a", "image": "a/b:1"}, {"name": "b", "image": "a/c:1", "install": "imageVolume", "sha256": PIN},
                         {"name": "c", "volume": {"configMap": {"name": "x"}}}],
        "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}},
                         "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-yet-more'}\n"]},
    "the pod": {
        "hostUsers": False, "priorityClassName": "system-cluster-critical", "schedulerName": "s", "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["10.0.0.1"]}, "hostAliases": [{"ip": "10.0.0.2", "hostnames": ["vault"]}],
        "nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}], "imagePullSecrets": [{"name": "p"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        "podAnnotations": {"a": "b"}, "podLabels": {"c": "d"}, "deploymentAnnotations": {"e": "f"}, "strategy": {"type": "Recreate"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}], "extraVolumes": [{"name": "v", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}], "extraInitContainers": [{"name": "i", "image": "{{ .Chart.Name }}"}],
        "extraContainers": [{"name": "s", "image": "s"}], "podSpecExtra": {"enableServiceLinks": False},
        "podSecurityContext": {"fsGroup": 2000}, "image": {"digest": "sha256:" + PIN}},
    "one namespace": {"scopedRBAC": True},
    "the reference's": "reference",
}


@pytest.mark.parametrize("name", MATRIX)
def test_an_api_server_takes_it(chart, cluster, namespace, name):
    values = MATRIX[name]
    if values == "reference":
        values = {**reference_values(), "installCRDs": False}
    objects = chart.objects(values, namespace=namespace)
    p = cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all(objects))
    assert "Warning" not in p.stderr, p.stderr
    assert len(p.stdout.splitlines()) == len(objects)


@pytest.fixture(scope="module")
def monitored(cluster):
    """The cluster, while it knows the kinds of the Prometheus operator."""
    cluster.kubectl("apply", "-f", HERE / "monitoring-crds.yaml")
    for kind in ("servicemonitors", "prometheusrules"):
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{kind}.monitoring.coreos.com", "--timeout=30s")
    yield cluster
    cluster.kubectl("delete", "-f", HERE / "monitoring-crds.yaml")


def test_what_prometheus_and_grafana_take(chart, monitored, namespace):
    """Rendered if the cluster knows the kinds, and then as these kinds are."""
    values = {"installCRDs": False, "allowSeveral": True, "serviceMonitor": {
                  "enabled": True, "additionalLabels": {"release": "prom"}, "relabelings": [{"action": "labeldrop", "regex": "pod"}],
                  "metricRelabelings": [{"action": "drop", "regex": "x"}]},
              "metrics": {"listen": {"auth": {"enabled": True}, "secure": {"enabled": True}}},
              "prometheusRule": {"enabled": True}, "grafanaDashboard": {"enabled": True}}
    p = chart.run("template", "esod", chart.archive, "-n", namespace, "--validate", values=values, kubeconfig=monitored.kubeconfig)
    objects = [o for o in yaml.safe_load_all(p.stdout) if o]
    assert {"ServiceMonitor", "PrometheusRule"} <= {o["kind"] for o in objects}
    p = monitored.kubectl("create", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all(objects))
    assert len(p.stdout.splitlines()) == len(objects)

    source = ROOT / "deploy" / "observability"
    rules = yaml.safe_load((source / "prometheus-rules.yaml").read_text())
    assert of_kind(objects, "PrometheusRule")["spec"]["groups"] == rules["groups"], "what stands in braces is left alone"
    dashboard = of_kind(objects, "ConfigMap", "esod-dashboard")
    assert dashboard["data"]["esod.json"] == (source / "grafana-dashboard.json").read_text()
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    service, monitor = of_kind(objects, "Service"), of_kind(objects, "ServiceMonitor")
    assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]


@pytest.fixture
def install(chart, cluster, namespace):
    """install(NAME, values): helm install into the test's namespace, gone after the test; `dry`: as if."""
    made = []
    # Those of tests before this one are on their way out.
    wait_for(lambda: not cluster.kubectl("get", "deployments", "-A", "-o", "name").stdout, 60)

    def install(name, values=None, where=namespace, check=True, dry=True, kubeconfig=cluster.kubeconfig):
        if not dry:
            made.append((name, where))
        return chart.run("install", name, chart.archive, "-n", where, *(["--dry-run=server"] if dry else []), check=check,
                         values={"installCRDs": False, **(values or {})}, kubeconfig=kubeconfig)

    yield install
    for name, where in made:
        chart.run("uninstall", name, "-n", where, kubeconfig=cluster.kubeconfig)


def test_two_operators_for_the_same_objects_are_refused(install, cluster, namespace, second_space):
    install("first", dry=False)
    p = install("second", where=second_space.name, check=False)
    assert p.returncode != 0
    assert f"Deployment first-esod in namespace {namespace} (esod) serves the same objects. Two operators undo each other's writes." in p.stderr
    assert f"kubectl scale deployment first-esod -n {namespace} --replicas=0" in p.stderr and "--set allowSeveral=true" in p.stderr
    install("second", {"allowSeveral": True}, where=second_space.name)

    # What shares no objects is not in the way, but for a Lease of the same name.
    p = install("other", {"controllerClass": "dev"}, check=False)
    assert f"elects its leader with the same Lease {namespace}/external-secrets-controller, so one of the two would never work" in p.stderr
    assert "--set leaderElectionID=other-esod" in p.stderr
    install("other", {"controllerClass": "dev", "leaderElectionID": "other-esod"})
    # Nor is one that is stopped.
    cluster.kubectl("scale", "deployment", "first-esod", "-n", namespace, "--replicas=0")
    install("second", where=second_space.name)


def test_the_reference_operator_is_noticed(install, cluster, namespace, second_space):
    def deployment(name, args):
        labels = {"app.kubernetes.io/name": name}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                    {"name": name, "image": "ghcr.io/external-secrets/external-secrets:v2.9.0", "args": args}]}}}}
    everything = [deployment("external-secrets", ["--concurrent=1"]), deployment("external-secrets-webhook", ["webhook"]),
                  deployment("external-secrets-cert-controller", ["certcontroller"])]
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(everything))
    p = install("esod", where=second_space.name, check=False)
    assert f"Deployment external-secrets in namespace {namespace} (External Secrets Operator) serves the same objects" in p.stderr
    assert "external-secrets-webhook" not in p.stderr

    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(deployment("external-secrets", ["--namespace=apps"])))
    assert "serves the same objects" in install("esod", where=second_space.name, check=False).stderr
    install("esod", {"scopedNamespace": second_space.name}, where=second_space.name)


def test_definitions_of_others_are_left_to_them(install, cluster, namespace):
    # Two of them: an API server takes half a second for every change of a large one.
    values = {"installCRDs": True, "crds": {f"create{kind}": False for kind in (
        "SecretStore", "ClusterSecretStore", "ClusterExternalSecret", "ClusterPushSecret")}}
    p = install("esod", values, check=False)
    assert p.returncode != 0
    assert "externalsecrets.external-secrets.io, pushsecrets.external-secrets.io: already in the cluster, applied without Helm.\n" \
           "To use them as they are:\n  --set installCRDs=false\n" in p.stderr
    commands = re.findall(r"^  (kubectl (?:annotate|label) .*)$", p.stderr, re.M)
    assert len(commands) == 2
    try:
        for command in commands:
            cluster.kubectl(*command.split()[1:])
        p = install("another", values, check=False)
        assert f"already in the cluster, of Helm release esod in namespace {namespace}." in p.stderr
        install("esod", values)
    finally:
        for name in ("externalsecrets", "pushsecrets"):
            cluster.patch("CustomResourceDefinition", f"{name}.external-secrets.io", {"metadata": {
                "annotations": {f"meta.helm.sh/release-{x}": None for x in ("name", "namespace")}, "labels": {"app.kubernetes.io/managed-by": None}}})


def test_who_may_not_look_is_told_what_to_set(install, cluster, namespace, tmp_path):
    cluster.kubectl("create", "rolebinding", "one", "-n", namespace, "--clusterrole=cluster-admin", f"--serviceaccount={namespace}:default")
    conf = yaml.safe_load(open(cluster.kubeconfig))
    conf["users"][0]["user"] = {"token": wait_for(lambda: cluster.kubectl("create", "token", "default", "-n", namespace, check=False).stdout.strip())}
    mine = tmp_path / "kubeconfig"
    mine.write_text(yaml.safe_dump(conf))
    p = install("esod", kubeconfig=mine, check=False)
    assert "no right to list Deployments? Serve one namespace with scopedRBAC=true and installCRDs=false, or set allowSeveral=true" in p.stderr
    p = install("esod", {"allowSeveral": True, "installCRDs": True}, kubeconfig=mine, check=False)
    assert "no right to read definitions? Let an administrator apply them, and set installCRDs=false" in p.stderr
    install("esod", {"scopedRBAC": True}, kubeconfig=mine)
