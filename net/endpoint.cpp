#include "net/endpoint.hpp"

#include <charconv>
#include <utility>

namespace syncline {
namespace {

Error usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

}  // namespace

Result<std::uint16_t> parse_port(const std::string& text) {
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc() || stop != end) {
        return usage("'" + text + "' is no port; ports are numbers from 0 to 65535");
    }
    return port;
}

std::string to_string(const TcpEndpoint& endpoint) {
    const bool numeric_v6 = endpoint.host.find(':') != std::string::npos;
    return (numeric_v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" +
           std::to_string(endpoint.port);
}

Result<TcpEndpoint> parse_endpoint(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        return usage("'" + text + "' is no address; write HOST:PORT");
    }
    std::string host = text.substr(0, colon);
    if (host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string::npos) {
        return usage("'" + text + "' is ambiguous; write an IPv6 address as [ADDRESS]:PORT");
    }
    if (host.empty()) return usage("'" + text + "' names no host; write HOST:PORT");
    SYNCLINE_TRY(const std::uint16_t port, parse_port(text.substr(colon + 1)));
    return TcpEndpoint{std::move(host), port};
}

}  // namespace syncline
