"""AWS on the loopback: moto_server with IAM enforced, and a proxy before it that notes and misbehaves.

Signatures are checked and rights are needed as soon as the server is up. moto judges actions, not resources or conditions;
in trust policies of roles it judges external ids too. The time of credentials it does not look at: see Aws.rule.
"""

import http.client
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import pytest

from harness import ROOT, free_port

REGION = "eu-central-1"
ACCOUNT = "123456789012"
GRANTS = ["env:AWS_*", "file:$AWS_WEB_IDENTITY_TOKEN_FILE", "file:$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
          "file:$AWS_SHARED_CREDENTIALS_FILE", "file:$AWS_CONFIG_FILE"]


def allow(*actions):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


class Keys:
    """An access key; `token` only of temporary ones."""

    def __init__(self, key_id, secret, token=None):
        self.id, self.secret, self.token = key_id, secret, token

    def data(self):
        """As a Secret holds it."""
        return {"id": self.id, "secret": self.secret, **({"token": self.token} if self.token else {})}


class Aws:
    """The server, its administrator, and the proxy at .url that esod is led to."""

    def __init__(self, folder):
        self.port, self.folder = free_port(), folder
        self.log = open(folder / "moto.log", "wb")
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import sys; from moto.server import main; main(sys.argv[1:])",
             "-H", "127.0.0.1", "-p", str(self.port)], env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.proxy = None
        try:
            self._wait()
            self.admin = Keys("test", "test")
            self.admin = self.user("admin", allow("*"))
            self._enforce()
            self.proxy = Proxy(self.port, self.admin)
        except BaseException:
            self.stop()
            raise
        self.url = self.proxy.url

    def _wait(self):
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, (self.folder / "moto.log").read_text()
                time.sleep(0.05)

    def _enforce(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/moto-api/reset-auth", b"0", method="POST",
                                         headers={"Content-Type": "text/plain"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            assert answer.status == 200

    def stop(self):
        if self.proxy:
            self.proxy.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    # ---- for fixtures: past the proxy
    def client(self, service, keys=None, region=REGION):
        keys = keys or self.admin
        return boto3.client(service, region_name=region, endpoint_url=f"http://127.0.0.1:{self.port}",
                            aws_access_key_id=keys.id, aws_secret_access_key=keys.secret, aws_session_token=keys.token,
                            config=botocore.config.Config(proxies={}, retries={"total_max_attempts": 1}))

    def user(self, name, policy=None):
        """The keys of a new user with this policy; without one, with no right at all."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if policy:
            iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Keys(key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, name, policy, external_id=None):
        """The ARN of a new role that everybody in the account who may assume roles can have."""
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"]}
        if external_id:
            trust["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
        iam = self.client("iam")
        document = {"Version": "2012-10-17", "Statement": [trust]}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        return role["Arn"]

    # ---- what esod sent, and what becomes of it
    def rule(self, pattern, **what):
        """See Rule. Give it to `with`, or call .end()."""
        return self.proxy.rule(pattern, **what)

    def requests(self, pattern=""):
        return [r for r in self.proxy.seen if re.search(pattern, r.line)]


class Request:
    """One request of esod: line is "secretsmanager.GetSecretValue" or "sts.AssumeRole"; form, what the latter was asked with."""

    def __init__(self, headers, body):
        self.headers = {k.lower(): v for k, v in headers.items()}
        self.body = body
        self.form = {}
        if "x-www-form-urlencoded" in self.headers.get("content-type", ""):
            self.form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
            self.line = f"sts.{self.form.get('Action')}"
        else:
            self.line = self.headers.get("x-amz-target", "")
        credential = re.search(r"Credential=([^/]+)/", self.headers.get("authorization", ""))
        self.key_id = credential.group(1) if credential else None
        self.at = time.monotonic()
        self.status = 0

    def json(self):
        return json.loads(self.body)


class Rule:
    """What to do with the next `times` requests whose line matches (-1: with all).

    code      answer with this error of AWS (status: 400 unless given), JSON or XML as the service speaks
    body      answer with these bytes; status: 200 unless given
    cut       True: end the connection instead of answering; "inside": in the middle of an answer
    edit      a function: the bytes of the answer -> other bytes
    """

    def __init__(self, proxy, pattern, times=1, code=None, message="", status=None, body=None, cut=None, edit=None, headers=None):
        self.proxy, self.pattern, self.left = proxy, re.compile(pattern), times
        self.code, self.message, self.status, self.body, self.cut, self.edit = code, message, status, body, cut, edit
        self.headers = headers or {}
        self.hits = 0

    def answer(self, request):
        """(status, bytes) of an invented answer, or None."""
        if self.body is not None:
            return self.status or 200, self.body
        if self.code is None:
            return (self.status, b"") if self.status else None
        if request.line.startswith("sts."):
            body = (f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
                    f"<Code>{self.code}</Code><Message>{self.message}</Message></Error><RequestId>1-2-3</RequestId></ErrorResponse>")
        else:
            body = json.dumps({"__type": f"com.amazonaws.test#{self.code}", "message": self.message})
        return self.status or 400, body.encode()

    def end(self):
        with self.proxy.lock:
            if self in self.proxy.rules:
                self.proxy.rules.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Proxy:
    """Notes each request in .seen, and forwards it with its Host as it is, which is signed."""

    def __init__(self, port, admin):
        self.port, self.admin, self.seen, self.rules, self.lock = port, admin, [], [], threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.proxy = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def rule(self, pattern, **what):
        made = Rule(self, pattern, **what)
        with self.lock:
            self.rules.append(made)
        return made

    def match(self, request):
        with self.lock:
            self.seen.append(request)
            for rule in self.rules:
                if rule.left != 0 and rule.pattern.search(request.line):
                    rule.left -= 1
                    rule.hits += 1
                    return rule
        return None

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.headers, body)
        rule = proxy.match(request)
        invented = rule.answer(request) if rule else None
        if rule and rule.cut is True:
            self.close_connection = True
            return
        status, headers, answer = (invented[0], {}, invented[1]) if invented else self.forward(proxy.port, body)
        if rule and rule.edit:
            answer = rule.edit(answer)
        request.status = status
        self.send_response(status)
        for name, value in {**headers, **(rule.headers if rule else {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if rule and rule.cut == "inside":
            self.wfile.write(answer[:len(answer) // 2])
            self.close_connection = True
            return
        self.wfile.write(answer)

    def forward(self, port, body):
        upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            upstream.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.signed(body).items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() in ("content-type", "x-amzn-errortype")}
            return answer.status, kept, answer.read()
        finally:
            upstream.close()

    def signed(self, body):
        """The headers. moto wants a signature everywhere, AWS none where a token speaks: there the administrator signs."""
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        if "Authorization" in headers:
            return headers
        request = botocore.awsrequest.AWSRequest("POST", f"http://{self.headers['Host']}{self.path}", headers, body)
        admin = self.server.proxy.admin
        keys = botocore.credentials.Credentials(admin.id, admin.secret)
        botocore.auth.SigV4Auth(keys, "sts", REGION).add_auth(request)
        return dict(request.headers.items())

    def log_message(self, *_):
        pass


# ---- fixtures

@pytest.fixture(scope="session")
def aws_server(tmp_path_factory):
    made = Aws(tmp_path_factory.mktemp("aws"))
    yield made
    made.stop()


@pytest.fixture
def aws(aws_server):
    """The server; what other tests noted and ruled is gone."""
    with aws_server.proxy.lock:
        aws_server.proxy.seen.clear()
        aws_server.proxy.rules.clear()
    return aws_server


@pytest.fixture
def aws_operator(make_operator, aws, monkeypatch):
    """aws_operator(**variables) is an operator that runs with the aws plugin, led to the proxy, and these variables.

    `ambient` and `config` go into the configuration. Without `ambient`, everything is granted.
    """
    def make(ambient=GRANTS, config=None, **variables):
        for name in [n for n in os.environ if n.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in {"AWS_ENDPOINT_URL": aws.url, "AWS_EC2_METADATA_DISABLED": "true", **variables}.items():
            if value is not None:
                monkeypatch.setenv(name, str(value))
        plugins = ["fake", {"name": "aws", **({"ambient": ambient} if ambient else {})}]
        return make_operator(plugins=plugins, **(config or {})).start()
    return make


def store(space, name="aws", service="SecretsManager", keys="aws-keys", token=False, **spec):
    """A SecretStore of the space; `keys` names the Secret with the access key, None: no auth."""
    block = {"service": service, "region": REGION, **spec}
    if keys:
        refs = {"accessKeyIDSecretRef": {"name": keys, "key": "id"}, "secretAccessKeySecretRef": {"name": keys, "key": "secret"}}
        if token:
            refs["sessionTokenSecretRef"] = {"name": keys, "key": "token"}
        block.setdefault("auth", {"secretRef": refs})
    return {"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": name, "namespace": space.name},
            "spec": {"provider": {"aws": block}}}


def keys_secret(space, keys, name="aws-keys"):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": space.name}, "stringData": keys.data()}


def page_actions(*words):
    """The actions of the policies in the plugin's README that have these words in the line before."""
    text = (ROOT / "plugins/aws/README.md").read_text()
    found = {word: json.loads(body) for word, body in re.findall(r"<!-- policy: (\w+) -->\n+```json\n(.*?)```", text, re.S)}
    actions = [s["Action"] for word in words for s in found[word]["Statement"]]
    return [a for some in actions for a in ([some] if isinstance(some, str) else some)]
