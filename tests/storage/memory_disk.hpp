#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/disk.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {

using test::SeededRandom;

/// A disk in memory that forgets what was not synced.
///
/// What survives crash(), a power cut:
/// - of a file: what was synced, plus a random subset of the 512-byte sectors written since. A
///   sector is old or new, never a mixture. The size grows as far as a surviving sector reaches.
/// - of the directory: the state of the last sync_directory(), plus a random number of the changes
///   made since, in the order in which they were made (as a journal keeps it). A file whose name
///   did not survive is gone, synced or not.
/// What survives kill(), the end of the process: everything; nothing becomes durable by it.
/// Both end all open files: their calls fail from then on. Open the files again.
///
/// A failed sync does what Linux does: the written sectors count as clean. They can still be read,
/// a later sync says that all is well, and a power cut loses them.
///
/// The object outlives the program under test; keep it, and open the log on it again.
/// Thread-safety: all calls.
class MemoryDisk final : public Disk {
public:
    static constexpr std::size_t sector_bytes = 512;

    Result<std::vector<std::string>> list() override;
    Result<std::unique_ptr<File>> open(const std::string& name) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& name) override;
    Result<void> sync_directory() override;

    /// Power cut and restart.
    void crash(std::uint64_t seed);
    /// The process ends; the operating system lives on.
    void kill();

    /// The next write (sync) fails after `after` more have succeeded. A failed write stores a part
    /// of its bytes, or nothing.
    void fail_write(std::uint64_t after = 0, Code code = Code::io);
    void fail_sync(std::uint64_t after = 0);
    /// Takes back failures that have not struck yet.
    void fail_nothing();
    /// Writes that would make the files together larger than this fail with Code::no_space.
    void set_capacity(std::uint64_t bytes);

    /// Calls since the beginning.
    [[nodiscard]] std::uint64_t writes() const;
    [[nodiscard]] std::uint64_t syncs() const;
    [[nodiscard]] std::uint64_t reads() const;

    /// For tests that damage files or compare them: all names, sorted; the content as a reader
    /// sees it.
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] Bytes content(const std::string& name) const;
    /// Replaces it; durable at once.
    void set_content(const std::string& name, Bytes bytes);

private:
    struct Node {
        Bytes current;                ///< what readers see
        Bytes durable;                ///< what a power cut leaves for sure
        std::set<std::size_t> dirty;  ///< sectors of `current` written since the last sync
    };
    using Names = std::map<std::string, std::shared_ptr<Node>>;
    class OpenFile;
    struct Fault {
        std::uint64_t after;
        Code code;
    };

    /// Whether this call is the one that has to fail.
    static std::optional<Error> strike(std::optional<Fault>& fault, const char* what);
    void change_names(const Names& names);
    [[nodiscard]] std::uint64_t used_bytes() const;
    static void store(Node& node, std::uint64_t offset, BytesView bytes);
    static void crash_node(Node& node, SeededRandom& random);

    mutable std::mutex mutex_;
    Names names_;
    Names durable_names_;
    std::vector<Names> changes_;    ///< names after each change since the last sync_directory
    std::uint64_t generation_ = 0;  ///< of open files; grows with crash and kill
    std::optional<Fault> write_fault_;
    std::optional<Fault> sync_fault_;
    std::optional<std::uint64_t> capacity_;
    std::uint64_t writes_ = 0;
    std::uint64_t syncs_ = 0;
    std::uint64_t reads_ = 0;
};

class MemoryDisk::OpenFile final : public File {
public:
    OpenFile(MemoryDisk& disk, std::shared_ptr<Node> node)
        : disk_(disk), node_(std::move(node)), generation_(disk.generation_) {}

    Result<Bytes> read_at(std::uint64_t offset, std::size_t count) override {
        const std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_) return dead();
        ++disk_.reads_;
        const Bytes& content = node_->current;
        if (offset >= content.size()) return Bytes();
        return content.substr(static_cast<std::size_t>(offset), count);
    }

    Result<void> write_at(std::uint64_t offset, BytesView bytes) override {
        const std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_) return dead();
        ++disk_.writes_;
        if (auto error = strike(disk_.write_fault_, "write")) {
            store(*node_, offset, bytes.substr(0, bytes.size() / 2));
            return *error;
        }
        const std::uint64_t end = offset + bytes.size();
        const std::uint64_t growth = end > node_->current.size() ? end - node_->current.size() : 0;
        if (disk_.capacity_ && growth > 0 && disk_.used_bytes() + growth > *disk_.capacity_) {
            return Error{Code::no_space, "memory disk: write: no space left"};
        }
        store(*node_, offset, bytes);
        return {};
    }

    Result<void> sync() override {
        const std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_) return dead();
        ++disk_.syncs_;
        if (auto error = strike(disk_.sync_fault_, "sync")) {
            node_->dirty.clear();
            return *error;
        }
        node_->durable.resize(node_->current.size(), '\0');
        for (const std::size_t sector : node_->dirty) {
            const std::size_t begin = sector * sector_bytes;
            const std::size_t count = std::min(sector_bytes, node_->current.size() - begin);
            node_->durable.replace(begin, count, node_->current, begin, count);
        }
        node_->dirty.clear();
        return {};
    }

    Result<std::uint64_t> size() override {
        const std::lock_guard lock(disk_.mutex_);
        if (generation_ != disk_.generation_) return dead();
        return std::uint64_t{node_->current.size()};
    }

