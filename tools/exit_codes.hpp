#pragma once

namespace syncline {

struct Error;

// What the process tells scripts.
constexpr int exit_ok = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_unreachable = 3;
constexpr int exit_different = 4;

/// Wrong settings are 2; what somebody else holds or made (a port, a locked data directory, one of
/// another version) is 3; the rest is 1.
int exit_code_of(const Error& error);
/// Says on stderr why the command ends, and answers with its exit code.
int report_failure(const Error& error);

}  // namespace syncline
