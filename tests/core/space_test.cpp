/// Map and disk that fill up: when the gate closes, what still passes, and that memory stays
/// bounded.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "core/database.hpp"
#include "core/engine/space_gate.hpp"
#include "core/engine/storage_jobs.hpp"
#include "tests/storage/memory_disk.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(space)
namespace {

constexpr std::uint64_t mib = limits::mib;

SpaceUse use_of(std::uint64_t used_mib, std::uint64_t free_mib, std::uint64_t total_mib) {
    SpaceUse use;
    use.base.file_bytes = used_mib * mib;
    use.disk = DiskSpace{total_mib * mib, free_mib * mib};
    return use;
}

std::string state(const SpaceGate& gate) {
    return std::string(name_of(gate.closed())) + (gate.disk_low() ? " low" : "") +
           (gate.pressed() ? " pressed" : "") + (gate.tight() ? " tight" : "");
}

Result<void> execute(Replica& replica, const std::function<Result<void>(Transaction&)>& body) {
    Client client{1, 0};
    return replica.execute(client, [&](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_CHECK(body(txn));
        return Bytes("done");
    });
}

Result<void> put(Replica& replica, const Bytes& key, std::size_t bytes) {
    return execute(replica, [&](Transaction& txn) {
        return operations::string_set(txn, key, Bytes(bytes, 'v'));
    });
}

Result<void> clear(Replica& replica, const Bytes& key) {
    return execute(replica, [&](Transaction& txn) -> Result<void> {
        txn.clear(key);
        return {};
    });
}

bool no_space(const Result<void>& result) {
    return !result && result.error().code == Code::no_space;
}

/// A base that has no room for commits as long as it is told so.
class FullBase final : public Base {
public:
    explicit FullBase(std::unique_ptr<Base> base) : base_(std::move(base)) {}
    Result<std::optional<Bytes>> get(Table table, BytesView key) override {
        return base_->get(table, key);
    }
    Result<std::optional<BytesView>> view(Table table, BytesView key) override {
        return base_->view(table, key);
    }
    using Base::commit;
    using Base::scan;
    Result<void> scan(Table table, BytesView from, BytesView to, const RowVisitor& visit) override {
        return base_->scan(table, from, to, visit);
    }
    Result<void> scan_reverse(Table table, BytesView from, BytesView to,
                              const RowVisitor& visit) override {
        return base_->scan_reverse(table, from, to, visit);
    }
    Result<void> commit(const BaseChangeViews& changes,
                        const std::vector<ErasedRange>& erased) override {
        if (full) return Error{Code::no_space, "test: no room"};
        return base_->commit(changes, erased);
    }
    Result<void> purge(const std::vector<Purge>& purges) override {
        if (full) return Error{Code::no_space, "test: no room"};
        return base_->purge(purges);
    }
    void end_turn() override { base_->end_turn(); }

    std::atomic<bool> full = false;

private:
    std::unique_ptr<Base> base_;
};

/// A replica on a disk in memory whose jobs run on the storage threads, as a server's do.
struct Threaded {
    explicit Threaded(const std::function<void(ReplicaOptions&)>& adjust = {}) {
        ReplicaOptions options;
        options.identity.node_id = 1;
        options.identity.node = random_uuid(random);
        options.identity.cluster = random_uuid(random);
        options.leaf_bits = 8;
        options.log.segment_bytes = 64 * limits::kib;
        if (adjust) adjust(options);
        auto opened = open_lmdb_base((scratch.path() / "base").string(), {.map_bytes = mib});
        BOOST_REQUIRE(opened.has_value());
        base = std::make_unique<FullBase>(std::move(*opened));
        auto made = Replica::open(options, Env{clock, random}, disk, *base);
        BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
        replica = std::move(*made);
    }

    /// One turn of a server; true when a job had ended.
    void turn() {
        clock.now_ms += 10;
        jobs.start(*replica);
        for (const Reply& reply : replica->committed().replies)
            if (!reply.bytes.empty()) ++replies;
    }
    /// Waits for the end of a job, or for one that tells that it waits for space.
    void wait() {
        std::unique_lock lock(mutex);
        woken.wait(lock, [this]() { return wakes > 0; });
        wakes = 0;
        lock.unlock();
        jobs.collect();
    }
    void settle() {
        for (turn(); !jobs.idle(); turn()) wait();
    }

