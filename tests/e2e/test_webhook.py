"""The webhook provider: templates make requests, paths find values in what comes back."""

import base64
import json
import secrets
import sys

import pytest

import endpoint as endpoints
from endpoint import endpoint, other_endpoint, secure_endpoint  # noqa: F401 - fixtures
from harness import GROUP, ROOT, external_secret, wait_for

sys.path.append(str(ROOT / "tests/unit/http"))
import ntlm  # noqa: E402

BOTH = pytest.mark.parametrize("isolation", ["process", "none"])


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def make_esod(make_operator):
    def make(**config):
        return make_operator(plugins=["fake", "webhook"], **config).start()
    return make


@pytest.fixture
def esod(make_esod):
    return make_esod()


class Hooks:
    """Makes stores and credentials in the test's namespace."""

    def __init__(self, cluster, space):
        self.cluster, self.space = cluster, space

    def secret(self, name, data, label="webhook", namespace=None):
        labels = {"external-secrets.io/type": label} if label else {}
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret",
                            "metadata": {"name": name, "namespace": namespace or self.space.name, "labels": labels},
                            "data": {k: b64(v) for k, v in data.items()}})

    def store(self, url, name="hook", ready=True, **block):
        self.cluster.apply({"apiVersion": GROUP + "/v1", "kind": "SecretStore", "metadata": {"name": name, "namespace": self.space.name},
                            "spec": {"provider": {"webhook": {"url": url, **block}}}})
        if ready:
            wait_for(lambda: self.cluster.ready("SecretStore", name, self.space.name))
        return name

    def get(self, name, url, path=None, key="key", ready=True, **block):
        """A store of its own and an ExternalSecret that reads one value through it."""
        self.store(url, name, ready, **({"result": {"jsonPath": path}} if path else {}), **block)
        self.external_secret(name, {"v": key}, name)

    def external_secret(self, name, data=None, store="hook", **spec):
        self.cluster.apply(external_secret(self.space.name, name, store, data, kind="SecretStore", **spec))

    def synced(self, name, want):
        return self.space.synced(name, want if isinstance(want, dict) else {"v": want})

    def error(self, name):
        return self.said("UpdateFailed", name).rpartition("err: ")[2]

    def has_said(self, error, name):
        """Once it has failed with this error, whatever came before."""
        def look():
            found = [e["message"] for e in self.cluster.events(self.space.name, name, "UpdateFailed")]
            assert any(m.endswith("err: " + error) for m in found), found
            return True
        return wait_for(look)

    def said(self, reason, name):
        def look():
            found = self.cluster.events(self.space.name, name, reason)
            return found and found[-1]["message"]
        return wait_for(look)

    def sync(self, name):
        self.cluster.patch("ExternalSecret", name, {"metadata": {"annotations": {"force-sync": secrets.token_hex(4)}}}, self.space.name)


@pytest.fixture
def hooks(cluster, space):
    return Hooks(cluster, space)


DOCUMENT = {"s": "<x>", "i": 12345678901234567890, "f": 2.75, "t": True, "z": None, "o": {"b": 1, "a": [1]},
            "l": ["first", "second"], "users": [{"n": "bob", "p": "one"}, {"n": "eve", "p": "two"}], "inner": '{"a":"1","b":[2]}'}


@BOTH
def test_finds_values(make_esod, hooks, endpoint, isolation):
    make_esod(isolation=isolation)
    endpoint.answers = {"/plain": "as it is \u00e4\n", "/json": json.dumps(DOCUMENT)}
    hooks.get("plain", endpoint.url + "/plain")
    hooks.synced("plain", "as it is \u00e4\n")
    wanted = {"$.s": "<x>", "$.i": "12345678901234567890", "$.f": "3", "$.t": "true", "$.z": "", "$.o": '{"a":[1],"b":1}',
              "$.l": "first", "$.l[-1]": "second", '$.users[?(@.n=="eve")].p': "two", "$..n": "bob"}
    for i, path in enumerate(wanted):
        hooks.get(f"path-{i}", endpoint.url + "/json", path)
    for i, value in enumerate(wanted.values()):
        hooks.synced(f"path-{i}", value)
    hooks.store(endpoint.url + "/json", "whole", result={"jsonPath": "$"})
    hooks.external_secret("whole", store="whole", dataFrom=[{"extract": {"key": "x"}}])
    hooks.synced("whole", {"s": "<x>", "i": "12345678901234567890", "f": "2.75", "t": "true", "z": "", "o": '{"a":[1],"b":1}',
                           "l": '["first","second"]', "users": json.dumps(DOCUMENT["users"], separators=(",", ":")),
                           "inner": DOCUMENT["inner"]})
    hooks.store(endpoint.url + "/json", "inner", result={"jsonPath": "$.inner"})
    hooks.external_secret("inner", store="inner", dataFrom=[{"extract": {"key": "x"}}])
    hooks.synced("inner", {"a": "1", "b": "[2]"})


