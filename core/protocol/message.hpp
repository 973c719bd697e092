#pragma once
#include <variant>
#include <vector>

#include "core/engine/identity.hpp"
#include "core/engine/key_policies.hpp"
#include "core/merkle/leaf_sums.hpp"
#include "core/protocol/caspaxos.hpp"
#include "core/protocol/compression.hpp"
#include "core/protocol/membership_record.hpp"
#include "core/protocol/term.hpp"
#include "crdt/hlc.hpp"
#include "crdt/version_vector.hpp"
#include "storage/log.hpp"

namespace syncline {

/// Version of everything below, and the oldest that this build speaks as well; both in every HELLO.
/// Peers understand each other if neither is older than what the other still speaks; both then
/// speak the older one's version.
constexpr std::uint64_t protocol_version = 7;
constexpr std::uint64_t protocol_version_oldest = 6;
/// The first one that knows membership records.
constexpr std::uint64_t protocol_version_membership = 7;

/// Frame types of messages between replicas; smaller numbers belong to the handshake.
enum class MessageType : std::uint8_t {
    hello = 16,
    pull = 17,
    batch = 18,
    ack = 19,
    sync_needed = 20,
    term = 21,
    vote_request = 22,
    vote = 23,
    compressed = 24,  ///< one of the others: its type, then its payload as a frame of Zstandard
    copy_open = 25,
    copy_opened = 26,
    copy_next = 27,
    copy_piece = 28,
    copy_end = 29,
    session_open = 32,
    session_opened = 33,
    session_level = 34,
    session_tags_request = 35,
    session_tags = 36,
    session_rows_request = 37,
    session_rows = 38,
    session_close = 39,
    membership = 40,
    prepare = 41,
    promise = 42,
    accept = 43,
    accepted = 44,
    publication = 48,  ///< only for peers whose HELLO takes it
};

/// First message on a link, both ways; repeated until the peer's HELLO came.
/// Later versions may put fields behind the last one, which are passed over.
struct Hello {
    std::uint64_t version = protocol_version;
    std::uint64_t version_oldest = protocol_version_oldest;
    Uuid cluster;
    Uuid node;
    Actor actor;
    VersionVector vv;  ///< durable
    std::uint64_t log_id = 0;
    Position log_base = 0;
    VersionVector base_vv;  ///< covers everything trimmed from the log
    std::uint64_t leaf_bits = 0;
    ReplicationMode mode = ReplicationMode::multi_master;
    Term term;
    Bytes name;                  ///< of the replica, for people
    Bytes client_address;        ///< where its clients connect; empty: not known
    std::uint64_t replicas = 0;  ///< of the cluster, as declared; 0: not declared
    VersionVector cut;           ///< stable
    KeyPolicies policies;
    bool takes_compressed = true;
    std::uint64_t copied_rows = 0;    ///< a new replica may copy so many rows; 0: none
    std::uint64_t copied_bytes = 0;   ///< of them, about
    std::uint64_t epoch = 0;          ///< of the membership record; 0: none. From version 7 on
    bool takes_publications = false;  ///< and passes them on; peers before it do not know them

    bool operator==(const Hello&) const = default;
};

/// "Stream me your log from here." A new generation ends the stream of the one before.
struct Pull {
    std::uint64_t generation = 0;
    std::uint64_t log_id = 0;
    Position position = 0;

    bool operator==(const Pull&) const = default;
};

/// Consecutive log records in [from, to), without those the receiver is known to have.
struct LogBatch {
    struct Item {
        std::uint8_t kind = 0;  ///< RecordKind
        Bytes payload;          ///< of an event: as EventHeads shortens it, in this generation

        bool operator==(const Item&) const = default;
    };
    TermId term;
    std::uint64_t generation = 0;
    Position from = 0;
    Position to = 0;
    std::vector<Item> items;

    bool operator==(const LogBatch&) const = default;
};

/// "I hold this durably, and have consumed your log up to here." Also the heartbeat.
struct Ack {
    TermId term;
    std::uint64_t generation = 0;  ///< of the pull that is being consumed; 0: none yet
    Position position = 0;
    VersionVector vv;      ///< durable
    bool settled = false;  ///< the root below belongs to exactly this vector and this cut
    VersionVector cut;     ///< stable
    Hash128 root;
    std::uint64_t rows = 0;
    Hlc hlc;
    std::uint64_t epoch = 0;  ///< of the membership record under which this is said; 0: none

