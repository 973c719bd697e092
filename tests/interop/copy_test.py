"""A new replica copies the rows of a working cluster before it serves: under load, through kills of
both sides, beside a backup, and not when there are few."""

import os
import sys
import time
import unittest

from cluster import Cluster, ReplyError, Writer, wait_converged

ROWS = 60000
SECONDS = 120


def fill(replica, count, bytes_each=600):
    """Strings, and each hundredth a set, some thousand a pipeline; more than the log keeps."""
    with replica.connect(60) as connection:
        for first in range(0, count, 5000):
            for number in range(first, first + 5000):
                if number % 100 == 0:
                    connection.send("SADD", f"set:{number}", number, number + 1)
                else:
                    connection.send("SET", f"key:{number}", str(number).ljust(bytes_each, "."))
            for _ in range(5000):
                connection.receive()


def wait_for(condition, what, seconds=SECONDS):
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


def info_or_nothing(replica):
    """INFO persistence; empty while nobody listens."""
    try:
        return replica.info("persistence")
    except OSError:
        return {}


def loading(replica):
    """How far a copy is, in percent; nothing: none is under way."""
    percent = info_or_nothing(replica).get("loading_loaded_perc")
    return None if percent is None else int(percent)


def log_of(replica):
    """All that it has written."""
    with open(replica.log_path, encoding="utf-8") as log:
        return log.read()


def figure(replica, name):
    """A number of INFO persistence."""
    return int(replica.info("persistence")[name])


def settle(replicas):
    """Until all have all, and no log goes back to the beginning: it is cut at checkpoints."""
    deadline = time.monotonic() + SECONDS
    while any(figure(replica, "log_base") == 0 for replica in replicas):
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain for shorter logs")
        fill(replicas[0], 5000)
        time.sleep(1)
    wait_converged(replicas, SECONDS)


def changes(number):
    """Increments, overwrites and removes."""
    return [("INCR", "count"), ("SET", f"key:{number + 1}", "overwritten"),
            ("DEL", f"key:{ROWS - number - 1}")]


class CopyTest(unittest.TestCase):
    """Two replicas that hold rows, and a third one that comes later."""

    def setUp(self):
        self.cluster = Cluster(3, ["--copy-rows", "1000", "--log-retention-bytes", "1mb"])
        self.old = self.cluster.replicas[:2]
        self.new = self.cluster.replicas[2]
        self.addCleanup(self.cluster.__exit__, None, None, None)
        for replica in self.old:
            replica.start()
        for replica in self.old:
            replica.wait_ready()

    def value(self, replica, key):
        """GET."""
        with replica.connect() as connection:
            return connection.command("GET", key)

    def test_under_load_and_after_kills(self):
        """Kills the new one twice; whoever serves goes on with its clients."""
        fill(self.old[0], ROWS)
        settle(self.old)
        writer = Writer(self.old[0], changes)
        writer.start()
        for _ in range(2):
            self.new.start()
            # A fast machine may be done before anybody looks.
            wait_for(lambda: loading(self.new) is not None or "copy.done" in log_of(self.new),
                     "the copy")
            self.new.kill()
        self.new.start()
        self.new.wait_ready(SECONDS)
        count = writer.finish()
        wait_converged(self.cluster.replicas, SECONDS)
        self.assertEqual(self.value(self.new, "count"), str(count).encode())
        self.assertEqual(self.value(self.new, "key:1"), b"overwritten")
        self.assertIsNone(self.value(self.new, f"key:{ROWS - 1}"))
        text = log_of(self.new)
        self.assertEqual(text.count("copy.done"), 1, text)
        figures = self.new.info("syncline")
        self.assertEqual(figures["sessions_completed"], "0")
        self.assertEqual(figures["divergence_alarms"], "0")
        # It is a replica like any other, also after a restart.
        with self.new.connect() as connection:
            connection.command("SET", "from the new one", "x")
        wait_converged(self.cluster.replicas, SECONDS)
        self.assertEqual(self.new.stop(), 0)
        self.new.start()
        self.new.wait_ready()
        wait_converged(self.cluster.replicas, SECONDS)

    def test_who_serves_is_killed(self):
        """Then the other one is asked."""
        fill(self.old[0], ROWS)
        settle(self.old)
        self.new.start()
        wait_for(lambda: "copy.begun" in log_of(self.new), "the copy")
        serving = [one for one in self.old if "copy.serving" in log_of(one)]
        self.assertEqual(len(serving), 1)
        serving[0].kill()
        self.new.wait_ready(SECONDS)
        serving[0].start()
        serving[0].wait_ready()
        wait_converged(self.cluster.replicas, SECONDS)
        self.assertEqual(log_of(self.new).count("copy.done"), 1)

    def test_commands_wait(self):
        """Until a peer is there that has the rows."""
        fill(self.old[0], 5000)
        wait_converged(self.old, SECONDS)
        for replica in self.old:
            replica.kill()
        self.new.start()
        wait_for(lambda: info_or_nothing(self.new).get("loading") == "1", "the new one")
        with self.new.connect() as connection:
            with self.assertRaisesRegex(ReplyError, "^LOADING"):
                connection.command("GET", "key:1")
        for replica in self.old:
            replica.start()
        self.new.wait_ready(SECONDS)
        wait_converged(self.cluster.replicas, SECONDS)
        self.assertIn("copy.done", log_of(self.new))

    def test_few_rows_come_as_ever(self):
        """A hundred of them."""
        with self.old[0].connect() as connection:
            for number in range(100):
                connection.command("SET", number, "v")
        self.new.start()
        self.new.wait_ready()
        wait_converged(self.cluster.replicas, SECONDS)
        self.assertNotIn("copy.begun", log_of(self.new))

    def test_a_cap_is_set_at_run_time(self):
        """2 MB that cannot be compressed, 1 MB a second, of which the first quarter is free."""
        with self.old[0].connect(60) as connection:
            for number in range(2000):
                connection.send("SET", f"key:{number}", os.urandom(1000))
            for _ in range(2000):
                connection.receive()
        wait_converged(self.old, SECONDS)
        for replica in self.old:
            with replica.connect() as connection:
                connection.command("CONFIG", "SET", "repair-bandwidth", "1mb")
        before = time.monotonic()
        self.new.start()
        self.new.wait_ready(SECONDS)
        self.assertGreater(time.monotonic() - before, 1.4)
        with self.old[0].connect() as connection:
            connection.command("SET", "after", "the copy")
        wait_converged(self.cluster.replicas, SECONDS)
        figures = [replica.info("syncline") for replica in self.old]
        self.assertEqual({one["repair_bandwidth"] for one in figures}, {str(1 << 20)})
        self.assertGreater(sum(int(one["repair_bytes_sent"]) for one in figures), 2000000)
        self.assertEqual(log_of(self.new).count("copy.done"), 1)

    def test_beside_a_backup(self):
        """The log is held for one of them at a time; the other waits or is refused."""
        fill(self.old[0], 20000, 2000)
        settle(self.old)
        for replica in self.old:
            with replica.connect() as connection:
                connection.command("CRDT.BACKUP", f"{self.cluster.directory}/{replica.name}.backup",
                                   "RATE", 500000)
        self.new.start()
        wait_for(lambda: "busy with another copy or a backup" in log_of(self.new), "the refusal")
        for replica in self.old:
            with replica.connect() as connection:
                connection.command("CRDT.BACKUP", "CANCEL")
        self.new.wait_ready(SECONDS)
        wait_converged(self.cluster.replicas, SECONDS)
        self.assertIn("copy.done", log_of(self.new))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
