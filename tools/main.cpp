// The syncline binary: one subcommand for each tool.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iterator>
#include <string>

#include "syncline_version.hpp"
#include "tools/backup.hpp"
#include "tools/cluster.hpp"
#include "tools/compare.hpp"
#include "tools/completion.hpp"
#include "tools/config.hpp"
#include "tools/demo.hpp"
#include "tools/doctor.hpp"
#include "tools/exit_codes.hpp"
#include "tools/export.hpp"
#include "tools/import.hpp"
#include "tools/inspect.hpp"
#include "tools/scrub.hpp"
#include "tools/serve.hpp"
#include "tools/shell.hpp"
#include "tools/suffix.hpp"

/// Of jemalloc, which reads it before anything runs; the environment's MALLOC_CONF goes before it.
/// Room of values of many megabytes is kept for the next ones for some seconds, as smaller room is,
/// and not given back at once: a large value is copied several times on its way, and a system needs
/// longer to hand out pages than to fill them. Pages are large ones where the system has them: a
/// write needs new memory until the next checkpoint, and small pages were up to a quarter of its
/// time on virtual machines. An idle replica takes some 10 MiB more.
extern "C" __attribute__((visibility("default"))) const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,thp:always";

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
    {"shell", "Type commands to a replica, or run them from a script",
     "A command behind the options is run alone. Without one lines are read: edited, completed by\n"
     "Tab and kept in ~/.syncline_history (or SYNCLINE_HISTORY) on a terminal, else from a "
     "script.\n"
     "Exit code 1 if a reply was an error, 3 if the server is not reached.\n"
     "Examples:\n"
     "  syncline shell\n"
     "  syncline shell --json HGETALL user:1\n"
     "  syncline shell -e 'SET greeting \"hello world\"' -e 'GET greeting'\n"
     "  syncline shell --connect host-b:7379 < commands.txt",
     syncline::add_shell},
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
    {"doctor", "Say what is well and what is not, and gather files for whoever helps",
     "The files hold no keys, values or secrets: arguments are lengths, quotes are left out.\n"
     "Exit code 0 if all is well, 4 if there are warnings, 1 if there are problems.\n"
     "Examples:\n"
     "  syncline doctor --connect 127.0.0.1:7379 --output /tmp/bundle.tar\n"
     "  journalctl -u syncline | syncline doctor --config /etc/syncline/syncline.toml --log -\n"
     "  syncline doctor --data /var/lib/syncline",
     syncline::add_doctor},
    {"backup", "Copy the data of a replica, running or not, into a new directory",
     "The copy is of one state, the one at its end; a replica that runs is not held up by it.\n"
     "Examples:\n"
     "  syncline backup /backups/monday --connect 127.0.0.1:7379 --rate 50000000\n"
     "  syncline backup /backups/monday --data /var/lib/syncline",
     syncline::add_backup},
    {"verify", "Read a backup and check every byte of it",
     "Exit code 0 if it is sound, 1 if not, 2 if there is none.\n"
     "Examples:\n"
     "  syncline verify /backups/monday",
     syncline::add_verify},
    {"restore", "Make a new data directory of a backup",
     "The replica in it is a new one, whatever became of the old one.\n"
     "--as merge: it is of the same cluster. Its peers give it what came since, and take what "
     "they\n"
     "  lack; nothing is undone, nothing is counted twice.\n"
     "--as rollback: everything since the backup is undone. It is the first replica of a new\n"
     "  cluster; replicas of the old one refuse it, and join it with emptied data directories "
     "only.\n"
     "Examples:\n"
     "  syncline restore /backups/monday --data /var/lib/syncline\n"
     "  syncline restore /backups/monday --data /var/lib/syncline --as rollback",
     syncline::add_restore},
    {"scrub", "Look at everything that a replica has stored: is it as it was written?",
     "A replica that runs goes on meanwhile, and has its peers repair what is damaged; it does "
     "the\n"
     "same by itself every 30 days. A directory is not changed.\n"
     "Exit code 0 if all is sound, 1 if something was found.\n"
     "Examples:\n"
     "  syncline scrub --connect 127.0.0.1:7379\n"
     "  syncline scrub --data /var/lib/syncline",
     syncline::add_scrub},
    {"export", "Write the values of keys as lines of JSON, or as commands for redis-cli --pipe",
     "Values as clients read them, key after key while others write; a backup is of one state.\n"
     "Bytes that are no UTF-8 are {\"hex\": ...}. Of concurrent values of a multi-value commands\n"
     "write the latest.\n"
     "Examples:\n"
     "  syncline export keys.jsonl --connect 127.0.0.1:7379 --prefix cart:\n"
     "  syncline export --data /var/lib/syncline --format resp | redis-cli -p 6379 --pipe",
     syncline::add_export},
    {"import", "Write to a replica what `syncline export` wrote, or what a Redis holds",
     "A key's first line or piece replaces the key, so that all may be sent again; of a bounded\n"
     "counter what is lacking is added. A stream of commands adds to bounded counters each time.\n"
     "A Redis is read while others use it; what they write meanwhile may be in or not.\n"
     "Exit code 1 if a line or key failed, which is told on standard error; 4 if the Redis has\n"
     "keys of types that are not supported, and the others are imported.\n"
     "Examples:\n"
     "  syncline import keys.jsonl --connect 127.0.0.1:7379\n"
     "  syncline import keys.resp --format resp --skip 5000 --stop\n"
     "  syncline import --from redis://127.0.0.1:6379/0 --to 127.0.0.1:7379 --match 'cart:*'",
     syncline::add_import},
    {"cluster", "Look at and change who belongs to the cluster",
     "A change is decided by a majority of the members; a preview comes first. A replica that\n"
     "joins becomes active by itself, one that is drained goes when the others have all it has.\n"
     "Exit code 0 if it is done or possible, 1 if not, 2 if the command line is wrong.\n"
     "Examples:\n"
     "  syncline cluster status --connect host-a:7379\n"
     "  syncline cluster apply init --yes\n"
     "  syncline cluster plan evict c --output plan.json && syncline cluster apply --plan "
     "plan.json\n"
     "  syncline cluster rejoin --data /var/lib/syncline --output lost.jsonl\n"
     "  syncline cluster resubmit --input lost.jsonl --connect host-a:7379",
     syncline::add_cluster},
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
