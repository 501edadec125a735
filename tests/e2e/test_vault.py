"""The plugin for Vault and OpenBao, against a real Vault."""

import base64
import http.server
import re
import threading

import pytest
import yaml

import harness
from aws import allow
from harness import GROUP, ROOT, external_secret, wait_for


@pytest.fixture
def esod(make_operator):
    return make_operator(plugins=["vault"]).start()


def secret(namespace, name, **data):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}}


def account(namespace, name="app"):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def store(name, namespace, block, provider="vault", **spec):
    obj = {"apiVersion": GROUP + "/v1", "kind": "SecretStore" if namespace else "ClusterSecretStore",
           "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
           "spec": {"provider": {provider: block}, **spec}}
    return obj


def wanted(space, name, store_name, data=None, kind="SecretStore", **spec):
    return space.cluster.apply(external_secret(space.name, name, store_name, data, kind=kind, **{"refreshInterval": "1s", **spec}))


def ref(key, prop=None, **more):
    return {"key": key, **({"property": prop} if prop else {}), **more}


def with_token(vault, space, name="vault", token="root", **block):
    """A store that has a token; returns its block."""
    space.cluster.apply(secret(space.name, "vault-token", token=token))
    made = {"server": vault.url, "path": "secret", "auth": {"tokenSecretRef": {"name": "vault-token", "key": "token"}}, **block}
    made = {k: v for k, v in made.items() if v is not None}
    space.cluster.apply(store(name, space.name, made))
    return made


def with_role(vault, space, name="vault", block=None, **options):
    """A store that logs in with an AppRole of its own, named like the namespace."""
    role, secret_id = vault.role(space.name, **options)
    space.cluster.apply(secret(space.name, "approle", id=secret_id + "\n"),
                        store(name, space.name, {"server": vault.url, "path": "secret", **(block or {}), "auth": {
                            "appRole": {"roleId": role, "secretRef": {"name": "approle", "key": "id"}}}}))


def store_failed(space, name="vault", **where):
    return wait_for(lambda: space.cluster.failed("SecretStore", name, space.name, reason="InvalidProviderConfig"))


def ready(space, name="vault"):
    return wait_for(lambda: space.cluster.ready("SecretStore", name, space.name))


# ---- the walk through

@pytest.mark.sanitized
@pytest.mark.parametrize("isolation", ["process", "none"])
def test_a_value_changes_and_the_secret_follows(make_operator, cluster, space, vault, isolation):
    esod = make_operator(plugins=["vault"], isolation=isolation).start()
    vault.put(f"{space.name}/db", user="bob", password="s3same-one")
    cluster.apply(account(space.name))
    cluster.apply(store("vault", space.name, {"server": vault.url, "path": "secret", "auth": {
        "kubernetes": {"mountPath": "kubernetes", "role": "esod", "serviceAccountRef": {"name": "app"}}}}))
    wanted(space, "db", "vault", {"password": ref(f"{space.name}/db", "password")})
    space.synced("db", {"password": "s3same-one"})
    assert ready(space)["status"]["capabilities"] == "ReadWrite"
    vault.put(f"{space.name}/db", user="bob", password="s3same-two")
    space.synced("db", {"password": "s3same-two"}, timeout=5)
    assert 'externalsecret_provider_api_calls_count{provider="HashiCorp/Vault",call="Login",status="success"} 1' in esod.metrics()
    esod.stop()
    assert "s3same" not in esod.log and "hvs." not in esod.log


# ---- logging in

