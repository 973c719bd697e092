/// Rows that are damaged in the data file: nobody is told anything wrong, nothing of it spreads,
/// and a peer's rows take their place.
#include "core/engine/damage.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "core/backup/source.hpp"
#include "core/protocol/message.hpp"
#include "crdt/score.hpp"
#include "storage/tables.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(damage)
namespace {

constexpr auto score_type = static_cast<std::uint8_t>(CellType::sorted_set);

void small_tree(ReplicaOptions& options) {
    options.leaf_bits = 6;
    options.scrub_interval_ms = 0;
}

/// Changes every place in the data file where these bytes stand, at an offset from there. In place:
/// an open base sees it at once.
TestReplica::Between flip(const Bytes& bytes, std::size_t offset, char bits = 4) {
    return [bytes, offset, bits](const std::filesystem::path& directory) {
        std::fstream file(directory / "base" / "data.mdb",
                          std::ios::binary | std::ios::in | std::ios::out);
        const Bytes content(std::istreambuf_iterator<char>(file), {});
        file.clear();
        std::size_t found = 0;
        for (std::size_t at = content.find(bytes); at != Bytes::npos;
             at = content.find(bytes, at + 1)) {
            file.seekp(static_cast<std::streamoff>(at + offset));
            file.put(static_cast<char>(content[at + offset] ^ bits));
            ++found;
        }
        BOOST_TEST_REQUIRE(found > 0U);
    };
}

/// No other value begins with it: else what stands behind that one in the file could complete it,
/// and be damaged as well.
Bytes value_of(int number) {
    return "value of " + std::to_string(number) + ".";
}

/// Three replicas with the same data in their bases, none connected.
struct Three {
    TestCluster cluster{3, small_tree};

    Three() {
        cluster.connect(0, 1);
        cluster.connect(0, 2);
        for (int i = 0; i < 60; ++i) {
            const std::string name = std::to_string(i);
            cluster.at(0).set("key" + name, value_of(i));
            cluster.at(0).add("team", "member" + name);
        }
        score(0, "ann", 1.5);
        score(0, "bob", 2.5);
        cluster.pump();
        for (std::size_t i = 0; i < 3; ++i) {
            cluster.at(i)->request_checkpoint();
            cluster.at(i).settle();
        }
        BOOST_TEST(cluster.difference() == "");
        cluster.disconnect(0, 1);
        cluster.disconnect(0, 2);
    }

    void score(std::size_t index, BytesView member, double value) {
        cluster.at(index).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::sorted_add(txn, "scores", member, value));
            return {};
        });
    }
    /// All replicas have all keys.
    void expect_whole() {
        BOOST_TEST(cluster.difference() == "");
        for (std::size_t at = 0; at < 3; ++at) {
            for (int i = 0; i < 60; ++i) {
                const std::string name = std::to_string(i);
                const Result<std::optional<Bytes>> value = cluster.at(at).try_get("key" + name);
                BOOST_TEST_REQUIRE(value.has_value());
                BOOST_TEST(value->value_or("(none)") == value_of(i));
            }
            BOOST_TEST(cluster.at(at).members("team").size() == 60U);
        }
    }
    void connect_all() {
        cluster.connect(0, 1);
        cluster.connect(0, 2);
        cluster.connect(1, 2);
    }
};

Code code_of(const Result<std::optional<Bytes>>& result) {
    BOOST_TEST_REQUIRE(!result.has_value());
    return result.error().code;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_row_with_a_damaged_value_is_an_error_and_comes_back_from_a_peer) {
    Three three;
    three.cluster.restart(0, flip(value_of(17), 3));
    BOOST_TEST((code_of(three.cluster.at(0).try_get("key17")) == Code::corrupt));
    BOOST_TEST(three.cluster.at(0)->group().damaged().size() == 1U);
    BOOST_TEST(three.cluster.at(0)->scrub_status().damaged == 1U);
    three.connect_all();
    three.cluster.pump(10000);
    three.expect_whole();
    BOOST_TEST(three.cluster.at(0)->scrub_status().repaired == 1U);
    three.cluster.restart(0);
    BOOST_TEST(three.cluster.at(0).get("key17").value() == value_of(17));
}

