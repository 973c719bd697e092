#pragma once
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "net/health.hpp"
#include "net/resp_client.hpp"

namespace syncline {

/// A reply as JSON. Maps are objects; texts that are not UTF-8 are {"hex": "..."}; integers that
/// a JavaScript number cannot hold exactly are decimal strings; errors are {"error": "..."}.
Bytes to_json(const RespValue& value);
/// An object with these members, in this order.
Bytes to_json(const std::vector<std::pair<std::string, RespValue>>& members);
/// {"status": ..., "ready": ..., "reasons": [{"code": ..., "peer": ..., "text": ...}]}
Bytes to_json(const Health& health);
/// {"error": sentence}
Bytes json_error(BytesView sentence);

}  // namespace syncline
