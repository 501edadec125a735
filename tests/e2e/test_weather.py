"""What clusters do to those who live in them: namespaces and definitions go, rights are taken away, others say no, quotas are
full, history is compacted. Nothing is lost, nothing spins, the log stays readable, and in the end all is in step."""

import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import time

import pytest

from harness import GROUP, PATIENCE, Refused, condition, decoded, external_secret, stays, store, version, wait_for

WRITES = r"^(POST|PUT|PATCH|DELETE) (?!.*/events)"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(operator):
    """Of esod and of the plugins' processes that have ended."""
    with open(f"/proc/{operator.process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(n) for n in fields[11:15]) / TICKS


def does_not_spin(operator, seconds=2.0, share=0.25):
    before = cpu_seconds(operator)
    time.sleep(seconds)
    used = cpu_seconds(operator) - before
    assert used < seconds * share * PATIENCE, f"{used:.2f} s of CPU in {seconds} s"


def lines(operator, *levels):
    found = [json.loads(line) for line in operator.log.splitlines() if line.startswith("{")]
    return [line for line in found if line["level"] in levels]


def many(space, count, **spec):
    return [external_secret(space.name, f"app-{i}", space.name, {"k": f"k{i % 10}"}, **spec) for i in range(count)]


def ten(word="value"):
    return {f"k{i}": f"{word} {i}" for i in range(10)}


def in_step(cluster, space, count, word="value"):
    secrets = {s["metadata"]["name"]: decoded(s) for s in cluster.list("Secret", space.name)}
    assert secrets == {f"app-{i}": {"k": f"{word} {i % 10}".encode()} for i in range(count)}
    waiting = [o["metadata"]["name"] for o in cluster.list("ExternalSecret", space.name)
               if (condition(o) or {}).get("status") != "True"]
    assert not waiting
    return True


# ---- a namespace goes

@pytest.mark.sanitized
def test_a_namespace_goes_with_all_that_is_in_it(behind, proxy, cluster, space):
    """Secrets may go before the ExternalSecrets that would make them again: refused, and nobody's mistake."""
    count = 200
    behind.start()
    space.store(ten())
    cluster.create_many(many(space, count))
    wait_for(lambda: in_step(cluster, space, count), 60, every=0.5)
    cluster.delete("Namespace", space.name)
    wait_for(lambda: cluster.get("Namespace", space.name)["metadata"].get("deletionTimestamp"))
    cluster.delete_all("Secret", space.name)
    # New ones come too late.
    refused_from = len(proxy.requests(WRITES))
    wait_for(lambda: cluster.get("Namespace", space.name) is None, 60, every=0.3)
    refused = [line for _, line, status in proxy.requests(WRITES)[refused_from:] if status == 403]
    assert len(refused) <= 2 * count, "an object that is going is tried again and again"
    assert lines(behind, "warn", "error") == []
    assert not [line for _, line, _ in proxy.requests(r"/status$")[refused_from:] if line.startswith("PATCH")]
    does_not_spin(behind)
