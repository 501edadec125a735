"""Plugins in processes of their own: they fall, hang and are killed; nobody else suffers, and all is in step in the end."""

import base64
import calendar
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest

from harness import (GROUP, PATIENCE, SANITIZED, SANITIZER, Operator, build_dir, condition, decoded, external_secret, stays,
                     store, wait_for)
from test_no_leaks import found_in_memory, plant, readable

PLUGINS = build_dir() / "lib/esod/plugins"
BAD = build_dir() / "tests/plugins"
NAMES = ["aborts", "hangs_when_closed", "loops", "passes_on"]
ROOT_USER = os.geteuid() == 0
NOBODY = 65534


def bad(name):
    return {"path": str(BAD / f"{name}.so")}


@pytest.fixture(scope="module", autouse=True)
def known(also_known):
    also_known(*(BAD / f"{name}.so" for name in NAMES))


def store_of(provider, name, namespace, block=None):
    return {"apiVersion": GROUP + "/v1", "kind": "SecretStore", "metadata": {"name": name, "namespace": namespace},
            "spec": {"provider": {provider: block or {}}}}


def put_store(cluster, obj):
    """The API server may still work with the schema of before."""
    provider, = obj["spec"]["provider"]

    def put():
        assert provider in cluster.apply(obj)["spec"]["provider"]
        return True

    wait_for(put)
    wait_for(lambda: cluster.ready("SecretStore", obj["metadata"]["name"], obj["metadata"]["namespace"]))


# ---- processes

def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def children(pid):
    """{pid: (name, state)} of its children."""
    found = {}
    for entry in os.listdir("/proc"):
        try:
            stat = Path("/proc", entry, "stat").read_text() if entry.isdigit() else ""
        except OSError:
            continue  # it ended meanwhile
        at = re.match(r"(\d+) \((.*)\) (\S) (\d+) ", stat, re.S)
        if at and int(at[4]) == pid:
            found[int(at[1])] = (at[2], at[3])
    return found


def process_of(operator, plugin):
    """The pid of a plugin's process, 0 while there is none."""
    name = f"esod:{plugin}.so"[:15]
    pids = [pid for pid, (comm, state) in children(operator.process.pid).items() if comm == name and state != "Z"]
    assert len(pids) <= 1, "two processes serve one plugin"
    return pids[0] if pids else 0


