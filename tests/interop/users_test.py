"""Users of the client port: replies and rules as those of redis-server 7.0.15, which runs beside;
passwords and users from files, bounds before AUTH, protected mode, redis-cli and redis-py."""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

import redis

from cluster import Cluster, Connection, RedisServer, ReplyError

# What both answer alike, in one connection. (The order of single commands in a rule is open.)
EXCHANGES = """
ACL WHOAMI
ACL USERS
ACL LIST
ACL SETUSER alice
ACL LIST
ACL GETUSER alice
ACL GETUSER nobody
AUTH alice secret
ACL SETUSER alice on >secret #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
ACL SETUSER alice ~k* %R~r* %W~w* &news* +@all -client|kill
ACL LIST
ACL GETUSER alice
ACL SETUSER alice (~a* +get) (%R~b* &x +@hash)
ACL LIST
ACL GETUSER alice
ACL SETUSER alice clearselectors
ACL SETUSER alice <wrong
ACL SETUSER alice !abc
ACL SETUSER alice #ABC
ACL SETUSER alice +nosuch
ACL SETUSER alice +@nosuch
ACL SETUSER alice +config|get|x
ACL SETUSER alice +get|a|b
ACL SETUSER alice -config|nosuch
ACL SETUSER alice nosuch
ACL SETUSER alice (+get
ACL SETUSER alice %X~a
ACL SETUSER default ~x
ACL SETUSER default &x
ACL SETUSER bob on nopass ~* resetchannels &c +@all -@string
ACL GETUSER bob
ACL SETUSER bob reset
ACL LIST
ACL DELUSER default
ACL DELUSER bob bob nobody
ACL DELUSER
ACL SETUSER
ACL NOSUCH
ACL
ACL CAT
ACL CAT nosuch
ACL CAT a b
ACL HELP
ACL HELP x
ACL GENPASS 0
ACL GENPASS x
ACL GENPASS 5000
ACL GENPASS 1 2
ACL LOAD
ACL SAVE
ACL LOG x
ACL LOG 1 2
ACL LOG RESET
ACL DRYRUN nobody get k
ACL DRYRUN alice nosuch
ACL DRYRUN alice get
ACL DRYRUN alice get other
ACL DRYRUN alice get k1
ACL DRYRUN alice client kill x
ACL DRYRUN alice publish other x
ACL DRYRUN alice set r1 x
ACL DRYRUN alice set w1 x get
AUTH a b c
AUTH secret
AUTH alice wrong
AUTH alice secret
ACL WHOAMI
SET other v
GET k1
CLIENT KILL ID 99
PUBLISH other x
MULTI
GET other
EXEC
SORT k1 BY w_*
SORT k1 GET w_*
SORT k1 STORE other
ACL LOG 0
ACL SETUSER alice -acl|setuser
ACL SETUSER alice +acl
HELLO 3 AUTH alice wrong
HELLO 3 nosuch
CLIENT KILL USER nobody
RESET
ACL WHOAMI
CONFIG SET acl-pubsub-default nosuch
CONFIG SET acllog-max-len x
CONFIG SET protected-mode x
CONFIG SET requirepass hidden
RESET
GET k1
EXEC
HELLO 3
NOSUCH
AUTH wrong
AUTH hidden
PING
CONFIG SET requirepass ""
AUTH default x
""".strip().splitlines()


def ask(connection, *command):
    """The reply, an error too."""
    try:
        return connection.command(*command)
    except ReplyError as error:
        return f"-{error}"


def write(path, text):
    """A file for its owner alone; its name."""
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        file.write(text)
    return path


def exchanges_are_equal(one, other):
    connections = [Connection(server.port, 10) for server in (one, other)]
    for line in EXCHANGES:
        words = [word.strip('"') for word in line.split(" ")]
        replies = [ask(connection, *words) for connection in connections]
        assert replies[0] == replies[1], (line, replies)
    for connection in connections:
        connection.close()


def rows(connection):
    """What COMMAND tells of all commands, by full name."""
    found = {}

    def take(entries):
        for entry in entries:
            found[entry[0].decode()] = entry
            take(entry[9])

    take(connection.command("COMMAND"))
    return found


