#include "net/peer_auth.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/limits.hpp"

namespace syncline {
namespace {

using Role = PeerAuth::Role;

/// A generator with known output.
class CountingRandom final : public Random {
public:
    explicit CountingRandom(std::uint64_t start = 1) : next_(start) {}
    std::uint64_t next() override { return next_++ * 0x9e3779b97f4a7c15U; }

private:
    std::uint64_t next_;
};

Uuid uuid_of(std::uint8_t byte) {
    Uuid uuid;
    uuid.bytes.fill(byte);
    return uuid;
}

PeerIdentity member(std::uint8_t node) {
    return PeerIdentity{uuid_of(0xcc), uuid_of(node), node, 5, 1};
}

struct AuthFixture {
    SystemRandom random;
    Secret secret{Bytes("a secret of sixteen bytes or more")};
    PeerAuth initiator{Role::initiator, secret, member(1), random};
    PeerAuth acceptor{Role::acceptor, secret, member(2), random};

    PeerAuth make(Role role, const PeerIdentity& self) { return {role, secret, self, random}; }
};

template <typename T>
std::string refusal(const Result<T>& result, Code code = Code::unauthorized) {
    BOOST_REQUIRE(!result.has_value());
    BOOST_TEST((result.error().code == code), result.error().message);
    return result.error().message;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

BOOST_FIXTURE_TEST_SUITE(peer_auth, AuthFixture)

BOOST_AUTO_TEST_CASE(both_prove_themselves) {
    BOOST_TEST(initiator.hello().size() < limits::frame_before_auth_bytes_max - 10);
    BOOST_TEST(!acceptor.on_hello(initiator.hello()).value().has_value());
    const auto proof = initiator.on_hello(acceptor.hello()).value();
    BOOST_REQUIRE(proof.has_value());
    BOOST_TEST(!acceptor.done());
    const auto answer = acceptor.on_proof(*proof).value();
    BOOST_TEST(acceptor.done());
    BOOST_TEST(!initiator.done());
    BOOST_REQUIRE(answer.has_value());
    BOOST_TEST(!initiator.on_proof(*answer).value().has_value());
    BOOST_TEST(initiator.done());
    BOOST_TEST((initiator.peer() == member(2)));
    BOOST_TEST((acceptor.peer() == member(1)));
}

// The expected values were computed from net/PROTOCOL.md by other means.
BOOST_AUTO_TEST_CASE(golden_bytes) {
    const Secret golden(Bytes("0123456789abcdef"));
    CountingRandom first(1);
    CountingRandom second(100);
    PeerAuth one(Role::initiator, golden, member(1), first);
    PeerAuth two(Role::acceptor, golden, member(2), second);
    BOOST_TEST(to_hex(one.hello()) ==
               "97c40873796e636c696e6501"
               "c410cccccccccccccccccccccccccccccccc"
               "c41001010101010101010101010101010101"
               "0105"
               "c4209e3779b97f4a7c153c6ef372fe94f82adaa66d2c7ddf743f78dde6e5fd29f054");
    const Bytes proof = **one.on_hello(two.hello());
    BOOST_TEST(to_hex(proof) == "8b1cfcde6720367825021cad4f9fe5d900b636345f8640c8f870b43e11acdda3");
    BOOST_REQUIRE(two.on_hello(one.hello()).has_value());
    BOOST_TEST(to_hex(**two.on_proof(proof)) ==
               "3a2c716d32c4b6fc023cbdbd9cac9b823eda7ad5bb31e65bca8b69b5b14a49ee");
}

BOOST_AUTO_TEST_CASE(another_secret) {
    const Secret wrong(Bytes("a secret of sixteen bytes or less"));
    PeerAuth stranger(Role::initiator, wrong, member(1), random);
    BOOST_REQUIRE(acceptor.on_hello(stranger.hello()).has_value());
    const auto proof = *stranger.on_hello(acceptor.hello());
    BOOST_TEST(has(refusal(acceptor.on_proof(*proof)), "does not know the secret"));
    BOOST_TEST(!acceptor.done());

    PeerAuth impostor(Role::acceptor, wrong, member(2), random);
    BOOST_REQUIRE(initiator.on_hello(impostor.hello()).has_value());
    refusal(initiator.on_proof(Bytes(32, 'x')));
    BOOST_TEST(!initiator.done());
}

BOOST_AUTO_TEST_CASE(a_damaged_proof) {
    BOOST_REQUIRE(acceptor.on_hello(initiator.hello()).has_value());
    const Bytes proof = **initiator.on_hello(acceptor.hello());
    for (std::size_t bit = 0; bit < proof.size() * 8; ++bit) {
        PeerAuth copy = acceptor;
        Bytes damaged = proof;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        refusal(copy.on_proof(damaged));
    }
    for (std::size_t size = 0; size < proof.size(); ++size) {
        PeerAuth copy = acceptor;
        refusal(copy.on_proof(BytesView(proof).substr(0, size)));
    }
    BOOST_TEST(acceptor.on_proof(proof).has_value());
}

BOOST_AUTO_TEST_CASE(a_damaged_hello) {
    const Bytes hello = initiator.hello();
    for (std::size_t size = 0; size < hello.size(); ++size) {
        PeerAuth copy = acceptor;
        refusal(copy.on_hello(BytesView(hello).substr(0, size)), Code::corrupt);
    }
    PeerAuth longer = acceptor;
    refusal(longer.on_hello(hello + '\0'), Code::corrupt);
    // Whatever a flipped bit in the hello does, no proof fits it.
    for (std::size_t bit = 0; bit < hello.size() * 8; ++bit) {
        PeerAuth copy = acceptor;
        Bytes damaged = hello;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        if (!copy.on_hello(damaged)) continue;
        PeerAuth sender = initiator;
        refusal(copy.on_proof(**sender.on_hello(copy.hello())));
    }
}

BOOST_AUTO_TEST_CASE(a_reflected_hello) {
    BOOST_TEST(has(refusal(initiator.on_hello(initiator.hello())), "own hello"));
}

BOOST_AUTO_TEST_CASE(a_proof_reflected_to_the_side_that_made_it) {
    // The attacker speaks as another node, and has only what the victim itself computes.
    PeerAuth attacker = make(Role::acceptor, member(3));
    const Bytes own_proof = **initiator.on_hello(attacker.hello());
    refusal(initiator.on_proof(own_proof));
}

BOOST_AUTO_TEST_CASE(a_proof_replayed_on_another_connection) {
    BOOST_REQUIRE(acceptor.on_hello(initiator.hello()).has_value());
    const Bytes hello = initiator.hello();
    const Bytes proof = **initiator.on_hello(acceptor.hello());
    BOOST_REQUIRE(acceptor.on_proof(proof).has_value());

    PeerAuth later = make(Role::acceptor, member(2));
    BOOST_REQUIRE(later.on_hello(hello).has_value());
    refusal(later.on_proof(proof));
}

BOOST_AUTO_TEST_CASE(two_sides_in_the_same_role) {
    PeerAuth other = make(Role::initiator, member(2));
    const Bytes proof = **initiator.on_hello(other.hello());
    BOOST_REQUIRE(other.on_hello(initiator.hello()).has_value());
    refusal(other.on_proof(proof));
}

BOOST_AUTO_TEST_CASE(a_foreign_cluster) {
    PeerIdentity foreign = member(1);
    foreign.cluster = uuid_of(0xdd);
    const std::string sentence = refusal(acceptor.on_hello(make(Role::initiator, foreign).hello()));
    BOOST_TEST(has(sentence, to_string(uuid_of(0xdd))));
    BOOST_TEST(has(sentence, to_string(uuid_of(0xcc))));
}

BOOST_AUTO_TEST_CASE(a_replica_that_is_no_member_yet) {
    PeerIdentity newcomer = member(3);
    newcomer.cluster = Uuid{};
    PeerAuth joining = make(Role::initiator, newcomer);
    BOOST_REQUIRE(acceptor.on_hello(joining.hello()).has_value());
    const Bytes proof = **joining.on_hello(acceptor.hello());
    BOOST_REQUIRE(joining.on_proof(**acceptor.on_proof(proof)).has_value());
    BOOST_TEST(joining.done());
    BOOST_TEST(acceptor.peer().cluster.is_nil());
}

BOOST_AUTO_TEST_CASE(a_copy_of_the_own_data_directory) {
    PeerIdentity clone = member(2);
    clone.incarnation = 9;
    const auto answer = acceptor.on_hello(make(Role::initiator, clone).hello());
    BOOST_TEST(has(refusal(answer), "copied data directory"));
}

BOOST_AUTO_TEST_CASE(another_node_with_the_own_node_id) {
    PeerIdentity same = member(1);
    same.node_id = 2;
    BOOST_TEST(has(refusal(acceptor.on_hello(make(Role::initiator, same).hello())), "node id 2"));
}

BOOST_AUTO_TEST_CASE(another_version) {
    PeerIdentity future = member(1);
    future.protocol_version = 2;
    const std::string sentence =
        refusal(acceptor.on_hello(make(Role::initiator, future).hello()), Code::version);
    BOOST_TEST(has(sentence, "version 2"));
    // Even when the rest of the hello is not the one we know.
    PeerAuth unknowing = make(Role::acceptor, member(2));
    refusal(unknowing.on_hello("\x93\xc4\x08syncline\x02\xc0"), Code::version);
}

BOOST_AUTO_TEST_CASE(messages_out_of_turn) {
    refusal(acceptor.on_proof(Bytes(32, 'x')));
    BOOST_REQUIRE(initiator.on_hello(acceptor.hello()).has_value());
    refusal(initiator.on_hello(acceptor.hello()));
    refusal(initiator.on_proof(Bytes(32, 'x')));
}

BOOST_AUTO_TEST_CASE(no_protocol_of_peers) {
    for (const char* text : {"", "PING\r\n", "GET / HTTP/1.1\r\n\r\n"}) {
        PeerAuth copy = acceptor;
        refusal(copy.on_hello(text), Code::corrupt);
    }
}

BOOST_AUTO_TEST_SUITE_END()

struct SecretFixture {
    SecretFixture() {
        std::string pattern = (std::filesystem::temp_directory_path() / "syncline-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
    }
    ~SecretFixture() { std::filesystem::remove_all(folder); }
    SecretFixture(const SecretFixture&) = delete;
    SecretFixture& operator=(const SecretFixture&) = delete;

    std::string file(const std::string& content, mode_t mode = 0600) {
        std::string path = (folder / "secret").string();
        std::filesystem::remove(path);
        std::ofstream(path, std::ios::binary) << content;
        BOOST_REQUIRE(::chmod(path.c_str(), mode) == 0);
        return path;
    }

    std::filesystem::path folder;
};

BOOST_FIXTURE_TEST_SUITE(peer_secret, SecretFixture)

BOOST_AUTO_TEST_CASE(one_line_end_does_not_count) {
    const std::string text = "0123456789abcdef";
    for (const char* end : {"", "\n", "\r\n"}) {
        BOOST_TEST(load_secret(file(text + end))->view() == text);
    }
    BOOST_TEST(load_secret(file(text + "\n\n"))->view() == text + "\n");
    BOOST_TEST(load_secret(file(text, 0400))->view() == text);
}

BOOST_AUTO_TEST_CASE(length_has_bounds) {
    BOOST_TEST(has(refusal(load_secret(file("")), Code::invalid_argument), "it has 0"));
    BOOST_TEST(
        has(refusal(load_secret(file("0123456789abcde\n")), Code::invalid_argument), "it has 15"));
    BOOST_TEST(load_secret(file(std::string(1024, 'x') + "\r\n"))->view().size() == 1024U);
    refusal(load_secret(file(std::string(1025, 'x'))), Code::invalid_argument);
    refusal(load_secret(file(std::string(100'000, 'x'))), Code::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_file_open_to_others_is_refused) {
    for (const mode_t mode : {0640U, 0604U, 0660U, 0602U, 0777U}) {
        const std::string sentence = refusal(load_secret(file(std::string(32, 'x'), mode)));
        BOOST_TEST(has(sentence, "chmod 600"));
        BOOST_TEST(!has(sentence, "xxxx"));
    }
}

BOOST_AUTO_TEST_CASE(no_file) {
    BOOST_TEST(has(refusal(load_secret((folder / "none").string()), Code::invalid_argument),
                   "No such file"));
    refusal(load_secret(folder.string()), Code::io);
}

BOOST_AUTO_TEST_CASE(moving_leaves_nothing_behind) {
    Secret from(Bytes("0123456789abcdef"));
    Secret to(std::move(from));
    BOOST_TEST(to.view() == "0123456789abcdef");
    Bytes source = "short one";
    const Secret taken(std::move(source));
    BOOST_TEST(taken.view() == "short one");
}

BOOST_AUTO_TEST_CASE(macs_depend_on_secret_label_and_message) {
    const Secret one(Bytes("0123456789abcdef"));
    const Secret two(Bytes("0123456789abcdeg"));
    const Bytes mac = keyed_mac(one, "label", "message");
    BOOST_TEST(mac.size() == 32U);
    BOOST_TEST(equal_constant_time(mac, keyed_mac(one, "label", "message")));
    BOOST_TEST(!equal_constant_time(mac, keyed_mac(two, "label", "message")));
    BOOST_TEST(!equal_constant_time(mac, keyed_mac(one, "labe", "lmessage")));
    BOOST_TEST(!equal_constant_time(mac, BytesView(mac).substr(1)));
}

BOOST_AUTO_TEST_CASE(random_bytes_have_the_length_asked_for) {
    SystemRandom random;
    for (const std::size_t count : {0U, 1U, 8U, 33U}) {
        BOOST_TEST(random_bytes(random, count).size() == count);
    }
    BOOST_TEST((random_bytes(random, 16) != random_bytes(random, 16)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace syncline
