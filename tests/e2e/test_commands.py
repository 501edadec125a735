"""What the commands print, and what they answer to wrong use."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request

import pytest
import yaml

from commands import complaint, esod  # noqa: F401
from harness import ROOT, build_dir, free_port, wait_for

pytestmark = pytest.mark.sanitized

COMMANDS = ["run", "local", "render", "preflight", "crds", "plugins", "completion", "version"]
PLUGINS = build_dir() / "lib/esod/plugins"
KINDS = {"ExternalSecret", "SecretStore", "ClusterSecretStore", "ClusterExternalSecret", "PushSecret", "ClusterPushSecret"}


# ---- help

@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(esod, command):
    p = esod(command, "--help")
    assert p.stdout.startswith(f"Usage: esod {command}")
    assert "--help" in p.stdout and p.stderr == ""
    for other in ([command, "-h"], ["help", command], [command, "--no-such-flag", "--help"]):
        assert esod(*other).stdout == p.stdout


def test_help_names_the_commands(esod):
    text = esod("--help").stdout
    for command in COMMANDS:
        assert f"\n  {command} " in text
    assert esod("help").stdout == text and esod("-h").stdout == text
    assert esod(code=2).stderr == text


def test_a_command_has_its_own_flags(esod):
    assert "--concurrent" in esod("run", "--help").stdout
    assert "--concurrent" not in esod("crds", "--help").stdout
    assert "--concurrent" in complaint(esod("crds", "--concurrent", "3", code=2))


# ---- wrong use

WRONG = {
    "unknown argument of run": (["run", "now"], 'run: unknown argument "now"; see esod run --help'),
    "unknown flag of run": (["run", "--colour"], 'run: unknown argument "--colour"; see esod run --help'),
    "flag of something not there": (["run", "--enable-generator-state"],
                                    'run: unknown argument "--enable-generator-state"; see esod run --help'),
    "times of the election do not go together": (
        ["run", "--enable-leader-election", "--leader-election-renew-deadline", "20s"],
        "--leader-election-lease-duration (15s) has to be longer than --leader-election-renew-deadline (20s), "
        "or two replicas could lead at once"),
    "value is missing": (["run", "--concurrent"], "--concurrent needs a value"),
    "value is wrong": (["run", "--concurrent", "many"], '--concurrent: "many" is not a whole number'),
    "no such file": (["run", "--config", "/nowhere"], "/nowhere: No such file or directory"),
    "no such plugin": (["crds", "--plugin-path", "/nowhere", "--plugin", "x"],
                       "--plugin: plugin x: no such file; looked for /nowhere/x.so"),
    "no folder": (["local"], "local: which folder? see esod local --help"),
    "two folders": (["local", "a", "b"], 'local: one folder, not both "a" and "b"'),
    "form is missing": (["local", ".", "-o"], 'local: unknown or incomplete flag "-o"; see esod local --help'),
    "nothing to render": (["render"], "render: which file? see esod render --help"),
    "two to render": (["render", "a", "b"], 'render: one file, not both "a" and "b"'),
    "unknown flag of render": (["render", "a", "--template"], 'render: unknown or incomplete flag "--template"; see esod render --help'),
    "unknown form of render": (["render", "a", "-o", "table"], "render: -o is yaml or json, not table"),
    "form of render is missing": (["render", "a", "-o"], "render: -o is yaml or json"),
    "values are missing": (["render", "a", "--values"], "render: --values needs a value"),
    "no pair": (["render", "a", "--set", "x"], "render: --set takes KEY=VALUE"),
    "no pair of a file": (["render", "a", "--set-file", "=x"], "render: --set-file takes KEY=FILE"),
    "nothing there to render": (["render", "/nowhere"], "/nowhere: No such file or directory"),
    "unknown form of crds": (["crds", "-o", "xml"], "crds: -o is yaml or json, not xml"),
    "form of crds is missing": (["crds", "--output"], "crds: --output is yaml or json"),
    "unknown argument of crds": (["crds", "all"], 'crds: unknown argument "all"; see esod crds --help'),
    "form with apply": (["crds", "--apply", "-o", "json"], "crds: --output is for printing; leave it out with --apply"),
    "taking over by printing": (["crds", "--take-over"], "crds: --take-over goes with --apply"),
    "force by printing": (["crds", "--force-conflicts"], "crds: --force-conflicts goes with --apply"),
    "no login": (["crds", "--apply", "--kubeconfig", "/nowhere"], "/nowhere: No such file or directory"),
    "unknown argument of preflight": (["preflight", "now"], 'preflight: unknown argument "now"; see esod preflight --help'),
    "unknown form of preflight": (["preflight", "-o", "xml"], "preflight: -o is text or json, not xml"),
    "form of preflight is missing": (["preflight", "--output"], "preflight: --output is text or json"),
    "unknown check": (["preflight", "--skip", "rigths"], 'preflight: --skip: there is no check "rigths"; see esod preflight --help'),
    "check is missing": (["preflight", "--skip"], 'preflight: --skip: there is no check ""; see esod preflight --help'),
    "no service account": (["preflight", "--service-account=esod"], "preflight: --service-account is NAMESPACE/NAME, not esod"),
    "service account is missing": (["preflight", "--service-account"], "preflight: --service-account is NAMESPACE/NAME"),
    "setting of preflight": (["preflight", "--concurrent=0"], "--concurrent: 0 is not between 1 and 256"),
    "unknown form of plugins": (["plugins", "--output=yaml"], "plugins: --output=yaml is table or json, not yaml"),
    "unknown argument of plugins": (["plugins", "fake"], 'plugins: unknown argument "fake"; see esod plugins --help'),
    "unknown form of plugins verify": (["plugins", "verify", "-o", "xml"], "plugins: -o is table or json, not xml"),
    "verify what": (["plugins", "verify", "fake"], 'plugins: unknown argument "fake"; see esod plugins --help'),
    "unknown isolation": (["plugins", "--isolation", "vm"], '--isolation: "vm" is neither process nor none'),
    "completion for which shell": (["completion"], "completion: for which shell? bash, zsh or fish; see esod completion --help"),
    "completion for two shells": (["completion", "zsh", "fish"], 'completion: one shell, not both "zsh" and "fish"'),
    "completion for another shell": (["completion", "tcsh"], 'completion: there is a script for bash, zsh and fish, not for "tcsh"'),
    "unknown argument of version": (["version", "--short"], 'version: unknown argument "--short"; see esod version --help'),
}


@pytest.mark.parametrize("args, sentence", WRONG.values(), ids=WRONG)
def test_wrong_use_is_a_sentence_and_exit_code_2(esod, args, sentence):
    assert complaint(esod(*args, code=2)) == sentence


@pytest.mark.parametrize("args", [["start"], ["--colour"], ["help", "start"], [""]])
def test_an_unknown_command_is_told_which_there_are(esod, args):
    p = esod(*args, code=2)
    assert p.stdout == ""
    assert f'there is no command "{args[-1]}"' in p.stderr
    assert all(c in p.stderr for c in COMMANDS)


def test_wrong_settings_stop_every_command(esod, tmp_path):
    (tmp_path / "esod.yaml").write_text("plugins: [fake]\nconcurent: 3\n")
    for command in (["run"], ["local", "."], ["crds"], ["plugins"], ["plugins", "verify"]):
        text = complaint(esod(*command, "--config", "esod.yaml", code=2))
        assert text == "esod.yaml:2: concurent: unknown key; did you mean concurrent?"


def test_a_kubeconfig_that_is_not_there(esod):
    quiet = ["--metrics-addr=0", "--live-addr=0", "--log-format=json"]
    last = esod("run", "--kubeconfig", "/nowhere", *quiet, code=2).stderr.splitlines()[-1]
    assert last == "esod: /nowhere: No such file or directory"
    last = esod("run", *quiet, code=2).stderr.splitlines()[-1]
    assert last.startswith("esod: no Kubernetes configuration: ")


def test_an_address_that_is_taken(esod, tmp_path, kubeconfig):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        address = f"127.0.0.1:{s.getsockname()[1]}"
        p = esod("run", "--kubeconfig", str(kubeconfig), "--metrics-addr", "0", "--live-addr", address, code=2)
    assert f"esod: --live-addr: cannot listen on {address}: Address already in use\n" in p.stderr


# ---- version

def test_version(esod):
    p = esod("version")
    first, abi, libraries = p.stdout.splitlines()
    assert first.split()[0] == "esod" and first.split()[1][0].isdigit()
    assert abi == "plugin ABI 1.1"
    assert libraries.startswith("libcurl ")
    assert esod("--version").stdout == p.stdout


# ---- crds

def test_crds_are_the_same_every_time_and_in_both_forms(esod):
    text = esod("crds").stdout
    assert esod("crds", "-o", "yaml").stdout == text
    found = list(yaml.safe_load_all(text))
    assert {c["spec"]["names"]["kind"] for c in found} == KINDS and len(found) == len(KINDS)
    for crd in found:
        assert {v["name"] for v in crd["spec"]["versions"]} <= {"v1", "v1beta1", "v1alpha1"}
        assert sum(v["storage"] for v in crd["spec"]["versions"]) == 1
    for args in (["-o", "json"], ["-o=json"], ["--output", "json"], ["--output=json"]):
        as_json = json.loads(esod("crds", *args).stdout)
        assert as_json["kind"] == "List" and as_json["items"] == found


def test_crds_know_what_the_plugins_offer(esod):
    def providers(*args):
        found = yaml.safe_load_all(esod("crds", *args).stdout)
        store = next(c for c in found if c["spec"]["names"]["kind"] == "SecretStore")
        v1 = next(v for v in store["spec"]["versions"] if v["name"] == "v1")
        return set(v1["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["provider"].get("properties", {}))

    assert "fake" in providers()
    assert providers("--plugin", "fake") == {"fake"}
    assert providers("--plugin-path", "/nowhere") == set()


def test_crds_apply(cluster, crds):
    """The control plane of these tests has them already; to apply them again changes nothing."""
    p = cluster.kubectl("apply", "--server-side", "--dry-run=server", "-f", str(crds))
    assert p.stdout.count("serverside-applied") == len(KINDS)


# ---- plugins

def test_plugins(esod):
    head, *rows = esod("plugins").stdout.splitlines()
    assert [row.split()[0] for row in rows] == sorted(file.stem for file in PLUGINS.glob("*.so"))
    head, row = esod("plugins", "--plugin", "fake").stdout.splitlines()
    assert head.split() == ["PLUGIN", "VERSION", "ABI", "ISOLATION", "PROVIDERS", "PATH"]
    assert row.split()[0] == "fake" and row.endswith(str(PLUGINS / "fake.so"))
    for args in (["-o", "json"], ["--output=json"], ["--json"]):
        found = json.loads(esod("plugins", "--plugin", "fake", *args).stdout)
        assert found["refused"] == [] and len(found["plugins"]) == 1
        fake = found["plugins"][0]
        assert (fake["name"], fake["abi"], fake["path"]) == ("fake", "1.1", str(PLUGINS / "fake.so"))
        assert fake["providers"] == [{"name": "fake", "read": True, "find": True, "push": True}]
        assert fake["sha256"] == sha256_of(PLUGINS / "fake.so")


def test_plugins_inside_esod_have_no_fences(esod):
    _, *rows = esod("plugins", "--isolation", "none").stdout.splitlines()
    assert {row.split()[3] for row in rows} == {"none"}
    for plugin in json.loads(esod("plugins", "--json", "--isolation=none").stdout)["plugins"]:
        assert (plugin["isolation"], plugin["fences"]) == ("none", [])


# ---- pins

def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def pinned(tmp_path):
    """pinned(sha256) writes a configuration with a copy of the fake plugin that is pinned to that, and returns the copy."""
    def write(sha256, **entry):
        copy = tmp_path / "mine" / "fake.so"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(PLUGINS / "fake.so", copy)
        entry = {"name": "fake", **({"sha256": sha256} if sha256 else {}), **entry}
        (tmp_path / "esod.yaml").write_text(yaml.safe_dump({"pluginPath": ["mine"], "plugins": [entry]}))
        return copy

    return write


def verify(esod, *args, code=0):
    p = esod("plugins", "verify", "--json", *args, code=code)
    return json.loads(p.stdout)["plugins"], p.stderr


def test_verify_what_is_pinned(esod, pinned):
    good = sha256_of(PLUGINS / "fake.so")
    copy = pinned(good)
    found, stderr = verify(esod, "--config", "esod.yaml")
    where = found[0].pop("path")
    assert os.path.samefile(copy, copy.parents[1] / where)
    assert found == [{"name": "fake", "sha256": good, "pinned": good, "result": "ok"}] and stderr == ""
    head, row = esod("plugins", "verify", "--config", "esod.yaml").stdout.splitlines()
    assert head.split() == ["PLUGIN", "RESULT", "SHA-256", "PATH"]
    assert row.split() == ["fake", "ok", good, where]
    pinned(good.upper())
    assert verify(esod, "--config", "esod.yaml")[0][0]["result"] == "ok"
    assert "fake" in esod("plugins", "--config", "esod.yaml").stdout


def test_a_plugin_that_changed_is_found_and_not_loaded(esod, pinned):
    good = sha256_of(PLUGINS / "fake.so")
    copy = pinned(good)
    with open(copy, "ab") as f:
        f.write(b"\0")  # still a shared object that would load
    found, stderr = verify(esod, "--config", "esod.yaml", code=1)
    assert (found[0]["result"], found[0]["pinned"], found[0]["sha256"]) == ("MISMATCH", good, sha256_of(copy))
    sentence = (f": its SHA-256 is {sha256_of(copy)} and the configuration pins {good}; if the file was meant to change, "
                "pin the new one\n")
    assert stderr.startswith("esod: esod.yaml:4: plugin fake (") and stderr.endswith(sentence), stderr
    assert " MISMATCH " in esod("plugins", "verify", "--config", "esod.yaml", code=1).stdout
    for command in (["plugins"], ["local", "."], ["crds"], ["run"]):
        assert esod(*command, "--config", "esod.yaml", code=2).stderr.endswith(sentence)


def test_a_missing_plugin_is_not_verified(esod, pinned):
    pinned("0" * 64, optional=True).unlink()
    found, stderr = verify(esod, "--config", "esod.yaml", code=1)
    assert found == [{"name": "fake", "path": None, "sha256": None, "pinned": "0" * 64, "result": "missing"}]
    assert stderr.startswith("esod: esod.yaml:4: plugin fake: no such file; looked for ")


def test_verify_prints_the_line_for_what_is_not_pinned(esod, pinned, tmp_path):
    """What it prints is a configuration, and with that everything is pinned."""
    good = sha256_of(PLUGINS / "fake.so")
    found, stderr = verify(esod, "--plugin", "fake")
    assert [(f["name"], f["result"], f["line"]) for f in found] == [("fake", "not pinned", f'sha256: "{good}"')]
    assert stderr == ""
    copy = pinned(None)
    for args in (["--config", "esod.yaml"], ["--plugin-path", "mine"], ["--plugin", copy]):
        table, text = esod("plugins", "verify", *args).stdout.split("\n\n", 1)
        assert " not pinned " in table
        said = text.split(":\n\n", 1)[1]
        (tmp_path / "new.yaml").write_text(said)
        assert yaml.safe_load(said)["plugins"][0]["sha256"] == good
        found, _ = verify(esod, "--config", "new.yaml", "--plugin-path", "mine")
        assert [f["result"] for f in found] == ["ok"]


def test_verify_loads_nothing(esod, broken, tmp_path):
    found, _ = verify(esod, "--plugin-path", broken)
    assert [(f["name"], f["result"]) for f in found] == [("broken", "not pinned")]
    assert found[0]["sha256"] == sha256_of(broken / "broken.so")
    p = esod("plugins", "verify", "--plugin-path", "/nowhere")
    assert p.stdout == "" and p.stderr == "No plugins found. They are looked for in:\n  /nowhere\n"


# ---- plugins that cannot be loaded


@pytest.fixture
def broken(tmp_path):
    """A directory with a plugin that is none."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "broken.so").write_text("not a shared object\n")
    return tmp_path / "plugins"


