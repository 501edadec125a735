"""An API server that does what a real one does not do on demand.

fake_api.py SCENARIO prints its port and serves the scenario on 127.0.0.1
until stdin closes (or a minute has passed). GET /log tells which requests
came. A scenario is a function that is called for each request with its
number among those to the same kind of path, from 0.
"""
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
           422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}


def thing(name, rv, **more):
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "ns", "resourceVersion": str(rv)}, **more}


def event(kind, name, rv, **more):
    return json.dumps({"type": kind, "object": thing(name, rv, **more)}, separators=(",", ":")) + "\n"


def bookmark(rv, end=False):
    meta = {"resourceVersion": str(rv)}
    if end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return json.dumps({"type": "BOOKMARK", "object": {"kind": "ConfigMap", "metadata": meta}}) + "\n"


def status(code, message, reason=None, **more):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message,
            "reason": reason or REASONS.get(code, ""), **more}


def error(code, message):
    return json.dumps({"type": "ERROR", "object": status(code, message)}) + "\n"


def page(names, rv, token=""):
    return {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": str(rv), "continue": token},
            "items": [thing(n, rv) for n in names]}


class Request:
    """What a scenario sees of a request, and how it answers."""

    def __init__(self, handler):
        self.h = handler
        parts = urlsplit(handler.path)
        self.method, self.path = handler.command, parts.path
        self.query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        self.raw_query = parts.query
        self.headers = {k.lower(): v for k, v in handler.headers.items()}
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        self.listing = self.query.get("sendInitialEvents") == "true"
        self.watching = self.query.get("watch") == "true"

    def reply(self, code, body, kind="application/json", **headers):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.h.send_response(code)
        self.h.send_header("Content-Type", kind)
        self.h.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.h.send_header(name.replace("_", "-"), value)
        self.h.end_headers()
        self.h.wfile.write(data)

    def refuse(self, code, message, **more):
        self.reply(code, status(code, message, **more))

    def begin(self):
        self.h.send_response(200)
        self.h.send_header("Content-Type", "application/json")
        self.h.send_header("Transfer-Encoding", "chunked")
        self.h.end_headers()

    def piece(self, text):
        data = text.encode()
        self.h.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.h.wfile.flush()

    def end(self):
        self.h.wfile.write(b"0\r\n\r\n")

    def stream(self, *pieces, hold=False):
        self.begin()
        for text in pieces:
            self.piece(text)
        if hold:
            self.hang()
        self.end()

    def hang(self):
        """Until the client goes away."""
        try:
            while self.h.connection.recv(4096):
                pass
        except OSError:
            pass
        self.h.close_connection = True

    def cut(self):
        self.h.connection.shutdown(socket.SHUT_RDWR)
        self.h.close_connection = True

    def reset(self):
        self.h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.h.connection.close()
        self.h.close_connection = True


# --- watches: n counts the requests -------------------------------------

def streamed(r, n):
    if n == 0:
        r.stream(event("ADDED", "a", 3), event("ADDED", "b", 2), bookmark(10, end=True), event("MODIFIED", "a", 11),
                 event("DELETED", "b", 12), bookmark(20))
    elif n == 1:
        r.stream(event("ADDED", "c", 21), hold=True)


def empty(r, n):
    r.stream(bookmark(7, end=True), hold=True)


def small_pieces(r, n):
    text = event("ADDED", "a", 3) + bookmark(10, end=True) + event("ADDED", "big", 11, data={"k": "x" * 1000000})
    r.begin()
    for at in range(0, 400, 7):
        r.piece(text[at:at + 7])
    rest = text[406:]
    for at in range(0, len(rest), 65537):
        r.piece(rest[at:at + 65537])
    r.piece("\n\n" + event("ADDED", "b", 12))
    r.hang()


def nested(depth):
    return '{"x":' * depth + "1" + "}" * depth


def too_deep(r, n):
    def deep(name, rv, depth):
        return event("ADDED", name, rv, data="DEEP").replace('"DEEP"', nested(depth))
    r.stream(event("ADDED", "a", 1), deep("evil", 2, 5000), deep("fine", 3, 200), bookmark(5, end=True), hold=True)


def gone_event(r, n):
    if n == 0:
        r.stream(event("ADDED", "a", 3), event("ADDED", "b", 4), bookmark(10, end=True), error(410, "too old"))
    elif n == 1:
        r.stream(event("ADDED", "b", 44), bookmark(50, end=True), hold=True)


def gone_answer(r, n):
    if n == 0:
        r.stream(event("ADDED", "a", 3), bookmark(10, end=True))
    elif n == 1:
        r.refuse(410, "too old resource version: 10")
    elif n == 2:
        r.stream(event("ADDED", "a", 44), bookmark(50, end=True), hold=True)


