#pragma once
#include <optional>
#include <string>

#include "core/base/result.hpp"

namespace syncline {

/// A password as it is given without being seen by whoever lists processes: the first line of a
/// file, or, when the path is empty, an environment variable. Nothing when neither is there.
/// Error invalid_argument: the file cannot be read, or is empty.
Result<std::optional<std::string>> secret_text(const std::string& path, const char* variable);

}  // namespace syncline
