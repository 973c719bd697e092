"""A disk that fails under a replica: no acknowledgement that is not true, a clear end or a clear
error, and all that was acknowledged after the next start.

Usage: storage_failure_test.py [CASE...]. A preloaded library (tests/faults/fail_io.cpp) makes
writes and syncs fail while the replica runs.
"""

import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Replica, ReplyError, free_ports  # noqa: E402

BINARY = os.environ["SYNCLINE_BINARY"]
LIBRARY = Path(BINARY).parent / "tests" / "libfail_io.so"
KEYS = 1500  # as many as make a checkpoint that is written back gradually
END_SECONDS = 30


class FailingReplica(Replica):
    """A replica whose disk can be told to fail."""

    def __init__(self, directory):
        super().__init__("n1", directory, [], free_ports(1)[0])
        self.directory = directory
        self.control = os.path.join(directory, "fail")
        self.struck = self.control + ".struck"

    def start(self):
        """As its parent's, with the library in front of everything else."""
        environment = {**os.environ, "LD_PRELOAD": str(LIBRARY), "SYNCLINE_FAIL_IO": self.control}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)

    def fail(self, call, number, part, after=0):
        """From now on this fails; the order is complete when it is seen."""
        with open(self.control + ".new", "w", encoding="ascii") as file:
            file.write(f"{call} {number} {part} {after}\n")
        os.replace(self.control + ".new", self.control)

    def heal(self):
        """Nothing fails any more."""
        os.remove(self.control)

    def strikes(self):
        """How many calls were made to fail."""
        if not os.path.exists(self.struck):
            return 0
        with open(self.struck, encoding="utf-8") as file:
            return len(file.readlines())


class Case:
    """A replica with some acknowledged keys, and what must be there in the end."""

    def __init__(self, directory):
        self.replica = FailingReplica(directory)
        self.acknowledged = {}
        self.number = 0
        self.replica.start()
        self.replica.wait_ready()

    def fail_checkpoint(self, call, number, part, after=0):
        """Gives the order before there is anything to checkpoint, then writes as long as it may: on
        a slow disk the first checkpoint begins before the last write."""
        self.replica.fail(call, number, part, after)
        try:
            self.write(KEYS)
        except (OSError, ReplyError) as error:
            print(f"    after {len(self.acknowledged)} writes: {error or type(error).__name__}")

    def write(self, count):
        """SETs, each acknowledged."""
        with self.replica.connect() as connection:
            for _ in range(count):
                key, value = self.next_pair()
                assert connection.command("SET", key, value) == "OK"
                self.acknowledged[key] = value

    def next_pair(self):
        """A key and a value that were never used."""
        self.number += 1
        return f"key:{self.number}", f"value {self.number} ".encode() * 20

    def info(self, name):
        """A line of INFO persistence."""
        return self.replica.info("persistence")[name]

    def wait_for(self, condition, what):
        """Until it holds."""
        deadline = time.monotonic() + END_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen: {self.replica.log_tail()}"
            time.sleep(0.05)

    def expect_end(self, words):
        """The process ends by itself, with an error that says why."""
        code = self.replica.process.wait(timeout=END_SECONDS)
        assert code == 1, f"exit code {code}"
        tail = self.replica.log_tail()
        last = [line for line in tail.splitlines() if line.startswith("syncline: ")][-1]
        assert all(word in last for word in words), last
        assert self.replica.strikes() > 0
        print(f"    it ended: {last}")

    def check_data(self):
        """Everything acknowledged is there."""
        with self.replica.connect() as connection:
            for key, value in self.acknowledged.items():
                got = connection.command("GET", key)
                assert got == value, f"{key} is {got!r}"

    def restart(self):
        """After an end or a stop, with a disk that is well again."""
        if os.path.exists(self.replica.control):
            self.replica.heal()
        self.replica.start()
        self.replica.wait_ready()
        self.check_data()
        self.write(5)
        assert self.replica.stop() == 0

    def expect_no_reply(self, *command):
        """Nothing that rests on the failed flush may be acknowledged."""
        with self.replica.connect(END_SECONDS) as connection:
            try:
                reply = connection.command(*command)
            except (OSError, ReplyError):
                return
        raise AssertionError(f"{command} was answered with {reply!r}")


def log_sync(case):
    """fdatasync of the log fails: the end."""
    case.write(KEYS)
    case.replica.fail("sync", errno.EIO, "/log/")
    case.expect_no_reply("SET", "lost", "x")
    case.expect_end(["sync", "/log/", "Input/output error"])


def log_sync_for_want_of_space(case):
    """A sync that fails is final, even if the disk says that it is only full."""
    case.write(KEYS)
    case.replica.fail("sync", errno.ENOSPC, "/log/")
    case.expect_no_reply("SET", "lost", "x")
    case.expect_end(["sync", "/log/", "No space left"])


def log_write(case):
    """A write of the log fails: the end."""
    case.write(KEYS)
    case.replica.fail("write", errno.EIO, "/log/")
    case.expect_no_reply("SET", "lost", "x")
    case.expect_end(["write", "/log/", "Input/output error"])


def base_sync(case):
    """The data sync of a checkpoint fails: the end, though the log is well."""
    case.fail_checkpoint("sync", errno.EIO, "base/data.mdb")
    case.replica.process.terminate()
    case.expect_end(["base", "Input/output error"])


