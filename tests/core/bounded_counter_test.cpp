// Bounded counters in the engine: the bound holds in all histories, with partitions, a replica that
// is lost, and removals of everything around the counter.
#include <boost/test/unit_test.hpp>

#include "tests/crdt/spec_bounded_counter.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(bounded_counter)
namespace {

using test::spec::BoundedOperation;
using Kind = BoundedOperation::Kind;

const Bytes key = "stock";

/// Runs an operation that may be refused; refused ones change nothing.
std::optional<Code> attempt(TestReplica& replica,
                            const std::function<Result<void>(Transaction&)>& operation) {
    std::optional<Code> refused;
    replica.run([&](Transaction& txn) -> Result<void> {
        const Result<void> done = operation(txn);
        if (!done) refused = done.error().code;
        return {};
    });
    return refused;
}

std::optional<CellType> visible_type(TestReplica& replica) {
    std::optional<CellType> type;
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(type, txn.visible_type(key));
        return {};
    });
    return type;
}

/// Empty also if something else is under the key.
BoundedCounter read(TestReplica& replica) {
    BoundedCounter counter;
    if (visible_type(replica) != CellType::bounded_counter) return counter;
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(counter, operations::bounded_read(txn, key));
        return {};
    });
    return counter;
}

std::optional<Code> increment(TestReplica& replica, std::int64_t amount) {
    return attempt(replica, [&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::bounded_increment(txn, key, amount));
        return {};
    });
}

std::optional<Code> decrement(TestReplica& replica, std::int64_t amount) {
    return attempt(replica, [&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::bounded_decrement(txn, key, amount));
        return {};
    });
}

std::optional<Code> transfer(TestReplica& replica, std::int64_t amount, const Actor& to) {
    return attempt(replica, [&](Transaction& txn) {
        return operations::bounded_transfer(txn, key, amount, to);
    });
}

/// A log so short that who was away needs a session.
void short_log(ReplicaOptions& options) {
    options.log.segment_bytes = 4096;
    options.log_retention.bytes = 4096;
    options.checkpoint_log_bytes = 4096;
    options.leaf_bits = 8;
}

/// Random histories of one counter on three replicas, compared with the specification after each
/// step. One of the replicas is lost on the way.
class BoundedHistory {
public:
    explicit BoundedHistory(std::uint64_t seed) : random_(seed) {}

