// Backups: copied while the replica works, verified, restored as a new replica.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <thread>

#include "core/backup/format.hpp"
#include "core/backup/reader.hpp"
#include "core/backup/restore.hpp"
#include "core/backup/source.hpp"
#include "core/backup/writer.hpp"
#include "core/database.hpp"
#include "tests/core/mixed_workload.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/must.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(backup)
namespace {

namespace fs = std::filesystem;
using test::MixedWorkload;
using test::must;
using test::SeededRandom;

template <typename T>
void fails(const Result<T>& result, Code code) {
    BOOST_REQUIRE(!result);
    BOOST_TEST(code_name(result.error().code) == code_name(code), result.error().message);
}

/// Parts so small that some hundred rows make many.
constexpr std::size_t small_piece_bytes = 700;
constexpr std::size_t small_file_bytes = 4000;

/// Backs a replica up; `between` runs after each piece.
BackupManifest back_up(TestReplica& replica, const fs::path& path,
                       const std::function<void()>& between = {},
                       std::size_t piece_bytes = small_piece_bytes) {
    const auto writer = must(BackupWriter::create(path.string(), small_file_bytes));
    BackupSource source(replica.replica(), 1'700'000'000'000, piece_bytes);
    while (!source.finished()) {
        const std::optional<BackupPiece> piece = must(source.next());
        replica->group().store().end_turn();
        if (piece) must(writer->write(*piece));
        if (!piece) replica.settle();
        if (between) between();
    }
    must(writer->finish(source.manifest()));
    return must(verify_backup(path.string()));
}

Restored restore(TestCluster& cluster, const fs::path& backup, const fs::path& data,
                 RestoreAs as = RestoreAs::merge) {
    RestoreOptions options;
    options.backup = backup.string();
    options.data = data.string();
    options.as = as;
    return must(restore_backup(options, cluster.env()));
}

void with_policies(ReplicaOptions& options) {
    BOOST_REQUIRE(options.policies.add("rw=remove-wins"));
    options.checkpoint_interval_ms = 100;
}

/// With a stable cut, so that rows are collected meanwhile.
void with_collection(ReplicaOptions& options) {
    with_policies(options);
    options.replicas = 2;
}

/// One byte of a file becomes another.
void flip(const fs::path& file, std::uint64_t offset) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    const int byte = stream.get();
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.put(static_cast<char>(byte ^ 0x10));
}

/// A replica writes, with another one's transactions coming, while it is backed up; the restored
/// one is then the third of them. restore_backup() itself compares the rows with the fingerprint
/// that the replica had at the end of the backup.
void back_up_under_load(std::uint64_t seed, const std::function<void(ReplicaOptions&)>& adjust) {
    SeededRandom random(seed);
    MixedWorkload workload(seed);
    TestCluster cluster(2, adjust);
    cluster.connect(0, 1);
    for (int i = 0; i < 150; ++i) {
        workload.change(cluster.at(random.below(2)));
        if (random.below(8) == 0) cluster.pump(200);
    }
    cluster.pump(1000);
    const fs::path backup = cluster.directory() / "backup";
    back_up(cluster.at(0), backup, [&]() {
        for (std::uint64_t i = random.below(6); i > 0; --i) {
            workload.change(cluster.at(random.below(2)));
        }
        if (random.below(3) == 0) cluster.pump(100 + random.below(300));
        if (random.below(3) == 0) cluster.at(0)->request_checkpoint();
        cluster.at(0).settle();
    });
    const fs::path data = cluster.directory() / "restored";
    restore(cluster, backup, data);
    for (int i = 0; i < 50; ++i) workload.change(cluster.at(random.below(2)));
    if (cluster.at(0)->stable_cut().on()) {
        // Another one takes the place of the one that is gone.
        const std::string gone = to_string(cluster.at(0)->identity().node);
        cluster.remove(0);
        must(cluster.at(0)->forget(gone));
        cluster.at(0).settle();
        BOOST_REQUIRE_EQUAL(cluster.add(data), 1U);
        cluster.connect(0, 1);
        cluster.pump(8000);
    } else {
        BOOST_REQUIRE_EQUAL(cluster.add(data), 2U);
        must(cluster.at(2)->group().check());
        cluster.connect(0, 2);
        cluster.connect(1, 2);
        for (int i = 0; i < 30; ++i) workload.change(cluster.at(random.below(3)));
        cluster.pump(8000);
    }
    BOOST_TEST(cluster.difference() == "");
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_restored_is_what_was_backed_up) {
    TestCluster cluster(1);
    cluster.at(0).set("key", "one");
    cluster.at(0).increment("count", 5);
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    cluster.at(0).add("team", "ann");
    cluster.at(0).increment("count", 2);
    const fs::path backup = cluster.directory() / "backup";
    const BackupManifest manifest = back_up(cluster.at(0), backup);
    BOOST_TEST(manifest.events == 2U);  // the others are in the checkpoint
    const Restored restored = restore(cluster, backup, cluster.directory() / "new");
    BOOST_TEST((restored.identity.node != cluster.at(0)->identity().node));
    BOOST_TEST((restored.identity.cluster == cluster.at(0)->identity().cluster));
    BOOST_TEST(restored.keys == 3U);
    const std::size_t place = cluster.add(cluster.directory() / "new");
    TestReplica& replica = cluster.at(place);
    BOOST_TEST(replica.get("key").value() == "one");
    BOOST_TEST(replica.get("count").value() == "7");
    BOOST_TEST(replica.members("team").size() == 1U);
    must(replica->group().check());
    replica.restart();
    replica.increment("count", 1);
    cluster.connect(0, place);
    cluster.pump();
    BOOST_TEST(cluster.at(0).get("count").value() == "8");
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(a_replica_without_rows_has_a_backup_too) {
    TestCluster cluster(1);
    const fs::path backup = cluster.directory() / "backup";
    back_up(cluster.at(0), backup);
    BOOST_TEST(restore(cluster, backup, cluster.directory() / "new").keys == 0U);
    const std::size_t place = cluster.add(cluster.directory() / "new");
    cluster.at(place).set("key", "value");
    cluster.connect(0, place);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(backups_under_load_hold_exactly_one_state) {
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(12))) {
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            back_up_under_load(seed, with_policies);
        }
    }
}

