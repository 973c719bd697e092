#include "storage/tables.hpp"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

#include "core/base/limits.hpp"
#include "tests/storage/memory_disk.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(tables)
namespace {

const std::vector<std::size_t> interesting_lengths = [] {
    std::vector<std::size_t> lengths = {0, 1, 2, 15, 16, 238, 239, 240, 241, 254, 255, 256, 65536};
    for (std::size_t length = 400; length <= 600; length += 7) lengths.push_back(length);
    // Around the border between short and hashed, with and without a field's hash.
    for (std::size_t length = 484; length <= 492; ++length) lengths.push_back(length);
    return lengths;
}();

bool inside(const RowRange& range, BytesView row_key) {
    return range.first <= row_key && (range.last.empty() || row_key < range.last);
}

bool inside(const std::vector<RowRange>& ranges, BytesView row_key) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const RowRange& range) { return inside(range, row_key); });
}

void check_round_trip(BytesView key, std::uint8_t type, std::optional<BytesView> field) {
    const RowKey row_key = encode_row_key(key, type, field);
    BOOST_TEST(row_key.bytes.size() <= limits::row_key_bytes_max);
    BOOST_TEST(row_key_hash(row_key.bytes) == key_hash(key));
    const Bytes value = encode_row_value(row_key, key, field, "payload");
    const auto row = decode_row(row_key.bytes, value);
    BOOST_REQUIRE(row.has_value());
    BOOST_TEST(row->name.key == key);
    BOOST_TEST(row->name.type == type);
    BOOST_TEST((row->name.field.has_value() == field.has_value()));
    if (field) BOOST_TEST(*row->name.field == *field);
    BOOST_TEST(row->payload == "payload");
    BOOST_TEST(inside(rows_of_key(key), row_key.bytes));
    BOOST_TEST(inside(rows_of_key(key, type), row_key.bytes));
    BOOST_TEST(!inside(rows_of_key(key, static_cast<std::uint8_t>(type + 1)), row_key.bytes));
}

}  // namespace

BOOST_AUTO_TEST_CASE(names_of_all_lengths_come_back_from_their_rows) {
    for (const std::size_t key_bytes : interesting_lengths) {
        const Bytes key(key_bytes, 'k');
        for (const std::uint8_t type : std::vector<std::uint8_t>{0, 7, 255})
            check_round_trip(key, type, std::nullopt);
        for (const std::size_t field_bytes : interesting_lengths) {
            check_round_trip(key, 7, Bytes(field_bytes, 'f'));
        }
    }
}

BOOST_AUTO_TEST_CASE(keys_of_any_bytes_come_back_from_their_rows) {
    SeededRandom random(4);
    for (int round = 0; round < 2000; ++round) {
        Bytes key(random.below(300), '\0');
        Bytes field(random.below(300), '\0');
        for (char& byte : key) byte = static_cast<char>(random.next());
        for (char& byte : field) byte = static_cast<char>(random.next());
        const auto type = static_cast<std::uint8_t>(random.next());
        if (is_ordered_row_type(type))
            field.resize(std::min(field.size(), limits::position_bytes_max));
        check_round_trip(key, type, field);
    }
}

BOOST_AUTO_TEST_CASE(row_is_hashed_when_the_short_form_exceeds_the_limit) {
    // 8 of hash, 2 of length, 1 of type; a field adds 4 of hash.
    BOOST_TEST(!encode_row_key(Bytes(489, 'k'), 1, std::nullopt).hashed);
    BOOST_TEST(encode_row_key(Bytes(490, 'k'), 1, std::nullopt).hashed);
    BOOST_TEST(!encode_row_key(Bytes(485, 'k'), 1, "").hashed);
    BOOST_TEST(encode_row_key(Bytes(486, 'k'), 1, "").hashed);
    BOOST_TEST(encode_row_key(Bytes(489, 'k'), 1, std::nullopt).bytes.size() == 500U);
    BOOST_TEST(!encode_row_key("k", 1, Bytes(485, 'f')).hashed);
    BOOST_TEST(encode_row_key("k", 1, Bytes(486, 'f')).hashed);
    BOOST_TEST(encode_row_key("k", 1, Bytes(1 << 16, 'f')).bytes.size() == 42U);
    BOOST_TEST(encode_row_key(Bytes(1 << 16, 'k'), 1, std::nullopt).bytes.size() == 26U);
}

