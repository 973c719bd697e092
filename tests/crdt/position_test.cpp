#include "crdt/position.hpp"

#include <boost/test/unit_test.hpp>
#include <set>

#include "core/base/limits.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(position)
namespace {

Dot dot(std::uint32_t node, std::uint64_t counter) {
    return Dot{Actor{node, 1}, counter};
}

/// Puts a value between two places and checks that it went there.
Bytes put(std::optional<BytesView> left, std::optional<BytesView> right, const Dot& dot) {
    Bytes position = position_at(place_between(left, right), dot, 0);
    BOOST_REQUIRE((!left || *left < position));
    BOOST_REQUIRE((!right || position < *right));
    return position;
}

BOOST_AUTO_TEST_CASE(bytes_are_those_of_the_format) {
    const Bytes first = position_at(place_between({}, {}), dot(7, 300), 0);
    BOOST_TEST(to_hex(first) ==
               "8000000000000000"
               "0107"
               "0101"
               "02012c"
               "00");
    const Bytes second = position_at(place_between(first, {}), dot(7, 301), 2);
    BOOST_TEST(to_hex(second) ==
               "8000000000000001"
               "0107"
               "0101"
               "02012d"
               "0102");
    const Bytes before = position_at(place_between({}, first), dot(9, 1), 0);
    BOOST_TEST(to_hex(before) ==
               "7fffffffffffffff"
               "0109"
               "0101"
               "0101"
               "00");
    const Bytes between = position_at(place_between(first, second), dot(9, 2), 0);
    BOOST_TEST(to_hex(between) == to_hex(first) +
                                      "8000"
                                      "0109"
                                      "0101"
                                      "0102"
                                      "00");
}

BOOST_AUTO_TEST_CASE(a_position_names_the_transaction_that_made_it) {
    const Bytes first = position_at(place_between({}, {}), dot(7, 300), 5);
    BOOST_TEST((position_dot(first) == dot(7, 300)));
    const Bytes second = position_at(place_between(first, {}), dot(8, 1), 0);
    const Bytes between = position_at(place_between(first, second), dot(9, 70000), 2);
    BOOST_TEST((position_dot(between) == dot(9, 70000)));
}

BOOST_AUTO_TEST_CASE(there_is_always_room_between_neighbours) {
    for (const std::uint64_t seed : test::seeds(200)) {
        test::SeededRandom random(seed);
        std::set<Bytes> list;
        for (std::uint64_t i = 1; i <= 150; ++i) {
            // Mostly at one spot, which is the hardest.
            auto right = list.begin();
            std::advance(right, static_cast<std::ptrdiff_t>(random.below(3) == 0
                                                                ? random.below(list.size() + 1)
                                                                : list.size() / 2));
            const auto left = right == list.begin() ? list.end() : std::prev(right);
            const Bytes position =
                put(left == list.end() ? std::nullopt : std::optional<BytesView>(*left),
                    right == list.end() ? std::nullopt : std::optional<BytesView>(*right),
                    dot(static_cast<std::uint32_t>(random.below(3)), i));
            BOOST_REQUIRE(is_position(position));
            BOOST_REQUIRE(list.insert(position).second);
        }
    }
}

BOOST_AUTO_TEST_CASE(values_of_one_command_stay_together) {
    const Bytes start = position_at(place_between({}, {}), dot(1, 1), 0);
    std::set<Bytes> list = {start};
    // Three replicas that have seen the same push three values each.
    for (std::uint32_t node = 1; node <= 3; ++node) {
        const Bytes place = place_between(start, {});
        for (std::uint64_t i = 0; i < 300; ++i) list.insert(position_at(place, dot(node, 9), i));
    }
    std::vector<Bytes> expected = {start};
    for (std::uint32_t node = 1; node <= 3; ++node) {
        for (std::uint64_t i = 0; i < 300; ++i) {
            expected.push_back(position_at(place_between(start, {}), dot(node, 9), i));
        }
    }
    BOOST_TEST((std::vector<Bytes>(list.begin(), list.end()) == expected));
}

BOOST_AUTO_TEST_CASE(insertions_at_one_spot_grow_positions_slowly) {
    const Bytes first = put({}, {}, dot(1, 1));
    const Bytes last = put(first, {}, dot(1, 2));
    // Behind each other or in front of each other; the digits' bytes are all that grows, but for
    // those of the counter.
    constexpr std::uint64_t many = 200000;
    const auto grown = [&](const Bytes& position) { return position.size() - first.size(); };
    Bytes left = first;
    for (std::uint64_t i = 3; i < 130; ++i) left = put(left, last, dot(1, i));
    BOOST_TEST(grown(left) < 12U);
    for (std::uint64_t i = 130; i < many; ++i) left = put(left, last, dot(1, i));
    BOOST_TEST(grown(left) < 20U);
    Bytes right = last;
    for (std::uint64_t i = 3; i < many; ++i) right = put(first, right, dot(1, i));
    BOOST_TEST(grown(right) < 20U);
    // In the middle of others that stand so.
    const Bytes behind = put(left, last, dot(1, many));
    Bytes middle = left;
    for (std::uint64_t i = many + 1; i < 2 * many; ++i) middle = put(middle, behind, dot(1, i));
    BOOST_TEST(grown(middle) < 30U);
    // The worst: each time between the last two.
    Bytes low = first;
    Bytes high = last;
    std::uint64_t inserted = 2;
    while (true) {
        const Bytes next = position_at(place_between(low, high), dot(1, ++inserted), 0);
        if (!is_position(next)) break;
        (inserted % 2 == 0 ? low : high) = next;
    }
    BOOST_TEST_MESSAGE(inserted << " insertions that halve what is left");
    BOOST_TEST(inserted > 200U);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_position_are_refused) {
    const Bytes good = position_at(place_between({}, {}), dot(7, 300), 5);
    BOOST_TEST(is_position(good));
    for (std::size_t size = 0; size < good.size(); ++size) {
        BOOST_TEST(!is_position(good.substr(0, size)));
    }
    BOOST_TEST(!is_position(good + '\0'));    // a level without digits
    BOOST_TEST(!is_position(good + "\x80"));  // that does not end
    const Bytes level = good.substr(8);
    BOOST_TEST(is_position(good + Bytes("\x80\0", 2) + level));
    BOOST_TEST(!is_position(good + Bytes("\x80\x01\0", 3) + level));  // no room below
    BOOST_TEST(!is_position(good.substr(0, 8) + Bytes("\x01\0", 2) + level.substr(2)));
    BOOST_TEST(!is_position(good.substr(0, 8) + "\x09" + Bytes(20, 'x')));
    Bytes deep = good;
    while (deep.size() <= limits::position_bytes_max) deep += Bytes("\x80\0", 2) + level;
    BOOST_TEST(!is_position(deep));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
