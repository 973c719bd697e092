#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/engine/replica.hpp"
#include "net/frame.hpp"
#include "net/loop.hpp"
#include "net/peer_auth.hpp"
#include "net/tcp.hpp"
#include "net/tls.hpp"

namespace syncline {

/// Frame types of the handshake; core's messages begin at 16 and pass through as they are.
enum class PeerFrame : std::uint8_t {
    hello = 1,
    proof = 2,
    name = 3,  ///< the sender's node name, after the proofs; again as a sign of life
};
constexpr std::uint8_t core_frame_min = 16;

/// How replicas prove to each other that they belong to one cluster: by a secret, by certificates,
/// or by both.
struct PeerCredentials {
    std::optional<Secret> secret;
    std::optional<TlsContext> tls;
};
/// Whether a node may have this name: 1 to 64 printable characters of ASCII, no spaces. Error
/// invalid_argument.
Result<void> check_node_name(BytesView name);
/// Reads what the files hold; an empty name is no file. Errors: those of load_secret and
/// TlsContext::load; invalid_argument: certificates need a certificate, a key and an authority.
Result<PeerCredentials> load_credentials(const std::string& secret_file, const TlsFiles& tls);

/// One connection to a peer: proves both sides, then carries frames.
///
/// Happy path: TLS, if there are certificates; hello and proof both ways within five seconds;
/// on_ready; names; on_message for each frame of core. A side that has sent nothing for half a
/// second sends its name again. With certificates the names come before on_ready, because they are
/// what certificates are for. Failures: a refused certificate, a wrong proof, a bad frame, silence
/// in the handshake, or for three seconds after it, the other side's end: on_closed with the
/// reason, once, never from inside a call of the owner. After that, and after close(), nothing
/// comes any more. Callbacks may call close(), but not destroy the link. Confined to the loop's
/// thread.
class PeerLink {
public:
    struct Events {
        std::function<void(PeerLink&)> on_ready;
        std::function<void(PeerLink&, std::uint8_t, BytesView)> on_message;
        std::function<void(PeerLink&, const Error&)> on_closed;
        std::function<void(PeerLink&)> on_name;
        /// A long message is on its way, in or out, and some of it went since the last look. It is
        /// no publication: nobody waits for one.
        std::function<void(PeerLink&)> on_transfer;
        /// Whether something hangs on the link that a new one would have to begin again, so that it
        /// may be silent for longer.
        std::function<bool()> patient;
    };
    struct Self {
        PeerIdentity identity;
        std::string name;
    };

    /// The credentials and random must outlive the link.
    PeerLink(Loop& loop, LinkId id, PeerAuth::Role role, std::unique_ptr<TcpConnection> connection,
             const PeerCredentials& credentials, Self self, Random& random, Events events);
    PeerLink(const PeerLink&) = delete;
    PeerLink& operator=(const PeerLink&) = delete;

    void start();
    /// Ignored before on_ready and after the end. A publication is dropped while the peer does not
    /// take what was sent before: it may be lost, and the memory of this replica is not its store.
    void send(std::uint8_t type, BytesView payload);
    /// Ends it without a callback.
    void close();
    /// Whether the credentials, which may have changed, still believe the peer's certificate; with
    /// none they do. Error unauthorized.
    [[nodiscard]] Result<void> recheck() const;

    [[nodiscard]] LinkId id() const { return id_; }
    [[nodiscard]] bool outgoing() const { return role_ == PeerAuth::Role::initiator; }
    [[nodiscard]] bool ready() const { return ready_ && !over_; }
    [[nodiscard]] bool over() const { return over_; }
    /// Precondition: ready.
    [[nodiscard]] const PeerIdentity& peer() const { return auth_->peer(); }
    /// Who the other side says it is; nil before its hello. To be trusted only when ready.
    [[nodiscard]] Uuid claimed_node() const { return auth_ ? auth_->peer().node : Uuid(); }
    /// Whether `other` is the far end of this link, which then leads from this process to itself.
    [[nodiscard]] bool comes_from(const PeerLink& other) const {
        return role_ != other.role_ && auth_ && other.auth_ && auth_->heard(*other.auth_);
    }
    [[nodiscard]] const std::string& peer_name() const { return peer_name_; }
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] std::uint64_t bytes_in() const { return bytes_in_; }
    [[nodiscard]] std::uint64_t bytes_out() const { return bytes_out_; }
    /// That were sent and that the system has not taken yet.
    [[nodiscard]] std::size_t queued_bytes() const { return connection_->queued_bytes(); }
    /// Publications that were not sent, because too much was queued.
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
    [[nodiscard]] std::uint64_t since_ms() const { return since_ms_; }
    /// When bytes last came, in the loop's time.
    [[nodiscard]] std::uint64_t heard_ms() const { return heard_ms_; }

private:
    /// Counts at the last look.
    struct Seen {
        std::uint64_t bytes_in = 0;
        std::uint64_t bytes_out = 0;
        std::uint64_t messages_in = 0;
        std::uint64_t left = 0;  ///< bytes that had left
    };

    void receive(BytesView bytes);
    Result<void> receive_tls(BytesView bytes);
    void take_plain(BytesView bytes);
    Result<void> take_frame(const Frame& frame);
    Result<void> take_handshake(const Frame& frame);
    Result<void> take_name(BytesView name);
    void begin_proofs();
    void finish_proofs();
    void become_ready();
    void on_timer();
    void look();
    [[nodiscard]] bool brings_message() const;
    void write(PeerFrame type, BytesView payload);
    void transmit(Bytes bytes);
    void put(Bytes bytes);
    void fail(const Error& error);

    Loop& loop_;
    LinkId id_;
    PeerAuth::Role role_;
    std::unique_ptr<TcpConnection> connection_;
    const PeerCredentials& credentials_;
    Self self_;
    Random& random_;
    std::optional<TlsSession> tls_;
    std::optional<Secret> channel_key_;  // of this connection; none without TLS
    std::optional<PeerAuth> auth_;       // from the end of TLS on
    FrameReader reader_;
    MessageJoiner joiner_;
    Events events_;
    Timer timer_;  // of the handshake; then of looks
    std::string address_;
    std::string peer_name_;
    std::uint64_t bytes_in_ = 0;
    std::uint64_t bytes_out_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t messages_in_ = 0;
    std::uint64_t long_end_ = 0;  // of the last long message: bytes out behind it
    Seen seen_;
    unsigned silent_looks_ = 0;
    std::uint64_t since_ms_;
    std::uint64_t heard_ms_;
    std::optional<Error> refusal_;  // of the other side; it has been told and will close
    bool proved_ = false;
    bool ready_ = false;
    bool over_ = false;
};

}  // namespace syncline
