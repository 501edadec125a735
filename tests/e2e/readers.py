"""What somebody has at hand who reads a page: a clone, programs, a cluster that runs pods."""

import os

import pytest

from harness import wait_for

CRDS = "customresourcedefinitions.apiextensions.k8s.io"


@pytest.fixture
def clone(chart, tmp_path):
    """A folder that looks like a clone in which scripts/chart.sh has been run, as far as pages care."""
    made = tmp_path / "clone"
    dist = made / "build" / "dist"
    dist.mkdir(parents=True)
    (dist / chart.archive.name).symlink_to(chart.archive)
    return made


@pytest.fixture
def typed(esod_bin, chart, pod_plane, tmp_path):
    """typed(name=program, ...): the environment of a shell that has these programs, esod, kubectl and helm."""
    def make(**programs):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        known = {"esod": esod_bin, "kubectl": pod_plane.conf["tools"]["kubectl"], "helm": chart.helm}
        for name, program in {**known, **programs}.items():
            (folder / name).symlink_to(program)
        return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8",
                "KUBECONFIG": str(pod_plane.kubeconfig)}
    return make


def remove_definitions(cluster):
    """With all objects of theirs. Nobody is there to end what has a finalizer, so none may have one."""
    names = cluster.kubectl("get", CRDS, "-o", "name").stdout.split()
    ours = [n for n in names if n.endswith("external-secrets.io")]
    if ours:
        cluster.kubectl("delete", *ours, "--wait=false")
    wait_for(lambda: not [n for n in cluster.kubectl("get", CRDS, "-o", "name").stdout.split() if n in ours], 30)


@pytest.fixture
def bare_cluster(pod_plane, pod_cluster, crds):
    """The control plane with the node, and nothing of esod in it: a page installs what it wants."""
    remove_definitions(pod_cluster)
    yield pod_plane
    remove_definitions(pod_cluster)
    pod_plane.apply_crds(crds)
