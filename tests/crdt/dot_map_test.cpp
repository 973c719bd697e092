#include "crdt/dot_map.hpp"

#include <boost/test/unit_test.hpp>

namespace syncline {
BOOST_AUTO_TEST_SUITE(dot_map)
namespace {

constexpr Actor a{1, 1};
constexpr Actor b{2, 1};
constexpr Actor c{3, 1};

VersionVector context(std::initializer_list<Dot> dots) {
    VersionVector vv;
    for (const Dot& dot : dots) vv.add(dot);
    return vv;
}

DotMap map_of(std::initializer_list<Dot> dots) {
    DotMap map;
    for (const Dot& dot : dots) map.put(dot, DotValue{Hlc{dot.counter}, to_string(dot)});
    return map;
}

BOOST_AUTO_TEST_CASE(equal_contents_are_equal_whatever_the_order_of_puts) {
    BOOST_TEST((map_of({{b, 1}, {a, 2}}) == map_of({{a, 2}, {b, 1}})));
    BOOST_TEST((map_of({{b, 1}, {a, 2}}).entries().front().dot == Dot{a, 2}));
}

BOOST_AUTO_TEST_CASE(put_replaces_the_payload_of_a_dot) {
    DotMap map = map_of({{a, 1}});
    map.put({a, 1}, DotValue{Hlc{9}, "new"});
    BOOST_TEST(map.size() == 1U);
    BOOST_TEST(map.find({a, 1})->value == "new");
    BOOST_TEST(map.find({a, 2}) == nullptr);
    BOOST_TEST(map.find({b, 1}) == nullptr);
}

BOOST_AUTO_TEST_CASE(remove_covered_takes_what_the_past_has_seen_and_nothing_else) {
    DotMap map = map_of({{a, 3}, {b, 3}, {c, 3}});
    map.remove_covered(context({{a, 3}, {b, 2}}));
    BOOST_TEST((map == map_of({{b, 3}, {c, 3}})));
}

BOOST_AUTO_TEST_CASE(join_keeps_what_the_other_side_has_not_seen) {
    // Left has seen b:1 and no longer has it; right has not seen a:2.
    const DotMap joined = DotMap::join(map_of({{a, 2}}), context({{a, 2}, {b, 1}}),
                                       map_of({{b, 1}}), context({{a, 1}, {b, 1}}));
    BOOST_TEST((joined == map_of({{a, 2}})));
}

BOOST_AUTO_TEST_CASE(join_keeps_what_both_sides_have) {
    const DotMap both = map_of({{a, 1}, {b, 1}});
    const VersionVector seen = context({{a, 5}, {b, 5}});
    BOOST_TEST((DotMap::join(both, seen, both, seen) == both));
}

BOOST_AUTO_TEST_CASE(join_with_a_state_that_knows_nothing_changes_nothing) {
    const DotMap map = map_of({{a, 1}, {c, 4}});
    const VersionVector seen = context({{a, 1}, {c, 4}});
    BOOST_TEST((DotMap::join(map, seen, {}, {}) == map));
    BOOST_TEST((DotMap::join({}, {}, map, seen) == map));
}

BOOST_AUTO_TEST_CASE(the_winner_has_the_largest_timestamp_then_the_largest_actor) {
    DotMap map;
    BOOST_TEST(map.winner() == nullptr);
    map.put({a, 9}, DotValue{Hlc{5}, "a"});
    map.put({b, 1}, DotValue{Hlc{7}, "b"});
    map.put({c, 1}, DotValue{Hlc{7}, "c"});
    BOOST_TEST(map.winner()->payload.value == "c");
    map.put({a, 9}, DotValue{Hlc{8}, "a"});
    BOOST_TEST(map.winner()->payload.value == "a");
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