def killed(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def is_gone(pid):
    """One that nobody waits for, because its parent is gone and the new one does not care, is gone too."""
    try:
        return status_of(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


def metric(operator, name, plugin=None):
    series = name + (f'{{plugin="{plugin}"}}' if plugin else "")
    found = [line.split(" ")[-1] for line in operator.metrics().splitlines() if line.startswith(series + " ")]
    return float(found[0]) if found else 0


def fences_of(operator, plugin="fake"):
    """What esod says is around the plugin's process: (what there is, what is missing)."""
    there, missing = set(), set()
    for line in operator.log.splitlines():
        said = json.loads(line)
        if said.get("plugin") == plugin:
            there |= set(filter(None, said.get("fences", "").split(", ")))
            missing |= set(filter(None, said.get("missing", "").split(", ")))
    assert not there & missing
    return there, missing


# ---- killed again and again

COUNT = 150 if SANITIZED else 300
SECONDS = 20
WORKERS = 4


def values_of(i, moving):
    want = {"k": f"value {i % 10}", "moving": moving}
    if i % 10 == 0:
        want.update(user="anna", host="db")
    return {k: v.encode() for k, v in want.items()}


def entries(moving):
    return {**{f"k{i}": f"value {i}" for i in range(10)}, "moving": moving, "object": json.dumps({"user": "anna", "host": "db"})}


def put_all(cluster, space):
    def put(start):
        for i in range(start, COUNT, 4):
            more = {"dataFrom": [{"extract": {"key": "object"}}]} if i % 10 == 0 else {}
            cluster.create(external_secret(space.name, f"app-{i}", space.name, {"k": f"k{i % 10}", "moving": "moving"},
                                           refreshInterval="8s", **more))

    threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def unix_time(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def all_refreshed(cluster, space, moving, since):
    """Every ExternalSecret is Ready, was refreshed after `since` (Unix time), and its Secret is right."""
    secrets = space.secrets()
    assert len(secrets) == COUNT
    wrong = [name for name, s in secrets.items() if decoded(s) != values_of(int(name[4:]), moving)]
    assert not wrong, f"{len(wrong)} Secrets are not up to date, {wrong[0]} for one: {decoded(secrets[wrong[0]])}"
    late = [o["metadata"]["name"] for o in cluster.list("ExternalSecret", space.name)
            if (condition(o) or {}).get("status") != "True" or unix_time(o["status"]["refreshTime"]) <= since]
    assert not late, f"{len(late)} ExternalSecrets are not refreshed, {late[0]} for one"
    return True


def sample(operator):
    return {"rss_anon_kib": int(status_of(operator.process.pid)["RssAnon"].split()[0]),
            "fds": metric(operator, "process_open_fds"), "threads": metric(operator, "process_threads")}


def kill_in_a_loop(operator, seconds, at_half):
    """Kills fake's process as soon as there is one. It is stopped first, so that calls are in it, and what the daemon
    then holds can be compared from one kill to the next."""
    samples, end, half = [], time.monotonic() + seconds, time.monotonic() + seconds / 2
    while time.monotonic() < end:
        if at_half and time.monotonic() > half:
            at_half = at_half()
        pid = process_of(operator, "fake")
        if not pid:
            time.sleep(0.02)
            continue
        time.sleep(0.3)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.5)
        samples.append(sample(operator))
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: pid not in children(operator.process.pid))
    return samples


@pytest.mark.sanitized
def test_killed_again_and_again_nothing_is_lost(make_operator, cluster, space):
    space.store(entries("before"), ready=False)
    put_all(cluster, space)
    operator = make_operator(loglevel="info", concurrent=WORKERS, readWindow="0s").start()
    wait_for(lambda: all_refreshed(cluster, space, "before", 0), 60, every=1)
    assert metric(operator, "esod_plugin_restarts_total", "fake") == 0

    samples = kill_in_a_loop(operator, SECONDS, lambda: space.store(entries("after"), ready=False) and None)
    kills = len(samples)
    print(f"{kills} kills: {samples}")
    assert kills >= 8
    since = time.time()
    wait_for(lambda: all_refreshed(cluster, space, "after", since), 60, every=1)
    print(f"all in step {time.time() - since:.1f} s after the last kill")
    wait_for(lambda: cluster.ready("ClusterSecretStore", space.name), 60)

    assert operator.running()
    assert operator.probe("/healthz") == 200 and operator.probe("/readyz") == 200
    assert metric(operator, "esod_plugin_restarts_total", "fake") == kills
    # Many share a read, so most of the time there is no call to be lost.
    assert metric(operator, "esod_plugin_lost_calls_total", "fake") >= 1
    assert [state for _, state in children(operator.process.pid).values() if state == "Z"] == []
    told = cluster.events("default", space.name, "PluginProcessEnded")
    assert told and all(e["type"] == "Warning" for e in told)
    assert any("signal 9 (Killed)" in e["message"] for e in told)

    first, last = samples[2], samples[-1]
    assert last["threads"] <= first["threads"]
    # Not every worker may have been in the process, with a socket of its own, when it was first looked at. One descriptor
    # that stays with each kill is still more than that.
    assert kills - 3 > WORKERS
    assert last["fds"] <= first["fds"] + WORKERS
    if not SANITIZED:  # sanitizers keep what was freed
        assert last["rss_anon_kib"] <= first["rss_anon_kib"] + 2048

    cluster.delete_all("ExternalSecret", space.name)
    wait_for(lambda: not cluster.list("ExternalSecret", space.name), 60, every=1)


# ---- one falls, hangs or is stopped; the others go on

def stays_ready(operator, cluster, space, name, seconds):
    """The ExternalSecret is Ready all the time, and is refreshed; returns when `seconds` are over."""
    def check():
        obj = cluster.ready("ExternalSecret", name, space.name)
        seen.add(obj["status"]["refreshTime"])
        assert operator.probe("/healthz") == 200 and operator.probe("/readyz") == 200

    seen = set()
    stays(check, seconds)
    assert len(seen) >= seconds / 2, f"refreshed at {sorted(seen)} only"


@pytest.mark.sanitized
def test_one_plugin_falls_and_another_goes_on(make_operator, cluster, space):
    operator = make_operator(plugins=["fake", bad("aborts")]).start()
    space.store({"a": "1"})
    space.external_secret("good", data={"k": "a"}, refreshInterval="1s")
    space.synced("good", {"k": "1"})
    good = process_of(operator, "fake")

    # More than there are workers, so that none may be held by a process that is not there.
    put_store(cluster, store_of("aborts", "falls", space.name))
    for i in range(60):
        space.external_secret(f"bad-{i}", "falls", {"k": "a"}, kind="SecretStore")
    for i in range(60):
        message = space.failed(f"bad-{i}")
        assert message.startswith("could not get secret data from provider: error processing spec.data[0] (key: a), err: "
                                  "the process of the aborts plugin "), message
        assert "signal 6 (Aborted)" in message
    told = wait_for(lambda: cluster.events(space.name, "falls", "PluginProcessEnded"))
    assert {e["type"] for e in told} == {"Warning"}
    assert any(e["message"] == "the process of the aborts plugin ended during get: signal 6 (Aborted)" for e in told)
    stays_ready(operator, cluster, space, "good", 8)
    assert metric(operator, "esod_plugin_lost_calls_total", "aborts") >= 1
    wait_for(lambda: metric(operator, "esod_plugin_restarts_total", "aborts") >= 1)
    assert process_of(operator, "fake") == good
    assert metric(operator, "esod_plugin_restarts_total", "fake") == 0


@pytest.mark.sanitized
def test_one_plugin_hangs_and_is_ended(make_operator, cluster, space):
    """A store that is closed has five seconds, and two more to be cancelled: the shortest deadline there is."""
    operator = make_operator(plugins=["fake", bad("hangs_when_closed")], concurrent=3).start()
    space.store({"a": "1"})
    space.external_secret("good", data={"k": "a"}, refreshInterval="1s")
    put_store(cluster, store_of("hangs_when_closed", "hangs", space.name))
    space.external_secret("other", "hangs", {"k": "a"}, kind="SecretStore", refreshInterval="1s")
    space.synced("good", {"k": "1"})
    space.synced("other", {"k": "value"})
    pid = process_of(operator, "hangs_when_closed")

    since = time.monotonic()
    cluster.patch("SecretStore", "hangs", {"spec": {"refreshInterval": 3600}}, space.name)
    stays_ready(operator, cluster, space, "good", 4)
    still_there = process_of(operator, "hangs_when_closed") == pid
    assert still_there or time.monotonic() - since > 6  # a slow disk under etcd may have taken the time
    wait_for(lambda: pid not in children(operator.process.pid))
    # A value that was being read at that moment is lost as well, and said of the same store.
    wait_for(lambda: "the process of the hangs_when_closed plugin ended during close: "
             "ended by esod: close did not return when its time was over" in
             [e["message"] for e in cluster.events(space.name, "hangs", "PluginProcessEnded")])
    wait_for(lambda: metric(operator, "esod_plugin_restarts_total", "hangs_when_closed") == 1)
    since = time.time()
    wait_for(lambda: unix_time(cluster.ready("ExternalSecret", "other", space.name)["status"]["refreshTime"]) > since)
    operator.kill()  # it would wait for the next store to be closed, seven seconds again


@pytest.mark.sanitized
def test_a_plugin_that_hangs_holds_up_neither_others_nor_the_end(make_operator, cluster, space):
    operator = make_operator(plugins=["fake", bad("loops")], concurrent=2, shutdownGrace="1s").start()
    space.store({"a": "1"})
    space.external_secret("good", data={"k": "a"}, refreshInterval="1s")
    space.synced("good", {"k": "1"})
    put_store(cluster, store_of("loops", "hangs", space.name))
    space.external_secret("bad", "hangs", {"k": "a"}, kind="SecretStore")
    pid = process_of(operator, "loops")
    wait_for(lambda: cpu_ticks(pid) > 20)
    stays_ready(operator, cluster, space, "good", 3)
    code, seconds = operator.stop(timeout=10)
    assert code == 0
    assert seconds < 6 * PATIENCE
    assert is_gone(pid)


def cpu_ticks(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11])


