"""Backends behind HTTP for the tests of plugins that ask one."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Backend:
    """A server on the loopback interface. What it answers is up to answer(), which runs on a thread for each connection."""

    def __init__(self):
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, out = backend.answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            do_GET = do_PUT = do_POST = do_DELETE = serve

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def answer(self, method, path, headers, body):
        """(status, bytes)"""
        raise NotImplementedError

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
