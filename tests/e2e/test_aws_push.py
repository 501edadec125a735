"""PushSecrets to Secrets Manager, Parameter Store and Certificate Manager: what boto3 finds there afterwards, and what was written and what was not."""

import base64
import datetime
import json
import secrets as chance

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import harness
from aws import allow, keys_secret, page_actions, store
from harness import condition, wait_for

harness.KINDS.setdefault("PushSecret", ("external-secrets.io/v1alpha1", "pushsecrets", True))

WRITTEN = "Create|Put|Tag|Delete|Remove|Add|Replicate|Import"


@pytest.fixture
def prefix():
    return f"p{chance.token_hex(4)}/"


@pytest.fixture(scope="module")
def writer(aws_server):
    """Who may what the README says, and no more; tagging:GetResources is what moto calls tag:GetResources."""
    actions = page_actions("read", "push", "parameters", "pushparameters", "certificates") + ["tagging:GetResources"]
    return aws_server.user(f"u{chance.token_hex(4)}", allow(*actions))


@pytest.fixture
def pushes(aws, aws_operator, cluster, space, writer, prefix):
    """An operator, a store "sm" and a store "ps", both with the prefix, and pushes into them."""
    aws_operator()
    cluster.apply(keys_secret(space, writer), store(space, "sm", prefix=prefix, secretsManager={"forceDeleteWithoutRecovery": True}),
                  store(space, "ps", "ParameterStore", prefix="/" + prefix), store(space, "cm", "CertificateManager", prefix=prefix))
    for name in ("sm", "ps", "cm"):
        wait_for(lambda: cluster.ready("SecretStore", name, space.name))
    yield Pushes(cluster, space, aws, prefix)
    for left in cluster.list("PushSecret", space.name):
        cluster.patch("PushSecret", left["metadata"]["name"], {"metadata": {"finalizers": None}}, space.name)
    cluster.delete_all("PushSecret", space.name)


def push_data(key, secret_key="", property=None, metadata=None):
    remote = {"remoteKey": key, **({"property": property} if property else {})}
    match = {"remoteRef": remote, **({"secretKey": secret_key} if secret_key else {})}
    data = {"match": match}
    if metadata is not None:
        data["metadata"] = {"apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata", "spec": metadata}
    return data


class Pushes:
    def __init__(self, cluster, space, aws, prefix):
        self.cluster, self.space, self.aws, self.prefix = cluster, space, aws, prefix
        self.sm, self.ssm = aws.client("secretsmanager"), aws.client("ssm")

    def secret(self, name="source", **data):
        values = {k: base64.b64encode(v if isinstance(v, bytes) else v.encode()).decode() for k, v in data.items()}
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": self.space.name}, "data": values})

    def push(self, name, store_name, *data, source="source", **spec):
        self.cluster.apply({"apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
                            "metadata": {"name": name, "namespace": self.space.name},
                            "spec": {"refreshInterval": "1h", "secretStoreRefs": [{"name": store_name, "kind": "SecretStore"}],
                                     "selector": {"secret": {"name": source}}, "data": list(data), **spec}})

    def state(self, name):
        obj = self.cluster.get("PushSecret", name, self.space.name)
        cond = condition(obj) or {}
        return cond if (obj.get("status") or {}).get("syncedResourceVersion", "").startswith(f"{obj['metadata']['generation']}-") \
            or cond.get("status") == "False" else {}

    def done(self, name, store_name, *data, **spec):
        self.push(name, store_name, *data, **spec)

        def check():
            assert self.state(name).get("status") == "True", self.cluster.get("PushSecret", name, self.space.name).get("status")
            return True
        wait_for(check)

    def failed(self, name, store_name, *data, **spec):
        self.push(name, store_name, *data, **spec)
        return wait_for(lambda: self.state(name).get("status") == "False" and self.state(name)["message"])

    def value(self, key):
        got = self.sm.get_secret_value(SecretId=self.prefix + key)
        return got.get("SecretString", got.get("SecretBinary"))

    def tags(self, key):
        return {t["Key"]: t["Value"] for t in self.sm.describe_secret(SecretId=self.prefix + key).get("Tags", [])}

    def written(self):
        return [r.line.split(".")[1] for r in self.aws.requests(f"\\.({WRITTEN})")]

    def forget(self):
        self.aws.proxy.seen.clear()


# ---- Secrets Manager

