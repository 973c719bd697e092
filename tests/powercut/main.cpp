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
constexpr std::size_t states_per_recording = 75;
/// Recordings that follow from each other, each after a power cut.
constexpr std::size_t chain_length = 3;
/// A planted fault must be found in so many states.
constexpr std::size_t planted_states = 600;

struct CommandLine {
    std::size_t states = 300;
    std::uint64_t seed = 0;
    std::string mode = "both";
    std::string recorder;
    std::string keep;
    bool planted = false;
    // Of a life, for this program itself.
    std::string live;
    std::uint64_t life_seed = 0;
    std::uint64_t commits = 0;
    bool closes = false;
    bool linked = false;
    std::string plant;
    std::vector<std::string> past;
    // One state again.
    std::string trace;
    std::size_t prologue = 0;
    std::size_t cut = 0;
    std::uint64_t draw = 0;

    /// Of a life, or of one state again.
    [[nodiscard]] Mode durability() const {
        return mode == "interval" ? Mode::interval : Mode::always;
    }
    [[nodiscard]] std::vector<Mode> modes() const {
        if (mode == "both") return {Mode::always, Mode::interval};
        return {durability()};
    }
};

struct PlantedFault {
    Planted planted;
    const char* name;
    const char* finding;            ///< words that it must be found with
    std::optional<Mode> only = {};  ///< the mode in which it is one, and often enough
    bool in_lives = false;          ///< needs a recording of its own
};

constexpr std::array planted_faults = {
    PlantedFault{Planted::forget_log_sync, "forget-log-sync", ""},
    PlantedFault{Planted::forget_base_sync, "forget-base-sync", ""},
    PlantedFault{Planted::forget_provisional_sync, "forget-provisional-sync", "", Mode::always,
                 true},
    PlantedFault{Planted::forget_directory_sync, "forget-directory-sync", ""},
    PlantedFault{Planted::forget_small_file_sync, "forget-small-file-sync", ""},
    PlantedFault{Planted::early_acknowledgement, "early-acknowledgement", "commits are lost"},
    PlantedFault{Planted::early_peers, "early-peers", "commits are lost", Mode::interval},
    PlantedFault{Planted::no_interval, "no-interval", "commits are lost", Mode::interval, true},
    PlantedFault{Planted::forget_mark_sync, "forget-mark-sync", "no new name", Mode::interval},
    PlantedFault{Planted::no_mark, "no-mark", "no new name", Mode::interval, true},
    PlantedFault{Planted::same_incarnation, "same-incarnation", "no new name", Mode::interval},
};

Planted planted_by_name(const std::string& name) {
    for (const PlantedFault& fault : planted_faults) {
        if (name == fault.name) return fault.planted;
    }
    return Planted::nothing;
}

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
    const LifeOptions options{line.live,
                              line.life_seed,
                              line.commits,
                              line.closes,
                              line.linked,
                              line.durability(),
                              planted_by_name(line.plant)};
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

int report(const Finding& finding, const Recording& recording, Mode mode, Place& place) {
    place.keep();
    std::printf("FAILED: state %zu: %s\n", finding.state, finding.what.c_str());
    std::printf("Again: powercut --mode %s --trace %s --prologue %zu --cut %zu --draw %llu%s\n",
                to_string(mode).c_str(), recording.trace.c_str(), recording.prologue, finding.cut,
                static_cast<unsigned long long>(finding.draw), past_words(recording).c_str());
    return 1;
}

/// All that is done in one mode.
class Drill {
public:
    Drill(const CommandLine& line, Mode mode, std::size_t states)
        : line_(line),
          mode_(mode),
          states_(states),
          place_(line.keep.empty() ? line.keep : line.keep + "/" + to_string(mode)),
          random_(line.seed) {
        std::printf("mode %s, seed %llu, in %s\n", to_string(mode).c_str(),
                    static_cast<unsigned long long>(line_.seed), place_.path().c_str());
    }

    /// What is rare may not have been met in so many states: then as many once more.
    int run() {
        const std::size_t states_max = 2 * states_;
        while (figures_.states < states_) {
            if (const int code = chain(); code != 0) return code;
            if (figures_.states >= states_ && !checked_something()) states_ = states_max;
        }
        print();
        return checked_something() ? 0 : fail({Code::corrupt, "too little was checked"});
    }

    /// Each planted fault must be found; all but those of the lives themselves in one recording, in
    /// which nothing is wrong.
    int run_planted() {
        Recording sound = fresh();
        if (const Result<void> made = record_into(sound, "", true); !made) {
            return fail(made.error());
        }
        int code = 0;
        for (const PlantedFault& fault : planted_faults) {
            if (fault.only && *fault.only != mode_) continue;
            Recording own = fresh();
            if (fault.in_lives) {
                const Result<void> made = record_into(own, fault.name, true);
                if (!made) return fail(made.error());
            }
            code |= find_planted(fault, fault.in_lives ? own : sound);
        }
        return code;
    }

private:
    int find_planted(const PlantedFault& fault, const Recording& recording) {
        DrillFigures figures;
        const CutOptions options{planted_states, random_.next(), mode_, fault.planted};
        const auto found = cut_power(recording, options, place_.path(), figures, nullptr);
        // A history that contradicts itself is a finding, too.
        const std::string what = !found               ? found.error().message
                                 : found->has_value() ? (*found)->what
                                                      : "NOT FOUND";
        const bool bites =
            (!found || found->has_value()) && what.find(fault.finding) != std::string::npos;
        std::printf("planted %s: %s after %zu states: %s\n", fault.name, bites ? "found" : "FAILED",
                    figures.states, what.c_str());
        std::fflush(stdout);
        return bites ? 0 : 1;
    }

