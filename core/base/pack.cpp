#include "core/base/pack.hpp"

#include <algorithm>
#include <limits>
#include <msgpack.hpp>

#include "core/base/assert.hpp"
#include "core/base/limits.hpp"

namespace syncline {

namespace {

using Token = Unpacker::Token;
using Tokens = Unpacker::Tokens;

/// What msgpack::packer writes to.
struct Stream {
    Bytes& out;
    void write(const char* data, std::size_t size) { out.append(data, size); }
};

/// Turns msgpack's events into flat tokens. A false answer ends the parse.
class Tokenizer : public msgpack::null_visitor {
public:
    Tokenizer(BytesView in, Tokens& tokens) : in_(in), tokens_(tokens) {}

    bool visit_nil() { return add(Token::Kind::nil, 0); }
    bool visit_boolean(bool value) { return add(Token::Kind::boolean, value ? 1 : 0); }
    bool visit_positive_integer(std::uint64_t value) { return add(Token::Kind::uint, value); }
    bool visit_negative_integer(std::int64_t value) {
        // Any signed encoding arrives here, also that of a number >= 0.
        return add(value < 0 ? Token::Kind::negative : Token::Kind::uint,
                   static_cast<std::uint64_t>(value));
    }
    bool visit_float32(float /*value*/) { return add(Token::Kind::other, 0); }
    bool visit_float64(double /*value*/) { return add(Token::Kind::other, 0); }
    bool visit_str(const char* data, std::uint32_t size) { return add_bytes(data, size); }
    bool visit_bin(const char* data, std::uint32_t size) { return add_bytes(data, size); }
    bool visit_ext(const char* /*data*/, std::uint32_t /*size*/) {
        return add(Token::Kind::other, 0);
    }

    bool start_array(std::uint32_t count) { return start(Token::Kind::array, count, 1); }
    bool start_map(std::uint32_t pairs_count) { return start(Token::Kind::map, pairs_count, 2); }
    bool end_array() { return end(); }
    bool end_map() { return end(); }

private:
    bool add(Token::Kind kind, std::uint64_t number) {
        tokens_.add(kind, 0, number);
        return true;
    }

    bool add_bytes(const char* data, std::uint32_t size) {
        // msgpack hands out a null pointer for empty strings.
        const auto offset = size == 0 ? 0 : static_cast<std::uint64_t>(data - in_.data());
        payload_bytes_ += size;
        tokens_.add(Token::Kind::bin, size, offset);
        return true;
    }

    bool start(Token::Kind kind, std::uint64_t count, std::size_t tokens_per_element) {
        // Every token takes at least a byte, so this is never below what is really left.
        const std::size_t left = in_.size() - std::min(in_.size(), tokens_.size() + payload_bytes_);
        if (depth_ == limits::pack_depth_max || count * tokens_per_element > left) return false;
        ++depth_;
        return add(kind, count);
    }

    bool end() {
        --depth_;
        return true;
    }

    BytesView in_;
    Tokens& tokens_;
    std::size_t payload_bytes_ = 0;
    std::size_t depth_ = 0;
};

/// False when the bytes are not a sequence of whole values within the limits.
bool tokenize(BytesView in, Tokens& tokens) {
    tokens.expect(in.size() / 8);
    Tokenizer tokenizer(in, tokens);
    std::size_t offset = 0;
    try {
        while (offset < in.size()) {
            if (!msgpack::parse(in.data(), in.size(), offset, tokenizer)) return false;
        }
    } catch (const msgpack::unpack_error&) {
        return false;
    }
    return true;
}

}  // namespace

void Packer::array(std::size_t count) {
    SYNCLINE_ASSERT(count <= std::numeric_limits<std::uint32_t>::max());
    Stream stream{out_};
    msgpack::packer<Stream>(stream).pack_array(static_cast<std::uint32_t>(count));
}

void Packer::uint(std::uint64_t value) {
    Stream stream{out_};
    msgpack::packer<Stream>(stream).pack_uint64(value);
}

void Packer::sint(std::int64_t value) {
    Stream stream{out_};
    msgpack::packer<Stream>(stream).pack_int64(value);
}

void Packer::boolean(bool value) {
    Stream stream{out_};
    msgpack::packer<Stream> packer(stream);
    if (value) {
        packer.pack_true();
    } else {
        packer.pack_false();
    }
}

void Packer::nil() {
    Stream stream{out_};
    msgpack::packer<Stream>(stream).pack_nil();
}

void Packer::bin(BytesView bytes) {
    SYNCLINE_ASSERT(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
    Stream stream{out_};
    msgpack::packer<Stream> packer(stream);
    packer.pack_bin(static_cast<std::uint32_t>(bytes.size()));
    packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

Unpacker::Unpacker(BytesView in) : begin_(in.data()) {
    ok_ = tokenize(in, tokens_);
    if (!ok_) tokens_.clear();
}

const Unpacker::Token* Unpacker::take(Token::Kind kind) {
    if (!ok_ || next_ == tokens_.size() || tokens_[next_].kind != kind) {
        fail();
        return nullptr;
    }
    return &tokens_[next_++];
}

std::size_t Unpacker::array() {
    const Token* token = take(Token::Kind::array);
    return token == nullptr ? 0 : static_cast<std::size_t>(token->number);
}

void Unpacker::array_of(std::size_t count) {
    if (array() != count) fail();
}

std::uint64_t Unpacker::uint() {
    const Token* token = take(Token::Kind::uint);
    return token == nullptr ? 0 : token->number;
}

std::uint64_t Unpacker::uint_at_most(std::uint64_t max) {
    const std::uint64_t value = uint();
    if (value <= max) return value;
    fail();
    return 0;
}

std::int64_t Unpacker::sint() {
    const bool negative =
        ok_ && next_ < tokens_.size() && tokens_[next_].kind == Token::Kind::negative;
    if (negative) return static_cast<std::int64_t>(tokens_[next_++].number);
    return static_cast<std::int64_t>(
        uint_at_most(static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
}

bool Unpacker::boolean() {
    const Token* token = take(Token::Kind::boolean);
    return token != nullptr && token->number != 0;
}

bool Unpacker::nil() {
    if (!ok_ || next_ == tokens_.size() || tokens_[next_].kind != Token::Kind::nil) return false;
    ++next_;
    return true;
}

Bytes Unpacker::text(std::size_t bytes_max) {
    const BytesView bytes = bin();
    if (bytes.size() > bytes_max) fail();
    return Bytes(bytes.substr(0, bytes_max));
}

BytesView Unpacker::bin() {
    const Token* token = take(Token::Kind::bin);
    if (token == nullptr) return {};
    return BytesView(begin_ + token->number, token->bytes_count);
}

void Unpacker::skip() {
    // One value is wanted; each container asks for its elements as well.
    for (std::uint64_t wanted = 1; wanted > 0; --wanted) {
        if (!ok_ || next_ == tokens_.size()) {
            fail();
            return;
        }
        const Token& token = tokens_[next_++];
        if (token.kind == Token::Kind::array) wanted += token.number;
        if (token.kind == Token::Kind::map) wanted += 2 * token.number;
    }
}

}  // namespace syncline
