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

namespace syncline {

/// Frame types of the handshake; core's messages begin at 16 and pass through as they are.
enum class PeerFrame : std::uint8_t {
    hello = 1,
    proof = 2,
    name = 3,  ///< the sender's node name, once, after the proofs
};
constexpr std::uint8_t core_frame_min = 16;

/// One connection to a peer: proves both sides, then carries frames.
///
/// Happy path: hello and proof both ways within five seconds; on_ready; names; on_message for each
/// frame of core. Failures: a wrong proof, a bad frame, silence in the handshake, the other side's
/// end: on_closed with the reason, once, never from inside a call of the owner. After that, and
/// after close(), nothing comes any more.
/// Callbacks may call close(), but not destroy the link. Confined to the loop's thread.
class PeerLink {
public:
    struct Events {
        std::function<void(PeerLink&)> on_ready;
        std::function<void(PeerLink&, std::uint8_t, BytesView)> on_message;
        std::function<void(PeerLink&, const Error&)> on_closed;
        std::function<void(PeerLink&)> on_name;
    };
    struct Self {
        PeerIdentity identity;
        std::string name;
    };

    /// The secret and random must outlive the link.
    PeerLink(Loop& loop, LinkId id, PeerAuth::Role role, std::unique_ptr<TcpConnection> connection,
             const Secret& secret, Self self, Random& random, Events events);
    PeerLink(const PeerLink&) = delete;
    PeerLink& operator=(const PeerLink&) = delete;

    void start();
    /// Ignored before on_ready and after the end.
    void send(std::uint8_t type, BytesView payload);
    /// Ends it without a callback.
    void close();

    [[nodiscard]] LinkId id() const { return id_; }
    [[nodiscard]] bool outgoing() const { return role_ == PeerAuth::Role::initiator; }
    [[nodiscard]] bool ready() const { return ready_ && !over_; }
    [[nodiscard]] bool over() const { return over_; }
    /// Precondition: ready.
    [[nodiscard]] const PeerIdentity& peer() const { return auth_.peer(); }
    /// Who the other side says it is; nil before its hello. To be trusted only when ready.
    [[nodiscard]] const Uuid& claimed_node() const { return auth_.peer().node; }
    [[nodiscard]] const std::string& peer_name() const { return peer_name_; }
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] std::uint64_t bytes_in() const { return bytes_in_; }
    [[nodiscard]] std::uint64_t bytes_out() const { return bytes_out_; }
    [[nodiscard]] std::uint64_t since_ms() const { return since_ms_; }
    /// When bytes last came, in the loop's time.
    [[nodiscard]] std::uint64_t heard_ms() const { return heard_ms_; }

private:
    void receive(BytesView bytes);
    Result<void> take_frame(const Frame& frame);
    Result<void> take_handshake(const Frame& frame);
    void become_ready();
    void write(PeerFrame type, BytesView payload);
    void fail(const Error& error);

    Loop& loop_;
    LinkId id_;
    PeerAuth::Role role_;
    std::unique_ptr<TcpConnection> connection_;
    PeerAuth auth_;
    FrameReader reader_;
    MessageJoiner joiner_;
    std::string name_;
    Events events_;
    Timer deadline_;
    std::string address_;
    std::string peer_name_;
    std::uint64_t bytes_in_ = 0;
    std::uint64_t bytes_out_ = 0;
    std::uint64_t since_ms_;
    std::uint64_t heard_ms_;
    std::optional<Error> refusal_;  // of its hello; it has the answer and will close
    bool ready_ = false;
    bool over_ = false;
};

}  // namespace syncline
