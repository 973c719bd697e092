#include "tests/storage/memory_disk.hpp"

#include <boost/test/unit_test.hpp>

namespace syncline {
BOOST_AUTO_TEST_SUITE(memory_disk)
namespace {

std::unique_ptr<File> open_file(MemoryDisk& disk, const std::string& name) {
    auto file = disk.open(name);
    BOOST_REQUIRE(file.has_value());
    return std::move(file).value();
}

void make_durable(MemoryDisk& disk, const std::string& name, BytesView content) {
    const auto file = open_file(disk, name);
    BOOST_REQUIRE(file->write_at(0, content).has_value());
    BOOST_REQUIRE(file->sync().has_value());
    BOOST_REQUIRE(disk.sync_directory().has_value());
}

}  // namespace

BOOST_AUTO_TEST_CASE(crash_keeps_synced_bytes_and_some_of_the_other_sectors) {
    std::set<Bytes> outcomes;
    for (const std::uint64_t seed : test::seeds(200)) {
        MemoryDisk disk;
        make_durable(disk, "a", Bytes(1024, 'o'));
        const auto file = open_file(disk, "a");
        BOOST_REQUIRE(file->write_at(0, Bytes(2048, 'n')).has_value());
        disk.crash(seed);
        const Bytes content = disk.content("a");
        BOOST_TEST(content.size() >= 1024U);
        for (std::size_t sector = 0; sector * 512 < content.size(); ++sector) {
            const Bytes part = content.substr(sector * 512, 512);
            BOOST_TEST((part == Bytes(512, sector < 2 ? 'o' : '\0') || part == Bytes(512, 'n')));
        }
        outcomes.insert(content);
        BOOST_TEST(!file->read_at(0, 1).has_value());
        BOOST_TEST(!file->write_at(0, "x").has_value());
        BOOST_TEST(!file->sync().has_value());
    }
    BOOST_TEST(outcomes.size() == 16U);  // each of four sectors old or new
}

BOOST_AUTO_TEST_CASE(kill_keeps_everything_and_makes_nothing_durable) {
    MemoryDisk disk;
    make_durable(disk, "a", "old");
    BOOST_REQUIRE(open_file(disk, "a")->write_at(0, "new").has_value());
    disk.kill();
    BOOST_TEST(disk.content("a") == "new");
    std::set<Bytes> outcomes;
    for (const std::uint64_t seed : test::seeds(50)) {
        MemoryDisk copy;
        make_durable(copy, "a", "old");
        BOOST_REQUIRE(open_file(copy, "a")->write_at(0, "new").has_value());
        copy.kill();
        copy.crash(seed);
        outcomes.insert(copy.content("a"));
    }
    BOOST_TEST(outcomes == (std::set<Bytes>{"new", "old"}));
}

BOOST_AUTO_TEST_CASE(names_survive_a_crash_as_far_as_a_journal_got) {
    std::set<std::vector<std::string>> outcomes;
    for (const std::uint64_t seed : test::seeds(100)) {
        MemoryDisk disk;
        make_durable(disk, "a", "1");
        open_file(disk, "b");
        BOOST_REQUIRE(disk.rename("a", "c").has_value());
        BOOST_REQUIRE(disk.remove("b").has_value());
        disk.crash(seed);
        outcomes.insert(disk.names());
    }
    const std::set<std::vector<std::string>> expected = {{"a"}, {"a", "b"}, {"b", "c"}, {"c"}};
    BOOST_TEST((outcomes == expected));
}

BOOST_AUTO_TEST_CASE(failed_sync_leaves_bytes_that_only_readers_see) {
    MemoryDisk disk;
    make_durable(disk, "a", "old");
    {
        const auto file = open_file(disk, "a");
        BOOST_REQUIRE(file->write_at(0, "new").has_value());
        disk.fail_sync();
        BOOST_TEST(!file->sync().has_value());
        BOOST_TEST(file->sync().has_value());
        BOOST_TEST(file->read_at(0, 3).value() == "new");
    }
    disk.crash(1);
    BOOST_TEST(disk.content("a") == "old");
}

BOOST_AUTO_TEST_CASE(injected_failures_strike_once_at_their_call) {
    MemoryDisk disk;
    const auto file = open_file(disk, "a");
    disk.fail_write(1);
    BOOST_TEST(file->write_at(0, "aa").has_value());
    BOOST_TEST(!file->write_at(2, "bb").has_value());
    BOOST_TEST(file->write_at(2, "cc").has_value());
    BOOST_TEST(disk.writes() == 3U);
    disk.fail_sync();
    disk.fail_nothing();
    BOOST_TEST(file->sync().has_value());
    disk.set_capacity(6);
    BOOST_TEST(file->write_at(0, "123456").has_value());
    const auto full = file->write_at(0, "1234567");
    BOOST_REQUIRE(!full.has_value());
    BOOST_TEST((full.error().code == Code::no_space));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
