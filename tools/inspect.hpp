#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tools/console.hpp"
#include "tools/inspect_key.hpp"

namespace CLI {
class App;
}

namespace syncline {

/// Adds the questions of `syncline inspect`; what to run after the parse.
std::function<int()> add_inspect(CLI::App& app);

// What `syncline inspect key`, `status` and `conflicts` print of these nodes, HOST:PORT each.
// Errors: invalid_argument. What a node does not answer stands in the text.

Result<std::string> inspect_key(const std::vector<std::string>& nodes, const KeyQuestion& question,
                                const ConsoleStyle& style);
Result<std::string> inspect_status(const std::vector<std::string>& nodes,
                                   const ConsoleStyle& style);
Result<std::string> inspect_conflicts(const std::vector<std::string>& nodes,
                                      const ConsoleStyle& style);

}  // namespace syncline
