#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"
#include "storage/log.hpp"

/// The rows of one table in one part of the store's overlay. For storage/overlay.cpp alone.
namespace syncline {

/// A key with its first eight bytes as a number. Row keys begin with a hash, so that the number
/// decides nearly every comparison without a look at the bytes, which lie elsewhere in memory.
struct OverlayKey {
    std::uint64_t head;
    Bytes bytes;
};
/// What look-ups compare with an OverlayKey.
struct OverlayProbe {
    std::uint64_t head;
    BytesView bytes;
};
OverlayProbe overlay_probe(BytesView key);

struct OverlayLess {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library's name
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
        if (a.head != b.head) return a.head < b.head;
        return BytesView(a.bytes) < BytesView(b.bytes);
    }
};

/// A row as it stands in the overlay. No value: erased.
struct OverlayEntry {
    std::optional<Bytes> value;
    Position position = 0;
};

using OverlayRow = std::pair<const OverlayKey, OverlayEntry>;

/// Rows in key order; they are only added, and stay where they are in memory. A row of small trees,
/// of which the first bits of a key name one: where keys begin with a hash, a row's place is a few
/// steps away and not one for each doubling of all rows. Keys that begin alike share a tree.
/// Thread-safety: as a container of the library.
class OverlayRows {
    using Tree = std::map<OverlayKey, OverlayEntry, OverlayLess>;

public:
    /// A row, or behind the last. Adding rows does not move it.
    class Iterator {
    public:
        Iterator() = default;  ///< equal to its like, and of no use else
        const OverlayRow& operator*() const { return *at_; }
        const OverlayRow* operator->() const { return &*at_; }
        /// Precondition: at a row.
        Iterator& operator++();
        /// Precondition: not at the first row.
        Iterator& operator--();
        bool operator==(const Iterator& other) const { return at_ == other.at_; }

    private:
        friend class OverlayRows;
        Iterator(const OverlayRows& rows, std::size_t tree, Tree::const_iterator at);

        const OverlayRows* rows_ = nullptr;
        std::size_t tree_ = 0;
        Tree::const_iterator at_;  ///< behind the last row of no tree but the last tree
    };

    /// With room for so many; more may come.
    explicit OverlayRows(std::size_t rows = 0);

    [[nodiscard]] Iterator begin() const;
    [[nodiscard]] Iterator end() const;
    /// The first row whose key is not less.
    [[nodiscard]] Iterator lower_bound(const OverlayProbe& key) const;
    /// A new row without a value. Precondition: there is none with this key.
    OverlayRow& add(BytesView key);
    /// What the iterator stands at, to be changed.
    OverlayEntry& entry(const Iterator& row);

private:
    [[nodiscard]] std::size_t tree_of(std::uint64_t head) const { return head >> 1 >> shift_; }
    /// The first tree from `tree` on that has rows, or the last tree.
    [[nodiscard]] std::size_t used_from(std::size_t tree) const;
    /// The last tree before `tree` that has rows. Precondition: there is one.
    [[nodiscard]] std::size_t used_before(std::size_t tree) const;

    std::vector<Tree> trees_;          ///< a power of two of them
    std::vector<std::uint64_t> used_;  ///< a bit for each tree that has rows
    unsigned shift_;
};

}  // namespace syncline
