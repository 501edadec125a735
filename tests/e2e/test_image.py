"""The container image: what is in it, what it says of itself, that it runs where a pod is restricted, that it is always the same."""

import hashlib
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from commands import complaint
from endpoint import secure_endpoint  # noqa: F401
from harness import ROOT, build_dir
from images import UID, build_image, container, files_of, image, layout, run, unpacked  # noqa: F401

PLUGINS = sorted(p.parent.name for p in (ROOT / "plugins").glob("*/CMakeLists.txt"))
VERSION = re.search(r"project\(esod VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
MIB = 1 << 20
# Compressed, everything included.
LIMIT = 15 * MIB


# ---- what it says of itself

def blob(layout, descriptor):
    content = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    assert descriptor["digest"] == "sha256:" + hashlib.sha256(content).hexdigest() and descriptor["size"] == len(content)
    return content


@pytest.fixture
def manifest(layout):
    entry, = json.loads((layout / "index.json").read_text())["manifests"]
    return json.loads(blob(layout, entry))


@pytest.fixture
def config(layout, manifest):
    return json.loads(blob(layout, manifest["config"]))


def test_what_others_read_in_it(image):
    said = json.loads(run("skopeo", "inspect", f"oci-archive:{image.archive}").stdout)
    assert said["Digest"] == image.digest
    assert (said["Os"], len(said["Layers"])) == ("linux", 2 + len(PLUGINS))
    assert said["Labels"]["org.opencontainers.image.version"] == VERSION


def test_it_can_be_pushed(image, tmp_path):
    """skopeo checks every digest on the way, those of the unpacked layers as well."""
    run("skopeo", "copy", "--insecure-policy", f"oci-archive:{image.archive}", f"oci:{tmp_path}/there:{VERSION}")
    entry, = json.loads((tmp_path / "there/index.json").read_text())["manifests"]
    assert entry["digest"] == image.digest


def test_how_it_is_started(config):
    how = config["config"]
    assert how["Entrypoint"] == ["/usr/bin/esod"] and how["Cmd"] == ["run"]
    assert how["User"] == f"{UID}:{UID}" and how["WorkingDir"] == "/"
    assert how["Env"] == ["PATH=/usr/bin:/bin"]
    labels = {k.removeprefix("org.opencontainers.image."): v for k, v in how["Labels"].items()}
    assert labels["title"] == "esod" and labels["licenses"] == "Apache-2.0" and labels["version"] == VERSION
    assert labels["revision"].removesuffix("-modified") == run("git", "rev-parse", "HEAD", cwd=ROOT).stdout.strip()
    assert "source" not in labels
    when = int(run("git", "log", "-1", "--format=%ct", cwd=ROOT).stdout)
    assert config["created"] == run("date", "-u", f"-d@{when}", "+%Y-%m-%dT%H:%M:%SZ").stdout.strip()


def test_its_layers(layout, manifest, config):
    names = [h["created_by"].removeprefix("scripts/image.sh: ") for h in config["history"]]
    assert names == ["base", "core", *(f"plugin-{p}" for p in PLUGINS)]
    for layer, digest in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        tar = subprocess.run(["gzip", "-dc"], input=blob(layout, layer), capture_output=True, check=True, timeout=60).stdout
        assert "sha256:" + hashlib.sha256(tar).hexdigest() == digest
    total = sum(layer["size"] for layer in manifest["layers"])
    print({name: layer["size"] for name, layer in zip(names, manifest["layers"])}, total)
    assert total < LIMIT
    # Whoever changes the program alone sends the program alone.
    assert sum(layer["size"] for layer in manifest["layers"][1:]) < 2 * MIB


# ---- what is in it

def test_another_tool_unpacks_the_same(image, unpacked):
    ours, theirs = files_of(image.rootfs), files_of(unpacked / "rootfs")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_nothing_is_in_it_that_has_no_use(image):
    files = files_of(image.rootfs)
    programs = [n for n, (kind, mode, _) in files.items() if kind == "file" and mode & 0o111 and not n.startswith("usr/lib/")]
    assert programs == ["usr/bin/esod", "usr/libexec/esod/esod-plugin-runner"]
    assert sorted(n for n in files if n.startswith("usr/lib/esod/plugins/")) == [f"usr/lib/esod/plugins/{p}.so" for p in PLUGINS]
    assert sorted(n for n in files if n.startswith("etc/")) == [
        "etc/esod", "etc/group", "etc/nsswitch.conf", "etc/os-release", "etc/passwd", "etc/ssl", "etc/ssl/certs",
        "etc/ssl/certs/ca-certificates.crt"]
    assert sorted({n.split("/")[0] for n in files}) == ["dev", "etc", "lib", "lib64", "proc", "run", "sys", "tmp", "usr", "var"]
    assert sorted({"/".join(n.split("/")[:3]) for n in files if n.startswith("usr/share/")}) == [
        "usr/share/doc", "usr/share/zoneinfo"]


def test_nobody_may_write_in_it(image):
    modes = {n: (kind, mode) for n, (kind, mode, _) in files_of(image.rootfs).items() if kind != "link"}
    assert modes.pop("tmp") == ("folder", 0o1777)
    assert {mode for kind, mode in modes.values() if kind == "folder"} == {0o755}
    assert {mode for kind, mode in modes.values() if kind == "file"} == {0o644, 0o755}


def elf_files(rootfs):
    return [p for p in sorted(rootfs.rglob("*")) if p.is_file() and not p.is_symlink() and p.read_bytes()[:4] == b"\x7fELF"]


def test_every_library_is_there_and_none_that_nobody_wants(image):
    there = {p.name for p in image.rootfs.rglob("*.so*")}
    wanted = {"legacy.so", *(f"{p}.so" for p in PLUGINS)}
    for path in elf_files(image.rootfs):
        needs = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", path).stdout))
        assert needs <= there, f"{path.name} needs {needs - there}"
        wanted |= needs
    targets = {os.path.basename(os.readlink(p)) for p in image.rootfs.rglob("*.so*") if p.is_symlink() and p.name in wanted}
    assert there - wanted - targets == {next(n for n in there if n.startswith("ld-"))} - wanted


def test_no_folder_of_this_machine_is_named_in_it(image):
    """Neither in what was built nor in the texts."""
    folders = [os.fsencode(p) for p in {str(ROOT), str(build_dir()), str(image.rootfs.parent.parent), str(Path.home() / ".")}
               if len(p) > len("/root")]
    for name, (kind, _, content) in files_of(image.rootfs).items():
        if kind == "file":
            assert not any(f in content for f in folders), name
            if name.startswith(("usr/bin/", "usr/libexec/", "usr/lib/esod/")):
                assert b".debug_info" not in content, f"{name} is not stripped"


def test_scanners_learn_its_packages(image):
    records = image.rootfs / "var/lib/dpkg/status.d"
    named = {p.name for p in records.iterdir() if not p.name.endswith(".md5sums")}
    assert {"base-files", "ca-certificates", "libc6", "tzdata"} < named
    for name in named:
        fields = dict(line.split(": ", 1) for line in (records / name).read_text().splitlines())
        assert fields["Package"] == name and fields["Version"] == run("dpkg-query", "--show", "--showformat", "${Version}", name).stdout
        for line in (records / f"{name}.md5sums").read_text().splitlines():
            digest, path = line.split("  ")
            assert hashlib.md5((image.rootfs / path).read_bytes()).hexdigest() == digest
        assert (image.rootfs / f"usr/share/doc/{name}/copyright").stat().st_size > 100
    # Each library is somebody's.
    owned = {path for p in records.glob("*.md5sums") for path in re.findall(r"  (\S+)", p.read_text())}
    libraries = {str(p.relative_to(image.rootfs)) for p in elf_files(image.rootfs)}
    assert {p for p in libraries if not p.startswith(("usr/bin/", "usr/libexec/", "usr/lib/esod/"))} <= owned


def test_only_what_is_trusted_everywhere_is_trusted(image):
    bundle = (image.rootfs / "etc/ssl/certs/ca-certificates.crt").read_text()
    packaged = [p for p in run("dpkg-query", "--listfiles", "ca-certificates").stdout.split() if re.match(r"/usr/share/ca-certificates/.*\.crt$", p)]
    assert bundle.count("BEGIN CERTIFICATE") == len(packaged) > 100


# ---- it runs, restricted as a pod is

def test_the_user_it_runs_as(image):
    assert f"esod:x:{UID}:{UID}:" in (image.rootfs / "etc/passwd").read_text()


def test_it_says_its_version(container):
    said = container("version").stdout
    assert said.startswith(f"esod {VERSION}\n") and re.search(r"^libcurl [\d.]+, OpenSSL [\d.]+, jansson [\d.]+$", said, re.M)


def test_it_is_run_without_a_word(container):
    """A pod without a service account: nothing else is missing."""
    said = container(code=2).stderr.splitlines()
    assert len([line for line in said if '"msg":"plugin loaded"' in line]) == len(PLUGINS)
    assert said[-1].startswith("esod: no Kubernetes configuration: ")


def test_every_plugin_is_loaded(container):
    rows = [line.split() for line in container("plugins").stdout.splitlines()[1:]]
    assert [r[0] for r in rows] == PLUGINS
    assert {r[3] for r in rows} == {"process"}
    assert {r[-1] for r in rows} == {f"/usr/lib/esod/plugins/{p}.so" for p in PLUGINS}


def test_a_bare_chroot_says_what_it_lacks(image):
    """Without /proc plugins are found nevertheless; without /dev none can be run, and it is /dev that is named."""
    p = subprocess.run(["unshare", "--map-root-user", "chroot", image.rootfs, "/usr/bin/esod", "plugins"],
                       capture_output=True, text=True, timeout=60)
    assert p.stderr.splitlines() == [
        f"refused: /usr/lib/esod/plugins/{x}.so: plugin /usr/lib/esod/plugins/{x}.so: a process of its own needs /dev/null: "
        "No such file or directory; mount /dev, as a container has it, or set isolation: none" for x in PLUGINS]


def test_the_fence_under_the_filter_of_a_runtime(container, tmp_path):
    """No namespaces there; system calls, files and privileges are held back nevertheless."""
    p = container("local", "--loglevel", "info", "/tmp", mounts={"/tmp": ROOT / "examples/quickstart"})
    said = {}
    for line in p.stderr.splitlines():
        line = json.loads(line)
        if line.get("plugin") == "fake":
            said.update(line)
    assert {"no-new-privileges", "seccomp", "limits"} <= set(said["fences"].split(", "))
    # Landlock is the kernel's: not every one has it.
    assert {"user-namespace", "network-namespace"} <= set(said["missing"].split(", ")) <= {"user-namespace", "network-namespace", "landlock"}


def test_it_syncs(container):
    p = container("local", "--show-values", "/tmp", mounts={"/tmp": ROOT / "examples/quickstart"})
    assert p.stdout.count("SecretSynced") == 2
    assert "token: token-12345" in p.stdout


def rendered(container, folder, template, *flags):
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "template").write_text(template)
    return container("render", "/tmp/template", "--show-values", *flags, mounts={"/tmp": folder}).stdout


