#include "net/node.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/log.hpp"
#include "core/database_engine.hpp"
#include "net/endpoint.hpp"
#include "net/loop.hpp"
#include "net/peers.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t tick_ms = 100;

Result<PeerCredentials> credentials_of(const NodeOptions& options) {
    const TlsFiles tls{options.tls_cert, options.tls_key, options.tls_ca, options.tls_crl};
    const bool in_file = !options.secret_file.empty();
    const bool none = !in_file && options.secret.empty() && tls == TlsFiles();
    if (none || (in_file && !options.secret.empty())) {
        return Error{Code::invalid_argument,
                     "a Node needs one of secret_file and secret, or certificates: replicas prove "
                     "to each other that they know one secret; make one with: head -c 32 "
                     "/dev/urandom | base64"};
    }
    SYNCLINE_TRY(PeerCredentials credentials, load_credentials(options.secret_file, tls));
    if (options.secret.empty()) return credentials;
    const std::size_t bytes = options.secret.size();
    if (bytes < secret_bytes_min || bytes > secret_bytes_max) {
        return Error{Code::invalid_argument, "the secret must have " +
                                                 std::to_string(secret_bytes_min) + " to " +
                                                 std::to_string(secret_bytes_max) +
                                                 " bytes, it has " + std::to_string(bytes)};
    }
    credentials.secret.emplace(Bytes(options.secret));
    return credentials;
}

}  // namespace

/// The loop's side of a Node. Made and unmade by the caller while the thread does not run;
/// everything without a word about threads belongs to the loop's thread in between.
class Node::Impl final : private PeerOwner {
public:
    static Result<std::unique_ptr<Impl>> create(const Database& database,
                                                const NodeOptions& options);
    ~Impl() override;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    Result<void> start();
    void stop();

    // From any thread.
    [[nodiscard]] std::optional<std::uint16_t> port() const { return port_; }
    [[nodiscard]] std::vector<NodePeer> peers();
    Result<void> wait_synced(std::chrono::milliseconds timeout);

private:
    Impl(const Database& database, std::unique_ptr<Loop> loop)
        : engine_(database.engine()), loop_(std::move(loop)) {}
    Result<void> open(const NodeOptions& options);
    void tick();
    void turn_end();
    void publish();
    [[nodiscard]] std::string missing(const std::vector<PeerStatus>& statuses) const;

    // PeerOwner
    PeerLink::Self self() override;
    bool admit(const PeerIdentity& peer) override;
    void link_up(LinkId link, const Uuid& peer) override { engine_->link_up(link, peer); }
    void link_down(LinkId link) override { engine_->link_down(link); }
    void peer_message(LinkId link, std::uint8_t type, BytesView payload) override {
        engine_->receive_frame(link, type, payload);
    }
    void peer_transfer(LinkId link) override { engine_->note_transfer(link); }
    [[nodiscard]] bool copies_rows() const override { return false; }
    [[nodiscard]] bool counts_addresses() const override { return false; }

    SystemClock clock_;
    SystemRandom random_;
    std::shared_ptr<DatabaseEngine> engine_;  // shared with the Database, which may go first
    std::unique_ptr<Loop> loop_;
    std::vector<TcpEndpoint> endpoints_;
    std::vector<std::string> addresses_;  // the same, as Peers names them
    std::unique_ptr<Peers> peers_;
    std::unique_ptr<TcpListener> listener_;
    std::optional<std::uint16_t> port_;
    bool ended_ = false;  // the database is closed or has failed
    bool stopping_ = false;
    Timer ticker_{*loop_, [this]() { tick(); }};
    Wake wake_{*loop_, []() {}};  // the turn's end does the work
    Wake stop_wake_{*loop_, [this]() { stopping_ = true; }};
    std::thread thread_;

    std::mutex mutex_;  // guards what is below
    std::condition_variable changed_;
    std::vector<NodePeer> published_;
    std::string missing_ = "nobody was heard of yet";  // empty: in step
    std::uint64_t published_count_ = 0;
    bool over_ = false;
};

// --- From any thread

Result<std::unique_ptr<Node::Impl>> Node::Impl::create(const Database& database,
                                                       const NodeOptions& options) {
    SYNCLINE_TRY(std::unique_ptr<Loop> loop, Loop::create());
    std::unique_ptr<Impl> impl(new Impl(database, std::move(loop)));
    SYNCLINE_CHECK(impl->open(options));
    return impl;
}

Result<void> Node::Impl::open(const NodeOptions& options) {
    SYNCLINE_TRY(PeerCredentials credentials, credentials_of(options));
    // Of a closed database it is empty; what uses that one says so.
    const std::string name = engine_->identity().name;
    if (!name.empty()) SYNCLINE_CHECK(check_node_name(name));
    if (credentials.tls) SYNCLINE_CHECK(credentials.tls->require_name(name));
    for (const std::string& peer : options.peers) {
        SYNCLINE_TRY(TcpEndpoint endpoint, parse_endpoint(peer));
        addresses_.push_back(to_string(endpoint));
        endpoints_.push_back(std::move(endpoint));
    }
    PeerOwner& owner = *this;
    peers_ = std::make_unique<Peers>(*loop_, owner, std::move(credentials), Env{clock_, random_});
    if (options.listen.empty()) return {};
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(options.listen));
    SYNCLINE_TRY(listener_, TcpListener::listen(*loop_, endpoint,
                                                [this](std::unique_ptr<TcpConnection> connection) {
                                                    peers_->accept(std::move(connection));
                                                }));
    port_ = listener_->port();
    return {};
}