/// What LMDB then looks for is not there, and what is there has another name.
BOOST_AUTO_TEST_CASE(a_row_with_a_damaged_key_is_never_absent) {
    Three three;
    three.cluster.restart(0, flip("key17", 4));
    const Result<std::optional<Bytes>> value = three.cluster.at(0).try_get("key17");
    BOOST_TEST((code_of(value) == Code::corrupt));
    three.connect_all();
    three.cluster.pump(10000);
    three.expect_whole();
}

/// The damaged key hides no row as long as the overlay has all rows of the set; then a checkpoint
/// puts these around it.
BOOST_AUTO_TEST_CASE(a_row_with_a_damaged_key_hides_no_others_after_a_checkpoint) {
    // Its first byte, so that it seems to stand behind all others, or in front of them.
    for (const char bit : {'\x40', '\x01', '\x08'}) {
        Three three;
        TestReplica& replica = three.cluster.at(0);
        for (int i = 0; i < 30; ++i) three.score(0, "m" + std::to_string(i), i);
        replica->request_checkpoint();
        replica.settle();
        const Bytes row = encode_order_row("scores", score_type, score_order(0), "m0").bytes;
        for (int i = 0; i < 30; ++i) three.score(0, "m" + std::to_string(i), 100 + i);
        three.score(0, "ann", 150);
        three.score(0, "bob", 151);
        three.cluster.restart(0, flip(row, 0, bit));
        const auto expect_scores = [&](bool may_be_repairing) {
            std::size_t members = 0;
            const Result<void> read = replica.try_run([&](Transaction& txn) -> Result<void> {
                const auto count = [&](BytesView, double) { return ++members, true; };
                return operations::sorted_scan(txn, "scores", {}, WalkOrder::ascending, count);
            });
            BOOST_TEST((read ? members == 32U
                             : may_be_repairing && read.error().code == Code::unavailable));
        };
        expect_scores(true);
        for (int i = 0; i < 2; ++i) {
            replica->request_checkpoint();
            replica.settle();
            expect_scores(false);
        }
        three.cluster.restart(0);
        expect_scores(false);
        BOOST_TEST(replica->group().check().has_value());
    }
}

BOOST_AUTO_TEST_CASE(an_event_that_meets_a_damaged_row_is_neither_lost_nor_stops_the_replica) {
    Three three;
    three.cluster.restart(0, flip(value_of(17), 3));
    // Nobody has read it yet: the event is the first to.
    three.cluster.at(1).set("key17", "another value");
    three.cluster.at(1).set("key3", "another one");
    three.cluster.connect(0, 1);
    for (int i = 0; i < 20 && three.cluster.at(0)->stats().events_applied < 2; ++i) {
        three.cluster.pump(50);
    }
    three.cluster.pump(10000);
    BOOST_TEST(!three.cluster.at(0)->failure().has_value());
    BOOST_TEST(three.cluster.at(0)->scrub_status().damages >= 1U);
    BOOST_TEST(three.cluster.at(0).get("key17").value() == "another value");
    three.cluster.connect(1, 2);
    three.cluster.connect(0, 2);
    three.cluster.pump(10000);
    BOOST_TEST(three.cluster.difference() == "");
    BOOST_TEST(three.cluster.at(2).get("key3").value() == "another one");
}