BOOST_AUTO_TEST_CASE(backups_under_load_with_collection_hold_exactly_one_state) {
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(12))) {
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            back_up_under_load(seed, with_collection);
        }
    }
}

/// Some hundred bytes of each file, or each: nothing wrong is restored.
BOOST_AUTO_TEST_CASE(a_flipped_byte_anywhere_is_found) {
    TestCluster cluster(1);
    MixedWorkload workload(7);
    for (int i = 0; i < 60; ++i) workload.change(cluster.at(0));
    const fs::path backup = cluster.directory() / "backup";
    back_up(cluster.at(0), backup, [&]() { workload.change(cluster.at(0)); });
    constexpr std::uint64_t flips = test::fewer_if_sanitized(300);
    std::size_t files = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(backup)) {
        ++files;
        const std::uint64_t bytes = entry.file_size();
        for (std::uint64_t offset = 0; offset < bytes; offset += 1 + bytes / flips) {
            flip(entry.path(), offset);
            const Result<BackupManifest> verified = verify_backup(backup.string());
            BOOST_TEST(!verified, entry.path() << " byte " << offset);
            flip(entry.path(), offset);
        }
    }
    BOOST_TEST(files > 3U);  // several of rows, one of the log, and the manifest
    must(verify_backup(backup.string()));
}

BOOST_AUTO_TEST_CASE(a_damaged_backup_is_not_restored) {
    TestCluster cluster(1);
    MixedWorkload workload(8);
    for (int i = 0; i < 60; ++i) workload.change(cluster.at(0));
    const fs::path backup = cluster.directory() / "backup";
    back_up(cluster.at(0), backup, [&]() { workload.change(cluster.at(0)); });
    const fs::path data = cluster.directory() / "new";
    RestoreOptions options;
    options.backup = backup.string();
    options.data = data.string();
    for (const fs::directory_entry& entry : fs::directory_iterator(backup)) {
        flip(entry.path(), entry.file_size() / 2);
        fails(restore_backup(options, cluster.env()), Code::corrupt);
        flip(entry.path(), entry.file_size() / 2);
        const std::uint64_t bytes = entry.file_size();
        const fs::path copy = cluster.directory() / "copy";
        fs::copy_file(entry.path(), copy);
        fs::resize_file(entry.path(), bytes - 1);
        fails(restore_backup(options, cluster.env()), Code::corrupt);
        fs::remove(entry.path());
        fails(verify_backup(backup.string()), Code::corrupt);
        fs::rename(copy, entry.path());
    }
    BOOST_TEST(!fs::exists(data));
    BOOST_TEST(!fs::exists(data.string() + ".restoring"));
    must(restore_backup(options, cluster.env()));
    fails(restore_backup(options, cluster.env()), Code::invalid_argument);  // it is not empty now
}