def base_meta(case):
    """The page that makes a checkpoint valid cannot be written: the end."""
    case.fail_checkpoint("meta", errno.EIO, "base/data.mdb")
    case.replica.process.terminate()
    case.expect_end(["base", "Input/output error"])


def base_write_back(case):
    """The disk fails under a checkpoint that was made without a sync: the end. The next start takes
    it back."""
    case.fail_checkpoint("back", errno.EIO, "base/data.mdb")
    case.expect_end(["base", "write back", "Input/output error"])
    assert any(Path(case.replica.directory).rglob("PROVISIONAL"))


def base_confirmation(case):
    """The sync that confirms such a checkpoint fails, for want of space or not: the end."""
    case.fail_checkpoint("sync", errno.ENOSPC, "base/data.mdb")
    case.expect_end(["base", "No space left"])


def base_gradual_meta(case):
    """The page that makes such a checkpoint the last one cannot be written: the end."""
    case.fail_checkpoint("meta", errno.EIO, "base/data.mdb")
    case.expect_end(["base", "Input/output error"])


def base_mark(case):
    """The mark of such a checkpoint cannot be synced: the end."""
    case.fail_checkpoint("sync", errno.EIO, "base/PROVISIONAL")
    case.expect_end(["base", "PROVISIONAL", "Input/output error"])


def base_mark_clearing(case):
    """The mark cannot be cleared, for want of space or not: the end. The next start takes a
    checkpoint back that was durable."""
    case.fail_checkpoint("sync", errno.ENOSPC, "base/PROVISIONAL", after=1)
    case.expect_end(["base", "PROVISIONAL", "No space left"])


def short_writes(case):
    """Writes that take a part only are gone on with."""
    case.replica.fail("short", errno.EIO, "/log/")
    case.write(KEYS)
    case.replica.heal()
    assert case.replica.strikes() > KEYS
    assert case.replica.stop() == 0


def log_full(case):
    """No room for a write of the log: it waits, reads go on, writes hear why; then all goes on."""
    replica = case.replica
    case.write(KEYS)
    replica.fail("write", errno.ENOSPC, "/log/")
    key, value = case.next_pair()
    replies = []

    def waiting_write():
        with replica.connect(END_SECONDS) as connection:
            replies.append(connection.command("SET", key, value))

    writer = threading.Thread(target=waiting_write)
    writer.start()
    case.wait_for(lambda: case.info("space_waits") == "1", "waiting for space")
    assert case.info("aof_last_write_status") == "err"
    for command in (("SET", "refused", "x"), ("DEL", "key:1")):
        with replica.connect() as connection:
            try:
                reply = connection.command(*command)
            except ReplyError as error:
                assert str(error).startswith("MISCONF no space: "), error
                continue
        raise AssertionError(f"{command} was answered with {reply!r}")
    case.check_data()
    assert not replies
    replica.heal()
    writer.join(END_SECONDS)
    assert replies == ["OK"]
    case.acknowledged[key] = value
    case.wait_for(lambda: case.info("space_waits") == "0", "the end of waiting")
    case.write(5)
    assert replica.stop() == 0


def base_full(case):
    """No room for a checkpoint: it waits, removals go on, what adds hears why; then all goes on."""
    replica = case.replica
    case.fail_checkpoint("write", errno.ENOSPC, "base/data.mdb")
    case.wait_for(lambda: case.info("space_waits") == "1", "waiting for space")
    with replica.connect() as connection:
        try:
            reply = connection.command("SET", "refused", "x")
            raise AssertionError(f"answered with {reply!r}")
        except ReplyError as error:
            assert str(error).startswith("MISCONF no space: "), error
        assert connection.command("DEL", "key:1") == 1
        del case.acknowledged["key:1"]
        assert connection.command("EXPIRE", "key:2", "1000") == 1
        assert b"space" in b"".join(str(connection.command("CRDT.HEALTH")).encode().split())
    case.check_data()
    checkpoints = int(case.info("checkpoints"))
    replica.heal()
    case.wait_for(lambda: case.info("space_waits") == "0", "the end of waiting")
    case.wait_for(lambda: int(case.info("checkpoints")) > checkpoints, "the checkpoint")
    case.write(5)
    with replica.connect() as connection:
        assert connection.command("GET", "key:1") is None
    assert replica.stop() == 0


def stop_while_full(case):
    """A replica whose checkpoint waits for room stops when told to; the log has everything."""
    case.fail_checkpoint("write", errno.ENOSPC, "base/data.mdb")
    case.wait_for(lambda: case.info("space_waits") == "1", "waiting for space")
    case.replica.process.terminate()
    case.replica.process.wait(timeout=10)


CASES = [log_sync, log_sync_for_want_of_space, log_write, base_sync, base_meta,
         base_write_back, base_confirmation, base_gradual_meta, base_mark, base_mark_clearing,
         short_writes, log_full, base_full, stop_while_full]


def main():
    wanted = sys.argv[1:]
    for run in CASES:
        if wanted and run.__name__ not in wanted:
            continue
        print(f"{run.__name__}: {run.__doc__.splitlines()[0]}", flush=True)
        with tempfile.TemporaryDirectory(prefix="syncline-") as directory:
            case = Case(directory)
            try:
                run(case)
                case.restart()
            except BaseException:
                print(case.replica.log_tail(), file=sys.stderr)
                raise
            finally:
                if case.replica.process.poll() is None:
                    case.replica.kill()
    print("Nothing acknowledged is missing.")


if __name__ == "__main__":
    main()
