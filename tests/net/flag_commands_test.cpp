#include <boost/test/unit_test.hpp>

#include "tests/net/command_bench.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(commands_of_flags)
namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

BOOST_AUTO_TEST_CASE(a_flag_is_enabled_and_disabled) {
    CommandBench bench;
    BOOST_TEST(bench.run("FLAG.GET f") == ":0\r\n");
    BOOST_TEST(bench.run("FLAG.DISABLE f") == ":0\r\n");
    BOOST_TEST(bench.run("EXISTS f") == ":0\r\n");
    BOOST_TEST(bench.run("FLAG.ENABLE f") == ":1\r\n");
    BOOST_TEST(bench.run("FLAG.ENABLE f") == ":0\r\n");
    BOOST_TEST(bench.run("FLAG.GET f") == ":1\r\n");
    BOOST_TEST(bench.run("TYPE f") == "+flag\r\n");
    BOOST_TEST(bench.run("DBSIZE") == ":1\r\n");
    BOOST_TEST(bench.run("FLAG.DISABLE f") == ":1\r\n");
    BOOST_TEST(bench.run("EXISTS f") == ":0\r\n");
    bench.run("FLAG.ENABLE f");
    BOOST_TEST(bench.run("DEL f") == ":1\r\n");
    BOOST_TEST(bench.run("FLAG.GET f") == ":0\r\n");
}

BOOST_AUTO_TEST_CASE(wrong_types_and_arguments_get_redis_errors) {
    CommandBench bench;
    bench.run("SET s v");
    bench.run("FLAG.ENABLE f");
    const std::string wrong_type =
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    for (const char* const name : {"FLAG.ENABLE", "FLAG.DISABLE", "FLAG.GET"}) {
        BOOST_TEST(bench.run(std::string(name) + " s") == wrong_type);
        BOOST_TEST(contains(bench.run(name), "wrong number of arguments"));
        BOOST_TEST(contains(bench.run(std::string(name) + " f g"), "wrong number of arguments"));
    }
    BOOST_TEST(bench.run("SADD f m") == wrong_type);
    BOOST_TEST(bench.run("SET f v") == "+OK\r\n");
    BOOST_TEST(bench.run("FLAG.GET f") == wrong_type);
}

BOOST_AUTO_TEST_CASE(where_removals_win_what_was_removed_is_explained) {
    CommandBench bench;
    KeyPolicies policies;
    BOOST_REQUIRE(policies.add("off:=remove-wins").has_value());
    bench.replica()->group().set_policies(policies);
    const std::string why = "a removal wins here over adds that have not seen it";
    BOOST_TEST(bench.run("CRDT.EXPLAIN off:f") == "$-1\r\n");
    BOOST_TEST(bench.run("FLAG.DISABLE off:f") == ":0\r\n");
    BOOST_TEST(bench.run("EXISTS off:f") == ":0\r\n");
    BOOST_TEST(contains(bench.run("CRDT.EXPLAIN off:f"), why));
    BOOST_TEST(bench.run("SADD off:s a b") == ":2\r\n");
    BOOST_TEST(bench.run("SREM off:s a c") == ":1\r\n");
    BOOST_TEST(bench.run("SCARD off:s") == ":1\r\n");
    BOOST_TEST(contains(bench.run("CRDT.EXPLAIN off:s a"), why));
    BOOST_TEST(contains(bench.run("CRDT.EXPLAIN off:s c"), why));
    BOOST_TEST(!contains(bench.run("CRDT.EXPLAIN off:s b"), why));
    BOOST_TEST(bench.run("CRDT.EXPLAIN off:s d") == "$-1\r\n");
    BOOST_TEST(bench.run("SPOP off:s") == "$1\r\nb\r\n");
    BOOST_TEST(bench.run("TYPE off:s") == "+none\r\n");
    BOOST_TEST(bench.run("DBSIZE") == ":0\r\n");
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
