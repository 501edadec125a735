"""Secrets Manager and Parameter Store: what esod reads from moto, which judges signatures and rights, and what it says when it may not.

Credentials and endpoints have their own file, test_aws_credentials.py. boto3 writes what esod reads, past the proxy."""

import json
import re
import secrets as chance

import pytest

from aws import Keys, allow, keys_secret, page_actions, store
from harness import Space, wait_for

READS = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "ssm:GetParameter"]
DATA = "could not get secret data from provider: "


@pytest.fixture
def prefix():
    """Names at AWS that no other test has."""
    return f"t{chance.token_hex(4)}/"


def rights(aws, *actions):
    return aws.user(f"u{chance.token_hex(4)}", allow(*actions))


@pytest.fixture(scope="module")
def reader(aws_server):
    return rights(aws_server, *page_actions("read", "find", "parameters"))


@pytest.fixture
def open_store(cluster, space, reader):
    """open_store(service, **spec): a SecretStore of the space that is ready; returns its name."""
    def make(service="SecretsManager", name=None, keys=None, **spec):
        name = name or f"s{chance.token_hex(3)}"
        cluster.apply(keys_secret(space, keys or reader, f"{name}-keys"), store(space, name, service, f"{name}-keys", **spec))
        wait_for(lambda: cluster.ready("SecretStore", name, space.name))
        return name
    return make


def wants(space, name, store_name, data=None, **spec):
    space.external_secret(name, store_name, data, kind="SecretStore", **{"secretStoreRef": {"name": store_name, "kind": "SecretStore"}, **spec})


# ---- Secrets Manager

@pytest.mark.parametrize("isolation", ["process", "none"])
def test_what_a_secret_can_be(aws, aws_operator, space, open_store, prefix, isolation):
    sm = aws.client("secretsmanager")
    large = chance.token_hex(32767)  # AWS takes 65,536 bytes
    first = sm.create_secret(Name=prefix + "db", SecretString='{"user":"bob","a.b":"dotted","a":{"b":"path"},"n":1.50,"l":[1, 2]}')
    sm.put_secret_value(SecretId=prefix + "db", SecretString='{"user":"eve","a.b":"dotted","a":{"b":"path"},"n":1.50,"l":[1, 2]}')
    sm.put_secret_value(SecretId=prefix + "db", SecretString='{"user":"next"}', VersionStages=["AWSPENDING"])
    sm.create_secret(Name=prefix + "binary", SecretBinary=bytes(range(256)))
    sm.create_secret(Name=prefix + "large", SecretString=large)
    sm.create_secret(Name=prefix + "tagged", SecretString="x", Tags=[{"Key": "team", "Value": "blue"}, {"Key": "a<b", "Value": "1"}])
    aws_operator(config={"isolation": isolation})
    name = open_store(prefix=prefix)
    db = {"key": "db"}
    wants(space, "app", name, {
        "user": {**db, "property": "user"}, "dotted": {**db, "property": "a.b"},
        "path": {**db, "property": "a|b"}, "number": {**db, "property": "n"}, "list": {**db, "property": "l"},
        "previous": {**db, "property": "user", "version": "AWSPREVIOUS"}, "pending": {**db, "version": "AWSPENDING"},
        "by-id": {**db, "property": "user", "version": f"uuid/{first['VersionId']}"},
        "binary": "binary", "large": "large",
        "tags": {"key": "tagged", "metadataPolicy": "Fetch"}, "team": {"key": "tagged", "metadataPolicy": "Fetch", "property": "team"},
    }, dataFrom=[{"extract": {"key": "db", "version": "AWSPENDING"}}])
    space.synced("app", {
        "user": "eve", "dotted": "dotted", "path": "path", "number": "1.5", "list": "[1, 2]", "previous": "bob",
        "pending": '{"user":"next"}', "by-id": "bob", "binary": bytes(range(256)), "large": large,
        "tags": '{"a<b":"1","team":"blue"}', "team": "blue"})
    asked = [r.json() for r in aws.requests("GetSecretValue|DescribeSecret") if "SecretId" in r.json()]
    assert len(asked) == len({json.dumps(a, sort_keys=True) for a in asked}), "each key and version is read once"


