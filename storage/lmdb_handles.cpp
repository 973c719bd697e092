#include "storage/lmdb_handles.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/hash.hpp"
#include "storage/descriptor.hpp"

namespace syncline::lmdb {
namespace {

Code code_of(int answer) {
    switch (answer) {
        case MDB_MAP_FULL:
        case ENOSPC:
        case EDQUOT:
            return Code::no_space;
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
        case MDB_NOTFOUND:  // where absence is an answer, the caller has taken it
        case MDB_BAD_TXN:
            return Code::corrupt;
        case MDB_VERSION_MISMATCH:
            return Code::version;
        default:
            return Code::io;
    }
}

}  // namespace

Error failure(const std::string& action, int answer) {
    std::string message = "base: " + action + ": " + mdb_strerror(answer);
    if (answer == MDB_MAP_FULL) message += " (the map has no free page left)";
    return Error{code_of(answer), std::move(message)};
}

Result<void> check(const char* action, int answer) {
    if (answer == MDB_SUCCESS) return {};
    return failure(action, answer);
}

Result<void> sync_directory(const std::string& path) {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0 || ::fsync(directory.get()) != 0) return failure("sync " + path, errno);
    return {};
}

MDB_val to_val(BytesView bytes) {
    // LMDB takes keys through a pointer to mutable bytes and leaves them alone.
    return MDB_val{bytes.size(), const_cast<char*>(bytes.data())};
}

BytesView to_view(const MDB_val& value) {
    return BytesView(static_cast<const char*>(value.mv_data), value.mv_size);
}

std::uint64_t row_checksum(Table table, BytesView key, BytesView payload) {
    return hash64(payload, hash64(key, static_cast<std::uint64_t>(table)));
}

Result<BytesView> verify_row(Table table, BytesView key, BytesView stored) {
    if (stored.size() >= checksum_bytes) {
        const BytesView payload = stored.substr(0, stored.size() - checksum_bytes);
        const std::uint64_t checksum = ByteReader(stored.substr(payload.size())).u64();
        if (row_checksum(table, key, payload) == checksum) return payload;
    }
    return Error{Code::corrupt, std::string("base: row ") + printable(key) + " of table " +
                                    name_of(table) + " fails its checksum"};
}

Result<Transaction> begin(MDB_env* environment, unsigned flags) {
    MDB_txn* transaction = nullptr;
    SYNCLINE_CHECK(
        check("begin a transaction", mdb_txn_begin(environment, nullptr, flags, &transaction)));
    return Transaction(transaction);
}

Result<Cursor> open_cursor(MDB_txn* transaction, MDB_dbi table) {
    MDB_cursor* opened = nullptr;
    SYNCLINE_CHECK(check("open a cursor", mdb_cursor_open(transaction, table, &opened)));
    return Cursor(opened);
}

BytesView page_at(BytesView key) {
    const auto address = reinterpret_cast<std::uintptr_t>(key.data());
    return BytesView(key.data() - address % page_bytes, page_bytes);
}

Result<void> commit_transaction(Transaction transaction) {
    return check("commit", mdb_txn_commit(transaction.release()));
}

}  // namespace syncline::lmdb
