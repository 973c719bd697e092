#pragma once
#include <map>
#include <vector>

#include "core/engine/replica.hpp"
#include "tests/sim/conflict_oracle.hpp"
#include "tests/sim/timeline.hpp"

namespace syncline::sim {

/// All events of a run, and what each replica has of them: the judge. Every violation fails the
/// timeline with one sentence.
///   - one name, one event: a dot has the same bytes everywhere and for ever;
///   - causality: an event is applied where its past is, each counter after the one before;
///   - durability: what left a replica was durable there, and is there after every crash;
///   - conflicts: the records of each replica are those that the specification gives for what came
///     to it, in the order in which it came;
///   - state: rows are the function of history that the oracle computes.
/// It keeps its own version vectors and believes none of the replicas'.
class History {
public:
    History(Timeline& timeline, std::size_t replicas);

    /// A replica made an event of what a client asked for.
    void issued(std::size_t replica, const Event& event, BytesView bytes,
                const std::vector<Intent>& intents);
    /// A replica took in an event of another one.
    void applied(std::size_t replica, const Event& event, BytesView bytes);
    /// A replica took over a peer's state as a whole.
    void adopted(std::size_t replica, const VersionVector& vv);
    /// A replica says that this much is durable.
    void durable(std::size_t replica, const VersionVector& vv);
    /// A copy of the replica's disk, with all unsynced content gone, came back with this much.
    void proved_durable(std::size_t replica, const VersionVector& vv);
    /// A client has been told, or has seen, that this event happened.
    void acknowledged(std::size_t replica, const Dot& dot);
    /// The same where replies do not wait for the disk.
    void acknowledged_early(std::size_t replica, const Dot& dot);
    /// What was not durable may be gone.
    void power_cut(std::size_t replica) { views_[replica].written = {}; }
    /// A replica is back after a crash, with this much.
    void recovered(std::size_t replica, const VersionVector& vv);
    /// What a copy of a replica's machine has.
    struct Copy {
        VersionVector vv;
        ConflictOracle::Feed conflicts;
    };
    /// A copy of the replica, with all unsynced content gone, has this much. From here on it may
    /// become a replica, until it is let go.
    Copy copied(std::size_t replica, const VersionVector& vv);
    void let_go(const Copy& copy);
    /// The copy has something that nobody else has.
    [[nodiscard]] bool is_undone(const Copy& copy) const;
    /// The replica, which is down, has from here on what the copy has, and nothing else. What it
    /// alone had is gone: its names may come again if nobody else has them. Returns how many
    /// events nobody has any more.
    std::size_t put_back(std::size_t replica, const Copy& copy);

    /// The replica's rows, type by type and cell by cell, against the oracle. Returns the number
    /// of cells compared. `conflicts`: its records of conflicts, too.
    std::size_t check_state(std::size_t replica, Replica& production, bool conflicts = true);

    [[nodiscard]] const Oracle& oracle() const { return oracle_; }
    /// Records of conflicts compared with what they must be, so far.
    [[nodiscard]] std::size_t conflicts_checked() const { return conflicts_.checked(); }
    /// What the replica has applied.
    [[nodiscard]] const VersionVector& vv(std::size_t replica) const { return views_[replica].vv; }
    /// What must survive any crash of the replica.
    [[nodiscard]] const VersionVector& durable_vv(std::size_t replica) const {
        return views_[replica].durable;
    }
    /// Precondition: introduced.
    [[nodiscard]] std::size_t replica_of(std::uint32_t node_id) const { return nodes_.at(node_id); }
    /// Who has these actors; actors are known once a replica has opened.
    void introduce(std::uint32_t node_id, std::size_t replica) { nodes_[node_id] = replica; }

private:
    struct Known {
        std::uint64_t bytes_hash;
        Hlc hlc;
    };
    struct View {
        VersionVector vv;
        VersionVector called_durable;  ///< by the replica, which may be late with it
        VersionVector durable;         ///< must survive
        VersionVector written;         ///< replies left: must survive the end of the process
    };

    /// The event, if it was issued and not lost.
    [[nodiscard]] const Known* find(const Dot& dot) const;
    [[nodiscard]] bool held_by_any(const Dot& dot) const;
    void name_again(std::size_t replica, const Dot& dot);
    void take(std::size_t replica, const Event& event);
    void check_durable_at_origin(std::size_t replica, const Dot& dot);
    void forget_lost(std::size_t replica);
    /// Lets the oracle forget what no replica can ever need again.
    void settle();
    [[nodiscard]] std::string compare(const Oracle::Name& name, const Cell& cell,
                                      const Expected& expected, const VersionVector& vv) const;
    void fail(std::size_t replica, const std::string& sentence);

    Timeline& timeline_;
    std::vector<View> views_;
    std::map<Actor, std::vector<Known>> events_;  // by counter - 1
    std::map<std::uint32_t, std::size_t> nodes_;
    struct Before {  // events of an actor whose replica was put back, by counter
        std::uint64_t issued = 0;
        std::uint64_t durable = 0;
    };
    std::map<Actor, Before> before_;
    std::vector<VersionVector> kept_;
    Oracle oracle_;
    ConflictOracle conflicts_;
    std::size_t checks_ = 0;
};

/// "3 values {...}, sum 5" for failures and traces.
std::string to_text(const Expected& expected);
std::string to_text(const Oracle::Name& name);

}  // namespace syncline::sim
