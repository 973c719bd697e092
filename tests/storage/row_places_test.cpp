#include "storage/row_places.hpp"

#include <boost/test/unit_test.hpp>
#include <map>

#include "storage/lmdb.hpp"
#include "tests/storage/base_files.hpp"
#include "tests/storage/temporary_directory.hpp"
#include "tests/support/seeds.hpp"

namespace syncline::lmdb {
BOOST_AUTO_TEST_SUITE(row_places)
namespace {

constexpr BytesView key = "12345678k";

/// A file in memory in which the row stands as on LMDB's pages: its key, its value.
struct File {
    Bytes bytes = Bytes(100, '.') + Bytes(key) + "value" + Bytes(100, '.');
    [[nodiscard]] BytesView stored() const { return BytesView(bytes).substr(100 + key.size(), 5); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_row_is_known_in_its_table_until_another_commit_is_read) {
    const File file;
    RowPlaces places;
    BOOST_TEST(!places.find(Table::cells, key).has_value());
    places.begin_view(7, file.bytes.data(), 1);
    BOOST_TEST(!places.find(Table::cells, key).has_value());
    places.remember(Table::cells, key, file.stored());
    BOOST_TEST(places.find(Table::cells, key).value() == "value");
    BOOST_TEST(!places.find(Table::counts, key).has_value());
    BOOST_TEST(!places.find(Table::cells, "12345678l").has_value());
    const File moved = file;
    places.begin_view(7, moved.bytes.data(), 1);
    BOOST_TEST(places.find(Table::cells, key).value().data() == moved.stored().data());
    places.begin_view(8, moved.bytes.data(), 1);
    BOOST_TEST(!places.find(Table::cells, key).has_value());
    places.begin_view(7, moved.bytes.data(), 1);
    BOOST_TEST(!places.find(Table::cells, key).has_value());
}

BOOST_AUTO_TEST_CASE(what_an_old_view_knew_never_comes_back) {
    const File file;
    RowPlaces places;
    places.begin_view(1, file.bytes.data(), 1);
    places.remember(Table::cells, key, file.stored());
    for (std::uint64_t commit = 2; commit < 1000; ++commit) {
        places.begin_view(commit, file.bytes.data(), 1);
        BOOST_REQUIRE(!places.find(Table::cells, key).has_value());
    }
}

BOOST_AUTO_TEST_CASE(rows_that_do_not_stand_behind_their_keys_are_passed_over) {
    const File file;
    RowPlaces places;
    places.begin_view(1, file.bytes.data(), 1);
    places.remember(Table::cells, key, BytesView(file.bytes).substr(0, 5));
    BOOST_TEST(!places.find(Table::cells, key).has_value());
    places.remember(Table::cells, key, BytesView(file.bytes).substr(50, 5));
    BOOST_TEST(!places.find(Table::cells, key).has_value());
    places.remember(Table::cells, "short", file.stored());
    BOOST_TEST(!places.find(Table::cells, "short").has_value());
}

/// More rows than places, changed and removed by commits, of which each turn reads one state.
BOOST_AUTO_TEST_CASE(a_base_answers_as_if_nothing_was_remembered) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"), LmdbOptions{64ULL << 20});
    test::SeededRandom random(1);
    std::map<Bytes, Bytes> expected;
    const auto any_key = [&] { return "hash of " + std::to_string(random.below(6000)); };
    for (int commit = 0; commit < 200; ++commit) {
        BaseChanges changes;
        for (int i = 0; i < 200; ++i) {
            const Bytes row = any_key();
            std::optional<Bytes>& value = changes[0][row];
            if (random.below(4) == 0) {
                value.reset();
                expected.erase(row);
            } else {
                value = Bytes(random.below(100) == 0 ? 5000 : random.below(60), 'v') +
                        std::to_string(random.next());
                expected[row] = *value;
            }
        }
        BOOST_REQUIRE(base->commit(changes).has_value());
        for (int i = 0; i < 500; ++i) {
            const Bytes row = any_key();
            const Result<std::optional<Bytes>> found = base->get(Table::cells, row);
            BOOST_REQUIRE(found.has_value());
            const auto wanted = expected.find(row);
            BOOST_REQUIRE(found->has_value() == (wanted != expected.end()));
            if (*found) BOOST_REQUIRE(**found == wanted->second);
            if (random.below(100) == 0) base->end_turn();
        }
        base->end_turn();
    }
}

BOOST_AUTO_TEST_CASE(a_row_that_is_damaged_since_is_corrupt) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    const auto base = open_base(path, LmdbOptions{16ULL << 20});
    BaseChanges changes;
    changes[0][Bytes(key)] = "a value that is looked for";
    BOOST_REQUIRE(base->commit(changes).has_value());
    BOOST_REQUIRE(base->get(Table::cells, key).has_value());
    const std::uint64_t place = read_file(path + "/data.mdb").rfind("a value that");
    flip_data(path, place, 1);
    base->end_turn();  // within one the row is not looked at again
    const Result<std::optional<Bytes>> damaged = base->get(Table::cells, key);
    BOOST_REQUIRE(!damaged.has_value());
    BOOST_TEST((damaged.error().code == Code::corrupt));
    flip_data(path, place, 1);
    BOOST_TEST(base->get(Table::cells, key)->value() == "a value that is looked for");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline::lmdb
