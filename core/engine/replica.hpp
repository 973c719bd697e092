#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/durability.hpp"
#include "core/base/env.hpp"
#include "core/engine/group.hpp"
#include "core/engine/identity.hpp"
#include "core/engine/log_retention.hpp"
#include "core/engine/repair_budget.hpp"
#include "core/engine/space_gate.hpp"
#include "core/engine/stable_cut.hpp"
#include "core/engine/transaction.hpp"
#include "core/merkle/difference.hpp"
#include "core/merkle/session.hpp"
#include "core/protocol/membership.hpp"
#include "core/protocol/message.hpp"
#include "core/protocol/primary_backup.hpp"
#include "core/protocol/seen_publications.hpp"
#include "storage/log.hpp"
#include "storage/store.hpp"

namespace syncline {

class Link;
struct HeldCheckpoint;

/// A connection to a peer, named by whoever runs the replica; never reused.
using LinkId = std::uint64_t;

/// What carries a link's frames: a connection, which may lose and reorder them, and on which
/// silence has a meaning; or messages carried by hand, in order and complete, at any pace.
enum class Carrier : std::uint8_t { connection, hand };

struct ReplicaOptions {
    Identity identity;
    Durability durability = Durability::always;
    std::uint64_t sync_interval_ms = limits::sync_interval_ms;  ///< of Durability::interval
    /// This directory may have lost what it had told others of: write as another actor.
    bool new_incarnation = false;
    unsigned leaf_bits = 16;  ///< a constant of the cluster
    LogRetention log_retention = {limits::log_retention_bytes, limits::log_retention_ms};
    std::uint64_t checkpoint_log_bytes = limits::checkpoint_log_bytes;
    std::uint64_t checkpoint_interval_ms = limits::checkpoint_interval_ms;
    std::size_t batch_bytes_target = limits::batch_bytes_target;
    /// Rows and events for peers are compressed from so many bytes on; 0: never.
    std::size_t compressed_bytes_min = limits::compressed_bytes_min;
    ConflictOptions conflicts;
    /// Of the whole cluster, this one included; 0: not declared, and nothing is collected.
    std::size_t replicas = 0;
    KeyPolicies policies;
    std::uint64_t expiry_grace_ms = limits::expiry_grace_ms;
    std::uint64_t scrub_interval_ms = limits::scrub_interval_ms;  ///< 0: only when asked for
    std::uint64_t scrub_rows_per_tick = limits::scrub_rows_per_tick;
    unsigned session_fanout = 4;  ///< children a Merkle node: 4 or 16
    bool serves_copies = false;   ///< its owner has a CopyServer, core/backup/copy_server.hpp
    PrimaryBackupOptions primary_backup;
    LogOptions log;
    SpaceOptions space;
    /// Bytes a second sent for repair, to all peers together; 0: no cap. See RepairBudget.
    std::uint64_t repair_bandwidth = 0;
    /// Above this much overlay requests and peers' events wait for a checkpoint.
    std::size_t overlay_bytes_max = limits::overlay_bytes_max;
};

/// The two kinds of work that storage threads do.
enum class StorageJob : std::uint8_t { flush, checkpoint };

/// One client's place in the order of replies: no reply overtakes an earlier one.
struct Client {
    std::uint64_t id = 0;
    Position floor = 0;          ///< kept by the replica
    std::uint64_t since_ms = 0;  ///< kept by the replica
};

/// What became of what a reply rests on.
enum class Outcome : std::uint8_t {
    done,
    write_unconfirmed,  ///< kept here durably; too few backups confirmed it in time
    read_unconfirmed,   ///< rests on such a write
    stepped_down,       ///< another replica was promoted before backups confirmed it
};

struct Reply {
    std::uint64_t client = 0;
    Bytes bytes;
    Outcome outcome = Outcome::done;  ///< not done: an error must go out instead of `bytes`
};

/// One message for one peer; the type is the frame's type.
struct Outgoing {
    LinkId link = 0;
    std::uint8_t type = 0;
    Bytes payload;
};

/// A message as it is sent, not compressed yet.
Outgoing outgoing(LinkId link, const Message& message);

/// What may leave the replica: everything in it rests on durable records only. There is no other
/// way to get at replies and messages.
class Committed {
public:
    std::vector<Reply> replies;
    std::vector<Outgoing> messages;
    /// Links that must be closed, with the reason: the peer sent what no correct peer sends.
    std::vector<std::pair<LinkId, Error>> closed;

private:
    friend class Replica;
    Committed() = default;
};

/// Counters and states for INFO, tests and the simulator.
struct ReplicaStats {
    std::uint64_t events_local = 0;
    std::uint64_t events_applied = 0;
    std::uint64_t events_duplicate = 0;
    std::uint64_t batches_sent = 0;
    std::uint64_t batches_received = 0;
    std::uint64_t messages_compressed = 0;
    std::uint64_t compressible_bytes = 0;  ///< of these messages before
    std::uint64_t compressed_bytes = 0;    ///< and after
    std::uint64_t sessions_completed = 0;
    std::uint64_t sessions_failed = 0;
    std::uint64_t sessions_served = 0;
    std::uint64_t session_rows_received = 0;
    std::uint64_t session_metadata_bytes =
        0;  ///< payload bytes of sessions, both ways, without rows
    std::uint64_t session_messages = 0;
    std::uint64_t checkpoints = 0;
    std::uint64_t last_checkpoint_ms = 0;  ///< wall time of the last, or of the start
    std::uint64_t divergence_alarms = 0;
    std::uint64_t causality_errors = 0;
    std::uint64_t clock_pauses = 0;
    std::uint64_t batches_refused = 0;  ///< of another term
    std::uint64_t replies_unconfirmed = 0;
    std::uint64_t rows_collected = 0;  ///< rows that lost something which every replica has seen go
    std::uint64_t elements_removed_again = 0;  ///< Group::elements_removed_again()
    std::uint64_t keys_expired = 0;    ///< removed by this replica because their time had come
    std::uint64_t writes_refused = 0;  ///< for want of space
    std::uint64_t storage_waits = 0;   ///< attempts of flushes and checkpoints that found no space
    std::uint64_t turn_ms = 0;         ///< the latest turn
    std::uint64_t turn_ms_max = 0;     ///< the longest turn: no read view of the base lived longer
    std::uint64_t turns_long = 0;      ///< turns longer than limits::turn_ms_max
    std::uint64_t readers_freed = 0;   ///< of the base, left behind by dead processes
    std::uint64_t publications_sent = 0;  ///< to peers; one for each
    std::uint64_t publications_received = 0;
    std::uint64_t publications_duplicate = 0;
    std::uint64_t publications_dropped = 0;  ///< too many for a peer in one turn
};

struct PeerStatus {
    LinkId link = 0;
    Uuid uuid;
    Actor actor;
    bool ready = false;  ///< HELLO came
    VersionVector vv;    ///< last known durable vector of the peer
    std::uint64_t sent_position = 0;
    std::uint64_t acked_position = 0;
    std::uint64_t term = 0;
    bool admitted = false;       ///< in the own term
    std::uint64_t heard_ms = 0;  ///< steady; the last acknowledgement
    std::string describe;
};

/// What the base says of the checkpoint that it holds, read in one view with its rows.
struct BaseMark {
    Position position = 0;  ///< in the log
    VersionVector vv;
    Hlc hlc;
};

/// What became of a comparison, for whoever asked for it.
struct FinishedComparison {
    std::uint64_t asker = 0;
    Result<Difference> result;
};

/// A replica without its loop, threads and sockets: bytes and ticks go in, storage jobs, replies
/// and messages come out. The server and the simulator run this same class.
///
/// A turn: execute(), receive(), tick() in any number; then the owner runs the storage jobs that
/// begin_flush() and begin_checkpoint() hand out (on threads, or in virtual time), reports them
/// done, and takes what became visible with committed().
/// Thread-safety: confined to one thread; only the jobs' own methods run elsewhere.
class Replica {
public:
    /// Recovers the state: base at the checkpoint, then the log after it through apply().
    /// Errors: those of Log::open and of the base.
    static Result<std::unique_ptr<Replica>> open(ReplicaOptions options, Env env, Disk& disk,
                                                 Base& base);
    ~Replica();

