// What every replica has, and what is dropped by it.
#include "core/engine/stable_cut.hpp"

#include <boost/test/unit_test.hpp>

#include "core/base/limits.hpp"
#include "core/protocol/message.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/must.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(stable_cut)
namespace {

void with_three(ReplicaOptions& options) {
    options.replicas = 3;
}

/// Two replicas write one key and a counter apart; one resets the counter.
void write_apart(TestCluster& cluster) {
    cluster.at(0).set("k", "zero");
    cluster.at(1).set("k", "one");
    cluster.at(0).increment("n", 5);
    cluster.at(0).set("n", "7");
}

std::size_t values(TestCluster& cluster, std::size_t at) {
    return cluster.at(at)->group().cell("k", CellType::string, {})->dots.size();
}

BOOST_AUTO_TEST_CASE(what_all_have_seen_go_is_dropped) {
    TestCluster cluster(3, with_three);
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.connect(1, 2);
    cluster.pump();
    cluster.disconnect(0, 1);
    write_apart(cluster);
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(values(cluster, i) == 1U);
        BOOST_TEST(cluster.at(i)->group().cell("n", CellType::string, {})->counter.empty());
        BOOST_TEST(cluster.at(i).get("n").value() == "7");
        BOOST_TEST((cluster.at(i)->stable_cut().cut() == cluster.at(i)->group().vv()));
    }
    // It is kept over a restart, and counting goes on.
    cluster.restart(0);
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.at(0).increment("n", 1);
    cluster.pump();
    BOOST_TEST(cluster.at(2).get("n").value() == "8");
    BOOST_TEST(values(cluster, 0) == 1U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(one_that_is_not_heard_of_holds_everything_back) {
    TestCluster cluster(3, with_three);
    write_apart(cluster);
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(values(cluster, 0) == 2U);
    BOOST_TEST(values(cluster, 1) == 2U);
    BOOST_TEST(cluster.at(0)->stable_cut().cut().entries().empty());
    cluster.connect(0, 2);
    cluster.connect(1, 2);
    cluster.pump();
    BOOST_TEST(values(cluster, 0) == 1U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(replicas_that_count_themselves_differently_do_not_talk) {
    std::size_t opened = 0;
    TestCluster cluster(2, [&](ReplicaOptions& options) { options.replicas = 2 + opened++; });
    cluster.at(0).set("k", "v");
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(!cluster.closed.empty());
    BOOST_TEST(!cluster.at(1).get("k").has_value());
}

BOOST_AUTO_TEST_CASE(a_cluster_has_no_room_for_one_too_many_until_one_is_struck) {
    TestCluster cluster(3, [](ReplicaOptions& options) { options.replicas = 2; });
    cluster.connect(0, 1);
    cluster.pump();
    cluster.connect(0, 2);
    cluster.pump();
    BOOST_TEST(cluster.closed.size() > 0U);
    const std::string gone = to_string(cluster.at(1)->identity().node);
    BOOST_TEST(cluster.at(0)->forget(gone).has_value());
    cluster.pump();  // all links end with that
    cluster.disconnect(0, 1);
    cluster.disconnect(0, 2);
    cluster.closed.clear();
    cluster.at(0).set("k", "v");
    cluster.connect(0, 2);
    cluster.pump();
    BOOST_TEST(cluster.closed.empty());
    BOOST_TEST(cluster.at(2).get("k").value() == "v");
}

BOOST_AUTO_TEST_CASE(a_report_counts_when_all_of_it_is_here) {
    const Actor ann{1, 1};
    const Actor bob{2, 1};
    const Uuid uuid{{1}};
    StableCut cut(2);
    cut.introduce(uuid, "bob");
    VersionVector own;
    own.add(Dot{ann, 1});
    VersionVector peer = own;
    peer.add(Dot{bob, 1});
    cut.report(uuid, peer);
    BOOST_TEST(!cut.advance(own));
    own.add(Dot{bob, 1});
    BOOST_TEST(cut.advance(own));
    BOOST_TEST((cut.cut() == own));
}

BOOST_AUTO_TEST_CASE(who_begins_with_little_waits_for_what_the_others_had) {
    const Actor ann{1, 1};
    VersionVector theirs;
    theirs.add(Dot{ann, 1});
    StableCut cut(3);
    VersionVector own;
    BOOST_TEST(!cut.joining(own));
    cut.met(own, theirs, {});
    BOOST_TEST(cut.joining(own));
    own.add(Dot{ann, 1});
    BOOST_TEST(!cut.joining(own));
    theirs.add(Dot{ann, 2});
    cut.met(own, theirs, own);  // an old member is behind now and then
    BOOST_TEST(!cut.joining(own));
    cut.met(own, theirs, theirs);  // but not behind what all have: its data are of long ago
    BOOST_TEST(cut.joining(own));
}

/// What it wrote last may be on its way: some have it, and it is concurrent with what all others
/// have.
BOOST_AUTO_TEST_CASE(after_a_replica_was_struck_the_others_are_asked_again) {
    SystemRandom random;
    const Uuid ben = random_uuid(random);
    const Uuid gone = random_uuid(random);
    const Uuid next = random_uuid(random);
    VersionVector own;
    own.add(Dot{Actor{1, 1}, 1});
    StableCut cut(3);
    cut.introduce(ben, "ben");
    cut.introduce(gone, "gone");
    cut.report(ben, own);
    BOOST_TEST(!cut.advance(own));
    BOOST_TEST(cut.forget("gone"));
    cut.introduce(next, "next");
    cut.report(next, own);
    BOOST_TEST(!cut.advance(own));
    cut.report(ben, own);
    BOOST_TEST(cut.advance(own));
}

/// What one said before it had the last events of the replica that was struck is read afterwards.
BOOST_AUTO_TEST_CASE(reports_that_were_on_their_way_when_a_replica_was_struck_do_not_count) {
    TestCluster cluster(3, with_three);
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.connect(1, 2);
    cluster.pump();
    const LinkId link = cluster.at(0)->peers().front().link;
    BOOST_TEST((cluster.at(0)->peers().front().uuid == cluster.at(1)->identity().node));
    // The last of the others hears nothing of the first one's write, the first one nothing at all.
    cluster.disconnect(0, 2);
    cluster.disconnect(1, 2);
    std::vector<std::pair<std::uint8_t, Bytes>> on_its_way;
    cluster.filter = [&](std::size_t from, std::size_t to, std::uint8_t type, Bytes& payload) {
        if (from == 1 && to == 0) on_its_way.emplace_back(type, payload);
        return to != 0;
    };
    cluster.at(0).set("k", "zero");
    const VersionVector zero = cluster.at(0)->group().vv();
    cluster.at(2).set("k", "two");
    cluster.pump();
    // Now the second one has what the last one wrote, and that one is gone.
    cluster.connect(1, 2);
    cluster.pump();
    const std::string gone = to_string(cluster.at(2)->identity().node);
    cluster.remove(2);
    BOOST_TEST(cluster.at(0)->forget(gone).has_value());
    for (const auto& [type, payload] : on_its_way) {
        if (type == static_cast<std::uint8_t>(MessageType::ack)) {
            cluster.at(0)->receive(link, type, payload);
        }
    }
    cluster.filter = [](std::size_t from, std::size_t, std::uint8_t, Bytes&) { return from != 1; };
    cluster.add(cluster.directory() / "next");
    cluster.connect(0, 2);
    cluster.pump();
    BOOST_TEST(cluster.at(2).get("k").value() == "zero");
    BOOST_TEST(!cluster.at(0)->stable_cut().cut().covers(zero));
    cluster.filter = {};
    BOOST_TEST(cluster.at(1)->forget(gone).has_value());
    cluster.pump();
    cluster.closed.clear();
    cluster.disconnect(0, 1);
    cluster.connect(0, 1);
    cluster.connect(1, 2);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST((cluster.at(0)->stable_cut().cut() == cluster.at(0)->group().vv()));
}

/// Else who has just struck a replica would conclude that none of its events is here.
BOOST_AUTO_TEST_CASE(a_peer_is_told_nothing_before_all_that_was_here_is_durable) {
    TestCluster cluster(2, [](ReplicaOptions& options) { options.replicas = 2; });
    cluster.at(1).set("k", "v");
    TestReplica& replica = cluster.at(1);
    Client client{1};
    const Result<void> written = replica->execute(client, [](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_CHECK(txn.put("k", CellType::string, std::nullopt, "w"));
        return Bytes("done");
    });
    BOOST_TEST(written.has_value());
    cluster.connect(0, 1);
    const auto last_ack = [&]() -> VersionVector {
        VersionVector told;
        for (int i = 0; i < 3; ++i) {
            for (std::size_t at = 0; at < 2; ++at) {
                for (Outgoing& message : cluster.at(at)->committed().messages) {
                    const Message decoded =
                        test::must(decode_message(message.type, message.payload));
                    const auto* ack = std::get_if<Ack>(&decoded);
                    if (at == 1 && ack != nullptr) told = ack->vv;
                    cluster.at(1 - at)->receive(message.link, message.type, message.payload);
                }
            }
            cluster.pass(limits::heartbeat_ms);
        }
        return told;
    };
    BOOST_TEST(last_ack().entries().empty());
    replica.settle();
    BOOST_TEST((last_ack() == replica->group().vv()));
}

/// What it would write, its keys' ends included, would not have seen what the others collected
/// since.
BOOST_AUTO_TEST_CASE(a_copy_of_a_directory_writes_nothing_before_it_has_met_another) {
    ScratchDirectory scratch;
    ManualClock clock;
    SystemRandom random;
    const Uuid cluster = random_uuid(random);
    const Uuid copied = random_uuid(random);
    const auto open = [&](const Uuid& node) {
        return TestReplica(scratch.path(), cluster, clock, [&](ReplicaOptions& options) {
            with_three(options);
            options.identity.node = node;
            options.identity.node_id = node_id_of(node);
        });
    };
    const auto write = [](TestReplica& replica) {
        Client client{1};
        return replica->execute(client, [](Transaction& txn) -> Result<Bytes> {
            SYNCLINE_CHECK(txn.put("k", CellType::string, std::nullopt, "v"));
            return Bytes("done");
        });
    };
    {
        TestReplica original = open(random_uuid(random));
        BOOST_TEST(write(original).has_value());
        original.settle();
    }
    for (int life = 0; life < 3; ++life) {  // and it does not forget that
        TestReplica replica = open(copied);
        BOOST_TEST((write(replica).error().code == Code::unavailable));
        replica->request_checkpoint();
        replica.settle();
    }
}

}  // namespace

/// A newcomer takes rows before it hears who the members are.
BOOST_AUTO_TEST_CASE(a_cut_that_came_with_rows_counts_from_when_the_members_are_known) {
    StableCut cut(0);
    VersionVector seen;
    seen.add(Dot{Actor{1, 1}, 1});
    BOOST_TEST(!cut.adopt(seen));  // nothing can be collected yet
    BOOST_TEST((cut.cut() == seen));
    cut.set_members({Uuid{{2}}}, true, true);
    BOOST_TEST((cut.cut() == seen));
    BOOST_TEST(!cut.adopt(seen));
    seen.add(Dot{Actor{1, 1}, 2});
    BOOST_TEST(cut.adopt(seen));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
