#include "tools/replay.hpp"

#include <algorithm>
#include <set>

namespace syncline {
namespace {

constexpr std::uint64_t seconds_per_day = 86400;
/// A parent that is not visible after this long will never be.
constexpr std::uint64_t visible_ms_max = 30000;
constexpr std::uint64_t replay_poll_ms = 2;
/// Between writes of one key on both sides of the cut: more than the resolution of timestamps.
constexpr std::uint64_t apart_ms = 3;
constexpr std::uint64_t progress_every = 50;

void join(Seen& seen, const Seen& other) {
    for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = std::max(seen[i], other[i]);
}

bool covers(const Seen& seen, const Seen& needed) {
    for (std::size_t i = 0; i < seen.size(); ++i) {
        if (seen[i] < needed[i]) return false;
    }
    return true;
}

class Replayer {
public:
    Replayer(const History& history, ReplayCluster& cluster, const ReplayProgress& progress,
             const ReplayHealed& healed)
        : history_(history),
          cluster_(cluster),
          progress_(progress),
          healed_(healed),
          needs_(history.txns.size()) {}

    Result<ReplayReport> run(const std::optional<ReplayCut>& cut) {
        const std::uint64_t start = cluster_.now_ms();
        const auto count = static_cast<std::uint32_t>(history_.txns.size());
        std::uint32_t next = 0;
        if (cut && cut->first < cut->last && cut->last <= count) {
            for (; next < cut->first; ++next) SYNCLINE_CHECK(step(next));
            SYNCLINE_CHECK(apart(*cut));
            next = cut->last;
        }
        for (; next < count; ++next) SYNCLINE_CHECK(step(next));
        phase_ = "waiting until all have seen everything";
        SYNCLINE_CHECK(settle());
        progress_(phase_, done_, count);
        report_.elapsed_ms = cluster_.now_ms() - start;
        return report_;
    }

private:
    /// One transaction whose parents can all become visible where it runs.
    Result<void> step(std::uint32_t index) {
        Seen needed{};
        for (const std::uint32_t parent : history_.txns[index].parents) {
            SYNCLINE_CHECK(complete(parent));
            join(needed, needs_[parent]);
        }
        needs_[index] = needed;
        if (history_.txns[index].ops.empty()) return finished();
        const std::size_t place = replay_place(history_.txns[index]);
        SYNCLINE_CHECK(idle(place));
        SYNCLINE_CHECK(finish_rivals(index));
        SYNCLINE_CHECK(wait_visible(place, needed));
        return send(index, place);
    }

    /// Transactions under way elsewhere that touch the same keys are answered first. One of them
    /// may remove a key that this one, concurrent in the record, sets: were this one seen by it,
    /// the removal would take the value along, and the record says that it lives.
    Result<void> finish_rivals(std::uint32_t index) {
        for (std::size_t i = 0; i < replay_replicas; ++i) {
            if (running_[i] && share_a_key(*running_[i], index)) SYNCLINE_CHECK(idle(i));
        }
        return {};
    }

    [[nodiscard]] bool share_a_key(std::uint32_t a, std::uint32_t b) const {
        const auto& others = history_.txns[b].ops;
        const auto& ops = history_.txns[a].ops;
        return std::any_of(ops.begin(), ops.end(), [&](const auto& op) {
            return std::any_of(others.begin(), others.end(),
                               [&](const auto& other) { return op.first == other.first; });
        });
    }

