"""rootfs.py LAYERS: completes the layers of the image, see scripts/image.sh.

LAYERS/core holds the program and LAYERS/plugin-NAME a plugin each, as they are
installed. What they link comes from the packages of this machine, because that is
what they were built and tested with: what the core needs goes to LAYERS/base, with
everything else that an image needs; what only a plugin needs goes to its layer.
Each file is held against its package's checksum, and each package's record is kept
where scanners of images look for it.
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

USER = "esod"
UID = 65532
FIELDS = ("Package", "Source", "Version", "Architecture", "Multi-Arch", "Maintainer", "Homepage", "Section", "Priority")


class Unusable(Exception):
    """One sentence for the person who builds."""


def run(*command):
    p = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if p.returncode != 0:
        raise Unusable(f"{' '.join(command[:2])} failed: {p.stderr.strip()}")
    return p.stdout


# ---- which files

def is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def elf_files(layer):
    return sorted(p for p in layer.rglob("*") if p.is_file() and not p.is_symlink() and is_elf(p))


def linked(path):
    """The libraries that the loader maps for a program or a plugin, the loader among them."""
    said = run("ldd", str(path))
    lost = re.findall(r"(\S+) => not found", said)
    if lost:
        raise Unusable(f"{path.name} links {', '.join(lost)}, which is not on this machine: run scripts/deps.sh build")
    return {found for found in re.findall(r"(/\S+) \(0x", said) if found != str(path)}


def opened_by_name(libraries):
    """What no header of a file names: OpenSSL's old ciphers, in which PKCS #12 files of former days are."""
    return {str(p) for lib in libraries if Path(lib).name.startswith("libcrypto.so.")
            for p in [Path(os.path.realpath(lib)).parent / "ossl-modules/legacy.so"] if p.exists()}


def with_links(path):
    """The path and all that its symbolic links lead to: libx.so.1 is a link to libx.so.1.2.3."""
    while True:
        yield path
        if not os.path.islink(path):
            return
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


# ---- which packages

def merged(path):
    """/lib is a link to /usr/lib in the image, whatever it is here."""
    return "/usr" + path if re.match(r"/(lib\w*|s?bin)/", path) else path