def test_answers_that_are_refused(esod, hooks, endpoint):
    endpoint.answers = {f"/{status}": (status, "s3cret-in-the-body", {"Retry-After": "1"})
                        for status in (304, 400, 401, 403, 429, 500, 503, 599)}
    endpoint.answers |= {"/text": "plain", "/number": "[1]"}
    cases = {  # name: (path of the URL, JSONPath, error)
        "gone": ("/none", None, "Secret does not exist"),
        "s304": ("/304", None, "not modified"),
        "s400": ("/400", None, "endpoint gave error 400 Bad Request"),
        "s401": ("/401", None, "endpoint gave error 401 Unauthorized"),
        "s403": ("/403", None, "endpoint gave error 403 Forbidden"),
        "s429": ("/429", None, "endpoint gave error 429 Too Many Requests"),
        "s500": ("/500", None, "endpoint gave error 500 Internal Server Error"),
        "s503": ("/503", None, "endpoint gave error 503 Service Unavailable"),
        "s599": ("/599", None, "endpoint gave error 599"),
        "text": ("/text", "$.a", "failed to parse response json: invalid character 'p' looking for beginning of value"),
        "key": ("/number", "$.a", "failed to get response path $.a: could not select value, invalid key: "
                                  "expected number but got a (string)"),
        "index": ("/number", "$[7]", "failed to get response path $[7]: index 7 out of bounds"),
        "syntax": ("/number", "$.a[", "failed to get response path $.a[: parsing error: $.a[ :1:5 - 1:5 unexpected EOF while "
                                      "scanning extensions"),
        "empty": ("/number", "$[?(@==2)]", "filter worked but didn't get any result"),
    }
    for name, (url, path, _) in cases.items():
        hooks.get(name, endpoint.url + url, path)
    for name, (_, _, error) in cases.items():
        assert hooks.error(name) == error, name
    hooks.store(endpoint.url + "/number", "list", result={"jsonPath": "$"})
    hooks.external_secret("list", store="list", dataFrom=[{"extract": {"key": "x"}}])
    assert hooks.error("list") == "failed to get response (wrong type: []interface {})"
    assert "s3cret-in-the-body" not in esod.log


def test_servers_that_misbehave(esod, hooks, endpoint):
    endpoint.answers = {"/never": endpoints._Handler.never, "/half": endpoints._Handler.half, "/huge": endpoints._Handler.huge,
                        "/slow": endpoints.slow(0.3, "in time")}
    hooks.get("never", endpoint.url + "/never", timeout="300ms")
    hooks.get("half", endpoint.url + "/half")
    hooks.get("huge", endpoint.url + "/huge")
    hooks.get("slow", endpoint.url + "/slow", timeout="1m")
    hooks.synced("slow", "in time")
    assert hooks.error("never") == f"failed to call endpoint: GET {endpoint.url}: no answer within 300ms"
    assert hooks.error("half") == f"failed to call endpoint: GET {endpoint.url}: answer cut short"
    assert hooks.error("huge") == f"failed to call endpoint: GET {endpoint.url}: answer above 16777216 bytes"


def test_nobody_is_there(esod, hooks, endpoint, space):
    url = endpoint.url
    endpoint.answers["/v"] = "x"
    hooks.store(url + "/v", timeout="soon", ready=False)
    assert hooks.said("InvalidProviderConfig", "hook") == 'timeout "soon" is not a duration like 10s, 1m30s or 250ms'
    hooks.store(url + "/v")
    assert [r["path"] for r in endpoint.requests(method="HEAD")] == ["/"]  # whatever it answers
    hooks.store("http://127.0.0.1:1/v", "closed", ready=False)
    assert hooks.said("InvalidProviderConfig", "closed") == "error accessing external store: no answer from http://127.0.0.1:1"
    hooks.external_secret("find", dataFrom=[{"find": {"name": {"regexp": "."}}}])
    assert hooks.error("find") == "error getting all secrets: not implemented"


