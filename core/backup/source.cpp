#include "core/backup/source.hpp"

#include <numeric>

#include "crdt/text_rows.hpp"

namespace syncline {
namespace {

constexpr unsigned begin_attempts_max = 4;

bool is_of_text(std::uint8_t type) {
    return type == text_row_type || type == static_cast<std::uint8_t>(CellType::text);
}

}  // namespace

std::size_t BackupPiece::bytes() const {
    return std::accumulate(
        payloads.begin(), payloads.end(), std::size_t{0},
        [](std::size_t sum, const Bytes& payload) { return sum + payload.size(); });
}

BackupSource::BackupSource(Replica& replica, std::uint64_t now_ms, std::size_t piece_bytes_target,
                           Order order)
    : replica_(replica), piece_bytes_target_(piece_bytes_target), order_(order) {
    const Identity& identity = replica.identity();
    manifest_.cluster = identity.cluster;
    manifest_.node = identity.node;
    manifest_.name = identity.name;
    manifest_.made_ms = now_ms;
}

BackupSource::~BackupSource() {
    replica_.hold_log(std::nullopt);
}

Result<std::optional<BackupPiece>> BackupSource::next() {
    if (replica_.failure()) return *replica_.failure();
    while (phase_ != Phase::finished) {
        if (phase_ == Phase::beginning) {
            SYNCLINE_TRY(const bool begun, begin());
            if (!begun) break;
        }
        const Position unread = replica_.log().durable() - log_next_;
        if (unread > limits::backup_log_held_bytes_max) {
            return Error{Code::no_space,
                         "the replica writes faster than the backup is made: the log that waits "
                         "for it has grown to " +
                             std::to_string(unread) + " bytes"};
        }
        // In turns, so that rows are copied whatever clients write; the end comes with the rows.
        const bool log_is_due = order_ == Order::in_turns && unread >= piece_bytes_target_ &&
                                !std::exchange(log_was_due_, true);
        if (phase_ == Phase::copying && !log_is_due) {
            log_was_due_ = false;
            SYNCLINE_TRY(BackupPiece piece, read_rows());
            return std::optional(std::move(piece));
        }
        const Position before = log_next_;
        SYNCLINE_TRY(std::optional<BackupPiece> piece, read_log());
        if (piece) return piece;
        if (phase_ == Phase::ending && log_next_ == before) break;
    }
    return std::optional<BackupPiece>();
}

/// False: there is no checkpoint yet.
Result<bool> BackupSource::begin() {
    SYNCLINE_TRY(const std::optional<BaseMark> mark, replica_.base_mark());
    if (!mark) {
        replica_.request_checkpoint();
        return false;
    }
    const Group& group = replica_.group();
    replica_.hold_log(mark->position);
    manifest_.actor = replica_.actor();
    manifest_.leaf_bits = group.leaf_sums().bits();
    manifest_.log_id = replica_.log().id();
    manifest_.from = manifest_.to = log_next_ = mark->position;
    manifest_.vv_from = manifest_.vv = copied_ = mark->vv;
    from_.clear();
    mark_.reset();
    progress_ = BackupProgress{0, group.leaf_sums().root().count, 0, progress_.bytes};
    phase_ = Phase::copying;
    return true;
}

/// One slice, in the view of one turn.
Result<BackupPiece> BackupSource::read_rows() {
    SYNCLINE_TRY(const std::optional<BaseMark> mark, replica_.base_mark());
    if (!mark) return Error{Code::corrupt, "the base has lost its checkpoint"};
    BackupPiece piece;
    piece.begins_anew = std::exchange(announce_, false);
    if (mark_ != mark->position) {
        mark_ = mark->position;
        piece.payloads.push_back(encode_mark(MarkBlock{mark->position, mark->vv}));
    }
    RowsWriter writer;
    std::size_t bytes = 0;
    std::optional<std::uint64_t> text;  // hash of the key whose text is being read
    std::optional<Bytes> to;
    Result<void> status;
    const auto visit = [&](BytesView key, BytesView value) {
        const bool inside = text && row_key_hash(key) == *text;
        if (bytes >= piece_bytes_target_ && !inside) {
            to = Bytes(key);
            return false;
        }
        const Result<Row> row = decode_row(key, value);
        if (!row) {
            status = row.error();
            return false;
        }
        if (is_of_text(row->name.type)) text = row_key_hash(key);
        if (writer.bytes() >= piece_bytes_target_) {
            piece.payloads.push_back(writer.take(std::nullopt));
        }
        writer.add(key, value);
        bytes += key.size() + value.size();
        ++progress_.rows;
        return true;
    };
    SYNCLINE_CHECK(replica_.group().store().scan_base(Table::cells, from_, {}, visit));
    SYNCLINE_CHECK(status);
    // A lost row has no checksum that could fail: only the sums of its bucket miss it.
    SYNCLINE_CHECK(
        replica_.group().verify_rows(from_, to ? std::optional<BytesView>(*to) : std::nullopt));
    from_ = to.value_or(Bytes());
    piece.payloads.push_back(writer.take(BytesView(from_)));
    if (!to) {
        if (!replica_.group().damaged().empty()) {
            return Error{Code::corrupt,
                         "backup: rows are damaged, and a peer has not repaired them"};
        }
        note_end();
    }
    progress_.bytes += piece.bytes();
    return piece;
}

/// All rows are copied; the backup will be of the replica's state now.
void BackupSource::note_end() {
    const Group& group = replica_.group();
    phase_ = Phase::ending;
    manifest_.to = replica_.log().end();
    manifest_.vv = group.vv();
    manifest_.hlc = replica_.group().clock().last();
    manifest_.cut = replica_.stable_cut().cut();
    manifest_.collects = replica_.stable_cut().on();
    manifest_.collected = group.collected();
    manifest_.root = group.leaf_sums().root();
    manifest_.rows = progress_.rows;
}

Result<std::optional<BackupPiece>> BackupSource::read_log() {
    BackupPiece piece;
    piece.file = BackupFileKind::log;
    piece.begins_anew = std::exchange(announce_, false);
    EventsWriter writer(log_next_);
    const std::size_t empty = writer.bytes();
    const bool ending = phase_ == Phase::ending;
    while (writer.bytes() < piece_bytes_target_) {
        if (ending && log_next_ >= manifest_.to) break;
        SYNCLINE_TRY(const std::optional<LogRecord> record, replica_.read_log(log_next_));
        if (!record) break;
        if (static_cast<RecordKind>(record->kind) == RecordKind::barrier) {
            SYNCLINE_TRY(const VersionVector vv, decode_barrier(record->payload));
            if (!copied_.covers(vv)) {
                SYNCLINE_CHECK(begin_anew());
                return std::optional<BackupPiece>();
            }
        } else if (static_cast<RecordKind>(record->kind) == RecordKind::event) {
            SYNCLINE_TRY(const Dot dot, peek_dot(record->payload));
            writer.add(record->next, record->payload);
            copied_.add(dot);
            ++progress_.events;
        }
        log_next_ = record->next;
    }
    replica_.hold_log(log_next_);
    if (ending && log_next_ >= manifest_.to) SYNCLINE_CHECK(check_end());
    if (writer.bytes() == empty) {
        announce_ = piece.begins_anew;
        return std::optional<BackupPiece>();
    }
    piece.payloads.push_back(writer.take());
    progress_.bytes += piece.bytes();
    return std::optional(std::move(piece));
}

Result<void> BackupSource::begin_anew() {
    if (++attempts_ > begin_attempts_max) {
        return Error{Code::unavailable,
                     "the replica took over snapshots of peers again and again; try it later"};
    }
    phase_ = Phase::beginning;
    announce_ = true;
    return {};
}

Result<void> BackupSource::check_end() {
    phase_ = Phase::finished;
    manifest_.events = progress_.events;
    if (copied_ == manifest_.vv) return {};
    return Error{Code::corrupt,
                 "the log holds " + to_string(copied_) + ", the state " + to_string(manifest_.vv)};
}

}  // namespace syncline
