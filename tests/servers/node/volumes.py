"""A pod's volumes, as folders: ConfigMaps, Secrets, empty ones, and what is projected.

Files are written as a kubelet writes them: into a folder of their own that one rename puts
in the place of the last, so that who reads them sees all of a version or nothing.
"""

import base64
import os
import shutil
import tempfile
import time
from datetime import datetime
from pathlib import Path

import kernel
from api import ApiError


class NotYet(Exception):
    """What a pod needs is not there; the text says what. It is tried again."""


class Volumes:
    def __init__(self, api, pod, folder):
        self.api, self.pod, self.folder = api, pod, Path(folder)
        self.namespace = pod["metadata"]["namespace"]
        self.tokens = {}  # volume, path -> (text, when to ask again)
        security = pod["spec"].get("securityContext") or {}
        self.group = security.get("fsGroup")
        self.user = security.get("runAsUser")

    def path(self, name):
        return self.folder / name

    def writable(self, name):
        """Only what is empty at first belongs to the pod."""
        return "emptyDir" in self._volume(name)

    def _volume(self, name):
        return next(v for v in self.pod["spec"].get("volumes") or [] if v["name"] == name)

    def make(self):
        """Makes them, and brings them up to date if they are there."""
        for volume in self.pod["spec"].get("volumes") or []:
            path = self.path(volume["name"])
            if "emptyDir" in volume:
                self._make_empty(path)
                continue
            known = {"configMap", "secret", "projected", "downwardAPI"} & set(volume)
            if not known:
                raise NotYet(f'volume "{volume["name"]}": this node knows configMap, secret, projected, downwardAPI and emptyDir')
            path.mkdir(parents=True, exist_ok=True)
            files = {}
            for kind in known:
                sources = volume[kind].get("sources", []) if kind == "projected" else [{kind: volume[kind]}]
                for source in sources:
                    files.update(self._files(volume["name"], source))
            write_at_once(path, files, self._own)

    def _make_empty(self, path):
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o777)
            self._own(path)

    def _own(self, path):
        if self.group is not None:
            kernel.chown(path, -1, self.group)

    def _files(self, volume, source):
        """path -> (bytes, mode, user)"""
        (kind, what), = ((k, v) for k, v in source.items() if k != "name")
        if kind in ("configMap", "secret"):
            return self._from_object(kind, what)
        if kind == "downwardAPI":
            return {i["path"]: (field(self.pod, i["fieldRef"]["fieldPath"]).encode(), 0o644, None) for i in what["items"]}
        if kind == "serviceAccountToken":
            mode = 0o640 if self.group is not None else 0o600 if self.user is not None else 0o644
            return {what["path"]: (self._token(volume, what).encode(), mode, self.user)}
        raise NotYet(f'volume "{volume}": this node does not know the source {kind}')

    def _from_object(self, kind, what):
        name = what.get("secretName") or what.get("name")
        data = object_data(self.api, kind, self.namespace, name, what.get("optional"))
        mode = what.get("defaultMode", 0o644)
        if "items" not in what:
            return {key: (value, mode, None) for key, value in data.items()}
        files = {}
        for item in what["items"]:
            if item["key"] in data:
                files[item["path"]] = (data[item["key"]], item.get("mode", mode), None)
            elif not what.get("optional"):
                raise NotYet(f'{kind} "{name}" has no key "{item["key"]}"')
        return files

    def _token(self, volume, what):
        """Asked for again when most of its time is over."""
        text, renew = self.tokens.get((volume, what["path"]), ("", 0))
        if time.time() < renew:
            return text
        meta = self.pod["metadata"]
        ref = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        spec = {"expirationSeconds": what.get("expirationSeconds", 3600), "boundObjectRef": ref}
        if what.get("audience"):
            spec["audiences"] = [what["audience"]]
        account = self.pod["spec"].get("serviceAccountName") or "default"
        try:
            got = self.api.call("POST", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token",
                                {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})["status"]
        except ApiError as e:
            raise NotYet(f'failed to fetch token: {e}') from e
        ends = datetime.fromisoformat(got["expirationTimestamp"].replace("Z", "+00:00")).timestamp()
        self.tokens[volume, what["path"]] = got["token"], time.time() + 0.8 * (ends - time.time())
        return got["token"]


def object_data(api, kind, namespace, name, optional=False):
    """key -> bytes of a ConfigMap or a Secret; nothing if there is none and that is fine."""
    try:
        obj = api.get(f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}")
    except ApiError as e:
        if e.status == 404 and optional:
            return {}
        raise NotYet(f'{kind.lower()} "{name}" not found' if e.status == 404 else str(e)) from e
    if kind == "secret":
        return {k: base64.b64decode(v) for k, v in (obj.get("data") or {}).items()}
    binary = {k: base64.b64decode(v) for k, v in (obj.get("binaryData") or {}).items()}
    return {k: v.encode() for k, v in (obj.get("data") or {}).items()} | binary


def field(pod, path, address=""):
    """What a fieldRef names, as text."""
    if path == "status.podIP" or path == "status.podIPs":
        return address
    if path == "status.hostIP":
        return "127.0.0.1"
    at = pod
    for kind in ("metadata.labels", "metadata.annotations"):
        if path.startswith(kind + "['"):
            return (pod["metadata"].get(kind[9:]) or {}).get(path[len(kind) + 2:-2], "")
    for part in path.split("."):
        at = (at or {}).get(part)
    if isinstance(at, dict):
        return "\n".join(f'{k}="{v}"' for k, v in sorted(at.items()))
    return at or ""


def write_at_once(folder, files, own):
    """`files` stand in the folder as links through ..data, which changes in one step, and only if they differ."""
    current = folder / "..data"
    if current.exists() and _same(current, files):
        return
    fresh = Path(tempfile.mkdtemp(prefix=time.strftime("..%Y_%m_%d_%H_%M_%S."), dir=folder))
    fresh.chmod(0o755)
    for name, (content, mode, user) in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        if user is not None:
            kernel.chown(path, user, -1)
        own(path)
    old = os.readlink(current) if current.is_symlink() else None
    step = folder / "..data_tmp"
    step.symlink_to(fresh.name)
    step.rename(current)
    tops = {name.split("/")[0] for name in files}
    for top in tops:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()
    if old:
        shutil.rmtree(folder / old, ignore_errors=True)


def _same(folder, files):
    there = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return there == {name: content for name, (content, _, _) in files.items()}
