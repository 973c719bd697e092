#include "net/node.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <future>
#include <thread>

#include "net/endpoint.hpp"
#include "tests/core/database_fixture.hpp"

namespace syncline {
namespace {

constexpr std::chrono::seconds long_enough{20};
const std::string secret = "a secret of the tests";

struct Nodes : DatabaseFixture {
    Database a = open({.path = path("a"), .replica = "a"});
    Database b = open({.path = path("b"), .replica = "b"});

    static std::string address(const Node& node) {
        return "127.0.0.1:" + std::to_string(*node.port());
    }
    static Node listening(const Database& database) {
        return must(Node::start(database, {.listen = "127.0.0.1:0", .secret = secret}));
    }
    static Node dialing(const Database& database, const Node& to) {
        return must(Node::start(database, {.peers = {address(to)}, .secret = secret}));
    }
    static void synced(const Node& node) { must(node.wait_synced(long_enough)); }
    static bool same(const Database& one, const Database& other) {
        return must(one.stats()).root == must(other.stats()).root;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(node, Nodes)

BOOST_AUTO_TEST_CASE(nodes_keep_databases_in_step) {
    must(a.counter("visits").add(2));
    const Node first = listening(a);
    const Node second = dialing(b, first);
    synced(second);
    BOOST_TEST(must(b.counter("visits").get()) == 2);

    must(b.counter("visits").add(3));
    must(a.set("team").add("ann"));
    synced(second);
    synced(first);
    BOOST_TEST(must(a.counter("visits").get()) == 5);
    BOOST_TEST(must(b.set("team").contains("ann")));
    BOOST_TEST(same(a, b));
    BOOST_TEST(must(a.stats()).cluster == must(b.stats()).cluster);

    const std::vector<NodePeer> peers = second.peers();
    BOOST_REQUIRE(peers.size() == 1U);
    BOOST_TEST(peers[0].name == "a");
    BOOST_TEST(peers[0].connected);
    BOOST_TEST(peers[0].node == must(a.stats()).node);
    BOOST_TEST((peers[0].version == must(a.stats()).version));
}

BOOST_AUTO_TEST_CASE(three_nodes_write_at_the_same_time) {
    Database c = open({.path = path("c")});
    must(a.counter("visits").add(0));
    const Node first = listening(a);
    const Node second = dialing(b, first);
    const Node third = must(Node::start(c, {.peers = {address(first)}, .secret = secret}));
    synced(second);
    synced(third);
    std::vector<std::thread> writers;
    std::atomic<int> failures = 0;
    for (const Database* database : {&a, &b, &c}) {
        writers.emplace_back([database, &failures]() {
            for (int i = 0; i < 100; ++i) {
                if (!database->counter("visits").add(1)) ++failures;
            }
        });
    }
    for (std::thread& writer : writers) writer.join();
    BOOST_TEST(failures == 0);
    synced(second);
    synced(third);
    synced(first);
    synced(second);
    synced(third);
    for (const Database* database : {&a, &b, &c}) {
        BOOST_TEST(must(database->counter("visits").get()) == 300);
        BOOST_TEST(must(database->stats()).divergence_alarms == 0U);
    }
}

BOOST_AUTO_TEST_CASE(a_watch_hears_of_a_peers_writes) {
    std::promise<Change> heard;
    const Watch watch =
        must(b.watch("team", [&](const Change& change) { heard.set_value(change); }));
    const Node first = listening(a);
    const Node second = dialing(b, first);
    must(a.set("team").add("ann"));
    std::future<Change> change = heard.get_future();
    BOOST_REQUIRE(change.wait_for(long_enough) == std::future_status::ready);
    BOOST_TEST(!change.get().local);
}

BOOST_AUTO_TEST_CASE(what_was_missed_is_caught_up_with_after_a_restart) {
    must(a.counter("visits").add(1));
    Node first = listening(a);
    const std::string where = address(first);
    {
        const Node second = dialing(b, first);
        synced(second);
    }
    first.stop();
    first.stop();
    must(a.counter("visits").add(1));
    must(b.counter("visits").add(1));
    Node again = must(Node::start(a, {.listen = where, .secret = secret}));
    const Node second = dialing(b, again);
    synced(second);
    BOOST_TEST(must(a.counter("visits").get()) == 3);
    BOOST_TEST(must(b.counter("visits").get()) == 3);
}

BOOST_AUTO_TEST_CASE(all_may_be_given_the_same_list_of_peers) {
    must(a.counter("visits").add(1));
    Node first = listening(a);
    Node second = listening(b);
    const std::vector<std::string> everybody{address(first), address(second)};
    first.stop();
    second.stop();
    first = must(Node::start(a, {.listen = everybody[0], .peers = everybody, .secret = secret}));
    second = must(Node::start(b, {.listen = everybody[1], .peers = everybody, .secret = secret}));
    synced(first);
    synced(second);
    BOOST_TEST(must(b.counter("visits").get()) == 1);
    for (const Node* node : {&first, &second}) {
        BOOST_REQUIRE(node->peers().size() == 1U);
        BOOST_TEST(node->peers().front().connected);
    }
}

BOOST_AUTO_TEST_CASE(the_database_may_close_under_its_node) {
    Node first = listening(a);
    must(a.counter("visits").add(1));
    must(a.close());
    fails(first.wait_synced(long_enough), Code::unavailable);
    fails(Node::start(a, {.secret = secret}), Code::unavailable);
}

BOOST_AUTO_TEST_CASE(bad_options_are_refused_with_a_sentence) {
    fails(Node::start(a, {}), Code::invalid_argument);
    fails(Node::start(a, {.secret = "short"}), Code::invalid_argument);
    fails(Node::start(a, {.listen = "nonsense", .secret = secret}), Code::invalid_argument);
    fails(Node::start(a, {.peers = {"::1:7400"}, .secret = secret}), Code::invalid_argument);
    fails(Node::start(a, {.secret_file = path("missing")}), Code::invalid_argument);
    const Node first = listening(a);
    fails(Node::start(a, {.secret = secret}), Code::unavailable);
    fails(Node::start(b, {.listen = address(first), .secret = secret}), Code::unavailable);

    const Node second = must(Node::start(b, {.peers = {"127.0.0.1:1"}, .secret = secret}));
    const Result<void> alone = second.wait_synced(std::chrono::milliseconds(300));
    fails(alone, Code::unavailable);
    BOOST_TEST(alone.error().message.find("127.0.0.1:1: the peer is not connected") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_secret_or_cluster_does_not_get_in) {
    must(a.counter("visits").add(1));
    must(b.counter("visits").add(1));  // founds a cluster of its own
    const Node first = listening(a);
    Node second = dialing(b, first);
    const Result<void> refused = second.wait_synced(std::chrono::milliseconds(500));
    fails(refused, Code::unavailable);  // the side that dials is told why, too
    BOOST_TEST(refused.error().message.find("belongs to cluster") != std::string::npos,
               refused.error().message);
    second.stop();
    Database c = open({.path = path("c")});
    const Node third =
        must(Node::start(c, {.peers = {address(first)}, .secret = "another secret of the tests"}));
    fails(third.wait_synced(std::chrono::milliseconds(500)), Code::unavailable);
    BOOST_TEST(must(c.stats()).cluster == "");
}

BOOST_AUTO_TEST_CASE(addresses_are_read) {
    BOOST_TEST(must(parse_endpoint("[2001:db8::1]:7400")).host == "2001:db8::1");
    BOOST_TEST(must(parse_endpoint("host:7400")).port == 7400U);
    BOOST_TEST(must(parse_endpoint("192.0.2.1:1")).host == "192.0.2.1");
    for (const char* const bad : {"host", ":7400", "::1:7400", "[]:7400", "host:", "host:65536"}) {
        fails(parse_endpoint(bad), Code::invalid_argument);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
