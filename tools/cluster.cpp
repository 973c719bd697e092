#include "tools/cluster.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/engine/data_directory.hpp"
#include "net/endpoint.hpp"
#include "net/resp_client.hpp"
#include "tools/console.hpp"
#include "tools/exit_codes.hpp"
#include "tools/lost_events.hpp"
#include "tools/reply.hpp"
#include "tools/resubmit.hpp"

namespace syncline {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

/// Longer than the members take to decide, or to find that they cannot.
constexpr std::uint64_t cluster_timeout_ms = 15000;

struct ClusterLine {
    std::string connect = "127.0.0.1:6379";
    Login login;
    std::vector<std::string> step;  ///< "evict", "c"
    std::string plan;               ///< file
    bool json = false;
    bool yes = false;
    std::string data;
    std::string output;
    bool force = false;
};

Error cluster_usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

Result<RespClient> connect_member(const ClusterLine& line) {
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(line.connect));
    return connect(endpoint, cluster_timeout_ms, line.login);
}

Result<RespValue> ask_members(RespClient& client, std::vector<Bytes> command) {
    command.insert(command.begin(), "CRDT.MEMBERSHIP");
    SYNCLINE_TRY(RespValue reply, client.command(command));
    if (reply.is_error()) return Error{Code::io, "the replica answers: " + harmless(reply.text)};
    return reply;
}

/// A field that may be null.
std::string number_text(const RespValue& reply, std::string_view name) {
    const RespValue* const value = reply_field(reply, name);
    return value == nullptr || value->is_null() ? "?" : std::to_string(value->integer);
}

// --- Status

Json reply_json(const RespValue& value) {
    switch (value.type) {
        case RespValue::Type::null:
            return nullptr;
        case RespValue::Type::integer:
            return value.integer;
        case RespValue::Type::array: {
            Json list = Json::array();
            for (const RespValue& element : value.elements) list.push_back(reply_json(element));
            return list;
        }
        case RespValue::Type::map: {
            Json map = Json::object();
            for (std::size_t i = 0; i + 1 < value.elements.size(); i += 2) {
                map[harmless(value.elements[i].text)] = reply_json(value.elements[i + 1]);
            }
            return map;
        }
        default:
            return harmless(value.text);
    }
}

void add_members(TextTable& table, const std::vector<RespValue>& members) {
    for (const RespValue& member : members) {
        const bool connected = reply_number(member, "connected") != 0;
        const std::string state = reply_text(member, "state");
        const std::string lacks = number_text(member, "lacks_events");
        table.add({harmless(reply_text(member, "name")),
                   {state, state == "active" ? Tone::good : Tone::warning},
                   {connected ? "yes" : "no", connected ? Tone::plain : Tone::bad},
                   lacks,
                   harmless(reply_text(member, "address")),
                   {harmless(reply_text(member, "uuid")), Tone::dim}});
    }
}

int show_status(const RespValue& status) {
    const ConsoleStyle style = console_style("auto");
    const std::int64_t epoch = reply_number(status, "epoch");
    const std::string standing = reply_text(status, "standing");
    if (epoch == 0) {
        fmt::print(
            "no membership record: every replica that knows the secret belongs to the "
            "cluster\n(syncline cluster apply init makes one)\n");
    } else {
        fmt::print("epoch {}, this replica: {}\n", epoch, standing);
    }
    TextTable table;
    table.add({"NAME", "STATE", "CONNECTED", "LACKS", "ADDRESS", "UUID"});
    add_members(table, reply_list(status, "members"));
    add_members(table, reply_list(status, "candidates"));
    fmt::print("{}", table.text(style));
    for (const RespValue& former : reply_list(status, "former")) {
        const RespValue* const last = reply_field(former, "last_events");
        fmt::print("{} {}: {}\n", reply_text(former, "state"), harmless(reply_text(former, "name")),
                   last == nullptr || last->is_null()
                       ? "its last transactions are still being agreed on"
                       : "all of its transactions that any member had are everywhere");
    }
    if (const std::string change = reply_text(status, "change"); !change.empty()) {
        fmt::print("under way: {}\n", harmless(change));
    }
    if (const std::string failure = reply_text(status, "failure"); !failure.empty()) {
        fmt::print("the last change failed: {}\n", harmless(failure));
    }
    return standing == "former" ? exit_failed : exit_ok;
}

