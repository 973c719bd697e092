#pragma once
#include <cstdint>
#include <string_view>

#include "net/resp_client.hpp"

namespace syncline {

/// The value of a field in a reply that is a map, or a flat list as RESP2 has them; null if absent.
const RespValue* reply_field(const RespValue& reply, std::string_view name);
/// The text of a field; empty if absent.
Bytes reply_text(const RespValue& reply, std::string_view name);
/// The integer of a field; 0 if absent.
std::int64_t reply_number(const RespValue& reply, std::string_view name);
/// The elements of a field that is a list; none if absent.
const std::vector<RespValue>& reply_list(const RespValue& reply, std::string_view name);

}  // namespace syncline
