#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/merkle/session.hpp"
#include "crdt/cell.hpp"

namespace syncline {

/// What somebody wants to know of a difference.
struct DifferenceQuestion {
    Bytes prefix;                 ///< of keys; empty: all
    std::size_t rows_max = 1000;  ///< listed; the others are counted
};

/// One row that two replicas hold differently, at the two snapshots that were compared.
struct RowDifference {
    enum class Newer : std::uint8_t {
        here,         ///< this side has seen events of the row that the other has not
        there,        ///< the other way round
        concurrent,   ///< both
        unexplained,  ///< neither: no event that is on its way will end it; an alarm
    };
    Bytes key;
    CellType type = CellType::string;
    std::optional<Bytes> field;
    Newer newer = Newer::unexplained;
    std::optional<Cell> here;  ///< nothing: no such row on this side
    std::optional<Cell> there;
};

/// What differs between two snapshots.
struct Difference {
    struct Counts {
        std::uint64_t rows = 0;
        std::uint64_t only_here = 0;
        std::uint64_t only_there = 0;
        std::uint64_t newer_here = 0;
        std::uint64_t newer_there = 0;
        std::uint64_t concurrent = 0;
        std::uint64_t unexplained = 0;
        std::uint64_t bytes_here = 0;   ///< of rows that only or also this side has
        std::uint64_t bytes_there = 0;  ///< what a repair would move here
    };
    VersionVector here;
    VersionVector there;
    LeafSum here_root;
    LeafSum there_root;
    Counts counts;                     ///< of rows under the prefix
    std::uint64_t rows_elsewhere = 0;  ///< that differ, outside the prefix
    std::vector<RowDifference> rows;   ///< in row order, at most rows_max
    std::uint64_t metadata_bytes = 0;  ///< messages both ways, without rows
};

/// One row of either side, or of both, with what the sides have seen. Error corrupt.
Result<RowDifference> compare_rows(BytesView row_key, std::optional<BytesView> here,
                                   const VersionVector& here_vv, std::optional<BytesView> there,
                                   const VersionVector& there_vv);

/// The staged rows of a verified session, beside the own ones. Precondition: state() is verified
/// and the base still is at the session's snapshot. Errors: corrupt, io. O(staged rows).
Result<Difference> difference_of(const SessionPuller& session, Store& store,
                                 const DifferenceQuestion& question);

}  // namespace syncline
