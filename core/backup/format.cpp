#include "core/backup/format.hpp"

#include <fmt/core.h>

#include "core/base/pack.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t manifest_version = 1;
constexpr std::uint32_t files_version = 1;
constexpr BytesView manifest_magic = "SYNCLBAK";
constexpr std::size_t manifest_head_bytes = 8 + 4 + 8;
/// Name, length, two halves of the hash.
constexpr std::size_t file_fields = 4;
constexpr std::size_t manifest_fields = 21;

/// The first byte of payloads.
enum PayloadKind : std::uint8_t { mark_payload = 1, rows_payload = 2, events_payload = 3 };

BytesView magic_of(BackupFileKind kind) {
    return kind == BackupFileKind::rows ? "SYNCLROW" : "SYNCLEVT";
}

Error damaged(const std::string& what) {
    return Error{Code::corrupt, what};
}

Error newer(const std::string& what, std::uint64_t version, std::uint64_t known) {
    return Error{Code::version, what + " has format " + std::to_string(version) +
                                    ", this build knows " + std::to_string(known)};
}

void pack_file(Packer& out, const BackupFile& file) {
    out.array(file_fields);
    out.bin(file.name);
    out.uint(file.bytes);
    out.uint(file.hash.high);
    out.uint(file.hash.low);
}

BackupFile unpack_file(Unpacker& in) {
    BackupFile file;
    in.array_of(file_fields);
    file.name = std::string(in.bin());
    file.bytes = in.uint();
    file.hash.high = in.uint();
    file.hash.low = in.uint();
    return file;
}

/// Names are used as they are: nothing may lead out of the directory.
bool names_are_sound(const BackupManifest& manifest) {
    std::size_t rows_files = 0;
    std::size_t log_files = 0;
    for (const BackupFile& file : manifest.files) {
        const std::optional<BackupFileKind> kind = backup_file_kind(file.name);
        if (!kind) return false;
        std::size_t& count = *kind == BackupFileKind::rows ? rows_files : log_files;
        if (file.name != backup_file_name(*kind, ++count)) return false;
        if (*kind == BackupFileKind::rows && log_files > 0) return false;
    }
    return true;
}

}  // namespace

Bytes encode_manifest(const BackupManifest& manifest) {
    Bytes body;
    Packer out(body);
    out.array(manifest_fields);
    out.bin(to_bytes(manifest.cluster));
    out.bin(to_bytes(manifest.node));
    out.uint(manifest.actor.node);
    out.uint(manifest.actor.incarnation);
    out.bin(manifest.name);
    out.uint(manifest.leaf_bits);
    out.uint(manifest.made_ms);
    out.uint(manifest.log_id);
    out.uint(manifest.from);
    out.uint(manifest.to);
    pack(out, manifest.vv_from);
    pack(out, manifest.vv);
    out.uint(manifest.hlc.bits);
    pack(out, manifest.cut);
    out.uint((manifest.collects ? 1U : 0U) + (manifest.collected ? 2U : 0U));
    out.uint(manifest.root.sum.high);
    out.uint(manifest.root.sum.low);
    out.uint(manifest.root.count);
    out.uint(manifest.rows);
    out.uint(manifest.events);
    out.array(manifest.files.size());
    for (const BackupFile& file : manifest.files) pack_file(out, file);

    Bytes bytes(manifest_magic);
    ByteWriter head(bytes);
    head.u32(static_cast<std::uint32_t>(manifest_version));
    head.u64(hash64(body));
    head.raw(body);
    return bytes;
}

Result<BackupManifest> decode_manifest(BytesView bytes) {
    if (bytes.size() < manifest_head_bytes || bytes.substr(0, 8) != manifest_magic) {
        return damaged("the manifest is not one of a backup, or damaged");
    }
    ByteReader head(bytes.substr(8));
    const std::uint64_t version = head.u32();
    const std::uint64_t checksum = head.u64();
    if (version != manifest_version) return newer("the backup", version, manifest_version);
    const BytesView body = bytes.substr(manifest_head_bytes);
    if (checksum != hash64(body)) return damaged("the manifest is damaged");
    Unpacker in(body);
    BackupManifest manifest;
    in.array_of(manifest_fields);
    manifest.cluster = unpack_uuid(in);
    manifest.node = unpack_uuid(in);
    manifest.actor.node = static_cast<std::uint32_t>(in.uint_at_most(0xffffffff));
    manifest.actor.incarnation = static_cast<std::uint32_t>(in.uint_at_most(0xffffffff));
    manifest.name = std::string(in.bin());
    manifest.leaf_bits = static_cast<unsigned>(in.uint_at_most(24));
    manifest.made_ms = in.uint();
    manifest.log_id = in.uint();
    manifest.from = in.uint();
    manifest.to = in.uint();
    manifest.vv_from = unpack_version_vector(in);
    manifest.vv = unpack_version_vector(in);
    manifest.hlc = Hlc{in.uint()};
    manifest.cut = unpack_version_vector(in);
    const std::uint64_t collection = in.uint_at_most(3);
    manifest.collects = (collection & 1U) != 0;
    manifest.collected = (collection & 2U) != 0;
    manifest.root.sum.high = in.uint();
    manifest.root.sum.low = in.uint();
    manifest.root.count = in.uint();
    manifest.rows = in.uint();
    manifest.events = in.uint();
    for (std::size_t left = in.array(); left > 0 && in.ok(); --left) {
        manifest.files.push_back(unpack_file(in));
    }
    const bool sound = in.done() && !manifest.cluster.is_nil() && manifest.leaf_bits > 0 &&
                       names_are_sound(manifest) && manifest.from <= manifest.to &&
                       manifest.vv.covers(manifest.vv_from);
    if (!sound) return damaged("the manifest makes no sense");
    return manifest;
}

