#include "storage/log.hpp"

#include <condition_variable>
#include <mutex>

#include "storage/worker.hpp"
#include "tests/storage/log_fixture.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace syncline {

BOOST_AUTO_TEST_SUITE(log_)

BOOST_AUTO_TEST_CASE(fresh_log_is_empty_and_has_a_random_id) {
    MemoryDisk disk;
    MemoryDisk other;
    const auto log = open_log(disk, 0, small_segment_bytes, 1);
    const auto second = open_log(other, 0, small_segment_bytes, 2);
    BOOST_TEST(log->base() == 0U);
    BOOST_TEST(log->end() == 0U);
    BOOST_TEST(log->durable() == 0U);
    BOOST_TEST(log->id() != second->id());
    BOOST_TEST(!log->begin_flush().has_value());
    BOOST_TEST(read_all(*log, 0).empty());
}

BOOST_AUTO_TEST_CASE(records_become_readable_when_durable) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    const Position end = log->append(7, "payload");
    BOOST_TEST(log->end() == end);
    BOOST_TEST(log->durable() == 0U);
    BOOST_TEST(read_all(*log, 0).empty());
    auto flush = log->begin_flush();
    BOOST_REQUIRE(flush.has_value());
    BOOST_TEST(flush->end() == end);
    const Position later = log->append(8, "later");
    BOOST_TEST(!log->begin_flush().has_value());
    BOOST_REQUIRE(flush->write().has_value());
    BOOST_REQUIRE(flush->sync().has_value());
    BOOST_TEST(read_all(*log, 0).empty());
    log->finish_flush(*flush);
    BOOST_TEST(log->durable() == end);
    const auto record = log->read(0);
    BOOST_REQUIRE(record.has_value());
    BOOST_REQUIRE(record->has_value());
    BOOST_TEST((*record)->kind == 7);
    BOOST_TEST((*record)->payload == "payload");
    BOOST_TEST((*record)->next == end);
    BOOST_TEST(!log->read(end)->has_value());
    BOOST_REQUIRE(flush_once(*log));
    BOOST_TEST(log->durable() == later);
    BOOST_TEST((*log->read(end))->payload == "later");
}

BOOST_AUTO_TEST_CASE(a_flush_costs_one_write_and_one_sync) {
    MemoryDisk disk;
    const auto log = open_log(disk, 0, 1 << 20);
    for (int index = 0; index < 100; ++index) log->append(1, "some record");
    const std::uint64_t writes = disk.writes();
    const std::uint64_t syncs = disk.syncs();
    BOOST_REQUIRE(flush_once(*log));
    BOOST_TEST(disk.writes() == writes + 1);
    BOOST_TEST(disk.syncs() == syncs + 1);
}

BOOST_AUTO_TEST_CASE(what_is_written_is_synced_by_the_next_flush) {
    MemoryDisk disk;
    const auto log = open_log(disk, 0, 64 * 1024);
    const Position first = log->append(1, "first");
    BOOST_REQUIRE(log->write_buffered().has_value());
    BOOST_TEST(log->written() == first);
    BOOST_TEST(log->durable() < first);
    BOOST_TEST(!log->needs_flush());
    BOOST_TEST(read_all(*log, 0).empty());  // readers are told of durable records only
    auto flush = log->begin_flush();
    BOOST_REQUIRE(flush.has_value());
    const Position second = log->append(2, "second");
    BOOST_REQUIRE(log->write_buffered().has_value());  // while the sync is under way
    BOOST_TEST(log->written() == second);
    BOOST_REQUIRE(flush->write().has_value());
    BOOST_REQUIRE(flush->sync().has_value());
    log->finish_flush(*flush);
    BOOST_TEST(log->durable() == first);  // the sync may have come before the second write
    flush_all(*log);
    BOOST_TEST(log->durable() == second);
    BOOST_TEST(!log->begin_flush().has_value());
}

BOOST_AUTO_TEST_CASE(a_segment_is_written_to_when_the_one_before_it_is_synced) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    const Bytes payload(1500, 'x');
    const auto write_one = [&] {
        const Position end = log->append(1, payload);
        BOOST_REQUIRE(log->write_buffered().has_value());
        return end;
    };
    while (!log->needs_flush()) write_one();
    BOOST_TEST(log->written() == log->end());  // half full: time to make the next one ready
    BOOST_REQUIRE(flush_once(*log));
    Position end = write_one();
    while (log->written() == end) end = write_one();
    BOOST_TEST(log->needs_flush());
    BOOST_TEST(log->durable() < log->written());
    const Position written = log->written();
    BOOST_REQUIRE(flush_once(*log));
    BOOST_TEST(log->durable() == written);
    BOOST_REQUIRE(log->write_buffered().has_value());
    BOOST_TEST(log->written() == end);
    disk.kill();
    BOOST_TEST(open_log(disk)->end() == end);
}

