#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "net/loop.hpp"

namespace syncline {

class TlsSession;

/// One TCP connection, accepted or made. Nagle's delay is off.
///
/// Happy path: start() -> on_data ... on_data -> the owner calls close(), or the other side ends
/// and on_close comes. Callbacks come only from the loop, never from inside a call of the owner,
/// and may destroy the connection. Destroying it closes it.
/// Confined to the loop's thread.
class TcpConnection {
public:
    struct Events {
        /// Bytes arrived. The view is valid during the call only.
        std::function<void(BytesView)> on_data;
        /// The connection is over, by the other side's end of data (no error) or by an error
        /// (io). It is closed already; nothing comes after it. Not called after close().
        std::function<void(const std::optional<Error>&)> on_close;
        /// Optional: the other side sends no more, but may still read. When set, the connection
        /// stays open for output until close() or close_when_sent(); when not, on_close follows.
        std::function<void()> on_end = nullptr;
        /// Optional: queued_bytes() has become less.
        std::function<void()> on_sent = nullptr;
    };

    ~TcpConnection();
    TcpConnection(const TcpConnection&) = delete;
    TcpConnection& operator=(const TcpConnection&) = delete;

    /// From now on everything goes through TLS: on_data gets plain bytes, and what is sent before
    /// the handshake is over waits for it. Before start().
    void secure(std::unique_ptr<TlsSession> session);
    /// Its handshake is over, or it has none.
    [[nodiscard]] bool established() const;

    /// Begins to read. Call once.
    void start(Events events);

    /// Queues bytes; they leave at the end of the turn, together with what else was queued in it.
    /// The queue has no bound of its own: watch queued_bytes(). Ignored when not open().
    void send(Bytes bytes);
    /// Bytes the kernel has not taken yet.
    [[nodiscard]] std::size_t queued_bytes() const;

    /// Stops on_data (and the notice of an end) until resume_reading(). The kernel's window then
    /// slows the other side down.
    void pause_reading();
    void resume_reading();
    [[nodiscard]] bool reading_paused() const;

    /// Closes at once and drops what is queued. No callback comes after it. Idempotent.
    void close();
    /// Reads no more, and closes when all that is queued has left; then on_close comes, without
    /// an error if all was sent. A side that never reads keeps it open: the owner sets a limit.
    /// Precondition: started.
    void close_when_sent();
    /// Neither closed nor closing.
    [[nodiscard]] bool open() const;

    /// Lets the kernel probe a silent connection after this many seconds; 0 turns it off.
    void keep_alive(unsigned seconds);

    /// "192.0.2.1:6379" or "[2001:db8::1]:6379"; as they were when the connection was made.
    [[nodiscard]] const std::string& remote_address() const;
    [[nodiscard]] const std::string& local_address() const;
    /// The other side is on this machine (127.0.0.0/8, ::1, or the former mapped into IPv6).
    [[nodiscard]] bool remote_is_loopback() const;

    struct Impl;
    /// For net/tcp.cpp only.
    explicit TcpConnection(std::unique_ptr<Impl> impl);

private:
    std::unique_ptr<Impl> impl_;
};

/// An IP address to listen on, or a host to connect to, and a port.
struct TcpEndpoint {
    std::string host;
    std::uint16_t port = 0;

    /// The host is to be resolved, and may have several addresses.
    [[nodiscard]] bool is_name() const;
};

/// Accepts connections. When the process has no file descriptor left it waits and tries again;
/// those who connect meanwhile stay in the kernel's queue.
class TcpListener {
public:
    using Accepted = std::function<void(std::unique_ptr<TcpConnection>)>;

    /// Listens on a numeric IPv4 or IPv6 address ("::" takes both); port 0 takes a free one.
    /// Errors: invalid_argument (not an address), unavailable (address in use), io.
    static Result<std::unique_ptr<TcpListener>> listen(Loop& loop, const TcpEndpoint& address,
                                                       Accepted on_accepted);
    ~TcpListener();
    TcpListener(const TcpListener&) = delete;
    TcpListener& operator=(const TcpListener&) = delete;

    [[nodiscard]] std::uint16_t port() const;

private:
    struct Impl;
    explicit TcpListener(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// An attempt to connect, with name resolution and all addresses of the name one after another.
/// Destroying it, also in its own callback, ends the attempt; the callback then never comes.
class TcpConnector {
public:
    using Connected = std::function<void(Result<std::unique_ptr<TcpConnection>>)>;

    /// Calls back exactly once, from the loop. Each address gets timeout_ms, the resolution of a
    /// name ten seconds. Errors: unavailable, with a sentence that says whether the name, the
    /// connection or the time failed. `avoided`: addresses, as TcpConnection::remote_address() says
    /// them, that are only tried if the name has no others.
    TcpConnector(Loop& loop, const TcpEndpoint& to, std::uint64_t timeout_ms, Connected callback,
                 std::set<std::string> avoided = {});
    ~TcpConnector();
    TcpConnector(const TcpConnector&) = delete;
    TcpConnector& operator=(const TcpConnector&) = delete;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
