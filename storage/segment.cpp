#include "storage/segment.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/hash.hpp"
#include "core/base/limits.hpp"

namespace syncline {
namespace {

constexpr std::string_view magic = "SYNCLLOG";
constexpr std::uint32_t format_version = 2;
/// The unit in which a disk writes: all of it or nothing.
constexpr std::size_t sector_bytes = 512;
constexpr std::size_t checksum_bytes = 8;
/// Where the two copies of the header stand.
constexpr std::array<std::size_t, 2> copy_offsets = {0, 2048};
/// Zeros are written in pieces of this size.
constexpr std::size_t fill_bytes = limits::mib;

/// A sector: its checksum, then what the checksum covers. This frame is the same for all versions,
/// so that a newer format is told apart from damage.
Bytes encode_header_sector(const SegmentHeader& header) {
    Bytes body;
    ByteWriter writer(body);
    writer.raw(magic);
    writer.u32(format_version);
    writer.u64(header.log_id);
    writer.u64(header.base);
    writer.u64(header.size);
    writer.u64(header.sequence);
    writer.u64(header.life);
    writer.u64(header.previous_life);
    body.resize(sector_bytes - checksum_bytes, '\0');
    Bytes sector;
    ByteWriter(sector).u64(hash64(body));
    return sector + body;
}

enum class CopyState { blank, damaged, other_version, good };

CopyState decode_header_sector(BytesView sector, SegmentHeader& header) {
    const bool blank = std::all_of(sector.begin(), sector.end(), [](char c) { return c == '\0'; });
    if (blank) return CopyState::blank;
    ByteReader reader(sector);
    const std::uint64_t checksum = reader.u64();
    if (sector.size() != sector_bytes || hash64(sector.substr(checksum_bytes)) != checksum) {
        return CopyState::damaged;
    }
    if (reader.raw(magic.size()) != magic) return CopyState::damaged;
    if (reader.u32() != format_version) return CopyState::other_version;
    header.log_id = reader.u64();
    header.base = reader.u64();
    header.size = reader.u64();
    header.sequence = reader.u64();
    header.life = reader.u64();
    header.previous_life = reader.u64();
    return CopyState::good;
}

std::uint64_t record_checksum(const SegmentHeader& segment, const RecordFields& record) {
    // Big endian, as everything that is stored; by hand because this runs for every record.
    std::array<char, 40> covered{};
    char* out = covered.data();
    const auto put = [&out](std::uint64_t value) {
        for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
    };
    put(segment.log_id);
    put(segment.life);
    put(record.position);
    put(std::uint64_t{record.length} << 8 | record.kind);
    put(hash64(record.payload));
    return hash64(BytesView(covered.data(), covered.size()));
}

/// Synced piece by piece: while one of them is under way, records elsewhere wait for a sync of no
/// more than that.
Result<void> fill_with_zeros(File& file, std::uint64_t size) {
    const Bytes zeros(static_cast<std::size_t>(std::min<std::uint64_t>(size, fill_bytes)), '\0');
    for (std::uint64_t offset = 0; offset < size; offset += zeros.size()) {
        const std::uint64_t count = std::min<std::uint64_t>(zeros.size(), size - offset);
        SYNCLINE_CHECK(file.write_at(offset, BytesView(zeros).substr(0, count)));
        SYNCLINE_CHECK(file.sync());
    }
    return {};
}

}  // namespace

Bytes encode_segment_header(const SegmentHeader& header) {
    Bytes block(segment_header_bytes, '\0');
    const Bytes sector = encode_header_sector(header);
    for (const std::size_t offset : copy_offsets) block.replace(offset, sector.size(), sector);
    return block;
}

Result<std::optional<SegmentHeader>> decode_segment_header(BytesView block) {
    std::optional<SegmentHeader> newest;
    bool damaged = false;
    for (const std::size_t offset : copy_offsets) {
        SegmentHeader header;
        const BytesView sector =
            block.size() > offset ? block.substr(offset, sector_bytes) : BytesView{};
        switch (decode_header_sector(sector, header)) {
            case CopyState::blank:
                break;
            case CopyState::damaged:
                damaged = true;
                break;
            case CopyState::other_version:
                return Error{Code::version,
                             "the log is of a format version this program does not know; it knows "
                             "version " +
                                 std::to_string(format_version)};
            case CopyState::good:
                if (!newest || newest->sequence < header.sequence) newest = header;
        }
    }
    // A sector is written whole or not at all, so that a power cut leaves old, new or zeros here.
    if (!newest && damaged) return Error{Code::corrupt, "segment header is damaged"};
    return newest;
}

void encode_record_header(char* out, const SegmentHeader& segment, const RecordFields& record) {
    const std::uint64_t checksum = record_checksum(segment, record);
    for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<char>(record.length >> shift);
    *out++ = static_cast<char>(record.kind);
    for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<char>(checksum >> shift);
}

std::size_t announced_payload_bytes(BytesView bytes) {
    SYNCLINE_ASSERT(bytes.size() >= record_header_bytes);
    const std::uint32_t length = ByteReader(bytes).u32();
    return length == end_mark_length ? 0 : length;
}

std::optional<ParsedRecord> parse_record(BytesView bytes, const SegmentHeader& segment,
                                         Position position) {
    ByteReader reader(bytes);
    const std::uint32_t length = reader.u32();
    ParsedRecord record;
    record.kind = reader.u8();
    const std::uint64_t checksum = reader.u64();
    record.end_mark = length == end_mark_length;
    if (!record.end_mark) record.payload = reader.raw(length);
    if (!reader.ok()) return std::nullopt;
    const RecordFields fields{position, length, record.kind, record.payload};
    if (record_checksum(segment, fields) != checksum) return std::nullopt;
    return record;
}

Result<void> Segment::prepare(Disk& disk) {
    const std::lock_guard lock(preparing_);
    if (file) {
        in_hands = false;
        return {};
    }
    const Result<void> made = make_file(disk);
    const bool no_space = !made && made.error().code == Code::no_space;
    // What was filled so far is given back: a commit of the base may be waiting for it.
    if (no_space && !recycled) (void)disk.remove(name);  // it may not even have come to be
    preparation = made ? Preparation::ready : no_space ? Preparation::no_space : Preparation::none;
    in_hands = false;
    return made;
}

Result<void> Segment::make_file(Disk& disk) {
    SYNCLINE_TRY(auto opened, disk.open(name));
    if (!recycled) SYNCLINE_CHECK(fill_with_zeros(*opened, header.size));
    // Durable before the first record: from here on a damaged header is rot, never a torn write.
    SYNCLINE_CHECK(opened->write_at(0, encode_segment_header(header)));
    SYNCLINE_CHECK(opened->sync());
    if (!recycled) SYNCLINE_CHECK(disk.sync_directory());
    file = std::move(opened);
    return {};
}

}  // namespace syncline
