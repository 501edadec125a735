"""Whose credentials the aws plugin signs with, how AWS is asked again, and what is said when it refuses.

moto judges signatures, rights and external ids; the proxy before it notes what was sent and makes trouble."""

import base64
import http.server
import json
import re
import secrets as chance
import subprocess
import sys
import threading
import time

import pytest

import aws as servers
from aws import REGION, Keys, allow, keys_secret, store
from harness import ROOT, Space, wait_for

READ = "secretsmanager:GetSecretValue"
ACCOUNT = f"arn:aws:iam::{servers.ACCOUNT}"


@pytest.fixture(scope="module", autouse=True)
def reader(aws_server):
    """A user that may read, and the secret that all tests want."""
    aws_server.client("secretsmanager").create_secret(Name="credentials/db", SecretString="hello from AWS")
    return aws_server.user("reader", allow(READ))


@pytest.fixture
def unique():
    return f"u{chance.token_hex(4)}"


def wants(space, name, store_name=None, **spec):
    ref = {"name": store_name or name, "kind": spec.pop("kind", "SecretStore")}
    space.external_secret(name, data={"v": "credentials/db"}, **{"secretStoreRef": ref, **spec})


def gets(space, *names):
    for name in names:
        space.synced(name, {"v": "hello from AWS"})


def make_store(cluster, space, name, keys=None, **spec):
    """A store with a Secret of its own for the keys; without keys, with no auth."""
    if keys:
        cluster.apply(keys_secret(space, keys, f"{name}-keys"))
    cluster.apply(store(space, name, keys=keys and f"{name}-keys", **spec))


# ---- keys of a Secret

def test_keys_that_do_not_work_are_told_apart(aws, aws_operator, cluster, space, reader, unique):
    aws_operator()
    make_store(cluster, space, "wrong", Keys(reader.id, "wrong"))
    make_store(cluster, space, "unknown", Keys("AKIAUNKNOWNUNKNOWN00", "wrong"))
    make_store(cluster, space, "powerless", aws.user(unique))
    make_store(cluster, space, "right", reader)
    for name in ("wrong", "unknown", "powerless", "right"):
        wants(space, name)
    gets(space, "right")
    assert space.failed("wrong").endswith(
        "GetSecretValue of credentials/db: AWS answers SignatureDoesNotMatch (status 403): the secret access key does not "
        "belong to the access key, or the clocks differ")
    assert space.failed("unknown").endswith(
        "GetSecretValue of credentials/db: AWS answers InvalidClientTokenId (status 403): AWS does not know this access key "
        "or session token")
    assert space.failed("powerless").endswith(
        f"GetSecretValue of credentials/db: AWS answers AccessDenied (status 403): {ACCOUNT}:user/{unique} may not {READ}")


def test_rotated_keys_count_at_once(aws, aws_operator, cluster, space, reader, unique):
    aws_operator()
    before = aws.user(unique, allow(READ))
    make_store(cluster, space, "rotated", before)
    wants(space, "rotated")
    gets(space, "rotated")
    aws.client("iam").delete_access_key(UserName=unique, AccessKeyId=before.id)
    wants(space, "late", "rotated")
    assert "InvalidClientTokenId" in space.failed("late")
    cluster.apply(keys_secret(space, reader, "rotated-keys"))
    space.synced("late", {"v": "hello from AWS"}, timeout=5)  # its backoff would take longer, and its interval is an hour
    assert aws.requests()[-1].key_id == reader.id