Result<int> run_status(const ClusterLine& line) {
    SYNCLINE_TRY(RespClient client, connect_member(line));
    SYNCLINE_TRY(const RespValue hello, client.command({"HELLO", "3"}));
    if (hello.is_error()) return Error{Code::io, harmless(hello.text)};
    SYNCLINE_TRY(const RespValue status, ask_members(client, {"STATUS"}));
    if (!line.json) return show_status(status);
    fmt::print("{}\n", reply_json(status).dump(2));
    return exit_ok;
}

// --- Plan and apply

struct ClusterPlan {
    std::int64_t epoch = 0;
    std::vector<std::string> step;
    bool possible = false;
};

Result<ClusterPlan> make_plan(RespClient& client, const std::vector<std::string>& step) {
    std::vector<Bytes> command = {"PLAN"};
    command.insert(command.end(), step.begin(), step.end());
    SYNCLINE_TRY(const RespValue reply, ask_members(client, std::move(command)));
    ClusterPlan plan;
    plan.epoch = reply_number(reply, "epoch");
    plan.step = {step.front()};
    for (const RespValue& uuid : reply_list(reply, "uuids")) plan.step.push_back(uuid.text);
    plan.possible = reply_number(reply, "possible") != 0;
    fmt::print("{}: epoch {} to {}; {} of {} voters must agree, {} can be reached\n",
               harmless(reply_text(reply, "step")), plan.epoch, plan.epoch + 1,
               reply_number(reply, "voters_needed"), reply_number(reply, "voters"),
               reply_number(reply, "voters_reached"));
    for (const RespValue& note : reply_list(reply, "notes")) {
        fmt::print("  {}\n", harmless(note.text));
    }
    return plan;
}

Result<int> run_plan(const ClusterLine& line) {
    SYNCLINE_TRY(RespClient client, connect_member(line));
    SYNCLINE_TRY(const ClusterPlan made, make_plan(client, line.step));
    if (!line.output.empty()) {
        Json json;
        json["epoch"] = made.epoch;
        json["step"] = made.step;
        std::ofstream file(line.output);
        file << json.dump(2) << "\n";
        file.close();
        if (!file) return Error{Code::io, "cannot write '" + line.output + "'"};
        fmt::print("written to {}; nothing has changed yet\n", line.output);
    }
    return made.possible ? exit_ok : exit_failed;
}

Result<ClusterPlan> read_plan(const std::string& path) {
    const Error damaged =
        cluster_usage("'" + path + "' is no plan of syncline cluster plan --output");
    std::ifstream file(path);
    if (!file) return cluster_usage("cannot open '" + path + "'");
    const Json json = Json::parse(file, nullptr, false);
    if (!json.is_object() || !json.contains("epoch") || !json["epoch"].is_number_integer() ||
        !json.contains("step") || !json["step"].is_array()) {
        return damaged;
    }
    ClusterPlan plan;
    plan.epoch = json["epoch"].get<std::int64_t>();
    for (const Json& word : json["step"]) {
        if (!word.is_string()) return damaged;
        plan.step.push_back(word.get<std::string>());
    }
    return plan;
}

