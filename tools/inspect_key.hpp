#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tools/inspect_nodes.hpp"

namespace syncline {

/// A dot of a cell, as CRDT.EXPLAIN tells it.
struct DotView {
    std::string dot;
    std::string time;            ///< empty for members of sets
    std::optional<Bytes> value;  ///< nothing for members of sets
    bool winner = false;
    bool negative = false;  ///< of a removal that wins

    bool operator==(const DotView&) const = default;
};

/// What one actor contributes to a counter.
struct PartView {
    std::string actor;
    std::int64_t adds = 0;     ///< what counts: sum without what was reset
    std::string adds_decimal;  ///< beside it
    std::int64_t sum = 0;      ///< of the integers
    std::int64_t reset_sum = 0;
    std::string reset_dot;
    std::int64_t last = 0;

    bool operator==(const PartView&) const = default;
};

struct CellView {
    std::string type;
    std::optional<Bytes> field;
    std::optional<Bytes> value;
    bool hidden = false;
    std::string why;
    std::vector<DotView> dots;
    std::vector<PartView> parts;

    /// Equal rows; what is said of them does not count.
    [[nodiscard]] bool same_row(const CellView& other) const {
        return type == other.type && field == other.field && dots == other.dots &&
               parts == other.parts;
    }
};

/// A key as one node has it.
struct KeyView {
    std::size_t node = 0;  ///< its index among the nodes asked
    std::string error;     ///< why the node does not tell; empty: it does
    std::string type;      ///< that is visible; empty: no such key
    std::uint64_t cells_omitted = 0;
    std::vector<CellView> cells;
};

/// One cell over all nodes.
struct CellComparison {
    struct Variant {
        std::vector<std::size_t> nodes;  ///< that hold it so
        std::optional<CellView> cell;    ///< nothing: they have no such cell
    };
    std::string type;
    std::optional<Bytes> field;
    std::vector<Variant> variants;  ///< one: all nodes hold the same
};

KeyView parse_key(std::size_t node, const Result<RespValue>& reply);
/// Cell by cell, in the order in which nodes name them.
std::vector<CellComparison> compare_key(const std::vector<KeyView>& views);
bool all_equal(const std::vector<CellComparison>& cells);

struct KeyQuestion {
    Bytes key;
    std::optional<Bytes> field;
};
std::string key_text(const KeyQuestion& question, const std::vector<NodeView>& nodes,
                     const std::vector<KeyView>& views, const ConsoleStyle& style);
std::string key_json(const KeyQuestion& question, const std::vector<NodeView>& nodes,
                     const std::vector<KeyView>& views);

}  // namespace syncline
