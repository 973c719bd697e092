#pragma once
#include <cstdint>
#include <limits>
#include <optional>

#include "crdt/cell.hpp"

namespace syncline {

/// When a key ends: a register of its own beside what the key holds. Of concurrent deadlines the
/// latest counts, and "never", which PERSIST writes, is later than all.
/// Deadlines are in milliseconds since 1970.
constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

/// A deadline as the value of a cell: 8 bytes, big-endian; and the way back, nothing if these bytes
/// are none.
Bytes deadline_bytes(std::uint64_t deadline_ms);
std::optional<std::uint64_t> deadline_from_bytes(BytesView bytes);
/// "never", or the number; and the way back from what this wrote.
std::string deadline_text(std::uint64_t deadline_ms);
std::uint64_t deadline_from_text(BytesView text);

/// The write that counts: the latest deadline, of equal ones the last writer's. Null if there is
/// none. Precondition: a cell of type expiry, as of all below.
const DotMap::Entry* expiry_winner(const Cell& cell);
/// The deadline that counts.
std::optional<std::uint64_t> expiry_deadline(const Cell& cell);
/// When the key ends: the deadline that counts, unless it is `never`.
std::optional<std::uint64_t> expiry_end(const Cell& cell);

}  // namespace syncline
