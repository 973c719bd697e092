#pragma once

namespace syncline {

/// Prints the broken condition and its place on standard error, then aborts.
[[noreturn]] void assert_failed(const char* condition, const char* file, int line);

}  // namespace syncline

/// A broken invariant of the program ends the process, in release builds too. Never reachable from
/// bytes off the wire or the disk: those give an Error.
#define SYNCLINE_ASSERT(condition) \
    ((condition) ? static_cast<void>(0) : ::syncline::assert_failed(#condition, __FILE__, __LINE__))
