#include <algorithm>

#include "core/base/hash.hpp"
#include "tests/storage/log_fixture.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(log_recovery)
namespace {

/// `part` is the beginning of `whole`.
bool is_prefix(const std::vector<TestRecord>& part, const std::vector<TestRecord>& whole) {
    return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

/// The test's own writer of one record, from FORMAT.md.
Bytes format_record(std::uint64_t log_id, std::uint64_t life, Position position, std::uint8_t kind,
                    BytesView payload) {
    Bytes covered;
    ByteWriter writer(covered);
    writer.u64(log_id);
    writer.u64(life);
    writer.u64(position);
    writer.u64(payload.size() << 8 | kind);
    writer.u64(hash64(payload));
    Bytes record;
    ByteWriter out(record);
    out.u32(static_cast<std::uint32_t>(payload.size()));
    out.u8(kind);
    out.u64(hash64(covered));
    out.raw(payload);
    return record;
}

/// What stands behind the checksum of a header.
Bytes format_header_start(std::uint64_t log_id, Position base) {
    Bytes start;
    ByteWriter writer(start);
    writer.raw("SYNCLLOG");
    writer.u32(2);
    writer.u64(log_id);
    writer.u64(base);
    return start;
}

std::uint64_t life_of(BytesView segment) {
    ByteReader reader(segment);
    reader.raw(8 + 8 + 4 + 8 + 8 + 8 + 8);
    return reader.u64();
}

}  // namespace

BOOST_AUTO_TEST_CASE(torn_tail_ends_the_log_at_every_byte_of_the_last_flush) {
    MemoryDisk disk;
    Position synced = 0;
    Position end = 0;
    std::vector<Position> ends;
    {
        const auto log = open_log(disk);
        log->append(1, "one");
        log->append(2, Bytes(200, 'q'));
        flush_all(*log);
        synced = log->end();
        ends = {synced};
        for (const char* payload : {"three", "", "a longer fifth record"}) {
            ends.push_back(log->append(3, payload));
        }
        flush_all(*log);
        end = log->end();
    }
    const std::string name = disk.names().front();
    const Bytes whole = disk.content(name);
    for (Position cut = synced; cut <= end; ++cut) {
        for (const char filler : {'\0', '\x5A'}) {
            MemoryDisk torn;
            Bytes content = whole;
            std::fill(content.begin() + static_cast<std::ptrdiff_t>(cut),
                      content.begin() + static_cast<std::ptrdiff_t>(end), filler);
            torn.set_content(name, content);
            const auto log = open_log(torn, synced);
            const auto expected = *std::prev(std::upper_bound(ends.begin(), ends.end(), cut));
            BOOST_TEST(log->end() == expected);
            // What is appended then stands alone behind the end.
            const auto kept = read_all(*log, 0);
            log->append(9, "new");
            flush_all(*log);
            const auto records = read_all(*open_log(torn, synced), 0);
            BOOST_REQUIRE(records.size() == kept.size() + 1);
            BOOST_TEST(is_prefix(kept, records));
            BOOST_TEST(records.back().payload == "new");
        }
    }
}

/// The mark that ends a segment can be durable alone, when the process dies before the record that
/// did not fit. Whoever then stands at the log's end must be led on to the next segment later.
BOOST_AUTO_TEST_CASE(end_of_a_log_that_ends_with_a_mark_is_a_place_to_go_on_from) {
    MemoryDisk disk;
    Position before_mark = 0;
    {
        const auto log = open_log(disk);
        before_mark = log->append(1, Bytes(3900, 'a'));
        flush_all(*log);
        log->append(2, Bytes(5000, 'b'));  // does not fit: the mark, then the next segment
        BOOST_REQUIRE(flush_once(*log));   // the mark alone
    }
    const auto log = open_log(disk);
    const Position end = log->end();
    BOOST_TEST(end == before_mark);
    log->append(3, "next");
    flush_all(*log);
    const auto records = read_all(*log, end);
    BOOST_REQUIRE_EQUAL(records.size(), 1U);
    BOOST_TEST(records.front().payload == "next");
    BOOST_TEST(read_all(*open_log(disk, end), end).size() == 1U);
}

BOOST_AUTO_TEST_CASE(lost_record_behind_a_torn_one_never_comes_back) {
    // A is torn, B behind it reached the disk whole. A' of A's length takes A's place: without the
    // cleaning at recovery B would then be a valid record at its old position.
    MemoryDisk disk;
    Position synced = 0;
    Position after_a = 0;
    {
        const auto log = open_log(disk);
        synced = log->append(1, "synced");
        flush_all(*log);
        after_a = log->append(2, "AAAA");
        log->append(3, "BBBB");
        flush_all(*log);
    }
    const std::string name = disk.names().front();
    Bytes content = disk.content(name);
    content[static_cast<std::size_t>(after_a) - 1] = 'x';
    disk.set_content(name, content);
    {
        const auto log = open_log(disk, synced);
        BOOST_TEST(log->end() == synced);
        BOOST_TEST(log->append(2, "aaaa") == after_a);
        flush_all(*log);
        const std::vector<TestRecord> expected = {{1, "synced"}, {2, "aaaa"}};
        BOOST_TEST((read_all(*log, 0) == expected));
    }
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        disk.crash(seed);
        const std::vector<TestRecord> expected = {{1, "synced"}, {2, "aaaa"}};
        BOOST_TEST((read_all(*open_log(disk, synced), 0) == expected));
    }
}

