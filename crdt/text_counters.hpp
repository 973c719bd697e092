#pragma once
#include <cstdint>
#include <vector>

namespace syncline {

/// Which transaction inserted which element of one actor: a function from index to dot counter,
/// which never falls. Kept as pieces of equal steps: somebody who types makes one piece of step 1,
/// a paste is one piece of step 0.
/// Thread-safety: a value.
class TextCounters {
public:
    /// So many times in a row the counter grows by `by` from one element to the next.
    struct Step {
        std::uint64_t by = 0;
        std::uint64_t repeat = 0;

        bool operator==(const Step&) const = default;
    };

    /// Elements known.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// Precondition: index < size().  O(log pieces).
    [[nodiscard]] std::uint64_t at(std::uint64_t index) const;
    /// That of the last element; 0 if there is none.  O(1).
    [[nodiscard]] std::uint64_t last() const;
    /// From element first to element first + count - 1, as steps no two neighbours of which are
    /// equal: a function of the counters alone.  O(log pieces + pieces in the range).
    [[nodiscard]] std::vector<Step> steps(std::uint64_t first, std::uint64_t count) const;

    /// `count` more elements: the first has this counter, each next one `by` more.
    /// Preconditions: count > 0, counter >= last(), no overflow.  O(1) amortized.
    void append(std::uint64_t count, std::uint64_t counter, std::uint64_t by);
    /// Elements [first, other.size()) of other. Precondition: first == size().
    void append_tail(const TextCounters& other, std::uint64_t first);

    /// Elements [0, count) have the same counters here and there.
    [[nodiscard]] bool same_prefix(const TextCounters& other, std::uint64_t count) const;

private:
    struct Piece {
        std::uint64_t first;
        std::uint64_t counter;
        std::uint64_t by;
    };

    [[nodiscard]] std::uint64_t end_of(std::size_t piece) const {
        return piece + 1 < pieces_.size() ? pieces_[piece + 1].first : size_;
    }
    [[nodiscard]] std::size_t piece_of(std::uint64_t index) const;

    std::vector<Piece> pieces_;  // strictly ascending by first, the first one at 0
    std::uint64_t size_ = 0;
};

}  // namespace syncline
