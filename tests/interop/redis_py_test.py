"""python3-redis against one replica: what an application in Python does on its first day."""

import time

import redis
from cluster import Cluster


def strings(client):
    """SET family and counters."""
    assert client.set("name", "ann") is True
    assert client.get("name") == "ann"
    assert client.set("name", "bob", nx=True) is None
    assert client.set("name", "bob", xx=True, get=True) == "ann"
    assert client.getset("name", "cid") == "bob"
    assert client.append("name", "y") == 4
    assert client.strlen("name") == 4
    assert client.getrange("name", 1, -1) == "idy"
    assert client.setrange("name", 0, "C") == 4
    assert client.incr("visits") == 1
    assert client.incrby("visits", 41) == 42
    assert client.decr("visits") == 41
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.mget("a", "b", "none") == ["1", "2", None]
    assert client.msetnx({"b": 3, "c": 3}) is False
    assert client.getdel("a") == "1"
    assert client.exists("a", "b") == 1
    assert client.ttl("b") == -1 and client.ttl("a") == -2
    assert client.set("x", 1, ex=100) and 98 <= client.ttl("x") <= 100
    assert client.expire("x", 1000, gt=True) and client.persist("x") and client.ttl("x") == -1
    assert client.pexpire("x", 1) and client.exists("name")
    deadline = time.monotonic() + 20
    while client.exists("x"):
        assert time.monotonic() < deadline
    assert client.get("x") is None
    for refused in (lambda: client.incr("name"), lambda: client.set("x", 1, ex=0),
                    lambda: client.execute_command("NOSUCH", 1)):
        try:
            refused()
        except redis.ResponseError as error:
            assert str(error), error
        else:
            raise AssertionError("should have been refused")


def hashes(client):
    """Hashes."""
    assert client.hset("user", mapping={"name": "ann", "age": 30}) == 2
    assert client.hset("user", "age", 31) == 0
    assert client.hget("user", "age") == "31"
    assert client.hincrby("user", "age", 2) == 33
    assert client.hgetall("user") == {"name": "ann", "age": "33"}
    assert client.hmget("user", "name", "none") == ["ann", None]
    assert client.hexists("user", "name") and client.hlen("user") == 2
    assert sorted(client.hkeys("user")) == ["age", "name"]
    assert client.hdel("user", "age", "none") == 1
    assert client.hsetnx("user", "name", "x") in (0, False)
    client.hset("big", mapping={f"field{i}": i for i in range(1000)})
    assert dict(client.hscan_iter("big")) == {f"field{i}": str(i) for i in range(1000)}


def sets(client):
    """Sets."""
    assert client.sadd("team", "ann", "bob") == 2
    assert client.sadd("team", "bob") == 0
    assert client.smembers("team") == {"ann", "bob"}
    assert client.sismember("team", "ann") and client.scard("team") == 2
    assert client.smismember("team", ["ann", "none"]) == [1, 0]
    assert client.smove("team", "other", "ann") == 1
    assert client.srem("team", "bob", "none") == 1
    assert client.type("team") == "none" and client.type("other") == "set"
    client.sadd("many", *range(1000))
    assert set(client.sscan_iter("many", match="99*")) == {"99"} | {f"99{i}" for i in range(10)}
    popped = client.spop("many", 10)
    assert len(set(popped)) == 10 and client.scard("many") == 990
    try:
        client.get("many")
    except redis.ResponseError as error:
        assert str(error).startswith("WRONGTYPE"), error
    else:
        raise AssertionError("GET of a set")


def ordered(client):
    """Sorted sets and lists."""
    assert client.zadd("board", {"ann": 3.5, "bob": 1, "eve": 2}) == 3
    assert client.zincrby("board", 0.5, "bob") == 1.5
    assert client.zrange("board", 0, -1, withscores=True) == [
        ("bob", 1.5), ("eve", 2.0), ("ann", 3.5)]
    assert client.zrevrange("board", 0, 0) == ["ann"] and client.zrank("board", "ann") == 2
    assert client.zrangebyscore("board", 1.5, "(3.5") == ["bob", "eve"]
    assert client.zpopmin("board") == [("bob", 1.5)] and client.zcard("board") == 2
    assert dict(client.zscan_iter("board")) == {"eve": 2.0, "ann": 3.5}
    assert client.rpush("queue", "a", "b", "c") == 3 and client.lpush("queue", "z") == 4
    assert client.linsert("queue", "after", "a", "x") == 5
    assert client.lrange("queue", 0, -1) == ["z", "a", "x", "b", "c"]
    assert client.lpop("queue") == "z" and client.rpop("queue", 2) == ["c", "b"]
    assert client.lset("queue", 0, "A") and client.lindex("queue", 0) == "A"
    assert client.lmove("queue", "other queue") == "A" and client.llen("queue") == 1
    assert client.lrem("queue", 0, "x") == 1 and not client.exists("queue")


