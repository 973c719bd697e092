// Backing up an embedded database: on the caller's thread, with the lock for one piece at a time.
#include <chrono>

#include "core/backup/source.hpp"
#include "core/backup/writer.hpp"
#include "core/database_engine.hpp"

namespace syncline {
namespace {

/// A job's end wakes who waits; this is for what no job ends.
constexpr std::chrono::milliseconds look_again(100);

}  // namespace

/// Keeps close() waiting while a backup reads from the replica. Lives with the lock held.
class DatabaseEngine::BackingUp {
public:
    explicit BackingUp(DatabaseEngine& engine) : engine_(engine) { engine_.backing_up_ = true; }
    ~BackingUp() {
        engine_.backing_up_ = false;
        engine_.progress_.notify_all();
    }
    BackingUp(const BackingUp&) = delete;
    BackingUp& operator=(const BackingUp&) = delete;

private:
    DatabaseEngine& engine_;
};

Result<void> DatabaseEngine::backup(const std::string& path,
                                    const std::function<bool(const BackupProgress&)>& told) {
    SYNCLINE_CHECK(check_open());
    Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (!replica_) {
        return Error{Code::unavailable, "the database is of no cluster yet: it holds nothing"};
    }
    if (backing_up_) return Error{Code::unavailable, "another backup is under way"};
    const BackingUp guard(*this);
    SYNCLINE_TRY(const std::unique_ptr<BackupWriter> writer, BackupWriter::create(path));
    BackupSource source(*replica_, clock_.wall_ms());
    while (!source.finished()) {
        const Result<std::optional<BackupPiece>> piece = source.next();
        turn_end(nullptr);
        SYNCLINE_CHECK(piece);
        SYNCLINE_CHECK(usable());
        if (!*piece) {
            if (!source.finished()) progress_.wait_for(lock, look_again);
            continue;
        }
        const BackupProgress progress = source.progress();
        lock.unlock();
        const Result<void> written = writer->write(**piece);
        const bool go_on = !told || told(progress);
        lock.lock();
        SYNCLINE_CHECK(written);
        SYNCLINE_CHECK(usable());
        if (!go_on) return Error{Code::unavailable, "the backup was cancelled"};
    }
    lock.unlock();
    const Result<void> finished = writer->finish(source.manifest());
    lock.lock();
    return finished;
}

Result<void> Database::backup(const std::string& path,
                              const std::function<bool(const BackupProgress&)>& told) const {
    return engine_->backup(path, told);
}

}  // namespace syncline
