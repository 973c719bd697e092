#include "storage/lmdb.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <map>
#include <thread>

#include "core/base/hash.hpp"
#include "tests/storage/base_files.hpp"
#include "tests/storage/temporary_directory.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(lmdb)
namespace {

constexpr LmdbOptions small_map = {16ULL << 20};

std::unique_ptr<Base> open_base(const std::string& path) {
    return open_base(path, small_map);
}

void commit_row(Base& base, Table table, const Bytes& key, const Bytes& value) {
    BaseChanges changes;
    changes[static_cast<std::size_t>(table)][key] = value;
    BOOST_REQUIRE(base.commit(changes).has_value());
}

/// A base with one row whose stored bytes `damage` then changes in the file, wherever they stand.
void damage_row(const std::string& path, BytesView stored, BytesView damaged) {
    const std::string file = path + "/data.mdb";
    Bytes content = read_file(file);
    std::size_t found = 0;
    for (std::size_t at = content.find(stored); at != Bytes::npos; at = content.find(stored, at)) {
        content.replace(at, damaged.size(), damaged);
        ++found;
    }
    BOOST_REQUIRE(found > 0);
    write_file(file, content);
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_survive_reopening_in_order_and_by_table) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    {
        const auto base = open_base(path);
        BaseChanges changes;
        changes[0]["b"] = "cell b";
        changes[0]["a"] = "cell a";
        changes[0][Bytes(500, 'k')] = Bytes(1 << 20, 'v');
        changes[1]["a"] = "";
        changes[2]["a"] = "meta a";
        BOOST_REQUIRE(base->commit(changes).has_value());
        changes = {};
        changes[0]["b"] = std::nullopt;
        changes[0]["absent"] = std::nullopt;
        BOOST_REQUIRE(base->commit(changes).has_value());
    }
    const auto base = open_base(path);
    BOOST_TEST(base->get(Table::cells, "a")->value() == "cell a");
    BOOST_TEST(!base->get(Table::cells, "b")->has_value());
    BOOST_TEST(base->get(Table::cells, Bytes(500, 'k'))->value() == Bytes(1 << 20, 'v'));
    BOOST_TEST(base->get(Table::counts, "a")->value().empty());
    BOOST_TEST(base->get(Table::meta, "a")->value() == "meta a");
    std::vector<Bytes> keys;
    const auto collect = [&](BytesView key, BytesView) {
        keys.emplace_back(key);
        return true;
    };
    BOOST_REQUIRE(base->scan(Table::cells, "", collect).has_value());
    BOOST_TEST((keys == std::vector<Bytes>{"a", Bytes(500, 'k')}));
    keys.clear();
    BOOST_REQUIRE(base->scan(Table::cells, "aa", collect).has_value());
    BOOST_TEST((keys == std::vector<Bytes>{Bytes(500, 'k')}));
    keys.clear();
    BOOST_REQUIRE(base->scan(Table::cells, "z", collect).has_value());
    BOOST_TEST(keys.empty());
}

/// Long and short ones, with a common beginning or none, above and below 0x80.
BOOST_AUTO_TEST_CASE(rows_stand_in_the_order_of_their_bytes) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"));
    test::SeededRandom random(1);
    constexpr std::string_view letters("\x00\x01\x7f\x80\xff", 5);
    std::map<Bytes, Bytes> rows;
    for (std::size_t i = 0; i < 2000; ++i) {
        Bytes key;
        for (std::size_t size = 1 + random.next() % 20; key.size() < size;) {
            key.push_back(letters[random.next() % letters.size()]);
        }
        rows[key] = std::to_string(i);
    }
    // Each commit holds rows from everywhere, and pages are split in all places.
    for (std::size_t part = 0; part < 20; ++part) {
        BaseChanges changes;
        for (const auto& [key, value] : rows) {
            if (std::stoul(value) % 20 == part) changes[0][key] = value;
        }
        BOOST_REQUIRE(base->commit(changes).has_value());
    }
    std::vector<std::pair<Bytes, Bytes>> found;
    BOOST_REQUIRE(base->scan(Table::cells, {}, {},
                             [&](BytesView key, BytesView value) {
                                 found.emplace_back(key, value);
                                 return true;
                             })
                      .has_value());
    BOOST_CHECK((found == std::vector<std::pair<Bytes, Bytes>>(rows.begin(), rows.end())));
    for (const auto& [key, value] : rows) {
        BOOST_REQUIRE(base->get(Table::cells, key).value() == value);
    }
}

