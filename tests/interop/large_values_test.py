"""Values of the largest size: written to two of three replicas at once, merged, taken over by a new
replica in a session, read in part, and still there after kill -9. One more byte is an error."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cluster import Cluster, ReplyError, wait_converged  # noqa: E402

MIB = 1 << 20
LARGEST = 64 * MIB
CONCURRENT = 20 * MIB  # one fits a frame, not two
SECONDS = 120


def value_of(letter, size=LARGEST):
    """So many bytes; each block of a million says where it stands."""
    blocks = -(-size // 1_000_000)
    return b"".join(b"%s %d " % (letter, number) + letter * 999_980
                    for number in range(blocks + 1))[:size]


def figure(replica, name):
    """A number of INFO."""
    with replica.connect(SECONDS) as connection:
        info = connection.command("INFO").decode()
    return int(info.split(name + ":")[1].split()[0])


def wait_for_shorter_log(replica, end):
    """Until the log does not reach back to a position: at its checkpoints it is cut."""
    deadline = time.monotonic() + SECONDS
    while figure(replica, "log_base") < end:
        assert time.monotonic() < deadline, "the log is not cut"
        with replica.connect(SECONDS) as connection:
            connection.command("SET", "tick", "x" * 100000)
        time.sleep(0.2)


def check_agree(replicas, key, expected):
    """All replicas come to answer one of the expected values, and the same one."""
    wait_converged(replicas, SECONDS)
    answers = []
    for replica in replicas:
        with replica.connect(SECONDS) as connection:
            answers.append(connection.command("GET", key))
    assert all(answer == answers[0] for answer in answers), key
    assert answers[0] in expected, key


def main():
    with Cluster(3, ["--log-retention-bytes", "1048576"]) as cluster:
        first, second, third = cluster.replicas
        with first.connect(SECONDS) as one, second.connect(SECONDS) as two:
            a, b = value_of(b"a"), value_of(b"b", CONCURRENT)
            try:
                one.command("SET", "large", a + b"x")
                raise AssertionError("a value that is too long was taken")
            except ReplyError as error:
                assert "bytes" in str(error), error
            assert one.command("DBSIZE") == 0
            assert one.command("SET", "large", a) == "OK"
            check_agree(cluster.replicas, "large", [a])
            third.kill()
            ends = [figure(replica, "log_end") for replica in (first, second)]
            one.command("SET", "both", a[:CONCURRENT])
            two.command("SET", "both", b)
            check_agree([first, second], "both", [a[:CONCURRENT], b])
            assert one.command("GETRANGE", "both", 999_990, 1_000_020) in (
                a[999_990:1_000_021], b[999_990:1_000_021])
        for replica in (first, second):
            replica.kill()
            replica.start()
        for replica, end in zip((first, second), ends):
            replica.wait_ready(SECONDS)
            wait_for_shorter_log(replica, end + 1)
        third.start()
        third.wait_ready(SECONDS)
        check_agree(cluster.replicas, "both", [a[:CONCURRENT], b])
        check_agree(cluster.replicas, "large", [a])
        assert figure(third, "sessions_completed") > 0
    print("largest values: written, merged, sent, killed and found again")


if __name__ == "__main__":
    main()
