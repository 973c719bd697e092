#include "storage/store.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "core/base/limits.hpp"
#include "storage/lmdb.hpp"
#include "tests/storage/temporary_directory.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(store)
namespace {

using test::SeededRandom;

struct ModelRow {
    std::optional<Bytes> value;
    Position position = 0;  ///< 0: in the base by now
};
using Model = std::array<std::map<Bytes, ModelRow>, tables_count>;
/// Where a range was erased last, in each table. Nobody remembers which rows were in it, so that
/// readers of others may be told to wait as well.
using Ranges = std::array<Position, tables_count>;

std::unique_ptr<Base> open_base(const TemporaryDirectory& directory) {
    auto base = open_lmdb_base(directory.path("base"), LmdbOptions{64ULL << 20});
    BOOST_REQUIRE_MESSAGE(base.has_value(), (base ? "" : base.error().message));
    return std::move(base).value();
}

/// Few different keys, so that they meet often.
Bytes random_key(SeededRandom& random) {
    const std::uint64_t number = random.below(40);
    Bytes key = "k" + std::to_string(number);
    return number % 5 == 0 ? Bytes(400, 'x') + key : key;
}

using Rows = std::vector<std::pair<Bytes, Bytes>>;

RowVisitor collect(Rows& rows, std::size_t limit = ~std::size_t{0}) {
    return [&rows, limit](BytesView key, BytesView value) {
        rows.emplace_back(key, value);
        return rows.size() < limit;
    };
}

void check_get(Store& store, const Model& model, const Ranges& ranges, Table table,
               const Bytes& key) {
    (void)store.take_seen();
    const auto got = store.get(table, key);
    BOOST_REQUIRE(got.has_value());
    const auto& rows = model[static_cast<std::size_t>(table)];
    const auto row = rows.find(key);
    const bool present = row != rows.end() && row->second.value;
    BOOST_REQUIRE(got->has_value() == present);
    if (present) BOOST_REQUIRE(**got == *row->second.value);
    const Position expected = row == rows.end() ? 0 : row->second.position;
    const Position seen = store.take_seen();
    BOOST_REQUIRE(seen >= expected);
    BOOST_REQUIRE(seen <= std::max(expected, ranges[static_cast<std::size_t>(table)]));
}

struct Scan {
    Bytes from;
    Bytes to;
    std::size_t limit;
    bool descending;
};

void check_scan(Store& store, const Model& model, const Ranges& ranges, Table table,
                const Scan& scan) {
    const auto& [from, to, limit, descending] = scan;
    (void)store.take_seen();
    Rows got;
    const Result<void> done = descending ? store.scan_reverse(table, from, to, collect(got, limit))
                                         : store.scan(table, from, to, collect(got, limit));
    BOOST_REQUIRE(done.has_value());
    Rows expected;
    Position seen = 0;
    Position seen_beyond = 0;  // erased rows behind the last visited one may be looked at or not
    const auto& model_rows = model[static_cast<std::size_t>(table)];
    std::vector<std::pair<Bytes, ModelRow>> rows(model_rows.begin(), model_rows.end());
    if (descending) std::reverse(rows.begin(), rows.end());
    for (const auto& [key, row] : rows) {
        if (key < from || (!to.empty() && key >= to)) continue;
        seen_beyond = std::max(seen_beyond, row.position);
        if (expected.size() == limit) continue;
        seen = std::max(seen, row.position);
        if (row.value) expected.emplace_back(key, *row.value);
    }
    BOOST_REQUIRE((got == expected));
    const Position reported = store.take_seen();
    BOOST_REQUIRE(reported >= seen);
    BOOST_REQUIRE(reported <= std::max(seen_beyond, ranges[static_cast<std::size_t>(table)]));
}

void check_all(Store& store, const Model& model, const Ranges& ranges, SeededRandom& random) {
    for (std::size_t index = 0; index < tables_count; ++index) {
        const auto table = static_cast<Table>(index);
        check_get(store, model, ranges, table, random_key(random));
        Scan scan;
        scan.from = random.below(4) == 0 ? Bytes() : random_key(random);
        scan.to = random.below(4) == 0 ? Bytes() : random_key(random);
        scan.limit = random.below(2) == 0 ? 1 + random.below(5) : ~std::size_t{0};
        scan.descending = random.below(3) == 0;
        check_scan(store, model, ranges, table, scan);
    }
    if (random.below(3) == 0) store.end_turn();
}

void change(Store& store, Model& model, SeededRandom& random, Position position) {
    const auto table = static_cast<Table>(random.below(2));
    const Bytes key = random_key(random);
    ModelRow& row = model[static_cast<std::size_t>(table)][key];
    row.position = position;
    if (random.below(3) == 0) {
        row.value.reset();
        store.erase(table, key, position);
    } else {
        row.value = Bytes(random.below(20) == 0 ? 10000 : random.below(30),
                          static_cast<char>('a' + random.below(26)));
        store.put(table, key, *row.value, position);
    }
}

void erase_range(Store& store, Model& model, Ranges& ranges, SeededRandom& random,
                 Position position) {
    const std::size_t index = random.below(2);
    RowRange range{random.below(4) == 0 ? Bytes() : random_key(random),
                   random.below(4) == 0 ? Bytes() : random_key(random)};
    store.erase_range(static_cast<Table>(index), range, position);
    if (!range.last.empty() && range.first >= range.last) return;  // nothing is in it
    ranges[index] = position;
    for (auto& [key, row] : model[index]) {
        if (key < range.first || (!range.last.empty() && key >= range.last)) continue;
        row = ModelRow{std::nullopt, position};
    }
}

/// What the model is when rows up to `position` are in the base.
Model settled(Model model, Position position) {
    for (auto& rows : model) {
        std::erase_if(rows, [&](const auto& row) {
            return row.second.position <= position && !row.second.value;
        });
        for (auto& [key, row] : rows) {
            if (row.position <= position) row.position = 0;
        }
    }
    return model;
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_changes_and_checkpoints_agree_with_a_plain_map) {
    for (const std::uint64_t seed : test::seeds(3)) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            const TemporaryDirectory directory;
            SeededRandom random(seed);
            Model in_base;
            Position position = 0;
            for (int life = 0; life < 6; ++life) {
                const auto base = open_base(directory);
                Store store(*base);
                Model model = in_base;  // what was in no checkpoint is gone
                Ranges ranges{};
                Model at_checkpoint;
                std::optional<Store::Checkpoint> checkpoint;
                bool committed = false;
                for (int step = 0; step < 300; ++step) {
                    if (random.below(3) != 0) change(store, model, random, ++position);
                    if (random.below(12) == 0) {
                        erase_range(store, model, ranges, random, ++position);
                    }
                    check_all(store, model, ranges, random);
                    // One stage of a checkpoint at a time, so that reads fall between all of them.
                    if (random.below(6) != 0) continue;
                    if (!checkpoint) {
                        const Bytes value = std::to_string(position);
                        at_checkpoint = settled(model, position);
                        at_checkpoint[2]["position"] = ModelRow{value, 0};
                        checkpoint = store.begin_checkpoint(position, {{"position", value}});
                        committed = false;
                    } else if (!committed) {
                        BOOST_REQUIRE(checkpoint->commit().has_value());
                        committed = true;
                        in_base = at_checkpoint;
                        store.end_turn();
                        model[2] = in_base[2];  // never in the overlay
                    } else {
                        BOOST_TEST(store.checkpoint_under_way());
                        store.finish_checkpoint();
                        model = settled(model, checkpoint->position());
                        checkpoint.reset();
                    }
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(finished_checkpoint_is_visible_in_the_turn_it_ends_in) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory);
    Store store(*base);
    store.put(Table::cells, "row", "value", 5);
    BOOST_TEST(!store.get(Table::cells, "other")->has_value());  // opens the base's view
    auto checkpoint = store.begin_checkpoint(5, {});
    BOOST_REQUIRE(checkpoint.commit().has_value());
    store.finish_checkpoint();
    const auto row = store.get(Table::cells, "row");
    BOOST_REQUIRE(row->has_value());
    BOOST_TEST(**row == "value");
}

BOOST_AUTO_TEST_CASE(scan_base_shows_the_last_finished_checkpoint_alone) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory);
    Store store(*base);
    store.put(Table::cells, "a", "1", 10);
    store.put(Table::cells, "b", "1", 11);
    auto checkpoint = store.begin_checkpoint(11, {});
    BOOST_REQUIRE(checkpoint.commit().has_value());
    store.finish_checkpoint();
    store.put(Table::cells, "a", "2", 12);
    store.erase(Table::cells, "b", 13);
    store.put(Table::cells, "c", "2", 14);
    Rows rows;
    BOOST_REQUIRE(store.scan_base(Table::cells, "", "", collect(rows)).has_value());
    BOOST_TEST((rows == Rows{{"a", "1"}, {"b", "1"}}));
    rows.clear();
    BOOST_REQUIRE(store.scan_base(Table::cells, "", "b", collect(rows)).has_value());
    BOOST_TEST((rows == Rows{{"a", "1"}}));
    BOOST_TEST(store.take_seen() == 0U);
    rows.clear();
    BOOST_REQUIRE(store.scan(Table::cells, "", "", collect(rows)).has_value());
    BOOST_TEST((rows == Rows{{"a", "2"}, {"c", "2"}}));
    BOOST_TEST(store.take_seen() == 14U);
    rows.clear();
    BOOST_REQUIRE(store.scan(Table::cells, "c", "b", collect(rows)).has_value());
    BOOST_TEST(rows.empty());
}

