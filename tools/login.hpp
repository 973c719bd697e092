#pragma once
#include <optional>
#include <string>
#include <vector>

#include "net/peer_auth.hpp"
#include "net/resp_client.hpp"
#include "net/tcp.hpp"

namespace CLI {
class App;
}

namespace syncline {

/// Whom a command line tool is at the servers that it asks. Its password comes from a file or the
/// environment, never from the command line, which others on the machine can read.
struct Login {
    std::string user;           ///< empty: the default user
    std::string password_file;  ///< empty: SYNCLINE_PASSWORD, if that is set
    bool tls = false;
    std::string tls_ca;    ///< PEM; empty: those that the system knows
    std::string tls_cert;  ///< its own, where the server demands one
    std::string tls_key;
};

/// Adds --user, --password-file, --tls and its files; `login` must outlive the parse.
void add_login(CLI::App& app, Login& login);

/// AUTH, with a user unless it is the default one, whose name is left out.
std::vector<Bytes> auth_request(const Bytes& user, BytesView password);

/// The password; nothing: there is none. Errors: those of load_password; invalid_argument (a user
/// without one).
Result<std::optional<Secret>> password_of(const Login& login);

/// Connects, by TLS if that is wanted, and does not log in. Errors: unavailable, corrupt; those of
/// TlsContext::load and RespClient::secure.
Result<RespClient> connect_only(const TcpEndpoint& endpoint, std::uint64_t timeout_ms,
                                const Login& login);

/// Connects and logs in; where the default user has no password, one for it is ignored. Errors:
/// those of password_of() and connect_only(); unauthorized (the password is wrong).
Result<RespClient> connect(const TcpEndpoint& endpoint, std::uint64_t timeout_ms,
                           const Login& login);

}  // namespace syncline