/// A peer's rows are in place, and the base has the damaged ones until a checkpoint: an edit that
/// would have to read these comes again later.
BOOST_AUTO_TEST_CASE(an_edit_waits_for_the_checkpoint_after_a_repair_and_loses_no_link) {
    Three three;
    TestCluster& cluster = three.cluster;
    const auto insert = [&](std::size_t at, BytesView text) {
        cluster.at(at).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::text_insert(txn, "notes", 0, text));
            return {};
        });
    };
    three.connect_all();
    insert(1, "a line to remember");
    cluster.pump();
    for (std::size_t i = 0; i < 3; ++i) {
        cluster.at(i)->request_checkpoint();
        cluster.at(i).settle();
    }
    cluster.restart(0, flip("a line to remember", 3));
    TestReplica& replica = cluster.at(0);
    BOOST_TEST((code_of(replica.try_get("notes")) == Code::corrupt));
    BOOST_TEST(replica->group().damaged().size() == 1U);
    replica.may_checkpoint = [&] { return !replica->group().damaged().empty(); };
    cluster.connect(0, 1);
    for (int i = 0; i < 100 && !replica->group().damaged().empty(); ++i) cluster.pump(50);
    BOOST_TEST(replica->group().damaged().empty());

    insert(1, "first, ");
    const Actor writer = cluster.at(1)->actor();
    const Dot edit{writer, cluster.at(1)->group().vv().counter(writer)};
    cluster.pump(3000);
    BOOST_TEST(cluster.closed.empty());
    BOOST_TEST(!replica->group().vv().covers(edit));
    replica.may_checkpoint = nullptr;
    cluster.pump(5000);
    BOOST_TEST(replica->group().vv().covers(edit));
    cluster.connect(1, 2);
    cluster.pump(5000);
    BOOST_TEST(cluster.difference() == "");
}

/// While it is compared with the peer's, the state in the base stays as it is: what was written
/// since, and removed by the peer, would be in neither difference.
BOOST_AUTO_TEST_CASE(a_repair_holds_its_checkpoint) {
    Three three;
    TestCluster& cluster = three.cluster;
    cluster.restart(0, flip(value_of(17), 3));
    TestReplica& replica = cluster.at(0);
    BOOST_TEST((code_of(replica.try_get("key17")) == Code::corrupt));
    bool opens = false;
    cluster.filter = [&](std::size_t, std::size_t to, std::uint8_t type, Bytes&) {
        const auto kind = static_cast<MessageType>(type);
        const bool held = to == 0 ? kind == MessageType::batch : kind == MessageType::session_open;
        return opens || !held;
    };
    cluster.connect(0, 1);
    cluster.pump(500);
    BOOST_TEST(replica->session_active());
    replica.set("late", "value");
    cluster.pump(500);
    cluster.at(1).run([](Transaction& txn) -> Result<void> {
        txn.clear("late");
        return {};
    });
    replica->request_checkpoint();
    cluster.pump(1500);
    opens = true;
    cluster.pump(10000);
    BOOST_TEST(!replica->session_active());
    BOOST_TEST(replica->group().damaged().empty());
    BOOST_TEST(!replica.get("late").has_value());
    cluster.connect(0, 2);
    cluster.pump(5000);
    three.expect_whole();
}

/// A write comes while a snapshot is being made, finds the rows damaged, and is not in them. The
/// repair begins while the snapshot is still being made, with a peer that has not seen the write.
BOOST_AUTO_TEST_CASE(a_repair_waits_for_a_snapshot_of_its_own) {
    Three three;
    TestCluster& cluster = three.cluster;
    cluster.restart(0, flip(value_of(17), 3));
    TestReplica& replica = cluster.at(0);
    (void)replica->hold_checkpoint(replica->log().end());
    replica->request_checkpoint();
    replica.may_checkpoint = [] { return false; };
    replica.settle();
    std::optional<Store::Checkpoint> checkpoint = replica->begin_checkpoint();
    BOOST_REQUIRE(checkpoint.has_value());

    cluster.connect(0, 1);
    cluster.at(1).set("key17", "new");
    cluster.pump(1000);
    BOOST_TEST(replica->group().damaged().size() == 1U);
    cluster.disconnect(0, 1);
    bool learns = false;
    cluster.filter = [&](std::size_t, std::size_t to, std::uint8_t type, Bytes&) {
        return learns || to != 2 || static_cast<MessageType>(type) != MessageType::batch;
    };
    cluster.connect(0, 2);
    cluster.pump(1000);
    BOOST_TEST(replica->session_active());
    (void)replica->finish_checkpoint(checkpoint->commit());
    replica->forget_reader();
    replica.may_checkpoint = {};
    cluster.pump(5000);
    learns = true;
    cluster.pump(20000);
    BOOST_TEST(replica->group().damaged().empty());
    BOOST_TEST(replica.get("key17").value() == "new");
    cluster.connect(0, 1);
    cluster.pump(5000);
    for (std::size_t at = 0; at < 3; ++at) {
        BOOST_TEST(cluster.at(at).get("key17").value() == "new");
        BOOST_TEST(
            (cluster.at(at)->group().leaf_sums().root() == replica->group().leaf_sums().root()));
    }
}

