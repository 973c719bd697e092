#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/base/bytes.hpp"
#include "core/merkle/leaf_sums.hpp"
#include "storage/tables.hpp"

namespace syncline {

/// What is known of the rows of one bucket of the Merkle tree.
enum class BucketState : std::uint8_t {
    unverified,  ///< not looked at as a whole since the start
    verified,    ///< rows add up to the leaf sum, and derived rows are what they say
    rebuilding,  ///< derived rows were made anew; the base has damaged ones until a checkpoint
    restoring,   ///< a peer's rows took their place; the base has damaged ones until a checkpoint
    damaged,     ///< rows were lost or changed. Frozen: not read, not served, not written
};

/// One look at all rows of a bucket, in slices between which others may write. Rows in front of
/// `cursor` are in the sums; what is written there is added to them as well, so that in the end
/// they are compared with what holds at that moment.
struct BucketCheck {
    enum class Phase : std::uint8_t { cells, derived, done };
    /// Live cells of a key, by number of type.
    using Live = std::map<std::uint8_t, std::uint64_t>;

    std::uint32_t bucket = 0;
    bool thorough = false;  ///< strings are decoded as well, and keys counted
    RowRange range;
    Bytes cursor;
    Phase phase = Phase::cells;
    LeafSums::Watch seen;  ///< the cells in front of the cursor, as they are now
    std::map<Bytes, Live> live;
    std::map<Bytes, Bytes> order_prefixes;  ///< of sorted sets: what their order rows begin with
    std::uint64_t rows = 0;                 ///< cells
    std::uint64_t looked = 0;               ///< and derived rows
    std::uint64_t derived = 0;              ///< of these, in table `counts`
    bool disturbed = false;                 ///< cells have changed since derived rows are looked at
    std::uint64_t bytes = 0;
    std::optional<std::string> cells_fault;
    std::optional<std::string> derived_fault;

    [[nodiscard]] bool done() const { return phase == Phase::done; }
    /// A row of the bucket that is in the sums already.
    [[nodiscard]] bool has_passed(BytesView row_key) const;
};

/// Where a scrub stands, and what it has found.
struct ScrubStatus {
    bool running = false;
    bool fast = false;          ///< somebody waits for it: not only what a tick can spare
    std::uint64_t buckets = 0;  ///< done in this pass
    std::uint64_t buckets_all = 0;
    std::uint64_t rows = 0;       ///< looked at in this pass
    std::uint64_t rows_all = 0;   ///< of replicated rows there are, for a forecast
    std::uint64_t bytes = 0;      ///< of rows looked at in this pass
    std::uint64_t faults = 0;     ///< found in this pass
    std::uint64_t begun_ms = 0;   ///< wall clock; 0: never since the start
    std::uint64_t passes = 0;     ///< finished since the start
    std::uint64_t rows_ever = 0;  ///< looked at since the start
    std::uint64_t last_ms = 0;    ///< wall clock at which a pass was finished last; 0: never
    std::uint64_t last_faults = 0;
    std::uint64_t damaged = 0;   ///< buckets that are damaged now
    std::uint64_t damages = 0;   ///< found since the start, derived rows included
    std::uint64_t repaired = 0;  ///< buckets repaired since the start
    std::string finding;         ///< the latest
};

}  // namespace syncline
