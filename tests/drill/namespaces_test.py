"""Replicas in networks of their own, whose wires delay, lose, repeat and break; replicas are
stopped and killed meanwhile. In the end the network is whole again, and all must agree: on what
clients were told, and on nothing else.

Usage: namespaces_test.py [RUNS] [SECONDS] [SEED]. Runs default to SYNCLINE_RUNS, else 2, of
SYNCLINE_SECONDS, else 8; three replicas and five in turn. Needs root and TUN devices; says why it
is skipped where these are missing.

A session writes at each replica, in all types. Of most of what it writes it is the only writer -
whole keys, or its members of shared sets, hashes, sorted sets and lists - so that it knows what
must be there in the end: what was acknowledged last, or what was attempted after that without an
answer. The rest is shared: counters, of which the sum is known; pairs of keys that only
transactions write; keys that are of another type at each replica.
"""

import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path as File

sys.path.insert(0, str(File(__file__).resolve().parent.parent / "interop"))
from cluster import (  # noqa: E402
    Replica, ReplyError, member_options, wait_converged, write_secret)
from wires import Path, Wires, missing  # noqa: E402

CLIENT_PORT = 7379
PEER_PORT = 7380
SHARED = 6               # shared keys of each type
OWN = 40                 # own cells of each kind
PAUSE_SECONDS = 0.003    # between two writes of a session
DEADLINES_MS = (50, 1500)
LAST_CUT_SECONDS_MIN = 4  # links are given up in it
AGREE_SECONDS_MAX = 30   # fails beyond; what it takes is printed
REPLY_SECONDS = 60


class WiredReplica(Replica):
    """A replica in a namespace."""

    def __init__(self, name, directory, options, namespace):
        super().__init__(name, directory, options, CLIENT_PORT)
        self.namespace = namespace

    def start(self):
        with self.namespace.entered():
            super().start()

    def connect(self, timeout=10):
        with self.namespace.entered():
            return super().connect(timeout)


