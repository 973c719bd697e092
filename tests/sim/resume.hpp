#pragma once
#include <string>

#include "tests/sim/runner.hpp"

namespace syncline::sim {

/// Runs a batch in parts and writes down in a file how far it is, so that it can be ended at any
/// time and goes on with the same call. Prints progress with the time that is left. Failures of
/// earlier calls count. The exit code: 0, 1 (a seed failed), 2 (the file is of another batch, or is
/// none).
int run_resumable(BatchOptions options, const std::string& file);

}  // namespace syncline::sim
