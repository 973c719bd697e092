// Removing all rows of a key, or of buckets, as far as an event has seen them.
#include <set>

#include "core/base/mutation.hpp"
#include "core/engine/group.hpp"
#include "core/engine/group_rows.hpp"

namespace syncline {
namespace {

/// A key with fewer elements is cleared row by row.
constexpr std::uint64_t cleared_as_one_min = 256;

}  // namespace

Result<void> Group::clear_key(BytesView key, const Event& event, Position position) {
    SYNCLINE_TRY(const Counts counts_row, counts(key));
    const std::vector<RowRange> ranges = rows_of_key(key);
    if (counts_row.sum() >= cleared_as_one_min) {
        SYNCLINE_TRY(const bool cleared, clear_as_one(ranges, event, position));
        if (cleared) return {};
    }
    for (const RowRange& range : ranges) {
        SYNCLINE_CHECK(clear_range(range, event, position));
    }
    return {};
}

/// Bucket by bucket, because one that is damaged must not keep the others from being cleared.
Result<void> Group::clear_buckets(const RowRange& range, const Event& event, Position position) {
    const std::size_t end =
        range.last.empty() ? bucket_states_.size() - 1 : leaf_sums_.bucket(range.last);
    for (std::size_t index = leaf_sums_.bucket(range.first); index <= end; ++index) {
        const auto bucket = static_cast<std::uint32_t>(index);
        if (damaged_.contains(bucket)) {
            ++passed_by_;
            continue;
        }
        RowRange rows = rows_of_bucket(bucket);
        rows.first = std::max(rows.first, range.first);
        if (rows.last.empty() || (!range.last.empty() && range.last < rows.last)) {
            rows.last = range.last;
        }
        if (!rows.last.empty() && rows.first >= rows.last) continue;
        Result<void> cleared;
        if (const Result<bool> one = clear_as_one({rows}, event, position); !one) {
            cleared = one.error();
        } else if (!*one) {
            cleared = clear_range(rows, event, position);
        }
        if (cleared) continue;
        if (cleared.error().code != Code::corrupt) return cleared;
        mark_damaged(bucket, cleared.error().message);
    }
    return {};
}

/// What clear_range does to a row that goes with all others of the range: false, it stays.
Result<bool> Group::goes_whole(const Row& row, const Event& event) {
    if (row.name.type == text_row_type) return false;
    SYNCLINE_TRY(const CellType type, type_of(row.name));
    if (is_permanent(type) || type == CellType::text) return false;
    SYNCLINE_TRY(Cell cell, read_cell(row.payload, type));
    cell.dots.remove_covered(event.past);
    return cell.empty();
}

/// Ranges with all rows of some keys, of which none stays, are erased as wholes: the overlay need
/// not remember each row, of which there may be more than fit into memory. False: some row stays,
/// and nothing is done. Reads all rows twice.
Result<bool> Group::clear_as_one(const std::vector<RowRange>& ranges, const Event& event,
                                 Position position) {
    Result<bool> whole = true;
    const auto look = [&](BytesView row_key, BytesView value) {
        const Result<Row> row = decode_row(row_key, value);
        whole = row ? goes_whole(*row, event) : Result<bool>(row.error());
        return whole && *whole;
    };
    for (const RowRange& range : ranges) {
        SYNCLINE_CHECK(store_.scan(Table::cells, range.first, range.last, look));
        if (!whole || !*whole) return whole;
    }
    std::set<Bytes> keys;  // that lived: long fields have rows of another form, elsewhere
    for (const RowRange& range : ranges) {
        SYNCLINE_CHECK(forget_rows(range, event, position, keys));
    }
    for (const Bytes& key : keys) count_key(key, false);
    edges_ = RangeEdges();
    ranks_ = RankIndex();
    // What is derived from rows has their keys in front, as they have.
    for (const RowRange& range : ranges) {
        store_.erase_range(Table::cells, range, position);
        store_.erase_range(Table::counts, range, position);
    }
    return true;
}

/// All that replace() does when rows go but for the rows themselves, and what is derived from them
/// in table `counts`.
Result<void> Group::forget_rows(const RowRange& range, const Event& event, Position position,
                                std::set<Bytes>& keys) {
    Bytes from = range.first;
    while (true) {
        SYNCLINE_TRY(const std::vector<RawRow> rows, read_slice(store_, from, range.last));
        for (const RawRow& raw : rows) {
            SYNCLINE_TRY(const Row row, decode_row(raw.key, raw.value));
            SYNCLINE_TRY(const CellType type, type_of(row.name));
            SYNCLINE_TRY(const Cell cell, read_cell(row.payload, type));
            adjust_check(raw.key, row.name, type, cell, Cell());
            if (finder_) {
                const RowKey row_key =
                    encode_row_key(row.name.key, row.name.type, view(row.name.field));
                finder_->on_clear(row_key, row.name, cell, event);
            }
            leaf_sums_.remove(raw.key, raw.value);
            if (type == CellType::expiry) index_deadline(row.name, cell, Cell(), position);
            if (cell.live() && makes_key(type)) keys.insert(row.name.key);
        }
        if (rows.size() < slice_rows) return {};
        from = successor(rows.back().key);
    }
}

Result<void> Group::clear_range(const RowRange& range, const Event& event, Position position) {
    Bytes from = range.first;
    while (true) {
        SYNCLINE_TRY(const std::vector<RawRow> rows, read_slice(store_, from, range.last));
        for (const RawRow& raw : rows) {
            SYNCLINE_TRY(const Row row, decode_row(raw.key, raw.value));
            if (row.name.type == text_row_type) continue;  // goes with its generation
            SYNCLINE_TRY(const CellType type, type_of(row.name));
            if (is_permanent(type) && !mutated(Mutation::rights_clear)) continue;
            SYNCLINE_TRY(const Cell before, read_cell(row.payload, type));
            const RowKey row_key =
                encode_row_key(row.name.key, row.name.type, view(row.name.field));
            if (finder_) finder_->on_clear(row_key, row.name, before, event);
            Cell after = before;
            after.dots.remove_covered(event.past);
            if (after == before) continue;
            if (finder_ && type == CellType::text) {
                SYNCLINE_CHECK(find_lost_edits(row_key, row.name, event));
            }
            SYNCLINE_CHECK(replace(row_key, row.name, raw.value, before, after, position));
        }
        if (rows.size() < slice_rows) return {};
        from = successor(rows.back().key);
    }
}

}  // namespace syncline
