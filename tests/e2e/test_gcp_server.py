"""The server that stands in for Google Cloud: driven by Google's own client, and what it refuses."""

import json
import urllib.error
import urllib.request

import pytest
from google.api_core import exceptions
from google.auth.exceptions import RefreshError
from google.cloud.secretmanager_v1.types import SecretVersion

from gcp import google_client
from identity import read_jwt

PARENT = "projects/demo"


@pytest.fixture
def client(gcp):
    return google_client(gcp, gcp.account("admin"))


def secret(**more):
    return {"replication": {"automatic": {}}, **more}


def test_a_life_with_googles_client(client):
    made = client.create_secret(parent=PARENT, secret_id="db", secret=secret(labels={"team": "a"}))
    assert made.name == "projects/123456789012/secrets/db" and made.etag
    with pytest.raises(exceptions.Conflict, match="already exists"):
        client.create_secret(parent=PARENT, secret_id="db", secret=secret())
    for value in (b"one", b"123456789"):
        version = client.add_secret_version(parent=made.name, payload={"data": value})
    assert version.name.endswith("/versions/2") and version.state == SecretVersion.State.ENABLED

    latest = client.access_secret_version(name=f"{PARENT}/secrets/db/versions/latest")
    assert latest.payload.data == b"123456789" and latest.payload.data_crc32c == 0xE3069283
    assert client.access_secret_version(name=f"{PARENT}/secrets/db/versions/1").payload.data == b"one"

    client.disable_secret_version(name=version.name)
    with pytest.raises(exceptions.BadRequest, match="DISABLED state"):
        client.access_secret_version(name=f"{PARENT}/secrets/db/versions/latest")
    client.destroy_secret_version(name=version.name)
    with pytest.raises(exceptions.BadRequest, match="DESTROYED state"):
        client.enable_secret_version(name=version.name)
    states = [v.state.name for v in client.list_secret_versions(parent=made.name)]
    assert states == ["DESTROYED", "ENABLED"]
    assert len(list(client.list_secret_versions(request={"parent": made.name, "filter": "state:ENABLED"}))) == 1

    changed = client.update_secret(secret={"name": made.name, "labels": {"team": "b"}, "etag": made.etag},
                                   update_mask={"paths": ["labels"]})
    assert dict(changed.labels) == {"team": "b"} and changed.etag != made.etag
    with pytest.raises(exceptions.Conflict, match="etag"):
        client.update_secret(secret={"name": made.name, "labels": {}, "etag": made.etag}, update_mask={"paths": ["labels"]})
    client.delete_secret(name=made.name)
    with pytest.raises(exceptions.NotFound):
        client.get_secret(name=made.name)


def test_lists_have_pages_and_filters(gcp, client):
    for i in range(7):
        gcp.put(f"app-{i}", "x", labels={"parity": "odd" if i % 2 else "even"})
    gcp.put("other", "x", labels={"parity": "odd"})

    def names(text, size=3):
        pages = list(client.list_secrets(request={"parent": PARENT, "filter": text, "page_size": size}).pages)
        assert all(len(page.secrets) <= size for page in pages)
        return [s.name.rpartition("/")[2] for page in pages for s in page.secrets]

    assert names("") == [f"app-{i}" for i in range(7)] + ["other"]
    assert names("name:APP") == [f"app-{i}" for i in range(7)]
    assert names("labels.parity=odd") == ["app-1", "app-3", "app-5", "other"]
    assert names("labels.parity=odd name:app") == ["app-1", "app-3", "app-5"]
    with pytest.raises(exceptions.BadRequest, match="could not be parsed"):
        names("parity is odd")
    first = next(iter(client.list_secrets(request={"parent": PARENT, "page_size": 2}).pages))
    with pytest.raises(exceptions.BadRequest, match="another request"):
        list(client.list_secrets(request={"parent": PARENT, "filter": "name:app", "page_token": first.next_page_token}))


def test_a_wrong_key_is_refused(gcp):
    account, other = gcp.account("one"), gcp.account("two")
    account.key = other.key  # a signature of somebody else
    gcp.identity.accounts.pop(account.email)
    with pytest.raises(RefreshError, match="invalid_grant"):
        next(iter(google_client(gcp, account).list_secrets(parent=PARENT)))


def raw(gcp, method, target, body=None, form=None):
    """(status, parsed answer) of a request with a good token."""
    data = form.encode() if form is not None else json.dumps(body).encode() if body is not None else None
    kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
    request = urllib.request.Request(gcp.url + target, data, method=method, headers={
        "Authorization": "Bearer " + gcp.identity.issue("somebody"), **({"Content-Type": kind} if data is not None else {})})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


