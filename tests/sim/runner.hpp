#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/world.hpp"

namespace syncline::sim {

/// A batch of seeds.
struct BatchOptions {
    RunOptions run;
    struct Named {
        std::uint64_t number = 0;
        Mode mode = Mode::mixed;
    };
    std::vector<Named> seeds;  ///< these, or
    std::uint64_t first = 0;   ///< `count` ones from here on
    std::uint64_t count = 0;
    unsigned jobs = 1;               ///< processes
    bool check_determinism = false;  ///< each seed runs twice and must do the same
    bool stop_at_failure = false;
    bool progress = false;  ///< a line for each seed
};

struct SeedFailure {
    std::uint64_t seed = 0;
    std::string sentence;
};

struct BatchResult {
    Coverage coverage;
    double wall_seconds = 0;
    std::vector<SeedFailure> failures;
};

/// Runs a batch in forked processes, so that an assertion in the code under test ends one seed and
/// not the batch. Failures are handed over and printed as they come, unless quiet.
BatchResult run_batch(const BatchOptions& options, bool quiet);

/// One seed in this process, twice if asked for. The failure's sentence holds the virtual time.
struct SeedResult {
    std::optional<std::string> failure;
    std::uint64_t hash = 0;
    Coverage coverage;
};
SeedResult run_one(std::uint64_t seed, const RunOptions& options, bool check_determinism);

}  // namespace syncline::sim
