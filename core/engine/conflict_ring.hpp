#pragma once
#include "core/engine/conflict.hpp"
#include "storage/store.hpp"

namespace syncline {

/// What a reader of conflicts asks for. Empty fields do not filter.
struct ConflictQuery {
    /// Continue behind this sequence number, in the direction of reading. Nothing: from the end
    /// that the direction starts at.
    std::optional<std::uint64_t> after;
    bool newest_first = false;
    std::size_t count = 100;  ///< records at most
    std::optional<Bytes> key;
    std::optional<Bytes> prefix;  ///< of keys
    std::optional<ConflictKind> kind;
};

struct ConflictPage {
    std::vector<ConflictRecord> records;
    /// The last sequence number that was looked at: `after` of the next page.
    std::uint64_t next = 0;
    /// There are records behind `next`; without filters that fit nothing the page may be empty all
    /// the same, since one page looks at a bounded number of rows.
    bool more = false;
};

/// The conflicts a replica has recorded: rows of their own table, under ascending numbers, the
/// oldest leaving first. Rows and figures go into the checkpoint; what came after it is made anew
/// by replay, under the same numbers. Nothing of it is hashed or replicated.
/// Invariant: rows first() .. last() are there, without gaps; last() == recorded() as numbers.
/// Thread-safety: confined to one thread.
class ConflictRing {
public:
    ConflictRing(Store& store, std::uint64_t bytes_max) : store_(store), bytes_max_(bytes_max) {}

    /// Takes records down under the next numbers, and lets the oldest go. `omitted` were found,
    /// too, and count as recorded by none and dropped.
    Result<void> append(std::vector<ConflictRecord> records, std::uint64_t omitted, Hlc now,
                        Position position);
    /// Rows looked at: at most limits::conflict_rows_per_page. Reading waits, as of any row, for
    /// the log records that the rows come from.
    Result<ConflictPage> page(const ConflictQuery& query);

    /// One record that is kept. Errors: corrupt (it is damaged, or missing), of storage.
    [[nodiscard]] Result<ConflictRecord> read(std::uint64_t sequence);
    /// The numbers that are kept; first() > last() when there is none.
    [[nodiscard]] std::uint64_t first() const { return first_; }
    [[nodiscard]] std::uint64_t last() const { return next_ - 1; }
    /// Ever taken down, those that have left the ring included.
    [[nodiscard]] std::uint64_t recorded() const { return next_ - 1; }
    [[nodiscard]] std::uint64_t recorded(ConflictKind kind) const;
    /// Left the ring for newer ones, or were more than one event may leave behind.
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
    /// Of the rows that are kept.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    void save(RowChanges& meta) const;
    Result<void> load();

private:
    Result<void> drop_oldest(Position position);

    Store& store_;
    std::uint64_t bytes_max_;
    std::uint64_t first_ = 1;
    std::uint64_t next_ = 1;
    std::uint64_t bytes_ = 0;
    std::uint64_t dropped_ = 0;
    std::array<std::uint64_t, conflict_kinds_count> by_kind_{};
};

}  // namespace syncline
