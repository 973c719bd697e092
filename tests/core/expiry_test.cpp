#include "crdt/expiry.hpp"

#include <boost/test/unit_test.hpp>

#include "core/engine/operations.hpp"
#include "core/engine/transaction.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(expiry)
namespace {

constexpr std::uint64_t grace_ms = 2000;

void with_short_grace(ReplicaOptions& options) {
    options.expiry_grace_ms = grace_ms;
}

struct Keys {
    explicit Keys(std::size_t replicas) : cluster(replicas, with_short_grace) {}

    void expire(std::size_t at, BytesView key, std::uint64_t after_ms) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_TRY(const bool done,
                         operations::key_expire(txn, key, txn.now_ms() + after_ms));
            BOOST_TEST(done);
            return {};
        });
    }
    void persist(std::size_t at, BytesView key) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_TRY(const bool done, operations::key_persist(txn, key));
            BOOST_TEST(done);
            return {};
        });
    }
    std::optional<std::uint64_t> deadline(std::size_t at, BytesView key) {
        std::optional<std::uint64_t> found;
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_TRY(found, operations::key_deadline(txn, key));
            return {};
        });
        return found;
    }
    /// Rows of the key, of any type, whether they are seen or not.
    bool has_rows(std::size_t at, BytesView key) {
        const bool value = !cluster.at(at)->group().cell(key, CellType::string, {})->empty();
        return value || !cluster.at(at)->group().cell(key, CellType::expiry, {})->empty();
    }

    TestCluster cluster;
};

BOOST_AUTO_TEST_CASE(a_key_is_hidden_at_its_deadline_and_removed_after_the_grace) {
    Keys keys(2);
    keys.cluster.connect(0, 1);
    keys.cluster.at(0).set("k", "v");
    keys.expire(0, "k", 5000);
    keys.cluster.pump(4000);
    BOOST_TEST(keys.cluster.at(1).get("k").value() == "v");
    BOOST_TEST(keys.deadline(1, "k").has_value());
    keys.cluster.pump(1500);
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(!keys.cluster.at(i).get("k").has_value());
        BOOST_TEST(!keys.deadline(i, "k").has_value());
        BOOST_TEST(keys.has_rows(i, "k"));
    }
    keys.cluster.pump(grace_ms + 1000);
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(!keys.has_rows(i, "k"));
        BOOST_TEST(keys.cluster.at(i)->group().keys_count() == 0U);
    }
    BOOST_TEST(keys.cluster.at(0)->stats().keys_expired == 1U);
    BOOST_TEST(keys.cluster.at(1)->stats().keys_expired == 0U);
    BOOST_TEST(keys.cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_key_that_a_transaction_empties_and_fills_again_has_no_deadline) {
    Keys keys(1);
    const auto add = [](Transaction& txn, BytesView member) {
        return operations::set_add(txn, "s", member);
    };
    keys.cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(add(txn, "one"));
        SYNCLINE_CHECK(operations::list_push(txn, "l", operations::ListEnd::back, {"x"}));
        return {};
    });
    keys.expire(0, "s", 5000);
    keys.expire(0, "l", 5000);
    keys.cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(add(txn, "two"));  // it is not empty in between: the deadline stays
        SYNCLINE_CHECK(operations::set_remove(txn, "s", "one"));
        return {};
    });
    BOOST_TEST(keys.deadline(0, "s").has_value());
    keys.cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::set_remove(txn, "s", "two"));
        SYNCLINE_CHECK(add(txn, "three"));
        // A list of one element that is moved to itself is never empty.
        SYNCLINE_CHECK(operations::list_move(txn, "l", operations::ListEnd::front, "l",
                                             operations::ListEnd::back));
        return {};
    });
    BOOST_TEST(!keys.deadline(0, "s").has_value());
    BOOST_TEST(keys.deadline(0, "l").has_value());
    keys.cluster.pump(6000);
    keys.cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(const bool there, operations::set_contains(txn, "s", "three"));
        BOOST_TEST(there);
        return {};
    });
}

