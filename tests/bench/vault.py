#!/usr/bin/env python3
"""What a backend sees of esod, and what it costs: N ExternalSecrets on Vault's KV v2, five properties each, N distinct keys
or fewer; and the same on the fake provider, which costs nothing itself.

    python3 -B tests/bench/vault.py [--n 1000] [--keys 1000] [--interval 30] [--json FILE]

For each of the two a fresh control plane is started, then

  cold     esod starts: until all are synced
  refresh  three refresh intervals: nothing changes, everything is read again

Logins and reads are counted in Vault's audit log. CPU is user + system time of esod and its children; nothing else
should run meanwhile. The build is that of ESOD_BUILD (default: build/release).
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import ES, KEYS, ROOT, Api, Esod, cold, controlplane, make_store, manifest

POLICY = 'path "secret/data/*" { capabilities = ["read"] }'
ROUNDS = 3


class Vault:
    def __init__(self, plane, folder):
        self.port, self.audit = plane.conf["vault"], Path(folder) / "audit.log"
        self.call("PUT", "sys/audit/file", {"type": "file", "options": {"file_path": str(self.audit)}})
        self.call("PUT", "sys/policies/acl/bench", {"policy": POLICY})
        self.call("PUT", "sys/auth/approle", {"type": "approle"})
        self.call("PUT", "auth/approle/role/bench", {"token_policies": ["bench"]})

    def call(self, method, path, body=None):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            conn.request(method, f"/v1/{path}", json.dumps(body) if body is not None else None, {"X-Vault-Token": "root"})
            answer = conn.getresponse()
            text = answer.read()
        finally:
            conn.close()
        if answer.status >= 300:
            raise SystemExit(f"bench: {method} {path}: {answer.status}")
        return json.loads(text) if text else None

    def seen(self):
        """(logins, reads of secrets) so far."""
        logins = reads = 0
        with open(self.audit) as lines:
            for line in lines:
                if '"type":"request"' not in line:
                    continue
                path = re.search(r'"path":"([^"]*)"', line).group(1)
                logins += path == "auth/approle/login"
                reads += path.startswith("secret/data/") and '"operation":"read"' in line
        return logins, reads


def vault_store(api, vault, name, keys):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: vault.call("PUT", f"secret/data/k{i}", {"data": {f"p{j}": f"value-{i}-{j}" for j in range(10)}}),
                      range(keys)))
    role = vault.call("GET", "auth/approle/role/bench/role-id")["data"]["role_id"]
    login = vault.call("PUT", "auth/approle/role/bench/secret-id")["data"]["secret_id"]
    api.call("POST", f"/api/v1/namespaces/{name}/secrets", {"metadata": {"name": "approle"}, "stringData": {"id": login}})
    api.call("POST", ES + "/clustersecretstores", {
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": name},
        "spec": {"provider": {"vault": {
            "server": f"http://127.0.0.1:{vault.port}", "path": "secret", "auth": {"appRole": {
                "path": "approle", "roleId": role, "secretRef": {"name": "approle", "key": "id", "namespace": name}}}}}}})


def measure(build, provider, args):
    with tempfile.TemporaryDirectory(prefix="esod-bench-") as tmp:
        crds = Path(tmp) / "crds.yaml"
        with open(crds, "wb") as out:
            subprocess.run([str(build / "bin" / "esod"), "crds"], check=True, stdout=out)
        plane = controlplane.ControlPlane(controlplane.temporary_state())
        plane.start(crds=crds, vault=provider == "vault", owner_pid=os.getpid(), hours=2, remove=True)
        esod = Esod(build, plane, tmp, args.isolation)
        config = Path(tmp) / "esod.yaml"
        config.write_text(config.read_text().replace("[fake]", "[fake, vault]"))
        try:
            api, ns = Api(plane), f"bench-{provider}"
            api.call("POST", "/api/v1/namespaces", {"metadata": {"name": ns}})
            vault = Vault(plane, tmp) if provider == "vault" else None
            if vault:
                vault_store(api, vault, ns, args.keys)
            else:
                make_store(api, ns, args.keys)

            def create(i):
                obj = manifest(ns, f"es-{i:06d}", i % args.keys)
                obj["spec"]["refreshInterval"] = f"{args.interval}s"
                for entry in obj["spec"]["data"]:
                    entry["remoteRef"]["key"] = entry["remoteRef"]["key"].lstrip("/" if vault else "")
                api.call("POST", f"{ES}/namespaces/{ns}/externalsecrets", obj)

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(create, range(args.n)))
            begun = cold(api, esod, ns, args.n)
            first = vault.seen() if vault else (0, begun["reads"])
            cpu, reads = esod.use()["cpu_s"], esod.reads()
            time.sleep(ROUNDS * args.interval)
            cpu, reads = esod.use()["cpu_s"] - cpu, esod.reads() - reads
            second = vault.seen() if vault else (0, first[1] + reads)
            return {"provider": provider, "n": args.n, "keys": args.keys, "cold_s": begun["all_s"], "cold_cpu_ms": begun["cpu_ms"],
                    "cold_logins": first[0], "cold_reads": first[1], "logins": second[0] - first[0],
                    "reads_per_round": (second[1] - first[1]) / ROUNDS, "cpu_ms_per_refresh": 1000 * cpu / (ROUNDS * args.n),
                    "rss": begun["rss"]}
        finally:
            if getattr(esod, "process", None) and esod.process.poll() is None:
                esod.stop()
            plane.stop()


ROWS = [
    ("cold sync", "cold_s", "{:.1f} s"), ("CPU per synced object", "cold_cpu_ms", "{:.2f} ms"),
    ("logins", "cold_logins", "{:.0f}"), ("reads of the backend", "cold_reads", "{:.0f}"),
    ("refreshing: more logins", "logins", "{:.0f}"), ("refreshing: reads in an interval", "reads_per_round", "{:.1f}"),
    ("refreshing: CPU per object", "cpu_ms_per_refresh", "{:.2f} ms"), ("resident memory", "rss", "{:.1f} MiB"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000, help="how many ExternalSecrets (default: %(default)s)")
    parser.add_argument("--keys", type=int, help="how many keys they share among them (default: one each)")
    parser.add_argument("--interval", type=int, default=30, help="refreshInterval in seconds (default: %(default)s)")
    parser.add_argument("--isolation", choices=("process", "none"), default="process", help="where the plugins run (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="append the figures, one JSON object a line")
    args = parser.parse_args()
    args.keys = args.keys or args.n
    build = (ROOT / os.environ.get("ESOD_BUILD", "build/release")).resolve()
    found = [measure(build, provider, args) for provider in ("fake", "vault")]
    if args.json:
        with open(args.json, "a") as out:
            out.writelines(json.dumps(r) + "\n" for r in found)
    print(f"| {args.n:,} objects with {KEYS} properties, {args.keys:,} keys, every {args.interval} s | fake | vault |\n|---|---:|---:|")
    for label, name, form in ROWS:
        print(f"| {label} | " + " | ".join(form.format(r[name]) for r in found) + " |")


if __name__ == "__main__":
    main()
