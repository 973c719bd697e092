#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// `syncline suffix export`: takes the held unreplicated events of a stopped replica out of its
/// data directory, and gives it a new one. Returns what to run after the parse.
std::function<int()> add_suffix(CLI::App& app);

}  // namespace syncline
