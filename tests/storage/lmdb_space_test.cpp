/// A base that fills up: what it tells of it, that a full map or a reader that is held damages
/// nothing, and that it goes on when there is room again.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "storage/lmdb.hpp"
#include "tests/storage/base_files.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(lmdb_space)
namespace {

constexpr std::uint64_t mib = 1ULL << 20;

Bytes key_of(int number) {
    return "key " + std::to_string(1000000 + number);
}

Bytes value_of(int number) {
    return Bytes(3000, static_cast<char>('a' + number % 26));
}

Result<void> put(Base& base, int number) {
    BaseChanges changes;
    changes[0][key_of(number)] = value_of(number);
    return base.commit(changes);
}

Result<void> erase(Base& base, int first, int count) {
    BaseChanges changes;
    for (int number = first; number < first + count; ++number) {
        changes[0][key_of(number)] = std::nullopt;
    }
    return base.commit(changes);
}

/// Puts rows, one a commit, until one finds no room. Answers with how many stand.
int fill(Base& base) {
    for (int number = 0;; ++number) {
        BOOST_REQUIRE(number < 100000);
        const Result<void> done = put(base, number);
        if (done) continue;
        BOOST_TEST(code_name(done.error().code) == "no_space");
        BOOST_TEST(done.error().message.find("map") != std::string::npos);
        return number;
    }
}

void check_rows(Base& base, int first, int end) {
    int next = first;
    BOOST_REQUIRE(base.scan(Table::cells, "", [&](BytesView key, BytesView value) {
        BOOST_REQUIRE(key == key_of(next));
        BOOST_REQUIRE(value == value_of(next));
        ++next;
        return true;
    }));
    BOOST_TEST(next == end);
    base.end_turn();
}

}  // namespace

BOOST_AUTO_TEST_CASE(full_map_refuses_without_harm_and_takes_more_when_it_has_grown) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    int rows = 0;
    {
        const auto base = open_base(path, {.map_bytes = mib});
        rows = fill(*base);
        BOOST_TEST(rows > 100);
        check_rows(*base, 0, rows);
        // The same commit goes through once there is room; nothing of the failed ones is left.
        BOOST_TEST(!put(*base, rows).has_value());
        BOOST_TEST(base->grow(2 * mib).value());
        BOOST_TEST(base->space().map_bytes >= 2 * mib);
        BOOST_REQUIRE(put(*base, rows).has_value());
        check_rows(*base, 0, ++rows);
        const int more = fill(*base);  // the first ones once more, then others
        BOOST_TEST(more > rows * 3 / 2);
        rows = more;
    }
    const auto base = open_base(path, {.map_bytes = 4 * mib});
    check_rows(*base, 0, rows);
    BOOST_REQUIRE(erase(*base, 0, rows - 1).has_value());
    check_rows(*base, rows - 1, rows);
}

BOOST_AUTO_TEST_CASE(removals_make_room_in_a_map_that_is_not_quite_full) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"), {.map_bytes = mib});
    int rows = 0;
    while (base->space().used_bytes() < mib * 85 / 100) BOOST_REQUIRE(put(*base, rows++));
    const std::uint64_t full = base->space().used_bytes();
    BOOST_REQUIRE(erase(*base, 0, rows / 2).has_value());
    const BaseSpace after = base->space();
    BOOST_TEST(after.used_bytes() < full * 6 / 10);
    BOOST_TEST(after.free_bytes > full * 4 / 10);
    BOOST_TEST(after.fresh_bytes >
               full * 4 / 10);  // not for the next commit, but for the one after
    BOOST_REQUIRE(put(*base, rows - 1));
    BOOST_TEST(base->space().free_bytes - base->space().fresh_bytes > full * 3 / 10);
    check_rows(*base, rows / 2, rows);
    for (int number = 0; number < rows / 3; ++number) BOOST_REQUIRE(put(*base, number));
    BOOST_TEST(base->space().file_bytes <= mib);
}

BOOST_AUTO_TEST_CASE(pages_that_the_last_commit_freed_serve_the_next_one) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"), {.map_bytes = mib});
    int rows = 0;
    while (base->space().used_bytes() < mib * 80 / 100) BOOST_REQUIRE(put(*base, rows++));
    BOOST_REQUIRE(erase(*base, 0, rows).has_value());
    BaseChanges changes;
    for (int number = 0; number < rows * 3 / 4; ++number) {
        changes[0][key_of(number)] = value_of(number);
    }
    BOOST_REQUIRE(base->commit(changes).has_value());
    check_rows(*base, 0, rows * 3 / 4);
}

