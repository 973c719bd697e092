"""A Python program with an embedded database, for embedded_test.py to start, ask and kill.

Usage: embedded_member.py DIRECTORY LISTEN SECRET_FILE PREFIX ADDS PEER...

Adds 1 to the counter "visits" and PREFIX-n to the set "members", ADDS times, each in one batch;
says "added n" when the nth is durable. Then answers each line of its input with its state in JSON,
and ends with its input.
"""

import json
import sys

import syncline


def state(db):
    """What embedded_test.py compares."""
    return {"root": db.stats()["root"], "visits": int(db.counter("visits")),
            "members": sorted(db.set("members"))}


def main():
    """Adds, then answers."""
    directory, listen, secret_file, prefix, adds, *peers = sys.argv[1:]
    with syncline.open(directory, cluster="example") as db, \
            syncline.Node(db, listen=listen, peers=peers, secret_file=secret_file):
        for number in range(1, int(adds) + 1):
            with db.batch() as batch:
                batch.counter("visits").add(1)
                batch.set("members").add(f"{prefix}-{number}")
            print("added", number, flush=True)
        for _ in sys.stdin:
            print(json.dumps(state(db)), flush=True)


if __name__ == "__main__":
    main()
