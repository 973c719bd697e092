#include "storage/mapped_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace syncline {

Result<MappedFile> MappedFile::find(const std::string& name) {
    Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
        return Error{Code::io, "open " + name + ": " + std::strerror(errno)};
    }
    std::ifstream maps("/proc/self/maps");
    // from-to rights offset device inode name
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        unsigned long long offset = 0;
        unsigned long long inode = 0;
        unsigned major_number = 0;
        unsigned minor_number = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %llx %x:%x %llu", &from, &to,
                        &offset, &major_number, &minor_number, &inode) != 6) {
            continue;
        }
        if (inode == status.st_ino && offset == 0 &&
            gnu_dev_makedev(major_number, minor_number) == status.st_dev) {
            return MappedFile(std::move(file), from, to);
        }
    }
    return Error{Code::io, name + " is not in memory"};
}

bool MappedFile::holds(BytesView bytes) const {
    const auto first = reinterpret_cast<std::uintptr_t>(bytes.data());
    if (first < begin_) return false;
    const std::uint64_t end = first - begin_ + bytes.size();
    if (end <= bytes_->load()) return true;
    struct stat status {};  // the file has grown since
    if (::fstat(file_.get(), &status) != 0) return false;
    bytes_->store(static_cast<std::uint64_t>(status.st_size));
    return end <= bytes_->load();
}

bool MappedFile::tears(BytesView bytes) const {
    const auto first = reinterpret_cast<std::uintptr_t>(bytes.data());
    return first >= begin_ && first < end_ && !holds(bytes);
}

}  // namespace syncline