BOOST_AUTO_TEST_CASE(a_table_is_empty_until_it_holds_a_row_and_again_behind_its_last) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"));
    for (unsigned round = 0; round < 3; ++round) {
        BOOST_CHECK(!base->get(Table::counts, "k").value());
        base->end_turn();
        commit_row(*base, Table::counts, "k", "1");
        BOOST_CHECK(base->get(Table::counts, "k").value() == "1");
        BOOST_CHECK(!base->get(Table::counts, "l").value());
        base->end_turn();
        BaseChanges changes;
        changes[static_cast<std::size_t>(Table::counts)]["k"] = std::nullopt;
        BOOST_REQUIRE(base->commit(changes).has_value());
    }
    BOOST_CHECK(!base->get(Table::counts, "k").value());
}

BOOST_AUTO_TEST_CASE(a_turn_reads_one_state) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"));
    commit_row(*base, Table::cells, "a", "1");
    BOOST_TEST(base->get(Table::cells, "a")->value() == "1");
    commit_row(*base, Table::cells, "a", "2");
    BOOST_TEST(base->get(Table::cells, "a")->value() == "1");
    base->end_turn();
    base->end_turn();
    BOOST_TEST(base->get(Table::cells, "a")->value() == "2");
}

BOOST_AUTO_TEST_CASE(turns_that_end_let_old_pages_be_reused) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    const auto base = open_base(path);
    for (int round = 0; round < 100; ++round) {
        commit_row(*base, Table::cells, "key", Bytes(10000, static_cast<char>(round)));
        BOOST_REQUIRE(base->get(Table::cells, "key")->has_value());
        base->end_turn();
    }
    BOOST_TEST(read_file(path + "/data.mdb").size() < 400000U);
}

BOOST_AUTO_TEST_CASE(commits_run_while_another_thread_reads) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"));
    std::atomic<bool> done = false;
    std::thread committer([&] {
        for (int round = 0; round < 100; ++round) {
            BaseChanges changes;
            changes[0]["a"] = std::to_string(round);
            changes[0]["b"] = std::to_string(round);
            if (!base->commit(changes)) break;
        }
        done = true;
    });
    while (!done) {
        const auto a = base->get(Table::cells, "a");
        const auto b = base->get(Table::cells, "b");
        BOOST_REQUIRE((a.has_value() && b.has_value()));
        BOOST_REQUIRE((*a == *b));
        base->end_turn();
    }
    committer.join();
    BOOST_TEST(base->get(Table::cells, "b")->value() == "99");
}

BOOST_AUTO_TEST_CASE(flipped_byte_of_a_row_is_corrupt_and_never_absent) {
    const Bytes value = "a value that is easy to find";
    for (std::size_t offset = 0; offset < value.size() + 8; ++offset) {
        const TemporaryDirectory directory;
        const std::string path = directory.path("base");
        {
            const auto base = open_base(path);
            commit_row(*base, Table::cells, "key\x01", value);
            commit_row(*base, Table::cells, "other", "fine");
        }
        Bytes stored = value;
        ByteWriter(stored).u64(hash64(value, hash64("key\x01", 0)));
        Bytes damaged = stored;
        damaged[offset] = static_cast<char>(damaged[offset] ^ 1);
        damage_row(path, stored, damaged);
        const auto base = open_base(path);
        const auto row = base->get(Table::cells, "key\x01");
        BOOST_REQUIRE(!row.has_value());
        BOOST_TEST((row.error().code == Code::corrupt));
        BOOST_TEST(row.error().message.find("key\\x01") != std::string::npos);
        BOOST_TEST(row.error().message.find("cells") != std::string::npos);
        const auto scan = base->scan(Table::cells, "", [](BytesView, BytesView) { return true; });
        BOOST_REQUIRE(!scan.has_value());
        BOOST_TEST((scan.error().code == Code::corrupt));
        BOOST_TEST(base->get(Table::cells, "other")->value() == "fine");
    }
}

