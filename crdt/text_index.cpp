#include "crdt/text_index.hpp"

#include <algorithm>
#include <utility>

#include "core/base/assert.hpp"
#include "crdt/text_utf8.hpp"

namespace syncline {

namespace {

bool contains(const TextSpan& span, const TextElement& element) {
    return span.actor == element.actor && element.index - span.first < span.length;
}

/// The elements of b follow those of a.
bool adjoins(const TextSpan& a, const TextSpan& b) {
    return a.actor == b.actor && a.end() == b.first;
}

/// Two spans that can be one.
bool mergeable(const TextSpan& a, const TextSpan& b) {
    return adjoins(a, b) && a.live() == b.live() &&
           a.length + b.length <= TextIndex::span_length_max;
}

std::uint64_t live_in(const TextSpan& span) {
    return span.live() ? span.length : 0;
}

}  // namespace

std::size_t TextSpan::byte_at(std::uint64_t offset) const {
    if (text.size() == length) return offset;
    if (offset == length) return text.size();
    return point_offset(text, offset);
}

TextIndex::TextIndex() {
    leaves_.emplace_back().parent = 0;
    Node& root = nodes_.emplace_back();
    root.count = 1;
    root.children[0] = 0;
    root.live_counts[0] = 0;
}

TextIndex::Place TextIndex::find(const TextElement& element) const {
    const std::uint32_t number = homes_[element.actor][element.index];
    const Leaf& leaf = leaves_[number];
    std::uint32_t slot = leaf.hint;
    if (slot >= leaf.count || !contains(leaf.spans[slot], element)) {
        for (slot = 0; slot < leaf.count; ++slot) {
            if (contains(leaf.spans[slot], element)) break;
        }
    }
    SYNCLINE_ASSERT(slot < leaf.count);
    return {number, slot, static_cast<std::uint32_t>(element.index - leaf.spans[slot].first)};
}

TextIndex::Place TextIndex::at(std::uint64_t position) const {
    SYNCLINE_ASSERT(position < live_count_);
    std::uint32_t number = root_;
    bool above_leaves = false;
    while (!above_leaves) {
        const Node& node = nodes_[number];
        std::uint32_t slot = 0;
        while (position >= node.live_counts[slot]) position -= node.live_counts[slot++];
        above_leaves = node.above_leaves;
        number = node.children[slot];
    }
    const Leaf& leaf = leaves_[number];
    std::uint32_t slot = 0;
    while (position >= live_in(leaf.spans[slot])) position -= live_in(leaf.spans[slot++]);
    return {number, slot, static_cast<std::uint32_t>(position)};
}

std::uint64_t TextIndex::position_of(const Place& place) const {
    std::uint64_t position = span(place).live() ? place.offset : 0;
    const Leaf& leaf = leaves_[place.leaf];
    for (std::uint32_t slot = 0; slot < place.slot; ++slot) position += live_in(leaf.spans[slot]);
    std::uint32_t child = place.leaf;
    for (std::uint32_t number = leaf.parent; number != none; number = nodes_[number].parent) {
        const Node& node = nodes_[number];
        const std::uint32_t own = slot_of(node, child);
        for (std::uint32_t slot = 0; slot < own; ++slot) position += node.live_counts[slot];
        child = number;
    }
    return position;
}

std::optional<TextIndex::Place> TextIndex::first() const {
    if (leaves_[first_leaf()].count == 0) return std::nullopt;
    return Place{first_leaf(), 0, 0};
}

std::optional<TextIndex::Place> TextIndex::next(Place place) const {
    if (place.offset + 1 == span(place).length) return next_span(place);
    ++place.offset;
    return place;
}

std::optional<TextIndex::Place> TextIndex::next_span(Place place) const {
    const Leaf& leaf = leaves_[place.leaf];
    if (place.slot + 1 < leaf.count) return Place{place.leaf, place.slot + 1, 0};
    if (leaf.next == none) return std::nullopt;
    return Place{leaf.next, 0, 0};
}

void TextIndex::insert_first(TextSpan&& span) {
    insert_at({first_leaf(), 0, 0}, std::move(span));
}

void TextIndex::insert_before(const TextElement& element, TextSpan&& span) {
    insert_at(find(element), std::move(span));
}

void TextIndex::insert_after(const TextElement& element, TextSpan&& span) {
    Place gap = find(element);
    ++gap.offset;
    insert_at(gap, std::move(span));
}

void TextIndex::append(TextSpan&& span) {
    insert_at({last_leaf_, leaves_[last_leaf_].count, 0}, std::move(span));
}

/// The gap is before the element that its place names, or behind the span's last one.
void TextIndex::insert_at(Place gap, TextSpan&& span) {
    SYNCLINE_ASSERT(span.length > 0 && span.length <= span_length_max);
    Leaf* leaf = &leaves_[gap.leaf];
    if (gap.slot < leaf->count && gap.offset == leaf->spans[gap.slot].length) {
        ++gap.slot;
        gap.offset = 0;
    }
    const std::uint64_t added = live_in(span);
    if (gap.offset == 0 && gap.slot > 0 && mergeable(leaf->spans[gap.slot - 1], span)) {
        TextSpan& before = leaf->spans[gap.slot - 1];
        set_home(span, gap.leaf);
        before.length += span.length;
        before.text += span.text;
        leaf->hint = gap.slot - 1;
        return add_live(gap.leaf, added);
    }
    if (leaf->count + 2 > spans_max) {
        gap = split_leaf(gap);
        leaf = &leaves_[gap.leaf];
    }
    if (gap.offset > 0) cut(*leaf, gap.slot++, gap.offset);
    set_home(span, gap.leaf);
    put(*leaf, gap.slot, std::move(span));
    leaf->hint = gap.slot;
    add_live(gap.leaf, added);
}

void TextIndex::put(Leaf& leaf, std::uint32_t slot, TextSpan&& span) {
    SYNCLINE_ASSERT(leaf.count < spans_max && slot <= leaf.count);
    const auto begin = leaf.spans.begin();
    std::move_backward(begin + slot, begin + leaf.count, begin + leaf.count + 1);
    leaf.spans[slot] = std::move(span);
    ++leaf.count;
}

void TextIndex::drop(Leaf& leaf, std::uint32_t slot) {
    const auto begin = leaf.spans.begin();
    std::move(begin + slot + 1, begin + leaf.count, begin + slot);
    leaf.spans[--leaf.count] = {};
}

/// Makes two spans of one. Precondition: there is room for it.
void TextIndex::cut(Leaf& leaf, std::uint32_t slot, std::uint32_t offset) {
    TextSpan& left = leaf.spans[slot];
    TextSpan right{left.actor, left.length - offset, left.first + offset, {}};
    if (left.live()) {
        const std::size_t byte = left.byte_at(offset);
        right.text = left.text.substr(byte);
        left.text.erase(byte);
    }
    left.length = offset;
    const auto begin = leaf.spans.begin();
    std::move_backward(begin + slot + 1, begin + leaf.count, begin + leaf.count + 1);
    leaf.spans[slot + 1] = std::move(right);
    ++leaf.count;
}

void TextIndex::erase(TextElement first, std::uint64_t count) {
    while (count > 0) {
        const Place place = find(first);
        const std::uint64_t left = span(place).length - place.offset;
        const auto here = static_cast<std::uint32_t>(std::min(left, count));
        if (span(place).live()) erase_in_span(place, here);
        first.index += here;
        count -= here;
    }
}

void TextIndex::erase_in_span(Place place, std::uint32_t count) {
    Leaf* leaf = &leaves_[place.leaf];
    if (!move_erased_border(*leaf, place, count)) {
        if (leaf->count + 2 > spans_max) {
            place = split_leaf(place);
            leaf = &leaves_[place.leaf];
        }
        if (place.offset + count < leaf->spans[place.slot].length) {
            cut(*leaf, place.slot, place.offset + count);
        }
        if (place.offset > 0) cut(*leaf, place.slot++, place.offset);
        leaf->spans[place.slot].text = Bytes();
        leaf->hint = place.slot;
        merge_erased(*leaf, place.slot);
    }
    add_live(place.leaf, std::uint64_t{0} - count);
}

/// Somebody presses backspace or delete again and again: the elements go over to the erased span
/// beside them.
bool TextIndex::move_erased_border(Leaf& leaf, const Place& place, std::uint32_t count) {
    TextSpan& span = leaf.spans[place.slot];
    if (count == span.length) return false;
    const std::size_t begin = span.byte_at(place.offset);
    const std::size_t end = span.byte_at(place.offset + count);
    const auto takes = [count](const TextSpan& erased) {
        return !erased.live() && erased.length + count <= span_length_max;
    };
    if (place.offset + count == span.length && place.slot + 1 < leaf.count) {
        TextSpan& after = leaf.spans[place.slot + 1];
        if (!takes(after) || !adjoins(span, after)) return false;
        after.first -= count;
        after.length += count;
    } else if (place.offset == 0 && place.slot > 0) {
        TextSpan& before = leaf.spans[place.slot - 1];
        if (!takes(before) || !adjoins(before, span)) return false;
        before.length += count;
        span.first += count;
    } else {
        return false;
    }
    span.length -= count;
    span.text.erase(begin, end - begin);
    leaf.hint = place.slot;
    return true;
}

void TextIndex::merge_erased(Leaf& leaf, std::uint32_t slot) {
    for (const std::uint32_t left : {slot, slot - 1}) {
        if (left >= leaf.count || left + 1 >= leaf.count) continue;
        if (!mergeable(leaf.spans[left], leaf.spans[left + 1])) continue;
        leaf.spans[left].length += leaf.spans[left + 1].length;
        drop(leaf, left + 1);
        leaf.hint = left;
    }
}

/// Moves the upper half of a leaf into a new one; at the end of the text nothing, so that leaves
/// that fill from left to right get full. Answers where the gap is now.
TextIndex::Place TextIndex::split_leaf(Place gap) {
    const auto number = static_cast<std::uint32_t>(leaves_.size());
    Leaf& right = leaves_.emplace_back();
    Leaf& left = leaves_[gap.leaf];
    const bool at_end = left.next == none && gap.slot == left.count;
    const std::uint32_t kept = at_end ? left.count : left.count / 2;
    std::uint64_t moved = 0;
    for (std::uint32_t slot = kept; slot < left.count; ++slot) {
        moved += live_in(left.spans[slot]);
        set_home(left.spans[slot], number);
        right.spans[slot - kept] = std::exchange(left.spans[slot], {});
    }
    right.count = left.count - kept;
    right.next = std::exchange(left.next, number);
    right.parent = left.parent;
    left.count = kept;
    left.hint = 0;
    if (last_leaf_ == gap.leaf) last_leaf_ = number;
    add_child(left.parent, gap.leaf, number, moved);
    if (gap.slot < kept) return gap;
    return {number, gap.slot - kept, gap.offset};
}

/// Enters a child that has taken `moved` live elements from the one on its left.
void TextIndex::add_child(std::uint32_t number, std::uint32_t left, std::uint32_t right,
                          std::uint64_t moved) {
    if (nodes_[number].count == children_max) {
        const std::uint32_t upper = split_node(number);
        const Node& node = nodes_[upper];
        const auto end = node.children.begin() + node.count;
        if (std::find(node.children.begin(), end, left) != end) number = upper;
    }
    Node& node = nodes_[number];
    const std::uint32_t slot = slot_of(node, left);
    const auto shift = [&node, slot](auto& array) {
        std::move_backward(array.begin() + slot + 1, array.begin() + node.count,
                           array.begin() + node.count + 1);
    };
    shift(node.children);
    shift(node.live_counts);
    node.children[slot + 1] = right;
    node.live_counts[slot] -= moved;
    node.live_counts[slot + 1] = moved;
    ++node.count;
    (node.above_leaves ? leaves_[right].parent : nodes_[right].parent) = number;
}

/// Moves the upper half of a node into a new one, whose number it answers.
std::uint32_t TextIndex::split_node(std::uint32_t number) {
    if (nodes_[number].parent == none) {
        root_ = static_cast<std::uint32_t>(nodes_.size());
        Node& root = nodes_.emplace_back();
        root.above_leaves = false;
        root.count = 1;
        root.children[0] = number;
        root.live_counts[0] = live_count_;
        nodes_[number].parent = root_;
    }
    const auto upper = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
    Node& left = nodes_[number];
    Node& right = nodes_[upper];
    constexpr std::uint32_t kept = children_max / 2;
    std::uint64_t moved = 0;
    for (std::uint32_t slot = kept; slot < left.count; ++slot) {
        const std::uint32_t child = left.children[slot];
        right.children[slot - kept] = child;
        right.live_counts[slot - kept] = left.live_counts[slot];
        moved += left.live_counts[slot];
        (left.above_leaves ? leaves_[child].parent : nodes_[child].parent) = upper;
    }
    right.above_leaves = left.above_leaves;
    right.count = left.count - kept;
    left.count = kept;
    add_child(left.parent, number, upper, moved);
    return upper;
}

/// The difference is added mod 2^64, so that it can be negative.
void TextIndex::add_live(std::uint32_t leaf, std::uint64_t difference) {
    if (difference == 0) return;
    live_count_ += difference;
    std::uint32_t child = leaf;
    for (std::uint32_t number = leaves_[leaf].parent; number != none;) {
        Node& node = nodes_[number];
        node.hint = slot_of(node, child);
        node.live_counts[node.hint] += difference;
        child = number;
        number = node.parent;
    }
}

void TextIndex::set_home(const TextSpan& span, std::uint32_t leaf) {
    if (homes_.size() <= span.actor) homes_.resize(span.actor + 1);
    std::vector<std::uint32_t>& homes = homes_[span.actor];
    if (homes.size() < span.end()) homes.resize(span.end(), none);
    std::fill_n(homes.begin() + static_cast<std::ptrdiff_t>(span.first), span.length, leaf);
}

std::uint32_t TextIndex::slot_of(const Node& node, std::uint32_t child) {
    if (node.hint < node.count && node.children[node.hint] == child) return node.hint;
    // From the end: there a text grows.
    std::uint32_t slot = node.count - 1;
    while (node.children[slot] != child) --slot;
    return slot;
}

void TextIndex::check() const {
    std::uint64_t live = 0;
    std::uint64_t elements = 0;
    for (std::optional<Place> place = first(); place; place = next_span(*place)) {
        const TextSpan& here = span(*place);
        SYNCLINE_ASSERT(here.length > 0 && here.length <= span_length_max);
        SYNCLINE_ASSERT(!here.live() || count_points(here.text) == here.length);
        for (std::uint64_t index = here.first; index < here.end(); ++index) {
            SYNCLINE_ASSERT(homes_[here.actor][index] == place->leaf);
        }
        if (here.live()) SYNCLINE_ASSERT(position_of(*place) == live);
        live += live_in(here);
        elements += here.length;
    }
    SYNCLINE_ASSERT(live == live_count_);
    for (const auto& homes : homes_) elements -= homes.size();
    SYNCLINE_ASSERT(elements == 0);
}

}  // namespace syncline
