#include "net/tcp.hpp"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "tests/net/run_until.hpp"

namespace syncline {
namespace {

using Connection = std::unique_ptr<TcpConnection>;
using Closing = std::optional<Error>;

constexpr std::uint64_t tcp_timeout_ms = 10'000;

/// One end of a connection, with what happened to it.
struct End {
    Connection connection;
    Bytes received;
    int closes = 0;
    Closing reason;

    [[nodiscard]] TcpConnection::Events events() {
        return {.on_data = [this](BytesView data) { received += data; },
                .on_close =
                    [this](const Closing& error) {
                        ++closes;
                        reason = error;
                    }};
    }
};

struct TcpFixture {
    TcpFixture() {
        listener = TcpListener::listen(*loop, {"127.0.0.1", 0}, [this](Connection connection) {
                       accepted.push_back(std::move(connection));
                   }).value();
        here = {"127.0.0.1", listener->port()};
    }

    Connection connected() {
        Connection made;
        TcpConnector connector(*loop, here, tcp_timeout_ms,
                               [&](auto result) { made = std::move(result).value(); });
        BOOST_REQUIRE(run_until(*loop, [&] { return made != nullptr; }));
        return made;
    }

    /// Both ends, not started yet.
    void pair(End& client, End& server) {
        client.connection = connected();
        BOOST_REQUIRE(run_until(*loop, [&] { return !accepted.empty(); }));
        server.connection = std::move(accepted.back());
        accepted.pop_back();
    }

    Result<Connection> outcome(const TcpEndpoint& to, std::uint64_t within_ms) {
        std::optional<Result<Connection>> result;
        TcpConnector connector(*loop, to, within_ms, [&](auto got) { result = std::move(got); });
        BOOST_TEST(!result.has_value());  // never from inside the constructor
        BOOST_REQUIRE(run_until(*loop, [&] { return result.has_value(); }));
        return std::move(*result);
    }