Bytes backup_file_head(BackupFileKind kind) {
    Bytes head(magic_of(kind));
    ByteWriter(head).u32(files_version);
    return head;
}

Result<void> check_backup_file_head(BackupFileKind kind, BytesView head) {
    if (head.size() != backup_head_bytes || head.substr(0, 8) != magic_of(kind)) {
        return damaged("its beginning is damaged");
    }
    const std::uint32_t version = ByteReader(head.substr(8)).u32();
    if (version != files_version) return newer("it", version, files_version);
    return {};
}

std::string backup_file_name(BackupFileKind kind, std::size_t number) {
    return fmt::format("{}-{:08}", kind == BackupFileKind::rows ? "rows" : "log", number);
}

std::optional<BackupFileKind> backup_file_kind(std::string_view name) {
    const std::size_t dash = name.find('-');
    const std::string_view kind = name.substr(0, dash);
    if (dash == std::string_view::npos || (kind != "rows" && kind != "log")) return std::nullopt;
    return kind == "rows" ? BackupFileKind::rows : BackupFileKind::log;
}

// --- Blocks

void append_block(Bytes& out, BytesView payload) {
    SYNCLINE_ASSERT(payload.size() <= block_bytes_max);
    ByteWriter writer(out);
    writer.u32(static_cast<std::uint32_t>(payload.size()));
    writer.u64(hash64(payload));
    writer.raw(payload);
}

Result<std::size_t> block_length(BytesView head) {
    const std::size_t length = ByteReader(head).u32();
    if (head.size() == block_head_bytes && length > 0 && length <= block_bytes_max) return length;
    return damaged("a block has no sound length");
}

Result<void> check_block(BytesView head, BytesView payload) {
    ByteReader in(head);
    const bool whole = in.u32() == payload.size();
    if (whole && in.u64() == hash64(payload)) return {};
    return damaged("a block fails its checksum");
}

Bytes encode_mark(const MarkBlock& mark) {
    Bytes payload;
    ByteWriter out(payload);
    out.u8(mark_payload);
    out.u64(mark.position);
    write(out, mark.vv);
    return payload;
}

bool is_mark(BytesView payload) {
    return !payload.empty() && static_cast<std::uint8_t>(payload[0]) == mark_payload;
}

Result<MarkBlock> decode_mark(BytesView payload) {
    ByteReader in(payload);
    MarkBlock mark;
    const std::uint8_t kind = in.u8();
    mark.position = in.u64();
    mark.vv = read_version_vector(in);
    if (in.done() && kind == mark_payload) return mark;
    return damaged("a mark of a checkpoint is damaged");
}

RowsWriter::RowsWriter() {
    ByteWriter(bytes_).u8(rows_payload);
}

void RowsWriter::add(BytesView key, BytesView value) {
    ByteWriter out(bytes_);
    out.sized(key);
    out.sized(value);
}

/// Rows have keys, so that an empty one ends them.
Bytes RowsWriter::take(std::optional<BytesView> to) {
    ByteWriter out(bytes_);
    out.sized({});
    out.u8(to ? 1 : 0);
    if (to) out.raw(*to);
    Bytes taken;
    std::swap(taken, bytes_);
    ByteWriter(bytes_).u8(rows_payload);
    return taken;
}

Result<RowsBlock> decode_rows(BytesView payload) {
    ByteReader in(payload);
    if (in.u8() != rows_payload) in.fail();
    RowsBlock block;
    while (in.ok()) {
        const BytesView key = in.sized();
        if (key.empty()) break;
        const BytesView value = in.sized();
        block.rows.emplace_back(key, value);
    }
    const std::uint8_t ends = in.u8();
    if (ends > 1) in.fail();
    block.ends_slice = ends == 1;
    if (block.ends_slice) block.to = in.raw(in.left());
    if (in.done()) return block;
    return damaged("a block of rows is damaged");
}

EventsWriter::EventsWriter(Position from) : last_(from) {
    ByteWriter out(bytes_);
    out.u8(events_payload);
    out.u64(from);
}

void EventsWriter::add(Position next, BytesView event) {
    ByteWriter out(bytes_);
    out.varint(next - last_);
    out.sized(event);
    last_ = next;
}

Result<EventsBlock> decode_events(BytesView payload) {
    ByteReader in(payload);
    if (in.u8() != events_payload) in.fail();
    EventsBlock block;
    Position position = in.u64();
    while (in.left() > 0) {
        const std::uint64_t step = in.varint();
        if (step == 0 || position + step < position) in.fail();
        position += step;
        block.events.push_back(EventView{position, in.sized()});
    }
    if (in.done()) return block;
    return damaged("a block of events is damaged");
}

}  // namespace syncline