def test_it_knows_time_zones(container, tmp_path):
    text = '{{ dateInZone "2006-01-02 15:04 MST" (toDate "2006-01-02" "2026-07-01") "Europe/Berlin" }}'
    assert rendered(container, tmp_path / "in", text).strip() == "2026-07-01 02:00 CEST"


def test_it_reads_the_ciphers_of_former_days(container, tmp_path):
    """A part of OpenSSL that no program links: it is opened by its name."""
    files = {n: tmp_path / n for n in ("key", "crt", "p12")}
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=old",
        "-keyout", files["key"], "-out", files["crt"])
    run("openssl", "pkcs12", "-export", "-legacy", "-descert", "-certpbe", "PBE-SHA1-RC2-40", "-inkey", files["key"], "-in", files["crt"],
        "-passout", "pass:secret", "-out", files["p12"])
    bundle = run("openssl", "base64", "-A", "-in", files["p12"]).stdout.strip()
    text = rendered(container, tmp_path / "in", '{{ .p12 | b64dec | pkcs12certPass "secret" }}', "--set", f"p12={bundle}")
    assert text.strip() == files["crt"].read_text().strip()


HOOK = """
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: hook, namespace: shop}
spec: {provider: {webhook: {url: "%s/value", result: {jsonPath: "$.v"}}}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app, namespace: shop}
spec:
  secretStoreRef: {name: hook}
  data:
  - {secretKey: k, remoteRef: {key: a}}
"""


