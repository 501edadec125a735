"""The dashboard and the alerts of deploy/observability: a real Prometheus, which scrapes an esod that has all kinds of
work and trouble, is asked every question that is in them."""

import json
import re
import secrets
import subprocess

import pytest
import yaml

import controlplane
import harness
from endpoint import Endpoint, slow
from harness import GROUP, ROOT, wait_for
from helm import of_kind
from prometheus import NAMESPACE, Prometheus
from test_isolation import killed, process_of

FOLDER = ROOT / "deploy" / "observability"
DASHBOARD, RULES = FOLDER / "grafana-dashboard.json", FOLDER / "prometheus-rules.yaml"
JOBS = ["exported", "honored"]

# What has nothing to show here, and why.
EMPTY = {
    ("What is not well", "Overdue"): "nothing is late by more than a minute in a test of half a minute; tally_test.c has that",
    ("Process", "Memory", "container"): "only where the container has a limit; cgroup_test.c has that",
    ("Process", "Memory", "limit"): "the same",
}


class Watched:
    """An esod with work, and the Prometheus that scrapes it."""

    def __init__(self, cluster, esod_bin, kubeconfig, folder):
        self.cluster, self.space = cluster, harness.Space(cluster, f"e2e-{secrets.token_hex(4)}")
        self.endpoint = Endpoint()
        (folder / "operator").mkdir()
        self.operator = harness.Operator(
            esod_bin, kubeconfig, folder / "operator", plugins=["fake", "webhook"], enableLeaderElection=True,
            leaderElectionNamespace=self.space.name, shutdownGrace="1s")
        self.prometheus = None
        self.folder = folder

    def start(self):
        self.prometheus = Prometheus(self.folder, f"127.0.0.1:{self.operator.metrics_port}", RULES)
        self.operator.start()
        self.work()
        wait_for(lambda: len(self.prometheus.now("min_over_time(esod_build_info[1s] offset 1s)")) == len(JOBS))
        self.trouble()
        self.season()
        return self

    def stop(self):
        self.endpoint.close()
        if self.prometheus:
            self.prometheus.stop()
        for kind in ("ClusterExternalSecret", "ClusterPushSecret"):
            self.cluster.delete(kind, self.space.name)
        self.space.remove()
        self.operator.finish()

    def store(self, name, provider):
        self.cluster.apply({"apiVersion": GROUP + "/v1", "kind": "SecretStore",
                            "metadata": {"name": name, "namespace": self.space.name}, "spec": {"provider": provider}})

    def read(self, name, store, key, kind="SecretStore", **spec):
        self.cluster.apply(harness.external_secret(self.space.name, name, store, {"k": key, "again": key}, kind=kind,
                                                   refreshInterval="2s", **spec))

    def push(self, name, secret):
        self.cluster.apply({"apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret",
                            "metadata": {"name": name, "namespace": self.space.name},
                            "spec": {"secretStoreRefs": [{"name": "mine"}], "selector": {"secret": {"name": secret}}, "refreshInterval": "2s",
                                     "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "pushed"}}}]}})

    def spread(self, kind, version, **spec):
        """To the one namespace, where a child of that name is somebody else's already."""
        self.cluster.apply({"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": self.space.name},
                            "spec": {"namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": self.space.name}}], **spec}})

    def work(self):
        self.endpoint.answers.update({"/good": '"v"', "/bad": 500})
        self.endpoint.answers["/late"] = slow(3, '"v"')
        self.space.store({"a": "1"})
        self.store("mine", {"fake": {"data": [{"key": "a", "value": "1"}]}})
        self.store("hook", {"webhook": {"url": self.endpoint.url + "/{{ .remoteRef.key }}", "result": {"jsonPath": "$"}}})
        self.read("app", self.space.name, "a", kind="ClusterSecretStore")
        self.read("hooked", "hook", "good")
        self.space.synced("app", {"k": "1", "again": "1"})
        self.space.synced("hooked", {"k": "v", "again": "v"})
        self.push("ps", "app")

    def trouble(self):
        """Of each kind one that is not ready; a backend that fails; a plugin's process that ends with a call in hand."""
        no_plugin = {"aws": {"service": "SecretsManager", "region": "eu-west-1"}}
        self.store("away", no_plugin)
        self.space.store({}, name=self.space.name + "-away", ready=False, provider=no_plugin)
        self.read("refused", "hook", "bad")
        self.read("bad", self.space.name, "missing", kind="ClusterSecretStore")
        self.push("lost", "nowhere")
        self.spread("ClusterExternalSecret", "v1", externalSecretName="app", externalSecretSpec={
            "secretStoreRef": {"name": "mine"}, "data": [{"secretKey": "k", "remoteRef": {"key": "a"}}]})
        self.spread("ClusterPushSecret", "v1alpha1", pushSecretName="ps", pushSecretSpec={
            "secretStoreRefs": [{"name": "mine"}], "selector": {"secret": {"name": "app"}},
            "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "spread"}}}]})
        self.read("waits", "hook", "late")
        wait_for(lambda: self.endpoint.requests("/late"))
        assert killed(process_of(self.operator, "webhook"))
        self.endpoint.answers["/late"] = 503

    def season(self):
        """Until what takes longest is there: a rate needs two scrapes, an alert an evaluation."""
        def counted():
            for query in ('increase(externalsecret_sync_calls_error{name="bad"}[30s]) > 0',
                          'rate(esod_provider_reads_shared_total{provider="fake"}[10s]) > 0',
                          'rate(externalsecret_provider_api_calls_count{status="error"}[10s]) > 0',
                          'increase(esod_plugin_restarts_total{plugin="webhook"}[1h]) > 0',
                          'increase(esod_plugin_lost_calls_total{plugin="webhook"}[1h]) > 0',
                          *(f'externalsecret_status_condition{{name="{name}",status="False"}} == 1' for name in ("bad", "refused", "waits")),
                          'secretstore_status_condition{name="away",status="False"} == 1',
                          'pushsecret_status_condition{name="lost",status="False"} == 1',
                          'clustersecretstore_status_condition{status="False"} == 1',
                          'clusterexternalsecret_status_condition{status="False"} == 1',
                          'clusterpushsecret_status_condition{status="False"} == 1',
                          'ALERTS{alertname="PushSecretNotReady"}'):
                assert len(self.prometheus.now(query)) >= len(JOBS), query
            return True

        wait_for(counted, 40)


@pytest.fixture(scope="module")
def watched(cluster, esod_bin, kubeconfig, tmp_path_factory):
    made = Watched(cluster, esod_bin, kubeconfig, tmp_path_factory.mktemp("watched"))
    try:
        yield made.start()
    finally:
        made.stop()


# ---- the dashboard

def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels():
    """[(title of the row, panel)]"""
    row, found = None, []
    for p in dashboard()["panels"]:
        if p["type"] == "row":
            row = p["title"]
        else:
            found.append((row, p))
    return found


def filled_in(text, watched, job):
    """As Grafana does it: a value that was chosen is escaped for a regular expression in a string."""
    instance = f"127.0.0.1:{watched.operator.metrics_port}".replace(".", "\\\\.")
    for name, value in (("__rate_interval", "10s"), ("job", job), ("instance", instance), ("namespace", watched.space.name), ("provider", ".*")):
        text = re.sub(rf"\${name}\b", lambda _: value, text)
    assert "$" not in re.sub(r'"\$1"', "", text), f"a variable that the dashboard does not have: {text}"
    return text


def answers(watched, target, job):
    expr = filled_in(target["expr"], watched, job)
    return watched.prometheus.now(expr) if target["instant"] else watched.prometheus.lately(expr)


def has_reason(row, panel, target):
    return any(key in EMPTY for key in [(row, panel["title"]), *((row, panel["title"], word) for word in target["legendFormat"].split())])


@pytest.mark.parametrize("job", JOBS)
def test_every_panel_shows_something(watched, job):
    wrong = []
    for row, panel in panels():
        for target in panel["targets"]:
            found = answers(watched, target, job)
            if not found and not has_reason(row, panel, target):
                wrong.append(f"{row} / {panel['title']}: nothing for {filled_in(target['expr'], watched, job)}")
            for labels, _ in found:
                named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                wrong += [f"{row} / {panel['title']}: no label {name} in {labels}" for name in named - set(labels)]
            if panel["type"] == "table" and found:
                wrong += columns(row, panel, set().union(*(labels for labels, _ in found)))
    assert not wrong, "\n".join(wrong)


def columns(row, panel, labels):
    """What a table hides, orders and names has to be there."""
    there, options = labels | {"Time", "Value"}, panel["transformations"][0]["options"]
    used = set(options["excludeByName"]) | set(options["indexByName"]) | set(options["renameByName"])
    return [f"{row} / {panel['title']}: no column {name}" for name in used - there]


def shown(watched, row, title, job):
    panel, = [p for r, p in panels() if (r, p["title"]) == (row, title)]
    return answers(watched, panel["targets"][0], job)


@pytest.mark.parametrize("job", JOBS)
def test_objects_stand_with_the_namespace_that_is_theirs(watched, job):
    mine = watched.space.name
    found = {(labels["kind"], labels.get("object_namespace"), labels["name"]) for labels, _ in shown(watched, "What is not well", "Not ready", job)}
    # The API server is shared with other tests, whose cluster-wide objects may be in trouble too.
    assert {f for f in found if not f[0].startswith("cluster")} == {
        ("externalsecret", mine, "bad"), ("externalsecret", mine, "refused"), ("externalsecret", mine, "waits"),
        ("pushsecret", mine, "lost"), ("secretstore", mine, "away")}
    assert {("clustersecretstore", None, mine + "-away"), ("clusterexternalsecret", None, mine), ("clusterpushsecret", None, mine)} <= found
    glance = {title: shown(watched, "Health at a glance", title, job)[0][1] for title in
              ("Answering", "ExternalSecrets not ready", "PushSecrets not ready", "Overdue", "Leader")}
    assert glance == {"Answering": 1, "ExternalSecrets not ready": 3, "PushSecrets not ready": 1, "Overdue": 0, "Leader": 1}
    errors = {labels["name"]: labels["object_namespace"] for labels, _ in shown(watched, "What is not well", "Failed passes by ExternalSecret", job)}
    assert errors["bad"] == mine


def test_variables_offer_what_is_there(watched):
    """What Grafana would ask Prometheus for the choices of each."""
    offered, prometheus = {}, watched.prometheus
    for variable in dashboard()["templating"]["list"]:
        query = variable["query"]["query"] if variable["type"] == "query" else ""
        if match := re.fullmatch(r"label_values\((.*), (\w+)\)", query):
            found = prometheus.ask("series", **{"match[]": filled_in(match[1], watched, ".*")})
            offered[variable["name"]] = {s[match[2]] for s in found}
        elif match := re.fullmatch(r"query_result\((.*)\)", query):
            lines = ["{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "} 1" for labels, _ in prometheus.now(filled_in(match[1], watched, ".*"))]
            offered[variable["name"]] = {re.search(variable["regex"].strip("/"), line)[1] for line in lines}
        else:
            assert variable["type"] == "datasource" and variable["query"] == "prometheus"
    assert offered["job"] == set(JOBS)
    assert offered["instance"] == {f"127.0.0.1:{watched.operator.metrics_port}"}
    assert watched.space.name in offered["namespace"] and NAMESPACE not in offered["namespace"]
    # Calls have the reference's names, and reads those under spec.provider.
    assert offered["provider"] == {"Webhook", "fake", "webhook"}


def test_the_dashboard_is_one_to_grafana(tmp_path):
    """By Grafana's own types; and a slip in it would be noticed."""
    def check(path):
        return subprocess.run([controlplane.tool("grafana-schema"), path], capture_output=True, text=True, timeout=60)

    assert check(DASHBOARD).stderr == ""
    for slip, said in ((lambda d: d["panels"][1]["options"].update(textmode="value"), "unexpected field 'textmode'"),
                       (lambda d: d["panels"][1]["targets"][0].update(expression="up"), "unexpected field 'expression'"),
                       (lambda d: d.update(schemaVersion=36), "schemaVersion is 36"),
                       (lambda d: d["panels"][1].update(type="piechart"), 'panel type "piechart" is not one that is looked into')):
        wrong = dashboard()
        slip(wrong)
        (tmp_path / "wrong.json").write_text(json.dumps(wrong))
        found = check(tmp_path / "wrong.json")
        assert found.returncode == 1 and said in found.stderr, found.stderr


MONITORING = ["--api-versions", "monitoring.coreos.com/v1/PrometheusRule"]


@pytest.mark.parametrize("docs", ["", "https://git.example.com/esod/docs"])
def test_the_chart_brings_both_files(chart, docs):
    objects = chart.objects({"prometheusRule": {"enabled": True}, "grafanaDashboard": {"enabled": True}, "docsURL": docs}, *MONITORING)
    spec = of_kind(objects, "PrometheusRule")["spec"]
    text = of_kind(objects, "ConfigMap", "esod-dashboard")["data"]["esod.json"]
    if not docs:
        assert spec == yaml.safe_load(RULES.read_text()) and text == DASHBOARD.read_text()
        return
    assert {r["annotations"]["runbook_url"] for g in spec["groups"] for r in g["rules"]} == {
        f"{docs}/troubleshooting.md#{r['alert'].lower()}" for r in rules()}
    described = "\n".join(p.get("description", "") for p in json.loads(text)["panels"])
    assert described.count(f"in [docs/troubleshooting.md]({docs}/troubleshooting.md).") == described.count("troubleshooting.md]") > 10


def test_an_address_that_would_lead_nowhere_is_refused(chart):
    for wrong in ("git.example.com/docs", "https://git.example.com/docs/", 'https://x"y'):
        p = chart.template({"docsURL": wrong}, check=False)
        assert p.returncode != 0 and "docsURL" in p.stderr, p.stderr


def test_panels_are_explained_and_do_not_overlap():
    alerts, taken, ids = {r["alert"] for r in rules()}, {}, set()
    for row, p in panels():
        at = p["gridPos"]
        assert p["description"] and p["title"] and p["fieldConfig"]["defaults"]["unit"], p["title"]
        named = set(re.findall(r"\b(?:Esod|ExternalSecret|PushSecret|SecretStore|ClusterSecretStore)(?:[A-Z][a-z]+)+\b", p["description"]))
        assert {n for n in named if n not in ("ExternalSecrets", "SecretStores")} <= alerts | {"SecretStore", "ExternalSecret"}, p["title"]
        assert p["id"] not in ids
        ids.add(p["id"])
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, f"{p['title']} lies over {taken[x, y]}"
                taken[x, y] = p["title"]


# What the reference operator has (and Go's own runtime, with it).
REFERENCE = re.compile(r"((?:cluster)?externalsecret|(?:cluster)?pushsecret|secretstore|clustersecretstore)_(status_condition|reconcile_duration|sync_calls_total|sync_calls_error|"
                       r"provider_api_calls_count)|controller_runtime_\w+|workqueue_\w+|rest_client_requests_total|leader_election_master_status|up|"
                       r"process_(cpu_seconds_total|resident_memory_bytes|open_fds|max_fds|start_time_seconds)")


def test_panels_say_which_are_for_esod_alone(watched):
    for row, p in panels():
        names = set()
        for target in p["targets"]:
            for selector, _ in watched.prometheus.selectors(filled_in(target["expr"], watched, "honored")):
                names |= set(re.findall(r'__name__="(\w+)"', selector))
        alone = any(not REFERENCE.fullmatch(name) for name in names)
        assert alone == ("esod's own" in p["description"]), f"{row} / {p['title']}: {names}"


# ---- the alerts

def rules():
    return [r for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"]]


# Series that a healthy, unlimited esod of a few seconds does not have.
NO_SERIES = {"esod_externalsecret_overdue_seconds", "esod_memory_working_set_bytes", "esod_memory_limit_bytes"}


def test_every_alert_finds_its_series(watched):
    """Not that it fires, which tests/observability shows: that what it looks at is there, with the labels it goes by."""
    wrong = []
    for rule in rules():
        for selector, grouping in watched.prometheus.selectors(rule["expr"]):
            if any(f'"{name}"' in selector for name in NO_SERIES):
                continue
            selector = selector.replace('status="False"', 'status=~"True|False"').replace('code=~"5..|429|<error>"', 'code=~"2..|5..|429|<error>"')
            found = watched.prometheus.now(selector)
            if not found:
                wrong.append(f"{rule['alert']}: nothing is {selector}")
            for labels, _ in found:
                wrong += [f"{rule['alert']}: no label {name} in {labels}" for name in grouping - set(labels) - {"exported_namespace"}]
    assert not wrong, "\n".join(wrong)


def test_prometheus_evaluates_the_alerts(watched):
    found = [r for g in watched.prometheus.ask("rules")["groups"] for r in g["rules"]]
    assert {r["name"] for r in found} == {r["alert"] for r in rules()}
    for rule in found:
        assert rule["health"] == "ok" and not rule.get("lastError"), rule
    active = {r["name"]: r["alerts"] for r in found if r["alerts"]}
    for name, about in (("ExternalSecretNotReady", "ExternalSecret {}/bad cannot be synced."), ("PushSecretNotReady", "PushSecret {}/lost cannot be pushed."),
                        ("SecretStoreNotReady", "SecretStore {}/away does not work."), ("ClusterSecretStoreNotReady", "ClusterSecretStore {}-away does not work."),
                        ("ClusterExternalSecretNotReady", "ClusterExternalSecret {} does not reach all of its namespaces."),
                        ("ClusterPushSecretNotReady", "ClusterPushSecret {} does not reach all of its namespaces.")):
        said = [a["annotations"]["summary"] for a in active[name]]
        assert said.count(about.format(watched.space.name)) == len(JOBS), said
    assert not {"EsodDown", "EsodReplicaDown", "EsodNoLeader", "EsodReplicasWithoutElection", "EsodRestarts", "EsodWatchDown", "EsodFilesNearLimit",
                "EsodPassHangs", "EsodLate", "ExternalSecretOverdue"} & set(active), "an alert on what is in order"


def test_each_alert_fires_and_is_quiet():
    """promtool, and the cases of tests/observability."""
    folder, promtool = ROOT / "tests" / "observability", controlplane.tool("promtool")
    files = sorted(folder.glob("*.test.yaml"))
    for args in (["check", "rules", RULES], ["test", "rules", *files]):
        p = subprocess.run([promtool, *args], capture_output=True, text=True, timeout=120)
        assert p.returncode == 0, p.stdout + p.stderr
    cases = [t["alertname"] for f in files for case in yaml.safe_load(f.read_text())["tests"] for t in case["alert_rule_test"] if t["exp_alerts"]]
    quiet = [t["alertname"] for f in files for case in yaml.safe_load(f.read_text())["tests"] for t in case["alert_rule_test"] if not t["exp_alerts"]]
    assert sorted(cases) == sorted(quiet) == sorted(r["alert"] for r in rules())


def test_pages_know_every_alert():
    operations = (ROOT / "docs" / "operations.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", operations.split("## Dashboard and alerts")[1].split("\n## ")[0], re.M))
    assert told == {r["alert"]: r["labels"]["severity"] for r in rules()}
    troubleshooting = (ROOT / "docs" / "troubleshooting.md").read_text()
    remedies = re.findall(r"^### (\w+)$", troubleshooting.split("\n## Alerts\n")[1].split("\n## ")[0], re.M)
    assert remedies == list(told), "a remedy for each, in the order of the rules"
    for rule in rules():
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]
        assert rule["annotations"]["runbook_url"] == f"docs/troubleshooting.md#{rule['alert'].lower()}"