def test_a_bad_plugin_stops_the_program(esod, broken, tmp_path):
    (tmp_path / "esod.yaml").write_text("pluginPath: [plugins]\nplugins:\n- broken\n")
    for command in (["run"], ["local", "."], ["crds"], ["plugins"]):
        p = esod(*command, "--config", "esod.yaml", code=2)
        last = p.stderr.splitlines()[-1]
        assert last.startswith("esod: esod.yaml:3: plugin broken (") and str(broken.name) in last, p.stderr


def test_an_optional_plugin_may_be_bad(esod, broken, tmp_path):
    (tmp_path / "esod.yaml").write_text(
        f"pluginPath: [plugins, {PLUGINS}]\nplugins:\n- {{name: broken, optional: true}}\n- fake\n")
    p = esod("plugins", "--config", "esod.yaml")
    assert "fake" in p.stdout and p.stderr.startswith("refused: broken: ")
    found = json.loads(esod("plugins", "-o", "json", "--config", "esod.yaml").stdout)
    assert [f["name"] for f in found["plugins"]] == ["fake"]
    assert [f["name"] for f in found["refused"]] == ["broken"] and "broken.so" in found["refused"][0]["reason"]
    assert esod("crds", "--config", "esod.yaml").stdout == esod("crds", "--plugin", "fake").stdout