def test_a_secret_is_made_and_kept_up(pushes):
    pushes.secret(user="bob", bytes=bytes(range(256)), password="a<&>\"ü")
    pushes.done("app", "sm", push_data("user", "user"), push_data("bytes", "bytes"),
                push_data("text", "password", metadata={"secretPushFormat": "string", "description": "of the app", "tags": {"team": "blue"}}))
    assert pushes.value("user") == b"bob" and pushes.value("bytes") == bytes(range(256)) and pushes.value("text") == "a<&>\"ü"
    assert pushes.tags("user") == {"managed-by": "external-secrets"}
    assert pushes.tags("text") == {"managed-by": "external-secrets", "team": "blue"}
    made = pushes.sm.describe_secret(SecretId=pushes.prefix + "user")
    assert made["Description"] == "secret 'managed-by:external-secrets'"
    assert {r.json()["KmsKeyId"] for r in pushes.aws.requests("CreateSecret")} == {"alias/aws/secretsmanager"}
    assert pushes.sm.describe_secret(SecretId=pushes.prefix + "text")["Description"] == "of the app"
    assert list(made["VersionIdsToStages"]) == ["00000000-0000-0000-0000-000000000001"]

    pushes.forget()
    again = [push_data("user", "user"), push_data("text", "password", metadata={"secretPushFormat": "string", "tags": {"team": "red"}})]
    pushes.done("app", "sm", *again)
    assert set(pushes.written()) == {"TagResource"}, "nothing else differs"
    assert pushes.tags("text") == {"managed-by": "external-secrets", "team": "red"}
    pushes.secret(user="eve", password="new")
    pushes.done("app", "sm", *again, refreshInterval="59m")
    wait_for(lambda: pushes.value("user") == b"eve" and pushes.value("text") == "new")


def test_whole_secrets_and_properties(pushes):
    pushes.secret(user="bob", password="<p>")
    pushes.done("whole", "sm", push_data("whole"))
    assert pushes.value("whole") == b'{"password":"<p>","user":"bob"}'
    pushes.done("into", "sm", push_data("parts", "user", "login.name"))
    assert json.loads(pushes.value("parts")) == {"login": {"name": "bob"}}
    pushes.done("also", "sm", push_data("parts", "password", "login.secret"))
    assert json.loads(pushes.value("parts")) == {"login": {"name": "bob", "secret": "<p>"}}
    pushes.done("plain", "sm", push_data("plain", "user"))
    assert pushes.failed("wrong", "sm", push_data("plain", "user", "p")).endswith(
        "PushSecret for aws secrets manager with a pushSecretData property requires a json secret")


def test_what_is_somebody_elses_stays(pushes):
    pushes.sm.create_secret(Name=pushes.prefix + "theirs", SecretString="theirs")
    pushes.secret(k="ours")
    assert pushes.failed("app", "sm", push_data("theirs", "k"), deletionPolicy="Delete").endswith("secret not managed by external-secrets")
    pushes.done("kept", "sm", push_data("theirs", "k"), updatePolicy="IfNotExists")
    assert pushes.value("theirs") == "theirs"
    pushes.cluster.delete("PushSecret", "app", pushes.space.name)
    wait_for(lambda: not pushes.cluster.get("PushSecret", "app", pushes.space.name))
    assert pushes.value("theirs") == "theirs"


POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                                                   "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}


def test_policy_replicas_and_deletion(pushes):
    pushes.secret(k="v")
    pushes.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rules", "namespace": pushes.space.name},
                          "data": {"policy": json.dumps(POLICY, indent=2)}})
    ruled = {"resourcePolicy": {"blockPublicPolicy": True, "policySourceRef": {"kind": "ConfigMap", "name": "rules", "key": "policy"}}}
    key = pushes.prefix + "ruled"
    pushes.done("app", "sm", push_data("ruled", "k", metadata={**ruled, "replicationLocations": ["eu-west-1", "us-east-1"]}), deletionPolicy="Delete")
    assert json.loads(pushes.sm.get_resource_policy(SecretId=key)["ResourcePolicy"]) == POLICY
    assert {r["Region"] for r in pushes.sm.describe_secret(SecretId=key)["ReplicationStatus"]} == {"eu-west-1", "us-east-1"}
    pushes.forget()
    pushes.done("app", "sm", push_data("ruled", "k", metadata={**ruled, "replicationLocations": ["us-east-1", "eu-north-1"]}), deletionPolicy="Delete")
    assert {r["Region"] for r in pushes.sm.describe_secret(SecretId=key)["ReplicationStatus"]} == {"eu-north-1", "us-east-1"}
    assert "PutResourcePolicy" not in pushes.written() and "PutSecretValue" not in pushes.written()
    pushes.done("app", "sm", push_data("ruled", "k"), deletionPolicy="Delete")
    assert "ResourcePolicy" not in pushes.sm.get_resource_policy(SecretId=key)
    missing = {"resourcePolicy": {"policySourceRef": {"kind": "Secret", "name": "nobody", "key": "k"}}}
    assert "failed to resolve resource policy: " in pushes.failed("other", "sm", push_data("ruled", "k", metadata=missing))
    pushes.cluster.delete("PushSecret", "app", pushes.space.name)
    wait_for(lambda: not pushes.cluster.get("PushSecret", "app", pushes.space.name))
    assert {"RemoveRegionsFromReplication", "DeleteSecret"} <= set(pushes.written())
    assert key not in [s["Name"] for s in pushes.sm.list_secrets(IncludePlannedDeletion=True)["SecretList"]]


