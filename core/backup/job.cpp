#include "core/backup/job.hpp"

#include <utility>

#include "core/backup/background.hpp"
#include "core/backup/source.hpp"
#include "core/backup/writer.hpp"
#include "core/base/log.hpp"

namespace syncline {

struct BackupJob::Running {
    Running(Replica& replica, std::uint64_t wall_ms, std::unique_ptr<BackupWriter> backup_writer)
        : source(replica, wall_ms, limits::backup_turn_bytes_target),
          writer(std::move(backup_writer)) {}

    BackupSource source;
    std::unique_ptr<BackupWriter> writer;  // the thread's while it is busy
    bool finishing = false;
    bool cancelled = false;
    Background background{"backup"};  // last: it uses the writer
};

BackupJob::BackupJob(std::function<void()> on_done) : on_done_(std::move(on_done)) {}

BackupJob::~BackupJob() = default;

Result<void> BackupJob::start(Replica& replica, const std::string& path, std::uint64_t rate_bytes,
                              Env env) {
    if (running_) {
        return Error{Code::unavailable, "a backup to '" + status_.path + "' is under way"};
    }
    SYNCLINE_TRY(std::unique_ptr<BackupWriter> writer, BackupWriter::create(path));
    status_ = BackupStatus();
    status_.state = BackupStatus::State::running;
    status_.path = path;
    status_.rate_bytes = rate_bytes;
    status_.begun_ms = env.clock.steady_ms();
    running_ = std::make_unique<Running>(replica, env.clock.wall_ms(), std::move(writer));
    log(LogLevel::info, "backup.begun", {{"path", path}});
    return {};
}

Result<void> BackupJob::cancel() {
    if (!running_) return Error{Code::unavailable, "no backup is under way"};
    running_->cancelled = true;
    return {};
}

void BackupJob::turn(std::uint64_t now_ms) {
    if (!running_) return;
    if (running_->background.busy()) {
        const std::optional<Result<void>> result = running_->background.take_result();
        if (!result) return;
        if (!*result) return end(BackupStatus::State::failed, now_ms, result->error().message);
        if (running_->finishing) return end(BackupStatus::State::done, now_ms);
    }
    if (running_->cancelled) return end(BackupStatus::State::cancelled, now_ms);
    const std::uint64_t elapsed_ms = now_ms - status_.begun_ms;
    const bool ahead =
        status_.rate_bytes > 0 && status_.progress.bytes > status_.rate_bytes * elapsed_ms / 1000;
    if (!ahead) advance(now_ms);
}

void BackupJob::advance(std::uint64_t now_ms) {
    Running& run = *running_;
    Result<std::optional<BackupPiece>> piece = run.source.next();
    if (!piece) return end(BackupStatus::State::failed, now_ms, piece.error().message);
    status_.progress = run.source.progress();
    BackupWriter& writer = *run.writer;
    if (*piece) {
        run.background.post([&writer, part = std::move(**piece)]() { return writer.write(part); },
                            on_done_);
    } else if (run.source.finished()) {
        run.finishing = true;
        run.background.post(
            [&writer, manifest = run.source.manifest()]() { return writer.finish(manifest); },
            on_done_);
    }
}

void BackupJob::end(BackupStatus::State state, std::uint64_t now_ms, std::string reason) {
    running_.reset();
    status_.state = state;
    status_.ended_ms = now_ms;
    status_.reason = std::move(reason);
    const bool done = state == BackupStatus::State::done;
    log(done ? LogLevel::info : LogLevel::warning, done ? "backup.done" : "backup.ended",
        {{"path", status_.path}, {"reason", status_.reason}});
}

}  // namespace syncline
