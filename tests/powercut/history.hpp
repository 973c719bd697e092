#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/merkle/leaf_sums.hpp"
#include "crdt/version_vector.hpp"
#include "tests/powercut/model.hpp"

namespace syncline::powercut {

/// When commits are acknowledged, and so what a power cut may take.
enum class Mode : std::uint8_t {
    always,    ///< nothing acknowledged
    interval,  ///< what was acknowledged in the last interval, and while the sync after it ran
};

std::string to_string(Mode mode);

constexpr std::uint64_t sync_interval_ms = 1000;
/// A recorded process looks at least so often whether a sync is due: often enough for the next one
/// to begin before the interval is over.
constexpr std::uint64_t turn_ms_max = 200;
/// It lets none take longer.
constexpr std::uint64_t sync_ms_max = 300;
/// An acknowledgement that is older is a promise in mode interval: it came just after a sync had
/// begun, the next one began when the interval was over, and took as long as one may.
constexpr std::uint64_t window_ms = sync_interval_ms + sync_ms_max;
static_assert(turn_ms_max <= sync_interval_ms / 4 && turn_ms_max < sync_ms_max);

/// What a state is, of one replica: which transactions, and the fingerprint of their rows.
struct State {
    VersionVector vv;
    LeafSum root;

    bool operator==(const State&) const = default;
};
std::string to_string(const State& state);

/// What a recorded program says in the trace.
struct Mark {
    enum class Kind : std::uint8_t {
        opened,        ///< `state` is what it found, `identity` who it is
        committed,     ///< `dot` made `state` out of the one before; nothing is on disk yet
        acknowledged,  ///< a client was told of `dot`
        durable,       ///< `dot` is synced, so that peers may be told of it
        told,          ///< a peer has got all of `state.vv`
        closing,       ///< all is synced, nothing more is written, and that is noted next
    };
    Kind kind = Kind::opened;
    std::uint64_t now_ms = 0;
    State state;
    Bytes identity;
    Dot dot;
    std::uint64_t hash = 0;  ///< of the event
    std::vector<Change> changes;
};
Bytes encode(const Mark& mark);
/// Error corrupt.
Result<Mark> decode_mark(BytesView bytes);

/// All that recorded programs did to one directory, by their marks: a tree of states, because a
/// program that comes after a power cut may find fewer commits than the one before had made.
///
/// A state is promised when a client or a peer could know of it, or when a program found it: from
/// then on only states that were made of it may be found. What a client or a peer could know has a
/// name that no other commit may get, whether it was lost since or not.
class History {
public:
    /// Where no commit was made yet.
    static constexpr std::size_t beginning = 0;
    struct Commit {
        State state;
        Dot dot;
        std::uint64_t hash = 0;
        std::uint64_t now_ms = 0;
        std::vector<Change> changes;
        std::size_t parent = beginning;
        std::size_t depth = 0;
        std::optional<std::uint64_t> acknowledged_ms = {};
    };

    explicit History(Mode mode);

    /// Planted fault: a commit counts as acknowledged when it is made.
    void acknowledge_early() { early_ = true; }
    /// Planted fault: peers are told of a commit when clients are.
    void tell_early() { told_early_ = true; }

    /// What comes now found what a power cut had left, not all that the system had been given.
    void lose_power() { power_lost_ = true; }

    /// Takes the next mark. Error corrupt: a program found what must not be.
    Result<void> take(const Mark& mark);

    /// The commit that made a state, if it may be found after a power cut now. Error corrupt: says
    /// what is missing, or that this state never was.
    [[nodiscard]] Result<std::size_t> find(const State& state) const;
    /// The data in the state after a commit.
    [[nodiscard]] Model model_of(std::size_t commit) const;
    /// The event of this name that leads to a commit; nothing: none does.
    [[nodiscard]] const Commit* event_before(std::size_t commit, const Dot& dot) const;
    /// A client or a peer may know an event of this name.
    [[nodiscard]] bool was_given_out(const Dot& dot) const { return given_out_.count(dot) > 0; }
    /// Who writes next needs a new incarnation: with Mode::interval, after any end but a clean one.
    [[nodiscard]] bool suspect() const { return mode_ == Mode::interval && !ended_well_; }
    /// What a power cut that led back to `commit` took of the acknowledged: how many, and how long
    /// before it the first of them was acknowledged.
    struct Loss {
        std::size_t commits = 0;
        std::uint64_t oldest_ms = 0;
    };
    [[nodiscard]] Loss acknowledged_after(std::size_t commit) const;

    [[nodiscard]] const Commit& commit(std::size_t index) const { return commits_[index]; }
    [[nodiscard]] std::size_t commits_count() const { return commits_.size() - 1; }
    [[nodiscard]] std::size_t acknowledged_count() const { return acknowledged_count_; }
    [[nodiscard]] std::size_t told_count() const { return told_count_; }
    /// The latest commit that must be found.
    [[nodiscard]] std::size_t promised() const { return promised_; }
    /// The latest one that was made, wherever it is.
    [[nodiscard]] std::size_t latest() const { return current_; }
    [[nodiscard]] std::uint64_t now_ms() const { return now_ms_; }
    /// Of the directory; empty before a program had opened it.
    [[nodiscard]] const Bytes& identity() const { return identity_; }

private:
    [[nodiscard]] bool follows(std::size_t commit, std::size_t earlier) const;
    Result<void> open(const Mark& mark);
    Result<void> commit(const Mark& mark);
    Result<void> tell(const VersionVector& vv);
    Result<void> acknowledge(std::size_t commit, std::uint64_t now_ms);
    void give_out(std::size_t commit);
    Result<void> promise(std::size_t commit);
    Result<void> let_time_pass(std::uint64_t now_ms);
    [[nodiscard]] std::optional<std::size_t> on_this_branch(const Dot& dot) const;

    Mode mode_;
    bool early_ = false;
    bool told_early_ = false;
    bool power_lost_ = false;
    bool ended_well_ = true;
    std::vector<Commit> commits_;
    std::multimap<std::string, std::size_t> by_state_;
    std::map<Dot, std::size_t> latest_;  // by name; a lost one's may be used again if nobody knew
    std::set<Dot> given_out_;
    std::deque<std::pair<std::uint64_t, std::size_t>> acknowledged_;  // (when, which)
    std::size_t acknowledged_count_ = 0;
    std::size_t told_count_ = 0;
    std::size_t acknowledged_latest_ = beginning;
    std::size_t current_ = beginning;
    std::size_t promised_ = beginning;
    Model promised_model_;
    std::uint64_t now_ms_ = 0;
    Bytes identity_;
};

}  // namespace syncline::powercut
