// Commands that are there because tools send them.
#include <boost/test/unit_test.hpp>

#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(commands_of_tools)

BOOST_AUTO_TEST_CASE(tools_get_the_answers_of_redis) {
    CommandBench bench;
    play(bench, {
                    {"SWAPDB 0 0", "+OK\r\n"},
                    {"SWAPDB 0 1", "-ERR DB index is out of range\r\n"},
                    {"SWAPDB x 1", "-ERR invalid first DB index\r\n"},
                    {"SWAPDB 0 4294967296", "-ERR invalid second DB index\r\n"},
                    {"MODULE LIST", "*0\r\n"},
                    {"MODULE LOAD x", "-ERR unknown subcommand 'LOAD'. Try MODULE HELP.\r\n"},
                    {"CLUSTER INFO", "-ERR This instance has cluster support disabled\r\n"},
                    {"cluster slots", "-ERR This instance has cluster support disabled\r\n"},
                    {"CLUSTER FOO", "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.\r\n"},
                    {"CLUSTER", "-ERR wrong number of arguments for 'cluster' command\r\n"},
                    {"BGSAVE FOO", syntax_error},
                    {"MULTI", "+OK\r\n"},
                    {"SAVE", "-ERR Command not allowed inside a transaction\r\n"},
                    {"DISCARD", "+OK\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(saving_makes_a_checkpoint) {
    CommandBench bench;
    const struct {
        const char* command;
        const char* reply;
    } saves[] = {
        {"SAVE", "+OK\r\n"},
        {"BGSAVE", "+Background saving started\r\n"},
        {"BGSAVE schedule", "+Background saving started\r\n"},
        {"BGREWRITEAOF", "+Background append only file rewriting started\r\n"},
    };
    for (const auto& save : saves) {
        bench.run(std::string("SET k ") + save.command[0]);
        const std::uint64_t before = bench.replica()->stats().checkpoints;
        bench.clock.now_ms += 1000;
        BOOST_TEST(bench.run(save.command) == save.reply);
        BOOST_TEST(bench.replica()->stats().checkpoints == before + 1);
        BOOST_TEST(bench.run("LASTSAVE") ==
                   ":" + std::to_string(bench.clock.now_ms / 1000) + "\r\n");
        bench.clock.now_ms += 1000;
        BOOST_TEST(bench.run("LASTSAVE") ==
                   ":" + std::to_string(bench.clock.now_ms / 1000 - 1) + "\r\n");
    }
}

BOOST_AUTO_TEST_CASE(the_picture_is_that_of_the_data) {
    CommandBench one;
    CommandBench other;
    const std::string empty = one.run("LOLWUT");
    BOOST_TEST(empty == other.run("LOLWUT VERSION 5"));
    one.run("SET k v");
    BOOST_TEST(one.run("LOLWUT") != empty);
    one.run("DEL k");
    BOOST_TEST(one.run("LOLWUT") == empty);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
