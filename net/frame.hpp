#pragma once
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/base/limits.hpp"
#include "core/base/result.hpp"

namespace syncline {

/// The version of the frame layout in net/PROTOCOL.md.
constexpr std::uint8_t frame_version = 1;
/// Bytes of a frame before its payload: length, version, type, checksum.
constexpr std::size_t frame_header_bytes = 10;

/// A frame that arrived whole. The view is valid until the reader's next feed().
struct Frame {
    std::uint8_t type = 0;
    BytesView payload;
};

/// Set in the type of a frame whose message goes on in the next one.
constexpr std::uint8_t frame_goes_on = 0x80;

/// Appends a frame. Precondition: it fits limits::frame_bytes_max.
void append_frame(Bytes& out, std::uint8_t type, BytesView payload);
/// A frame alone.
Bytes encode_frame(std::uint8_t type, BytesView payload);
/// A message: one frame, or, when it is longer than one may be, several of the same type.
/// Preconditions: the type has not frame_goes_on set; at most limits::message_bytes_max.
Bytes encode_message_frames(std::uint8_t type, BytesView payload);

/// Cuts a stream of bytes from a peer into frames. Holds what was fed and not taken yet; a header
/// alone allocates nothing.
///
/// Use: feed() each read, then next() until it answers nothing. Checks happen in next(), frame by
/// frame, so that a frame may change the bound for those behind it.
class FrameReader {
public:
    /// bytes_max bounds a whole frame, header included.
    explicit FrameReader(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    void set_max(std::size_t bytes_max) { bytes_max_ = bytes_max; }
    void feed(BytesView bytes);
    /// The next whole frame, or nothing until more bytes come. Errors stay, and the connection
    /// must be closed: limit (longer than the bound), version (another layout), corrupt (too
    /// short, or the checksum is wrong).
    Result<std::optional<Frame>> next();
    /// Bytes held that belong to no frame taken yet.
    [[nodiscard]] std::size_t buffered_bytes() const { return buffer_.size() - start_; }
    /// The type of the message whose frame has come in part, if so much of it is there.
    [[nodiscard]] std::optional<std::uint8_t> begun() const;

private:
    Result<std::optional<Frame>> parse();

    Bytes buffer_;
    std::size_t start_ = 0;  ///< of the first frame not taken yet
    std::size_t bytes_max_;
    std::optional<Error> failure_;
};

/// Joins frames to messages. Holds the parts of one message that have come, never more than
/// limits::message_bytes_max.
class MessageJoiner {
public:
    /// The message that this frame ends, or nothing while more frames of it are to come. The view
    /// is valid until the next call, or as long as the frame's if there is one frame only.
    /// Errors: limit (longer than a message may be), corrupt (another message begins inside).
    Result<std::optional<Frame>> add(const Frame& frame);
    /// The type of the message of which a part is held.
    [[nodiscard]] std::optional<std::uint8_t> begun() const { return type_; }

private:
    Bytes parts_;
    std::optional<std::uint8_t> type_;  ///< of the message whose parts they are
    bool taken_ = false;                ///< the last call answered with parts_
};

}  // namespace syncline
