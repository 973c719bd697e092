// Each way in which replicas come to agree does so without the others: the stream of logs,
// sessions, the repair of damaged rows. That a copy does is in copy_test.cpp.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "tests/core/mixed_workload.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(repair_paths)
namespace {

constexpr std::uint64_t rounds = 6;

MessageType kind_of(std::uint8_t type) {
    return static_cast<MessageType>(type);
}

/// What is compressed does not say what it is.
void plain(ReplicaOptions& options) {
    options.leaf_bits = 6;
    options.compressed_bytes_min = 0;
}

/// Three replicas that lose contact, write all types, and meet again, several times over.
void write_apart_and_meet(TestCluster& cluster, std::uint64_t seed, bool sessions) {
    test::MixedWorkload workload(seed);
    for (std::uint64_t round = 0; round < rounds; ++round) {
        for (std::size_t at = 0; at < 3; ++at) {
            for (int i = 0; i < 25; ++i) workload.change(cluster.at(at));
        }
        cluster.connect(0, 1);
        cluster.connect(1, 2);
        cluster.connect(0, 2);
        for (int turn = 0; turn < 12 && cluster.difference() != ""; ++turn) {
            cluster.pump(2000);
            if (!sessions) continue;
            for (std::size_t at = 0; at < 3; ++at) {
                const std::vector<PeerStatus> peers = cluster.at(at)->peers();
                const auto turned = static_cast<std::size_t>(turn);
                cluster.at(at)->request_session(peers[turned % peers.size()].link);
            }
        }
        BOOST_TEST(cluster.difference() == "");
        cluster.disconnect(0, 1);
        cluster.disconnect(1, 2);
        cluster.disconnect(0, 2);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_stream_alone) {
    for (const std::uint64_t seed : test::seeds(5)) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            TestCluster cluster(3, plain);
            cluster.filter = [](std::size_t, std::size_t, std::uint8_t type, Bytes&) {
                const bool session = kind_of(type) >= MessageType::session_open &&
                                     kind_of(type) <= MessageType::session_close;
                return !session;
            };
            write_apart_and_meet(cluster, seed, false);
            for (std::size_t at = 0; at < 3; ++at) {
                BOOST_TEST(cluster.at(at)->stats().sessions_completed == 0U);
                BOOST_TEST(cluster.at(at)->stats().events_applied > 0U);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(sessions_alone) {
    for (const std::uint64_t seed : test::seeds(5)) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            TestCluster cluster(3, plain);
            cluster.filter = [](std::size_t, std::size_t, std::uint8_t type, Bytes&) {
                return kind_of(type) != MessageType::batch;
            };
            write_apart_and_meet(cluster, seed, true);
            for (std::size_t at = 0; at < 3; ++at) {
                BOOST_TEST(cluster.at(at)->stats().events_applied == 0U);
                BOOST_TEST(cluster.at(at)->stats().sessions_completed > 0U);
            }
        }
    }
}

/// Nobody writes, nothing is streamed, nobody asks for anything: rows that are damaged on the disk
/// are found and fetched.
BOOST_AUTO_TEST_CASE(the_repair_of_damaged_rows_alone) {
    TestCluster cluster(2, [](ReplicaOptions& options) {
        plain(options);
        options.scrub_interval_ms = 1000;
    });
    for (int i = 0; i < 200; ++i) {
        cluster.at(0).set("key" + std::to_string(i), "the value " + std::to_string(i) + ".");
    }
    cluster.connect(0, 1);
    cluster.pump();
    for (std::size_t at = 0; at < 2; ++at) {
        cluster.at(at)->request_checkpoint();
        cluster.at(at).settle();
    }
    cluster.filter = [](std::size_t, std::size_t, std::uint8_t type, Bytes&) {
        return kind_of(type) != MessageType::batch;
    };
    cluster.restart(1, [](const std::filesystem::path& directory) {
        std::fstream file(directory / "base" / "data.mdb",
                          std::ios::binary | std::ios::in | std::ios::out);
        const Bytes content(std::istreambuf_iterator<char>(file), {});
        file.clear();
        for (std::size_t at = content.find("the value 1"); at != Bytes::npos;
             at = content.find("the value 1", at + 1)) {
            file.seekp(static_cast<std::streamoff>(at));
            file.put('T');
        }
    });
    cluster.connect(0, 1);
    cluster.pump(30000);
    BOOST_TEST(cluster.at(1)->scrub_status().repaired > 0U);
    BOOST_TEST(cluster.difference() == "");
    for (int i = 0; i < 200; ++i) {
        const std::string number = std::to_string(i);
        BOOST_TEST(cluster.at(1).get("key" + number).value() == "the value " + number + ".");
    }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
