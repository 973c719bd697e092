#pragma once
#include <cstdio>
#include <memory>
#include <string>

#include "core/base/result.hpp"

namespace syncline {

/// Closes what is not standard input or output; whoever writes flushes before, and sees errors.
struct FileCloser {
    void operator()(std::FILE* file) const {
        if (file != stdout && file != stdin) (void)std::fclose(file);  // flushed before
    }
};
using OpenFile = std::unique_ptr<std::FILE, FileCloser>;

/// How standard input or output is named among files.
constexpr const char* standard_file_name = "-";

/// A file, or `standard` when the path is "-". Error invalid_argument: it cannot be opened.
inline Result<OpenFile> open_file(const std::string& path, const char* mode, std::FILE* standard) {
    if (path == standard_file_name) return OpenFile(standard);
    std::FILE* const file = std::fopen(path.c_str(), mode);
    if (file == nullptr) {
        return Error{Code::invalid_argument, "cannot open '" + path + "'"};
    }
    return OpenFile(file);
}

}  // namespace syncline
