#!/usr/bin/python3
"""What replication and repair move, beside redis-server with the same data, in one run: bytes and
seconds.

Usage: repair_compare.py [--rows N] [--values random|text] [--rounds R]
Fills both with N keys of 64-byte values (10^6), of noise or of text. Then, for each of the two:
  new      a new replica joins, R times; of Syncline by a copy, and, with --copy-rows 0, by a Merkle
           session: the old one's log does not go back to the beginning.
  stream   100,000 more SETs, 2,000 at a time, and 5,000 one by one, with a replica attached.
  away     the replica is stopped, d keys are written again and again, far more often than log or
           backlog hold, and it comes back: Syncline repairs by a session, redis-server sends all.
A replica is waited for until it answers reads with the last value. Bytes are those from the old
replica to the other one; Syncline's without compression of messages when values are noise. The
binary is build/release/syncline unless SYNCLINE_BINARY says otherwise.
"""
import argparse
import os
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/interop"))
os.environ.setdefault("SYNCLINE_BINARY", str(SOURCE / "build/release/syncline"))
from cluster import Replica, ReplyError, free_ports, write_secret  # noqa: E402

BATCH = 2000
KEY_BYTES = len("key:00000000")
VALUE_BYTES = 64
STREAMED = {2000: 100000, 1: 5000}  # at a time: in all
AWAY_WRITES = 200000
AWAY_KEYS = (1, 1000, 10000, 100000)
COPY_ROWS = 1000
WAIT_SECONDS = 300


def value_of(generator, values):
    """A value of noise or of text."""
    if values == "random":
        return generator.randbytes(VALUE_BYTES)
    user = generator.randrange(10**6)
    return (f'{{"name": "user {user}", "mail": "user.{user}@example.org"}}'
            .encode().ljust(VALUE_BYTES)[:VALUE_BYTES])


class Side:
    """An old replica and what joins it."""

    def __init__(self, old, values):
        self.old = old
        self.values = values
        self.generator = random.Random(1)
        self.marks = 0
        self.others = []

    def start(self):
        """The old one, until it answers."""
        self.old.start()
        wait_for(lambda: figure(self.old, "loading") == 0, self.old)

    def write(self, numbers, batch=BATCH):
        """SETs of these keys, so many at a time."""
        numbers = list(numbers)
        with self.old.connect(WAIT_SECONDS) as connection:
            for first in range(0, len(numbers), batch):
                part = numbers[first:first + batch]
                connection.socket.sendall(b"".join(
                    b"*3\r\n$3\r\nSET\r\n$12\r\nkey:%08d\r\n$64\r\n%b\r\n"
                    % (number, value_of(self.generator, self.values)) for number in part))
                for _ in part:
                    connection.receive()

    def mark(self):
        """One write more, which is the last."""
        self.marks += 1
        with self.old.connect() as connection:
            connection.command("SET", "mark", self.marks)

    def wait_for_mark(self, replica):
        """Until the other one shows it; seconds."""
        def there():
            with replica.connect(5) as connection:
                return connection.command("GET", "mark") == str(self.marks).encode()
        return wait_for(there, replica)

    def moved(self, replica, what):
        """Does something that makes the replica equal: seconds, bytes."""
        before = figure(self.old, self.bytes_figure)
        what()
        seconds = self.wait_for_mark(replica)
        return seconds, figure(self.old, self.bytes_figure) - before

    def stream(self, replica, rows, batch):
        """Bytes for each SET beyond key and value."""
        count = STREAMED[batch]

        def more():
            self.write((self.generator.randrange(rows) for _ in range(count)), batch)
            self.mark()
        return self.moved(replica, more)[1] / count - KEY_BYTES - VALUE_BYTES

    def away(self, replica, keys):
        """Seconds, bytes."""
        replica.stop()
        gone = figure(self.old, self.end_figure)
        while figure(self.old, self.begin_figure) <= gone:
            self.write(number % keys for number in range(AWAY_WRITES))
        self.mark()
        return self.moved(replica, replica.start)

    def new(self, **how):
        """A new replica; not started."""
        self.others.append(self.replica(**how))
        return self.others[-1]

    def end(self, replica):
        """Kills it, and removes what it has."""
        self.others.remove(replica)
        replica.kill()
        shutil.rmtree(os.path.join(os.path.dirname(replica.log_path), replica.name))

    def close(self):
        """Ends what still runs."""
        for replica in [self.old, *self.others]:
            if replica.process is not None and replica.process.poll() is None:
                replica.kill()


class SynclineSide(Side):
    """Replicas of Syncline."""
    bytes_figure = "peer_bytes_out"
    begin_figure = "log_base"  # of what the log still has; what checkpoints have is cut off
    end_figure = "log_end"

    def __init__(self, directory, values):
        self.directory = directory
        self.options = ["--peer-secret-file", write_secret(directory), "--log-retention-bytes",
                        "1mb", "--peer-compression", "no" if values == "random" else "yes"]
        port, self.peer_port = free_ports(2)
        super().__init__(Replica("old", directory, [
            *self.options, "--peer-port", str(self.peer_port), "--init"], port), values)

    def replica(self, copy_rows=COPY_ROWS):
        """A new one; not started."""
        port, peer_port = free_ports(2)
        return Replica(f"new{port}", self.directory, [
            *self.options, "--peer-port", str(peer_port), "--peer", f"127.0.0.1:{self.peer_port}",
            "--copy-rows", str(copy_rows)], port)


