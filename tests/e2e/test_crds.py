"""The custom resource definitions that `esod crds` prints, in the hands of a real API server.

No operator runs here: this is about what is taken, what is refused and with
which words, and what is put in by default.
"""

import json
import re
import secrets
import subprocess

import pytest
import yaml

from harness import GROUP, Refused, wait_for

KINDS = ("ExternalSecret", "SecretStore", "ClusterSecretStore")
OTHERS = ("ClusterExternalSecret", "PushSecret", "ClusterPushSecret")
PLURALS = {"ExternalSecret": "externalsecrets", "SecretStore": "secretstores", "ClusterSecretStore": "clustersecretstores"}
DATA = [{"secretKey": "k", "remoteRef": {"key": "a"}}]
FAKE = {"provider": {"fake": {"data": [{"key": "a", "value": "x"}]}}}


def path(kind, namespace, version="v1", name=None):
    parts = ["/apis", GROUP, version] + (["namespaces", namespace] if kind != "ClusterSecretStore" else [])
    return "/".join(parts + [PLURALS[kind]] + ([name] if name else []))


class Door:
    """One namespace's way in: creates, without leaving anything behind unless asked."""

    def __init__(self, cluster, namespace):
        self.cluster, self.namespace = cluster, namespace

    def put(self, kind, spec, version="v1", dry=True, name="x", **top):
        obj = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name}, **top}
        if spec is not None:
            obj["spec"] = spec
        query = [("fieldValidation", "Strict")] + ([("dryRun", "All")] if dry else [])
        return self.cluster.call("POST", path(kind, self.namespace, version), obj, query)

    def get(self, kind, version="v1", name="x"):
        return self.cluster.call("GET", path(kind, self.namespace, version, name))

    def refused(self, kind, spec, version="v1", **top):
        with pytest.raises(Refused) as e:
            self.put(kind, spec, version, **top)
        assert e.value.status in (400, 422)
        return str(e.value)


@pytest.fixture
def door(cluster, space):
    return Door(cluster, space.name)


@pytest.fixture(scope="module")
def printed(crds):
    return {d["spec"]["names"]["kind"]: d for d in yaml.safe_load_all(crds.read_text())}


# ---- the definitions themselves

