#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// Adds the options of `syncline compare`; the result runs it after the parse and returns the
/// process's exit code: 0 when every run came to its end with equal replicas, 4 when some did not
/// become equal.
std::function<int()> add_compare(CLI::App& app);

}  // namespace syncline
