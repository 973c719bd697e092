/// The simulator's command line. See tests/sim/README.md.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "core/base/env.hpp"
#include "core/base/log.hpp"
#include "core/base/mutation.hpp"
#include "tests/sim/resume.hpp"
#include "tests/sim/runner.hpp"

namespace syncline::sim {
namespace {

constexpr char usage[] =
    "Usage: sim [options]\n"
    "  --seeds N            runs N seeds (100)\n"
    "  --first S            the first of them (by chance, and printed)\n"
    "  --seed X             runs one seed in this process\n"
    "  --file FILE          runs the seeds of a file: see tests/sim/README.md\n"
    "  --trace              prints what happens; with --seed\n"
    "  --seconds T          virtual seconds with faults (60)\n"
    "  --rate R             operations a second at each replica (10)\n"
    "  --replicas 3|5       instead of 3 and 5 in turn\n"
    "  --mode M             multi-master, primary-backup, membership, copies; else by seed\n"
    "  --idle               no faults and no clients: how fast time goes then\n"
    "  --check-determinism  runs each seed twice and compares\n"
    "  --until-failure      goes on until a seed fails\n"
    "  --jobs J             processes (1)\n"
    "  --progress           prints a line for each seed\n"
    "  --resume FILE        notes in FILE what is done, and goes on where it ended\n"
    "  --help               prints this\n"
#ifdef SYNCLINE_MUTATIONS
    "  --mutation NAME      plants a bug: partial lww_prune no_defer no_barrier ctr_absent\n"
    "                       conflict_past conflict_ring term_late vote_twice ack_early no_fence\n"
    "                       rights_clear rights_of_all accept_any propose_own old_reports\n"
    "                       no_eviction leaving_writes retire_early skip_gap\n"
    "                       barrier_passed clock_alone reply_early remove_all\n"
    "                       reset_lost join_keeps cut_of_one negative_early copy_stays\n"
    "  --all-mutations      plants each of them in turn; fails unless each is found\n"
    "  --within N           in so many seeds (200)\n"
#endif
    "Exit code: 0 nothing found, 1 a seed failed, 2 the command line is wrong.\n";

/// Its digits, and those of the seeds after it, can be typed in again (number_in).
constexpr std::uint64_t first_seed_max = 100'000'000'000'000'000;

struct CommandLine {
    BatchOptions batch;
    std::optional<std::uint64_t> seed;
    std::optional<std::uint64_t> first;
    std::string file;
    std::string resume;
    std::string mutation;
    bool all_mutations = false;
    bool help = false;
    std::uint64_t within = 200;
    std::string error;
};

std::optional<std::uint64_t> number_in(const std::string& text) {
    std::uint64_t number = 0;
    if (text.empty() || text.size() > 18) return std::nullopt;
    for (const char digit : text) {
        if (digit < '0' || digit > '9') return std::nullopt;
        number = number * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    return number;
}

/// Options without a value. False: not one of them.
bool take_switch(CommandLine& line, const std::string& name) {
    if (name == "--trace") return line.batch.run.trace = true;
    if (name == "--help") return line.help = true;
    if (name == "--idle") return line.batch.run.idle = true;
    if (name == "--check-determinism") return line.batch.check_determinism = true;
    if (name == "--until-failure") return line.batch.stop_at_failure = true;
    if (name == "--progress") return line.batch.progress = true;
#ifdef SYNCLINE_MUTATIONS
    if (name == "--all-mutations") return line.all_mutations = true;
#endif
    return false;
}

std::optional<Mode> mode_of(const std::string& name) {
    if (name == "multi-master") return Mode::multi_master;
    if (name == "primary-backup") return Mode::primary_backup;
    if (name == "membership") return Mode::membership;
    if (name == "copies") return Mode::copies;
    return std::nullopt;
}

/// Options with a value. False: not one of them, or the value is wrong.
bool take_option(CommandLine& line, const std::string& name, const std::string& value) {
    if (name == "--file") return !(line.file = value).empty();
    if (name == "--resume") return !(line.resume = value).empty();
    if (name == "--mode") {
        const std::optional<Mode> mode = mode_of(value);
        if (mode) line.batch.run.mode = *mode;
        return mode.has_value();
    }
#ifdef SYNCLINE_MUTATIONS
    if (name == "--mutation") return !(line.mutation = value).empty();
#endif
    const std::optional<std::uint64_t> number = number_in(value);
    if (!number) return false;
    if (name == "--seed") return (line.seed = number).has_value();
    if (name == "--first") return (line.first = number).has_value();
    if (name == "--seeds") return (line.batch.count = *number) > 0;
    if (name == "--seconds") return (line.batch.run.seconds = *number) > 0;
    if (name == "--rate") return (line.batch.run.rate = *number) > 0 && *number <= 1000;
    if (name == "--jobs") return (line.batch.jobs = static_cast<unsigned>(*number)) > 0;
    if (name == "--within") return (line.within = *number) > 0;
    if (name != "--replicas" || (*number != 3 && *number != 5)) return false;
    line.batch.run.replicas = static_cast<unsigned>(*number);
    return true;
}

CommandLine parse(int count, char** arguments) {
    CommandLine line;
    line.batch.count = 100;
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        if (take_switch(line, name)) continue;
        const std::string value = i + 1 < count ? arguments[++i] : "";
        if (take_option(line, name, value)) continue;
        line.error = "wrong option or value: " + name;
        if (!value.empty()) line.error += " " + value;
        return line;
    }
    if (line.batch.run.trace && !line.seed) line.error = "--trace needs --seed";
    if (line.batch.stop_at_failure) line.batch.count = UINT64_MAX / 2;
    return line;
}

#ifdef SYNCLINE_MUTATIONS
struct NamedMutation {
    const char* name;
    Mutation mutation;
    Mode mode = Mode::mixed;
};
constexpr NamedMutation mutations[] = {
    {"partial", Mutation::partial},
    {"lww_prune", Mutation::lww_prune},
    {"no_defer", Mutation::no_defer},
    {"no_barrier", Mutation::no_barrier},
    {"ctr_absent", Mutation::ctr_absent},
    {"conflict_past", Mutation::conflict_past},
    {"conflict_ring", Mutation::conflict_ring},
    {"term_late", Mutation::term_late},
    {"vote_twice", Mutation::vote_twice},
    {"ack_early", Mutation::ack_early},
    {"no_fence", Mutation::no_fence},
    {"stable_naive", Mutation::stable_naive},
    {"rw_forget", Mutation::rw_forget},
    {"rights_clear", Mutation::rights_clear},
    {"rights_of_all", Mutation::rights_of_all},
    {"accept_any", Mutation::accept_any, Mode::membership},
    {"propose_own", Mutation::propose_own, Mode::membership},
    {"old_reports", Mutation::old_reports, Mode::membership},
    {"no_eviction", Mutation::no_eviction, Mode::membership},
    {"leaving_writes", Mutation::leaving_writes, Mode::membership},
    {"retire_early", Mutation::retire_early, Mode::membership},
    {"skip_gap", Mutation::skip_gap},
    {"barrier_passed", Mutation::barrier_passed},
    {"clock_alone", Mutation::clock_alone},
    {"reply_early", Mutation::reply_early},
    {"remove_all", Mutation::remove_all},
    {"reset_lost", Mutation::reset_lost},
    {"join_keeps", Mutation::join_keeps},
    {"cut_of_one", Mutation::cut_of_one},
    {"negative_early", Mutation::negative_early},
    {"copy_stays", Mutation::copy_stays, Mode::copies}};

bool plant(const std::string& name) {
    for (const NamedMutation& known : mutations) {
        if (name == known.name) active_mutation = known.mutation;
    }
    return active_mutation != Mutation::none;
}

int find_mutations(CommandLine line) {
    bool all = true;
    line.batch.stop_at_failure = true;
    for (const NamedMutation& known : mutations) {
        active_mutation = known.mutation;
        // Two proposers at a time, for one, are rare.
        const bool rare = known.mode == Mode::membership;
        line.batch.run.mode = known.mode;
        line.batch.count = rare ? 5 * line.within : line.within;
        const BatchResult result = run_batch(line.batch, true);
        const unsigned long long seeds = result.coverage.seeds;
        if (result.failures.empty()) {
            std::printf("%-11s NOT FOUND in %llu seeds\n", known.name, seeds);
            all = false;
        } else {
            const SeedFailure& found = result.failures.front();
            std::printf("%-11s found in seed %llu, after %llu: %s\n", known.name,
                        static_cast<unsigned long long>(found.seed), seeds, found.sentence.c_str());
        }
        std::fflush(stdout);
    }
    return all ? 0 : 1;
}
#endif

/// Seeds of a regress file: multi-master, where a line does not begin with the other mode. What
/// follows a number is for people.
std::optional<std::vector<BatchOptions::Named>> read_seeds(const std::string& path) {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    std::vector<BatchOptions::Named> seeds;
    for (std::string text; std::getline(file, text);) {
        std::istringstream words(text);
        std::string first;
        if (!(words >> first) || first[0] == '#') continue;
        const std::optional<Mode> mode = mode_of(first);
        if (mode) words >> first;
        const std::optional<std::uint64_t> seed = number_in(first);
        if (!seed) return std::nullopt;
        seeds.push_back({*seed, mode.value_or(Mode::multi_master)});
    }
    return seeds;
}

int run_one_seed(const CommandLine& line) {
    const auto began = std::chrono::steady_clock::now();
    const SeedResult result = run_one(*line.seed, line.batch.run, line.batch.check_determinism);
    const double wall =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    std::printf("%s", to_text(result.coverage, wall).c_str());
    std::printf("seed %llu, log hash %016llx: %s\n", static_cast<unsigned long long>(*line.seed),
                static_cast<unsigned long long>(result.hash),
                result.failure ? ("FAILED: " + *result.failure).c_str() : "fine");
    return result.failure ? 1 : 0;
}

int run_many(CommandLine line) {
    if (!line.file.empty()) {
        std::optional<std::vector<BatchOptions::Named>> seeds = read_seeds(line.file);
        if (!seeds) {
            std::fprintf(stderr, "sim: no file of seeds: %s\n", line.file.c_str());
            return 2;
        }
        if (seeds->empty()) {
            std::printf("%s holds no seed\n", line.file.c_str());
            return 0;
        }
        line.batch.seeds = std::move(*seeds);
    } else {
        std::printf("seeds from %llu on\n", static_cast<unsigned long long>(line.batch.first));
    }
    const BatchResult result = run_batch(line.batch, false);
    std::printf("%s", to_text(result.coverage, result.wall_seconds).c_str());
    if (!result.failures.empty()) {
        const bool named = !line.file.empty() || line.batch.run.mode != Mode::mixed;
        std::printf("%zu seeds FAILED; repeat one with --seed X --trace%s\n",
                    result.failures.size(), named ? " and its --mode" : "");
        return 1;
    }
    if (line.batch.run.idle) return 0;
    if (const std::string missing = missing_activity(result.coverage); !missing.empty()) {
        std::printf("FAILED: %s\n", missing.c_str());
        return 1;
    }
    return 0;
}

int run(int count, char** arguments) {
    CommandLine line = parse(count, arguments);
    if (!line.error.empty()) {
        std::fprintf(stderr, "sim: %s\n%s", line.error.c_str(), usage);
        return 2;
    }
    if (line.help) {
        std::printf("%s", usage);
        return 0;
    }
    // Most of what replicas would log here is the faults' doing.
    configure_log(line.batch.run.trace ? LogLevel::debug : LogLevel::off, LogFormat::text, "sim");
    // Not the clock: batches begun at the same moment would run the same seeds.
    line.batch.first = line.first.value_or(SystemRandom().below(first_seed_max));
#ifdef SYNCLINE_MUTATIONS
    if (line.all_mutations) return find_mutations(std::move(line));
    if (!line.mutation.empty() && !plant(line.mutation)) {
        std::fprintf(stderr, "sim: no such mutation: %s\n", line.mutation.c_str());
        return 2;
    }
#endif
    if (!line.resume.empty()) return run_resumable(std::move(line.batch), line.resume);
    return line.seed ? run_one_seed(line) : run_many(std::move(line));
}

}  // namespace
}  // namespace syncline::sim

int main(int count, char** arguments) {
    return syncline::sim::run(count, arguments);
}
