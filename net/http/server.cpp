#include "net/http/server.hpp"

#include <algorithm>
#include <utility>

#include "net/tls.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t http_tick_ms = 500;
/// Connections beyond connections_max that still hear why they are turned away.
constexpr std::size_t http_turned_away_max = 16;
/// Ids of connections are no ids of other clients.
constexpr std::uint64_t id_first = std::uint64_t{1} << 62U;

}  // namespace

HttpServer::HttpServer(Loop& loop, std::string host, const HttpAccess& access, Handler handler)
    : loop_(loop),
      host_(std::move(host)),
      access_(access),
      handler_(std::move(handler)),
      next_id_(id_first),
      ticker_(loop, [this]() { tick(); }),
      sweeper_(loop, [this]() {
          std::erase_if(connections_, [](const auto& entry) { return entry.second->over(); });
      }) {
    ticker_.start_repeating(http_tick_ms);
}

HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, const TcpEndpoint& address,
                                                       const HttpAccess& access, Handler handler) {
    // The constructor is private.
    std::unique_ptr<HttpServer> server(
        new HttpServer(loop, address.host, access, std::move(handler)));
    HttpServer& self = *server;
    SYNCLINE_TRY(server->listener_, TcpListener::listen(loop, address, [&self](auto connection) {
                     self.accept(std::move(connection));
                 }));
    return server;
}

void HttpServer::accept(std::unique_ptr<TcpConnection> connection) {
    if (connections_.size() >= connections_max + http_turned_away_max) return;
    const bool full = connections_.size() >= connections_max;
    if (access_.tls != nullptr) {
        if (full) return;  // nobody could read why before the handshake
        connection->secure(std::make_unique<TlsSession>(*access_.tls, TlsSession::Role::server));
    }
    const std::uint64_t id = next_id_++;
    HttpOwner& owner = *this;
    auto made = std::make_unique<HttpConnection>(owner, id, std::move(connection), loop_.now_ms());
    HttpConnection& accepted = *connections_.emplace(id, std::move(made)).first->second;
    if (full) {
        accepted.turn_away({503, "There are 128 connections already."});
    } else {
        accepted.start();
    }
}

void HttpServer::on_request(HttpConnection& connection, const HttpRequest& request) {
    ++requests_;
    const std::string* const host = request.header("host");
    if (!access_.any_host && (host == nullptr || !is_own_host(*host, host_))) {
        return connection.respond(http_failure(
            {421,
             "The Host header must name this machine: localhost, or the address it has here."}));
    }
    if (request.method != "GET" && request.method != "HEAD") {
        return connection.respond(http_failure({405, "Only GET and HEAD are answered here."}));
    }
    handler_(connection, request);
}

void HttpServer::on_over(HttpConnection& /*connection*/) {
    if (!sweeper_.active()) sweeper_.start(1);
}

void HttpServer::tick() {
    for (const auto& [id, connection] : connections_) connection->tick(loop_.now_ms());
}

HttpConnection* HttpServer::find(std::uint64_t id) {
    const auto found = connections_.find(id);
    return found == connections_.end() || found->second->over() ? nullptr : found->second.get();
}

std::size_t HttpServer::streams() const {
    return static_cast<std::size_t>(
        std::count_if(connections_.begin(), connections_.end(),
                      [](const auto& entry) { return entry.second->streaming(); }));
}

void HttpServer::cut_streams() {
    for (const auto& [id, connection] : connections_) {
        if (connection->streaming()) connection->cut();
    }
}

void HttpServer::broadcast(const Bytes& bytes) {
    for (const auto& [id, connection] : connections_) connection->stream(bytes);
}

}  // namespace syncline
