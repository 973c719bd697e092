// SORT.
#include <boost/test/unit_test.hpp>

#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(commands_that_sort)
namespace {

const char* const no_number = "-ERR One or more scores can't be converted into double\r\n";

std::string bulks(std::initializer_list<const char*> values) {
    std::string reply = "*" + std::to_string(values.size()) + "\r\n";
    for (const BytesView value : values) {
        reply += "$" + std::to_string(value.size()) + "\r\n" + Bytes(value) + "\r\n";
    }
    return reply;
}

}  // namespace

BOOST_AUTO_TEST_CASE(elements_are_sorted_by_themselves) {
    CommandBench bench;
    bench.run("RPUSH l 10 9 -1.5 1e1 2");
    bench.run("RPUSH words b a \"\" C");
    bench.run("ZADD z 1 b 2 a 3 c");
    BOOST_TEST(bench.run("SORT l") == bulks({"-1.5", "2", "9", "10", "1e1"}));
    BOOST_TEST(bench.run("SORT l DESC") == bulks({"1e1", "10", "9", "2", "-1.5"}));
    BOOST_TEST(bench.run("SORT l ALPHA") == bulks({"-1.5", "10", "1e1", "2", "9"}));
    BOOST_TEST(bench.run("SORT l LIMIT 1 2") == bulks({"2", "9"}));
    BOOST_TEST(bench.run("SORT l LIMIT -5 1") == bulks({"-1.5"}));
    BOOST_TEST(bench.run("SORT l LIMIT 3 -1") == bulks({"10", "1e1"}));
    BOOST_TEST(bench.run("SORT l LIMIT 9 1") == bulks({}));
    BOOST_TEST(bench.run("SORT l BY nosort LIMIT 1 2") == bulks({"9", "-1.5"}));
    BOOST_TEST(bench.run("SORT words ALPHA") == bulks({"", "C", "a", "b"}));
    BOOST_TEST(bench.run("SORT words") == no_number);
    BOOST_TEST(bench.run("SORT z BY nosort DESC") == bulks({"c", "a", "b"}));
    BOOST_TEST(bench.run("SORT z ALPHA") == bulks({"a", "b", "c"}));
    BOOST_TEST(bench.run("SORT none") == bulks({}));
    BOOST_TEST(bench.run("SORT_RO l LIMIT 0 1") == bulks({"-1.5"}));
}

BOOST_AUTO_TEST_CASE(elements_are_sorted_by_other_keys) {
    CommandBench bench;
    bench.run("RPUSH l 1 2 3");
    bench.run("MSET w1 30 w2 20 w3 10 n1 one n3 three");
    bench.run("HSET h1 f 2");
    bench.run("HSET h2 f 3 name two");
    bench.run("HSET h3 f 1");
    BOOST_TEST(bench.run("SORT l BY w*") == bulks({"3", "2", "1"}));
    BOOST_TEST(bench.run("SORT l BY h*->f") == bulks({"3", "1", "2"}));
    BOOST_TEST(bench.run("SORT l BY n* ALPHA") == bulks({"2", "1", "3"}));
    BOOST_TEST(bench.run("SORT l BY n*") == no_number);
    BOOST_TEST(bench.run("SORT l BY none*") == bulks({"1", "2", "3"}));
    BOOST_TEST(bench.run("SORT l BY w* GET # GET n* GET h*->name LIMIT 0 2") ==
               "*6\r\n$1\r\n3\r\n$5\r\nthree\r\n$-1\r\n$1\r\n2\r\n$-1\r\n$3\r\ntwo\r\n");
    BOOST_TEST(bench.run("SORT l GET h* GET w*->f GET none") ==
               "*9\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n");
}

BOOST_AUTO_TEST_CASE(what_is_sorted_is_stored) {
    CommandBench bench;
    play(bench, {
                    {"SADD s 3 1 2", ":3\r\n"},
                    {"SET d x", "+OK\r\n"},
                    {"EXPIRE d 100", ":1\r\n"},
                    {"SORT s STORE d", ":3\r\n"},
                    {"TTL d", ":-1\r\n"},
                    {"LRANGE d 0 -1", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"},
                    {"SORT s BY nosort DESC STORE d", ":3\r\n"},
                    {"LINDEX d 0", "$1\r\n3\r\n"},
                    {"SORT d STORE d LIMIT 0 2", ":2\r\n"},
                    {"SORT s GET w* STORE d", ":3\r\n"},
                    {"LINDEX d 0", "$0\r\n\r\n"},
                    {"SORT none STORE d", ":0\r\n"},
                    {"EXISTS d", ":0\r\n"},
                    {"BC.INCR rights 1", ":1\r\n"},
                    {"SORT s STORE rights",
                     "-ERR a bounded counter cannot be removed, replaced or given an end: other "
                     "replicas may hold rights to it\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(arguments_that_make_no_sense) {
    CommandBench bench;
    play(bench, {
                    {"RPUSH l 1", ":1\r\n"},
                    {"SORT l FOO", syntax_error},
                    {"SORT l BY", syntax_error},
                    {"SORT l LIMIT 0", syntax_error},
                    {"SORT l LIMIT x 1", not_integer},
                    {"SORT l LIMIT 0 x", not_integer},
                    {"SORT l STORE", syntax_error},
                    {"SORT_RO l STORE d", syntax_error},
                    {"SET s v", "+OK\r\n"},
                    {"SORT s", wrong_type},
                    {"SORT s FOO", syntax_error},
                });
}

BOOST_AUTO_TEST_CASE(what_takes_too_long_is_an_error) {
    CommandBench bench;
    Arguments push{"RPUSH", "l"};
    for (int i = 0; i < 1100; ++i) push.emplace_back("1");
    bench.run(push);
    bench.run({"SET", "w1", Bytes(1024 * 1024, 'x')});
    BOOST_TEST(bench.run("SORT l BY w* ALPHA") ==
               "-ERR the values have more than 268435456 bytes\r\n");
    BOOST_TEST(bench.run("SORT l GET w*") == "-ERR the values have more than 268435456 bytes\r\n");
    Arguments sort{"SORT", "l"};
    for (int i = 0; i < 1000; ++i) {
        sort.emplace_back("GET");
        sort.emplace_back("#");
    }
    BOOST_TEST(bench.run(sort) ==
               "-ERR SORT looks at no more than 1048576 elements and values of other keys\r\n");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
