#include "crdt/cell.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "tests/crdt/subjects.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(cell)
namespace {

constexpr Actor a{1, 1};
constexpr Actor b{2, 1};
constexpr std::int64_t i64_min = std::numeric_limits<std::int64_t>::min();

std::string hex_of(const Cell& cell, CellType type) {
    return to_hex(test::bytes_of(cell, type));
}

/// So long after the epoch of timestamps at rest.
Hlc at(std::uint64_t ms) {
    constexpr std::uint64_t epoch_ms = 1704067200000;
    return Hlc::at_ms(epoch_ms + ms);
}

Cell string_cell(BytesView value) {
    Cell cell;
    cell.dots.put({a, 1}, DotValue{Hlc{at(1000).bits + 5}, Bytes(value)});
    return cell;
}

void increment(Cell& cell, const Dot& dot, std::int64_t amount) {
    const auto [actor, entry] =
        cell.counter.increment(dot, static_cast<std::uint64_t>(amount), false);
    cell.counter.merge(actor, entry);
}

/// Two siblings, one live counter entry and one that is reset.
Cell full_cell() {
    Cell cell = string_cell("10");
    cell.dots.put({b, 2}, DotValue{at(2000), "20"});
    increment(cell, {a, 2}, 5);
    for (const auto& [actor, entry] : cell.counter.reset({b, 3})) cell.counter.merge(actor, entry);
    increment(cell, {b, 4}, -1);
    return cell;
}

bool reads(BytesView bytes, CellType type) {
    return read_cell(bytes, type).has_value();
}

BOOST_AUTO_TEST_CASE(golden_bytes_of_each_type) {
    BOOST_TEST(hex_of({}, CellType::string) == "00");
    // form, dot, time, value
    BOOST_TEST(hex_of(string_cell("hi"), CellType::string) == "100101e807056869");
    Cell element;
    element.dots.put({a, 1}, {});
    element.dots.put({b, 300}, {});
    BOOST_TEST(hex_of(element, CellType::set) == "2001010002ac02");
    Cell removed;  // the first dot is negative, then the second
    removed.dots.put({a, 1}, DotValue{Hlc{}, {}, true});
    BOOST_TEST(hex_of(removed, CellType::flag) == "180101");
    removed.dots.put({a, 1}, {});
    removed.dots.put({b, 300}, DotValue{Hlc{}, {}, true});
    BOOST_TEST(hex_of(removed, CellType::set) == "2001010802ac02");
    BOOST_TEST((read_cell(*from_hex("2001010802ac02"), CellType::set).value() == removed));
    Cell number;
    increment(number, {a, 3}, 5);
    BOOST_TEST(hex_of(number, CellType::hash) == "0801000103000a");
    // Two dots; two entries, of which the first is reset.
    BOOST_TEST(hex_of(full_cell(), CellType::hash) ==
               "28"
               "0101e80705023130"
               "000202d00f00023230"
               "02"
               "010102000a000203"
               "0002040001");
}

BOOST_AUTO_TEST_CASE(golden_bytes_of_wide_actors_and_scores) {
    const Actor wide{0x9abcdef0, 1};
    const Actor returned{0x9abcdef0, 300};
    Cell element;
    element.dots.put({wide, 1000000}, {});
    BOOST_TEST(hex_of(element, CellType::set) == "139abcdef0c0843d");
    element.dots.put({returned, 1}, {});
    BOOST_TEST(hex_of(element, CellType::set) == "239abcdef0c0843d079abcdef0ac0201");
    Cell member;  // the value has a fixed length, also in front of entries
    member.dots.put({a, 1}, DotValue{at(0), Bytes(8, '\xc0')});
    BOOST_TEST(hex_of(member, CellType::sorted_set) == "1001010000c0c0c0c0c0c0c0c0");
    increment(member, {wide, 2}, 1);
    BOOST_TEST(hex_of(member, CellType::sorted_set) ==
               "1801010000c0c0c0c0c0c0c0c001189abcdef0020002");
    Cell early;  // before the epoch of timestamps
    early.dots.put({a, 1}, DotValue{Hlc{7}, ""});
    BOOST_TEST(hex_of(early, CellType::string) == "1001018098b8edb3ce3f07");
}

BOOST_AUTO_TEST_CASE(cells_of_many_dots_are_read_back) {
    for (const std::uint32_t count : {14U, 15U, 16U, 150U}) {
        Cell cell;
        for (std::uint32_t i = 0; i < count; ++i) {
            const Dot dot{{i * 0x123456, i % 3}, i + 1};
            cell.dots.put(dot, DotValue{Hlc{std::uint64_t{i} << 40}, Bytes(i, 'v')});
        }
        const Bytes bytes = test::bytes_of(cell, CellType::string);
        BOOST_TEST((read_cell(bytes, CellType::string).value() == cell));
        increment(cell, {b, 2}, 5);
        const Bytes with_entry = test::bytes_of(cell, CellType::string);
        BOOST_TEST((read_cell(with_entry, CellType::string).value() == cell));
    }
}

BOOST_AUTO_TEST_CASE(golden_bytes_of_a_bounded_counter) {
    BOOST_TEST(to_hex(rights_field({a, std::nullopt})) == "0101");
    BOOST_TEST(to_hex(rights_field({a, a})) == "01010101");
    BOOST_TEST(to_hex(rights_field({a, Actor{300, 0}})) == "0101ac0200");
    Cell row;
    row.dots.put({a, 7}, DotValue{Hlc::at_ms(1), rights_bytes(300)});
    const Bytes hex = hex_of(row, CellType::bounded_counter);
    BOOST_TEST(hex == "1001078198b8edb3ce3f00ac02");
    const Bytes front = hex.substr(0, hex.size() - 4);
    for (const char* const number : {"00", "8000", "0101", ""}) {  // none, long, two, none at all
        BOOST_TEST(!reads(*from_hex(front + number), CellType::bounded_counter));
    }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_canonical_are_corrupt) {
    const auto refused = [](BytesView hex, CellType type) { return !reads(*from_hex(hex), type); };
    BOOST_TEST(refused("", CellType::string));
    BOOST_TEST(!refused("100101", CellType::set));
    BOOST_TEST(refused("08", CellType::set));                // the sign of no dot
    BOOST_TEST(refused("200101100201", CellType::set));      // a sign that is none
    BOOST_TEST(refused("0800", CellType::string));           // an empty counter part
    BOOST_TEST(refused("080100010300", CellType::string));   // an entry cut off
    BOOST_TEST(refused("0801000103000a", CellType::set));    // a set element with a counter
    BOOST_TEST(refused("0801000103000a", CellType::list));   // an element of a list, too
    BOOST_TEST(refused("01", CellType::set));                // an actor without a dot
    BOOST_TEST(refused("10010178", CellType::set));          // a set element with more
    BOOST_TEST(refused("100100", CellType::set));            // counter 0
    BOOST_TEST(refused("2002010001", CellType::set));        // cut off
    BOOST_TEST(refused("200201000101", CellType::set));      // unsorted
    BOOST_TEST(refused("200101000101", CellType::set));      // twice
    BOOST_TEST(refused("200101000102", CellType::set));      // two of an actor
    BOOST_TEST(refused("2001010802", CellType::set));        // no such form of an actor
    BOOST_TEST(refused("11000101", CellType::set));          // a node in more bytes than it needs
    BOOST_TEST(refused("14010101", CellType::set));          // incarnation 1 where none stands
    BOOST_TEST(refused("1401ffffffff1f01", CellType::set));  // an incarnation beyond 32 bits
    BOOST_TEST(refused("10018100", CellType::set));          // a long varint
    BOOST_TEST(refused("f0ffffff0f0101", CellType::set));    // more dots than bytes
    BOOST_TEST(refused("f0ffffffffffffffffff010101", CellType::set));     // and past 2^64
    BOOST_TEST(refused("10010180808080808080010078", CellType::string));  // ms beyond 48 bits
    BOOST_TEST(refused("1001010080800478", CellType::string));            // counter beyond 16
    BOOST_TEST(!refused("1001010000c0c0c0c0c0c0c0c0", CellType::sorted_set));
    BOOST_TEST(refused("1001010000c0c0c0c0c0c0c0", CellType::sorted_set));  // a short score
    BOOST_TEST(refused("1001010000c0c0c0c0c0c0c0c0c0", CellType::sorted_set));
    const auto error = read_cell("junk", CellType::set).error();
    BOOST_TEST((error.code == Code::corrupt));
    BOOST_TEST(error.message == "not a canonical set cell: junk");
}

BOOST_AUTO_TEST_CASE(every_truncation_and_every_addition_is_corrupt) {
    const Bytes whole = test::bytes_of(full_cell(), CellType::string);
    BOOST_TEST((*read_cell(whole, CellType::string) == full_cell()));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        BOOST_TEST(!reads(BytesView(whole).substr(0, size), CellType::string));
    }
    BOOST_TEST(!reads(whole + Bytes(1, '\0'), CellType::string));
    // A value at the end has no length: what is left of it is a shorter value.
    const Bytes value = test::bytes_of(string_cell("hi"), CellType::string);
    for (std::size_t size = 0; size < value.size(); ++size) {
        const bool accepted = reads(BytesView(value).substr(0, size), CellType::string);
        BOOST_TEST(accepted == (size >= value.size() - 2));
    }
}