def test_temporary_keys_and_what_is_missing_in_a_secret(aws, aws_operator, cluster, space, reader, unique):
    role = aws.role(unique, allow(READ))
    got = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="by-hand")["Credentials"]
    aws_operator()
    make_store(cluster, space, "temporary", Keys(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"]), token=True)
    make_store(cluster, space, "tokenless", Keys(got["AccessKeyId"], got["SecretAccessKey"]), token=True)
    wants(space, "temporary")
    gets(space, "temporary")
    message = wait_for(lambda: cluster.failed("SecretStore", "tokenless", space.name, "InvalidProviderConfig"))
    assert message.endswith('cannot find secret data for key: "token"'), message


# ---- roles

def test_roles_in_a_row_with_external_id_and_tags(aws, aws_operator, cluster, space, unique):
    first = aws.role(f"{unique}-1", allow("sts:AssumeRole"))
    last = aws.role(f"{unique}-2", allow(READ), external_id="for us & you")
    assumer = aws.user(unique, allow("sts:AssumeRole"))
    tags = [{"key": "team", "value": "blue green"}, {"key": "stage", "value": "test"}]
    aws_operator()
    make_store(cluster, space, "roles", assumer, additionalRoles=[first], role=last, externalID="for us & you",
               sessionTags=tags, transitiveTagKeys=["team"])
    wants(space, "roles")
    gets(space, "roles")
    one, two = [r for r in aws.requests("^sts.AssumeRole$")][:2]
    assert one.key_id == assumer.id
    assert one.form == {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": first, "DurationSeconds": "900",
                        "RoleSessionName": "external-secrets-provider-aws"}
    assert two.key_id.startswith("ASIA") and "x-amz-security-token" in two.headers
    assert two.form == {**one.form, "RoleArn": last, "ExternalId": "for us & you", "Tags.member.1.Key": "team",
                        "Tags.member.1.Value": "blue green", "Tags.member.2.Key": "stage", "Tags.member.2.Value": "test",
                        "TransitiveTagKeys.member.1": "team"}
    assert aws.requests("GetSecretValue")[-1].key_id not in (assumer.id, two.key_id)

    make_store(cluster, space, "stranger", assumer, role=last, externalID="guessed")
    make_store(cluster, space, "simple", assumer, role=first, sessionTags=tags, sessionTagsPolicy="Simple")
    make_store(cluster, space, "custom", assumer, role=first, sessionTags=tags, sessionTagsPolicy="Custom",
               customSessionTags={"cost": "42"})
    message = wait_for(lambda: cluster.failed("SecretStore", "stranger", space.name, "InvalidProviderConfig"))
    assert message.endswith(f"AssumeRole of {last}: AWS answers AccessDenied (status 403): {ACCOUNT}:user/{unique} may not "
                            "sts:AssumeRole"), message
    for name in ("simple", "custom"):
        wait_for(lambda: cluster.ready("SecretStore", name, space.name))
    tagged = {}
    for r in aws.requests("^sts.AssumeRole$"):
        sent = {r.form[f"Tags.member.{i}.Key"]: r.form[f"Tags.member.{i}.Value"] for i in range(1, 9) if f"Tags.member.{i}.Key" in r.form}
        tagged[sent.get("esoStoreName")] = sent
    assert tagged["simple"] == {"esoNamespace": space.name, "esoStoreName": "simple", "esoStoreKind": "SecretStore"}
    assert tagged["custom"] == {"esoNamespace": space.name, "esoStoreName": "custom", "esoStoreKind": "SecretStore", "cost": "42"}


def test_a_cluster_store_tags_each_namespace_by_itself(aws, aws_operator, cluster, space, reader, unique):
    """What one namespace's session may read is no other's, although the store and the key are the same."""
    role = aws.role(unique, allow(READ))
    cluster.apply(keys_secret(space, aws.user(unique, allow("sts:AssumeRole"))))
    made = store(space, unique, role=role, sessionTagsPolicy="Simple")
    made["kind"] = "ClusterSecretStore"
    del made["metadata"]["namespace"]
    for ref in made["spec"]["provider"]["aws"]["auth"]["secretRef"].values():
        ref["namespace"] = space.name
    space._stores.append(unique)
    other = Space(cluster, f"{space.name}-b")
    try:
        aws_operator()
        cluster.apply(made)
        wait_for(lambda: cluster.ready("ClusterSecretStore", unique))
        assert aws.requests() == []  # nobody uses it yet
        for s in (space, other):
            wants(s, "es", unique, kind="ClusterSecretStore")
        for s in (space, other):
            gets(s, "es")
        tags = [{r.form[f"Tags.member.{i}.Key"]: r.form[f"Tags.member.{i}.Value"] for i in (1, 2, 3)} for r in aws.requests("sts.AssumeRole")]
        assert sorted(t.pop("esoNamespace") for t in tags) == [space.name, other.name]
        assert all(t == {"esoStoreName": unique, "esoStoreKind": "ClusterSecretStore"} for t in tags)
        assert len({r.key_id for r in aws.requests("GetSecretValue")}) == 2
    finally:
        other.remove()


def claims(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_a_service_account_stands_for_a_role(aws, aws_operator, cluster, space, reader, unique):
    role = aws.role(unique, allow(READ))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "namespace": space.name}}
    cluster.apply(account)
    aws_operator()
    auth = {"jwt": {"serviceAccountRef": {"name": "app", "audiences": ["extra"]}}}
    make_store(cluster, space, "irsa", auth=auth)
    wants(space, "irsa")
    message = wait_for(lambda: cluster.failed("SecretStore", "irsa", space.name, "InvalidProviderConfig"))
    assert message.endswith(f"an IAM role must be associated with service account app (namespace: {space.name}): annotate it "
                            "with eks.amazonaws.com/role-arn"), message

    account["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": role, "eks.amazonaws.com/audience": "sts.example"}
    cluster.apply(account)
    gets(space, "irsa")
    asked = aws.requests("sts.AssumeRoleWithWebIdentity")[-1]
    token = asked.form.pop("WebIdentityToken")
    assert asked.form == {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role,
                          "RoleSessionName": "external-secrets-provider-aws"}
    assert asked.key_id is None
    assert claims(token)["sub"] == f"system:serviceaccount:{space.name}:app"
    assert sorted(claims(token)["aud"]) == ["extra", "sts.example"]
    review = cluster.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token, "audiences": ["sts.example"]}})
    assert review["status"].get("authenticated"), review["status"]


