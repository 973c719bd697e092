#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../core/database.hpp"

namespace syncline {

struct NodeOptions {
    /// Where to listen for peers: "127.0.0.1:7400", "[::1]:7400"; port 0 takes a free one. Empty:
    /// only this side dials.
    std::string listen = {};
    /// Whom to dial, again and again: "host:7400", "192.0.2.1:7400", "[2001:db8::1]:7400".
    std::vector<std::string> peers = {};
    /// What all members of the cluster know, 16 to 1024 bytes: in a file that only its owner may
    /// read, or in memory.
    std::string secret_file = {};
    std::string secret = {};
    /// TLS, with the secret or instead of it: PEM files of this node's certificate, which must be
    /// for the database's name (DatabaseOptions::replica), of its key, of the authority that signs
    /// those of all members, and of those that it takes back (may be empty). They are read again
    /// when they change.
    std::string tls_cert = {};
    std::string tls_key = {};
    std::string tls_ca = {};
    std::string tls_crl = {};
};

/// A peer that is configured, or has been here.
struct NodePeer {
    std::string name;     ///< empty until it is known
    std::string address;  ///< as configured, or where it came from
    std::string node;     ///< hexadecimal, as in DatabaseStats; empty until it is known
    bool connected = false;
    VersionVector version;  ///< what it is known to hold durably
};

/// Keeps a database in step with its peers, which may be other Nodes and servers (syncline serve):
/// all speak one protocol. Has a thread of its own; writes of the database are streamed to the
/// peers as soon as they are durable.
/// Failures: a connection that breaks is made anew, after pauses from 100 ms to 5 s; a peer that
/// does not know the secret, or is of another cluster, is refused with a line in the log. Nothing
/// is lost in between: what peers lack is found when they meet again.
/// With a secret alone the traffic is authenticated at its beginning and not encrypted.
/// Stops when it is destroyed. It may outlive its Database, and then has nothing to do.
/// Thread-safety: all methods, from any threads; not while it is moved or destroyed.
class Node {
public:
    /// Errors: invalid_argument (an address, the secret, the certificate), unauthorized (others may
    /// read the file of the secret or of the key), unavailable (the address is in use; the database
    /// is closed, or has a Node already), io.
    static Result<Node> start(const Database& database, const NodeOptions& options);

    Node(Node&& other) noexcept;
    Node& operator=(Node&& other) noexcept;
    ~Node();

    /// The port it listens on; nothing if it does not listen.
    [[nodiscard]] std::optional<std::uint16_t> port() const;
    [[nodiscard]] std::vector<NodePeer> peers() const;
    /// Waits until every configured peer is connected, and every connected peer holds what this
    /// database holds, and the other way round, as far as the two have heard of each other.
    /// Error unavailable: not within the timeout (the sentence names who is missing), or the
    /// database is closed.
    Result<void> wait_synced(std::chrono::milliseconds timeout) const;
    /// Lets the peers go and ends the thread. A second time does nothing.
    void stop();

private:
    class Impl;
    explicit Node(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