BOOST_AUTO_TEST_CASE(a_mark_that_is_not_synced_holds_the_next_segment_back) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    log->append(1, Bytes(3000, 'x'));
    flush_all(*log);
    // The end mark alone is written, behind records that are durable.
    log->append(2, Bytes(3000, 'y'));
    BOOST_REQUIRE(log->write_buffered().has_value());
    const Position durable = log->durable();
    BOOST_REQUIRE(log->write_buffered().has_value());
    BOOST_TEST(log->written() == durable);
    BOOST_TEST(log->needs_flush());
    BOOST_REQUIRE(flush_once(*log));
    BOOST_REQUIRE(flush_once(*log));
    BOOST_TEST(log->durable() == log->end());
}

BOOST_AUTO_TEST_CASE(begin_flush_stops_at_the_last_record_below_its_limit) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    const Position first = log->append(1, "first");
    const Position second = log->append(1, "second");
    const Position third = log->append(1, "third");
    BOOST_TEST(!log->begin_flush(first - 1).has_value());
    const auto finish = [&](std::optional<Position> limit, Position expected) {
        auto flush = log->begin_flush(limit);
        BOOST_REQUIRE(flush.has_value());
        BOOST_REQUIRE(flush->write().has_value());
        BOOST_REQUIRE(flush->sync().has_value());
        log->finish_flush(*flush);
        BOOST_TEST(log->durable() == expected);
    };
    finish(first, first);
    BOOST_TEST(!log->begin_flush(first).has_value());
    finish(third - 1, second);
    finish(std::nullopt, third);
    BOOST_TEST(read_all(*log, 0).size() == 3U);
    BOOST_TEST(read_all(*open_log(disk), 0).size() == 3U);
}

BOOST_AUTO_TEST_CASE(records_of_all_sizes_survive_many_segments_and_reopening) {
    MemoryDisk disk;
    SeededRandom random(3);
    std::vector<TestRecord> expected;
    Position end = 0;
    for (int round = 0; round < 20; ++round) {
        const auto log = open_log(disk, 0);
        BOOST_TEST(log->end() == end);
        BOOST_TEST(log->durable() == end);
        BOOST_TEST((read_all(*log, 0) == expected));
        const std::uint64_t count = random.below(30);
        for (std::uint64_t index = 0; index < count; ++index) {
            // Beyond a segment's 4083 bytes of payload too.
            const std::size_t bytes_max = random.below(8) == 0 ? 20000 : 1500;
            const TestRecord record = random_record(random, bytes_max);
            expected.push_back(record);
            log->append(record.kind, record.payload);
            if (random.below(3) == 0) flush_once(*log);
        }
        flush_all(*log);
        end = log->end();
        BOOST_TEST((read_all(*log, 0) == expected));
    }
    BOOST_TEST(disk.names().size() > 20U);
}

BOOST_AUTO_TEST_CASE(records_fill_a_segment_to_each_of_its_last_bytes) {
    // A record that fits exactly, one with too little room behind it for a mark, one with room.
    for (std::size_t gap = 0; gap < 40; ++gap) {
        MemoryDisk disk;
        const std::size_t room = small_segment_bytes - 4096 - 13;
        auto log = open_log(disk);
        const std::vector<TestRecord> expected = {
            {1, Bytes(room - gap, 'a')}, {2, "second"}, {3, Bytes(room, 'b')}, {4, "fourth"}};
        for (const TestRecord& record : expected) {
            log->append(record.kind, record.payload);
            flush_all(*log);
        }
        BOOST_TEST((read_all(*log, 0) == expected));
        const Position end = log->end();
        log = open_log(disk, end);
        BOOST_TEST(log->end() == end);
        BOOST_TEST((read_all(*log, 0) == expected));
    }
}

BOOST_AUTO_TEST_CASE(every_checkpoint_position_is_a_place_to_start_from) {
    MemoryDisk disk;
    SeededRandom random(5);
    std::vector<Position> ends = {0};
    {
        const auto log = open_log(disk);
        for (int index = 0; index < 60; ++index) {
            ends.push_back(log->append(1, random_record(random, 900).payload));
        }
        flush_all(*log);
    }
    for (const Position from : ends) {
        const auto log = open_log(disk, from);
        BOOST_TEST(log->end() == ends.back());
        const auto rest =
            static_cast<std::size_t>(ends.end() - std::find(ends.begin(), ends.end(), from) - 1);
        BOOST_TEST(read_all(*log, from).size() == rest);
    }
}

