// Real histories, replayed as causal graphs: each transaction runs on the join of its parents'
// states, made by the production join, and is applied by the production apply.
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "core/engine/conflict.hpp"
#include "crdt/cell.hpp"
#include "tools/history.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(kv_dag)
namespace {

/// A persistent map from key index to cell: copies share what is equal, and joins skip what is
/// shared. Chunks and cells are owned by all the states they are in.
class Cells {
public:
    explicit Cells(std::size_t keys_count)
        : chunks_((keys_count + cells_per_chunk - 1) / cells_per_chunk) {}

    [[nodiscard]] const Cell& at(std::uint32_t key) const {
        static const Cell absent;
        const auto& chunk = chunks_[key / cells_per_chunk];
        const Cell* cell = chunk ? (*chunk)[key % cells_per_chunk].get() : nullptr;
        return cell != nullptr ? *cell : absent;
    }

    void put(std::uint32_t key, Cell cell) {
        auto& chunk = chunks_[key / cells_per_chunk];
        auto changed = chunk ? std::make_shared<Chunk>(*chunk) : std::make_shared<Chunk>();
        (*changed)[key % cells_per_chunk] =
            cell.empty() ? nullptr : std::make_shared<const Cell>(std::move(cell));
        chunk = std::move(changed);
    }

    /// Joins another state in, cell by cell. Answers the keys whose cells were not equal.
    std::vector<std::uint32_t> join(const VersionVector& context, const Cells& other,
                                    const VersionVector& other_context, ConflictFinder& finder) {
        std::vector<std::uint32_t> unequal;
        for (std::size_t i = 0; i < chunks_.size(); ++i) {
            if (chunks_[i] == other.chunks_[i]) continue;
            for (std::size_t j = 0; j < cells_per_chunk; ++j) {
                const auto key = static_cast<std::uint32_t>(i * cells_per_chunk + j);
                if (&at(key) == &other.at(key) || at(key) == other.at(key)) continue;
                unequal.push_back(key);
                const RowName name = name_of(key);
                finder.on_join(encode_row_key(name.key, name.type, std::nullopt), name, at(key),
                               other.at(key), other_context);
                Cell cell = Cell::join(at(key), context, other.at(key), other_context);
                if (cell != at(key)) put(key, std::move(cell));
            }
        }
        return unequal;
    }

    static RowName name_of(std::uint32_t key) {
        return RowName{std::to_string(key), static_cast<std::uint8_t>(CellType::string), {}};
    }

    [[nodiscard]] std::uint32_t keys_end() const {
        return static_cast<std::uint32_t>(chunks_.size() * cells_per_chunk);
    }

private:
    static constexpr std::size_t cells_per_chunk = 64;
    using Chunk = std::array<std::shared_ptr<const Cell>, cells_per_chunk>;

    std::vector<std::shared_ptr<const Chunk>> chunks_;
};

struct State {
    VersionVector seen;
    Cells cells;
    Hlc last;
};

std::size_t distinct_values(const Cell& cell) {
    std::set<BytesView> values;
    for (const auto& entry : cell.dots.entries()) values.insert(entry.payload.value);
    return values.size();
}

/// What merges found on the keys whose cells were not equal at both parents.
struct Conflicts {
    /// By the number of concurrent writes that were live side by side, if there were several.
    std::map<std::size_t, std::size_t> merges_by_siblings;
    /// The same, counted from the records alone: the siblings that some record names.
    std::map<std::size_t, std::size_t> merges_by_recorded;
    /// Those where not all siblings had the same value; people often write the same thing twice.
    std::size_t merges_with_distinct_values = 0;
    /// Those that were left with several values by the merge itself; recorded histories have none.
    std::size_t unresolved = 0;
};

class Replay {
public:
    explicit Replay(const History& history)
        : history_(history), states_(history.txns.size()), children_left_(history.txns.size()) {
        for (const History::Txn& txn : history.txns) {
            for (const std::uint32_t parent : txn.parents) ++children_left_[parent];
        }
    }

