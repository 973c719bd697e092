#pragma once
#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/environment.hpp"

namespace syncline::sim {

/// Virtual time: what happens next, what has happened, and whether something went wrong.
/// Everything of interest is noted here; the running hash over the notes names the run.
class Timeline {
public:
    explicit Timeline(bool tracing) : tracing_(tracing) {}

    [[nodiscard]] const Micros& now() const { return now_; }
    /// Runs the action after this delay. Actions of one moment run in the order they were given.
    void after(Micros delay, std::function<void()> action);
    /// Runs what is due until this moment, or until a failure.
    void run_until(Micros end);

    /// Adds one fact to the hash; `data` stands for the bytes involved.
    void note(std::string_view kind, std::size_t replica, std::uint64_t data);
    /// The same, with words for --trace that are made only when somebody reads them.
    template <std::invocable Words>
    void note(std::string_view kind, std::size_t replica, std::uint64_t data, Words words) {
        note(kind, replica, data);
        if (tracing_) trace(kind, replica, words());
    }
    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    [[nodiscard]] std::uint64_t notes_count() const { return notes_; }
    /// Actions that ran.
    [[nodiscard]] std::uint64_t steps_count() const { return steps_; }

    /// The run has failed; the first sentence stands.
    void fail(std::string sentence);
    [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }

    /// In place of a replica: the world as a whole.
    static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

private:
    struct Action {
        Micros time;
        std::uint64_t sequence;
        std::function<void()> run;

        bool operator<(const Action& other) const {  // the queue's top is the largest
            return time != other.time ? time > other.time : sequence > other.sequence;
        }
    };

    void trace(std::string_view kind, std::size_t replica, const std::string& words) const;

    bool tracing_;
    Micros now_ = 0;
    std::uint64_t sequence_ = 0;
    std::vector<Action> queue_;  // a heap
    std::uint64_t hash_ = 0;
    std::uint64_t notes_ = 0;
    std::uint64_t steps_ = 0;
    std::optional<std::string> failure_;
};

/// Virtual time as seconds, for people.
std::string to_text(Micros time);

}  // namespace syncline::sim
