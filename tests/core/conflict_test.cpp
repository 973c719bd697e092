#include "core/engine/conflict.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(conflict)
namespace {

std::vector<ConflictRecord> records_of(TestReplica& replica, const ConflictQuery& query = {}) {
    const Result<ConflictPage> page = replica->group().conflicts().page(query);
    BOOST_REQUIRE(page.has_value());
    return page->records;
}

/// The only record of a replica.
ConflictRecord record_of(TestReplica& replica) {
    const std::vector<ConflictRecord> records = records_of(replica);
    BOOST_REQUIRE_EQUAL(records.size(), 1U);
    return records[0];
}

void remove_key(TestReplica& replica, BytesView key) {
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::key_delete(txn, key));
        return {};
    });
}

void remove_member(TestReplica& replica, BytesView key, BytesView member) {
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::set_remove(txn, key, member));
        return {};
    });
}

void meet(TestCluster& cluster) {
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
}

void part(TestCluster& cluster) {
    cluster.disconnect(0, 1);
}

void short_log(ReplicaOptions& options) {
    options.log.segment_bytes = 4096;
    options.log_retention.bytes = 4096;
    options.checkpoint_log_bytes = 4096;
    options.leaf_bits = 8;
}

}  // namespace

BOOST_AUTO_TEST_CASE(concurrent_writes_are_recorded_alike_on_both_sides) {
    TestCluster cluster(2);
    cluster.at(0).set("key", "one");
    cluster.at(1).set("key", "other");
    meet(cluster);
    const ConflictRecord here = record_of(cluster.at(0));
    const ConflictRecord there = record_of(cluster.at(1));
    BOOST_TEST((here.id == there.id));
    BOOST_TEST((here.winner == there.winner));
    BOOST_TEST((here.loser == there.loser));
    BOOST_TEST((here.kind == ConflictKind::write_write));
    BOOST_TEST(here.key == "key");
    BOOST_TEST(here.sequence == 1U);
    BOOST_TEST(*here.winner.value->bytes == cluster.at(0).get("key").value());
    BOOST_TEST((here.loser.dot != here.winner.dot));
    BOOST_TEST((here.first_seen >= *here.winner.hlc));
}

BOOST_AUTO_TEST_CASE(writes_in_turn_are_no_conflict) {
    TestCluster cluster(2);
    cluster.connect(0, 1);
    for (int i = 0; i < 5; ++i) {
        cluster.at(static_cast<std::size_t>(i % 2)).set("key", std::to_string(i));
        cluster.at(static_cast<std::size_t>(i % 2)).increment("count", 1);
        cluster.pump();
    }
    BOOST_TEST(records_of(cluster.at(0)).empty());
    BOOST_TEST(records_of(cluster.at(1)).empty());
}

BOOST_AUTO_TEST_CASE(an_add_beats_a_removal_where_it_was_live) {
    TestCluster cluster(2);
    cluster.at(0).add("team", "ann");
    meet(cluster);
    part(cluster);
    cluster.at(0).add("team", "ann");
    remove_member(cluster.at(1), "team", "ann");
    meet(cluster);
    const ConflictRecord record = record_of(cluster.at(0));
    BOOST_TEST((record.kind == ConflictKind::add_remove));
    BOOST_TEST((record.winner.action == ConflictAction::add));
    BOOST_TEST((record.loser.action == ConflictAction::remove));
    BOOST_TEST(*record.winner.field == "ann");
    BOOST_TEST((record.loser.dot.actor == cluster.at(1)->actor()));
    // There the removal came first and left nothing that could be seen.
    BOOST_TEST(records_of(cluster.at(1)).empty());
}

BOOST_AUTO_TEST_CASE(adds_of_one_member_and_increments_are_no_conflict) {
    TestCluster cluster(2);
    for (std::size_t i = 0; i < 2; ++i) {
        cluster.at(i).add("team", "ann");
        cluster.at(i).increment("count", 1);
    }
    meet(cluster);
    BOOST_TEST(records_of(cluster.at(0)).empty());
    BOOST_TEST(records_of(cluster.at(1)).empty());
}

BOOST_AUTO_TEST_CASE(increments_survive_a_concurrent_removal) {
    TestCluster cluster(2);
    cluster.at(0).increment("count", 5);
    meet(cluster);
    part(cluster);
    cluster.at(0).increment("count", 3);
    remove_key(cluster.at(1), "count");
    meet(cluster);
    const ConflictRecord record = record_of(cluster.at(0));
    BOOST_TEST((record.kind == ConflictKind::reset_inc));
    BOOST_TEST((record.winner.action == ConflictAction::increment));
    BOOST_TEST((record.loser.action == ConflictAction::remove));
    BOOST_TEST(cluster.at(0).get("count").value() == "3");
}

