#pragma once
#include <algorithm>
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

/// How far a copy of a peer's rows is.
struct CopyProgress {
    std::uint64_t rows = 0;
    std::uint64_t rows_expected = 0;
    std::uint64_t bytes = 0;     ///< as they were read, not compressed
    std::uint64_t begun_ms = 0;  ///< steady

    /// Below 100: when all rows are there, the events behind them and the check are still to come.
    [[nodiscard]] std::uint64_t percent() const {
        return rows_expected == 0 ? 0 : std::min<std::uint64_t>(99, 100 * rows / rows_expected);
    }
};

}  // namespace syncline
