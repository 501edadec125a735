"""The chart's rights follow what is switched on, and are those that esod says it needs."""

import json
import subprocess

import pytest

from helm import of_kind, settings


def rights(objects):
    """{(kind of role, its suffix): {resource: verbs}}"""
    out = {}
    for role in (o for o in objects if o["kind"] in ("Role", "ClusterRole")):
        rules = out.setdefault((role["kind"], role["metadata"]["name"].removeprefix("esod-")), {})
        for rule in role["rules"]:
            for resource in rule.get("resources", rule.get("nonResourceURLs")):
                rules.setdefault(resource, set()).update(rule["verbs"])
    return out


def controller(objects, kind="ClusterRole"):
    return rights(objects)[kind, "controller"]


def granted(objects):
    """{(namespace, group, resource, name, verb)} of the roles that esod's own account is bound to."""
    return {(role["metadata"].get("namespace", ""), group, resource, name, verb)
            for role in objects if role["kind"] in ("Role", "ClusterRole")
            and role["metadata"]["name"] in ("esod-controller", "esod-leaderelection")
            for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]
            for name in rule.get("resourceNames") or [""] for verb in rule["verbs"]}


@pytest.mark.parametrize("values", [
    {}, {"leaderElect": False}, {"scopedRBAC": True, "scopedNamespace": "apps"}, {"scopedRBAC": True}, {"scopedNamespace": "apps"},
    {"processPushSecret": False}, {"processClusterStore": False}, {"processSecretStore": False, "leaderElectionID": "mine"},
    {"metrics": {"listen": {"auth": {"enabled": True}, "secure": {"enabled": True}}}}], ids=json.dumps)
