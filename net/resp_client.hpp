#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/limits.hpp"
#include "core/base/result.hpp"

namespace syncline {

/// A reply as a tree of values.
struct RespValue {
    enum class Type : std::uint8_t {
        null,        ///< also RESP2's missing bulk string and missing array
        simple,      ///< text
        error,       ///< text, with its code word
        bulk,        ///< text
        verbatim,    ///< text, without its format
        big_number,  ///< text: decimal digits
        integer,     ///< integer; a boolean is one too, see boolean
        boolean,     ///< integer: 0 or 1
        real,        ///< number, and text as it came
        array,       ///< elements
        map,         ///< elements: key, value, key, value ...
        set,         ///< elements
        push,        ///< elements; comes unasked
    };

    Type type = Type::null;
    Bytes text;
    std::int64_t integer = 0;
    double number = 0;
    std::vector<RespValue> elements;

    [[nodiscard]] bool is_error() const { return type == Type::error; }
    [[nodiscard]] bool is_null() const { return type == Type::null; }
    bool operator==(const RespValue&) const = default;
};

/// One line for people, as a shell prints it: (integer) 1, "text", [1, "a"].
std::string to_string(const RespValue& value);

/// Cuts the bytes of a server into replies, RESP2 and RESP3 alike. Attributes are skipped. Memory
/// follows the bytes that came, and nesting is bounded.
class RespReplyParser {
public:
    /// bytes_max bounds one reply, with what its tree takes in memory.
    explicit RespReplyParser(std::size_t bytes_max = 512 * limits::mib) : bytes_max_(bytes_max) {}

    void feed(BytesView bytes);
    /// The next reply, or nothing until more bytes come. Errors stay: corrupt, limit.
    Result<std::optional<RespValue>> next();

private:
    /// An aggregate whose elements are still to come.
    struct Open {
        RespValue value;
        std::uint64_t left = 0;
        bool attribute = false;  ///< thrown away when whole
    };
    enum class Step : std::uint8_t { more, again, failed };

    Step parse_token();
    Step parse_line_value(char kind, BytesView line);
    Step parse_number(char kind, BytesView line);
    Step open_text(char kind, BytesView line);
    Step parse_text();
    Step open_aggregate(char kind, BytesView line);
    Step finish(RespValue value);
    Step fail(Code code, std::string_view sentence);
    bool charge(std::uint64_t bytes);
    [[nodiscard]] BytesView unread() const { return BytesView(buffer_).substr(start_); }

    std::size_t bytes_max_;
    Bytes buffer_;
    std::size_t start_ = 0;              ///< of what is not parsed yet
    std::size_t scanned_ = 0;            ///< bytes after start_ known to hold no end of line
    std::uint64_t charged_bytes_ = 0;    ///< against bytes_max_, for the reply in progress
    std::vector<Open> open_;             ///< aggregates in progress, the outermost first
    std::optional<RespValue> text_;      ///< bulk or verbatim string in progress
    std::size_t text_bytes_ = 0;         ///< its length
    std::optional<RespValue> finished_;  ///< the reply that next() takes
    std::optional<Error> failure_;
};

class TlsContext;
class TlsSession;

/// A blocking client over one socket, for command line tools and tests. Not thread-safe.
class RespClient {
public:
    /// timeout_ms bounds connecting, and later each wait for the server.
    /// Errors: unavailable (name, refused, time).
    static Result<RespClient> connect(const std::string& host, std::uint16_t port,
                                      std::uint64_t timeout_ms);
    ~RespClient();
    RespClient(RespClient&& other) noexcept;
    RespClient& operator=(RespClient&& other) noexcept;
    RespClient(const RespClient&) = delete;
    RespClient& operator=(const RespClient&) = delete;

    /// Everything goes through TLS from now on; the server's certificate must be for `host`.
    /// Errors: unauthorized (a certificate is refused, by this side or the other), corrupt (it
    /// speaks no TLS), unavailable. Precondition: nothing was sent.
    Result<void> secure(const TlsContext& context, const std::string& host);

    /// Sends a command and waits for its reply; an error reply is a value too. Pushes that come
    /// before it are kept for take_pushes(). Errors: unavailable (closed, time), corrupt.
    Result<RespValue> command(const std::vector<Bytes>& arguments);

    /// Pipelining: queues a command; flush() sends all that is queued, receive() does so too and
    /// waits for the next reply, whatever it answers, pushes included.
    void queue(const std::vector<Bytes>& arguments);
    Result<void> flush();
    Result<RespValue> receive();
    /// Queues bytes as they are, for tests of the protocol.
    void queue_raw(BytesView bytes) { output_.append(bytes); }

    std::vector<RespValue> take_pushes();
    /// Changes the bound of each wait.
    void set_timeout(std::uint64_t timeout_ms) { timeout_ms_ = timeout_ms; }
    /// Whether the connection stands, as far as is known here without waiting: a wait that took too
    /// long leaves it open, and may be taken up again.
    [[nodiscard]] bool is_open() const;
    void close();

private:
    RespClient(int socket, std::uint64_t timeout_ms);
    Result<void> take(BytesView bytes);
    Result<void> read_some();

    int socket_;  ///< -1 when closed
    std::uint64_t timeout_ms_;
    std::unique_ptr<TlsSession> tls_;  ///< null: plain
    Bytes output_;                     ///< requests that are queued
    Bytes wire_;                       ///< what is to be sent, as the server gets it
    RespReplyParser parser_;
    std::vector<RespValue> pushes_;
};

}  // namespace syncline
