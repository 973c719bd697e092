#include "net/peer_auth.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/assert.hpp"
#include "core/base/pack.hpp"

namespace syncline {

namespace {

constexpr BytesView hello_magic = "syncline";
constexpr std::size_t hello_fields_count = 7;
constexpr std::size_t nonce_bytes = 32;
constexpr std::size_t mac_bytes = 32;
/// Labels of proofs; the role in them makes a proof worthless to the other side.
constexpr BytesView initiator_label = "syncline peer initiator";
constexpr BytesView acceptor_label = "syncline peer acceptor";

Error refused(const std::string& sentence) {
    return Error{Code::unauthorized, sentence};
}

/// Closes a descriptor at the end of a block.
class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int number() const { return number_; }

private:
    int number_;
};

BytesView without_line_end(BytesView text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
        if (text.ends_with('\r')) text.remove_suffix(1);
    }
    return text;
}

Result<void> check_secret_file(int descriptor, const std::string& path) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        return Error{Code::io, "cannot read secret file " + path + ": " + std::strerror(errno)};
    }
    if (!S_ISREG(status.st_mode)) return Error{Code::io, "secret file " + path + " is no file"};
    return check_private(status.st_mode, "secret file", path);
}

}  // namespace

Result<void> check_private(unsigned mode, const std::string& what, const std::string& path) {
    if ((mode & (S_IRWXG | S_IRWXO)) == 0) return {};
    return refused(what + " " + path +
                   " is open to others than its owner; make it private: chmod 600 " + path);
}

// Secret

Secret::Secret(Bytes&& bytes) : bytes_(bytes.begin(), bytes.end()) {
    OPENSSL_cleanse(bytes.data(), bytes.size());
    bytes.clear();
}

Secret::~Secret() {
    wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    wipe();
    bytes_ = std::move(other.bytes_);
    return *this;
}

BytesView Secret::view() const {
    return {bytes_.data(), bytes_.size()};
}

void Secret::wipe() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

namespace {

Result<Secret> load_at_least(const std::string& path, std::size_t bytes_min) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.number() < 0) {
        return Error{Code::invalid_argument,
                     "cannot read secret file " + path + ": " + std::strerror(errno)};
    }
    SYNCLINE_CHECK(check_secret_file(file.number(), path));

    // Room for the line end and one byte more, which shows that the file is too long.
    Bytes content(secret_bytes_max + 3, '\0');
    std::size_t size = 0;
    ssize_t count = 0;
    do {
        count = ::read(file.number(), content.data() + size, content.size() - size);
        if (count > 0) size += static_cast<std::size_t>(count);
    } while ((count > 0 && size < content.size()) || (count < 0 && errno == EINTR));
    const int error = count < 0 ? errno : 0;
    Secret secret(Bytes(without_line_end(BytesView(content).substr(0, size))));
    OPENSSL_cleanse(content.data(), content.size());

    if (error != 0) {
        return Error{Code::io, "cannot read secret file " + path + ": " + std::strerror(error)};
    }
    const std::size_t length = secret.view().size();
    if (length < bytes_min || length > secret_bytes_max) {
        return Error{Code::invalid_argument,
                     "secret file " + path + " must hold " + std::to_string(bytes_min) + " to " +
                         std::to_string(secret_bytes_max) + " bytes" +
                         (length < bytes_min ? ", it has " + std::to_string(length) : "")};
    }
    return secret;
}

}  // namespace

Result<Secret> load_secret(const std::string& path) {
    return load_at_least(path, secret_bytes_min);
}

Result<Secret> load_password(const std::string& path) {
    return load_at_least(path, 1);
}

// Cryptography

Bytes sha256_hex(BytesView bytes) {
    Bytes digest(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    SYNCLINE_ASSERT(EVP_Digest(bytes.data(), bytes.size(),
                               reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
                               nullptr) == 1);
    digest.resize(size);
    return to_hex(digest);
}

std::optional<Bytes> from_base64(BytesView text) {
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    if (text.size() % 4 != 0 || text.find_first_of(" \t\r\n-") != BytesView::npos) {
        return std::nullopt;
    }
    Bytes bytes(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(size) - std::min(padding, bytes.size()));
    return bytes;
}

Bytes keyed_mac(const Secret& secret, BytesView label, BytesView message) {
    Bytes input;
    ByteWriter writer(input);
    writer.u32(static_cast<std::uint32_t>(label.size()));
    writer.raw(label);
    writer.raw(message);
    const BytesView key = secret.view();
    Bytes mac(mac_bytes, '\0');
    unsigned length = 0;
    const auto* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                            reinterpret_cast<const unsigned char*>(input.data()), input.size(),
                            reinterpret_cast<unsigned char*>(mac.data()), &length);
    SYNCLINE_ASSERT(made != nullptr);
    SYNCLINE_ASSERT(length == mac_bytes);
    return mac;
}

