#include "tools/secret_text.hpp"

#include <cstdlib>
#include <fstream>

namespace syncline {

Result<std::optional<std::string>> secret_text(const std::string& path, const char* variable) {
    if (path.empty()) {
        const char* const text = std::getenv(variable);
        if (text == nullptr || *text == '\0') return std::optional<std::string>();
        return std::optional<std::string>(text);
    }
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) {
        return Error{Code::invalid_argument, "no password can be read from '" + path + "'"};
    }
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty())
        return Error{Code::invalid_argument, "'" + path + "' has an empty line first"};
    return std::optional<std::string>(line);
}

}  // namespace syncline
