#include <algorithm>
#include <charconv>
#include <utility>

#include "net/resp.hpp"
#include "net/resp_client.hpp"

namespace syncline {

namespace {

using Type = RespValue::Type;

/// Replies nest deeper than this for nobody; bounds the recursion over value trees.
constexpr std::size_t depth_max = 32;

RespValue text_value(Type type, BytesView text) {
    RespValue value;
    value.type = type;
    value.text = Bytes(text);
    return value;
}

RespValue integer_value(Type type, std::int64_t integer) {
    RespValue value;
    value.type = type;
    value.integer = integer;
    return value;
}

Type aggregate_type(char kind) {
    switch (kind) {
        case '*':
            return Type::array;
        case '~':
            return Type::set;
        case '>':
            return Type::push;
        default:
            return Type::map;  // '%', and '|' for attributes
    }
}

std::string joined(const std::vector<RespValue>& elements) {
    std::string text;
    for (const RespValue& element : elements) {
        if (!text.empty()) text += ", ";
        text += to_string(element);
    }
    return text;
}

std::string joined_pairs(const std::vector<RespValue>& elements) {
    std::string text;
    for (std::size_t i = 0; i + 1 < elements.size(); i += 2) {
        if (!text.empty()) text += ", ";
        text += to_string(elements[i]) + ": " + to_string(elements[i + 1]);
    }
    return text;
}

}  // namespace

std::string to_string(const RespValue& value) {
    switch (value.type) {
        case Type::null:
            return "(nil)";
        case Type::simple:
        case Type::verbatim:
        case Type::big_number:
            return value.text;
        case Type::error:
            return "(error) " + value.text;
        case Type::bulk:
            return "\"" + printable(value.text) + "\"";
        case Type::integer:
            return "(integer) " + std::to_string(value.integer);
        case Type::boolean:
            return value.integer != 0 ? "(true)" : "(false)";
        case Type::real:
            return "(double) " + value.text;
        case Type::array:
            return "[" + joined(value.elements) + "]";
        case Type::push:
            return "push [" + joined(value.elements) + "]";
        case Type::set:
            return "{" + joined(value.elements) + "}";
        case Type::map:
            return "{" + joined_pairs(value.elements) + "}";
    }
    return "";
}

void RespReplyParser::feed(BytesView bytes) {
    if (failure_) return;
    if (start_ == buffer_.size()) {
        buffer_.clear();
        start_ = 0;
    } else if (start_ >= buffer_.size() / 2) {
        buffer_.erase(0, start_);
        start_ = 0;
    }
    buffer_.append(bytes);
}

Result<std::optional<RespValue>> RespReplyParser::next() {
    Step step = failure_ ? Step::failed : Step::again;
    while (step == Step::again && !finished_) step = text_ ? parse_text() : parse_token();
    if (step == Step::failed) return *failure_;
    if (!finished_) return std::optional<RespValue>();
    charged_bytes_ = 0;
    return std::exchange(finished_, std::nullopt);
}

RespReplyParser::Step RespReplyParser::fail(Code code, std::string_view sentence) {
    failure_ = Error{code, "reply: " + std::string(sentence)};
    buffer_ = Bytes();
    start_ = 0;
    open_.clear();
    text_.reset();
    return Step::failed;
}

bool RespReplyParser::charge(std::uint64_t bytes) {
    if (bytes > bytes_max_ - std::min<std::uint64_t>(bytes_max_, charged_bytes_)) return false;
    charged_bytes_ += bytes;
    return true;
}

RespReplyParser::Step RespReplyParser::parse_token() {
    const BytesView rest = unread();
    const std::size_t end = rest.find('\r', scanned_);
    if (std::min(end, rest.size()) > limits::inline_bytes_max) {
        return fail(Code::limit, "line too long");
    }
    if (end == BytesView::npos || end + 2 > rest.size()) {
        scanned_ = std::min(end, rest.size());
        return Step::more;
    }
    if (rest[end + 1] != '\n' || end == 0) return fail(Code::corrupt, "line without an end");
    scanned_ = 0;
    start_ += end + 2;
    if (!charge(sizeof(RespValue) + end)) return fail(Code::limit, "too large");

    const char kind = rest.front();
    const BytesView line = rest.substr(1, end - 1);
    switch (kind) {
        case '+':
        case '-':
        case '_':
        case '#':
            return parse_line_value(kind, line);
        case ':':
        case ',':
        case '(':
            return parse_number(kind, line);
        case '$':
        case '!':
        case '=':
            return open_text(kind, line);
        case '*':
        case '%':
        case '~':
        case '>':
        case '|':
            return open_aggregate(kind, line);
        default:
            return fail(Code::corrupt, "unknown type '" + printable(BytesView(&kind, 1)) + "'");
    }
}

RespReplyParser::Step RespReplyParser::parse_line_value(char kind, BytesView line) {
    if (kind == '+') return finish(text_value(Type::simple, line));
    if (kind == '-') return finish(text_value(Type::error, line));
    if (kind == '_' && line.empty()) return finish(RespValue());
    if (kind == '#' && line == "t") return finish(integer_value(Type::boolean, 1));
    if (kind == '#' && line == "f") return finish(integer_value(Type::boolean, 0));
    return fail(Code::corrupt, "neither null nor a boolean");
}

RespReplyParser::Step RespReplyParser::parse_number(char kind, BytesView line) {
    if (kind == ':') {
        if (line.starts_with('+')) line.remove_prefix(1);
        const auto integer = parse_integer(line);
        if (!integer) return fail(Code::corrupt, "not an integer");
        return finish(integer_value(Type::integer, *integer));
    }
    if (kind == '(') {
        const BytesView digits = line.substr(line.starts_with('-') ? 1 : 0);
        if (digits.empty() || digits.find_first_not_of("0123456789") != BytesView::npos) {
            return fail(Code::corrupt, "not a big number");
        }
        return finish(text_value(Type::big_number, line));
    }
    RespValue value = text_value(Type::real, line);
    const char* end = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data(), end, value.number);
    if (error == std::errc::invalid_argument || stop != end) {
        return fail(Code::corrupt, "not a double");
    }
    return finish(std::move(value));
}

