#pragma once
#include "core/engine/replica.hpp"
#include "core/merkle/session.hpp"

namespace syncline {

/// A session in which this replica serves a peer. Private to the replica's own files.
struct Replica::Serving {
    SessionOpen open;
    std::unique_ptr<SessionServer> session;  // null: waits for a snapshot
    std::uint64_t active_ms = 0;

    [[nodiscard]] std::uint16_t name() const { return static_cast<std::uint16_t>(open.nonce); }
};

}  // namespace syncline
