#include "storage/lmdb_pages.hpp"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "storage/crash_marker.hpp"
#include "storage/lmdb_handles.hpp"
#include "tests/storage/base_files.hpp"
#include "tests/storage/temporary_directory.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(lmdb_pages)
namespace {

constexpr LmdbOptions small_map = {16ULL << 20};

/// Rows on leaves, on pages of their own, and a free list.
void fill(const std::string& path) {
    const auto base = open_base(path, small_map);
    for (int round = 0; round < 3; ++round) {
        BaseChanges changes;
        for (int i = 0; i < 300; ++i) {
            const std::size_t bytes = i % 100 == 0 ? 9000 : 40;
            changes[static_cast<std::size_t>(i) % tables_count]["key " + std::to_string(i)] =
                Bytes(bytes, static_cast<char>('a' + round));
        }
        BOOST_REQUIRE(base->commit(changes).has_value());
    }
}

/// LMDB as it is, without our format.
struct RawEnvironment {
    explicit RawEnvironment(const std::string& path) {
        MDB_env* made = nullptr;
        BOOST_REQUIRE(mdb_env_create(&made) == MDB_SUCCESS);
        environment.reset(made);
        BOOST_REQUIRE(mdb_env_set_maxdbs(made, 4) == MDB_SUCCESS);
        BOOST_REQUIRE(mdb_env_set_mapsize(made, std::size_t{1} << 30) == MDB_SUCCESS);
        BOOST_REQUIRE(mdb_env_open(made, path.c_str(), MDB_NOTLS | MDB_NOSYNC, 0600) ==
                      MDB_SUCCESS);
        lmdb::Transaction transaction = lmdb::begin(made, 0).value();
        BOOST_REQUIRE(mdb_dbi_open(transaction.get(), "cells", MDB_CREATE, &table) == MDB_SUCCESS);
        BOOST_REQUIRE(lmdb::commit_transaction(std::move(transaction)).has_value());
    }
    lmdb::Environment environment;
    MDB_dbi table = 0;
};

PageReport check(const std::string& path) {
    const Result<PageReport> report = check_lmdb_base(path, nullptr);
    BOOST_REQUIRE_MESSAGE(report.has_value(), (report ? "" : report.error().message));
    return *report;
}

void flip(const std::string& path, std::uint64_t offset, unsigned bit) {
    flip_data(path, offset, static_cast<char>(1U << bit));
}

/// The page at which the bytes stand.
std::uint64_t find(const std::string& path, BytesView bytes) {
    const Bytes content = read_file(path + "/data.mdb");
    const std::size_t found = content.rfind(bytes);
    BOOST_REQUIRE(found != Bytes::npos);
    return found;
}

/// Rows of all sizes put, put again and removed, also several times in one transaction;
/// transactions that are given up; readers that make the free list long, and let go of it.
void write_and_check(std::uint64_t seed) {
    const TemporaryDirectory directory;
    constexpr std::array<std::size_t, 6> sizes = {10, 300, 1900, 5000, 30000, 60000};
    test::SeededRandom random(seed);
    RawEnvironment raw(directory.path());
    const auto put = [&](MDB_txn* transaction, std::uint64_t key) {
        const Bytes value(sizes[random.below(sizes.size())] + random.below(200), 'v');
        MDB_val key_val{sizeof(key), &key};
        MDB_val value_val{value.size(), const_cast<char*>(value.data())};
        BOOST_REQUIRE(mdb_put(transaction, raw.table, &key_val, &value_val, 0) == MDB_SUCCESS);
    };
    lmdb::Transaction reader;
    for (int round = 0; round < 300; ++round) {
        if (random.below(20) == 0) reader = lmdb::begin(raw.environment.get(), MDB_RDONLY).value();
        if (random.below(10) == 0) reader.reset();
        lmdb::Transaction writer = lmdb::begin(raw.environment.get(), 0).value();
        const std::uint64_t keys = random.below(4) == 0 ? 1000 : 50;
        for (std::uint64_t i = random.below(200); i > 0; --i) {
            std::uint64_t key = random.below(keys);
            MDB_val key_val{sizeof(key), &key};
            if (random.below(3) == 0) {
                (void)mdb_del(writer.get(), raw.table, &key_val, nullptr);  // may not be there
            } else {
                put(writer.get(), key);
            }
        }
        if (random.below(50) == 0)
            BOOST_REQUIRE(mdb_drop(writer.get(), raw.table, 0) == MDB_SUCCESS);
        if (random.below(8) == 0) continue;  // given up
        BOOST_REQUIRE(lmdb::commit_transaction(std::move(writer)).has_value());
        const auto any_row = [](std::string_view, BytesView, BytesView) { return true; };
        const Result<PageReport> report =
            walk_lmdb_pages(directory.path("data.mdb"), any_row, nullptr);
        BOOST_REQUIRE_MESSAGE(report.has_value(), (report ? "" : report.error().message));
        const std::string finding = report->findings.empty() ? "" : report->findings.front();
        BOOST_REQUIRE_MESSAGE(report->faults == 0U,
                              "seed " << seed << " round " << round << ": " << finding);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_sound_base_has_no_findings_and_every_page_has_one_place) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    const PageReport report = check(path);
    BOOST_TEST(report.sound());
    BOOST_TEST(report.rows == 301U);  // and the version of the format
    BOOST_TEST(report.pages_used + report.pages_free + 2 == report.pages);
    BOOST_TEST(report.pages_free > 0U);
    BOOST_TEST(report.findings.empty());
}

BOOST_AUTO_TEST_CASE(whatever_lmdb_writes_is_sound) {
    for (const std::uint64_t seed : test::seeds(5)) write_and_check(seed);
}

BOOST_AUTO_TEST_CASE(an_open_base_is_not_walked) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    const auto base = open_lmdb_base(path, small_map);
    const Result<PageReport> report = check_lmdb_base(path, nullptr);
    BOOST_REQUIRE(!report.has_value());
    BOOST_TEST((report.error().code == Code::locked));
}

