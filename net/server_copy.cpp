// A new replica copies the rows of its first peer before it serves; others copy its rows later.
#include <utility>

#include "core/base/log.hpp"
#include "net/server.hpp"

namespace syncline {

/// Whether there is much to copy a peer's HELLO says.
Result<void> Server::begin_receiving() {
    if (options_.copy_rows_min == 0) return open_replica();
    CopyReceiver::Options options;
    options.leaf_bits = ReplicaOptions().leaf_bits;
    options.policies = options_.policies;
    options.rows_min = options_.copy_rows_min;
    receiver_ = std::make_unique<CopyReceiver>(data_, env_, std::move(options),
                                               [this]() { copy_wake_.wake(); });
    return {};
}

std::size_t Server::compressed_bytes_min() const {
    return options_.peer_compression ? limits::compressed_bytes_min : 0;
}

void Server::turn_receiving() {
    receiver_->turn();
    hand_on(receiver_->take_messages(), receiver_->take_closed());
    switch (receiver_->state()) {
        case CopyReceiver::State::waiting:
        case CopyReceiver::State::copying:
            break;
        case CopyReceiver::State::failed:
            return fail(*receiver_->failure());
        case CopyReceiver::State::needless:
        case CopyReceiver::State::done:
            return end_receiving();
    }
}

void Server::end_receiving() {
    const std::map<LinkId, Uuid> links = receiver_->links();
    receiver_.reset();
    if (const Result<void> opened = open_replica(); !opened) return fail(opened.error());
    for (const auto& [link, peer] : links) replica_->link_up(link, peer);
}

std::optional<CopyProgress> Server::copying() {
    if (!receiver_ || receiver_->state() != CopyReceiver::State::copying) return std::nullopt;
    return receiver_->progress();
}

/// One piece a turn, in the view that the turn has of the base.
void Server::turn_serving() {
    copies_->turn();
    hand_on(copies_->take_messages(), copies_->take_closed());
    if (copies_->due()) loop_->defer([]() {});  // the next turn follows at once
}

void Server::link_up(LinkId link, const Uuid& peer) {
    if (receiver_) return receiver_->link_up(link, peer);
    if (replica_) replica_->link_up(link, peer);
}

void Server::link_down(LinkId link) {
    if (receiver_) receiver_->link_down(link);
    if (!replica_) return;
    copies_->link_down(link);
    replica_->link_down(link);
}

void Server::peer_message(LinkId link, std::uint8_t type, BytesView payload) {
    if (receiver_) return receiver_->receive(link, type, payload);
    if (!replica_) return;
    if (!CopyServer::takes(type)) return replica_->receive(link, type, payload);
    const bool busy = backup_.status().state == BackupStatus::State::running;
    copies_->receive(link, type, payload, busy);
}

void Server::peer_transfer(LinkId link) {
    if (replica_) replica_->note_transfer(link);
}

bool Server::copies_rows() const {
    return receiver_ || (copies_ && copies_->active());
}

}  // namespace syncline
