#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/copies.hpp"
#include "tests/sim/faults.hpp"
#include "tests/sim/operator.hpp"
#include "tests/sim/steward.hpp"

namespace syncline::sim {

/// What came of one run.
struct SeedOutcome {
    std::optional<std::string> failure;  ///< one sentence
    Micros failed_at = 0;
    std::uint64_t hash = 0;  ///< over everything that happened
    Coverage coverage;
};

/// One run: some replicas, their network, their faults, and the two phases.
/// Safety: faults everywhere, clients at work; nothing need get done, nothing may go wrong.
/// Liveness: all is mended, clients are silent; within a bounded time all replicas are equal.
class World {
public:
    explicit World(const Plan& plan);

    SeedOutcome run();

private:
    Shared shared();
    void check_now_and_then();
    void converge(const char* after_what);
    [[nodiscard]] bool equal_vectors() const;
    [[nodiscard]] bool equal_cuts() const;
    /// Equal vectors, and nothing left to do.
    [[nodiscard]] bool converged() const;
    void compare_replicas();
    /// The replicas that are not lost.
    [[nodiscard]] std::vector<SimReplica*> present() const;
    std::size_t lose_machine();
    void check_acknowledged();
    void restart_all();
    [[nodiscard]] std::string describe_replicas();

    Plan plan_;
    Timeline timeline_;
    Coverage coverage_;
    SimRandom random_;
    History history_;
    Network network_;
    Terms terms_;
    Members members_;
    std::vector<std::unique_ptr<SimReplica>> replicas_;
    Faults faults_;
    Copies copies_;
    Operator operator_;
    Steward steward_;
};

/// Runs one seed.
SeedOutcome run_seed(std::uint64_t seed, const RunOptions& options);

}  // namespace syncline::sim
