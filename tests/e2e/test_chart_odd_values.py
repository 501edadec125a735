"""Values that a tired admin may well give the chart: each does what it says, or ends with what to set instead."""

import json
import re

import pytest

from helm import of_kind

OWN = "app.kubernetes.io/name"


def refused(chart, values):
    p = chart.template({"installCRDs": False, **values}, check=False)
    assert p.returncode != 0, "it was taken"
    return p.stderr


REFUSED = [
    ({"metrics": {"listen": {"port": 8082}}},
     "metrics.listen.port and livenessProbe.spec.port are both 8082: one of the two could not be listened at; give each a port of its own"),
    ({"plugins": ["fake", "vault", {"name": "vault"}]},
     "plugins[2] (vault): it is named twice; a plugin is loaded once, with one entry"),
    ({"commonLabels": {OWN: "secrets"}},
     f"commonLabels: the pods are selected by {OWN}, which is esod in this release; leave it out, and set nameOverride for another name"),
    ({"podLabels": {"app.kubernetes.io/instance": "x"}},
     "podLabels: the pods are selected by app.kubernetes.io/instance, which is esod in this release; leave it out"),
    ({"extraVolumeMounts": [{"name": "a", "mountPath": "/etc/esod-ca"}, {"name": "b", "mountPath": "/etc/esod/tls"}]},
     "extraVolumeMounts[1] (/etc/esod/tls): /etc/esod is where this chart mounts esod.yaml, read-only, so nothing can be mounted there; "
     "choose another folder, and give settings with config"),
    ({"scopedNamespace": "Team_A"}, "at '/scopedNamespace': 'Team_A' does not match pattern"),
    ({"fullnameOverride": "a" * 64}, "at '/fullnameOverride': "),
]


@pytest.mark.parametrize("values, words", REFUSED, ids=lambda x: json.dumps(x)[:50] if isinstance(x, dict) else "")
def test_what_cannot_work_is_refused(chart, values, words):
    assert words in refused(chart, values)


def test_a_block_without_its_defaults_is_named(chart):
    """Helm takes defaults away where a value is null, or where --reuse-values meets a newer chart."""
    said = refused(chart, {"global": None, "config": None, "metrics": {"listen": {"secure": None}}, "livenessProbe": {"spec": None}})
    for where, names in (("", ("config", "global")), ("/metrics/listen", ("secure",)), ("/livenessProbe", ("spec",))):
        (listed,) = re.findall(rf"^- at '{where}': missing propert(?:y|ies) (.*)$", said, re.M)
        assert sorted(re.findall(r"'(\w+)'", listed)) == list(names)


def test_what_is_set_to_nothing_is_nothing(chart):
    """The reference's chart takes these as null too."""
    nothing = {key: None for key in (
        "webhook", "certController", "resources", "affinity", "tolerations", "nodeSelector", "extraEnv", "extraArgs", "podLabels",
        "commonLabels", "securityContext", "podSecurityContext", "replicaCount", "plugins")}
    objects = chart.objects({**nothing, "image": {"repository": None, "tag": None}, "serviceAccount": {"annotations": None}})
    container = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert "resources" not in container and "securityContext" not in container
    assert container["image"] == f"esod:{chart.archive.stem[5:]}"


def test_labels_may_say_otherwise_but_each_once(chart):
    text = chart.template({"installCRDs": False, "commonLabels": {"app.kubernetes.io/version": "ours", "team": "a"},
                           "podLabels": {"team": "b"}, "serviceAccount": {"extraLabels": {"app.kubernetes.io/version": "mine"}},
                           "grafanaDashboard": {"enabled": True, "extraLabels": {"team": "c"}}}).stdout
    for block in re.findall(r"^ *labels:\n((?: +[^\s:-][^:]*: .*\n)+)", text, re.M):
        keys = [line.split(":")[0].strip() for line in block.splitlines()]
        assert len(keys) == len(set(keys)), block
    objects = chart.objects({"commonLabels": {"app.kubernetes.io/version": "ours", "team": "a"}, "podLabels": {"team": "b"}})
    deployment = of_kind(objects, "Deployment")
    assert deployment["metadata"]["labels"]["team"] == "a" and deployment["metadata"]["labels"]["app.kubernetes.io/version"] == "ours"
    assert deployment["spec"]["template"]["metadata"]["labels"]["team"] == "b"


def test_a_name_with_dots_has_a_service_that_an_api_server_takes(chart):
    objects = chart.objects({"metrics": {"service": {"enabled": True}}}, name="team.a")
    assert of_kind(objects, "Deployment")["metadata"]["name"] == "team.a-esod"
    assert of_kind(objects, "Service")["metadata"]["name"] == "team-a-esod-metrics"


