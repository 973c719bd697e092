/// The links of a database's Node: connections, whose frames a loop's thread brings and takes.
#include <utility>

#include "core/database_engine.hpp"

namespace syncline {

Result<void> DatabaseEngine::attach(std::function<void()> wake) {
    SYNCLINE_CHECK(check_caller());
    const Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (wake_node_) return Error{Code::unavailable, "the database has a Node already"};
    output_ = {};
    wake_node_ = std::move(wake);
    return {};
}

void DatabaseEngine::detach() {
    const Lock lock(mutex_);
    wake_node_ = nullptr;
    output_ = {};
}

DatabaseEngine::Output DatabaseEngine::take_output() {
    const Lock lock(mutex_);
    return std::exchange(output_, {});
}

bool DatabaseEngine::open_for_links() {
    const Lock lock(mutex_);
    return usable().has_value();
}

Identity DatabaseEngine::identity() {
    const Lock lock(mutex_);
    return data_.identity;
}

Actor DatabaseEngine::actor() {
    const Lock lock(mutex_);
    return replica_ ? replica_->actor() : Actor{data_.identity.node_id, 0};
}

Result<void> DatabaseEngine::admit(const Uuid& peer_cluster) {
    const Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    SYNCLINE_CHECK(join(peer_cluster));
    if (replica_) return {};
    return Error{Code::unavailable, "the two sides have no cluster in common yet"};
}

void DatabaseEngine::link_up(LinkId link, const Uuid& peer) {
    SYNCLINE_ASSERT(!Exchanges::owns(link));
    const Lock lock(mutex_);
    if (!usable() || !replica_) return;
    replica_->link_up(link, peer);
    turn_end(nullptr);
}

void DatabaseEngine::link_down(LinkId link) {
    const Lock lock(mutex_);
    if (!jobs_) return;  // closed
    replica_->link_down(link);
    turn_end(nullptr);
}

void DatabaseEngine::receive_frame(LinkId link, std::uint8_t type, BytesView payload) {
    const Lock lock(mutex_);
    if (!usable() || !replica_) return;
    replica_->receive(link, type, payload);
    turn_end(nullptr);
}

void DatabaseEngine::note_transfer(LinkId link) {
    const Lock lock(mutex_);
    if (usable() && replica_) replica_->note_transfer(link);
}

void DatabaseEngine::tick() {
    const Lock lock(mutex_);
    if (!usable() || !replica_) return;
    replica_->tick();
    turn_end(nullptr);
}

std::vector<PeerStatus> DatabaseEngine::peer_statuses() {
    const Lock lock(mutex_);
    return replica_ ? replica_->peers() : std::vector<PeerStatus>();
}

std::optional<VersionVector> DatabaseEngine::settled_version() {
    const Lock lock(mutex_);
    if (!replica_) return VersionVector();
    if (replica_->log().durable() != replica_->log().end()) return std::nullopt;
    return replica_->durable_vv();
}

}  // namespace syncline
