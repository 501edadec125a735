"""Who a store of the gcp plugin is: Workload Identity, federation, what surrounds esod, and each consumer for himself."""

import base64
import json
import re
import threading
import http.server

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from gcp import gcp_plugin, gcp_store, key_secret
from harness import wait_for

AUDIENCE = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool/providers/cluster"
PROVIDER = "https://container.googleapis.com/v1/projects/demo/locations/europe-west3/clusters/main"
FOREIGN = "status 400 invalid_grant"


@pytest.fixture(scope="module")
def cluster_keys(cluster):
    """What the API server signs tokens with, {kid: key}."""
    def number(text):
        return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")
    keys = json.loads(cluster.kubectl("get", "--raw", "/openid/v1/jwks").stdout)["keys"]
    return {k["kid"]: RSAPublicNumbers(number(k["e"]), number(k["n"])).public_key() for k in keys}


@pytest.fixture
def esod(make_operator, gcp):
    gcp.put("db", "value")
    return make_operator(plugins=[gcp_plugin(gcp)]).start()


def service_account(space, name, email=None):
    meta = {"name": name, "namespace": space.name, **({"annotations": {"iam.gke.io/gcp-service-account": email}} if email else {})}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def config_map(space, name, document):
    text = document if isinstance(document, str) else json.dumps(document)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space.name}, "data": {"config": text}}


def not_ready(cluster, space, name):
    return wait_for(lambda: cluster.failed("SecretStore", name, space.name, reason="InvalidProviderConfig"))


def reads(space, store, name=None):
    space.external_secret(name or store, store, {"k": "db"}, kind="SecretStore")
    space.synced(name or store, {"k": "value"})


def who_read(gcp):
    """The principals of the tokens that are out."""
    return [who for who, _ in gcp.identity.tokens.values()]


# ---- Workload Identity

def workload(name, **cluster_of):
    return {"workloadIdentity": {"serviceAccountRef": {"name": name}, **cluster_of}}


def test_workload_identity(esod, gcp, cluster, cluster_keys, space):
    """With the names of the cluster from the metadata server or the spec, as itself or as a Google account."""
    gcp.identity.clusters["demo.svc.id.goog", PROVIDER] = cluster_keys
    robot = gcp.account("robot")
    cluster.apply(service_account(space, "plain"), service_account(space, "acting", robot.email),
                  gcp_store("plain", space.name, key=None, project=None, auth=workload("plain")),
                  gcp_store("acting", space.name, key=None, auth=workload(
                      "acting", clusterProjectID="demo", clusterName="main", clusterLocation="europe-west3")))
    reads(space, "plain")
    assert f"demo.svc.id.goog[{space.name}/plain]" in who_read(gcp)
    assert not_ready(cluster, space, "acting") == (
        "unable to create client: unable to generate gcp access token: generateAccessToken: status 403 PERMISSION_DENIED "
        "(IAM_PERMISSION_DENIED); grant the account a role for that in this project")
    gcp.identity.impersonators.add((f"demo.svc.id.goog[{space.name}/acting]", robot.email))
    wait_for(lambda: cluster.ready("SecretStore", "acting", space.name))
    reads(space, "acting")
    assert robot.email in who_read(gcp)


def test_workload_identity_that_does_not_work(esod, gcp, cluster, cluster_keys, space):
    gcp.attributes.pop("cluster-name")
    cluster.apply(gcp_store("lost", space.name, key=None, auth=workload("late")),
                  gcp_store("unknown", space.name, key=None, auth=workload("late", clusterName="other")))
    assert 'serviceaccounts "late" not found' in not_ready(cluster, space, "lost")
    cluster.apply(service_account(space, "late"))
    wait_for(lambda: "unable to determine cluster name: nothing around esod tells; set auth.workloadIdentity.clusterName"
             in not_ready(cluster, space, "lost"))
    wait_for(lambda: "unable to fetch identitybindingtoken: securetoken: status 400 invalid_target"
             in not_ready(cluster, space, "unknown"))


# ---- Workload Identity Federation

def federation(name, space, **block):
    return gcp_store(name, space.name, key=None, auth={"workloadIdentityFederation": block})


def test_federation_with_the_cluster(esod, gcp, cluster, cluster_keys, space):
    gcp.identity.trust_cluster(AUDIENCE, cluster_keys, "sts.googleapis.com")
    robot, other = gcp.account("robot"), gcp.account("other")
    me = f"principal:{space.name}/acting"
    gcp.identity.impersonators |= {(me, robot.email), (me, other.email)}
    ref = {"name": "acting", "audiences": ["sts.googleapis.com"]}
    cluster.apply(service_account(space, "acting", robot.email), service_account(space, "plain"),
                  federation("plain", space, audience=AUDIENCE, serviceAccountRef={**ref, "name": "plain"}),
                  federation("acting", space, audience=AUDIENCE, serviceAccountRef=ref),
                  federation("named", space, audience=AUDIENCE, serviceAccountRef=ref, gcpServiceAccountEmail=other.email))
    for name in ("plain", "acting", "named"):
        reads(space, name)
    assert {f"principal:{space.name}/plain", me, robot.email, other.email} <= set(who_read(gcp))