    Recording fresh() {
        const std::string name = std::to_string(++recordings_);
        return Recording{(place_.path() / ("root" + name)).string(),
                         (place_.path() / ("trace" + name)).string(),
                         {},
                         0};
    }

    Result<void> record_into(Recording& recording, const std::string& planted = {},
                             bool closes_in_turn = false) {
        if (recording.prologue == 0) {
            std::filesystem::create_directories(recording.root);
            SYNCLINE_CHECK(write_prologue(recording));
        }
        RecordOptions options;
        options.program = std::filesystem::read_symlink("/proc/self/exe").string();
        options.recorder = line_.recorder;
        options.seed = random_.next();
        options.mode = mode_;
        options.planted = planted;
        options.closes_in_turn = closes_in_turn;
        return record(recording, options);
    }

    /// Recordings of which each begins with what a power cut had left of the one before.
    int chain() {
        std::vector<Recording> links{fresh()};
        while (!links.empty() && figures_.states < states_) {
            Recording recording = links.back();
            links.pop_back();
            if (const Result<void> made = record_into(recording); !made) {
                place_.keep();
                return fail(made.error());
            }
            Recording next = fresh();
            const bool goes_on = recording.past.size() + 1 < chain_length;
            CutOptions options{std::min(states_per_recording, states_ - figures_.states),
                               random_.next(), mode_};
            const auto found =
                cut_power(recording, options, place_.path(), figures_, goes_on ? &next : nullptr);
            if (!found) {
                place_.keep();
                return fail(found.error().in(recording.trace));
            }
            if (found->has_value()) return report(**found, recording, mode_, place_);
            if (goes_on) links.push_back(next);
            std::printf("%zu of %zu states\n", figures_.states, states_);
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
        const bool interval = mode_ == Mode::interval;
        return f.states >= states_ && interval == (f.acknowledged_lost > 0) &&
               interval == (f.new_incarnations > 0) && f.in_creation > 0 && f.in_recovery > 0 &&
               f.torn > 0 && f.names > 0 && f.opens >= 2 * f.states && f.events_compared > 0 &&
               f.unpromised_kept > 0 && f.unpromised_lost > 0 && (interval || f.provisional > 0) &&
               f.acknowledged > 0 && f.told > 0 && f.checkpoints > f.lives && f.recycled > 0 &&
               f.files_removed > 0;
    }

    void print() const {
        const DrillFigures& f = figures_;
        std::printf(
            "recorded: %zu recordings, %zu lives, %zu records, %zu syncs, %zu commits, %zu "
            "acknowledged, a peer told %zu times, %zu checkpoints, %zu segments, %zu of them in "
            "used files, %zu files removed\n",
            f.recordings, f.lives, f.records, f.syncs, f.commits, f.acknowledged, f.told,
            f.checkpoints, f.segments, f.recycled, f.files_removed);
        std::printf(
            "found: %zu unpromised commits kept, %zu lost; %zu events of the log compared; "
            "sectors not synced: %llu old, %llu new\n",
            f.unpromised_kept, f.unpromised_lost, f.events_compared,
            static_cast<unsigned long long>(f.sectors_old),
            static_cast<unsigned long long>(f.sectors_new));
        if (mode_ == Mode::interval) {
            std::printf(
                "in the window of %llu ms: %zu acknowledged commits lost in %zu states, the oldest "
                "%llu ms before the cut; %zu starts as a new incarnation\n",
                static_cast<unsigned long long>(window_ms), f.acknowledged_lost, f.states_with_loss,
                static_cast<unsigned long long>(f.loss_ms_max), f.new_incarnations);
        }
        std::printf(
            "%zu states: %zu inside creation, %zu inside recovery, %zu with a provisional commit, "
            "%zu torn, %zu with open names; %zu opens, 0 failures\n",
            f.states, f.in_creation, f.in_recovery, f.provisional, f.torn, f.names, f.opens);
    }

    const CommandLine& line_;
    Mode mode_;
    std::size_t states_;
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
    app.add_option("--mode", line.mode, "of durability; both: half of the states each")
        ->check(CLI::IsMember({"always", "interval", "both"}))
        ->capture_default_str();
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
    app.add_flag("--linked", line.linked, "of a life");
    app.add_option("--plant", line.plant, "of a life: a fault by its name");
    CLI11_PARSE(app, argc, argv);
    configure_log(LogLevel::error, LogFormat::text, "powercut");
    if (!line.live.empty()) return run_life(line);
    if (!line.trace.empty()) return run_again(line);
    const std::vector<Mode> modes = line.modes();
    int code = 0;
    for (const Mode mode : modes) {
        Drill drill(line, mode, line.states / modes.size());
        code |= line.planted ? drill.run_planted() : drill.run();
    }
    return code;
}
