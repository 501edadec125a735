"""The plugins' READMEs: together, the manifests of a page show every field (and `test_docs.py` that they are taken)."""

import json
import subprocess

import pytest
import yaml

import harness
import pages

PLUGINS = sorted(p.parent for p in (harness.ROOT / "plugins").glob("*/README.md"))
STORES = ("SecretStore", "ClusterSecretStore")


def fields(schema, path=()):
    """The path of every field of a schema; what is in a list or a map of objects goes on with []."""
    found = set()
    for name, of in schema.get("properties", {}).items():
        found |= {path + (name,)} | fields(of, path + (name,))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found |= fields(schema[key], path + ("[]",))
    return found


def used(value, schema, path=()):
    """The fields of the schema that a value has."""
    found = set()
    if isinstance(value, list):
        for v in value:
            found |= used(v, schema.get("items", {}), path + ("[]",))
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        for name, v in value.items():
            if name in known:
                found |= {path + (name,)} | used(v, known[name], path + (name,))
            elif isinstance(schema.get("additionalProperties"), dict):
                found |= used(v, schema["additionalProperties"], path + ("[]",))
    return found


def provider_schemas(crds):
    for crd in yaml.safe_load_all(crds.read_text()):
        if crd["spec"]["names"]["kind"] == "SecretStore":
            version = next(v for v in crd["spec"]["versions"] if v["name"] == "v1")
            return version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["provider"]["properties"]
    raise AssertionError("there is no SecretStore among the definitions")


def of_plugin(esod_bin, name):
    """The stores' names of the plugin in this folder."""
    said = subprocess.run([str(esod_bin), "plugins", "--json"], capture_output=True, text=True, timeout=60, check=True)
    for plugin in json.loads(said.stdout)["plugins"]:
        if plugin["name"] == name:
            return [p["name"] for p in plugin["providers"]]
    raise AssertionError(f"esod plugins does not know {name}")


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda p: p.name)
def test_the_manifests_of_a_page_show_every_field(folder, esod_bin, crds):
    schemas = provider_schemas(crds)
    providers = of_plugin(esod_bin, folder.name)
    assert providers
    manifests = pages.Page(folder / "README.md").manifests()
    assert any(o["kind"] in STORES for o in manifests), "the page shows no store"
    shown = set()  # of all providers of the page: two that speak the same protocol share its manifests
    for o in manifests:
        for provider in providers if o["kind"] in STORES else ():
            shown |= used(o["spec"]["provider"].get(provider), schemas[provider])
    for provider in providers:
        missing = sorted(".".join(path) for path in fields(schemas[provider]) - shown)
        assert not missing, f"no manifest of {folder.name}/README.md shows these fields of {provider}: {', '.join(missing)}"