def test_an_answer_may_be_larger_than_what_aws_takes(aws, aws_operator, space, open_store, prefix):
    aws.client("secretsmanager").create_secret(Name=prefix + "large", SecretString="x")
    aws_operator()
    name = open_store(prefix=prefix)
    with aws.rule("GetSecretValue", times=-1, edit=lambda _: json.dumps({"SecretString": "ü" * 200_000}).encode()):
        wants(space, "app", name, {"k": "large"})
        space.synced("app", {"k": "ü" * 200_000})


def test_what_is_not_there(aws, aws_operator, cluster, space, open_store, prefix):
    sm = aws.client("secretsmanager")
    sm.create_secret(Name=prefix + "there", SecretString='{"a":"1"}')
    sm.create_secret(Name=prefix + "going", SecretString="x")
    sm.delete_secret(SecretId=prefix + "going", RecoveryWindowInDays=7)
    aws_operator()
    name = open_store(prefix=prefix)
    for key, ref in {"absent": "absent", "going": "going", "stage": {"key": "there", "version": "NONE"}}.items():
        wants(space, key, name, {"k": ref})
        assert space.failed(key) == f"{DATA}error processing spec.data[0] (key: {ref if isinstance(ref, str) else ref['key']}), err: Secret does not exist"
    wants(space, "property", name, {"k": {"key": "there", "property": "b.c"}}, target={"deletionPolicy": "Delete"})
    assert space.failed("property").endswith("err: key b.c does not exist in secret there")
    wants(space, "deleted", name, {"k": "going"}, target={"deletionPolicy": "Delete"})
    wait_for(lambda: cluster.ready("ExternalSecret", "deleted", space.name))
    assert not cluster.get("Secret", "deleted", space.name)


def test_a_missing_right_names_itself(aws, aws_operator, cluster, space, open_store, prefix):
    aws.client("secretsmanager").create_secret(Name=prefix + "db", SecretString="x")
    aws_operator()
    name = open_store(prefix=prefix, keys=rights(aws, "ssm:GetParameter"))
    wants(space, "app", name, {"k": "db"})
    said = space.failed("app")
    # moto says AccessDenied where AWS says AccessDeniedException
    assert re.fullmatch(DATA + r"error processing spec.data\[0\] \(key: db\), err: GetSecretValue of t\w+/db: AWS answers AccessDenied "
                        r"\(status \d+\): arn:aws:iam::\d+:user/u\w+ may not secretsmanager:GetSecretValue", said), said
    wants(space, "tags", name, {"k": {"key": "db", "metadataPolicy": "Fetch"}})
    assert "DescribeSecret of " in space.failed("tags")
    wants(space, "find", name, dataFrom=[{"find": {"name": {"regexp": "."}}}])
    assert "error getting all secrets: ListSecrets of " in space.failed("find")
    wants(space, "path", name, dataFrom=[{"find": {"path": prefix, "name": {"regexp": "."}}}])
    assert "error getting all secrets: BatchGetSecretValue of " in space.failed("path")


# ---- find in Secrets Manager