def test_every_method_logs_in_and_its_token_is_revoked(make_operator, cluster, space, vault):
    esod = make_operator(plugins=["vault"]).start()
    vault.put(f"{space.name}/a", k="v")
    role, secret_id = vault.role(space.name)
    token = cluster.call("POST", cluster.path("ServiceAccount", space.name, "app", "token"), {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["vault"]}}) \
        if cluster.apply(account(space.name)) else None
    cluster.apply(secret(space.name, "login", root="root\n", role=role + "\n", secret=secret_id, password="hunter2 ",
                         token=token["status"]["token"], jwt=token["status"]["token"] + "\n"))
    cert, key = (p.read_text() for p in vault.client_cert)
    cluster.apply(secret(space.name, "pair", **{"tls.crt": cert, "tls.key": key}))
    login = {"name": "login"}
    ca = base64.b64encode(vault.server_cert[0].read_bytes()).decode()
    methods = {
        "token": {"tokenSecretRef": {**login, "key": "root"}},
        "approle": {"appRole": {"path": "approle", "roleRef": {**login, "key": "role"}, "secretRef": {**login, "key": "secret"}}},
        "approle-id": {"appRole": {"path": "approle", "roleId": role, "secretRef": {**login, "key": "secret"}}},
        "kubernetes": {"kubernetes": {"mountPath": "kubernetes", "role": "esod", "serviceAccountRef": {"name": "app"}}},
        "kubernetes-secret": {"kubernetes": {"mountPath": "kubernetes", "role": "esod", "secretRef": login}},
        "userpass": {"userPass": {"path": "userpass", "username": "bob", "secretRef": {**login, "key": "password"}}},
        "ldap": {"ldap": {"path": "ldap", "username": "bob", "secretRef": {**login, "key": "password"}}},
        "jwt": {"jwt": {"path": "jwt", "role": "esod", "secretRef": {**login, "key": "jwt"}}},
        "jwt-account": {"jwt": {"path": "jwt", "role": "esod", "kubernetesServiceAccountToken": {
            "serviceAccountRef": {"name": "app"}}}},
        "cert": {"cert": {"path": "cert", "vaultRole": "esod", "clientCert": {"name": "pair"}, "secretRef": {"name": "pair"}}},
    }
    revoked = len(vault.seen("auth/token/revoke-self"))
    for name, auth in methods.items():
        tls = {"server": vault.tls, "caBundle": ca} if name == "cert" else {"server": vault.url}
        cluster.apply(store(name, space.name, {"path": "secret", **tls, "auth": auth}))
        wanted(space, name, name, {"k": ref(f"{space.name}/a", "k")}, refreshInterval="1h")
    for name in methods:
        space.synced(name, {"k": "v"})
    assert len(vault.seen("auth/token/revoke-self")) == revoked
    esod.stop()
    assert len(vault.seen("auth/token/revoke-self")) == revoked + len(methods) - 1, "all but the static token"


def test_identities_of_aws(make_operator, cluster, space, vault, aws, monkeypatch, tmp_path):
    """Vault asks moto who has signed; so does esod for the credentials of roles."""
    name = space.name
    keys = aws.user(f"{name}-user", allow("sts:AssumeRole", "sts:GetCallerIdentity"))
    roles = {k: aws.role(f"{name}-{k}", allow("sts:GetCallerIdentity"), external_id="x" if k == "assumed" else None)
             for k in ("assumed", "account", "pod")}
    vault.call("PUT", "sys/auth/aws", {"type": "aws"})
    vault.call("PUT", "auth/aws/config/client", {"sts_endpoint": aws.url, "iam_server_id_header_value": "vault.example"})
    vault.call("PUT", "auth/aws/role/esod", {
        "auth_type": "iam", "resolve_aws_unique_ids": False, "token_policies": ["esod"],
        "bound_iam_principal_arn": [f"arn:aws:iam::123456789012:user/{name}-user", *roles.values()]})
    vault.put(f"{name}/a", k="v")
    sa = account(name)
    sa["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": roles["account"]}
    cluster.apply(sa, account(name, "plain"), secret(name, "aws", id=keys.id, key=keys.secret, wrong="wrong"))
    (tmp_path / "token").write_text("of-the-pod")
    for variable, value in {"AWS_STS_ENDPOINT": aws.url, "AWS_ROLE_ARN": roles["pod"],
                            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}.items():
        monkeypatch.setenv(variable, value)
    refs = {"accessKeyIDSecretRef": {"name": "aws", "key": "id"}, "secretAccessKeySecretRef": {"name": "aws", "key": "key"}}
    wrong = {**refs, "secretAccessKeySecretRef": {"name": "aws", "key": "wrong"}}
    stores = {"keys": {"secretRef": refs}, "assumed": {"secretRef": refs, "role": roles["assumed"], "externalID": "x"},
              "account": {"jwt": {"serviceAccountRef": {"name": "app"}}}, "pod": {},
              "wrong": {"secretRef": wrong}, "external": {"secretRef": refs, "role": roles["assumed"], "externalID": "guessed"},
              "plain": {"jwt": {"serviceAccountRef": {"name": "plain"}}}, "region": {"region": "evil.example/"}}
    for k, block in stores.items():
        cluster.apply(store(k, name, {"server": vault.url, "path": "secret", "auth": {"iam": {
            "vaultRole": "esod", "vaultAwsIamServerID": "vault.example", **block}}}))
    make_operator(plugins=[{"name": "vault", "ambient": "all"}]).start()
    for k in list(stores)[:4]:
        wanted(space, k, k, {"k": ref(f"{name}/a", "k")}, refreshInterval="1h")
        space.synced(k, {"k": "v"})
    assert 'cannot log in to Vault with iam at the mount "aws": status 4' in store_failed(space, "wrong")
    assert "AWS refuses AssumeRole: status 403: AccessDenied" in store_failed(space, "external")
    assert "an IAM role must be associated with service account plain" in store_failed(space, "plain")
    assert 'auth.iam.region: "evil.example/" is no region' in store_failed(space, "region")


