#!/usr/bin/python3
"""Throughput beside redis-server with appendfsync always, in one run, as ratios.

Usage: redis_compare.py [--requests N] [--clients C] [--rounds R]
Both servers run on this machine with the load generator (redis-benchmark); rounds alternate, and
medians are compared. The binary is build/release/syncline unless SYNCLINE_BINARY says otherwise.
"""
import argparse
import csv
import io
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS = ["set", "get", "incr", "sadd"]
SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/interop"))
from cluster import free_ports  # noqa: E402


def wait_for(port, process):
    for _ in range(500):
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with code {process.returncode}")
        ping = subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True,
                              text=True)
        if ping.stdout.strip() == "PONG":
            return
        time.sleep(0.02)
    raise SystemExit(f"{process.args[0]} does not answer on port {port}")


def start(arguments, directory):
    return subprocess.Popen(arguments, cwd=directory, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def measure(port, requests, clients, pipeline):
    """Requests a second by command."""
    out = subprocess.run(
        ["redis-benchmark", "-p", str(port), "-t", ",".join(COMMANDS), "-n", str(requests),
         "-c", str(clients), "-P", str(pipeline), "-d", "64", "-r", "100000", "--csv"],
        capture_output=True, text=True, check=True).stdout
    rows = csv.DictReader(io.StringIO(out))
    return {row["test"].lower(): float(row["rps"]) for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=40000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    binary = os.environ.get("SYNCLINE_BINARY", str(SOURCE / "build/release/syncline"))
    with tempfile.TemporaryDirectory() as directory:
        ports = dict(zip(("redis", "syncline"), free_ports(2)))
        processes = [
            start(["redis-server", "--port", str(ports["redis"]), "--appendonly", "yes",
                   "--appendfsync", "always", "--save", ""], directory),
            start([binary, "serve", "--data", directory + "/data", "--port",
                   str(ports["syncline"]), "--http-port", "off"], directory),
        ]
        try:
            for port, process in zip(ports.values(), processes):
                wait_for(port, process)
            print(f"{options.clients} clients, {options.requests} requests of 64 bytes a round, "
                  f"medians of {options.rounds} rounds")
            print(f"{'command':8} {'pipeline':>8} {'redis/s':>10} {'syncline/s':>10} {'ratio':>6}")
            for pipeline in (1, 16):
                requests = options.requests * (4 if pipeline > 1 else 1)
                rounds = {name: [] for name in ports}
                for _ in range(options.rounds):
                    for name, port in ports.items():
                        rounds[name].append(measure(port, requests, options.clients, pipeline))
                for command in COMMANDS:
                    medians = {name: statistics.median(one[command] for one in rounds[name])
                               for name in ports}
                    print(f"{command:8} {pipeline:8} {medians['redis']:10.0f} "
                          f"{medians['syncline']:10.0f} "
                          f"{medians['syncline'] / medians['redis']:6.2f}")
        finally:
            for process in processes:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
