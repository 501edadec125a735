"""One container: its environment, its place in the file system, its process under crun.

crun does what a container runtime of a cluster does: namespaces, mounts, user,
capabilities, no_new_privs and the seccomp filter, which for RuntimeDefault is containerd's own.
"""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import kernel
from volumes import NotYet, field, object_data

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What containerd leaves a container, unless its manifest says otherwise.
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
                "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"]
TMPFS = ["nosuid", "noexec", "nodev"]
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug",
          "/proc/scsi", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


class BadConfig(Exception):
    """The manifest asks for what cannot be: CreateContainerConfigError."""


def environment(api, pod, spec, address):
    """name -> value, later ones from earlier ones."""
    namespace = pod["metadata"]["namespace"]
    found = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443",
             "KUBERNETES_SERVICE_PORT_HTTPS": "443", "HOSTNAME": pod["metadata"]["name"]}
    try:
        for source in spec.get("envFrom") or []:
            for kind in {"configMapRef", "secretRef"} & set(source):
                data = object_data(api, kind[:-3], namespace, source[kind]["name"], source[kind].get("optional"))
                found.update({source.get("prefix", "") + k: v.decode() for k, v in data.items()})
        for entry in spec.get("env") or []:
            value = _value(api, pod, entry, address)
            if value is not None:
                found[entry["name"]] = expand(value, found)
    except NotYet as e:
        raise BadConfig(str(e)) from e
    return found


def _value(api, pod, entry, address):
    source = entry.get("valueFrom")
    if not source:
        return entry.get("value", "")
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"], address)
    for kind in {"configMapKeyRef", "secretKeyRef"} & set(source):
        ref = source[kind]
        data = object_data(api, kind[:-6], pod["metadata"]["namespace"], ref["name"], ref.get("optional"))
        if ref["key"] in data:
            return data[ref["key"]].decode()
        if not ref.get("optional"):
            raise BadConfig(f'couldn\'t find key {ref["key"]} in {kind[:-6]} {ref["name"]}')
        return None
    raise BadConfig(f'env {entry["name"]}: this node does not know {", ".join(source)}')


def expand(text, variables):
    """$(NAME) is the variable's value, if there is one; $$ is a dollar."""
    return re.sub(r"\$(\$|\(([-._A-Za-z0-9]+)\))",
                  lambda m: "$" if m[1] == "$" else variables.get(m[2], m[0]), text)


class Security:
    """Of a container: its own securityContext before the pod's, before the image's."""

    def __init__(self, pod, spec, image):
        whole, own = pod["spec"].get("securityContext") or {}, spec.get("securityContext") or {}
        both = whole | own
        user, _, group = str(image.get("user", "0")).partition(":")
        self.user = both.get("runAsUser", int(user))
        self.group = both.get("runAsGroup", int(group or 0))
        self.groups = sorted({*(whole.get("supplementalGroups") or []), *([whole["fsGroup"]] if "fsGroup" in whole else [])})
        if both.get("runAsNonRoot") and self.user == 0:
            raise BadConfig("container has runAsNonRoot and image will run as root")
        self.no_new_privs = own.get("allowPrivilegeEscalation") is False
        self.read_only = bool(own.get("readOnlyRootFilesystem"))
        self.default_filter = (both.get("seccompProfile") or {}).get("type") == "RuntimeDefault"
        change = own.get("capabilities") or {}
        dropped, added = change.get("drop") or [], change.get("add") or []
        kept = [] if "ALL" in dropped else [c for c in CAPABILITIES if c not in dropped]
        self.capabilities = ["CAP_" + c for c in [*kept, *added]]

    def process(self):
        held = self.capabilities if self.user == 0 else []
        return {"user": {"uid": self.user, "gid": self.group, "additionalGids": self.groups},
                "noNewPrivileges": self.no_new_privs,
                "capabilities": {"bounding": self.capabilities, "effective": held, "permitted": held, "inheritable": []}}


