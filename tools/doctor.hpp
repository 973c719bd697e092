#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// `syncline doctor`: puts its options on the parser, and answers with what runs it.
std::function<int()> add_doctor(CLI::App& app);

}  // namespace syncline
