"""The gcp plugin against a server that checks what it is asked, and Google's own client beside it."""

import base64
import json

import pytest

from gcp import gcp_plugin, gcp_store, key_secret
from harness import wait_for
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

@pytest.mark.parametrize("isolation", ["process", "none"])
def test_from_a_key_file_to_a_secret(make_operator, gcp, account, cluster, space, isolation):
    make_operator(plugins=[gcp_plugin(gcp)], isolation=isolation).start()
    cluster.apply(key_secret(gcp, space.name, account), gcp_store("gcp", space.name))
    gcp.put("db", "first")
    gcp.put("db", json.dumps({"user": "anna", "pass.word": "s3same", "nested": {"port": 5432}, "none": None}))
    gcp.put("largest", "x" * 65536)
    want(space, {"whole": "db", "user": {"key": "db", "property": "user"}, "dotted": {"key": "db", "property": "pass.word"},
                 "port": {"key": "db", "property": "nested.port"}, "old": {"key": "db", "version": "1"}, "largest": "largest"},
         dataFrom=[{"extract": {"key": "db"}}])
    whole = gcp.state.secrets["projects/123456789012/secrets/db"]["versions"][-1].data
    space.synced("app", {"whole": whole, "dotted": "s3same", "port": "5432", "old": "first", "user": "anna",
                         "pass.word": "s3same", "nested": '{"port": 5432}', "none": "", "largest": "x" * 65536})
    assert gcp.asked("/token") == 1
    assert gcp.asked("versions.access") == 3  # one for each version, however many properties


def test_the_version_that_is_read(store, esod, gcp, cluster, space):
    gcp.put("db", "good")
    gcp.put("db", "bad", state="DISABLED")
    want(space, {"k": "db"})
    assert space.failed("app").endswith(
        UNABLE + "AccessSecretVersion of db: status 400 FAILED_PRECONDITION; is the version disabled or destroyed?")
    cluster.apply(gcp_store("falls-back", space.name, secretVersionSelectionPolicy="LatestOrFetch"))
    space.external_secret("fetch", "falls-back", {"k": "db"}, kind="SecretStore")
    space.synced("fetch", {"k": "good"})
    gcp.state.secrets["projects/123456789012/secrets/db"]["versions"][0].state = "DESTROYED"
    space.external_secret("none", "falls-back", {"k": "db"}, kind="SecretStore")
    assert "FAILED_PRECONDITION" in space.failed("none")
    gcp.state.secrets["projects/123456789012/secrets/db"]["public"]["versionAliases"] = {"blue": "3"}
    gcp.put("db", "third")
    want(space, {"k": {"key": "db", "version": "blue"}}, name="alias")
    space.synced("alias", {"k": "third"})


def test_what_is_known_about_a_secret(store, gcp, space):
    gcp.put("db", "value", labels={"team": "a"}, annotations={"example.com": "x<y", "plain": "p"})
    gcp.put("bare", "value")
    fetch = {"key": "db", "metadataPolicy": "Fetch"}
    want(space, {"all": fetch, "label": {**fetch, "property": "labels.team"}, "labels": {**fetch, "property": "labels"},
                 "dotted": {**fetch, "property": "annotations.example.com"}, "bare": {"key": "bare", "metadataPolicy": "Fetch"}})
    space.synced("app", {"all": '{"annotations":{"example.com":"x<y","plain":"p"},"labels":{"team":"a"}}', "label": "a",
                         "labels": '{"team":"a"}', "dotted": "x<y", "bare": '{"annotations":{},"labels":{}}'})
    want(space, {"k": {**fetch, "property": "owner"}}, name="wrong")
    assert 'cannot find secret data for key: "owner"' in space.failed("wrong")


def test_finding_by_name_and_by_labels(store, gcp, space):
    gcp.state.max_page = 2
    for i in range(5):
        gcp.put(f"app-{i}", f"value {i}", labels={"team": "odd" if i % 2 else "even", "tier": "web"})
    gcp.put("my-app-9", "not below the path", labels={"team": "odd"})
    want(space, name="names", dataFrom=[{"find": {"path": "app", "name": {"regexp": "[123]$"}}}])
    space.synced("names", {f"app-{i}": f"value {i}" for i in (1, 2, 3)})
    want(space, name="tags", dataFrom=[{"find": {"tags": {"team": "odd", "tier": "web"}}}])
    space.synced("tags", {"app-1": "value 1", "app-3": "value 3"})
    want(space, name="both", dataFrom=[{"find": {"path": "my", "tags": {"team": "odd"}}}])
    space.synced("both", {"my-app-9": "not below the path"})
    filters = [target for name, target, _ in gcp.requests if name.endswith("secrets.list")]
    assert any("filter=name%3Aapp" in target for target in filters)
    assert any("labels.team%3Dodd" in target and "name%3Amy" in target for target in filters)

    gcp.fail("secrets.list", Answer(200, {"nextPageToken": "again"}, {}), 1000)
    want(space, name="circle", dataFrom=[{"find": {"name": {"regexp": "nothing-"}}}])
    assert "the pages go round in a circle" in space.failed("circle")


