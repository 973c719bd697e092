#include "tools/suffix.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/engine/data_directory.hpp"
#include "core/engine/event_text.hpp"
#include "tools/exit_codes.hpp"

namespace syncline {
namespace {

using Json = nlohmann::ordered_json;
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

/// Bytes that are no text get the suffix _hex: JSON has no other strings.
void put(Json& json, const std::string& name, const Bytes& bytes) {
    Json text = bytes;
    try {  // the library reports by exceptions; none leaves this function
        (void)text.dump();
        json[name] = std::move(text);
    } catch (const Json::type_error&) {
        json[name + "_hex"] = to_hex(bytes);
    }
}

Json json_of(const TextOp& op) {
    Json json;
    if (const auto* const insertion = std::get_if<TextInsertion>(&op)) {
        json["insert"] = insertion->text;
        json["first"] = to_string(insertion->first);
        if (insertion->parent) {
            json["parent"] = to_string(*insertion->parent);
            json["side"] = insertion->side == Side::left ? "left" : "right";
        }
    } else {
        json["erase"] = Json::array();
        for (const ElementRange& range : std::get<TextErasure>(op).ranges) {
            json["erase"].push_back({{"first", to_string(range.first)}, {"count", range.count}});
        }
    }
    return json;
}

Json json_of(const Op& op) {
    Json json;
    if (const auto* const cell = std::get_if<CellOp>(&op)) {
        const bool counts = !cell->delta.counter.empty();
        json["operation"] = cell->delta.value         ? "write"
                            : cell->delta.writes_dots ? "remove"
                                                      : "add";
        json["type"] = cell_type_name(cell->type);
        put(json, "key", cell->key);
        if (cell->field) put(json, "field", *cell->field);
        if (cell->delta.value) put(json, "value", *cell->delta.value);
        // What this replica had added in all, up to this event; an amount alone is not recorded.
        if (counts && !cell->delta.value && !cell->delta.writes_dots) {
            const Amount& sum = cell->delta.counter.front().second.sum;
            json["sum"] = static_cast<std::int64_t>(sum.integer);
            if (!sum.decimal.is_zero()) json["sum_decimal"] = sum.decimal.text();
        }
    } else if (const auto* const clear = std::get_if<ClearKey>(&op)) {
        json["operation"] = "clear";
        put(json, "key", clear->key);
    } else if (const auto* const edit = std::get_if<TextEdit>(&op)) {
        json["operation"] = "edit";
        json["type"] = cell_type_name(CellType::text);
        put(json, "key", edit->key);
        json["generation"] = to_string(edit->generation);
        json["edits"] = Json::array();
        for (const TextOp& change : edit->edits) json["edits"].push_back(json_of(change));
    } else {
        json["operation"] = "clear_buckets";
        json["first"] = std::get<ClearBuckets>(op).first;
        json["last"] = std::get<ClearBuckets>(op).last;
    }
    return json;
}

/// One line of JSON an event.
Bytes lines_of(const std::vector<Event>& events) {
    Bytes lines;
    for (const Event& event : events) {
        Json json;
        json["event"] = to_string(event.dot);
        json["time_ms"] = event.hlc.ms();
        json["operations"] = Json::array();
        for (const Op& op : event.ops) json["operations"].push_back(json_of(op));
        lines += json.dump() + "\n";
    }
    return lines;
}

Error suffix_usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

fs::path aside_path(const fs::path& data) {
    std::error_code ignored;  // a name that cannot be looked at is not free
    for (unsigned number = 1;; ++number) {
        fs::path path = data;
        path += ".suffix-" + std::to_string(number);
        if (!fs::exists(path, ignored) && !ignored) return path;
    }
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
    const fs::path path = fs::path(line.data).lexically_normal();
    const fs::path directory = path.has_filename() ? path : path.parent_path();
    std::error_code error;
    if (!fs::exists(directory / "identity", error)) {
        return suffix_usage("'" + line.data + "' is no data directory");
    }
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
        const fs::path output = fs::absolute(line.output, error);
        SYNCLINE_TRY(const std::unique_ptr<Disk> disk,
                     open_posix_disk(output.parent_path().string()));
        SYNCLINE_CHECK(replace_file(*disk, output.filename().string(), lines_of(events)));
    }
    const fs::path aside = aside_path(directory);
    fs::rename(directory, aside, error);
    if (error) {
        return Error{Code::io, "cannot move '" + directory.string() + "' to '" + aside.string() +
                                   "': " + error.message()};
    }
    exported.aside = aside.string();
    exported.node = to_string(identity.node);
    SYNCLINE_TRY(DataDirectory fresh, DataDirectory::open(directory.string(), random));
    SYNCLINE_CHECK(fresh.rename(identity.name));
    SYNCLINE_CHECK(fresh.join_cluster(identity.cluster));
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
