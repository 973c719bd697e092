#include "core/backup/reader.hpp"

#include <algorithm>

#include "crdt/bounded_counter.hpp"
#include "crdt/cell.hpp"
#include "crdt/position.hpp"
#include "crdt/text_rows.hpp"
#include "storage/tables.hpp"

namespace syncline {
namespace {

Error corrupt(std::string what) {
    return Error{Code::corrupt, std::move(what)};
}

Result<void> check_field(const RowName& name, CellType type) {
    const Bytes field = name.field.value_or(Bytes());
    const bool sound = name.field.has_value() == traits_of(type).has_fields &&
                       (!traits_of(type).has_positions || is_position(field)) &&
                       (type != CellType::text || generation_from(field)) &&
                       (type != CellType::bounded_counter || rights_row(field));
    if (sound) return {};
    return corrupt("a row of key " + printable(name.key) + " has a field that its type has not");
}

/// One row, by itself and against the state it was read from.
Result<void> check_row(BytesView key, BytesView value, const VersionVector& vv) {
    SYNCLINE_TRY(const Row row, decode_row(key, value));
    if (row.name.type == text_row_type) {
        SYNCLINE_TRY(const TextRowPlace place,
                     read_text_row_place(row.name.field.value_or(Bytes())));
        if (!vv.covers(place.generation)) return corrupt("a text is not in the version vector");
        return check_text_row(place.name, row.payload);
    }
    const std::optional<CellType> type = cell_type_from(row.name.type);
    if (!type) {
        return Error{Code::version, "row of unknown type " + std::to_string(row.name.type)};
    }
    SYNCLINE_CHECK(check_field(row.name, *type));
    SYNCLINE_TRY(const Cell cell, read_cell(row.payload, *type));
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        if (vv.covers(entry.dot)) continue;
        return corrupt("live dot " + to_string(entry.dot) + " of key " + printable(row.name.key) +
                       " is not in the version vector");
    }
    return {};
}

/// One file, block by block.
class FileReader {
public:
    FileReader(File& file, std::uint64_t bytes) : file_(file), left_(bytes) {}

    Result<Bytes> take(std::size_t count) {
        if (count > left_) return corrupt("it ends inside of a block");
        SYNCLINE_TRY(Bytes bytes, file_.read_at(offset_, count));
        if (bytes.size() != count) return corrupt("it is cut off");
        hasher_.add(bytes);
        offset_ += count;
        left_ -= count;
        return bytes;
    }
    [[nodiscard]] std::uint64_t offset() const { return offset_; }
    [[nodiscard]] bool done() const { return left_ == 0; }
    [[nodiscard]] Hash128 hash() const { return hasher_.hash(); }

private:
    File& file_;
    std::uint64_t offset_ = 0;
    std::uint64_t left_;
    Hasher128 hasher_;
};

Result<void> read_blocks(FileReader& in, BackupFileKind kind, BackupSequence& sequence,
                         const std::function<void(std::uint64_t)>& progress) {
    SYNCLINE_TRY(const Bytes head, in.take(backup_head_bytes));
    SYNCLINE_CHECK(check_backup_file_head(kind, head));
    while (!in.done()) {
        SYNCLINE_TRY(const Bytes block_head, in.take(block_head_bytes));
        SYNCLINE_TRY(const std::size_t length, block_length(block_head));
        SYNCLINE_TRY(const Bytes payload, in.take(length));
        SYNCLINE_CHECK(check_block(block_head, payload));
        SYNCLINE_CHECK(sequence.block(kind, payload));
        progress(in.offset());
    }
    return {};
}

class NoVisitor final : public BackupVisitor {
public:
    Result<void> on_rows(const RowsBlock& /*block*/, const MarkBlock& /*mark*/) override {
        return {};
    }
    Result<void> on_rows_end() override { return {}; }
    Result<void> on_event(const Event& /*event*/, Position /*next*/) override { return {}; }
};

}  // namespace

Result<void> BackupSequence::block(BackupFileKind kind, BytesView payload) {
    if (kind == BackupFileKind::log) return events(payload);
    return is_mark(payload) ? mark(payload) : rows(payload);
}

Result<void> BackupSequence::rows_end() {
    if (!complete_) return corrupt("the last rows are missing");
    return visitor_.on_rows_end();
}

Result<void> BackupSequence::end() const {
    if (rows_ != manifest_.rows) {
        return corrupt("there are " + std::to_string(rows_) + " rows, the manifest says " +
                       std::to_string(manifest_.rows));
    }
    if (mark_ && (mark_->position > manifest_.to || !manifest_.vv.covers(mark_->vv))) {
        return corrupt("a checkpoint is behind the end");
    }
    if (events_ != manifest_.events || vv_ != manifest_.vv || position_ > manifest_.to) {
        return corrupt("there are " + std::to_string(events_) + " events up to " + to_string(vv_) +
                       ", the manifest says " + std::to_string(manifest_.events) + " up to " +
                       to_string(manifest_.vv));
    }
    return {};
}

Result<void> BackupSequence::mark(BytesView payload) {
    SYNCLINE_TRY(MarkBlock next, decode_mark(payload));
    const Position least = mark_ ? mark_->position : manifest_.from;
    const VersionVector& known = mark_ ? mark_->vv : manifest_.vv_from;
    const bool sound = next.position >= least && next.vv.covers(known);
    // Inside of a slice, where another file begins, it is repeated.
    const bool same = mark_ && next.position == mark_->position && next.vv == mark_->vv;
    if (!sound || (inside_slice_ && !same)) return corrupt("checkpoints are out of order");
    mark_ = std::move(next);
    return {};
}

