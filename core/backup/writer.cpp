#include "core/backup/writer.hpp"

#include <filesystem>

namespace syncline {
namespace {

constexpr std::uint64_t sync_bytes = 8 * limits::mib;

}  // namespace

Result<std::unique_ptr<BackupWriter>> BackupWriter::create(const std::string& path,
                                                           std::uint64_t file_bytes_target) {
    std::error_code error;
    const bool there = std::filesystem::exists(path, error);
    if (there && !std::filesystem::is_empty(path, error) && !error) {
        return Error{Code::invalid_argument, "'" + path + "' is not empty"};
    }
    SYNCLINE_TRY(std::unique_ptr<Disk> disk, open_posix_disk(path));
    return std::unique_ptr<BackupWriter>(new BackupWriter(std::move(disk), file_bytes_target));
}

std::unique_ptr<BackupWriter::Output>& BackupWriter::output(BackupFileKind kind) {
    return kind == BackupFileKind::rows ? rows_ : log_;
}

std::vector<BackupFile>& BackupWriter::files(BackupFileKind kind) {
    return kind == BackupFileKind::rows ? rows_files_ : log_files_;
}

Result<void> BackupWriter::write(const BackupPiece& piece) {
    if (piece.begins_anew) SYNCLINE_CHECK(begin_anew());
    for (const Bytes& payload : piece.payloads) {
        const bool mark = piece.file == BackupFileKind::rows && is_mark(payload);
        if (mark) mark_ = payload;
        const std::unique_ptr<Output>& out = output(piece.file);
        if (out && out->description.bytes >= file_bytes_target_) {
            SYNCLINE_CHECK(close(piece.file));
        }
        if (!out) {
            SYNCLINE_CHECK(open(piece.file));
            if (piece.file == BackupFileKind::rows && !mark) {
                Bytes repeated;
                append_block(repeated, mark_);
                SYNCLINE_CHECK(put(piece.file, repeated));
            }
        }
        Bytes block;
        append_block(block, payload);
        SYNCLINE_CHECK(put(piece.file, block));
    }
    return {};
}

Result<void> BackupWriter::put(BackupFileKind kind, BytesView bytes) {
    Output& out = *output(kind);
    SYNCLINE_CHECK(out.file->write_at(out.description.bytes, bytes));
    out.hasher.add(bytes);
    out.description.bytes += bytes.size();
    out.unsynced += bytes.size();
    if (out.unsynced < sync_bytes) return {};
    out.unsynced = 0;
    return out.file->sync();
}

Result<void> BackupWriter::open(BackupFileKind kind) {
    auto opened = std::make_unique<Output>();
    opened->description.name = backup_file_name(kind, files(kind).size() + 1);
    SYNCLINE_TRY(opened->file, disk_->open(opened->description.name));
    output(kind) = std::move(opened);
    return put(kind, backup_file_head(kind));
}

Result<void> BackupWriter::close(BackupFileKind kind) {
    std::unique_ptr<Output>& out = output(kind);
    if (!out) return {};
    SYNCLINE_CHECK(out->file->sync());
    out->description.hash = out->hasher.hash();
    files(kind).push_back(out->description);
    out.reset();
    return {};
}

Result<void> BackupWriter::begin_anew() {
    rows_.reset();
    log_.reset();
    rows_files_.clear();
    log_files_.clear();
    SYNCLINE_TRY(const std::vector<std::string> names, disk_->list());
    for (const std::string& name : names) {
        if (backup_file_kind(name)) SYNCLINE_CHECK(disk_->remove(name));
    }
    return {};
}

Result<void> BackupWriter::finish(BackupManifest manifest) {
    SYNCLINE_CHECK(close(BackupFileKind::rows));
    SYNCLINE_CHECK(close(BackupFileKind::log));
    manifest.files = rows_files_;
    manifest.files.insert(manifest.files.end(), log_files_.begin(), log_files_.end());
    SYNCLINE_CHECK(disk_->sync_directory());
    return replace_file(*disk_, backup_manifest_name, encode_manifest(manifest));
}

}  // namespace syncline
