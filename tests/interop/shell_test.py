"""syncline shell: by pipe beside redis-cli, and on a terminal."""

import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import cluster

BINARY = os.environ["SYNCLINE_BINARY"]
SECONDS = 30

# Lines whose replies have every shape; none of them depends on the moment.
LINES = r'''
FLUSHALL
SET k "two words\x00\xff\n\"quoted\" \\"
GET k
SET single 'a b'
GET single
GET missing
INCR n
INCRBYFLOAT f 1.5
APPEND k more
RPUSH l a b c d e f g h i j k
LRANGE l 0 -1
LRANGE missing 0 -1
HSET h f1 v1 f2 v2
HGETALL h
SADD s one
SMEMBERS s
ZADD z 1.5 a -inf b
ZRANGE z 0 -1 WITHSCORES
ZSCORE z a
ZSCORE z missing
MGET k missing n
HMGET h f1 nope
LPOS l c COUNT 0
NOSUCH command
GET
INCR k
TYPE l
EXISTS k k missing
MULTI
SET t 1
INCR t
GET t
EXEC
MULTI
NOSUCH
EXEC
SCAN 0 MATCH l
OBJECT ENCODING n
GEOPOS
ECHO ""
PING
3 INCR n
GET n
'''.strip() + "\n"


class Terminal:
    """A shell that believes to be on a terminal."""

    def __init__(self, *arguments, env=None):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execve(BINARY, [BINARY, "shell", *arguments],
                      {**os.environ, "TERM": "xterm", **(env or {})})
        self.seen = ""

    def send(self, text):
        """As if it was typed at a prompt: what comes earlier is edited by the kernel."""
        deadline = time.monotonic() + SECONDS
        while termios.tcgetattr(self.terminal)[3] & termios.ICANON:
            if time.monotonic() > deadline:
                raise AssertionError("nobody reads keys")
            time.sleep(0.001)
        os.write(self.terminal, text.encode())

    def interrupt(self):
        """Ctrl-C, while no line is edited: the kernel makes a signal of it."""
        os.write(self.terminal, b"\x03")

    def expect(self, pattern):
        """Waits until it is shown, behind what was waited for before; the match."""
        deadline = time.monotonic() + SECONDS
        while True:
            plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self.seen)
            match = re.search(pattern, plain)
            if match:
                self.seen = plain[match.end():]
                return match
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                raise AssertionError(f"no {pattern!r} in {plain!r}")
            try:
                self.seen += os.read(self.terminal, 4096).decode(errors="replace")
            except OSError as error:
                raise AssertionError(f"it ended before {pattern!r}; seen {plain!r}") from error

    def line(self, text, pattern):
        """A whole line, what comes of it, and the next prompt."""
        self.send(text + "\r")
        match = self.expect(pattern)
        self.expect("> ")
        return match

    def end(self):
        """Ctrl-D; the exit code."""
        self.send("\x04")
        return self.wait()

    def wait(self):
        """The exit code, once it has ended."""
        while True:
            try:
                if not os.read(self.terminal, 4096):
                    break
            except OSError:
                break
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