    /// The cut: everybody has seen what came before; then both sides go on alone; then it heals.
    Result<void> apart(const ReplayCut& cut) {
        SYNCLINE_CHECK(settle());
        SYNCLINE_CHECK(cluster_.set_isolated(cut.isolated, true));
        phase_ = "one replica is cut off, both sides go on";
        std::vector<std::uint32_t> later;
        for (std::uint32_t index = cut.first; index < cut.last; ++index) {
            SYNCLINE_TRY(const bool sent, step_apart(index, cut));
            if (!sent) later.push_back(index);
        }
        for (std::size_t i = 0; i < replay_replicas; ++i) SYNCLINE_CHECK(idle(i));

        phase_ = "healed";
        const std::uint64_t healed_ms = cluster_.now_ms();
        SYNCLINE_CHECK(cluster_.set_isolated(cut.isolated, false));
        SYNCLINE_CHECK(settle());
        report_.converge_ms = cluster_.now_ms() - healed_ms;
        SYNCLINE_CHECK(collect_conflicts());
        if (healed_) SYNCLINE_CHECK(healed_(report_.conflicts));
        for (const std::uint32_t index : later) SYNCLINE_CHECK(step(index));
        return {};
    }

    /// False: waits until the cut heals.
    Result<bool> step_apart(std::uint32_t index, const ReplayCut& cut) {
        const History::Txn& txn = history_.txns[index];
        if (txn.ops.empty()) return false;
        const std::size_t place = replay_place(txn);
        const std::size_t side = place == cut.isolated ? 1 : 0;
        bool shared = false;
        for (const auto& [key, value] : txn.ops) {
            const bool written = touched_[1 - side].count(key) > 0;
            if (waiting_keys_.count(key) > 0 || (value == History::removed && written)) {
                for (const auto& [waiting, ignored] : txn.ops) waiting_keys_.insert(waiting);
                ++report_.waited;
                return false;
            }
            shared = shared || written;
        }
        for (const std::uint32_t parent : txn.parents) SYNCLINE_CHECK(complete(parent));
        Seen needed{};
        for (const std::uint32_t parent : txn.parents) join(needed, needs_[parent]);
        for (std::size_t i = 0; i < replay_replicas; ++i) {
            // The other side is out of reach.
            if ((i == cut.isolated ? 1U : 0U) != side) needed[i] = 0;
        }
        if (shared) {
            for (std::size_t i = 0; i < replay_replicas; ++i) SYNCLINE_CHECK(idle(i));
            cluster_.pass(apart_ms);
        }
        SYNCLINE_CHECK(idle(place));
        SYNCLINE_CHECK(wait_visible(place, needed));
        SYNCLINE_CHECK(send(index, place));
        for (const auto& [key, value] : txn.ops) touched_[side].insert(key);
        ++report_.during_cut[side];
        return true;
    }

    Result<void> send(std::uint32_t index, std::size_t place) {
        std::vector<Write> writes;
        for (const auto& [key, value] : history_.txns[index].ops) {
            std::optional<Bytes> bytes;
            if (value != History::removed) {
                bytes = history_value(history_, static_cast<std::uint32_t>(value));
            }
            writes.emplace_back(history_.keys[key], std::move(bytes));
        }
        SYNCLINE_CHECK(cluster_.submit(place, writes));
        running_[place] = index;
        ++report_.transactions;
        ++report_.by_replica[place];
        report_.writes += writes.size();
        return finished();
    }

    Result<void> finished() {
        ++done_;
        if (done_ % progress_every == 0) progress_(phase_, done_, history_.txns.size());
        return {};
    }

    /// Takes the answer of the transaction under way at a replica, if there is one.
    Result<void> idle(std::size_t place) {
        if (!running_[place]) return {};
        const std::uint32_t index = *running_[place];
        running_[place].reset();
        SYNCLINE_TRY(visible_[place], cluster_.await(place));
        needs_[index][place] = std::max(needs_[index][place], visible_[place][place]);
        return {};
    }

    /// Makes sure that a transaction's name is known: it has been answered.
    Result<void> complete(std::uint32_t index) {
        for (std::size_t i = 0; i < replay_replicas; ++i) {
            if (running_[i] == index) SYNCLINE_CHECK(idle(i));
        }
        return {};
    }