def rules_mean_the_same(one, other):
    """Categories of each command that both have, and what it does to its keys."""
    connections = [Connection(server.port, 10) for server in (one, other)]
    tables = [rows(connection) for connection in connections]
    shared = sorted(set(tables[0]) & set(tables[1]))
    assert len(shared) > 200, len(shared)
    for name in shared:
        assert set(tables[0][name][6]) == set(tables[1][name][6]), name
    for connection in connections:
        for user, rules in {"reads": "%R~key*", "writes": "%W~key*", "both": "~key*",
                            "mixed": "%R~key1 %W~key2 %W~key3"}.items():
            connection.command("ACL", "SETUSER", user, "on", "+@all", *rules.split(" "))
    for name in shared:
        row = tables[0][name]
        if row[3] == 0 and "movablekeys" not in row[2] or name == "object|help":
            continue
        words = name.split("|")
        count = max(abs(row[1]), row[3] + 2) if row[1] < 0 else row[1]
        for number in ("1", "2"):  # where a number of keys stands
            arguments = [f"key{i}" for i in range(1, 1 + count - len(words))]
            for place in ((0, 1) if "movablekeys" in row[2] else ()):
                if place < len(arguments):
                    arguments[place] = number
            for user in ("reads", "writes", "both", "mixed"):
                replies = [ask(connection, "ACL", "DRYRUN", user, *words, *arguments)
                           for connection in connections]
                assert replies[0] == replies[1], (user, words, arguments, replies)
    for connection in connections:
        connection.close()


