// Bytes of a peer: cut into frames, fed whole and in two pieces; both must give the same frames and
// messages.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/base/assert.hpp"
#include "net/frame.hpp"

namespace syncline {
namespace {

constexpr std::size_t frame_max = 4096;

struct Seen {
    std::vector<Bytes> frames;    ///< as they were encoded
    std::vector<Bytes> messages;  ///< that they are parts of
    bool failed = false;
    bool operator==(const Seen&) const = default;
};

void drain(FrameReader& reader, MessageJoiner& joiner, Seen& seen) {
    while (true) {
        const auto frame = reader.next();
        seen.failed = !frame.has_value();
        if (seen.failed || !*frame) return;
        seen.frames.push_back(encode_frame((*frame)->type, (*frame)->payload));
        const auto message = joiner.add(**frame);
        seen.failed = !message.has_value();
        if (seen.failed) return;
        if (*message) seen.messages.push_back(encode_frame((*message)->type, (*message)->payload));
    }
}

void run_stream(BytesView input, std::size_t cut) {
    Seen whole;
    FrameReader at_once(frame_max);
    MessageJoiner of_all;
    at_once.feed(input);
    drain(at_once, of_all, whole);

    Seen split;
    FrameReader in_pieces(frame_max);
    MessageJoiner of_pieces;
    in_pieces.feed(input.substr(0, cut));
    drain(in_pieces, of_pieces, split);
    if (!split.failed) {
        in_pieces.feed(input.substr(cut));
        drain(in_pieces, of_pieces, split);
    }
    SYNCLINE_ASSERT(whole == split);

    // The stream begins with the frames that were taken from it, byte by byte.
    Bytes again;
    for (const Bytes& frame : whole.frames) again += frame;
    SYNCLINE_ASSERT(input.starts_with(again));
}

void run(BytesView input) {
    if (input.size() < 3) return;
    const std::size_t cut =
        (static_cast<unsigned char>(input[0]) * 256U + static_cast<unsigned char>(input[1])) %
        (input.size() - 1);
    const auto type = static_cast<std::uint8_t>(input[2]);
    input.remove_prefix(2);
    run_stream(input, cut);

    // Random bytes have no right checksum, so they also go through as a payload.
    Bytes stream = encode_frame(type, input.substr(0, cut));
    append_frame(stream, type, input);
    stream += input;
    run_stream(stream, cut);
}

}  // namespace
}  // namespace syncline

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    syncline::run(syncline::BytesView(reinterpret_cast<const char*>(data), size));
    return 0;
}
