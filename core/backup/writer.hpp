#pragma once
#include <memory>
#include <string>

#include "core/backup/source.hpp"
#include "storage/disk.hpp"

namespace syncline {

/// Writes a backup into a directory. Files are synced as they grow, so that no flood of dirty pages
/// makes the log wait; the manifest comes last.
/// A failure is final: what is there has no manifest, and is not taken for a backup.
/// Thread-safety: confined to one thread at a time.
class BackupWriter {
public:
    /// The directory is made when missing, not its parents. Errors: invalid_argument (it is not
    /// empty), io, no_space.
    static Result<std::unique_ptr<BackupWriter>> create(
        const std::string& path,
        std::uint64_t file_bytes_target = limits::backup_file_bytes_target);

    /// Errors: io, no_space.
    Result<void> write(const BackupPiece& piece);
    /// After all pieces: makes it a backup. `manifest.files` is filled in.
    Result<void> finish(BackupManifest manifest);

private:
    struct Output {
        BackupFile description;
        std::unique_ptr<File> file;
        Hasher128 hasher;
        std::uint64_t unsynced = 0;
    };

    BackupWriter(std::unique_ptr<Disk> disk, std::uint64_t file_bytes_target)
        : disk_(std::move(disk)), file_bytes_target_(file_bytes_target) {}
    Result<void> put(BackupFileKind kind, BytesView bytes);
    Result<void> open(BackupFileKind kind);
    Result<void> close(BackupFileKind kind);
    Result<void> begin_anew();
    std::unique_ptr<Output>& output(BackupFileKind kind);
    std::vector<BackupFile>& files(BackupFileKind kind);

    std::unique_ptr<Disk> disk_;
    const std::uint64_t file_bytes_target_;
    std::unique_ptr<Output> rows_;
    std::unique_ptr<Output> log_;
    std::vector<BackupFile> rows_files_;
    std::vector<BackupFile> log_files_;
    Bytes mark_;  ///< the last one: each file of rows begins with it
};

}  // namespace syncline
