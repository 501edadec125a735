"""Secrets Manager and Parameter Store: what esod reads from moto, which judges signatures and rights, and what it says when it may not.

Credentials and endpoints have their own file, test_aws_credentials.py. boto3 writes what esod reads, past the proxy."""

import json
import re
import secrets as chance

import pytest

from aws import Keys, REGION, allow, keys_secret, store
from harness import Space, wait_for

READS = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "ssm:GetParameter"]
MANY = ["secretsmanager:BatchGetSecretValue", "secretsmanager:ListSecrets", "ssm:GetParameters", "ssm:GetParametersByPath",
        "ssm:DescribeParameters", "ssm:ListTagsForResource"]


@pytest.fixture
def prefix():
    """Names at AWS that no other test has."""
    return f"t{chance.token_hex(4)}/"


def rights(aws, *actions):
    return aws.user(f"u{chance.token_hex(4)}", allow(*actions))


@pytest.fixture(scope="module")
def reader(aws_server):
    return rights(aws_server, *READS, *MANY)


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

def test_what_a_secret_can_be(aws, aws_operator, space, open_store, prefix):
    sm = aws.client("secretsmanager")
    large = chance.token_hex(32767)  # AWS takes 65,536 bytes
    first = sm.create_secret(Name=prefix + "db", SecretString='{"user":"bob","a.b":"dotted","a":{"b":"path"},"n":1.50,"l":[1, 2]}')
    sm.put_secret_value(SecretId=prefix + "db", SecretString='{"user":"eve","a.b":"dotted","a":{"b":"path"},"n":1.50,"l":[1, 2]}')
    sm.put_secret_value(SecretId=prefix + "db", SecretString='{"user":"next"}', VersionStages=["AWSPENDING"])
    sm.create_secret(Name=prefix + "binary", SecretBinary=bytes(range(256)))
    sm.create_secret(Name=prefix + "large", SecretString=large)
    sm.create_secret(Name=prefix + "tagged", SecretString="x", Tags=[{"Key": "team", "Value": "blue"}, {"Key": "a<b", "Value": "1"}])
    aws_operator()
    name = open_store(prefix=prefix)
    db = {"key": "db"}
    wants(space, "app", name, {
        "user": {**db, "property": "user"}, "dotted": {**db, "property": "a.b"}, "path": {**db, "property": "a.c|@this"},
    } | {
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
