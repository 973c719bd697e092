#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

struct ClientState;
struct Command;
struct CommandName;

// What the commands do and how long it takes, for INFO, SLOWLOG, LATENCY and MONITOR. All of it is
// confined to the loop's thread, and costs some ten nanoseconds a command while nobody looks.

/// How long calls took, in microseconds: counts in buckets that are an eighth of a power of two
/// wide. 2 KiB; adding is O(1).
class DurationHistogram {
public:
    void add(std::uint64_t us);
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// A duration that so many percent of the calls did not exceed, within an eighth; 0 if there
    /// are none.
    [[nodiscard]] std::uint64_t percentile(double percent) const;
    /// Powers of two in microseconds, and how many calls took less; without those that no call lies
    /// between and the one before.
    [[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> below() const;

private:
    static constexpr unsigned exponent_max = 40;  // 2^40 microseconds are twelve days
    static constexpr std::size_t buckets_count = (exponent_max - 1) * 8;

    std::array<std::uint64_t, buckets_count> buckets_{};
    std::uint64_t count_ = 0;
};

/// Calls of one command.
struct CallFigures {
    std::string full_name;
    std::uint64_t calls = 0;
    std::uint64_t us = 0;        ///< of all of them
    std::uint64_t rejected = 0;  ///< for their arity, or because they may not run now
    std::uint64_t failed = 0;    ///< replied with an error
    std::unique_ptr<DurationHistogram> durations;  ///< null: there was none
};

/// All commands' figures, since the start or CONFIG RESETSTAT.
class CommandStatistics {
public:
    void call(const CommandName& name, std::uint64_t us, bool failed);
    void reject(const CommandName& name);
    /// An error reply, with or without its '-': counted under its first word.
    void error(BytesView reply);
    void reset();

    /// In order of the names.
    [[nodiscard]] std::vector<const CallFigures*> commands() const;
    [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& errors() const {
        return errors_;
    }

private:
    CallFigures& of(const CommandName& name);

    std::unordered_map<const Command*, CallFigures> commands_;
    std::map<std::string, std::uint64_t, std::less<>> errors_;
};

/// Arguments as the slow log keeps them, and Redis's does: 32 of 128 bytes each, and how many more
/// there were.
std::vector<Bytes> cut_arguments(const std::vector<Bytes>& arguments);

/// Calls that took long, the latest first; secrets are blotted out.
class SlowLog {
public:
    struct Entry {
        std::uint64_t id = 0;
        std::uint64_t wall_s = 0;
        std::uint64_t us = 0;
        std::vector<Bytes> arguments;  ///< of cut_arguments()
        std::string address;           ///< of the client
        Bytes client_name;
    };

    [[nodiscard]] bool takes(std::uint64_t us) const {
        return slower_than_us_ && us >= *slower_than_us_ && length_max_ > 0;
    }
    /// The number is given here.
    void add(Entry entry);
    void clear() { entries_.clear(); }
    [[nodiscard]] const std::deque<Entry>& entries() const { return entries_; }

    /// Nothing: none is.
    void set_slower_than(std::optional<std::uint64_t> us) { slower_than_us_ = us; }
    void set_length_max(std::uint64_t length);

private:
    std::deque<Entry> entries_;
    std::uint64_t next_id_ = 0;
    std::optional<std::uint64_t> slower_than_us_ = 10000;
    std::uint64_t length_max_ = 128;
};

/// When something took longer than a threshold: the last 160 samples of each event, one a second.
class LatencyMonitor {
public:
    struct Sample {
        std::uint64_t wall_s = 0;
        std::uint64_t ms = 0;
    };
    struct Event {
        std::deque<Sample> samples;  ///< oldest first, never empty
        std::uint64_t ms_max = 0;    ///< since the last reset
    };

    /// Ignored when it is below the threshold, or there is none. The name must be one of few.
    void note(BytesView event, std::uint64_t ms, std::uint64_t wall_s);
    [[nodiscard]] bool takes(std::uint64_t ms) const {
        return threshold_ms_ > 0 && ms >= threshold_ms_;
    }
    /// True if there was such an event.
    bool reset(BytesView event);
    [[nodiscard]] const std::map<std::string, Event, std::less<>>& events() const {
        return events_;
    }
    void set_threshold(std::uint64_t ms) { threshold_ms_ = ms; }
    [[nodiscard]] std::uint64_t threshold_ms() const { return threshold_ms_; }

private:
    std::map<std::string, Event, std::less<>> events_;
    std::uint64_t threshold_ms_ = 0;  // 0: off
};

/// All of it.
struct Observation {
    CommandStatistics statistics;
    SlowLog slow_log;
    LatencyMonitor latency;
    std::map<std::uint64_t, ClientState*> monitors;  ///< clients that ran MONITOR, by number
    std::vector<Bytes> monitor_lines;  ///< for them, until the command that runs is over
};

}  // namespace syncline
