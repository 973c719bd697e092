// The feed of several nodes: each record once, the newest last, bounded.
#include "tools/inspect_conflicts.hpp"

#include <boost/test/unit_test.hpp>

namespace syncline {
BOOST_AUTO_TEST_SUITE(inspect_conflicts)
namespace {

ConflictView record(std::uint64_t hlc, const std::string& id) {
    ConflictView view;
    view.first_seen_hlc = hlc;
    view.id = id;
    view.key = "key of " + id;
    return view;
}

std::vector<std::string> ids(const ConflictMerge& merge) {
    std::vector<std::string> all;
    for (const ConflictView& conflict : merge.conflicts()) all.push_back(conflict.id);
    return all;
}

BOOST_AUTO_TEST_CASE(a_record_of_several_nodes_is_one) {
    ConflictMerge merge(10);
    merge.add(0, record(2, "b"));
    merge.add(0, record(1, "a"));
    merge.add(1, record(2, "b"));
    merge.add(1, record(2, "b"));
    BOOST_TEST((ids(merge) == std::vector<std::string>{"a", "b"}));
    BOOST_TEST((merge.conflicts()[0].nodes == std::vector<std::size_t>{0}));
    BOOST_TEST((merge.conflicts()[1].nodes == std::vector<std::size_t>{0, 1}));
    BOOST_TEST(merge.omitted() == 0U);
}

BOOST_AUTO_TEST_CASE(the_newest_stay_with_all_who_have_them) {
    ConflictMerge merge(2);
    for (const std::size_t node : {0U, 1U}) {
        for (const std::uint64_t hlc : {5U, 1U, 4U, 2U, 3U}) {
            merge.add(node, record(hlc, std::to_string(hlc)));
        }
    }
    BOOST_TEST((ids(merge) == std::vector<std::string>{"4", "5"}));
    for (const ConflictView& conflict : merge.conflicts()) {
        BOOST_TEST((conflict.nodes == std::vector<std::size_t>{0, 1}));
    }
    BOOST_TEST(merge.omitted() > 0U);
}

BOOST_AUTO_TEST_CASE(each_node_has_its_own_time_of_one_record) {
    for (const bool reversed : {false, true}) {
        ConflictMerge merge(10);
        merge.add(reversed ? 1 : 0, record(reversed ? 9 : 2, "a"));
        merge.add(0, record(5, "b"));
        merge.add(reversed ? 0 : 1, record(reversed ? 2 : 9, "a"));
        BOOST_TEST((ids(merge) == std::vector<std::string>{"b", "a"}));
        BOOST_TEST(merge.conflicts()[1].nodes.size() == 2U);
        BOOST_TEST(merge.conflicts()[1].first_seen_hlc == 2U);
        BOOST_TEST(merge.omitted() == 0U);
    }
}

BOOST_AUTO_TEST_CASE(a_record_that_was_too_old_can_be_raised_by_another_node) {
    ConflictMerge merge(1);
    merge.add(0, record(2, "a"));
    merge.add(0, record(5, "b"));  // a is too old now
    merge.add(1, record(1, "b"));
    merge.add(1, record(9, "a"));  // and here it is not
    BOOST_TEST((ids(merge) == std::vector<std::string>{"a"}));
    BOOST_TEST((merge.conflicts()[0].nodes == std::vector<std::size_t>{0, 1}));
    BOOST_TEST(merge.conflicts()[0].first_seen_hlc == 2U);
    BOOST_TEST(merge.omitted() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_met_is_remembered_for_a_while) {
    ConflictsMet met;
    BOOST_TEST(met.meet("first"));
    BOOST_TEST(!met.meet("first"));
    for (int i = 0; i < 100'000; ++i) BOOST_TEST_REQUIRE(met.meet(std::to_string(i)));
    BOOST_TEST(met.meet("first"));  // forgotten: memory is bounded
}

BOOST_AUTO_TEST_CASE(other_replies_are_errors) {
    RespValue error;
    error.type = RespValue::Type::error;
    error.text = "ERR no";
    BOOST_TEST((parse_conflicts(error).error().code == Code::unavailable));
    BOOST_TEST((parse_conflicts(RespValue{}).error().code == Code::corrupt));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
