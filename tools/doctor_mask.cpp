#include "tools/doctor_mask.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "tools/command_help.hpp"
#include "tools/json_text.hpp"

namespace syncline {
namespace {

/// Fields of log lines that hold figures, names of nodes and their addresses, or sentences of ours.
constexpr std::array<std::string_view, 63> plain_fields = {"actor",
                                                           "address",
                                                           "ahead_ms",
                                                           "attempts",
                                                           "bucket",
                                                           "buckets",
                                                           "bytes",
                                                           "closed_by",
                                                           "cluster",
                                                           "code",
                                                           "count",
                                                           "damaged_buckets",
                                                           "diverged",
                                                           "disk_bytes",
                                                           "epoch",
                                                           "events",
                                                           "faults",
                                                           "first",
                                                           "former",
                                                           "from",
                                                           "from_uuid",
                                                           "job",
                                                           "keys",
                                                           "last",
                                                           "limit",
                                                           "map_bytes",
                                                           "members",
                                                           "ms",
                                                           "new_node",
                                                           "node",
                                                           "now_ms",
                                                           "own_counter",
                                                           "peer",
                                                           "peer_counter",
                                                           "peer_root",
                                                           "peers",
                                                           "policy",
                                                           "primary",
                                                           "ready",
                                                           "repair_bandwidth",
                                                           "retry_ms",
                                                           "role",
                                                           "root",
                                                           "rows",
                                                           "seconds",
                                                           "segment",
                                                           "session",
                                                           "silent",
                                                           "space",
                                                           "standing",
                                                           "state",
                                                           "status",
                                                           "term",
                                                           "to",
                                                           "to_uuid",
                                                           "uuid",
                                                           "version",
                                                           "vv",
                                                           "disk_free_bytes",
                                                           "map_used_bytes",
                                                           "rows_expected",
                                                           "signal"};
/// Sentences of ours, which may quote what they were given.
constexpr std::array<std::string_view, 2> sentence_fields = {"reason", "error"};
/// How lines of a start begin, and what a program says that ends.
constexpr std::array<std::string_view, 8> start_lines = {
    "Syncline ",  "  node ", "  cluster ",     "  peers ",
    "  clients ", "  page ", "Connect with: ", "assertion failed: "};

template <std::size_t count>
bool is_one_of(const std::array<std::string_view, count>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string masked_field(std::string_view name, const std::string& value) {
    if (is_one_of(sentence_fields, name)) return without_quotes(value);
    return is_one_of(plain_fields, name) ? value : masked(value);
}

/// "2026-11-30T12:00:00.000Z": where it begins in a line.
std::optional<std::size_t> find_time(std::string_view line) {
    constexpr std::string_view shape = "0000-00-00T00:00:00.000Z";
    for (std::size_t i = 0; i + shape.size() <= line.size(); ++i) {
        bool fits = true;
        for (std::size_t j = 0; j < shape.size() && fits; ++j) {
            fits = shape[j] == '0' ? std::isdigit(static_cast<unsigned char>(line[i + j])) != 0
                                   : line[i + j] == shape[j];
        }
        if (fits) return i;
    }
    return std::nullopt;
}

/// The value that begins here, bare or in quotes, without them; moves on behind it.
std::string take_value(std::string_view line, std::size_t& at) {
    std::string value;
    const bool quoted = at < line.size() && line[at] == '"';
    if (quoted) ++at;
    while (at < line.size()) {
        const char byte = line[at++];
        if (quoted ? byte == '"' : byte == ' ') return value;
        if (quoted && byte == '\\' && at < line.size()) {
            value += line[at++];
        } else {
            value += byte;
        }
    }
    return value;
}

/// Time, level, [node,] event, and fields: the first word with '=' in it is the first field.
std::string masked_text_line(std::string_view line) {
    std::string out;
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t end = std::min(line.find(' ', at), line.size());
        const std::size_t equals = line.substr(at, end - at).find('=');
        if (!out.empty()) out += ' ';
        if (equals == std::string_view::npos) {
            const std::string_view word = line.substr(at, end - at);
            out += word.find('"') == std::string_view::npos ? std::string(word) : masked(word);
            at = end + 1;
            continue;
        }
        const std::string_view name = line.substr(at, equals);
        at += equals + 1;
        out += std::string(name) + "=" + masked_field(name, take_value(line, at));
        if (at < line.size() && line[at] == ' ') ++at;
    }
    return out;
}

std::optional<std::string> masked_json_line(std::string_view line) {
    constexpr std::array<std::string_view, 4> heads = {"time", "level", "node", "event"};
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return std::nullopt;
    Json out;
    for (const auto& [name, value] : json.items()) {
        if (!value.is_string()) continue;
        const auto text = value.get<std::string>();
        out[name] = is_one_of(heads, name) ? text : masked_field(name, text);
    }
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string masked_line(std::string_view line) {
    if (const std::size_t brace = line.find("{\"time\":"); brace != std::string_view::npos) {
        if (const auto json = masked_json_line(line.substr(brace))) return *json;
    }
    if (const auto time = find_time(line)) return masked_text_line(line.substr(*time));
    for (const std::string_view start : start_lines) {
        if (line.substr(0, start.size()) == start) return std::string(line);
    }
    return line.empty() ? std::string() : "(a line of " + std::to_string(line.size()) + " bytes)";
}

template <typename Change>
std::string each_line(std::string_view text, Change change) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        out += change(text.substr(0, end)) + "\n";
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

}  // namespace

std::string masked(std::string_view bytes) {
    return "(" + std::to_string(bytes.size()) + " bytes)";
}

std::string without_quotes(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t begin = text.find_first_of("'\"");
        if (begin == std::string_view::npos) return out + std::string(text);
        const std::size_t end = text.rfind(text[begin]);  // what is quoted may hold quotes
        out += text.substr(0, begin);
        const bool open = end == begin;  // nothing tells where it ends
        const std::string_view inner =
            open ? text.substr(begin + 1) : text.substr(begin + 1, end - begin - 1);
        out += masked(inner);
        text.remove_prefix(open ? text.size() : end + 1);
    }
    return out;
}

std::string masked_log(std::string_view log, std::size_t bytes_max) {
    if (log.size() > bytes_max) {
        log.remove_prefix(log.size() - bytes_max);
        log.remove_prefix(std::min(log.find('\n'), log.size() - 1) + 1);  // a part of a line
    }
    return each_line(log, masked_line);
}

std::string masked_command(const std::vector<RespValue>& arguments) {
    std::vector<std::string> words;
    for (const RespValue& argument : arguments) words.push_back(argument.text);
    const std::string name = command_in(words);
    const std::size_t known = name.empty() ? 0 : name.find('|') == std::string::npos ? 1 : 2;
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        out += (i == 0 ? "" : " ") + (i < known ? words[i] : masked(words[i]));
    }
    return out;
}

bool is_secret_name(std::string_view name) {
    const auto has = [&](std::string_view part) {
        return name.find(part) != std::string_view::npos;
    };
    if (name.size() > 5 && name.substr(name.size() - 5) == "-file") return false;
    return has("secret") || has("pass") || has("auth") || has("token");
}

std::string masked_settings(std::string_view text) {
    return each_line(text, [](std::string_view line) {
        const std::size_t equals = line.find(" = ");
        if (equals == std::string_view::npos) return std::string(line);
        const std::string_view name = line.substr(0, equals);
        if (name != "policy" && !is_secret_name(name)) return std::string(line);
        return std::string(name) + " = " + masked(line.substr(equals + 3));
    });
}

}  // namespace syncline
