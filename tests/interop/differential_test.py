"""Random commands to redis-server and to one replica, whose replies must be equal.

Differences by design, which commands and comparison stay clear of:
- elements of sets and hashes have no order in either: replies are compared in sorted order;
- drawn elements are random: their number, and that they are elements, is what counts;
- -0 is 0 in Syncline, and the sign is left out of the comparison;
- sums of scores are exact in Syncline: amounts are multiples of a quarter, which binary holds;
- bounds of scores are numbers in Syncline: Redis also takes blanks, which are not sent;
- negative counts of SRANDMEMBER and its kin are bounded in Syncline: larger ones are not sent;
- deadlines go by two clocks: only that there is one is compared;
- in Syncline a collection that is emptied and filled again inside one MULTI keeps its deadline:
  only strings get one, and they are renamed and copied among themselves only;
- payloads of DUMP are each server's own: both restore what they dumped;
- SORT with BY and ALPHA leaves the order of elements of equal weight open in redis-server;
- encodings are what is stored now in Syncline, and what was stored once in redis-server: only
  those of fresh keys are compared;
- a SET of BITFIELD to the smallest number saturates as too large in redis-server."""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from cluster import Cluster, Connection, free_ports

KEYS = ["s1", "s2", "s3", "z1", "z2", "z3", "h1", "h2", "l1", "l2", "q1", "q2", "str", "num", "b1",
        "b2", "none"]
STRINGS = ["str", "num", "b1", "b2"]
STORED = ["s1", "s2", "s3", "z1", "z2", "z3", "mixed"]
MEMBERS = [*"abcdefgh", "1", "22", "\u00e4", ""]
NUMBERS = ["0", "1", "2", "-1", "3", "-2", "5", "10", "x", "", "1.5", "9223372036854775807",
           "-9223372036854775808", "9223372036854775808", "01"]
SCORES = ["0", "1", "2", "-1", "3", "0.25", "-1.5", "1e3", "0x10", "inf", "-inf", "+inf", "nan",
          "x"]
OFFSETS = ["0", "1", "7", "8", "9", "31", "64", "100", "1000", "-1", "x", "4294967296", "#1", ""]
FIELD_TYPES = ["u1", "i1", "u8", "i8", "i5", "u31", "u63", "i64", "u64", "i65", "x", "u0"]
FIELD_NUMBERS = ["0", "1", "-1", "127", "-128", "300", "-300", "9223372036854775807", "x"]
PATTERNS = ["w:*", "w:*", "v:*->f", "v:*->none", "nosort", "*", "v:*->", "none:*"]
UNORDERED = {"SMEMBERS", "SINTER", "SUNION", "SDIFF", "HKEYS", "HVALS"}
DRAWN = {"SRANDMEMBER": ("SMEMBERS",), "HRANDFIELD": ("HGETALL",),
         "ZRANDMEMBER": ("ZRANGE", "0", "-1", "WITHSCORES")}


class Client(Connection):
    """Replies as pairs of their type and value, in both protocols."""

    def receive(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1].decode(), line[1:-2]
        if kind == "_" or kind in "$*" and rest == b"-1":
            return (kind, None)
        if kind == "$":
            return (kind, self.file.read(int(rest) + 2)[:-2])
        if kind in "*~%":
            count = int(rest) * (2 if kind == "%" else 1)
            return (kind, [self.receive() for _ in range(count)])
        return (kind, rest)


