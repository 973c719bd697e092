#pragma once
#include <memory>
#include <mutex>
#include <optional>

#include "core/engine/replica.hpp"
#include "net/loop.hpp"
#include "storage/worker.hpp"

namespace syncline {

/// Runs the storage jobs of a replica: flushes on the log thread, checkpoints on the checkpoint
/// thread, one of each at a time; reports them done on the loop's thread.
class StorageJobs {
public:
    explicit StorageJobs(Loop& loop);
    /// Waits for the jobs under way.
    ~StorageJobs();
    StorageJobs(const StorageJobs&) = delete;
    StorageJobs& operator=(const StorageJobs&) = delete;

    /// Takes from the replica what is due and hands it to the threads. Call at the end of each
    /// turn. The replica must outlive this.
    void start(Replica& replica);
    /// No job is under way, and every report has been taken.
    [[nodiscard]] bool idle() const { return !flush_ && !checkpoint_; }
    [[nodiscard]] std::uint64_t flushes() const { return flushes_; }

private:
    void collect();

    Replica* replica_ = nullptr;
    std::optional<Log::Flush> flush_;
    std::optional<Store::Checkpoint> checkpoint_;
    std::uint64_t flushes_ = 0;
    std::mutex mutex_;  // guards the results
    std::optional<Result<void>> flush_result_;
    std::optional<Result<void>> checkpoint_result_;
    Wake wake_;
    // Last: their ends wait for the threads, which use everything above.
    Worker log_worker_{"log"};
    Worker checkpoint_worker_{"checkpoint"};
};

}  // namespace syncline
