#include "storage/lmdb_chunks.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/hash.hpp"
#include "storage/lmdb_handles.hpp"

namespace syncline::lmdb {
namespace {

constexpr std::size_t stub_payload_bytes = 16;
/// Sets the checksum of a stub apart from the one that a row of the same bytes would have.
constexpr std::uint64_t stub_seed = 0x73747562;   // "stub"
constexpr std::uint64_t chunk_seed = 0x6368756e;  // "chun"

std::uint64_t stub_checksum(Table table, BytesView key, BytesView payload) {
    return hash64(payload, row_checksum(table, key, {}) ^ stub_seed);
}

/// Table, row key, number: a row's chunks are found by their names alone.
class ChunkKey {
public:
    ChunkKey(Table table, BytesView key) : row_bytes_(1 + key.size()) {
        bytes_.reserve(row_bytes_ + number_bytes);
        bytes_.push_back(static_cast<char>(table));
        bytes_.append(key);
    }
    MDB_val of(std::size_t number) {
        bytes_.resize(row_bytes_);
        ByteWriter(bytes_).u32(static_cast<std::uint32_t>(number));
        return to_val(bytes_);
    }
    [[nodiscard]] BytesView view() const { return bytes_; }

private:
    static constexpr std::size_t number_bytes = 4;
    std::size_t row_bytes_;
    Bytes bytes_;
};

Error damaged_chunks(Table table, BytesView key, const char* what) {
    return Error{Code::corrupt, std::string("base: row ") + printable(key) + " of table " +
                                    table_names[static_cast<std::size_t>(table)] + ": " + what};
}

}  // namespace

Bytes encode_stub(Table table, BytesView key, const Stub& stub) {
    Bytes stored;
    ByteWriter out(stored);
    out.u64(stub.length);
    out.u64(stub.hash);
    out.u64(stub_checksum(table, key, BytesView(stored).substr(0, stub_payload_bytes)));
    return stored;
}

std::optional<Stub> decode_stub(Table table, BytesView key, BytesView stored) {
    if (stored.size() != stub_payload_bytes + checksum_bytes) return std::nullopt;
    ByteReader in(stored);
    Stub stub;
    stub.length = in.u64();
    stub.hash = in.u64();
    if (in.u64() != stub_checksum(table, key, stored.substr(0, stub_payload_bytes))) {
        return std::nullopt;
    }
    return stub;
}

bool chunk_is_sound(BytesView key, BytesView stored) {
    if (stored.size() < checksum_bytes) return false;
    const BytesView part = stored.substr(0, stored.size() - checksum_bytes);
    return ByteReader(stored.substr(part.size())).u64() == hash64(part, hash64(key, chunk_seed));
}

Result<void> put_chunks(MDB_txn* transaction, MDB_dbi chunks, Table table, BytesView key,
                        BytesView payload) {
    ChunkKey names(table, key);
    for (std::size_t number = 0; number * chunk_bytes < payload.size(); ++number) {
        const BytesView part = payload.substr(number * chunk_bytes, chunk_bytes);
        MDB_val name = names.of(number);
        MDB_val room{part.size() + checksum_bytes, nullptr};
        SYNCLINE_CHECK(
            check("write a chunk", mdb_put(transaction, chunks, &name, &room, MDB_RESERVE)));
        char* const out = static_cast<char*>(room.mv_data);
        std::memcpy(out, part.data(), part.size());
        Bytes checksum;
        ByteWriter(checksum).u64(hash64(part, hash64(names.view(), chunk_seed)));
        std::memcpy(out + part.size(), checksum.data(), checksum_bytes);
    }
    return {};
}

Result<void> erase_chunks(MDB_txn* transaction, MDB_dbi chunks, Table table, BytesView key) {
    MDB_stat stat{};
    SYNCLINE_CHECK(check("look at the chunks", mdb_stat(transaction, chunks, &stat)));
    if (stat.ms_entries == 0) return {};
    ChunkKey names(table, key);
    for (std::size_t number = 0;; ++number) {
        MDB_val name = names.of(number);
        const int answer = mdb_del(transaction, chunks, &name, nullptr);
        if (answer == MDB_NOTFOUND) return {};
        SYNCLINE_CHECK(check("erase a chunk", answer));
    }
}

Result<Bytes> join_chunks(MDB_txn* transaction, MDB_dbi chunks, const MappedFile& data, Table table,
                          BytesView key, const Stub& stub) {
    ChunkKey names(table, key);
    Bytes payload;
    // The length stands behind a checksum, yet nothing is allocated before the first chunk is
    // there.
    while (payload.size() < stub.length) {
        MDB_val name = names.of(payload.size() / chunk_bytes);
        MDB_val stored{};
        const int answer = mdb_get(transaction, chunks, &name, &stored);
        if (answer == MDB_NOTFOUND) return damaged_chunks(table, key, "a chunk is missing");
        SYNCLINE_CHECK(check("read a chunk", answer));
        const std::size_t wanted = std::min<std::size_t>(chunk_bytes, stub.length - payload.size());
        if (data.tears(to_view(stored)) || stored.mv_size != wanted + checksum_bytes ||
            !chunk_is_sound(names.view(), to_view(stored))) {
            return damaged_chunks(table, key, "a chunk fails its checksum");
        }
        if (payload.empty()) payload.reserve(stub.length);
        payload.append(to_view(stored).substr(0, wanted));
    }
    if (row_checksum(table, key, payload) != stub.hash) {
        return damaged_chunks(table, key, "its chunks are not of one row");
    }
    return payload;
}

}  // namespace syncline::lmdb
