#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace syncline {

/// Files of text to be handed on. Confined to one thread.
class DoctorBundle {
public:
    /// What must stand in no file: each place of it becomes "(secret)". Short ones, of less than
    /// four bytes, are not looked for: they would be found everywhere.
    void add_secret(std::string secret);
    /// A file of this name, instead of one that was there.
    void add(const std::string& name, std::string text);
    [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_; }

    /// Writes all files into a new directory, or, if the path ends in .tar, into a new archive;
    /// both for their owner only. Errors: invalid_argument: it is there already; io.
    [[nodiscard]] Result<void> write(const std::string& path, std::uint64_t now_s) const;

private:
    [[nodiscard]] std::string cleaned(std::string text) const;
    [[nodiscard]] std::string archive(const std::string& folder, std::uint64_t now_s) const;

    std::vector<std::string> secrets_;
    std::map<std::string, std::string> files_;
};

}  // namespace syncline
