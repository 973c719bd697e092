#include "crdt/hlc.hpp"

#include <algorithm>
#include <limits>

#include "core/base/assert.hpp"

namespace syncline {
namespace {

/// 2024-01-01. Earlier times wrap round to the end of the range.
constexpr std::uint64_t epoch_ms = 1704067200000;

}  // namespace

void write_compact(ByteWriter& out, Hlc hlc) {
    out.varint((hlc.ms() - epoch_ms) & hlc_ms_max);
    out.varint(hlc.logical());
}

Hlc read_compact_hlc(ByteReader& in) {
    const std::uint64_t ms = in.varint();
    const std::uint64_t logical = in.varint();
    if (ms > hlc_ms_max || logical > hlc_logical_max) in.fail();
    return Hlc{(((ms + epoch_ms) & hlc_ms_max) << 16) | logical};
}

Hlc HybridClock::tick(std::uint64_t wall_ms) {
    // Whoever applies foreign events refuses clocks from the far future, so the end of the range
    // can only be a bug.
    SYNCLINE_ASSERT(last_.bits < std::numeric_limits<std::uint64_t>::max());
    const Hlc now = Hlc::at_ms(std::min(wall_ms, hlc_ms_max));
    last_ = std::max(Hlc{last_.bits + 1}, now);
    return last_;
}

void HybridClock::observe(Hlc seen) {
    last_ = std::max(last_, seen);
}

}  // namespace syncline
