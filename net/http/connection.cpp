#include "net/http/connection.hpp"

#include <utility>

namespace syncline {
namespace {

/// Unsent output at which no more requests are taken; a single answer may be larger.
constexpr std::size_t http_unsent_bytes_pause = 256 * limits::kib;

}  // namespace

HttpConnection::HttpConnection(HttpOwner& owner, std::uint64_t id,
                               std::unique_ptr<TcpConnection> connection, std::uint64_t now_ms)
    : owner_(owner),
      id_(id),
      connection_(std::move(connection)),
      now_ms_(now_ms),
      since_ms_(now_ms) {}

void HttpConnection::start() {
    TcpConnection::Events events;
    events.on_data = [this](BytesView bytes) { receive(bytes); };
    events.on_close = [this](const std::optional<Error>&) { end(); };
    events.on_sent = [this]() {
        if (state_ == State::reading) read_on();
    };
    connection_->start(std::move(events));
}

void HttpConnection::turn_away(const HttpFailure& failure) {
    start();
    refuse(failure);
}

void HttpConnection::receive(BytesView bytes) {
    if (state_ == State::streaming || state_ == State::closing) return;  // nothing is asked now
    parser_.feed(bytes);
    read_on();
}

/// Takes the next request when none is under way; else reading waits.
void HttpConnection::read_on() {
    if (reading_on_) return;
    reading_on_ = true;
    while (state_ == State::reading && connection_->queued_bytes() < http_unsent_bytes_pause) {
        const std::optional<HttpRequest> request = parser_.next();
        if (!request) break;
        with_body_ = request->method != "HEAD";
        keep_alive_ = request->keep_alive;
        partial_ = false;
        enter(State::answering);
        owner_.on_request(*this, *request);
    }
    reading_on_ = false;
    if (state_ == State::over || state_ == State::closing || state_ == State::streaming) return;
    if (state_ == State::reading && parser_.failure()) return refuse(*parser_.failure());
    if (state_ == State::reading) {
        if (!parser_.idle() && !partial_) {
            partial_ = true;
            since_ms_ = now_ms_;
        }
    }
    const bool reads =
        state_ == State::reading && connection_->queued_bytes() < http_unsent_bytes_pause;
    if (reads && connection_->reading_paused()) connection_->resume_reading();
    if (!reads && !connection_->reading_paused()) connection_->pause_reading();
}

void HttpConnection::respond(const HttpResponse& response) {
    if (state_ != State::answering) return;
    connection_->send(encode_response(response, with_body_, keep_alive_));
    if (!keep_alive_) {
        enter(State::closing);
        connection_->close_when_sent();
        return;
    }
    enter(State::reading);
    read_on();
}

void HttpConnection::begin_stream() {
    if (state_ != State::answering) return;
    connection_->send(encode_stream_head());
    if (with_body_) {
        enter(State::streaming);
        connection_->resume_reading();  // to see it leave
    } else {
        enter(State::closing);
        connection_->close_when_sent();
    }
}

void HttpConnection::stream(const Bytes& bytes) {
    if (state_ != State::streaming) return;
    if (connection_->queued_bytes() + bytes.size() > stream_bytes_max) return cut();
    connection_->send(bytes);
}

void HttpConnection::refuse(const HttpFailure& failure) {
    connection_->send(encode_response(http_failure(failure), with_body_, false));
    enter(State::closing);
    connection_->close_when_sent();
}

void HttpConnection::tick(std::uint64_t now_ms) {
    now_ms_ = now_ms;
    const std::uint64_t passed_ms = now_ms - since_ms_;
    if (!connection_->established() && passed_ms > request_ms_max) return cut();
    if (state_ == State::reading) {
        if (connection_->queued_bytes() > 0 && passed_ms > answer_ms_max) return cut();
        if (partial_ && passed_ms > request_ms_max) {
            refuse({408, "The request did not come within 10 seconds."});
        } else if (!partial_ && passed_ms > idle_ms_max) {
            cut();
        }
    } else if (state_ == State::answering && passed_ms > answer_ms_max) {
        refuse({504, "The replica had no answer within 30 seconds."});
    } else if (state_ == State::closing && passed_ms > answer_ms_max) {
        cut();
    }
}

void HttpConnection::enter(State state) {
    state_ = state;
    since_ms_ = now_ms_;
}

void HttpConnection::cut() {
    connection_->close();
    end();
}

void HttpConnection::end() {
    if (state_ == State::over) return;
    state_ = State::over;
    owner_.on_over(*this);
}

}  // namespace syncline