BOOST_AUTO_TEST_CASE(lost_record_behind_a_torn_first_one_of_a_segment_never_comes_back) {
    // The same at the beginning of a segment. Opened from 0 the segment is given up and its file
    // used again, where the new life has to keep B away.
    const Bytes filling(small_segment_bytes - 4096 - 13, 'f');
    const std::vector<TestRecord> expected = {{1, filling}, {2, "aaaa"}};
    for (const Position from : {Position{0}, Position{small_segment_bytes}}) {
        MemoryDisk disk;
        {
            const auto log = open_log(disk);
            BOOST_TEST(log->append(1, filling) == small_segment_bytes);
            flush_all(*log);
            log->append(2, "AAAA");
            log->append(3, "BBBB");
            flush_all(*log);
        }
        const std::string name = disk.names()[1];  // the third is prepared, and empty
        Bytes content = disk.content(name);
        content[4096 + 13] = 'x';
        disk.set_content(name, content);
        {
            const auto log = open_log(disk, from, small_segment_bytes, 2);
            BOOST_TEST(log->end() == small_segment_bytes);
            log->append(2, "aaaa");
            flush_all(*log);
            BOOST_TEST((read_all(*log, 0) == expected));
        }
        BOOST_TEST((read_all(*open_log(disk, from), 0) == expected));
    }
}

BOOST_AUTO_TEST_CASE(records_that_changed_places_are_refused) {
    MemoryDisk disk;
    {
        const auto log = open_log(disk);
        log->append(1, "one");
        log->append(1, "two");
        flush_all(*log);
    }
    const std::string name = disk.names().front();
    Bytes content = disk.content(name);
    std::swap_ranges(content.begin() + 4096, content.begin() + 4112, content.begin() + 4112);
    disk.set_content(name, content);
    BOOST_TEST(read_all(*open_log(disk), 0).empty());
}

BOOST_AUTO_TEST_CASE(record_of_a_recycled_segments_former_life_is_never_read) {
    // Equal records everywhere, so that old ones stand exactly where new ones would.
    MemoryDisk disk;
    const Bytes payload(1000, 'r');
    Position end = 0;
    std::string recycled;
    {
        const auto log = open_log(disk);
        for (int index = 0; index < 16; ++index) end = log->append(1, payload);  // four segments
        flush_all(*log);
        BOOST_REQUIRE(log->trim(end).has_value());
        BOOST_TEST(log->base() == 3 * small_segment_bytes);
        // One segment was made ahead of time; the one after it is the first recycled one.
        for (int index = 0; index < 5; ++index) {
            end = log->append(2, payload);
            flush_all(*log);
        }
        const Bytes start = format_header_start(log->id(), 5 * small_segment_bytes);
        for (const std::string& name : disk.names()) {
            if (disk.content(name).substr(8, start.size()) == start) recycled = name;
        }
    }
    BOOST_REQUIRE(!recycled.empty());
    // Three records of the former life stand behind the new one.
    BOOST_REQUIRE(disk.content(recycled).find(payload, 4096 + 2 * 1013) != Bytes::npos);
    const auto log = open_log(disk, 3 * small_segment_bytes);
    BOOST_TEST(log->end() == end);
    const auto records = read_all(*log, 3 * small_segment_bytes);
    BOOST_REQUIRE(records.size() == 9U);
    BOOST_TEST(records.back().kind == 2);
}

