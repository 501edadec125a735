"""What the end-to-end tests share: a client, an operator under test, expectations."""

import base64
import copy
import hashlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import kubernetes
import yaml

from controlplane import free_port

ROOT = Path(__file__).resolve().parents[2]
GROUP = "external-secrets.io"
MANAGED = "reconcile.external-secrets.io/managed"
CREATED_BY = "reconcile.external-secrets.io/created-by"
DATA_HASH = "reconcile.external-secrets.io/data-hash"
FINALIZER = "externalsecrets.external-secrets.io/externalsecret-cleanup"
MANAGER = "externalsecrets.external-secrets.io/"

KINDS = {  # kind: (apiVersion, plural, namespaced)
    "Namespace": ("v1", "namespaces", False),
    "Secret": ("v1", "secrets", True),
    "ConfigMap": ("v1", "configmaps", True),
    "ServiceAccount": ("v1", "serviceaccounts", True),
    "Event": ("v1", "events", True),
    "Pod": ("v1", "pods", True),
    "Lease": ("coordination.k8s.io/v1", "leases", True),
    "ExternalSecret": (GROUP + "/v1", "externalsecrets", True),
    "PushSecret": (GROUP + "/v1alpha1", "pushsecrets", True),
    "ClusterExternalSecret": (GROUP + "/v1", "clusterexternalsecrets", False),
    "ClusterPushSecret": (GROUP + "/v1alpha1", "clusterpushsecrets", False),
    "SecretStore": (GROUP + "/v1", "secretstores", True),
    "ClusterSecretStore": (GROUP + "/v1", "clustersecretstores", False),
    "CustomResourceDefinition": ("apiextensions.k8s.io/v1", "customresourcedefinitions", False),
}

SANITIZER = re.compile(
    r"^.*(ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|Sanitizer: CHECK failed).*$", re.M)


def build_dir():
    return (ROOT / os.environ.get("ESOD_BUILD", "build/release")).resolve()


def _sanitized():
    cache = build_dir() / "CMakeCache.txt"
    found = re.search(r"^ESOD_SANITIZE:\w+=(.*)$", cache.read_text(), re.M) if cache.exists() else None
    return found.group(1) if found else ""


SANITIZED = bool(_sanitized())

_NO_FENCE = re.compile(r"^.*this system lacks .*\bseccomp\b.*\n", re.M)


def without_notes(stderr):
    """What a command says, without what it says about sanitizers: they allow no fence around a plugin's process."""
    return _NO_FENCE.sub("", stderr) if SANITIZED and stderr else stderr


# Instrumented programs are several times slower; limits are about hanging, not about speed.
PATIENCE = 3 if SANITIZED else 1


def wait_for(check, timeout=15, every=0.05):
    """Calls check() until it returns something true and returns that.

    An AssertionError means "not yet"; the last one is what the test fails with.
    """
    end = time.monotonic() + timeout * PATIENCE
    while True:
        why = None
        try:
            value = check()
            if value:
                return value
            why = f"still {value!r}"
        except AssertionError as e:
            why = e
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout * PATIENCE} s: {why}")
        time.sleep(every)


def stays(check, seconds):
    """check() must hold all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check()
        time.sleep(0.1)


# ---- the hashes of the specification, written down independently of the product

def _sha3(text):
    return hashlib.sha3_224(text.encode()).hexdigest()


def _go_map(entries):
    return "map[" + " ".join(f"{k}:{v}" for k, v in sorted(entries.items())) + "]"


def data_hash(data):
    """Of a Secret's decoded data: SHA3-224 over what Go prints for a map of byte slices."""
    return _sha3(_go_map({k: "[" + " ".join(str(b) for b in v) + "]" for k, v in data.items()}))


def synced_version(obj):
    meta = obj["metadata"]
    text = f"{{annotations:{_go_map(meta.get('annotations') or {})} labels:{_go_map(meta.get('labels') or {})}}}"
    return f"{meta['generation']}-{_sha3(text)}"


def owner_hash(namespace, name):
    return _sha3(f"{namespace}/{name}")


# ---- objects