def test_a_cluster_store_logs_in_where_it_is_used(aws, aws_operator, cluster, space, reader, unique):
    aws_operator()
    made = store(space, unique, keys="local-keys")
    made["kind"] = "ClusterSecretStore"
    del made["metadata"]["namespace"]
    space._stores.append(unique)
    cluster.apply(made)
    wait_for(lambda: cluster.ready("ClusterSecretStore", unique))
    wants(space, "used", unique, kind="ClusterSecretStore")
    assert "local-keys" in space.failed("used")
    cluster.apply(keys_secret(space, reader, "local-keys"))
    gets(space, "used")


# ---- esod's own credentials

class Agent:
    """A small service that hands out credentials: to whom brings a token, as containers and instances have it."""

    def __init__(self, keys):
        self.seen = []
        document = json.dumps({"Code": "Success", "AccessKeyId": keys.id, "SecretAccessKey": keys.secret, "Token": keys.token,
                               "Expiration": "2099-01-01T00:00:00Z"}).encode()
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self):
                agent.seen.append(("PUT", self.path))
                ok = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
                self.answer(200, b"imds-token") if ok else self.answer(400)

            def do_GET(self):
                agent.seen.append(("GET", self.path))
                role = "/latest/meta-data/iam/security-credentials/"
                if self.path == "/container":
                    self.answer(200, document) if self.headers["Authorization"] == "container-token" else self.answer(401)
                elif self.headers["X-aws-ec2-metadata-token"] != "imds-token":
                    self.answer(401)
                elif self.path == role:
                    self.answer(200, b"the-role")
                else:
                    self.answer(200, document) if self.path == role + "the-role" else self.answer(404)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def agent(aws, unique):
    role = aws.role(f"{unique}-agent", allow(READ))
    got = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="agent")["Credentials"]
    made = Agent(Keys(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"]))
    yield made
    made.close()


def variables(kind, aws, agent, reader, folder, unique):
    """The environment in which `kind` is where esod's credentials are."""
    if kind == "environment":
        return {"AWS_ACCESS_KEY_ID": reader.id, "AWS_SECRET_ACCESS_KEY": reader.secret}
    if kind == "token file":
        (folder / "token").write_text("a.web.identity\n")
        return {"AWS_ROLE_ARN": aws.role(unique, allow(READ)), "AWS_WEB_IDENTITY_TOKEN_FILE": folder / "token"}
    if kind == "profile":
        (folder / "credentials").write_text(f"[base]\naws_access_key_id = {aws.user(unique, allow('sts:AssumeRole')).id}\n")
        key = aws.client("iam").create_access_key(UserName=unique)["AccessKey"]
        (folder / "credentials").write_text(f"[base]\naws_access_key_id = {key['AccessKeyId']}\n"
                                            f"aws_secret_access_key = {key['SecretAccessKey']}\n")
        (folder / "config").write_text(f"[profile work]\nrole_arn = {aws.role(unique, allow(READ))}\nsource_profile = base\n")
        return {"AWS_SHARED_CREDENTIALS_FILE": folder / "credentials", "AWS_CONFIG_FILE": folder / "config", "AWS_PROFILE": "work"}
    if kind == "container":
        (folder / "token").write_text("container-token\n")
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url + "/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": folder / "token"}
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": agent.url, "AWS_EC2_METADATA_DISABLED": None}


@pytest.mark.parametrize("kind", ["environment", "token file", "profile", "container", "instance"])
def test_a_store_without_auth_has_esods_credentials(aws, aws_operator, cluster, space, agent, reader, tmp_path, unique, kind):
    aws_operator(**variables(kind, aws, agent, reader, tmp_path, unique))
    make_store(cluster, space, "own")
    wants(space, "own")
    gets(space, "own")
    assert (("GET", "/container") in agent.seen) == (kind == "container")
    assert (("PUT", "/latest/api/token") in agent.seen) == (kind == "instance")


def test_what_is_not_granted_is_not_used(aws, aws_operator, cluster, space, reader):
    """Also not the endpoints: led nowhere by the environment, a store would ask AWS itself, so none is asked here."""
    aws_operator(ambient=None, AWS_ACCESS_KEY_ID=reader.id, AWS_SECRET_ACCESS_KEY=reader.secret)
    make_store(cluster, space, "own")
    message = wait_for(lambda: cluster.failed("SecretStore", "own", space.name, "InvalidProviderConfig"))
    assert message.endswith("the store has no auth, and the aws plugin may not use the credentials of esod: grant it env:AWS_* "
                            "under ambient: in the configuration, or give the store an auth"), message
    assert aws.requests() == []


def test_no_credentials_anywhere(aws, aws_operator, cluster, space):
    aws_operator()
    make_store(cluster, space, "own")
    message = wait_for(lambda: cluster.failed("SecretStore", "own", space.name, "InvalidProviderConfig"))
    assert message.endswith("the store has no auth, and esod itself has no credentials of AWS: none in its environment, no token "
                            "file, no profile, no container endpoint, no instance role"), message


# ---- trouble

def test_trouble_that_passes(aws, aws_operator, cluster, space, reader):
    aws_operator()
    retry = {"maxRetries": 4, "retryInterval": "20ms"}
    made = store(space, "patient")
    made["spec"]["retrySettings"] = retry
    cluster.apply(keys_secret(space, reader), made)
    wait_for(lambda: cluster.ready("SecretStore", "patient", space.name))
    rules = [aws.rule("GetSecretValue", code="ThrottlingException", message="Rate exceeded"),
             aws.rule("GetSecretValue", status=429), aws.rule("GetSecretValue", cut="inside")]
    wants(space, "one", "patient")
    gets(space, "one")
    assert [r.hits for r in rules] == [1, 1, 1] and len(aws.requests("GetSecretValue")) == 4
    aws.proxy.seen.clear()
    rules = [aws.rule("GetSecretValue", cut=True), aws.rule("GetSecretValue", code="InternalServiceError", status=500)]
    wants(space, "two", "patient")
    gets(space, "two")
    assert [r.hits for r in rules] == [1, 1] and len(aws.requests("GetSecretValue")) == 3


def test_trouble_that_stays(aws, aws_operator, cluster, space, reader):
    aws_operator()
    made = store(space, "throttled")
    made["spec"]["retrySettings"] = {"maxRetries": 2, "retryInterval": "10ms"}
    cluster.apply(keys_secret(space, reader), made)
    with aws.rule("GetSecretValue", times=-1, code="ThrottlingException", message="Rate exceeded"):
        wants(space, "es", "throttled")
        assert space.failed("es").endswith(
            "GetSecretValue of credentials/db: AWS answers ThrottlingException (status 400), asked twice")
    gets(space, "es")
    made["spec"]["retrySettings"] = {"retryInterval": "often"}
    cluster.apply(made)
    message = wait_for(lambda: cluster.failed("SecretStore", "throttled", space.name, "InvalidProviderConfig"))
    assert message.endswith('retrySettings.retryInterval: "often" is no duration of at most an hour; write it as 500ms, 10s '
                            "or 1m30s"), message


def soon(xml):
    """An answer of STS whose credentials last two more seconds."""
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2.5))
    return re.sub(rb"<Expiration>[^<]*<", f"<Expiration>{end}<".encode(), xml)


