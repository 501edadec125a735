"""The wall clock is set forward and back by hours: refreshes neither stop nor come in a storm, nothing spins."""

import calendar
import mmap
import os
import struct
import time

import pytest

from harness import SANITIZED, build_dir, condition, wait_for
from test_weather import does_not_spin, lines

HOUR = 3600
COUNT = 20
INTERVAL = 2
STATUS = r"^(PUT|PATCH) .*/externalsecrets/[^/]+/status"


def seconds(timestamp):
    return calendar.timegm(time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ"))


@pytest.fixture
def clock(behind, tmp_path):
    """clock(seconds) sets esod's wall clock so far beside the true one, at once."""
    path = tmp_path / "clock"
    path.write_bytes(bytes(8))
    file = os.open(path, os.O_RDWR)
    shared = mmap.mmap(file, 8)
    os.close(file)
    behind.within = ["env", f"LD_PRELOAD={build_dir() / 'tests/clock_shim.so'}", f"ESOD_TEST_CLOCK={path}"]
    if SANITIZED:  # the shim calls nothing that a sanitizer would have to know of
        behind.within.append("ASAN_OPTIONS=detect_leaks=1:exitcode=99:verify_asan_link_order=0")

    def set_to(offset):
        shared[:8] = struct.pack("q", offset * 1000)
        set_to.offset = offset

    set_to(0)
    yield set_to
    shared.close()


@pytest.mark.parametrize("start, steps", [
    pytest.param(0, (3 * HOUR, 8 * HOUR), id="forward"),
    pytest.param(8 * HOUR, (5 * HOUR, 0), id="back", marks=pytest.mark.sanitized)])
def test_the_clock_is_set(behind, proxy, clock, cluster, space, start, steps):
    """Never before the true time: the test's certificates are not older than that."""
    clock(start)
    behind.start()
    space.store({"a": "value 0"})
    for i in range(COUNT):
        space.external_secret(f"app-{i}", data={"k": "a"}, refreshInterval=f"{INTERVAL}s")
    space.external_secret("slow", data={"k": "a"}, refreshInterval="1h")
    for name in [*(f"app-{i}" for i in range(COUNT)), "slow"]:
        space.synced(name, {"k": "value 0"})

    def refreshed_by_the_new_clock():
        for i in range(COUNT):
            es = cluster.ready("ExternalSecret", f"app-{i}", space.name)
            beside = seconds(es["status"]["refreshTime"]) - (time.time() + clock.offset)
            assert abs(beside) < 3 * INTERVAL, f"app-{i} was refreshed {beside} s beside the clock"
        # What waits for an hour is due as well, or has been refreshed in the future: it does not wait on.
        es = cluster.ready("ExternalSecret", "slow", space.name)
        return abs(seconds(es["status"]["refreshTime"]) - (time.time() + clock.offset)) < 60

    for number, offset in enumerate(steps, 1):
        clock(offset)
        begun, before = time.monotonic(), len(proxy.requests(STATUS))
        wait_for(refreshed_by_the_new_clock)
        space.store({"a": f"value {number}"})
        for i in range(COUNT):
            wait_for(lambda: cluster.holds(space.name, f"app-{i}", {"k": f"value {number}"}), 4 * INTERVAL)
        does_not_spin(behind, 1)
        written, took = len(proxy.requests(STATUS)) - before, time.monotonic() - begun
        assert COUNT <= written <= (COUNT + 1) * (took / INTERVAL + 3), f"{written} refreshes in {took:.1f} s"
        # An edit wakes it as ever.
        cluster.patch("ExternalSecret", "slow", {"metadata": {"annotations": {"step": str(number)}}}, space.name)
        wait_for(lambda: cluster.holds(space.name, "slow", {"k": f"value {number}"}))
    assert lines(behind, "warn", "error") == []
    assert condition(cluster.get("ExternalSecret", "slow", space.name))["status"] == "True"