    /// Runs one client transaction. The operation reads and stages writes; the bytes it returns are
    /// the reply, released when everything it saw and wrote is durable. If the operation returns an
    /// error its writes are dropped and the error is handed back (nothing is queued).
    using Operation = std::function<Result<Bytes>(Transaction&)>;
    Result<void> execute(Client& client, const Operation& operation);

    /// Runs a transaction that writes nothing, without a reply: what it found may be told when
    /// acknowledgeable() has reached the position that is returned. Ends the turn.
    Result<Position> read(const std::function<Result<void>(Transaction&)>& operation);
    /// Replies may leave that rest on records which end here or below.
    [[nodiscard]] Position acknowledgeable() const;

    /// A link exists and its peer has proved its identity. HELLO goes out.
    void link_up(LinkId link, const Uuid& peer, Carrier carrier = Carrier::connection);
    void link_down(LinkId link);
    /// One frame from a peer. Bad bytes close the link (see Committed::closed), nothing else.
    void receive(LinkId link, std::uint8_t type, BytesView payload);
    /// A long message is on its way from a peer, or to it, and some of it went since this was
    /// called last. Who waits for an answer waits on, instead of asking again for what is coming,
    /// or for what waits behind it. Call it every 500 ms or so.
    void note_transfer(LinkId link);
    /// Time passes: heartbeats, time-outs, retries, checkpoints by age. Call every 100 ms or so.
    void tick();
    /// Starts a Merkle session with this peer as soon as possible, whatever the log could do.
    void request_session(LinkId link);
    /// Another cap for what is sent for repair, in bytes a second, at once; 0: none.
    void set_repair_bandwidth(std::uint64_t rate);
    /// Of the rows of sessions, and of copies: core/backup/copy_server.hpp.
    [[nodiscard]] RepairBudget& repair_budget() { return repair_budget_; }
    [[nodiscard]] const RepairBudget& repair_budget() const { return repair_budget_; }

