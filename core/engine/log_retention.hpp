#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"
#include "crdt/version_vector.hpp"
#include "storage/log.hpp"

namespace syncline {

/// What was there at a checkpoint: all that the log in front of `position` tells, and more if
/// snapshots of peers were adopted.
struct LogSample {
    Position position = 0;
    VersionVector vv;
    std::uint64_t wall_ms = 0;  ///< when; the records in front of it are at least as old
};

/// How much of the log is kept below the checkpoint, for peers that are behind.
struct LogRetention {
    std::uint64_t bytes = 0;
    std::uint64_t ms = 0;
};

/// What the decision rests on.
struct LogUse {
    Position end = 0;
    Position checkpoint = 0;             ///< recovery needs what is behind it
    std::optional<Position> hold;        ///< a backup needs what is behind it
    std::uint64_t now_ms = 0;            ///< by the wall clock, as samples have it
    const VersionVector* cut = nullptr;  ///< all declared replicas have this; null: not known
};

/// Up to where the log may be forgotten: the last sample in front of which nothing is wanted any
/// more, because every replica has it, or there is too much of it, or it is too old; 0: nowhere.
/// A function of what is on disk and the time. A clock that is set back keeps the log for longer,
/// one that is set forward lets go of it early: peers that are behind then need sessions.
/// Precondition: samples ascend by position.  O(samples).
Position forgettable(const std::vector<LogSample>& samples, const LogRetention& retention,
                     const LogUse& use);

/// Forgets samples that the log does not reach back to, and of those that are too many the ones
/// that leave the smallest holes: the log can be cut at samples only, so a hole is what is kept for
/// too long. Few bytes between the oldest and the newest sample lie in one hole.
void thin(std::vector<LogSample>& samples, Position log_base);
constexpr std::size_t log_samples_max = 128;

/// The times of samples, for the checkpoint.
Bytes encode_sample_times(const std::vector<LogSample>& samples);
/// Sets them. Samples that no time is known of, as in data of older builds, are as of `now_ms`.
/// Error corrupt.
Result<void> decode_sample_times(BytesView bytes, std::uint64_t now_ms,
                                 std::vector<LogSample>& samples);

}  // namespace syncline
