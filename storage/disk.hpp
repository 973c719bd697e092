#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

/// One open file. Closing happens on destruction. Offsets and sizes in bytes.
/// Thread-safety: different threads may use disjoint ranges; sync from one thread at a time.
class File {
public:
    virtual ~File() = default;
    /// Reads up to `count` bytes; fewer at the end of the file.
    virtual Result<Bytes> read_at(std::uint64_t offset, std::size_t count) = 0;
    virtual Result<void> write_at(std::uint64_t offset, BytesView bytes) = 0;
    /// fdatasync. A failure is final: never retried, the caller stops serving.
    virtual Result<void> sync() = 0;
    virtual Result<std::uint64_t> size() = 0;
};

/// Room of the file system under a directory, in bytes, as df counts it.
struct DiskSpace {
    std::uint64_t total_bytes = 0;  ///< 0: nothing is known
    std::uint64_t free_bytes = 0;   ///< what this user may still write

    [[nodiscard]] bool known() const { return total_bytes > 0; }
};

/// A flat directory of files. Production uses a real one, the simulator one that forgets what was
/// not synced.
class Disk {
public:
    virtual ~Disk() = default;
    virtual Result<std::vector<std::string>> list() = 0;
    /// Creates the file when it is missing.
    virtual Result<std::unique_ptr<File>> open(const std::string& name) = 0;
    /// Atomic; durable after sync_directory().
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& name) = 0;
    virtual Result<void> sync_directory() = 0;
    /// Looks it up, which costs a system call. Thread-safety: any thread.
    virtual DiskSpace space() { return {}; }
};

/// Whether files may be changed, and made.
enum class DiskAccess : std::uint8_t { write, read };

/// A directory of the file system, created (mode 0700) when missing. pread, pwrite, fdatasync;
/// never stdio. Only to be read it must be there, and may be on a disk that cannot be written.
/// Errors: Code::io with the path and errno's text; Code::no_space for ENOSPC, but never of a sync:
/// whoever gets no_space may try again, and a failed sync is final whatever its reason was.
Result<std::unique_ptr<Disk>> open_posix_disk(const std::string& path,
                                              DiskAccess access = DiskAccess::write);

/// What tells a file from its copies: inode and time of birth, which no tool copies, as 16 bytes.
/// The same for as long as the file lives and stays in its file system, whatever it is called.
/// Error io.
Result<Bytes> file_mark(const std::string& path);

/// A small file as a whole; nothing when there is none.
Result<std::optional<Bytes>> read_file(Disk& disk, const std::string& name, std::size_t bytes_max);
/// Replaces a small file, atomically and durably, by way of the file NAME.new.
Result<void> replace_file(Disk& disk, const std::string& name, BytesView bytes);

}  // namespace syncline
