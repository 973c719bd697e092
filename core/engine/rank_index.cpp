#include "core/engine/rank_index.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/assert.hpp"
#include "core/base/limits.hpp"

namespace syncline {

RankIndex::Cutter::Cutter(Bytes after, std::uint64_t rows_wanted) : rows_wanted_(rows_wanted) {
    pieces_.push_back(Piece{std::move(after)});
}

void RankIndex::Cutter::add(BytesView name) {
    if (pieces_.back().rows == rows_wanted_) pieces_.push_back(Piece{last_});
    if (++pieces_.back().rows == rows_wanted_) last_ = name;
}

std::uint64_t RankIndex::rows_wanted(std::uint64_t rows) {
    constexpr std::uint64_t rows_min = 128;
    constexpr std::uint64_t pieces_of_one = limits::rank_pieces_max / 4;
    return std::max(rows_min, rows / pieces_of_one);
}

const RankIndex::Pieces* RankIndex::find(const Bytes& prefix) const {
    const auto found = collections_.find(prefix);
    return found == collections_.end() ? nullptr : &found->second;
}

const RankIndex::Pieces* RankIndex::learn(const Bytes& prefix, Pieces pieces) {
    SYNCLINE_ASSERT(!pieces.pieces.empty() && find(prefix) == nullptr);
    if (pieces_count_ + pieces.pieces.size() > limits::rank_pieces_max) *this = RankIndex();
    pieces_count_ += pieces.pieces.size();
    return &collections_.emplace(prefix, std::move(pieces)).first->second;
}

void RankIndex::split(const Bytes& prefix, std::size_t index, std::vector<Piece> parts) {
    std::vector<Piece>& pieces = collections_.at(prefix).pieces;
    pieces_count_ += parts.size() - 1;
    const auto at = pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(index));
    pieces.insert(at, std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
    if (pieces_count_ > limits::rank_pieces_max) *this = RankIndex();
}

void RankIndex::changed(const Bytes& prefix, BytesView row_key, int change, Position position) {
    const auto found = collections_.find(prefix);
    if (found == collections_.end()) return;
    Pieces& known = found->second;
    known.changed = std::max(known.changed, position);
    const BytesView name = row_key.substr(prefix.size());
    const auto behind =
        std::partition_point(known.pieces.begin() + 1, known.pieces.end(),
                             [&](const Piece& piece) { return piece.after < name; });
    const auto piece = std::prev(behind);
    SYNCLINE_ASSERT(change >= 0 || piece->rows > 0);
    piece->rows += static_cast<std::uint64_t>(std::int64_t{change});
    if (piece->rows > 0 || known.pieces.size() == 1) return;
    // The piece in front, or behind, has its place now.
    if (piece == known.pieces.begin()) behind->after.clear();
    known.pieces.erase(piece);
    --pieces_count_;
}

}  // namespace syncline
