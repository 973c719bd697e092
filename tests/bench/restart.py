#!/usr/bin/python3
"""Restarts and memory of a replica with many rows, in one run.

Usage: restart.py [--rows N] [--dir DIRECTORY] [--rounds R]
Fills a replica with N keys of 64-byte values (10^7), then, in each round: stops it (SIGTERM) and
starts it again, and kills it (SIGKILL) while clients write and starts it again. Prints how long
each start took until GET was answered, as medians of the rounds, and the memory of the process
that is not the page cache. The binary is build/release/syncline unless SYNCLINE_BINARY says
otherwise.
"""
import argparse
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/interop"))
os.environ.setdefault("SYNCLINE_BINARY", str(SOURCE / "build/release/syncline"))
from cluster import Replica, free_ports  # noqa: E402

BATCH = 2000
VALUE = "v" * 54


def sets(first, count):
    """`count` SETs as one piece of bytes."""
    return "".join(f"*3\r\n$3\r\nSET\r\n$12\r\nkey:{i:08d}\r\n$64\r\n{i:010d}{VALUE}\r\n"
                   for i in range(first, first + count)).encode()


def write(port, first, count, over=lambda: False):
    """Pipelined SETs until all are acknowledged, or it is over; how many were."""
    done = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while done < count and not over():
            batch = min(BATCH, count - done)
            connection.sendall(sets(first + done, batch))
            left = batch * len(b"+OK\r\n")
            while left > 0:
                got = len(connection.recv(min(left, 1 << 16)))
                if got == 0:
                    return done
                left -= got
            done += batch
    return done


def start(replica):
    """Seconds from the start of the process to the first answered GET."""
    begun = time.monotonic()
    replica.start()
    while True:
        try:
            with replica.connect(60) as connection:
                assert connection.command("GET", "key:00000007") is not None
                return time.monotonic() - begun
        except OSError:
            assert replica.process.poll() is None, replica.log_tail()
            time.sleep(0.01)


def memory_mib(replica):
    """What the process holds that is no page of a file."""
    with open(f"/proc/{replica.process.pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["RssAnon"].split()[0]) / 1024


def kill_under_load(replica, rows):
    """SIGKILL after two seconds of writes to random places."""
    over = threading.Event()

    def load(number):
        try:
            place = number
            while not over.is_set():
                place = (place * 7919 + 13) % (rows - BATCH)
                write(replica.port, place, BATCH, over.is_set)
        except OSError:
            pass  # it was killed

    threads = [threading.Thread(target=load, args=(n,)) for n in range(1, 3)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    replica.process.send_signal(signal.SIGKILL)
    replica.process.wait()
    over.set()
    for thread in threads:
        thread.join()


def main():
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10**7)
    parser.add_argument("--dir", default=None)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        replica = Replica("n1", directory, [], free_ports(1)[0])
        replica.start()
        replica.wait_ready()
        begun = time.monotonic()
        assert write(replica.port, 0, options.rows) == options.rows
        rate = options.rows / (time.monotonic() - begun)
        print(f"{options.rows} rows, {rate:.0f} a second; {memory_mib(replica):.0f} MiB then")
        clean, killed, idle = [], [], []
        for number in range(options.rounds):
            begun = time.monotonic()
            assert replica.stop() == 0
            stopped = time.monotonic() - begun
            clean.append(start(replica))
            idle.append(memory_mib(replica))
            kill_under_load(replica, options.rows)
            killed.append(start(replica))
            print(f"round {number + 1}: stop {stopped:.2f} s, start {clean[-1]:.2f} s, "
                  f"start after kill {killed[-1]:.2f} s; {idle[-1]:.0f} MiB")
        assert replica.stop() == 0
        size = subprocess.run(["du", "-sm", replica.command[5]], capture_output=True, text=True,
                              check=True).stdout.split()[0]
        print(f"start after a clean stop: {statistics.median(clean):.2f} s (2); after a kill: "
              f"{statistics.median(killed):.2f} s (6); memory: {statistics.median(idle):.0f} MiB "
              f"(200) beside the page cache; {size} MiB on disk")


if __name__ == "__main__":
    main()