BOOST_AUTO_TEST_CASE(erased_rows_are_seen) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory);
    Store store(*base);
    store.erase(Table::counts, "gone", 7);
    BOOST_TEST(!store.get(Table::counts, "gone")->has_value());
    BOOST_TEST(store.take_seen() == 7U);
    BOOST_TEST(store.take_seen() == 0U);
    BOOST_TEST(!store.get(Table::cells, "gone")->has_value());
    BOOST_TEST(store.take_seen() == 0U);
}

BOOST_AUTO_TEST_CASE(overlay_bytes_follow_the_rows) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory);
    Store store(*base);
    BOOST_TEST(store.overlay_empty());
    store.put(Table::cells, "key", Bytes(5000, 'v'), 1);
    const std::size_t large = store.overlay_bytes();
    BOOST_TEST(large > 5000U);
    BOOST_TEST(large < 5500U);
    store.put(Table::cells, "key", "v", 2);
    const std::size_t small = store.overlay_bytes();
    BOOST_TEST(large - small == 4999U);
    store.erase(Table::cells, "key", 3);
    BOOST_TEST(store.overlay_bytes() == small - 1);
    BOOST_TEST(!store.overlay_empty());
    (void)store.begin_checkpoint(3, {});
    BOOST_TEST(store.overlay_bytes() == small - 1);
    BOOST_TEST(!store.overlay_empty());
}

