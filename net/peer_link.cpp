#include "net/peer_link.hpp"

#include <utility>

namespace syncline {
namespace {

constexpr std::uint64_t handshake_ms_max = 5000;
constexpr std::size_t name_bytes_max = 64;
constexpr unsigned keep_alive_s = 15;

bool is_name(BytesView name) {
    if (name.empty() || name.size() > name_bytes_max) return false;
    for (const char byte : name) {
        if (byte <= ' ' || byte > '~') return false;
    }
    return true;
}

}  // namespace

PeerLink::PeerLink(Loop& loop, LinkId id, PeerAuth::Role role,
                   std::unique_ptr<TcpConnection> connection, const Secret& secret, Self self,
                   Random& random, Events events)
    : loop_(loop),
      id_(id),
      role_(role),
      connection_(std::move(connection)),
      auth_(role, secret, self.identity, random),
      reader_(limits::frame_before_auth_bytes_max),
      name_(std::move(self.name)),
      events_(std::move(events)),
      deadline_(loop,
                [this]() {
                    fail(Error{Code::unavailable, "the handshake took too long"});
                }),
      address_(connection_->remote_address()),
      since_ms_(loop.now_ms()),
      heard_ms_(since_ms_) {}

void PeerLink::start() {
    connection_->keep_alive(keep_alive_s);
    TcpConnection::Events events;
    events.on_data = [this](BytesView bytes) { receive(bytes); };
    events.on_close = [this](const std::optional<Error>& error) {
        fail(error ? *error : Error{Code::unavailable, "the peer closed the connection"});
    };
    connection_->start(std::move(events));
    deadline_.start(handshake_ms_max);
    if (outgoing()) write(PeerFrame::hello, auth_.hello());
}

void PeerLink::send(std::uint8_t type, BytesView payload) {
    if (!ready()) return;
    if (payload.size() > limits::message_bytes_max) {
        return fail(Error{Code::limit, "a message of " + std::to_string(payload.size()) +
                                           " bytes for the peer, " +
                                           std::to_string(limits::message_bytes_max) +
                                           " are allowed"});
    }
    Bytes frames = encode_message_frames(type, payload);
    bytes_out_ += frames.size();
    connection_->send(std::move(frames));
}

void PeerLink::write(PeerFrame type, BytesView payload) {
    Bytes frame = encode_frame(static_cast<std::uint8_t>(type), payload);
    bytes_out_ += frame.size();
    connection_->send(std::move(frame));
}

void PeerLink::close() {
    over_ = true;
    deadline_.stop();
    connection_->close();
}

void PeerLink::fail(const Error& error) {
    if (over_) return;
    close();
    events_.on_closed(*this, refusal_.value_or(error));
}

void PeerLink::receive(BytesView bytes) {
    bytes_in_ += bytes.size();
    heard_ms_ = loop_.now_ms();
    reader_.feed(bytes);
    while (!over_) {
        const Result<std::optional<Frame>> frame = reader_.next();
        if (!frame) return fail(frame.error());
        if (!*frame) return;
        if (const Result<void> taken = take_frame(**frame); !taken) return fail(taken.error());
    }
}

Result<void> PeerLink::take_frame(const Frame& frame) {
    if (!ready_) return take_handshake(frame);
    SYNCLINE_TRY(const std::optional<Frame> message, joiner_.add(frame));
    if (!message) return {};
    if (message->type >= core_frame_min) {
        events_.on_message(*this, message->type, message->payload);
        return {};
    }
    if (message->type != static_cast<std::uint8_t>(PeerFrame::name) || !is_name(message->payload)) {
        return Error{Code::corrupt,
                     "unexpected frame of type " + std::to_string(unsigned{frame.type})};
    }
    peer_name_ = Bytes(message->payload);
    events_.on_name(*this);
    return {};
}

/// The acceptor says hello only after the other side has: a stranger learns nothing. One that it
/// has no use for gets the answer too, sees in it why, and goes.
Result<void> PeerLink::take_handshake(const Frame& frame) {
    if (refusal_) return *refusal_;
    if (frame.type == static_cast<std::uint8_t>(PeerFrame::hello)) {
        Result<std::optional<Bytes>> proof = auth_.on_hello(frame.payload);
        if (!proof && (outgoing() || proof.error().code == Code::corrupt)) return proof.error();
        if (!outgoing()) write(PeerFrame::hello, auth_.hello());
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
    SYNCLINE_TRY(const std::optional<Bytes> proof, auth_.on_proof(frame.payload));
    if (proof) write(PeerFrame::proof, *proof);
    if (auth_.done()) become_ready();
    return {};
}

void PeerLink::become_ready() {
    ready_ = true;
    since_ms_ = loop_.now_ms();
    deadline_.stop();
    reader_.set_max(limits::frame_bytes_max);
    if (is_name(name_)) write(PeerFrame::name, name_);
    events_.on_ready(*this);
}

}  // namespace syncline
