#include "core/engine/storage_jobs.hpp"

#include <chrono>
#include <utility>

namespace syncline {
namespace {

constexpr std::chrono::milliseconds retry_interval{limits::space_retry_ms};

}  // namespace

StorageJobs::StorageJobs(std::function<void()> on_done) : on_done_(std::move(on_done)) {}

StorageJobs::~StorageJobs() {
    if (replica_ != nullptr) replica_->hurry_checkpoint();
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    end_.notify_all();
}

Result<void> StorageJobs::persist(StorageJob job, const std::function<Result<void>()>& attempt) {
    while (true) {
        Result<void> result = attempt();
        if (result || result.error().code != Code::no_space) return result;
        {
            const std::lock_guard lock(mutex_);
            waits_.emplace_back(job, result.error());
        }
        on_done_();
        std::unique_lock lock(mutex_);
        if (end_.wait_for(lock, retry_interval, [this]() { return ending_; })) return result;
    }
}

void StorageJobs::report(Slot& slot, Result<void> result) {
    {
        const std::lock_guard lock(mutex_);
        slot = std::move(result);
    }
    on_done_();
}

void StorageJobs::start(Replica& replica) {
    replica_ = &replica;
    replica.write_log();
    if (!flush_ && (flush_ = replica.begin_flush())) {
        log_worker_.post([this, flush = *flush_]() mutable {
            Result<void> result = persist(StorageJob::flush, [&flush]() { return flush.write(); });
            if (result) result = flush.sync();
            const bool synced = result.has_value();
            report(flush_result_, std::move(result));
            // What fails there fails again at the first write to the next segment, and is reported
            // then; want of space shows in Log::short_of_space().
            if (synced && flush.prepares()) {
                segment_worker_.post([flush]() mutable { (void)flush.prepare_next(); });
            }
        });
    }
    if (!checkpoint_ && (checkpoint_ = replica.begin_checkpoint())) {
        checkpoint_worker_.post([this, checkpoint = *checkpoint_]() mutable {
            report(checkpoint_result_, persist(StorageJob::checkpoint,
                                               [&checkpoint]() { return checkpoint.commit(); }));
        });
    }
}

void StorageJobs::collect() {
    Slot flushed;
    Slot checkpointed;
    std::vector<std::pair<StorageJob, Error>> waits;
    {
        const std::lock_guard lock(mutex_);
        flushed.swap(flush_result_);
        checkpointed.swap(checkpoint_result_);
        waits.swap(waits_);
    }
    for (const auto& [job, why] : waits) replica_->storage_waits(job, why);
    if (flushed) {
        ++flushes_;
        replica_->finish_flush(*std::exchange(flush_, std::nullopt), *flushed);
    }
    if (checkpointed) {
        checkpoint_.reset();
        // Freeing the rows takes long; the empty job's end does it on the worker.
        checkpoint_worker_.post([rows = replica_->finish_checkpoint(*checkpointed)]() {});
    }
}

}  // namespace syncline
