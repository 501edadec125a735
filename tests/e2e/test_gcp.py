"""The gcp plugin against a server that checks what it is asked, and Google's own client beside it."""

import base64
import json
import threading

import pytest

from gcp import gcp_plugin, gcp_store, google_client, key_secret
from harness import build_dir, wait_for
from server import Answer

UNABLE = "unable to access Secret from SecretManager Client: "


@pytest.fixture
def account(gcp):
    return gcp.account("esod")


@pytest.fixture
def esod(make_operator, gcp):
    return make_operator(plugins=[gcp_plugin(gcp)]).start()


@pytest.fixture
def store(esod, gcp, account, cluster, space):
    """A SecretStore with a key, which works."""
    cluster.apply(key_secret(gcp, space.name, account), gcp_store("gcp", space.name))
    wait_for(lambda: cluster.ready("SecretStore", "gcp", space.name))
    return "gcp"


def want(space, data=None, name="app", **spec):
    return space.external_secret(name, "gcp", data, kind="SecretStore", **spec)


def not_ready(cluster, space, name="gcp"):
    return wait_for(lambda: cluster.failed("SecretStore", name, space.name, reason="InvalidProviderConfig"))


# ---- reading

def test_from_a_key_file_to_a_secret(store, gcp, cluster, space):
    gcp.put("db", "first")
    gcp.put("db", json.dumps({"user": "anna", "pass.word": "s3same", "nested": {"port": 5432}, "none": None}))
    want(space, {"whole": "db", "user": {"key": "db", "property": "user"}, "dotted": {"key": "db", "property": "pass.word"},
                 "port": {"key": "db", "property": "nested.port"}, "old": {"key": "db", "version": "1"}},
         dataFrom=[{"extract": {"key": "db"}}])
    whole = gcp.state.secrets["projects/123456789012/secrets/db"]["versions"][-1].data
    space.synced("app", {"whole": whole, "dotted": "s3same", "port": "5432", "old": "first", "user": "anna",
                         "pass.word": "s3same", "nested": '{"port": 5432}', "none": ""})
    assert gcp.asked("/token") == 1
    assert gcp.asked("versions.access") == 2  # one for each version, however many properties
