"""The API server, as the node sees it: plain dictionaries over HTTPS."""

import http.client
import json
import ssl
import threading


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    def __init__(self, port, ca, token):
        self.port, self.token = port, token
        self._trust = ssl.create_default_context(cadata=ca)

    def _connect(self, timeout):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self._trust, timeout=timeout)

    def _headers(self, content=None):
        headers = {"Authorization": "Bearer " + self.token, "Accept": "application/json"}
        return headers | ({"Content-Type": content} if content else {})

    def call(self, method, path, body=None, content="application/json"):
        conn = self._connect(10)
        try:
            conn.request(method, path, json.dumps(body) if body is not None else None,
                         self._headers(content if body is not None else None))
            answer = conn.getresponse()
            text = answer.read()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            conn.close()
        parsed = json.loads(text)
        if answer.status >= 400:
            raise ApiError(answer.status, parsed.get("message", ""))
        return parsed

    def get(self, path):
        return self.call("GET", path)

    def patch(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def follow(self, path, each, done):
        """Calls each(type, object) for what is there and for what changes, until done() is true.

        "SYNCED" with None comes after what is there. An error or a lost connection ends it with
        an exception; whoever calls it begins again.
        """
        listed = self.get(path)
        for item in listed["items"]:
            each("ADDED", item)
        each("SYNCED", None)
        conn = self._connect(60)
        try:
            conn.request("GET", f"{path}?watch=true&timeoutSeconds=45&resourceVersion={listed['metadata']['resourceVersion']}",
                         headers=self._headers())
            answer = conn.getresponse()
            while not done():
                line = answer.readline()
                if not line:
                    return
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code", 0), event["object"].get("message", ""))
                each(event["type"], event["object"])
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            conn.close()


def pod_path(pod, sub=""):
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}{sub}"


class Events:
    """Events about pods. What was just said is not said again."""

    def __init__(self, api, node):
        self.api, self.node, self.said = api, node, {}
        self._lock = threading.Lock()

    def say(self, pod, reason, message, kind="Normal"):
        meta = pod["metadata"]
        with self._lock:
            if self.said.get((meta["uid"], reason)) == message:
                return
            self.said[meta["uid"], reason] = message
        event = {"metadata": {"generateName": meta["name"] + ".", "namespace": meta["namespace"]},
                 "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "namespace": meta["namespace"],
                                    "uid": meta["uid"]},
                 "reason": reason, "message": message, "type": kind, "count": 1,
                 "firstTimestamp": now(), "lastTimestamp": now(), "source": {"component": "kubelet", "host": self.node}}
        try:
            self.api.call("POST", f"/api/v1/namespaces/{meta['namespace']}/events", event)
        except (ApiError, OSError):
            pass  # the namespace goes, or the API server does: an event is not worth more


def now():
    from time import gmtime, strftime
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
