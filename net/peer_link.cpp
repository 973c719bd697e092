#include "net/peer_link.hpp"

#include <algorithm>
#include <utility>

#include "core/base/assert.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t handshake_ms_max = 5000;
constexpr std::size_t name_bytes_max = 64;
/// A link is looked at this often; one on which nothing came between so many looks is given up, and
/// one on which nothing was sent between two gets a sign of life.
constexpr std::uint64_t look_ms = 500;
constexpr unsigned silent_looks_max = 6;
constexpr unsigned patient_looks_max = limits::copy_silence_ms_max / look_ms;
/// What is shorter is not what others wait behind.
constexpr std::size_t long_bytes_min = 64 * limits::kib;
constexpr const char* channel_label = "EXPORTER-syncline-peer";

}  // namespace

Result<void> check_node_name(BytesView name) {
    const bool printable =
        std::all_of(name.begin(), name.end(), [](char byte) { return byte > ' ' && byte <= '~'; });
    if (printable && !name.empty() && name.size() <= name_bytes_max) return {};
    return Error{Code::invalid_argument,
                 "the name of a node has 1 to 64 printable characters of ASCII and no spaces"};
}

Result<PeerCredentials> load_credentials(const std::string& secret_file, const TlsFiles& tls) {
    PeerCredentials credentials;
    if (!secret_file.empty()) {
        SYNCLINE_TRY(credentials.secret, load_secret(secret_file));
    }
    if (tls == TlsFiles()) return credentials;
    if (tls.certificate.empty() || tls.key.empty() || tls.authority.empty()) {
        return Error{
            Code::invalid_argument,
            "TLS between replicas needs three files: this node's certificate, its key, and "
            "the certificate of the authority that signs them"};
    }
    SYNCLINE_TRY(credentials.tls, TlsContext::load(tls));
    return credentials;
}

PeerLink::PeerLink(Loop& loop, LinkId id, PeerAuth::Role role,
                   std::unique_ptr<TcpConnection> connection, const PeerCredentials& credentials,
                   Self self, Random& random, Events events)
    : loop_(loop),
      id_(id),
      role_(role),
      connection_(std::move(connection)),
      credentials_(credentials),
      self_(std::move(self)),
      random_(random),
      reader_(limits::frame_before_auth_bytes_max),
      events_(std::move(events)),
      timer_(loop, [this]() { on_timer(); }),
      address_(connection_->remote_address()),
      since_ms_(loop.now_ms()),
      heard_ms_(since_ms_) {
    SYNCLINE_ASSERT(credentials.secret || credentials.tls);
    SYNCLINE_ASSERT(check_node_name(self_.name).has_value());
}

void PeerLink::start() {
    TcpConnection::Events events;
    events.on_data = [this](BytesView bytes) { receive(bytes); };
    events.on_close = [this](const std::optional<Error>& error) {
        fail(error ? *error : Error{Code::unavailable, "the peer closed the connection"});
    };
    connection_->start(std::move(events));
    timer_.start(handshake_ms_max);
    if (!credentials_.tls) return begin_proofs();
    tls_.emplace(*credentials_.tls,
                 outgoing() ? TlsSession::Role::client : TlsSession::Role::server);
    tls_->start();
    put(tls_->take_output());
}

/// With TLS the proofs are made with a key of this very connection, so that they are worth nothing
/// on another one: nobody in the middle can pass them on.
void PeerLink::begin_proofs() {
    if (tls_) {
        Bytes material = tls_->keying_material(channel_label);
        if (credentials_.secret)
            material = keyed_mac(*credentials_.secret, channel_label, material);
        channel_key_.emplace(std::move(material));
    }
    auth_.emplace(role_, channel_key_ ? *channel_key_ : *credentials_.secret, self_.identity,
                  random_);
    if (outgoing()) write(PeerFrame::hello, auth_->hello());
}

void PeerLink::send(std::uint8_t type, BytesView payload) {
    if (!ready()) return;
    const bool publication = type == static_cast<std::uint8_t>(MessageType::publication);
    if (publication && queued_bytes() > limits::publication_backlog_bytes_max) {
        ++dropped_;
        return;
    }
    if (payload.size() > limits::message_bytes_max) {
        return fail(Error{Code::limit, "a message of " + std::to_string(payload.size()) +
                                           " bytes for the peer, " +
                                           std::to_string(limits::message_bytes_max) +
                                           " are allowed"});
    }
    transmit(encode_message_frames(type, payload));
    if (!publication && payload.size() >= long_bytes_min) long_end_ = bytes_out_;
}

void PeerLink::write(PeerFrame type, BytesView payload) {
    transmit(encode_frame(static_cast<std::uint8_t>(type), payload));
}

void PeerLink::transmit(Bytes bytes) {
    if (!tls_) return put(std::move(bytes));
    tls_->send(bytes);
    put(tls_->take_output());
}

void PeerLink::put(Bytes bytes) {
    bytes_out_ += bytes.size();
    connection_->send(std::move(bytes));
}

void PeerLink::close() {
    over_ = true;
    timer_.stop();
    connection_->close();
}

void PeerLink::fail(const Error& error) {
    if (over_) return;
    close();
    events_.on_closed(*this, refusal_.value_or(error));
}

void PeerLink::on_timer() {
    if (!ready_) return fail(Error{Code::unavailable, "the handshake took too long"});
    look();
}

