#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "net/peer_link.hpp"
#include "tests/net/certificates.hpp"
#include "tests/net/run_until.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {
namespace {

using test::Authority;
using test::Issued;
using Role = TlsSession::Role;

struct ContextFreer {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct SessionFreer {
    void operator()(SSL* session) const { SSL_free(session); }
};

/// An end that believes everybody and shows whatever it is told to: OpenSSL without our checks.
class Stranger {
public:
    explicit Stranger(Role role) : client_(role == Role::client) {
        context_.reset(SSL_CTX_new(TLS_method()));
        SSL_CTX_set_security_level(context_.get(), 0);
    }
    void show(const Issued& issued, const std::vector<const Issued*>& between = {}) {
        BOOST_REQUIRE(SSL_CTX_use_certificate(context_.get(), issued.certificate.get()) == 1);
        BOOST_REQUIRE(SSL_CTX_use_PrivateKey(context_.get(), issued.key.get()) == 1);
        for (const Issued* const one : between) {
            SSL_CTX_add1_chain_cert(context_.get(), one->certificate.get());
        }
    }
    void speak_at_most(int version) { SSL_CTX_set_max_proto_version(context_.get(), version); }

    void start() {
        session_.reset(SSL_new(context_.get()));
        SSL_set_bio(session_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        client_ ? SSL_set_connect_state(session_.get()) : SSL_set_accept_state(session_.get());
        step();
    }
    void receive(BytesView bytes) {
        BIO_write(SSL_get_rbio(session_.get()), bytes.data(), static_cast<int>(bytes.size()));
        step();
    }
    Bytes take_output() {
        BIO* const out = SSL_get_wbio(session_.get());
        Bytes bytes(BIO_ctrl_pending(out), '\0');
        if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }
    /// Something for the other side, as soon as this one can.
    [[nodiscard]] const std::string& heard() const { return heard_; }

private:
    void step() {
        ERR_clear_error();
        if (SSL_do_handshake(session_.get()) != 1) {
            heard_ = ERR_peek_last_error() == 0 ? heard_
                                                : ERR_reason_error_string(ERR_peek_last_error());
            return;
        }
        if (!wrote_) SSL_write(session_.get(), "hello", 5);
        wrote_ = true;
        char byte = 0;
        if (SSL_read(session_.get(), &byte, 1) <= 0 && ERR_peek_last_error() != 0) {
            heard_ = ERR_reason_error_string(ERR_peek_last_error());
        }
    }

    bool client_;
    bool wrote_ = false;
    std::string heard_;
    std::unique_ptr<SSL_CTX, ContextFreer> context_;
    std::unique_ptr<SSL, SessionFreer> session_;
};

struct TlsFixture {
    ScratchDirectory directory;
    Authority authority{directory.path(), "authority"};
    Issued good = authority.issue({.name = "a"});
    TlsFiles files = authority.write("a", good);

    [[nodiscard]] TlsContext context() const { return TlsContext::load(files).value(); }

