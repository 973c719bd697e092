#include "tools/key_piece.hpp"

#include <algorithm>

#include "tools/json_text.hpp"

namespace syncline {
namespace {

enum class Shape : std::uint8_t { one, list, pairs };

struct TypeShape {
    const char* type;
    Shape shape;
    const char* command;  ///< that puts values
};
constexpr TypeShape shapes[] = {
    {"string", Shape::one, "SET"},          {"hash", Shape::pairs, "HSET"},
    {"set", Shape::list, "SADD"},           {"zset", Shape::pairs, "ZADD"},
    {"list", Shape::list, "RPUSH"},         {"text", Shape::one, "TEXT.APPEND"},
    {"multi-value", Shape::list, "MV.SET"}, {"flag", Shape::one, ""},
    {"bounded-counter", Shape::one, ""},
};

const TypeShape* shape_of(std::string_view type) {
    const auto* const found = std::find_if(std::begin(shapes), std::end(shapes),
                                           [&](const TypeShape& row) { return type == row.type; });
    return found == std::end(shapes) ? nullptr : found;
}

Error wrong(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

/// Numbers are taken as they are written.
std::optional<Bytes> bytes_of(const Json& json) {
    if (json.is_string()) return json.get<std::string>();
    if (json.is_number()) return json.dump();
    if (!json.is_object() || json.size() != 1 || !json.contains("hex")) return std::nullopt;
    const Json& hex = json["hex"];
    return hex.is_string() ? from_hex(hex.get<std::string>()) : std::nullopt;
}

Result<void> add_value(KeyPiece& piece, const Json& json) {
    const std::optional<Bytes> bytes = bytes_of(json);
    if (!bytes) return wrong("a value is no string, number or {\"hex\": ...}");
    piece.values.push_back(*bytes);
    return {};
}

Result<void> parse_values(KeyPiece& piece, const Json& json, Shape shape) {
    if (shape == Shape::one) {
        if (!json.contains("value")) return wrong("\"value\" is missing");
        return add_value(piece, json["value"]);
    }
    if (!json.contains("values") || !json["values"].is_array()) {
        return wrong("\"values\" is no array");
    }
    for (const Json& value : json["values"]) {
        if (shape == Shape::list) {
            SYNCLINE_CHECK(add_value(piece, value));
            continue;
        }
        if (!value.is_array() || value.size() != 2) return wrong("a value is no pair");
        SYNCLINE_CHECK(add_value(piece, value[0]));
        SYNCLINE_CHECK(add_value(piece, value[1]));
    }
    return {};
}

/// A number from 1, or the value for one that is not there.
Result<std::int64_t> parse_number(const Json& json, const char* name, std::int64_t absent) {
    if (!json.contains(name)) return absent;
    const Json& number = json[name];
    if (number.is_number_integer() && number.get<std::int64_t>() > 0) {
        return number.get<std::int64_t>();
    }
    return wrong("\"" + std::string(name) + "\" is no number from 1 on");
}

/// A text that is empty, and a counter that is 0, come into being by something that goes again.
std::vector<std::vector<Bytes>> commands_of_one(const KeyPiece& piece) {
    const Bytes& value = piece.values[0];
    if (piece.type == "flag") {
        return {{value == "1" ? "FLAG.ENABLE" : "FLAG.DISABLE", piece.key}};
    }
    if (piece.type == "text") {
        if (!value.empty()) return {{"TEXT.APPEND", piece.key, value}};
        if (piece.part > 1) return {};
        return {{"TEXT.APPEND", piece.key, "-"}, {"TEXT.ERASE", piece.key, "0", "1"}};
    }
    if (piece.type == "bounded-counter") {
        if (value != "0") return {{"BC.INCR", piece.key, value}};
        return {{"BC.INCR", piece.key, "1"}, {"BC.DECR", piece.key, "1"}};
    }
    return {{"SET", piece.key, value}};
}

}  // namespace

std::vector<std::vector<Bytes>> commands_of(const KeyPiece& piece) {
    const TypeShape* const shape = shape_of(piece.type);
    std::vector<std::vector<Bytes>> commands;
    if (shape == nullptr || piece.values.empty()) return commands;
    const bool replaces = piece.type == "string" || piece.type == "multi-value";
    if (piece.part == 1 && !replaces && piece.type != "bounded-counter") {
        commands.push_back({"DEL", piece.key});
    }
    if (shape->shape == Shape::one) {
        for (std::vector<Bytes>& command : commands_of_one(piece)) {
            commands.push_back(std::move(command));
        }
    } else {
        std::vector<Bytes> command{shape->command, piece.key};
        if (piece.type == "multi-value") {
            commands.push_back({"DEL", piece.key});
            command.push_back(piece.values[0]);
        } else if (piece.type == "zset") {  // score first
            for (std::size_t i = 0; i + 1 < piece.values.size(); i += 2) {
                command.push_back(piece.values[i + 1]);
                command.push_back(piece.values[i]);
            }
        } else {
            command.insert(command.end(), piece.values.begin(), piece.values.end());
        }
        commands.push_back(std::move(command));
    }
    if (piece.ends_ms) {
        commands.push_back({"PEXPIREAT", piece.key, std::to_string(*piece.ends_ms)});
    }
    return commands;
}

std::string json_line(const KeyPiece& piece) {
    const TypeShape* const shape = shape_of(piece.type);
    SYNCLINE_ASSERT(shape != nullptr);
    Json json;
    json["key"] = json_bytes(piece.key);
    json["type"] = piece.type;
    if (piece.part > 1 || !piece.last) json["part"] = piece.part;
    if (!piece.last) json["more"] = true;
    if (piece.ends_ms) json["ends_ms"] = *piece.ends_ms;
    if (shape->shape == Shape::one) {
        json["value"] = json_bytes(piece.values.at(0));
        return json.dump();
    }
    Json values = Json::array();
    const std::size_t step = shape->shape == Shape::pairs ? 2 : 1;
    for (std::size_t i = 0; i + step <= piece.values.size(); i += step) {
        Json value = json_bytes(piece.values[i]);
        if (step == 2) value = Json::array({std::move(value), json_bytes(piece.values[i + 1])});
        values.push_back(std::move(value));
    }
    json["values"] = std::move(values);
    return json.dump();
}

Result<KeyPiece> parse_json_line(std::string_view line) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return wrong("it is no object of JSON");
    KeyPiece piece;
    const std::optional<Bytes> key = json.contains("key") ? bytes_of(json["key"]) : std::nullopt;
    if (!key) return wrong("\"key\" is missing, or no string");
    piece.key = *key;
    if (!json.contains("type") || !json["type"].is_string()) return wrong("\"type\" is missing");
    piece.type = json["type"].get<std::string>();
    const TypeShape* const shape = shape_of(piece.type);
    if (shape == nullptr) return wrong("there is no type \"" + printable(piece.type) + "\"");
    SYNCLINE_CHECK(parse_values(piece, json, shape->shape));
    SYNCLINE_TRY(const std::int64_t part, parse_number(json, "part", 1));
    piece.part = static_cast<std::size_t>(part);
    piece.last = !(json.contains("more") && json["more"] == true);
    if (json.contains("ends_ms")) {
        SYNCLINE_TRY(piece.ends_ms, parse_number(json, "ends_ms", 0));
    }
    return piece;
}

void append_request(Bytes& out, const std::vector<Bytes>& command) {
    out += "*" + std::to_string(command.size()) + "\r\n";
    for (const Bytes& argument : command) {
        out += "$" + std::to_string(argument.size()) + "\r\n";
        out += argument;
        out += "\r\n";
    }
}

}  // namespace syncline