    ScratchDirectory scratch;
    ManualClock clock;
    SystemRandom random;
    MemoryDisk disk;
    std::unique_ptr<FullBase> base;
    std::unique_ptr<Replica> replica;
    std::size_t replies = 0;
    std::mutex mutex;
    std::condition_variable woken;
    int wakes = 0;
    StorageJobs jobs{[this]() {
        const std::lock_guard lock(mutex);
        ++wakes;
        woken.notify_one();
    }};
};

}  // namespace

BOOST_AUTO_TEST_CASE(gate_closes_at_85_percent_of_the_map_and_opens_at_80) {
    SpaceGate gate(SpaceOptions{100 * mib, 85});
    const std::pair<std::uint64_t, const char*> steps[] = {{10, "none"}, {84, "none"}, {85, "map"},
                                                           {90, "map"},  {81, "map"},  {79, "none"},
                                                           {84, "none"}};
    for (const auto& [used, expected] : steps) {
        gate.look(use_of(used, 0, 0));
        BOOST_TEST(state(gate) == expected, "at " << used << " MiB: " << state(gate));
    }
    // Pages that hold nothing do not count.
    SpaceUse use = use_of(95, 0, 0);
    use.base.free_bytes = 20 * mib;
    gate.look(use);
    BOOST_TEST(state(gate) == "none");
    gate.set_map_bytes(80 * mib);
    gate.look(use);
    BOOST_TEST(state(gate) == "map");
    BOOST_TEST(
        gate.error().message ==
        "the data fill 75 MiB of the 80 MiB that map-bytes allows; removals are still taken");
    BOOST_TEST(code_name(gate.error().code) == "no_space");
}

BOOST_AUTO_TEST_CASE(gate_closes_at_85_percent_of_a_small_disk) {
    SpaceGate gate(SpaceOptions{});
    const std::pair<std::uint64_t, const char*> steps[] = {
        {100, "none"},    {19, "none"},     {18, "none low"}, {15, "none low"}, {14, "disk low"},
        {15, "disk low"}, {18, "disk low"}, {19, "none"},     {16, "none low"}};
    for (const auto& [free, expected] : steps) {
        gate.look(use_of(10, free, 100));
        BOOST_TEST(state(gate) == expected, "with " << free << " MiB free: " << state(gate));
    }
    // Of a large disk a few GiB are enough, and what the base can use again counts as free.
    gate.look(use_of(10, 6000, 1000000));
    BOOST_TEST(state(gate) == "none");
    gate.look(use_of(10, 4000, 1000000));
    BOOST_TEST(state(gate) == "disk low");
    SpaceUse use = use_of(5000, 3000, 1000000);
    use.base.free_bytes = 3000 * mib;
    gate.look(use);
    BOOST_TEST(state(gate) == "none low");
    // Nothing known: nothing refused.
    gate.look(use_of(10, 0, 0));
    BOOST_TEST(state(gate) == "none");
}

BOOST_AUTO_TEST_CASE(gate_presses_for_checkpoints_that_still_fit) {
    SpaceGate gate(SpaceOptions{});
    SpaceUse use = use_of(100, 40, 100);
    use.active = {5 * mib, 1000};
    BOOST_TEST(SpaceGate::checkpoint_bytes(use) == 5 * mib + 1000 * 8192);
    gate.look(use);
    BOOST_TEST(state(gate) == "none");
    use.active.rows = 3000;
    gate.look(use);
    BOOST_TEST(state(gate) == "none pressed");
    use.active.rows = 6000;
    gate.look(use);
    BOOST_TEST(state(gate) == "none pressed tight");
    // Pages that are free in the base serve as well.
    use.base.file_bytes += 100 * mib;
    use.base.free_bytes = 100 * mib;
    gate.look(use);
    BOOST_TEST(state(gate) == "none");
    // The second checkpoint writes the pages of the first anew.
    use = use_of(0, 40, 100);
    use.flushing = {8 * mib, 8000};
    use.active = {2 * mib, 2000};
    BOOST_TEST(SpaceGate::checkpoint_bytes(use) == (8 + 8 + 2) * mib + 2000 * 8192);
}

