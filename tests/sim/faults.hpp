#pragma once
#include <memory>
#include <vector>

#include "tests/sim/sim_replica.hpp"

namespace syncline::sim {

/// Injects what the plan asks for, and remembers what has hold of whom.
class Faults {
public:
    Faults(Shared shared, std::vector<std::unique_ptr<SimReplica>>& replicas);

    void start();
    /// Everything is mended: from here on the replicas must come to agree.
    void heal();

private:
    /// Does `begin` now and then, as the plan's rhythm has it, until healed. With several players
    /// (links, replicas) it happens that much more often.
    void repeat(Fault fault, std::size_t players, std::function<void(Micros length)> begin);
    void partition(Micros length, bool one_way);
    void crash(std::size_t replica, Micros length, bool power_cut);
    void jump_clock(std::size_t replica);
    void skew_clocks();
    void request_session(std::size_t replica);
    void crash_ended(std::size_t replica);
    /// Notes who is afflicted by what, starts replicas that ended on their own, breaks disks.
    void sweep();
    void note_afflictions(SimReplica& replica);
    [[nodiscard]] std::size_t any_replica() { return random_.below(replicas_.size()); }

    Shared shared_;
    std::vector<std::unique_ptr<SimReplica>>& replicas_;
    SimRandom random_;
    bool healed_ = false;
    struct Past {  // when a replica was last struck; 0: never
        Micros reset = 0;
        Micros jump = 0;
        Fault crash = Fault::kill;
        bool restarting = false;
    };
    std::vector<Past> past_;
};

}  // namespace syncline::sim
