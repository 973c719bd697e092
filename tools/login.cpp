#include "tools/login.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <optional>

#include "net/peer_auth.hpp"
#include "net/tls.hpp"
#include "tools/console.hpp"

namespace syncline {
namespace {

const char* const needless_password = "ERR AUTH <password> called without any password configured";
const char* const password_variable = "SYNCLINE_PASSWORD";

}  // namespace

Result<std::optional<Secret>> password_of(const Login& login) {
    if (!login.password_file.empty()) {
        SYNCLINE_TRY(Secret password, load_password(login.password_file));
        return std::optional<Secret>(std::move(password));
    }
    const char* const text = std::getenv(password_variable);
    if (text != nullptr && *text != '\0') return std::optional<Secret>(Secret(Bytes(text)));
    if (login.user.empty()) return std::optional<Secret>();
    return Error{Code::invalid_argument, "--user " + login.user +
                                             " needs a password: --password-file FILE, or the "
                                             "environment variable " +
                                             password_variable};
}

void add_login(CLI::App& app, Login& login) {
    app.add_option("--user", login.user, "Who you are at the replica [default]")
        ->envname("SYNCLINE_USER")
        ->type_name("NAME");
    app.add_option("--password-file", login.password_file,
                   "Your password there, if not in SYNCLINE_PASSWORD")
        ->envname("SYNCLINE_PASSWORD_FILE")
        ->type_name("FILE");
    app.add_flag("--tls", login.tls, "Speak TLS; so do the next three");
    app.add_option("--tls-ca", login.tls_ca,
                   "Certificate of who signs the replica's [those that the system knows]")
        ->type_name("FILE");
    CLI::Option* const key =
        app.add_option("--tls-key", login.tls_key, "Key of your certificate")->type_name("FILE");
    app.add_option("--tls-cert", login.tls_cert, "Your certificate, if the replica wants one")
        ->type_name("FILE")
        ->needs(key);
}

std::vector<Bytes> auth_request(const Bytes& user, BytesView password) {
    std::vector<Bytes> request{"AUTH"};
    if (!user.empty()) request.push_back(user);
    request.emplace_back(password);
    return request;
}

Result<RespClient> connect_only(const TcpEndpoint& endpoint, std::uint64_t timeout_ms,
                                const Login& login) {
    SYNCLINE_TRY(RespClient client, RespClient::connect(endpoint.host, endpoint.port, timeout_ms));
    if (login.tls || !login.tls_ca.empty() || !login.tls_cert.empty()) {
        const TlsFiles files{login.tls_cert, login.tls_key, login.tls_ca, {}};
        SYNCLINE_TRY(const TlsContext context, TlsContext::load(files, TlsUse::client));
        SYNCLINE_CHECK(client.secure(context, endpoint.host));
    }
    return client;
}

Result<RespClient> connect(const TcpEndpoint& endpoint, std::uint64_t timeout_ms,
                           const Login& login) {
    SYNCLINE_TRY(const std::optional<Secret> password, password_of(login));
    SYNCLINE_TRY(RespClient client, connect_only(endpoint, timeout_ms, login));
    if (!password) return client;
    SYNCLINE_TRY(const RespValue reply, client.command(auth_request(login.user, password->view())));
    // Where nobody needs a password one that is there does no harm.
    const bool needless = login.user.empty() && reply.text.rfind(needless_password, 0) == 0;
    if (!reply.is_error() || needless) return client;
    return Error{Code::unauthorized, "the replica lets nobody in: " + harmless(reply.text)};
}

}  // namespace syncline
