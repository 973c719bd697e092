#include "core/backup/restore.hpp"

#include <algorithm>
#include <filesystem>

#include "core/backup/builder.hpp"
#include "core/base/hash.hpp"
#include "core/engine/data_directory.hpp"
#include "core/engine/operations.hpp"

namespace syncline {
namespace {

namespace fs = std::filesystem;

/// Bounded counters whose rights are taken over in one transaction.
constexpr std::size_t counters_at_a_time = 100;

Error usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

Result<void> check_target(const std::string& data, const std::string& temporary) {
    std::error_code error;
    if (data.empty()) return usage("the new data directory has no name");
    if (fs::exists(data, error) && !(fs::is_directory(data, error) && fs::is_empty(data, error))) {
        return usage("'" + data + "' is not empty: a backup is restored into a new directory");
    }
    if (fs::exists(temporary, error)) {
        return usage("'" + temporary + "' is there: a restore was broken off, or is under way; " +
                     "remove it in the first case");
    }
    return {};
}

Result<void> flush(Replica& replica) {
    while (std::optional<Log::Flush> job = replica.begin_flush()) {
        Result<void> written = job->write();
        if (written) written = job->sync();
        replica.finish_flush(*job, written);
        SYNCLINE_CHECK(written);
    }
    (void)replica.committed();  // nobody waits for these replies
    return {};
}

/// The value of a counter as rights of this replica.
Result<void> make_anew(Transaction& txn, BytesView key, std::int64_t value) {
    // One of value 0 exists as well.
    SYNCLINE_CHECK(operations::bounded_increment(txn, key, std::max<std::int64_t>(value, 1)));
    if (value == 0) SYNCLINE_CHECK(operations::bounded_decrement(txn, key, 1));
    return {};
}

Result<void> make_anew(DataDirectory& data, unsigned leaf_bits,
                       const std::map<Bytes, std::int64_t>& counters, Env env) {
    if (counters.empty()) return {};
    ReplicaOptions options;
    options.leaf_bits = leaf_bits;
    SYNCLINE_TRY(const std::unique_ptr<Replica> replica,
                 data.open_replica(std::move(options), env));
    Client client{1};
    for (auto next = counters.begin(); next != counters.end();) {
        const auto some = [&](Transaction& txn) -> Result<Bytes> {
            for (std::size_t i = 0; i < counters_at_a_time && next != counters.end(); ++i, ++next) {
                SYNCLINE_CHECK(make_anew(txn, next->first, next->second));
            }
            return Bytes();
        };
        SYNCLINE_CHECK(replica->execute(client, some));
        SYNCLINE_CHECK(flush(*replica));
    }
    return {};
}

Result<Restored> build(const RestoreOptions& options, BackupReader& reader,
                       const std::string& directory, Env env) {
    Restored restored;
    restored.backup = reader.manifest();
    SYNCLINE_TRY(DataDirectory data, DataDirectory::open(directory, env.random));
    for (const VersionVector::Entry& entry : restored.backup.vv.entries()) {
        if (entry.first.node != data.identity.node_id) continue;
        return Error{Code::unavailable,
                     "the new replica drew the id of an old one, which hardly ever happens; "
                     "restore again"};
    }
    SYNCLINE_CHECK(data.rename(options.name.empty() ? restored.backup.name : options.name));
    SYNCLINE_CHECK(data.join_cluster(options.as == RestoreAs::rollback ? random_uuid(env.random)
                                                                       : restored.backup.cluster));
    restored.identity = data.identity;
    std::uint64_t log_id = 0;
    {
        SYNCLINE_TRY(const std::unique_ptr<Log> log,
                     Log::open(*data.log_disk, data.log_options(), env.random, 0));
        log_id = log->id();
    }
    StateBuilder builder(*data.base, restored.backup);
    SYNCLINE_CHECK(reader.read(builder, options.progress));
    SYNCLINE_CHECK(builder.check());
    restored.keys = builder.group().keys_count();
    restored.rows = builder.group().leaf_sums().root().count;
    std::map<Bytes, std::int64_t> counters;
    if (options.as == RestoreAs::rollback) {
        SYNCLINE_TRY(counters, builder.take_bounded_counters());
    }
    SYNCLINE_CHECK(builder.finish(hash64(to_bytes(data.identity.cluster)), log_id));
    SYNCLINE_CHECK(make_anew(data, restored.backup.leaf_bits, counters, env));
    restored.rights_taken_over = counters.size();
    return restored;
}

}  // namespace

Result<Restored> restore_backup(const RestoreOptions& options, Env env) {
    fs::path path = fs::path(options.data).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    const std::string data = path.string();
    const std::string temporary = data + ".restoring";
    SYNCLINE_CHECK(check_target(data, temporary));
    SYNCLINE_TRY(BackupReader reader, BackupReader::open(options.backup));
    Result<Restored> restored = build(options, reader, temporary, env);
    std::error_code error;
    if (!restored) {
        fs::remove_all(temporary, error);  // what is left is found by the next restore
        return restored;
    }
    fs::rename(temporary, data, error);
    if (error) {
        return Error{Code::io,
                     "cannot move '" + temporary + "' to '" + data + "': " + error.message()};
    }
    const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
    SYNCLINE_TRY(const std::unique_ptr<Disk> disk, open_posix_disk(parent.string()));
    SYNCLINE_CHECK(disk->sync_directory());
    return restored;
}

}  // namespace syncline
