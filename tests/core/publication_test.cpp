// Messages of publish/subscribe between replicas: who gets them, once, in order, and never for
// ever.
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/protocol/seen_publications.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(publication)
namespace {

constexpr auto publication_type = static_cast<std::uint8_t>(MessageType::publication);
constexpr auto hello_type = static_cast<std::uint8_t>(MessageType::hello);

Uuid uuid_of(std::uint8_t number) {
    Uuid uuid;
    uuid.bytes[0] = number;
    return uuid;
}

/// What came out at each replica, and how many frames it took.
struct Heard {
    explicit Heard(TestCluster& cluster, std::size_t count) : messages(count) {
        cluster.on_publication = [this](std::size_t at, const Publication& publication) {
            messages[at].push_back(publication.channel + "=" + publication.message);
        };
        cluster.filter = [this](std::size_t, std::size_t, std::uint8_t type, const Bytes&) {
            frames += type == publication_type ? 1 : 0;
            return true;
        };
    }

    std::vector<std::vector<std::string>> messages;
    std::size_t frames = 0;
};

using Messages = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(each_of_a_chain_hears_once_what_is_published_at_its_end) {
    TestCluster cluster(4);
    Heard heard(cluster, 4);
    for (std::size_t i = 0; i < 3; ++i) cluster.connect(i, i + 1);
    cluster.pump(1000);
    for (const char* const message : {"1", "2", "3"}) cluster.at(0)->publish(false, "c", message);
    cluster.pump(1000);
    const Messages all{"c=1", "c=2", "c=3"};
    BOOST_TEST(heard.messages[0].empty());
    for (std::size_t i = 1; i < 4; ++i) BOOST_TEST(heard.messages[i] == all);
    BOOST_TEST(heard.frames == 9U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(in_a_mesh_it_goes_over_each_link_twice_at_most) {
    TestCluster cluster(4);
    Heard heard(cluster, 4);
    for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = i + 1; j < 4; ++j) cluster.connect(i, j);
    }
    cluster.pump(1000);
    for (int i = 0; i < 50; ++i) {
        cluster.at(1)->publish(true, "c", std::to_string(i));
        if (i % 7 == 0) cluster.pump(10);
    }
    cluster.pump(1000);
    BOOST_REQUIRE_EQUAL(heard.messages[3].size(), 50U);
    for (std::size_t i = 0; i < 50; ++i) {
        BOOST_TEST(heard.messages[3][i] == "c=" + std::to_string(i));
    }
    BOOST_TEST((heard.messages[0] == heard.messages[3] && heard.messages[2] == heard.messages[3]));
    BOOST_TEST(heard.messages[1].empty());
    BOOST_TEST(heard.frames <= 12U * 50U);
    const std::size_t frames = heard.frames;
    cluster.pump(5000);
    BOOST_TEST(heard.frames == frames);
}

/// Even if nobody remembers anything.
BOOST_AUTO_TEST_CASE(nothing_goes_round_for_ever) {
    TestCluster cluster(3);
    std::size_t frames = 0;
    std::uint64_t hops = limits::publication_hops_max + 1;
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes& payload) {
        if (type != publication_type) return true;
        Publication publication = std::get<Publication>(decode_message(type, payload).value());
        hops = std::min(hops, publication.hops);
        publication.origin = uuid_of(77);
        publication.run = ++frames;  // as of another run each time
        payload = encode_message(publication);
        return frames < 1000;
    };
    for (std::size_t i = 0; i < 3; ++i) cluster.connect(i, (i + 1) % 3);
    cluster.pump(1000);
    cluster.at(0)->publish(false, "c", "m");
    cluster.pump(5000);
    BOOST_TEST(hops == 0U);
    BOOST_TEST(frames == 2 * (limits::publication_hops_max + 1));
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_take_them_gets_none) {
    TestCluster cluster(3);
    const Heard heard(cluster, 3);
    std::size_t frames = 0;
    cluster.filter = [&](std::size_t from, std::size_t to, std::uint8_t type, Bytes& payload) {
        if (type == publication_type) {
            ++frames;
            BOOST_TEST(to != 1U);
        }
        if (type != hello_type || from != 1) return true;
        Hello hello = std::get<Hello>(decode_message(type, payload).value());
        BOOST_TEST(hello.takes_publications);
        hello.takes_publications = false;
        payload = encode_message(hello);
        return true;
    };
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.pump(1000);
    cluster.at(0)->publish(false, "c", "m");
    cluster.pump(1000);
    BOOST_TEST(frames == 1U);
    BOOST_TEST(heard.messages[2] == Messages{"c=m"});
    BOOST_TEST(cluster.closed.empty());
}

BOOST_AUTO_TEST_CASE(too_many_in_one_turn_are_dropped_and_counted) {
    TestCluster cluster(2);
    const Heard heard(cluster, 2);
    cluster.connect(0, 1);
    cluster.pump(1000);
    const Bytes large(limits::publication_backlog_bytes_max / 4, 'm');
    for (int i = 0; i < 20; ++i) cluster.at(0)->publish(false, "c", large);
    BOOST_TEST(cluster.at(0)->stats().publications_sent == 4U);
    BOOST_TEST(cluster.at(0)->stats().publications_dropped == 16U);
    cluster.pump(1000);
    cluster.at(0)->publish(false, "c", "then");
    cluster.pump(1000);
    BOOST_REQUIRE_EQUAL(heard.messages[1].size(), 5U);
    BOOST_TEST(heard.messages[1].back() == "c=then");
    BOOST_TEST(cluster.at(1)->stats().publications_received == 5U);
}

BOOST_AUTO_TEST_CASE(a_run_is_remembered_by_its_latest_number) {
    SeenPublications seen;
    BOOST_TEST(seen.take(uuid_of(1), 10, 1));
    BOOST_TEST(!seen.take(uuid_of(1), 10, 1));
    BOOST_TEST(seen.take(uuid_of(1), 10, 5));
    BOOST_TEST(!seen.take(uuid_of(1), 10, 4));
    BOOST_TEST(seen.take(uuid_of(1), 11, 1));
    BOOST_TEST(seen.take(uuid_of(2), 10, 1));
    BOOST_TEST(!seen.take(uuid_of(1), 10, 5));
    // The one that is heard stays, others make room.
    for (std::uint64_t run = 100; run < 100 + 2 * limits::publication_runs_max; ++run) {
        BOOST_TEST(seen.take(uuid_of(3), run, 1));
        BOOST_TEST(!seen.take(uuid_of(1), 10, 5));
    }
    BOOST_TEST(seen.runs_count() == limits::publication_runs_max);
    BOOST_TEST(seen.take(uuid_of(2), 10, 1));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
