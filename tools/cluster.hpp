#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace syncline {

/// `syncline cluster status|plan|apply|rejoin|resubmit`: who belongs to the cluster, and how that
/// changes. Returns what to run after the parse.
std::function<int()> add_cluster(CLI::App& app);

}  // namespace syncline
