#include "tests/sim/resume.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace syncline::sim {
namespace {

constexpr std::uint64_t part = 100;

/// What the file says, a line each: `first`, `seeds`, `mode`, `done`, then `failed` for each seed.
struct Progress {
    std::uint64_t first = 0;
    std::uint64_t seeds = 0;
    unsigned mode = 0;
    std::uint64_t done = 0;
    std::vector<SeedFailure> failures;
};

unsigned number_of(Mode mode) {
    return static_cast<unsigned>(mode);
}

bool read(const std::string& file, Progress& progress) {
    std::ifstream in(file);
    std::string first;
    std::string seeds;
    std::string mode;
    std::string done;
    in >> first >> progress.first >> seeds >> progress.seeds >> mode >> progress.mode >> done >>
        progress.done;
    if (!in || first != "first" || seeds != "seeds" || mode != "mode" || done != "done") {
        return false;
    }
    std::string rest;
    std::getline(in, rest);
    while (std::getline(in, rest)) {
        std::istringstream line(rest);
        std::string word;
        SeedFailure failure;
        if (!(line >> word >> failure.seed) || word != "failed") return false;
        std::getline(line, failure.sentence);
        progress.failures.push_back(std::move(failure));
    }
    return progress.done <= progress.seeds;
}

/// Whole or not at all.
bool write(const std::string& file, const Progress& progress) {
    {
        std::ofstream out(file + ".new", std::ios::trunc);
        out << "first " << progress.first << "\nseeds " << progress.seeds << "\nmode "
            << progress.mode << "\ndone " << progress.done << "\n";
        for (const SeedFailure& failure : progress.failures) {
            std::string sentence = failure.sentence;
            std::replace(sentence.begin(), sentence.end(), '\n', ' ');
            out << "failed " << failure.seed << " " << sentence << "\n";
        }
        if (!out.flush()) return false;
    }
    std::error_code failed;
    std::filesystem::rename(file + ".new", file, failed);
    return !failed;
}

}  // namespace

int run_resumable(BatchOptions options, const std::string& file) {
    Progress progress{options.first, options.count, number_of(options.run.mode), 0, {}};
    if (std::filesystem::exists(file)) {
        progress = {};
        if (!read(file, progress) || progress.seeds != options.count ||
            progress.mode != number_of(options.run.mode)) {
            std::fprintf(stderr, "sim: %s is not of this batch\n", file.c_str());
            return 2;
        }
    }
    std::printf("seeds from %llu on, %llu of %llu are done\n", wide(progress.first),
                wide(progress.done), wide(progress.seeds));
    const auto began = std::chrono::steady_clock::now();
    const std::uint64_t done_before = progress.done;
    Coverage coverage;
    while (progress.done < progress.seeds) {
        options.first = progress.first + progress.done;
        options.count = std::min(part, progress.seeds - progress.done);
        BatchResult result = run_batch(options, false);
        coverage += result.coverage;
        progress.done += options.count;
        for (SeedFailure& failure : result.failures) {
            progress.failures.push_back(std::move(failure));
        }
        if (!write(file, progress)) {
            std::fprintf(stderr, "sim: cannot write %s\n", file.c_str());
            return 2;
        }
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        const double each = seconds / static_cast<double>(progress.done - done_before);
        std::printf("%llu of %llu seeds, %zu failed, %.0f s, %.0f s to go\n", wide(progress.done),
                    wide(progress.seeds), progress.failures.size(), seconds,
                    each * static_cast<double>(progress.seeds - progress.done));
        std::fflush(stdout);
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (progress.done > done_before) std::printf("%s", to_text(coverage, seconds).c_str());
    for (const SeedFailure& failure : progress.failures) {
        std::printf("seed %llu FAILED:%s\n", wide(failure.seed), failure.sentence.c_str());
    }
    return progress.failures.empty() ? 0 : 1;
}

}  // namespace syncline::sim
