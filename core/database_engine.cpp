#include "core/database_engine.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/hash.hpp"
#include "core/base/log.hpp"

namespace syncline {
namespace {

/// The same name gives the same cluster everywhere.
Uuid cluster_of(const std::string& name) {
    const Hash128 hash = hash128("syncline cluster ", name, 0);
    Bytes bytes;
    ByteWriter out(bytes);
    out.u64(hash.high);
    out.u64(hash.low);
    const Result<Uuid> uuid = uuid_from(bytes);
    return *uuid;
}

// Snapshots end long before writers would have to wait for the checkpoint that they hold back.
static_assert(2 * limits::snapshot_bytes_max <= limits::overlay_bytes_max);

Error closed_error() {
    return Error{Code::unavailable, "the database is closed"};
}

}  // namespace

/// While it lives, this thread is inside a user's callback, with the lock.
class DatabaseEngine::Holding {
public:
    explicit Holding(DatabaseEngine& engine) : engine_(engine) {
        engine_.holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }
    ~Holding() { engine_.holder_.store(std::thread::id(), std::memory_order_relaxed); }
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;

private:
    DatabaseEngine& engine_;
};

// --- Opening

DatabaseEngine::DatabaseEngine(const DatabaseOptions& options)
    : replicas_(options.replicas),
      checkpoint_interval_ms_(options.checkpoint_interval_ms),
      durability_(options.durability),
      sync_interval_ms_(std::max<std::uint64_t>(options.sync_interval_ms, 1)),
      map_bytes_(options.map_bytes),
      repair_bandwidth_(options.repair_bandwidth),
      snapshot_ms_max_(options.snapshot_ms_max),
      snapshot_bytes_max_(std::min(options.snapshot_bytes_max, limits::snapshot_bytes_max)) {}

DatabaseEngine::~DatabaseEngine() {
    SYNCLINE_ASSERT(closed_ || !data_.base);
}

Result<std::shared_ptr<DatabaseEngine>> DatabaseEngine::open(const DatabaseOptions& options) {
    if (options.path.empty()) {
        return Error{Code::invalid_argument, "the path of the data directory is empty"};
    }
    auto engine = std::make_shared<DatabaseEngine>(options);
    if (const Result<void> opened = engine->open_directory(options); !opened) {
        (void)engine->close();  // nothing was written that could fail to become durable
        return opened.error();
    }
    return engine;
}

Result<void> DatabaseEngine::open_directory(const DatabaseOptions& options) {
    const Lock lock(mutex_);
    for (const std::string& policy : options.policies) SYNCLINE_CHECK(policies_.add(policy));
    SYNCLINE_TRY(data_, DataDirectory::open(options.path, random_));
    if (!options.cluster.empty()) {
        const Uuid wanted = cluster_of(options.cluster);
        if (data_.identity.cluster.is_nil()) SYNCLINE_CHECK(data_.join_cluster(wanted));
        if (data_.identity.cluster != wanted) {
            return Error{Code::invalid_argument,
                         options.path + " belongs to another cluster than \"" + options.cluster +
                             "\": open it without naming a cluster, or open an empty directory " +
                             "and copy the data"};
        }
    }
    SYNCLINE_CHECK(data_.rename(options.replica));
    return data_.identity.cluster.is_nil() ? Result<void>() : open_replica();
}

Result<void> DatabaseEngine::open_replica() {
    virgin_.reset();
    ReplicaOptions options;
    options.replicas = replicas_;
    options.policies = policies_;
    options.checkpoint_interval_ms = checkpoint_interval_ms_;
    options.durability = durability_;
    options.sync_interval_ms = sync_interval_ms_;
    SYNCLINE_TRY(options.new_incarnation, data_.begin_run(durability_));
    options.space.map_bytes = map_bytes_;
    options.repair_bandwidth = repair_bandwidth_;
    SYNCLINE_TRY(replica_, data_.open_replica(std::move(options), Env{clock_, random_}));
    replica_->on_applied = [this](const Event& event, BytesView) {
        const bool local = event.dot.actor.node == data_.identity.node_id;
        watches_.note(event, local, replica_->log().end());
    };
    replica_->on_adopted = [this](const VersionVector&) {
        watches_.note_adopted(replica_->log().end());
        end_snapshot("rows of a peer were taken over");
    };
    jobs_ = std::make_unique<StorageJobs>([this]() { job_done(); });
    if (durability_ == Durability::interval) timekeeper_ = std::thread([this]() { keep_time(); });
    return {};
}

/// The only thread that acts without a call: what was written last must be synced, too.
void DatabaseEngine::keep_time() {
    Lock lock(mutex_);
    const auto closing = [this]() { return closing_; };
    const std::chrono::milliseconds pause(std::max<std::uint64_t>(sync_interval_ms_ / 4, 1));
    while (!progress_.wait_for(lock, pause, closing)) {
        if (!replica_->failure()) turn_end(nullptr);
    }
}

// --- Calls

Result<void> DatabaseEngine::check_caller() const {
    const std::thread::id self = std::this_thread::get_id();
    // Relaxed: a thread that finds itself here wrote it itself.
    if (holder_.load(std::memory_order_relaxed) == self) {
        return Error{Code::unavailable,
                     "the database was called from inside a batch or a read, and would wait for "
                     "itself: use the handles of that Batch or Reader"};
    }
    if (watches_.telling_here()) {
        return Error{Code::unavailable,
                     "the database was called from inside a watch, and would wait for itself: "
                     "hand the change to another thread"};
    }
    return {};
}

Result<void> DatabaseEngine::check_open() {
    SYNCLINE_CHECK(check_caller());
    const Lock lock(mutex_);
    return usable();
}

Result<void> DatabaseEngine::usable() const {
    if (closing_) return closed_error();
    if (replica_ && replica_->failure()) return *replica_->failure();
    return {};
}

Result<void> DatabaseEngine::read(const Operation& operation) {
    SYNCLINE_CHECK(check_caller());
    Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    return replica_ ? read_replica(operation, lock) : read_virgin(operation);
}

/// What is durable is answered at once, without a turn; else the call waits for a reply as a write
/// does, which rests on what this one saw. Now and then a turn is due all the same: nothing but
/// calls tells the time.
Result<void> DatabaseEngine::read_replica(const Operation& operation, Lock& lock) {
    Result<Position> seen = Position{0};
    {
        const Holding holding(*this);
        seen = replica_->read(operation);
    }
    SYNCLINE_CHECK(seen);
    if (*seen <= replica_->acknowledgeable()) {
        if (++reads_ % reads_each_turn == 0) turn_end(nullptr);
        return {};
    }
    const Position position = *seen;
    const auto wait = [position](Transaction& txn) -> Result<void> {
        txn.group().store().see(position);
        return {};
    };
    return run(wait, lock);
}

Result<void> DatabaseEngine::write(const Operation& operation) {
    SYNCLINE_CHECK(check_caller());
    Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (!replica_) {
        if (data_.identity.cluster.is_nil()) {
            SYNCLINE_CHECK(data_.join_cluster(random_uuid(random_)));
        }
        SYNCLINE_CHECK(open_replica());
    }
    while (replica_->overloaded()) {
        // A turn may find out at its end that a checkpoint is due; the next one begins it.
        turn_end(nullptr);
        turn_end(nullptr);
        if (!replica_->overloaded()) break;
        progress_.wait(lock);
        SYNCLINE_CHECK(usable());
    }
    return run(operation, lock);
}

Result<void> DatabaseEngine::read_virgin(const Operation& operation) {
    if (!virgin_) virgin_ = std::make_unique<Virgin>(*data_.base);
    const Holding holding(*this);
    Transaction txn(virgin_->group, Actor{data_.identity.node_id, 1}, 0);
    const Result<void> result = operation(txn);
    virgin_->store.end_turn();
    return result;
}

Result<void> DatabaseEngine::run(const Operation& operation, Lock& lock) {
    Waiter waiter;
    waiter.client.id = next_client_++;
    Result<void> executed;
    {
        const Holding holding(*this);
        executed =
            replica_->execute(waiter.client, [&operation](Transaction& txn) -> Result<Bytes> {
                SYNCLINE_CHECK(operation(txn));
                return Bytes();
            });
    }
    turn_end(&waiter);
    return executed ? wait_for(waiter, lock) : executed;
}

Result<void> DatabaseEngine::wait_for(Waiter& waiter, Lock& lock) {
    if (!waiter.done) {
        waiters_.emplace(waiter.client.id, &waiter);
        waiter.wake.wait(lock, [&]() { return waiter.done; });
        waiters_.erase(waiter.client.id);
        if (waiters_.empty()) progress_.notify_all();
    }
    return waiter.error ? Result<void>(*waiter.error) : Result<void>();
}

// --- Scrub

Result<void> DatabaseEngine::begin_scrub() {
    SYNCLINE_CHECK(check_caller());
    const Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (replica_) replica_->start_scrub(false);
    return {};
}

Result<ScrubStatus> DatabaseEngine::continue_scrub() {
    SYNCLINE_CHECK(check_caller());
    const Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (!replica_) return ScrubStatus();
    const Result<void> looked = replica_->scrub(limits::scrub_rows_per_tick_fast);
    turn_end(nullptr);
    SYNCLINE_CHECK(looked);
    return replica_->scrub_status();
}

Result<void> DatabaseEngine::stop_scrub() {
    SYNCLINE_CHECK(check_caller());
    const Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (replica_) replica_->stop_scrub();
    return {};
}

// --- Turns

/// Hands jobs to the threads and replies to those who wait. Every change of the replica is followed
/// by it before the lock is let go.
void DatabaseEngine::turn_end(Waiter* current) {
    hand_out(due(), current);
}

/// Starts jobs; messages go where they belong, in order. Answers with the replies that may leave.
Committed DatabaseEngine::due() {
    jobs_->start(*replica_);
    Committed committed = replica_->committed();
    if (end_due_snapshot()) jobs_->start(*replica_);
    for (Outgoing& message : committed.messages) {
        if (Exchanges::owns(message.link)) {
            exchanges_.queue(std::move(message));
        } else {
            output_.messages.push_back(std::move(message));
        }
    }
    for (auto& [link, reason] : committed.closed) {
        if (Exchanges::owns(link)) {
            exchanges_.close(link, reason, *replica_);
        } else {
            output_.closed.emplace_back(link, std::move(reason));
        }
    }
    const bool output = !output_.messages.empty() || !output_.closed.empty();
    if (wake_node_ && (output || replica_->failure())) wake_node_();
    return committed;
}

void DatabaseEngine::hand_out(const Committed& committed, Waiter* current) {
    const std::optional<Error> failure = replica_ ? replica_->failure() : std::nullopt;
    if (failure) {
        if (current != nullptr && !current->done) current->fail(*failure);
        return fail_waiters(*failure);
    }
    for (const Reply& reply : committed.replies) {
        if (current != nullptr && current->client.id == reply.client) {
            current->done = true;
            continue;
        }
        const auto found = waiters_.find(reply.client);
        if (found == waiters_.end()) continue;  // it was given an error
        found->second->done = true;
        found->second->wake.notify_one();
    }
}

void DatabaseEngine::fail_waiters(const Error& error) {
    for (const auto& [id, waiter] : waiters_) {
        if (waiter->done) continue;
        waiter->fail(error);
        waiter->wake.notify_one();
    }
    progress_.notify_all();
}

/// On the thread of the job. Watches come before replies: who made a change finds them told when
/// its call returns.
void DatabaseEngine::job_done() {
    Lock lock(mutex_);
    if (!jobs_) return;  // closed
    jobs_->collect();
    const Committed committed = due();
    if (!watches_.empty()) {
        const Position durable = replica_->log().durable();
        lock.unlock();
        watches_.tell(durable);
        lock.lock();
    }
    hand_out(committed, nullptr);
    progress_.notify_all();
}

// --- Inspection and the end

Result<DatabaseStats> DatabaseEngine::stats() {
    DatabaseStats stats;
    SYNCLINE_CHECK(read([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(stats.keys, txn.keys_count());  // so that it waits for all it tells of
        const LeafSum root = txn.group().leaf_sums().root();
        stats.replica = data_.identity.name;
        stats.node = to_string(data_.identity.node);
        stats.version = txn.group().vv();
        stats.root = to_hex(root.sum);
        stats.rows = root.count;
        stats.actor = Actor{data_.identity.node_id, 1};
        if (!replica_) return {};
        stats.cluster = to_string(data_.identity.cluster);
        stats.actor = replica_->actor();
        stats.transactions_local = replica_->stats().events_local;
        stats.transactions_remote = replica_->stats().events_applied;
        stats.flushes = jobs_->flushes();
        stats.checkpoints = replica_->stats().checkpoints;
        stats.log_bytes = replica_->log().end();
        stats.overlay_bytes = replica_->group().store().overlay_bytes();
        stats.checkpoint_running = replica_->group().store().checkpoint_under_way();
        stats.divergence_alarms = replica_->stats().divergence_alarms;
        return {};
    }));
    return stats;
}

Result<void> DatabaseEngine::close() {
    SYNCLINE_CHECK(check_caller());
    Lock lock(mutex_);
    if (closing_) {
        progress_.wait(lock, [&]() { return closed_; });
        return {};
    }
    closing_ = true;
    if (wake_node_) wake_node_();
    progress_.notify_all();
    progress_.wait(lock, [&]() {
        // What waits for space would wait here for ever; it was never acknowledged.
        if (replica_ && replica_->waits_for_space()) fail_waiters(*replica_->waits_for_space());
        return waiters_.empty() && !backing_up_ && snapshot_waiters_ == 0;
    });
    end_snapshot("the database is closed");
    const Result<void> result = last_checkpoint(lock);
    std::unique_ptr<StorageJobs> jobs = std::move(jobs_);
    lock.unlock();
    if (timekeeper_.joinable()) timekeeper_.join();
    jobs.reset();  // waits for the threads, which may want the lock
    lock.lock();
    virgin_.reset();
    replica_.reset();
    data_ = DataDirectory{};
    closed_ = true;
    progress_.notify_all();
    return result;
}

Result<void> DatabaseEngine::last_checkpoint(Lock& lock) {
    if (!replica_) return {};
    if (replica_->failure()) return *replica_->failure();
    const std::uint64_t before = replica_->stats().checkpoints;
    replica_->request_checkpoint();
    turn_end(nullptr);
    progress_.wait(lock, [&]() {
        return replica_->failure() || replica_->waits_for_space() ||
               (jobs_->idle() && replica_->stats().checkpoints > before &&
                replica_->log().durable() == replica_->log().end());
    });
    if (replica_->failure()) return *replica_->failure();
    if (const std::optional<Error> waiting = replica_->waits_for_space()) return *waiting;
    return data_.end_run();
}

}  // namespace syncline
