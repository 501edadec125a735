"""The Helm chart: values, what is refused and with which words, and what is rendered."""

import json
import re
import shutil
import subprocess
import tarfile

import pytest
import yaml

from harness import ROOT
from helm import of_kind, pod, reference_values, settings

SOURCE = ROOT / "deploy" / "helm" / "esod"
PIN = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
MONITORS = ["--api-versions", "monitoring.coreos.com/v1/ServiceMonitor", "--api-versions", "monitoring.coreos.com/v1/PrometheusRule"]


def paths(values, at=""):
    """a.b.c of every leaf; an empty mapping is one."""
    for key, value in values.items():
        here = f"{at}.{key}" if at else key
        if isinstance(value, dict) and value:
            yield from paths(value, here)
        else:
            yield here


def values_file():
    return yaml.safe_load((SOURCE / "values.yaml").read_text())


# ---- packaging

def test_helm_has_nothing_to_complain_about(chart):
    out = chart.run("lint", "--strict", chart.source).stdout
    assert "[ERROR]" not in out and "[WARNING]" not in out, out


def test_the_archive_is_the_same_bytes_whenever_it_is_made(chart, tmp_path):
    chart.make("--chart-only", "--output", tmp_path / "dist", SOURCE_DATE_EPOCH="1700000000")
    chart.make("--chart-only", "--output", tmp_path / "again" / "dist", SOURCE_DATE_EPOCH="1700000000")
    (one,), (two,) = (tmp_path / "dist").glob("*.tgz"), (tmp_path / "again" / "dist").glob("*.tgz")
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        assert {(m.uid, m.gid, m.mtime) for m in archive} == {(0, 0, 1700000000)}


