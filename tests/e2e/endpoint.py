"""An HTTP server of which each path does what the test says, over TLS if it is asked to; it notes every request."""

import http.server
import socket
import ssl
import subprocess
import threading
import time

import pytest


class Endpoint:
    """answers[path] is a body, (status, body), (status, body, headers), or a function of the handler.

    Paths are looked up with their query first and then without; `any` answers for all others.
    """

    def __init__(self, folder=None):
        self.answers, self.any, self.seen, self.lock = {}, 404, [], threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.endpoint = self
        self.ca = None
        if folder:
            self._secure(folder)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if folder else 'http'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def _secure(self, folder):
        cert, key = folder / "endpoint.crt", folder / "endpoint.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=endpoint", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
                       check=True, capture_output=True)
        self.ca = cert.read_text()
        self.server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.tls.load_cert_chain(cert, key)

    def requests(self, path=None, method=None):
        """Those that are no look whether somebody is there."""
        with self.lock:
            return [r for r in self.seen if path in (None, r["path"]) and (r["method"] == method if method else r["method"] != "HEAD")]

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    tls = None

    def finish_request(self, request, client_address):
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass  # clients that do not trust it go away


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def handle_any(self):
        endpoint = self.server.endpoint
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with endpoint.lock:
            endpoint.seen.append({"method": self.command, "path": self.path, "body": body.decode(),
                                  "headers": {k.lower(): v for k, v in self.headers.items()}})
        answer = endpoint.answers.get(self.path, endpoint.answers.get(self.path.split("?")[0], endpoint.any))
        if callable(answer):
            answer(self)
        else:
            self.answer(*(answer if isinstance(answer, tuple) else (answer, "") if isinstance(answer, int) else (200, answer)))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any

    def answer(self, status, body="", headers=None):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    # ---- what goes wrong
    def never(self):
        """Says nothing until the other side gives up, or the test is over."""
        self.connection.settimeout(20)
        try:
            self.connection.recv(1)
        except OSError:
            pass
        self.close_connection = True

    def half(self):
        """Promises more than it sends."""
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half of it")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def huge(self):
        self.send_response(200)
        self.send_header("Content-Length", str(64 << 20))
        self.end_headers()
        try:
            for _ in range(64):
                self.wfile.write(b"x" * (1 << 20))
        except OSError:
            self.close_connection = True


@pytest.fixture
def endpoint():
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def other_endpoint():
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def secure_endpoint(tmp_path):
    made = Endpoint(tmp_path)
    yield made
    made.close()


def slow(seconds, body):
    def answer(handler):
        time.sleep(seconds)
        handler.answer(200, body)
    return answer