/// Else a removal of more rows than fit into memory would end the process.
BOOST_AUTO_TEST_CASE(a_range_that_is_erased_takes_no_memory_for_its_rows) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory);
    Store store(*base);
    constexpr int rows = 5000;
    for (int i = 0; i < rows; ++i) {
        store.put(Table::cells, "row" + std::to_string(i), "value", 1);
    }
    const auto flush = [&]() {
        Store::Checkpoint checkpoint = store.begin_checkpoint(1, {});
        BOOST_TEST_REQUIRE(checkpoint.commit().has_value());
        store.finish_checkpoint();
    };
    const auto count = [&]() {
        Rows got;
        BOOST_TEST_REQUIRE(store.scan(Table::cells, {}, {}, collect(got)).has_value());
        return got.size();
    };
    flush();
    store.erase_range(Table::cells, RowRange{"row1", "row3"}, 2);
    BOOST_TEST(store.overlay_bytes() < 1000U);
    BOOST_TEST(!store.overlay_empty());
    // Of four digits those from 1000 to 2999, and the shorter ones with such a beginning.
    const std::size_t left = rows - 2 * (1000 + 100 + 10 + 1);
    BOOST_TEST(count() == left);
    store.put(Table::cells, "row2", "again", 3);
    BOOST_TEST(count() == left + 1);
    flush();
    BOOST_TEST(store.overlay_empty());
    BOOST_TEST(count() == left + 1);
}

BOOST_AUTO_TEST_CASE(rows_committed_past_the_overlay_are_visible_at_once) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory);
    Store store(*base);
    BOOST_TEST(!store.get(Table::cells, "row")->has_value());
    BaseChanges changes;
    changes[0]["row"] = "value";
    BOOST_REQUIRE(store.commit_base(changes).has_value());
    BOOST_TEST(**store.get(Table::cells, "row") == "value");
    BOOST_TEST(store.take_seen() == 0U);
}

BOOST_AUTO_TEST_CASE(a_row_is_read_anew_when_another_store_has_ended_the_turn) {
    const TemporaryDirectory directory;
    const std::unique_ptr<Base> base = open_base(directory);
    const auto write = [&](const Bytes& value) {
        BaseChanges changes;
        changes[0]["k"] = value;
        BOOST_REQUIRE(base->commit(changes).has_value());
    };
    write(Bytes(1000, 'a'));
    Store store(*base);
    Store other(*base);
    BOOST_TEST(store.get(Table::cells, "k")->value() == Bytes(1000, 'a'));
    for (const char letter : {'b', 'c', 'd'}) {
        other.end_turn();
        write(Bytes(1000, letter));
        BOOST_TEST(store.get(Table::cells, "k")->value() == Bytes(1000, letter));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
