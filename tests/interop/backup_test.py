"""Backups of real processes: made under load, verified, damaged, restored, merged; and exports."""

import json
import os
import shutil
import subprocess
import sys
import time
import unittest

from cluster import Cluster, ReplyError, Writer, wait_converged

BINARY = os.environ["SYNCLINE_BINARY"]


def run(*arguments, code=0, stdin=None):
    """Runs the binary; what it printed."""
    done = subprocess.run([BINARY, *arguments], capture_output=True, check=False, input=stdin,
                          timeout=120)
    if done.returncode != code:
        raise AssertionError(f"{arguments} ended with {done.returncode}, not {code}:\n"
                             f"{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout + (b"" if code == 0 else done.stderr)


def writer_to(replica, name):
    """Increments a counter and adds members."""
    return Writer(replica, lambda number: [("INCR", "count"),
                                           ("SADD", "members", f"{name}:{number}")])


def wait_for(condition, seconds=60):
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.05)


def vector(replica):
    """Actor -> counter, as the replica has it."""
    with replica.connect() as connection:
        reply = connection.command("CRDT.CLOCK")
    pairs = dict(zip(reply[::2], reply[1::2]))[b"vv"]
    return dict(zip(pairs[::2], pairs[1::2]))


def status(replica):
    """CRDT.BACKUP STATUS as a dict."""
    with replica.connect() as connection:
        reply = connection.command("CRDT.BACKUP", "STATUS")
    return dict(zip(reply[::2], reply[1::2]))


def fill(connection, count):
    """So many keys of 1 KiB."""
    for first in range(0, count, 500):
        for index in range(first, min(count, first + 500)):
            connection.send("SET", f"key:{index}", b"v" * 1024)
        for _ in range(first, min(count, first + 500)):
            connection.receive()


