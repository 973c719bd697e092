#include "tools/lost_events.hpp"

#include <nlohmann/json.hpp>
#include <system_error>

#include "core/engine/data_directory.hpp"
#include "core/engine/event_text.hpp"

namespace syncline {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

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

/// `before`: what this replica had added to the counter, if that is known.
Json json_of(const Op& op, const Amount* before) {
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
            if (before != nullptr) json["added"] = to_string(sum - *before);
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

fs::path aside_path(const fs::path& data, const std::string& word) {
    std::error_code ignored;  // a name that cannot be looked at is not free
    for (unsigned number = 1;; ++number) {
        fs::path path = data;
        path += word + std::to_string(number);
        if (!fs::exists(path, ignored) && !ignored) return path;
    }
}

/// One line of JSON an event.
Bytes event_lines(const Uuid& cluster, const std::vector<Event>& events) {
    Bytes lines;
    AmountsBefore amounts;
    for (const Event& event : events) {
        const LostTransaction lost{cluster, event, amounts.next(event)};
        Json json;
        json["event"] = to_string(event.dot);
        json["time_ms"] = event.hlc.ms();
        json["operations"] = Json::array();
        for (std::size_t i = 0; i < event.ops.size(); ++i) {
            const auto before = lost.before.find(i);
            json["operations"].push_back(
                json_of(event.ops[i], before == lost.before.end() ? nullptr : &before->second));
        }
        json["transaction"] = to_hex(encode_lost_transaction(lost));
        lines += json.dump() + "\n";
    }
    return lines;
}

}  // namespace

Result<fs::path> existing_directory(const std::string& name) {
    const fs::path path = fs::path(name).lexically_normal();
    fs::path directory = path.has_filename() ? path : path.parent_path();
    std::error_code error;
    if (fs::exists(directory / "identity", error)) return directory;
    return Error{Code::invalid_argument, "'" + name + "' is no data directory"};
}

Result<void> write_events(const fs::path& output, const Uuid& cluster,
                          const std::vector<Event>& events) {
    std::error_code ignored;  // then the directory cannot be opened
    const fs::path path = fs::absolute(output, ignored);
    SYNCLINE_TRY(const std::unique_ptr<Disk> disk, open_posix_disk(path.parent_path().string()));
    return replace_file(*disk, path.filename().string(), event_lines(cluster, events));
}

Result<LostTransaction> read_lost_line(const std::string& line) {
    const Json json = Json::parse(line, nullptr, false);
    const bool whole =
        json.is_object() && json.contains("transaction") && json["transaction"].is_string();
    std::optional<Bytes> bytes;
    if (whole) bytes = from_hex(json["transaction"].get<std::string>());
    if (bytes) return decode_lost_transaction(*bytes);
    return Error{Code::corrupt, "it is none that syncline cluster rejoin writes"};
}

Result<std::string> begin_anew(const fs::path& directory, const std::string& word,
                               const Identity& identity) {
    const fs::path aside = aside_path(directory, word);
    std::error_code error;
    fs::rename(directory, aside, error);
    if (error) {
        return Error{Code::io, "cannot move '" + directory.string() + "' to '" + aside.string() +
                                   "': " + error.message()};
    }
    SystemRandom random;
    SYNCLINE_TRY(DataDirectory fresh, DataDirectory::open(directory.string(), random));
    SYNCLINE_CHECK(fresh.rename(identity.name));
    SYNCLINE_CHECK(fresh.join_cluster(identity.cluster));
    return aside.string();
}

}  // namespace syncline
