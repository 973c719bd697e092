/// Flips a bit of each byte of a data directory's files, in turn, and looks at what a replica makes
/// of it: each answer must be right, or an error; a start may be refused, or end in a crash once,
/// but not again and again. Each flip is tried by a process of its own.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>

#include "core/base/hash.hpp"
#include "core/base/log.hpp"
#include "storage/crash_marker.hpp"
#include "storage/lmdb.hpp"
#include "tests/flip/data.hpp"
#include "tests/flip/peers.hpp"

/// In the place of the C library's: a file system that sets no blocks aside, as some are. Making
/// and removing megabytes of them takes six times as long as all else that a flip needs.
extern "C" int fallocate(int, int, off_t, off_t) {
    errno = EOPNOTSUPP;
    return -1;
}

namespace syncline::flip {
namespace {

namespace fs = std::filesystem;

constexpr unsigned seconds_max = 20;

/// What the process that tried a flip ended with.
enum class End : int {
    right = 0,      ///< all answers are right
    refused = 10,   ///< the start was refused
    errors = 11,    ///< some answers are errors, the others right
    wrong = 20,     ///< an answer is wrong, or a key is absent that is not
    unnoticed = 21  ///< a read met damage that the scrub does not find
};

struct Settings {
    std::string file = "base/data.mdb";
    std::uint64_t sample = 0;
    std::uint64_t seed = 1;
    std::uint64_t shard = 0;
    std::uint64_t shards = 1;
    std::uint64_t peers = 0;
    std::int64_t only = -1;
    bool verbose = false;
};

Bytes read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

/// Compares with the truth: the first difference that is no error is wrong.
End judge(const Answers& truth, const Answers& found, int out) {
    End end = End::right;
    for (const auto& [key, right] : truth) {
        const Result<Bytes>& answer = found.at(key);
        if (!answer) {
            end = End::errors;
        } else if (*right != *answer) {
            ::dprintf(out, "key %s is %.200s, not %.200s\n", printable(key).c_str(),
                      printable(*answer).c_str(), printable(*right).c_str());
            return End::wrong;
        }
    }
    return end;
}

struct Truth {
    Answers now;
    std::optional<Answers> before;  ///< where the last flush may be gone: right as well
};

/// What the reads show, and whether a scrub finds what they did.
End look(Subject& subject, const Truth& truth, int out) {
    const Answers found = subject.read_all();
    End end = judge(truth.now, found, out);
    if (end == End::wrong && truth.before) end = judge(*truth.before, found, out);
    if (end == End::wrong) return end;
    Replica& replica = subject.replica();
    replica.start_scrub(true);
    while (replica.scrub_status().running) {
        if (!replica.scrub(10000)) return End::errors;
    }
    (void)replica.committed();  // ends the read view
    const ScrubStatus status = replica.scrub_status();
    return end == End::errors && status.damages == 0 ? End::unnoticed : end;
}

/// Opens the damaged directory, reads, writes a little, makes a checkpoint, and does it once more.
End try_directory(const fs::path& directory, const Truth& truth, int out) {
    End worst = End::right;
    for (int round = 0; round < 2; ++round) {
        Result<std::unique_ptr<Subject>> subject = Subject::open(directory);
        if (!subject) {
            ::dprintf(out, "refused: %s\n", subject.error().message.c_str());
            return End::refused;
        }
        const End end = look(**subject, truth, out);
        if (end == End::wrong || end == End::unnoticed) return end;
        if (end == End::errors) worst = end;
        (void)(*subject)->write("string:55", "(not read)");  // may meet the damage as well
        const Result<void> made = (*subject)->checkpoint();
        if (!made) {
            ::dprintf(out, "checkpoint: %s\n", made.error().message.c_str());
            worst = End::errors;
        }
        // What a checkpoint has put around a damaged row must not be hidden by it.
        const End after = judge(truth.now, (*subject)->read_all(), out);
        if (after == End::wrong) return after;
    }
    return worst;
}

/// Runs something in a process of its own: what became of that, and what it wrote.
std::string in_child(const std::function<int(int out)>& work, bool loud, std::string& output) {
    int pipes[2];
    if (::pipe(pipes) != 0) std::abort();
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(seconds_max);
        const int null = ::open(loud ? "/dev/stderr" : "/dev/null", O_WRONLY);
        (void)::dup2(null, STDERR_FILENO);  // what is logged is not of interest
        ::_exit(work(pipes[1]));
    }
    (void)::close(pipes[1]);
    char buffer[4096];
    ssize_t got = 0;
    output.clear();
    while ((got = ::read(pipes[0], buffer, sizeof(buffer))) > 0) {
        output.append(buffer, static_cast<std::size_t>(got));
    }
    (void)::close(pipes[0]);
    int status = 0;
    (void)::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
    switch (static_cast<End>(WEXITSTATUS(status))) {
        case End::right:
            return "right";
        case End::refused:
            return "refused";
        case End::errors:
            return "errors";
        case End::unnoticed:
            return "unnoticed";
        case End::wrong:
            break;
    }
    return "WRONG";
}

/// Flips beside peers, each with its own seed. False: some ended as none may.
bool run_with_peers(const Settings& settings) {
    std::map<std::string, std::uint64_t> ends;
    bool sound = true;
    for (std::uint64_t i = 0; i < settings.peers; ++i) {
        const std::uint64_t seed = settings.seed + i;
        std::string output;
        const auto run = [&](bool suspect) {
            return in_child(
                [&](int out) { return static_cast<int>(try_with_peers(seed, suspect, out)); },
                false, output);
        };
        std::string name = run(false);
        bool bad = name != "right" && name != "refused";
        if (name.starts_with("signal")) {  // once it may; the mark that it leaves must help
            const std::string again = run(true);
            bad = again != "right" && again != "refused";
            name += " then " + again;
        }
        ++ends[name];
        sound = sound && !bad;
        if (bad || settings.verbose) {
            std::printf("seed %llu: %s: %s\n", static_cast<unsigned long long>(seed), name.c_str(),
                        output.c_str());
            (void)std::fflush(stdout);
        }
    }
    std::printf("with two peers:");
    for (const auto& [name, count] : ends) {
        std::printf(" %s %llu", name.c_str(), static_cast<unsigned long long>(count));
    }
    std::printf(" (seed %llu)\n", static_cast<unsigned long long>(settings.seed));
    return sound;
}

class Trial {
public:
    explicit Trial(const Settings& settings) : settings_(settings) {
        Answers before = build(scratch_.path() / "truth");
        Result<std::unique_ptr<Subject>> subject = Subject::open(copy());
        if (!subject) std::abort();
        truth_.now = (*subject)->read_all();
        if (settings_.file.starts_with("log/")) truth_.before = std::move(before);
        for (Answers* const answers : {&truth_.now, truth_.before ? &*truth_.before : nullptr}) {
            if (answers == nullptr) continue;
            for (const auto& [key, answer] : *answers) {
                if (!answer) std::abort();
            }
            answers->erase("string:55");  // this one is written to
        }
        bytes_ = read_file(scratch_.path() / "truth" / settings_.file);
    }

