#pragma once
#include <memory>
#include <string>

#include "core/engine/data_directory.hpp"
#include "tests/powercut/history.hpp"
#include "tests/support/cluster.hpp"

namespace syncline::powercut {

/// Few, because as many sums as there are buckets are made at each start.
constexpr unsigned leaf_bits = 10;

/// A fault that the drill must find, so that it is known to bite.
enum class Planted : std::uint8_t {
    nothing,
    // Of the disk: syncs that count for nothing.
    forget_log_sync,
    forget_base_sync,
    forget_directory_sync,
    forget_small_file_sync,
    forget_provisional_sync,  ///< of the mark of a commit made without a sync
    forget_mark_sync,         ///< of the name of "identity" with its mark "not all is synced"
    // Of what processes told: as if they had told it at once.
    early_acknowledgement,
    early_peers,
    // Of the engine's owner.
    no_interval,       ///< a sync is due after an hour
    no_mark,           ///< "identity" does not say that not all is synced
    same_incarnation,  ///< what it says of the last run is passed over
};

/// A replica on a real data directory, opened as servers and embedded databases open theirs, but
/// with small segments, frequent checkpoints, short retention and a clock of its own, so that a
/// short trace has many of them. Thread-safety: confined to one thread.
class Engine {
public:
    /// Opens or makes the directory; a new one becomes a cluster's only member.
    /// How small and how frequent, `random` decides each time.
    static Result<std::unique_ptr<Engine>> open(const std::string& path, std::uint64_t now_ms,
                                                Mode mode, Random& random,
                                                Planted planted = Planted::nothing);
    /// After the last checkpoint of a clean stop.
    Result<void> end() { return data_.end_run(); }

    [[nodiscard]] State state() const;
    [[nodiscard]] Bytes identity() const;
    /// Whether `model` is what is here. Error corrupt.
    Result<void> compare(Model model);
    /// Runs storage jobs on this thread until all is on disk.
    Result<void> settle();

    [[nodiscard]] Replica& replica() { return *replica_; }
    [[nodiscard]] ManualClock& clock() { return clock_; }

private:
    ManualClock clock_;
    SystemRandom random_;
    DataDirectory data_;
    std::unique_ptr<Replica> replica_;
};

}  // namespace syncline::powercut
