#include "storage/log.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <utility>

#include "core/base/hash.hpp"
#include "storage/log_recovery.hpp"
#include "storage/segment.hpp"

namespace syncline {
namespace {

/// Records are encoded into arenas of this size; they are never moved again, so that the log
/// thread and readers use the bytes where they stand.
constexpr std::size_t arena_bytes = 256 * limits::kib;
/// The recent tail of the log that is read from memory.
constexpr std::size_t tail_bytes_max = 8 * limits::mib;
/// Older parts are read in blocks of this size, so that streaming costs few system calls.
constexpr std::size_t window_bytes = 256 * limits::kib;
/// Readers at so many places keep their block each.
constexpr std::size_t windows_count = 8;
/// Smaller segments would be header for the most part.
constexpr std::size_t segment_bytes_min = 2 * segment_header_bytes;
/// The top bit of a length marks the end of a segment.
constexpr std::size_t payload_bytes_max = end_mark_length - 1;

/// Encoded records of one segment, without gaps. The owner's thread appends behind `used`, the
/// others read below it.
struct Arena {
    std::shared_ptr<Segment> segment;
    Position begin = 0;
    std::size_t capacity = 0;
    std::size_t used = 0;
    std::unique_ptr<char[]> bytes;

    [[nodiscard]] Position end() const { return begin + used; }
    [[nodiscard]] BytesView from(Position position) const {
        return BytesView(bytes.get(), used).substr(position - begin);
    }
};

/// Records that wait for a flush, or are in one.
struct Range {
    std::shared_ptr<Arena> arena;
    Position begin = 0;
    std::size_t bytes = 0;

    [[nodiscard]] Position end() const { return begin + bytes; }
    /// Bytes of the records that end at or below `limit`.
    [[nodiscard]] std::size_t bytes_up_to(Position limit) const {
        std::size_t count = 0;
        while (count < bytes) {
            const BytesView record = arena->from(begin + count);
            const std::size_t next = count + record_header_bytes + announced_payload_bytes(record);
            if (begin + next > limit) break;
            count = next;
        }
        return count;
    }
};

/// A block read ahead from a segment.
struct Window {
    std::uint64_t life = 0;  ///< of the segment; lives never repeat, so a recycled file is missed
    Position begin = 0;
    Bytes bytes;
    std::uint64_t used_at = 0;

    [[nodiscard]] bool holds(std::uint64_t wanted_life, Position position,
                             std::size_t count) const {
        return life == wanted_life && begin <= position && position + count <= begin + bytes.size();
    }
};

Result<void> write_range(const Segment& segment, const Range& range) {
    // Not by Arena::from(): the owner's thread may be moving the end.
    const char* const begin =
        range.arena->bytes.get() + static_cast<std::size_t>(range.begin - range.arena->begin);
    return segment.file->write_at(segment.offset_of(range.begin), BytesView(begin, range.bytes));
}

Error corrupt(const std::string& what) {
    return Error{Code::corrupt, "log: " + what};
}

}  // namespace

/// Shared by the log, which keeps it until finish_flush, and the log thread.
struct Log::Flush::State {
    Disk& disk;
    std::shared_ptr<Segment> segment;
    std::vector<Range> ranges;
    Position end = 0;
    bool syncs = true;              ///< false: it only makes the next segment ready
    std::shared_ptr<Segment> next;  ///< to be made ready ahead of time; may be null
};

struct Log::Impl {
    Impl(Disk& log_disk, LogOptions log_options, std::uint64_t seed)
        : disk(log_disk), options(log_options), life_seed(seed) {}

    Disk& disk;
    LogOptions options;
    std::uint64_t life_seed;
    std::uint64_t id = 0;
    std::uint64_t sequence = 0;     ///< of the newest segment
    std::uint64_t file_number = 0;  ///< of the newest file
    Position end = 0;
    Position durable = 0;
    Position written = 0;  ///< at least durable
    /// What is written and not synced, a mark at the end included, ends here, in this segment.
    std::shared_ptr<Segment> unsynced;
    Position unsynced_end = 0;
    bool closed = false;                            ///< the last segment takes no more records
    std::deque<std::shared_ptr<Segment>> segments;  ///< never empty, oldest first, no gaps
    std::shared_ptr<Segment> next;                  ///< described ahead of its use
    std::deque<FreeFile> free;
    std::deque<std::shared_ptr<Arena>> tail;  ///< oldest first
    std::size_t tail_bytes = 0;
    std::deque<Range> pending;
    std::shared_ptr<Flush::State> flushing;
    std::array<Window, windows_count> windows;
    std::uint64_t windows_clock = 0;

