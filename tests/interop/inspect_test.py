"""syncline inspect on three real replicas: before, while and after one of them is cut off."""

import json
import os
import signal
import socket
import subprocess
import time
import unittest

import cluster

BINARY = os.environ["SYNCLINE_BINARY"]
SECONDS = 30


def inspect(*arguments, env=None):
    """The finished process of `syncline inspect ...`."""
    return subprocess.run([BINARY, "inspect", *arguments], capture_output=True, text=True,
                          timeout=60, check=False, env={**os.environ, **(env or {})})


def inspect_json(*arguments):
    """Exit code and parsed JSON."""
    done = inspect(*arguments, "--json")
    return done.returncode, json.loads(done.stdout)


def linked(replica, count):
    """Whether a replica has links to so many named peers."""
    with replica.connect() as connection:
        peers = connection.command("CRDT.PEERS")
    fields = [dict(zip(peer[::2], peer[1::2])) for peer in peers if peer]
    return sum(peer[b"link"] == b"up" and peer[b"name"] != b"" for peer in fields) >= count


class Inspect(unittest.TestCase):
    """One cluster for all tests; each leaves the links up."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.Cluster(3)
        cls.cluster.__enter__()
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.replicas = cls.cluster.replicas
        cls.nodes = ",".join(f"127.0.0.1:{replica.port}" for replica in cls.replicas)
        cls.wait_links()

    @classmethod
    def wait_links(cls):
        """Until everybody is linked to everybody."""
        deadline = time.monotonic() + SECONDS
        while not all(linked(replica, 2) for replica in cls.replicas):
            if time.monotonic() > deadline:
                raise RuntimeError("the replicas do not find each other")
            time.sleep(0.05)

    def run_on(self, index, *arguments):
        """One command on one replica."""
        with self.replicas[index].connect() as connection:
            return connection.command(*arguments)

    def cut(self, up):
        """Links between the third replica and the others."""
        for index in (0, 1):
            self.run_on(index, "CRDT.LINK", "n3", up)
            self.run_on(2, "CRDT.LINK", f"n{index + 1}", up)

    def converge(self):
        """Until all hold the same."""
        cluster.wait_converged(self.replicas, SECONDS)

    def test_status_and_key_around_a_cut(self):
        self.run_on(0, "SET", "k", "before")
        self.converge()
        code, status = inspect_json("status", "--connect", self.nodes)
        self.assertEqual(code, 0)
        self.assertEqual(status["agreement"]["state"], "equal")
        self.assertEqual([node["name"] for node in status["nodes"]], ["n1", "n2", "n3"])

        self.cut("down")
        try:
            self.run_on(0, "SET", "k", "left")
            self.run_on(2, "SET", "k", "right")
            cluster.wait_converged(self.replicas[:2], SECONDS)
            code, status = inspect_json("status", "--connect", self.nodes)
            self.assertEqual(code, 4)
            self.assertEqual(status["agreement"]["state"], "behind")
            self.assertEqual([node["events_missing"] for node in status["nodes"]], [1, 1, 1])
            code, key = inspect_json("key", "k", "--connect", self.nodes)
            self.assertEqual(code, 4)
            self.assertEqual([variant["nodes"] for variant in key["cells"][0]["variants"]],
                             [["n1", "n2"], ["n3"]])
            text = inspect("peers", "--connect", self.nodes)
            self.assertEqual(text.returncode, 0)
            self.assertIn("1 behind, blocked", text.stdout)
            code, peers = inspect_json("peers", "--connect", self.nodes)
            seen = {(one["node"], one["of"]): one for one in peers["seen"]}
            self.assertEqual(seen["n1", "n3"]["events_missing"], 1)
            self.assertEqual(seen["n1", "n2"]["events_missing"], 0)
            self.assertEqual(seen["n3", "n1"]["link"], "blocked")
        finally:
            self.cut("up")

        self.converge()
        code, key = inspect_json("key", "k", "--connect", self.nodes)
        self.assertEqual(code, 0)
        dots = key["cells"][0]["variants"][0]["cell"]["dots"]
        self.assertEqual(sorted(dot["value"] for dot in dots), ["left", "right"])
        self.assertEqual(sorted(dot["origin"] for dot in dots), ["n1", "n3"])
        self.assertEqual(sum(dot["winner"] for dot in dots), 1)

    def make_conflict(self, key):
        """Writes on both sides of a cut."""
        self.cut("down")
        try:
            self.run_on(0, "SET", key, "left")
            self.run_on(2, "SET", key, "right")
        finally:
            self.cut("up")
        self.converge()

    def test_conflicts_are_told_once_with_who_has_them(self):
        self.make_conflict("feed:1")
        self.make_conflict("feed:2")
        code, feed = inspect_json("conflicts", "--key", "feed:1", "--connect", self.nodes)
        self.assertEqual((code, len(feed["conflicts"])), (0, 1), feed)
        only = feed["conflicts"][0]
        self.assertEqual((only["key"], only["kind"], sorted(only["nodes"])),
                         ("feed:1", "write-write", ["n1", "n2", "n3"]))
        self.assertEqual({only["winner"]["value"], only["loser"]["value"]}, {"left", "right"})
        self.assertEqual({only["winner"]["origin"], only["loser"]["origin"]}, {"n1", "n3"})
        # The winner is what a reader sees.
        self.assertEqual(self.run_on(1, "GET", "feed:1").decode(), only["winner"]["value"])
        # The newest last, and only so many.
        code, feed = inspect_json("conflicts", "--count", "1", "--connect", self.nodes)
        self.assertEqual([one["key"] for one in feed["conflicts"]], ["feed:2"])
        text = inspect("conflicts", "--connect", self.nodes).stdout
        self.assertLess(text.index("feed:1"), text.index("feed:2"))
        self.assertIn("older ones are not shown",
                      inspect("conflicts", "--count", "1", "--connect", self.nodes).stdout)
        self.assertEqual(inspect("conflicts", "--count", "0").returncode, 2)

    def test_a_record_is_one_though_clocks_went_on(self):
        self.cut("down")
        try:
            self.run_on(0, "SET", "clocks:1", "left")
            self.run_on(2, "SET", "clocks:1", "right")
            # The first node's clock is now past both sides, and so is its time of the record.
            self.run_on(0, "SET", "clocks:2", "later")
        finally:
            self.cut("up")
        self.converge()
        times = []
        for replica in self.replicas:
            _, feed = inspect_json("conflicts", "--key", "clocks:1", "--connect",
                                   f"127.0.0.1:{replica.port}")
            times += [record["first_seen"] for record in feed["conflicts"]]
        _, feed = inspect_json("conflicts", "--key", "clocks:1", "--connect", self.nodes)
        self.assertEqual(len(feed["conflicts"]), 1, feed)
        self.assertEqual(sorted(feed["conflicts"][0]["nodes"]), ["n1", "n2", "n3"])
        self.assertEqual(feed["conflicts"][0]["first_seen"], min(times))

    def test_conflicts_can_be_followed(self):
        with subprocess.Popen(
                [BINARY, "inspect", "conflicts", "--follow", "--json", "--key", "follow:1",
                 "--connect", self.nodes], stdout=subprocess.PIPE, text=True) as process:
            try:
                self.make_conflict("follow:1")
                line = json.loads(process.stdout.readline())
                self.assertEqual((line["key"], line["kind"]), ("follow:1", "write-write"))
                self.make_conflict("follow:1")
                other = json.loads(process.stdout.readline())
                self.assertNotEqual(other["id"], line["id"])  # all three have it, it came once
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.stdout.read(), "")
                self.assertEqual(process.wait(SECONDS), 0)
            finally:
                process.kill()

    def test_counters_show_what_each_node_added(self):
        self.run_on(0, "INCRBY", "n", 5)
        self.run_on(1, "INCRBY", "n", -2)
        self.converge()
        code, key = inspect_json("key", "n", "--connect", self.nodes)
        self.assertEqual(code, 0)
        cell = key["cells"][0]["variants"][0]["cell"]
        self.assertEqual(cell["value"], "3")
        self.assertEqual({part["origin"]: part["adds"] for part in cell["counter"]},
                         {"n1": 5, "n2": -2})

    def test_diff_of_equal_cut_and_missing_nodes(self):
        self.converge()
        first, last = (f"127.0.0.1:{self.replicas[index].port}" for index in (0, 2))
        code, diff = inspect_json("diff", first, last)
        self.assertEqual((code, diff["differing"], diff["rows"]), (0, 0, []))
        self.run_on(0, "SET", "diff:equal", "1")
        self.converge()
        done = inspect("diff", first, last)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("n1 and n3 hold the same rows", done.stdout)
        # Without a link there is nothing to compare by.
        self.cut("down")
        try:
            done = inspect("diff", first, last)
            self.assertEqual(done.returncode, 1)
            self.assertIn("syncline inspect:", done.stderr)
        finally:
            self.cut("up")
        self.converge()
        self.assertEqual(inspect("diff", first).returncode, 2)
        self.assertEqual(inspect("diff", first, "127.0.0.1:1").returncode, 3)

    def test_diff_replies_in_order_and_holds_up_nobody(self):
        self.converge()
        with self.replicas[0].connect() as asker, self.replicas[0].connect() as other:
            for request in (("SET", "order", "1"), ("CRDT.DIFF", "n2"), ("GET", "order"),
                            ("CRDT.DIFF", "nobody"), ("CRDT.DIFF", "n2", "COUNT", "x"), ("PING",)):
                asker.send(*request)
            self.assertEqual(other.command("PING"), "PONG")
            self.assertEqual(asker.receive(), "OK")
            try:
                reply = asker.receive()
                self.assertIn(b"differing", reply)
            except cluster.ReplyError as error:  # another test's session is not over yet
                self.assertIn("ask again", str(error))
            self.assertEqual(asker.receive(), b"1")
            for _ in range(2):
                with self.assertRaises(cluster.ReplyError):
                    asker.receive()
            self.assertEqual(asker.receive(), "PONG")

    def test_one_field_of_a_hash(self):
        self.run_on(0, "HSET", "h", "f", "1", "g", "2")
        _, key = inspect_json("key", "h", "--field", "g",
                              "--connect", f"127.0.0.1:{self.replicas[0].port}")
        self.assertEqual([cell["field"] for cell in key["cells"]], ["g"])

    def test_values_cannot_steer_the_terminal(self):
        self.run_on(0, "SET", "evil", b"\x1b[2J\xff")
        node = f"127.0.0.1:{self.replicas[0].port}"
        text = inspect("key", "evil", "--connect", node)
        self.assertNotIn("\x1b", text.stdout)
        self.assertIn(r'"\x1b[2J\xff"', text.stdout)
        _, key = inspect_json("key", "evil", "--connect", node)
        dot = key["cells"][0]["variants"][0]["cell"]["dots"][0]
        self.assertEqual(dot["value"], {"hex": "1b5b324aff"})

    def test_colors_are_for_those_who_want_them(self):
        node = f"127.0.0.1:{self.replicas[0].port}"
        self.assertNotIn("\x1b", inspect("status", "--connect", node).stdout)
        colored = inspect("status", "--connect", node, "--color", "always")
        self.assertIn("\x1b[32m", colored.stdout)

    def test_nodes_that_do_not_answer_are_named(self):
        with socket.socket() as taken:  # bound and not listening: refused
            taken.bind(("127.0.0.1", 0))
            gone = f"127.0.0.1:{taken.getsockname()[1]}"
            done = inspect("status", "--connect", gone)
            self.assertEqual(done.returncode, 3)
            self.assertIn(f"no answer from {gone}", done.stdout)
            code, status = inspect_json("status", "--connect", f"{self.nodes},{gone}")
            self.assertIn(code, (0, 4))
            self.assertEqual([node["reachable"] for node in status["nodes"]],
                             [True, True, True, False])
            self.assertEqual(inspect("key", "k", "--connect", gone).returncode, 3)
            self.assertEqual(inspect("peers", "--connect", gone).returncode, 3)

    def test_wrong_flags_are_usage_errors(self):
        for arguments in ([], ["nonsense"], ["status", "--nonsense"], ["key"],
                          ["status", "--connect", "no-port"], ["status", "--color", "pink"],
                          ["status", "--connect", "a:1,a:1"], ["status", "--timeout-ms", "0"]):
            done = inspect(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertNotEqual(done.stdout + done.stderr, "", arguments)

    def test_help_has_an_example(self):
        for question in ("status", "peers", "key", "conflicts", "diff"):
            done = inspect(question, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("Example:", done.stdout)


class InspectStopped(unittest.TestCase):
    """What directories tell when nobody runs on them; nothing in them changes by asking."""

    def test_directories_beside_running_nodes(self):
        with cluster.Cluster(3) as replicas:
            first, second, third = replicas.replicas
            paths = [os.path.join(replicas.directory, f"n{number}") for number in (1, 2, 3)]
            with first.connect() as left, second.connect() as right:
                for other in ("n2", "n3"):  # the third would hand it on
                    left.command("CRDT.LINK", other, "down")
                left.command("SET", "k", "left")
                right.command("SET", "k", "right")
                for other in ("n2", "n3"):
                    left.command("CRDT.LINK", other, "up")
                cluster.wait_converged(replicas.replicas, SECONDS)
                shown = left.command("GET", "k").decode()
                clock = cluster.clock(left)
            self.assertEqual(first.stop(), 0)
            with second.connect() as right:
                right.command("SET", "late", "1")
                cluster.wait_converged([second, third], SECONDS)
            second.kill()

            both = ("--data", paths[0], "--data", paths[1])
            code, status = inspect_json("status", "--data", paths[0])
            (node,) = status["nodes"]
            self.assertEqual((code, node["name"], node["health"]), (0, "n1", "stopped"))
            self.assertEqual(node["root"], clock["root"].decode())
            code, status = inspect_json("status", *both, "--connect", f"127.0.0.1:{third.port}")
            self.assertEqual((code, status["agreement"]["state"]), (4, "behind"))
            self.assertEqual({node["name"]: node["events_missing"] for node in status["nodes"]},
                             {"n1": 1, "n2": 0, "n3": 0})
            code, key = inspect_json("key", "k", *both)
            self.assertEqual(code, 0)
            (variant,) = key["cells"][0]["variants"]
            self.assertEqual((variant["nodes"], variant["cell"]["value"]), (["n1", "n2"], shown))
            self.assertEqual(inspect("key", "late", *both).returncode, 4)
            code, feed = inspect_json("conflicts", "--data", paths[0])
            self.assertEqual((code, feed["conflicts"][0]["winner"]["value"]), (0, shown))

            running = inspect("status", "--data", paths[2])
            self.assertEqual(running.returncode, 3)
            self.assertIn("another process holds", running.stdout)
            first.start()  # it goes on as if nobody had looked
            first.wait_ready()
            cluster.wait_converged([first, third], SECONDS)

    def test_what_is_no_data_directory(self):
        for arguments in (("status", "--data", "/nonexistent"), ("key", "k", "--data", "/"),
                          ("conflicts", "--follow", "--data", "/")):
            done = inspect(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
