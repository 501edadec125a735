#!/usr/bin/env python3
"""The yardstick: how fast esod is, and how little it takes.

For each size a fresh control plane is started and measured in this order:

  limit    what the API server takes without any operator (tests/bench/limit)
  cold     N ExternalSecrets with five keys are there, esod starts: until N Secrets and N Ready
  idle     CPU over 20 s once all is quiet, refreshInterval 1h
  restart  stopped and started with everything in step: until quiet; what it wrote
  one      from creating one ExternalSecret to its Secret, 40 times
  churn    500 objects at refreshInterval 5s: CPU in a minute, oldest refresh

CPU is user + system time of the process and its children; memory is what
/proc/PID/status says. Machines differ and are noisy: the share of the limit is
what compares between machines, and only within one run.
"""

import argparse
import calendar
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "servers"))

import controlplane  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
KEYS = 5
ES = "/apis/external-secrets.io/v1"


class Api:
    """One keep-alive connection for each thread."""

    def __init__(self, plane):
        self.port, self.trust = plane.conf["api"], ssl.create_default_context(cadata=plane.ca)
        self.headers = {"Authorization": "Bearer " + controlplane.USERS["admin"][0], "Accept": "application/json"}
        self.local = threading.local()

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.trust, timeout=120)

    def call(self, method, path, body=None, content="application/json", accept=None):
        headers = dict(self.headers, **{"Content-Type": content}, **({"Accept": accept} if accept else {}))
        text = json.dumps(body) if body is not None else None
        for last in (False, True):
            conn = getattr(self.local, "conn", None)
            if conn is None:
                conn = self.local.conn = self.connect()
                conn.connect()
                conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                conn.request(method, path, text, headers)
                answer = conn.getresponse()
                data = answer.read()
                break
            except (http.client.RemoteDisconnected, ConnectionError):
                self.local.conn = None  # kept too long: the server has closed it
                if last:
                    raise
        if answer.status >= 300:
            raise SystemExit(f"bench: {method} {path}: {answer.status} {data[:300].decode(errors='replace')}")
        return json.loads(data) if data else {}

    def pages(self, path):
        cont = ""
        while True:
            page = self.call("GET", f"{path}?limit=500" + (f"&continue={cont}" if cont else ""))
            yield from page["items"] or []
            cont = page["metadata"].get("continue", "")
            if not cont:
                return

    def count(self, path):
        page = self.call("GET", path + "?limit=1", accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
        return len(page.get("items") or []) + page["metadata"].get("remainingItemCount", 0)


class Esod:
    def __init__(self, build, plane, folder, isolation):
        self.ports = controlplane.free_ports(2)
        config = Path(folder) / "esod.yaml"
        config.write_text(f"pluginPath: [{build}/lib/esod/plugins]\nplugins: [fake]\nisolation: {isolation}\n"
                          f"metricsAddr: 127.0.0.1:{self.ports[0]}\nliveAddr: 127.0.0.1:{self.ports[1]}\n")
        self.command = [str(build / "bin" / "esod"), "run", "--config", str(config)]
        self.env = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
        self.log = Path(folder) / "esod.log"

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.begun = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.begun

    def check(self):
        if self.process.poll() is not None:
            raise SystemExit(f"bench: esod ended with {self.process.returncode}:\n{controlplane.tail(self.log)}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def reads(self):
        """How often the provider was asked."""
        conn = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=5)
        conn.request("GET", "/metrics")
        lines = conn.getresponse().read().decode().splitlines()
        conn.close()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("esod_provider_reads_total{"))

    def use(self):
        """CPU seconds and memory in MiB, of the process and all below it."""
        total = dict.fromkeys(("cpu_s", "rss", "anon", "peak", "threads"), 0.0)
        for pid in descendants(self.process.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            except OSError:
                continue
            total["cpu_s"] += (int(fields[11]) + int(fields[12])) / TICKS
            for ours, theirs in (("rss", "VmRSS"), ("anon", "RssAnon"), ("peak", "VmHWM")):
                total[ours] += int(status[theirs].split()[0]) / 1024
            total["threads"] += int(status["Threads"])
        return total


def descendants(pid):
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += descendants(int(child))
    except OSError:
        pass
    return found


def make_store(api, name, keys):
    data = [{"key": f"/k{i}", "value": json.dumps({f"p{j}": f"value-{i}-{j}" for j in range(10)})} for i in range(keys)]
    api.call("POST", ES + "/clustersecretstores", {
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": name},
        "spec": {"provider": {"fake": {"data": data}}}})


def manifest(ns, name, key):
    return {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": name, "namespace": ns},
            "spec": {"refreshInterval": "1h", "secretStoreRef": {"name": ns, "kind": "ClusterSecretStore"},
                     "data": [{"secretKey": f"s{j}", "remoteRef": {"key": f"/k{key}", "property": f"p{j}"}}
                              for j in range(KEYS)]}}


def is_ready(obj):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in obj.get("status", {}).get("conditions", []))


