#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "result.hpp"

namespace syncline {

/// Owned bytes. Short ones (15 bytes) live without an allocation.
using Bytes = std::string;
/// Borrowed bytes; never outlive the buffer or turn they were taken from.
using BytesView = std::string_view;

/// To big-endian and back.
template <typename Unsigned>
constexpr Unsigned big_endian(Unsigned value) {
    if constexpr (std::endian::native == std::endian::big || sizeof(Unsigned) == 1) return value;
    if constexpr (sizeof(Unsigned) == 2) return __builtin_bswap16(value);
    if constexpr (sizeof(Unsigned) == 4) return __builtin_bswap32(value);
    if constexpr (sizeof(Unsigned) == 8) return __builtin_bswap64(value);
}

/// Appends big-endian integers, varints (LEB128) and length-prefixed bytes to a buffer.
/// Big-endian keeps the order of numbers in LMDB's byte order.
class ByteWriter {
public:
    explicit ByteWriter(Bytes& out) : out_(out) {}

    void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void varint(std::uint64_t value);
    /// Zigzag coding: small magnitudes of either sign stay short.
    void signed_varint(std::int64_t value);
    void raw(BytesView bytes) { out_.append(bytes); }
    /// varint length, then the bytes.
    void sized(BytesView bytes);

private:
    Bytes& out_;
};

/// Reads what ByteWriter wrote, from bytes that may be damaged. After a failure every read answers
/// zero or an empty view and ok() stays false, so that a decoder checks once at its end.
/// Inline: every read of a row goes through here several times.
class ByteReader {
public:
    explicit ByteReader(BytesView in) : in_(in) {}

    std::uint8_t u8() { return number<std::uint8_t>(); }
    std::uint16_t u16() { return number<std::uint16_t>(); }
    std::uint32_t u32() { return number<std::uint32_t>(); }
    std::uint64_t u64() { return number<std::uint64_t>(); }
    std::uint64_t varint() {
        if (!in_.empty() && static_cast<unsigned char>(in_.front()) < 0x80) return u8();
        return long_varint();
    }
    std::int64_t signed_varint();
    BytesView raw(std::size_t count) {
        if (count > in_.size()) {
            fail();
            return {};
        }
        const BytesView bytes = in_.substr(0, count);
        in_.remove_prefix(count);
        return bytes;
    }
    BytesView sized() { return raw(varint()); }

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t left() const { return in_.size(); }
    /// All bytes read, none missing.
    [[nodiscard]] bool done() const { return ok_ && in_.empty(); }
    void fail() {
        ok_ = false;
        in_ = {};
    }

private:
    /// 0 from a reader that has failed: it gives no bytes.
    template <typename Unsigned>
    Unsigned number() {
        Unsigned value = 0;
        const BytesView bytes = raw(sizeof value);
        if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
        return big_endian(value);
    }
    std::uint64_t long_varint();

    BytesView in_;
    bool ok_ = true;
};

/// A decimal number exactly as Redis reads it: no blanks, no plus, no needless zero, 64 bits.
std::optional<std::int64_t> parse_integer(BytesView text);

/// Well-formed UTF-8 throughout: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(BytesView bytes);
/// Lower-case hexadecimal.
std::string to_hex(BytesView bytes);
/// The other way round; nothing if it is no such text. Upper-case digits are taken, too.
std::optional<Bytes> from_hex(BytesView text);
/// Printable form of a key for messages: at most 64 bytes, others as \xNN.
std::string printable(BytesView bytes);

}  // namespace syncline
