// What removals do against concurrent adds, by the key's prefix.
#include "core/engine/key_policies.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(key_policies)
namespace {

KeyPolicies policies_of(const std::vector<std::string>& texts) {
    KeyPolicies policies;
    for (const std::string& text : texts) BOOST_REQUIRE(policies.add(text).has_value());
    return policies;
}

std::string refusal(KeyPolicies& policies, const std::string& text) {
    const Result<void> added = policies.add(text);
    return added ? "" : added.error().message;
}

void with_blocked(ReplicaOptions& options) {
    options.policies = policies_of({"blocked:=remove-wins"});
    options.replicas = 2;
}

bool remove(TestReplica& replica, BytesView key, BytesView member) {
    bool removed = false;
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(removed, operations::set_remove(txn, key, member));
        return {};
    });
    return removed;
}

/// One replica adds a member again while another removes it.
void write_apart(TestCluster& cluster, BytesView key) {
    cluster.at(0).add(key, "ann");
    cluster.connect(0, 1);
    cluster.pump();
    cluster.disconnect(0, 1);
    cluster.at(0).add(key, "ann");
    BOOST_TEST(remove(cluster.at(1), key, "ann"));
    cluster.connect(0, 1);
}

std::size_t rows_of(TestReplica& replica, BytesView key) {
    std::size_t rows = 0;
    const auto count = [&](BytesView, const Cell&) {
        ++rows;
        return true;
    };
    BOOST_REQUIRE(replica->group().scan_cells(key, CellType::set, count).has_value());
    return rows;
}

BOOST_AUTO_TEST_CASE(the_longest_prefix_decides) {
    const KeyPolicies policies =
        policies_of({"a=remove-wins", "ab=add-wins", "abc==remove-wins", "x\xff=remove-wins"});
    BOOST_TEST(!policies.removal_wins(""));
    BOOST_TEST(!policies.removal_wins("b"));
    BOOST_TEST(policies.removal_wins("a"));
    BOOST_TEST(policies.removal_wins("ac"));
    BOOST_TEST(!policies.removal_wins("abc"));
    BOOST_TEST(policies.removal_wins("abc=d"));
    BOOST_TEST(policies.removal_wins("x\xffz"));
    BOOST_TEST(policies_of({"=remove-wins"}).removal_wins(""));
    BOOST_TEST((policies_of(policies.texts()) == policies));
}

BOOST_AUTO_TEST_CASE(what_is_no_policy_gets_a_sentence) {
    KeyPolicies policies = policies_of({"a=remove-wins"});
    BOOST_TEST(refusal(policies, "a=add-wins") == "the prefix 'a' has two policies");
    BOOST_TEST(refusal(policies, "b=") == "'' is none of: add-wins, remove-wins");
    BOOST_TEST(refusal(policies, "b") == "'b' is no policy: PREFIX=add-wins or PREFIX=remove-wins");
    BOOST_TEST(refusal(policies, std::string(257, 'p') + "=add-wins") ==
               "a prefix has at most 256 bytes");
    for (int i = 1; i < 64; ++i) {
        BOOST_TEST(refusal(policies, "p" + std::to_string(i) + "=add-wins") == "");
    }
    BOOST_TEST(refusal(policies, "p64=add-wins") == "there are more than 64 policies");
}

BOOST_AUTO_TEST_CASE(replicas_with_other_policies_do_not_talk) {
    std::size_t opened = 0;
    TestCluster cluster(2, [&](ReplicaOptions& options) {
        if (opened++ > 0) with_blocked(options);
        options.replicas = 0;
    });
    cluster.at(0).set("k", "v");
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_REQUIRE(!cluster.closed.empty());
    BOOST_TEST(cluster.closed.front().message.find("blocked:=remove-wins") != std::string::npos);
    BOOST_TEST(!cluster.at(1).get("k").has_value());
}

BOOST_AUTO_TEST_CASE(a_removal_wins_only_for_keys_of_its_policy) {
    TestCluster cluster(2, with_blocked);
    write_apart(cluster, "blocked:users");
    cluster.pump();
    write_apart(cluster, "team");
    cluster.pump();
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(cluster.at(i).members("blocked:users").empty());
        BOOST_TEST(cluster.at(i).members("team").size() == 1U);
        // All have all of it: nothing is left of the removal.
        BOOST_TEST(rows_of(cluster.at(i), "blocked:users") == 0U);
    }
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_removal_of_what_is_not_there_is_an_event) {
    TestCluster cluster(2, with_blocked);
    cluster.at(0).set("first", "");
    cluster.connect(0, 1);
    cluster.pump();
    cluster.disconnect(0, 1);
    BOOST_TEST(!remove(cluster.at(1), "blocked:users", "eve"));
    cluster.at(0).add("blocked:users", "eve");
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.at(0).members("blocked:users").empty());
    BOOST_TEST(cluster.at(1).members("blocked:users").empty());
    cluster.at(1).add("blocked:users", "eve");
    cluster.pump();
    BOOST_TEST(cluster.at(0).members("blocked:users").size() == 1U);
}

BOOST_AUTO_TEST_CASE(removals_outlive_the_deadline_of_a_set_that_is_gone) {
    TestCluster cluster(
        2, [](ReplicaOptions& options) { options.policies = policies_of({"=remove-wins"}); });
    cluster.at(0).add("s", "ann");
    cluster.connect(0, 1);
    cluster.pump();
    cluster.disconnect(0, 1);
    cluster.at(0).add("s", "ann");  // the other has not seen it
    cluster.at(1).run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::key_expire(txn, "s", cluster.now_ms() + 1'000'000));
        return {};
    });
    BOOST_TEST(remove(cluster.at(1), "s", "ann"));
    cluster.at(1).add("s", "bob");  // a new key, without the deadline
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST((cluster.at(0).members("s") == std::vector<Bytes>{"bob"}));
    BOOST_TEST(!cluster.at(0)->group().deadline("s")->has_value());
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(both_sides_have_a_record_of_an_add_that_lost) {
    TestCluster cluster(
        2, [](ReplicaOptions& options) { options.policies = policies_of({"=remove-wins"}); });
    write_apart(cluster, "s");
    cluster.pump();
    std::vector<ConflictRecord> records;
    for (std::size_t i = 0; i < 2; ++i) {
        const Result<ConflictPage> page = cluster.at(i)->group().conflicts().page({});
        BOOST_REQUIRE_EQUAL(page->records.size(), 1U);
        records.push_back(page->records[0]);
    }
    BOOST_TEST((records[0].id == records[1].id));
    BOOST_TEST((records[0].kind == ConflictKind::remove_add));
    BOOST_TEST((records[0].winner.action == ConflictAction::remove));
    BOOST_TEST((records[0].winner.dot.actor == cluster.at(1)->actor()));
    BOOST_TEST((records[0].loser.action == ConflictAction::add));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
