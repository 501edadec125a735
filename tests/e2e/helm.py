"""The real Helm, and the chart as scripts/chart.sh packages it."""

import json
import os
import subprocess

import pytest
import yaml

import harness

SERVERS = harness.ROOT / "tests" / "servers"


def tool(name):
    """The path of a tool that tests/servers/build makes, if it is not there yet."""
    subprocess.run([SERVERS / "build", name], check=True, timeout=900)
    return subprocess.run([SERVERS / "build", "--path", name], check=True, capture_output=True, text=True).stdout.strip()


class Chart:
    """What scripts/chart.sh makes, in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.helm, self._rendered = folder, tool("helm"), {}
        self.env = {**os.environ, "HELM": self.helm, "ESOD_BUILD": str(harness.build_dir()),
                    **{f"HELM_{what}_HOME": str(folder / "helm") for what in ("CACHE", "CONFIG", "DATA")}}
        self.env.pop("KUBECONFIG", None)
        self.make("--output", folder / "dist")
        (self.archive,) = (folder / "dist").glob("esod-*.tgz")
        self.source = folder / "chart" / "esod"

    def make(self, *args, check=True, **env):
        p = subprocess.run([harness.ROOT / "scripts" / "chart.sh", *args], env={**self.env, **env}, capture_output=True,
                           text=True, timeout=120)
        assert not check or p.returncode == 0, p.stderr
        return p

    def run(self, *args, values=None, kubeconfig=None, check=True):
        """helm ARGS with these values: (exit code, stdout, stderr)."""
        flags = ["-f", "-"] if values is not None else []
        flags += ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
        p = subprocess.run([self.helm, *map(str, args), *flags], env=self.env, capture_output=True, text=True, timeout=120,
                           input=json.dumps(values) if values is not None else "")
        assert not check or p.returncode == 0, f"helm {' '.join(map(str, args))}: {p.stderr}"
        return p

    def template(self, values=None, *args, name="esod", namespace="esod", check=True):
        return self.run("template", name, self.archive, "-n", namespace, *args, values=values or {}, check=check)

    def objects(self, values=None, *args, **how):
        """What it renders, without the definitions unless they are asked for."""
        key = json.dumps([values, args, how])
        if key not in self._rendered:
            self._rendered[key] = self.template({"installCRDs": False, **(values or {})}, *args, **how).stdout
        text = self._rendered[key]
        return [o for o in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if o]

    def notes(self, kubeconfig, values=None, namespace="esod"):
        """What it says when it is installed. Helm asks the cluster for its version, and no more."""
        out = self.run("install", "esod", self.archive, "-n", namespace, "--dry-run=client", kubeconfig=kubeconfig,
                       values={"installCRDs": False, **(values or {})}).stdout
        return out.split("\nNOTES:\n", 1)[1]

    def plain(self, variant):
        """The objects of the plain manifests: esod.yaml, or esod-namespaced.yaml."""
        return list(yaml.load_all((self.folder / "dist" / f"{variant}.yaml").read_text(),
                                  Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@pytest.fixture(scope="session")
def chart(esod_bin, tmp_path_factory):
    return Chart(tmp_path_factory.mktemp("chart"))


def reference_values():
    """Every value of the reference's chart, with its default there."""
    return yaml.safe_load((harness.ROOT / "tests" / "e2e" / "reference-values.yaml").read_text())


def of_kind(objects, kind, name=None):
    """The only one."""
    found = [o for o in objects if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} {kind}s"
    return found[0]


def settings(objects):
    """What esod.yaml says."""
    return yaml.safe_load(of_kind(objects, "ConfigMap")["data"]["esod.yaml"])


def pod(objects):
    return of_kind(objects, "Deployment")["spec"]["template"]["spec"]