def test_find(aws, aws_operator, space, open_store, prefix):
    sm = aws.client("secretsmanager")
    for key, value, tags in (("db-one", "1", {"team": "blue", "tier": "a"}), ("db-two", "2", {"team": "red", "tier": "blue"}),
                             ("web", "3", {"team": "blue", "tier": "b"})):
        sm.create_secret(Name=prefix + key, SecretString=value, Tags=[{"Key": prefix + k, "Value": v} for k, v in tags.items()])
    sm.create_secret(Name=prefix + "db-bytes", SecretBinary=b"\0\1")
    for i in range(25):
        sm.create_secret(Name=f"{prefix}many-{i}", SecretString=str(i))
    aws_operator()
    inside, plain = open_store(prefix=prefix), open_store()
    flat = prefix.replace("/", "_")

    def find(into, store_name, want, **find):
        wants(space, into, store_name, dataFrom=[{"find": find}])
        space.synced(into, want)
    find("by-name", inside, {"db-one": "1", "db-two": "2", "db-bytes": b"\0\1"}, name={"regexp": "^db-"})
    find("whole-name", plain, {flat + "db-one": "1", flat + "db-two": "2", flat + "db-bytes": b"\0\1"}, name={"regexp": f"^{prefix}db-"})
    find("name-and-tags", plain, {flat + "web": "3"}, name={"regexp": "web|two"}, tags={prefix + "team": "blue"})
    find("path", inside, {flat + "web": "3"}, path=prefix, name={"regexp": "web"})
    find("tags", plain, {flat + "web": "3"}, tags={prefix + "team": "blue", prefix + "tier": "b"})
    find("pages", inside, {f"many-{i}": str(i) for i in range(25)}, name={"regexp": "many"})
    wants(space, "neither", plain, dataFrom=[{"find": {"path": prefix}}])
    assert space.failed("neither").endswith("error getting all secrets: unexpected find operator")


def test_a_page_token_that_loops_is_noticed(aws, aws_operator, space, open_store, prefix):
    aws.client("secretsmanager").create_secret(Name=prefix + "a", SecretString="1")
    aws_operator()
    name = open_store(prefix=prefix)
    with aws.rule("ListSecrets", times=-1, body=b'{"SecretList": [], "NextToken": "again"}'):
        wants(space, "app", name, dataFrom=[{"find": {"name": {"regexp": "a"}}}])
        assert "ListSecrets: AWS answered with a page token that it gave before" in space.failed("app")


# ---- Parameter Store

def test_what_a_parameter_can_be(aws, aws_operator, space, open_store, prefix):
    ssm = aws.client("ssm")
    for value in ('{"user":"bob","a.b":"dotted"}', '{"user":"eve","a.b":"dotted"}'):
        ssm.put_parameter(Name=f"/{prefix}db", Value=value, Type="String", Overwrite=True)
    ssm.put_parameter(Name=f"/{prefix}key", Value="sésame\n", Type="SecureString", Tags=[{"Key": "team", "Value": "blue"}])
    ssm.put_parameter(Name=f"/{prefix}list", Value="a,b", Type="StringList")
    aws_operator()
    name = open_store("ParameterStore", prefix="/" + prefix)
    wants(space, "app", name, {
        "user": {"key": "db", "property": "user"}, "dotted": {"key": "db", "property": "a.b"},
        "before": {"key": "db", "version": "1", "property": "user"}, "key": "key", "list": "list",
        "tags": {"key": "key", "metadataPolicy": "Fetch"}, "team": {"key": "key", "metadataPolicy": "Fetch", "property": "team"},
    })
    space.synced("app", {"user": "eve", "dotted": "dotted", "before": "bob", "key": "sésame\n", "list": "a,b",
                         "tags": '{"team":"blue"}', "team": "blue"})
    wants(space, "absent", name, {"k": "absent"})
    assert space.failed("absent") == DATA + "error processing spec.data[0] (key: absent), err: Secret does not exist"
    wants(space, "property", name, {"k": {"key": "db", "property": "b"}})
    assert space.failed("property").endswith("err: key b does not exist in secret db")
    denied = open_store("ParameterStore", prefix="/" + prefix, keys=rights(aws, "secretsmanager:GetSecretValue"))
    wants(space, "denied", denied, {"k": "key"})
    assert re.search(r"GetParameter of /t\w+/key: AWS answers AccessDenied\w* .* may not ssm:GetParameter$", space.failed("denied"))


