#pragma once
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/protocol/term.hpp"
#include "storage/disk.hpp"
#include "storage/log.hpp"

namespace syncline {

struct PrimaryBackupOptions {
    ReplicationMode mode = ReplicationMode::multi_master;
    /// Backups that must hold a write durably before it is acknowledged; nothing: all of them.
    std::optional<unsigned> acks = 0;
    std::uint64_t ack_timeout_ms = 5000;
    /// Own writes that were not replicated when another was promoted are not sent on their own.
    bool hold_suffix = false;
    /// Becomes the primary of term 1 if it knows of no term.
    bool founds = false;
    unsigned peers_configured = 0;
    std::string client_address;  ///< for those who are sent to the primary; empty: unknown
};

/// One replica's part in primary-backup replication: the term it is in, whose that is, which peers
/// there are, what they hold, how far the primary may acknowledge. In multi-master mode it lets
/// everything pass. No message and no log record passes through here: Replica and Link ask.
///
/// What must survive is in the file "term", replaced atomically and synced before anything is said
/// or answered under it. Thread-safety: confined to one thread.
class PrimaryBackup {
public:
    enum class Role : std::uint8_t { multi_master, primary, backup };
    struct Member {
        Uuid uuid;
        std::string name;
        std::string address;  ///< of its client port

        bool operator==(const Member&) const = default;
    };
    /// Own events [first, last] that the primary of term `term` did not have when it began.
    struct Suffix {
        Actor actor;
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        std::uint64_t term = 0;

        [[nodiscard]] std::uint64_t count() const { return last - first + 1; }
        bool operator==(const Suffix&) const = default;
    };

    /// Reads or founds the state. `vv` and `end`: of the recovered replica.
    /// Errors: io, no_space, corrupt, version.
    static Result<std::unique_ptr<PrimaryBackup>> open(PrimaryBackupOptions options,
                                                       const Identity& identity, Disk& disk,
                                                       const VersionVector& vv, Position end);

    [[nodiscard]] const PrimaryBackupOptions& options() const { return options_; }
    void set_client_address(std::string address) { options_.client_address = std::move(address); }
    [[nodiscard]] bool on() const { return options_.mode == ReplicationMode::primary_backup; }
    [[nodiscard]] Role role() const;
    [[nodiscard]] bool read_only() const { return role() == Role::backup; }
    [[nodiscard]] const Term& term() const { return stored_.term; }
    [[nodiscard]] const std::vector<Member>& members() const { return stored_.members; }
    /// The primary of the term as far as its HELLO was ever heard; null: unknown, or this replica.
    [[nodiscard]] const Member* primary() const;
    /// Why a write is refused here, and where to go.
    [[nodiscard]] Error read_only_error() const;

    // Terms.
    /// Events of a peer that said it is in this term may come in, and own ones go to it.
    [[nodiscard]] bool admits(const TermId& peer) const;
    /// Takes over a higher term, durably. `vv`: all events of this replica. Errors: of the disk.
    /// Precondition: higher than term().
    Result<void> adopt(const Term& term, const VersionVector& vv, Position durable);
    /// A peer with its names. Errors: of the disk.
    Result<void> introduce(const Member& member, const VersionVector& durable_vv, Position durable);
    /// A member that will not come back. Error invalid_argument: there is none of this name.
    Result<void> forget(BytesView name_or_uuid);