WRONG = {
    "unknown member": ("POST", "/v1/projects/demo/secrets?secretId=a", {"replicaton": {}}, 'Unknown name "replicaton"'),
    "unknown member below": ("POST", "/v1/projects/demo/secrets?secretId=a", {"replication": {"automatic": {"key": ""}}},
                             'Unknown name "key" at \'replication.automatic\''),
    "wrong type": ("POST", "/v1/projects/demo/secrets?secretId=a", {"labels": {"a": 1}}, "Invalid value at 'labels.a' (string)"),
    "no replication": ("POST", "/v1/projects/demo/secrets?secretId=a", {}, "[secret.replication] is required"),
    "replication of a regional one": ("POST", "/v1/projects/demo/locations/l/secrets?secretId=a", {"replication": {"automatic": {}}},
                                      "must not be set"),
    "output only": ("POST", "/v1/projects/demo/secrets?secretId=a", {"createTime": "2026-01-01T00:00:00Z"}, "output only"),
    "unknown parameter": ("GET", "/v1/projects/demo/secrets?filer=x", None, 'Unknown name "filer"'),
    "parameter of another type": ("GET", "/v1/projects/demo/secrets?pageSize=many", None, "pageSize"),
    "malformed page token": ("GET", "/v1/projects/demo/secrets?pageToken=x", None, "page token"),
    "no mask": ("PATCH", "/v1/projects/demo/secrets/there", {}, "update mask"),
    "no base64": ("POST", "/v1/projects/demo/secrets/there:addVersion", {"payload": {"data": "***"}}, "'payload.data' (byte)"),
    "wrong checksum": ("POST", "/v1/projects/demo/secrets/there:addVersion", {"payload": {"data": "eA==", "dataCrc32c": "1"}},
                       "checksum"),
    "nothing": ("POST", "/v1/projects/demo/secrets/there:addVersion", {"payload": {}}, "cannot be empty"),
    "too large": ("POST", "/v1/projects/demo/secrets/there:addVersion", {"payload": {"data": "eHh4" * 22000}}, "64 KiB"),
}


def test_what_the_documents_do_not_have_is_refused(gcp):
    gcp.put("there", "x")
    for case, (method, target, body, said) in WRONG.items():
        status, answer = raw(gcp, method, target, body)
        assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT"), case
        assert said in answer["error"]["message"], case
    status, answer = raw(gcp, "GET", "/v1/projects/demo/secret")
    assert (status, answer["error"]["status"]) == (404, "NOT_FOUND")
    status, answer = raw(gcp, "GET", "/v1/projects/elsewhere/secrets/a")
    assert (status, answer["error"]["status"]) == (403, "PERMISSION_DENIED")
    status, answer = raw(gcp, "POST", "/v1/token", form="grant_type=x&subject=y")
    assert (status, answer["error"]) == (400, "invalid_request")
    gcp.identity.tokens.clear()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(gcp.url + "/v1/projects/demo/secrets", timeout=10)


def test_acting_as_another_account(gcp):
    robot, stranger = gcp.account("robot"), gcp.account("stranger")
    gcp.identity.impersonators.add(("somebody", robot.email))
    at = f"/v1/projects/-/serviceAccounts/{robot.email}:"
    scope = ["https://www.googleapis.com/auth/cloud-platform"]
    status, answer = raw(gcp, "POST", at + "generateAccessToken", {"scope": scope, "lifetime": "60s"})
    assert status == 200 and gcp.identity.principal("Bearer " + answer["accessToken"]) == robot.email
    status, answer = raw(gcp, "POST", at + "signJwt", {"payload": json.dumps({"sub": robot.email})})
    assert status == 200 and answer["keyId"] == robot.kid
    assert read_jwt(answer["signedJwt"], {robot.kid: robot.key.public_key()}) == {"sub": robot.email}
    for body, said in (({"lifetime": "60s"}, "needs a scope"), ({"scope": scope, "lifetime": "2h"}, "'lifetime' (google-duration)"),
                       ({"scopes": scope}, 'Unknown name "scopes"')):
        status, answer = raw(gcp, "POST", at + "generateAccessToken", body)
        assert status == 400 and said in answer["error"]["message"]
    status, answer = raw(gcp, "POST", at.replace(robot.email, stranger.email) + "signJwt", {"payload": "{}"})
    assert (status, answer["error"]["status"]) == (403, "PERMISSION_DENIED")
