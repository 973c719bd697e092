#pragma once
#include <openssl/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

/// TLS: between replicas, where both sides show a certificate, and of clients and their servers.
/// Bytes in, bytes out; no I/O but the files.
namespace syncline {

/// What an end of connections shows and asks for.
enum class TlsUse : std::uint8_t {
    peer,              ///< a replica to replicas: each shows a certificate of the one authority
    server,            ///< shows one, and asks clients for none
    server_asking,     ///< lets those in, too, who show none
    server_demanding,  ///< lets nobody in who shows none
    client,            ///< checks the server's, and shows one if it has one
};

/// PEM files.
struct TlsFiles {
    std::string certificate;  ///< of this node, then those that lead to the authority, if any
    std::string key;  ///< the certificate's, without a password; nobody but its owner reads it
    /// Who signs the certificates of this cluster's nodes, and no others; or those of the other
    /// side. Of a client it may be empty: those that the system knows.
    std::string authority;
    std::string
        revoked;  ///< the authority's list (CRL) of certificates it takes back; may be empty

    bool operator==(const TlsFiles&) const = default;
};

/// What this node shows and whom it believes. Files may change while it lives.
/// Thread-safety: confined to one thread.
class TlsContext {
public:
    /// Errors: invalid_argument (a file cannot be read or is none of its kind, the key is
    /// another's, the certificate is not the authority's, or not for both ends of connections),
    /// unauthorized (others may read the key). That the certificate has expired is no error here:
    /// the other side says so, and a new one may come.
    /// Of other uses than peer only what they need is looked at.
    static Result<TlsContext> load(const TlsFiles& files, TlsUse use = TlsUse::peer);

    TlsContext(TlsContext&& other) noexcept;
    TlsContext& operator=(TlsContext&& other) noexcept;
    ~TlsContext();

    /// Reads the files again if they have changed; true: they had. What is connected stays, see
    /// TlsSession::recheck. Errors as above; then it goes on with what it has.
    Result<bool> reload();
    /// The certificate, and each that takes its place, must be for this node. Error
    /// invalid_argument, with the names that it is for.
    Result<void> require_name(const std::string& name);

private:
    friend class TlsSession;
    struct Freer {
        void operator()(SSL_CTX* context) const;
    };
    using Context = std::unique_ptr<SSL_CTX, Freer>;
    /// When each file was last written, to the nanosecond; one that is missing: never.
    using Times = std::array<std::int64_t, 4>;

    TlsContext(TlsFiles files, TlsUse use, const Times& times, Context context);
    static Result<Context> read(const TlsFiles& files, TlsUse use, const std::string& name);
    static Times times_of(const TlsFiles& files);

    TlsFiles files_;
    TlsUse use_;
    Times times_;
    Context context_;
    std::string name_;  ///< empty: of any node
};

/// One connection. TLS 1.2 or newer; nothing is resumed, so that every connection shows its
/// certificates.
///
/// Happy path: start(); bytes go through receive() and take_output() until established(); then
/// check_name(), send() and receive(). After an error nothing but take_output(), which may hold an
/// alert that tells the other side.
class TlsSession {
public:
    enum class Role : std::uint8_t { client, server };

    /// `host`: the name or IP address that the server's certificate must be for; empty: it is not
    /// looked at.
    TlsSession(const TlsContext& context, Role role, const std::string& host = {});
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    /// The client's first bytes are output then.
    void start();
    /// Takes bytes of the connection; the plain ones that they hold, of whole records; those in
    /// front of what is wrong, too, which the next call tells. Errors:
    /// unauthorized (the sentence says what is wrong with whose certificate), corrupt (no TLS, or
    /// damaged), unavailable (the other side ends).
    Result<Bytes> receive(BytesView bytes);
    /// Precondition: established.
    void send(BytesView plain);
    /// Tells the other side that nothing follows. Precondition: established.
    void end();
    /// The other side has said that nothing follows.
    [[nodiscard]] bool other_ended() const;
    /// What is to be sent over the connection; empty: nothing.
    [[nodiscard]] Bytes take_output();
    /// Both certificates have been accepted, as far as this side knows: a server of TLS 1.3 may
    /// still refuse the client's.
    [[nodiscard]] bool established() const { return established_; }

    /// The other side's certificate is for a node of this name (a DNS name among its alternative
    /// names, or its common name if it has none). Error unauthorized. Precondition: established.
    [[nodiscard]] Result<void> check_name(const std::string& name) const;
    /// The other side's certificate is still believed by what `context` has now. Error
    /// unauthorized. Precondition: established.
    [[nodiscard]] Result<void> recheck(const TlsContext& context) const;
    /// 32 bytes that only the two ends of this connection know (RFC 5705). Precondition:
    /// established.
    [[nodiscard]] Bytes keying_material(const std::string& label) const;

private:
    struct Freer {
        void operator()(SSL* session) const;
    };
    [[nodiscard]] Error failure(int answer) const;

    std::unique_ptr<SSL, Freer> session_;
    bool established_ = false;
};

}  // namespace syncline