def test_a_secret_that_goes_and_a_property_that_is_missing(store, gcp, cluster, space):
    gcp.put("db", '{"user":"anna"}')
    want(space, {"k": {"key": "db", "property": "user"}}, name="stays", refreshInterval="1s", target={"deletionPolicy": "Delete"})
    want(space, {"k": "db"}, name="goes", refreshInterval="1s", target={"deletionPolicy": "Delete"})
    space.synced("stays", {"k": "anna"})
    space.synced("goes", {"k": '{"user":"anna"}'})
    gcp.put("db", '{"login":"anna"}')
    assert 'cannot find secret data for key: "user"' in space.failed("stays")
    gcp.put("db", "user=hunter2")
    wait_for(lambda: "unable to unmarshal secret: not valid JSON at byte 0" in cluster.failed("ExternalSecret", "stays", space.name))
    cluster.holds(space.name, "stays", {"k": "anna"})
    space.synced("goes", {"k": "user=hunter2"})
    want(space, {"k": "nowhere"}, name="missing")
    assert space.failed("missing").endswith(UNABLE + "Secret does not exist")
    del gcp.state.secrets["projects/123456789012/secrets/db"]
    wait_for(lambda: cluster.get("Secret", "goes", space.name) is None and cluster.get("Secret", "stays", space.name) is None)


def test_a_regional_secret(esod, gcp, account, cluster, space):
    gcp.put("db", "global")
    gcp.put("db", "in Frankfurt", location="europe-west3", labels={"a": "b"})
    cluster.apply(key_secret(gcp, space.name, account), gcp_store("gcp", space.name, location="europe-west3"))
    want(space, {"k": "db"}, dataFrom=[{"find": {"tags": {"a": "b"}}}])
    space.synced("app", {"k": "in Frankfurt", "db": "in Frankfurt"})
    assert all("/locations/europe-west3/" in target for name, target, _ in gcp.requests if "secrets" in name)


# ---- what goes wrong

def rpc(http, code, **headers):
    """An answer as Google's front ends make one; the message holds what it must not be quoted for."""
    return Answer(http, {"error": {"code": http, "status": code, "message": "planted-in-the-answer"}},
                  {k.replace("_", "-"): v for k, v in headers.items()})


FAULTS = {
    "quota": (rpc(429, "RESOURCE_EXHAUSTED", Retry_After="2"), "status 429 RESOURCE_EXHAUSTED; the quota is used up"),
    "down": (rpc(503, "UNAVAILABLE"), "status 503 UNAVAILABLE"),
    "no-rights": (rpc(403, "PERMISSION_DENIED"), "status 403 PERMISSION_DENIED; grant the account a role for that in this project"),
    "a-proxy": (Answer(404, "<html>planted-in-the-answer</html>", {}), "AccessSecretVersion of {key}: status 404"),
    "no-project": (Answer(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "Project 'x' not found"}}, {}),
                   "AccessSecretVersion of {key}: status 404 NOT_FOUND"),
    "damaged": (Answer(200, {"payload": {"data": base64.b64encode(b"planted-in-the-answer").decode(), "dataCrc32c": "1"}}, {}),
                "AccessSecretVersion of {key}: the value was damaged on its way (its CRC32C is another)"),
    "no-base64": (Answer(200, {"payload": {"data": "planted-in-the-answer!"}}, {}), "the answer makes no sense"),
    "no-json": (Answer(200, "planted-in-the-answer", {}), "the answer makes no sense"),
    "empty": (Answer(200, {"payload": {}}, {}), "invalid secret received. no secret string for key: {key}"),
}


def test_answers_that_are_none(store, esod, gcp, account, cluster, space):
    """Each is explained without being quoted, none lets go of a Secret, and all passes."""
    for key in FAULTS:
        gcp.put(key, "value")
        want(space, {"k": key}, name=key, refreshInterval="1s", target={"deletionPolicy": "Delete"})
    for key in FAULTS:
        space.synced(key, {"k": "value"})
    for key, (answer, _) in FAULTS.items():
        gcp.fail("versions.access", answer, 1000, key)
    for key, (_, said) in FAULTS.items():
        assert said.format(key=key) in space.failed(key)
        cluster.holds(space.name, key, {"k": "value"})
    gcp.faults.clear()
    for key in FAULTS:
        wait_for(lambda: cluster.ready("ExternalSecret", key, space.name))
    told = esod.log + json.dumps(cluster.list("Event", space.name))
    key_lines = account.key_file("demo")["private_key"].splitlines()
    for secret in ("planted-in-the-answer", "ya29.", key_lines[1], key_lines[5]):
        assert secret not in told


