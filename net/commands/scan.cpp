#include "net/commands/scan.hpp"

#include <algorithm>
#include <charconv>

#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/glob.hpp"
#include "storage/tables.hpp"

namespace syncline {
namespace {

std::optional<std::uint64_t> parse_cursor(BytesView text) {
    std::uint64_t cursor = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return cursor;
}

/// A place among the rows of a collection: one of the two ranges its rows may stand in, and the
/// first four bytes of what follows the range's common prefix, the hash of the field.
struct Place {
    std::size_t range = 0;
    std::uint32_t hash = 0;

    [[nodiscard]] std::uint64_t cursor() const { return (std::uint64_t{range} << 32U | hash) + 1; }
    static Place at(std::uint64_t cursor) {
        if (cursor == 0) return {};
        return {(cursor - 1) >> 32U, static_cast<std::uint32_t>(cursor - 1)};
    }
    bool operator==(const Place&) const = default;
};

std::uint32_t hash_after(BytesView row_key, std::size_t prefix_bytes) {
    Bytes padded(row_key.substr(std::min(prefix_bytes, row_key.size()), 4));
    padded.resize(4, '\0');
    return ByteReader(padded).u32();
}

/// One of the ranges, from `place` on. `looked` counts rows; the result is where to go on.
Result<std::optional<Place>> scan_range(Store& store, const RowRange& range, CellType type,
                                        Place place, std::size_t count, std::size_t& looked,
                                        const CellVisitor& visit) {
    Bytes from = range.first;
    ByteWriter(from).u32(place.hash);
    std::optional<Place> next;
    Result<void> status;
    const auto visit_row = [&](BytesView row_key, BytesView value) {
        const Place here{place.range, hash_after(row_key, range.first.size())};
        if (looked >= count && here != place) {
            next = here;
            return false;
        }
        place = here;
        ++looked;
        Result<Row> row = decode_row(row_key, value);
        Result<Cell> cell = row ? read_cell(row->payload, type) : Result<Cell>(row.error());
        if (!cell) {
            status = cell.error();
            return false;
        }
        if (cell->live()) visit(row->name.field ? BytesView(*row->name.field) : BytesView(), *cell);
        return true;
    };
    SYNCLINE_CHECK(store.scan(Table::cells, from, range.last, visit_row));
    SYNCLINE_CHECK(status);
    return next;
}

}  // namespace

bool ScanOptions::matches(BytesView text) const {
    return !match || glob_match(*match, text);
}

Result<std::optional<ScanOptions>> parse_scan(CommandContext& context, std::size_t cursor_index,
                                              bool with_type) {
    const auto syntax_error = [&]() {
        context.reply.error(error_text::syntax);
        return std::optional<ScanOptions>();
    };
    ScanOptions options;
    const std::optional<std::uint64_t> cursor = parse_cursor(context.argument(cursor_index));
    if (!cursor) {
        context.reply.error("ERR invalid cursor");
        return std::optional<ScanOptions>();
    }
    options.cursor = *cursor;
    for (std::size_t i = cursor_index + 1; i < context.count(); i += 2) {
        if (i + 1 == context.count()) return syntax_error();
        const Bytes& value = context.argument(i + 1);
        if (equal_nocase(context.argument(i), "count")) {
            SYNCLINE_TRY(const std::int64_t count, integer_argument(value));
            if (count < 1) return syntax_error();
            options.count = static_cast<std::size_t>(count);
        } else if (equal_nocase(context.argument(i), "match")) {
            options.match = value;
        } else if (with_type && equal_nocase(context.argument(i), "type")) {
            options.type = lower(value);
        } else {
            return syntax_error();
        }
    }
    return std::optional(std::move(options));
}

Result<std::uint64_t> scan_fields(Transaction& txn, BytesView key, CellType type,
                                  std::uint64_t cursor, std::size_t count,
                                  const CellVisitor& visit) {
    if (!txn.empty()) {  // staged changes have no place in the order: everything at once
        SYNCLINE_CHECK(txn.scan_cells(key, type, visit));
        return std::uint64_t{0};
    }
    SYNCLINE_TRY(const std::optional<CellType> visible, txn.visible_type(key));
    if (!visible) return std::uint64_t{0};  // it may have expired
    const std::vector<RowRange> ranges = rows_of_key(key, static_cast<std::uint8_t>(type));
    std::size_t looked = 0;
    Place place = Place::at(cursor);
    for (; place.range < ranges.size(); place = Place{place.range + 1, 0}) {
        SYNCLINE_TRY(const std::optional<Place> next,
                     scan_range(txn.group().store(), ranges[place.range], type, place, count,
                                looked, visit));
        if (next) return next->cursor();
    }
    return std::uint64_t{0};
}

void reply_scan(RespWriter& reply, std::uint64_t cursor, const std::vector<Bytes>& elements) {
    reply.array(2);
    reply.bulk(std::to_string(cursor));
    reply.array(elements.size());
    for (const Bytes& element : elements) reply.bulk(element);
}

}  // namespace syncline
