#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// Adds `syncline config check` and `syncline config print [--effective]`, which take the settings
/// of `syncline serve`, and `syncline config manual`; the result runs them after the parse and
/// returns the process's exit code: 0, or 2 with a sentence that says what is wrong and where.
std::function<int()> add_config(CLI::App& app);

}  // namespace syncline
