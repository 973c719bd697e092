"""A replica on a volume of 40 MiB that fills up: what adds is refused before the disk is full,
removals go on, and so do writes when there is room again, without a restart.

Needs root, mkfs.ext4 and a loop device; says why it is skipped where one is missing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Replica, ReplyError, free_ports  # noqa: E402

VOLUME_BYTES = 40 << 20
VALUE_BYTES = 1000
PIPELINE = 50
REMOVED_AT_ONCE = 20
WAIT_SECONDS = 60


def run(*command):
    """A program of the system; its error output when it fails, else nothing."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""


class Volume:
    """A file system in a file; a context manager. `missing` says what it lacks."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="syncline-")
        self.mount = os.path.join(self.directory, "mount")
        self.image = os.path.join(self.directory, "image")
        self.missing = ""
        if os.geteuid() != 0:
            self.missing = "not root"
        elif shutil.which("mkfs.ext4") is None:
            self.missing = "no mkfs.ext4"
        if self.missing:
            return
        os.mkdir(self.mount)
        with open(self.image, "wb") as file:
            file.truncate(VOLUME_BYTES)
        self.missing = (run("mkfs.ext4", "-q", "-m", "0", self.image)
                        or run("mount", "-o", "loop", self.image, self.mount))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.missing:
            print(run("umount", self.mount), end="")
        shutil.rmtree(self.directory, ignore_errors=True)

    def free_bytes(self):
        """What anybody may still write."""
        status = os.statvfs(self.mount)
        return status.f_bavail * status.f_frsize

    def stuff(self):
        """Somebody else takes all that is left."""
        with open(os.path.join(self.mount, "stuffing"), "wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        file.write(os.urandom(size))
                except OSError:
                    pass
            os.fsync(file.fileno())

    def unstuff(self):
        """And gives it back."""
        os.remove(os.path.join(self.mount, "stuffing"))


class Drill:
    """The replica, and what must be in it."""

    def __init__(self, volume):
        self.volume = volume
        self.replica = Replica("n1", volume.mount, [], free_ports(1)[0])
        self.replica.log_path = os.path.join(volume.directory, "n1.log")
        self.keys = {}
        self.removed = set()
        self.number = 0

    def write(self, count):
        """So many SETs, in a pipeline; the first refusal, or None."""
        refusal = None
        with self.replica.connect(WAIT_SECONDS) as connection:
            while count > 0 and refusal is None:
                pairs = []
                for _ in range(min(count, PIPELINE)):
                    self.number += 1
                    pairs.append((f"key:{self.number}", os.urandom(VALUE_BYTES)))
                for key, value in pairs:
                    connection.send("SET", key, value)
                for key, value in pairs:
                    try:
                        assert connection.receive() == "OK"
                        self.keys[key] = value
                    except ReplyError as error:
                        refusal = str(error)
                count -= len(pairs)
        return refusal

    def fill(self, why="MISCONF no space: the disk has"):
        """Until it is refused; says how."""
        before = len(self.keys)
        refusal = self.write(100000)
        assert refusal is not None and refusal.startswith(why), refusal
        print(f"  {len(self.keys) - before} keys, then: {refusal}; "
              f"{self.volume.free_bytes() >> 10} KiB are free", flush=True)

    def remove(self, count):
        """Deletes so many keys, scattered over all; the refusal, if there is one."""
        step = max(1, len(self.keys) // count)
        keys = list(self.keys)[::step][:count]
        with self.replica.connect(WAIT_SECONDS) as connection:
            for start in range(0, len(keys), REMOVED_AT_ONCE):
                part = keys[start:start + REMOVED_AT_ONCE]
                try:
                    assert connection.command("DEL", *part) == len(part)
                except ReplyError as error:
                    return str(error)
                for key in part:
                    del self.keys[key]
                    self.removed.add(key)
        return None

    def check(self):
        """No wrong answer."""
        with self.replica.connect(WAIT_SECONDS) as connection:
            assert connection.command("DBSIZE") == len(self.keys)
            for key, value in self.keys.items():
                assert connection.command("GET", key) == value, key
            for key in self.removed:
                assert connection.command("GET", key) is None, key

    def wait_info(self, condition):
        """Until what INFO says meets it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition(self.replica.info(timeout=WAIT_SECONDS)):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def wait_checkpointed(self):
        """Until nothing waits for a checkpoint."""
        self.wait_info(lambda info: info["overlay_bytes"] == "0")

    def wait_noticed(self):
        """Until it knows that somebody else has taken the disk: it looks ten times a second, and
        what it takes before may begin a checkpoint for which there is no room."""
        self.wait_info(lambda info: int(info["disk_free_bytes"]) <= self.volume.free_bytes())

    def wait_writable(self, seconds=WAIT_SECONDS):
        """Until a write is taken again; the refusal if none is."""
        deadline = time.monotonic() + seconds
        while True:
            refusal = self.write(1)
            if refusal is None or time.monotonic() > deadline:
                return refusal
            time.sleep(0.1)

    def make_room(self):
        """Removes most of what is there, and most of the rest, until a write is taken again. LMDB
        gives a page back when less than a quarter of it is in use, so that half is not enough."""
        refusal = None
        for _ in range(3):
            refusal = self.remove(len(self.keys) * 4 // 5)
            assert refusal is None, refusal
            refusal = self.wait_writable(WAIT_SECONDS / 3)
            if refusal is None:
                return
        raise AssertionError(refusal + self.replica.log_tail())

    def restart(self, end):
        """Ends and starts it."""
        end()
        self.replica.start()
        self.replica.wait_ready()
        self.check()


def full_disk(one, removals):
    """After others took the rest of the disk: a kill, and they give it back. `removals` checks how
    removals were answered meanwhile."""
    volume = one.volume
    print(f"  {volume.free_bytes() >> 10} KiB are free", flush=True)
    one.fill("MISCONF no space: ")  # there may be free pages in the base
    removals(one.remove(len(one.keys) // 3))
    one.check()

    print("  killed and started again", flush=True)
    one.restart(one.replica.kill)
    removals(one.remove(len(one.keys) // 3))
    one.check()

    print("  they give it back; removals and writes go on", flush=True)
    volume.unstuff()
    refusal = one.wait_writable()
    assert refusal is None, refusal
    one.remove(len(one.keys) // 3)
    one.write(500)
    one.check()


def taken(refusal):
    """Nothing waits for space that is not there: removals go on."""
    assert refusal is None, refusal


def taken_or_used_up(refusal):
    """The room that a checkpoint counted on is gone while it runs: removals go on in what is set
    aside, which has an end."""
    assert refusal is None or refusal.startswith("MISCONF no space: the disk is full"), refusal


def drill(volume):
    """The whole story of a volume."""
    one = Drill(volume)
    one.replica.start()
    one.replica.wait_ready()
    try:
        print("Filling", flush=True)
        one.fill()
        one.check()

        print("Removing while it is full makes room", flush=True)
        one.make_room()
        one.check()

        print("Others take the rest of the disk", flush=True)
        one.fill()
        one.wait_checkpointed()
        volume.stuff()
        one.wait_noticed()
        full_disk(one, taken)

        print("Others take it while a checkpoint runs", flush=True)
        one.make_room()
        one.fill()
        volume.stuff()
        full_disk(one, taken_or_used_up)
        one.restart(lambda: one.replica.stop())
        assert one.replica.stop() == 0
    except BaseException:
        print(one.replica.log_tail(), file=sys.stderr)
        raise
    finally:
        if one.replica.process.poll() is None:
            one.replica.kill()


def main():
    with Volume() as volume:
        if volume.missing:
            print(f"skipped: {volume.missing}")
            return
        drill(volume)
    print("No wrong answer, and everything acknowledged is there.")


if __name__ == "__main__":
    main()