def test_rights_are_those_that_esod_says_it_needs(chart, esod_bin, tmp_path, values):
    objects = chart.objects(values)
    file = tmp_path / "esod.yaml"
    file.write_text(of_kind(objects, "ConfigMap")["data"]["esod.yaml"])
    p = subprocess.run([esod_bin, "preflight", "--rights", "-o", "json", "--config", file, "--leader-election-namespace", "esod"],
                       capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stderr
    needed = {(rule["namespace"], group, resource, name, verb) for rule in json.loads(p.stdout)["rules"]
              for group in rule["apiGroups"] for resource in rule["resources"] for name in rule["resourceNames"] or [""] for verb in rule["verbs"]}
    assert granted(objects) == needed
    assert len(needed) > 25


def test_rights_follow_what_is_on(chart):
    everything = controller(chart.objects())
    assert everything["clustersecretstores"] == {"list", "watch", "get", "patch"} == everything["clusterexternalsecrets"]
    assert everything["pushsecrets"] == {"list", "watch", "get", "patch", "create", "update", "delete"} == everything["externalsecrets"]
    assert "create" in everything["serviceaccounts/token"] and "tokenreviews" not in everything
    assert everything["secrets"] == {"get", "list", "watch", "create", "update", "delete"}

    less = controller(chart.objects({"processPushSecret": False, "processClusterStore": False, "openshiftFinalizers": False,
                                     "processClusterExternalSecret": False,
                                     "plugins": ["fake", "webhook"]}))
    assert set(less) == {"externalsecrets", "externalsecrets/status", "secretstores", "secretstores/status", "secrets", "events",
                         "configmaps", "namespaces"}
    assert less["secretstores"] == {"list", "watch"} == less["namespaces"]
    assert less["externalsecrets"] == {"list", "watch", "get", "patch"}
    assert set(everything) - set(less) == {"pushsecrets", "pushsecrets/status", "clustersecretstores", "clustersecretstores/status",
                                           "externalsecrets/finalizers", "serviceaccounts", "serviceaccounts/token",
                                           "clusterexternalsecrets", "clusterexternalsecrets/status", "clusterexternalsecrets/finalizers",
                                           "clusterpushsecrets", "clusterpushsecrets/status", "clusterpushsecrets/finalizers"}
    for one in ({"scopedNamespace": "apps"}, {"processPushSecret": False}):
        assert "clusterpushsecrets" not in controller(chart.objects(one))
    assert "clusterexternalsecrets" not in controller(chart.objects({"scopedNamespace": "apps"}))
    assert "secretstores" not in controller(chart.objects({"processSecretStore": False}))


def test_rights_to_act_as_service_accounts(chart):
    def token(**values):
        return "serviceaccounts/token" in controller(chart.objects(values))
    assert token(plugins=["vault"]) and token(plugins=[{"name": "gcp"}]) and token(plugins=["acme"])
    assert token(plugins=["fake"], extraPlugins=[{"name": "acme", "path": "/x.so"}]), "nobody knows of somebody else's"
    assert not token(plugins=["fake", {"name": "webhook", "hosts": ["spec"]}])
    assert not token(plugins=["vault"], rbac={"serviceAccountTokenCreate": False})


def test_rights_for_generic_targets_and_metrics(chart):
    got = controller(chart.objects({
        "genericTargets": {"enabled": True, "resources": [{"apiGroup": "argoproj.io", "resources": ["applications"], "verbs": ["get", "list"]}]},
        "metrics": {"listen": {"auth": {"enabled": True}, "secure": {"enabled": True}}}}))
    assert got["configmaps"] == {"get", "list", "watch", "create", "update", "delete"} and got["applications"] == {"get", "list"}
    assert got["tokenreviews"] == {"create"} == got["subjectaccessreviews"]


def test_one_namespace_takes_roles_only(chart):
    objects = chart.objects({"scopedRBAC": True, "scopedNamespace": "apps"})
    assert not [o["kind"] for o in objects if o["kind"].startswith("Cluster")]
    assert set(rights(objects)) == {("Role", n) for n in ("controller", "leaderelection", "view", "edit")}
    assert {o["metadata"]["namespace"] for o in objects if o["kind"] == "Role"} == {"apps", "esod"}
    assert settings(objects)["namespace"] == "apps" and settings(objects)["enableClusterStoreReconciler"] is False
    assert settings(chart.objects({"scopedRBAC": True}, namespace="home"))["namespace"] == "home"

    # ClusterSecretStores stand in no namespace; all else does.
    both = rights(chart.objects({"scopedNamespace": "apps"}))
    assert set(both["ClusterRole", "controller"]) == {"clustersecretstores", "clustersecretstores/status", "namespaces"}
    assert both["ClusterRole", "controller"]["namespaces"] == {"get"}
    assert "secrets" in both["Role", "controller"]


def test_who_leads_is_settled_by_one_lease(chart):
    role = of_kind(chart.objects({"leaderElectionID": "mine"}), "Role", "esod-leaderelection")
    assert [r.get("resourceNames") for r in role["rules"]] == [None, ["mine"]]
    assert not [o for o in chart.objects({"leaderElect": False}) if o["kind"] == "Role"]


def test_people_get_their_rights_by_aggregation(chart):
    objects = chart.objects({"rbac": {"aggregateToEdit": False}, "processPushSecret": False})
    view, edit = (of_kind(objects, "ClusterRole", f"esod-{n}") for n in ("view", "edit"))
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert {k.removeprefix(prefix) for k in view["metadata"]["labels"] if k.startswith(prefix)} == {"view", "admin"}
    assert {k.removeprefix(prefix) for k in edit["metadata"]["labels"] if k.startswith(prefix)} == {"admin"}
    assert view["rules"][0]["resources"] == ["externalsecrets", "secretstores", "clustersecretstores", "clusterexternalsecrets"]
    assert of_kind(objects, "ClusterRole", "esod-servicebindings")["metadata"]["labels"]["servicebinding.io/controller"] == "true"
    assert not [o for o in chart.objects({"rbac": {"create": False}}) if "Role" in o["kind"]]