BOOST_AUTO_TEST_CASE(progress_can_give_up) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    {
        const auto base = open_lmdb_base(path, small_map);
        BaseChanges changes;
        for (int i = 0; i < 20000; ++i) changes[0][std::to_string(i)] = Bytes(100, 'v');
        BOOST_REQUIRE((*base)->commit(changes).has_value());
    }
    const Result<PageReport> report =
        check_lmdb_base(path, [](std::uint64_t done, std::uint64_t total) {
            BOOST_TEST(done <= total);
            return false;
        });
    BOOST_REQUIRE(!report.has_value());
    BOOST_TEST((report.error().code == Code::unavailable));
}

BOOST_AUTO_TEST_CASE(a_flipped_value_is_a_damaged_row_and_no_fault_of_the_structure) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    flip(path, find(path, "key 7c") + 10, 3);
    const PageReport report = check(path);
    BOOST_TEST(report.faults == 0U);
    BOOST_TEST(report.rows_damaged == 1U);
    BOOST_REQUIRE(report.findings.size() == 1U);
    BOOST_TEST(report.findings[0].find("key 7") != std::string::npos);
}

/// Every bit of the header and the pointers of a leaf: what LMDB would believe.
BOOST_AUTO_TEST_CASE(every_flipped_bit_of_a_pages_header_is_found) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    const std::uint64_t page = find(path, "key 7c") / 4096 * 4096;
    for (std::uint64_t offset = page; offset < page + 24; ++offset) {
        if (offset >= page + 8 && offset < page + 10) continue;  // mp_pad: nobody reads it
        for (unsigned bit = 0; bit < 8; ++bit) {
            flip(path, offset, bit);
            BOOST_TEST(check(path).faults > 0U, "offset " << offset - page << " bit " << bit);
            flip(path, offset, bit);
        }
    }
    BOOST_TEST(check(path).sound());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_or_none_is_an_error) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    std::filesystem::resize_file(path + "/data.mdb", 4096 * 3);
    BOOST_TEST(check(path).faults > 0U);
    std::ofstream(path + "/data.mdb", std::ios::trunc) << Bytes(20000, 'x');
    const Result<PageReport> other = check_lmdb_base(path, nullptr);
    BOOST_REQUIRE(!other.has_value());
    BOOST_TEST((other.error().code == Code::corrupt));
}

/// Of a page header no look-up needs the end of the free space; the next row that is put there
/// would fall onto another one.
BOOST_AUTO_TEST_CASE(a_page_that_disagrees_with_itself_is_never_written_to) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    flip(path, find(path, "key 7c") / 4096 * 4096 + 14, 1);
    const Table table = static_cast<Table>(7 % tables_count);
    {
        const auto base = open_lmdb_base(path, small_map);
        BOOST_REQUIRE(base.has_value());
        BOOST_TEST((*base)->get(table, "key 7").value().has_value());
        const auto ignore = [](BytesView, BytesView) { return true; };
        const Result<bool> looked = (*base)->scan_checked(table, "key 7", "key 8", ignore);
        BOOST_REQUIRE(!looked.has_value());
        BOOST_TEST((looked.error().code == Code::io));
        BOOST_TEST(!(*base)->get(table, "key 7").has_value());
        BaseChanges changes;
        changes[static_cast<std::size_t>(table)]["key 70"] = "value";
        BOOST_TEST(((*base)->commit(changes).error().code == Code::io));
    }
    const auto again = open_lmdb_base(path, small_map);
    BOOST_REQUIRE(!again.has_value());
    BOOST_TEST((again.error().code == Code::corrupt));
}