BOOST_AUTO_TEST_CASE(gate_is_asked_again_before_removals_fill_what_is_left) {
    SpaceGate gate(SpaceOptions{});
    SpaceUse use = use_of(100, 16, 1000);
    use.active = {mib, 1000};
    gate.look(use);
    BOOST_TEST(!gate.outdated({mib, 1128}));  // 128 rows of two pages are a MiB
    BOOST_TEST(gate.outdated({mib, 1129}));
    // A checkpoint has begun with the thousand.
    BOOST_TEST(!gate.outdated({0, 128}));
    BOOST_TEST(gate.outdated({0, 129}));
    gate.look(use_of(100, 0, 0));
    BOOST_TEST(!gate.outdated({mib, 1000000}));
}

BOOST_AUTO_TEST_CASE(removals_behind_a_waiting_checkpoint_are_bounded) {
    SpaceGate gate(SpaceOptions{});
    gate.look(use_of(100, 0, 1024));  // a reserve of 64 MiB
    BOOST_TEST(!gate.removals_full({0, 2048}));
    BOOST_TEST(gate.removals_full({0, 2049}));
    BOOST_TEST(gate.removals_full({17 * mib, 1}));
    gate.look(use_of(100, 0, 0));
    BOOST_TEST(!gate.removals_full({17 * mib, 1000000}));
}

BOOST_AUTO_TEST_CASE(small_disks_get_small_pieces) {
    BOOST_TEST(log_segment_bytes({}) == limits::log_segment_bytes);
    BOOST_TEST(log_segment_bytes({40 * mib, 0}) == 512 * limits::kib);
    BOOST_TEST(log_segment_bytes({1024 * mib, 0}) == 16 * mib);
    BOOST_TEST(log_segment_bytes({1024 * 1024 * mib, 0}) == 16 * mib);
    BOOST_TEST(base_reserve_bytes({}) == 0U);
    BOOST_TEST(base_reserve_bytes({40 * mib, 0}) == 40 * mib / 16);
    BOOST_TEST(base_reserve_bytes({1024 * 1024 * mib, 0}) == 64 * mib);
}

BOOST_AUTO_TEST_CASE(full_map_takes_removals_and_opens_again_by_them_or_by_its_setting) {
    TestCluster cluster(1, [](ReplicaOptions& options) { options.space.map_bytes = 4 * mib; });
    TestReplica& one = cluster.at(0);
    Replica& replica = one.replica();
    int keys = 0;
    Result<void> last;
    for (; last && keys < 2000; ++keys) {
        last = put(replica, "key " + std::to_string(keys), 4000);
        replica.request_checkpoint();
        one.settle();
        (void)replica.committed();
    }
    BOOST_TEST(no_space(last));
    BOOST_TEST(replica.limited_by_map());
    BOOST_TEST((replica.space().use().base.used_bytes() >= 4 * mib * 85 / 100));
    BOOST_TEST((replica.space().use().base.used_bytes() < 4 * mib * 90 / 100));
    BOOST_TEST(replica.stats().writes_refused == 1U);
    --keys;
    BOOST_TEST(one.get("key 0").has_value());
    BOOST_TEST(!one.get("key " + std::to_string(keys)).has_value());
    // What ends by itself may be told to, and increments are additions.
    BOOST_TEST(execute(replica, [&](Transaction& txn) {
                   return txn.put("key 1", CellType::expiry, std::nullopt, Bytes(8, '\1'));
               }).has_value());
    BOOST_TEST(no_space(execute(replica, [](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::string_increment(txn, "n", 1));
        return {};
    })));
    replica.set_map_bytes(8 * mib);
    BOOST_TEST(put(replica, "more", 4000).has_value());
    replica.set_map_bytes(4 * mib);
    BOOST_TEST(no_space(put(replica, "still more", 4000)));
    for (int key = 0; key < keys / 5; ++key) {
        BOOST_REQUIRE(clear(replica, "key " + std::to_string(key)).has_value());
    }
    replica.request_checkpoint();
    one.settle();
    BOOST_TEST(put(replica, "at last", 4000).has_value());
    one.settle();
    one.restart();
    BOOST_TEST(one.get("at last").has_value());
    BOOST_TEST(one.get("more").has_value());
    BOOST_TEST(!one.get("key 2").has_value());
}