    bool operator==(const Ack&) const = default;
};

/// Answer to a PULL that the log cannot serve, with where it begins now: a puller that has not seen
/// what was trimmed needs a Merkle session.
struct SyncNeeded {
    std::uint64_t generation = 0;
    Position log_base = 0;
    VersionVector base_vv;

    bool operator==(const SyncNeeded&) const = default;
};

/// "This is the term I am in." Sent when it changed, and to peers that show another.
struct TermNotice {
    Term term;

    bool operator==(const TermNotice&) const = default;
};

/// "May I begin this term?"
struct VoteRequest {
    Term term;

    bool operator==(const VoteRequest&) const = default;
};

/// The answer. Granted: the sender is in that term, durably, and refuses all lower ones.
struct Vote {
    TermId term;
    bool granted = false;

    bool operator==(const Vote&) const = default;
};

// Merkle session: the puller opens, the server only holds a snapshot. The nonce salts the session's
// hashes; its low 16 bits, `session`, name the session afterwards. `step` counts the requests of a
// session, so that repeated and stray messages are recognised.

struct SessionOpen {
    std::uint64_t nonce = 0;
    std::uint64_t fanout_bits = 2;
    VersionVector vv;
    std::uint64_t root_hash = 0;  ///< 40 bits, salted: enough to see that something differs

    bool operator==(const SessionOpen&) const = default;
};

struct SessionOpened {
    enum class Verdict : std::uint8_t {
        busy,     ///< not now; try later
        nothing,  ///< the server's vector is covered by the puller's
        equal,    ///< same rows: adopt the vector
        descend,  ///< compare
        refused,  ///< the server's rows fail their own sums
    };
    std::uint16_t session = 0;
    Verdict verdict = Verdict::busy;
    VersionVector vv;
    VersionVector cut;  ///< stable
    Hlc hlc;
    LeafSum root;
    Position position = 0;              ///< after adopting, the log may be pulled from here
    std::vector<std::uint64_t> hashes;  ///< of the root's children

    bool operator==(const SessionOpened&) const = default;
};

/// For the frontier of the message before: which children differ (`masks`, one a node); then for
/// each differing child how it goes on (`kinds`) and, for inner ones, the sender's child hashes.
struct SessionLevel {
    enum Kind : std::uint8_t {
        inner = 0,  ///< child hashes follow in `hashes`
        leaf = 1,   ///< few rows on the sender's side: compare tags
        all = 2,    ///< the puller has no row here: send all
    };
    std::uint16_t session = 0;
    std::uint64_t step = 0;
    std::vector<std::uint16_t> masks;
    std::vector<std::uint8_t> kinds;
    std::vector<std::uint64_t> hashes;

    bool operator==(const SessionLevel&) const = default;
};

struct SessionTagsRequest {
    std::uint16_t session = 0;
    std::uint64_t step = 0;
    std::uint64_t first = 0;  ///< index of the first leaf node wanted

    bool operator==(const SessionTagsRequest&) const = default;
};

/// Tags of the rows of consecutive leaf nodes, from `first` on; none for nodes of kind `all`.
struct SessionTags {
    std::uint16_t session = 0;
    std::uint64_t step = 0;
    std::uint64_t first = 0;
    std::vector<std::vector<std::uint32_t>> nodes;

    bool operator==(const SessionTags&) const = default;
};

/// The rows wanted, as ascending indices into all tags of the last SessionTags; rows of its nodes
/// of kind `all` are wanted anyway.
struct SessionRowsRequest {
    std::uint16_t session = 0;
    std::uint64_t step = 0;
    bool go_on = false;  ///< continue the answer that was cut, instead
    std::vector<std::uint64_t> rows;

    bool operator==(const SessionRowsRequest&) const = default;
};

struct SessionRows {
    struct Item {
        Bytes key;
        Bytes value;

        bool operator==(const Item&) const = default;
    };
    std::uint16_t session = 0;
    std::uint64_t step = 0;
    bool more = false;  ///< the answer was cut at the message size
    std::vector<Item> rows;

    bool operator==(const SessionRows&) const = default;
};

/// Either side lets go of the session.
struct SessionClose {
    std::uint16_t session = 0;

    bool operator==(const SessionClose&) const = default;
};

// Copy: a replica that is new gets the rows of another, and the events that came meanwhile, as the
// blocks of a backup (core/backup/README.md). The nonce names the copy. On one connection, where
// nothing is lost or repeated.

/// "I am new: let me copy your rows."
struct CopyOpen {
    std::uint64_t nonce = 0;