    void run(std::size_t steps) {
        for (std::size_t i = 0; i < steps; ++i) {
            if (i == steps / 2) lose(2);
            step();
        }
        for (std::size_t a = 0; a < alive_; ++a) {
            for (std::size_t b = a + 1; b < alive_; ++b) link(a, b, true);
        }
        cluster_.pump(10'000);
        for (std::size_t index = 0; index < alive_; ++index) check(index);
        BOOST_REQUIRE((cluster_.at(0)->group().vv() == cluster_.at(1)->group().vv()));
        BOOST_REQUIRE(cluster_.at(0)->group().check().has_value());
        BOOST_REQUIRE((read(cluster_.at(0)).parts_from({}) == read(cluster_.at(1)).parts_from({})));
    }

    std::size_t refused = 0;
    std::size_t used = 0;
    std::size_t removals = 0;

    [[nodiscard]] std::uint64_t sessions() {
        return cluster_.at(0)->stats().sessions_completed +
               cluster_.at(1)->stats().sessions_completed;
    }

private:
    void step() {
        const std::size_t index = random_.below(alive_);
        const std::size_t what = random_.below(12);
        if (what < 7) {
            operate(index);
        } else if (what == 7) {
            remove_around(index);
        } else if (what == 8) {
            cluster_.restart(index);
            wires_.clear();  // those of all others are cut, too: simpler, and as good
            for (std::size_t a = 0; a < alive_; ++a) {
                for (std::size_t b = a + 1; b < alive_; ++b) cluster_.disconnect(a, b);
            }
        } else if (what == 9) {
            write_rows(index);
        } else {
            const std::size_t other = (index + 1 + random_.below(alive_ - 1)) % alive_;
            link(std::min(index, other), std::max(index, other), random_.below(2) == 0);
        }
        cluster_.pump(random_.below(2) == 0 ? 0 : 100);
        for (std::size_t i = 0; i < alive_; ++i) check(i);
    }

    void operate(std::size_t index) {
        TestReplica& replica = cluster_.at(index);
        const Actor self = replica->actor();
        if (visible_type(replica) == CellType::string) {
            BOOST_REQUIRE((increment(replica, 1) == Code::wrong_type));
            replica.run([](Transaction& txn) -> Result<void> {
                SYNCLINE_CHECK(operations::key_delete(txn, key));
                return {};
            });
        }
        const auto amount = static_cast<std::int64_t>(1 + random_.below(20));
        const std::size_t kind = random_.below(5);
        if (kind == 0) {
            BOOST_REQUIRE(!increment(replica, 4 * amount));
            record(index, {Kind::make, static_cast<std::uint64_t>(4 * amount), {}});
            return;
        }
        const bool allowed = test::spec::rights_of(seen_by(index), self) >= amount;
        const Actor to = cluster_.at((index + 1 + random_.below(2)) % 3)->actor();
        const std::optional<Code> refusal =
            kind == 1 ? transfer(replica, amount, to) : decrement(replica, amount);
        BOOST_REQUIRE((refusal == (allowed ? std::nullopt : std::optional(Code::no_rights))));
        if (refusal) {
            ++refused;
            return;
        }
        if (kind != 1) ++used;
        record(index,
               {kind == 1 ? Kind::transfer : Kind::use, static_cast<std::uint64_t>(amount), to});
    }

    /// Removals of what is under the key, and of everything; refused, or without effect on it.
    void remove_around(std::size_t index) {
        ++removals;
        TestReplica& replica = cluster_.at(index);
        const bool exists = read(replica).exists();
        const std::size_t kind = random_.below(4);
        const std::optional<Code> refusal = attempt(replica, [&](Transaction& txn) -> Result<void> {
            if (kind == 0) return txn.clear_buckets(0, 0xffff);
            if (kind == 1) {
                SYNCLINE_CHECK(operations::key_delete(txn, key));
            } else if (kind == 2) {  // what has ended soon, where there is a string yet
                SYNCLINE_CHECK(operations::string_set(txn, key, "text"));
                SYNCLINE_CHECK(operations::key_expire(txn, key, txn.now_ms() + 50));
            } else {  // of the log: whatever the operations refuse, others may send
                txn.clear(key);
            }
            return {};
        });
        const bool refuses = exists && (kind == 1 || kind == 2);
        BOOST_REQUIRE((refusal == (refuses ? std::optional(Code::permanent) : std::nullopt)));
    }

    /// Fills the log, so that the next peer needs a session.
    void write_rows(std::size_t index) {
        for (int i = 0; i < 20; ++i) {
            cluster_.at(index).set("row" + std::to_string(random_.below(50)), Bytes(200, 'v'));
        }
        cluster_.at(index).settle();
    }

    void link(std::size_t a, std::size_t b, bool up) {
        if (up == wires_.contains({a, b})) return;
        if (up) {
            cluster_.connect(a, b);
            wires_.insert({a, b});
        } else {
            cluster_.disconnect(a, b);
            wires_.erase({a, b});
        }
    }

    void lose(std::size_t index) {
        for (std::size_t other = 0; other < index; ++other) link(other, index, false);
        alive_ = index;
    }

    void record(std::size_t index, const BoundedOperation& operation) {
        Replica& replica = cluster_.at(index).replica();
        const Actor self = replica.actor();
        events_.push_back({Dot{self, replica.group().vv().counter(self)}, {}, {}, operation});
    }

    test::spec::Events<BoundedOperation> seen_by(std::size_t index) {
        const VersionVector& seen = cluster_.at(index)->group().vv();
        test::spec::Events<BoundedOperation> visible;
        for (const auto& event : events_) {
            if (seen.covers(event.dot)) visible.push_back(event);
        }
        return visible;
    }

    void check(std::size_t index) {
        const auto visible = seen_by(index);
        const BoundedCounter counter = read(cluster_.at(index));
        const std::int64_t value = test::spec::bounded_value(visible);
        BOOST_REQUIRE(value >= 0);
        BOOST_REQUIRE(counter.value() == value);
        for (std::size_t i = 0; i < 3; ++i) {
            const Actor actor = cluster_.at(i)->actor();
            const std::int64_t rights = test::spec::rights_of(visible, actor);
            BOOST_REQUIRE(rights >= 0);
            BOOST_REQUIRE(counter.part(actor).rights == static_cast<std::uint64_t>(rights));
        }
        if (counter.exists()) BOOST_REQUIRE(cluster_.at(index)->group().keys_count() > 0);
    }

    test::SeededRandom random_;
    TestCluster cluster_{3, short_log};
    std::size_t alive_ = 3;
    std::set<std::pair<std::size_t, std::size_t>> wires_;
    test::spec::Events<BoundedOperation> events_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_bound_holds_in_every_history) {
    std::size_t refused = 0;
    std::size_t used = 0;
    std::size_t removals = 0;
    std::uint64_t sessions = 0;
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(100))) {
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            BoundedHistory history(seed);
            history.run(200);
            refused += history.refused;
            used += history.used;
            removals += history.removals;
            sessions += history.sessions();
        }
    }
    BOOST_TEST_MESSAGE(used << " uses, " << refused << " refused, " << removals << " removals, "
                            << sessions << " sessions");
    BOOST_TEST((used > 0 && refused > 0 && removals > 0));
}