BOOST_AUTO_TEST_CASE(second_opener_gets_a_clear_lock_error) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    auto base = open_base(path);
    const auto second = open_lmdb_base(path, small_map);
    BOOST_REQUIRE(!second.has_value());
    BOOST_TEST((second.error().code == Code::locked));
    BOOST_TEST(second.error().message.find(path) != std::string::npos);
    base.reset();
    (void)open_base(path);
}

BOOST_AUTO_TEST_CASE(half_made_environment_is_made_anew) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    const std::string making = path + ".new";
    BOOST_REQUIRE_EQUAL(::mkdir(making.c_str(), 0700), 0);
    write_file(making + "/data.mdb", "half of something");
    write_file(making + "/lock.mdb", "");
    auto base = open_base(path);
    commit_row(*base, Table::cells, "a", "1");
    base.reset();
    BOOST_TEST(open_base(path)->get(Table::cells, "a")->value() == "1");
    BOOST_TEST(::access(making.c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(lost_data_file_is_not_an_empty_base) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    (void)open_base(path);
    BOOST_REQUIRE_EQUAL(::unlink((path + "/data.mdb").c_str()), 0);
    auto base = open_lmdb_base(path, small_map);
    BOOST_REQUIRE(!base.has_value());
    BOOST_TEST((base.error().code == Code::corrupt));
    write_file(path + "/data.mdb", "");
    base = open_lmdb_base(path, small_map);
    BOOST_REQUIRE(!base.has_value());
    BOOST_TEST((base.error().code == Code::corrupt));
    write_file(path + "/data.mdb", Bytes(8192, 'x'));
    base = open_lmdb_base(path, small_map);
    BOOST_REQUIRE(!base.has_value());
    BOOST_TEST((base.error().code == Code::corrupt));
}

BOOST_AUTO_TEST_CASE(other_format_versions_are_refused_and_left_as_they_are) {
    for (const std::uint64_t version : {1U, 2U, 3U, 4U, 8U}) {
        const TemporaryDirectory directory;
        const std::string path = directory.path("base");
        (void)open_base(path);
        Bytes known = "version";
        ByteWriter(known).u64(7);
        Bytes other = "version";
        ByteWriter(other).u64(version);
        damage_row(path, known, other);
        for (int attempt = 0; attempt < 2; ++attempt) {
            const auto base = open_lmdb_base(path, small_map);
            BOOST_REQUIRE(!base.has_value());
            BOOST_TEST((base.error().code == Code::version));
            const std::string& message = base.error().message;
            BOOST_TEST(message.find("version " + std::to_string(version)) != std::string::npos);
            BOOST_TEST(message.find("this program knows 7") != std::string::npos);
            const bool says_what_to_do = message.find("copy the data") != std::string::npos;
            BOOST_TEST(says_what_to_do == (version < 5));
        }
    }
}

BOOST_AUTO_TEST_CASE(full_map_is_no_space_and_changes_nothing) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    auto base = open_base(path, LmdbOptions{1 << 20});
    commit_row(*base, Table::cells, "kept", "1");
    BaseChanges changes;
    changes[0]["kept"] = "2";
    changes[0]["large"] = Bytes(2 << 20, 'x');
    const auto failed = base->commit(changes);
    BOOST_REQUIRE(!failed.has_value());
    BOOST_TEST((failed.error().code == Code::no_space));
    BOOST_TEST(failed.error().message.find("map") != std::string::npos);
    const auto again = base->commit(changes);
    BOOST_REQUIRE(!again.has_value());
    BOOST_TEST(again.error().message == failed.error().message);
    BOOST_TEST(base->get(Table::cells, "kept")->value() == "1");
    changes = {};
    changes[0]["small"] = "x";
    BOOST_TEST(base->commit(changes).has_value());
    base.reset();
    base = open_base(path, LmdbOptions{8 << 20});
    commit_row(*base, Table::cells, "small", "x");
    BOOST_TEST(base->get(Table::cells, "kept")->value() == "1");
}

BOOST_AUTO_TEST_CASE(failed_commit_changes_nothing_and_ends_committing) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"));
    BaseChanges changes;
    changes[0]["a"] = "1";
    changes[1][Bytes(600, 'k')] = "too long a key for the library";
    BOOST_TEST(!base->commit(changes).has_value());
    BOOST_TEST(!base->get(Table::cells, "a")->has_value());
    changes[1].clear();
    BOOST_TEST(!base->commit(changes).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
