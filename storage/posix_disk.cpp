#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "storage/descriptor.hpp"
#include "storage/disk.hpp"

namespace syncline {
namespace {

Error system_error(const char* action, const std::string& path, int number) {
    const Code code = number == ENOSPC || number == EDQUOT ? Code::no_space : Code::io;
    return Error{code, std::string(action) + " " + path + ": " + std::strerror(number)};
}

/// Never no_space: what the kernel dropped is lost, however much room there is later.
Error sync_error(const std::string& path, int number) {
    return Error{Code::io, "sync " + path + ": " + std::strerror(number)};
}

class PosixFile final : public File {
public:
    PosixFile(Descriptor descriptor, std::string path)
        : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

    Result<Bytes> read_at(std::uint64_t offset, std::size_t count) override {
        Bytes bytes(count, '\0');
        std::size_t done = 0;
        while (done < count) {
            const ssize_t got = ::pread(descriptor_.get(), bytes.data() + done, count - done,
                                        static_cast<off_t>(offset + done));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return system_error("read", path_, errno);
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        bytes.resize(done);
        return bytes;
    }

    Result<void> write_at(std::uint64_t offset, BytesView bytes) override {
        while (!bytes.empty()) {
            const ssize_t put =
                ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return system_error("write", path_, errno);
            offset += static_cast<std::uint64_t>(put);
            bytes.remove_prefix(static_cast<std::size_t>(put));
        }
        return {};
    }

    Result<void> sync() override {
        // After one failure the kernel may have marked the lost pages clean, and the next call
        // would report a success that is none.
        if (failed_) return *failed_;
        if (::fdatasync(descriptor_.get()) != 0) {
            failed_ = sync_error(path_, errno);
            return *failed_;
        }
        return {};
    }

    Result<std::uint64_t> size() override {
        struct stat status {};
        if (::fstat(descriptor_.get(), &status) != 0) return system_error("stat", path_, errno);
        return static_cast<std::uint64_t>(status.st_size);
    }

private:
    Descriptor descriptor_;
    std::string path_;
    std::optional<Error> failed_;
};

class PosixDisk final : public Disk {
public:
    PosixDisk(Descriptor directory, std::string path, DiskAccess access)
        : directory_(std::move(directory)), path_(std::move(path)), access_(access) {}

    Result<std::vector<std::string>> list() override {
        DIR* const stream = ::opendir(path_.c_str());
        if (stream == nullptr) return system_error("list", path_, errno);
        std::vector<std::string> names;
        errno = 0;
        while (const dirent* const entry = ::readdir(stream)) {
            struct stat status {};
            const bool known =
                ::fstatat(directory_.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
            if (known && S_ISREG(status.st_mode)) names.emplace_back(entry->d_name);
            errno = 0;
        }
        const int number = errno;
        (void)::closedir(stream);  // a read-only stream has nothing to lose
        if (number != 0) return system_error("list", path_, number);
        std::sort(names.begin(), names.end());
        return names;
    }

    Result<std::unique_ptr<File>> open(const std::string& name) override {
        const int mode = access_ == DiskAccess::read ? O_RDONLY : O_RDWR | O_CREAT;
        const int number = ::openat(directory_.get(), name.c_str(), mode | O_CLOEXEC, 0600);
        if (number < 0) return system_error("open", path_of(name), errno);
        return std::unique_ptr<File>(
            std::make_unique<PosixFile>(Descriptor(number), path_of(name)));
    }

    Result<void> rename(const std::string& from, const std::string& to) override {
        const int answer = ::renameat(directory_.get(), from.c_str(), directory_.get(), to.c_str());
        if (answer != 0) return system_error("rename", path_of(from), errno);
        return {};
    }

    Result<void> remove(const std::string& name) override {
        if (::unlinkat(directory_.get(), name.c_str(), 0) != 0) {
            return system_error("remove", path_of(name), errno);
        }
        return {};
    }

    Result<void> sync_directory() override {
        if (::fsync(directory_.get()) != 0) return sync_error(path_, errno);
        return {};
    }

    DiskSpace space() override {
        struct statvfs status {};
        if (::fstatvfs(directory_.get(), &status) != 0) return {};  // then nothing is known
        const std::uint64_t taken = status.f_blocks - status.f_bfree;
        return DiskSpace{(taken + status.f_bavail) * status.f_frsize,
                         status.f_bavail * status.f_frsize};
    }

private:
    [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }

    Descriptor directory_;
    std::string path_;
    DiskAccess access_;
};

}  // namespace

Result<std::unique_ptr<Disk>> open_posix_disk(const std::string& path, DiskAccess access) {
    const bool make = access == DiskAccess::write;
    const bool created = make && ::mkdir(path.c_str(), 0700) == 0;
    if (make && !created && errno != EEXIST) return system_error("create", path, errno);
    Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) return system_error("open", path, errno);
    if (created) {
        // The directory's own name must survive a power cut as well.
        const Descriptor parent(
            ::openat(directory.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (parent.get() < 0 || ::fsync(parent.get()) != 0) {
            return sync_error("the parent of " + path, errno);
        }
    }
    return std::unique_ptr<Disk>(std::make_unique<PosixDisk>(std::move(directory), path, access));
}

Result<Bytes> file_mark(const std::string& path) {
    struct statx status {};
    if (::statx(AT_FDCWD, path.c_str(), 0, STATX_INO | STATX_BTIME, &status) != 0) {
        return system_error("stat", path, errno);
    }
    constexpr std::uint64_t ns_per_s = 1000000000;
    const bool tells_birth = (status.stx_mask & STATX_BTIME) != 0;
    Bytes mark;
    ByteWriter out(mark);
    out.u64(status.stx_ino);
    out.u64(tells_birth ? static_cast<std::uint64_t>(status.stx_btime.tv_sec) * ns_per_s +
                              status.stx_btime.tv_nsec
                        : 0);
    return mark;
}

}  // namespace syncline