BOOST_AUTO_TEST_CASE(trimmed_segments_are_recycled_and_the_rest_removed) {
    MemoryDisk disk;
    auto log = open_log(disk);
    std::vector<Position> ends;
    const auto append = [&](int count) {
        for (int index = 0; index < count; ++index) {
            ends.push_back(log->append(1, Bytes(1000, static_cast<char>('a' + index % 26))));
            flush_all(*log);
        }
    };
    append(100);  // four in each segment
    const std::size_t before = disk.names().size();
    BOOST_TEST(before >= 25U);
    BOOST_REQUIRE(log->trim(ends[89]).has_value());
    BOOST_TEST(log->base() > ends[80]);
    BOOST_TEST(log->base() <= ends[89]);
    const std::size_t after = disk.names().size();
    BOOST_TEST(after < 10U);
    append(16);  // four more segments, all out of the free ones
    BOOST_TEST(disk.names().size() == after);
    BOOST_TEST(read_all(*log, ends[89]).size() == 26U);
    BOOST_TEST(log->read(0).error().message.find("outside") != std::string::npos);
    const Position base = log->base();
    log = open_log(disk, ends[89]);
    BOOST_TEST(log->base() == base);
    BOOST_TEST(read_all(*log, ends[89]).size() == 26U);
}

BOOST_AUTO_TEST_CASE(trim_keeps_the_segment_in_use) {
    MemoryDisk disk;
    auto log = open_log(disk);
    log->append(1, Bytes(small_segment_bytes - 4096 - 13, 'x'));  // fills its segment
    flush_all(*log);
    const Position end = log->end();
    BOOST_TEST(end == small_segment_bytes);
    BOOST_REQUIRE(log->trim(end).has_value());
    BOOST_TEST(log->base() == 0U);
    log->append(1, "next");
    BOOST_REQUIRE(log->trim(end).has_value());
    BOOST_TEST(log->base() == 0U);
    flush_all(*log);
    BOOST_REQUIRE(log->trim(end).has_value());
    BOOST_TEST(log->base() == end);
    BOOST_TEST(read_all(*log, end).size() == 1U);
}

BOOST_AUTO_TEST_CASE(positions_that_are_no_record_are_refused) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    const Position first = log->append(1, "first");
    const Position second = log->append(1, "second");
    flush_all(*log);
    for (Position position = 1; position < second + 5; ++position) {
        const auto record = log->read(position);
        if (position == 4096 || position == first) {
            BOOST_TEST(record->has_value());
        } else if (position == second) {
            BOOST_TEST(!record->has_value());
        } else {
            BOOST_REQUIRE(!record.has_value());
            BOOST_TEST((record.error().code == Code::corrupt));
        }
    }
}

BOOST_AUTO_TEST_CASE(old_records_stream_from_disk_with_few_reads) {
    MemoryDisk disk;
    auto log = open_log(disk, 0, 1 << 20);
    std::vector<TestRecord> expected;
    SeededRandom random(9);
    for (int index = 0; index < 20000; ++index) {
        expected.push_back(random_record(random, 200));
        log->append(expected.back().kind, expected.back().payload);
    }
    expected.push_back({9, Bytes(700000, 'v')});  // larger than what is read ahead
    log->append(9, expected.back().payload);
    flush_all(*log);
    const Position end = log->end();
    log = open_log(disk, end, 1 << 20);
    const std::uint64_t before = disk.reads();
    // Two readers at different places do not take each other's blocks away.
    Position slow = 0;
    Position fast = 0;
    std::size_t index = 0;
    for (; index < expected.size(); ++index) {
        const auto record = log->read(fast);
        BOOST_REQUIRE(record.has_value());
        BOOST_REQUIRE((TestRecord{(*record)->kind, (*record)->payload} == expected[index]));
        fast = (*record)->next;
        if (index % 3 == 0) slow = (*log->read(slow))->next;
    }
    BOOST_TEST(fast == end);
    BOOST_TEST(disk.reads() - before < 40U);
}

BOOST_AUTO_TEST_CASE(block_read_ahead_ends_where_the_log_was_durable) {
    // What was read ahead of the end would be zeros, found again when memory has let go of the
    // tail.
    MemoryDisk disk;
    constexpr std::size_t segment_bytes = 32 << 20;
    auto log = open_log(disk, 0, segment_bytes);
    log->append(1, "before");
    flush_all(*log);
    log = open_log(disk, 0, segment_bytes);
    BOOST_TEST(read_all(*log, 0).size() == 1U);
    for (int index = 0; index < 100; ++index) log->append(2, Bytes(100 << 10, 'b'));
    flush_all(*log);
    BOOST_TEST(read_all(*log, 0).size() == 101U);
}

BOOST_AUTO_TEST_CASE(recent_records_are_read_from_memory) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    for (int index = 0; index < 100; ++index) log->append(1, Bytes(500, 'm'));
    flush_all(*log);
    const std::uint64_t before = disk.reads();
    BOOST_TEST(read_all(*log, 0).size() == 100U);
    BOOST_TEST(disk.reads() == before);
}

