#include "storage/lmdb.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "storage/crash_marker.hpp"
#include "storage/free_list.hpp"
#include "storage/lmdb_base.hpp"
#include "storage/lmdb_chunks.hpp"
#include "storage/provisional.hpp"

namespace syncline {
namespace lmdb {
namespace {

/// Of a file of so many bytes all pages are looked at, whatever would do.
constexpr std::uint64_t small_file_bytes = 64ULL << 20;

Result<PageReport> walk_base(const std::string& path, const PageProgress& progress,
                             const std::vector<std::string>& unread = {}) {
    const auto check_row = [](std::string_view name, BytesView key, BytesView stored) {
        if (name == format_table) {
            return key == format_key && stored.size() == 8 &&
                   ByteReader(stored).u64() <= base_format.version;
        }
        if (name == chunks_table) return chunk_is_sound(key, stored);
        for (std::size_t index = 0; index < tables_count; ++index) {
            if (name == table_names[index]) {
                const auto table = static_cast<Table>(index);
                return verify_row(table, key, stored) || decode_stub(table, key, stored);
            }
        }
        return false;
    };
    return walk_lmdb_pages(path + data_name, check_row, progress, unread);
}

}  // namespace

/// Rows of the tables that are left out are looked at bucket by bucket, before anything is done
/// with them.
Result<void> check_structure(const std::string& path, Look look) {
    std::vector<std::string> unread;
    struct stat status {};
    const bool known = ::stat((path + data_name).c_str(), &status) == 0;
    if (look == Look::above_rows && known &&
        static_cast<std::uint64_t>(status.st_size) > small_file_bytes) {
        unread = {table_names[static_cast<std::size_t>(Table::cells)],
                  table_names[static_cast<std::size_t>(Table::counts)], chunks_table};
    }
    const Result<PageReport> report = walk_base(path, nullptr, unread);
    if (!report) return report.error().in("base: " + path);
    if (report->faults == 0) return {};
    return Error{Code::corrupt, "base: " + path + " is damaged in " +
                                    std::to_string(report->faults) + " places (" +
                                    report->findings.front() +
                                    "), and is not opened. `syncline scrub --data` lists them. If "
                                    "peers hold the data, move the whole data directory away and "
                                    "start with an empty one: it fills itself from them, as a new "
                                    "replica"};
}

}  // namespace lmdb

namespace {

using namespace lmdb;  // what is behind this file's interface

constexpr unsigned environment_flags = MDB_NOTLS | MDB_NORDAHEAD;
constexpr unsigned readers_max = 512;
constexpr unsigned databases_max = 16;  // with room for those that a migration leaves
constexpr const char* lock_name = "LOCK";

Result<Environment> open_environment(const std::string& path, const LmdbOptions& options) {
    MDB_env* created = nullptr;
    SYNCLINE_CHECK(check("create an environment", mdb_env_create(&created)));
    Environment environment(created);
    SYNCLINE_CHECK(check("set the map's size", mdb_env_set_mapsize(created, options.map_bytes)));
    SYNCLINE_CHECK(check("set readers", mdb_env_set_maxreaders(created, readers_max)));
    SYNCLINE_CHECK(check("set tables", mdb_env_set_maxdbs(created, databases_max)));
    const int answer = mdb_env_open(created, path.c_str(), environment_flags, 0600);
    if (answer != MDB_SUCCESS) return failure("open " + path, answer);
    int dead_readers = 0;
    SYNCLINE_CHECK(check("check the readers", mdb_reader_check(created, &dead_readers)));
    return environment;
}

Result<void> write_version(MDB_txn* transaction, MDB_dbi id, std::uint64_t version) {
    Bytes bytes;
    ByteWriter(bytes).u64(version);
    MDB_val key = to_val(format_key);
    MDB_val value = to_val(bytes);
    return check("write the format", mdb_put(transaction, id, &key, &value, 0));
}

/// Writes what makes an environment a base: the tables and the format version.
Result<void> write_format(const std::string& path, const LmdbOptions& options) {
    SYNCLINE_TRY(const Environment environment, open_environment(path, options));
    SYNCLINE_TRY(Transaction transaction, begin(environment.get(), 0));
    MDB_dbi id = 0;
    for (const char* const name : table_names) {
        SYNCLINE_CHECK(
            check("create a table", mdb_dbi_open(transaction.get(), name, MDB_CREATE, &id)));
    }
    SYNCLINE_CHECK(
        check("create a table", mdb_dbi_open(transaction.get(), chunks_table, MDB_CREATE, &id)));
    SYNCLINE_CHECK(
        check("create a table", mdb_dbi_open(transaction.get(), format_table, MDB_CREATE, &id)));
    SYNCLINE_CHECK(write_version(transaction.get(), id, options.format->version));
    return commit_transaction(std::move(transaction));
}

/// The version of the format, in a transaction in which `id` becomes the table that holds it.
Result<std::uint64_t> read_format(MDB_txn* transaction, const std::string& path, MDB_dbi& id) {
    MDB_val key = to_val(format_key);
    MDB_val value{};
    int answer = mdb_dbi_open(transaction, format_table, 0, &id);
    if (answer == MDB_SUCCESS) answer = mdb_get(transaction, id, &key, &value);
    if (answer == MDB_NOTFOUND) {
        return Error{Code::corrupt, "base: " + path + " holds no format version"};
    }
    SYNCLINE_CHECK(check("read the format", answer));
    ByteReader reader(to_view(value));
    const std::uint64_t version = reader.u64();
    if (reader.done() && version > 0) return version;
    return Error{Code::corrupt, "base: " + path + " has a damaged format version"};
}

/// The tables of a base while it is brought to this program's version.
class LmdbMigration final : public MigrationTables {
public:
    explicit LmdbMigration(MDB_txn* transaction) : transaction_(transaction) {}

