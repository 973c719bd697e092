#pragma once
#include <string>

#include "tests/powercut/engine.hpp"

namespace syncline::powercut {

/// One process that works on a data directory while the recorder watches.
struct LifeOptions {
    std::string path;  ///< of the data directory
    std::uint64_t seed = 0;
    std::uint64_t commits = 100;
    bool closes = false;  ///< ends with a last checkpoint; else in the middle of everything
    bool linked = false;  ///< has a peer
    Mode mode = Mode::always;
    Planted planted = Planted::nothing;
    bool recorded = true;  ///< an error if nobody records
};

/// Opens the directory, checks that it holds what `history` allows, and commits; says all of it in
/// the trace. Does not return if it does not close. Errors: what the engine answers; corrupt when
/// the directory holds something else.
Result<void> live(const LifeOptions& options, const History& history);

}  // namespace syncline::powercut