    struct Outcome {
        std::string refusal;  ///< what our side says
        std::string heard;    ///< what the other side hears
        Bytes plain;          ///< what came through
    };
    /// Our end in the other role, until nothing moves any more.
    Outcome meet(Stranger& stranger, Role role) const {
        const TlsContext ours = context();
        TlsSession session(ours, role == Role::client ? Role::server : Role::client);
        session.start();
        stranger.start();
        Outcome outcome;
        for (int i = 0; i < 20; ++i) {
            stranger.receive(session.take_output());
            const Result<Bytes> plain = session.receive(stranger.take_output());
            if (plain) {
                outcome.plain += *plain;
                continue;
            }
            outcome.refusal = plain.error().message;
            stranger.receive(session.take_output());
            break;
        }
        outcome.heard = stranger.heard();
        return outcome;
    }
    /// Nobody who shows this gets anything through, at either end.
    void refused(const std::string& what, const std::function<void(Stranger&)>& dress,
                 const std::string& reason, bool as_server = true) const {
        for (const Role role : {Role::client, Role::server}) {
            if (role == Role::server && !as_server) continue;
            Stranger stranger(role);
            dress(stranger);
            const Outcome outcome = meet(stranger, role);
            BOOST_TEST(outcome.plain.empty(), what);
            BOOST_TEST(outcome.refusal.find(reason) != std::string::npos,
                       what << ": " << outcome.refusal);
        }
    }
    void refused(const std::string& what, const Issued& shown, const std::string& reason,
                 const std::vector<const Issued*>& between = {}) const {
        refused(
            what, [&](Stranger& stranger) { stranger.show(shown, between); }, reason);
    }
};

std::string load_error(const TlsFiles& files) {
    const Result<TlsContext> context = TlsContext::load(files);
    return context ? "" : context.error().message;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls, TlsFixture)

BOOST_AUTO_TEST_CASE(a_good_certificate_gets_through) {
    for (const Role role : {Role::client, Role::server}) {
        Stranger stranger(role);
        const Issued shown = authority.issue({.name = "b"});
        stranger.show(shown);
        const Outcome outcome = meet(stranger, role);
        BOOST_TEST(outcome.refusal == "");
        BOOST_TEST(outcome.plain == "hello");
    }
}

BOOST_AUTO_TEST_CASE(bad_certificates_are_refused) {
    const Authority other(directory.path(), "other");
    refused("another authority's", other.issue({.name = "b"}), "unable to get local issuer");
    refused("signed by itself", Authority::issue_self_signed({.name = "b"}), "self-signed");
    refused("expired", authority.issue({.name = "b", .until_s = -60}), "expired");
    refused("not yet valid", authority.issue({.name = "b", .from_s = 600}), "not yet valid");
    refused("a key that is too short", authority.issue({.name = "b", .rsa_bits = 1024}),
            "key too weak");
    refused("for signing programs", authority.issue({.name = "b", .purposes = "codeSigning"}),
            "purpose");
    const Authority posing(directory.path(), "posing", authority.issue({.name = "b"}));
    refused("signed by one who may not", posing.issue({.name = "c"}), "", {&posing.own()});
    const Authority weak(directory.path(), "weak",
                         authority.issue({.name = "weak", .authority = true, .sha1 = true}));
    refused("signed with a weak hash on its way", weak.issue({.name = "b"}),
            "digest algorithm too weak", {&weak.own()});
    const Authority between(directory.path(), "between",
                            authority.issue({.name = "between", .authority = true}));
    refused("without what leads to the authority", between.issue({.name = "b"}),
            "unable to get local issuer");
    // Signed by a key of the authority's name that is not its own.
    const Authority forged(directory.path(), "authority");
    refused("forged", forged.issue({.name = "b"}), "");
}

BOOST_AUTO_TEST_CASE(an_end_of_the_wrong_kind_is_refused) {
    Stranger client(Role::client);
    const Issued for_servers = authority.issue({.name = "b", .purposes = "serverAuth"});
    client.show(for_servers);
    BOOST_TEST(contains(meet(client, Role::client).refusal, "purpose"));
    Stranger server(Role::server);
    const Issued for_clients = authority.issue({.name = "b", .purposes = "clientAuth"});
    server.show(for_clients);
    BOOST_TEST(contains(meet(server, Role::server).refusal, "purpose"));
}

BOOST_AUTO_TEST_CASE(no_certificate_is_refused) {
    refused(
        "none", [](Stranger&) {}, "shows no certificate", false);
}

BOOST_AUTO_TEST_CASE(old_versions_are_refused) {
    const Issued shown = authority.issue({.name = "b"});
    const auto dress = [&](Stranger& stranger) {
        stranger.show(shown);
        stranger.speak_at_most(TLS1_1_VERSION);
    };
    refused("TLS 1.1", dress, "");
}

BOOST_AUTO_TEST_CASE(what_is_no_tls_is_refused) {
    const TlsContext ours = context();
    for (const std::string& text :
         {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100, '\0')}) {
        TlsSession session(ours, Role::server);
        const Result<Bytes> plain = session.receive(text);
        BOOST_REQUIRE(!plain.has_value());
        BOOST_TEST((plain.error().code == Code::corrupt));
    }
}

BOOST_AUTO_TEST_CASE(a_chain_may_lead_to_the_authority) {
    const Authority between(directory.path(), "between",
                            authority.issue({.name = "between", .authority = true}));
    const Issued shown = between.issue({.name = "b"});
    Stranger stranger(Role::client);
    stranger.show(shown, {&between.own()});
    BOOST_TEST(meet(stranger, Role::client).plain == "hello");
}

BOOST_AUTO_TEST_CASE(clients_check_the_name_of_their_server) {
    const TlsContext server = TlsContext::load(files, TlsUse::server).value();
    const TlsContext client =
        TlsContext::load({{}, {}, files.authority, {}}, TlsUse::client).value();
    const auto refusal = [&](const std::string& host) -> std::string {
        TlsSession here(client, Role::client, host);
        TlsSession there(server, Role::server);
        here.start();
        for (int i = 0; i < 5; ++i) {
            const Result<Bytes> asked = there.receive(here.take_output());
            if (const Result<Bytes> answer = here.receive(there.take_output()); !answer) {
                return answer.error().message;
            }
            if (!asked) return "the server: " + asked.error().message;
        }
        return here.established() && there.established() ? "" : "it does not end";
    };
    BOOST_TEST(refusal("a") == "");
    BOOST_TEST(refusal("") == "");
    BOOST_TEST(contains(refusal("b"), "certificate is refused: hostname mismatch"));
    BOOST_TEST(contains(refusal("127.0.0.1"), "certificate is refused: IP address mismatch"));
}

BOOST_AUTO_TEST_CASE(what_comes_in_front_of_an_end_is_heard) {
    const TlsContext server = TlsContext::load(files, TlsUse::server).value();
    const TlsContext client =
        TlsContext::load({{}, {}, files.authority, {}}, TlsUse::client).value();
    TlsSession here(client, Role::client);
    TlsSession there(server, Role::server);
    here.start();
    for (int i = 0; i < 3; ++i) {
        BOOST_REQUIRE(there.receive(here.take_output()).has_value());
        BOOST_REQUIRE(here.receive(there.take_output()).has_value());
    }
    here.send("last words");
    here.end();
    BOOST_TEST(!there.other_ended());
    BOOST_TEST(there.receive(here.take_output()).value() == "last words");
    BOOST_TEST(there.other_ended());
}

BOOST_AUTO_TEST_CASE(a_revoked_certificate_is_refused_and_told_so) {
    const Issued bad = authority.issue({.name = "b"});
    const Issued still_good = authority.issue({.name = "c"});
    authority.revoke(bad);
    files.revoked = authority.write_revoked();
    refused("revoked", bad, "revoked");
    Stranger stranger(Role::client);
    stranger.show(bad);
    BOOST_TEST(contains(meet(stranger, Role::client).heard, "revoked"));
    Stranger other(Role::client);
    other.show(still_good);
    BOOST_TEST(meet(other, Role::client).plain == "hello");
}

BOOST_AUTO_TEST_CASE(files_that_peers_would_refuse_are_refused_at_once) {
    TlsFiles wrong = files;
    wrong.key = authority.write("b", authority.issue({.name = "b"})).key;
    BOOST_TEST(contains(load_error(wrong), "key values mismatch"));
    wrong = files;
    wrong.certificate = directory.path() / "missing";
    BOOST_TEST(contains(load_error(wrong), "No such file"));
    wrong = files;
    wrong.revoked = files.key;
    BOOST_TEST(contains(load_error(wrong), "list of revoked"));
    const Authority other(directory.path(), "other");
    wrong = other.write("c", authority.issue({.name = "c"}));
    BOOST_TEST(contains(load_error(wrong), "would be refused by peers"));
    std::filesystem::permissions(
        files.key, std::filesystem::perms::owner_read | std::filesystem::perms::group_read);
    BOOST_TEST(contains(load_error(files), "chmod 600"));
}

BOOST_AUTO_TEST_CASE(a_certificate_is_for_one_name) {
    TlsContext ours = context();
    BOOST_TEST(ours.require_name("a").has_value());
    const Result<void> other = ours.require_name("b");
    BOOST_REQUIRE(!other.has_value());
    BOOST_TEST(contains(other.error().message, "is for a, and this node is b"));
    const Issued common = authority.issue({.name = "b", .alternative_name = false});
    BOOST_TEST(
        TlsContext::load(authority.write("b", common)).value().require_name("b").has_value());
}

BOOST_AUTO_TEST_CASE(changed_files_are_read_again_and_wrong_ones_are_not_taken) {
    TlsContext ours = context();
    BOOST_TEST(ours.require_name("a").has_value());
    BOOST_TEST(ours.reload().value() == false);
    const TlsFiles before = authority.write("a", authority.issue({.name = "b"}));
    BOOST_TEST(contains(ours.reload().error().message, "is for b"));
    BOOST_TEST(ours.reload().value() == false);  // told once
    BOOST_TEST((authority.write("a", authority.issue({.name = "a"})) == before));
    BOOST_TEST(ours.reload().value());
}

BOOST_AUTO_TEST_CASE(two_sessions_share_a_key_that_no_other_pair_has) {
    const TlsContext ours = context();
    std::vector<Bytes> keys;
    for (int i = 0; i < 2; ++i) {
        TlsSession client(ours, Role::client);
        TlsSession server(ours, Role::server);
        client.start();
        for (int turn = 0; turn < 10; ++turn) {
            BOOST_REQUIRE(server.receive(client.take_output()).has_value());
            BOOST_REQUIRE(client.receive(server.take_output()).has_value());
        }
        BOOST_REQUIRE(client.established());
        BOOST_REQUIRE(server.established());
        BOOST_TEST(client.keying_material("EXPORTER-x") == server.keying_material("EXPORTER-x"));
        keys.push_back(client.keying_material("EXPORTER-x"));
        const Bytes much(1'000'000, 'm');
        client.send(much);
        BOOST_TEST(server.receive(client.take_output()).value() == much);
    }
    BOOST_TEST(keys[0] != keys[1]);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
