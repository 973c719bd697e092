"""What clients are promised that take a causal token from replica to replica: they read their own
writes, never go back in time, and see nothing without what it rests on; nobody ever sees half of a
transaction.

Usage: guarantees_test.py. Three replicas, whose links are cut and mended meanwhile; sessions write
and read at a replica chosen at each step, and bring it the token of the last one. SYNCLINE_READS
says how many reads are checked (default 200,000); the seed is printed, SYNCLINE_SEED sets it.
"""

import os
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Cluster, ReplyError, wait_converged  # noqa: E402

READS = int(os.environ.get("SYNCLINE_READS", "200000"))
SEED = int(os.environ.get("SYNCLINE_SEED", str(int(time.time()))))
SESSIONS = 6
TOKEN_WAIT_MS = 20000
CUT_SECONDS = 0.4


class Session(threading.Thread):
    """A client that goes from replica to replica. Only it writes the keys with its number S, each
    time a larger number n: own:S; then first:S and second:S, in this order; both:S:a and both:S:b
    in one transaction; and seen:S:T, the number that it has just read of session T's own key."""

    def __init__(self, cluster, number, seed):
        super().__init__()
        self.cluster = cluster
        self.number = number
        self.random = random.Random(seed)
        self.connections = [replica.connect(60) for replica in cluster.replicas]
        self.token = None
        self.written = 0
        self.newest = {}  # key: the largest number that was read of it
        self.reads = 0
        self.hops = 0
        self.waits = 0  # hops at which the replica had not everything yet
        self.error = None

    def run(self):
        try:
            while self.reads * SESSIONS < READS:
                self.step()
        except Exception as error:  # told by main
            self.error = error

    def step(self):
        """One hop: the token, reads, writes, another token; all in one request."""
        connection = self.random.choice(self.connections)
        commands = []
        if self.token is not None:
            demand = self.random.random() < 0.5
            commands.append(("CRDT.DEMAND" if demand else "CRDT.WAIT", self.token, TOKEN_WAIT_MS))
        others = self.random.sample(range(SESSIONS), 4)
        # What rests on something is read first, and then what it rests on.
        keys = [f"seen:{one}:{two}" for one in others for two in others if one != two]
        keys += [f"second:{other}" for other in others] + [f"first:{other}" for other in others]
        keys += [f"own:{other}" for other in [self.number, *others]]
        reads = [("GET", key) for key in keys]
        reads += [("MGET", f"both:{other}:a", f"both:{other}:b") for other in others]
        self.written += 1
        number = self.written
        me, after = self.number, self.random.choice(others)
        writes = [("SET", f"own:{me}", number), ("SET", f"first:{me}", number),
                  ("SET", f"second:{me}", number), ("MULTI",), ("SET", f"both:{me}:a", number),
                  ("SET", f"both:{me}:b", number), ("EXEC",), ("CRDT.TOKEN",)]
        for command in commands + reads:
            connection.send(*command)
        replies = [self.receive(connection) for _ in commands + reads][len(commands):]
        values = dict(zip(keys, (int(reply or 0) for reply in replies)))
        self.check(values, others, number - 1)
        for pair in replies[len(keys):]:
            assert pair[0] == pair[1], f"half of a transaction: {pair}"
        writes.insert(0, ("SET", f"seen:{me}:{after}", values[f"own:{after}"]))
        for command in writes:
            connection.send(*command)
        self.token = [self.receive(connection) for _ in writes][-1]
        self.reads += len(keys) + 2 * len(others)
        self.hops += 1

    def receive(self, connection):
        """A reply that must be none of an error."""
        try:
            return connection.receive()
        except ReplyError as error:
            raise AssertionError(f"session {self.number}, hop {self.hops}: {error}") from error

    def check(self, values, others, written):
        """What was read against what this session wrote and read before, and with itself."""
        own = values[f"own:{self.number}"]
        assert own == written, f"own write {written} reads as {own}"
        for key, value in values.items():
            before = self.newest.get(key, 0)
            assert value >= before, f"{key} went back from {before} to {value}"
            self.newest[key] = value
        for other in others:
            assert values[f"first:{other}"] >= values[f"second:{other}"], \
                f"writes of session {other} in another order: {values}"
        for one in others:
            for two in others:
                # Session `one` had read this before it wrote so.
                assert one == two or values[f"seen:{one}:{two}"] <= values[f"own:{two}"], \
                    f"what session {one} had read of {two} is not there: {values}"

    def close(self):
        """Ends its connections."""
        for connection in self.connections:
            connection.close()


class Cutter(threading.Thread):
    """Cuts a link, mends it, and cuts another."""

    def __init__(self, cluster, seed):
        super().__init__()
        self.cluster = cluster
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.cuts = 0

    def run(self):
        while not self.stopping.wait(CUT_SECONDS / 2):
            here, there = self.random.sample(self.cluster.replicas, 2)
            with here.connect() as connection:
                connection.command("CRDT.LINK", there.name, "down")
                self.stopping.wait(CUT_SECONDS)
                connection.command("CRDT.LINK", there.name, "up")
            self.cuts += 1


def stale_without_tokens(cluster):
    """That the check can fail: without a token, a replica that is cut off shows what is old."""
    first, second = cluster.replicas[0], cluster.replicas[1]
    with first.connect() as here, second.connect() as there:
        for other in cluster.replicas[1:]:
            here.command("CRDT.LINK", other.name, "down")
        here.command("SET", "alone", "new")
        token = here.command("CRDT.TOKEN")
        assert there.command("GET", "alone") is None
        started = time.monotonic()
        try:
            there.command("CRDT.WAIT", token, 200)
            raise AssertionError("it waited for nothing")
        except ReplyError as error:
            assert str(error).startswith("TIMEOUT this replica lacks "), error
        assert 0.19 < time.monotonic() - started < 5
        assert here.command("WAIT", 1, 100) == 0
        there.send("CRDT.WAIT", token, 0)
        for other in cluster.replicas[1:]:
            here.command("CRDT.LINK", other.name, "up")
        assert there.receive() == "OK"
        assert there.command("GET", "alone") == b"new"
        assert here.command("WAIT", 2, 10000) == 2
        info = there.command("INFO", "replication").decode()
        assert int(info.split("read_freshness_ms:")[1].split()[0]) < 5000, info


def main():
    print(f"seed {SEED}", flush=True)
    with Cluster(3) as cluster:
        wait_converged(cluster.replicas, 30)
        stale_without_tokens(cluster)
        sessions = [Session(cluster, number, SEED + number) for number in range(SESSIONS)]
        cutter = Cutter(cluster, SEED)
        started = time.monotonic()
        for thread in [*sessions, cutter]:
            thread.start()
        for session in sessions:
            session.join()
        cutter.stopping.set()
        cutter.join()
        for session in sessions:
            session.close()
            if session.error is not None:
                raise session.error
        seconds = time.monotonic() - started
        wait_converged(cluster.replicas, 60)
        reads = sum(session.reads for session in sessions)
        hops = sum(session.hops for session in sessions)
        print(f"{reads:,} reads in {hops:,} hops, {cutter.cuts} cuts, {seconds:.0f} s: "
              "own writes, no step back, nothing without what it rests on, no half transaction.")


if __name__ == "__main__":
    main()
