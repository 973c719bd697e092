#include "core/base/bytes.hpp"

#include <bit>
#include <charconv>
#include <cstring>

namespace syncline {

namespace {

constexpr char hex_digits[] = "0123456789abcdef";
constexpr std::size_t printable_bytes_max = 64;

template <typename Unsigned>
void append_big_endian(Bytes& out, Unsigned value) {
    char bytes[sizeof(Unsigned)];
    const Unsigned ordered = big_endian(value);
    std::memcpy(bytes, &ordered, sizeof bytes);
    out.append(bytes, sizeof bytes);
}

}  // namespace

void ByteWriter::u16(std::uint16_t value) {
    append_big_endian(out_, value);
}
void ByteWriter::u32(std::uint32_t value) {
    append_big_endian(out_, value);
}
void ByteWriter::u64(std::uint64_t value) {
    append_big_endian(out_, value);
}

void ByteWriter::varint(std::uint64_t value) {
    while (value >= 0x80) {
        out_.push_back(static_cast<char>((value & 0x7f) | 0x80));
        value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
}

void ByteWriter::signed_varint(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    varint((bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
}

void ByteWriter::sized(BytesView bytes) {
    varint(bytes.size());
    raw(bytes);
}

std::uint64_t ByteReader::long_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !in_.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(in_.front());
        in_.remove_prefix(1);
        // The tenth byte has room for one bit. A zero as last byte says nothing: only the shortest
        // form is accepted, so that equal numbers have equal bytes and equal hashes.
        const bool too_large = shift == 63 && byte > 1;
        const bool too_long = shift > 0 && byte == 0;
        if (too_large || too_long) break;
        value |= std::uint64_t{byte & 0x7fU} << shift;
        if (byte < 0x80) return value;
    }
    fail();
    return 0;
}

std::int64_t ByteReader::signed_varint() {
    const std::uint64_t coded = varint();
    return static_cast<std::int64_t>((coded >> 1) ^ (~(coded & 1) + 1));
}

std::optional<std::int64_t> parse_integer(BytesView text) {
    if (text == "0") return 0;
    const BytesView digits = text.substr(text.starts_with('-') ? 1 : 0);
    if (digits.empty() || digits.front() < '1' || digits.front() > '9') return std::nullopt;
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end) return std::nullopt;
    return value;
}

namespace {

/// What the first byte of a letter of several bytes promises; `more` 0: it is no first byte.
struct Utf8Start {
    std::size_t more = 0;
    std::uint32_t bits = 0;
    std::uint32_t least = 0;  // smaller code points have shorter forms
};

Utf8Start utf8_start(std::uint32_t byte) {
    if (byte >= 0xc2 && byte < 0xe0) return {1, byte & 0x1fU, 0x80};
    if (byte >= 0xe0 && byte < 0xf0) return {2, byte & 0x0fU, 0x800};
    if (byte >= 0xf0 && byte < 0xf5) return {3, byte & 0x07U, 0x10000};
    return {};
}

}  // namespace

bool is_utf8(BytesView bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        if (byte < 0x80) continue;
        const Utf8Start start = utf8_start(byte);
        if (start.more == 0 || bytes.size() - i <= start.more) return false;
        std::uint32_t point = start.bits;
        for (std::size_t j = 0; j < start.more; ++j) {
            const auto next = static_cast<unsigned char>(bytes[++i]);
            if ((next & 0xc0U) != 0x80U) return false;
            point = (point << 6U) | (next & 0x3fU);
        }
        const bool surrogate = point >= 0xd800 && point < 0xe000;
        if (point < start.least || point > 0x10ffff || surrogate) return false;
    }
    return true;
}

std::string to_hex(BytesView bytes) {
    std::string text;
    text.reserve(2 * bytes.size());
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        text.push_back(hex_digits[value >> 4]);
        text.push_back(hex_digits[value & 0xf]);
    }
    return text;
}

std::optional<Bytes> from_hex(BytesView text) {
    if (text.size() % 2 != 0) return std::nullopt;
    Bytes bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        unsigned value = 0;
        const char* const end = text.data() + i + 2;
        const auto [stop, error] = std::from_chars(text.data() + i, end, value, 16);
        if (error != std::errc() || stop != end) return std::nullopt;
        bytes.push_back(static_cast<char>(value));
    }
    return bytes;
}

std::string printable(BytesView bytes) {
    std::string text;
    for (const char byte : bytes.substr(0, printable_bytes_max)) {
        const auto value = static_cast<unsigned char>(byte);
        const bool plain = value >= 0x20 && value < 0x7f && byte != '\\';
        if (plain) {
            text.push_back(byte);
        } else {
            text.append("\\x");
            text.push_back(hex_digits[value >> 4]);
            text.push_back(hex_digits[value & 0xf]);
        }
    }
    if (bytes.size() > printable_bytes_max) text.append("...");
    return text;
}

}  // namespace syncline
