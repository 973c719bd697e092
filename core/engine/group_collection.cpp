// What a group drops once every replica has it: crdt/README.md says what, and why nobody misses it.
#include "core/engine/group.hpp"

namespace syncline {

void Group::begin_noting_collectable() {
    notes_collectable_ = true;
    unsearched_ = Bytes();
}

void Group::begin_collection(const VersionVector& cut) {
    collect_cut_ = cut;
    collect_from_.clear();
    collected_ = false;
}

/// After a start the rows that are there are searched once, a part at a time.
Result<void> Group::find_collectable(std::size_t rows_max) {
    const auto bucket = static_cast<std::uint32_t>(
        unsearched_->size() < sizeof(std::uint64_t) ? 0 : leaf_sums_.bucket(*unsearched_));
    std::size_t looked = 0;
    Result<void> status;
    const auto visit = [&](BytesView row_key, BytesView value) {
        unsearched_ = successor(row_key);
        const auto look = [&]() -> Result<void> {
            SYNCLINE_TRY(const Row row, decode_row(row_key, value));
            const std::optional<CellType> type = cell_type_from(row.name.type);
            if (!type) return {};  // a text's
            SYNCLINE_TRY(const Cell cell, read_cell(row.payload, *type));
            if (cell.collectable(*type)) collectable_.insert(Bytes(row_key));
            return {};
        };
        status = look();
        return status.has_value() && ++looked < rows_max;
    };
    Result<void> searched;
    if (!damaged_.contains(bucket)) {
        searched = store_.scan(Table::cells, *unsearched_, {}, visit);
        if (searched) searched = status;
    }
    if (searched && !damaged_.contains(bucket)) {
        if (looked < rows_max) unsearched_.reset();
        return {};
    }
    if (!searched && searched.error().code != Code::corrupt) return searched;
    // Damaged somewhere from here on, which has hidden rows in front of it: what is left of this
    // bucket, if it is sound, and then on behind it.
    const std::uint32_t at = unsearched_->size() < sizeof(std::uint64_t)
                                 ? 0
                                 : static_cast<std::uint32_t>(leaf_sums_.bucket(*unsearched_));
    SYNCLINE_CHECK(verify_bucket(at));
    const RowRange rest{*unsearched_, rows_of_bucket(at).last};
    if (!damaged_.contains(at)) {
        looked = 0;
        searched = store_.scan(Table::cells, rest.first, rest.last, visit);
        if (!searched && searched.error().code != Code::corrupt) return searched;
        SYNCLINE_CHECK(status);
        if (looked >= rows_max) return {};
    }
    unsearched_ = rest.last;
    if (unsearched_->empty()) unsearched_.reset();
    return {};
}

Result<bool> Group::collect(std::size_t rows_max, Position position) {
    const TakingIn here(*this);
    if (unsearched_) {
        SYNCLINE_CHECK(find_collectable(rows_max));
        collected_ = false;
        return false;
    }
    if (collected_) return true;
    for (std::size_t looked = 0; looked < rows_max; ++looked) {
        const auto next = collectable_.lower_bound(collect_from_);
        if (next == collectable_.end()) {
            collected_ = true;
            return true;
        }
        const Bytes row_bytes = *next;
        collect_from_ = successor(row_bytes);
        const auto bucket = static_cast<std::uint32_t>(leaf_sums_.bucket(row_bytes));
        const Result<std::optional<Bytes>> found = store_.get(Table::cells, row_bytes);
        if (!found && found.error().code != Code::corrupt) return found.error();
        if (!found) mark_damaged(bucket, found.error().message);
        if (!found || !*found || damaged_.contains(bucket)) {
            collectable_.erase(next);
            continue;
        }
        const std::optional<Bytes>& value = *found;
        SYNCLINE_TRY(const Row row, decode_row(row_bytes, *value));
        const CellType type = cell_type_from(row.name.type).value();
        SYNCLINE_TRY(const Cell before, read_cell(row.payload, type));
        Cell after = before;
        after.collect(type, collect_cut_);
        if (!after.collectable(type)) collectable_.erase(next);
        if (after == before) continue;
        ++rows_collected_;
        const std::optional<BytesView> field =
            row.name.field ? std::optional<BytesView>(*row.name.field) : std::nullopt;
        SYNCLINE_CHECK(replace(encode_row_key(row.name.key, row.name.type, field), row.name, value,
                               before, after, position));
    }
    return false;
}

}  // namespace syncline
