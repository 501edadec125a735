"""What scripts/image.sh says when it cannot make an image that one could trust."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import ROOT, build_dir
from images import run

SCRIPT = ROOT / "scripts/image.sh"


def refused(*command, code=1, **options):
    p = run(*command, code=code, **options)
    assert p.stdout == "" and p.stderr.count("\n") == 1, p.stderr
    assert p.stderr.startswith("image.sh: "), p.stderr
    return p.stderr[len("image.sh: "):-1]


@pytest.mark.parametrize("wrong", [["--colour"], ["--plugins"], ["--output"], ["surplus"]], ids=" ".join)
def test_wrong_use(wrong):
    p = run(SCRIPT, *wrong, code=2)
    assert p.stdout == "" and p.stderr.startswith("usage: scripts/image.sh ")


def test_help():
    text = run(SCRIPT, "--help").stdout
    for flag in re.findall(r"--[\w-]+", run("sed", "-n", "/^while/,/^done/p", SCRIPT).stdout):
        assert flag in text


def test_a_plugin_that_is_not_there(tmp_path):
    assert refused(SCRIPT, "--output", tmp_path, "--plugins", "vault volt") == \
        "there is no plugin volt; there are: aws fake gcp kubernetes vault webhook"


def test_a_name_that_no_registry_takes(tmp_path):
    assert refused(SCRIPT, "--output", tmp_path, "--name", "Esod:0.1") == \
        "--name Esod:0.1: give the name without a tag, in lower-case letters, digits, and . _ - / between them"


def test_no_time_to_date_it_with(tmp_path):
    """A tree without git, as a release's archive is."""
    env = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    env.update(GIT_DIR=str(tmp_path / "none"))
    assert refused(SCRIPT, "--build", build_dir(), "--output", tmp_path, env=env) == \
        "this is no git checkout: set SOURCE_DATE_EPOCH, the seconds since 1970 that the image is to be dated with"


def test_a_build_with_sanitizers(tmp_path):
    for name in ("build.ninja", "CMakeCache.txt"):
        (tmp_path / name).write_text("ESOD_SANITIZE:STRING=address\n")
    assert refused(SCRIPT, "--build", tmp_path, "--output", tmp_path) == \
        f"{tmp_path} is built with sanitizers, which are not for use: give another one with --build"


def test_an_architecture_that_images_do_not_know(tmp_path):
    assert refused("python3", "-B", ROOT / "deploy/image/archive.py", tmp_path, tmp_path / "x", "arch=m68k", "created=0") == \
        "no image can be made for m68k; those that can: amd64, arm64, armhf, i386, ppc64el, riscv64, s390x"


# ---- libraries that are nobody's, changed, or lost

NEEDED = ("base-files", "ca-certificates", "libc6", "tzdata")


