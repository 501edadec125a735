"""The state of Secret Manager: projects, secrets, versions, and what the API does with them."""

import base64
import datetime
import hashlib
import hmac
import json
import re

from discovery import Refused, invalid

PAGE = 25000
MAX_VALUE = 65536
ID = re.compile(r"[a-zA-Z0-9_-]{1,255}")
LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
ANNOTATION_KEY = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
TERM = re.compile(r"(?:(name):(?P<name>[\w-]+)|labels\.(?P<label>[\w-]+)[=:](?P<value>[\w-]+)|state:(?P<state>[A-Z]+))")
CHANGEABLE = {"labels", "annotations", "topics", "ttl", "expireTime", "rotation", "versionAliases", "versionDestroyTtl",
              "customerManagedEncryption"}


def crc32c(data):
    """Bit by bit, written down independently of the plugin's."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def not_found(what):
    return Refused(404, "NOT_FOUND", f"{what} not found.")


class Version:
    def __init__(self, number, data, created, checked):
        self.number, self.data, self.created, self.checked = number, data, created, checked
        self.state = "ENABLED"


class SecretManager:
    """`projects` maps names to numbers. `now` gives the time in seconds. `max_page`: pages are no longer than this."""

    def __init__(self, now):
        self.now, self.max_page = now, PAGE
        self.projects, self.secrets = {}, {}
        self._key, self._count, self._last = b"page tokens", 0, 0.0

    # ---- names and times

    def canonical(self, name):
        """With the project's number, as answers have it."""
        first, project, *rest = name.split("/")
        if project not in self.projects and project not in self.projects.values():
            raise Refused(403, "PERMISSION_DENIED", f"Permission denied on resource project {project}.",
                          [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "CONSUMER_INVALID",
                            "domain": "googleapis.com"}])
        return "/".join([first, self.projects.get(project, project), *rest])

    def _stamp(self):
        """A time that was not before: with as many digits as it takes, as Google prints them."""
        self._last = max(self.now(), self._last + 0.000001)
        at = datetime.datetime.fromtimestamp(self._last, datetime.timezone.utc)
        return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at.microsecond:06d}" if at.microsecond else "") + "Z"

    def _etag(self):
        self._count += 1
        return '"' + hashlib.sha256(str(self._count).encode()).hexdigest()[:14] + '"'

    def _secret(self, name):
        name = self.canonical(name)
        if name not in self.secrets:
            raise Refused(404, "NOT_FOUND", f"Secret [{name}] not found.")
        return self.secrets[name]

    def _version(self, name):
        parent, _, wanted = name.partition("/versions/")
        parent = self.canonical(parent)
        secret = self.secrets.get(parent)
        if not secret or not secret["versions"]:
            raise Refused(404, "NOT_FOUND", f"Secret [{parent}] not found or has no versions.")
        wanted = secret["public"].get("versionAliases", {}).get(wanted, wanted)
        found = [v for v in secret["versions"] if str(v.number) == wanted or (wanted == "latest" and v is secret["versions"][-1])]
        if not found:
            raise Refused(404, "NOT_FOUND", f"Secret Version [{parent}/versions/{wanted}] not found.")
        return parent, found[0]

    def _public_version(self, parent, v):
        return {"name": f"{parent}/versions/{v.number}", "createTime": v.created, "state": v.state,
                "etag": f'"{v.number}{v.state[0]}"', "replicationStatus": {"automatic": {}},
                "clientSpecifiedPayloadChecksum": v.checked}

    # ---- secrets

    def _check_secret(self, body, regional):
        for key, value in body.get("labels", {}).items():
            if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
                raise invalid(f"Label {key} is malformed.")
        if not all(ANNOTATION_KEY.fullmatch(key) for key in body.get("annotations", {})):
            raise invalid("An annotation's key is malformed.")
        if not all(re.fullmatch(r"projects/[^/]+/topics/[^/]+", t.get("name", "")) for t in body.get("topics", [])):
            raise invalid("The topic's name is malformed: projects/*/topics/*.")
        if regional and "replication" in body:
            raise invalid("Replication must not be set for a regional secret.")
        if not regional and "customerManagedEncryption" in body:
            raise invalid("customer_managed_encryption is for regional secrets.")

    def create(self, parent, secretId="", body=None):
        regional = "/locations/" in parent
        if not ID.fullmatch(secretId):
            raise invalid("The secret's id is malformed.")
        self._check_secret(body, regional)
        if not regional and len(body.get("replication", {})) != 1:
            raise invalid("Field [secret.replication] is required: automatic or user_managed.")
        if "userManaged" in body.get("replication", {}) and not body["replication"]["userManaged"].get("replicas"):
            raise invalid("User-managed replication needs a replica.")
        name = f"{self.canonical(parent)}/secrets/{secretId}"
        if name in self.secrets:
            raise Refused(409, "ALREADY_EXISTS", f"Secret [{name}] already exists.")
        public = {k: v for k, v in body.items() if v not in ({}, [])} | {"name": name, "createTime": self._stamp(),
                                                                          "etag": self._etag()}
        if regional:
            public.pop("replication", None)
        self.secrets[name] = {"public": public, "versions": []}
        return public

    def get(self, name):
        return self._secret(name)["public"]

    def patch(self, name, updateMask="", body=None):
        secret = self._secret(name)
        fields = [re.sub(r"_(\w)", lambda m: m[1].upper(), f) for f in updateMask.split(",") if f]
        if not fields or not set(fields) <= CHANGEABLE:
            raise invalid(f"The update mask [{updateMask}] is empty or names what cannot change.")
        self._check_secret({f: body[f] for f in fields if f in body}, "/locations/" in name)
        if body.get("etag") not in (None, "", secret["public"]["etag"]):
            raise Refused(409, "ABORTED", "The etag does not match that of the secret.")
        for f in fields:
            secret["public"].pop(f, None)
            if body.get(f):
                secret["public"][f] = body[f]
        secret["public"]["etag"] = self._etag()
        return secret["public"]

    def delete(self, name, etag=""):
        secret = self._secret(name)
        if etag not in ("", secret["public"]["etag"]):
            raise Refused(409, "ABORTED", "The etag does not match that of the secret.")
        del self.secrets[self.canonical(name)]
        return {}

    # ---- lists

    def _terms(self, text, known):
        """[(kind, ...)] of a filter; what is not understood is refused rather than ignored."""
        out = []
        for word in re.sub(r"\sAND\s", " ", text).split():
            found = TERM.fullmatch(word)
            if not found or not any(found[k] for k in known):
                raise invalid(f"The filter [{text}] could not be parsed.")
            out.append(found)
        return out

    def _page(self, items, what, filter="", pageSize=0, pageToken=""):
        """A slice of the items, and the token of the next one, which is good for the same question only."""
        if pageSize < 0:
            raise invalid("The page size is negative.")
        sign = hmac.new(self._key, json.dumps([what, filter]).encode(), "sha256").hexdigest()[:16]
        start = 0
        if pageToken:
            try:
                start, signed = json.loads(base64.urlsafe_b64decode(pageToken))
            except ValueError:
                raise invalid("The page token is malformed.") from None
            if signed != sign:
                raise invalid("The page token belongs to another request.")
        end = start + min(pageSize or self.max_page, self.max_page, PAGE)
        token = base64.urlsafe_b64encode(json.dumps([end, sign]).encode()).decode() if end < len(items) else None
        return items[start:end], {"totalSize": len(items), **({"nextPageToken": token} if token else {})}

    def list(self, parent, filter="", **page):
        prefix = self.canonical(parent) + "/secrets/"
        found = [s["public"] for n, s in sorted(self.secrets.items()) if n.startswith(prefix)]
        for term in self._terms(filter, ("name", "label")):
            if term["name"]:
                found = [s for s in found if term["name"].lower() in s["name"].rpartition("/")[2].lower()]
            else:
                found = [s for s in found if s.get("labels", {}).get(term["label"]) == term["value"]]
        items, more = self._page(found, prefix, filter, **page)
        return {**({"secrets": items} if items else {}), **more}

    def list_versions(self, parent, filter="", **page):
        secret, name = self._secret(parent), self.canonical(parent)
        found = list(reversed(secret["versions"]))
        for term in self._terms(filter, ("state",)):
            found = [v for v in found if v.state == term["state"]]
        items, more = self._page([self._public_version(name, v) for v in found], name + "/versions", filter, **page)
        return {**({"versions": items} if items else {}), **more}

    # ---- versions

    def add_version(self, parent, body=None):
        secret, name = self._secret(parent), self.canonical(parent)
        payload = (body or {}).get("payload") or {}
        data = base64.b64decode(payload.get("data", ""))
        if not data:
            raise invalid("Secret Payload cannot be empty.")
        if len(data) > MAX_VALUE:
            raise invalid("The payload is larger than 64 KiB.")
        if "dataCrc32c" in payload and int(payload["dataCrc32c"]) != crc32c(data):
            raise invalid("The payload's checksum does not match.")
        v = Version(len(secret["versions"]) + 1, data, self._stamp(), "dataCrc32c" in payload)
        secret["versions"].append(v)
        return self._public_version(name, v)

    def get_version(self, name):
        return self._public_version(*self._version(name))

    def access(self, name):
        parent, v = self._version(name)
        if v.state != "ENABLED":
            raise Refused(400, "FAILED_PRECONDITION", f"Secret Version [{parent}/versions/{v.number}] is in {v.state} state.")
        return {"name": f"{parent}/versions/{v.number}",
                "payload": {"data": base64.b64encode(v.data).decode(), "dataCrc32c": str(crc32c(v.data))}}

    def set_state(self, name, state):
        parent, v = self._version(name)
        if v.state == "DESTROYED" and state != "DESTROYED":
            raise Refused(400, "FAILED_PRECONDITION", f"Secret Version [{parent}/versions/{v.number}] is in DESTROYED state.")
        v.state = state
        if state == "DESTROYED":
            v.data = b""
        return self._public_version(parent, v)
