"""Bounded counters on three servers: each takes off what it has the rights to, through a partition,
a crash and the loss of a replica; the sum is exact and never below 0."""

import time

from cluster import Cluster, ReplyError, clock, wait_converged


def take(connection, most):
    """Takes off one by one until refused; how many, and the refusal."""
    for taken in range(most):
        try:
            assert connection.command("BC.DECR", "stock", "1") >= 0
        except ReplyError as error:
            return taken, str(error)
    return most, ""


def cut(connections):
    """Cuts all links."""
    for index, connection in enumerate(connections):
        for other in range(len(connections)):
            if other != index:
                assert connection.command("CRDT.LINK", f"n{other + 1}", "down") == "OK"


def rights(connection):
    """Of all replicas, by name and in the order of the reply."""
    parts = [dict(zip(part[::2], part[1::2])) for part in connection.command("BC.RIGHTS", "stock")]
    return [((part[b"name"] or b"").decode(), part[b"rights"]) for part in parts]


def refused(connection, *command):
    """The error that a command must give."""
    try:
        reply = connection.command(*command)
    except ReplyError as error:
        return str(error)
    raise AssertionError(f"{command} answered {reply}")


def wait_linked(replicas):
    """Until each is connected with all others, so that it knows them by name."""
    deadline = time.monotonic() + 30
    for replica in replicas:
        with replica.connect() as connection:
            while sum(peer[peer.index(b"link") + 1] == b"up" and b"actor" in peer
                      and peer[peer.index(b"name") + 1] != b""
                      for peer in connection.command("CRDT.PEERS")) < len(replicas) - 1:
                assert time.monotonic() < deadline, "not linked after 30 s"
                time.sleep(0.05)


def wait_rights(connection, wanted):
    """Until these are the rights. Two that dialled each other part once, at any time after both
    links came up, and a name comes with the link that stays."""
    deadline = time.monotonic() + 30
    while (found := rights(connection)) != wanted:
        # Only names may be late.
        assert [right for _, right in found] == [right for _, right in wanted], found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def main():
    with Cluster(3) as cluster:
        connections = [replica.connect() for replica in cluster.replicas]
        first, second, third = connections
        wait_linked(cluster.replicas)
        assert first.command("BC.INCR", "stock", "100") == 100
        assert first.command("BC.TRANSFER", "stock", "40", "n2") == "OK"
        assert "no such actor" in refused(first, "BC.TRANSFER", "stock", "1", "n9")
        wait_converged(cluster.replicas, 30)
        # Somebody who has never written is known by name, uuid and actor while it is connected.
        actor = clock(third)["actor"].decode()
        assert second.command("BC.TRANSFER", "stock", "5", actor) == "OK"
        assert second.command("BC.TRANSFER", "stock", "5", actor.split(".")[0]) == "OK"
        wait_converged(cluster.replicas, 30)
        wait_rights(first, [("n1", 60), ("n2", 30), ("n3", 10)])
        wait_rights(third, [("n3", 10), ("n1", 60), ("n2", 30)])
        assert "of the others" in refused(second, "BC.DECR", "stock", "31")

        cut(connections)
        assert take(first, 25) == (25, "")
        taken, error = take(second, 50)
        assert taken == 30 and error.startswith("NORIGHTS of 70 rights this replica has 0, 1 are "
                                                "needed; "), (taken, error)
        assert second.command("DEL", "other") == 0 and second.command("FLUSHALL") == "OK"
        assert refused(second, "DEL", "stock").startswith("ERR a bounded counter cannot")
        # A crash forgets nothing that was acknowledged, and gives nothing back.
        cluster.replicas[1].kill()
        cluster.replicas[1].start()
        cluster.replicas[1].wait_ready()
        connections[1] = second = cluster.replicas[1].connect()
        assert take(second, 1)[0] == 0
        assert second.command("BC.INCR", "stock", "2") == 72
        assert second.command("BC.DECR", "stock", "1") == 71
        assert take(third, 4) == (4, "")

        # The third is lost with what it had not told; its rights are stranded, part of the value.
        cluster.replicas[2].kill()
        assert first.command("CRDT.LINK", "n2", "up") == "OK"  # n2 blocks nobody since it started
        wait_linked(cluster.replicas[:2])
        wait_converged(cluster.replicas[:2], 30)
        assert first.command("BC.GET", "stock") == second.command("BC.GET", "stock") == 46
        wait_rights(first, [("n1", 35), ("", 10), ("n2", 1)])
        assert take(first, 100)[0] == 35 and take(second, 100)[0] == 1
        wait_converged(cluster.replicas[:2], 30)
        assert first.command("BC.GET", "stock") == 10

        # It was not lost: what it took off counts, once.
        assert first.command("CRDT.LINK", "n3", "up") == "OK"
        cluster.replicas[2].start()
        cluster.replicas[2].wait_ready()
        wait_converged(cluster.replicas, 60)
        connections[2] = third = cluster.replicas[2].connect()
        values = [connection.command("BC.GET", "stock") for connection in connections]
        assert values == [6, 6, 6], values
        assert take(third, 100)[0] == 6
        wait_converged(cluster.replicas, 30)
        values = [connection.command("BC.GET", "stock") for connection in connections]
        assert values == [0, 0, 0], values
        explained = str(first.command("CRDT.EXPLAIN", "stock"))
        assert "transferred/" in explained and "made/" in explained and "used/" in explained
    print("ok")


if __name__ == "__main__":
    main()
