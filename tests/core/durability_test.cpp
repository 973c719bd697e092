#include "core/base/durability.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "core/engine/data_directory.hpp"
#include "core/protocol/message.hpp"
#include "tests/core/database_fixture.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(durability)
namespace {

constexpr std::uint64_t interval_ms = 500;

void with_interval(ReplicaOptions& options) {
    options.durability = Durability::interval;
    options.sync_interval_ms = interval_ms;
}

/// A replica whose flushes are taken one by one.
struct Machine {
    explicit Machine(const std::function<void(ReplicaOptions&)>& adjust = with_interval)
        : replica(scratch.path(), random_uuid(random), clock, adjust) {}

    /// The turn's replies, after its records went to the operating system.
    std::size_t turn() {
        replica->write_log();
        return replica->committed().replies.size();
    }
    void set(BytesView key) {
        const auto operation = [&](Transaction& txn) -> Result<Bytes> {
            SYNCLINE_CHECK(txn.put(key, CellType::string, std::nullopt, "value"));
            return Bytes("done");
        };
        BOOST_REQUIRE(replica->execute(client, operation));
    }
    bool flush() {
        std::optional<Log::Flush> flush = replica->begin_flush();
        if (!flush) return false;
        BOOST_REQUIRE(flush->write());
        replica->finish_flush(*flush, flush->sync());
        return true;
    }

    ScratchDirectory scratch;
    SystemRandom random;
    ManualClock clock;
    TestReplica replica;
    Client client{1};
};

BOOST_AUTO_TEST_CASE(with_interval_replies_leave_before_the_sync) {
    Machine machine;
    machine.clock.now_ms += interval_ms;
    machine.set("a");
    BOOST_TEST(machine.turn() == 1U);
    BOOST_TEST(machine.replica->log().durable() < machine.replica->log().end());
    BOOST_TEST(machine.flush());
    machine.set("b");
    BOOST_TEST(machine.turn() == 1U);
    BOOST_TEST(!machine.flush());  // not yet
    machine.clock.now_ms += interval_ms;
    BOOST_TEST(machine.flush());
    BOOST_TEST(machine.replica->log().durable() == machine.replica->log().end());
}

BOOST_AUTO_TEST_CASE(without_it_replies_wait) {
    Machine machine([](ReplicaOptions&) {});
    machine.set("a");
    BOOST_TEST(machine.turn() == 0U);
    BOOST_TEST(machine.flush());
    BOOST_TEST(machine.turn() == 1U);
}

BOOST_AUTO_TEST_CASE(peers_and_whoever_asks_need_not_wait_for_the_interval) {
    Machine machine;
    machine.clock.now_ms += interval_ms;
    machine.set("a");
    machine.turn();
    BOOST_TEST(machine.flush());
    machine.set("b");
    machine.turn();
    machine.replica->request_sync();
    BOOST_TEST(machine.flush());
    machine.replica->link_up(1, random_uuid(machine.random));
    machine.set("c");
    machine.turn();
    machine.clock.now_ms += limits::sync_interval_linked_ms;
    BOOST_TEST(machine.flush());
}

BOOST_AUTO_TEST_CASE(a_new_incarnation_is_remembered_before_and_after_its_first_write) {
    ScratchDirectory scratch;
    ManualClock clock;
    SystemRandom random;
    const Uuid cluster = random_uuid(random);
    bool begin_another = false;
    const auto open = [&] {
        return TestReplica(scratch.path(), cluster, clock, [&](ReplicaOptions& options) {
            options.new_incarnation = begin_another;
        });
    };
    {
        TestReplica replica = open();
        BOOST_TEST(replica->actor().incarnation == 1U);
        replica.set("a", "1");
    }
    begin_another = true;
    {
        TestReplica replica = open();
        BOOST_TEST(replica->actor().incarnation == 2U);
        replica.settle();
    }
    begin_another = false;
    {
        TestReplica replica = open();  // from the log
        BOOST_TEST(replica->actor().incarnation == 2U);
        replica->request_checkpoint();
        replica.settle();
    }
    TestReplica replica = open();  // from the checkpoint
    BOOST_TEST(replica->actor().incarnation == 2U);
    replica.set("a", "2");
    BOOST_TEST(replica->group().vv().counter(replica->actor()) == 1U);
    BOOST_TEST(replica.get("a").value() == "2");
    BOOST_TEST(replica->group().check().has_value());
}

/// Else the power goes, the record is lost with the write, and the next start names the same one.
BOOST_AUTO_TEST_CASE(a_new_incarnation_is_synced_before_a_reply_leaves) {
    Machine machine([](ReplicaOptions& options) {
        with_interval(options);
        options.new_incarnation = true;
    });
    machine.set("a");
    BOOST_TEST(machine.turn() == 0U);
    BOOST_TEST(machine.flush());
    BOOST_TEST(machine.turn() == 1U);
    machine.set("b");
    BOOST_TEST(machine.turn() == 1U);  // from here on as ever
    BOOST_TEST(!machine.flush());
}

BOOST_AUTO_TEST_CASE(a_replica_put_back_to_an_older_state_writes_as_another_actor) {
    TestCluster cluster(2);
    cluster.connect(0, 1);
    cluster.at(0).set("a", "1");
    cluster.pump();
    // Its peer has seen more of it than it knows, as after the disk was put back unnoticed.
    VersionVector seen = cluster.at(0)->group().vv();
    seen.add(Dot{cluster.at(0)->actor(), 2});
    cluster.filter = [&](std::size_t from, std::size_t, std::uint8_t type, Bytes& payload) {
        if (from != 1 || type != static_cast<std::uint8_t>(MessageType::hello)) return true;
        Message message = decode_message(type, payload).value();
        std::get<Hello>(message).vv = seen;
        payload = encode_message(message);
        return true;
    };
    cluster.disconnect(0, 1);
    cluster.connect(0, 1);
    cluster.pump();
    cluster.filter = {};
    BOOST_TEST(cluster.at(0)->actor().incarnation == 2U);
    cluster.restart(0);
    BOOST_TEST(cluster.at(0)->actor().incarnation == 2U);
    cluster.at(0).set("b", "2");
    cluster.disconnect(0, 1);
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.at(1).get("b").value() == "2");
}

