#include "tools/suffix.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>

#include "core/engine/data_directory.hpp"
#include "tools/exit_codes.hpp"
#include "tools/lost_events.hpp"

namespace syncline {
namespace {

namespace fs = std::filesystem;

struct SuffixLine {
    std::string data;
    std::string output;
};

struct Exported {
    std::size_t events = 0;
    std::uint64_t listed = 0;  ///< how many there were; the log may have forgotten some
    std::string aside;         ///< where the old directory is now
    std::string node;          ///< the uuid of the old replica
};

Error suffix_usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

/// The held events of the directory, in its log's order.
Result<std::vector<Event>> read_suffix(DataDirectory& data, Env env, std::uint64_t& listed) {
    if (data.identity.cluster.is_nil())
        return suffix_usage("the data directory is of no cluster yet");
    ReplicaOptions options;
    options.primary_backup.mode = ReplicationMode::primary_backup;
    SYNCLINE_TRY(const std::unique_ptr<Replica> replica,
                 data.open_replica(std::move(options), env));
    if (!replica->primary_backup().holds_suffix()) {
        return suffix_usage(
            "no unreplicated events are held here; they are when the replica was started with "
            "--unreplicated hold and then met the new primary");
    }
    for (const auto& suffix : replica->primary_backup().suffixes()) listed += suffix.count();
    return replica->suffix_events(std::numeric_limits<std::size_t>::max());
}

/// The events are safe in the file before the directory is moved, and nothing is deleted. The new
/// directory is of the same cluster, so that not even --init founds another.
Result<Exported> export_suffix(const SuffixLine& line) {
    SYNCLINE_TRY(const fs::path directory, existing_directory(line.data));
    SystemClock clock;
    SystemRandom random;
    Exported exported;
    Identity identity;
    {
        SYNCLINE_TRY(DataDirectory data, DataDirectory::open(directory.string(), random));
        identity = data.identity;
        SYNCLINE_TRY(const std::vector<Event> events,
                     read_suffix(data, Env{clock, random}, exported.listed));
        exported.events = events.size();
        SYNCLINE_CHECK(write_events(line.output, identity.cluster, events));
    }
    exported.node = to_string(identity.node);
    SYNCLINE_TRY(exported.aside, begin_anew(directory, ".suffix-", identity));
    return exported;
}

int run(const SuffixLine& line) {
    const Result<Exported> exported = export_suffix(line);
    if (!exported) {
        fmt::print(stderr, "syncline: {}\n", exported.error().message);
        return exit_code_of(exported.error());
    }
    fmt::print("{} events written to {}\n", exported->events, line.output);
    if (exported->events < exported->listed) {
        fmt::print("{} more are no longer in the log; their effects are in the old directory\n",
                   exported->listed - exported->events);
    }
    fmt::print("the old directory is now {}; {} is a new, empty replica of the cluster\n",
               exported->aside, line.data);
    fmt::print("tell the other replicas: CRDT.FORGET {}\n", exported->node);
    return exit_ok;
}

}  // namespace

std::function<int()> add_suffix(CLI::App& app) {
    auto line = std::make_shared<SuffixLine>();  // of the parse, and of the run after it
    app.require_subcommand(1);
    CLI::App* const command = app.add_subcommand(
        "export", "Write the held events of a stopped replica to a file, and begin anew without");
    command->add_option("--data", line->data, "Its data directory")->required()->type_name("DIR");
    command->add_option("--output", line->output, "File for one line of JSON an event")
        ->required()
        ->type_name("FILE");
    return [line]() { return run(*line); };
}

}  // namespace syncline
