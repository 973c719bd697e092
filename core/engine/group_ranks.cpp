// How many rows of an ordered collection stand in front of one, so that an index is found without
// walking there.
#include "core/base/bytes.hpp"
#include "core/engine/group.hpp"
#include "core/engine/group_rows.hpp"

namespace syncline {
namespace {

constexpr auto list_type = static_cast<std::uint8_t>(CellType::list);

/// The first row key behind the piece. Where the next one begins is a row of this one.
Bytes end_of_piece(const Bytes& prefix, const std::vector<RankIndex::Piece>& pieces,
                   std::size_t index) {
    return index + 1 == pieces.size() ? prefix_end(prefix)
                                      : successor(prefix + pieces[index + 1].after);
}

}  // namespace

/// The rows behind `after`, which is without the prefix, and in front of the row key `to`.
Result<std::vector<RankIndex::Piece>> Group::cut_rows(Table table, const Bytes& prefix,
                                                      const Bytes& after, const Bytes& to,
                                                      std::uint64_t rows_wanted) {
    RankIndex::Cutter cutter(after, rows_wanted);
    const auto visit = [&](BytesView row_key, BytesView) {
        cutter.add(row_key.substr(prefix.size()));
        return true;
    };
    SYNCLINE_CHECK(store_.scan(table, successor(prefix + after), to, visit));
    return cutter.take();
}

Result<const RankIndex::Pieces*> Group::list_pieces(BytesView key) {
    SYNCLINE_CHECK(trust(key));
    // In rows of longer keys names are not whole.
    if (key.size() > order_key_bytes_max) return static_cast<const RankIndex::Pieces*>(nullptr);
    const Bytes prefix = order_rows_prefix(key, list_type);
    const RankIndex::Pieces* known = ranks_.find(prefix);
    if (known == nullptr) {
        SYNCLINE_TRY(Counts rows, counts(key));
        const std::uint64_t wanted = RankIndex::rows_wanted(rows.of(CellType::list));
        RankIndex::Pieces made{Table::cells, wanted, {}, 0};
        SYNCLINE_TRY(made.pieces, cut_rows(Table::cells, prefix, {}, prefix_end(prefix), wanted));
        made.changed = store_.seen();
        known = ranks_.learn(prefix, std::move(made));
    }
    store_.see(known->changed);
    return known;
}

Result<void> Group::split_list_piece(BytesView key, std::size_t index) {
    const Bytes prefix = order_rows_prefix(key, list_type);
    const RankIndex::Pieces& known = *ranks_.find(prefix);
    SYNCLINE_TRY(std::vector<RankIndex::Piece> parts,
                 cut_rows(known.table, prefix, known.pieces[index].after,
                          end_of_piece(prefix, known.pieces, index), known.rows_wanted));
    ranks_.split(prefix, index, std::move(parts));
    return {};
}

/// Whether the pieces have as many rows as they say.
Result<void> Group::check_ranks() {
    for (const auto& [prefix, known] : ranks_.collections()) {
        for (std::size_t i = 0; i < known.pieces.size(); ++i) {
            const Bytes to = end_of_piece(prefix, known.pieces, i);
            std::uint64_t rows = 0;
            const auto count = [&](BytesView, BytesView) { return ++rows, true; };
            SYNCLINE_CHECK(
                store_.scan(known.table, successor(prefix + known.pieces[i].after), to, count));
            if (rows == known.pieces[i].rows) continue;
            return Error{Code::corrupt, "a piece of " + printable(prefix) + " has " +
                                            std::to_string(rows) + " rows, counted " +
                                            std::to_string(known.pieces[i].rows)};
        }
    }
    return {};
}

}  // namespace syncline
