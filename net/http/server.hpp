#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "net/http/connection.hpp"
#include "net/loop.hpp"

namespace syncline {

class TlsContext;

/// How clients get to an HTTP port.
struct HttpAccess {
    bool any_host = false;            ///< Host is not looked at
    const TlsContext* tls = nullptr;  ///< null: it speaks no TLS; else it must outlive the port
};

/// The HTTP port: accepts connections, bounds their number, and lets through only what may be
/// answered here: GET and HEAD, and, on the loopback, requests whose Host is this machine (else a
/// foreign web page could read through a name that it points here: DNS rebinding).
/// Confined to the loop's thread.
class HttpServer final : private HttpOwner {
public:
    static constexpr std::size_t connections_max = 128;
    static constexpr std::size_t streams_max = 32;

    /// Called with a connection whose request it has to answer.
    using Handler = std::function<void(HttpConnection&, const HttpRequest&)>;

    /// Errors: those of TcpListener::listen.
    static Result<std::unique_ptr<HttpServer>> listen(Loop& loop, const TcpEndpoint& address,
                                                      const HttpAccess& access, Handler handler);
    ~HttpServer() override;

    [[nodiscard]] std::uint16_t port() const { return listener_->port(); }
    /// Null when it is gone.
    HttpConnection* find(std::uint64_t id);
    /// Connections that stream now.
    [[nodiscard]] std::size_t streams() const;
    /// Ends all streams; their clients come back.
    void cut_streams();
    /// Sends to all streams.
    void broadcast(const Bytes& bytes);
    [[nodiscard]] std::uint64_t requests() const { return requests_; }
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }

private:
    HttpServer(Loop& loop, std::string host, const HttpAccess& access, Handler handler);
    void accept(std::unique_ptr<TcpConnection> connection);
    void on_request(HttpConnection& connection, const HttpRequest& request) override;
    void on_over(HttpConnection& connection) override;
    void tick();

    Loop& loop_;
    std::string host_;
    HttpAccess access_;
    Handler handler_;
    std::map<std::uint64_t, std::unique_ptr<HttpConnection>> connections_;
    std::uint64_t next_id_;
    std::uint64_t requests_ = 0;
    Timer ticker_;
    Timer sweeper_;  // frees connections that are over
    std::unique_ptr<TcpListener> listener_;
};

}  // namespace syncline
