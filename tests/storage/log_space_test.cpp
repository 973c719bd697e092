/// A log on a disk that is full: what was to be written waits, nothing is lost or said to be
/// durable, and it goes on when there is room again.
#include "tests/storage/log_fixture.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(log_space)
namespace {

constexpr std::size_t record_bytes = 1000;

TestRecord record_of(int number) {
    return {1, Bytes(record_bytes, static_cast<char>('a' + number % 26))};
}

void append(Log& log, std::vector<TestRecord>& records) {
    records.push_back(record_of(static_cast<int>(records.size())));
    log.append(records.back().kind, records.back().payload);
}

Result<void> prepare(Log& log) {
    auto flush = log.begin_preparation();
    BOOST_REQUIRE(flush.has_value());
    BOOST_REQUIRE(flush->write().has_value());
    BOOST_REQUIRE(flush->sync().has_value());
    log.finish_flush(*flush);
    return flush->prepare_next();
}

}  // namespace

BOOST_AUTO_TEST_CASE(full_disk_is_seen_while_there_is_still_room_in_the_segment) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    disk.set_capacity(small_segment_bytes);
    std::vector<TestRecord> records;
    while (!log->short_of_space()) {
        BOOST_REQUIRE(records.size() < 8);
        append(*log, records);
        auto flush = log->begin_flush();
        BOOST_REQUIRE(flush->write().has_value());
        BOOST_REQUIRE(flush->sync().has_value());
        log->finish_flush(*flush);
        (void)flush->prepare_next();
    }
    BOOST_TEST(log->has_ready_room(record_bytes));
    BOOST_TEST(!log->has_ready_room(small_segment_bytes));
    // Nothing of the file that could not be made is in the way of others.
    BOOST_TEST(disk.names().size() == 1U);

    // What is ready is used up; more than that waits.
    while (log->has_ready_room(record_bytes)) {
        append(*log, records);
        auto flush = log->begin_flush();
        BOOST_REQUIRE(flush->write().has_value());
        BOOST_REQUIRE(flush->sync().has_value());
        log->finish_flush(*flush);
    }
    const Position durable = log->durable();
    append(*log, records);
    auto mark = log->begin_flush();  // the mark at the end of the first segment
    BOOST_REQUIRE(mark->write().has_value());
    BOOST_REQUIRE(mark->sync().has_value());
    log->finish_flush(*mark);
    auto flush = log->begin_flush();
    for (int time = 0; time < 3; ++time) {
        const Result<void> refused = flush->write();
        BOOST_REQUIRE(!refused.has_value());
        BOOST_TEST(code_name(refused.error().code) == "no_space");
        BOOST_TEST(log->durable() == durable);
        BOOST_TEST(read_all(*log, 0).size() == records.size() - 1);
    }
    // Room again: the same flush goes through.
    disk.set_capacity(4 * small_segment_bytes);
    BOOST_REQUIRE(flush->write().has_value());
    BOOST_REQUIRE(flush->sync().has_value());
    log->finish_flush(*flush);
    BOOST_TEST(!log->short_of_space());
    append(*log, records);
    flush_all(*log);
    disk.crash(7);
    const auto again = open_log(disk, 0, small_segment_bytes, 2);
    BOOST_TEST((read_all(*again, 0) == records));
}

BOOST_AUTO_TEST_CASE(next_segment_is_tried_again_without_a_record) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    BOOST_TEST(!log->begin_preparation().has_value());
    disk.set_capacity(small_segment_bytes);
    std::vector<TestRecord> records;
    for (int number = 0; number < 3; ++number) append(*log, records);
    auto flush = log->begin_flush();
    BOOST_REQUIRE(flush->write().has_value());
    BOOST_REQUIRE(flush->sync().has_value());
    log->finish_flush(*flush);
    BOOST_TEST(!log->begin_preparation().has_value());  // the flush has it in hands still
    BOOST_TEST(code_name(flush->prepare_next().error().code) == "no_space");
    const Position durable = log->durable();
    BOOST_TEST(code_name(prepare(*log).error().code) == "no_space");
    BOOST_TEST(log->short_of_space());
    disk.set_capacity(2 * small_segment_bytes);
    BOOST_TEST(prepare(*log).has_value());
    BOOST_TEST(!log->short_of_space());
    BOOST_TEST(log->durable() == durable);
    disk.set_capacity(4 * small_segment_bytes);
    for (int number = 0; number < 5; ++number) append(*log, records);
    flush_all(*log);
    BOOST_TEST((read_all(*log, 0) == records));
}

BOOST_AUTO_TEST_CASE(trimmed_segment_takes_the_place_of_a_file_without_room) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    std::vector<TestRecord> records;
    for (int number = 0; number < 10; ++number) {
        append(*log, records);
        flush_all(*log);
    }
    disk.set_capacity(small_segment_bytes * disk.names().size());
    while (!log->short_of_space()) {
        append(*log, records);
        auto flush = log->begin_flush();
        BOOST_REQUIRE(flush->write().has_value());
        BOOST_REQUIRE(flush->sync().has_value());
        log->finish_flush(*flush);
        (void)flush->prepare_next();
    }
    BOOST_REQUIRE(log->trim(log->end(), 1).has_value());
    BOOST_TEST(prepare(*log).has_value());
    BOOST_TEST(!log->short_of_space());
    for (int number = 0; number < 3; ++number) append(*log, records);
    flush_all(*log);
    const std::vector<TestRecord> kept = read_all(*log, log->base());
    BOOST_TEST((kept == std::vector<TestRecord>(records.end() - static_cast<long>(kept.size()),
                                                records.end())));
}

BOOST_AUTO_TEST_CASE(failed_sync_is_never_taken_for_want_of_space) {
    // A disk may say so when it syncs; then what it had in memory is lost all the same.
    const TestRecord record = record_of(0);
    MemoryDisk disk;
    const auto log = open_log(disk);
    log->append(record.kind, record.payload);
    auto flush = log->begin_flush();
    BOOST_REQUIRE(flush->write().has_value());
    disk.fail_sync();
    BOOST_TEST(code_name(flush->sync().error().code) == "io");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
