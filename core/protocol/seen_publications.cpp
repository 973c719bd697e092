#include "core/protocol/seen_publications.hpp"

#include <algorithm>

#include "core/base/limits.hpp"

namespace syncline {

bool SeenPublications::take(const Uuid& origin, std::uint64_t run, std::uint64_t number) {
    const auto found = runs_.find({origin, run});
    if (found == runs_.end() && runs_.size() >= limits::publication_runs_max) {
        runs_.erase(std::min_element(runs_.begin(), runs_.end(), [](const auto& a, const auto& b) {
            return a.second.heard < b.second.heard;
        }));
    }
    Run& known = found == runs_.end() ? runs_[{origin, run}] : found->second;
    known.heard = ++takes_;
    if (number <= known.latest) return false;
    known.latest = number;
    return true;
}

}  // namespace syncline
