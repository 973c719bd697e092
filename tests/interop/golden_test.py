"""Data directories that earlier builds made (tests/data/golden) still open, with all that is in
them; one that is newer, damaged, foreign or in use is refused, with a sentence and an exit code.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "data" / "golden"))
from cluster import Replica, free_ports  # noqa: E402
from make import fingerprint, plain  # noqa: E402

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
BINARY = os.environ["SYNCLINE_BINARY"]
REFUSED_SECONDS = 30


def unpack(archive, directory):
    """The data directory in the archive, as `directory`/n1."""
    target = Path(directory) / "n1"
    target.mkdir(mode=0o700)
    with tarfile.open(archive) as packed:
        packed.extractall(target)
    return target


def replica_in(directory):
    """A replica whose data are `directory`/n1."""
    return Replica("n1", str(directory), [], free_ports(1)[0])


def check_answers(replica, expected):
    """Each command has the reply that it had when the directory was made."""
    with replica.connect() as connection:
        for question, answer in expected["answers"]:
            got = plain(connection.command(*question))
            assert got == answer, f"{question}: {got!r} instead of {answer!r}"
        assert fingerprint(connection) == expected["fingerprint"]


def check_opens(archive):
    """It opens, holds everything, takes writes, and is still whole after one more start."""
    expected = json.loads(archive.with_name(archive.name.replace(".tar.gz", ".json"))
                          .read_text(encoding="ascii"))
    with tempfile.TemporaryDirectory(prefix="syncline-") as directory:
        unpack(archive, directory)
        replica = replica_in(directory)
        for end in (replica.kill, replica.stop):
            replica.start()
            replica.wait_ready()
            check_answers(replica, expected)
            end()
        replica.start()
        replica.wait_ready()
        with replica.connect() as connection:
            assert connection.command("SET", "string:0", "now") == "OK"
            assert connection.command("GET", "string:0") == b"now"
        assert replica.stop() == 0
    print(f"{archive.name}: {len(expected['answers'])} answers, twice")


def refusal(directory):
    """Exit code and last line of a replica that does not start."""
    done = subprocess.run(replica_in(directory).command, capture_output=True, text=True,
                          timeout=REFUSED_SECONDS, check=False)
    return done.returncode, done.stderr.strip().splitlines()[-1]


def check_refused(archive, what, change, code, words):
    """After the change it does not start, and says why; the files stay as they are."""
    with tempfile.TemporaryDirectory(prefix="syncline-") as directory:
        data = unpack(archive, directory)
        change(data)
        before = (data / "base" / "data.mdb").read_bytes()
        got, line = refusal(directory)
        assert got == code, f"{what}: exit code {got}: {line}"
        assert all(word in line for word in words), f"{what}: {line}"
        assert (data / "base" / "data.mdb").read_bytes() == before, what
    print(f"{what}: {line}")


def set_version(data, version):
    """The base's row of the version, wherever it stands."""
    path = data / "base" / "data.mdb"
    content = path.read_bytes()
    changed, count = re.subn(rb"version\x00{7}.", b"version" + version, content, flags=re.DOTALL)
    assert count > 0
    path.write_bytes(changed)


def check_lock(archive):
    """Of two processes on one directory the second is told so, and the first goes on."""
    with tempfile.TemporaryDirectory(prefix="syncline-") as directory:
        unpack(archive, directory)
        first = replica_in(directory)
        first.start()
        first.wait_ready()
        code, line = refusal(directory)
        assert code == 3 and "another process holds" in line, (code, line)
        with first.connect() as connection:
            assert connection.command("SET", "still", "there") == "OK"
        assert first.stop() == 0
    print(f"second process: {line}")


def main():
    if platform.machine() != "x86_64":
        print("skipped: base files are not portable between architectures")
        return
    archives = sorted(GOLDEN.glob("format-*.tar.gz"))
    assert archives
    for archive in archives:
        check_opens(archive)
    newest = archives[-1]
    check_refused(newest, "newer version", lambda data: set_version(data, bytes(6) + b"\x01\x00"),
                  3, ["has format version 256", "a newer program made it"])
    check_refused(newest, "older version", lambda data: set_version(data, bytes(7) + b"\x04"),
                  3, ["has format version 4", "the build that made it still reads it"])
    check_refused(newest, "damaged version", lambda data: set_version(data, bytes(8)),
                  1, ["damaged format version"])
    check_refused(newest, "foreign base",
                  lambda data: (data / "base" / "data.mdb").write_bytes(b"x" * 100000), 1, ["base"])
    check_refused(newest, "foreign log",
                  lambda data: [path.write_bytes(b"x" * path.stat().st_size)
                                for path in (data / "log").iterdir()], 1, ["log"])
    check_refused(newest, "lost log",
                  lambda data: [path.unlink() for path in (data / "log").iterdir()], 1, ["no log"])
    check_lock(newest)


if __name__ == "__main__":
    main()
