#include "core/engine/conflict_ring.hpp"

#include <algorithm>

#include "core/base/limits.hpp"
#include "core/base/mutation.hpp"

namespace syncline {
namespace {

const BytesView meta_ring = "group.conflicts";
/// What a row costs besides its bytes: key and checksum.
constexpr std::uint64_t row_overhead = 16;

Bytes row_key_of(std::uint64_t sequence) {
    Bytes key;
    ByteWriter(key).u64(sequence);
    return key;
}

bool fits(const ConflictRecord& record, const ConflictQuery& query) {
    if (query.kind && record.kind != *query.kind) return false;
    if (query.key && record.key != *query.key) return false;
    return !query.prefix || BytesView(record.key).substr(0, query.prefix->size()) == *query.prefix;
}

}  // namespace

Result<void> ConflictRing::append(std::vector<ConflictRecord> records, std::uint64_t omitted,
                                  Hlc now, Position position) {
    dropped_ += omitted;
    for (ConflictRecord& record : records) {
        record.sequence = next_;
        record.first_seen = now;
        Bytes row = encode_conflict(record);
        bytes_ += row.size() + row_overhead;
        ++by_kind_[static_cast<std::size_t>(record.kind) - 1];
        store_.put(Table::conflicts, row_key_of(next_++), std::move(row), position);
        while (bytes_ > bytes_max_) SYNCLINE_CHECK(drop_oldest(position));
    }
    return {};
}

Result<void> ConflictRing::drop_oldest(Position position) {
    const Bytes key = row_key_of(first_);
    const Result<std::optional<Bytes>> row = store_.get(Table::conflicts, key);
    if (!row && row.error().code != Code::corrupt) return row.error();
    // A damaged record leaves like another; what it took is not known any more.
    const std::uint64_t bytes = row && *row ? (*row)->size() + row_overhead : row_overhead;
    bytes_ -= std::min(bytes, bytes_);
    if (first_ == next_) bytes_ = 0;
    store_.erase(Table::conflicts, key, position);
    ++first_;
    ++dropped_;
    return {};
}

Result<ConflictRecord> ConflictRing::read(std::uint64_t sequence) {
    SYNCLINE_TRY(const std::optional<Bytes> row,
                 store_.get(Table::conflicts, row_key_of(sequence)));
    if (row) return decode_conflict(sequence, *row);
    return Error{Code::corrupt, "conflict record " + std::to_string(sequence) + " is missing"};
}

Result<ConflictPage> ConflictRing::page(const ConflictQuery& query) {
    ConflictPage page;
    std::uint64_t low = first_;
    std::uint64_t end = next_;
    if (query.after && query.newest_first) end = std::min(end, *query.after);
    if (query.after && !query.newest_first && *query.after >= low) {
        low = *query.after >= end ? end : *query.after + 1;
    }
    page.next = query.after.value_or(query.newest_first ? next_ : first_ - 1);
    std::size_t bytes = 0;
    for (std::size_t looked = 0; low < end; ++looked) {
        page.more = looked == limits::conflict_rows_per_page ||
                    page.records.size() >= query.count ||
                    bytes >= limits::conflict_page_bytes_target;
        if (page.more) break;
        const std::uint64_t sequence = query.newest_first ? --end : low++;
        SYNCLINE_TRY(ConflictRecord record, read(sequence));
        page.next = sequence;
        if (!fits(record, query)) continue;
        bytes += encode_conflict(record).size();
        page.records.push_back(std::move(record));
    }
    return page;
}

std::uint64_t ConflictRing::recorded(ConflictKind kind) const {
    return by_kind_[static_cast<std::size_t>(kind) - 1];
}

void ConflictRing::save(RowChanges& meta) const {
    if (mutated(Mutation::conflict_ring)) return;
    Bytes state;
    ByteWriter out(state);
    out.varint(first_);
    out.varint(next_);
    out.varint(bytes_);
    out.varint(dropped_);
    out.varint(by_kind_.size());
    for (const std::uint64_t count : by_kind_) out.varint(count);
    meta[Bytes(meta_ring)] = std::move(state);
}

Result<void> ConflictRing::load() {
    SYNCLINE_TRY(const std::optional<Bytes> state, store_.get(Table::meta, meta_ring));
    if (!state) return {};  // a checkpoint of before there were records
    ByteReader in(*state);
    first_ = in.varint();
    next_ = in.varint();
    bytes_ = in.varint();
    dropped_ = in.varint();
    const std::uint64_t kinds = in.varint();
    // Kinds are only ever added; an older checkpoint knows fewer.
    if (kinds > by_kind_.size()) in.fail();
    for (std::size_t i = 0; i < kinds && in.ok(); ++i) by_kind_[i] = in.varint();
    if (in.done() && first_ >= 1 && next_ >= first_) return {};
    return Error{Code::corrupt, "the checkpoint's figures of the conflict ring are damaged"};
}

}  // namespace syncline