Result<int> run_apply(const ClusterLine& line) {
    if (line.plan.empty() == line.step.empty()) {
        return cluster_usage(
            "what is to be changed? A step (init, join NAME, drain NAME, evict NAME), or "
            "--plan FILE");
    }
    SYNCLINE_TRY(RespClient client, connect_member(line));
    ClusterPlan plan;
    if (line.plan.empty()) {
        SYNCLINE_TRY(plan, make_plan(client, line.step));
        if (!line.yes && ::isatty(STDIN_FILENO) != 1) {
            return cluster_usage(
                "nothing was changed: without a terminal say --yes, or give --plan FILE");
        }
        if (!line.yes && !is_confirmed()) {
            fmt::print("nothing was changed\n");
            return exit_failed;
        }
    } else {
        SYNCLINE_TRY(plan, read_plan(line.plan));
    }
    std::vector<Bytes> command = {"APPLY", std::to_string(plan.epoch)};
    command.insert(command.end(), plan.step.begin(), plan.step.end());
    SYNCLINE_TRY(const RespValue epoch, ask_members(client, std::move(command)));
    fmt::print("done: epoch {}\n", epoch.integer);
    return exit_ok;
}

// --- Rejoin

struct Rejoined {
    std::size_t events = 0;
    std::uint64_t lost = 0;  ///< that the log does not have any more
    std::string aside;
};

/// What the members had of this replica when it went; nothing else of it is known anywhere.
Result<VersionVector> known_of(const Replica& replica, bool force) {
    const Membership& membership = replica.membership();
    const bool applicant = membership.standing() == Membership::Standing::applicant;
    if (membership.standing() != Membership::Standing::former && !(applicant && force)) {
        return cluster_usage(
            "the replica is no former member, as far as it knows: start it near a member, "
            "which tells it");
    }
    const FormerMember* const former = membership.record().find_former(replica.identity().node);
    if (former != nullptr && former->final_vv) return *former->final_vv;
    if (!force) {
        return cluster_usage(
            "it is not known yet which of its transactions the members have: start it "
            "near a member once more, when all members are connected with each other; "
            "--force writes out all it has, of which some may be there already");
    }
    return VersionVector();
}

Result<Rejoined> rejoin_directory(const ClusterLine& line) {
    SYNCLINE_TRY(const fs::path directory, existing_directory(line.data));
    std::error_code error;
    const fs::path output = fs::absolute(line.output, error).lexically_normal();
    const fs::path inside = output.lexically_relative(fs::absolute(directory, error));
    if (fs::exists(output, error)) return cluster_usage("'" + line.output + "' exists already");
    if (!inside.empty() && *inside.begin() != "..") {
        return cluster_usage("'" + line.output + "' would move away with the directory");
    }
    SystemClock clock;
    SystemRandom random;
    Rejoined rejoined;
    Identity identity;
    {
        SYNCLINE_TRY(DataDirectory data, DataDirectory::open(directory.string(), random));
        identity = data.identity;
        if (identity.cluster.is_nil()) return cluster_usage("the directory is of no cluster");
        SYNCLINE_TRY(const std::unique_ptr<Replica> replica,
                     data.open_replica(ReplicaOptions(), Env{clock, random}));
        SYNCLINE_TRY(const VersionVector known, known_of(*replica, line.force));
        SYNCLINE_TRY(const std::vector<Event> events, replica->own_events_beyond(known));
        const VersionVector own = replica->group().vv().of_node(identity.node_id);
        rejoined.events = events.size();
        rejoined.lost = known.lacks(own) - events.size();
        SYNCLINE_CHECK(write_events(output, identity.cluster, events));
    }
    SYNCLINE_TRY(rejoined.aside, begin_anew(directory, ".former-", identity));
    return rejoined;
}

Result<int> run_rejoin(const ClusterLine& line) {
    SYNCLINE_TRY(const Rejoined done, rejoin_directory(line));
    fmt::print("{} transactions that no member has were written to {}\n", done.events, line.output);
    if (done.lost > 0) {
        fmt::print("{} more are no longer in the log; their effects are in the old directory\n",
                   done.lost);
    }
    fmt::print("the old directory is now {}; {} is a new, empty replica of the cluster\n",
               done.aside, line.data);
    fmt::print("start it, and let it in at a member: syncline cluster apply join NAME\n");
    if (done.events > 0) {
        fmt::print("then send them again: syncline cluster resubmit --input {}\n", line.output);
    }
    return exit_ok;
}

