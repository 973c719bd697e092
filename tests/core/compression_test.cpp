#include "core/protocol/compression.hpp"

#include <boost/test/unit_test.hpp>
#include <map>

#include "core/engine/operations.hpp"
#include "core/protocol/message.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(compression)
namespace {

Bytes repetitive(std::size_t size) {
    Bytes bytes;
    for (std::size_t i = 0; bytes.size() < size; ++i) bytes += "user:" + std::to_string(i) + ";";
    bytes.resize(size);
    return bytes;
}

Bytes noise(std::size_t size, std::uint64_t seed) {
    test::SeededRandom random(seed);
    Bytes bytes;
    while (bytes.size() < size) bytes.push_back(static_cast<char>(random.next()));
    return bytes;
}

/// Bytes of messages by type, as they went.
using Traffic = std::map<MessageType, std::uint64_t>;

void count_into(Traffic& traffic, TestCluster& cluster) {
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes& payload) {
        traffic[static_cast<MessageType>(type)] += payload.size();
        return true;
    };
}

void write(TestCluster& cluster, std::size_t keys) {
    constexpr std::size_t together = 10;
    for (std::size_t first = 0; first < keys; first += together) {
        cluster.at(0).run([&](Transaction& txn) -> Result<void> {
            for (std::size_t i = first; i < first + together; ++i) {
                const std::string number = std::to_string(i);
                SYNCLINE_CHECK(operations::string_set(
                    txn, "user:" + number,
                    R"({"name": "user )" + number + R"(", "mail": "user@example.org"})"));
            }
            return {};
        });
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_compressed_comes_back) {
    Compressor compressor;
    for (const std::size_t size : {300U, 1000U, 100000U, 3000000U}) {
        const Bytes payload = repetitive(size);
        const std::optional<Bytes> compressed = compressor.compress(payload);
        BOOST_REQUIRE(compressed.has_value());
        BOOST_TEST(compressed->size() < size - size / 8 + 1);
        BOOST_TEST((decompress(*compressed).value() == payload));
    }
}

/// Payloads that are noise are tried ever more rarely, one that is not ends that.
BOOST_AUTO_TEST_CASE(what_does_not_get_smaller_is_passed_by) {
    Compressor compressor;
    const Bytes payload = repetitive(10000);
    const auto tries_until_compressed = [&] {
        for (std::size_t tries = 1;; ++tries) {
            if (compressor.compress(payload)) return tries;
        }
    };
    BOOST_TEST(tries_until_compressed() == 1U);
    std::size_t passed_by = 0;
    for (const std::size_t expected : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 64U}) {
        BOOST_TEST(!compressor.compress(noise(10000, expected)));
        for (passed_by = 0; passed_by < expected; ++passed_by) {
            BOOST_TEST(!compressor.compress(noise(10000, expected)));
        }
    }
    BOOST_TEST(!compressor.compress(noise(10000, 9)));
    BOOST_TEST(tries_until_compressed() == 65U);
    BOOST_TEST(tries_until_compressed() == 1U);
}

BOOST_AUTO_TEST_CASE(damaged_bytes_are_an_error) {
    Compressor compressor;
    const Bytes payload = repetitive(2000);
    Bytes compressed = compressor.compress(payload).value();
    BOOST_TEST((decompress("").error().code == Code::corrupt));
    BOOST_TEST((decompress(compressed + '\0').error().code == Code::corrupt));
    BOOST_TEST((decompress(compressed + compressed).error().code == Code::corrupt));
    for (std::size_t size = 0; size < compressed.size(); ++size) {
        BOOST_TEST(!decompress(BytesView(compressed).substr(0, size)));
    }
    for (std::size_t bit = 0; bit < 8 * compressed.size(); ++bit) {
        compressed[bit / 8] = static_cast<char>(compressed[bit / 8] ^ (1 << (bit % 8)));
        (void)decompress(compressed);  // an error, or other bytes: what is in them is checked later
        compressed[bit / 8] = static_cast<char>(compressed[bit / 8] ^ (1 << (bit % 8)));
    }
}

