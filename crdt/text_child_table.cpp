#include "crdt/text_child_table.hpp"

#include <utility>

namespace syncline {

namespace {

constexpr std::size_t slots_min = 16;

std::uint64_t place_of(const TextElement& parent, Side side) {
    return parent.index * 2 + (side == Side::right ? 1 : 0);
}

}  // namespace

/// The slot of a place, or the free one where it belongs.
std::size_t TextChildTable::slot_of(std::uint32_t actor, std::uint64_t place) const {
    // Fibonacci hashing: neighbouring indexes go far apart.
    const std::uint64_t mixed = (place ^ (std::uint64_t{actor} << 40U)) * 0x9e3779b97f4a7c15U;
    std::size_t number = static_cast<std::size_t>(mixed >> shift_);
    for (;; number = (number + 1) & (slots_.size() - 1)) {
        const Slot& slot = slots_[number];
        if (slot.chain == none || (slot.place == place && slot.actor == actor)) return number;
    }
}

std::uint32_t TextChildTable::find(const TextElement& parent, Side side) const {
    if (slots_.empty()) return none;
    return slots_[slot_of(parent.actor, place_of(parent, side))].chain;
}

std::uint32_t& TextChildTable::entry(const TextElement& parent, Side side) {
    if ((used_ + 1) * 3 > slots_.size() * 2) reserve(used_ + 1);
    const std::uint64_t place = place_of(parent, side);
    Slot& slot = slots_[slot_of(parent.actor, place)];
    if (slot.chain == none) {
        slot.place = place;
        slot.actor = parent.actor;
        ++used_;
    }
    return slot.chain;
}

void TextChildTable::reserve(std::size_t places) {
    std::size_t count = slots_min;
    unsigned shift = 60;
    for (; count * 2 < places * 3; count *= 2) --shift;
    if (count <= slots_.size()) return;
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(count));
    shift_ = shift;
    for (const Slot& slot : old) {
        if (slot.chain != none) slots_[slot_of(slot.actor, slot.place)] = slot;
    }
}

}  // namespace syncline
