#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crdt/text_op.hpp"
#include "tests/crdt/spec.hpp"

/// What a text means, as a function of its operations alone: the tree of the Fugue paper, one node
/// for each character, walked by recursion.
namespace syncline::test::spec {

struct TextTree {
    using Place = std::pair<std::optional<ElementId>, Side>;  ///< nothing: the root

    std::map<ElementId, std::string> characters;
    std::map<Place, std::set<ElementId>> children;
    std::set<ElementId> erased;
};

/// The code points of well-formed UTF-8.
inline std::vector<std::string> characters_of(const std::string& utf8) {
    std::vector<std::string> characters;
    for (const char byte : utf8) {
        const bool starts = (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
        if (starts) characters.emplace_back();
        characters.back().push_back(byte);
    }
    return characters;
}

inline void add(TextTree& tree, const TextInsertion& insertion) {
    TextTree::Place place = {insertion.parent, insertion.side};
    ElementId id = insertion.first;
    for (const std::string& character : characters_of(insertion.text)) {
        tree.characters[id] = character;
        tree.children[place].insert(id);
        place = {id, Side::right};
        ++id.index;
    }
}

inline void add(TextTree& tree, const TextErasure& erasure) {
    for (const ElementRange& range : erasure.ranges) {
        for (std::uint64_t i = 0; i < range.count; ++i) {
            tree.erased.insert({range.first.actor, range.first.index + i});
        }
    }
}

using TextEvents = Events<std::vector<TextOp>>;

inline TextTree text_tree(const TextEvents& visible) {
    TextTree tree;
    for (const auto& event : visible) {
        for (const TextOp& op : event.operation) {
            std::visit([&tree](const auto& edit) { add(tree, edit); }, op);
        }
    }
    return tree;
}

inline std::set<ElementId> children_of(const TextTree& tree, const TextTree::Place& place) {
    const auto found = tree.children.find(place);
    return found == tree.children.end() ? std::set<ElementId>() : found->second;
}

/// Left children, the element, right children.
inline void walk(const TextTree& tree, const std::optional<ElementId>& id,
                 std::vector<ElementId>& order) {
    for (const ElementId& child : children_of(tree, {id, Side::left})) walk(tree, child, order);
    if (id) order.push_back(*id);
    for (const ElementId& child : children_of(tree, {id, Side::right})) walk(tree, child, order);
}

/// All elements, erased ones included.
inline std::vector<ElementId> traversal(const TextTree& tree) {
    std::vector<ElementId> order;
    walk(tree, std::nullopt, order);
    return order;
}

inline std::vector<std::string> text(const TextTree& tree) {
    std::vector<std::string> visible;
    for (const ElementId& id : traversal(tree)) {
        if (tree.erased.count(id) == 0) visible.push_back(tree.characters.at(id));
    }
    return visible;
}

/// Where somebody who sees this tree hangs a character that he inserts at a visible position.
inline TextTree::Place insertion_place(const TextTree& tree, std::size_t position) {
    const std::vector<ElementId> order = traversal(tree);
    std::size_t after = 0;  // in the order: where the left neighbour ends
    for (std::size_t visible = 0; visible < position; ++after) {
        if (tree.erased.count(order[after]) == 0) ++visible;
    }
    std::optional<ElementId> left;
    if (after > 0) left = order[after - 1];
    if (children_of(tree, {left, Side::right}).empty()) return {left, Side::right};
    return {order[after], Side::left};
}

}  // namespace syncline::test::spec
