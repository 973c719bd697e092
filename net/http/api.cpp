#include "net/http/api.hpp"

#include <utility>

#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"
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

const HttpFailure forbidden{403, "This user may not see that."};

bool may_run(const AclUser& user, const Arguments& request) {
    const CommandName name{find_command(request[0]), nullptr};
    return user.check(name, request).reason == AccessDenial::Reason::none;
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
                                               const HttpAccess& access, CommandHost& host,
                                               Dispatcher& dispatcher) {
    // The constructor is private.
    std::unique_ptr<WebApi> api(new WebApi(loop, host, dispatcher));
    WebApi& self = *api;
    SYNCLINE_TRY(api->server_, HttpServer::listen(
                                   loop, address, access,
                                   [&self](HttpConnection& connection, const HttpRequest& request) {
                                       self.on_request(connection, request);
                                   }));
    return api;
}

/// Null: nobody who is known here.
std::shared_ptr<AclUser> WebApi::user_of(const HttpConnection& connection,
                                         const HttpRequest& request) {
    const AclUsers& users = host_.users();
    const std::string* const header = request.header("authorization");
    if (header == nullptr) return users.must_log_in() ? nullptr : users.default_user();
    const std::optional<HttpLogin> login = parse_basic(*header);
    std::shared_ptr<AclUser> user = login ? users.log_in(login->name, login->password) : nullptr;
    if (user) return user;
    ClientState client;
    client.order.id = connection.id();
    client.address = connection.tcp().remote_address();
    client.local_address = connection.tcp().local_address();
    AclLogEntry entry;
    entry.reason = "auth";
    entry.context = "toplevel";
    entry.object = "HTTP";
    entry.user = login ? login->name : Bytes();
    log_access(host_, client, std::move(entry));
    return nullptr;
}

/// As clients are by protected mode.
bool WebApi::is_protected_from(const HttpConnection& connection) {
    return host_.users().default_user()->open() && !connection.tcp().remote_is_loopback() &&
           host_.config().find("protected-mode")->value == "yes";
}

void WebApi::on_request(HttpConnection& connection, const HttpRequest& request) {
    const std::string& path = request.path;
    if (is_protected_from(connection)) {
        return connection.respond(http_failure(
            {403, "Protected mode: others than this machine need a password, and there is none."}));
    }
    const std::shared_ptr<AclUser> user = user_of(connection, request);
    if (path == "/livez") return answer_probe(connection, false, user != nullptr);
    if (path == "/readyz" || path == "/healthz") {
        return answer_probe(connection, true, user != nullptr);
    }
    if (!user) {
        return connection.respond(
            http_failure({401, "Say who you are: a user of this replica and its password."}));
    }
    if (path == "/metrics" || web_file(path)) return answer_page(connection, request, *user);
    if (path == "/api/events") return begin_events(connection, *user);
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
    run(connection.id(), user, commands);
}

/// A loop that turns answers; whether clients should come here is the other question. Reasons
/// name peers, and are for users.
void WebApi::answer_probe(HttpConnection& connection, bool ready_matters, bool known) {
    Health health = host_.health();
    const int status = health.ready() || !ready_matters ? 200 : 503;
    if (!known) health.reasons.clear();
    connection.respond(json(status, to_json(health)));
}

/// What is no data: the page's files, and metrics for who may run INFO.
void WebApi::answer_page(HttpConnection& connection, const HttpRequest& request,
                         const AclUser& user) {
    if (const std::optional<WebFile> file = web_file(request.path)) {
        return connection.respond({200, std::string(file->type), Bytes(file->bytes)});
    }
    if (!may_run(user, {"INFO"})) return connection.respond(http_failure(forbidden));
    connection.respond(
        {200, "text/plain; version=0.0.4; charset=utf-8",
         metrics_text(host_, {server_->requests(), server_->connections(), server_->streams()})});
}

void WebApi::begin_events(HttpConnection& connection, const AclUser& user) {
    for (const auto& [member, command] : status_commands()) {
        if (!may_run(user, command)) return connection.respond(http_failure(forbidden));
    }
    if (server_->streams() >= HttpServer::streams_max) {
        return connection.respond(json(503, json_error("32 event streams are open already.")));
    }
    end_streams_of_changed_users();
    connection.begin_stream();
    connection.stream("retry: 2000\n\n");
    tick();
}

void WebApi::run(std::uint64_t id, std::shared_ptr<AclUser> user, const Commands& commands) {
    auto pending =
        std::make_unique<Pending>(Pending{{}, RespReplyParser(answer_bytes_max), {}, {}});
    pending->client.order.id = id;
    pending->client.user = std::move(user);
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
    const int status = value.text.starts_with("LOADING")  ? 503
                       : value.text.starts_with("NOPERM") ? 403
                                                          : 400;
    connection->respond(json(status, to_json(value)));
}

/// Who is at the other end comes back, and is looked at anew.
void WebApi::end_streams_of_changed_users() {
    const std::uint64_t version = host_.users().version();
    if (std::exchange(users_version_, version) != version) server_->cut_streams();
}

/// One answer for all streams; none while the one before is under way.
void WebApi::tick() {
    end_streams_of_changed_users();
    if (stopping_ || server_->streams() == 0 || pending_.count(events_id) > 0) return;
    run(events_id, nullptr, status_commands());
}

}  // namespace syncline