def test_an_optional_plugin_that_is_bad_is_reported_by_readiness(make_operator, tmp_path, broken):
    operator = make_operator(pluginPath=[str(broken), str(PLUGINS)], plugins=[{"name": "broken", "optional": True}, "fake"])
    operator.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.live}/readyz", timeout=5) as answer:
        text = answer.read().decode()
    assert text.startswith("ok\noptional plugin broken: ")
    assert "an optional plugin was refused" in operator.log


def test_without_plugins_their_places_are_named(esod):
    p = esod("plugins", "--plugin-path", "/nowhere/a", "--plugin-path=/nowhere/b")
    assert p.stdout == ""
    assert p.stderr == "No plugins found. They are looked for in:\n  /nowhere/a\n  /nowhere/b\n"
    p = esod("local", "--plugin-path", "/nowhere", "--log-format=json", ".")
    assert "no plugin is loaded" in json.loads(p.stderr)["msg"]


# ---- streams

@pytest.mark.parametrize("command", [["crds"], ["plugins"], ["plugins", "verify"], ["version"], ["--help"], ["run", "--help"], ["completion", "bash"],
                                     ["local", ROOT / "examples" / "quickstart"]])
def test_output_that_cannot_be_written_is_a_failure(esod, command):
    with open("/dev/full", "w") as full:
        assert esod(*command, stdout=full, code=1).stderr == "esod: standard output: No space left on device\n"


