#pragma once
#include <string>

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

/// Connects and logs in. Errors: unavailable, corrupt; unauthorized (the password is wrong);
/// invalid_argument and those of load_password (its file); with a user and no password
/// invalid_argument; those of TlsContext::load and RespClient::secure.
Result<RespClient> connect(const TcpEndpoint& endpoint, std::uint64_t timeout_ms,
                           const Login& login);

}  // namespace syncline
