#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/protocol/caspaxos.hpp"
#include "core/protocol/membership_record.hpp"
#include "core/protocol/message.hpp"
#include "storage/disk.hpp"

namespace syncline {

/// One replica's part in the membership of its cluster: the record it knows, its acceptor, and the
/// change that it proposes. Without a record every replica that knows the cluster's secret belongs
/// to it, as far as this is concerned.
///
/// The record after epoch e is decided among the voters of epoch e, by CASPaxos: a majority of them
/// and a majority of the next record's voters must promise, and accept it. An acceptor that is
/// asked to accept learns the record in front of it, which was decided; so a proposer that knows an
/// older one is told, and no acceptor is ever asked about two epochs at once. Whoever finds a
/// record accepted, and perhaps decided, finishes it before anything of its own. A record that was
/// decided is told to every peer, again and again until that shows its epoch.
///
/// What must survive is in the file "membership", replaced atomically and synced before anything is
/// answered or done by it. Thread-safety: confined to one thread.
class Membership {
public:
    /// What this replica is, by the record it knows.
    enum class Standing : std::uint8_t {
        open,       ///< there is no record
        applicant,  ///< it is not in it, and never was
        joining,
        active,
        leaving,
        former,  ///< it was a member once: nothing of it is taken any more
    };
    struct Letter {
        Uuid to;
        Message message;
    };

    /// Errors: io, corrupt, version.
    static Result<std::unique_ptr<Membership>> open(const Identity& identity, Disk& disk,
                                                    Random& random);

    [[nodiscard]] const MembershipRecord& record() const { return stored_.record; }
    [[nodiscard]] std::uint64_t epoch() const { return stored_.record.epoch; }
    [[nodiscard]] bool on() const { return epoch() > 0; }
    [[nodiscard]] Standing standing() const;
    /// Why this replica takes no writes; nothing: it does, as far as membership is concerned.
    [[nodiscard]] Result<void> check_writer() const;
    /// Events, rows and reports may go between this replica and the peer.
    [[nodiscard]] bool admits(const Uuid& peer) const;

    /// A peer knows a record of this epoch. Without any this replica takes no writes until it has
    /// it: what is new must not write before it has what the others had.
    void hear(std::uint64_t epoch) { heard_ = std::max(heard_, epoch); }
    /// A transaction of a replica that is no member any more, beyond the last that the others had.
    [[nodiscard]] bool is_quarantined(const Dot& dot) const;
    /// Whether a peer holds such.
    [[nodiscard]] bool has_quarantined(const VersionVector& vv) const;
    /// Error unauthorized: it does. Who is no member any more may, and gets nothing anyway: it must
    /// hear of it.
    [[nodiscard]] Result<void> check_peer(const Uuid& peer, const VersionVector& vv) const;
    /// A record that was decided. True: it is newer, and durable. Errors: of the disk; conflict
    /// (another record of the same epoch: two clusters were founded, or the rules were broken).
    Result<bool> learn(const MembershipRecord& record);

    // Acceptor. The answer is durable before it is returned. Errors: of the disk; conflict.
    Result<Promise> on_prepare(const Prepare& request);
    /// `met`: peers that are connected. Not all of them being founders, epoch 1 is refused.
    Result<Accepted> on_accept(const Accept& request, const std::vector<Uuid>& met);

    // Proposer: one change at a time.
    /// Error conflict: the record is of another epoch, and a plan for it makes no sense any more.
    [[nodiscard]] Result<void> check_epoch(std::uint64_t epoch) const;
    /// Who wants a change: somebody who asks for the outcome, or this replica by itself.
    enum class Asker : std::uint8_t { somebody, self };
    /// Begins to change the record of `epoch`. Letters come out of take_letters().
    /// Errors: conflict (the epoch is another), unavailable (a change is under way), those of
    /// apply_step() and of the disk.
    Result<void> propose(MembershipStep step, std::uint64_t epoch, Asker asker,
                         std::uint64_t now_ms);
    Result<void> on_promise(const Uuid& from, const Promise& promise, std::uint64_t now_ms);
    Result<void> on_accepted(const Uuid& from, const Accepted& accepted, std::uint64_t now_ms);
    /// Repeats what was lost, begins again after a refusal, gives up after a time.
    Result<void> tick(std::uint64_t now_ms);
    [[nodiscard]] bool changing() const { return change_.has_value(); }
    /// Somebody waits for a change that is under way; or for others to know that it went through.
    [[nodiscard]] bool deciding() const {
        return departure_ms_ || (change_ && change_->asker == Asker::somebody);
    }
    /// "evict c: 1 of 3 replicas". Precondition: changing().
    [[nodiscard]] std::string describe_change() const;
    /// Why the last change that somebody asked for failed; empty: it did not.
    [[nodiscard]] const std::string& failure() const { return failure_; }
    /// The peer knows the record, or a newer one, durably.
    void note_known(const Uuid& peer) { known_to_.insert(peer); }
    /// A majority of the voters knows the record. Only then may who is no member any more be taken
    /// away: until then it may be one of too few that can tell what was decided.
    [[nodiscard]] bool known_to_majority() const;
    /// failure(): the change was decided, and the others may not know it yet.
    [[nodiscard]] bool decided_alone() const { return decided_alone_; }

    std::vector<Letter> take_letters() { return std::exchange(letters_, {}); }
    /// The record is another since the last call.
    bool take_changed() { return std::exchange(changed_, false); }

private:
    /// What is in the file.
    struct Stored {
        MembershipRecord record;
        bool was_member = false;
        caspaxos::Acceptance acceptance;  ///< for the next record; its value is one, encoded
    };
    struct Change {
        MembershipStep step;
        Asker asker = Asker::somebody;
        MembershipRecord base;
        std::optional<caspaxos::Round> round;  ///< nothing: waits until `again_ms`
        bool finishes = false;                 ///< another's
        unsigned refusals = 0;
        std::uint64_t deadline_ms = 0;
        std::uint64_t again_ms = 0;
    };

    Membership(const Identity& identity, Disk& disk, Random& random);
    Result<void> load();
    Result<void> commit(Stored next);
    [[nodiscard]] Bytes encode(const Stored& stored) const;
    [[nodiscard]] Result<std::optional<Stored>> decode(BytesView body) const;

    /// With a record that was decided.
    [[nodiscard]] Result<std::optional<Stored>> with(const MembershipRecord& record) const;
    Result<void> begin_round(std::uint64_t now_ms);
    Result<void> propose_value();
    Result<void> send_round(std::uint64_t now_ms);
    void fall_back(std::uint64_t promised_number, std::uint64_t now_ms);
    void give_up(std::string why);
    void end_departure(std::uint64_t now_ms);

    Identity identity_;
    Disk& disk_;
    Random& random_;
    std::uint64_t run_ = 0;
    std::uint64_t heard_ = 0;
    std::uint64_t last_number_ = 0;  ///< of ballots that were used, or heard of
    Stored stored_;
    std::optional<Change> change_;
    std::set<Uuid> known_to_;                    ///< other replicas that know stored_.record
    std::optional<std::uint64_t> departure_ms_;  ///< gone by one's own wish: waits for others
    std::string failure_;
    bool decided_alone_ = false;
    std::vector<Letter> letters_;
    bool changed_ = false;
};

}  // namespace syncline