def test_it_finds_the_authorities(container, secure_endpoint, image, tmp_path):  # noqa: F811
    """By default a server of nobody's is refused; one of an authority in the image's file is asked."""
    secure_endpoint.answers["/value"] = '{"v": "from far away"}'
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "hook.yaml").write_text(HOOK % secure_endpoint.url)
    p = container("local", "/tmp", mounts={"/tmp": folder}, code=1)
    assert "certificate" in p.stderr and "from far away" not in p.stdout

    authorities = "etc/ssl/certs/ca-certificates.crt"
    with_ours = tmp_path / "ca-certificates.crt"
    with_ours.write_text((image.rootfs / authorities).read_text() + secure_endpoint.ca)
    p = container("local", "--show-values", "/tmp", mounts={"/tmp": folder, "/" + authorities: with_ours})
    assert "k: from far away" in p.stdout


# ---- plugins of others

EXTRA = "/usr/lib/esod/extra/fake"


@pytest.fixture
def brought_along(container, image, tmp_path):
    """A container with a plugin from a mounted image, as the chart's extraPlugins puts it there."""
    volume, etc = tmp_path / "volume", tmp_path / "etc"
    volume.mkdir()
    etc.mkdir()
    shutil.copy(image.rootfs / "usr/lib/esod/plugins/fake.so", volume)

    def start(code=0, **entry):
        (etc / "esod.yaml").write_text(json.dumps({"plugins": [{"path": f"{EXTRA}/fake.so", **entry}]}))
        return container("plugins", "--config", "/etc/esod/esod.yaml", code=code, mounts={EXTRA: volume, "/etc/esod": etc})
    start.digest = hashlib.sha256((volume / "fake.so").read_bytes()).hexdigest()
    return start


