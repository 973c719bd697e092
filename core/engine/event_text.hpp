#pragma once
#include <string>

#include "core/engine/event.hpp"

namespace syncline {

/// What an operation does, in a few words: "write string greeting", "remove set team ann",
/// "add to hash stats hits", "clear key cart", "clear all keys". Names keys and fields, no values.
std::string describe(const Op& op);

}  // namespace syncline
