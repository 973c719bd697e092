#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "bytes.hpp"

namespace syncline {

/// Appends msgpack values to a buffer. The only way bytes for peers and for the log are made.
class Packer {
public:
    explicit Packer(Bytes& out) : out_(out) {}

    void array(std::size_t count);
    void uint(std::uint64_t value);
    void sint(std::int64_t value);
    void boolean(bool value);
    void nil();
    void bin(BytesView bytes);

private:
    Bytes& out_;
};

/// Reads a sequence of msgpack values from untrusted bytes. The bytes are parsed once into flat
/// tokens, with limits on depth and with counts checked against the bytes that are left; no tree is
/// built and msgpack's exceptions end here. Failures are sticky, as in ByteReader.
/// Views point into the input, which must outlive them.
class Unpacker {
public:
    explicit Unpacker(BytesView in);

    /// The element count of an array that starts here.
    std::size_t array();
    /// An array that must have this many elements.
    void array_of(std::size_t count);
    std::uint64_t uint();
    /// An unsigned number that must fit below or at max.
    std::uint64_t uint_at_most(std::uint64_t max);
    std::int64_t sint();
    bool boolean();
    /// True, and consumed, when the next value is nil.
    bool nil();
    BytesView bin();
    /// Bytes that must not be more than so many.
    Bytes text(std::size_t bytes_max);
    /// Skips one whole value, containers included.
    void skip();

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool done() const { return ok_ && next_ == tokens_.size(); }
    void fail() { ok_ = false; }

    /// 16 bytes, because hostile input can be one token per byte.
    struct Token {
        enum class Kind : std::uint8_t { array, map, uint, negative, boolean, nil, bin, other };
        Kind kind;
        std::uint32_t bytes_count;  ///< bin only
        std::uint64_t number;       ///< the number, the element count, or the offset of bin's bytes
    };

    /// Tokens in the order they came. The first few, all of most messages, take no allocation.
    class Tokens {
    public:
        void add(Token::Kind kind, std::uint32_t bytes_count, std::uint64_t number) {
            if (size_ < first_.size()) {
                // Field by field: a token copied right after it was made makes the processor wait.
                Token& token = first_[size_];
                token.kind = kind;
                token.bytes_count = bytes_count;
                token.number = number;
            } else {
                more_.push_back(Token{kind, bytes_count, number});
            }
            ++size_;
        }
        const Token& operator[](std::size_t i) const {
            return i < first_.size() ? first_[i] : more_[i - first_.size()];
        }
        [[nodiscard]] std::size_t size() const { return size_; }
        void expect(std::size_t count) {
            if (count > first_.size()) more_.reserve(count - first_.size());
        }
        void clear() {
            size_ = 0;
            more_.clear();
        }

    private:
        std::array<Token, 16> first_;  // [0, size_) have been written
        std::vector<Token> more_;
        std::size_t size_ = 0;
    };

private:
    const Token* take(Token::Kind kind);

    const char* begin_;
    Tokens tokens_;
    std::size_t next_ = 0;
    bool ok_ = true;
};

}  // namespace syncline