    /// Sends a message of publish/subscribe to all peers that take them, and they to theirs.
    /// Nothing is kept, and nobody answers. Cost: O(size) for each peer.
    /// core/engine/replica_publications.cpp
    void publish(bool sharded, BytesView channel, BytesView message);
    /// What was published elsewhere in this turn; each message once, and those of one run in order.
    /// committed() drops what nobody takes.
    std::vector<Publication> take_publications();

    // Primary-backup mode: core/engine/replica_term.cpp
    [[nodiscard]] const PrimaryBackup& primary_backup() const { return *primary_backup_; }
    /// Where clients find this replica, for HELLO.
    void set_client_address(std::string address);
    /// Makes this replica the primary of a new term. With `force` at once; else when a majority of
    /// the known replicas have confirmed, see PrimaryBackup::standing() and candidacy_failure().
    /// Errors: invalid_argument (multi-master mode; a suffix is held), unavailable (too few peers
    /// are connected, or a promotion is under way).
    Result<void> promote(bool force);
    /// Strikes a peer that will not come back from those that are counted. Error invalid_argument.
    Result<void> forget(BytesView name_or_uuid);
    /// Lets held events of the suffix go. Error invalid_argument: none are held.
    Result<void> merge_suffix();
    /// Own events of the unreplicated suffix that are still in the log, oldest first, at most
    /// `count_max`. Reads the log. Errors: of the disk, corrupt.
    Result<std::vector<Event>> suffix_events(std::size_t count_max);
    /// A peer holds this event durably, as far as was ever said.
    [[nodiscard]] bool known_elsewhere(const Dot& dot) const;

