// Keys whose time has come are removed by ordinary transactions that all replicas apply: they are
// hidden from readers from their deadline on, and removed some time after it, so that a later
// deadline given elsewhere in the meantime still arrives first.
#include "core/base/log.hpp"
#include "core/engine/replica.hpp"
#include "core/engine/transaction.hpp"
#include "crdt/expiry.hpp"

namespace syncline {

/// Removes keys that ended before the grace period, or long before: then also those whose deadline
/// another replica gave, which should have done it. A bounded part of them at a time.
void Replica::expire_keys() {
    if (!group_->may_expire() || primary_backup_->read_only() || !check_joined()) return;
    if (env_.clock.steady_ms() < expiry_pause_ms_) return;
    const std::uint64_t now = env_.clock.wall_ms();
    const std::uint64_t grace = options_.expiry_grace_ms;
    if (now <= grace) return;
    const std::uint64_t due = now - grace;
    const std::uint64_t due_of_others =
        now > limits::expiry_patience * grace ? now - limits::expiry_patience * grace : 0;
    std::vector<Bytes> candidates;
    std::uint64_t looked_up_to = 0;  // where the next look begins; 0: at the front
    const Result<void> walked =
        group_->scan_deadlines(expiry_from_ms_, [&](BytesView key, std::uint64_t deadline) {
            if (deadline > due) return false;
            looked_up_to = deadline;
            candidates.emplace_back(key);
            return candidates.size() < limits::expiry_keys_max;
        });
    if (!walked && walked.error().code == Code::corrupt) {
        group_->distrust();  // the scrub sees to it
        expiry_pause_ms_ = env_.clock.steady_ms() + limits::expiry_pause_ms;
        return;
    }
    if (!walked) return fail(walked.error());
    // One deadline that many keys share is looked at from its beginning again, when some have gone.
    const bool more = candidates.size() == limits::expiry_keys_max;
    expiry_from_ms_ = more && looked_up_to != expiry_from_ms_ ? looked_up_to : 0;
    std::vector<Bytes> keys;
    for (Bytes& key : candidates) {
        const Result<Cell> cell = group_->cell(key, CellType::expiry, std::nullopt);
        // A key among damaged rows stays until they are repaired.
        if (!cell && cell.error().code != Code::io) continue;
        if (!cell) return fail(cell.error());
        const DotMap::Entry* const winner = expiry_winner(*cell);
        // The row that led here is derived, and may be left over: the key's own deadline counts.
        if (winner == nullptr || expiry_deadline(*cell) > due) continue;
        const bool own = winner->dot.actor.node == actor_.node;
        if (own || expiry_deadline(*cell) <= due_of_others) keys.push_back(std::move(key));
    }
    remove_expired(keys, now);
}

/// In one transaction, or where that would be too large in one for each key. One that is too large
/// even so stays hidden; after a while it is tried again.
void Replica::remove_expired(std::span<const Bytes> keys, std::uint64_t now_ms) {
    if (keys.empty()) return;
    Transaction txn(*group_, actor_, now_ms);
    for (const Bytes& key : keys) txn.clear(key);
    expiring_ = true;
    const Result<Position> applied = apply_local(txn);
    expiring_ = false;
    if (applied) {
        stats_.keys_expired += keys.size();
    } else if (applied.error().code == Code::no_space) {
        expiry_pause_ms_ = env_.clock.steady_ms() + limits::space_retry_ms;
    } else if (applied.error().code == Code::corrupt || applied.error().code == Code::unavailable) {
        expiry_pause_ms_ = env_.clock.steady_ms() + limits::expiry_pause_ms;
    } else if (applied.error().code != Code::limit) {
        fail(applied.error());
    } else if (keys.size() > 1) {
        for (std::size_t i = 0; i < keys.size(); ++i) remove_expired(keys.subspan(i, 1), now_ms);
    } else {
        syncline::log(LogLevel::warning, "expiry.too_large",
                      {{"key", printable(keys[0])}, {"reason", applied.error().message}});
        expiry_pause_ms_ = env_.clock.steady_ms() + limits::expiry_pause_ms;
    }
}

}  // namespace syncline