def test_the_same_bytes_every_time(esod_bin, crds):
    again = subprocess.run([str(esod_bin), "crds"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert again == crds.read_text()


def test_json_is_taken_as_well(esod_bin, cluster, printed):
    out = subprocess.run([str(esod_bin), "crds", "-o", "json"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert {d["spec"]["names"]["kind"]: d for d in json.loads(out)["items"]} == printed
    p = cluster.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=out)
    assert p.stdout.count("serverside-applied") == len(KINDS + OTHERS)


def test_all_kinds_are_printed_in_this_order(printed):
    assert tuple(printed) == KINDS + OTHERS


@pytest.mark.parametrize("kind", KINDS + OTHERS)
def test_they_are_established_and_structural(cluster, printed, kind):
    crd = cluster.get("CustomResourceDefinition", printed[kind]["metadata"]["name"])
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions["Established"] == conditions["NamesAccepted"] == "True"
    assert "NonStructuralSchema" not in conditions


@pytest.mark.parametrize("kind", KINDS)
def test_versions_label_and_conversion(cluster, kind):
    crd = cluster.get("CustomResourceDefinition", f"{PLURALS[kind]}.{GROUP}")
    assert crd["metadata"]["labels"]["external-secrets.io/component"] == "controller"
    assert crd["spec"]["conversion"]["strategy"] == "None"
    versions = [(v["name"], v["served"], v["storage"], v.get("deprecated", False)) for v in crd["spec"]["versions"]]
    assert versions == [("v1", True, True, False), ("v1beta1", True, False, True)]
    assert all("status" in v["subresources"] for v in crd["spec"]["versions"])


@pytest.mark.parametrize("version", ("v1", "v1beta1"))
def test_names_and_categories(cluster, version):
    found = {r["name"]: r for r in cluster.call("GET", f"/apis/{GROUP}/{version}")["resources"] if "/" not in r["name"]}
    for kind, short in zip(KINDS, ("es", "ss", "css")):
        r = found[PLURALS[kind]]
        assert (r["kind"], r["shortNames"], r["categories"]) == (kind, [short], ["external-secrets"])
        assert r["namespaced"] == (kind != "ClusterSecretStore")


def test_every_field_is_explained(printed):
    bare = []

    def look(schema, at):
        for name, field in schema.get("properties", {}).items():
            if "description" not in field and f"{at}.{name}" != f"{kind}.metadata":
                bare.append(f"{at}.{name}")
            look(field, f"{at}.{name}")
        if "items" in schema:
            look(schema["items"], at + "[]")
    for kind, crd in printed.items():
        for version in crd["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            assert schema["description"]
            look(schema, kind)
    assert bare == []


def test_kubectl_explain(cluster):
    def explained(what):
        return " ".join(cluster.kubectl("explain", what).stdout.split())
    assert "Retain keeps the Secret and reports an error" in explained("externalsecret.spec.target.deletionPolicy")
    assert "Exactly one is set" in explained("secretstore.spec.provider")
    assert "name that remoteRef.key asks for" in explained("clustersecretstore.spec.provider.fake.data.key")


COLUMNS = {
    "ExternalSecret": ["Name", "StoreType", "Store", "Refresh Interval", "Status", "Ready", "Last Sync"],
    "SecretStore": ["Name", "AGE", "Status", "Capabilities", "Ready"],
    "ClusterSecretStore": ["Name", "AGE", "Status", "Capabilities", "Ready"],
}
CONDITION = {"type": "Ready", "status": "True", "reason": "Fine", "lastTransitionTime": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("version", ("v1", "v1beta1"))
@pytest.mark.parametrize("kind", KINDS)
def test_printer_columns(cluster, door, kind, version):
    name = "columns-" + secrets.token_hex(4)
    spec = {"secretStoreRef": {"name": "s", "kind": "SecretStore"}, "data": DATA} if kind == "ExternalSecret" else FAKE
    door.put(kind, spec, dry=False, name=name)
    try:
        status = {"conditions": [CONDITION]}
        status.update({"refreshTime": "2026-01-01T00:00:00Z"} if kind == "ExternalSecret" else {"capabilities": "ReadOnly"})
        cluster.call("PATCH", path(kind, door.namespace, version, name) + "/status", {"status": status},
                     content="application/merge-patch+json")
        table = cluster.api.call_api(path(kind, door.namespace, version, name), "GET", auth_settings=["BearerToken"],
                                     header_params={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
                                     _return_http_data_only=True, _preload_content=False)
        table = json.loads(table.data)
        assert [c["name"] for c in table["columnDefinitions"]] == COLUMNS[kind]
        cells = dict(zip(COLUMNS[kind], table["rows"][0]["cells"]))
        assert (cells["Status"], cells["Ready"]) == ("Fine", "True")
        if kind == "ExternalSecret":
            assert (cells["StoreType"], cells["Store"], cells["Refresh Interval"]) == ("SecretStore", "s", "1h0m0s")
            assert re.fullmatch(r"\d+[dhms]\w*", cells["Last Sync"])
        else:
            assert cells["Capabilities"] == "ReadOnly"
    finally:
        cluster.call("DELETE", path(kind, door.namespace, version, name))


@pytest.mark.parametrize("field, mine, other", [
    ("spec.secretStoreRef.name", {"secretStoreRef": {"name": "one"}}, {"secretStoreRef": {"name": "two"}}),
    ("spec.secretStoreRef.kind", {"secretStoreRef": {"kind": "ClusterSecretStore"}}, {"secretStoreRef": {"kind": "SecretStore"}}),
    ("spec.target.name", {"target": {"name": "one"}}, {"target": {"name": "two"}}),
    ("spec.refreshInterval", {"refreshInterval": "5m"}, {"refreshInterval": "6m"}),
])
def test_selectable_fields(cluster, door, field, mine, other):
    door.put("ExternalSecret", {"data": DATA, **mine}, dry=False, name="mine")
    door.put("ExternalSecret", {"data": DATA, **other}, dry=False, name="other")
    value = mine["spec"] if "spec" in mine else mine
    for part in field.split(".")[1:]:
        value = value[part]
    out = cluster.kubectl("get", "es", "-n", door.namespace, "--field-selector", f"{field}={value}", "-o", "name").stdout
    assert out.split() == [f"externalsecret.{GROUP}/mine"]


def test_the_old_version_warns(cluster, space):
    p = cluster.kubectl("apply", "-f", "-", stdin=f"""
apiVersion: external-secrets.io/v1beta1
kind: SecretStore
metadata: {{name: old, namespace: {space.name}}}
spec: {{provider: {{fake: {{data: [{{key: a, value: x}}]}}}}}}
""")
    assert "external-secrets.io/v1beta1 SecretStore is deprecated; write external-secrets.io/v1" in p.stderr


# ---- defaults

def test_defaults(door):
    assert door.put("ExternalSecret", {"data": DATA})["spec"] == {
        "data": DATA, "refreshInterval": "1h0m0s", "target": {"creationPolicy": "Owner", "deletionPolicy": "Retain"}}
    spec = door.put("ExternalSecret", {
        "target": {"name": "t", "template": {"templateFrom": [{"literal": "a: b"}, {"configMap": {"name": "c", "items": [{"key": "k"}]}}]}},
        "dataFrom": [{"find": {"name": {"regexp": "."}}, "rewrite": [{"merge": {}}]},
                     {"extract": {"key": "a"}}, {"sourceRef": {"generatorRef": {"kind": "UUID", "name": "u"}}}]})["spec"]
    assert spec["target"] == {
        "name": "t", "creationPolicy": "Owner", "deletionPolicy": "Retain", "template": {
            "engineVersion": "v2", "mergePolicy": "Replace", "templateFrom": [
                {"literal": "a: b", "target": "Data"},
                {"target": "Data", "configMap": {"name": "c", "items": [{"key": "k", "templateAs": "Values"}]}}]}}
    assert spec["dataFrom"] == [
        {"find": {"name": {"regexp": "."}}, "rewrite": [{"merge": {
            "into": "", "priorityPolicy": "Strict", "conflictPolicy": "Error", "strategy": "Extract"}}]},
        {"extract": {"key": "a"}},
        {"sourceRef": {"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "UUID", "name": "u"}}}]


def test_null_is_as_good_as_absent(door):
    spec = door.put("ExternalSecret", {"data": DATA, "target": None, "refreshInterval": None, "dataFrom": None})["spec"]
    assert spec["target"] == {"creationPolicy": "Owner", "deletionPolicy": "Retain"}
    assert spec["refreshInterval"] == "1h0m0s" and "dataFrom" not in spec


def test_the_old_version_has_more_defaults(door):
    ref = {"key": "a", "conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}
    spec = {"data": DATA, "dataFrom": [{"extract": {"key": "a"}}, {"find": {"path": "p"}}]}
    old = door.put("ExternalSecret", spec, "v1beta1", dry=False)["spec"]
    assert old["data"] == [{"secretKey": "k", "remoteRef": ref}]
    assert old["dataFrom"] == [{"extract": ref},
                               {"find": {"path": "p", "conversionStrategy": "Default", "decodingStrategy": "None"}}]
    assert door.get("ExternalSecret")["spec"] == old
    door.put("ExternalSecret", spec, dry=False, name="new")
    assert door.get("ExternalSecret", name="new")["spec"]["data"] == DATA


NEW_IN_V1 = {
    "syncWindows": {"syncWindows": {"kind": "deny", "windows": [{"schedule": "@daily", "duration": "1h"}]}},
    "nullBytePolicy": {"data": [{"secretKey": "k", "remoteRef": {"key": "a", "nullBytePolicy": "Fail"}}]},
    "nullBytePolicy of extract": {"dataFrom": [{"extract": {"key": "a", "nullBytePolicy": "Fail"}}]},
    "nullBytePolicy of find": {"dataFrom": [{"find": {"nullBytePolicy": "Fail"}}]},
    "finalizers": {"target": {"template": {"metadata": {"finalizers": ["a/b"]}}}},
    "valuesDecodingStrategy": {"target": {"template": {"templateFrom": [{"literal": "a", "valuesDecodingStrategy": "Auto"}]}}},
    "manifest": {"target": {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}},
    "merge": {"dataFrom": [{"extract": {"key": "a"}, "rewrite": [{"merge": {}}]}]},
    "CreateOrMerge": {"target": {"creationPolicy": "CreateOrMerge"}},
    "templateFrom.target": {"target": {"template": {"templateFrom": [{"literal": "a", "target": "spec.x"}]}}},
}


@pytest.mark.parametrize("spec", NEW_IN_V1.values(), ids=NEW_IN_V1)
def test_what_only_v1_has(door, spec):
    spec = {"data": DATA, **spec}
    door.put("ExternalSecret", spec)
    said = door.refused("ExternalSecret", spec, "v1beta1")
    assert "unknown field" in said or "Unsupported value" in said


def test_the_old_store_has_a_number_as_interval(door):
    for value in (30, "30s", "1h30m", "0", 0):
        door.put("SecretStore", {**FAKE, "refreshInterval": value})
    door.put("SecretStore", {**FAKE, "refreshInterval": 30}, "v1beta1")
    assert "spec.refreshInterval" in door.refused("SecretStore", {**FAKE, "refreshInterval": "30s"}, "v1beta1")


# ---- rules

NO_OWNER = ("deletionPolicy=Delete must not be used when the controller doesn't own the secret. "
            "Please set creationPolicy=Owner")
NO_TARGET = "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with"
NOTHING = "either data or dataFrom should be specified"
TWO_WAYS = "extract, find, or generatorRef cannot be set at the same time"
NO_WAY = "either extract, find, or sourceRef must be set to dataFrom"
NO_SOURCE = "generatorRef or storeRef must be set when using sourceRef in dataFrom"
TWO_KEYS = "duplicate secretKey found: "
GENERATOR = {"generatorRef": {"kind": "UUID", "name": "u"}}


def keys(*names):
    return [{"secretKey": n, "remoteRef": {"key": "a"}} for n in names]


def policies(creation, deletion):
    return {"data": DATA, "target": {"creationPolicy": creation, "deletionPolicy": deletion}}


# What is refused, the words, and the nearest thing that is not refused.
RULES = {
    "delete, merge": (policies("Merge", "Delete"), NO_OWNER, policies("Merge", "Merge")),
    "delete, none": (policies("None", "Delete"), NO_OWNER, policies("None", "Retain")),
    "delete, create or merge": (policies("CreateOrMerge", "Delete"), NO_OWNER, policies("Orphan", "Delete")),
    "merge, none": (policies("None", "Merge"), NO_TARGET, policies("Orphan", "Merge")),
    "nothing": ({}, NOTHING, {"data": DATA}),
    "no spec": (None, NOTHING, {"dataFrom": [{"extract": {"key": "a"}}]}),
    "empty lists": ({"data": [], "dataFrom": []}, NOTHING, {"data": [], "dataFrom": [{"find": {}}]}),
    "extract and find": ({"dataFrom": [{"extract": {"key": "a"}, "find": {}}]}, TWO_WAYS,
                         {"dataFrom": [{"extract": {"key": "a"}}, {"find": {}}]}),
    "extract and generator": ({"dataFrom": [{"extract": {"key": "a"}, "sourceRef": GENERATOR}]}, TWO_WAYS,
                              {"dataFrom": [{"extract": {"key": "a"}, "sourceRef": {"storeRef": {"name": "s"}}}]}),
    "find and generator": ({"dataFrom": [{"find": {}, "sourceRef": GENERATOR}]}, TWO_WAYS,
                           {"dataFrom": [{"find": {}, "sourceRef": {"storeRef": {"name": "s"}}}]}),
    "no way": ({"dataFrom": [{"extract": {"key": "a"}}, {}]}, NO_WAY, {"dataFrom": [{"sourceRef": GENERATOR}]}),
    "no source": ({"dataFrom": [{"sourceRef": {}}]}, NO_SOURCE, {"dataFrom": [{"sourceRef": {"storeRef": {"name": "s"}}}]}),
    "two keys": ({"data": keys("k", "l", "m", "l")}, TWO_KEYS + "l",
                 {"data": keys("k", "l", "l"), "target": {"deletionPolicy": "Delete"}}),
    "two keys merged": ({"data": keys("k", "k"), "target": {"creationPolicy": "Merge"}}, TWO_KEYS + "k",
                        {"data": keys("k", "k"), "target": {"deletionPolicy": "Merge"}}),
}


@pytest.mark.parametrize("wrong, said, right", RULES.values(), ids=RULES)
def test_rules(door, wrong, said, right):
    message = door.refused("ExternalSecret", wrong)
    assert re.search(re.escape(said) + r"(,|\]|$)", message), message
    door.put("ExternalSecret", right)


OLD_RULES = [n for n in RULES if n != "delete, create or merge"]


@pytest.mark.parametrize("rule", OLD_RULES)
def test_rules_of_the_old_version(door, rule):
    wrong, said, right = RULES[rule]
    assert said in door.refused("ExternalSecret", wrong, "v1beta1")
    door.put("ExternalSecret", right, "v1beta1")


def test_all_that_is_wrong_is_said_at_once(door):
    message = door.refused("ExternalSecret", {**policies("None", "Merge"), "dataFrom": [{}], "data": keys("k", "k")})
    assert NO_TARGET in message and NO_WAY in message


# The controller refuses these and says so in the condition; the reference does
# the same with objects that came around its webhook.
LEFT_TO_THE_CONTROLLER = {
    "bootstrap token": {"type": "bootstrap.kubernetes.io/token"},
    "token by annotation": {"type": "kubernetes.io/service-account-token",
                            "metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}}},
    "token by templateFrom": {"type": "kubernetes.io/service-account-token",
                              "templateFrom": [{"literal": "a: b", "target": "Annotations"}]},
    "a target no secret has": {"templateFrom": [{"literal": "a: b", "target": "metadata.ownerReferences"}]},
    "a template that is none": {"data": {"k": "{{ nonsense"}},
}


@pytest.mark.parametrize("template", LEFT_TO_THE_CONTROLLER.values(), ids=LEFT_TO_THE_CONTROLLER)
def test_what_the_controller_says_later_is_taken(door, template):
    door.put("ExternalSecret", {"data": DATA, "target": {"template": template}})


SCHEMA = {
    "unknown store kind": ({"secretStoreRef": {"name": "s", "kind": "Vault"}}, "spec.secretStoreRef.kind"),
    "store name": ({"secretStoreRef": {"name": "Upper"}}, "spec.secretStoreRef.name"),
    "target name": ({"target": {"name": "a b"}}, "spec.target.name"),
    "no duration": ({"refreshInterval": "soon"}, "spec.refreshInterval"),
    "duration without unit": ({"refreshInterval": "10"}, "spec.refreshInterval"),
    "engine": ({"target": {"template": {"engineVersion": "v1"}}}, "spec.target.template.engineVersion"),
    "merge policy": ({"target": {"template": {"mergePolicy": "Sum"}}}, "spec.target.template.mergePolicy"),
    "template source": ({"target": {"template": {"templateFrom": [{"secret": {"name": "s"}}]}}}, "items"),
    "template value": ({"target": {"template": {"data": {"k": 5}}}}, "spec.target.template.data.k"),
    "two source refs": ({"data": [{**DATA[0], "sourceRef": {"storeRef": {"name": "a"}, **GENERATOR}}]}, "spec.data[0].sourceRef"),
    "generator kind": ({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Dice", "name": "d"}}}]}, "generatorRef.kind"),
    "two rewrites": ({"dataFrom": [{"find": {}, "rewrite": [{"regexp": {"source": "a", "target": "b"}, "transform": {"template": "c"}}]}]},
                     "spec.dataFrom[0].rewrite[0]"),
    "no rewrite": ({"dataFrom": [{"find": {}, "rewrite": [{}]}]}, "spec.dataFrom[0].rewrite[0]"),
    "window kind": ({"syncWindows": {"kind": "maybe", "windows": [{"schedule": "@daily", "duration": "1h"}]}}, "spec.syncWindows.kind"),
    "no window": ({"syncWindows": {"kind": "deny", "windows": []}}, "spec.syncWindows.windows"),
    "window schedule": ({"syncWindows": {"kind": "deny", "windows": [{"schedule": "noon", "duration": "1h"}]}}, "schedule"),
    "window duration": ({"syncWindows": {"kind": "deny", "windows": [{"schedule": "@daily", "duration": "1"}]}}, "duration"),
    "manifest without kind": ({"target": {"manifest": {"apiVersion": "v1"}}}, "spec.target.manifest.kind"),
    "unknown field": ({"targets": {}}, 'unknown field "spec.targets"'),
}


@pytest.mark.parametrize("more, said", SCHEMA.values(), ids=SCHEMA)
def test_the_schema_refuses(door, more, said):
    assert said in door.refused("ExternalSecret", {"data": DATA, **more})


def test_durations_as_go_writes_them(door):
    for text in ("0", "1h", "1h0m0s", "1.5h", ".5s", "300ms", "1us", "1µs", "2h45m30.5s", "-1m", "+5s", "0s"):
        door.put("ExternalSecret", {"data": DATA, "refreshInterval": text})


def test_schedules(door):
    for text in ("*/5 * * * *", "0 0 30 2 *", "@hourly", "@every 1h30m", "0 9-17 * * MON-FRI"):
        door.put("ExternalSecret", {"data": DATA, "syncWindows": {"kind": "allow", "windows": [{"schedule": text, "duration": "1m"}]}})


# ---- stores

STORES = {
    "no provider": ({}, "spec.provider: Required value"),
    "empty provider": ({"provider": {}}, "spec.provider"),
    "two providers": ({"provider": {**FAKE["provider"], "nosuch": {}}}, "spec.provider"),
    "unknown provider": ({"provider": {"nosuch": {}}}, "no plugin here has this provider; there are: "),
    "unknown field": ({"provider": {"fake": {"data": [], "more": 1}}}, 'unknown field "spec.provider.fake.more"'),
    "provider's own field": ({"provider": {"fake": {"data": [{"key": "a"}]}}}, "spec.provider.fake.data[0].value"),
    "negative number": ({**FAKE, "refreshInterval": -5}, "invalid refreshInterval -5: must not be negative"),
    "negative duration": ({**FAKE, "refreshInterval": "-5m"}, 'invalid refreshInterval "-5m": must not be negative'),
    "no duration": ({**FAKE, "refreshInterval": "often"}, "spec.refreshInterval"),
    "fraction": ({**FAKE, "refreshInterval": 1.5}, "spec.refreshInterval"),
    "namespace name": ({**FAKE, "conditions": [{"namespaces": ["a.b"]}]}, "spec.conditions[0].namespaces[0]"),
    "namespace regex": ({**FAKE, "conditions": [{}, {"namespaceRegexes": ["^a", "[b"]}]}, "missing closing ]: `[b`"),
    "lookahead": ({**FAKE, "conditions": [{"namespaceRegexes": ["a(?!b)"]}]}, "failed to compile namespace regex"),
    "retries": ({**FAKE, "retrySettings": {"maxRetries": "3"}}, "spec.retrySettings.maxRetries"),
}


@pytest.mark.parametrize("kind", ("SecretStore", "ClusterSecretStore"))
@pytest.mark.parametrize("spec, said", STORES.values(), ids=STORES)
def test_a_wrong_store(door, kind, spec, said):
    assert said in door.refused(kind, spec)


def test_a_right_store(door):
    long_list = "^(" + "|".join(f"team-{i:04}" for i in range(1000)) + ")$"
    for kind in ("SecretStore", "ClusterSecretStore"):
        for version in ("v1", "v1beta1"):
            door.put(kind, {**FAKE, "controller": "c", "retrySettings": {"maxRetries": 3, "retryInterval": "10s"},
                            "refreshInterval": 10,
                            "conditions": [{"namespaces": ["a", "b-c"]}, {"namespaceRegexes": ["^a", "-b$", "", long_list]},
                                           {"namespaceSelector": {}},
                                           {"namespaceSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [
                                               {"key": "k", "operator": "In", "values": ["v"]}]}}]}, version)
    many = [{"namespaceRegexes": [f"^ns-{i}-{j}$" for j in range(40)]} for i in range(40)]
    door.put("ClusterSecretStore", {**FAKE, "conditions": many})


# ---- no ceiling in anybody's way

def test_large_objects_are_taken(door):
    door.put("ExternalSecret", {"data": keys(*[f"key-{i}" for i in range(3000)])})
    door.put("ExternalSecret", {"dataFrom": [{"extract": {"key": f"key-{i}"}} for i in range(3000)]})
    door.put("ExternalSecret", {"data": DATA, "target": {"template": {
        "type": "kubernetes.io/service-account-token",
        "templateFrom": [{"literal": f"a{i}: b", "target": "Labels"} for i in range(3000)],
        "data": {f"key-{i}": "{{ .a }}" * 20 for i in range(1000)}}}})


def test_the_search_for_equal_keys_stays_within_the_budget(door):
    """It looks at the first hundred entries, however long their names are."""
    long = [f"{'k' * 249}{i:04}" for i in range(150)]
    door.put("ExternalSecret", {"data": keys(*long)})
    assert TWO_KEYS + long[0] in door.refused("ExternalSecret", {"data": keys(*long[:99], long[0])})
    assert TWO_KEYS + long[98] in door.refused("ExternalSecret", {"data": keys(*long[:99], long[98])})
    door.put("ExternalSecret", {"data": keys(*long[:100], long[0])})


# ---- objects that are there already

@pytest.fixture
def loosened(cluster):
    """loosened(kind) lets everything in; at the end the definitions are as before."""
    changed = {}

    def put(name, versions):
        cluster.patch("CustomResourceDefinition", name, {"spec": {"versions": versions}})

    def loosen(kind):
        name = f"{PLURALS[kind]}.{GROUP}"
        changed[name] = cluster.get("CustomResourceDefinition", name)["spec"]["versions"]
        loose = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        put(name, [{k: v for k, v in {**version, "schema": loose}.items() if k != "selectableFields"} for version in changed[name]])

    def tighten(kind):
        name = f"{PLURALS[kind]}.{GROUP}"
        put(name, changed.pop(name))

    loosen.tighten = tighten
    yield loosen
    for name, versions in changed.items():
        put(name, versions)


OLD_OBJECTS = [
    ("ExternalSecret", None),
    ("ExternalSecret", {}),
    ("ExternalSecret", policies("Merge", "Delete")),
    ("ExternalSecret", {"data": keys("k", "k")}),
    ("ExternalSecret", {"dataFrom": [{}]}),
    ("ExternalSecret", {"data": DATA, "refreshInterval": "10"}),
    ("SecretStore", {"provider": {"nosuch": {"deep": {"er": 1}}}}),
    ("SecretStore", {**FAKE, "refreshInterval": "-1m"}),
    ("ClusterSecretStore", {**FAKE, "refreshInterval": -1}),
]


@pytest.mark.parametrize("kind, spec", OLD_OBJECTS)
def test_what_an_older_definition_let_in_can_be_worked_on(cluster, door, loosened, kind, spec):
    """Finalizers, labels and status change; nothing of the object is lost; it can be repaired and deleted."""
    name = "x-" + secrets.token_hex(4)
    loosened(kind)
    wait_for(lambda: _taken(door, kind, spec, name))
    loosened.tighten(kind)
    wait_for(lambda: not _taken(door, kind, spec, "y", dry=True))

    def patch(body, sub=""):
        cluster.call("PATCH", path(kind, door.namespace, name=name) + sub, body, content="application/merge-patch+json")
    patch({"status": {"conditions": [CONDITION]}}, "/status")
    patch({"metadata": {"finalizers": ["example.com/f"], "labels": {"a": "b"}}})
    got = door.get(kind, name=name)
    assert got["status"]["conditions"][0]["reason"] == "Fine"
    for key, value in (spec or {}).items():
        assert got["spec"][key] == value
    patch({"metadata": {"finalizers": None}})
    repaired = {"data": DATA, "dataFrom": None, "target": None, "refreshInterval": None}
    if kind != "ExternalSecret":
        repaired = {"provider": {**FAKE["provider"], "nosuch": None}, "refreshInterval": None}
    patch({"spec": repaired})
    door.put(kind, door.get(kind, name=name)["spec"], name="y")
    cluster.call("DELETE", path(kind, door.namespace, name=name))


def test_a_pattern_that_an_older_definition_let_in_can_be_repaired(cluster, door, loosened):
    """It can be nothing but repaired: errors inside a rule are not forgiven, as false rules are."""
    spec = {**FAKE, "conditions": [{"namespaceRegexes": ["["]}]}
    loosened("SecretStore")
    wait_for(lambda: _taken(door, "SecretStore", spec, "x"))
    loosened.tighten("SecretStore")
    wait_for(lambda: not _taken(door, "SecretStore", spec, "y", dry=True))
    got = cluster.patch("SecretStore", "x", {"spec": {"conditions": [{"namespaceRegexes": ["a"]}]}}, door.namespace)
    assert got["spec"]["conditions"] == [{"namespaceRegexes": ["a"]}]


def _taken(door, kind, spec, name, dry=False):
    try:
        return door.put(kind, spec, name=name, dry=dry)
    except Refused:
        return None
