#include "core/engine/storage_jobs.hpp"

#include <utility>

namespace syncline {
namespace {

Result<void> run(Log::Flush flush) {
    SYNCLINE_CHECK(flush.write());
    return flush.sync();
}

}  // namespace

StorageJobs::StorageJobs(std::function<void()> on_done) : on_done_(std::move(on_done)) {}

StorageJobs::~StorageJobs() = default;

void StorageJobs::start(Replica& replica) {
    replica_ = &replica;
    const auto report = [this](std::optional<Result<void>>& slot, Result<void> result) {
        {
            const std::lock_guard lock(mutex_);
            slot = std::move(result);
        }
        on_done_();
    };
    replica.write_log();
    if (!flush_ && (flush_ = replica.begin_flush())) {
        log_worker_.post([this, report, flush = *flush_]() mutable {
            Result<void> result = run(flush);
            const bool synced = result.has_value();
            report(flush_result_, std::move(result));
            // Off the waiting clients' path. What fails here fails again at the first write to the
            // next segment, and is reported then.
            if (synced) (void)flush.prepare_next();
        });
    }
    if (!checkpoint_ && (checkpoint_ = replica.begin_checkpoint())) {
        checkpoint_worker_.post([this, report, checkpoint = *checkpoint_]() mutable {
            report(checkpoint_result_, checkpoint.commit());
        });
    }
}

void StorageJobs::collect() {
    std::optional<Result<void>> flushed;
    std::optional<Result<void>> checkpointed;
    {
        const std::lock_guard lock(mutex_);
        flushed.swap(flush_result_);
        checkpointed.swap(checkpoint_result_);
    }
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
