// How much of the log is kept below the checkpoint.
#include "core/engine/log_retention.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/cluster.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(log_retention)
namespace {

constexpr std::uint64_t hour_ms = std::uint64_t{3600} * 1000;
constexpr LogRetention retention{1000, 24 * hour_ms};
const Actor ann{1, 1};

/// `count` samples, 100 bytes and an hour apart, one event of ann each; the first at 100.
std::vector<LogSample> samples_of(std::uint64_t count) {
    std::vector<LogSample> samples;
    VersionVector vv;
    for (std::uint64_t i = 1; i <= count; ++i) {
        vv.add(Dot{ann, i});
        samples.push_back(LogSample{100 * i, vv, hour_ms * i});
    }
    return samples;
}

LogUse use_of(Position end, std::uint64_t hour) {
    return LogUse{end, end, std::nullopt, hour_ms * hour, nullptr};
}

/// Small segments, many checkpoints; only age or acknowledgement trims.
void long_log(ReplicaOptions& options) {
    options.log.segment_bytes = 8192;
    options.checkpoint_log_bytes = 4096;
    options.log_retention = LogRetention{std::uint64_t{1} << 30, 24 * hour_ms};
}

void write_log(TestReplica& replica, const std::string& prefix) {
    for (int i = 0; i < 60; ++i) replica.set(prefix + std::to_string(i), Bytes(500, 'v'));
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_log_is_kept_up_to_its_bytes_and_its_age) {
    const std::vector<LogSample> samples = samples_of(20);
    BOOST_TEST(forgettable(samples, retention, use_of(1000, 20)) == 0U);
    BOOST_TEST(forgettable(samples, retention, use_of(1199, 20)) == 100U);
    BOOST_TEST(forgettable(samples, retention, use_of(1200, 20)) == 200U);
    BOOST_TEST(forgettable(samples, retention, use_of(1000, 24)) == 0U);
    BOOST_TEST(forgettable(samples, retention, use_of(1000, 29)) == 500U);
    BOOST_TEST(forgettable(samples, retention, use_of(2000, 100)) == 2000U);
    BOOST_TEST(forgettable({}, retention, use_of(2000, 100)) == 0U);
    // A clock that was set back says nothing.
    BOOST_TEST(forgettable(samples, retention, use_of(1000, 0)) == 0U);
}

BOOST_AUTO_TEST_CASE(what_all_replicas_have_is_not_kept) {
    const std::vector<LogSample> samples = samples_of(9);
    LogUse use = use_of(900, 9);
    VersionVector cut;
    use.cut = &cut;
    BOOST_TEST(forgettable(samples, retention, use) == 0U);
    cut = samples[6].vv;
    BOOST_TEST(forgettable(samples, retention, use) == 700U);
}

BOOST_AUTO_TEST_CASE(recovery_and_a_backup_keep_what_they_need) {
    const std::vector<LogSample> samples = samples_of(20);
    LogUse use = use_of(2000, 1000);
    use.checkpoint = 1500;
    BOOST_TEST(forgettable(samples, retention, use) == 1500U);
    use.hold = 350;
    BOOST_TEST(forgettable(samples, retention, use) == 300U);
    use.hold = 1900;
    BOOST_TEST(forgettable(samples, retention, use) == 1500U);
}

/// However many checkpoints there were: once every second of the older samples went, so that
/// none but the first grew old, and the log could not be cut.
BOOST_AUTO_TEST_CASE(samples_leave_small_holes_for_ever) {
    std::vector<LogSample> samples;
    constexpr Position range = 10000;
    Position log_base = 0;
    for (Position end = 1; end <= 20 * range; ++end) {
        samples.push_back(LogSample{end, {}, 0});
        const Position cut = forgettable(samples, LogRetention{range, hour_ms}, use_of(end, 0));
        if (cut > log_base) log_base = cut;
        thin(samples, log_base);
        BOOST_REQUIRE_LE(samples.size(), log_samples_max);
        BOOST_REQUIRE_EQUAL(samples.back().position, end);
        BOOST_REQUIRE_GE(samples.front().position, log_base);
        BOOST_REQUIRE_LE(end - log_base, range + range / 16);
    }
}

BOOST_AUTO_TEST_CASE(times_of_samples_are_kept_and_unknown_ones_are_of_now) {
    const std::vector<LogSample> written = samples_of(3);
    std::vector<LogSample> read = written;
    for (LogSample& sample : read) sample.wall_ms = 0;
    read.push_back(LogSample{1000, {}, 0});
    BOOST_REQUIRE(decode_sample_times(encode_sample_times(written), 77, read));
    BOOST_TEST(read[1].wall_ms == 2 * hour_ms);
    BOOST_TEST(read[3].wall_ms == 77U);
    BOOST_REQUIRE(decode_sample_times("", 78, read));  // data of an older build
    BOOST_TEST(read[1].wall_ms == 78U);
    const Bytes bytes = encode_sample_times(written);
    for (std::size_t size = 1; size < bytes.size(); ++size) {
        BOOST_TEST(!decode_sample_times(bytes.substr(0, size), 77, read));
    }
    BOOST_TEST(!decode_sample_times(bytes + "x", 77, read));
}

BOOST_AUTO_TEST_CASE(an_old_log_goes_also_after_a_restart_and_without_writes) {
    TestCluster cluster(1, long_log);
    write_log(cluster.at(0), "a");
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    const Position written = cluster.at(0)->log().end();
    cluster.pass(12 * hour_ms);
    BOOST_TEST(cluster.at(0)->log().base() == 0U);
    cluster.restart(0);
    cluster.pass(12 * hour_ms - 1);
    BOOST_TEST(cluster.at(0)->log().base() == 0U);
    cluster.pass(2000);
    BOOST_TEST(cluster.at(0)->log().base() > 0U);
    BOOST_TEST(cluster.at(0)->log().base() + 2 * 8192 >= written);
    cluster.restart(0);
    BOOST_TEST(cluster.at(0).get("a7").value() == Bytes(500, 'v'));
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(the_log_waits_for_a_declared_replica_and_for_no_other) {
    TestCluster cluster(3, [](ReplicaOptions& options) {
        long_log(options);
        options.replicas = 3;
    });
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.connect(1, 2);
    cluster.pump();
    cluster.disconnect(0, 2);
    cluster.disconnect(1, 2);
    write_log(cluster.at(0), "a");
    cluster.pump(3000);
    BOOST_TEST(cluster.at(0)->log().base() == 0U);
    BOOST_TEST(cluster.at(1)->log().base() == 0U);
    cluster.connect(0, 2);
    cluster.connect(1, 2);
    cluster.pump(5000);
    BOOST_TEST(cluster.difference() == "");
    for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(cluster.at(i)->log().base() > 0U);
    BOOST_TEST(cluster.at(2)->stats().sessions_completed == 0U);
    // Links go on, and one that comes back with all of it needs no session either.
    cluster.restart(1);
    cluster.at(0).set("later", "x");
    cluster.connect(0, 1);
    cluster.connect(1, 2);
    cluster.pump(3000);
    BOOST_TEST(cluster.at(1).get("later").value() == "x");
    BOOST_TEST(cluster.at(1)->stats().sessions_completed == 0U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
