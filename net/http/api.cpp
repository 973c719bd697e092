#include "net/http/api.hpp"

#include <utility>

#include "net/commands/errors.hpp"
#include "net/http/json.hpp"
#include "net/http/metrics.hpp"
#include "net/http/web_files.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t events_interval_ms = 1000;
/// What one request may get, as the replies of its commands.
constexpr std::size_t answer_bytes_max = 16 * limits::mib;
/// Requests whose commands are not answered, those of clients that have left included.
constexpr std::size_t pending_max = 256;
/// The client that the event stream is for; requests have larger numbers.
constexpr std::uint64_t events_id = (std::uint64_t{1} << 62U) - 1;

const char* const json_type = "application/json";

using Commands = std::vector<std::pair<std::string, Arguments>>;

Bytes parameter_or(const HttpRequest& request, BytesView name, BytesView otherwise) {
    const Bytes* const value = request.parameter(name);
    return Bytes(value == nullptr ? otherwise : BytesView(*value));
}

Commands status_commands() {
    return {{"health", {"CRDT.HEALTH"}},
            {"matrix", {"CRDT.MATRIX"}},
            {"peers", {"CRDT.PEERS"}},
            {"clock", {"CRDT.CLOCK"}},
            {"conflicts", {"CRDT.CONFLICTS", "REV", "COUNT", "1"}}};
}

Arguments conflicts_command(const HttpRequest& request) {
    Arguments command{"CRDT.CONFLICTS"};
    for (const char* const name : {"key", "prefix", "kind", "after", "count"}) {
        const Bytes* const value = request.parameter(name);
        if (value == nullptr) continue;
        command.emplace_back(name);
        command.push_back(*value);
    }
    if (request.parameter("rev") != nullptr) command.emplace_back("rev");
    return command;
}

/// The commands whose replies answer a path; none for an unknown path.
Commands commands_of(const HttpRequest& request) {
    if (request.path == "/api/status") return status_commands();
    if (request.path == "/api/peers") return {{"", {"CRDT.PEERS"}}};
    if (request.path == "/api/matrix") return {{"", {"CRDT.MATRIX"}}};
    if (request.path == "/api/conflicts") return {{"", conflicts_command(request)}};
    if (request.path == "/api/key") {
        Arguments explain{"CRDT.EXPLAIN", parameter_or(request, "key", "")};
        if (const Bytes* const field = request.parameter("field")) explain.push_back(*field);
        return {{"", std::move(explain)}};
    }
    return {};
}

HttpResponse json(int status, Bytes body) {
    return HttpResponse{status, json_type, std::move(body) + "\n"};
}

}  // namespace

WebApi::WebApi(Loop& loop, CommandHost& host, Dispatcher& dispatcher)
    : loop_(loop), host_(host), dispatcher_(dispatcher), ticker_(loop, [this]() { tick(); }) {
    ticker_.start_repeating(events_interval_ms);
}

Result<std::unique_ptr<WebApi>> WebApi::listen(Loop& loop, const TcpEndpoint& address,
                                               bool any_host, CommandHost& host,
                                               Dispatcher& dispatcher) {
    // The constructor is private.
    std::unique_ptr<WebApi> api(new WebApi(loop, host, dispatcher));
    WebApi& self = *api;
    SYNCLINE_TRY(api->server_, HttpServer::listen(
                                   loop, address, any_host,
                                   [&self](HttpConnection& connection, const HttpRequest& request) {
                                       self.on_request(connection, request);
                                   }));
    return api;
}

