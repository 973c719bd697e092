/// Who belongs to the cluster: what a replica does when the record changes, and which changes it
/// makes by itself. The rules are core/protocol/membership; here are links, the stable cut, steps.
#include <algorithm>
#include <limits>

#include "core/base/log.hpp"
#include "core/base/mutation.hpp"
#include "core/engine/replica_state.hpp"
#include "core/protocol/link.hpp"

namespace syncline {
namespace {

/// Between two attempts at a step that a replica takes by itself, and as much again by chance.
constexpr std::uint64_t own_step_pause_ms = 500;

}  // namespace

Result<void> Replica::open_membership(Disk& disk) {
    SYNCLINE_TRY(membership_, Membership::open(options_.identity, disk, env_.random));
    if (membership_->on()) count_members();
    return {};
}

// --- What others say

/// After anything that may have changed the record, or has letters to send. What a peer did wrong
/// is its error; any other is the disk's.
template <typename T>
Result<void> Replica::follow(const Result<T>& done) {
    if (!done) {
        const Code code = done.error().code;
        const bool of_peer = code == Code::conflict || code == Code::corrupt;
        return of_peer ? Result<void>(done.error()) : storage(done.error());
    }
    follow_membership();
    return {};
}
template Result<void> Replica::follow(const Result<void>&);
template Result<void> Replica::follow(const Result<bool>&);
template Result<void> Replica::follow(const Result<Promise>&);
template Result<void> Replica::follow(const Result<Accepted>&);

std::vector<Uuid> Replica::met() const {
    std::vector<Uuid> met;
    for (const auto& [id, link] : links_) {
        if (link->ready()) met.push_back(link->peer());
    }
    return met;
}

/// Reports of what is durable count for the epoch when all that was here at its beginning is among
/// it: the others conclude that nothing more of an evicted replica is here.
std::uint64_t Replica::reported_epoch() const {
    return durable_vv_.covers(epoch_vv_) ? membership_->epoch() : 0;
}

/// Only what was said under the record that this replica knows: a peer that does not know of an
/// eviction may still get what the others will never have.
void Replica::note_report(const Uuid& peer, std::uint64_t epoch, const VersionVector& durable) {
    if (epoch != membership_->epoch() && !mutated(Mutation::old_reports)) return;
    stable_cut_.report(peer, durable);
    if (!membership_->on() || membership_->record().find(peer) == nullptr) return;
    const auto [report, first] = reports_.try_emplace(peer, durable, durable);
    if (!first) report->second.second.join(durable);
}

const VersionVector* Replica::reported(const Uuid& member) const {
    if (member == options_.identity.node) return &durable_vv_;
    const auto found = reports_.find(member);
    return found == reports_.end() ? nullptr : &found->second.second;
}

Result<std::vector<Event>> Replica::own_events_beyond(const VersionVector& vv) {
    const auto wanted = [&](const Dot& dot) {
        return dot.actor.node == options_.identity.node_id && !vv.covers(dot);
    };
    return log_events(log_from(), std::numeric_limits<std::size_t>::max(), wanted);
}

// --- When the record has changed

void Replica::count_members() {
    using Standing = Membership::Standing;
    const Uuid& self = options_.identity.node;
    const Standing standing = membership_->standing();
    std::vector<Uuid> others;
    for (const ClusterMember& member : membership_->record().members) {
        if (member.uuid != self) others.push_back(member.uuid);
    }
    const bool member = standing != Standing::applicant && standing != Standing::former;
    const bool counted = stable_cut_.on();
    stable_cut_.set_members(others, member, standing == Standing::joining);
    if (counted) return;
    group_->begin_noting_collectable();
    group_->begin_collection(stable_cut_.cut());
}

/// What was under way with others goes by the new record, and letters leave.
void Replica::follow_membership() {
    if (membership_->take_changed()) {
        reports_.clear();
        epoch_vv_ = group_->vv();
        count_members();
        end_sessions();
        for (auto& [id, link] : links_) link->on_membership();
        own_step_ms_ = env_.clock.steady_ms();
    }
    for (Membership::Letter& letter : membership_->take_letters()) {
        for (auto& [id, link] : links_) {
            if (link->peer() == letter.to) link->send_letter(letter.message);
        }
    }
}

// --- Changes

std::vector<ClusterMember> Replica::founders() const {
    std::vector<ClusterMember> founders;
    founders.push_back(ClusterMember{options_.identity.node, options_.identity.name,
                                     primary_backup_->options().client_address,
                                     MemberState::active});
    for (const auto& [id, link] : links_) {
        if (link->ready()) founders.push_back(link->as_member());
    }
    return founders;
}

std::vector<ClusterMember> Replica::applicants() const {
    std::vector<ClusterMember> applicants;
    if (!membership_->on()) return applicants;
    for (const auto& [id, link] : links_) {
        const MembershipRecord& record = membership_->record();
        if (!link->ready() || record.find(link->peer()) != nullptr) continue;
        if (record.find_former(link->peer()) == nullptr) applicants.push_back(link->as_member());
    }
    return applicants;
}

/// Whoever comes with transactions that no member has made them on what the members may have
/// collected since.
Result<void> Replica::check_newcomer(const Uuid& newcomer) const {
    for (const auto& [id, link] : links_) {
        if (link->peer() != newcomer || !link->ready()) continue;
        if (group_->vv().covers(link->status().vv)) return {};
        return Error{Code::invalid_argument,
                     "it holds transactions that this member has not got: it can only come as a "
                     "new replica, with an empty directory (syncline cluster rejoin --force)"};
    }
    return Error{Code::unavailable, "it is not connected here"};
}

Result<void> Replica::change_membership(MembershipStep step, std::uint64_t epoch) {
    if (failure_) return *failure_;
    if (primary_backup_->on()) {
        return Error{Code::invalid_argument,
                     "the cluster is in primary-backup mode, where members are known by meeting "
                     "them; CRDT.FORGET strikes one that is gone"};
    }
    if (step.kind == MembershipStep::Kind::init && options_.replicas > 0 &&
        step.founders.size() != options_.replicas) {
        return Error{Code::invalid_argument,
                     std::to_string(step.founders.size()) + " replicas are here, and " +
                         std::to_string(options_.replicas) +
                         " were declared (--replicas): all of them must be connected"};
    }
    if (step.kind == MembershipStep::Kind::init) step.founding = env_.random.next();
    if (step.kind == MembershipStep::Kind::join) SYNCLINE_CHECK(check_newcomer(step.subject.uuid));
    const Result<void> begun = membership_->propose(
        std::move(step), epoch, Membership::Asker::somebody, env_.clock.steady_ms());
    if (!begun && begun.error().code == Code::io) return storage(begun);
    SYNCLINE_CHECK(begun);
    follow_membership();
    return {};
}

void Replica::drive_membership() {
    if (!membership_->on() && !membership_->changing()) return;
    const std::uint64_t now = env_.clock.steady_ms();
    if (!storage(membership_->tick(now))) return;
    follow_membership();
    if (membership_->changing() || now < own_step_ms_) return;
    const std::optional<MembershipStep> step = own_step();
    if (!step) return;
    own_step_ms_ = now + own_step_pause_ms + env_.random.below(own_step_pause_ms);
    // Another one may be quicker, or a majority out of reach: then it is tried again.
    const Result<void> begun =
        membership_->propose(*step, membership_->epoch(), Membership::Asker::self, now);
    if (!begun && begun.error().code == Code::io) (void)storage(begun);
    follow_membership();
}

/// What this replica does without being asked.
std::optional<MembershipStep> Replica::own_step() const {
    using Standing = Membership::Standing;
    const ClusterMember* const self = membership_->record().find(options_.identity.node);
    switch (membership_->standing()) {
        case Standing::joining:
            if (!has_what_others_had()) break;
            return MembershipStep{MembershipStep::Kind::activate, *self, {}, std::nullopt};
        case Standing::active:
            return retirement();
        case Standing::open:
        case Standing::applicant:
        case Standing::leaving:  // the others say when it has left: then they know of it
        case Standing::former:
            break;
    }
    return std::nullopt;
}

/// All that those active members had, who have spoken since this replica joined. What is stable is
/// among it, and stays so: what this replica has counts.
bool Replica::has_what_others_had() const {
    bool any = false;
    for (const ClusterMember& member : membership_->record().members) {
        const auto report = reports_.find(member.uuid);
        if (member.state != MemberState::active || report == reports_.end()) continue;
        if (!durable_vv_.covers(report->second.first)) return false;
        any = true;
    }
    return any && group_->damaged().empty() && !pulling_;
}

/// Of one that leaves, or was evicted, when all members have said that they have the same of it.
/// Nothing more can come then: who leaves writes nothing any more, and from who was evicted nobody
/// takes anything.
std::optional<MembershipStep> Replica::retirement() const {
    const MembershipRecord& record = membership_->record();
    const auto agreed = [&](const Uuid& uuid) {
        const std::uint32_t node_id = node_id_of(uuid);
        const VersionVector mine = durable_vv_.of_node(node_id);
        if (mutated(Mutation::retire_early)) return true;
        return group_->vv().of_node(node_id) == mine &&
               std::all_of(record.members.begin(), record.members.end(),
                           [&](const ClusterMember& member) {
                               const VersionVector* const theirs = reported(member.uuid);
                               return theirs != nullptr && theirs->of_node(node_id) == mine;
                           });
    };
    const auto step_for = [&](const Uuid& uuid, const Bytes& name) {
        return MembershipStep{MembershipStep::Kind::retire,
                              ClusterMember{uuid, name, {}, MemberState::leaving},
                              {},
                              durable_vv_.of_node(node_id_of(uuid))};
    };
    for (const ClusterMember& member : record.members) {
        if (member.state != MemberState::leaving || !agreed(member.uuid)) continue;
        return step_for(member.uuid, member.name);
    }
    for (const FormerMember& former : record.formers) {
        if (!former.final_vv && agreed(former.uuid)) return step_for(former.uuid, former.name);
    }
    return std::nullopt;
}

}  // namespace syncline
