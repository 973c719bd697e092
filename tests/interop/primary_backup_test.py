"""Primary-backup mode as its users meet it: roles, refusals, promotion, a held suffix."""

import json
import os
import subprocess
import tempfile
import time

from cluster import Cluster, ReplyError, wait_converged

SYNCLINE = os.environ["SYNCLINE_BINARY"]
SECONDS = 60


def until(what, check):
    """Polls until it is true."""
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


def command(replica, *arguments):
    """One command on a connection of its own."""
    with replica.connect(20) as connection:
        return connection.command(*arguments)


def refused(replica, *arguments):
    """The error of a command."""
    try:
        reply = command(replica, *arguments)
    except ReplyError as error:
        return str(error)
    raise AssertionError(f"{arguments} said {reply}")


def info(replica):
    """INFO replication as a dict."""
    return replica.info("replication")


def backups_up(replicas, primary):
    """All but the primary follow it."""
    return all(info(one).get("master_link_status") == "up"
               for one in replicas if one is not primary)


def roles(replicas):
    """Who says what about whom."""
    first = replicas[0]
    until("links", lambda: backups_up(replicas, first))
    # Two that dialled each other keep one of their connections: for a moment, none may count.
    until("backups", lambda: len(command(first, "ROLE")[2]) == 2)
    assert command(first, "SET", "key", "value") == "OK"
    role = command(first, "ROLE")
    assert role[0] == b"master", role
    assert {int(backup[1]) for backup in role[2]} == {one.port for one in replicas[1:]}, role
    primary = info(first)
    assert (primary["role"], primary["connected_slaves"], primary["term"]) == ("master", "2", "1")
    for backup in replicas[1:]:
        assert command(backup, "ROLE")[:4] == [b"slave", b"127.0.0.1", first.port, b"connected"]
        error = refused(backup, "SET", "key", "other")
        assert error.startswith("READONLY ") and f"n1 at 127.0.0.1:{first.port}" in error, error
        until("replication", lambda one=backup: command(one, "GET", "key") == b"value")
        with backup.connect() as connection:
            assert connection.command("MULTI") == "OK"
            connection.send("SET", "key", "other")
            connection.send("EXEC")
            for word in ("READONLY", "EXECABORT"):
                try:
                    raise AssertionError(connection.receive())
                except ReplyError as error:
                    assert str(error).startswith(word), error


def promotion(replicas):
    """By vote; without a majority only by force."""
    first, second, third = replicas
    assert command(second, "CRDT.PROMOTE") == "OK"
    assert command(second, "SET", "key", "of term 2") == "OK"
    until("roles", lambda: backups_up(replicas, second))
    assert refused(first, "SET", "key", "x").startswith("READONLY")
    assert refused(first, "CRDT.PROMOTE", "NOW") == "ERR syntax error"
    first.kill()
    second.kill()
    until("links are down", lambda: info(third)["master_link_status"] == "down")
    assert refused(third, "CRDT.PROMOTE").startswith("NOQUORUM 1 of 3 replicas can be reached")
    second.start()
    second.wait_ready()
    until("links", lambda: backups_up((second, third), second))


def held_suffix(replicas):
    """Writes that nobody else has are held, listed, exported; the replica begins anew."""
    first, second, third = replicas
    second_held = {"key": "value", "raw": b"\xff\x00"}
    for other in (first, third):
        if other.process.poll() is None:
            other.kill()
    for key, value in second_held.items():
        assert command(second, "SET", key, value) == "OK"
    second.kill()
    first.start()
    third.start()
    first.wait_ready()
    third.wait_ready()
    until("links", lambda: len(command(third, "CRDT.PEERS")) == 2 and
          info(third)["replicas_known"] == "3")
    assert command(third, "CRDT.PROMOTE", "FORCE") == "OK"
    assert command(third, "SET", "key", "of term 3") == "OK"
    second.start()
    second.wait_ready()
    until("the suffix", lambda: info(second)["suffix_held"] == "1")
    listed = command(second, "CRDT.SUFFIX", "LIST")
    assert len(listed) == 2, listed
    assert listed[0][5] == b"held" and listed[0][7] == [b"write string key"], listed
    assert refused(second, "CRDT.PROMOTE", "FORCE").startswith("ERR unreplicated events are held")
    assert command(third, "GET", "raw") is None
    assert second.stop() == 0
    with tempfile.TemporaryDirectory() as scratch:
        output = os.path.join(scratch, "suffix.jsonl")
        data = second.command[second.command.index("--data") + 1]
        done = subprocess.run([SYNCLINE, "suffix", "export", "--data", data, "--output", output],
                              check=True, timeout=SECONDS, capture_output=True, text=True)
        old = done.stdout.split("CRDT.FORGET ")[1].strip()
        with open(output, encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
    operations = [operation for event in events for operation in event["operations"]]
    assert operations == [
        {"operation": "write", "type": "string", "key": "key", "value": "value"},
        {"operation": "write", "type": "string", "key": "raw", "value_hex": "ff00"}], operations
    second.start()
    second.wait_ready()
    wait_converged(replicas, SECONDS)
    assert command(second, "GET", "key") == b"of term 3"
    assert command(second, "GET", "raw") is None
    assert info(third)["replicas_known"] == "4"
    assert command(third, "CRDT.FORGET", old) == "OK"
    assert info(third)["replicas_known"] == "3"
    assert refused(third, "CRDT.FORGET", old).startswith("ERR no member is called")


def unconfirmed():
    """Too few backups: the client hears that its write is kept, and is answered in order."""
    options = ("--replication", "primary-backup", "--ack", "all", "--ack-timeout", "300")
    with Cluster(2, options) as cluster:
        primary, backup = cluster.replicas
        until("links", lambda: backups_up(cluster.replicas, primary))
        assert command(primary, "SET", "key", "1") == "OK"
        backup.kill()
        with primary.connect() as connection:
            connection.send("SET", "key", "2")
            connection.send("PING")
            try:
                raise AssertionError(connection.receive())
            except ReplyError as error:
                assert str(error).startswith("NOREPLICAS"), error
            assert connection.receive() == "PONG"
        assert refused(primary, "GET", "key").startswith("NOREPLICAS")
        backup.start()
        backup.wait_ready()
        wait_converged(cluster.replicas, SECONDS)
        until("confirmation", lambda: info(primary)["connected_slaves"] == "1")
        assert command(primary, "GET", "key") == b"2"
        assert command(backup, "GET", "key") == b"2"


def main():
    """One cluster for all that builds on each other."""
    options = ("--replication", "primary-backup", "--unreplicated", "hold")
    with Cluster(3, options) as cluster:
        roles(cluster.replicas)
        promotion(cluster.replicas)
        held_suffix(cluster.replicas)
    unconfirmed()
    print("Primary-backup mode does what its users are told.")


if __name__ == "__main__":
    main()