struct Directory {
    Directory() {
        DataDirectory data = open(path());
        BOOST_REQUIRE(data.join_cluster(random_uuid(random)));
        node = data.identity.node;
    }
    [[nodiscard]] std::string path(const char* name = "data") const {
        return (scratch.path() / name).string();
    }
    DataDirectory open(const std::string& where) {
        return must(DataDirectory::open(where, random));
    }

    ScratchDirectory scratch;
    SystemRandom random;
    Uuid node;
};

BOOST_AUTO_TEST_CASE(a_copied_directory_is_another_node) {
    Directory directory;
    std::filesystem::copy(directory.path(), directory.path("copy"),
                          std::filesystem::copy_options::recursive);
    const DataDirectory copy = directory.open(directory.path("copy"));
    BOOST_TEST((copy.identity.node != directory.node));
    BOOST_TEST(copy.identity.node_id == node_id_of(copy.identity.node));
    const DataDirectory original = directory.open(directory.path());
    BOOST_TEST((original.identity.node == directory.node));
    BOOST_TEST((original.identity.cluster == copy.identity.cluster));
}

BOOST_AUTO_TEST_CASE(a_directory_that_was_renamed_is_the_same_node) {
    Directory directory;
    std::filesystem::rename(directory.path(), directory.path("renamed"));
    const Uuid renamed = directory.open(directory.path("renamed")).identity.node;
    BOOST_TEST((renamed == directory.node));
}

BOOST_AUTO_TEST_CASE(an_unclean_end_is_suspect_only_with_interval) {
    Directory directory;
    const auto run = [&](Durability durability, bool ends_well) {
        DataDirectory data = directory.open(directory.path());
        const bool suspect = must(data.begin_run(durability));
        if (ends_well) must(data.end_run());
        return suspect;
    };
    BOOST_TEST(!run(Durability::always, false));
    BOOST_TEST(!run(Durability::always, false));
    BOOST_TEST(!run(Durability::interval, true));
    BOOST_TEST(!run(Durability::interval, false));
    BOOST_TEST(run(Durability::always, false));   // whatever the next run does
    BOOST_TEST(run(Durability::interval, true));  // and until one has ended well
    BOOST_TEST(!run(Durability::interval, true));
}

BOOST_FIXTURE_TEST_CASE(a_database_with_interval_keeps_what_it_was_closed_with, DatabaseFixture) {
    DatabaseOptions options{.path = path("other")};
    options.durability = Durability::interval;
    options.sync_interval_ms = 60000;
    {
        Database other = open(options);
        for (int i = 0; i < 100; ++i) BOOST_TEST(must(other.counter("c").add(1)) == i + 1);
        BOOST_TEST(must(other.stats()).flushes < 10U);
        must(other.close());
    }
    const Database again = open({.path = path("other")});
    BOOST_TEST(must(again.counter("c").get()) == 100);
    BOOST_TEST(must(again.stats()).actor.incarnation == 1U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
