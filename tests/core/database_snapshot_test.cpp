// Snapshots of an embedded database: one state, read in many calls while others write.
#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/core/database_fixture.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
namespace {

using Rows = std::map<Bytes, Bytes>;

Rows rows_of(const std::vector<std::pair<Bytes, Bytes>>& entries) {
    return {entries.begin(), entries.end()};
}

std::vector<Bytes> sorted(std::vector<Bytes> items) {
    std::sort(items.begin(), items.end());
    return items;
}

std::vector<Bytes> all_keys(const Keyspace& keyspace) {
    std::vector<Bytes> keys;
    std::uint64_t cursor = 0;
    do {
        const KeyPage page = must(keyspace.keys(cursor, 7));
        for (const KeyPage::Entry& entry : page.keys) keys.push_back(entry.key);
        cursor = page.cursor;
    } while (cursor != 0);
    return sorted(std::move(keys));
}

/// What a keyspace holds under the keys of write_all(), as one text.
std::string describe(const Keyspace& space) {
    std::string text;
    const auto note = [&](const std::string& part) { text += part + "; "; };
    note(std::to_string(must(space.counter("counter").get())));
    note(std::to_string(must(space.bounded_counter("stock").get())));
    note(std::to_string(must(space.bounded_counter("stock").rights()).size()));
    note(must(space.flag("flag").enabled()) ? "on" : "off");
    note(must(space.string("string").get()).value_or("-"));
    note(std::to_string(must(space.string("string").siblings()).values.size()));
    for (const Bytes& member : sorted(must(space.set("set").members()))) note(member);
    for (const auto& [field, held] : rows_of(must(space.map("map").entries()))) {
        note(field + "=" + held);
    }
    for (const auto& member : must(space.sorted_set("scores").range(0, 10))) {
        note(member.name + ":" + std::to_string(member.score));
    }
    for (const Bytes& item : must(space.list("list").range(0, -1))) note(item);
    note(must(space.text("text").get()).value_or("-"));
    note(must(space.deadline("string")) ? "ends" : "stays");
    for (const Bytes& key : all_keys(space)) note(key);
    note(std::to_string(must(space.size())));
    return text;
}

void write_all(const Database& db) {
    must(db.counter("counter").add(5));
    must(db.bounded_counter("stock").increment(10));
    must(db.bounded_counter("stock").decrement(3));
    must(db.flag("flag").enable());
    must(db.string("string").set("one"));
    must(db.expire_at("string", std::uint64_t{1} << 50));
    for (const char* member : {"ann", "bob", "cleo"}) must(db.set("set").add(member));
    for (const char* field : {"x", "y"}) must(db.map("map").put(field, "1"));
    must(db.sorted_set("scores").add("ann", 1.5));
    must(db.sorted_set("scores").add("bob", -2));
    must(db.list("list").push_back({"a", "b", "c"}));
    must(db.text("text").append("Größe"));
}

void change_all(const Database& db) {
    must(db.counter("counter").add(1));
    must(db.bounded_counter("stock").decrement(2));
    must(db.flag("flag").disable());
    must(db.string("string").set("two"));
    must(db.set("set").remove("ann"));
    must(db.set("set").add("dan"));
    must(db.map("map").put("x", "2"));
    must(db.map("map").remove("y"));
    must(db.sorted_set("scores").increment("ann", 1));
    must(db.list("list").pop_front());
    must(db.list("list").set(0, "z"));
    must(db.text("text").erase(0, 2));
    must(db.counter("new").add(1));
}

/// What one transaction of a writer did.
struct Step {
    Bytes field;
    std::optional<Bytes> put;  ///< nothing: removed
};

/// Transactions in their order, as the database numbers them.
struct History {
    Result<void> write(const Database& db, const Step& step) {
        return db.batch([&](Batch& batch) -> Result<void> {
            // Batches run alone, so that this is the order of transactions.
            steps.push_back(step);
            SYNCLINE_CHECK(batch.counter("steps").add(1));
            if (step.put) {
                SYNCLINE_CHECK(batch.map("map").put(step.field, *step.put));
                SYNCLINE_CHECK(batch.set("set").add(step.field));
                SYNCLINE_CHECK(batch.string("key " + step.field).set(*step.put));
                return {};
            }
            SYNCLINE_CHECK(batch.map("map").remove(step.field));
            SYNCLINE_CHECK(batch.set("set").remove(step.field));
            SYNCLINE_CHECK(batch.remove("key " + step.field));
            return {};
        });
    }
    /// Precondition: nobody writes.
    [[nodiscard]] Rows after(std::uint64_t count) const {
        Rows rows;
        for (std::size_t i = 0; i < count; ++i) {
            if (steps[i].put) {
                rows[steps[i].field] = *steps[i].put;
            } else {
                rows.erase(steps[i].field);
            }
        }
        return rows;
    }

