#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

/// Keys of the tables `cells` and `counts`. A deterministic function of what is stored, so that all
/// replicas order and hash rows alike. Layout in storage/FORMAT.md:
///   short:  h64(key) | length | key | type | [h32(field) field]
///   hashed: h64(key) | 0xFF | H128(key) | type | [H128(field)]     when the short form > 500 bytes
///   ordered: as short without h32, or as hashed with the field itself instead of its hash when the
///            key has more than 200 bytes: rows of types 5 and 38 stand in the order of their
///            fields
/// `type` is opaque here but for that. A field is present or not by type; sets and hashes always
/// have one.
struct RowName {
    Bytes key;
    std::uint8_t type = 0;
    std::optional<Bytes> field;

    bool operator==(const RowName&) const = default;
};

/// Types whose rows stand in the order of their fields, which have at most
/// limits::position_bytes_max bytes.
constexpr bool is_ordered_row_type(std::uint8_t type) {
    return type == 5 || type == 38;
}

/// The row key, and whether it is of the hashed form (then the value must carry the full name).
struct RowKey {
    Bytes bytes;
    bool hashed = false;
};
/// Precondition: an ordered row has a field within its bound.
RowKey encode_row_key(BytesView key, std::uint8_t type, std::optional<BytesView> field);

/// A row's value: for hashed keys the full key and field stand in front of the payload.
Bytes encode_row_value(const RowKey& row_key, BytesView key, std::optional<BytesView> field,
                       BytesView payload);

/// A row taken apart. `payload` is a view into `value`.
struct Row {
    RowName name;
    BytesView payload;
};
/// Error corrupt when key and value are not what encode_* write (the hashes are verified).
Result<Row> decode_row(BytesView row_key, BytesView value);

/// Keys of derived rows in table `counts` that give a collection a second order: by `order`, then
/// by member. Layout in storage/FORMAT.md:
///   h64(key) | length | key | type | order (8 bytes) | member
/// with H128(key) as in hashed row keys when the key has more than 200 bytes. A member that does
/// not fit is cut and ends with its H128; the row's value is then the whole member, else empty:
/// members with an equal order and equal first 200 bytes may stand in another order than their own.
struct OrderRow {
    std::uint64_t order = 0;
    BytesView member;  ///< into the row's key or value
};
struct OrderRowKey {
    Bytes bytes;
    Bytes value;
};
OrderRowKey encode_order_row(BytesView key, std::uint8_t type, std::uint64_t order,
                             BytesView member);
/// Keys up to here stand as they are in the rows of a second order, and of an ordered type, so that
/// members have room.
constexpr std::size_t order_key_bytes_max = 200;
/// What all order rows of a key and type begin with, and all rows of an ordered type.
Bytes order_rows_prefix(BytesView key, std::uint8_t type);
/// Error corrupt when a row that begins with the prefix is none.
Result<OrderRow> decode_order_row(BytesView prefix, BytesView row_key, BytesView value);

/// Keys of rows in table `deadlines`: deadline (8 bytes, big-endian) | key; one that makes the row
/// too long is cut and ends with its H128, and the row's value is then the whole key, else empty.
struct DeadlineRow {
    std::uint64_t deadline_ms = 0;
    BytesView key;  ///< into the row's key or value
};
OrderRowKey encode_deadline_row(std::uint64_t deadline_ms, BytesView key);
/// Error corrupt when the row is none.
Result<DeadlineRow> decode_deadline_row(BytesView row_key, BytesView value);

/// A range of row keys: first <= row key < last (last empty: no bound).
struct RowRange {
    Bytes first;
    Bytes last;
};
/// Every row of a user key lies in one of these (short and hashed form; the first alone when no
/// field can make the row hashed is not assumed: both are always given).
std::vector<RowRange> rows_of_key(BytesView key);
/// Every row of one type of a user key. Of an ordered type it is one range.
std::vector<RowRange> rows_of_key(BytesView key, std::uint8_t type);
/// Rows whose h64 starts with the `bits`-bit prefix `prefix` (bits <= 64; 0 = all rows).
RowRange rows_of_prefix(std::uint64_t prefix, unsigned bits);

/// The position of a user key in the order of rows: XXH3-64.
std::uint64_t key_hash(BytesView key);
/// The h64 a row key starts with. Precondition: at least 8 bytes.
std::uint64_t row_key_hash(BytesView row_key);
/// The smallest string greater than this one.
Bytes successor(BytesView bytes);
/// The smallest string greater than every string with this prefix; empty when there is none.
Bytes prefix_end(BytesView prefix);

}  // namespace syncline