def owners(paths):
    """{path: package}; dpkg may know a file by the name it had before /lib became a link."""
    asked = [name for p in paths for name in {merged(p), re.sub("^/usr", "", merged(p))}]
    p = subprocess.run(["dpkg-query", "--search", *asked], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    known = {}
    for line in p.stdout.splitlines():
        package, _, path = line.rpartition(": ")
        if not package.startswith("diversion "):
            known[merged(path)] = package.split(",")[0]
    return known


def package_of(path, known):
    for name in reversed(list(with_links(path))):
        if merged(name) in known:
            return known[merged(name)]
    raise Unusable(f"{path} belongs to no package, so nobody would hear of its defects: "
                   "build where the libraries are the distribution's")


class Package:
    def __init__(self, name):
        self.name = name
        self.files = {}  # path in the image: MD5, as dpkg keeps it
        p = subprocess.run(["dpkg-query", "--show", "--showformat", "${db:Status-Status}\n", name], capture_output=True, text=True)
        if p.stdout.split()[:1] != ["installed"]:
            raise Unusable(f"package {name} is not installed: run scripts/deps.sh image")
        self.sums = {}
        for line in run("dpkg-query", "--control-show", name, "md5sums").splitlines():
            digest, _, path = line.partition("  ")
            self.sums[merged("/" + path)] = digest

    def check(self, path, content):
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if self.sums.get(merged(path), digest) != digest:
            raise Unusable(f"{path} is not what package {self.name} installed: "
                           f"apt-get install --reinstall {self.name}")
        self.files[merged(path)] = digest

    def record(self):
        shown = run("dpkg-query", "--show", "--showformat", "".join(f"{f}: ${{{f}}}\n" for f in FIELDS) +
                    "Description: ${binary:Summary}\n", self.name)
        return "".join(line + "\n" for line in shown.splitlines() if not re.match(r"\S+: $", line))


class Packages:
    def __init__(self):
        self.known = {}

    def get(self, name):
        if name not in self.known:
            self.known[name] = Package(name)
        return self.known[name]


# ---- putting them there

def put(layer, path, content, mode=0o644):
    there = layer / path.lstrip("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(content if isinstance(content, bytes) else content.encode())
    there.chmod(mode)


def link(layer, path, target):
    there = layer / path.lstrip("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    there.symlink_to(target)


def put_file(layer, path, package):
    """A file of a package, and the links that lead to it."""
    for name in with_links(path):
        there = layer / merged(name).lstrip("/")
        if there.exists() or there.is_symlink():
            continue
        if os.path.islink(name):
            link(layer, merged(name), os.readlink(name))
            continue
        content = Path(name).read_bytes()
        package.check(name, content)
        put(layer, merged(name), content, 0o755 if os.access(name, os.X_OK) else 0o644)


def put_libraries(layer, libraries, packages):
    """Returns the packages that they are of."""
    known = owners({name for lib in libraries for name in with_links(lib)})
    used = set()
    for lib in sorted(libraries):
        package = packages.get(package_of(lib, known))
        put_file(layer, lib, package)
        used.add(package)
    return used


def listed(package):
    return run("dpkg-query", "--listfiles", package.name).splitlines()


def put_time_zones(layer, package):
    """Without the copies of each zone that differ in leap seconds, and without this machine's own zone."""
    top = "/usr/share/zoneinfo/"
    for path in listed(package):
        own = path.removeprefix(top)
        if path.startswith(top) and not own.startswith(("posix", "right", "localtime")) and \
                (os.path.islink(path) or os.path.isfile(path)):
            put_file(layer, path, package)


def put_authorities(layer, package):
    """Made of the package's files rather than of /etc/ssl/certs: an authority that this machine alone trusts stays here."""
    found = sorted(p for p in listed(package) if re.fullmatch(r"/usr/share/ca-certificates/.*\.crt", p))
    parts = []
    for path in found:
        content = Path(path).read_bytes()
        package.check(path, content)
        parts.append(content if content.endswith(b"\n") else content + b"\n")
    if not parts:
        raise Unusable(f"package {package.name} has no certificates here: apt-get install --reinstall {package.name}")
    put(layer, "/etc/ssl/certs/ca-certificates.crt", b"".join(parts))
    package.files = {}  # they are in one file now, which the package does not know


def put_records(layer, packages):
    """One file for each package, and its licence, which has to come along."""
    for package in sorted(packages, key=lambda p: p.name):
        short = package.name.split(":")[0]
        licence = f"/usr/share/doc/{short}/copyright"
        if not os.path.exists(licence):
            raise Unusable(f"{licence} is missing, which an image with package {short} has to have: "
                           f"drop path-exclude from /etc/dpkg/dpkg.cfg.d, then apt-get install --reinstall {short}")
        put(layer, licence, Path(licence).read_bytes())
        put(layer, f"/var/lib/dpkg/status.d/{short}", package.record())
        put(layer, f"/var/lib/dpkg/status.d/{short}.md5sums",
            "".join(f"{digest}  {path.lstrip('/')}\n" for path, digest in sorted(package.files.items())))


def put_system(layer):
    """What a program expects of any system. The folders are where a runtime mounts something."""
    put(layer, "/etc/passwd", f"root:x:0:0:root:/root:/sbin/nologin\n{USER}:x:{UID}:{UID}:{USER}:/nonexistent:/sbin/nologin\n")
    put(layer, "/etc/group", f"root:x:0:\n{USER}:x:{UID}:\n")
    put(layer, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    for path in ("dev", "etc/esod", "proc", "run", "sys", "tmp", "usr/lib/esod/plugins"):
        (layer / path).mkdir(parents=True, exist_ok=True)
    for name in ("lib", "lib64"):
        (layer / "usr" / name).mkdir(parents=True, exist_ok=True)
        link(layer, "/" + name, "usr/" + name)


def set_modes(layer):
    """Whatever the umask of who builds: all may read, nobody may write but in /tmp."""
    for path in [layer, *layer.rglob("*")]:
        if path.is_symlink():
            continue
        if path.is_dir():
            path.chmod(0o1777 if path == layer / "tmp" else 0o755)
        else:
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def complete(layers):
    packages = Packages()
    base, core = layers / "base", layers / "core"
    base.mkdir()
    put_system(base)

    needed = set().union(*(linked(f) for f in elf_files(core)))
    needed |= opened_by_name(needed)
    used = put_libraries(base, needed, packages)
    time_zones, authorities, system = (packages.get(name) for name in ("tzdata", "ca-certificates", "base-files"))
    put_time_zones(base, time_zones)
    put_authorities(base, authorities)
    put_file(base, "/etc/os-release", system)
    put_records(base, {*used, time_zones, authorities, system})

    for layer in sorted(layers.glob("plugin-*")):
        more = set().union(*(linked(f) for f in elf_files(layer))) - needed
        put_records(layer, put_libraries(layer, more, packages))
    for layer in sorted(layers.iterdir()):
        set_modes(layer)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        complete(Path(sys.argv[1]).resolve())
    except Unusable as e:
        sys.exit(f"image.sh: {e}")
