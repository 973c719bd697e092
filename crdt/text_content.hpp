#pragma once
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "crdt/text_counters.hpp"
#include "crdt/text_op.hpp"
#include "crdt/text_rows.hpp"

namespace syncline {

/// What one actor has inserted into a text, by index: the form in which texts are joined and built.
/// Views point into the rows or the texts that it was made of.
struct TextActorContent {
    struct Chain {
        std::uint64_t first = 0;
        std::optional<ElementId> parent;
        Side side = Side::right;

        bool operator==(const Chain&) const = default;
    };
    struct Piece {
        std::uint64_t first = 0;
        std::uint64_t length = 0;
        BytesView text;  ///< empty: erased; else UTF-8 of `length` code points
    };

    Actor actor;
    std::vector<Chain> chains;  ///< ascending, the first one at 0
    std::vector<Piece> pieces;  ///< ascending and without gaps, from 0 to counters.size()
    TextCounters counters;
};

/// Ascending by actor; each has elements.
struct TextContent {
    std::vector<TextActorContent> actors;
};

/// Error{corrupt} when the rows are not the rows of one text; what only the whole tree can show is
/// left to Text::load.
Result<TextContent> read_text_content(std::span<const std::pair<TextRowName, Bytes>> rows);

/// The union. Error{corrupt} when the same elements have different places or transactions.
Result<TextContent> join_text_contents(const TextContent& a, const TextContent& b);

}  // namespace syncline