    // Membership: core/engine/replica_membership.cpp
    [[nodiscard]] const Membership& membership() const { return *membership_; }
    /// Begins to change the membership record of `epoch`; see Membership::changing() and failure()
    /// for what becomes of it. A joining replica becomes active by itself, and the
    /// others say when a leaving one has left.
    /// Errors: those of Membership::propose(); invalid_argument (primary-backup mode; a number of
    /// replicas was declared, and others are connected).
    Result<void> change_membership(MembershipStep step, std::uint64_t epoch);
    /// This replica and those that are connected: who would found the record.
    [[nodiscard]] std::vector<ClusterMember> founders() const;
    /// Connected replicas that are no members, and never were.
    [[nodiscard]] std::vector<ClusterMember> applicants() const;
    /// Own transactions that `vv` does not cover and the log still has, oldest first. Reads the
    /// whole log. Errors: of the disk, corrupt.
    Result<std::vector<Event>> own_events_beyond(const VersionVector& vv);
    /// What a member is known to hold durably, from what it said in this epoch; null: nothing.
    [[nodiscard]] const VersionVector* reported(const Uuid& member) const;

    /// Starts to compare with a peer: a Merkle session that changes neither side, and holds back
    /// neither events nor commands. One at a time, for at most ten seconds. The result comes out of
    /// take_comparisons(), with the asker's number. Errors: unavailable (no link, another one).
    Result<void> begin_comparison(LinkId link, DifferenceQuestion question, std::uint64_t asker);
    std::vector<FinishedComparison> take_comparisons();

    // For backups (core/backup): core/engine/replica_checkpoint.cpp
    /// Which checkpoint scan_base() of the store reads in this turn. It may be one that was written
    /// already and not reported yet. Nothing before the first one. Errors: of the base, corrupt.
    Result<std::optional<BaseMark>> base_mark();
    /// As Log::read.
    Result<std::optional<LogRecord>> read_log(Position position) { return log_->read(position); }
    /// For readers of one state over many turns: a checkpoint of all records in front of `from`,
    /// with the right to read it in the base as long as it is held, or until a peer's rows are
    /// adopted (on_adopted). Nothing yet: it is made as soon as possible, so ask again when a
    /// checkpoint was finished, or call forget_reader(). While it is held no other is made.
    std::shared_ptr<const HeldCheckpoint> hold_checkpoint(Position from);
    /// Nobody waits for hold_checkpoint() any more.
    void forget_reader();
    /// Keeps the log from this position on, or not any longer. One holder at a time.
    void hold_log(std::optional<Position> from) { log_hold_ = from; }
    /// Meta rows of a base whose rows were not born in its log, which is empty: all that `vv`
    /// covers, collected under `cut`. The first start appends the barrier.
    static void describe_restored(RowChanges& meta, std::uint64_t log_id, const VersionVector& vv,
                                  const VersionVector& cut);

    // Scrub and repair: core/engine/replica_scrub.cpp
    /// Begins to look at all that is stored, unless that is under way; `fast`: for somebody who
    /// waits, at the cost of others. What it finds stands in the status, in the log and in health;
    /// damaged rows are fetched from a peer as soon as one is connected.
    void start_scrub(bool fast);
    void stop_scrub();
    /// Looks at about so many rows now, whatever a tick could spare; nothing when no scrub runs.
    /// Damage is no error. Errors: those after which the replica has failed.
    Result<void> scrub(std::uint64_t rows);
    [[nodiscard]] ScrubStatus scrub_status() const;
    /// Asks a peer for what is damaged now, instead of at the next tick or after the next pause.
    /// The number of damaged buckets. Error unavailable: no peer is connected.
    Result<std::size_t> repair();

    // Storage jobs. At most one flush and one checkpoint are under way at a time.
    /// With Durability::interval: gives the log's records to the operating system, so that replies
    /// may leave. At the end of each turn, before begin_flush().
    void write_log();
    std::optional<Log::Flush> begin_flush();
    void finish_flush(const Log::Flush& flush, const Result<void>& result);
    std::optional<Store::Checkpoint> begin_checkpoint();
    /// Returns what is left of the overlay part: let it go on another thread, it may be large.
    std::shared_ptr<const void> finish_checkpoint(const Result<void>& result);
    /// Asks for a checkpoint soon, for a clean stop.
    void request_checkpoint() { checkpoint_requested_ = true; }
    /// Somebody waits for the checkpoint that is under way, if one is.
    void hurry_checkpoint();
    /// The next begin_flush() does not wait for the interval.
    void request_sync() { sync_requested_ = true; }

