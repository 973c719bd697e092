#include "tools/replay.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "core/engine/event_head.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(replay_of_a_real_history)
namespace {

/// The replay's three replicas as objects with links that tests can tamper with.
class LocalCluster final : public ReplayCluster {
public:
    /// Batches can be looked at: they are not compressed.
    LocalCluster()
        : cluster_(replay_replicas,
                   [](ReplicaOptions& options) { options.compressed_bytes_min = 0; }) {
        for (std::size_t a = 0; a < replay_replicas; ++a) {
            for (std::size_t b = a + 1; b < replay_replicas; ++b) cluster_.connect(a, b);
        }
    }

    Result<void> submit(std::size_t replica, const std::vector<Write>& writes) override {
        cluster_.at(replica).run([&](Transaction& txn) -> Result<void> {
            for (const auto& [key, value] : writes) {
                if (value) {
                    SYNCLINE_CHECK(operations::string_set(txn, key, *value));
                } else {
                    SYNCLINE_CHECK(operations::key_delete(txn, key));
                }
            }
            return {};
        });
        return {};
    }
    Result<Seen> await(std::size_t replica) override { return seen(replica); }
    Result<Seen> seen(std::size_t replica) override {
        Seen seen{};
        for (std::size_t i = 0; i < replay_replicas; ++i) {
            seen[i] = cluster_.at(replica)->group().vv().counter(cluster_.at(i)->actor());
        }
        return seen;
    }
    Result<void> set_isolated(std::size_t replica, bool isolated) override {
        for (std::size_t other = 0; other < replay_replicas; ++other) {
            if (other == replica) continue;
            if (isolated) {
                cluster_.disconnect(replica, other);
            } else {
                cluster_.connect(replica, other);
            }
        }
        return {};
    }
    Result<std::map<Bytes, Bytes>> state(std::size_t replica) override {
        std::map<Bytes, Bytes> state;
        std::vector<Bytes> keys;
        std::uint64_t cursor = 0;
        do {
            SYNCLINE_TRY(cursor, cluster_.at(replica)->group().scan_keys(
                                     cursor, 100, [&](BytesView key, CellType) {
                                         keys.emplace_back(key);
                                         return true;
                                     }));
        } while (cursor != 0);
        for (const Bytes& key : keys) state[key] = cluster_.at(replica).get(key).value_or("");
        return state;
    }
    Result<std::string> root(std::size_t replica) override {
        return to_hex(cluster_.at(replica)->group().leaf_sums().root().sum);
    }
    Result<std::vector<Sibling>> siblings(std::size_t replica, BytesView key) override {
        SYNCLINE_TRY(const Cell cell,
                     cluster_.at(replica)->group().cell(key, CellType::string, std::nullopt));
        std::vector<Sibling> siblings;
        for (const DotMap::Entry& entry : cell.dots.entries()) {
            siblings.push_back(Sibling{to_string(entry.dot), "", entry.payload.value,
                                       entry.dot == cell.dots.winner()->dot});
        }
        return siblings;
    }
    void pass(std::uint64_t ms) override { cluster_.pump(ms); }
    std::uint64_t now_ms() override { return cluster_.now_ms(); }

