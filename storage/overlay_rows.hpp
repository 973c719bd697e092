#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"
#include "storage/log.hpp"

/// The rows of one table in one part of the store's overlay. For storage/overlay.cpp alone.
namespace syncline {

/// A row as it stands in the overlay. No value: erased.
struct OverlayEntry {
    std::optional<Bytes> value;
    Position position = 0;
};

struct OverlayRow {
    BytesView key;  ///< lives as long as the rows
    OverlayEntry entry;
};

/// Rows, by number and in the order of their keys; they are only added, and stay where they are in
/// memory.
///
/// The first bits of a key, which are a hash for most, name one of many buckets. Rows are put into
/// them many at a time, or when somebody looks, and are put in order where somebody looks: most are
/// found by number, written, and never passed by a walk. In a bucket the rows that are in order
/// stand in runs of a few hundred, as the leaves of a tree do: all rows of one large collection
/// share a bucket.
/// Cost: of adding, O(1) amortized; of lower_bound(), and of a walk that comes to another bucket,
/// O(log n) and putting in order what was added to the bucket since.
/// Thread-safety: confined to one thread; but sorted() only reads what nothing but add() changes.
class OverlayRows {
    /// A row with eight bytes of its key as a number, which decide nearly every comparison without
    /// a look at the key, which lies elsewhere in memory.
    struct Slot {
        std::uint64_t head;
        OverlayRow* row;
    };
    using Run = std::vector<Slot>;
    struct Bucket {
        Run fresh;              ///< not in order yet
        std::vector<Run> runs;  ///< one behind the other; none is empty
    };

public:
    /// A row, or behind the last. Ended by add().
    class Iterator {
    public:
        Iterator() = default;  ///< equal to its like, and of no use else
        OverlayRow& operator*() const { return *slot().row; }
        OverlayRow* operator->() const { return slot().row; }
        /// Precondition: at a row.
        Iterator& operator++();
        /// Precondition: not at the first row.
        Iterator& operator--();
        bool operator==(const Iterator& other) const {
            return bucket_ == other.bucket_ && run_ == other.run_ && index_ == other.index_;
        }

    private:
        friend class OverlayRows;
        struct Place {
            std::size_t bucket;
            std::size_t run;
            std::size_t index;
        };
        Iterator(const OverlayRows& rows, const Place& place)
            : rows_(&rows), bucket_(place.bucket), run_(place.run), index_(place.index) {}
        [[nodiscard]] const Slot& slot() const {
            return rows_->ordered(bucket_).runs[run_][index_];
        }
        /// Behind the last slot of a run or bucket: goes to the next row, which is looked at later.
        void settle();

        const OverlayRows* rows_ = nullptr;
        std::size_t bucket_ = 0;  ///< behind the last row: the number of buckets
        std::size_t run_ = 0;
        std::size_t index_ = 0;
    };

    /// Expects about so many; more may come.
    explicit OverlayRows(std::size_t rows = 0) : expected_(rows) {}
    OverlayRows(OverlayRows&&) = default;
    OverlayRows& operator=(OverlayRows&&) = default;
    OverlayRows(const OverlayRows&) = delete;
    OverlayRows& operator=(const OverlayRows&) = delete;
    ~OverlayRows() = default;

    [[nodiscard]] Iterator begin() const;
    [[nodiscard]] Iterator end() const;
    /// The first row whose key is not less.
    [[nodiscard]] Iterator lower_bound(BytesView key) const;
    /// A new row without a value. Precondition: there is none with this key.
    OverlayRow& add(BytesView key);
    [[nodiscard]] std::size_t size() const { return size_; }
    /// In the order in which they were added, from 0 on.
    [[nodiscard]] OverlayRow& row(std::size_t number) const {
        return blocks_[number / block_rows][number % block_rows];
    }
    /// All rows in the order of their keys. O(n log n), on any thread while no row is added.
    [[nodiscard]] std::vector<const OverlayRow*> sorted() const;

private:
    static bool less(const Slot& one, const Slot& other);
    static void sort(Slot* first, Slot* last);
    static void sort_alike(Slot* first, Slot* last);
    static void insert(Bucket& bucket, const Slot& slot);
    static void rebuild(Bucket& bucket);
    [[nodiscard]] std::size_t bucket_of(std::uint64_t head) const { return head >> 1 >> shift_; }
    Bucket& ordered(std::size_t bucket) const;
    void distribute() const;
    void grow(std::size_t buckets) const;
    void put(const Slot& slot) const;
    BytesView keep(BytesView key);
    /// The first bucket from `bucket` on that has rows, or the number of buckets.
    [[nodiscard]] std::size_t used_from(std::size_t bucket) const;
    /// The last bucket before `bucket` that has rows. Precondition: there is one.
    [[nodiscard]] std::size_t used_before(std::size_t bucket) const;

    static constexpr std::size_t block_rows = 512;

    std::size_t expected_;
    std::size_t size_ = 0;
    std::vector<std::unique_ptr<OverlayRow[]>> blocks_;
    std::vector<std::unique_ptr<char[]>> key_blocks_;
    char* key_room_ = nullptr;
    std::size_t key_room_bytes_ = 0;
    // Made where somebody looks.
    mutable std::vector<Bucket> buckets_;      ///< a power of two of them, or none yet
    mutable std::vector<std::uint64_t> used_;  ///< a bit for each bucket that has rows
    mutable std::size_t distributed_ = 0;      ///< so many rows are in the buckets
    mutable unsigned shift_ = 0;
};

}  // namespace syncline