/// The page above leads to a leaf of long ago: each row on it is sound, and the next commit that
/// comes there frees a page that is free.
BOOST_AUTO_TEST_CASE(a_distrusted_base_with_a_misleading_page_is_never_written_to) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    const auto rows = [](char fill) {
        BaseChanges changes;
        for (int i = 0; i < 300; ++i) changes[0]["key " + std::to_string(i)] = Bytes(40, fill);
        return changes;
    };
    for (char round = 'a'; round < 'f'; ++round) {
        BOOST_REQUIRE(open_base(path, small_map)->commit(rows(round)).has_value());
    }
    const auto misled = [&] {
        const PageReport report = check(path);
        return std::any_of(report.findings.begin(), report.findings.end(), [](BytesView finding) {
            return finding.find("is on the free list as well") != Bytes::npos;
        });
    };
    const Bytes content = read_file(path + "/data.mdb");
    bool done = false;
    for (std::uint64_t page = 2 * 4096; page < content.size() && !done; page += 4096) {
        if (content[page + 10] != 1) continue;  // a branch
        for (unsigned bit = 0; bit < 5 && !done; ++bit) {
            const auto low = static_cast<unsigned char>(content[page + 16]);
            const auto high = static_cast<unsigned char>(content[page + 17]);
            const std::uint64_t first = page + low + 256U * high;
            flip(path, first, bit);
            done = misled();
            if (!done) flip(path, first, bit);
        }
    }
    BOOST_REQUIRE(done);
    {
        const auto base = open_base(path, small_map);
        base->distrust();
        const Result<void> changed = base->commit(rows('g'));
        BOOST_REQUIRE(!changed.has_value());
        BOOST_TEST((changed.error().code == Code::io));
        BOOST_TEST(!base->purge({Purge{Table::cells, std::nullopt}}).has_value());
    }
    const auto again = open_lmdb_base(path, small_map);
    BOOST_REQUIRE(!again.has_value());
    BOOST_TEST((again.error().code == Code::corrupt));
}

/// LMDB reads well below a page whose flags say that it need not be written, and leaves out what
/// it changes there. Found without a look at the rows.
BOOST_AUTO_TEST_CASE(every_flipped_bit_of_a_page_above_rows_is_found_without_reading_rows) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    BaseChanges changes;
    for (int i = 0; i < 300; ++i) changes[0]["key " + std::to_string(i)] = Bytes(40, 'v');
    BOOST_REQUIRE(open_base(path, small_map)->commit(changes).has_value());
    const Bytes content = read_file(path + "/data.mdb");
    std::uint64_t page = 2 * 4096;
    while (page < content.size() && content[page + 10] != 1) page += 4096;
    BOOST_REQUIRE(page < content.size());
    const auto rows_read = [](std::string_view table, BytesView, BytesView) {
        BOOST_TEST(table != "cells");
        return true;
    };
    const auto faults = [&] {
        const Result<PageReport> report =
            walk_lmdb_pages(path + "/data.mdb", rows_read, nullptr, {"cells"});
        return report ? report->faults : 1;
    };
    BOOST_TEST(faults() == 0U);
    const auto nodes_end = static_cast<unsigned char>(content[page + 12]);
    for (std::uint64_t offset = page; offset < page + nodes_end; ++offset) {
        if (offset == page + 8 || offset == page + 9) continue;  // mp_pad: nobody reads it
        for (unsigned bit = 0; bit < 8; ++bit) {
            flip(path, offset, bit);
            BOOST_TEST_INFO("byte " << offset - page << ", bit " << bit);
            BOOST_TEST(faults() > 0U);
            flip(path, offset, bit);
        }
    }
    // A base that was opened and not distrusted finds it before it writes.
    flip(path, page + 11, 7);
    {
        const auto base = open_base(path, small_map);
        BOOST_TEST(base->get(Table::cells, "key 7").value().has_value());
        BOOST_TEST((base->commit(changes).error().code == Code::io));
    }
    BOOST_TEST((open_lmdb_base(path, small_map).error().code == Code::corrupt));
}

