#include "core/engine/replica.hpp"

#include <boost/test/unit_test.hpp>

#include "core/engine/event_head.hpp"
#include "core/merkle/session.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(replica)
namespace {

void add_links(TestCluster& cluster, std::size_t count) {
    for (std::size_t a = 0; a < count; ++a) {
        for (std::size_t b = a + 1; b < count; ++b) cluster.connect(a, b);
    }
}

/// Logs are cut so short that a peer who was away needs a Merkle session.
void short_log(ReplicaOptions& options) {
    options.log.segment_bytes = 4096;
    options.log_retention.bytes = 4096;
    options.checkpoint_log_bytes = 4096;
    options.leaf_bits = 8;
}

void write_keys(TestReplica& replica, const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) {
        replica.set(prefix + std::to_string(i), Bytes(100, 'v') + std::to_string(i));
    }
}

bool value_in_base(TestReplica& replica, BytesView key) {
    const RowKey row =
        encode_row_key(key, static_cast<std::uint8_t>(CellType::string), std::nullopt);
    const Result<std::optional<Bytes>> value =
        replica->group().store().get_base(Table::cells, row.bytes);
    BOOST_REQUIRE(value);
    return value->has_value();
}

}  // namespace

BOOST_AUTO_TEST_CASE(replies_leave_only_after_their_write_is_durable) {
    TestCluster cluster(1);
    Client client{7, 0};
    Replica& replica = cluster.at(0).replica();
    BOOST_REQUIRE(replica.execute(client, [](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_CHECK(operations::string_set(txn, "key", "value"));
        return Bytes("OK");
    }));
    BOOST_TEST(replica.committed().replies.empty());
    // A reader that saw the value waits for it too.
    Client reader{8, 0};
    BOOST_REQUIRE(replica.execute(reader, [](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_TRY(const std::optional<Bytes> value, operations::string_get(txn, "key"));
        return value.value_or("none");
    }));
    // One that saw something else does not.
    Client other{9, 0};
    BOOST_REQUIRE(replica.execute(other, [](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_TRY(const std::optional<Bytes> value, operations::string_get(txn, "other"));
        return value.value_or("none");
    }));
    const Committed early = replica.committed();
    BOOST_REQUIRE_EQUAL(early.replies.size(), 1U);
    BOOST_TEST(early.replies[0].client == 9U);
    cluster.at(0).settle();
    const Committed late = replica.committed();
    BOOST_REQUIRE_EQUAL(late.replies.size(), 2U);
    BOOST_TEST(late.replies[0].bytes == "OK");
    BOOST_TEST(late.replies[1].bytes == "value");
}

BOOST_AUTO_TEST_CASE(state_survives_a_restart_from_the_log_and_from_a_checkpoint) {
    TestCluster cluster(1);
    cluster.at(0).set("key", "one");
    cluster.at(0).increment("count", 5);
    cluster.restart(0);
    BOOST_TEST(cluster.at(0).get("key").value() == "one");
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    BOOST_TEST(cluster.at(0)->stats().checkpoints == 1U);
    cluster.at(0).add("team", "ann");
    cluster.restart(0);
    BOOST_TEST(cluster.at(0).get("count").value() == "5");
    BOOST_TEST(cluster.at(0).members("team").size() == 1U);
    BOOST_TEST(cluster.at(0)->durable_vv().counter(cluster.at(0)->actor()) == 3U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(three_replicas_write_apart_and_come_together) {
    TestCluster cluster(3);
    for (std::size_t i = 0; i < 3; ++i) {
        cluster.at(i).set("shared", std::to_string(i));
        cluster.at(i).set("own" + std::to_string(i), "x");
        cluster.at(i).increment("count", 10);
        cluster.at(i).add("team", "member" + std::to_string(i));
    }
    add_links(cluster, 3);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(1).get("count").value() == "30");
    BOOST_TEST(cluster.at(2).members("team").size() == 3U);
    BOOST_TEST(cluster.at(0).get("shared").value() == cluster.at(2).get("shared").value());
    const Result<Cell> cell = cluster.at(0)->group().cell("shared", CellType::string, std::nullopt);
    BOOST_TEST(cell->dots.size() == 3U);
    BOOST_TEST(cluster.at(0)->stats().sessions_completed == 0U);
}

BOOST_AUTO_TEST_CASE(events_reach_a_peer_through_a_third) {
    TestCluster cluster(3);
    cluster.connect(0, 1);
    cluster.connect(1, 2);
    write_keys(cluster.at(0), "a", 20);
    cluster.pump();
    write_keys(cluster.at(2), "c", 20);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(2)->group().keys_count() == 40U);
}

