#include "core/engine/identity.hpp"

#include <boost/test/unit_test.hpp>

#include "core/base/hash.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(identity)
namespace {

Bytes from_hex(BytesView hex) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    }
    return bytes;
}

/// A directory with a file "identity" of these bytes behind their checksum.
struct Written {
    explicit Written(const Bytes& body) {
        Bytes bytes;
        ByteWriter(bytes).u64(hash64(body));
        bytes += body;
        BOOST_REQUIRE(replace_file(*disk, "identity", bytes));
    }
    Result<Identity> load() { return load_identity(*disk, random); }

    ScratchDirectory scratch;
    SystemRandom random;
    std::unique_ptr<Disk> disk = open_posix_disk(scratch.path().string()).value();
};

/// Cluster and node.
const Bytes uuids = from_hex(
    "c41000000000000000000000000000000001"
    "c41020000000000000000000000000000002");

BOOST_AUTO_TEST_CASE(bytes_are_those_of_the_format) {
    const Bytes body = from_hex("9602") + uuids + from_hex("c40161c3c402beef");
    Written written(body);
    const Identity identity = written.load().value();
    BOOST_TEST(to_string(identity.cluster) == "00000000000000000000000000000001");
    BOOST_TEST(to_string(identity.node) == "20000000000000000000000000000002");
    BOOST_TEST(identity.name == "a");
    BOOST_TEST(identity.unsynced);
    BOOST_TEST(to_hex(identity.base_mark) == "beef");
    BOOST_REQUIRE(save_identity(*written.disk, identity));
    const Bytes again = read_file(*written.disk, "identity", 4096).value().value();
    BOOST_TEST(to_hex(again.substr(8)) == to_hex(body));
}

BOOST_AUTO_TEST_CASE(the_first_version_is_read) {
    Written written(from_hex("9401") + uuids + from_hex("c40161"));
    const Identity identity = written.load().value();
    BOOST_TEST(identity.name == "a");
    BOOST_TEST(!identity.unsynced);
    BOOST_TEST(identity.base_mark.empty());
}

BOOST_AUTO_TEST_CASE(other_versions_and_damage_are_told_apart) {
    Written later(from_hex("9603") + uuids + from_hex("c40161c3c402beef"));
    BOOST_TEST((later.load().error().code == Code::version));
    Written cut(from_hex("9602") + uuids + from_hex("c40161"));
    BOOST_TEST((cut.load().error().code == Code::corrupt));
    Written longer(from_hex("9401") + uuids + from_hex("c40161c3c402beef"));
    BOOST_TEST((longer.load().error().code == Code::corrupt));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
