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
        const KeyPage page = value(keyspace.keys(cursor, 7));
        for (const KeyPage::Entry& entry : page.keys) keys.push_back(entry.key);
        cursor = page.cursor;
    } while (cursor != 0);
    return sorted(std::move(keys));
}

/// What a keyspace holds under the keys of write_all(), as one text.
std::string describe(const Keyspace& space) {
    std::string text;
    const auto note = [&](const std::string& part) { text += part + "; "; };
    note(std::to_string(value(space.counter("counter").get())));
    note(std::to_string(value(space.bounded_counter("stock").get())));
    note(std::to_string(value(space.bounded_counter("stock").rights()).size()));
    note(value(space.flag("flag").enabled()) ? "on" : "off");
    note(value(space.string("string").get()).value_or("-"));
    note(std::to_string(value(space.string("string").siblings()).values.size()));
    for (const Bytes& member : sorted(value(space.set("set").members()))) note(member);
    for (const auto& [field, held] : rows_of(value(space.map("map").entries()))) {
        note(field + "=" + held);
    }
    for (const auto& member : value(space.sorted_set("scores").range(0, 10))) {
        note(member.name + ":" + std::to_string(member.score));
    }
    for (const Bytes& item : value(space.list("list").range(0, -1))) note(item);
    note(value(space.text("text").get()).value_or("-"));
    note(value(space.deadline("string")) ? "ends" : "stays");
    for (const Bytes& key : all_keys(space)) note(key);
    note(std::to_string(value(space.size())));
    return text;
}

void write_all(const Database& db) {
    value(db.counter("counter").add(5));
    value(db.bounded_counter("stock").increment(10));
    value(db.bounded_counter("stock").decrement(3));
    value(db.flag("flag").enable());
    done(db.string("string").set("one"));
    value(db.expire_at("string", std::uint64_t{1} << 50));
    for (const char* member : {"ann", "bob", "cleo"}) value(db.set("set").add(member));
    for (const char* field : {"x", "y"}) value(db.map("map").put(field, "1"));
    value(db.sorted_set("scores").add("ann", 1.5));
    value(db.sorted_set("scores").add("bob", -2));
    value(db.list("list").push_back({"a", "b", "c"}));
    value(db.text("text").append("Größe"));
}

void change_all(const Database& db) {
    value(db.counter("counter").add(1));
    value(db.bounded_counter("stock").decrement(2));
    value(db.flag("flag").disable());
    done(db.string("string").set("two"));
    value(db.set("set").remove("ann"));
    value(db.set("set").add("dan"));
    value(db.map("map").put("x", "2"));
    value(db.map("map").remove("y"));
    value(db.sorted_set("scores").increment("ann", 1));
    value(db.list("list").pop_front());
    done(db.list("list").set(0, "z"));
    value(db.text("text").erase(0, 2));
    value(db.counter("new").add(1));
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
    seen.rows = rows_of(value(snapshot.map("map").entries()));
    seen.members = sorted(value(snapshot.set("set").members()));
    seen.keys = all_keys(snapshot);
    for (const auto& [field, held] : seen.rows) {
        seen.strings[field] = value(snapshot.string("key " + field).get()).value_or("-");
    }
    seen.steps = static_cast<std::uint64_t>(value(snapshot.counter("steps").get()));
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
    const Snapshot snapshot = value(db.snapshot());
    BOOST_TEST(describe(snapshot) == before);
    change_all(db);
    BOOST_TEST(describe(snapshot) == before);
    BOOST_TEST(describe(db) != before);
    for (const Bytes& key : all_keys(db)) (void)db.remove(key);  // the bounded counter stays
    BOOST_TEST(describe(snapshot) == before);
    BOOST_TEST((snapshot.version() != value(db.stats()).version));
    BOOST_TEST(value(db.size()) == 1U);
}

BOOST_AUTO_TEST_CASE(it_shows_the_state_of_its_version_while_threads_write) {
    const std::uint64_t seed = test::seeds(1).front();
    BOOST_TEST_MESSAGE("seed " << seed);
    History history;
    for (int i = 0; i < 60; ++i) done(history.write(db, Step{"f" + std::to_string(i), "first"}));
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
        const Snapshot snapshot = value(db.snapshot());
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
        value(db.counter("n").add(1));
        const Snapshot snapshot = value(db.snapshot());
        BOOST_TEST(value(snapshot.counter("n").get()) == i);
    }
}

