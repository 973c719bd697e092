#!/usr/bin/python3
"""How long until a write is seen elsewhere, at half of the load that a replica takes. (What it
costs in bytes: repair_compare.py.)

Usage: replication.py [--seconds S] [--rounds R]
Three replicas; clients write random 64-byte values to one of them, pipelined.
  peak    acknowledged writes a second, for S seconds in each of R rounds.
  lag     at half of that: from the reply of a write at the first replica until it can be read at
          the last one (CRDT.TOKEN, CRDT.WAIT), of some 100 probes a second. One trip from the
          probing client to the last replica and back is in it.
The binary is build/release/syncline unless SYNCLINE_BINARY says otherwise.
"""
import argparse
import multiprocessing
import os
import pathlib
import random
import statistics
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/interop"))
os.environ.setdefault("SYNCLINE_BINARY", str(SOURCE / "build/release/syncline"))
from cluster import Cluster, wait_converged  # noqa: E402

VALUE_BYTES = 64
DONE = b"+OK\r\n"
KEYS = 100000
BATCH = 50
CONNECTIONS = 4
PROBE_SECONDS = 0.01


def sets(generator):
    """SETs of random keys, as one piece of bytes."""
    return b"".join(b"*3\r\n$3\r\nSET\r\n$12\r\nkey:%08d\r\n$64\r\n%b\r\n"
                    % (generator.randrange(KEYS), generator.randbytes(VALUE_BYTES))
                    for _ in range(BATCH))


def exchange(connection, batch):
    """Sends a batch and waits for its replies."""
    connection.socket.sendall(batch)
    replies = connection.file.read(BATCH * len(DONE))
    if replies != DONE * BATCH:
        raise RuntimeError(f"a write was refused: {replies[:200]!r}")


class Load(multiprocessing.Process):
    """One connection's writes, as fast as they are acknowledged or at a rate; a process of its own,
    so that it takes no time from who probes."""

    def __init__(self, replica, seed, rate=None):
        super().__init__()
        self.replica = replica
        self.seed = seed
        self.rate = rate
        self.stopping = multiprocessing.Event()
        self.count = multiprocessing.Value("q", 0)

    def run(self):
        generator = random.Random(self.seed)
        batches = [sets(generator) for _ in range(200)]
        with self.replica.connect() as connection:
            start = time.monotonic()
            count = 0
            while not self.stopping.is_set():
                if self.rate is not None:
                    ahead = count / self.rate - (time.monotonic() - start)
                    if ahead > 0:
                        time.sleep(ahead)
                exchange(connection, batches[count // BATCH % len(batches)])
                count += BATCH
            self.count.value = count


def loads(cluster, rate=None):
    """Those of all connections, begun."""
    each = None if rate is None else rate / CONNECTIONS
    writers = [Load(cluster.replicas[0], seed, each) for seed in range(CONNECTIONS)]
    for writer in writers:
        writer.start()
    return writers


def finish(writers):
    """Ends them; how many were acknowledged."""
    for writer in writers:
        writer.stopping.set()
    for writer in writers:
        writer.join()
        if writer.exitcode != 0:
            raise RuntimeError("a writer failed")
    return sum(writer.count.value for writer in writers)


def peak(cluster, seconds):
    """Acknowledged writes a second."""
    begin = time.monotonic()
    writers = loads(cluster)
    time.sleep(seconds)
    count = finish(writers)
    rate = count / (time.monotonic() - begin)
    wait_converged(cluster.replicas, 120)
    return rate


def lags(cluster, seconds):
    """Milliseconds from a reply at the first replica until the last one shows the write."""
    found = []
    with cluster.replicas[0].connect() as writer, cluster.replicas[-1].connect() as reader:
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            number += 1
            writer.send("SET", "probe", number)
            writer.send("CRDT.TOKEN")
            writer.receive()
            written = time.monotonic()
            reader.send("CRDT.WAIT", writer.receive(), 10000)
            reader.send("GET", "probe")
            reader.receive()
            assert int(reader.receive()) == number
            found.append(1000 * (time.monotonic() - written))
            time.sleep(PROBE_SECONDS)
    return sorted(found)


def main():
    """Prints all of it."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Cluster(3, ["--peer-compression", "no"]) as cluster:
        rates = [peak(cluster, options.seconds) for _ in range(options.rounds)]
        rate = statistics.median(rates)
        print(f"peak: {rate:.0f} acknowledged writes a second at one of three replicas", flush=True)
        for label, load in (("idle", None), ("half of it", rate / 2)):
            for _ in range(options.rounds):
                writers = [] if load is None else loads(cluster, load)
                found = lags(cluster, options.seconds)
                reached = finish(writers) / options.seconds
                print(f"lag, {label}: p50 {found[len(found) // 2]:.2f} ms, p99 "
                      f"{found[len(found) * 99 // 100]:.2f} ms, most {found[-1]:.2f} ms of "
                      f"{len(found)} probes at {reached:.0f} writes a second", flush=True)


if __name__ == "__main__":
    main()