def test_wrong_credentials_are_named(esod, cluster, space, vault):
    cluster.apply(account(space.name, "stranger"))
    cluster.apply(secret(space.name, "login", id="wrong-id", token="wrong-token", password="wrong"))
    role, _ = vault.role(space.name)
    login = {"name": "login"}
    told = {
        "token": ({"tokenSecretRef": {**login, "key": "token"}},
                  "unable to validate store: invalid vault credentials: looking up the token: status 403: "
                  "the token is invalid or has expired"),
        "approle": ({"appRole": {"path": "approle", "roleId": role, "secretRef": {**login, "key": "id"}}},
                    'unable to create client: cannot log in to Vault with appRole at the mount "approle": status 400: '
                    "the role ID or the secret ID is wrong"),
        "mount": ({"appRole": {"path": "no/where", "roleId": role, "secretRef": {**login, "key": "id"}}},
                  'unable to create client: cannot log in to Vault with appRole at the mount "no/where": status 403: '
                  "permission denied, or no such method is mounted there"),
        "userpass": ({"userPass": {"path": "userpass", "username": "bob", "secretRef": {**login, "key": "password"}}},
                     'unable to create client: cannot log in to Vault with userPass at the mount "userpass": status 400: '
                     "the user name or the password is wrong"),
        "ldap": ({"ldap": {"path": "ldap", "username": "bob", "secretRef": {**login, "key": "password"}}},
                 'unable to create client: cannot log in to Vault with ldap at the mount "ldap": status 400: '
                 "the user name or the password is wrong"),
        "kubernetes": ({"kubernetes": {"mountPath": "kubernetes", "role": "esod", "serviceAccountRef": {"name": "stranger"}}},
                       'unable to create client: cannot log in to Vault with kubernetes at the mount "kubernetes": status 403: '
                       "the role is not for this service account"),
        "role": ({"kubernetes": {"mountPath": "kubernetes", "role": "other", "serviceAccountRef": {"name": "stranger"}}},
                 'unable to create client: cannot log in to Vault with kubernetes at the mount "kubernetes": status 400: '
                 "there is no such role"),
        "missing": ({"tokenSecretRef": {"name": "nobody", "key": "token"}},
                    f'unable to create client: cannot get Kubernetes secret "nobody" from namespace "{space.name}": '
                    'secrets "nobody" not found'),
        "keyless": ({"tokenSecretRef": login}, "unable to create client: auth.tokenSecretRef: the key in the Secret is missing"),
        "none": ({"namespace": "x"}, "cannot initialize Vault client: no valid auth method specified"),
    }
    for name, (auth, _) in told.items():
        cluster.apply(store(name, space.name, {"server": vault.url, "path": "secret", "auth": auth}))
    for name, (_, message) in told.items():
        assert message in store_failed(space, name)
    assert "wrong-id" not in esod.log and "wrong-token" not in esod.log


def test_a_revoked_token_is_replaced_once_then_the_store_says_why(esod, cluster, space, vault):
    vault.put(f"{space.name}/a", k="1")
    with_role(vault, space)
    wanted(space, "app", "vault", {"k": ref(f"{space.name}/a", "k")})
    space.synced("app", {"k": "1"})
    before = len(vault.seen("auth/approle/login"))
    vault.revoke(space.name)
    vault.put(f"{space.name}/a", k="2")
    space.synced("app", {"k": "2"}, timeout=5)
    assert len(vault.seen("auth/approle/login")) == before + 1

    vault.call("DELETE", f"auth/approle/role/{space.name}")
    vault.revoke(space.name)
    assert ('cannot log in to Vault with appRole at the mount "approle": status 400: the role ID or the secret ID is wrong'
            in space.failed("app"))
    cluster.holds(space.name, "app", {"k": "2"})


