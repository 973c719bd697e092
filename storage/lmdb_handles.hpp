#pragma once
#include <lmdb.h>

#include <array>
#include <memory>
#include <string>

#include "storage/base.hpp"

/// What the files around LMDB share: handles that close themselves, and answers as errors.
namespace syncline::lmdb {

constexpr std::array<const char*, tables_count> table_names = {"cells", "counts", "meta",
                                                               "conflicts", "deadlines"};
constexpr std::uintptr_t page_bytes = 4096;
constexpr const char* data_name = "/data.mdb";
constexpr const char* format_table = "format";
constexpr std::string_view format_key = "version";

inline const char* name_of(Table table) {
    return table_names[static_cast<std::size_t>(table)];
}

/// `answer`: of an mdb call, or an errno.
Error failure(const std::string& action, int answer);
Result<void> check(const char* action, int answer);

/// What was made, renamed or removed in it is durable.
Result<void> sync_directory(const std::string& path);

MDB_val to_val(BytesView bytes);
BytesView to_view(const MDB_val& value);

/// The payload of a stored value. Error corrupt.
Result<BytesView> verify_row(Table table, BytesView key, BytesView stored);
std::uint64_t row_checksum(Table table, BytesView key, BytesView payload);
constexpr std::size_t checksum_bytes = 8;

struct EnvironmentCloser {
    void operator()(MDB_env* environment) const { mdb_env_close(environment); }
};
using Environment = std::unique_ptr<MDB_env, EnvironmentCloser>;

struct TransactionAborter {
    void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
};
using Transaction = std::unique_ptr<MDB_txn, TransactionAborter>;

struct CursorCloser {
    void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Cursor = std::unique_ptr<MDB_cursor, CursorCloser>;

Result<Transaction> begin(MDB_env* environment, unsigned flags);
Result<Cursor> open_cursor(MDB_txn* transaction, MDB_dbi table);
/// The page on which the key of a row stands. Precondition: it lies in the file's memory.
BytesView page_at(BytesView key);
Result<void> commit_transaction(Transaction transaction);

}  // namespace syncline::lmdb
