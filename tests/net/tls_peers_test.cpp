#include <boost/test/unit_test.hpp>
#include <chrono>

#include "net/node.hpp"
#include "tests/net/certificates.hpp"
#include "tests/net/link_ends.hpp"
#include "tests/net/run_until.hpp"
#include "tests/net/running_server.hpp"

/// Replicas that show each other certificates.
namespace syncline {
namespace {

using test::Authority;
using test::Issued;

struct CertifiedFixture : Scratch {
    Authority authority{directory.path(), "authority"};

    /// With a certificate for its name, and no secret.
    [[nodiscard]] ServerOptions certified(const std::string& name,
                                          const std::vector<std::uint16_t>& peers,
                                          const TlsFiles& files) const {
        ServerOptions options = lone(name);
        options.peer_tls_cert = files.certificate;
        options.peer_tls_key = files.key;
        options.peer_tls_ca = files.authority;
        options.peer_tls_crl = files.revoked;
        options.peer_port = 0;
        for (const std::uint16_t port : peers) options.peers.push_back({"127.0.0.1", port});
        return options;
    }
    [[nodiscard]] ServerOptions certified(const std::string& name,
                                          const std::vector<std::uint16_t>& peers) const {
        return certified(name, peers, authority.write(name, authority.issue({.name = name})));
    }
};

struct LinkFixture : CertifiedFixture {
    std::unique_ptr<Loop> loop = Loop::create().value();

