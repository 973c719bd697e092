/// The drill's command line. See tests/powercut/README.md.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "core/base/log.hpp"
#include "tests/powercut/drill.hpp"
#include "tests/powercut/life.hpp"
#include "tests/support/seeds.hpp"

namespace syncline::powercut {
namespace {

/// States of one recording; then the next one begins with what one of them left.
constexpr std::size_t states_per_recording = 150;
/// Recordings that follow from each other, each after a power cut.
constexpr std::size_t chain_length = 3;
/// A planted fault must be found in so many states.
constexpr std::size_t planted_states = 150;

struct CommandLine {
    std::size_t states = 300;
    std::uint64_t seed = 0;
    std::string mode = "always";
    std::string recorder;
    std::string keep;
    bool planted = false;
    // Of a life, for this program itself.
    std::string live;
    std::uint64_t life_seed = 0;
    std::uint64_t commits = 0;
    bool closes = false;
    std::vector<std::string> past;
    // One state again.
    std::string trace;
    std::size_t prologue = 0;
    std::size_t cut = 0;
    std::uint64_t draw = 0;

    [[nodiscard]] Mode durability() const {
        return mode == "interval" ? Mode::interval : Mode::always;
    }
};

constexpr std::array planted_faults = {
    std::pair{Planted::forget_log_sync, "forget-log-sync"},
    std::pair{Planted::forget_base_sync, "forget-base-sync"},
    std::pair{Planted::forget_directory_sync, "forget-directory-sync"},
    std::pair{Planted::forget_small_file_sync, "forget-small-file-sync"},
    std::pair{Planted::early_acknowledgement, "early-acknowledgement"},
};

std::vector<Past> past_of(const CommandLine& line) {
    std::vector<Past> past;
    for (const std::string& part : line.past) {
        const std::size_t colon = part.rfind(':');
        past.push_back(
            Past{part.substr(0, colon), std::strtoull(part.c_str() + colon + 1, nullptr, 10)});
    }
    return past;
}

int fail(const Error& error) {
    std::printf("FAILED: %s\n", error.message.c_str());
    return 1;
}

int run_life(const CommandLine& line) {
    const Result<History> history = history_of(past_of(line), line.durability());
    if (!history) return fail(history.error());
    const LifeOptions options{line.live, line.life_seed, line.commits, line.closes,
                              line.durability()};
    const Result<void> lived = live(options, *history);
    return lived ? 0 : fail(lived.error());
}

/// A directory in memory, gone at the end unless something was found.
class Place {
public:
    explicit Place(const std::string& wanted) {
        if (!wanted.empty()) {
            path_ = std::filesystem::absolute(wanted);
            kept_ = true;
        } else {
            const bool memory = ::access("/dev/shm", W_OK) == 0;
            std::string pattern =
                (memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
                "/syncline-powercut-XXXXXX";
            if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
        }
        std::filesystem::create_directories(path_);
        path_ = std::filesystem::canonical(path_);
    }
    ~Place() {
        std::error_code ignored;
        if (!kept_) std::filesystem::remove_all(path_, ignored);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    void keep() { kept_ = true; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
    bool kept_ = false;
};

std::string past_words(const Recording& recording) {
    std::string words;
    for (const Past& past : recording.past) {
        words += " --past " + past.trace + ":" + std::to_string(past.records);
    }
    return words;
}

int report(const Finding& finding, const Recording& recording, Place& place) {
    place.keep();
    std::printf("FAILED: state %zu: %s\n", finding.state, finding.what.c_str());
    std::printf("Again: powercut --trace %s --prologue %zu --cut %zu --draw %llu%s\n",
                recording.trace.c_str(), recording.prologue, finding.cut,
                static_cast<unsigned long long>(finding.draw), past_words(recording).c_str());
    return 1;
}

class Drill {
public:
    explicit Drill(const CommandLine& line) : line_(line), place_(line.keep), random_(line.seed) {}

    int run() {
        std::printf("seed %llu, mode %s, in %s\n", static_cast<unsigned long long>(line_.seed),
                    line_.mode.c_str(), place_.path().c_str());
        while (figures_.states < line_.states) {
            if (const int code = chain(); code != 0) return code;
        }
        print();
        return checked_something() ? 0 : fail({Code::corrupt, "too little was checked"});
    }

    /// Each planted fault must be found in a recording in which nothing is wrong.
    int run_planted() {
        Recording recording = fresh();
        if (const Result<void> made = record_into(recording); !made) return fail(made.error());
        int code = 0;
        for (const auto& [planted, name] : planted_faults) {
            DrillFigures figures;
            const CutOptions options{planted_states, random_.next(), line_.durability(), planted};
            const auto found = cut_power(recording, options, place_.path(), figures, nullptr);
            // A history that contradicts itself is a finding, too.
            const bool bites = !found || found->has_value();
            std::printf("planted %s: %s after %zu states%s%s\n", name,
                        bites ? "found" : "NOT FOUND", figures.states, bites ? ": " : "",
                        !found  ? found.error().message.c_str()
                        : bites ? (*found)->what.c_str()
                                : "");
            if (!bites) code = 1;
        }
        return code;
    }

private:
    Recording fresh() {
        const std::string name = std::to_string(++recordings_);
        return Recording{(place_.path() / ("root" + name)).string(),
                         (place_.path() / ("trace" + name)).string(),
                         {},
                         0};
    }

    Result<void> record_into(Recording& recording) {
        if (recording.prologue == 0) {
            std::filesystem::create_directories(recording.root);
            SYNCLINE_CHECK(write_prologue(recording));
        }
        RecordOptions options;
        options.program = std::filesystem::read_symlink("/proc/self/exe").string();
        options.recorder = line_.recorder;
        options.seed = random_.next();
        options.mode = line_.durability();
        return record(recording, options);
    }

    /// Recordings of which each begins with what a power cut had left of the one before.
    int chain() {
        std::vector<Recording> links{fresh()};
        while (!links.empty() && figures_.states < line_.states) {
            Recording recording = links.back();
            links.pop_back();
            if (const Result<void> made = record_into(recording); !made) {
                place_.keep();
                return fail(made.error());
            }
            Recording next = fresh();
            const bool goes_on = recording.past.size() + 1 < chain_length;
            CutOptions options{std::min(states_per_recording, line_.states - figures_.states),
                               random_.next(), line_.durability()};
            const auto found =
                cut_power(recording, options, place_.path(), figures_, goes_on ? &next : nullptr);
            if (!found) {
                place_.keep();
                return fail(found.error().in(recording.trace));
            }
            if (found->has_value()) return report(**found, recording, place_);
            if (goes_on) links.push_back(next);
            std::printf("%zu of %zu states\n", figures_.states, line_.states);
            std::fflush(stdout);
        }
        tidy_up();
        return 0;
    }

    void tidy_up() {
        if (!line_.keep.empty()) return;
        for (const auto& entry : std::filesystem::directory_iterator(place_.path())) {
            std::filesystem::remove_all(entry.path());
        }
    }

    [[nodiscard]] bool checked_something() const {
        const DrillFigures& f = figures_;
        return f.states >= line_.states && f.in_creation > 0 && f.in_recovery > 0 && f.torn > 0 &&
               f.names > 0 && f.opens >= 2 * f.states && f.events_compared > 0 &&
               f.unpromised_kept > 0 && f.unpromised_lost > 0 && f.acknowledged > 0 &&
               f.checkpoints > f.lives && f.recycled > 0 && f.files_removed > 0;
    }

    void print() const {
        const DrillFigures& f = figures_;
        std::printf(
            "recorded: %zu recordings, %zu lives, %zu records, %zu syncs, %zu commits, %zu "
            "acknowledged, %zu checkpoints, %zu segments, %zu of them in used files, %zu files "
            "removed\n",
            f.recordings, f.lives, f.records, f.syncs, f.commits, f.acknowledged, f.checkpoints,
            f.segments, f.recycled, f.files_removed);
        std::printf(
            "found: %zu unpromised commits kept, %zu lost; %zu events of the log compared; "
            "sectors not synced: %llu old, %llu new\n",
            f.unpromised_kept, f.unpromised_lost, f.events_compared,
            static_cast<unsigned long long>(f.sectors_old),
            static_cast<unsigned long long>(f.sectors_new));
        std::printf(
            "%zu states: %zu inside creation, %zu inside recovery, %zu torn, %zu with open names; "
            "%zu opens, 0 failures\n",
            f.states, f.in_creation, f.in_recovery, f.torn, f.names, f.opens);
    }

    const CommandLine& line_;
    Place place_;
    test::SeededRandom random_;
    DrillFigures figures_;
    std::size_t recordings_ = 0;
};

int run_again(const CommandLine& line) {
    Place place(line.keep);
    place.keep();
    const Recording recording{{}, line.trace, past_of(line), line.prologue};
    CutOptions options{1, 0, line.durability()};
    options.only_cut = line.cut;
    options.only_draw = line.draw;
    DrillFigures figures;
    const auto found = cut_power(recording, options, place.path(), figures, nullptr);
    if (!found) return fail(found.error());
    std::printf("%s; the state is in %s\n",
                found->has_value() ? (*found)->what.c_str() : "nothing is wrong",
                place.path().c_str());
    return found->has_value() ? 1 : 0;
}

}  // namespace
}  // namespace syncline::powercut

int main(int argc, char** argv) {
    using namespace syncline;
    using namespace syncline::powercut;
    CommandLine line;
    line.seed = SystemRandom().next() >> 16U;
    line.recorder =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libpowercut_recorder.so";
    CLI::App app("Rebuilds the states that a power cut could leave, and opens them.");
    app.add_option("--states", line.states, "how many states")->capture_default_str();
    app.add_option("--seed", line.seed, "of workloads and cuts; else by chance");
    app.add_option("--mode", line.mode)->check(CLI::IsMember({"always", "interval"}));
    app.add_option("--recorder", line.recorder, "the library to preload");
    app.add_option("--keep", line.keep, "directory for traces and states, which stay there");
    app.add_flag("--planted", line.planted, "plants faults instead: each must be found");
    app.add_option("--trace", line.trace, "one state again: its trace");
    app.add_option("--prologue", line.prologue, "one state again");
    app.add_option("--cut", line.cut, "one state again");
    app.add_option("--draw", line.draw, "one state again");
    app.add_option("--past", line.past, "one state again, or a life: TRACE:RECORDS before it");
    app.add_option("--live", line.live, "used by this program itself: a life");
    app.add_option("--life-seed", line.life_seed, "of a life");
    app.add_option("--commits", line.commits, "of a life");
    app.add_flag("--closes", line.closes, "of a life");
    CLI11_PARSE(app, argc, argv);
    configure_log(LogLevel::error, LogFormat::text, "powercut");
    if (!line.live.empty()) return run_life(line);
    if (!line.trace.empty()) return run_again(line);
    Drill drill(line);
    return line.planted ? drill.run_planted() : drill.run();
}