def test_a_token_is_renewed_before_its_end(esod, cluster, space, vault):
    vault.put(f"{space.name}/a", k="1")
    with_role(vault, space, token_ttl="3s", token_max_ttl="1h")
    wanted(space, "app", "vault", {"k": ref(f"{space.name}/a", "k")})
    space.synced("app", {"k": "1"})
    logins, renewals = len(vault.seen("auth/approle/login")), len(vault.seen("auth/token/renew-self"))
    wait_for(lambda: len(vault.seen("auth/token/renew-self")) > renewals + 1)
    cluster.ready("ExternalSecret", "app", space.name)
    assert len(vault.seen("auth/approle/login")) == logins


def test_many_secrets_are_one_login_and_one_read_for_each_key(esod, cluster, space, vault):
    """50 ExternalSecrets with five properties each, of 6 keys."""
    for n in range(6):
        vault.put(f"{space.name}/k{n}", **{f"p{i}": f"{n}-{i}" for i in range(5)})
    logins = len(vault.seen("auth/approle/login"))
    cluster.create_many(external_secret(space.name, f"app-{n}", "vault", {
        f"p{i}": ref(f"{space.name}/k{n % 6}", f"p{i}") for i in range(5)}, kind="SecretStore") for n in range(50))
    with_role(vault, space)
    for n in range(50):
        space.synced(f"app-{n}", {f"p{i}": f"{n % 6}-{i}" for i in range(5)})
    assert len(vault.seen("auth/approle/login")) == logins + 1
    assert len(vault.seen(f"secret/data/{space.name}/.*")) == 6 + 6, "each key written once and read once"


def test_each_namespace_has_a_login_of_its_own(esod, cluster, space, vault):
    """A ClusterSecretStore without namespaces in its references."""
    vault.put(f"{space.name}/a", k="v")
    space._stores.append(space.name)
    cluster.apply(store(space.name, None, {"server": vault.url, "path": "secret", "auth": {
        "kubernetes": {"mountPath": "kubernetes", "role": "esod", "serviceAccountRef": {"name": "app"}}}}))
    wait_for(lambda: cluster.ready("ClusterSecretStore", space.name))
    wanted(space, "app", space.name, {"k": ref(f"{space.name}/a", "k")}, kind="ClusterSecretStore")
    assert 'service account "app"' in space.failed("app")
    cluster.apply(account(space.name))
    space.synced("app", {"k": "v"})


# ---- reading

def test_fields_versions_and_metadata(esod, cluster, space, vault):
    key = f"{space.name}/db"
    vault.put(key, old="1")
    vault.call("PUT", f"secret/data/{key}", {"data": {
        "user": "bob", "a.b": "exact", "a": {"b": "path", "list": [1, 2]}, "n": 12.5, "yes": True, "none": None, "html": "<&>"}})
    vault.call("PUT", f"secret/metadata/{key}", {"custom_metadata": {"owner": "team-a"}})
    vault.call("PUT", f"kv1/{key}", {"user": "one"})
    with_token(vault, space)
    with_token(vault, space, "whole", path=None)
    with_token(vault, space, "v1", path="kv1", version="v1")
    wanted(space, "app", "vault", {
        "user": ref(key, "user"), "exact": ref(key, "a.b"), "path": ref(key, "a.list.1"), "object": ref(key, "a"),
        "n": ref(key, "n"), "yes": ref(key, "yes"), "none": ref(key, "none"), "old": ref(key, "old", version="1"),
        "with-mount": ref(f"secret/{key}", "user"), "with-data": ref(f"secret/data/{key}", "user"),
        "owner": ref(key, "owner", metadataPolicy="Fetch"), "version": ref(key, "current_version", metadataPolicy="Fetch")})
    space.synced("app", {"user": "bob", "exact": "exact", "path": "2", "object": '{"b":"path","list":[1,2]}', "n": "12.5",
                         "yes": "true", "none": "", "old": "1", "with-mount": "bob", "with-data": "bob",
                         "owner": "team-a", "version": "2"})
    wanted(space, "whole", "whole", {"all": ref(f"secret/{key}", version="1"), "html": ref(f"secret/data/{key}")})
    space.synced("whole", {"all": '{"old":"1"}', "html": '{"a":{"b":"path","list":[1,2]},"a.b":"exact","html":"\\u003c\\u0026\\u003e",'
                                                         '"n":12.5,"none":null,"user":"bob","yes":true}'})
    wanted(space, "v1", "v1", {"user": ref(key, "user"), "all": ref(key)})
    space.synced("v1", {"user": "one", "all": '{"user":"one"}'})
    wanted(space, "extract", "vault", dataFrom=[{"extract": {"key": key, "property": "a"}}])
    space.synced("extract", {"b": "path", "list": "[1,2]"})
    wanted(space, "missing", "vault", {"k": ref(key, "nothing")}, target={"deletionPolicy": "Delete"})
    assert 'cannot find secret data for key: "nothing"' in space.failed("missing")
    wanted(space, "fetch-v1", "v1", {"k": ref(key, "owner", metadataPolicy="Fetch")})
    assert "cannot perform metadata fetch operations with kv version v1" in space.failed("fetch-v1")
    wanted(space, "fetch-whole", "whole", {"k": ref(f"secret/{key}", metadataPolicy="Fetch")})
    assert "provided Path isn't a valid kv v2 path" in space.failed("fetch-whole")
    wanted(space, "up", "vault", {"k": ref("../sys/mounts")})
    assert 'has a part ".."' in space.failed("up")


