#include "tests/sim/sim_disk.hpp"

#include <algorithm>

namespace syncline::sim {
namespace {

/// The unit in which a disk writes: all of it or nothing.
constexpr std::size_t sector_bytes = 512;

/// Copies one sector; `to` has the size of `from` already.
void copy_sector(const Bytes& from, Bytes& to, std::size_t sector) {
    const std::size_t first = sector * sector_bytes;
    if (first >= from.size()) return;
    const std::size_t count = std::min(sector_bytes, from.size() - first);
    to.replace(first, count, from, first, count);
}

Error device_error(const char* operation) {
    return Error{Code::io, std::string(operation) + ": the simulated device fails"};
}

void crash_file(SimDisk::Content& file, Random& random) {
    // A file that grew may keep its size without its bytes.
    if (file.now.size() > file.synced.size() && random.below(4) > 0) {
        file.synced.resize(file.now.size(), '\0');
    }
    // Some crashes tear nothing, some lose all, most mix.
    const std::uint64_t survivors_in_8 = random.below(9);
    for (const std::size_t sector : file.dirty) {
        const bool inside = sector * sector_bytes < file.synced.size();
        if (inside && random.below(8) < survivors_in_8) {
            copy_sector(file.now, file.synced, sector);
        }
    }
    file.dirty.clear();
    file.now = file.synced;
}

}  // namespace

class SimDisk::OpenFile final : public File {
public:
    OpenFile(SimDisk& disk, std::string name, std::shared_ptr<Content> content)
        : disk_(disk), name_(std::move(name)), content_(std::move(content)) {}

    Result<Bytes> read_at(std::uint64_t offset, std::size_t count) override {
        if (offset >= content_->now.size()) return Bytes();
        return content_->now.substr(static_cast<std::size_t>(offset), count);
    }

    Result<void> write_at(std::uint64_t offset, BytesView bytes) override {
        const bool fails = disk_.fails_now(Operation::write, name_);
        if (fails) bytes = bytes.substr(0, bytes.size() / 2);
        if (!bytes.empty()) store(offset, bytes);
        return fails ? Result<void>(device_error("write")) : Result<void>();
    }

    Result<void> sync() override {
        if (disk_.fails_now(Operation::sync, name_)) {
            content_->dirty.clear();
            return device_error("sync");
        }
        content_->synced.resize(content_->now.size(), '\0');
        for (const std::size_t sector : content_->dirty) {
            copy_sector(content_->now, content_->synced, sector);
        }
        content_->dirty.clear();
        return {};
    }

    Result<std::uint64_t> size() override { return std::uint64_t{content_->now.size()}; }

private:
    void store(std::uint64_t offset, BytesView bytes) {
        const auto first = static_cast<std::size_t>(offset);
        if (content_->now.size() < first + bytes.size()) {
            content_->now.resize(first + bytes.size(), '\0');
        }
        content_->now.replace(first, bytes.size(), bytes);
        for (std::size_t sector = first / sector_bytes;
             sector <= (first + bytes.size() - 1) / sector_bytes; ++sector) {
            content_->dirty.insert(sector);
        }
    }

    SimDisk& disk_;
    std::string name_;
    std::shared_ptr<Content> content_;
};

bool SimDisk::strikes_victim(Operation operation, const std::string& name) {
    if (!victim_) return false;
    const bool directory = operation == Operation::sync_directory;
    if (directory ? !victim_->renamed : name != victim_->name && name != victim_->name + ".new") {
        return false;
    }
    victim_->renamed = operation == Operation::rename || operation == Operation::remove;
    if (victim_->after-- > 0) return false;
    victim_.reset();
    ++struck_[static_cast<std::size_t>(operation)];
    return failed_ = true;
}

bool SimDisk::fails_now(Operation operation, const std::string& name) {
    if (strikes_victim(operation, name)) return true;
    if (!fails_after_) return false;
    if ((*fails_after_)-- > 0) return false;
    fails_after_.reset();
    failed_ = true;
    return true;
}

Result<std::vector<std::string>> SimDisk::list() {
    std::vector<std::string> names;
    for (const auto& [name, content] : names_) names.push_back(name);
    return names;
}

Result<std::unique_ptr<File>> SimDisk::open(const std::string& name) {
    auto found = names_.find(name);
    if (found == names_.end()) {
        unsynced_names_.push_back(names_);
        found = names_.emplace(name, std::make_shared<Content>()).first;
    }
    return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, name, found->second));
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
    const auto found = names_.find(from);
    if (found == names_.end()) return Error{Code::io, "rename " + from + ": no such file"};
    if (fails_now(Operation::rename, from)) return device_error("rename");
    unsynced_names_.push_back(names_);
    names_[to] = found->second;
    names_.erase(from);
    return {};
}

Result<void> SimDisk::remove(const std::string& name) {
    const auto found = names_.find(name);
    if (found == names_.end()) return Error{Code::io, "remove " + name + ": no such file"};
    if (fails_now(Operation::remove, name)) return device_error("remove");
    unsynced_names_.push_back(names_);
    names_.erase(found);
    return {};
}

Result<void> SimDisk::sync_directory() {
    if (fails_now(Operation::sync_directory, {})) return device_error("sync of the directory");
    unsynced_names_.clear();
    return {};
}

void SimDisk::crash(Random& random) {
    const std::uint64_t lost = random.below(unsynced_names_.size() + 1);
    if (lost > 0) names_ = unsynced_names_[unsynced_names_.size() - lost];
    unsynced_names_.clear();
    for (auto& [name, content] : names_) crash_file(*content, random);
}

void SimDisk::forget_unsynced() {
    if (!unsynced_names_.empty()) names_ = unsynced_names_.front();
    unsynced_names_.clear();
    for (auto& [name, content] : names_) {
        content->now = content->synced;
        content->dirty.clear();
    }
}

std::unique_ptr<SimDisk> SimDisk::clone() const {
    auto copy = std::make_unique<SimDisk>();
    std::map<const Content*, std::shared_ptr<Content>> copies;
    const auto copy_names = [&copies](const Names& names) {
        Names copied;
        for (const auto& [name, content] : names) {
            std::shared_ptr<Content>& twin = copies[content.get()];
            if (!twin) twin = std::make_shared<Content>(*content);
            copied.emplace(name, twin);
        }
        return copied;
    };
    copy->names_ = copy_names(names_);
    for (const Names& names : unsynced_names_) copy->unsynced_names_.push_back(copy_names(names));
    return copy;
}

void SimDisk::become(const SimDisk& other) {
    const std::unique_ptr<SimDisk> copy = other.clone();
    names_ = std::move(copy->names_);
    unsynced_names_ = std::move(copy->unsynced_names_);
}

}  // namespace syncline::sim
