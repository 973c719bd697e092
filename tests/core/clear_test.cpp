/// Removal of whole keys and buckets, as one range where nothing stays: what remains, what memory
/// it takes, and that it says the same as row by row.
#include <boost/test/unit_test.hpp>

#include "core/engine/operations.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(clear)
namespace {

namespace ops = operations;

constexpr int many = 3000;  // more than are cleared one by one

void few_buckets(ReplicaOptions& options) {
    options.leaf_bits = 6;
    options.scrub_interval_ms = 0;
}

/// A set, a hash with a field too long for a short row key, a sorted set, a list; one ends.
void fill(TestReplica& replica, BytesView key, int from, int to) {
    replica.run([&](Transaction& txn) -> Result<void> {
        for (int i = from; i < to; ++i) {
            const Bytes name = std::to_string(i);
            SYNCLINE_CHECK(ops::set_add(txn, Bytes(key) + ":set", "member" + name));
            SYNCLINE_CHECK(ops::hash_set(txn, Bytes(key) + ":hash", "field" + name, name));
            SYNCLINE_CHECK(ops::sorted_add(txn, Bytes(key) + ":scores", "member" + name, i));
        }
        SYNCLINE_CHECK(
            ops::hash_set(txn, Bytes(key) + ":hash", Bytes(600, 'f'), "of a long field"));
        SYNCLINE_CHECK(ops::key_expire(txn, Bytes(key) + ":set", 4'000'000'000'000));
        return {};
    });
}

void remove(TestReplica& replica, const std::vector<Bytes>& keys) {
    replica.run([&](Transaction& txn) -> Result<void> {
        for (const Bytes& key : keys) SYNCLINE_CHECK(ops::key_delete(txn, key));
        return {};
    });
}

void flush(TestReplica& replica) {
    replica->request_checkpoint();
    replica.settle();
}

const std::vector<Bytes> all_of_a = {"a:set", "a:hash", "a:scores"};

}  // namespace

BOOST_AUTO_TEST_CASE(a_large_key_goes_without_memory_for_its_rows) {
    TestCluster cluster(2, few_buckets);
    TestReplica& replica = cluster.at(0);
    cluster.connect(0, 1);
    fill(replica, "a", 0, many);
    fill(replica, "b", 0, 10);
    cluster.pump();
    for (std::size_t i = 0; i < 2; ++i) flush(cluster.at(i));
    const std::uint64_t before = replica->group().store().overlay_bytes();
    remove(replica, all_of_a);
    BOOST_TEST(replica->group().store().overlay_bytes() < before + 8 * limits::kib);
    BOOST_TEST(replica->group().keys_count() == 3U);
    BOOST_TEST(replica.members("a:set").empty());
    cluster.pump();
    BOOST_TEST(cluster.at(1)->group().store().overlay_bytes() < 64 * limits::kib);
    BOOST_TEST(cluster.difference() == "");  // looks at sums, counts and derived rows as well
    fill(replica, "a", many - 10, many + 10);
    cluster.pump();
    BOOST_TEST(replica.members("a:set").size() == 20U);
    BOOST_TEST(cluster.difference() == "");
    for (std::size_t i = 0; i < 2; ++i) flush(cluster.at(i));
    BOOST_TEST(cluster.difference() == "");
    cluster.restart(0);
    BOOST_TEST(cluster.at(0).members("a:set").size() == 20U);
    BOOST_TEST(cluster.at(0)->group().keys_count() == 6U);
}

BOOST_AUTO_TEST_CASE(what_a_removal_has_not_seen_stays) {
    TestCluster cluster(2, few_buckets);
    cluster.connect(0, 1);
    fill(cluster.at(0), "a", 0, many);
    cluster.pump();
    flush(cluster.at(1));
    cluster.disconnect(0, 1);
    remove(cluster.at(0), all_of_a);
    fill(cluster.at(1), "a", many - 1, many + 1);
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.at(0).members("a:set").size() == 2U);
    BOOST_TEST(cluster.difference() == "");
}

/// Before a checkpoint the rows stand in the log alone, and come back through it.
BOOST_AUTO_TEST_CASE(a_removal_is_replayed) {
    TestCluster cluster(1, few_buckets);
    fill(cluster.at(0), "a", 0, many);
    flush(cluster.at(0));
    fill(cluster.at(0), "a", many, many + 50);
    remove(cluster.at(0), all_of_a);
    cluster.at(0).add("a:set", "again");
    cluster.restart(0);
    BOOST_TEST(cluster.at(0).members("a:set").size() == 1U);
    BOOST_TEST(cluster.at(0)->group().keys_count() == 1U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(removing_everything_takes_little_memory) {
    TestCluster cluster(2, few_buckets);
    cluster.connect(0, 1);
    for (int i = 0; i < 2000; ++i) cluster.at(0).set("key" + std::to_string(i), "value");
    fill(cluster.at(0), "a", 0, many);
    cluster.pump();
    for (std::size_t i = 0; i < 2; ++i) flush(cluster.at(i));
    cluster.at(0).run([](Transaction& txn) -> Result<void> { return txn.clear_buckets(0, 65535); });
    BOOST_TEST(cluster.at(0)->group().keys_count() == 0U);
    BOOST_TEST(cluster.at(0)->group().store().overlay_bytes() < 32 * limits::kib);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    flush(cluster.at(0));
    BOOST_TEST(cluster.at(0)->group().leaf_sums().root().count == 0U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
