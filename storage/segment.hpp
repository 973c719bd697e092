#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "storage/disk.hpp"
#include "storage/log.hpp"

/// One file of the log, byte by byte as storage/FORMAT.md has it. For storage/log*.cpp alone.
namespace syncline {

/// The block in front of the records; it holds the header twice, in two sectors.
constexpr std::size_t segment_header_bytes = 4096;
/// length, kind, checksum.
constexpr std::size_t record_header_bytes = 13;
/// In place of a length: no more records in this segment.
constexpr std::uint32_t end_mark_length = 0x80000000;

struct SegmentHeader {
    std::uint64_t log_id = 0;
    Position base = 0;                ///< position of the file's first byte
    std::uint64_t size = 0;           ///< bytes of the file, this header included
    std::uint64_t sequence = 0;       ///< grows with every header written; the largest is newest
    std::uint64_t life = 0;           ///< random for each use of a file; part of every checksum
    std::uint64_t previous_life = 0;  ///< of the segment that ends at `base`; 0 for the first

    [[nodiscard]] Position end() const { return base + size; }
    bool operator==(const SegmentHeader&) const = default;
};

/// segment_header_bytes bytes.
Bytes encode_segment_header(const SegmentHeader& header);
/// Nothing when the block is blank: a file whose creation was cut off. One good copy of the two is
/// enough. Errors: corrupt, version.
Result<std::optional<SegmentHeader>> decode_segment_header(BytesView block);

/// A record to be written, or an end mark.
struct RecordFields {
    Position position = 0;
    std::uint32_t length = 0;  ///< of the payload, or end_mark_length
    std::uint8_t kind = 0;
    BytesView payload;
};
/// Writes the record_header_bytes in front of a payload.
void encode_record_header(char* out, const SegmentHeader& segment, const RecordFields& record);

struct ParsedRecord {
    bool end_mark = false;
    std::uint8_t kind = 0;
    BytesView payload;

    [[nodiscard]] std::size_t bytes() const { return record_header_bytes + payload.size(); }
};

/// Payload bytes that the record header at the front of `bytes` announces; unchecked, may be wild.
/// Precondition: record_header_bytes are there.
std::size_t announced_payload_bytes(BytesView bytes);
/// The record at `position` of `segment`, whose bytes begin with `bytes`. Nothing when it is
/// damaged, cut off, of another life, or was never written.
std::optional<ParsedRecord> parse_record(BytesView bytes, const SegmentHeader& segment,
                                         Position position);

/// How far the file of a segment is.
enum class Preparation : std::uint8_t { none, no_space, ready };

/// A segment and its file. `file` is set by prepare() or by recovery.
struct Segment {
    SegmentHeader header;
    std::string name;
    bool recycled = false;       ///< the file has its full size from a former life
    std::unique_ptr<File> file;  ///< open once the header is durable
    Position mark_end = 0;       ///< behind the mark that this process put at the end; 0: none
    /// Written by prepare() when it is done, read by the log's thread.
    std::atomic<Preparation> preparation = Preparation::none;
    /// Set by the log's thread when it hands the segment on to be made ready; reset by prepare().
    /// While it is set, name and `recycled` stay as they are.
    std::atomic<bool> in_hands = false;

    [[nodiscard]] std::uint64_t offset_of(Position position) const {
        return position - header.base;
    }
    /// Fills a new file with zeros, writes the header, syncs file and name. Does nothing when that
    /// has been done. After no_space nothing is left of a new file, and it may be tried again.
    /// Thread-safety: two threads may call it; who comes second waits for the first.
    Result<void> prepare(Disk& disk);

private:
    Result<void> make_file(Disk& disk);

    std::mutex preparing_;
};

}  // namespace syncline
