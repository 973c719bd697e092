// LMDB writes to the pages on its free list: a damaged list is noticed before the first write.
#include "storage/free_list.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/storage/base_files.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(free_list)
namespace {

constexpr LmdbOptions small_map{64 << 20};

/// A base of which some pages are free.
void fill(const std::string& path) {
    const auto base = open_base(path, small_map);
    for (int round = 0; round < 3; ++round) {
        BaseChanges changes;
        for (int i = 0; i < 300; ++i) {
            changes[0]["key " + std::to_string(i)] = Bytes(40, static_cast<char>('a' + round));
        }
        BOOST_REQUIRE(base->commit(changes).has_value());
    }
}

Bytes read_data(const std::string& path) {
    return read_file(path + "/data.mdb");
}

std::uint64_t number_at(BytesView bytes, std::size_t at) {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    return number;
}

/// Where the newer meta page says that the free list, or the list of tables, begins: one page each.
std::uint64_t page_of(BytesView data, std::size_t root_at) {
    const bool second = number_at(data, 4096 + 144) > number_at(data, 144);
    return number_at(data, (second ? 4096 : 0) + root_at) * 4096;
}
std::uint64_t page_of_list(BytesView data) {
    return page_of(data, 80);
}
std::uint64_t page_of_tables(BytesView data) {
    return page_of(data, 128);
}

Result<void> open_once(const std::string& path) {
    const auto base = open_lmdb_base(path, small_map);
    return base ? Result<void>() : base.error();
}

BOOST_AUTO_TEST_CASE(a_base_whose_free_list_is_damaged_is_refused) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    BOOST_TEST(open_once(path).has_value());
    // The last number on the page is that of a free page; another one may be in use.
    const std::uint64_t offset = page_of_list(read_data(path)) + 4088;
    flip_data(path, offset, 1);
    const Result<void> opened = open_once(path);
    BOOST_REQUIRE(!opened.has_value());
    BOOST_TEST((opened.error().code == Code::corrupt));
    flip_data(path, offset, 1);
    BOOST_TEST(open_once(path).has_value());
}

BOOST_AUTO_TEST_CASE(a_base_whose_list_of_tables_is_damaged_is_refused) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    fill(path);
    // The size of what is said of the table `meta`.
    const Bytes data = read_data(path);
    flip_data(path, data.find("meta", page_of_tables(data)) - 8, 1);
    const Result<void> opened = open_once(path);
    BOOST_REQUIRE(!opened.has_value());
    BOOST_TEST((opened.error().code == Code::corrupt));
}

BOOST_AUTO_TEST_CASE(without_a_seal_of_the_last_commit_all_pages_are_looked_at) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    const std::string seal = path + "/FREE-LIST";
    fill(path);
    const auto old_seal = directory.path("old");
    std::filesystem::copy_file(seal, old_seal);
    fill(path);
    const std::uint64_t offset = page_of_list(read_data(path)) + 4088;
    for (const int how : {0, 1, 2}) {
        if (how == 0) std::filesystem::remove(seal);
        if (how == 1) {
            std::filesystem::copy_file(old_seal, seal,
                                       std::filesystem::copy_options::overwrite_existing);
        }
        if (how == 2) std::ofstream(seal, std::ios::binary | std::ios::trunc) << "torn";
        flip_data(path, offset, 1);
        BOOST_TEST(!open_once(path).has_value());
        flip_data(path, offset, 1);
        BOOST_TEST(open_once(path).has_value());  // and it is sealed again
    }
}

BOOST_AUTO_TEST_CASE(a_seal_is_compared_with_the_list_of_its_commit_only) {
    const TemporaryDirectory directory;
    using lmdb::FreeListSeal;
    FreeListSeal seal(directory.path(""));
    const lmdb::FreeList list{7, 3, 1, 12345};
    BOOST_TEST((seal.compare(list).value() == FreeListSeal::Finding::unknown));
    seal.set(list);
    BOOST_TEST((seal.compare(list).value() == FreeListSeal::Finding::same));
    BOOST_TEST((seal.compare({7, 3, 1, 12346}).value() == FreeListSeal::Finding::different));
    BOOST_TEST((seal.compare({8, 3, 1, 12345}).value() == FreeListSeal::Finding::unknown));
    seal.set({8, 3, 1, 1});
    BOOST_TEST((seal.compare({8, 3, 1, 1}).value() == FreeListSeal::Finding::same));
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
