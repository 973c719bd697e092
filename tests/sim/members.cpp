#include "tests/sim/members.hpp"

#include <algorithm>

#include "core/base/hash.hpp"

namespace syncline::sim {
namespace {

/// How many members differ, formers not counted.
std::size_t difference(const MembershipRecord& a, const MembershipRecord& b) {
    std::size_t count = 0;
    for (const ClusterMember& member : a.members) {
        const ClusterMember* const other = b.find(member.uuid);
        count += other == nullptr || other->state != member.state ? 1U : 0U;
    }
    for (const ClusterMember& member : b.members) count += a.find(member.uuid) == nullptr ? 1U : 0U;
    return count;
}

}  // namespace

Members::Members(const Plan& plan, Timeline& timeline, Coverage& coverage, History& history)
    : plan_(plan),
      timeline_(timeline),
      coverage_(coverage),
      history_(history),
      epochs_(plan.machines()) {}

void Members::fail(std::size_t replica, const std::string& sentence) {
    timeline_.fail("replica " + std::to_string(replica) + ": " + sentence);
}

void Members::observe(std::size_t replica, const Replica& production) {
    if (!plan_.membership) return;
    const MembershipRecord& record = production.membership().record();
    if (record.epoch < epochs_[replica]) {
        return fail(replica, "went back from membership epoch " + std::to_string(epochs_[replica]) +
                                 " to " + std::to_string(record.epoch));
    }
    if (record.epoch > epochs_[replica]) learn(replica, record);
}

void Members::learn(std::size_t replica, const MembershipRecord& record) {
    epochs_[replica] = record.epoch;
    const auto [known, first] = records_.emplace(record.epoch, record);
    timeline_.note("members", replica, hash64(encode_membership(record)), [&] {
        return "epoch " + std::to_string(record.epoch) + ", " +
               std::to_string(record.members.size()) + " members";
    });
    if (known->second != record) {
        return fail(replica, "knows another record of membership epoch " +
                                 std::to_string(record.epoch) + " than the others");
    }
    if (!first) return;
    ++coverage_.memberships;
    const auto before = records_.find(record.epoch - 1);
    if (record.epoch == 1 || before == records_.end()) return;
    if (difference(before->second, record) > 1) {
        fail(replica, "two members changed at once in epoch " + std::to_string(record.epoch));
    }
}

void Members::issued(std::size_t replica, const Replica& production) {
    const Membership::Standing standing = production.membership().standing();
    if (standing == Membership::Standing::open || standing == Membership::Standing::active) return;
    fail(replica, "made an event, and is no active member");
}

void Members::applied(std::size_t replica, const Replica& production, const Dot& dot) {
    if (!production.membership().is_quarantined(dot)) return;
    fail(replica, "took in " + to_string(dot) + ", which no member had when its replica went");
}

/// Whoever left by itself had given everything away.
void Members::check_end(std::size_t replica, const Replica& production) {
    for (const FormerMember& former : production.membership().record().formers) {
        if (former.evicted) continue;
        const std::uint32_t node_id = node_id_of(former.uuid);
        const VersionVector kept =
            history_.durable_vv(history_.replica_of(node_id)).of_node(node_id);
        if (production.durable_vv().covers(kept)) continue;
        fail(replica, "lacks what a replica had that was drained: " + to_string(kept));
    }
}

}  // namespace syncline::sim
