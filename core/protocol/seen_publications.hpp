#pragma once
#include <cstdint>
#include <map>
#include <utility>

#include "core/engine/identity.hpp"

namespace syncline {

/// Which publications have come already, on whichever way: the latest number of each run of each
/// replica. What comes behind a later one of its run is taken for seen, so that those of one run
/// are taken in order, and those that another way brings late are lost.
///
/// Memory: at most limits::publication_runs_max runs; the one unheard for longest is forgotten.
/// Cost: O(log N), and O(N) when a run is forgotten. Confined to one thread.
class SeenPublications {
public:
    /// True the first time.
    bool take(const Uuid& origin, std::uint64_t run, std::uint64_t number);

    [[nodiscard]] std::size_t runs_count() const { return runs_.size(); }

private:
    struct Run {
        std::uint64_t latest = 0;
        std::uint64_t heard = 0;  // as counted by takes_
    };

    std::map<std::pair<Uuid, std::uint64_t>, Run> runs_;
    std::uint64_t takes_ = 0;
};

}  // namespace syncline