CLI::App* add_resubmit(CLI::App& app, ResubmitOptions& options) {
    CLI::App* const command = app.add_subcommand(
        "resubmit", "Send what rejoin wrote to a member: each a new transaction, written now");
    command->footer(
        "Writes and additions happen as they were, removals to what is there now. They count as\n"
        "written now: what somebody wrote since to the same keys is replaced. List elements and\n"
        "characters of texts go beside those they stood beside. What cannot be done as things\n"
        "are is told, and the rest goes on; another run tries it again. FILE.done remembers what\n"
        "was taken: with a copy of FILE, or without FILE.done, counters would count twice.\n"
        "Exit code 0 if all were taken, 1 if any was not.");
    command->add_option("--input", options.input, "What rejoin --output wrote")
        ->required()
        ->type_name("FILE");
    options.connect = "127.0.0.1:6379";
    command->add_option("--connect", options.connect, "The client port of a member")
        ->type_name("HOST:PORT")
        ->capture_default_str();
    add_login(*command, options.login);
    command
        ->add_option("--unanswered", options.unanswered,
                     "What to do with the one that was sent and not answered: send or skip")
        ->check(CLI::IsMember({"send", "skip"}))
        ->type_name("HOW");
    command->add_flag("--dry-run", options.dry_run, "Tell what would be sent, and send nothing");
    command->add_flag("--yes", options.yes, "Do not ask");
    return command;
}

int report_cluster(const Result<int>& done) {
    return done ? *done : report_failure(done.error());
}

}  // namespace

std::function<int()> add_cluster(CLI::App& app) {
    auto line = std::make_shared<ClusterLine>();  // of the parse, and of the run after it
    app.require_subcommand(1);
    const auto add = [&](const char* name, const char* summary) {
        CLI::App* const command = app.add_subcommand(name, summary);
        command->add_option("--connect", line->connect, "The client port of a member")
            ->type_name("HOST:PORT")
            ->capture_default_str();
        add_login(*command, line->login);
        return command;
    };
    const char* const step_text = "init, join NAME, drain NAME, or evict NAME";
    CLI::App* const show = add("status", "Tell who belongs to the cluster");
    show->add_flag("--json", line->json, "As JSON");
    CLI::App* const preview = add("plan", "Tell what a change would mean, and change nothing");
    preview->add_option("step", line->step, step_text)->required()->expected(1, 2);
    preview->add_option("--output", line->output, "Write the plan, for apply --plan")
        ->type_name("FILE");
    CLI::App* const change = add("apply", "Change who belongs to the cluster");
    change->add_option("step", line->step, step_text)->expected(1, 2);
    change
        ->add_option("--plan", line->plan,
                     "What plan --output wrote; refused if the record has "
                     "changed since")
        ->type_name("FILE");
    change->add_flag("--yes", line->yes, "Do not ask");
    CLI::App* const again = app.add_subcommand(
        "rejoin", "Of a stopped former member: write out what only it has, and begin anew");
    again->add_option("--data", line->data, "Its data directory")->required()->type_name("DIR");
    again->add_option("--output", line->output, "File for one line of JSON a transaction")
        ->required()
        ->type_name("FILE");
    again->add_flag("--force", line->force,
                    "Although it is not known which of them the members have");
    auto sending = std::make_shared<ResubmitOptions>();  // as above
    CLI::App* const resubmit = add_resubmit(app, *sending);
    return [=]() {
        if (resubmit->parsed()) return report_cluster(resubmit_file(*sending));
        if (show->parsed()) return report_cluster(run_status(*line));
        if (preview->parsed()) return report_cluster(run_plan(*line));
        return report_cluster(change->parsed() ? run_apply(*line) : run_rejoin(*line));
    };
}

}  // namespace syncline
