#include "net/http/json.hpp"

#include <nlohmann/json.hpp>

namespace syncline {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t exact_max = (std::int64_t{1} << 53) - 1;

Json text_json(const Bytes& text) {
    if (is_utf8(text)) return text;
    return Json{{"hex", to_hex(text)}};
}

Json value_json(const RespValue& value);

Json map_json(const RespValue& map) {
    Json object = Json::object();
    for (std::size_t i = 0; i + 1 < map.elements.size(); i += 2) {
        const Bytes& name = map.elements[i].text;
        object[is_utf8(name) ? name : "hex:" + to_hex(name)] = value_json(map.elements[i + 1]);
    }
    return object;
}

Json value_json(const RespValue& value) {
    using Type = RespValue::Type;
    switch (value.type) {
        case Type::null:
            return nullptr;
        case Type::error:
            return Json{{"error", text_json(value.text)}};
        case Type::integer:
            if (value.integer < -exact_max || value.integer > exact_max) {
                return std::to_string(value.integer);
            }
            return value.integer;
        case Type::boolean:
            return value.integer != 0;
        case Type::map:
            return map_json(value);
        case Type::array:
        case Type::set:
        case Type::push: {
            Json list = Json::array();
            for (const RespValue& element : value.elements) list.push_back(value_json(element));
            return list;
        }
        case Type::simple:
        case Type::bulk:
        case Type::verbatim:
        case Type::big_number:
        case Type::real:
            return text_json(value.text);
    }
    return nullptr;
}

}  // namespace

Bytes to_json(const RespValue& value) {
    return value_json(value).dump();
}

Bytes to_json(const std::vector<std::pair<std::string, RespValue>>& members) {
    Json object = Json::object();
    for (const auto& [name, value] : members) object[name] = value_json(value);
    return object.dump();
}

Bytes to_json(const Health& health) {
    Json reasons = Json::array();
    for (const HealthReason& reason : health.reasons) {
        reasons.push_back(Json{{"code", reason.code},
                               {"peer", text_json(reason.peer)},
                               {"text", text_json(reason.text)}});
    }
    return Json{{"status", status_name(health.status)},
                {"ready", health.ready() ? 1 : 0},
                {"reasons", reasons}}
        .dump();
}

Bytes json_error(BytesView sentence) {
    return Json{{"error", text_json(Bytes(sentence))}}.dump();
}

}  // namespace syncline
