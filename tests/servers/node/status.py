"""A pod's status, as a kubelet writes it."""

from datetime import datetime, timezone


def stamp(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class State:
    """What is known of one container across its restarts."""

    def __init__(self, spec, initial=False):
        self.spec, self.initial = spec, initial
        self.current = None  # Container
        self.last = None  # how the one before it ended
        self.waiting = ("PodInitializing" if not initial else "ContainerCreating", "")
        self.restarts = 0
        self.ready = False
        self.started = False

    def running(self):
        return self.current is not None and self.current.running()

    def ended_well(self):
        return self.current is not None and not self.current.running() and self.current.code == 0

    def report(self):
        out = {"name": self.spec["name"], "image": self.spec["image"], "imageID": "", "restartCount": self.restarts,
               "ready": self.ready, "started": self.started, "state": self._state(), "lastState": {}}
        if self.last:
            out["lastState"] = {"terminated": self.last}
        if self.current:
            out["containerID"] = "crun://" + self.current.id
        return out

    def _state(self):
        if self.running():
            return {"running": {"startedAt": stamp(self.current.started)}}
        if self.waiting is None and self.current:
            return {"terminated": terminated(self.current)}
        reason, message = self.waiting or ("ContainerCreating", "")
        return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def terminated(container):
    out = {"exitCode": container.code, "reason": "Completed" if container.code == 0 else "Error",
           "startedAt": stamp(container.started), "finishedAt": stamp(container.ended), "containerID": "crun://" + container.id}
    words = container.last_words()
    return out | ({"message": words} if words else {})


class Reporter:
    """Conditions keep the time of their last change."""

    def __init__(self):
        self.changes = {}  # condition -> (status, since)

    def status(self, pod, address, first, containers, now):
        """`first` are the init containers' states."""
        initialized = all(s.ended_well() for s in first)
        ready = initialized and all(s.ready for s in containers)
        lacking = [s.spec["name"] for s in containers if not s.ready]
        conditions = [
            self._condition("PodScheduled", True, now), self._condition("Initialized", initialized, now),
            self._condition("ContainersReady", ready, now, lacking), self._condition("Ready", ready, now, lacking)]
        out = {"phase": self._phase(pod, first, containers), "conditions": conditions, "hostIP": "127.0.0.1",
               "podIP": address, "podIPs": [{"ip": address}], "startTime": pod["status"].get("startTime") or stamp(now),
               "containerStatuses": [s.report() for s in containers], "qosClass": pod["status"].get("qosClass")}
        if first:
            out["initContainerStatuses"] = [s.report() for s in first]
        return {k: v for k, v in out.items() if v is not None}

    def _condition(self, kind, value, now, lacking=()):
        word = "True" if value else "False"
        if self.changes.get(kind, (None,))[0] != word:
            self.changes[kind] = word, stamp(now)
        out = {"type": kind, "status": word, "lastProbeTime": None, "lastTransitionTime": self.changes[kind][1]}
        if lacking and not value:
            out |= {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(lacking)}]"}
        return out

    @staticmethod
    def _phase(pod, first, containers):
        policy = pod["spec"].get("restartPolicy", "Always")
        ended = [s.current for s in containers if s.current and not s.running()]
        if policy != "Always" and len(ended) == len(containers):
            if all(c.code == 0 for c in ended):
                return "Succeeded"
            if policy == "Never":
                return "Failed"
        if policy == "Never" and any(s.current and not s.running() and s.current.code for s in first):
            return "Failed"
        return "Running" if any(s.current for s in containers) else "Pending"
