/// Snapshots of an embedded database: a checkpoint is made and held, and rows are read from the
/// base alone, a call at a time, while writes go on in the overlay.
///
/// What is held keeps the next checkpoint waiting, so that overlay and log grow: the snapshot ends
/// by time, by what was written meanwhile, and when disk or map get full. Nobody waits for it but
/// whoever wants a newer one. It ends also when rows of a peer are adopted, which go straight into
/// the base, and with the database.
#include "core/database_snapshots.hpp"

#include <algorithm>
#include <chrono>

namespace syncline {
namespace {

/// A job's end wakes who waits; this is for what no job ends.
constexpr std::chrono::milliseconds snapshot_look_again(20);

std::string seconds(std::uint64_t ms) {
    return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
}

}  // namespace

/// Somebody who waits for a checkpoint, and keeps close() waiting. Lives with the lock held.
class DatabaseEngine::SnapshotWaiter {
public:
    explicit SnapshotWaiter(DatabaseEngine& engine) : engine_(engine) {
        ++engine_.snapshot_waiters_;
    }
    ~SnapshotWaiter() {
        if (--engine_.snapshot_waiters_ == 0) engine_.replica_->forget_reader();
        engine_.progress_.notify_all();
    }
    SnapshotWaiter(const SnapshotWaiter&) = delete;
    SnapshotWaiter& operator=(const SnapshotWaiter&) = delete;

private:
    DatabaseEngine& engine_;
};

Result<void> SnapshotAccess::write(const Operation& /*operation*/) {
    return Error{Code::invalid_argument, "a Snapshot cannot write: use its Database"};
}

Result<std::shared_ptr<SnapshotAccess>> DatabaseEngine::snapshot() {
    SYNCLINE_CHECK(check_caller());
    Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (!replica_) {
        return Error{Code::unavailable, "the database is of no cluster yet: it holds nothing"};
    }
    const SnapshotWaiter guard(*this);
    const Position from = replica_->log().end();
    // Another snapshot's time, and as much again for peers that compare rows.
    const std::uint64_t until = clock_.steady_ms() + snapshot_ms_max_ + limits::snapshot_ms_max;
    std::shared_ptr<const HeldCheckpoint> held = replica_->hold_checkpoint(from);
    while (!held) {
        turn_end(nullptr);
        if (const std::optional<Error> waiting = replica_->waits_for_space()) return *waiting;
        if (clock_.steady_ms() > until) {
            return Error{Code::unavailable,
                         "an older state is still being read, by a snapshot or a peer: try again"};
        }
        progress_.wait_for(lock, snapshot_look_again);
        SYNCLINE_CHECK(usable());
        held = replica_->hold_checkpoint(from);
    }
    std::shared_ptr<SnapshotState> state = snapshot_.lock();
    if (!state || state->held != held) {
        SYNCLINE_TRY(state, open_snapshot(std::move(held)));
        snapshot_ = state;
    }
    state->begun_ms = clock_.steady_ms();
    return std::make_shared<SnapshotAccess>(shared_from_this(), std::move(state), clock_.wall_ms());
}

Result<std::shared_ptr<SnapshotState>> DatabaseEngine::open_snapshot(
    std::shared_ptr<const HeldCheckpoint> held) {
    auto state = std::make_shared<SnapshotState>();
    state->held = std::move(held);
    state->store = std::make_unique<Store>(*data_.base);
    // Buckets are compared with their sums here too, before anything is read of them.
    const LeafSums& sums = replica_->group().leaf_sums();
    state->group = std::make_unique<Group>(*state->store, sums.bits(), sums.seed());
    const Result<void> loaded = state->group->load();
    state->store->end_turn();
    SYNCLINE_CHECK(loaded);
    SYNCLINE_ASSERT(state->group->vv() == state->held->vv);
    return state;
}

Result<void> DatabaseEngine::read_snapshot(SnapshotAccess& access, const Operation& operation) {
    SYNCLINE_CHECK(check_caller());
    const Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (!access.state_) {
        return Error{Code::unavailable, "the snapshot that this handle is of was released"};
    }
    // Now and then a turn is due, as in read_replica(); it may be the snapshot's end.
    const bool late = clock_.steady_ms() - access.state_->begun_ms > snapshot_ms_max_;
    if (late || ++reads_ % reads_each_turn == 0) turn_end(nullptr);
    SnapshotState& state = *access.state_;
    if (!state.held) return Error{Code::unavailable, state.why_ended};
    Transaction txn(*state.group, replica_->actor(), access.wall_ms_);
    const Result<void> done = operation(txn);
    SYNCLINE_ASSERT(txn.empty());
    state.store->end_turn();
    return done;
}

/// Never waits for anything but the lock: it may be called from inside a callback, even from one
/// that holds the lock.
void DatabaseEngine::release_snapshot(SnapshotAccess& access) {
    const bool holding = holder_.load(std::memory_order_relaxed) == std::this_thread::get_id();
    Lock lock(mutex_, std::defer_lock);
    if (!holding) lock.lock();
    if (!access.state_) return;
    access.state_.reset();
    if (!snapshot_.expired() || !replica_ || holding || watches_.telling_here()) return;
    turn_end(nullptr);  // begins the checkpoint that waited
    progress_.notify_all();
}

void DatabaseEngine::end_snapshot(const std::string& why) {
    const std::shared_ptr<SnapshotState> state = snapshot_.lock();
    if (!state || !state->held) return;
    state->group.reset();
    state->store.reset();
    state->held.reset();
    state->why_ended = "the snapshot has ended: " + why;
}

/// True: it was time.
bool DatabaseEngine::end_due_snapshot() {
    const std::shared_ptr<SnapshotState> state = snapshot_.lock();
    if (!state || !state->held) return false;
    const std::uint64_t written = std::max<std::uint64_t>(
        replica_->group().store().overlay_bytes(), replica_->log().end() - state->held->position);
    const std::string anew = "; take another one, and read faster or less from each";
    if (written > snapshot_bytes_max_) {
        end_snapshot(std::to_string(snapshot_bytes_max_) + " bytes were written meanwhile" + anew);
    } else if (clock_.steady_ms() - state->begun_ms > snapshot_ms_max_) {
        end_snapshot("it was held for more than " + seconds(snapshot_ms_max_) + anew);
    } else if (replica_->space().pressed()) {
        end_snapshot("there is little room left on the disk, or in the map");
    } else {
        return false;
    }
    return true;
}

}  // namespace syncline
