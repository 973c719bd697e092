#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// `syncline export` and `import`: put their options on the parser, and answer with what runs them.
std::function<int()> add_export(CLI::App& app);
std::function<int()> add_import(CLI::App& app);

}  // namespace syncline