class TokenSource:
    """Somebody's identity provider: hands out a token to who sends the right header."""

    def __init__(self):
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                right = self.headers.get("X-Please") == "yes"
                body = json.dumps({"id.token": source.token}).encode() if right else b"planted"
                self.send_response(200 if right else 403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.token = ""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def source():
    made = TokenSource()
    yield made
    made.close()


def external(**source_of):
    return {"type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token", "credential_source": source_of}


def token_of(cluster, space, name, audience):
    made = cluster.call("POST", f"/api/v1/namespaces/{space.name}/serviceaccounts/{name}/token",
                        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [audience]}})
    return made["status"]["token"]


def test_federation_with_a_credential_configuration(esod, gcp, cluster, cluster_keys, space, source):
    gcp.identity.trust_cluster(AUDIENCE, cluster_keys, "outside")
    robot = gcp.account("robot")
    gcp.identity.impersonators.add((f"principal:{space.name}/outside", robot.email))
    cluster.apply(service_account(space, "outside"))
    source.token = token_of(cluster, space, "outside", "outside")
    good = external(url=source.url, headers={"X-Please": "yes"},
                    format={"type": "json", "subject_token_field_name": "id.token"})
    acting = {**good, "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
              f"{robot.email}:generateAccessToken", "service_account_impersonation": {"token_lifetime_seconds": 1200}}
    cluster.apply(config_map(space, "good", good), config_map(space, "acting", acting))
    for name in ("good", "acting"):
        cluster.apply(federation(name, space, credConfig={"name": name, "key": "config"}, externalTokenEndpoint=source.url))
        reads(space, name)
    assert any('"lifetime":"1200s"' in (body or b"").decode() for name, _, body in gcp.requests if name.endswith("generateAccessToken"))

    invalid = "unable to create client: invalid external account config: "
    of = "the credential source of key config of ConfigMap wrong "
    for document, said in (
            (external(executable={"command": "/bin/planted"}), of + "runs a program, which esod does not"),
            (external(environment_id="aws1"), of + "is a machine of AWS; set awsSecurityCredentials of the store instead"),
            (external(), of + "is neither a file nor a url"),
            (external(file="/var/run/secrets/kubernetes.io/serviceaccount/token"),
             of + "is esod's own token; set serviceAccountRef of the store instead"),
            (external(url=source.url + "s"), of + "is a url that does not match externalTokenEndpoint of the store"),
            ({**good, "token_url": "https://sts.googleapis.com.evil.example/v1/token"},
             "key config of ConfigMap wrong: the token URL is not that of Google's token service"),
            ({**good, "token_url": "https://sts.evil.example/v1/token"},
             "key config of ConfigMap wrong: the token URL is not that of Google's token service"),
            ({**acting, "service_account_impersonation_url": "https://evil.example/v1/projects/-/serviceAccounts/a:generateAccessToken"},
             "key config of ConfigMap wrong: the impersonation URL is not one of Google's"),
            ({**acting, "service_account_impersonation": {"token_lifetime_seconds": "1s\\"}},
             "key config of ConfigMap wrong: the lifetime of tokens is no whole number of seconds"),
            ({**good, "type": "service_account"}, "key config of ConfigMap wrong is not of type external_account"),
            ("{planted", "key config of ConfigMap wrong is not JSON")):
        cluster.apply(config_map(space, "wrong", document),
                      federation("wrong", space, credConfig={"name": "wrong", "key": "config"}, externalTokenEndpoint=source.url))
        wait_for(lambda: not_ready(cluster, space, "wrong") == invalid + said)
    assert "planted" not in esod.log
    for token, headers, said in (("nonsense", {"X-Please": "yes"}, "the token service: status 400 invalid_grant"),
                                 ("", {"X-Please": "yes"}, "the credential source (url) gave no token"),
                                 ("", {}, "the credential source (url): status 403")):
        source.token = token
        cluster.apply(config_map(space, "bad-token", {**good, "credential_source": {**good["credential_source"], "headers": headers}}),
                      federation("bad-token", space, credConfig={"name": "bad-token", "key": "config"},
                                 externalTokenEndpoint=source.url))
        wait_for(lambda: "unable to get credentials: " + said in not_ready(cluster, space, "bad-token"))