BOOST_AUTO_TEST_CASE(whatever_is_accepted_is_what_would_be_written) {
    const Bytes whole = test::bytes_of(full_cell(), CellType::string);
    const auto check = [](const Bytes& bytes) {
        for (const CellType type : cell_types) {
            const Result<Cell> cell = read_cell(bytes, type);
            if (cell) BOOST_REQUIRE((test::bytes_of(*cell, type) == bytes));
        }
    };
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
        Bytes flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        check(flipped);
    }
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(3000))) {
        test::SeededRandom random(seed);
        Bytes bytes = test::random_bytes(random, random.below(24));
        for (char& byte : bytes) byte = random.below(3) == 0 ? byte : static_cast<char>(byte & 3);
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            check(bytes);
        }
    }
}

BOOST_AUTO_TEST_CASE(golden_bytes_of_deltas) {
    const auto hex = [](const CellDelta& delta, CellType type) {
        Bytes bytes;
        Packer out(bytes);
        pack(out, delta, type);
        return to_hex(bytes);
    };
    const Counter::Entry entry{a, {3, 0, 0, {}, 3, 5}};
    BOOST_TEST(hex({}, CellType::string) == "9100");
    BOOST_TEST(hex({true, std::nullopt, {}}, CellType::string) == "9101");
    BOOST_TEST(hex({true, "hi", {}}, CellType::string) == "9202c4026869");
    BOOST_TEST(hex({true, Bytes(), {}}, CellType::set) == "9102");
    BOOST_TEST(hex({true, std::nullopt, {}, true}, CellType::flag) == "9103");
    BOOST_TEST(hex({false, std::nullopt, {entry}}, CellType::hash) == "920091950101030305");
    BOOST_TEST(hex({true, "1", {entry}}, CellType::hash) == "9302c4013191950101030305");
}

