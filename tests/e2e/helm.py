"""The real helm, and the chart as scripts/chart.sh packages it."""

import os
import subprocess

import pytest
import yaml

import controlplane
from harness import ROOT, build_dir


class Helm:
    """As whoever the kubeconfig is of. Everything helm keeps for itself is below `home`."""

    def __init__(self, binary, kubeconfig, home, chart):
        self.binary, self.kubeconfig, self.chart = str(binary), str(kubeconfig), str(chart)
        home.mkdir(exist_ok=True)
        kept = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
        self.env = kept | {"HOME": str(home), "KUBECONFIG": self.kubeconfig}

    def as_user(self, kubeconfig, home):
        return Helm(self.binary, kubeconfig, home, self.chart)

    def __call__(self, *args, check=True, values=None, timeout=60):
        """What helm says: the finished process."""
        given = ["--values", "-"] if values is not None else []
        p = subprocess.run([self.binary, *args, *given], env=self.env, capture_output=True, text=True, timeout=timeout,
                           input=yaml.safe_dump(values) if values is not None else None)
        assert not check or p.returncode == 0, f"helm {' '.join(args)}: {p.stderr}"
        return p

    def install(self, namespace, *args, release="esod", **options):
        return self("install", release, self.chart, "--namespace", namespace, "--create-namespace", *args, **options)

    def upgrade(self, namespace, *args, release="esod", **options):
        return self("upgrade", release, self.chart, "--namespace", namespace, *args, **options)

    def refused(self, namespace, *args, release="esod", **options):
        """The sentence with which an installation ends before anything was made."""
        p = self.install(namespace, *args, release=release, check=False, **options)
        assert p.returncode != 0, f"helm installed it: {p.stdout}"
        self("uninstall", release, "--namespace", namespace, "--ignore-not-found")
        return p.stderr


@pytest.fixture(scope="session")
def chart_package(esod_bin, tmp_path_factory):
    """esod-VERSION.tgz."""
    folder = tmp_path_factory.mktemp("chart")
    env = os.environ | {"ESOD_BUILD": str(build_dir())}
    p = subprocess.run([ROOT / "scripts/chart.sh", "--chart-only", "--output", folder], env=env, capture_output=True, text=True,
                       timeout=120)
    assert p.returncode == 0, p.stderr
    return next(folder.glob("*.tgz"))


@pytest.fixture(scope="session")
def helm(pod_plane, chart_package, tmp_path_factory):
    return Helm(controlplane.tool("helm"), pod_plane.kubeconfig, tmp_path_factory.mktemp("helm"), chart_package)
