#include "net/server.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/net/running_server.hpp"

namespace syncline {
namespace {

/// The root of the hash tree, as CRDT.CLOCK shows it.
std::string root_of(RunningServer& server) {
    const Result<RespValue> clock = server.connect().command({"CRDT.CLOCK"});
    BOOST_REQUIRE(clock);
    for (std::size_t i = 0; i + 1 < clock->elements.size(); i += 2) {
        if (clock->elements[i].text == "root") return clock->elements[i + 1].text;
    }
    return "none";
}

std::string refusal(const ServerOptions& options) {
    const Result<void> checked = check(options);
    return checked ? "" : checked.error().message;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(server, Scratch)

BOOST_AUTO_TEST_CASE(replies_come_in_order_of_the_requests) {
    RunningServer server(lone("a"));
    RespClient client = server.connect();
    for (int i = 0; i < 5000; ++i) {
        client.queue({"INCR", "n"});
        client.queue({"PING", std::to_string(i)});
        client.queue({"GET", "none"});
        client.queue({"NOSUCH"});
    }
    for (int i = 0; i < 5000; ++i) {
        BOOST_REQUIRE_EQUAL(client.receive()->integer, i + 1);
        BOOST_REQUIRE_EQUAL(client.receive()->text, std::to_string(i));
        BOOST_REQUIRE(client.receive()->is_null());
        BOOST_REQUIRE(client.receive()->is_error());
    }
    BOOST_TEST(server.stop().has_value());
}

BOOST_AUTO_TEST_CASE(inline_commands_and_protocol_errors) {
    RunningServer server(lone("a"));
    RespClient client = server.connect();
    client.queue_raw("PING\r\n\r\nSET \"a b\" 1\r\nget \"a b\"\r\n*1\r\n$4\r\nPINGx");
    BOOST_TEST(client.receive()->text == "PONG");
    BOOST_TEST(client.receive()->text == "OK");
    BOOST_TEST(client.receive()->text == "1");
    client.queue_raw("\n*1\r\n!4\r\nPING\r\n");
    while (
        true) {  // whatever the damaged bytes were worth, the last word is an error, then the end
        const Result<RespValue> reply = client.receive();
        if (!reply) break;
        if (reply->is_error()) BOOST_TEST(reply->text.rfind("ERR Protocol error", 0) == 0U);
    }
    BOOST_TEST(server.ask({"PING"}) == "PONG");
}

BOOST_AUTO_TEST_CASE(quit_replies_and_ends) {
    RunningServer server(lone("a"));
    RespClient client = server.connect();
    client.queue({"SET", "a", "1"});
    client.queue({"QUIT"});
    client.queue({"SET", "a", "2"});
    BOOST_TEST(client.receive()->text == "OK");
    BOOST_TEST(client.receive()->text == "OK");
    BOOST_TEST(!client.receive());
    BOOST_TEST(server.ask({"GET", "a"}) == "\"1\"");
}

BOOST_AUTO_TEST_CASE(shutdown_ends_the_connection_and_the_server) {
    {
        RunningServer server(lone("a"));
        RespClient client = server.connect();
        const auto reply_to = [&](const std::vector<Bytes>& arguments) {
            const Result<RespValue> reply = client.command(arguments);
            return reply ? to_string(*reply) : "no reply";
        };
        BOOST_TEST(reply_to({"SHUTDOWN", "later"}) == "(error) ERR syntax error");
        BOOST_TEST(reply_to({"SHUTDOWN", "SAVE", "nosave"}) == "(error) ERR syntax error");
        BOOST_TEST(reply_to({"SHUTDOWN", "abort", "now"}) == "(error) ERR syntax error");
        BOOST_TEST(reply_to({"SHUTDOWN", "abort"}) == "(error) ERR No shutdown in progress.");
        BOOST_TEST(reply_to({"SET", "k", "v"}) == "OK");
        BOOST_TEST(reply_to({"SHUTDOWN", "NOSAVE"}) == "no reply");
        BOOST_TEST(server.wait_for_end().has_value());
    }
    RunningServer server(lone("a"));
    BOOST_TEST(server.ask({"GET", "k"}) == "\"v\"");
}

BOOST_AUTO_TEST_CASE(a_restart_keeps_the_data) {
    {
        RunningServer server(lone("a"));
        RespClient client = server.connect();
        for (int i = 0; i < 1000; ++i) client.queue({"SET", "key" + std::to_string(i), "v"});
        for (int i = 0; i < 1000; ++i) BOOST_REQUIRE_EQUAL(client.receive()->text, "OK");
        BOOST_TEST(server.stop().has_value());
    }
    RunningServer server(lone("a"));
    BOOST_TEST(server.ask({"DBSIZE"}) == "(integer) 1000");
    BOOST_TEST(server.ask({"GET", "key999"}) == "\"v\"");
}

BOOST_AUTO_TEST_CASE(a_second_process_is_kept_out) {
    RunningServer server(lone("a"));
    SystemClock clock;
    SystemRandom random;
    const auto second = Server::create(lone("a"), Env{clock, random});
    BOOST_REQUIRE(!second);
    BOOST_TEST((second.error().code == Code::locked));
}

BOOST_AUTO_TEST_CASE(large_replies_reach_slow_readers) {
    RunningServer server(lone("a"));
    RespClient client = server.connect();
    const Bytes value(1 << 20, 'v');
    BOOST_TEST(client.command({"SET", "big", value})->text == "OK");
    for (int i = 0; i < 64; ++i) client.queue({"GET", "big"});  // far above the pause
    BOOST_REQUIRE(client.flush());
    BOOST_TEST(server.ask({"PING"}) == "PONG");  // others are served meanwhile
    for (int i = 0; i < 64; ++i) BOOST_REQUIRE_EQUAL(client.receive()->text.size(), value.size());
}

BOOST_AUTO_TEST_CASE(three_replicas_converge) {
    ServerOptions first = member("a", {});
    RunningServer a(first);
    RunningServer b(member("b", {a.peer_port()}));
    RunningServer c(member("c", {a.peer_port(), b.peer_port()}));
    BOOST_REQUIRE_EQUAL(b.wait_for({"DBSIZE"}, "(integer) 0"), "(integer) 0");
    BOOST_REQUIRE_EQUAL(c.wait_for({"DBSIZE"}, "(integer) 0"), "(integer) 0");
    for (RunningServer* const server : {&a, &b, &c}) {
        BOOST_TEST(server->ask({"INCR", "visits"}).rfind("(integer)", 0) == 0U);
        BOOST_TEST(server->ask({"SADD", "team", std::to_string(server->port())}) == "(integer) 1");
    }
    for (RunningServer* const server : {&a, &b, &c}) {
        BOOST_TEST(server->wait_for({"GET", "visits"}, "\"3\"") == "\"3\"");
        BOOST_TEST(server->wait_for({"SCARD", "team"}, "(integer) 3") == "(integer) 3");
    }
    BOOST_TEST(root_of(a) == root_of(b));
    BOOST_TEST(root_of(a) == root_of(c));
    for (RunningServer* const server : {&a, &b, &c}) BOOST_TEST(server->stop().has_value());
}

BOOST_AUTO_TEST_CASE(a_cut_link_stays_cut_until_it_is_allowed_again) {
    RunningServer a(member("a", {}));
    RunningServer b(member("b", {a.peer_port()}));
    BOOST_REQUIRE_EQUAL(b.wait_for({"DBSIZE"}, "(integer) 0"), "(integer) 0");
    BOOST_TEST(b.wait_for({"CRDT.LINK", "a", "down"}, "OK") == "OK");
    BOOST_TEST(a.ask({"INCRBY", "n", "10"}) == "(integer) 10");
    BOOST_TEST(b.ask({"INCRBY", "n", "1"}) == "(integer) 1");
    BOOST_TEST(b.ask({"CRDT.SYNC", "a"}) == "(error) ERR the peer is not connected");
    BOOST_TEST(a.ask({"GET", "n"}) == "\"10\"");
    BOOST_TEST(b.ask({"GET", "n"}) == "\"1\"");
    BOOST_TEST(b.ask({"CRDT.LINK", "nobody", "up"}).rfind("(error)", 0) == 0U);
    BOOST_TEST(b.ask({"CRDT.LINK", "a", "up"}) == "OK");
    for (RunningServer* const server : {&a, &b}) {
        BOOST_TEST(server->wait_for({"GET", "n"}, "\"11\"") == "\"11\"");
    }
    BOOST_TEST(root_of(a) == root_of(b));
}

BOOST_AUTO_TEST_CASE(a_stranger_is_refused) {
    RunningServer a(member("a", {}));
    RunningServer stranger(member("b", {a.peer_port()}, "another secret!!"));
    BOOST_TEST(stranger.ask({"SET", "a", "1"}) ==
               "(error) LOADING Syncline is waiting to join its cluster");
    RunningServer friendly(member("c", {a.peer_port()}));
    BOOST_TEST(friendly.wait_for({"DBSIZE"}, "(integer) 0") == "(integer) 0");
    BOOST_TEST(stranger.ask({"DBSIZE"}).rfind("(error) LOADING", 0) == 0U);
}

BOOST_AUTO_TEST_CASE(clusters_do_not_mix) {
    ServerOptions first = member("a", {});
    RunningServer a(first);
    ServerOptions other = member("b", {a.peer_port()});
    other.init = true;  // founds one of its own
    RunningServer b(other);
    RunningServer c(member("c", {a.peer_port()}));
    BOOST_TEST(a.ask({"SET", "k", "a"}) == "OK");
    BOOST_TEST(c.wait_for({"GET", "k"}, "\"a\"") == "\"a\"");  // time enough for b
    BOOST_TEST(b.ask({"GET", "k"}) == "(nil)");
}

BOOST_AUTO_TEST_CASE(both_sides_may_dial) {
    // A port that is free now, so that each can name the other before it is there.
    const std::uint16_t port = RunningServer(member("x", {})).peer_port();
    ServerOptions first = member("a", {});
    first.peer_port = port;
    RunningServer b(member("b", {port}));
    first.peers = {{"127.0.0.1", b.peer_port()}};
    first.init = true;
    RunningServer a(first);
    BOOST_REQUIRE_EQUAL(b.wait_for({"DBSIZE"}, "(integer) 0"), "(integer) 0");
    for (int i = 0; i < 20; ++i) {
        const std::string value = "\"" + std::to_string(i) + "\"";
        BOOST_TEST(a.ask({"SET", "k", std::to_string(i)}) == "OK");
        BOOST_TEST(b.wait_for({"GET", "k"}, value) == value);
    }
}

BOOST_AUTO_TEST_CASE(dangerous_options_are_refused_with_a_reason) {
    ServerOptions options = lone("a");
    BOOST_TEST(refusal(options).empty());
    options.bind = "0.0.0.0";
    BOOST_TEST(refusal(options).find("--protected-mode no") != std::string::npos);
    options.protected_mode = false;
    BOOST_TEST(refusal(options).empty());
    options = lone("a");
    options.peers = {{"127.0.0.1", 7380}};
    BOOST_TEST(refusal(options).find("--peer-secret-file") != std::string::npos);
    options = lone("a");
    options.peer_port = 7380;
    BOOST_TEST(refusal(options).find("--peer-secret-file") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