class Session(threading.Thread):
    """A client of one replica; `cells` holds what may be there of what only it writes."""

    def __init__(self, replica, seed):
        super().__init__(daemon=True)
        self.replica = replica
        self.name = replica.name
        self.random = random.Random(seed)
        self.cells = {}      # (kind, key, member) -> the values that it may have
        self.counters = {}   # key -> [least, most]
        self.deadlines = []  # keys that are gone in the end
        self.number = 0
        self.acknowledged = 0
        self.breaks = 0
        self.over = threading.Event()
        self.error = None

    def run(self):
        steps = [self.write_string, self.write_text, self.write_set, self.write_hash,
                 self.write_zset, self.write_list, self.write_counter, self.write_deadline,
                 self.write_pair, self.write_mixed, self.read_own, self.read_pair]
        while not self.over.is_set():
            try:
                with self.replica.connect(REPLY_SECONDS) as connection:
                    while not self.over.is_set():
                        self.number += 1
                        self.random.choice(steps)(connection)
                        self.acknowledged += 1
                        time.sleep(PAUSE_SECONDS)
            except ReplyError as error:
                if not str(error).startswith("LOADING"):
                    self.error = error
                    return
                time.sleep(0.02)
            except OSError:
                self.breaks += 1
                time.sleep(0.02)
            except Exception as error:  # told by run
                self.error = error
                return

    def change(self, connection, cell, effect, *command):
        """A command that turns a cell's value into effect(value); None: not there."""
        before = self.cells.get(cell, {None})
        after = {effect(value) for value in before}
        self.cells[cell] = before | after
        reply = connection.command(*command)
        self.cells[cell] = after
        return reply

    def put(self, connection, cell, value, *command):
        """A command that leaves this value, whatever there was."""
        return self.change(connection, cell, lambda _: value, *command)

    def shared(self, kind):
        """A key that all write to."""
        return f"{kind}:{self.random.randrange(SHARED)}"

    def member(self):
        """An own member of it."""
        return f"{self.name}:{self.random.randrange(OWN)}"

    def write_string(self, connection):
        key = f"string:{self.member()}"
        if self.random.random() < 0.7:
            self.put(connection, ("string", key, ""), str(self.number), "SET", key, self.number)
        else:
            self.put(connection, ("string", key, ""), None, "DEL", key)

    def write_text(self, connection):
        key = f"text:{self.name}"
        token = f"<{self.number}>"
        if self.random.random() < 0.8:
            self.change(connection, ("text", key, ""), lambda text: (text or "") + token,
                        "TEXT.APPEND", key, token)
        else:
            self.put(connection, ("text", key, ""), None, "DEL", key)

    def write_set(self, connection):
        key, member = self.shared("set"), self.member()
        there = self.random.random() < 0.6
        self.put(connection, ("set", key, member), "there" if there else None,
                 "SADD" if there else "SREM", key, member)

    def write_hash(self, connection):
        key, field = self.shared("hash"), self.member()
        if self.random.random() < 0.6:
            self.put(connection, ("hash", key, field), str(self.number),
                     "HSET", key, field, self.number)
        else:
            self.put(connection, ("hash", key, field), None, "HDEL", key, field)

    def write_zset(self, connection):
        key, member = self.shared("zset"), self.member()
        if self.random.random() < 0.6:
            self.put(connection, ("zset", key, member), str(self.number),
                     "ZADD", key, self.number, member)
        else:
            self.put(connection, ("zset", key, member), None, "ZREM", key, member)

    def write_list(self, connection):
        key = self.shared("list")
        mine = [cell for cell, values in self.cells.items()
                if cell[:2] == ("list", key) and values != {None}]
        if len(mine) < OWN // 4 or self.random.random() < 0.3:
            element = f"{self.name}:{self.number}"
            self.put(connection, ("list", key, element), "there",
                     self.random.choice(("LPUSH", "RPUSH")), key, element)
        else:
            cell = self.random.choice(mine)
            self.put(connection, cell, None, "LREM", key, 0, cell[2])

    def write_counter(self, connection):
        key = self.shared("counter")
        by = self.random.randrange(-50, 100)
        bounds = self.counters.setdefault(key, [0, 0])
        bounds[by > 0] += by
        connection.command("INCRBY", key, by)
        bounds[by < 0] += by

    def write_deadline(self, connection):
        """A key that ends, or is kept from it just in time or too late."""
        key = f"deadline:{self.name}:{self.number}"
        cell = ("string", key, "")
        ms = self.random.randrange(*DEADLINES_MS)
        self.cells[cell] = {None, "short"}
        connection.command("SET", key, "short", "PX", ms)
        if self.random.random() < 0.5:
            time.sleep(self.random.random() * ms / 1000)
            kept = connection.command("PERSIST", key)
            self.cells[cell] = {"short"} if kept else {None}
        else:
            self.deadlines.append(cell)

    def write_pair(self, connection):
        key = self.shared("pair")
        value = f"{self.name}:{self.number}"
        for command in (("MULTI",), ("SET", key + ":a", value), ("SET", key + ":b", value),
                        ("EXEC",)):
            connection.send(*command)
        for _ in range(4):
            connection.receive()

    def write_mixed(self, connection):
        """Of any type, and what is refused is refused."""
        key = self.shared("mixed")
        command = self.random.choice((
            ("SET", key, self.number), ("SADD", key, self.number), ("HSET", key, "f", self.number),
            ("ZADD", key, 1, self.number), ("RPUSH", key, self.number), ("INCRBY", key, 3),
            ("TEXT.APPEND", key, "t"), ("MV.SET", key, self.number), ("FLAG.ENABLE", key),
            ("BC.INCR", key, 3), ("BC.DECR", key, 1), ("DEL", key), ("PEXPIRE", key, 300),
            ("PERSIST", key)))
        try:
            connection.command(*command)
        except ReplyError as error:
            if str(error).startswith(("MISCONF", "OOM", "READONLY")):
                raise

    def read_own(self, connection):
        """What only this session writes reads as it left it."""
        if not self.cells:
            return
        cell = self.random.choice(list(self.cells))
        kind, key, member = cell
        if kind == "list" or cell in self.deadlines:
            return
        command = {"string": ("GET", key), "text": ("TEXT.GET", key),
                   "set": ("SISMEMBER", key, member), "hash": ("HGET", key, member),
                   "zset": ("ZSCORE", key, member)}[kind]
        reply = connection.command(*command)
        value = {b"": None, 0: None, 1: "there"}.get(reply, reply)
        value = value.decode() if isinstance(value, bytes) else value
        assert value in self.cells[cell], f"{cell} is {value}, not one of {self.cells[cell]}"

    def read_pair(self, connection):
        key = self.shared("pair")
        one, other = connection.command("MGET", key + ":a", key + ":b")
        assert one == other, f"half of a transaction: {one}, {other}"


