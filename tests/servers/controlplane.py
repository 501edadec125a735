"""A real Kubernetes control plane on the loopback interface, for tests.

etcd, kube-apiserver and kube-controller-manager, as tests/servers/build made
them, all below one state folder:

    kubeconfig, kubeconfig-USER   admin, and users without rights of their own
    run/NAME.pid                  process id and start time of each server
    log/NAME.log
    pki/ etcd/ state.json

Everything is stopped by the ids in run/, never by name. A guard process stops
it all when the process that asked for it is gone, or when its time is over.
"""

import base64
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from podplane import WITH_A_NODE, WithNode

HERE = Path(__file__).resolve().parent
CONTROLLERS = "garbage-collector-controller,namespace-controller,serviceaccount-controller,clusterrole-aggregation-controller"

# name -> (token, groups). The admin's token is a fixed word so that a measuring
# program or a manifest can hold it; nothing but the loopback ever sees it.
USERS = {
    "admin": ("admintoken", "system:masters"),
    "operator": ("operatortoken", "esod"),
    "nobody": ("nobodytoken", ""),
}


class ServerError(Exception):
    """A server did not come up; the text says which and shows its last words."""


def tool(name):
    """The path of a server program, built now if it is missing."""
    build = str(HERE / "build")
    subprocess.run([build, name], check=True, stdout=sys.stderr)
    return subprocess.run([build, "--path", name], check=True, capture_output=True, text=True).stdout.strip()


def free_ports(count):
    """Ports nobody listens on at this moment.

    They lie below those that the system gives to outgoing connections, one of which
    could otherwise take a port before its server does. They are drawn, so that two
    that look at the same time find different ones.
    """
    socks = []
    try:
        while len(socks) < count:
            s = socket.socket()
            try:
                s.bind(("127.0.0.1", random.randrange(15000, 32000)))
                socks.append(s)
            except OSError:
                s.close()
        return [s.getsockname()[1] for s in socks]
    finally:
        for s in socks:
            s.close()


def free_port():
    return free_ports(1)[0]