    [[nodiscard]] LinkEnd end(const std::string& name, const std::string& certified_name,
                              const std::string& secret = "") const {
        PeerCredentials credentials;
        if (!secret.empty()) credentials.secret.emplace(Bytes(secret));
        credentials.tls =
            TlsContext::load(
                authority.write(certified_name, authority.issue({.name = certified_name})))
                .value();
        return {std::move(credentials), name};
    }
    void meet(LinkEnd& client, LinkEnd& server) { syncline::meet(client, *loop, server, *loop); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_peers, LinkFixture)

BOOST_AUTO_TEST_CASE(a_link_is_ready_when_the_names_are_those_of_the_certificates) {
    LinkEnd client = end("b", "b");
    LinkEnd server = end("a", "a");
    meet(client, server);
    BOOST_TEST(client.was_ready);
    BOOST_TEST(server.was_ready);
    BOOST_TEST(client.link->peer_name() == "a");
    BOOST_TEST(server.link->peer_name() == "b");
    const Bytes much(300'000, 'm');
    client.link->send(core_frame_min, much);
    BOOST_TEST(run_until(*loop, [&] { return server.message.size() >= much.size(); }));
    BOOST_TEST(server.message == much);
}

BOOST_AUTO_TEST_CASE(a_name_that_the_certificate_does_not_have_is_refused) {
    LinkEnd client = end("a2", "b");
    LinkEnd server = end("a", "a");
    meet(client, server);
    BOOST_TEST(!server.was_ready);
    BOOST_TEST(server.reason == "the peer says it is a2, and its certificate is for b");
}

BOOST_AUTO_TEST_CASE(the_secret_is_proved_too_if_there_is_one) {
    LinkEnd client = end("b", "b", "a secret of sixteen");
    LinkEnd server = end("a", "a", "a secret of sixteen");
    meet(client, server);
    BOOST_TEST(client.was_ready);
    BOOST_TEST(server.was_ready);
    for (const char* const other : {"", "another of sixteen"}) {
        LinkEnd stranger = end("c", "c", other);
        LinkEnd again = end("a", "a", "a secret of sixteen");
        meet(stranger, again);
        BOOST_TEST(!again.was_ready);
        BOOST_TEST(again.reason == "peer does not know the secret of this cluster");
    }
}

BOOST_AUTO_TEST_CASE(with_a_secret_alone_nobody_gets_in_where_certificates_are_asked_for) {
    LinkEnd server = end("a", "a", "a secret of sixteen");
    LinkEnd client = end("b", "b", "a secret of sixteen");
    client.credentials.tls.reset();
    meet(client, server);
    BOOST_TEST(!server.was_ready);
    BOOST_TEST(!client.was_ready);
}

BOOST_AUTO_TEST_CASE(certified_replicas_converge_and_the_others_stay_out) {
    RunningServer a(certified("a", {}));
    RunningServer b(certified("b", {a.peer_port()}));
    RunningServer without(member("c", {a.peer_port()}));
    BOOST_TEST(a.ask({"SET", "k", "1"}) == "OK");
    BOOST_TEST(b.wait_for({"GET", "k"}, "\"1\"") == "\"1\"");
    BOOST_TEST(b.ask({"INCRBY", "k", "2"}) == "(integer) 3");
    BOOST_TEST(a.wait_for({"GET", "k"}, "\"3\"") == "\"3\"");
    BOOST_TEST(without.ask({"DBSIZE"}).rfind("(error) LOADING", 0) == 0U);
}

BOOST_AUTO_TEST_CASE(whose_certificate_is_taken_back_is_let_go_of_without_a_restart) {
    const Issued of_a = authority.issue({.name = "a"});
    const Issued of_b = authority.issue({.name = "b"});
    TlsFiles files = authority.write("a", of_a);
    files.revoked = authority.write_revoked();  // nobody yet
    RunningServer a(certified("a", {}, files));
    RunningServer b(certified("b", {a.peer_port()}, authority.write("b", of_b)));
    RunningServer c(certified("c", {a.peer_port()}));
    BOOST_TEST(a.ask({"SET", "k", "1"}) == "OK");
    for (RunningServer* const server : {&b, &c}) {
        BOOST_TEST(server->wait_for({"GET", "k"}, "\"1\"") == "\"1\"");
    }
    authority.revoke(of_b);
    (void)authority.write_revoked();
    const auto connected = [&]() {
        const std::string info = a.connect().command({"INFO", "syncline"})->text;
        const std::size_t at = info.find("peers_connected:");
        return at == std::string::npos ? std::string() : info.substr(at, 17);
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (connected() != "peers_connected:1") {
        BOOST_REQUIRE(std::chrono::steady_clock::now() < deadline);
    }
    BOOST_TEST(a.ask({"SET", "k", "2"}) == "OK");
    BOOST_TEST(c.wait_for({"GET", "k"}, "\"2\"") == "\"2\"");
    BOOST_TEST(b.ask({"GET", "k"}) == "\"1\"");
}

BOOST_AUTO_TEST_CASE(embedded_databases_show_certificates_too) {
    const auto open = [&](const std::string& name) {
        return Database::open({.path = directory.path() / name, .replica = name}).value();
    };
    const TlsFiles of_a = authority.write("a", authority.issue({.name = "a"}));
    const TlsFiles of_b = authority.write("b", authority.issue({.name = "b"}));
    const Database a = open("a");
    const Database b = open("b");
    BOOST_REQUIRE(a.string("k").set("v").has_value());
    const Node first = Node::start(a, {.listen = "127.0.0.1:0",
                                       .tls_cert = of_a.certificate,
                                       .tls_key = of_a.key,
                                       .tls_ca = of_a.authority})
                           .value();
    const Node second = Node::start(b, {.peers = {"127.0.0.1:" + std::to_string(*first.port())},
                                        .tls_cert = of_b.certificate,
                                        .tls_key = of_b.key,
                                        .tls_ca = of_b.authority})
                            .value();
    const Result<void> synced = second.wait_synced(std::chrono::seconds(20));
    BOOST_TEST(synced.has_value());
    BOOST_TEST(b.string("k").get().value().value() == "v");
    const auto wrong = Node::start(
        open("c"), {.tls_cert = of_b.certificate, .tls_key = of_b.key, .tls_ca = of_b.authority});
    BOOST_REQUIRE(!wrong.has_value());
    BOOST_TEST((wrong.error().code == Code::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_server_with_anothers_certificate_does_not_start) {
    const auto refusal = [](const ServerOptions& options) {
        SystemClock clock;
        SystemRandom random;
        const auto server = Server::create(options, Env{clock, random});
        return server ? std::string() : server.error().message;
    };
    const TlsFiles files = authority.write("b", authority.issue({.name = "b"}));
    BOOST_TEST(refusal(certified("a", {}, files)).find("is for b, and this node is a") !=
               std::string::npos);
    ServerOptions half = certified("a", {});
    half.peer_tls_ca.clear();
    BOOST_TEST(refusal(half).find("three files") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
