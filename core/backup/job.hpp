#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/backup/progress.hpp"
#include "core/base/env.hpp"
#include "core/engine/replica.hpp"

namespace syncline {

/// The backup of a replica that works: one piece is read in a turn, and written by a thread of its
/// own; the next one is read when that is done. What fails here fails the backup alone.
/// Thread-safety: confined to the replica's thread, but `on_done`, which its own thread calls.
class BackupJob {
public:
    /// `on_done`: the next call of turn() has something to do.
    explicit BackupJob(std::function<void()> on_done);
    /// Waits for the write under way.
    ~BackupJob();
    BackupJob(const BackupJob&) = delete;
    BackupJob& operator=(const BackupJob&) = delete;

    /// Begins. The directory is made, or empty. The replica must outlive the job, and stay where it
    /// is. Errors: unavailable (one is under way), invalid_argument, io, no_space.
    Result<void> start(Replica& replica, const std::string& path, std::uint64_t rate_bytes,
                       Env env);
    /// To be called in each turn, before what the turn read is let go.
    void turn(std::uint64_t now_ms);
    /// Ends it as soon as the write under way is done; what is there is no backup. Error
    /// unavailable: none is under way.
    Result<void> cancel();
    [[nodiscard]] const BackupStatus& status() const { return status_; }

private:
    struct Running;

    void end(BackupStatus::State state, std::uint64_t now_ms, std::string reason = {});
    void advance(std::uint64_t now_ms);

    std::function<void()> on_done_;
    BackupStatus status_;
    std::unique_ptr<Running> running_;  // null: none is under way
};

}  // namespace syncline
