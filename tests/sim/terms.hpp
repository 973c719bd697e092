#pragma once
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "tests/sim/history.hpp"
#include "tests/sim/plan.hpp"
#include "tests/sim/sim_disk.hpp"

namespace syncline::sim {

/// The judge of primary-backup mode: who may write, who may promise what, what a reply means. It
/// stands beside History, which judges events as in the other mode. Every violation fails the
/// timeline with one sentence.
///   - terms: a replica's term never goes back, and what it is in or has promised is on its disk
///     before anything follows from it; one vote for each number, whatever happened in between;
///   - writers: a term has one, the replica that it names; a number has one, unless by force;
///   - fencing: events come in from replicas of the own term only;
///   - replies: what a primary calls done is durable at as many backups as were asked for, and so
///     is what its readers saw; who is promoted has all that all confirmed.
/// In multi-master mode it does nothing.
class Terms {
public:
    Terms(const Plan& plan, Timeline& timeline, Coverage& coverage, const History& history);

    /// The replica is back.
    void opened(std::size_t replica, const Replica& production);
    /// The replica has done something.
    void observe(std::size_t replica, const Replica& production, const SimDisk& disk);
    /// The operator is about to force a promotion.
    void forces(std::size_t replica, bool force) { views_[replica].forced = force; }
    /// The replica made an event for a client.
    void accepted(std::size_t replica, const Replica& production, const Dot& dot);
    /// The replica refused a write because it is a backup.
    void refused(std::size_t replica, const Replica& production, const Error& error);
    /// A frame leaves the replica.
    void sent(std::size_t replica, const Replica& production, const SimDisk& disk,
              const Outgoing& frame);
    /// A frame is about to be taken in; its sender let it go in this term.
    void receives(std::size_t replica, std::uint8_t type, const Bytes& payload,
                  const TermId& sent_in);
    /// The replica took in an event of another, or a whole snapshot.
    void applied(std::size_t replica, const Replica& production, const Dot& dot);
    void adopted(std::size_t replica, const Replica& production, const VersionVector& vv);

    /// A request was executed: what its reply may be judged by.
    struct Request {
        bool wrote = false;
        std::vector<Dot> rests_on;  ///< of a write the last one is its own event
        Oracle::Grounds grounds;    ///< of a read
        TermId term;  ///< in which it was executed by the term's primary; else number 0
    };
    void replied(std::size_t replica, const Replica& production, const Request& request,
                 Outcome outcome);
    /// The replica will not come back, and the others were told.
    void lost(std::size_t replica);
    /// From now on every write must be confirmed.
    void expect_confirmation() { confirmation_expected_ = true; }
    /// Writes that clients were told are done by as many backups as were asked for.
    [[nodiscard]] const VersionVector& acknowledged() const { return acknowledged_; }
    /// Acknowledged writes survive the loss of one machine.
    [[nodiscard]] bool outlives_a_machine() const { return needed() > 0; }

private:
    struct Seen {
        TermId term;
        PrimaryBackup::Role role = PrimaryBackup::Role::multi_master;
        bool standing = false;
        std::size_t suffixes = 0;
        bool held = false;

        bool operator==(const Seen&) const = default;
    };
    /// Events that a replica holds back and no other one has, with the term they are held in.
    using Held = std::map<Dot, TermId>;
    struct View {
        Seen seen;
        bool forced = false;
        VersionVector gate;                      // what its term began with, in this life
        std::map<std::uint64_t, Uuid> promised;  // own candidacies included
        std::optional<TermId> standing_for;      // in this life
        std::optional<TermId> batch;             // the frame being taken in
        Held held;
        std::uint16_t session = 0;                // the last one it asked for
        std::optional<TermId> session_served_in;  // term of the replica that answered
    };

    [[nodiscard]] bool on() const { return plan_.primary_backup(); }
    [[nodiscard]] static Seen look(const PrimaryBackup& mode);
    [[nodiscard]] std::size_t needed() const;
    [[nodiscard]] std::size_t holders(std::size_t replica, const Dot& dot) const;
    void check_suffix(std::size_t replica, const Replica& production);
    void note_held(std::size_t replica, const PrimaryBackup& mode);
    /// The replica took these in: what it got in an older term it may pass on.
    void spread(std::size_t replica, const TermId& term, const Dot& dot);
    void check_read(std::size_t replica, const Request& request);
    void began_to_reign(std::size_t replica, const Replica& production);
    void promise(std::size_t replica, const TermId& term);
    /// Compares with what a power cut at this moment would leave.
    void prove(std::size_t replica, const Replica& production, const SimDisk& disk,
               std::uint64_t promised);
    void fail(std::size_t replica, const std::string& sentence);

    const Plan& plan_;
    Timeline& timeline_;
    Coverage& coverage_;
    const History& history_;
    std::vector<View> views_;
    std::optional<std::size_t> lost_;
    std::map<std::uint64_t, std::set<TermId>> primaries_;  // that were seen, by number
    std::set<TermId> forced_;                              // nobody was asked
    VersionVector acknowledged_;
    bool confirmation_expected_ = false;
};

}  // namespace syncline::sim
