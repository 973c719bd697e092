#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crdt/dot.hpp"

namespace syncline {

/// The name of one character of a text: the index-th, from 0, that its actor has inserted into this
/// generation. Names are never used twice, also after the character is erased.
struct ElementId {
    Actor actor;
    std::uint64_t index = 0;

    auto operator<=>(const ElementId&) const = default;
};
std::string to_string(const ElementId& id);  ///< "node.incarnation#index"
/// Nothing unless the text is what to_string() makes.
std::optional<ElementId> element_id_from(BytesView text);

/// On which side of its parent an element of the tree hangs.
enum class Side : std::uint8_t { left, right };

/// A run of characters, put into the tree as a chain: the first below `parent`, each other one as
/// right child of the one before it.
struct TextInsertion {
    ElementId first;
    std::optional<ElementId> parent;  ///< nothing: the root, which has right children only
    Side side = Side::right;
    Bytes text;  ///< well-formed UTF-8, not empty

    bool operator==(const TextInsertion&) const = default;
};

/// Characters with consecutive names.
struct ElementRange {
    ElementId first;
    std::uint64_t count = 0;

    bool operator==(const ElementRange&) const = default;
};

/// Characters that go. Some may be gone already: erasing is idempotent.
struct TextErasure {
    std::vector<ElementRange> ranges;

    bool operator==(const TextErasure&) const = default;
};

/// One edit as it travels. Made once, at the origin; applied everywhere.
using TextOp = std::variant<TextInsertion, TextErasure>;

/// A msgpack array; the actor of inserted elements is the transaction's and is not repeated. What
/// continues the actor's last insertion takes 5 to 13 bytes and the text (9 at index 100,000),
/// another insertion at most 32; an erasure 2 bytes and 4 numbers for each range.
void pack(Packer& out, const TextOp& op);
/// Fails the reader unless it is an operation that `origin` can have made: no ill-formed or empty
/// text, no empty or overflowing range. Whether its parent exists only Text::check can say.
TextOp unpack_text_op(Unpacker& in, const Actor& origin);

}  // namespace syncline