BOOST_AUTO_TEST_CASE(snapshots_of_one_state_share_it_and_a_later_one_waits) {
    DatabaseOptions options{.path = path("eager")};
    options.checkpoint_interval_ms = 0;
    db = open(options);
    done(db.string("k").set("one"));
    std::optional<Snapshot> first = value(db.snapshot());
    std::optional<Snapshot> second = value(db.snapshot());
    const std::uint64_t checkpoints = value(db.stats()).checkpoints;
    BOOST_TEST((first->version() == second->version()));
    first.reset();
    BOOST_TEST(value(second->string("k").get()).value() == "one");
    done(db.string("k").set("two"));
    std::atomic<bool> begun = false;
    Result<Snapshot> later = Error{Code::unavailable, "nothing yet"};
    std::thread waiting([&]() {
        begun = true;
        later = db.snapshot();
    });
    while (!begun) std::this_thread::yield();
    for (int i = 0; i < 100; ++i) BOOST_TEST(value(second->string("k").get()).value() == "one");
    BOOST_TEST(value(db.stats()).checkpoints == checkpoints);
    second.reset();
    waiting.join();
    BOOST_REQUIRE(later);
    BOOST_TEST(value(later->string("k").get()).value() == "two");
}

BOOST_AUTO_TEST_CASE(it_ends_when_much_was_written_and_checkpoints_go_on) {
    DatabaseOptions options{.path = path("small")};
    options.snapshot_bytes_max = 100'000;
    options.checkpoint_interval_ms = 0;
    const Database small = open(options);
    done(small.string("k").set("one"));
    const Snapshot snapshot = value(small.snapshot());
    const std::uint64_t checkpoints = value(small.stats()).checkpoints;
    // One key again and again: the log grows, and memory does not.
    int writes = 0;
    while (value(small.stats()).checkpoints == checkpoints) {
        BOOST_REQUIRE_LT(++writes, 10'000);
        done(small.string("k").set(Bytes(1000, 'v')));
    }
    BOOST_TEST(writes > 50);
    const Result<std::optional<Bytes>> read = snapshot.string("k").get();
    fails(read, Code::unavailable);
    BOOST_TEST(read.error().message.find("100000 bytes were written") != std::string::npos);
    BOOST_TEST(value(value(small.snapshot()).string("k").get()).value() == Bytes(1000, 'v'));
}

BOOST_AUTO_TEST_CASE(it_ends_when_its_time_is_over) {
    DatabaseOptions options{.path = path("short")};
    options.snapshot_ms_max = 0;
    const Database hasty = open(options);
    done(hasty.string("k").set("one"));
    const Snapshot snapshot = value(hasty.snapshot());
    Result<std::optional<Bytes>> read = snapshot.string("k").get();
    while (read) read = snapshot.string("k").get();
    fails(read, Code::unavailable);
    BOOST_TEST(read.error().message.find("held for more than 0.0 s") != std::string::npos);
    BOOST_TEST(snapshot.version().entries().size() == 1U);
    // The checkpoint that waited is made.
    done(hasty.string("k").set("two"));
    const Result<Snapshot> other = hasty.snapshot();
    BOOST_TEST(other.has_value());
}

BOOST_AUTO_TEST_CASE(a_database_can_be_closed_and_opened_again_beside_it) {
    done(db.string("k").set("one"));
    Snapshot snapshot = value(db.snapshot());
    const StringHandle handle = snapshot.string("k");
    done(db.string("k").set("two"));
    reopen();
    fails(handle.get(), Code::unavailable);
    fails(snapshot.string("k").get(), Code::unavailable);
    BOOST_TEST(value(db.string("k").get()).value() == "two");
    snapshot = value(db.snapshot());
    BOOST_TEST(value(snapshot.string("k").get()).value() == "two");
    { const Database gone = std::move(db); }
    fails(snapshot.string("k").get(), Code::unavailable);
    db = open();
}

BOOST_AUTO_TEST_CASE(whoever_waits_for_one_is_told_when_the_database_is_closed) {
    done(db.string("k").set("one"));
    const Snapshot snapshot = value(db.snapshot());
    done(db.string("k").set("two"));
    Result<void> waited;
    std::thread waiting([&]() {
        const Result<Snapshot> later = db.snapshot();
        if (!later) waited = later.error();
    });
    done(db.close());
    waiting.join();
    // Whether it waited or came too late, it was not left alone.
    fails(waited, Code::unavailable);
}

BOOST_AUTO_TEST_CASE(handles_end_with_the_snapshot_that_made_them) {
    done(db.string("k").set("one"));
    std::optional<Snapshot> snapshot = value(db.snapshot());
    const StringHandle handle = snapshot->string("k");
    Snapshot moved = std::move(*snapshot);
    snapshot.reset();
    BOOST_TEST(value(handle.get()).value() == "one");
    moved.release();
    moved.release();
    fails(handle.get(), Code::unavailable);
}

BOOST_AUTO_TEST_CASE(it_cannot_write_and_keeps_to_the_rules_of_callbacks) {
    done(db.string("k").set("one"));
    std::optional<Snapshot> snapshot = value(db.snapshot());
    fails(snapshot->string("k").set("two"), Code::invalid_argument);
    fails(snapshot->counter("n").add(1), Code::invalid_argument);
    fails(snapshot->remove("k"), Code::invalid_argument);
    fails(snapshot->counter("k").get(), Code::invalid_argument);  // no number
    fails(snapshot->set("k").members(), Code::wrong_type);
    done(db.batch([&](Batch& batch) -> Result<void> {
        fails(db.snapshot(), Code::unavailable);
        fails(snapshot->string("k").get(), Code::unavailable);
        snapshot.reset();
        return batch.string("k").set("three");
    }));
    BOOST_TEST(value(value(db.snapshot()).string("k").get()).value() == "three");
}

BOOST_AUTO_TEST_CASE(keys_have_ended_that_had_when_it_was_taken) {
    done(db.string("gone").set("x"));
    value(db.expire("gone", std::chrono::milliseconds(0)));
    // On a slow machine the key may end before the snapshot is taken: then with more time.
    for (int ms = 100;; ms *= 2) {
        BOOST_REQUIRE_LT(ms, 100'000);
        done(db.string("going").set("x"));
        value(db.expire("going", std::chrono::milliseconds(ms)));
        const Snapshot snapshot = value(db.snapshot());
        BOOST_TEST(!value(snapshot.exists("gone")));
        if (!value(snapshot.exists("going"))) continue;
        while (value(db.exists("going"))) std::this_thread::yield();
        BOOST_TEST(value(snapshot.string("going").get()).value() == "x");
        BOOST_TEST(!value(value(db.snapshot()).exists("going")));
        break;
    }
}

BOOST_AUTO_TEST_CASE(nothing_can_be_shown_before_the_first_write) {
    fails(db.snapshot(), Code::unavailable);
}

BOOST_AUTO_TEST_CASE(collections_are_read_in_slices) {
    constexpr std::size_t count = 2000;  // two full slices of a snapshot, and an empty one
    std::vector<Bytes> names;
    done(db.batch([&](Batch& batch) -> Result<void> {
        for (std::size_t i = 0; i < count; ++i) {
            // Some so long that their rows are hashed.
            names.push_back(Bytes(i % 10 == 0 ? 600 : 3, 'n') + std::to_string(i));
            SYNCLINE_CHECK(batch.set("set").add(names.back()));
            SYNCLINE_CHECK(batch.map("map").put(names.back(), std::to_string(i)));
        }
        return {};
    }));
    const Snapshot snapshot = value(db.snapshot());
    std::sort(names.begin(), names.end());
    BOOST_TEST((sorted(value(snapshot.set("set").members())) == names));
    BOOST_TEST(value(snapshot.map("map").entries()).size() == count);
    BOOST_TEST((value(snapshot.set("set").members()) == value(db.set("set").members())));
    // By hand, from the database itself, while members go.
    const SetHandle set = db.set("set");
    std::vector<Bytes> met;
    for (std::vector<Bytes> slice = value(set.members(std::nullopt, 300)); !slice.empty();) {
        met.insert(met.end(), slice.begin(), slice.end());
        value(set.remove(slice.back()));
        slice = value(set.members(slice.back(), 300));
    }
    BOOST_TEST((sorted(std::move(met)) == names));
    const auto entries = value(db.map("map").entries(std::nullopt, 7));
    BOOST_REQUIRE_EQUAL(entries.size(), 7U);
    BOOST_TEST((value(db.map("map").entries(entries[2].first, 4)) ==
                std::vector(entries.begin() + 3, entries.end())));
    BOOST_TEST(value(set.members(std::nullopt, 0)).empty());
    fails(db.map("set").entries(std::nullopt, 1), Code::wrong_type);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
