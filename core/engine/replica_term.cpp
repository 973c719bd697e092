/// A replica in primary-backup mode: what moves when the term does, and which replies may leave.
/// The rules are core/protocol/primary_backup; here are links, sessions, log and replies.
#include <algorithm>

#include "core/base/log.hpp"
#include "core/engine/replica_state.hpp"
#include "core/protocol/link.hpp"

namespace syncline {
namespace {

/// How long a promotion waits for the votes of peers that are connected.
constexpr std::uint64_t vote_ms_max = 3000;

}  // namespace

// --- Replies

/// Rows of the base have no position: they may be as new as the checkpoint, or as the barrier of a
/// snapshot that it took in, which matters while backups have not confirmed that much.
Position Replica::rests_on(Position seen) const {
    return primary_backup_->released() < base_position_ ? std::max(seen, base_position_) : seen;
}

void Replica::queue_reply(Client& client, Position own, bool wrote, Bytes bytes) {
    own = rests_on(own);
    const Position free = acknowledgeable();
    const Position required = std::max(own, client.floor);
    Reply reply{client.id, std::move(bytes)};
    if (required <= free) {
        client.floor = required;
        outbox_.replies.push_back(std::move(reply));
        return;
    }
    // One that waits only behind others of its client waits no longer than those.
    const std::uint64_t now = env_.clock.steady_ms();
    if (own > free || client.floor <= free) client.since_ms = now;
    client.floor = required;
    // Nearly always the last: what is written later is durable later.
    const bool last = replies_.empty() || replies_.rbegin()->first <= required;
    replies_.emplace_hint(last ? replies_.end() : replies_.upper_bound(required), required,
                          Waiting{std::move(reply), own, client.since_ms, wrote});
    if (now - client.since_ms >= options_.primary_backup.ack_timeout_ms) release_replies();
}

void Replica::release_replies() {
    const Position durable = kept();
    const Position free = acknowledgeable();
    const auto confirmed = replies_.upper_bound(free);
    for (auto it = replies_.begin(); it != confirmed; ++it) {
        outbox_.replies.push_back(std::move(it->second.reply));
    }
    replies_.erase(replies_.begin(), confirmed);
    if (free == durable) return;
    const std::uint64_t now = env_.clock.steady_ms();
    const auto kept = replies_.upper_bound(durable);
    for (auto it = replies_.begin(); it != kept;) {
        Waiting& waiting = it->second;
        if (now - waiting.since_ms < options_.primary_backup.ack_timeout_ms) {
            ++it;
            continue;
        }
        if (waiting.own > free) {
            ++stats_.replies_unconfirmed;
            waiting.reply.outcome =
                waiting.wrote ? Outcome::write_unconfirmed : Outcome::read_unconfirmed;
        }
        outbox_.replies.push_back(std::move(waiting.reply));
        it = replies_.erase(it);
    }
}

/// Nobody will confirm them under this replica any more. They leave when they are durable here.
void Replica::give_up_replies() {
    for (auto& [position, waiting] : replies_) {
        if (!waiting.wrote) continue;
        ++stats_.replies_unconfirmed;
        waiting.reply.outcome = Outcome::stepped_down;
    }
}

void Replica::peer_durable(const Uuid& peer, const VersionVector& vv) {
    primary_backup_->peer_durable(peer, vv);
    release_replies();
}

// --- Terms

Result<void> Replica::storage(const Result<void>& done) {
    if (!done) fail(done.error());
    return done;
}

Result<void> Replica::introduce(const PrimaryBackup::Member& member) {
    return storage(primary_backup_->introduce(member, durable_vv_, log_->durable()));
}

Result<void> Replica::adopt_term(const Term& term) {
    const bool was_primary = primary_backup_->role() == PrimaryBackup::Role::primary;
    if (was_primary) give_up_replies();
    SYNCLINE_CHECK(storage(primary_backup_->adopt(term, group_->vv(), log_->durable())));
    term_changed();
    return {};
}

Result<bool> Replica::vote(const Term& wanted) {
    const bool was_primary = primary_backup_->role() == PrimaryBackup::Role::primary;
    const Result<bool> granted = primary_backup_->vote(wanted, group_->vv(), log_->durable());
    if (!granted) SYNCLINE_CHECK(storage(granted.error()));
    if (*granted) {
        if (was_primary) give_up_replies();
        term_changed();
    }
    return granted;
}

Result<void> Replica::count_vote(const Uuid& peer, const Vote& vote) {
    const Result<bool> won =
        primary_backup_->count_vote(peer, vote.term, vote.granted, durable_vv_, log_->durable());
    if (!won) return storage(won.error());
    if (*won) term_changed();
    return {};
}

/// What was under way belonged to the old term.
void Replica::term_changed() {
    const PrimaryBackup& mode = *primary_backup_;
    syncline::log(LogLevel::info, "term.role",
                  {{"term", std::to_string(mode.term().id.number)},
                   {"role", mode.read_only() ? "backup" : "primary"}});
    end_sessions();
    for (auto& [id, link] : links_) link->on_term();
    release_replies();
}

// --- Promotion

Result<void> Replica::promote(bool force) {
    PrimaryBackup& mode = *primary_backup_;
    if (!mode.on()) {
        return Error{Code::invalid_argument, "the cluster is multi-master: nobody is promoted"};
    }
    if (mode.role() == PrimaryBackup::Role::primary) return {};
    if (mode.holds_suffix()) {
        return Error{Code::invalid_argument,
                     "unreplicated events are held here; first CRDT.SUFFIX MERGE, or export them"};
    }
    if (mode.standing() && !force) {
        return Error{Code::unavailable, "a promotion is under way: " + mode.candidacy_describe()};
    }
    if (force) {
        SYNCLINE_CHECK(storage(mode.take_over(durable_vv_, log_->durable())));
        term_changed();
        return {};
    }
    std::size_t reachable = 1;
    for (const auto& [id, link] : links_) reachable += link->ready() ? 1U : 0U;
    if (reachable < mode.majority()) {
        return Error{Code::unavailable,
                     std::to_string(reachable) + " of " + std::to_string(mode.replicas_count()) +
                         " replicas can be reached, " + std::to_string(mode.majority()) +
                         " must confirm; CRDT.PROMOTE FORCE does without"};
    }
    const Result<Term> wanted = mode.stand(durable_vv_, env_.clock.steady_ms() + vote_ms_max);
    if (!wanted) return storage(wanted.error());
    if (pulling_) end_pulling(false);
    if (mode.majority() == 1) {
        return count_vote(options_.identity.node, Vote{wanted->id, true});
    }
    for (auto& [id, link] : links_) link->request_vote(*wanted);
    return {};
}

void Replica::drive_promotion() {
    PrimaryBackup& mode = *primary_backup_;
    if (mode.standing() && env_.clock.steady_ms() >= mode.candidacy_deadline_ms()) {
        mode.give_up_candidacy("in time only " + mode.candidacy_describe());
        for (auto& [id, link] : links_) link->on_term();
    }
    if (!replies_.empty()) release_replies();
}

void Replica::set_client_address(std::string address) {
    primary_backup_->set_client_address(std::move(address));
}

Result<void> Replica::forget(BytesView name_or_uuid) {
    if (membership_->on()) {
        return Error{Code::invalid_argument,
                     "the cluster has a membership record: syncline cluster apply evict"};
    }
    const bool struck = stable_cut_.forget(name_or_uuid);
    if (struck) {
        // What peers said before they had the last of its events may still be on its way here.
        const Error anew{Code::unavailable, "a replica was struck: its peers are asked anew"};
        for (const auto& [id, link] : links_) {
            if (!link->given_up()) close(id, anew);
        }
    }
    const Result<void> done = primary_backup_->forget(name_or_uuid);
    if (struck && !primary_backup_->on()) return {};
    if (!done) return done.error().code == Code::invalid_argument ? done : storage(done);
    release_replies();
    return {};
}

// --- The unreplicated suffix

Result<void> Replica::merge_suffix() {
    if (!primary_backup_->holds_suffix()) {
        return Error{Code::invalid_argument, "no unreplicated events are held here"};
    }
    return storage(primary_backup_->release_suffix());
}

bool Replica::known_elsewhere(const Dot& dot) const {
    for (const auto& [id, link] : links_) {
        if (link->status().vv.covers(dot)) return true;
    }
    return false;
}

/// Where to begin to look: the last checkpoint before any of them.
Position Replica::suffix_position() const {
    Position position = log_->base();
    for (const LogSample& sample : samples_) {
        const bool before = std::all_of(
            primary_backup_->suffixes().begin(), primary_backup_->suffixes().end(),
            [&](const auto& suffix) { return sample.vv.counter(suffix.actor) < suffix.first; });
        if (before && sample.position >= position) position = sample.position;
    }
    return position;
}

Result<std::vector<Event>> Replica::suffix_events(std::size_t count_max) {
    const std::vector<PrimaryBackup::Suffix>& suffixes = primary_backup_->suffixes();
    if (suffixes.empty()) return std::vector<Event>();
    return log_events(suffix_position(), count_max, [&](const Dot& dot) {
        return std::any_of(suffixes.begin(), suffixes.end(), [&](const auto& suffix) {
            return suffix.actor == dot.actor && suffix.first <= dot.counter &&
                   dot.counter <= suffix.last;
        });
    });
}

/// Events of the log from here on, in its order.
Result<std::vector<Event>> Replica::log_events(Position from, std::size_t count_max,
                                               const std::function<bool(const Dot&)>& wanted) {
    std::vector<Event> events;
    while (events.size() < count_max) {
        SYNCLINE_TRY(const std::optional<LogRecord> record, log_->read(from));
        if (!record) break;
        from = record->next;
        if (static_cast<RecordKind>(record->kind) != RecordKind::event) continue;
        SYNCLINE_TRY(const Dot dot, peek_dot(record->payload));
        if (!wanted(dot)) continue;
        SYNCLINE_TRY(Event event, decode_event(record->payload));
        events.push_back(std::move(event));
    }
    return events;
}

}  // namespace syncline
