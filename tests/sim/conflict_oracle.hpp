#pragma once
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/engine/conflict_ring.hpp"
#include "tests/sim/oracle.hpp"

namespace syncline::sim {

/// Which conflicts each replica must have on record: a function of the events, as published, and
/// of the order in which they came to the replica. What is concurrent with an event when it comes
/// follows from the oracle's values at the replica's version vector; a replica to which the removal
/// came first has, and must have, no record of it. The specification is at ConflictFinder.
/// Records of events that were lost in a crash are lost with them; all others must come back under
/// the same numbers.
class ConflictOracle {
    struct Pair {
        Oracle::Name cell;  ///< of a clash: the key alone
        Dot one;            ///< the smaller dot
        Dot other;
        ConflictKind kind = ConflictKind::write_write;
        Dot winner;

        bool operator<(const Pair& pair) const {
            return std::tie(cell, one, other, kind, winner) <
                   std::tie(pair.cell, pair.one, pair.other, pair.kind, pair.winner);
        }
    };
    struct Cause {  // of the pairs from `begin` on
        std::size_t begin;
        VersionVector must_cover;
    };

public:
    /// What a replica has on record.
    struct Feed {
        std::vector<Pair> pairs;
        std::vector<Cause> causes;
        std::size_t verified = 0;
    };

    ConflictOracle(const Oracle& oracle, std::size_t replicas)
        : oracle_(oracle), replicas_(replicas) {}

    /// `before`: what the replica had until then.
    void applied(std::size_t replica, const VersionVector& before, const Event& event);
    void adopted(std::size_t replica, const VersionVector& before, const VersionVector& peer_vv);
    void recovered(std::size_t replica, const VersionVector& vv);

    /// What is wrong with the replica's ring, in one sentence; empty: nothing.
    std::string compare(std::size_t replica, ConflictRing& ring);
    [[nodiscard]] std::size_t checked() const { return checked_; }

    /// What a replica that has lost all but this will have on record.
    [[nodiscard]] Feed copy(std::size_t replica, const VersionVector& vv) const;
    void put_back(std::size_t replica, const Feed& feed) { replicas_[replica] = feed; }

private:
    struct Role {
        bool writes = false;
        bool removes = false;
        bool negates = false;
        bool increments = false;
        Bytes value;  ///< of a deadline that it writes
    };
    using Roles = std::map<Oracle::Name, Role>;
    /// In the order in which a replica writes them down.
    using Found = std::map<std::tuple<Bytes, Dot, Dot>, Pair>;

    [[nodiscard]] Roles roles(const VersionVector& before, const Event& event) const;
    void find_beside(const Event& event, const Oracle::Name& name, const Role& role,
                     const Expected& cell, Found& found) const;
    void find_clashes(const VersionVector& before, const Event& event, const Oracle::Name& name,
                      Found& found) const;
    void find_lost_edits(const VersionVector& before, const Event& event, const Oracle::Name& name,
                         Found& found) const;
    void put(std::size_t replica, const Found& found, VersionVector must_cover);
    static void cut(Feed& feed, const VersionVector& vv);
    static Pair pair_of(const ConflictRecord& record);
    static std::string in_words(const Pair& pair);
    [[nodiscard]] std::string compare_one(const Pair& expected, const ConflictRecord& record);

    const Oracle& oracle_;
    std::vector<Feed> replicas_;
    std::map<Pair, Hash128> ids_;
    std::size_t checked_ = 0;
};

}  // namespace syncline::sim