Result<void> BackupSequence::rows(BytesView payload) {
    SYNCLINE_TRY(const RowsBlock block, decode_rows(payload));
    if (!mark_ || complete_) return corrupt("rows stand where none may");
    for (const auto& [key, value] : block.rows) {
        if (key <= last_key_ || key < from_) return corrupt("rows are out of order");
        SYNCLINE_CHECK(check_row(key, value, mark_->vv));
        last_key_ = key;
    }
    rows_ += block.rows.size();
    inside_slice_ = !block.ends_slice;
    if (block.ends_slice) {
        complete_ = block.to.empty();
        if (!complete_ && (block.to <= last_key_ || block.to <= from_)) {
            return corrupt("slices are out of order");
        }
        from_ = block.to;
    }
    return visitor_.on_rows(block, *mark_);
}

Result<void> BackupSequence::events(BytesView payload) {
    SYNCLINE_TRY(const EventsBlock block, decode_events(payload));
    for (const EventView& view : block.events) {
        SYNCLINE_TRY(const Event event, decode_event(view.event));
        const bool follows = view.next > position_ &&
                             event.dot.counter == vv_.counter(event.dot.actor) + 1 &&
                             vv_.covers(event.past);
        if (!follows) {
            return corrupt("event " + to_string(event.dot) + " does not follow " + to_string(vv_));
        }
        position_ = view.next;
        vv_.add(event.dot);
        ++events_;
        SYNCLINE_CHECK(visitor_.on_event(event, view.next));
    }
    return {};
}

Result<BackupReader> BackupReader::open(const std::string& path) {
    Result<std::unique_ptr<Disk>> disk = open_posix_disk(path, DiskAccess::read);
    if (!disk) return Error{Code::invalid_argument, disk.error().message};
    SYNCLINE_TRY(const std::optional<Bytes> bytes,
                 read_file(**disk, backup_manifest_name, backup_manifest_bytes_max));
    if (!bytes) {
        return corrupt("'" + path + "' has no manifest: it is no backup, or one that was not " +
                       "finished");
    }
    SYNCLINE_TRY(BackupManifest manifest, decode_manifest(*bytes));
    BackupReader reader(std::move(*disk), std::move(manifest));
    SYNCLINE_CHECK(reader.check_names());
    return reader;
}

/// All files are there, with their lengths, and no others that look like them.
Result<void> BackupReader::check_names() {
    SYNCLINE_TRY(const std::vector<std::string> names, disk_->list());
    for (const BackupFile& file : manifest_.files) {
        if (std::find(names.begin(), names.end(), file.name) == names.end()) {
            return corrupt("file " + file.name + " is missing");
        }
        SYNCLINE_TRY(const std::unique_ptr<File> opened, disk_->open(file.name));
        SYNCLINE_TRY(const std::uint64_t bytes, opened->size());
        if (bytes == file.bytes) continue;
        return corrupt("file " + file.name + " has " + std::to_string(bytes) + " bytes, not " +
                       std::to_string(file.bytes));
    }
    for (const std::string& name : names) {
        const bool known = std::any_of(manifest_.files.begin(), manifest_.files.end(),
                                       [&](const BackupFile& file) { return file.name == name; });
        if (!known && backup_file_kind(name)) {
            return corrupt("file " + name + " is not in the manifest");
        }
    }
    return {};
}

std::uint64_t BackupReader::bytes() const {
    std::uint64_t sum = 0;
    for (const BackupFile& file : manifest_.files) sum += file.bytes;
    return sum;
}

Result<void> BackupReader::read(BackupVisitor& visitor, const BackupReadProgress& progress) {
    BackupSequence sequence(manifest_, visitor);
    const std::uint64_t total = bytes();
    std::uint64_t before = 0;
    bool rows_ended = false;
    for (const BackupFile& file : manifest_.files) {
        const BackupFileKind kind = backup_file_kind(file.name).value();
        if (kind == BackupFileKind::log && !rows_ended) {
            SYNCLINE_CHECK(sequence.rows_end());
            rows_ended = true;
        }
        SYNCLINE_TRY(const std::unique_ptr<File> opened, disk_->open(file.name));
        FileReader in(*opened, file.bytes);
        const auto told = [&](std::uint64_t offset) {
            if (progress) progress(before + offset, total);
        };
        if (const Result<void> read = read_blocks(in, kind, sequence, told); !read) {
            return read.error().in(file.name + ", before byte " + std::to_string(in.offset()));
        }
        if (in.hash() != file.hash) return corrupt("file " + file.name + " fails its checksum");
        before += file.bytes;
    }
    if (!rows_ended) SYNCLINE_CHECK(sequence.rows_end());
    return sequence.end();
}

Result<BackupManifest> verify_backup(const std::string& path, const BackupReadProgress& progress) {
    SYNCLINE_TRY(BackupReader reader, BackupReader::open(path));
    NoVisitor visitor;
    SYNCLINE_CHECK(reader.read(visitor, progress));
    return reader.manifest();
}

}  // namespace syncline