BOOST_AUTO_TEST_CASE(held_reader_fills_the_map_and_its_end_frees_it) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"), {.map_bytes = mib});
    for (int number = 0; number < 20; ++number) BOOST_REQUIRE(put(*base, number));
    BOOST_REQUIRE(base->get(Table::cells, key_of(0))->has_value());  // and no end of the turn
    // Overwriting few rows needs ever more pages, because the view keeps the old ones.
    std::optional<Error> refused;
    for (int round = 0; !refused && round < 2000; ++round) {
        const Result<void> done = put(*base, round % 20);
        if (!done) refused = done.error();
    }
    BOOST_REQUIRE(refused.has_value());
    BOOST_TEST(code_name(refused->code) == "no_space");
    BOOST_TEST(base->space().reader_commits > 10);
    BOOST_TEST(base->get(Table::cells, key_of(19))->value() == value_of(19));
    BOOST_TEST(code_name(erase(*base, 0, 1).error().code) == "no_space");

    base->end_turn();
    BOOST_REQUIRE(erase(*base, 0, 10).has_value());
    BOOST_TEST(base->space().reader_commits == 0);
    check_rows(*base, 10, 20);
    for (int round = 0; round < 300; ++round) BOOST_REQUIRE(put(*base, 10 + round % 10));
}

BOOST_AUTO_TEST_CASE(reader_of_another_process_is_seen_and_growth_lets_removals_through) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    const auto base = open_base(path, {.map_bytes = mib});
    for (int number = 0; number < 20; ++number) BOOST_REQUIRE(put(*base, number));
    int to_parent[2];
    int to_child[2];
    BOOST_REQUIRE(::pipe(to_parent) == 0);
    BOOST_REQUIRE(::pipe(to_child) == 0);
    // The tool of LMDB holds no view so long as to be caught; a process of ours does. It opens the
    // files anew after exec would, so that no environment crosses the fork.
    const pid_t child = ::fork();
    if (child == 0) {
        // Past our lock, as LMDB's own tools go: only the lock file is moved away for it.
        const std::string lock = path + "/LOCK";
        (void)::rename(lock.c_str(), (lock + ".held").c_str());
        auto other = open_lmdb_base(path, {.map_bytes = mib});
        const bool read = other && (*other)->get(Table::cells, key_of(0));
        char byte = read ? 'y' : 'n';
        (void)!::write(to_parent[1], &byte, 1);
        (void)!::read(to_child[0], &byte, 1);
        ::_exit(0);  // without a goodbye to the environment: its place in the table stays
    }
    char byte = 0;
    BOOST_REQUIRE(::read(to_parent[0], &byte, 1) == 1);
    BOOST_REQUIRE(byte == 'y');
    std::optional<Error> refused;
    for (int round = 0; !refused && round < 2000; ++round) {
        const Result<void> done = put(*base, round % 20);
        if (!done) refused = done.error();
    }
    BOOST_REQUIRE(refused.has_value());
    BOOST_TEST(base->space().reader_commits > 10);
    BOOST_TEST(base->grow(4 * mib).value());
    BOOST_REQUIRE(erase(*base, 0, 10).has_value());

    BOOST_REQUIRE(::write(to_child[1], &byte, 1) == 1);
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_TEST(base->check_readers().value() == 1U);
    BOOST_TEST(base->check_readers().value() == 0U);
    BOOST_REQUIRE(put(*base, 19).has_value());
    BOOST_TEST(base->space().reader_commits == 0);
    check_rows(*base, 10, 20);
    for (const int end : {to_parent[0], to_parent[1], to_child[0], to_child[1]}) ::close(end);
}

BOOST_AUTO_TEST_CASE(map_grows_between_commits_of_another_thread) {
    const TemporaryDirectory directory;
    const auto base = open_base(directory.path("base"), {.map_bytes = 4 * mib});
    std::atomic<int> committed = 0;
    std::atomic<bool> over = false;
    std::thread committer([&] {
        while (!over) {
            if (put(*base, 0)) ++committed;
        }
    });
    int grown = 0;
    while (grown < 20 || committed < 20) {
        const auto row = base->get(Table::cells, key_of(0));
        BOOST_REQUIRE(row.has_value());
        if (*row) BOOST_REQUIRE(**row == value_of(0));
        const Result<bool> grows = base->grow(base->space().map_bytes + mib);
        BOOST_REQUIRE(grows.has_value());
        grown += *grows ? 1 : 0;
        base->end_turn();
        std::this_thread::yield();
    }
    over = true;
    committer.join();
    BOOST_TEST(committed > 0);
    check_rows(*base, 0, 1);
}

BOOST_AUTO_TEST_CASE(room_of_the_disk_is_set_aside_behind_the_file) {
    const TemporaryDirectory directory;
    const int probe = ::open(directory.path("probe").c_str(), O_RDWR | O_CREAT, 0600);
    BOOST_REQUIRE(probe >= 0);
    const bool able = ::fallocate(probe, FALLOC_FL_KEEP_SIZE, 0, 1 << 20) == 0;
    ::close(probe);
    const auto base =
        open_base(directory.path("base"), {.map_bytes = 16 * mib, .reserve_bytes = 2 * mib});
    if (!able) {
        BOOST_TEST_MESSAGE("skipped: this file system sets nothing aside");
        BOOST_TEST(base->space().reserved_bytes == 0);
        return;
    }
    BOOST_TEST(base->space().reserved_bytes >= 2 * mib);
    for (int number = 0; number < 1000; ++number) BOOST_REQUIRE(put(*base, number));
    BOOST_TEST(base->space().file_bytes > 3 * mib);
    BOOST_TEST(base->space().reserved_bytes >= 2 * mib);
    check_rows(*base, 0, 1000);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
