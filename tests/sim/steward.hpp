#pragma once
#include <memory>
#include <vector>

#include "tests/sim/sim_replica.hpp"

namespace syncline::sim {

/// Whoever changes the members: founds the record, lets spare machines in, drains and evicts
/// others, whatever the faults are; takes former members away when they know that they are.
class Steward {
public:
    Steward(Shared shared, std::vector<std::unique_ptr<SimReplica>>& replicas);

    void start();
    /// No more changes but those that must come to an end.
    void heal() { healed_ = true; }
    /// All who are there are active members, and know it.
    [[nodiscard]] bool content() const;

private:
    void look();
    void act();
    void found();
    void let_in();
    void take_away(bool at_once);
    void change(std::size_t by, MembershipStep step);
    [[nodiscard]] std::vector<SimReplica*> up() const;

    Shared shared_;
    std::vector<std::unique_ptr<SimReplica>>& replicas_;
    SimRandom random_;
    bool healed_ = false;
    Micros next_ = 0;
};

}  // namespace syncline::sim
