#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/backup/copy_receiver.hpp"
#include "core/backup/copy_server.hpp"
#include "core/backup/job.hpp"
#include "core/engine/data_directory.hpp"
#include "core/engine/storage_jobs.hpp"
#include "net/causal_token.hpp"
#include "net/commands/command.hpp"
#include "net/commands/dispatcher.hpp"
#include "net/loop.hpp"
#include "net/peers.hpp"
#include "net/session.hpp"
#include "net/tcp.hpp"
#include "net/tls.hpp"

namespace syncline {

class WebApi;

struct ServerOptions {
    std::string version;  ///< of the program, for INFO
    std::string commit;
    std::string node;  ///< for people; empty: as the data directory remembers, else "syncline"
    std::string data_dir = "syncline-data";
    std::string bind = "127.0.0.1";         ///< of the client port
    std::uint16_t port = 7379;              ///< 0: a free one
    bool plain_port = true;                 ///< false: clients come by tls_port alone
    std::optional<std::uint16_t> tls_port;  ///< of clients that speak TLS; 0: a free one
    std::string tls_cert;                   ///< PEM files, of tls_port and of http_tls
    std::string tls_key;
    std::string tls_ca;                             ///< who signs certificates of clients
    TlsUse tls_clients = TlsUse::server_demanding;  ///< whether clients must show one
    bool http_tls = false;                          ///< the HTTP port speaks TLS
    bool protected_mode = true;              ///< without a password, clients on loopback only
    std::string password_file;               ///< of the default user; this or
    std::string users_file;                  ///< of all users, as Redis's aclfile
    std::string peer_bind;                   ///< of the peer port; empty: as `bind`
    std::optional<std::uint16_t> peer_port;  ///< none: 7380 when there are credentials
    std::vector<TcpEndpoint> peers;
    std::string peer_secret_file;  ///< this, or certificates: else no peer port, no peers
    std::string peer_tls_cert;     ///< PEM files: see net/tls.hpp
    std::string peer_tls_key;
    std::string peer_tls_ca;
    std::string peer_tls_crl;
    std::string http_bind;                   ///< of the HTTP port; empty: as `bind`
    std::optional<std::uint16_t> http_port;  ///< none: no HTTP port; 0: a free one
    bool init = false;                       ///< founds a cluster although peers are given
    unsigned replicas = 0;                   ///< of the cluster; 0: not declared
    KeyPolicies policies;                    ///< the same at all replicas
    /// A new replica copies the rows of a peer that has so many, before it serves; 0: never.
    std::uint64_t copy_rows_min = limits::copy_rows_min;
    bool peer_compression = true;  ///< of large messages to peers
    bool conflict_values = true;   ///< records of conflicts keep values, up to 1 KiB
    std::uint64_t checkpoint_interval_ms = limits::checkpoint_interval_ms;
    Durability durability = Durability::always;
    std::uint64_t sync_interval_ms = limits::sync_interval_ms;  ///< of Durability::interval
    SpaceOptions space;  ///< how far map and disk may be filled
    LogRetention log_retention = {limits::log_retention_bytes, limits::log_retention_ms};
    std::uint64_t repair_bandwidth = 0;  ///< bytes a second sent for repair; 0: no cap
    ReplicationMode replication = ReplicationMode::multi_master;
    std::optional<unsigned> acks = 0;     ///< backups that must hold a write; nothing: all
    std::uint64_t ack_timeout_ms = 5000;  ///< then the client hears that it is unconfirmed
    bool hold_suffix = false;             ///< of an old primary; else it is merged
};

/// What is wrong with the options, in a sentence for whoever starts the server.
Result<void> check(const ServerOptions& options);
/// Of its files. Errors as of the other load_credentials.
Result<PeerCredentials> load_credentials(const ServerOptions& options);

/// Of its files: all users, or the password of the default one. Errors: invalid_argument (a file
/// cannot be read, or a line of it is wrong), unauthorized (others may read it), io.
Result<void> load_users(const ServerOptions& options, AclUsers& users);

/// Of the client port; nothing: clients speak no TLS. Errors: those of TlsContext::load.
Result<std::optional<TlsContext>> load_client_tls(const ServerOptions& options);

/// A replica on its loop, with its clients, its peers and its storage threads.
///
/// Happy path of a turn: requests run and peers' messages are applied; at its end the log thread
/// gets what was appended, and whatever is durable leaves: replies, messages. A turn that only read
/// durable data replies at once.
/// Start: the data directory is locked and read. A replica that founds a cluster, or is a member,
/// serves at once; one with peers and without a cluster takes that of the first peer that has one,
/// and answers LOADING until then, and until it has copied the rows of that peer, if they are many.
/// Stop: no more connections and requests; what was accepted becomes durable and is replied to; a
/// last checkpoint; the end. A storage failure ends it at once, with nothing acknowledged.
/// Confined to the thread that runs it, but for request_stop().
class Server final : private CommandHost, private SessionOwner, private PeerOwner {
public:
    /// Errors: those of check(), locked, corrupt, version, io, no_space, unavailable (a port).
    static Result<std::unique_ptr<Server>> create(ServerOptions options, Env env);
    ~Server() override;

