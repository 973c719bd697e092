#include "storage/provisional.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "core/base/bytes.hpp"
#include "core/base/hash.hpp"
#include "core/base/limits.hpp"
#include "storage/lmdb_handles.hpp"
#include "storage/lmdb_pages.hpp"

namespace syncline {
namespace {

constexpr const char* mark_name = "/PROVISIONAL";
constexpr std::size_t mark_bytes = 16;
/// Small enough that a sync of somebody else that comes behind it does not wait long.
constexpr off64_t write_back_bytes = limits::mib;
/// A piece that takes less had nothing to write.
constexpr std::chrono::microseconds idle_piece{200};
/// How long the disk is left alone, as a multiple of what a piece took, and at most.
constexpr int pause_ratio = 3;
constexpr std::chrono::milliseconds pause_max{20};

Bytes encode_mark(std::uint64_t number) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.u64(number);
    out.u64(hash64(bytes));
    return bytes;
}

}  // namespace

Result<void> ProvisionalMark::set(std::uint64_t number) {
    const std::string name = base_path_ + mark_name;
    if (file_.get() < 0) {
        Descriptor made(::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        if (made.get() < 0) return lmdb::failure("make " + name, errno);
        SYNCLINE_CHECK(lmdb::sync_directory(base_path_));
        file_ = std::move(made);
    }
    // Should this fail, a number may be on disk all the same; 0 is known to be only when it is.
    if (number != 0) number_ = number;
    const Bytes bytes = encode_mark(number);
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), 0);
    if (written != static_cast<ssize_t>(bytes.size())) {
        return lmdb::failure("write " + name, written < 0 ? errno : ENOSPC);
    }
    if (::fdatasync(file_.get()) != 0) return lmdb::failure("sync " + name, errno);
    number_ = number;
    return {};
}

/// One that is torn was being written: no commit had been made under it.
Result<std::uint64_t> ProvisionalMark::read(const std::string& base_path) {
    const std::string name = base_path + mark_name;
    const Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0 && errno == ENOENT) return std::uint64_t{0};
    if (file.get() < 0) return lmdb::failure("open " + name, errno);
    Bytes bytes(mark_bytes, '\0');
    const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
    if (got < 0) return lmdb::failure("read " + name, errno);
    const std::uint64_t number = ByteReader(bytes).u64();
    const bool sound = got == static_cast<ssize_t>(mark_bytes) && bytes == encode_mark(number);
    return sound ? number : 0;
}

Result<void> take_back_provisional(const std::string& base_path) {
    SYNCLINE_TRY(const std::uint64_t number, ProvisionalMark::read(base_path));
    if (number != 0) {
        SYNCLINE_CHECK(take_back_lmdb_commit(base_path + lmdb::data_name, number));
    } else if (::access((base_path + mark_name).c_str(), F_OK) != 0) {
        return {};
    }
    // Also where it says so already: a process that died between writing that and its sync left
    // what only memory holds. The log is about to be trimmed by the commit that it confirms.
    return ProvisionalMark(base_path).set(0);
}

void Haste::set(bool waited_for) {
    {
        const std::lock_guard lock(mutex_);
        waited_for_ = waited_for;
    }
    changed_.notify_all();
}

bool Haste::waited_for() const {
    const std::lock_guard lock(mutex_);
    return waited_for_;
}

void Haste::pause(std::chrono::steady_clock::duration time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this]() { return waited_for_; });
}

Result<void> write_back_gradually(int file, Haste& haste) {
    using SteadyClock = std::chrono::steady_clock;
    constexpr unsigned flags =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    struct stat status {};
    if (::fstat(file, &status) != 0) return lmdb::failure("look at the data file", errno);
    const auto end = static_cast<off64_t>(status.st_size);
    for (off64_t from = 0; from < end && !haste.waited_for(); from += write_back_bytes) {
        const SteadyClock::time_point begun = SteadyClock::now();
        if (::sync_file_range(file, from, write_back_bytes, flags) != 0) {
            const bool unknown = errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL ||
                                 errno == ESPIPE || errno == EBADF;
            if (!unknown) return lmdb::failure("write back", errno);
            return {};  // not to be had with this file: the sync does all
        }
        const SteadyClock::duration took = SteadyClock::now() - begun;
        if (took > idle_piece) {
            haste.pause(std::min<SteadyClock::duration>(pause_ratio * took, pause_max));
        }
    }
    return {};
}

}  // namespace syncline