def test_what_is_gone_what_is_forbidden_and_what_was_never_there(esod, cluster, space, vault):
    vault.put(f"{space.name}/a", k="v")
    vault.call("PUT", f"secret/data/denied/{space.name}", {"data": {"k": "v"}})
    with_role(vault, space)
    with_token(vault, space, "nowhere", path="no/mount")
    with_token(vault, space, "twisted", path="kv1", version="v2")
    with_token(vault, space, "other", path="secret", version="v1")
    delete = {"deletionPolicy": "Delete"}
    wanted(space, "gone", "vault", {"k": ref(f"{space.name}/a", "k")}, target=delete)
    space.synced("gone", {"k": "v"})
    vault.call("DELETE", f"secret/data/{space.name}/a")
    wait_for(lambda: cluster.get("Secret", "gone", space.name) is None)
    wanted(space, "never", "vault", {"k": ref(f"{space.name}/never")})
    assert "Secret does not exist" in space.failed("never")
    wanted(space, "denied", "vault", {"k": ref(f"denied/{space.name}")}, target=delete)
    logins = len(vault.seen("auth/approle/login"))
    assert f'cannot read secret data from Vault: key "denied/{space.name}": status 403: permission denied' in space.failed("denied")
    assert len(vault.seen("auth/approle/login")) == logins, "the token is good: nobody logs in again"
    wanted(space, "nowhere", "nowhere", {"k": ref("a")}, target=delete)
    assert ('cannot read secret data from Vault: key "a": status 404: no secrets engine or login method is mounted there'
            in space.failed("nowhere"))
    vault.call("PUT", "kv1/data/x", {"k": "v"})
    wanted(space, "twisted", "twisted", {"k": ref("x")})
    assert "failed to find data field: is the engine KV v1?" in space.failed("twisted")
    wanted(space, "other", "other", {"k": ref(f"{space.name}/a")})
    assert "status 404: the engine is KV v2: set version: v2" in space.failed("other")


def test_find(esod, cluster, space, vault):
    top = space.name
    for name in ("db/main", "db/spare", "web/main"):
        vault.put(f"{top}/{name}", at=name)
        vault.call("PUT", f"kv1/{top}/{name}", {"at": name})
    vault.call("PUT", f"secret/metadata/{top}/db/spare", {"custom_metadata": {"team": "a", "tier": "2"}})
    with_token(vault, space)
    with_token(vault, space, "v1", path="kv1", version="v1")

    def find(es, store_name="vault", **how):
        wanted(space, es, store_name, dataFrom=[{"find": how, "rewrite": [
            {"regexp": {"source": "/", "target": "."}}, {"regexp": {"source": top.replace("/", "."), "target": "top"}}]}])

    find("name", path=top, name={"regexp": "/main$"})
    find("anchored", name={"regexp": f"^{top}/db/"})
    find("tags", path=top, tags={"team": "a", "tier": "2"})
    find("v1", "v1", path=f"{top}/", name={"regexp": "web"})
    space.synced("name", {"top.db.main": '{"at":"db/main"}', "top.web.main": '{"at":"web/main"}'})
    space.synced("anchored", {"top.db.main": '{"at":"db/main"}', "top.db.spare": '{"at":"db/spare"}'})
    space.synced("tags", {"top.db.spare": '{"at":"db/spare"}'})
    space.synced("v1", {"top.web.main": '{"at":"web/main"}'})
    find("tags-v1", "v1", tags={"team": "a"})
    assert "cannot perform find by tag operations with kv version v1" in space.failed("tags-v1")
    find("nothing", path=f"{top}/nobody", name={"regexp": "."})
    assert "Secret does not exist" in space.failed("nothing")


