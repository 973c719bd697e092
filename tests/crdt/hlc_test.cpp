#include "crdt/hlc.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(hlc)
namespace {

BOOST_AUTO_TEST_CASE(follows_the_wall_clock) {
    HybridClock clock;
    const Hlc first = clock.tick(1000);
    BOOST_TEST(first.ms() == 1000U);
    BOOST_TEST(first.logical() == 0U);
    BOOST_TEST((clock.tick(1001) == Hlc::at_ms(1001)));
}

BOOST_AUTO_TEST_CASE(counts_while_the_wall_clock_stands_or_goes_back) {
    HybridClock clock;
    clock.tick(1000);
    BOOST_TEST(clock.tick(1000).logical() == 1U);
    const Hlc after_jump = clock.tick(500);
    BOOST_TEST(after_jump.ms() == 1000U);
    BOOST_TEST(after_jump.logical() == 2U);
}

BOOST_AUTO_TEST_CASE(a_full_counter_carries_into_the_milliseconds) {
    HybridClock clock;
    clock.observe(Hlc{(std::uint64_t{1000} << 16) | 0xffff});
    const Hlc next = clock.tick(1000);
    BOOST_TEST(next.ms() == 1001U);
    BOOST_TEST(next.logical() == 0U);
}

BOOST_AUTO_TEST_CASE(is_after_all_it_saw) {
    HybridClock clock;
    const Hlc seen{(std::uint64_t{5000} << 16) | 7};
    clock.observe(seen);
    clock.observe(Hlc::at_ms(10));
    BOOST_TEST((clock.last() == seen));
    BOOST_TEST((clock.tick(1000) > seen));
}

BOOST_AUTO_TEST_CASE(a_wall_clock_beyond_48_bits_does_not_wrap) {
    HybridClock clock;
    const Hlc time = clock.tick(~std::uint64_t{0});
    BOOST_TEST(time.ms() == (std::uint64_t{1} << 48) - 1);
}

BOOST_AUTO_TEST_CASE(is_monotonic_under_any_clock) {
    for (const std::uint64_t seed : test::seeds(100)) {
        test::SeededRandom random(seed);
        HybridClock clock;
        Hlc before = clock.last();
        for (int i = 0; i < 200; ++i) {
            const std::uint64_t wall_ms = random.below(5000);
            const Hlc seen{random.below(5000) << 16 | random.below(0x10000)};
            if (random.below(3) == 0) clock.observe(seen);
            const Hlc now = clock.tick(wall_ms);
            BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
                BOOST_REQUIRE((now > before && now >= Hlc::at_ms(wall_ms)));
            }
            before = now;
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
