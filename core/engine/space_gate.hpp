#pragma once
#include <cstdint>

#include "core/base/limits.hpp"
#include "storage/disk.hpp"
#include "storage/store.hpp"

namespace syncline {

/// How far map and disk may be filled.
struct SpaceOptions {
    /// Bytes of rows in the base; 0: as many as the disk takes. Reached at `stop_percent` of it.
    std::uint64_t map_bytes = 0;
    unsigned stop_percent = limits::space_stop_percent;
};

/// How far they are.
struct SpaceUse {
    BaseSpace base;
    DiskSpace disk;
    Store::Amount flushing;  ///< rows that the checkpoint under way writes
    Store::Amount active;    ///< rows for the one after it
};

/// Decides from figures when writes that add something are refused, so that deletes, expiry, repair
/// and replication still find room: a base without free pages cannot even delete.
///
/// With all well nothing is refused. As map or disk fill up: checkpoints come earlier and the log
/// is cut shorter (pressed, disk_low); then requests wait for the checkpoint under way (tight);
/// then what adds is refused (closed), until clearly more is free again. Thread-safety: confined to
/// one thread.
class SpaceGate {
public:
    enum class Closed : std::uint8_t { no, map, disk };

    explicit SpaceGate(SpaceOptions options) : options_(options) {}

    void look(const SpaceUse& use);
    void set_map_bytes(std::uint64_t map_bytes) { options_.map_bytes = map_bytes; }

    [[nodiscard]] Closed closed() const {
        return map_closed_ ? Closed::map : disk_closed_ ? Closed::disk : Closed::no;
    }
    /// Free room is so scarce that the log should keep nothing for peers that are behind.
    [[nodiscard]] bool disk_low() const { return disk_low_; }
    /// A checkpoint now still finds room; one that waits until it is due may not.
    [[nodiscard]] bool pressed() const { return pressed_; }
    /// A checkpoint may find no room, if the overlay grows any more.
    [[nodiscard]] bool tight() const { return tight_; }
    /// The active part has grown so much since the last look that what was decided is old.
    [[nodiscard]] bool outdated(const Store::Amount& active) const;
    /// Removals that wait behind a checkpoint without room need more than what is kept for them:
    /// theirs would find no room either, when others have given back what they took.
    [[nodiscard]] bool removals_full(const Store::Amount& active) const;
    [[nodiscard]] const SpaceOptions& options() const { return options_; }
    [[nodiscard]] const SpaceUse& use() const { return use_; }

    /// What refuses, or would next, is the limit of the map and not the disk.
    [[nodiscard]] bool by_map() const;
    /// For a refused write: no_space, and how full it is.
    [[nodiscard]] Error error() const;

    /// New pages that the checkpoint under way and the one after it may need, in bytes, at most:
    /// each row may lie on a page of its own, and LMDB writes pages anew, the second time those of
    /// the first.
    static std::uint64_t checkpoint_bytes(const SpaceUse& use);
    /// The disk is closed when less than this is free.
    [[nodiscard]] std::uint64_t disk_stop_bytes() const;

private:
    void look_at_map();
    void look_at_disk();

    SpaceOptions options_;
    SpaceUse use_;
    bool map_closed_ = false;
    bool disk_closed_ = false;
    bool disk_low_ = false;
    bool pressed_ = false;
    bool tight_ = false;
};

/// "none", "map" or "disk".
const char* name_of(SpaceGate::Closed closed);

/// What the storage of a replica sets aside and how large its pieces are, on a disk of this size:
/// small disks get small pieces, or the pieces alone would fill them.
std::uint64_t base_reserve_bytes(const DiskSpace& disk);
std::size_t log_segment_bytes(const DiskSpace& disk);

}  // namespace syncline
