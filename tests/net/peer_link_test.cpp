#include "net/peer_link.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <utility>

#include "tests/net/link_ends.hpp"

/// Links on which nothing comes. (What is wrong with handshakes: tls_peers_test, peer_auth_test.)
namespace syncline {
namespace {

/// Longer than a link may be silent.
constexpr std::chrono::milliseconds too_long(3700);

struct TwoLoops {
    TwoLoops() {
        for (LinkEnd* const end : {&client, &server}) {
            end->credentials.secret.emplace(Bytes("a secret of sixteen"));
        }
        meet(client, *client_loop, server, *server_loop);
        BOOST_REQUIRE(client.was_ready);
        BOOST_REQUIRE(server.was_ready);
    }

    std::unique_ptr<Loop> client_loop = Loop::create().value();
    std::unique_ptr<Loop> server_loop = Loop::create().value();
    LinkEnd client{{}, "b"};
    LinkEnd server{{}, "a"};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(peer_links, TwoLoops)

BOOST_AUTO_TEST_CASE(a_link_whose_owners_have_nothing_to_say_stays) {
    const auto end = std::chrono::steady_clock::now() + too_long;
    BOOST_TEST(run_both_until(*client_loop, *server_loop,
                              [&] { return std::chrono::steady_clock::now() > end; }));
    BOOST_TEST(client.reason == "");
    BOOST_TEST(server.reason == "");
    const Bytes much(300'000, 'm');
    server.link->send(core_frame_min, much);
    BOOST_TEST(run_both_until(*client_loop, *server_loop,
                              [&] { return client.message.size() >= much.size(); }));
    BOOST_TEST(client.message == much);
}

BOOST_AUTO_TEST_CASE(a_peer_that_says_nothing_for_three_seconds_is_given_up) {
    const auto begin = std::chrono::steady_clock::now();
    while (client.reason.empty() && std::chrono::steady_clock::now() < begin + 3 * too_long) {
        client_loop->run_once();
    }
    BOOST_TEST(client.reason == "nothing was heard from the peer for 3000 ms");
    BOOST_TEST(client.link->over());
    const auto gone = [&] { return !server.reason.empty(); };
    BOOST_TEST(run_both_until(*client_loop, *server_loop, gone));
}

BOOST_AUTO_TEST_CASE(a_link_that_a_copy_hangs_on_may_be_silent_for_longer) {
    client.patient = true;
    const auto end = std::chrono::steady_clock::now() + too_long;
    BOOST_TEST(run_until(*client_loop, [&] { return std::chrono::steady_clock::now() > end; }));
    BOOST_TEST(client.reason == "");
    client.patient = false;
    BOOST_TEST(run_until(*client_loop, [&] { return !client.reason.empty(); }));
}

BOOST_AUTO_TEST_CASE(who_stood_still_reads_before_it_blames_the_other_side) {
    const std::unique_ptr<Loop> others = Loop::create().value();
    bool over = false;
    Timer meanwhile(*others, [&] { over = true; });
    meanwhile.start(too_long.count());
    BOOST_TEST(run_until(*others, [&] { return over; }));
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1200);
    BOOST_TEST(run_both_until(*client_loop, *server_loop,
                              [&] { return std::chrono::steady_clock::now() > end; }));
    BOOST_TEST(client.reason == "");
    BOOST_TEST(server.reason == "");
}

BOOST_AUTO_TEST_CASE(both_sides_are_told_of_a_message_that_is_long_on_its_way) {
    const Bytes much(40 * limits::mib, 'm');
    client.link->send(core_frame_min, much);
    bool due = false;
    Timer now_and_then(*client_loop, [&] { due = true; });
    now_and_then.start_repeating(150);
    BOOST_TEST(run_until(*client_loop, [&] {
        if (std::exchange(due, false)) server_loop->run_once(false);
        return server.message.size() >= much.size();
    }));
    BOOST_TEST(server.transfers > 0U);
    BOOST_TEST(client.transfers > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