class Generator:
    """Commands, right and wrong ones."""

    def __init__(self, dice):
        self.dice = dice
        self.families = [(self.string, 2), (self.hash, 2), (self.set, 4), (self.sorted_set, 4),
                         (self.list, 2), (self.key_command, 1), (self.set_algebra, 7),
                         (self.sorted_algebra, 9), (self.drawn, 3), (self.popped, 2),
                         (self.key_value, 4), (self.bits, 5), (self.bit_field, 3),
                         (self.sorted_elements, 5)]

    def chance(self, probability):
        """True so often."""
        return self.dice.random() < probability

    def key(self, kinds):
        """A key, mostly of a type whose letter is among `kinds`."""
        fitting = [key for key in KEYS + ["mixed"] if key[0] in kinds]
        return self.dice.choice(KEYS if self.chance(0.06) else fitting)

    def keys(self, kinds):
        """Some keys."""
        return [self.key(kinds) for _ in range(self.dice.choice([1, 1, 2, 2, 2, 3, 4]))]

    def member(self):
        """A member, field or value."""
        return self.dice.choice(MEMBERS)

    def members(self):
        """Some of them."""
        return [self.member() for _ in range(self.dice.choice([1, 2, 3, 5]))]

    def number(self):
        """Mostly a small integer."""
        return self.dice.choice(NUMBERS if self.chance(0.12) else NUMBERS[:8])

    def score(self):
        """Mostly a finite score."""
        return self.dice.choice(SCORES if self.chance(0.2) else SCORES[:8])

    def maybe(self, probability, *arguments):
        """The arguments, or none."""
        return list(arguments) if self.chance(probability) else []

    def command(self):
        """The next one; now and then an argument is lacking, too much or something else."""
        make = self.dice.choices([family for family, _ in self.families],
                                 [weight for _, weight in self.families])[0]
        command = [str(argument) for argument in make()]
        if self.chance(0.03) and len(command) > 1:
            command.pop(self.dice.randrange(1, len(command)))
        if self.chance(0.02):
            command.append(self.dice.choice(["WITHSCORES", "LIMIT", "1", "x"]))
        if self.chance(0.05):
            command[0] = command[0].lower()
        return command

    def string(self):
        """SET and its kin."""
        key = self.key("n")
        return self.dice.choice([
            ["SET", self.dice.choice(["str", "num"]), self.dice.choice(["7", "text", ""])],
            ["GET", key], ["STRLEN", key], ["APPEND", "str", "x"], ["INCRBY", key, self.number()],
            ["DECR", key], ["GETRANGE", key, self.number(), self.number()], ["GETDEL", "str"],
            ["SETNX", key, "3"], ["MGET", key, self.key("nsz")]])

    def hash(self):
        """HSET and its kin."""
        key, field = self.key("h"), self.member()
        return self.dice.choice([
            ["HSET", key, field, self.number()], ["HSET", key, field, "1", self.member(), "v"],
            ["HGET", key, field], ["HDEL", key, *self.members()], ["HLEN", key],
            ["HINCRBY", key, field, self.dice.choice(["1", "-2", "x"])], ["HKEYS", key],
            ["HVALS", key], ["HGETALL", key], ["HMGET", key, *self.members()],
            ["HEXISTS", key, field], ["HSTRLEN", key, field], ["HSETNX", key, field, "4"]])

    def set(self):
        """SADD and its kin."""
        key = self.key("s")
        return self.dice.choice([
            ["SADD", key, *self.members()], ["SADD", key, *self.members()],
            ["SREM", key, *self.members()], ["SMEMBERS", key], ["SCARD", key],
            ["SISMEMBER", key, self.member()], ["SMISMEMBER", key, *self.members()],
            ["SMOVE", key, self.key("s"), self.member()]])

    def sorted_set(self):
        """ZADD and its kin."""
        key = self.key("z")
        pairs = [one for member in self.members() for one in (self.score(), member)]
        return self.dice.choice([
            ["ZADD", key, *pairs], ["ZADD", key, *pairs], ["ZADD", key, *pairs],
            ["ZADD", key, self.dice.choice(["NX", "XX", "GT", "LT", "CH", "INCR"]), *pairs],
            ["ZINCRBY", key, self.score(), self.member()], ["ZREM", key, *self.members()],
            ["ZSCORE", key, self.member()], ["ZMSCORE", key, *self.members()], ["ZCARD", key],
            ["ZRANK", key, self.member()], ["ZCOUNT", key, self.score(), self.score()],
            ["ZRANGE", key, self.number(), self.number(), *self.maybe(0.5, "WITHSCORES")],
            ["ZREVRANGEBYSCORE", key, self.score(), self.score()],
            [self.dice.choice(["ZPOPMIN", "ZPOPMAX"]), key, *self.maybe(0.3, self.number())]])

    def list(self):
        """LPUSH and its kin."""
        key, value = self.key("l"), self.member()
        end = self.dice.choice(["LEFT", "RIGHT"])
        return self.dice.choice([
            ["RPUSH", key, *self.members()], ["LPUSH", key, *self.members()], ["LPOP", key],
            ["RPOP", key, self.number()], ["LRANGE", key, self.number(), self.number()],
            ["LINDEX", key, self.number()], ["LLEN", key], ["LREM", key, self.number(), value],
            ["LSET", key, self.number(), value], ["LINSERT", key, "AFTER", value, self.member()],
            ["LPOS", key, value], ["LTRIM", key, self.number(), self.number()],
            ["LMOVE", key, self.key("l"), end, "LEFT"]])

    def key_command(self):
        """What is about keys, whatever their type."""
        key, string = self.dice.choice([*KEYS, "mixed"]), self.dice.choice(STRINGS)
        return self.dice.choice([["DEL", key], ["EXISTS", key], ["TYPE", key], ["TTL", key],
                                 ["EXPIRE", string, "1000"], ["PERSIST", string]])

    def key_value(self):
        """RENAME and its kin."""
        kinds = self.dice.choice([STRINGS, KEYS[:-5]])
        source, target = self.dice.choice([*kinds, "none"]), self.dice.choice(kinds)
        database = self.dice.choice(["0", "0", "1", "-1", "x", "99999999999"])
        return self.dice.choice([
            ["RENAME", source, target], ["RENAME", source, target], ["RENAMENX", source, target],
            ["COPY", source, target, *self.maybe(0.6, "REPLACE"),
             *self.maybe(0.2, "DB", database)],
            ["COPY", source, target, "REPLACE"], ["MOVE", source, database],
            ["RESTORE", target, self.number(), "payload", *self.maybe(0.8, "REPLACE"),
             *self.maybe(0.1, self.number()), *self.maybe(0.1, "FREQ", self.number())],
            ["DUMP", source], ["MEMORY", "USAGE", source, *self.maybe(0.3, "SAMPLES", "3")],
            ["OBJECT", source], ["SWAPDB", database, database]])

    def bits(self):
        """SETBIT and its kin, and LCS."""
        key, sources = self.key("b"), [self.dice.choice(STRINGS) for _ in range(3)]
        unit = self.maybe(0.5, self.dice.choice(["BYTE", "BIT", "BIT", "bit", "x"]))
        start = self.maybe(0.8, self.number())
        end = self.maybe(0.8, self.number()) if start else []
        span = [*start, *end, *(unit if end else [])]
        name = self.dice.choice(["AND", "OR", "XOR", "XOR"])
        options = [*self.maybe(0.4, "LEN"), *self.maybe(0.4, "IDX"),
                   *self.maybe(0.3, "MINMATCHLEN", self.number()), *self.maybe(0.3, "WITHMATCHLEN")]
        return self.dice.choice([
            ["SETBIT", key, self.dice.choice(OFFSETS), self.dice.choice(["0", "1", "1", "2"])],
            ["SETBIT", key, self.dice.choice(OFFSETS[:9]), "1"],
            ["GETBIT", key, self.dice.choice(OFFSETS)], ["BITCOUNT", key, *span],
            ["BITPOS", key, self.dice.choice(["0", "0", "1", "1", "2"]), *span],
            ["BITOP", name, key, *sources[:self.dice.choice([1, 2, 3])]],
            ["BITOP", "NOT", key, *sources[:self.dice.choice([1, 1, 1, 2])]],
            ["LCS", sources[0], sources[1], *options]])

    def bit_field(self):
        """BITFIELD."""
        command = [self.dice.choice(["BITFIELD", "BITFIELD", "BITFIELD", "BITFIELD_RO"]),
                   self.key("b")]
        rare = self.chance(0.2)
        types, numbers = (FIELD_TYPES, FIELD_NUMBERS) if rare else (FIELD_TYPES[:8],
                                                                    FIELD_NUMBERS[:8])
        for _ in range(self.dice.choice([1, 2, 3])):
            place = [self.dice.choice(types),
                     self.dice.choice(OFFSETS if rare else OFFSETS[:9] + ["#1", "#2"])]
            command += self.dice.choice([
                ["GET", *place], ["SET", *place, self.dice.choice(numbers)],
                ["INCRBY", *place, self.dice.choice(numbers)],
                ["OVERFLOW", self.dice.choice(["WRAP", "SAT", "FAIL", "fail"])]])
        return command

    def sorted_elements(self):
        """SORT, and what it sorts by."""
        key = self.key(self.dice.choice(["q", "q", "lszm"]))
        by = self.maybe(0.4, "BY", self.dice.choice(PATTERNS))
        gets = [one for _ in range(self.dice.choice([0, 0, 1, 2]))
                for one in ("GET", self.dice.choice(["#", *PATTERNS]))]
        options = [by, gets, self.maybe(0.4, "DESC"), self.maybe(0.3, "ALPHA")]
        if "nosort" not in by and not (by and ["ALPHA"] in options):
            options.append(self.maybe(0.4, "LIMIT", self.number(), self.number()))
            options.append(self.maybe(0.2, "STORE", self.dice.choice(["q1", "q2"])))
        self.dice.shuffle(options)
        return self.dice.choice([
            [self.dice.choice(["SORT", "SORT", "SORT_RO"]), key, *sum(options, [])],
            ["SORT", key, *sum(options, [])],
            ["RPUSH", self.key("q"), self.number(), self.dice.choice(SCORES)],
            ["RPUSH", self.key("q"), self.number(), self.number()],
            ["SET", "w:" + self.number(), self.score()],
            ["HSET", "v:" + self.number(), "f", self.score()]])

    def set_algebra(self):
        """SINTER and its kin."""
        keys = self.keys("sm")
        name = self.dice.choice(["SINTER", "SUNION", "SDIFF"])
        target = self.dice.choice(STORED)
        return self.dice.choice([
            [name, *keys], [name, *keys], [name + "STORE", target, *keys],
            ["SINTERCARD", self.count_of(keys), *keys, *self.maybe(0.4, "LIMIT", self.number())]])

    def count_of(self, keys):
        """How many they are, or something else."""
        return self.number() if self.chance(0.06) else len(keys)

    def sorted_options(self, keys):
        """WEIGHTS and AGGREGATE, or neither."""
        count = len(keys) + (self.chance(0.05) and self.dice.choice([-1, 1]))
        weights = [self.score() for _ in range(count)]
        rule = self.dice.choice(["SUM", "MIN", "MAX", "min", *self.maybe(0.3, "AVG")])
        options = [self.maybe(0.4, "WEIGHTS", *weights), self.maybe(0.4, "AGGREGATE", rule)]
        self.dice.shuffle(options)
        return options[0] + options[1]

    def sorted_algebra(self):
        """ZUNION and its kin, and ZRANGESTORE."""
        keys = self.keys("zszm")
        name = self.dice.choice(["ZUNION", "ZINTER", "ZDIFF"])
        options = [] if name == "ZDIFF" and self.chance(0.9) else self.sorted_options(keys)
        target = self.dice.choice(STORED)
        asked = [self.count_of(keys), *keys]
        by_score = ["BYSCORE", *self.maybe(0.5, "LIMIT", self.number(), self.number())]
        return self.dice.choice([
            [name, *asked, *options, *self.maybe(0.6, "WITHSCORES")],
            [name, *asked, *options, *self.maybe(0.6, "WITHSCORES")],
            [name + "STORE", target, *asked, *options, *self.maybe(0.03, "WITHSCORES")],
            [name + "STORE", target, *asked, *options],
            ["ZINTERCARD", *asked, *self.maybe(0.4, "LIMIT", self.number())],
            ["ZRANGESTORE", target, self.key("z"), self.number(), self.number(),
             *self.maybe(0.3, "REV")],
            ["ZRANGESTORE", target, self.key("z"), self.score(), self.score(), *by_score]])

    def drawn(self):
        """SRANDMEMBER and its kin."""
        name, kind, option = self.dice.choice([
            ("SRANDMEMBER", "sm", "WITHSCORES"), ("HRANDFIELD", "h", "WITHVALUES"),
            ("ZRANDMEMBER", "z", "WITHSCORES")])
        if name == "SRANDMEMBER" and self.chance(0.95):
            option = None
        count = self.maybe(0.8, self.number())
        return [name, self.key(kind), *count, *self.maybe(0.4 if option and count else 0, option)]

    def popped(self):
        """LMPOP and ZMPOP."""
        name, kind, ends = self.dice.choice([("LMPOP", "l", ["LEFT", "RIGHT"]),
                                             ("ZMPOP", "z", ["MIN", "MAX", "min"])])
        keys = self.keys(kind)
        end = self.maybe(0.97, self.dice.choice(ends))
        return [name, self.count_of(keys), *keys, *end, *self.maybe(0.4, "COUNT", self.number())]


