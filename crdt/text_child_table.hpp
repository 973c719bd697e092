#pragma once
#include <cstdint>
#include <limits>
#include <vector>

#include "crdt/text_index.hpp"
#include "crdt/text_op.hpp"

namespace syncline {

/// For each place in the tree where chains hang, the number of the first one. A hash table with
/// open addressing: merging looks into it twice for every chain, which with std::unordered_map
/// takes a fifth of the time. Thread-safety: a value.
class TextChildTable {
public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    /// `none` if nothing hangs there.  O(1).
    [[nodiscard]] std::uint32_t find(const TextElement& parent, Side side) const;
    /// The number at a place, to be changed; `none` at first. Valid until the next call of entry
    /// or reserve, and to be set before it.  O(1) amortized.
    std::uint32_t& entry(const TextElement& parent, Side side);
    /// Makes room for so many places.
    void reserve(std::size_t places);

private:
    struct Slot {
        std::uint64_t place = 0;  ///< twice the parent's index, one more for the right side
        std::uint32_t actor = 0;
        std::uint32_t chain = none;  ///< `none`: the slot is free
    };

    [[nodiscard]] std::size_t slot_of(std::uint32_t actor, std::uint64_t place) const;

    std::vector<Slot> slots_;  // none, or a power of two; at most two thirds of them are used
    std::size_t used_ = 0;
    unsigned shift_ = 64;  // 64 - log2 of the number of slots
};

}  // namespace syncline
