"""Fixtures. ESOD_BUILD names the build to test (default: build/release)."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "servers")]

import controlplane  # noqa: E402
import harness  # noqa: E402
import proxy as proxies  # noqa: E402
from bare import bare  # noqa: E402,F401
from vault import vault  # noqa: E402,F401
from gcp import gcp  # noqa: E402, F401
from aws import aws, aws_operator, aws_server  # noqa: E402,F401
from helm import chart  # noqa: E402,F401
from pods import pod_cluster, pod_plane  # noqa: E402,F401
from releases import app, helm, release  # noqa: E402,F401
from readers import clone, definitions_of, typed  # noqa: E402,F401


@pytest.fixture(scope="session")
def esod_bin():
    path = harness.build_dir() / "bin" / "esod"
    if not path.exists():
        pytest.exit(f"{path} is not built; ESOD_BUILD names the build folder", returncode=2)
    return path


@pytest.fixture(scope="session")
def crds(esod_bin, tmp_path_factory):
    """The file with what `esod crds` prints."""
    path = tmp_path_factory.mktemp("crds") / "crds.yaml"
    p = subprocess.run([str(esod_bin), "crds"], capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, f"esod crds: {p.stderr}"
    path.write_text(p.stdout)
    return path


@pytest.fixture(scope="session")
def control_plane(crds):
    plane = controlplane.ControlPlane(controlplane.temporary_state())
    plane.start(crds=crds, owner_pid=os.getpid(), hours=2, remove=True)
    yield plane
    plane.stop()


@pytest.fixture(scope="session")
def kubeconfig(control_plane):
    return control_plane.kubeconfig


@pytest.fixture(scope="session")
def cluster(control_plane):
    return harness.Cluster(control_plane.kubeconfig, control_plane.conf["tools"]["kubectl"])


@pytest.fixture
def make_operator(esod_bin, kubeconfig, tmp_path):
    """make_operator(**config) gives an Operator that is not started yet; all end with the test."""
    made = []

    def make(kubeconfig=kubeconfig, binary=esod_bin, folder=None, **options):
        folder = folder or tmp_path / f"operator-{len(made)}"
        folder.mkdir()
        made.append(harness.Operator(binary, kubeconfig, folder, **options))
        return made[-1]

    yield make
    wrong = []
    for operator in made:
        try:
            operator.finish()
        except AssertionError as e:
            wrong.append(str(e))
        print(f"---- {operator.log_path}\n{operator.tail(60)}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def operator(make_operator):
    """An operator that is up."""
    return make_operator().start()


@pytest.fixture
def proxy(control_plane, tmp_path):
    """Stands before the API server, notes every request, and misbehaves when told to."""
    made = proxies.HttpProxy(control_plane, tmp_path)
    yield made
    made.close()


@pytest.fixture
def behind(make_operator, kubeconfig, proxy, tmp_path):
    """An operator that knows the API server by the proxy's address; not started yet."""
    path = tmp_path / "through-proxy"
    path.write_text(harness.with_server(kubeconfig, proxy.url, proxy.ca))
    return make_operator(kubeconfig=path)


@pytest.fixture
def space(cluster):
    """A fresh namespace, with helpers for what is in it."""
    made = harness.Space(cluster, f"e2e-{secrets.token_hex(4)}")
    yield made
    made.remove()


@pytest.fixture
def second_space(cluster):
    """Another one, for what crosses namespaces."""
    made = harness.Space(cluster, f"e2e-{secrets.token_hex(4)}")
    yield made
    made.remove()


@pytest.fixture
def namespace(space):
    return space.name


@pytest.fixture(scope="module")
def also_known(esod_bin, control_plane, crds, tmp_path_factory):
    """also_known(file, ...): the API server knows the providers of these plugins too, until the module's tests are over."""
    def know(*files):
        flags = [f"--plugin={file}" for file in files]
        p = subprocess.run([esod_bin, "crds", "--plugin-path", harness.build_dir() / "lib/esod/plugins", "--plugin=fake", *flags],
                           capture_output=True, text=True, timeout=60)
        assert p.returncode == 0, p.stderr
        path = tmp_path_factory.mktemp("crds-of-all") / "crds.yaml"
        path.write_text(p.stdout)
        control_plane.apply_crds(path)

    yield know
    control_plane.apply_crds(crds)
