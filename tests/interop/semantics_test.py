"""crdt/semantics.toml: what is published of concurrent writes is what two replicas do.

With --write it only brings the README's table up to date.
"""

import os
import pathlib
import sys
import time
import tomllib

SOURCE = pathlib.Path(os.environ.get("SYNCLINE_SOURCE", "."))
HEADER = "| writes | outcome on every replica |\n|---|---|\n"


def rules():
    """The rules, in the order of the table."""
    return tomllib.loads((SOURCE / "crdt/semantics.toml").read_text())["rule"]


def with_table(readme):
    """A README with the table as it must be."""
    before, rest = readme.split(HEADER)
    after = rest[rest.index("\n\n"):]
    rows = [f"| {rule['writes']} | {rule['outcome']} |" for rule in rules()]
    return before + HEADER + "\n".join(rows) + after


def plain(reply):
    """A reply as the file has it."""
    if isinstance(reply, bytes):
        return reply.decode()
    if isinstance(reply, list):
        return [plain(one) for one in reply]
    return "nil" if reply is None else reply


def flat(reply):
    """All texts of a reply, one after the other."""
    if not isinstance(reply, list):
        return str(reply)
    return " ".join(flat(one) for one in reply)


def agrees(reply, expected):
    """Whether a reply is the expected one, or has the words one after the other."""
    if isinstance(expected, str) and expected.startswith("contains "):
        return f" {expected.removeprefix('contains ')} " in f" {flat(reply)} "
    return reply == expected


class Pair:
    """Two replicas, and what passes between them."""

    def __init__(self, cluster):
        self.replicas = cluster.replicas[:2]
        self.connections = [replica.connect() for replica in self.replicas]

    def meet(self):
        """Until both have seen the same."""
        wait_converged(self.replicas, 30)

    def link(self, state):
        """Cuts the link, or mends it."""
        for connection, other in zip(self.connections, ("n2", "n1")):
            assert connection.command("CRDT.LINK", other, state) == "OK"

    def run(self, side, commands):
        """Commands of which none may fail."""
        for command in commands:
            self.connections[side].command(*command.split())

    def ask(self, side, command):
        """The reply as the file has it; of an error its first word."""
        try:
            return plain(self.connections[side].command(*command.split()))
        except ReplyError as error:
            return str(error).split()[0]

    def check(self, rule, case):
        """One case of a rule."""
        self.run(0, ["FLUSHALL"])
        self.run(0, case["given"])
        self.meet()
        self.link("down")
        self.run(0, case["a"])
        time.sleep(0.01)  # b comes later by the clock, too
        self.run(1, case["b"])
        self.link("up")
        self.meet()
        for side in range(2):
            for command, expected in case["read"]:
                reply = self.ask(side, command)
                assert agrees(reply, expected), (rule["writes"], case, side, command, reply)


def main():
    """All cases, and the table."""
    readme = SOURCE / "README.md"
    if "--write" in sys.argv:
        readme.write_text(with_table(readme.read_text()))
        return
    assert with_table(readme.read_text()) == readme.read_text(), \
        "README.md: run tests/interop/semantics_test.py --write"
    cases = 0
    with Cluster(2, options=["--policy", "off:=remove-wins"]) as cluster:
        pair = Pair(cluster)
        for rule in rules():
            for case in rule["case"]:
                pair.check(rule, case)
                cases += 1
    assert cases >= 25, cases
    print(f"{cases} cases: ok")


if __name__ == "__main__":
    if "--write" not in sys.argv:
        from cluster import Cluster, ReplyError, wait_converged
    main()
