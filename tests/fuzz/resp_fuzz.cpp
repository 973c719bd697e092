// Bytes of a client and of a server: parsed as requests and as replies, fed whole and in two
// pieces; both must give the same. What was parsed and is written again must parse alike.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/base/assert.hpp"
#include "net/resp.hpp"
#include "net/resp_client.hpp"

namespace syncline {
namespace {

struct Seen {
    std::vector<std::vector<Bytes>> requests;
    std::vector<std::string> replies;
    std::string error;
    bool operator==(const Seen&) const = default;
};

void drain(RespParser& parser, Seen& seen) {
    while (true) {
        auto request = parser.next();
        if (!request) seen.error = request.error().message;
        if (!request || !*request) return;
        SYNCLINE_ASSERT(!(*request)->arguments.empty());
        seen.requests.push_back(std::move((*request)->arguments));
    }
}

void drain(RespReplyParser& parser, Seen& seen) {
    while (true) {
        const auto reply = parser.next();
        if (!reply) seen.error = reply.error().message;
        if (!reply || !*reply) return;
        seen.replies.push_back(to_string(**reply));
    }
}

/// Feeds two copies of a parser, one of them in two pieces.
template <std::copyable Parser>
Seen parse_both(const Parser& fresh, BytesView input, std::size_t cut) {
    Seen whole;
    Parser at_once = fresh;
    at_once.feed(input);
    drain(at_once, whole);

    Seen split;
    Parser in_pieces = fresh;
    in_pieces.feed(input.substr(0, cut));
    drain(in_pieces, split);
    in_pieces.feed(input.substr(cut));
    drain(in_pieces, split);
    SYNCLINE_ASSERT(whole == split);
    return whole;
}

void run(BytesView input) {
    if (input.size() < 2) return;
    const std::size_t cut =
        (static_cast<unsigned char>(input[0]) * 256U + static_cast<unsigned char>(input[1])) %
        (input.size() - 1);
    input.remove_prefix(2);

    const Seen seen = parse_both(RespParser(), input, cut);
    parse_both(RespParser(request_limits_before_auth), input, cut);
    parse_both(RespReplyParser(limits::mib), input, cut);
    parse_both(RespReplyParser(200), input, cut);

    Bytes written;
    RespWriter writer(written, 3);
    for (const auto& arguments : seen.requests) {
        writer.array(arguments.size());
        for (const Bytes& argument : arguments) writer.bulk(argument);
    }
    const Seen again = parse_both(RespParser(), written, written.size() / 2);
    SYNCLINE_ASSERT(again.error.empty());
    SYNCLINE_ASSERT(again.requests == seen.requests);
    SYNCLINE_ASSERT(parse_both(RespReplyParser(), written, 0).error.empty());
}

}  // namespace
}  // namespace syncline

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    syncline::run(syncline::BytesView(reinterpret_cast<const char*>(data), size));
    return 0;
}
