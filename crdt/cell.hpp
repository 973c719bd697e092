#pragma once
#include <array>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "crdt/counter.hpp"
#include "crdt/dot_map.hpp"

namespace syncline {

/// Data types, in order of precedence: where two live under one key, the larger one is seen.
/// The numbers stand in row keys and on the wire.
enum class CellType : std::uint8_t {
    string = 1,
    hash = 2,
    set = 3,
    sorted_set = 4,
    list = 5,
    text = 6,  ///< one cell for each generation; its characters are rows beside it, text_rows.hpp
    multi_value = 7,
    flag = 8,
    bounded_counter = 9,
    expiry = 32,  ///< when the key ends: beside what it holds, which alone makes a key exist
};

/// What the cells of a type are made of.
struct CellTraits {
    CellType type;
    std::string_view name;  ///< as TYPE answers
    bool has_fields;        ///< one cell for each field or member; else one for the key
    bool has_values;        ///< dots carry a value and a timestamp; else they only say "present"
    bool has_counter;       ///< increments beside the register
    bool has_scores;        ///< the values are scores, crdt/score.hpp
    bool has_positions;  ///< the fields are positions, crdt/position.hpp; rows stand in their order
};

/// All of them, in ascending order.
constexpr CellTraits all_cell_traits[] = {
    {CellType::string, "string", false, true, true, false, false},
    {CellType::hash, "hash", true, true, true, false, false},
    {CellType::set, "set", true, false, false, false, false},
    {CellType::sorted_set, "zset", true, true, true, true, false},
    {CellType::list, "list", true, true, false, false, true},
    {CellType::text, "text", true, true, false, false, false},
    {CellType::multi_value, "multi-value", false, true, false, false, false},
    {CellType::flag, "flag", false, false, false, false, false},
    {CellType::bounded_counter, "bounded-counter", true, true, false, false, false},
    {CellType::expiry, "expiry", false, true, false, false, false},
};
constexpr std::size_t cell_types_count = std::size(all_cell_traits);

/// Where a type stands in all_cell_traits.
constexpr std::size_t cell_type_index(CellType type) {
    std::size_t index = 0;
    while (all_cell_traits[index].type != type) ++index;
    return index;
}
constexpr const CellTraits& traits_of(CellType type) {
    return all_cell_traits[cell_type_index(type)];
}
/// All known types, in ascending order, for walks over a key's families.
constexpr auto cell_types = []() {
    std::array<CellType, cell_types_count> types{};
    for (std::size_t i = 0; i < cell_types_count; ++i) types[i] = all_cell_traits[i].type;
    return types;
}();
/// Whether a live cell of this type makes its key exist.
constexpr bool makes_key(CellType type) {
    return type != CellType::expiry;
}
/// Whether of concurrent values one is seen and the others are only kept.
constexpr bool is_last_writer_wins(CellType type) {
    return type == CellType::string || type == CellType::hash || type == CellType::sorted_set ||
           type == CellType::list;
}
/// Whether cells of this type are never removed: range deletes and deadlines pass them by, because
/// the invariant of a bounded counter rests on rows that nobody takes back.
constexpr bool is_permanent(CellType type) {
    return type == CellType::bounded_counter;
}
/// Whether a removal may leave a negative dot, which wins over concurrent adds.
constexpr bool is_signed(CellType type) {
    return !traits_of(type).has_values;
}
std::optional<CellType> cell_type_from(std::uint64_t number);
/// "string", "hash", "set", ...
constexpr std::string_view cell_type_name(CellType type) {
    return traits_of(type).name;
}

/// What one transaction does to one cell. Made once, at the origin; applied everywhere.
struct CellDelta {
    bool writes_dots = false;             ///< removes the dots its past covers
    std::optional<Bytes> value;           ///< and then adds its own dot with this value
    std::vector<Counter::Entry> counter;  ///< entries to merge into the counter part
    bool negates = false;                 ///< its own dot is negative; goes without a value

    bool operator==(const CellDelta&) const = default;
};

/// The smallest unit that merges, one row of storage: a register of dots with values, and a
/// counter, as far as the type has them.
struct Cell {
    DotMap dots;
    Counter counter;

    [[nodiscard]] bool empty() const { return dots.empty() && counter.empty(); }
    /// A reader sees something: dots without a negative one, or increments that no reset has seen.
    [[nodiscard]] bool live() const {
        return (!dots.empty() && !dots.has_negative()) || counter.exists();
    }

    /// Effect of a transaction: {d in dots | d not in past} plus its own dot; counter entries
    /// joined. Preconditions: past is covered by the state's context, dot is not.
    void apply(const CellDelta& delta, CellType type, const Dot& dot, Hlc hlc,
               const VersionVector& past);
    static Cell join(const Cell& a, const VersionVector& a_context, const Cell& b,
                     const VersionVector& b_context);

    /// Something in it could go once a stable cut covers it.
    [[nodiscard]] bool collectable(CellType type) const;
    /// Drops what no replica needs any more, given a vector that every replica has: counter entries
    /// that are reset whole, values that lost against another one, where the last writer wins, and
    /// negative dots with all beside them.
    /// Changes nothing that a reader sees. Joins with states that have not dropped it work:
    /// it is covered by this side's context, and absent.
    void collect(CellType type, const VersionVector& cut);

    bool operator==(const Cell&) const = default;
};

/// The visible value of a string or hash field: the register winner, plus the counter if that
/// winner is a number (or there is none). Integers add up mod 2^64; where a decimal takes part the
/// sum is a Decimal. Absent when nothing is live.
std::optional<Bytes> string_value(const Cell& cell);
/// The same of the bytes that write() makes of a string's cell, without making the cell where there
/// is one value and nothing beside it, as nearly always. Error corrupt as read_cell.
Result<std::optional<Bytes>> read_string_value(BytesView bytes);
/// What a reader of a cell of any type with values sees, as text. Absent when nothing is live.
std::optional<Bytes> visible_value(const Cell& cell, CellType type);
/// One written value of such a cell, as text.
Bytes value_text(const Bytes& value, CellType type);
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
