#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/engine/replica.hpp"
#include "storage/worker.hpp"

namespace syncline {

/// Runs the storage jobs of a replica: flushes on the log thread, checkpoints on the checkpoint
/// thread, one of each at a time; and makes log segments ready on a thread of its own, since a new
/// file of zeros takes as long as many flushes. The server and the embedded database both use it.
/// A job that finds no space waits on its thread and is tried again, until there is space or this
/// is destroyed; meanwhile each try is told to the replica. Every other failure ends the replica.
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
    /// No job is under way, those that wait for space included, and every report has been taken.
    [[nodiscard]] bool idle() const { return !flush_ && !checkpoint_; }
    [[nodiscard]] std::uint64_t flushes() const { return flushes_; }

private:
    using Slot = std::optional<Result<void>>;
    /// Runs a part of a job until it does not fail for want of space.
    Result<void> persist(StorageJob job, const std::function<Result<void>()>& attempt);
    void report(Slot& slot, Result<void> result);

    Replica* replica_ = nullptr;
    std::optional<Log::Flush> flush_;
    std::optional<Store::Checkpoint> checkpoint_;
    std::uint64_t flushes_ = 0;
    std::mutex mutex_;  // guards the results, what waits, and the end
    Slot flush_result_;
    Slot checkpoint_result_;
    std::vector<std::pair<StorageJob, Error>> waits_;  // not yet told to the replica
    bool ending_ = false;
    std::condition_variable end_;
    std::function<void()> on_done_;
    // Last: their ends wait for the threads, which use everything above.
    Worker segment_worker_{"segments"};
    Worker log_worker_{"log"};  // its end comes first, since it gives work to the one above
    Worker checkpoint_worker_{"checkpoint", Share::gentle};
};

}  // namespace syncline
