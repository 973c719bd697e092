#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "net/http/connection.hpp"
#include "net/http/json.hpp"
#include "net/http/parser.hpp"
#include "net/http/web_files.hpp"
#include "tests/net/command_bench.hpp"
#include "tests/net/run_until.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(http)
namespace {

struct Parsed {
    std::vector<std::string> requests;  ///< "GET /path a=1 keep"
    int status = 0;                     ///< of the failure
};

std::string describe(const HttpRequest& request) {
    std::string text = request.method + " " + request.path;
    for (const auto& [name, value] : request.parameters) text += " " + name + "=" + value;
    return text + (request.keep_alive ? " keep" : " close");
}

/// Feeds the bytes in pieces of this size.
Parsed parse(BytesView bytes, std::size_t piece) {
    Parsed parsed;
    HttpParser parser;
    for (std::size_t i = 0; i < bytes.size(); i += piece) {
        parser.feed(bytes.substr(i, piece));
        while (const std::optional<HttpRequest> request = parser.next()) {
            parsed.requests.push_back(describe(*request));
        }
    }
    if (parser.failure()) parsed.status = parser.failure()->status;
    return parsed;
}

int failure_of(BytesView bytes) {
    const int whole = parse(bytes, bytes.size()).status;
    BOOST_TEST(parse(bytes, 1).status == whole);
    return whole;
}

std::string get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

bool decodes(const std::string& target) {
    HttpRequest request;
    return parse_target(target, request);
}

/// A connection whose requests are kept, and a client of it.
struct HttpFixture : HttpOwner {
    HttpFixture() {
        listener = TcpListener::listen(*loop, {"127.0.0.1", 0}, [this](auto accepted) {
                       connection = std::make_unique<HttpConnection>(*this, 1, std::move(accepted),
                                                                     loop->now_ms());
                       connection->start();
                   }).value();
        TcpConnector connector(*loop, {"127.0.0.1", listener->port()}, 10000,
                               [this](auto made) { client = std::move(made).value(); });
        BOOST_REQUIRE(run_until(*loop, [this] { return client && connection; }));
        client->start({.on_data = [this](BytesView bytes) { received += bytes; },
                       .on_close = [this](const auto&) { closed = true; }});
    }

    void on_request(HttpConnection& of, const HttpRequest& request) override {
        requests.push_back(describe(request));
        if (request.path == "/stream") {
            of.begin_stream();
        } else if (request.path != "/later") {
            of.respond({200, "text/plain", request.path});
        }
    }
    void on_over(HttpConnection&) override { over = true; }

    bool wait_for(const std::string& text) {
        return run_until(*loop, [&] { return received.find(text) != std::string::npos; });
    }

    std::unique_ptr<Loop> loop = std::move(Loop::create()).value();
    std::unique_ptr<TcpListener> listener;
    std::unique_ptr<HttpConnection> connection;
    std::unique_ptr<TcpConnection> client;
    std::vector<std::string> requests;
    std::string received;
    bool closed = false;
    bool over = false;
};

PeerCondition peer(const std::string& name) {
    PeerCondition condition;
    condition.name = name;
    condition.connected = true;
    condition.lags_ms = 0;
    condition.behind_ms = 0;
    return condition;
}

Condition well() {
    Condition condition;
    condition.has_data = true;
    condition.caught_up = true;
    condition.peers = {peer("b"), peer("c")};
    return condition;
}

/// "degraded link_cut:b"
std::string assessed(const Condition& condition) {
    const Health health = assess(condition);
    std::string text = status_name(health.status);
    for (const HealthReason& reason : health.reasons) {
        text += " " + reason.code + (reason.peer.empty() ? "" : ":" + reason.peer);
        BOOST_TEST(reason.text.back() == '.');
    }
    BOOST_TEST(health.ready() == (health.status != Health::Status::failing));
    return text;
}

Uuid uuid(std::uint8_t number) {
    Uuid made;
    made.bytes.fill(number);
    return made;
}

ReplicationTracker::Seen seen(std::uint8_t number, std::vector<std::uint64_t> counters,
                              std::uint64_t heard_ms, bool connected = true) {
    ReplicationTracker::Seen made;
    made.name = std::string(1, static_cast<char>('a' + number));
    made.uuid = uuid(number);
    for (std::size_t i = 0; i < counters.size(); ++i) {
        const Actor actor{node_id_of(uuid(static_cast<std::uint8_t>(i))), 1};
        if (counters[i] > 0) made.vv.add(Dot{actor, counters[i]});
    }
    made.connected = connected;
    made.heard_ms = heard_ms;
    return made;
}

}  // namespace

