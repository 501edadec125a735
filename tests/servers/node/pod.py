"""The life of one pod: a thread that brings it up, looks after it, and takes it down."""

import json
import shutil
import threading
import time
from pathlib import Path

from api import ApiError, pod_path
from container import BadConfig, Container
from image import NoImage
from network import Network
from probes import Probes, ports
from status import Reporter, State, terminated
from volumes import NotYet, Volumes

TICK = 0.1
REFRESH = 60  # seconds after which volumes are brought up to date
FIRST_BACKOFF, LONGEST_BACKOFF = 10, 300


class Pod:
    def __init__(self, node, pod):
        self.node, self.pod = node, pod
        meta = pod["metadata"]
        self.key = meta["uid"]
        self.folder = Path(node.folder) / "pods" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
        self.logs = Path(node.logs) / self.folder.name
        spec = pod["spec"]
        self.first = [State(c, initial=True) for c in spec.get("initContainers") or []]
        self.containers = [State(c) for c in spec["containers"]]
        if not self.first:
            for state in self.containers:
                state.waiting = ("ContainerCreating", "")
        self.reporter, self.written = Reporter(), None
        self.network = self.volumes = None
        self.backoff = {}  # container -> (seconds, monotonic time of the next start)
        self.probes = {}
        self.refreshed = 0
        self.leaving = None  # grace period, once it has to go
        self.dropped = threading.Event()  # the node ends, or the object is gone
        self.changed(pod)
        self.thread = threading.Thread(target=self._live, daemon=True, name=self.folder.name)
        self.thread.start()

    # ---- what the node's watch says
    def changed(self, pod):
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self.leaving = pod["metadata"].get("deletionGracePeriodSeconds", 30)

    def drop(self):
        self.dropped.set()

    def container(self, name):
        return next((s for s in self.first + self.containers if s.spec["name"] == name), None)

    # ---- inside
    def say(self, reason, message, kind="Normal"):
        self.node.events.say(self.pod, reason, message, kind)

    def _over(self):
        return self.leaving is not None or self.dropped.is_set()

    def _live(self):
        try:
            self._come_up()
            while not self._over():
                self._look_after()
                self.dropped.wait(TICK)
        except Exception as e:  # whatever it is, the pod says so instead of standing still
            self.node.note(f"{self.folder.name}: {type(e).__name__}: {e}")
            self.say("FailedSync", f"error syncing pod: {e}"[:1000], "Warning")
        finally:
            self._take_down()

    def _come_up(self):
        self.network = Network()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        for container in self.pod["spec"]["containers"]:
            for port in ports(container):
                self.network.open_in(port)
        (self.folder / "hostname").write_text(self.pod["metadata"]["name"] + "\n")
        (self.folder / "resolv.conf").write_text("# names are in /etc/hosts\n")
        self.volumes = Volumes(self.node.api, self.pod, self.folder / "volumes")

    def _look_after(self):
        self.node.services.open(self.network, self.folder / "hosts", self.pod["metadata"]["name"])
        if self._volumes_are_there():
            state = self._next_of_first()
            if state is not None:
                self._keep(state)
            else:
                for state in self.containers:
                    self._keep(state)
                    self._probe(state)
        self._report()

    def _volumes_are_there(self):
        if time.monotonic() < self.refreshed + REFRESH:
            return True
        try:
            self.volumes.make()
        except (NotYet, ApiError, OSError) as e:
            self.say("FailedMount", f"MountVolume.SetUp failed: {e}", "Warning")
            began = any(s.current for s in self.first + self.containers)
            self.refreshed = time.monotonic() - REFRESH + 1
            return began
        self.refreshed = time.monotonic()
        return True

    def _next_of_first(self):
        """The init container whose turn it is."""
        return next((s for s in self.first if not s.ended_well()), None)

    def _keep(self, state):
        """Starts what should run and does not."""
        name = state.spec["name"]
        if state.running():
            return
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if state.initial and policy == "Always":
            policy = "OnFailure"
        if state.current and state.waiting is None:
            state.ready = state.started = False
            if policy == "Never" or policy == "OnFailure" and state.current.code == 0:
                return
            self._put_off(state)
        seconds, due = self.backoff.get(name, (0, 0))
        if time.monotonic() >= due:
            self._start(state)

    def _put_off(self, state):
        """The first restart is at once, the next ones after 10, 20, 40, ... seconds."""
        name = state.spec["name"]
        seconds = self.backoff.get(name, (0, 0))[0]
        if state.current.ended - state.current.started > 600:
            seconds = 0
        due = time.monotonic() + seconds if state.restarts else 0
        if due:
            text = f"back-off {seconds}s restarting failed container={name} pod={self.pod['metadata']['name']}"
            self.say("BackOff", text.replace("back-off", "Back-off"), "Warning")
            state.waiting = ("CrashLoopBackOff", text)
        else:
            state.waiting = ("ContainerCreating", "")
        self.backoff[name] = (min(max(FIRST_BACKOFF, 2 * seconds if due else 0), LONGEST_BACKOFF), due)
        state.last = terminated(state.current)

    def _start(self, state):
        name, number = state.spec["name"], state.restarts + (1 if state.current else 0)
        made = Container(self.node, self.pod, state.spec, self.folder, number)
        made.log = self.logs / f"{name}.{number}.log"
        try:
            made.start(self.folder, self.volumes, self.network)
        except NoImage as e:
            self._cannot(state, "ImagePullBackOff", str(e), "Failed")
            return
        except (BadConfig, NotYet, ApiError) as e:
            self._cannot(state, "CreateContainerConfigError", str(e), "Failed")
            return
        state.current, state.restarts, state.waiting = made, number, None
        state.started = True
        self.probes[name] = Probes(state.spec, self.network.address)
        self.say("Started", f"Container started: {name}")

    def _cannot(self, state, reason, message, event):
        state.waiting = (reason, message)
        self.backoff[state.spec["name"]] = (FIRST_BACKOFF, time.monotonic() + 1)
        self.say(event, f"Error: {message}", "Warning")

    def _probe(self, state):
        probes = self.probes.get(state.spec["name"])
        if not probes:
            return
        if not probes.ask(state.running(), self.say):
            self.say("Killing", f"Container {state.spec['name']} failed its probe, will be restarted")
            state.current.stop(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        state.started = state.running() and probes.started
        state.ready = state.running() and probes.ready

    def _report(self):
        status = self.reporter.status(self.pod, self.network.address, self.first, self.containers, time.time())
        text = json.dumps(status, sort_keys=True)
        if text == self.written:
            return
        try:
            self.node.api.patch(pod_path(self.pod, "/status"), {"metadata": {"uid": self.pod["metadata"]["uid"]}, "status": status})
            self.written = text
        except (ApiError, OSError) as e:
            if getattr(e, "status", 0) in (404, 409):
                self.dropped.set()  # it is another pod's name by now

    def _take_down(self):
        grace = self.leaving if self.leaving is not None else 1
        states = [s for s in self.first + self.containers if s.running()]
        stopping = [threading.Thread(target=s.current.stop, args=(grace,)) for s in states]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        if self.network:
            for state in self.containers:
                state.ready = False
            if self.leaving is not None and not self.dropped.is_set():
                self._report()
            self.network.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.leaving is not None and not self.dropped.is_set():
            self._remove_object()
        self.node.gone(self)

    def _remove_object(self):
        try:
            self.node.api.call("DELETE", pod_path(self.pod), {"gracePeriodSeconds": 0,
                                                              "preconditions": {"uid": self.pod["metadata"]["uid"]}})
        except (ApiError, OSError):
            pass  # somebody was quicker, or the API server has gone
