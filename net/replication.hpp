#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/identity.hpp"
#include "crdt/version_vector.hpp"

namespace syncline {

/// What one replica knows of who has whose writes.
struct ReplicationView {
    /// One direction of one pair: how much `to` lacks of what `from` has written.
    struct Pair {
        std::size_t from = 0;  ///< indices into `nodes`
        std::size_t to = 0;
        std::uint64_t lag_events = 0;
        /// Age of the oldest write that is lacking, as seen from here; 0 if none is.
        std::uint64_t lag_ms = 0;
    };
    struct Node {
        std::string name;
        Uuid uuid;
        std::uint64_t known_ms = 0;  ///< how old the knowledge of it is; 0 for this replica
        std::uint64_t events = 0;    ///< transactions it has made, as far as known here
        bool connected = false;
    };

    std::vector<Node> nodes;  ///< this replica first
    std::vector<Pair> pairs;  ///< all with from != to
};

/// Keeps the last known version vector of each peer, and since when each lacks what, also while
/// the link is down. Bounded: 64 samples for each pair; when there are more the age of what came
/// last is overstated, never that of the oldest write.
/// Thread-safety: confined to one thread.
class ReplicationTracker {
public:
    struct Seen {
        std::string name;
        Uuid uuid;
        VersionVector vv;  ///< durable there, as last heard; empty: nothing new
        bool connected = false;
        std::uint64_t heard_ms = 0;  ///< steady, when it was last heard
    };

    /// What is known now; `self` is this replica. Call it every 100 ms or so: lag in milliseconds
    /// is as exact as the calls are frequent. O(n^2) with n replicas.
    void update(std::uint64_t now_ms, const Seen& self, const std::vector<Seen>& peers);
    [[nodiscard]] ReplicationView view(std::uint64_t now_ms) const;
    /// Age of the oldest own write that the peer lacks, and of the peer's that is lacking here.
    [[nodiscard]] std::optional<std::uint64_t> lag_to(const Uuid& peer, std::uint64_t now_ms) const;
    [[nodiscard]] std::optional<std::uint64_t> lag_from(const Uuid& peer,
                                                        std::uint64_t now_ms) const;
    /// Transactions that connected peers are known to have and that are not durable here; one that
    /// two of them have counts twice.
    [[nodiscard]] std::uint64_t missing_events() const { return missing_events_; }

private:
    struct Node {
        Seen seen;
        std::uint32_t id = 0;
        std::uint64_t events = 0;
    };
    struct Sample {
        std::uint64_t at_ms;
        std::uint64_t events;
    };
    using Samples = std::deque<Sample>;  // not yet at the other side, oldest first

    [[nodiscard]] std::optional<std::uint64_t> lag(const Uuid& from, const Uuid& to,
                                                   std::uint64_t now_ms) const;
    void take(const Seen& seen);

    Uuid self_;
    std::map<Uuid, Node> nodes_;
    std::map<std::pair<Uuid, Uuid>, Samples> lacking_;
    std::uint64_t missing_events_ = 0;
};

}  // namespace syncline
