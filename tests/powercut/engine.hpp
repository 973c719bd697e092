#pragma once
#include <memory>
#include <string>

#include "core/engine/data_directory.hpp"
#include "tests/powercut/history.hpp"
#include "tests/support/cluster.hpp"

namespace syncline::powercut {

/// A replica on a real data directory, opened as servers and embedded databases open theirs, but
/// with small segments, frequent checkpoints, short retention and a clock of its own, so that a
/// short trace has many of them. Thread-safety: confined to one thread.
class Engine {
public:
    /// Opens or makes the directory; a new one becomes a cluster's only member.
    /// How small and how frequent, `random` decides each time.
    static Result<std::unique_ptr<Engine>> open(const std::string& path, std::uint64_t now_ms,
                                                Mode mode, Random& random);

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
