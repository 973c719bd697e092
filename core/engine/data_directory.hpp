#pragma once
#include <memory>
#include <string>

#include "core/engine/identity.hpp"
#include "core/engine/replica.hpp"
#include "storage/base.hpp"
#include "storage/disk.hpp"

namespace syncline {

/// A data directory, locked: file "identity", directories "base" (LMDB) and "log". One process has
/// it open at a time, whether as a server, as an embedded database, or to look inside.
/// Members are destroyed from the last to the first: the base, which holds the lock, outlives the
/// log's directory. Thread-safety: confined to one thread.
struct DataDirectory {
    std::unique_ptr<Disk> disk;
    std::unique_ptr<Base> base;
    std::unique_ptr<Disk> log_disk;
    Identity identity;

    /// Opens or makes it. A new one has a node, and no cluster yet.
    /// Errors: locked (open elsewhere, this process included), corrupt, version, io, no_space.
    static Result<DataDirectory> open(const std::string& path, Random& random);

    /// The name for people; empty: as it was, or "syncline". Durable. Error io.
    Result<void> rename(const std::string& name);
    /// Makes it a member of a cluster: durable before anything is written under it, because rows
    /// are hashed with a seed of the cluster. Error io. Precondition: it is of none.
    Result<void> join_cluster(const Uuid& cluster);
    /// Recovers the replica; `options.identity` is filled in. Errors: those of Replica::open.
    /// Precondition: it is of a cluster. The directory must outlive the replica.
    Result<std::unique_ptr<Replica>> open_replica(ReplicaOptions options, Env env);
};

}  // namespace syncline