def test_credentials_that_expire(aws, aws_operator, cluster, space, unique):
    assumer = aws.user(unique, allow("sts:AssumeRole"))
    role = aws.role(unique, allow(READ))
    aws_operator()
    make_store(cluster, space, "role", assumer, role=role)
    wait_for(lambda: cluster.ready("SecretStore", "role", space.name))
    wants(space, "known", "role")
    gets(space, "known")
    assert len(aws.requests("AssumeRole")) == 1  # for all of it

    refused = aws.rule("GetSecretValue", code="ExpiredTokenException", message="The security token included in the request is expired")
    wants(space, "refused", "role")
    gets(space, "refused")
    assert refused.hits == 1 and len(aws.requests("AssumeRole")) == 2

    earlier = len(aws.requests("GetSecretValue"))
    with aws.rule("AssumeRole", times=-1, edit=soon):
        make_store(cluster, space, "brief", assumer, role=role)
        wants(space, "brief", refreshInterval="1s")
        gets(space, "brief")
        before = len(aws.requests("AssumeRole"))
        wait_for(lambda: len(aws.requests("AssumeRole")) >= before + 2, 10)
    reads = aws.requests("GetSecretValue")[earlier:]
    wait_for(lambda: all(r.status for r in reads))  # the last one may be under way
    assert len(reads) >= 2 and {r.status for r in reads} == {200}

    with aws.rule("GetSecretValue", times=-1, code="ExpiredTokenException", message="x"):
        wants(space, "denied", "role")
        assert space.failed("denied").endswith(
            "GetSecretValue of credentials/db: AWS answers ExpiredTokenException (status 400): the credentials have expired")