def test_a_token_that_is_refused_is_replaced_once(store, gcp, cluster, space):
    for i in range(10):
        gcp.put(f"k{i}", f"value {i}")
        want(space, {"k": f"k{i}"}, name=f"app-{i}", refreshInterval="1s")
    for i in range(10):
        space.synced(f"app-{i}", {"k": f"value {i}"})
    assert gcp.asked("/token") == 1
    gcp.identity.tokens.clear()
    gcp.put("k3", "new")
    space.synced("app-3", {"k": "new"})
    for i in range(10):
        gcp.put(f"k{i}", "newest")
    for i in range(10):
        space.synced(f"app-{i}", {"k": "newest"})
    assert gcp.asked("/token") == 2
    gcp.fail("versions.access", rpc(401, "UNAUTHENTICATED"), 1000)
    assert "AccessSecretVersion of k0: status 401 UNAUTHENTICATED; the credential is not accepted" in space.failed("app-0")


def test_a_redirect_is_not_followed(store, gcp, space):
    other = type(gcp)()  # at another port
    try:
        gcp.put("db", "value")
        other.put("db", "stolen")
        gcp.fail("versions.access", Answer(307, "", {"Location": other.url + "/v1/projects/demo/secrets/db/versions/latest:access"}),
                 1000)
        want(space, {"k": "db"})
        assert "AccessSecretVersion of db: status 307" in space.failed("app")
        assert other.requests == []
    finally:
        other.close()


def test_credentials_that_are_wrong(esod, gcp, account, cluster, space):
    """Said at the store, and cured by another Secret."""
    def key(**more):
        cluster.apply(key_secret(gcp, space.name, account, **more))

    stranger = gcp.account("stranger")
    gcp.identity.accounts.pop(stranger.email)
    cluster.apply(key_secret(gcp, space.name, stranger), gcp_store("gcp", space.name))
    assert not_ready(cluster, space) == ("unable to create client: unable to get credentials: the token endpoint: status 400 invalid_grant; "
                                         "the credential was revoked, or is not yet or no longer valid")
    for more, said in (
            ({"token_uri": "http://10.0.0.1/token"}, "the token URI of key key.json of Secret key is not Google's; whoever runs esod "
             "can allow it with endpoints.token of the gcp plugin"),
            ({"type": "authorized_user"}, "key key.json of Secret key is not of type service_account"),
            ({"client_email": ""}, "key key.json of Secret key names no service account"),
            ({"private_key": ""}, "key key.json of Secret key holds no private key"),
            ({"private_key": "planted"}, "the private key of the service account is no RSA key in PEM")):
        key(**more)
        wait_for(lambda: said in not_ready(cluster, space))
        assert "planted" not in esod.log
    cluster.apply({**key_secret(gcp, space.name, account), "stringData": {"key.json": "{planted"}})
    wait_for(lambda: "key key.json of Secret key is not JSON" in not_ready(cluster, space))
    key(token_uri=gcp.url + "/token")  # the operator has allowed it
    wait_for(lambda: cluster.ready("SecretStore", "gcp", space.name))


def test_specs_that_are_wrong(esod, gcp, account, cluster, space):
    cluster.apply(key_secret(gcp, space.name, account))
    federation = "invalid workloadIdentityFederation config: "
    foreign = "namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore"
    for i, (block, said) in enumerate((
            ({"project": None}, "unable to find ProjectID in storeSpec: set projectID"),
            ({"project": "elsewhere"}, None),
            ({"location": "Europe/West"}, 'location "Europe/West" is none: write it like europe-west3'),
            ({"secretVersionSelectionPolicy": "Any"}, 'secretVersionSelectionPolicy "Any" is neither LatestOrFail nor LatestOrFetch'),
            ({"key": None, "auth": {"secretRef": {}}}, "invalid auth secret data: secretAccessKeySecretRef needs a name and a key"),
            ({"key": None, "auth": {"secretRef": {"secretAccessKeySecretRef": {"name": "key", "key": "key.json",
                                                                               "namespace": "elsewhere"}}}},
             "invalid auth secret data: " + foreign),
            ({"key": None, "auth": {"workloadIdentity": {"serviceAccountRef": {"name": "a", "namespace": "elsewhere"}}}},
             "invalid workload identity service account reference: " + foreign),
            ({"key": None, "auth": {"workloadIdentityFederation": {}}},
             federation + "exactly one of credConfig, awsSecurityCredentials or serviceAccountRef must be provided"),
            ({"key": None, "auth": {"workloadIdentityFederation": {"serviceAccountRef": {"name": "a"}}}},
             federation + "audience must be provided, when serviceAccountRef or awsSecurityCredentials is provided"))):
        cluster.apply(gcp_store(f"wrong-{i}", space.name, **block))
        if said:
            assert said in not_ready(cluster, space, f"wrong-{i}")
    wait_for(lambda: cluster.ready("SecretStore", "wrong-1", space.name))
    space.external_secret("app", "wrong-1", {"k": "db"}, kind="SecretStore")
    assert "AccessSecretVersion of db: status 403 PERMISSION_DENIED (CONSUMER_INVALID)" in space.failed("app")
