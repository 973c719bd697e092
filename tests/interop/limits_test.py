"""Clients that take too long, and too many of them: before and after they have logged in, without
descriptors, and with the clocks of the server."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

from cluster import Cluster, Connection, ReplyError


def too_many(replica):
    """Those beyond maxclients hear why, and room that is free again is used."""
    with replica.connect() as first:
        assert first.command("CONFIG", "SET", "maxclients", "2") == "OK"
        try:
            first.command("CONFIG", "SET", "maxclients", "0")
            raise AssertionError("no clients at all")
        except ReplyError:
            pass
        with replica.connect() as second:
            assert second.command("PING") == "PONG"
            with replica.connect() as third:
                assert third.file.readline() == b"-ERR max number of clients reached\r\n"
                assert third.file.read() == b""
        deadline = time.monotonic() + 20
        while True:
            try:
                with replica.connect() as again:
                    assert again.command("PING") == "PONG"
                    break
            except (ReplyError, ConnectionError):
                assert time.monotonic() < deadline
        assert first.command("CONFIG", "SET", "maxclients", "10000") == "OK"


def settle(there):
    """Until nobody else is connected and all is in the base. A connection that ends later would
    make room for another, which would be told of; and a checkpoint needs descriptors, too."""
    there.command("SAVE")
    deadline = time.monotonic() + 20
    while (there.info("clients")["connected_clients"] != "1" or
           there.info("memory")["overlay_bytes"] != "0"):
        assert time.monotonic() < deadline, "the replica does not come to rest"
        time.sleep(0.02)


def descriptors_used_up(replica):
    """Who is there is served on; who comes waits. It is told once, and goes by."""

    def told():
        return open(replica.log_path, encoding="utf-8").read().count("accept_failed")

    process = replica.process.pid
    with replica.connect() as there:
        before = resource.prlimit(process, resource.RLIMIT_NOFILE)
        for times in (1, 2):
            settle(there)
            used = len(os.listdir(f"/proc/{process}/fd"))
            resource.prlimit(process, resource.RLIMIT_NOFILE, (used, before[1]))
            waiting = [replica.connect() for _ in range(5)]
            for connection in waiting:
                connection.send("PING")
            deadline = time.monotonic() + 20
            while told() < times:
                assert time.monotonic() < deadline, "nothing is told"
                time.sleep(0.02)
            time.sleep(0.5)  # some attempts
            assert told() == times
            assert there.command("SET", "k", "v") == "OK"
            resource.prlimit(process, resource.RLIMIT_NOFILE, before)
            for connection in waiting:
                assert connection.receive() == "PONG"
                connection.close()
            deadline = time.monotonic() + 20
            while len(os.listdir(f"/proc/{process}/fd")) > used:
                assert time.monotonic() < deadline, "descriptors are not given back"
                time.sleep(0.02)


def idle_clients(replica):
    """CONFIG SET timeout, as in Redis: not for those who wait or listen."""
    with replica.connect() as idle, replica.connect() as waiting, replica.connect() as listening, \
            replica.connect() as busy:
        assert idle.command("PING") == "PONG"
        waiting.send("BLPOP", "nothing", "0")
        listening.command("SUBSCRIBE", "c")
        assert busy.command("CONFIG", "SET", "timeout", "3") == "OK"
        began = time.monotonic()
        while time.monotonic() - began < 6:
            assert busy.command("PING") == "PONG"
            time.sleep(0.1)
        assert idle.file.read() == b"", "an idle client is left"
        assert busy.command("RPUSH", "nothing", "v") == 1
        assert waiting.receive() == [b"nothing", b"v"]
        assert busy.command("PUBLISH", "c", "m") == 1
        assert busy.command("CONFIG", "SET", "timeout", "0") == "OK"


class SlowBeforeLogin:
    """Half a request from who has not said who they are, beside half a one of who has."""

    def __init__(self, replica):
        self.half, self.known, self.silent = (replica.connect() for _ in range(3))
        assert self.known.command("AUTH", "open sesame") == "OK"
        self.known.socket.sendall(b"*2\r\n$3\r\nGET\r\n$1")
        self.half.socket.sendall(b"*2\r\n$4\r\nAUTH\r\n$9\r\nopen")
        self.began = time.monotonic()

    def check(self):
        """Ten seconds are enough for a request; to have sent none is no fault yet."""
        left = 9 - (time.monotonic() - self.began)
        try:
            if left > 0:
                self.half.socket.settimeout(left)
                raise AssertionError(f"too soon: {self.half.socket.recv(100)}")
        except TimeoutError:
            pass
        self.half.socket.settimeout(15)
        assert self.half.socket.recv(100) == b"", "something came"
        self.known.socket.sendall(b"\r\nk\r\n")
        assert self.known.receive() is None
        assert self.silent.command("AUTH", "open sesame") == "OK"
        for connection in (self.half, self.known, self.silent):
            connection.close()


def few_descriptors(scratch):
    """The replica leaves itself some: else clients could end it."""
    port = None
    data = os.path.join(scratch, "few")
    process = subprocess.Popen(
        [os.environ["SYNCLINE_BINARY"], "serve", "--data", data, "--port", "0", "--http-port",
         "off"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("  clients"):
                port = int(line.rsplit(":", 1)[1])
                break
        assert any("server.few_descriptors" in line for line in lines), lines
        first = Connection(port, 20)
        assert first.command("CONFIG", "GET", "maxclients") == [b"maxclients", b"50"]
        connections = [Connection(port, 20) for _ in range(200)]
        assert first.command("SET", "k", "v") == "OK"
        assert first.command("SAVE") == "OK"
        assert first.command("GET", "k") == b"v"
        served = 0
        for connection in connections[:49]:
            served += connection.command("PING") == "PONG"
        assert served == 49
        for connection in connections:
            connection.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main():
    with tempfile.TemporaryDirectory(prefix="syncline-limits-") as scratch:
        password = os.path.join(scratch, "password")
        with open(os.open(password, os.O_CREAT | os.O_WRONLY, 0o600), "w",
                  encoding="ascii") as file:
            file.write("open sesame\n")
        with Cluster(1, ["--requirepass-file", password]) as closed, Cluster(1) as cluster:
            slow = SlowBeforeLogin(closed.replicas[0])
            replica = cluster.replicas[0]
            too_many(replica)
            idle_clients(replica)
            descriptors_used_up(replica)
            few_descriptors(scratch)
            slow.check()
    return 0


if __name__ == "__main__":
    signal.alarm(240)
    sys.exit(main())
