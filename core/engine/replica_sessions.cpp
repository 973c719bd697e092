/// Merkle sessions of a replica: who pulls, who serves, what both wait for. The comparison is
/// core/merkle/session; here are snapshots, time-outs and the adoption of the result.
#include "core/base/log.hpp"
#include "core/base/mutation.hpp"
#include "core/engine/replica_state.hpp"
#include "core/protocol/link.hpp"

namespace syncline {
namespace {

/// An unanswered request is repeated after this, and given up after so many times.
constexpr std::uint64_t repeat_ms = 1000;
constexpr unsigned repeats_max = 8;
/// A request that waits for the cap gets an answer without rows before it would be repeated.
constexpr std::uint64_t put_off_ms = repeat_ms / 2;
/// Sessions on the same pair of states with other nonces, before the difference is called damage.
constexpr unsigned attempts_max = 3;
constexpr std::uint64_t retry_ms = 200;
/// A peer whose rows are damaged is not asked again before.
constexpr std::uint64_t refused_retry_ms = 5000;
constexpr std::uint64_t serving_idle_ms_max = repeat_ms * repeats_max;
/// Of each link so many sessions are known to be over.
constexpr std::size_t served_nonces_max = 16;

}  // namespace

void Replica::request_session(LinkId link) {
    if (!session_wanted_) session_wanted_ = link;
}

void Replica::drive_sessions() {
    const std::uint64_t now = env_.clock.steady_ms();
    if (!pulling_ && !comparison_active() && session_wanted_ && now >= session_retry_ms_) {
        const Link* const link = find(*session_wanted_);
        if (link != nullptr && link->admitted())
            pulling_ = Pulling{*session_wanted_, log_->end(), nullptr, {}, now};
        if (link == nullptr) session_wanted_.reset();
    }
    if (pulling_) advance_pulling();
    drive_comparison();
    drive_waiting();  // whoever is put off now and not served would lose its turn
    for (auto it = serving_.begin(); it != serving_.end();) {
        if (now - it->second->active_ms > serving_idle_ms_max) {
            it = serving_.erase(it);
            continue;
        }
        if (!it->second->session) serve(it->first, *it->second);
        put_off_waiting(it->first, *it->second);
        ++it;
    }
}

void Replica::advance_pulling() {
    const std::uint64_t now = env_.clock.steady_ms();
    Pulling& pull = *pulling_;
    if (!pull.session) return start_pulling();
    if (pull.session->state() == SessionPuller::State::verified) {
        // A checkpoint under way would write rows of before the adoption over it.
        if (!checkpointing_) adopt();
        return;
    }
    if (now - pull.sent_ms < repeat_ms) return;
    if (++pull.repeats > repeats_max) return end_pulling(false);
    pull.sent_ms = now;
    send(pull.link, pull.last->type, pull.last->payload);
}

void Replica::note_transfer(LinkId link_id) {
    const std::uint64_t now = env_.clock.steady_ms();
    if (Link* const link = find(link_id)) link->note_transfer();
    if (pulling_ && pulling_->link == link_id) pulling_->sent_ms = now;
    if (comparing_ && comparing_->link == link_id) comparing_->sent_ms = now;
    const auto serving = serving_.find(link_id);
    if (serving != serving_.end()) serving->second->active_ms = now;
}

/// The puller's snapshot must be taken while no foreign event is applied any more, so an older one
/// that serves a peer does not do, not even one that was being made when this began: an event since
/// then may have passed by damaged rows, and nothing of it is in that snapshot. New peers are told
/// to wait until ours is there.
void Replica::start_pulling() {
    const std::shared_ptr<const HeldCheckpoint> made =
        snapshot_making_ && !checkpointing_ ? snapshot_making_ : nullptr;
    if (!made || made->position < pulling_->from) {
        if (snapshot_.expired() && !checkpointing_) snapshot_wanted_ = true;
        return;
    }
    Pulling& pull = *pulling_;
    pull.repair = !group_->damaged().empty();
    // Local writes go on until a bucket is found damaged. Of those since the snapshot was taken the
    // peer need know nothing, and its rows would take their place.
    if (pull.repair && pull.passed_by != group_->passed_by()) {
        pull.from = log_->end();
        return;
    }
    pull.session = std::make_unique<SessionPuller>(
        pull.repair ? without_damage(made) : made, store_, session_nonce(pull.link),
        options_.session_fanout == 16 ? 4U : 2U,
        pull.repair ? SessionPuller::Purpose::repair : SessionPuller::Purpose::adopt);
    const Message open = pull.session->open();
    pull.last = outgoing(pull.link, open);
    pull.sent_ms = env_.clock.steady_ms();
    send(pull.link, pull.last->type, pull.last->payload);
}

/// Messages of a session bear its name, and a link carries one in each direction: the answers of
/// one must not be taken for requests of the other.
std::uint64_t Replica::session_nonce(LinkId link) {
    const auto found = serving_.find(link);
    std::uint64_t nonce = env_.random.next();
    while (found != serving_.end() && session_name(nonce) == found->second->name()) {
        nonce = env_.random.next();
    }
    return nonce;
}

/// Whether a session in which this replica pulls has this name.
bool Replica::pulls_as(LinkId link, std::uint16_t name) const {
    const auto bears = [&](const auto& pulling) {
        return pulling && pulling->link == link && pulling->session &&
               pulling->session->session() == name;
    };
    return bears(pulling_) || bears(comparing_);
}

void Replica::serve(LinkId link, Serving& serving) {
    if (!serving.session) {
        std::shared_ptr<const HeldCheckpoint> snapshot = snapshot_or_ask();
        if (!snapshot) return;
        serving.session =
            std::make_unique<SessionServer>(std::move(snapshot), store_, serving.open);
        ++stats_.sessions_served;
        std::deque<std::uint64_t>& nonces = served_nonces_[link];
        nonces.push_back(serving.open.nonce);
        if (nonces.size() > served_nonces_max) nonces.pop_front();
    }
    send(link, serving.session->opened());
}

Result<void> Replica::receive_session(LinkId link, const Message& message) {
    if (const auto* open = std::get_if<SessionOpen>(&message)) {
        on_session_open(link, *open);
        return {};
    }
    if (const auto* done = std::get_if<SessionClose>(&message)) {
        on_session_close(link, *done);
        return {};
    }
    SYNCLINE_TRY(const bool served, receive_served(link, message));
    if (served) return {};
    if (comparison_active() && comparing_->link == link) {
        receive_comparison(message);
        return {};
    }
    if (!pulling_ || pulling_->link != link || !pulling_->session) return {};
    const Result<std::optional<Message>> request = pulling_->session->receive(message);
    if (!request) {
        const Error error = request.error();
        SYNCLINE_TRY(const bool damaged, find_damage(pulling_->session->damaged()));
        end_pulling(false);
        return damaged ? Result<void>() : error;
    }
    if (*request) {
        pulling_->last = outgoing(link, **request);
        pulling_->sent_ms = env_.clock.steady_ms();
        pulling_->repeats = 0;
        send(link, pulling_->last->type, pulling_->last->payload);
        return {};
    }
    return on_pulled();
}

/// A request to open that comes once more, when the session it began has ended: what else belongs
/// to it rests on a snapshot that is gone.
bool Replica::is_over(LinkId link, std::uint64_t nonce) const {
    const auto serving = serving_.find(link);
    if (serving != serving_.end() && serving->second->open.nonce == nonce) return false;
    const auto served = served_nonces_.find(link);
    return served != served_nonces_.end() &&
           std::find(served->second.begin(), served->second.end(), nonce) != served->second.end();
}

void Replica::on_session_open(LinkId link, const SessionOpen& open) {
    if (is_over(link, open.nonce)) {
        send(link, SessionClose{session_name(open.nonce)});
        return;
    }
    const bool waiting = pulling_ && !pulling_->session && !snapshot_.expired();
    const bool damaged = !group_->damaged().empty();
    const bool named_alike = pulls_as(link, session_name(open.nonce));
    if (damaged || waiting || named_alike || primary_backup_->holds_suffix()) {
        SessionOpened no;
        no.session = session_name(open.nonce);
        if (damaged) no.verdict = SessionOpened::Verdict::refused;
        send(link, no);
        return;
    }
    std::unique_ptr<Serving>& serving = serving_[link];
    if (!serving || serving->open.nonce != open.nonce) {
        serving = std::make_unique<Serving>(repair_budget_, open);
    }
    serving->active_ms = env_.clock.steady_ms();
    if (serving->session && serving->session->asked()) return;  // its peer is beyond that
    serve(link, *serving);
}

void Replica::on_session_close(LinkId link, const SessionClose& close) {
    const auto found = serving_.find(link);
    if (found != serving_.end() && found->second->name() == close.session) serving_.erase(found);
    if (pulling_ && pulling_->session && pulling_->session->session() == close.session) {
        end_pulling(false);
    }
    if (comparison_active() && comparing_->session->session() == close.session) {
        end_comparison(Error{Code::unavailable, "the peer ended the comparison; ask again"});
    }
}

/// False: it is no request to the session that this replica serves on the link.
Result<bool> Replica::receive_served(LinkId link, const Message& message) {
    const auto found = serving_.find(link);
    if (found == serving_.end() || !found->second->session) return false;
    Serving& serving = *found->second;
    const auto* rows = std::get_if<SessionRowsRequest>(&message);
    const bool capped = rows != nullptr && serving.session->has_rows_for(*rows);
    if (!capped) return answer_served(link, message);
    if (may_send_rows(link, serving)) {
        serving.waiting.reset();
        return answer_served(link, message);
    }
    serving.active_ms = env_.clock.steady_ms();
    if (!serving.waiting || serving.waiting->step < rows->step) {
        serving.waiting = *rows;
        serving.waiting_ms = serving.active_ms;
    }
    return true;
}

/// False: there was nothing to answer. Precondition: the session has begun. It is gone when it
/// ended.
Result<bool> Replica::answer_served(LinkId link, const Message& request) {
    Serving& serving = *serving_.at(link);
    serving.session->set_rows_bytes(
        repair_budget_.piece_bytes(limits::session_message_bytes_target));
    const Result<std::optional<Message>> answer = serving.session->receive(request);
    if (!answer) {
        SYNCLINE_CHECK(end_serving(link, answer.error()));
        return true;
    }
    if (!*answer) return false;
    serving.active_ms = env_.clock.steady_ms();
    const std::size_t bytes = send(link, **answer);
    const auto* rows = std::get_if<SessionRows>(&**answer);
    const Link* const to = find(link);
    const bool carried = to != nullptr && to->by_hand();
    if (rows != nullptr && !rows->rows.empty() && !carried) {
        repair_budget_.spend(bytes, serving.active_ms);
    }
    return true;
}

/// Own damaged rows are told to the peer; what else goes wrong is its error.
Result<void> Replica::end_serving(LinkId link, const Error& error) {
    const Serving& serving = *serving_.at(link);
    SYNCLINE_TRY(const bool damaged, find_damage(serving.session->damaged()));
    const SessionClose bye{serving.name()};
    serving_.erase(link);
    if (!damaged) return error;
    send(link, bye);
    return {};
}

// --- The cap of what is sent for repair

void Replica::set_repair_bandwidth(std::uint64_t rate) {
    repair_budget_.set_rate(rate, env_.clock.steady_ms());
}

/// Messages that are carried by hand wait for nothing. And while a session is served no checkpoint
/// is made: before writers would have to wait for one, the session goes on without a cap.
bool Replica::may_send_rows(LinkId link, Serving& serving) {
    const Link* const to = find(link);
    if (to != nullptr && to->by_hand()) return true;
    const bool presses =
        store_.overlay_bytes() > options_.overlay_bytes_max / 2 || space_.pressed();
    if (!presses || repair_budget_.rate() == 0) {
        return serving.claim.granted(env_.clock.steady_ms());
    }
    serving.claim.withdraw();
    if (!std::exchange(serving.uncapped, true)) {
        syncline::log(LogLevel::warning, "session.uncapped",
                      {{"reason", "writes wait for the checkpoint that it holds back"},
                       {"overlay_bytes", std::to_string(store_.overlay_bytes())}});
    }
    return true;
}

/// Answers what may be answered now, to those who still may hear it. One at a time: what it sends
/// decides whether another may.
void Replica::drive_waiting() {
    for (std::optional<LinkId> link = next_waiting(); link; link = next_waiting()) {
        note_turn();
        const Message request = *std::exchange(serving_.at(*link)->waiting, std::nullopt);
        const Result<bool> answered = answer_served(*link, request);
        if (!answered && !failure_) close(*link, answered.error());
    }
}

/// Whose turn it is, if anybody's.
std::optional<LinkId> Replica::next_waiting() {
    if (failure_) return std::nullopt;
    for (const auto& [link, serving] : serving_) {
        if (!serving->waiting) continue;
        const Link* const to = find(link);
        if (to == nullptr || to->given_up() || !to->admitted()) {
            serving->waiting.reset();
            serving->claim.withdraw();
        } else if (may_send_rows(link, *serving)) {
            return link;
        }
    }
    return std::nullopt;
}

/// So that the peer does not take this side for dead: it gets an answer without rows, and asks
/// again. What was asked for once more has its answer on the way.
void Replica::put_off_waiting(LinkId link, Serving& serving) {
    if (!serving.waiting) return;
    if (env_.clock.steady_ms() - serving.waiting_ms < put_off_ms) return;
    const SessionRowsRequest request = *std::exchange(serving.waiting, std::nullopt);
    serving.claim.rest();
    const Result<std::optional<Message>> answer = serving.session->put_off(request);
    if (!answer) return close(link, answer.error());
    if (*answer) send(link, **answer);
}

/// The session may be over: act on how it ended.
Result<void> Replica::on_pulled() {
    const std::uint64_t now_ms = env_.clock.steady_ms();
    switch (pulling_->session->state()) {
        case SessionPuller::State::running:
            return {};
        case SessionPuller::State::verified:
            break;
        case SessionPuller::State::nothing:
            // Its log before the snapshot holds nothing new either.
            skip_to_snapshot();
            end_pulling(true);
            return {};
        case SessionPuller::State::busy:
            end_pulling(false);
            return {};
        case SessionPuller::State::mismatch:
            syncline::log(LogLevel::warning, "session.mismatch",
                          {{"state", pulling_->session->describe()}});
            if (++session_mismatches_ >= attempts_max) {
                ++stats_.divergence_alarms;
                syncline::log(LogLevel::error, "session.unverifiable",
                              {{"attempts", std::to_string(session_mismatches_)}});
            }
            end_pulling(false);
            return {};
        case SessionPuller::State::refused:
            syncline::log(LogLevel::warning, "session.refused",
                          {{"reason", "rows of the peer are damaged"}});
            end_pulling(false);
            session_retry_ms_ = now_ms + refused_retry_ms;
            return {};
    }
    if (pulling_->repair && !repair_fits(*pulling_->session)) {
        end_pulling(false);
        session_retry_ms_ = now_ms + refused_retry_ms / 5;
        return {};
    }
    const std::uint64_t now = env_.clock.wall_ms();
    if (pulling_->session->peer_hlc().ms() > now + limits::clock_offset_ms_max) {
        ++stats_.clock_pauses;
        syncline::log(LogLevel::warning, "session.clock_ahead", {{"now_ms", std::to_string(now)}});
        end_pulling(false);
        return {};
    }
    advance_pulling();
    return {};
}

/// The join of the peer's whole snapshot with the state as it is now. Rows outside the session's
/// difference are the same in both snapshots, so the base stands in for the peer where a row was
/// changed here since: the peer may have seen that change (this replica streamed it) and what
/// became of it.
Result<void> Replica::join_snapshots(const SessionPuller& session,
                                     const std::vector<Bytes>& changed, Position visible) {
    // At equal vectors neither side knows of a removal that the other does not: what differs was
    // lost somewhere, and is kept as it is on both sides.
    const bool equal = session.peer_vv() == session.own().vv;
    std::size_t index = 0;
    for (const auto& [key, value] : session.staged()) {
        if (left_out(session, key)) continue;
        if (equal) {
            alarm_difference();
            break;
        }
        if (mutated(Mutation::partial) && index++ % 2 == 0) continue;
        SYNCLINE_CHECK(group_->join_row(key,
                                        value ? std::optional<BytesView>(*value) : std::nullopt,
                                        session.peer_vv(), visible));
    }
    if (mutated(Mutation::no_defer)) return {};
    for (const Bytes& key : changed) {
        SYNCLINE_TRY(const std::optional<Bytes> theirs, store_.get_base(Table::cells, key));
        SYNCLINE_CHECK(group_->join_row(key,
                                        theirs ? std::optional<BytesView>(*theirs) : std::nullopt,
                                        session.peer_vv(), visible));
    }
    return {};
}

/// In a bucket that the peer's rows take the place of as a whole.
bool Replica::left_out(const SessionPuller& session, const Bytes& row_key) const {
    return session.own().excluded.contains(
        static_cast<std::uint32_t>(group_->leaf_sums().bucket(row_key)));
}

/// Rows that have changed here since the own snapshot, and that the peer has as it has them.
std::vector<Bytes> Replica::changed_beside(const SessionPuller& session) const {
    std::vector<Bytes> changed = store_.changed_keys(Table::cells, RowRange{});
    std::erase_if(changed, [&](const Bytes& key) {
        return left_out(session, key) || session.staged().count(key) > 0;
    });
    return changed;
}

/// Whether the rows that a snapshot changes can be read. They are about to be changed all at once,
/// and half of them would be none. False: what cannot be read is known as damaged now.
Result<bool> Replica::can_join(const SessionPuller& session, const std::vector<Bytes>& changed) {
    bool can = true;
    for (const auto& [key, value] : session.staged()) {
        if (left_out(session, key)) continue;
        SYNCLINE_TRY(const bool readable, group_->is_readable(key));
        can = can && readable;
    }
    for (const Bytes& key : changed) {
        SYNCLINE_TRY(const bool readable, group_->is_readable(key));
        // What the peer has is told by the base. A damaged row is gone there when the next
        // checkpoint has written over it.
        const auto base = store_.get_base(Table::cells, key);
        if (!base && base.error().code != Code::corrupt) return base.error();
        can = can && readable && base.has_value();
    }
    return can;
}

/// Joins the verified rows into the state and lets the version vector grow, all at once. Records
/// after this point wait until a checkpoint holds the rows: the barrier, which tells readers of the
/// log that it does not stand alone from here, is never durable before them.
void Replica::adopt() {
    const SessionPuller& session = *pulling_->session;
    if (pulling_->repair && !repair_fits(session)) return end_pulling(false);
    if (membership_->has_quarantined(session.peer_vv())) return end_pulling(false);
    const std::vector<Bytes> changed = changed_beside(session);
    const Result<bool> can = can_join(session, changed);
    if (!can) return fail(can.error());
    if (!*can) return end_pulling(false);
    const bool equal = session.peer_vv() == session.own().vv;  // see join_snapshots
    const Result<Group::PeerTexts> texts =
        equal ? Group::PeerTexts() : group_->peer_texts(session.staged());
    if (!texts) {
        syncline::log(LogLevel::error, "session.bad_text", {{"reason", texts.error().message}});
        return end_pulling(false);
    }
    // Peers that are served read the base, which is about to change.
    for (const auto& [link, serving] : serving_) {
        send(link, SessionClose{serving->name()});
    }
    serving_.clear();

    const Position position = log_->end();
    Position visible = position;
    if (!mutated(Mutation::no_barrier)) {
        flush_hold_ = position;
        pending_barrier_ = session.peer_vv();
        visible = append(RecordKind::barrier, encode_barrier(session.peer_vv()));
        undurable_.back().barrier = session.peer_vv();
        pending_barrier_end_ = visible;
    }
    if (const Result<void> joined = join_snapshots(session, changed, visible); !joined) {
        return fail(joined.error());
    }
    if (const Result<void> restored = restore_buckets(session, visible); !restored) {
        return fail(restored.error());
    }
    if (const Result<void> joined = group_->join_texts(*texts, visible); !joined) {
        return fail(joined.error());
    }
    if (const Result<void> adopted = group_->adopt(session.peer_vv(), session.peer_hlc(), visible);
        !adopted) {
        return fail(adopted.error());
    }
    take_cut(session.peer_cut());
    stats_.session_rows_received += session.staged().size();
    if (on_adopted) on_adopted(session.peer_vv());
    skip_to_snapshot();
    session_mismatches_ = 0;
    prepare_checkpoint(position);
    end_pulling(true);
}

/// The peer's log need not be pulled before the place its snapshot was taken at.
void Replica::skip_to_snapshot() {
    if (const Link* const link = find(pulling_->link)) {
        cursors_[link->peer()] = Cursor{link->peer_log_id(), pulling_->session->peer_position()};
    }
}

void Replica::end_pulling(bool completed) {
    const LinkId link = pulling_->link;
    if (pulling_->session) send(link, SessionClose{pulling_->session->session()});
    pulling_.reset();
    session_wanted_.reset();
    if (completed) {
        ++stats_.sessions_completed;
    } else {
        ++stats_.sessions_failed;
        session_retry_ms_ = env_.clock.steady_ms() + retry_ms + env_.random.below(retry_ms);
    }
    // Each link pulls again; one that still cannot asks for a session anew.
    for (auto& [id, other] : links_) other->resume();
}

/// With whomever, in either role; nobody is told.
void Replica::end_sessions() {
    serving_.clear();
    session_wanted_.reset();
    if (pulling_) end_pulling(false);
}

void Replica::drop_sessions_of(LinkId link) {
    serving_.erase(link);
    served_nonces_.erase(link);
    if (pulling_ && pulling_->link == link) end_pulling(false);
    if (comparing_ && comparing_->link == link) {
        end_comparison(Error{Code::unavailable, "the link to the peer ended"});
    }
}

}  // namespace syncline
