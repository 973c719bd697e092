"""Publish/subscribe over three replicas in a chain: what is published at one end is heard at the
other, by redis-py, redis-cli and plain sockets, in RESP2 and RESP3; who does not read is cut, and a
peer that stands still costs neither memory nor order."""

import signal
import socket
import subprocess
import tempfile
import threading
import time

import redis
from cluster import Cluster, Replica, ReplyError, free_ports, write_secret

SECONDS = 60  # a message of 1 MiB takes new memory many times, which some machines give slowly
MIB = 1 << 20


class Chain(Cluster):
    """a - b - c: each knows the one before it only."""

    def __init__(self):  # pylint: disable=super-init-not-called
        self.directory = tempfile.mkdtemp(prefix="syncline-")
        secret = write_secret(self.directory)
        ports = free_ports(6)
        self.replicas = []
        for index, name in enumerate("abc"):
            options = ["--peer-port", str(ports[3 + index]), "--peer-secret-file", secret]
            options += ["--peer", f"127.0.0.1:{ports[2 + index]}"] if index else ["--init"]
            self.replicas.append(Replica(name, self.directory, options, ports[index]))


class Subscriber:
    """A connection that listens; replies and messages come as lists."""

    def __init__(self, replica, *commands, resp=2):
        self.connection = replica.connect(SECONDS)
        if resp == 3:
            self.connection.send("HELLO", 3)
            while not self.connection.file.readline().startswith(b"*0"):
                pass
        for command in commands:
            self.connection.send(*command)
            for name in command[1:]:
                got = self.next()
                assert got[:2] == [command[0].lower().encode(), name.encode()], got

    def next(self):
        """The next push, or the array that it is in RESP2."""
        line = self.connection.file.readline()
        assert line[:1] in (b"*", b">"), line
        return [self.connection.receive() for _ in range(int(line[1:]))]

    def close(self):
        """Ends the connection."""
        self.connection.close()


