#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/base/log.hpp"
#include "net/tcp.hpp"
#include "net/uv_address.hpp"
#include "net/uv_connection.hpp"

namespace syncline {

namespace {

constexpr int listen_backlog = 511;
constexpr int accepts_per_call = 64;
constexpr std::uint64_t accept_retry_ms = 100;

}  // namespace

/// libuv's own listening handle spins when descriptors are used up and another thread takes the
/// one it keeps in reserve, so the socket is ours and libuv only watches it.
struct TcpListener::Impl {
    Impl(Loop& on_loop, int descriptor, Accepted callback)
        : loop(on_loop), socket(descriptor), accepted(std::move(callback)) {}

    Result<void> watch();
    void accept_some();
    void take(int descriptor);
    void try_later(int error);
    void start_polling() {
        uv_poll_start(&poll, UV_READABLE, [](uv_poll_t* ready, int status, int /*events*/) {
            auto& self = *static_cast<Impl*>(ready->data);
            status == 0 ? self.accept_some() : self.try_later(status);
        });
    }

    Loop& loop;
    int socket;
    Accepted accepted;
    uv_poll_t poll{};
    std::unique_ptr<Timer> retry;
    bool failing = false;  ///< the last attempt failed, and that was told
    bool closed = false;
};

namespace {

/// A socket that listens.
Result<int> listening_socket(const TcpEndpoint& endpoint, const Address& address) {
    const std::string doing = "cannot listen on " + to_text(endpoint);
    const int descriptor =
        ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return uv_failure(Code::io, doing, uv_translate_sys_error(errno));
    const int on = 1;
    const int off = 0;
    const socklen_t length =
        address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address.ss_family == AF_INET6) {
        ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (::bind(descriptor, as_sockaddr(address), length) != 0 ||
        ::listen(descriptor, listen_backlog) != 0) {
        const int error = errno;
        ::close(descriptor);
        if (error == EADDRINUSE) return Error{Code::unavailable, doing + ": address in use"};
        return uv_failure(Code::io, doing, uv_translate_sys_error(error));
    }
    return descriptor;
}

}  // namespace

Result<std::unique_ptr<TcpListener>> TcpListener::listen(Loop& loop, const TcpEndpoint& address,
                                                         Accepted on_accepted) {
    const std::optional<Address> numeric = numeric_address(address);
    if (!numeric) {
        return Error{Code::invalid_argument,
                     "cannot listen on \"" + address.host + "\": not an IPv4 or IPv6 address"};
    }
    SYNCLINE_TRY(const int descriptor, listening_socket(address, *numeric));
    auto impl = std::make_unique<Impl>(loop, descriptor, std::move(on_accepted));
    if (auto watched = impl->watch(); !watched) {
        ::close(descriptor);
        return watched.error();
    }
    return std::unique_ptr<TcpListener>(new TcpListener(std::move(impl)));
}

TcpListener::TcpListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TcpListener::~TcpListener() {
    Impl& impl = *impl_;
    impl.closed = true;
    impl.retry.reset();
    close_and_free(std::move(impl_), impl.poll);
    ::close(impl.socket);  // libuv watches it no more; the memory goes later
}

std::uint16_t TcpListener::port() const {
    Address address{};
    socklen_t length = sizeof(address);
    ::getsockname(impl_->socket, reinterpret_cast<sockaddr*>(&address), &length);
    return port_of(address);
}

Result<void> TcpListener::Impl::watch() {
    const int status = uv_poll_init(&loop.impl().loop, &poll, socket);
    if (status != 0) return uv_failure(Code::io, "cannot watch a socket", status);
    poll.data = this;
    retry = std::make_unique<Timer>(loop, [this] { start_polling(); });
    start_polling();
    return {};
}

void TcpListener::Impl::accept_some() {
    for (int i = 0; i < accepts_per_call && !closed; ++i) {
        const int descriptor = ::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (descriptor >= 0) {
            take(descriptor);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            failing = false;  // descriptors come first: there are some
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            // Mostly EMFILE. The connection still waits, so without a pause this would spin.
            try_later(uv_translate_sys_error(errno));
            return;
        }
    }
}

void TcpListener::Impl::take(int descriptor) {
    auto impl = std::make_unique<TcpConnection::Impl>(loop.impl());
    TcpConnection::Impl& connection = *impl;
    auto owner = std::make_unique<TcpConnection>(std::move(impl));
    if (uv_tcp_open(&connection.handle, descriptor) != 0) {
        ::close(descriptor);
        return;
    }
    if (connection.note_addresses()) accepted(std::move(owner));
}

void TcpListener::Impl::try_later(int error) {
    uv_poll_stop(&poll);
    retry->start(accept_retry_ms);
    if (std::exchange(failing, true)) return;
    log(LogLevel::warning, "accept_failed",
        {{"error", uv_strerror(error)}, {"retry_ms", std::to_string(accept_retry_ms)}});
}

}  // namespace syncline
