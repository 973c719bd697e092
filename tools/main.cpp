// The syncline binary: one subcommand for each tool.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iterator>
#include <string>

#include "syncline_version.hpp"
#include "tools/compare.hpp"
#include "tools/completion.hpp"
#include "tools/config.hpp"
#include "tools/demo.hpp"
#include "tools/exit_codes.hpp"
#include "tools/inspect.hpp"
#include "tools/serve.hpp"
#include "tools/suffix.hpp"

namespace {

/// A new tool is a new row: its add function puts options on the parser and returns what to run.
struct Subcommand {
    const char* name;
    const char* summary;
    const char* example;
    std::function<int()> (*add)(CLI::App&);
};

constexpr Subcommand subcommands[] = {
    {"serve", "Run a replica: serve Redis clients, replicate with peers",
     "Examples:\n"
     "  syncline serve --data data\n"
     "  syncline serve --node a --data a --port 7379 --peer-port 7380 \\\n"
     "    --peer-secret-file secret --peer host-b:7380 --init",
     syncline::add_serve},
    {"demo", "Start three throw-away replicas and replay a real history with a partition",
     "Examples:\n"
     "  syncline demo\n"
     "  syncline demo --script --history tests/data/kv_dag/rqlite.json.gz",
     syncline::add_demo},
    {"compare", "Measure what each way to replicate costs and gives, under load and faults",
     "Examples:\n"
     "  syncline compare --quick\n"
     "  syncline compare --mode multi-master --fault partition --json figures.json",
     syncline::add_compare},
    {"config", "Check the settings of a replica, or print them with their origin",
     "Examples:\n"
     "  syncline config check --config /etc/syncline/syncline.toml\n"
     "  SYNCLINE_PORT=6400 syncline config print --effective --node a",
     syncline::add_config},
    {"completion", "Print a script that completes subcommands and options",
     "Examples:\n"
     "  source <(syncline completion bash)\n"
     "  syncline completion fish > ~/.config/fish/completions/syncline.fish",
     syncline::add_completion},
    {"inspect", "Ask replicas: status, peers, a key; each question over all nodes",
     "Examples:\n"
     "  syncline inspect status --connect host-a:7379,host-b:7379\n"
     "  syncline inspect key cart:7",
     syncline::add_inspect},
    {"suffix", "Take writes out of an old primary that nobody else has",
     "Examples:\n"
     "  syncline suffix export --data data --output suffix.jsonl",
     syncline::add_suffix},
};

std::string version_text() {
    return fmt::format("syncline {} ({})\nbuilt with {}", syncline::version_number,
                       syncline::version_commit, syncline::version_libraries);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Syncline: a multi-master replicated database on CRDTs", "syncline");
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    std::function<int()> runs[std::size(subcommands)];
    CLI::App* parsers[std::size(subcommands)];
    for (std::size_t i = 0; i < std::size(subcommands); ++i) {
        parsers[i] = app.add_subcommand(subcommands[i].name, subcommands[i].summary);
        parsers[i]->footer(subcommands[i].example);
        runs[i] = subcommands[i].add(*parsers[i]);
    }
    try {  // CLI11 reports by exceptions; none leaves this function
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? syncline::exit_ok : syncline::exit_usage;
    }
    for (std::size_t i = 0; i < std::size(subcommands); ++i) {
        if (parsers[i]->parsed()) return runs[i]();
    }
    return syncline::exit_usage;
}
