"""`esod preflight` finds what is wrong with a cluster and says what to do, `esod crds --apply` puts the definitions right,
and `esod run` names what it waits for. On a control plane of its own, where things may be missing."""

import datetime
import re
import socket
import struct
import urllib.error
import urllib.request

import pytest
import yaml

from harness import GROUP, SANITIZED, build_dir, external_secret, store, wait_for

KINDS = ["externalsecrets", "secretstores", "clustersecretstores", "clusterexternalsecrets", "pushsecrets",
         "clusterpushsecrets"]
NAMES = [f"{kind}.{GROUP}" for kind in KINDS]


@pytest.fixture
def installed(bare):
    """All definitions are as this esod has them."""
    if bare.definitions() != bare.right or not bare.right:
        bare.apply("--take-over")
        bare.right = bare.definitions()
    return bare


def failed(found):
    return {check: items for check, items in found.items() if any(result == "failed" for result, _, _ in items)}


def only(found, check, result):
    """(text, remedy) of the one finding with this result."""
    items = [(text, remedy) for r, text, remedy in found.get(check, ()) if r == result]
    assert len(items) == 1, found.get(check)
    return items[0]


def definition(bare, kind):
    return bare.cluster.get("CustomResourceDefinition", f"{kind}.{GROUP}")


# ---- definitions that are missing

def test_from_nothing_to_ready(bare, make_operator):
    """What is missing is named by everybody; one command later esod, which was running all the time, is ready."""
    bare.delete("crd", *NAMES)
    found = bare.preflight(code=1)
    assert list(failed(found)) == ["definitions"]
    assert only(found, "definitions", "failed") == ("not installed: " + ", ".join(NAMES),
                                                    "esod crds --apply, or the chart with installCRDs=true")
    assert only(found, "login", "ok") == ("admin", None)
    assert re.fullmatch(rf"{re.escape(bare.plane.server)}, Kubernetes v1\.\d+\.\d+, answered in \d+ ms", only(found, "server", "ok")[0])
    found = bare.preflight("--namespace=default", "--enable-push-secret-reconciler=false", code=1)
    assert only(found, "definitions", "failed")[0] == "not installed: " + ", ".join(NAMES[:3])
    assert only(found, "definitions", "warning")[0] == (
        "not installed: " + ", ".join(NAMES[3:]) + ". With these settings esod does not need them")

    operator = make_operator(kubeconfig=bare.kubeconfig()).start(wait=False)
    said = 'is its CRD installed? "esod crds --apply" installs it, or the chart with installCRDs=true.'

    def named():
        status, lines = readyz(operator)
        assert status == 503 and [line for line in lines if said in line], lines
        assert all(any(f"watching {name}: " in line for line in lines) for name in NAMES), lines
        assert any("enablePushSecretReconciler: false" in line for line in lines if "pushsecrets" in line)
        return True
    wait_for(named)
    wait_for(lambda: operator.log.count("watching pushsecrets.external-secrets.io: ") == 1)

    assert bare.apply() == {name: "created" for name in NAMES}
    bare.right = bare.definitions()
    # Whoever uses a kind in the next moment may do so.
    bare.cluster.apply(store("there", {"a": "1"}))
    wait_for(operator.is_ready, 40)
    wait_for(lambda: bare.cluster.ready("ClusterSecretStore", "there"))
    bare.delete("clustersecretstore", "there")
    assert bare.apply() == {name: "unchanged" for name in NAMES}
    found = bare.preflight("--skip", "objects")
    assert only(found, "definitions", "ok")[0] == "6 as this esod would install them"


def readyz(operator):
    """(status, lines)"""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{operator.live}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode().splitlines()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode().splitlines()
    except OSError as e:
        raise AssertionError(e)


# ---- definitions that are others'

def test_definitions_for_fewer_plugins(installed):
    found = installed.preflight("--plugin=fake")
    text, remedy = only(found, "definitions", "warning")
    assert text.startswith("2 differ from what esod crds prints: ") and f"secretstores.{GROUP} (of esod " in text
    assert remedy == "they work; esod crds --apply brings them up to date"

    done = installed.apply("--plugin=fake")
    assert done == {**{name: "unchanged" for name in NAMES}, NAMES[1]: "updated", NAMES[2]: "updated"}
    found = installed.preflight(code=1)
    assert [text for result, text, _ in found["definitions"] if result == "failed"] == [
        f"{name} does not know these providers of the plugins: webhook. Stores with them are refused"
        for name in NAMES[1:3]]