    /// Everything that may leave now.
    Committed committed();

    /// Work is under way that began before the log's position, or that a session waits for: more
    /// may leave when it is done.
    [[nodiscard]] bool busy(Position position) const;
    /// A storage failure after which nothing may be served any more.
    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
    /// Too much waits for the checkpoint under way: read no more client requests for now. False
    /// when the checkpoint itself waits for space: then writes are refused, and reads go on.
    [[nodiscard]] bool overloaded() const;

    // Space: core/engine/replica_space.cpp
    /// A job found no space and will be tried again; nothing it is to make durable is lost or
    /// acknowledged. Told by whoever runs the jobs, each time.
    void storage_waits(StorageJob job, const Error& why);
    /// The job that waits for space, and what it was told.
    [[nodiscard]] std::optional<Error> waits_for_space() const;
    /// Why writes that add something are refused now (no_space); nothing when they are taken.
    [[nodiscard]] std::optional<Error> refuses_growth() const;
    [[nodiscard]] const SpaceGate& space() const { return space_; }
    /// What is refused for want of space is so because of map-bytes, not of the disk.
    [[nodiscard]] bool limited_by_map() const;
    /// Another limit for the base, at once; 0: none.
    void set_map_bytes(std::uint64_t map_bytes);

    [[nodiscard]] Group& group() { return *group_; }
    [[nodiscard]] const Identity& identity() const { return options_.identity; }
    [[nodiscard]] Actor actor() const { return actor_; }
    [[nodiscard]] const VersionVector& durable_vv() const { return durable_vv_; }
    [[nodiscard]] const Log& log() const { return *log_; }
    [[nodiscard]] const ReplicaStats& stats() const { return stats_; }
    [[nodiscard]] const StableCut& stable_cut() const { return stable_cut_; }
    [[nodiscard]] std::vector<PeerStatus> peers() const;
    [[nodiscard]] bool session_active() const { return pulling_.has_value(); }
    /// The event that is being applied removes keys whose time has come.
    [[nodiscard]] bool expiring() const { return expiring_; }

    /// Called for each event as it is applied, local ones too: (event, its encoded bytes). It must
    /// not call the replica.
    std::function<void(const Event&, BytesView)> on_applied;
    /// Called when the version vector grew by a whole snapshot. For tests and the simulator.
    std::function<void(const VersionVector&)> on_adopted;

private:
    friend class Link;
    /// What becomes durable with a log record.
    struct Undurable {
        Position end;
        Dot dot;
        std::optional<VersionVector> barrier;
    };
    struct Cursor {  // how far a peer's log has been consumed
        std::uint64_t log_id = 0;
        Position position = 0;
    };

    /// A reply that waits for durability, here or at backups.
    struct Waiting {
        Reply reply;
        Position own = 0;  // what it rests on; it stands in the queue by its client's floor
        std::uint64_t since_ms = 0;
        bool wrote = false;
    };

    /// The one session in which this replica pulls.
    struct Pulling {
        LinkId link = 0;
        Position from = 0;                       // of the log, when foreign events began to wait
        std::unique_ptr<SessionPuller> session;  // null: waits for its snapshot
        std::optional<Outgoing> last;            // repeated when no answer comes
        std::uint64_t sent_ms = 0;
        unsigned repeats = 0;
        bool repair = false;          // damaged buckets count as empty
        std::uint64_t passed_by = 0;  // as it was at the snapshot
    };
    /// A session in which this replica serves a peer.
    struct Serving;
    struct Comparing;