class Container:
    """A process to be, or that is, or that was."""

    def __init__(self, node, pod, spec, folder, number):
        self.node, self.pod, self.spec, self.number = node, pod, spec, number
        self.name = spec["name"]
        self.folder = Path(folder) / f"{self.name}.{number}"
        self.id = f'{self.name}-{pod["metadata"]["uid"]}-{number}'
        self.log = Path(folder) / f"{self.name}.{number}.log"
        self.message_file = Path(folder) / f"{self.name}.{number}.message"
        self.process = None
        self.started = self.ended = None
        self.code = self.pid = None

    # ---- beginning
    def start(self, pod_files, volumes, network):
        image = self.node.images.find(self.spec["image"])
        security = Security(self.pod, self.spec, image)
        variables = environment(self.node.api, self.pod, self.spec, network.address)
        self.message_file.write_text("")
        self.message_file.chmod(0o666)
        root = self._root(image["rootfs"])
        process = security.process() | {
            "terminal": False, "cwd": self.spec.get("workingDir") or image.get("cwd") or "/",
            "args": self._command(image, variables),
            "env": [PATH] + [f"{k}={v}" for k, v in variables.items()]}
        linux = {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount")] + [{"type": "network", "path": network.path}],
                 "maskedPaths": MASKED, "readonlyPaths": READ_ONLY}
        if kernel.sole_user():  # who has the number that the pod asks for, in a namespace of the container's own
            linux["namespaces"].append({"type": "user"})
            for kind, inside in (("uid", security.user), ("gid", security.group)):
                linux[kind + "Mappings"] = [{"containerID": inside, "hostID": 0, "size": 1}]
        if security.default_filter:
            linux["seccomp"] = self.node.runtime_default()
        config = {"ociVersion": "1.0.0", "process": process, "root": {"path": str(root), "readonly": security.read_only},
                  "hostname": self.pod["metadata"]["name"], "mounts": self._mounts(pod_files, volumes), "linux": linux}
        (self.folder / "config.json").write_text(json.dumps(config))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.node.crun, "run", "--bundle", str(self.folder), "--pid-file", str(self.folder / "pid"), self.id],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.started = time.time()
        self.node.remember(self.id, self.process.pid)
        self._await_pid()

    def _root(self, rootfs):
        """The image with a layer of the container's own above it: nothing ever changes the image."""
        layers = {name: self.folder / name for name in ("upper", "work", "root")}
        for layer in layers.values():
            layer.mkdir(parents=True)
            layer.chmod(0o755)
        kernel.mount("overlay", layers["root"], "overlay", 0,
                     f"lowerdir={rootfs},upperdir={layers['upper']},workdir={layers['work']}")
        return layers["root"]

    def _command(self, image, variables):
        command, args = self.spec.get("command"), self.spec.get("args")
        if command is None:
            command = image.get("entrypoint") or []
            args = args if args is not None else image.get("cmd") or []
        words = [expand(word, variables) for word in [*command, *(args or [])]]
        if not words:
            raise BadConfig("no command specified")
        return words

    def _mounts(self, pod_files, volumes):
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": TMPFS},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*TMPFS, "mode=1777", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*TMPFS, "ro"]}]
        bind = lambda source, target, mode: mounts.append(
            {"destination": target, "type": "bind", "source": str(source), "options": ["rbind", "rprivate", mode]})
        for name in ("hosts", "hostname", "resolv.conf"):
            bind(pod_files / name, f"/etc/{name}", "ro")
        bind(self.message_file, self.spec.get("terminationMessagePath", "/dev/termination-log"), "rw")
        for mount in self.spec.get("volumeMounts") or []:
            writable = volumes.writable(mount["name"]) and not mount.get("readOnly")
            bind(volumes.path(mount["name"]) / mount.get("subPath", ""), mount["mountPath"], "rw" if writable else "ro")
        return mounts

    def _await_pid(self):
        """The process exists when crun has written its id."""
        file = self.folder / "pid"
        while self.process.poll() is None and not (file.exists() and file.read_text().strip()):
            time.sleep(0.01)
        if file.exists() and file.read_text().strip():
            self.pid = int(file.read_text())
            self.node.remember(self.id + "-init", self.pid)

    # ---- end
    def running(self):
        if self.process is None or self.ended is not None:
            return False
        code = self.process.poll()
        if code is None:
            return True
        self.code, self.ended = code & 0xFF if code >= 0 else 128 - code, time.time()
        self._clean_up()
        return False

    def signal(self, number):
        if self.running() and self.pid and self.node.is_remembered(self.id + "-init", self.pid):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def stop(self, grace):
        """SIGTERM, and SIGKILL when its time is over."""
        self.signal(signal.SIGTERM)
        end = time.monotonic() + grace
        while self.running() and time.monotonic() < end:
            time.sleep(0.02)
        self.signal(signal.SIGKILL)
        end = time.monotonic() + 5
        while self.running() and time.monotonic() < end:
            time.sleep(0.02)

    def _clean_up(self):
        self.node.forget(self.id)
        self.node.forget(self.id + "-init")
        subprocess.run([*self.node.crun, "delete", "--force", self.id], capture_output=True, timeout=10)
        try:
            kernel.unmount(self.folder / "root")
        except OSError:
            pass

    def last_words(self):
        """The termination message: what the container wrote, or the end of its log if it may be that."""
        text = self.message_file.read_text(errors="replace") if self.message_file.exists() else ""
        if not text and self.code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            lines = self.log.read_text(errors="replace").splitlines()[-80:]
            return "\n".join(lines)[-2048:]
        return text[-4096:]
