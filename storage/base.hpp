#pragma once
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"
#include "storage/tables.hpp"

namespace syncline {

/// Tables of rows. `cells` holds what replicates; `counts` is derived; `meta` belongs to
/// checkpoints; `conflicts` is what this replica recorded; `deadlines` is derived: which key ends
/// when.
enum class Table : std::uint8_t { cells = 0, counts = 1, meta = 2, conflicts = 3, deadlines = 4 };
constexpr std::size_t tables_count = 5;

/// Puts (a value) and erasures (no value), by key in ascending order.
using RowChanges = std::map<Bytes, std::optional<Bytes>, std::less<>>;
/// One set of changes per table, committed together.
using BaseChanges = std::array<RowChanges, tables_count>;

/// The same as views into what somebody else keeps.
struct RowChangeView {
    BytesView key;
    std::optional<BytesView> value;
};
/// In each table by key in ascending order, every key once.
using BaseChangeViews = std::array<std::vector<RowChangeView>, tables_count>;
BaseChangeViews views_of(const BaseChanges& changes);

/// All rows of a table from range.first on, below range.last (empty: to the end).
struct ErasedRange {
    Table table = Table::cells;
    RowRange range;
};

/// Called for rows in key order; false ends the walk. Views die with the call.
using RowVisitor = std::function<bool(BytesView key, BytesView value)>;

/// How a base fills what it may fill, as of the last commit. In bytes.
struct BaseSpace {
    std::uint64_t map_bytes = 0;       ///< how large the file can become; 0: no bound
    std::uint64_t file_bytes = 0;      ///< of it in use so far
    std::uint64_t free_bytes = 0;      ///< of these, in pages that hold nothing any more
    std::uint64_t fresh_bytes = 0;     ///< of these, freed by the last commit: no use to the next
    std::uint64_t reserved_bytes = 0;  ///< of the disk, set aside for commits to come
    bool reserve_short = false;        ///< the disk could not give what should be set aside
    /// Commits that the oldest read view has outlived. A turn ends soon: 0, seldom 1.
    std::uint64_t reader_commits = 0;

    [[nodiscard]] std::uint64_t used_bytes() const { return file_bytes - free_bytes; }
};

/// Rows to be removed wherever they stand, whether or not they can be read: all of a range, and all
/// of the table that fail their checksum.
struct Purge {
    Table table = Table::cells;
    std::optional<RowRange> range;
};

/// The rows as of the last checkpoint. LMDB in production (storage/lmdb.hpp).
/// Thread-safety: get, view, scan and end_turn from the owning thread; commit from the
/// checkpoint thread at the same time.
class Base {
public:
    virtual ~Base() = default;
    /// Errors: io; corrupt when the row fails its checksum (never "absent").
    virtual Result<std::optional<Bytes>> get(Table table, BytesView key) = 0;
    /// The same without a copy. The view lives until end_turn().
    virtual Result<std::optional<BytesView>> view(Table table, BytesView key) = 0;
    /// Rows with from <= key < to (to empty: no bound), ascending. Damaged rows beyond do not
    /// matter.
    virtual Result<void> scan(Table table, BytesView from, BytesView to,
                              const RowVisitor& visit) = 0;
    /// The same rows, descending.
    virtual Result<void> scan_reverse(Table table, BytesView from, BytesView to,
                                      const RowVisitor& visit) = 0;
    /// As scan(), and sees to it that keys ascend and that a look-up finds rows where the walk
    /// meets them: error corrupt. False: rows beside these are damaged. They may be of the range,
    /// if it is their keys that are, and mislead who looks for others: purge() removes them.
    /// Error io: a page cannot be trusted; nothing is read or written from then on.
    virtual Result<bool> scan_checked(Table table, BytesView from, BytesView to,
                                      const RowVisitor& visit) {
        SYNCLINE_CHECK(scan(table, from, to, visit));
        return true;
    }
    Result<void> scan(Table table, BytesView from, const RowVisitor& visit) {
        return scan(table, from, {}, visit);
    }
    /// One transaction, durable when it returns. Errors: no_space (map or disk is full: nothing has
    /// changed, and the same commit may be tried again); io, corrupt (final: every later commit
    /// answers the same).
    /// `erased` goes first, so that changes may put rows in these ranges.
    virtual Result<void> commit(const BaseChangeViews& changes,
                                const std::vector<ErasedRange>& erased) = 0;
    Result<void> commit(const BaseChanges& changes, const std::vector<ErasedRange>& erased = {}) {
        return commit(views_of(changes), erased);
    }
    /// One transaction, durable when it returns. Errors: io, no_space, corrupt. Cost: reads every
    /// row of these tables.
    virtual Result<void> purge(const std::vector<Purge>& purges) = 0;
    /// Somebody waits for the commit that is under way, or for the next. Else a large one may leave
    /// the disk to others as it goes. Thread-safety: any thread. Free.
    virtual void hurry(bool /*waited_for*/) {}
    /// Something in here is not as it was written, as only the caller may know: before the next
    /// commit or purge all pages are looked at, and if more than rows is damaged nothing is written
    /// any more (error io). Rows that fail their checksum have the same effect.
    /// Thread-safety: any thread. Free; the next commit reads the whole file.
    virtual void distrust() {}
    /// Ends the read view that get and scan share, so that no reader outlives a turn.
    virtual void end_turn() = 0;

    /// Thread-safety: any thread. Free.
    [[nodiscard]] virtual BaseSpace space() const { return {}; }
    /// Lets the file become so large; less than it is now does nothing. Ends the read view. False:
    /// a commit is under way, try again when it is done. From the owning thread. Error io.
    virtual Result<bool> grow(std::uint64_t /*map_bytes*/) { return true; }
    /// Frees what readers left that died with their process; answers with how many. Error io.
    virtual Result<unsigned> check_readers() { return 0U; }
};

}  // namespace syncline
