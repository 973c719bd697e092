#include "storage/overlay_rows.hpp"

#include <algorithm>
#include <bit>

namespace syncline {
namespace {

// A tree costs 48 bytes. Few rows in each, so that a search stays short.
constexpr std::size_t rows_per_tree = 4;
constexpr std::size_t trees_min = 64;
constexpr std::size_t trees_max = 1U << 16;
constexpr std::size_t word_bits = 64;

std::size_t trees_for(std::size_t rows) {
    return std::bit_ceil(std::clamp(rows / rows_per_tree, trees_min, trees_max));
}

}  // namespace

OverlayProbe overlay_probe(BytesView key) {
    std::uint64_t head = 0;
    // Shorter keys are filled up with zeros; equal heads are told apart by the bytes.
    for (std::size_t index = 0; index < 8; ++index) {
        const auto byte = index < key.size() ? static_cast<std::uint8_t>(key[index]) : 0U;
        head = head << 8 | byte;
    }
    return OverlayProbe{head, key};
}

OverlayRows::OverlayRows(std::size_t rows)
    : trees_(trees_for(rows)),
      used_(trees_.size() / word_bits),
      shift_(static_cast<unsigned>(63 - std::countr_zero(trees_.size()))) {}

OverlayRows::Iterator OverlayRows::begin() const {
    const std::size_t tree = used_from(0);
    return Iterator(*this, tree, trees_[tree].begin());
}

OverlayRows::Iterator OverlayRows::end() const {
    return Iterator(*this, trees_.size() - 1, trees_.back().end());
}

OverlayRows::Iterator OverlayRows::lower_bound(const OverlayProbe& key) const {
    const std::size_t tree = tree_of(key.head);
    return Iterator(*this, tree, trees_[tree].lower_bound(key));
}

OverlayRow& OverlayRows::add(BytesView key) {
    const OverlayProbe probe = overlay_probe(key);
    const std::size_t tree = tree_of(probe.head);
    used_[tree / word_bits] |= std::uint64_t{1} << tree % word_bits;
    return *trees_[tree].emplace(OverlayKey{probe.head, Bytes(key)}, OverlayEntry{}).first;
}

OverlayEntry& OverlayRows::entry(const Iterator& row) {
    Tree& tree = trees_[row.tree_];
    // A range of nothing, erased: how a container turns its const_iterator into an iterator.
    return tree.erase(row.at_, row.at_)->second;
}

std::size_t OverlayRows::used_from(std::size_t tree) const {
    if (tree >= trees_.size()) return trees_.size() - 1;
    std::size_t word = tree / word_bits;
    std::uint64_t bits = used_[word] & ~std::uint64_t{0} << tree % word_bits;
    while (bits == 0) {
        if (++word == used_.size()) return trees_.size() - 1;
        bits = used_[word];
    }
    return word * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
}

std::size_t OverlayRows::used_before(std::size_t tree) const {
    std::size_t word = tree / word_bits;
    std::uint64_t bits = used_[word] & ((std::uint64_t{1} << tree % word_bits) - 1);
    while (bits == 0) bits = used_[--word];
    return word * word_bits + word_bits - 1 - static_cast<std::size_t>(std::countl_zero(bits));
}

OverlayRows::Iterator::Iterator(const OverlayRows& rows, std::size_t tree, Tree::const_iterator at)
    : rows_(&rows), tree_(tree), at_(at) {
    if (at_ != rows.trees_[tree].end()) return;
    const std::size_t next = rows.used_from(tree + 1);
    if (next == tree) return;  // the last tree
    tree_ = next;
    at_ = rows.trees_[next].begin();
}

OverlayRows::Iterator& OverlayRows::Iterator::operator++() {
    return *this = Iterator(*rows_, tree_, std::next(at_));
}

OverlayRows::Iterator& OverlayRows::Iterator::operator--() {
    if (at_ == rows_->trees_[tree_].begin()) {
        tree_ = rows_->used_before(tree_);
        at_ = rows_->trees_[tree_].end();
    }
    --at_;
    return *this;
}

}  // namespace syncline
