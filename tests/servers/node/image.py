"""What images are on this node: root file systems, by the name that a pod's manifest has for them.

One image is there from the beginning: esod's, by whatever registry and tag. Its root file
system is the folder of $ESOD_ROOTFS, or is laid out of a build tree: the program, the plugins,
the libraries that they are linked to. More are put into images.json:

    {"registry.example/acme-plugin:1": {"rootfs": "/some/folder", "entrypoint": ["/bin/copy"]}}
"""

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

ESOD = {"entrypoint": ["/usr/bin/esod"], "cmd": ["run"], "user": "65532:65532"}


class NoImage(Exception):
    pass


class Images:
    def __init__(self, folder, build):
        self.folder, self.build = Path(folder), build
        self.rootfs = os.environ.get("ESOD_ROOTFS")
        self._lock = threading.Lock()

    def find(self, reference):
        """The image of that name: {rootfs, entrypoint, cmd, user}."""
        try:
            known = json.loads((self.folder / "images.json").read_text())
        except FileNotFoundError:
            known = {}
        if reference in known:
            return known[reference]
        if re.fullmatch(r"(.*/)?esod", re.sub(r"(@sha256:[0-9a-f]+|:[^/:]+)+$", "", reference)):
            return ESOD | {"rootfs": self._esod()}
        raise NoImage(f'this node has no image "{reference}"; it has {", ".join(["esod", *known])}')

    def _esod(self):
        with self._lock:
            if self.rootfs and not os.path.isfile(f"{self.rootfs}/usr/bin/esod"):
                raise NoImage(f"ESOD_ROOTFS is {self.rootfs}, and there is no usr/bin/esod; scripts/image.sh makes one")
            if not self.rootfs:
                self.rootfs = str(lay_out(Path(self.build), self.folder / "image"))
            return self.rootfs


def lay_out(build, root):
    """A root file system with what is in a build tree."""
    if not (build / "bin/esod").exists():
        raise NoImage(f"{build}/bin/esod is not built; the node's esod comes from there")
    libexec, plugins = root / "usr/libexec/esod", root / "usr/lib/esod/plugins"
    for folder in (root / "usr/bin", libexec, plugins, root / "etc", root / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    programs = [(build / "bin/esod", root / "usr/bin"), (build / "libexec/esod/esod-plugin-runner", libexec)]
    programs += [(plugin, plugins) for plugin in sorted((build / "lib/esod/plugins").glob("*.so"))]
    for file, folder in programs:
        shutil.copy2(file, folder)
    for library in libraries([file for file, _ in programs]):
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, target)
    for name in ("/etc/ssl/certs/ca-certificates.crt", "/etc/ld.so.cache"):
        if os.path.exists(name):
            target = root / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target)
    if os.path.isdir("/usr/share/zoneinfo"):
        shutil.copytree("/usr/share/zoneinfo", root / "usr/share/zoneinfo", ignore=shutil.ignore_patterns("right", "posix"))
    return root


def libraries(files):
    """Their paths, as the loader finds them here."""
    said = subprocess.run(["ldd", *map(str, files)], check=True, capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, re.M)))
