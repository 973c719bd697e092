"""Clients that mean harm, one kind after the other: the server must live, keep its memory, and
answer a client beside them that does nothing wrong.

Usage: attack_test.py [--seconds S]     how long each lasts (2)

  headers   requests that announce much more than they bring, from hundreds of connections
  greedy    clients that ask for large values and never read
  idle      10,000 connections that say nothing (as many as the limit of open files allows)
  files     more connections than the process may have files open

and last a crowd that does nothing wrong but asks for large values without pause and reads them: of
their replies only so much may leave before the neighbour's.

Prints the neighbour's p99 before and during each, and their ratio. What is asserted is that each of
its requests is answered within seconds, and how much memory the server takes: a ratio of times is
nothing that a loaded machine should fail on.
"""

import argparse
import multiprocessing
import os
import resource
import selectors
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Cluster, resident_bytes  # noqa: E402

MIB = 1 << 20
ANSWER_SECONDS_MAX = 10
IDLE_WANTED = 10000
# Of resident memory beyond what the server had before.
HEADERS_BYTES_MAX = 96 * MIB
GREEDY_CONNECTIONS = 50
GREEDY_VALUE_BYTES = 256 * 1024
GET_LARGE = b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n"
# Each may be owed a MiB of replies, the one that went beyond it, and what the kernel takes.
GREEDY_BYTES_MAX = GREEDY_CONNECTIONS * 3 * MIB
IDLE_BYTES_MAX_EACH = 8 * 1024
# A round trip sees a turn or two, each of which makes 512 KiB of such replies and a little more. If
# everybody in the crowd were given one reply in each turn, it would be 12.5 MiB and more.
CROWD_BYTES_MAX = 8 * MIB
CROWD_ROUND_TRIPS = 60


