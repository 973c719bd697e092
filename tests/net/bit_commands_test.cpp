// Bits of strings, and what two strings have in common.
#include <boost/test/unit_test.hpp>

#include "net/commands/bit_string.hpp"
#include "tests/net/exchanges.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(commands_of_bits)
namespace {

const char* const bad_offset = "-ERR bit offset is not an integer or out of range\r\n";
const char* const bad_type =
    "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
    "i64 is.\r\n";

}  // namespace

BOOST_AUTO_TEST_CASE(bits_are_set_and_read) {
    CommandBench bench;
    play(bench, {
                    {"SETBIT b 7 1", ":0\r\n"},
                    {"SETBIT b 7 1", ":1\r\n"},
                    {"GET b", "$1\r\n\x01\r\n"},
                    {"SETBIT b 9 1", ":0\r\n"},
                    {"GET b", "$2\r\n\x01@\r\n"},
                    {"GETBIT b 9", ":1\r\n"},
                    {"GETBIT b 100", ":0\r\n"},
                    {"GETBIT none 0", ":0\r\n"},
                    {"EXPIRE b 1000", ":1\r\n"},
                    {"SETBIT b 7 0", ":1\r\n"},
                    {"TTL b", ":1000\r\n"},
                    {"SETBIT b x 1", bad_offset},
                    {"SETBIT b -1 1", bad_offset},
                    {"SETBIT b 536870912 1", bad_offset},  // the largest value has 64 MiB
                    {"GETBIT b 536870912", bad_offset},
                    {"SETBIT b 1 2", "-ERR bit is not an integer or out of range\r\n"},
                    {"RPUSH l x", ":1\r\n"},
                    {"SETBIT l 1 1", wrong_type},
                    {"GETBIT l 1", wrong_type},
                });
}

BOOST_AUTO_TEST_CASE(bits_are_counted_and_found) {
    CommandBench bench;
    play(bench, {
                    {"SET s foobar", "+OK\r\n"},
                    {"BITCOUNT s", ":26\r\n"},
                    {"BITCOUNT s 1 1", ":6\r\n"},
                    {"BITCOUNT s 1 1 BYTE", ":6\r\n"},
                    {"BITCOUNT s 5 30 BIT", ":17\r\n"},
                    {"BITCOUNT s -1 -2 FOO", ":0\r\n"},
                    {"BITCOUNT s 0", syntax_error},
                    {"BITCOUNT s 0 1 FOO", syntax_error},
                    {"BITCOUNT s 0 x", not_integer},
                    {"BITCOUNT none 0 x", ":0\r\n"},
                    {"BITPOS s 1", ":1\r\n"},
                    {"BITPOS s 0 1", ":8\r\n"},
                    {"BITPOS s 1 9 11 BIT", ":9\r\n"},
                    {"BITPOS s 1 10 2", ":-1\r\n"},
                    {"BITPOS none 0", ":0\r\n"},
                    {"BITPOS none 1", ":-1\r\n"},
                    {"BITPOS s 2", "-ERR The bit argument must be 1 or 0.\r\n"},
                    {"BITPOS s 1 0 x FOO", syntax_error},
                    {"SET ones \"\\xff\\xff\"", "+OK\r\n"},
                    {"BITPOS ones 0", ":16\r\n"},
                    {"BITPOS ones 0 0 -1", ":-1\r\n"},
                    {"BITPOS ones 0 1", ":16\r\n"},
                });
}

BOOST_AUTO_TEST_CASE(counting_and_finding_agree_with_looking_at_each_bit) {
    test::SeededRandom dice(test::seeds(1).front());
    for (int round = 0; round < 3000; ++round) {
        Bytes bytes(1 + dice.next() % 40, dice.next() % 2 == 0 ? '\0' : '\xff');
        for (std::uint64_t changes = dice.next() % 4; changes > 0; --changes) {
            put_bit(bytes, dice.next() % (8 * bytes.size()), dice.next() % 2 == 0);
        }
        const std::uint64_t first = dice.next() % (8 * bytes.size());
        const std::uint64_t last = first + dice.next() % (8 * bytes.size() - first);
        const bool bit = dice.next() % 2 == 0;
        std::uint64_t count = 0;
        std::optional<std::uint64_t> found;
        for (std::uint64_t i = first; i <= last; ++i) {
            count += bit_at(bytes, i) ? 1U : 0U;
            if (!found && bit_at(bytes, i) == bit) found = i;
        }
        BOOST_TEST(count_bits(bytes, first, last) == count);
        BOOST_TEST((find_bit(bytes, bit, first, last) == found));
    }
}