def store(name, entries, namespace=None, **spec):
    """A store with the fake provider: cluster-wide, unless a namespace is given."""
    data = [{"key": k, **(v if isinstance(v, dict) else {"value": v})} for k, v in entries.items()]
    obj = {"apiVersion": GROUP + "/v1", "kind": "SecretStore" if namespace else "ClusterSecretStore",
           "metadata": {"name": name}, "spec": {"provider": {"fake": {"data": data}}, **spec}}
    if namespace:
        obj["metadata"]["namespace"] = namespace
    return obj


def external_secret(namespace, name, store_name, data=None, kind="ClusterSecretStore", **spec):
    """`data` maps keys of the Secret to remote keys or whole remote references."""
    body = {"refreshInterval": "1h", "secretStoreRef": {"name": store_name, "kind": kind}}
    if data:
        body["data"] = [{"secretKey": k, "remoteRef": {"key": v} if isinstance(v, str) else v} for k, v in data.items()]
    body.update(spec)
    return {"apiVersion": GROUP + "/v1", "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": namespace}, "spec": body}


def decoded(secret):
    return {k: base64.b64decode(v) for k, v in (secret.get("data") or {}).items()}


def condition(obj, kind="Ready"):
    found = [c for c in (obj.get("status") or {}).get("conditions") or [] if c["type"] == kind]
    assert len(found) <= 1, f"the condition {kind} stands there twice: {found}"
    return found[0] if found else None


def version(obj):
    return obj["metadata"]["resourceVersion"]


class Refused(Exception):
    """The API server said no; .status is the HTTP status."""

    def __init__(self, status, message):
        self.status = status
        super().__init__(f"{status}: {message}")