def until(condition, what):
    """Waits for it."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def figure(replica, name, section="everything"):
    """A number of INFO."""
    return int(replica.info(section)[name])


def linked(a, b, c):
    """Until a message goes all the way, in both directions."""
    for source, target in ((a, c), (c, a)):
        listener = Subscriber(target, ("SUBSCRIBE", "probe"))
        listener.connection.socket.settimeout(0.05)
        deadline = time.monotonic() + SECONDS
        with source.connect() as publisher:
            while True:
                publisher.command("PUBLISH", "probe", "x")
                try:
                    listener.connection.socket.recv(1)
                    break
                except TimeoutError:
                    assert time.monotonic() < deadline, (source.name, target.name)
        listener.close()
    assert figure(b, "publications_received") > 0


def spreads(a, b, c):
    """To each replica, once; the reply counts receivers here; shard channels are others."""
    listeners = [Subscriber(replica, ("SUBSCRIBE", "news"), ("PSUBSCRIBE", "n*"), resp=resp)
                 for replica, resp in ((a, 2), (b, 3), (c, 2), (c, 3))]
    shard = Subscriber(c, ("SSUBSCRIBE", "news"))
    with a.connect() as publisher:
        assert publisher.command("PUBLISH", "news", "one") == 2
        assert publisher.command("SPUBLISH", "news", "shard") == 0
        assert publisher.command("PUBLISH", "other", "none") == 0
        assert publisher.command("PUBLISH", "news", "two") == 2
    for listener in listeners:
        for text in (b"one", b"two"):
            assert listener.next() == [b"message", b"news", text]
            assert listener.next() == [b"pmessage", b"n*", b"news", text]
        listener.close()
    assert shard.next() == [b"smessage", b"news", b"shard"]
    shard.close()
    for replica in (a, b, c):
        until(lambda one=replica: figure(one, "pubsub_channels") == 0, "left-over channels")
        assert figure(replica, "pubsub_patterns") == 0


def keeps_order(a, _, c):
    """Messages of one connection come in order, and all of them; MULTI publishes at EXEC."""
    listener = Subscriber(c, ("SUBSCRIBE", "queue"), resp=3)
    count = 5000
    with a.connect() as publisher:
        for number in range(count):
            publisher.send("PUBLISH", "queue", number)
        publisher.send("MULTI")
        publisher.send("SET", "k", "v")
        publisher.send("PUBLISH", "queue", "in exec")
        publisher.send("PUBLISH", "other", "beside")
        publisher.send("EXEC")
        for _ in range(count):
            assert publisher.receive() == 0
        assert [publisher.receive() for _ in range(5)][-1] == ["OK", 0, 0]
    for number in range(count):
        assert listener.next() == [b"message", b"queue", str(number).encode()]
    assert listener.next() == [b"message", b"queue", b"in exec"]
    # Replies and pushes on one connection keep the order in which they were caused.
    listener.connection.send("SET", "k", "w")
    listener.connection.send("PUBLISH", "queue", "mine")
    listener.connection.send("GET", "k")
    assert listener.connection.receive() == "OK"
    assert listener.next() == [b"message", b"queue", b"mine"]
    assert [listener.connection.receive() for _ in range(2)] == [1, b"w"]
    listener.close()


def redis_py(a, _, c):
    """python3-redis: patterns, a thread, and numbers of subscribers."""
    listener = redis.Redis(port=c.port, decode_responses=True)
    pubsub = listener.pubsub(ignore_subscribe_messages=True)
    heard = []
    came = threading.Event()

    def note(message):
        heard.append((message["type"], message["channel"], message["data"]))
        if message["data"] == "last":
            came.set()

    pubsub.subscribe(**{"jobs": note})
    pubsub.psubscribe(**{"j[aeo]bs": note})
    thread = pubsub.run_in_thread(sleep_time=0.01)
    until(lambda: listener.pubsub_numsub("jobs") == [("jobs", 1)], "subscribed")
    assert listener.pubsub_channels("j*") == ["jobs"] and listener.pubsub_numpat() == 1
    publisher = redis.Redis(port=a.port)
    assert publisher.publish("jobs", "first") == 0
    assert publisher.publish("jabs", "last") == 0
    assert came.wait(SECONDS), heard
    thread.stop()
    thread.join()
    pubsub.close()
    assert heard == [("message", "jobs", "first"), ("pmessage", "jobs", "first"),
                     ("pmessage", "jabs", "last")], heard


def redis_cli(a, _, c):
    """redis-cli listens, in both protocols."""
    for more in ([], ["-3"]):
        command = ["redis-cli", "-p", str(c.port), *more, "PSUBSCRIBE", "cli*"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            until(lambda: figure(c, "pubsub_patterns") == 1, "redis-cli subscribes")
            done = subprocess.run(["redis-cli", "-p", str(a.port), *more, "PUBLISH", "cli:1", "hi"],
                                  capture_output=True, timeout=SECONDS, check=True)
            assert done.stdout == b"0\n", done
            lines = [process.stdout.readline().strip() for _ in range(7)]
            assert lines == [b"psubscribe", b"cli*", b"1", b"pmessage", b"cli*", b"cli:1",
                             b"hi"], lines
            process.terminate()
        until(lambda: figure(c, "pubsub_patterns") == 0, "redis-cli has gone")


def slow_subscriber(a, _, c):
    """One that does not read is cut at the limit; others miss nothing, and memory stays bounded."""
    quick = Subscriber(c, ("SUBSCRIBE", "flood"))
    slow = Subscriber(c, ("SUBSCRIBE", "flood"))
    with c.connect() as admin:
        cut_before = figure(c, "client_output_buffer_limit_disconnections")
        admin.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 8mb 0 0")
        heard = []

        def listen():
            heard.extend(len(quick.next()[2]) for _ in range(40))

        thread = threading.Thread(target=listen)
        thread.start()
        with a.connect() as publisher:
            for number in range(40):
                publisher.command("PUBLISH", "flood", b"x" * MIB)
                # The quick one keeps pace.
                until(lambda want=number: len(heard) > want - 4 or not thread.is_alive(), "pace")
        thread.join()
        assert heard == [MIB] * 40
        until(lambda: figure(c, "client_output_buffer_limit_disconnections") == cut_before + 1,
              "the slow one is cut")
        assert admin.command("PUBSUB", "NUMSUB", "flood") == [b"flood", 1]
        admin.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")
    quick.close()
    slow.connection.socket.settimeout(SECONDS)
    try:
        while slow.connection.socket.recv(MIB):
            pass
    except ConnectionResetError:
        pass
    slow.close()


def backed_up_peer(a, b, c):
    """While the middle stands still its messages are dropped and counted, and later ones pass."""
    enough = 10
    listener = Subscriber(c, ("SUBSCRIBE", "flood"))
    before = [figure(replica, "publications_dropped") for replica in (a, b)]
    memory_before = figure(a, "used_memory")
    heard = []

    def listen():
        while not heard or heard[-1] != b"last":
            heard.append(listener.next()[2][:6].rstrip(b"x"))

    with a.connect() as publisher:
        b.process.send_signal(signal.SIGSTOP)
        try:
            # A peer that says nothing for three seconds is given up.
            count = dropped = 0
            stopped = time.monotonic()
            while dropped < enough:
                if time.monotonic() > stopped + 1.5:
                    b.process.send_signal(signal.SIGCONT)
                    time.sleep(0.2)
                    b.process.send_signal(signal.SIGSTOP)
                    stopped = time.monotonic()
                assert publisher.command("PUBLISH", "flood", b"%05dx" % count + b"x" * MIB) == 0
                count += 1
                dropped = figure(a, "publications_dropped") - before[0]
                assert count < 200, "nothing is dropped"
            memory = figure(a, "used_memory") - memory_before
        finally:
            b.process.send_signal(signal.SIGCONT)
        thread = threading.Thread(target=listen)
        thread.start()
        deadline = time.monotonic() + SECONDS
        while thread.is_alive() and time.monotonic() < deadline:
            publisher.command("PUBLISH", "flood", "last")
            thread.join(0.05)
    assert not thread.is_alive(), heard
    assert memory < 32 * MIB, memory
    numbers = [int(text) for text in heard[:-1]]
    assert numbers == sorted(set(numbers)), numbers
    dropped += figure(b, "publications_dropped") - before[1]
    assert len(numbers) == count - dropped, (len(numbers), dropped)
    listener.close()


def survives_a_restart(a, b, c):
    """A middle that comes back passes messages on again; nothing comes twice."""
    listener = Subscriber(c, ("SUBSCRIBE", "again"))
    b.kill()
    b.start()
    b.wait_ready()
    linked(a, b, c)
    with a.connect() as publisher:
        for number in range(10):
            publisher.command("PUBLISH", "again", number)
        publisher.command("PUBLISH", "again", "end")
    assert [listener.next()[2] for _ in range(11)] == [b"%d" % n for n in range(10)] + [b"end"]
    listener.close()


def closed_clients(a, _, c):
    """What RESET and the end of a connection leave."""
    listener = Subscriber(a, ("SUBSCRIBE", "x", "y"), ("PSUBSCRIBE", "z*"))
    flags = [line for line in c_list(a) if "sub=2 psub=1" in line]
    assert len(flags) == 1 and " flags=P " in flags[0], flags
    try:
        listener.connection.command("GET", "k")
        raise AssertionError("GET ran")
    except ReplyError as error:
        assert str(error).startswith("ERR Can't execute 'get': only (P|S)SUBSCRIBE"), error
    assert listener.connection.command("RESET") == "RESET"
    assert listener.connection.command("GET", "no such key") is None
    assert figure(a, "pubsub_channels") == 0
    listener.close()
    gone = Subscriber(c, ("SUBSCRIBE", "x"))
    gone.connection.socket.shutdown(socket.SHUT_RDWR)
    gone.close()
    until(lambda: figure(c, "pubsub_channels") == 0, "the closed one is forgotten")


def keyspace_events(a, _, c):
    """What is written at one replica is told by another."""
    with c.connect() as admin:
        assert admin.command("CONFIG", "SET", "notify-keyspace-events", "KEA") == "OK"
        listener = Subscriber(c, ("PSUBSCRIBE", "__key*__:*"))
        with a.connect() as writer:
            writer.command("HSET", "told", "f", "v")
            writer.command("DEL", "told")
        for name in (b"hset", b"del"):
            assert listener.next()[2:] == [b"__keyspace@0__:told", name]
            assert listener.next()[2:] == [b"__keyevent@0__:" + name, b"told"]
        listener.close()
        assert admin.command("CONFIG", "SET", "notify-keyspace-events", "") == "OK"


def c_list(replica):
    """CLIENT LIST."""
    with replica.connect() as connection:
        return connection.command("CLIENT", "LIST").decode().splitlines()


def main():
    """All of it on one chain."""
    with Chain() as cluster:
        linked(*cluster.replicas)
        for step in (spreads, keeps_order, redis_py, redis_cli, slow_subscriber, backed_up_peer,
                     closed_clients, keyspace_events, survives_a_restart):
            began = time.monotonic()
            step(*cluster.replicas)
            print(f"{step.__name__}: ok, {time.monotonic() - began:.1f} s")
        for replica in cluster.replicas:
            assert replica.stop() == 0


if __name__ == "__main__":
    main()
