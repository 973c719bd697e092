"""A peer's name has two addresses, as that of a service that all replicas are behind, and the first
of them is the replica's own: it goes on to the other. Where the name has no other it still waits
for a peer; and where the number of addresses makes the majority each of them is one.

The name is made in a mount namespace. Needs root and unshare; says why it is skipped without.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from cluster import Replica, free_ports, write_secret  # noqa: E402

WAIT_SECONDS = 20
OWN, OTHER = "127.0.0.2", "127.0.0.3"
ENTER = ["unshare", "--mount", "sh", "-c",
         'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh"]


def missing(hosts):
    """What the machine lacks; nothing if it can do it."""
    if os.geteuid() != 0:
        return "not root"
    if shutil.which("unshare") is None:
        return "no unshare"
    done = subprocess.run([*ENTER, hosts, "getent", "ahostsv4", "replicas"], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        return done.stderr.strip() or "the name is not found"
    return "" if OTHER in done.stdout else "a name in /etc/hosts has one address only"


class Drill:
    """A scratch directory with the name's addresses, and replicas that see it."""

    def __init__(self, directory):
        self.directory = directory
        self.secret = write_secret(directory)
        self.hosts = os.path.join(directory, "hosts")
        self.name(OWN, OTHER)
        self.started = []

    def name(self, *addresses):
        """Gives the name these addresses."""
        lines = ["127.0.0.1 localhost"] + [f"{address} replicas" for address in addresses]
        Path(self.hosts).write_text("\n".join(lines) + "\n", encoding="ascii")

    def start(self, name, host, port, *options):
        """A replica whose peers reach it at host:port."""
        replica = Replica(name, self.directory,
                          ["--peer-bind", host, "--peer-port", str(port),
                           "--peer-secret-file", self.secret, *options], free_ports(1)[0])
        replica.command = [*ENTER, self.hosts, *replica.command]
        replica.start()
        self.started.append(replica)
        replica.wait_ready()
        return replica


def peers(replica):
    """(address, connected) of each that the replica counts."""
    with replica.connect() as connection:
        fields = [dict(zip(peer[::2], peer[1::2])) for peer in connection.command("CRDT.PEERS")]
    return [(peer[b"address"].decode(), peer[b"link"] == b"up") for peer in fields]


def wait_for(what, holds):
    """Until it holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def stays(what, holds, seconds):
    """As long as that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert holds(), what
        time.sleep(0.1)


def run(drill):
    """All of it."""
    port, other_port = free_ports(2)
    name = f"replicas:{port}"
    drill.name(OWN)
    replica = drill.start("a", OWN, port, "--init", "--peer", name)
    wait_for("the name is not known to lead back",
             lambda: "peer.itself" in Path(replica.log_path).read_text(encoding="utf-8"))
    stays("nobody is missed", lambda: peers(replica) == [(name, False)], 3)
    drill.name(OWN, OTHER)
    drill.start("b", OTHER, port, "--peer", "127.0.0.1:1")  # it does not dial
    wait_for("the other address is not tried", lambda: peers(replica) == [(name, True)])

    alone = f"{OWN}:{other_port}"
    for mode, expected in (("multi-master", []), ("primary-backup", [(alone, False)])):
        single = drill.start(mode, OWN, other_port, "--init", "--replication", mode,
                             "--peer", alone)
        wait_for("the address is not known to lead back",
                 lambda: "peer.itself" in Path(single.log_path).read_text(encoding="utf-8"))
        stays(f"in mode {mode}", lambda: peers(single) == expected, 1)
        single.stop()


def main():
    """Runs the drill, and ends whatever it started."""
    directory = tempfile.mkdtemp(prefix="syncline-")
    drill = Drill(directory)
    try:
        reason = missing(drill.hosts)
        if reason:
            print(f"skipped: {reason}")
            return
        run(drill)
        print("Its own address is passed over, and missed where it must be.")
    except BaseException:
        for replica in drill.started:
            print(replica.log_tail())
        raise
    finally:
        for replica in drill.started:
            if replica.process.poll() is None:
                replica.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
