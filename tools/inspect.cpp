/// syncline inspect: one question about replicas each, answered from all of them together.
#include "tools/inspect.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "net/endpoint.hpp"
#include "tools/exit_codes.hpp"
#include "tools/inspect_conflicts.hpp"
#include "tools/inspect_diff.hpp"
#include "tools/inspect_key.hpp"
#include "tools/inspect_nodes.hpp"
#include "tools/inspect_source.hpp"
#include "tools/interruption.hpp"
#include "tools/settings.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t timeout_ms_default = 5000;
constexpr std::size_t nodes_max = 64;
/// A node gives a comparison up after 10 s, and says so.
constexpr std::uint64_t diff_timeout_ms_min = 15000;

struct InspectSettings {
    std::vector<std::string> connect;
    Login login;
    std::vector<std::string> data;  ///< directories of replicas that do not run
    bool json = false;
    std::string color = "auto";
    std::uint64_t timeout_ms = timeout_ms_default;
    KeyQuestion key;
    std::vector<std::string> pair;  ///< the two nodes of diff
    std::string prefix;
    std::uint64_t count = 100;
    std::optional<Bytes> conflicts_key;
    std::uint64_t conflicts_count = 20;
    bool follow = false;
};

using Sources = std::vector<std::unique_ptr<InspectSource>>;

Error given_twice(const std::string& node) {
    return Error{Code::invalid_argument, "'" + node + "' is given twice"};
}

Result<Sources> open_sources(const InspectSettings& settings) {
    const bool is_pair = !settings.pair.empty();
    std::vector<std::string> addresses = is_pair ? settings.pair : settings.connect;
    const std::uint64_t timeout_ms =
        is_pair ? std::max(settings.timeout_ms, diff_timeout_ms_min) : settings.timeout_ms;
    if (addresses.empty() && settings.data.empty()) addresses = {"127.0.0.1:7379"};
    const std::size_t count = addresses.size() + settings.data.size();
    if (count > nodes_max) {
        return Error{Code::invalid_argument,
                     fmt::format("{} nodes are too many; at most {}", count, nodes_max)};
    }
    if (settings.follow && !settings.data.empty()) {
        return Error{Code::invalid_argument,
                     "--follow waits for what is new, and nothing is new in a directory whose "
                     "replica does not run; leave --data out"};
    }
    Sources sources;
    std::set<std::string> given;
    for (const std::string& address : addresses) {
        SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(address));
        sources.push_back(live_source(endpoint, timeout_ms, settings.login));
        if (!given.insert(sources.back()->address()).second) return given_twice(address);
    }
    for (const std::string& path : settings.data) {
        SYNCLINE_TRY(auto source, directory_source(path));
        sources.push_back(std::move(source));
        std::error_code unknown;  // then it is as it was given
        const std::string directory = std::filesystem::weakly_canonical(path, unknown).string();
        if (!given.insert(unknown ? path : directory).second) return given_twice(path);
    }
    return sources;
}

/// What the sources answer, and how it is printed.
struct Session {
    const InspectSettings& settings;
    Sources sources;
    std::vector<NodeView> nodes;
    ConsoleStyle style;

    [[nodiscard]] bool reached() const {
        return std::any_of(nodes.begin(), nodes.end(),
                           [](const NodeView& node) { return node.error.empty(); });
    }
};

void print(const std::string& text) {
    (void)std::fwrite(text.data(), 1, text.size(), stdout);  // nobody is harmed when nobody listens
    (void)std::fflush(stdout);
}

bool differs(const std::vector<NodeView>& nodes) {
    const Agreement::State state = agreement(nodes).state;
    return state != Agreement::State::equal && state != Agreement::State::unknown;
}

int show_status(Session& session) {
    print(session.settings.json ? status_json(session.nodes)
                                : status_text(session.nodes, session.style));
    if (!session.reached()) return exit_unreachable;
    return differs(session.nodes) ? exit_different : exit_ok;
}

int show_peers(Session& session) {
    print(session.settings.json ? peers_json(session.nodes)
                                : peers_text(session.nodes, session.style));
    return session.reached() ? exit_ok : exit_unreachable;
}

