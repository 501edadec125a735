"""A cluster that runs pods: a control plane of its own, with a node (tests/servers/node)."""

import json
import os
import re
import secrets
import subprocess

import pytest

import controlplane
import harness
from harness import wait_for

class PodCluster(harness.Cluster):
    """A cluster as harness has it, and what there is to say of its pods."""

    def __init__(self, plane):
        super().__init__(plane.kubeconfig, plane.conf["tools"]["kubectl"])
        self.plane = plane

    def json(self, *args):
        return json.loads(self.kubectl(*args, "-o", "json").stdout)

    def pods(self, namespace):
        """Those that are not on their way out, oldest first."""
        found = [p for p in self.list("Pod", namespace) if not p["metadata"].get("deletionTimestamp")]
        return sorted(found, key=lambda p: p["metadata"]["creationTimestamp"])

    def logs(self, namespace, pod, *args):
        return self.kubectl("logs", "-n", namespace, pod, *args, check=False).stdout

    def run(self, namespace, args, name=None, **spec):
        """esod with these arguments in a pod that ends: (exit code, log). The pod is restricted, as the chart's is."""
        name = name or f"run-{secrets.token_hex(4)}"
        own = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
               "spec": {"restartPolicy": "Never", "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                        "containers": [{"name": "esod", "image": "esod", "args": args, "securityContext": own}], **spec}}
        self.kubectl("create", "-f", "-", stdin=json.dumps(pod))

        def ended():
            now = self.get("Pod", name, namespace)
            return now["status"].get("phase") in ("Succeeded", "Failed") and now
        state = wait_for(ended, 20)["status"]["containerStatuses"][0]["state"]["terminated"]
        log = self.logs(namespace, name)
        self.kubectl("delete", "pod", "-n", namespace, name, "--wait=false")
        return state["exitCode"], log

@pytest.fixture(scope="session")
def pod_plane(crds):
    """With the definitions; a test that wants to install them itself takes them away first."""
    plane = controlplane.ControlPlane(controlplane.temporary_state())
    plane.start(crds=crds, owner_pid=os.getpid(), hours=2, remove=True, node=harness.build_dir())
    yield plane
    note = plane.log("node")
    print(f"---- {note}\n{controlplane.tail(note, 30)}")
    plane.stop()

@pytest.fixture(scope="session")
def pod_cluster(pod_plane):
    return PodCluster(pod_plane)



def libraries(program):
    """What a program is linked to, for an image with that program."""
    said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, re.M)))
