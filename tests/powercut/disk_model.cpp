#include "tests/powercut/disk_model.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

namespace syncline::powercut {
namespace {

Error unfit(const std::string& what) {
    return Error{Code::corrupt, "the trace: " + what};
}

Result<Bytes> read_whole(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return Error{Code::io, "cannot read " + path};
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

/// A place in a directory.
struct DiskModel::Name {
    std::shared_ptr<Inode> directory;
    std::string name;
};

DiskModel::DiskModel() : root_(std::make_shared<Inode>()) {
    root_->directory = true;
}

DiskModel::~DiskModel() = default;

Result<void> DiskModel::apply(const Record& record) {
    ++time_;
    switch (record.kind) {
        case Kind::make_file:
        case Kind::make_directory:
            return make(record, record.kind == Kind::make_directory);
        case Kind::write:
            return write(record);
        case Kind::resize:
            return resize(record);
        case Kind::write_synced: {
            const auto inode = known(record.file);
            if (!inode) return unfit("a sync of an unknown file");
            if (!forgets(*inode)) inode->sync_last_write(time_);
            return {};
        }
        case Kind::sync_begin:
            syncs_[record.number] = time_;
            return {};
        case Kind::sync_end:
            return sync(record);
        case Kind::rename:
            return rename(record);
        case Kind::link:
            return link(record);
        case Kind::remove_file:
        case Kind::remove_directory:
            return remove(record);
        case Kind::process:
        case Kind::mark:
            return {};
        case Kind::unknown:
            break;
    }
    return unfit("a record without a rule");
}

std::shared_ptr<Inode> DiskModel::find(BytesView path) const {
    std::shared_ptr<Inode> inode = root_;
    for (const auto& part : std::filesystem::path(path)) {
        if (!inode->directory) return nullptr;
        const auto found = inode->entries.find(part.string());
        if (found == inode->entries.end()) return nullptr;
        inode = found->second;
    }
    return inode;
}

std::optional<DiskModel::Name> DiskModel::locate(BytesView path) const {
    const std::filesystem::path place(path);
    const std::shared_ptr<Inode> directory = find(place.parent_path().string());
    if (!directory || !directory->directory) return std::nullopt;
    return Name{directory, place.filename().string()};
}

std::shared_ptr<Inode> DiskModel::known(std::uint64_t file) const {
    const auto found = inodes_.find(file);
    return found == inodes_.end() ? nullptr : found->second;
}

Result<void> DiskModel::make(const Record& record, bool directory) {
    if (record.path() == ".") {
        inodes_[record.file] = root_;
        return {};
    }
    const auto name = locate(record.path());
    if (!name) return unfit("made in an unknown directory: " + Bytes(record.path()));
    auto inode = std::make_shared<Inode>();
    inode->directory = directory;
    inode->name = record.path();
    inodes_[record.file] = inode;  // the number of a file that is gone may come again
    name->directory->change(EntryChange{time_, name->name, {}, inode});
    return {};
}

Result<void> DiskModel::write(const Record& record) {
    const auto inode = known(record.file);
    if (!inode) return unfit("a write to an unknown file");
    inode->write(time_, record.number, record.payload);
    return {};
}

Result<void> DiskModel::resize(const Record& record) {
    const auto inode = known(record.file);
    if (!inode) return unfit("an unknown file is resized");
    if (record.number < inode->now.size() && !inode->is_reader_table()) {
        return unfit(inode->name + " is made shorter, for which there is no rule");
    }
    inode->resize(time_, record.number);
    return {};
}

Result<void> DiskModel::sync(const Record& record) {
    const auto inode = known(record.file);
    const auto begun = syncs_.find(record.number);
    if (!inode || begun == syncs_.end()) return unfit("a sync of an unknown file");
    if (!forgets(*inode)) inode->sync(begun->second);
    syncs_.erase(begun);
    return {};
}

Result<void> DiskModel::rename(const Record& record) {
    const auto from = locate(record.path());
    const auto to = locate(record.path_to());
    const auto inode = find(record.path());
    if (!from || !to || !inode) return unfit("renamed, but unknown: " + Bytes(record.path()));
    if (from->directory != to->directory) return unfit("a move to another directory has no rule");
    from->directory->change(EntryChange{time_, to->name, from->name, inode});
    inode->name = record.path_to();
    return {};
}

Result<void> DiskModel::link(const Record& record) {
    const auto to = locate(record.path_to());
    const auto inode = find(record.path());
    if (!to || !inode) return unfit("linked, but unknown: " + Bytes(record.path()));
    to->directory->change(EntryChange{time_, to->name, {}, inode});
    return {};
}

Result<void> DiskModel::remove(const Record& record) {
    const auto name = locate(record.path());
    if (!name || !find(record.path()))
        return unfit("removed, but unknown: " + Bytes(record.path()));
    name->directory->change(EntryChange{time_, {}, name->name, nullptr});
    return {};
}

bool DiskModel::forgets(const Inode& inode) const {
    const bool in_base = inode.name.find("/base") != std::string::npos;
    const bool in_log = inode.name.find("/log/") != std::string::npos;
    switch (forgotten_) {
        case Forgotten::nothing:
            return false;
        case Forgotten::directories:
            return inode.directory;
        case Forgotten::log:
            return in_log && !inode.directory;
        case Forgotten::base:
            return in_base && !inode.directory;
        case Forgotten::provisional_mark:
            return inode.name.find("/PROVISIONAL") != std::string::npos;
        case Forgotten::small_files:
            return !in_base && !in_log && !inode.directory;
        case Forgotten::small_file_names:
            return inode.directory && inode.name == "data";
    }
    return false;
}

/// Writes a state, directory by directory.
struct DiskModel::Builder {
    Random& random;
    StateFigures figures;
    Plan plan = Plan::draw(random);
    std::map<const Inode*, Bytes> written = {};  // files with two names are one file

    Result<void> directory(const Inode& inode, const std::string& path) {
        figures.names_pending += inode.changes.size();
        for (const auto& [name, entry] : inode.entries_after_cut(plan, random)) {
            const std::string place = path + "/" + name;
            if (entry->directory) {
                std::error_code error;
                std::filesystem::create_directory(place, error);
                if (error) return Error{Code::io, "cannot make " + place};
                SYNCLINE_CHECK(directory(*entry, place));
            } else {
                SYNCLINE_CHECK(file(*entry, place));
            }
        }
        return {};
    }

    Result<void> file(const Inode& inode, const std::string& place) {
        auto found = written.find(&inode);
        if (found == written.end()) {
            Bytes bytes =
                inode.content_after_cut(plan, random, figures.sectors_old, figures.sectors_new);
            found = written.emplace(&inode, std::move(bytes)).first;
        }
        std::ofstream out(place, std::ios::binary);
        out.write(found->second.data(), static_cast<std::streamsize>(found->second.size()));
        out.close();
        return out ? Result<void>() : Error{Code::io, "cannot write " + place};
    }
};

Result<StateFigures> DiskModel::build(const std::string& path, Random& random) const {
    Builder builder{random, {}};
    SYNCLINE_CHECK(builder.directory(*root_, path));
    return builder.figures;
}

Result<void> DiskModel::compare(const std::string& path) const {
    std::size_t entries = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
        const std::string name = entry.path().lexically_relative(path).string();
        const std::shared_ptr<Inode> inode = find(name);
        ++entries;
        if (!inode) return unfit("does not know " + name);
        if (entry.is_directory() || inode->is_reader_table()) continue;
        SYNCLINE_TRY(const Bytes bytes, read_whole(entry.path().string()));
        if (bytes != inode->now) return unfit("has other bytes in " + name);
    }
    if (entries != root_->count_below()) return unfit("has files that are not there");
    return {};
}

}  // namespace syncline::powercut
