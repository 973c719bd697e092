#include "core/base/pack.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "core/base/limits.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(pack)
namespace {

constexpr std::int64_t i64_min = std::numeric_limits<std::int64_t>::min();
constexpr std::uint64_t u64_max = std::numeric_limits<std::uint64_t>::max();

/// Bytes that are well formed as they stand: one value of each kind, nested.
Bytes valid_message() {
    Bytes bytes;
    Packer out(bytes);
    out.array(7);
    out.uint(5);
    out.uint(70'000);
    out.sint(-70'000);
    out.boolean(true);
    out.nil();
    out.bin("some bytes");
    out.array(2);
    out.array(0);
    out.bin("");
    return bytes;
}

/// Reads a message as a careless decoder would: whatever it is, this ends and reads nothing
/// outside.
std::uint64_t read_anything(BytesView bytes) {
    std::uint64_t sum = 0;
    Unpacker in(bytes);
    const std::size_t count = in.array();
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
        Unpacker again = in;
        sum += again.uint() + static_cast<std::uint64_t>(in.sint());
        for (const char byte : Unpacker(bytes).bin()) sum += static_cast<unsigned char>(byte);
        in.skip();
    }
    Unpacker walker(bytes);
    while (walker.ok() && !walker.done()) walker.skip();
    return sum;
}

BOOST_AUTO_TEST_CASE(golden_bytes_of_each_kind) {
    BOOST_TEST(to_hex(valid_message()) ==
               "97"
               "05"
               "ce00011170"
               "d2fffeee90"
               "c3"
               "c0"
               "c40a736f6d65206279746573"
               "92"
               "90"
               "c400");
}

BOOST_AUTO_TEST_CASE(what_is_packed_is_unpacked) {
    const Bytes bytes = valid_message();
    Unpacker in(bytes);
    in.array_of(7);
    BOOST_TEST(in.uint() == 5U);
    BOOST_TEST(in.uint_at_most(70'000) == 70'000U);
    BOOST_TEST(in.sint() == -70'000);
    BOOST_TEST(in.boolean());
    BOOST_TEST(in.nil());
    BOOST_TEST((in.bin() == "some bytes"));
    in.array_of(2);
    BOOST_TEST(in.array() == 0U);
    BOOST_TEST(in.bin().empty());
    BOOST_TEST(in.done());
}

BOOST_AUTO_TEST_CASE(numbers_of_every_width_survive) {
    for (const std::uint64_t seed : test::seeds(300)) {
        test::SeededRandom random(seed);
        const std::uint64_t number = test::random_number(random);
        const auto signed_number = static_cast<std::int64_t>(random.next()) >> random.below(64);
        Bytes bytes;
        Packer out(bytes);
        out.uint(number);
        out.sint(signed_number);
        Unpacker in(bytes);
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            BOOST_TEST(in.uint() == number);
            BOOST_TEST(in.sint() == signed_number);
            BOOST_TEST(in.done());
        }
    }
}

BOOST_AUTO_TEST_CASE(numbers_outside_a_readers_range_are_refused) {
    Bytes bytes;
    Packer out(bytes);
    out.uint(u64_max);
    BOOST_TEST(Unpacker(bytes).uint() == u64_max);
    Unpacker as_signed(bytes);
    BOOST_TEST(as_signed.sint() == 0);
    BOOST_TEST(!as_signed.ok());
    Unpacker bounded(bytes);
    BOOST_TEST(bounded.uint_at_most(u64_max - 1) == 0U);
    BOOST_TEST(!bounded.ok());

    Bytes negative;
    Packer(negative).sint(i64_min);
    BOOST_TEST(Unpacker(negative).sint() == i64_min);
    Unpacker as_unsigned(negative);
    BOOST_TEST(as_unsigned.uint() == 0U);
    BOOST_TEST(!as_unsigned.ok());
}

BOOST_AUTO_TEST_CASE(a_positive_number_in_a_signed_encoding_is_unsigned) {
    const Bytes bytes("\xd0\x05", 2);
    BOOST_TEST(Unpacker(bytes).uint() == 5U);
}

BOOST_AUTO_TEST_CASE(a_text_is_read_like_bytes) {
    const Bytes bytes =
        "\xa3"
        "abc";
    BOOST_TEST((Unpacker(bytes).bin() == "abc"));
}

BOOST_AUTO_TEST_CASE(the_wrong_kind_is_refused_and_the_failure_sticks) {
    const Bytes bytes = valid_message();
    Unpacker in(bytes);
    BOOST_TEST(in.uint() == 0U);
    BOOST_TEST(!in.ok());
    BOOST_TEST(in.array() == 0U);
    BOOST_TEST(!in.done());
}

BOOST_AUTO_TEST_CASE(floats_extensions_and_maps_can_only_be_skipped) {
    const Bytes values[] = {
        Bytes("\xca\x3f\x80\x00\x00", 5),                  // float 1.0
        Bytes("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", 9),  // double 1.0
        Bytes("\xd4\x01\x02", 3),                          // fixext 1
        Bytes("\xc7\x00\x01", 3),                          // ext of no bytes
        Bytes("\x82\x01\x02\x03\x92\x04\x05", 7),          // {1: 2, 3: [4, 5]}
    };
    for (const Bytes& bytes : values) {
        BOOST_TEST_CONTEXT(to_hex(bytes)) {
            Unpacker typed(bytes);
            typed.uint();
            BOOST_TEST(!typed.ok());
            Unpacker skipping(bytes);
            skipping.skip();
            BOOST_TEST(skipping.done());
        }
    }
}

BOOST_AUTO_TEST_CASE(skip_takes_exactly_one_value) {
    Bytes bytes = valid_message();
    Packer(bytes).uint(42);
    Unpacker in(bytes);
    in.skip();
    BOOST_TEST(in.uint() == 42U);
    BOOST_TEST(in.done());
    in.skip();
    BOOST_TEST(!in.ok());
}

BOOST_AUTO_TEST_CASE(an_empty_input_is_a_sequence_of_no_values) {
    Unpacker in("");
    BOOST_TEST(in.done());
    in.skip();
    BOOST_TEST(!in.ok());
}

BOOST_AUTO_TEST_CASE(depth_is_bounded) {
    const Bytes deepest = Bytes(limits::pack_depth_max - 1, '\x91') + "\x90";
    BOOST_TEST(Unpacker(deepest).ok());
    const Bytes too_deep = Bytes(limits::pack_depth_max, '\x91') + "\x90";
    BOOST_TEST(!Unpacker(too_deep).ok());
    const Bytes bomb = Bytes(2'000'000, '\x91') + "\x90";
    BOOST_TEST(!Unpacker(bomb).ok());
    Bytes map_bomb;
    for (int i = 0; i < 1'000'000; ++i) map_bomb += "\x81\x01";
    BOOST_TEST(!Unpacker(map_bomb + "\x80").ok());
}

BOOST_AUTO_TEST_CASE(counts_and_lengths_larger_than_the_input_are_refused) {
    for (const char* header : {"\xdd", "\xdf", "\xdb", "\xc6", "\xc9"}) {
        const Bytes bomb = Bytes(header) + Bytes(4, '\xff');
        Unpacker in(bomb);
        BOOST_TEST(!in.ok());
        BOOST_TEST(in.array() == 0U);
        BOOST_TEST(in.bin().empty());
    }
}

BOOST_AUTO_TEST_CASE(a_count_is_true_once_the_input_was_accepted) {
    // 2^32 - 1 elements claimed, a thousand there: no reader may see that count.
    Bytes bytes("\xdd\xff\xff\xff\xff", 5);
    bytes += Bytes(1000, '\x01');
    BOOST_TEST(Unpacker(bytes).array() == 0U);
}

BOOST_AUTO_TEST_CASE(every_truncation_is_refused) {
    const Bytes whole = valid_message();
    for (std::size_t size = 1; size < whole.size(); ++size) {
        BOOST_TEST_CONTEXT("first " << size << " bytes") {
            BOOST_TEST(!Unpacker(BytesView(whole).substr(0, size)).ok());
        }
    }
}

BOOST_AUTO_TEST_CASE(every_flipped_bit_is_survived) {
    const Bytes whole = valid_message();
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
        Bytes flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        read_anything(flipped);
    }
}

BOOST_AUTO_TEST_CASE(random_bytes_are_survived) {
    for (const std::uint64_t seed : test::seeds(2000)) {
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            test::SeededRandom random(seed);
            read_anything(test::random_bytes(random, random.below(60)));
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
