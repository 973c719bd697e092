#include "net/resp.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/base/assert.hpp"

namespace syncline {

namespace {

/// Longer arguments leave the read buffer as they come; shorter ones wait in it until whole.
constexpr std::size_t long_argument_bytes = 32 * limits::kib;
/// Read buffers that grew beyond this are given back when they are empty.
constexpr std::size_t idle_buffer_bytes = 64 * limits::kib;
/// Redis counts arguments in an int and calls more than that no number at all.
constexpr std::int64_t redis_count_max = 2147483647;

std::size_t as_size(std::int64_t number) {
    return static_cast<std::size_t>(number);
}

}  // namespace

// Requests

void RespParser::feed(BytesView bytes) {
    if (failure_) return;
    if (start_ == buffer_.size()) {
        buffer_.clear();
        start_ = 0;
        if (buffer_.capacity() > idle_buffer_bytes) buffer_.shrink_to_fit();
    } else if (start_ >= buffer_.size() / 2) {
        buffer_.erase(0, start_);
        start_ = 0;
    }
    buffer_.append(bytes);
}

Result<std::optional<Request>> RespParser::next() {
    Step step = Step::failed;
    if (!failure_) {
        do {
            step = parse_step();
        } while (step == Step::again);
    }
    if (step == Step::failed) return *failure_;
    if (step == Step::more) return std::optional<Request>();
    request_bytes_ = 0;
    return std::optional<Request>(std::exchange(request_, {}));
}

std::size_t RespParser::buffered_bytes() const {
    return unread().size() + request_bytes_ + long_argument_.size();
}

RespParser::Step RespParser::parse_step() {
    if (argument_bytes_) return parse_argument();
    if (arguments_left_ > 0) return parse_length();
    if (start_ == buffer_.size()) return Step::more;
    return buffer_[start_] == '*' ? parse_count() : parse_inline();
}

RespParser::Step RespParser::fail(Code code, std::string_view sentence) {
    failure_ = Error{code, "ERR Protocol error: " + std::string(sentence)};
    buffer_ = Bytes();
    start_ = 0;
    request_ = Request();
    long_argument_ = Bytes();
    return Step::failed;
}

/// The bytes before the next end, which is '\n', or '\r' with one more byte behind it, whatever
/// that is: Redis does not look either. Nothing while the end has not come, and after a failure.
std::optional<BytesView> RespParser::take_line(char end, std::string_view too_long) {
    const BytesView rest = unread();
    const std::size_t found = rest.find(end, scanned_);
    const std::size_t length = std::min(found, rest.size());
    if (length > limits::inline_bytes_max) {
        fail(Code::limit, too_long);
        return std::nullopt;
    }
    const std::size_t end_bytes = end == '\r' ? 2 : 1;
    if (found == BytesView::npos || found + end_bytes > rest.size()) {
        scanned_ = length;
        return std::nullopt;
    }
    scanned_ = 0;
    start_ += length + end_bytes;
    return rest.substr(0, length);
}

RespParser::Step RespParser::parse_inline() {
    auto line = take_line('\n', "too big inline request");
    if (!line) return failure_ ? Step::failed : Step::more;
    if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
    auto arguments = split_arguments(*line);
    if (!arguments) return fail(Code::corrupt, "unbalanced quotes in request");
    if (arguments->empty()) return Step::again;
    if (arguments->size() > limits_.arguments_max) {
        return fail(Code::limit, limits_.before_auth ? "unauthenticated multibulk length"
                                                     : "invalid multibulk length");
    }
    request_.arguments = std::move(*arguments);
    return Step::done;
}

RespParser::Step RespParser::parse_count() {
    const auto line = take_line('\r', "too big mbulk count string");
    if (!line) return failure_ ? Step::failed : Step::more;
    const auto count = parse_integer(line->substr(1));
    if (!count || *count > redis_count_max) return fail(Code::corrupt, "invalid multibulk length");
    if (*count <= 0) return Step::again;
    if (as_size(*count) > limits_.arguments_max) {
        return fail(Code::limit, limits_.before_auth ? "unauthenticated multibulk length"
                                                     : "invalid multibulk length");
    }
    arguments_left_ = as_size(*count);
    request_.arguments.reserve(std::min<std::size_t>(arguments_left_, 64));
    return Step::again;
}

RespParser::Step RespParser::parse_length() {
    const auto line = take_line('\r', "too big bulk count string");
    if (!line) return failure_ ? Step::failed : Step::more;
    if (line->empty() || line->front() != '$') {
        // The text goes into a line of a reply, so a line end in it becomes a blank.
        const char got = line->empty() || line->front() == '\n' ? ' ' : line->front();
        return fail(Code::corrupt, std::string("expected '$', got '") + got + "'");
    }
    const auto length = parse_integer(line->substr(1));
    const bool narrow = limits_.before_auth;  // then that is what is told, however long it is
    if (!length || *length < 0 || (!narrow && as_size(*length) > limits::request_bytes_max)) {
        return fail(Code::corrupt, "invalid bulk length");
    }
    if (as_size(*length) > limits_.argument_max ||
        as_size(*length) > limits_.bytes_max - std::min(limits_.bytes_max, request_bytes_)) {
        return fail(Code::limit,
                    limits_.before_auth ? "unauthenticated bulk length" : "too big request");
    }
    argument_bytes_ = as_size(*length);
    return Step::again;
}

RespParser::Step RespParser::parse_argument() {
    const std::size_t length = *argument_bytes_;
    const BytesView rest = unread();
    // The two bytes behind an argument are skipped unread, as in Redis.
    if (length <= long_argument_bytes) {
        if (rest.size() < length + 2) return Step::more;
        start_ += length + 2;
        return add_argument(Bytes(rest.substr(0, length)));
    }
    const BytesView piece = rest.substr(0, length - long_argument_.size());
    long_argument_.append(piece);
    start_ += piece.size();
    if (rest.size() - piece.size() < 2 || long_argument_.size() < length) return Step::more;
    start_ += 2;
    return add_argument(std::exchange(long_argument_, {}));
}

RespParser::Step RespParser::add_argument(Bytes argument) {
    request_bytes_ += argument.size();
    request_.arguments.push_back(std::move(argument));
    argument_bytes_.reset();
    --arguments_left_;
    return arguments_left_ == 0 ? Step::done : Step::again;
}

// Lines

namespace {

bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char unescaped(char c) {
    switch (c) {
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        case 'b':
            return '\b';
        case 'a':
            return '\a';
        default:
            return c;
    }
}

/// Reads a line from its beginning to its end, as sdssplitargs of Redis does.
class LineReader {
public:
    explicit LineReader(BytesView line) : rest_(line) {}

