"""A replica whose rows may have 8 MiB on disk: what it refuses when they do, in Redis's words, what
still goes on, and that another limit holds at once."""

import os
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cluster import Cluster, ReplyError  # noqa: E402

VALUE = b"v" * 4000
WAIT_SECONDS = 30
OOM = "OOM command not allowed: the data fill "


def refusal(connection, *command):
    """The error that a command must answer."""
    try:
        reply = connection.command(*command)
    except ReplyError as error:
        return str(error)
    raise AssertionError(f"{command} was answered with {reply!r}")


def persistence(connection):
    """INFO persistence as a dict."""
    lines = connection.command("INFO", "persistence").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def wait_for(condition, what):
    """Until it holds: the gate looks ten times a second, checkpoints come by themselves."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def fill(connection):
    """SETs until one is refused; how many stood before."""
    for number in range(10000):
        try:
            connection.command("SET", f"key:{number}", VALUE)
        except ReplyError as error:
            assert str(error).startswith(OOM), error
            return number
    raise AssertionError("nothing was refused")


def refused_while_full(connection):
    """What adds; nothing of it may be there afterwards."""
    for command in (("SET", "new", "x"), ("INCR", "new"), ("SMOVE", "team", "new", "ann")):
        error = refusal(connection, *command)
        assert error.startswith(OOM), (command, error)
    assert connection.command("MULTI") == "OK"
    assert refusal(connection, "SADD", "new", "x").startswith(OOM)
    assert refusal(connection, "EXEC").startswith("EXECABORT")
    assert connection.command("EXISTS", "new") == 0
    assert connection.command("GET", "key:1") == VALUE
    assert connection.command("SMEMBERS", "team") == [b"ann"]


def taken_while_full(connection):
    """What does not."""
    assert connection.command("EXPIRE", "key:1", 1000) == 1
    assert connection.command("PERSIST", "key:1") == 1
    assert connection.command("DEL", "key:1", "key:2") == 2
    connection.send("MULTI")
    connection.send("DEL", "key:3")
    connection.send("EXEC")
    assert [connection.receive() for _ in range(3)] == ["OK", "QUEUED", [1]]
    assert b"space" in str(connection.command("CRDT.HEALTH")).encode()


def metric(replica, name):
    """A value of /metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{replica.http_port()}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name + " ")))


def main():
    with Cluster(1, ["--map-bytes", "8mb"]) as cluster:
        replica = cluster.replicas[0]
        with replica.connect() as connection:
            assert connection.command("SADD", "team", "ann") == 1
            keys = fill(connection)
            wait_for(lambda: persistence(connection)["space_closed_by"] == "map", "the gate")
            figures = persistence(connection)
            used = int(figures["map_used_bytes"])
            assert int(figures["map_bytes_max"]) == 8 << 20
            assert (8 << 20) * 0.85 <= used <= 8 << 20, used
            assert metric(replica, "syncline_space_closed") == 1
            assert metric(replica, "syncline_map_used_bytes") == used
            print(f"{keys} keys, {used >> 10} KiB of 8192")
            refused_while_full(connection)
            taken_while_full(connection)

            assert connection.command("CONFIG", "SET", "map-bytes", "16mb") == "OK"
            assert connection.command("SET", "new", "x") == "OK"
            assert connection.command("CONFIG", "GET", "map-bytes") == [b"map-bytes", b"16777216"]
            assert connection.command("CONFIG", "SET", "map-bytes", "8mb") == "OK"
            assert refusal(connection, "SET", "new", "y").startswith(OOM)

            assert connection.command("FLUSHALL") == "OK"
            wait_for(lambda: persistence(connection)["space_closed_by"] == "none", "room")
            assert connection.command("SET", "new", "y") == "OK"
            assert fill(connection) > keys * 3 / 4
        replica.kill()
        replica.start()
        replica.wait_ready()
        with replica.connect() as connection:
            assert connection.command("GET", "new") == b"y"
            assert refusal(connection, "SET", "more", VALUE).startswith(OOM)
        assert replica.stop() == 0


if __name__ == "__main__":
    os.environ.setdefault("SYNCLINE_BINARY", "build/release/syncline")
    main()
