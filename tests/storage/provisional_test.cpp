#include "storage/provisional.hpp"

#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <filesystem>
#include <thread>

#include "tests/storage/base_files.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(provisional)
namespace {

/// Every commit is made without a sync first.
constexpr LmdbOptions gradual = {16ULL << 20, 0, 1};
constexpr LmdbOptions at_once = {16ULL << 20};
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t meta_number_at = 144;

void put(Base& base, const Bytes& key, const Bytes& value) {
    BaseChanges changes;
    changes[0][key] = value;
    BOOST_REQUIRE(base.commit(changes).has_value());
}

std::uint64_t last_number(const std::string& base_path) {
    const Result<std::uint64_t> number = last_lmdb_commit(base_path + "/data.mdb");
    BOOST_REQUIRE(number.has_value());
    return *number;
}

std::uint64_t marked(const std::string& base_path) {
    const Result<std::uint64_t> number = ProvisionalMark::read(base_path);
    BOOST_REQUIRE(number.has_value());
    return *number;
}

/// Two commits, of which the second changes what the first one put. It is marked: as if it had been
/// made without a sync, and the power had gone.
struct MarkedBase {
    MarkedBase() {
        {
            const auto base = open_base(path, at_once);
            put(*base, "key", "before");
            put(*base, "key", "after");
        }
        number = last_number(path);
        BOOST_REQUIRE(ProvisionalMark(path).set(number).has_value());
        mark = read_file(path + "/PROVISIONAL");
    }

    TemporaryDirectory directory;
    std::string path = directory.path("base");
    std::uint64_t number = 0;  ///< of the second one
    Bytes mark;                ///< as it stands in its file
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(last_commit_is_taken_back_and_only_once, MarkedBase) {
    {
        const auto base = open_base(path, at_once);
        BOOST_TEST(base->get(Table::cells, "key")->value() == "before");
        BOOST_TEST(last_number(path) == number - 1);
        put(*base, "key", "another");  // has the number of the one that is gone
        BOOST_TEST(last_number(path) == number);
    }
    const auto base = open_base(path, at_once);
    BOOST_TEST(base->get(Table::cells, "key")->value() == "another");
}

BOOST_FIXTURE_TEST_CASE(commits_after_it_make_it_durable, MarkedBase) {
    write_file(path + "/PROVISIONAL", "");
    {
        const auto base = open_base(path, at_once);
        put(*base, "other", "value");
    }
    write_file(path + "/PROVISIONAL", mark);
    const auto base = open_base(path, at_once);
    BOOST_TEST(base->get(Table::cells, "key")->value() == "after");
    BOOST_TEST(base->get(Table::cells, "other")->value() == "value");
}

BOOST_FIXTURE_TEST_CASE(torn_mark_is_none, MarkedBase) {
    BOOST_TEST(mark.size() == 16U);
    for (std::size_t kept = 0; kept < mark.size(); ++kept) {
        Bytes torn = mark.substr(0, kept);
        if (kept % 2 == 0) torn.resize(mark.size());
        write_file(path + "/PROVISIONAL", torn);
        const auto base = open_base(path, at_once);
        BOOST_TEST(base->get(Table::cells, "key")->value() == "after");
    }
}

BOOST_FIXTURE_TEST_CASE(without_a_state_before_it_is_damage, MarkedBase) {
    Bytes content = read_file(path + "/data.mdb");
    const std::uint64_t wrong = number - 3;
    const std::size_t page = (number - 1) % 2;
    std::memcpy(content.data() + page * page_bytes + meta_number_at, &wrong, sizeof(wrong));
    write_file(path + "/data.mdb", content);
    const auto base = open_lmdb_base(path, at_once);
    BOOST_REQUIRE(!base.has_value());
    BOOST_TEST(code_name(base.error().code) == "corrupt");
    BOOST_TEST(read_file(path + "/data.mdb") == content);
}

BOOST_FIXTURE_TEST_CASE(taking_back_can_be_repeated, MarkedBase) {
    BOOST_REQUIRE(take_back_provisional(path).has_value());
    const Bytes content = read_file(path + "/data.mdb");
    BOOST_TEST(marked(path) == 0U);
    // It failed between the two files.
    write_file(path + "/PROVISIONAL", mark);
    BOOST_REQUIRE(take_back_provisional(path).has_value());
    BOOST_TEST(read_file(path + "/data.mdb") == content);
    BOOST_TEST(marked(path) == 0U);
    BOOST_TEST(last_number(path) == number - 1);
}

BOOST_AUTO_TEST_CASE(finished_commits_stay) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    std::uint64_t last = 0;
    for (int round = 0; round < 4; ++round) {
        const auto base = open_base(path, gradual);
        for (int row = 0; row < round; ++row) {
            BOOST_TEST(base->get(Table::cells, std::to_string(row))->value() == "value");
        }
        if (round % 2 == 1) base->hurry(true);
        put(*base, std::to_string(round), Bytes("value"));
        BOOST_TEST(marked(path) == 0U);
        BOOST_TEST(last_number(path) > last);
        last = last_number(path);
    }
    BOOST_TEST(std::filesystem::exists(path + "/PROVISIONAL"));
}

BOOST_AUTO_TEST_CASE(writing_back_reports_what_fails_unless_somebody_waits) {
    Haste haste;
    const Result<void> failed = write_back_gradually(-1, haste);
    BOOST_REQUIRE(!failed.has_value());
    BOOST_TEST(code_name(failed.error().code) == "io");

    const TemporaryDirectory directory;
    const std::string path = directory.path("file");
    write_file(path, Bytes(3 * limits::mib, 'x'));
    // Nothing can be done through such a descriptor, which is what some file systems say, too.
    const Descriptor file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    BOOST_TEST(write_back_gradually(file.get(), haste).has_value());
    BOOST_TEST(read_file(path) == Bytes(3 * limits::mib, 'x'));
}

BOOST_AUTO_TEST_CASE(pauses_end_when_somebody_waits) {
    Haste haste;
    std::thread waiting([&]() { haste.pause(std::chrono::hours(1)); });
    haste.set(true);
    waiting.join();
    BOOST_TEST(haste.waited_for());
    haste.pause(std::chrono::hours(1));
    haste.set(false);
    BOOST_TEST(!haste.waited_for());
    haste.pause(std::chrono::microseconds(1));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
