"""redis-cli and redis-benchmark against one replica."""

import subprocess

from cluster import Cluster


def run(*command, stdin=None):
    """Standard output of a command that must succeed within a minute."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done)
    return done.stdout.decode()


def cli(port):
    """One-shot commands, RESP3, --scan, --pipe, --bigkeys, --memkeys, INFO."""
    def redis_cli(*arguments, stdin=None):
        return run("redis-cli", "-p", str(port), *arguments, stdin=stdin)

    assert redis_cli("SET", "greeting", "hello") == "OK\n"
    assert redis_cli("GET", "greeting") == "hello\n"
    assert redis_cli("-3", "HSET", "h", "f", "v") == "1\n"
    assert redis_cli("-3", "--no-raw", "HGETALL", "h") == '1# "f" => "v"\n'
    assert redis_cli("-3", "--json", "HGETALL", "h") == '{"f":"v"}\n'
    assert redis_cli("GET", "h").startswith("WRONGTYPE")
    assert redis_cli("NOSUCH").startswith("ERR unknown command 'NOSUCH'")
    assert redis_cli("-n", "0", "PING") == "PONG\n"

    lines = "".join(f"SET pipe:{i} {i}\r\n" for i in range(10000)).encode()
    assert "errors: 0, replies: 10000" in redis_cli("--pipe", stdin=lines)
    scanned = redis_cli("--scan", "--pattern", "pipe:*").split()
    assert sorted(scanned) == sorted(f"pipe:{i}" for i in range(10000)), len(scanned)
    redis_cli("SADD", "members", *map(str, range(50)))
    biggest = redis_cli("--bigkeys")
    assert "has 50 members" in biggest and "10001 strings" in biggest, biggest
    largest = redis_cli("--memkeys")
    assert "Biggest    set found '\"members\"' has" in largest, largest
    assert "10001 strings with" in largest, largest
    info = redis_cli("INFO")
    for wanted in ("redis_version:7.", "# Syncline", "db0:keys=10003", "role:master"):
        assert wanted in info, (wanted, info)
    assert redis_cli("FLUSHALL") == "OK\n" and redis_cli("DBSIZE") == "0\n"


def benchmark(port):
    """redis-benchmark runs through, in both protocols and pipelined."""
    for more in ([], ["-P", "16"], ["-3"]):
        output = run("redis-benchmark", "-p", str(port), "-t", "ping,set,get,incr,sadd,hset,mset",
                     "-n", "2000", "-q", *more)
        text = output.replace("\r", "\n")
        assert "requests per second" in text, text
        assert "error" not in text.lower() and "WARNING" not in text, text


def main():
    """Both tools, on one replica."""
    with Cluster(1) as cluster:
        replica = cluster.replicas[0]
        for step in (cli, benchmark):
            step(replica.port)
            print(f"{step.__name__}: ok")
        assert replica.stop() == 0


if __name__ == "__main__":
    main()
