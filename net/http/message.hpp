#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

/// A request as it came; bodies are read away, because no request needs one.
struct HttpRequest {
    std::string method;
    std::string path;  ///< of the target, as it came: nothing served has a name that needs escapes
    std::vector<std::pair<Bytes, Bytes>> parameters;           ///< of the query, decoded; any bytes
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    bool keep_alive = false;

    /// The first parameter of this name; null if there is none.
    [[nodiscard]] const Bytes* parameter(BytesView name) const;
    /// The only header of this name; null if there is none, or more than one.
    [[nodiscard]] const std::string* header(std::string_view name) const;
};

/// Splits "/path?a=1&b=%00" into path and parameters. False when it does not begin with a slash or
/// an escape is broken. "+" is a blank, as forms write it.
bool parse_target(std::string_view target, HttpRequest& request);

/// A name and a password.
struct HttpLogin {
    Bytes name;
    Bytes password;
};
/// What an Authorization header of the Basic scheme says; nothing if it is none.
std::optional<HttpLogin> parse_basic(std::string_view header);

/// Why a request is refused: a status, and a sentence for people.
struct HttpFailure {
    int status = 400;
    std::string sentence;

    bool operator==(const HttpFailure&) const = default;
};

struct HttpResponse {
    int status = 200;
    std::string type = "text/plain; charset=utf-8";
    Bytes body;
};

/// The sentence as a response.
HttpResponse http_failure(const HttpFailure& failure);
/// Status line and headers, those for security in every response, and the body.
Bytes encode_response(const HttpResponse& response, bool with_body, bool keep_alive);
/// The head of a response that never ends: server-sent events follow it.
Bytes encode_stream_head();

/// Whether a Host header names this machine's loopback or `bind_address`; any port.
bool is_own_host(std::string_view host, std::string_view bind_address);

}  // namespace syncline