def comparable(command, reply):
    """A reply without what may differ."""
    kind, value = reply
    name = command[0].upper()
    if kind in ("$", ",") and value == b"-0":
        return (kind, b"0")
    if name in ("TTL", "MEMORY") and kind == ":" and int(value) > 0:
        return (kind, b"positive")
    if command[:2] == ["OBJECT"] and kind == ":":
        return (kind, b"seconds")
    if name == "DUMP" and value is not None and kind == "$":
        return (kind, b"payload")
    if not isinstance(value, list):
        return reply
    value = [comparable(["element"], element) for element in value]
    if name == "HGETALL":
        value = sorted(zip(value[::2], value[1::2]))
    if name in ("SORT", "SORT_RO") and ("nosort" in command or "ALPHA" in command):
        value = sorted(value, key=repr)
    return (kind, sorted(value) if name in UNORDERED else value)


def flat(reply):
    """The elements of a reply, those of its elements among them."""
    value = reply[1]
    if not isinstance(value, list):
        return [] if value is None else [value]
    return [one for element in value for one in flat(element)]


def check_drawn(client, command, reply):
    """What was drawn stands in the collection: with its value where that was asked for, and not
    twice unless the count is negative."""
    name = command[0].upper()
    everything = flat(client.command(DRAWN[name][0], command[1], *DRAWN[name][1:]))
    elements = flat(reply)
    known = set(everything)
    if len(command) == 4:
        known = set(zip(everything[::2], everything[1::2]))
        elements = list(zip(elements[::2], elements[1::2]))
    elif name != "SRANDMEMBER":
        known = set(everything[::2])
    assert set(elements) <= known, (command, reply, everything)
    if len(command) < 3 or int(command[2]) >= 0:
        assert len(set(elements)) == len(elements), (command, reply)


