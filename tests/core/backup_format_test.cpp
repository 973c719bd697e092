// Bytes of backups on disk: storage/FORMAT.md, section 5.
#include <boost/test/unit_test.hpp>

#include "core/backup/format.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(backup_format)
namespace {

BackupManifest example() {
    BackupManifest manifest;
    for (std::size_t i = 0; i < 16; ++i) {
        manifest.cluster.bytes[i] = static_cast<std::uint8_t>(i + 1);
        manifest.node.bytes[i] = static_cast<std::uint8_t>(0xf0 + i);
    }
    manifest.actor = Actor{0x1a2b3c4d, 1};
    manifest.name = "a";
    manifest.leaf_bits = 16;
    manifest.made_ms = 1'700'000'000'000;
    manifest.log_id = 77;
    manifest.from = 4096;
    manifest.to = 5000;
    manifest.vv_from.add(Dot{manifest.actor, 3});
    manifest.vv.add(Dot{manifest.actor, 5});
    manifest.hlc = Hlc{0x123456};
    manifest.cut.add(Dot{manifest.actor, 2});
    manifest.collects = true;
    manifest.root = LeafSum{Hash128{9, 10}, 4};
    manifest.rows = 4;
    manifest.events = 2;
    manifest.files.push_back(BackupFile{"rows-00000001", 100, Hash128{1, 2}});
    manifest.files.push_back(BackupFile{"log-00000001", 50, Hash128{3, 4}});
    return manifest;
}

}  // namespace

BOOST_AUTO_TEST_CASE(manifests_are_those_of_the_format) {
    const Bytes bytes = encode_manifest(example());
    BOOST_TEST(to_hex(bytes) ==
               "53594e434c42414b000000019276c8c83f7be995dc0015c4100102030405060708090a0b0c0d0e0f"
               "10c410f0f1f2f3f4f5f6f7f8f9fafbfcfdfeffce1a2b3c4d01c4016110cf0000018bcfe568004dcd"
               "1000cd138893ce1a2b3c4d010393ce1a2b3c4d0105ce0012345693ce1a2b3c4d010201090a040402"
               "9294c40d726f77732d303030303030303164010294c40c6c6f672d3030303030303031320304");
    const Result<BackupManifest> decoded = decode_manifest(bytes);
    BOOST_REQUIRE(decoded);
    BOOST_TEST((*decoded == example()));
}

BOOST_AUTO_TEST_CASE(files_of_rows_are_those_of_the_format) {
    MarkBlock mark;
    mark.position = 4096;
    mark.vv.add(Dot{Actor{0x1a2b3c4d, 1}, 3});
    RowsWriter writer;
    writer.add("row one", "value");
    Bytes file = backup_file_head(BackupFileKind::rows);
    append_block(file, encode_mark(mark));
    append_block(file, writer.take(std::nullopt));
    writer.add("row two", "");
    append_block(file, writer.take(BytesView("row u")));
    append_block(file, writer.take(BytesView()));
    BOOST_TEST(to_hex(file) ==
               "53594e434c524f57000000010000001123dc58d18cc706e801000000000000100001cdf8acd10101"
               "0300000011075cb9326097da1c0207726f77206f6e650576616c75650000000000119aa8171ec880"
               "79cb0207726f772074776f000001726f77207500000003354ddb718053cad2020001");
}

BOOST_AUTO_TEST_CASE(files_of_the_log_are_those_of_the_format) {
    EventsWriter writer(4096);
    writer.add(4200, "event one");
    writer.add(4210, "event two");
    Bytes file = backup_file_head(BackupFileKind::log);
    append_block(file, writer.take());
    BOOST_TEST(to_hex(file) ==
               "53594e434c455654000000010000001f8dfa9866bb529e0f03000000000000100068096576656e74"
               "206f6e650a096576656e742074776f");
}

BOOST_AUTO_TEST_CASE(what_is_damaged_newer_or_leads_elsewhere_is_refused) {
    const auto code_of = [](const Bytes& bytes) {
        const Result<BackupManifest> decoded = decode_manifest(bytes);
        return decoded ? std::string() : std::string(code_name(decoded.error().code));
    };
    const Bytes sound = encode_manifest(example());
    Bytes newer = sound;
    newer[11] = 2;
    BOOST_TEST(code_of(newer) == "version");
    BOOST_TEST(code_of(sound.substr(0, sound.size() - 1)) == "corrupt");
    BOOST_TEST(code_of({}) == "corrupt");
    for (const char* const name : {"rows-00000002", "../rows-00000001", "rows-1", "other"}) {
        BackupManifest manifest = example();
        manifest.files[0].name = name;
        BOOST_TEST(code_of(encode_manifest(manifest)) == "corrupt", name);
    }
    BackupManifest backwards = example();
    std::swap(backwards.files[0], backwards.files[1]);
    BOOST_TEST(code_of(encode_manifest(backwards)) == "corrupt");
    Bytes head = backup_file_head(BackupFileKind::rows);
    BOOST_TEST(!check_backup_file_head(BackupFileKind::log, head));
    head[11] = 9;
    const Result<void> checked = check_backup_file_head(BackupFileKind::rows, head);
    BOOST_REQUIRE(!checked);
    BOOST_TEST(code_name(checked.error().code) == "version");
    BOOST_TEST(!block_length(Bytes(block_head_bytes, '\xff')));
    BOOST_TEST(!block_length(Bytes(block_head_bytes, '\0')));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
