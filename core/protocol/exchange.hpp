#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/replica.hpp"
#include "core/protocol/message.hpp"

namespace syncline {

/// A message between two replicas that a person or a program carries: what would be frames on a
/// connection, with who speaks. Layout in net/PROTOCOL.md.
struct CarriedMessage {
    Uuid cluster;  ///< nil: of none yet
    Uuid node;
    std::uint64_t epoch = 0;     ///< of the sender's side of the exchange; grows with each restart
    std::uint64_t sequence = 0;  ///< counts the messages of the epoch, from 0
    std::uint64_t heard = 0;     ///< the receiver's epoch, as the sender knows it; 0: not yet
    std::uint64_t restart_above = 0;  ///< not 0: "begin again, with an epoch above this"
    std::vector<WireMessage> frames;

    bool operator==(const CarriedMessage&) const = default;
};
Bytes encode_carried(const CarriedMessage& message);
/// Errors: corrupt (damaged or cut), version.
Result<CarriedMessage> decode_carried(BytesView bytes);

/// All exchanges of carried messages of one replica, by the names that the caller gave the peers.
///
/// An exchange is a connection made of messages: in order within an epoch, and begun anew when one
/// is missing. Happy path: both sides' first messages tell who they are; each side brings up its
/// link when it knows the other; then frames flow until there are none.
/// Failures: a message of an older epoch, or seen before, is ignored; a gap asks the peer to begin
/// a new epoch, and so does a first message that is missing; who learns of a new epoch begins its
/// link anew; frames that answer an older epoch of this side are dropped. A message lost at the end
/// of an exchange is noticed by nobody: restart() begins anew.
/// Confined to one thread.
class Exchanges {
public:
    explicit Exchanges(Env env) : env_(env) {}

    /// Links of exchanges have these numbers, those of connections smaller ones.
    static bool owns(LinkId link) { return link >= first_link; }

    /// Takes one in. `replica` null: of no cluster yet. The clusters have been compared.
    /// Errors: invalid_argument (the name stands for another node); limit (too many names).
    Result<void> receive(const std::string& peer, const CarriedMessage& message, Replica* replica);
    /// Brings up the link if both sides are known by now. Before the replica's turn ends.
    /// Error limit (too many names).
    Result<void> prepare(const std::string& peer, Replica* replica);
    /// The next message, if there is anything to tell.
    std::optional<Bytes> next(const std::string& peer, const Identity& self);
    void restart(const std::string& peer, Replica* replica);

    /// What the replica let out for a link of an exchange.
    void queue(Outgoing message);
    /// The replica found a peer's frames wrong; the exchange is silent until it is restarted.
    void close(LinkId link, const Error& reason, Replica& replica);
    /// Why the exchange is silent, once.
    std::optional<Error> take_failure(const std::string& peer);

private:
    static constexpr LinkId first_link = LinkId{1} << 32U;

    struct Exchange {
        LinkId link = 0;  // 0: none
        Uuid node;        // nil: not heard of
        std::uint64_t epoch = 0;
        std::uint64_t sequence = 0;    // of the next message
        std::uint64_t peer_epoch = 0;  // 0: not heard of
        std::uint64_t expected = 0;    // sequence of the peer's next message
        std::uint64_t restart_above = 0;
        bool word_due = true;  // a message goes out even without frames
        bool silent = false;
        std::optional<Error> failure;
        std::deque<WireMessage> frames;
    };

    Result<Exchange*> find(const std::string& peer);
    std::uint64_t next_epoch(std::uint64_t above);
    void begin_link(Exchange& exchange, Replica* replica);
    void end_link(Exchange& exchange, Replica* replica);
    void begin_epoch(Exchange& exchange, std::uint64_t above, Replica* replica);
    bool follow(Exchange& exchange, const CarriedMessage& message, Replica* replica);

    Env env_;
    std::map<std::string, Exchange> exchanges_;
    LinkId next_link_ = first_link;
    std::uint64_t last_epoch_ = 0;
};

}  // namespace syncline
