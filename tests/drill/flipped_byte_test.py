"""A byte of a replica's data file is flipped while it does not run: no answer is wrong, nothing
that is damaged spreads, and a peer repairs it.

Usage: flipped_byte_test.py [FLIPS] [SEED]. FLIPS defaults to SYNCLINE_FLIPS, else 6.

Two replicas with the same data. Each round stops one of them, flips a byte, starts it, reads every
key, has everything looked at, and waits until both hold the same again. A start may be refused, and
a process may die of what it reads, but not again and again: then the replica begins with an empty
directory, as the refusal says.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Cluster, ReplyError, clock, wait_converged  # noqa: E402

KEYS = 400
REPAIR_SECONDS = 60
DEATHS_MAX = 1
# What a read may answer instead of the truth.
HONEST = ("MISCONF", "LOADING")

READS = {f"key:{i}": ("GET", f"key:{i}") for i in range(KEYS)}
READS |= {"set": ("SMEMBERS", "set"), "members": ("SCARD", "set"), "hash": ("HGETALL", "hash"),
          "scores": ("ZRANGE", "scores", 0, -1), "list": ("LRANGE", "list", 0, -1),
          "counter": ("GET", "counter"), "text": ("TEXT.GET", "text"), "ends": ("GET", "ends")}


class Died(Exception):
    """The replica's process ended."""


def fill(connection):
    """Something of each type."""
    for i in range(KEYS):
        connection.command("SET", f"key:{i}", f"value {i} " * 8)
    for i in range(60):
        connection.command("SADD", "set", f"member {i}")
        connection.command("HSET", "hash", f"field {i}", i)
        connection.command("ZADD", "scores", i / 4, f"member {i}")
        connection.command("RPUSH", "list", f"element {i}")
        connection.command("INCRBY", "counter", i)
        connection.command("TEXT.APPEND", "text", f"word {i} ")
    connection.command("SET", "ends", "one day", "EX", 86400)


def read_all(connection):
    """Every answer by name; an honest error stands for itself."""
    answers = {}
    for name, command in READS.items():
        try:
            answer = connection.command(*command)
            unordered = isinstance(answer, list) and name in ("set", "hash")
            answers[name] = sorted(answer) if unordered else answer
        except ReplyError as error:
            if not str(error).startswith(HONEST):
                raise
            answers[name] = error
    return answers


def compare(truth, answers, errors_allowed):
    """How many answers were errors; the others must be right."""
    errors = 0
    for name, right in truth.items():
        if isinstance(answers[name], ReplyError) and errors_allowed:
            errors += 1
        elif answers[name] != right:
            raise AssertionError(f"{name} is {answers[name]!r}, not {right!r}")
    return errors


def scrub_status(connection):
    """CRDT.SCRUB STATUS as a dict."""
    reply = connection.command("CRDT.SCRUB", "STATUS")
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2])}


class Drill:
    """The two replicas, and what each round did."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.healthy, self.victim = cluster.replicas
        self.random = random.Random(seed)
        self.truth = {}
        self.root = None
        self.ends = {}

    def prepare(self):
        """Data, the same in both, and in both bases."""
        with self.healthy.connect() as connection:
            fill(connection)
        wait_converged(self.cluster.replicas, REPAIR_SECONDS)
        with self.healthy.connect() as connection:
            self.truth = read_all(connection)
            self.root = clock(connection)["root"]

    def flip(self):
        """Half of them where values stand, half anywhere."""
        path = Path(self.cluster.directory) / self.victim.name / "base" / "data.mdb"
        content = path.read_bytes()
        offset = self.random.randrange(len(content))
        if self.random.random() < 0.5:
            offset = content.find(b"value", offset)
            if offset < 0:
                offset = content.find(b"value")
        bit = self.random.randrange(8)
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(bytes([content[offset] ^ 1 << bit]))
        return f"byte {offset} bit {bit}"

    def bring_up(self):
        """Starts the victim; Died when it does not serve."""
        self.victim.start()
        try:
            self.victim.wait_ready()
        except RuntimeError as error:
            raise Died(str(error)) from error

    def look(self):
        """Reads everything, scrubs, and waits for the repair."""
        try:
            with self.victim.connect() as connection:
                errors = compare(self.truth, read_all(connection), errors_allowed=True)
                connection.command("CRDT.SCRUB", "START")
                deadline = time.monotonic() + REPAIR_SECONDS
                while True:
                    status = scrub_status(connection)
                    if not status["running"] and not status["damaged_buckets"]:
                        break
                    assert time.monotonic() < deadline, f"not repaired: {status}"
                    time.sleep(0.05)
                return errors, status
        except OSError as error:
            if self.victim.process.wait(timeout=10) is None:
                raise
            raise Died(str(error)) from error

    def scrub_directory(self):
        """Whether the tool finds the directory sound, which nobody has open."""
        tool = subprocess.run([os.environ["SYNCLINE_BINARY"], "scrub", "--data",
                               os.path.join(self.cluster.directory, self.victim.name)],
                              capture_output=True, text=True, timeout=REPAIR_SECONDS, check=False)
        assert tool.returncode in (0, 1), (tool.returncode, tool.stdout, tool.stderr)
        return tool.returncode == 0

    def round(self, number):
        """One flip, and all that follows."""
        assert self.victim.stop() == 0
        assert self.scrub_directory()
        place = self.flip()
        sound = self.scrub_directory()
        end = None
        for death in range(DEATHS_MAX + 2):
            try:
                self.bring_up()
                errors, status = self.look()
                found = status["damages_found"]
                end = "found" if found else "no matter"
                detail = f"{errors} errors, {found} faults, {status['repaired_buckets']} repaired"
                break
            except Died:
                code = self.victim.process.returncode
                if code < 0:
                    assert death <= DEATHS_MAX, f"died again and again: {self.victim.log_tail()}"
                    continue
                end, detail = "refused", self.victim.log_tail().strip().splitlines()[-1][:120]
                shutil.rmtree(Path(self.cluster.directory) / self.victim.name)
                self.bring_up()
                break
        assert end is not None, "the replica does not come up"
        assert sound == (end == "no matter"), f"the tool says {sound}: {place}: {end}, {detail}"
        wait_converged(self.cluster.replicas, REPAIR_SECONDS)
        for replica in self.cluster.replicas:
            with replica.connect() as connection:
                compare(self.truth, read_all(connection), errors_allowed=False)
                assert clock(connection)["root"] == self.root
        self.ends[end] = self.ends.get(end, 0) + 1
        print(f"round {number}: {place}: {end} ({detail})", flush=True)


def main():
    """All rounds."""
    flips = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SYNCLINE_FLIPS", "6"))
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    print(f"{flips} flips, seed {seed}", flush=True)
    with Cluster(2) as cluster:
        drill = Drill(cluster, seed)
        drill.prepare()
        for number in range(1, flips + 1):
            drill.round(number)
        print(f"{flips} flips: {drill.ends}")


if __name__ == "__main__":
    main()
