"""kill -9 of two Python programs, a C++ program and a server that sync with each other, under load.

Usage: embedded_test.py [ROUNDS] [SEED]. ROUNDS defaults to SYNCLINE_KILLS, else 10.

All four write all the time: increments of one counter, the Python programs and the server's client
members of one set as well, in the same batch. A round kills one of them, sometimes two, and starts
it again; each is killed in turn. In the end all must hold the same: every acknowledged member, no
member that nobody wrote, and a counter between what was acknowledged and what was attempted. The
C++ program is bindings/examples/sync.cpp, built against the installed package.
"""

import json
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Replica, ReplyError, clock, free_ports, write_secret  # noqa: E402

BUILD = Path(os.environ["SYNCLINE_BINARY"]).parent
EXAMPLES = Path(os.environ["SYNCLINE_SOURCE"]) / "bindings" / "examples"
MEMBER_PROGRAM = Path(__file__).with_name("embedded_member.py")
FOREVER = 10**9
SECONDS = 90
ROUND_SECONDS = (0.2, 0.8)


class Program:
    """An embedding program that says "added n"; it may be killed and started again."""

    def __init__(self, name, command):
        self.name = name
        self.command = command  # (prefix, adds, total) -> argument vector
        self.lives = 0
        self.tried = 0          # increments: at most
        self.members = {}       # prefix -> acknowledged
        self.process = self.reader = self.lines = None
        self.added = 0

    def start(self, adds=FOREVER, total=FOREVER):
        """Starts it; with adds=0 it only answers."""
        self.lives += 1
        self.added = 0
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            self.command(f"{self.name}.{self.lives}", adds, total), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(BUILD / "python")})
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def read(self, output):
        """Whole lines only: the last may have been cut by the kill."""
        for line in output:
            if not line.endswith("\n"):
                break
            if line.startswith("added "):
                self.added = int(line.split()[1])
            else:
                self.lines.put(line)

    def kill(self):
        """SIGKILL, and notes what it had said by then."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended by itself with {self.process.returncode}")
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.members[f"{self.name}.{self.lives}"] = self.added
        self.tried += self.added + 1

    def acked(self):
        """Increments, at least."""
        return sum(self.members.values())

    def line(self):
        """The next line that is no acknowledgement."""
        return self.lines.get(timeout=SECONDS)

    def state(self):
        """The answer of embedded_member.py."""
        self.process.stdin.write("state\n")
        self.process.stdin.flush()
        return json.loads(self.line())

    def end(self):
        """Ends its input; the exit code."""
        self.process.stdin.close()
        return self.process.wait(SECONDS)


class Server(Replica):
    """A replica server and one client of it, with the face of a Program."""

    def __init__(self, *arguments):
        super().__init__("server", *arguments)
        self.lives = 0
        self.tried = 0
        self.members = {}
        self.over = threading.Event()
        self.client = threading.Thread(target=self.write, daemon=True)
        self.unexpected = None

    def write(self):
        """Increment and member in one transaction, again and again; a new prefix after a break."""
        while not self.over.is_set():
            self.lives += 1
            prefix = f"server.{self.lives}"
            self.members[prefix] = 0
            try:
                with self.connect(5) as connection:
                    while not self.over.is_set():
                        self.tried += 1
                        for command in (("MULTI",), ("INCRBY", "visits", 1), ("EXEC",),
                                        ("SADD", "members",
                                         f"{prefix}-{self.members[prefix] + 1}")):
                            connection.send(*command)
                        for _ in range(4):
                            connection.receive()
                        self.members[prefix] += 1
            except ReplyError as error:
                if not str(error).startswith("LOADING"):
                    self.unexpected = error
                    return
                time.sleep(0.02)
            except OSError:
                time.sleep(0.02)

    def acked(self):
        """Increments, at least."""
        return sum(self.members.values())


def build_example(scratch):
    """Installs the package, and builds the C++ program against it."""
    prefix, built = scratch / "prefix", scratch / "examples"
    for command in (["cmake", "--install", BUILD, "--prefix", prefix],
                    ["cmake", "-S", EXAMPLES, "-B", built, f"-DCMAKE_PREFIX_PATH={prefix}"],
                    ["cmake", "--build", built, "--target", "sync"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return built / "sync"


def make_cluster(scratch, example):
    """The server and the three programs; each two of them dial, or are dialled. The server becomes
    a member of the programs' cluster, of the name "example"."""
    secret = write_secret(scratch)
    client_port, *ports = free_ports(4)
    server, native, first = (f"127.0.0.1:{port}" for port in ports)

    def python(name, listen, *peers):
        return Program(name, lambda prefix, adds, total: [
            sys.executable, "-B", MEMBER_PROGRAM, scratch / name, listen, secret, prefix,
            str(adds), *peers])

    return (
        Server(str(scratch), ["--peer-port", str(ports[0]), "--peer-secret-file", secret,
                              "--peer", native], client_port),
        Program("native", lambda prefix, adds, total: [
            example, scratch / "native", native, server, secret, str(adds), str(total)]),
        python("python1", first, server, native),
        python("python2", "", server, native, first))


