#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "storage/descriptor.hpp"

namespace syncline {

/// Where a file that a library has mapped lies in memory, and how far the file reaches there:
/// behind its end whoever looks dies of it. Thread-safety: holds() and tears() from any threads.
class MappedFile {
public:
    /// Looks the file up in the process's table of maps. Error io: it is not mapped.
    static Result<MappedFile> find(const std::string& name);

    [[nodiscard]] const char* begin() const { return reinterpret_cast<const char*>(begin_); }
    /// The bytes lie within the file as it is now.
    [[nodiscard]] bool holds(BytesView bytes) const;
    /// They begin in the file's memory and reach out of the file. Changed pages of a transaction
    /// that writes lie elsewhere.
    [[nodiscard]] bool tears(BytesView bytes) const;

private:
    MappedFile(Descriptor file, std::uintptr_t begin, std::uintptr_t end)
        : file_(std::move(file)), begin_(begin), end_(end) {}

    Descriptor file_;
    std::uintptr_t begin_;
    std::uintptr_t end_;
    // Of the file, as far as known. By pointer, because an atomic cannot be moved.
    std::unique_ptr<std::atomic<std::uint64_t>> bytes_ =
        std::make_unique<std::atomic<std::uint64_t>>(0);
};

}  // namespace syncline
