/// syncline demo: three replicas, a real history, a partition, and what became of it.
#include "tools/demo.hpp"

#include <fmt/core.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>

#include "tools/demo_cluster.hpp"
#include "tools/exit_codes.hpp"
#include "tools/inspect.hpp"

namespace syncline {
namespace {

constexpr std::size_t explained_max = 3;
constexpr std::size_t shown_value_bytes = 40;
constexpr std::size_t columns_without_terminal = 110;

struct DemoSettings {
    std::string history = "tests/data/kv_dag/rqlite.json.gz";
    bool script = false;
    bool keep = false;
};

/// Progress on one line of a terminal, or a line now and then elsewhere.
class CountLine {
public:
    void show(std::string_view phase, std::uint64_t done, std::uint64_t total) {
        if (terminal_) {
            fmt::print(stderr, "\r\033[K  {} / {} transactions, {}", done, total, phase);
        } else if (phase != phase_ || done >= next_) {
            fmt::print(stderr, "  {} / {} transactions, {}\n", done, total, phase);
            next_ = done + total / 8;
        }
        phase_ = phase;
        (void)std::fflush(stderr);
    }
    void end() const {
        if (terminal_) fmt::print(stderr, "\n");
    }

private:
    bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    std::string phase_;
    std::uint64_t next_ = 0;
};

std::string shown(const Bytes& value) {
    return printable(BytesView(value).substr(0, shown_value_bytes)) +
           (value.size() > shown_value_bytes ? fmt::format("... ({} bytes)", value.size()) : "");
}

std::string origin_name(const DemoCluster& cluster, const std::string& dot) {
    for (const DemoCluster::Node& node : cluster.nodes()) {
        if (dot.rfind(node.actor + ":", 0) == 0) return node.name;
    }
    return "?";
}

void print_conflict(const DemoCluster& cluster, const ReplayConflict& conflict) {
    fmt::print("  {}\n", printable(conflict.key));
    for (const Sibling& sibling : conflict.siblings) {
        fmt::print("    {} on {} at {}  {}  {}\n",
                   sibling.winner ? "seen:  " : "beside:", origin_name(cluster, sibling.origin),
                   sibling.time, sibling.origin, shown(sibling.value));
    }
}

void print_report(const DemoCluster& cluster, const ReplayReport& report, std::uint64_t bytes) {
    fmt::print("\nThe history\n");
    fmt::print("  transactions         {} with {} writes; {} on a, {} on b, {} on c\n",
               report.transactions, report.writes, report.by_replica[0], report.by_replica[1],
               report.by_replica[2]);
    fmt::print("  while c was cut off  {} on a and b, {} on c, {} waited for the other side\n",
               report.during_cut[0], report.during_cut[1], report.waited);
    fmt::print("  time to converge     {} ms after the links were back\n", report.converge_ms);
    fmt::print("  time in all          {:.1f} s\n", static_cast<double>(report.elapsed_ms) / 1000);
    fmt::print("  bytes sent to peers  {}\n", bytes);
    fmt::print("  conflicting keys     {}, written on both sides of the cut\n",
               report.conflicts.size());
    const std::size_t count = std::min(explained_max, report.conflicts.size());
    if (count > 0) {
        fmt::print(
            "\nThree of them, as they were when the links came back "
            "(the last writer is seen, the others are kept beside it)\n");
    }
    for (std::size_t i = 0; i < count; ++i) print_conflict(cluster, report.conflicts[i]);
}

/// The verdict, in the last lines. True when all is as recorded.
Result<bool> print_verdict(const History& history, DemoCluster& cluster,
                           const ReplayReport& report) {
    SYNCLINE_TRY(const std::vector<std::string> findings, replay_differences(history, cluster));
    SYNCLINE_TRY(const std::string root, cluster.root(0));
    fmt::print("\n");
    for (const std::string& finding : findings) fmt::print("DIFFERENT  {}\n", finding);
    if (!findings.empty()) return false;
    fmt::print("replicas equal: yes, root {} on a, b and c\n", root);
    fmt::print("final state equal to the recorded one: yes, {} keys on each replica\n",
               history.final_state.size());
    fmt::print("{} transactions, {} while partitioned, {} conflicting keys, converged in {} ms\n",
               report.transactions, report.during_cut[0] + report.during_cut[1],
               report.conflicts.size(), report.converge_ms);
    return true;
}

ConsoleStyle style() {
    ConsoleStyle style = console_style("auto");
    if (style.width == 0) style.width = columns_without_terminal;
    return style;
}

std::vector<std::string> addresses_of(const DemoCluster& cluster) {
    std::vector<std::string> addresses;
    for (const DemoCluster::Node& node : cluster.nodes()) {
        addresses.push_back("127.0.0.1:" + std::to_string(node.port));
    }
    return addresses;
}

/// What `inspect key` says of one conflict, while its values stand side by side.
Result<std::string> inspect_conflict(const DemoCluster& cluster,
                                     const std::vector<ReplayConflict>& conflicts) {
    if (conflicts.empty()) return std::string();
    const std::vector<std::string> addresses = addresses_of(cluster);
    SYNCLINE_TRY(const std::string text,
                 inspect_key(addresses, {conflicts.front().key, std::nullopt}, style()));
    return fmt::format("$ syncline inspect key {} --connect {}\n{}",
                       printable(conflicts.front().key), fmt::join(addresses, ","), text);
}

/// What a person can do with the replicas when the replay is over.
class Prompt {
public:
    explicit Prompt(DemoCluster& cluster) : cluster_(cluster) {}