    std::unique_ptr<Loop> loop = Loop::create().value();
    std::vector<Connection> accepted;
    std::unique_ptr<TcpListener> listener;
    TcpEndpoint here;
};

BOOST_FIXTURE_TEST_SUITE(tcp, TcpFixture)

BOOST_AUTO_TEST_CASE(both_ends_know_each_other) {
    End client;
    End server;
    pair(client, server);
    BOOST_TEST(client.connection->remote_address() == "127.0.0.1:" + std::to_string(here.port));
    BOOST_TEST(client.connection->local_address() == server.connection->remote_address());
    BOOST_TEST(server.connection->remote_is_loopback());
    client.connection->keep_alive(30);
    client.connection->keep_alive(0);
}

BOOST_AUTO_TEST_CASE(many_connections_echo) {
    constexpr int connections_count = 100;
    std::vector<std::unique_ptr<End>> servers;
    listener = TcpListener::listen(*loop, {"127.0.0.1", 0}, [&](Connection connection) {
                   servers.push_back(std::make_unique<End>());
                   End& end = *servers.back();
                   end.connection = std::move(connection);
                   auto events = end.events();
                   events.on_data = [&end](BytesView data) { end.connection->send(Bytes(data)); };
                   end.connection->start(std::move(events));
               }).value();
    here.port = listener->port();

    std::vector<End> clients(connections_count);
    std::vector<std::unique_ptr<TcpConnector>> connectors;
    for (int i = 0; i < connections_count; ++i) {
        End& end = clients[static_cast<std::size_t>(i)];
        connectors.push_back(
            std::make_unique<TcpConnector>(*loop, here, tcp_timeout_ms, [&end, i](auto result) {
                end.connection = std::move(result).value();
                end.connection->start(end.events());
                for (int part = 0; part < 10; ++part) end.connection->send(std::to_string(i) + ",");
            }));
    }
    for (int i = 0; i < connections_count; ++i) {
        std::string expected;
        for (int part = 0; part < 10; ++part) expected += std::to_string(i) + ",";
        End& end = clients[static_cast<std::size_t>(i)];
        BOOST_TEST(run_until(*loop, [&] { return end.received.size() >= expected.size(); }));
        BOOST_TEST(end.received == expected);
    }
}

BOOST_AUTO_TEST_CASE(output_of_a_turn_leaves_at_its_end) {
    End client;
    End server;
    pair(client, server);
    std::vector<std::size_t> reads;
    auto events = server.events();
    events.on_data = [&](BytesView data) { reads.push_back(data.size()); };
    server.connection->start(std::move(events));
    client.connection->start(client.events());
    loop->on_turn_end([&] { client.connection->send("!"); });
    loop->defer([&] {
        for (int i = 0; i < 100; ++i) client.connection->send("0123456789");
        BOOST_TEST(client.connection->queued_bytes() == 1000U);
    });
    loop->run_once();
    loop->on_turn_end(nullptr);
    BOOST_TEST(client.connection->queued_bytes() == 0U);
    BOOST_TEST(run_until(*loop, [&] { return !reads.empty(); }));
    BOOST_TEST(reads.front() == 1001U);
}

BOOST_AUTO_TEST_CASE(large_output_to_a_slow_reader_keeps_its_order) {
    End client;
    End server;
    pair(client, server);
    std::size_t sent_calls = 0;
    auto events = server.events();
    events.on_sent = [&] { ++sent_calls; };
    server.connection->start(std::move(events));
    client.connection->pause_reading();
    client.connection->start(client.events());

    Bytes expected;
    for (int i = 0; i < 300; ++i) {
        Bytes piece(static_cast<std::size_t>(i) * 397, static_cast<char>('a' + i % 26));
        expected += piece;
        server.connection->send(std::move(piece));
        if (i % 50 == 0) loop->run_once(false);
    }
    for (int i = 0; i < 20; ++i) loop->run_once(false);
    BOOST_TEST(server.connection->queued_bytes() > 0U);
    BOOST_TEST(client.received.empty());
    BOOST_TEST(client.connection->reading_paused());

    client.connection->resume_reading();
    BOOST_TEST(run_until(*loop, [&] { return client.received.size() == expected.size(); }));
    BOOST_TEST((client.received == expected));
    BOOST_TEST(run_until(*loop, [&] { return server.connection->queued_bytes() == 0; }));
    BOOST_TEST(sent_calls > 0U);
}

BOOST_AUTO_TEST_CASE(paused_reading_lets_nothing_through) {
    End client;
    End server;
    pair(client, server);
    client.connection->start(client.events());
    auto events = server.events();
    events.on_data = [&](BytesView data) {
        server.received += data;
        server.connection->pause_reading();
    };
    server.connection->start(std::move(events));
    client.connection->send("one");
    BOOST_TEST(run_until(*loop, [&] { return server.received == "one"; }));
    client.connection->send("two");
    client.connection->close_when_sent();
    BOOST_TEST(run_until(*loop, [&] { return client.closes == 1; }));
    for (int i = 0; i < 10; ++i) loop->run_once(false);
    BOOST_TEST(server.received == "one");
    BOOST_TEST(server.closes == 0);
    server.connection->resume_reading();
    BOOST_TEST(run_until(*loop, [&] { return server.received == "onetwo"; }));
    server.connection->resume_reading();
    BOOST_TEST(run_until(*loop, [&] { return server.closes == 1; }));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_other_side_closes) {
    End client;
    End server;
    pair(client, server);
    server.connection->start(server.events());
    client.connection->close();
    client.connection->close();
    BOOST_TEST(!client.connection->open());
    BOOST_TEST(run_until(*loop, [&] { return server.closes == 1; }));
    BOOST_TEST(!server.reason.has_value());
    BOOST_TEST(!server.connection->open());
    server.connection->send("nobody reads this");
    BOOST_TEST(server.connection->queued_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_half_closed_connection_still_takes_answers) {
    End client;
    End server;
    pair(client, server);
    client.connection->start(client.events());
    bool ended = false;
    auto events = server.events();
    events.on_end = [&] { ended = true; };
    server.connection->start(std::move(events));
    client.connection->send("last question");
    client.connection->close_when_sent();
    BOOST_TEST(run_until(*loop, [&] { return ended; }));
    BOOST_TEST(server.received == "last question");
    BOOST_TEST(server.connection->open());
    BOOST_TEST(server.closes == 0);
    server.connection->close();
}

BOOST_AUTO_TEST_CASE(close_when_sent_sends_all_first) {
    End client;
    End server;
    pair(client, server);
    client.connection->start(client.events());
    server.connection->start(server.events());
    // Unread input must not turn the end into a reset that eats the output.
    client.connection->send(Bytes(100'000, 'q'));
    loop->run_once(false);
    server.connection->send(Bytes(5'000'000, 'x'));
    server.connection->close_when_sent();
    BOOST_TEST(!server.connection->open());
    server.connection->send("too late");
    BOOST_TEST(run_until(*loop, [&] { return client.closes == 1 && server.closes == 1; }));
    BOOST_TEST(client.received.size() == 5'000'000U);
    BOOST_TEST(!server.reason.has_value());
}

BOOST_AUTO_TEST_CASE(a_reset_is_an_error) {
    End client;
    End server;
    pair(client, server);
    client.connection->start(client.events());
    server.connection->start(server.events());
    // Closing with unread input resets.
    client.connection->pause_reading();
    server.connection->send("unread");
    loop->run_once(false);
    loop->run_once(false);
    client.connection->close();
    BOOST_TEST(run_until(*loop, [&] { return server.closes == 1; }));
    BOOST_REQUIRE(server.reason.has_value());
    BOOST_TEST((server.reason->code == Code::io));
}

BOOST_AUTO_TEST_CASE(no_callback_comes_after_close) {
    End client;
    End server;
    pair(client, server);
    client.connection->start(client.events());
    server.connection->start(server.events());
    client.connection->send("data");
    server.connection->send(Bytes(5'000'000, 'x'));
    loop->run_once(false);
    const std::size_t before = server.received.size() + client.received.size();
    client.connection->close();
    server.connection->close();
    for (int i = 0; i < 10; ++i) loop->run_once(false);
    BOOST_TEST(server.received.size() + client.received.size() == before);
    BOOST_TEST(client.closes + server.closes == 0);
}

BOOST_AUTO_TEST_CASE(every_callback_may_destroy_its_connection) {
    enum Where { data, end, closed, sent, places_count };
    for (int where = 0; where < places_count; ++where) {
        End client;
        End server;
        pair(client, server);
        client.connection->start(client.events());
        bool gone = false;
        const auto destroy = [&] {
            server.connection.reset();
            gone = true;
        };
        auto events = server.events();
        if (where == data) events.on_data = [&](BytesView /*data*/) { destroy(); };
        if (where == end) events.on_end = destroy;
        if (where == closed) events.on_close = [&](const Closing& /*error*/) { destroy(); };
        if (where == sent) events.on_sent = destroy;
        server.connection->start(std::move(events));
        client.connection->send("data");
        server.connection->send("data");
        client.connection->close_when_sent();
        BOOST_TEST(run_until(*loop, [&] { return gone; }));
        for (int i = 0; i < 5; ++i) loop->run_once(false);
    }
}

BOOST_AUTO_TEST_CASE(callbacks_that_own_their_connection_free_it_when_closed) {
    End client;
    End server;
    pair(client, server);
    // Owners: the callbacks alone, a cycle that the close has to break.
    auto owner = std::make_shared<Connection>(std::move(server.connection));
    const std::weak_ptr<Connection> watch = owner;
    (*owner)->start({.on_data = [owner](BytesView /*data*/) {},
                     .on_close = [owner](const Closing& /*error*/) {}});
    owner.reset();
    client.connection->close();
    BOOST_TEST(run_until(*loop, [&] { return watch.expired(); }));
}

BOOST_AUTO_TEST_CASE(churn_with_closes_at_every_stage) {
    for (int round = 0; round < 300; ++round) {
        std::optional<TcpConnector> connector;
        End client;
        connector.emplace(*loop, here, tcp_timeout_ms, [&](auto result) {
            connector.reset();
            if (!result) return;
            client.connection = std::move(*result);
            client.connection->start(client.events());
            client.connection->send(Bytes(static_cast<std::size_t>(round) * 1000, 'x'));
        });
        for (int i = 0; i < round % 7; ++i) loop->run_once(false);
        if (round % 3 == 0) connector.reset();
        if (round % 5 == 0) accepted.clear();
        loop->run_once(false);
    }
    accepted.clear();
}

// Connecting and listening

BOOST_AUTO_TEST_CASE(a_taken_address_says_so) {
    const auto second = TcpListener::listen(*loop, here, nullptr);
    BOOST_REQUIRE(!second.has_value());
    BOOST_TEST((second.error().code == Code::unavailable));
    BOOST_TEST(second.error().message ==
               "cannot listen on 127.0.0.1:" + std::to_string(here.port) + ": address in use");
}

BOOST_AUTO_TEST_CASE(a_listener_needs_a_numeric_address) {
    const auto named = TcpListener::listen(*loop, {"localhost", 0}, nullptr);
    BOOST_REQUIRE(!named.has_value());
    BOOST_TEST((named.error().code == Code::invalid_argument));
    BOOST_TEST(!TcpListener::listen(*loop, {"192.0.2.1", 0}, nullptr).has_value());
}

BOOST_AUTO_TEST_CASE(a_port_is_free_again_at_once) {
    listener.reset();
    listener = TcpListener::listen(*loop, here, nullptr).value();
    BOOST_TEST(listener->port() == here.port);
}

BOOST_AUTO_TEST_CASE(a_listener_may_be_destroyed_in_its_callback) {
    bool called = false;
    listener = TcpListener::listen(*loop, {"127.0.0.1", 0}, [&](Connection /*connection*/) {
                   listener.reset();
                   called = true;
               }).value();
    here.port = listener->port();
    const Connection first = connected();
    BOOST_TEST(run_until(*loop, [&] { return called; }));
}

BOOST_AUTO_TEST_CASE(ipv6_and_names) {
    if (auto six = TcpListener::listen(*loop, {"::1", 0}, [](Connection /*connection*/) {}); six) {
        const auto made = outcome({"::1", (*six)->port()}, tcp_timeout_ms);
        BOOST_REQUIRE(made.has_value());
        BOOST_TEST((*made)->remote_address() == "[::1]:" + std::to_string((*six)->port()));
        BOOST_TEST((*made)->remote_is_loopback());
    }
    // The name stands for ::1 too, where nobody listens.
    BOOST_TEST(outcome({"localhost", here.port}, tcp_timeout_ms).has_value());
}

BOOST_AUTO_TEST_CASE(refused_and_unknown) {
    listener.reset();
    const auto refused = outcome(here, tcp_timeout_ms);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Code::unavailable));
    BOOST_TEST(refused.error().message ==
               "cannot connect to 127.0.0.1:" + std::to_string(here.port) + ": connection refused");
    const auto unknown = outcome({"no such name", 1}, tcp_timeout_ms);
    BOOST_REQUIRE(!unknown.has_value());
    BOOST_TEST(unknown.error().message.find("the name cannot be resolved") != std::string::npos);
}

/// A listening socket whose queue is full, so that connecting to it gets no answer.
struct DeafPort {
    DeafPort() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof(address);
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        BOOST_REQUIRE(::bind(server, generic, length) == 0);
        BOOST_REQUIRE(::listen(server, 0) == 0);
        BOOST_REQUIRE(::getsockname(server, generic, &length) == 0);
        port = ntohs(address.sin_port);
        for (int& client : clients) {
            client = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            (void)::connect(client, generic, length);  // in progress, some of them for ever
        }
    }
    ~DeafPort() {
        for (const int client : clients) ::close(client);
        ::close(server);
    }
    DeafPort(const DeafPort&) = delete;
    DeafPort& operator=(const DeafPort&) = delete;

    int server = ::socket(AF_INET, SOCK_STREAM, 0);
    std::uint16_t port = 0;
    std::array<int, 4> clients{};
};

BOOST_AUTO_TEST_CASE(a_port_that_never_answers_times_out) {
    const DeafPort deaf;
    const auto late = outcome({"127.0.0.1", deaf.port}, 50);
    BOOST_REQUIRE(!late.has_value());
    BOOST_TEST((late.error().code == Code::unavailable));
    BOOST_TEST(late.error().message.ends_with("no answer within 50 ms"));
}

BOOST_AUTO_TEST_CASE(a_connector_that_gives_up_calls_nobody) {
    const DeafPort deaf;
    for (const TcpEndpoint& to :
         {TcpEndpoint{"127.0.0.1", deaf.port}, here, TcpEndpoint{"localhost", here.port}}) {
        std::optional<TcpConnector> connector;
        connector.emplace(*loop, to, tcp_timeout_ms,
                          [](auto /*result*/) { BOOST_ERROR("called"); });
        connector.reset();
        for (int i = 0; i < 10; ++i) loop->run_once(false);
    }
}

BOOST_AUTO_TEST_CASE(without_descriptors_connections_wait_and_the_loop_does_not_spin) {
    configure_log(LogLevel::off, LogFormat::text, "test");
    // Everything that needs a descriptor exists before they run out.
    End client;
    End server;
    pair(client, server);
    std::optional<Result<Connection>> result;
    TcpConnector connector(*loop, here, tcp_timeout_ms, [&](auto got) { result = std::move(got); });
    rlimit before{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit none = before;
    none.rlim_cur = 3;
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);

    int turns = 0;
    bool late = false;
    loop->on_turn_end([&] { ++turns; });
    Timer pause(*loop, [&] { late = true; });
    pause.start(250);
    BOOST_TEST(run_until(*loop, [&] { return late; }));
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    configure_log(LogLevel::warning, LogFormat::text, "test");
    BOOST_TEST(turns < 20);
    BOOST_TEST(accepted.empty());

    BOOST_TEST(run_until(*loop, [&] { return accepted.size() == 1; }));
    BOOST_TEST(result.has_value());
    loop->on_turn_end(nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace syncline
