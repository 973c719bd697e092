#include "tests/powercut/peer.hpp"

#include "tests/powercut/engine.hpp"

namespace syncline::powercut {
namespace {

constexpr LinkId only_link = 1;

const std::filesystem::path& emptied(const std::filesystem::path& directory) {
    std::filesystem::remove_all(directory);
    return directory;
}

}  // namespace

Peer::Peer(Replica& replica, ManualClock& clock, const std::filesystem::path& directory)
    : replica_(replica),
      peer_(emptied(directory), replica.identity().cluster, clock,
            [](ReplicaOptions& options) { options.leaf_bits = leaf_bits; }) {
    replica_.link_up(only_link, peer_->identity().node);
    peer_->link_up(only_link, replica_.identity().node);
}

Result<void> Peer::carry(const Committed& committed) {
    for (const auto& [link, error] : committed.closed) return error;
    for (const Outgoing& message : committed.messages) {
        peer_->receive(only_link, message.type, message.payload);
    }
    peer_.settle();
    const Committed answers = peer_->committed();
    for (const auto& [link, error] : answers.closed) return error;
    for (const Outgoing& message : answers.messages) {
        replica_.receive(only_link, message.type, message.payload);
    }
    return {};
}

}  // namespace syncline::powercut
