#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/assert.hpp"
#include "net/peer_auth.hpp"

namespace syncline {
namespace {

constexpr int chain_depth_max = 4;
/// What the other side may send as certificates before anything is known of it.
constexpr long certificates_bytes_max = 32L * 1024;
constexpr std::size_t plain_bytes_max = 16384;  // of a record

struct StoreContextFreer {
    void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
using StoreContext = std::unique_ptr<X509_STORE_CTX, StoreContextFreer>;

/// What OpenSSL says of its last failure, which is then forgotten.
std::string last_reason() {
    const unsigned long number = ERR_peek_last_error();
    ERR_clear_error();
    const char* const reason = ERR_reason_error_string(number);
    return reason != nullptr ? reason : "no reason given";
}

Error unreadable(const char* what, const std::string& path) {
    return Error{Code::invalid_argument,
                 std::string("cannot use ") + what + " " + path + ": " + last_reason()};
}

Result<void> check_file(const char* what, const std::string& path, bool is_private) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return Error{Code::invalid_argument,
                     std::string("cannot read ") + what + " " + path + ": " + std::strerror(errno)};
    }
    return is_private ? check_private(status.st_mode, what, path) : Result<void>();
}

/// Who would be asked for the password of an encrypted key is not there.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) {
    return -1;
}

int verify_mode(TlsUse use) {
    switch (use) {
        case TlsUse::server:
            return SSL_VERIFY_NONE;
        case TlsUse::server_asking:
        case TlsUse::client:
            return SSL_VERIFY_PEER;
        case TlsUse::peer:
        case TlsUse::server_demanding:
            break;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

Result<void> read_certificate(SSL_CTX* context, const TlsFiles& files) {
    SYNCLINE_CHECK(check_file("the certificate", files.certificate, false));
    SYNCLINE_CHECK(check_file("the key", files.key, true));
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
        return unreadable("certificate", files.certificate);
    }
    if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return unreadable("key", files.key);
    }
    return {};
}

/// Of a server it is also what clients are told to choose their certificates by.
Result<void> read_authority(SSL_CTX* context, const TlsFiles& files, TlsUse use) {
    if (use == TlsUse::client && files.authority.empty()) {
        SYNCLINE_ASSERT(SSL_CTX_set_default_verify_paths(context) == 1);
        return {};
    }
    SYNCLINE_CHECK(check_file("the authority's certificate", files.authority, false));
    if (SSL_CTX_load_verify_file(context, files.authority.c_str()) != 1) {
        return unreadable("the authority's certificate", files.authority);
    }
    const bool asks = use == TlsUse::server_asking || use == TlsUse::server_demanding;
    if (asks) {
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(files.authority.c_str()));
    }
    return {};
}

Result<void> read_revoked(SSL_CTX* context, const std::string& path) {
    X509_STORE* const store = SSL_CTX_get_cert_store(context);
    X509_LOOKUP* const lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == nullptr || X509_load_crl_file(lookup, path.c_str(), X509_FILETYPE_PEM) <= 0) {
        return unreadable("the list of revoked certificates", path);
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return {};
}

/// What is wrong with a certificate for one end of a connection; nothing: it is believed.
std::optional<std::string> fault_of(SSL_CTX* believer, X509* certificate, STACK_OF(X509) * chain,
                                    const char* end, unsigned long flags) {
    const StoreContext context(X509_STORE_CTX_new());
    SYNCLINE_ASSERT(context != nullptr);
    SYNCLINE_ASSERT(X509_STORE_CTX_init(context.get(), SSL_CTX_get_cert_store(believer),
                                        certificate, chain) == 1);
    X509_STORE_CTX_set_default(context.get(), end);
    X509_STORE_CTX_set_flags(context.get(), flags);
    X509_VERIFY_PARAM_set_depth(X509_STORE_CTX_get0_param(context.get()), chain_depth_max);
    if (X509_verify_cert(context.get()) == 1) return std::nullopt;
    ERR_clear_error();
    return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

/// The names that a certificate is for, for people.
std::string names_of(X509* certificate) {
    std::string text;
    const auto add = [&](const unsigned char* bytes, int length) {
        if (!text.empty()) text += ", ";
        text.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
    };
    auto* const names = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) continue;
        add(ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    if (!text.empty()) return printable(text);
    X509_NAME* const subject = X509_get_subject_name(certificate);
    const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0) return "nobody";
    const ASN1_STRING* const common = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
    add(ASN1_STRING_get0_data(common), ASN1_STRING_length(common));
    return printable(text);
}

bool is_for(X509* certificate, const std::string& name) {
    return X509_check_host(certificate, name.data(), name.size(), X509_CHECK_FLAG_NO_WILDCARDS,
                           nullptr) == 1;
}

