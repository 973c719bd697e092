#pragma once

namespace syncline {

// What the process tells scripts.
constexpr int exit_ok = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_unreachable = 3;
constexpr int exit_different = 4;

}  // namespace syncline