std::vector<KeyView> ask_key(Session& session) {
    const KeyQuestion& question = session.settings.key;
    std::vector<Bytes> command{"CRDT.EXPLAIN", question.key};
    if (question.field) command.push_back(*question.field);
    std::vector<KeyView> views;
    for (std::size_t i = 0; i < session.nodes.size(); ++i) {
        const std::string& error = session.nodes[i].error;
        views.push_back(parse_key(i, error.empty()
                                         ? session.sources[i]->command(command)
                                         : Result<RespValue>(Error{Code::unavailable, error})));
    }
    return views;
}

int show_key(Session& session) {
    const KeyQuestion& question = session.settings.key;
    const std::vector<KeyView> views = ask_key(session);
    const bool told = std::any_of(views.begin(), views.end(),
                                  [](const KeyView& view) { return view.error.empty(); });
    print(session.settings.json ? key_json(question, session.nodes, views)
                                : key_text(question, session.nodes, views, session.style));
    if (!told) return session.reached() ? exit_failed : exit_unreachable;
    return all_equal(compare_key(views)) ? exit_ok : exit_different;
}

/// Asks nodes for their conflict records, each time for those since the last.
class ConflictReader {
public:
    explicit ConflictReader(Session& session) : session_(session), after_(session.nodes.size()) {}

    /// Calls `each` for every record since the last call. What keeps the node from answering is an
    /// error, and the next call goes on where this one ended.
    Result<void> read(std::size_t node, const std::function<void(ConflictView)>& each) {
        for (bool more = true; more;) {
            std::vector<Bytes> command{"CRDT.CONFLICTS", "COUNT", "1000", "AFTER",
                                       std::to_string(after_[node])};
            if (session_.settings.conflicts_key) {
                command.insert(command.end(), {"KEY", *session_.settings.conflicts_key});
            }
            SYNCLINE_TRY(const RespValue reply, session_.sources[node]->command(command));
            SYNCLINE_TRY(ConflictPageView page, parse_conflicts(reply));
            if (page.last < after_[node]) {  // another data directory stands behind the address
                after_[node] = 0;
                continue;
            }
            for (ConflictView& conflict : page.conflicts) each(std::move(conflict));
            more = page.more && page.next > after_[node];
            after_[node] = std::max(after_[node], page.next);
            dropped_[node] = page.dropped;
        }
        return {};
    }
    [[nodiscard]] std::uint64_t dropped() const {
        std::uint64_t most = 0;
        for (const auto& [node, count] : dropped_) most = std::max(most, count);
        return most;
    }

private:
    Session& session_;
    std::vector<std::uint64_t> after_;
    std::map<std::size_t, std::uint64_t> dropped_;
};

/// Prints what is new until the process is interrupted.
void follow_conflicts(Session& session, ConflictReader& reader, ConflictsMet& met,
                      const Interruption& interruption) {
    while (!interruption.within(std::chrono::milliseconds(250))) {
        for (std::size_t i = 0; i < session.nodes.size(); ++i) {
            NodeView& node = session.nodes[i];
            const Result<void> read = reader.read(i, [&](ConflictView conflict) {
                if (!met.meet(conflict.id)) return;
                conflict.nodes = {i};
                print(session.settings.json
                          ? conflict_json_line(conflict, session.nodes)
                          : conflict_text(conflict, session.nodes, session.style));
            });
            if (!read && node.error.empty()) {
                fmt::print(stderr, "syncline inspect: no answer from {}: {}\n", node.label(),
                           harmless(read.error().message));
                node.error = read.error().message;
            } else if (read && !node.error.empty()) {
                node = ask_node(*session.sources[i]);
                if (node.error.empty()) {
                    fmt::print(stderr, "syncline inspect: {} answers again\n", node.label());
                }
            }
        }
    }
}

/// All that nodes have on record; who does not answer is noted.
ConflictMerge read_conflicts(Session& session, ConflictReader& reader, ConflictsMet& met) {
    ConflictMerge merge(session.settings.conflicts_count);
    for (std::size_t i = 0; i < session.nodes.size(); ++i) {
        NodeView& node = session.nodes[i];
        if (node.error.empty()) {
            const Result<void> read = reader.read(i, [&](ConflictView conflict) {
                met.meet(conflict.id);
                merge.add(i, std::move(conflict));
            });
            if (!read) node.error = read.error().message;
        }
        if (node.error.empty()) continue;
        fmt::print(stderr, "syncline inspect: no answer from {}: {}\n", node.label(),
                   harmless(node.error));
    }
    return merge;
}