class Tree:
    """Layers with a program that links a library of a package that only this test's dpkg knows."""

    def __init__(self, folder):
        self.folder, self.admin, self.lib = folder, folder / "dpkg", folder / "lib/liblost.so.1"
        core = folder / "layers/core/usr/bin"
        for path in (core, self.admin / "info", self.admin / "updates", self.lib.parent):
            path.mkdir(parents=True)
        (folder / "lost.c").write_text("int lost(void) { return 0; }\n")
        (folder / "main.c").write_text("int lost(void);\nint main(void) { return lost(); }\n")
        run("gcc", "-shared", "-Wl,-soname,liblost.so.1", "-o", self.lib, folder / "lost.c")
        run("gcc", "-o", core / "main", folder / "main.c", self.lib, f"-Wl,-rpath,{self.lib.parent}")
        # Of what dpkg knows, what such a program needs.
        system = Path("/var/lib/dpkg")
        stanzas = [s for s in (system / "status").read_text().split("\n\n") if re.match(rf"Package: ({'|'.join(NEEDED)})\n", s)]
        (self.admin / "status").write_text("\n\n".join(stanzas) + "\n")
        shutil.copy(system / "info/format", self.admin / "info")
        for path in (p for name in NEEDED for p in (system / "info").glob(f"{name}[.:]*")):
            (self.admin / "info" / path.name).symlink_to(path)

    def own(self, md5):
        """From now on a package `lost` has the library."""
        with (self.admin / "status").open("a") as f:
            f.write("\nPackage: lost\nStatus: install ok installed\nMaintainer: nobody\nArchitecture: all\nVersion: 1\nDescription: lost\n")
        (self.admin / "info/lost.list").write_text(f"{self.lib}\n")
        (self.admin / "info/lost.md5sums").write_text(f"{md5}  {str(self.lib).lstrip('/')}\n")

    def without(self, package):
        text = (self.admin / "status").read_text()
        (self.admin / "status").write_text(re.sub(rf"(?ms)^Package: {package}\n.*?(\n\n|\Z)", "", text))

    def refused(self):
        return refused("python3", "-B", ROOT / "deploy/image/rootfs.py", self.folder / "layers",
                       env={**os.environ, "DPKG_ADMINDIR": str(self.admin)})


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_a_library_that_is_lost(tree):
    tree.lib.unlink()
    assert tree.refused() == "main links liblost.so.1, which is not on this machine: run scripts/deps.sh build"


def test_a_library_of_nobody(tree):
    assert tree.refused() == (f"{tree.lib} belongs to no package, so nobody would hear of its defects: "
                              "build where the libraries are the distribution's")


def test_a_library_that_was_changed(tree):
    tree.own("0" * 32)
    assert tree.refused() == f"{tree.lib} is not what package lost installed: apt-get install --reinstall lost"


def test_a_package_without_its_licence(tree):
    tree.own(run("md5sum", tree.lib).stdout.split()[0])
    assert tree.refused() == ("/usr/share/doc/lost/copyright is missing, which an image with package lost has to have: "
                              "drop path-exclude from /etc/dpkg/dpkg.cfg.d, then apt-get install --reinstall lost")


def test_a_package_that_is_missing(tree):
    tree.own(run("md5sum", tree.lib).stdout.split()[0])
    tree.without("tzdata")
    assert tree.refused() == "package tzdata is not installed: run scripts/deps.sh image"


def test_no_authorities(tree):
    tree.own(run("md5sum", tree.lib).stdout.split()[0])
    (tree.admin / "info/ca-certificates.list").unlink()
    (tree.admin / "info/ca-certificates.list").write_text("/etc/ssl/certs\n")
    assert tree.refused() == "package ca-certificates has no certificates here: apt-get install --reinstall ca-certificates"


def test_no_debian(tmp_path):
    """Neither dpkg nor anything that it is of."""
    for tool in ("bash", "dirname", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    assert refused(SCRIPT, "--output", tmp_path, env={"PATH": str(tmp_path)}) == (
        "this is neither Debian nor Ubuntu, whose packages the image is made of; deploy/image/Dockerfile builds it anywhere")


def test_a_build_that_fails(tmp_path):
    """What the compiler said comes first."""
    (tmp_path / "CMakeCache.txt").write_text("CMAKE_PROJECT_NAME:STATIC=esod\nCMAKE_GENERATOR:INTERNAL=Ninja\nCMAKE_MAKE_PROGRAM:FILEPATH=ninja\n")
    (tmp_path / "build.ninja").write_text("rule no\n  command = echo what the compiler says; false\nbuild esod: no\n"
                                          + "".join(f"build {t}: phony esod\n" for t in ("esod-plugin-runner", "plugin_fake")))
    p = subprocess.run([SCRIPT, "--build", tmp_path, "--output", tmp_path, "--plugins", "fake"], capture_output=True, text=True, timeout=60)
    assert p.returncode == 1 and "what the compiler says" in p.stderr
    assert p.stderr.splitlines()[-1] == "image.sh: the build failed, see above"
