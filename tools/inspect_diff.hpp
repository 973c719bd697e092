#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tools/inspect_nodes.hpp"

namespace syncline {

/// One side of a row that differs.
struct SideView {
    std::optional<Bytes> value;  ///< as far as the node tells it; nothing for members of sets
    std::uint64_t value_bytes = 0;
    bool removed = false;  ///< by a removal that wins over concurrent adds
    std::vector<std::string> dots;
};

struct RowView {
    Bytes key;
    std::string type;
    std::optional<Bytes> field;
    std::string newer;  ///< here, there, concurrent, unexplained
    std::optional<SideView> here;
    std::optional<SideView> there;
};

/// The reply of CRDT.DIFF.
struct DiffView {
    std::uint64_t differing = 0;
    std::uint64_t newer_here = 0;
    std::uint64_t newer_there = 0;
    std::uint64_t concurrent = 0;
    std::uint64_t unexplained = 0;  ///< no event on its way explains them: an alarm
    std::uint64_t bytes_here = 0;   ///< of rows, what a repair would move from here
    std::uint64_t bytes_there = 0;
    std::uint64_t metadata_bytes = 0;
    std::uint64_t elsewhere = 0;  ///< rows that differ outside the prefix
    std::uint64_t omitted = 0;    ///< rows not listed
    std::vector<RowView> rows;
};

/// Error unavailable: the node's error reply.
Result<DiffView> parse_diff(const RespValue& reply);
/// `here` and `there` are what the two nodes are called.
std::string diff_text(const DiffView& diff, const std::string& here, const std::string& there,
                      const ConsoleStyle& style);
std::string diff_json(const DiffView& diff, const std::string& here, const std::string& there);

}  // namespace syncline
