#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// Adds the questions of `syncline inspect`; what to run after the parse.
std::function<int()> add_inspect(CLI::App& app);

}  // namespace syncline
