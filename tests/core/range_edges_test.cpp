#include "core/engine/range_edges.hpp"

#include <boost/test/unit_test.hpp>

#include "core/base/limits.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(range_edges)
namespace {

const Bytes prefix = "list/";

BOOST_AUTO_TEST_CASE(ends_follow_what_is_met_and_put) {
    RangeEdges edges;
    BOOST_TEST(edges.find(prefix) == nullptr);
    edges.changed(prefix, "list/a", true, 1);  // nothing is known, nothing is kept
    BOOST_TEST(edges.find(prefix) == nullptr);

    edges.first_is(prefix, "list/c", 5);
    BOOST_REQUIRE(edges.find(prefix) != nullptr);
    BOOST_TEST(edges.find(prefix)->first == "list/c");
    BOOST_TEST(edges.find(prefix)->end == "list0");
    BOOST_TEST(edges.find(prefix)->changed == 5U);

    edges.last_is(prefix, "list/x", 4);
    BOOST_TEST((edges.find(prefix)->end == Bytes("list/x") + '\0'));
    BOOST_TEST(edges.find(prefix)->changed == 5U);

    edges.changed(prefix, "list/c", false, 7);  // an erased row leaves the bound where it is
    BOOST_TEST(edges.find(prefix)->first == "list/c");
    BOOST_TEST(edges.find(prefix)->changed == 7U);
    edges.changed(prefix, "list/b", true, 8);
    BOOST_TEST(edges.find(prefix)->first == "list/b");
    edges.changed(prefix, "list/y", true, 9);
    BOOST_TEST((edges.find(prefix)->end == Bytes("list/y") + '\0'));
}

BOOST_AUTO_TEST_CASE(an_empty_range_begins_behind_itself_until_a_row_comes) {
    RangeEdges edges;
    edges.first_is(prefix, std::nullopt, 3);
    BOOST_TEST(edges.find(prefix)->first == "list0");
    edges.last_is(prefix, std::nullopt, 3);
    BOOST_TEST(edges.find(prefix)->end == prefix);
    edges.changed(prefix, "list/k", true, 4);
    BOOST_TEST(edges.find(prefix)->first == "list/k");
    BOOST_TEST((edges.find(prefix)->end == Bytes("list/k") + '\0'));
}

BOOST_AUTO_TEST_CASE(memory_is_bounded) {
    RangeEdges edges;
    for (std::size_t i = 0; i <= limits::range_edges_max; ++i) {
        edges.first_is("list" + std::to_string(i), std::nullopt, 1);
    }
    BOOST_TEST(edges.find("list0") == nullptr);
    BOOST_TEST(edges.find("list" + std::to_string(limits::range_edges_max)) != nullptr);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