BOOST_AUTO_TEST_CASE(requests_come_whole_in_any_pieces) {
    const std::string bytes = get("/a?x=1&y=%00+%2B&z") + get("/b", "Connection: close\r\n");
    for (const std::size_t piece : {bytes.size(), std::size_t{1}, std::size_t{7}}) {
        const Parsed parsed = parse(bytes, piece);
        BOOST_REQUIRE_EQUAL(parsed.requests.size(), 2);
        BOOST_TEST(parsed.requests[0] ==
                   std::string("GET /a x=1 y=") + std::string("\0 +", 3) + " z= keep");
        BOOST_TEST(parsed.requests[1] == "GET /b close");
        BOOST_TEST(parsed.status == 0);
    }
    BOOST_TEST(parse("HEAD / HTTP/1.0\r\n\r\n", 1).requests.at(0) == "HEAD / close");
    BOOST_TEST(
        parse("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + get("/next"), 5).requests.at(1) ==
        "GET /next keep");
    BOOST_TEST(parse(get("/", "Upgrade: h2c\r\nConnection: Upgrade\r\n") + get("/next"), 3)
                   .requests.at(1) == "GET /next keep");
}

BOOST_AUTO_TEST_CASE(what_is_no_request_is_refused_with_a_status) {
    BOOST_TEST(failure_of("\x16\x03\x01 hello") == 400);
    BOOST_TEST(failure_of("*1\r\n$4\r\nPING\r\n") == 400);
    BOOST_TEST(failure_of("GET nowhere HTTP/1.1\r\n\r\n") == 400);
    BOOST_TEST(failure_of("GET http://elsewhere/ HTTP/1.1\r\n\r\n") == 400);
    BOOST_TEST(failure_of("GET /%zz? HTTP/1.1\r\n\r\n") == 0);  // escapes in paths mean nothing
    BOOST_TEST(failure_of("GET /?a=%zz HTTP/1.1\r\n\r\n") == 400);
    BOOST_TEST(failure_of("GET / HTTP/2.0\r\n\r\n") == 505);
    BOOST_TEST(failure_of("CONNECT a:1 HTTP/1.1\r\n\r\n") == 400);
    BOOST_TEST(failure_of("GET / HTTP/1.1\r\nno colon\r\n\r\n") == 400);
    BOOST_TEST(failure_of("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n") ==
               400);
    BOOST_TEST(failure_of("GET / HTTP/1.1\r\nContent-Length: 2000\r\n\r\n") == 413);
    BOOST_TEST(failure_of("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
                          std::string(2000, 'x')) == 413);
    BOOST_TEST(failure_of(get("/" + std::string(HttpParser::target_bytes_max, 'a'))) == 414);
    BOOST_TEST(failure_of(get(
                   "/", "A: " + std::string(HttpParser::header_bytes_max, 'a') + "\r\n")) == 431);
    std::string many;
    for (std::size_t i = 0; i <= HttpParser::headers_max; ++i) many += "A: b\r\n";
    BOOST_TEST(failure_of(get("/", many)) == 431);
    BOOST_TEST(failure_of("GET / HTTP/1.1\r\n" + std::string(100000, 'a')) == 431);
}

BOOST_AUTO_TEST_CASE(targets_are_paths_with_whole_escapes) {
    BOOST_TEST(decodes("/"));
    BOOST_TEST(decodes("/?&&a&=b&"));
    BOOST_TEST(!decodes(""));
    BOOST_TEST(!decodes("*"));
    BOOST_TEST(!decodes("/?a=%4"));
    BOOST_TEST(!decodes("/?%"));
}

BOOST_AUTO_TEST_CASE(who_asks_stands_in_a_header) {
    const auto login_of = [](std::string_view header) {
        const std::optional<HttpLogin> login = parse_basic(header);
        return login ? login->name + "/" + login->password : "none";
    };
    BOOST_TEST(login_of("Basic YW5uOnNlY3JldA==") == "ann/secret");
    BOOST_TEST(login_of("basic YW5uOg==") == "ann/");
    BOOST_TEST(login_of("Basic Og==") == "/");
    BOOST_TEST(login_of("Basic YTpiOmM=") == "a/b:c");
    for (const char* const header : {"", "Basic", "Basic ", "Basic YW5u", "Bearer YW5uOnNlY3JldA==",
                                     "Basic YW5uOnNlY3JldA", "Basic YW5u:===", "Basic ===="}) {
        BOOST_TEST(login_of(header) == "none", header);
    }
}

BOOST_AUTO_TEST_CASE(only_this_machine_is_a_host) {
    for (const char* const own : {"localhost", "LOCALHOST:7381", "127.0.0.1:1", "127.0.0.1",
                                  "[::1]:7381", "[::1]", "10.0.0.5:7381", "10.0.0.5"}) {
        BOOST_TEST(is_own_host(own, "10.0.0.5"), own);
    }
    for (const char* const foreign :
         {"", "evil.example", "evil.example:7381", "localhost.evil", "127.0.0.1.evil",
          "localhost:80@evil", "[::2]", ":80", "127.0.0.1:80:80", "[::1"}) {
        BOOST_TEST(!is_own_host(foreign, "10.0.0.5"), foreign);
    }
}

BOOST_FIXTURE_TEST_CASE(requests_sent_ahead_are_answered_in_order, HttpFixture) {
    client->send(get("/1") + get("/later") + get("/3", "Connection: close\r\n"));
    BOOST_REQUIRE(run_until(*loop, [this] { return requests.size() == 2; }));
    BOOST_TEST(wait_for("/1"));
    connection->respond({200, "text/plain", "the second"});
    BOOST_REQUIRE(run_until(*loop, [this] { return closed && over; }));
    BOOST_TEST(requests.size() == 3);
    BOOST_TEST(received.find("/1") < received.find("the second"));
    BOOST_TEST(received.find("the second") < received.find("/3"));
}

BOOST_FIXTURE_TEST_CASE(head_gets_the_length_and_no_body, HttpFixture) {
    client->send("HEAD /body HTTP/1.1\r\nConnection: close\r\n\r\n");
    BOOST_REQUIRE(run_until(*loop, [this] { return closed; }));
    BOOST_TEST(received.find("Content-Length: 5\r\n") != std::string::npos);
    BOOST_TEST(received.substr(received.size() - 4) == "\r\n\r\n");
}

BOOST_FIXTURE_TEST_CASE(garbage_gets_a_sentence_and_the_end, HttpFixture) {
    client->send("*1\r\n$4\r\nPING\r\n");
    BOOST_REQUIRE(run_until(*loop, [this] { return closed && over; }));
    BOOST_TEST(received.rfind("HTTP/1.1 400 Bad Request\r\n", 0) == 0);
    BOOST_TEST(requests.empty());
}

BOOST_FIXTURE_TEST_CASE(a_request_that_trickles_is_given_up, HttpFixture) {
    const std::uint64_t start_ms = loop->now_ms();
    client->send("GET / HT");
    connection->tick(start_ms);
    BOOST_REQUIRE(run_until(*loop, [this] { return connection->has_partial_request(); }));
    connection->tick(start_ms + HttpConnection::request_ms_max);
    client->send("TP/1.1\r\n");
    loop->run_once(false);
    BOOST_TEST(!connection->over());
    connection->tick(start_ms + HttpConnection::request_ms_max + 1);
    BOOST_REQUIRE(run_until(*loop, [this] { return closed; }));
    BOOST_TEST(received.rfind("HTTP/1.1 408 ", 0) == 0);
}

BOOST_FIXTURE_TEST_CASE(idle_connections_and_late_answers_end, HttpFixture) {
    client->send(get("/later"));
    BOOST_REQUIRE(run_until(*loop, [this] { return !requests.empty(); }));
    const std::uint64_t later_ms = loop->now_ms() + HttpConnection::answer_ms_max + 1;
    connection->tick(later_ms);
    BOOST_REQUIRE(run_until(*loop, [this] { return closed; }));
    BOOST_TEST(received.rfind("HTTP/1.1 504 ", 0) == 0);
}

BOOST_FIXTURE_TEST_CASE(an_idle_connection_is_cut, HttpFixture) {
    connection->tick(loop->now_ms() + HttpConnection::idle_ms_max + 1);
    BOOST_TEST(connection->over());
    BOOST_REQUIRE(run_until(*loop, [this] { return closed; }));
    BOOST_TEST(received.empty());
}

BOOST_FIXTURE_TEST_CASE(a_stream_whose_reader_falls_behind_is_cut, HttpFixture) {
    client->send(get("/stream"));
    BOOST_TEST(wait_for("text/event-stream"));
    connection->stream("data: 1\n\n");
    BOOST_TEST(wait_for("data: 1"));
    client->pause_reading();
    const Bytes event = "data: " + std::string(64 * limits::kib, 'x') + "\n\n";
    for (int i = 0; i < 10000 && !connection->over(); ++i) {
        connection->stream(event);
        loop->run_once(false);
    }
    BOOST_TEST(connection->over());
}

BOOST_AUTO_TEST_CASE(replies_become_json_without_loss) {
    const auto json = [](const char* line) {
        CommandBench bench;
        bench.client.protocol = 3;
        const std::string key("\xff\x00", 2);
        bench.run({"SET", key, std::string("\0\x80", 2)});
        bench.run("HSET h f 1");
        RespReplyParser parser;
        parser.feed(bench.run(line));
        return to_json(**parser.next());
    };
    BOOST_TEST(json("PING") == "\"PONG\"");
    BOOST_TEST(json("GET none") == "null");
    BOOST_TEST(json("KEYS *").find("{\"hex\":\"ff00\"}") != std::string::npos);
    BOOST_TEST(json("HGETALL h") == "{\"f\":\"1\"}");
    BOOST_TEST(json("HINCRBY h n 9007199254740991") == "9007199254740991");
    BOOST_TEST(json("HINCRBY h n 9007199254740992") == "\"9007199254740992\"");
    BOOST_TEST(json("NOSUCH").rfind("{\"error\":\"ERR unknown command", 0) == 0);
    BOOST_TEST(json_error("a \"quote\"") == "{\"error\":\"a \\\"quote\\\"\"}");
}

BOOST_AUTO_TEST_CASE(utf8_is_what_the_standard_says) {
    for (const char* const good : {"", "a", "\u00e4", "\u20ac", "\U0001f600", "\xed\x9f\xbf"}) {
        BOOST_TEST(is_utf8(good));
    }
    for (const char* const bad : {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
                                  "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xff"}) {
        BOOST_TEST(!is_utf8(bad));
    }
}

BOOST_AUTO_TEST_CASE(health_says_what_is_wrong_and_with_whom) {
    BOOST_TEST(assessed(well()) == "ok");
    BOOST_TEST(assessed(Condition()) == "failing waiting");
    Condition condition = well();
    condition.peers[0].connected = false;
    condition.peers[1].silent_ms = silent_ms_max + 1;
    BOOST_TEST(assessed(condition) == "degraded link_down:b silent:c");
    condition.peers[0].blocked = true;
    condition.peers[1] = peer("c");
    condition.peers[1].lags_ms = lag_ms_max + 1;
    BOOST_TEST(assessed(condition) == "degraded link_cut:b peer_behind:c");
    condition = well();
    condition.peers[1].behind_ms = lag_ms_max + 1;
    condition.divergence_alarms = 1;
    BOOST_TEST(assessed(condition) == "degraded diverged behind:c");
    condition.member = false;
    BOOST_TEST(assessed(condition).find("failing not_member") == 0U);
    condition.member = true;
    condition.damaged = true;
    BOOST_TEST(assessed(condition) == "degraded damaged diverged behind:c");
    condition = well();
    condition.caught_up = false;
    BOOST_TEST(assessed(condition) == "failing catching_up");
    condition.stopping = true;
    condition.overloaded = true;
    condition.storage_failure = "no space";
    BOOST_TEST(assessed(condition) == "failing storage stopping catching_up overloaded");
}

BOOST_AUTO_TEST_CASE(lag_is_counted_and_timed_also_of_who_is_away) {
    ReplicationTracker tracker;
    tracker.update(1000, seen(0, {5, 0}, 1000), {seen(1, {5, 3}, 1000)});
    BOOST_TEST(tracker.missing_events() == 3);
    BOOST_TEST(*tracker.lag_to(uuid(1), 1000) == 0);
    tracker.update(2000, seen(0, {9, 3}, 2000), {seen(1, {}, 1500, false)});
    tracker.update(3000, seen(0, {10, 3}, 3000), {seen(1, {}, 1500, false)});
    const ReplicationView view = tracker.view(4000);
    BOOST_REQUIRE_EQUAL(view.nodes.size(), 2);
    BOOST_TEST(view.nodes[1].known_ms == 2500);
    BOOST_TEST(!view.nodes[1].connected);
    BOOST_REQUIRE_EQUAL(view.pairs.size(), 2);
    BOOST_TEST(view.pairs[0].lag_events == 5);
    BOOST_TEST(view.pairs[0].lag_ms == 2000);
    BOOST_TEST(view.pairs[1].lag_events == 0);
    tracker.update(5000, seen(0, {10, 3}, 5000), {seen(1, {9, 3}, 5000)});
    BOOST_TEST(*tracker.lag_to(uuid(1), 5000) == 2000);
    BOOST_TEST(*tracker.lag_from(uuid(1), 5000) == 0);
    tracker.update(5100, seen(0, {10, 3}, 5100), {seen(1, {10, 3}, 5100)});
    BOOST_TEST(*tracker.lag_to(uuid(1), 9000) == 0);
}

BOOST_AUTO_TEST_CASE(many_samples_never_understate_the_oldest) {
    ReplicationTracker tracker;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        tracker.update(i * 100, seen(0, {i, 0}, i * 100), {seen(1, {0, 0}, 0)});
    }
    BOOST_TEST(*tracker.lag_to(uuid(1), 100000) == 99900);
    tracker.update(100100, seen(0, {1000, 0}, 100100), {seen(1, {999, 0}, 100100)});
    BOOST_TEST(*tracker.lag_to(uuid(1), 100100) >= 100);
    tracker.update(100200, seen(0, {1000, 0}, 100200), {seen(1, {1000, 0}, 100200)});
    BOOST_TEST(*tracker.lag_to(uuid(1), 100200) == 0);
}

