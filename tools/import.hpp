#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// `syncline import`, from a file or from a Redis that runs: puts its options on the parser, and
/// answers with what runs it.
std::function<int()> add_import(CLI::App& app);

}  // namespace syncline