BOOST_AUTO_TEST_CASE(flipped_byte_gives_an_error_or_a_shorter_tail_but_never_another_record) {
    MemoryDisk disk;
    std::vector<TestRecord> expected;
    std::vector<Position> ends;
    SeededRandom random(11);
    {
        const auto log = open_log(disk);
        for (int index = 0; index < 14; ++index) {
            expected.push_back(random_record(random, 1800));
            ends.push_back(log->append(expected.back().kind, expected.back().payload));
            flush_all(*log);
        }
    }
    const Position last_segment = ends.back() / small_segment_bytes * small_segment_bytes;
    const auto safe = static_cast<std::size_t>(
        std::count_if(ends.begin(), ends.end(), [&](Position end) { return end <= last_segment; }));
    BOOST_TEST(disk.names().size() >= 3U);
    std::size_t refused = 0;
    for (const std::string& name : disk.names()) {
        const Bytes whole = disk.content(name);
        for (std::size_t offset = 0; offset < whole.size(); ++offset) {
            MemoryDisk damaged;
            for (const std::string& other : disk.names()) {
                damaged.set_content(other, disk.content(other));
            }
            Bytes content = whole;
            content[offset] = static_cast<char>(content[offset] ^ 0x20);
            damaged.set_content(name, content);
            auto log = Log::open(damaged, LogOptions{small_segment_bytes}, random, 0);
            if (!log) {
                BOOST_REQUIRE((log.error().code == Code::corrupt));
                ++refused;
                continue;
            }
            const auto records = read_all(**log, 0);
            BOOST_REQUIRE_MESSAGE(is_prefix(records, expected), name << " " << offset);
            BOOST_REQUIRE_GE(records.size(), safe);
        }
    }
    // Every byte of a record in front of the last segment counts.
    std::size_t record_bytes = 0;
    for (std::size_t index = 0; index < safe; ++index) {
        record_bytes += 13 + expected[index].payload.size();
    }
    BOOST_TEST(refused >= record_bytes);
}

BOOST_AUTO_TEST_CASE(damage_below_the_checkpoint_is_found_by_readers_only) {
    MemoryDisk disk;
    std::vector<Position> ends;
    {
        const auto log = open_log(disk);
        for (int index = 0; index < 12; ++index) ends.push_back(log->append(1, Bytes(1000, 'd')));
        flush_all(*log);
    }
    // Once in an older segment, once in the checkpoint's own.
    for (const std::size_t record : {1U, 5U}) {
        const Position inside = ends[record] - 500;
        const std::string name = disk.names()[inside / small_segment_bytes];
        Bytes content = disk.content(name);
        content[inside % small_segment_bytes] = '!';
        MemoryDisk damaged;
        for (const std::string& other : disk.names()) {
            damaged.set_content(other, disk.content(other));
        }
        damaged.set_content(name, content);
        const auto log = open_log(damaged, ends[6]);
        BOOST_TEST(log->end() == ends.back());
        BOOST_TEST(read_all(*log, ends[6]).size() == 5U);
        std::optional<Error> error;
        BOOST_TEST(read_all(*log, 0, &error).size() == record);
        BOOST_REQUIRE(error.has_value());
        BOOST_TEST((error->code == Code::corrupt));
    }
}

BOOST_AUTO_TEST_CASE(missing_segment_in_the_middle_is_an_error) {
    MemoryDisk disk;
    {
        const auto log = open_log(disk);
        for (int index = 0; index < 20; ++index) log->append(1, Bytes(1000, 'm'));
        flush_all(*log);
    }
    const auto names = disk.names();
    BOOST_REQUIRE(disk.remove(names[2]).has_value());
    SeededRandom random(1);
    const auto log = Log::open(disk, LogOptions{small_segment_bytes}, random, 0);
    BOOST_REQUIRE(!log.has_value());
    BOOST_TEST((log.error().code == Code::corrupt));
}

