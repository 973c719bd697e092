#pragma once
#include <functional>
#include <optional>

#include "net/commands/command.hpp"

namespace syncline {

/// The options of SCAN, HSCAN and SSCAN.
struct ScanOptions {
    std::uint64_t cursor = 0;
    std::size_t count = 10;
    std::optional<Bytes> match;
    std::optional<Bytes> type;

    [[nodiscard]] bool matches(BytesView text) const;
};

/// Parses from the cursor on, which is argument `cursor_index`. Nothing: an error was replied.
Result<std::optional<ScanOptions>> parse_scan(CommandContext& context, std::size_t cursor_index,
                                              bool with_type);

/// Walks live fields of a hash or set from a cursor on, in the order of their hashes, which is the
/// same on all replicas: a cursor of one works on another. Elements with equal hashes come
/// together, so that every element present throughout is visited. Looks at about `count` rows.
/// The result continues the walk; 0 ends it.
Result<std::uint64_t> scan_fields(Transaction& txn, BytesView key, CellType type,
                                  std::uint64_t cursor, std::size_t count,
                                  const CellVisitor& visit);

/// Writes the reply of a SCAN command: the next cursor and the elements.
void reply_scan(RespWriter& reply, std::uint64_t cursor, const std::vector<Bytes>& elements);

}  // namespace syncline