def start_time(pid):
    """When the process started, in clock ticks; None if it is gone or a zombie.

    Together with the id this names one process for good: ids are used again.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def tail(path, lines=12):
    try:
        return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


class ControlPlane(WithNode):
    def __init__(self, state):
        self.state = Path(state).resolve()
        self.children = {}
        self.conf = {}
        self._ssl = None
        if (self.state / "state.json").exists():
            self.conf = json.loads((self.state / "state.json").read_text())

    # ---- what callers want to know
    @property
    def kubeconfig(self):
        return self.state / "kubeconfig"

    @property
    def server(self):
        return f"https://127.0.0.1:{self.conf['api']}"

    @property
    def ca(self):
        return (self.state / "pki" / "apiserver.crt").read_text()

    def log(self, name):
        return self.state / "log" / f"{name}.log"

    # ---- life
    def start(self, crds=None, vault=False, owner_pid=0, hours=12.0, remove=False, node=None):
        """Returns when the servers answer. Kinds that are in `crds` (a file) are
        known to the garbage collector from its first moment; kinds added later
        only after its next look around, which takes half a minute.

        `node`: a build tree. A node (tests/servers/node) then runs pods, whose esod is that one."""
        tools = {n: tool(n) for n in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")}
        if node:
            tools["seccomp-default"] = tool("seccomp-default")
            if not shutil.which("crun"):
                raise ServerError("there is no crun, which runs the node's containers; scripts/deps.sh test installs it")
        if vault:
            tools["vault"] = tool("vault")
        for sub in ("run", "log", "pki", "etcd", "home"):
            (self.state / sub).mkdir(parents=True, exist_ok=True)
        try:
            self._make_keys()
            for attempt in (1, 2, 3):
                # A free port may be taken before the server binds it.
                names = ["api", "etcd", "peer", "vault", "vault_cluster", "kubelet"]
                self.conf = dict(zip(names, free_ports(len(names))), tools=tools, remove=remove)
                if node:
                    self.conf["node"] = {"build": str(Path(node).resolve())}
                self._save()
                try:
                    self._start_guard(owner_pid, hours)
                    self._start_all(crds, vault)
                    return self
                except ServerError as e:
                    if attempt == 3 or "address already in use" not in str(e):
                        raise
                    self._stop_servers()
                    shutil.rmtree(self.state / "etcd")
                    (self.state / "etcd").mkdir()
        except BaseException:
            self.stop()
            raise
        return self

    def _start_all(self, crds, vault):
        self.start_etcd()
        self.start_apiserver(wait=False)
        if vault:
            self._start_vault()
        self.wait_apiserver()
        self._write_kubeconfigs()
        if crds:
            self.apply_crds(crds)
        self._start_controller_manager()
        self._wait("kube-controller-manager", 30, lambda: self.get(
            "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
        if vault:
            self._wait_vault()
        if "node" in self.conf:
            self._start_node()

    def stop(self):
        """Stops what the pid files name, waits for it, removes the folder if it was made for this."""
        self._end("guard", signal.SIGKILL)
        self._stop_servers()
        if self.conf.get("remove"):
            shutil.rmtree(self.state, ignore_errors=True)

    def _stop_servers(self):
        self._end("node", signal.SIGTERM)
        for left in (self.state / "run").glob("pod-*.pid"):  # of a node that had no time to do it
            self._end(left.stem, signal.SIGKILL)
        # The API server would take up to a minute to say goodbye to its watchers.
        for name, sig in (("kube-controller-manager", signal.SIGKILL), ("kube-apiserver", signal.SIGKILL),
                          ("vault", signal.SIGTERM), ("etcd", signal.SIGKILL)):
            self._end(name, sig)

    # ---- single servers, for tests that break them
    def start_etcd(self):
        client, peer = (f"http://127.0.0.1:{self.conf[k]}" for k in ("etcd", "peer"))
        self._spawn("etcd", [
            self.conf["tools"]["etcd"], f"--data-dir={self.state}/etcd", "--unsafe-no-fsync", "--log-level=warn",
            "--quota-backend-bytes=8589934592",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"])

    def etcd(self, what, **request):
        """A call of etcd's JSON gateway, "kv/range" for instance; bytes go both ways in base64."""
        conn = http.client.HTTPConnection("127.0.0.1", self.conf["etcd"], timeout=30)
        try:
            conn.request("POST", f"/v3/{what}", json.dumps(request))
            answer = conn.getresponse()
            body = json.loads(answer.read())
        finally:
            conn.close()
        if answer.status != 200:
            raise ServerError(f"etcd {what}: {body}")
        return body

    def start_apiserver(self, wait=True):
        pki = self.state / "pki"
        self._spawn("kube-apiserver", [
            self.conf["tools"]["kube-apiserver"], f"--etcd-servers=http://127.0.0.1:{self.conf['etcd']}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.conf['api']}",
            f"--cert-dir={pki}", "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC",
            f"--token-auth-file={pki}/tokens.csv", *self._pod_flags(),
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
            "--endpoint-reconciler-type=none", "--profiling=false"])
        if wait:
            self.wait_apiserver()

    def wait_apiserver(self):
        self._wait("kube-apiserver", 60, lambda: self.get("/readyz")[0] == 200)

    def kill_apiserver(self):
        self._end("kube-apiserver", signal.SIGKILL)

    def apply_crds(self, path):
        kubectl = [self.conf["tools"]["kubectl"], f"--kubeconfig={self.kubeconfig}"]
        for args in (["apply", "--server-side", "--force-conflicts", "-f", str(path)],
                     ["wait", "--for=condition=established", "--timeout=60s", "-f", str(path)]):
            p = subprocess.run(kubectl + args, capture_output=True, text=True, timeout=120)
            if p.returncode != 0:
                raise ServerError(f"kubectl {args[0]} {path}: {p.stderr.strip()}")

    def get(self, path, token=USERS["admin"][0]):
        """(status, body) of a GET; raises OSError while nobody listens."""
        conn = http.client.HTTPSConnection("127.0.0.1", self.conf["api"], context=self._trust(), timeout=5)
        try:
            conn.request("GET", path, headers={"Authorization": "Bearer " + token})
            answer = conn.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        except ssl.SSLError:
            self._ssl = None  # the file was read while the API server was still writing it
            raise
        finally:
            conn.close()

    # ---- inside
    def _trust(self):
        if self._ssl is None:
            self._ssl = ssl.create_default_context(cadata=self.ca)
        return self._ssl

    def _save(self):
        (self.state / "state.json").write_text(json.dumps(self.conf, indent=1))

    def _make_keys(self):
        pki = self.state / "pki"
        if not (pki / "sa.pub").exists():
            run = lambda *a: subprocess.run(["openssl", *a], check=True, capture_output=True)
            run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", f"{pki}/sa.key")
            run("pkey", "-in", f"{pki}/sa.key", "-pubout", "-out", f"{pki}/sa.pub")
        (pki / "tokens.csv").write_text("".join(
            f'{token},{name},{name},"{groups}"\n' for name, (token, groups) in USERS.items()))

    def _write_kubeconfigs(self):
        ca = base64.b64encode(self.ca.encode()).decode()
        for user, (token, _) in USERS.items():
            path = self.state / ("kubeconfig" if user == "admin" else f"kubeconfig-{user}")
            path.write_text(f"""apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: {self.server}
    certificate-authority-data: {ca}
users:
- name: {user}
  user:
    token: {token}
contexts:
- name: test
  context:
    cluster: test
    user: {user}
""")
            path.chmod(0o600)

    def _start_controller_manager(self):
        self._spawn("kube-controller-manager", [
            self.conf["tools"]["kube-controller-manager"], f"--kubeconfig={self.kubeconfig}",
            f"--controllers={CONTROLLERS}{WITH_A_NODE if 'node' in self.conf else ''}",
            f"--root-ca-file={self.state}/pki/apiserver.crt", "--leader-elect=false", "--secure-port=0", "--use-service-account-credentials=false",
            f"--service-account-private-key-file={self.state}/pki/sa.key", "--concurrent-gc-syncs=20",
            "--kube-api-qps=500", "--kube-api-burst=1000"])

    def start_vault(self, *args):
        """Vault beside a control plane that has begun without it; `args` are more of its command line's."""
        self.conf["tools"]["vault"] = tool("vault")
        self._save()
        self._start_vault(*args)
        self._wait_vault()

    def stop_vault(self):
        self._end("vault", signal.SIGTERM)

    def _start_vault(self, *args):
        address = f"127.0.0.1:{self.conf['vault']}"
        self._spawn("vault", [self.conf["tools"]["vault"], "server", "-dev", "-dev-root-token-id=root",
                              "-dev-no-store-token", f"-dev-listen-address={address}",
                              f"-dev-cluster-json={self.state}/vault.json", *args])
        (self.state / "vault.env").write_text(f"VAULT_ADDR=http://{address}\nVAULT_TOKEN=root\n")

    def _wait_vault(self):
        def healthy():
            conn = http.client.HTTPConnection("127.0.0.1", self.conf["vault"], timeout=5)
            try:
                conn.request("GET", "/v1/sys/health")
                return conn.getresponse().status == 200
            finally:
                conn.close()
        self._wait("vault", 30, healthy)

    def _start_guard(self, owner_pid, hours):
        self._end("guard", signal.SIGKILL)
        self._spawn("guard", [sys.executable, str(HERE / "controlplane.py"), "guard", str(self.state),
                              str(owner_pid), start_time(owner_pid) or "0" if owner_pid else "0", str(hours)])

    def _spawn(self, name, argv):
        env = {k: os.environ[k] for k in ("PATH", "LANG", "TMPDIR") if k in os.environ}
        env |= {"HOME": str(self.state / "home"), "GOMAXPROCS": "2"}
        if os.environ.get("ESOD_ROOTFS"):  # as seen from here; the servers run elsewhere
            env["ESOD_ROOTFS"] = os.path.abspath(os.environ["ESOD_ROOTFS"])
        with open(self.log(name), "ab") as log:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.state,
                                     env=env, start_new_session=True)
        self.children[name] = child
        (self.state / "run" / f"{name}.pid").write_text(f"{child.pid} {start_time(child.pid)}\n")

    def alive(self, name):
        try:
            pid, started = (self.state / "run" / f"{name}.pid").read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if start_time(pid) == started else None

    def _end(self, name, sig, patience=10):
        end = time.monotonic() + patience
        while True:
            pid = self.alive(name)
            if pid is None:
                break
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                break
            if time.monotonic() > end:
                sig, end = signal.SIGKILL, end + patience
            time.sleep(0.05)
        child = self.children.pop(name, None)
        if child:
            child.wait()
        (self.state / "run" / f"{name}.pid").unlink(missing_ok=True)

    def _wait(self, name, seconds, ready):
        end = time.monotonic() + seconds
        why = "no answer"
        while time.monotonic() < end:
            try:
                if ready():
                    return
            except (OSError, FileNotFoundError) as e:
                why = str(e)
            if self.alive(name) is None:
                raise ServerError(f"{name} ended while it was starting:\n{tail(self.log(name))}")
            time.sleep(0.1)
        raise ServerError(f"{name} was not ready after {seconds} s ({why}):\n{tail(self.log(name))}")


def temporary_state():
    return Path(tempfile.mkdtemp(prefix="esod-servers-"))


def guard(state, owner_pid, owner_start, hours):
    """Stops the servers when their owner is gone, or when their time is over."""
    end = time.monotonic() + hours * 3600
    while time.monotonic() < end:
        if owner_pid and start_time(owner_pid) != owner_start:
            break
        time.sleep(1)
    plane = ControlPlane(state)
    (plane.state / "run" / "guard.pid").unlink(missing_ok=True)
    plane.stop()


if __name__ == "__main__" and sys.argv[1:2] == ["guard"]:
    guard(sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5]))