/// Of a damaged row the key may be what is damaged; that it seems out of order is no fault of the
/// structure, and the base may be written to and purged.
BOOST_AUTO_TEST_CASE(a_damaged_key_is_a_damaged_row_and_no_fault_of_the_structure) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    flip(path, find(path, "key 7c"), 4);  // "{ey 7"
    PageReport report = check(path);
    BOOST_TEST(report.faults == 0U);
    BOOST_TEST(report.rows_damaged == 1U);
    {
        const auto base = open_base(path, small_map);
        base->distrust();
        BOOST_TEST(
            base->purge({Purge{static_cast<Table>(7 % tables_count), std::nullopt}}).has_value());
        BOOST_TEST(base->commit(BaseChanges()).has_value());
    }
    report = check(path);
    BOOST_TEST(report.sound());
    BOOST_TEST(report.rows == 300U);
}

/// A damaged key that seems to stand outside the range in which it is.
BOOST_AUTO_TEST_CASE(a_walk_tells_of_damaged_rows_beside_those_it_meets) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    const auto scan = [&](BytesView from, BytesView to) {
        const auto base = open_lmdb_base(path, small_map);
        BOOST_REQUIRE(base.has_value());
        std::size_t met = 0;
        const auto count = [&](BytesView, BytesView) { return ++met, true; };
        const Result<bool> sound =
            (*base)->scan_checked(static_cast<Table>(7 % tables_count), from, to, count);
        BOOST_REQUIRE(sound.has_value());
        return std::pair(*sound, met);
    };
    const auto [sound, met] = scan("key 6", "key 8");
    BOOST_TEST(sound);
    flip(path, find(path, "key 7c"), 4);  // "{ey 7"
    const auto [sound_then, met_then] = scan("key 6", "key 8");
    BOOST_TEST(!sound_then);
    BOOST_TEST(met_then < met);
}

/// After a start that did not end well a base is looked at before LMDB may believe it.
BOOST_AUTO_TEST_CASE(a_suspect_base_with_a_damaged_page_is_refused_by_name) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    BOOST_TEST(!std::filesystem::exists(path + "/" + suspect_name));  // it was closed
    const std::uint64_t page = find(path, "key 7c") / 4096 * 4096;
    flip(path, page + 13, 5);  // where the free space begins: LMDB would read far outside
    std::ofstream(path + "/" + suspect_name);
    const auto base = open_lmdb_base(path, small_map);
    BOOST_REQUIRE(!base.has_value());
    BOOST_TEST((base.error().code == Code::corrupt));
    BOOST_TEST(base.error().message.find("syncline scrub") != std::string::npos);
    flip(path, page + 13, 5);
    const auto mended = open_lmdb_base(path, small_map);
    BOOST_REQUIRE(mended.has_value());
    BOOST_TEST(std::filesystem::exists(path + "/" + suspect_name));
    BaseChanges changes;
    changes[0]["key"] = "value";
    BOOST_REQUIRE((*mended)->commit(changes).has_value());
    BOOST_TEST(!std::filesystem::exists(path + "/" + suspect_name));
}

/// A key that was changed cannot be looked up; it goes by its place.
BOOST_AUTO_TEST_CASE(purge_removes_ranges_and_all_that_fails_its_checksum) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    {
        const auto base = open_lmdb_base(path, small_map);
        BaseChanges changes;
        for (const char* const key : {"a1", "a2", "b1", "c1", "c2", "d1"}) {
            changes[0][key] = "value";
            changes[1][key] = "other";
        }
        BOOST_REQUIRE((*base)->commit(changes).has_value());
    }
    flip(path, find(path, "c1other") + 1, 1);  // the key is "c3" now
    const auto base = open_lmdb_base(path, small_map);
    const auto rows_of = [&](Table table) {
        std::vector<Bytes> rows;
        const Result<void> walked = (*base)->scan(table, "", [&](BytesView key, BytesView) {
            rows.emplace_back(key);
            return true;
        });
        BOOST_TEST(walked.has_value());
        (*base)->end_turn();
        return rows;
    };
    BOOST_REQUIRE((*base)->purge(
        {Purge{Table::cells, RowRange{"a2", "c2"}}, Purge{Table::counts, std::nullopt}}));
    const std::vector<Bytes> cells = rows_of(Table::cells);
    const std::vector<Bytes> counts = rows_of(Table::counts);
    BOOST_TEST((cells == std::vector<Bytes>{"a1", "c2", "d1"}));
    BOOST_TEST((counts == std::vector<Bytes>{"a1", "a2", "b1", "c2", "d1"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
