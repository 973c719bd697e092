#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/commands/dispatcher.hpp"
#include "net/http/server.hpp"
#include "net/resp_client.hpp"

namespace syncline {

/// What the HTTP port answers: the page and its files, probes, metrics, and the data of the CRDT.*
/// commands as JSON. It runs those commands as a client does, so that both always tell the same,
/// and only what is durable; none of them changes anything.
/// Confined to the loop's thread.
class WebApi {
public:
    /// Errors: those of HttpServer::listen.
    static Result<std::unique_ptr<WebApi>> listen(Loop& loop, const TcpEndpoint& address,
                                                  bool any_host, CommandHost& host,
                                                  Dispatcher& dispatcher);
    WebApi(const WebApi&) = delete;
    WebApi& operator=(const WebApi&) = delete;

    [[nodiscard]] std::uint16_t port() const { return server_->port(); }
    /// No more commands are run; probes and metrics are still answered.
    void stop() { stopping_ = true; }
    /// A reply of the dispatcher that may belong to a request here; others are ignored.
    void deliver(const Reply& reply);

private:
    /// Commands under way for one request, or for the event stream.
    struct Pending {
        ClientState client;
        RespReplyParser parser;
        std::vector<std::string> members;  ///< of the object; one without a name is all there is
        std::vector<std::pair<std::string, RespValue>> replies;
    };

    WebApi(Loop& loop, CommandHost& host, Dispatcher& dispatcher);
    void on_request(HttpConnection& connection, const HttpRequest& request);
    void answer_probe(HttpConnection& connection, bool ready_matters);
    void run(std::uint64_t id, const std::vector<std::pair<std::string, Arguments>>& commands);
    void finish(std::uint64_t id, const Pending& pending);
    void tick();

    Loop& loop_;
    CommandHost& host_;
    Dispatcher& dispatcher_;
    std::map<std::uint64_t, std::unique_ptr<Pending>> pending_;
    bool stopping_ = false;
    Timer ticker_;
    std::unique_ptr<HttpServer> server_;
};

}  // namespace syncline