BOOST_AUTO_TEST_CASE(two_types_under_one_key_clash) {
    TestCluster cluster(2);
    cluster.at(0).set("key", "text");
    cluster.at(1).add("key", "ann");
    meet(cluster);
    const ConflictRecord record = record_of(cluster.at(0));
    BOOST_TEST((record.kind == ConflictKind::type_clash));
    BOOST_TEST((record.winner.type == CellType::set));
    BOOST_TEST((record.loser.type == CellType::string));
    BOOST_TEST(*record.loser.value->bytes == "text");
    BOOST_TEST((record.id == record_of(cluster.at(1)).id));
}

BOOST_AUTO_TEST_CASE(a_clash_with_a_later_row_of_a_collection_is_found) {
    TestCluster cluster(2);
    const auto switch_flag = [&](std::size_t at, bool on) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(on ? operations::flag_enable(txn, "key")
                              : operations::flag_disable(txn, "key"));
            return {};
        });
    };
    for (int i = 0; i < 40; ++i) cluster.at(0).add("key", "member " + std::to_string(i));
    switch_flag(1, true);
    meet(cluster);
    part(cluster);
    switch_flag(1, true);
    switch_flag(0, false);
    cluster.at(0).add("key", "one that the other side has not seen");
    const Dot added{cluster.at(0)->actor(), 42};
    meet(cluster);
    for (std::size_t at = 0; at < 2; ++at) {
        const std::vector<ConflictRecord> records = records_of(cluster.at(at));
        BOOST_TEST(std::any_of(records.begin(), records.end(), [&](const ConflictRecord& record) {
            return record.kind == ConflictKind::type_clash && record.loser.dot == added;
        }));
    }
}

BOOST_AUTO_TEST_CASE(an_adopted_snapshot_is_compared_with_what_is_here) {
    TestCluster cluster(2, short_log);
    for (std::size_t at = 0; at < 2; ++at) {
        cluster.at(at).set("key", "from " + std::to_string(at));
        for (int i = 0; i < 200; ++i) {
            cluster.at(at).set(std::to_string(at) + "k" + std::to_string(i), Bytes(100, 'v'));
        }
    }
    meet(cluster);
    BOOST_TEST(cluster.at(0)->stats().events_applied + cluster.at(1)->stats().events_applied <=
               201U);
    // Neither log reached back. Whoever adopted first has met both values; the other one may have
    // got them already met.
    std::vector<ConflictRecord> all;
    for (std::size_t at = 0; at < 2; ++at) {
        const std::vector<ConflictRecord> before = records_of(cluster.at(at));
        cluster.restart(at);
        BOOST_TEST((records_of(cluster.at(at)) == before));
        all.insert(all.end(), before.begin(), before.end());
    }
    BOOST_REQUIRE(!all.empty());
    for (const ConflictRecord& record : all) {
        BOOST_TEST((record.id == all[0].id));
        BOOST_TEST((record.kind == ConflictKind::write_write));
        BOOST_TEST(record.key == "key");
    }
}

BOOST_AUTO_TEST_CASE(replay_makes_the_same_records_once) {
    TestCluster cluster(2);
    for (int i = 0; i < 10; ++i) {
        cluster.at(0).set("k" + std::to_string(i), "a");
        cluster.at(1).set("k" + std::to_string(i), "b");
    }
    meet(cluster);
    part(cluster);
    const std::vector<ConflictRecord> before = records_of(cluster.at(0));
    BOOST_TEST(before.size() == 10U);
    cluster.restart(0);
    BOOST_TEST((records_of(cluster.at(0)) == before));
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    cluster.restart(0);
    BOOST_TEST((records_of(cluster.at(0)) == before));
    BOOST_TEST(cluster.at(0)->group().conflicts().recorded() == 10U);
    BOOST_TEST(cluster.at(0)->group().conflicts().recorded(ConflictKind::write_write) == 10U);
}

BOOST_AUTO_TEST_CASE(the_ring_is_bounded_and_counts_what_it_dropped) {
    TestCluster cluster(2, [](ReplicaOptions& options) { options.conflicts.ring_bytes = 1000; });
    for (int i = 0; i < 50; ++i) {
        cluster.at(0).set("k" + std::to_string(i), "a");
        cluster.at(1).set("k" + std::to_string(i), "b");
    }
    meet(cluster);
    const ConflictRing& ring = cluster.at(0)->group().conflicts();
    BOOST_TEST(ring.bytes() <= 1000U);
    BOOST_TEST(ring.recorded() == 50U);
    BOOST_TEST(ring.dropped() > 0U);
    const std::vector<ConflictRecord> kept = records_of(cluster.at(0));
    BOOST_TEST(kept.size() + ring.dropped() == 50U);
    BOOST_TEST(kept.front().sequence == ring.first());
    BOOST_TEST(kept.back().sequence == 50U);
}