    /// Skips blanks; false at the end of the line.
    bool find_argument() {
        while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
        return !rest_.empty();
    }

    /// Nothing when a quote is not closed, or closed within a word.
    std::optional<Bytes> take_argument() {
        Bytes argument;
        while (!rest_.empty()) {
            const char c = take();
            // A vertical tab or a form feed separates arguments but does not end a bare word.
            if (c == ' ' || c == '\n' || c == '\r' || c == '\t') return argument;
            if (c == '"' || c == '\'') {
                if (!take_quoted(c, argument)) return std::nullopt;
                return argument;
            }
            argument.push_back(c);
        }
        return argument;
    }

private:
    char take() {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    bool take_quoted(char quote, Bytes& argument) {
        while (!rest_.empty()) {
            const char c = take();
            if (c == quote) return rest_.empty() || is_blank(rest_.front());
            if (c == '\\' && quote == '"' && !rest_.empty()) {
                argument.push_back(take_escaped());
            } else if (c == '\\' && quote == '\'' && !rest_.empty() && rest_.front() == '\'') {
                argument.push_back(take());
            } else {
                argument.push_back(c);
            }
        }
        return false;
    }

    char take_escaped() {
        if (rest_.size() >= 3 && rest_[0] == 'x' && hex_value(rest_[1]) >= 0 &&
            hex_value(rest_[2]) >= 0) {
            const int byte = hex_value(rest_[1]) * 16 + hex_value(rest_[2]);
            rest_.remove_prefix(3);
            return static_cast<char>(byte);
        }
        return unescaped(take());
    }

    BytesView rest_;
};

}  // namespace

std::optional<std::vector<Bytes>> split_arguments(BytesView line) {
    std::vector<Bytes> arguments;
    LineReader reader(line);
    while (reader.find_argument()) {
        auto argument = reader.take_argument();
        if (!argument) return std::nullopt;
        arguments.push_back(std::move(*argument));
    }
    return arguments;
}

// Replies

namespace {

constexpr BytesView line_end = "\r\n";

/// Digits of a number, without an allocation.
class Digits {
public:
    explicit Digits(std::int64_t number) { set(std::to_chars(begin(), end(), number).ptr); }
    explicit Digits(std::uint64_t number) { set(std::to_chars(begin(), end(), number).ptr); }
    /// As printf's %.17g, which the C locale cannot change here.
    explicit Digits(double number) {
        if (std::isnan(number)) number = std::abs(number);  // no "-nan"
        set(std::to_chars(begin(), end(), number, std::chars_format::general, 17).ptr);
    }