    void run() {
        for (std::uint32_t index = 0; index < history_.txns.size(); ++index) step(index);
    }

    [[nodiscard]] const Cells& final_cells() const { return states_.back()->cells; }
    [[nodiscard]] std::size_t actors_count() const { return actors_count_; }
    /// The union of what merges put on record, each of them a snapshot that is adopted.
    [[nodiscard]] const std::set<Hash128>& recorded() const { return recorded_; }
    [[nodiscard]] const std::set<Hash128>& siblings() const { return siblings_; }
    /// Siblings at a merge of which no merge until then had a record.
    [[nodiscard]] std::size_t missing() const { return missing_; }
    [[nodiscard]] const Conflicts& conflicts() const { return conflicts_; }

private:
    void step(std::uint32_t index) {
        const History::Txn& txn = history_.txns[index];
        std::vector<std::uint32_t> conflicts;
        State state = join_parents(txn, conflicts);
        const Dot dot = next_dot(txn.agent, state.seen);
        HybridClock clock;
        clock.observe(state.last);
        state.last = clock.tick(static_cast<std::uint64_t>(txn.time) * 1000);
        for (const auto& [key, value] : txn.ops) {
            CellDelta delta{true, std::nullopt, {}};
            if (value != History::removed) {
                delta.value = history_value(history_, static_cast<std::uint32_t>(value));
            }
            Cell cell = state.cells.at(key);
            cell.apply(delta, CellType::string, dot, state.last, state.seen);
            state.cells.put(key, std::move(cell));
        }
        for (const std::uint32_t key : conflicts) {
            if (distinct_values(state.cells.at(key)) > 1) ++conflicts_.unresolved;
        }
        state.seen.add(dot);
        states_[index] = std::move(state);
    }

    /// The join of the parents' states, and the keys of which it holds more than one value.
    State join_parents(const History::Txn& txn, std::vector<std::uint32_t>& conflicts) {
        if (txn.parents.empty()) return State{{}, Cells(history_.keys.size()), {}};
        State state = *states_[txn.parents.front()];
        for (std::size_t i = 1; i < txn.parents.size(); ++i) {
            const State& other = *states_[txn.parents[i]];
            ConflictFinder finder(state.seen, false);
            const auto unequal = state.cells.join(state.seen, other.cells, other.seen, finder);
            for (const ConflictRecord& record : finder.take()) recorded_.insert(record.id);
            state.seen.join(other.seen);
            state.last = std::max(state.last, other.last);
            count_siblings(state.cells, unequal, conflicts);
        }
        for (const std::uint32_t parent : txn.parents) {
            if (--children_left_[parent] == 0) states_[parent].reset();
        }
        return state;
    }

    void count_siblings(const Cells& cells, const std::vector<std::uint32_t>& unequal,
                        std::vector<std::uint32_t>& conflicts) {
        for (const std::uint32_t key : unequal) {
            const Cell& cell = cells.at(key);
            note_siblings(key, cell);
            if (cell.dots.size() > 1) ++conflicts_.merges_by_siblings[cell.dots.size()];
            if (distinct_values(cell) < 2) continue;
            ++conflicts_.merges_with_distinct_values;
            conflicts.push_back(key);
        }
    }

    /// Every two siblings that a merge shows are a pair that the feed must have, and no other is.
    void note_siblings(std::uint32_t key, const Cell& cell) {
        std::set<Dot> named;
        const RowName name = Cells::name_of(key);
        const RowKey row_key = encode_row_key(name.key, name.type, std::nullopt);
        const auto& entries = cell.dots.entries();
        for (std::size_t i = 0; i < entries.size(); ++i) {
            for (std::size_t j = i + 1; j < entries.size(); ++j) {
                const Hash128 id = conflict_id(row_key.bytes, entries[i].dot, entries[j].dot);
                siblings_.insert(id);
                if (recorded_.count(id) == 0) {
                    ++missing_;
                    continue;
                }
                named.insert(entries[i].dot);
                named.insert(entries[j].dot);
            }
        }
        if (!named.empty()) ++conflicts_.merges_by_recorded[named.size()];
    }

