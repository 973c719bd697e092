#pragma once
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "storage/disk.hpp"
#include "tests/sim/environment.hpp"

namespace syncline::sim {

/// A directory in memory that treats writes as a disk does: until a file is synced, each sector
/// written to it may survive a crash or not, whatever the order; until the directory is synced, a
/// suffix of its changes may be lost.
class SimDisk final : public Disk {
public:
    SimDisk() = default;

    Result<std::vector<std::string>> list() override;
    Result<std::unique_ptr<File>> open(const std::string& name) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& name) override;
    Result<void> sync_directory() override;

    /// Power is cut: what was not synced survives or not, sector by sector. Files opened before
    /// are dead afterwards.
    void crash(Random& random);
    /// The worst case: nothing survives that was not synced.
    void forget_unsynced();
    /// Another disk with the same synced and unsynced content.
    [[nodiscard]] std::unique_ptr<SimDisk> clone() const;
    /// Its content is replaced by that of another one. Files opened before are dead afterwards.
    void become(const SimDisk& other);
    /// One operation that writes, renames, removes or syncs fails, after so many that succeed. A
    /// write that fails stores a part; a sync that fails leaves the file marked clean, as Linux
    /// does: it reads as if written, later syncs succeed, and a power cut loses it.
    void fail_after(std::uint64_t operations) { fails_after_ = operations; }
    /// The same for operations on one file, its successor NAME.new and its place in the directory.
    void fail_on(const std::string& name, std::uint64_t operations) {
        victim_ = Victim{name, operations};
    }
    /// Takes back failures that have not struck yet.
    void fail_nothing() {
        fails_after_.reset();
        victim_.reset();
    }
    /// What can fail.
    enum class Operation : std::uint8_t { write, sync, rename, remove, sync_directory };
    static constexpr std::size_t operations_count = 5;
    /// How often fail_on() has struck which of them.
    [[nodiscard]] const std::array<std::uint64_t, operations_count>& struck() const {
        return struck_;
    }
    /// A failure has struck since it was last forgiven.
    [[nodiscard]] bool has_failed() const { return failed_; }
    void forgive() { failed_ = false; }

    struct Content {
        Bytes now;
        Bytes synced;
        std::set<std::size_t> dirty;  // sectors in which `now` differs from `synced`
    };

private:
    class OpenFile;
    struct Victim {
        std::string name;
        std::uint64_t after = 0;
        bool renamed = false;  // the directory is to be synced for it
    };
    /// `name`: of the file; empty for the directory.
    [[nodiscard]] bool fails_now(Operation operation, const std::string& name);
    [[nodiscard]] bool strikes_victim(Operation operation, const std::string& name);

    using Names = std::map<std::string, std::shared_ptr<Content>>;  // directory and open files

    Names names_;
    std::vector<Names> unsynced_names_;  // the directory before each change since the last sync
    std::optional<std::uint64_t> fails_after_;
    std::optional<Victim> victim_;
    std::array<std::uint64_t, operations_count> struck_{};
    bool failed_ = false;
};

}  // namespace syncline::sim