    bool operator==(const CopyOpen&) const = default;
};

/// The copy begins, from what the manifest says. Not begun: not now, ask again later.
struct CopyOpened {
    std::uint64_t nonce = 0;
    bool begun = false;
    Bytes manifest;  ///< encode_manifest(); empty unless begun

    bool operator==(const CopyOpened&) const = default;
};

/// "Send the pieces in front of this one."
struct CopyNext {
    std::uint64_t nonce = 0;
    std::uint64_t end = 0;

    bool operator==(const CopyNext&) const = default;
};

/// Blocks of rows or of events, in the order of a backup's files.
struct CopyPiece {
    std::uint64_t nonce = 0;
    std::uint64_t index = 0;  ///< counted from 0
    bool events = false;
    std::vector<Bytes> blocks;

    bool operator==(const CopyPiece&) const = default;
};

/// All pieces were sent. Without a manifest: it ends here, and what came is of no use. Either side.
struct CopyEnd {
    std::uint64_t nonce = 0;
    Bytes manifest;

    bool operator==(const CopyEnd&) const = default;
};

// Membership: the record is decided by CASPaxos, and then told to everybody.

/// "These are the members now."
struct MembershipNotice {
    MembershipRecord record;

    bool operator==(const MembershipNotice&) const = default;
};

/// "Promise to take nothing lower for the record after this epoch, and say what you have taken."
struct Prepare {
    caspaxos::Ballot ballot;
    std::uint64_t epoch = 0;

    bool operator==(const Prepare&) const = default;
};

struct Promise {
    caspaxos::Ballot ballot;  ///< of the request
    bool granted = false;
    std::uint64_t epoch = 0;    ///< of the answering replica's record
    caspaxos::Ballot promised;  ///< what it has promised
    caspaxos::Ballot accepted;  ///< what it has accepted for the next record; number 0: nothing
    Bytes value;                ///< and which record that is, encoded

    bool operator==(const Promise&) const = default;
};

/// "Take this for the record after `base`", which has been decided.
struct Accept {
    caspaxos::Ballot ballot;
    MembershipRecord base;
    MembershipRecord next;

    bool operator==(const Accept&) const = default;
};

struct Accepted {
    caspaxos::Ballot ballot;
    bool granted = false;
    std::uint64_t epoch = 0;
    caspaxos::Ballot promised;
    Bytes reason;  ///< of a refusal that no ballot would mend

    bool operator==(const Accepted&) const = default;
};

/// A message of publish/subscribe, on its way from link to link to every replica. It is kept
/// nowhere: one that is lost is lost.
struct Publication {
    Uuid origin;               ///< the node where it was published
    std::uint64_t run = 0;     ///< of that node's process, drawn at random
    std::uint64_t number = 0;  ///< in that run, from 1 on
    std::uint64_t hops = 0;    ///< links that it may still pass after this one
    bool sharded = false;      ///< of SPUBLISH, whose channels are others
    Bytes channel;
    Bytes message;

    bool operator==(const Publication&) const = default;
};

using Message =
    std::variant<Hello, Pull, LogBatch, Ack, SyncNeeded, TermNotice, VoteRequest, Vote, CopyOpen,
                 CopyOpened, CopyNext, CopyPiece, CopyEnd, SessionOpen, SessionOpened, SessionLevel,
                 SessionTagsRequest, SessionTags, SessionRowsRequest, SessionRows, SessionClose,
                 MembershipNotice, Prepare, Promise, Accept, Accepted, Publication>;

MessageType message_type(const Message& message);
/// The frame's payload.
Bytes encode_message(const Message& message);
/// Errors: corrupt for anything encode_message does not write; version for an unknown type or a
/// HELLO of a version that this build does not speak; those of decompress_message().
Result<Message> decode_message(std::uint8_t type, BytesView payload);

/// A message as it travels.
struct WireMessage {
    std::uint8_t type = 0;  ///< MessageType
    Bytes payload;

    bool operator==(const WireMessage&) const = default;
};

/// Compresses a message of rows or events, from so many bytes on (0: never) and if that pays.
/// False: it is as it was.
bool compress(WireMessage& message, Compressor& compressor, std::size_t bytes_min);
/// What was compressed. Errors: those of decompress(); corrupt if it is none of rows or events.
Result<WireMessage> decompress_message(BytesView payload);

}  // namespace syncline