def test_a_large_secret(esod, space, vault):
    value = "x" * 200_000
    vault.put(f"{space.name}/large", k=value)
    with_token(vault, space)
    wanted(space, "large", "vault", {"k": ref(f"{space.name}/large", "k")}, refreshInterval="1h")
    space.synced("large", {"k": value})


# ---- writing

def push(space, name, store_name, data, **spec):
    return space.cluster.apply({
        "apiVersion": GROUP + "/v1alpha1", "kind": "PushSecret", "metadata": {"name": name, "namespace": space.name},
        "spec": {"refreshInterval": "1s", "secretStoreRefs": [{"name": store_name}], "selector": {"secret": {"name": "source"}},
                 "data": [{"match": m} for m in data], **spec}})


def match(remote_key, prop=None, secret_key=None):
    return {**({"secretKey": secret_key} if secret_key else {}),
            "remoteRef": {"remoteKey": remote_key, **({"property": prop} if prop else {})}}


def pushed(space, name):
    return wait_for(lambda: space.cluster.ready("PushSecret", name, space.name))


def push_failed(space, name):
    return wait_for(lambda: space.cluster.failed("PushSecret", name, space.name, reason="Errored"))


@pytest.mark.sanitized
def test_pushes_and_deletions(esod, cluster, space, vault):
    top = space.name
    with_token(vault, space, "cas", checkAndSet={"required": True})
    with_token(vault, space, "v1", path="kv1", version="v1")
    vault.call("PUT", "sys/mounts/strict", {"type": "kv", "options": {"version": "2"}})
    wait_for(lambda: vault.call("PUT", "strict/config", {"cas_required": True}, want=(200, 204, 400)) is None)
    with_token(vault, space, "strict", path="strict")
    cluster.apply(secret(top, "source", user="bob", password="<one>", document='{"a": {"b": 1}}'))
    push(space, "all", "cas", [match(f"{top}/one", "login.user", "user"), match(f"{top}/one", "pass", "password"),
                               match(f"{top}/whole"), match(f"secret/{top}/document", secret_key="document")],
         deletionPolicy="Delete")
    pushed(space, "all")
    assert vault.get(f"{top}/one") == {"login.user": "bob", "pass": "<one>"}
    assert vault.get(f"{top}/whole") == {"user": "bob", "password": "<one>", "document": '{"a": {"b": 1}}'}
    assert vault.get(f"{top}/document") == {"a": {"b": 1}}
    found = vault.call("GET", f"secret/metadata/{top}/one")["data"]
    assert found["custom_metadata"] == {"managed-by": "external-secrets"} and found["current_version"] == 2

    cluster.apply(secret(top, "source", user="bob", password="two", document='{"a":{"b":1}}'))
    wait_for(lambda: vault.get(f"{top}/one") == {"login.user": "bob", "pass": "two"})
    wait_for(lambda: vault.get(f"{top}/whole")["password"] == "two")
    assert vault.call("GET", f"secret/metadata/{top}/document")["data"]["current_version"] == 1, "equal JSON is not written"

    push(space, "old", "v1", [match(f"{top}/one", "p", "user")], deletionPolicy="Delete")
    pushed(space, "old")
    assert vault.call("GET", f"kv1/{top}/one")["data"] == {"p": "bob", "custom_metadata": {"managed-by": "external-secrets"}}

    vault.put(f"{top}/theirs", k="v")
    push(space, "theirs", "cas", [match(f"{top}/theirs", "k", "user")], deletionPolicy="Delete")
    assert "secret not managed by external-secrets" in push_failed(space, "theirs")
    push(space, "text", "cas", [match(f"{top}/text", secret_key="user")])
    assert "invalid JSON format" in push_failed(space, "text")
    push(space, "strict", "strict", [match(f"{top}/a", "p", "user")])
    assert "the engine demands check-and-set: set checkAndSet.required" in push_failed(space, "strict")

    for name in ("all", "old", "theirs"):
        cluster.delete("PushSecret", name, top)
    wait_for(lambda: not [cluster.get("PushSecret", n, top) for n in ("all", "old", "theirs") if cluster.get("PushSecret", n, top)])
    assert vault.get(f"{top}/one") is None and vault.get(f"{top}/whole") is None
    vault.call("GET", f"secret/metadata/{top}/one", want=(404,))
    vault.call("GET", f"kv1/{top}/one", want=(404,))
    assert vault.get(f"{top}/theirs") == {"k": "v"}