class BackupTest(unittest.TestCase):
    """One test is one life of a cluster."""

    def test_a_replica_restored_from_a_backup_under_load_merges(self):
        """Nothing acknowledged is lost, and nothing counts twice."""
        with Cluster(3) as cluster:
            first, second, third = cluster.replicas
            with first.connect() as connection:
                fill(connection, 3000)
            writers = [writer_to(replica, replica.name) for replica in cluster.replicas]
            for writer in writers:
                writer.start()
            backup = os.path.join(cluster.directory, "backup")
            printed = run("backup", backup, "--connect", f"127.0.0.1:{first.port}")
            self.assertIn(b"rows", printed)
            self.assertIn(b"is sound", run("verify", backup))
            # What only the first has when it dies is lost with it, as ever: nothing here.
            counts = [writers[0].finish()]
            mine = vector(first)
            wait_for(lambda: all(vector(other).get(actor, 0) >= counter
                                 for other in (second, third) for actor, counter in mine.items()))
            first.kill()
            data = os.path.join(cluster.directory, first.name)
            old = os.path.join(cluster.directory, "old")
            shutil.move(data, old)
            printed = run("restore", backup, "--data", data)
            self.assertIn(b"CRDT.FORGET", printed)
            first.start()
            first.wait_ready()
            again = writer_to(first, "again")
            again.start()
            wait_for(lambda: again.acknowledged > 100)
            counts += [writer.finish() for writer in (writers[1], writers[2], again)]
            wait_converged(cluster.replicas, 60)
            for replica in cluster.replicas:
                with replica.connect() as connection:
                    self.assertEqual(int(connection.command("GET", "count")), sum(counts))
                    self.assertEqual(connection.command("SCARD", "members"), sum(counts))

    def test_damage_is_found_and_a_rollback_is_a_cluster_of_its_own(self):
        """A flipped byte or a shorter file anywhere; then the sound backup, rolled back."""
        with Cluster(1) as cluster:
            replica = cluster.replicas[0]
            with replica.connect() as connection:
                fill(connection, 300)
                connection.command("INCRBY", "count", 7)
                connection.command("BC.INCR", "stock", 5)
            replica.stop()
            data = os.path.join(cluster.directory, replica.name)
            backup = os.path.join(cluster.directory, "backup")
            run("backup", backup, "--data", data)
            new = os.path.join(cluster.directory, "new")
            for name in os.listdir(backup):
                path = os.path.join(backup, name)
                with open(path, "rb") as file:
                    sound = file.read()
                middle = len(sound) // 2
                flipped = sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1:]
                for damaged in (flipped, sound[:-1], b""):
                    with open(path, "wb") as file:
                        file.write(damaged)
                    run("verify", backup, code=1)
                    run("restore", backup, "--data", new, code=1)
                    self.assertFalse(os.path.exists(new))
                with open(path, "wb") as file:
                    file.write(sound)
            run("restore", backup, "--data", data, code=2)  # it is not empty
            shutil.move(data, data + "-old")
            run("restore", backup, "--data", data, "--as", "rollback")
            replica.start()
            replica.wait_ready()
            with replica.connect() as connection:
                self.assertEqual(connection.command("DBSIZE"), 302)
                self.assertEqual(int(connection.command("INCR", "count")), 8)
                self.assertEqual(connection.command("BC.DECR", "stock", 5), 0)

    def test_a_backup_can_be_slow_cancelled_and_killed(self):
        """What is left then is no backup, and says so."""
        with Cluster(1) as cluster:
            replica = cluster.replicas[0]
            paths = [os.path.join(cluster.directory, f"backup-{i}") for i in range(2)]
            with replica.connect() as connection:
                fill(connection, 5000)
                with self.assertRaises(ReplyError):
                    connection.command("CRDT.BACKUP", "relative/path")
                with self.assertRaises(ReplyError):
                    connection.command("CRDT.BACKUP", "CANCEL")
                connection.command("CRDT.BACKUP", paths[0], "RATE", 100000)
                wait_for(lambda: status(replica)[b"rows"] > 0)
                with self.assertRaises(ReplyError):
                    connection.command("CRDT.BACKUP", paths[1])
                connection.command("CRDT.BACKUP", "CANCEL")
                wait_for(lambda: status(replica)[b"state"] == b"cancelled")
                self.assertIn(b"not finished", run("verify", paths[0], code=1))
                connection.command("CRDT.BACKUP", paths[1], "RATE", 100000)
                wait_for(lambda: status(replica)[b"rows"] > 0)
            replica.kill()
            self.assertIn(b"not finished", run("verify", paths[1], code=1))
            run("restore", paths[1], "--data", os.path.join(cluster.directory, "new"), code=1)
            replica.start()
            replica.wait_ready()


def make_one_of_each(connection):
    """Keys of all types; bytes that are no text; more elements than a piece has."""
    connection.command("SET", b"bytes\xff", b"\x00\xfe")
    connection.command("SET", "string", "value", "PX", 100000000)
    for first in range(0, 2500, 500):
        numbers = range(first, first + 500)
        connection.command("HSET", "hash", *[part for n in numbers for part in (f"f{n}", n)])
        connection.command("SADD", "set", *[f"m{n}" for n in numbers])
        connection.command("ZADD", "zset", *[part for n in numbers for part in (n / 4, f"m{n}")])
        connection.command("RPUSH", "list", *[f"e{n}" for n in numbers])
    connection.command("TEXT.APPEND", "text", "grün " * 20000)
    connection.command("TEXT.APPEND", "empty", "x")
    connection.command("TEXT.ERASE", "empty", 0, 1)
    connection.command("MV.SET", "mv", "one")
    connection.command("FLAG.ENABLE", "flag")
    connection.command("BC.INCR", "bc", 12)


READS = [("GET", b"bytes\xff"), ("GET", "string"), ("PEXPIRETIME", "string"), ("HLEN", "hash"),
         ("HGET", "hash", "f2499"), ("SCARD", "set"), ("ZRANGE", "zset", 0, -1, "WITHSCORES"),
         ("LRANGE", "list", 0, -1), ("TEXT.GET", "text"), ("TEXT.GET", "empty"),
         ("FLAG.GET", "flag"), ("BC.GET", "bc"), ("DBSIZE",)]