def shape(reply):
    """The types of a reply and how many elements it has."""
    kind, value = reply
    return (kind, [shape(element) for element in value]) if isinstance(value, list) else kind


class Pair:
    """Both servers, on one connection each."""

    def __init__(self, redis, replica):
        self.servers = (redis, replica)

    def both(self, command):
        """Their replies."""
        return [server.command(*command) for server in self.servers]

    def run(self, command):
        """One command, compared."""
        replies = self.both(command)
        if command[0].upper() in DRAWN and replies[0][0] != "-":
            assert shape(replies[0]) == shape(replies[1]), (command, replies)
            for server, reply in zip(self.servers, replies):
                check_drawn(server, command, reply)
        else:
            self.compare(command, *replies)
        return replies[0]

    def compare(self, command, wanted, got):
        """Fails where they differ."""
        assert comparable(command, wanted) == comparable(command, got), (
            f"{command}\n redis-server: {wanted}\n syncline:     {got}")

    def transaction(self, commands):
        """All of them by MULTI and EXEC."""
        self.run(["MULTI"])
        for command in commands:
            self.run(command)
        wanted, got = self.both(["EXEC"])
        assert wanted[0] == got[0], (commands, wanted, got)
        if wanted[0] == "-":
            self.compare(["EXEC"], wanted, got)
            return
        assert len(wanted[1]) == len(got[1]) == len(commands), (commands, wanted, got)
        for command, one, other in zip(commands, wanted[1], got[1]):
            self.compare(command, one, other)

    def carry(self, source, target):
        """Each server restores what it dumped itself."""
        for server in self.servers:
            payload = server.command("DUMP", source)[1]
            if payload is None:
                continue
            reply = server.command("RESTORE", target, 0, payload, "REPLACE")
            assert reply == ("+", b"OK"), (source, target, reply)
            cut = server.command("RESTORE", target, 0, payload[:-1], "REPLACE")
            assert cut == ("-", b"ERR DUMP payload version or checksum are wrong"), cut

    def state(self):
        """Everything that is stored, compared."""
        reads = {b"set": ["SMEMBERS"], b"hash": ["HGETALL"], b"list": ["LRANGE", "0", "-1"],
                 b"zset": ["ZRANGE", "0", "-1", "WITHSCORES"], b"string": ["GET"], b"none": []}
        for key in [*KEYS, "mixed"]:
            read = reads[self.run(["TYPE", key])[1]]
            self.run(["TTL", key])
            self.carry(key, "carried")
            for there in (key, "carried"):
                if read:
                    self.run([read[0], there, *read[1:]])
            self.run(["DEL", "carried"])
        self.run(["DBSIZE"])


