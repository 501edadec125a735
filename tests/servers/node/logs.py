"""What `kubectl logs` asks a node for, over TLS."""

import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def serve(node, port, certificate, key):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_GET(self):
            url = urlsplit(self.path)
            parts, query = url.path.strip("/").split("/"), {k: v[0] for k, v in parse_qs(url.query).items()}
            if len(parts) != 4 or parts[0] != "containerLogs":
                self.send_error(404, "this node serves container logs alone")
                return
            state = node.find(*parts[1:])
            container = state and state.current
            if not container:
                self._say(400, f'container "{parts[3]}" in pod "{parts[2]}" is waiting to start\n')
                return
            path = container.log
            if query.get("previous") == "true" and container.running():
                if not state.restarts:
                    self._say(400, f'previous terminated container "{parts[3]}" in pod "{parts[2]}" not found\n')
                    return
                path = path.with_name(f"{parts[3]}.{container.number - 1}.log")
            self._send(path, query, container)

        def _say(self, code, text):
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def _send(self, path, query, container):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with open(path, "rb") as log:
                lines = log.readlines()
                if "tailLines" in query:
                    lines = lines[len(lines) - int(query["tailLines"]):] if int(query["tailLines"]) else []
                self._chunk(b"".join(lines))
                while query.get("follow") == "true" and container.running() and path == container.log:
                    more = log.read()
                    self._chunk(more) if more else time.sleep(0.2)
                self._chunk(log.read())
            self.wfile.write(b"0\r\n\r\n")

        def _chunk(self, data):
            if data:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificate, key)
    server.socket = trust.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
