#include "core/engine/space_gate.hpp"

#include <algorithm>
#include <bit>

namespace syncline {
namespace {

/// A row lies on a leaf page, and the pages above it are shared by many.
constexpr std::uint64_t row_pages_bytes = 2 * 4 * limits::kib;
/// The gate opens when this much more is free than at which it closed, so that it does not flap.
constexpr unsigned reopen_percent = 5;
/// A checkpoint of less than this is not worth its syncs.
constexpr std::uint64_t pressed_bytes_min = 512 * limits::kib;
constexpr std::uint64_t reserve_bytes_max = 64 * limits::mib;
constexpr std::uint64_t reserve_disk_share = 16;
/// How much of the reserve removals may need while a checkpoint waits: each restart takes it anew.
constexpr std::uint64_t removals_reserve_share = 4;
/// A look at the disk is due when what waits for it has grown by this part of what is usable.
constexpr std::uint64_t outdated_share = 16;
constexpr std::uint64_t segment_disk_share = 64;
constexpr std::uint64_t segment_bytes_min = 256 * limits::kib;

std::uint64_t percent_of(std::uint64_t bytes, unsigned percent) {
    return bytes / 100 * percent + bytes % 100 * percent / 100;
}

/// What the next checkpoint and the log can use: free on the disk, set aside for the base, free in
/// it.
std::uint64_t usable_bytes(const SpaceUse& use) {
    return use.disk.free_bytes + use.base.reserved_bytes + use.base.free_bytes -
           use.base.fresh_bytes;
}

std::string megabytes(std::uint64_t bytes) {
    return std::to_string(bytes / limits::mib) + " MiB";
}

}  // namespace

std::uint64_t SpaceGate::checkpoint_bytes(const SpaceUse& use) {
    std::uint64_t base = use.base.used_bytes();
    std::uint64_t needed = 0;
    for (const Store::Amount& part : {use.flushing, use.active}) {
        base += part.bytes;
        needed += part.bytes + std::min<std::uint64_t>(part.rows * row_pages_bytes, base);
        base += part.bytes;  // pages are half empty after random insertions
    }
    return needed;
}

std::uint64_t SpaceGate::disk_stop_bytes() const {
    const std::uint64_t share = percent_of(use_.disk.total_bytes, 100 - options_.stop_percent);
    return std::min<std::uint64_t>(share, limits::disk_free_bytes_wanted);
}

void SpaceGate::look(const SpaceUse& use) {
    use_ = use;
    pressed_ = tight_ = false;
    look_at_map();
    look_at_disk();
}

void SpaceGate::look_at_map() {
    const std::uint64_t limit = options_.map_bytes;
    const std::uint64_t used = use_.base.used_bytes();
    const unsigned percent = options_.stop_percent - (map_closed_ ? reopen_percent : 0);
    map_closed_ = limit > 0 && used >= percent_of(limit, percent);
    if (limit == 0 || map_closed_) return;
    // On disk they take about twice as much: pages are half empty after random insertions.
    const std::uint64_t waiting = 2 * (use_.flushing.bytes + use_.active.bytes);
    pressed_ = waiting > std::max(percent_of(limit, percent) - used, pressed_bytes_min);
    tight_ = waiting > limit - used;
}

void SpaceGate::look_at_disk() {
    if (!use_.disk.known()) {
        disk_low_ = disk_closed_ = false;
        return;
    }
    const std::uint64_t usable = usable_bytes(use_);
    const std::uint64_t stop = disk_stop_bytes();
    const std::uint64_t enough = stop + stop / 4;
    const std::uint64_t room = use_.disk.free_bytes + use_.base.reserved_bytes;
    disk_low_ = room < enough;
    disk_closed_ = usable < (disk_closed_ ? enough : stop);
    const std::uint64_t needed = checkpoint_bytes(use_);
    pressed_ = pressed_ || needed > usable / 2;
    tight_ = tight_ || needed > usable;
}

bool SpaceGate::outdated(const Store::Amount& active) const {
    if (!use_.disk.known()) return false;
    // Fewer than then: a checkpoint has begun with those.
    const std::size_t then = active.rows < use_.active.rows ? 0 : use_.active.rows;
    return (active.rows - then) * row_pages_bytes > usable_bytes(use_) / outdated_share;
}

bool SpaceGate::removals_full(const Store::Amount& active) const {
    if (!use_.disk.known()) return false;
    const std::uint64_t kept = base_reserve_bytes(use_.disk) / removals_reserve_share;
    return active.bytes + active.rows * row_pages_bytes > kept;
}

bool SpaceGate::by_map() const {
    return map_closed_ || (!disk_closed_ && options_.map_bytes > 0);
}

Error SpaceGate::error() const {
    const std::string still = "; removals are still taken";
    if (by_map()) {
        return Error{Code::no_space, "the data fill " + megabytes(use_.base.used_bytes()) +
                                         " of the " + megabytes(options_.map_bytes) +
                                         " that map-bytes allows" + still};
    }
    return Error{Code::no_space, "the disk has " + megabytes(use_.disk.free_bytes) + " of " +
                                     megabytes(use_.disk.total_bytes) + " left" + still};
}

const char* name_of(SpaceGate::Closed closed) {
    switch (closed) {
        case SpaceGate::Closed::no:
            return "none";
        case SpaceGate::Closed::map:
            return "map";
        case SpaceGate::Closed::disk:
            return "disk";
    }
    return "none";
}

std::uint64_t base_reserve_bytes(const DiskSpace& disk) {
    if (!disk.known()) return 0;
    return std::min<std::uint64_t>(reserve_bytes_max, disk.total_bytes / reserve_disk_share);
}

std::size_t log_segment_bytes(const DiskSpace& disk) {
    if (!disk.known()) return limits::log_segment_bytes;
    const std::uint64_t share =
        std::max<std::uint64_t>(disk.total_bytes / segment_disk_share, segment_bytes_min);
    return std::min<std::size_t>(limits::log_segment_bytes, std::bit_floor(share));
}

}  // namespace syncline
