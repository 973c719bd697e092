#!/usr/bin/python3
"""The Python module beside python3-lmdb, and beside python3-redis with redis-server, as ratios.

Usage: python_compare.py [--keys N] [--rounds R]
The server syncs each write, as the two others do. Values have 100 bytes. `get` reads one key a
call; `put` makes one durable write a call; `batch` makes 1,000 at a time durable (a transaction, a
pipelined MULTI). Rounds take turns, medians are compared; above 1 Syncline is faster. The module is
that of build/release, or of the build with the binary SYNCLINE_BINARY. Debian: python3-lmdb.
"""
import argparse
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SYNCLINE_BINARY", SOURCE / "build/release/syncline"))
sys.path[:0] = [str(SOURCE / "tests/interop"), str(BINARY.parent / "python")]
import lmdb  # noqa: E402
import redis  # noqa: E402
import syncline  # noqa: E402
from cluster import free_ports  # noqa: E402

VALUE = "v" * 100
BATCH = 1000
PUTS = 300


class Syncline:
    """An embedded database, without a network."""

    def __init__(self, directory):
        self.db = syncline.open(directory + "/syncline")

    def get(self, key):
        return self.db.string(key).get()

    def put(self, key):
        self.db.string(key).set(VALUE)

    def batch(self, keys):
        with self.db.batch() as batch:
            for key in keys:
                batch.string(key).set(VALUE)

    def close(self):
        self.db.close()


class Lmdb:
    """As its users use it: one transaction a call, synced."""

    def __init__(self, directory):
        self.env = lmdb.open(directory + "/lmdb", map_size=1 << 30)

    def get(self, key):
        with self.env.begin() as transaction:
            return transaction.get(key.encode()).decode()

    def put(self, key):
        self.batch([key])

    def batch(self, keys):
        with self.env.begin(write=True) as transaction:
            for key in keys:
                transaction.put(key.encode(), VALUE.encode())

    def close(self):
        self.env.close()


class Redis:
    """A server with appendfsync always, and one client."""

    def __init__(self, directory):
        port = free_ports(1)[0]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--appendonly", "yes", "--appendfsync", "always",
             "--save", ""], cwd=directory, stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=port, decode_responses=True)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.ping()
                break
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def get(self, key):
        return self.client.get(key)

    def put(self, key):
        self.client.set(key, VALUE)

    def batch(self, keys):
        with self.client.pipeline(transaction=True) as pipeline:
            for key in keys:
                pipeline.set(key, VALUE)
            pipeline.execute()

    def close(self):
        self.client.close()
        self.process.terminate()
        self.process.wait()


def rate(operation, items, each=1):
    """Keys a second."""
    start = time.perf_counter()
    for item in items:
        operation(item)
    return len(items) * each / (time.perf_counter() - start)


def measure(store, keys, chance):
    """One round: operation -> keys a second."""
    batches = [chance.sample(keys, BATCH) for _ in range(max(1, len(keys) // BATCH // 4))]
    return {"batch": rate(store.batch, batches, BATCH),
            "get": rate(store.get, chance.sample(keys, len(keys))),
            "put": rate(store.put, chance.sample(keys, PUTS))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.keys < BATCH or options.rounds < 1:
        parser.error(f"--keys must be {BATCH} or more, --rounds 1 or more")
    keys = [f"key:{number}" for number in range(options.keys)]
    chance = random.Random(1)
    stores = {}
    with tempfile.TemporaryDirectory() as directory:
        try:
            for kind in (Syncline, Lmdb, Redis):
                store = stores[kind.__name__] = kind(directory)
                for first in range(0, len(keys), BATCH):
                    store.batch(keys[first:first + BATCH])
                assert store.get(keys[-1]) == VALUE
            rounds = {name: [] for name in stores}
            for _ in range(options.rounds):
                for name, store in stores.items():
                    rounds[name].append(measure(store, keys, chance))
        finally:
            for store in stores.values():
                store.close()
    print(f"{options.keys} keys, values of {len(VALUE)} bytes, medians of {options.rounds} rounds, "
          "keys a second")
    print(f"{'':6} {'syncline':>9} {'lmdb':>9} {'redis':>9} {'to lmdb':>8} {'to redis':>9}")
    for operation in ("get", "batch", "put"):
        ours, lmdbs, rediss = (statistics.median(one[operation] for one in rounds[name])
                               for name in stores)
        print(f"{operation:6} {ours:9.0f} {lmdbs:9.0f} {rediss:9.0f} {ours / lmdbs:8.2f} "
              f"{ours / rediss:9.2f}")


if __name__ == "__main__":
    main()
