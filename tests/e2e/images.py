"""The image that scripts/image.sh makes, and containers of it under crun, restricted as the chart's pods are."""

import itertools
import json
import os
import subprocess
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import ROOT, build_dir

SECONDS = 60
UID = 65532


def run(*command, code=0, **options):
    p = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=170, **options)
    assert p.returncode == code, f"{command[0]}: exit code {p.returncode}\n{p.stdout}\n{p.stderr}"
    return p


def build_image(output, *flags, code=0, env=None):
    """scripts/image.sh: {archive, digest, rootfs, layers, said}."""
    p = run(ROOT / "scripts/image.sh", "--build", build_dir(), "--output", output, *flags, code=code, env={**os.environ, **(env or {})})
    return SimpleNamespace(said=p, layers=output / "image/layers", rootfs=output / "image/rootfs", digest=p.stdout.split()[-1],
                           archive=next(iter((output / "dist").glob("*.oci.tar")), None))


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    return build_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def layout(image, tmp_path_factory):
    """The archive's content: an OCI image layout."""
    folder = tmp_path_factory.mktemp("layout")
    with tarfile.open(image.archive) as tar:
        tar.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def unpacked(layout, tmp_path_factory):
    """What umoci makes of it: a root file system, and a container's configuration made of the image's."""
    folder = tmp_path_factory.mktemp("unpacked")
    tag, = {m["annotations"]["org.opencontainers.image.ref.name"] for m in json.loads((layout / "index.json").read_text())["manifests"]}
    run("umoci", "unpack", *([] if os.geteuid() == 0 else ["--rootless"]), "--image", f"{layout}:{tag}", folder / "bundle")
    return folder / "bundle"


def runtime_default():
    """The filter that containerd gives a container without capabilities."""
    tool = run(ROOT / "tests/servers/build", "--path", "seccomp-default").stdout.strip()
    assert os.path.exists(tool), "run tests/servers/build seccomp-default"
    return json.loads(run(tool).stdout)


class Containers:
    def __init__(self, unpacked, folder):
        self.unpacked, self.folder, self.number = unpacked, folder, itertools.count()
        self.filter = runtime_default()

    def config(self, args, env, mounts):
        config = json.loads((self.unpacked / "config.json").read_text())
        process = config["process"]
        # What a runtime adds to it, umoci did; what a pod takes away is taken away here.
        process.update(terminal=False, capabilities={}, noNewPrivileges=True)
        process["env"] += [f"{k}={v}" for k, v in env.items()]
        if args:
            process["args"] = [process["args"][0], *args]
        config["root"] = {"path": str(self.unpacked / "rootfs"), "readonly": True}
        config["mounts"] = [m for m in config["mounts"] if m["destination"] in ("/proc", "/dev")]
        # noexec is how Kubernetes mounts images; nothing that is mounted here may depend on the contrary.
        config["mounts"] += [{"destination": there, "type": "bind", "source": str(here), "options": ["bind", "ro", "noexec"]}
                             for there, here in mounts.items()]
        config["linux"] = {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount")], "seccomp": self.filter}
        if os.geteuid() != 0:
            config["linux"]["namespaces"].append({"type": "user"})
            for ids in ("uidMappings", "gidMappings"):
                config["linux"][ids] = [{"containerID": UID, "hostID": 0, "size": 1}]
        return config

    def run(self, *args, code=0, env=None, mounts=None):
        """esod with these arguments; without any, as the image has it. mounts: {path there: path here}."""
        bundle = self.folder / f"container-{next(self.number)}"
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self.config(args, env or {}, mounts or {})))
        crun = ["crun", "--root", str(self.folder / "crun"), "--cgroup-manager=disabled"]
        # A view of the file system of its own, because crun 1.8 refuses to look at control groups of both versions.
        inside = 'mount -t tmpfs tmpfs /sys/fs/cgroup && exec "$@"'
        within = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", inside, "sh"]
        try:
            p = subprocess.run([*within, *crun, "run", "--bundle", str(bundle), bundle.name], capture_output=True, text=True, timeout=SECONDS,
                               stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            subprocess.run([*crun, "delete", "--force", bundle.name], capture_output=True, timeout=SECONDS)
            raise
        assert p.returncode == code, f"exit code {p.returncode}\n{p.stdout}\n{p.stderr}"
        return p


@pytest.fixture
def container(unpacked, tmp_path):
    return Containers(unpacked, tmp_path).run


def files_of(folder):
    """{path: (kind, mode, content or target)}"""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        mode = path.lstat().st_mode & 0o7777
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", None, os.readlink(path))
        elif path.is_dir():
            found[name] = ("folder", mode, None)
        else:
            found[name] = ("file", mode, path.read_bytes())
    return found
