#include "core/engine/group_rows.hpp"

#include "crdt/bounded_counter.hpp"
#include "crdt/position.hpp"
#include "crdt/text_rows.hpp"

namespace syncline {

Result<std::vector<RawRow>> read_slice(Store& store, BytesView from, BytesView to,
                                       std::size_t rows_max) {
    std::vector<RawRow> rows;
    SYNCLINE_CHECK(store.scan(Table::cells, from, to, [&](BytesView key, BytesView value) {
        rows.push_back(RawRow{Bytes(key), Bytes(value)});
        return rows.size() < rows_max;
    }));
    return rows;
}

Result<CellType> type_of(const RowName& name) {
    const std::optional<CellType> type = cell_type_from(name.type);
    if (type && traits_of(*type).has_positions && !is_position(name.field.value_or(Bytes()))) {
        return Error{Code::corrupt, "row of a list without a position"};
    }
    if (type == CellType::text && !generation_from(name.field.value_or(Bytes()))) {
        return Error{Code::corrupt, "row of a text without a generation"};
    }
    if (type == CellType::bounded_counter && !rights_row(name.field.value_or(Bytes()))) {
        return Error{Code::corrupt, "row of a bounded counter without a name"};
    }
    if (type) return *type;
    return Error{Code::version, "row of unknown type " + std::to_string(name.type)};
}

}  // namespace syncline
