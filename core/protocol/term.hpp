#pragma once
#include <compare>
#include <cstdint>
#include <string>

#include "core/engine/identity.hpp"
#include "crdt/version_vector.hpp"

namespace syncline {

/// How a cluster replicates; the same at all its replicas. Numbers travel in HELLO.
enum class ReplicationMode : std::uint8_t {
    multi_master = 0,    ///< every replica takes writes
    primary_backup = 1,  ///< the primary of the term does
};
/// "multi-master", "primary-backup".
std::string to_string(ReplicationMode mode);

/// The name of a term: a number, and whose term it is. In total order, so that of two replicas that
/// were promoted at the same time one gives way. Number 0: none yet; so it always is in
/// multi-master mode.
struct TermId {
    std::uint64_t number = 0;
    Uuid primary;

    auto operator<=>(const TermId&) const = default;
};

/// A term, and what its primary held durably when it began: writes that others made of their own
/// and that are not in there were not replicated to it.
struct Term {
    TermId id;
    VersionVector began;

    bool operator==(const Term&) const = default;
};

}  // namespace syncline
