#pragma once
#include <optional>
#include <string>

#include "core/engine/event_head.hpp"
#include "core/engine/replica.hpp"
#include "core/protocol/message.hpp"

namespace syncline {

/// One connection to a peer, both directions of it: streams the own log to the peer, and consumes
/// the peer's log.
///
/// Happy path: HELLO both ways; the consumer PULLs from its cursor; the sender streams BATCHes, in
/// log order, which is causal order; the consumer applies whole transactions, ACKs what is durable.
/// Failures: a lost, repeated or reordered BATCH shows in its positions, and the consumer pulls
/// again; a log that does not reach back, or a BARRIER that is not covered, needs a Merkle session;
/// a transaction from the far future pauses consumption; damaged bytes close the link.
/// Nothing is ever skipped. Confined to one thread.
class Link {
public:
    Link(Replica& replica, LinkId id, const Uuid& peer, Carrier carrier);

    void start();
    Result<void> receive(const Message& message);
    void tick();
    /// More of the log is durable: stream it, acknowledge what it holds.
    void on_durable();
    /// A long message is on its way: what was asked for need not be asked for again, be it that
    /// message or behind it.
    void note_transfer();
    /// Pulls from the cursor, or asks for a session when the peer's log does not reach back.
    void pull();
    /// A Merkle session ended: consumption goes on.
    void resume();

    [[nodiscard]] LinkId id() const { return id_; }
    [[nodiscard]] const Uuid& peer() const { return peer_; }
    /// Whoever carries it closes it soon. What comes until then may rest on what was not taken in,
    /// or be it once more, and what it is relative to has changed: nothing is read any more.
    void give_up() { given_up_ = true; }
    [[nodiscard]] bool given_up() const { return given_up_; }
    [[nodiscard]] bool by_hand() const { return carrier_ == Carrier::hand; }
    [[nodiscard]] bool ready() const { return hello_.has_value(); }
    /// Precondition: ready().
    [[nodiscard]] std::uint64_t peer_log_id() const { return hello_->log_id; }
    /// The own term changed, or held events may go: what came before counts no more.
    void on_term();
    /// The membership record changed: what came before counts no more, and the peer is told.
    void on_membership();
    /// What this replica's acceptor or proposer has to say.
    void send_letter(const Message& message);
    /// The peer as it describes itself. Precondition: ready().
    [[nodiscard]] ClusterMember as_member() const;
    /// Asks the peer for its vote.
    void request_vote(const Term& wanted);
    /// The peer is in the own term, and both are members: events may go both ways.
    [[nodiscard]] bool admitted() const;
    /// The peer knows publications, and both are members.
    [[nodiscard]] bool takes_publications() const;
    /// Sends an encoded Publication. False: the peer was sent enough of them in this turn.
    [[nodiscard]] bool offer_publication(const Bytes& payload);
    void end_turn() { publications_bytes_ = 0; }
    /// Before a message goes out, if the peer takes it so.
    void compress(WireMessage& message);
    [[nodiscard]] PeerStatus status() const;
    [[nodiscard]] std::string describe() const;

private:
    struct Stream {  // what the peer pulled
        std::uint64_t generation = 0;
        Position sent = 0;   // everything before it went out, or was not needed
        Position read = 0;   // read this far, sent <= read
        Position acked = 0;  // the peer has consumed this far, acked <= sent
        EventHeads heads;    // of the events that were sent
    };

    Result<void> on_hello(const Hello& hello);
    Result<void> on_pull(const Pull& pull);
    Result<void> on_batch(const LogBatch& batch);
    Result<void> on_ack(const Ack& ack);
    Result<void> on_vote_request(const VoteRequest& request);
    Result<void> on_vote(const Vote& vote);
    /// The peer says which term it is in.
    void on_peer_term(const TermId& id);
    Result<void> on_term_notice(const Term& term);
    Result<void> on_membership_message(const Message& message);
    /// The peer says which membership record it knows; it gets a newer one.
    void on_peer_epoch(std::uint64_t epoch);
    void send_term();
    /// What was streamed and pulled counts no more.
    void begin_anew();
    Result<bool> consume(const LogBatch::Item& item);
    Result<bool> consume_event(BytesView shortened);
    Result<void> stream();
    [[nodiscard]] bool may_stream() const;
    void send(const Message& message);
    void send_hello();
    void send_sync_needed(std::uint64_t generation);
    void send_ack();
    void acknowledge();
    [[nodiscard]] std::uint64_t stall_patience_ms() const;

    Replica& replica_;
    LinkId id_;
    Uuid peer_;
    Carrier carrier_;
    std::optional<Hello> hello_;
    TermId peer_term_;
    std::uint64_t peer_epoch_ = 0;
    std::uint64_t told_epoch_ = 0;  // what it was told last,
    std::uint64_t told_ms_ = 0;     // and when
    bool confirmed_ = false;        // the peer has our HELLO
    bool given_up_ = false;
    std::uint64_t hello_ms_ = 0;

    // As sender.
    VersionVector peer_vv_;  // what the peer is known to have or to get: never sent again
    VersionVector peer_durable_vv_;
    std::optional<Stream> stream_;
    std::uint64_t pulled_ = 0;      // the last generation: each has one stream at most
    std::optional<Pull> unserved_;  // came while no events may go
    Compressor compressor_;
    std::size_t publications_bytes_ = 0;  // that were sent in this turn

    // As consumer.
    std::uint64_t generation_ = 0;
    EventHeads heads_;  // of the events that this generation brought
    bool pulling_ = false;
    bool paused_ = false;  // a session, or a clock: pull again later
    Position expected_ = 0;
    std::uint64_t progress_ms_ = 0;
    unsigned stalls_ = 0;  // pulls since the last progress, because there was none
    std::uint64_t paused_ms_ = 0;
    bool ack_due_ = false;
    Position ack_first_ = 0;  // due when the own log is durable up to here,
    Position ack_last_ = 0;   // and again up to here
    std::uint64_t ack_ms_ = 0;
    std::uint64_t heard_ms_ = 0;  // the last ACK
    /// What was here when the link began. An ACK names nothing, and no epoch, before all of it is
    /// durable: the peer may just have struck a replica, and concludes that no more of that one is
    /// here.
    VersionVector held_vv_;
};

}  // namespace syncline