class Faults(threading.Thread):
    """What goes wrong, one after the other and several at once."""

    def __init__(self, replicas, wires, seed):
        super().__init__(daemon=True)
        self.replicas = replicas
        self.wires = wires
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.repairs = []  # (when, what)
        self.counts = {}
        self.stopped = set()
        self.error = None
        self.kinds = [self.cut_off, self.cut_one_way, self.split, self.make_slow, self.make_lossy,
                      self.make_far, self.stop_one, self.kill_one]

    def run(self):
        try:
            while not self.over.wait(0.05):
                self.repair()
                if self.random.random() < 0.06:
                    self.strike(self.random.choice(self.kinds))
        except Exception as error:  # told by run
            self.error = error

    def strike(self, kind):
        """One more."""
        name = kind.__name__
        self.counts[name] = self.counts.get(name, 0) + 1
        kind()

    def repair(self, all_of_them=False):
        """What is due."""
        now = time.monotonic()
        due = [one for one in self.repairs if all_of_them or one[0] <= now]
        for one in due:
            self.repairs.remove(one)
            one[1]()

    def later(self, most, what):
        """Mends something after a while."""
        self.repairs.append((time.monotonic() + self.random.uniform(0.1, most), what))

    def some(self, count):
        """So many replicas, by index."""
        return self.random.sample(range(len(self.replicas)), count)

    def change(self, pairs, **what):
        """Paths, for a while."""
        for pair in pairs:
            self.wires.paths[pair] = Path(**what)
        self.later(6, lambda: [self.wires.paths.update({pair: Path()}) for pair in pairs])

    def around(self, one):
        """All paths of one."""
        return [pair for pair in self.wires.paths if one in pair]

    def cut_off(self):
        self.change(self.around(self.some(1)[0]), cut=True)

    def cut_one_way(self):
        self.change([tuple(self.some(2))], cut=True)

    def split(self):
        half = set(self.some(len(self.replicas) // 2))
        self.change([pair for pair in self.wires.paths if (pair[0] in half) != (pair[1] in half)],
                    cut=True)

    def make_slow(self):
        self.change(self.around(self.some(1)[0]), rate=self.random.choice((20e3, 100e3, 500e3)),
                    delay=0.01)

    def make_lossy(self):
        self.change(list(self.wires.paths), loss=self.random.choice((0.01, 0.05, 0.2)),
                    doubled=0.02, jitter=0.01)

    def make_far(self):
        self.change(self.around(self.some(1)[0]), delay=self.random.uniform(0.01, 0.15),
                    jitter=0.02)

    def interrupt(self, most, halt, go_on):
        """A replica that runs stands still for a while; it must not have ended."""
        index = self.some(1)[0]
        if index in self.stopped:
            return
        replica = self.replicas[index]
        if replica.process.poll() is not None:
            raise RuntimeError(f"{replica.name} ended with {replica.process.returncode}")
        halt(replica)
        self.stopped.add(index)

        def again():
            go_on(replica)
            self.stopped.discard(index)
        self.later(most, again)

    def stop_one(self):
        self.interrupt(5, lambda replica: replica.process.send_signal(signal.SIGSTOP),
                       lambda replica: replica.process.send_signal(signal.SIGCONT))

    def kill_one(self):
        self.interrupt(2, lambda replica: replica.kill(), lambda replica: replica.start())


def observe(connection, cells):
    """What a replica shows: the value of each cell, in one request for each key."""
    values = {}
    for kind, key in sorted({cell[:2] for cell in cells}):
        if kind in ("string", "text"):
            reply = connection.command("GET" if kind == "string" else "TEXT.GET", key)
            if reply:
                values[kind, key, ""] = reply.decode()
            continue
        reply = {"set": ("SMEMBERS", key), "hash": ("HGETALL", key), "list": ("LRANGE", key, 0, -1),
                 "zset": ("ZRANGE", key, 0, -1, "WITHSCORES")}[kind]
        found = [one.decode() for one in connection.command(*reply)]
        pairs = zip(found[::2], found[1::2]) if kind in ("hash", "zset") else (
            (member, "there") for member in found)
        for member, value in pairs:
            assert (kind, key, member) not in values, f"{member} twice in {key}"
            values[kind, key, member] = value
    return values


def judge(replica, sessions):
    """Against what the sessions were told; how many cells were looked at."""
    told = {}
    for session in sessions:
        for cell in session.deadlines:
            session.cells[cell] = {None}
        told.update(session.cells)
    with replica.connect(REPLY_SECONDS) as connection:
        values = observe(connection, told)
        for cell, may_be in told.items():
            value = values.pop(cell, None)
            if value not in may_be:
                what = "lost" if value is None else "back" if may_be == {None} else "wrong"
                raise AssertionError(f"{what} at {replica.name}: {cell} is {value}, "
                                     f"not one of {may_be}")
        assert not values, f"nobody wrote {values} at {replica.name}"
        for key in {key for session in sessions for key in session.counters}:
            bounds = [session.counters.get(key, (0, 0)) for session in sessions]
            value = int(connection.command("GET", key) or 0)
            least, most = (sum(one[side] for one in bounds) for side in (0, 1))
            assert least <= value <= most, f"{key} is {value}, not in {least} .. {most}"
        info = replica.info("all")
        for name in ("divergence_alarms", "causality_errors", "damages_found"):
            assert info[name] == "0", f"{name} {info[name]} at {replica.name}"
    return len(told)


def wired_replicas(wires, directory):
    """Not started yet."""
    secret = write_secret(directory)
    addresses = [(namespace.address, PEER_PORT) for namespace in wires.namespaces]
    return [WiredReplica(f"n{index + 1}", directory,
                         ["--peer-bind", namespace.address,
                          *member_options(addresses, index, secret)], namespace)
            for index, namespace in enumerate(wires.namespaces)]


def run(replicas, wires, seconds, seed):
    """One of them, from the first write to the judgement; what it was like."""
    for replica in replicas:
        replica.start()
    for replica in replicas:
        replica.wait_ready()
    wait_converged(replicas, AGREE_SECONDS_MAX)
    sessions = [Session(replica, f"{seed} {replica.name}") for replica in replicas]
    faults = Faults(replicas, wires, seed)
    last_cut = max(LAST_CUT_SECONDS_MIN, seconds / 3)
    for thread in [*sessions, faults]:
        thread.start()
    try:
        time.sleep(max(0, seconds - last_cut))
    finally:
        faults.over.set()
        faults.join()
    faults.repair(all_of_them=True)
    assert faults.error is None, faults.error
    for replica in replicas:
        replica.wait_ready()
    # The last fault is always this one, so that each run measures how it ends.
    faults.strike(faults.split)
    time.sleep(last_cut)
    for session in sessions:
        session.over.set()
    for session in sessions:
        session.join()
        assert session.error is None, f"{session.name}: {session.error}"
    wires.heal()
    agreed = wait_converged(replicas, AGREE_SECONDS_MAX, 0.02)
    time.sleep(DEADLINES_MS[1] / 1000)
    wait_converged(replicas, AGREE_SECONDS_MAX)
    cells = [judge(replica, sessions) for replica in replicas]
    return agreed, (f"{len(replicas)} replicas, {sum(one.acknowledged for one in sessions)} steps, "
                    f"{sum(one.breaks for one in sessions)} broken connections, "
                    f"{wires.packets} packets ({wires.lost} lost), {cells[0]} cells as told; "
                    f"agreed after {agreed:.2f} s; {faults.counts}")


def main():
    if lack := missing():
        print(f"skipped: {lack}")
        return
    given = [int(text) for text in sys.argv[1:]] + [None] * 3
    runs = given[0] or int(os.environ.get("SYNCLINE_RUNS", "2"))
    seconds = given[1] or int(os.environ.get("SYNCLINE_SECONDS", "8"))
    first = given[2] or int(os.environ.get("SYNCLINE_SEED", str(int(time.time()))))
    times = []
    for seed in range(first, first + runs):
        with tempfile.TemporaryDirectory(prefix="syncline-") as directory, \
                Wires(3 + 2 * (seed % 2), seed) as wires:
            replicas = wired_replicas(wires, directory)
            try:
                agreed, story = run(replicas, wires, seconds, seed)
            except BaseException:
                print(f"seed {seed} failed", file=sys.stderr)
                for replica in replicas:
                    print(f"--- {replica.name}\n{replica.log_tail()}", file=sys.stderr)
                raise
            finally:
                for replica in replicas:
                    if replica.process is not None and replica.process.poll() is None:
                        replica.kill()
        times.append(agreed)
        print(f"seed {seed}: {story}", flush=True)
    print(f"{runs} runs of {seconds} s: no divergence, nothing back, nothing lost; agreed "
          f"{sorted(times)[len(times) // 2]:.2f} s after the network was whole, "
          f"{max(times):.2f} s at most.")


if __name__ == "__main__":
    main()