BOOST_AUTO_TEST_CASE(files_of_two_logs_are_an_error) {
    MemoryDisk disk;
    MemoryDisk other;
    (void)open_log(disk, 0, small_segment_bytes, 1);
    (void)open_log(other, 0, small_segment_bytes, 2);
    disk.set_content("log-00000002", other.content(other.names().front()));
    SeededRandom random(1);
    const auto log = Log::open(disk, LogOptions{small_segment_bytes}, random, 0);
    BOOST_REQUIRE(!log.has_value());
    BOOST_TEST(log.error().message.find("different logs") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(other_formats_are_told_apart_from_damage) {
    for (const char version : {'\1', '\3'}) {
        MemoryDisk disk;
        (void)open_log(disk);
        const std::string name = disk.names().front();
        Bytes content = disk.content(name);
        for (const std::size_t copy : {0U, 2048U}) {
            content[copy + 8 + 8 + 3] = version;
            Bytes checksum;
            ByteWriter(checksum).u64(hash64(BytesView(content).substr(copy + 8, 504)));
            content.replace(copy, 8, checksum);
        }
        disk.set_content(name, content);
        SeededRandom random(1);
        const auto log = Log::open(disk, LogOptions{small_segment_bytes}, random, 0);
        BOOST_REQUIRE(!log.has_value());
        BOOST_TEST((log.error().code == Code::version));
    }
}

BOOST_AUTO_TEST_CASE(what_recovery_read_is_durable_even_after_a_failed_sync) {
    // The failed sync leaves a record that reads well and that no later sync would write.
    MemoryDisk disk;
    Position end = 0;
    {
        const auto log = open_log(disk);
        log->append(1, "first");
        flush_all(*log);
        end = log->append(2, "second");
        auto flush = log->begin_flush();
        BOOST_REQUIRE(flush->write().has_value());
        disk.fail_sync();
        BOOST_TEST(!flush->sync().has_value());
    }
    disk.kill();
    {
        const auto log = open_log(disk);
        BOOST_TEST(log->durable() == end);
    }
    for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
        disk.crash(seed);
        BOOST_TEST(open_log(disk)->durable() == end);
    }
}

/// One stage of a flush at a time, so that cuts fall between all of them.
class FlushSteps {
public:
    FlushSteps(Log& log, SeededRandom& random) : log_(log), random_(random) {}

    void step() {
        if (stage_ == 0) {
            flush_ = log_.begin_flush();
            if (!flush_) return;
        } else if (stage_ == 1) {
            BOOST_REQUIRE(flush_->write().has_value());
        } else if (stage_ == 2) {
            BOOST_REQUIRE(flush_->sync().has_value());
        } else {
            log_.finish_flush(*flush_);
            if (random_.below(2) == 0) BOOST_REQUIRE(flush_->prepare_next().has_value());
        }
        stage_ = (stage_ + 1) % 4;
    }

private:
    Log& log_;
    SeededRandom& random_;
    std::optional<Log::Flush> flush_;
    int stage_ = 0;
};

BOOST_AUTO_TEST_CASE(power_cuts_and_kills_anywhere_lose_nothing_durable_and_invent_nothing) {
    // A model run: random appends, flush steps, writes that nothing syncs, trims; then a cut in the
    // midst of it, reopening from a random checkpoint, and the same again on what is left.
    std::size_t writes_kept = 0;
    std::size_t writes_lost = 0;
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(1000))) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            MemoryDisk disk;
            SeededRandom random(seed);
            std::vector<std::pair<Position, TestRecord>> model;  // by end; the cut tail removed
            Position checkpoint = 0;
            Position kept = 0;
            Position written = 0;
            const bool interval = random.below(2) == 0;
            for (int life = 0; life < 12; ++life) {
                auto log = open_log(disk, checkpoint, small_segment_bytes, random.next());
                BOOST_REQUIRE_GE(log->end(), kept);
                if (written > kept) ++(log->end() < written ? writes_lost : writes_kept);
                while (!model.empty() && model.back().first > log->end()) model.pop_back();
                std::vector<TestRecord> expected;
                for (const auto& [end, record] : model) {
                    if (end > checkpoint) expected.push_back(record);
                }
                BOOST_REQUIRE(read_all(*log, checkpoint) == expected);
                const std::uint64_t steps = random.below(60);
                FlushSteps flushes(*log, random);
                for (std::uint64_t step = 0; step < steps; ++step) {
                    if (random.below(2) == 0) {
                        const auto record = random_record(random, random.below(9) ? 1200 : 9000);
                        model.emplace_back(log->append(record.kind, record.payload), record);
                    }
                    if (interval && random.below(3) > 0) {
                        const Position before = log->written();
                        BOOST_REQUIRE(log->write_buffered().has_value());
                        BOOST_REQUIRE_GE(log->written(), before);
                        BOOST_REQUIRE_LE(log->written(), log->end());
                    }
                    flushes.step();
                    if (random.below(10) == 0) {
                        for (const auto& [end, record] : model) {
                            if (end > log->durable()) break;
                            if (random.below(4) == 0) checkpoint = std::max(checkpoint, end);
                        }
                        BOOST_REQUIRE(log->trim(checkpoint).has_value());
                    }
                }
                kept = log->durable();
                written = log->written();
                log.reset();
                if (random.below(4) == 0) {
                    disk.kill();
                    kept = written;
                } else {
                    disk.crash(random.next());
                }
            }
        }
    }
    BOOST_TEST(writes_kept > test::fewer_if_sanitized(100));
    BOOST_TEST(writes_lost > test::fewer_if_sanitized(100));
}