BOOST_AUTO_TEST_CASE(a_trimmed_log_is_made_up_for_by_a_merkle_session) {
    TestCluster cluster(2, short_log);
    write_keys(cluster.at(0), "a", 200);
    write_keys(cluster.at(1), "b", 3);
    cluster.at(1).set("a7", "concurrent");
    BOOST_TEST(cluster.at(0)->log().base() > 0U);
    cluster.connect(0, 1);
    cluster.pump(5000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(1)->stats().sessions_completed == 1U);
    BOOST_TEST(cluster.at(1)->group().keys_count() == 203U);
    BOOST_TEST(cluster.at(0).get("a7").value() == cluster.at(1).get("a7").value());
    // What came by session survives a restart, and the log after it goes on.
    cluster.restart(1);
    cluster.at(0).set("later", "x");
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(1).get("later").value() == "x");
}

BOOST_AUTO_TEST_CASE(a_held_checkpoint_stays_while_others_are_asked_for) {
    TestCluster cluster(1, short_log);
    TestReplica& replica = cluster.at(0);
    write_keys(replica, "a", 30);
    BOOST_TEST(replica->hold_checkpoint(replica->log().end()) == nullptr);
    replica.settle();
    std::shared_ptr<const HeldCheckpoint> held = replica->hold_checkpoint(replica->log().end());
    BOOST_REQUIRE(held != nullptr);
    BOOST_TEST(replica->hold_checkpoint(replica->log().end()) == held);
    const std::uint64_t checkpoints = replica->stats().checkpoints;
    write_keys(replica, "b", 100);  // several checkpoints would be due
    BOOST_TEST(replica->hold_checkpoint(replica->log().end()) == nullptr);
    replica.settle();
    BOOST_TEST(replica->stats().checkpoints == checkpoints);
    BOOST_TEST(value_in_base(replica, "a7"));
    BOOST_TEST(!value_in_base(replica, "b7"));
    held.reset();
    BOOST_TEST(replica->hold_checkpoint(replica->log().end()) == nullptr);
    replica.settle();
    BOOST_TEST(replica->hold_checkpoint(replica->log().end()) != nullptr);
    BOOST_TEST(value_in_base(replica, "b7"));
    // What nobody fetches is let go of.
    replica->forget_reader();
    replica->request_checkpoint();
    replica.settle();
    BOOST_TEST(replica->stats().checkpoints == checkpoints + 2);
}

BOOST_AUTO_TEST_CASE(whoever_holds_a_checkpoint_is_told_that_a_peers_rows_come) {
    TestCluster cluster(2, short_log);
    write_keys(cluster.at(0), "a", 200);
    std::shared_ptr<const HeldCheckpoint> held;
    int adopted_beside = 0;
    cluster.at(1)->on_adopted = [&](const VersionVector&) {
        if (held) ++adopted_beside;
        held.reset();
    };
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t, Bytes&) {
        // With the one that the session is about to use.
        if (!held && adopted_beside == 0) held = cluster.at(1)->hold_checkpoint(0);
        return true;
    };
    cluster.connect(0, 1);
    cluster.pump(5000);
    BOOST_TEST(adopted_beside == 1);
    BOOST_TEST(cluster.at(1)->group().keys_count() == 200U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(deleted_rows_are_deleted_by_a_session_too) {
    TestCluster cluster(2, short_log);
    cluster.connect(0, 1);
    write_keys(cluster.at(0), "a", 50);
    cluster.pump();
    cluster.disconnect(0, 1);
    for (int i = 0; i < 50; i += 2) {
        cluster.at(0).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::key_delete(txn, "a" + std::to_string(i)));
            return {};
        });
    }
    write_keys(cluster.at(0), "b", 100);
    cluster.at(1).set("a1", "newer");
    cluster.connect(0, 1);
    cluster.pump(5000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(1)->stats().sessions_completed == 1U);
    BOOST_TEST(cluster.at(1)->group().keys_count() == 125U);
    BOOST_TEST(cluster.at(0).get("a1").value() == "newer");
}