@pytest.mark.sanitized
def test_what_somebody_else_has_set_is_not_taken_unasked(installed):
    theirs = installed.run("crds", "--plugin=fake").stdout
    installed.cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=somebody", "-f", "-", stdin=theirs)
    done, said = installed.apply(code=1)
    assert {name: what for name, what in done.items() if name in NAMES[1:3]} == {}, "these two are as they were"
    assert said.splitlines() == [f"esod: {name}: others have set fields of it differently (spec.versions by somebody): "
                                 "--force-conflicts takes them over" for name in NAMES[1:3]]
    assert set(installed.apply("--force-conflicts").values()) == {"unchanged", "updated"}
    assert installed.apply() == {name: "unchanged" for name in NAMES}


def test_the_definitions_of_another_release_stay(installed):
    """Of Helm's, and of a newer esod."""
    esod = definition(installed, "pushsecrets")["metadata"]["annotations"]["external-secrets.io/esod-version"]
    installed.cluster.kubectl("annotate", "crd", NAMES[0], "external-secrets.io/esod-version-", "meta.helm.sh/release-name=eso",
                              "meta.helm.sh/release-namespace=external-secrets")
    installed.cluster.kubectl("annotate", "--overwrite", "crd", NAMES[4], "external-secrets.io/esod-version=99.0.1")
    before = definition(installed, "secretstores")["metadata"]["resourceVersion"]
    for flags in ([], ["--force-conflicts"]):
        done, said = installed.apply(*flags, "--plugin=fake", code=1)
        assert done == {} and definition(installed, "secretstores")["metadata"]["resourceVersion"] == before
        assert said.splitlines() == [
            f"esod: {NAMES[0]} belongs to Helm release eso in namespace external-secrets, whose next upgrade would put it back: "
            "uninstall that with its definitions kept, or --take-over",
            f"esod: {NAMES[4]} is of esod 99.0.1, which is newer than this one ({esod}): use that esod, or --take-over to go back"]
    assert installed.apply("--take-over")[NAMES[4]] == "updated"
    assert definition(installed, "pushsecrets")["metadata"]["annotations"]["external-secrets.io/esod-version"] == esod
    installed.cluster.kubectl("annotate", "crd", NAMES[0], "meta.helm.sh/release-name-", "meta.helm.sh/release-namespace-")


def test_who_may_not_install_is_told_who_may(installed):
    p = installed.run("crds", "--apply", user="nobody", code=1)
    lines = [line for line in p.stderr.splitlines() if line.startswith("esod: ")]
    assert p.stdout == "" and len(lines) == len(NAMES)
    assert 'User "nobody" cannot get resource "customresourcedefinitions"' in lines[0]
    assert lines[0].endswith("Somebody who may has to do it: esod crds | kubectl apply --server-side -f -")


# ---- what the reference operator leaves behind

