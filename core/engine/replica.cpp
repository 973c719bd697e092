#include "core/engine/replica.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/base/log.hpp"
#include "core/base/mutation.hpp"
#include "core/engine/replica_state.hpp"
#include "core/protocol/link.hpp"

namespace syncline {
namespace {

/// Up to a quarter less than the interval: replicas that began together, or that a load reaches at
/// the same time, do not all write their checkpoints in the same moment.
std::uint64_t staggered(std::uint64_t interval_ms, const Uuid& node) {
    constexpr std::uint64_t steps = 64;
    return interval_ms - interval_ms / (4 * steps) * (hash64(to_bytes(node)) % steps);
}

}  // namespace

Replica::Replica(ReplicaOptions options, Env env, Base& base)
    : options_(std::move(options)),
      env_(env),
      store_(base),
      // Rows are hashed with a seed that clients do not know, the same on all replicas.
      group_(std::make_unique<Group>(store_, options_.leaf_bits,
                                     hash64(to_bytes(options_.identity.cluster)),
                                     options_.conflicts)),
      actor_{options_.identity.node_id, 1},
      stable_cut_(options_.replicas),
      space_(options_.space),
      repair_budget_(options_.repair_bandwidth) {
    options_.checkpoint_interval_ms =
        staggered(options_.checkpoint_interval_ms, options_.identity.node);
    group_->set_policies(options_.policies);
}

Replica::~Replica() = default;

Result<std::unique_ptr<Replica>> Replica::open(ReplicaOptions options, Env env, Disk& disk,
                                               Base& base) {
    SYNCLINE_ASSERT(!options.identity.cluster.is_nil() && options.identity.node_id != 0);
    std::unique_ptr<Replica> replica(new Replica(std::move(options), env, base));  // private
    SYNCLINE_CHECK(replica->recover(disk));
    return replica;
}

Result<void> Replica::recover(Disk& disk) {
    disk_ = &disk;
    SYNCLINE_CHECK(load_meta());
    SYNCLINE_TRY(log_, Log::open(disk, options_.log, env_.random, checkpoint_position_));
    SYNCLINE_CHECK(check_log_id());
    SYNCLINE_CHECK(replay());
    if (pending_barrier_) {
        // The checkpoint holds rows of an adopted snapshot; their barrier must stand behind it.
        if (log_->end() == checkpoint_position_) {
            append(RecordKind::barrier, encode_barrier(*pending_barrier_));
            base_position_ = log_->end();
        }
        pending_barrier_.reset();
    }
    bool native = group_->vv().entries().empty();
    for (const VersionVector::Entry& entry : group_->vv().entries()) {
        if (entry.first.node == actor_.node) {
            native = true;
            actor_.incarnation = std::max(actor_.incarnation, entry.first.incarnation);
        }
    }
    // Without a checkpoint nothing says whose rows they are; own events do.
    if (origin_.is_nil() && native) origin_ = options_.identity.node;
    if (options_.new_incarnation) begin_incarnation();
    SYNCLINE_TRY(primary_backup_, PrimaryBackup::open(options_.primary_backup, options_.identity,
                                                      disk, group_->vv(), log_->end()));
    if (stable_cut_.on()) {
        group_->begin_noting_collectable();
        group_->begin_collection(stable_cut_.cut());
    }
    SYNCLINE_CHECK(open_membership(disk));
    // Older than what all have by now, perhaps: rows that came with a copied directory.
    if (origin_ != options_.identity.node && !membership_->on()) stable_cut_.begin_anew();
    checkpoint_ms_ = readers_checked_ms_ = env_.clock.steady_ms();
    stats_.last_checkpoint_ms = env_.clock.wall_ms();
    store_.end_turn();
    look_at_space();
    return {};
}

Result<void> Replica::replay() {
    Position position = checkpoint_position_;
    while (true) {
        SYNCLINE_TRY(const std::optional<LogRecord> record, log_->read(position));
        if (!record) break;
        position = record->next;
        if (static_cast<RecordKind>(record->kind) == RecordKind::barrier) {
            SYNCLINE_TRY(const VersionVector vv, decode_barrier(record->payload));
            if (group_->vv().covers(vv)) {
                base_position_ = record->next;  // the base holds what the barrier stands for
                continue;
            }
            return Error{Code::corrupt, "the log at " + std::to_string(record->position) +
                                            " rests on rows that the checkpoint does not hold"};
        }
        if (static_cast<RecordKind>(record->kind) == RecordKind::incarnation) {
            SYNCLINE_TRY(actor_.incarnation, decode_incarnation(record->payload));
            continue;
        }
        SYNCLINE_TRY(const Event event, decode_event(record->payload));
        SYNCLINE_CHECK(group_->apply(event, record->next));
        if (on_applied) on_applied(event, record->payload);
    }
    durable_vv_ = group_->vv();
    return {};
}

// --- Transactions

Result<void> Replica::execute(Client& client, const Operation& operation) {
    if (failure_) return *failure_;
    note_turn();
    (void)store_.take_seen();  // what earlier readers saw does not concern this client
    Transaction txn(*group_, actor_, env_.clock);
    SYNCLINE_TRY(Bytes bytes, operation(txn));
    Position required = 0;
    const bool wrote = !txn.empty();
    if (wrote) {
        SYNCLINE_TRY(required, apply_local(txn));
    }
    if (txn.saw_all()) required = log_->end();
    queue_reply(client, std::max(required, store_.take_seen()), wrote, std::move(bytes));
    return {};
}

Result<Position> Replica::read(const std::function<Result<void>(Transaction&)>& operation) {
    if (failure_) return *failure_;
    (void)store_.take_seen();  // what earlier readers saw does not concern this one
    Transaction txn(*group_, actor_, env_.clock);
    const Result<void> done = operation(txn);
    SYNCLINE_ASSERT(txn.empty());
    const Position seen = txn.saw_all() ? log_->end() : store_.take_seen();
    store_.end_turn();
    SYNCLINE_CHECK(done);
    return rests_on(seen);
}

Result<Position> Replica::apply_local(Transaction& txn) {
    if (primary_backup_->read_only()) return primary_backup_->read_only_error();
    SYNCLINE_CHECK(check_joined());
    SYNCLINE_TRY(const Event event, txn.finish(group_->clock().tick(env_.clock.wall_ms())));
    const Bytes bytes = encode_event(event);
    if (bytes.size() > limits::transaction_bytes_max) {
        return Error{Code::limit, "the transaction has more than " +
                                      std::to_string(limits::transaction_bytes_max) + " bytes"};
    }
    SYNCLINE_CHECK(check_space(txn.adds(), bytes.size()));
    const Position end = append(RecordKind::event, bytes);
    undurable_.back().dot = event.dot;
    if (const Result<void> applied = group_->apply(event, end); !applied) {
        fail(applied.error());
        return applied.error();
    }
    ++stats_.events_local;
    if (on_applied) on_applied(event, bytes);
    return end;
}

Result<void> Replica::apply_foreign(const Event& event, BytesView bytes) {
    if (membership_->is_quarantined(event.dot)) {
        return Error{Code::unauthorized, "transaction " + to_string(event.dot) +
                                             " is of a replica that is no member any more, and "
                                             "no member has it"};
    }
    // Checked before the log takes it: an event out of order must leave no trace.
    if (const Result<void> admitted = group_->admit(event); !admitted) {
        // Damaged rows that it would change are no fault of the event's.
        if (admitted.error().code == Code::causality) ++stats_.causality_errors;
        return admitted;
    }
    const Position end = append(RecordKind::event, bytes);
    undurable_.back().dot = event.dot;
    if (const Result<void> applied = group_->apply(event, end); !applied) {
        fail(applied.error());
        return applied.error();
    }
    ++stats_.events_applied;
    stats_.elements_removed_again = group_->elements_removed_again();
    if (on_applied) on_applied(event, bytes);
    return {};
}

Position Replica::append(RecordKind kind, BytesView payload) {
    const Position end = log_->append(static_cast<std::uint8_t>(kind), payload);
    undurable_.push_back(Undurable{end, Dot{}, std::nullopt});
    return end;
}

// --- Flushes

Position Replica::acknowledgeable() const {
    if (mutated(Mutation::reply_early)) return log_->end();
    return std::min(kept(), primary_backup_->released());
}

Position Replica::kept() const {
    // Until it is synced which incarnation this is, the next one could get the same names.
    const bool named = log_->durable() >= incarnation_end_;
    const bool written = options_.durability == Durability::interval && named;
    return written ? log_->written() : log_->durable();
}

void Replica::write_log() {
    if (failure_ || options_.durability == Durability::always) return;
    const Position before = log_->written();
    if (const Result<void> done = log_->write_buffered(flush_hold_); !done) {
        return fail(done.error());
    }
    if (log_->written() != before) release_replies();
}

bool Replica::sync_due() const {
    if (options_.durability == Durability::always) return true;
    // Somebody waits: a record that only a flush can write, a checkpoint, an adopted snapshot,
    // replies of a new incarnation.
    if (log_->durable() < incarnation_end_) return true;
    if (log_->needs_flush() || (prepared_ && log_->durable() < prepared_->position())) return true;
    if (flush_hold_ || snapshot_wanted_ || checkpoint_requested_ || sync_requested_) return true;
    const std::uint64_t interval =
        links_.empty() ? options_.sync_interval_ms
                       : std::min(options_.sync_interval_ms, limits::sync_interval_linked_ms);
    // Whoever asks does so now and then only, and the next time must not be too late.
    return env_.clock.steady_ms() - sync_ms_ >= interval - interval / 4;
}

std::optional<Log::Flush> Replica::begin_flush() {
    if (failure_ || !sync_due()) return std::nullopt;
    std::optional<Log::Flush> flush = log_->begin_flush(flush_hold_);
    if (!flush) {
        if (log_->short_of_space() && preparation_due()) flush = log_->begin_preparation();
        return flush;
    }
    sync_ms_ = env_.clock.steady_ms();
    sync_requested_ = false;
    return flush;
}

void Replica::finish_flush(const Log::Flush& flush, const Result<void>& result) {
    flush_waits_.reset();
    if (!result) return fail(result.error());
    log_->finish_flush(flush);
    advance_durable();
}

void Replica::advance_durable() {
    const Position durable = log_->durable();
    while (!undurable_.empty() && undurable_.front().end <= durable) {
        const Undurable& record = undurable_.front();
        if (record.barrier) {
            durable_vv_.join(*record.barrier);
        } else if (record.dot.counter > 0) {
            durable_vv_.add(record.dot);
        }
        primary_backup_->record_durable(record.end, record.dot, record.barrier);
        undurable_.pop_front();
    }
    release_replies();
    for (auto& [id, link] : links_) link->on_durable();
}

Committed Replica::committed() {
    drive_waiting();
    store_.end_turn();
    act_on_space();
    if (turn_began_ms_) {
        const std::uint64_t took_ms = env_.clock.steady_ms() - *turn_began_ms_;
        turn_began_ms_.reset();
        stats_.turn_ms = took_ms;
        stats_.turn_ms_max = std::max(stats_.turn_ms_max, took_ms);
        if (took_ms > limits::turn_ms_max) {
            ++stats_.turns_long;
            syncline::log(LogLevel::warning, "turn.long", {{"ms", std::to_string(took_ms)}});
        }
    }
    for (auto& [id, link] : links_) link->end_turn();
    publications_.clear();
    Committed out;
    std::swap(out, outbox_);
    return out;
}

// --- Links

void Replica::link_up(LinkId link, const Uuid& peer, Carrier carrier) {
    const auto [it, inserted] =
        links_.emplace(link, std::make_unique<Link>(*this, link, peer, carrier));
    SYNCLINE_ASSERT(inserted);
    it->second->start();
}

void Replica::link_down(LinkId link) {
    drop_sessions_of(link);
    links_.erase(link);
    if (session_wanted_ == link) session_wanted_.reset();
}

void Replica::receive(LinkId link_id, std::uint8_t type, BytesView payload) {
    Link* const link = find(link_id);
    if (link == nullptr || link->given_up() || failure_) return;
    note_turn();
    const Result<Message> message = decode_message(type, payload);
    if (!message) return close(link_id, message.error());
    const MessageType kind = message_type(*message);
    Result<void> received;
    const bool of_session = kind >= MessageType::session_open && kind <= MessageType::session_close;
    if (!of_session) {
        received = link->receive(*message);
    } else if (link->admitted()) {
        const std::size_t metadata_bytes = kind == MessageType::session_rows ? 0 : payload.size();
        if (comparison_active() && comparing_->link == link_id) {
            comparing_->metadata_bytes += metadata_bytes;
        }
        received = receive_session(link_id, *message);
        stats_.session_metadata_bytes += metadata_bytes;
        ++stats_.session_messages;
    }
    if (!received && !failure_) close(link_id, received.error());
}

void Replica::tick() {
    if (failure_) return;
    note_turn();
    drive_promotion();
    drive_membership();
    drive_sessions();
    for (auto& [id, link] : links_) link->tick();
    expire_keys();
    collect();
    drive_scrub();
    drive_repair();
    trim_old_log();
}

Outgoing outgoing(LinkId link, const Message& message) {
    return Outgoing{link, static_cast<std::uint8_t>(message_type(message)),
                    encode_message(message)};
}

std::size_t Replica::send(LinkId link, std::uint8_t type, Bytes payload) {
    WireMessage message{type, std::move(payload)};
    if (Link* const to = find(link)) to->compress(message);
    const std::size_t bytes = message.payload.size();
    outbox_.messages.push_back(Outgoing{link, message.type, std::move(message.payload)});
    return bytes;
}

std::size_t Replica::send(LinkId link, const Message& message) {
    Outgoing encoded = outgoing(link, message);
    return send(link, encoded.type, std::move(encoded.payload));
}

void Replica::close(LinkId link, Error error) {
    syncline::log(LogLevel::warning, "peer.closed",
                  {{"reason", error.message}, {"code", std::string(code_name(error.code))}});
    if (Link* const closed = find(link)) closed->give_up();
    outbox_.closed.emplace_back(link, std::move(error));
}

Link* Replica::find(LinkId link) {
    const auto found = links_.find(link);
    return found == links_.end() ? nullptr : found->second.get();
}

std::vector<PeerStatus> Replica::peers() const {
    std::vector<PeerStatus> peers;
    for (const auto& [id, link] : links_) peers.push_back(link->status());
    return peers;
}

void Replica::check_rollback(const VersionVector& peer_vv) {
    const std::uint64_t mine = group_->vv().counter(actor_);
    std::uint32_t latest = actor_.incarnation;
    for (const auto& [actor, counter] : peer_vv.entries()) {
        if (actor.node == actor_.node) latest = std::max(latest, actor.incarnation);
    }
    if (peer_vv.counter(actor_) <= mine && latest == actor_.incarnation) return;
    syncline::log(LogLevel::error, "identity.rolled_back",
                  {{"actor", to_string(actor_)},
                   {"own_counter", std::to_string(mine)},
                   {"peer_counter", std::to_string(peer_vv.counter(actor_))}});
    actor_.incarnation = latest;  // the next one must be new to the peer, too
    begin_incarnation();
}

/// In the log before any event of it, and synced before any reply: whatever is lost of the log, a
/// name that others may know of is never used again.
void Replica::begin_incarnation() {
    ++actor_.incarnation;
    incarnation_end_ = append(RecordKind::incarnation, encode_incarnation(actor_.incarnation));
    syncline::log(LogLevel::warning, "identity.new_incarnation", {{"actor", to_string(actor_)}});
}

void Replica::check_settled(const Uuid& peer, const Ack& ack) {
    if (!group_->damaged().empty()) return;  // there is an alarm already
    if (!ack.settled || !undurable_.empty() || ack.vv != group_->vv()) return;
    if (!group_->collected() || ack.cut != stable_cut_.cut()) return;  // rows may differ by that
    const LeafSum mine = group_->leaf_sums().root();
    if (mine.sum == ack.root && mine.count == ack.rows) return;
    ++stats_.divergence_alarms;
    syncline::log(LogLevel::error, "replica.diverged",
                  {{"peer", to_string(peer)},
                   {"vv", to_string(ack.vv)},
                   {"root", to_hex(mine.sum)},
                   {"peer_root", to_hex(ack.root)}});
}

void Replica::fail(const Error& error) {
    if (failure_) return;
    failure_ = error;
    syncline::log(LogLevel::error, "replica.failed",
                  {{"code", std::string(code_name(error.code))}, {"reason", error.message}});
}

bool Replica::busy(Position position) const {
    return log_->durable() < position || checkpointing_ || snapshot_wanted_ || flush_hold_ ||
           (session_wanted_ && !pulling_);
}

/// Reads share one view of the base from the first of a turn to its end: how long that takes is
/// watched, because pages freed meanwhile cannot be used again.
void Replica::note_turn() {
    if (!turn_began_ms_) turn_began_ms_ = env_.clock.steady_ms();
}

}  // namespace syncline
