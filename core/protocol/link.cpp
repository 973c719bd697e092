#include "core/protocol/link.hpp"

#include <algorithm>
#include <utility>

#include "core/base/log.hpp"
#include "core/base/mutation.hpp"

namespace syncline {
namespace {

/// Consumption that makes no progress although the peer has more is started again after this; when
/// it has been so often in vain, after twice as long each time, since what was asked for may be on
/// its way: a peer needs long to read and pack a large transaction.
constexpr std::uint64_t stall_ms = 1000;
constexpr unsigned stalls_at_once = 2;
constexpr unsigned stall_doublings_max = 3;
/// Skipped log that the consumer is told about even though it holds nothing for it.
constexpr std::uint64_t silent_bytes_max = 64 * limits::kib;

}  // namespace

Link::Link(Replica& replica, LinkId id, const Uuid& peer, Carrier carrier)
    : replica_(replica), id_(id), peer_(peer), carrier_(carrier) {}

void Link::start() {
    send_hello();
}

void Link::send(const Message& message) {
    replica_.send(id_, message);
}

void Link::compress(WireMessage& message) {
    if (!hello_ || !hello_->takes_compressed) return;
    const std::size_t bytes = message.payload.size();
    const std::size_t bytes_min = replica_.options_.compressed_bytes_min;
    if (!syncline::compress(message, compressor_, bytes_min)) return;
    ++replica_.stats_.messages_compressed;
    replica_.stats_.compressible_bytes += bytes;
    replica_.stats_.compressed_bytes += message.payload.size();
}

void Link::send_hello() {
    Hello hello;
    hello.cluster = replica_.options_.identity.cluster;
    hello.node = replica_.options_.identity.node;
    hello.actor = replica_.actor_;
    hello.vv = replica_.durable_vv_;
    hello.log_id = replica_.log_->id();
    hello.log_base = replica_.log_from();
    hello.base_vv = replica_.base_vv();
    hello.leaf_bits = replica_.options_.leaf_bits;
    const PrimaryBackup& mode = *replica_.primary_backup_;
    hello.mode = mode.options().mode;
    hello.term = mode.term();
    hello.name = replica_.options_.identity.name;
    hello.client_address = mode.options().client_address;
    hello.replicas = replica_.stable_cut_.replicas();
    hello.policies = replica_.options_.policies;
    hello.cut = replica_.stable_cut_.cut();
    hello.epoch = replica_.membership_->epoch();
    hello.takes_publications = carrier_ == Carrier::connection;
    const Membership::Standing standing = replica_.membership_->standing();
    const bool trusted =
        standing != Membership::Standing::former && standing != Membership::Standing::applicant;
    if (replica_.options_.serves_copies && trusted) {
        hello.copied_rows = replica_.group_->leaf_sums().root().count;
        hello.copied_bytes = replica_.space_.use().base.used_bytes();
    }
    hello_ms_ = replica_.env_.clock.steady_ms();
    send(hello);
}

void Link::send_sync_needed(std::uint64_t generation) {
    send(SyncNeeded{generation, replica_.log_from(), replica_.base_vv()});
}

void Link::send_ack() {
    const Group& group = *replica_.group_;
    Ack ack;
    ack.term = replica_.primary_backup_->term().id;
    ack.generation = pulling_ ? generation_ : 0;
    ack.position = expected_;
    if (replica_.durable_vv_.covers(held_vv_)) {
        held_vv_ = {};
        ack.vv = replica_.durable_vv_;
        ack.epoch = replica_.reported_epoch();
    }
    if (mutated(Mutation::ack_early)) ack.vv = group.vv();
    ack.settled =
        replica_.durable_vv_ == group.vv() && group.collected() && group.damaged().empty();
    ack.cut = replica_.stable_cut_.cut();
    ack.root = group.leaf_sums().root().sum;
    ack.rows = group.leaf_sums().root().count;
    ack.hlc = replica_.group_->clock().last();
    ack_ms_ = replica_.env_.clock.steady_ms();
    send(ack);
}

Result<void> Link::receive(const Message& message) {
    if (const auto* hello = std::get_if<Hello>(&message)) return on_hello(*hello);
    confirmed_ = true;
    if (!hello_) return {};  // reordered before the HELLO, which is repeated
    if (const auto* pull_message = std::get_if<Pull>(&message)) return on_pull(*pull_message);
    if (const auto* batch = std::get_if<LogBatch>(&message)) return on_batch(*batch);
    if (const auto* ack = std::get_if<Ack>(&message)) return on_ack(*ack);
    if (const auto* notice = std::get_if<TermNotice>(&message)) return on_term_notice(notice->term);
    if (const auto* request = std::get_if<VoteRequest>(&message)) return on_vote_request(*request);
    if (const auto* vote = std::get_if<Vote>(&message)) return on_vote(*vote);
    if (const auto* needed = std::get_if<SyncNeeded>(&message)) {
        if (needed->generation == generation_) {
            hello_->log_base = needed->log_base;
            hello_->base_vv = needed->base_vv;
            pull();
        }
        return {};
    }
    if (const auto* publication = std::get_if<Publication>(&message)) {
        if (takes_publications()) replica_.take_publication(id_, *publication);
        return {};
    }
    return on_membership_message(message);
}

Result<void> Link::on_hello(const Hello& hello) {
    const Identity& me = replica_.options_.identity;
    if (hello.node != peer_) return Error{Code::unauthorized, "HELLO names another node"};
    if (hello.cluster != me.cluster) {
        return Error{Code::unauthorized, "the peer belongs to another cluster"};
    }
    if (hello.leaf_bits != replica_.options_.leaf_bits) {
        return Error{Code::version,
                     "the peer's Merkle tree has 2^" + std::to_string(hello.leaf_bits) + " leaves"};
    }
    const ReplicationMode mode = replica_.primary_backup_->options().mode;
    if (hello.mode != mode) {
        return Error{Code::version, "the peer is in mode " + to_string(hello.mode) + " (term " +
                                        std::to_string(hello.term.id.number) +
                                        "), this replica in mode " + to_string(mode) +
                                        ": all replicas need the same --replication"};
    }
    if (hello_) return {};  // repeated
    SYNCLINE_CHECK(replica_.meet(peer_, hello));
    held_vv_ = replica_.group_->vv();
    hello_ = hello;
    peer_vv_.join(hello.vv);
    peer_durable_vv_ = hello.vv;
    replica_.check_rollback(hello.vv);
    SYNCLINE_CHECK(replica_.introduce({peer_, hello.name, hello.client_address}));
    SYNCLINE_CHECK(on_term_notice(hello.term));
    replica_.membership_->hear(hello.epoch);
    on_peer_epoch(hello.epoch);
    if (!pulling_) pull();
    return {};
}

void Link::pull() {
    if (!hello_ || !admitted()) return;
    const auto cursor = replica_.cursors_.find(peer_);
    const bool known = cursor != replica_.cursors_.end() &&
                       cursor->second.log_id == hello_->log_id &&
                       cursor->second.position >= hello_->log_base;
    if (!known && !replica_.group_->vv().covers(hello_->base_vv)) {
        pulling_ = false;
        replica_.request_session(id_);
        return;
    }
    expected_ = known ? cursor->second.position : hello_->log_base;
    pulling_ = true;
    paused_ = false;
    progress_ms_ = replica_.env_.clock.steady_ms();
    heads_ = EventHeads();
    send(Pull{++generation_, hello_->log_id, expected_});
}

void Link::resume() {
    if (paused_ || !pulling_) pull();
}

// --- Consumer

Result<void> Link::on_batch(const LogBatch& batch) {
    const bool fenced = batch.term != replica_.primary_backup_->term().id;
    if (fenced && !mutated(Mutation::no_fence)) {
        ++replica_.stats_.batches_refused;
        on_peer_term(batch.term);
        return {};
    }
    if (!admitted() || !pulling_ || paused_ || batch.generation != generation_) return {};
    const std::uint64_t now = replica_.env_.clock.steady_ms();
    if (batch.from != expected_ && !(batch.from > expected_ && mutated(Mutation::skip_gap))) {
        // One before this was lost or comes later; a repeated one needs nothing.
        if (batch.from > expected_ && now - progress_ms_ > limits::heartbeat_ms) pull();
        return {};
    }
    if (replica_.session_active() && !mutated(Mutation::no_defer)) {
        // What the session's peer knows must not arrive by another way while it is compared.
        paused_ = true;
        return {};
    }
    // Its events are counted generously: they are shortened here.
    std::size_t batch_bytes = 0;
    for (const LogBatch::Item& item : batch.items) batch_bytes += 2 * item.payload.size() + 64;
    if (replica_.overlay_full() || replica_.exhausted(batch_bytes)) {
        paused_ = true;
        paused_ms_ = now;
        return {};
    }
    ++replica_.stats_.batches_received;
    for (const LogBatch::Item& item : batch.items) {
        SYNCLINE_TRY(const bool consumed, consume(item));
        if (consumed) continue;
        paused_ = true;
        paused_ms_ = now;
        return {};
    }
    expected_ = batch.to;
    progress_ms_ = replica_.env_.clock.steady_ms();  // to apply it may have taken long
    stalls_ = 0;
    replica_.cursors_[peer_] = Replica::Cursor{hello_->log_id, expected_};
    ack_last_ = replica_.log_->end();
    if (!ack_due_) ack_first_ = ack_last_;
    ack_due_ = true;
    acknowledge();
    return {};
}

/// One ACK as soon as the first consumed batch is durable, another when all are. None while this
/// replica stands for a term: what became durable since is not in what the term begins with, and
/// must not be confirmed to the primary before.
void Link::acknowledge() {
    const Position durable = replica_.log_->durable();
    if (!ack_due_ || durable < ack_first_ || replica_.primary_backup_->standing()) return;
    send_ack();
    ack_due_ = durable < ack_last_;
    ack_first_ = ack_last_;
}

/// False: cannot go on now.
Result<bool> Link::consume(const LogBatch::Item& item) {
    switch (static_cast<RecordKind>(item.kind)) {
        case RecordKind::event:
            return consume_event(item.payload);
        case RecordKind::barrier: {
            SYNCLINE_TRY(const VersionVector vv, decode_barrier(item.payload));
            if (replica_.group_->vv().covers(vv) || mutated(Mutation::barrier_passed)) return true;
            // What follows may rest on events that never were in this log.
            replica_.request_session(id_);
            return false;
        }
        case RecordKind::incarnation:
            break;  // never sent
    }
    return Error{Code::version, "unknown kind of log record " + std::to_string(item.kind)};
}

Result<bool> Link::consume_event(BytesView shortened) {
    SYNCLINE_TRY(const Bytes bytes, heads_.restore(shortened));
    SYNCLINE_TRY(const Dot dot, peek_dot(bytes));
    if (replica_.group_->vv().covers(dot)) {
        peer_vv_.add(dot);
        ++replica_.stats_.events_duplicate;
        return true;
    }
    SYNCLINE_TRY(const Event event, decode_event(bytes));
    const std::uint64_t now = replica_.env_.clock.wall_ms();
    if (event.hlc.ms() > now + limits::clock_offset_ms_max) {
        ++replica_.stats_.clock_pauses;
        log(LogLevel::warning, "peer.clock_ahead",
            {{"peer", to_string(peer_)},
             {"event", to_string(dot)},
             {"ahead_ms", std::to_string(event.hlc.ms() - now)}});
        return false;
    }
    const Result<void> applied = replica_.apply_foreign(event, bytes);
    if (!applied && applied.error().code == Code::unavailable) {
        log(LogLevel::info, "peer.waits",
            {{"peer", to_string(peer_)},
             {"event", to_string(dot)},
             {"reason", applied.error().message}});
        return false;
    }
    SYNCLINE_CHECK(applied);
    peer_vv_.add(dot);
    return true;
}

// --- Sender

Result<void> Link::on_pull(const Pull& request) {
    const Log& log = *replica_.log_;
    if (request.generation <= pulled_) return {};
    if (unserved_ && request.generation < unserved_->generation) return {};
    if (!may_stream()) {
        unserved_ = request;
        return {};
    }
    unserved_.reset();
    pulled_ = request.generation;
    if (request.log_id != log.id() || request.position < replica_.log_from() ||
        request.position > log.durable()) {
        stream_.reset();
        send_sync_needed(request.generation);
        return {};
    }
    stream_ = Stream{request.generation, request.position, request.position, request.position, {}};
    return stream();
}

bool Link::may_stream() const {
    return admitted() && !replica_.primary_backup_->holds_suffix();
}

Result<void> Link::stream() {
    Log& log = *replica_.log_;
    while (stream_ && stream_->sent - stream_->acked < limits::link_window_bytes) {
        if (stream_->read < replica_.log_from()) {
            send_sync_needed(stream_->generation);
            stream_.reset();
            break;
        }
        LogBatch batch{replica_.primary_backup_->term().id,
                       stream_->generation,
                       stream_->sent,
                       stream_->sent,
                       {}};
        std::size_t bytes = 0;
        while (bytes < replica_.options_.batch_bytes_target && stream_->read < log.durable()) {
            Result<std::optional<LogRecord>> found = log.read(stream_->read);
            if (!found && found.error().code == Code::corrupt) {
                replica_.give_up_log(found.error());
                return stream();
            }
            SYNCLINE_TRY(std::optional<LogRecord> record, std::move(found));
            if (!record) break;
            stream_->read = record->next;
            if (static_cast<RecordKind>(record->kind) == RecordKind::incarnation) continue;
            if (static_cast<RecordKind>(record->kind) == RecordKind::event) {
                SYNCLINE_TRY(const Dot dot, peek_dot(record->payload));
                if (peer_vv_.covers(dot)) continue;
            }
            if (bytes + record->payload.size() > limits::batch_bytes_max && bytes > 0) {
                stream_->read = record->position;
                break;
            }
            if (static_cast<RecordKind>(record->kind) == RecordKind::event) {
                SYNCLINE_TRY(record->payload, stream_->heads.shorten(record->payload));
            }
            bytes += record->payload.size();
            batch.items.push_back(LogBatch::Item{record->kind, std::move(record->payload)});
        }
        if (batch.items.empty() && stream_->read - stream_->sent < silent_bytes_max) break;
        batch.to = stream_->read;
        stream_->sent = batch.to;
        ++replica_.stats_.batches_sent;
        send(std::move(batch));
    }
    return {};
}

Result<void> Link::on_ack(const Ack& ack) {
    heard_ms_ = replica_.env_.clock.steady_ms();
    peer_vv_.join(ack.vv);
    peer_durable_vv_.join(ack.vv);
    on_peer_term(ack.term);
    on_peer_epoch(ack.epoch);
    if (admitted()) {
        replica_.peer_durable(peer_, peer_durable_vv_);
        replica_.note_report(peer_, ack.epoch, ack.vv);
        if (ack.settled && replica_.group_->vv().covers(ack.vv)) replica_.take_cut(ack.cut);
        replica_.check_settled(peer_, ack);
    }
    if (stream_ && ack.generation == stream_->generation && ack.position <= stream_->sent) {
        stream_->acked = std::max(stream_->acked, ack.position);
    }
    return stream();
}

void Link::on_durable() {
    if (!ready()) return;
    if (const Result<void> streamed = stream(); !streamed) {
        replica_.close(id_, streamed.error());
        return;
    }
    acknowledge();
}

void Link::tick() {
    const std::uint64_t now = replica_.env_.clock.steady_ms();
    if (carrier_ == Carrier::hand) {
        // Nothing is lost and nothing is late, so that nothing is repeated.
        const bool waits = ready() && paused_ && !replica_.session_active();
        if (waits && now - paused_ms_ > stall_ms) pull();
        return;
    }
    if (!confirmed_ && now - hello_ms_ >= limits::heartbeat_ms) send_hello();
    if (!ready()) return;
    const bool standing = replica_.primary_backup_->standing();
    if (now - ack_ms_ >= limits::heartbeat_ms && !standing) send_ack();
    if (unserved_ && may_stream()) {
        if (const Result<void> served = on_pull(Pull(*unserved_)); !served) {
            return replica_.close(id_, served.error());
        }
    }
    if (replica_.session_active() || !admitted()) return;
    const bool behind = !replica_.group_->vv().covers(peer_durable_vv_);
    if (!behind) stalls_ = 0;
    if (paused_) {
        if (now - paused_ms_ > stall_ms) pull();
    } else if (behind && now - progress_ms_ > stall_patience_ms()) {
        ++stalls_;
        pull();
    }
}

std::uint64_t Link::stall_patience_ms() const {
    if (stalls_ < stalls_at_once) return stall_ms;
    return stall_ms << std::min(stalls_ + 1 - stalls_at_once, stall_doublings_max);
}

void Link::note_transfer() {
    progress_ms_ = replica_.env_.clock.steady_ms();
}

// --- Publications

/// Terms are no matter: they say who may write.
bool Link::takes_publications() const {
    return ready() && !given_up_ && carrier_ == Carrier::connection && hello_->takes_publications &&
           replica_.membership_->admits(peer_);
}

bool Link::offer_publication(const Bytes& payload) {
    if (publications_bytes_ > limits::publication_backlog_bytes_max) return false;
    publications_bytes_ += payload.size();
    replica_.send(id_, static_cast<std::uint8_t>(MessageType::publication), payload);
    return true;
}

// --- Terms

bool Link::admitted() const {
    return ready() && replica_.primary_backup_->admits(peer_term_) &&
           replica_.membership_->admits(peer_);
}

void Link::send_term() {
    send(TermNotice{replica_.primary_backup_->term()});
}

void Link::request_vote(const Term& wanted) {
    if (ready()) send(VoteRequest{wanted});
}

/// Whoever is behind gets the term as a whole; both sides find out who that is.
void Link::on_peer_term(const TermId& id) {
    peer_term_ = id;
    const PrimaryBackup& mode = *replica_.primary_backup_;
    if (mode.on() && !mode.stands_for(id) && id != mode.term().id) send_term();
}

Result<void> Link::on_term_notice(const Term& term) {
    const TermId own = replica_.primary_backup_->term().id;
    if (replica_.primary_backup_->on() && term.id > own &&
        !replica_.primary_backup_->stands_for(term.id)) {
        peer_term_ = term.id;
        return replica_.adopt_term(term);
    }
    const bool before = admitted();
    peer_term_ = term.id;
    if (term.id < own) {
        send_term();
    } else if (!before && admitted()) {
        pull();
    }
    return {};
}

Result<void> Link::on_vote_request(const VoteRequest& request) {
    SYNCLINE_TRY(const bool granted, replica_.vote(request.term));
    // The peer is in that term when it says so: it may still fail to find a majority.
    send(Vote{request.term.id, granted});
    return {};
}

Result<void> Link::on_vote(const Vote& vote) {
    return replica_.count_vote(peer_, vote);
}

void Link::on_term() {
    if (!ready()) return;
    send_term();
    begin_anew();
}

void Link::begin_anew() {
    stream_.reset();
    pulling_ = false;
    paused_ = false;
    stalls_ = 0;
    pull();
}

// --- Membership

void Link::send_letter(const Message& message) {
    if (ready() && hello_->version >= protocol_version_membership) send(message);
}

ClusterMember Link::as_member() const {
    return ClusterMember{peer_, hello_->name, hello_->client_address, MemberState::active};
}

/// Repeated as long as the peer shows an older one, and not with each of its messages.
void Link::on_peer_epoch(std::uint64_t epoch) {
    peer_epoch_ = epoch;
    Membership& membership = *replica_.membership_;
    if (epoch >= membership.epoch()) return membership.note_known(peer_);
    const std::uint64_t now = replica_.env_.clock.steady_ms();
    if (told_epoch_ == membership.epoch() && now - told_ms_ < limits::heartbeat_ms / 2) return;
    told_epoch_ = membership.epoch();
    told_ms_ = now;
    send_letter(MembershipNotice{membership.record()});
}

Result<void> Link::on_membership_message(const Message& message) {
    Membership& membership = *replica_.membership_;
    const std::uint64_t now = replica_.env_.clock.steady_ms();
    if (const auto* notice = std::get_if<MembershipNotice>(&message)) {
        peer_epoch_ = std::max(peer_epoch_, notice->record.epoch);
        return replica_.follow(membership.learn(notice->record));
    }
    if (const auto* prepare = std::get_if<Prepare>(&message)) {
        const Result<Promise> promise = membership.on_prepare(*prepare);
        if (promise) send_letter(*promise);
        return replica_.follow(promise);
    }
    if (const auto* accept = std::get_if<Accept>(&message)) {
        const Result<Accepted> accepted = membership.on_accept(*accept, replica_.met());
        if (accepted) send_letter(*accepted);
        return replica_.follow(accepted);
    }
    if (const auto* promise = std::get_if<Promise>(&message)) {
        on_peer_epoch(promise->epoch);
        return replica_.follow(membership.on_promise(peer_, *promise, now));
    }
    if (const auto* accepted = std::get_if<Accepted>(&message)) {
        on_peer_epoch(accepted->epoch);
        return replica_.follow(membership.on_accepted(peer_, *accepted, now));
    }
    return {};
}

void Link::on_membership() {
    if (!ready()) return;
    const Result<void> welcome = replica_.membership_->check_peer(peer_, peer_vv_);
    if (!welcome) return replica_.close(id_, welcome.error());
    on_peer_epoch(peer_epoch_);
    begin_anew();
}

PeerStatus Link::status() const {
    PeerStatus status;
    status.link = id_;
    status.uuid = peer_;
    status.ready = ready();
    status.term = peer_term_.number;
    status.admitted = admitted();
    status.heard_ms = heard_ms_;
    if (hello_) status.actor = hello_->actor;
    status.vv = peer_durable_vv_;
    if (stream_) {
        status.sent_position = stream_->sent;
        status.acked_position = stream_->acked;
    }
    status.describe = describe();
    return status;
}

std::string Link::describe() const {
    if (!ready()) return "greeting";
    if (!replica_.membership_->admits(peer_)) return "not of the cluster's members";
    if (!admitted()) return "in another term";
    std::string text = paused_ ? "paused" : pulling_ ? "pulling" : "waiting for a session";
    text += " at " + std::to_string(expected_);
    if (stream_) {
        text += ", sent " + std::to_string(stream_->sent) + ", acknowledged " +
                std::to_string(stream_->acked);
    }
    return text;
}

}  // namespace syncline
