/// Bases of other versions: brought to this one where there is a way, else refused.
#include "storage/migration.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "core/base/hash.hpp"
#include "storage/lmdb.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(migration)
namespace {

Result<std::unique_ptr<Base>> open_as(const std::string& path, const BaseFormat& format) {
    return open_lmdb_base(path, {.map_bytes = 16ULL << 20, .format = &format});
}

void make_base(const std::string& path, const BaseFormat& format) {
    const auto base = open_as(path, format);
    BOOST_REQUIRE_MESSAGE(base.has_value(), (base ? "" : base.error().message));
    BaseChanges changes;
    for (int number = 0; number < 300; ++number) {
        changes[0]["key " + std::to_string(number)] = "old";
    }
    BOOST_REQUIRE((*base)->commit(changes).has_value());
}

Error refusal(const std::string& path, const BaseFormat& format) {
    const auto base = open_as(path, format);
    BOOST_REQUIRE(!base.has_value());
    return base.error();
}

std::uint64_t checksum(BytesView key, BytesView payload) {
    return hash64(payload, hash64(key, static_cast<std::uint64_t>(Table::cells)));
}

/// As a real step would: every cell gets another payload, and some rows go to a new table.
Result<void> rewrite_cells(MigrationTables& tables) {
    SYNCLINE_CHECK(tables.create("moved"));
    std::vector<Bytes> keys;
    SYNCLINE_CHECK(tables.scan("cells", "", [&](BytesView key, BytesView stored) {
        BOOST_TEST(stored.size() == 3U + 8U);
        keys.emplace_back(key);
        return true;
    }));
    for (const Bytes& key : keys) {
        if (key == "key 7") {
            SYNCLINE_CHECK(tables.put("moved", key, "anything"));
            SYNCLINE_CHECK(tables.erase("cells", key));
            continue;
        }
        Bytes stored = "new";
        ByteWriter(stored).u64(checksum(key, "new"));
        SYNCLINE_CHECK(tables.put("cells", key, stored));
    }
    return tables.erase("cells", "absent");
}

Result<void> nothing(MigrationTables& /*tables*/) {
    return {};
}

Result<void> fail_after_a_change(MigrationTables& tables) {
    SYNCLINE_CHECK(tables.put("cells", "key 1", "damaged"));
    return Error{Code::corrupt, "a row that no program wrote"};
}

void damage_version(const std::string& path, BytesView bytes) {
    const std::string name = path + "/data.mdb";
    std::ifstream in(name, std::ios::binary);
    Bytes content(std::istreambuf_iterator<char>(in), {});
    in.close();
    Bytes stored = "version";
    ByteWriter(stored).u64(base_format.version);
    std::size_t found = 0;
    for (std::size_t at = content.find(stored); at != Bytes::npos; at = content.find(stored, at)) {
        content.replace(at + 7, bytes.size(), bytes);
        at += stored.size();
        ++found;
    }
    BOOST_REQUIRE(found > 0);
    std::ofstream(name, std::ios::binary | std::ios::trunc)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(steps_lead_from_an_old_version_to_this_one) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    make_base(path, {5, {}});
    constexpr MigrationStep steps[] = {{4, fail_after_a_change}, {5, rewrite_cells}, {6, nothing}};
    const BaseFormat next = {7, steps};
    for (int time = 0; time < 2; ++time) {  // the second time it is of this version already
        const auto base = open_as(path, next);
        BOOST_REQUIRE_MESSAGE(base.has_value(), (base ? "" : base.error().message));
        BOOST_TEST((*base)->get(Table::cells, "key 6")->value() == "new");
        BOOST_TEST(!(*base)->get(Table::cells, "key 7")->has_value());
        BOOST_TEST((*base)->get(Table::cells, "key 299")->value() == "new");
    }
    // There is no way back.
    const Error refused = refusal(path, {5, {}});
    BOOST_TEST(code_name(refused.code) == "version");
    BOOST_TEST(
        refused.message.find("has format version 7, this program knows 5; a newer program") !=
        std::string::npos);
}

BOOST_AUTO_TEST_CASE(failed_step_changes_nothing) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    make_base(path, {5, {}});
    constexpr MigrationStep steps[] = {{5, rewrite_cells}, {6, fail_after_a_change}};
    const Error refused = refusal(path, {7, steps});
    BOOST_TEST(code_name(refused.code) == "corrupt");
    BOOST_TEST(refused.message.find("from format version 6: a row that no program wrote") !=
               std::string::npos);
    const auto base = open_as(path, {5, {}});
    BOOST_REQUIRE(base.has_value());
    BOOST_TEST((*base)->get(Table::cells, "key 1")->value() == "old");
    BOOST_TEST((*base)->get(Table::cells, "key 7")->value() == "old");
}

BOOST_AUTO_TEST_CASE(versions_without_a_way_are_refused) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    make_base(path, {4, {}});
    const Error old = refusal(path, base_format);
    BOOST_TEST(code_name(old.code) == "version");
    BOOST_TEST(old.message.find("the build that made it still reads it") != std::string::npos);
    constexpr MigrationStep gap[] = {{4, nothing}, {6, nothing}};
    BOOST_TEST(code_name(refusal(path, {7, gap}).code) == "version");
    BOOST_TEST(open_as(path, {4, {}}).has_value());
}

BOOST_AUTO_TEST_CASE(damaged_version_is_corrupt) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    make_base(path, base_format);
    damage_version(path, Bytes(8, '\0'));
    const Error refused = refusal(path, base_format);
    BOOST_TEST(code_name(refused.code) == "corrupt");
    BOOST_TEST(refused.message.find("damaged format version") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(foreign_file_is_refused) {
    const TemporaryDirectory directory;
    const std::string path = directory.path("base");
    make_base(path, base_format);
    std::ofstream(path + "/data.mdb", std::ios::binary | std::ios::trunc) << Bytes(100000, 'x');
    BOOST_TEST(code_name(refusal(path, base_format).code) == "corrupt");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