/// One after the other, as text or as lines of JSON.
std::string conflicts_listed(const std::vector<ConflictView>& conflicts, const Session& session) {
    std::string text;
    for (const ConflictView& conflict : conflicts) {
        text += session.settings.json ? conflict_json_line(conflict, session.nodes)
                                      : conflict_text(conflict, session.nodes, session.style);
    }
    return text;
}

std::string conflicts_summed_up(const ConflictMerge& merge, const ConflictReader& reader,
                                const Session& session) {
    const std::vector<ConflictView> conflicts = merge.conflicts();
    std::string text = conflicts_listed(conflicts, session);
    if (!session.reached()) return text;
    if (conflicts.empty()) text += "no conflicts on record\n";
    if (merge.omitted() > 0) {
        text += "older ones are not shown; inspect conflicts --count N shows more\n";
    }
    if (reader.dropped() > 0) {
        text += fmt::format("{} older ones have left the bounded record\n", reader.dropped());
    }
    return text;
}

int show_conflicts(Session& session) {
    const InspectSettings& settings = session.settings;
    std::optional<Interruption> interruption;
    if (settings.follow) interruption.emplace();
    ConflictReader reader(session);
    ConflictsMet met;
    const ConflictMerge merge = read_conflicts(session, reader, met);
    if (interruption) {
        print(conflicts_listed(merge.conflicts(), session));
        follow_conflicts(session, reader, met, *interruption);
        return exit_ok;
    }
    print(settings.json ? conflicts_json(merge.conflicts(), reader.dropped(), session.nodes)
                        : conflicts_summed_up(merge, reader, session));
    return session.reached() ? exit_ok : exit_unreachable;
}

/// The first node compares itself with the second.
int show_diff(Session& session) {
    for (const NodeView& node : session.nodes) {
        if (node.error.empty()) continue;
        fmt::print(stderr, "syncline inspect: no answer from {}: {}\n", harmless(node.address),
                   harmless(node.error));
        return exit_unreachable;
    }
    const InspectSettings& settings = session.settings;
    std::vector<Bytes> command{"CRDT.DIFF", session.nodes[1].name, "COUNT",
                               std::to_string(settings.count)};
    if (!settings.prefix.empty()) command.insert(command.end(), {"PREFIX", settings.prefix});
    const Result<RespValue> reply = session.sources[0]->command(command);
    const Result<DiffView> diff = reply ? parse_diff(*reply) : Result<DiffView>(reply.error());
    if (!diff) {
        fmt::print(stderr, "syncline inspect: {}\n", harmless(diff.error().message));
        return reply ? exit_failed : exit_unreachable;
    }
    const std::string here = session.nodes[0].label();
    const std::string there = session.nodes[1].label();
    print(settings.json ? diff_json(*diff, here, there)
                        : diff_text(*diff, here, there, session.style));
    return diff->differing + diff->elsewhere == 0 ? exit_ok : exit_different;
}

Result<Session> open_session(const InspectSettings& settings, const ConsoleStyle& style) {
    SYNCLINE_TRY(Sources sources, open_sources(settings));
    Session session{settings, std::move(sources), {}, style};
    for (const auto& source : session.sources) session.nodes.push_back(ask_node(*source));
    return session;
}

int run(const InspectSettings& settings, int (*show)(Session&)) {
    Result<Session> session = open_session(settings, console_style(settings.color));
    if (session) return show(*session);
    fmt::print(stderr, "syncline inspect: {}\n", session.error().message);
    return session.error().code == Code::invalid_argument ? exit_usage : exit_failed;
}

struct Question {
    const char* name;
    const char* summary;
    const char* example;
    int (*show)(Session&);
    void (*add)(CLI::App&, InspectSettings&);
};

void add_nothing(CLI::App& /*app*/, InspectSettings& /*settings*/) {}

void add_key(CLI::App& app, InspectSettings& settings) {
    app.add_option("key", settings.key.key, "The key")->required()->type_name("KEY");
    app.add_option("--field", settings.key.field, "One field or member of it alone")
        ->type_name("FIELD");
}

void add_diff(CLI::App& app, InspectSettings& settings) {
    app.add_option("nodes", settings.pair, "Client ports of the two; the first is asked")
        ->required()
        ->expected(2)
        ->type_name("HOST:PORT");
    app.add_option("--prefix", settings.prefix, "Keys that begin so")->type_name("PREFIX");
    app.add_option("--count", settings.count, "Rows to list; the others are counted")
        ->check(CLI::Range(0, 10000))
        ->capture_default_str();
}

