#pragma once
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/console.hpp"

namespace syncline {

using Json = nlohmann::ordered_json;

/// Bytes of a user: a string if they are UTF-8, else {"hex": "..."}.
inline Json json_bytes(const Bytes& bytes) {
    if (is_utf8(bytes)) return Json(bytes);
    return Json{{"hex", to_hex(bytes)}};
}

/// null: there are none.
inline Json json_bytes(const std::optional<Bytes>& bytes) {
    return bytes ? json_bytes(*bytes) : Json(nullptr);
}

/// Text of a server; what is no UTF-8 becomes a replacement character.
inline std::string json_text(const Json& json, bool pretty = true) {
    return json.dump(pretty ? 2 : -1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace syncline