def test_certificates_are_checked(esod, cluster, hooks, secure_endpoint, space):
    secure_endpoint.answers["/v"] = "over TLS"
    hooks.get("bundle", secure_endpoint.url + "/v", caBundle=b64(secure_endpoint.ca))
    hooks.synced("bundle", "over TLS")
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca", "namespace": space.name},
                   "data": {"ca.crt": secure_endpoint.ca}})
    hooks.get("provider", secure_endpoint.url + "/v", caProvider={"type": "ConfigMap", "name": "ca", "key": "ca.crt"})
    hooks.synced("provider", "over TLS")
    hooks.get("nobody", secure_endpoint.url + "/v")
    assert "certificate" in hooks.said("ValidationUnknown", "nobody")
    assert "certificate" in hooks.error("nobody")


def test_redirects_take_no_credentials_along(esod, hooks, endpoint, other_endpoint):
    other_endpoint.answers = {"/there": "moved"}
    endpoint.answers = {"/v": (302, "", {"Location": other_endpoint.url + "/there"}), "/near": (302, "", {"Location": "/here"}),
                        "/here": "near"}
    token = {"Authorization": "Bearer s3cret-token", "X-Token": "s3cret-token", "Accept": "text/plain"}
    hooks.get("far", endpoint.url + "/v", headers=token)
    hooks.synced("far", "moved")
    assert endpoint.requests("/v")[0]["headers"]["authorization"] == "Bearer s3cret-token"
    taken = other_endpoint.requests("/there")[0]["headers"]
    assert taken["accept"] == "text/plain" and "s3cret-token" not in str(taken)
    hooks.get("near", endpoint.url + "/near", headers=token)
    hooks.synced("near", "near")
    hooks.get("body", endpoint.url + "/v", method="POST", body="s3cret-body")
    assert hooks.error("body") == "endpoint gave error 302 Found"
    assert len(other_endpoint.requests()) == 1


class Ntlm:
    """Asks for NTLM, which belongs to a connection."""

    def __init__(self):
        self.nonces = {}

    def __call__(self, handler):
        kind, message = ntlm.message_of(handler.headers.get("Authorization"))
        where = handler.client_address
        if kind == 3 and where in self.nonces and ntlm.proven_by(message, self.nonces.pop(where)):
            return handler.answer(200, "for alice")
        header = "NTLM"
        if kind == 1:
            self.nonces[where], header = ntlm.challenge()
        return handler.answer(401, "", {"WWW-Authenticate": header})


def test_ntlm(esod, hooks, endpoint):
    endpoint.answers["/v"] = Ntlm()
    auth = {"ntlm": {"usernameSecret": {"name": "login", "key": "user.name"}, "passwordSecret": {"name": "login", "key": "password"}}}
    hooks.secret("login", {"user.name": "TEST\\alice", "password": ntlm.PASSWORD})
    hooks.get("v", endpoint.url + "/v", auth=auth)
    hooks.synced("v", "for alice")
    hooks.secret("login", {"user.name": "alice", "password": "wrong"})
    hooks.sync("v")
    assert hooks.error("v") == "endpoint gave error 401 Unauthorized"
    hooks.secret("login", {"user.name": "alice"})
    hooks.has_said('auth.ntlm.passwordSecret: cannot find secret data for key: "password"', "v")


# ---- templates

def test_a_secret_goes_out_as_a_header(esod, cluster, hooks, endpoint):
    endpoint.any = lambda handler: handler.answer(200, handler.headers.get("Authorization", "nothing"))
    hooks.secret("login", {"user": "bob", "password": "s3cret-one"})
    hooks.get("v", endpoint.url + "/v", secrets=[{"name": "auth", "secretRef": {"name": "login"}}],
              headers={"Authorization": 'Basic {{ printf "%s:%s" .auth.user .auth.password | b64enc }}'})
    hooks.synced("v", "Basic " + b64("bob:s3cret-one"))
    hooks.secret("login", {"user": "bob", "password": "s3cret-two"})
    hooks.sync("v")
    hooks.synced("v", "Basic " + b64("bob:s3cret-two"))
    # Who owns the Secret takes the label away.
    hooks.secret("login", {"user": "bob", "password": "s3cret-two"}, label="")
    hooks.sync("v")
    assert hooks.error("v") == ("secret does not contain needed label 'external-secrets.io/type: webhook'. "
                                "Update secret label to use it with webhook")
    hooks.secret("login", {"user": "bob"}, label="other")
    hooks.has_said("secret type is not 'webhook'", "v")
    cluster.delete("Secret", "login", hooks.space.name)
    hooks.has_said('failed to get clustersecretstore webhook secret login: secrets "login" not found', "v")
    assert "s3cret" not in esod.log


