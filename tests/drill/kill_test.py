"""kill -9 of random replicas of three, under load: what was acknowledged must survive.

Usage: kill_test.py [ROUNDS] [SEED]. ROUNDS defaults to SYNCLINE_KILLS, else 10.

Clients write to every replica all the time: members of sets, keys of their own, increments. Each
notes what was acknowledged. A round kills one replica, sometimes two, starts it again and waits
until it serves. In the end all replicas must hold the same, and everything acknowledged: each
member, each key with its last acknowledged value or a later one, and counters between what was
acknowledged and what was attempted.
"""

import os
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Cluster, ReplyError, wait_converged  # noqa: E402

REPLICAS = 3
WRITERS_PER_REPLICA = 2
COUNTERS = 4
SETS = 8
CONVERGE_SECONDS = 90
ROUND_SECONDS = (0.3, 1.2)


class Writer(threading.Thread):
    """One client of one replica. Values are unique, so that nothing can stand for another."""

    def __init__(self, replica, number, seed):
        super().__init__(daemon=True)
        self.replica = replica
        self.number = number
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.members = []      # (set, member), acknowledged
        self.keys = {}         # key -> last acknowledged version
        self.tried_keys = {}   # key -> last attempted version
        self.acked = [0] * COUNTERS
        self.tried = [0] * COUNTERS
        self.writes = 0
        self.breaks = 0
        self.unexpected = None

    def run(self):
        while not self.over.is_set():
            try:
                with self.replica.connect(5) as connection:
                    while not self.over.is_set():
                        self.write(connection)
                        self.writes += 1
            except ReplyError as error:
                if not str(error).startswith("LOADING"):
                    self.unexpected = error
                    return
                time.sleep(0.02)
            except OSError:
                self.breaks += 1
                time.sleep(0.02)

    def write(self, connection):
        """One write; noted as attempted before, as acknowledged after."""
        kind = self.random.randrange(4)
        if kind == 0:
            name, member = f"set{self.random.randrange(SETS)}", f"{self.number}-{self.writes}"
            connection.command("SADD", name, member)
            self.members.append((name, member))
        elif kind == 1:
            key = f"key:{self.number}:{self.random.randrange(200)}"
            version = self.tried_keys.get(key, 0) + 1
            self.tried_keys[key] = version
            connection.command("SET", key, version)
            self.keys[key] = version
        elif kind == 2:
            counter = self.random.randrange(COUNTERS)
            amount = self.random.randrange(1, 10)
            self.tried[counter] += amount
            connection.command("INCRBY", f"counter{counter}", amount)
            self.acked[counter] += amount
        else:
            self.write_transaction(connection)

    def write_transaction(self, connection):
        """Member and increment in one transaction: both or neither."""
        member = f"t{self.number}-{self.writes}"
        self.tried[0] += 1
        for command in (("MULTI",), ("SADD", "set0", member), ("INCRBY", "counter0", 1), ("EXEC",)):
            connection.send(*command)
        for _ in range(4):
            connection.receive()
        self.members.append(("set0", member))
        self.acked[0] += 1


def run_round(cluster, chance):
    """Kills one or two replicas at one moment of load, and brings them back."""
    time.sleep(chance.uniform(*ROUND_SECONDS))
    victims = chance.sample(cluster.replicas, chance.choice((1, 1, 1, 2)))
    for victim in victims:
        victim.kill()
    time.sleep(chance.uniform(0, 0.5))
    start = time.monotonic()
    for victim in victims:
        victim.start()
    for victim in victims:
        victim.wait_ready()
    return [victim.name for victim in victims], time.monotonic() - start


def missing_members(connection, writers):
    """Acknowledged members that are in no set."""
    present = {f"set{i}": set(connection.command("SMEMBERS", f"set{i}")) for i in range(SETS)}
    return [(name, member) for writer in writers for name, member in writer.members
            if member.encode() not in present[name]]


def wrong_keys(connection, writers):
    """Keys older than acknowledged or newer than attempted."""
    wrong = []
    for writer in writers:
        for key, acked in writer.keys.items():
            value = connection.command("GET", key)
            if value is None or not acked <= int(value) <= writer.tried_keys[key]:
                wrong.append((key, acked, writer.tried_keys[key], value))
    return wrong


def wrong_counters(connection, writers):
    """Counters below what was acknowledged or above what was attempted."""
    wrong = []
    for counter in range(COUNTERS):
        acked = sum(writer.acked[counter] for writer in writers)
        tried = sum(writer.tried[counter] for writer in writers)
        value = int(connection.command("GET", f"counter{counter}") or 0)
        print(f"counter{counter}: acknowledged {acked} <= {value} <= attempted {tried}")
        if not acked <= value <= tried:
            wrong.append((counter, acked, value, tried))
    return wrong


def check(cluster, writers):
    """What is wrong in the end, as a list of sentences."""
    findings = [f"unexpected reply: {writer.unexpected}" for writer in writers
                if writer.unexpected is not None]
    seconds = wait_converged(cluster.replicas, CONVERGE_SECONDS)
    print(f"converged {seconds:.1f} s after the last write")
    for replica in cluster.replicas:
        with replica.connect(60) as connection:
            for name, wrong in (("members", missing_members(connection, writers)),
                                ("keys", wrong_keys(connection, writers))):
                if wrong:
                    findings.append(f"{replica.name}: {len(wrong)} {name}, e.g. {wrong[:3]}")
            info = connection.command("INFO", "syncline").decode()
            for alarm in ("divergence_alarms", "causality_errors"):
                if f"{alarm}:0\r" not in info:
                    findings.append(f"{replica.name} raised {alarm}")
    with cluster.replicas[0].connect(60) as connection:
        findings += [f"counter {wrong}" for wrong in wrong_counters(connection, writers)]
    return findings


def main():
    """Rounds under load, then the reckoning."""
    rounds = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SYNCLINE_KILLS", "10"))
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    print(f"{rounds} rounds, seed {seed}", flush=True)
    chance = random.Random(seed)
    with Cluster(REPLICAS) as cluster:
        writers = [Writer(replica, number, chance.random())
                   for number, replica in enumerate(cluster.replicas * WRITERS_PER_REPLICA)]
        for writer in writers:
            writer.start()
        restarts = []
        for number in range(1, rounds + 1):
            victims, seconds = run_round(cluster, chance)
            restarts.append(seconds)
            print(f"round {number}: killed {', '.join(victims)}, back after {seconds:.2f} s",
                  flush=True)
        for writer in writers:
            writer.over.set()
        for writer in writers:
            writer.join()
        print(f"{sum(writer.writes for writer in writers)} writes acknowledged, "
              f"{sum(writer.breaks for writer in writers)} connections lost, "
              f"slowest restart {max(restarts):.2f} s")
        findings = check(cluster, writers)
        for replica in cluster.replicas:
            if replica.stop() != 0:
                findings.append(f"{replica.name} did not stop well")
    print("\n".join(findings) or "Nothing acknowledged is missing; all replicas are equal.")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