    void run() {
        help();
        std::string line;
        while (fmt::print("demo> "), (void)std::fflush(stdout), std::getline(std::cin, line)) {
            std::istringstream in(line);
            const std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
            if (words.empty()) continue;
            if (words[0] == "quit" || words[0] == "exit") return;
            if (const Result<void> done = act(words); !done) {
                fmt::print("{}\n", done.error().message);
            }
        }
        fmt::print("\n");
    }

private:
    void help() const {
        fmt::print("\nThe replicas are up until you leave. Redis clients may use them:");
        for (const DemoCluster::Node& node : cluster_.nodes()) {
            fmt::print("  redis-cli -p {} ({})", node.port, node.name);
        }
        fmt::print(
            "\nCommands: status, partition a|b|c, heal, conflicts, explain KEY, "
            "a|b|c COMMAND..., help, quit\n");
    }

    Result<void> act(const std::vector<std::string>& words) {
        const std::optional<std::size_t> node = find(words.size() > 1 ? words[1] : "");
        if (words[0] == "help") {
            help();
        } else if (words[0] == "status") {
            return show(inspect_status(addresses_of(cluster_), style()));
        } else if (words[0] == "partition" && node) {
            isolated_ = *node;
            return cluster_.set_isolated(*node, true);
        } else if (words[0] == "heal" && isolated_) {
            return cluster_.set_isolated(*std::exchange(isolated_, std::nullopt), false);
        } else if (words[0] == "conflicts") {
            return show(inspect_conflicts(addresses_of(cluster_), style()));
        } else if (words[0] == "explain" && words.size() == 2) {
            return show(inspect_key(addresses_of(cluster_), {words[1], std::nullopt}, style()));
        } else if (const auto at = find(words[0]); at && words.size() > 1) {
            SYNCLINE_TRY(const RespValue reply,
                         cluster_.command(*at, {words.begin() + 1, words.end()}));
            fmt::print("{}\n", to_string(reply));
        } else {
            fmt::print("not understood; try help\n");
        }
        return {};
    }

    [[nodiscard]] std::optional<std::size_t> find(const std::string& name) const {
        for (std::size_t i = 0; i < cluster_.nodes().size(); ++i) {
            if (cluster_.nodes()[i].name == name) return i;
        }
        return std::nullopt;
    }

    static Result<void> show(const Result<std::string>& text) {
        if (!text) return text.error();
        fmt::print("{}", *text);
        return {};
    }

    DemoCluster& cluster_;
    std::optional<std::size_t> isolated_;
};

Result<bool> run(const DemoSettings& settings) {
    SYNCLINE_TRY(const History history, load_history(settings.history));
    fmt::print("Three replicas replay {} transactions of a real repository's history ({}).\n",
               history.txns.size(), settings.history);
    SYNCLINE_TRY(const std::unique_ptr<DemoCluster> cluster, DemoCluster::start(settings.keep));
    for (const DemoCluster::Node& node : cluster->nodes()) {
        fmt::print("  replica {}: redis-cli -p {}, page http://127.0.0.1:{}/, log {}\n", node.name,
                   node.port, node.http_port,
                   (cluster->directory() / (node.name + ".log")).string());
    }
    (void)std::fflush(stdout);
    CountLine line;
    std::string inspected;
    SYNCLINE_TRY(const ReplayReport report,
                 replay(
                     history, *cluster, ReplayCut{},
                     [&](std::string_view phase, std::uint64_t done, std::uint64_t total) {
                         line.show(phase, done, total);
                     },
                     [&](const std::vector<ReplayConflict>& conflicts) -> Result<void> {
                         SYNCLINE_TRY(inspected, inspect_conflict(*cluster, conflicts));
                         return {};
                     }));
    line.end();
    SYNCLINE_TRY(const std::uint64_t bytes, cluster->peer_bytes());
    print_report(*cluster, report, bytes);
    SYNCLINE_TRY(const bool equal, print_verdict(history, *cluster, report));
    if (!inspected.empty()) {
        fmt::print("\nOne of the conflicts, asked for when the links came back\n{}", inspected);
    }
    const bool stays = !settings.script && ::isatty(STDIN_FILENO) == 1;
    fmt::print("\nThe page of replica a{}: http://127.0.0.1:{}/\n",
               stays ? "" : ", while it was up", cluster->nodes().front().http_port);
    (void)std::fflush(stdout);
    if (stays) Prompt(*cluster).run();
    return equal;
}

}  // namespace

std::function<int()> add_demo(CLI::App& app) {
    const auto settings = std::make_shared<DemoSettings>();
    app.add_option("--history", settings->history, "Recorded history to replay")
        ->capture_default_str();
    app.add_flag("--script", settings->script, "End after the replay, without a prompt");
    app.add_flag("--keep", settings->keep, "Leave the replicas' data and logs behind");
    return [settings] {
        const Result<bool> equal = run(*settings);
        if (!equal) {
            fmt::print(stderr, "syncline demo: {}\n", equal.error().message);
            return exit_failed;
        }
        return *equal ? exit_ok : exit_different;
    };
}

}  // namespace syncline
