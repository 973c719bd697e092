#pragma once
#include <map>
#include <vector>

#include "core/base/bytes.hpp"
#include "storage/base.hpp"
#include "storage/log.hpp"
#include "storage/tables.hpp"

namespace syncline {

/// How many rows stand in front of a row of a long ordered collection, by pieces of some hundred
/// rows: who looks for the n-th adds up pieces and walks within one. Made when somebody asks, kept
/// as rows change. Rows are named by what is behind the prefix of their collection.
/// Memory: limits::rank_pieces_max pieces in all; the collections begin anew after that.
/// Thread-safety: confined to one thread.
class RankIndex {
public:
    struct Piece {
        Bytes after;  ///< the rows behind this name, up to that of the next piece; it included
        std::uint64_t rows = 0;
    };
    struct Pieces {
        Table table = Table::cells;
        std::uint64_t rows_wanted = 0;  ///< in a piece; with more than twice as many it is split
        std::vector<Piece> pieces;      ///< ascending, at least one; the first is behind ""
        Position changed = 0;  ///< end of the log record that changed a row of the collection last
    };

    /// Cuts rows into pieces, as they are met.
    class Cutter {
    public:
        /// Behind `after`; `rows_wanted` at least 1.
        Cutter(Bytes after, std::uint64_t rows_wanted);
        /// Precondition: in ascending order.
        void add(BytesView name);
        [[nodiscard]] std::vector<Piece> take() { return std::move(pieces_); }

    private:
        std::uint64_t rows_wanted_;
        std::vector<Piece> pieces_;
        Bytes last_;  ///< of a full piece
    };

    /// How many rows a piece of a collection should have that has so many.
    [[nodiscard]] static std::uint64_t rows_wanted(std::uint64_t rows);
    /// Whether it has grown so much that it is to be split before it is walked.
    [[nodiscard]] static bool too_long(const Pieces& pieces, std::size_t index) {
        return pieces.pieces[index].rows > 2 * pieces.rows_wanted;
    }

    /// What is known of the collection whose rows begin with `prefix`; null: nothing. Lives until
    /// the next call that is not const.
    [[nodiscard]] const Pieces* find(const Bytes& prefix) const;
    const Pieces* learn(const Bytes& prefix, Pieces pieces);
    /// Precondition: the collection is known, and has that piece. It may be forgotten then.
    void split(const Bytes& prefix, std::size_t index, std::vector<Piece> parts);
    /// A row was put (1), erased (-1), or has another value (0).  O(pieces of the collection).
    void changed(const Bytes& prefix, BytesView row_key, int change, Position position);
    [[nodiscard]] const std::map<Bytes, Pieces>& collections() const { return collections_; }

private:
    std::map<Bytes, Pieces> collections_;
    std::size_t pieces_count_ = 0;
};

}  // namespace syncline
