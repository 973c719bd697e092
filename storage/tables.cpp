#include "storage/tables.hpp"

#include "core/base/hash.hpp"
#include "core/base/limits.hpp"

namespace syncline {
namespace {

/// Lengths from here on take two bytes; the first one then starts with four set bits.
constexpr std::size_t long_length_min = 0xF0;
constexpr std::uint8_t hashed_mark = 0xFF;
constexpr std::size_t hash64_bytes = 8;
constexpr std::size_t hash32_bytes = 4;
constexpr std::size_t hash128_bytes = 16;
/// Where the type stands in a hashed row key.
constexpr std::size_t hashed_type_offset = hash64_bytes + 1 + hash128_bytes;

// The two-byte length must never start with the mark of the hashed form.
static_assert((limits::row_key_bytes_max >> 8) < 0x0F);

std::size_t length_bytes(std::size_t length) {
    return length < long_length_min ? 1 : 2;
}

/// Whether key, type and `field_bytes` more fit the short form.
bool fits_short(BytesView key, std::size_t field_bytes) {
    const std::size_t fixed = hash64_bytes + length_bytes(key.size()) + 1;
    return key.size() <= limits::row_key_bytes_max && field_bytes <= limits::row_key_bytes_max &&
           fixed + key.size() + field_bytes <= limits::row_key_bytes_max;
}

void write_hash128(ByteWriter& writer, BytesView bytes) {
    const Hash128 hash = hash128(bytes, {}, 0);
    writer.u64(hash.high);
    writer.u64(hash.low);
}

/// Everything of a short row key before the type. Precondition: fits_short(key, 0).
Bytes short_prefix(BytesView key, std::size_t reserve_bytes) {
    Bytes bytes;
    bytes.reserve(hash64_bytes + 2 + key.size() + reserve_bytes);
    ByteWriter writer(bytes);
    writer.u64(key_hash(key));
    if (key.size() < long_length_min) {
        writer.u8(static_cast<std::uint8_t>(key.size()));
    } else {
        writer.u16(static_cast<std::uint16_t>((long_length_min << 8) | key.size()));
    }
    writer.raw(key);
    return bytes;
}

Bytes hashed_prefix(BytesView key) {
    Bytes bytes;
    bytes.reserve(hashed_type_offset + 1 + hash128_bytes);
    ByteWriter writer(bytes);
    writer.u64(key_hash(key));
    writer.u8(hashed_mark);
    write_hash128(writer, key);
    return bytes;
}

RowRange range_of_prefix(Bytes prefix) {
    Bytes last = prefix_end(prefix);
    return RowRange{std::move(prefix), std::move(last)};
}

Error bad_row(BytesView row_key, const char* what) {
    return Error{Code::corrupt, "row " + printable(row_key) + " " + what};
}

/// The name in a short row key, hashes unchecked.
Result<RowName> parse_short(BytesView row_key) {
    ByteReader reader(row_key);
    reader.u64();
    std::size_t length = reader.u8();
    if (length >= long_length_min) length = ((length & 0x0F) << 8) | reader.u8();
    RowName name;
    name.key = Bytes(reader.raw(length));
    name.type = reader.u8();
    const bool ordered = is_ordered_row_type(name.type);
    if (reader.ok() && (ordered || reader.left() > 0)) {
        if (!ordered) reader.u32();
        name.field = Bytes(reader.raw(reader.left()));
    }
    if (!reader.done()) return bad_row(row_key, "is cut short");
    return name;
}

/// The name that stands in front of the payload of a hashed row; `value` moves to the payload.
Result<RowName> parse_hashed(BytesView row_key, BytesView& value) {
    if (row_key.size() <= hashed_type_offset) return bad_row(row_key, "is cut short");
    ByteReader reader(value);
    RowName name;
    name.key = Bytes(reader.sized());
    name.type = static_cast<std::uint8_t>(row_key[hashed_type_offset]);
    const std::uint8_t field_flag = reader.u8();
    if (field_flag == 1) name.field = Bytes(reader.sized());
    if (!reader.ok() || field_flag > 1) return bad_row(row_key, "carries no full name");
    value = reader.raw(reader.left());
    return name;
}

RowKey ordered_row_key(BytesView key, std::uint8_t type, BytesView field) {
    SYNCLINE_ASSERT(field.size() <= limits::position_bytes_max);
    RowKey row{order_rows_prefix(key, type), key.size() > order_key_bytes_max};
    row.bytes.append(field);
    return row;
}

}  // namespace

Bytes order_rows_prefix(BytesView key, std::uint8_t type) {
    Bytes prefix = key.size() <= order_key_bytes_max ? short_prefix(key, 1) : hashed_prefix(key);
    prefix.push_back(static_cast<char>(type));
    return prefix;
}

RowKey encode_row_key(BytesView key, std::uint8_t type, std::optional<BytesView> field) {
    if (is_ordered_row_type(type)) return ordered_row_key(key, type, field.value());
    const std::size_t field_bytes = field ? hash32_bytes + field->size() : 0;
    if (fits_short(key, field_bytes)) {
        RowKey row{short_prefix(key, 1 + field_bytes), false};
        ByteWriter writer(row.bytes);
        writer.u8(type);
        if (field) {
            writer.u32(static_cast<std::uint32_t>(hash64(*field)));
            writer.raw(*field);
        }
        return row;
    }
    RowKey row{hashed_prefix(key), true};
    ByteWriter writer(row.bytes);
    writer.u8(type);
    if (field) write_hash128(writer, *field);
    return row;
}

Bytes encode_row_value(const RowKey& row_key, BytesView key, std::optional<BytesView> field,
                       BytesView payload) {
    if (!row_key.hashed) return Bytes(payload);
    Bytes value;
    value.reserve(key.size() + (field ? field->size() : 0) + payload.size() + 16);
    ByteWriter writer(value);
    writer.sized(key);
    writer.u8(field ? 1 : 0);
    if (field) writer.sized(*field);
    writer.raw(payload);
    return value;
}

Result<Row> decode_row(BytesView row_key, BytesView value) {
    if (row_key.size() <= hash64_bytes) return bad_row(row_key, "is cut short");
    const bool hashed = static_cast<std::uint8_t>(row_key[hash64_bytes]) == hashed_mark;
    SYNCLINE_TRY(RowName name, hashed ? parse_hashed(row_key, value) : parse_short(row_key));
    if (is_ordered_row_type(name.type) &&
        (!name.field || name.field->size() > limits::position_bytes_max)) {
        return bad_row(row_key, "has no place in its order");
    }
    // Encoding the name again checks all at once: the hashes, the length's form, short or hashed.
    if (encode_row_key(name.key, name.type, name.field).bytes != row_key) {
        return bad_row(row_key, "does not belong to the name it carries");
    }
    return Row{std::move(name), value};
}

namespace {

/// The row whose name is that of `begin` and a number, and then of a member, which may be cut.
OrderRowKey ordered_row(Bytes begin, std::uint64_t order, BytesView member) {
    OrderRowKey row{std::move(begin), {}};
    ByteWriter writer(row.bytes);
    writer.u64(order);
    const std::size_t room = limits::row_key_bytes_max - row.bytes.size();
    if (member.size() <= room) {
        writer.raw(member);
        return row;
    }
    writer.raw(member.substr(0, room - hash128_bytes));
    write_hash128(writer, member);
    row.value = Bytes(member);
    return row;
}

}  // namespace

OrderRowKey encode_order_row(BytesView key, std::uint8_t type, std::uint64_t order,
                             BytesView member) {
    return ordered_row(order_rows_prefix(key, type), order, member);
}

Result<OrderRow> decode_order_row(BytesView prefix, BytesView row_key, BytesView value) {
    SYNCLINE_ASSERT(row_key.starts_with(prefix));
    ByteReader reader(row_key.substr(prefix.size()));
    const std::uint64_t order = reader.u64();
    const BytesView rest = reader.raw(reader.left());
    if (!reader.ok()) return bad_row(row_key, "is cut short");
    return OrderRow{order, value.empty() ? rest : value};
}

OrderRowKey encode_deadline_row(std::uint64_t deadline_ms, BytesView key) {
    return ordered_row({}, deadline_ms, key);
}

Result<DeadlineRow> decode_deadline_row(BytesView row_key, BytesView value) {
    SYNCLINE_TRY(const OrderRow row, decode_order_row({}, row_key, value));
    return DeadlineRow{row.order, row.member};
}

std::vector<RowRange> rows_of_key(BytesView key) {
    std::vector<RowRange> ranges;
    if (fits_short(key, 0)) ranges.push_back(range_of_prefix(short_prefix(key, 0)));
    ranges.push_back(range_of_prefix(hashed_prefix(key)));
    return ranges;
}

std::vector<RowRange> rows_of_key(BytesView key, std::uint8_t type) {
    std::vector<RowRange> ranges;
    if (is_ordered_row_type(type)) {
        ranges.push_back(range_of_prefix(order_rows_prefix(key, type)));
        return ranges;
    }
    const auto add = [&](Bytes prefix) {
        prefix.push_back(static_cast<char>(type));
        ranges.push_back(range_of_prefix(std::move(prefix)));
    };
    if (fits_short(key, 0)) add(short_prefix(key, 1));
    add(hashed_prefix(key));
    return ranges;
}

RowRange rows_of_prefix(std::uint64_t prefix, unsigned bits) {
    SYNCLINE_ASSERT(bits <= 64);
    if (bits == 0) return RowRange{};
    const unsigned shift = 64 - bits;
    SYNCLINE_ASSERT(prefix <= ~std::uint64_t{0} >> shift);
    RowRange range;
    ByteWriter(range.first).u64(prefix << shift);
    if (prefix < ~std::uint64_t{0} >> shift) ByteWriter(range.last).u64((prefix + 1) << shift);
    return range;
}

std::uint64_t key_hash(BytesView key) {
    return hash64(key);
}

std::uint64_t row_key_hash(BytesView row_key) {
    SYNCLINE_ASSERT(row_key.size() >= hash64_bytes);
    return ByteReader(row_key).u64();
}

Bytes successor(BytesView bytes) {
    Bytes next(bytes);
    next.push_back('\0');
    return next;
}

Bytes prefix_end(BytesView prefix) {
    while (!prefix.empty() && static_cast<std::uint8_t>(prefix.back()) == 0xFF) {
        prefix.remove_suffix(1);
    }
    Bytes end(prefix);
    if (!end.empty()) end.back() = static_cast<char>(static_cast<std::uint8_t>(end.back()) + 1);
    return end;
}

}  // namespace syncline
