"""What a user gets who sets it up wrong: one sentence on standard error, and exit code 2 for wrong
settings, 3 for what somebody else holds or made. And: configuration files, completion."""

import os
import re
import socket
import subprocess
import tempfile

from cluster import Cluster, free_ports

SYNCLINE = os.environ["SYNCLINE_BINARY"]


def syncline(*arguments, code=0, environment=None):
    """Output and error text of a run that must end with this code within half a minute."""
    done = subprocess.run([SYNCLINE, *map(str, arguments)], capture_output=True, timeout=30,
                          check=False, text=True, env={**os.environ, **(environment or {})})
    assert done.returncode == code, (arguments, done)
    return done.stdout, done.stderr


def refused(code, sentence, *arguments, environment=None):
    """It does not start, for this reason, told in one line."""
    _, errors = syncline(*arguments, code=code, environment=environment)
    assert sentence in errors, (sentence, errors)
    talk = [line for line in errors.splitlines() if line.startswith("syncline:")]
    assert len(talk) == 1, errors


def write(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def wrong_settings(scratch):
    data = ("serve", "--data", os.path.join(scratch, "unused"))
    toml = os.path.join(scratch, "syncline.toml")
    _, errors = syncline("serve", "--nosuch", code=2)
    assert "--nosuch" in errors, errors
    _, errors = syncline(code=2)
    assert "subcommand" in errors.lower(), errors
    refused(2, "--port: 'x' is no port", *data, "--port", "x")
    refused(2, "SYNCLINE_PORT: '65536' is no port", *data, environment={"SYNCLINE_PORT": "65536"})
    refused(2, "--policy: 'b' is none of: add-wins, remove-wins", *data, "--policy", "a=b")
    refused(2, "missing.toml: ", *data, "--config", os.path.join(scratch, "missing.toml"))
    refused(2, f"{toml}:2:8: ", *data, "--config", write(toml, "node = 'a'\nport = \n"))
    refused(2, f"{toml}:2:1: there is no setting 'prot'", *data, "--config",
            write(toml, "node = 'a'\nprot = 1\n"))
    refused(2, f"{toml}:1:8: the value of 'port' is of the wrong kind", *data, "--config",
            write(toml, "port = [1]\n"))
    refused(2, "needs --peer-secret-file", *data, "--peer", "127.0.0.1:1")
    refused(2, "cannot read secret file", *data, "--peer", "127.0.0.1:1", "--peer-secret-file",
            os.path.join(scratch, "missing"))
    refused(2, "must hold 16 to 1024 bytes", *data, "--peer-secret-file",
            write(os.path.join(scratch, "short"), "short"))
    refused(2, "--replication: 'x' is none of: multi-master, primary-backup", *data,
            "--replication", "x")
    refused(2, "--ack: '-1' is none of: async, all, a number", *data, "--ack=-1")
    refused(2, "--protected-mode", *data, "--bind", "0.0.0.0")
    password = write(os.path.join(scratch, "password"), "open sesame\n")
    users = write(os.path.join(scratch, "users"), "user ann on nopass\nann off\n")
    refused(2, "give the default user its password in the file of users", *data,
            "--requirepass-file", password, "--acl-file", users)
    refused(2, ":2 should start with user keyword", *data, "--acl-file", users)
    refused(2, "opening file 'missing'", *data, "--acl-file", "missing")
    refused(2, "must hold 1 to 1024 bytes", *data, "--requirepass-file",
            write(os.path.join(scratch, "empty"), "\n"))
    refused(1, "is open to others than its owner", *data, "--requirepass-file",
            write(os.path.join(scratch, "public"), "open sesame\n", 0o644))
    refused(2, "the name of a node has 1 to 64 printable", *data, "--node", "my node")
    assert not os.path.exists(os.path.join(scratch, "unused")), "it had not checked first"


def what_others_hold(scratch):
    """A port in use, a directory in use, a directory of another version."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(3, str(port), "serve", "--data", os.path.join(scratch, "data"), "--port", port,
                "--http-port", "off")
        refused(3, "--http-port takes another port", "serve", "--data",
                os.path.join(scratch, "data"), "--port", 0, "--http-port", port)
    with Cluster(1) as cluster:
        replica = cluster.replicas[0]
        directory = os.path.join(cluster.directory, replica.name)
        refused(3, "another process", "serve", "--data", directory, "--port", free_ports(1)[0])
        assert replica.stop() == 0
        base = os.path.join(directory, "base", "data.mdb")
        with open(base, "rb") as file:
            content = file.read()
        newer, count = re.subn(rb"version\x00{7}.", b"version" + bytes(7) + b"\xff", content,
                               flags=re.DOTALL)
        assert count > 0
        with open(base, "wb") as file:
            file.write(newer)
        refused(3, "has format version 255, this program knows", "serve", "--data", directory,
                "--port", free_ports(1)[0])


def configuration(scratch):
    toml = write(os.path.join(scratch, "a.toml"), "port = 6400\nnode = 'a'\n")
    assert syncline("config", "check", "--config", toml)[0] == "The settings are valid.\n"
    out, _ = syncline("config", "print", "--effective", "--config", toml, "--node", "b",
                      environment={"SYNCLINE_LOG_LEVEL": "debug"})
    for line in (f"port = 6400  # {toml}:1:1", "node = 'b'  # flag",
                 "bind = '127.0.0.1'  # default",
                 "log-level = 'debug'  # environment SYNCLINE_LOG_LEVEL"):
        assert line in out.splitlines(), (line, out)
    out, _ = syncline("config", "print", "--config", toml)
    assert len(out.splitlines()) == 2, out
    refused(2, "needs --peer-secret-file", "config", "check", "--peer", "127.0.0.1:1")


def help_and_completion(scratch):
    out, _ = syncline("--help")
    for line in out.split("Subcommands:")[1].splitlines():
        if line.startswith("  ") and line.strip():
            name = line.split()[0]
            assert f"Examples:\n  " in syncline(name, "--help")[0], name
    assert "libuv" in syncline("--version")[0]
    script = write(os.path.join(scratch, "completion.bash"), syncline("completion", "bash")[0])

    def complete(*words):
        """What bash would offer."""
        program = f"""source '{script}'; COMP_WORDS=({' '.join(f"'{word}'" for word in words)})
                      COMP_CWORD={len(words) - 1}; _syncline; printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "-c", program], capture_output=True, timeout=30, text=True,
                              check=True)
        return done.stdout.split()

    assert "serve" in complete("syncline", "")
    assert complete("syncline", "se") == ["serve"]
    assert complete("syncline", "serve", "--log-l") == ["--log-level"]
    assert complete("syncline", "config", "p") == ["print"]
    assert "--effective" in complete("syncline", "config", "print", "--")
    for shell in ("zsh", "fish"):
        assert "peer-secret-file" in syncline("completion", shell)[0]
    syncline("completion", "tcsh", code=2)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        wrong_settings(scratch)
        what_others_hold(scratch)
        configuration(scratch)
        help_and_completion(scratch)


if __name__ == "__main__":
    main()