BOOST_AUTO_TEST_CASE(two_sides_of_a_partition_use_only_their_own_rights) {
    TestCluster cluster(2);
    cluster.connect(0, 1);
    BOOST_TEST(!increment(cluster.at(0), 10));
    BOOST_TEST(!transfer(cluster.at(0), 4, cluster.at(1)->actor()));
    cluster.pump();
    cluster.disconnect(0, 1);
    BOOST_TEST(!decrement(cluster.at(0), 6));
    BOOST_TEST((decrement(cluster.at(0), 1) == Code::no_rights));
    BOOST_TEST(!decrement(cluster.at(1), 3));
    BOOST_TEST((decrement(cluster.at(1), 2) == Code::no_rights));
    BOOST_TEST(read(cluster.at(1)).value() == 7);
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(read(cluster.at(0)).value() == 1);
    BOOST_TEST(read(cluster.at(1)).part(cluster.at(1)->actor()).rights == 1U);
}

BOOST_AUTO_TEST_CASE(a_refusal_says_how_many_rights_are_here_in_all_and_where_most_are) {
    TestCluster cluster(2);
    cluster.connect(0, 1);
    increment(cluster.at(0), 10);
    cluster.pump();
    const std::string other = to_string(cluster.at(0)->actor());
    cluster.at(1).run([&](Transaction& txn) -> Result<void> {
        const Error error = operations::bounded_decrement(txn, key, 3).error();
        BOOST_TEST(error.message ==
                   "of 10 rights this replica has 0, 3 are needed; of the others " + other +
                       " has most, 10");
        BOOST_TEST(operations::bounded_decrement(txn, "none", 3).error().message ==
                   "of 0 rights this replica has 0, 3 are needed; no other replica has any");
        return {};
    });
}

BOOST_AUTO_TEST_CASE(numbers_that_would_overflow_are_refused) {
    TestCluster cluster(2);
    const auto all = static_cast<std::int64_t>(rights_max);
    BOOST_TEST((increment(cluster.at(0), 0) == Code::invalid_argument));
    BOOST_TEST((decrement(cluster.at(0), -1) == Code::invalid_argument));
    BOOST_TEST(!increment(cluster.at(0), all));
    BOOST_TEST((increment(cluster.at(0), 1) == Code::overflow));
    BOOST_TEST(!decrement(cluster.at(0), all));
    BOOST_TEST((increment(cluster.at(0), 1) == Code::overflow));  // it has made all it can
    BOOST_TEST(read(cluster.at(0)).value() == 0);
    BOOST_TEST(!increment(cluster.at(1), all));
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(read(cluster.at(0)).value() == all);
    // Together concurrent increments go beyond; what is shown is the largest number.
    TestCluster beyond(2);
    for (const std::size_t i : {0U, 1U}) increment(beyond.at(i), all);
    beyond.connect(0, 1);
    beyond.pump();
    for (const std::size_t i : {0U, 1U}) {
        BOOST_TEST(read(beyond.at(i)).value() == all);
        BOOST_TEST(!decrement(beyond.at(i), all));
    }
    beyond.pump();
    BOOST_TEST(read(beyond.at(0)).value() == 0);
}

