#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "storage/base.hpp"
#include "storage/log.hpp"
#include "storage/overlay_rows.hpp"

/// One part of the store's overlay. For storage/store.cpp alone.
namespace syncline {

/// Finds rows by hash: most look-ups are of single rows. Open addressing; rows are only added.
class OverlayIndex {
public:
    /// `hash` is of the row's key; null: it is not among the rows.
    [[nodiscard]] OverlayRow* find(std::uint64_t hash, BytesView key,
                                   const OverlayRows& rows) const;
    /// Of the row with this number, in the order of numbers.
    void insert(std::uint64_t hash, std::size_t number);
    /// Makes room for so many rows at once instead of step by step.
    void reserve(std::size_t rows);

private:
    struct Slot {
        std::uint32_t hash = 0;    ///< its lower half
        std::uint32_t number = 0;  ///< of the row, from 1 on; 0: free
    };
    void place(Slot slot);

    std::vector<Slot> slots_;  ///< a power of two of them, at most half in use
};

/// The rows changed since some checkpoint began.
class Overlay {
public:
    /// Rows of the parts below that are erased all at once, unless there is an entry.
    struct Erased {
        Bytes last;  ///< empty: to the end
        Position position = 0;
    };
    /// By first key; they do not overlap.
    using ErasedRanges = std::map<Bytes, Erased, std::less<>>;

    /// A table's rows.
    [[nodiscard]] const OverlayRows& rows(Table table) const {
        return tables_[static_cast<std::size_t>(table)].rows;
    }
    [[nodiscard]] const OverlayEntry* find(Table table, BytesView key) const;
    const OverlayEntry& set(Table table, BytesView key, std::optional<Bytes> value,
                            Position position);
    /// Erases whatever is there from range.first on, below range.last. O(own rows there).
    void erase_range(Table table, const RowRange& range, Position position);
    [[nodiscard]] const ErasedRanges& erased(Table table) const {
        return tables_[static_cast<std::size_t>(table)].erased;
    }
    /// The erased range that the key is in; null: in none.
    [[nodiscard]] const ErasedRanges::value_type* erased_at(Table table, BytesView key) const;
    /// Expects as many rows as `other` has. Precondition: empty.
    void reserve_like(const Overlay& other);

    [[nodiscard]] bool empty() const;
    /// Rows, and erased ranges.
    [[nodiscard]] std::size_t rows_count() const;
    /// Keys, values and what keeping them costs.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    struct Rows {
        OverlayRows rows;
        OverlayIndex index;
        ErasedRanges erased;
    };
    std::array<Rows, tables_count> tables_;
    std::size_t bytes_ = 0;
};

/// Which way a walk goes through the order of keys.
enum class Direction : std::uint8_t { ascending, descending };

/// Walks rows of one table of one part with from <= key < to (to empty: no bound).
class OverlayCursor {
public:
    OverlayCursor() = default;  ///< an empty range
    OverlayCursor(const Overlay& overlay, Table table, BytesView from, BytesView to,
                  Direction direction);

    [[nodiscard]] bool done() const { return first_ == last_; }
    /// Precondition: not done.
    [[nodiscard]] const OverlayRow& row() const {
        if (ascending_) return *first_;
        OverlayRows::Iterator before = last_;
        return *--before;
    }
    void next() { ascending_ ? ++first_ : --last_; }

private:
    OverlayRows::Iterator first_;  ///< the rows that are left
    OverlayRows::Iterator last_;
    bool ascending_ = true;
};

/// Walks both parts of the overlay; the active part hides the flushing one.
class OverlayWalk {
public:
    /// Precondition: both cursors go the same way, through `table`; `overlay` is the active part.
    OverlayWalk(OverlayCursor active, OverlayCursor flushing, Direction direction,
                const Overlay& overlay, Table table)
        : active_(active),
          flushing_(flushing),
          direction_(direction),
          overlay_(overlay),
          table_(table) {
        skip_erased();
    }

    /// The next row, or nothing.
    [[nodiscard]] const OverlayRow* peek() const;
    /// Steps over the row that peek() gave, in both parts.
    void next();

private:
    [[nodiscard]] bool comes_first(const OverlayCursor& one, const OverlayCursor& other) const;

    /// Goes past rows of the flushing part that the active one has erased in a range.
    void skip_erased();

    OverlayCursor active_;
    OverlayCursor flushing_;
    Direction direction_;
    const Overlay& overlay_;
    Table table_;
};

}  // namespace syncline