BOOST_AUTO_TEST_CASE(a_key_can_be_used_in_the_transaction_that_gives_it_a_deadline) {
    Keys keys(1);
    keys.cluster.at(0).run([](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::set_add(txn, "s", "one"));
        SYNCLINE_CHECK(operations::key_expire(txn, "s", txn.now_ms() + 5000));
        SYNCLINE_CHECK(operations::set_add(txn, "s", "two"));
        SYNCLINE_CHECK(operations::string_increment(txn, "n", 1));
        SYNCLINE_CHECK(operations::key_expire(txn, "n", txn.now_ms() + 5000));
        SYNCLINE_CHECK(operations::string_increment(txn, "n", 1));
        SYNCLINE_TRY(const std::optional<CellType> type, txn.visible_type("s"));
        BOOST_TEST((type == CellType::set));
        return {};
    });
    BOOST_TEST(keys.cluster.at(0).members("s").size() == 2U);
    BOOST_TEST(keys.cluster.at(0).get("n").value() == "2");
    BOOST_TEST(keys.deadline(0, "s").has_value());
    BOOST_TEST(keys.deadline(0, "n").has_value());
}

BOOST_AUTO_TEST_CASE(the_longest_of_concurrent_deadlines_counts) {
    Keys keys(3);
    keys.cluster.at(0).set("k", "v");
    keys.cluster.connect(0, 1);
    keys.cluster.connect(0, 2);
    keys.cluster.pump();
    keys.cluster.disconnect(0, 1);
    keys.cluster.disconnect(0, 2);
    keys.expire(1, "k", 60000);
    keys.expire(2, "k", 10000);
    keys.cluster.connect(0, 1);
    keys.cluster.connect(0, 2);
    keys.cluster.pump();
    for (std::size_t i = 0; i < 3; ++i) {
        const std::uint64_t left = keys.deadline(i, "k").value() - keys.cluster.now_ms();
        BOOST_TEST(left > 50000U);
    }
    BOOST_TEST(keys.cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(never_is_longer_than_any_deadline) {
    Keys keys(2);
    keys.cluster.at(0).set("k", "v");
    keys.expire(0, "k", 100000);
    keys.cluster.connect(0, 1);
    keys.cluster.pump();
    keys.cluster.disconnect(0, 1);
    keys.persist(1, "k");
    keys.expire(0, "k", 4000);
    keys.cluster.pump(3000);  // the deadline is not behind yet when they meet
    keys.cluster.connect(0, 1);
    keys.cluster.pump(10000 + grace_ms);
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(!keys.deadline(i, "k").has_value());
        BOOST_TEST(keys.cluster.at(i).get("k").value() == "v");
    }
    BOOST_TEST(keys.cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_write_beside_the_removal_survives) {
    Keys keys(2);
    keys.cluster.at(0).increment("k", 5);
    keys.expire(0, "k", 100);
    keys.cluster.connect(0, 1);
    keys.cluster.pump(50);
    keys.cluster.disconnect(0, 1);
    keys.cluster.at(1).increment("k", 1);  // before the deadline
    keys.cluster.pump(5000 + grace_ms);
    BOOST_TEST(keys.cluster.at(0)->group().keys_count() == 0U);
    keys.cluster.connect(0, 1);
    keys.cluster.pump();
    for (std::size_t i = 0; i < 2; ++i) BOOST_TEST(keys.cluster.at(i).get("k").value() == "1");
    BOOST_TEST(keys.cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_write_after_the_deadline_begins_anew) {
    Keys keys(1);
    keys.cluster.at(0).increment("k", 5);
    keys.expire(0, "k", 100);
    keys.cluster.pump(200);
    keys.cluster.at(0).increment("k", 1);
    BOOST_TEST(keys.cluster.at(0).get("k").value() == "1");
    BOOST_TEST(!keys.deadline(0, "k").has_value());
    keys.cluster.pump(5000 + grace_ms);
    BOOST_TEST(keys.cluster.at(0).get("k").value() == "1");
    BOOST_TEST(keys.cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_deadline_that_outlived_its_key_is_not_that_of_the_next) {
    Keys keys(2);
    keys.cluster.at(0).set("k", "v");
    keys.cluster.connect(0, 1);
    keys.cluster.pump();
    keys.cluster.disconnect(0, 1);
    keys.expire(0, "k", 60000);
    keys.cluster.at(1).run([](Transaction& txn) -> Result<void> {
        return operations::key_delete(txn, "k") ? Result<void>() : Error{Code::corrupt, "?"};
    });
    keys.cluster.connect(0, 1);
    keys.cluster.pump();
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(!keys.cluster.at(i).get("k").has_value());
        BOOST_TEST(keys.has_rows(i, "k"));  // the deadline, beside nothing
    }
    keys.cluster.at(1).set("k", "new");
    BOOST_TEST(!keys.deadline(1, "k").has_value());
    keys.cluster.pump(100000);
    for (std::size_t i = 0; i < 2; ++i) BOOST_TEST(keys.cluster.at(i).get("k").value() == "new");
    BOOST_TEST(keys.cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(others_remove_what_its_owner_does_not) {
    Keys keys(2);
    keys.cluster.at(0).set("k", "v");
    keys.expire(0, "k", 1000);
    keys.cluster.connect(0, 1);
    keys.cluster.pump(500);
    keys.cluster.disconnect(0, 1);
    keys.cluster.pump(9 * grace_ms);  // the owner removes it, and cannot say so
    BOOST_TEST(!keys.has_rows(0, "k"));
    BOOST_TEST(keys.has_rows(1, "k"));
    keys.cluster.pump(2 * grace_ms);
    BOOST_TEST(!keys.has_rows(1, "k"));
    BOOST_TEST(keys.cluster.at(1)->stats().keys_expired == 1U);
    keys.cluster.connect(0, 1);
    keys.cluster.pump();
    BOOST_TEST(keys.cluster.difference() == "");
}

/// Rows of deadlines are derived: one that is left over, as after damage, removes nothing.
BOOST_AUTO_TEST_CASE(a_deadline_that_is_left_over_removes_no_key) {
    Keys keys(1);
    keys.cluster.at(0).set("k", "v");
    keys.expire(0, "k", 5000);
    const OrderRowKey row = encode_deadline_row(keys.deadline(0, "k").value(), "k");
    keys.expire(0, "k", 100000);
    Store& store = keys.cluster.at(0)->group().store();
    store.put(Table::deadlines, row.bytes, row.value, store.seen());
    keys.cluster.pump(5000 + 2 * grace_ms);
    BOOST_TEST(keys.cluster.at(0).get("k").value() == "v");
    BOOST_TEST(keys.cluster.at(0)->stats().keys_expired == 0U);
}

BOOST_AUTO_TEST_CASE(many_keys_go_and_deadlines_survive_a_restart) {
    Keys keys(1);
    for (unsigned i = 0; i < 1500; ++i) keys.cluster.at(0).set("k" + std::to_string(i), "v");
    keys.cluster.at(0).run([](Transaction& txn) -> Result<void> {
        for (unsigned i = 0; i < 1500; ++i) {
            SYNCLINE_CHECK(
                operations::key_expire(txn, "k" + std::to_string(i), txn.now_ms() + 1000 + i % 7));
        }
        return {};
    });
    keys.cluster.restart(0);
    BOOST_TEST(keys.deadline(0, "k7").has_value());
    keys.cluster.pump(2000);
    BOOST_TEST(!keys.cluster.at(0).get("k7").has_value());
    keys.cluster.pump(2000 + grace_ms);
    BOOST_TEST(keys.cluster.at(0)->group().keys_count() == 0U);
    BOOST_TEST(keys.cluster.at(0)->stats().keys_expired == 1500U);
    BOOST_TEST(keys.cluster.difference() == "");
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