@pytest.mark.parametrize("metadata, why", [
    ({"secretPushFormat": "hex"}, "invalid secret push format: hex"),
    ({"tags": {"managed-by": "me"}}, "error parsing tags in metadata: Cannot specify a 'managed-by' tag"),
    ({"color": "red"}, "color"),
    ({"replicationLocations": "eu-west-1"}, "spec.replicationLocations of the metadata is not a list of regions"),
    ({"secretPushFormat": "string"}, "is not UTF-8, so secretPushFormat has to be binary"),
], ids=["format", "mark", "unknown", "regions", "bytes"])
def test_metadata_that_cannot_be_says_why(pushes, metadata, why):
    pushes.secret(k=b"\xff\x00")
    assert why in pushes.failed("app", "sm", push_data("k", "k", metadata=metadata))
    assert not pushes.written()


# ---- Parameter Store

def test_parameters_are_made_kept_up_and_deleted(pushes):
    ssm, at = pushes.ssm, "/" + pushes.prefix
    pushes.secret(user="bob", password="ü")
    secure = {"secretType": "SecureString", "kmsKeyID": "alias/own", "description": "of the app", "tags": {"team": "blue"},
              "tier": {"type": "Advanced", "policies": [{"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "20", "Unit": "Days"}}]}}
    data = [push_data("user", "user"), push_data("password", "password", metadata=secure), push_data("whole"),
            push_data("decoded", metadata={"encodeAsDecoded": True})]
    pushes.done("app", "ps", *data, deletionPolicy="Delete")

    def value(key):
        return ssm.get_parameter(Name=at + key, WithDecryption=True)["Parameter"]["Value"]

    def tags(key):
        return {t["Key"]: t["Value"] for t in ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=at + key)["TagList"]}
    assert value("user") == "bob" and value("password") == "ü" and value("decoded") == '{"password":"ü","user":"bob"}'
    assert json.loads(value("whole")) == {"user": base64.b64encode(b"bob").decode(), "password": base64.b64encode("ü".encode()).decode()}
    made = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [at + "password"]}])["Parameters"][0]
    assert (made["Type"], made["KeyId"], made["Description"], made["Tier"]) == ("SecureString", "alias/own", "of the app", "Advanced")
    assert tags("user") == {"managed-by": "external-secrets"} and tags("password") == {"managed-by": "external-secrets", "team": "blue"}

    pushes.forget()
    pushes.done("app", "ps", *data, deletionPolicy="Delete", refreshInterval="59m")
    assert not pushes.written()
    data[1] = push_data("password", "password", metadata={**secure, "tags": {"tier": "a"}})
    pushes.done("app", "ps", *data, deletionPolicy="Delete")
    assert not pushes.written(), "as long as the value is the same, nothing is"
    pushes.secret(user="eve", password="new")
    wait_for(lambda: value("user") == "eve" and value("password") == "new")
    wait_for(lambda: tags("password") == {"managed-by": "external-secrets", "tier": "a"})

    ssm.put_parameter(Name=at + "theirs", Value="theirs", Type="String")
    assert pushes.failed("other", "ps", push_data("theirs", "user")).endswith("secret not managed by external-secrets")
    ssm.put_parameter(Name=at + "hidden", Value="sensitive", Type="String", Tags=[{"Key": "managed-by", "Value": "external-secrets"}])
    assert "unable to compare 'sensitive' result, ensure to request a decrypted value" in pushes.failed("hidden", "ps", push_data("hidden", "user"))
    pushes.secret("bytes", k=b"\xff")
    assert pushes.failed("bytes", "ps", push_data("k", "k"), source="bytes").endswith("is not UTF-8: a parameter holds text")
    assert "spec.secretType of the metadata is Text: it can be" in pushes.failed("type", "ps", push_data("k", "user", metadata={"secretType": "Text"}))

    pushes.cluster.delete("PushSecret", "app", pushes.space.name)
    wait_for(lambda: not pushes.cluster.get("PushSecret", "app", pushes.space.name))
    left = {p["Name"] for p in ssm.get_parameters_by_path(Path=at.rstrip("/"), Recursive=True)["Parameters"]}
    assert left == {at + "theirs", at + "hidden"}


# ---- Certificate Manager

