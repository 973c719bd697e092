#include "crdt/expiry.hpp"

#include <charconv>
#include <tuple>

namespace syncline {

Bytes deadline_bytes(std::uint64_t deadline_ms) {
    Bytes bytes;
    ByteWriter(bytes).u64(deadline_ms);
    return bytes;
}

std::optional<std::uint64_t> deadline_from_bytes(BytesView bytes) {
    ByteReader in(bytes);
    const std::uint64_t deadline = in.u64();
    return in.done() ? std::optional(deadline) : std::nullopt;
}

std::string deadline_text(std::uint64_t deadline_ms) {
    return deadline_ms == never ? "never" : std::to_string(deadline_ms);
}

std::uint64_t deadline_from_text(BytesView text) {
    std::uint64_t deadline = never;
    std::from_chars(text.data(), text.data() + text.size(), deadline);
    return deadline;
}

const DotMap::Entry* expiry_winner(const Cell& cell) {
    const DotMap::Entry* winner = nullptr;
    // Big-endian numbers order as their bytes do.
    const auto rank = [](const DotMap::Entry& entry) {
        return std::tie(entry.payload.value, entry.payload.hlc, entry.dot.actor);
    };
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        if (winner == nullptr || rank(*winner) < rank(entry)) winner = &entry;
    }
    return winner;
}

std::optional<std::uint64_t> expiry_deadline(const Cell& cell) {
    const DotMap::Entry* const winner = expiry_winner(cell);
    return winner == nullptr ? std::nullopt : deadline_from_bytes(winner->payload.value);
}

std::optional<std::uint64_t> expiry_end(const Cell& cell) {
    const std::optional<std::uint64_t> deadline = expiry_deadline(cell);
    return deadline == never ? std::nullopt : deadline;
}

}  // namespace syncline