BOOST_AUTO_TEST_CASE(a_reader_of_a_log_with_a_barrier_opens_a_session) {
    // 1 gets 0's history by session, then writes; 2 is fed by 1 alone.
    TestCluster cluster(3, short_log);
    write_keys(cluster.at(0), "a", 200);
    cluster.connect(0, 1);
    cluster.pump(5000);
    cluster.disconnect(0, 1);
    cluster.at(1).set("b", "after");
    cluster.connect(1, 2);
    cluster.pump(5000);
    BOOST_TEST(cluster.at(2).get("b").value() == "after");
    BOOST_TEST(cluster.at(2)->group().keys_count() == 201U);
    BOOST_TEST(cluster.at(2)->stats().sessions_completed >= 1U);
    cluster.connect(0, 1);
    cluster.pump(5000);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(lost_and_repeated_frames_only_delay) {
    TestCluster cluster(3, short_log);
    // At random: every third one could always be the same.
    test::SeededRandom random(3);
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t, Bytes&) {
        return random.below(3) != 0;
    };
    add_links(cluster, 3);
    for (int round = 0; round < 10; ++round) {
        for (std::size_t i = 0; i < 3; ++i) {
            write_keys(cluster.at(i), std::to_string(i) + "-" + std::to_string(round) + "-", 20);
        }
        cluster.pump(500);
    }
    cluster.pump(60000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(0)->group().keys_count() == 600U);
}

/// Each request brings all that the peer has: on a slow line they would pile up, and what comes for
/// one that was repeated is of no use.
BOOST_AUTO_TEST_CASE(what_is_long_in_coming_is_not_asked_for_again_and_again) {
    TestCluster cluster(2);
    unsigned pulls = 0;
    bool lost = true;
    cluster.filter = [&](std::size_t, std::size_t to, std::uint8_t type, Bytes&) {
        const auto kind = static_cast<MessageType>(type);
        if (kind == MessageType::pull && to == 0) ++pulls;
        return kind != MessageType::batch || !lost;
    };
    cluster.connect(0, 1);
    cluster.pump(1000);
    cluster.at(0).set("k", "v");
    const auto pass_a_minute = [&](bool under_way) {
        const LinkId link = cluster.at(1)->peers().front().link;
        pulls = 0;
        for (int half = 0; half < 120; ++half) {
            if (under_way) cluster.at(1)->note_transfer(link);
            cluster.pump(500);
        }
        return pulls;
    };
    BOOST_TEST(pass_a_minute(true) == 0U);
    const unsigned asked = pass_a_minute(false);
    BOOST_TEST(asked >= 6U);
    BOOST_TEST(asked <= 12U);
    lost = false;
    cluster.pump(10000);
    BOOST_TEST(cluster.at(1).get("k").value() == "v");
}

BOOST_AUTO_TEST_CASE(a_peer_that_breaks_causality_is_cut_off_and_changes_nothing) {
    TestCluster cluster(2);
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes& payload) {
        if (type != static_cast<std::uint8_t>(MessageType::batch)) return true;
        LogBatch batch = std::get<LogBatch>(decode_message(type, payload).value());
        EventHeads heads;
        for (LogBatch::Item& item : batch.items) item.payload = heads.restore(item.payload).value();
        if (batch.items.size() > 1) batch.items.erase(batch.items.begin());
        heads = EventHeads();
        for (LogBatch::Item& item : batch.items) item.payload = heads.shorten(item.payload).value();
        payload = encode_message(batch);
        return true;
    };
    write_keys(cluster.at(0), "a", 3);
    cluster.connect(0, 1);
    cluster.pump(200);
    BOOST_REQUIRE(!cluster.closed.empty());
    BOOST_TEST((cluster.closed[0].code == Code::causality));
    BOOST_TEST(cluster.at(1)->group().keys_count() == 0U);
    BOOST_TEST(cluster.at(1)->log().end() == cluster.at(1)->log().base());
}

