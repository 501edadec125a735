"""Servers on loopback for the transport's tests.

    server.py DIR

makes certificates in DIR, starts one listener per kind, prints a line
"NAME PORT" for each and "ready", and ends when its standard input does.
"""

import gzip
import http.server
import os
import select
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

import ntlm

state = {"active": 0, "most": 0, "calls": 0, "proxied": [], "lock": threading.Lock()}


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_ca(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-subj", "/CN=" + name)


def make_leaf(folder, ca, name, san, days="2"):
    with open(os.path.join(folder, name + ".ext"), "w") as f:
        f.write("subjectAltName=" + san + "\n")
    openssl(folder, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
    openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key",
            "-CAcreateserial", "-out", name + ".pem", "-days", days, "-extfile", name + ".ext")


def make_certificates(folder):
    make_ca(folder, "ca")
    make_ca(folder, "other-ca")
    make_leaf(folder, "ca", "server", "DNS:localhost,IP:127.0.0.1,DNS:service.test")
    make_leaf(folder, "ca", "elsewhere", "DNS:elsewhere.test")
    make_leaf(folder, "ca", "expired", "DNS:localhost,IP:127.0.0.1", days="-1")
    make_leaf(folder, "ca", "client", "DNS:client")
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "alone.key", "-out", "alone.pem", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def log_message(self, *args):
        pass

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def begin_chunks(self, headers=()):
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with state["lock"]:
            state["calls"] += 1
        method = getattr(self, "do_" + url.path.strip("/").replace("/", "_"), None)
        if not method:
            self.answer(b"no such path\n", 404)
            return
        try:
            method()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def number(self, name, default=0):
        return int(self.query.get(name, default))

    def do_echo(self):
        lines = ["%s %s" % (self.command, self.path)]
        lines += ["%s: %s" % (n.lower(), v) for n, v in self.headers.items()]
        self.answer("\n".join(lines).encode() + b"\n\n" + self.body, headers=[("X-Mixed-Case", " kept  ")])

    def do_plain(self):
        self.answer(b"ok\n")

    def do_status(self):
        self.answer(b"as asked\n", self.number("code"))

    def do_slow(self):
        with state["lock"]:
            state["active"] += 1
            state["most"] = max(state["most"], state["active"])
        time.sleep(self.number("ms") / 1000)
        with state["lock"]:
            state["active"] -= 1
        self.answer(b"at last\n")

    def do_most(self):
        with state["lock"]:
            most, state["most"] = state["most"], 0
        self.answer(b"%d" % most)

    def do_cut(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def do_close(self):
        self.close_connection = True

    def do_reset(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def do_huge(self):
        n = self.number("n")
        self.send_response(200)
        self.send_header("Content-Length", str(n))
        self.end_headers()
        while n > 0:
            part = min(n, 65536)
            self.wfile.write(b"h" * part)
            n -= part

    def do_chunked(self):
        self.begin_chunks()
        n = self.number("n")
        while n > 0:
            part = min(n, 10000)
            self.chunk(b"c" * part)
            n -= part
        self.wfile.write(b"0\r\n\r\n")

    def do_headers(self):
        self.answer(b"", headers=[("x-%d" % i, "v" * self.number("size", 1)) for i in range(self.number("n"))])

    def do_hints(self):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        self.answer(b"final\n", headers=[("x-final", "yes")])

    def do_endlesshints(self):
        while True:
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n")

    def do_trailers(self):
        self.begin_chunks([("Trailer", "x-trailer")])
        self.chunk(b"body")
        self.wfile.write(b"0\r\nx-trailer: late\r\n\r\n")

    def do_redirect(self):
        self.answer(b"moved\n", self.number("code", 302), [("Location", self.query["to"])])

    def do_loop(self):
        n = self.number("n")
        self.answer(b"", 302, [("Location", "/loop?n=%d" % (n + 1))])

    def do_countdown(self):
        n = self.number("n")
        if n == 0:
            self.answer(b"landed\n")
        else:
            self.answer(b"", 307, [("Location", "countdown?n=%d" % (n - 1))])

    def do_gzip(self):
        body = b"z" * self.number("n")
        if "gzip" in (self.headers.get("Accept-Encoding") or ""):
            self.answer(gzip.compress(body), headers=[("Content-Encoding", "gzip")])
        else:
            self.answer(body)

    def do_notgzip(self):
        self.answer(b"this is no gzip at all", headers=[("Content-Encoding", "gzip")])

    def do_retry(self):
        self.answer(b"", 429, [("Retry-After", self.query["after"])])

    def do_lines(self):
        """Numbered lines, every `ms`; `n` of them or for ever; then `end` says how it ends."""
        self.begin_chunks()
        n, i = self.number("n"), 0
        while not n or i < n:
            self.chunk(b"line %06d\n" % i)
            self.wfile.flush()
            i += 1
            time.sleep(self.number("ms") / 1000)
        if self.query.get("end") == "cut":
            self.close_connection = True
        elif self.query.get("end") == "hang":
            time.sleep(60)
        else:
            self.wfile.write(b"0\r\n\r\n")

    def do_flood(self):
        """n 32-bit counters as fast as the reader takes them."""
        self.begin_chunks()
        n, step = self.number("n"), 4096
        for start in range(0, n, step):
            end = min(start + step, n)
            self.chunk(struct.pack(">%dI" % (end - start), *range(start, end)))
        self.wfile.write(b"0\r\n\r\n")

    # Of a connection, as Windows servers have it.
    nonce = who = None

    def do_ntlm(self):
        kind, message = ntlm.message_of(self.headers.get("Authorization"))
        if kind == 3 and self.nonce:
            self.who, self.nonce = ntlm.proven_by(message, self.nonce), None
        if kind == 1:
            self.who = None
            self.nonce, header = ntlm.challenge()
            self.answer(b"go on\n", 401, [("WWW-Authenticate", header), ("X-Step", "one")])
        elif self.who:
            self.answer(("%s %s\n" % (self.who, self.command)).encode() + self.body)
        else:
            self.answer(b"denied\n", 401, [("WWW-Authenticate", "NTLM")])

    def do_proxied(self):
        with state["lock"]:
            seen, state["proxied"] = state["proxied"], []
        self.answer("\n".join(seen).encode())


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def handle_error(self, request, address):
        pass


class Proxy(socketserver.BaseRequestHandler):
    """CONNECT and absolute-form requests; every name leads to 127.0.0.1."""

    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.request.recv(65536)
            if not data:
                return
            head += data
        line, rest = head.split(b"\r\n", 1)
        method, target, _ = line.decode().split(" ")
        auth = [x.decode() for x in rest.split(b"\r\n") if x.lower().startswith((b"proxy-authorization", b"auth"))]
        with state["lock"]:
            state["proxied"].append(" ".join([method, target, *auth]))
        if "forbidden" in target:
            self.request.sendall(b"HTTP/1.1 407 no\r\nContent-Length: 0\r\n\r\n")
            return
        if "broken" in target:
            self.request.sendall(b"HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n")
            return
        if method == "CONNECT":
            port = int(target.rsplit(":", 1)[1])
            upstream = socket.create_connection(("127.0.0.1", port))
            self.request.sendall(b"HTTP/1.1 200 ok\r\nX-Proxy: yes\r\n\r\n")
        else:
            url = urllib.parse.urlsplit(target)
            upstream = socket.create_connection(("127.0.0.1", url.port))
            path = url.path + ("?" + url.query if url.query else "")
            upstream.sendall(("%s %s HTTP/1.1\r\n" % (method, path)).encode() + rest)
        self.pump(upstream)

    def pump(self, upstream):
        pair = {self.request: upstream, upstream: self.request}
        while True:
            for source in select.select(list(pair), [], [])[0]:
                try:
                    data = source.recv(65536)
                    if not data:
                        return
                    pair[source].sendall(data)
                except OSError:
                    return


class ProxyServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def handle_error(self, request, address):
        pass


def serve(name, server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(name, server.server_address[1], flush=True)


def serve_tls(folder, name, leaf, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, leaf + ".pem"), os.path.join(folder, leaf + ".key"))
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(os.path.join(folder, client_ca + ".pem"))
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    serve(name, server)


def serve_silent():
    """Accepts connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    kept = []

    def accept():
        while True:
            kept.append(listener.accept())

    threading.Thread(target=accept, daemon=True).start()
    print("silent", listener.getsockname()[1], flush=True)


def serve_garbage():
    """Answers with something that is not HTTP."""

    class Garbage(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            self.request.sendall(b"SSH-2.0-whatever hunter2\r\n")

    serve("garbage", ProxyServer(("127.0.0.1", 0), Garbage))


def main():
    folder = sys.argv[1]
    make_certificates(folder)
    serve("http", Server(("127.0.0.1", 0), Handler))
    serve_tls(folder, "https", "server")
    serve_tls(folder, "mutual", "server", client_ca="ca")
    serve_tls(folder, "alone", "alone")
    serve_tls(folder, "elsewhere", "elsewhere")
    serve_tls(folder, "expired", "expired")
    serve("proxy", ProxyServer(("127.0.0.1", 0), Proxy))
    serve_silent()
    serve_garbage()
    print("ready", 0, flush=True)
    sys.stdin.buffer.read()


main()