void WebApi::on_request(HttpConnection& connection, const HttpRequest& request) {
    const std::string& path = request.path;
    if (path == "/livez") return answer_probe(connection, false);
    if (path == "/readyz" || path == "/healthz") return answer_probe(connection, true);
    if (path == "/metrics") {
        return connection.respond({200, "text/plain; version=0.0.4; charset=utf-8",
                                   metrics_text(host_, {server_->requests(), server_->connections(),
                                                        server_->streams()})});
    }
    if (const std::optional<WebFile> file = web_file(path)) {
        return connection.respond({200, std::string(file->type), Bytes(file->bytes)});
    }
    if (path == "/api/events") {
        if (server_->streams() >= HttpServer::streams_max) {
            return connection.respond(json(503, json_error("32 event streams are open already.")));
        }
        connection.begin_stream();
        connection.stream("retry: 2000\n\n");
        return tick();
    }
    if (path == "/api/key" && request.parameter("key") == nullptr) {
        return connection.respond(json(400, json_error("Which key? Write /api/key?key=NAME.")));
    }
    const Commands commands = commands_of(request);
    if (commands.empty()) {
        return connection.respond(http_failure({404, "There is nothing at this path."}));
    }
    if (stopping_) return connection.respond(json(503, json_error("The replica is stopping.")));
    if (pending_.size() >= pending_max) {
        return connection.respond(json(503, json_error("Too many requests wait for the disk.")));
    }
    run(connection.id(), commands);
}

/// A loop that turns answers; whether clients should come here is the other question.
void WebApi::answer_probe(HttpConnection& connection, bool ready_matters) {
    const Health health = host_.health();
    connection.respond(json(health.ready() || !ready_matters ? 200 : 503, to_json(health)));
}

void WebApi::run(std::uint64_t id, const Commands& commands) {
    auto pending =
        std::make_unique<Pending>(Pending{{}, RespReplyParser(answer_bytes_max), {}, {}});
    pending->client.order.id = id;
    pending->client.protocol = 3;
    pending->client.counted = false;
    for (const auto& [member, command] : commands) pending->members.push_back(member);
    ClientState& client = (pending_[id] = std::move(pending))->client;
    for (const auto& [member, command] : commands) dispatcher_.run(client, command);
    loop_.defer([]() {});  // their replies come at the end of a turn, at the latest of the next
}

void WebApi::deliver(const Reply& reply) {
    const auto found = pending_.find(reply.client);
    if (found == pending_.end() || reply.bytes.empty()) return;
    Pending& pending = *found->second;
    const bool done = reply.outcome == Outcome::done;
    pending.parser.feed(done ? reply.bytes : "-" + outcome_error(reply.outcome) + "\r\n");
    Result<std::optional<RespValue>> value = pending.parser.next();
    if (!value || !*value) {  // a reply is one value; so it is one that is too long
        RespValue error;
        error.type = RespValue::Type::error;
        error.text = "ERR the answer is too long for this way; ask for one field, or use RESP";
        value = std::optional(std::move(error));
        pending.parser = RespReplyParser(answer_bytes_max);
    }
    pending.replies.emplace_back(pending.members[pending.replies.size()], **std::move(value));
    if (pending.replies.size() < pending.members.size()) return;
    const std::unique_ptr<Pending> whole = std::move(found->second);
    pending_.erase(found);
    finish(reply.client, *whole);
}

void WebApi::finish(std::uint64_t id, const Pending& pending) {
    if (id == events_id) {
        return server_->broadcast("event: status\ndata: " + to_json(pending.replies) + "\n\n");
    }
    HttpConnection* const connection = server_->find(id);
    if (connection == nullptr) return;
    if (!pending.members.front().empty()) {
        return connection->respond(json(200, to_json(pending.replies)));
    }
    const RespValue& value = pending.replies.front().second;
    if (!value.is_error()) return connection->respond(json(200, to_json(value)));
    const bool loading = value.text.rfind("LOADING", 0) == 0;
    connection->respond(json(loading ? 503 : 400, to_json(value)));
}

/// One answer for all streams; none while the one before is under way.
void WebApi::tick() {
    if (stopping_ || server_->streams() == 0 || pending_.count(events_id) > 0) return;
    run(events_id, status_commands());
}

}  // namespace syncline
