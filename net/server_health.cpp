// What a server tells of its state: health, and who has whose writes.
#include <algorithm>

#include "net/http/api.hpp"
#include "net/server.hpp"

namespace syncline {
namespace {

/// A replica that lacks no more than this has caught up: while others write there is always a bit.
constexpr std::uint64_t caught_up_events_max = 1000;
/// A replica that finds none of its peers goes on without them after this.
constexpr std::uint64_t peers_wait_ms = 2000;

std::string shown_name(const PeerView& peer) {
    return peer.name.empty() ? peer.address : peer.name;
}

}  // namespace

/// Looks at the peers; every tick.
void Server::observe() {
    if (!replica_) return;
    const std::uint64_t now_ms = env_.clock.steady_ms();
    const std::vector<PeerStatus> statuses = replica_->peers();
    const std::vector<PeerView> views = peers();
    std::vector<ReplicationTracker::Seen> seen;
    for (const PeerView& view : views) {
        ReplicationTracker::Seen& peer = seen.emplace_back();
        peer.name = shown_name(view);
        peer.uuid = view.uuid;
        peer.heard_ms = now_ms - std::min(now_ms, view.silent_ms.value_or(now_ms));
        const auto status =
            std::find_if(statuses.begin(), statuses.end(),
                         [&](const PeerStatus& one) { return view.link == one.link; });
        if (status == statuses.end() || !status->ready) continue;
        peer.connected = true;
        peer.vv = status->vv;
    }
    ReplicationTracker::Seen self;
    self.name = options_.node;
    self.uuid = data_.identity.node;
    self.vv = replica_->durable_vv();
    self.connected = true;
    self.heard_ms = now_ms;
    tracker_.update(now_ms, self, seen);
    const bool any =
        std::any_of(seen.begin(), seen.end(), [](const auto& peer) { return peer.connected; });
    const bool waited = views.empty() || now_ms - figures_.started_ms > peers_wait_ms;
    if ((any || waited) && tracker_.missing_events() <= caught_up_events_max) caught_up_ = true;
}

Health Server::health() {
    const std::uint64_t now_ms = env_.clock.steady_ms();
    Condition condition;
    condition.stopping = phase_ != Phase::running;
    condition.has_data = replica_ != nullptr;
    condition.copying = copying().has_value();
    condition.caught_up = caught_up_;
    if (replica_) {
        condition.overloaded = replica_->overloaded();
        condition.member = replica_->membership().check_writer().has_value();
        condition.space = replica_->refuses_growth().has_value();
        condition.damaged = !replica_->group().damaged().empty();
        condition.divergence_alarms = replica_->stats().divergence_alarms;
        if (replica_->failure()) condition.storage_failure = replica_->failure()->message;
    }
    if (failure_) condition.storage_failure = failure_->message;
    for (const PeerView& view : peers()) {
        condition.peers.push_back({shown_name(view), view.connected, view.blocked,
                                   view.silent_ms.value_or(0), tracker_.lag_to(view.uuid, now_ms),
                                   tracker_.lag_from(view.uuid, now_ms)});
    }
    return assess(condition);
}

ReplicationView Server::replication() {
    return tracker_.view(env_.clock.steady_ms());
}

}  // namespace syncline
