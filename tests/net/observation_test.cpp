// What is told of commands: MONITOR, SLOWLOG, LATENCY, and figures in INFO. Replies are those of
// Redis 7.0.15.
#include "net/observation.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(observed_commands)
namespace {

using Pairs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::size_t lines_count(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

BOOST_AUTO_TEST_CASE(durations_are_counted_within_an_eighth) {
    DurationHistogram histogram;
    BOOST_TEST(histogram.percentile(50) == 0U);
    BOOST_TEST(histogram.below().empty());
    for (const std::uint64_t us : {0U, 1U, 7U, 8U, 15U, 16U, 1000U}) histogram.add(us);
    BOOST_TEST(histogram.count() == 7U);
    BOOST_TEST((histogram.below() == Pairs{{1, 1}, {2, 2}, {8, 3}, {16, 5}, {32, 6}, {1024, 7}}));
    BOOST_TEST(histogram.percentile(50) == 8U);
    BOOST_TEST(histogram.percentile(99) == 1023U);
    for (std::uint64_t us = 1; us < (std::uint64_t{1} << 40); us += us / 3 + 1) {
        DurationHistogram one;
        one.add(us);
        BOOST_TEST(one.percentile(99.9) >= us);
        BOOST_TEST(one.percentile(99.9) <= us + us / 8);
    }
    DurationHistogram longest;
    longest.add(~std::uint64_t{0});
    BOOST_TEST(longest.count() == 1U);
    BOOST_TEST(longest.percentile(50) > 0U);
}

BOOST_AUTO_TEST_CASE(the_slow_log_cuts_what_is_long) {
    std::vector<Bytes> arguments(40, Bytes(200, 'a'));
    arguments[0] = "SET";
    const std::vector<Bytes> cut = cut_arguments(arguments);
    BOOST_REQUIRE_EQUAL(cut.size(), 32U);
    BOOST_TEST(cut[0] == "SET");
    BOOST_TEST(cut[1] == Bytes(128, 'a') + "... (72 more bytes)");
    BOOST_TEST(cut[31] == "... (9 more arguments)");
    arguments.resize(32);
    BOOST_TEST(cut_arguments(arguments)[31] == cut[1]);
}

BOOST_AUTO_TEST_CASE(slow_commands_are_kept_without_secrets) {
    CommandBench bench;
    BOOST_TEST(bench.run("CONFIG SET slowlog-log-slower-than 0") == "+OK\r\n");
    bench.run("CLIENT SETNAME me");
    bench.run("SET k v");
    bench.run("GET");
    bench.run("AUTH secret");
    bench.run("HELLO 2 AUTH default secret SETNAME me");
    bench.run("CONFIG SET requirepass secret");
    bench.run("MULTI");
    bench.run("INCR n");
    bench.run("EXEC");
    BOOST_TEST(bench.run("SLOWLOG LEN") == ":8\r\n");
    const std::string all = bench.run("SLOWLOG GET -1");
    BOOST_TEST(!holds(all, "secret"));
    BOOST_TEST(!holds(all, "EXEC"));
    BOOST_TEST(holds(all, "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n$15\r\n127.0.0.1:50001\r\n$2\r\nme\r\n"));
    BOOST_TEST(holds(all, "*2\r\n$4\r\nAUTH\r\n$10\r\n(redacted)\r\n"));
    BOOST_TEST(holds(all,
                     "*7\r\n$5\r\nHELLO\r\n$1\r\n2\r\n$4\r\nAUTH\r\n$10\r\n(redacted)\r\n$10\r\n"
                     "(redacted)\r\n$7\r\nSETNAME\r\n$2\r\nme\r\n"));
    BOOST_TEST(holds(all, "*6\r\n:2\r\n:1700000000\r\n:0\r\n*3\r\n$3\r\nSET\r\n"));
    BOOST_TEST(bench.run("SLOWLOG GET 1").rfind("*1\r\n*6\r\n:9\r\n", 0) == 0U);
    play(bench,
         {
             {"SLOWLOG GET -2", "-ERR count should be greater than or equal to -1\r\n"},
             {"SLOWLOG GET x", "-ERR count should be greater than or equal to -1\r\n"},
             {"SLOWLOG GET 1 2",
              "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG "
              "HELP.\r\n"},
             {"SLOWLOG NOPE", "-ERR unknown subcommand 'NOPE'. Try SLOWLOG HELP.\r\n"},
             {"CONFIG SET slowlog-max-len 2", "+OK\r\n"},
             {"SLOWLOG LEN", ":2\r\n"},
             {"CONFIG SET slowlog-log-slower-than -1", "+OK\r\n"},
             {"SLOWLOG RESET", "+OK\r\n"},
             {"PING", "+PONG\r\n"},
             {"SLOWLOG GET", "*0\r\n"},
             {"CONFIG SET slowlog-log-slower-than -2",
              "-ERR CONFIG SET failed (possibly related to argument 'slowlog-log-slower-than') - "
              "argument must be between -1 and 9223372036854775807 inclusive\r\n"},
             {"CONFIG SET slowlog-max-len -1",
              "-ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - argument "
              "must be between 0 and 9223372036854775807 inclusive\r\n"},
             {"CONFIG SET slowlog-max-len x",
              "-ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - argument "
              "couldn't be parsed into an integer\r\n"},
         });
}

BOOST_AUTO_TEST_CASE(monitors_see_what_others_run) {
    CommandBench bench;
    BOOST_TEST(bench.run("MONITOR") == "+OK\r\n");
    BOOST_TEST(bench.pushed.empty());
    const std::string head = "+1700000000.000000 [0 127.0.0.1:50002] ";
    const auto shown = [&](const std::string& line) {
        bench.pushed.clear();
        bench.run_other(line);
        return bench.pushed[1];
    };
    BOOST_TEST(shown("set k \"a \\\"b\\\\ \\x00\\xff\\n\"") ==
               head + "\"set\" \"k\" \"a \\\"b\\\\ \\x00\\xff\\n\"\r\n");
    BOOST_TEST(shown("GET") == "");
    BOOST_TEST(shown("NOSUCH") == "");
    BOOST_TEST(shown("CONFIG GET x") == "");
    BOOST_TEST(shown("CLIENT LIST") == "");
    BOOST_TEST(shown("CLIENT SETNAME me") == head + "\"CLIENT\" \"SETNAME\" \"me\"\r\n");
    BOOST_TEST(shown("AUTH a b") == head + "\"AUTH\" \"(redacted)\" \"(redacted)\"\r\n");
    BOOST_TEST(shown("MULTI") == head + "\"MULTI\"\r\n");
    BOOST_TEST(shown("INCR n") == "");
    BOOST_TEST(shown("EXEC") == head + "\"INCR\" \"n\"\r\n" + head + "\"EXEC\"\r\n");
    BOOST_TEST(bench.run("GET k") == "-ERR Replica can't interact with the keyspace\r\n");
    BOOST_TEST(holds(bench.run("CLIENT INFO"), " flags=O "));
    bench.pushed.clear();
    BOOST_TEST(bench.run("PING") == "+PONG\r\n");
    BOOST_TEST(bench.pushed[1] == "+1700000000.000000 [0 127.0.0.1:50001] \"PING\"\r\n");
    bench.run("RESET");
    BOOST_TEST(shown("PING") == "");
    bench.run("MULTI");
    bench.run("MONITOR");
    BOOST_TEST(bench.run("EXEC") ==
               "*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n");
    BOOST_TEST(shown("PING") == "");
}

BOOST_AUTO_TEST_CASE(info_tells_how_often_and_how_long) {
    CommandBench bench;
    bench.run("SET k v");
    bench.run("SET k w");
    bench.run("GET");
    bench.run("LPUSH k x");
    bench.run("CLIENT ID");
    bench.run("NOSUCH");
    bench.run("MULTI");
    bench.run("INCR k");
    bench.run("EXEC");
    const std::string commands = bench.run("INFO commandstats");
    for (const char* const line : {
             "cmdstat_set:calls=2,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0\r\n",
             "cmdstat_get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n",
             "cmdstat_lpush:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1\r\n",
             "cmdstat_client|id:calls=1,",
             "cmdstat_incr:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1\r\n",
             "cmdstat_exec:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0\r\n",
         }) {
        BOOST_TEST_CONTEXT(line) {
            BOOST_TEST(holds(commands, line));
        }
    }
    const std::string errors = bench.run("INFO errorstats");
    BOOST_TEST(holds(errors, "errorstat_ERR:count=3\r\n"));
    BOOST_TEST(holds(errors, "errorstat_WRONGTYPE:count=1\r\n"));
    const std::string latency = bench.run("INFO latencystats");
    BOOST_TEST(holds(latency, "latency_percentiles_usec_set:p50=0.000,p99=0.000,p99.9=0.000\r\n"));
    BOOST_TEST(!holds(latency, "usec_get:"));
    const std::string usual = bench.run("INFO");
    BOOST_TEST(holds(usual, "# Errorstats"));
    BOOST_TEST(!holds(usual, "cmdstat_"));
    BOOST_TEST(holds(bench.run("INFO everything"), "cmdstat_set:"));
    bench.run("CONFIG RESETSTAT");
    BOOST_TEST(!holds(bench.run("INFO commandstats"), "cmdstat_set:"));
    BOOST_TEST(!holds(bench.run("INFO errorstats"), "errorstat_"));
}

BOOST_AUTO_TEST_CASE(latency_tells_what_took_long) {
    CommandBench bench;
    LatencyMonitor& latency = bench.observation().latency;
    play(bench, {
                    {"LATENCY LATEST", "*0\r\n"},
                    {"LATENCY HISTORY command", "*0\r\n"},
                    {"LATENCY RESET", ":0\r\n"},
                    {"LATENCY HISTOGRAM nope", "*0\r\n"},
                    {"LATENCY HISTORY",
                     "-ERR wrong number of arguments for 'latency|history' command\r\n"},
                    {"LATENCY NOPE", "-ERR unknown subcommand 'NOPE'. Try LATENCY HELP.\r\n"},
                });
    latency.note("command", 1000, 1);
    BOOST_TEST(latency.events().empty());
    BOOST_TEST(bench.run("CONFIG SET latency-monitor-threshold 100") == "+OK\r\n");
    BOOST_TEST(holds(bench.run("LATENCY DOCTOR"), "Nothing took 100 ms or longer."));
    latency.note("command", 99, 1);
    latency.note("command", 100, 1);
    latency.note("command", 300, 1);
    latency.note("command", 200, 3);
    latency.note("turn", 150, 5);
    BOOST_TEST(
        bench.run("LATENCY LATEST") ==
        "*2\r\n*4\r\n$7\r\ncommand\r\n:3\r\n:200\r\n:300\r\n*4\r\n$4\r\nturn\r\n:5\r\n:150\r\n"
        ":150\r\n");
    BOOST_TEST(bench.run("LATENCY HISTORY command") ==
               "*2\r\n*2\r\n:1\r\n:300\r\n*2\r\n:3\r\n:200\r\n");
    BOOST_TEST(
        holds(bench.run("LATENCY DOCTOR"), "command: 2 in 3 s, on average 250 ms, at most 300 ms"));
    for (std::uint64_t second = 10; second < 400; ++second) latency.note("turn", 100, second);
    BOOST_TEST(latency.events().find("turn")->second.samples.size() == 160U);
    BOOST_TEST(bench.run("LATENCY RESET command nope") == ":1\r\n");
    BOOST_TEST(bench.run("LATENCY RESET") == ":1\r\n");
    bench.run("SET k v");
    bench.client.protocol = 3;
    BOOST_TEST(bench.run("LATENCY HISTOGRAM set nope") ==
               "%1\r\n$3\r\nset\r\n%2\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n%1\r\n:1\r\n"
               ":1\r\n");
    bench.run("GET k");
    const std::string two = bench.run("LATENCY HISTOGRAM set get nope");
    BOOST_TEST(two.find("$3\r\nset\r\n") < two.find("$3\r\nget\r\n"));
    BOOST_TEST(two.rfind("%2\r\n", 0) == 0U);
    BOOST_TEST(bench.run("LATENCY HISTOGRAM config").rfind("%1\r\n$10\r\nconfig|set\r\n", 0) == 0U);
    BOOST_TEST(lines_count(bench.run("LATENCY HISTOGRAM")) > 20U);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
