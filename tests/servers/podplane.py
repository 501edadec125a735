"""What a control plane has besides when a node runs pods beside it (node/)."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

WITH_A_NODE = (",deployment-controller,replicaset-controller,root-ca-certificate-publisher-controller,disruption-controller"
               ",serviceaccount-token-controller")

# With a node, what pods ask of the API server is noted, in log/audit.log.
AUDIT = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: ["system:serviceaccounts"]
- level: None
"""


class WithNode:
    """Of a ControlPlane: the node, and what people tell it."""

    def _pod_flags(self):
        if "node" not in self.conf:
            return ["--disable-admission-plugins=ServiceAccount"]
        (self.state / "pki" / "audit.yaml").write_text(AUDIT)
        # As OpenShift has it: who writes an owner reference that blocks deletion needs a right for that.
        # And as older ones have it: a watch begins with a list. One that streams lists asks for less.
        return ["--feature-gates=WatchList=false", "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
                f"--audit-policy-file={self.state}/pki/audit.yaml", f"--audit-log-path={self.state}/log/audit.log"]

    def _start_node(self):
        pki, folder = self.state / "pki", self.state / "node"
        folder.mkdir(exist_ok=True)
        (folder / "ready").unlink(missing_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=esod-node",
                        "-keyout", f"{pki}/kubelet.key", "-out", f"{pki}/kubelet.crt"], check=True, capture_output=True)
        as_root = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        self._spawn("node", [*as_root, sys.executable, "-B", str(HERE / "node"), str(self.state)])
        self._wait("node", 30, lambda: (folder / "ready").exists())

    def add_image(self, reference, rootfs, **image):
        """An image for the node's pods: a root file system, and entrypoint, cmd, user as an image has them."""
        self._note("images.json", reference, {"rootfs": str(rootfs), **image})

    def serve_pods(self, name, **ports):
        """Pods reach 127.0.0.1:TARGET by `name`, "namespace/service" or an address: serve_pods("vault/vault", **{"8200": TARGET})."""
        self._note("services.json", name, ports)

    def pid_of(self, pod, container):
        """The process that is the container's first, as this machine knows it."""
        return next(self.alive(f.stem) for f in (self.state / "run").glob(f"pod-{container}-{pod['metadata']['uid']}-*-init.pid"))

    def _note(self, file, key, value):
        path = self.state / "node" / file
        known = json.loads(path.read_text()) if path.exists() else {}
        fresh = path.with_suffix(".part")
        fresh.write_text(json.dumps(known | {key: value}))
        fresh.rename(path)
