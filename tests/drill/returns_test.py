"""Replicas that come back, or come as somebody else: one that was absent for the whole history, one
restored from an old backup, one whose directory was copied, and one whose directory was put back by
a tool for files. Meanwhile the others go on writing and removing.

Usage: returns_test.py. After each return all converge; nothing acknowledged is missing, nothing
counts twice, and nothing that was removed comes back. SYNCLINE_ROUNDS says how much each writer
writes at least, in sets of five commands (default 150).
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Cluster, Writer, wait_converged  # noqa: E402

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


def main():
    """The cluster is removed at its end, however that comes."""
    cluster = Cluster(4, ["--copy-rows", "100", "--log-retention-bytes", "1mb"])
    for replica in cluster.replicas:
        with open(replica.log_path, "a", encoding="utf-8"):
            pass  # so that it is there when one that never ran is asked for its last words
    try:
        life(cluster, History())
    except BaseException:
        cluster.__exit__(*sys.exc_info())
        raise
    cluster.__exit__(None, None, None)


if __name__ == "__main__":
    main()
