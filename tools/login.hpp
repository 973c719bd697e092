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
};

/// Adds --user and --password-file; `login` must outlive the parse.
void add_login(CLI::App& app, Login& login);

/// Connects and logs in. Errors: unavailable, corrupt; unauthorized (the password is wrong);
/// invalid_argument and those of load_password (its file); with a user and no password
/// invalid_argument.
Result<RespClient> connect(const TcpEndpoint& endpoint, std::uint64_t timeout_ms,
                           const Login& login);

}  // namespace syncline
