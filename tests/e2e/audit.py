"""What a service account asked of the API server, from the audit log; and what its rules allow."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Right:
    """One thing that can be allowed. `namespace` is empty for what is allowed in all of them, or stands in none."""
    namespace: str
    group: str
    resource: str  # with /subresource
    verb: str
    name: str = ""  # empty: whatever it is called

    def __str__(self):
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}{' ' + self.name if self.name else ''}{where}"

    def covers(self, asked):
        return ((self.group, self.resource, self.verb) == (asked.group, asked.resource, asked.verb)
                and self.namespace in ("", asked.namespace) and self.name in ("", asked.name))


def requests(plane, user):
    """(Right, status) for each request of this user for a resource. It says which were asked, not how often."""
    found = {}
    with open(plane.log("audit")) as log:
        for line in log:
            if f'"username":"{user}"' not in line or not line.endswith("\n"):
                continue
            entry = json.loads(line)
            about = entry.get("objectRef")
            if entry["user"]["username"] != user or not about:
                continue
            resource = about["resource"] + (f"/{about['subresource']}" if about.get("subresource") else "")
            asked = Right(about.get("namespace", ""), about.get("apiGroup", ""), resource, entry["verb"], about.get("name", ""))
            status = entry.get("responseStatus", {}).get("code", 0)
            found[asked, status] = entry.get("responseStatus", {}).get("message", "")
    return found


def _rules(rules, namespace):
    for rule in rules:
        for group in rule.get("apiGroups", []):
            for resource in rule.get("resources", []):
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames") or [""]:
                        yield Right(namespace, group, resource, verb, name)


def granted(cluster, namespace, account):
    """Every Right that bindings give to the service account by name."""
    found = []
    for kind in ("clusterrolebindings", "rolebindings"):
        args = ["-A"] if kind == "rolebindings" else []
        for binding in cluster.json("get", kind, *args)["items"]:
            subjects = [(s["kind"], s.get("namespace"), s["name"]) for s in binding.get("subjects") or []]
            if ("ServiceAccount", namespace, account) not in subjects:
                continue
            where, ref = binding["metadata"].get("namespace", ""), binding["roleRef"]
            role = cluster.json("get", ref["kind"].lower(), ref["name"], *(["-n", where] if ref["kind"] == "Role" else []))
            found += _rules(role["rules"], where)
    return found


def forbidden(asked):
    """A namespace on its way out takes nothing new, whoever asks."""
    return sorted(f"{right}: {message}" for (right, status), message in asked.items()
                  if status in (401, 403) and "is being terminated" not in message)


def unused(rights, asked):
    """Rights that no request needed."""
    return sorted(str(right) for right in rights if not any(right.covers(one) for one, _ in asked))
