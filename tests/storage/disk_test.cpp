#include "storage/disk.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "tests/storage/temporary_directory.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(posix_disk)
namespace {

unsigned mode_of(const std::string& path) {
    struct stat status {};
    BOOST_REQUIRE_EQUAL(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_keep_what_is_written_and_are_private) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("disk");
    auto disk = open_posix_disk(path);
    BOOST_REQUIRE(disk.has_value());
    auto file = (*disk)->open("a");
    BOOST_REQUIRE(file.has_value());
    BOOST_REQUIRE((*file)->write_at(5, "hello").has_value());
    BOOST_REQUIRE((*file)->write_at(0, "12345").has_value());
    BOOST_REQUIRE((*file)->sync().has_value());
    BOOST_TEST((*file)->size().value() == 10U);
    BOOST_TEST((*file)->read_at(3, 4).value() == "45he");
    BOOST_TEST((*file)->read_at(8, 100).value() == "lo");
    BOOST_TEST((*file)->read_at(10, 1).value().empty());
    BOOST_TEST((*file)->read_at(1000, 1).value().empty());
    BOOST_TEST(mode_of(path) == 0700U);
    BOOST_TEST(mode_of(path + "/a") == 0600U);
}

BOOST_AUTO_TEST_CASE(names_change_and_are_listed_in_order) {
    const TemporaryDirectory directory;
    auto disk = open_posix_disk(directory.path());
    BOOST_REQUIRE(disk.has_value());
    for (const char* name : {"b", "c", "a"}) BOOST_REQUIRE((*disk)->open(name).has_value());
    BOOST_REQUIRE_EQUAL(::mkdir(directory.path("folder").c_str(), 0700), 0);
    const std::vector<std::string> three = {"a", "b", "c"};
    BOOST_TEST((*disk)->list().value() == three);
    BOOST_REQUIRE((*disk)->rename("c", "d").has_value());
    BOOST_REQUIRE((*disk)->remove("a").has_value());
    BOOST_REQUIRE((*disk)->sync_directory().has_value());
    const std::vector<std::string> two = {"b", "d"};
    BOOST_TEST((*disk)->list().value() == two);
}

BOOST_AUTO_TEST_CASE(failures_name_the_path_and_the_reason) {
    const TemporaryDirectory directory;
    const auto none = open_posix_disk(directory.path("missing/disk"));
    BOOST_REQUIRE(!none.has_value());
    BOOST_TEST((none.error().code == Code::io));
    BOOST_TEST(none.error().message.find("missing/disk") != std::string::npos);
    BOOST_TEST(none.error().message.find("No such file") != std::string::npos);
    auto disk = open_posix_disk(directory.path());
    BOOST_TEST(!(*disk)->remove("absent").has_value());
    BOOST_TEST(!(*disk)->rename("absent", "other").has_value());
}

BOOST_AUTO_TEST_CASE(what_is_only_to_be_read_is_neither_made_nor_changed) {
    const TemporaryDirectory directory;
    BOOST_TEST(!open_posix_disk(directory.path("none"), DiskAccess::read).has_value());
    {
        auto disk = open_posix_disk(directory.path("disk"));
        BOOST_REQUIRE((*(*disk)->open("a"))->write_at(0, "hello").has_value());
    }
    auto disk = open_posix_disk(directory.path("disk"), DiskAccess::read);
    BOOST_REQUIRE(disk.has_value());
    auto file = (*disk)->open("a");
    BOOST_REQUIRE(file.has_value());
    BOOST_TEST((*file)->read_at(0, 10).value() == "hello");
    BOOST_TEST(!(*file)->write_at(0, "x").has_value());
    BOOST_TEST(!(*disk)->open("b").has_value());
    BOOST_TEST((*disk)->list().value().size() == 1U);
}

BOOST_AUTO_TEST_CASE(full_device_is_no_space) {
    // The kernel's own full device; writes to it fail with ENOSPC.
    auto disk = open_posix_disk("/dev");
    BOOST_REQUIRE(disk.has_value());
    auto file = (*disk)->open("full");
    BOOST_REQUIRE(file.has_value());
    const auto written = (*file)->write_at(0, "x");
    BOOST_REQUIRE(!written.has_value());
    BOOST_TEST((written.error().code == Code::no_space));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