def test_a_reader_that_has_enough_is_not_complained_about(esod):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert esod("crds", stdout=writer, code=1).stderr == ""
    finally:
        os.close(writer)


@pytest.mark.parametrize("closed, code", [(">&-", 1), ("2>&-", 0), ("<&- >&- 2>&-", 1)])
def test_closed_streams_are_not_mistaken_for_something_else(esod_bin, tmp_path, closed, code):
    """The next file that is opened would get the number of a stream that is closed."""
    def run(*args):
        p = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", esod_bin, *args], capture_output=True, text=True, timeout=60)
        assert p.returncode == code, p.stderr

    where = tmp_path / "out"
    run("local", "-o", where, ROOT / "examples" / "quickstart")
    files = [f for f in where.rglob("*") if f.is_file()]
    assert {f.name for f in files} == {"api.yaml", "database-credentials.yaml"}
    for f in files:
        assert yaml.safe_load(f.read_text())["kind"] == "Secret"
    run("crds")


def test_run_ends_on_a_signal(esod_bin, kubeconfig, tmp_path):
    for number in (signal.SIGTERM, signal.SIGINT):
        live = free_port()
        log = tmp_path / "log"
        with open(log, "wb") as stderr:
            p = subprocess.Popen([esod_bin, "run", "--kubeconfig", str(kubeconfig), "--metrics-addr=0",
                                  f"--live-addr=127.0.0.1:{live}", "--log-format=json"], stderr=stderr, stdout=stderr)
        try:
            wait_for(lambda: "workers run" in log.read_text())
            p.send_signal(number)
            assert p.wait(30) == 0
        finally:
            p.kill()
            p.wait()
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert lines[0]["msg"].startswith("esod ") and lines[-1]["msg"] == "stopped"
