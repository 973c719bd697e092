#pragma once
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/peer_link.hpp"
#include "tests/net/run_until.hpp"

namespace syncline {

/// One end of a link between peers, with what happened to it.
struct LinkEnd {
    PeerCredentials credentials;
    std::string name;
    SystemRandom random = {};
    std::unique_ptr<PeerLink> link = nullptr;
    std::string reason = {};
    std::string message = {};
    bool was_ready = false;
    bool patient = false;
    unsigned transfers = 0;

    void begin(Loop& loop, PeerAuth::Role role, std::unique_ptr<TcpConnection> connection) {
        PeerIdentity identity;
        identity.node = random_uuid(random);
        identity.node_id = role == PeerAuth::Role::initiator ? 1 : 2;
        PeerLink::Events events;
        events.on_ready = [this](PeerLink&) { was_ready = true; };
        events.on_name = [](PeerLink&) {};
        events.patient = [this] { return patient; };
        events.on_message = [this](PeerLink&, std::uint8_t, BytesView payload) {
            message += payload;
        };
        events.on_transfer = [this](PeerLink&) { ++transfers; };
        events.on_closed = [this](PeerLink&, const Error& error) { reason = error.message; };
        link =
            std::make_unique<PeerLink>(loop, 1, role, std::move(connection), credentials,
                                       PeerLink::Self{identity, name}, random, std::move(events));
        link->start();
    }
    [[nodiscard]] bool settled() const { return was_ready || !reason.empty(); }
};

/// Runs turns of both loops, which may be one, until the condition holds; false when it does not
/// within ten seconds.
inline bool run_both_until(Loop& one, Loop& other, const std::function<bool()>& condition) {
    Timer often(one, [] {});
    often.start_repeating(1);
    return run_until(one, [&] {
        other.run_once(false);
        return condition();
    });
}

/// Connects two ends, until both are ready, or one has given up.
inline void meet(LinkEnd& client, Loop& client_loop, LinkEnd& server, Loop& server_loop) {
    constexpr std::uint64_t connect_ms_max = 20'000;
    std::vector<std::unique_ptr<TcpConnection>> accepted;
    const auto listener = TcpListener::listen(server_loop, {"127.0.0.1", 0}, [&](auto connection) {
                              accepted.push_back(std::move(connection));
                          }).value();
    std::unique_ptr<TcpConnection> made;
    TcpConnector connector(client_loop, {"127.0.0.1", listener->port()}, connect_ms_max,
                           [&](auto result) { made = std::move(result).value(); });
    BOOST_REQUIRE(run_both_until(client_loop, server_loop,
                                 [&] { return made != nullptr && !accepted.empty(); }));
    client.begin(client_loop, PeerAuth::Role::initiator, std::move(made));
    server.begin(server_loop, PeerAuth::Role::acceptor, std::move(accepted.front()));
    BOOST_REQUIRE(run_both_until(client_loop, server_loop,
                                 [&] { return client.settled() && server.settled(); }));
}

}  // namespace syncline
