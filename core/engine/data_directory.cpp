#include "core/engine/data_directory.hpp"

#include <algorithm>

#include "storage/lmdb.hpp"

namespace syncline {
namespace {

const char* const base_file = "/base/data.mdb";
/// Is there while rows are copied.
const char* const copy_marker = "copying";

}  // namespace

/// The base goes first: it holds the lock that keeps a second process out, or two could both make
/// the identity.
Result<DataDirectory> DataDirectory::open(const std::string& path, Random& random,
                                          std::size_t gradual_rows) {
    DataDirectory data;
    SYNCLINE_TRY(data.disk, open_posix_disk(path));
    LmdbOptions base_options;
    base_options.gradual_rows = gradual_rows;
    base_options.reserve_bytes = base_reserve_bytes(data.disk->space());
    SYNCLINE_TRY(data.base, open_lmdb_base(path + "/base", base_options));
    SYNCLINE_TRY(data.log_disk, open_posix_disk(path + "/log"));
    SYNCLINE_TRY(data.identity, load_identity(*data.disk, random));
    SYNCLINE_TRY(Bytes mark, file_mark(path + base_file));
    SYNCLINE_CHECK(check_original(*data.disk, data.identity, std::move(mark), random));
    SYNCLINE_TRY(const std::optional<Bytes> marker, read_file(*data.disk, copy_marker, 1));
    data.copying = marker.has_value();
    if (data.copying) SYNCLINE_CHECK(data.clear_copy());
    return data;
}

Result<void> DataDirectory::begin_copy() {
    if (copying) return {};
    bool any = false;
    SYNCLINE_CHECK(base->scan(Table::meta, {}, {}, [&](BytesView, BytesView) {
        any = true;
        return false;
    }));
    base->end_turn();
    if (any) {
        return Error{Code::corrupt,
                     "the data directory holds rows, but its file identity names no cluster"};
    }
    SYNCLINE_CHECK(replace_file(*disk, copy_marker, {}));
    copying = true;
    return {};
}

Result<void> DataDirectory::end_copy() {
    if (!copying) return {};
    SYNCLINE_CHECK(disk->remove(copy_marker));
    SYNCLINE_CHECK(disk->sync_directory());
    copying = false;
    return {};
}

Result<void> DataDirectory::clear_copy() {
    std::vector<ErasedRange> all;
    for (std::size_t table = 0; table < tables_count; ++table) {
        all.push_back(ErasedRange{static_cast<Table>(table), RowRange{}});
    }
    base->end_turn();
    base->hurry(true);
    return base->commit(BaseChanges(), all);
}

LogOptions DataDirectory::log_options(LogOptions wanted) const {
    wanted.segment_bytes = std::min(wanted.segment_bytes, log_segment_bytes(log_disk->space()));
    return wanted;
}

Result<bool> DataDirectory::begin_run(Durability durability) {
    return syncline::begin_run(*disk, identity, durability);
}

Result<void> DataDirectory::end_run() {
    return syncline::end_run(*disk, identity);
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
    SYNCLINE_CHECK(end_copy());
    options.identity = identity;
    options.log = log_options(options.log);
    return Replica::open(std::move(options), env, *log_disk, *base);
}

}  // namespace syncline
