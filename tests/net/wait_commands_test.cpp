// Waiting for other replicas: WAIT, causal tokens, and connections that demand one.
#include <boost/test/unit_test.hpp>

#include "tests/net/command_bench.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(wait_commands)
namespace {

const Uuid cluster = [] {
    Uuid uuid;
    uuid.bytes.fill(9);
    return uuid;
}();

VersionVector some_vv() {
    VersionVector vv;
    vv.add(Dot{Actor{1, 1}, 1000});
    vv.add(Dot{Actor{0xffffffff, 3}, 7});
    return vv;
}

/// The token of `bench`, and `more` transactions of an actor that nobody has heard of.
Bytes token_of_future(CommandBench& bench, std::uint64_t more) {
    VersionVector vv = bench.replica()->group().vv();
    vv.add(Dot{Actor{77, 1}, more});
    return bench.make_token(vv);
}

/// A transaction of that actor comes.
void bring_future(CommandBench& bench, std::uint64_t counter) {
    Event event;
    event.dot = Dot{Actor{77, 1}, counter};
    if (counter > 1) event.past.add(Dot{Actor{77, 1}, counter - 1});
    event.hlc = Hlc::at_ms(bench.clock.now_ms);
    BOOST_REQUIRE(bench.replica()->group().apply(event, 0).has_value());
}

BOOST_AUTO_TEST_CASE(a_token_comes_back_as_it_was_made) {
    const CausalTokens tokens(Secret(Bytes(32, 'a')));
    for (const VersionVector& vv : {VersionVector(), some_vv()}) {
        const Bytes token = tokens.make(cluster, vv);
        BOOST_TEST(token.size() <= 2 * (17 + 1 + 15 * 2));
        const Result<VersionVector> read = tokens.read(cluster, token);
        BOOST_REQUIRE(read.has_value());
        BOOST_TEST((*read == vv));
    }
}

BOOST_AUTO_TEST_CASE(a_token_that_was_changed_or_made_elsewhere_is_refused) {
    const CausalTokens tokens(Secret(Bytes(32, 'a')));
    const Bytes token = tokens.make(cluster, some_vv());
    const auto refused = [&](const CausalTokens& by, const Uuid& where, const Bytes& text) {
        const Result<VersionVector> read = by.read(where, text);
        return !read && read.error().code == Code::unauthorized;
    };
    for (std::size_t i = 0; i < token.size(); ++i) {
        Bytes changed = token;
        changed[i] = changed[i] == '0' ? '1' : '0';
        BOOST_TEST(refused(tokens, cluster, changed));
        BOOST_TEST(refused(tokens, cluster, token.substr(0, i)));
    }
    BOOST_TEST(refused(tokens, cluster, token + "00"));
    BOOST_TEST(refused(tokens, cluster, "no token"));
    BOOST_TEST(refused(CausalTokens(Secret(Bytes(32, 'b'))), cluster, token));
    BOOST_TEST(refused(tokens, Uuid{}, token));
}

BOOST_AUTO_TEST_CASE(wait_counts_peers_and_gives_up_in_time) {
    CommandBench bench;
    BOOST_TEST(bench.run("WAIT 0 0") == ":0\r\n");
    BOOST_TEST(bench.run("SET k v") == "+OK\r\n");
    BOOST_TEST(bench.client.written.counter > 0U);
    BOOST_TEST(bench.run("GET k") == "$1\r\nv\r\n");  // reads do not count as writes
    const Dot written = bench.client.written;
    BOOST_TEST((bench.client.written == written));

    BOOST_TEST(bench.run("WAIT 1 100") == "");
    BOOST_TEST(bench.client.parked);
    bench.clock.now_ms += 99;
    BOOST_TEST(bench.resume() == "");
    bench.clock.now_ms += 1;
    BOOST_TEST(bench.resume() == ":0\r\n");
    BOOST_TEST(!bench.client.parked);

    BOOST_TEST(bench.run("MULTI") == "+OK\r\n");
    BOOST_TEST(bench.run("WAIT 1 0") == "+QUEUED\r\n");
    BOOST_TEST(bench.run("EXEC") == "*1\r\n:0\r\n");

    BOOST_TEST(bench.run("WAIT x 1") == "-ERR value is not an integer or out of range\r\n");
    BOOST_TEST(bench.run("WAIT 1 x") == "-ERR timeout is not an integer or out of range\r\n");
    BOOST_TEST(bench.run("WAIT 1 -1") == "-ERR timeout is negative\r\n");
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_token_goes_on_when_its_transactions_have_come) {
    CommandBench bench;
    bench.run("SET k v");
    const Bytes own = bench.make_token(bench.replica()->group().vv());
    BOOST_TEST(bench.run("CRDT.TOKEN") == "$" + std::to_string(own.size()) + "\r\n" + own + "\r\n");
    BOOST_TEST(bench.run({"CRDT.WAIT", own}) == "+OK\r\n");

    const Bytes future = token_of_future(bench, 2);
    BOOST_TEST(bench.run({"CRDT.WAIT", future, "50"}) == "");
    bench.clock.now_ms += 50;
    BOOST_TEST(bench.resume() == "-TIMEOUT this replica lacks 2 transactions of the token\r\n");

    BOOST_TEST(bench.run({"CRDT.WAIT", future, "0"}) == "");
    bench.clock.now_ms += 1'000'000;
    bring_future(bench, 1);
    BOOST_TEST(bench.resume() == "");
    bring_future(bench, 2);
    BOOST_TEST(bench.resume() == "+OK\r\n");

    BOOST_TEST(bench.run("CRDT.WAIT ff") ==
               "-ERR the token is damaged, or of another cluster or secret\r\n");
    BOOST_TEST(bench.run({"CRDT.WAIT", own, "-1"}) == "-ERR timeout is negative\r\n");
    BOOST_TEST(bench.run({"CRDT.WAIT", own, "1", "2"}) == "-ERR syntax error\r\n");
}

BOOST_AUTO_TEST_CASE(a_connection_that_demands_a_token_reads_nothing_older) {
    CommandBench bench;
    bench.run("SET k v");
    const Bytes future = token_of_future(bench, 1);
    BOOST_TEST(bench.run({"CRDT.DEMAND", future, "20"}) == "+OK\r\n");
    BOOST_TEST(bench.run("PING") == "+PONG\r\n");  // needs no data
    BOOST_TEST(bench.run("GET k") == "");
    bench.clock.now_ms += 20;
    BOOST_TEST(bench.resume() == "-TIMEOUT this replica lacks 1 transactions of the token\r\n");
    BOOST_TEST(bench.run("MULTI") == "+OK\r\n");
    BOOST_TEST(bench.run("GET k") == "+QUEUED\r\n");
    BOOST_TEST(bench.run("EXEC") == "");  // still
    bring_future(bench, 1);
    BOOST_TEST(bench.resume() == "*1\r\n$1\r\nv\r\n");
    BOOST_TEST(bench.run("GET k") == "$1\r\nv\r\n");
    BOOST_TEST(!bench.client.demand.has_value());  // once met, for ever met

    BOOST_TEST(bench.run({"CRDT.DEMAND", token_of_future(bench, 5)}) == "+OK\r\n");
    BOOST_TEST(bench.run("CRDT.DEMAND OFF") == "+OK\r\n");
    BOOST_TEST(bench.run("GET k") == "$1\r\nv\r\n");
    bench.run({"CRDT.DEMAND", token_of_future(bench, 5)});
    BOOST_TEST(bench.run("RESET") == "+RESET\r\n");
    BOOST_TEST(bench.run("GET k") == "$1\r\nv\r\n");
    bench.take_replica_away();
    BOOST_TEST(bench.run("CRDT.DEMAND ff").starts_with("-LOADING"));
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
