#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/backup/format.hpp"
#include "core/engine/event.hpp"
#include "storage/disk.hpp"

namespace syncline {

/// Who takes what a backup holds, in its order: all rows, then all events. Views die with the call;
/// an error ends the reading.
class BackupVisitor {
public:
    virtual ~BackupVisitor() = default;
    /// Rows of one slice, which is complete with `ends_slice`; of the checkpoint at `mark`.
    virtual Result<void> on_rows(const RowsBlock& block, const MarkBlock& mark) = 0;
    /// All rows have come.
    virtual Result<void> on_rows_end() = 0;
    /// `next`: position behind it in the replica's log.
    virtual Result<void> on_event(const Event& event, Position next) = 0;
};

/// What must hold from one block of a backup to the next: the order of keys, slices and positions,
/// the form of each row and event, that rows are within their checkpoint's version vector, that
/// events follow each other without a gap. Blocks come in the backup's order; what holds is handed
/// on. Thread-safety: confined to one thread.
class BackupSequence {
public:
    /// Both must outlive it. What a manifest says of the end, `to`, `vv`, `rows` and `events`, need
    /// not be known before end().
    BackupSequence(const BackupManifest& manifest, BackupVisitor& visitor)
        : manifest_(manifest), visitor_(visitor), vv_(manifest.vv_from) {}

    /// Errors: corrupt, version, the visitor's.
    Result<void> block(BackupFileKind kind, BytesView payload);
    /// No more rows. Called once, before the first events.
    Result<void> rows_end();
    [[nodiscard]] std::uint64_t rows() const { return rows_; }  ///< so far
    /// No more events: there must be just what the manifest says.
    [[nodiscard]] Result<void> end() const;

private:
    Result<void> mark(BytesView payload);
    Result<void> rows(BytesView payload);
    Result<void> events(BytesView payload);

    const BackupManifest& manifest_;
    BackupVisitor& visitor_;
    std::optional<MarkBlock> mark_;
    bool inside_slice_ = false;
    bool complete_ = false;
    Bytes from_;
    Bytes last_key_;
    std::uint64_t rows_ = 0;
    Position position_ = 0;
    VersionVector vv_;
    std::uint64_t events_ = 0;
};

/// Told now and then: bytes read, of how many.
using BackupReadProgress = std::function<void(std::uint64_t bytes, std::uint64_t bytes_total)>;

/// Reads a backup and checks everything about it that can be checked without the state it makes:
/// the manifest, lengths and checksums of files, each block before it is used, the order of keys,
/// slices and positions, the form of each row and event, that rows are within their checkpoint's
/// version vector, that events follow each other without a gap up to the vector of the manifest.
/// Thread-safety: confined to one thread.
class BackupReader {
public:
    /// Reads the manifest. Errors: invalid_argument (no directory, or a backup that was not
    /// finished), corrupt, version, io.
    static Result<BackupReader> open(const std::string& path);

    [[nodiscard]] const BackupManifest& manifest() const { return manifest_; }
    [[nodiscard]] std::uint64_t bytes() const;
    /// Errors: corrupt and version name the file and the place; io; the visitor's.
    /// Memory: some blocks, at most 32 MiB each.
    Result<void> read(BackupVisitor& visitor, const BackupReadProgress& progress = {});

private:
    BackupReader(std::unique_ptr<Disk> disk, BackupManifest manifest)
        : disk_(std::move(disk)), manifest_(std::move(manifest)) {}
    Result<void> check_names();

    std::unique_ptr<Disk> disk_;
    BackupManifest manifest_;
};

/// Reads all of it to no other end. Errors: those of open() and read().
Result<BackupManifest> verify_backup(const std::string& path,
                                     const BackupReadProgress& progress = {});

}  // namespace syncline
