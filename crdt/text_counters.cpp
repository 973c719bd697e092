#include "crdt/text_counters.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace syncline {

namespace {

void add_step(std::vector<TextCounters::Step>& steps, std::uint64_t by, std::uint64_t repeat) {
    if (repeat == 0) return;
    if (!steps.empty() && steps.back().by == by) {
        steps.back().repeat += repeat;
    } else {
        steps.push_back({by, repeat});
    }
}

}  // namespace

std::size_t TextCounters::piece_of(std::uint64_t index) const {
    SYNCLINE_ASSERT(index < size_);
    const auto after = std::upper_bound(
        pieces_.begin(), pieces_.end(), index,
        [](std::uint64_t wanted, const Piece& piece) { return wanted < piece.first; });
    return static_cast<std::size_t>(after - pieces_.begin()) - 1;
}

std::uint64_t TextCounters::at(std::uint64_t index) const {
    const Piece& piece = pieces_[piece_of(index)];
    return piece.counter + (index - piece.first) * piece.by;
}

std::uint64_t TextCounters::last() const {
    if (size_ == 0) return 0;
    const Piece& piece = pieces_.back();
    return piece.counter + (size_ - 1 - piece.first) * piece.by;
}

std::vector<TextCounters::Step> TextCounters::steps(std::uint64_t first,
                                                    std::uint64_t count) const {
    std::vector<Step> steps;
    if (count == 0) return steps;
    std::size_t number = piece_of(first);
    std::uint64_t before = at(first);
    const std::uint64_t end = first + count;
    for (std::uint64_t index = first + 1; index < end;) {
        if (index == end_of(number)) ++number;
        const Piece& piece = pieces_[number];
        const std::uint64_t piece_end = std::min(end, end_of(number));
        const std::uint64_t here = piece.counter + (index - piece.first) * piece.by;
        add_step(steps, here - before, 1);
        add_step(steps, piece.by, piece_end - index - 1);
        before = piece.counter + (piece_end - 1 - piece.first) * piece.by;
        index = piece_end;
    }
    return steps;
}

void TextCounters::append(std::uint64_t count, std::uint64_t counter, std::uint64_t by) {
    SYNCLINE_ASSERT(count > 0 && counter >= last());
    if (size_ > 0) {
        Piece& piece = pieces_.back();
        const std::uint64_t gap = counter - last();
        if (size_ - piece.first == 1) piece.by = gap;  // one element alone has no step yet
        if (piece.by == gap && (count == 1 || by == gap)) {
            size_ += count;
            return;
        }
    }
    pieces_.push_back({size_, counter, by});
    size_ += count;
}

void TextCounters::append_tail(const TextCounters& other, std::uint64_t first) {
    SYNCLINE_ASSERT(first == size_);
    if (first == other.size_) return;
    for (std::size_t number = other.piece_of(first); number < other.pieces_.size(); ++number) {
        const Piece& piece = other.pieces_[number];
        const std::uint64_t from = std::max(first, piece.first);
        append(other.end_of(number) - from, other.at(from), piece.by);
    }
}

bool TextCounters::same_prefix(const TextCounters& other, std::uint64_t count) const {
    if (count == 0) return true;
    return at(0) == other.at(0) && steps(0, count) == other.steps(0, count);
}

}  // namespace syncline