    /// Serves until it is stopped. Error: why it could not go on.
    Result<void> run();
    /// Begins to stop. From any thread. A second time: stops at once.
    void request_stop();
    /// SIGTERM and SIGINT stop the server, SIGHUP lets it read its certificates; `heard` is told of
    /// each first, on the loop's thread. Error io.
    Result<void> handle_signals(std::function<void(int)> heard);
    /// As CONFIG SET does. Precondition: a setting that is no fixed one, and a value it may have.
    /// On the loop's thread.
    void change_setting(BytesView name, const std::string& value);
    /// Dials these peers from now on, and no others. False: not before the next start, because
    /// there is no peer port, or the number of peers decides who is primary. On the loop's thread.
    bool change_peers(std::vector<TcpEndpoint> peers);

    /// 0 when there is none, and clients come by TLS alone.
    [[nodiscard]] std::uint16_t port() const { return listener_ ? listener_->port() : 0; }
    /// Nothing when there is none.
    [[nodiscard]] std::optional<std::uint16_t> tls_port() const;
    /// Nothing when there is no peer port.
    [[nodiscard]] std::optional<std::uint16_t> peer_port() const;
    /// Nothing when it is off.
    [[nodiscard]] std::optional<std::uint16_t> http_port() const;
    [[nodiscard]] const Identity& identity() const { return data_.identity; }
    [[nodiscard]] const ServerOptions& options() const { return options_; }

private:
    /// The steps of a stop; each waits until the one before is done.
    enum class Phase : std::uint8_t { running, flushing, checkpointing, parting };

    Server(ServerOptions options, Env env, std::unique_ptr<Loop> loop);

    Result<void> open_data();
    Result<void> open_replica();
    [[nodiscard]] std::string client_address() const;
    // Copies of rows, to this replica and from it: net/server_copy.cpp
    [[nodiscard]] std::size_t compressed_bytes_min() const;
    Result<void> begin_receiving();
    void turn_receiving();
    void end_receiving();
    void turn_serving();
    Result<void> open_ports(PeerCredentials credentials);
    Result<void> open_client_ports();
    Result<void> open_http();
    void reload_certificates();
    void describe_settings();
    void observe();
    void accept(std::unique_ptr<TcpConnection> connection, bool secure);
    /// Why a new client is turned away; empty: it is not.
    [[nodiscard]] Bytes refusal_of(const TcpConnection& connection);
    void look_at_clocks();
    void tick();
    void turn_end();
    void complete_comparisons();
    void resume_waits();
    void time_waits();
    void run_sessions();
    [[nodiscard]] bool is_deciding() const;
    void route(Committed committed);
    void hand_on(const std::vector<Outgoing>& messages,
                 const std::vector<std::pair<LinkId, Error>>& closed);
    void deliver(Reply reply);
    void finish_sessions();
    void stop();
    void drain();
    void part();
    [[nodiscard]] bool all_replied() const;
    void fail(const Error& error);

