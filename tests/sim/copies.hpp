#pragma once
#include <memory>
#include <set>
#include <vector>

#include "tests/sim/sim_replica.hpp"

namespace syncline::sim {

/// Whoever keeps copies of machines. Now and then one of them takes the place of a machine's data
/// while its process is down: a copy of itself from before (the fault `restore`), or of another
/// machine, which goes on (`clone`). Then strikes the nodes that are gone.
class Copies {
public:
    Copies(Shared shared, std::vector<std::unique_ptr<SimReplica>>& replicas);

    void start();
    /// No machine is put back any more.
    void heal() { healed_ = true; }

private:
    struct Kept {
        std::size_t machine;
        MachineCopy copy;
    };

    void take();
    void repeat(Fault fault);
    void put_back(Fault fault);
    void strike();
    void drop_undone();

    Shared shared_;
    std::vector<std::unique_ptr<SimReplica>>& replicas_;
    SimRandom random_;
    bool healed_ = false;
    std::vector<Kept> kept_;
    std::set<Uuid> nodes_;  // all that there ever were
};

}  // namespace syncline::sim
