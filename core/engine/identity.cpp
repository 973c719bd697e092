#include "core/engine/identity.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/base/log.hpp"
#include "core/base/mutation.hpp"
#include "core/base/pack.hpp"
#include "core/engine/sealed_file.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t identity_version = 2;
const char* const file_name = "identity";
constexpr std::size_t file_bytes_max = 4096;

Result<Identity> parse(BytesView body) {
    Unpacker in(body);
    const std::size_t parts = in.array();
    const std::uint64_t version = in.uint();
    if (in.ok() && (version < 1 || version > identity_version)) {
        return file_version_error(file_name, version, identity_version);
    }
    const BytesView cluster = in.bin();
    const BytesView node = in.bin();
    Identity identity;
    identity.name = Bytes(in.bin());
    if (version > 1) {  // the first one did not tell a copy from the original
        identity.unsynced = in.boolean();
        identity.base_mark = Bytes(in.bin());
    }
    if (!in.done() || parts != (version == 1 ? 4 : 6)) return damaged_file(file_name);
    SYNCLINE_TRY(identity.cluster, uuid_from(cluster));
    SYNCLINE_TRY(identity.node, uuid_from(node));
    identity.node_id = node_id_of(identity.node);
    return identity;
}

Result<void> note_unsynced(Disk& disk, Identity& identity, bool unsynced) {
    if (identity.unsynced == unsynced) return {};
    Identity noted = identity;
    noted.unsynced = unsynced;
    SYNCLINE_CHECK(save_identity(disk, noted));
    identity = std::move(noted);
    return {};
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

void pack(Packer& out, const Uuid& uuid) {
    out.bin(to_bytes(uuid));
}

Uuid unpack_uuid(Unpacker& in) {
    const Result<Uuid> uuid = uuid_from(in.bin());
    if (uuid) return *uuid;
    in.fail();
    return {};
}

std::uint32_t node_id_of(const Uuid& node) {
    const auto id = static_cast<std::uint32_t>(hash64(to_bytes(node)));
    return id == 0 ? 1 : id;
}

Result<Identity> load_identity(Disk& disk, Random& random) {
    SYNCLINE_TRY(const std::optional<Bytes> body,
                 read_sealed_file(disk, file_name, file_bytes_max));
    if (body) return parse(*body);
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
    return replace_sealed_file(disk, file_name, body);
}

Result<bool> check_original(Disk& disk, Identity& identity, Bytes mark, Random& random) {
    if (mark == identity.base_mark || mutated(Mutation::copy_stays)) return false;
    const bool copied = !identity.base_mark.empty();
    Identity checked = identity;
    checked.base_mark = std::move(mark);
    if (copied) {
        checked.node = random_uuid(random);
        checked.node_id = node_id_of(checked.node);
        log(LogLevel::warning, "identity.copied",
            {{"node", to_string(identity.node)},
             {"new_node", to_string(checked.node)},
             {"meaning",
              "this directory was copied or put back; it is another replica now, and "
              "the one it was made of may be forgotten if it is gone"}});
    }
    SYNCLINE_CHECK(save_identity(disk, checked));
    identity = std::move(checked);
    return copied;
}

Result<bool> begin_run(Disk& disk, Identity& identity, Durability durability) {
    const bool suspect = identity.unsynced;
    // After an unclean end it stays noted until this run, whose log tells the new incarnation, has
    // ended well.
    if (durability == Durability::interval) SYNCLINE_CHECK(note_unsynced(disk, identity, true));
    return suspect;
}

Result<void> end_run(Disk& disk, Identity& identity) {
    return note_unsynced(disk, identity, false);
}

}  // namespace syncline
