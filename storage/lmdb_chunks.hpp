#pragma once
#include <lmdb.h>

#include <functional>
#include <optional>

#include "storage/base.hpp"
#include "storage/mapped_file.hpp"

/// Rows too long for pages that LMDB finds easily. A value takes adjacent pages, so that long ones
/// leave holes that the next does not fit in, and the file grows for nothing. So a payload above
/// chunk_rows_from stands in pieces of table `chunks`, and in its own table a stub that names its
/// length and hash. Chunks are written and removed with their row, in one transaction, and never
/// changed. Bytes: storage/FORMAT.md.
namespace syncline::lmdb {

constexpr const char* chunks_table = "chunks";
constexpr std::size_t chunk_rows_from = 64 * 1024;
/// Of the payload in one chunk: with checksum and LMDB's page header 16 pages.
constexpr std::size_t chunk_bytes = chunk_rows_from - 32;

/// What stands in place of a long row.
struct Stub {
    std::uint64_t length = 0;
    std::uint64_t hash = 0;  ///< row_checksum of the payload
};
/// What is stored for one, with its checksum.
Bytes encode_stub(Table table, BytesView key, const Stub& stub);
/// Nothing when it is none, or a damaged one.
std::optional<Stub> decode_stub(Table table, BytesView key, BytesView stored);

/// Whether a row of table `chunks` is what it was. `key`: with table, row key and number in it.
bool chunk_is_sound(BytesView key, BytesView stored);

/// Writes the chunks of a row. Precondition: it has none.
Result<void> put_chunks(MDB_txn* transaction, MDB_dbi chunks, Table table, BytesView key,
                        BytesView payload);
/// Removes all chunks that the row may have. Cheap where the table is empty.
Result<void> erase_chunks(MDB_txn* transaction, MDB_dbi chunks, Table table, BytesView key);
/// The payload. Error corrupt: a chunk is missing or damaged.
Result<Bytes> join_chunks(MDB_txn* transaction, MDB_dbi chunks, const MappedFile& data, Table table,
                          BytesView key, const Stub& stub);

}  // namespace syncline::lmdb