def always_gone(r, n):
    if r.listing:
        r.stream(event("ADDED", "a", 3), error(410, "too old"))
    else:
        r.refuse(410, "too old")


def error_event(r, n):
    if n == 0:
        r.stream(event("ADDED", "a", 3), bookmark(10, end=True), error(500, "etcd is unwell"))
    elif n == 1:
        r.stream(event("ADDED", "b", 11), hold=True)


def cut_line(r, n):
    if n == 0:
        r.begin()
        r.piece(event("ADDED", "a", 3) + bookmark(10, end=True) + event("ADDED", "b", 11) + event("ADDED", "c", 12)[:30])
        r.cut()
    elif n == 1:
        r.stream(event("ADDED", "c", 12), hold=True)


def cut_list(r, n):
    if n == 0:
        r.begin()
        r.piece(event("ADDED", "a", 3))
        r.cut()
    elif n == 1:
        r.stream(event("ADDED", "a", 3))
    else:
        r.stream(event("ADDED", "b", 5), bookmark(10, end=True), hold=True)


def bookmarks_only(r, n):
    if n == 0:
        r.stream(bookmark(10, end=True), bookmark(11), bookmark(12), bookmark(33))
    else:
        r.stream(event("ADDED", "late", 40), hold=True)


def paged(r, n):
    """No streamed lists here, and the first continue token expires."""
    if r.listing:
        return r.refuse(422, "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")
    if r.watching:
        return r.stream(event("ADDED", "new", 101), hold=True)
    if n == 1:
        return r.reply(200, page(["a", "b"], 90, "token-1"))
    if n == 2:
        return r.refuse(410, "The provided continue parameter is too old")
    if n == 3:
        return r.reply(200, page(["b"], 100, "token-2"))
    return r.reply(200, page(["c"], 100))


def paged_empty(r, n):
    if r.listing:
        return r.refuse(400, "unknown")
    if r.watching:
        return r.stream(bookmark(6), hold=True)
    return r.reply(200, {**page([], 5), "items": None})


def forbidden(r, n):
    if n < 2:
        return r.refuse(403, 'configmaps is forbidden: User "u" cannot watch resource "configmaps"')
    r.stream(bookmark(7, end=True), hold=True)


def unavailable(r, n):
    r.refuse(503, "starting")


def too_many(r, n):
    if n == 0:
        return r.reply(429, status(429, "slow down"), Retry_After="1")
    r.stream(bookmark(7, end=True), hold=True)


def silent(r, n):
    r.hang()


def silent_refusal(r, n):
    """Says no, and never says why."""
    r.h.send_response(500)
    r.h.send_header("Transfer-Encoding", "chunked")
    r.h.end_headers()
    r.hang()


def silent_stream(r, n):
    r.stream(bookmark(7, end=True), hold=True)


def ends_at_once(r, n):
    if r.listing:
        return r.stream(bookmark(7, end=True))
    r.stream()


# --- requests -----------------------------------------------------------

def echo(r, n):
    r.reply(200, {"method": r.method, "path": r.path, "query": r.raw_query, "headers": r.headers, "body": r.body})


QUOTING = {
    "old": "decode: illegal base64, error found in #10 byte of ...|hunter2|...",
    "patch": '"" is invalid: patch: Invalid value: "{\\"data\\":{\\"k\\":\\"hunter2\\"}}": json: cannot unmarshal number',
    "key": 'is invalid: data[a b]: Invalid value: "a b": not a key; x: Invalid value: "[hunter2]": no',
    "long": 'x: Invalid value: "' + "hunter2" * 100 + '": too long',
    "open": 'x: Invalid value: "{hunter2',
    "apply": "failed to create typed patch object: .data.k: expected string, got &value.valueUnstructured{Value:hunter2}",
    "go": 'x: Invalid value: map[string]interface {}{"k":"hunter2"}: no',
}


def cause(field):
    return {"causes": [{"field": field, "reason": "FieldValueInvalid", "message": 'Invalid value: "hunter2"'},
                       {"reason": "FieldValueRequired", "message": "hunter2"}]}


REFUSALS = {
    "fields": status(422, 'Thing "a" is invalid: spec.x: Invalid value: "hunter2": no', details=cause("spec.x")),
    "type": status(400, "Thing in version \"v1\" cannot be handled as a Thing: json: cannot unmarshal number 424242 "
                        "into Go struct field Thing.data of type string"),
    "webhook": status(403, 'admission webhook "w.example.com" denied the request: hunter2 is no good'),
    "rights": status(403, 'things is forbidden: User "u" cannot create resource "things"'),
}