def test_templates_of_a_read(esod, hooks, endpoint):
    endpoint.any = lambda handler: handler.answer(200, json.dumps({"data": {"p": handler.path}}))
    hooks.store(endpoint.url + "/{{ .remoteRef.version }}?k={{ .remoteRef.key }}", method="POST",
                body='{"key":{{ .remoteRef.key | toJson }}}', headers={"X-Key": "{{ .remoteRef.key }}"},
                result={"jsonPath": "$.data.{{ .remoteRef.property }}"})
    hooks.external_secret("v", {"v": {"key": "a/b c&d", "version": "v1", "property": "p"}})
    hooks.synced("v", "/v1?k=a%2Fb+c%26d")
    sent = endpoint.requests()[0]
    assert (sent["method"], json.loads(sent["body"]), sent["headers"]["x-key"]) == ("POST", {"key": "a/b c&d"}, "a/b c&d")
    hooks.external_secret("w", {"v": {"key": "k", "property": "nope"}})
    assert hooks.error("w") == "failed to get response path $.data.nope: unknown key nope"
    hooks.store(endpoint.url + "/{{ .remoteRef.key", "broken", ready=False)
    hooks.external_secret("broken", {"v": "k"}, "broken")
    assert hooks.error("broken").startswith("failed to parse url: template: webhooktemplate:1: ")


def test_a_template_may_name_the_namespace(esod, cluster, space, second_space, endpoint):
    name = f"hook-{space.name}"
    endpoint.any = lambda handler: handler.answer(200, handler.path)
    cluster.apply({"apiVersion": GROUP + "/v1", "kind": "ClusterSecretStore", "metadata": {"name": name},
                   "spec": {"provider": {"webhook": {"url": endpoint.url + "/{{ .remoteRef.namespace }}/{{ .remoteRef.key }}"}}}})
    try:
        wait_for(lambda: cluster.ready("ClusterSecretStore", name))
        both = [space, second_space] * 3
        for i, s in enumerate(both):
            cluster.apply(external_secret(s.name, f"v{i}", name, {"v": "same"}))
        for i, s in enumerate(both):
            s.synced(f"v{i}", {"v": f"/{s.name}/same"})
    finally:
        cluster.delete("ClusterSecretStore", name)


# ---- pushes

def push_secret(namespace, name, *data, **spec):
    entries = [{"match": {**({"secretKey": key} if key else {}), "remoteRef": {"remoteKey": remote}}} for key, remote in data]
    return json.dumps({"apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret", "metadata": {"name": name, "namespace": namespace},
                       "spec": {"refreshInterval": "1h", "secretStoreRefs": [{"name": "hook"}], "selector": {"secret": {"name": "src"}},
                                "data": entries, **spec}})


def test_pushes_and_deletes(esod, cluster, hooks, space, endpoint):
    endpoint.any = 200
    hooks.secret("src", {"a": "val ue", "b": "<2>"}, label=None)
    hooks.store(endpoint.url + "/put")
    cluster.kubectl("apply", "-f", "-", stdin=push_secret(space.name, "ps", ("a", "one"), (None, "all"), deletionPolicy="Delete"))
    wait_for(lambda: len(endpoint.requests(method="POST")) >= 2)
    assert {r["body"] for r in endpoint.requests(method="POST")} == {"val ue", '{"a":"val ue","b":"<2>"}'}
    cluster.kubectl("delete", "pushsecret", "ps", "-n", space.name)
    deleted = endpoint.requests(method="DELETE")
    assert len(deleted) == 2 and not any(r["body"] for r in deleted)

    endpoint.any = 500
    cluster.kubectl("apply", "-f", "-", stdin=push_secret(space.name, "refused", ("a", "one")))

    def refused():
        found = [e["message"] for e in cluster.list("Event", space.name) if e["involvedObject"]["name"] == "refused"]
        assert any("failed to push webhook data: endpoint gave error 500 Internal Server Error" in m for m in found), found
        return True
    wait_for(refused)
