#pragma once
#include <string>
#include <vector>

#include "tools/compare_run.hpp"

namespace syncline {

/// Results as a table for a terminal, a line each; and below it what the columns mean.
std::string compare_table(const std::vector<CompareResult>& results);
/// Results as JSON: an object with `about` (version, machine, parameters) and `runs`, whose members
/// have the names of CompareResult's.
std::string compare_json(const std::vector<CompareResult>& results);
/// One self-contained page with charts over the same JSON; needs no network.
std::string compare_page(const std::string& json);

}  // namespace syncline
