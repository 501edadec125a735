"""This machine again, in an overlay: what is installed and changed there is gone when the test is over."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness import wait_for

# `root` is nothing but the overlay; `view` also has what programs expect to be mounted.
MOUNT = """
mount -t tmpfs -o mode=755 scratch "$1"
mkdir "$1/upper" "$1/work" "$1/root" "$1/view"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" scratch "$1/root"
mount --bind "$1/root" "$1/view"
mount --rbind /dev "$1/view/dev"
mount -t proc proc "$1/view/proc"
echo ready
read -r _
"""


class Scratch:
    """Its mounts are in a namespace of their own, which ends with the process that holds it."""

    def __init__(self, folder):
        assert os.getuid() == 0, "these tests install packages in an overlay of /, and have to be run as root"
        self.folder, self.root = Path(folder), Path(folder) / "root"
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-ec", MOUNT, "sh", str(folder)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            raise AssertionError(f"no overlay of /: {self.holder.communicate()[1]}")

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(10)

    def outside(self, *args):
        """The command that sees the mounts, but is not in the new root."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *map(str, args)]

    def run(self, *args, code=0, timeout=60, env=None, **options):
        p = subprocess.run(self.outside("chroot", self.folder / "view", *args), text=True, capture_output=True, timeout=timeout, cwd="/",
                           env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C", **(env or {})}, **options)
        assert p.returncode == code, f"{args}: exit code {p.returncode}\n{p.stdout}\n{p.stderr}"
        return p

    def sh(self, script, *args, **options):
        return self.run("sh", "-ec", script, "sh", *args, **options)

    def path(self, path):
        """A file in the new root, for this process."""
        return Path(f"/proc/{self.holder.pid}/root{self.root}{path}")

    def write(self, path, text, mode=0o644):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)
        self.path(path).chmod(mode)

    def copy(self, file):
        """Into /tmp there; returns its path there."""
        shutil.copy(file, self.path("/tmp"))
        return f"/tmp/{Path(file).name}"

    def changed(self, *folders):
        """What has been written below these folders, directories left out."""
        upper = Path(f"/proc/{self.holder.pid}/root{self.folder}/upper")
        return sorted("/" + str(p.relative_to(upper)) for f in folders for p in upper.glob(f.strip("/") + "/**/*") if not p.is_dir())


def _cgroups(name):
    """Folders for a container's control groups, one in each hierarchy that systemd looks at."""
    places = []
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options):
            places.append(Path(place) / name)
    return places


class Machine:
    """systemd, booted in a Scratch: services run there as they do on a real machine. The network is this machine's."""

    UNIT = "[Unit]\nDescription=Nothing but what a test starts\nDefaultDependencies=no\n"

    # A container allows fewer system calls than a machine.
    ALLOWED = ["--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"]

    def __init__(self, scratch, log):
        self.scratch, self.log = scratch, Path(log)
        scratch.write("/etc/systemd/system/e2e.target", self.UNIT)
        self.name = f"e2e-{os.getpid()}"
        self.cgroups = _cgroups(self.name)
        assert self.cgroups, "no hierarchy of control groups is mounted that systemd could work in"
        for place in self.cgroups:
            place.mkdir()
        enter = "for c; do [ \"$c\" = -- ] && break; echo $$ >\"$c/cgroup.procs\"; shift; done; shift; exec \"$@\""
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                ["sh", "-ec", enter, "sh", *map(str, self.cgroups), "--", *scratch.outside(
                    "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe",
                    f"--machine={self.name}", *self.ALLOWED, "--directory", scratch.root, "--boot", "--", "--unit=e2e.target")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            wait_for(self._is_up, 20)
        except AssertionError as e:
            self.close()
            raise AssertionError(f"{e}\n{self.log.read_text()[-2000:]}") from None

    def _is_up(self):
        assert self.process.poll() is None, "systemd-nspawn ended"
        return self.systemctl("is-active", "e2e.target", code=None).stdout == "active\n"

    def _leader(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return children[0] if children else None

    def inside(self, *args, code=0):
        leader = self._leader()
        assert leader, "the container has not begun"
        p = subprocess.run(["nsenter", "-t", leader, "-m", "-p", "-u", "-i", "-C", *args],
                           text=True, capture_output=True, timeout=60, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
        assert code is None or p.returncode == code, f"{args}: {p.returncode}\n{p.stdout}\n{p.stderr}"
        return p

    def systemctl(self, *args, code=0):
        return self.inside("systemctl", *args, code=code)

    def journal(self, unit):
        """What the unit has said since it was started last."""
        invocation = self.show(unit, "InvocationID")["InvocationID"]
        self.inside("journalctl", "--sync")
        return self.inside("journalctl", "--output=cat", f"_SYSTEMD_INVOCATION_ID={invocation}").stdout

    def show(self, unit, *names):
        out = self.systemctl("show", unit, "--property", ",".join(names)).stdout
        return dict(line.split("=", 1) for line in out.splitlines())

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # an orderly end
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        left = Path("/run/systemd/nspawn/propagate") / self.name
        if left.is_dir():
            left.rmdir()
        for place in self.cgroups:
            for folder in sorted((p for p in place.glob("**/") if p.is_dir()), key=lambda p: -len(p.parts)):
                for _ in range(50):
                    try:
                        folder.rmdir()
                        break
                    except OSError:  # the last processes are still going
                        time.sleep(0.1)
