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
/// and only what is durable; none of them changes anything. Who asks is a user of the client port,
/// by HTTP's Basic scheme, or the default user if that one needs no password; rules hold for each.
/// Confined to the loop's thread.
class WebApi {
public:
    /// Errors: those of HttpServer::listen.
    static Result<std::unique_ptr<WebApi>> listen(Loop& loop, const TcpEndpoint& address,
                                                  const HttpAccess& access, CommandHost& host,
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
    [[nodiscard]] std::shared_ptr<AclUser> user_of(const HttpConnection& connection,
                                                   const HttpRequest& request);
    [[nodiscard]] bool is_protected_from(const HttpConnection& connection);
    void answer_probe(HttpConnection& connection, bool ready_matters, bool known);
    void answer_page(HttpConnection& connection, const HttpRequest& request, const AclUser& user);
    void begin_events(HttpConnection& connection, const AclUser& user);
    void run(std::uint64_t id, std::shared_ptr<AclUser> user,
             const std::vector<std::pair<std::string, Arguments>>& commands);
    void finish(std::uint64_t id, const Pending& pending);
    void end_streams_of_changed_users();
    void tick();

    Loop& loop_;
    CommandHost& host_;
    Dispatcher& dispatcher_;
    std::map<std::uint64_t, std::unique_ptr<Pending>> pending_;
    bool stopping_ = false;
    std::uint64_t users_version_ = 0;  // when streams were last looked at
    Timer ticker_;
    std::unique_ptr<HttpServer> server_;
};

}  // namespace syncline