def test_a_flag_in_place_of_a_value_is_warned_of(chart, kubeconfig):
    notes = chart.notes(kubeconfig, {"extraArgs": {"namespace": "apps", "metrics-addr": ":9090", "client-qps": 5}})
    assert re.findall(r"^WARNING: (.*)", notes, re.M) == [
        f"extraArgs.{flag}: set {value} instead. Rights, ports and checks of this chart follow the values; they do not see flags."
        for flag, value in (("metrics-addr", "metrics.listen.port"), ("namespace", "scopedNamespace"))]


def test_values_of_older_charts_are_taken(chart, kubeconfig):
    """What charts from 0.9 on had, and 2.9 has not: of machinery that esod does without."""
    prometheus = {"enabled": False, "service": {"port": 8080}}
    monitor = {"enabled": False, "additionalLabels": {}, "interval": "30s", "scrapeTimeout": "25s"}
    names = {"nameOverride": "", "fullnameOverride": "", "prometheus": prometheus, "serviceMonitor": monitor}
    old = {"prometheus": prometheus, "webhook": {**names, "rbac": {"create": True}},
           "certController": {**names, "startupProbe": {"enabled": False, "useReadinessProbePort": True, "port": ""}}}
    assert "do nothing here" not in chart.notes(kubeconfig, old)
    notes = chart.notes(kubeconfig, {"prometheus": {"enabled": True}, "webhook": {"nameOverride": "hook"}})
    assert re.findall(r"^  ignored: .*", notes, re.M) == [
        "  ignored: webhook.nameOverride (esod has no webhook: the definitions themselves refuse what is wrong)",
        "  ignored: prometheus.enabled (serviceMonitor and metrics.service are in its place)"]


def test_a_kind_that_is_served_without_its_definition_is_warned_of(chart, kubeconfig):
    def warned(**values):
        return re.findall(r"not installed: (.*?)\. Unless", chart.notes(kubeconfig, values))
    off = {"createPushSecret": False, "createSecretStore": False}
    assert warned(crds=off) == ["crds.createPushSecret, crds.createSecretStore"]
    assert warned(crds=off, processPushSecret=False, processSecretStore=False) == []


def test_what_is_left_to_others_is_warned_of(chart, kubeconfig):
    def warnings(**values):
        return re.findall(r"^WARNING: (.*)", chart.notes(kubeconfig, values), re.M)
    assert warnings(plugins=[]) == ["plugins is empty: no store can work."]
    assert warnings(rbac={"create": False}, serviceAccount={"create": False, "name": "mine"}) == [
        "rbac.create is false: somebody else has to give the service account mine its rights, or esod does not become ready. "
        "`esod preflight --rights` prints them.",
        "serviceAccount.create is false: without a service account mine in namespace esod there is no pod."]


def test_notes_are_true(chart, kubeconfig):
    assert chart.notes(kubeconfig, {"replicaCount": 0}).startswith(
        f"esod {chart.archive.stem[5:]} is installed and stopped: replicaCount is 0, so nobody refreshes Secrets.")
    assert "  helm test -n esod esod --logs\n" in chart.notes(kubeconfig)
    # Helm looks for a test's log in the release's namespace, where it is not.
    notes = chart.notes(kubeconfig, {"namespaceOverride": "there"})
    assert "  helm test -n esod esod\n  kubectl logs -n there esod-preflight\n" in notes


def test_flags_for_generators_do_not_keep_the_pod_from_starting(chart, kubeconfig):
    flags = {"enable-generator-state": False, "generator-gc-grace-period": "2m", "concurrent": 3}
    container = of_kind(chart.objects({"extraArgs": flags}), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["run", "--concurrent=3"]
    assert re.findall(r"^  ignored: .*", chart.notes(kubeconfig, {"extraArgs": flags}), re.M) == [
        f"  ignored: extraArgs.{flag} (esod does not serve generators)" for flag in ("enable-generator-state", "generator-gc-grace-period")]


def test_a_tag_of_the_reference_is_not_taken_for_one_of_esod(chart, kubeconfig):
    def image(**values):
        return of_kind(chart.objects({"image": values}), "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    version = chart.archive.stem[5:]
    theirs = {"repository": "registry.example.com/external-secrets/external-secrets", "tag": "v2.9.0", "digest": "sha256:" + "0" * 64}
    assert image(**theirs) == f"esod:{version}"
    notes = chart.notes(kubeconfig, {"image": theirs})
    assert re.findall(r"^  ignored: image\.(\w+) ", notes, re.M) == ["repository", "tag", "digest"] and "WARNING" not in notes
    assert image(repository="registry.example.com/esod", tag="v2.9.0") == "registry.example.com/esod:v2.9.0"
    for said, tag in ((True, "v2.9.0"), (False, version)):
        assert (f"WARNING: image.tag is {tag}, and this chart is of {version}: " in chart.notes(kubeconfig, {"image": {"tag": tag}})) == said
