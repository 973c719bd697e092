#include "core/protocol/primary_backup.hpp"

#include <boost/test/unit_test.hpp>

#include "core/engine/event_text.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(primary_backup)
namespace {

/// Replica 0 founds the cluster, and is the primary of term 1.
std::function<void(ReplicaOptions&)> backed_up(std::optional<unsigned> acks, unsigned count,
                                               bool hold = false) {
    return [=, first = true](ReplicaOptions& options) mutable {
        options.primary_backup.mode = ReplicationMode::primary_backup;
        options.primary_backup.acks = acks;
        options.primary_backup.ack_timeout_ms = 1000;
        options.primary_backup.founds = first;
        options.primary_backup.hold_suffix = hold;
        options.primary_backup.peers_configured = count - 1;
        first = false;
    };
}

void link_all(TestCluster& cluster, std::size_t count) {
    for (std::size_t a = 0; a < count; ++a) {
        for (std::size_t b = a + 1; b < count; ++b) cluster.connect(a, b);
    }
}

bool is_primary(TestReplica& replica) {
    return replica->primary_backup().role() == PrimaryBackup::Role::primary;
}

std::uint64_t term_of(TestReplica& replica) {
    return replica->primary_backup().term().id.number;
}

/// Runs a write and leaves its reply to the test; the replica's own log is synced.
Result<void> request(TestReplica& replica, Client& client, const Bytes& key, const Bytes& value) {
    const Result<void> done = replica->execute(client, [&](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_CHECK(operations::string_set(txn, key, value));
        return Bytes("OK");
    });
    replica.settle();
    return done;
}

Result<void> read(TestReplica& replica, Client& client, const Bytes& key) {
    return replica->execute(client, [&](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_TRY(const std::optional<Bytes> value, operations::string_get(txn, key));
        return value.value_or("none");
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(only_the_founder_takes_writes_and_all_get_them) {
    TestCluster cluster(3, backed_up(0, 3));
    link_all(cluster, 3);
    BOOST_TEST(is_primary(cluster.at(0)));
    cluster.at(0).set("key", "value");
    cluster.pump();
    for (const std::size_t backup : {1U, 2U}) {
        BOOST_TEST(!is_primary(cluster.at(backup)));
        BOOST_TEST(term_of(cluster.at(backup)) == 1U);
        BOOST_TEST(cluster.at(backup).get("key").value() == "value");
        Client client{1, 0};
        const Result<void> refused = request(cluster.at(backup), client, "key", "other");
        BOOST_REQUIRE(!refused);
        BOOST_TEST((refused.error().code == Code::read_only));
    }
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(roles_and_terms_survive_a_restart) {
    TestCluster cluster(3, backed_up(0, 3));
    link_all(cluster, 3);
    cluster.pump();
    BOOST_REQUIRE(cluster.at(1)->promote(false));
    cluster.pump();
    for (std::size_t i = 0; i < 3; ++i) {
        cluster.restart(i);
        BOOST_TEST(term_of(cluster.at(i)) == 2U);
        BOOST_TEST(is_primary(cluster.at(i)) == (i == 1));
        BOOST_TEST(cluster.at(i)->primary_backup().replicas_count() == 3U);
    }
}

BOOST_AUTO_TEST_CASE(peers_of_another_mode_are_refused) {
    TestCluster cluster(2, [first = true](ReplicaOptions& options) mutable {
        if (first) options.primary_backup.mode = ReplicationMode::primary_backup;
        first = false;
    });
    cluster.connect(0, 1);
    cluster.pump(200);
    BOOST_REQUIRE(!cluster.closed.empty());
    BOOST_TEST(cluster.closed[0].message.find("--replication") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(replies_wait_for_the_backups_that_are_asked_for) {
    TestCluster cluster(3, backed_up(std::nullopt, 3));
    link_all(cluster, 3);
    cluster.pump();
    Client writer{1, 0};
    Client reader{2, 0};
    BOOST_REQUIRE(request(cluster.at(0), writer, "key", "value"));
    BOOST_REQUIRE(read(cluster.at(0), reader, "key"));
    BOOST_REQUIRE(read(cluster.at(0), writer, "elsewhere"));
    std::vector<Reply> replies;
    cluster.on_reply = [&](std::size_t from, const Reply& reply) {
        BOOST_TEST(from == 0U);
        // Both backups hold it durably at the moment the reply leaves.
        for (const std::size_t backup : {1U, 2U}) {
            BOOST_TEST(cluster.at(backup)->durable_vv().covers(cluster.at(0)->durable_vv()));
        }
        replies.push_back(reply);
    };
    BOOST_TEST(cluster.at(0)->log().durable() == cluster.at(0)->log().end());
    cluster.pump();
    BOOST_REQUIRE_EQUAL(replies.size(), 3U);
    for (const Reply& reply : replies) BOOST_TEST((reply.outcome == Outcome::done));
    BOOST_TEST(replies[0].bytes == "OK");
}

BOOST_AUTO_TEST_CASE(one_backup_of_two_is_enough_for_ack_1_and_not_for_all) {
    for (const bool all : {false, true}) {
        TestCluster cluster(3, backed_up(all ? std::nullopt : std::optional(1U), 3));
        link_all(cluster, 3);
        cluster.pump();
        cluster.isolate(2);
        std::vector<Reply> replies;
        cluster.on_reply = [&](std::size_t, const Reply& reply) { replies.push_back(reply); };
        Client writer{1, 0};
        Client reader{2, 0};
        BOOST_REQUIRE(request(cluster.at(0), writer, "key", "value"));
        BOOST_REQUIRE(read(cluster.at(0), writer, "elsewhere"));
        BOOST_REQUIRE(read(cluster.at(0), reader, "key"));
        cluster.pump(900);
        BOOST_TEST(replies.size() == (all ? 0U : 3U));
        cluster.pump(500);
        BOOST_REQUIRE_EQUAL(replies.size(), 3U);
        std::map<std::uint64_t, std::vector<Reply>> by_client;
        for (const Reply& reply : replies) by_client[reply.client].push_back(reply);
        const auto expected = [&](Outcome outcome) { return all ? outcome : Outcome::done; };
        BOOST_TEST((by_client[1][0].outcome == expected(Outcome::write_unconfirmed)));
        // It rests on nothing unconfirmed, it only stood behind the write.
        BOOST_TEST((by_client[1][1].outcome == Outcome::done));
        BOOST_TEST(by_client[1][1].bytes == "none");
        BOOST_TEST((by_client[2][0].outcome == expected(Outcome::read_unconfirmed)));
        // Nothing is lost: the absent backup comes back, and readers see it.
        cluster.connect(0, 2);
        cluster.pump();
        replies.clear();
        BOOST_REQUIRE(read(cluster.at(0), reader, "key"));
        cluster.pump();
        BOOST_REQUIRE_EQUAL(replies.size(), 1U);
        BOOST_TEST(replies[0].bytes == "value");
    }
}

BOOST_AUTO_TEST_CASE(a_restarted_primary_shows_nothing_unconfirmed_from_its_base) {
    TestCluster cluster(2, backed_up(std::nullopt, 2));
    cluster.at(0).set("key", "value");
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    cluster.restart(0);
    Client reader{1, 0};
    BOOST_REQUIRE(read(cluster.at(0), reader, "key"));
    BOOST_TEST(cluster.at(0)->committed().replies.empty());
    cluster.connect(0, 1);
    std::vector<Reply> replies;
    cluster.on_reply = [&](std::size_t, const Reply& reply) { replies.push_back(reply); };
    cluster.pump(900);
    BOOST_REQUIRE_EQUAL(replies.size(), 1U);
    BOOST_TEST(replies[0].bytes == "value");
    BOOST_TEST(cluster.at(1).get("key").value() == "value");
}

/// Of three replicas the primary, 0, gets a key's row by a session, and nobody else has it but 1.
void adopt_at_primary(TestCluster& cluster) {
    link_all(cluster, 3);
    cluster.pump();
    // Replica 1 leads a term alone, and has an event of its own when it is a backup again.
    cluster.isolate(1);
    BOOST_REQUIRE(cluster.at(1)->promote(true));
    cluster.at(1).set("key", "value");
    for (const std::size_t next : {2U, 0U}) {
        BOOST_REQUIRE(cluster.at(next)->promote(false));
        cluster.pump();
    }
    BOOST_REQUIRE(is_primary(cluster.at(0)));
    cluster.filter = [](std::size_t, std::size_t, std::uint8_t type, Bytes&) {
        return type != static_cast<std::uint8_t>(MessageType::batch);
    };
    cluster.isolate(2);
    cluster.connect(0, 1);
    cluster.pump(300);
    BOOST_REQUIRE_EQUAL(cluster.at(0)->peers().size(), 1U);
    cluster.at(0)->request_session(cluster.at(0)->peers()[0].link);
    cluster.pump(2000);
    BOOST_REQUIRE(cluster.at(0).get("key").has_value());
    BOOST_REQUIRE(cluster.at(0)->log().durable() == cluster.at(0)->log().end());
}

/// The rows are in the base then, and so is that others are absent.
BOOST_AUTO_TEST_CASE(rows_of_an_adopted_snapshot_are_shown_when_backups_have_them) {
    for (const bool restarted : {false, true}) {
        for (const char* key : {"key", "absent"}) {
            TestCluster cluster(3, backed_up(std::nullopt, 3));
            adopt_at_primary(cluster);
            if (restarted) {
                cluster.restart(0);
                cluster.connect(0, 1);
                cluster.pump(500);
            }
            std::vector<Reply> replies;
            cluster.on_reply = [&](std::size_t, const Reply& reply) { replies.push_back(reply); };
            Client reader{7, 0};
            BOOST_REQUIRE(read(cluster.at(0), reader, key));
            cluster.pump(500);
            BOOST_TEST(replies.empty());
            cluster.filter = nullptr;
            cluster.connect(0, 2);
            cluster.pump();
            BOOST_REQUIRE_EQUAL(replies.size(), 1U);
            BOOST_TEST(cluster.at(2).get("key").value() == "value");
        }
    }
}

BOOST_AUTO_TEST_CASE(a_promotion_needs_a_majority_or_force) {
    TestCluster cluster(3, backed_up(0, 3));
    link_all(cluster, 3);
    cluster.at(0).set("key", "value");
    cluster.pump();
    cluster.isolate(0);
    cluster.isolate(1);
    const Result<void> refused = cluster.at(1)->promote(false);
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code == Code::unavailable));
    BOOST_TEST(!is_primary(cluster.at(1)));
    BOOST_TEST(term_of(cluster.at(1)) == 1U);
    cluster.connect(1, 2);
    cluster.pump();
    BOOST_REQUIRE(cluster.at(1)->promote(false));
    cluster.pump();
    BOOST_TEST(is_primary(cluster.at(1)));
    BOOST_TEST(term_of(cluster.at(2)) == 2U);
    cluster.at(1).set("key", "of term 2");
    cluster.isolate(2);
    BOOST_REQUIRE(cluster.at(2)->promote(true));
    BOOST_TEST(is_primary(cluster.at(2)));
    BOOST_TEST(term_of(cluster.at(2)) == 3U);
    link_all(cluster, 3);
    cluster.pump();
    BOOST_TEST(!is_primary(cluster.at(0)));
    BOOST_TEST(!is_primary(cluster.at(1)));
    BOOST_TEST(is_primary(cluster.at(2)));
    BOOST_TEST(cluster.at(2).get("key").value() == "of term 2");
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_promotion_without_answers_fails_in_time_and_can_be_repeated) {
    TestCluster cluster(3, backed_up(0, 3));
    link_all(cluster, 3);
    cluster.pump();
    bool deaf = true;
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes&) {
        return !deaf || type != static_cast<std::uint8_t>(MessageType::vote_request);
    };
    BOOST_REQUIRE(cluster.at(1)->promote(false));
    BOOST_TEST(cluster.at(1)->primary_backup().standing());
    cluster.pump(4000);
    BOOST_TEST(!cluster.at(1)->primary_backup().standing());
    BOOST_TEST(cluster.at(1)->primary_backup().candidacy_failure() != "");
    BOOST_TEST(is_primary(cluster.at(0)));
    deaf = false;
    cluster.at(0).set("after", "the attempt");
    cluster.pump();
    BOOST_TEST(cluster.at(1).get("after").value() == "the attempt");
    BOOST_REQUIRE(cluster.at(1)->promote(false));
    cluster.pump();
    BOOST_TEST(is_primary(cluster.at(1)));
    BOOST_TEST(!is_primary(cluster.at(0)));
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_candidate_confirms_nothing_that_its_term_does_not_begin_with) {
    TestCluster cluster(3, backed_up(std::nullopt, 3));
    link_all(cluster, 3);
    cluster.pump();
    // A write reaches replica 2, and is not durable there when it stands.
    Bytes batch;
    cluster.filter = [&](std::size_t from, std::size_t to, std::uint8_t type, Bytes& payload) {
        const bool last = to == 2 && type == static_cast<std::uint8_t>(MessageType::batch);
        if (last && from == 0) batch = payload;
        return !last && type != static_cast<std::uint8_t>(MessageType::vote_request);
    };
    std::vector<Reply> replies;
    cluster.on_reply = [&](std::size_t, const Reply& reply) { replies.push_back(reply); };
    Client writer{1, 0};
    BOOST_REQUIRE(request(cluster.at(0), writer, "key", "value"));
    cluster.pump(400);  // it pulls once more
    BOOST_REQUIRE(!batch.empty());
    for (const PeerStatus& peer : cluster.at(2)->peers()) {
        if (peer.uuid != cluster.at(0)->identity().node) continue;
        cluster.at(2)->receive(peer.link, static_cast<std::uint8_t>(MessageType::batch), batch);
    }
    BOOST_REQUIRE(cluster.at(2)->group().vv() == cluster.at(0)->group().vv());
    BOOST_REQUIRE(cluster.at(2)->durable_vv() != cluster.at(0)->durable_vv());
    BOOST_REQUIRE(cluster.at(2)->promote(false));
    cluster.at(2).settle();
    cluster.pump(400);
    BOOST_TEST(cluster.at(2)->primary_backup().standing());
    BOOST_TEST(replies.empty());
    cluster.pump(4000);
    BOOST_TEST(!cluster.at(2)->primary_backup().standing());
    BOOST_REQUIRE_EQUAL(replies.size(), 1U);
    BOOST_TEST((replies[0].outcome == Outcome::write_unconfirmed));
    cluster.filter = nullptr;
    replies.clear();
    BOOST_REQUIRE(request(cluster.at(0), writer, "key", "other"));
    cluster.pump();
    BOOST_REQUIRE_EQUAL(replies.size(), 1U);
    BOOST_TEST((replies[0].outcome == Outcome::done));
}

BOOST_AUTO_TEST_CASE(of_two_promotions_at_one_time_one_wins) {
    for (const bool force : {false, true}) {
        TestCluster cluster(3, backed_up(0, 3));
        link_all(cluster, 3);
        cluster.pump();
        if (force) cluster.isolate(0);
        if (force) cluster.disconnect(1, 2);
        BOOST_REQUIRE(cluster.at(1)->promote(force));
        BOOST_REQUIRE(cluster.at(2)->promote(force));
        if (force) {
            // Both lead a term of this number until they meet.
            cluster.at(1).set("by", "one");
            cluster.at(2).set("by", "two");
            BOOST_TEST(term_of(cluster.at(1)) == term_of(cluster.at(2)));
            link_all(cluster, 3);
        }
        cluster.pump(6000);
        std::size_t primaries = 0;
        for (std::size_t i = 0; i < 3; ++i) primaries += is_primary(cluster.at(i)) ? 1U : 0U;
        BOOST_TEST(primaries == 1U);
        const TermId term = cluster.at(0)->primary_backup().term().id;
        for (const std::size_t i : {1U, 2U}) {
            BOOST_TEST((cluster.at(i)->primary_backup().term().id == term));
        }
        BOOST_TEST(cluster.difference() == "");
    }
}

BOOST_AUTO_TEST_CASE(batches_of_an_old_term_are_refused_and_its_primary_steps_down) {
    TestCluster cluster(3, backed_up(0, 3));
    link_all(cluster, 3);
    cluster.pump();
    cluster.isolate(0);
    BOOST_REQUIRE(cluster.at(1)->promote(false));
    cluster.pump();
    // A batch that claims term 1, on a link whose peer is in term 2.
    LogBatch stale{TermId{1, cluster.at(0)->identity().node}, 1, 0, 0, {}};
    cluster.filter = [&](std::size_t, std::size_t to, std::uint8_t type, Bytes& payload) {
        if (to == 2 && type == static_cast<std::uint8_t>(MessageType::batch)) {
            LogBatch batch = std::get<LogBatch>(decode_message(type, payload).value());
            batch.term = stale.term;
            payload = encode_message(batch);
        }
        return true;
    };
    cluster.at(1).set("key", "value");
    cluster.pump(300);
    BOOST_TEST(cluster.at(2)->stats().batches_refused > 0U);
    BOOST_TEST(!cluster.at(2).get("key"));
    cluster.filter = nullptr;
    cluster.pump();
    BOOST_TEST(cluster.at(2).get("key").value() == "value");
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.pump();
    BOOST_TEST(!is_primary(cluster.at(0)));
    BOOST_TEST(term_of(cluster.at(0)) == 2U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(clients_that_wait_hear_that_their_primary_stepped_down) {
    TestCluster cluster(3, backed_up(std::nullopt, 3));
    link_all(cluster, 3);
    cluster.pump();
    cluster.isolate(0);
    BOOST_REQUIRE(cluster.at(1)->promote(false));
    cluster.pump();
    Client writer{1, 0};
    BOOST_REQUIRE(request(cluster.at(0), writer, "key", "value"));
    std::vector<Reply> replies;
    cluster.on_reply = [&](std::size_t, const Reply& reply) { replies.push_back(reply); };
    cluster.connect(0, 1);
    cluster.pump(500);
    BOOST_REQUIRE_EQUAL(replies.size(), 1U);
    BOOST_TEST((replies[0].outcome == Outcome::stepped_down));
    cluster.connect(0, 2);
    cluster.pump();
    BOOST_TEST(cluster.at(1).get("key").value() == "value");
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(the_suffix_of_an_old_primary_is_listed_and_merged) {
    TestCluster cluster(3, backed_up(0, 3));
    link_all(cluster, 3);
    cluster.at(0).set("shared", "1");
    cluster.pump();
    cluster.isolate(0);
    cluster.at(0).set("lost", "2");
    cluster.at(0).increment("count", 3);
    BOOST_REQUIRE(cluster.at(1)->promote(false));
    cluster.pump();
    cluster.at(1).increment("count", 4);
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.pump();
    const std::vector<Event> events = cluster.at(0)->suffix_events(100).value();
    BOOST_REQUIRE_EQUAL(events.size(), 2U);
    BOOST_TEST(describe(events[0].ops[0]) == "write string lost");
    BOOST_TEST(describe(events[1].ops[0]) == "add to string count");
    BOOST_TEST(cluster.at(0)->known_elsewhere(events[0].dot));
    BOOST_TEST(cluster.at(2).get("lost").value() == "2");
    BOOST_TEST(cluster.at(2).get("count").value() == "7");
    BOOST_TEST(cluster.at(1)->primary_backup().suffixes().empty());
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_held_suffix_stays_until_it_is_merged_even_over_restarts) {
    TestCluster cluster(3, backed_up(0, 3, true));
    link_all(cluster, 3);
    cluster.pump();
    cluster.isolate(0);
    cluster.at(0).set("held", "yes");
    BOOST_REQUIRE(cluster.at(1)->promote(false));
    cluster.pump();
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.pump();
    cluster.restart(0);
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.at(1).set("new", "value");
    cluster.pump();
    BOOST_TEST(cluster.at(0)->primary_backup().holds_suffix());
    BOOST_TEST(cluster.at(0).get("new").value() == "value");
    BOOST_TEST(!cluster.at(1).get("held"));
    BOOST_TEST(!cluster.at(2).get("held"));
    BOOST_TEST(!cluster.at(0)->promote(true));
    BOOST_REQUIRE_EQUAL(cluster.at(0)->suffix_events(100).value().size(), 1U);
    BOOST_REQUIRE(cluster.at(0)->merge_suffix());
    cluster.pump(6000);
    BOOST_TEST(cluster.at(1).get("held").value() == "yes");
    BOOST_TEST(!cluster.at(0)->merge_suffix());
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_suffix_that_power_took_away_hides_no_later_event) {
    const ScratchDirectory scratch;
    const std::unique_ptr<Disk> disk = std::move(open_posix_disk(scratch.path().string()).value());
    SystemRandom random;
    Identity identity;
    identity.cluster = random_uuid(random);
    identity.node = random_uuid(random);
    identity.node_id = node_id_of(identity.node);
    const Actor actor{identity.node_id, 1};
    const auto own_events = [&](std::uint64_t count) {
        VersionVector vv;
        vv.add(Dot{actor, count});
        return vv;
    };
    PrimaryBackupOptions options;
    options.mode = ReplicationMode::primary_backup;
    options.hold_suffix = true;
    const auto open = [&](std::uint64_t count) {
        return std::move(
            PrimaryBackup::open(options, identity, *disk, own_events(count), 0).value());
    };
    const Uuid other = random_uuid(random);
    {
        // Of five events that the new term does not begin with, three are durable.
        const std::unique_ptr<PrimaryBackup> before = open(5);
        BOOST_REQUIRE(before->adopt(Term{TermId{2, other}, {}}, own_events(5), 0));
        BOOST_REQUIRE_EQUAL(before->suffixes().size(), 1U);
        BOOST_TEST(before->suffixes()[0].last == 5U);
    }
    const std::unique_ptr<PrimaryBackup> after = open(3);
    BOOST_REQUIRE_EQUAL(after->suffixes().size(), 1U);
    BOOST_TEST(after->suffixes()[0].last == 3U);
    BOOST_TEST(open(3)->suffixes() == after->suffixes(), "it is struck from the file, too");
    // Events four and five are made anew.
    BOOST_REQUIRE(after->release_suffix());
    BOOST_REQUIRE(after->adopt(Term{TermId{3, other}, {}}, own_events(5), 0));
    BOOST_TEST(after->holds_suffix());
    BOOST_REQUIRE_EQUAL(after->suffixes().size(), 2U);
    BOOST_TEST(after->suffixes()[1].first == 4U);
    BOOST_TEST(after->suffixes()[1].last == 5U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
