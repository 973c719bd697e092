#pragma once
#include "net/commands/command.hpp"

namespace syncline {

/// What only the HTTP port knows.
struct HttpFigures {
    std::uint64_t requests = 0;
    std::uint64_t connections = 0;
    std::uint64_t streams = 0;
};

/// All metrics in Prometheus's text format; the names stand in net/http/README.md. Takes time in
/// proportion to the number of peers.
Bytes metrics_text(CommandHost& host, const HttpFigures& http);

}  // namespace syncline
