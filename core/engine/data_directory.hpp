#pragma once
#include <memory>
#include <string>

#include "core/engine/identity.hpp"
#include "core/engine/replica.hpp"
#include "storage/base.hpp"
#include "storage/disk.hpp"

namespace syncline {

/// A data directory, locked: file "identity", directories "base" (LMDB) and "log"; the file
/// "copying" while the base holds a part of what a peer has (begin_copy). One process has
/// it open at a time, whether as a server, as an embedded database, or to look inside.
/// Who writes says so with begin_run(), and end_run() when all is synced. From these, and from what
/// the file "identity" says of the base, it is known at the next start whether history may have
/// been rolled back. Then what is written gets new names, since others may know the old ones:
///   - a directory that was copied, or put back by a tool for files, is another node;
///   - one that ended without a clean stop while replies did not wait for the disk begins another
///     incarnation.
/// What cannot be seen here (a whole disk put back) peers see: Replica begins another incarnation
/// when one of them knows more of it than it does.
/// Members are destroyed from the last to the first: the base, which holds the lock, outlives the
/// log's directory. Thread-safety: confined to one thread.
struct DataDirectory {
    std::unique_ptr<Disk> disk;
    std::unique_ptr<Base> base;
    std::unique_ptr<Disk> log_disk;
    Identity identity;
    /// Between begin_copy() and end_copy(). True after open(): an earlier run ended there; what it
    /// had copied is gone.
    bool copying = false;

    /// Opens or makes it. A new one has a node, and no cluster yet.
    /// Errors: locked (open elsewhere, this process included), corrupt, version, io, no_space.
    /// `gradual_rows`: see LmdbOptions.
    static Result<DataDirectory> open(const std::string& path, Random& random,
                                      std::size_t gradual_rows = limits::gradual_commit_rows);

    /// The name for people; empty: as it was, or "syncline". Durable. Error io.
    Result<void> rename(const std::string& name);
    /// Makes it a member of a cluster: durable before anything is written under it, because rows
    /// are hashed with a seed of the cluster. Error io. Precondition: it is of none.
    Result<void> join_cluster(const Uuid& cluster);
    /// What follows is written with this durability. True: the replica must begin another
    /// incarnation. Durable when it returns. Error io.
    Result<bool> begin_run(Durability durability);
    /// Everything is synced, and nothing more is written. Error io.
    Result<void> end_run();
    /// What is put into the base from now on means nothing until end_copy(): should it not come to
    /// that, the next open() removes it. Durable. Errors: io; corrupt (the base holds rows, so that
    /// it is not new).
    Result<void> begin_copy();
    /// Durable. Error io. open_replica() does it, too.
    Result<void> end_copy();
    /// Removes what was put there; another copy may begin. Nobody reads the base. Errors: of
    /// commits.
    Result<void> clear_copy();
    /// How the log is to be opened here.
    [[nodiscard]] LogOptions log_options(LogOptions wanted = {}) const;
    /// Recovers the replica; `options.identity` is filled in. Errors: those of Replica::open.
    /// Precondition: it is of a cluster. The directory must outlive the replica.
    Result<std::unique_ptr<Replica>> open_replica(ReplicaOptions options, Env env);
};

}  // namespace syncline
