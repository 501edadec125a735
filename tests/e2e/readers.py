"""What somebody has at hand who reads a page: a clone, programs, a cluster that runs pods."""

import os

import pytest

CRDS = "customresourcedefinitions.apiextensions.k8s.io"


@pytest.fixture
def clone(chart, tmp_path):
    """A folder that looks like a clone in which scripts/chart.sh has been run, as far as pages care."""
    made = tmp_path / "clone"
    dist = made / "build" / "dist"
    dist.mkdir(parents=True)
    for made_already in chart.archive.parent.iterdir():
        (dist / made_already.name).symlink_to(made_already)
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


OWNER = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"


def give_definitions_to(cluster, release, namespace):
    """As if that release of Helm's had installed them; without one, as if nobody had."""
    ours = [n for n in cluster.kubectl("get", CRDS, "-o", "name").stdout.split() if n.endswith("external-secrets.io")]
    notes = [f"{OWNER[0]}={release}", f"{OWNER[1]}={namespace}"] if release else [f"{note}-" for note in (*OWNER, "helm.sh/resource-policy")]
    cluster.kubectl("annotate", "--overwrite", *ours, *notes)
    cluster.kubectl("label", "--overwrite", *ours, "app.kubernetes.io/managed-by" + ("=Helm" if release else "-"))


@pytest.fixture
def definitions_of(pod_cluster, crds):
    """definitions_of(release, namespace): those in the cluster that runs pods are what an earlier installation has left.

    To delete and make them again takes a quarter of a minute; test_install.py begins without any."""
    yield lambda release, namespace: give_definitions_to(pod_cluster, release, namespace)
    give_definitions_to(pod_cluster, None, None)
    pod_cluster.plane.apply_crds(crds)