WEBHOOK = {"clientConfig": {"service": {"namespace": "external-secrets", "name": "external-secrets-webhook", "path": "/x"}},
           "rules": [{"apiGroups": [GROUP], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secretstores"]}],
           "name": "validate.secretstore.external-secrets.io", "sideEffects": "None", "admissionReviewVersions": ["v1"]}


def test_webhooks_that_nobody_answers(installed):
    installed.manifest({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                        "metadata": {"name": "secretstore-validate"}, "webhooks": [WEBHOOK]})
    try:
        found = installed.preflight(code=1)
        text, remedy = only(found, "webhooks", "failed")
        assert text == ("ValidatingWebhookConfiguration secretstore-validate, which is not esod's, checks every write of "
                        "external-secrets.io: its Service external-secrets/external-secrets-webhook does not exist, so every "
                        "write is refused")
        assert remedy.startswith("kubectl delete validatingwebhookconfiguration secretstore-validate ")

        installed.manifest({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "external-secrets"}},
                           {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 443}]},
                            "metadata": {"name": "external-secrets-webhook", "namespace": "external-secrets"}})
        assert "has no pod that is ready, so every write is refused" in only(installed.preflight(code=1), "webhooks", "failed")[0]
        installed.manifest({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                            "metadata": {"name": "external-secrets-webhook-1", "namespace": "external-secrets",
                                         "labels": {"kubernetes.io/service-name": "external-secrets-webhook"}},
                            "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}]})
        text, remedy = only(installed.preflight(), "webhooks", "warning")
        assert text.endswith("its Service external-secrets/external-secrets-webhook is there")
        assert remedy.startswith("when the operator that it belongs to is taken away: kubectl delete ")
    finally:
        installed.delete("validatingwebhookconfiguration", "secretstore-validate")
        installed.delete("service,endpointslice", "-n", "external-secrets", "--all")


def test_a_conversion_that_nobody_does(installed):
    """Nothing of the kind can be read any more in another version; --take-over ends it."""
    conversion = {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"],
                                                     "clientConfig": {"service": {"namespace": "eso", "name": "gone"}}}}
    installed.cluster.patch("CustomResourceDefinition", NAMES[0], {"spec": {"conversion": conversion}})
    text, remedy = only(installed.preflight(code=1), "definitions", "failed")
    assert text == (f"{NAMES[0]} is converted by a webhook that is not esod's: its Service eso/gone does not exist, so its "
                    "objects can be neither read nor written")
    assert remedy == "esod crds --apply --take-over: esod's definitions need no webhook"
    _, said = installed.apply(code=1)
    assert "(spec.conversion.strategy by " in said and "--force-conflicts takes them over" in said
    assert installed.apply("--take-over")[NAMES[0]] == "updated"
    assert definition(installed, "externalsecrets")["spec"]["conversion"] == {"strategy": "None"}
    assert "definitions" not in failed(installed.preflight())


def test_versions_that_are_served_and_stored(installed):
    """An old cluster: v1 is not there yet, and objects are stored in a version that is no more."""
    versions = definition(installed, "secretstores")["spec"]["versions"]
    assert [v["name"] for v in versions] == ["v1", "v1beta1"]
    older = [{**versions[0], "served": False}, versions[1],
             {**versions[1], "name": "v1alpha1", "served": False, "storage": False, "deprecated": False}]
    older[2].pop("deprecationWarning", None)
    installed.cluster.patch("CustomResourceDefinition", NAMES[1], {"spec": {"versions": older}})
    installed.cluster.patch("CustomResourceDefinition", NAMES[1], {"status": {"storedVersions": ["v1", "v1alpha1"]}}, sub="status")
    try:
        found = installed.preflight(code=1)
        assert only(found, "definitions", "failed")[0] == f"{NAMES[1]} does not serve version v1, which esod works with"
        text, remedy = [(t, r) for result, t, r in found["definitions"] if "stored as" in t][0]
        assert text.startswith(f"{NAMES[1]}: objects may be stored as v1alpha1") and "status.storedVersions" in remedy
        _, said = installed.apply("--force-conflicts", code=1)
        assert f"esod: {NAMES[1]}: " in said and "storedVersions" in said
    finally:
        installed.cluster.patch("CustomResourceDefinition", NAMES[1], {"status": {"storedVersions": ["v1"]}}, sub="status")
    assert installed.apply("--force-conflicts")[NAMES[1]] == "updated"


# ---- rights

def grant(bare, rules, user, leave_out=()):
    """Binds these rules to somebody, and nothing else; `leave_out`: verbs of resources that are not granted."""
    roles = {}
    for rule in rules:
        verbs = [v for v in rule["verbs"] if (v, rule["resources"][0]) not in leave_out]
        if verbs:
            kept = {k: rule[k] for k in ("apiGroups", "resources", "resourceNames") if rule[k]}
            roles.setdefault(rule["namespace"], []).append({**kept, "verbs": verbs})
    objects = []
    for namespace, granted in roles.items():
        kind = "Role" if namespace else "ClusterRole"
        meta = {"name": "granted", **({"namespace": namespace} if namespace else {})}
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "granted"}
        objects += [{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta, "rules": granted},
                    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind + "Binding", "metadata": meta, "roleRef": ref,
                     "subjects": [user]}]
    bare.manifest(*objects)


@pytest.fixture
def granted(installed):
    """granted(rules, user, ...): see grant; nothing of it is left."""
    yield lambda *args, **how: grant(installed, *args, **how)
    installed.delete("clusterrolebinding,clusterrole", "granted")
    for namespace in ("default", "apps"):
        installed.delete("rolebinding,role", "granted", "-n", namespace)


