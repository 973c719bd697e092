#pragma once
#include <optional>
#include <vector>

#include "crdt/counter.hpp"
#include "crdt/dot_map.hpp"

namespace syncline {

/// Data types, in order of precedence: where two live under one key, the larger one is seen.
/// The numbers stand in row keys and on the wire.
enum class CellType : std::uint8_t { string = 1, hash = 2, set = 3 };

/// All known types, for walks over a key's families.
constexpr CellType cell_types[] = {CellType::string, CellType::hash, CellType::set};
std::optional<CellType> cell_type_from(std::uint64_t number);
/// Redis's name: "string", "hash", "set".
std::string_view cell_type_name(CellType type);

/// What one transaction does to one cell. Made once, at the origin; applied everywhere.
struct CellDelta {
    bool writes_dots = false;             ///< removes the dots its past covers
    std::optional<Bytes> value;           ///< and then adds its own dot with this value
    std::vector<Counter::Entry> counter;  ///< entries to merge into the counter part

    bool operator==(const CellDelta&) const = default;
};

/// The smallest unit that merges, one row of storage. Strings and hash fields use dots as a
/// register and the counter for increments; set elements use dots alone, without values.
struct Cell {
    DotMap dots;
    Counter counter;

    [[nodiscard]] bool empty() const { return dots.empty() && counter.empty(); }
    /// A reader sees something: a live dot, or increments that no reset has seen.
    [[nodiscard]] bool live() const { return !dots.empty() || counter.exists(); }

    /// Effect of a transaction: {d in dots | d not in past} plus its own dot; counter entries
    /// joined. Preconditions: past is covered by the state's context, dot is not.
    void apply(const CellDelta& delta, CellType type, const Dot& dot, Hlc hlc,
               const VersionVector& past);
    static Cell join(const Cell& a, const VersionVector& a_context, const Cell& b,
                     const VersionVector& b_context);

    bool operator==(const Cell&) const = default;
};

/// The visible value of a string or hash field: the register winner, plus the counter if that
/// winner is a number (or there is none). Integers add up mod 2^64; where a decimal takes part the
/// sum is a Decimal. Absent when nothing is live.
std::optional<Bytes> string_value(const Cell& cell);
/// The visible value as a 64-bit number; nothing if it is not one in Redis's strict notation.
/// An absent cell counts as 0.
std::optional<std::int64_t> integer_value(const Cell& cell);
/// The visible value as a decimal; nothing if it is no number, or out of range. An absent cell
/// counts as 0.
std::optional<Decimal> decimal_value(const Cell& cell);

/// Canonical bytes: equal cells have equal bytes. Written by type: set elements store no values.
void write(ByteWriter& out, const Cell& cell, CellType type);
/// Error{corrupt} when the bytes are not exactly one canonical cell of this type.
Result<Cell> read_cell(BytesView bytes, CellType type);

void pack(Packer& out, const CellDelta& delta, CellType type);
CellDelta unpack_cell_delta(Unpacker& in, CellType type);

}  // namespace syncline