# ---- what the process has

def test_the_process_has_nothing_but_its_sockets(make_operator, cluster, space):
    operator = make_operator().start()
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"})
    space.synced("app", {"k": "1"})
    has_nothing_but_its_sockets(operator, process_of(operator, "fake"))


def has_nothing_but_its_sockets(operator, pid):
    there, missing = fences_of(operator)
    assert "seccomp" in there and "no-new-privileges" in there and "limits" in there
    status = status_of(pid)
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert {int(status[c], 16) for c in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    if not ROOT_USER:
        # Only root may look. Whoever runs as the same user as esod must not.
        for what in ("fd", "environ"):
            with pytest.raises(PermissionError):
                os.listdir(f"/proc/{pid}/fd") if what == "fd" else Path(f"/proc/{pid}/environ").read_bytes()
        return
    held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert held.count("/dev/null") == 3
    assert all(h == "/dev/null" or h.startswith("socket:") for h in held), held
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    for word, ns in (("network-namespace", "net"), ("user-namespace", "user")):
        own = os.readlink(f"/proc/{pid}/ns/{ns}") != os.readlink(f"/proc/{operator.process.pid}/ns/{ns}")
        assert own == (word in there) == (word not in missing)


@pytest.mark.sanitized
@pytest.mark.parametrize("how", [Operator.stop, Operator.kill], ids=["SIGTERM", "SIGKILL"])
def test_the_process_does_not_outlive_esod(make_operator, how):
    operator = make_operator().start()
    pid = process_of(operator, "fake")
    assert pid
    how(operator)
    wait_for(lambda: is_gone(pid), 0.1 if how is Operator.stop else 2, every=0.01)


# ---- secrets

@pytest.fixture
def passed_on(make_operator, cluster, space):
    """Values of Secrets went through a plugin's process and back, several times: the longest is larger than any buffer
    that is kept, and what the shorter ones leave behind is not covered by those that follow."""
    operator = make_operator(plugins=["fake", bad("passes_on")], readWindow="0s").start()
    values = [plant()[0] * times for times in (8000, 2000, 300, 40, 1)]
    put_store(cluster, store_of("passes_on", "passes-on", space.name, {"secretRef": {"name": "ours", "key": "token"}}))
    for each in values:
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ours", "namespace": space.name},
                       "data": {"token": base64.b64encode(each).decode()}})
        for i in range(4):
            space.external_secret(f"app-{i}-{len(each)}", "passes-on", {"k": "any"}, kind="SecretStore")
        for i in range(4):
            space.synced(f"app-{i}-{len(each)}", {"k": each})
    time.sleep(2.5)  # what was kept for those that waited is wiped once a second
    return operator, *(v[:len(values[-1])] for v in values)


