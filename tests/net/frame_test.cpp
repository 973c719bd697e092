#include "net/frame.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <iterator>
#include <string>
#include <vector>

namespace syncline {
BOOST_AUTO_TEST_SUITE(frame)
namespace {

struct Owned {
    int type;
    Bytes payload;
    bool operator==(const Owned&) const = default;
};

/// Takes all that is there; an error ends it.
Result<std::vector<Owned>> drain(FrameReader& reader) {
    std::vector<Owned> frames;
    while (true) {
        SYNCLINE_TRY(const auto frame, reader.next());
        if (!frame) return frames;
        frames.push_back(Owned{frame->type, Bytes(frame->payload)});
    }
}

Code code_of(const Result<std::vector<Owned>>& result) {
    BOOST_REQUIRE(!result.has_value());
    return result.error().code;
}

BOOST_AUTO_TEST_CASE(golden_bytes) {
    BOOST_TEST(to_hex(encode_frame(7, "payload")) == "0000000d0107617d20397061796c6f6164");
}

BOOST_AUTO_TEST_CASE(frames_come_out_as_they_went_in) {
    Bytes stream;
    append_frame(stream, 1, "");
    append_frame(stream, 255, std::string(100'000, 'x'));
    append_frame(stream, 3, std::string("\0\n", 2));
    const std::vector<Owned> expected{
        {1, ""}, {255, std::string(100'000, 'x')}, {3, std::string("\0\n", 2)}};

    FrameReader whole(limits::frame_bytes_max);
    whole.feed(stream);
    BOOST_TEST((drain(whole).value() == expected));

    FrameReader split(limits::frame_bytes_max);
    std::vector<Owned> got;
    for (const char byte : stream) {
        split.feed(BytesView(&byte, 1));
        auto frames = drain(split).value();
        std::move(frames.begin(), frames.end(), std::back_inserter(got));
    }
    BOOST_TEST((got == expected));
    BOOST_TEST(split.buffered_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_truncated_frame_waits) {
    const Bytes bytes = encode_frame(1, "payload");
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        FrameReader reader(limits::frame_bytes_max);
        reader.feed(BytesView(bytes).substr(0, size));
        BOOST_TEST(drain(reader).value().empty());
    }
}

BOOST_AUTO_TEST_CASE(no_flipped_bit_goes_through) {
    const Bytes bytes = encode_frame(1, "payload");
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        Bytes damaged = bytes;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        FrameReader reader(limits::frame_bytes_max);
        reader.feed(damaged);
        const auto frames = drain(reader);
        // A larger length makes it wait for bytes that do not come.
        BOOST_TEST((!frames.has_value() || frames->empty()), "bit " << bit);
    }
}

BOOST_AUTO_TEST_CASE(a_frame_beyond_the_bound_is_refused_by_its_header) {
    FrameReader reader(limits::frame_before_auth_bytes_max);
    reader.feed(
        encode_frame(1, std::string(limits::frame_before_auth_bytes_max - 9, 'x')).substr(0, 4));
    BOOST_TEST((code_of(drain(reader)) == Code::limit));

    FrameReader exact(limits::frame_before_auth_bytes_max);
    exact.feed(encode_frame(1, std::string(limits::frame_before_auth_bytes_max - 10, 'x')));
    BOOST_TEST(drain(exact)->size() == 1U);

    FrameReader huge(limits::frame_bytes_max);
    huge.feed("\xff\xff\xff\xff");
    BOOST_TEST((code_of(drain(huge)) == Code::limit));
}

BOOST_AUTO_TEST_CASE(a_frame_too_short_for_its_header_is_corrupt) {
    for (char size = 0; size < 6; ++size) {
        FrameReader reader(limits::frame_bytes_max);
        reader.feed(Bytes(3, '\0') + Bytes(1, size));
        BOOST_TEST((code_of(drain(reader)) == Code::corrupt));
    }
}

BOOST_AUTO_TEST_CASE(another_version_is_refused_by_its_header) {
    Bytes bytes = encode_frame(1, "payload");
    bytes[4] = 2;
    FrameReader reader(limits::frame_bytes_max);
    reader.feed(BytesView(bytes).substr(0, 5));
    BOOST_TEST((code_of(drain(reader)) == Code::version));
}

BOOST_AUTO_TEST_CASE(an_error_stays_and_holds_no_memory) {
    FrameReader reader(16);
    reader.feed(std::string(1000, '\xff'));
    BOOST_TEST((code_of(drain(reader)) == Code::limit));
    reader.feed(encode_frame(1, ""));
    BOOST_TEST((code_of(drain(reader)) == Code::limit));
    BOOST_TEST(reader.buffered_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_bound_lifted_between_two_frames_holds_for_the_second) {
    Bytes stream = encode_frame(1, "proof");
    append_frame(stream, 2, std::string(10'000, 'x'));
    FrameReader reader(limits::frame_before_auth_bytes_max);
    reader.feed(stream);
    BOOST_TEST((reader.next().value()->payload == "proof"));
    reader.set_max(limits::frame_bytes_max);
    BOOST_TEST(reader.next().value()->payload.size() == 10'000U);
}

BOOST_AUTO_TEST_CASE(a_long_message_goes_in_several_frames) {
    for (const std::size_t bytes :
         {std::size_t{0}, std::size_t{10}, limits::frame_bytes_max - frame_header_bytes,
          limits::frame_bytes_max - frame_header_bytes + 1, 3 * limits::frame_bytes_max}) {
        Bytes payload(bytes, 'x');
        for (std::size_t at = 0; at < bytes; at += 1000) payload[at] = static_cast<char>(at / 1000);
        FrameReader reader(limits::frame_bytes_max);
        MessageJoiner joiner;
        reader.feed(encode_message_frames(20, payload) + encode_message_frames(21, "next"));
        std::vector<Owned> messages;
        std::size_t frames = 0;
        while (const auto frame = reader.next().value()) {
            ++frames;
            const auto message = joiner.add(*frame).value();
            if (message) messages.push_back(Owned{message->type, Bytes(message->payload)});
        }
        BOOST_TEST((messages == std::vector<Owned>{{20, payload}, {21, "next"}}));
        BOOST_TEST((frames > 2) == (bytes > limits::frame_bytes_max - frame_header_bytes));
    }
}

BOOST_AUTO_TEST_CASE(messages_within_each_other_and_without_end_are_refused) {
    MessageJoiner mixed;
    BOOST_TEST(!mixed.add(Frame{20 | frame_goes_on, "a"}).value().has_value());
    const auto other = mixed.add(Frame{21, "b"});
    BOOST_REQUIRE(!other.has_value());
    BOOST_TEST((other.error().code == Code::corrupt));

    MessageJoiner endless;
    const Bytes part(limits::frame_bytes_max - frame_header_bytes, 'x');
    std::size_t parts = 0;
    for (auto joined = endless.add(Frame{20 | frame_goes_on, part}); joined;
         joined = endless.add(Frame{20 | frame_goes_on, part})) {
        ++parts;
    }
    BOOST_TEST(parts == limits::message_bytes_max / part.size());
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