def bounds_before_auth(replica):
    """Who has not logged in may send little, and gets more room with AUTH."""
    for sent, answer in ((b"*11\r\n", "unauthenticated multibulk length"),
                         (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
                         (b"a " * 11 + b"\r\n", "unauthenticated multibulk length")):
        with replica.connect() as connection:
            connection.socket.sendall(sent)
            error = connection.file.readline().decode()
            assert error == f"-ERR Protocol error: {answer}\r\n", error
            assert connection.file.read() == b"", "the connection is left open"
    with replica.connect() as connection:  # 64 KiB in all
        connection.socket.sendall(b"*5\r\n" + b"$16384\r\n%b\r\n" % (b"x" * 16384) * 4 +
                                  b"$1\r\n")
        error = connection.file.readline().decode()
        assert error == "-ERR Protocol error: unauthenticated bulk length\r\n", error
    with replica.connect() as connection:  # both at once
        connection.send("AUTH", "open sesame")
        connection.send("ECHO", "x" * 100000)
        assert connection.receive() == "OK"
        assert len(connection.receive()) == 100000


def password_from_a_file(scratch):
    secret = write(os.path.join(scratch, "password"), "open sesame\n")
    with Cluster(1, ["--requirepass-file", secret, "--log-level", "debug"]) as cluster:
        replica = cluster.replicas[0]
        bounds_before_auth(replica)
        with replica.connect() as connection:
            assert ask(connection, "GET", "k") == "-NOAUTH Authentication required."
            assert ask(connection, "AUTH", "wrong").startswith("-WRONGPASS ")
            assert ask(connection, "AUTH", "open sesame") == "OK"
            assert ask(connection, "CONFIG", "GET", "requirepass") == [b"requirepass", b""]
        done = subprocess.run(["redis-cli", "-p", str(replica.port), "SET", "k", "v"],
                              capture_output=True, check=False, text=True, timeout=30,
                              env={**os.environ, "REDISCLI_AUTH": "open sesame"})
        assert done.stdout == "OK\n", done
        for protocol in ("2", "3"):
            done = subprocess.run(["redis-cli", f"-{protocol}", "-p", str(replica.port), "GET",
                                   "k"], capture_output=True, check=False, text=True, timeout=30,
                                  env={**os.environ, "REDISCLI_AUTH": "open sesame"})
            assert done.stdout == "v\n", done
        with redis.Redis(port=replica.port, password="open sesame") as client:
            assert client.get("k") == b"v"
        try:
            redis.Redis(port=replica.port, password="wrong").ping()
            raise AssertionError("redis-py was let in")
        except redis.RedisError as error:
            assert str(error).startswith("WRONGPASS "), error
        assert "sesame" not in open(replica.log_path, encoding="utf-8").read()
    for words in (["config", "print", "--effective"], ["config", "print"]):
        done = subprocess.run([os.environ["SYNCLINE_BINARY"], *words, "--requirepass-file",
                               secret], capture_output=True, check=True, text=True, timeout=30)
        assert secret in done.stdout and "sesame" not in done.stdout, done


def users_from_a_file(scratch):
    """They are read, written and read again; the process that comes next has them."""
    path = write(os.path.join(scratch, "users.acl"),
                 "user default off\nuser ann on >secret ~* &* +@all\n"
                 "user bob on nopass ~k* -@all +get +set\n")
    with Cluster(1, ["--acl-file", path]) as cluster:
        replica = cluster.replicas[0]
        with redis.Redis(port=replica.port, username="ann", password="secret") as client:
            assert client.acl_whoami() == "ann"
            assert sorted(client.acl_users()) == ["ann", "bob", "default"]
            client.acl_setuser("eve", enabled=True, passwords=["+pass"], keys=["e*"],
                               commands=["+get"])
            client.execute_command("ACL", "SAVE")
            assert client.acl_getuser("eve")["commands"] == ["+get"], client.acl_getuser("eve")
        with replica.connect() as connection:
            assert ask(connection, "GET", "k") == "-NOAUTH Authentication required."
            assert ask(connection, "AUTH", "bob", "x") == "OK"
            assert ask(connection, "SET", "k", "v") == "OK"
            assert ask(connection, "SET", "x", "v").startswith("-NOPERM ")
            assert ask(connection, "DEL", "k").startswith("-NOPERM ")
        saved = open(path, encoding="utf-8").read()
        assert "secret" not in saved and "pass\n" not in saved, saved
        assert os.stat(path).st_mode & 0o077 == 0
        replica.kill()
        replica.start()
        replica.wait_ready()
        with replica.connect() as connection:
            assert ask(connection, "AUTH", "eve", "pass") == "OK"


def http_answer(port, path, login=None, host="127.0.0.1"):
    """Status, headers and body."""
    connection = http.client.HTTPConnection(host, port, timeout=10)
    headers = {}
    if login is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    if response.getheader("Content-Type") == "text/event-stream":
        return response.status, response.headers, response.fp.readline()
    return response.status, response.headers, response.read()


def other_ports_and_tools(scratch):
    """The HTTP port knows the same users, and so do the command line tools."""
    path = write(os.path.join(scratch, "http.acl"),
                 "user default off\nuser ann on >secret ~* &* +@all\n"
                 "user bob on nopass ~k* -@all +crdt.explain +get\n")
    with Cluster(1, ["--acl-file", path]) as cluster:
        replica = cluster.replicas[0]
        with replica.connect() as connection:
            connection.command("AUTH", "ann", "secret")
            port = int(dict(line.split(":", 1) for line in connection.command(
                "INFO", "server").decode().splitlines() if ":" in line)["http_port"])
            connection.command("SET", "k", "v")
            for page in ("/", "/page.js", "/metrics", "/api/status", "/api/key?key=k",
                         "/api/conflicts", "/api/events", "/nowhere"):
                for login in (None, "ann:wrong", "nobody:secret", "default:", ":", "ann"):
                    status, headers, _ = http_answer(port, page, login)
                    assert status == 401, (page, login, status)
                    assert headers["WWW-Authenticate"].startswith("Basic realm="), page
                status, _, body = http_answer(port, page, "ann:secret")
                assert status == (404 if page == "/nowhere" else 200), (page, status, body)
            for page, wanted in (("/api/key?key=k", 200), ("/api/key?key=x", 403), ("/", 200),
                                 ("/api/conflicts", 403), ("/api/events", 403),
                                 ("/metrics", 403), ("/api/peers", 403)):
                status, _, body = http_answer(port, page, "bob:any")
                assert status == wanted, (page, status, body)
            assert http_answer(port, "/livez")[0] == 200
            for login in (None, "ann:secret"):  # it waits for peers, and tells users so
                _, _, body = http_answer(port, "/healthz", login)
                health = json.loads(body)
                told = health["status"] != "ok" and login is not None
                assert bool(health["reasons"]) == told, health
            assert any(b"HTTP" in entry for entry in connection.command("ACL", "LOG")), "no entry"
            stream = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            stream.request("GET", "/api/events", headers={
                "Authorization": "Basic " + base64.b64encode(b"ann:secret").decode()})
            response = stream.getresponse()
            assert response.status == 200
            connection.command("ACL", "SETUSER", "ann", "resetpass", ">changed")
            while response.fp.readline():  # it ends, because users have changed
                pass
        tools_log_in(replica, scratch)


def tools_log_in(replica, scratch):
    address = f"127.0.0.1:{replica.port}"
    keys = os.path.join(scratch, "keys.jsonl")
    password = write(os.path.join(scratch, "ann"), "changed\n")
    with_file = ["--user", "ann", "--password-file", password]

    def run(code, *words, environment=None):
        done = subprocess.run([os.environ["SYNCLINE_BINARY"], *words, "--connect", address],
                              capture_output=True, check=False, text=True, timeout=60,
                              env={**os.environ, **(environment or {})})
        assert done.returncode == code, done
        return done.stdout + done.stderr

    for words in (["inspect", "status"], ["inspect", "key", "k"], ["export", keys],
                  ["import", keys], ["scrub"], ["cluster", "status"],
                  ["backup", os.path.join(scratch, "backup")]):
        run(0, *words, *with_file)
    environment = {"SYNCLINE_USER": "ann", "SYNCLINE_PASSWORD": "changed"}
    assert "ok" in run(0, "inspect", "status", environment=environment)
    refused = run(1, "scrub", *with_file[:2], environment={"SYNCLINE_PASSWORD": "hidden"})
    assert "WRONGPASS" in refused and "hidden" not in refused, refused
    assert "NOAUTH" in run(1, "scrub")
    assert "needs a password" in run(2, "scrub", "--user", "ann")
    os.chmod(password, 0o644)
    assert "open to others" in run(1, "scrub", *with_file)


def outside_address():
    """An address of this machine that is not its loopback; None if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


def protected_mode(scratch):
    """A default user without a password: only this machine is let in, until somebody says so."""
    address = outside_address()
    if address is None:
        print("no address but the loopback: protected mode is not tried")
        return
    path = write(os.path.join(scratch, "open.acl"), "user default on nopass ~* &* +@all\n")
    with Cluster(1, ["--acl-file", path, "--bind", "0.0.0.0"]) as cluster:
        replica = cluster.replicas[0]
        http_port = replica.http_port()

        def answer():
            with socket.create_connection((address, replica.port), 10) as connection:
                connection.sendall(b"PING\r\n")
                return connection.makefile("rb").readline().decode()

        assert http_answer(http_port, "/livez", host=address)[0] == 403
        assert answer().startswith("-DENIED Redis is running in protected mode because"), answer()
        with replica.connect() as connection:
            assert connection.command("CONFIG", "SET", "requirepass", "x") == "OK"
            assert answer() == "-NOAUTH Authentication required.\r\n", answer()
            assert http_answer(http_port, "/livez", host=address)[0] == 200
            assert http_answer(http_port, "/metrics", host=address)[0] == 401
            assert connection.command("CONFIG", "SET", "requirepass", "") == "OK"
            assert connection.command("CONFIG", "SET", "protected-mode", "no") == "OK"
            assert answer() == "+PONG\r\n", answer()


def main():
    with tempfile.TemporaryDirectory(prefix="syncline-users-") as scratch:
        with RedisServer(scratch) as server, Cluster(1) as cluster:
            exchanges_are_equal(server, cluster.replicas[0])
            rules_mean_the_same(server, cluster.replicas[0])
        password_from_a_file(scratch)
        users_from_a_file(scratch)
        other_ports_and_tools(scratch)
        protected_mode(scratch)
    return 0


if __name__ == "__main__":
    signal.alarm(240)
    sys.exit(main())