BOOST_AUTO_TEST_CASE(failed_write_ends_flushing_for_good) {
    MemoryDisk disk;
    auto log = open_log(disk);
    log->append(1, "kept");
    flush_all(*log);
    disk.set_capacity(3 * small_segment_bytes);
    std::optional<Error> error;
    for (int index = 0; index < 100 && !error; ++index) {
        log->append(2, Bytes(1000, 'z'));
        auto flush = log->begin_flush();
        BOOST_REQUIRE(flush.has_value());
        if (auto written = flush->write(); !written) {
            error = written.error();
            break;
        }
        BOOST_REQUIRE(flush->sync().has_value());
        log->finish_flush(*flush);
    }
    BOOST_REQUIRE(error.has_value());
    BOOST_TEST((error->code == Code::no_space));
    log->append(2, "more");
    BOOST_TEST(!log->begin_flush().has_value());
    const Position durable = log->durable();
    disk.crash(1);
    disk.set_capacity(1 << 20);
    BOOST_TEST(open_log(disk)->end() == durable);
}

BOOST_AUTO_TEST_CASE(checkpoint_without_its_log_is_an_error) {
    MemoryDisk disk;
    SeededRandom random(1);
    const auto none = Log::open(disk, LogOptions{small_segment_bytes}, random, 5000);
    BOOST_REQUIRE(!none.has_value());
    BOOST_TEST((none.error().code == Code::corrupt));
    BOOST_TEST(none.error().message.find("5000") != std::string::npos);
    Position end = 0;
    {
        const auto log = open_log(disk);
        end = log->append(1, "only");
        flush_all(*log);
    }
    for (const Position from : {end + 1, end + 100, Position{9000}, Position{100000}, end - 1}) {
        const auto log = Log::open(disk, LogOptions{small_segment_bytes}, random, from);
        BOOST_REQUIRE_MESSAGE(!log.has_value(), from);
        BOOST_TEST((log.error().code == Code::corrupt));
    }
    BOOST_TEST(open_log(disk, end)->end() == end);
}

BOOST_AUTO_TEST_CASE(segment_size_may_change_between_openings) {
    MemoryDisk disk;
    std::vector<TestRecord> expected;
    SeededRandom random(17);
    for (const std::size_t segment_bytes : {8192U, 65536U, 8192U, 20000U, 8192U}) {
        const auto log = open_log(disk, 0, segment_bytes);
        for (int index = 0; index < 40; ++index) {
            expected.push_back(random_record(random, 3000));
            log->append(expected.back().kind, expected.back().payload);
        }
        flush_all(*log);
    }
    BOOST_TEST((read_all(*open_log(disk), 0) == expected));
}

BOOST_AUTO_TEST_CASE(log_thread_works_while_the_owner_appends_reads_and_trims) {
    // Goal: the division of labour of production, for the thread sanitizer.
    const TemporaryDirectory directory;
    auto disk = open_posix_disk(directory.path("log"));
    BOOST_REQUIRE(disk.has_value());
    SeededRandom random(23);
    auto log = Log::open(**disk, LogOptions{1 << 16}, random, 0);
    BOOST_REQUIRE(log.has_value());
    std::mutex mutex;
    std::condition_variable done;
    std::optional<bool> answer;
    Worker preparer("segments");
    Worker worker("log");
    std::vector<TestRecord> expected;
    std::vector<TestRecord> got;
    Position read_up_to = 0;
    for (int round = 0; round < 200; ++round) {
        for (int index = 0; index < 20; ++index) {
            expected.push_back(random_record(random, 300));
            (*log)->append(expected.back().kind, expected.back().payload);
        }
        auto flush = (*log)->begin_flush();
        BOOST_REQUIRE(flush.has_value());
        answer.reset();
        worker.post([&, flush]() mutable {
            const bool good = flush->write().has_value() && flush->sync().has_value();
            {
                const std::lock_guard lock(mutex);
                answer = good;
            }
            done.notify_one();
            // The next write reports what it could not do.
            if (flush->prepares())
                preparer.post([flush]() mutable { (void)flush->prepare_next(); });
        });
        expected.push_back(random_record(random, 300));
        (*log)->append(expected.back().kind, expected.back().payload);
        while (const auto record = *(*log)->read(read_up_to)) {
            got.push_back({record->kind, record->payload});
            read_up_to = record->next;
        }
        BOOST_REQUIRE((*log)->trim(read_up_to).has_value());
        std::unique_lock lock(mutex);
        done.wait(lock, [&] { return answer.has_value(); });
        BOOST_REQUIRE(*answer);
        (*log)->finish_flush(*flush);
    }
    flush_all(**log);
    for (const TestRecord& record : read_all(**log, read_up_to)) got.push_back(record);
    BOOST_TEST((got == expected));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