OPERATOR = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "operator"}
CHECKS = ["--skip=operators", "--skip=webhooks", "--skip=objects"]


@pytest.mark.parametrize("flags", [[], ["--namespace=apps", "--enable-leader-election", "--enable-cluster-store-reconciler=false"]],
                         ids=["all namespaces", "one namespace"])
def test_the_rights_of_the_table_are_enough(installed, granted, make_operator, flags):
    """Who has what --rights lists passes the check, and esod is ready with it, elects and works."""
    installed.manifest({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}})
    rules = installed.rights(*flags)
    granted(rules, OPERATOR)
    found = installed.preflight(*CHECKS, *flags, user="operator")
    count = sum(len(rule["verbs"]) for rule in rules)
    assert only(found, "rights", "ok")[0] == f"all {count} that these settings need"
    assert only(found, "login", "ok")[0] == "operator"
    # Who may not read the definitions still learns that the kinds are served.
    assert only(found, "definitions", "ok")[0] == "the API server serves all kinds that esod works with"
    assert 'cannot get resource "customresourcedefinitions"' in only(found, "definitions", "not checked")[0]

    operator = make_operator(kubeconfig=installed.kubeconfig("operator"), args=flags).start()
    installed.cluster.apply(store("fake", {"a": "1"}, namespace="apps"),
                            external_secret("apps", "app", "fake", {"k": "a"}, kind="SecretStore"))
    wait_for(lambda: installed.cluster.holds("apps", "app", {"k": "1"}))
    wait_for(lambda: installed.cluster.get("ExternalSecret", "app", "apps")["metadata"].get("finalizers"))
    installed.cluster.delete("ExternalSecret", "app", "apps")
    wait_for(lambda: installed.cluster.get("ExternalSecret", "app", "apps") is None)
    installed.cluster.delete("SecretStore", "fake", "apps")
    assert "forbidden" not in operator.log


@pytest.mark.sanitized
def test_each_missing_right_is_named_with_what_does_without(installed, granted):
    account = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    flags = ["--enable-leader-election", "--metrics-secure", "--metrics-auth"]
    granted(installed.rights("--service-account=default/default", *flags), account, leave_out=[
        ("delete", "secrets"), ("watch", "clustersecretstores"), ("create", "events"), ("create", "serviceaccounts/token"),
        ("update", "leases"), ("create", "tokenreviews"), ("patch", "pushsecrets")])
    found = installed.preflight("--service-account", "default/default", *CHECKS, *flags, code=1)
    me = "system:serviceaccount:default:default may not "
    ask = "grant it (esod preflight --rights lists what is needed). "
    assert found["login"] == [("ok", "rights are asked for system:serviceaccount:default:default", None)]
    assert [(result, text.removeprefix(me), remedy.removeprefix(ask)) for result, text, remedy in found["rights"]] == [
        ("failed", f"watch clustersecretstores.{GROUP} in the cluster, to see ClusterSecretStores",
         "Set enableClusterStoreReconciler: false if ClusterSecretStores are not used, or served by another one."),
        ("failed", f"patch pushsecrets.{GROUP} in all namespaces, for the finalizer that PushSecrets have while there is "
         "something to delete", "Set enablePushSecretReconciler: false if PushSecrets are not used."),
        ("failed", "delete secrets in all namespaces, to make, refresh and delete the Secrets of ExternalSecrets",
         "esod cannot work without it."),
        ("warning", "create events in all namespaces, to tell of what happens",
         "Everything else works; kubectl describe then shows no events."),
        ("warning", "create serviceaccounts/token in all namespaces, for stores that log in as a service account. With it esod "
         "can act as any of them", "It is needed only if a store or a template refers to such."),
        ("failed", 'update leases.coordination.k8s.io "external-secrets-controller" in namespace default, to hold the Lease, and '
         "to take it over as soon as it is free", "Set enableLeaderElection: false if there is one replica, and never two at once."),
        ("failed", "create tokenreviews.authentication.k8s.io in the cluster, to know who wants to read the metrics",
         "Set metricsAuth: false if everybody who reaches the port may read the metrics."),
    ]
    found = installed.preflight("--service-account=default/nobody-has-made-it", code=1)
    assert only(found, "login", "failed") == ("there is no service account nobody-has-made-it in namespace default",
                                              "kubectl get serviceaccounts -n default lists those that are there")