def pipelines(client):
    """Pipelines with and without MULTI, and what happens to errors in them."""
    with client.pipeline(transaction=True) as pipe:
        pipe.set("x", 1).incr("x").sadd("y", "m").hset("z", "f", "v").get("x")
        assert pipe.execute() == [True, 2, 1, 1, "2"]
    with client.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.set(f"key:{number}", number)
        assert all(pipe.execute())
    with client.pipeline(transaction=True) as pipe:
        pipe.set("x", "text").incr("x").set("after", 1)
        replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2]
    assert client.get("after") == "1"


def whole(client):
    """The key space as a whole."""
    assert len(set(client.scan_iter(match="key:*", count=100))) == 1000
    assert set(client.scan_iter(_type="hash")) >= {"user", "big"}
    assert len(client.keys("key:99?")) == 10
    assert client.delete("key:1", "key:2", "none") == 2
    assert client.dbsize() > 1000
    assert client.info("replication")["role"] == "master"
    assert client.info()["db0"]["keys"] == client.dbsize()
    assert client.config_get("save") == {"save": ""}
    assert client.client_setname("tester") and client.client_getname() == "tester"
    assert any(one["name"] == "tester" for one in client.client_list())
    assert client.command_count() > 60
    assert client.flushall() and client.dbsize() == 0


def observed(client):
    """What is slow, how often commands ran, and a monitor."""
    assert client.config_set("slowlog-log-slower-than", 0) and client.slowlog_reset()
    assert client.set("seen", "x" * 200)
    assert client.config_set("slowlog-log-slower-than", 10000)
    slow = [entry for entry in client.slowlog_get() if entry["command"].startswith(b"SET seen x")]
    assert len(slow) == 1 and slow[0]["duration"] < 10_000_000, slow
    assert slow[0]["command"].endswith(b"... (72 more bytes)") and client.slowlog_len() >= 2
    calls = client.info("commandstats")["cmdstat_set"]
    assert calls["calls"] > 1000 and calls["usec"] > 0 and calls["failed_calls"] == 1, calls
    percentiles = client.info("latencystats")["latency_percentiles_usec_set"]
    assert set(percentiles) == {"p50", "p99", "p99.9"}, percentiles
    errors = client.info("errorstats")["errorstat_ERR"]  # this client reads it as a string
    assert errors.startswith("count=") and int(errors[6:]) >= 3, errors
    assert client.execute_command("LATENCY", "HISTORY", "command") == []
    assert client.execute_command("LATENCY", "LATEST") == []
    assert client.config_set("latency-monitor-threshold", 1)
    histogram = dict(zip(*[iter(client.execute_command("LATENCY", "HISTOGRAM", "set"))] * 2))
    assert histogram["set"][1] == calls["calls"], histogram
    assert client.config_set("latency-monitor-threshold", 0)
    with client.monitor() as monitor:
        client.set("seen", 'a "quoted" one')
        seen = monitor.next_command()
        assert seen["command"] == 'SET seen a "quoted" one', seen
        assert abs(seen["time"] - time.time()) < 60 and seen["client_type"] == "tcp"
    assert client.delete("seen") == 1


def main():
    """All of it, on one replica."""
    with Cluster(1) as cluster:
        client = redis.Redis(port=cluster.replicas[0].port, decode_responses=True)
        for step in (strings, hashes, sets, ordered, pipelines, observed, whole):
            step(client)
            print(f"{step.__name__}: ok")
        raw = redis.Redis(port=cluster.replicas[0].port)
        every_byte = bytes(range(256))
        raw.set(every_byte, every_byte * 1000)
        assert raw.get(every_byte) == every_byte * 1000
        assert raw.keys() == [every_byte]
        assert cluster.replicas[0].stop() == 0


if __name__ == "__main__":
    main()
