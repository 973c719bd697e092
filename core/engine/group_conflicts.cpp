// What is written down when an event meets values that it has not seen.
#include "core/engine/group.hpp"

namespace syncline {

Result<void> Group::find_clashes(const Event& event) {
    const CellOp* looked = nullptr;  // the ops of one collection follow each other
    for (const Op& op : event.ops) {
        const auto* const change = std::get_if<CellOp>(&op);
        if (change == nullptr || frozen(change->key)) continue;
        if (!makes_key(change->type) || !ConflictFinder::adds(*change, event)) continue;
        if (looked != nullptr && looked->key == change->key && looked->type == change->type) {
            continue;
        }
        looked = change;
        SYNCLINE_CHECK(absorb_damage(change->key, find_clashes(*change, event)));
    }
    return {};
}

/// Values of other types under the key to which the event adds, made beside it, that it leaves
/// there. Nothing is looked at unless the key has another type.
Result<void> Group::find_clashes(const CellOp& op, const Event& event) {
    SYNCLINE_TRY(Counts counts_row, counts(op.key));
    for (const CellType other : cell_types) {
        if (other == op.type || !makes_key(other)) continue;
        if (other != CellType::string && counts_row.of(other) == 0) continue;
        std::size_t looked = 0;
        bool found = false;
        for (const RowRange& range : rows_of_key(op.key, static_cast<std::uint8_t>(other))) {
            if (found) break;
            Result<void> status;
            const auto visit = [&](BytesView row_key, BytesView value) {
                const Result<Row> row = decode_row(row_key, value);
                const Result<Cell> cell =
                    row ? read_cell(row->payload, other) : Result<Cell>(row.error());
                if (!cell) {
                    status = cell.error();
                    return false;
                }
                found = finder_->on_other_type(op, row->name, *cell, event);
                return !found && ++looked < limits::clash_rows_max;
            };
            SYNCLINE_CHECK(store_.scan(Table::cells, range.first, range.last, visit));
            SYNCLINE_CHECK(status);
            if (looked >= limits::clash_rows_max) break;
        }
    }
    return {};
}

Result<void> Group::record_conflicts(Position position) {
    if (!finder_) return {};
    const std::uint64_t omitted = finder_->omitted();
    std::vector<ConflictRecord> records = finder_->take();
    finder_.reset();
    if (records.empty() && omitted == 0) return {};
    return conflicts_.append(std::move(records), omitted, clock_.last(), position);
}

}  // namespace syncline