def certificate(name, signer=None):
    """(certificate, key), both PEM; signed by `signer`, another such pair, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.load_pem_x509_certificate(signer[0]).subject if signer else subject
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key()).serial_number(
        x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1)).sign(
        serialization.load_pem_private_key(signer[1], None) if signer else key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def test_certificates_are_imported_replaced_and_deleted(pushes):
    acm = pushes.aws.client("acm")

    def here():
        found = pushes.aws.client("resourcegroupstaggingapi").get_resources(
            TagFilters=[{"Key": "external-secrets-remote-key", "Values": [pushes.prefix + "web"]}])["ResourceTagMappingList"]
        return [f["ResourceARN"] for f in found]

    def tags(arn):
        return {t["Key"]: t["Value"] for t in acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]}
    ca = certificate("ca.example")
    (leaf, key), (second, second_key) = certificate("web.example", ca), certificate("web.example")
    pushes.secret("tls", **{"tls.crt": leaf + ca[0], "tls.key": key})
    pushes.done("app", "cm", push_data("web", metadata={"tags": {"team": "blue"}}), source="tls", deletionPolicy="Delete")
    [arn] = here()
    marks = {"managed-by": "external-secrets", "external-secrets-remote-key": pushes.prefix + "web"}
    assert tags(arn) == {**marks, "team": "blue"}
    got = acm.get_certificate(CertificateArn=arn)
    assert got["Certificate"].encode() == leaf and got["CertificateChain"].encode().startswith(ca[0])

    pushes.forget()
    pushes.done("app", "cm", push_data("web", metadata={"tags": {"tier": "a"}}), source="tls", deletionPolicy="Delete")
    assert pushes.written() == ["RemoveTagsFromCertificate", "AddTagsToCertificate"]
    assert tags(arn) == {**marks, "tier": "a"}
    pushes.secret("tls", **{"tls.crt": second, "tls.key": second_key})
    wait_for(lambda: acm.get_certificate(CertificateArn=arn)["Certificate"].encode() == second)
    wait_for(lambda: here() == [arn])  # moto forgets tags with the old certificate
    pushes.done("there", "cm", push_data("web"), source="tls", updatePolicy="IfNotExists")
    pushes.forget()
    pushes.done("same", "cm", push_data("web"), source="tls")
    assert not pushes.written()

    assert "secretKey must be empty for the AWS Certificate Manager provider" in pushes.failed("key", "cm", push_data("web", "tls.key"), source="tls")
    pushes.secret("half", **{"tls.crt": leaf})
    assert 'key "tls.key" not found or empty in the secret' in pushes.failed("half", "cm", push_data("half"), source="half")
    pushes.secret("odd", **{"tls.crt": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "tls.key": key})
    assert 'failed to parse "tls.crt"' in pushes.failed("odd", "cm", push_data("odd"), source="odd")

    pushes.cluster.delete("PushSecret", "app", pushes.space.name)
    wait_for(lambda: not pushes.cluster.get("PushSecret", "app", pushes.space.name))
    assert not here()


def test_certificates_are_exported_once(pushes):
    acm = pushes.aws.client("acm")
    arn = acm.request_certificate(DomainName="web.example", Options={"Export": "ENABLED"})["CertificateArn"]
    leaf, key = certificate("web.example")
    closed = acm.import_certificate(Certificate=leaf, PrivateKey=key)["CertificateArn"]
    space = pushes.space

    def wants(name, ref=None, **spec):
        space.external_secret(name, "cm", ref and {"pem": ref}, kind="SecretStore", **{"secretStoreRef": {"name": "cm", "kind": "SecretStore"}, **spec})
    wants("app", arn)
    wait_for(lambda: pushes.cluster.ready("ExternalSecret", "app", space.name))
    pem = harness.decoded(pushes.cluster.get("Secret", "app", space.name))["pem"]
    found = x509.load_pem_x509_certificates(pem)
    assert found[0].public_bytes(serialization.Encoding.PEM).decode() == acm.get_certificate(CertificateArn=arn)["Certificate"]
    private = serialization.load_pem_private_key(pem[pem.index(b"-----BEGIN PRIVATE KEY"):], None)
    assert private.public_key() == found[0].public_key()
    wants("again", arn)
    wait_for(lambda: pushes.cluster.holds(space.name, "again", {"pem": pem}))
    asked = [r.line.split(".")[1] for r in pushes.aws.requests("^CertificateManager")]
    assert asked.count("ExportCertificate") == 1 and asked.count("GetCertificate") == 2
    wants("closed", closed)
    assert space.failed("closed").endswith(f"certificate {closed} is not exportable (Options.Export is not ENABLED)")
    wants("absent", arn[:-4] + "0000")
    assert space.failed("absent").endswith(f"failed to get certificate {arn[:-4]}0000: certificate not found")
    wants("find", dataFrom=[{"find": {"name": {"regexp": "."}}}])
    assert space.failed("find").endswith("operation not supported by AWS Certificate Manager provider")
