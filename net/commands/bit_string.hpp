#pragma once
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"

namespace syncline {

/// Strings as rows of bits: bit 0 is the highest of the first byte. Bits behind the end are 0.

bool bit_at(BytesView bytes, std::uint64_t index);
/// Precondition: the index is within the string.
void put_bit(Bytes& bytes, std::uint64_t index, bool bit);

/// How many are set from `first` to `last`, both included. Precondition: within the string.
/// O(bytes).
std::uint64_t count_bits(BytesView bytes, std::uint64_t first, std::uint64_t last);
/// The first that is `bit` from `first` to `last`, both included. Precondition: within the string.
/// O(bytes).
std::optional<std::uint64_t> find_bit(BytesView bytes, bool bit, std::uint64_t first,
                                      std::uint64_t last);

/// `width` bits from an index on as a number, the highest first. Precondition: 1 to 64.
std::uint64_t number_at(BytesView bytes, std::uint64_t index, unsigned width);
/// Writes its lowest `width` bits. Precondition: 1 to 64, all within the string.
void put_number(Bytes& bytes, std::uint64_t index, unsigned width, std::uint64_t number);

/// The bytes that hold bits up to an index.
constexpr std::uint64_t bytes_up_to(std::uint64_t index) {
    return index / 8 + 1;
}

}  // namespace syncline
