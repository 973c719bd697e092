// Messages between databases, carried by hand.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <random>

#include "core/protocol/exchange.hpp"
#include "tests/core/database_fixture.hpp"

namespace syncline {
namespace {

/// Two databases and the road between them.
struct Road : DatabaseFixture {
    Database a = open_other("a", "shop");
    Database b = open_other("b", "shop");

    /// Carries messages until both sides have nothing to tell. Number of messages.
    std::size_t carry() const { return carry(a, b); }
    static std::size_t carry(const Database& left, const Database& right) {
        std::size_t count = 0;
        for (bool more = true; more;) {
            more = false;
            while (const std::optional<Bytes> message = must(left.next_message("right"))) {
                must(right.receive("left", *message));
                more = true;
                ++count;
            }
            while (const std::optional<Bytes> message = must(right.next_message("left"))) {
                must(left.receive("right", *message));
                more = true;
                ++count;
            }
            BOOST_REQUIRE(count < 10000U);
        }
        return count;
    }
    static bool same(const Database& left, const Database& right) {
        const DatabaseStats one = must(left.stats());
        const DatabaseStats other = must(right.stats());
        return one.root == other.root && one.version == other.version;
    }
    void check_same() const {
        BOOST_TEST_INFO(must(a.describe()));
        BOOST_TEST_INFO(must(b.describe()));
        BOOST_TEST(same(a, b));
        BOOST_TEST(must(a.stats()).divergence_alarms == 0U);
        BOOST_TEST(must(b.stats()).divergence_alarms == 0U);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(database_messages, Road)

BOOST_AUTO_TEST_CASE(two_databases_meet) {
    must(a.counter("visits").add(2));
    must(b.counter("visits").add(3));
    must(a.set("team").add("ann"));
    must(b.set("team").add("bob"));
    BOOST_TEST(carry() < 12U);
    check_same();
    BOOST_TEST(must(a.counter("visits").get()) == 5);
    BOOST_TEST(must(b.set("team").size()) == 2U);

    // Nothing to tell, again and again.
    BOOST_TEST(carry() == 0U);
    must(b.set("team").remove("ann"));
    BOOST_TEST(carry() > 0U);
    BOOST_TEST(!must(a.set("team").contains("ann")));
    check_same();
}

BOOST_AUTO_TEST_CASE(a_merge_that_changes_a_score_moves_the_member) {
    must(a.sorted_set("board").add("ann", 1));
    must(a.sorted_set("board").add("bob", 2));
    carry();
    must(a.sorted_set("board").add("ann", 5));
    must(b.sorted_set("board").add("ann", 7));
    must(b.sorted_set("board").increment("bob", 10));
    carry();
    check_same();
    for (const Database* const side : {&a, &b}) {
        const auto members = must(side->sorted_set("board").range(0, 10));
        BOOST_REQUIRE(members.size() == 2U);  // none under the score that lost, none twice
        BOOST_TEST(members[0].name == "ann");
        BOOST_TEST((members[0].score == 5 || members[0].score == 7));
        BOOST_TEST(members[1].name == "bob");
        BOOST_TEST(members[1].score == 12);
        const auto low = must(side->sorted_set("board").between(0, 4));
        BOOST_TEST(low.empty());
    }
}

BOOST_AUTO_TEST_CASE(concurrent_values_are_siblings_on_both_sides) {
    must(a.string("name").set("Ann"));
    must(b.string("name").set("Anna"));
    carry();
    const Siblings siblings = must(a.string("name").siblings());
    BOOST_REQUIRE(siblings.values.size() == 2U);
    BOOST_TEST(siblings.values[0].value == *must(a.string("name").get()));
    BOOST_TEST(siblings.values[0].value == *must(b.string("name").get()));
    BOOST_TEST((siblings.values[0].origin.actor != siblings.values[1].origin.actor));
    BOOST_TEST(siblings.values[0].wall_ms > 0U);
    must(a.string("name").set("Ann"));
    carry();
    BOOST_TEST(must(b.string("name").siblings()).values.size() == 1U);
}

BOOST_AUTO_TEST_CASE(siblings_merged_by_hand_replace_what_was_seen_and_only_that) {
    must(a.string("cart").set("apple"));
    must(b.string("cart").set("bread"));
    carry();
    const Siblings seen = must(a.string("cart").siblings());
    BOOST_REQUIRE(seen.values.size() == 2U);

    // Another value comes between reading and writing: from a peer, or from here.
    must(b.string("cart").set("bread,butter"));
    carry();
    fails(a.string("cart").put("apple,bread", seen.context), Code::conflict);
    const Siblings again = must(a.string("cart").siblings());
    must(a.string("cart").put("apple,bread,butter", again.context));
    fails(a.string("cart").put("late", again.context), Code::conflict);

    // What a peer writes meanwhile stays beside it.
    must(b.string("cart").set("cheese"));
    carry();
    BOOST_TEST(must(a.string("cart").siblings()).values.size() == 2U);
    check_same();

    const Siblings number = must(a.string("sum").siblings());
    must(a.counter("sum").add(1));
    fails(a.string("sum").put("5", number.context), Code::conflict);
    must(a.string("sum").put("5", must(a.string("sum").siblings()).context));
    BOOST_TEST(must(a.counter("sum").get()) == 5);

    const Siblings field = must(a.map("user").siblings("name"));
    must(a.map("user").put("name", "Ann"));
    fails(a.map("user").put("name", "Bob", field.context), Code::conflict);
    must(a.map("user").put("name", "Bob", must(a.map("user").siblings("name")).context));
    fails(a.string("user").put("x", number.context), Code::wrong_type);
}

BOOST_AUTO_TEST_CASE(a_watch_tells_of_changes_made_elsewhere) {
    std::vector<Change> changes;
    const Watch watch =
        must(b.watch("team", [&](const Change& change) { changes.push_back(change); }));
    must(a.set("team").add("ann"));
    carry();
    BOOST_REQUIRE(changes.size() == 1U);
    BOOST_TEST(!changes[0].local);
    BOOST_TEST((changes[0].origin->actor == must(a.stats()).actor));
}

BOOST_AUTO_TEST_CASE(much_data_goes_in_messages_of_bounded_size) {
    for (int i = 0; i < 60; ++i) {
        must(a.string("big:" + std::to_string(i)).set(Bytes(200000, 'x')));
    }
    std::size_t largest = 0;
    for (bool more = true; more;) {
        more = false;
        if (const std::optional<Bytes> message = must(a.next_message("b"))) {
            largest = std::max(largest, message->size());
            must(b.receive("a", *message));
            more = true;
        }
        if (const std::optional<Bytes> message = must(b.next_message("a"))) {
            must(a.receive("b", *message));
            more = true;
        }
    }
    BOOST_TEST(largest < 2U * limits::mib);
    check_same();
}

BOOST_AUTO_TEST_CASE(a_new_database_becomes_a_member_of_the_peers_cluster) {
    const Database fresh = open({.path = path("fresh")});
    must(a.counter("visits").add(1));
    carry(a, fresh);
    BOOST_TEST(same(a, fresh));
    BOOST_TEST(must(fresh.stats()).cluster == must(a.stats()).cluster);

    // Two new ones have nothing to tell until one writes.
    const Database other = open({.path = path("other")});
    const Database another = open({.path = path("another")});
    BOOST_TEST(carry(other, another) < 4U);
    BOOST_TEST(must(other.stats()).cluster == "");
    must(other.counter("visits").add(1));
    carry(another, other);
    BOOST_TEST(same(other, another));
    BOOST_TEST(must(another.counter("visits").get()) == 1);
}

BOOST_AUTO_TEST_CASE(other_clusters_and_own_messages_are_refused) {
    const Database bank = open_other("bank", "bank");
    const Bytes message = *must(bank.next_message("a"));
    fails(a.receive("bank", message), Code::unauthorized);
    fails(bank.receive("bank", message), Code::invalid_argument);

    // One name, two replicas.
    must(b.receive("peer", *must(a.next_message("b"))));
    const Database c = open_other("c", "shop");
    const Bytes of_c = *must(c.next_message("b"));
    fails(b.receive("peer", of_c), Code::invalid_argument);
    must(b.restart_exchange("peer"));
    must(b.receive("peer", of_c));
}

BOOST_AUTO_TEST_CASE(an_exchange_survives_reopening) {
    must(a.counter("visits").add(1));
    carry();
    must(b.close());
    b = open_other("b", "shop");
    must(a.counter("visits").add(1));
    must(b.counter("visits").add(1));
    carry();
    check_same();
    BOOST_TEST(must(b.counter("visits").get()) == 3);
}

BOOST_AUTO_TEST_CASE(garbage_changes_nothing) {
    must(a.counter("visits").add(1));
    const Bytes message = *must(a.next_message("b"));
    const DatabaseStats before = must(b.stats());
    for (std::size_t i = 0; i < message.size(); ++i) {
        Bytes damaged = message;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
        BOOST_TEST(!b.receive("a", damaged));
        BOOST_TEST(!b.receive("a", message.substr(0, i)));
    }
    BOOST_TEST(!b.receive("a", ""));
    BOOST_TEST(!b.receive("a", message + "x"));
    BOOST_TEST(must(b.stats()).root == before.root);
    must(b.receive("a", message));
    carry();
    check_same();
}

BOOST_DATA_TEST_CASE(messages_are_lost_repeated_and_late, boost::unit_test::data::xrange(20)) {
    std::mt19937 random(static_cast<unsigned>(sample));
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    std::vector<Bytes> to_a;
    std::vector<Bytes> to_b;
    const auto deliver = [&](const Database& to, const char* from, std::vector<Bytes>& road) {
        if (road.empty()) return;
        const std::size_t index = random() % std::min<std::size_t>(road.size(), 3);
        const Bytes message = road[index];
        if (!chance(15)) road.erase(road.begin() + static_cast<std::ptrdiff_t>(index));
        if (chance(15)) return;
        must(to.receive(from, message));
    };
    for (int i = 0; i < 150; ++i) {
        if (chance(30)) must(a.counter("visits").add(1));
        if (chance(30)) must(b.set("team").add(std::to_string(i)));
        if (chance(70)) {
            if (std::optional<Bytes> message = must(a.next_message("right"))) {
                to_b.push_back(*message);
            }
        }
        if (chance(70)) {
            if (std::optional<Bytes> message = must(b.next_message("left"))) {
                to_a.push_back(*message);
            }
        }
        deliver(b, "left", to_b);
        deliver(a, "right", to_a);
    }
    // From here on nothing is lost; a last restart makes up for what was lost at the end.
    for (const Bytes& message : to_b) must(b.receive("left", message));
    for (const Bytes& message : to_a) must(a.receive("right", message));
    carry();
    must(a.restart_exchange("right"));
    carry();
    check_same();
}

BOOST_AUTO_TEST_CASE(carried_messages_round_trip) {
    CarriedMessage message;
    message.node.bytes[3] = 7;
    message.epoch = 5;
    message.sequence = 6;
    message.heard = 7;
    message.restart_above = 8;
    message.frames = {{16, "hello"}, {18, Bytes(1000, 'x')}};
    BOOST_TEST((must(decode_carried(encode_carried(message))) == message));
    Bytes other = encode_carried(message);
    other[3] = '2';
    fails(decode_carried(other), Code::version);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