BOOST_AUTO_TEST_CASE(full_replica_still_takes_what_peers_wrote) {
    TestCluster cluster(2, [](ReplicaOptions& options) { options.leaf_bits = 8; });
    for (int key = 0; key < 50; ++key)
        cluster.at(0).set("a " + std::to_string(key), Bytes(4000, 'v'));
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    cluster.at(0)->set_map_bytes(mib / 16);
    BOOST_TEST(no_space(put(cluster.at(0).replica(), "refused", 10)));
    cluster.at(1).set("b", "value");
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(0).get("b").value() == "value");
}

BOOST_AUTO_TEST_CASE(peers_events_wait_while_the_overlay_is_full) {
    constexpr std::size_t overlay_max = 256 * limits::kib;
    constexpr std::size_t batch = 16 * limits::kib;
    TestCluster cluster(2, [](ReplicaOptions& options) {
        options.overlay_bytes_max = overlay_max;
        options.batch_bytes_target = batch;
        options.checkpoint_interval_ms = 1000;
        options.leaf_bits = 8;
    });
    for (int key = 0; key < 500; ++key)
        cluster.at(0).set("k" + std::to_string(key), Bytes(4000, 'v'));
    std::size_t largest = 0;
    cluster.filter = [&](std::size_t, std::size_t to, std::uint8_t, Bytes&) {
        if (to == 1) {
            largest = std::max(largest, cluster.at(1)->group().store().overlay_bytes());
        }
        return true;
    };
    cluster.connect(0, 1);
    cluster.pump(60000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(1)->stats().events_applied == 500U);
    BOOST_TEST(largest > overlay_max / 2);
    BOOST_TEST(largest < overlay_max + 4 * batch);
}

BOOST_AUTO_TEST_CASE(checkpoint_without_room_waits_and_refuses_what_adds) {
    Threaded one;
    BOOST_REQUIRE(put(*one.replica, "before", 100));
    BOOST_REQUIRE(put(*one.replica, "removed", 100));
    one.replica->request_checkpoint();
    one.settle();
    one.base->full = true;
    BOOST_REQUIRE(put(*one.replica, "waits", 100));
    one.replica->request_checkpoint();
    while (!one.replica->waits_for_space()) {
        one.turn();
        one.wait();
    }
    BOOST_TEST(!one.replica->failure().has_value());
    BOOST_TEST(one.replies == 3U);  // the log has it: it is acknowledged
    BOOST_TEST(!one.replica->overloaded());
    BOOST_TEST(no_space(put(*one.replica, "refused", 1)));
    BOOST_TEST(clear(*one.replica, "removed").has_value());
    one.base->full = false;
    one.settle();
    BOOST_TEST(!one.replica->waits_for_space().has_value());
    BOOST_TEST(put(*one.replica, "after", 1).has_value());
    one.settle();
    BOOST_TEST(one.replies == 5U);
}

BOOST_AUTO_TEST_CASE(overlay_stays_bounded_while_a_checkpoint_waits) {
    constexpr std::size_t overlay_max = 64 * limits::kib;
    Threaded one([](ReplicaOptions& options) { options.overlay_bytes_max = overlay_max; });
    for (int key = 0; key < 1000; ++key) {
        BOOST_REQUIRE(put(*one.replica, "key " + std::to_string(key), 1));
    }
    BOOST_TEST(one.replica->overloaded());  // a client would not be asked for more
    one.replica->request_checkpoint();
    one.base->full = true;
    while (!one.replica->waits_for_space()) {
        one.turn();
        one.wait();
    }
    BOOST_TEST(!one.replica->overloaded());  // reads must go on
    BOOST_TEST(no_space(clear(*one.replica, "key 1")));
    one.base->full = false;
    one.settle();
    BOOST_TEST(clear(*one.replica, "key 1").has_value());
}