def test_nothing_of_a_value_stays_in_the_memory_of_either_process(passed_on):
    operator, *values = passed_on
    child = process_of(operator, "passes_on")
    if not ROOT_USER:
        with pytest.raises(PermissionError):
            found_in_memory(child, [readable(values[0])])
        return
    # The name of the Secret is in the document that the store was opened with, so this looks where values would be.
    assert found_in_memory(child, [b"passes_on"])
    forms = [form(v) for v in values for form in (readable, base64.b64encode, base64.urlsafe_b64encode)]
    for pid in (child, operator.process.pid):
        hits = found_in_memory(pid, forms)
        assert not hits, f"{children(operator.process.pid).get(pid, 'esod')}:\n" + "\n".join(hits)


# ---- esod local

LOCAL = """
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: %(provider)s, namespace: shop}
spec: {provider: {%(provider)s: %(block)s}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: %(name)s, namespace: shop}
spec:
  secretStoreRef: {name: %(provider)s}
  data:
  - {secretKey: k, remoteRef: {key: a}}
"""


@pytest.mark.sanitized
def test_a_plugin_that_falls_under_esod_local(esod_bin, tmp_path):
    (tmp_path / "good.yaml").write_text(LOCAL % {"provider": "fake", "block": "{data: [{key: a, value: '1'}]}", "name": "good"})
    (tmp_path / "bad.yaml").write_text(LOCAL % {"provider": "aborts", "block": "{}", "name": "bad"})
    p = subprocess.run([esod_bin, "local", "--plugin-path", PLUGINS, "--plugin=fake", f"--plugin={BAD}/aborts.so", tmp_path],
                       capture_output=True, text=True, timeout=60)
    assert not SANITIZER.search(p.stderr), p.stderr
    assert p.returncode == 1, p.stderr
    rows = {tuple(line.split()[:4]) for line in p.stdout.splitlines()}
    assert ("shop", "good", "True", "SecretSynced") in rows
    assert ("shop", "bad", "False", "SecretSyncedError") in rows
    assert "Secret shop/good (Opaque)" in p.stdout
    assert "the process of the aborts plugin ended during get: signal 6 (Aborted)" in p.stderr


