#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/base/assert.hpp"

namespace syncline {

/// A fresh directory that is removed with all its content at the end of the test.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "syncline-XXXXXX").string();
        SYNCLINE_ASSERT(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;  // what is left is the system's to clean
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace syncline