FRESH = [
    (["SET", "o", "12"], "int"), (["SET", "o", "012"], "embstr"), (["SET", "o", "x" * 45], "raw"),
    (["SET", "o", "x" * 44], "embstr"), (["HSET", "o", "f", "v"], "listpack"),
    (["HSET", "o", "f", "v" * 65], "hashtable"), (["HSET", "o", "f" * 65, "v"], "hashtable"),
    (["SADD", "o", "1", "-2"], "intset"), (["SADD", "o", "1", "x"], "hashtable"),
    (["SADD", "o", *map(str, range(512))], "intset"),
    (["SADD", "o", *map(str, range(513))], "hashtable"),
    (["ZADD", "o", "1", "m"], "listpack"), (["ZADD", "o", "1", "m" * 65], "skiplist"),
    (["ZADD", "o", *(one for i in range(129) for one in (i, i))], "skiplist"),
    (["RPUSH", "o", "1"], "quicklist")]


def encodings(pair):
    """OBJECT ENCODING of keys that were never anything else, and their restoring with an end."""
    for command, encoding in FRESH:
        pair.run(["DEL", "o"])
        pair.run([str(argument) for argument in command])
        reply = pair.run(["OBJECT", "ENCODING", "o"])
        assert reply == ("$", encoding.encode()), (command, reply)
        for server in pair.servers:
            payload = server.command("DUMP", "o")[1]
            for arguments, there in (([100000, payload], 1), ([1, payload, "ABSTTL"], 0),
                                     ([0, payload], 1)):
                assert server.command("RESTORE", "o", *arguments, "REPLACE") == ("+", b"OK")
                assert server.command("EXISTS", "o") == (":", str(there).encode())
    pair.run(["SET", "o", "some text"])
    for command in (["OBJECT", "REFCOUNT", "o"], ["OBJECT", "o"],
                    ["OBJECT", "FREQ", "o"], ["OBJECT", "FREQ", "none"], ["OBJECT", "FOO", "o"],
                    ["OBJECT", "ENCODING"], ["OBJECT", "ENCODING", "none"], ["MEMORY", "FOO"],
                    ["MEMORY", "USAGE", "o", "SAMPLES", "x"], ["MEMORY", "USAGE", "o", "FOO"],
                    ["MODULE", "LIST"], ["CLUSTER", "INFO"], ["CLUSTER", "FOO"], ["CLUSTER"],
                    ["SWAPDB", "x", "0"], ["SWAPDB", "0", "x"], ["BGSAVE", "FOO"], ["DEL", "o"]):
        pair.run(command)


