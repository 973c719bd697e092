#pragma once
#include <string>

#include "tests/powercut/engine.hpp"

namespace syncline::powercut {

/// What was found in a state that a power cut left.
struct Verdict {
    std::string failure;              ///< empty: all is well
    std::size_t opens = 0;            ///< how often the directory was opened
    std::size_t unpromised_kept = 0;  ///< commits that nobody had been told of, and are there
    std::size_t unpromised_lost = 0;
    std::size_t events_compared = 0;  ///< records of the log
    History::Loss acknowledged_lost;  ///< inside the window of Mode::interval
    bool provisional = false;         ///< the base's last commit had to be taken back
    bool new_incarnation = false;     ///< one more commit was another actor's
};

/// Opens the directory in a child process, so that a crash or an endless loop is a finding, too,
/// and checks everything: it opens; it holds all that was promised, as a whole state that a commit
/// had made; rows, sums, counts and derived rows agree; the model says the same; the log holds
/// these commits and nothing else; one more commit gets a name that nobody has seen, of another
/// incarnation if that is needed; and a second start finds it all again.
Verdict verify(const std::string& path, const History& history, Mode mode, std::uint64_t seed,
               Planted planted = Planted::nothing);

}  // namespace syncline::powercut
