#include "storage/log_recovery.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "core/base/limits.hpp"

namespace syncline {
namespace {

constexpr std::string_view name_prefix = "log-";
/// Segments are read and rewritten in pieces of this size.
constexpr std::size_t piece_bytes = limits::mib;

Error corrupt_segment(const std::string& what) {
    return Error{Code::corrupt, "log: " + what};
}

std::string at(const Segment& segment, Position position) {
    return "position " + std::to_string(position) + " (" + segment.name + ", offset " +
           std::to_string(segment.offset_of(position)) + ")";
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
    if (!name.starts_with(name_prefix)) return std::nullopt;
    name.remove_prefix(name_prefix.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
    return number;
}

struct Found {
    std::vector<std::shared_ptr<Segment>> segments;  ///< files with a good header
    std::vector<std::string> blank;
    std::uint64_t file_number = 0;
};

Result<Found> read_headers(Disk& disk) {
    Found found;
    SYNCLINE_TRY(const auto names, disk.list());
    for (const std::string& name : names) {
        const auto number = parse_segment_name(name);
        if (!number) continue;
        found.file_number = std::max(found.file_number, *number);
        SYNCLINE_TRY(auto file, disk.open(name));
        SYNCLINE_TRY(const Bytes block, file->read_at(0, segment_header_bytes));
        const auto header = decode_segment_header(block);
        if (!header) return header.error().in(name);
        if (!header->has_value()) {
            found.blank.push_back(name);
            continue;
        }
        auto segment = std::make_shared<Segment>();
        segment->header = **header;
        segment->name = name;
        segment->recycled = true;
        segment->file = std::move(file);
        segment->preparation = Preparation::ready;
        found.segments.push_back(std::move(segment));
    }
    return found;
}

/// Moves the segments that lead to the newest one out of `found`, oldest first. The link through
/// previous_life leaves out trimmed segments that came back, and prepared ones that were dropped.
Result<std::deque<std::shared_ptr<Segment>>> take_chain(Found& found) {
    std::map<std::uint64_t, std::shared_ptr<Segment>> by_life;
    std::shared_ptr<Segment> segment;
    for (const auto& candidate : found.segments) {
        by_life[candidate->header.life] = candidate;
        if (!segment || segment->header.sequence < candidate->header.sequence) segment = candidate;
    }
    for (const auto& candidate : found.segments) {
        if (candidate->header.log_id != segment->header.log_id) {
            return corrupt_segment(candidate->name + " and " + segment->name +
                                   " are of different logs");
        }
    }
    std::deque<std::shared_ptr<Segment>> chain;
    while (segment) {
        by_life.erase(segment->header.life);
        chain.push_front(segment);
        const auto previous = by_life.find(segment->header.previous_life);
        const bool linked =
            previous != by_life.end() && previous->second->header.end() == segment->header.base;
        segment = linked ? previous->second : nullptr;
    }
    std::erase_if(found.segments, [&by_life](const auto& candidate) {
        return by_life.find(candidate->header.life) == by_life.end();
    });
    return chain;
}

/// The bytes of a segment's file, padded to its size.
Result<Bytes> read_segment(const Segment& segment) {
    Bytes bytes;
    bytes.reserve(static_cast<std::size_t>(segment.header.size));
    while (bytes.size() < segment.header.size) {
        const std::size_t count =
            std::min<std::size_t>(piece_bytes, segment.header.size - bytes.size());
        SYNCLINE_TRY(const Bytes piece, segment.file->read_at(bytes.size(), count));
        bytes += piece;
        if (piece.size() < count) break;
    }
    bytes.resize(static_cast<std::size_t>(segment.header.size), '\0');
    return bytes;
}

struct Scan {
    Position end = 0;       ///< after the last good record
    bool complete = false;  ///< ended by a mark, or no room for one more record
    bool marked = false;    ///< ended by a mark
};

/// Walks the records of one segment. Damage below `from` is stepped over: those records are not
/// needed, and whoever reads them is told.
Result<Scan> scan_segment(const Segment& segment, BytesView bytes, Position from) {
    const SegmentHeader& header = segment.header;
    Scan scan{header.base + segment_header_bytes, false, false};
    const Position wanted = std::max(from, scan.end);
    bool reached = scan.end == wanted;
    while (scan.end + record_header_bytes <= header.end()) {
        const auto record =
            parse_record(bytes.substr(segment.offset_of(scan.end)), header, scan.end);
        if (!record && scan.end < wanted) {
            scan.end = wanted;
            continue;
        }
        if (!record) break;
        reached = reached || scan.end >= wanted;
        if (scan.end < wanted && scan.end + record->bytes() > wanted) {
            return corrupt_segment(at(segment, from) + " is inside of a record");
        }
        scan.end += record->bytes();
        if (scan.end == wanted) reached = true;
        scan.marked = record->end_mark;
        if (record->end_mark) break;
    }
    scan.complete = scan.marked || scan.end + record_header_bytes > header.end();
    if (!reached) return corrupt_segment("no record leads up to " + at(segment, from));
    return scan;
}

/// Whether the segment's first record is there.
Result<bool> has_records(const Segment& segment) {
    const std::size_t room = static_cast<std::size_t>(segment.header.size) - segment_header_bytes;
    SYNCLINE_TRY(Bytes bytes,
                 segment.file->read_at(segment_header_bytes, std::min(room, record_header_bytes)));
    if (bytes.size() < record_header_bytes) return false;
    const std::size_t wanted = record_header_bytes + announced_payload_bytes(bytes);
    if (wanted > room) return false;
    SYNCLINE_TRY(bytes, segment.file->read_at(segment_header_bytes, wanted));
    return parse_record(bytes, segment.header, segment.header.base + segment_header_bytes)
        .has_value();
}

/// Makes the tail's file say durably what was read from it: header and records, then zeros.
/// Rewriting what stands there already covers two cases: the process died between write and sync,
/// or a sync failed and left the pages marked clean. Both leave records that only memory holds.
/// The zeros kill records behind the end, which a later append of the right length would otherwise
/// make readable again.
Result<void> settle_tail(Segment& segment, Bytes bytes, Position end) {
    const auto good_bytes =
        std::max(static_cast<std::size_t>(segment.offset_of(end)), segment_header_bytes);
    const Bytes header = encode_segment_header(segment.header);
    bytes.replace(0, header.size(), header);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(good_bytes), bytes.end(), '\0');
    for (std::size_t offset = 0; offset < bytes.size(); offset += piece_bytes) {
        SYNCLINE_CHECK(
            segment.file->write_at(offset, BytesView(bytes).substr(offset, piece_bytes)));
    }
    return segment.file->sync();
}

/// Finds the last record and cuts `log.segments` behind it; segments behind go to `unused`.
Result<void> find_end(RecoveredLog& log, Position from,
                      std::vector<std::shared_ptr<Segment>>& unused) {
    auto& chain = log.segments;
    std::size_t index = 0;
    while (index + 1 < chain.size() && chain[index]->header.end() <= from) ++index;
    Bytes tail_bytes;
    Position tail_end = 0;  // of what stands in the tail's file, a mark included
    std::optional<std::size_t> tail;
    for (; index < chain.size(); ++index) {
        SYNCLINE_TRY(Bytes bytes, read_segment(*chain[index]));
        SYNCLINE_TRY(const Scan scan, scan_segment(*chain[index], bytes, from));
        const bool empty = scan.end == chain[index]->header.base + segment_header_bytes;
        if (!empty || !tail) {
            tail = index;
            tail_bytes = std::move(bytes);
            tail_end = empty ? chain[index]->header.base : scan.end;
            // A mark is not part of what was appended: behind it is no place for a record, and a
            // reader who stands before it is led on to the next segment.
            log.end = scan.marked ? tail_end - record_header_bytes : tail_end;
            log.closed = scan.complete;
        }
        if (!scan.complete) {
            // One flush writes one segment and ends before the next begins, so that a record in a
            // later segment proves that all of this one had been synced.
            for (std::size_t later = index + 1; later < chain.size(); ++later) {
                SYNCLINE_TRY(const bool valid, has_records(*chain[later]));
                if (valid)
                    return corrupt_segment("damaged record at " + at(*chain[index], scan.end));
            }
            break;
        }
    }
    SYNCLINE_ASSERT(tail.has_value());
    SYNCLINE_CHECK(settle_tail(*chain[*tail], std::move(tail_bytes), tail_end));
    unused.insert(unused.end(), chain.begin() + static_cast<std::ptrdiff_t>(*tail) + 1,
                  chain.end());
    chain.erase(chain.begin() + static_cast<std::ptrdiff_t>(*tail) + 1, chain.end());
    return {};
}

}  // namespace

std::string segment_name(std::uint64_t file_number) {
    std::string digits = std::to_string(file_number);
    digits.insert(0, digits.size() < 8 ? 8 - digits.size() : 0, '0');
    return std::string(name_prefix) + digits;
}

Result<RecoveredLog> recover_log(Disk& disk, std::uint64_t segment_bytes, Position from) {
    RecoveredLog log;
    SYNCLINE_TRY(Found found, read_headers(disk));
    // A process that died between creating a file and syncing its name left a name that only
    // memory holds; from here on files are used again without another look at their names.
    SYNCLINE_CHECK(disk.sync_directory());
    log.file_number = found.file_number;
    for (const auto& segment : found.segments) {
        log.sequence = std::max(log.sequence, segment->header.sequence);
    }
    for (std::string& name : found.blank) log.free.push_back(FreeFile{std::move(name), false});
    if (found.segments.empty()) {
        if (from == 0) return log;
        return corrupt_segment("no log, but a checkpoint at position " + std::to_string(from));
    }
    SYNCLINE_TRY(log.segments, take_chain(found));
    const Segment& first = *log.segments.front();
    if (first.header.base > from) {
        return corrupt_segment("the log begins at position " + std::to_string(first.header.base) +
                               ", after the checkpoint at " + std::to_string(from));
    }
    SYNCLINE_CHECK(find_end(log, from, found.segments));
    if (log.end < from) {
        return corrupt_segment("the log ends at position " + std::to_string(log.end) +
                               ", before the checkpoint at " + std::to_string(from));
    }
    std::sort(found.segments.begin(), found.segments.end(),
              [](const auto& a, const auto& b) { return a->header.sequence < b->header.sequence; });
    for (const auto& segment : found.segments) {
        SYNCLINE_TRY(const std::uint64_t bytes, segment->file->size());
        log.free.push_back(FreeFile{segment->name, bytes == segment_bytes});
    }
    return log;
}

}  // namespace syncline
