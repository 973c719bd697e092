#include "core/base/hash.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(hash)
namespace {

BOOST_AUTO_TEST_CASE(golden_hashes_of_xxh3) {
    // Published by xxHash: the hashes of no bytes with seed 0.
    BOOST_TEST(hash64("") == 0x2d06800538d394c2U);
    BOOST_TEST(to_hex(hash128("", "", 0)) == "99aa06d3014798d86001c324468d497f");
}

BOOST_AUTO_TEST_CASE(two_parts_hash_like_their_concatenation) {
    // Lengths on both sides of the copied ones, and of XXH3's own blocks.
    test::SeededRandom random(1);
    for (const std::size_t total :
         {0U, 1U, 3U, 16U, 17U, 128U, 240U, 241U, 511U, 512U, 513U, 1024U, 5000U}) {
        const Bytes whole = test::random_bytes(random, total);
        const BytesView view = whole;
        const Hash128 expected = hash128(view, "", 7);
        for (std::size_t cut = 0; cut <= total; cut += 1 + total / 50) {
            BOOST_TEST((hash128(view.substr(0, cut), view.substr(cut), 7) == expected));
        }
        BOOST_TEST((hash128("", view, 7) == expected));
    }
}

BOOST_AUTO_TEST_CASE(a_seed_changes_every_hash) {
    BOOST_TEST(hash64("key", 1) != hash64("key", 2));
    BOOST_TEST((hash128("key", "value", 1) != hash128("key", "value", 2)));
    const Bytes large(10'000, 'x');
    BOOST_TEST((hash128(large, "", 1) != hash128(large, "", 2)));
}

BOOST_AUTO_TEST_CASE(sums_carry_and_borrow_between_the_halves) {
    const Hash128 small{0, ~std::uint64_t{0}};
    const Hash128 one{0, 1};
    BOOST_TEST((small + one == Hash128{1, 0}));
    BOOST_TEST((Hash128{1, 0} - one == small));
    BOOST_TEST((Hash128{} - one == Hash128{~std::uint64_t{0}, ~std::uint64_t{0}}));
}

BOOST_AUTO_TEST_CASE(what_is_added_twice_does_not_cancel_out) {
    const Hash128 row = hash128("row", "value", 1);
    BOOST_TEST((row + row != Hash128{}));  // as it would with an exclusive or
    BOOST_TEST((row + row - row == row));
}

BOOST_AUTO_TEST_CASE(pieces_hash_as_the_whole) {
    test::SeededRandom random(1);
    const Bytes bytes = test::random_bytes(random, 5000);
    Hasher128 hasher;
    std::size_t begin = 0;
    while (begin < bytes.size()) {
        const std::size_t count = std::min<std::size_t>(random.below(700), bytes.size() - begin);
        hasher.add(BytesView(bytes).substr(begin, count));
        begin += count;
        BOOST_TEST((hasher.hash() == hash128(BytesView(bytes).substr(0, begin), {}, 0)));
    }
    const Hasher128 none;
    BOOST_TEST((none.hash() == hash128({}, {}, 0)));
}

BOOST_AUTO_TEST_CASE(sums_form_a_group) {
    for (const std::uint64_t seed : test::seeds(100)) {
        test::SeededRandom random(seed);
        const Hash128 a{random.next(), random.next()};
        const Hash128 b{random.next(), random.next()};
        const Hash128 c{random.next(), random.next()};
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            BOOST_TEST((a + b == b + a));
            BOOST_TEST(((a + b) + c == a + (b + c)));
            BOOST_TEST(((a + b) - b == a));
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