def read_all(replica):
    """What clients see of them."""
    with replica.connect() as connection:
        return [connection.command(*read) for read in READS] + [
            connection.command("MV.GET", "mv")[3]]


class ExportTest(unittest.TestCase):
    """From one replica to another that knows nothing of it."""

    def test_what_is_exported_can_be_imported_again_and_again(self):
        """As JSON lines and as commands; from a replica that runs, and from its directory."""
        with Cluster(1) as source, Cluster(1) as target:
            one, other = source.replicas[0], target.replicas[0]
            with one.connect() as connection:
                make_one_of_each(connection)
            wanted = read_all(one)
            connect = f"127.0.0.1:{one.port}"
            lines = run("export", "--connect", connect)
            commands = run("export", "--connect", connect, "--format", "resp")
            objects = [json.loads(line) for line in lines.splitlines()]
            self.assertEqual(sum(item["key"] == "list" for item in objects), 3)
            self.assertIn({"hex": "6279746573ff"}, [item["key"] for item in objects])
            to = ["--connect", f"127.0.0.1:{other.port}"]
            run("import", "-", *to, stdin=lines)
            self.assertEqual(read_all(other), wanted)
            run("import", "-", *to, stdin=lines)
            self.assertEqual(read_all(other), wanted)
            run("import", "-", *to, "--format", "resp", stdin=commands)
            with other.connect() as connection:
                self.assertEqual(connection.command("BC.GET", "bc"), 24)
            wanted_again = list(wanted)
            wanted_again[READS.index(("BC.GET", "bc"))] = 24
            self.assertEqual(read_all(other), wanted_again)
            one.stop()
            path = os.path.join(source.directory, one.name)
            self.assertEqual(run("export", "--data", path), lines)
            self.assertEqual(run("export", "--data", path, "--prefix", "ha").count(b"\n"), 3)

    def test_bad_lines_are_told_with_their_number(self):
        """And the rest goes on, or not."""
        with Cluster(1) as cluster:
            replica = cluster.replicas[0]
            to = ["--connect", f"127.0.0.1:{replica.port}"]
            lines = (b'{"key":"a","type":"string","value":"1"}\n'
                     b'nonsense\n'
                     b'{"key":"b","type":"zset","values":[["m","no number"]]}\n'
                     b'{"key":"c","type":"string","value":"3"}\n')
            told = run("import", "-", *to, stdin=lines, code=1)
            self.assertIn(b"line 2:", told)
            self.assertIn(b"line 3:", told)
            self.assertIn(b"4 lines, 2 failed", told)
            with replica.connect() as connection:
                self.assertEqual(connection.command("GET", "c"), b"3")
                connection.command("DEL", "c")
            told = run("import", "-", *to, "--stop", stdin=lines, code=1)
            self.assertIn(b"--skip 1", told)
            with replica.connect() as connection:
                self.assertIsNone(connection.command("GET", "c"))
            run("import", "-", *to, "--skip", "3", stdin=lines)
            with replica.connect() as connection:
                self.assertEqual(connection.command("GET", "c"), b"3")

    @unittest.skipUnless(shutil.which("redis-cli"), "needs redis-cli")
    def test_redis_cli_takes_the_commands(self):
        """All of them, without an error."""
        with Cluster(1) as source, Cluster(1) as target:
            with source.replicas[0].connect() as connection:
                make_one_of_each(connection)
            commands = run("export", "--connect", f"127.0.0.1:{source.replicas[0].port}",
                           "--format", "resp")
            done = subprocess.run(
                ["redis-cli", "-p", str(target.replicas[0].port), "--pipe"], input=commands,
                capture_output=True, check=True, timeout=60)
            self.assertIn(b"errors: 0", done.stdout)
            self.assertEqual(read_all(target.replicas[0]), read_all(source.replicas[0]))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
