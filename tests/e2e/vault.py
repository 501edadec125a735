"""A real Vault in development mode, with the login methods that the tests use."""

import functools
import http.client
import io
import json
import re
import socketserver
import subprocess
import threading
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


def ber(tag, *contents):
    """One element of BER."""
    body = b"".join(contents)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


class Directory:
    """As much of an LDAP server (RFC 4511) as it takes to bind and to find oneself: one user, who is right or wrong."""

    def __init__(self, dn, password):
        self.dn, self.password = dn.encode(), password.encode()
        directory = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while True:
                    message = directory.read(self.rfile)
                    (_, number), (tag, request), *_ = directory.parts(message[1]) if message else ((0, 0), (0x42, b""))
                    if tag == 0x42:  # unbind, or the end
                        return
                    for answer in directory.answers(tag, directory.parts(request)):
                        self.wfile.write(ber(0x30, ber(2, number), answer))

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"ldap://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answers(self, tag, fields):
        done = lambda kind, code: ber(kind, ber(0x0a, bytes([code])), ber(4), ber(4))
        if tag == 0x60:  # bind: version, name, password
            return [done(0x61, 0 if (fields[1][1], fields[2][1]) == (self.dn, self.password) else 49)]
        uid = ber(0x30, ber(4, b"uid"), ber(0x31, ber(4, self.dn[4:].split(b",")[0])))
        return [ber(0x64, ber(4, self.dn), ber(0x30, uid)), done(0x65, 0)]  # whatever is searched for, it is the user

    @staticmethod
    def read(stream):
        """(tag, content) of the next element; None at the end."""
        head = stream.read(2)
        if len(head) < 2:
            return None
        size = head[1] if head[1] < 128 else int.from_bytes(stream.read(head[1] - 128), "big")
        return head[0], stream.read(size)

    def parts(self, data):
        return list(iter(functools.partial(self.read, io.BytesIO(data)), None))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


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
        self.directory = Directory("uid=bob,dc=example", "hunter2 ")
        self._set_up()

    @staticmethod
    def _listener(port, pair, *more):
        lines = [f'address = "127.0.0.1:{port}"', f'tls_cert_file = "{pair[0]}"', f'tls_key_file = "{pair[1]}"', *more]
        return 'listener "tcp" {\n  ' + "\n  ".join(lines) + "\n}\n"

    def _set_up(self):
        self.call("PUT", "sys/audit/file", {"type": "file", "options": {"file_path": str(self.audit)}})
        self.call("PUT", "sys/policies/acl/esod", {"policy": POLICY})
        self.call("PUT", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
        for method in ("approle", "userpass", "ldap", "jwt", "kubernetes", "cert"):
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
        self.call("PUT", "auth/ldap/config", {"url": self.directory.url, "userdn": "dc=example", "userattr": "uid"})
        self.call("PUT", "auth/ldap/users/bob", {"policies": "esod"})
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
    made.directory.close()