class Cluster:
    """Objects as plain dictionaries, through the official client."""

    def __init__(self, kubeconfig, kubectl):
        self.kubeconfig = str(kubeconfig)
        self._kubectl = kubectl
        self.api = kubernetes.config.new_client_from_config(self.kubeconfig)

    def call(self, method, path, body=None, query=(), content="application/json"):
        try:
            answer = self.api.call_api(
                path, method, query_params=list(query), body=body, auth_settings=["BearerToken"],
                header_params={"Accept": "application/json", "Content-Type": content},
                _return_http_data_only=True, _preload_content=False, _request_timeout=30)
            return json.loads(answer.data)
        except kubernetes.client.ApiException as e:
            try:
                message = json.loads(e.body)["message"]
            except (TypeError, ValueError, KeyError):
                message = str(e.body)
            raise Refused(e.status, message) from None

    @staticmethod
    def path(kind, namespace=None, name=None, sub=None):
        api, plural, _ = KINDS[kind]
        parts = ["/apis" if "/" in api else "/api", api]
        if namespace:
            parts += ["namespaces", namespace]
        parts.append(plural)
        return "/".join(parts + [p for p in (name, sub) if p])

    def _at(self, obj):
        return self.path(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"])

    def apply(self, *objects):
        out = [self.call("PATCH", self._at(o), o, [("fieldManager", "e2e"), ("force", "true")],
                         "application/apply-patch+yaml") for o in objects]
        return out[0] if len(out) == 1 else out

    def create(self, obj):
        return self.call("POST", self.path(obj["kind"], obj["metadata"].get("namespace")), obj)

    def create_many(self, objects):
        """In processes of their own, which leaves this one's to the proxies."""
        objects, begun = list(objects), []
        for first in range(min(4, len(objects))):
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects[first::4]})
            p = subprocess.Popen([self._kubectl, "--kubeconfig", self.kubeconfig, "create", "--validate=false", "-f", "-"],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            p.stdin.write(text)
            p.stdin.close()
            begun.append(p)
        for p in begun:
            assert p.wait(120) == 0, "kubectl create failed, see above"

    def get(self, kind, name, namespace=None):
        """None when there is no such object."""
        try:
            return self.call("GET", self.path(kind, namespace, name))
        except Refused as e:
            if e.status == 404:
                return None
            raise

    def list(self, kind, namespace=None, selector=None):
        query = [("labelSelector", selector)] if selector else []
        return self.call("GET", self.path(kind, namespace), query=query)["items"]

    def patch(self, kind, name, body, namespace=None, sub=None):
        return self.call("PATCH", self.path(kind, namespace, name, sub), body, content="application/merge-patch+json")

    def delete(self, kind, name, namespace=None):
        try:
            return self.call("DELETE", self.path(kind, namespace, name))
        except Refused as e:
            if e.status != 404:
                raise

    def delete_all(self, kind, namespace, selector=None):
        query = [("labelSelector", selector)] if selector else []
        return self.call("DELETE", self.path(kind, namespace), query=query)

    def events(self, namespace, name, reason=None):
        """Of the object `name`; those about cluster-wide objects are in `default`."""
        return [e for e in self.list("Event", namespace)
                if e["involvedObject"]["name"] == name and reason in (None, e["reason"])]

    def kubectl(self, *args, stdin=None, check=True):
        """As a user would: (exit code, stdout, stderr) of kubectl."""
        p = subprocess.run([self._kubectl, "--kubeconfig", self.kubeconfig, *args], input=stdin, text=True,
                           capture_output=True, timeout=60)
        assert not check or p.returncode == 0, f"kubectl {' '.join(args)}: {p.stderr}"
        return p

    # ---- expectations that many tests have
    def ready(self, kind, name, namespace=None):
        """The object, once its Ready condition is True for its current generation."""
        obj = self.get(kind, name, namespace)
        assert obj, f"there is no {kind} {name}"
        cond = condition(obj)
        assert cond and cond["status"] == "True", f"{kind} {name}: {cond}"
        return obj

    def failed(self, kind, name, namespace=None, reason="SecretSyncedError"):
        """The message of the Ready condition, once it is False with this reason."""
        obj = self.get(kind, name, namespace)
        cond = condition(obj) if obj else None
        assert cond and cond["status"] == "False" and cond["reason"] == reason, f"{kind} {name}: {cond}"
        return cond["message"]

    def holds(self, namespace, name, want):
        """The Secret, if it holds exactly these values (str or bytes)."""
        secret = self.get("Secret", name, namespace)
        assert secret, f"there is no Secret {name}"
        want = {k: v.encode() if isinstance(v, str) else v for k, v in want.items()}
        assert decoded(secret) == want
        return secret


class Space:
    """One test's namespace, and the cluster-wide stores made for it."""

    def __init__(self, cluster, name):
        self.cluster, self.name, self._stores = cluster, name, []
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def store(self, entries, name=None, ready=True, **spec):
        """A ClusterSecretStore of its own; returns its name."""
        name = name or self.name
        if name not in self._stores:
            self._stores.append(name)
        self.cluster.apply(store(name, entries, **spec))
        if ready:
            wait_for(lambda: self.cluster.ready("ClusterSecretStore", name))
        return name

    def external_secret(self, name, store_name=None, data=None, **spec):
        return self.cluster.apply(external_secret(self.name, name, store_name or self.name, data, **spec))

    def synced(self, name, want, timeout=15):
        """(ExternalSecret, Secret) once both are as they should be."""
        def check():
            secret = self.cluster.holds(self.name, name, want)
            return self.cluster.ready("ExternalSecret", name, self.name), secret
        return wait_for(check, timeout)

    def failed(self, name, timeout=15):
        return wait_for(lambda: self.cluster.failed("ExternalSecret", name, self.name), timeout)

    def secrets(self):
        return {s["metadata"]["name"]: s for s in self.cluster.list("Secret", self.name, MANAGED + "=true")}

    def _let_go(self, kind, objects):
        """Nobody is left who could take their finalizers off."""
        for o in objects:
            if not o["metadata"].get("finalizers"):
                continue
            try:
                self.cluster.patch(kind, o["metadata"]["name"], {"metadata": {"finalizers": None}}, o["metadata"].get("namespace"))
            except Refused as e:
                if e.status != 404:
                    raise

    def remove(self):
        """Leaves nothing that the next test's operator would have to look at, whether or not one runs now."""
        self.cluster.delete_all("ExternalSecret", self.name)
        left, before = self.cluster.list("ExternalSecret", self.name), None
        while len(left) > 20 and (before is None or len(left) < before):  # an operator is at it, and quicker
            time.sleep(0.3)
            left, before = self.cluster.list("ExternalSecret", self.name), len(left)
        self._let_go("ExternalSecret", left)
        for kind in ("PushSecret", "SecretStore"):
            self.cluster.delete_all(kind, self.name)
            self._let_go(kind, self.cluster.list(kind, self.name))
        for name in self._stores:
            self.cluster.delete("ClusterSecretStore", name)
            made = self.cluster.get("ClusterSecretStore", name)
            self._let_go("ClusterSecretStore", [made] if made else [])
        self.cluster.delete("Namespace", self.name)


class Operator:
    """`esod run` as a child of the test: started, watched and stopped by its id."""

    def __init__(self, binary, kubeconfig, folder, loglevel="debug", args=(), within=(), **config):
        """`within`: a command that runs the one that is given to it, as setpriv does."""
        self.binary, self.kubeconfig, self.args, self.within = str(binary), str(kubeconfig), list(args), list(within)
        self.folder = Path(folder)
        self.log_path, self.config_path = self.folder / "esod.log", self.folder / "esod.yaml"
        self.process = None
        self.crashed = []
        self.live, self.metrics_port = free_port(), free_port()
        self.config = {
            "pluginPath": [str(build_dir() / "lib/esod/plugins")], "plugins": ["fake"], "logLevel": loglevel,
            "metricsAddr": f"127.0.0.1:{self.metrics_port}", "liveAddr": f"127.0.0.1:{self.live}", **config}

    def write_config(self):
        self.config_path.write_text(yaml.safe_dump(self.config))

    def start(self, wait=True):
        assert self.process is None, "it runs already"
        self.write_config()
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        env["KUBECONFIG"] = self.kubeconfig
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        env.setdefault("TSAN_OPTIONS", "exitcode=66:second_deadlock_stack=1")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.within, self.binary, "run", "--config", str(self.config_path), *self.args], env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        if wait:
            wait_for(self.is_ready, 20)
        return self

    def probe(self, path):
        """HTTP status of a health endpoint; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.live}{path}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as e:
            return e.code
        except OSError:
            return 0

    def is_ready(self):
        code = self.process.poll()
        if code is not None:
            raise RuntimeError(f"esod ended with {code} while it was starting:\n{self.tail()}")
        status = self.probe("/readyz")
        assert status == 200, f"/readyz says {status}"
        return True

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=10):
        """SIGTERM; returns the exit code and how many seconds it took."""
        process, self.process = self.process, None
        started = time.monotonic()
        if process.poll() is not None:
            self.crashed.append(process.returncode)
            return process.returncode, 0.0
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"esod did not end within {timeout * PATIENCE} s of SIGTERM:\n{self.tail()}") from None
        if code != 0:
            self.crashed.append(code)
        return code, time.monotonic() - started

    def kill(self):
        process, self.process = self.process, None
        code = process.poll()
        if code is not None:
            self.crashed.append(code)
        process.kill()
        process.wait()

    def restart(self):
        self.stop()
        return self.start()

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self, lines=25):
        return "\n".join(self.log.splitlines()[-lines:])

    def finish(self):
        """At the end of each test: it must still run, end well, and no sanitizer may have spoken."""
        if self.process is not None:
            self.stop()
        report = SANITIZER.search(self.log)
        assert not report, f"sanitizer report:\n{self.log[report.start():report.start() + 6000]}"
        assert not self.crashed, f"esod ended with {self.crashed}:\n{self.tail()}"


def with_server(kubeconfig, server, ca=None):
    """A kubeconfig's text, led to another address (a proxy's)."""
    conf = copy.deepcopy(yaml.safe_load(Path(kubeconfig).read_text()))
    cluster = conf["clusters"][0]["cluster"]
    cluster["server"] = server
    if ca:
        cluster["certificate-authority-data"] = base64.b64encode(ca.encode()).decode()
    return yaml.safe_dump(conf)