    Replica(ReplicaOptions options, Env env, Base& base);
    Result<void> recover(Disk& disk);
    Result<void> replay();
    Result<Position> apply_local(Transaction& txn);
    Result<void> apply_foreign(const Event& event, BytesView bytes);
    Position append(RecordKind kind, BytesView payload);
    void advance_durable();
    [[nodiscard]] bool sync_due() const;
    /// The log as far as replies may rest on it, whatever backups have.
    [[nodiscard]] Position kept() const;
    void begin_incarnation();
    void fail(const Error& error);
    void note_turn();
    /// How many bytes it has as it goes out.
    std::size_t send(LinkId link, std::uint8_t type, Bytes payload);
    std::size_t send(LinkId link, const Message& message);
    void close(LinkId link, Error error);
    void take_publication(LinkId from, const Publication& publication);
    void hand_on(const Publication& publication, std::optional<LinkId> except);
    Link* find(LinkId link);
    /// A peer that has seen more of this actor than it knows itself: history was rolled back here.
    void check_rollback(const VersionVector& peer_vv);
    /// Equal vectors must mean equal rows; anything else is an alarm, never merged away.
    void check_settled(const Uuid& peer, const Ack& ack);

    // Terms and acknowledgement: core/engine/replica_term.cpp
    [[nodiscard]] Position rests_on(Position seen) const;
    void queue_reply(Client& client, Position own, bool wrote, Bytes bytes);
    /// Lets go of what is durable and confirmed, and of what has waited too long.
    void release_replies();
    void give_up_replies();
    Result<void> introduce(const PrimaryBackup::Member& member);
    Result<void> adopt_term(const Term& term);
    Result<bool> vote(const Term& wanted);
    Result<void> count_vote(const Uuid& peer, const Vote& vote);
    void peer_durable(const Uuid& peer, const VersionVector& vv);
    void term_changed();
    void drive_promotion();
    [[nodiscard]] Result<void> storage(const Result<void>& done);
    [[nodiscard]] Position suffix_position() const;
    Result<std::vector<Event>> log_events(Position from, std::size_t count_max,
                                          const std::function<bool(const Dot&)>& wanted);

    // The stable cut: core/engine/replica_collection.cpp
    Result<void> meet(const Uuid& peer, const Hello& hello);
    void collect();
    void take_cut(const VersionVector& peer_cut);
    [[nodiscard]] Result<void> check_joined();

    // Membership: core/engine/replica_membership.cpp
    Result<void> open_membership(Disk& disk);
    template <typename T>
    Result<void> follow(const Result<T>& done);
    /// Peers that are connected.
    [[nodiscard]] std::vector<Uuid> met() const;
    [[nodiscard]] std::uint64_t reported_epoch() const;
    void note_report(const Uuid& peer, std::uint64_t epoch, const VersionVector& durable);
    [[nodiscard]] Result<void> check_newcomer(const Uuid& newcomer) const;
    void follow_membership();
    void count_members();
    void drive_membership();
    [[nodiscard]] std::optional<MembershipStep> own_step() const;
    [[nodiscard]] bool has_what_others_had() const;
    [[nodiscard]] std::optional<MembershipStep> retirement() const;

    // Keys that end: core/engine/replica_expiry.cpp
    void expire_keys();
    void remove_expired(std::span<const Bytes> keys, std::uint64_t now_ms);

    // Space: core/engine/replica_space.cpp
    void look_at_space();
    void act_on_space();
    [[nodiscard]] bool preparation_due();
    [[nodiscard]] bool overlay_full() const;
    [[nodiscard]] bool checkpoint_at_hand() const;
    [[nodiscard]] bool checkpoint_waited_for() const;
    /// Nothing at all can be written: not even this many bytes of log.
    [[nodiscard]] bool exhausted(std::size_t log_bytes) const;
    [[nodiscard]] Result<void> check_space(bool adds, std::size_t log_bytes);
    [[nodiscard]] LogRetention log_retention() const;

