#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "tests/powercut/disk_model.hpp"
#include "tests/powercut/recording.hpp"
#include "tests/powercut/verify.hpp"

namespace syncline::powercut {

/// What was done, added up.
struct DrillFigures {
    std::size_t states = 0;
    std::size_t in_creation = 0;  ///< before the directory had been opened for the first time
    std::size_t in_recovery = 0;  ///< while a program that was not the first one opened it
    std::size_t torn = 0;         ///< states with old and new sectors side by side
    std::size_t names = 0;        ///< states in which changes of a directory were open
    std::size_t opens = 0;
    std::size_t events_compared = 0;
    std::size_t unpromised_kept = 0;
    std::size_t unpromised_lost = 0;
    std::size_t acknowledged_lost = 0;  ///< of them, inside the window of Mode::interval
    std::uint64_t loss_ms_max = 0;      ///< how long before the cut one was acknowledged at most
    std::size_t states_with_loss = 0;
    std::size_t provisional = 0;  ///< states whose last commit of the base was taken back
    std::size_t new_incarnations = 0;
    std::uint64_t sectors_old = 0;
    std::uint64_t sectors_new = 0;
    // Of the recordings.
    std::size_t recordings = 0;
    std::size_t lives = 0;
    std::size_t records = 0;
    std::size_t commits = 0;
    std::size_t acknowledged = 0;
    std::size_t told = 0;  ///< how often a peer got more
    std::size_t syncs = 0;
    std::size_t files_made = 0;
    std::size_t files_removed = 0;
    std::size_t segments = 0;     ///< begun
    std::size_t recycled = 0;     ///< of them, in a file that had been another one
    std::size_t checkpoints = 0;  ///< commits of the base
};

struct CutOptions {
    std::size_t states = 0;
    std::uint64_t seed = 0;
    Mode mode = Mode::always;
    Planted planted = Planted::nothing;
    /// One cut only, after so many records; and the draw that made the state.
    std::optional<std::size_t> only_cut = {};
    std::uint64_t only_draw = 0;
    bool keep = false;  ///< leave the state where it is
};

/// The first thing that was wrong.
struct Finding {
    std::string what;
    std::size_t state = 0;  ///< how many states had been looked at, this one included
    std::size_t cut = 0;
    std::uint64_t draw = 0;
};

/// Cuts the power at so many moments of a recording, and checks what is left. `place`: for the
/// states, one at a time. `last`, if given, gets one more state and the past that leads to it.
/// Errors: io, corrupt (the trace is of no use).
Result<std::optional<Finding>> cut_power(const Recording& recording, const CutOptions& options,
                                         const std::filesystem::path& place, DrillFigures& figures,
                                         Recording* next);

}  // namespace syncline::powercut
