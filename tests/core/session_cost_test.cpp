#include "tests/support/session_cost.hpp"

#include <boost/test/unit_test.hpp>

namespace syncline {

BOOST_AUTO_TEST_SUITE(session_cost)

/// What a session costs is a promise; a change of the protocol that breaks it must show here.
BOOST_AUTO_TEST_CASE(metadata_stays_within_a_tenth_of_the_formula) {
    for (const unsigned fanout : {4U, 16U}) {
        SessionPair pair(20000, fanout);
        for (const std::uint64_t differing : {1U, 10U, 100U, 1000U}) {
            pair.differ(differing);
            const SessionCost cost = pair.pull();
            const double expected = session_cost_formula(static_cast<double>(pair.rows()),
                                                         static_cast<double>(differing), fanout);
            BOOST_TEST_CONTEXT("fanout " << fanout << ", differing " << differing) {
                BOOST_TEST(static_cast<double>(cost.metadata_bytes) <= expected * 1.1);
                BOOST_TEST(cost.rows <= differing);
                BOOST_TEST(pair.difference() == "");
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(equal_replicas_cost_two_messages_and_at_most_200_bytes) {
    SessionPair pair(5000, 4);
    const SessionCost cost = pair.pull();
    // The third message lets go of the server's snapshot.
    BOOST_TEST(cost.messages <= 3U);
    BOOST_TEST(cost.metadata_bytes <= 200U);
    BOOST_TEST(cost.rows == 0U);
}

/// All its rows lie under one key and in one bucket, which is not split further: a tag for each
/// member goes over the wire, but no row that is equal.
BOOST_AUTO_TEST_CASE(a_member_that_differs_in_a_large_set_costs_tags_and_one_row) {
    constexpr int members_count = 20000;
    TestCluster cluster(2);
    cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        for (int i = 0; i < members_count; ++i) {
            SYNCLINE_CHECK(operations::set_add(txn, "set", "member" + std::to_string(i)));
        }
        return {};
    });
    cluster.connect(0, 1);
    cluster.pump(1000);
    BOOST_REQUIRE(cluster.at(1).members("set").size() == members_count);
    std::size_t bytes = 0;
    std::size_t rows = 0;
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes& payload) {
        if (type == static_cast<std::uint8_t>(MessageType::batch)) return false;
        if (type >= static_cast<std::uint8_t>(MessageType::session_open)) bytes += payload.size();
        if (type == static_cast<std::uint8_t>(MessageType::session_rows)) {
            rows += std::get<SessionRows>(*decode_message(type, payload)).rows.size();
        }
        return true;
    };
    cluster.at(0).add("set", "one more");
    cluster.at(1)->request_session(cluster.at(1)->peers().at(0).link);
    cluster.pump(1000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(rows == 1U);
    constexpr std::size_t tag_bytes = 4;
    BOOST_TEST(bytes < members_count * tag_bytes + 1000);
}

BOOST_AUTO_TEST_CASE(rows_of_a_new_replica_come_without_tags) {
    TestCluster cluster(2);
    for (int i = 0; i < 500; ++i) cluster.at(0).set("key" + std::to_string(i), "value");
    cluster.filter = [](std::size_t, std::size_t, std::uint8_t type, Bytes&) {
        return type != static_cast<std::uint8_t>(MessageType::batch);
    };
    cluster.connect(0, 1);
    cluster.pump(100);
    cluster.at(1)->request_session(cluster.at(1)->peers().at(0).link);
    cluster.pump(1000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(1)->group().keys_count() == 500U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
