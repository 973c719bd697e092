#include "net/resp_client.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "core/base/env.hpp"
#include "net/resp.hpp"
#include "net/tls.hpp"

namespace syncline {

namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Error closed_error(std::string_view why) {
    return Error{Code::unavailable, "connection to the server lost: " + std::string(why)};
}

/// Waits until the socket can do one of the events, or until the deadline of the steady clock.
bool wait_for(int socket, short events, std::uint64_t deadline_ms) {
    SystemClock clock;
    while (true) {
        const std::uint64_t now_ms = clock.steady_ms();
        if (now_ms >= deadline_ms) return false;
        const std::uint64_t left_ms = std::min<std::uint64_t>(deadline_ms - now_ms, 60'000);
        pollfd waited{socket, events, 0};
        const int ready = ::poll(&waited, 1, static_cast<int>(left_ms));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return true;  // the next call says what is wrong
    }
}

std::uint64_t deadline_after(std::uint64_t timeout_ms) {
    const std::uint64_t now_ms = SystemClock().steady_ms();
    return now_ms + std::min(timeout_ms, std::numeric_limits<std::uint64_t>::max() - now_ms);
}

/// A connected socket for one address; or, when it fails, -1 and the reason in problem.
int connect_socket(const addrinfo& address, std::uint64_t deadline_ms, std::string& problem) {
    const int socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) {
        problem = std::strerror(errno);
        return -1;
    }
    int error = 0;
    if (::connect(socket, address.ai_addr, address.ai_addrlen) != 0) error = errno;
    if (error == EINPROGRESS) {
        socklen_t length = sizeof(error);
        if (!wait_for(socket, POLLOUT, deadline_ms)) {
            error = ETIMEDOUT;
        } else {
            ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length);
        }
    }
    if (error == 0) return socket;
    problem = std::strerror(error);
    ::close(socket);
    return -1;
}

}  // namespace

Result<RespClient> RespClient::connect(const std::string& host, std::uint16_t port,
                                       std::uint64_t timeout_ms) {
    const std::uint64_t deadline_ms = deadline_after(timeout_ms);
    const std::string to = host + " port " + std::to_string(port);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (status != 0) {
        return Error{Code::unavailable, "cannot connect to " + to + ": " + gai_strerror(status)};
    }
    const AddressList addresses(found, &::freeaddrinfo);
    std::string problem = "no address";
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
        const int socket = connect_socket(*address, deadline_ms, problem);
        if (socket < 0) continue;
        const int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        return RespClient(socket, timeout_ms);
    }
    return Error{Code::unavailable, "cannot connect to " + to + ": " + problem};
}

RespClient::RespClient(int socket, std::uint64_t timeout_ms)
    : socket_(socket), timeout_ms_(timeout_ms) {}

RespClient::~RespClient() {
    close();
}

RespClient::RespClient(RespClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      timeout_ms_(other.timeout_ms_),
      tls_(std::move(other.tls_)),
      output_(std::move(other.output_)),
      wire_(std::move(other.wire_)),
      parser_(std::move(other.parser_)),
      pushes_(std::move(other.pushes_)) {}

RespClient& RespClient::operator=(RespClient&& other) noexcept {
    if (this == &other) return *this;
    close();
    socket_ = std::exchange(other.socket_, -1);
    timeout_ms_ = other.timeout_ms_;
    tls_ = std::move(other.tls_);
    output_ = std::move(other.output_);
    wire_ = std::move(other.wire_);
    parser_ = std::move(other.parser_);
    pushes_ = std::move(other.pushes_);
    return *this;
}

Result<void> RespClient::secure(const TlsContext& context, const std::string& host) {
    SYNCLINE_ASSERT(!tls_ && output_.empty());
    tls_ = std::make_unique<TlsSession>(context, TlsSession::Role::client, host);
    tls_->start();
    wire_ += tls_->take_output();
    while (!tls_->established()) {
        SYNCLINE_CHECK(flush());
        SYNCLINE_CHECK(read_some());
    }
    return flush();
}

void RespClient::close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
}

bool RespClient::is_open() const {
    if (socket_ < 0) return false;
    char byte = 0;
    const ssize_t count = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

void RespClient::queue(const std::vector<Bytes>& arguments) {
    RespWriter writer(output_, 2);
    writer.array(arguments.size());
    for (const Bytes& argument : arguments) writer.bulk(argument);
}

Result<void> RespClient::flush() {
    const std::uint64_t deadline_ms = deadline_after(timeout_ms_);
    if (tls_ && !output_.empty()) {
        tls_->send(output_);
        wire_ += tls_->take_output();
        output_.clear();
    } else {
        wire_ += std::exchange(output_, Bytes());
    }
    std::size_t sent = 0;
    while (sent < wire_.size()) {
        if (socket_ < 0) return closed_error("closed");
        const ssize_t count =
            ::send(socket_, wire_.data() + sent, wire_.size() - sent, MSG_NOSIGNAL);
        if (count >= 0) {
            sent += static_cast<std::size_t>(count);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(socket_, POLLOUT, deadline_ms)) {
                wire_.erase(0, sent);
                return Error{Code::unavailable, "the server takes no data"};
            }
        } else if (errno != EINTR) {
            const std::string why = std::strerror(errno);
            close();
            return closed_error(why);
        }
    }
    wire_.clear();
    return {};
}

/// Bytes as they came.
Result<void> RespClient::take(BytesView bytes) {
    if (!tls_) {
        parser_.feed(bytes);
        return {};
    }
    const Result<Bytes> plain = tls_->receive(bytes);
    wire_ += tls_->take_output();  // it may be an alert, which tells the server why
    if (plain) {
        parser_.feed(*plain);
        return {};
    }
    (void)flush();  // the failure is what counts
    close();
    return plain.error();
}

Result<void> RespClient::read_some() {
    if (socket_ < 0) return closed_error("closed");
    const std::uint64_t deadline_ms = deadline_after(timeout_ms_);
    std::array<char, 16 * limits::kib> room{};
    while (true) {
        const ssize_t count = ::recv(socket_, room.data(), room.size(), 0);
        if (count > 0) return take(BytesView(room.data(), static_cast<std::size_t>(count)));
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (wait_for(socket_, POLLIN, deadline_ms)) continue;
            return Error{Code::unavailable,
                         "no answer within " + std::to_string(timeout_ms_) + " ms"};
        }
        if (count < 0 && errno == EINTR) continue;
        const std::string why = count == 0 ? "closed by the server" : std::strerror(errno);
        close();
        return closed_error(why);
    }
}

Result<RespValue> RespClient::receive() {
    SYNCLINE_CHECK(flush());
    while (true) {
        SYNCLINE_TRY(auto reply, parser_.next());
        if (reply) return std::move(*reply);
        SYNCLINE_CHECK(read_some());
    }
}

Result<RespValue> RespClient::command(const std::vector<Bytes>& arguments) {
    queue(arguments);
    while (true) {
        SYNCLINE_TRY(auto reply, receive());
        if (reply.type != RespValue::Type::push) return reply;
        pushes_.push_back(std::move(reply));
    }
}

std::vector<RespValue> RespClient::take_pushes() {
    return std::exchange(pushes_, {});
}

}  // namespace syncline