def refusals(r, n):
    """/refusals by the object's name."""
    answer = REFUSALS[r.path.rsplit("/", 1)[1]]
    r.reply(answer["code"], answer)


def answers(r, n):
    """/answers/CODE/REASON... through the namespace and the name."""
    code, reason = re.search(r"/namespaces/(\d+)/[a-z]+/(.*)$", r.path).groups()
    if reason == "plain":
        return r.reply(int(code), "<html>password=hunter2</html>", kind="text/html")
    if reason == "details":
        return r.reply(int(code), status(int(code), "later", details={"retryAfterSeconds": 3}))
    if reason == "ending":
        return r.reply(int(code), status(int(code), "the namespace is being terminated", reason="Forbidden", details={
            "causes": [{"field": "metadata.namespace", "reason": "NamespaceTerminating"}]}))
    if reason in QUOTING:
        return r.refuse(int(code), QUOTING[reason])
    r.refuse(int(code), f"the message for {code}", reason=reason)


def retry_after(r, n):
    r.reply(429, status(429, "slow down"), Retry_After="2")


def resets(r, n):
    if n == 0:
        return r.reset()
    r.reply(200, thing("a", 1))


def always_resets(r, n):
    r.reset()


def tokens(r, n):
    """The first token stops being good after one request."""
    good = "Bearer one" if n == 0 else "Bearer two"
    if r.headers.get("authorization") != good:
        return r.refuse(401, "Unauthorized")
    if r.watching:
        return r.stream(bookmark(7, end=True), hold=True)
    r.reply(200, thing("a", 1))


def never_authorized(r, n):
    r.refuse(401, "Unauthorized")


def pages(r, n):
    """Three pages; a page of more than two objects is larger than allowed."""
    limit = int(r.query["limit"])
    if limit > 2:
        big = page(["x"], 1)
        big["items"][0]["data"] = {"k": "x" * (17 * 1024 * 1024)}
        return r.reply(200, big)
    at = int(r.query.get("continue", "0"))
    names = ["a", "b", "c", "d", "e"]
    token = str(at + limit) if at + limit < len(names) else ""
    r.reply(200, page(names[at:at + limit], 77, token))


def always_expired(r, n):
    if "continue" in r.query:
        return r.refuse(410, "expired")
    r.reply(200, page(["a"], n, "t"))


def odd_lists(r, n):
    bodies = {
        "spaces": ' { "items" : [ {"metadata":{"name":"a\\"]}"}} , {"metadata":{"name":"b"}} ] , "metadata" : {"resourceVersion":"5"} } ',
        "truncated": '{"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a"}},{"metad',
        "nolist": '{"kind":"ConfigMap","metadata":{}}',
        "nojson": 'hello',
        "deep": '{"metadata":{"resourceVersion":"5"},"items":[' + nested(3000) + ',{"metadata":{"name":"b"}}]}',
        "empty": '{"metadata":{"resourceVersion":"5"},"items":[]}',
    }
    r.reply(200, bodies[r.path.split("/")[4]])


def text(r, n):
    r.reply(200, "ok", kind="text/plain")


# --- discovery, and watches that begin late -----------------------------

def resources(*rows):
    return {"kind": "APIResourceList", "resources": [
        {"name": name, "kind": kind, "namespaced": namespaced} for name, kind, namespaced in rows]}


def late(r, n):
    """Mice are known from the second question on; a watch sends one object, named by what was asked for."""
    if r.watching:
        name = "metadata" if "as=PartialObjectMetadata;" in r.headers["accept"] else "whole"
        return r.stream(event("ADDED", name, 3), bookmark(7, end=True), hold=True)
    if r.path == "/api/v1":
        return r.reply(200, resources(("configmaps", "ConfigMap", True), ("nodes/status", "Node", False),
                                      ("nodes", "Node", False)))
    if r.path == "/apis/example.com/v1" and n > 0:
        return r.reply(200, resources(("mice", "Mouse", True)))
    if r.path == "/apis/example.com/v2":
        return r.refuse(503, "starting")
    r.refuse(404, "the server could not find the requested resource")


# ------------------------------------------------------------------------

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        request = Request(self)
        server = self.server
        if request.path == "/log":
            return request.reply(200, server.log)
        with server.lock:
            n = len(server.log)
            server.log.append({"method": request.method, "path": request.path, "query": request.query,
                               "body": request.body, "at": time.monotonic()})
        try:
            server.scenario(request, n)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    server.scenario, server.log, server.lock = globals()[sys.argv[1]], [], threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Timer(60, os._exit, (1,)).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
