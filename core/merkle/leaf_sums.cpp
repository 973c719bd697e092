#include "core/merkle/leaf_sums.hpp"

#include <algorithm>

namespace syncline {
namespace {

constexpr std::size_t page_leaves = 256;

}  // namespace

LeafSum& LeafSum::operator+=(const LeafSum& other) {
    sum += other.sum;
    count += other.count;
    return *this;
}

LeafSum& LeafSum::operator-=(const LeafSum& other) {
    sum -= other.sum;
    count -= other.count;
    return *this;
}

LeafSums::LeafSums(unsigned bits, std::uint64_t seed)
    : bits_(bits),
      seed_(seed),
      leaves_(std::size_t{1} << bits),
      dirty_((leaves_.size() + page_leaves - 1) / page_leaves, false) {
    SYNCLINE_ASSERT(bits > 0 && bits <= 24);
}

LeafSum LeafSums::row(BytesView row_key, BytesView value) const {
    return LeafSum{hash128(row_key, value, seed_), 1};
}

void LeafSums::add(BytesView row_key, BytesView value) {
    const std::size_t index = bucket(row_key);
    const LeafSum hash = row(row_key, value);
    leaves_[index] += hash;
    root_ += hash;
    if (watch_ != nullptr && row_key >= watch_->from && row_key < watch_->to) watch_->sum += hash;
    mark(index);
}

void LeafSums::remove(BytesView row_key, BytesView value) {
    const std::size_t index = bucket(row_key);
    const LeafSum hash = row(row_key, value);
    leaves_[index] -= hash;
    root_ -= hash;
    if (watch_ != nullptr && row_key >= watch_->from && row_key < watch_->to) watch_->sum -= hash;
    mark(index);
}

void LeafSums::set_leaf(std::size_t index, const LeafSum& sum) {
    root_ -= leaves_[index];
    leaves_[index] = sum;
    root_ += sum;
    mark(index);
}

void LeafSums::spoil(std::size_t index) {
    LeafSum spoilt = leaves_[index];
    spoilt.sum += Hash128{0x6461'6d61'6765'6421, index + 1};
    set_leaf(index, spoilt);
}

LeafSum LeafSums::under(std::uint64_t prefix, unsigned prefix_bits) const {
    SYNCLINE_ASSERT(prefix_bits <= bits_);
    const std::size_t width = std::size_t{1} << (bits_ - prefix_bits);
    const std::size_t first = static_cast<std::size_t>(prefix) * width;
    LeafSum total;
    for (std::size_t i = first; i < first + width; ++i) total += leaves_[i];
    return total;
}

std::vector<std::pair<std::uint32_t, Bytes>> LeafSums::take_dirty_pages() {
    std::vector<std::pair<std::uint32_t, Bytes>> pages;
    for (std::size_t page = 0; page < dirty_.size(); ++page) {
        if (!dirty_[page]) continue;
        dirty_[page] = false;
        Bytes bytes;
        ByteWriter out(bytes);
        const std::size_t end = std::min(leaves_.size(), (page + 1) * page_leaves);
        for (std::size_t i = page * page_leaves; i < end; ++i) {
            out.u64(leaves_[i].sum.high);
            out.u64(leaves_[i].sum.low);
            out.varint(leaves_[i].count);
        }
        pages.emplace_back(static_cast<std::uint32_t>(page), std::move(bytes));
    }
    return pages;
}

std::vector<std::size_t> LeafSums::leaves_of_page(std::uint32_t page) const {
    std::vector<std::size_t> leaves;
    for (std::size_t i = page * page_leaves; i < leaves_.size() && leaves.size() < page_leaves;) {
        leaves.push_back(i++);
    }
    return leaves;
}

Result<void> LeafSums::load_page(std::uint32_t page, BytesView bytes) {
    const Error damaged{Code::corrupt, "page " + std::to_string(page) + " of leaf sums is damaged"};
    if (page >= dirty_.size()) return damaged;
    ByteReader in(bytes);
    const std::size_t end = std::min(leaves_.size(), (page + 1) * page_leaves);
    for (std::size_t i = page * page_leaves; i < end; ++i) {
        LeafSum leaf;
        leaf.sum.high = in.u64();
        leaf.sum.low = in.u64();
        leaf.count = in.varint();
        root_ -= leaves_[i];
        leaves_[i] = leaf;
        root_ += leaf;
    }
    if (!in.done()) return damaged;
    return {};
}

std::size_t LeafSums::bucket(BytesView row_key) const {
    SYNCLINE_ASSERT(row_key.size() >= 4);
    std::uint32_t top = 0;
    for (std::size_t i = 0; i < 4; ++i) top = top << 8 | static_cast<std::uint8_t>(row_key[i]);
    return top >> (32 - bits_);
}

void LeafSums::mark(std::size_t bucket) {
    dirty_[bucket / page_leaves] = true;
}

}  // namespace syncline
