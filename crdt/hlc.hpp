#pragma once
#include <compare>
#include <cstdint>

#include "core/base/bytes.hpp"

namespace syncline {

/// A hybrid logical timestamp: 48 bits of milliseconds since 1970, 16 bits of counter.
/// Source: Kulkarni et al. 2014, "Logical Physical Clocks".
struct Hlc {
    std::uint64_t bits = 0;

    [[nodiscard]] std::uint64_t ms() const { return bits >> 16; }
    [[nodiscard]] std::uint64_t logical() const { return bits & 0xffff; }
    static Hlc at_ms(std::uint64_t ms) { return Hlc{ms << 16}; }
    auto operator<=>(const Hlc&) const = default;
};

constexpr std::uint64_t hlc_ms_max = (std::uint64_t{1} << 48) - 1;
constexpr std::uint64_t hlc_logical_max = 0xffff;

/// Two varints: milliseconds since 2024-01-01, so that they are short for long, and the counter.
void write_compact(ByteWriter& out, Hlc hlc);
/// Fails the reader for anything write_compact() does not make.
Hlc read_compact_hlc(ByteReader& in);

/// The clock of one replica. Every timestamp it gives is larger than all it gave or saw before.
/// When the logical part overflows it carries into the milliseconds.
/// Thread-safety: confined to one thread.
class HybridClock {
public:
    /// A timestamp for a new event: max(last + 1, now).
    Hlc tick(std::uint64_t wall_ms);
    /// Remembers a timestamp seen on another replica's event, or restored from disk.
    void observe(Hlc seen);
    [[nodiscard]] Hlc last() const { return last_; }

private:
    Hlc last_;
};

}  // namespace syncline
