#include "net/server.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <utility>

#include "core/base/log.hpp"
#include "net/commands/table.hpp"
#include "net/http/api.hpp"

namespace syncline {
namespace {

constexpr std::uint16_t peer_port_default = 7380;
constexpr std::uint64_t server_tick_ms = 100;
constexpr std::uint64_t rate_span_ms = 1000;

bool is_loopback(const std::string& address) {
    return address.rfind("127.", 0) == 0 || address == "::1";
}

const std::string& http_bind(const ServerOptions& options) {
    return options.http_bind.empty() ? options.bind : options.http_bind;
}

Error usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

/// As many clients as there are descriptors for, once the process has as many as it may have: log,
/// base and peers need some at any time, and without them the replica would have to end.
std::size_t room_for_clients() {
    constexpr rlim_t reserved = 512;
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return limits::clients_max;
    const rlim_t wanted = limits::clients_max + reserved;
    if (descriptors.rlim_cur < wanted && descriptors.rlim_cur < descriptors.rlim_max) {
        descriptors.rlim_cur = std::min(wanted, descriptors.rlim_max);
        (void)::setrlimit(RLIMIT_NOFILE, &descriptors);  // what there is now is looked up next
        (void)::getrlimit(RLIMIT_NOFILE, &descriptors);
    }
    const rlim_t all = descriptors.rlim_cur;
    const rlim_t room = all > 2 * reserved ? all - reserved : all / 2;
    const auto clients = static_cast<std::size_t>(std::min<rlim_t>(room, limits::clients_max));
    if (clients < limits::clients_max) {
        log(LogLevel::warning, "server.few_descriptors",
            {{"descriptors", std::to_string(all)}, {"clients_max", std::to_string(clients)}});
    }
    return clients;
}

Result<void> check_tls(const ServerOptions& options) {
    if (!options.plain_port && !options.tls_port) {
        return usage("--port off leaves no port for clients; --tls-port N gives them one");
    }
    const bool speaks_tls = options.tls_port || options.http_tls;
    if (speaks_tls && (options.tls_cert.empty() || options.tls_key.empty())) {
        return usage("--tls-port and --http-tls need --tls-cert and --tls-key");
    }
    if (speaks_tls && options.tls_ca.empty() && options.tls_clients != TlsUse::server) {
        return usage(
            "--tls-ca is missing: it tells whose certificates clients must show; with "
            "--tls-auth-clients no they show none");
    }
    return {};
}

}  // namespace

Result<void> check(const ServerOptions& options) {
    const bool has_credentials =
        !options.peer_secret_file.empty() || !options.peer_tls_cert.empty();
    if (!options.peers.empty() && !has_credentials) {
        return usage(
            "--peer needs --peer-secret-file or --peer-tls-cert: replicas prove to each other that "
            "they know one secret, or show certificates; make a secret with: head -c 32 "
            "/dev/urandom | base64 > secret");
    }
    if (options.peer_port && !has_credentials) {
        return usage(
            "--peer-port needs --peer-secret-file or --peer-tls-cert: without them anybody could "
            "write through the peer port");
    }
    if (!options.password_file.empty() && !options.users_file.empty()) {
        return usage(
            "--requirepass-file and --acl-file: give the default user its password in the file of "
            "users");
    }
    const bool has_users = !options.password_file.empty() || !options.users_file.empty();
    const bool open = options.protected_mode && !has_users;
    if (open && !is_loopback(options.bind)) {
        return usage("--bind " + options.bind +
                     " would let everybody on the network read and write: give clients a password "
                     "with --requirepass-file or --acl-file, bind to 127.0.0.1, or accept that "
                     "with --protected-mode no");
    }
    if (open && options.http_port && !is_loopback(http_bind(options))) {
        return usage("--http-bind " + options.http_bind +
                     " would let everybody on the network read all data: give clients a password "
                     "with --requirepass-file or --acl-file, bind to 127.0.0.1, or accept that "
                     "with --protected-mode no");
    }
    SYNCLINE_CHECK(check_tls(options));
    if (options.data_dir.empty()) return usage("--data needs a directory");
    if (!options.node.empty()) SYNCLINE_CHECK(check_node_name(options.node));
    return {};
}

Result<PeerCredentials> load_credentials(const ServerOptions& options) {
    return load_credentials(options.peer_secret_file, {options.peer_tls_cert, options.peer_tls_key,
                                                       options.peer_tls_ca, options.peer_tls_crl});
}

Result<std::optional<TlsContext>> load_client_tls(const ServerOptions& options) {
    if (!options.tls_port && !options.http_tls) return std::optional<TlsContext>();
    SYNCLINE_TRY(TlsContext context,
                 TlsContext::load({options.tls_cert, options.tls_key, options.tls_ca, {}},
                                  options.tls_clients));
    return std::optional<TlsContext>(std::move(context));
}

Result<void> load_users(const ServerOptions& options, AclUsers& users) {
    if (!options.password_file.empty()) {
        SYNCLINE_TRY(const Secret password, load_password(options.password_file));
        users.set_default_password(password.view());
    }
    if (options.users_file.empty()) return {};
    const Bytes errors = users.load(options.users_file);
    return errors.empty() ? Result<void>() : Result<void>(usage(errors));
}

Server::Server(ServerOptions options, Env env, std::unique_ptr<Loop> loop)
    : options_(std::move(options)),
      env_(env),
      loop_(std::move(loop)),
      ticker_(*loop_, [this]() { tick(); }),
      stop_wake_(*loop_, [this]() { stop(); }) {
    figures_.started_ms = env_.clock.steady_ms();
    rate_ms_ = figures_.started_ms;
    loop_->on_turn_end([this]() { turn_end(); });
}

Server::~Server() {
    web_.reset();
    sessions_.clear();
    peers_.reset();
}

Result<std::unique_ptr<Server>> Server::create(ServerOptions options, Env env) {
    SYNCLINE_CHECK(check(options));
    SYNCLINE_TRY(std::unique_ptr<Loop> loop, Loop::create());
    // The constructor is private.
    std::unique_ptr<Server> server(new Server(std::move(options), env, std::move(loop)));
    SYNCLINE_TRY(PeerCredentials credentials, load_credentials(server->options_));
    if (credentials.secret) {
        server->tokens_.emplace(*credentials.secret);
    } else {
        server->tokens_.emplace(Secret(random_bytes(env.random, secret_bytes_max)));
    }
    SYNCLINE_CHECK(load_users(server->options_, server->users()));
    server->clients_max_ = room_for_clients();
    SYNCLINE_CHECK(server->open_data());
    SYNCLINE_CHECK(server->open_ports(std::move(credentials)));
    server->describe_settings();
    return server;
}

Result<void> Server::open_data() {
    SYNCLINE_TRY(data_, DataDirectory::open(options_.data_dir, env_.random));
    SYNCLINE_CHECK(data_.rename(options_.node));
    SYNCLINE_CHECK(check_node_name(data_.identity.name));
    options_.node = data_.identity.name;
    const bool virgin = data_.identity.cluster.is_nil();
    if (virgin && !options_.init && !options_.peers.empty()) return {};
    if (virgin) SYNCLINE_CHECK(data_.join_cluster(random_uuid(env_.random)));
    founds_ = virgin || options_.init;
    const bool waits = data_.copying && !options_.init && !options_.peers.empty();
    if (waits) return begin_receiving();
    return open_replica();
}

std::string Server::client_address() const {
    std::uint16_t number = options_.plain_port ? options_.port : options_.tls_port.value_or(0);
    if (listener_) number = listener_->port();
    if (!options_.plain_port && tls_listener_) number = tls_listener_->port();
    return options_.bind + ":" + std::to_string(number);
}

Result<void> Server::open_replica() {
    ReplicaOptions options;
    options.checkpoint_interval_ms = options_.checkpoint_interval_ms;
    options.durability = options_.durability;
    options.sync_interval_ms = options_.sync_interval_ms;
    options.replicas = options_.replicas;
    options.policies = options_.policies;
    options.compressed_bytes_min = compressed_bytes_min();
    options.space = options_.space;
    options.log_retention = options_.log_retention;
    options.repair_bandwidth = options_.repair_bandwidth;
    options.primary_backup.mode = options_.replication;
    options.primary_backup.acks = options_.acks;
    options.primary_backup.ack_timeout_ms = options_.ack_timeout_ms;
    options.primary_backup.hold_suffix = options_.hold_suffix;
    options.primary_backup.founds = founds_;
    options.primary_backup.peers_configured = static_cast<unsigned>(options_.peers.size());
    options.primary_backup.client_address = client_address();
    options.conflicts.capture_values = options_.conflict_values;
    options.serves_copies = true;
    SYNCLINE_TRY(options.new_incarnation, data_.begin_run(options.durability));
    SYNCLINE_TRY(replica_, data_.open_replica(std::move(options), env_));
    replica_->on_applied = [this](const Event& event, BytesView) {
        dispatcher_.interest().note(event);
        config_.keyspace_events().stage(event, origin_of(event, *replica_), pubsub());
    };
    replica_->on_adopted = [this](const VersionVector&) { dispatcher_.interest().note_all(); };
    copies_ = std::make_unique<CopyServer>(*replica_, env_, compressed_bytes_min());
    figures_.cluster = to_string(data_.identity.cluster);
    log(LogLevel::info, "replica.open",
        {{"cluster", figures_.cluster},
         {"actor", to_string(replica_->actor())},
         {"keys", std::to_string(replica_->group().keys_count())}});
    return {};
}

Result<void> Server::open_ports(PeerCredentials credentials) {
    SYNCLINE_TRY(tls_, load_client_tls(options_));
    SYNCLINE_CHECK(open_client_ports());
    SYNCLINE_CHECK(open_http());
    if (credentials.tls) SYNCLINE_CHECK(credentials.tls->require_name(data_.identity.name));
    if (!credentials.secret && !credentials.tls) return {};
    PeerOwner& owner = *this;
    peers_ = std::make_unique<Peers>(*loop_, owner, std::move(credentials), env_);
    const TcpEndpoint peer_address{options_.peer_bind.empty() ? options_.bind : options_.peer_bind,
                                   options_.peer_port.value_or(peer_port_default)};
    SYNCLINE_TRY(peer_listener_,
                 TcpListener::listen(*loop_, peer_address,
                                     [this](std::unique_ptr<TcpConnection> connection) {
                                         peers_->accept(std::move(connection));
                                     }));
    return {};
}

Result<void> Server::open_client_ports() {
    const auto listen = [&](std::uint16_t port, bool secure) {
        return TcpListener::listen(*loop_, TcpEndpoint{options_.bind, port},
                                   [this, secure](std::unique_ptr<TcpConnection> connection) {
                                       accept(std::move(connection), secure);
                                   });
    };
    if (options_.plain_port) {
        SYNCLINE_TRY(listener_, listen(options_.port, false));
    }
    if (options_.tls_port) {
        SYNCLINE_TRY(tls_listener_, listen(*options_.tls_port, true));
    }
    return {};
}

Result<void> Server::open_http() {
    if (!options_.http_port) return {};
    const std::string& address = http_bind(options_);
    CommandHost& host = *this;
    const TlsContext* const tls = options_.http_tls ? &*tls_ : nullptr;
    auto web = WebApi::listen(*loop_, TcpEndpoint{address, *options_.http_port},
                              {!is_loopback(address), tls}, host, dispatcher_);
    if (!web) {
        return Error{web.error().code,
                     web.error().message + "; --http-port takes another port, or off"};
    }
    web_ = std::move(*web);
    return {};
}

std::optional<std::uint16_t> Server::http_port() const {
    return web_ ? std::optional(web_->port()) : std::nullopt;
}

std::optional<std::uint16_t> Server::tls_port() const {
    return tls_listener_ ? std::optional(tls_listener_->port()) : std::nullopt;
}

std::optional<std::uint16_t> Server::peer_port() const {
    return peer_listener_ ? std::optional(peer_listener_->port()) : std::nullopt;
}

/// What INFO and CONFIG GET tell of the options.
void Server::describe_settings() {
    figures_.version = options_.version;
    figures_.commit = options_.commit;
    figures_.node = options_.node;
    figures_.data_dir = options_.data_dir;
    figures_.port = port();
    figures_.peer_port = peer_port().value_or(0);
    figures_.http_port = http_port().value_or(0);
    if (replica_) replica_->set_client_address(client_address());
    const bool always = options_.durability == Durability::always;
    config_.set("appendfsync", always ? "always" : "everysec");
    config_.set("replication", to_string(options_.replication));
    config_.set("map-bytes", std::to_string(options_.space.map_bytes));
    config_.set("repair-bandwidth", std::to_string(options_.repair_bandwidth));
    config_.set("space-stop", std::to_string(options_.space.stop_percent));
    config_.set("port", std::to_string(port()));
    config_.set("bind", options_.bind);
    config_.set("maxclients", std::to_string(clients_max_));
    config_.set("tls-port", std::to_string(tls_port().value_or(0)));
    config_.set("tls-cert-file", options_.tls_cert);
    config_.set("tls-key-file", options_.tls_key);
    config_.set("tls-ca-cert-file", options_.tls_ca);
    config_.set("tls-auth-clients", options_.tls_clients == TlsUse::server          ? "no"
                                    : options_.tls_clients == TlsUse::server_asking ? "optional"
                                                                                    : "yes");
    config_.set("dir", options_.data_dir);
    config_.set("aclfile", options_.users_file);
    config_.set("protected-mode", options_.protected_mode ? "yes" : "no");
}

Result<void> Server::run() {
    ticker_.start_repeating(server_tick_ms);
    if (peers_) peers_->dial(options_.peers);
    if (!options_.users_file.empty() && !users().must_log_in()) {
        log(LogLevel::warning, "server.default_user_is_open", {{"file", options_.users_file}});
    }
    loop_->run();
    if (failure_) return *failure_;
    const bool synced = !replica_ || replica_->log().durable() == replica_->log().end();
    return synced ? data_.end_run() : Result<void>();
}

void Server::request_stop() {
    stop_wake_.wake();
}

Result<void> Server::handle_signals(std::function<void(int)> heard) {
    return loop_->on_signals({SIGTERM, SIGINT, SIGHUP},
                             [this, heard = std::move(heard)](int signal) {
                                 heard(signal);
                                 signal == SIGHUP ? reload_certificates() : stop();
                             });
}

void Server::change_setting(BytesView name, const std::string& value) {
    config_.set(name, value);
    setting_changed(name, value);
}

bool Server::change_peers(std::vector<TcpEndpoint> peers) {
    if (!peers_ || options_.replication != ReplicationMode::multi_master) return false;
    options_.peers = std::move(peers);
    peers_->dial(options_.peers);
    return true;
}

/// Connections stay as they are; those that come get the new ones.
void Server::reload_certificates() {
    if (!tls_) return;
    const Result<bool> changed = tls_->reload();
    if (!changed) {
        log(LogLevel::warning, "client.certificates_refused",
            {{"reason", changed.error().message}});
    } else if (*changed) {
        log(LogLevel::info, "client.certificates_read", {});
    }
}

void Server::fail(const Error& error) {
    if (!failure_) failure_ = error;
    loop_->stop();
}

void Server::tick() {
    const std::uint64_t now_ms = env_.clock.steady_ms();
    if (replica_) replica_->tick();
    if (peers_) peers_->tick();
    figures_.flushes = jobs_.flushes();
    observe();
    if (now_ms - rate_ms_ < rate_span_ms) return;
    reload_certificates();
    look_at_clocks();
    std::error_code missing;  // then the size stays unknown, as 0
    const auto bytes = std::filesystem::file_size(options_.data_dir + "/base/data.mdb", missing);
    figures_.base_bytes = missing ? 0 : bytes;
    const std::uint64_t commands = figures_.commands_processed;
    const std::uint64_t since = commands - std::min(commands, rate_commands_);
    figures_.commands_per_second = since * 1000 / (now_ms - rate_ms_);
    rate_commands_ = commands;
    rate_ms_ = now_ms;
}

// --- Commands

std::vector<ClientState*> Server::clients() {
    std::vector<ClientState*> clients;
    for (const auto& [id, session] : sessions_) {
        if (!session->over()) clients.push_back(&session->state());
    }
    return clients;
}

void Server::kill(ClientState& client, bool at_once) {
    const auto found = sessions_.find(client.order.id);
    if (found == sessions_.end()) return;
    if (at_once) {
        found->second->cut();
    } else {
        found->second->end_gently();
    }
}

void Server::unblocked(ClientState& client) {
    const auto found = sessions_.find(client.order.id);
    if (found != sessions_.end()) touched(*found->second);
}

void Server::push(ClientState& client, const Bytes& bytes) {
    const auto found = sessions_.find(client.order.id);
    if (found == sessions_.end()) return;
    if (client.owed == 0) figures_.bytes_out += bytes.size();  // else they count as replies
    found->second->push(bytes);
}

void Server::setting_changed(BytesView name, BytesView value) {
    if (name == "map-bytes") {
        options_.space.map_bytes = parse_memory(value).value_or(options_.space.map_bytes);
        if (replica_) replica_->set_map_bytes(options_.space.map_bytes);
        log(LogLevel::info, "server.map_bytes",
            {{"map_bytes", std::to_string(options_.space.map_bytes)}});
    } else if (name == "repair-bandwidth") {
        options_.repair_bandwidth = parse_memory(value).value_or(options_.repair_bandwidth);
        if (replica_) replica_->set_repair_bandwidth(options_.repair_bandwidth);
        log(LogLevel::info, "server.repair_bandwidth",
            {{"repair_bandwidth", std::to_string(options_.repair_bandwidth)}});
    }
}

std::vector<PeerView> Server::peers() {
    return peers_ ? peers_->views() : std::vector<PeerView>();
}

Result<void> Server::set_link(BytesView peer, bool up) {
    if (!peers_) return usage("this replica has no peers");
    return peers_->set_blocked(peer, !up);
}

Result<void> Server::request_session(BytesView peer) {
    if (!peers_) return usage("this replica has no peers");
    SYNCLINE_TRY(const LinkId link, peers_->find(peer));
    replica_->request_session(link);
    return {};
}

Bytes Server::make_token(const VersionVector& vv) {
    return tokens_->make(data_.identity.cluster, vv);
}

Result<VersionVector> Server::read_token(BytesView token) {
    return tokens_->read(data_.identity.cluster, token);
}

Result<void> Server::begin_comparison(BytesView peer, DifferenceQuestion question,
                                      const ClientState& client) {
    if (!peers_) return usage("this replica has no peers");
    SYNCLINE_TRY(const LinkId link, peers_->find(peer));
    return replica_->begin_comparison(link, std::move(question), client.order.id);
}

Result<void> Server::begin_backup(const std::string& path, std::uint64_t rate_bytes) {
    if (copies_->active()) {
        return Error{Code::unavailable, "a new replica copies the rows; ask again when it is done"};
    }
    return backup_.start(*replica_, path, rate_bytes, env_);
}

// --- Peers

PeerLink::Self Server::self() {
    PeerIdentity identity;
    identity.cluster = data_.identity.cluster;
    identity.node = data_.identity.node;
    identity.node_id = data_.identity.node_id;
    identity.incarnation = replica_ ? replica_->actor().incarnation : 0;
    return {identity, data_.identity.name};
}

/// The first peer that is a member of a cluster makes this replica one, too: the cluster's id is
/// durable before anything is written under it.
bool Server::admit(const PeerIdentity& peer) {
    if (failure_) return false;
    if (replica_) return peer.cluster.is_nil() || peer.cluster == data_.identity.cluster;
    if (peer.cluster.is_nil()) return false;
    if (receiver_) return peer.cluster == data_.identity.cluster;
    // In this order: a member that holds nothing must be known as one that has to copy.
    Result<void> joined = options_.copy_rows_min > 0 ? data_.begin_copy() : Result<void>();
    if (joined) joined = data_.join_cluster(peer.cluster);
    if (joined) joined = begin_receiving();
    if (!joined) fail(joined.error());
    return joined.has_value();
}

}  // namespace syncline