def test_a_plugin_from_a_mounted_image_has_to_be_pinned(brought_along):
    """Nothing in such a volume may be executed; what is pinned is loaded from memory."""
    assert f"{EXTRA}/fake.so" in brought_along(sha256=brought_along.digest).stdout
    assert complaint(brought_along(code=2)) == (
        f"/etc/esod/esod.yaml:1: plugin {EXTRA}/fake.so: it lies in a place where nothing may be executed (noexec), as in a "
        "mounted image; pin its sha256, and a copy in memory is used")


def test_the_example_for_authors():
    """The file lies where the chart's init container and its volumes look for it."""
    text = (ROOT / "examples/plugin-image/Dockerfile").read_text()
    stages = re.split(r"^FROM ", text, flags=re.M)[1:]
    assert [s.split()[0] for s in stages] == ["${SDK}", "scratch", "${TOOLS}"]
    assert all("\nCOPY --from=build /${PLUGIN}.so /\n" in s for s in stages[1:])


# ---- it is always the same

def test_it_is_the_same_wherever_it_is_made(image, tmp_path):
    """In another folder, with another umask, locale and time zone."""
    before = os.umask(0o077)
    try:
        second = build_image(tmp_path / "a much longer folder", env={"TZ": "Asia/Tokyo", "LC_ALL": "C", "TMPDIR": str(tmp_path)})
    finally:
        os.umask(before)
    assert second.digest == image.digest
    assert second.archive.read_bytes() == image.archive.read_bytes()


