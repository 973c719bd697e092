#include "storage/free_list.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/hash.hpp"
#include "storage/lmdb_pages.hpp"

namespace syncline::lmdb {
namespace {

constexpr const char* seal_name = "/FREE-LIST";
constexpr std::size_t seal_bytes = 24;
/// LMDB's own two.
constexpr MDB_dbi table_of_free_pages = 0;
constexpr MDB_dbi list_of_tables = 1;

Bytes encode_seal(std::uint64_t commit, std::uint64_t hash) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.u64(commit);
    out.u64(hash);
    out.u64(hash64(bytes));
    return bytes;
}

}  // namespace

Result<FreeList> read_free_list(MDB_env* environment, const MappedFile& data) {
    SYNCLINE_TRY(const Transaction transaction, begin(environment, MDB_RDONLY));
    SYNCLINE_TRY(const Cursor cursor, open_cursor(transaction.get(), table_of_free_pages));
    FreeList list;
    const char* last_page = nullptr;
    list.commit = mdb_txn_id(transaction.get());
    MDB_val key{};
    MDB_val row{};
    int answer = MDB_SUCCESS;
    while ((answer = mdb_cursor_get(cursor.get(), &key, &row, MDB_NEXT)) == MDB_SUCCESS) {
        std::size_t freed_by = 0;
        std::size_t count = 0;  // a row begins with its length
        bool sound = key.mv_size == sizeof freed_by && row.mv_size >= sizeof count &&
                     data.holds(to_view(key)) && data.holds(to_view(row));
        if (sound && page_at(to_view(key)).data() != last_page) {
            last_page = page_at(to_view(key)).data();
            sound = is_leaf_page_whole(page_at(to_view(key)));
        }
        if (!sound) return Error{Code::corrupt, "base: the list of free pages is damaged"};
        std::memcpy(&freed_by, key.mv_data, sizeof freed_by);
        std::memcpy(&count, row.mv_data, sizeof count);
        list.pages += count;
        if (freed_by >= list.commit) list.fresh += count;
        list.hash = hash64(to_view(row), hash64(to_view(key), list.hash));
    }
    if (answer != MDB_NOTFOUND) return failure("read the list of free pages", answer);
    return list;
}

Result<bool> is_list_of_tables_whole(MDB_env* environment, const MappedFile& data) {
    SYNCLINE_TRY(const Transaction transaction, begin(environment, MDB_RDONLY));
    SYNCLINE_TRY(const Cursor cursor, open_cursor(transaction.get(), list_of_tables));
    MDB_val key{};
    MDB_val row{};
    const int answer = mdb_cursor_get(cursor.get(), &key, &row, MDB_FIRST);
    if (answer == MDB_NOTFOUND) return true;  // who looks for a table will tell
    SYNCLINE_CHECK(check("read the list of tables", answer));
    return data.holds(to_view(key)) && is_leaf_page_whole(page_at(to_view(key)));
}

FreeListSeal::FreeListSeal(const std::string& base_path) : name_(base_path + seal_name) {}

void FreeListSeal::set(const FreeList& list) {
    if (file_.get() < 0) {
        file_ = Descriptor(::open(name_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    const Bytes bytes = encode_seal(list.commit, list.hash);
    (void)!::pwrite(file_.get(), bytes.data(), bytes.size(), 0);
}

Result<FreeListSeal::Finding> FreeListSeal::compare(const FreeList& list) const {
    const Descriptor file(::open(name_.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0 && errno == ENOENT) return Finding::unknown;
    if (file.get() < 0) return failure("open " + name_, errno);
    Bytes bytes(seal_bytes, '\0');
    const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
    if (got < 0) return failure("read " + name_, errno);
    ByteReader in(bytes);
    const std::uint64_t commit = in.u64();
    const std::uint64_t hash = in.u64();
    const bool whole =
        got == static_cast<ssize_t>(seal_bytes) && bytes == encode_seal(commit, hash);
    if (!whole || commit != list.commit) return Finding::unknown;
    return hash == list.hash ? Finding::same : Finding::different;
}

}  // namespace syncline::lmdb
