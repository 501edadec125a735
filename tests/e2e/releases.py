"""Releases of the chart on the cluster that runs pods, made with the real helm."""

import os
import secrets
import ssl
import subprocess
import urllib.request

import pytest
import yaml

from harness import Space, condition, decoded, wait_for


class Helm:
    """As whoever the kubeconfig is of. What helm keeps for itself is below `home`."""

    def __init__(self, binary, archive, kubeconfig, home):
        self.binary, self.archive = str(binary), str(archive)
        home.mkdir(exist_ok=True)
        kept = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
        self.placing = ["--create-namespace"]
        self.env = kept | {"HOME": str(home), "KUBECONFIG": str(kubeconfig)}

    def as_user(self, kubeconfig, home):
        """Somebody who has a namespace and cannot make one."""
        made = Helm(self.binary, self.archive, kubeconfig, home)
        made.placing = []
        return made

    def __call__(self, *args, check=True, values=None):
        """What helm says: the finished process."""
        given = ["--values", "-"] if values is not None else []
        p = subprocess.run([self.binary, *args, *given], env=self.env, capture_output=True, text=True, timeout=120,
                           input=yaml.safe_dump(values) if values is not None else None)
        assert not check or p.returncode == 0, f"helm {' '.join(args)}: {p.stderr}"
        return p

    def install(self, namespace, *args, release="esod", **options):
        return self("install", release, self.archive, "--namespace", namespace, *self.placing, *args, **options)

    def upgrade(self, namespace, *args, release="esod", **options):
        return self("upgrade", release, self.archive, "--namespace", namespace, *args, **options)

    def refused(self, namespace, *args, release="esod", **options):
        """The sentence with which an installation ends. What helm made before it is taken away."""
        p = self.install(namespace, *args, release=release, check=False, **options)
        assert p.returncode != 0, f"helm installed it: {p.stdout}"
        self("uninstall", release, "--namespace", namespace, "--ignore-not-found")
        return p.stderr


class Release:
    """A namespace for one release of the chart, and what it is asked there."""

    def __init__(self, helm, cluster, namespace):
        self.helm, self.cluster, self.namespace, self.names = helm, cluster, namespace, []

    def install(self, *args, name="esod", **options):
        self.names.append(name)
        return self.helm.install(self.namespace, *args, release=name, **options)

    def upgrade(self, *args, **options):
        return self.helm.upgrade(self.namespace, *args, **options)

    def up(self, *args, change=False, **options):
        """Installed, or changed, and all its pods ready. (Helm's --wait looks every two seconds; this knows at once.)"""
        (self.upgrade if change else self.install)(*args, **options)
        self.cluster.kubectl("rollout", "status", "-n", self.namespace, "deployment/esod", "--timeout=30s")

    def pods(self, leaving=False):
        """Of its Deployment, that are not on their way out, oldest first; and, with `leaving`, those too."""
        found = self.cluster.list("Pod", self.namespace) if leaving else self.cluster.pods(self.namespace)
        return [p for p in found if p["metadata"].get("ownerReferences")]

    def pod(self):
        """Its only pod, once it is ready and no other one is left."""
        def only():
            pods = self.pods(leaving=True)
            assert len(pods) == 1, f"{len(pods)} pods"
            assert condition(pods[0])["status"] == "True", pods[0]["status"]
            return pods[0]
        return wait_for(only)

    def metrics(self):
        address = self.pod()["status"]["podIP"]
        with urllib.request.urlopen(f"http://{address}:8080/metrics", timeout=5) as answer:
            return answer.read().decode()

    def scrape(self):
        """The page of metrics where it is shown to few, with the token that the chart makes for that."""
        pod = self.pods()[0]
        secret = f"{self.names[0]}-metrics-reader"
        token = wait_for(lambda: decoded(self.cluster.get("Secret", secret, self.namespace)).get("token")).decode()
        asked = urllib.request.Request(f"https://{pod['status']['podIP']}:8080/metrics", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=5, context=ssl._create_unverified_context()) as answer:
            return answer.read().decode()

    def plugins(self):
        lines = [line for line in self.metrics().splitlines() if line.startswith("esod_plugin_info{")]
        return sorted(line.split('plugin="')[1].split('"')[0] for line in lines)

    def stopped(self):
        """Why its pod does not run, once it has been started twice: (log, termination message)."""
        def crashed():
            pod = self.pods()[-1]
            status = pod["status"].get("containerStatuses", [{"state": {}}])[0]
            assert status["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff", status
            assert not status["ready"]
            return pod["metadata"]["name"], status["lastState"]["terminated"]["message"]
        name, message = wait_for(crashed)
        return self.cluster.logs(self.namespace, name, "--previous").strip(), message.strip()

    def remove(self):
        for name in self.names:
            self.helm("uninstall", name, "--namespace", self.namespace, "--ignore-not-found")
        wait_for(lambda: not self.pods(leaving=True))
        self.cluster.delete("Namespace", self.namespace)


@pytest.fixture
def release(helm, pod_cluster):
    """release() is a Release in a fresh namespace; all are taken away in the end."""
    made = []

    def make():
        made.append(Release(helm, pod_cluster, f"esod-{secrets.token_hex(4)}"))
        return made[-1]

    yield make
    for one in made:
        one.remove()


@pytest.fixture
def app(pod_cluster):
    """A namespace of somebody who wants Secrets."""
    made = Space(pod_cluster, f"app-{secrets.token_hex(4)}")
    yield made
    made.remove()


@pytest.fixture(scope="session")
def helm(chart, pod_plane, tmp_path_factory):
    return Helm(chart.helm, chart.archive, pod_plane.kubeconfig, tmp_path_factory.mktemp("helm"))
