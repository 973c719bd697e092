/// Long rows stand in chunks, and nobody above the base can tell.
#include "storage/lmdb_chunks.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <map>

#include "storage/lmdb.hpp"
#include "tests/storage/temporary_directory.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(lmdb_chunks)
namespace {

constexpr LmdbOptions roomy_map = {256ULL << 20};

std::unique_ptr<Base> open_base(const std::string& path) {
    auto base = open_lmdb_base(path, roomy_map);
    BOOST_REQUIRE_MESSAGE(base.has_value(), (base ? "" : base.error().message));
    return std::move(base).value();
}

void commit(Base& base, RowChanges rows, std::vector<ErasedRange> erased = {}) {
    BaseChanges changes;
    changes[0] = std::move(rows);
    const Result<void> done = base.commit(changes, erased);
    BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
}

/// Bytes that differ from place to place, so that chunks in a wrong order show.
Bytes long_value(std::size_t bytes, std::uint64_t seed = 1) {
    test::SeededRandom random(seed);
    Bytes value(bytes, '\0');
    for (char& byte : value) byte = static_cast<char>(random.next());
    return value;
}

std::map<Bytes, Bytes> all_rows(Base& base) {
    std::map<Bytes, Bytes> rows;
    const Result<void> walked = base.scan(Table::cells, "", [&](BytesView key, BytesView value) {
        rows.emplace(key, value);
        return true;
    });
    BOOST_REQUIRE_MESSAGE(walked.has_value(), (walked ? "" : walked.error().message));
    std::map<Bytes, Bytes> backwards;
    const Result<void> back =
        base.scan_reverse(Table::cells, "", "", [&](BytesView key, BytesView value) {
            backwards.emplace(key, value);
            return true;
        });
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((rows == backwards));
    base.end_turn();
    return rows;
}

/// Rows of all tables, chunks included, as the pages have them.
std::uint64_t stored_rows(const std::string& path) {
    const Result<PageReport> report = check_lmdb_base(path, nullptr);
    BOOST_REQUIRE(report.has_value());
    BOOST_TEST(report->sound());
    return report->rows;
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_of_all_lengths_are_read_as_they_were_written) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    std::map<Bytes, Bytes> expected;
    std::uint64_t without = 0;
    for (const std::size_t bytes :
         {std::size_t{0}, lmdb::chunk_rows_from - 1, lmdb::chunk_rows_from,
          lmdb::chunk_rows_from + 1, 2 * lmdb::chunk_bytes, 2 * lmdb::chunk_bytes + 1,
          std::size_t{5'000'000}}) {
        expected["row of " + std::to_string(bytes)] = long_value(bytes, bytes + 1);
    }
    // One key is the beginning of the other, with what could be the number of a chunk behind it.
    expected["twin"] = long_value(200'000, 7);
    expected[Bytes("twin\0\0\0\1", 8)] = long_value(200'000, 8);
    expected[Bytes(500, 'k')] = long_value(100'000, 9);
    {
        const auto base = open_base(path);
        commit(*base, {});
    }
    without = stored_rows(path);
    {
        const auto base = open_base(path);
        RowChanges rows;
        for (const auto& [key, value] : expected) rows[key] = value;
        commit(*base, rows);
        for (const auto& [key, value] : expected) {
            BOOST_TEST((base->get(Table::cells, key)->value() == value));
        }
        BOOST_TEST((all_rows(*base) == expected));
    }
    {
        const auto base = open_base(path);
        BOOST_TEST((all_rows(*base) == expected));
        // Views of one turn stay beside each other.
        const BytesView first = base->view(Table::cells, "twin")->value();
        const BytesView second = base->view(Table::cells, Bytes("twin\0\0\0\1", 8))->value();
        BOOST_TEST((first == expected["twin"]));
        BOOST_TEST((second == expected[Bytes("twin\0\0\0\1", 8)]));
        base->end_turn();
        commit(*base, {{"twin", std::nullopt}});
        expected.erase("twin");
        BOOST_TEST((all_rows(*base) == expected));
        commit(*base, {}, {ErasedRange{Table::cells, {}}});
        BOOST_TEST(all_rows(*base).empty());
    }
    BOOST_TEST(stored_rows(path) == without);
}

BOOST_AUTO_TEST_CASE(random_changes_leave_no_chunk_behind) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    std::map<Bytes, Bytes> model;
    std::uint64_t chunks = 0;
    {
        test::SeededRandom random(20);
        const auto base = open_base(path);
        for (int round = 0; round < 150; ++round) {
            const Bytes key = "key " + std::to_string(random.next() % 12);
            if (random.next() % 4 == 0) {
                model.erase(key);
                commit(*base, {{key, std::nullopt}});
            } else if (random.next() % 12 == 0) {
                const Bytes last = "key " + std::to_string(random.next() % 12);
                model.erase(model.lower_bound(key), model.lower_bound(std::max(key, last)));
                if (key < last) {
                    commit(*base, {}, {ErasedRange{Table::cells, {key, last}}});
                }
            } else {
                const bool small = random.next() % 3 == 0;
                model[key] = long_value(small ? 100 : random.next() % 400'000, random.next());
                commit(*base, {{key, model[key]}});
            }
            if (round % 10 == 0) BOOST_TEST((all_rows(*base) == model));
        }
        BOOST_TEST((all_rows(*base) == model));
        for (const auto& [key, value] : model) {
            if (value.size() <= lmdb::chunk_rows_from) continue;
            chunks += (value.size() + lmdb::chunk_bytes - 1) / lmdb::chunk_bytes;
        }
    }
    constexpr std::uint64_t format = 1;
    BOOST_TEST(stored_rows(path) == model.size() + chunks + format);
}

BOOST_AUTO_TEST_CASE(a_damaged_or_lost_chunk_is_damage_of_its_row_alone) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    const std::string mark = "a place to be damaged";
    Bytes value = long_value(300'000);
    value.replace(200'000, mark.size(), mark);
    {
        const auto base = open_base(path);
        commit(*base, {{"a", "small"}, {"b", value}, {"c", long_value(100'000, 3)}});
    }
    std::string file = path + "/data.mdb";
    std::ifstream in(file, std::ios::binary);
    Bytes content{std::istreambuf_iterator<char>(in), {}};
    const std::size_t place = content.find(mark);
    BOOST_REQUIRE(place != Bytes::npos);
    content[place] = 'A';
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;

    const Result<PageReport> report = check_lmdb_base(path, nullptr);
    BOOST_REQUIRE(report.has_value());
    BOOST_TEST(report->rows_damaged == 1U);
    const auto base = open_base(path);
    BOOST_TEST(base->get(Table::cells, "a")->value() == "small");
    const auto damaged = base->get(Table::cells, "b");
    BOOST_REQUIRE(!damaged.has_value());
    BOOST_TEST((damaged.error().code == Code::corrupt));
    BOOST_TEST((base->get(Table::cells, "c")->value() == long_value(100'000, 3)));
    base->end_turn();
    // All that is damaged goes, with the rest of its chunks; what is sound stays.
    BOOST_REQUIRE(base->purge({Purge{Table::cells, std::nullopt}}).has_value());
    BOOST_TEST(!base->get(Table::cells, "b")->has_value());
    BOOST_TEST((base->get(Table::cells, "c")->value() == long_value(100'000, 3)));
    base->end_turn();
    commit(*base, {{"b", value}});
    BOOST_TEST((base->get(Table::cells, "b")->value() == value));
}

BOOST_AUTO_TEST_CASE(long_rows_that_change_do_not_let_the_file_grow) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"));
    test::SeededRandom random(5);
    for (int round = 0; round < 200; ++round) {
        commit(*base,
               {{"key " + std::to_string(round % 4), long_value(random.next() % 2'000'000)}});
    }
    // Four rows of 2 MB at most, once more for the commit before, and room for holes.
    BOOST_TEST(base->space().file_bytes < 24'000'000U);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
