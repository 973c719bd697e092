#pragma once
#include <cstdint>

namespace syncline::flip {

/// What became of a replica whose base has a flipped bit, beside two healthy peers.
enum class PeersEnd : int {
    repaired = 0,  ///< all three are alike, and as before; alarms may have been raised
    refused = 10,  ///< it did not start; the peers are as before
    harmed = 20,   ///< a peer changed, or the replicas are not alike, or a key reads wrong
};

/// Builds three replicas with the same data, flips a bit of the first one's base at a place that
/// `seed` chooses, restarts it and connects them. `suspect`: as after a start that
/// ended in a crash. Writes what is wrong to `out`.
PeersEnd try_with_peers(std::uint64_t seed, bool suspect, int out);

}  // namespace syncline::flip