BOOST_AUTO_TEST_CASE(large_values_are_kept_as_length_and_hash) {
    TestCluster cluster(2);
    cluster.at(0).set("key", Bytes(2000, 'x'));
    cluster.at(1).set("key", Bytes(1024, 'y'));
    meet(cluster);
    const ConflictRecord record = record_of(cluster.at(0));
    const bool first_won = record.winner.dot.actor == cluster.at(0)->actor();
    const ConflictSide& large = first_won ? record.winner : record.loser;
    const ConflictSide& small = first_won ? record.loser : record.winner;
    BOOST_TEST(large.value->length == 2000U);
    BOOST_TEST(*large.value->hash == hash64(Bytes(2000, 'x')));
    BOOST_TEST(!large.value->bytes);
    BOOST_TEST(small.value->bytes->size() == 1024U);
}

BOOST_AUTO_TEST_CASE(capturing_can_be_off) {
    TestCluster cluster(2,
                        [](ReplicaOptions& options) { options.conflicts.capture_values = false; });
    cluster.at(0).set("key", "one");
    cluster.at(1).set("key", "other");
    meet(cluster);
    const ConflictRecord record = record_of(cluster.at(0));
    BOOST_TEST(record.winner.value->length + record.loser.value->length == 8U);
    BOOST_TEST(!record.winner.value->hash);
    BOOST_TEST(!record.winner.value->bytes);
}

BOOST_AUTO_TEST_CASE(pages_go_both_ways_and_filter) {
    TestCluster cluster(2);
    for (int i = 0; i < 9; ++i) {
        cluster.at(0).set((i % 3 == 0 ? "a" : "b") + std::to_string(i), "a");
        cluster.at(1).set((i % 3 == 0 ? "a" : "b") + std::to_string(i), "b");
    }
    meet(cluster);
    ConflictRing& ring = cluster.at(0)->group().conflicts();
    ConflictQuery query;
    query.count = 4;
    ConflictPage page = *ring.page(query);
    BOOST_TEST(page.records.size() == 4U);
    BOOST_TEST(page.more);
    BOOST_TEST(page.next == 4U);
    query.after = 8;
    page = *ring.page(query);
    BOOST_TEST(page.records.size() == 1U);
    BOOST_TEST(!page.more);
    query.after = UINT64_MAX;
    BOOST_TEST(ring.page(query)->records.empty());
    query.newest_first = true;
    BOOST_TEST(ring.page(query)->records.front().sequence == 9U);
    query.after = 3;
    BOOST_TEST(ring.page(query)->records.size() == 2U);
    ConflictQuery prefixed;
    prefixed.prefix = "a";
    BOOST_TEST(ring.page(prefixed)->records.size() == 3U);
    ConflictQuery keyed;
    keyed.key = "b1";
    BOOST_TEST(ring.page(keyed)->records.size() == 1U);
    ConflictQuery other_kind;
    other_kind.kind = ConflictKind::type_clash;
    BOOST_TEST(ring.page(other_kind)->records.empty());
}

BOOST_AUTO_TEST_CASE(a_removed_text_takes_along_what_was_inserted_meanwhile) {
    TestCluster cluster(2);
    const auto append = [&](std::size_t at, BytesView text) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::text_append(txn, "page", text));
            return {};
        });
    };
    append(0, "seen");
    meet(cluster);
    part(cluster);
    append(0, " one");
    append(0, " two");
    remove_key(cluster.at(1), "page");
    meet(cluster);
    const ConflictRecord record = record_of(cluster.at(0));
    BOOST_TEST((record.kind == ConflictKind::edit_remove));
    BOOST_TEST((record.winner.action == ConflictAction::remove));
    BOOST_TEST((record.winner.dot.actor == cluster.at(1)->actor()));
    BOOST_TEST((record.loser.dot == Dot{cluster.at(0)->actor(), 3}));
    BOOST_TEST(*record.loser.value->bytes == " one two");
    // There the removal came first: what hangs on the removed text was ignored.
    BOOST_TEST(records_of(cluster.at(1)).empty());
}

BOOST_AUTO_TEST_CASE(damaged_records_are_errors) {
    TestCluster cluster(2);
    cluster.at(0).set("key", "one");
    cluster.at(1).set("key", "other");
    meet(cluster);
    const ConflictRecord record = record_of(cluster.at(0));
    const Bytes bytes = encode_conflict(record);
    BOOST_TEST((*decode_conflict(record.sequence, bytes) == record));
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        BOOST_TEST(!decode_conflict(1, BytesView(bytes).substr(0, length)).has_value());
    }
    BOOST_TEST(!decode_conflict(1, bytes + "x").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