def test_find_parameters(aws, aws_operator, space, open_store, prefix):
    ssm = aws.client("ssm")
    flat = "_" + prefix.replace("/", "_")
    for i in range(23):
        ssm.put_parameter(Name=f"/{prefix}deep/p{i}", Value=str(i), Type="SecureString", Tags=[{"Key": prefix + "n", "Value": str(i % 2)}])
    ssm.put_parameter(Name=f"/{prefix}db", Value="db", Type="String")
    aws_operator()
    name = open_store("ParameterStore")
    poor = open_store("ParameterStore", prefix="/" + prefix,
                      keys=rights(aws, "ssm:GetParameter", "ssm:DescribeParameters"))

    def find(into, store_name, want, **find):
        wants(space, into, store_name, dataFrom=[{"find": find}])
        space.synced(into, want)
    many = {f"{flat}deep_p{i}": str(i) for i in range(23)}
    find("by-name", name, {**many, flat + "db": "db"}, name={"regexp": prefix})
    find("below-a-path", name, many, path="/" + prefix + "deep", name={"regexp": "p"})
    find("anchored", name, {f"{flat}deep_p{i}": str(i) for i in range(23) if i == 1 or 10 <= i < 20}, name={"regexp": f"^/{prefix}deep/p1"})
    assert [r.json()["Path"] for r in aws.requests("GetParametersByPath")][-1] == f"/{prefix}deep"
    find("tags", name, {k: v for k, v in many.items() if int(v) % 2}, tags={prefix + "n": "1"})
    find("tags-in-path", name, {k: v for k, v in many.items() if not int(v) % 2}, tags={prefix + "n": "0"}, path="/" + prefix)
    find("without-the-right", poor, {"deep_p2": "2", "deep_p20": "20", "deep_p21": "21", "deep_p22": "22"}, name={"regexp": "deep/p2"})
    wants(space, "neither", name, dataFrom=[{"find": {"path": "/"}}])
    assert space.failed("neither").endswith("error getting all secrets: unexpected find operator")


# ---- many at once

def count(aws, *operations):
    return {o: len(aws.requests(f"\\.{o}$")) for o in operations}


def test_many_keys_are_few_calls(aws, aws_operator, cluster, space, open_store, prefix):
    sm, ssm = aws.client("secretsmanager"), aws.client("ssm")
    for i in range(25):
        sm.create_secret(Name=f"{prefix}k{i}", SecretString=f"s{i}")
        ssm.put_parameter(Name=f"/{prefix}k{i}", Value=f"p{i}", Type="SecureString")
    ssm.put_parameter(Name=f"/{prefix}k0", Value="new", Type="SecureString", Overwrite=True)
    aws_operator()
    stores = {"sm": open_store(prefix=prefix), "ps": open_store("ParameterStore", prefix="/" + prefix)}
    wants(space, "sm", stores["sm"], {f"k{i}": f"k{i}" for i in range(25)})
    space.synced("sm", {f"k{i}": f"s{i}" for i in range(25)})
    assert count(aws, "BatchGetSecretValue", "GetSecretValue") == {"BatchGetSecretValue": 2, "GetSecretValue": 0}
    wants(space, "ps", stores["ps"], {"old": {"key": "k0", "version": "1"}, **{f"k{i}": f"k{i}" for i in range(25)}})
    space.synced("ps", {"old": "p0", "k0": "new", **{f"k{i}": f"p{i}" for i in range(1, 25)}})
    assert count(aws, "GetParameters", "GetParameter") == {"GetParameters": 3, "GetParameter": 1}

    def one_denied(answer):
        found = json.loads(answer)
        found["SecretValues"] = [v for v in found["SecretValues"] if v["Name"] != prefix + "k1"]
        found["Errors"] = [{"SecretId": prefix + "k1", "ErrorCode": "AccessDeniedException", "Message":
                            "User: arn:aws:iam::123456789012:user/u is not authorized to perform: secretsmanager:GetSecretValue on resource: x"}]
        return json.dumps(found).encode()
    with aws.rule("BatchGetSecretValue", times=-1, edit=one_denied):
        wants(space, "part", stores["sm"], {"k2": "k2", "k1": "k1"}, refreshInterval="2h")
        assert space.failed("part").endswith(f"GetSecretValue of {prefix}k1: AWS answers AccessDeniedException (status 400): "
                                             "arn:aws:iam::123456789012:user/u may not secretsmanager:GetSecretValue")
    wants(space, "gone", stores["sm"], {"k2": "k2", "k1": "absent"})
    assert space.failed("gone") == DATA + "error processing spec.data[1] (key: absent), err: Secret does not exist"