# ---- faults

def test_a_sealed_vault(esod, cluster, space, vault):
    vault.put(f"{space.name}/a", k="1")
    with_role(vault, space)
    wanted(space, "app", "vault", {"k": ref(f"{space.name}/a", "k")})
    space.synced("app", {"k": "1"})
    vault.seal()
    try:
        assert 'key "%s/a": status 503: Vault is sealed' % space.name in space.failed("app")
        cluster.holds(space.name, "app", {"k": "1"})
    finally:
        vault.unseal()
    wait_for(lambda: cluster.ready("ExternalSecret", "app", space.name), 20)


def test_certificates(esod, cluster, space, vault):
    vault.put(f"{space.name}/a", k="v")
    ca = base64.b64encode(vault.server_cert[0].read_bytes()).decode()
    wrong = base64.b64encode(vault.wrong_cert[0].read_bytes()).decode()
    cert, key = (p.read_text() for p in vault.client_cert)
    cluster.apply(secret(space.name, "pair", **{"tls.crt": cert, "tls.key": key}),
                  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca", "namespace": space.name},
                   "data": {"ca.crt": vault.server_cert[0].read_text()}})
    pair = {"certSecretRef": {"name": "pair"}, "keySecretRef": {"name": "pair"}}
    with_token(vault, space, "trusted", server=vault.tls, caBundle=ca)
    with_token(vault, space, "provided", server=vault.tls, caProvider={"type": "ConfigMap", "name": "ca", "key": "ca.crt"})
    with_token(vault, space, "mutual", server=vault.mutual, caBundle=ca, tls=pair)
    with_token(vault, space, "untrusted", server=vault.tls)
    with_token(vault, space, "wrong-ca", server=vault.tls, caBundle=wrong)
    with_token(vault, space, "misnamed", server=vault.misnamed, caBundle=wrong)
    with_token(vault, space, "anonymous", server=vault.mutual, caBundle=ca)
    with_token(vault, space, "half", server=vault.tls, tls={"certSecretRef": {"name": "pair"}})
    for name in ("trusted", "provided", "mutual"):
        wanted(space, name, name, {"k": ref(f"{space.name}/a", "k")}, refreshInterval="1h")
        space.synced(name, {"k": "v"})
    for name in ("untrusted", "wrong-ca", "misnamed"):
        message = store_failed(space, name)
        assert "certificate" in message.lower(), message
    store_failed(space, "anonymous")
    assert "both ClientTLS.ClientCert and ClientTLS.SecretRef should be provided" in store_failed(space, "half")