BOOST_AUTO_TEST_CASE(strings_are_combined_bit_by_bit) {
    CommandBench bench;
    play(bench,
         {
             {"MSET a abc b a c \"\"", "+OK\r\n"},
             {"BITOP AND d a b", ":3\r\n"},
             {"GET d", nullptr},
             {"BITCOUNT d", ":3\r\n"},
             {"BITOP OR d a b none", ":3\r\n"},
             {"GET d", "$3\r\nabc\r\n"},
             {"BITOP XOR d a a", ":3\r\n"},
             {"BITCOUNT d", ":0\r\n"},
             {"BITOP NOT d a", ":3\r\n"},
             {"BITCOUNT d", ":14\r\n"},
             {"EXPIRE d 100", ":1\r\n"},
             {"BITOP NOT d d", ":3\r\n"},
             {"GET d", "$3\r\nabc\r\n"},
             {"TTL d", ":-1\r\n"},
             {"BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key.\r\n"},
             {"BITOP FOO d a", syntax_error},
             {"BITOP AND d none c", ":0\r\n"},
             {"EXISTS d", ":0\r\n"},
             {"SADD s m", ":1\r\n"},
             {"BITOP AND d a s", wrong_type},
             {"BITOP AND s a b", ":3\r\n"},
             {"TYPE s", "+string\r\n"},
         });
}

BOOST_AUTO_TEST_CASE(integers_stand_at_any_place) {
    CommandBench bench;
    play(bench,
         {
             {"BITFIELD b INCRBY i5 100 1 GET u4 0", "*2\r\n:1\r\n:0\r\n"},
             {"STRLEN b", ":14\r\n"},
             {"BITFIELD_RO b GET i5 100", "*1\r\n:1\r\n"},
             {"BITFIELD u SET u8 #1 255 GET u16 0", "*2\r\n:0\r\n:255\r\n"},
             {"BITFIELD u INCRBY u8 #1 1", "*1\r\n:0\r\n"},
             {"BITFIELD u OVERFLOW SAT INCRBY u8 #1 300 OVERFLOW FAIL INCRBY u8 #1 1",
              "*2\r\n:255\r\n$-1\r\n"},
             {"BITFIELD u OVERFLOW SAT INCRBY u8 #1 -300", "*1\r\n:0\r\n"},
             {"BITFIELD u SET i64 0 9223372036854775807 INCRBY i64 0 1",
              "*2\r\n:0\r\n:-9223372036854775808\r\n"},
             {"BITFIELD u OVERFLOW FAIL INCRBY i64 0 -1", "*1\r\n$-1\r\n"},
             {"BITFIELD u OVERFLOW SAT SET i4 0 100 GET i4 0", "*2\r\n:-8\r\n:7\r\n"},
             {"BITFIELD u SET i4 0 100 GET i4 0", "*2\r\n:7\r\n:4\r\n"},
             {"BITFIELD u OVERFLOW SAT SET u8 0 -1 GET u8 0", "*2\r\n:64\r\n:255\r\n"},
             {"BITFIELD u", "*0\r\n"},
             {"BITFIELD u GET u64 0", bad_type},
             {"BITFIELD u GET i65 0", bad_type},
             {"BITFIELD u GET u8 -1", bad_offset},
             {"BITFIELD u GET u8 #x", bad_offset},
             {"BITFIELD u GET u8 #67108864", bad_offset},
             {"BITFIELD u GET u8 #9223372036854775807", bad_offset},
             {"BITFIELD u SET u8 0", syntax_error},
             {"BITFIELD u SET u8 0 x", not_integer},
             {"BITFIELD u OVERFLOW FOO", "-ERR Invalid OVERFLOW type specified\r\n"},
             {"BITFIELD_RO u SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand\r\n"},
             {"BITFIELD fails OVERFLOW FAIL INCRBY u2 0 9", "*1\r\n$-1\r\n"},
             {"GET fails", nullptr},
             {"STRLEN fails", ":1\r\n"},
             {"BITFIELD_RO none GET u8 0", "*1\r\n:0\r\n"},
             {"EXISTS none", ":0\r\n"},
         });
}

BOOST_AUTO_TEST_CASE(common_subsequences_are_found) {
    CommandBench bench;
    bench.run("SET long " + std::string(5000, 'x'));
    play(
        bench,
        {
            {"MSET a ohmytext b mynewtext", "+OK\r\n"},
            {"LCS a b", "$6\r\nmytext\r\n"},
            {"LCS a b LEN", ":6\r\n"},
            {"LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
             "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$3\r\n"
             "len\r\n:6\r\n"},
            {"LCS a b IDX",
             "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n"
             ":2\r\n:3\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n"},
            {"LCS a none", "$0\r\n\r\n"},
            {"LCS a b LEN IDX",
             "-ERR If you want both the length and indexes, please just use IDX.\r\n"},
            {"LCS a b MINMATCHLEN", syntax_error},
            {"LCS a b MINMATCHLEN x", not_integer},
            {"LCS long long", "-ERR the lengths of the strings multiply to more than 16777216\r\n"},
            {"LCS long a LEN", ":1\r\n"},
            {"SADD s m", ":1\r\n"},
            {"LCS a s FOO", "-ERR The specified keys must contain string values\r\n"},
        });
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
