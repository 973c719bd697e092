#pragma once
#include <cstdint>
#include <memory>

#include "net/http/parser.hpp"
#include "net/tcp.hpp"

namespace syncline {

class HttpConnection;

/// What connections need of the server they belong to.
class HttpOwner {
public:
    virtual ~HttpOwner() = default;
    /// A whole request; the answer may be given inside the call or later.
    virtual void on_request(HttpConnection& connection, const HttpRequest& request) = 0;
    /// The connection is over; it may be destroyed after the call, not in it.
    virtual void on_over(HttpConnection& connection) = 0;
};

/// One connection of an HTTP client.
///
/// Happy path: bytes become a request, the owner answers it with respond(), the next one is read;
/// requests that were sent ahead wait, and reading pauses. Or begin_stream() answers with events
/// that go on until the client leaves.
/// Failures: bad bytes are answered with a sentence, then the connection ends; a client that sends
/// a request slowly, is idle for long, or does not take its answer, is cut; a stream whose reader
/// falls behind, too.
/// Confined to the loop's thread.
class HttpConnection {
public:
    /// A request must be whole within this of its first byte.
    static constexpr std::uint64_t request_ms_max = 10000;
    /// Between requests.
    static constexpr std::uint64_t idle_ms_max = 30000;
    /// An answer must be made, and be taken by the client, within this.
    static constexpr std::uint64_t answer_ms_max = 30000;
    /// Events that a slow reader may leave unread, beyond what the kernel holds.
    static constexpr std::size_t stream_bytes_max = 256 * limits::kib;

    HttpConnection(HttpOwner& owner, std::uint64_t id, std::unique_ptr<TcpConnection> connection,
                   std::uint64_t now_ms);
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;

    void start();
    /// Answers the request under way. Ignored when there is none, or the connection is over.
    void respond(const HttpResponse& response);
    /// Answers it with a stream. For HEAD, the head alone.
    void begin_stream();
    /// Sends to a stream; a reader too far behind is cut.
    void stream(const Bytes& bytes);
    /// Looks at the clocks; call it every half second or so.
    void tick(std::uint64_t now_ms);
    /// Refuses what comes: a sentence, then the end. Before start().
    void turn_away(const HttpFailure& failure);
    void cut();

    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] const TcpConnection& tcp() const { return *connection_; }
    [[nodiscard]] bool over() const { return state_ == State::over; }
    [[nodiscard]] bool streaming() const { return state_ == State::streaming; }
    /// Bytes of a request have come, and not all of it.
    [[nodiscard]] bool has_partial_request() const { return partial_; }

private:
    enum class State : std::uint8_t { reading, answering, streaming, closing, over };

    void receive(BytesView bytes);
    void read_on();
    void refuse(const HttpFailure& failure);
    void enter(State state);
    void end();

    HttpOwner& owner_;
    std::uint64_t id_;
    std::unique_ptr<TcpConnection> connection_;
    HttpParser parser_;
    State state_ = State::reading;
    bool with_body_ = true;    // of the answer to the request under way
    bool keep_alive_ = false;  // after it
    bool reading_on_ = false;  // inside read_on()
    bool partial_ = false;     // a request has begun to come
    std::uint64_t now_ms_;     // as of the last tick
    std::uint64_t since_ms_;   // when the state, or the request that comes, began
};

}  // namespace syncline