    Result<void> wait_visible(std::size_t place, const Seen& needed) {
        const std::uint64_t start = cluster_.now_ms();
        while (!covers(visible_[place], needed)) {
            SYNCLINE_TRY(visible_[place], cluster_.seen(place));
            if (covers(visible_[place], needed)) break;
            if (cluster_.now_ms() - start > visible_ms_max) {
                return Error{Code::unavailable, "replica " + std::to_string(place) +
                                                    " does not get to see what the others wrote"};
            }
            cluster_.pass(replay_poll_ms);
        }
        return {};
    }

    /// Everybody has seen everything.
    Result<void> settle() {
        Seen all{};
        for (std::size_t i = 0; i < replay_replicas; ++i) {
            SYNCLINE_CHECK(idle(i));
            SYNCLINE_TRY(visible_[i], cluster_.seen(i));
            join(all, visible_[i]);
        }
        for (std::size_t i = 0; i < replay_replicas; ++i) SYNCLINE_CHECK(wait_visible(i, all));
        return {};
    }

    Result<void> collect_conflicts() {
        for (const std::uint32_t key : touched_[0]) {
            if (touched_[1].count(key) == 0) continue;
            SYNCLINE_TRY(std::vector<Sibling> siblings, cluster_.siblings(0, history_.keys[key]));
            if (siblings.size() < 2) continue;
            report_.conflicts.push_back(ReplayConflict{history_.keys[key], std::move(siblings)});
        }
        return {};
    }

    const History& history_;
    ReplayCluster& cluster_;
    const ReplayProgress& progress_;
    const ReplayHealed& healed_;
    std::vector<Seen> needs_;  // of each transaction: what a replica has seen that has seen it
    std::array<Seen, replay_replicas> visible_{};
    std::array<std::optional<std::uint32_t>, replay_replicas> running_;
    std::array<std::set<std::uint32_t>, 2> touched_;  // keys written during the cut, by side
    std::set<std::uint32_t> waiting_keys_;
    std::string phase_ = "replaying";
    std::uint64_t done_ = 0;
    ReplayReport report_;
};

std::string describe(std::size_t replica, const Bytes& key, const char* what) {
    return "replica " + std::to_string(replica) + ": key " + key + " " + what;
}

}  // namespace

std::size_t replay_place(const History::Txn& txn) {
    const auto day = static_cast<std::uint64_t>(txn.time) / seconds_per_day;
    return (txn.agent + day) % replay_replicas;
}

Result<ReplayReport> replay(const History& history, ReplayCluster& cluster,
                            const std::optional<ReplayCut>& cut, const ReplayProgress& progress,
                            const ReplayHealed& healed) {
    return Replayer(history, cluster, progress, healed).run(cut);
}

Result<std::vector<std::string>> replay_differences(const History& history, ReplayCluster& cluster,
                                                    std::size_t findings_max) {
    std::vector<std::string> findings;
    const auto add = [&](std::string finding) {
        if (findings.size() < findings_max) findings.push_back(std::move(finding));
    };
    std::map<Bytes, Bytes> expected;
    for (const auto& [key, value] : history.final_state) {
        expected[history.keys[key]] = history_value(history, value);
    }
    SYNCLINE_TRY(const std::string first_root, cluster.root(0));
    for (std::size_t i = 0; i < replay_replicas; ++i) {
        SYNCLINE_TRY(const std::string root, cluster.root(i));
        if (root != first_root) add("replica " + std::to_string(i) + ": other root hash than 0");
        SYNCLINE_TRY(const auto state, cluster.state(i));
        for (const auto& [key, value] : expected) {
            const auto found = state.find(key);
            if (found == state.end()) {
                add(describe(i, key, "is missing"));
            } else if (found->second != value) {
                add(describe(i, key, "has another value than recorded"));
            }
        }
        for (const auto& [key, value] : state) {
            if (expected.count(key) == 0) add(describe(i, key, "should not be there"));
        }
    }
    return findings;
}

}  // namespace syncline
