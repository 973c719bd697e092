"""kill -9 of random replicas of three, under load: what was acknowledged must survive.

Usage: kill_test.py [KILLS] [SEED]. KILLS defaults to SYNCLINE_KILLS, else 20. Needs the program
`audit` in SYNCLINE_AUDIT.

Clients write to every replica all the time: members of sets, keys of their own, increments. Each
notes what was acknowledged. A round kills one replica, sometimes two. What it left is audited in a
copy, opened as the next start opens it and without peers, which could give back what was lost:
leaf sums, counts and derived rows, and everything that its clients were told. Then it is started
again, and serves.

Durability is `always` in one cluster, `interval` in the next, and drawn anew at each start in a
third: the end of a process takes nothing that the system was given. A cluster lives for some
kills. In its end all replicas must hold the same, and everything acknowledged: each member, each
key with its last acknowledged value or a later one, and counters between what was acknowledged and
what was attempted.
"""

import os
import random
import shutil
import subprocess
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
KILLS_PER_CLUSTER = 50
AUDIT_SECONDS = 300
# What the audit must not find.
LIES = ("member\tset0\tnever added", "key\tkey:never set\t0\t9", "counter\tcounter0\t999999999")
# Of one cluster after the other; the last one draws at each start.
DURABILITIES = (("always",), ("interval",), ("always", "interval"))


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


def promises(writers):
    """What clients of one replica were told, as lines for the audit. They may still be reading
    replies that were sent in time."""
    lines = []
    acked = [0] * COUNTERS
    for writer in writers:
        keys = dict(writer.keys)
        lines += [f"member\t{name}\t{member}" for name, member in list(writer.members)]
        lines += [f"key\t{key}\t{version}\t{writer.tried_keys[key]}"
                  for key, version in keys.items()]
        acked = [one + other for one, other in zip(acked, writer.acked)]
    return lines + [f"counter\tcounter{number}\t{least}" for number, least in enumerate(acked)]


def audit(victim, directory, lines):
    """Opens a copy of what a replica left, and looks at all of it and at promises."""
    copy = os.path.join(directory, "audit")
    # Segments are zeros for the most part.
    subprocess.run(["cp", "-r", "--sparse=always", os.path.join(directory, victim.name), copy],
                   check=True)
    done = subprocess.run([os.environ["SYNCLINE_AUDIT"], copy], input="\n".join(lines) + "\n",
                          text=True, capture_output=True, timeout=AUDIT_SECONDS, check=False)
    shutil.rmtree(copy)
    return done


def audit_killed(victim, directory, writers):
    """The number of promises that were kept, or RuntimeError."""
    lines = promises([writer for writer in writers if writer.replica is victim])
    done = audit(victim, directory, lines)
    if done.returncode != 0 or f"{len(lines)} promises kept" not in done.stdout:
        raise RuntimeError(f"audit of {victim.name}, {done.returncode}: "
                           f"{done.stdout}{done.stderr}")
    return len(lines)


def choose_durability(replica, name):
    """For the next start."""
    if "--durability" not in replica.command:
        replica.command += ["--durability", name]
    replica.command[replica.command.index("--durability") + 1] = name


def run_round(cluster, writers, durabilities, chance):
    """Kills one or two replicas at one moment of load, audits them and brings them back: their
    names, the promises looked at, and the seconds of the start."""
    time.sleep(chance.uniform(*ROUND_SECONDS))
    victims = chance.sample(cluster.replicas, chance.choice((1, 1, 1, 2)))
    for victim in victims:
        victim.kill()
    time.sleep(chance.uniform(0, 0.3))
    looked_at = sum(audit_killed(victim, cluster.directory, writers) for victim in victims)
    start = time.monotonic()
    for victim in victims:
        choose_durability(victim, chance.choice(durabilities))
        victim.start()
    for victim in victims:
        victim.wait_ready()
    return [victim.name for victim in victims], looked_at, time.monotonic() - start


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


class Figures:
    """What was done, added up."""

    def __init__(self):
        self.kills = 0
        self.promises = 0
        self.writes = 0
        self.breaks = 0
        self.slowest = 0.0

    def say(self):
        """One line."""
        print(f"{self.kills} kills, each audited: {self.promises} promises looked at; "
              f"{self.writes} writes acknowledged, {self.breaks} connections lost, "
              f"slowest restart {self.slowest:.2f} s", flush=True)


def run_cluster(kills, durabilities, chance, figures):
    """The life of one cluster: rounds under load, then the reckoning. What is wrong."""
    print(f"durability {' or '.join(durabilities)}", flush=True)
    with Cluster(REPLICAS, ["--durability", durabilities[0]]) as cluster:
        writers = [Writer(replica, number, chance.random())
                   for number, replica in enumerate(cluster.replicas * WRITERS_PER_REPLICA)]
        for writer in writers:
            writer.start()
        enough = figures.kills + kills
        while figures.kills < enough:
            victims, looked_at, seconds = run_round(cluster, writers, durabilities, chance)
            figures.kills += len(victims)
            figures.promises += looked_at
            figures.slowest = max(figures.slowest, seconds)
            print(f"killed {', '.join(victims)}, {looked_at} promises kept, "
                  f"back after {seconds:.2f} s", flush=True)
        for writer in writers:
            writer.over.set()
        for writer in writers:
            writer.join()
        figures.writes += sum(writer.writes for writer in writers)
        figures.breaks += sum(writer.breaks for writer in writers)
        findings = check(cluster, writers)
        for replica in cluster.replicas:
            if replica.stop() != 0:
                findings.append(f"{replica.name} did not stop well")
            audit_killed(replica, cluster.directory, writers)
        for lie in LIES:
            if audit(cluster.replicas[0], cluster.directory, [lie]).returncode != 1:
                findings.append(f"the audit takes '{lie}' for true")
    return findings


def main():
    """One cluster after the other, until there were so many kills."""
    kills = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SYNCLINE_KILLS", "20"))
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    print(f"{kills} kills, seed {seed}", flush=True)
    chance = random.Random(seed)
    figures = Figures()
    clusters = max(2, -(-kills // KILLS_PER_CLUSTER))
    for number in range(clusters):
        due = kills * (number + 1) // clusters - figures.kills
        findings = run_cluster(due, DURABILITIES[number % len(DURABILITIES)], chance, figures)
        figures.say()
        if findings:
            print("\n".join(findings))
            sys.exit(1)
    if figures.kills < kills or figures.promises == 0:
        sys.exit("too little was checked")
    print("Nothing acknowledged is missing; all replicas are equal.")


if __name__ == "__main__":
    main()
