/// Space of a replica: what it does as map and disk fill up, and while they are full.
///
/// All well: the gate lets everything pass. Getting full: checkpoints come early, the log is cut to
/// what the last one does not hold. Full: what adds is refused; removals, expiry, sessions and
/// peers' events go on in what is set aside. Overfull: a flush or a checkpoint finds no room and
/// waits, see storage_waits(); then nothing is written that could not become durable. When there is
/// room again the job that waits goes through, and the gate opens by itself.
#include <algorithm>

#include "core/base/log.hpp"
#include "core/engine/replica_state.hpp"

namespace syncline {

/// Cheap, but for a look at the disk, which comes from time to time.
void Replica::act_on_space() {
    store_.hurry(checkpoint_waited_for());
    if (failure_) return;
    const std::uint64_t now = env_.clock.steady_ms();
    const std::size_t overlay_bytes = store_.overlay_bytes();
    const bool grown = overlay_bytes > space_overlay_bytes_ + limits::space_look_bytes ||
                       space_.outdated(store_.active_amount());
    if (grown || now - space_ms_ >= limits::space_look_ms) look_at_space();
    if (now - readers_checked_ms_ < limits::reader_check_ms) return;
    readers_checked_ms_ = now;
    const Result<unsigned> freed = store_.check_readers();
    if (!freed) return fail(freed.error());
    stats_.readers_freed += *freed;
}

void Replica::look_at_space() {
    space_ms_ = env_.clock.steady_ms();
    space_overlay_bytes_ = store_.overlay_bytes();
    const SpaceGate::Closed before = space_.closed();
    const bool low_before = space_.disk_low();
    SpaceUse use{store_.space(), disk_->space(), store_.flushing_amount(), store_.active_amount()};
    const std::uint64_t wanted =
        limits::map_growth * (use.base.used_bytes() + SpaceGate::checkpoint_bytes(use));
    if (use.base.map_bytes > 0 && wanted > use.base.map_bytes) {
        // While a commit is under way it is put off to the next look.
        const Result<bool> grown = store_.grow(limits::map_growth * wanted);
        if (!grown) return fail(grown.error());
        use.base = store_.space();
    }
    space_.look(use);
    if (space_.disk_low() && !low_before) trim_log();
    if (space_.closed() == before) return;
    syncline::log(before == SpaceGate::Closed::no ? LogLevel::warning : LogLevel::info,
                  "space.gate",
                  {{"closed_by", name_of(space_.closed())},
                   {"map_used_bytes", std::to_string(use.base.used_bytes())},
                   {"map_bytes", std::to_string(space_.options().map_bytes)},
                   {"disk_free_bytes", std::to_string(use.disk.free_bytes)},
                   {"disk_bytes", std::to_string(use.disk.total_bytes)}});
}

bool Replica::preparation_due() {
    const std::uint64_t now = env_.clock.steady_ms();
    if (now - prepared_ms_ < limits::space_retry_ms) return false;
    prepared_ms_ = now;
    return true;
}

void Replica::set_map_bytes(std::uint64_t map_bytes) {
    space_.set_map_bytes(map_bytes);
    look_at_space();
}

void Replica::storage_waits(StorageJob job, const Error& why) {
    std::optional<Error>& waits = job == StorageJob::flush ? flush_waits_ : checkpoint_waits_;
    if (!waits) {
        syncline::log(
            LogLevel::error, "storage.waits_for_space",
            {{"job", job == StorageJob::flush ? "flush" : "checkpoint"}, {"reason", why.message}});
    }
    waits = why;
    ++stats_.storage_waits;
}

std::optional<Error> Replica::waits_for_space() const {
    return flush_waits_ ? flush_waits_ : checkpoint_waits_;
}

bool Replica::overlay_full() const {
    return store_.overlay_bytes() > options_.overlay_bytes_max;
}

bool Replica::overloaded() const {
    if (checkpoint_waits_) return false;
    return overlay_full() || (space_.tight() && checkpoint_at_hand());
}

/// One is under way, or begins with the next turn, which then has reason to.
bool Replica::checkpoint_at_hand() const {
    return checkpointing_ || snapshot_.expired();
}

/// Somebody waits for it, or will soon have to, for the memory or the room that it gives back.
bool Replica::checkpoint_waited_for() const {
    const bool sessions = pulling_ || comparing_ || !serving_.empty();
    if (failure_ || checkpoint_requested_ || checkpoint_hurried_ || checkpoint_waits_ ||
        snapshot_wanted_ || snapshot_making_ || reader_waits_ || sessions || flush_hold_ ||
        purging_) {
        return true;
    }
    const std::size_t flushing_bytes = store_.flushing_amount().bytes;
    const std::size_t room_bytes =
        options_.overlay_bytes_max - std::min(flushing_bytes, options_.overlay_bytes_max);
    return space_.pressed() || space_.tight() || space_.disk_low() || log_->short_of_space() ||
           (checkpointing_ &&
            log_->end() - checkpointing_->position >= options_.checkpoint_log_bytes) ||
           store_.active_amount().bytes > room_bytes / 2;
}

void Replica::hurry_checkpoint() {
    if (!checkpointing_) return;
    checkpoint_hurried_ = true;
    store_.hurry(true);
}

bool Replica::exhausted(std::size_t log_bytes) const {
    if (flush_waits_) return true;
    // While rows that came from elsewhere wait for their checkpoint, no later record is flushed.
    if (checkpoint_waits_ &&
        (overlay_full() || flush_hold_ || space_.removals_full(store_.active_amount()))) {
        return true;
    }
    return log_->short_of_space() && !log_->has_ready_room(log_bytes);
}

std::optional<Error> Replica::refuses_growth() const {
    if (const std::optional<Error> waiting = waits_for_space()) return waiting;
    if (log_->short_of_space()) {
        return Error{Code::no_space, "the disk has no room for the log; removals are still taken"};
    }
    if (space_.closed() != SpaceGate::Closed::no || (space_.tight() && !checkpoint_at_hand())) {
        return space_.error();
    }
    return std::nullopt;
}

bool Replica::limited_by_map() const {
    return !waits_for_space() && !log_->short_of_space() && space_.by_map();
}

/// Before a local event is appended.
Result<void> Replica::check_space(bool adds, std::size_t log_bytes) {
    const auto refusal = [&]() -> std::optional<Error> {
        if (exhausted(log_bytes)) {
            return Error{Code::no_space,
                         "the disk is full, and what was set aside for removals is used up"};
        }
        return adds ? refuses_growth() : std::nullopt;
    };
    std::optional<Error> refused = refusal();
    if (refused && env_.clock.steady_ms() - space_ms_ >= limits::space_look_ms) {
        // Without traffic nobody looked for long.
        look_at_space();
        refused = refusal();
    }
    if (!refused) return {};
    ++stats_.writes_refused;
    return *refused;
}

LogRetention Replica::log_retention() const {
    return space_.disk_low() ? LogRetention{} : options_.log_retention;
}

}  // namespace syncline
