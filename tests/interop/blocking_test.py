"""Pops that wait and WATCH on two servers: served by what a peer pushes, in order, and not for a
client that has gone."""

import time

from cluster import Cluster, ReplyError, wait_converged


def waiting(connection, count):
    """Until so many clients of the server are blocked."""
    deadline = time.monotonic() + 20
    while True:
        info = connection.command("INFO", "clients").decode()
        if f"blocked_clients:{count}\r\n" in info:
            return
        assert time.monotonic() < deadline, info
        time.sleep(0.01)


def served_by_a_peer(here, there):
    """What is pushed at the other replica is popped here."""
    with here.connect() as one, here.connect() as two, there.connect() as other:
        one.send("BLPOP", "jobs", "more", "20")
        waiting(two, 1)
        two.send("BLMOVE", "jobs", "done", "LEFT", "RIGHT", "20")
        with here.connect() as third:
            waiting(third, 2)
        other.command("RPUSH", "jobs", "first", "second")
        assert one.receive() == [b"jobs", b"first"]
        assert two.receive() == b"second"
        assert one.command("LRANGE", "done", "0", "-1") == [b"second"]
        start = time.monotonic()
        assert one.command("BZPOPMIN", "nothing", "0.2") is None
        assert 0.19 < time.monotonic() - start < 10


def nothing_for_who_has_gone(here):
    """An element stays when the client that waited for it is not there any more."""
    with here.connect() as other:
        for half in (False, True):
            gone = here.connect()
            gone.send("BLPOP", "left", "0")
            waiting(other, 1)
            if half:
                gone.socket.shutdown(1)
            else:
                gone.close()
            waiting(other, 0)
            assert other.command("RPUSH", "left", "here") == 1
            assert other.command("LPOP", "left") == b"here"
            if half:
                gone.close()


def what_follows_waits(here):
    """Requests behind a pop that waits run after it, in order."""
    with here.connect() as one, here.connect() as other:
        one.send("BLPOP", "queue", "0")
        one.send("SET", "after", "1")
        one.send("GET", "after")
        waiting(other, 1)
        assert other.command("GET", "after") is None
        other.send("RPUSH", "queue", "x")
        other.send("LPOP", "queue")  # in one go: the one that waits comes first
        assert [other.receive(), other.receive()] == [1, None]
        assert [one.receive(), one.receive(), one.receive()] == [[b"queue", b"x"], "OK", b"1"]


def watched(here, there, replicas):
    """A change by a peer costs the transaction."""
    with here.connect() as one, there.connect() as other:
        one.command("SET", "balance", "1")
        wait_converged(replicas, 20)
        for change in (True, False):
            one.command("WATCH", "balance")
            if change:
                other.command("SET", "balance", "2")
                wait_converged(replicas, 20)
            one.command("MULTI")
            one.command("SET", "balance", "3")
            assert one.command("EXEC") == (None if change else ["OK"])
            assert one.command("GET", "balance") == (b"2" if change else b"3")


def promote(connection):
    """As soon as the other replica can be reached."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return connection.command("CRDT.PROMOTE")
        except ReplyError as error:
            if not str(error).startswith("NOQUORUM") or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def step_down(cluster):
    """Who waits at a primary that becomes a backup hears of it."""
    first, second = cluster.replicas
    with first.connect() as one, first.connect() as look:
        one.send("BLPOP", "none", "0")
        waiting(look, 1)
        with second.connect() as other:
            promote(other)
        try:
            raise AssertionError(one.receive())
        except ReplyError as error:
            assert str(error).startswith("UNBLOCKED"), error


with Cluster(2) as pair:
    here, there = pair.replicas
    wait_converged(pair.replicas, 20)
    served_by_a_peer(here, there)
    nothing_for_who_has_gone(here)
    what_follows_waits(here)
    watched(here, there, pair.replicas)
with Cluster(2, ["--replication", "primary-backup"]) as pair:
    wait_converged(pair.replicas, 20)
    step_down(pair)
print("Pops wait for peers, in order, and for nobody who has gone.")
