#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// `syncline backup`, `verify` and `restore`: put their options on the parser, and answer with what
/// runs them.
std::function<int()> add_backup(CLI::App& app);
std::function<int()> add_verify(CLI::App& app);
std::function<int()> add_restore(CLI::App& app);

}  // namespace syncline
