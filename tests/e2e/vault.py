"""A real Vault in development mode, with the login methods that the tests use."""

import http.client
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import controlplane

POLICY = """
path "secret/data/denied/*" { capabilities = ["deny"] }
path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "kv1/*" { capabilities = ["create", "read", "update", "delete", "list"] }
"""


def certificate(folder, name, subject, *extensions, issuer=None):
    """(certificate, key), files in PEM; signed by the pair `issuer`, or by itself."""
    cert, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    args = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={subject}", "-keyout", str(key), "-out", str(cert)]
    for extension in extensions:
        args += ["-addext", extension]
    if issuer:
        args += ["-CA", str(issuer[0]), "-CAkey", str(issuer[1])]
    subprocess.run(args, check=True, capture_output=True)
    return cert, key


class Vault:
    """The server: talks to it as root, and counts what its audit log has seen."""

    def __init__(self, plane, folder):
        self.plane, self.folder = plane, Path(folder)
        self.audit = self.folder / "audit.log"
        self.server_cert = certificate(self.folder, "server", "localhost", "subjectAltName=IP:127.0.0.1")
        self.wrong_cert = certificate(self.folder, "wrong-name", "localhost", "subjectAltName=DNS:elsewhere.example")
        self.client_cert = certificate(self.folder, "client", "esod", "extendedKeyUsage=clientAuth",
                                       "basicConstraints=critical,CA:FALSE")
        ports = dict(zip(("tls", "mutual", "misnamed"), controlplane.free_ports(3)))
        config = self.folder / "listeners.hcl"
        config.write_text("".join([
            self._listener(ports["tls"], self.server_cert),
            self._listener(ports["misnamed"], self.wrong_cert),
            self._listener(ports["mutual"], self.server_cert, "tls_require_and_verify_client_cert = true",
                           f'tls_client_ca_file = "{self.client_cert[0]}"')]))
        plane.start_vault(f"-config={config}")
        self.url = f"http://127.0.0.1:{plane.conf['vault']}"
        self.tls, self.mutual, self.misnamed = (f"https://127.0.0.1:{ports[k]}" for k in ("tls", "mutual", "misnamed"))
        self._set_up()

    @staticmethod
    def _listener(port, pair, *more):
        lines = [f'address = "127.0.0.1:{port}"', f'tls_cert_file = "{pair[0]}"', f'tls_key_file = "{pair[1]}"', *more]
        return 'listener "tcp" {\n  ' + "\n  ".join(lines) + "\n}\n"

    def _set_up(self):
        self.call("PUT", "sys/audit/file", {"type": "file", "options": {"file_path": str(self.audit)}})
        self.call("PUT", "sys/policies/acl/esod", {"policy": POLICY})
        self.call("PUT", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
        for method in ("approle", "userpass", "jwt", "kubernetes", "cert"):
            self.call("PUT", f"sys/auth/{method}", {"type": method})
        self.call("PUT", "auth/kubernetes/config", {
            "kubernetes_host": self.plane.server, "kubernetes_ca_cert": self.plane.ca,
            "token_reviewer_jwt": controlplane.USERS["admin"][0], "disable_local_ca_jwt": True})
        self.call("PUT", "auth/kubernetes/role/esod", {
            "bound_service_account_names": ["app"], "bound_service_account_namespaces": ["*"], "token_policies": ["esod"]})
        self.call("PUT", "auth/jwt/config", {
            "jwt_validation_pubkeys": [(self.plane.state / "pki" / "sa.pub").read_text()]})
        self.call("PUT", "auth/jwt/role/esod", {
            "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["esod"]})
        self.call("PUT", "auth/userpass/users/bob", {"password": "hunter2 ", "token_policies": ["esod"]})
        self.call("PUT", "auth/cert/certs/esod", {
            "certificate": self.client_cert[0].read_text(), "token_policies": ["esod"]})

    def call(self, method, path, body=None, token="root", want=(200, 204)):
        """The answer of Vault's API below /v1/; None when there is nothing in it."""
        conn = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            conn.request(method, f"/v1/{path}", json.dumps(body) if body is not None else None, {"X-Vault-Token": token})
            answer = conn.getresponse()
            text = answer.read()
        finally:
            conn.close()
        assert answer.status in want, f"{method} {path}: {answer.status} {text}"
        return json.loads(text) if text else None

    def put(self, key, **fields):
        self.call("PUT", f"secret/data/{key}", {"data": fields})

    def get(self, key):
        """The fields of a secret; None when there is none, or it is deleted."""
        answer = self.call("GET", f"secret/data/{key}", want=(200, 404))
        return (answer.get("data") or {}).get("data")

    def role(self, name, **options):
        """(role id, secret id) of a new AppRole."""
        self.call("PUT", f"auth/approle/role/{name}", {"token_policies": ["esod"], **options})
        return (self.call("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"],
                self.call("PUT", f"auth/approle/role/{name}/secret-id")["data"]["secret_id"])

    def revoke(self, role):
        """All tokens that logins of this AppRole have brought."""
        for accessor in self.call("GET", "auth/token/accessors?list=true")["data"]["keys"]:
            found = self.call("PUT", "auth/token/lookup-accessor", {"accessor": accessor}, want=(200, 403, 404))
            meta = ((found or {}).get("data") or {}).get("meta") or {}
            if meta.get("role_name") == role:
                self.call("PUT", "auth/token/revoke-accessor", {"accessor": accessor})

    def seal(self):
        self.call("PUT", "sys/seal")

    def unseal(self):
        key = re.search(r"^Unseal Key: (\S+)", self.plane.log("vault").read_text(), re.M).group(1)
        self.call("PUT", "sys/unseal", {"key": key})

    def seen(self, pattern):
        """(operation, path) of the requests since the start whose path matches."""
        found = []
        for line in self.audit.read_text().splitlines():
            entry = json.loads(line)
            request = entry.get("request", {})
            if entry["type"] == "request" and re.fullmatch(pattern, request.get("path", "")):
                found.append((request["operation"], request["path"]))
        return found



@pytest.fixture(scope="session")
def vault(control_plane, tmp_path_factory):
    made = Vault(control_plane, tmp_path_factory.mktemp("vault"))
    yield made
    control_plane.stop_vault()