BOOST_AUTO_TEST_CASE(full_log_takes_removals_while_they_fit_and_goes_on_with_room) {
    Threaded one;
    BOOST_REQUIRE(put(*one.replica, "first", 100));
    one.settle();
    one.disk.set_capacity(64 * limits::kib);  // the segment that is there
    int keys = 0;
    for (; !one.replica->log().short_of_space(); ++keys) {
        BOOST_REQUIRE(keys < 100);
        BOOST_REQUIRE(put(*one.replica, "key " + std::to_string(keys), 1000));
        one.settle();
        // The next segment is tried after the reply, on a thread of its own: a write that comes
        // before that is known would wait for room, and so would this test.
        if (keys > 33) one.jobs.start(*one.replica);
        const auto late = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
        while (keys > 33 && !one.replica->log().short_of_space() &&
               std::chrono::steady_clock::now() < late) {
            std::this_thread::yield();
        }
    }
    BOOST_TEST(no_space(put(*one.replica, "refused", 1)));
    BOOST_TEST(!one.replica->limited_by_map());
    Result<void> removed;
    int count = 0;
    for (; removed && count < 1000; ++count) {
        removed = clear(*one.replica, count % 2 == 0 ? "first" : "key 1");
        if (removed) removed = clear(*one.replica, "key " + std::to_string(2 + count));
        one.turn();
    }
    BOOST_TEST(count > 10);
    one.disk.set_capacity(mib);
    while (one.replica->log().short_of_space()) {
        one.clock.now_ms += limits::space_retry_ms;
        one.settle();
    }
    BOOST_TEST(put(*one.replica, "after", 1000).has_value());
    one.settle();
    BOOST_TEST(one.replica->log().durable() == one.replica->log().end());
}

BOOST_AUTO_TEST_CASE(embedded_database_answers_no_space_and_takes_removals) {
    const ScratchDirectory scratch;
    DatabaseOptions options;
    options.path = (scratch.path() / "db").string();
    options.map_bytes = 8 * mib;  // of which the sums of buckets take a share
    options.checkpoint_interval_ms = 1;
    Result<Database> db = Database::open(options);
    BOOST_REQUIRE(db.has_value());
    const auto key_of = [](int number) { return "key " + std::to_string(number); };
    int keys = 0;
    Result<void> last;
    while (last && keys < 2000) {
        last = db->string(key_of(keys)).set(Bytes(4000, 'v'));
        if (last) ++keys;
    }
    BOOST_TEST(no_space(last));
    BOOST_TEST(keys > 100);
    BOOST_TEST(db->string(key_of(0)).get()->has_value());
    BOOST_TEST(!*db->exists(key_of(keys)));
    const Result<void> both = db->batch([&](Batch& batch) -> Result<void> {
        SYNCLINE_CHECK(batch.remove(key_of(0)));
        return batch.string("new").set("x");
    });
    BOOST_TEST(no_space(both));
    BOOST_TEST(*db->exists(key_of(0)));
    for (int number = 0; number < keys * 3 / 4; ++number) {
        BOOST_REQUIRE(db->remove(key_of(number)).value());
    }
    // The gate opens with the checkpoint of the removals, on another thread.
    bool taken = false;
    for (int attempt = 0; !taken && attempt < 1'000'000; ++attempt) {
        last = db->string("new").set("y");
        taken = last.has_value();
        if (!taken) std::this_thread::yield();
    }
    BOOST_TEST(taken, keys << " keys: " << (last ? "" : last.error().message));
    BOOST_TEST(db->close().has_value());
    db = Database::open(options);
    BOOST_REQUIRE(db.has_value());
    BOOST_TEST(db->string("new").get()->value() == "y");
    BOOST_TEST(db->size().value() == static_cast<std::uint64_t>(keys - keys * 3 / 4 + 1));
}

BOOST_AUTO_TEST_CASE(long_turns_are_counted) {
    Threaded one;
    BOOST_REQUIRE(put(*one.replica, "key", 1));
    one.clock.now_ms += limits::turn_ms_max;
    (void)one.replica->committed();
    BOOST_TEST(one.replica->stats().turns_long == 0U);
    BOOST_TEST(one.replica->stats().turn_ms_max == limits::turn_ms_max);
    one.clock.now_ms += 10 * limits::turn_ms_max;  // between turns
    BOOST_REQUIRE(put(*one.replica, "key", 1));
    one.clock.now_ms += limits::turn_ms_max + 1;
    (void)one.replica->committed();
    BOOST_TEST(one.replica->stats().turns_long == 1U);
    BOOST_TEST(one.replica->stats().turn_ms_max == limits::turn_ms_max + 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
