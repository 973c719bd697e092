#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "crdt/cell.hpp"

namespace syncline {

/// Scores of sorted sets: doubles, infinities among them, but never NaN, and 0 has one sign.

/// A score as C writes numbers, or "inf", "+inf", "-infinity" in any case. Nothing if it is none or
/// out of range.
std::optional<double> parse_score(BytesView text);
/// The shortest text that parse_score() reads as this score.
std::string score_text(double score);

/// A number that orders as scores do; and the way back, nothing if there is no such score.
/// Precondition: not NaN.
std::uint64_t score_order(double score);
std::optional<double> score_from_order(std::uint64_t order);

/// A score as the value of a cell: its order in 8 bytes, big-endian; and the way back, nothing if
/// the bytes are none. Precondition: not NaN.
Bytes score_bytes(double score);
std::optional<double> score_from_bytes(BytesView bytes);

/// The visible score of a member: the last writer's, plus the increments beside it. The sum is
/// exact and then rounded once if that score is a Decimal, else the sum of two doubles; the same on
/// every replica. Nothing if the member is not there. Precondition: a cell of a sorted set.
std::optional<double> score_value(const Cell& cell);

/// The increment as what counters add up; nothing if it cannot be held exactly.
std::optional<Decimal> score_increment(double amount);

}  // namespace syncline
