"""A control plane of its own for tests of what is missing or in the way: no definitions are installed in it."""

import json
import os
import subprocess

import pytest
import yaml

import controlplane
import harness


class Bare:
    """The cluster, and esod's commands that ask it or change it."""

    def __init__(self, plane, esod):
        self.plane, self.esod = plane, esod
        self.cluster = harness.Cluster(plane.kubeconfig, plane.conf["tools"]["kubectl"])
        self.right = {}  # what `definitions` gives when they are as this esod has them

    def kubeconfig(self, user="admin"):
        return self.plane.state / ("kubeconfig" if user == "admin" else f"kubeconfig-{user}")

    def run(self, *args, user="admin", code=0, env=None):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.plane.state), "KUBECONFIG": str(self.kubeconfig(user)),
               **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}, **(env or {})}
        p = subprocess.run([self.esod, *map(str, args)], capture_output=True, text=True, timeout=60, env=env)
        assert not harness.SANITIZER.search(p.stderr), p.stderr
        assert p.returncode == code, f"exit code {p.returncode}\n{p.stdout}\n{p.stderr}"
        return p

    @staticmethod
    def plugins(args):
        """Two are enough, and the definitions for them are quickly taken up."""
        return args if any(str(a).startswith("--plugin") for a in args) else ("--plugin=fake", "--plugin=webhook", *args)

    def apply(self, *args, code=0):
        """esod crds --apply: what became of each definition, or with a failure what it says."""
        p = self.run("crds", "--apply", *self.plugins(args), code=code)
        done = dict(line.split() for line in p.stdout.splitlines())
        return done if code == 0 else (done, harness.without_notes(p.stderr))

    def preflight(self, *args, **how):
        """{check: [(result, text, remedy)]}. Which addresses are free here is no question."""
        found = json.loads(self.run("preflight", "-o", "json", "--skip=addresses", *self.plugins(args), **how).stdout)
        by_check = {}
        for c in found["checks"]:
            by_check.setdefault(c["check"], []).append((c["result"], c["text"], c["remedy"]))
        results = [c["result"] for c in found["checks"]]
        assert [found[k] for k in ("failed", "warnings", "notChecked")] == [
            results.count(r) for r in ("failed", "warning", "not checked")]
        return by_check

    def definitions(self):
        """What changes when one of them does."""
        return {d["metadata"]["name"]: (d["metadata"]["uid"], d["metadata"]["generation"], d["metadata"].get("annotations"))
                for d in self.cluster.list("CustomResourceDefinition")}

    def manifest(self, *objects):
        self.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def delete(self, *args):
        self.cluster.kubectl("delete", "--ignore-not-found", *args)

    def rights(self, *args):
        return json.loads(self.run("preflight", "--rights", "-o", "json", *args).stdout)["rules"]


@pytest.fixture(scope="module")
def bare(esod_bin):
    plane = controlplane.ControlPlane(controlplane.temporary_state())
    plane.start(owner_pid=os.getpid(), hours=1, remove=True)
    yield Bare(plane, esod_bin)
    plane.stop()
