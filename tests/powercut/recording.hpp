#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tests/powercut/engine.hpp"
#include "tests/powercut/trace.hpp"

namespace syncline::powercut {

/// A part of a trace: its first records.
struct Past {
    std::string trace;
    std::size_t records = 0;  ///< 0: all
};

/// What several lives did to one directory, one after the other. The first may begin with nothing,
/// or with what a power cut left: then `past` leads up to that.
struct Recording {
    std::string root;   ///< the watched directory; "data" in it is the replica's
    std::string trace;  ///< a file outside of it
    std::vector<Past> past;
    /// Records that only say what was there before the first life; on disk, all of it.
    std::size_t prologue = 0;
};

/// How the lives of a recording are driven.
struct RecordOptions {
    std::string program;   ///< this one; runs as `program --live ...`
    std::string recorder;  ///< the library to preload
    std::uint64_t seed = 0;
    std::size_t lives = 4;
    std::uint64_t commits_max = 120;  ///< of one life; at least a quarter of it
    Mode mode = Mode::always;
    /// A fault of the lives, by the name it has on the command line; empty: none.
    std::string planted;
    bool closes_in_turn = false;  ///< every other life, beginning with the first; else by chance
};

std::string data_path(const std::string& root);
/// Describes what is in the directory, as the first records of the trace.
Result<void> write_prologue(Recording& recording);
/// Runs the lives. Errors: io; corrupt when one of them failed (it has said why).
Result<void> record(const Recording& recording, const RecordOptions& options);
/// The marks of all that came before; each part but whole ones ended with a power cut.
Result<History> history_of(const std::vector<Past>& past, Mode mode);

}  // namespace syncline::powercut
