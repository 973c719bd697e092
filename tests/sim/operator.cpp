#include "tests/sim/operator.hpp"

#include <algorithm>

namespace syncline::sim {
namespace {

constexpr std::uint64_t operator_stream = 6;
constexpr Micros look_gap = 300 * micros_per_ms;
/// A term is written by four or five operations; a candidate writes two terms.
constexpr std::uint64_t term_fault_operations = 9;

}  // namespace

Operator::Operator(Shared shared, std::vector<std::unique_ptr<SimReplica>>& replicas)
    : shared_(shared), replicas_(replicas), random_(shared.plan.seed, operator_stream) {}

void Operator::start() {
    if (!shared_.plan.primary_backup()) return;
    ++shared_.coverage.backed_up_seeds;
    next_switch_ = random_.around(shared_.plan.switch_gap);
    look();
}

void Operator::look() {
    if (healed_) {
        mend();
    } else {
        watch();
    }
    shared_.timeline.after(random_.around(look_gap), [this] { look(); });
}

const SimReplica* Operator::primary() const {
    const SimReplica* found = nullptr;
    for (const auto& replica : replicas_) {
        const bool answers = replica->is_primary() &&
                             replica->paused_until() <= shared_.timeline.now() &&
                             (healed_ || !shared_.network.is_cut(replica->index()));
        if (answers && (found == nullptr || found->term() < replica->term())) found = replica.get();
    }
    return found;
}

void Operator::watch() {
    const Micros now = shared_.timeline.now();
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
        if (random_.one_in(20)) merge(i);
    }
    if (primary() != nullptr) {
        silent_since_ = 0;
    } else if (silent_since_ == 0) {
        silent_since_ = now;
    } else if (now - silent_since_ > shared_.plan.patience) {
        silent_since_ = now;
        return fail_over(random_.one_in(shared_.plan.force_one_in));
    }
    if (now < next_switch_) return;
    next_switch_ = now + random_.around(shared_.plan.switch_gap);
    fail_over(false);
    if (random_.one_in(4)) fail_over(false);
}

void Operator::fail_over(bool force) {
    const SimReplica* const reigning = primary();
    std::vector<std::size_t> backups;
    for (const auto& replica : replicas_) {
        if (replica->up() && replica.get() != reigning) backups.push_back(replica->index());
    }
    if (backups.empty()) return;
    const std::size_t chosen = backups[random_.below(backups.size())];
    if (shared_.plan.term_faults && random_.one_in(2)) {
        // The candidate's disk, or that of one that is asked for its vote.
        const std::size_t struck = random_.one_in(2) ? chosen : random_.below(replicas_.size());
        replicas_[struck]->disk().fail_on("term", random_.below(term_fault_operations));
    }
    promote(chosen, force);
    if (!shared_.plan.term_faults || !random_.one_in(3)) return;
    // Power is cut while votes are on their way.
    const std::size_t cut = random_.below(replicas_.size());
    shared_.timeline.after(random_.below(4 * shared_.plan.delay + 10 * micros_per_ms), [this, cut] {
        if (healed_ || !replicas_[cut]->up()) return;
        replicas_[cut]->crash(true);
    });
}

void Operator::promote(std::size_t index, bool force) {
    replicas_[index]->run([this, index, force](Replica& replica) {
        if (replica.failure()) return;
        shared_.terms.forces(index, force);
        const Result<void> begun = replica.promote(force);
        shared_.timeline.note(force ? "force" : "promote", index, begun ? 1 : 0,
                              [&] { return begun ? std::string("begun") : begun.error().message; });
        if (begun || replica.failure()) return;
        const bool held = replica.primary_backup().holds_suffix();
        const Code expected = held ? Code::invalid_argument : Code::unavailable;
        if (begun.error().code == expected && (held || !force)) return;
        shared_.timeline.fail("replica " + std::to_string(index) +
                              ": a promotion failed: " + begun.error().message);
    });
}

void Operator::merge(std::size_t index) {
    SimReplica& held = *replicas_[index];
    if (!held.up() || !held.replica().primary_backup().holds_suffix()) return;
    held.run([this, index](Replica& replica) {
        if (replica.failure() || !replica.primary_backup().holds_suffix()) return;
        check_suffix(index, replica);
        const Result<void> merged = replica.merge_suffix();
        shared_.timeline.note("merge", index, merged ? 1 : 0, [] { return "held suffix"; });
        shared_.coverage.suffixes_merged += merged ? 1U : 0U;
    });
}

/// What an operator would look at before: the events that are held, as far as the log has them.
void Operator::check_suffix(std::size_t index, Replica& replica) {
    std::uint64_t named = 0;
    for (const auto& suffix : replica.primary_backup().suffixes()) named += suffix.count();
    const Result<std::vector<Event>> listed = replica.suffix_events(named + 1);
    const bool complete = replica.log().base() == 0 && replica.durable_vv() == replica.group().vv();
    if (listed && (complete ? listed->size() == named : listed->size() <= named)) return;
    shared_.timeline.fail("replica " + std::to_string(index) + ": lists " +
                          (listed ? std::to_string(listed->size()) : listed.error().message) +
                          " events of " + std::to_string(named) + " that were not replicated");
}

void Operator::mend() {
    bool standing = false;
    for (const auto& replica : replicas_) {
        merge(replica->index());
        standing = standing || (replica->up() && replica->replica().primary_backup().standing());
    }
    if (primary() != nullptr || standing) return;
    for (const auto& replica : replicas_) {
        if (!replica->up() || replica->replica().primary_backup().holds_suffix()) continue;
        return promote(replica->index(), false);
    }
}

void Operator::strike(std::size_t lost) {
    shared_.terms.lost(lost);
    for (const auto& replica : replicas_) {
        if (replica->index() == lost) continue;
        replica->crash(false);
        replica->strike_peer();
        replica->start();
        replica->run([this, lost](Replica& production) {
            const auto& members = production.primary_backup().members();
            const Bytes name = "r" + std::to_string(lost);
            const bool met = std::any_of(members.begin(), members.end(),
                                         [&](const auto& member) { return member.name == name; });
            const Result<void> forgot = production.forget(name);
            if (forgot.has_value() == met) return;
            shared_.timeline.fail("a machine that is gone cannot be forgotten");
        });
    }
}

bool Operator::content() const {
    if (!shared_.plan.primary_backup()) return true;
    std::size_t primaries = 0;
    SimReplica* first = nullptr;
    for (const auto& replica : replicas_) {
        if (replica->lost()) continue;
        if (!replica->up()) return false;
        const PrimaryBackup& mode = replica->replica().primary_backup();
        if (mode.standing() || mode.holds_suffix()) return false;
        if (first == nullptr) first = replica.get();
        if (mode.term() != first->replica().primary_backup().term()) return false;
        primaries += replica->is_primary() ? 1U : 0U;
    }
    return primaries == 1;
}

}  // namespace syncline::sim