BOOST_AUTO_TEST_CASE(rights_go_to_others_that_are) {
    TestCluster cluster(1);
    const Actor self = cluster.at(0)->actor();
    increment(cluster.at(0), 5);
    BOOST_TEST((transfer(cluster.at(0), 1, self) == Code::invalid_argument));
    BOOST_TEST((transfer(cluster.at(0), 6, Actor{9, 0}) == Code::no_rights));
    BOOST_TEST(!transfer(cluster.at(0), 5, Actor{9, 0}));
    BOOST_TEST((decrement(cluster.at(0), 1) == Code::no_rights));
}

BOOST_AUTO_TEST_CASE(one_transaction_sees_what_it_did) {
    TestCluster cluster(1);
    cluster.at(0).set(key, "text");
    cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        BOOST_TEST(operations::key_delete(txn, key).value());
        BOOST_TEST(operations::bounded_increment(txn, key, 5).value() == 5);
        BOOST_TEST(operations::bounded_decrement(txn, key, 2).value() == 3);
        BOOST_TEST((operations::bounded_decrement(txn, key, 4).error().code == Code::no_rights));
        BOOST_TEST((operations::key_delete(txn, key).error().code == Code::permanent));
        BOOST_TEST((operations::string_set(txn, key, "x").error().code == Code::permanent));
        BOOST_TEST((operations::key_expire(txn, key, 1).error().code == Code::permanent));
        BOOST_TEST(txn.keys_count().value() == 1U);
        return {};
    });
    BOOST_TEST(read(cluster.at(0)).value() == 3);
    BOOST_TEST(cluster.at(0)->group().check().has_value());
}

BOOST_AUTO_TEST_CASE(a_key_that_ends_elsewhere_leaves_the_counter) {
    TestCluster cluster(2);
    cluster.at(0).set(key, "text");
    cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::key_expire(txn, key, txn.now_ms() + 1000));
        return {};
    });
    increment(cluster.at(1), 7);
    cluster.connect(0, 1);
    cluster.pump(120'000);
    BOOST_TEST(cluster.difference() == "");
    for (const std::size_t i : {0U, 1U}) {
        BOOST_TEST(read(cluster.at(i)).value() == 7);
        BOOST_TEST(cluster.at(i)->group().keys_count() == 1U);
        cluster.at(i).run([&](Transaction& txn) -> Result<void> {
            BOOST_TEST((txn.visible_type(key).value() == CellType::bounded_counter));
            BOOST_TEST(!txn.cell(key, CellType::string, std::nullopt).value().live());
            BOOST_TEST(!operations::key_deadline(txn, key).value());
            std::size_t keys = 0;
            SYNCLINE_CHECK(txn.scan_keys(0, 100, [&](BytesView, CellType) { return ++keys > 0; }));
            BOOST_TEST(keys == 1U);
            return {};
        });
    }
    BOOST_TEST(cluster.at(0)->stats().keys_expired == 1U);
}

BOOST_AUTO_TEST_CASE(events_that_write_what_only_another_may_write_are_refused) {
    const Actor writer{7, 2};
    Event event;
    event.dot = Dot{writer, 1};
    CellOp op{key, CellType::bounded_counter, rights_field({writer, writer}), {}};
    op.delta.writes_dots = true;
    op.delta.value = rights_bytes(300);
    const auto accepted = [&]() {
        event.ops = {op};
        return decode_event(encode_event(event)).has_value();
    };
    BOOST_TEST(accepted());
    event.ops = {op};
    // kind of op, key, type, field, form, number
    BOOST_TEST(
        to_hex(encode_event(event)).ends_with("9500c40573746f636b09c404070207029202c402ac02"));
    op.field = rights_field({Actor{8, 0}, writer});
    BOOST_TEST(!accepted());
    op.field = Bytes("\x07", 1);
    BOOST_TEST(!accepted());
    op.field = rights_field({writer, Actor{8, 0}});
    BOOST_TEST(accepted());
    op.delta.value.reset();  // a removal
    BOOST_TEST(!accepted());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
