#include <algorithm>

#include "storage/disk.hpp"

namespace syncline {
namespace {

Result<bool> exists(Disk& disk, const std::string& name) {
    SYNCLINE_TRY(const std::vector<std::string> names, disk.list());
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Result<std::optional<Bytes>> read_file(Disk& disk, const std::string& name, std::size_t bytes_max) {
    SYNCLINE_TRY(const bool there, exists(disk, name));
    if (!there) return std::optional<Bytes>();
    SYNCLINE_TRY(const std::unique_ptr<File> file, disk.open(name));
    SYNCLINE_TRY(Bytes bytes, file->read_at(0, bytes_max));
    return std::optional<Bytes>(std::move(bytes));
}

Result<void> replace_file(Disk& disk, const std::string& name, BytesView bytes) {
    const std::string name_new = name + ".new";
    // A half-written file of an earlier attempt must not shine through behind shorter contents.
    SYNCLINE_TRY(const bool left_over, exists(disk, name_new));
    if (left_over) SYNCLINE_CHECK(disk.remove(name_new));
    {
        SYNCLINE_TRY(const std::unique_ptr<File> file, disk.open(name_new));
        SYNCLINE_CHECK(file->write_at(0, bytes));
        SYNCLINE_CHECK(file->sync());
    }
    SYNCLINE_CHECK(disk.rename(name_new, name));
    return disk.sync_directory();
}

}  // namespace syncline
