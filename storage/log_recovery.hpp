#pragma once
#include <deque>
#include <memory>
#include <string>

#include "storage/segment.hpp"

/// How a log is found again after a restart. For storage/log.cpp alone.
namespace syncline {

/// A file that holds nothing the log needs.
struct FreeFile {
    std::string name;
    bool filled = false;  ///< has the full size of a segment
};

struct RecoveredLog {
    /// Oldest first, each ending where the next begins; empty: there is no log yet.
    std::deque<std::shared_ptr<Segment>> segments;
    Position end = 0;               ///< after the last record, in the last segment
    bool closed = false;            ///< the last segment ends with an end mark
    std::deque<FreeFile> free;      ///< oldest first
    std::uint64_t sequence = 0;     ///< the largest one used
    std::uint64_t file_number = 0;  ///< the largest one used
};

/// The name of the log's n-th file. The number only keeps names apart; headers give the order.
std::string segment_name(std::uint64_t file_number);

/// Reads the headers, verifies the records from `from` on, and makes the end fit for appending:
/// what was read is on disk, and nothing behind it can ever be taken for a record.
/// Errors: io, version, corrupt (as Log::open).
Result<RecoveredLog> recover_log(Disk& disk, std::uint64_t segment_bytes, Position from);

}  // namespace syncline
