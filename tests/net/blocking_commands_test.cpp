// Pops that wait, and WATCH: what both want to hear of keys.
#include <boost/test/unit_test.hpp>

#include "tests/net/command_bench.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(blocking)
namespace {

std::string pair_of(const std::string& key, const std::string& value) {
    const auto bulk = [](const std::string& text) {
        return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
    };
    return "*2\r\n" + bulk(key) + bulk(value);
}

BOOST_AUTO_TEST_CASE(what_is_there_is_popped_at_once) {
    CommandBench bench;
    bench.run("RPUSH b 1 2 3 4");
    BOOST_TEST(bench.run("BLPOP a b 0") == pair_of("b", "1"));
    BOOST_TEST(bench.run("BRPOP b a 0.01") == pair_of("b", "4"));
    BOOST_TEST(bench.run("BLMPOP 1 2 a b LEFT COUNT 9") ==
               "*2\r\n$1\r\nb\r\n*2\r\n$1\r\n2\r\n$1\r\n3\r\n");
    bench.run("ZADD z 1 one 2 two 3 three");
    BOOST_TEST(bench.run("BZPOPMIN z 0") == "*3\r\n$1\r\nz\r\n$3\r\none\r\n$1\r\n1\r\n");
    BOOST_TEST(bench.run("BZPOPMAX z 0") == "*3\r\n$1\r\nz\r\n$5\r\nthree\r\n$1\r\n3\r\n");
    BOOST_TEST(bench.run("BZMPOP 0 1 z MAX") ==
               "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$3\r\ntwo\r\n$1\r\n2\r\n");
    BOOST_TEST(!bench.client.parked);
}

BOOST_AUTO_TEST_CASE(who_waits_is_served_by_a_push_and_in_the_order_of_coming) {
    CommandBench bench;
    BOOST_TEST(bench.run("BLPOP list other 0") == "");
    BOOST_TEST(bench.client.parked);
    BOOST_TEST(bench.run_other("SET unrelated 1") == "+OK\r\n");
    BOOST_TEST(bench.client.parked);
    bench.run_other("RPUSH list x y");
    BOOST_TEST(bench.reply_to(bench.other) == ":2\r\n");
    BOOST_TEST(bench.reply_to(bench.client) == pair_of("list", "x"));
    BOOST_TEST(!bench.client.parked);
    BOOST_TEST(bench.run("LRANGE list 0 -1") == "*1\r\n$1\r\ny\r\n");

    ClientState third;
    third.order.id = 3;
    bench.run("DEL list");
    bench.run("BRPOP list 0");
    BOOST_TEST(bench.run_as(third, {"BLPOP", "list", "0"}) == "");
    BOOST_TEST(bench.run_other("INFO clients").find("blocked_clients:2") != std::string::npos);
    bench.run_other("RPUSH list a b c");
    BOOST_TEST(bench.reply_to(bench.client) == pair_of("list", "c"));
    BOOST_TEST(bench.reply_to(third) == pair_of("list", "a"));
    BOOST_TEST(bench.run("LLEN list") == ":1\r\n");
}

BOOST_AUTO_TEST_CASE(an_element_moves_on_through_those_who_wait) {
    CommandBench bench;
    ClientState third;
    third.order.id = 3;
    BOOST_TEST(bench.run("BLMOVE one two LEFT RIGHT 0") == "");
    BOOST_TEST(bench.run_as(third, {"BRPOPLPUSH", "two", "three", "0"}) == "");
    bench.run_other("RPUSH one x");
    BOOST_TEST(bench.reply_to(bench.client) == "$1\r\nx\r\n");
    BOOST_TEST(bench.reply_to(third) == "$1\r\nx\r\n");
    BOOST_TEST(bench.run("LRANGE three 0 -1") == "*1\r\n$1\r\nx\r\n");
    BOOST_TEST(bench.run("EXISTS one two") == ":0\r\n");

    BOOST_TEST(bench.run("BLMOVE one wrong LEFT RIGHT 0") == "");
    bench.run_other("SET wrong text");
    BOOST_TEST(bench.client.parked);
    bench.run_other("RPUSH one x");
    BOOST_TEST(bench.reply_to(bench.client).starts_with("-WRONGTYPE"));
    BOOST_TEST(bench.run("LLEN one") == ":1\r\n");  // it stays where it was
}

BOOST_AUTO_TEST_CASE(what_is_gone_before_the_transaction_ends_serves_nobody) {
    CommandBench bench;
    bench.run("BLPOP list 0");
    bench.run_other("MULTI");
    bench.run_other("RPUSH list a");
    bench.run_other("DEL list");
    bench.run_other("SET list text");
    bench.run_other("EXEC");
    BOOST_TEST(bench.client.parked);
    BOOST_TEST(bench.reply_to(bench.client) == "");
    bench.run_other("DEL list");
    bench.run_other("MULTI");
    bench.run_other("RPUSH list a");
    bench.run_other("RPUSH list b");
    bench.run_other("LPUSH list c");
    bench.run_other("EXEC");
    BOOST_TEST(bench.reply_to(bench.client) == pair_of("list", "c"));
    BOOST_TEST(bench.run("MULTI") == "+OK\r\n");
    bench.run("BLPOP none 0");
    bench.run("BLMOVE none list LEFT LEFT 0");
    BOOST_TEST(bench.run("EXEC") == "*2\r\n*-1\r\n$-1\r\n");
}

BOOST_AUTO_TEST_CASE(a_wait_ends_in_time_or_when_somebody_ends_it) {
    CommandBench bench;
    bench.run("BZPOPMIN z 0.0501");
    BOOST_TEST(bench.pass(50) == "");
    BOOST_TEST(bench.pass(1) == "*-1\r\n");
    BOOST_TEST(!bench.client.parked);
    bench.run("BLPOP list 0");
    BOOST_TEST(bench.pass(1'000'000'000) == "");
    BOOST_TEST(bench.run_other("CLIENT UNBLOCK 9") == ":0\r\n");
    BOOST_TEST(bench.run_other("CLIENT UNBLOCK 1 maybe").starts_with("-ERR CLIENT UNBLOCK"));
    bench.run_other("CLIENT UNBLOCK 1");
    BOOST_TEST(bench.reply_to(bench.other) == ":1\r\n");
    BOOST_TEST(bench.reply_to(bench.client) == "*-1\r\n");
    bench.run("BLPOP list 0");
    bench.run_other("CLIENT UNBLOCK 1 ERROR");
    BOOST_TEST(bench.reply_to(bench.client) ==
               "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    BOOST_TEST(bench.run_other("CLIENT UNBLOCK 1") == ":0\r\n");
    bench.run_other("RPUSH list a");
    BOOST_TEST(bench.reply_to(bench.client) == "");
}

BOOST_AUTO_TEST_CASE(wrong_requests_are_told_apart) {
    CommandBench bench;
    BOOST_TEST(bench.run("BLPOP l x") == "-ERR timeout is not a float or out of range\r\n");
    BOOST_TEST(bench.run("BLPOP l -1") == "-ERR timeout is negative\r\n");
    BOOST_TEST(bench.run("BLPOP l 1e300") == "-ERR timeout is out of range\r\n");
    BOOST_TEST(bench.run("BLMPOP 0 0 l LEFT") == "-ERR numkeys should be greater than 0\r\n");
    BOOST_TEST(bench.run("BLMPOP 0 2 l LEFT") == "-ERR syntax error\r\n");
    BOOST_TEST(bench.run("BLMPOP 0 1 l MIN") == "-ERR syntax error\r\n");
    BOOST_TEST(bench.run("BZMPOP 0 1 l MIN COUNT 0") == "-ERR count should be greater than 0\r\n");
    bench.run("SET l text");
    BOOST_TEST(bench.run("BLPOP l 0").starts_with("-WRONGTYPE"));
    BOOST_TEST(!bench.client.parked);
}

BOOST_AUTO_TEST_CASE(a_watched_key_that_changes_costs_the_transaction) {
    CommandBench bench;
    const auto transaction = [&]() {
        bench.run("MULTI");
        bench.run("PING");
        return bench.run("EXEC");
    };
    const std::string runs = "*1\r\n+PONG\r\n";
    bench.run("SET k 1");
    BOOST_TEST(bench.run("WATCH k l") == "+OK\r\n");
    bench.run_other("GET k");
    BOOST_TEST(transaction() == runs);
    bench.run_other("SET k 2");  // watched no more
    BOOST_TEST(transaction() == runs);
    for (const char* const change : {"SET k 2", "RPUSH l a", "INCR k", "DEL k", "FLUSHALL"}) {
        bench.run("SET k 1");
        bench.run("DEL l");
        bench.run("WATCH k l");
        bench.run_other(change);
        BOOST_TEST(transaction() == "*-1\r\n");
        BOOST_TEST(transaction() == runs);
    }
    bench.run("SET k 1");
    bench.run("WATCH k");
    bench.run("SET k 2");  // by itself
    BOOST_TEST(bench.run("UNWATCH") == "+OK\r\n");
    BOOST_TEST(transaction() == runs);
    bench.run("WATCH k");
    bench.run_other("SET k 3");
    bench.run("MULTI");
    BOOST_TEST(bench.run("WATCH k") == "-ERR WATCH inside MULTI is not allowed\r\n");
    BOOST_TEST(bench.run("DISCARD") == "+OK\r\n");
    BOOST_TEST(transaction() == runs);
    // An EXEC that a subscriber may not run ends the watch, too.
    bench.run("WATCH k");
    bench.run("SUBSCRIBE channel");
    BOOST_TEST(bench.run("EXEC").starts_with("-EXECABORT"));
    BOOST_TEST(bench.client.watched.empty());
}

BOOST_AUTO_TEST_CASE(a_watched_key_that_was_not_there_is_not_changed_by_its_removal) {
    CommandBench bench;
    const auto transaction = [&]() {
        bench.run("MULTI");
        bench.run("PING");
        return bench.run("EXEC");
    };
    bench.run("SET other 1");
    bench.run("WATCH absent");
    bench.run_other("FLUSHALL");
    BOOST_TEST(transaction() == "*1\r\n+PONG\r\n");
    bench.run("SET k v PX 5");
    bench.run("WATCH k");
    bench.clock.now_ms += 10;
    BOOST_TEST(transaction() == "*-1\r\n");  // expired since
    bench.run("WATCH k");                    // expired before
    BOOST_TEST(transaction() == "*1\r\n+PONG\r\n");
}

BOOST_AUTO_TEST_CASE(a_client_that_is_forgotten_gets_nothing) {
    CommandBench bench;
    {
        ClientState gone;
        gone.order.id = 7;
        bench.run_as(gone, {"WATCH", "list"});
        bench.run_as(gone, {"BLPOP", "list", "1"});
        bench.forget(gone);
    }
    BOOST_TEST(bench.run("RPUSH list a") == ":1\r\n");
    BOOST_TEST(bench.pass(2000) == "");
    BOOST_TEST(bench.run("LLEN list") == ":1\r\n");
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
