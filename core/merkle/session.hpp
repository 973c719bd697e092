#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/base/limits.hpp"
#include "core/protocol/message.hpp"
#include "storage/store.hpp"

namespace syncline {

/// What messages of a session call it. Two sessions may have the same one.
constexpr std::uint16_t session_name(std::uint64_t nonce) {
    return static_cast<std::uint16_t>(nonce);
}

/// The state of a replica at one log position: rows in the base, and what describes them. While
/// somebody holds one, no checkpoint may change the base.
struct HeldCheckpoint {
    Position position = 0;
    VersionVector vv;
    Hlc hlc;
    LeafSums sums;
    VersionVector cut;  ///< stable: rows may lack what it allows to collect
    /// Buckets whose rows are damaged: they count as empty, in the sums as well.
    std::set<std::uint32_t> excluded;
    /// What this one was made from, and holds as well.
    std::shared_ptr<const HeldCheckpoint> origin;
};

/// One side's view of the tree during a session.
class SessionTree {
public:
    struct Node {
        std::uint64_t prefix = 0;
        unsigned bits = 0;
    };
    struct HashedRow {
        Bytes key;
        Bytes value;
        LeafSum hash;
    };

    SessionTree(std::shared_ptr<const HeldCheckpoint> snapshot, Store& store, std::uint64_t nonce,
                unsigned fanout_bits);

    [[nodiscard]] const HeldCheckpoint& snapshot() const { return *snapshot_; }
    [[nodiscard]] LeafSum sum(const Node& node) const;
    /// 40 bits of a salted hash of the node's sum; what is compared with the other side.
    [[nodiscard]] std::uint64_t hash(const Node& node) const;
    [[nodiscard]] std::vector<Node> children(const Node& node) const;
    /// Few rows, or nothing below: rows are compared instead of children.
    [[nodiscard]] bool is_leaf(const Node& node) const;
    /// The buckets a node consists of.
    [[nodiscard]] std::vector<Node> buckets(const Node& node) const;
    [[nodiscard]] std::uint32_t tag(const LeafSum& row) const;
    /// The rows of a node in row order. Error corrupt when they do not add up to the node's sum:
    /// then rows were lost or changed behind the engine's back, and must not be compared with a
    /// peer's, who would take a lost row for a deleted one.
    Result<std::vector<HashedRow>> rows(const Node& node);
    /// The node for which rows() failed.
    [[nodiscard]] const std::optional<Node>& damaged() const { return damaged_; }

    /// Compares received child hashes of `frontier` with own ones: a mask a node.
    [[nodiscard]] std::optional<std::vector<std::uint16_t>> compare(
        const std::vector<Node>& frontier, const std::vector<std::uint64_t>& hashes) const;
    /// The children that masks select. Nothing when they do not fit the frontier.
    [[nodiscard]] std::optional<std::vector<Node>> select(
        const std::vector<Node>& frontier, const std::vector<std::uint16_t>& masks) const;

private:
    std::shared_ptr<const HeldCheckpoint> snapshot_;
    Store& store_;
    std::uint64_t nonce_;
    unsigned fanout_bits_;
    std::uint64_t leaf_rows_;
    std::optional<Node> damaged_;
};

/// The side that serves: holds a snapshot and answers. Confined to one thread; sans-I/O.
class SessionServer {
public:
    SessionServer(std::shared_ptr<const HeldCheckpoint> snapshot, Store& store,
                  const SessionOpen& open);

    /// The answer to the OPEN.
    Message opened();
    /// The answer to a request; the same answer again when a request is repeated; nothing for
    /// strays of other sessions. Error corrupt: own rows are damaged, or the request makes no
    /// sense.
    Result<std::optional<Message>> receive(const Message& message);

    /// How many bytes of rows a ROWS message has from now on, about.
    void set_rows_bytes(std::size_t target) { rows_bytes_target_ = target; }
    /// receive() would answer with rows, for the first time or again.
    [[nodiscard]] bool has_rows_for(const SessionRowsRequest& request) const;
    /// Instead of receive(), for a request that was not answered yet: an answer without rows, after
    /// which the puller asks for them once more. Nothing: it was answered, or is a stray. Error
    /// corrupt: it makes no sense.
    Result<std::optional<Message>> put_off(const SessionRowsRequest& request);

    [[nodiscard]] std::uint16_t session() const { return session_name(open_.nonce); }
    /// The peer has gone on from the answer to its OPEN.
    [[nodiscard]] bool asked() const { return step_ > 0; }
    /// Where own rows do not add up to their sums.
    [[nodiscard]] const std::optional<SessionTree::Node>& damaged() const {
        return tree_.damaged();
    }

private:
    struct Leaf {
        SessionTree::Node node;
        bool all = false;
    };
    struct Wanted {  // rows still to be sent
        SessionTree::Node node;
        bool all = false;
        std::vector<std::uint64_t> rows;
    };

