#include "core/engine/data_directory.hpp"

#include "storage/lmdb.hpp"

namespace syncline {

/// The base goes first: it holds the lock that keeps a second process out, or two could both make
/// the identity.
Result<DataDirectory> DataDirectory::open(const std::string& path, Random& random) {
    DataDirectory data;
    SYNCLINE_TRY(data.disk, open_posix_disk(path));
    SYNCLINE_TRY(data.base, open_lmdb_base(path + "/base", LmdbOptions{}));
    SYNCLINE_TRY(data.log_disk, open_posix_disk(path + "/log"));
    SYNCLINE_TRY(data.identity, load_identity(*data.disk, random));
    return data;
}

Result<void> DataDirectory::rename(const std::string& name) {
    const std::string before = identity.name;
    if (!name.empty()) identity.name = name;
    if (identity.name.empty()) identity.name = "syncline";
    if (identity.name == before) return {};
    return save_identity(*disk, identity);
}

Result<void> DataDirectory::join_cluster(const Uuid& cluster) {
    SYNCLINE_ASSERT(identity.cluster.is_nil());
    Identity member = identity;
    member.cluster = cluster;
    SYNCLINE_CHECK(save_identity(*disk, member));
    identity = member;
    return {};
}

Result<std::unique_ptr<Replica>> DataDirectory::open_replica(ReplicaOptions options, Env env) {
    SYNCLINE_ASSERT(!identity.cluster.is_nil());
    options.identity = identity;
    return Replica::open(std::move(options), env, *log_disk, *base);
}

}  // namespace syncline
