// Commands that bring the value of a key elsewhere, and those that look at what it is made of.
#include <boost/test/unit_test.hpp>

#include "core/base/hash.hpp"
#include "core/engine/key_value.hpp"
#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(commands_of_key_values)
namespace {

const char* const no_such_key = "-ERR no such key\r\n";
const char* const same = "-ERR source and destination objects are the same\r\n";
const char* const no_database = "-ERR DB index is out of range\r\n";

/// What DUMP answered, without the frame of RESP.
Bytes dumped(CommandBench& bench, const std::string& key) {
    const std::string reply = bench.run("DUMP " + key);
    const std::size_t begin = reply.find("\r\n") + 2;
    return reply.substr(begin, reply.size() - begin - 2);
}

std::string restore(CommandBench& bench, const Bytes& payload,
                    const std::vector<std::string>& more = {}) {
    Arguments arguments{"RESTORE", "restored", "0", payload};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return bench.run(std::move(arguments));
}

}  // namespace

BOOST_AUTO_TEST_CASE(keys_are_renamed) {
    CommandBench bench;
    play(bench, {
                    {"RENAME none other", no_such_key},
                    {"RENAME none none", no_such_key},
                    {"RENAMENX none other", no_such_key},
                    {"SET a 7", "+OK\r\n"},
                    {"INCRBY a 5", ":12\r\n"},
                    {"EXPIRE a 1000", ":1\r\n"},
                    {"RPUSH b x", ":1\r\n"},
                    {"RENAME a a", "+OK\r\n"},
                    {"RENAMENX a a", ":0\r\n"},
                    {"RENAMENX a b", ":0\r\n"},
                    {"RENAME a b", "+OK\r\n"},
                    {"EXISTS a", ":0\r\n"},
                    {"GET b", "$2\r\n12\r\n"},
                    {"TTL b", ":1000\r\n"},
                    {"SADD s m", ":1\r\n"},
                    {"RENAME s b", "+OK\r\n"},
                    {"TTL b", ":-1\r\n"},
                    {"RENAMENX b c", ":1\r\n"},
                    {"SMEMBERS c", "*1\r\n$1\r\nm\r\n"},
                    {"DBSIZE", ":1\r\n"},
                    {"BC.INCR rights 3", ":3\r\n"},
                    {"RENAME rights c",
                     "-ERR a bounded counter cannot be removed, replaced or given an end: other "
                     "replicas may hold rights to it\r\n"},
                    {"COPY rights c REPLACE",
                     "-ERR a bounded counter cannot be copied: the rights of replicas are no "
                     "value\r\n"},
                    {"BC.GET rights", ":3\r\n"},
                    {"SCARD c", ":1\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(keys_are_renamed_inside_a_transaction) {
    CommandBench bench;
    const std::uint64_t events = bench.replica()->stats().events_local;
    play(bench, {
                    {"MULTI", "+OK\r\n"},
                    {"TEXT.APPEND a hello", "+QUEUED\r\n"},
                    {"RENAME a b", "+QUEUED\r\n"},
                    {"TEXT.APPEND b !", "+QUEUED\r\n"},
                    {"RENAME b a", "+QUEUED\r\n"},
                    {"RPUSH l 1 2", "+QUEUED\r\n"},
                    {"COPY l m", "+QUEUED\r\n"},
                    {"RENAME l a", "+QUEUED\r\n"},
                    {"RENAME l a", "+QUEUED\r\n"},
                    {"EXEC",
                     "*8\r\n:5\r\n+OK\r\n:6\r\n+OK\r\n:2\r\n:1\r\n+OK\r\n-ERR no such "
                     "key\r\n"},
                    {"LRANGE a 0 -1", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"},
                    {"LRANGE m 0 -1", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"},
                    {"DBSIZE", ":2\r\n"},
                });
    BOOST_TEST(bench.replica()->stats().events_local == events + 1);
}

BOOST_AUTO_TEST_CASE(keys_are_copied) {
    CommandBench bench;
    play(bench, {
                    {"COPY a b", ":0\r\n"},
                    {"COPY a a", same},
                    {"HSET a f v", ":1\r\n"},
                    {"PEXPIREAT a 1700000100000", ":1\r\n"},
                    {"COPY a b DB 0", ":1\r\n"},
                    {"COPY a b", ":0\r\n"},
                    {"PEXPIRETIME b", ":1700000100000\r\n"},
                    {"HSET b f w", ":0\r\n"},
                    {"HGET a f", "$1\r\nv\r\n"},
                    {"COPY a b replace", ":1\r\n"},
                    {"HGET b f", "$1\r\nv\r\n"},
                    {"COPY a b DB 1", no_database},
                    {"COPY a b DB x", not_integer},
                    {"COPY a b DB 2147483648",
                     "-ERR value is out of range, value must between -2147483648 and 2147483647"
                     "\r\n"},
                    {"COPY a b DB", syntax_error},
                    {"COPY a b FOO", syntax_error},
                    {"COPY none b REPLACE", ":0\r\n"},
                    {"EXISTS b", ":1\r\n"},
                    {"MOVE a 0", same},
                    {"MOVE a 1", no_database},
                    {"MOVE a x", not_integer},
                });
}

BOOST_AUTO_TEST_CASE(keys_are_dumped_and_restored) {
    CommandBench bench;
    const char* const bad = "-ERR DUMP payload version or checksum are wrong\r\n";
    bench.run("ZADD z 1.5 a inf b");
    const Bytes payload = dumped(bench, "z");
    BOOST_TEST(bench.run("DUMP none") == "$-1\r\n");
    BOOST_TEST(restore(bench, payload) == "+OK\r\n");
    BOOST_TEST(bench.run("ZRANGE restored 0 -1 WITHSCORES") ==
               "*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\nb\r\n$3\r\ninf\r\n");
    BOOST_TEST(restore(bench, payload) == "-BUSYKEY Target key name already exists.\r\n");
    BOOST_TEST(restore(bench, "junk", {"REPLACE"}) == bad);
    BOOST_TEST(restore(bench, payload.substr(1), {"REPLACE"}) == bad);
    BOOST_TEST(restore(bench, payload, {"REPLACE", "IDLETIME", "5"}) == "+OK\r\n");
    BOOST_TEST(restore(bench, payload, {"REPLACE", "FREQ", "255"}) == "+OK\r\n");
    BOOST_TEST(restore(bench, payload, {"FREQ", "256"}) ==
               "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
    BOOST_TEST(restore(bench, payload, {"IDLETIME", "-1"}) ==
               "-ERR Invalid IDLETIME value, must be >= 0\r\n");
    BOOST_TEST(restore(bench, payload, {"IDLETIME", "1", "FREQ", "1"}) == syntax_error);
    BOOST_TEST(restore(bench, payload, {"FOO"}) == syntax_error);
    BOOST_TEST(bench.run({"RESTORE", "ends", "5000", payload}) == "+OK\r\n");
    BOOST_TEST(bench.run("PTTL ends") == ":5000\r\n");
    BOOST_TEST(bench.run({"RESTORE", "ends", "1700000009000", payload, "ABSTTL", "REPLACE"}) ==
               "+OK\r\n");
    BOOST_TEST(bench.run("PEXPIRETIME ends") == ":1700000009000\r\n");
    BOOST_TEST(bench.run({"RESTORE", "ends", "1", payload, "ABSTTL", "REPLACE"}) == "+OK\r\n");
    BOOST_TEST(bench.run("EXISTS ends") == ":0\r\n");
    BOOST_TEST(bench.run({"RESTORE", "ends", "-1", payload}) ==
               "-ERR Invalid TTL value, must be >= 0\r\n");
    BOOST_TEST(bench.run({"RESTORE", "ends", "x", payload}) == not_integer);
    BOOST_TEST(bench.run({"RESTORE", "ends", "9223372036854775807", payload}) == "+OK\r\n");
    BOOST_TEST(bench.run("EXISTS ends") == ":1\r\n");
}

BOOST_AUTO_TEST_CASE(what_has_a_checksum_may_still_be_no_value) {
    CommandBench bench;
    Bytes bytes =
        "\x07\x01\x03"
        "abc";  // there is no such type as its elements say
    bytes += '\x01';
    ByteWriter(bytes).u64(hash64(bytes, key_value_checksum_seed));
    BOOST_TEST(restore(bench, bytes) == "+OK\r\n");  // a register of many values, to be sure
    bytes = "\x06\x01\x01\xff\x01";                  // a text that is no UTF-8
    ByteWriter(bytes).u64(hash64(bytes, key_value_checksum_seed));
    BOOST_TEST(restore(bench, bytes, {"REPLACE"}) == "-ERR Bad data format\r\n");
    BOOST_TEST(bench.run("TYPE restored") == "+multi-value\r\n");
}

BOOST_AUTO_TEST_CASE(objects_are_described_as_redis_would) {
    CommandBench bench;
    bench.run("SET long " + std::string(45, 'x'));
    bench.run("HSET wide f " + std::string(65, 'x'));
    for (int i = 0; i < 129; ++i) bench.run("ZADD many 1 " + std::to_string(i));
    play(bench, {
                    {"SET n 12", "+OK\r\n"},
                    {"SET s 012", "+OK\r\n"},
                    {"OBJECT ENCODING n", "$3\r\nint\r\n"},
                    {"OBJECT ENCODING s", "$6\r\nembstr\r\n"},
                    {"OBJECT ENCODING long", "$3\r\nraw\r\n"},
                    {"HSET h f v", ":1\r\n"},
                    {"OBJECT ENCODING h", "$8\r\nlistpack\r\n"},
                    {"OBJECT ENCODING wide", "$9\r\nhashtable\r\n"},
                    {"SADD set 1 2", ":2\r\n"},
                    {"OBJECT ENCODING set", "$6\r\nintset\r\n"},
                    {"SADD set x", ":1\r\n"},
                    {"OBJECT ENCODING set", "$9\r\nhashtable\r\n"},
                    {"ZADD z 1 a", ":1\r\n"},
                    {"OBJECT ENCODING z", "$8\r\nlistpack\r\n"},
                    {"OBJECT ENCODING many", "$8\r\nskiplist\r\n"},
                    {"RPUSH l 1", ":1\r\n"},
                    {"OBJECT ENCODING l", "$9\r\nquicklist\r\n"},
                    {"FLAG.ENABLE flag", ":1\r\n"},
                    {"OBJECT ENCODING flag", "$4\r\nflag\r\n"},
                    {"OBJECT ENCODING none", "$-1\r\n"},
                    {"OBJECT REFCOUNT n", ":1\r\n"},
                    {"OBJECT IDLETIME n", ":0\r\n"},
                    {"OBJECT FREQ none", "$-1\r\n"},
                    {"OBJECT FOO n", "-ERR unknown subcommand 'FOO'. Try OBJECT HELP.\r\n"},
                    {"OBJECT ENCODING",
                     "-ERR wrong number of arguments for 'object|encoding' command\r\n"},
                });
    BOOST_TEST(bench.run("OBJECT FREQ n").starts_with("-ERR An LFU maxmemory policy"));
    BOOST_TEST(bench.run("OBJECT HELP").starts_with("*11\r\n+OBJECT <subcommand>"));
}

BOOST_AUTO_TEST_CASE(memory_of_keys_follows_what_is_stored) {
    CommandBench bench;
    const auto usage = [&](const std::string& arguments) {
        const std::string reply = bench.run("MEMORY USAGE " + arguments);
        BOOST_REQUIRE_MESSAGE(reply[0] == ':', reply);
        return std::stoll(reply.substr(1));
    };
    bench.run("SET s " + std::string(1000, 'x'));
    BOOST_TEST(usage("s") > 1000);
    BOOST_TEST(usage("s") < 1200);
    for (int i = 0; i < 100; ++i) bench.run("SADD set member" + std::to_string(i));
    const auto all = usage("set SAMPLES 0");
    BOOST_TEST(all > 2000);
    BOOST_TEST(usage("set") > all / 2);
    BOOST_TEST(usage("set samples 1") < all * 2);
    bench.run("TEXT.APPEND text " + std::string(5000, 'x'));
    BOOST_TEST(usage("text") > 5000);
    play(bench, {
                    {"MEMORY USAGE none", "$-1\r\n"},
                    {"MEMORY USAGE s SAMPLES -1", syntax_error},
                    {"MEMORY USAGE s SAMPLES x", not_integer},
                    {"MEMORY USAGE s SAMPLES", syntax_error},
                    {"MEMORY USAGE s FOO 1", syntax_error},
                    {"MEMORY FOO", "-ERR unknown subcommand 'FOO'. Try MEMORY HELP.\r\n"},
                });
    BOOST_TEST(bench.run("MEMORY STATS").find("keys.count\r\n:3\r\n") != std::string::npos);
    BOOST_TEST(bench.run("MEMORY DOCTOR").find("nothing to report") != std::string::npos);
    BOOST_TEST(bench.run("MEMORY HELP")[0] == '*');
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
