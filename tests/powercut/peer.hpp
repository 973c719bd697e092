#pragma once
#include <filesystem>

#include "tests/support/cluster.hpp"

namespace syncline::powercut {

/// Another member of the cluster, for one life: it takes what the recorded replica sends, and
/// writes nothing. It lives outside of what is recorded, and power cuts do not concern it.
/// Thread-safety: confined to one thread.
class Peer {
public:
    /// Links both. `directory`: of its own, which is emptied. Replica and clock must outlive it.
    Peer(Replica& replica, ManualClock& clock, const std::filesystem::path& directory);

    /// Delivers what left the replica, and what is answered. Error: why a link had to be closed.
    Result<void> carry(const Committed& committed);
    void tick() { peer_->tick(); }
    /// All events that were sent to it.
    [[nodiscard]] const VersionVector& knows() { return peer_->group().vv(); }

private:
    Replica& replica_;
    TestReplica peer_;
};

}  // namespace syncline::powercut
