#include "net/frame.hpp"

#include "core/base/assert.hpp"
#include "core/base/hash.hpp"

namespace syncline {

namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::size_t version_offset = 4;
constexpr std::size_t type_offset = 5;
/// Where version and type stand next to the payload, over the checksum's second half, while the
/// checksum is computed: so it takes one pass over one piece of memory.
constexpr std::size_t checked_offset = 8;

std::uint32_t checksum_of(BytesView version_type_payload) {
    return static_cast<std::uint32_t>(hash64(version_type_payload));
}

}  // namespace

void append_frame(Bytes& out, std::uint8_t type, BytesView payload) {
    SYNCLINE_ASSERT(payload.size() <= limits::frame_bytes_max - frame_header_bytes);
    const std::size_t start = out.size();
    out.reserve(start + frame_header_bytes + payload.size());
    out.append(checked_offset, '\0');
    ByteWriter checked(out);
    checked.u8(frame_version);
    checked.u8(type);
    checked.raw(payload);
    const std::uint32_t checksum = checksum_of(BytesView(out).substr(start + checked_offset));

    Bytes header;
    ByteWriter fields(header);
    fields.u32(static_cast<std::uint32_t>(frame_header_bytes - length_bytes + payload.size()));
    fields.u8(frame_version);
    fields.u8(type);
    fields.u32(checksum);
    out.replace(start, frame_header_bytes, header);
}

Bytes encode_frame(std::uint8_t type, BytesView payload) {
    Bytes out;
    append_frame(out, type, payload);
    return out;
}

Bytes encode_message_frames(std::uint8_t type, BytesView payload) {
    SYNCLINE_ASSERT((type & frame_goes_on) == 0);
    SYNCLINE_ASSERT(payload.size() <= limits::message_bytes_max);
    constexpr std::size_t part_bytes_max = limits::frame_bytes_max - frame_header_bytes;
    Bytes out;
    out.reserve(payload.size() + (payload.size() / part_bytes_max + 1) * frame_header_bytes);
    while (payload.size() > part_bytes_max) {
        append_frame(out, type | frame_goes_on, payload.substr(0, part_bytes_max));
        payload.remove_prefix(part_bytes_max);
    }
    append_frame(out, type, payload);
    return out;
}

Result<std::optional<Frame>> MessageJoiner::add(const Frame& frame) {
    if (taken_) parts_ = Bytes();
    taken_ = false;
    const bool goes_on = (frame.type & frame_goes_on) != 0;
    const auto type = static_cast<std::uint8_t>(frame.type & ~frame_goes_on);
    if (!type_ && !goes_on) return std::optional(frame);
    if (type_.value_or(type) != type) {
        return Error{Code::corrupt, "a message of type " + std::to_string(unsigned{type}) +
                                        " inside of one of type " +
                                        std::to_string(unsigned{*type_})};
    }
    if (parts_.size() + frame.payload.size() > limits::message_bytes_max) {
        return Error{Code::limit, "a message of more than " +
                                      std::to_string(limits::message_bytes_max) + " bytes"};
    }
    parts_.append(frame.payload);
    type_ = type;
    if (goes_on) return std::optional<Frame>();
    type_.reset();
    taken_ = true;
    return std::optional(Frame{type, parts_});
}

void FrameReader::feed(BytesView bytes) {
    if (failure_) return;
    if (start_ > 0) {
        buffer_.erase(0, start_);
        start_ = 0;
        // After a large frame, its room goes.
        if (buffer_.capacity() > 256 * limits::kib && buffer_.size() < 64 * limits::kib) {
            buffer_.shrink_to_fit();
        }
    }
    buffer_.append(bytes);
}

Result<std::optional<Frame>> FrameReader::next() {
    if (failure_) return *failure_;
    auto frame = parse();
    if (!frame) {
        failure_ = frame.error();
        buffer_ = Bytes();
        start_ = 0;
    }
    return frame;
}

std::optional<std::uint8_t> FrameReader::begun() const {
    if (buffered_bytes() <= type_offset) return std::nullopt;
    return static_cast<std::uint8_t>(buffer_[start_ + type_offset]) & ~frame_goes_on;
}

Result<std::optional<Frame>> FrameReader::parse() {
    const BytesView held = BytesView(buffer_).substr(start_);
    if (held.size() < length_bytes) return std::optional<Frame>();
    ByteReader header(held.substr(0, frame_header_bytes));
    const std::size_t size = length_bytes + header.u32();
    if (size < frame_header_bytes) {
        return Error{Code::corrupt, "frame of " + std::to_string(size) + " bytes"};
    }
    if (size > bytes_max_) {
        return Error{Code::limit, "frame of " + std::to_string(size) + " bytes, " +
                                      std::to_string(bytes_max_) + " are allowed"};
    }
    // Before the rest has come: another version may measure its frames in another way.
    if (held.size() > version_offset) {
        const std::uint8_t version = header.u8();
        if (version != frame_version) {
            return Error{Code::version, "frame of version " + std::to_string(version) +
                                            ", this is version " + std::to_string(frame_version)};
        }
    }
    if (held.size() < size) return std::optional<Frame>();

    const std::uint8_t type = header.u8();
    const std::uint32_t checksum = header.u32();
    buffer_[start_ + checked_offset] = held[version_offset];
    buffer_[start_ + checked_offset + 1] = held[type_offset];
    const BytesView checked = held.substr(checked_offset, size - checked_offset);
    if (checksum_of(checked) != checksum) {
        return Error{Code::corrupt, "frame with a wrong checksum"};
    }
    start_ += size;
    return std::optional<Frame>(Frame{type, checked.substr(2)});
}

}  // namespace syncline