/// The peer has not heard of everybody yet, and so has rows that were collected here before.
BOOST_AUTO_TEST_CASE(rows_that_a_repair_brings_are_collected_as_those_before_them) {
    TestCluster cluster(3, [](ReplicaOptions& options) {
        small_tree(options);
        options.replicas = 3;
    });
    const auto values = [&](std::size_t at) {
        return cluster.at(at)->group().cell("k", CellType::string, {})->dots.size();
    };
    cluster.at(0).set("k", value_of(1));
    cluster.at(1).set("k", value_of(2));
    cluster.connect(0, 1);
    cluster.pump();
    cluster.disconnect(0, 1);
    cluster.connect(0, 2);
    cluster.pump();
    cluster.disconnect(0, 2);
    BOOST_TEST(values(0) == 1U);
    BOOST_TEST(values(1) == 2U);
    const Bytes value = cluster.at(0).get("k").value();
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    cluster.restart(0, flip(value, 3));
    BOOST_TEST((code_of(cluster.at(0).try_get("k")) == Code::corrupt));
    cluster.pump();  // all others are collected
    BOOST_TEST(cluster.at(0)->group().collected());
    cluster.connect(0, 1);
    cluster.pump(10000);
    BOOST_TEST(cluster.at(0).get("k").value() == value);
    cluster.connect(0, 2);
    cluster.connect(1, 2);
    cluster.pump(10000);
    BOOST_TEST(values(0) == 1U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(without_a_peer_other_keys_are_served_and_the_damage_is_found_again) {
    Three three;
    three.cluster.restart(0, flip(value_of(17), 3));
    BOOST_TEST((code_of(three.cluster.at(0).try_get("key17")) == Code::corrupt));
    std::size_t served = 0;
    for (int i = 0; i < 60; ++i) {
        served += three.cluster.at(0).try_get("key" + std::to_string(i)).has_value() ? 1U : 0U;
    }
    BOOST_TEST(served >= 50U);
    three.cluster.at(0).set("elsewhere", "written");
    const Result<void> written = three.cluster.at(0).try_run(
        [](Transaction& txn) { return operations::string_set(txn, "key17", "new"); });
    BOOST_TEST(!written.has_value());
    const Result<void> all =
        three.cluster.at(0).try_run([](Transaction& txn) { return txn.clear_buckets(0, 0xFFFF); });
    BOOST_TEST(!all.has_value());
    three.cluster.pump(2000);
    three.cluster.at(0)->request_checkpoint();
    three.cluster.restart(0);
    BOOST_TEST((code_of(three.cluster.at(0).try_get("key17")) == Code::corrupt));
    BOOST_TEST(three.cluster.at(0).get("elsewhere").value() == "written");
    three.connect_all();
    three.cluster.pump(10000);
    three.expect_whole();
}

/// A lost row must not look like a removed one to a peer that pulls.
BOOST_AUTO_TEST_CASE(a_damaged_replica_serves_no_session_and_loses_no_link) {
    Three three;
    three.cluster.restart(0, flip("key17", 4));
    three.cluster.at(0)->start_scrub(true);
    three.cluster.pump(1000);
    BOOST_TEST(three.cluster.at(0)->group().damaged().size() == 1U);
    three.cluster.at(0).set("news", "for all");
    // Events do not pass, so that peer 1 needs a session; and 0 cannot have itself repaired.
    three.cluster.filter = [](std::size_t from, std::size_t, std::uint8_t type, Bytes&) {
        const bool open = type == static_cast<std::uint8_t>(MessageType::session_open);
        return type != static_cast<std::uint8_t>(MessageType::batch) && !(open && from == 0);
    };
    three.cluster.connect(0, 1);
    three.cluster.pump(500);
    three.cluster.at(1)->request_session(three.cluster.at(1)->peers()[0].link);
    three.cluster.pump(20000);
    BOOST_TEST(three.cluster.closed.empty());
    BOOST_TEST(three.cluster.at(1)->stats().sessions_failed > 0U);
    BOOST_TEST(three.cluster.at(1)->stats().session_rows_received == 0U);
    BOOST_TEST(three.cluster.at(1).get("key17").value() == value_of(17));
    BOOST_TEST(!three.cluster.at(1).get("news").has_value());
    three.cluster.filter = nullptr;
    three.cluster.connect(1, 2);
    three.cluster.pump(20000);
    three.expect_whole();
    BOOST_TEST(three.cluster.at(2).get("news").value() == "for all");
}

/// Found by the session itself: rows of this bucket had been verified before.
BOOST_AUTO_TEST_CASE(damage_that_a_session_meets_ends_the_session_and_no_link) {
    Three three;
    BOOST_TEST(three.cluster.at(0).get("key17").value() == value_of(17));
    // A neighbour, so that the session has to look at the bucket.
    const auto bucket = [](BytesView key) { return key_hash(key) >> (64 - 6); };
    Bytes neighbour = "n";
    while (bucket(neighbour) != bucket("key17")) neighbour += "n";
    three.cluster.filter = [](std::size_t, std::size_t, std::uint8_t type, Bytes&) {
        return type != static_cast<std::uint8_t>(MessageType::batch);
    };
    three.cluster.at(0).set(neighbour, "new");
    three.cluster.at(0)->request_checkpoint();
    three.cluster.at(0).settle();
    (void)three.cluster.at(0)->committed();  // ends the read view
    flip(value_of(17), 3)(three.cluster.at(0).directory());
    three.cluster.connect(0, 1);
    three.cluster.pump(500);
    three.cluster.at(1)->request_session(three.cluster.at(1)->peers()[0].link);
    three.cluster.pump(20000);
    BOOST_TEST(three.cluster.closed.empty());
    BOOST_TEST(three.cluster.at(0)->scrub_status().damages >= 1U);
    BOOST_TEST(three.cluster.at(1).get("key17").value() == value_of(17));
    three.cluster.filter = nullptr;
    three.cluster.connect(1, 2);
    three.cluster.pump(20000);
    three.expect_whole();
}

BOOST_AUTO_TEST_CASE(derived_rows_are_made_anew_from_their_cells_without_a_peer) {
    // The order of scores: prefix, type 4, the score's bits, the member.
    for (const Bytes& row : {Bytes("\x04\xC0\x04", 3), Bytes("\x04\xBF\xF8", 3)}) {
        Three three;
        three.cluster.restart(0, flip(row, 2));
        const auto range = [&]() {
            std::vector<Bytes> members;
            Transaction txn(three.cluster.at(0)->group(), three.cluster.at(0)->actor(), 1);
            const Result<void> walked = operations::sorted_scan(
                txn, "scores", {}, WalkOrder::ascending, [&](BytesView member, double) {
                    members.emplace_back(member);
                    return true;
                });
            return walked ? members : std::vector<Bytes>{walked.error().message};
        };
        BOOST_TEST(range().size() == 1U);  // an error: it is being made anew
        three.cluster.pump(1000);
        BOOST_TEST((range() == std::vector<Bytes>{"ann", "bob"}));
        BOOST_TEST(three.cluster.at(0)->group().damaged().empty());
        BOOST_TEST(three.cluster.at(0)->scrub_status().damages == 1U);
        const Result<void> sound = three.cluster.at(0)->group().check();
        BOOST_TEST(sound.has_value(), (sound ? "" : sound.error().message));
    }
}

/// A lost row is in no piece of a backup, and no checksum misses it.
BOOST_AUTO_TEST_CASE(a_backup_of_damaged_rows_fails) {
    for (const auto& [bytes, offset] :
         {std::pair<Bytes, std::size_t>{"key17", 4}, {value_of(17), 3}}) {
        Three three;
        three.cluster.restart(0, flip(bytes, offset));
        BackupSource source(three.cluster.at(0).replica(), 0, 700);
        std::optional<Error> error;
        while (!error && !source.finished()) {
            const Result<std::optional<BackupPiece>> piece = source.next();
            if (!piece) error = piece.error();
            three.cluster.at(0).settle();
        }
        BOOST_TEST_REQUIRE(error.has_value());
        BOOST_TEST((error->code == Code::corrupt), error->message);
    }
}

BOOST_AUTO_TEST_CASE(a_scrub_finds_what_nobody_reads) {
    Three three;
    three.cluster.restart(0, flip(value_of(17), 3));
    three.cluster.at(0)->start_scrub(true);
    three.cluster.pump(3000);
    ScrubStatus status = three.cluster.at(0)->scrub_status();
    BOOST_TEST(!status.running);
    BOOST_TEST(status.passes == 1U);
    BOOST_TEST(status.last_faults == 1U);
    BOOST_TEST(status.damaged == 1U);
    three.connect_all();
    three.cluster.pump(10000);
    three.cluster.at(0)->start_scrub(true);
    three.cluster.pump(3000);
    status = three.cluster.at(0)->scrub_status();
    BOOST_TEST(status.passes >= 2U);
    BOOST_TEST(status.last_faults == 0U);
    BOOST_TEST(status.damaged == 0U);
    BOOST_TEST(status.rows == three.cluster.at(0)->group().leaf_sums().root().count);
    three.expect_whole();
}

/// Slices of a few rows, with writes between them that touch what was seen and what was not.
BOOST_AUTO_TEST_CASE(a_scrub_in_small_slices_keeps_up_with_writes) {
    TestCluster cluster(1, [](ReplicaOptions& options) {
        options.leaf_bits = 1;
        options.scrub_rows_per_tick = 7;
        options.scrub_interval_ms = 0;
    });
    for (int i = 0; i < 200; ++i) {
        cluster.at(0).set("key" + std::to_string(i), "v");
        cluster.at(0).add("team", std::to_string(i));
        cluster.at(0).run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(operations::sorted_add(txn, "scores", std::to_string(i % 50), i));
            return {};
        });
    }
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    cluster.at(0)->start_scrub(false);
    for (int i = 0; cluster.at(0)->scrub_status().running; ++i) {
        BOOST_TEST_REQUIRE(i < 2000);
        const std::string name = std::to_string(i * 7 % 230);
        cluster.at(0).run([&](Transaction& txn) -> Result<void> {
            if (i % 3 == 0) SYNCLINE_CHECK(operations::key_delete(txn, "key" + name));
            if (i % 3 != 0) SYNCLINE_CHECK(operations::string_set(txn, "key" + name, name));
            SYNCLINE_CHECK(operations::set_remove(txn, "team", name));
            SYNCLINE_CHECK(operations::set_add(txn, "team", "new" + name));
            SYNCLINE_CHECK(operations::sorted_add(txn, "scores", name, i));
            if (i % 5 == 0) SYNCLINE_CHECK(operations::sorted_remove(txn, "scores", name));
            return {};
        });
        cluster.pump(50);
    }
    BOOST_TEST(cluster.at(0)->scrub_status().passes == 1U);
    BOOST_TEST(cluster.at(0)->scrub_status().last_faults == 0U);
    BOOST_TEST(cluster.at(0)->scrub_status().finding == "");
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
