"""System calls that Python has no words for yet."""

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_RDONLY = 1
MS_REC = 16384
MS_PRIVATE = 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def sole_user():
    """True in a user namespace that has one user: files cannot be given to others."""
    with open("/proc/self/uid_map") as f:
        return f.read().split()[2:] == ["1"]


def chown(path, user, group):
    """Where there is only one user, all files are his."""
    if not sole_user():
        os.chown(path, user, group)


def unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def setns(fd, flags):
    _check(_libc.setns(fd, flags), "setns")


def mount(source, target, kind=None, flags=0, data=None):
    as_bytes = lambda x: None if x is None else os.fsencode(x)
    _check(_libc.mount(as_bytes(source), as_bytes(target), as_bytes(kind), ctypes.c_ulong(flags), as_bytes(data)),
           f"mount {target}")


def unmount(target):
    _check(_libc.umount2(os.fsencode(target), 2), f"umount {target}")  # 2: now for new users, later for the rest
