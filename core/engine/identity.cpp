#include "core/engine/identity.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/base/pack.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t identity_version = 2;
const char* const file_name = "identity";
constexpr std::size_t file_bytes_max = 4096;

Error damaged_identity() {
    return Error{Code::corrupt, "the file \"identity\" is damaged"};
}

Result<Identity> parse(BytesView bytes) {
    ByteReader head(bytes.substr(0, 8));
    const std::uint64_t checksum = head.u64();
    if (!head.done() || checksum != hash64(bytes.substr(8))) return damaged_identity();
    Unpacker in(bytes.substr(8));
    const std::size_t parts = in.array();
    const std::uint64_t version = in.uint();
    if (in.ok() && (version < 1 || version > identity_version)) {
        return Error{Code::version, "the file \"identity\" has format " + std::to_string(version) +
                                        ", this build knows " + std::to_string(identity_version)};
    }
    const BytesView cluster = in.bin();
    const BytesView node = in.bin();
    Identity identity;
    identity.name = Bytes(in.bin());
    if (version > 1) {  // the first one did not tell a copy from the original
        identity.unsynced = in.boolean();
        identity.base_mark = Bytes(in.bin());
    }
    if (!in.done() || parts != (version == 1 ? 4 : 6)) return damaged_identity();
    SYNCLINE_TRY(identity.cluster, uuid_from(cluster));
    SYNCLINE_TRY(identity.node, uuid_from(node));
    identity.node_id = node_id_of(identity.node);
    return identity;
}

}  // namespace

Uuid random_uuid(Random& random) {
    Uuid uuid;
    for (std::size_t i = 0; i < uuid.bytes.size(); i += 8) {
        std::uint64_t number = random.next();
        for (std::size_t j = 0; j < 8; ++j, number >>= 8) {
            uuid.bytes[i + j] = static_cast<std::uint8_t>(number & 0xff);
        }
    }
    return uuid;
}

std::string to_string(const Uuid& uuid) {
    return to_hex(to_bytes(uuid));
}

Bytes to_bytes(const Uuid& uuid) {
    Bytes bytes(uuid.bytes.size(), '\0');
    std::transform(uuid.bytes.begin(), uuid.bytes.end(), bytes.begin(),
                   [](std::uint8_t byte) { return static_cast<char>(byte); });
    return bytes;
}

Result<Uuid> uuid_from(BytesView bytes) {
    Uuid uuid;
    if (bytes.size() != uuid.bytes.size()) {
        return Error{Code::corrupt, "a uuid has " + std::to_string(bytes.size()) + " bytes"};
    }
    std::transform(bytes.begin(), bytes.end(), uuid.bytes.begin(),
                   [](char byte) { return static_cast<std::uint8_t>(byte); });
    return uuid;
}

std::uint32_t node_id_of(const Uuid& node) {
    const auto id = static_cast<std::uint32_t>(hash64(to_bytes(node)));
    return id == 0 ? 1 : id;
}

Result<Identity> load_identity(Disk& disk, Random& random) {
    SYNCLINE_TRY(const std::optional<Bytes> bytes, read_file(disk, file_name, file_bytes_max));
    if (bytes) return parse(*bytes);
    Identity identity;
    identity.node = random_uuid(random);
    identity.node_id = node_id_of(identity.node);
    SYNCLINE_CHECK(save_identity(disk, identity));
    return identity;
}

Result<void> save_identity(Disk& disk, const Identity& identity) {
    Bytes body;
    Packer out(body);
    out.array(6);
    out.uint(identity_version);
    out.bin(to_bytes(identity.cluster));
    out.bin(to_bytes(identity.node));
    out.bin(identity.name);
    out.boolean(identity.unsynced);
    out.bin(identity.base_mark);
    Bytes bytes;
    ByteWriter(bytes).u64(hash64(body));
    bytes += body;
    return replace_file(disk, file_name, bytes);
}

}  // namespace syncline
