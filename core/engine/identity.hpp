#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "core/base/durability.hpp"
#include "core/base/env.hpp"
#include "core/base/pack.hpp"
#include "storage/disk.hpp"

namespace syncline {

/// 128 random bits. All zero: none yet.
struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }
    auto operator<=>(const Uuid&) const = default;
};
Uuid random_uuid(Random& random);
std::string to_string(const Uuid& uuid);
/// Uuid as 16 raw bytes, and back (Error corrupt unless 16 bytes).
Bytes to_bytes(const Uuid& uuid);
Result<Uuid> uuid_from(BytesView bytes);
/// The same in msgpack; fails the unpacker.
void pack(Packer& out, const Uuid& uuid);
Uuid unpack_uuid(Unpacker& in);

/// Who a data directory is. The node id is what dots carry; it is derived from the random uuid, and
/// two uuids with the same id refuse each other at the handshake.
struct Identity {
    Uuid cluster;  ///< nil until the replica founded or joined a cluster
    Uuid node;
    std::uint32_t node_id = 0;
    std::string name;  ///< for people: logs, INFO
    /// It runs, or ended without a clean stop, with Durability::interval: events that it had
    /// acknowledged may be gone.
    bool unsynced = false;
    /// file_mark() of the base's file; empty: not known.
    Bytes base_mark;
};

/// The node id of a uuid; never 0.
std::uint32_t node_id_of(const Uuid& node);

/// Reads the file "identity", or makes a new one. Errors: io, corrupt, version.
Result<Identity> load_identity(Disk& disk, Random& random);
/// Replaces the file atomically and durably.
Result<void> save_identity(Disk& disk, const Identity& identity);

/// At each start: `mark` is file_mark() of the base's file now. If it is not the one that the
/// identity remembers, the directory was copied or put back by a tool for files, and is another
/// node from here on: the original may still live, and so may other copies. True: it is so.
/// Durable. Error io.
Result<bool> check_original(Disk& disk, Identity& identity, Bytes mark, Random& random);
/// What follows is written with this durability. True: events that were acknowledged may be gone,
/// and another incarnation must begin. Durable. Error io.
Result<bool> begin_run(Disk& disk, Identity& identity, Durability durability);
/// Everything is synced, and nothing more is written. Durable. Error io.
Result<void> end_run(Disk& disk, Identity& identity);

}  // namespace syncline