def test_rights_for_the_kinds_that_targets_are_of(installed, granted):
    """They are found from the ExternalSecrets that are there."""
    flag = "--unsafe-allow-generic-targets"
    granted(installed.rights(flag), OPERATOR)
    manifests = {"map": ("v1", "ConfigMap"), "app": ("argoproj.io/v1alpha1", "Application")}
    for name, (api, kind) in manifests.items():
        installed.cluster.apply(external_secret("default", name, "s", {"k": "a"}, target={
            "manifest": {"apiVersion": api, "kind": kind}}))
    try:
        found = installed.preflight(*CHECKS, flag, user="operator", code=1)
        text, remedy = only(found, "rights", "failed")
        assert text == ("operator may not create, update, delete configmaps in all namespaces, to make the objects that "
                        "target.manifest of ExternalSecrets asks for")
        assert remedy.endswith("Set unsafeAllowGenericTargets: false if nobody is to make such.")
        text, remedy = only(found, "rights", "warning")
        assert text.startswith('target.manifest of an ExternalSecret: no matches for kind "Application" in version "argoproj.io/v1alpha1"')
        assert remedy.startswith("install that definition")
        assert not failed(installed.preflight(*CHECKS, user="operator"))
    finally:
        installed.delete("externalsecret", "--all", "-n", "default")


def test_esod_says_which_right_it_waits_for(installed, granted, make_operator):
    """And goes on by itself when it has it."""
    rules = installed.rights("--enable-leader-election")
    granted(rules, OPERATOR, leave_out=[("list", "secrets"), ("watch", "secrets"), ("watch", "namespaces"), ("list", "namespaces"),
                                        *((verb, "leases") for verb in ("get", "list", "watch", "create", "update"))])
    operator = make_operator(kubeconfig=installed.kubeconfig("operator"), enableLeaderElection=True).start(wait=False)

    def waits():
        status, lines = readyz(operator)
        assert status == 503
        named = [line for line in lines if "forbidden" in line]
        assert [re.search(r'cannot (list|watch) resource "(\w+)"', line).group(2) for line in named] == ["namespaces", "secrets"]
        assert all("at the cluster scope. It needs this right to " in line for line in named)
        assert named[0].endswith("Set namespace to serve one namespace only.")
        return True
    wait_for(waits)
    assert "to notice when somebody changes a Secret that ExternalSecrets made. esod cannot work without it." in operator.log
    granted(rules, OPERATOR, leave_out=[(verb, "leases") for verb in ("get", "list", "watch", "create", "update")])
    wait_for(operator.is_ready, 40)
    wait_for(lambda: re.search(r'cannot ask for the lease.*cannot get resource \\"leases\\".*Set enableLeaderElection: false', operator.log))
    granted(rules, OPERATOR)
    wait_for(lambda: "this replica is the leader" in operator.log)


# ---- others

def lease(namespace, age=0, name="external-secrets-controller"):
    now = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": namespace},
            "spec": {"holderIdentity": "eso-1", "leaseDurationSeconds": 15, "renewTime": now, "acquireTime": now}}


def deployment(name, namespace, args=(), replicas=1, config=None, labelled="external-secrets"):
    pod = {"serviceAccountName": name, "containers": [{"name": "c", "image": "x", "args": list(args)}]}
    if config:
        pod["volumes"] = [{"name": "config", "configMap": {"name": config}}]
    labels = {"app.kubernetes.io/name": labelled}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": pod}}}