    // Checkpoints: core/engine/replica_checkpoint.cpp
    void distrust_purged();
    void prepare_checkpoint(Position position);
    [[nodiscard]] bool checkpoint_due() const;
    void save_meta(RowChanges& meta, Position position) const;
    Result<void> load_meta();
    Result<void> check_no_checkpoint();
    [[nodiscard]] Result<void> check_log_id() const;
    void trim_log();
    void trim_old_log();
    [[nodiscard]] VersionVector base_vv() const;
    [[nodiscard]] std::shared_ptr<const HeldCheckpoint> take_snapshot(Position position) const;
    /// That of the base, held; null while there is none: then one is asked for.
    std::shared_ptr<const HeldCheckpoint> snapshot_or_ask();

    // Merkle sessions: core/engine/replica_sessions.cpp
    void drive_sessions();
    void start_pulling();
    std::uint64_t session_nonce(LinkId link);
    [[nodiscard]] bool pulls_as(LinkId link, std::uint16_t name) const;
    void serve(LinkId link, Serving& serving);
    Result<void> receive_session(LinkId link, const Message& message);
    [[nodiscard]] bool is_over(LinkId link, std::uint64_t nonce) const;
    void on_session_open(LinkId link, const SessionOpen& open);
    void on_session_close(LinkId link, const SessionClose& close);
    Result<bool> receive_served(LinkId link, const Message& message);
    Result<bool> answer_served(LinkId link, const Message& request);
    Result<void> end_serving(LinkId link, const Error& error);
    void drive_waiting();
    [[nodiscard]] std::optional<LinkId> next_waiting();
    void put_off_waiting(LinkId link, Serving& serving);
    [[nodiscard]] bool may_send_rows(LinkId link, Serving& serving);
    void advance_pulling();
    Result<void> on_pulled();
    [[nodiscard]] bool left_out(const SessionPuller& session, const Bytes& row_key) const;
    [[nodiscard]] std::vector<Bytes> changed_beside(const SessionPuller& session) const;
    Result<bool> can_join(const SessionPuller& session, const std::vector<Bytes>& changed);
    Result<void> join_snapshots(const SessionPuller& session, const std::vector<Bytes>& changed,
                                Position visible);
    void adopt();
    void skip_to_snapshot();
    void end_pulling(bool completed);
    void drop_sessions_of(LinkId link);
    void end_sessions();

    // Scrub and repair: core/engine/replica_scrub.cpp
    struct Scrub;
    void drive_scrub();
    Result<void> scrub_some(std::uint64_t& budget);
    Result<void> scrub_bucket(std::uint64_t& budget);
    Result<void> scrub_log(std::uint64_t& budget);
    void finish_scrub();
    void note_fault(const std::string& finding);
    void give_up_log(const Error& error);
    [[nodiscard]] Position log_from() const;
    void drive_repair();
    [[nodiscard]] std::shared_ptr<const HeldCheckpoint> without_damage(
        std::shared_ptr<const HeldCheckpoint> made) const;
    Result<bool> find_damage(const std::optional<SessionTree::Node>& node);
    [[nodiscard]] bool repair_fits(const SessionPuller& session) const;
    void alarm_difference();
    Result<void> restore_buckets(const SessionPuller& session, Position visible);

    // Comparisons: core/engine/replica_comparison.cpp
    void drive_comparison();
    void start_comparison();
    void send_comparison(const Message& message);
    void receive_comparison(const Message& message);
    void end_comparison(Result<Difference> result);
    [[nodiscard]] bool comparison_active() const;

    ReplicaOptions options_;
    Env env_;
    Store store_;
    std::unique_ptr<Group> group_;
    std::unique_ptr<Log> log_;
    Disk* disk_ = nullptr;  // of the log; outlives this
    Actor actor_;
    /// The node that the checkpoint's rows belonged to: another one's directory was copied, and
    /// what the others had has not come here since. Nil: not known, and none of its own events.
    Uuid origin_;
    std::unique_ptr<PrimaryBackup> primary_backup_;
    std::unique_ptr<Membership> membership_;
    VersionVector epoch_vv_;  ///< all that was here when the epoch began
    /// What each member said in this epoch: first, and last.
    std::map<Uuid, std::pair<VersionVector, VersionVector>> reports_;
    std::uint64_t own_step_ms_ = 0;  // steady; when the next step may be taken by itself
    StableCut stable_cut_;
    std::optional<Error> failure_;

