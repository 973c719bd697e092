#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/limits.hpp"
#include "core/base/result.hpp"

namespace syncline {

/// What a client asks for; never without arguments. The first is the command's name.
struct Request {
    std::vector<Bytes> arguments;
};

/// Bounds of one request.
struct RequestLimits {
    std::size_t arguments_max;
    std::size_t bytes_max;     ///< of all arguments together
    std::size_t argument_max;  ///< bytes of one
    bool before_auth;          ///< errors say that the bounds would be wider after AUTH
};

/// For clients that may run any command.
constexpr RequestLimits request_limits{limits::request_arguments_max, limits::request_bytes_max,
                                       limits::request_bytes_max, false};
/// For clients that have yet to say who they are: room for AUTH and HELLO, as in Redis.
constexpr RequestLimits request_limits_before_auth{10, 64 * limits::kib, 16 * limits::kib, true};

/// Cuts the bytes of a client into requests: arrays of bulk strings, or lines ("inline"), any
/// number of them in any pieces. Memory follows the bytes that came, not what headers promise.
///
/// Use: feed() each read, then next() until it answers nothing. Each request is checked against
/// the limits of the moment it is taken, so that AUTH may lift them for those behind it.
class RespParser {
public:
    explicit RespParser(const RequestLimits& limits = request_limits) : limits_(limits) {}

    void set_limits(const RequestLimits& limits) { limits_ = limits; }
    void feed(BytesView bytes);
    /// The next request, or nothing until more bytes come. Errors stay; their message is the
    /// error reply to send ("ERR Protocol error: ..."), after which the connection must be
    /// closed: corrupt (no RESP), limit.
    Result<std::optional<Request>> next();
    /// Bytes held for requests not taken yet.
    [[nodiscard]] std::size_t buffered_bytes() const;

private:
    enum class Step : std::uint8_t { more, again, done, failed };

    Step parse_step();
    Step parse_inline();
    Step parse_count();
    Step parse_length();
    Step parse_argument();
    Step add_argument(Bytes argument);
    std::optional<BytesView> take_line(char end, std::string_view too_long);
    Step fail(Code code, std::string_view sentence);
    [[nodiscard]] BytesView unread() const { return BytesView(buffer_).substr(start_); }

    RequestLimits limits_;
    Bytes buffer_;
    std::size_t start_ = 0;    ///< of what is not parsed yet
    std::size_t scanned_ = 0;  ///< bytes after start_ known to hold no end of line
    Request request_;          ///< the arguments of the request in progress
    std::size_t request_bytes_ = 0;
    std::size_t arguments_left_ = 0;             ///< 0: between requests
    std::optional<std::size_t> argument_bytes_;  ///< length of the argument in progress
    Bytes long_argument_;                        ///< what came of it, when it is long
    std::optional<Error> failure_;
};

/// Splits a line as Redis does: blanks separate, '...' and "..." group, "..." knows \n \r \t \b \a
/// \xHH. Nothing when quotes are unbalanced.
std::optional<std::vector<Bytes>> split_arguments(BytesView line);

/// Appends replies to a buffer, in RESP2 or RESP3. Texts of simple() and error() get their line
/// ends replaced by blanks. After array, map, set and push the caller appends the elements.
class RespWriter {
public:
    /// protocol is 2 or 3. The buffer must outlive the writer.
    RespWriter(Bytes& out, int protocol) : out_(out), resp3_(protocol >= 3) {}

    [[nodiscard]] bool resp3() const { return resp3_; }

    void simple(BytesView text);
    /// The whole text after '-', code word included: "ERR no such key".
    void error(BytesView text);
    void integer(std::int64_t value);
    void bulk(BytesView bytes);
    /// A missing value: "$-1" or "_".
    void null();
    /// A missing array: "*-1" or "_".
    void null_array();
    void array(std::size_t count);
    /// "%" and pairs, or in RESP2 a flat array of twice as many.
    void map(std::size_t pairs_count);
    void set(std::size_t count);
    /// Out-of-band data: ">", or in RESP2 an array.
    void push(std::size_t count);
    /// 17 digits, as in Redis 7.0; in RESP2 a bulk string.
    void real(double value);
    /// "#t", "#f", or in RESP2 1, 0.
    void boolean(bool value);
    /// Text with a format of three letters, as "txt"; in RESP2 a bulk string.
    void verbatim(BytesView text, BytesView format = "txt");

private:
    void header(char type, std::uint64_t number);
    void line(char type, BytesView text);

    Bytes& out_;
    bool resp3_;
};

}  // namespace syncline
