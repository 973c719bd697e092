"""Who belongs to the cluster, as operators change it: founding, joining, eviction, return,
draining, and what is said when a majority is out of reach."""

import json
import os
import subprocess

from cluster import Cluster, ReplyError, wait_converged
from primary_backup_test import command, info, refused, until

SYNCLINE = os.environ["SYNCLINE_BINARY"]


def tool(*arguments, expected=0):
    """Runs `syncline cluster`; its output, standard error included."""
    done = subprocess.run([SYNCLINE, "cluster", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          timeout=60, check=False)
    assert done.returncode == expected, (arguments, done.returncode, done.stdout)
    return done.stdout


def at(replica):
    """Where a replica is, for the tool."""
    return ["--connect", f"127.0.0.1:{replica.port}"]


def epoch(replica):
    """The epoch of its record."""
    return int(info(replica)["membership_epoch"])


def standing(replica):
    """What it is by its record."""
    return info(replica)["membership_standing"]


def status(replica):
    """CRDT.MEMBERSHIP STATUS by way of the tool."""
    return json.loads(tool("status", "--json", *at(replica)))


def founding(replicas):
    """The first record: a preview, no answer without a terminal, then all agree."""
    first = replicas[0]
    until("links", lambda: all(len(status(one)["candidates"]) == 3 for one in replicas))
    assert "no membership record" in tool("status", *at(first))
    assert "not possible" not in tool("plan", "init", *at(first))
    assert "nothing was changed" in tool("apply", "init", *at(first), expected=2)
    assert epoch(first) == 0
    assert "done: epoch 1" in tool("apply", "init", "--yes", *at(first))
    until("all know", lambda: all(epoch(one) == 1 for one in replicas))
    assert "has a membership record already" in tool("apply", "init", "--yes", *at(first),
                                                     expected=1)


def joining(replicas, newcomer):
    """A newcomer is a candidate first, then active by itself."""
    command(replicas[0], "SET", "before", "joining")
    newcomer.start()
    newcomer.wait_ready()
    until("candidate", lambda: standing(newcomer) == "applicant")
    error = refused(newcomer, "SET", "key", "value")
    assert error.startswith("LOADING ") and "apply join n4" in error, error
    until("seen", lambda: [one["name"] for one in status(replicas[1])["candidates"]] == ["n4"])
    assert "becomes active by itself" in tool("plan", "join", "n4", *at(replicas[1]))
    tool("apply", "join", "n4", "--yes", *at(replicas[1]))
    until("active", lambda: standing(newcomer) == "active")
    assert command(newcomer, "GET", "before") == b"joining"
    assert command(newcomer, "SET", "key", "value") == "OK"
    until("replication", lambda: command(replicas[2], "GET", "key") == b"value")


def eviction(cluster, members, gone):
    """What it wrote alone is in a file, and not in the cluster; it comes back as another."""
    for other in members:
        assert command(gone, "CRDT.LINK", other.name, "DOWN") == "OK"
    assert command(gone, "SET", "lost", "written alone") == "OK"
    assert command(gone, "INCRBY", "counted", "5") == 5
    assert command(gone, "TEXT.INSERT", "note", "0", "lost") == 4
    with gone.connect() as connection:
        connection.command("MULTI")
        connection.command("TEXT.APPEND", "note", " words")
        connection.command("INCRBY", "counted", "2")
        assert connection.command("EXEC") == [10, 7]
    plan = os.path.join(cluster.directory, "plan.json")
    until("link down", lambda: "was last heard" in tool("plan", "evict", gone.name,
                                                        *at(members[0])))
    tool("plan", "evict", gone.name, "--output", plan, *at(members[0]))
    tool("apply", "--plan", plan, *at(members[0]))
    assert "plan again" in tool("apply", "--plan", plan, *at(members[0]), expected=1)
    until("agreed", lambda: status(members[0])["former"][0]["last_events"] is not None)
    assert standing(gone) == "active"  # it has not heard of it
    for other in members:
        assert command(gone, "CRDT.LINK", other.name, "UP") == "OK"
    until("it knows", lambda: standing(gone) == "former")
    assert "rejoin" in refused(gone, "SET", "key", "value")
    tool("status", *at(gone), expected=1)
    until("it knows what they have", lambda: status(gone)["former"][0]["last_events"] is not None)
    assert gone.stop() == 0
    lost = os.path.join(cluster.directory, "lost.jsonl")
    data = os.path.join(cluster.directory, gone.name)
    assert "4 transactions that no member has" in tool("rejoin", "--data", data, "--output", lost)
    with open(lost, encoding="utf-8") as lines:
        operations = [json.loads(line)["operations"][0] for line in lines]
    assert [one["key"] for one in operations[:2]] == ["lost", "counted"], operations
    assert operations[0]["value"] == "written alone" and operations[1]["sum"] == 5, operations
    # A second time it is an empty directory, which is nobody's former one.
    tool("rejoin", "--data", data, "--output", lost + "2", expected=2)

    gone.start()
    gone.wait_ready()
    until("candidate again", lambda: standing(gone) == "applicant")
    until("seen", lambda: [one["name"] for one in status(members[0])["candidates"]] == [gone.name])
    tool("apply", "join", gone.name, "--yes", *at(members[0]))
    until("active again", lambda: standing(gone) == "active")
    for replica in [*members, gone]:
        assert command(replica, "GET", "lost") is None
        assert command(replica, "GET", "before") == b"joining"
    return lost


def resubmission(members, lost):
    """What was lost comes back at all, once, and not where it cannot be."""
    sending = ["resubmit", "--input", lost, *at(members[1])]
    assert "4 to be sent" in tool(*sending, "--dry-run")
    assert not os.path.exists(lost + ".done")
    damaged = lost + "-damaged"
    with open(lost, encoding="utf-8") as whole, open(damaged, "w", encoding="utf-8") as file:
        lines = whole.read()
        file.write(lines[:-4] + ("0" if lines[-4] != "0" else "1") + lines[-3:])  # a digit
    assert "line 4 " in tool(*sending[:2], damaged, *sending[3:], "--yes", expected=2)
    assert "say --yes" in tool(*sending, expected=2)
    assert command(members[0], "GET", "lost") is None

    # A tool that was killed when it had sent the first line, and was writing down more.
    note = {"line": 1, "event": json.loads(lines.split("\n", maxsplit=1)[0])["event"]}
    with open(lost + ".done", "w", encoding="utf-8") as file:
        file.write(json.dumps({**note, "state": "sent"}) + '\n{"line": 1, "ev')
    assert "line 1 was sent and no answer came" in tool(*sending, "--yes", expected=2)
    sending += ["--unanswered", "send"]
    assert command(members[1], "LPUSH", "counted", "no number") == 1
    refused_one = tool(*sending, "--yes", expected=1)
    assert "2 new transactions" in refused_one and "2 refused" in refused_one, refused_one
    until("its text", lambda: command(members[0], "TEXT.GET", "note") == b"lost")
    assert "not resubmitted: CONFLICT" in refused_one, refused_one
    assert command(members[1], "DEL", "counted") == 1
    assert command(members[1], "SET", "lost", "since") == "OK"
    # Where the words go is known from the first run.
    assert "2 new transactions" in tool(*sending, "--yes")
    assert "0 to be sent" in tool(*sending, "--yes")
    until("at all", lambda: all(command(one, "GET", "counted") == b"7" and
                                command(one, "GET", "lost") == b"since" and
                                command(one, "TEXT.GET", "note") == b"lost words"
                                for one in members))


def draining(members, leaving):
    """Nothing of it is lost, and it goes by itself."""
    assert command(leaving, "SET", "last", "words") == "OK"
    tool("apply", "drain", leaving.name, "--yes", *at(members[0]))
    until("retired", lambda: standing(leaving) == "former")
    assert "no member" in refused(leaving, "SET", "key", "value")
    until("at the others", lambda: all(command(one, "GET", "last") == b"words"
                                       for one in members))
    former = status(members[0])["former"][-1]
    assert (former["name"], former["state"]) == (leaving.name, "retired"), former
    assert leaving.stop() == 0


def without_majority(members):
    """Nothing is decided, that is said, and writes go on."""
    alone, second, third = members
    second.kill()
    third.kill()
    until("alone", lambda: "not possible now: 1 of 3 voters" in
          tool("plan", "evict", second.name, *at(alone), expected=1))
    before = epoch(alone)
    assert "1 of 3 replicas" in tool("apply", "evict", second.name, "--yes", *at(alone),
                                     expected=1)
    assert epoch(alone) == before
    assert command(alone, "SET", "meanwhile", "yes") == "OK"
    for replica in (second, third):
        replica.start()
        replica.wait_ready()
        until("still a member", lambda one=replica: standing(one) == "active")
    until("replication", lambda: command(third, "GET", "meanwhile") == b"yes")
    assert all(epoch(one) == before for one in members)
    wait_converged(members, 60)


def main():
    """One cluster, from its founding on."""
    cluster = Cluster(4)
    newcomer = cluster.replicas.pop()
    with cluster:
        first, second, third = cluster.replicas
        founding(cluster.replicas)
        joining(cluster.replicas, newcomer)
        cluster.replicas.append(newcomer)
        lost = eviction(cluster, [first, second, newcomer], third)
        resubmission([first, second, third, newcomer], lost)
        draining([first, second, third], newcomer)
        without_majority([first, second, third])
        try:
            command(first, "CRDT.MEMBERSHIP", "APPLY", str(epoch(first)), "NONSENSE")
            raise AssertionError("nonsense was taken")
        except ReplyError as error:
            assert "one of: INIT" in str(error), error


if __name__ == "__main__":
    main()