    std::vector<Step> steps;
};

/// What a snapshot showed.
struct Seen {
    std::uint64_t version = 0;
    std::uint64_t steps = 0;
    Rows rows;
    std::vector<Bytes> members;
    std::vector<Bytes> keys;
    Rows strings;
};

Seen look(const Snapshot& snapshot) {
    Seen seen;
    seen.version = snapshot.version().entries().begin()->second;
    seen.rows = rows_of(must(snapshot.map("map").entries()));
    seen.members = sorted(must(snapshot.set("set").members()));
    seen.keys = all_keys(snapshot);
    for (const auto& [field, held] : seen.rows) {
        seen.strings[field] = must(snapshot.string("key " + field).get()).value_or("-");
    }
    seen.steps = static_cast<std::uint64_t>(must(snapshot.counter("steps").get()));
    return seen;
}

void check_seen(const Seen& seen, const History& history) {
    const Rows expected = history.after(seen.version);
    BOOST_TEST(seen.steps == seen.version);
    BOOST_TEST((seen.rows == expected));
    BOOST_TEST((seen.strings == expected));
    std::vector<Bytes> members;
    std::vector<Bytes> keys{"map", "set", "steps"};
    for (const auto& [field, held] : expected) {
        members.push_back(field);
        keys.push_back("key " + field);
    }
    BOOST_TEST((seen.members == members));
    BOOST_TEST((seen.keys == sorted(std::move(keys))));
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(database_snapshot, DatabaseFixture)

BOOST_AUTO_TEST_CASE(every_type_stays_as_it_was) {
    write_all(db);
    const std::string before = describe(db);
    const Snapshot snapshot = must(db.snapshot());
    BOOST_TEST(describe(snapshot) == before);
    change_all(db);
    BOOST_TEST(describe(snapshot) == before);
    BOOST_TEST(describe(db) != before);
    for (const Bytes& key : all_keys(db)) (void)db.remove(key);  // the bounded counter stays
    BOOST_TEST(describe(snapshot) == before);
    BOOST_TEST((snapshot.version() != must(db.stats()).version));
    BOOST_TEST(must(db.size()) == 1U);
}

BOOST_AUTO_TEST_CASE(it_shows_the_state_of_its_version_while_threads_write) {
    const std::uint64_t seed = test::seeds(1).front();
    BOOST_TEST_MESSAGE("seed " << seed);
    History history;
    for (int i = 0; i < 60; ++i) must(history.write(db, Step{"f" + std::to_string(i), "first"}));
    std::atomic<bool> ending = false;
    std::atomic<int> failures = 0;
    std::vector<std::thread> writers;
    for (std::uint64_t number = 0; number < 3; ++number) {
        writers.emplace_back([&, number]() {
            test::SeededRandom random(seed + number);
            for (std::uint64_t i = 0; !ending; ++i) {
                Step step{"f" + std::to_string(random.below(90)), std::nullopt};
                if (random.below(3) > 0)
                    step.put = std::to_string(number) + "." + std::to_string(i);
                if (!history.write(db, step)) ++failures;
            }
        });
    }
    std::vector<std::pair<Seen, Seen>> looks;
    for (int round = 0; round < 10; ++round) {
        const Snapshot snapshot = must(db.snapshot());
        Seen first = look(snapshot);
        looks.emplace_back(std::move(first), look(snapshot));
    }
    ending = true;
    for (std::thread& writer : writers) writer.join();
    BOOST_TEST(failures == 0);
    std::uint64_t last = 0;
    for (const auto& [first, second] : looks) {
        check_seen(first, history);
        check_seen(second, history);
        BOOST_TEST(second.version == first.version);
        BOOST_TEST(first.version >= last);
        last = first.version;
    }
    BOOST_TEST(looks.back().first.version > 60U);
}

BOOST_AUTO_TEST_CASE(it_holds_all_that_was_written_before) {
    for (std::int64_t i = 1; i <= 20; ++i) {
        must(db.counter("n").add(1));
        const Snapshot snapshot = must(db.snapshot());
        BOOST_TEST(must(snapshot.counter("n").get()) == i);
    }
}

BOOST_AUTO_TEST_CASE(snapshots_of_one_state_share_it_and_a_later_one_waits) {
    DatabaseOptions options{.path = path("eager")};
    options.checkpoint_interval_ms = 0;
    db = open(options);
    must(db.string("k").set("one"));
    std::optional<Snapshot> first = must(db.snapshot());
    std::optional<Snapshot> second = must(db.snapshot());
    const std::uint64_t checkpoints = must(db.stats()).checkpoints;
    BOOST_TEST((first->version() == second->version()));
    first.reset();
    BOOST_TEST(must(second->string("k").get()).value() == "one");
    must(db.string("k").set("two"));
    std::atomic<bool> begun = false;
    Result<Snapshot> later = Error{Code::unavailable, "nothing yet"};
    std::thread waiting([&]() {
        begun = true;
        later = db.snapshot();
    });
    while (!begun) std::this_thread::yield();
    for (int i = 0; i < 100; ++i) BOOST_TEST(must(second->string("k").get()).value() == "one");
    BOOST_TEST(must(db.stats()).checkpoints == checkpoints);
    second.reset();
    waiting.join();
    BOOST_REQUIRE(later);
    BOOST_TEST(must(later->string("k").get()).value() == "two");
}

BOOST_AUTO_TEST_CASE(it_ends_when_much_was_written_and_checkpoints_go_on) {
    DatabaseOptions options{.path = path("small")};
    options.snapshot_bytes_max = 100'000;
    options.checkpoint_interval_ms = 0;
    const Database small = open(options);
    must(small.string("k").set("one"));
    const Snapshot snapshot = must(small.snapshot());
    const std::uint64_t checkpoints = must(small.stats()).checkpoints;
    // One key again and again: the log grows, and memory does not.
    int writes = 0;
    while (must(small.stats()).checkpoints == checkpoints) {
        BOOST_REQUIRE_LT(++writes, 10'000);
        must(small.string("k").set(Bytes(1000, 'v')));
    }
    BOOST_TEST(writes > 50);
    const Result<std::optional<Bytes>> read = snapshot.string("k").get();
    fails(read, Code::unavailable);
    BOOST_TEST(read.error().message.find("100000 bytes were written") != std::string::npos);
    BOOST_TEST(must(must(small.snapshot()).string("k").get()).value() == Bytes(1000, 'v'));
}

BOOST_AUTO_TEST_CASE(it_ends_when_its_time_is_over) {
    DatabaseOptions options{.path = path("short")};
    options.snapshot_ms_max = 0;
    const Database hasty = open(options);
    must(hasty.string("k").set("one"));
    const Snapshot snapshot = must(hasty.snapshot());
    Result<std::optional<Bytes>> read = snapshot.string("k").get();
    while (read) read = snapshot.string("k").get();
    fails(read, Code::unavailable);
    BOOST_TEST(read.error().message.find("held for more than 0.0 s") != std::string::npos);
    BOOST_TEST(snapshot.version().entries().size() == 1U);
    // The checkpoint that waited is made.
    must(hasty.string("k").set("two"));
    const Result<Snapshot> other = hasty.snapshot();
    BOOST_TEST(other.has_value());
}

BOOST_AUTO_TEST_CASE(a_database_can_be_closed_and_opened_again_beside_it) {
    must(db.string("k").set("one"));
    Snapshot snapshot = must(db.snapshot());
    const StringHandle handle = snapshot.string("k");
    must(db.string("k").set("two"));
    reopen();
    fails(handle.get(), Code::unavailable);
    fails(snapshot.string("k").get(), Code::unavailable);
    BOOST_TEST(must(db.string("k").get()).value() == "two");
    snapshot = must(db.snapshot());
    BOOST_TEST(must(snapshot.string("k").get()).value() == "two");
    { const Database gone = std::move(db); }
    fails(snapshot.string("k").get(), Code::unavailable);
    db = open();
}

BOOST_AUTO_TEST_CASE(whoever_waits_for_one_is_told_when_the_database_is_closed) {
    must(db.string("k").set("one"));
    const Snapshot snapshot = must(db.snapshot());
    must(db.string("k").set("two"));
    Result<void> waited;
    std::thread waiting([&]() {
        const Result<Snapshot> later = db.snapshot();
        if (!later) waited = later.error();
    });
    must(db.close());
    waiting.join();
    // Whether it waited or came too late, it was not left alone.
    fails(waited, Code::unavailable);
}

BOOST_AUTO_TEST_CASE(handles_end_with_the_snapshot_that_made_them) {
    must(db.string("k").set("one"));
    std::optional<Snapshot> snapshot = must(db.snapshot());
    const StringHandle handle = snapshot->string("k");
    Snapshot moved = std::move(*snapshot);
    snapshot.reset();
    BOOST_TEST(must(handle.get()).value() == "one");
    moved.release();
    moved.release();
    fails(handle.get(), Code::unavailable);
}

BOOST_AUTO_TEST_CASE(it_cannot_write_and_keeps_to_the_rules_of_callbacks) {
    must(db.string("k").set("one"));
    std::optional<Snapshot> snapshot = must(db.snapshot());
    fails(snapshot->string("k").set("two"), Code::invalid_argument);
    fails(snapshot->counter("n").add(1), Code::invalid_argument);
    fails(snapshot->remove("k"), Code::invalid_argument);
    fails(snapshot->counter("k").get(), Code::invalid_argument);  // no number
    fails(snapshot->set("k").members(), Code::wrong_type);
    must(db.batch([&](Batch& batch) -> Result<void> {
        fails(db.snapshot(), Code::unavailable);
        fails(snapshot->string("k").get(), Code::unavailable);
        snapshot.reset();
        return batch.string("k").set("three");
    }));
    BOOST_TEST(must(must(db.snapshot()).string("k").get()).value() == "three");
}

BOOST_AUTO_TEST_CASE(keys_have_ended_that_had_when_it_was_taken) {
    must(db.string("gone").set("x"));
    must(db.expire("gone", std::chrono::milliseconds(0)));
    // On a slow machine the key may end before the snapshot is taken: then with more time.
    for (int ms = 100;; ms *= 2) {
        BOOST_REQUIRE_LT(ms, 100'000);
        must(db.string("going").set("x"));
        must(db.expire("going", std::chrono::milliseconds(ms)));
        const Snapshot snapshot = must(db.snapshot());
        BOOST_TEST(!must(snapshot.exists("gone")));
        if (!must(snapshot.exists("going"))) continue;
        while (must(db.exists("going"))) std::this_thread::yield();
        BOOST_TEST(must(snapshot.string("going").get()).value() == "x");
        BOOST_TEST(!must(must(db.snapshot()).exists("going")));
        break;
    }
}

BOOST_AUTO_TEST_CASE(nothing_can_be_shown_before_the_first_write) {
    fails(db.snapshot(), Code::unavailable);
}

BOOST_AUTO_TEST_CASE(collections_are_read_in_slices) {
    constexpr std::size_t count = 2000;  // two full slices of a snapshot, and an empty one
    std::vector<Bytes> names;
    must(db.batch([&](Batch& batch) -> Result<void> {
        for (std::size_t i = 0; i < count; ++i) {
            // Some so long that their rows are hashed.
            names.push_back(Bytes(i % 10 == 0 ? 600 : 3, 'n') + std::to_string(i));
            SYNCLINE_CHECK(batch.set("set").add(names.back()));
            SYNCLINE_CHECK(batch.map("map").put(names.back(), std::to_string(i)));
        }
        return {};
    }));
    const Snapshot snapshot = must(db.snapshot());
    std::sort(names.begin(), names.end());
    BOOST_TEST((sorted(must(snapshot.set("set").members())) == names));
    BOOST_TEST(must(snapshot.map("map").entries()).size() == count);
    BOOST_TEST((must(snapshot.set("set").members()) == must(db.set("set").members())));
    // By hand, from the database itself, while members go.
    const SetHandle set = db.set("set");
    std::vector<Bytes> met;
    for (std::vector<Bytes> slice = must(set.members(std::nullopt, 300)); !slice.empty();) {
        met.insert(met.end(), slice.begin(), slice.end());
        must(set.remove(slice.back()));
        slice = must(set.members(slice.back(), 300));
    }
    BOOST_TEST((sorted(std::move(met)) == names));
    const auto entries = must(db.map("map").entries(std::nullopt, 7));
    BOOST_REQUIRE_EQUAL(entries.size(), 7U);
    BOOST_TEST((must(db.map("map").entries(entries[2].first, 4)) ==
                std::vector(entries.begin() + 3, entries.end())));
    BOOST_TEST(must(set.members(std::nullopt, 0)).empty());
    fails(db.map("set").entries(std::nullopt, 1), Code::wrong_type);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
