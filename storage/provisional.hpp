#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "core/base/result.hpp"
#include "storage/descriptor.hpp"

/// Commits of LMDB that nobody waited for the disk for. Its two meta pages name the states after
/// the last two commits, and it opens the newer one, whether or not that one's pages have reached
/// the disk. A *provisional* commit is one of which that is not known; its number is on disk, in a
/// file of its own, before it is made. Whoever opens the base takes it back, to the state before
/// it, all of whose pages are in place: LMDB never writes to pages of its last two states. A sync
/// confirms it, and the mark is cleared.
namespace syncline {

/// The number of the provisional commit, on disk. Thread-safety: confined to one thread.
class ProvisionalMark {
public:
    /// `base_path`: the directory of the base.
    explicit ProvisionalMark(std::string base_path) : base_path_(std::move(base_path)) {}

    /// Commit `number` (LMDB's; 0: none) may be made without a sync. Durable when it returns.
    /// Errors: io, no_space.
    Result<void> set(std::uint64_t number);
    /// The last one that may be on disk.
    [[nodiscard]] std::uint64_t number() const { return number_; }
    /// What is on disk; 0 for none, and for one that is torn. Errors: io.
    static Result<std::uint64_t> read(const std::string& base_path);

private:
    std::string base_path_;
    Descriptor file_{-1};
    std::uint64_t number_ = 0;
};

/// Takes the provisional commit of a base back, if its last one is that, and clears the mark.
/// Before LMDB opens the base, by whoever has its lock. Durable when it returns; after
/// an error it may be called again. Errors: io, no_space; corrupt (the state before is not there).
Result<void> take_back_provisional(const std::string& base_path);

/// Whether somebody waits for work that could as well take its time. Thread-safety: any thread.
class Haste {
public:
    void set(bool waited_for);
    [[nodiscard]] bool waited_for() const;
    /// Waits so long, or until somebody waits for the work.
    void pause(std::chrono::steady_clock::duration time);

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool waited_for_ = false;
};

/// Writes what the system holds of a file to the disk little by little, with pauses in which others
/// have the disk for themselves, and ends early when somebody waits. Makes nothing durable: it
/// leaves little to do for the sync that follows. Errors: io, no_space.
/// Cost: on an idle disk about four times what the disk takes.
Result<void> write_back_gradually(int file, Haste& haste);

}  // namespace syncline