def versions(api, ns):
    return {(plural, o["metadata"]["name"]): o["metadata"]["resourceVersion"]
            for plural, path in (("secrets", f"/api/v1/namespaces/{ns}/secrets"), ("es", f"{ES}/namespaces/{ns}/externalsecrets"))
            for o in api.pages(path)}


def quiet(esod, window=1.0, below=0.02, patience=300):
    """Waits until the process used next to no CPU for a while; returns when that began, in seconds since its start."""
    samples = deque([(esod.elapsed(), esod.use()["cpu_s"])])
    while esod.elapsed() < patience:
        time.sleep(0.1)
        esod.check()
        samples.append((esod.elapsed(), esod.use()["cpu_s"]))
        while samples[-1][1] - samples[0][1] > below * window:
            samples.popleft()
        if samples[-1][0] - samples[0][0] >= window:
            return samples[0][0]
    return esod.elapsed()


def cold(api, esod, ns, n):
    first = None
    esod.start()
    while True:
        esod.check()
        done = api.count(f"/api/v1/namespaces/{ns}/secrets")
        if done and first is None:
            first = esod.elapsed()
        # Reading all of them takes a while: what counts is when the reading began.
        seconds = esod.elapsed()
        if done >= n and all(is_ready(o) for o in api.pages(f"{ES}/namespaces/{ns}/externalsecrets")):
            break
        if esod.elapsed() > 900:
            raise SystemExit(f"bench: only {done} of {n} after 15 minutes")
        time.sleep(0.1)
    quiet(esod)
    use = esod.use()
    return {"reads": esod.reads(), "first_s": first, "all_s": seconds, "per_s": n / seconds, "cpu_ms": 1000 * use["cpu_s"] / n, **use}


def idle(esod):
    quiet(esod, window=5, below=0.01)  # events and finalizers may come later than the Secrets
    before = esod.use()["cpu_s"]
    time.sleep(20)
    use = esod.use()
    return {"percent": (use["cpu_s"] - before) / 20 * 100, "rss": use["rss"], "anon": use["anon"]}


def restart(api, esod, ns):
    before = versions(api, ns)
    esod.stop()
    esod.start()
    settled = quiet(esod)
    use = esod.use()
    after = versions(api, ns)
    return {"settled_s": settled, "written": sum(after[k] != v for k, v in before.items()), **use}


def one(api, ns):
    """The Secret is noticed by a watch, so that looking for it costs the server nothing."""
    seen, arrived = {}, threading.Condition()
    version = api.call("GET", f"/api/v1/namespaces/{ns}/secrets?limit=1")["metadata"]["resourceVersion"]
    conn = api.connect()
    conn.request("GET", f"/api/v1/namespaces/{ns}/secrets?watch=1&resourceVersion={version}&timeoutSeconds=300", headers=api.headers)
    answer = conn.getresponse()

    def listen():
        try:
            for line in answer:
                event = json.loads(line)
                with arrived:
                    seen.setdefault(event["object"]["metadata"].get("name"), time.monotonic())
                    arrived.notify_all()
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass  # the connection is closed when all is measured

    threading.Thread(target=listen, daemon=True).start()
    took = []
    for i in range(40):
        name, begun = f"one-{i}", time.monotonic()
        api.call("POST", f"{ES}/namespaces/{ns}/externalsecrets", manifest(ns, name, i % 100))
        with arrived:
            if not arrived.wait_for(lambda: name in seen, 30):
                raise SystemExit(f"bench: no Secret for {name} within 30 s")
        took.append((seen[name] - begun) * 1000)
        time.sleep(0.02)
    conn.sock.shutdown(socket.SHUT_RDWR)
    took.sort()
    return {"p50_ms": took[20], "p95_ms": took[37], "max_ms": took[-1]}