def test_versions_are_the_projects(chart):
    version = re.search(r"^project\(esod VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M).group(1)
    assert chart.archive.name == f"esod-{version}.tgz"
    for folder in (SOURCE, chart.source):
        about = yaml.safe_load((folder / "Chart.yaml").read_text())
        assert about["version"] == about["appVersion"] == version


def test_packaging_without_a_build_says_what_to_run(chart, tmp_path):
    p = chart.make("--output", tmp_path, check=False, ESOD_BUILD=str(tmp_path / "none"))
    assert p.returncode == 1
    assert p.stderr == (f"chart.sh: {tmp_path}/none/bin/esod is not built: "
                        "run cmake --preset release && cmake --build build/release\n")


def test_the_source_without_definitions_says_what_to_run(chart):
    p = chart.run("template", "esod", SOURCE, check=False)
    assert "run scripts/chart.sh and install build/dist/esod-VERSION.tgz, or set installCRDs=false" in p.stderr


@pytest.mark.parametrize("value, file", [("grafanaDashboard", "grafana-dashboard.json"), ("prometheusRule", "prometheus-rules.yaml")])
def test_a_package_without_observability_says_so(chart, tmp_path, value, file):
    shutil.copytree(chart.source, tmp_path / "esod", ignore=shutil.ignore_patterns("*.io.yaml", file))
    p = chart.run("template", "esod", tmp_path / "esod", *MONITORS, values={"installCRDs": False, value: {"enabled": True}}, check=False)
    assert f"{value}.enabled: this chart was packaged without deploy/observability/{file}; set {value}.enabled=false" in p.stderr


def test_definitions_stay_and_are_those_of_esod(chart, crds):
    rendered = [o for o in chart.objects({"installCRDs": True, "crds": {"annotations": {"a": "b"}}})
                if o["kind"] == "CustomResourceDefinition"]
    printed = {o["metadata"]["name"]: o for o in yaml.load_all(crds.read_text(), Loader=yaml.CSafeLoader)}
    assert {o["metadata"]["name"] for o in rendered} == set(printed) and len(printed) == 6
    for crd in rendered:
        own = printed[crd["metadata"]["name"]]["metadata"].get("annotations", {})
        assert crd["metadata"]["annotations"] == {**own, "a": "b", "helm.sh/resource-policy": "keep"}
        assert crd["metadata"]["labels"]["external-secrets.io/component"] == "controller"
        assert crd["spec"] == printed[crd["metadata"]["name"]]["spec"]


@pytest.mark.parametrize("off", [{"createClusterExternalSecret": "clusterexternalsecrets", "createSecretStore": "secretstores"},
                                 {"createClusterSecretStore": "clustersecretstores", "createClusterPushSecret": "clusterpushsecrets",
                                  "createPushSecret": "pushsecrets"}], ids=len)
def test_definitions_may_be_left_out(chart, off):
    text = chart.template({"crds": {switch: False for switch in off}}).stdout
    names = re.findall(r"^  name: (\w+)\.external-secrets\.io$", text, re.M)
    assert not set(off.values()) & set(names) and len(names) == 6 - len(off)


# ---- values

def test_every_value_of_the_reference_is_taken(chart, kubeconfig):
    reference = reference_values()
    assert len(list(paths(reference))) > 300
    objects = chart.objects({**reference, "installCRDs": False})
    container = pod(objects)["containers"][0]
    assert container["image"] == f"esod:{chart.archive.stem[5:]}"
    assert container["securityContext"]["runAsUser"] == 1000 and "livenessProbe" not in container
    deployment = of_kind(objects, "Deployment")["spec"]
    assert deployment["strategy"] == {"type": "Recreate"}, "nobody elects a leader there"
    assert settings(objects)["concurrent"] == 1
    notes = chart.notes(kubeconfig, {**reference, "installCRDs": False})
    assert re.findall(r"^  ignored: .*", notes, re.M) == [
        "  ignored: image.repository (ghcr.io/external-secrets/external-secrets is another operator's image; esod is used instead)"]


def test_values_that_do_nothing_are_told(chart, kubeconfig):
    notes = chart.notes(kubeconfig, {"webhook": {"replicaCount": 3, "certManager": {"cert": {"issuerRef": {"name": "mine"}}}, "port": 10250},
                         "certController": {"create": False, "tolerations": [{"operator": "Exists"}]},
                         "vault": {"enableTokenCache": True}, "bitwarden-sdk-server": {"enabled": True}, "enableHTTP2": True,
                         "crds": {"conversion": {"enabled": True}}, "image": {"flavour": "ubi"},
                         "extraArgs": {"enable-cluster-generator-reconciler": "true"}})
    assert re.findall(r"^  ignored: (\S+) \(", notes, re.M) == [
        "webhook.certManager.cert.issuerRef.name", "webhook.replicaCount", "certController.create", "certController.tolerations",
        "vault.enableTokenCache", "bitwarden-sdk-server.enabled", "image.flavour", "crds.conversion.enabled", "enableHTTP2",
        "extraArgs.enable-cluster-generator-reconciler"]
    assert "ignored: webhook.replicaCount (esod has no webhook: the definitions themselves refuse what is wrong)" in notes
    assert "do nothing here" not in chart.notes(kubeconfig, {"webhook": {"port": 10250}})


MISSPELT = {
    "replicaCout": 2, "serviceAccount": {"anotations": {}}, "metrics": {"listen": {"secure": {"enable": True}}}, "webhook": {"replicas": 2},
    "config": {"concurrent": 2, "readWindow": "10"}, "replicaCount": "two", "concurrent": 0, "log": {"level": "loud"},
    "plugins": [{"name": "vault", "sha": PIN}, {"name": "vault", "sha256": "9f86"}], "extraPlugins": [{"image": "x"}]}


def test_a_value_that_there_is_not_is_named(chart):
    p = chart.template(MISSPELT, check=False)
    assert p.returncode != 0
    for name in ("replicaCout", "anotations", "enable", "replicas", "concurrent", "sha"):
        assert re.search(rf"^ *- at '.*': additional properties '{name}' not allowed$", p.stderr, re.M), f"{name}: {p.stderr}"
    for words in ("at '/config/readWindow': '10' does not match pattern", "at '/replicaCount': got string, want integer",
                  "at '/concurrent': minimum: got 0, want 1", "at '/log/level': value must be one of 'debug', 'info', 'warn'",
                  "at '/plugins/1/sha256': '9f86' does not match pattern", "at '/extraPlugins/0': missing property 'name'"):
        assert words in p.stderr, f"{words}: {p.stderr}"


REFUSED = [
    ({"extraPlugins": [{"name": "acme"}]},
     "extraPlugins[0] (acme): where does it come from? Give one of image (an image that holds it), volume (a volume of the pod), and "
     "path (a file that is there already, from extraVolumeMounts or your own image)"),
    ({"extraPlugins": [{"name": "acme", "image": "x", "path": "/x.so"}]}, "extraPlugins[0] (acme): where does it come from?"),
    ({"extraPlugins": [{"name": "acme", "image": "x"}, {"name": "acme", "image": "y"}]},
     "extraPlugins[1] (acme): there are two with this name; a plugin is named once"),
    ({"extraPlugins": [{"name": "acme", "image": "x", "install": "imageVolume"}]},
     "extraPlugins[0] (acme): install: imageVolume needs sha256, since images are mounted noexec, and esod loads from a copy of its "
     "own only what is pinned; `sha256sum` of the file prints it. Or use install: initContainer"),
    ({"extraPlugins": [{"name": "acme", "path": "/x.so", "command": ["cp"]}]},
     "extraPlugins[0] (acme): install, command and imagePullPolicy are for a plugin that comes in an image"),
    ({"metrics": {"listen": {"auth": {"enabled": True}}}},
     "metrics.listen.auth.enabled: tokens are not sent over plain HTTP; set metrics.listen.secure.enabled=true as well"),
    ({"terminationGracePeriodSeconds": 60, "config": {"shutdownGrace": "1m"}},
     "terminationGracePeriodSeconds: 60 is not longer than config.shutdownGrace (60 seconds), so passes would be killed in the "
     "middle; give more, or leave it out"),
    ({"serviceMonitor": {"enabled": True, "renderMode": "failIfMissing"}},
     "serviceMonitor.enabled: the cluster does not know monitoring.coreos.com/v1/ServiceMonitor; install the Prometheus operator "
     "first, or set serviceMonitor.renderMode to skipIfMissing or alwaysRender"),
]


@pytest.mark.parametrize("values, words", REFUSED, ids=lambda x: json.dumps(x)[:50] if isinstance(x, dict) else "")
def test_what_is_wrong_is_named(chart, values, words):
    p = chart.template({"installCRDs": False, **values}, check=False)
    assert p.returncode != 0 and words in p.stderr, p.stderr


def test_what_may_be_regretted_is_warned_of(chart, kubeconfig):
    def warnings(**values):
        return re.findall(r"^WARNING: (.*)", chart.notes(kubeconfig, values), re.M)

    got = warnings(replicaCount=2, leaderElect=False, concurrent=1, controllerClass="dev", genericTargets={"enabled": True},
                   plugins=["valut", {"name": "vault", "isolation": "none"}], serviceAccount={"automount": False},
                   extraPlugins=[{"name": "acme", "path": "/x.so"}, {"name": "own", "path": "/y.so", "sha256": PIN, "isolation": "none"}],
                   serviceMonitor={"enabled": True}, prometheusRule={"enabled": True})
    expected = [
        "replicaCount is 2 and leaderElect is false: a leader is elected all the same", "concurrent is 1: one object at a time",
        "controllerClass is dev: stores without spec.controller are served as well",
        "plugins: valut is none of those in esod's own image (aws, fake, gcp, kubernetes, vault, webhook). Unless yours has it, the pod "
        "will not start; a plugin from another image belongs in extraPlugins.",
        "plugins: vault runs inside esod (isolation: none)", "extraPlugins: acme is not pinned",
        "extraPlugins: own runs inside esod (isolation: none)",
        "extraPlugins: stores with their providers are refused until the definitions know them",
        "genericTargets is on: values stand in the clear", "serviceAccount.automount is false",
        "prometheusRule.enabled: the cluster does not know PrometheusRule", "serviceMonitor.enabled: the cluster does not know ServiceMonitor"]
    assert [g[:len(e)] for g, e in zip(got, expected, strict=True)] == expected

    got = warnings(config={"isolation": "none"}, podDisruptionBudget={"enabled": True}, networkPolicy={"enabled": True})
    expected = ["config.isolation is none: every plugin runs inside esod", "podDisruptionBudget.minAvailable is 1 and so is replicaCount",
                "networkPolicy.egress names nothing, so ports 53, 443 and 6443 are open and no others"]
    assert [g[:len(e)] for g, e in zip(got, expected, strict=True)] == expected


def test_defaults_warn_of_nothing(chart, kubeconfig):
    notes = chart.notes(kubeconfig)
    assert "WARNING" not in notes and "do nothing here" not in notes
    assert "not part of this release" in notes and "esod crds | kubectl apply --server-side -f -" in notes, "without installCRDs"


def test_the_table_of_values_is_whole():
    rows = re.findall(r"^\| `([^`|]+)` \| (.*?) \|", (SOURCE / "README.md").read_text().split("## Values\n")[1], re.M)
    known = {r[0] for r in rows}
    # A block of another program's settings has one row, and so has what Kubernetes defines.
    blocks = {k for k in known if k.endswith(".*")}
    values = values_file()
    missing = [p for p in paths(values) if p not in known and not any(p.startswith(b[:-1]) for b in blocks)]
    assert not missing, f"not in the table: {missing}"
    for path, default in rows:
        at = values
        for key in path.removesuffix(".*").split("."):
            assert isinstance(at, dict) and (key in at or path in ("podDisruptionBudget.maxUnavailable",)), f"{path} is no value"
            at = at.get(key)
        if not path.endswith(".*"):
            shown = default.strip("`")
            assert shown == (json.dumps(at) if not isinstance(at, str) or not at else at), f"{path}: {default}, not {at!r}"


# ---- settings

def test_values_become_settings_that_esod_knows(chart, esod_bin, tmp_path):
    values = {"scopedNamespace": "apps", "controllerClass": "dev", "storeRequeueInterval": "1h", "concurrent": 3, "replicaCount": 2,
              "leaderElectionID": "mine", "leaderElectionLeaseDuration": "60s", "leaderElectionRenewDeadline": "40s",
              "leaderElectionRetryPeriod": "5s", "processSecretStore": False, "processPushSecret": False, "processClusterStore": False,
              "extendedMetricLabels": True, "genericTargets": {"enabled": True}, "log": {"level": "debug", "timeEncoding": "iso8601"},
              "metrics": {"listen": {"port": 9090, "auth": {"enabled": True}, "secure": {"enabled": True, "secretName": "tls"}}},
              "livenessProbe": {"spec": {"address": "127.0.0.1", "port": 9091}},
              "config": {"readWindow": "5s", "clientQPS": 12.5, "clientBurst": 30, "enableFloodGate": False, "logFormat": "json",
                         "shutdownGrace": "1m30s", "isolation": "process", "templateLeftDelimiter": "[[", "templateRightDelimiter": "]]"},
              "plugins": ["fake", {"name": "vault", "hosts": ["spec"], "memory": "64Mi"},
                          {"name": "aws", "ambient": ["env:AWS_*"], "isolation": "none", "optional": True}],
              "extraPlugins": [{"name": "acme", "image": "x", "sha256": "1" * 64, "optional": True}]}
    objects = chart.objects(values)
    assert settings(objects) == {
        "namespace": "apps", "controllerClass": "dev", "storeRequeueInterval": "1h", "concurrent": 3, "enableLeaderElection": True,
        "leaderElectionID": "mine", "leaderElectionLeaseDuration": "60s", "leaderElectionRenewDeadline": "40s",
        "leaderElectionRetryPeriod": "5s", "enableSecretStoreReconciler": False, "enablePushSecretReconciler": False,
        "enableClusterStoreReconciler": False, "enableExtendedMetricLabels": True, "unsafeAllowGenericTargets": True, "logLevel": "debug",
        "logTime": "iso8601", "metricsAddr": ":9090", "metricsSecure": True, "metricsAuth": True, "metricsCertDir": "/etc/tls",
        "metricsCertName": "tls.crt", "metricsKeyName": "tls.key", "liveAddr": "127.0.0.1:9091", **values["config"],
        "plugins": [*values["plugins"], {"path": "/usr/lib/esod/extra/acme/acme.so", "sha256": "1" * 64, "optional": True}]}
    assert pod(objects)["terminationGracePeriodSeconds"] == 100
    file = tmp_path / "esod.yaml"
    file.write_text(of_kind(objects, "ConfigMap")["data"]["esod.yaml"])
    p = subprocess.run([esod_bin, "plugins", "--json", "--config", file], capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stderr
    assert [x["name"] for x in json.loads(p.stdout)["plugins"]] == ["fake", "vault", "aws"]
    assert "/usr/lib/esod/extra/acme/acme.so: no such file" in p.stdout, "it was looked for where it will be"


def test_flags_are_those_of_esod(chart, esod_bin, tmp_path):
    args = pod(chart.objects({"extraArgs": {"enable-flood-gate": False, "client-qps": 2, "enable-extended-metric-labels": None,
                                            "enable-cluster-generator-reconciler": False}}))["containers"][0]["args"]
    assert args == ["run", "--client-qps=2", "--enable-extended-metric-labels", "--enable-flood-gate=false"]
    p = subprocess.run([esod_bin, *args, "--kubeconfig", tmp_path / "none"], capture_output=True, text=True, timeout=60)
    assert p.returncode == 2 and f"{tmp_path}/none" in p.stderr, "all flags were taken, and then there is no cluster"


def test_the_plugins_of_the_image_are_those_that_are_built(chart, esod_bin):
    p = subprocess.run([esod_bin, "plugins", "--json"], capture_output=True, text=True, timeout=60, check=True)
    built = [x["name"] for x in json.loads(p.stdout)["plugins"]]
    assert "plugins" not in settings(chart.objects()), "without a list all are loaded"
    listed = settings(chart.objects({"extraPlugins": [{"name": "x", "path": "/x.so"}]}))["plugins"]
    assert listed == [*({"name": n, "optional": True} for n in built), {"path": "/x.so"}]
    assert settings(chart.objects({"plugins": []}))["plugins"] == []


def test_which_plugins_ask_for_tokens(chart):
    """Their sources say so."""
    of = {p.parent.name for p in (ROOT / "plugins").rglob("*.c") if "esp_sa_token" in p.read_text() or "->sa_token" in p.read_text()}
    (listed,) = re.findall(r'define "esod.tokenPlugins" -}}\n(.*)\n', (SOURCE / "templates" / "_plugins.tpl").read_text())
    assert sorted(of) == listed.split()


def test_a_changed_setting_rolls_the_pod(chart):
    def checksum(**values):
        return of_kind(chart.objects(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
    assert checksum() == checksum() != checksum(concurrent=2)


# ---- plugins of others

def test_a_plugin_comes_in_an_image_or_a_volume(chart):
    spec = pod(chart.objects({"plugins": ["vault"], "extraPlugins": [
        {"name": "copied", "image": "a/b:1", "imagePullPolicy": "Always", "sha256": PIN, "hosts": ["spec"]},
        {"name": "own", "image": "a/c:1", "command": ["/install", "/usr/lib/esod/extra/own"], "file": "/lib/that.so"},
        {"name": "mounted", "image": "a/d:1", "install": "imageVolume", "file": "plugins/mounted.so", "sha256": PIN},
        {"name": "kept", "volume": {"persistentVolumeClaim": {"claimName": "plugins"}}},
        {"name": "there", "path": "/opt/there.so"}]}))
    assert [(c["name"], c["image"], c["imagePullPolicy"], c["command"]) for c in spec["initContainers"]] == [
        ("plugin-copied", "a/b:1", "Always", ["cp", "/copied.so", "/usr/lib/esod/extra/copied/"]),
        ("plugin-own", "a/c:1", "IfNotPresent", ["/install", "/usr/lib/esod/extra/own"])]
    for container in spec["initContainers"]:
        assert container["securityContext"] == spec["containers"][0]["securityContext"]
        assert [m["name"] for m in container["volumeMounts"]] == [container["name"]], "it sees its own folder only"
    assert [v for v in spec["volumes"] if v["name"].startswith("plugin-")] == [
        {"name": "plugin-copied", "emptyDir": {"sizeLimit": "256Mi"}}, {"name": "plugin-own", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "plugin-mounted", "image": {"reference": "a/d:1", "pullPolicy": "IfNotPresent"}},
        {"name": "plugin-kept", "persistentVolumeClaim": {"claimName": "plugins"}}]
    assert all(m["readOnly"] for m in spec["containers"][0]["volumeMounts"])
    found = settings(chart.objects({"plugins": [], "extraPlugins": [
        {"name": "own", "image": "a/c:1", "file": "/lib/that.so"}, {"name": "kept", "file": "sub/k.so", "volume": {"emptyDir": {}}},
        {"name": "mounted", "image": "a/d:1", "install": "imageVolume", "file": "plugins/mounted.so", "sha256": PIN}]}))["plugins"]
    assert [p["path"] for p in found] == ["/usr/lib/esod/extra/own/that.so", "/usr/lib/esod/extra/kept/sub/k.so",
                                          "/usr/lib/esod/extra/mounted/plugins/mounted.so"]


# ---- what else is rendered

def test_metrics_are_scraped_by_somebody_who_may_do_nothing_else(chart):
    objects = chart.objects({"serviceMonitor": {"enabled": True, "additionalLabels": {"release": "prom"}},
                             "metrics": {"listen": {"auth": {"enabled": True}, "secure": {"enabled": True}}}}, *MONITORS)
    endpoint = of_kind(objects, "ServiceMonitor")["spec"]["endpoints"][0]
    assert endpoint["scheme"] == "https" and endpoint["tlsConfig"] == {"insecureSkipVerify": True}
    assert endpoint["authorization"]["credentials"] == {"name": "esod-metrics-reader", "key": "token"}
    assert of_kind(objects, "ClusterRole", "esod-metrics-reader")["rules"] == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    service = of_kind(objects, "Service")
    assert of_kind(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert "metricsCertDir" not in settings(objects), "nothing is mounted there, so esod makes a certificate"
    mounted = chart.objects({"metrics": {"listen": {"secure": {"enabled": True}}}, "extraVolumeMounts": [{"name": "x", "mountPath": "/etc/tls"}],
                             "extraVolumes": [{"name": "x", "emptyDir": {}}]})
    assert settings(mounted)["metricsCertDir"] == "/etc/tls"


def test_replicas_without_an_election_do_not_overlap(chart):
    assert settings(chart.objects({"replicaCount": 3, "leaderElect": False}))["enableLeaderElection"] is True
    alone = chart.objects({"leaderElect": False})
    assert of_kind(alone, "Deployment")["spec"]["strategy"] == {"type": "Recreate"} and "enableLeaderElection" not in settings(alone)
    assert "strategy" not in of_kind(chart.objects(), "Deployment")["spec"]


def test_openshift_chooses_the_user(chart):
    def user(*args, **values):
        return pod(chart.objects(values, *args))["containers"][0]["securityContext"].get("runAsUser")
    assert user() == 65532
    assert user("--api-versions", "security.openshift.io/v1") is None
    assert user("--api-versions", "security.openshift.io/v1", "--set", "global.compatibility.openshift.adaptSecurityContext=disabled") == 65532


def test_global_values_count_where_there_is_no_other(chart):
    shared = {"nodeSelector": {"a": "1"}, "tolerations": [{"operator": "Exists"}], "imagePullSecrets": [{"name": "a"}],
              "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}], "affinity": {"podAffinity": {}}}
    spec = pod(chart.objects({"global": {**shared, "repository": "r.example/esod", "podLabels": {"l": "1"}}, "runtimeClassName": "gvisor"}))
    assert {k: spec[k] for k in shared} == shared and spec["runtimeClassName"] == "gvisor"
    assert spec["containers"][0]["image"].startswith("r.example/esod:")
    spec = pod(chart.objects({"global": shared, "nodeSelector": {"b": "2"}}))
    assert spec["nodeSelector"] == {"b": "2"} and spec["tolerations"] == shared["tolerations"]


def test_names_stay_names(chart):
    long = "a" * 53
    objects = chart.objects({"commonLabels": {"team": "x"}, "podDisruptionBudget": {"enabled": True}, "nameOverride": "n" * 30,
                             "metrics": {"service": {"enabled": True}}}, name=long)
    for o in objects:
        assert len(o["metadata"]["name"]) <= 63 and o["metadata"]["labels"]["team"] == "x", o["metadata"]
    numbers = chart.objects({"scopedNamespace": "456", "metrics": {"service": {"enabled": True}}}, name="123", namespace="789")
    assert {o["metadata"].get("namespace") for o in numbers} == {"456", "789", None}
    assert of_kind(numbers, "Service")["spec"]["selector"]["app.kubernetes.io/instance"] == "123"
    assert of_kind(chart.objects(name="esod-prod"), "Deployment")["metadata"]["name"] == "esod-prod"
    assert of_kind(chart.objects(name="prod"), "Deployment")["metadata"]["name"] == "prod-esod"
    assert of_kind(chart.objects({"fullnameOverride": "mine", "namespaceOverride": "there"}), "Deployment")["metadata"]["namespace"] == "there"
