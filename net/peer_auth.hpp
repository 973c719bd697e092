#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/env.hpp"
#include "core/base/result.hpp"
#include "core/engine/identity.hpp"

namespace syncline {

/// What all members of a cluster share. Never logged, never copied; its memory is wiped.
class Secret {
public:
    /// Takes the bytes over and wipes the argument.
    explicit Secret(Bytes&& bytes);
    ~Secret();
    Secret(Secret&& other) noexcept = default;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;

    /// Valid while the secret lives.
    [[nodiscard]] BytesView view() const;

private:
    void wipe();
    std::vector<char> bytes_;  // Not Bytes: a moved-from short string keeps its characters.
};

constexpr std::size_t secret_bytes_min = 16;
constexpr std::size_t secret_bytes_max = 1024;

/// Whether nobody but its owner may read or write a file: error unauthorized, with a sentence that
/// says what to do. `mode`: as stat() tells it; `what` it is, for people.
Result<void> check_private(unsigned mode, const std::string& what, const std::string& path);

/// Reads a secret of 16 to 1024 bytes from a file; one line end at its end does not count.
/// Errors: invalid_argument (it cannot be opened, its length), io, unauthorized (others than the
/// owner may read or write it; the sentence says what to do).
Result<Secret> load_secret(const std::string& path);
/// A password of 1 to 1024 bytes in the same way.
Result<Secret> load_password(const std::string& path);

/// HMAC-SHA256 (32 bytes) of label and message under the secret. Labels keep the uses of one secret
/// apart.
Bytes keyed_mac(const Secret& secret, BytesView label, BytesView message);
/// SHA-256 as 64 hexadecimal digits.
Bytes sha256_hex(BytesView bytes);
/// Nothing if it is no base64, with its padding.
std::optional<Bytes> from_base64(BytesView text);
/// Compares in a time that depends on the lengths only.
bool equal_constant_time(BytesView a, BytesView b);
/// Unpredictable as far as the generator is. SystemRandom is, a simulator's is not.
Bytes random_bytes(Random& random, std::size_t count);

/// Who speaks on a connection between replicas.
struct PeerIdentity {
    Uuid cluster;  ///< nil while not yet a member
    Uuid node;
    std::uint32_t node_id = 0;
    std::uint32_t incarnation = 0;
    std::uint32_t protocol_version = 1;

    bool operator==(const PeerIdentity&) const = default;
};

/// Both sides of a connection prove that they know the secret, before anything else is read.
/// Messages in, messages out; no I/O. net/PROTOCOL.md has the bytes and the reasons.
///
/// Happy path, I the initiator, A the acceptor:
///   I -> A hello   A -> I hello   I -> A proof   A -> I proof   both done
/// The acceptor proves nothing to a side that has not proved itself first. After any error the
/// object is of no more use and the connection must be closed.
class PeerAuth {
public:
    enum class Role : std::uint8_t { initiator, acceptor };

    /// The secret must outlive this.
    PeerAuth(Role role, const Secret& secret, const PeerIdentity& self, Random& random);

    /// The first message of either side; the same at each call.
    [[nodiscard]] const Bytes& hello() const { return hello_; }
    /// Takes the other side's hello; the initiator's answer is its proof, the acceptor's nothing.
    /// Errors: corrupt, version, unauthorized (reflected, own uuid or node id, another cluster).
    Result<std::optional<Bytes>> on_hello(BytesView message);
    /// Whether the other side's hello, be it refused or not, is the one that this object made: the
    /// two are the ends of one connection.
    [[nodiscard]] bool heard(const PeerAuth& other) const { return peer_hello_ == other.hello_; }
    /// Takes the other side's proof; the acceptor's answer is its own, the initiator's nothing.
    /// Errors: unauthorized (the secrets differ, or no hello came before).
    Result<std::optional<Bytes>> on_proof(BytesView message);

    /// The other side has proved itself.
    [[nodiscard]] bool done() const { return state_ == State::done; }
    /// Precondition: on_hello() succeeded. To be trusted only when done().
    [[nodiscard]] const PeerIdentity& peer() const { return peer_; }

private:
    enum class State : std::uint8_t { expects_hello, expects_proof, done, failed };

    Result<void> take_hello(BytesView message);
    [[nodiscard]] Result<void> check_peer(BytesView nonce) const;
    [[nodiscard]] Bytes proof_of(Role role) const;

    Role role_;
    State state_ = State::expects_hello;
    const Secret& secret_;
    PeerIdentity self_;
    PeerIdentity peer_;
    Bytes nonce_;
    Bytes hello_;
    Bytes peer_hello_;
};

}  // namespace syncline
