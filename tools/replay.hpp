#pragma once
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/history.hpp"

namespace syncline {

constexpr std::size_t replay_replicas = 3;
/// How many transactions of each of the three replicas have been seen.
using Seen = std::array<std::uint64_t, replay_replicas>;

/// A key and its new value; absent: remove it.
using Write = std::pair<Bytes, std::optional<Bytes>>;

/// One of several concurrent values of a key.
struct Sibling {
    std::string origin;  ///< dot of the transaction that wrote it
    std::string time;    ///< when, by the clock of the replica that wrote it
    Bytes value;
    bool winner = false;
};

/// The three replicas of a replay, whatever they are: processes in the demo, objects in a test.
class ReplayCluster {
public:
    virtual ~ReplayCluster() = default;
    /// Sends one transaction; its answer is taken with await(). One at a time per replica.
    virtual Result<void> submit(std::size_t replica, const std::vector<Write>& writes) = 0;
    /// Waits for the answer: what the replica has seen now, the transaction included.
    virtual Result<Seen> await(std::size_t replica) = 0;
    virtual Result<Seen> seen(std::size_t replica) = 0;
    /// Cuts one replica off from the two others, or joins it again.
    virtual Result<void> set_isolated(std::size_t replica, bool isolated) = 0;
    virtual Result<std::map<Bytes, Bytes>> state(std::size_t replica) = 0;
    /// A hash over all rows; equal on replicas with equal states.
    virtual Result<std::string> root(std::size_t replica) = 0;
    virtual Result<std::vector<Sibling>> siblings(std::size_t replica, BytesView key) = 0;
    /// Lets so much time pass.
    virtual void pass(std::uint64_t ms) = 0;
    virtual std::uint64_t now_ms() = 0;
};

/// When one replica is cut off: from transaction `first` to before `last`, by index.
struct ReplayCut {
    std::size_t isolated = 2;
    std::uint32_t first = 5000;
    std::uint32_t last = 5400;
};

struct ReplayConflict {
    std::string key;
    std::vector<Sibling> siblings;
};

struct ReplayReport {
    std::uint64_t transactions = 0;  ///< with at least one write
    std::uint64_t writes = 0;
    Seen by_replica{};
    std::array<std::uint64_t, 2> during_cut{};  ///< on the larger side, and on the isolated replica
    std::uint64_t waited = 0;                   ///< put off until the cut healed
    std::vector<ReplayConflict> conflicts;      ///< keys with concurrent values when it healed
    std::uint64_t converge_ms = 0;              ///< from the heal until all had seen everything
    std::uint64_t elapsed_ms = 0;
};

/// The replica where a transaction's author sits: authors move with the day, as people do between
/// office and home, so that even a history of one busy author is written in three places.
std::size_t replay_place(const History::Txn& txn);

/// Called now and then with what happens and how many transactions of all are done.
using ReplayProgress =
    std::function<void(std::string_view phase, std::uint64_t done, std::uint64_t total)>;

/// Called when the cut has healed and all have seen everything, while concurrent values stand side
/// by side; what comes after it in the history overwrites them.
using ReplayHealed = std::function<Result<void>(const std::vector<ReplayConflict>& conflicts)>;

/// Replays a history as concurrent writers on three replicas.
///
/// Each transaction is one MULTI/EXEC at the replica of its author, sent when its parents are
/// visible there. During the cut, parents on the other side cannot become visible: a transaction
/// then goes on without them, unless it removes a key that the other side wrote or touches a key
/// of one that waits; those wait. So both sides really write the same keys at the same time; the
/// later write wins by its timestamp, which is what the history says happened, because
/// transactions are sent in its order and a write to a key that the other side has just written is
/// sent some milliseconds later.
Result<ReplayReport> replay(const History& history, ReplayCluster& cluster,
                            const std::optional<ReplayCut>& cut, const ReplayProgress& progress,
                            const ReplayHealed& healed = {});

/// What keeps the replicas from holding exactly the recorded final state, one sentence each; empty
/// when roots are equal and each state is the recorded one. At most `findings_max` sentences.
Result<std::vector<std::string>> replay_differences(const History& history, ReplayCluster& cluster,
                                                    std::size_t findings_max = 10);

}  // namespace syncline