def test_without_the_right_to_read_many_each_is_read(aws, aws_operator, space, open_store, prefix):
    sm, ssm = aws.client("secretsmanager"), aws.client("ssm")
    for i in range(3):
        sm.create_secret(Name=f"{prefix}k{i}", SecretString=f"s{i}")
        ssm.put_parameter(Name=f"/{prefix}k{i}", Value=f"p{i}", Type="String")
    aws_operator()
    poor = rights(aws, *READS)
    for name, service, place, many, single in (("sm", "SecretsManager", prefix, "BatchGetSecretValue", "GetSecretValue"),
                                               ("ps", "ParameterStore", "/" + prefix, "GetParameters", "GetParameter")):
        made = open_store(service, prefix=place, keys=poor)
        for round in ("a", "b"):
            wants(space, name + round, made, {f"k{i}": f"k{i}" for i in range(3)})
            space.synced(name + round, {f"k{i}": f"{name[0]}{i}" for i in range(3)})
        asked = count(aws, many, single)
        assert asked[many] == 1 and 3 <= asked[single] <= 6, "it is asked for once"


# ---- stores

def test_a_cluster_store_serves_the_namespaces_that_it_names(aws, aws_operator, cluster, space, reader, prefix):
    """One store, two namespaces that may use it and one that may not."""
    aws.client("secretsmanager").create_secret(Name=prefix + "db", SecretString="shared")
    others = [Space(cluster, f"e2e-{chance.token_hex(4)}") for _ in range(2)]
    name = space.name
    try:
        cluster.apply(keys_secret(space, reader))
        made = store(space, name, prefix=prefix)
        made["kind"] = "ClusterSecretStore"
        del made["metadata"]["namespace"]
        for ref in made["spec"]["provider"]["aws"]["auth"]["secretRef"].values():
            ref["namespace"] = space.name
        made["spec"]["conditions"] = [{"namespaces": [space.name]}, {"namespaceRegexes": [f"^{others[0].name}$"]}]
        esod = aws_operator()
        cluster.apply(made)
        wait_for(lambda: cluster.ready("ClusterSecretStore", name))
        for where in (space, others[0]):
            where.external_secret("app", name, {"k": "db"})
            where.synced("app", {"k": "shared"})
        assert 'provider_api_calls_count{provider="AWS/SecretsManager",call="GetSecretValue",status="success"}' in esod.metrics()
        others[1].external_secret("app", name, {"k": "db"})
        assert others[1].failed("app").endswith(
            f'using cluster store "{name}" is not allowed from namespace "{others[1].name}": denied by spec.condition')
        assert not cluster.get("Secret", "app", others[1].name)
        assert len(aws.requests("GetSecretValue")) <= 2
    finally:
        cluster.delete("ClusterSecretStore", name)
        for other in others:
            other.remove()


@pytest.mark.parametrize("wrong, why", [
    ({"region": "mars-1"}, "region not found: mars-1"),
    ({"secretsManager": {"recoveryWindowInDays": 5}}, "invalid DeleteSecretInput: RecoveryWindowInDays must be between 7 and 30 days"),
    ({"secretsManager": {"recoveryWindowInDays": 7, "forceDeleteWithoutRecovery": True}},
     "invalid DeleteSecretInput: ForceDeleteWithoutRecovery conflicts with RecoveryWindowInDays"),
], ids=["region", "window", "conflict"])
def test_a_store_that_cannot_work_says_why(aws_operator, cluster, space, wrong, why):
    aws_operator()
    cluster.apply(keys_secret(space, Keys("id", "secret")), store(space, "wrong", **wrong))

    def said():
        message = cluster.failed("SecretStore", "wrong", space.name, reason="InvalidProviderConfig")
        assert why in message
        return True
    wait_for(said)