    /// One actor for each author and branch: a transaction continues an actor of its author whose
    /// last transaction it has seen; if there is none, the author's work is concurrent with itself
    /// and takes a new actor.
    Dot next_dot(std::uint32_t agent, const VersionVector& past) {
        std::vector<Dot>& lasts = last_dots_[agent];
        for (Dot& last : lasts) {
            if (!past.covers(last)) continue;
            ++last.counter;
            return last;
        }
        ++actors_count_;
        lasts.push_back(Dot{{agent + 1, static_cast<std::uint32_t>(lasts.size() + 1)}, 1});
        return lasts.back();
    }

    const History& history_;
    std::vector<std::optional<State>> states_;
    std::vector<std::size_t> children_left_;
    std::map<std::uint32_t, std::vector<Dot>> last_dots_;
    std::size_t actors_count_ = 0;
    Conflicts conflicts_;
    std::set<Hash128> recorded_;  // by all merges
    std::set<Hash128> siblings_;
    std::size_t missing_ = 0;
};

std::string path_of(const std::string& name) {
    const char* source = std::getenv("SYNCLINE_SOURCE");
    return std::string(source != nullptr ? source : ".") + "/tests/data/kv_dag/" + name;
}

void check_final_state(const History& history, const Cells& cells) {
    std::map<std::uint32_t, std::uint32_t> expected(history.final_state.begin(),
                                                    history.final_state.end());
    std::size_t wrong = 0;
    for (std::uint32_t key = 0; key < cells.keys_end(); ++key) {
        const auto found = expected.find(key);
        const auto value = string_value(cells.at(key));
        const bool right =
            found == expected.end() ? !value : value == history_value(history, found->second);
        if (!right) ++wrong;
    }
    BOOST_TEST(wrong == 0U);
}

struct Expected {
    std::size_t txns_count;
    std::size_t actors_count;
    std::map<std::size_t, std::size_t> merges_by_siblings;
    std::size_t merges_with_distinct_values;
    std::size_t pairs_on_record;  ///< a pair can be seen at several merges
};

void check_replay(const std::string& file, const Expected& expected) {
    const auto history = load_history(path_of(file));
    if (!history) BOOST_FAIL(history.error().message);
    BOOST_TEST(history->txns.size() == expected.txns_count);
    Replay replay(*history);
    replay.run();
    check_final_state(*history, replay.final_cells());
    const Conflicts& conflicts = replay.conflicts();
    BOOST_TEST(replay.actors_count() == expected.actors_count);
    BOOST_TEST((conflicts.merges_by_siblings == expected.merges_by_siblings));
    BOOST_TEST((conflicts.merges_by_recorded == expected.merges_by_siblings));
    BOOST_TEST(conflicts.merges_with_distinct_values == expected.merges_with_distinct_values);
    BOOST_TEST(conflicts.unresolved == 0U);
    BOOST_TEST(replay.missing() == 0U);
    BOOST_TEST((replay.recorded() == replay.siblings()));
    BOOST_TEST(replay.recorded().size() == expected.pairs_on_record);
}

BOOST_AUTO_TEST_CASE(rqlite_replays_to_its_recorded_state_and_conflicts) {
    check_replay("rqlite.json.gz", {8'165, 74, {{2, 182}}, 133, 160});
}

BOOST_AUTO_TEST_CASE(etcd_replays_to_its_recorded_state_and_conflicts) {
    check_replay("etcd.json.gz", {25'173, 1'531, {{2, 2'335}, {3, 267}}, 1'681, 2'070});
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