/// Whoever carries the link may have taken in more before it hears that it should close it.
BOOST_AUTO_TEST_CASE(a_link_that_is_given_up_takes_nothing_more) {
    TestCluster cluster(2);
    Bytes last;
    cluster.filter = [&](std::size_t from, std::size_t, std::uint8_t type, Bytes& payload) {
        if (from != 0 || type != static_cast<std::uint8_t>(MessageType::batch)) return true;
        LogBatch batch = std::get<LogBatch>(decode_message(type, payload).value());
        last = payload;
        batch.items.back().kind = 9;
        payload = encode_message(batch);
        return true;
    };
    cluster.connect(0, 1);
    cluster.pump(200);
    write_keys(cluster.at(0), "a", 1);
    cluster.pump(50);
    BOOST_TEST(cluster.closed.size() == 1U);
    const LinkId link = cluster.at(1)->peers()[0].link;
    cluster.at(1)->receive(link, static_cast<std::uint8_t>(MessageType::batch), last);
    cluster.pump(50);
    BOOST_TEST(cluster.closed.size() == 1U);
    BOOST_TEST(cluster.at(1)->stats().events_applied == 0U);
    cluster.disconnect(0, 1);
    cluster.filter = nullptr;
    cluster.closed.clear();
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_peer_that_knows_more_of_me_makes_me_a_new_incarnation) {
    TestCluster cluster(2);
    const Actor before = cluster.at(0)->actor();
    cluster.filter = [&](std::size_t from, std::size_t, std::uint8_t type, Bytes& payload) {
        if (from != 1 || type != static_cast<std::uint8_t>(MessageType::hello)) return true;
        Hello hello = std::get<Hello>(decode_message(type, payload).value());
        hello.vv.add(Dot{before, 5});
        payload = encode_message(hello);
        return true;
    };
    cluster.connect(0, 1);
    cluster.pump(200);
    BOOST_TEST(cluster.at(0)->actor().incarnation == before.incarnation + 1);
}

/// It was put back further than to where its latest incarnation began, perhaps not for the first
/// time.
BOOST_AUTO_TEST_CASE(a_new_incarnation_is_new_to_the_peer) {
    TestCluster cluster(2);
    const Actor before = cluster.at(0)->actor();
    cluster.filter = [&](std::size_t from, std::size_t, std::uint8_t type, Bytes& payload) {
        if (from != 1 || type != static_cast<std::uint8_t>(MessageType::hello)) return true;
        Hello hello = std::get<Hello>(decode_message(type, payload).value());
        hello.vv.add(Dot{Actor{before.node, before.incarnation + 2}, 1});
        payload = encode_message(hello);
        return true;
    };
    cluster.connect(0, 1);
    cluster.pump(200);
    BOOST_TEST(cluster.at(0)->actor().incarnation == before.incarnation + 3);
}

BOOST_AUTO_TEST_CASE(elements_that_two_replicas_popped_are_counted) {
    using operations::ListEnd;
    TestCluster cluster(3);
    const auto pop = [&](std::size_t at, ListEnd end) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::list_pop(txn, "l", end, 1));
            return {};
        });
    };
    cluster.at(0).run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::list_push(txn, "l", ListEnd::back, {"a", "b", "c"}));
        return {};
    });
    add_links(cluster, 3);
    cluster.pump();
    cluster.disconnect(0, 1);
    cluster.disconnect(0, 2);
    cluster.disconnect(1, 2);
    for (std::size_t i = 0; i < 3; ++i) pop(i, ListEnd::front);  // all of them "a"
    pop(0, ListEnd::back);                                       // only here "c"
    cluster.at(1).run([&](Transaction& txn) -> Result<void> {    // comes and goes unseen
        SYNCLINE_CHECK(operations::list_push(txn, "m", ListEnd::back, {"x"}));
        SYNCLINE_CHECK(operations::list_pop(txn, "m", ListEnd::back, 1));
        return {};
    });
    add_links(cluster, 3);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(cluster.at(i)->stats().elements_removed_again == 2U);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
