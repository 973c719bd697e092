#pragma once
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"

namespace syncline {

constexpr BytesView bad_bit_offset = "ERR bit offset is not an integer or out of range";

/// The place of a bit, or of a number of `width` bits: then "#n" is the place behind n such
/// numbers. Nothing: it is none, or no value is so long.
std::optional<std::uint64_t> bit_offset(BytesView text, unsigned width = 0);

}  // namespace syncline
