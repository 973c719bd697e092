#include "core/base/bytes.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(bytes)
namespace {

constexpr std::int64_t i64_min = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t i64_max = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t u64_max = std::numeric_limits<std::uint64_t>::max();

Bytes varint_of(std::uint64_t value) {
    Bytes bytes;
    ByteWriter(bytes).varint(value);
    return bytes;
}

BOOST_AUTO_TEST_CASE(golden_bytes_of_each_form) {
    Bytes written;
    ByteWriter out(written);
    out.u8(0xab);
    out.u16(0x0102);
    out.u32(0x01020304);
    out.u64(0x0102030405060708);
    out.varint(300);
    out.signed_varint(-1);
    out.signed_varint(1);
    out.sized("hi");
    BOOST_TEST(to_hex(written) ==
               "ab"
               "0102"
               "01020304"
               "0102030405060708"
               "ac02"
               "01"
               "02"
               "026869");
}

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back) {
    for (const std::uint64_t seed : test::seeds(200)) {
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            test::SeededRandom random(seed);
            const std::uint64_t number = test::random_number(random);
            const auto signed_number = static_cast<std::int64_t>(random.next());
            const Bytes text = test::random_bytes(random, random.below(300));
            Bytes written;
            ByteWriter out(written);
            out.u64(number);
            out.varint(number);
            out.signed_varint(signed_number);
            out.sized(text);
            ByteReader in(written);
            BOOST_TEST(in.u64() == number);
            BOOST_TEST(in.varint() == number);
            BOOST_TEST(in.signed_varint() == signed_number);
            BOOST_TEST((in.sized() == text));
            BOOST_TEST(in.done());
        }
    }
}

BOOST_AUTO_TEST_CASE(varints_at_the_edges_of_their_lengths) {
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{16383},
          std::uint64_t{16384}, u64_max - 1, u64_max}) {
        const Bytes written = varint_of(value);
        ByteReader in(written);
        BOOST_TEST(in.varint() == value);
        BOOST_TEST(in.done());
    }
    BOOST_TEST(varint_of(127).size() == 1U);
    BOOST_TEST(varint_of(128).size() == 2U);
    BOOST_TEST(varint_of(u64_max).size() == 10U);
}

BOOST_AUTO_TEST_CASE(varints_that_are_too_long_too_large_or_cut_are_refused) {
    const Bytes refused[] = {
        Bytes("\x80", 1),                                           // cut
        Bytes("\x80\x00", 2),                                       // zero in two bytes
        Bytes("\xff\x80\x00", 3),                                   // 127 in three bytes
        Bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10),      // 2^65 - 1
        Bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11),  // an eleventh byte
    };
    for (const Bytes& bytes : refused) {
        BOOST_TEST_CONTEXT(to_hex(bytes)) {
            ByteReader in(bytes);
            BOOST_TEST(in.varint() == 0U);
            BOOST_TEST(!in.ok());
        }
    }
}

BOOST_AUTO_TEST_CASE(hexadecimal_goes_both_ways) {
    const Bytes bytes("\x00\x7f\xff", 3);
    BOOST_TEST(to_hex(bytes) == "007fff");
    BOOST_TEST(from_hex("007fFF").value() == bytes);
    BOOST_TEST(from_hex("").value().empty());
    for (const char* const bad : {"0", "0g", "-1", " 1", "0x", "+1"}) {
        BOOST_TEST_CONTEXT(bad) BOOST_TEST(!from_hex(bad));
    }
}

BOOST_AUTO_TEST_CASE(signed_varints_keep_the_extremes) {
    for (const std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                     std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
        Bytes written;
        ByteWriter(written).signed_varint(value);
        BOOST_TEST(ByteReader(written).signed_varint() == value);
    }
}

BOOST_AUTO_TEST_CASE(a_failure_is_sticky_and_reads_answer_zero) {
    ByteReader in(
        "\x05"
        "ab");
    BOOST_TEST(in.sized().empty());
    BOOST_TEST(!in.ok());
    BOOST_TEST(in.u8() == 0U);
    BOOST_TEST(in.u64() == 0U);
    BOOST_TEST(in.left() == 0U);
    BOOST_TEST(!in.done());
}

BOOST_AUTO_TEST_CASE(a_length_near_2_to_the_64_does_not_wrap) {
    Bytes bytes = varint_of(u64_max);
    bytes += "payload";
    ByteReader in(bytes);
    BOOST_TEST(in.sized().empty());
    BOOST_TEST(!in.ok());
}

BOOST_AUTO_TEST_CASE(big_endian_numbers_sort_like_numbers) {
    test::SeededRandom random(1);
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t a = test::random_number(random);
        const std::uint64_t b = test::random_number(random);
        Bytes a_bytes;
        Bytes b_bytes;
        ByteWriter(a_bytes).u64(a);
        ByteWriter(b_bytes).u64(b);
        BOOST_TEST((a < b) == (a_bytes < b_bytes));
    }
}

BOOST_AUTO_TEST_CASE(integers_are_read_as_redis_reads_them) {
    BOOST_TEST(parse_integer("0").value() == 0);
    BOOST_TEST(parse_integer("-1").value() == -1);
    BOOST_TEST(parse_integer(std::to_string(i64_min)).value() == i64_min);
    BOOST_TEST(parse_integer(std::to_string(i64_max)).value() == i64_max);
    for (const char* text :
         {"", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "0x1", "--1", "9223372036854775808",
          "-9223372036854775809", "99999999999999999999999"}) {
        BOOST_TEST_CONTEXT(text) {
            BOOST_TEST(!parse_integer(text));
        }
    }
}

BOOST_AUTO_TEST_CASE(messages_show_keys_without_control_characters) {
    BOOST_TEST(printable("user:1") == "user:1");
    BOOST_TEST(printable(BytesView("a\0\n\\", 4)) == "a\\x00\\x0a\\x5c");
    BOOST_TEST(printable(Bytes(65, 'k')) == Bytes(64, 'k') + "...");
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
