#!/usr/bin/python3
"""A new replica beside a new replica of redis-server, in one run: seconds and bytes.

Usage: bootstrap_compare.py [--rows N] [--values random|text] [--rounds R]
Fills both with N keys of 64-byte values (10^6), of noise or of text. Then, in turn, a new replica
joins and is waited for until it answers reads of the last key; of Syncline by a copy, and, with
--copy-rows 0, by a Merkle session: the old one's log does not go back to the beginning. Prints
medians of the rounds: seconds, and bytes from the old replica to the new one for each row, beyond
key and value. The binary is build/release/syncline unless SYNCLINE_BINARY says otherwise.
"""
import argparse
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/interop"))
os.environ.setdefault("SYNCLINE_BINARY", str(SOURCE / "build/release/syncline"))
from cluster import Cluster, Connection, Replica, ReplyError, free_ports  # noqa: E402

BATCH = 2000
KEY_BYTES = len("key:00000000")
VALUE_BYTES = 64


def sets(first, count, values):
    """`count` SETs as one piece of bytes."""
    generator = random.Random(first)
    pieces = []
    for number in range(first, first + count):
        value = (generator.randbytes(VALUE_BYTES) if values == "random"
                 else f'{{"name": "user {number}", "mail": "user.{number}@example.org"}}'
                 .encode().ljust(VALUE_BYTES)[:VALUE_BYTES])
        pieces.append(b"*3\r\n$3\r\nSET\r\n$12\r\nkey:%08d\r\n$64\r\n%b\r\n" % (number, value))
    return b"".join(pieces)


def fill(port, rows, values):
    """Pipelined; waits for each batch."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for first in range(0, rows, BATCH):
            batch = min(BATCH, rows - first)
            connection.sendall(sets(first, batch, values))
            left = batch * len(b"+OK\r\n")
            while left > 0:
                got = len(connection.recv(min(left, 1 << 16)))
                if got == 0:
                    raise SystemExit("the connection ended")
                left -= got


def wait_for(condition, process):
    """Until it holds; seconds."""
    begun = time.monotonic()
    while True:
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with code {process.returncode}")
        try:
            if condition():
                return time.monotonic() - begun
        except (OSError, ReplyError):
            pass
        time.sleep(0.01)


def has(port, rows):
    """Whether all rows are there."""
    with Connection(port, 5) as connection:
        return (connection.command("DBSIZE") == rows
                and connection.command("GET", f"key:{rows - 1:08d}") is not None)


def info(port, name):
    """A figure of INFO."""
    with Connection(port, 5) as connection:
        for line in connection.command("INFO", "everything").decode().splitlines():
            if line.startswith(name + ":"):
                return int(line.split(":")[1])
    raise SystemExit(f"INFO has no {name}")


def join_redis(directory, master, rows):
    """A new replica of redis-server: seconds, bytes."""
    port = free_ports(1)[0]
    home = os.path.join(directory, f"redis-{port}")
    os.mkdir(home)
    before = info(master, "total_net_repl_output_bytes")
    replica = subprocess.Popen(
        ["redis-server", "--port", str(port), "--dir", home, "--save", "", "--appendonly", "yes",
         "--appendfsync", "always", "--replicaof", "127.0.0.1", str(master)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        seconds = wait_for(lambda: has(port, rows), replica)
        return seconds, info(master, "total_net_repl_output_bytes") - before
    finally:
        replica.kill()
        replica.wait()
        shutil.rmtree(home)


def join_syncline(cluster, old, rows, copy_rows):
    """A new replica: seconds, bytes."""
    port, peer_port = free_ports(2)
    name = f"new{port}"
    options = [*old.command[old.command.index("--peer-secret-file"):][:2], "--peer-port",
               str(peer_port), "--peer", f"127.0.0.1:{cluster.peer_port}", "--copy-rows",
               str(copy_rows)]
    replica = Replica(name, cluster.directory, options, port)
    before = info(old.port, "peer_bytes_out")
    replica.start()
    try:
        seconds = wait_for(lambda: has(port, rows), replica.process)
        return seconds, info(old.port, "peer_bytes_out") - before
    finally:
        replica.kill()
        shutil.rmtree(os.path.join(cluster.directory, name))


def report(name, results, rows):
    """Medians of (seconds, bytes)."""
    seconds = statistics.median(one[0] for one in results)
    moved = statistics.median(one[1] for one in results)
    beyond = moved / rows - KEY_BYTES - VALUE_BYTES
    print(f"{name:32} {seconds:8.2f} s {rows / seconds:10.0f} rows/s {moved / 1e6:9.1f} MB"
          f" {beyond:7.1f} bytes a row beyond key and value")
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--values", choices=["random", "text"], default="random")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    results = {"redis": [], "copy": [], "session": []}
    with tempfile.TemporaryDirectory() as directory:
        port = free_ports(1)[0]
        redis = subprocess.Popen(
            ["redis-server", "--port", str(port), "--dir", directory, "--save", "",
             "--appendonly", "no", "--repl-diskless-sync-delay", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cluster = Cluster(2, ["--log-retention-bytes", "1mb"])
        old = cluster.replicas[0]
        cluster.peer_port = int(old.command[old.command.index("--peer-port") + 1])
        try:
            old.start()
            old.wait_ready()
            wait_for(lambda: info(port, "loading") == 0, redis)
            fill(port, options.rows, options.values)
            fill(old.port, options.rows, options.values)
            for _ in range(options.rounds):
                results["redis"].append(join_redis(directory, port, options.rows))
                results["copy"].append(join_syncline(cluster, old, options.rows, 1000))
                results["session"].append(join_syncline(cluster, old, options.rows, 0))
        finally:
            redis.kill()
            redis.wait()
            cluster.__exit__(None, None, None)
    print(f"{options.rows} rows of {KEY_BYTES} + {VALUE_BYTES} bytes, {options.values}")
    theirs = report("redis-server, full resync", results["redis"], options.rows)
    ours = report("syncline, copy", results["copy"], options.rows)
    report("syncline, Merkle session", results["session"], options.rows)
    print(f"copy beside redis: {theirs / ours:.2f} times as fast")


if __name__ == "__main__":
    main()
