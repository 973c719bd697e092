#pragma once
#include <map>
#include <vector>

#include "core/engine/replica.hpp"
#include "tests/sim/coverage.hpp"
#include "tests/sim/history.hpp"
#include "tests/sim/plan.hpp"
#include "tests/sim/timeline.hpp"

namespace syncline::sim {

/// The judge of membership:
///   - one record for each epoch, for ever and everywhere; each is one step from the one before;
///   - no replica goes back to an older one, over crashes either;
///   - events are made by replicas that are active, or know of no record;
///   - who knows that a replica is no member takes nothing of it that the members did not have;
///   - what a replica that was drained had durably, all members have.
class Members {
public:
    Members(const Plan& plan, Timeline& timeline, Coverage& coverage, History& history);

    /// Looks at a replica after each of its turns, and when it has opened.
    void observe(std::size_t replica, const Replica& production);
    /// A replica made an event.
    void issued(std::size_t replica, const Replica& production);
    /// A replica takes in an event of another one.
    void applied(std::size_t replica, const Replica& production, const Dot& dot);
    /// In the end, of each member.
    void check_end(std::size_t replica, const Replica& production);
    [[nodiscard]] const std::map<std::uint64_t, MembershipRecord>& records() const {
        return records_;
    }

private:
    void fail(std::size_t replica, const std::string& sentence);
    void learn(std::size_t replica, const MembershipRecord& record);

    const Plan& plan_;
    Timeline& timeline_;
    Coverage& coverage_;
    History& history_;
    std::map<std::uint64_t, MembershipRecord> records_;
    std::vector<std::uint64_t> epochs_;  // of each replica
};

}  // namespace syncline::sim
