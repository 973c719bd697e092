#pragma once
#include "core/base/result.hpp"
#include "core/engine/identity.hpp"
#include "crdt/version_vector.hpp"
#include "net/peer_auth.hpp"

namespace syncline {

/// What a client has seen and written, as text that it can take from one replica to another: the
/// version vector of the replica that served it, with a MAC, so that nobody can make replicas wait
/// for transactions that never were. It says nothing of the data.
/// Replicas that share a peer secret and a cluster understand each other's tokens.
/// Thread-safety: confined to one thread.
class CausalTokens {
public:
    explicit CausalTokens(const Secret& secret);

    /// Lower-case hexadecimal digits, two for a byte: 17 bytes and about 10 for each actor.
    [[nodiscard]] Bytes make(const Uuid& cluster, const VersionVector& vv) const;
    /// Error unauthorized: it is damaged, or not of this cluster and its secret.
    [[nodiscard]] Result<VersionVector> read(const Uuid& cluster, BytesView token) const;

private:
    [[nodiscard]] Bytes mac(const Uuid& cluster, BytesView content) const;

    Secret key_;  ///< made of the secret
};

}  // namespace syncline