void add_conflicts(CLI::App& app, InspectSettings& settings) {
    app.add_option("--key", settings.conflicts_key, "Those of one key")->type_name("KEY");
    app.add_option("--count", settings.conflicts_count, "The newest so many")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    app.add_flag("--follow", settings.follow, "Go on with new ones, until interrupted");
}

constexpr Question questions[] = {
    {"status", "Do the nodes answer, and do they hold the same?",
     "Example:\n  syncline inspect status --connect host-a:7379,host-b:7379\n"
     "Exit code 4 if they hold different data, or events are on their way.",
     show_status, add_nothing},
    {"peers", "Who sees whom: lag in events, links, bytes",
     "Example:\n  syncline inspect peers --connect host-a:7379,host-b:7379", show_peers,
     add_nothing},
    {"key", "Why does a key look as it does, on each node?",
     "Example:\n  syncline inspect key cart:7 --field apples --connect host-a:7379,host-b:7379\n"
     "Exit code 4 if nodes hold it differently.",
     show_key, add_key},
    {"conflicts", "What met concurrently, which rule decided, and what lost?",
     "Example:\n  syncline inspect conflicts --follow --connect host-a:7379,host-b:7379\n"
     "The newest last. With --follow --json one object on each line.",
     show_conflicts, add_conflicts},
    {"diff", "What do two nodes hold differently? Compares their hash trees",
     "Example:\n  syncline inspect diff host-a:7379 host-b:7379 --prefix cart:\n"
     "Exit code 4 if they differ.",
     show_diff, add_diff},
};

void add_common(CLI::App& app, InspectSettings& settings) {
    app.add_option("--connect", settings.connect,
                   "A node's client port; several, or repeated (default 127.0.0.1:7379)")
        ->delimiter(',')
        ->type_name("HOST:PORT");
    app.add_option("--data", settings.data,
                   "The data directory of a replica that does not run; may be repeated")
        ->type_name("DIR");
    add_login(app, settings.login);
    app.add_flag("--json", settings.json, "Print JSON");
    app.add_option("--color", settings.color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->type_name("WHEN");
    app.add_option("--timeout-ms", settings.timeout_ms, "How long to wait for a node")
        ->check(CLI::Range(1, 600000))
        ->capture_default_str();
}

}  // namespace

Result<std::string> inspect_key(const std::vector<std::string>& nodes, const KeyQuestion& question,
                                const ConsoleStyle& style) {
    InspectSettings settings;
    settings.connect = nodes;
    settings.key = question;
    SYNCLINE_TRY(Session session, open_session(settings, style));
    const std::vector<KeyView> views = ask_key(session);
    return key_text(question, session.nodes, views, style);
}

Result<std::string> inspect_status(const std::vector<std::string>& nodes,
                                   const ConsoleStyle& style) {
    InspectSettings settings;
    settings.connect = nodes;
    SYNCLINE_TRY(const Session session, open_session(settings, style));
    return status_text(session.nodes, style);
}

Result<std::string> inspect_conflicts(const std::vector<std::string>& nodes,
                                      const ConsoleStyle& style) {
    InspectSettings settings;
    settings.connect = nodes;
    SYNCLINE_TRY(Session session, open_session(settings, style));
    ConflictReader reader(session);
    ConflictsMet met;
    const ConflictMerge merge = read_conflicts(session, reader, met);
    return conflicts_summed_up(merge, reader, session);
}

std::function<int()> add_inspect(CLI::App& app) {
    const auto settings = std::make_shared<InspectSettings>();
    const auto chosen = std::make_shared<int (*)(Session&)>(nullptr);
    app.require_subcommand(1);
    for (const Question& question : questions) {
        CLI::App* const parser = app.add_subcommand(question.name, question.summary);
        parser->footer(question.example);
        question.add(*parser, *settings);
        add_common(*parser, *settings);
        if (question.show == show_diff) {  // the two nodes are its arguments, and run
            parser->remove_option(parser->get_option("--connect"));
            parser->remove_option(parser->get_option("--data"));
        }
        parser->callback([chosen, show = question.show]() { *chosen = show; });
    }
    return [settings, chosen]() { return run(*settings, *chosen); };
}

}  // namespace syncline