RespReplyParser::Step RespReplyParser::open_text(char kind, BytesView line) {
    const auto length = parse_integer(line);
    if (kind == '$' && length == -1) return finish(RespValue());
    if (!length || *length < 0) return fail(Code::corrupt, "invalid length");
    if (!charge(static_cast<std::uint64_t>(*length))) return fail(Code::limit, "too large");
    const Type type = kind == '$' ? Type::bulk : kind == '=' ? Type::verbatim : Type::error;
    text_ = text_value(type, {});
    text_bytes_ = static_cast<std::size_t>(*length);
    return Step::again;
}

/// Moves what came of a string out of the buffer, and ends the string when all of it has.
RespReplyParser::Step RespReplyParser::parse_text() {
    const BytesView rest = unread();
    const BytesView piece = rest.substr(0, text_bytes_ - text_->text.size());
    text_->text.append(piece);
    start_ += piece.size();
    const BytesView behind = rest.substr(piece.size());
    if (text_->text.size() < text_bytes_ || behind.size() < 2) return Step::more;
    if (!behind.starts_with("\r\n")) return fail(Code::corrupt, "string without an end");
    start_ += 2;
    RespValue value = std::move(*text_);
    text_.reset();
    if (value.type == Type::verbatim) {
        // Three letters name the format.
        if (value.text.size() < 4 || value.text[3] != ':') {
            return fail(Code::corrupt, "verbatim string without a format");
        }
        value.text.erase(0, 4);
    }
    return finish(std::move(value));
}

RespReplyParser::Step RespReplyParser::open_aggregate(char kind, BytesView line) {
    const auto count = parse_integer(line);
    if (kind == '*' && count == -1) return finish(RespValue());
    if (!count || *count < 0) return fail(Code::corrupt, "invalid count");
    Open opened;
    opened.value.type = aggregate_type(kind);
    opened.attribute = kind == '|';
    opened.left = static_cast<std::uint64_t>(*count);
    // A count that could never be paid for is refused now, and none overflows when doubled.
    if (opened.left > bytes_max_) return fail(Code::limit, "too large");
    if (opened.value.type == Type::map) opened.left *= 2;
    if (opened.left == 0) {
        return opened.attribute ? Step::again : finish(std::move(opened.value));
    }
    if (open_.size() == depth_max) return fail(Code::limit, "nested too deeply");
    open_.push_back(std::move(opened));
    return Step::again;
}

/// Puts a whole value where it belongs, and closes the aggregates it completes.
RespReplyParser::Step RespReplyParser::finish(RespValue value) {
    while (!open_.empty()) {
        Open& parent = open_.back();
        parent.value.elements.push_back(std::move(value));
        if (--parent.left > 0) return Step::again;
        const bool attribute = parent.attribute;
        value = std::exchange(parent.value, {});
        open_.pop_back();
        if (attribute) return Step::again;  // what it describes is still to come
    }
    finished_ = std::move(value);
    return Step::again;
}

}  // namespace syncline
