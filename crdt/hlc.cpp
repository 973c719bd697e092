#include "crdt/hlc.hpp"

#include <algorithm>
#include <limits>

#include "core/base/assert.hpp"

namespace syncline {

Hlc HybridClock::tick(std::uint64_t wall_ms) {
    constexpr std::uint64_t ms_max = (std::uint64_t{1} << 48) - 1;
    // Whoever applies foreign events refuses clocks from the far future, so the end of the range
    // can only be a bug.
    SYNCLINE_ASSERT(last_.bits < std::numeric_limits<std::uint64_t>::max());
    const Hlc now = Hlc::at_ms(std::min(wall_ms, ms_max));
    last_ = std::max(Hlc{last_.bits + 1}, now);
    return last_;
}

void HybridClock::observe(Hlc seen) {
    last_ = std::max(last_, seen);
}

}  // namespace syncline
