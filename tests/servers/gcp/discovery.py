"""Google's discovery documents: which requests an API takes, and what its messages hold.

The documents come with google-api-python-client. A request is routed by them, and refused as Google refuses it:
methods, paths and query parameters that are not in them, and bodies with members or types that are not.
"""

import base64
import binascii
import importlib.resources
import json
import re


class Refused(Exception):
    """An answer of an API that is an error, in the form of google.rpc.Status."""

    def __init__(self, http, code, message, details=(), headers=()):
        super().__init__(message)
        self.http, self.code, self.message = http, code, message
        self.details, self.headers = list(details), dict(headers)

    def body(self):
        error = {"code": self.http, "message": self.message, "status": self.code}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def invalid(message):
    return Refused(400, "INVALID_ARGUMENT", message)


def _whole(low, high):
    def fits(value):
        return isinstance(value, int) and not isinstance(value, bool) and low <= value < high
    return fits


def _is_base64(value):
    try:
        base64.b64decode(value, validate=True)
        return True
    except (binascii.Error, ValueError):
        return False


FORMATS = {
    "byte": _is_base64,
    "int64": lambda v: re.fullmatch(r"-?\d{1,19}", v) is not None,
    "google-duration": lambda v: re.fullmatch(r"-?\d+(\.\d{1,9})?s", v) is not None,
    "google-datetime": lambda v: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", v) is not None,
    "google-fieldmask": lambda v: True,
    "int32": _whole(-2**31, 2**31),
}
TYPES = {"string": lambda v: isinstance(v, str), "boolean": lambda v: isinstance(v, bool),
         "integer": _whole(-2**31, 2**31), "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)}


class Api:
    """One document: its methods by path, its messages by name."""

    def __init__(self, name):
        text = importlib.resources.files("googleapiclient").joinpath(f"discovery_cache/documents/{name}.json").read_text()
        self.document = json.loads(text)
        self.routes = list(self._routes(self.document))

    def _routes(self, node):
        for method in node.get("methods", {}).values():
            yield method["httpMethod"], self._pattern(method), method
        for child in node.get("resources", {}).values():
            yield from self._routes(child)

    @staticmethod
    def _pattern(method):
        """The path as a regular expression: {+name} stands for what its parameter's pattern says."""
        out = ""
        for part in re.split(r"(\{\+?\w+\})", method["path"]):
            found = re.fullmatch(r"\{\+?(\w+)\}", part)
            if found:
                inner = method["parameters"][found[1]].get("pattern", "^[^/]+$")[1:-1].replace("[^/]", "[^/:]")
                out += f"(?P<{found[1]}>{inner})"
            else:
                out += re.escape(part)
        return re.compile("/" + out)

    def route(self, http_method, path):
        """(method, path parameters), or None when the API has no such path."""
        for verb, pattern, method in self.routes:
            found = pattern.fullmatch(path)
            if found and verb == http_method:
                return method, found.groupdict()
        return None

    # ---- requests

    def query(self, method, pairs):
        """The method's own parameters, by name."""
        own = {n: p for n, p in method.get("parameters", {}).items() if p["location"] == "query"}
        out = {}
        for name, value in pairs:
            if name in self.document["parameters"] or name == "$alt":
                continue  # of every method
            if name not in own:
                raise invalid(f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.')
            if name in out:
                raise invalid(f'Query parameter "{name}" was given twice.')
            if own[name]["type"] == "integer" and not re.fullmatch(r"-?\d+", value):
                raise invalid(f'Invalid value at "{name}" (TYPE_INT32).')
            out[name] = int(value) if own[name]["type"] == "integer" else value
        return out

    def check(self, schema, value, at="", answer=False):
        """Raises for a value that is no such message. Output-only members may only be in answers, but for a name."""
        if "$ref" in schema:
            schema = self.document["schemas"][schema["$ref"]]
        kind = schema["type"]
        if kind == "object":
            self._check_object(schema, value, at, answer)
        elif kind == "array":
            if not isinstance(value, list):
                raise invalid(f"Invalid value at '{at}': a list is expected.")
            for i, element in enumerate(value):
                self.check(schema["items"], element, f"{at}[{i}]", answer)
        else:
            self._check_scalar(schema, kind, value, at)

    def _check_object(self, schema, value, at, answer):
        if not isinstance(value, dict):
            raise invalid(f"Invalid value at '{at}': an object is expected.")
        for name, member in value.items():
            where = f"{at}.{name}" if at else name
            known = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if not known:
                raise invalid(f'Invalid JSON payload received. Unknown name "{name}" at \'{at}\': Cannot find field.')
            if known.get("readOnly") and not answer and name != "name":
                raise invalid(f"Invalid value at '{where}': the field is output only.")
            self.check(known, member, where, answer)

    @staticmethod
    def _check_scalar(schema, kind, value, at):
        fits = TYPES[kind](value) and FORMATS.get(schema.get("format"), lambda v: True)(value)
        if fits and "enum" in schema:
            fits = value in schema["enum"]
        if not fits:
            raise invalid(f"Invalid value at '{at}' ({schema.get('format') or kind}).")