BOOST_AUTO_TEST_CASE(power_cut_during_recovery_is_recovered_from) {
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(200))) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            MemoryDisk disk;
            SeededRandom random(seed);
            Position durable = 0;
            std::vector<TestRecord> expected;
            {
                const auto log = open_log(disk);
                for (int index = 0; index < 8; ++index) {
                    expected.push_back(random_record(random, 1500));
                    log->append(expected.back().kind, expected.back().payload);
                    if (index == 3) {
                        flush_all(*log);
                        durable = log->durable();
                    }
                }
                BOOST_REQUIRE(log->begin_flush()->write().has_value());
            }
            disk.crash(random.next());
            for (int round = 0; round < 3; ++round) {
                disk.fail_sync(random.below(2));
                SeededRandom lives(random.next());
                // Fails at a sync, or not at all when there are fewer.
                (void)Log::open(disk, LogOptions{small_segment_bytes}, lives, durable);
                disk.crash(random.next());
            }
            disk.fail_nothing();
            const auto log = open_log(disk, durable);
            BOOST_TEST(log->end() >= durable);
            const auto records = read_all(*log, 0);
            BOOST_TEST(is_prefix(records, expected));
            BOOST_TEST(records.size() >= 4U);
        }
    }
}

BOOST_AUTO_TEST_CASE(power_cut_during_the_first_creation_leaves_a_usable_directory) {
    for (std::uint64_t after = 0; after < 4; ++after) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            MemoryDisk disk;
            disk.fail_sync(after);
            SeededRandom random(seed);
            (void)Log::open(disk, LogOptions{small_segment_bytes}, random, 0);
            disk.crash(seed);
            disk.fail_nothing();
            const auto log = open_log(disk);
            log->append(1, "works");
            flush_all(*log);
            BOOST_TEST(read_all(*log, 0).size() == 1U);
        }
    }
}

BOOST_AUTO_TEST_CASE(bytes_on_disk_are_those_of_the_format) {
    MemoryDisk disk;
    const auto log = open_log(disk);
    log->append(7, "payload");
    log->append(8, "");
    flush_all(*log);
    const Bytes content = disk.content("log-00000001");
    BOOST_REQUIRE_EQUAL(content.size(), small_segment_bytes);
    Bytes header = format_header_start(log->id(), 0);
    ByteWriter writer(header);
    writer.u64(small_segment_bytes);  // size
    writer.u64(1);                    // sequence
    writer.u64(life_of(content));
    writer.u64(0);  // previous life
    header.resize(504, '\0');
    Bytes sector;
    ByteWriter(sector).u64(hash64(header));
    sector += header;
    BOOST_TEST(to_hex(content.substr(0, 512)) == to_hex(sector));
    BOOST_TEST(to_hex(content.substr(2048, 512)) == to_hex(sector));
    const Bytes records = format_record(log->id(), life_of(content), 4096, 7, "payload") +
                          format_record(log->id(), life_of(content), 4096 + 20, 8, "");
    BOOST_TEST(to_hex(content.substr(4096, records.size())) == to_hex(records));
    // The same as numbers, which no change of the code may touch.
    BOOST_TEST(to_hex(content.substr(4096, records.size())) ==
               "0000000707abb48aa325190dc07061796c6f616400000000081215690646355d0f");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
