#pragma once
#include <string>

#include "core/backup/reader.hpp"
#include "core/base/env.hpp"

namespace syncline {

/// What a restored replica is to those that were there before.
enum class RestoreAs : std::uint8_t {
    /// A new replica of the same cluster, which takes from the others what it lacks and gives them
    /// what they lack, by the ordinary protocol: nothing is undone, and nothing counted twice.
    merge,
    /// The first replica of a new cluster whose state is the backup's. Replicas of the old one and
    /// it refuse each other; to join it they must begin with empty directories.
    rollback,
};

struct RestoreOptions {
    std::string backup;
    std::string data;  ///< a new data directory; its parent must be there
    RestoreAs as = RestoreAs::merge;
    std::string name = {};  ///< of the replica, for people; empty: as in the backup
    BackupReadProgress progress = {};
};

struct Restored {
    BackupManifest backup;
    Identity identity;  ///< of the new directory
    std::uint64_t keys = 0;
    std::uint64_t rows = 0;
    std::uint64_t rights_taken_over = 0;  ///< bounded counters whose rights the replica holds now
};

/// Makes a data directory of a backup. Everything is checked on the way, at last that the rows add
/// up to the fingerprint that the replica had. It becomes a directory of that name when it is whole
/// and durable; before, it is DATA.restoring, which is removed after a failure.
/// The replica in it is a new one: it has another node id than the backed up one, or the old one's
/// later transactions would be taken for this one's. Records of conflicts, and terms of
/// primary-backup replication, are not part of a backup.
/// In a rollback nobody else holds rights of bounded counters any more: the new replica takes them.
/// Errors: invalid_argument (`data` is not empty, a restore was broken off there, no backup),
/// corrupt, version, io, no_space.
Result<Restored> restore_backup(const RestoreOptions& options, Env env);

}  // namespace syncline
