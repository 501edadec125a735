"""Who is who: service accounts and their keys, tokens, and the ways to get one."""

import base64
import datetime
import json
import secrets
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from discovery import Refused, invalid

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
AWS = "urn:ietf:params:aws:token-type:aws4_request"


class OAuthRefused(Exception):
    """An error in the form of RFC 6749, section 5.2."""

    def __init__(self, error, description):
        super().__init__(description)
        self.error = error

    def body(self):
        return {"error": self.error, "error_description": str(self)}


def _decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def read_jwt(text, keys):
    """The claims of a token that one of the keys, {kid: public key}, has signed."""
    try:
        head, claims, signature = text.split(".")
        header = json.loads(_decode(head))
        key = keys[header["kid"]]
        if header["alg"] != "RS256":
            raise ValueError(header["alg"])
        key.verify(_decode(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        return json.loads(_decode(claims))
    except (ValueError, KeyError, InvalidSignature):
        raise OAuthRefused("invalid_grant", "Invalid JWT Signature.") from None


def sign_jwt(key, kid, claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    text = f"{part({'alg': 'RS256', 'typ': 'JWT', 'kid': kid})}.{part(claims)}"
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return text + "." + base64.urlsafe_b64encode(signature).decode().rstrip("=")


class Account:
    """A service account with one key."""

    def __init__(self, email):
        self.email, self.kid = email, secrets.token_hex(20)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def key_file(self, project, **more):
        pem = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return {"type": "service_account", "project_id": project, "private_key_id": self.kid, "private_key": pem.decode(),
                "client_email": self.email, "client_id": "1" * 21, "auth_uri": "https://accounts.google.com/o/oauth2/auth",
                "token_uri": GOOGLE_TOKEN, "universe_domain": "googleapis.com", **more}


class Identity:
    """`url` is the server's own. All times are those of `now`."""

    def __init__(self, now, url):
        self.now, self.url = now, url
        self.accounts = {}        # email: Account
        self.users = {}           # refresh token: (client id, client secret, principal)
        self.tokens = {}          # access token: (principal, end)
        self.token_life = 3600
        self.clusters = {}        # (pool, provider): {kid: key} that signs the cluster's service accounts' tokens
        self.pools = {}           # audience of a pool provider: (subject token type, function: token -> subject)
        self.impersonators = set()  # (principal, email of the account it may act as)
        self.instance = None      # the principal that the metadata server speaks for

    # ---- tokens

    def issue(self, principal, life=None):
        token = "ya29." + secrets.token_urlsafe(40)
        self.tokens[token] = (principal, self.now() + (life or self.token_life))
        return token

    def answer(self, principal):
        return {"access_token": self.issue(principal), "expires_in": self.token_life, "token_type": "Bearer"}

    def principal(self, authorization):
        """Who has sent a request."""
        kind, _, token = (authorization or "").partition(" ")
        principal, end = self.tokens.get(token, (None, 0))
        if kind != "Bearer" or not principal or end <= self.now():
            raise Refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.",
                          [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
                            "domain": "googleapis.com"}])
        return principal

    # ---- the OAuth token endpoint

    def grant(self, form):
        kind = form.get("grant_type")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return self.answer(self._by_assertion(form.get("assertion", "")))
        if kind == "refresh_token":
            user = self.users.get(form.get("refresh_token"))
            if not user or user[:2] != (form.get("client_id"), form.get("client_secret")):
                raise OAuthRefused("invalid_grant", "Token has been expired or revoked.")
            return self.answer(user[2])
        raise OAuthRefused("unsupported_grant_type", f"Invalid grant_type: {kind}")

    def _by_assertion(self, assertion):
        claims = read_jwt(assertion, {a.kid: a.key.public_key() for a in self.accounts.values()})
        account = self.accounts.get(claims.get("iss"))
        if not account:
            raise OAuthRefused("invalid_grant", "Invalid grant: account not found")
        read_jwt(assertion, {account.kid: account.key.public_key()})  # signed by itself, not by another
        if claims.get("aud") not in (GOOGLE_TOKEN, self.url + "/token"):
            raise OAuthRefused("invalid_grant", "Invalid JWT: Failed audience check.")
        begins, ends = claims.get("iat", 0), claims.get("exp", 0)
        if begins > self.now() + 60 or ends <= self.now() or ends - begins > 3600:
            raise OAuthRefused("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes).")
        if SCOPE not in claims.get("scope", "").split():
            raise OAuthRefused("invalid_scope", "Empty or missing scope not allowed.")
        return account.email

    # ---- tokens of others

    def _cluster_subject(self, token, keys, audience):
        claims = read_jwt(token, keys)
        wanted = claims.get("aud", [])
        if audience not in (wanted if isinstance(wanted, list) else [wanted]) or claims.get("exp", 0) <= self.now():
            raise OAuthRefused("invalid_grant", "The token's audience or time is wrong.")
        return claims["sub"].removeprefix("system:serviceaccount:").replace(":", "/")

    def identity_binding(self, body):
        """What GKE's securetoken service does with a token of a cluster's service account."""
        pool, _, provider = body.get("audience", "").removeprefix("identitynamespace:").partition(":")
        if body.get("grant_type") != EXCHANGE or body.get("requested_token_type") != ACCESS_TOKEN or \
                body.get("subject_token_type") != JWT or body.get("scope") != SCOPE:
            raise OAuthRefused("invalid_request", "The request is not one for an access token.")
        if (pool, provider) not in self.clusters:
            raise OAuthRefused("invalid_target", "The identity namespace is unknown.")
        subject = self._cluster_subject(body.get("subject_token", ""), self.clusters[pool, provider], pool)
        return {**self.answer(f"{pool}[{subject}]"), "issued_token_type": ACCESS_TOKEN}

    def exchange(self, form):
        """The security token service."""
        if form.get("grantType") != EXCHANGE or form.get("requestedTokenType") != ACCESS_TOKEN or \
                SCOPE not in form.get("scope", "").split():
            raise OAuthRefused("invalid_request", "The request is not one for an access token.")
        if form.get("audience") not in self.pools:
            raise OAuthRefused("invalid_target", "The target service indicated by the audience is invalid.")
        kind, subject_of = self.pools[form["audience"]]
        if form.get("subjectTokenType") != kind:
            raise OAuthRefused("invalid_request", "The subject token's type does not fit the provider.")
        subject = subject_of(form.get("subjectToken", ""))
        return {**self.answer(f"principal:{subject}"), "issued_token_type": ACCESS_TOKEN}

    def trust_cluster(self, audience, keys, token_audience):
        """A pool provider for the tokens of a Kubernetes cluster."""
        self.pools[audience] = (JWT, lambda token: self._cluster_subject(token, keys, token_audience))

    def trust_aws(self, audience, signs):
        """A pool provider for AWS; signs(method, url, headers) is who signed the request, or None."""
        def subject_of(token):
            request = json.loads(urllib.parse.unquote_plus(token))
            headers = {h["key"].lower(): h["value"] for h in request["headers"]}
            who = signs(request["method"], request["url"], headers)
            if not who or headers.get("x-goog-cloud-target-resource") != audience:
                raise OAuthRefused("invalid_grant", "The signed request was not accepted by AWS.")
            return who
        self.pools[audience] = (AWS, subject_of)

    # ---- IAM credentials

    def _may_act(self, principal, name):
        email = name.rpartition("/")[2]
        if email not in self.accounts or (principal, email) not in self.impersonators:
            raise Refused(403, "PERMISSION_DENIED",
                          "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
                          [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED",
                            "domain": "iam.googleapis.com"}])
        return self.accounts[email]

    def generate_access_token(self, principal, name, body):
        account = self._may_act(principal, name)
        life = int(body.get("lifetime", "3600s")[:-1])
        if not body.get("scope") or not 0 < life <= 3600:
            raise invalid("The request needs a scope, and a lifetime of an hour at most.")
        ends = datetime.datetime.fromtimestamp(int(self.now()) + life, datetime.timezone.utc)
        return {"accessToken": self.issue(account.email, life), "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def sign_jwt(self, principal, name, body):
        account = self._may_act(principal, name)
        return {"keyId": account.kid, "signedJwt": sign_jwt(account.key, account.kid, json.loads(body["payload"]))}


def system_time():
    return time.time()
