// A replica looks at all it has stored, a part at each tick, and has what is damaged repaired by a
// peer: core/engine/group_damage.cpp says what damage is and what becomes of it meanwhile.
#include "core/base/log.hpp"
#include "core/engine/replica_state.hpp"
#include "core/protocol/link.hpp"

namespace syncline {
namespace {

/// Peers are asked one after the other, with this much time between, until one can help.
constexpr std::uint64_t repair_retry_ms = 1000;
/// A bucket without rows is looked at as well, and counts as so many rows of the budget.
constexpr std::uint64_t bucket_rows = 4;
/// Records of the log are read and hashed; each counts as so many rows.
constexpr std::uint64_t record_rows = 4;

}  // namespace

void Replica::start_scrub(bool fast) {
    if (!scrub_) {
        scrub_ = std::make_unique<Scrub>();
        scrub_status_.running = true;
        scrub_status_.buckets = 0;
        scrub_status_.buckets_all = group_->leaf_sums().leaves_count();
        scrub_status_.rows = 0;
        scrub_status_.bytes = 0;
        scrub_status_.faults = 0;
        scrub_status_.begun_ms = env_.clock.wall_ms();
        scrub_->damages = group_->damages();
        group_->begin_count_keys();
    }
    scrub_status_.fast = scrub_status_.fast || fast;
}

void Replica::stop_scrub() {
    if (!scrub_) return;
    group_->follow_check(nullptr);
    group_->begin_count_keys();
    scrub_.reset();
    scrub_status_.running = false;
    scrub_status_.fast = false;
}

ScrubStatus Replica::scrub_status() const {
    ScrubStatus status = scrub_status_;
    status.rows_all = group_->leaf_sums().root().count;
    status.damaged = group_->damaged().size();
    status.damages = group_->damages() + log_damages_ + conflict_damages_;
    status.repaired = group_->restored();
    status.finding = finding_.empty() ? group_->finding() : finding_;
    if (scrub_) status.faults += group_->damages() - scrub_->damages;
    return status;
}

void Replica::drive_scrub() {
    if (store_.take_damage()) group_->distrust();
    const std::uint64_t now = env_.clock.wall_ms();
    const bool wanted = group_->take_scrub_wanted();
    const bool due = options_.scrub_interval_ms > 0 &&
                     now >= scrub_status_.last_ms + options_.scrub_interval_ms &&
                     now >= scrub_status_.begun_ms + options_.scrub_interval_ms;
    if (wanted || due) start_scrub(false);
    if (!scrub_) return;
    // Its error is the replica's failure.
    (void)scrub(scrub_status_.fast ? limits::scrub_rows_per_tick_fast
                                   : options_.scrub_rows_per_tick);
}

Result<void> Replica::scrub(std::uint64_t rows) {
    if (failure_) return *failure_;
    std::uint64_t budget = rows;
    const Position seen = store_.take_seen();
    Result<void> looked;
    while (looked && scrub_ && budget > 0) looked = scrub_some(budget);
    (void)store_.take_seen();  // nobody waits for what this has looked at
    store_.see(seen);
    if (!looked) fail(looked.error());
    return looked;
}

/// One step of the pass, which takes something off the budget. Errors: of storage, not damage.
Result<void> Replica::scrub_some(std::uint64_t& budget) {
    const auto spend = [&](std::uint64_t rows) { budget -= std::min(budget, rows); };
    switch (scrub_->phase) {
        case Scrub::Phase::buckets:
            return scrub_bucket(budget);
        case Scrub::Phase::deadlines: {
            std::uint64_t faults = 0;
            SYNCLINE_TRY(const std::optional<Bytes> next,
                         group_->check_deadlines(scrub_->deadlines_from, 1000, faults));
            scrub_status_.faults += faults;
            if (next) {
                scrub_->deadlines_from = *next;
            } else {
                scrub_->phase = Scrub::Phase::conflicts;
                scrub_->conflict = group_->conflicts().first();
            }
            spend(1000);
            return {};
        }
        case Scrub::Phase::conflicts: {
            ConflictRing& ring = group_->conflicts();
            scrub_->conflict = std::max(scrub_->conflict, ring.first());
            if (scrub_->conflict > ring.last()) {
                scrub_->phase = Scrub::Phase::log;
                scrub_->position = log_from();
                return {};
            }
            const Result<ConflictRecord> record = ring.read(scrub_->conflict++);
            spend(1);
            if (record) return {};
            if (record.error().code != Code::corrupt) return record.error();
            ++conflict_damages_;
            note_fault(record.error().message);
            return {};
        }
        case Scrub::Phase::log:
            return scrub_log(budget);
    }
    return {};
}

Result<void> Replica::scrub_bucket(std::uint64_t& budget) {
    if (scrub_status_.buckets == scrub_status_.buckets_all) {
        group_->follow_check(nullptr);
        // With damaged buckets nobody knows how many there are.
        if (group_->damaged().empty() && !scrub_->skipped) (void)group_->finish_count_keys();
        group_->begin_count_keys();
        scrub_->phase = Scrub::Phase::deadlines;
        return {};
    }
    const auto bucket = static_cast<std::uint32_t>(scrub_status_.buckets);
    const bool known = group_->bucket_state(bucket) > BucketState::verified;
    if (!scrub_->check && !known) {
        scrub_->check = group_->begin_check(bucket, true);
        group_->follow_check(&*scrub_->check);
    }
    std::uint64_t spent = bucket_rows;
    if (!known) {
        const std::uint64_t before = scrub_->check->rows;
        const std::uint64_t looked = scrub_->check->looked;
        SYNCLINE_CHECK(group_->continue_check(*scrub_->check, budget));
        const std::uint64_t rows = scrub_->check->rows - before;
        spent += scrub_->check->looked - looked;
        scrub_status_.rows += rows;
        scrub_status_.rows_ever += rows;
    }
    budget -= std::min(budget, spent);
    if (!known && !scrub_->check->done()) return {};
    scrub_->skipped = scrub_->skipped || known;
    if (scrub_->check) {
        group_->follow_check(nullptr);
        scrub_status_.bytes += scrub_->check->bytes;
        group_->count_keys(bucket + 1, scrub_->check->live.size());
        SYNCLINE_CHECK(group_->finish_check(*scrub_->check));
        scrub_->check.reset();
    }
    ++scrub_status_.buckets;
    return {};
}

/// Records that peers may still ask for; what stands behind the last durable one is in memory.
Result<void> Replica::scrub_log(std::uint64_t& budget) {
    scrub_->position = std::max(scrub_->position, log_from());
    Result<std::optional<LogRecord>> record = std::optional<LogRecord>();
    if (scrub_->position < log_->durable()) record = log_->read(scrub_->position);
    budget -= std::min(budget, record_rows);
    if (!record) {
        if (record.error().code != Code::corrupt) return record.error();
        give_up_log(record.error());
    } else if (*record && (*record)->next <= log_->durable()) {
        scrub_->position = (*record)->next;
        return {};
    }
    finish_scrub();
    return {};
}

void Replica::finish_scrub() {
    scrub_status_.faults += group_->damages() - scrub_->damages;
    scrub_status_.last_faults = scrub_status_.faults;
    scrub_status_.last_ms = env_.clock.wall_ms();
    ++scrub_status_.passes;
    syncline::log(scrub_status_.faults == 0 ? LogLevel::info : LogLevel::error, "scrub.done",
                  {{"rows", std::to_string(scrub_status_.rows)},
                   {"faults", std::to_string(scrub_status_.faults)}});
    scrub_.reset();
    scrub_status_.running = false;
    scrub_status_.fast = false;
}

void Replica::note_fault(const std::string& finding) {
    ++scrub_status_.faults;
    finding_ = finding;
    syncline::log(LogLevel::error, "storage.damaged", {{"reason", finding}});
}

/// Events that peers lack are given by sessions from now on, as if the log began behind them.
void Replica::give_up_log(const Error& error) {
    log_floor_ = log_->durable();
    log_floor_vv_ = durable_vv_;
    ++log_damages_;
    note_fault(error.message);
}

Position Replica::log_from() const {
    return std::max(log_->base(), log_floor_);
}

// --- Repair

Result<std::size_t> Replica::repair() {
    const std::size_t damaged = group_->damaged().size();
    if (damaged == 0) return damaged;
    repair_retry_ms_ = 0;
    drive_repair();
    if (pulling_ || session_wanted_) return damaged;
    return Error{Code::unavailable, "no peer is connected that could help"};
}

/// Asks the next peer for a session in which its rows take the place of damaged ones.
void Replica::drive_repair() {
    const std::uint64_t now = env_.clock.steady_ms();
    if (group_->damaged().empty() || pulling_ || session_wanted_ || now < repair_retry_ms_) return;
    auto next = links_.upper_bound(repair_link_);
    for (std::size_t tried = 0; tried < links_.size(); ++tried, ++next) {
        if (next == links_.end()) next = links_.begin();
        if (!next->second->admitted()) continue;
        repair_link_ = next->first;
        repair_retry_ms_ = now + repair_retry_ms;
        request_session(repair_link_);
        return;
    }
}

/// The own snapshot as if damaged buckets held nothing: then the peer sends all it has in them.
std::shared_ptr<const HeldCheckpoint> Replica::without_damage(
    std::shared_ptr<const HeldCheckpoint> made) const {
    auto snapshot = std::make_shared<HeldCheckpoint>(*made);
    snapshot->origin = std::move(made);
    for (const auto& [bucket, reason] : group_->damaged()) {
        snapshot->sums.set_leaf(bucket, LeafSum());
        snapshot->excluded.insert(bucket);
    }
    return snapshot;
}

/// A session met rows that do not add up. True: they are damaged, which is known now.
Result<bool> Replica::find_damage(const std::optional<SessionTree::Node>& node) {
    if (!node) return false;
    const unsigned below = group_->leaf_sums().bits() - node->bits;
    const std::uint64_t first = node->prefix << below;
    bool found = false;
    for (std::uint64_t i = first; i < first + (std::uint64_t{1} << below); ++i) {
        const auto bucket = static_cast<std::uint32_t>(i);
        group_->distrust(bucket);
        SYNCLINE_CHECK(group_->verify_bucket(bucket));
        found = found || group_->bucket_state(bucket) > BucketState::verified;
    }
    return found;
}

/// Whether a session that was made to repair may be taken over. The peer must have seen all that
/// this replica has: what it lacks then was removed, and what events would have done here to
/// frozen rows it has done.
bool Replica::repair_fits(const SessionPuller& session) const {
    return session.peer_vv().covers(session.own().vv) && group_->passed_by() == pulling_->passed_by;
}

void Replica::alarm_difference() {
    ++stats_.divergence_alarms;
    syncline::log(LogLevel::error, "replica.diverged",
                  {{"reason", "sound rows differ from the peer's at equal vectors"}});
}

/// Rows of the peer's, by damaged bucket.
Result<void> Replica::restore_buckets(const SessionPuller& session, Position visible) {
    if (session.own().excluded.empty()) return {};
    std::map<std::uint32_t, std::map<Bytes, Bytes>> rows;
    for (const std::uint32_t bucket : session.own().excluded) rows[bucket];
    for (const auto& [key, value] : session.staged()) {
        const auto bucket = static_cast<std::uint32_t>(group_->leaf_sums().bucket(key));
        if (value && session.own().excluded.contains(bucket)) rows[bucket].emplace(key, *value);
    }
    for (const auto& [bucket, peer_rows] : rows) {
        SYNCLINE_CHECK(group_->restore_bucket(bucket, peer_rows, visible));
    }
    syncline::log(LogLevel::warning, "storage.repaired",
                  {{"buckets", std::to_string(rows.size())}});
    return {};
}

}  // namespace syncline