Result<void> Node::Impl::start() {
    loop_->on_turn_end([this]() { turn_end(); });
    SYNCLINE_CHECK(engine_->attach([this]() { wake_.wake(); }));
    thread_ = std::thread([this]() {
        ticker_.start_repeating(tick_ms);
        peers_->dial(endpoints_);
        loop_->run();
    });
    return {};
}

void Node::Impl::stop() {
    if (!thread_.joinable()) return;
    stop_wake_.wake();
    thread_.join();
    engine_->detach();
}

Node::Impl::~Impl() {
    stop();
}

std::vector<NodePeer> Node::Impl::peers() {
    const std::lock_guard lock(mutex_);
    return published_;
}

Result<void> Node::Impl::wait_synced(std::chrono::milliseconds timeout) {
    SYNCLINE_CHECK(engine_->check_caller());
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    std::unique_lock lock(mutex_);
    // What was published before the call may be older than the caller's last write.
    const std::uint64_t before = published_count_;
    const bool in_time = changed_.wait_until(lock, deadline, [&]() {
        return over_ || (published_count_ > before + 1 && missing_.empty());
    });
    if (over_) return Error{Code::unavailable, "the node has stopped, or its database is closed"};
    if (in_time) return {};
    return Error{Code::unavailable, "not in step after " + std::to_string(timeout.count()) +
                                        " ms: " + (missing_.empty() ? "busy" : missing_)};
}

// --- On the loop's thread

void Node::Impl::tick() {
    engine_->tick();
    peers_->tick();
    publish();
}

void Node::Impl::turn_end() {
    ended_ = ended_ || !engine_->open_for_links();
    DatabaseEngine::Output output = engine_->take_output();
    if (!ended_) {
        for (const Outgoing& message : output.messages) {
            peers_->send(message.link, message.type, message.payload);
        }
    }
    for (const auto& [link, reason] : output.closed) peers_->close(link, reason);
    peers_->finish_turn();
    if (!ended_ && !stopping_) return;
    ticker_.stop();
    listener_.reset();
    peers_->stop();
    peers_->finish_turn();
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
        for (NodePeer& peer : published_) peer.connected = false;
        changed_.notify_all();
    }
    if (stopping_) loop_->stop();
}

/// What other threads may know.
void Node::Impl::publish() {
    const std::vector<PeerStatus> statuses = engine_->peer_statuses();
    std::vector<NodePeer> peers;
    for (const PeerView& view : peers_->views()) {
        NodePeer peer;
        peer.name = view.name;
        peer.address = view.address;
        if (!view.uuid.is_nil()) peer.node = to_string(view.uuid);
        peer.connected = view.connected;
        for (const PeerStatus& status : statuses) {
            if (status.link == view.link) peer.version = status.vv;
        }
        peers.push_back(std::move(peer));
    }
    std::string lacking = missing(statuses);
    const std::lock_guard lock(mutex_);
    published_ = std::move(peers);
    missing_ = std::move(lacking);
    ++published_count_;
    changed_.notify_all();
}

/// Who is not in step, in words; empty: nobody.
std::string Node::Impl::missing(const std::vector<PeerStatus>& statuses) const {
    for (const std::string& address : addresses_) {
        if (peers_->is_itself(address)) continue;
        const Result<LinkId> link = peers_->find(address);
        if (!link) return address + ": " + link.error().message;
    }
    const std::optional<VersionVector> version = engine_->settled_version();
    if (!version) return "writes are on their way to the disk";
    for (const PeerStatus& status : statuses) {
        if (Exchanges::owns(status.link)) continue;
        if (!status.ready) return "node " + to_string(status.uuid) + " has not greeted yet";
        if (status.vv == *version) continue;
        return "node " + to_string(status.uuid) + " holds " + to_string(status.vv) + ", this one " +
               to_string(*version);
    }
    return {};
}

PeerLink::Self Node::Impl::self() {
    const Identity me = engine_->identity();
    PeerIdentity identity;
    identity.cluster = me.cluster;
    identity.node = me.node;
    identity.node_id = me.node_id;
    identity.incarnation = engine_->actor().incarnation;
    return {identity, me.name};
}

bool Node::Impl::admit(const PeerIdentity& peer) {
    const Result<void> admitted = engine_->admit(peer.cluster);
    if (!admitted)
        log(LogLevel::debug, "node.not_admitted", {{"reason", admitted.error().message}});
    return admitted.has_value();
}

// --- Node

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::Node(Node&& other) noexcept = default;
Node& Node::operator=(Node&& other) noexcept = default;
Node::~Node() = default;

Result<Node> Node::start(const Database& database, const NodeOptions& options) {
    SYNCLINE_TRY(std::unique_ptr<Impl> impl, Impl::create(database, options));
    SYNCLINE_CHECK(impl->start());
    return Node(std::move(impl));
}

std::optional<std::uint16_t> Node::port() const {
    return impl_->port();
}

std::vector<NodePeer> Node::peers() const {
    return impl_->peers();
}

Result<void> Node::wait_synced(std::chrono::milliseconds timeout) const {
    return impl_->wait_synced(timeout);
}

void Node::stop() {
    impl_->stop();
}

}  // namespace syncline