def test_what_is_compiled_is_the_same_in_another_folder(tmp_path):
    """Its debug information included. One plugin stands for all: they are built by the same rules."""
    source = tmp_path / "a copy in another folder"
    listed = run("git", "ls-files", "-z", "--", "CMakeLists.txt", "CMakePresets.json", "cmake", "sdk", "plugins", "core", "docs/CMakeLists.txt",
                 cwd=ROOT).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("CMAKE_")}, "CCACHE_DISABLE": "1"}
    made = source / build_dir().relative_to(ROOT)
    run("cmake", "-G", "Ninja", "-S", source, "-B", made, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DESOD_TESTS=OFF", env=env)
    run("cmake", "--build", made, "-j2", "--target", "plugin_fake", "esod-plugin-runner", env=env)
    for name in ("lib/esod/plugins/fake.so", "libexec/esod/esod-plugin-runner"):
        assert (made / name).read_bytes() == (build_dir() / name).read_bytes(), name


def test_plugins_are_left_out(image, layout, config, tmp_path):
    two = build_image(tmp_path, "--plugins", "kubernetes fake")
    assert sorted(p.name for p in (two.rootfs / "usr/lib/esod/plugins").iterdir()) == ["fake.so", "kubernetes.so"]
    # A Dockerfile copies them all.
    assert sorted(p.name for p in two.layers.iterdir()) == sorted(["base", "core", *(f"plugin-{p}" for p in PLUGINS)])
    assert not any((two.layers / "plugin-vault").iterdir())
    # What both have is one layer to a registry.
    of = lambda made: json.loads(run("skopeo", "inspect", f"oci-archive:{made.archive}").stdout)["Layers"]
    names = [h["created_by"].split()[-1] for h in config["history"]]
    kept = [layer for name, layer in zip(names, of(image)) if name in ("base", "core", "plugin-fake", "plugin-kubernetes")]
    assert of(two) == kept


# ---- the Dockerfile

def dockerfile():
    """The instructions of its last stage: [(word, rest)]"""
    text = re.sub(r"\\\n", " ", (ROOT / "deploy/image/Dockerfile").read_text())
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    last = max(i for i, (word, _) in enumerate(lines) if word == "FROM")
    assert lines[last][1] == "scratch"
    return lines[last + 1:]


def test_the_dockerfile_makes_the_same_image(config):
    steps = dockerfile()
    copied = [re.fullmatch(r"--from=build /src/build/image/layers/(\S+)/ /", rest)[1] for word, rest in steps if word == "COPY"]
    assert copied == ["base", "core", *(f"plugin-{p}" for p in PLUGINS)]
    one = {word: rest for word, rest in steps if word not in ("COPY", "ARG", "LABEL")}
    how = config["config"]
    assert one == {"ENV": how["Env"][0], "WORKDIR": how["WorkingDir"], "USER": how["User"],
                   "ENTRYPOINT": json.dumps(how["Entrypoint"]), "CMD": json.dumps(how["Cmd"])}
    labels = dict(pair.split("=", 1) for word, rest in steps if word == "LABEL" for pair in shlex.split(rest))
    assert labels.keys() == how["Labels"].keys()
    fixed = {k: v for k, v in labels.items() if "$" not in v}
    assert fixed == {k: how["Labels"][k] for k in fixed} and len(fixed) == 3


def test_the_dockerfile_has_every_plugin():
    text = (ROOT / "deploy/image/Dockerfile").read_text()
    assert re.search(r'^ARG PLUGINS="(.*)"$', text, re.M)[1].split() == PLUGINS
