"""A replica is stopped, and another one is written to as fast as it takes it: its memory must stay
as it is, however long that lasts. When the stopped one goes on, it gets all of it.

Usage: frozen_test.py [SECONDS], SYNCLINE_SECONDS, else 8.
"""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Cluster, wait_converged  # noqa: E402

KEYS = 20000
VALUE_BYTES = 200
BATCH = 50
CONNECTIONS = 4
# A log that the stopped one soon falls off, as it would after a day.
OPTIONS = ["--log-retention-bytes", "8mb"]
GROWTH_BYTES_MAX = 24 << 20
CONVERGE_SECONDS = 120


class Load(threading.Thread):
    """One connection's writes, as fast as they are acknowledged."""

    def __init__(self, replica, seed):
        super().__init__(daemon=True)
        self.replica = replica
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.count = 0
        self.error = None

    def run(self):
        try:
            with self.replica.connect(60) as connection:
                while not self.over.is_set():
                    for _ in range(BATCH):
                        connection.send("SET", f"key:{self.random.randrange(KEYS)}",
                                        self.random.randbytes(VALUE_BYTES))
                    for _ in range(BATCH):
                        assert connection.receive() == "OK"
                    self.count += BATCH
        except Exception as error:  # told by main
            self.error = error


def watch(replica, seconds):
    """The most that its heap held in this time, in bytes."""
    most = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, int(replica.info("memory")["used_memory"]))
        time.sleep(0.1)
    return most


def main():
    seconds = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SYNCLINE_SECONDS", "8"))
    with Cluster(3, OPTIONS) as cluster:
        writer, frozen = cluster.replicas[0], cluster.replicas[2]
        wait_converged(cluster.replicas, CONVERGE_SECONDS)
        loads = [Load(writer, seed) for seed in range(CONNECTIONS)]
        for load in loads:
            load.start()
        before = watch(writer, max(4, seconds / 4))
        frozen.process.send_signal(signal.SIGSTOP)
        first, *parts = [watch(writer, seconds / 4) for _ in range(4)]
        frozen.process.send_signal(signal.SIGCONT)
        for load in loads:
            load.over.set()
        for load in loads:
            load.join()
            assert load.error is None, load.error
        took = wait_converged(cluster.replicas, CONVERGE_SECONDS)
        count = sum(load.count for load in loads)
        mib = [f"{most / (1 << 20):.1f}" for most in (before, first, *parts)]
        print(f"{count} writes of {VALUE_BYTES} bytes; the heap held {mib[0]} MiB at most before, "
              f"{', '.join(mib[1:])} MiB in the quarters of {seconds} s with a stopped peer, which "
              f"agreed {took:.1f} s after it went on")
        for most in (first, *parts):
            assert most < before + GROWTH_BYTES_MAX, f"{mib}"


if __name__ == "__main__":
    main()