BOOST_AUTO_TEST_CASE(deltas_that_no_replica_makes_are_refused) {
    const auto refused = [](BytesView bytes, CellType type) {
        Unpacker in(bytes);
        const CellDelta delta = unpack_cell_delta(in, type);
        return !in.ok() && delta == CellDelta{};
    };
    BOOST_TEST(refused(BytesView("\x91\x03", 2), CellType::string));          // no negative dots
    BOOST_TEST(refused(BytesView("\x91\x04", 2), CellType::set));             // no such form
    BOOST_TEST(refused(BytesView("\x91\x02", 2), CellType::string));          // no value
    BOOST_TEST(refused(BytesView("\x92\x02\xc4\x00", 4), CellType::set));     // a set's value
    BOOST_TEST(refused(BytesView("\x92\x00\x90", 3), CellType::string));      // no entries
    BOOST_TEST(refused(BytesView("\x93\x01\xc0\xc0", 4), CellType::string));  // too many parts
    const BytesView entry("\x95\x01\x01\x03\x03\x05", 6);
    BOOST_TEST(refused(Bytes("\x92\x01\x91", 3) + Bytes(entry), CellType::set));
    BOOST_TEST(!refused(Bytes("\x92\x01\x91", 3) + Bytes(entry), CellType::hash));
    BOOST_TEST(refused(Bytes("\x92\x01\x92", 3) + Bytes(entry) + Bytes(entry), CellType::hash));
}

BOOST_AUTO_TEST_CASE(an_absent_string_reads_as_nothing_and_counts_as_zero) {
    BOOST_TEST(!string_value({}));
    BOOST_TEST(integer_value({}).value() == 0);
    BOOST_TEST(Cell{}.empty());
    BOOST_TEST(!Cell{}.live());
}

BOOST_AUTO_TEST_CASE(increments_add_to_a_number_and_hide_behind_a_text) {
    Cell number = string_cell("10");
    BOOST_TEST(string_value(number).value() == "10");
    increment(number, {a, 2}, -3);
    BOOST_TEST(string_value(number).value() == "7");
    BOOST_TEST(integer_value(number).value() == 7);
    Cell text = string_cell("ten");
    increment(text, {a, 2}, -3);
    BOOST_TEST(string_value(text).value() == "ten");
    BOOST_TEST(!integer_value(text));
}

BOOST_AUTO_TEST_CASE(increments_alone_are_a_number) {
    Cell cell;
    increment(cell, {a, 2}, i64_min);
    BOOST_TEST(string_value(cell).value() == std::to_string(i64_min));
    BOOST_TEST(cell.live());
}

BOOST_AUTO_TEST_CASE(a_cell_of_markers_is_neither_live_nor_empty) {
    Cell cell;
    increment(cell, {a, 2}, 5);
    for (const auto& [actor, entry] : cell.counter.reset({b, 1})) cell.counter.merge(actor, entry);
    BOOST_TEST(!cell.live());
    BOOST_TEST(!cell.empty());
    BOOST_TEST(!string_value(cell));
    BOOST_TEST(integer_value(cell).value() == 0);
}

BOOST_AUTO_TEST_CASE(types_have_numbers_and_names) {
    BOOST_TEST((cell_type_from(1) == CellType::string));
    BOOST_TEST((cell_type_from(3) == CellType::set));
    BOOST_TEST(!cell_type_from(0));
    BOOST_TEST(!cell_type_from(31));
    BOOST_TEST(cell_type_name(CellType::hash) == "hash");
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