BOOST_AUTO_TEST_CASE(ranges_of_a_key_hold_its_rows_and_no_others) {
    std::vector<std::pair<Bytes, Bytes>> rows;  // user key, row key
    const std::vector<Bytes> keys = {"",
                                     "a",
                                     "ab",
                                     "abc",
                                     Bytes(239, 'a'),
                                     Bytes(240, 'a'),
                                     Bytes(485, 'a'),
                                     Bytes(490, 'a'),
                                     Bytes(70000, 'a')};
    const std::vector<Bytes> fields = {
        "", "a", "ab", Bytes(100, 'a'), Bytes(490, 'a'), Bytes(70000, 'a')};
    for (const Bytes& key : keys) {
        for (const std::uint8_t type : std::vector<std::uint8_t>{0, 1, 254, 255}) {
            rows.emplace_back(key, encode_row_key(key, type, std::nullopt).bytes);
            for (const Bytes& field : fields) {
                rows.emplace_back(key, encode_row_key(key, type, field).bytes);
            }
        }
    }
    std::set<Bytes> distinct;
    for (const auto& [key, row_key] : rows) distinct.insert(row_key);
    BOOST_TEST(distinct.size() == rows.size());
    for (const Bytes& key : keys) {
        for (const auto& [owner, row_key] : rows) {
            BOOST_TEST(inside(rows_of_key(key), row_key) == (owner == key));
        }
        for (const RowRange& range : rows_of_key(key)) BOOST_TEST((range.first < range.last));
    }
}

BOOST_AUTO_TEST_CASE(deadlines_come_back_in_their_order) {
    Bytes last;
    for (const std::uint64_t deadline :
         {std::uint64_t{0}, std::uint64_t{1'700'000'000'000}, ~std::uint64_t{0}}) {
        for (const unsigned key_bytes : {0U, 3U, 492U, 493U, 70000U}) {
            const Bytes key(key_bytes, 'k');
            const OrderRowKey row = encode_deadline_row(deadline, key);
            BOOST_TEST(row.bytes.size() <= limits::row_key_bytes_max);
            BOOST_TEST(row.value.empty() == (key_bytes <= 492));
            const Result<DeadlineRow> decoded = decode_deadline_row(row.bytes, row.value);
            BOOST_REQUIRE(decoded.has_value());
            BOOST_TEST(decoded->deadline_ms == deadline);
            BOOST_TEST((decoded->key == key));
            BOOST_TEST((last.substr(0, 8) <= row.bytes.substr(0, 8)));
            last = row.bytes;
        }
    }
    BOOST_TEST(!decode_deadline_row("1234567", "").has_value());
}

BOOST_DATA_TEST_CASE(ordered_rows_stand_in_the_order_of_their_fields,
                     boost::unit_test::data::make({5, 38}), number) {
    const auto ordered_row_type = static_cast<std::uint8_t>(number);
    BOOST_REQUIRE(is_ordered_row_type(ordered_row_type));
    for (const unsigned key_bytes : {0U, 3U, 200U, 201U, 500U, 70000U}) {
        const Bytes key(key_bytes, 'k');
        Bytes last;
        for (const Bytes& field : {Bytes(), Bytes("\0", 1), Bytes("a"), Bytes("b"),
                                   Bytes(limits::position_bytes_max, 'b'), Bytes(5, '\xff')}) {
            const RowKey row_key = encode_row_key(key, ordered_row_type, field);
            BOOST_TEST(row_key.bytes.size() <= limits::row_key_bytes_max);
            BOOST_TEST((last < row_key.bytes));
            last = row_key.bytes;
            const Bytes value = encode_row_value(row_key, key, field, "payload");
            const Result<Row> row = decode_row(row_key.bytes, value);
            BOOST_REQUIRE(row.has_value());
            BOOST_TEST((row->name == RowName{key, ordered_row_type, field}));
            BOOST_TEST(row->payload == "payload");
            BOOST_TEST(rows_of_key(key, ordered_row_type).size() == 1U);
            BOOST_TEST(inside(rows_of_key(key, ordered_row_type), row_key.bytes));
            BOOST_TEST(inside(rows_of_key(key), row_key.bytes));
        }
        const RowKey row_key = encode_row_key(key, ordered_row_type, "f");
        BOOST_TEST(
            !decode_row(row_key.bytes + Bytes(limits::position_bytes_max, 'x'), "").has_value());
    }
}

