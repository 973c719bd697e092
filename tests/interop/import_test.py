"""syncline import --from: keys of all types of a redis-server in a replica, value by value."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import cluster

BINARY = os.environ["SYNCLINE_BINARY"]
PASSWORD = "correct horse"
BIG = 100_000
SLACK_MS = 2000


class Redis:
    """A redis-server of our own, with a password; a context manager."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="syncline-redis-")
        self.port = cluster.free_ports(1)[0]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            ["redis-server", "-"], cwd=self.directory, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL)
        self.process.stdin.write(f"port {self.port}\nbind 127.0.0.1\nsave ''\n"
                                 f"requirepass \"{PASSWORD}\"\n".encode())
        self.process.stdin.close()
        deadline = time.monotonic() + 30
        while True:
            try:
                self.connect().close()
                return self
            except (OSError, cluster.ReplyError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def connect(self, database=0):
        """A connection that is let in."""
        connection = cluster.Connection(self.port, 60)
        connection.command("AUTH", PASSWORD)
        connection.command("SELECT", database)
        return connection

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def run(*arguments, code=0, password=PASSWORD):
    """Both outputs of `syncline import`."""
    done = subprocess.run([BINARY, "import", *map(str, arguments)], capture_output=True,
                          timeout=300, check=False, text=True,
                          env={**os.environ, "SYNCLINE_FROM_PASSWORD": password})
    if done.returncode != code:
        raise AssertionError(f"{arguments}: code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def fill(connection):
    """Keys of all types that both have; small, large, binary, ending."""
    binary = bytes(range(256))
    connection.command("SET", b"bin\x00\xff\r\n", binary * 10)
    connection.command("SET", "empty", "")
    connection.command("SET", "number", "-17")
    connection.command("SET", "large", os.urandom(5 << 20))
    connection.command("SET", "ending", "soon", "PX", 3_600_000)
    connection.command("SETRANGE", "zeros", 1000, "x")
    connection.command("PFADD", "hll", *range(2000))
    connection.command("HSET", "hash", "f", "v", b"\xfe\x00", binary, "", "no name")
    connection.command("SADD", "ints", *range(300))
    connection.command("SADD", "set", "a", binary, "")
    connection.command("ZADD", "zset", "-inf", "low", "inf", "high", "0.1", binary, "1e300", "big")
    connection.command("RPUSH", "list", *["same"] * 3, binary, "")
    connection.command("EXPIRE", "list", 7200)
    connection.command("RPUSH", "queue", *range(2500))
    connection.command("GEOADD", "geo", "13.361389", "38.115556", "Palermo")
    for index in range(1200):
        connection.send("SET", f"many:{index}", index)
    for index in range(1200):
        connection.receive()
    step = 10_000
    for first in range(0, BIG, step):
        numbers = range(first, first + step)
        connection.command("SADD", "big set", *(f"member-{n}" for n in numbers))
    connection.command("HSET", "big hash", *(x for n in range(5000) for x in (f"f{n}", n)))
    connection.command("EXPIRE", "big set", 86_400)
    connection.command("RPUSH", "long elements", *[os.urandom(3 << 20) for _ in range(3)])


def pairs(flat):
    """A flat reply as a dict."""
    return dict(zip(flat[::2], flat[1::2]))


READS = {
    "string": lambda c, key: c.command("GET", key),
    "hash": lambda c, key: pairs(c.command("HGETALL", key)),
    "set": lambda c, key: set(c.command("SMEMBERS", key)),
    "zset": lambda c, key: c.command("ZRANGE", key, 0, -1, "WITHSCORES"),
    "list": lambda c, key: c.command("LRANGE", key, 0, -1),
}


class Import(unittest.TestCase):
    """One Redis for all, and a fresh replica for each."""

    @classmethod
    def setUpClass(cls):
        cls.redis = cls.enterClassContext(Redis())
        with cls.redis.connect() as connection:
            fill(connection)
        cls.url = f"redis://127.0.0.1:{cls.redis.port}"

    def setUp(self):
        self.replica = self.enterContext(cluster.Cluster(1)).replicas[0]
        self.to = f"127.0.0.1:{self.replica.port}"

    def wait_keys(self, count):
        """Until the replica has so many."""
        with self.replica.connect() as connection:
            while connection.command("DBSIZE") < count:
                time.sleep(0.002)

    def assert_equal_keys(self, database=0):
        """Each value and each end there is what it is here; nothing is there besides."""
        with self.redis.connect(database) as one, self.replica.connect(60) as other:
            keys = one.command("KEYS", "*")
            self.assertEqual(sorted(other.command("KEYS", "*")), sorted(keys))
            for key in keys:
                kind = one.command("TYPE", key)
                self.assertEqual(other.command("TYPE", key), kind, key)
                self.assertEqual(READS[kind](other, key), READS[kind](one, key), key[:40])
                ends = [c.command("PEXPIRETIME", key) for c in (one, other)]
                self.assertEqual(ends[0] < 0, ends[1] < 0, (key, ends))
                self.assertLess(abs(ends[0] - ends[1]), SLACK_MS, (key, ends))
            return len(keys)

    def test_all_types_arrive_and_a_second_time_changes_nothing(self):
        with self.replica.connect() as connection:  # what was there before goes
            connection.command("RPUSH", "list", "old")
        told = run("--from", self.url, "--to", self.to)
        count = self.assert_equal_keys()
        self.assertIn(f"{count} keys, 0 failed", told)
        run("--from", self.url, "--to", self.to)
        self.assertEqual(self.assert_equal_keys(), count)

    def test_a_pattern_and_a_dry_run(self):
        told = run("--from", self.url, "--to", self.to, "--match", "many:1?", "--dry-run")
        self.assertIn("10 keys would be imported", told)
        with self.replica.connect() as connection:
            self.assertEqual(connection.command("DBSIZE"), 0)
            run("--from", self.url, "--to", self.to, "--match", "many:1?")
            self.assertEqual(connection.command("DBSIZE"), 10)
            self.assertEqual(connection.command("GET", "many:17"), b"17")

    def test_what_has_no_type_here_is_named_and_the_rest_arrives(self):
        with self.redis.connect(3) as connection:
            connection.command("FLUSHDB")
            for index in range(5):
                connection.command("XADD", f"stream:{index}", "*", "f", "v")
            connection.command("SET", "k", "v")
        told = run("--from", f"{self.url}/3", "--to", self.to, code=4)
        self.assertIn("not supported: 5 keys of type stream, \"stream:", told)
        self.assertIn("1 keys, 0 failed", told)
        with self.replica.connect() as connection:
            self.assertEqual(connection.command("KEYS", "*"), [b"k"])

    def test_a_key_that_fails_is_told(self):
        """Keys of more than 64 KiB are none here."""
        with self.redis.connect(4) as connection:
            connection.command("FLUSHDB")
            connection.command("SET", "k" * 70_000, "v")
            connection.command("SET", "l" * 70_000, "v")
            connection.command("SET", "k", "v")
        told = run("--from", f"{self.url}/4", "--to", self.to, code=1)
        self.assertEqual(told.count("(70000 bytes): ERR"), 2, told)
        self.assertIn("3 keys, 2 failed", told)
        told = run("--from", f"{self.url}/4", "--to", self.to, "--stop", code=1)
        self.assertIn("begin again", told)

    def test_who_may_not_come_in_is_told_and_no_password_is(self):
        for url, password, code, why in (
                (self.url, "wrong-secret", 2, "WRONGPASS"),
                (self.url, "", 1, "NOAUTH"),
                (f"redis://u:wrong-secret@127.0.0.1:{self.redis.port}", "", 2, "WRONGPASS"),
                (f"{self.url}/99", PASSWORD, 2, "DB index"),
                ("redis://u:wrong-secret@127.0.0.1:1", "", 3, "refused"),
                ("rediss://u:wrong-secret@127.0.0.1:1", "", 2, "TLS")):
            told = run("--from", url, "--to", self.to, code=code, password=password)
            self.assertIn(why, told)
            self.assertNotIn("wrong-secret", told)
            self.assertNotIn(PASSWORD, told)

    def test_a_file_has_the_password(self):
        path = os.path.join(self.redis.directory, "password")
        with open(path, "w", encoding="ascii") as file:
            file.write(PASSWORD + "\n")
        told = run("--from", self.url, "--from-password-file", path, "--to", self.to,
                   "--match", "number", password="")
        self.assertIn("1 keys, 0 failed", told)
        run("--from", self.url, "--from-password-file", path + "-not", code=2, password="")

    def test_an_end_in_the_middle_says_where_to_go_on(self):
        """Who interrupts it is told a cursor, and from there the rest arrives."""
        importer = subprocess.Popen(
            [BINARY, "import", "--from", self.url, "--to", self.to], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**os.environ, "SYNCLINE_FROM_PASSWORD": PASSWORD})
        self.wait_keys(500)
        importer.send_signal(signal.SIGINT)
        told = importer.communicate(timeout=60)[0].decode()
        self.assertEqual(importer.returncode, 1, told)
        self.assertIn("go on with --cursor ", told)
        cursor = told.split("--cursor ")[1].split()[0]
        run("--from", self.url, "--to", self.to, "--cursor", cursor)
        self.assert_equal_keys()

    def test_a_terminal_sees_how_far_it_is(self):
        master, slave = pty.openpty()
        with subprocess.Popen(
                [BINARY, "import", "--from", self.url, "--to", self.to], stdout=subprocess.DEVNULL,
                stderr=slave, env={**os.environ, "SYNCLINE_FROM_PASSWORD": PASSWORD}) as importer:
            os.close(slave)
            self.wait_keys(200)
            with self.redis.connect() as connection:  # rates are told after a second
                connection.command("CLIENT", "PAUSE", 1200, "ALL")
            seen = b""
            while True:
                try:
                    seen += os.read(master, 4096)
                except OSError:
                    break
            self.assertEqual(importer.wait(), 0)
        os.close(master)
        self.assertRegex(seen.decode(), r"import: \d+ %, .*iB/s")


if __name__ == "__main__":
    if shutil.which("redis-server") is None:
        print("skipped: no redis-server")
        sys.exit(0)
    unittest.main(argv=[sys.argv[0], "-v"])
