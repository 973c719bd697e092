#pragma once
#include <cstdint>
#include <vector>

#include "core/base/hash.hpp"

namespace syncline {

/// Sum of row hashes mod 2^128 and number of rows: the fingerprint of a set of rows. Additive, so
/// one row changes it in O(1) and parents are sums of their children.
struct LeafSum {
    Hash128 sum;
    std::uint64_t count = 0;

    bool operator==(const LeafSum&) const = default;
    LeafSum& operator+=(const LeafSum& other);
    LeafSum& operator-=(const LeafSum& other);
};

/// The leaves of the Merkle tree: 2^bits buckets by the top bits of h64(key). Rows are hashed with
/// a seed of the cluster over row key and value, so that no client can choose colliding rows.
/// Thread-safety: confined to one thread; a copy is a snapshot.
class LeafSums {
public:
    LeafSums(unsigned bits, std::uint64_t seed);

    /// The hash of one row.
    [[nodiscard]] LeafSum row(BytesView row_key, BytesView value) const;
    void add(BytesView row_key, BytesView value);
    void remove(BytesView row_key, BytesView value);

    /// Gives a leaf another sum: that of rows which took the place of all in it.
    void set_leaf(std::size_t index, const LeafSum& sum);
    /// Makes a leaf's sum one that its rows do not have, and will not have by any change of them:
    /// whoever compares, after a restart as well, finds that they are not to be trusted.
    void spoil(std::size_t index);
    /// Adds what is added to rows in front of `to`, from `from` on, to another sum as well, until
    /// called with null.
    struct Watch {
        Bytes from;
        Bytes to;
        LeafSum sum;
    };
    void watch(Watch* watch) { watch_ = watch; }

    [[nodiscard]] unsigned bits() const { return bits_; }
    [[nodiscard]] std::uint64_t seed() const { return seed_; }
    [[nodiscard]] const LeafSum& root() const { return root_; }
    [[nodiscard]] const LeafSum& leaf(std::size_t index) const { return leaves_[index]; }
    [[nodiscard]] std::size_t leaves_count() const { return leaves_.size(); }
    /// Sum over the leaves under a `prefix_bits`-bit prefix. Precondition: prefix_bits <= bits().
    [[nodiscard]] LeafSum under(std::uint64_t prefix, unsigned prefix_bits) const;

    /// Pages of 256 leaves changed since the last call, as bytes for the checkpoint.
    std::vector<std::pair<std::uint32_t, Bytes>> take_dirty_pages();
    [[nodiscard]] std::uint32_t pages_count() const {
        return static_cast<std::uint32_t>(dirty_.size());
    }
    [[nodiscard]] std::vector<std::size_t> leaves_of_page(std::uint32_t page) const;
    /// Error corrupt when the bytes are not a page.
    Result<void> load_page(std::uint32_t page, BytesView bytes);

    bool operator==(const LeafSums& other) const { return leaves_ == other.leaves_; }

    /// The leaf that a row belongs to. Precondition: at least 4 bytes.
    [[nodiscard]] std::size_t bucket(BytesView row_key) const;

private:
    void mark(std::size_t bucket);

    unsigned bits_;
    std::uint64_t seed_;
    LeafSum root_;
    std::vector<LeafSum> leaves_;
    std::vector<bool> dirty_;  // by page
    Watch* watch_ = nullptr;
};

}  // namespace syncline