def known_answers(pair):
    """What chance meets too rarely."""
    encodings(pair)
    for command in (["COMMAND", "GETKEYS", "ZUNIONSTORE", "d", "2", "a", "b"],
                    ["COMMAND", "GETKEYS", "ZUNIONSTORE", "d", "7", "a", "b"],
                    ["COMMAND", "GETKEYS", "LMPOP", "2", "a", "b", "LEFT"],
                    ["COMMAND", "GETKEYS", "SINTERCARD", "1", "a"],
                    ["SADD", "s1", "a", "b"], ["ZADD", "z1", "inf", "a", "1", "b"],
                    ["ZINTER", "2", "s1", "z1", "WEIGHTS", "1", "0", "WITHSCORES"],
                    ["ZUNION", "2", "z1", "z1", "WEIGHTS", "1", "-1", "WITHSCORES"],
                    ["ZUNIONSTORE", "z1", "2", "z1", "s1"], ["SUNIONSTORE", "z1", "s1"],
                    ["EXPIRE", "z1", "1000"], ["SUNIONSTORE", "z1", "z1"], ["TTL", "z1"],
                    ["EXPIRE", "z1", "1000"], ["ZUNIONSTORE", "z1", "1", "z1"], ["TTL", "z1"],
                    ["ZDIFFSTORE", "s1", "1", "s1"], ["SINTERSTORE", "s1", "none"],
                    ["HRANDFIELD", "none"], ["HRANDFIELD", "none", "3"], ["FLUSHALL"]):
        pair.run(command)