BOOST_AUTO_TEST_CASE(a_backup_that_was_broken_off_is_none) {
    TestCluster cluster(1);
    MixedWorkload workload(9);
    for (int i = 0; i < 60; ++i) workload.change(cluster.at(0));
    const fs::path backup = cluster.directory() / "backup";
    {
        const auto writer = must(BackupWriter::create(backup.string()));
        BackupSource source(cluster.at(0).replica(), 0, small_piece_bytes);
        for (int i = 0; i < 5; ++i) {
            if (const auto piece = must(source.next())) must(writer->write(*piece));
            cluster.at(0).settle();
        }
        BOOST_TEST(!source.finished());
    }
    const Result<BackupManifest> verified = verify_backup(backup.string());
    fails(verified, Code::corrupt);
    BOOST_TEST(verified.error().message.find("not finished") != std::string::npos);
    fails(BackupWriter::create(backup.string()), Code::invalid_argument);
    fails(verify_backup((cluster.directory() / "nowhere").string()), Code::invalid_argument);
}

/// Segments are trimmed after each checkpoint, but not those that a backup has still to copy.
BOOST_AUTO_TEST_CASE(the_log_is_kept_until_it_is_copied) {
    TestCluster cluster(1, [](ReplicaOptions& options) {
        options.log.segment_bytes = 8192;
        options.log_retention.bytes = 8192;
        options.checkpoint_log_bytes = 8192;
    });
    TestReplica& replica = cluster.at(0);
    for (int i = 0; i < 100; ++i) replica.set("key" + std::to_string(i), Bytes(200, 'v'));
    const fs::path backup = cluster.directory() / "backup";
    int writes = 0;
    Position kept = 0;
    back_up(
        replica, backup,
        [&]() {
            for (int i = 0; i < 20; ++i) {
                replica.set("key" + std::to_string(++writes % 150), Bytes(200, 'w'));
            }
            kept = std::max(kept, replica->log().end() - replica->log().base());
        },
        2000);
    BOOST_TEST(kept > 50000U);
    restore(cluster, backup, cluster.directory() / "new");
    for (int i = 0; i < 100; ++i) replica.set("key" + std::to_string(i), Bytes(200, 'v'));
    BOOST_TEST(replica->log().end() - replica->log().base() < 50000U);
}

/// What came with a snapshot is in no log: the copy begins anew.
BOOST_AUTO_TEST_CASE(an_adopted_snapshot_begins_a_backup_anew) {
    TestCluster cluster(2, [](ReplicaOptions& options) {
        options.log.segment_bytes = 4096;
        options.log_retention.bytes = 4096;
        options.checkpoint_log_bytes = 4096;
    });
    for (int i = 0; i < 60; ++i) {
        cluster.at(0).set("a" + std::to_string(i), Bytes(200, 'v'));
        cluster.at(1).set("b" + std::to_string(i), Bytes(200, 'v'));
    }
    const fs::path backup = cluster.directory() / "backup";
    int pieces = 0;
    back_up(cluster.at(0), backup, [&]() {
        if (++pieces == 3) {
            cluster.connect(0, 1);
            cluster.pump();
        }
    });
    BOOST_TEST(cluster.at(0)->stats().sessions_completed > 0U);
    BOOST_TEST(restore(cluster, backup, cluster.directory() / "new").keys == 120U);
}

BOOST_AUTO_TEST_CASE(a_rollback_is_a_cluster_of_its_own_that_holds_all_rights) {
    TestCluster cluster(2);
    cluster.connect(0, 1);
    const auto add = [](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::bounded_increment(txn, "stock", 10));
        return {};
    };
    cluster.at(0).run(add);
    cluster.at(1).run(add);
    cluster.pump();
    cluster.at(0).increment("count", 3);
    const fs::path backup = cluster.directory() / "backup";
    back_up(cluster.at(0), backup);
    const fs::path data = cluster.directory() / "new";
    const Restored restored = restore(cluster, backup, data, RestoreAs::rollback);
    BOOST_TEST((restored.identity.cluster != cluster.at(0)->identity().cluster));
    BOOST_TEST(restored.rights_taken_over == 1U);
    ManualClock clock;
    TestReplica replica(data, restored.identity.cluster, clock);
    must(replica->group().check());
    BOOST_TEST(replica.get("count").value() == "3");
    std::int64_t left = 0;
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(left, operations::bounded_decrement(txn, "stock", 15));
        return {};
    });
    BOOST_TEST(left == 5);
    // Old replicas and this one have nothing to tell each other.
    replica->link_up(77, cluster.at(0)->identity().node);
    cluster.at(0)->link_up(77, replica->identity().node);
    for (const Outgoing& message : replica->committed().messages) {
        cluster.at(0)->receive(77, message.type, message.payload);
    }
    const Committed answer = cluster.at(0)->committed();
    BOOST_REQUIRE_EQUAL(answer.closed.size(), 1U);
    BOOST_TEST(code_name(answer.closed[0].second.code) == "unauthorized");
}

