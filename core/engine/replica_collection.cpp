// The stable cut of a replica: who belongs to the cluster, what all of them have, and the rows that
// lose something by it.
#include "core/engine/replica.hpp"

namespace syncline {
namespace {

/// Looked at in one tick: what a turn can spare.
constexpr std::size_t rows_per_tick = 1000;

std::string describe(const KeyPolicies& policies) {
    std::string all;
    for (const std::string& text : policies.texts()) all += (all.empty() ? "" : ", ") + text;
    return all.empty() ? "(none)" : printable(all);
}

}  // namespace

/// Errors: version (another number of replicas, or other policies), unauthorized (one too many).
Result<void> Replica::meet(const Uuid& peer, const Hello& hello) {
    // Where there is a record it says who belongs to the cluster.
    const bool recorded = membership_->on() || hello.epoch > 0;
    if (recorded && hello.version < protocol_version_membership) {
        return Error{Code::version, "the peer speaks protocol version " +
                                        std::to_string(hello.version) +
                                        ", which knows no membership record"};
    }
    if (!recorded && hello.replicas != stable_cut_.replicas()) {
        return Error{Code::version, "the peer's cluster has " + std::to_string(hello.replicas) +
                                        " replicas, this one's " +
                                        std::to_string(stable_cut_.replicas()) +
                                        ": all replicas need the same --replicas"};
    }
    if (hello.policies != options_.policies) {
        return Error{Code::version, "the peer's cluster has the policies " +
                                        describe(hello.policies) + ", this one's " +
                                        describe(options_.policies) +
                                        ": all replicas need the same --policy"};
    }
    SYNCLINE_CHECK(membership_->check_peer(peer, hello.vv));
    if (recorded) return {};
    if (!stable_cut_.has_room_for(peer)) {
        return Error{Code::unauthorized,
                     "the cluster has its " + std::to_string(stable_cut_.replicas()) +
                         " replicas without this one: CRDT.FORGET strikes one that is gone"};
    }
    stable_cut_.introduce(peer, std::string(hello.name));
    stable_cut_.met(group_->vv(), hello.vv, hello.cut);
    return {};
}

Result<void> Replica::check_joined() {
    SYNCLINE_CHECK(membership_->check_writer());
    if (!stable_cut_.joining(group_->vv())) return {};
    return Error{Code::unavailable, "the replica is new, and has not yet what the others have"};
}

void Replica::take_cut(const VersionVector& peer_cut) {
    if (stable_cut_.adopt(peer_cut)) group_->begin_collection(stable_cut_.cut());
}

void Replica::collect() {
    if (!stable_cut_.on() || failure_) return;
    if (stable_cut_.advance(group_->vv())) group_->begin_collection(stable_cut_.cut());
    const Result<bool> done = group_->collect(rows_per_tick, log_->end());
    if (!done) return fail(done.error());
    stats_.rows_collected = group_->rows_collected();
}

}  // namespace syncline