    /// False: some flip ended as none may.
    bool run() {
        std::uint64_t tried = 0;
        const std::uint64_t step =
            settings_.sample == 0 ? 1
                                  : std::max<std::uint64_t>(1, bytes_.size() / settings_.sample);
        const std::uint64_t first = settings_.sample == 0 ? 0 : settings_.seed % step;
        for (std::uint64_t offset = first; offset < bytes_.size(); offset += step) {
            if (settings_.only >= 0 && offset != static_cast<std::uint64_t>(settings_.only))
                continue;
            if (tried++ % settings_.shards != settings_.shard) continue;
            flip(offset);
        }
        std::printf("%s: %zu bytes", settings_.file.c_str(), bytes_.size());
        for (const auto& [name, count] : ends_) {
            std::printf(", %s %llu", name.c_str(), static_cast<unsigned long long>(count));
        }
        std::printf(" (seed %llu)\n", static_cast<unsigned long long>(settings_.seed));
        return sound_;
    }

private:
    fs::path copy() {
        const fs::path target = scratch_.path() / "copy";
        fs::remove_all(target);
        fs::copy(scratch_.path() / "truth", target, fs::copy_options::recursive);
        return target;
    }

    void flip(std::uint64_t offset) {
        const fs::path directory = copy();
        const unsigned bit = hash64(std::to_string(offset), settings_.seed) % 8;
        std::fstream file(directory / settings_.file,
                          std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(static_cast<std::streamoff>(offset));
        file.put(static_cast<char>(bytes_[offset] ^ static_cast<char>(1U << bit)));
        file.close();
        const auto start = [&](int out) {
            (void)mark_suspect_on_crash((directory / "base").string());  // as a server does
            return static_cast<int>(try_directory(directory, truth_, out));
        };
        const bool loud = settings_.only >= 0;
        std::string output;
        std::string name = in_child(start, loud, output);
        const std::string first = name;
        // A crash must not happen again and again.
        for (int again = 0; name.starts_with("signal") && again < 3; ++again) {
            name = in_child(start, loud, output);
        }
        bool bad = name == "WRONG" || name == "unnoticed";
        if (name != first) {
            name = first + " then " + name;
        } else if (name.starts_with("signal")) {
            bad = true;
            name += " for ever";
        }
        ++ends_[name];
        sound_ = sound_ && !bad;
        if (bad || settings_.verbose) {
            std::printf("%s offset %llu bit %u: %s: %s\n", settings_.file.c_str(),
                        static_cast<unsigned long long>(offset), bit, name.c_str(), output.c_str());
            (void)std::fflush(stdout);
        }
    }

    Settings settings_;
    ScratchDirectory scratch_;
    Truth truth_;
    Bytes bytes_;
    std::map<std::string, std::uint64_t> ends_;
    bool sound_ = true;
};

}  // namespace
}  // namespace syncline::flip

int main(int argc, char** argv) {
    syncline::flip::Settings settings;
    CLI::App app("Flips each byte of a data directory in turn", "flip");
    app.add_option("--file", settings.file, "Which file, below the data directory");
    app.add_option("--sample", settings.sample, "About so many bytes instead of all");
    app.add_option("--seed", settings.seed, "Chooses bits, and the sample");
    app.add_option("--shard", settings.shard, "Which part, from 0");
    app.add_option("--shards", settings.shards, "Of how many parts");
    app.add_option("--peers", settings.peers,
                   "Instead: so many flips of the base of a replica with two healthy peers");
    app.add_option("--only", settings.only, "One offset alone");
    app.add_flag("--verbose", settings.verbose, "Tell of each flip");
    CLI11_PARSE(app, argc, argv);
    const bool sound = settings.peers > 0 ? syncline::flip::run_with_peers(settings)
                                          : syncline::flip::Trial(settings).run();
    return sound ? 0 : 1;
}
