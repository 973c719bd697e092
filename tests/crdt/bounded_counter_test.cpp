#include "crdt/bounded_counter.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(bounded_counter)
namespace {

constexpr Actor a{0x1a, 0};
constexpr Actor b{0x2b, 3};

BoundedCounter counter_of(const std::vector<std::pair<RightsRow, std::uint64_t>>& rows) {
    BoundedCounter counter;
    for (const auto& [row, number] : rows) counter.add(row, number);
    return counter;
}

BOOST_AUTO_TEST_CASE(rights_are_made_received_transferred_and_used) {
    const BoundedCounter counter =
        counter_of({{{a, a}, 10}, {{a, b}, 4}, {{b, std::nullopt}, 3}, {{a, std::nullopt}, 1}});
    BOOST_TEST(counter.exists());
    BOOST_TEST(counter.value() == 6);
    BOOST_TEST((counter.part(a) == BoundedCounter::Part{a, 5, 10, 0, 4, 1}));
    BOOST_TEST((counter.part(b) == BoundedCounter::Part{b, 1, 0, 4, 0, 3}));
    BOOST_TEST((counter.part(Actor{9, 9}) == BoundedCounter::Part{Actor{9, 9}, 0, 0, 0, 0, 0}));
    BOOST_TEST((counter.parts_from(b) == std::vector{counter.part(b), counter.part(a)}));
    const Actor c{0x1c, 0};  // first, and then the one with most
    BOOST_TEST(
        (counter.parts_from(c) == std::vector{counter.part(c), counter.part(a), counter.part(b)}));
}

BOOST_AUTO_TEST_CASE(a_counter_without_rows_is_none) {
    BOOST_TEST(!BoundedCounter().exists());
    BOOST_TEST(BoundedCounter().value() == 0);
    BOOST_TEST((BoundedCounter().parts_from(a) == std::vector{BoundedCounter::Part{a}}));
}

BOOST_AUTO_TEST_CASE(sums_beyond_64_bits_are_exact_inside_and_shown_as_the_largest) {
    const BoundedCounter counter = counter_of({{{a, a}, rights_max},
                                               {{b, b}, rights_max},
                                               {{b, a}, rights_max},
                                               {{a, std::nullopt}, rights_max}});
    BOOST_TEST(counter.part(a).rights == rights_max);
    BOOST_TEST(counter.part(b).rights == 0U);
    BOOST_TEST(static_cast<std::uint64_t>(counter.value()) == rights_max);
    BoundedCounter more = counter;
    more.add({Actor{3, 0}, Actor{3, 0}}, rights_max);
    BOOST_TEST(static_cast<std::uint64_t>(more.value()) == rights_max);
    more.add({Actor{3, 0}, std::nullopt}, rights_max);
    more.add({Actor{4, 0}, std::nullopt}, rights_max - 5);
    BOOST_TEST(more.value() == 5);
}

BOOST_AUTO_TEST_CASE(rows_that_no_replica_writes_give_no_rights_below_0) {
    const BoundedCounter counter = counter_of({{{a, std::nullopt}, 5}, {{a, b}, 5}});
    BOOST_TEST(counter.value() == 0);
    BOOST_TEST(counter.part(a).rights == 0U);
}

BOOST_AUTO_TEST_CASE(names_of_rows_as_bytes_and_as_texts) {
    for (const RightsRow& row : {RightsRow{a, std::nullopt}, RightsRow{a, a}, RightsRow{a, b}}) {
        BOOST_TEST((rights_row(rights_field(row)) == row));
        BOOST_TEST((rights_row_from_text(to_string(row)) == row));
    }
    BOOST_TEST(to_string(RightsRow{a, b}) == "transferred/1a.0/2b.3");
    for (const char* const text :
         {"", "used", "used/", "used/1a", "used/1a.0/2b.3", "used/01a.0", "made/1A.0", "made/1a.0 ",
          "transferred/1a.0", "transferred/1a.0/1a.0", "transferred/1a.0/2b.3/", "lost/1a.0",
          "used/100000000.0", "used/1a.-1", "used/.0"}) {
        BOOST_TEST(!rights_row_from_text(text), text);
    }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_name_or_number_are_refused) {
    for (const char* const hex : {"", "01", "010101", "0101010101", "8100", "ffffffffff0101"}) {
        BOOST_TEST(!rights_row(*from_hex(hex)), hex);
    }
    for (const char* const hex : {"", "00", "8000", "0100", "80808080808080808001"}) {
        BOOST_TEST(!rights_from_bytes(*from_hex(hex)), hex);
    }
    BOOST_TEST(rights_from_bytes(rights_bytes(rights_max)).value() == rights_max);
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(2000))) {
        test::SeededRandom random(seed);
        Bytes bytes = test::random_bytes(random, random.below(12));
        const std::optional<RightsRow> row = rights_row(bytes);
        const std::optional<std::uint64_t> number = rights_from_bytes(bytes);
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            if (row) BOOST_REQUIRE((rights_field(*row) == bytes));
            if (number) BOOST_REQUIRE((rights_bytes(*number) == bytes));
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
