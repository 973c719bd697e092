#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/hash.hpp"
#include "core/engine/identity.hpp"
#include "core/merkle/leaf_sums.hpp"
#include "crdt/hlc.hpp"
#include "crdt/version_vector.hpp"
#include "storage/log.hpp"

namespace syncline {

/// A backup is a directory: files of blocks, and a manifest that names them with their checksums
/// and is written last, so that without one the backup was not finished. Bytes: storage/FORMAT.md.

constexpr const char* backup_manifest_name = "manifest";
/// Larger ones are refused before they are read.
constexpr std::size_t backup_manifest_bytes_max = 16 * limits::mib;

struct BackupFile {
    std::string name;
    std::uint64_t bytes = 0;
    Hash128 hash;  ///< XXH3-128 of all bytes

    bool operator==(const BackupFile&) const = default;
};

/// What a backup holds: the state of a replica at position `to` of its log.
struct BackupManifest {
    Uuid cluster;
    Uuid node;
    Actor actor;
    std::string name;  ///< of the replica, for people
    unsigned leaf_bits = 0;
    std::uint64_t made_ms = 0;  ///< since 1970, by the replica's clock
    std::uint64_t log_id = 0;
    Position from = 0;  ///< events are there from the checkpoint at this position on
    Position to = 0;
    VersionVector vv_from;
    VersionVector vv;
    Hlc hlc;
    VersionVector cut;       ///< rows may have been collected under it, or a part of it
    bool collects = false;   ///< the replica collected what the cut allows
    bool collected = false;  ///< all of it
    LeafSum root;            ///< of the replica's rows, by the seed of its cluster
    std::uint64_t rows = 0;  ///< in the files
    std::uint64_t events = 0;
    std::vector<BackupFile> files;  ///< in the order in which they are read

    /// Restored rows must add up to the root.
    [[nodiscard]] bool root_is_exact() const { return !collects || collected; }
    bool operator==(const BackupManifest&) const = default;
};

Bytes encode_manifest(const BackupManifest& manifest);
/// Errors: corrupt; version (of a newer build).
Result<BackupManifest> decode_manifest(BytesView bytes);

/// What a file begins with, and the kinds of files.
enum class BackupFileKind : std::uint8_t { rows = 1, log = 2 };
constexpr std::size_t backup_head_bytes = 12;
Bytes backup_file_head(BackupFileKind kind);
/// Errors: corrupt, version.
Result<void> check_backup_file_head(BackupFileKind kind, BytesView head);
/// "rows-00000001"; and which kind a name is of, nothing for other names.
std::string backup_file_name(BackupFileKind kind, std::size_t number);
std::optional<BackupFileKind> backup_file_kind(std::string_view name);

/// Blocks: u32 length | u64 XXH3-64 of the payload | payload.
constexpr std::size_t block_head_bytes = 12;
constexpr std::size_t block_bytes_max = 1024 * limits::mib;
void append_block(Bytes& out, BytesView payload);
/// Length of the payload that the head announces. Error corrupt: too long.
Result<std::size_t> block_length(BytesView head);
/// Error corrupt: the payload is not the one that was written.
Result<void> check_block(BytesView head, BytesView payload);

/// The checkpoint that the slices after it show, in files of rows.
struct MarkBlock {
    Position position = 0;
    VersionVector vv;
};
/// Rows of table `cells` in ascending order.
struct RowsBlock {
    std::vector<std::pair<BytesView, BytesView>> rows;
    bool ends_slice = false;
    BytesView to;  ///< where the next slice begins; empty: there is none
};
struct EventView {
    Position next = 0;  ///< in the log, behind the event's record
    BytesView event;    ///< encode_event
};
/// Consecutive events of the log, in files of the log.
struct EventsBlock {
    std::vector<EventView> events;
};

Bytes encode_mark(const MarkBlock& mark);
Result<MarkBlock> decode_mark(BytesView payload);
/// A mark or rows?
bool is_mark(BytesView payload);

/// Makes the payload of a block of rows.
class RowsWriter {
public:
    RowsWriter();
    void add(BytesView key, BytesView value);
    [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }
    /// The payload; the writer is empty again. `to`: the slice ends here.
    Bytes take(std::optional<BytesView> to);

private:
    Bytes bytes_;
};
/// Views into the payload. Error corrupt.
Result<RowsBlock> decode_rows(BytesView payload);

/// Makes the payload of a block of events.
class EventsWriter {
public:
    explicit EventsWriter(Position from);
    void add(Position next, BytesView event);
    [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }
    Bytes take() { return std::move(bytes_); }

private:
    Bytes bytes_;
    Position last_;
};
/// Views into the payload. Error corrupt.
Result<EventsBlock> decode_events(BytesView payload);

}  // namespace syncline