class RedisServer(Replica):
    """A redis-server with files."""

    def __init__(self, name, directory, options):
        super().__init__(name, directory, [], free_ports(1)[0])
        os.mkdir(os.path.join(directory, name))
        self.command = ["redis-server", "--port", str(self.port), "--dir",
                        os.path.join(directory, name), "--save", "", *options]


class RedisSide(Side):
    """Replicas of redis-server."""
    bytes_figure = "total_net_repl_output_bytes"
    begin_figure = "repl_backlog_first_byte_offset"
    end_figure = "master_repl_offset"

    def __init__(self, directory, values):
        self.directory = directory
        super().__init__(RedisServer("redis", directory, [
            "--appendonly", "no", "--repl-diskless-sync-delay", "0"]), values)
        self.number = 0

    def replica(self):
        """A new one; not started."""
        self.number += 1
        return RedisServer(f"redis{self.number}", self.directory, [
            "--appendonly", "yes", "--appendfsync", "always",
            "--replicaof", "127.0.0.1", str(self.old.port)])


def wait_for(condition, replica):
    """Until it holds; seconds."""
    begun = time.monotonic()
    while time.monotonic() - begun < WAIT_SECONDS:
        if replica.process.poll() is not None:
            raise SystemExit(f"{replica.command[0]} ended with {replica.process.returncode}:\n"
                             + replica.log_tail())
        try:
            if condition():
                return time.monotonic() - begun
        except (OSError, ReplyError, KeyError):
            pass
        time.sleep(0.01)
    raise SystemExit(f"{replica.name} is not there after {WAIT_SECONDS} s:\n" + replica.log_tail())


def figure(replica, name):
    """A number of INFO."""
    return int(replica.info("everything")[name])


def line(name, *columns):
    """Of a table."""
    print(f"{name:36}" + "".join(f"{column:>16}" for column in columns), flush=True)


def joins(side, rounds, **how):
    """New replicas: medians of seconds and bytes; the last one stays."""
    results = []
    for number in range(rounds):
        if number > 0:
            side.end(replica)
        side.mark()
        replica = side.new(**how)
        results.append(side.moved(replica, replica.start))
    return replica, [statistics.median(column) for column in zip(*results)]


def compare(ours, theirs, rows, rounds):
    """All of it, as a table."""
    for side in (theirs, ours):
        side.write(range(rows))
    line(f"{rows} rows of {KEY_BYTES} + {VALUE_BYTES} bytes", "syncline", "redis-server", "ratio")
    session, (session_seconds, session_bytes) = joins(ours, rounds, copy_rows=0)
    ours.end(session)
    copy, (copy_seconds, copy_bytes) = joins(ours, rounds)
    redis, (redis_seconds, redis_bytes) = joins(theirs, rounds)
    each = [moved / rows for moved in (copy_bytes, session_bytes, redis_bytes)]
    line("new, by a copy: seconds", f"{copy_seconds:.2f}", f"{redis_seconds:.2f}",
         f"{copy_seconds / redis_seconds:.2f}")
    line("  bytes a row", f"{each[0]:.1f}", f"{each[2]:.1f}", f"{each[0] / each[2]:.2f}")
    line("new, by a Merkle session: seconds", f"{session_seconds:.2f}", "",
         f"{session_seconds / redis_seconds:.2f}")
    line("  bytes a row", f"{each[1]:.1f}", "", f"{each[1] / each[2]:.2f}")
    for batch in STREAMED:
        our_bytes = ours.stream(copy, rows, batch)
        their_bytes = theirs.stream(redis, rows, batch)
        line(f"SETs, {batch} at a time")
        line("  bytes of one beyond key and value", f"{our_bytes:.1f}", f"{their_bytes:.1f}",
             f"{our_bytes / their_bytes:.2f}")
    for keys in AWAY_KEYS:
        if keys > rows:
            break
        our_seconds, our_bytes = ours.away(copy, keys)
        metadata = figure(copy, "session_metadata_bytes")
        their_seconds, their_bytes = theirs.away(redis, keys)
        line(f"away, {keys} rows differ: seconds", f"{our_seconds:.2f}", f"{their_seconds:.2f}",
             f"{our_seconds / their_seconds:.2f}")
        line("  bytes", our_bytes, their_bytes, f"{our_bytes / their_bytes:.4f}")
        line("  of these beside rows, a row", f"{metadata / keys:.1f}")
    for side, replica in ((ours, copy), (theirs, redis)):
        side.end(replica)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--values", choices=["random", "text"], default="random")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sides = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            for kind in (SynclineSide, RedisSide):
                sides.append(kind(directory, options.values))
                sides[-1].start()
            compare(*sides, options.rows, options.rounds)
        finally:
            for side in sides:
                side.close()


if __name__ == "__main__":
    main()