/// The system notices a dead connection after minutes, and after a cut of the network sends again
/// what was lost only after as long as the cut lasted: a new connection is sooner there. Looks are
/// counted and not time: what came while this process stood still has not been read yet.
void PeerLink::look() {
    const bool heard = std::exchange(seen_.bytes_in, bytes_in_) != bytes_in_;
    silent_looks_ = heard ? 0 : silent_looks_ + 1;
    if (silent_looks_ >= (events_.patient() ? patient_looks_max : silent_looks_max)) {
        return fail(Error{Code::unavailable, "nothing was heard from the peer for " +
                                                 std::to_string(silent_looks_ * look_ms) + " ms"});
    }
    if (seen_.bytes_out == bytes_out_) write(PeerFrame::name, self_.name);
    seen_.bytes_out = bytes_out_;
    const bool ended = std::exchange(seen_.messages_in, messages_in_) != messages_in_;
    const std::uint64_t left = bytes_out_ - queued_bytes();
    const bool leaves = std::exchange(seen_.left, left) != left && left < long_end_;
    // Bytes that end no message in so long a time are part of a long one.
    const bool comes = heard && !ended && brings_message();
    if (comes || leaves) events_.on_transfer(*this);
}

/// Part of a message has come, and it is no publication.
bool PeerLink::brings_message() const {
    const std::optional<std::uint8_t> type = joiner_.begun() ? joiner_.begun() : reader_.begun();
    return type && *type != static_cast<std::uint8_t>(MessageType::publication);
}

Result<void> PeerLink::recheck() const {
    if (!tls_ || !tls_->established()) return {};
    return tls_->recheck(*credentials_.tls);
}

void PeerLink::receive(BytesView bytes) {
    bytes_in_ += bytes.size();
    heard_ms_ = loop_.now_ms();
    if (!tls_) return take_plain(bytes);
    if (refusal_) return;  // until it closes, or the time is over
    const Result<void> taken = receive_tls(bytes);
    if (taken) return;
    put(tls_->take_output());  // what is wrong, for the other side
    if (ready_ || taken.error().code != Code::unauthorized) return fail(taken.error());
    refusal_ = taken.error();
}

Result<void> PeerLink::receive_tls(BytesView bytes) {
    const bool was_established = tls_->established();
    SYNCLINE_TRY(const Bytes plain, tls_->receive(bytes));
    put(tls_->take_output());
    if (!was_established && tls_->established()) begin_proofs();
    if (!plain.empty()) take_plain(plain);
    return {};
}

void PeerLink::take_plain(BytesView bytes) {
    reader_.feed(bytes);
    while (!over_) {
        const Result<std::optional<Frame>> frame = reader_.next();
        if (!frame) return fail(frame.error());
        if (!*frame) return;
        if (const Result<void> taken = take_frame(**frame); !taken) return fail(taken.error());
    }
}

Result<void> PeerLink::take_frame(const Frame& frame) {
    if (!proved_) return take_handshake(frame);
    SYNCLINE_TRY(const std::optional<Frame> message, joiner_.add(frame));
    if (!message) return {};
    ++messages_in_;
    if (message->type == static_cast<std::uint8_t>(PeerFrame::name)) {
        return take_name(message->payload);
    }
    if (!ready_ || message->type < core_frame_min) {
        return Error{Code::corrupt,
                     "unexpected frame of type " + std::to_string(unsigned{frame.type})};
    }
    events_.on_message(*this, message->type, message->payload);
    return {};
}

Result<void> PeerLink::take_name(BytesView name) {
    if (!check_node_name(name)) return Error{Code::corrupt, "the peer has no proper name"};
    if (!ready_) SYNCLINE_CHECK(tls_->check_name(std::string(name)));
    peer_name_ = Bytes(name);
    if (!ready_) become_ready();
    if (!over_) events_.on_name(*this);
    return {};
}

/// The acceptor says hello only after the other side has: a stranger learns nothing. One that it
/// has no use for gets the answer too, sees in it why, and goes.
Result<void> PeerLink::take_handshake(const Frame& frame) {
    if (refusal_) return *refusal_;
    if (frame.type == static_cast<std::uint8_t>(PeerFrame::hello)) {
        Result<std::optional<Bytes>> proof = auth_->on_hello(frame.payload);
        if (!proof && (outgoing() || proof.error().code == Code::corrupt)) return proof.error();
        if (!outgoing()) write(PeerFrame::hello, auth_->hello());
        if (!proof) {
            refusal_ = proof.error();
        } else if (*proof) {
            write(PeerFrame::proof, **proof);
        }
        return {};
    }
    if (frame.type != static_cast<std::uint8_t>(PeerFrame::proof)) {
        return Error{Code::unauthorized, "a message before the handshake"};
    }
    SYNCLINE_TRY(const std::optional<Bytes> proof, auth_->on_proof(frame.payload));
    if (proof) write(PeerFrame::proof, *proof);
    if (auth_->done()) finish_proofs();
    return {};
}

void PeerLink::finish_proofs() {
    proved_ = true;
    write(PeerFrame::name, self_.name);
    if (!tls_) become_ready();
}

void PeerLink::become_ready() {
    ready_ = true;
    since_ms_ = loop_.now_ms();
    timer_.start_repeating(look_ms);
    reader_.set_max(limits::frame_bytes_max);
    events_.on_ready(*this);
}

}  // namespace syncline