class Liar:
    """An HTTP server that is no Vault: answers everything the same way and notes what it is sent."""

    def __init__(self, status, body=b"", **headers):
        self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.seen.append((handler.path, dict(handler.headers)))
                handler.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    handler.send_header(name, value)
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def liar():
    made = []

    def make(*args, **headers):
        made.append(Liar(*args, **headers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_redirect_is_not_followed(esod, space, vault, liar):
    elsewhere = liar(200, b"{}")
    with_token(vault, space, server=liar(307, Location=elsewhere.url + "/v1/auth/token/lookup-self").url)
    assert "status 307: a redirect, which is not followed: let server be the address of the active node" in store_failed(space)
    assert elsewhere.seen == []


@pytest.mark.parametrize("status", [200, 404])
def test_what_is_no_vault_deletes_nothing(esod, cluster, space, vault, liar, status):
    page = b"<html>Please log in, s3same</html>"
    vault.put(f"{space.name}/a", k="v")
    with_token(vault, space)
    target = {"deletionPolicy": "Delete"}
    wanted(space, "app", "vault", {"k": ref(f"{space.name}/a", "k")}, target=target)
    space.synced("app", {"k": "v"})
    block = {"server": liar(status, page).url, "path": "secret"}
    cluster.apply(store("vault", space.name, {**block, "auth": {"tokenSecretRef": {"name": "vault-token", "key": "token"}}}))
    message = space.failed("app")
    if status == 200:
        assert f'key "{space.name}/a": the answer is not Vault\'s: it is no JSON object with data' in message
    else:
        assert "is not ready" in message or "the answer is not Vault's: it is no JSON" in message
        assert "status 404: the answer is not Vault's: it is no JSON" in store_failed(space)
    cluster.holds(space.name, "app", {"k": "v"})
    assert "s3same" not in esod.log


def test_nobody_listens(esod, space, vault):
    with_token(vault, space, server=f"http://127.0.0.1:{harness.free_port()}")
    assert "onnect" in store_failed(space)


# ---- OpenBao: the same under another name

def test_openbao(esod, cluster, space, vault):
    vault.put(f"{space.name}/a", k="v")
    vault.put(f"{space.name}/b/c", k="deep")
    role, secret_id = vault.role(space.name)
    cluster.apply(secret(space.name, "approle", id=secret_id, token="root"))
    auth = {"appRole": {"roleId": role, "secretRef": {"name": "approle", "key": "id"}}}
    root = {"tokenSecretRef": {"name": "approle", "key": "token"}}
    cluster.apply(store("bao", space.name, {"server": vault.url, "path": "secret", "auth": auth}, provider="openBao"),
                  store("v1", space.name, {"server": vault.url, "path": "kv1", "version": "v1", "auth": root}, provider="openBao"),
                  store("version", space.name, {"server": vault.url, "path": "secret", "version": "v1", "auth": root}, provider="openBao"),
                  store("type", space.name, {"server": vault.url, "path": "cubbyhole", "auth": root}, provider="openBao"),
                  store("default", space.name, {"server": vault.url, "auth": root}, provider="openBao"))
    assert ready(space, "bao")["status"]["capabilities"] == "ReadOnly"
    wanted(space, "app", "bao", {"k": ref(f"{space.name}/a", "k"), "one": ref(f"{space.name}/a", "k", version="1")})
    space.synced("app", {"k": "v", "one": "v"})
    wanted(space, "find", "bao", dataFrom=[{"find": {"path": space.name, "name": {"regexp": "."}, "conversionStrategy": "Default"}}])
    space.synced("find", {f"{space.name}_a": '{"k":"v"}'})
    wanted(space, "tags", "bao", dataFrom=[{"find": {"tags": {"a": "b"}}}])
    assert "tag based search is not implemented" in space.failed("tags")
    wanted(space, "word", "bao", {"k": ref(f"{space.name}/a", version="first")})
    assert 'invalid Ref.Version: "first" is no number' in space.failed("word")
    ready(space, "v1")
    wanted(space, "old", "v1", {"k": ref("a", version="1")})
    assert "OpenBao KVv1 secrets do not support versioning (use KVv2)" in space.failed("old")
    assert "expected kv engine version 1 found version 2" in store_failed(space, "version")
    assert 'expected mount type "kv" found "cubbyhole"' in store_failed(space, "type")
    assert f'error while validating "{vault.url}": status 403' in store_failed(space, "default")


# ---- the manifests of the documentation

def test_the_manifests_of_the_readme(esod, cluster, space, vault):
    vault.put("team/db", user="bob", password="s3same")
    vault.put("team/app", level="info")
    role, secret_id = vault.role(space.name)
    cert, key = (p.read_text() for p in vault.client_cert)
    cluster.apply(account(space.name),
                  secret(space.name, "vault-login", **{"token": "root", "role-id": role, "secret-id": secret_id, "password": "hunter2 "}),
                  secret(space.name, "client", **{"tls.crt": cert, "tls.key": key}),
                  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vault-ca", "namespace": space.name},
                   "data": {"ca.crt": vault.server_cert[0].read_text()}})
    readme = (ROOT / "plugins/vault/README.md").read_text()
    text = "---\n".join(re.findall(r"^```yaml\n(.*?)^```", readme, re.M | re.S))
    cluster.apply(secret(space.name, "vault-pushed", user="amy", password="pushed"))
    stores = []
    for obj in yaml.safe_load_all(text):
        if not obj or obj.get("kind") not in ("SecretStore", "ExternalSecret", "PushSecret"):
            continue
        obj["metadata"]["namespace"] = space.name
        if obj["kind"] == "SecretStore":
            stores.append(obj["metadata"]["name"])
            for block in obj["spec"]["provider"].values():
                block["server"] = vault.mutual if "caProvider" in block else vault.url
        cluster.apply(obj)
    assert len(stores) == 7
    for name in stores:
        ready(space, name)
    space.synced("db", {"user": "bob", "password": "s3same", "level": "info"})
    wait_for(lambda: cluster.ready("PushSecret", "pushed", space.name))
    assert vault.get("team/pushed") == {"user": "amy"}
    assert vault.get("team/whole") == {"user": "amy", "password": "pushed"}
