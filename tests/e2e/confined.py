"""confined.py CALL=ERRNO... -- COMMAND...: runs it where these system calls fail, as container runtimes and old kernels have it."""

import ctypes
import errno
import os
import sys

ALLOW = 0x7FFF0000
ERRNO = 0x00050000


def refuse(calls):
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(ALLOW)))
    for name, code in calls.items():
        number = lib.seccomp_syscall_resolve_name(name.encode())
        assert number >= 0, f"there is no system call {name}"
        assert lib.seccomp_rule_add(context, ctypes.c_uint32(ERRNO | code), number, 0) == 0
    assert lib.seccomp_load(context) == 0


if __name__ == "__main__":
    split = sys.argv.index("--")
    refuse({name: getattr(errno, code) for name, code in (a.split("=") for a in sys.argv[1:split])})
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])