Result<void> check_own_name(SSL_CTX* context, const TlsFiles& files, const std::string& name) {
    X509* const own = SSL_CTX_get0_certificate(context);
    if (is_for(own, name)) return {};
    return Error{Code::invalid_argument, "certificate " + files.certificate + " is for " +
                                             names_of(own) + ", and this node is " + name};
}

/// Mistakes in files are told at once, and not by the refusals of peers.
Result<void> check_own(SSL_CTX* context, const TlsFiles& files) {
    X509* const own = SSL_CTX_get0_certificate(context);
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(context, &chain);
    for (const char* const end : {"ssl_client", "ssl_server"}) {
        const auto fault = fault_of(context, own, chain, end, X509_V_FLAG_NO_CHECK_TIME);
        if (!fault) continue;
        return Error{Code::invalid_argument,
                     "certificate " + files.certificate + " would be refused by peers: " + *fault};
    }
    return {};
}

/// The server's certificate must be for this name or address.
void expect_host(SSL* session, const std::string& host) {
    const bool address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1;
    ERR_clear_error();
    if (address) return;
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SYNCLINE_ASSERT(SSL_set1_host(session, host.c_str()) == 1);
    // What SSL_set_tlsext_host_name stands for, without its cast.
    SYNCLINE_ASSERT(SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                             const_cast<char*>(host.c_str())) == 1);
}

}  // namespace

// --- TlsContext

void TlsContext::Freer::operator()(SSL_CTX* context) const {
    SSL_CTX_free(context);
}

TlsContext::TlsContext(TlsFiles files, TlsUse use, const Times& times, Context context)
    : files_(std::move(files)), use_(use), times_(times), context_(std::move(context)) {}

TlsContext::TlsContext(TlsContext&& other) noexcept = default;
TlsContext& TlsContext::operator=(TlsContext&& other) noexcept = default;
TlsContext::~TlsContext() = default;

TlsContext::Times TlsContext::times_of(const TlsFiles& files) {
    Times times{};
    const std::array<const std::string*, 4> names = {&files.certificate, &files.key,
                                                     &files.authority, &files.revoked};
    for (std::size_t i = 0; i < names.size(); ++i) {
        struct stat status {};
        if (::stat(names.at(i)->c_str(), &status) != 0) continue;
        times.at(i) = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
    }
    return times;
}

Result<TlsContext> TlsContext::load(const TlsFiles& files, TlsUse use) {
    const Times times = times_of(files);
    SYNCLINE_TRY(Context context, read(files, use, {}));
    return TlsContext(files, use, times, std::move(context));
}

Result<bool> TlsContext::reload() {
    const Times times = times_of(files_);
    if (times == times_) return false;
    times_ = times;  // a file that is wrong is told of once
    SYNCLINE_TRY(context_, read(files_, use_, name_));
    return true;
}

Result<TlsContext::Context> TlsContext::read(const TlsFiles& files, TlsUse use,
                                             const std::string& name) {
    ERR_clear_error();
    Context context(SSL_CTX_new(TLS_method()));
    SYNCLINE_ASSERT(context != nullptr);
    SYNCLINE_ASSERT(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context.get(), certificates_bytes_max);
    SSL_CTX_set_verify(context.get(), verify_mode(use), nullptr);
    SSL_CTX_set_verify_depth(context.get(), chain_depth_max);
    SSL_CTX_set_default_passwd_cb(context.get(), no_password);
    if (use != TlsUse::client || !files.certificate.empty()) {
        SYNCLINE_CHECK(read_certificate(context.get(), files));
    }
    if (use != TlsUse::server) SYNCLINE_CHECK(read_authority(context.get(), files, use));
    if (!files.revoked.empty()) SYNCLINE_CHECK(read_revoked(context.get(), files.revoked));
    if (use == TlsUse::peer) SYNCLINE_CHECK(check_own(context.get(), files));
    if (!name.empty()) SYNCLINE_CHECK(check_own_name(context.get(), files, name));
    return context;
}

Result<void> TlsContext::require_name(const std::string& name) {
    SYNCLINE_CHECK(check_own_name(context_.get(), files_, name));
    name_ = name;
    return {};
}

// --- TlsSession

void TlsSession::Freer::operator()(SSL* session) const {
    SSL_free(session);
}

