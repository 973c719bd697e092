"""Networks of their own for replicas, and the wires between them.

Each replica lives in a network namespace with one device, `wire0`; what it sends there comes to
this process, packet by packet (a TUN device), and goes on into another namespace: later, at a rate,
or never. The kernel's TCP does the rest, as on a real network. Needs root and /dev/net/tun.
"""

import ctypes
import errno
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

NETWORK = "10.77.0."
CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_BYTES_MAX = 65536
QUEUE_SECONDS_MAX = 1.0  # what waits longer for a slow path is dropped, as a switch does

libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """What this machine lacks for it; empty if nothing."""
    if os.geteuid() != 0:
        return "not root"
    try:
        Namespace(1).close()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces with TUN devices: {error}"
    return ""


def call(function, *arguments):
    """A function of the system; OSError when it fails."""
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def namespace_of_thread():
    """A descriptor of it."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """A network namespace that lives as long as this object, with `address` on its device."""

    def __init__(self, number):
        self.address = NETWORK + str(number)
        self.handle = self.device = None
        outcome = []
        maker = threading.Thread(target=lambda: outcome.append(self.make()))
        maker.start()
        maker.join()
        if not outcome or outcome[0] is not None:
            self.close()
            raise outcome[0] if outcome else OSError(errno.EIO, "the thread ended")

    def make(self):
        """In a thread of its own, which is left behind; the error, if there is one."""
        try:
            call(libc.unshare, CLONE_NEWNET)
            self.handle = namespace_of_thread()
            self.device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.device, TUNSETIFF,
                        struct.pack("16sH22x", b"wire0", IFF_TUN | IFF_NO_PI))
            for command in ("link set lo up", f"address add {self.address}/24 dev wire0",
                            "link set wire0 up"):
                subprocess.run(["ip", *command.split()], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            return error
        return None

    @contextmanager
    def entered(self):
        """What this thread makes meanwhile, sockets and processes, lives in it."""
        home = namespace_of_thread()
        try:
            call(libc.setns, self.handle, CLONE_NEWNET)
            try:
                yield
            finally:
                call(libc.setns, home, CLONE_NEWNET)
        finally:
            os.close(home)

    def close(self):
        """The end of it, when the last process in it has ended."""
        for descriptor in (self.handle, self.device):
            if descriptor is not None:
                os.close(descriptor)
        self.handle = self.device = None


@dataclass
class Path:
    """What happens to packets from one namespace to another."""
    delay: float = 0.0002    # seconds
    jitter: float = 0.0      # up to so many more; packets may overtake each other
    loss: float = 0.0        # so many of 1
    doubled: float = 0.0     # so many of 1 come twice
    rate: float = 0.0        # bytes a second; 0: all at once
    cut: bool = False
    free_at: float = 0.0     # when a slow path has sent all that waits


class Wires(threading.Thread):
    """All paths between namespaces; a context manager. Change `paths[from, to]` at any time."""

    def __init__(self, count, seed):
        super().__init__(daemon=True)
        self.namespaces = [Namespace(index + 1) for index in range(count)]
        self.paths = {(one, other): Path() for one in range(count) for other in range(count)
                      if one != other}
        self.random = random.Random(seed)
        self.waiting = []  # (due, number, to, packet)
        self.number = 0
        self.packets = self.lost = 0
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        for namespace in self.namespaces:
            namespace.close()

    def heal(self):
        """All paths are those of a local network again."""
        for pair in self.paths:
            self.paths[pair] = Path()

    def run(self):
        poll = select.poll()
        devices = {namespace.device: index for index, namespace in enumerate(self.namespaces)}
        for device in devices:
            poll.register(device, select.POLLIN)
        while not self.over.is_set():
            wait = self.waiting[0][0] - time.monotonic() if self.waiting else 0.1
            for device, _ in poll.poll(max(0.0, min(wait, 0.1)) * 1000):
                self.take(device, devices[device])
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                _, _, to, packet = heapq.heappop(self.waiting)
                self.give(to, packet)

    def take(self, device, sender):
        """All that one namespace has sent."""
        while True:
            try:
                packet = os.read(device, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            receiver = packet[19] - 1 if len(packet) >= 20 and packet[0] >> 4 == 4 else -1
            path = self.paths.get((sender, receiver))
            if path is not None:  # else IPv6's own, or a broadcast
                self.send(path, receiver, packet)

    def send(self, path, receiver, packet):
        """Along a path."""
        self.packets += 1
        now = time.monotonic()
        due = now + path.delay + self.random.random() * path.jitter
        if path.rate > 0:
            begin = max(now, path.free_at)
            if begin - now > QUEUE_SECONDS_MAX:
                self.lost += 1
                return
            path.free_at = begin + len(packet) / path.rate
            due += path.free_at - now
        if path.cut or self.random.random() < path.loss:
            self.lost += 1
            return
        for _ in range(2 if self.random.random() < path.doubled else 1):
            self.number += 1
            heapq.heappush(self.waiting, (due, self.number, receiver, packet))

    def give(self, receiver, packet):
        """To its namespace; dropped if that takes no more."""
        try:
            os.write(self.namespaces[receiver].device, packet)
        except OSError:
            self.lost += 1
