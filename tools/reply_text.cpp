#include "tools/reply_text.hpp"

#include <fmt/core.h>

#include <cmath>

#include "tools/json_text.hpp"

namespace syncline {
namespace {

using Type = RespValue::Type;

/// Whether it takes several lines. Nesting is bounded by the parser of replies.
bool has_lines(const RespValue& value) {
    const std::size_t one = value.type == Type::map ? 2 : 1;  // texts have no elements
    if (value.elements.empty()) return false;
    return value.elements.size() > one || has_lines(value.elements[one - 1]);
}

const char* empty_text(Type type) {
    switch (type) {
        case Type::map:
            return "(empty hash)\n";
        case Type::set:
            return "(empty set)\n";
        case Type::push:
            return "(empty push)\n";
        default:
            return "(empty array)\n";
    }
}

char mark_of(Type type) {
    return type == Type::set ? '~' : type == Type::map ? '#' : ')';
}

std::string typed_text(const RespValue& value, const std::string& prefix);

/// Digits of the largest index decide the column. Nesting is bounded, as above.
std::string typed_elements(const RespValue& value, const std::string& prefix) {
    if (value.elements.empty()) return empty_text(value.type);
    const bool map = value.type == Type::map;
    const std::size_t step = map ? 2 : 1;
    const std::size_t digits = std::to_string(value.elements.size() / step).size();
    const std::string inner = prefix + std::string(digits + 2, ' ');
    std::string text;
    for (std::size_t i = 0; i + step <= value.elements.size(); i += step) {
        text += fmt::format("{}{:>{}}{} ", i == 0 ? "" : prefix, i / step + 1, digits,
                            mark_of(value.type));
        text += typed_text(value.elements[i], inner);
        if (!map) continue;
        const RespValue& mapped = value.elements[i + 1];
        text.pop_back();  // the line end
        text += " => ";
        if (has_lines(mapped)) text += "\n" + inner;
        text += typed_text(mapped, inner);
    }
    return text;
}

std::string typed_text(const RespValue& value, const std::string& prefix) {
    switch (value.type) {
        case Type::null:
            return "(nil)\n";
        case Type::error:
            return "(error) " + value.text + "\n";
        case Type::integer:
            return "(integer) " + std::to_string(value.integer) + "\n";
        case Type::boolean:
            return value.integer != 0 ? "(true)\n" : "(false)\n";
        case Type::real:
            return "(double) " + value.text + "\n";
        case Type::bulk:
            return quoted_argument(value.text) + "\n";
        case Type::simple:
        case Type::verbatim:
        case Type::big_number:
            return value.text + "\n";
        default:
            return typed_elements(value, prefix);
    }
}

std::string raw_text(const RespValue& value) {
    switch (value.type) {
        case Type::null:
            return "";
        case Type::error:
            return value.text + "\n";
        case Type::integer:
            return std::to_string(value.integer);
        case Type::boolean:
            return value.integer != 0 ? "(true)" : "(false)";
        case Type::array:
        case Type::set:
        case Type::push:
        case Type::map:
            break;
        default:
            return value.text;
    }
    std::string text;
    for (std::size_t i = 0; i < value.elements.size(); ++i) {
        const bool mapped = value.type == Type::map && i % 2 == 1;
        if (i > 0) text += mapped ? " " : "\n";
        text += raw_text(value.elements[i]);
    }
    return text;
}

Json json_of(const RespValue& value);

/// Keys that are no text are named by their JSON.
std::string json_name(const RespValue& key) {
    const Json name = json_of(key);
    return name.is_string() ? name.get<std::string>() : name.dump();
}

Json json_of(const RespValue& value) {
    switch (value.type) {
        case Type::null:
            return nullptr;
        case Type::error:
            return Json{{"error", json_bytes(value.text)}};
        case Type::integer:
            return value.integer;
        case Type::boolean:
            return value.integer != 0;
        case Type::real:
            return std::isfinite(value.number) ? Json(value.number) : Json(value.text);
        case Type::map: {
            Json object = Json::object();
            for (std::size_t i = 0; i + 1 < value.elements.size(); i += 2) {
                object[json_name(value.elements[i])] = json_of(value.elements[i + 1]);
            }
            return object;
        }
        case Type::array:
        case Type::set:
        case Type::push: {
            Json array = Json::array();
            for (const RespValue& element : value.elements) array.push_back(json_of(element));
            return array;
        }
        default:
            return json_bytes(value.text);
    }
}

}  // namespace

std::string quoted_argument(BytesView bytes) {
    std::string text = "\"";
    for (const char byte : bytes) {
        constexpr std::string_view named = "\n\r\t\a\b\\\"";
        constexpr std::string_view names = "nrtab\\\"";
        const auto code = static_cast<unsigned char>(byte);
        if (const std::size_t at = named.find(byte); at != std::string_view::npos) {
            text += {'\\', names[at]};
        } else if (code >= 0x20 && code < 0x7f) {
            text += byte;
        } else {
            text += fmt::format("\\x{:02x}", code);
        }
    }
    return text + "\"";
}

std::string reply_text(const RespValue& reply, ReplyFormat format) {
    switch (format) {
        case ReplyFormat::raw:
            return raw_text(reply) + "\n";
        case ReplyFormat::verbatim:
            return raw_text(reply);
        case ReplyFormat::json:
            return json_text(json_of(reply), false);
        default:
            return typed_text(reply, "");
    }
}

}  // namespace syncline