private:
    static Error dead() { return Error{Code::io, "memory disk: the process that opened it died"}; }

    MemoryDisk& disk_;
    std::shared_ptr<Node> node_;  ///< shared with the names, which may drop it
    std::uint64_t generation_;
};

inline std::optional<Error> MemoryDisk::strike(std::optional<Fault>& fault, const char* what) {
    if (!fault) return std::nullopt;
    if (fault->after > 0) {
        --fault->after;
        return std::nullopt;
    }
    const Code code = fault->code;
    fault.reset();
    return Error{code, std::string("memory disk: ") + what + ": injected failure"};
}

inline void MemoryDisk::store(Node& node, std::uint64_t offset, BytesView bytes) {
    if (bytes.empty()) return;
    const auto begin = static_cast<std::size_t>(offset);
    const std::size_t old_size = node.current.size();
    const std::size_t end = begin + bytes.size();
    if (end > old_size) node.current.resize(end, '\0');
    node.current.replace(begin, bytes.size(), bytes);
    // A write behind the end makes zeros in between, which are as unsynced as the rest.
    const std::size_t first = std::min(begin, old_size) / sector_bytes;
    for (std::size_t sector = end > old_size ? first : begin / sector_bytes;
         sector * sector_bytes < end; ++sector) {
        node.dirty.insert(node.dirty.end(), sector);
    }
}

inline void MemoryDisk::change_names(const Names& names) {
    names_ = names;
    changes_.push_back(names);
}

inline std::uint64_t MemoryDisk::used_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [name, node] : names_) bytes += node->current.size();
    return bytes;
}

inline Result<std::vector<std::string>> MemoryDisk::list() {
    return names();
}

inline std::vector<std::string> MemoryDisk::names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, node] : names_) names.push_back(name);
    return names;
}

inline Result<std::unique_ptr<File>> MemoryDisk::open(const std::string& name) {
    const std::lock_guard lock(mutex_);
    auto found = names_.find(name);
    if (found == names_.end()) {
        Names changed = names_;
        changed.emplace(name, std::make_shared<Node>());
        change_names(changed);
        found = names_.find(name);
    }
    return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, found->second));
}

inline Result<void> MemoryDisk::rename(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    Names changed = names_;
    auto node = changed.extract(from);
    if (node.empty()) return Error{Code::io, "memory disk: rename " + from + ": no such file"};
    changed[to] = std::move(node.mapped());
    change_names(changed);
    return {};
}

inline Result<void> MemoryDisk::remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    Names changed = names_;
    if (changed.erase(name) == 0) {
        return Error{Code::io, "memory disk: remove " + name + ": no such file"};
    }
    change_names(changed);
    return {};
}

inline Result<void> MemoryDisk::sync_directory() {
    const std::lock_guard lock(mutex_);
    ++syncs_;
    if (auto error = strike(sync_fault_, "sync directory")) {
        changes_.clear();
        return *error;
    }
    durable_names_ = names_;
    changes_.clear();
    return {};
}

inline void MemoryDisk::crash_node(Node& node, SeededRandom& random) {
    // Between all and nothing lie the interesting cases, so that the share is drawn first.
    const std::uint64_t percent = random.below(5) * 25;
    for (const std::size_t sector : node.dirty) {
        if (random.below(100) >= percent) continue;
        const std::size_t begin = sector * sector_bytes;
        const std::size_t count = std::min(sector_bytes, node.current.size() - begin);
        if (node.durable.size() < begin + count) node.durable.resize(begin + count, '\0');
        node.durable.replace(begin, count, node.current, begin, count);
    }
    node.current = node.durable;
    node.dirty.clear();
}

inline void MemoryDisk::crash(std::uint64_t seed) {
    const std::lock_guard lock(mutex_);
    SeededRandom random(seed);
    const std::uint64_t kept = random.below(changes_.size() + 1);
    if (kept > 0) durable_names_ = changes_[static_cast<std::size_t>(kept) - 1];
    changes_.clear();
    names_ = durable_names_;
    std::set<const Node*> done;
    for (const auto& [name, node] : names_) {
        if (done.insert(node.get()).second) crash_node(*node, random);
    }
    ++generation_;
}

inline void MemoryDisk::kill() {
    const std::lock_guard lock(mutex_);
    ++generation_;
}

inline void MemoryDisk::fail_write(std::uint64_t after, Code code) {
    const std::lock_guard lock(mutex_);
    write_fault_ = Fault{after, code};
}

inline void MemoryDisk::fail_sync(std::uint64_t after) {
    const std::lock_guard lock(mutex_);
    sync_fault_ = Fault{after, Code::io};
}

inline void MemoryDisk::fail_nothing() {
    const std::lock_guard lock(mutex_);
    write_fault_.reset();
    sync_fault_.reset();
}

inline void MemoryDisk::set_capacity(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    capacity_ = bytes;
}

inline std::uint64_t MemoryDisk::writes() const {
    const std::lock_guard lock(mutex_);
    return writes_;
}

inline std::uint64_t MemoryDisk::syncs() const {
    const std::lock_guard lock(mutex_);
    return syncs_;
}

inline std::uint64_t MemoryDisk::reads() const {
    const std::lock_guard lock(mutex_);
    return reads_;
}

inline Bytes MemoryDisk::content(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(name);
    return found == names_.end() ? Bytes() : found->second->current;
}

inline void MemoryDisk::set_content(const std::string& name, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    auto node = std::make_shared<Node>();
    node->current = bytes;
    node->durable = std::move(bytes);
    names_[name] = node;
    durable_names_[name] = node;
    for (Names& names : changes_) names[name] = node;
}

}  // namespace syncline
