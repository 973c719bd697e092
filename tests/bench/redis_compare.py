#!/usr/bin/python3
"""Throughput beside redis-server, in one run, as ratios.

Usage: redis_compare.py [--keys N] [--requests N] [--clients C] [--rounds R] [PART ...]
Both servers run on this machine with the load generator (redis-benchmark); rounds alternate, and
medians are compared. Values have 64 bytes, keys are drawn out of N. Parts, all unless some are
named:
  durable   writes that are synced before they are answered: beside appendfsync always
  interval  writes that are synced once a second: beside appendfsync everysec
  reads     of a first fill, when both have written to disk what they write in the background
  replicas  durable writes with two replicas attached, which nobody waits for
  latency   the time in which 99 of 100 durable SETs are answered, at half of the load that the
            slower of the two takes (bench_paced_load beside the binary, or SYNCLINE_PACED_LOAD)
  memory    resident with some N strings of 64 bytes (goal and floor are for 10^7)
The first four without pipelining, and by 16. The goals and floors are those that the project has
set itself.
Behind each ratio: [+] at the goal, [=] at the floor, [-] below. At the end the resident memory of
both servers with N keys. The binary is build/release/syncline unless SYNCLINE_BINARY says
otherwise.
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

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/interop"))
os.environ.setdefault("SYNCLINE_BINARY", str(SOURCE / "build/release/syncline"))
from cluster import Cluster, free_ports, resident_bytes  # noqa: E402

WRITES = ["set", "incr", "sadd", "hset", "zadd", "lpush"]
# Of redis-benchmark's own, and requests for what it has none for.
READS = {"get": ["-t", "get"], "hget": ["hget", "myhash", "element:__rand_int__"],
         "sismember": ["sismember", "myset", "element:__rand_int__"]}
SINGLE = {name: ["-t", name] for name in WRITES}
# Goal and floor by pipeline.
TARGETS = {"durable": {1: (1.5, 1.0), 16: (1.0, 0.7)}, "interval": {1: (1.0, 0.8), 16: (0.8, 0.5)},
           "reads": {1: (1.0, 0.9), 16: (0.8, 0.6)}, "replicas": {1: (1.0, 0.8), 16: (1.0, 0.8)}}
PARTS = [*TARGETS, "latency", "memory"]
LATENCY_MAX = (1.0, 1.5)
MEMORY_MAX = (0.2, 0.5)
PACED_SECONDS = 5
PACED_LOAD = os.environ.get("SYNCLINE_PACED_LOAD", os.path.join(
    os.path.dirname(os.environ["SYNCLINE_BINARY"]), "tests/bench_paced_load"))


class Redis:
    """redis-server, and as many that follow it."""

    def __init__(self, directory, fsync, followers):
        self.ports = free_ports(1 + followers)
        self.processes = []
        for index, port in enumerate(self.ports):
            folder = os.path.join(directory, f"redis-{fsync}-{index}")
            os.mkdir(folder)
            follow = ["--replicaof", "127.0.0.1", str(self.ports[0])] if index else []
            with open(os.path.join(folder, "log"), "wb") as log:
                self.processes.append(subprocess.Popen(
                    ["redis-server", "--port", str(port), "--appendonly", "yes", "--appendfsync",
                     fsync, "--save", "", "--dir", folder, *follow], stdout=log, stderr=log))
        self.port, self.process = self.ports[0], self.processes[0]
        for port in self.ports:
            wait_for(port, self.process)

    def settle(self):
        """Waits for a rewrite of the append-only file to end."""
        wait_until(lambda: b"rewrite_in_progress:1" not in self.info() and
                   b"rewrite_scheduled:1" not in self.info())

    def info(self):
        return subprocess.run(["redis-cli", "-p", str(self.port), "info", "persistence"],
                              capture_output=True, check=True).stdout

    def close(self):
        for process in self.processes:
            process.terminate()
            process.wait()


class Syncline:
    """A replica, and as many peers of it."""

    def __init__(self, durability, peers):
        self.cluster = Cluster(1 + peers, ["--durability", durability])
        self.cluster.__enter__()
        self.port = self.cluster.replicas[0].port
        self.process = self.cluster.replicas[0].process

    def settle(self):
        """Waits until a checkpoint has everything."""
        wait_until(lambda: self.cluster.replicas[0].info("memory")["overlay_bytes"] == "0")

    def close(self):
        self.cluster.__exit__(None, None, None)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("a server goes on writing in the background")
        time.sleep(0.2)


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


def measure(server, options, request, pipeline, requests):
    """Requests a second."""
    out = subprocess.run(
        ["redis-benchmark", "-p", str(server.port), "-n", str(requests), "-c",
         str(options.clients), "-P", str(pipeline), "-d", "64", "-r", str(options.keys), "--csv",
         *request], capture_output=True, text=True, check=True).stdout
    row, = csv.DictReader(io.StringIO(out))
    return float(row["rps"])


def fill(server, options, names=("set", "hset", "sadd")):
    """All keys, and one hash and one set as large."""
    for name in names:
        measure(server, options, SINGLE[name], 100, options.keys)
    server.settle()


def compare_memory(servers, options):
    sizes = {}
    for label, server in servers.items():
        # Of keys drawn N times a third is never drawn, of 3 N a twentieth.
        for _ in range(3):
            fill(server, options, ("set",))
        sizes[label] = (resident_bytes(server.process), own_bytes(server.process))
    (theirs, _), (ours, own) = sizes["redis"], sizes["syncline"]
    goal, floor = MEMORY_MAX
    ratio = ours / theirs
    mark = mark_of(ratio, goal, floor)
    print(f"memory    95 % of {options.keys} keys: redis {theirs >> 20} MiB, syncline "
          f"{ours >> 20} MiB, of which {own >> 20} are its own and the others pages of its file "
          f"that the kernel may take back: {ratio:.2f} [{mark}], without these "
          f"{own / theirs:.2f}  goal {goal}, floor {floor}", flush=True)


def own_bytes(process):
    """Resident, and in no file."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def mark_of(ratio, goal, floor):
    """At the goal, at the floor, or below; where the goal is the smaller one, less is better."""
    sign = 1 if goal > floor else -1
    if sign * ratio >= sign * goal:
        return "+"
    return "=" if sign * ratio >= sign * floor else "-"


