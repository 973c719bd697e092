#pragma once
#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace syncline {

/// A script that completes subcommands and options of `root`, as they are; shell is bash, zsh or
/// fish.
std::string completion_script(const CLI::App& root, const std::string& shell);

/// Adds `syncline completion bash|zsh|fish`, which prints that script for the whole program.
std::function<int()> add_completion(CLI::App& app);

}  // namespace syncline
