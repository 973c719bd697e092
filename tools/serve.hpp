#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// Adds the options of `syncline serve`; the result runs it after the parse and returns the
/// process's exit code.
std::function<int()> add_serve(CLI::App& app);

}  // namespace syncline
