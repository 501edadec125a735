"""The Debian packages: what is in them, installed, used, upgraded and removed in an overlay of this machine, and the service
under a systemd that is booted there."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import ROOT, build_dir, free_port, wait_for
from scratch import Machine, Scratch

pytestmark = pytest.mark.timeout(400)  # a machine that is busy with others packs slowly

PLUGINS = sorted(p.parent.name for p in (ROOT / "plugins").glob("*/CMakeLists.txt"))
NAMES = ["esod", "libesp-dev", *(f"esod-plugin-{p}" for p in PLUGINS)]
# Nothing has to survive a power failure here.
DPKG = ["dpkg", "--force-unsafe-io", "--no-triggers"]


def make(*names):
    p = subprocess.run(["scripts/packages.sh", *names], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert p.returncode == 0, p.stdout + p.stderr
    return {file.name.split("_")[0]: file for file in (ROOT / line for line in p.stdout.splitlines() if line.endswith(".deb"))}


@pytest.fixture(scope="module")
def packages():
    assert build_dir() == ROOT / "build/release", "packages are made of build/release; set ESOD_BUILD to it"
    return make()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    made = Scratch(tmp_path_factory.mktemp("scratch"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def files(scratch, packages):
    """The packages, as files in the scratch."""
    return {name: scratch.copy(file) for name, file in packages.items()}


@pytest.fixture(scope="module")
def installed(scratch, files):
    scratch.run(*DPKG, "-i", *files.values())
    return scratch


def field(file, name):
    return subprocess.run(["dpkg-deb", "-f", file, name], capture_output=True, text=True, check=True).stdout.strip()


def contents(file):
    """path: (mode, owner) of everything that is no folder."""
    lines = subprocess.run(["dpkg-deb", "-c", file], capture_output=True, text=True, check=True).stdout.splitlines()
    found = (line.split(None, 5) for line in lines)
    return {path[1:]: (mode, owner) for mode, owner, _, _, _, path in found if not mode.startswith("d")}


# ---- what is in them

def test_there_is_a_package_for_everything(packages):
    assert sorted(packages) == sorted(NAMES)
    for name, file in packages.items():
        assert field(file, "Version") == re.search(r"project\(esod VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        assert len(field(file, "Description").splitlines()[0]) < 80
        found = contents(file)
        assert {owner for _, owner in found.values()} == {"root/root"}
        assert {p.split("/")[1] for p in found} <= {"usr", "etc"}, "nothing of the machine that made them"
        assert {f"/usr/share/doc/{name}/{p}" for p in ("copyright", "changelog.gz")} <= set(found)
        symbols = file.parent / file.name.replace(f"{name}_", f"{name}-dbgsym_").replace(".deb", ".ddeb")
        sums = subprocess.run(["dpkg-deb", "--info", symbols, "md5sums"], capture_output=True, text=True, check=True).stdout
        assert ["/" + line.split()[1] for line in sums.splitlines()] == list(contents(symbols))


def test_a_plugin_needs_an_abi_and_no_version(packages):
    header = (ROOT / "sdk/include/esp/plugin.h").read_text()
    major, minor = (re.search(rf"#define ESP_ABI_{part} (\d+)", header).group(1) for part in ("MAJOR", "MINOR"))
    assert field(packages["esod"], "Provides") == f"esod-plugin-abi-{major} (= {major}.{minor})"
    for plugin in PLUGINS:
        needs = field(packages[f"esod-plugin-{plugin}"], "Depends").split(", ")
        abi = [n for n in needs if n.startswith("esod")]
        assert len(abi) == 1 and re.fullmatch(rf"esod-plugin-abi-{major} \(>= {major}\.[0-{minor}]\)", abi[0]), abi
        assert any(n.startswith("libc6 (>= ") for n in needs), "what it is linked to"
    assert "esod-plugin-abi-1 (>= 1.1)" in field(packages["esod-plugin-aws"], "Depends"), "it asks for host->wait"
    assert "esod-plugin-abi-1 (>= 1.0)" in field(packages["esod-plugin-fake"], "Depends")
    assert list(contents(packages["esod-plugin-fake"]))[0] == "/usr/lib/esod/plugins/fake.so"


def test_the_same_build_makes_the_same_packages(packages):
    """Two of them: each takes seconds. Symbols too."""
    again = ["esod-plugin-fake", "libesp-dev"]

    def digests():
        files = (f for name in again for f in packages[name].parent.glob(f"{name}*.*deb"))
        return {f.name: (hashlib.sha256(f.read_bytes()).hexdigest(), f.stat().st_ino) for f in files}

    before = digests()
    assert len(before) == 4
    assert sorted(make(*again)) == sorted(again)
    after = digests()
    for name, (digest, inode) in before.items():
        assert after[name][0] == digest and after[name][1] != inode, name


def test_wrong_use_of_the_script(packages):
    p = subprocess.run([ROOT / "scripts/packages.sh", "--sign"], capture_output=True, text=True)
    assert p.returncode == 2 and p.stderr.startswith("usage: scripts/packages.sh")
    p = subprocess.run([ROOT / "scripts/packages.sh", "esod-plugin-azure"], capture_output=True, text=True)
    assert p.returncode == 1 and p.stderr == f"packages.sh: there is no package esod-plugin-azure; they are {' '.join(sorted(NAMES))}\n"


def test_what_the_script_lacks_is_named(packages, tmp_path):
    """Of the programs on this PATH, one more each time."""
    def complaint(path, *args):
        p = subprocess.run([ROOT / "scripts/packages.sh", *args], capture_output=True, text=True, timeout=120, env={"PATH": str(path)})
        assert p.returncode == 1
        return p.stderr

    def add(*names):
        for name in names:
            (tmp_path / name).symlink_to(shutil.which(name))

    add("bash", "dirname", "cpack")
    assert complaint(tmp_path) == "packages.sh: there is no dpkg-deb; run scripts/deps.sh build packages\n"
    add("dpkg-deb", "dpkg-shlibdeps", "file", "objcopy", "gzip")
    assert complaint(tmp_path, "--lint") == "packages.sh: there is no lintian; run scripts/deps.sh lint\n"
    assert complaint(tmp_path) == ("packages.sh: this is no git checkout: set SOURCE_DATE_EPOCH, the seconds since 1970 that the "
                                   "packages are to be dated with\n")
    (tmp_path / "gzip").unlink()
    (tmp_path / "gzip").symlink_to("/bin/false")
    said = complaint(f"{tmp_path}:{os.environ['PATH']}", "esod-plugin-fake")
    assert "gzip cannot write" in said and said.endswith("packages.sh: cpack failed, see above and build/packages\n")


# ---- installed

def test_a_plugin_without_its_abi_is_refused(scratch, files):
    """An esod that is too old, or none: dpkg says what is missing, and leaves the plugin unconfigured."""
    p = scratch.run(*DPKG, "-i", files["esod-plugin-aws"], code=1)
    assert "esod-plugin-aws depends on esod-plugin-abi-1 (>= 1.1); however:\n  Package esod-plugin-abi-1 is not installed." in p.stderr
    scratch.sh('mkdir -p /tmp/old/DEBIAN && printf "%s\n" "$1" >/tmp/old/DEBIAN/control && dpkg-deb -b /tmp/old /tmp/old.deb',
               "Package: esod\nVersion: 0.0.1\nArchitecture: all\nMaintainer: x <x@x.invalid>\nDescription: x\n"
               "Provides: esod-plugin-abi-1 (= 1.0)")
    scratch.run(*DPKG, "-i", "/tmp/old.deb", files["esod-plugin-fake"])
    p = scratch.run(*DPKG, "--configure", "esod-plugin-aws", code=1)
    assert "Version of esod-plugin-abi-1 on system, provided by esod:" in p.stderr and "is 1.0." in p.stderr
    scratch.run(*DPKG, "-i", files["esod"], files["esod-plugin-aws"])
    assert "aws" in scratch.run("esod", "plugins").stdout


def test_what_is_installed_works(installed):
    out = installed.run("esod", "plugins").stdout
    for plugin in PLUGINS:
        assert f"/usr/lib/esod/plugins/{plugin}.so\n" in out
    out = installed.run("esod", "local", "--show-values", "/usr/share/doc/esod/examples/quickstart").stdout
    assert "password: s3cr3t\n" in out
    assert installed.run("esod", "plugins", "--config", "/etc/esod/esod.yaml").stdout.count(".so\n") == len(PLUGINS)
    assert installed.run("dpkg", "--verify", *NAMES).stdout == "", "what is there is what was packed"
    assert not installed.path("/etc/systemd/system/multi-user.target.wants/esod.service").is_symlink(), "whose cluster would it be?"
    for script in ("/usr/share/bash-completion/completions/esod", "/usr/share/zsh/vendor-completions/_esod",
                   "/usr/share/fish/vendor_completions.d/esod.fish"):
        assert "__complete" in installed.path(script).read_text()
    for page in ("esod.1", "esod-run.1", "esod.yaml.5", "esp-check.1"):
        assert installed.path(f"/usr/share/man/man{page[-1]}/{page}.gz").exists()


def test_a_plugin_is_built_with_what_is_installed(installed):
    installed.sh("cp -r /usr/share/doc/esod/sdk/template /tmp/mine && cd /tmp/mine &&"
                 " cmake -S . -B build -G Ninja && cmake --build build && ctest --test-dir build && cmake --install build --prefix /usr")
    assert "/usr/lib/esod/plugins/hello.so\n" in installed.run("esod", "plugins").stdout
    out = installed.run("make", "-C", "/tmp/mine", "BUILD=/tmp/made").stdout
    assert "error" not in out
    installed.sh("rm /usr/lib/esod/plugins/hello.so")


# ---- the service

@pytest.fixture(scope="module")
def machine(installed, tmp_path_factory):
    made = Machine(installed, tmp_path_factory.mktemp("machine") / "console.log")
    yield made
    made.close()


@pytest.fixture
def service(machine):
    yield machine
    machine.systemctl("stop", "esod")
    machine.systemctl("reset-failed", "esod", code=None)


def settings(machine, **more):
    lines = {"metricsAddr": f"127.0.0.1:{free_port()}", "liveAddr": f"127.0.0.1:{free_port()}", **more}
    machine.scratch.write("/etc/esod/esod.yaml", "".join(f"{k}: {v}\n" for k, v in lines.items()))


def login(machine, kubeconfig):
    machine.scratch.write("/etc/esod/kubeconfig", Path(kubeconfig).read_text(), 0o600)


def test_without_a_kubeconfig_it_does_not_start(service):
    service.scratch.path("/etc/esod/kubeconfig").unlink(missing_ok=True)
    assert "Assertion failed on job for esod.service" in service.systemctl("start", "esod", code=1).stderr


def test_it_serves_a_cluster(service, kubeconfig, space):
    """Started, with every part of the fence around its plugins; it syncs, is watched, and ends in order."""
    login(service, kubeconfig)
    settings(service)
    service.systemctl("start", "esod")
    wait_for(lambda: service.show("esod", "StatusText") == {"StatusText": "serving"})
    assert service.show("esod", "ActiveState", "SubState", "Type") == {"ActiveState": "active", "SubState": "running", "Type": "notify"}
    assert service.show("esod", "DynamicUser", "WatchdogUSec") == {"DynamicUser": "yes", "WatchdogUSec": "1min 30s"}
    beat = service.show("esod", "WatchdogTimestampMonotonic")
    wait_for(lambda: service.show("esod", "WatchdogTimestampMonotonic") != beat)
    space.store({"key": "of the service"})
    space.external_secret("made-by-a-service", data={"key": "key"})
    space.synced("made-by-a-service", {"key": "of the service"})
    log = service.journal("esod")
    fences = re.findall(r'"plugin":"(\w+)".*"fences":"([^"]*)"', log)
    assert sorted(name for name, _ in fences) == PLUGINS
    assert {found for _, found in fences} == {"no-new-privileges, seccomp, landlock, user-namespace, network-namespace, limits"}
    service.systemctl("stop", "esod")
    assert service.show("esod", "Result", "ExecMainStatus", "NRestarts") == {"Result": "success", "ExecMainStatus": "0", "NRestarts": "0"}


def test_an_api_server_that_is_away_is_its_status(service, tmp_path):
    port = free_port()
    (tmp_path / "nobody").write_text(
        f"apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
        f"clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n")
    login(service, tmp_path / "nobody")
    settings(service)
    service.systemctl("start", "esod")
    wait_for(lambda: f"127.0.0.1:{port}" in service.show("esod", "StatusText")["StatusText"])
    assert service.show("esod", "ActiveState") == {"ActiveState": "active"}


def test_a_wrong_setting_is_not_tried_again(service, kubeconfig):
    login(service, kubeconfig)
    settings(service, concurent=3)
    service.systemctl("start", "esod", code=1)
    assert service.show("esod", "ActiveState", "ExecMainStatus", "NRestarts") == {
        "ActiveState": "failed", "ExecMainStatus": "2", "NRestarts": "0"}
    assert "/etc/esod/esod.yaml:3: concurent: unknown key; did you mean concurrent?" in service.journal("esod")


def test_the_unit_is_in_order():
    """What systemd thinks of it, as far as it can be asked without a machine: 0 is a fortress, 10 is a program that may do all."""
    p = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", ROOT / "deploy/systemd/esod.service"],
                       capture_output=True, text=True, timeout=30)
    assert p.returncode == 0, p.stdout


# ---- upgraded, removed, purged

def test_settings_survive_and_a_purge_leaves_nothing(installed, files):
    installed.write("/etc/default/esod", "HTTPS_PROXY=http://proxy.example.com:3128\n")
    installed.write("/etc/esod/kubeconfig", "secret\n", 0o600)
    installed.run(*DPKG, "--force-confdef", "-i", files["esod"])
    assert installed.path("/etc/default/esod").read_text().startswith("HTTPS_PROXY=")
    p = installed.run(*DPKG, "-r", "esod", code=1)
    assert "esod-plugin-vault depends on esod-plugin-abi-1 (>= 1.1)" in p.stderr
    installed.run(*DPKG, "-r", *NAMES)
    assert installed.path("/etc/default/esod").exists() and installed.path("/etc/esod/kubeconfig").exists()
    assert not installed.path("/usr/lib/esod").exists()
    installed.run(*DPKG, "-P", *NAMES)
    left = installed.sh("find /etc /usr /var/lib /var/cache -xdev \\( -name '*esod*' -o -name '*libesp*' \\) -cnewer /tmp/esod_* | sort")
    assert left.stdout == ""