BOOST_AUTO_TEST_CASE(the_commands_tell_health_and_matrix) {
    CommandBench bench;
    bench.condition = well();
    bench.condition.peers[0].connected = false;
    bench.view.nodes = {{"a", uuid(1), 0, 4, true}, {"b", uuid(2), 700, 2, false}};
    bench.view.pairs = {{0, 1, 3, 250}};
    const auto ask = [&](const char* line) {
        bench.client.protocol = 3;
        RespReplyParser parser;
        parser.feed(bench.run(line));
        return to_json(**parser.next());
    };
    BOOST_TEST(ask("CRDT.HEALTH") == to_json(assess(bench.condition)));
    BOOST_TEST(ask("CRDT.MATRIX").find("\"lag_events\":3,\"lag_ms\":250") != std::string::npos);
    bench.take_replica_away();
    BOOST_TEST(ask("CRDT.HEALTH").find("link_down") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_page_is_part_of_the_program) {
    for (const char* const path : {"/", "/page.js", "/style.css", "/icon.svg"}) {
        BOOST_TEST(web_file(path).has_value(), path);
    }
    BOOST_TEST(web_file("/")->bytes.find("Syncline") != std::string_view::npos);
    BOOST_TEST(!web_file("/index.html"));
    BOOST_TEST(!web_file("/../net/web/index.html"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