bool equal_constant_time(BytesView a, BytesView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Bytes random_bytes(Random& random, std::size_t count) {
    Bytes bytes;
    ByteWriter writer(bytes);
    while (bytes.size() < count) writer.u64(random.next());
    bytes.resize(count);
    return bytes;
}

// Handshake

PeerAuth::PeerAuth(Role role, const Secret& secret, const PeerIdentity& self, Random& random)
    : role_(role), secret_(secret), self_(self), nonce_(random_bytes(random, nonce_bytes)) {
    Packer packer(hello_);
    packer.array(hello_fields_count);
    packer.bin(hello_magic);
    packer.uint(self.protocol_version);
    packer.bin(to_bytes(self.cluster));
    packer.bin(to_bytes(self.node));
    packer.uint(self.node_id);
    packer.uint(self.incarnation);
    packer.bin(nonce_);
}

Result<std::optional<Bytes>> PeerAuth::on_hello(BytesView message) {
    const bool expected = state_ == State::expects_hello;
    state_ = State::failed;
    if (!expected) return refused("peer sent a second hello");
    SYNCLINE_CHECK(take_hello(message));
    state_ = State::expects_proof;
    if (role_ == Role::acceptor) return std::optional<Bytes>();
    return std::optional<Bytes>(proof_of(Role::initiator));
}

Result<void> PeerAuth::take_hello(BytesView message) {
    constexpr std::uint64_t u32_max = 0xffffffff;
    Unpacker unpacker(message);
    const std::size_t fields_count = unpacker.array();
    const BytesView magic = unpacker.bin();
    const std::uint64_t version = unpacker.uint_at_most(u32_max);
    if (!unpacker.ok() || magic != hello_magic) {
        return Error{Code::corrupt, "the other side does not speak the protocol of peers"};
    }
    // The first two fields are the same in all versions to come; the others are not.
    if (version != self_.protocol_version) {
        return Error{Code::version, "peer speaks version " + std::to_string(version) +
                                        " of the protocol, this " + "replica version " +
                                        std::to_string(self_.protocol_version)};
    }
    const auto cluster = uuid_from(unpacker.bin());
    const auto node = uuid_from(unpacker.bin());
    const std::uint64_t node_id = unpacker.uint_at_most(u32_max);
    const std::uint64_t incarnation = unpacker.uint_at_most(u32_max);
    const BytesView nonce = unpacker.bin();
    if (!unpacker.done() || fields_count != hello_fields_count || !cluster || !node ||
        nonce.size() != nonce_bytes) {
        return Error{Code::corrupt, "peer sent a damaged hello"};
    }
    peer_ =
        PeerIdentity{*cluster, *node, static_cast<std::uint32_t>(node_id),
                     static_cast<std::uint32_t>(incarnation), static_cast<std::uint32_t>(version)};
    peer_hello_ = Bytes(message);
    return check_peer(nonce);
}

Result<void> PeerAuth::check_peer(BytesView nonce) const {
    if (nonce == nonce_) {
        return refused(
            "peer sent this replica's own hello back: a reflection, or a connection "
            "to itself");
    }
    if (peer_.node == self_.node) {
        return refused("peer has this replica's own identity " + to_string(self_.node) +
                       ": a connection to itself, or a copied data directory");
    }
    if (peer_.node_id == self_.node_id) {
        return refused("peer " + to_string(peer_.node) + " has this replica's node id " +
                       std::to_string(self_.node_id));
    }
    const bool both_members = !peer_.cluster.is_nil() && !self_.cluster.is_nil();
    if (both_members && peer_.cluster != self_.cluster) {
        return refused("peer belongs to cluster " + to_string(peer_.cluster) +
                       ", this replica to cluster " + to_string(self_.cluster) +
                       ": their data cannot be merged; begin with an empty data directory on one "
                       "side");
    }
    return {};
}

Result<std::optional<Bytes>> PeerAuth::on_proof(BytesView message) {
    const bool expected = state_ == State::expects_proof;
    state_ = State::failed;
    if (!expected) return refused("peer sent a proof that is not due");
    const Role other = role_ == Role::initiator ? Role::acceptor : Role::initiator;
    if (!equal_constant_time(message, proof_of(other))) {
        return refused("peer does not know the secret of this cluster");
    }
    state_ = State::done;
    if (role_ == Role::initiator) return std::optional<Bytes>();
    return std::optional<Bytes>(proof_of(Role::acceptor));
}

/// What the side in this role sends: its own hello stands first.
Bytes PeerAuth::proof_of(Role role) const {
    const bool own = role == role_;
    const Bytes& first = own ? hello_ : peer_hello_;
    const Bytes& second = own ? peer_hello_ : hello_;
    Bytes message;
    ByteWriter writer(message);
    writer.u32(static_cast<std::uint32_t>(first.size()));
    writer.raw(first);
    writer.u32(static_cast<std::uint32_t>(second.size()));
    writer.raw(second);
    return keyed_mac(secret_, role == Role::initiator ? initiator_label : acceptor_label, message);
}

}  // namespace syncline
