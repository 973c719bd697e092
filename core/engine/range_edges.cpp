#include "core/engine/range_edges.hpp"

#include <algorithm>

#include "core/base/limits.hpp"
#include "storage/tables.hpp"

namespace syncline {
const RangeEdges::Edges* RangeEdges::find(const Bytes& prefix) const {
    const auto found = ranges_.find(prefix);
    return found == ranges_.end() ? nullptr : &found->second;
}

RangeEdges::Edges& RangeEdges::edges_of(const Bytes& prefix, Position seen) {
    const bool is_new = !ranges_.contains(prefix);
    if (is_new && ranges_.size() >= limits::range_edges_max) ranges_.clear();
    Edges& edges = ranges_[prefix];
    if (is_new) {
        edges.first = prefix;
        edges.end = prefix_end(prefix);
    }
    edges.changed = std::max(edges.changed, seen);
    return edges;
}

void RangeEdges::first_is(const Bytes& prefix, std::optional<BytesView> row_key, Position seen) {
    edges_of(prefix, seen).first = row_key ? Bytes(*row_key) : prefix_end(prefix);
}

void RangeEdges::last_is(const Bytes& prefix, std::optional<BytesView> row_key, Position seen) {
    edges_of(prefix, seen).end = row_key ? successor(*row_key) : prefix;
}

void RangeEdges::changed(const Bytes& prefix, BytesView row_key, bool put, Position position) {
    const auto found = ranges_.find(prefix);
    if (found == ranges_.end()) return;
    Edges& edges = found->second;
    edges.changed = std::max(edges.changed, position);
    if (!put) return;
    if (row_key < edges.first) edges.first = Bytes(row_key);
    if (row_key >= edges.end) edges.end = successor(row_key);
}

}  // namespace syncline
