#pragma once
#include <concepts>
#include <optional>

#include "crdt/bounded_counter.hpp"
#include "crdt/cell.hpp"
#include "crdt/position.hpp"
#include "crdt/text_rows.hpp"
#include "crdt/version_vector.hpp"
#include "net/resp.hpp"

namespace syncline {

// One pair of a reply that is a map: its name, then its value; null where there is none.

inline void field(RespWriter& reply, BytesView name, BytesView value) {
    reply.bulk(name);
    reply.bulk(value);
}

template <std::integral Number>
void field(RespWriter& reply, BytesView name, Number value) {
    reply.bulk(name);
    reply.integer(static_cast<std::int64_t>(value));
}

inline void field(RespWriter& reply, BytesView name, const VersionVector& vv) {
    reply.bulk(name);
    reply.map(vv.entries().size());
    for (const auto& [actor, counter] : vv.entries()) field(reply, to_string(actor), counter);
}

template <typename Value>
void field(RespWriter& reply, BytesView name, const std::optional<Value>& value) {
    if (value) return field(reply, name, *value);
    reply.bulk(name);
    reply.null();
}

// Fields of cells as people write them: positions of list elements in hexadecimal, generations of
// texts as the dots they are, rows of bounded counters by words.

inline std::optional<Bytes> field_text(CellType type, const std::optional<Bytes>& field) {
    if (field && type == CellType::text) return to_string(generation_from(*field).value());
    if (field && type == CellType::bounded_counter) {
        const std::optional<RightsRow> row = rights_row(*field);
        return row ? to_string(*row) : to_hex(*field);
    }
    return field && traits_of(type).has_positions ? std::optional<Bytes>(to_hex(*field)) : field;
}

/// Nothing also if the text is no field of this type.
inline std::optional<Bytes> field_from_text(CellType type, const std::optional<Bytes>& text) {
    if (text && type == CellType::text) {
        const std::optional<Dot> generation = dot_from(*text);
        return generation ? std::optional(generation_field(*generation)) : std::nullopt;
    }
    if (text && type == CellType::bounded_counter) {
        const std::optional<RightsRow> row = rights_row_from_text(*text);
        return row ? std::optional(rights_field(*row)) : std::nullopt;
    }
    if (!text || !traits_of(type).has_positions) return text;
    std::optional<Bytes> position = from_hex(*text);
    if (position && !is_position(*position)) position.reset();
    return position;
}

}  // namespace syncline