    SpaceGate space_;
    std::uint64_t space_ms_ = 0;           // steady; when the disk was looked at
    std::size_t space_overlay_bytes_ = 0;  // then
    std::uint64_t prepared_ms_ = 0;        // when a segment of the log was last tried
    std::uint64_t readers_checked_ms_ = 0;
    std::optional<Error> flush_waits_;       // for space
    std::optional<Error> checkpoint_waits_;  // for space
    std::optional<std::uint64_t> turn_began_ms_;

    VersionVector durable_vv_;
    std::deque<Undurable> undurable_;
    std::multimap<Position, Waiting> replies_;  // by the position that must be durable first
    Committed outbox_;

    std::map<LinkId, std::unique_ptr<Link>> links_;
    std::map<Uuid, Cursor> cursors_;
    std::vector<LogSample> samples_;  // at earlier checkpoints, ascending by position
    std::optional<Position> log_hold_;
    std::uint64_t retention_ms_ = 0;  // steady; when the log was last looked at for its age

    bool checkpoint_requested_ = false;
    bool checkpoint_hurried_ = false;   ///< the one under way is waited for
    Position checkpoint_position_ = 0;  // of the last finished one
    Position base_position_ = 0;  // its rows rest on this much of the log: a barrier may follow
    std::optional<std::uint64_t> checkpoint_log_id_;  // as the base remembers it
    std::uint64_t checkpoint_ms_ = 0;                 // when it was begun
    std::optional<Store::Checkpoint> prepared_;       // waits until its position is durable
    std::optional<LogSample> checkpointing_;
    std::shared_ptr<const HeldCheckpoint> snapshot_making_;  // with the checkpoint under way
    std::weak_ptr<const HeldCheckpoint> snapshot_;  // while somebody holds it: no checkpoint
    bool snapshot_wanted_ = false;
    bool reader_waits_ = false;                              // for hold_checkpoint()
    std::shared_ptr<const HeldCheckpoint> reader_snapshot_;  // made for it, until it is fetched
    /// While an adopted snapshot is on its way into the base, no record after this is flushed.
    std::optional<Position> flush_hold_;
    std::uint64_t sync_ms_ = 0;     // steady; when the latest flush was begun
    Position incarnation_end_ = 0;  // of the record that began the own incarnation, if this run did
    bool sync_requested_ = false;
    std::optional<VersionVector> pending_barrier_;  // belongs to the checkpoint at flush_hold_
    Position pending_barrier_end_ = 0;

    std::optional<Pulling> pulling_;
    RepairBudget repair_budget_;
    std::map<LinkId, std::unique_ptr<Serving>> serving_;         // have claims on the budget
    std::map<LinkId, std::deque<std::uint64_t>> served_nonces_;  // of the latest sessions
    std::unique_ptr<Comparing> comparing_;
    std::vector<FinishedComparison> compared_;
    std::optional<LinkId> session_wanted_;
    std::uint64_t session_retry_ms_ = 0;
    unsigned session_mismatches_ = 0;    // in a row
    std::uint64_t expiry_from_ms_ = 0;   // where the next look for due keys begins
    std::uint64_t expiry_pause_ms_ = 0;  // steady; no look before
    bool expiring_ = false;

    std::unique_ptr<Scrub> scrub_;
    ScrubStatus scrub_status_;
    std::string finding_;
    std::uint64_t conflict_damages_ = 0;
    std::uint64_t log_damages_ = 0;
    Position log_floor_ = 0;  // in front of it the log is damaged somewhere
    VersionVector log_floor_vv_;
    bool purging_ = false;  // with the checkpoint under way
    LinkId repair_link_ = 0;
    std::uint64_t repair_retry_ms_ = 0;

    SeenPublications seen_publications_;
    std::vector<Publication> publications_;
    std::uint64_t publication_run_ = 0;  // 0: nothing was published yet
    std::uint64_t publication_number_ = 0;

    ReplicaStats stats_;
};

}  // namespace syncline
