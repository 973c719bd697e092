// Bytes of an HTTP client, fed whole and in two pieces: both must give the same requests and the
// same failure, and nothing beyond the bounds comes out.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/assert.hpp"
#include "net/http/parser.hpp"

namespace syncline {
namespace {

struct Seen {
    std::vector<std::string> requests;
    int status = 0;
    bool operator==(const Seen&) const = default;
};

void drain(HttpParser& parser, Seen& seen) {
    while (const std::optional<HttpRequest> request = parser.next()) {
        SYNCLINE_ASSERT(!request->path.empty() && request->path.front() == '/');
        SYNCLINE_ASSERT(request->path.size() <= HttpParser::target_bytes_max);
        SYNCLINE_ASSERT(request->headers.size() <= HttpParser::headers_max);
        std::string text = request->method + " " + request->path;
        std::size_t header_bytes = 0;
        for (const auto& [name, value] : request->headers) {
            header_bytes += name.size() + value.size();
            text += "\n" + name + ": " + value;
        }
        SYNCLINE_ASSERT(header_bytes <= HttpParser::header_bytes_max);
        for (const auto& [name, value] : request->parameters) text += "\n" + name + "=" + value;
        (void)is_own_host(text, "127.0.0.1");
        seen.requests.push_back(text + (request->keep_alive ? "\nkeep" : "\nclose"));
    }
    if (parser.failure()) seen.status = parser.failure()->status;
}

void run(BytesView input) {
    if (input.empty()) return;
    const std::size_t cut = static_cast<unsigned char>(input[0]) % input.size();
    input.remove_prefix(1);
    Seen whole;
    HttpParser at_once;
    at_once.feed(input);
    drain(at_once, whole);
    Seen split;
    HttpParser in_pieces;
    in_pieces.feed(input.substr(0, cut));
    drain(in_pieces, split);
    in_pieces.feed(input.substr(std::min(cut, input.size())));
    drain(in_pieces, split);
    SYNCLINE_ASSERT(whole == split);
}

}  // namespace
}  // namespace syncline

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    syncline::run(syncline::BytesView(reinterpret_cast<const char*>(data), size));
    return 0;
}
