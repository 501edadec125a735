"""node STATE: a node for the test control plane in that folder, which runs pods.

It is a kubelet, a scheduler and a network in small: it takes every pod that waits for a
node, makes its volumes, runs its containers under crun with the restrictions that the
manifest asks for, probes them, starts them again, and keeps the pod's status and log.
What it does not do: limits of CPU and memory, network policies, `kubectl exec`.

It needs root, or user namespaces. It ends with SIGTERM and takes its pods with it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent)]

import kernel  # noqa: E402
import logs  # noqa: E402
from api import Api, ApiError, Events, now, pod_path  # noqa: E402
from controlplane import USERS, start_time  # noqa: E402
from image import Images  # noqa: E402
from pod import Pod  # noqa: E402
from services import Services  # noqa: E402

NAME = "esod-node"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


class Node:
    def __init__(self, state):
        self.state = Path(state)
        conf = json.loads((self.state / "state.json").read_text())
        self.conf = conf
        self.folder, self.logs = self.state / "node" / "scratch", self.state / "node" / "logs"
        for folder in (self.folder, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.api = Api(conf["api"], (self.state / "pki/apiserver.crt").read_text(), USERS["admin"][0])
        self.events = Events(self.api, NAME)
        self.images = Images(self.state / "node", conf["node"]["build"])
        self.services = Services(self.state / "node", conf["api"])
        self.crun = ["crun", "--root", str(self.folder / "crun"), "--cgroup-manager=disabled"]
        self.pods, self.ending = {}, threading.Event()
        self._lock = threading.Lock()
        self._filter = None

    # ---- what pods ask for
    def runtime_default(self):
        """containerd's own profile, as its own code makes it."""
        if self._filter is None:
            self._filter = json.loads(subprocess.run([self.conf["tools"]["seccomp-default"]], check=True,
                                                     capture_output=True, timeout=30).stdout)
        return self._filter

    def note(self, text):
        print(text, file=sys.stderr, flush=True)

    def _pid_file(self, name):
        return self.state / "run" / f"pod-{name}.pid"

    def remember(self, name, pid):
        """So that whoever cleans up after this node finds it."""
        self._pid_file(name).write_text(f"{pid} {start_time(pid)}\n")

    def is_remembered(self, name, pid):
        file = self._pid_file(name)
        return file.exists() and file.read_text() == f"{pid} {start_time(pid)}\n"

    def forget(self, name):
        self._pid_file(name).unlink(missing_ok=True)

    def find(self, namespace, name, container):
        with self._lock:
            pods = list(self.pods.values())
        for pod in pods:
            if (pod.pod["metadata"]["namespace"], pod.pod["metadata"]["name"]) == (namespace, name):
                return pod.container(container)
        return None

    def gone(self, pod):
        with self._lock:
            self.pods.pop(pod.key, None)

    # ---- life
    def register(self):
        labels = {"kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux", "kubernetes.io/arch": ARCH}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME, "labels": labels}}
        try:
            self.api.call("POST", "/api/v1/nodes", node)
        except ApiError as e:
            if e.status != 409:
                raise
        self.api.patch(f"/api/v1/nodes/{NAME}", {"metadata": {"labels": labels}, "spec": {"taints": None}})
        room = {"cpu": str(os.cpu_count()), "memory": "4Gi", "pods": "110"}
        self.api.patch(f"/api/v1/nodes/{NAME}/status", {"status": {
            "capacity": room, "allocatable": room, "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.conf["kubelet"]}},
            "nodeInfo": {"kubeletVersion": "v1.36.3", "osImage": "a test", "kernelVersion": os.uname().release,
                         "operatingSystem": "linux", "architecture": ARCH, "containerRuntimeVersion": "crun://",
                         "machineID": "", "systemUUID": "", "bootID": "", "kubeProxyVersion": ""},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "this node runs pods",
                            "lastHeartbeatTime": now(), "lastTransitionTime": now()}]}})

    def watch(self):
        while not self.ending.is_set():
            listed = set()
            full = []

            def each(event, pod):
                if event == "SYNCED":
                    full.append(True)
                    self._drop_others(listed)
                    return
                if not full:
                    listed.add(pod["metadata"]["uid"])
                self._on_pod(event, pod)
            try:
                self.api.follow("/api/v1/pods", each, self.ending.is_set)
            except (ApiError, OSError, ValueError) as e:
                self.note(f"watch: {e}")
                self.ending.wait(0.3)

    def _drop_others(self, listed):
        with self._lock:
            gone = [p for key, p in self.pods.items() if key not in listed]
        for pod in gone:
            pod.drop()

    def _on_pod(self, event, pod):
        uid = pod["metadata"]["uid"]
        with self._lock:
            known = self.pods.get(uid)
        if event == "DELETED":
            if known:
                known.drop()
        elif known:
            known.changed(pod)
        elif not pod["spec"].get("nodeName"):
            self._bind(pod)
        elif pod["spec"]["nodeName"] == NAME and not self._has_ended(pod):
            with self._lock:
                self.pods[uid] = Pod(self, pod)

    @staticmethod
    def _has_ended(pod):
        """Nothing is left to do for it."""
        return pod["status"].get("phase") in ("Succeeded", "Failed") and not pod["metadata"].get("deletionTimestamp")

    def _bind(self, pod):
        """As a scheduler with one node would."""
        wanted = pod["spec"].get("nodeSelector") or {}
        here = {"kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux", "kubernetes.io/arch": ARCH}
        missing = [f"{k}={v}" for k, v in wanted.items() if here.get(k) != v]
        if pod["metadata"].get("deletionTimestamp") or missing:
            if missing:
                self.events.say(pod, "FailedScheduling", "0/1 nodes are available: 1 node(s) didn't match Pod's node selector "
                                f"({', '.join(missing)}).", "Warning")
            return
        try:
            self.api.call("POST", pod_path(pod, "/binding"), {
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NAME}})
        except (ApiError, OSError) as e:
            self.note(f"binding {pod['metadata']['name']}: {e}")

    def run(self):
        logs.serve(self, self.conf["kubelet"], self.state / "pki/kubelet.crt", self.state / "pki/kubelet.key")
        while not self.ending.is_set():
            try:
                self.register()
                break
            except (ApiError, OSError) as e:
                self.note(f"registering: {e}")
                self.ending.wait(0.3)
        (self.state / "node" / "ready").write_text("")
        watcher = threading.Thread(target=self.watch, daemon=True)
        watcher.start()
        while not self.ending.wait(1):
            pass
        with self._lock:
            pods = list(self.pods.values())
        for pod in pods:
            pod.drop()
        end = time.monotonic() + 8
        for pod in pods:
            pod.thread.join(max(0.1, end - time.monotonic()))


def own_mounts(scratch):
    """A view of the file system of this process' own: its mounts end with it."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", scratch, "tmpfs", 0, "mode=755")
    # crun 1.8 refuses to run where both versions of control groups are mounted, also when it shall use none.
    if os.path.ismount("/sys/fs/cgroup") and os.path.isdir("/sys/fs/cgroup/unified"):
        kernel.mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, "mode=755")


def main():
    node = Node(sys.argv[1])
    own_mounts(node.folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: node.ending.set())
    node.run()


main()