    // CommandHost
    Env env() override { return env_; }
    Replica* replica() override { return replica_.get(); }
    ServerFigures& figures() override { return figures_; }
    ConfigTable& config() override { return config_; }
    std::vector<ClientState*> clients() override;
    void kill(ClientState& client, bool at_once) override;
    void unblocked(ClientState& client) override;
    void push(ClientState& client, const Bytes& bytes) override;
    std::vector<PeerView> peers() override;
    Health health() override;
    void setting_changed(BytesView name, BytesView value) override;
    Result<void> shut_down() override;
    ReplicationView replication() override;
    Result<void> set_link(BytesView peer, bool up) override;
    Result<void> request_session(BytesView peer) override;
    Result<void> begin_comparison(BytesView peer, DifferenceQuestion question,
                                  const ClientState& client) override;
    Bytes make_token(const VersionVector& vv) override;
    Result<VersionVector> read_token(BytesView token) override;
    Result<void> begin_backup(const std::string& path, std::uint64_t rate_bytes) override;
    BackupStatus backup_status() override { return backup_.status(); }
    Result<void> cancel_backup() override { return backup_.cancel(); }
    std::optional<CopyProgress> copying() override;
    // SessionOwner
    Dispatcher& dispatcher() override { return dispatcher_; }
    [[nodiscard]] const AclUsers& known_users() const override { return users(); }
    bool may_run() override;
    std::uint64_t& turn_bytes() override { return turn_bytes_; }
    void touched(ClientSession& session) override;
    void received(std::size_t bytes) override { figures_.bytes_in += bytes; }
    [[nodiscard]] const OutputLimit& subscriber_limit() const override {
        return config_.output_limits().pubsub;
    }
    [[nodiscard]] std::uint64_t now_ms() const override { return env_.clock.steady_ms(); }
    void cut_for_output() override { ++figures_.clients_cut; }
    // PeerOwner
    PeerLink::Self self() override;
    bool admit(const PeerIdentity& peer) override;
    void link_up(LinkId link, const Uuid& peer) override;
    void link_down(LinkId link) override;
    void peer_message(LinkId link, std::uint8_t type, BytesView payload) override;
    void peer_transfer(LinkId link) override;
    [[nodiscard]] bool copies_rows() const override;
    [[nodiscard]] bool counts_addresses() const override {
        return options_.replication == ReplicationMode::primary_backup;
    }

    ServerOptions options_;
    Env env_;
    std::unique_ptr<Loop> loop_;
    ServerFigures figures_;
    ConfigTable config_;
    Dispatcher dispatcher_{*this};
    std::optional<Error> failure_;

    DataDirectory data_;
    std::unique_ptr<Replica> replica_;  // null: the cluster, or what it holds, is not known yet
    Wake jobs_wake_{*loop_, [this]() { jobs_.collect(); }};
    StorageJobs jobs_{[this]() { jobs_wake_.wake(); }};    // uses the replica
    Wake backup_wake_{*loop_, []() {}};                    // the turn that follows goes on with it
    BackupJob backup_{[this]() { backup_wake_.wake(); }};  // uses the replica

    std::unique_ptr<CopyServer> copies_;  // uses the replica
    Wake copy_wake_{*loop_, []() {}};     // the turn that follows goes on with it
    /// Not null: there is no replica yet, rows of a peer may have to be copied first.
    std::unique_ptr<CopyReceiver> receiver_;

    std::size_t clients_max_ = limits::clients_max;  // that there are descriptors for
    std::uint64_t next_client_ = 1;
    std::map<std::uint64_t, std::unique_ptr<ClientSession>> sessions_;
    std::vector<std::uint64_t> touched_;  // ids of sessions that finish_turn() is due for
    bool founds_ = false;                 // primary-backup: primary of the first term
    std::set<std::uint64_t> waiting_;     // ids of sessions that wait for other replicas
    Timer wait_timer_{*loop_, []() {}};   // the turn that follows looks at them
    bool decision_awaited_ = false;       // one was under way; clients may wait for its end
    std::uint64_t turn_bytes_ = 0;
    bool held_ = false;                   // sessions wait for may_run()
    std::optional<CausalTokens> tokens_;  // under the cluster's secret, or one of this run
    std::unique_ptr<Peers> peers_;        // null: no credentials, no peers
    std::optional<TlsContext> tls_;       // outlives the connections that speak TLS
    std::unique_ptr<TcpListener> listener_;
    std::unique_ptr<TcpListener> tls_listener_;
    std::unique_ptr<TcpListener> peer_listener_;
    ReplicationTracker tracker_;
    bool caught_up_ = false;       // once since the start
    std::unique_ptr<WebApi> web_;  // null: no HTTP port

    Phase phase_ = Phase::running;
    std::uint64_t checkpoints_before_ = 0;  // the last one
    std::uint64_t stop_deadline_ms_ = 0;
    std::uint64_t rate_ms_ = 0;  // when the rate of commands was last taken
    std::uint64_t rate_commands_ = 0;
    Timer ticker_;
    Wake stop_wake_;
};

}  // namespace syncline
