#pragma once
#include <functional>

#include "net/loop.hpp"

namespace syncline {

/// Runs turns until the condition holds; false when it does not within ten seconds.
inline bool run_until(Loop& loop, const std::function<bool()>& condition) {
    bool late = false;
    Timer guard(loop, [&late] { late = true; });
    guard.start(10'000);
    while (!condition() && !late) loop.run_once();
    return condition();
}

}  // namespace syncline