BOOST_AUTO_TEST_CASE(rows_of_a_second_order_come_back_in_it) {
    for (const unsigned key_bytes : {0U, 3U, 200U, 201U, 500U, 70000U}) {
        const Bytes key(key_bytes, 'k');
        const Bytes prefix = order_rows_prefix(key, 4);
        std::map<Bytes, std::pair<std::uint64_t, Bytes>> rows;
        std::map<Bytes, Bytes> values;
        for (const std::uint64_t order : {std::uint64_t{0}, std::uint64_t{7}, ~std::uint64_t{0}}) {
            for (const unsigned member_bytes : {0U, 1U, 200U, 70000U}) {
                const Bytes member(member_bytes, 'm');
                OrderRowKey row = encode_order_row(key, 4, order, member);
                BOOST_TEST(row.bytes.size() <= limits::row_key_bytes_max);
                BOOST_TEST(row.bytes.starts_with(prefix));
                rows.emplace(row.bytes, std::pair(order, member));
                values.emplace(row.bytes, row.value);
            }
        }
        BOOST_TEST(rows.size() == 12U);
        std::vector<std::pair<std::uint64_t, Bytes>> in_order;
        for (const auto& [row_key, expected] : rows) {
            const Result<OrderRow> row = decode_order_row(prefix, row_key, values.at(row_key));
            BOOST_REQUIRE(row.has_value());
            BOOST_TEST(row->order == expected.first);
            BOOST_TEST((row->member == expected.second));
            in_order.push_back(expected);
        }
        BOOST_TEST(std::is_sorted(in_order.begin(), in_order.end()));
        BOOST_TEST(!decode_order_row(prefix, prefix + "1234567", "").has_value());
    }
}

BOOST_AUTO_TEST_CASE(ranges_of_hash_prefixes_split_all_rows) {
    SeededRandom random(6);
    for (int round = 0; round < 300; ++round) {
        const Bytes key = std::to_string(random.next());
        const Bytes row_key = encode_row_key(key, 3, "field").bytes;
        BOOST_TEST(inside(rows_of_prefix(0, 0), row_key));
        for (const unsigned bits : {1U, 4U, 7U, 16U, 63U, 64U}) {
            const std::uint64_t prefix = key_hash(key) >> (64 - bits);
            const std::uint64_t last = ~std::uint64_t{0} >> (64 - bits);
            BOOST_TEST(inside(rows_of_prefix(prefix, bits), row_key));
            if (prefix > 0) BOOST_TEST(!inside(rows_of_prefix(prefix - 1, bits), row_key));
            if (prefix < last) BOOST_TEST(!inside(rows_of_prefix(prefix + 1, bits), row_key));
        }
    }
    BOOST_TEST(rows_of_prefix(0xFFFF, 16).last.empty());
    BOOST_TEST(rows_of_prefix(~std::uint64_t{0}, 64).last.empty());
    BOOST_TEST(to_hex(rows_of_prefix(0xFFFE, 16).last) == "ffff000000000000");
}

BOOST_AUTO_TEST_CASE(prefix_end_is_the_next_string_without_the_prefix) {
    BOOST_TEST(prefix_end("").empty());
    BOOST_TEST(prefix_end("\xFF").empty());
    BOOST_TEST(prefix_end("\xFF\xFF").empty());
    BOOST_TEST(prefix_end("a") == "b");
    BOOST_TEST(prefix_end("a\xFF\xFF") == "b");
    BOOST_TEST(prefix_end("a\x7F") == "a\x80");
    BOOST_TEST(to_hex(prefix_end(BytesView("\0", 1))) == "01");
}

