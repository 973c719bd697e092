#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

/// An element as the parts of a text call it among themselves: actors have numbers there.
struct TextElement {
    std::uint32_t actor = 0;
    std::uint64_t index = 0;

    bool operator==(const TextElement&) const = default;
};

/// Elements that follow each other in the text and in their indexes, all live or all erased.
struct TextSpan {
    std::uint32_t actor = 0;
    std::uint32_t length = 0;  ///< elements
    std::uint64_t first = 0;
    Bytes text;  ///< UTF-8 of `length` code points; empty: the elements are erased

    [[nodiscard]] bool live() const { return !text.empty(); }
    [[nodiscard]] std::uint64_t end() const { return first + length; }
    /// Where in `text` the element at this offset begins, in bytes.
    [[nodiscard]] std::size_t byte_at(std::uint64_t offset) const;
};

/// All elements of a text in the order of the traversal, erased ones included: a B-tree of spans
/// with counts of live elements, and for each element the leaf where it is. Says nothing about why
/// an element stands where it does.
/// Cost: O(log spans) for each change and each way from position to element and back.
/// Thread-safety: a value; confined to one thread, concurrent const use is safe.
class TextIndex {
public:
    /// Spans are no longer than this; who inserts longer ones cuts them.
    static constexpr std::uint32_t span_length_max = 512;

    /// An element: `offset` elements of the span stand before it.
    struct Place {
        std::uint32_t leaf = 0;
        std::uint32_t slot = 0;
        std::uint32_t offset = 0;
    };

    TextIndex();

    /// Live elements.  O(1).
    [[nodiscard]] std::uint64_t live_count() const { return live_count_; }
    /// Precondition: it was inserted.  O(1): looks through one leaf.
    [[nodiscard]] Place find(const TextElement& element) const;
    /// The live element at a position, from 0. Precondition: position < live_count().  O(log n).
    [[nodiscard]] Place at(std::uint64_t position) const;
    /// The other way round: live elements before this one.  O(log n).
    [[nodiscard]] std::uint64_t position_of(const Place& place) const;

    [[nodiscard]] const TextSpan& span(const Place& place) const {
        return leaves_[place.leaf].spans[place.slot];
    }
    [[nodiscard]] TextElement element(const Place& place) const {
        return {span(place).actor, span(place).first + place.offset};
    }
    /// The very first element, and the one after an element, erased ones included.
    [[nodiscard]] std::optional<Place> first() const;
    [[nodiscard]] std::optional<Place> next(Place place) const;
    /// The first element of the next span.
    [[nodiscard]] std::optional<Place> next_span(Place place) const;

    /// Puts new elements beside an old one, or at the very beginning.  O(log n).
    void insert_first(TextSpan&& span);
    void insert_before(const TextElement& element, TextSpan&& span);
    void insert_after(const TextElement& element, TextSpan&& span);
    /// At the very end. For building; elements may come in any order of their indexes.
    void append(TextSpan&& span);

    /// Erases elements that were inserted; those that are erased already stay so.
    /// O(count of spans x log n).
    void erase(TextElement first, std::uint64_t count);

    /// Aborts when counts or leaves are wrong. For tests.  O(elements).
    void check() const;

private:
    static constexpr std::uint32_t none = 0xffffffff;
    static constexpr std::uint32_t spans_max = 32;
    static constexpr std::uint32_t children_max = 32;

    struct Leaf {
        std::uint32_t parent = none;
        std::uint32_t next = none;
        std::uint32_t count = 0;
        std::uint32_t hint = 0;  // the span last changed, which is looked at first
        std::array<TextSpan, spans_max> spans;
    };
    struct Node {
        std::uint32_t parent = none;
        std::uint32_t count = 0;
        std::uint32_t hint = 0;  // the slot of the child that changed last
        bool above_leaves = true;
        std::array<std::uint32_t, children_max> children;
        std::array<std::uint64_t, children_max> live_counts;  // below each child
    };

    void insert_at(Place gap, TextSpan&& span);
    void put(Leaf& leaf, std::uint32_t slot, TextSpan&& span);
    static void drop(Leaf& leaf, std::uint32_t slot);
    static void cut(Leaf& leaf, std::uint32_t slot, std::uint32_t offset);
    void erase_in_span(Place place, std::uint32_t count);
    bool move_erased_border(Leaf& leaf, const Place& place, std::uint32_t count);
    static void merge_erased(Leaf& leaf, std::uint32_t slot);
    Place split_leaf(Place gap);
    void add_child(std::uint32_t number, std::uint32_t left, std::uint32_t right,
                   std::uint64_t moved);
    std::uint32_t split_node(std::uint32_t number);
    void add_live(std::uint32_t leaf, std::uint64_t difference);
    void set_home(const TextSpan& span, std::uint32_t leaf);
    [[nodiscard]] static std::uint32_t slot_of(const Node& node, std::uint32_t child);
    [[nodiscard]] std::uint32_t first_leaf() const { return 0; }

    std::deque<Leaf> leaves_;  // leaf 0 stays the leftmost: splits make right halves
    std::vector<Node> nodes_;
    std::uint32_t root_ = 0;
    std::uint32_t last_leaf_ = 0;
    std::uint64_t live_count_ = 0;
    std::vector<std::vector<std::uint32_t>> homes_;  // leaf of each element, by actor and index
};

}  // namespace syncline
