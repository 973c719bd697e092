"""Client programs that others wrote, against one replica: hiredis, node-redis and ioredis (both
protocols where they speak both), redis-cli's ways to watch a server, and Prometheus's exporter for
Redis. The programs run against redis-server first, which shows that they ask nothing special.

hiredis and the exporter are Debian's. Clients for Node come from npm, in versions for Node 18 and,
where Node is newer, today's as well; without node and npm that part says why it is skipped.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from cluster import Cluster, RedisServer, free_ports

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
STEP_SECONDS = 120
# Program, package, version, protocols, oldest Node.
NODE_CLIENTS = [
    ("node_redis.mjs", "redis", "4.7.0", [2], 18),
    ("node_redis.mjs", "redis", "6.3.1", [2, 3], 20),
    ("ioredis.mjs", "ioredis", "5.4.1", [2], 18),
    ("ioredis.mjs", "ioredis", "6.0.0", [2, 3], 20),
]


def run(*command):
    """Standard output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=STEP_SECONDS,
                          check=False)
    assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout


def hiredis(directory, ports):
    """Replies, pipelines, transactions, subscriptions."""
    program = os.path.join(directory, "hiredis_client")
    run("cc", "-std=c99", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", program,
        os.path.join(CLIENTS, "hiredis_client.c"), "-lhiredis")
    for port in ports:
        run(program, str(port))


def node_clients(directory, ports):
    """The same for clients of Node, each version in a folder of its own."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("skipped: node-redis and ioredis, for want of node and npm")
        return
    newest = int(re.match(r"v(\d+)", run(node, "--version"))[1])
    for program, package, version, protocols, oldest in NODE_CLIENTS:
        name = f"{package}@{version}"
        if newest < oldest:
            print(f"skipped: {name} wants Node {oldest}, this is {newest}")
            continue
        folder = os.path.join(directory, name)
        os.mkdir(folder)
        installed = subprocess.run(
            [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder,
             name], capture_output=True, text=True, timeout=STEP_SECONDS, check=False)
        if installed.returncode != 0:
            print(f"skipped: npm does not give {name}: {installed.stderr.strip()[-200:]}")
            continue
        shutil.copy(os.path.join(CLIENTS, program), folder)
        for protocol in protocols:
            for port in ports:
                run(node, os.path.join(folder, program), str(port), str(protocol))
                run("redis-cli", "-p", str(port), "FLUSHALL")
            print(f"{name}, protocol {protocol}: as with redis-server")


def watchers(port):
    """redis-cli --stat, --latency, --latency-history, --latency-dist, which go on until they are
    stopped."""
    def output_of(*options, seconds):
        with subprocess.Popen(["stdbuf", "-oL", "redis-cli", "-p", str(port), *options],
                              stdout=subprocess.PIPE, text=True) as process:
            time.sleep(seconds)
            process.terminate()
            return process.communicate(timeout=STEP_SECONDS)[0]

    run("redis-cli", "-p", str(port), "SET", "w", "1")
    lines = output_of("--stat", "-i", "0.2", seconds=1.5).splitlines()
    rows = [line.split() for line in lines if re.match(r"\d", line)]
    assert rows and all(row[0] == "1" for row in rows), lines  # keys
    assert int(rows[-1][4]) > int(rows[0][4]), lines           # requests
    # Not on a terminal this one ends by itself.
    least, most, mean, samples = run("redis-cli", "-p", str(port), "--latency", "-i", "0.5").split()
    assert float(least) <= float(mean) <= float(most) and int(samples) > 10
    assert "seconds range" in output_of("--latency-history", "-i", "0.5", seconds=1.2)
    assert "---" in output_of("--latency-dist", "-i", "0.3", seconds=1)


def exporter(directory, port):
    """What ready-made dashboards are drawn from."""
    listen, = free_ports(1)
    with open(os.path.join(directory, "exporter.log"), "wb") as log, subprocess.Popen(
            ["prometheus-redis-exporter", "-redis.addr", f"redis://127.0.0.1:{port}",
             "-web.listen-address", f"127.0.0.1:{listen}"], stdout=log, stderr=log) as process:
        try:
            text = scrape(f"http://127.0.0.1:{listen}/metrics")
        finally:
            process.terminate()
    figures = dict(re.findall(r"^(redis_\S+) (\S+)$", text, re.MULTILINE))
    for name in ("redis_connected_clients", "redis_memory_used_bytes", "redis_uptime_in_seconds",
                 "redis_commands_processed_total", "redis_keyspace_hits_total",
                 "redis_config_maxclients", 'redis_commands_total{cmd="set"}'):
        assert float(figures[name]) >= 0, name
    assert figures["redis_up"] == "1", text
    assert figures['redis_exporter_last_scrape_error{err=""}'] == "0", text
    assert figures['redis_db_keys{db="db0"}'] == "1", figures
    assert 'redis_instance_info{' in text and 'role="master"' in text


def scrape(url):
    """The body, as soon as somebody listens."""
    deadline = time.monotonic() + STEP_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main():
    """All of them, on one replica."""
    with tempfile.TemporaryDirectory() as directory, RedisServer(directory) as redis, \
            Cluster(1) as cluster:
        port = cluster.replicas[0].port
        hiredis(directory, (redis.port, port))
        run("redis-cli", "-p", str(port), "FLUSHALL")
        node_clients(directory, (redis.port, port))
        watchers(port)
        exporter(directory, port)
    print("ok")


if __name__ == "__main__":
    sys.exit(main())