    std::shared_ptr<Segment> describe_segment(std::uint64_t size);
    [[nodiscard]] Position place() const;
    [[nodiscard]] bool has_room(std::size_t record_bytes) const;
    void start_segment(std::size_t record_bytes);
    void prepare_ahead(Flush::State& state);
    void hand_next(Flush::State& state);
    Result<void> drop_free_files(std::size_t spare_files);

    char* reserve(Position position, std::size_t bytes);
    void put(std::uint32_t length, std::uint8_t kind, BytesView payload);
    void forget_old_tail();
    std::vector<Range> take_pending(std::optional<Position> limit);
    [[nodiscard]] bool may_write() const;
    [[nodiscard]] bool wants_next() const;
    static Position records_end(const Segment& segment, Position end);

    [[nodiscard]] const Arena* find_arena(Position position) const;
    Result<BytesView> stored_bytes(const Segment& segment, Position position, std::size_t count);
    Result<ParsedRecord> record_at(const Segment& segment, Position position);
};

Log::Log(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Log::~Log() = default;

std::uint64_t Log::id() const {
    return impl_->id;
}

Position Log::base() const {
    return impl_->segments.front()->header.base;
}

Position Log::end() const {
    return impl_->end;
}

Position Log::durable() const {
    return impl_->durable;
}

Position Log::written() const {
    return impl_->written;
}

Result<std::unique_ptr<Log>> Log::open(Disk& disk, LogOptions options, Random& random,
                                       Position from) {
    options.segment_bytes = std::max(options.segment_bytes, segment_bytes_min);
    auto impl = std::make_unique<Impl>(disk, options, random.next());
    SYNCLINE_TRY(RecoveredLog recovered, recover_log(disk, options.segment_bytes, from));
    impl->sequence = recovered.sequence;
    impl->file_number = recovered.file_number;
    impl->free = std::move(recovered.free);
    SYNCLINE_CHECK(impl->drop_free_files(spare_files_max));
    if (recovered.segments.empty()) {
        impl->id = random.next();
        impl->segments.push_back(impl->describe_segment(options.segment_bytes));
        SYNCLINE_CHECK(impl->segments.front()->prepare(disk));
    } else {
        impl->id = recovered.segments.front()->header.log_id;
        impl->segments = std::move(recovered.segments);
        impl->end = recovered.end;
        impl->closed = recovered.closed;
    }
    impl->durable = impl->written = impl->end;
    return std::unique_ptr<Log>(new Log(std::move(impl)));  // the constructor is private
}

// ---- appending ----

Position Log::append(std::uint8_t kind, BytesView payload) {
    SYNCLINE_ASSERT(payload.size() <= payload_bytes_max);
    const std::size_t bytes = record_header_bytes + payload.size();
    while (!impl_->has_room(bytes)) impl_->start_segment(bytes);
    impl_->put(static_cast<std::uint32_t>(payload.size()), kind, payload);
    return impl_->end;
}

/// The segment behind the last one. No file is touched before the log thread prepares it.
std::shared_ptr<Segment> Log::Impl::describe_segment(std::uint64_t size) {
    auto segment = std::make_shared<Segment>();
    SegmentHeader& header = segment->header;
    header.log_id = id;
    header.base = segments.empty() ? 0 : segments.back()->header.end();
    header.size = size;
    header.sequence = ++sequence;
    header.life = std::max<std::uint64_t>(hash64(std::to_string(sequence), life_seed), 1);
    header.previous_life = segments.empty() ? 0 : segments.back()->header.life;
    if (size == options.segment_bytes && !free.empty()) {
        segment->name = std::move(free.front().name);
        segment->recycled = free.front().filled;
        free.pop_front();
    } else {
        segment->name = segment_name(++file_number);
    }
    return segment;
}

/// Where the next record stands if the last segment takes it.
Position Log::Impl::place() const {
    return std::max(end, segments.back()->header.base + segment_header_bytes);
}

bool Log::Impl::has_room(std::size_t record_bytes) const {
    return !closed && place() + record_bytes <= segments.back()->header.end();
}

/// Ends the last segment and begins one for a record of `record_bytes`. One that was described
/// ahead is used even when it is too small: its file is in other hands already.
void Log::Impl::start_segment(std::size_t record_bytes) {
    // The mark proves to readers and to recovery that nothing is missing here.
    if (has_room(record_header_bytes)) {
        put(end_mark_length, 0, {});
        segments.back()->mark_end = end;
    }
    const std::uint64_t size =
        std::max<std::uint64_t>(options.segment_bytes, segment_header_bytes + record_bytes);
    segments.push_back(next ? std::exchange(next, nullptr) : describe_segment(size));
    closed = false;
}

/// Room for one more record at `position` of the last segment.
char* Log::Impl::reserve(Position position, std::size_t bytes) {
    const std::shared_ptr<Segment>& segment = segments.back();
    Arena* arena = tail.empty() ? nullptr : tail.back().get();
    const bool fits = arena != nullptr && arena->segment == segment && arena->end() == position &&
                      arena->capacity - arena->used >= bytes;
    if (!fits) {
        const std::size_t room = static_cast<std::size_t>(segment->header.end() - position);
        auto fresh = std::make_shared<Arena>();
        fresh->segment = segment;
        fresh->begin = position;
        fresh->capacity = std::max(bytes, std::min(room, arena_bytes));
        fresh->bytes = std::make_unique_for_overwrite<char[]>(fresh->capacity);
        tail_bytes += fresh->capacity;
        tail.push_back(std::move(fresh));
        arena = tail.back().get();
        forget_old_tail();
    }
    char* const out = arena->bytes.get() + arena->used;
    arena->used += bytes;
    return out;
}

void Log::Impl::put(std::uint32_t length, std::uint8_t kind, BytesView payload) {
    const SegmentHeader& header = segments.back()->header;
    const Position position = place();
    const std::size_t bytes = record_header_bytes + payload.size();
    char* const out = reserve(position, bytes);
    encode_record_header(out, header, RecordFields{position, length, kind, payload});
    if (!payload.empty()) std::memcpy(out + record_header_bytes, payload.data(), payload.size());
    if (pending.empty() || pending.back().arena != tail.back()) {
        pending.push_back(Range{tail.back(), position, 0});
    }
    pending.back().bytes += bytes;
    end = position + bytes;
}

void Log::Impl::forget_old_tail() {
    // What is not durable is still needed: readers may not see it yet, and the disk has it not.
    while (tail_bytes > tail_bytes_max && tail.size() > 1 && tail.front()->end() <= durable) {
        tail_bytes -= tail.front()->capacity;
        tail.pop_front();
    }
}

// ---- flushing ----

std::optional<Log::Flush> Log::begin_flush(std::optional<Position> limit) {
    if (impl_->flushing) return std::nullopt;
    // One segment at a time: recovery relies on each being whole before the next is begun.
    const std::shared_ptr<Segment> unsynced = impl_->unsynced;
    std::vector<Range> ranges;
    if (!unsynced ||
        (!impl_->pending.empty() && impl_->pending.front().arena->segment == unsynced)) {
        ranges = impl_->take_pending(limit);
    }
    if (ranges.empty() && !unsynced) return std::nullopt;
    auto state = std::make_shared<Flush::State>(
        Flush::State{impl_->disk, unsynced ? unsynced : ranges.front().arena->segment,
                     std::move(ranges), impl_->unsynced_end, true, nullptr});
    if (!state->ranges.empty()) state->end = state->ranges.back().end();
    impl_->prepare_ahead(*state);
    impl_->flushing = state;
    Flush flush;
    flush.state_ = std::move(state);
    return flush;
}

/// Whether the next waiting records may be written without waiting for anything.
bool Log::Impl::may_write() const {
    if (pending.empty() || (flushing && !flushing->ranges.empty())) return false;
    const std::shared_ptr<Segment>& segment = pending.front().arena->segment;
    const bool goes_on = !unsynced || segment == unsynced;
    return goes_on && segment->preparation == Preparation::ready;
}

Result<void> Log::write_buffered(std::optional<Position> limit) {
    Impl& log = *impl_;
    if (!log.may_write()) return {};
    const std::vector<Range> ranges = log.take_pending(limit);
    if (ranges.empty()) return {};
    const std::shared_ptr<Segment> segment = ranges.front().arena->segment;
    for (const Range& range : ranges) SYNCLINE_CHECK(write_range(*segment, range));
    log.unsynced = segment;
    log.unsynced_end = ranges.back().end();
    log.written = Impl::records_end(*segment, log.unsynced_end);
    return {};
}

/// The last segment is more than half full, and none is being made ready behind it.
bool Log::Impl::wants_next() const {
    const SegmentHeader& header = segments.back()->header;
    return !next && end > header.base + header.size / 2;
}

bool Log::needs_flush() const {
    if (impl_->flushing) return false;
    return (!impl_->pending.empty() && !impl_->may_write()) ||
           (impl_->unsynced && impl_->wants_next());
}

std::optional<Log::Flush> Log::begin_preparation() {
    if (impl_->flushing || !impl_->next || impl_->next->in_hands) return std::nullopt;
    auto state = std::make_shared<Flush::State>(
        Flush::State{impl_->disk, impl_->segments.back(), {}, impl_->durable, false, nullptr});
    impl_->hand_next(*state);
    impl_->flushing = state;
    Flush flush;
    flush.state_ = std::move(state);
    return flush;
}

/// Lets the flush make the next segment ready, when its own is more than half full.
void Log::Impl::prepare_ahead(Flush::State& state) {
    const SegmentHeader& header = state.segment->header;
    const bool half_full = state.end - header.base > header.size / 2;
    if (!half_full || state.segment != segments.back()) return;
    if (!next) next = describe_segment(options.segment_bytes);
    if (next->preparation != Preparation::ready && !next->in_hands) hand_next(state);
}

/// Lets the flush try to make the next segment ready. Precondition: no other one does.
void Log::Impl::hand_next(Flush::State& state) {
    if (next->preparation == Preparation::no_space && !free.empty() && free.front().filled) {
        // Since it was described a file has become free that needs no more room.
        next->name = std::move(free.front().name);
        next->recycled = true;
        free.pop_front();
    }
    next->in_hands = true;
    state.next = next;
}

/// Waiting records of the first waiting segment, up to `limit`.
std::vector<Range> Log::Impl::take_pending(std::optional<Position> limit) {
    std::vector<Range> taken;
    while (!pending.empty()) {
        Range& front = pending.front();
        if (!taken.empty() && front.arena->segment != taken.front().arena->segment) break;
        if (!limit || front.end() <= *limit) {
            taken.push_back(std::move(front));
            pending.pop_front();
            continue;
        }
        const std::size_t bytes = front.bytes_up_to(*limit);
        if (bytes > 0) {
            taken.push_back(Range{front.arena, front.begin, bytes});
            front.begin += bytes;
            front.bytes -= bytes;
        }
        break;
    }
    return taken;
}

void Log::finish_flush(const Flush& flush) {
    SYNCLINE_ASSERT(flush.state_ != nullptr);
    SYNCLINE_ASSERT(flush.state_ == impl_->flushing);
    const std::shared_ptr<Flush::State> done = std::exchange(impl_->flushing, nullptr);
    if (!done->syncs) return;
    impl_->durable = Impl::records_end(*done->segment, done->end);
    impl_->written = std::max(impl_->written, impl_->durable);
    if (done->end >= impl_->unsynced_end) impl_->unsynced = nullptr;
    impl_->forget_old_tail();
}

/// A mark is no record: what is written ends before it, as recovery would say too.
Position Log::Impl::records_end(const Segment& segment, Position end) {
    return end == segment.mark_end ? end - record_header_bytes : end;
}

Result<void> Log::Flush::write() {
    if (!state_->syncs) return {};  // prepare_next() is all there is to do
    SYNCLINE_CHECK(state_->segment->prepare(state_->disk));
    for (const Range& range : state_->ranges) {
        SYNCLINE_CHECK(write_range(*state_->segment, range));
    }
    return {};
}

Result<void> Log::Flush::sync() {
    return state_->syncs ? state_->segment->file->sync() : Result<void>();
}

Result<void> Log::Flush::prepare_next() {
    return state_->next ? state_->next->prepare(state_->disk) : Result<void>{};
}

bool Log::Flush::prepares() const {
    return state_->next != nullptr;
}

Position Log::Flush::end() const {
    return state_->end;
}

// ---- reading ----

const Arena* Log::Impl::find_arena(Position position) const {
    auto after = std::upper_bound(
        tail.begin(), tail.end(), position,
        [](Position wanted, const std::shared_ptr<Arena>& arena) { return wanted < arena->begin; });
    if (after == tail.begin()) return nullptr;
    const Arena* const arena = std::prev(after)->get();
    return position < arena->end() ? arena : nullptr;
}

/// `count` bytes at `position`, through the windows. Precondition: they are durable.
Result<BytesView> Log::Impl::stored_bytes(const Segment& segment, Position position,
                                          std::size_t count) {
    Window* window = &windows.front();
    for (Window& candidate : windows) {
        if (candidate.holds(segment.header.life, position, count)) {
            candidate.used_at = ++windows_clock;
            return BytesView(candidate.bytes).substr(position - candidate.begin, count);
        }
        if (candidate.used_at < window->used_at) window = &candidate;
    }
    // Bytes above the durable end are still changing and must not be kept.
    const std::uint64_t durable_bytes =
        std::min<Position>(segment.header.end(), durable) - position;
    const std::size_t wanted = std::max<std::size_t>(
        count, static_cast<std::size_t>(std::min<std::uint64_t>(durable_bytes, window_bytes)));
    window->life = 0;
    SYNCLINE_TRY(window->bytes, segment.file->read_at(segment.offset_of(position), wanted));
    if (window->bytes.size() < count) {
        return corrupt(segment.name + " is cut off at position " + std::to_string(position));
    }
    window->life = segment.header.life;
    window->begin = position;
    window->used_at = ++windows_clock;
    return BytesView(window->bytes).substr(0, count);
}

/// The record at a durable position. Views live until the next call.
Result<ParsedRecord> Log::Impl::record_at(const Segment& segment, Position position) {
    const auto parsed = [&](BytesView bytes) -> Result<ParsedRecord> {
        const auto record = parse_record(bytes, segment.header, position);
        if (record) return *record;
        return corrupt("no valid record at position " + std::to_string(position) + " (" +
                       segment.name + ", offset " + std::to_string(segment.offset_of(position)) +
                       ")");
    };
    if (const Arena* arena = find_arena(position)) return parsed(arena->from(position));
    const Position limit = std::min(segment.header.end(), durable);
    if (limit - position < record_header_bytes) return parsed({});
    SYNCLINE_TRY(BytesView bytes, stored_bytes(segment, position, record_header_bytes));
    const std::size_t count = record_header_bytes + announced_payload_bytes(bytes);
    if (count > limit - position) return parsed({});
    SYNCLINE_TRY(bytes, stored_bytes(segment, position, count));
    return parsed(bytes);
}

Result<std::optional<LogRecord>> Log::read(Position position) {
    const Impl& log = *impl_;
    if (position < base() || position > log.end) {
        return corrupt("position " + std::to_string(position) + " is outside of " +
                       std::to_string(base()) + " to " + std::to_string(log.end));
    }
    auto found = std::upper_bound(log.segments.begin(), log.segments.end(), position,
                                  [](Position wanted, const std::shared_ptr<Segment>& segment) {
                                      return wanted < segment->header.base;
                                  });
    for (--found; found != log.segments.end(); ++found) {
        const Segment& segment = **found;
        const Position first = segment.header.base + segment_header_bytes;
        if (position <= segment.header.base) position = first;
        if (position >= log.durable) return std::optional<LogRecord>();
        if (position < first) return corrupt("position inside of the header of " + segment.name);
        if (position + record_header_bytes > segment.header.end()) continue;
        SYNCLINE_TRY(const ParsedRecord record, impl_->record_at(segment, position));
        if (record.end_mark) {
            position = segment.header.end();
            continue;
        }
        return std::optional<LogRecord>(
            LogRecord{position, position + record.bytes(), record.kind, Bytes(record.payload)});
    }
    return std::optional<LogRecord>();
}

// ---- trimming ----

Result<void> Log::trim(Position position, std::size_t spare_files) {
    auto& segments = impl_->segments;
    // A durable record behind a segment proves that the log goes on without it.
    while (segments.size() > 1 && segments.front()->header.end() <= position &&
           segments.front()->header.end() < impl_->durable) {
        const Segment& segment = *segments.front();
        impl_->free.push_back(
            FreeFile{segment.name, segment.header.size == impl_->options.segment_bytes});
        segments.pop_front();
    }
    return impl_->drop_free_files(spare_files);
}

/// Removes the files that are too many or of another size.
Result<void> Log::Impl::drop_free_files(std::size_t spare_files) {
    std::deque<FreeFile> kept;
    while (!free.empty()) {
        FreeFile file = std::move(free.back());
        free.pop_back();
        if (file.filled && kept.size() < spare_files) {
            kept.push_front(std::move(file));
            continue;
        }
        // Not synced: if the name comes back after a power cut, its header tells that it is old.
        SYNCLINE_CHECK(disk.remove(file.name));
    }
    free = std::move(kept);
    return {};
}

// ---- space ----

bool Log::short_of_space() const {
    return (impl_->next && impl_->next->preparation == Preparation::no_space) ||
           impl_->segments.back()->preparation == Preparation::no_space;
}

bool Log::has_ready_room(std::size_t payload_bytes) const {
    const std::size_t bytes = record_header_bytes + payload_bytes;
    const Segment& last = *impl_->segments.back();
    if (last.preparation == Preparation::ready && impl_->has_room(bytes)) return true;
    return impl_->next && impl_->next->preparation == Preparation::ready &&
           segment_header_bytes + bytes <= impl_->next->header.size;
}

}  // namespace syncline