def test_another_operator_is_found(installed):
    installed.manifest({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "eso"}},
                       lease("eso"), lease("default", age=60),
                       deployment("eso", "eso", ["--concurrent=1", "--enable-leader-election=true"]),
                       deployment("scaled", "eso", replicas=0), deployment("elsewhere", "eso", ["--controller-class=other"]),
                       deployment("one-namespace", "eso", ["--namespace=team-a"]),
                       {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "esod-config", "namespace": "eso"},
                        "data": {"esod.yaml": "controllerClass: blue\n"}},
                       deployment("esod", "eso", config="esod-config", labelled="esod"))
    try:
        found = installed.preflight(code=1)
        text, remedy = only(found, "operators", "warning")
        assert text == ("eso-1 leads with the Lease eso/external-secrets-controller, which would not keep esod from working "
                        "beside it")
        assert "leaderElectionID: external-secrets-controller, leaderElectionNamespace: eso" in remedy
        assert [text for result, text, _ in found["operators"] if result == "failed"] == [
            "Deployment eso/eso runs an operator that serves the same objects (controller class default, all namespaces)",
            "Deployment eso/one-namespace runs an operator that serves the same objects (controller class default, namespace team-a)"]
        assert "kubectl scale deployment -n eso eso --replicas=0" in found["operators"][1][2]
        assert found["operators"][1][2].endswith("If this is the esod in question: --service-account eso/eso")

        # Its own Lease is what it would wait for, and its own Deployment is no other.
        own = ["--enable-leader-election", "--leader-election-namespace=eso", "--skip=rights"]
        assert ("eso-1 leads with the Lease eso/external-secrets-controller: esod would stand by", None) == only(
            installed.preflight(*own, code=1), "operators", "ok")
        found = installed.preflight("--controller-class=blue", *own, code=1)
        assert [t for r, t, _ in found["operators"] if r == "failed"] == [
            "Deployment eso/esod runs an operator that serves the same objects (controller class blue, all namespaces)"]
        installed.manifest({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "esod", "namespace": "eso"}})
        assert "operators" not in failed(installed.preflight("--controller-class=blue", "--service-account=eso/esod", *own))
        assert "operators" not in failed(installed.preflight("--controller-class=green", "--skip=rights"))
        only_a = installed.preflight("--namespace=team-b", "--skip=rights", code=1)
        assert [t.split()[1] for r, t, _ in only_a["operators"] if r == "failed"] == ["eso/eso"]
    finally:
        installed.delete("deployment,configmap,serviceaccount", "-n", "eso", "eso", "scaled", "elsewhere", "one-namespace", "esod",
                         "esod-config")
        for namespace in ("eso", "default"):
            installed.delete("lease", "external-secrets-controller", "-n", namespace)


# ---- objects

@pytest.mark.sanitized
def test_objects_that_nobody_would_serve(installed):
    hook = {"apiVersion": f"{GROUP}/v1", "kind": "SecretStore", "metadata": {"name": "hook", "namespace": "default"},
            "spec": {"provider": {"webhook": {"url": "https://example.com", "result": {"jsonPath": "$"}}}}}
    far = store("far", {"a": "1"}, controller="other")
    installed.cluster.apply(hook, far, store("fine", {"a": "1"}),
                            *(external_secret("default", f"es-{i}", "hook", {"k": "a"}, kind="SecretStore") for i in range(3)),
                            external_secret("default", "fine", "fine", {"k": "a"}))
    try:
        found = installed.preflight("--plugin=fake")
        assert found["objects"] == [
            ("warning", "1 store names provider webhook, which no plugin here has; 3 ExternalSecrets could not be refreshed",
             "load a plugin with that provider (plugins: in the configuration), or leave these stores to another operator by "
             "spec.controller"),
            ("warning", "1 store is left alone: controller class other, not default",
             "an operator with that class has to run; or set controllerClass: other")]
        found = installed.preflight("--controller-class=other")
        assert "1 store" not in found["objects"][0][1] or found["objects"][0][0] == "ok"
    finally:
        installed.delete("externalsecret,secretstore", "--all", "-n", "default")
        installed.delete("clustersecretstore", "far", "fine")
    assert installed.preflight()["objects"] == [("ok", "0 stores, all of which esod can serve", None)]


# ---- here

