"""Google Cloud for tests: Secret Manager, and what it takes to get in, on one port of the loopback.

Every request is held against Google's discovery documents (discovery.py), and so is every answer of this server.

    /v1/projects/P[/locations/L]/secrets...             Secret Manager             secretmanager.py
    /v1/projects/-/serviceAccounts/EMAIL:...            IAM credentials            identity.py
    /token                                              OAuth                      identity.py
    /v1/token                                           security token service     identity.py
    /v1/identitybindingtoken                            GKE's identity service     identity.py
    /computeMetadata/v1/...                             the metadata server
"""

import collections
import http.server
import json
import re
import threading
import urllib.parse

from discovery import Api, Refused, invalid
from identity import Account, Identity, OAuthRefused, system_time
from secretmanager import SecretManager

Answer = collections.namedtuple("Answer", "status body headers")


class Gcp:
    """start() ... close(). `requests` is what was asked: (method id or path, path, body)."""

    def __init__(self, project="demo", number="123456789012"):
        self.requests, self.faults, self.denied = [], [], set()
        self.attributes = {"cluster-name": "main", "cluster-location": "europe-west3"}
        self.project = project
        self.has_metadata = True
        self.secretmanager, self.iam, self.sts = Api("secretmanager.v1"), Api("iamcredentials.v1"), Api("sts.v1")
        self.http = _listen(self)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.state = SecretManager(system_time)
        self.state.projects[project] = number
        self.identity = Identity(system_time, self.url)
        self._thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self._thread.join()

    # ---- what tests set up

    def account(self, name):
        """A new service account of the project that may do anything in it."""
        made = Account(f"{name}@{self.project}.iam.gserviceaccount.com")
        self.identity.accounts[made.email] = made
        return made

    def key_file(self):
        """What `gcloud iam service-accounts keys create` writes, for a new account."""
        return json.dumps(self.account("esod-" + str(len(self.identity.accounts))).key_file(self.project))

    def plugin_config(self):
        """The plugin's block of the configuration."""
        names = ("secretmanager", "iamcredentials", "sts", "metadata", "securetoken")
        return {"endpoints": {**{n: self.url for n in names}, "token": self.url + "/token"}}

    def put(self, key, value, state="ENABLED", location=None, **secret):
        """A secret, made if there is none, with one more version."""
        parent = f"projects/{self.project}" + (f"/locations/{location}" if location else "")
        name = f"{parent}/secrets/{key}"
        if self.state.canonical(name) not in self.state.secrets:
            self.state.create(parent, key, {**({} if location else {"replication": {"automatic": {}}}), **secret})
        data = value if isinstance(value, bytes) else value.encode()
        made = self.state.secrets[self.state.canonical(name)]
        self.state.add_version(name, {"payload": {"data": _base64(data)}})
        made["versions"][-1].state = state
        return made

    def fail(self, method, answer, times=1, key=""):
        """The next requests of a method (the end of its id, or a path), about this secret alone if there is a key, get
        this answer."""
        self.faults.append([method, f"/secrets/{key}" if key else "", answer, times])

    def asked(self, method):
        """How often."""
        return sum(1 for name, _, _ in self.requests if name.endswith(method))

    # ---- answers

    def _fault(self, name, target):
        for fault in list(self.faults):
            method, part, answer, times = fault
            if times > 0 and name.endswith(method) and part in target:
                fault[3] -= 1
                return answer
        return None

    def serve(self, verb, target, headers, body):
        path, _, query = target.partition("?")
        name, call = self._find(verb, path, urllib.parse.parse_qsl(query, keep_blank_values=True), headers, body)
        self.requests.append((name, target, body))
        fault = self._fault(name, target)
        if fault:
            return fault
        try:
            return Answer(200, call(), {})
        except Refused as e:
            return Answer(e.http, e.body(), e.headers)
        except OAuthRefused as e:
            return Answer(400, e.body(), {})

    def _find(self, verb, path, query, headers, body):
        """(name, function that makes the answer)."""
        forms = {"/token": self._token, "/v1/token": self._sts, "/v1/identitybindingtoken": self._binding}
        if verb == "POST" and path in forms:
            return path, lambda: forms[path](headers, body)
        if path.startswith("/computeMetadata/v1/"):
            return path, lambda: self._metadata(verb, path.removeprefix("/computeMetadata/v1/"), headers)
        for api in (self.secretmanager, self.iam):
            found = api.route(verb, path)
            if found:
                return found[0]["id"], lambda: self._call(api, *found, query, headers, body)
        return path, lambda: (_ for _ in ()).throw(Refused(404, "NOT_FOUND", f"Method not found: {verb} {path}"))

    def _call(self, api, method, in_path, query, headers, body):
        principal = self.identity.principal(headers.get("authorization"))
        query = api.query(method, query)
        message = self._message(api, method, headers, body)
        names = [urllib.parse.unquote(v) for v in in_path.values()]
        action = method["id"].rpartition(".")[2]
        if "secrets" in method["id"]:
            self._allow(principal, method["id"])
            answer = self._secrets(method["id"], names[0], query, message)
        elif action in ("generateAccessToken", "signJwt"):
            act = {"generateAccessToken": self.identity.generate_access_token, "signJwt": self.identity.sign_jwt}[action]
            answer = act(principal, names[0], message)
        else:
            raise Refused(501, "UNIMPLEMENTED", f"{method['id']} is not served here.")
        api.check(method["response"], answer, answer=True)
        return answer

    @staticmethod
    def _message(api, method, headers, body):
        if "request" not in method:
            if body:
                raise invalid("The request has a body and should have none.")
            return None
        try:
            if headers.get("content-type", "").partition(";")[0] != "application/json":
                raise ValueError("not JSON")
            message = json.loads(body) if body else {}
        except ValueError:
            raise invalid("Invalid JSON payload received.") from None
        api.check(method["request"], message)
        return message

    def _allow(self, principal, method):
        if (principal, method.rpartition("secrets.")[2]) in self.denied:
            raise Refused(403, "PERMISSION_DENIED", f"Permission denied for {method} (or it may not exist).",
                          [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED",
                            "domain": "iam.googleapis.com"}])

    def _secrets(self, method, name, query, message):
        s, what = self.state, method.rpartition("secrets.")[2]
        acts = {
            "create": lambda: s.create(name, body=message, **query), "get": lambda: s.get(name),
            "patch": lambda: s.patch(name, body=message, **query), "delete": lambda: s.delete(name, **query),
            "list": lambda: s.list(name, **query), "addVersion": lambda: s.add_version(name, message),
            "versions.access": lambda: s.access(name), "versions.get": lambda: s.get_version(name),
            "versions.list": lambda: s.list_versions(name, **query),
            "versions.enable": lambda: s.set_state(name, "ENABLED"),
            "versions.disable": lambda: s.set_state(name, "DISABLED"),
            "versions.destroy": lambda: s.set_state(name, "DESTROYED"),
        }
        if what not in acts:
            raise Refused(501, "UNIMPLEMENTED", f"{method} is not served here.")
        return acts[what]()

    # ---- tokens

    @staticmethod
    def _form(headers, body):
        if headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise OAuthRefused("invalid_request", "The request is no form.")
        return dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))

    def _token(self, headers, body):
        return self.identity.grant(self._form(headers, body))

    def _sts(self, headers, body):
        """As a form its members have underscores, as the standard (RFC 8693) has them."""
        form = {re.sub(r"_(\w)", lambda m: m[1].upper(), k): v for k, v in self._form(headers, body).items()}
        try:
            self.sts.check({"$ref": "GoogleIdentityStsV1ExchangeTokenRequest"}, form)
        except Refused as e:
            raise OAuthRefused("invalid_request", e.message) from None
        answer = self.identity.exchange(form)
        self.sts.check({"$ref": "GoogleIdentityStsV1ExchangeTokenResponse"}, answer, answer=True)
        return answer

    def _binding(self, headers, body):
        return self.identity.identity_binding(json.loads(body))

    # ---- the metadata server

    def _metadata(self, verb, path, headers):
        if headers.get("metadata-flavor") != "Google" or verb != "GET":
            raise Refused(403, "PERMISSION_DENIED", "Missing Metadata-Flavor:Google header.")
        if not self.has_metadata:
            raise Refused(404, "NOT_FOUND", "There is no metadata server here.")
        if path == "project/project-id":
            return self.project
        kind, _, name = path.rpartition("/")
        if kind == "instance/attributes" and name in self.attributes:
            return self.attributes[name]
        if path == "instance/service-accounts/default/token" and self.identity.instance:
            return self.identity.answer(self.identity.instance)
        raise Refused(404, "NOT_FOUND", "There is no such metadata.")


def _base64(data):
    import base64
    return base64.b64encode(data).decode()


def _listen(gcp):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {k.lower(): v for k, v in self.headers.items()}
            status, text, more = gcp.serve(self.command, self.path, headers, body)
            out = text if isinstance(text, bytes) else (text if isinstance(text, str) else json.dumps(text)).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Metadata-Flavor": "Google", **more,
                                "Content-Length": str(len(out))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(out)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    return Server(("127.0.0.1", 0), Handler)
