#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "core/engine/replica.hpp"
#include "storage/worker.hpp"

namespace syncline {

/// Runs the storage jobs of a replica: flushes on the log thread, checkpoints on the checkpoint
/// thread, one of each at a time. The server and the embedded database both use it.
///
/// Thread-safety: start() and collect() belong to whoever the replica is confined to; the owner's
/// `on_done` is called on the thread of the job and leads there, through a wake or a lock.
class StorageJobs {
public:
    /// `on_done`: a report waits for collect().
    explicit StorageJobs(std::function<void()> on_done);
    /// Waits for the jobs under way.
    ~StorageJobs();
    StorageJobs(const StorageJobs&) = delete;
    StorageJobs& operator=(const StorageJobs&) = delete;

    /// Takes from the replica what is due and hands it to the threads. Call at the end of each
    /// turn. The replica must outlive this.
    void start(Replica& replica);
    /// Takes the reports to the replica.
    void collect();
    /// No job is under way, and every report has been taken.
    [[nodiscard]] bool idle() const { return !flush_ && !checkpoint_; }
    [[nodiscard]] std::uint64_t flushes() const { return flushes_; }

private:
    Replica* replica_ = nullptr;
    std::optional<Log::Flush> flush_;
    std::optional<Store::Checkpoint> checkpoint_;
    std::uint64_t flushes_ = 0;
    std::mutex mutex_;  // guards the results
    std::optional<Result<void>> flush_result_;
    std::optional<Result<void>> checkpoint_result_;
    std::function<void()> on_done_;
    // Last: their ends wait for the threads, which use everything above.
    Worker log_worker_{"log"};
    Worker checkpoint_worker_{"checkpoint"};
};

}  // namespace syncline
