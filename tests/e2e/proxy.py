"""Proxies that stand between the operator and the API server and misbehave on demand."""

import http.client
import http.server
import json
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import time

STATUS_REASONS = {401: "Unauthorized", 403: "Forbidden", 409: "Conflict", 410: "Expired", 429: "TooManyRequests",
                  500: "InternalError", 503: "ServiceUnavailable"}
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection", "content-length"}


class Cut(Exception):
    """Ends a connection without another byte."""


class Rule:
    """What to do with the requests that match `pattern` ("METHOD /path?query"), the first `times` of them.

    status    answer with it and a Kubernetes Status, without asking the API server
    body      answer 200 with these bytes (close: then end the connection)
    cut       "before": end the connection instead of asking;
              "after": ask, and end the connection instead of answering;
              "inside": end the connection in the middle of the answer
    delay     wait so many seconds, then go on
    """

    def __init__(self, pattern, times=1, seconds=None, status=None, headers=None, body=None, cut=None, delay=0.0):
        self.pattern, self.left = re.compile(pattern), times
        self.until = time.monotonic() + seconds if seconds else None
        self.status, self.headers, self.body, self.cut, self.delay = status, headers or {}, body, cut, delay
        self.hits = []

    def matches(self, line):
        if self.left == 0 or (self.until and time.monotonic() > self.until) or not self.pattern.search(line):
            return False
        self.left -= 1
        self.hits.append((time.monotonic(), line))
        return True


class HttpProxy:
    """Ends TLS, reads each request, and forwards it; speaks HTTP/1.1 on both sides."""

    def __init__(self, plane, folder):
        self.plane, self.rules, self.seen = plane, [], []
        self.lock = threading.Lock()  # guards rules and seen
        cert, key = folder / "proxy.crt", folder / "proxy.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=proxy", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
                       check=True, capture_output=True)
        self.ca = cert.read_text()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cert, key)
        self.tls.set_alpn_protocols(["http/1.1"])
        self.trust = ssl.create_default_context(cadata=plane.ca)
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.proxy = self
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def rule(self, pattern, **what):
        made = Rule(pattern, **what)
        with self.lock:
            self.rules.append(made)
        return made

    def requests(self, pattern):
        """(time, line, status) of the forwarded and the invented answers; status 0 for a cut."""
        with self.lock:
            return [r for r in self.seen if re.search(pattern, r[1])]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def get_request(self):
        sock, address = super().get_request()
        return self.proxy.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, client_address):
        pass  # clients come and go; that is what this proxy is for


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 600

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        self.upstream = None

    def finish(self):
        if self.upstream:
            self.upstream.close()
        try:
            super().finish()
        except OSError:
            pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (Cut, OSError, http.client.HTTPException):
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def relay(self):
        proxy = self.server.proxy
        line = f"{self.command} {self.path}"
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        with proxy.lock:
            rule = next((r for r in proxy.rules if r.matches(line)), None)
        status = 0
        try:
            status = self.answer(rule, body)
        finally:
            with proxy.lock:
                proxy.seen.append((time.monotonic(), line, status))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay

    def answer(self, rule, body):
        if rule and rule.delay:
            time.sleep(rule.delay)
        if rule and rule.status:
            reason = STATUS_REASONS[rule.status]
            text = json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": rule.status,
                               "reason": reason, "message": f"the proxy says {reason}"}).encode()
            self.send(rule.status, {"Content-Type": "application/json", **rule.headers}, text)
            return rule.status
        if rule and rule.body is not None:
            self.send(200, {"Content-Type": "application/json", **rule.headers}, rule.body)
            return 200
        if rule and rule.cut == "before":
            raise Cut
        answer = self.forward(body)
        if rule and rule.cut == "after":
            answer.read()
            raise Cut
        self.copy(answer, half=bool(rule and rule.cut == "inside"))
        return answer.status

    def forward(self, body):
        """A kept connection may have been closed by the API server; then a new one is made."""
        proxy = self.server.proxy
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        for fresh in (False, True):
            if self.upstream is None or fresh:
                self.upstream = http.client.HTTPSConnection("127.0.0.1", proxy.plane.conf["api"], context=proxy.trust, timeout=600)
            try:
                self.upstream.request(self.command, self.path, body, headers)
                return self.upstream.getresponse()
            except (http.client.HTTPException, OSError):
                self.upstream.close()
                if fresh:
                    raise
        raise Cut

    def copy(self, answer, half):
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP}
        if answer.length is not None:
            data = answer.read()
            self.send(answer.status, headers, data[:len(data) // 2] if half else data, len(data))
            if half:
                raise Cut
            return
        self.start(answer.status, {**headers, "Transfer-Encoding": "chunked"})
        sent = 0
        while chunk := answer.read1(65536):
            if half:
                chunk = chunk[:max(1, len(chunk) // 2)]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
            sent += len(chunk)
            if half:
                raise Cut
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def start(self, status, headers):
        self.send_response_only(status)
        for k, v in headers.items():
            self.send_header(k, v)
        self.end_headers()

    def send(self, status, headers, data, length=None):
        self.start(status, {**headers, "Content-Length": str(len(data) if length is None else length)})
        if self.command != "HEAD":
            self.wfile.write(data)
        self.wfile.flush()


class TcpProxy:
    """Forwards bytes as they are, so that HTTP/2 stays HTTP/2; can cut and freeze."""

    def __init__(self, port):
        self.port, self.refusing = port, False
        self.flowing = threading.Event()
        self.flowing.set()
        self.pairs, self.lock = [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.port), timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self.lock:
                self.pairs.append((client, server))
            for a, b in ((client, server), (server, client)):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while data := source.recv(65536):
                self.flowing.wait()
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Ends every connection now; returns how many there were."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        return len(pairs)

    def freeze(self):
        self.flowing.clear()

    def thaw(self):
        self.flowing.set()

    def close(self):
        self.listener.close()
        self.thaw()
        self.cut()
