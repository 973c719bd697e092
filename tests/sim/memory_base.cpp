#include "tests/sim/memory_base.hpp"

namespace syncline::sim {

const MemoryBase::Rows& MemoryBase::rows_in_view(Table table) {
    if (!view_) view_ = rows_;
    return (*view_)[static_cast<std::size_t>(table)];
}

Result<std::optional<Bytes>> MemoryBase::get(Table table, BytesView key) {
    SYNCLINE_TRY(const std::optional<BytesView> found, view(table, key));
    return found ? std::optional<Bytes>(*found) : std::nullopt;
}

Result<std::optional<BytesView>> MemoryBase::view(Table table, BytesView key) {
    const Rows& rows = rows_in_view(table);
    const auto found = rows.find(key);
    if (found == rows.end()) return std::optional<BytesView>();
    return std::optional<BytesView>(found->second);
}

Result<void> MemoryBase::scan(Table table, BytesView from, BytesView to, const RowVisitor& visit) {
    const Rows& rows = rows_in_view(table);
    for (auto row = rows.lower_bound(from); row != rows.end(); ++row) {
        if ((!to.empty() && row->first >= to) || !visit(row->first, row->second)) break;
    }
    return {};
}

Result<void> MemoryBase::scan_reverse(Table table, BytesView from, BytesView to,
                                      const RowVisitor& visit) {
    const Rows& rows = rows_in_view(table);
    auto row = to.empty() ? rows.end() : rows.lower_bound(to);
    while (row != rows.begin()) {
        --row;
        if (row->first < from || !visit(row->first, row->second)) break;
    }
    return {};
}

Result<void> MemoryBase::commit(const BaseChanges& changes,
                                const std::vector<ErasedRange>& erased) {
    if (rows_.use_count() > 1) rows_ = std::make_shared<Tables>(*rows_);
    for (const auto& [table, range] : erased) erase(table, range);
    for (std::size_t table = 0; table < tables_count; ++table) {
        Rows& rows = (*rows_)[table];
        for (const auto& [key, value] : changes[table]) {
            if (value) {
                rows.insert_or_assign(key, *value);
            } else {
                rows.erase(key);
            }
        }
    }
    return {};
}

Result<void> MemoryBase::purge(const std::vector<Purge>& purges) {
    if (rows_.use_count() > 1) rows_ = std::make_shared<Tables>(*rows_);
    for (const Purge& purge : purges) {
        if (purge.range) erase(purge.table, *purge.range);  // no row fails its checksum here
    }
    return {};
}

void MemoryBase::erase(Table table, const RowRange& range) {
    Rows& rows = (*rows_)[static_cast<std::size_t>(table)];
    const auto end = range.last.empty() ? rows.end() : rows.lower_bound(range.last);
    rows.erase(rows.lower_bound(range.first), end);
}

std::unique_ptr<MemoryBase> MemoryBase::clone() const {
    auto copy = std::make_unique<MemoryBase>();
    *copy->rows_ = *rows_;
    return copy;
}

}  // namespace syncline::sim