def play(pair, dice, count, deadline):
    """`count` random commands, or as many as there is time for; how many replies were errors."""
    generator = Generator(dice)
    errors = 0
    for number in range(count):
        if time.monotonic() > deadline:
            return number, errors
        if generator.chance(0.03):
            commands = [generator.command() for _ in range(4)]
            pair.transaction([command for command in commands
                              if command[0].upper() not in DRAWN])
        errors += pair.run(generator.command())[0] == "-"
        if number % 500 == 499:
            pair.state()
    return count, errors


def start_redis(directory, port):
    """redis-server without files of its own; the process."""
    process = subprocess.Popen(  # pylint: disable=consider-using-with
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
         "--appendonly", "no", "--databases", "1", "--dir", directory],
        stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
    for _ in range(200):
        try:
            Client(port, 2).close()
            return process
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise RuntimeError("redis-server does not start")


def main():
    """Both protocols, one after the other, for half of the time each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10000, help="commands in each protocol")
    parser.add_argument("--seconds", type=float, default=12, help="for both protocols")
    options = parser.parse_args()
    if shutil.which("redis-server") is None:
        print("skipped: redis-server is not installed")
        return
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory() as directory, Cluster(1) as cluster:
        redis = start_redis(directory, port)
        try:
            for protocol in (2, 3):
                pair = Pair(Client(port, 10), Client(cluster.replicas[0].port, 10))
                pair.both(["HELLO", str(protocol)])
                known_answers(pair)
                dice = random.Random(f"{options.seed}/{protocol}")
                deadline = time.monotonic() + options.seconds / 2
                count, errors = play(pair, dice, options.count, deadline)
                pair.state()
                pair.run(["FLUSHALL"])
                assert 0 < errors < count / 2, f"{errors} errors among {count} replies"
                print(f"RESP{protocol}, seed {options.seed}: {count} commands, {errors} errors, "
                      "all replies equal")
        except AssertionError:
            print(f"seed {options.seed}, RESP{protocol}", file=sys.stderr)
            raise
        finally:
            redis.kill()
            redis.wait()


if __name__ == "__main__":
    os.environ.setdefault("SYNCLINE_BINARY", "build/release/syncline")
    main()
