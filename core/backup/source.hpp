#pragma once
#include <optional>
#include <vector>

#include "core/backup/format.hpp"
#include "core/backup/progress.hpp"
#include "core/engine/replica.hpp"

namespace syncline {

/// A part of a backup, to be written.
struct BackupPiece {
    bool begins_anew = false;  ///< what was written so far is void
    BackupFileKind file = BackupFileKind::rows;
    std::vector<Bytes> payloads;  ///< of blocks, in order

    [[nodiscard]] std::size_t bytes() const;
};

/// Reads a backup out of a replica while it works: a fuzzy copy in bounded pieces.
///
/// Happy path: table `cells` is read slice by slice in key order, each from whatever checkpoint the
/// base holds then, and the log from the checkpoint of the first slice to the replica's state when
/// the last one was read. A slice is the state of its range of keys at its checkpoint, so that with
/// the events after that checkpoint, and no others, it becomes the state at the end: no event is
/// applied twice to any row. No read view outlives a call, no checkpoint waits; only the log is
/// held from where it was copied to.
/// * The replica adopts a peer's snapshot: the log lacks what that brought. Begins anew.
/// * Records that the end waits for are not durable yet: nothing comes until they are.
/// * The rows of one text make sense together only: a slice never ends between them.
/// Thread-safety: confined to the replica's thread; the replica must outlive it.
class BackupSource {
public:
    enum class Order : std::uint8_t {
        in_turns,   ///< rows and events, so that less of the log is held
        rows_first  ///< no event before the last row
    };
    /// One at a time for a replica. `now_ms`: wall clock, for the manifest.
    BackupSource(Replica& replica, std::uint64_t now_ms,
                 std::size_t piece_bytes_target = limits::backup_piece_bytes_target,
                 Order order = Order::in_turns);
    ~BackupSource();
    BackupSource(const BackupSource&) = delete;
    BackupSource& operator=(const BackupSource&) = delete;

    /// The next piece, of about limits::backup_piece_bytes_target, or nothing: finished(), or it
    /// waits for a flush or checkpoint. Errors: of the replica, corrupt, unavailable (snapshots of
    /// peers were adopted again and again).
    Result<std::optional<BackupPiece>> next();
    [[nodiscard]] bool finished() const { return phase_ == Phase::finished; }
    [[nodiscard]] const BackupProgress& progress() const { return progress_; }
    /// Without its files. What it says of the end is known when it is finished(), what it says of
    /// the beginning with the first piece.
    [[nodiscard]] const BackupManifest& manifest() const { return manifest_; }

private:
    enum class Phase : std::uint8_t { beginning, copying, ending, finished };

    Result<bool> begin();
    Result<BackupPiece> read_rows();
    Result<std::optional<BackupPiece>> read_log();
    Result<void> begin_anew();
    void note_end();
    Result<void> check_end();

    Replica& replica_;
    const std::size_t piece_bytes_target_;
    const Order order_;
    Phase phase_ = Phase::beginning;
    BackupManifest manifest_;
    BackupProgress progress_;
    unsigned attempts_ = 1;
    bool log_was_due_ = false;
    bool announce_ = false;  ///< the next piece begins anew
    Bytes from_;             ///< key of the next slice
    std::optional<Position> mark_;
    Position log_next_ = 0;
    VersionVector copied_;  ///< of rows at `from`, and the events copied since
};

}  // namespace syncline