def signer(keys):
    """signs(method, url, headers) of identity.py, with botocore for AWS."""
    def signs(method, url, headers):
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(\w+)/\d+/([\w-]+)/sts/aws4_request, SignedHeaders=(\S+), Signature=(\w+)",
                             headers["authorization"])
        key_id, region, signed, signature = found.groups()
        if key_id not in keys or headers["host"] != f"sts.{region}.amazonaws.com":
            return None
        secret, token = keys[key_id]
        if token != headers.get("x-amz-security-token"):
            return None
        request = AWSRequest(method, url, headers={n: headers[n] for n in signed.split(";")})
        request.context["timestamp"] = headers["x-amz-date"]
        aws = SigV4Auth(Credentials(key_id, secret), "sts", region)
        text = aws.string_to_sign(request, aws.canonical_request(request))
        return "arn:aws:iam::1:user/robot" if aws.signature(text, request) == signature else None
    return signs


def test_federation_with_aws(esod, gcp, cluster, space):
    gcp.identity.trust_aws(AUDIENCE, signer({"AKIAROBOT": ("right", None), "ASIAROBOT": ("right", "session/+=")}))

    def aws(name, **values):
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": space.name}, "stringData": values}

    cluster.apply(aws("long", aws_access_key_id="AKIAROBOT", aws_secret_access_key="right"),
                  aws("short", aws_access_key_id="ASIAROBOT", aws_secret_access_key="right", aws_session_token="session/+="),
                  aws("wrong", aws_access_key_id="AKIAROBOT", aws_secret_access_key="planted"),
                  aws("half", aws_access_key_id="AKIAROBOT", aws_secret_access_key=""))
    for name in ("long", "short", "wrong", "half"):
        cluster.apply(federation(name, space, audience=AUDIENCE, awsSecurityCredentials={
            "region": "eu-central-1", "awsCredentialsSecretRef": {"name": name}}))
    reads(space, "long")
    reads(space, "short")
    assert set(who_read(gcp)) == {"principal:arn:aws:iam::1:user/robot"}
    assert FOREIGN in not_ready(cluster, space, "wrong")
    assert "keys must be present in AwsSecurityCredentials secret half" in not_ready(cluster, space, "half")
    assert "planted" not in esod.log


# ---- what surrounds esod

def test_application_default_credentials(make_operator, gcp, cluster, cluster_keys, space, tmp_path, monkeypatch):
    """The metadata server, unless a file is named and granted; then that, whatever it is."""
    gcp.put("db", "value")
    robot, machine = gcp.account("robot"), gcp.account("machine")
    gcp.identity.instance = machine.email
    gcp.identity.users["1//refresh"] = ("client", "planted-secret", "user:anna")
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps(robot.key_file("demo")))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    granted = ["env:GOOGLE_APPLICATION_CREDENTIALS", "file:$GOOGLE_APPLICATION_CREDENTIALS"]
    plain = make_operator(plugins=[gcp_plugin(gcp)]).start()
    cluster.apply(gcp_store("machine", space.name, key=None, project=None))
    reads(space, "machine")
    assert set(who_read(gcp)) == {machine.email}
    gcp.identity.instance = None
    cluster.apply(gcp_store("nobody", space.name, key=None))
    assert "the metadata server: status 404 NOT_FOUND" in not_ready(cluster, space, "nobody")
    plain.stop()

    for text, who in ((json.dumps(robot.key_file("demo")), robot.email),
                      (json.dumps({"type": "authorized_user", "client_id": "client", "client_secret": "planted-secret",
                                   "refresh_token": "1//refresh"}), "user:anna")):
        path.write_text(text)
        gcp.identity.tokens.clear()
        esod = make_operator(plugins=[gcp_plugin(gcp, ambient=granted)]).start()
        name = who.partition("@")[0].replace(":", "-")
        cluster.apply(gcp_store(name, space.name, key=None))
        reads(space, name)
        assert set(who_read(gcp)) == {who}
        esod.stop()
    path.write_text(json.dumps({"type": "gdch_service_account"}))
    esod = make_operator(plugins=[gcp_plugin(gcp, ambient=granted)]).start()
    cluster.apply(gcp_store("other", space.name, key=None))
    assert "is of another type than service_account, external_account and authorized_user" in not_ready(cluster, space, "other")


# ---- each consumer for himself

def test_each_consumer_has_his_own_key(esod, gcp, cluster, space):
    """A ClusterSecretStore that does not say in which namespace its key is."""
    account = gcp.account("one")
    cluster.apply(gcp_store(space.name))
    try:
        wait_for(lambda: cluster.ready("ClusterSecretStore", space.name))
        assert gcp.asked("/token") == 0
        space.external_secret("app", data={"k": "db"})
        assert f'cannot get Kubernetes secret "key" from namespace "{space.name}"' in space.failed("app")
        cluster.apply(key_secret(gcp, space.name, account))
        space.synced("app", {"k": "value"})
        assert who_read(gcp) == [account.email]
    finally:
        cluster.delete("ClusterSecretStore", space.name)