    // Promotion.
    /// Begins to collect votes: what to ask peers for. A majority of the members that are known or
    /// configured must grant it. Errors: of the disk.
    Result<Term> stand(const VersionVector& durable_vv, std::uint64_t deadline_ms);
    /// Whether this replica joins the term that a peer wants to begin: then it is in it, durably.
    Result<bool> vote(const Term& wanted, const VersionVector& vv, Position durable);
    /// True: the majority is there, and this replica is the primary, durably.
    Result<bool> count_vote(const Uuid& peer, const TermId& wanted, bool granted,
                            const VersionVector& durable_vv, Position durable);
    /// Becomes the primary without asking anybody. Errors: of the disk.
    Result<void> take_over(const VersionVector& durable_vv, Position durable);
    void give_up_candidacy(std::string why);
    [[nodiscard]] bool standing() const { return candidacy_.has_value(); }
    /// This is the term that votes are being collected for.
    [[nodiscard]] bool stands_for(const TermId& id) const {
        return candidacy_ && candidacy_->term.id == id;
    }
    [[nodiscard]] std::uint64_t candidacy_deadline_ms() const { return candidacy_->deadline_ms; }
    [[nodiscard]] std::string candidacy_describe() const;
    /// Why the last candidacy failed; empty: it did not.
    [[nodiscard]] const std::string& candidacy_failure() const { return candidacy_failure_; }
    /// Replicas a promotion needs, this one included.
    [[nodiscard]] std::size_t majority() const { return replicas_count() / 2 + 1; }
    [[nodiscard]] std::size_t replicas_count() const;

    // Acknowledgement.
    /// Backups that must hold a write.
    [[nodiscard]] std::size_t acks_needed() const;
    /// A record that ends here is durable.
    void record_durable(Position end, const Dot& dot, const std::optional<VersionVector>& barrier);
    /// A peer of the same term holds this durably.
    void peer_durable(const Uuid& peer, const VersionVector& vv);
    /// Replies that rest on this much of the log may leave, as far as backups are concerned.
    [[nodiscard]] Position released() const;
    /// Position in the own log that a backup holds completely; 0: not known.
    [[nodiscard]] Position held_by(const Uuid& peer) const;

    // The unreplicated suffix.
    [[nodiscard]] const std::vector<Suffix>& suffixes() const { return stored_.suffixes; }
    /// Nothing of the own log may be sent until the operator has decided.
    [[nodiscard]] bool holds_suffix() const { return stored_.held; }
    Result<void> release_suffix();

private:
    /// What is in the file.
    struct Stored {
        Term term;
        bool confirmed = false;      ///< this replica is the primary of its own term
        std::uint64_t promised = 0;  ///< no term with this number or a lower one is voted for
        std::vector<Member> members;
        std::vector<Suffix> suffixes;  ///< oldest first
        bool held = false;
    };
    struct Candidacy {
        Term term;
        std::set<Uuid> votes;
        std::set<Uuid> refusals;
        std::uint64_t deadline_ms = 0;
    };
    struct Pending {  // durable here, not yet released
        Position end;
        Dot dot;
        std::optional<VersionVector> barrier;

        [[nodiscard]] bool covered_by(const VersionVector& vv) const {
            return barrier ? vv.covers(*barrier) : vv.covers(dot);
        }
    };
    struct Holder {
        VersionVector vv;
        Position position = 0;
    };

    PrimaryBackup(PrimaryBackupOptions options, const Identity& identity, Disk& disk);
    Result<void> load();
    Result<void> commit(Stored next);
    [[nodiscard]] Bytes encode(const Stored& stored) const;
    Result<std::optional<Stored>> decode(BytesView body) const;
    /// From here on writes must be confirmed.
    void begin_gate(const VersionVector& durable_vv, Position durable);
    void follow(Holder& holder);
    void release();
    [[nodiscard]] bool gated() const { return role() == Role::primary && acks_needed() > 0; }
    void note_suffix(Stored& next, const VersionVector& vv) const;
    Result<void> strike_lost(const VersionVector& vv);

    PrimaryBackupOptions options_;
    Identity identity_;
    Disk& disk_;
    Stored stored_;
    std::optional<Candidacy> candidacy_;
    std::string candidacy_failure_;

    std::deque<Pending> pending_;
    Position released_ = 0;
    VersionVector released_vv_;  // of everything before the front of pending_
    std::map<Uuid, Holder> holders_;
};

}  // namespace syncline