# ---- settings

@pytest.mark.sanitized
@pytest.mark.parametrize("isolation", ["process", "none"])
def test_either_isolation_works(make_operator, cluster, space, isolation):
    operator = make_operator(isolation=isolation).start()
    space.store({"a": "1", "object": '{"x": "2"}'})
    space.external_secret("app", data={"k": "a"}, dataFrom=[{"extract": {"key": "object"}}])
    space.synced("app", {"k": "1", "x": "2"})
    space.external_secret("missing", data={"k": "nothing"})
    assert "Secret does not exist" in space.failed("missing")
    assert bool(children(operator.process.pid)) == (isolation == "process")
    assert f'"isolation":"{isolation}"' in operator.log


@pytest.fixture
def copied(tmp_path):
    """A plugin of one's own, to be replaced."""
    path = tmp_path / "fake.so"
    shutil.copy(PLUGINS / "fake.so", path)
    return path


def replace(path, by):
    new = path.with_suffix(".new")
    shutil.copy(by, new)
    os.replace(new, path)


@pytest.mark.sanitized
def test_what_is_pinned_runs_even_when_its_file_is_replaced(make_operator, cluster, space, copied):
    digest = sha256(copied.read_bytes()).hexdigest()
    operator = make_operator(plugins=[{"path": str(copied), "sha256": digest}]).start()
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"}, refreshInterval="1s")
    space.synced("app", {"k": "1"})
    pid = process_of(operator, "fake")
    if not SANITIZED:
        has_nothing_but_its_sockets(operator, pid)

    replace(copied, BAD / "aborts.so")
    assert killed(pid)
    wait_for(lambda: process_of(operator, "fake") not in (0, pid))
    space.store({"a": "2"})
    space.synced("app", {"k": "2"})
    wait_for(lambda: metric(operator, "esod_plugin_restarts_total", "fake") == 1)

    # A new start is a new decision.
    code, _ = operator.stop()
    assert code == 0
    other = sha256((BAD / "aborts.so").read_bytes()).hexdigest()
    p = subprocess.run([operator.binary, "run", "--config", operator.config_path], capture_output=True, text=True, timeout=60)
    assert p.returncode == 2
    assert (f"plugin {copied}: its SHA-256 is {other} and the configuration pins {digest}; "
            "if the file was meant to change, pin the new one") in p.stderr.splitlines()[-1]