/// The beginning of a frame that says it has 2^40 bytes, and an empty last block.
BOOST_AUTO_TEST_CASE(a_few_bytes_ask_for_no_large_memory) {
    const Bytes bomb("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00", 16);
    BOOST_TEST((decompress(bomb).error().code == Code::limit));
}

BOOST_AUTO_TEST_CASE(only_bulk_messages_come_compressed) {
    Compressor compressor;
    WireMessage batch{static_cast<std::uint8_t>(MessageType::batch), repetitive(5000)};
    const WireMessage before = batch;
    BOOST_TEST(compress(batch, compressor, 5000));
    BOOST_TEST((static_cast<MessageType>(batch.type) == MessageType::compressed));
    const Result<WireMessage> after = decompress_message(batch.payload);
    BOOST_REQUIRE(after.has_value());
    BOOST_TEST((after->type == before.type && after->payload == before.payload));
    WireMessage hello{static_cast<std::uint8_t>(MessageType::hello), repetitive(5000)};
    BOOST_TEST(!compress(hello, compressor, 1));
    BOOST_TEST((static_cast<MessageType>(hello.type) == MessageType::hello));
    for (const MessageType type : {MessageType::hello, MessageType::compressed}) {
        batch.payload[0] = static_cast<char>(type);
        BOOST_TEST((decompress_message(batch.payload).error().code == Code::corrupt));
    }
    BOOST_TEST((decompress_message("").error().code == Code::corrupt));
}

BOOST_AUTO_TEST_CASE(events_go_compressed_and_arrive) {
    Traffic traffic;
    TestCluster cluster(2);
    count_into(traffic, cluster);
    write(cluster, 2000);
    cluster.connect(0, 1);
    cluster.pump(2000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(1)->group().keys_count() == 2000U);
    const ReplicaStats& stats = cluster.at(0)->stats();
    BOOST_TEST(stats.messages_compressed > 0U);
    BOOST_TEST(stats.compressed_bytes == traffic[MessageType::compressed]);
    BOOST_TEST(stats.compressible_bytes > 2000U * 50);
    BOOST_TEST(4 * traffic[MessageType::compressed] < stats.compressible_bytes);
}

BOOST_AUTO_TEST_CASE(rows_of_a_session_go_compressed_and_arrive) {
    Traffic traffic;
    TestCluster cluster(2, [](ReplicaOptions& options) {
        options.log.segment_bytes = 4096;
        options.log_retention.bytes = 4096;
        options.checkpoint_log_bytes = 4096;
    });
    write(cluster, 2000);
    BOOST_TEST(cluster.at(0)->log().base() > 0U);
    count_into(traffic, cluster);
    cluster.connect(0, 1);
    cluster.pump(5000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(cluster.at(1)->stats().sessions_completed == 1U);
    BOOST_TEST(cluster.at(1)->stats().session_rows_received == 2000U);
    BOOST_TEST(traffic[MessageType::session_rows] < 8000U);
    BOOST_TEST(traffic[MessageType::compressed] > 0U);
    BOOST_TEST(4 * traffic[MessageType::compressed] < cluster.at(0)->stats().compressible_bytes);
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_take_it_gets_none) {
    TestCluster cluster(2);
    Traffic traffic;
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes& payload) {
        traffic[static_cast<MessageType>(type)] += payload.size();
        if (type != static_cast<std::uint8_t>(MessageType::hello)) return true;
        Hello hello = std::get<Hello>(decode_message(type, payload).value());
        hello.takes_compressed = false;
        payload = encode_message(hello);
        return true;
    };
    write(cluster, 2000);
    cluster.connect(0, 1);
    cluster.pump(2000);
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST(traffic[MessageType::compressed] == 0U);
}

BOOST_AUTO_TEST_CASE(damaged_compressed_events_close_the_link_and_change_nothing) {
    TestCluster cluster(2);
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes& payload) {
        if (type == static_cast<std::uint8_t>(MessageType::compressed)) payload.resize(100);
        return true;
    };
    write(cluster, 2000);
    cluster.connect(0, 1);
    cluster.pump(200);
    BOOST_REQUIRE(!cluster.closed.empty());
    BOOST_TEST((cluster.closed[0].code == Code::corrupt));
    BOOST_TEST(cluster.at(1)->group().keys_count() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
