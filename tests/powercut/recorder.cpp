/// A library to be preloaded. It writes down, in order, what a process does to files below one
/// directory. Environment: SYNCLINE_RECORD_ROOT, the directory, absolute and free of symbolic
/// links; SYNCLINE_RECORD_TRACE, the file that grows, outside of it; SYNCLINE_RECORD_SYNC_US, up to
/// how many microseconds a sync takes more than it does, so that other threads get on meanwhile.
///
/// Calls that change something run one at a time, each with its record, so that the order of
/// records is that of effects. Syncs run beside them: what they cover had returned before they
/// began. What is not wrapped here (mapped files, io_uring, sendfile) the replayer finds by
/// comparing the directory with what the trace says of it.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "tests/powercut/trace.hpp"

namespace {

using syncline::powercut::Kind;
using syncline::powercut::RecordHead;

/// The function behind the one of the same name here.
template <typename Function>
Function next(Function /*like*/, const char* name) {
    void* const found = ::dlsym(RTLD_NEXT, name);
    if (found == nullptr) std::abort();
    Function function = nullptr;
    std::memcpy(&function, &found, sizeof function);
    return function;
}

class Recorder {
public:
    static Recorder& get() {
        // Never destroyed: threads may write until the process is gone.
        static Recorder* const recorder = std::make_unique<Recorder>().release();
        return *recorder;
    }

