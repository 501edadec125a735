"""archive.py LAYERS ARCHIVE key=value...: writes the layers as an OCI image, in one tar file; see scripts/image.sh.

keys: name, version, arch (as Debian calls it), created (seconds since 1970), revision, source (may be empty)

An OCI image is tar files and three JSON files that name each other by SHA-256. They
are written here rather than by a tool for images because each byte has to be the
same for whoever builds the same commit: names are sorted, owners and times are set,
and nothing says when or where this was run. The tests have such tools read it.
"""
import gzip
import hashlib
import io
import json
import sys
import tarfile
import time
from pathlib import Path

USER = "65532:65532"
PLATFORMS = {"amd64": {"architecture": "amd64"}, "arm64": {"architecture": "arm64", "variant": "v8"},
             "armhf": {"architecture": "arm", "variant": "v7"}, "i386": {"architecture": "386"},
             "ppc64el": {"architecture": "ppc64le"}, "riscv64": {"architecture": "riscv64"},
             "s390x": {"architecture": "s390x"}}
# 9 takes seven times as long for half a percent.
COMPRESSION = 6
MEDIA = "application/vnd.oci.image."


def add(tar, name, content=None, path=None, created=0):
    """A member whose content is at hand, or one as it is in the file system."""
    info = tar.gettarinfo(path, name) if path else tarfile.TarInfo(name)
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = created
    if info.islnk():  # a second name of a file is a file of its own
        info.type = tarfile.REGTYPE
        info.size = path.stat().st_size
    if content is not None:
        info.size = len(content)
    if not info.isreg():
        tar.addfile(info)
    elif content is not None:
        tar.addfile(info, io.BytesIO(content))
    else:
        with open(path, "rb") as f:
            tar.addfile(info, f)


def layer_tar(folder, created):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).parts):
            add(tar, str(path.relative_to(folder)), path=path, created=created)
    return out.getvalue()


def compact(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


class Blobs:
    def __init__(self):
        self.content = {}

    def add(self, media, content):
        """Keeps it; returns the descriptor that others name it by."""
        digest = hashlib.sha256(content).hexdigest()
        self.content[digest] = content
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


def full_name(name, version):
    """As container runtimes write down what people call esod:1.0."""
    first = name.split("/")[0]
    if "/" not in name:
        name = "docker.io/library/" + name
    elif "." not in first and ":" not in first and first != "localhost":
        name = "docker.io/" + name
    return f"{name}:{version}"


def image(layers, facts):
    """{path: content} of an image layout."""
    created = int(facts["created"])
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created))
    platform = {"os": "linux", **PLATFORMS[facts["arch"]]}
    labels = {"title": "esod", "description": "External Secrets operator with providers as plugins", "licenses": "Apache-2.0",
              **{key: facts[key] for key in ("version", "revision", "source") if facts.get(key)}}
    blobs, made, tars = Blobs(), [], []
    for folder in layers:
        tar = layer_tar(folder, created)
        tars.append(f"sha256:{hashlib.sha256(tar).hexdigest()}")
        made.append(blobs.add(MEDIA + "layer.v1.tar+gzip", gzip.compress(tar, COMPRESSION, mtime=0)))
    config = blobs.add(MEDIA + "config.v1+json", compact({
        **platform, "created": moment,
        "config": {"User": USER, "Entrypoint": ["/usr/bin/esod"], "Cmd": ["run"], "WorkingDir": "/",
                   "Env": ["PATH=/usr/bin:/bin"],
                   "Labels": {f"org.opencontainers.image.{key}": value for key, value in labels.items()}},
        "rootfs": {"type": "layers", "diff_ids": tars},
        "history": [{"created": moment, "created_by": f"scripts/image.sh: {folder.name}"} for folder in layers]}))
    manifest = blobs.add(MEDIA + "manifest.v1+json", compact({
        "schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "config": config, "layers": made}))
    manifest["platform"] = platform
    manifest["annotations"] = {"org.opencontainers.image.ref.name": facts["version"],
                               "io.containerd.image.name": full_name(facts["name"], facts["version"])}
    index = {"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": [manifest]}
    return manifest["digest"], {"oci-layout": compact({"imageLayoutVersion": "1.0.0"}), "index.json": compact(index),
                                **{f"blobs/sha256/{digest}": content for digest, content in blobs.content.items()}}


def in_order(layers):
    """What changes least is first; a layer that has no file is none."""
    folders = [layers / "base", layers / "core", *sorted(layers.glob("plugin-*"))]
    return [f for f in folders if any(not p.is_dir() for p in f.rglob("*"))]


def write(archive, files, created):
    part = archive.with_name(archive.name + ".part")
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
        # skopeo would make folders that are not named root's, which only root can do.
        for name in ("blobs", "blobs/sha256"):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, created
            tar.addfile(info)
        for name in sorted(files):
            add(tar, name, content=files[name], created=created)
    part.replace(archive)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    known = dict(a.split("=", 1) for a in sys.argv[3:])
    if known["arch"] not in PLATFORMS:
        sys.exit(f"image.sh: no image can be made for {known['arch']}; those that can: {', '.join(sorted(PLATFORMS))}")
    named, content = image(in_order(Path(sys.argv[1])), known)
    write(Path(sys.argv[2]), content, int(known["created"]))
    print(named)
