"""Starts replicas of the binary named by SYNCLINE_BINARY, in a scratch directory, and always ends
them. For interop tests and drills; a RESP client of its own keeps these free of packages."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

READY_SECONDS = 60


def free_ports(count):
    """Ports that nobody listens on now; all different."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def resident_bytes(process):
    """Bytes of memory that a process has."""
    with open(f"/proc/{process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class RedisServer:
    """A redis-server beside the replicas, without files of its own; a context manager."""

    def __init__(self, directory, *options):
        self.port, = free_ports(1)
        with open(os.path.join(directory, "redis.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--save", "", "--dir", directory,
                 *options], stdout=log, stderr=log)

    def __enter__(self):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                Connection(self.port, 5).close()
                return self
            except OSError:
                assert time.monotonic() < deadline, "redis-server does not come up"
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Replica:
    """One process. start() and kill() may be called again and again."""

    def __init__(self, name, directory, options, port):
        self.name = name
        self.port = port
        self.log_path = os.path.join(directory, name + ".log")
        self.command = [os.environ["SYNCLINE_BINARY"], "serve", "--node", name,
                        "--data", os.path.join(directory, name), "--port", str(port),
                        "--http-port", "0", *options]
        self.process = None

    def start(self):
        """Starts the process; returns at once."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)

    def kill(self):
        """SIGKILL, and waits for the end."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=READY_SECONDS)

    def connect(self, timeout=10):
        """A new connection; OSError when nobody listens."""
        return Connection(self.port, timeout)

    def info(self, section="default", timeout=10):
        """INFO as a dict."""
        with self.connect(timeout) as connection:
            return connection.info(section)

    def http_port(self):
        """The port of its page; another one after each start."""
        return int(self.info("server")["http_port"])

    def wait_ready(self, seconds=READY_SECONDS):
        """Until it answers DBSIZE, which needs the data; of one that wants a password, until it
        says so."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with self.connect(2) as connection:
                    connection.command("DBSIZE")
                    return
            except (OSError, ReplyError) as error:
                if str(error).startswith("NOAUTH "):
                    return
                if self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended with {self.process.returncode}; see\n"
                                       + self.log_tail()) from error
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} is not ready after {seconds} s: {error}\n"
                                       + self.log_tail()) from error
                time.sleep(0.05)

    def log_tail(self):
        """The last lines of what it wrote."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-20:])


def write_secret(directory):
    """A new one for the peers of a cluster; the name of the file."""
    secret = os.path.join(directory, "secret")
    with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(os.urandom(16).hex())
    return secret


def member_options(addresses, index, secret):
    """Those of one of the members whose peer ports are at these (host, port)."""
    options = ["--peer-port", str(addresses[index][1]), "--peer-secret-file", secret]
    for other, (host, port) in enumerate(addresses):
        if other != index:
            options += ["--peer", f"{host}:{port}"]
    if index == 0:
        options.append("--init")
    return options


class Cluster:
    """Replicas that know each other by a secret; a context manager."""

    def __init__(self, count, options=()):
        self.directory = tempfile.mkdtemp(prefix="syncline-")
        secret = write_secret(self.directory)
        ports = free_ports(2 * count)
        addresses = [("127.0.0.1", port) for port in ports[count:]]
        self.replicas = []
        for index in range(count):
            more = list(options)
            if count > 1:
                more += member_options(addresses, index, secret)
            self.replicas.append(
                Replica(f"n{index + 1}", self.directory, more, ports[index]))

    def __enter__(self):
        try:
            for replica in self.replicas:
                replica.start()
            for replica in self.replicas:
                replica.wait_ready()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, trace):
        for replica in self.replicas:
            if replica.process is not None and replica.process.poll() is None:
                replica.kill()
        if kind is not None:
            for replica in self.replicas:
                print(f"--- {replica.name}\n{replica.log_tail()}", file=sys.stderr)
        shutil.rmtree(self.directory, ignore_errors=True)


class ReplyError(Exception):
    """An error reply."""


class Connection:
    """A blocking client, enough of one: RESP2, no pushes."""

    def __init__(self, port, timeout):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the connection."""
        self.file.close()
        self.socket.close()

    def send(self, *arguments):
        """Sends a command without waiting."""
        parts = [b"*%d\r\n" % len(arguments)]
        for argument in arguments:
            if not isinstance(argument, bytes):
                argument = str(argument).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(argument), argument))
        self.socket.sendall(b"".join(parts))

    def receive(self):
        """The next reply; an error reply is raised."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return None if rest == b"-1" else [self.receive() for _ in range(int(rest))]
        if kind != b"$":
            raise ConnectionError(f"no reply begins with {line!r}")
        if rest == b"-1":
            return None
        data = self.file.read(int(rest) + 2)
        if len(data) != int(rest) + 2:
            raise ConnectionError("the server closed the connection")
        return data[:-2]

    def command(self, *arguments):
        """Sends a command and returns its reply."""
        self.send(*arguments)
        return self.receive()

    def info(self, section="default"):
        """INFO as a dict."""
        lines = self.command("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


class Writer(threading.Thread):
    """Sends the commands that `commands(n)` gives, for n = 0, 1, ..., to one replica until it is
    stopped; counts the n whose first command was acknowledged."""

    def __init__(self, replica, commands):
        super().__init__()
        self.replica = replica
        self.commands = commands
        self.stopping = threading.Event()
        self.acknowledged = 0
        self.error = None

    def run(self):
        try:
            with self.replica.connect() as connection:
                while not self.stopping.is_set():
                    first, *others = self.commands(self.acknowledged)
                    connection.command(*first)
                    self.acknowledged += 1
                    for command in others:
                        connection.command(*command)
        except (OSError, ReplyError) as error:
            self.error = error

    def finish(self):
        """Stops; how many were acknowledged."""
        self.stopping.set()
        self.join()
        if self.error is not None:
            raise self.error
        return self.acknowledged


def clock(connection):
    """CRDT.CLOCK as a dict."""
    reply = connection.command("CRDT.CLOCK")
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2])}


def wait_converged(replicas, seconds, look_seconds=0.1):
    """Until all roots and version vectors are equal; the seconds it took, or RuntimeError."""
    start = time.monotonic()
    clocks = []
    while time.monotonic() - start < seconds:
        clocks = []
        for replica in replicas:
            with replica.connect() as connection:
                clocks.append(clock(connection))
        if all((one["root"], one["vv"]) == (clocks[0]["root"], clocks[0]["vv"])
               for one in clocks):
            return time.monotonic() - start
        time.sleep(look_seconds)
    raise RuntimeError(f"not converged after {seconds} s: {clocks}")
