#include "tests/sim/steward.hpp"

#include <algorithm>

namespace syncline::sim {
namespace {

constexpr std::uint64_t steward_stream = 12;
constexpr Micros steward_gap = 300 * micros_per_ms;
/// Fewer are never left by a change that is asked for.
constexpr std::size_t members_least = 2;

}  // namespace

Steward::Steward(Shared shared, std::vector<std::unique_ptr<SimReplica>>& replicas)
    : shared_(shared), replicas_(replicas), random_(shared.plan.seed, steward_stream) {}

void Steward::start() {
    if (!shared_.plan.membership) return;
    ++shared_.coverage.membership_seeds;
    look();
}

void Steward::look() {
    found();
    let_in();
    take_away(healed_);
    if (!healed_ && shared_.timeline.now() >= next_) {
        next_ = shared_.timeline.now() + random_.around(shared_.plan.membership_gap);
        act();
    }
    shared_.timeline.after(random_.around(steward_gap), [this] { look(); });
}

std::vector<SimReplica*> Steward::up() const {
    std::vector<SimReplica*> up;
    for (const auto& replica : replicas_) {
        if (replica->up() && !replica->replica().failure()) up.push_back(replica.get());
    }
    return up;
}

void Steward::change(std::size_t by, MembershipStep step) {
    replicas_[by]->run([this, by, step = std::move(step)](Replica& replica) {
        if (replica.failure()) return;
        const Result<void> begun = replica.change_membership(step, replica.membership().epoch());
        shared_.timeline.note("change", by, begun ? 1 : 0, [&] {
            return syncline::describe(step) + (begun ? "" : ": " + begun.error().message);
        });
        if (begun || replica.failure()) return;
        const Code code = begun.error().code;
        if (code == Code::invalid_argument || code == Code::unavailable) return;
        shared_.timeline.fail("replica " + std::to_string(by) +
                              ": a change of members failed: " + begun.error().message);
    });
}

/// All machines but the spare ones, as soon as they see each other.
void Steward::found() {
    for (SimReplica* const replica : up()) {
        const Membership& membership = replica->replica().membership();
        if (membership.on() || membership.changing()) return;
    }
    SimReplica& first = *replicas_[random_.below(shared_.plan.replicas)];
    if (!first.up()) return;
    MembershipStep step;
    step.founders = first.replica().founders();
    if (step.founders.size() == shared_.plan.replicas) change(first.index(), step);
}

/// Whoever waits at the door.
void Steward::let_in() {
    for (SimReplica* const member : up()) {
        const std::vector<ClusterMember> applicants = member->replica().applicants();
        if (applicants.empty() || member->replica().membership().changing()) continue;
        if (!healed_ && !random_.one_in(3)) continue;
        MembershipStep step;
        step.kind = MembershipStep::Kind::join;
        step.subject = applicants[random_.below(applicants.size())];
        return change(member->index(), step);
    }
}

/// Former members that know it; machines that have been with one, and hold what nobody may get.
void Steward::take_away(bool at_once) {
    for (SimReplica* const replica : up()) {
        if (!at_once && !random_.one_in(10)) continue;
        // Not before enough others know: else it may be one of too few that can tell.
        const Membership& own = replica->replica().membership();
        const bool former =
            own.standing() == Membership::Standing::former && own.known_to_majority();
        bool tainted = false;
        for (SimReplica* const other : up()) {
            const Membership& membership = other->replica().membership();
            tainted = tainted || (membership.on() && membership.known_to_majority() &&
                                  membership.record().find(replica->uuid()) == nullptr &&
                                  membership.has_quarantined(replica->vv()));
        }
        if (!former && !tainted) continue;
        shared_.timeline.note("taken away", replica->index(), 0, [] { return ""; });
        replica->crash(false);
        replica->lose();
    }
}

void Steward::act() {
    const std::vector<SimReplica*> all = up();
    if (all.empty()) return;
    SimReplica& by = *all[random_.below(all.size())];
    const MembershipRecord& record = by.replica().membership().record();
    if (record.epoch == 0) return;
    if (random_.one_in(2)) {  // a spare machine is switched on
        for (const auto& replica : replicas_) {
            if (!replica->dormant()) continue;
            return replica->rouse();
        }
    }
    if (record.members.size() <= members_least) return;
    const auto ask = [&](const SimReplica& whom) {
        MembershipStep step;
        step.kind = random_.one_in(2) ? MembershipStep::Kind::evict : MembershipStep::Kind::drain;
        step.subject = record.members[random_.below(record.members.size())];
        change(whom.index(), step);
    };
    ask(by);
    // Others, who do not know of each other.
    for (std::uint64_t more = random_.below(3); more > 0; --more) {
        ask(*all[random_.below(all.size())]);
    }
}

bool Steward::content() const {
    if (!shared_.plan.membership) return true;
    std::size_t here = 0;
    SimReplica* first = nullptr;
    for (const auto& replica : replicas_) {
        if (replica->lost() || replica->dormant()) continue;
        if (!replica->up()) return false;
        const Membership& membership = replica->replica().membership();
        if (membership.standing() != Membership::Standing::active || membership.changing()) {
            return false;
        }
        ++here;
        if (first == nullptr) first = replica.get();
        if (membership.record() != first->replica().membership().record()) return false;
    }
    if (first == nullptr) return false;
    const MembershipRecord& record = first->replica().membership().record();
    const bool known =
        std::all_of(record.formers.begin(), record.formers.end(),
                    [](const FormerMember& former) { return former.final_vv.has_value(); });
    return known && record.members.size() == here;
}

}  // namespace syncline::sim