    Result<void> create(const std::string& table) override {
        SYNCLINE_CHECK(open(table, MDB_CREATE));
        return {};
    }

    Result<void> scan(const std::string& table, BytesView from, const RowVisitor& visit) override {
        SYNCLINE_TRY(const MDB_dbi id, open(table, 0));
        SYNCLINE_TRY(const Cursor cursor, open_cursor(transaction_, id));
        MDB_val key = to_val(from);
        MDB_val stored{};
        int answer =
            mdb_cursor_get(cursor.get(), &key, &stored, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
        while (answer == MDB_SUCCESS && visit(to_view(key), to_view(stored))) {
            answer = mdb_cursor_get(cursor.get(), &key, &stored, MDB_NEXT);
        }
        return answer == MDB_NOTFOUND ? Result<void>() : check("walk rows", answer);
    }

    Result<void> put(const std::string& table, BytesView key, BytesView stored) override {
        SYNCLINE_TRY(const MDB_dbi id, open(table, 0));
        MDB_val row_key = to_val(key);
        MDB_val row = to_val(stored);
        return check("write a row", mdb_put(transaction_, id, &row_key, &row, 0));
    }

    Result<void> erase(const std::string& table, BytesView key) override {
        SYNCLINE_TRY(const MDB_dbi id, open(table, 0));
        MDB_val row_key = to_val(key);
        const int answer = mdb_del(transaction_, id, &row_key, nullptr);
        return answer == MDB_NOTFOUND ? Result<void>() : check("erase a row", answer);
    }

private:
    /// LMDB gives a table that is open already the same number again.
    Result<MDB_dbi> open(const std::string& table, unsigned flags) {
        MDB_dbi id = 0;
        const int answer = mdb_dbi_open(transaction_, table.c_str(), flags, &id);
        if (answer != MDB_SUCCESS) return failure("open table " + table, answer);
        return id;
    }

    MDB_txn* transaction_;
};

/// Brings the base to the program's version, in one transaction, if it is of an older one.
Result<void> bring_to_format(MDB_env* environment, const std::string& path,
                             const BaseFormat& format) {
    MDB_dbi id = 0;
    SYNCLINE_TRY(Transaction reading, begin(environment, MDB_RDONLY));
    SYNCLINE_TRY(const std::uint64_t version, read_format(reading.get(), path, id));
    reading.reset();
    if (version == format.version) return {};
    SYNCLINE_CHECK(check_structure(path));
    SYNCLINE_TRY(Transaction transaction, begin(environment, 0));
    SYNCLINE_TRY(const std::uint64_t unchanged, read_format(transaction.get(), path, id));
    LmdbMigration tables(transaction.get());
    SYNCLINE_CHECK(migrate(tables, format, unchanged, path));
    SYNCLINE_CHECK(write_version(transaction.get(), id, format.version));
    return commit_transaction(std::move(transaction));
}

/// LMDB's own order, byte by byte and shorter keys first, but quicker where keys begin with a hash:
/// eight bytes tell most of them apart.
int compare_keys(const MDB_val* left, const MDB_val* right) {
    std::uint64_t left_head = 0;
    std::uint64_t right_head = 0;
    const std::size_t common = std::min(left->mv_size, right->mv_size);
    if (common >= sizeof(left_head)) {
        std::memcpy(&left_head, left->mv_data, sizeof(left_head));
        std::memcpy(&right_head, right->mv_data, sizeof(right_head));
        if (left_head != right_head) {
            return big_endian(left_head) < big_endian(right_head) ? -1 : 1;
        }
    }
    if (const int order = std::memcmp(left->mv_data, right->mv_data, common)) return order;
    return left->mv_size == right->mv_size ? 0 : left->mv_size < right->mv_size ? -1 : 1;
}

Result<Tables> open_tables(MDB_env* environment) {
    SYNCLINE_TRY(Transaction transaction, begin(environment, MDB_RDONLY));
    Tables tables;
    SYNCLINE_CHECK(check("open table format",
                         mdb_dbi_open(transaction.get(), format_table, 0, &tables.format)));
    SYNCLINE_CHECK(check("open table chunks",
                         mdb_dbi_open(transaction.get(), chunks_table, 0, &tables.chunks)));
    for (std::size_t index = 0; index < tables_count; ++index) {
        const int answer =
            mdb_dbi_open(transaction.get(), table_names[index], 0, &tables.rows[index]);
        if (answer != MDB_SUCCESS) {
            return failure(std::string("open table ") + table_names[index], answer);
        }
        SYNCLINE_CHECK(
            check("set the order of a table",
                  mdb_set_compare(transaction.get(), tables.rows[index], &compare_keys)));
    }
    // Table numbers opened in a transaction stay known only if it is committed.
    SYNCLINE_CHECK(commit_transaction(std::move(transaction)));
    return tables;
}

bool exists(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0;
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.find_last_not_of('/') == std::string::npos
                                  ? std::string::npos
                                  : path.rfind('/', path.find_last_not_of('/'));
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// LMDB lets several processes in. Ours has caches that belong to one, so that it takes this lock;
/// the kernel gives it back when the process ends, however it ends.
Result<Descriptor> take_lock(const std::string& path) {
    const std::string name = path + "/" + lock_name;
    Descriptor file(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (file.get() < 0) return failure("open " + name, errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    if (errno != EWOULDBLOCK) return failure("lock " + name, errno);
    return Error{Code::locked, "another process holds " + path};
}

/// Looks at a base whose last user may have died of it, before LMDB does.
Result<void> check_suspect(const std::string& path) {
    const std::string marker = path + "/" + suspect_name;
    if (exists(marker)) SYNCLINE_CHECK(check_structure(path));
    const Descriptor file(::open(marker.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (file.get() < 0 || ::fsync(file.get()) != 0) return failure("make " + marker, errno);
    return {};
}

/// Before anything is written: LMDB would write over what is in use if the page that names the
/// tables were damaged, or the free list were not as it was left.
Result<void> check_foundations(const std::string& path, MDB_env* environment,
                               const MappedFile& data) {
    SYNCLINE_TRY(const bool whole, is_list_of_tables_whole(environment, data));
    if (!whole) {
        SYNCLINE_CHECK(check_structure(path));
        return Error{Code::corrupt, "base: the list of tables is damaged"};
    }
    const Result<FreeList> list = read_free_list(environment, data);
    if (!list) {
        SYNCLINE_CHECK(check_structure(path));
        return list.error();
    }
    SYNCLINE_TRY(const FreeListSeal::Finding finding, FreeListSeal(path).compare(*list));
    return finding == FreeListSeal::Finding::same ? Result<void>() : check_structure(path);
}

/// Makes the environment in a directory of another name and renames it when it is complete. The
/// lock is taken before and goes along, because it belongs to the file and not to its name.
Result<Descriptor> create(const std::string& path, const LmdbOptions& options) {
    const std::string making = path + ".new";
    if (::mkdir(making.c_str(), 0700) != 0 && errno != EEXIST) {
        return failure("create " + making, errno);
    }
    SYNCLINE_TRY(Descriptor lock, take_lock(making));
    if (exists(path)) return Error{Code::locked, "another process has just made " + path};
    for (const char* const name : {data_name, "/lock.mdb"}) {
        // What an earlier attempt left half made.
        if (::unlink((making + name).c_str()) != 0 && errno != ENOENT) {
            return failure("remove " + making + name, errno);
        }
    }
    SYNCLINE_CHECK(write_format(making, options));
    SYNCLINE_CHECK(sync_directory(making));
    if (::rename(making.c_str(), path.c_str()) != 0) return failure("rename " + making, errno);
    SYNCLINE_CHECK(sync_directory(parent_of(path)));
    return lock;
}

}  // namespace

Result<std::unique_ptr<Base>> open_lmdb_base(const std::string& path, LmdbOptions options) {
    SYNCLINE_TRY(Descriptor lock, exists(path) ? take_lock(path) : create(path, options));
    // LMDB would make an empty file of a lost one, and all rows would be absent.
    if (!exists(path + data_name)) {
        return Error{Code::corrupt, "base: " + path + " has lost its data.mdb"};
    }
    SYNCLINE_CHECK(take_back_provisional(path));
    SYNCLINE_CHECK(check_suspect(path));
    SYNCLINE_TRY(Environment environment, open_environment(path, options));
    SYNCLINE_TRY(MappedFile data, MappedFile::find(path + data_name));
    SYNCLINE_CHECK(check_foundations(path, environment.get(), data));
    SYNCLINE_CHECK(bring_to_format(environment.get(), path, *options.format));
    SYNCLINE_TRY(const auto tables, open_tables(environment.get()));
    return make_base(Parts{path, std::move(lock), std::move(data), std::move(environment), tables,
                           options.reserve_bytes, options.gradual_rows});
}

Result<PageReport> check_lmdb_base(const std::string& path, const PageProgress& progress) {
    if (!exists(path + data_name)) {
        return Error{Code::corrupt, "base: " + path + " has lost its data.mdb"};
    }
    SYNCLINE_TRY(const Descriptor lock, take_lock(path));
    SYNCLINE_CHECK(take_back_provisional(path));
    return walk_base(path, progress);
}

}  // namespace syncline
