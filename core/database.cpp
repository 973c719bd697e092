#include "core/database.hpp"

#include <utility>

#include "core/base/log.hpp"
#include "core/database_engine.hpp"
#include "core/database_snapshots.hpp"

namespace syncline {
namespace {

/// The open transaction of a batch or a read, for the handles made of it.
class TransactionAccess final : public Access {
public:
    TransactionAccess(Transaction& txn, bool may_write)
        : txn_(&txn), may_write_(may_write), thread_(std::this_thread::get_id()) {}

    Result<void> read(const Operation& operation) override {
        if (thread_ != std::this_thread::get_id()) {
            return Error{Code::unavailable,
                         "a Batch or Reader belongs to the thread that runs its callback"};
        }
        if (txn_ == nullptr) {
            return Error{Code::unavailable, "the batch or read that this handle is of has ended"};
        }
        return operation(*txn_);
    }
    Result<void> write(const Operation& operation) override {
        if (may_write_) return read(operation);
        return Error{Code::invalid_argument, "a Reader cannot write: use Database::batch"};
    }
    void end() { txn_ = nullptr; }

private:
    Transaction* txn_;  // null: it has ended
    bool may_write_;
    std::thread::id thread_;
};

/// Runs a user's callback on the open transaction.
template <typename Scope>
Result<void> run_scope(Transaction& txn, bool may_write,
                       const std::function<Result<void>(Scope&)>& callback) {
    struct Ending {  // also when the callback throws
        std::shared_ptr<TransactionAccess> access;
        ~Ending() { access->end(); }
    };
    const Ending ending{std::make_shared<TransactionAccess>(txn, may_write)};
    Scope scope(ending.access);
    return callback(scope);
}

}  // namespace

Database::Database(std::shared_ptr<DatabaseEngine> engine)
    : Keyspace(engine), engine_(std::move(engine)) {}

Database::Database(Database&& other) noexcept = default;

Database& Database::operator=(Database&& other) noexcept {
    if (this == &other) return *this;
    Database old(std::move(*this));  // closes what was here
    Keyspace::operator=(std::move(other));
    engine_ = std::move(other.engine_);
    return *this;
}

Database::~Database() {
    if (!engine_) return;
    if (const Result<void> closed = engine_->close(); !closed) {
        SYNCLINE_ASSERT(engine_->check_caller().has_value());  // destroyed inside its own callback
        log(LogLevel::error, "database.close_failed", {{"reason", closed.error().message}});
    }
}

Result<Database> Database::open(const DatabaseOptions& options) {
    SYNCLINE_TRY(std::shared_ptr<DatabaseEngine> engine, DatabaseEngine::open(options));
    return Database(std::move(engine));
}

Result<void> Database::batch(const std::function<Result<void>(Batch&)>& write) const {
    return engine_->write([&](Transaction& txn) { return run_scope<Batch>(txn, true, write); });
}

Result<void> Database::read(const std::function<Result<void>(Reader&)>& read) const {
    return engine_->read([&](Transaction& txn) { return run_scope<Reader>(txn, false, read); });
}

Result<std::optional<Bytes>> Database::next_message(const std::string& peer) const {
    return engine_->next_message(peer);
}

Result<void> Database::receive(const std::string& peer, BytesView message) const {
    return engine_->receive(peer, message);
}

Result<void> Database::restart_exchange(const std::string& peer) const {
    return engine_->restart_exchange(peer);
}

Result<DatabaseStats> Database::stats() const {
    return engine_->stats();
}

Result<ScrubReport> Database::scrub(const ScrubProgress& progress) const {
    SYNCLINE_CHECK(engine_->begin_scrub());
    while (true) {
        SYNCLINE_TRY(const ScrubStatus status, engine_->continue_scrub());
        const bool go_on = !status.running || !progress || progress(status.rows, status.rows_all);
        if (status.running && go_on) continue;
        if (!go_on) SYNCLINE_CHECK(engine_->stop_scrub());
        ScrubReport report;
        report.rows = status.rows;
        report.bytes = status.bytes;
        report.faults = status.faults;
        report.damaged = status.damaged;
        report.finding = status.finding;
        report.complete = go_on;
        return report;
    }
}

Result<std::string> Database::describe() const {
    SYNCLINE_TRY(const DatabaseStats stats, engine_->stats());
    return stats.replica + " " + to_string(stats.actor) + ": " + std::to_string(stats.keys) +
           " keys, version " + to_string(stats.version) + ", root " + stats.root.substr(0, 12) +
           ", " + std::to_string(stats.transactions_local) + " transactions of its own and " +
           std::to_string(stats.transactions_remote) + " of peers in " +
           std::to_string(stats.flushes) + " flushes";
}

Result<void> Database::close() {
    return engine_->close();
}

// --- Snapshot

Snapshot::Snapshot(std::shared_ptr<SnapshotAccess> access)
    : Keyspace(access), snapshot_(std::move(access)) {}

Snapshot::Snapshot(Snapshot&& other) noexcept = default;

Snapshot& Snapshot::operator=(Snapshot&& other) noexcept {
    if (this == &other) return *this;
    release();
    Keyspace::operator=(std::move(other));
    snapshot_ = std::move(other.snapshot_);
    return *this;
}

Snapshot::~Snapshot() {
    release();
}

const VersionVector& Snapshot::version() const {
    SYNCLINE_ASSERT(snapshot_ != nullptr);  // it was moved away
    return snapshot_->version();
}

void Snapshot::release() {
    if (snapshot_) snapshot_->release();
}

Result<Snapshot> Database::snapshot() const {
    SYNCLINE_TRY(std::shared_ptr<SnapshotAccess> access, engine_->snapshot());
    return Snapshot(std::move(access));
}

// --- Watch

struct Watch::Impl {
    std::shared_ptr<DatabaseEngine> engine;  // shared with the database, which may be gone before
    std::uint64_t id = 0;
};

Watch::Watch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Watch::Watch(Watch&& other) noexcept = default;

Watch& Watch::operator=(Watch&& other) noexcept {
    if (this == &other) return *this;
    stop();
    impl_ = std::move(other.impl_);
    return *this;
}

Watch::~Watch() {
    stop();
}

void Watch::stop() {
    if (impl_) impl_->engine->watches().remove(impl_->id);
}

Result<Watch> Database::watch(BytesView key, std::function<void(const Change&)> on_change) const {
    SYNCLINE_CHECK(engine_->check_open());
    const std::uint64_t id = engine_->watches().add(key, std::move(on_change));
    return Watch(std::make_unique<Watch::Impl>(Watch::Impl{engine_, id}));
}

}  // namespace syncline