class Neighbour(multiprocessing.Process):
    """Writes and reads one key, some 200 times a second, until it is told to stop. A process, which
    attackers in this one cannot hold up."""

    def __init__(self, replica):
        super().__init__(daemon=True)
        self.replica = replica
        self.over = multiprocessing.Event()
        self.outcome, self.report = multiprocessing.Pipe(duplex=False)

    def run(self):
        times = []
        try:
            with self.replica.connect(ANSWER_SECONDS_MAX) as connection:
                number = 0
                while not self.over.wait(0.005):
                    begin = time.monotonic()
                    number += 1
                    connection.command("SET", "neighbour", number)
                    assert int(connection.command("GET", "neighbour")) == number
                    times.append(1000 * (time.monotonic() - begin))
            self.report.send(times)
        except Exception as error:  # told by who ends it
            self.report.send(error)

    def p99(self):
        """Ends it; milliseconds of a write with a read."""
        self.over.set()
        assert self.outcome.poll(2 * ANSWER_SECONDS_MAX), "the neighbour does not end"
        times = self.outcome.recv()
        self.join()
        if isinstance(times, Exception):
            raise times
        assert times, "the neighbour got no answer"
        return sorted(times)[len(times) * 99 // 100]


def connect(replica):
    """A raw connection that does not wait."""
    connection = socket.create_connection(("127.0.0.1", replica.port), timeout=10)
    connection.setblocking(False)
    return connection


def send(connection, data):
    """As much as goes out at once; False: the other side is gone."""
    try:
        connection.send(data)
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


def headers(replica, seconds, connections):
    """Announces arrays of a million and strings of 64 MiB, and brings a few bytes of them."""
    bombs = [b"*1048576\r\n$3\r\nSET\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67108864\r\nabc",
             b"*1048576\r\n" + b"$67108864\r\n", b"A" * 1000]
    for number in range(300):
        connections.append(connect(replica))
        send(connections[-1], bombs[number % len(bombs)])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for connection in connections:
            send(connection, b"$1\r\nx\r\n" * 10)
        time.sleep(0.05)


def greedy(replica, seconds, connections):
    """Asks for a large value again and again, and reads nothing."""
    with replica.connect(ANSWER_SECONDS_MAX) as connection:
        connection.command("SET", "large", b"x" * GREEDY_VALUE_BYTES)
    for _ in range(GREEDY_CONNECTIONS):
        connections.append(connect(replica))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for connection in connections:
            send(connection, GET_LARGE * 100)
        time.sleep(0.05)


def idle(replica, seconds, connections):
    """Connects, as often as it may."""
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200
    for _ in range(min(IDLE_WANTED - 10, room)):
        connections.append(connect(replica))
    time.sleep(seconds)


def under(replica, name, attack, seconds, bytes_max):
    """Runs one attack beside a neighbour; its p99 in milliseconds."""
    before = resident_bytes(replica.process)
    neighbour = Neighbour(replica)
    connections = []
    neighbour.start()
    try:
        attack(replica, seconds, connections)
        grown = resident_bytes(replica.process) - before
        p99 = neighbour.p99()
        limit = bytes_max(len(connections))
        assert grown <= limit, f"{name}: {grown} bytes more, {limit} at most"
    finally:
        neighbour.over.set()
        for connection in connections:
            connection.close()
    assert replica.process.poll() is None, f"{name}: the server ended"
    print(f"{name}: {len(connections)} connections, {grown / MIB:.1f} MiB more, p99 {p99:.2f} ms",
          flush=True)
    return p99


def output_bytes(connection):
    """Bytes of all replies so far."""
    return int(connection.info("stats")["total_net_output_bytes"])


def read_crowd(crowd, over):
    """Asks without pause, and reads all that comes."""
    room = bytearray(MIB)
    with selectors.DefaultSelector() as selector:
        for connection in crowd:
            selector.register(connection, selectors.EVENT_READ)
        while not over.is_set():
            for key, _ in selector.select(0.05):
                send(key.fileobj, GET_LARGE)
                try:
                    key.fileobj.recv_into(room)
                except BlockingIOError:
                    pass


def crowd_bytes(replica):
    """Bytes that leave while one who asks for little waits: the lower quartile of many times, since
    what the machine does meanwhile only adds to it."""
    with replica.connect(ANSWER_SECONDS_MAX) as connection:
        connection.command("SET", "large", b"x" * GREEDY_VALUE_BYTES)
        crowd = [connect(replica) for _ in range(GREEDY_CONNECTIONS)]
        for member in crowd:
            send(member, GET_LARGE * 20)
        over = threading.Event()
        reader = threading.Thread(target=read_crowd, args=(crowd, over), daemon=True)
        reader.start()
        try:
            time.sleep(0.2)
            found = []
            for _ in range(CROWD_ROUND_TRIPS):
                before = output_bytes(connection)
                found.append(output_bytes(connection) - before)
                time.sleep(0.005)
        finally:
            over.set()
            reader.join()
            for member in crowd:
                member.close()
    return sorted(found)[len(found) // 4]


def files(seconds):
    """A server with few files: who comes too late is told or waits, and the rest goes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (96, hard))
    try:
        cluster = Cluster(1)
        cluster.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    connections = []
    try:
        replica = cluster.replicas[0]
        neighbour = Neighbour(replica)
        neighbour.start()
        time.sleep(0.2)
        for _ in range(300):
            connections.append(connect(replica))
        time.sleep(seconds)
        p99 = neighbour.p99()
        for connection in connections:
            connection.close()
        # There is room again.
        begin = time.monotonic()
        with replica.connect(ANSWER_SECONDS_MAX) as connection:
            assert connection.command("PING") == "PONG"
        print(f"files: {len(connections)} connections for 96 files, p99 {p99:.2f} ms; a new client "
              f"was answered {time.monotonic() - begin:.1f} s after they had gone", flush=True)
    finally:
        cluster.__exit__(None, None, None)
    return p99


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    seconds = parser.parse_args().seconds
    with Cluster(1) as cluster:
        replica = cluster.replicas[0]
        calm = under(replica, "calm", lambda *_: time.sleep(seconds), seconds, lambda _: 8 * MIB)
        found = [("headers", under(replica, "headers", headers, seconds,
                                   lambda _: HEADERS_BYTES_MAX)),
                 ("greedy", under(replica, "greedy", greedy, seconds, lambda _: GREEDY_BYTES_MAX)),
                 ("idle", under(replica, "idle", idle, seconds,
                                lambda count: count * IDLE_BYTES_MAX_EACH + 8 * MIB))]
        waited_bytes = crowd_bytes(replica)
        print(f"crowd: {waited_bytes / MIB:.1f} MiB of its replies before that of another")
        assert waited_bytes <= CROWD_BYTES_MAX, f"{waited_bytes} bytes before a short reply"
    found.append(("files", files(seconds)))
    print("p99 of the neighbour, times that in calm: " +
          ", ".join(f"{name} {p99 / calm:.1f}" for name, p99 in found))


if __name__ == "__main__":
    main()