BOOST_AUTO_TEST_CASE(damaged_rows_are_refused) {
    const std::vector<std::pair<Bytes, Bytes>> names = {
        {"key", "field"}, {Bytes(240, 'k'), "field"}, {Bytes(600, 'k'), "field"}};
    for (const auto& [key, field] : names) {
        const RowKey row_key = encode_row_key(key, 6, field);
        const Bytes value = encode_row_value(row_key, key, field, "payload");
        const std::size_t type_offset =
            row_key.hashed ? 25 : row_key.bytes.size() - field.size() - 4 - 1;
        for (std::size_t offset = 0; offset < row_key.bytes.size(); ++offset) {
            Bytes damaged = row_key.bytes;
            damaged[offset] = static_cast<char>(damaged[offset] ^ 0x04);
            // Any type is a good one here; the row's checksum guards it.
            BOOST_TEST(decode_row(damaged, value).has_value() == (offset == type_offset));
            // Cut right behind the type it is the key's row without a field, if it is short.
            const bool other = !row_key.hashed && offset == type_offset + 1;
            BOOST_TEST(decode_row(row_key.bytes.substr(0, offset), value).has_value() == other);
        }
        if (!row_key.hashed) continue;
        for (std::size_t count = 0; count < value.size() - 7; ++count) {
            const auto row = decode_row(row_key.bytes, BytesView(value).substr(0, count));
            BOOST_REQUIRE(!row.has_value());
            BOOST_TEST((row.error().code == Code::corrupt));
        }
    }
    // A length that fits one byte must not be written in two.
    Bytes padded = encode_row_key("k", 1, std::nullopt).bytes;
    padded.replace(8, 1, "\xF0\x01");
    BOOST_TEST(!decode_row(padded, "").has_value());
}

BOOST_AUTO_TEST_CASE(row_keys_are_those_of_the_format) {
    BOOST_TEST(to_hex(encode_row_key("", 1, std::nullopt).bytes) == "2d06800538d394c20001");
    BOOST_TEST(to_hex(encode_row_key("key", 2, std::nullopt).bytes) ==
               "bbea0d63a05165e3036b657902");
    BOOST_TEST(to_hex(encode_row_key("key", 3, "field").bytes) ==
               "bbea0d63a05165e3036b6579037cc98a396669656c64");
    const Bytes middle(240, 'k');
    BOOST_TEST(to_hex(encode_row_key(middle, 4, "").bytes) ==
               "aa797e2a991a7490f0f0" + to_hex(middle) + "0438d394c2");
    const Bytes wide(500, 'k');
    const RowKey hashed = encode_row_key(wide, 6, "field");
    BOOST_TEST(to_hex(hashed.bytes) ==
               "8903d7a9d4558f3dff9b88a3ab0476b71e8903d7a9d4558f3d06febbc6e2c8691d4a16eb47fc9978"
               "bab0");
    BOOST_TEST(to_hex(encode_row_value(hashed, wide, "field", "payload")) ==
               "f403" + to_hex(wide) + "01" + "05" + to_hex("field") + to_hex("payload"));
    const OrderRowKey order = encode_order_row("key", 4, 0x8000000000000001, "ann");
    BOOST_TEST(to_hex(order.bytes) == "bbea0d63a05165e3036b6579048000000000000001616e6e");
    BOOST_TEST(order.value.empty());
    const RowKey plain = encode_row_key(wide, 6, std::nullopt);
    BOOST_TEST(to_hex(plain.bytes) == "8903d7a9d4558f3dff9b88a3ab0476b71e8903d7a9d4558f3d06");
    BOOST_TEST(to_hex(encode_row_value(plain, wide, std::nullopt, "payload")) ==
               "f403" + to_hex(wide) + "00" + to_hex("payload"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
