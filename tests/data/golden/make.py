"""Makes the golden data directory of a format version: format-N.tar.gz and, beside it, the commands
that tell whether what is in it can still be read, with their replies (format-N.json).

Usage: SYNCLINE_BINARY=build/release/syncline make.py N. Run it once for each format version, with
the build that first writes it; never again.

The directory holds every type, rows with long keys and fields, removed things, conflicts and a log
that goes on after the last checkpoint.
"""

import io
import json
import os
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "interop"))
from cluster import Cluster, clock  # noqa: E402

LONG = "long key " * 80


def write(connection):
    """Something of everything."""
    run = connection.command
    for number in range(200):
        run("SET", f"string:{number}", f"value {number}")
        run("HSET", "hash", f"field {number}", f"value {number}")
        run("SADD", "set", f"member {number}")
        run("ZADD", "sorted", number / 4, f"member {number}")
        run("RPUSH", "list", f"element {number}")
    run("SET", LONG, "under a long key")
    run("HSET", LONG + "hash", "field " * 100, "under a long field")
    run("SET", "large", "0123456789" * 20000)
    run("SET", "empty", "")
    run("INCRBY", "counter", 41)
    run("INCR", "counter")
    run("INCRBYFLOAT", "decimal", "0.75")
    run("DEL", "string:3", "string:7")
    run("HDEL", "hash", "field 5")
    run("SREM", "set", "member 5")
    run("ZREM", "sorted", "member 5")
    run("LPOP", "list")
    run("LINSERT", "list", "BEFORE", "element 9", "between")
    run("SET", "ends", "in the year 2100")
    run("PEXPIREAT", "ends", 4102444800000)
    run("MV.SET", "register", "one of several")
    run("TEXT.INSERT", "text", 0, "Grüße, a text. ")
    run("TEXT.INSERT", "text", 7, "edited ")
    run("TEXT.ERASE", "text", 0, 2)
    run("BC.INCR", "bounded", 10)
    run("BC.DECR", "bounded", 3)
    run("FLAG.ENABLE", "flag")


def questions():
    """Commands that show all of it."""
    keys = [f"string:{number}" for number in range(200)]
    return [["GET", key] for key in [*keys, LONG, "empty", "counter", "decimal", "ends", "large"]] + [
        ["DBSIZE"], ["HGET", LONG + "hash", "field " * 100], ["HLEN", "hash"],
        *[["HGET", "hash", f"field {number}"] for number in range(200)],
        ["SCARD", "set"], ["SMISMEMBER", "set", *[f"member {number}" for number in range(200)]],
        ["ZRANGE", "sorted", 0, -1, "WITHSCORES"], ["LRANGE", "list", 0, -1],
        ["PEXPIRETIME", "ends"], ["MV.GET", "register"], ["TEXT.GET", "text"],
        ["BC.GET", "bounded"], ["FLAG.GET", "flag"], ["TYPE", "text"]]


def fingerprint(connection):
    """Of all rows, and which transactions they hold."""
    state = clock(connection)
    return {"root": plain(state["root"]), "vv": plain(state["vv"])}


def plain(reply):
    """A reply as JSON can hold it."""
    if isinstance(reply, bytes):
        return {"bytes": reply.decode("latin-1")}
    return [plain(part) for part in reply] if isinstance(reply, list) else reply


def pack(directory, target):
    """The files that a copy needs, the same bytes whenever it is made of the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=9) as archive:
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.name not in ("lock.mdb", "LOCK"):
                archive.add(path, arcname=str(path.relative_to(directory)))
    target.write_bytes(buffer.getvalue())


def main():
    version = int(sys.argv[1])
    with Cluster(1) as cluster:
        replica = cluster.replicas[0]
        with replica.connect() as connection:
            write(connection)
        if replica.stop() != 0:  # a checkpoint
            raise RuntimeError(replica.log_tail())
        replica.start()
        replica.wait_ready()
        with replica.connect() as connection:
            for number in range(20):  # for the log alone
                connection.command("SET", f"string:{number * 10}", f"later {number}")
                connection.command("SADD", "set", f"later {number}")
            expected = {"answers": [[question, plain(connection.command(*question))]
                                    for question in questions()],
                        "fingerprint": fingerprint(connection)}
        replica.kill()
        pack(Path(cluster.directory) / "n1", HERE / f"format-{version}.tar.gz")
    (HERE / f"format-{version}.json").write_text(
        json.dumps(expected, indent=None, separators=(",", ":"), ensure_ascii=True) + "\n",
        encoding="ascii")
    print(os.path.getsize(HERE / f"format-{version}.tar.gz"), "bytes")


if __name__ == "__main__":
    main()
