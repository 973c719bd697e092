#include <boost/test/unit_test.hpp>

#include "tests/net/command_bench.hpp"
#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(commands_of_bounded_counters)
namespace {

const char* const permanent =
    "-ERR a bounded counter cannot be removed, replaced or given an end: other replicas may hold "
    "rights to it\r\n";
const char* const not_positive = "-ERR value is out of range, must be positive\r\n";

std::string pair(const std::string& name, int value) {
    return "$" + std::to_string(name.size()) + "\r\n" + name + "\r\n:" + std::to_string(value) +
           "\r\n";
}

BOOST_AUTO_TEST_CASE(counting_within_rights) {
    const std::string in_multi =
        "*4\r\n:2\r\n-NORIGHTS of 2 rights this replica has 2, 5 are needed; no other replica has "
        "any\r\n" +
        std::string(permanent) + ":3\r\n";
    CommandBench bench;
    play(bench, {
                    {"BC.GET b", "$-1\r\n"},
                    {"BC.RIGHTS b", "$-1\r\n"},
                    {"BC.DECR b 1",
                     "-NORIGHTS of 0 rights this replica has 0, 1 are needed; no other replica has "
                     "any\r\n"},
                    {"EXISTS b", ":0\r\n"},
                    {"BC.INCR b 10", ":10\r\n"},
                    {"BC.DECR b 3", ":7\r\n"},
                    {"BC.GET b", ":7\r\n"},
                    {"TYPE b", "+bounded-counter\r\n"},
                    {"SCAN 0 TYPE bounded-counter", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n"},
                    {"SCAN 0 TYPE string", "*2\r\n$1\r\n0\r\n*0\r\n"},
                    {"BC.DECR b 8",
                     "-NORIGHTS of 7 rights this replica has 7, 8 are needed; no other replica has "
                     "any\r\n"},
                    {"MULTI", "+OK\r\n"},
                    {"BC.DECR b 5", "+QUEUED\r\n"},
                    {"BC.DECR b 5", "+QUEUED\r\n"},
                    {"DEL b", "+QUEUED\r\n"},
                    {"BC.INCR b 1", "+QUEUED\r\n"},
                    {"EXEC", in_multi.c_str()},
                    {"BC.GET b", ":3\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(arguments_that_make_no_sense) {
    CommandBench bench;
    play(bench,
         {
             {"BC.INCR b 7", ":7\r\n"},
             {"BC.INCR b", "-ERR wrong number of arguments for 'bc.incr' command\r\n"},
             {"BC.INCR b 1 2", "-ERR wrong number of arguments for 'bc.incr' command\r\n"},
             {"BC.INCR b x", not_integer},
             {"BC.INCR b 9223372036854775808", not_integer},
             {"BC.INCR b 0", not_positive},
             {"BC.DECR b -1", not_positive},
             {"BC.TRANSFER b 0 1.0", not_positive},
             {"BC.INCR b 9223372036854775807", "-ERR increment or decrement would overflow\r\n"},
             {"BC.TRANSFER b 1 9.0", "-ERR no such actor is known here\r\n"},
             {"SET s text", "+OK\r\n"},
             {"BC.INCR s 1", wrong_type},
             {"BC.DECR s 1", wrong_type},
             {"BC.GET s", wrong_type},
             {"BC.RIGHTS s", wrong_type},
             {"GET b", wrong_type},
             {"INCR b", wrong_type},
             {"SADD b m", wrong_type},
             {"MV.SET b x", wrong_type},
             {"BC.GET b", ":7\r\n"},
         });
    const std::string self = to_string(bench.replica()->actor());
    for (const std::string& name : {self, self.substr(0, self.find('.'))}) {
        BOOST_TEST(bench.run("BC.TRANSFER b 1 " + name) ==
                   "-ERR rights are transferred to another actor\r\n");
        BOOST_TEST(bench.run("BC.TRANSFER s 1 " + name).starts_with("-ERR rights are"));
    }
}

BOOST_AUTO_TEST_CASE(nothing_removes_or_replaces_one) {
    CommandBench bench;
    play(bench, {
                    {"BC.INCR b 7", ":7\r\n"},
                    {"SET b x", permanent},
                    {"SET b x NX", "$-1\r\n"},
                    {"SET b x EX 100", permanent},
                    {"SETNX b x", ":0\r\n"},
                    {"GETSET b x", wrong_type},
                    {"GETDEL b", wrong_type},
                    {"SETEX b 10 x", permanent},
                    {"MSET a 1 b x", permanent},
                    {"MSETNX a 1 b x", ":0\r\n"},
                    {"EXISTS a", ":0\r\n"},
                    {"DEL b", permanent},
                    {"UNLINK b", permanent},
                    {"EXPIRE b 100", permanent},
                    {"PEXPIREAT b 1", permanent},
                    {"GETEX b EX 10", wrong_type},
                    {"PERSIST b", ":0\r\n"},
                    {"TTL b", ":-1\r\n"},
                    {"ZRANGESTORE b none 0 -1", permanent},
                    {"SET a 1", "+OK\r\n"},
                    {"DEL a b", permanent},  // all or nothing
                    {"GET a", "$1\r\n1\r\n"},
                    {"FLUSHALL", "+OK\r\n"},
                    {"DBSIZE", ":1\r\n"},
                    {"BC.GET b", ":7\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(what_it_is_made_of) {
    CommandBench bench;
    play(bench, {{"BC.INCR b 11", ":11\r\n"}, {"BC.DECR b 8", ":3\r\n"}});
    const std::string self = to_string(bench.replica()->actor());
    const std::string rights = bench.run("BC.RIGHTS b");
    BOOST_TEST(rights.starts_with("*1\r\n*14\r\n$5\r\nactor\r\n$" + std::to_string(self.size()) +
                                  "\r\n" + self + "\r\n"));
    BOOST_TEST(rights.ends_with(pair("rights", 3) + pair("made", 11) + pair("received", 0) +
                                pair("transferred", 0) + pair("used", 8)));
    // What explains and resolves conflicts tells of it, and does not touch it.
    const std::string used = "used/" + self;
    const std::string explained = bench.run("CRDT.EXPLAIN b " + used);
    BOOST_TEST(explained.find("\r\n" + used + "\r\n") != std::string::npos, explained);
    BOOST_TEST(explained.find("value\r\n$1\r\n8\r\n") != std::string::npos, explained);
    const std::size_t dot = explained.find("\r\n" + self + ":") + 2;
    const std::string name = explained.substr(dot, explained.find('\r', dot) - dot);
    BOOST_TEST(bench.run("CRDT.RESOLVE b " + used + " " + name) ==
               "-ERR what was done to a bounded counter is not done again\r\n");
    BOOST_TEST(bench.run("CRDT.RESOLVE b used/x " + name).starts_with("-ERR neither"));
    BOOST_TEST(bench.run("BC.GET b") == ":3\r\n");
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
