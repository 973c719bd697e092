#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/env.hpp"
#include "core/base/limits.hpp"
#include "storage/disk.hpp"

namespace syncline {

/// A place in the log: bytes since its beginning, headers and padding included. Grows for ever.
using Position = std::uint64_t;

struct LogRecord {
    Position position;  ///< where it starts
    Position next;      ///< where the one after it starts or will start
    std::uint8_t kind;  ///< given by the caller, opaque here
    Bytes payload;
};

struct LogOptions {
    std::size_t segment_bytes = limits::log_segment_bytes;
};

/// The durability point: an append-only sequence of checksummed records in pre-written, recycled
/// segment files. Happy path: append() buffers; begin_flush() hands the buffer to the log thread,
/// which calls write() and sync() on it; finish_flush() moves durable() forward. Who need not wait
/// for the disk calls write_buffered() at once, and flushes now and then.
/// Each record's checksum covers log id, position, kind and payload, so that a torn tail, or a
/// stale record of a recycled segment's former life, ends recovery and is never taken for data.
/// Thread-safety: confined to one thread, except Flush::write and Flush::sync, of one flush
/// at a time, and Flush::prepare_next.
class Log {
public:
    /// What the log thread works on: consecutive records of one segment.
    class Flush {
    public:
        /// Error no_space: it may be called again later. Any other is final.
        Result<void> write();
        Result<void> sync();
        /// After sync, off the waiting clients' path: makes the next segment ready when this one
        /// is more than half full. Optional; else the first write to it does the work. What fails
        /// for want of space is tried again by a later flush, see short_of_space(). Later flushes
        /// may begin and end on the log thread while another thread is in here.
        Result<void> prepare_next();
        /// Whether prepare_next() has something to do.
        [[nodiscard]] bool prepares() const;
        [[nodiscard]] Position end() const;

    private:
        friend class Log;
        struct State;
        std::shared_ptr<State> state_;
    };

    /// Opens or creates the log in `disk` (files "log-*"), finds its end. A new log takes a random
    /// id. `from`: the checkpoint; records below it may be missing, those above must follow without
    /// a gap. Errors: io; corrupt when a record in the middle is damaged (valid data follow in a
    /// later segment) or when the log does not reach back to `from`.
    static Result<std::unique_ptr<Log>> open(Disk& disk, LogOptions options, Random& random,
                                             Position from);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    [[nodiscard]] std::uint64_t id() const;  ///< random, new when the log was created
    [[nodiscard]] Position base() const;     ///< first record still kept
    [[nodiscard]] Position end() const;      ///< after the last appended record
    [[nodiscard]] Position durable() const;  ///< after the last synced record
    /// After the last record that the operating system has: it survives the end of the process, and
    /// no power cut. At least durable().
    [[nodiscard]] Position written() const;

    /// Buffers a record; it is durable when durable() >= the returned end of the record.
    Position append(std::uint8_t kind, BytesView payload);

    /// Hands buffered records that end at or below `limit` to the operating system, on the caller's
    /// thread, as far as that takes no waiting for the disk; written() moves. What is left then
    /// needs a flush (see needs_flush()): a segment is written to only when it is ready, and when
    /// everything in the one before it is synced. A failure is final, as that of a flush.
    Result<void> write_buffered(std::optional<Position> limit = std::nullopt);
    /// Records are left that only a flush can write, or it is time for one to make the next segment
    /// ready. False while one is under way.
    [[nodiscard]] bool needs_flush() const;

    /// Buffered records that end at or below `limit`, with all that was written before; or only the
    /// latter, while the segment they stand in is another. Nothing when all is durable, or a flush
    /// is under way.
    std::optional<Flush> begin_flush(std::optional<Position> limit = std::nullopt);
    /// For a log that is short of space: a flush without records, which tries to make the next
    /// segment ready. Nothing unless that is what is missing, and no flush is under way.
    std::optional<Flush> begin_preparation();
    /// After write() and sync() succeeded.
    void finish_flush(const Flush& flush);

    /// The first record at or after `position`, durable ones only; nothing at the durable end.
    /// Served from memory for the recent tail, else read from the segment. Error corrupt when the
    /// stored bytes fail their checksum or position is not the start of a record.
    Result<std::optional<LogRecord>> read(Position position);

    /// Lets go of whole segments that end at or below `position`; up to `spare_files` of them are
    /// kept to be recycled.
    Result<void> trim(Position position, std::size_t spare_files = spare_files_max);
    static constexpr std::size_t spare_files_max = 4;

    /// The disk had no room for the file of the next segment, when last tried.
    [[nodiscard]] bool short_of_space() const;
    /// A record with so much payload fits into files that exist: it needs no room on the disk.
    [[nodiscard]] bool has_ready_room(std::size_t payload_bytes) const;

private:
    struct Impl;
    explicit Log(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
