#pragma once
#include <cstdint>
#include <string>

#include "net/tcp.hpp"

namespace syncline {

/// "HOST:PORT", where HOST is a name, an IPv4 address, or an IPv6 address in square brackets.
/// Error invalid_argument, with a sentence for whoever wrote it.
Result<TcpEndpoint> parse_endpoint(const std::string& text);
/// The other way round.
std::string to_string(const TcpEndpoint& endpoint);
/// A decimal number from 0 to 65535. Error invalid_argument.
Result<std::uint16_t> parse_port(const std::string& text);

}  // namespace syncline
