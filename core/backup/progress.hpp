#pragma once
#include <cstdint>
#include <string>

namespace syncline {

/// How far a backup is.
struct BackupProgress {
    std::uint64_t rows = 0;           ///< copied
    std::uint64_t rows_expected = 0;  ///< there are about so many
    std::uint64_t events = 0;         ///< copied
    std::uint64_t bytes = 0;          ///< handed out to be written
};

/// The backup of a running server: the one under way, or the last one.
struct BackupStatus {
    enum class State : std::uint8_t { none, running, done, failed, cancelled };

    State state = State::none;
    std::string path;
    BackupProgress progress;
    std::uint64_t rate_bytes = 0;  ///< at most so many a second; 0: no bound
    std::uint64_t begun_ms = 0;    ///< steady
    std::uint64_t ended_ms = 0;    ///< steady; 0: it has not
    std::string reason;            ///< why it failed
};

}  // namespace syncline
