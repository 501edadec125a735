"""A planted value is looked for everywhere it has no business: log, events, conditions, metrics, memory."""

import base64
import json
import os
import re
import secrets
import time

import pytest

from harness import condition, wait_for

WORD = b"esod-planted-"
ODD = b"\xfb\xef\xbe\xff\xff\xff"  # ++++//// in the standard base64 alphabet, ----____ in the URL one


def plant():
    """(value, its form in the store), which is base64 text in the URL alphabet; the Secret's is in the standard one.
    So the value itself is nowhere but in what one pass works with, and the three forms can be told apart."""
    value = ODD + WORD + secrets.token_hex(12).encode()
    return value, base64.urlsafe_b64encode(value).decode()


def readable(value):
    return value[len(ODD):]


def memory(pid):
    """(mapping, bytes) of all memory the process can write to."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            span, perms, *_ = line.split()
            if not perms.startswith("rw") or "[vvar" in line:
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            while start < end:
                size = min(end - start, 1 << 24)
                try:
                    mem.seek(start)
                    yield line.strip(), mem.read(size)
                except OSError:
                    break  # a mapping nobody ever touched, or one that went away
                start += size


def found_in_memory(pid, wanted):
    hits = []
    for where, data in memory(pid):
        hits += [f"{n[:8]!r}... in {where}" for n in wanted if n in data]
    return hits


@pytest.fixture
def passed(operator, cluster, space):
    """Values went the good way and every bad way there is; then the operator is at rest."""
    good, good_stored = plant()
    bad, _ = plant()
    plain = readable(bad).decode()
    space.store({
        "good": good_stored, "object": json.dumps({"inner": good_stored}),
        "bad-base64": plain + "!", "bad-json": plain + "{", "bad-inner": json.dumps({"a b": plain, "a_b": plain}),
        "null": plain + "\x00"})
    way = {"decodingStrategy": "Base64URL"}
    space.external_secret("good", data={"k": {"key": "good", **way}, "p": {"key": "object", "property": "inner", **way}})
    space.external_secret("bad-base64", data={"k": {"key": "bad-base64", **way}})
    space.external_secret("bad-json", dataFrom=[{"extract": {"key": "bad-json"}}])
    space.external_secret("bad-inner", dataFrom=[{"extract": {"key": "bad-inner"}}])
    space.external_secret("bad-property", data={"k": {"key": "bad-json", "property": "x.y"}})
    space.external_secret("bad-null", data={"k": {"key": "null", "nullBytePolicy": "Fail"}})
    space.external_secret("bad-merge", dataFrom=[{"extract": {"key": "object"}, "rewrite": [
        {"merge": {"strategy": "Extract"}}]}])
    space.synced("good", {"k": good, "p": good})
    for name in ("bad-base64", "bad-json", "bad-inner", "bad-property", "bad-null", "bad-merge"):
        space.failed(name)
        wait_for(lambda: cluster.events(space.name, name, "UpdateFailed"))
    time.sleep(1)
    return good, bad


@pytest.mark.sanitized
def test_no_text_that_people_read_holds_a_value(operator, cluster, space, passed):
    good, bad = passed
    texts = {
        "the log": operator.log,
        "the events": json.dumps(cluster.list("Event", space.name)) + json.dumps(cluster.list("Event", "default")),
        "the conditions": json.dumps([condition(o) for o in cluster.list("ExternalSecret", space.name)]),
        "the metrics": operator.metrics(),
    }
    assert "controller_runtime_reconcile_total" in texts["the metrics"]
    assert len(operator.log) > 200, "the log must have said something"
    words = [form(value).decode() for value in (good, bad) for form in (readable, base64.b64encode, base64.urlsafe_b64encode)]
    for where, text in texts.items():
        for word in words:
            assert word not in text, f"{where}: a value stands there"


def test_no_value_outlives_its_pass_in_memory(operator, space, passed):
    good, _ = passed
    pid = operator.process.pid
    if os.geteuid() != 0:
        # Only root may look. Whoever runs as the same user as esod must not.
        with pytest.raises(PermissionError):
            found_in_memory(pid, [readable(good)])
        return
    # The store's own text is in the cache; so this does look where values would be.
    assert found_in_memory(pid, [base64.urlsafe_b64encode(good)])
    # The value, and the form in which it goes to and comes from the API server.
    hits = found_in_memory(pid, [readable(good), base64.b64encode(good)])
    assert not hits, "\n".join(hits)


def test_neither_command_line_nor_log_holds_the_credential(operator, kubeconfig):
    token = re.search(r"token: (\S+)", kubeconfig.read_text()).group(1)
    with open(f"/proc/{operator.process.pid}/cmdline", "rb") as f:
        assert token.encode() not in f.read()
    assert token not in operator.log