def compare(part, servers, options, requests_of):
    """One table of a part."""
    for pipeline in (1, 16):
        goal, floor = TARGETS[part][pipeline]
        requests = options.requests * (4 if pipeline > 1 else 1)
        for name, request in requests_of.items():
            rounds = {label: [] for label in servers}
            for _ in range(options.rounds):
                for label, server in servers.items():
                    rounds[label].append(measure(server, options, request, pipeline, requests))
            ratios = [ours / theirs for ours, theirs in zip(rounds["syncline"], rounds["redis"])]
            ratio = statistics.median(ratios)
            mark = mark_of(ratio, goal, floor)
            print(f"{part:9} {name:10} {pipeline:8} {statistics.median(rounds['redis']):10.0f} "
                  f"{statistics.median(rounds['syncline']):10.0f} {ratio:6.2f} [{mark}]  "
                  f"goal {goal}, floor {floor}", flush=True)


def compare_latency(servers, options):
    peaks = {label: [] for label in servers}
    for _ in range(options.rounds):
        for label, server in servers.items():
            peaks[label].append(measure(server, options, SINGLE["set"], 1, options.requests))
    rate = min(statistics.median(rounds) for rounds in peaks.values()) / 2
    quantiles = {label: [] for label in servers}
    for _ in range(options.rounds):
        for label, server in servers.items():
            line = subprocess.run(
                [PACED_LOAD, str(server.port), str(rate), "--seconds", str(PACED_SECONDS),
                 "--clients", str(options.clients), "--keys", str(options.keys)],
                capture_output=True, text=True, check=True).stdout
            quantiles[label].append([float(word) for word in line.split()])
    goal, floor = LATENCY_MAX
    for name, place in (("p50", 1), ("p99", 2), ("p99.9", 3)):
        medians = {label: statistics.median(line[place] for line in lines)
                   for label, lines in quantiles.items()}
        ratio = statistics.median(ours[place] / theirs[place] for ours, theirs in
                                  zip(quantiles["syncline"], quantiles["redis"]))
        told = f"[{mark_of(ratio, goal, floor)}]  goal {goal}, floor {floor}"
        print(f"latency   {name:6} us at {rate:6.0f}/s {medians['redis']:8.0f} "
              f"{medians['syncline']:10.0f} {ratio:6.2f} {told if name == 'p99' else ''}",
              flush=True)


def run(part, directory, options):
    fsync = "everysec" if part in ("interval", "reads", "memory") else "always"
    durability = "interval" if fsync == "everysec" else "always"
    attached = 2 if part == "replicas" else 0
    servers = {"redis": Redis(os.path.join(directory, part), fsync, attached)}
    try:
        servers["syncline"] = Syncline(durability, attached)
        if part == "reads":
            for server in servers.values():
                fill(server, options)
            sizes = {label: resident_bytes(server.process) for label, server in servers.items()}
            print(f"memory    {options.keys} keys: redis {sizes['redis'] >> 20} MiB, syncline "
                  f"{sizes['syncline'] >> 20} MiB resident, "
                  f"{sizes['syncline'] / sizes['redis']:.2f} of it (pages of the map are the "
                  "kernel's to take back)", flush=True)
        if part == "latency":
            compare_latency(servers, options)
        elif part == "memory":
            compare_memory(servers, options)
        else:
            compare(part, servers, options, READS if part == "reads" else SINGLE)
    finally:
        for server in servers.values():
            server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--requests", type=int, default=40000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []],
                        default=PARTS)
    options = parser.parse_args()
    print(f"{options.clients} clients, {options.requests} requests of 64 bytes a round (four times "
          f"that by 16), medians of {options.rounds} pairs")
    print(f"{'part':9} {'command':10} {'pipeline':>8} {'redis/s':>10} {'syncline/s':>10} ratio",
          flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for part in options.parts:
            os.mkdir(os.path.join(directory, part))
            run(part, directory, options)


if __name__ == "__main__":
    main()