class Shell(unittest.TestCase):
    """One replica for all."""

    @classmethod
    def setUpClass(cls):
        cls.replica = cls.enterClassContext(cluster.Cluster(1)).replicas[0]
        cls.to = f"127.0.0.1:{cls.replica.port}"
        cls.directory = tempfile.mkdtemp(prefix="syncline-shell-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)

    def run_shell(self, *arguments, lines=b"", code=0, env=None):
        """Standard output and error."""
        done = subprocess.run([BINARY, "shell", "--connect", self.to, *arguments], input=lines,
                              capture_output=True, timeout=SECONDS, check=False,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, done)
        return done.stdout, done.stderr

    def terminal(self, *arguments, history=os.devnull):
        """A shell on a terminal, at its first prompt."""
        terminal = Terminal("--connect", self.to, *arguments, env={"SYNCLINE_HISTORY": history})
        terminal.expect(f"{self.to}> ")
        return terminal

    def command(self, *arguments):
        """By another connection."""
        with self.replica.connect() as connection:
            return connection.command(*arguments)

    @unittest.skipUnless(shutil.which("redis-cli"), "needs redis-cli")
    def test_replies_are_written_as_redis_cli_does(self):
        """Byte for byte, with types and raw, in RESP2 and RESP3."""
        for ours, theirs in ((["--no-raw"], ["--no-raw"]), (["--raw"], ["--raw"]), ([], []),
                             (["--no-raw", "--resp3"], ["--no-raw", "-3"]),
                             (["--raw", "--resp3"], ["--raw", "-3"])):
            expected = subprocess.run(
                ["redis-cli", "-p", str(self.replica.port), *theirs], input=LINES.encode(),
                capture_output=True, timeout=SECONDS, check=True).stdout
            got, _ = self.run_shell(*ours, lines=LINES.encode(), code=1)
            self.assertEqual(got.splitlines(), expected.splitlines(), ours)

    def test_exit_codes_and_arguments(self):
        out, _ = self.run_shell("SET", "k", "-1")
        self.assertEqual(out, b"OK\n")
        out, _ = self.run_shell("--no-raw", "GET", "k")
        self.assertEqual(out, b'"-1"\n')
        out, _ = self.run_shell("--no-raw", "LRANGE", "k", "0", "-1", code=1)
        self.assertTrue(out.startswith(b"(error) WRONGTYPE"), out)
        out, _ = self.run_shell("-e", "SET k 'a b'", "-e", "GET k", "GET", "k")
        self.assertEqual(out, b"OK\na b\na b\n")
        out, errors = self.run_shell("-e", "SET k 'a b", code=1)
        self.assertEqual((out, errors), (b"", b"Invalid argument(s)\n"))
        self.run_shell("--nosuch", "GET", "k", code=2)
        self.run_shell("--json", "--raw", code=2)
        done = subprocess.run([BINARY, "shell", "--connect", "127.0.0.1:1", "PING"], check=False,
                              capture_output=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"cannot connect", done.stderr)
        _, errors = self.run_shell("PING", code=1, env={"SYNCLINE_PASSWORD": "wrong-secret"})
        self.assertNotIn(b"wrong-secret", errors)
        out, _ = self.run_shell(lines=b"# a comment\n\nSET k 1\nquit\nSET k 2\n")
        self.assertEqual((out, self.command("GET", "k")), (b"OK\n", b"1"))
        out, _ = self.run_shell("help", "config", "get")
        self.assertTrue(out.startswith(b"CONFIG GET pattern"), out)
        self.run_shell("help", "nosuch", code=1)

    def test_json_has_a_line_for_each_reply(self):
        lines = (b"FLUSHALL\nSET k \"\\xff\"\nGET k\nHSET h a 1\nHGETALL h\nNOSUCH\nGET no\n"
                 b"INFO server\n")
        out, _ = self.run_shell("--json", "--resp3", lines=lines, code=1)
        replies = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(replies[:5], ["OK", "OK", {"hex": "ff"}, 1, {"a": "1"}])
        self.assertIn("unknown command", replies[5]["error"])
        self.assertIsNone(replies[6])
        self.assertIn("redis_version", replies[7])

    def test_a_stream_ends_with_an_interrupt(self):
        """MONITOR in a script; and a command that waits."""
        for command, publish, told, code in (
                (["MONITOR"], ("SET", "monitored", "1"), b"monitored", 0),
                (["SUBSCRIBE", "news"], ("PUBLISH", "news", "hello"), b"hello", 0),
                (["BLPOP", "nothing", "0"], None, b"", 1)):
            with subprocess.Popen([BINARY, "shell", "--connect", self.to, *command],
                                  stdout=subprocess.PIPE) as shell:
                seen = b""
                if publish is None:
                    while b"blocked_clients:1" not in self.command("INFO", "clients"):
                        time.sleep(0.02)
                while publish is not None and told not in seen:
                    self.command(*publish)
                    if select.select([shell.stdout], [], [], 0.05)[0]:
                        seen += os.read(shell.stdout.fileno(), 4096)
                shell.send_signal(signal.SIGINT)
                self.assertEqual(shell.wait(timeout=SECONDS), code, command)

    def test_a_terminal_edits_completes_and_tells(self):
        self.command("SET", "k", "v")
        terminal = self.terminal()
        terminal.send("getr\t")
        terminal.expect("getrange ")
        terminal.send("\t")
        terminal.expect("GETRANGE key start end")
        terminal.line("k 0 -1", '"v"')
        terminal.send("CONFIG RES\t")
        terminal.expect("CONFIG RESETSTAT")
        terminal.line("", "OK")
        terminal.send("zrevr\t\t")
        terminal.expect(r"zrevrange\s+zrevrangebylex\s+zrevrangebyscore\s+zrevrank")
        terminal.expect("> zrevran")
        terminal.send("\x03")
        terminal.expect(r"\^C")
        terminal.expect(f"{self.to}> ")
        terminal.line("help set", "SET key value .*\n +summary: ")
        terminal.line("SET k \xe4\xf6\x7f\x7fx", "OK")  # both letters go
        self.assertEqual(self.command("GET", "k"), b"x")
        terminal.line("GET 'k", r"Invalid argument\(s\)")
        terminal.line("multi", "OK")
        terminal.line("discard", "OK")
        self.assertEqual(terminal.end(), 0)

    def test_streams_and_waits_end_at_the_prompt(self):
        terminal = self.terminal()
        terminal.send("SUBSCRIBE news\r")
        terminal.expect(r"Reading messages... \(press Ctrl-C to quit\)")
        terminal.expect("subscribe")
        self.command("PUBLISH", "news", "read all about it")
        terminal.expect("read all about it")
        terminal.interrupt()
        terminal.expect("> ")
        terminal.send("BLPOP nothing 0\r")
        while b"blocked_clients:1" not in self.command("INFO", "clients"):
            time.sleep(0.02)
        terminal.interrupt()
        terminal.expect("> ")
        terminal.line("PING", "PONG")
        terminal.send("quit\r")
        self.assertEqual(terminal.wait(), 0)

    def test_a_lost_connection_is_made_anew(self):
        """A command is sent once; what was in a transaction is not run alone."""
        terminal = self.terminal()
        terminal.line("INCR counted", r"\(integer\) 1")
        self.command("CLIENT", "KILL", "TYPE", "normal")
        terminal.line("INCR counted", r"\(integer\) 2")
        terminal.send("MULTI\r")
        terminal.expect(r"\(TX\)> ")
        self.command("CLIENT", "KILL", "TYPE", "normal")
        terminal.line("INCR counted", "the connection was lost, and the transaction")
        terminal.line("GET counted", '"2"')
        self.assertEqual(terminal.end(), 0)

    def test_what_was_typed_is_kept_but_passwords_are_not(self):
        history = os.path.join(self.directory, "history")
        terminal = self.terminal(history=history)
        for line, reply in (("SET kept 1", "OK"), ("AUTH hidden-1", "ERR"),
                            ("auth ann hidden-2", "WRONGPASS|ERR|OK"),
                            ("HELLO 2 AUTH ann hidden-3", "WRONGPASS|ERR|server"),
                            ("CONFIG SET requirepass hidden-4", "OK"),
                            ('CONFIG SET requirepass ""', "OK"), ("PING", "PONG")):
            terminal.line(line, reply)
        self.assertEqual(terminal.end(), 0)
        with open(history, encoding="utf-8") as file:
            self.assertEqual(file.read(), "SET kept 1\nPING\n")
        self.assertEqual(stat.S_IMODE(os.stat(history).st_mode), 0o600)
        terminal = self.terminal(history=history)
        terminal.send("\x1b[A\x1b[A")
        terminal.expect("SET kept 1")
        terminal.line("", "OK")
        self.assertEqual(terminal.end(), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