/// The originals go on after the backup; the restored one meets them in any order.
BOOST_AUTO_TEST_CASE(counters_are_never_doubled_by_a_merge) {
    for (int order = 0; order < 6; ++order) {
        TestCluster cluster(3);
        for (std::size_t a = 0; a < 3; ++a) {
            for (std::size_t b = a + 1; b < 3; ++b) cluster.connect(a, b);
        }
        for (std::size_t i = 0; i < 3; ++i) cluster.at(i).increment("count", 10);
        cluster.pump();
        cluster.disconnect(0, 1);
        cluster.disconnect(0, 2);
        cluster.at(0).increment("count", 100);  // of this the others hear through the backup only
        const fs::path backup = cluster.directory() / "backup";
        const BackupManifest manifest =
            back_up(cluster.at(0), backup, [&]() { cluster.at(0).increment("count", 1); });
        // Those between the state of the backup and the end of its making nobody has.
        const Actor actor = cluster.at(0)->actor();
        const auto lost = static_cast<std::int64_t>(cluster.at(0)->group().vv().counter(actor) -
                                                    manifest.vv.counter(actor));
        BOOST_TEST(lost > 0);
        const std::int64_t sum = std::stoll(cluster.at(0).get("count").value());
        cluster.at(1).increment("count", 1000);
        restore(cluster, backup, cluster.directory() / "new");
        cluster.remove(0);  // gone for good; 1 and 2 are now 0 and 1
        BOOST_REQUIRE_EQUAL(cluster.add(cluster.directory() / "new"), 2U);
        if (order % 2 == 0) cluster.at(2).increment("count", 10000);
        if (order < 3) cluster.disconnect(0, 1);
        cluster.connect(order % 3 == 0 ? 0 : 1, 2);
        cluster.pump();
        if (order < 3) cluster.connect(0, 1);
        cluster.connect(order % 3 == 0 ? 1 : 0, 2);
        if (order % 2 == 1) cluster.at(2).increment("count", 10000);
        cluster.pump();
        BOOST_TEST(cluster.difference() == "");
        const std::int64_t merged = std::stoll(cluster.at(0).get("count").value());
        BOOST_TEST(merged == sum + 11000 - lost);
    }
}

/// Other threads write meanwhile; what was acknowledged before the backup is in it.
BOOST_AUTO_TEST_CASE(an_embedded_database_is_backed_up_while_it_is_written) {
    const ScratchDirectory scratch;
    const std::string path = (scratch.path() / "db").string();
    const std::string backup = (scratch.path() / "backup").string();
    const Database db = must(Database::open({.path = path}));
    fails(db.backup(backup), Code::unavailable);  // it holds nothing
    for (int i = 0; i < 200; ++i) {
        must(db.set("set" + std::to_string(i)).add(Bytes(5000, 'm')));
    }
    std::atomic<bool> stop = false;
    std::atomic<int> written = 0;
    std::thread writer([&]() {
        while (!stop && db.counter("count").add(1)) ++written;
    });
    while (written < 10) std::this_thread::yield();
    int pieces = 0;
    fails(db.backup(backup + "-2", [&](const BackupProgress&) { return ++pieces < 2; }),
          Code::unavailable);
    fails(verify_backup(backup + "-2"), Code::corrupt);
    must(db.backup(backup));
    stop = true;
    writer.join();
    must(verify_backup(backup));
    RestoreOptions options;
    options.backup = backup;
    options.data = (scratch.path() / "new").string();
    SystemClock clock;
    SystemRandom random;
    must(restore_backup(options, Env{clock, random}));
    const Database restored = must(Database::open({.path = options.data}));
    const std::int64_t count = must(restored.counter("count").get());
    BOOST_TEST(count >= 10);
    BOOST_TEST(count <= written);
    BOOST_TEST(must(restored.stats()).keys == 201U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
