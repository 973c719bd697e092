#pragma once
#include <boost/test/unit_test.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "storage/log.hpp"
#include "tests/storage/memory_disk.hpp"

namespace syncline {

struct TestRecord {
    std::uint8_t kind;
    Bytes payload;
    bool operator==(const TestRecord&) const = default;
};

constexpr std::size_t small_segment_bytes = 8192;

inline std::unique_ptr<Log> open_log(Disk& disk, Position from = 0,
                                     std::size_t segment_bytes = small_segment_bytes,
                                     std::uint64_t seed = 1) {
    SeededRandom random(seed);
    auto log = Log::open(disk, LogOptions{segment_bytes}, random, from);
    BOOST_REQUIRE_MESSAGE(log.has_value(), (log ? "" : log.error().message));
    return std::move(log).value();
}

/// One flush from begin to end. False when nothing waits.
inline bool flush_once(Log& log) {
    auto flush = log.begin_flush();
    if (!flush) return false;
    const auto written = flush->write();
    BOOST_REQUIRE_MESSAGE(written.has_value(), (written ? "" : written.error().message));
    BOOST_REQUIRE(flush->sync().has_value());
    log.finish_flush(*flush);
    BOOST_REQUIRE(flush->prepare_next().has_value());
    return true;
}

inline void flush_all(Log& log) {
    while (flush_once(log)) {
    }
    BOOST_REQUIRE_EQUAL(log.durable(), log.end());
}

/// All durable records from `position` on; stops at an error, which goes to `error` when given.
inline std::vector<TestRecord> read_all(Log& log, Position position,
                                        std::optional<Error>* error = nullptr) {
    std::vector<TestRecord> records;
    for (;;) {
        auto record = log.read(position);
        if (!record) {
            if (error != nullptr) {
                *error = record.error();
            } else {
                BOOST_ERROR(record.error().message);
            }
            return records;
        }
        if (!record->has_value()) return records;
        BOOST_REQUIRE_GE((*record)->position, position);
        position = (*record)->next;
        records.push_back(TestRecord{(*record)->kind, std::move((*record)->payload)});
    }
}

/// Payloads of all sizes around the interesting ones of a small segment.
inline TestRecord random_record(SeededRandom& random, std::size_t bytes_max) {
    const auto size = static_cast<std::size_t>(random.below(bytes_max + 1));
    TestRecord record{static_cast<std::uint8_t>(random.next()), Bytes(size, '\0')};
    // Half of the payloads are zeros, which look like an unwritten file.
    if (random.below(2) == 0) {
        for (char& byte : record.payload) byte = static_cast<char>(random.next());
    }
    return record;
}

}  // namespace syncline
