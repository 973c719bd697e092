#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// Adds the options of `syncline demo`; the result runs it after the parse and returns the
/// process's exit code: 0 when the replicas end equal to the recorded state, 4 when not.
std::function<int()> add_demo(CLI::App& app);

}  // namespace syncline
