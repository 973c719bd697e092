#include "core/database.hpp"

#include <sys/resource.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <csignal>
#include <future>
#include <set>
#include <thread>

#include "core/base/limits.hpp"
#include "tests/core/database_fixture.hpp"

namespace syncline {
namespace {

/// While it lives, no file of this process can be written.
class WritesFail {
public:
    WritesFail() {
        std::signal(SIGXFSZ, SIG_IGN);
        BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
        rlimit none = before_;
        none.rlim_cur = 0;
        BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
    }
    ~WritesFail() { (void)::setrlimit(RLIMIT_FSIZE, &before_); }
    WritesFail(const WritesFail&) = delete;
    WritesFail& operator=(const WritesFail&) = delete;

private:
    rlimit before_{};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(database, DatabaseFixture)

BOOST_AUTO_TEST_CASE(handles_do_what_they_say) {
    BOOST_TEST(must(db.counter("visits").add(3)) == 3);
    BOOST_TEST(must(db.counter("visits").add(-1)) == 2);
    BOOST_TEST(must(db.counter("visits").get()) == 2);
    must(db.counter("visits").set(40));
    BOOST_TEST(must(db.counter("visits").get()) == 40);
    BOOST_TEST(must(db.counter("missing").get()) == 0);

    must(db.string("name").set("Ann"));
    BOOST_TEST(*must(db.string("name").get()) == "Ann");
    BOOST_TEST(must(db.string("name").remove()));
    BOOST_TEST(!must(db.string("name").get()).has_value());

    BOOST_TEST(must(db.set("team").add("ann")));
    BOOST_TEST(!must(db.set("team").add("ann")));
    BOOST_TEST(must(db.set("team").add("bob")));
    BOOST_TEST(must(db.set("team").contains("bob")));
    BOOST_TEST(must(db.set("team").size()) == 2U);
    BOOST_TEST(must(db.set("team").members()).size() == 2U);
    BOOST_TEST(must(db.set("team").remove("bob")));
    BOOST_TEST(!must(db.set("team").remove("bob")));

    BOOST_TEST(must(db.map("user").put("name", "Ann")));
    BOOST_TEST(!must(db.map("user").put("name", "Anna")));
    BOOST_TEST(must(db.map("user").increment("logins", 2)) == 2);
    BOOST_TEST(*must(db.map("user").get("name")) == "Anna");
    BOOST_TEST(must(db.map("user").contains("logins")));
    BOOST_TEST(must(db.map("user").entries()).size() == 2U);
    BOOST_TEST(must(db.map("user").remove("logins")));
    BOOST_TEST(must(db.map("user").size()) == 1U);

    BOOST_TEST(must(db.size()) == 3U);
    must(db.map("user").clear());
    must(db.set("team").clear());
    BOOST_TEST(!must(db.exists("user")));
    BOOST_TEST(must(db.remove("visits")));
    BOOST_TEST(must(db.size()) == 0U);
}

BOOST_AUTO_TEST_CASE(sorted_sets_do_what_they_say) {
    const SortedSetHandle board = db.sorted_set("board");
    BOOST_TEST(must(board.add("ann", 3.5)));
    BOOST_TEST(must(board.increment("bob", 0.1)) == 0.1);
    BOOST_TEST(must(board.increment("bob", 0.2)) == 0.3);
    BOOST_TEST(!must(board.add("ann", 2)));
    BOOST_TEST(must(board.size()) == 2U);
    BOOST_TEST(must(board.range(0, 1)).at(0).name == "bob");
    BOOST_TEST(must(board.largest(0, 9)).at(0).name == "ann");
    BOOST_TEST(must(board.between(2, 2)).size() == 1U);
    BOOST_TEST((must(board.score("ann")) == 2.0));
    BOOST_TEST(!must(board.score("eve")).has_value());
    BOOST_TEST((board.add("ann", std::nan("")).error().code == Code::invalid_argument));
    BOOST_TEST(must(board.remove("ann")));
    must(board.clear());
    BOOST_TEST(!must(db.exists("board")));
}

BOOST_AUTO_TEST_CASE(lists_do_what_they_say) {
    const ListHandle queue = db.list("queue");
    BOOST_TEST(must(queue.push_back({"b", "c"})) == 2U);
    BOOST_TEST(must(queue.push_front({"a", "z"})) == 4U);
    BOOST_TEST(*must(queue.pop_front()) == "z");
    BOOST_TEST(*must(queue.get(-1)) == "c");
    BOOST_TEST(!must(queue.get(3)).has_value());
    must(queue.insert(1, "x"));
    must(queue.insert(100, "last"));
    must(queue.set(0, "A"));
    BOOST_TEST((queue.set(9, "A").error().code == Code::invalid_argument));
    BOOST_TEST((must(queue.range(0, -1)) == std::vector<Bytes>{"A", "x", "b", "c", "last"}));
    BOOST_TEST(must(queue.remove(1)));
    BOOST_TEST(!must(queue.remove(9)));
    BOOST_TEST(*must(queue.pop_back()) == "last");
    BOOST_TEST(must(queue.size()) == 3U);
    must(queue.clear());
    BOOST_TEST(!must(queue.pop_back()).has_value());
}

BOOST_AUTO_TEST_CASE(bounded_counters_do_what_they_say) {
    const BoundedCounterHandle stock = db.bounded_counter("stock");
    BOOST_TEST(must(stock.get()) == 0);
    fails(stock.decrement(1), Code::no_rights);
    BOOST_TEST(must(stock.increment(10)) == 10);
    BOOST_TEST(must(stock.decrement(3)) == 7);
    fails(stock.decrement(8), Code::no_rights);
    fails(stock.increment(0), Code::invalid_argument);
    const std::vector<BoundedCounter::Part> before = must(stock.rights());
    BOOST_REQUIRE(before.size() == 1U);
    fails(stock.transfer(1, before[0].actor), Code::invalid_argument);
    must(stock.transfer(5, Actor{7, 0}));
    const std::vector<BoundedCounter::Part> after = must(stock.rights());
    BOOST_TEST((after == std::vector<BoundedCounter::Part>{{before[0].actor, 2, 10, 0, 5, 3},
                                                           {Actor{7, 0}, 5, 0, 5, 0, 0}}));
    fails(db.remove("stock"), Code::permanent);
    fails(db.string("stock").set("x"), Code::wrong_type);
    fails(db.set("stock").clear(), Code::wrong_type);
    BOOST_TEST((must(db.type("stock")) == KeyType::bounded_counter));
    BOOST_TEST(key_type_name(KeyType::bounded_counter) == "bounded-counter");
    BOOST_TEST(stock.decrement(3).error().message.starts_with("key \"stock\": of 7 rights"));
    reopen();
    BOOST_TEST(must(db.bounded_counter("stock").decrement(2)) == 5);
}

BOOST_AUTO_TEST_CASE(a_new_database_is_empty_and_of_no_cluster_until_the_first_write) {
    BOOST_TEST(must(db.counter("visits").get()) == 0);
    BOOST_TEST(must(db.set("team").members()).empty());
    BOOST_TEST(must(db.stats()).cluster == "");
    must(db.read([](Reader& reader) -> Result<void> {
        BOOST_TEST(!must(reader.exists("visits")));
        return {};
    }));
    reopen();
    BOOST_TEST(must(db.stats()).cluster == "");
    BOOST_TEST(must(db.counter("visits").add(1)) == 1);
    const std::string cluster = must(db.stats()).cluster;
    BOOST_TEST(cluster != "");
    reopen();
    BOOST_TEST(must(db.stats()).cluster == cluster);
}

BOOST_AUTO_TEST_CASE(types_are_told_and_kept_apart) {
    must(db.string("name").set("Ann"));
    must(db.set("team").add("ann"));
    must(db.map("user").put("a", "b"));
    BOOST_TEST(key_type_name(*must(db.type("name"))) == "string");
    BOOST_TEST(key_type_name(*must(db.type("team"))) == "set");
    BOOST_TEST(key_type_name(*must(db.type("user"))) == "map");
    BOOST_TEST(!must(db.type("missing")).has_value());

    fails(db.set("name").add("x"), Code::wrong_type);
    fails(db.map("team").put("x", "y"), Code::wrong_type);
    fails(db.counter("team").add(1), Code::wrong_type);
    fails(db.string("team").set("x"), Code::wrong_type);
    fails(db.string("user").remove(), Code::wrong_type);
    fails(db.set("user").clear(), Code::wrong_type);
    fails(db.counter("name").add(1), Code::invalid_argument);
    fails(db.counter("name").get(), Code::invalid_argument);
    BOOST_TEST(db.set("name").add("x").error().message == "key \"name\": the key holds a string");

    must(db.counter("full").set(std::numeric_limits<std::int64_t>::max()));
    fails(db.counter("full").add(1), Code::overflow);
    fails(db.string(Bytes(limits::key_bytes_max + 1, 'k')).set("x"), Code::limit);
    fails(db.string("big").set(Bytes(limits::value_bytes_max + 1, 'v')), Code::limit);
}

BOOST_AUTO_TEST_CASE(everything_is_there_after_reopening) {
    must(db.counter("visits").add(7));
    must(db.set("team").add("ann"));
    const DatabaseStats before = must(db.stats());
    reopen();
    const DatabaseStats after = must(db.stats());
    BOOST_TEST(after.root == before.root);
    BOOST_TEST((after.version == before.version));
    BOOST_TEST(after.node == before.node);
    BOOST_TEST(must(db.counter("visits").add(1)) == 8);
    BOOST_TEST(must(db.set("team").contains("ann")));
}

BOOST_AUTO_TEST_CASE(keys_are_walked_in_slices) {
    std::set<Bytes> wanted;
    must(db.batch([&](Batch& batch) -> Result<void> {
        for (int i = 0; i < 500; ++i) {
            wanted.insert("key:" + std::to_string(i));
            SYNCLINE_CHECK(batch.string("key:" + std::to_string(i)).set("x"));
        }
        return {};
    }));
    std::set<Bytes> seen;
    std::uint64_t cursor = 0;
    do {
        const KeyPage page = must(db.keys(cursor, 64));
        BOOST_TEST(page.keys.size() <= 64U);
        for (const KeyPage::Entry& entry : page.keys) BOOST_TEST(seen.insert(entry.key).second);
        cursor = page.cursor;
    } while (cursor != 0);
    BOOST_TEST((seen == wanted));
}

BOOST_AUTO_TEST_CASE(a_batch_is_one_transaction_or_none) {
    must(db.batch([](Batch& batch) -> Result<void> {
        SYNCLINE_CHECK(batch.counter("visits").add(1));
        SYNCLINE_CHECK(batch.set("team").add("ann"));
        SYNCLINE_TRY(const std::int64_t visits, batch.counter("visits").get());
        BOOST_TEST(visits == 1);  // its own write
        return {};
    }));
    BOOST_TEST(must(db.stats()).transactions_local == 1U);

    const DatabaseStats before = must(db.stats());
    const Result<void> refused = db.batch([](Batch& batch) -> Result<void> {
        SYNCLINE_CHECK(batch.counter("visits").add(1));
        SYNCLINE_CHECK(batch.map("team").put("a", "b"));
        return {};
    });
    fails(refused, Code::wrong_type);
    BOOST_TEST(must(db.counter("visits").get()) == 1);
    BOOST_TEST(must(db.stats()).root == before.root);

    fails(db.batch([](Batch& batch) -> Result<void> {
        for (int i = 0; i < 2; ++i) {
            SYNCLINE_CHECK(
                batch.string(std::to_string(i)).set(Bytes(limits::value_bytes_max, 'v')));
        }
        return {};
    }),
          Code::limit);
    BOOST_TEST(must(db.size()) == 2U);
    must(db.batch([](Batch&) -> Result<void> { return {}; }));
    BOOST_TEST(must(db.stats()).transactions_local == 1U);
}

BOOST_AUTO_TEST_CASE(calls_from_inside_callbacks_are_errors) {
    std::optional<CounterHandle> kept;
    must(db.batch([&](Batch& batch) -> Result<void> {
        kept = batch.counter("visits");
        fails(db.counter("visits").add(1), Code::unavailable);
        fails(db.batch([](Batch&) -> Result<void> { return {}; }), Code::unavailable);
        fails(db.close(), Code::unavailable);
        fails(db.watch("visits", [](const Change&) {}), Code::unavailable);
        // Another thread has no part in it.
        fails(std::async(std::launch::async, [&]() { return kept->add(1); }).get(),
              Code::unavailable);
        return {};
    }));
    fails(kept->add(1), Code::unavailable);

    must(db.read([&](Reader& reader) -> Result<void> {
        fails(db.counter("visits").get(), Code::unavailable);
        fails(reader.counter("visits").add(1), Code::invalid_argument);
        return {};
    }));

    std::promise<Code> heard;
    const Watch watch = must(db.watch("visits", [&](const Change&) {
        const Result<std::int64_t> answer = db.counter("visits").get();
        heard.set_value(answer ? Code::io : answer.error().code);
    }));
    must(db.counter("visits").add(1));
    BOOST_TEST((heard.get_future().get() == Code::unavailable));
}

BOOST_AUTO_TEST_CASE(threads_commit_together) {
    constexpr int threads_count = 8;
    constexpr int adds_count = 50;
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (int i = 0; i < threads_count; ++i) {
        threads.emplace_back([&, i]() {
            for (int j = 0; j < adds_count; ++j) {
                if (!db.counter("visits").add(1)) ++failures;
                if (!db.set("who").add(std::to_string(i))) ++failures;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    BOOST_TEST(failures == 0);
    BOOST_TEST(must(db.counter("visits").get()) == threads_count * adds_count);
    const DatabaseStats stats = must(db.stats());
    BOOST_TEST(stats.transactions_local == 2U * threads_count * adds_count);
    BOOST_TEST(stats.flushes < stats.transactions_local);  // some shared a sync
    reopen();
    BOOST_TEST(must(db.counter("visits").get()) == threads_count * adds_count);
}

BOOST_AUTO_TEST_CASE(readers_see_batches_whole_while_others_write) {
    std::atomic<bool> over = false;
    std::atomic<int> broken = 0;
    std::atomic<int> reads = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&]() {
            while (!over) {
                const Result<void> read = db.read([&](Reader& reader) -> Result<void> {
                    SYNCLINE_TRY(const std::int64_t left, reader.counter("left").get());
                    SYNCLINE_TRY(const std::int64_t right, reader.counter("right").get());
                    if (left + right != 0) ++broken;
                    return {};
                });
                if (!read) ++broken;
                ++reads;
            }
        });
    }
    for (int i = 1; i <= 100; ++i) {
        must(db.batch([&](Batch& batch) -> Result<void> {
            SYNCLINE_CHECK(batch.counter("left").add(i));
            SYNCLINE_CHECK(batch.counter("right").add(-i));
            return {};
        }));
    }
    over = true;
    for (std::thread& reader : readers) reader.join();
    BOOST_TEST(broken == 0);
    BOOST_TEST(reads > 0);
}

BOOST_AUTO_TEST_CASE(watches_are_told_before_the_call_returns) {
    std::vector<Change> changes;
    Watch watch = must(db.watch("team", [&](const Change& change) { changes.push_back(change); }));
    must(db.set("team").add("ann"));
    BOOST_REQUIRE(changes.size() == 1U);
    BOOST_TEST(changes[0].key == "team");
    BOOST_TEST(changes[0].local);
    BOOST_TEST((changes[0].origin->actor == must(db.stats()).actor));
    BOOST_TEST(changes[0].origin->counter == 1U);

    must(db.set("other").add("x"));
    BOOST_TEST(changes.size() == 1U);
    must(db.batch([](Batch& batch) -> Result<void> {  // one transaction, one change
        SYNCLINE_CHECK(batch.set("team").add("bob"));
        SYNCLINE_CHECK(batch.set("team").add("cid"));
        return {};
    }));
    BOOST_TEST(changes.size() == 2U);
    must(db.remove("team"));
    BOOST_TEST(changes.size() == 3U);

    watch.stop();
    must(db.set("team").add("dan"));
    BOOST_TEST(changes.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_watch_may_stop_itself_and_outlive_the_database) {
    std::optional<Watch> watch;
    int calls = 0;
    watch = must(db.watch("k", [&](const Change&) {
        ++calls;
        watch->stop();
    }));
    must(db.counter("k").add(1));
    must(db.counter("k").add(1));
    BOOST_TEST(calls == 1);

    Watch survivor = must(db.watch("k", [](const Change&) {}));
    const CounterHandle handle = db.counter("k");
    must(db.close());
    fails(handle.add(1), Code::unavailable);
    fails(db.counter("k").get(), Code::unavailable);
    fails(db.watch("k", [](const Change&) {}), Code::unavailable);
    must(db.close());  // again
}

BOOST_AUTO_TEST_CASE(a_directory_is_open_once) {
    fails(Database::open({.path = path()}), Code::locked);
    must(db.close());
    Database again = open();
    fails(Database::open({.path = path()}), Code::locked);
    db = std::move(again);
    must(db.counter("visits").add(1));
}

BOOST_AUTO_TEST_CASE(a_named_cluster_is_the_same_everywhere) {
    const Database a = open_other("a", "shop");
    const Database b = open_other("b", "shop");
    const Database c = open_other("c", "bank");
    BOOST_TEST(must(a.stats()).cluster == must(b.stats()).cluster);
    BOOST_TEST(must(a.stats()).cluster != must(c.stats()).cluster);
    BOOST_TEST(must(a.stats()).replica == "a");

    must(db.counter("visits").add(1));
    must(db.close());
    fails(Database::open({.path = path(), .cluster = "shop"}), Code::invalid_argument);
    db = open();  // the refusal left nothing locked
}

BOOST_AUTO_TEST_CASE(a_storage_failure_is_the_answer_to_every_later_call) {
    must(db.counter("visits").add(1));
    {
        const WritesFail writes_fail;
        fails(db.counter("visits").add(1), Code::io);
    }
    fails(db.counter("visits").add(1), Code::io);
    fails(db.counter("visits").get(), Code::io);
    fails(db.close(), Code::io);
    db = open();
    BOOST_TEST(must(db.counter("visits").add(1)) == 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