def churn(api, esod, ns, n):
    path = f"{ES}/namespaces/{ns}/externalsecrets"
    names = [f"es-{i:06d}" for i in range(min(n, 500))]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: api.call("PATCH", f"{path}/{name}", {"spec": {"refreshInterval": "5s"}},
                                            "application/merge-patch+json"), names))
    time.sleep(6)
    before = esod.use()["cpu_s"]
    time.sleep(60)
    cpu = esod.use()["cpu_s"] - before
    ages = []
    chosen = set(names)
    for o in api.pages(path):
        if o["metadata"]["name"] in chosen:
            ages.append(time.time() - calendar.timegm(time.strptime(o["status"]["refreshTime"], "%Y-%m-%dT%H:%M:%SZ")))
    return {"objects": len(ages), "cpu_s_per_min": cpu, "oldest_s": max(ages), "rss": esod.use()["rss"]}


def disk(build):
    """MiB of the program, the runner and all plugins, stripped."""
    total = 0
    with tempfile.TemporaryDirectory() as tmp:
        for path in [build / "bin/esod", build / "libexec/esod/esod-plugin-runner", *(build / "lib/esod/plugins").glob("*.so")]:
            out = Path(tmp) / "stripped"
            subprocess.run(["strip", "-o", str(out), str(path)], check=True)
            total += out.stat().st_size
    return total / 2**20


def measure(build, n, phases, limit, isolation, keys):
    with tempfile.TemporaryDirectory(prefix="esod-bench-") as tmp:
        crds = Path(tmp) / "crds.yaml"
        with open(crds, "wb") as out:
            subprocess.run([str(build / "bin" / "esod"), "crds"], check=True, stdout=out)
        plane = controlplane.ControlPlane(controlplane.temporary_state())
        plane.start(crds=crds, owner_pid=os.getpid(), hours=2, remove=True)
        esod = Esod(build, plane, tmp, isolation)
        try:
            api, ns, found = Api(plane), f"bench-{n}", {"n": n}
            out = subprocess.run([limit, "-server", plane.server, "-ca", str(plane.state / "pki/apiserver.crt")], check=True,
                                 capture_output=True, text=True, env={"TOKEN": controlplane.USERS["admin"][0]})
            found["limit"] = json.loads(out.stdout)
            print("# limit", json.dumps(found["limit"]), file=sys.stderr)
            api.call("POST", "/api/v1/namespaces", {"metadata": {"name": ns}})
            make_store(api, ns, max(keys, 100))
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda i: api.call("POST", f"{ES}/namespaces/{ns}/externalsecrets",
                                                 manifest(ns, f"es-{i:06d}", i % keys)), range(n)))
            steps = {"cold": lambda: cold(api, esod, ns, n), "idle": lambda: idle(esod), "restart": lambda: restart(api, esod, ns),
                     "one": lambda: one(api, ns), "churn": lambda: churn(api, esod, ns, n)}
            for name, step in steps.items():
                if name in phases:
                    found[name] = step()
                    print(f"# {n}: {name} {json.dumps(found[name])}", file=sys.stderr, flush=True)
            return found
        finally:
            if getattr(esod, "process", None) and esod.process.poll() is None:
                esod.stop()
            plane.stop()


