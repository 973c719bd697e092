#pragma once
#include "core/engine/replica.hpp"
#include "core/merkle/difference.hpp"
#include "core/merkle/session.hpp"

namespace syncline {

/// A session in which this replica serves a peer. Private to the replica's own files.
struct Replica::Serving {
    Serving(RepairBudget& budget, const SessionOpen& opened) : open(opened), claim(budget) {}

    SessionOpen open;
    std::unique_ptr<SessionServer> session;     // null: waits for a snapshot
    std::uint64_t active_ms = 0;                // when something was asked for
    std::optional<SessionRowsRequest> waiting;  // until the cap lets its rows go
    std::uint64_t waiting_ms = 0;               // since when
    bool uncapped = false;                      // writers would have to wait for it
    RepairBudget::Claim claim;

    [[nodiscard]] std::uint16_t name() const { return session_name(open.nonce); }
};

/// A pass over all that is stored.
struct Replica::Scrub {
    enum class Phase : std::uint8_t { buckets, deadlines, conflicts, log };

    Phase phase = Phase::buckets;
    std::optional<BucketCheck> check;
    bool skipped = false;  // some bucket was not looked at: its state is known
    Bytes deadlines_from;
    std::uint64_t conflict = 0;
    Position position = 0;
    std::uint64_t damages = 0;  // of the group, when it began
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
