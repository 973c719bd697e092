#include "net/health.hpp"

#include <utility>

namespace syncline {
namespace {

void assess_replica(const Condition& condition, Health& health) {
    const auto fails = [&](std::string code, std::string text) {
        health.status = Health::Status::failing;
        health.reasons.push_back({std::move(code), "", std::move(text)});
    };
    if (condition.storage_failure) {
        fails("storage", "The storage failed: " + *condition.storage_failure + ".");
    }
    if (condition.stopping) fails("stopping", "The replica is stopping.");
    if (condition.copying) {
        fails("copying", "The replica copies the rows of a peer, to begin with.");
    } else if (!condition.has_data) {
        fails("waiting", "The replica waits for the first peer that knows the cluster.");
    } else if (!condition.caught_up) {
        fails("catching_up", "The replica has not yet caught up with its peers since it started.");
    }
    if (!condition.member) {
        fails("not_member", "The replica is no active member of the cluster, and takes no writes.");
    }
    if (condition.overloaded) {
        fails("overloaded", "Requests wait: too many changes are not yet in a checkpoint.");
    }
}

std::optional<HealthReason> assess_peer(const PeerCondition& peer) {
    if (peer.blocked) {
        return HealthReason{"link_cut", peer.name, "The link to " + peer.name + " is cut."};
    }
    if (!peer.connected) {
        return HealthReason{"link_down", peer.name, "There is no link to " + peer.name + "."};
    }
    if (peer.silent_ms > silent_ms_max) {
        return HealthReason{"silent", peer.name, "Nothing is heard from " + peer.name + "."};
    }
    if (peer.lags_ms.value_or(0) > lag_ms_max) {
        return HealthReason{"peer_behind", peer.name,
                            peer.name + " lacks writes of this replica for more than 5 seconds."};
    }
    if (peer.behind_ms.value_or(0) > lag_ms_max) {
        return HealthReason{
            "behind", peer.name,
            "This replica lacks writes of " + peer.name + " for more than 5 seconds."};
    }
    return std::nullopt;
}

}  // namespace

const char* status_name(Health::Status status) {
    switch (status) {
        case Health::Status::ok:
            return "ok";
        case Health::Status::degraded:
            return "degraded";
        case Health::Status::failing:
            return "failing";
    }
    return "failing";
}

Health assess(const Condition& condition) {
    Health health;
    assess_replica(condition, health);
    if (condition.space) {
        health.reasons.push_back(
            {"space", "", "Writes that add something are refused: map or disk are full."});
    }
    if (condition.damaged) {
        health.reasons.push_back(
            {"damaged", "", "Stored rows are damaged, and not shown until a peer's replace them."});
    }
    if (condition.divergence_alarms > 0) {
        health.reasons.push_back(
            {"diverged", "", "Data differed at equal version vectors; the log has the alarm."});
    }
    for (const PeerCondition& peer : condition.peers) {
        if (std::optional<HealthReason> reason = assess_peer(peer)) {
            health.reasons.push_back(*std::move(reason));
        }
    }
    if (!health.reasons.empty() && health.status == Health::Status::ok) {
        health.status = Health::Status::degraded;
    }
    return health;
}

}  // namespace syncline
