"""The list of all commands, net/COMMANDS.md, is what the server's table says; and what COMMAND INFO
tells of those that redis-server 7.0.15 has, too, is what that one tells.

    commands_test.py            checks both
    commands_test.py --write    writes the list anew
"""

import pathlib
import sys
import tempfile

from cluster import Cluster, Connection, RedisServer

LIST = pathlib.Path(__file__).resolve().parents[2] / "net" / "COMMANDS.md"
HEAD = """# Commands

All that a replica answers to, from its table of commands: made by
`tests/interop/commands_test.py --write`, and compared with the table by the same test. *Redis* says
since when Redis has a command; a dash, that it is Syncline's own. Where a reply differs from
Redis's, [README.md](README.md) says how.
"""
COLUMNS = ("command", "arity", "Redis", "cost", "what it does")
# Flags for scripts, which are not here, and for what Redis does as it loads or is a stale replica.
IGNORED_FLAGS = {"noscript", "stale", "allow_busy", "no_auth", "no_async_loading", "skip_slowlog",
                 "loading", "readonly", "admin", "write", "no_multi"}
# Of what a key specification says about keys; notes are words for people.
IGNORED_FIELDS = {"notes"}


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def words(reply):
    """A reply with strings for bytes."""
    if isinstance(reply, list):
        return [words(one) for one in reply]
    return reply.decode() if isinstance(reply, bytes) else reply


def rows(connection):
    """Every command and subcommand by its name, as COMMAND tells it."""
    found = {}

    def take(row):
        found[row[0]] = row
        for sub in row[9]:
            take(sub)

    for row in words(connection.command("COMMAND")):
        take(row)
    return found


def specifications(row):
    return [{name: value for name, value in pairs(spec).items() if name not in IGNORED_FIELDS}
            for spec in row[8]]


def compare(ours, theirs):
    """What differs between two rows of one command."""
    wrong = [name for index, name in ((1, "arity"), (3, "first key"), (4, "last key"), (5, "step"))
             if ours[index] != theirs[index]]
    if sorted(ours[6]) != sorted(theirs[6]):
        wrong.append("categories")
    if (set(ours[2]) ^ set(theirs[2])) - IGNORED_FLAGS:
        wrong.append("flags")
    if specifications(ours) != specifications(theirs):
        wrong.append("keys")
    return wrong


def compare_with_redis(ours):
    """The commands that both have, and those whose rows differ."""
    with tempfile.TemporaryDirectory() as directory, RedisServer(directory) as server:
        with Connection(server.port, 5) as connection:
            theirs = rows(connection)
    both = sorted(set(ours) & set(theirs))
    # Channels are no keys here: only a cluster of Redis would look for them.
    channels = {"spublish", "ssubscribe", "sunsubscribe"}
    wrong = {name: compare(ours[name], theirs[name]) for name in both if name not in channels}
    return both, theirs, {name: what for name, what in wrong.items() if what}


def page(connection, ours, theirs):
    """The text of the list."""
    groups = {}
    for name, documents in pairs(words(connection.command("COMMAND", "DOCS"))).items():
        fields = pairs(documents)
        entries = [(name, fields)]
        subcommands = pairs(fields.get("subcommands", []))
        entries += [(sub, pairs(text)) for sub, text in subcommands.items()]
        for full_name, about in entries:
            groups.setdefault(about["group"], []).append((full_name, about))
    text = HEAD
    for group in sorted(groups):
        text += f"\n## {group}\n\n| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"
        for name, about in sorted(groups[group]):
            since = about["since"] if name in theirs else "-"
            shown = name.replace("|", " ").upper()
            text += (f"| `{shown}` | {ours[name][1]} | {since} | {about['complexity']} | "
                     f"{about['summary']} |\n")
    return text


def main():
    with Cluster(1) as cluster, cluster.replicas[0].connect() as connection:
        ours = rows(connection)
        both, theirs, wrong = compare_with_redis(ours)
        text = page(connection, ours, theirs)
    if sys.argv[1:] == ["--write"]:
        LIST.write_text(text, encoding="utf-8")
        return
    for name, what in wrong.items():
        print(f"{name}: {', '.join(what)}")
    assert not wrong, "rows differ from those of redis-server"
    assert len(both) > 200, f"only {len(both)} commands are known to both"
    assert LIST.read_text(encoding="utf-8") == text, f"{LIST.name} is old: commands_test.py --write"
    print(f"{len(ours)} commands and subcommands, {len(both)} of them Redis's with equal rows")


if __name__ == "__main__":
    main()