    TestCluster& cluster() { return cluster_; }

private:
    TestCluster cluster_;
};

const History& history() {
    static const History history = [] {
        const char* const source = std::getenv("SYNCLINE_SOURCE");
        const std::string root = source != nullptr ? source : ".";
        return load_history(root + "/tests/data/kv_dag/rqlite.json.gz").value();
    }();
    return history;
}

/// The beginning of the history, with the state it leads to as its final state.
History beginning(std::size_t count) {
    History part = history();
    part.txns.resize(count);
    std::map<std::uint32_t, std::uint32_t> state;
    for (const History::Txn& txn : part.txns) {
        for (const auto& [key, value] : txn.ops) {
            if (value == History::removed) {
                state.erase(key);
            } else {
                state[key] = static_cast<std::uint32_t>(value);
            }
        }
    }
    part.final_state.assign(state.begin(), state.end());
    return part;
}

constexpr std::size_t beginning_txns = 400;

const ReplayProgress quiet = [](std::string_view, std::uint64_t, std::uint64_t) {};

/// Replays with every event on its way from replica 0 to 1 shown to `tamper` first.
std::vector<std::string> replay_tampered(const std::function<void(Event&)>& tamper) {
    const History part = beginning(beginning_txns);
    LocalCluster local;
    local.cluster().disconnect(1, 2);  // what 1 gets from 0 is all it gets of it
    struct Table {
        std::uint64_t generation = 0;
        EventHeads before;
        EventHeads after;
    } table;
    local.cluster().filter = [&](std::size_t from, std::size_t to, std::uint8_t type,
                                 Bytes& payload) {
        if (from != 0 || to != 1 || type != static_cast<std::uint8_t>(MessageType::batch)) {
            return true;
        }
        LogBatch batch = std::get<LogBatch>(decode_message(type, payload).value());
        if (batch.generation != table.generation) table = {batch.generation, {}, {}};
        for (LogBatch::Item& item : batch.items) {
            Event event = decode_event(table.before.restore(item.payload).value()).value();
            tamper(event);
            item.payload = table.after.shorten(encode_event(event)).value();
        }
        payload = encode_message(batch);
        return true;
    };
    const auto report = replay(part, local, std::nullopt, quiet);
    BOOST_REQUIRE_MESSAGE(report.has_value(), "the replay ends");
    return replay_differences(part, local).value();
}

}  // namespace

BOOST_AUTO_TEST_CASE(three_replicas_end_in_the_recorded_state_after_a_cut) {
    LocalCluster local;
    const auto report = replay(history(), local, ReplayCut{}, quiet);
    BOOST_REQUIRE_MESSAGE(report.has_value(), "the replay ends");
    BOOST_TEST(report->during_cut[0] >= 50U);
    BOOST_TEST(report->during_cut[1] >= 50U);
    BOOST_TEST(report->waited >= 1U);
    BOOST_TEST(report->conflicts.size() >= 5U);
    for (const std::uint64_t count : report->by_replica) BOOST_TEST(count > 800U);
    BOOST_TEST(replay_differences(history(), local).value().empty());
    BOOST_TEST(local.cluster().difference() == "");
}

BOOST_AUTO_TEST_CASE(the_check_passes_when_nothing_is_tampered_with) {
    BOOST_TEST(replay_tampered([](Event&) {}).empty());
}

/// One delta that nothing overwrites later, dropped once.
BOOST_AUTO_TEST_CASE(a_dropped_delta_is_reported) {
    const History part = beginning(beginning_txns);
    std::map<Bytes, Bytes> last;
    for (const auto& [key, value] : part.final_state) {
        last[part.keys[key]] = history_value(part, value);
    }
    bool dropped = false;
    const auto findings = replay_tampered([&](Event& event) {
        if (dropped) return;
        for (const Op& op : event.ops) {
            const auto* const cell = std::get_if<CellOp>(&op);
            if (cell == nullptr || !cell->delta.value) continue;
            const auto found = last.find(cell->key);
            dropped = dropped || (found != last.end() && found->second == *cell->delta.value);
        }
        if (dropped) event.ops.clear();
    });
    BOOST_TEST(dropped);
    BOOST_TEST(!findings.empty());
}

/// An event that claims to have seen less than it had is, for its receiver, one applied before what
/// it was made on: the values it replaced live on there.
BOOST_AUTO_TEST_CASE(an_event_out_of_causal_order_is_reported) {
    const auto findings = replay_tampered([&](Event& event) {
        VersionVector past;
        if (event.dot.counter > 1) past.add(Dot{event.dot.actor, event.dot.counter - 1});
        if (event.dot.counter > 20) event.past = past;
    });
    BOOST_TEST(!findings.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
