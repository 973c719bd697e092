#pragma once
#include <memory>
#include <vector>

#include "tests/sim/sim_replica.hpp"

namespace syncline::sim {

/// Whoever runs a cluster in primary-backup mode: promotes a backup when the primary has not
/// answered for a while, now and then without need, sometimes two at once; uses force only where
/// the primary does not answer; lets held suffixes go. In multi-master mode there is none.
class Operator {
public:
    Operator(Shared shared, std::vector<std::unique_ptr<SimReplica>>& replicas);

    void start();
    /// Everything can be reached from now on: brings about one primary, and nothing held.
    void heal() { healed_ = true; }
    /// A replica will not come back: the others are started without it, and forget it.
    void strike(std::size_t lost);
    /// All are in one term, which has a primary, and nothing is left to be done.
    [[nodiscard]] bool content() const;

private:
    void look();
    void mend();
    void watch();
    void fail_over(bool force);
    void promote(std::size_t replica, bool force);
    void merge(std::size_t replica);
    void check_suffix(std::size_t index, Replica& replica);
    /// The primary that answers; of several the one of the highest term.
    [[nodiscard]] const SimReplica* primary() const;

    Shared shared_;
    std::vector<std::unique_ptr<SimReplica>>& replicas_;
    SimRandom random_;
    bool healed_ = false;
    Micros silent_since_ = 0;  // 0: the primary answers
    Micros next_switch_ = 0;
};

}  // namespace syncline::sim
