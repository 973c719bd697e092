#pragma once
#include <map>
#include <memory>
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
    /// The next sync of a file fails, as that of a dying device does.
    void fail_next_sync() { fail_next_sync_ = true; }

    struct Content {
        Bytes now;
        Bytes synced;
        std::set<std::size_t> dirty;  // sectors in which `now` differs from `synced`
    };

private:
    class OpenFile;
    using Names = std::map<std::string, std::shared_ptr<Content>>;  // directory and open files

    Names names_;
    std::vector<Names> unsynced_names_;  // the directory before each change since the last sync
    bool fail_next_sync_ = false;
};

}  // namespace syncline::sim
