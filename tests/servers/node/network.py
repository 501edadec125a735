"""A pod's network: a namespace with nothing but a loopback, and doors in it.

The pod has an address of its own out of 127/8, so that any number of pods listen on
the same port and everything stays on this machine. Sockets belong to the namespace
in which they were made: a thread that has stepped into the pod's namespace makes them,
and one of the node carries bytes between such a socket and one out here.

    in:   the host's 127.77.x.y:8082  ->  the pod's 127.77.x.y:8082
    out:  the pod's 10.0.0.1:443      ->  the host's 127.0.0.1:<API server>
"""

import fcntl
import os
import random
import socket
import struct
import threading

import kernel

SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFFLAGS = 0x8916, 0x891C, 0x8914
IFF_UP = 1


def free_address():
    """One that nobody on this machine listens on, most likely: two nodes draw from three million."""
    return f"127.{random.randrange(64, 128)}.{random.randrange(256)}.{random.randrange(1, 255)}"


class Network:
    def __init__(self):
        self.address = free_address()
        self.doors = {}  # (side, address, port) -> listening socket
        self._aliases = {}
        self._gone = False
        made = []
        self._elsewhere(lambda: made.append(self._make()), enter=False)
        self.fd = made[0]

    @property
    def path(self):
        """For a container runtime, to join."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self):
        self._gone = True
        for door in self.doors.values():
            door.close()
        os.close(self.fd)

    def open_in(self, port):
        """Whoever connects to the pod's address out here reaches the pod."""
        key = ("in", self.address, port)
        if key not in self.doors:
            self._serve(key, socket.create_server((self.address, port), backlog=64), lambda: self._dial(port))

    def open_out(self, address, port, target):
        """In the pod, address:port is the host's 127.0.0.1:target."""
        key = ("out", address, port)
        if key in self.doors:
            return
        made = []

        def make():
            if not address.startswith("127."):
                self._alias(address)
            made.append(socket.create_server((address, port), backlog=64))
        self._elsewhere(make)
        self._serve(key, made[0], lambda: socket.create_connection(("127.0.0.1", target), timeout=5))

    # ---- inside
    def _make(self):
        kernel.unshare(kernel.CLONE_NEWNET)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _elsewhere(self, work, enter=True):
        """Runs it on a thread of its own, which changes its namespace and ends."""
        wrong = []

        def run():
            try:
                if enter:
                    kernel.setns(self.fd, kernel.CLONE_NEWNET)
                work()
            except OSError as e:
                wrong.append(e)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if wrong:
            raise wrong[0]

    def _alias(self, address):
        if address in self._aliases:
            return
        self._aliases[address] = name = f"lo:{len(self._aliases)}".encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for what, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, "255.255.255.255")):
                fcntl.ioctl(s, what, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(value)))

    def _dial(self, port):
        made = []
        self._elsewhere(lambda: made.append(socket.create_connection((self.address, port), timeout=5)))
        return made[0]

    def _serve(self, key, door, dial):
        self.doors[key] = door

        def accept():
            while not self._gone:
                try:
                    near = door.accept()[0]
                except OSError:
                    return
                threading.Thread(target=self._carry, args=(near, dial), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()

    @staticmethod
    def _carry(near, dial):
        try:
            far = dial()
        except OSError:
            near.close()
            return
        for s in (near, far):
            s.settimeout(None)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join()
        near.close()
        far.close()


def _pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