@pytest.mark.sanitized
def test_addresses_and_plugins_need_no_cluster(bare, tmp_path):
    """They are looked at even if nothing else can be."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    (tmp_path / "esod.yaml").write_text(yaml.safe_dump({
        "pluginPath": [str(build_dir() / "lib/esod/plugins")], "metricsAddr": f"127.0.0.1:{port}", "liveAddr": "0",
        "plugins": ["fake", {"name": "valut", "optional": True}, {"name": "vault", "sha256": "0" * 64}, "nosuch"]}))
    p = bare.run("preflight", "--config", tmp_path / "esod.yaml", "--kubeconfig", tmp_path / "none", code=1)
    taken.close()
    lines = p.stdout.splitlines()
    assert any(re.fullmatch(r"FAILED      plugins           .*esod.yaml:\d+: plugin vault \(.*vault.so\): its SHA-256 is [0-9a-f]{64} "
                            r"and the configuration pins 0{64}; if the file was meant to change, pin the new one", line) for line in lines)
    assert any(re.fullmatch(r"FAILED      plugins           .*esod.yaml:\d+: plugin nosuch: no such file; looked for .*/nosuch.so; "
                            r"the plugins there are aws, fake, gcp, kubernetes, vault, webhook", line) for line in lines)
    assert any(line.startswith("warning     plugins           optional plugin valut: ") for line in lines)
    assert any(line.startswith("ok          plugins           fake ") for line in lines)
    assert f"FAILED      addresses         metricsAddr: cannot listen on 127.0.0.1:{port}: Address already in use" in lines
    assert "ok          addresses         liveAddr: switched off" in lines
    assert any(line.startswith("FAILED      login             ") and str(tmp_path / "none") in line for line in lines)
    assert "not checked the rest          what else there is to ask of the cluster" in lines
    assert lines[-1] == "4 FAILED, 1 warning, 1 not checked"


UNFIT = {
    "not_a_shared_object": r"the loader refuses it: .+; a plugin is a shared object for this machine, and the libraries that it "
                           r"links have to be installed",
    "unresolved_symbol": r"the loader refuses it: undefined symbol: \w+; a plugin is a shared object for this machine, .+",
    "abi_major_2": r"it was built for plugin ABI 2\.0 and this esod has 1\.\d+; install a build of it for ABI 1",
    "needs_minor_99": r"it needs plugin ABI 1\.99 and this esod has 1\.\d+; use a newer esod or an older build of it",
}


@pytest.mark.parametrize("name, said", UNFIT.items(), ids=UNFIT)
def test_esod_does_not_start_with_a_plugin_that_is_unfit(bare, name, said):
    """Its file is named, and what to do about it."""
    file = build_dir() / "tests/plugins" / f"{name}.so"
    last = bare.run("run", "--plugin", file, code=2).stderr.splitlines()[-1]
    assert re.fullmatch(rf"esod: --plugin: plugin {re.escape(str(file))}: {said}", last), last


def test_an_api_server_that_is_not_there(bare, tmp_path):
    conf = yaml.safe_load(bare.kubeconfig().read_text())
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        conf["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{s.getsockname()[1]}"
    (tmp_path / "k").write_text(yaml.safe_dump(conf))
    found = bare.preflight("--kubeconfig", tmp_path / "k", code=1)
    assert set(found) == {"plugins", "server", "the rest"}
    assert found["server"][0][1].startswith(conf["clusters"][0]["cluster"]["server"] + ": ")
    assert "kubectl version" in found["server"][0][2]
    conf["clusters"][0]["cluster"]["server"] = bare.plane.server
    conf["users"][0]["user"]["token"] = "wrong"
    (tmp_path / "k").write_text(yaml.safe_dump(conf))
    found = bare.preflight("--kubeconfig", tmp_path / "k", code=1)
    assert "the API server does not accept the credential (401 Unauthorized)" in str(failed(found))


@pytest.mark.parametrize("offset, said", [(-90, "behind"), (90, "ahead of")])
def test_clocks_that_differ(bare, tmp_path, offset, said):
    (tmp_path / "clock").write_bytes(struct.pack("q", offset * 1000))
    env = {"LD_PRELOAD": str(build_dir() / "tests/clock_shim.so"), "ESOD_TEST_CLOCK": str(tmp_path / "clock")}
    if SANITIZED:
        env["ASAN_OPTIONS"] = "detect_leaks=1:exitcode=99:verify_asan_link_order=0"
    skip = [f"--skip={check}" for check in ("definitions", "webhooks", "rights", "operators", "objects")]
    text, remedy = only(bare.preflight("--plugin=fake", *skip, env=env), "clock", "warning")
    seconds = int(re.fullmatch(rf"the clock here is (\d+) s {said} that of the API server", text).group(1))
    assert abs(seconds - abs(offset)) <= 1
    assert "NTP" in remedy


def test_who_may_see_little_is_told_what_was_not_checked(installed):
    found = installed.preflight(user="nobody", code=1)
    not_checked = {check for check, items in found.items() for result, _, _ in items if result == "not checked"}
    assert not_checked == {"definitions", "webhooks", "operators", "objects"}
    assert "--service-account NAMESPACE/NAME" in found["webhooks"][0][2]