    Result<Message> level(const SessionLevel& level);
    Result<Message> tags(std::uint64_t first);
    Result<void> want(const SessionRowsRequest& request);
    Result<Message> rows(const SessionRowsRequest& request);

    SessionOpen open_;
    SessionTree tree_;
    std::vector<SessionTree::Node> frontier_;
    std::vector<Leaf> leaves_;
    std::vector<std::pair<std::uint64_t, std::size_t>> tagged_;  // last TAGS: leaf, its rows
    std::deque<Wanted> wanted_;
    std::deque<SessionRows::Item> ready_;  // read, but not yet sent
    std::size_t rows_bytes_target_ = limits::session_message_bytes_target;
    std::uint64_t step_ = 0;  // of the last request answered
    std::optional<Message> answer_;
};

/// The side that pulls: drives the comparison, stages the peer's rows, verifies them. Nothing of
/// the state changes until the owner joins staged() after verified. Confined to one thread;
/// sans-I/O. Happy path: OPEN, OPENED, LEVEL back and forth, TAGS and ROWS in turns, verified.
/// Failures: busy, nothing and mismatch end the session without effect; errors mean damaged bytes.
class SessionPuller {
public:
    enum class State {
        running,
        busy,      ///< the peer cannot serve now
        nothing,   ///< the peer knows nothing new
        verified,  ///< staged rows are exactly the difference of the two snapshots
        mismatch,  ///< they are not: a hash collided; try again with another nonce
        refused,   ///< the peer's rows are damaged
    };
    enum class Purpose : std::uint8_t {
        adopt,    ///< pull what is new to this side
        repair,   ///< the same from any peer, also one that knows nothing new
        compare,  ///< find all that differs, whoever is ahead; stages less
    };

    SessionPuller(std::shared_ptr<const HeldCheckpoint> snapshot, Store& store, std::uint64_t nonce,
                  unsigned fanout_bits, Purpose purpose = Purpose::adopt);

    Message open() const;
    /// The next request, or nothing when the session is over (see state()) or the message is a
    /// stray. Errors: corrupt (own rows, or a message that makes no sense), limit (too much to
    /// stage).
    Result<std::optional<Message>> receive(const Message& message);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const VersionVector& peer_vv() const { return opened_.vv; }
    [[nodiscard]] const LeafSum& peer_root() const { return opened_.root; }
    [[nodiscard]] const HeldCheckpoint& own() const { return tree_.snapshot(); }
    [[nodiscard]] const VersionVector& peer_cut() const { return opened_.cut; }
    [[nodiscard]] Hlc peer_hlc() const { return opened_.hlc; }
    [[nodiscard]] Position peer_position() const { return opened_.position; }
    /// Row key -> the peer's row, or nothing when only this side has one.
    [[nodiscard]] const std::map<Bytes, std::optional<Bytes>>& staged() const { return staged_; }
    [[nodiscard]] std::uint16_t session() const { return session_name(nonce_); }
    [[nodiscard]] std::string describe() const;
    /// Where own rows do not add up to their sums.
    [[nodiscard]] const std::optional<SessionTree::Node>& damaged() const {
        return tree_.damaged();
    }

private:
    struct Leaf {
        SessionTree::Node node;
        bool all = false;
    };

    Result<std::optional<Message>> on_opened(const SessionOpened& opened);
    Result<std::optional<Message>> on_level(const SessionLevel& level);
    Result<std::optional<Message>> on_tags(const SessionTags& tags);
    Result<std::optional<Message>> on_rows(const SessionRows& rows);
    Result<std::optional<Message>> descend(const std::vector<std::uint64_t>& hashes);
    Result<void> compare_tags(std::uint64_t leaf, const std::vector<std::uint32_t>& tags,
                              std::uint64_t first, std::vector<std::uint64_t>& wanted);
    Result<std::optional<Message>> next_tags();
    void finish();
    Result<void> stage(BytesView key, std::optional<BytesView> value);

    SessionTree tree_;
    std::uint64_t nonce_;
    unsigned fanout_bits_;
    Purpose purpose_;
    State state_ = State::running;
    SessionOpened opened_;
    std::uint64_t step_ = 0;  // of the last request sent
    std::vector<SessionTree::Node> frontier_;
    std::vector<Leaf> leaves_;
    std::uint64_t tagged_ = 0;  // leaves whose tags came
    std::map<Bytes, std::optional<Bytes>> staged_;
    std::size_t staged_bytes_ = 0;
    std::size_t staged_bytes_max_;
    LeafSum difference_;  // sum of the peer's staged rows minus own ones
};

}  // namespace syncline
