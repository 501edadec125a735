"""The READMEs of sdk/template and examples/plugins, followed to the letter: from the tree to a Secret that a plugin has filled.

Blocks marked `sh` are what the reader runs, in order and in one shell; blocks marked `console` need a cluster or repeat
something. Blocks marked `c` are added to the plugin by whoever makes it his own, so they have to compile.
"""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import pages
from harness import ROOT, build_dir

TEMPLATE = ROOT / "sdk" / "template"
LEFT_BY_BUILDS = shutil.ignore_patterns("build", "*.so", "schema.c", "secrets")


def blocks(kind, folder=TEMPLATE):
    return [block.text for block in pages.Page(folder / "README.md").blocks(kind)]


def steps(folder=TEMPLATE):
    return "\n".join(blocks("sh", folder))


def environment(home, **more):
    """Of somebody who has just logged in: nothing says where esod or its SDK could be."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}


def follow(script, cwd, env, timeout):
    """Runs the steps; stdout and stderr, in the order in which they came."""
    code, said, late = pages.bounded(["bash", "-c", f"exec 2>&1; set -eux -o pipefail\n{script}"], cwd, env, timeout)
    assert code == 0, said + late
    return said


@pytest.fixture(scope="module")
def reader(tmp_path_factory, esod_bin):
    """(home, what was said) of a reader who went through the README."""
    home = tmp_path_factory.mktemp("home")
    # The first step would build the clone anew. The tree that is tested is built already, in the
    # folder that the step names, so that it stays what it is: a step that finds nothing to do.
    assert build_dir() == ROOT / "build" / "release", "the README builds build/release; unset ESOD_BUILD"
    said = follow(steps(), ROOT, environment(home), timeout=150)
    return home, said


def secret_of(folder):
    return yaml.safe_load((folder / "default" / "greeting.yaml").read_text())


def test_the_steps_end_with_a_secret(reader):
    home, _ = reader
    secret = secret_of(home / "hello" / "secrets")
    assert (secret["kind"], secret["metadata"]["name"]) == ("Secret", "greeting")
    assert {k: base64.b64decode(v) for k, v in secret["data"].items()} == {"text": b"Hello, world"}


def test_the_steps_print_what_the_readme_shows(reader):
    """Blocks without a mark are output."""
    _, said = reader
    shown = blocks("")
    assert shown
    for block in shown:
        assert block in said


def test_the_checks_of_the_plugin_ran(reader):
    _, said = reader
    assert "esp-check/hello" in said
    assert "100% tests passed" in said


def test_the_installed_plugin_is_found(reader):
    home, _ = reader
    esod = home / "esod" / "bin" / "esod"
    p = subprocess.run([esod, "plugins", "-o", "json"], capture_output=True, text=True, timeout=60, env=environment(home))
    assert p.returncode == 0, p.stderr
    found = {plugin["name"]: plugin for plugin in json.loads(p.stdout)["plugins"]}
    assert {"fake", "hello"} <= set(found)
    assert found["hello"]["path"] == str(home / "esod" / "lib" / "esod" / "plugins" / "hello.so")


def test_the_configuration_that_the_readme_shows_loads_it(reader, tmp_path):
    home, _ = reader
    config = blocks("yaml")[0].replace("/opt/plugins/", f"{home}/hello/build/")
    assert f"{home}/hello/build/hello.so" in config
    (tmp_path / "esod.yaml").write_text(config)
    p = subprocess.run([home / "esod" / "bin" / "esod", "crds", "--config", tmp_path / "esod.yaml"], capture_output=True, text=True,
                       timeout=60, env=environment(home))
    assert p.returncode == 0, p.stderr
    store = next(d for d in yaml.safe_load_all(p.stdout) if d["spec"]["names"]["kind"] == "SecretStore")
    for version in store["spec"]["versions"]:
        provider = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["provider"]
        assert set(provider["properties"]) == {"fake", "hello"}


def test_the_make_file_builds_the_same_plugin(reader):
    home, _ = reader
    p = subprocess.run([home / "esod/bin/esod", "local", "--plugin", home / "hello/hello.so", "-o", home / "made", home / "hello/manifests"],
                       capture_output=True, text=True, timeout=60, env=environment(home))
    assert p.returncode == 0, p.stderr
    assert secret_of(home / "made")["data"] == secret_of(home / "hello" / "secrets")["data"]


def test_what_one_adds_compiles_and_works(reader, tmp_path):
    """All of it in one plugin, with the schema's part and the list of the README."""
    home, _ = reader
    grown = tmp_path / "grown"
    shutil.copytree(TEMPLATE, grown, ignore=LEFT_BY_BUILDS)
    source = (grown / "hello.c").read_text()
    tables = "static const struct esp_store_ops ops"
    assert source.count(tables) == 1 and len(blocks("c")) == 3
    source = source.replace("#include <stdlib.h>\n", "#include <stdbool.h>\n#include <stdlib.h>\n")
    source = source.replace(tables, "\n".join(blocks("c")) + "\n" + tables)
    source = source.replace(".get = hello_get,", ".get = hello_get,\n    .list = hello_list,").replace(
        "ESP_CAP_READ |", "ESP_CAP_READ | ESP_CAP_LIST |")
    source += "void *used[] = {(void *)fetch, (void *)read_token};\n"
    (grown / "hello.c").write_text(source)
    schema = json.loads((grown / "schema.json").read_text())
    schema["properties"].update(json.loads("{" + blocks("json")[0] + "}"))
    (grown / "schema.json").write_text(json.dumps(schema))

    external = yaml.safe_load((grown / "manifests/externalsecret.yaml").read_text())
    external["spec"]["data"] = []
    external["spec"]["dataFrom"] = [{"find": {"name": {"regexp": "^m"}}}]
    (grown / "manifests/externalsecret.yaml").write_text(yaml.safe_dump(external))
    follow(f"""
        export PKG_CONFIG_PATH={home}/esod/lib/pkgconfig
        make CFLAGS='-Wall -Wextra -Werror'
        {home}/esod/bin/esod local --plugin ./hello.so -o secrets manifests
        """, grown, environment(home), timeout=60)
    assert {k: base64.b64decode(v) for k, v in secret_of(grown / "secrets")["data"].items()} == {"moon": b"Hello, moon"}


def rust():
    """Where rustup keeps its toolchains, when cargo is rustup's: it looks below HOME unless it is told."""
    home = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
    return {"RUSTUP_HOME": str(home)} if home.is_dir() else {}


@pytest.mark.parametrize("language", ["cpp", "rust"])
def test_the_examples_in_other_languages(reader, tmp_path, language):
    home, _ = reader
    esod = home / "esod"
    example = ROOT / "examples" / "plugins" / language
    copy = tmp_path / language
    shutil.copytree(example, copy, ignore=LEFT_BY_BUILDS)
    env = environment(home, ESOD=str(esod), **rust())
    env["PATH"] = f"{esod}/bin:{env['PATH']}"
    said = follow(steps(example), copy, env, timeout=150)
    assert "100% tests passed" in said
    assert f"esp-check/hello-{language}" in said
    assert "    text: Hello, world\n" in said