@pytest.mark.sanitized
def test_another_version_is_not_slipped_in(make_operator, cluster, space, copied):
    """Without a pin: the core works with what the first process said of itself, so its successor must say the same."""
    operator = make_operator(plugins=[{"path": str(copied)}]).start()
    space.store({"a": "1"})
    pid = process_of(operator, "fake")
    replace(copied, BAD / "plain.so")
    assert killed(pid)
    wait_for(lambda: "its file was replaced by another version; restart esod to use it" in operator.log)
    space.external_secret("app", data={"k": "a"})
    assert "its file was replaced by another version; restart esod to use it" in space.failed("app")
    replace(copied, PLUGINS / "fake.so")
    space.synced("app", {"k": "1"}, timeout=40)


# ---- where less is allowed

CONTAINER = {"unshare": "EPERM", "clone3": "ENOSYS", "mount": "EPERM"}
NO_LANDLOCK = {"landlock_create_ruleset": "ENOSYS", "landlock_add_rule": "ENOSYS", "landlock_restrict_self": "ENOSYS"}
NAMESPACES = {"user-namespace", "network-namespace"}
PLACES = {  # as nobody?, what fails, what has to be missing
    "nobody": (True, {}, set()),
    "container": (False, CONTAINER, NAMESPACES),
    "nobody in a container": (True, CONTAINER, NAMESPACES),
    "nobody in a container on an old kernel": (True, {**CONTAINER, **NO_LANDLOCK}, {*NAMESPACES, "landlock"}),
}


@pytest.fixture
def public():
    """A folder that every user may read, with the program in it."""
    folder = Path(tempfile.mkdtemp(prefix="esod-e2e-"))
    for part in ("bin/esod", "libexec/esod/esod-plugin-runner", "lib/esod/plugins/fake.so"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build_dir() / part, folder / part)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("as_nobody, fails, lacks", PLACES.values(), ids=PLACES)
def test_less_is_allowed(make_operator, kubeconfig, cluster, space, public, as_nobody, fails, lacks):
    within = []
    if as_nobody and ROOT_USER:
        within += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--"]
    if fails:
        filters = [f"{name}={code}" for name, code in fails.items()]
        within = [sys.executable, str(Path(__file__).with_name("confined.py")), *filters, "--", *within]
    shutil.copy(kubeconfig, public / "kubeconfig")
    (public / "kubeconfig").chmod(0o644)
    operator = make_operator(kubeconfig=public / "kubeconfig", binary=public / "bin/esod", folder=public / "run", within=within,
                             pluginPath=[str(public / "lib/esod/plugins")]).start()

    there, missing = fences_of(operator)
    assert lacks <= missing and {"seccomp", "no-new-privileges", "limits"} <= there
    assert ("this system lacks a part of what holds a plugin's process back" in operator.log) == bool(missing)
    space.store({"a": "1"})
    space.external_secret("app", data={"k": "a"}, refreshInterval="1s")
    space.synced("app", {"k": "1"})
    pid = process_of(operator, "fake")
    has_nothing_but_its_sockets(operator, pid)
    if as_nobody and ROOT_USER:
        assert set(status_of(operator.process.pid)["Uid"].split()) == {str(NOBODY)}
    assert killed(pid)
    space.store({"a": "2"})
    space.synced("app", {"k": "2"})
    wait_for(lambda: process_of(operator, "fake") not in (0, pid))
    assert operator.running()
