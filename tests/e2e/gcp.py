"""Fixtures for the gcp plugin: the server that stands in for Google Cloud, Google's own client, stores."""

import json
import sys
from pathlib import Path

import pytest
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceRestTransport
from google.oauth2 import service_account

from harness import GROUP

sys.path.append(str(Path(__file__).resolve().parents[1] / "servers" / "gcp"))

from server import Gcp  # noqa: E402

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@pytest.fixture
def gcp():
    made = Gcp()
    yield made
    made.close()


def google_client(gcp, account):
    """Google's client with a key file of the account, over REST."""
    info = account.key_file(gcp.project, token_uri=gcp.url + "/token")
    credentials = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
    transport = SecretManagerServiceRestTransport(host=gcp.url.removeprefix("http://"), url_scheme="http", credentials=credentials)
    return SecretManagerServiceClient(transport=transport)


def gcp_plugin(gcp, **more):
    """The plugin's entry in the configuration."""
    return {"name": "gcp", "config": gcp.plugin_config(), **more}


def key_secret(gcp, namespace, account, name="key", **more):
    text = json.dumps(account.key_file(gcp.project, **more))
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "stringData": {"key.json": text}}


def gcp_store(name, namespace=None, key="key", project="demo", **block):
    """A store with the key in the Secret `key`, or, without one, with what the block says."""
    if key:
        ref = {"name": key, "key": "key.json", **({} if namespace else block.pop("key_namespace", {}))}
        block.setdefault("auth", {})["secretRef"] = {"secretAccessKeySecretRef": ref}
    if project:
        block["projectID"] = project
    made = {"apiVersion": GROUP + "/v1", "kind": "SecretStore" if namespace else "ClusterSecretStore",
            "metadata": {"name": name}, "spec": {"provider": {"gcpsm": block}}}
    if namespace:
        made["metadata"]["namespace"] = namespace
    return made
