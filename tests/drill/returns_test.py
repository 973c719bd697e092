"""Replicas that come back, or come as somebody else: one that was absent for the whole history, one
restored from an old backup, one whose directory was copied, one whose directory was put back by a
tool for files, and one that was evicted and resubmits what it alone had. Meanwhile the others go on
writing and removing.

Usage: returns_test.py. After each return all converge; nothing acknowledged is missing, nothing
counts twice, and nothing that was removed comes back. SYNCLINE_ROUNDS says how much each writer
writes at least, in sets of five commands (default 150).
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Cluster, Writer, wait_converged  # noqa: E402
from membership_test import at, epoch, standing, status, tool  # noqa: E402
from primary_backup_test import command, until  # noqa: E402

BINARY = os.environ["SYNCLINE_BINARY"]
ROUNDS = int(os.environ.get("SYNCLINE_ROUNDS", "150"))
KEPT = 5  # of what a writer makes, the last so many; it removes what came before
SECONDS = 60


def commands(name):
    """What a writer does in its n-th round."""
    return lambda n: [("INCR", "count"), ("SADD", "members", f"{name}:{n}"),
                      ("SREM", "members", f"{name}:{n - KEPT}"), ("SET", f"{name}:{n}", n),
                      ("DEL", f"{name}:{n - KEPT}")]


def node(replica):
    """Its identity: what its transactions are named after."""
    return replica.info()["actor"].split(".", maxsplit=1)[0]


class History:
    """What has been acknowledged, by all writers that there were."""

    def __init__(self):
        self.rounds = {}  # by writer

    def write(self, replicas, meanwhile=lambda: None):
        """Writers at these replicas, at least ROUNDS each and until `meanwhile` has returned."""
        writers = {f"w{len(self.rounds) + i}": replica for i, replica in enumerate(replicas)}
        threads = {name: Writer(replica, commands(name)) for name, replica in writers.items()}
        for thread in threads.values():
            thread.start()
        meanwhile()
        while any(thread.acknowledged < ROUNDS and thread.is_alive()
                  for thread in threads.values()):
            time.sleep(0.01)
        for name, thread in threads.items():
            self.rounds[name] = thread.finish()

    def check(self, replicas, what):
        """All of it, and nothing else, at each replica."""
        seconds = wait_converged(replicas, SECONDS)
        members = {f"{name}:{n}".encode() for name, rounds in self.rounds.items()
                   for n in range(rounds - KEPT, rounds)}
        keys = members | {b"count", b"members"}
        for replica in replicas:
            with replica.connect(SECONDS) as connection:
                assert int(connection.command("GET", "count")) == sum(self.rounds.values()), what
                found = set(connection.command("SMEMBERS", "members"))
                assert found == members, (what, replica.name, found ^ members)
                found = set(connection.command("KEYS", "*"))
                assert found == keys, (what, replica.name, found ^ keys)
            assert replica.info()["divergence_alarms"] == "0", what
        print(f"{what}: {sum(self.rounds.values())} rounds, the same at {len(replicas)} replicas "
              f"after {seconds:.1f} s", flush=True)


def start(replica):
    """And waits until it serves."""
    replica.start()
    replica.wait_ready()


def run(*arguments):
    """The binary; its output."""
    return subprocess.run([BINARY, *arguments], check=True, timeout=120,
                          stdout=subprocess.PIPE).stdout.decode()


def life(cluster, history):
    """One cluster, and all that happens to its third replica."""
    first, second, third, fourth = cluster.replicas
    directory = os.path.join(cluster.directory, third.name)
    old = os.path.join(cluster.directory, "old")
    backup = os.path.join(cluster.directory, "backup")

    start(first)
    start(second)
    history.write([first, second])
    history.write([first, second], lambda: start(third))
    history.check([first, second, third], "absent for the whole history")

    run("backup", backup, "--connect", f"127.0.0.1:{third.port}")
    history.write([first, second, third])
    history.check([first, second, third], "before the restore")
    third.kill()

    def restore():
        shutil.move(directory, old)
        run("restore", backup, "--data", directory)
        start(third)

    history.write([first, second], restore)
    history.write([third])
    history.check([first, second, third], "restored from an old backup")

    assert third.stop() == 0
    shutil.copytree(directory, os.path.join(cluster.directory, fourth.name))
    start(third)
    history.write([first, third], lambda: start(fourth))
    assert node(third) != node(fourth)
    history.write([second, third, fourth])
    history.check(cluster.replicas, "copied")
    assert fourth.stop() == 0

    assert third.stop() == 0
    shutil.rmtree(old)
    shutil.copytree(directory, old)
    start(third)
    history.write([first, second, third])
    history.check([first, second, third], "before the directory is put back")
    before = node(third)
    third.kill()
    shutil.rmtree(directory)
    shutil.copytree(old, directory)
    history.write([first, second], lambda: start(third))
    assert node(third) != before
    history.write([third])
    history.check([first, second, third], "put back by a tool for files")


def states(lost):
    """What the journal of a resubmission says of each line; one that is cut off says nothing."""
    try:
        with open(lost + ".done", encoding="utf-8") as lines:
            notes = [json.loads(line) for line in lines if line.endswith("\n")]
    except FileNotFoundError:
        return {}
    return {note["line"]: note["state"] for note in notes}


def taken(replica, lost, before):
    """Whether an addition that was sent and not answered counts, if there is such a one."""
    with open(lost, encoding="utf-8") as lines:
        adds = {number for number, line in enumerate(lines, 1)
                if json.loads(line)["operations"][0]["operation"] == "add"}
    known = states(lost)
    done = sum(known.get(line) == "done" for line in adds)
    unanswered = {line for line, state in known.items() if state == "sent"}
    print(f"killed: {len(known)} lines, unanswered {unanswered}, additions {unanswered & adds}")
    added = int(command(replica, "GET", "count")) - before - done
    assert added in ((0, 1) if unanswered & adds else (0,)), added
    return added == 1


def resubmit(replica, lost):
    """By a tool that is killed half-way, and goes on."""
    line = [BINARY, "cluster", "resubmit", "--input", lost, "--yes", *at(replica)]
    before = int(command(replica, "GET", "count"))
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as tool_process:
        until("it is under way", lambda: len(states(lost)) > ROUNDS)
        assert tool_process.poll() is None, "it was over before it could be killed"
        tool_process.kill()
    time.sleep(1)  # what it had sent last is done by then, or never
    how = ["--unanswered", "skip" if taken(replica, lost, before) else "send"]
    if "sent" in states(lost).values():
        assert "no answer came" in tool(*line[2:], expected=2)
    print(run(*line[1:], *how), flush=True)
    assert set(states(lost).values()) == {"done"}
    assert "; 0 to be sent" in run(*line[1:])


def evicted(cluster, history):
    """The third once more, which is written to while the others decide to do without it."""
    first, second, third = members = cluster.replicas[:3]
    until("links", lambda: all(len(status(one)["candidates"]) == 3 for one in members))
    tool("apply", "init", "--yes", *at(first))
    until("all know", lambda: all(epoch(one) == 1 for one in members))
    for other in (first, second):
        assert command(third, "CRDT.LINK", other.name, "DOWN") == "OK"
    history.write([first, third])
    tool("apply", "evict", third.name, "--yes", *at(first))
    until("agreed", lambda: status(first)["former"][0]["last_events"] is not None)
    for other in (first, second):
        assert command(third, "CRDT.LINK", other.name, "UP") == "OK"
    until("it knows", lambda: standing(third) == "former" and
          status(third)["former"][0]["last_events"] is not None)
    assert third.stop() == 0
    lost = os.path.join(cluster.directory, "lost.jsonl")
    tool("rejoin", "--data", os.path.join(cluster.directory, third.name), "--output", lost)
    start(third)
    until("seen", lambda: [one["name"] for one in status(first)["candidates"]] == [third.name])
    tool("apply", "join", third.name, "--yes", *at(first))
    until("active again", lambda: standing(third) == "active")
    wait_converged(members, SECONDS)
    without = int(command(second, "GET", "count"))
    assert without <= sum(history.rounds.values()) - ROUNDS, "nothing was lost"
    resubmit(second, lost)
    history.check(members, "evicted, and what it alone had resubmitted")


def main():
    """The cluster is removed at its end, however that comes."""
    cluster = Cluster(4, ["--copy-rows", "100", "--log-retention-bytes", "1mb"])
    for replica in cluster.replicas:
        with open(replica.log_path, "a", encoding="utf-8"):
            pass  # so that it is there when one that never ran is asked for its last words
    try:
        history = History()
        life(cluster, history)
        evicted(cluster, history)
    except BaseException:
        cluster.__exit__(*sys.exc_info())
        raise
    cluster.__exit__(None, None, None)


if __name__ == "__main__":
    main()
