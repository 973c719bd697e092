#pragma once
#include <optional>
#include <vector>

#include "core/base/result.hpp"
#include "crdt/cell.hpp"
#include "storage/store.hpp"
#include "storage/tables.hpp"

/// What the files of Group share.
namespace syncline {

/// Rows changed at a time while a range is worked off, so that no copy of the whole is made.
constexpr std::size_t slice_rows = 1024;

struct RawRow {
    Bytes key;
    Bytes value;
};

/// Up to slice_rows rows from `from` on; what the caller does with them may change the store.
Result<std::vector<RawRow>> read_slice(Store& store, BytesView from, BytesView to,
                                       std::size_t rows_max = slice_rows);

/// The type of a row of table `cells` that is a cell. Errors: version (of no known type), corrupt.
Result<CellType> type_of(const RowName& name);

inline std::optional<BytesView> view(const std::optional<Bytes>& bytes) {
    return bytes ? std::optional<BytesView>(*bytes) : std::nullopt;
}

}  // namespace syncline
