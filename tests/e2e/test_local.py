"""`esod local`: the same controllers on a folder of manifests, without a cluster."""

import base64
import json
import os
import signal
import stat
import subprocess
import time

import pytest
import yaml

from harness import (CREATED_BY, DATA_HASH, MANAGED, ROOT, SANITIZER, build_dir, data_hash, owner_hash, wait_for,
                     without_notes)

pytestmark = pytest.mark.sanitized

STORE = """
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: demo}
spec:
  provider:
    fake:
      data:
      - {key: /db, value: '{"user":"anna","password":"very secret"}'}
      - {key: token, value: dG9rZW4=}
"""
APP = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app, namespace: shop}
spec:
  refreshInterval: 1h
  secretStoreRef: {name: demo, kind: ClusterSecretStore}
  target: {name: credentials}
  data:
  - {secretKey: password, remoteRef: {key: /db, property: password}}
  - {secretKey: token, remoteRef: {key: token, decodingStrategy: Base64}}
"""
VALUES = {"password": b"very secret", "token": b"token"}
ENCODED = {k: base64.b64encode(v).decode() for k, v in VALUES.items()}


@pytest.fixture
def folder(tmp_path):
    """folder(name=text, ...) writes the manifests and returns where."""
    where = tmp_path / "manifests"
    where.mkdir()

    def write(**files):
        for name, text in files.items():
            (where / f"{name}.yaml").write_text(text)
        return where

    return write


@pytest.fixture
def local(esod_bin):
    def run(*args, code=0):
        p = subprocess.run([esod_bin, "local", "--plugin-path", build_dir() / "lib/esod/plugins", *args],
                           capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"], "KUBECONFIG": "/nowhere"})
        assert p.returncode == code, f"exit code {p.returncode}\n{p.stdout}\n{p.stderr}"
        assert not SANITIZER.search(p.stderr), p.stderr
        p.stderr = without_notes(p.stderr)
        return p

    return run


def no_value(text):
    return not any(v in text for v in [*(v.decode() for v in VALUES.values() if v != b"token"), *ENCODED.values()])


def test_the_table_shows_lengths_but_no_values(local, folder):
    p = local(folder(store=STORE, app=APP))
    assert [line.split() for line in p.stdout.splitlines()[:2]] == [
        ["NAMESPACE", "EXTERNALSECRET", "READY", "REASON", "SECRET"],
        ["shop", "app", "True", "SecretSynced", "credentials"]]
    assert "Secret shop/credentials (Opaque)" in p.stdout
    assert "password: (hidden, 11 bytes)" in p.stdout and "token: (hidden, 5 bytes)" in p.stdout
    assert no_value(p.stdout + p.stderr)


def test_the_table_shows_values_on_demand(local, folder):
    p = local("--show-values", folder(store=STORE, app=APP))
    assert "password: very secret" in p.stdout and "token: token" in p.stdout


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_forms_for_programs(local, folder, form):
    where = folder(store=STORE, app=APP)
    p = local("-o", form, "--show-values", where)
    secrets = list(yaml.safe_load_all(p.stdout)) if form == "yaml" else json.loads(p.stdout)["items"]
    assert len(secrets) == 1
    secret = secrets[0]
    assert (secret["apiVersion"], secret["kind"], secret["type"]) == ("v1", "Secret", "Opaque")
    assert secret["data"] == ENCODED
    meta = secret["metadata"]
    assert (meta["name"], meta["namespace"]) == ("credentials", "shop")
    assert meta["labels"] == {MANAGED: "true", CREATED_BY: owner_hash("shop", "app")}
    assert meta["annotations"] == {DATA_HASH: data_hash(VALUES)}
    assert no_value(local("-o", form, where).stdout)


def test_a_folder_gets_a_private_file_for_each_secret(local, folder, tmp_path):
    out = tmp_path / "out"
    p = local("-o", out, folder(store=STORE, app=APP))
    path = out / "shop" / "credentials.yaml"
    assert [f for f in out.rglob("*") if f.is_file()] == [path]
    assert yaml.safe_load(path.read_text())["data"] == ENCODED
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert no_value(p.stdout + p.stderr)


def test_what_cannot_be_synced_is_explained(local, folder):
    broken = APP.replace("name: app,", "name: broken,").replace("key: token,", "key: missing,").replace("credentials", "other")
    p = local(folder(store=STORE, app=APP, broken=broken), code=1)
    rows = {tuple(line.split()) for line in p.stdout.splitlines()[1:3]}
    assert ("shop", "app", "True", "SecretSynced", "credentials") in rows
    assert any(r[:4] == ("shop", "broken", "False", "SecretSyncedError") for r in rows)
    assert ("ExternalSecret shop/broken: could not get secret data from provider: "
            "error processing spec.data[1] (key: missing), err: Secret does not exist") in p.stderr


WRONG = {
    "no YAML": ("kind: [\n", ":2: "),
    "tabs": ("metadata:\n\tname: x\n", ":2: "),
    "second document": (STORE.lstrip() + "---\nkind: {\n", ":12: "),
    "wrong type": (APP.lstrip().replace("name: credentials", "name: [1]"), ":7: spec.target.name: "),
    "no kind": ("apiVersion: v1\nmetadata: {name: x}\n", ":1: "),
    "no name": ("apiVersion: v1\nkind: Secret\nmetadata: {}\n", ":1: "),
}


@pytest.mark.parametrize("text, place", WRONG.values(), ids=WRONG)
def test_a_wrong_manifest_is_named_with_its_line(local, folder, text, place):
    where = folder(store=STORE, app=APP, wrong=text)
    p = local(where, code=1)
    assert f"{where}/wrong.yaml{place}" in p.stderr
    # The others are worked on all the same.
    assert "SecretSynced" in p.stdout


def test_other_kinds_are_no_mistake(local, folder):
    local(folder(store=STORE, app=APP, other="apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n"))


def test_wrong_use_has_its_own_exit_code(local, tmp_path):
    assert str(tmp_path / "nowhere") in local(tmp_path / "nowhere", code=2).stderr
    local(code=2)
    assert "--no-such-flag" in local("--no-such-flag", tmp_path, code=2).stderr


def test_watching_follows_the_files(esod_bin, folder, tmp_path):
    where, out = folder(store=STORE, app=APP), tmp_path / "out"
    path = out / "shop" / "credentials.yaml"

    def holds(want):
        assert path.exists(), "no file yet"
        got = yaml.safe_load(path.read_text())
        assert got and got["data"] == {k: base64.b64encode(v).decode() for k, v in want.items()}
        return True

    with open(tmp_path / "log", "wb") as log:
        p = subprocess.Popen([esod_bin, "local", "--watch", "-o", out, where], stdout=log, stderr=log)
    try:
        wait_for(lambda: holds(VALUES))
        time.sleep(0.1)
        folder(store=STORE.replace("very secret", "changed"), app=APP.replace("1h", "1s"))
        wait_for(lambda: holds({**VALUES, "password": b"changed"}))
        assert p.poll() is None
        p.send_signal(signal.SIGTERM)
        assert p.wait(15) == 0
    finally:
        p.kill()
        p.wait()
    assert not SANITIZER.search((tmp_path / "log").read_text())


def test_the_quickstart(local):
    p = local("--show-values", ROOT / "examples" / "quickstart")
    assert "SecretSynced" in p.stdout and "(hidden" not in p.stdout
    assert p.stderr == ""
