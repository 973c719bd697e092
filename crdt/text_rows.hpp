#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "crdt/text_counters.hpp"
#include "crdt/text_op.hpp"

namespace syncline {

/// Runs are cut where the index is a multiple of this, so that a row stays small.
constexpr std::uint64_t text_run_length_max = 512;
/// Sets of erased indexes are cut where the index is a multiple of this: erasing one character
/// rewrites a row of at most some kilobytes, however long the text is.
constexpr std::uint64_t text_erased_row_indexes = 8192;

/// One row of a text, within its generation.
struct TextRowName {
    enum class Kind : std::uint8_t {
        run = 1,     ///< characters that were inserted
        erased = 2,  ///< which of the actor's characters are gone
    };

    Kind kind = Kind::run;
    Actor actor;
    std::uint64_t first = 0;  ///< of a run its first index, of erased ones the cut before them

    auto operator<=>(const TextRowName&) const = default;
};
std::string to_string(const TextRowName& name);  ///< "run node.incarnation#index"

/// 4 to 22 bytes, 6 with small numbers of actors.
void write(ByteWriter& out, const TextRowName& name);
/// Error{corrupt} unless the bytes are exactly one name.
Result<TextRowName> read_text_row_name(BytesView bytes);

/// The name of a generation of a text: the transaction that made it. Its bytes are the field of the
/// generation's cell, and in front of the names of its rows.
Bytes generation_field(const Dot& generation);
/// Nothing unless the bytes are exactly one.
std::optional<Dot> generation_from(BytesView field);

/// The `type` byte of rows that hold the characters of texts. They stand in table `cells` and in
/// the leaf sums like cells, beside the cell of their generation, but are none.
constexpr std::uint8_t text_row_type = 38;

/// A row of a text among those of all generations under a key. 8 to 42 bytes.
struct TextRowPlace {
    Dot generation;
    TextRowName name;

    auto operator<=>(const TextRowPlace&) const = default;
};
Bytes text_row_field(const TextRowPlace& place);
/// Error{corrupt} unless the bytes are exactly one place.
Result<TextRowPlace> read_text_row_place(BytesView field);
/// Whether the bytes are a canonical row of this name.
Result<void> check_text_row(const TextRowName& name, BytesView bytes);

/// A run: a maximal chain of elements of one actor, each the right child of the one before it, with
/// consecutive indexes, cut at multiples of text_run_length_max. Which runs there are is a function
/// of the set of operations.
struct TextRunRow {
    std::uint64_t length = 0;         ///< elements, erased ones included; 1 to 512
    std::optional<ElementId> parent;  ///< of the first element
    Side side = Side::right;
    std::uint64_t counter = 0;              ///< of the transaction that inserted the first element
    std::vector<TextCounters::Step> steps;  ///< and from there to each next one's
    Bytes live;  ///< UTF-8 of the elements that are not erased; which these are the other rows say

    bool operator==(const TextRunRow&) const = default;
};

/// Canonical bytes: equal rows have equal bytes.  Some 7 bytes and the text.
void write(ByteWriter& out, const TextRowName& name, const TextRunRow& row);
/// Error{corrupt} unless the bytes are exactly one canonical run of this name.
Result<TextRunRow> read_text_run_row(const TextRowName& name, BytesView bytes);

/// Erased indexes as (first, count), ascending and with gaps between them, not empty.
using TextErasedRow = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

/// Canonical bytes, as above.  2 to 4 bytes for each interval.
void write(ByteWriter& out, const TextRowName& name, const TextErasedRow& row);
/// Error{corrupt} unless the bytes are exactly one canonical row of this name.
Result<TextErasedRow> read_text_erased_row(const TextRowName& name, BytesView bytes);

}  // namespace syncline
