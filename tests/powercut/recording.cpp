#include "tests/powercut/recording.hpp"

#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/seeds.hpp"

namespace syncline::powercut {
namespace {

/// Longest extra time of a sync, in half of the recordings.
constexpr const char* slow_sync_us = "400";

void put(std::ofstream& out, Kind kind, std::uint64_t file, BytesView payload) {
    const RecordHead head{static_cast<std::uint32_t>(payload.size()),
                          static_cast<std::uint32_t>(kind), file, 0};
    out.write(reinterpret_cast<const char*>(&head), sizeof head);
    out.write(payload.data(), static_cast<std::streamsize>(payload.size()));
}

Result<std::uint64_t> inode_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return Error{Code::io, "cannot read " + path};
    return status.st_ino;
}

Result<void> run_program(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& settings) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    std::vector<char*> environment;
    for (const std::string& setting : settings) {
        environment.push_back(const_cast<char*>(setting.c_str()));
    }
    for (char** inherited = environ; *inherited != nullptr; ++inherited) {
        environment.push_back(*inherited);
    }
    environment.push_back(nullptr);
    pid_t child = 0;
    int status = 0;
    const bool ran =
        ::posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environment.data()) == 0 &&
        ::waitpid(child, &status, 0) == child;
    if (ran && WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return Error{Code::corrupt, "a life failed, status " + std::to_string(status)};
}

}  // namespace

std::string data_path(const std::string& root) {
    return root + "/data";
}

Result<void> write_prologue(Recording& recording) {
    std::ofstream out(recording.trace, std::ios::binary | std::ios::app);
    std::uint64_t syncs = 0;
    const auto sync = [&](std::uint64_t inode) {
        for (const Kind kind : {Kind::sync_begin, Kind::sync_end}) {
            const RecordHead head{0, static_cast<std::uint32_t>(kind), inode, syncs};
            out.write(reinterpret_cast<const char*>(&head), sizeof head);
        }
        ++syncs;
        recording.prologue += 2;
    };
    SYNCLINE_TRY(const std::uint64_t root, inode_of(recording.root));
    put(out, Kind::make_directory, root, ".");
    ++recording.prologue;
    std::vector<std::uint64_t> inodes{root};
    const std::filesystem::path top(recording.root);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
        const std::string name = entry.path().lexically_relative(top).string();
        SYNCLINE_TRY(const std::uint64_t inode, inode_of(entry.path().string()));
        put(out, entry.is_directory() ? Kind::make_directory : Kind::make_file, inode, name);
        ++recording.prologue;
        inodes.push_back(inode);
        if (entry.is_directory()) continue;
        std::ifstream in(entry.path(), std::ios::binary);
        put(out, Kind::write, inode, Bytes(std::istreambuf_iterator<char>(in), {}));
        ++recording.prologue;
    }
    for (const std::uint64_t inode : inodes) sync(inode);
    out.close();
    return out ? Result<void>() : Error{Code::io, "cannot write " + recording.trace};
}

Result<void> record(const Recording& recording, const RecordOptions& options) {
    test::SeededRandom random(options.seed);
    const bool slow = random.below(2) == 0;
    for (std::size_t life = 0; life < options.lives; ++life) {
        const std::uint64_t least = options.commits_max / 4;
        const std::uint64_t commits = least + random.below(options.commits_max - least + 1);
        std::vector<std::string> arguments{options.program,
                                           "--live",
                                           data_path(recording.root),
                                           "--life-seed",
                                           std::to_string(random.next() >> 1U),
                                           "--commits",
                                           std::to_string(commits)};
        const bool by_chance = random.below(3) == 0;
        if (options.closes_in_turn ? life % 2 == 0 : by_chance) arguments.emplace_back("--closes");
        // Peers ask for syncs, which would hide one that is not due.
        if (life % 2 == 1 && options.planted.empty()) arguments.emplace_back("--linked");
        arguments.insert(arguments.end(), {"--mode", to_string(options.mode)});
        if (!options.planted.empty()) {
            arguments.insert(arguments.end(), {"--plant", options.planted});
        }
        for (const Past& past : recording.past) {
            arguments.insert(arguments.end(),
                             {"--past", past.trace + ":" + std::to_string(past.records)});
        }
        if (life > 0) arguments.insert(arguments.end(), {"--past", recording.trace + ":0"});
        SYNCLINE_CHECK(run_program(
            arguments, {"LD_PRELOAD=" + options.recorder, "SYNCLINE_RECORD_ROOT=" + recording.root,
                        "SYNCLINE_RECORD_TRACE=" + recording.trace,
                        std::string("SYNCLINE_RECORD_SYNC_US=") + (slow ? slow_sync_us : "0")}));
    }
    return {};
}

Result<History> history_of(const std::vector<Past>& past, Mode mode) {
    History history(mode);
    for (const Past& part : past) {
        SYNCLINE_TRY(const Trace trace, Trace::load(part.trace));
        const std::size_t all = trace.records().size();
        const std::size_t count = part.records == 0 ? all : std::min(part.records, all);
        for (std::size_t index = 0; index < count; ++index) {
            const Record& record = trace.records()[index];
            if (record.kind != Kind::mark) continue;
            SYNCLINE_TRY(const Mark mark, decode_mark(record.payload));
            SYNCLINE_CHECK(history.take(mark));
        }
        if (part.records > 0) history.lose_power();
    }
    return history;
}

}  // namespace syncline::powercut
