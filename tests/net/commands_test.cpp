#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

#include "core/base/limits.hpp"
#include "net/commands/glob.hpp"
#include "net/commands/table.hpp"
#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(commands)
namespace {

/// The bulk strings in a reply, in order.
std::vector<std::string> bulks(const std::string& reply) {
    std::vector<std::string> found;
    for (std::size_t at = reply.find('$'); at != std::string::npos; at = reply.find('$', at)) {
        const std::size_t size = std::stoul(reply.substr(at + 1));
        at = reply.find("\r\n", at) + 2;
        found.push_back(reply.substr(at, size));
        at += size + 2;
    }
    return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(connections_answer_as_redis_does) {
    CommandBench bench;
    play(bench,
         {
             {"PING", "+PONG\r\n"},
             {"ping hello", "$5\r\nhello\r\n"},
             {"PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"},
             {"ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"},
             {"SELECT 0", "+OK\r\n"},
             {"SELECT 1", "-ERR DB index is out of range\r\n"},
             {"SELECT x", not_integer},
             {"HELLO 4", "-NOPROTO unsupported protocol version\r\n"},
             {"HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"},
             {"HELLO 2 foo", "-ERR Syntax error in HELLO option 'foo'\r\n"},
             {"HELLO 2 auth a b",
              "-WRONGPASS invalid username-password pair or user is disabled.\r\n"},
             {"AUTH secret",
              "-ERR AUTH <password> called without any password configured for the default user. "
              "Are "
              "you sure your configuration is correct?\r\n"},
             {"AUTH a b c", syntax_error},
             {"CLIENT ID", ":1\r\n"},
             {"CLIENT GETNAME", "$-1\r\n"},
             {"CLIENT SETNAME \"a b\"",
              "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"},
             {"CLIENT SETNAME me", "+OK\r\n"},
             {"CLIENT GETNAME", "$2\r\nme\r\n"},
             {"CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"},
             {"CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"},
             {"CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n"},
             {"RESET", "+RESET\r\n"},
             {"CLIENT GETNAME", "$-1\r\n"},
         });
}

BOOST_AUTO_TEST_CASE(hello_3_switches_the_protocol_with_its_own_reply) {
    CommandBench bench;
    const std::string reply = bench.run("HELLO 3 SETNAME me");
    BOOST_TEST(reply ==
               "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto"
               "\r\n:3\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6"
               "\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n");
    play(bench, {
                    {"CLIENT GETNAME", "$2\r\nme\r\n"},
                    {"GET none", "_\r\n"},
                    {"HSET h f v", ":1\r\n"},
                    {"HGETALL h", "%1\r\n$1\r\nf\r\n$1\r\nv\r\n"},
                    {"SADD s m", ":1\r\n"},
                    {"SMEMBERS s", "~1\r\n$1\r\nm\r\n"},
                    {"SPOP s 5", "~1\r\n$1\r\nm\r\n"},
                    {"MGET none", "*1\r\n_\r\n"},
                    {"CONFIG GET save", "%1\r\n$4\r\nsave\r\n$0\r\n\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(unknown_commands_repeat_a_bounded_part_of_the_request) {
    CommandBench bench;
    play(bench, {
                    {"nosuch", "-ERR unknown command 'nosuch', with args beginning with: \r\n"},
                    {"nosuch aaa \"b c\"",
                     "-ERR unknown command 'nosuch', with args beginning with: 'aaa' 'b c' \r\n"},
                    {"\"\" 1", "-ERR unknown command '', with args beginning with: '1' \r\n"},
                    {"\"a\\nb\"", "-ERR unknown command 'a b', with args beginning with: \r\n"},
                    {"get", "-ERR wrong number of arguments for 'get' command\r\n"},
                    {"GET a b", "-ERR wrong number of arguments for 'get' command\r\n"},
                });
    BOOST_TEST(bench.run({std::string(500, 'x'), std::string(500, 'y')}).size() < 400);
}

BOOST_AUTO_TEST_CASE(strings_answer_as_redis_does) {
    CommandBench bench;
    play(bench, {
                    {"SET a b", "+OK\r\n"},
                    {"GET a", "$1\r\nb\r\n"},
                    {"SET a c NX", "$-1\r\n"},
                    {"SET a c XX GET", "$1\r\nb\r\n"},
                    {"SET none c XX", "$-1\r\n"},
                    {"SET a d nx xx", syntax_error},
                    {"SET a d foo", syntax_error},
                    {"SET a d EX", syntax_error},
                    {"SET a d PX 10 KEEPTTL", syntax_error},
                    {"SET a d EX x", not_integer},
                    {"SET a d EX 0", "-ERR invalid expire time in 'set' command\r\n"},
                    {"GETSET a e", "$1\r\nc\r\n"},
                    {"SETNX a f", ":0\r\n"},
                    {"SETNX new f", ":1\r\n"},
                    {"APPEND a xyz", ":4\r\n"},
                    {"STRLEN a", ":4\r\n"},
                    {"GETRANGE a 1 -2", "$2\r\nxy\r\n"},
                    {"GETRANGE a 2 1", "$0\r\n\r\n"},
                    {"GETRANGE a -1 -3", "$0\r\n\r\n"},
                    {"SUBSTR a 0 0", "$1\r\ne\r\n"},
                    {"SETRANGE a 6 z", ":7\r\n"},
                    {"SETRANGE a -1 z", "-ERR offset is out of range\r\n"},
                    {"SETRANGE a 536870912 z",
                     "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
                    {"SETRANGE none 5 \"\"", ":0\r\n"},
                    {"SETRANGE a 4 **", ":7\r\n"},
                    {"GETDEL a", "$7\r\nexyz**z\r\n"},
                    {"GETDEL a", "$-1\r\n"},
                    {"MSET a 1 b 2", "+OK\r\n"},
                    {"MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"},
                    {"MSETNX c 1 a 2", ":0\r\n"},
                    {"MGET a b c", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(decimal_counters_answer_as_redis_does) {
    const char* const not_float = "-ERR value is not a valid float\r\n";
    const char* const range = "-ERR value is out of range, decimals must be below 10^21\r\n";
    CommandBench bench;
    play(bench,
         {
             {"SET k 10.50", "+OK\r\n"},
             {"INCRBYFLOAT k 0.1", "$4\r\n10.6\r\n"},
             {"INCRBYFLOAT k -5", "$3\r\n5.6\r\n"},
             {"SET k 5.0e3", "+OK\r\n"},
             {"GET k", "$5\r\n5.0e3\r\n"},
             {"INCRBYFLOAT k 2.0e2", "$4\r\n5200\r\n"},
             {"INCR k", ":5201\r\n"},
             {"INCRBYFLOAT k 0.5", "$6\r\n5201.5\r\n"},
             {"INCR k", not_integer},
             {"DEL k", ":1\r\n"},
             {"INCRBYFLOAT k 0.1", "$3\r\n0.1\r\n"},
             {"INCRBYFLOAT k 0.2", "$3\r\n0.3\r\n"},
             {"INCRBYFLOAT k abc", not_float},
             {"INCRBYFLOAT k nan", not_float},
             {"INCRBYFLOAT k inf", "-ERR increment would produce NaN or Infinity\r\n"},
             {"INCRBYFLOAT k 1e300", range},
             {"SET s text", "+OK\r\n"},
             {"INCRBYFLOAT s 1", not_float},
             {"INCRBYFLOAT large 999999999999999999999", "$21\r\n999999999999999999999\r\n"},
             {"INCRBYFLOAT large 1", range},
             {"HSET h f 1.5", ":1\r\n"},
             {"HINCRBYFLOAT h f 0.25", "$4\r\n1.75\r\n"},
             {"HINCRBYFLOAT h n 3", "$1\r\n3\r\n"},
             {"HINCRBY h n 4", ":7\r\n"},
             {"HSET h g x", ":1\r\n"},
             {"HINCRBYFLOAT h g 1", "-ERR hash value is not a float\r\n"},
             {"HINCRBYFLOAT h f x", not_float},
             {"INCRBYFLOAT h 1", wrong_type},
             {"INCRBYFLOAT k", "-ERR wrong number of arguments for 'incrbyfloat' command\r\n"},
         });
}

BOOST_AUTO_TEST_CASE(registers_of_many_values) {
    CommandBench bench;
    play(bench,
         {
             {"MV.GET m", "$-1\r\n"},
             {"MV.SET m one", "+OK\r\n"},
             {"TYPE m", "+multi-value\r\n"},
             {"MV.SET m two CONTEXT", syntax_error},
             {"MV.SET m two AFTER 00", syntax_error},
             {"MV.SET m two CONTEXT xyz", "-ERR CONTEXT takes what MV.GET answered as context\r\n"},
             {"MV.SET m two CONTEXT 00",  // of somebody who has seen nothing
              "-CONFLICT another value has come since the context was read\r\n"},
             {"GET m", wrong_type},
             {"MV.SET m two", "+OK\r\n"},
             {"EXISTS m", ":1\r\n"},
         });
    const std::string before = bench.run("MV.GET m");
    const std::size_t at = before.find("context\r\n$") + 10;
    const std::size_t begin = before.find("\r\n", at) + 2;
    const std::string context = before.substr(begin, before.find("\r\n", begin) - begin);
    BOOST_TEST(before.find("*1\r\n$3\r\ntwo\r\n") != std::string::npos, before);
    BOOST_TEST(bench.run("MV.SET m three CONTEXT " + context) == "+OK\r\n");
    BOOST_TEST(bench.run("MV.SET m four CONTEXT " + context).starts_with("-CONFLICT "));
    play(bench, {
                    {"DEL m", ":1\r\n"},
                    {"MV.GET m", "$-1\r\n"},
                    {"SET m text", "+OK\r\n"},
                    {"MV.SET m x", wrong_type},
                    {"MV.GET m", wrong_type},
                });
}

BOOST_AUTO_TEST_CASE(counters_answer_as_redis_does) {
    CommandBench bench;
    play(bench, {
                    {"INCR n", ":1\r\n"},
                    {"INCRBY n 41", ":42\r\n"},
                    {"DECR n", ":41\r\n"},
                    {"DECRBY n 1", ":40\r\n"},
                    {"GET n", "$2\r\n40\r\n"},
                    {"INCRBY n x", not_integer},
                    {"INCRBY n 9223372036854775808", not_integer},
                    {"DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"},
                    {"SET n 9223372036854775807", "+OK\r\n"},
                    {"INCR n", "-ERR increment or decrement would overflow\r\n"},
                    {"GET n", "$19\r\n9223372036854775807\r\n"},
                    {"SET n text", "+OK\r\n"},
                    {"INCR n", not_integer},
                });
}

BOOST_AUTO_TEST_CASE(hashes_answer_as_redis_does) {
    CommandBench bench;
    play(bench, {
                    {"HSET h f v g w", ":2\r\n"},
                    {"HSET h f x", ":0\r\n"},
                    {"HSET h f", "-ERR wrong number of arguments for 'hset' command\r\n"},
                    {"HMSET h f v g", "-ERR wrong number of arguments for 'hmset' command\r\n"},
                    {"HGET h f", "$1\r\nx\r\n"},
                    {"HGET h none", "$-1\r\n"},
                    {"HMGET h g none", "*2\r\n$1\r\nw\r\n$-1\r\n"},
                    {"HMGET none a", "*1\r\n$-1\r\n"},
                    {"HSETNX h f y", ":0\r\n"},
                    {"HSTRLEN h f", ":1\r\n"},
                    {"HEXISTS h none", ":0\r\n"},
                    {"HLEN h", ":2\r\n"},
                    {"HINCRBY h f 1", "-ERR hash value is not an integer\r\n"},
                    {"HINCRBY h n x", not_integer},
                    {"HINCRBY h n -5", ":-5\r\n"},
                    {"HGET h n", "$2\r\n-5\r\n"},
                    {"HDEL h f none n", ":2\r\n"},
                    {"HGETALL h", "*2\r\n$1\r\ng\r\n$1\r\nw\r\n"},
                    {"HKEYS none", "*0\r\n"},
                    {"HDEL h g", ":1\r\n"},
                    {"EXISTS h", ":0\r\n"},
                    {"SET s v", "+OK\r\n"},
                    {"HSET s f v", wrong_type},
                    {"HGETALL s", wrong_type},
                });
}

BOOST_AUTO_TEST_CASE(sets_answer_as_redis_does) {
    CommandBench bench;
    play(bench, {
                    {"SADD s a b a", ":2\r\n"},
                    {"SADD s a", ":0\r\n"},
                    {"SCARD s", ":2\r\n"},
                    {"SISMEMBER s a", ":1\r\n"},
                    {"SMISMEMBER s a none", "*2\r\n:1\r\n:0\r\n"},
                    {"SREM s b none", ":1\r\n"},
                    {"SMEMBERS s", "*1\r\n$1\r\na\r\n"},
                    {"SMOVE s t a", ":1\r\n"},
                    {"SMOVE s t a", ":0\r\n"},
                    {"TYPE s", "+none\r\n"},
                    {"SPOP t -1", "-ERR value is out of range, must be positive\r\n"},
                    {"SPOP t 1 2", syntax_error},
                    {"SPOP t", "$1\r\na\r\n"},
                    {"SPOP t", "$-1\r\n"},
                    {"SPOP t 2", "*0\r\n"},
                    {"SET str v", "+OK\r\n"},
                    {"SADD s a", ":1\r\n"},
                    {"SMOVE s str a", wrong_type},
                    {"SMOVE none str a", ":0\r\n"},
                    {"GET s", wrong_type},
                    {"INCR s", wrong_type},
                    {"SET s v", "+OK\r\n"},
                    {"SMEMBERS s", wrong_type},
                });
}

BOOST_AUTO_TEST_CASE(keys_answer_as_redis_does) {
    CommandBench bench;
    play(bench, {
                    {"SET a 1", "+OK\r\n"},
                    {"EXISTS a a none", ":2\r\n"},
                    {"TOUCH a none", ":1\r\n"},
                    {"TTL a", ":-1\r\n"},
                    {"PTTL none", ":-2\r\n"},
                    {"PERSIST a", ":0\r\n"},
                    {"TYPE a", "+string\r\n"},
                    {"TYPE none", "+none\r\n"},
                    {"RANDOMKEY", "$1\r\na\r\n"},
                    {"KEYS ?", "*1\r\n$1\r\na\r\n"},
                    {"KEYS b*", "*0\r\n"},
                    {"SCAN x", "-ERR invalid cursor\r\n"},
                    {"SCAN 0 COUNT 0", syntax_error},
                    {"SCAN 0 COUNT x", not_integer},
                    {"SCAN 0 MATCH", syntax_error},
                    {"SCAN 0 TYPE hash", "*2\r\n$1\r\n0\r\n*0\r\n"},
                    {"SCAN 0", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"},
                    {"SSCAN s 0 TYPE x", syntax_error},
                    {"HSCAN a 0", wrong_type},
                    {"DBSIZE", ":1\r\n"},
                    {"UNLINK a none a", ":1\r\n"},
                    {"RANDOMKEY", "$-1\r\n"},
                    {"DBSIZE", ":0\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(scans_visit_everything_once_whatever_the_count) {
    CommandBench bench;
    std::set<std::string> expected;
    for (int i = 0; i < 200; ++i) {
        const std::string name = (i % 2 == 0 ? "k" : std::string(600, 'K')) + std::to_string(i);
        expected.insert(name);
        bench.run({"SADD", "set", name});
        bench.run({"SET", name, "v"});
    }
    for (const std::string command : {"SCAN", "SSCAN"}) {
        std::multiset<std::string> seen;
        std::string cursor = "0";
        do {
            const std::vector<std::string> reply =
                bulks(bench.run(command == "SCAN" ? Arguments{"SCAN", cursor, "COUNT", "7"}
                                                  : Arguments{"SSCAN", "set", cursor}));
            cursor = reply.at(0);
            seen.insert(reply.begin() + 1, reply.end());
        } while (cursor != "0");
        seen.erase("set");
        BOOST_TEST(std::set<std::string>(seen.begin(), seen.end()) == expected);
        BOOST_TEST(seen.size() == expected.size());
    }
}

BOOST_AUTO_TEST_CASE(transactions_answer_as_redis_does) {
    CommandBench bench;
    play(bench, {
                    {"EXEC", "-ERR EXEC without MULTI\r\n"},
                    {"DISCARD", "-ERR DISCARD without MULTI\r\n"},
                    {"MULTI", "+OK\r\n"},
                    {"MULTI", "-ERR MULTI calls can not be nested\r\n"},
                    {"SET x text", "+QUEUED\r\n"},
                    {"INCR x", "+QUEUED\r\n"},
                    {"GET x", "+QUEUED\r\n"},
                    {"EXEC",
                     "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n$4\r\ntext\r\n"},
                    {"MULTI", "+OK\r\n"},
                    {"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
                    {"SET x lost", "+QUEUED\r\n"},
                    {"EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"},
                    {"GET x", "$4\r\ntext\r\n"},
                    {"MULTI", "+OK\r\n"},
                    {"SET x lost", "+QUEUED\r\n"},
                    {"DISCARD", "+OK\r\n"},
                    {"MULTI", "+OK\r\n"},
                    {"FLUSHALL", "-ERR Command not allowed inside a transaction\r\n"},
                    {"RESET", "+RESET\r\n"},
                    {"EXEC", "-ERR EXEC without MULTI\r\n"},
                    {"GET x", "$4\r\ntext\r\n"},
                    {"MULTI", "+OK\r\n"},
                    {"EXEC", "*0\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(a_transaction_is_one_event) {
    CommandBench bench;
    const std::uint64_t before = bench.replica()->stats().events_local;
    play(bench, {{"MULTI", "+OK\r\n"}, {"SET a 1", "+QUEUED\r\n"}, {"SADD s m", "+QUEUED\r\n"}});
    BOOST_TEST(bench.run_other("GET a") == "$-1\r\n");
    BOOST_TEST(bench.run("EXEC") == "*2\r\n+OK\r\n:1\r\n");
    BOOST_TEST(bench.run_other("GET a") == "$1\r\n1\r\n");
    BOOST_TEST(bench.replica()->stats().events_local == before + 1);
    bench.run("DEL none");
    bench.run("SREM s none");
    BOOST_TEST(bench.replica()->stats().events_local == before + 1);  // nothing changed
}

BOOST_AUTO_TEST_CASE(limits_are_errors_that_change_nothing) {
    CommandBench bench;
    const Bytes long_key(limits::key_bytes_max + 1, 'k');
    const Bytes long_value(limits::value_bytes_max + 1, 'v');
    for (const Arguments& request :
         {Arguments{"SET", long_key, "v"}, Arguments{"SET", "k", long_value},
          Arguments{"MSET", "k", "v", "l", long_value},
          Arguments{"HSET", "k", "f", "v", long_key, "v"}, Arguments{"SADD", "k", "m", long_key},
          Arguments{"GETSET", "k", long_value}}) {
        BOOST_TEST_CONTEXT(request[0]) {
            const std::string reply = bench.run(request);
            BOOST_TEST(reply.substr(0, 7) == "-ERR a ");
            BOOST_TEST(bench.run("DBSIZE") == ":0\r\n");
        }
    }
    BOOST_TEST(bench.run({"SET", "k", long_value.substr(1)}) == "+OK\r\n");
    // Nobody makes it hold more than a client may be owed.
    BOOST_TEST(bench.run("MGET k k k k k") == "-ERR the values have more than 268435456 bytes\r\n");
    BOOST_TEST(bench.run("APPEND k x") ==
               "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
}

BOOST_AUTO_TEST_CASE(flushing_removes_everything_in_slices) {
    CommandBench bench;
    for (int i = 0; i < 300; ++i) bench.run({"SET", "key" + std::to_string(i), "v"});
    bench.run("INCR counter");
    play(bench, {
                    {"FLUSHALL x", syntax_error},
                    {"DBSIZE", ":301\r\n"},
                    {"FLUSHALL ASYNC", "+OK\r\n"},
                    {"DBSIZE", ":0\r\n"},
                    {"GET counter", "$-1\r\n"},
                    {"INCR counter", ":1\r\n"},
                });
    const std::uint64_t before = bench.replica()->stats().events_local;
    BOOST_TEST(bench.run("FLUSHDB") == "+OK\r\n");
    BOOST_TEST(bench.replica()->stats().events_local == before + 1);  // empty slices make none
}

BOOST_AUTO_TEST_CASE(commands_describe_themselves) {
    CommandBench bench;
    BOOST_TEST(bench.run("COMMAND COUNT") == ":" + std::to_string(all_commands().size()) + "\r\n");
    BOOST_TEST(bench.run("COMMAND INFO nosuch") == "*1\r\n$-1\r\n");
    BOOST_TEST(
        bench.run("COMMAND INFO get") ==
        "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n"
        "+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n"
        "+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n"
        "*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4"
        "\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n"
        "*0\r\n");
    BOOST_TEST(bench.run("COMMAND GETKEYS mset a 1 b 2") == "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    BOOST_TEST(bench.run("COMMAND GETKEYS client list") ==
               "-ERR The command has no key arguments\r\n");
    for (const Command* command : all_commands()) {
        BOOST_TEST_CONTEXT(command->name) {
            BOOST_TEST(!command->summary.empty());
            BOOST_TEST(!command->complexity.empty());
            BOOST_TEST(command->arity != 0);
            BOOST_TEST((command->handler != nullptr || !command->subcommands.empty()));
            const std::string reply = bench.run({"COMMAND", "DOCS", Bytes(command->name)});
            BOOST_TEST(bulks(reply).at(0) == command->name);
        }
    }
}

BOOST_AUTO_TEST_CASE(settings_of_redis_are_reported_and_noted) {
    CommandBench bench;
    play(bench, {
                    {"CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"},
                    {"CONFIG GET nosuch", "*0\r\n"},
                    {"CONFIG GET DATA* save",
                     "*4\r\n$9\r\ndatabases\r\n$1\r\n1\r\n$4\r\nsave\r\n$0\r\n\r\n"},
                    {"CONFIG SET maxmemory 1mb timeout 5", "+OK\r\n"},
                    {"CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n5\r\n"},
                    {"CONFIG GET maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n"},
                    {"CONFIG SET databases 1", "+OK\r\n"},  // it is so already
                    {"CONFIG SET nosuch 1",
                     "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n"},
                    {"CONFIG SET timeout 6 databases 2",
                     "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't "
                     "set immutable "
                     "config\r\n"},
                    {"CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n5\r\n"},
                    {"CONFIG SET maxmemory abc",
                     "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument "
                     "must be a "
                     "memory value\r\n"},
                    {"CONFIG RESETSTAT", "+OK\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(a_client_that_wants_no_replies_gets_none) {
    CommandBench bench;
    play(bench, {
                    {"CLIENT REPLY OFF", ""},
                    {"SET k v", ""},
                    {"NOSUCH", ""},
                    {"MULTI", ""},
                    {"SET k w", ""},
                    {"EXEC", ""},
                    {"CLIENT REPLY SKIP", ""},
                    {"CLIENT REPLY ON", "+OK\r\n"},
                    {"GET k", "$1\r\nw\r\n"},
                    {"CLIENT REPLY SKIP", ""},
                    {"BLPOP none 1", ""},
                });
    BOOST_TEST(bench.pass(2000) == "");
    play(bench, {
                    {"PING", "+PONG\r\n"},
                    {"CLIENT REPLY SKIP", ""},
                    {"CLIENT REPLY ON", "+OK\r\n"},
                    {"PING", "+PONG\r\n"},
                    {"CLIENT REPLY MAYBE", syntax_error},
                    {"CLIENT REPLY OFF", ""},
                    // What is pushed is no reply.
                    {"SUBSCRIBE c", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"},
                    {"RESET", "+RESET\r\n"},
                    {"PING", "+PONG\r\n"},
                });
    // Those that were dropped are not waited for to be sent.
    BOOST_TEST(bench.client.output_bytes == 95U);
}

BOOST_AUTO_TEST_CASE(without_a_cluster_only_commands_without_data_run) {
    CommandBench bench;
    bench.take_replica_away();
    const char* const loading = "-LOADING Syncline is waiting to join its cluster\r\n";
    play(bench, {
                    {"PING", "+PONG\r\n"},
                    {"SET a b", loading},
                    {"DBSIZE", loading},
                    {"MULTI", "+OK\r\n"},
                    {"GET a", loading},
                    {"EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"},
                });
    BOOST_TEST(bench.run("INFO persistence").find("loading:1") != std::string::npos);
    BOOST_TEST(bench.run("INFO syncline").find("cluster:waiting") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(explain_shows_the_parts_of_a_value) {
    CommandBench bench;
    bench.run("SET n 5");
    bench.run("INCRBY n 3");
    const std::vector<std::string> parts = bulks(bench.run("CRDT.EXPLAIN n"));
    const auto has = [&](const std::string& text) {
        return std::find(parts.begin(), parts.end(), text) != parts.end();
    };
    BOOST_TEST(has("8"));  // what is seen
    BOOST_TEST(has("5"));  // the register's part
    BOOST_TEST(has("the only value, and increments made beside it"));
    BOOST_TEST(bench.run("CRDT.EXPLAIN none") == "$-1\r\n");
    bench.run("SADD s a b");
    BOOST_TEST(bench.run("CRDT.EXPLAIN s").find("one add supports it") != std::string::npos);
    BOOST_TEST(bulks(bench.run("CRDT.EXPLAIN s a")).size() <
               bulks(bench.run("CRDT.EXPLAIN s")).size());
}

BOOST_AUTO_TEST_CASE(clock_shows_the_vector_and_the_root) {
    CommandBench bench;
    const std::vector<std::string> empty = bulks(bench.run("CRDT.CLOCK"));
    bench.run("SET a 1");
    const std::vector<std::string> parts = bulks(bench.run("CRDT.CLOCK"));
    BOOST_TEST(parts.at(0) == "node");
    BOOST_TEST(parts.at(1) == "bench");
    BOOST_TEST((parts != empty));
    BOOST_TEST((bulks(bench.run("CRDT.CLOCK")) == parts));
}

BOOST_AUTO_TEST_CASE(links_are_cut_by_name) {
    CommandBench bench;
    play(bench, {
                    {"CRDT.LINK b down", "+OK\r\n"},
                    {"CRDT.LINK b up", "+OK\r\n"},
                    {"CRDT.LINK b sideways", syntax_error},
                    {"CRDT.LINK nobody up", "-ERR no such peer\r\n"},
                    {"CRDT.SYNC b", "+OK\r\n"},
                    {"CRDT.PEERS", "*0\r\n"},
                });
    const std::vector<std::string> expected{"b down", "b up", "b sync"};
    BOOST_TEST((bench.links == expected));
}

BOOST_AUTO_TEST_CASE(clients_are_listed_and_killed) {
    CommandBench bench;
    BOOST_TEST(bench.run("CLIENT LIST").find("id=2 addr=127.0.0.1:50002") != std::string::npos);
    BOOST_TEST(bench.run("CLIENT LIST ID 2").find("id=1") == std::string::npos);
    play(bench, {
                    {"CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n"},
                    {"CLIENT KILL 1.1.1.1:1", "-ERR No such client\r\n"},
                    {"CLIENT KILL ID x", "-ERR client-id should be greater than 0\r\n"},
                    {"CLIENT KILL FOO 1", syntax_error},
                    {"CLIENT KILL TYPE normal", ":1\r\n"},
                    {"CLIENT KILL ID 1 SKIPME no", ":1\r\n"},
                });
    const std::vector<std::uint64_t> expected{2, 1};
    BOOST_TEST((bench.killed == expected));
}

BOOST_AUTO_TEST_CASE(patterns_match_as_in_redis) {
    struct Pattern {
        const char* pattern;
        const char* text;
        bool matches;
    };
    for (const Pattern& one : std::initializer_list<Pattern>{{"*", "", true},
                                                             {"**a", "a", true},
                                                             {"a*b*c", "a1b2c", true},
                                                             {"a*b*c", "a1c2b", false},
                                                             {"?", "", false},
                                                             {"?x", "ax", true},
                                                             {"[abc]", "b", true},
                                                             {"[^abc]", "b", false},
                                                             {"[a-c]x", "bx", true},
                                                             {"[c-a]", "b", true},
                                                             {"[\\]]", "]", true},
                                                             {"\\*", "*", true},
                                                             {"\\*", "a", false},
                                                             {"[a", "a", true},
                                                             {"a\\", "a\\", true},
                                                             {"h[a-z]*o", "hello", true},
                                                             {"abc", "ABC", false}}) {
        BOOST_TEST_CONTEXT(one.pattern << " on " << one.text) {
            BOOST_TEST(glob_match(one.pattern, one.text) == one.matches);
        }
    }
    BOOST_TEST(glob_match_nocase("A[B-D]*", "acX"));
    std::string hostile;
    for (int i = 0; i < 5000; ++i) hostile += "*a";
    BOOST_TEST(!glob_match(hostile + "b", std::string(60000, 'a')));  // and soon
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