# label, contract, aim, value. Bounds are a number, or one for each size; "more" is better when the label says so.
ROWS = [
    ("API server's limit, objects per second", None, None, lambda r: r["limit"]["two_writes_per_s"], "{:.0f}"),
    ("cold sync, objects per second", None, None, lambda r: r["cold"]["per_s"], "{:.0f}"),
    ("share of the limit (more is better)", 70, 90, lambda r: 100 * r["cold"]["per_s"] / r["limit"]["two_writes_per_s"], "{:.0f} %"),
    ("reads of the provider", None, None, lambda r: r["cold"]["reads"], "{:.0f}"),
    ("CPU per synced object", 1, 0.4, lambda r: r["cold"]["cpu_ms"], "{:.2f} ms"),
    ("resident memory", {1000: 20, 10000: 36, 100000: 200}, {1000: 14, 10000: 24, 100000: 120}, lambda r: r["cold"]["rss"], "{:.1f} MiB"),
    ("of that its own (RssAnon)", {1000: 8, 10000: 24}, {1000: 4, 10000: 12}, lambda r: r["cold"]["anon"], "{:.1f} MiB"),
    ("peak resident memory", None, None, lambda r: r["cold"]["peak"], "{:.1f} MiB"),
    ("idle CPU", 0.3, 0.05, lambda r: r["idle"]["percent"], "{:.2f} %"),
    ("restart in step: quiet after", 3, 1, lambda r: r["restart"]["settled_s"], "{:.1f} s"),
    ("restart in step: objects written", 0, 0, lambda r: r["restart"]["written"], "{:.0f}"),
    ("one new object to its Secret, p50", 15, 5, lambda r: r["one"]["p50_ms"], "{:.1f} ms"),
    ("one new object to its Secret, p95", 30, 10, lambda r: r["one"]["p95_ms"], "{:.1f} ms"),
    ("500 objects at 5 s: oldest refresh", 6, 5.2, lambda r: r["churn"]["oldest_s"], "{:.1f} s"),
    ("500 objects at 5 s: CPU per minute", 3, 1, lambda r: r["churn"]["cpu_s_per_min"], "{:.2f} s"),
]


def table(results, mib):
    sizes = [r["n"] for r in results]
    lines = ["| | contract | aim | " + " | ".join(f"{n:,} objects" for n in sizes) + " |",
             "|---|---:|---:|" + "---:|" * len(sizes)]

    def bound(b, form):
        if b is None:
            return ""
        return " / ".join(form.format(b[n]) for n in sizes if n in b) if isinstance(b, dict) else form.format(b)

    for label, contract, aim, value, form in ROWS:
        cells = []
        for r in results:
            try:
                got = value(r)
            except KeyError:
                cells.append("")
                continue
            limit = contract.get(r["n"]) if isinstance(contract, dict) else contract
            missed = limit is not None and (got < limit if "more is better" in label else got > limit)
            cells.append(f"**{form.format(got)}**" if missed else form.format(got))
        if any(cells):
            lines.append(f"| {label} | {bound(contract, form)} | {bound(aim, form)} | " + " | ".join(cells) + " |")
    text = f"{mib:.2f} MiB"
    lines.append("| program and plugins on disk, stripped | 8 MiB | 3 MiB | " + " | ".join([text] * len(sizes)) + " |")
    return "\n".join(lines) + "\n\nBold: the contract is missed."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", default="1000,10000", help="how many ExternalSecrets, comma-separated (default: %(default)s)")
    parser.add_argument("--phases", default="cold,idle,restart,one,churn", help="default: %(default)s")
    parser.add_argument("--keys", type=int, default=100, help="how many keys they share among them (default: %(default)s)")
    parser.add_argument("--isolation", choices=("process", "none"), default="process", help="where the plugin runs (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="append the figures, one JSON object a line")
    parser.add_argument("--limit", required=True, help="the program built from limit/ (bench.sh does that)")
    args = parser.parse_args()
    build = (ROOT / os.environ.get("ESOD_BUILD", "build/release")).resolve()
    results = [measure(build, int(n), args.phases.split(","), args.limit, args.isolation, args.keys) for n in args.n.split(",")]
    if args.json:
        with open(args.json, "a") as out:
            out.writelines(json.dumps(r) + "\n" for r in results)
    print(table(results, disk(build)))


if __name__ == "__main__":
    main()
