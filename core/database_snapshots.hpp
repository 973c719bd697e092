#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/database_engine.hpp"
#include "core/merkle/session.hpp"

namespace syncline {

/// The state that snapshots show which were taken while nothing was written between: a checkpoint
/// that is held, and a group over the base alone. Guarded by the engine's lock.
struct SnapshotState {
    /// Null: it has ended, and so have the next two, which rest on the base.
    std::shared_ptr<const HeldCheckpoint> held;
    std::unique_ptr<Store> store;
    std::unique_ptr<Group> group;
    std::uint64_t begun_ms = 0;  ///< steady; the latest snapshot of it
    std::string why_ended;
};

/// Where the handles of one Snapshot run. They may outlive it.
class SnapshotAccess final : public Access {
public:
    SnapshotAccess(std::shared_ptr<DatabaseEngine> engine, std::shared_ptr<SnapshotState> state,
                   std::uint64_t wall_ms)
        : version_(state->held->vv),
          wall_ms_(wall_ms),
          engine_(std::move(engine)),
          state_(std::move(state)) {}

    Result<void> read(const Operation& operation) override {
        return engine_->read_snapshot(*this, operation);
    }
    Result<void> write(const Operation& operation) override;
    [[nodiscard]] bool lasts() const override { return true; }
    void release() { engine_->release_snapshot(*this); }
    [[nodiscard]] const VersionVector& version() const { return version_; }

private:
    friend class DatabaseEngine;
    const VersionVector version_;
    const std::uint64_t wall_ms_;             // by which keys have ended
    std::shared_ptr<DatabaseEngine> engine_;  // shared with the Database, which may be gone before
    /// Shared with other snapshots of the state; null: released. Guarded by the engine's lock.
    std::shared_ptr<SnapshotState> state_;
};

}  // namespace syncline