def drill(members, rounds, chance):
    """Load and kills; at the end all have been killed, and nobody writes."""
    server = members[0]
    turns = []
    for number in range(1, rounds + 1):
        time.sleep(chance.uniform(*ROUND_SECONDS))
        if not turns:
            turns = chance.sample(members, len(members))
        victims = {turns.pop()} | set(chance.sample(members, chance.choice((0, 0, 0, 1))))
        for victim in victims:
            victim.kill()
        time.sleep(chance.uniform(0, 0.3))
        for victim in victims:
            victim.start()
        print(f"round {number}: killed {', '.join(sorted(one.name for one in victims))}",
              flush=True)
    time.sleep(chance.uniform(*ROUND_SECONDS))
    server.wait_ready()
    server.over.set()
    server.client.join()
    for member in members:
        member.kill()


def states(server, programs):
    """What the server and the Python programs hold."""
    with server.connect(60) as connection:
        held = {"root": clock(connection)["root"].decode(),
                "visits": int(connection.command("GET", "visits")),
                "members": sorted(one.decode() for one in connection.command("SMEMBERS",
                                                                             "members"))}
    return [held] + [program.state() for program in programs]


def reckon(members):
    """Starts all again without load; what is wrong, as a list of sentences."""
    server, native, *pythons = members
    acked = sum(member.acked() for member in members)
    tried = sum(member.tried for member in members)
    server.start()
    for program in pythons:
        program.start(adds=0)
    native.start(adds=0, total=acked)
    server.wait_ready()
    native.line()  # it is in step with the server
    deadline = time.monotonic() + SECONDS
    while True:
        held = states(server, pythons)
        if all(one == held[0] for one in held):
            break
        if time.monotonic() > deadline:
            return [f"not converged after {SECONDS} s: "
                    f"{[(one['root'], one['visits'], len(one['members'])) for one in held]}"]
        time.sleep(0.1)

    findings = [f"the server said {server.unexpected}"] if server.unexpected else []
    visits, present = held[0]["visits"], set(held[0]["members"])
    print(f"visits: acknowledged {acked} <= {visits} <= attempted {tried}")
    if not acked <= visits <= tried:
        findings.append("visits")
    if native.end() != 0:
        findings.append("the C++ program did not end well")
    native.start(adds=0, total=visits)
    if native.line() != f"total {visits}\n":
        findings.append("the C++ program counts otherwise")
    named = {prefix: count for member in members if member is not native
             for prefix, count in member.members.items()}
    must = {f"{prefix}-{number}" for prefix, count in named.items()
            for number in range(1, count + 1)}
    may = must | {f"{prefix}-{count + 1}" for prefix, count in named.items()}
    print(f"members: {len(must)} acknowledged, {len(present - must)} more present")
    if must - present:
        findings.append(f"{len(must - present)} members are lost, as {min(must - present)}")
    if present - may:
        findings.append(f"{len(present - may)} members nobody wrote, as {min(present - may)}")
    for program in (native, *pythons):
        if program.end() != 0:
            findings.append(f"{program.name} did not end well")
    if server.stop() != 0:
        findings.append("the server did not stop well")
    return findings


def main():
    """Rounds under load, then the reckoning."""
    rounds = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SYNCLINE_KILLS", "10"))
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    print(f"{rounds} rounds, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="syncline-embedded-") as scratch:
        members = make_cluster(Path(scratch), build_example(Path(scratch)))
        try:
            for member in members:
                member.start()
            members[0].wait_ready()
            members[0].client.start()
            drill(members, rounds, random.Random(seed))
            findings = reckon(members)
        finally:
            for member in members:
                if member.process is not None and member.process.poll() is None:
                    member.process.kill()
                    member.process.wait()
    print("\n".join(findings) or "Nothing acknowledged is missing; all members are equal.")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
