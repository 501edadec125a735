"""Probes of one container: startup, then readiness and liveness side by side."""

import http.client
import socket
import ssl
import threading
import time

SOON = 0.25  # a container that is not ready may be asked more often than its period says


class Probe:
    def __init__(self, spec, container, address):
        self.spec, self.container, self.address = spec, container, address
        self.due = time.monotonic() + spec.get("initialDelaySeconds", 0)
        self.failures = self.successes = 0
        self.message = ""
        self._asking = None  # a thread: one probe that waits must not keep the others waiting

    def port(self):
        return port_of(self.spec, self.container)

    def ask(self, impatient=False):
        """None while there is no answer; then whether it was well."""
        if self._asking is None:
            if time.monotonic() >= self.due:
                self._asking = threading.Thread(target=self._note, daemon=True)
                self.due = time.monotonic() + (SOON if impatient else self.spec.get("periodSeconds", 10))
                self._asking.start()
            return None
        if self._asking.is_alive():
            return None
        self._asking = None
        well = not self.message
        self.successes, self.failures = (self.successes + 1, 0) if well else (0, self.failures + 1)
        return well

    def failed(self):
        return self.failures >= self.spec.get("failureThreshold", 3)

    def succeeded(self):
        return self.successes >= self.spec.get("successThreshold", 1)

    def _note(self):
        self.message = self._try()

    def _try(self):
        """What is wrong, as a kubelet says it; nothing if all is well."""
        timeout = self.spec.get("timeoutSeconds", 1)
        where = self.spec.get("httpGet")
        if where is None:
            return self._connect(timeout)
        secure = where.get("scheme") == "HTTPS"
        url = f"{'https' if secure else 'http'}://{self.address}:{self.port()}{where.get('path', '/')}"
        conn = (http.client.HTTPSConnection(self.address, self.port(), timeout=timeout, context=ssl._create_unverified_context())
                if secure else http.client.HTTPConnection(self.address, self.port(), timeout=timeout))
        try:
            conn.request("GET", where.get("path", "/"), headers={"User-Agent": "kube-probe/1.36"})
            status = conn.getresponse().status
        except (OSError, http.client.HTTPException) as e:
            return f'Get "{url}": {e or type(e).__name__}'
        finally:
            conn.close()
        return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"

    def _connect(self, timeout):
        try:
            socket.create_connection((self.address, self.port()), timeout=timeout).close()
            return ""
        except OSError as e:
            return f"dial tcp {self.address}:{self.port()}: {e}"


def port_of(probe, container):
    """A number, for a port that may be named."""
    port = (probe.get("httpGet") or probe.get("tcpSocket"))["port"]
    if isinstance(port, int):
        return port
    return next((p["containerPort"] for p in container.get("ports") or [] if p.get("name") == port), 0)


class Probes:
    KINDS = ("startupProbe", "readinessProbe", "livenessProbe")

    def __init__(self, container, address):
        self.of = {kind: Probe(container[kind], container, address) for kind in self.KINDS if kind in container}
        self.started = "startupProbe" not in self.of
        self.ready = self.started and "readinessProbe" not in self.of

    def ask(self, running, say):
        """Looks at what is due. False: the container has to be started again."""
        if not running:
            return True
        if not self.started:
            if self._failed("startupProbe", say, impatient=True):
                return False
            self.started = self.of["startupProbe"].succeeded()
            self.ready = self.started and "readinessProbe" not in self.of
            return True
        readiness = self.of.get("readinessProbe")
        if readiness:
            if self._failed("readinessProbe", say, impatient=not self.ready):
                self.ready = False
            elif readiness.succeeded():
                self.ready = True
        return not ("livenessProbe" in self.of and self._failed("livenessProbe", say))

    def _failed(self, kind, say, impatient=False):
        probe = self.of[kind]
        if probe.ask(impatient) is False:
            say("Unhealthy", f"{kind[:-5].capitalize()} probe failed: {probe.message}", "Warning")
        return probe.failed()


def ports(container):
    """All that anybody outside may want to reach."""
    found = {p["containerPort"] for p in container.get("ports") or [] if p.get("protocol", "TCP") == "TCP"}
    for kind in Probes.KINDS:
        if kind in container and (container[kind].keys() & {"httpGet", "tcpSocket"}):
            found.add(port_of(container[kind], container))
    return sorted(found - {0})