    Recorder() {
        const char* const root = std::getenv("SYNCLINE_RECORD_ROOT");
        const char* const trace = std::getenv("SYNCLINE_RECORD_TRACE");
        const char* const sync_us = std::getenv("SYNCLINE_RECORD_SYNC_US");
        if (root == nullptr || trace == nullptr) return;
        root_ = root;
        if (sync_us != nullptr) sync_us_ = std::strtoull(sync_us, nullptr, 10);
        static const auto real = next(&::openat, "openat");
        trace_ = real(AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (trace_ < 0) std::abort();
        process_ = static_cast<std::uint64_t>(::getpid());
        put(Kind::process, 0, process_, {});
    }

    std::mutex order;  // around each effect and its record

    [[nodiscard]] bool on() const { return trace_ >= 0; }

    /// The path below the watched directory, "" for itself; nothing for what is elsewhere.
    [[nodiscard]] std::optional<std::string> below(const std::string& path) const {
        const std::string plain = std::filesystem::path(path).lexically_normal().string();
        if (plain.rfind(root_, 0) != 0) return std::nullopt;
        if (plain.size() == root_.size()) return std::string();
        if (plain[root_.size()] != '/') return std::nullopt;
        return plain.substr(root_.size() + 1);
    }
    [[nodiscard]] std::optional<std::string> below(int directory, const char* name) const {
        if (!on()) return std::nullopt;
        if (name[0] == '/') return below(name);
        const std::string link =
            directory == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/" + std::to_string(directory);
        return below(target_of(link) + "/" + name);
    }
    [[nodiscard]] std::optional<std::string> below(int file) const {
        if (!on()) return std::nullopt;
        return below(target_of("/proc/self/fd/" + std::to_string(file)));
    }

    void put(Kind kind, std::uint64_t file, std::uint64_t number, std::string_view payload) {
        RecordHead head{static_cast<std::uint32_t>(payload.size()),
                        static_cast<std::uint32_t>(kind), file, number};
        std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
        bytes += payload;
        static const auto real = next(&::write, "write");
        const int error = errno;
        const ssize_t put = real(trace_, bytes.data(), bytes.size());
        if (put != static_cast<ssize_t>(bytes.size())) std::abort();  // no trace is worth less
        errno = error;
    }
    void put(Kind kind, const std::string& path, std::uint64_t file = 0) {
        put(kind, file, 0, path);
    }
    void put_pair(Kind kind, const std::string& from, const std::string& to) {
        put(kind, 0, 0, from + '\0' + to);
    }

    std::uint64_t name_sync() { return process_ << 32U | ++syncs_; }

    /// As long as a disk might take.
    void take_time() {
        if (sync_us_ == 0) return;
        const std::uint64_t chance = (++turns_ * 0x9E3779B97F4A7C15U) >> 40U;
        wait(static_cast<long>(chance % sync_us_));
    }

    static void wait(long us) {
        timespec time{0, us * 1000};
        (void)::ppoll(nullptr, 0, &time, nullptr);
    }

private:
    static std::string target_of(const std::string& link) {
        std::string target(PATH_MAX, '\0');
        const ssize_t bytes = ::readlink(link.c_str(), target.data(), target.size());
        target.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
        return target;
    }

    std::string root_;
    std::uint64_t sync_us_ = 0;
    int trace_ = -1;
    std::uint64_t process_ = 0;
    std::atomic<std::uint64_t> syncs_{0};
    std::atomic<std::uint64_t> turns_{0};
};

/// From the start, so that a process is in the trace even if it changes nothing.
[[maybe_unused]] const bool begun = Recorder::get().on();

std::uint64_t inode_of(int file) {
    struct stat status {};
    return ::fstat(file, &status) == 0 ? status.st_ino : 0;
}

int open_file(int directory, const char* name, int flags, mode_t mode) {
    static const auto real = next(&::openat, "openat");
    Recorder& recorder = Recorder::get();
    const bool changes = (flags & (O_CREAT | O_TRUNC)) != 0;
    const auto path = changes ? recorder.below(directory, name) : std::nullopt;
    if (!path) return real(directory, name, flags, mode);
    const std::lock_guard lock(recorder.order);
    struct stat before {};
    const bool existed = ::fstatat(directory, name, &before, 0) == 0;
    const int file = real(directory, name, flags, mode);
    if (file < 0) return file;
    if (!existed) recorder.put(Kind::make_file, *path, inode_of(file));
    if (existed && (flags & O_TRUNC) != 0 && before.st_size > 0) {
        recorder.put(Kind::resize, before.st_ino, 0, {});
    }
    if ((flags & O_TMPFILE) == O_TMPFILE) recorder.put(Kind::unknown, "O_TMPFILE in " + *path);
    return file;
}

mode_t mode_in(int flags, va_list arguments) {
    const bool given = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    return given ? va_arg(arguments, mode_t) : 0;
}

/// A write of `pieces`; at the file's own offset if none is given.
template <typename Call>
ssize_t write_file(int file, const iovec* pieces, int count, std::optional<off_t> offset,
                   const Call& call) {
    Recorder& recorder = Recorder::get();
    if (!recorder.below(file)) return call();
    const std::lock_guard lock(recorder.order);
    const int flags = ::fcntl(file, F_GETFL);
    if (!offset) {
        struct stat status {};
        const bool appends = (flags & O_APPEND) != 0 && ::fstat(file, &status) == 0;
        offset = appends ? status.st_size : ::lseek(file, 0, SEEK_CUR);
    }
    const ssize_t written = call();
    if (written <= 0) return written;
    std::string bytes;
    for (int index = 0; index < count; ++index) {
        bytes.append(static_cast<const char*>(pieces[index].iov_base), pieces[index].iov_len);
    }
    bytes.resize(static_cast<std::size_t>(written));
    const std::uint64_t inode = inode_of(file);
    recorder.put(Kind::write, inode, static_cast<std::uint64_t>(*offset), bytes);
    if ((flags & O_DSYNC) != 0) recorder.put(Kind::write_synced, inode, 0, {});
    return written;
}

template <typename Call>
ssize_t write_file(int file, const void* bytes, std::size_t count, std::optional<off_t> offset,
                   const Call& call) {
    const iovec piece{const_cast<void*>(bytes), count};
    return write_file(file, &piece, 1, offset, call);
}

template <typename Call>
int sync_file(int file, const Call& call) {
    Recorder& recorder = Recorder::get();
    if (!recorder.below(file)) return call();
    const std::uint64_t inode = inode_of(file);
    const std::uint64_t name = recorder.name_sync();
    {
        const std::lock_guard lock(recorder.order);
        recorder.put(Kind::sync_begin, inode, name, {});
    }
    recorder.take_time();
    const int answer = call();
    const std::lock_guard lock(recorder.order);
    if (answer == 0) recorder.put(Kind::sync_end, inode, name, {});
    return answer;
}

/// ftruncate, and posix_fallocate, which only makes files larger.
template <typename Call>
int resize_file(int file, const Call& call) {
    Recorder& recorder = Recorder::get();
    if (!recorder.below(file)) return call();
    const std::lock_guard lock(recorder.order);
    const int answer = call();
    struct stat status {};
    if (answer == 0 && ::fstat(file, &status) == 0) {
        recorder.put(Kind::resize, status.st_ino, static_cast<std::uint64_t>(status.st_size), {});
    }
    return answer;
}

/// A change of one name.
template <typename Call>
int change_name(Kind kind, const std::optional<std::string>& path, const Call& call) {
    Recorder& recorder = Recorder::get();
    if (!path) return call();
    const std::lock_guard lock(recorder.order);
    const int answer = call();
    if (answer == 0) recorder.put(kind, *path);
    return answer;
}

/// A change of two.
template <typename Call>
int change_names(Kind kind, const std::optional<std::string>& from,
                 const std::optional<std::string>& to, const Call& call) {
    Recorder& recorder = Recorder::get();
    if (!from && !to) return call();
    const std::lock_guard lock(recorder.order);
    const int answer = call();
    if (answer != 0) return answer;
    if (from && to) {
        recorder.put_pair(kind, *from, *to);
    } else {
        recorder.put(Kind::unknown, "a name that leaves or enters: " + from.value_or(*to));
    }
    return answer;
}

template <typename Call>
void* map_file(int file, int protection, int flags, const Call& call) {
    Recorder& recorder = Recorder::get();
    const bool writes = (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0;
    const auto path = writes && file >= 0 ? recorder.below(file) : std::nullopt;
    // LMDB's table of readers is the one exception: what it holds is worth nothing after a restart.
    if (path && !path->ends_with("/lock.mdb")) {
        const std::lock_guard lock(recorder.order);
        recorder.put(Kind::unknown, "a writable map of " + *path);
    }
    return call();
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

/// For the program under test, which finds it by name: its own words in the trace.
void syncline_trace_mark(const char* bytes, std::size_t count) {
    Recorder& recorder = Recorder::get();
    if (!recorder.on()) return;
    const std::lock_guard lock(recorder.order);
    recorder.put(Kind::mark, 0, 0, std::string_view(bytes, count));
}

int open(const char* name, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_in(flags, arguments);
    va_end(arguments);
    return open_file(AT_FDCWD, name, flags, mode);
}
int open64(const char* name, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_in(flags, arguments);
    va_end(arguments);
    return open_file(AT_FDCWD, name, flags, mode);
}
int openat(int directory, const char* name, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_in(flags, arguments);
    va_end(arguments);
    return open_file(directory, name, flags, mode);
}
int openat64(int directory, const char* name, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_in(flags, arguments);
    va_end(arguments);
    return open_file(directory, name, flags, mode);
}
int creat(const char* name, mode_t mode) {
    return open_file(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

ssize_t write(int file, const void* bytes, std::size_t count) {
    static const auto real = next(&::write, "write");
    return write_file(file, bytes, count, std::nullopt, [&] { return real(file, bytes, count); });
}
ssize_t pwrite(int file, const void* bytes, std::size_t count, off_t offset) {
    static const auto real = next(&::pwrite, "pwrite");
    return write_file(file, bytes, count, offset, [&] { return real(file, bytes, count, offset); });
}
ssize_t pwrite64(int file, const void* bytes, std::size_t count, off64_t offset) {
    return pwrite(file, bytes, count, offset);
}
ssize_t writev(int file, const iovec* pieces, int count) {
    static const auto real = next(&::writev, "writev");
    return write_file(file, pieces, count, std::nullopt, [&] { return real(file, pieces, count); });
}
ssize_t pwritev(int file, const iovec* pieces, int count, off_t offset) {
    static const auto real = next(&::pwritev, "pwritev");
    return write_file(file, pieces, count, offset,
                      [&] { return real(file, pieces, count, offset); });
}
ssize_t pwritev64(int file, const iovec* pieces, int count, off64_t offset) {
    return pwritev(file, pieces, count, offset);
}

int fsync(int file) {
    static const auto real = next(&::fsync, "fsync");
    return sync_file(file, [&] { return real(file); });
}
int fdatasync(int file) {
    static const auto real = next(&::fdatasync, "fdatasync");
    return sync_file(file, [&] { return real(file); });
}

/// Promises nothing, and is not recorded. With files as small as these it would take no time.
int sync_file_range(int file, off64_t offset, off64_t count, unsigned flags) {
    static const auto real = next(&::sync_file_range, "sync_file_range");
    constexpr long write_back_us = 10000;
    if (Recorder::get().below(file)) Recorder::wait(write_back_us);
    return real(file, offset, count, flags);
}

int ftruncate(int file, off_t size) noexcept {
    static const auto real = next(&::ftruncate, "ftruncate");
    return resize_file(file, [&] { return real(file, size); });
}
int ftruncate64(int file, off64_t size) noexcept {
    return ftruncate(file, size);
}
int posix_fallocate(int file, off_t offset, off_t bytes) {
    static const auto real = next(&::posix_fallocate, "posix_fallocate");
    return resize_file(file, [&] { return real(file, offset, bytes); });
}
int posix_fallocate64(int file, off64_t offset, off64_t bytes) {
    return posix_fallocate(file, offset, bytes);
}
int fallocate(int file, int mode, off_t offset, off_t bytes) {
    static const auto real = next(&::fallocate, "fallocate");
    Recorder& recorder = Recorder::get();
    // Blocks set aside behind the end change neither what is in the file nor how long it is.
    if (mode == FALLOC_FL_KEEP_SIZE) return real(file, mode, offset, bytes);
    if (mode != 0 && recorder.below(file)) {
        const std::lock_guard lock(recorder.order);
        recorder.put(Kind::unknown, "fallocate with a mode");
    }
    return resize_file(file, [&] { return real(file, mode, offset, bytes); });
}
int fallocate64(int file, int mode, off64_t offset, off64_t bytes) {
    return fallocate(file, mode, offset, bytes);
}

int mkdirat(int directory, const char* name, mode_t mode) noexcept {
    static const auto real = next(&::mkdirat, "mkdirat");
    Recorder& recorder = Recorder::get();
    const auto path = recorder.below(directory, name);
    if (!path) return real(directory, name, mode);
    const std::lock_guard lock(recorder.order);
    const int answer = real(directory, name, mode);
    struct stat status {};
    if (answer == 0 && ::fstatat(directory, name, &status, 0) == 0) {
        recorder.put(Kind::make_directory, *path, status.st_ino);
    }
    return answer;
}
int mkdir(const char* name, mode_t mode) noexcept {
    return mkdirat(AT_FDCWD, name, mode);
}
int unlinkat(int directory, const char* name, int flags) noexcept {
    static const auto real = next(&::unlinkat, "unlinkat");
    const bool is_directory = (flags & AT_REMOVEDIR) != 0;
    return change_name(is_directory ? Kind::remove_directory : Kind::remove_file,
                       Recorder::get().below(directory, name),
                       [&] { return real(directory, name, flags); });
}
int unlink(const char* name) noexcept {
    return unlinkat(AT_FDCWD, name, 0);
}
int rmdir(const char* name) noexcept {
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}
int remove(const char* name) noexcept {
    const int answer = unlinkat(AT_FDCWD, name, 0);
    return answer != 0 && errno == EISDIR ? unlinkat(AT_FDCWD, name, AT_REMOVEDIR) : answer;
}
int renameat(int from, const char* name, int to, const char* name_to) noexcept {
    static const auto real = next(&::renameat, "renameat");
    const Recorder& recorder = Recorder::get();
    return change_names(Kind::rename, recorder.below(from, name), recorder.below(to, name_to),
                        [&] { return real(from, name, to, name_to); });
}
int rename(const char* name, const char* name_to) noexcept {
    return renameat(AT_FDCWD, name, AT_FDCWD, name_to);
}
int renameat2(int from, const char* name, int to, const char* name_to, unsigned flags) noexcept {
    static const auto real = next(&::renameat2, "renameat2");
    const Recorder& recorder = Recorder::get();
    return change_names(flags == 0 ? Kind::rename : Kind::unknown, recorder.below(from, name),
                        recorder.below(to, name_to),
                        [&] { return real(from, name, to, name_to, flags); });
}
int linkat(int from, const char* name, int to, const char* name_to, int flags) noexcept {
    static const auto real = next(&::linkat, "linkat");
    const Recorder& recorder = Recorder::get();
    return change_names(Kind::link, recorder.below(from, name), recorder.below(to, name_to),
                        [&] { return real(from, name, to, name_to, flags); });
}
int link(const char* name, const char* name_to) noexcept {
    return linkat(AT_FDCWD, name, AT_FDCWD, name_to, 0);
}
int symlink(const char* target, const char* name) noexcept {
    static const auto real = next(&::symlink, "symlink");
    return change_name(Kind::unknown, Recorder::get().below(AT_FDCWD, name),
                       [&] { return real(target, name); });
}

void* mmap(void* place, std::size_t bytes, int protection, int flags, int file,
           off_t offset) noexcept {
    static const auto real = next(&::mmap, "mmap");
    return map_file(file, protection, flags,
                    [&] { return real(place, bytes, protection, flags, file, offset); });
}
void* mmap64(void* place, std::size_t bytes, int protection, int flags, int file,
             off64_t offset) noexcept {
    return mmap(place, bytes, protection, flags, file, offset);
}

/// No thread is between an effect and its record when the process ends.
void _exit(int code) {
    static const auto real = next(&::_exit, "_exit");
    Recorder::get().order.lock();
    real(code);
    std::abort();  // not reached; the declaration says noreturn
}

}  // extern "C"
#pragma GCC visibility pop