TlsSession::TlsSession(const TlsContext& context, Role role, const std::string& host)
    : session_(SSL_new(context.context_.get())) {
    SYNCLINE_ASSERT(session_ != nullptr);
    // The session frees them.
    SSL_set_bio(session_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (role == Role::client) {
        SSL_set_connect_state(session_.get());
        if (!host.empty()) expect_host(session_.get(), host);
    } else {
        SSL_set_accept_state(session_.get());
    }
}

void TlsSession::start() {
    ERR_clear_error();
    (void)SSL_do_handshake(session_.get());  // wants bytes
    ERR_clear_error();
}

Result<Bytes> TlsSession::receive(BytesView bytes) {
    ERR_clear_error();
    const int taken =
        BIO_write(SSL_get_rbio(session_.get()), bytes.data(), static_cast<int>(bytes.size()));
    SYNCLINE_ASSERT(taken == static_cast<int>(bytes.size()));  // memory takes all
    if (!established_) {
        const int answer = SSL_do_handshake(session_.get());
        if (answer != 1) {
            if (SSL_get_error(session_.get(), answer) == SSL_ERROR_WANT_READ) return Bytes();
            return failure(answer);
        }
        established_ = true;
    }
    Bytes plain;
    std::array<char, plain_bytes_max> record;  // NOLINT: filled before it is read
    while (true) {
        const int count = SSL_read(session_.get(), record.data(), static_cast<int>(record.size()));
        if (count > 0) {
            plain.append(record.data(), static_cast<std::size_t>(count));
            continue;
        }
        const bool waits = SSL_get_error(session_.get(), count) == SSL_ERROR_WANT_READ;
        if (waits || !plain.empty()) return plain;
        return failure(count);
    }
}

Error TlsSession::failure(int answer) const {
    if (SSL_get_error(session_.get(), answer) == SSL_ERROR_ZERO_RETURN) {
        return Error{Code::unavailable, "the peer ended the connection"};
    }
    const long verified = SSL_get_verify_result(session_.get());
    if (verified != X509_V_OK) {
        ERR_clear_error();
        return Error{Code::unauthorized, std::string("the peer's certificate is refused: ") +
                                             X509_verify_cert_error_string(verified)};
    }
    const unsigned long number = ERR_peek_last_error();
    const int reason = ERR_GET_REASON(number);
    const std::string sentence = last_reason();
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        return Error{Code::unauthorized, "the peer shows no certificate"};
    }
    if (reason >= SSL_AD_REASON_OFFSET) {
        return Error{Code::unauthorized, "the peer refuses this side: " + sentence};
    }
    return Error{Code::corrupt, "TLS failed, or is not what the peer speaks: " + sentence};
}

void TlsSession::send(BytesView plain) {
    SYNCLINE_ASSERT(established_);
    ERR_clear_error();
    while (!plain.empty()) {
        const std::size_t part = std::min(plain.size(), plain_bytes_max);
        const int count = SSL_write(session_.get(), plain.data(), static_cast<int>(part));
        if (count <= 0) return;  // the session has failed, and receive() tells
        plain.remove_prefix(static_cast<std::size_t>(count));
    }
}

void TlsSession::end() {
    SYNCLINE_ASSERT(established_);
    ERR_clear_error();
    (void)SSL_shutdown(session_.get());  // one way; the answer is not waited for
    ERR_clear_error();
}

bool TlsSession::other_ended() const {
    return (SSL_get_shutdown(session_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

Bytes TlsSession::take_output() {
    BIO* const out = SSL_get_wbio(session_.get());
    Bytes bytes(BIO_ctrl_pending(out), '\0');
    if (bytes.empty()) return bytes;
    const int count = BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
    SYNCLINE_ASSERT(count == static_cast<int>(bytes.size()));
    return bytes;
}

Result<void> TlsSession::check_name(const std::string& name) const {
    X509* const peer = SSL_get0_peer_certificate(session_.get());
    SYNCLINE_ASSERT(peer != nullptr);
    if (is_for(peer, name)) return {};
    return Error{Code::unauthorized,
                 "the peer says it is " + name + ", and its certificate is for " + names_of(peer)};
}

Result<void> TlsSession::recheck(const TlsContext& context) const {
    X509* const peer = SSL_get0_peer_certificate(session_.get());
    SYNCLINE_ASSERT(peer != nullptr);
    const char* const end = SSL_is_server(session_.get()) != 0 ? "ssl_client" : "ssl_server";
    const auto fault =
        fault_of(context.context_.get(), peer, SSL_get_peer_cert_chain(session_.get()), end, 0);
    if (!fault) return {};
    return Error{Code::unauthorized, "the peer's certificate is refused: " + *fault};
}

Bytes TlsSession::keying_material(const std::string& label) const {
    Bytes bytes(32, '\0');
    SYNCLINE_ASSERT(established_);
    SYNCLINE_ASSERT(
        SSL_export_keying_material(session_.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                                   bytes.size(), label.data(), label.size(), nullptr, 0, 0) == 1);
    return bytes;
}

}  // namespace syncline