    [[nodiscard]] BytesView view() const { return {text_.data(), size_}; }

private:
    char* begin() { return text_.data(); }
    char* end() { return text_.data() + text_.size(); }
    void set(const char* stop) { size_ = static_cast<std::size_t>(stop - text_.data()); }

    std::array<char, 40> text_{};
    std::size_t size_ = 0;
};

}  // namespace

void RespWriter::header(char type, std::uint64_t number) {
    out_.push_back(type);
    out_.append(Digits(number).view());
    out_.append(line_end);
}

void RespWriter::line(char type, BytesView text) {
    out_.push_back(type);
    const std::size_t start = out_.size();
    out_.append(text);
    std::replace_if(
        out_.begin() + static_cast<std::ptrdiff_t>(start), out_.end(),
        [](char c) { return c == '\r' || c == '\n'; }, ' ');
    out_.append(line_end);
}

void RespWriter::simple(BytesView text) {
    line('+', text);
}
void RespWriter::error(BytesView text) {
    line('-', text);
}

void RespWriter::integer(std::int64_t value) {
    out_.push_back(':');
    out_.append(Digits(value).view());
    out_.append(line_end);
}

void RespWriter::bulk(BytesView bytes) {
    header('$', bytes.size());
    out_.reserve(out_.size() + bytes.size() + line_end.size());  // else the last two may double it
    out_.append(bytes);
    out_.append(line_end);
}

void RespWriter::null() {
    out_.append(resp3_ ? "_\r\n" : "$-1\r\n");
}
void RespWriter::null_array() {
    out_.append(resp3_ ? "_\r\n" : "*-1\r\n");
}
void RespWriter::array(std::size_t count) {
    header('*', count);
}
void RespWriter::set(std::size_t count) {
    header(resp3_ ? '~' : '*', count);
}
void RespWriter::push(std::size_t count) {
    header(resp3_ ? '>' : '*', count);
}

void RespWriter::map(std::size_t pairs_count) {
    resp3_ ? header('%', pairs_count) : header('*', pairs_count * 2);
}

void RespWriter::real(double value) {
    const Digits digits(value);
    resp3_ ? line(',', digits.view()) : bulk(digits.view());
}

void RespWriter::boolean(bool value) {
    if (resp3_) {
        out_.append(value ? "#t\r\n" : "#f\r\n");
    } else {
        integer(value ? 1 : 0);
    }
}

void RespWriter::verbatim(BytesView text, BytesView format) {
    SYNCLINE_ASSERT(format.size() == 3);
    if (!resp3_) {
        bulk(text);
        return;
    }
    header('=', text.size() + 4);
    out_.append(format);
    out_.push_back(':');
    out_.append(text);
    out_.append(line_end);
}

}  // namespace syncline
