#pragma once
#include "core/engine/replica.hpp"
#include "core/merkle/difference.hpp"
#include "core/merkle/session.hpp"

namespace syncline {

/// A session in which this replica serves a peer. Private to the replica's own files.
struct Replica::Serving {
    SessionOpen open;
    std::unique_ptr<SessionServer> session;  // null: waits for a snapshot
    std::uint64_t active_ms = 0;

    [[nodiscard]] std::uint16_t name() const { return static_cast<std::uint16_t>(open.nonce); }
};

/// A session whose result is told to somebody and never adopted.
struct Replica::Comparing {
    LinkId link = 0;
    std::uint64_t asker = 0;
    DifferenceQuestion question;
    std::unique_ptr<SessionPuller> session;  // null: waits for a snapshot
    Outgoing last;                           // repeated when no answer comes
    std::uint64_t begun_ms = 0;
    std::uint64_t sent_ms = 0;
    std::uint64_t metadata_bytes = 0;
};

}  // namespace syncline
