#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// `syncline scrub`: is everything that a replica has stored as it was written?
std::function<int()> add_scrub(CLI::App& app);

}  // namespace syncline