def test_an_endpoint_that_is_not_awss(aws, aws_operator, cluster, space, reader):
    aws_operator()
    made = store(space, "proxied")
    made["spec"]["retrySettings"] = {"maxRetries": 1}
    cluster.apply(keys_secret(space, reader), made)
    with aws.rule("GetSecretValue", times=-1, status=404, body=b"<html>Not Found</html>"):
        wants(space, "es", "proxied", target={"name": "es", "deletionPolicy": "Delete"})
        assert space.failed("es").endswith("GetSecretValue of credentials/db: status 404 without an error code of AWS, asked "
                                           "once; is the endpoint one of AWS's?")


# ---- texts

@pytest.mark.parametrize("isolation", ["process", "none"])
def test_no_credential_is_told(aws, aws_operator, cluster, space, unique, isolation):
    """Whatever happens, neither keys nor tokens nor what AWS quotes stand in the log, in conditions or events."""
    assumer = aws.user(unique, allow("sts:AssumeRole"))
    role = aws.role(unique, allow(READ))
    operator = aws_operator(config={"isolation": isolation})
    make_store(cluster, space, "good", assumer, role=role)
    make_store(cluster, space, "bad", Keys(assumer.id, "s3cr3t-but-wrong"))
    quoted = aws.rule("GetSecretValue", code="ValidationException", message="you sent quoted-by-aws")
    wants(space, "good")
    space.failed("good")
    wants(space, "bad")
    space.failed("bad")
    assert quoted.hits == 1
    told = operator.log + json.dumps(cluster.list("ExternalSecret", space.name)) + json.dumps(cluster.list("Event", space.name))
    token = aws.requests("GetSecretValue")[-1].headers.get("x-amz-security-token", "")
    tokens = {r.headers["x-amz-security-token"] for r in aws.requests() if "x-amz-security-token" in r.headers} | {token}
    for secret in [assumer.secret, "s3cr3t-but-wrong", "quoted-by-aws", *filter(None, tokens)]:
        assert secret not in told


def test_a_region_that_is_none(aws, aws_operator, cluster, space, reader):
    aws_operator()
    make_store(cluster, space, "mars", reader, region="mars-north-x")
    message = wait_for(lambda: cluster.failed("SecretStore", "mars", space.name, "InvalidProviderConfig"))
    assert message.endswith("region not found: mars-north-x"), message


# ---- what the repository holds

@pytest.mark.parametrize("script", ["tests/unit/sdk/sigv4_vectors.py", "tests/unit/plugins/aws_endpoints.py"])
def test_committed_vectors_are_what_botocore_makes(script):
    made = subprocess.run([sys.executable, str(ROOT / script)], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    assert made.stdout == (ROOT / script.replace(".py", ".inc")).read_text()


def policies():
    """The IAM policies of the plugin's README, by the word in the line before each. moto asks for all resources at once."""
    text = (ROOT / "plugins/aws/README.md").read_text()
    found = {word: json.loads(body) for word, body in re.findall(r"<!-- policy: (\w+) -->\n+```json\n(.*?)```", text, re.S)}
    return {word: {**p, "Statement": [{**s, "Resource": "*"} for s in p["Statement"]]} for word, p in found.items()}


def test_the_readmes_policies_are_enough(aws, aws_operator, cluster, space, unique):
    given = policies()
    role = aws.role(unique, given["read"])
    aws_operator()
    make_store(cluster, space, "least", aws.user(unique, given["assume"]), role=role)
    wants(space, "least")
    gets(space, "least")
    # Neither is more than its word.
    make_store(cluster, space, "direct", aws.user(f"{unique}-2", given["assume"]))
    wants(space, "direct")
    assert f"may not {READ}" in space.failed("direct")
