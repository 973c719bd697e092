#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backup/progress.hpp"
#include "base/durability.hpp"
#include "database_handles.hpp"

namespace syncline {

class DatabaseEngine;
class SnapshotAccess;

struct DatabaseOptions {
    /// The data directory, made when missing; the same as a server's (syncline serve --data).
    std::string path = "syncline-data";
    /// A name for people. Empty: as the directory remembers.
    std::string replica = {};
    /// A name that replicas share which are to meet: they may be opened apart, and in any order.
    /// Empty: as the directory remembers; a new one becomes a member of the first peer's cluster,
    /// or founds its own with the first write.
    std::string cluster = {};
    /// How many replicas the cluster has, this one included; the same everywhere. Then what every
    /// one of them has seen go (values that lost, reset parts of counters) is dropped. 0: unknown.
    std::size_t replicas = 0;
    /// What removals do against concurrent adds to sets and flags, by key: "PREFIX=remove-wins" or
    /// "PREFIX=add-wins", of which the longest prefix decides; at most 64, of at most 256 bytes.
    /// The same at all replicas of the cluster: they refuse peers that have others.
    std::vector<std::string> policies = {};
    /// Changes wait at most so long in the log alone; it bounds what the next start replays. Time
    /// is looked at when calls come.
    std::uint64_t checkpoint_interval_ms = 5000;
    /// When a call that writes returns. With `interval` transactions are synced every
    /// `sync_interval_ms`, and after an end without close() the replica writes as another actor:
    /// rights to bounded counters that it held before stay with the old one.
    Durability durability = Durability::always;
    std::uint64_t sync_interval_ms = 1000;
    /// Bytes that the rows on disk may have; from 85 % of it on, and from 85 % of the disk, writes
    /// that add something answer no_space, removals do not. 0: as many as the disk takes.
    std::uint64_t map_bytes = 0;
    /// Bytes a second that a Node sends to peers for repair, to all together: rows of comparisons.
    /// New transactions, and messages carried by hand, do not wait for it. 0: no cap.
    std::uint64_t repair_bandwidth = 0;
    /// A Snapshot ends after so long, and when so many bytes have been written since it was taken
    /// (of the log, or of rows in memory; more than 128 MiB count as 128 MiB).
    std::uint64_t snapshot_ms_max = 60000;
    std::uint64_t snapshot_bytes_max = std::uint64_t{128} << 20;
};

/// A change of a key that is watched.
struct Change {
    Bytes key;
    /// The transaction that made it, and with it who. Nothing when the replica took over many
    /// transactions at once, after a comparison with a peer: then the key may have changed.
    std::optional<Dot> origin;
    bool local = false;  ///< made here
};

/// Several writes as one transaction: its reads see its writes; all or none of it comes into
/// effect, here and at every replica.
class Batch final : public Keyspace {
public:
    explicit Batch(std::shared_ptr<Access> access) : Keyspace(std::move(access)) {}
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
};

/// Several reads of one state. Its writes answer invalid_argument.
class Reader final : public Keyspace {
public:
    explicit Reader(std::shared_ptr<Access> access) : Keyspace(std::move(access)) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
};

/// One state of a database, which stays readable over many calls while others write: a checkpoint
/// that is held. Each call reads the base alone, for as long as a read takes; whole sets and maps
/// are read in slices of 1,000, between which others run. Its writes answer invalid_argument. Keys
/// have ended that had when it was taken.
///
/// What is held grows memory and log, so it ends: after DatabaseOptions::snapshot_ms_max, when
/// snapshot_bytes_max were written, when map or disk get full, when rows of a peer are taken over
/// after a comparison, or with the database. Then its calls answer unavailable and say why; writers
/// never wait for it. Errors of a call besides: as of any read.
/// Thread-safety: all methods, from any threads; not while it is moved or destroyed.
/// Destruction is release().
class Snapshot final : public Keyspace {
public:
    Snapshot(Snapshot&& other) noexcept;
    Snapshot& operator=(Snapshot&& other) noexcept;
    ~Snapshot();

    /// Every transaction that it shows, and no other. Ended or not.
    [[nodiscard]] const VersionVector& version() const;
    /// Lets the database go on with its checkpoints. Its handles answer unavailable from now on. A
    /// second time does nothing.
    void release();

private:
    friend class Database;
    explicit Snapshot(std::shared_ptr<SnapshotAccess> access);
    std::shared_ptr<SnapshotAccess> snapshot_;  // shared with its handles; null: moved away
};

/// Calls back for changes of one key until it is stopped or destroyed.
class Watch {
public:
    Watch(Watch&& other) noexcept;
    Watch& operator=(Watch&& other) noexcept;
    ~Watch();

    /// Waits for a call under way, unless called from inside it; no call comes afterwards.
    void stop();

private:
    friend class Database;
    struct Impl;
    explicit Watch(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// What a database is and has done. One consistent state, durable.
struct DatabaseStats {
    std::string replica;    ///< name for people
    std::string node;       ///< identity of the data directory, hexadecimal
    std::string cluster;    ///< hexadecimal; empty: of none yet
    Actor actor;            ///< as whom it writes
    VersionVector version;  ///< every transaction this state holds
    /// Fingerprint of all rows, hexadecimal. Equal versions in one cluster have equal roots.
    std::string root;
    std::uint64_t rows = 0;
    std::uint64_t keys = 0;
    std::uint64_t transactions_local = 0;   ///< since it was opened
    std::uint64_t transactions_remote = 0;  ///< since it was opened
    std::uint64_t flushes = 0;              ///< log syncs; many transactions may share one
    std::uint64_t checkpoints = 0;
    std::uint64_t log_bytes = 0;          ///< appended ever
    std::uint64_t overlay_bytes = 0;      ///< memory of changes since the last checkpoint
    bool checkpoint_running = false;      ///< changes are being written to the tables now
    std::uint64_t divergence_alarms = 0;  ///< anything but 0 is a bug: please report it
};

/// What a look at all that is stored has found.
struct ScrubReport {
    std::uint64_t rows = 0;     ///< looked at
    std::uint64_t bytes = 0;    ///< of them
    std::uint64_t faults = 0;   ///< found: rows damaged, lost, or of no use
    std::uint64_t damaged = 0;  ///< buckets of rows that are not shown until a peer's replace them
    std::string finding;        ///< the latest, a sentence; empty: none
    bool complete = false;      ///< not given up before the end
};

/// An embedded replica: all data here, durable, complete without a network.
///
/// With a full disk (or map_bytes) calls that add something answer no_space and do nothing; reads
/// and removals go on, and so does everything else once there is room. A call whose transaction is
/// in the log's hands when the disk has no byte left waits for room, or for close().
/// A call that writes returns when its transaction is on disk; calls of several threads share one
/// sync. A call that reads returns at once, or when what it saw is on disk.
/// Thread-safety: all methods, from any threads; not while it is moved or destroyed. The threads of
/// the log and of checkpoints belong to it; call-backs must not block for long, and calls to the
/// database from inside one answer unavailable.
/// Destruction is close() without its answer.
class Database final : public Keyspace {
public:
    /// Opens or makes a data directory. Errors: locked (it is open already, here or in another
    /// process), invalid_argument (it belongs to another cluster), corrupt, version, io, no_space.
    static Result<Database> open(const DatabaseOptions& options);

    Database(Database&& other) noexcept;
    Database& operator=(Database&& other) noexcept;
    ~Database();

    /// Runs `write` as one transaction: one event, one sync. If it returns an error, or is too
    /// large (limit: 15 MiB), nothing happens. It runs alone: others wait.
    Result<void> batch(const std::function<Result<void>(Batch&)>& write) const;
    /// Runs `read` on one state, and returns when what it saw is durable. It runs alone: others
    /// wait.
    Result<void> read(const std::function<Result<void>(Reader&)>& read) const;

    /// A snapshot of the state as it is now, with all that was written before the call. Takes as
    /// long as a checkpoint: what was changed since the last one is written to the tables, and
    /// synced. Snapshots between which nothing was written share one state; else a second one waits
    /// until the first has ended or is released, so do not take two in one thread with writes
    /// between them. Errors: unavailable (closed, nothing was ever written, or an older state is
    /// still being read), no_space, the storage's.
    Result<Snapshot> snapshot() const;

    /// Calls `on_change` for every transaction that changes the key, once it is durable, in order,
    /// and before the call that made it returns. It runs on the thread that made the change
    /// durable, which no commit can do without meanwhile. Error unavailable (closed).
    Result<Watch> watch(BytesView key, std::function<void(const Change&)> on_change) const;

    /// For replicas without a network between them: the next message for a peer, or nothing when
    /// there is nothing to tell. Carry it there, hand it to receive(), and carry back what that
    /// side's next_message() answers, in order, until both sides answer nothing: then both have
    /// all that either had. `peer` is any name that the caller gives the other side.
    ///
    /// A message that is lost, repeated, late or damaged does no harm: at the latest the one after
    /// it makes both sides begin anew. One lost at the very end shows only in stats(): `version`
    /// and `root` of the two sides differ; restart_exchange() on one side begins anew. A peer that
    /// is so far behind that the log does not reach back any more (1 GiB, 24 h) needs a comparison
    /// of rows, whose messages must not be under way for longer than some seconds each. Messages
    /// are of about 1 MiB. They are neither secret nor signed: who can hand bytes to receive() can
    /// write. Errors: unavailable, limit (4096 names), the storage's.
    Result<std::optional<Bytes>> next_message(const std::string& peer) const;
    /// Takes a peer's message; what it brings is durable when it returns. A database without a
    /// cluster becomes a member of the peer's. Errors: corrupt, version, causality (the bytes are
    /// damaged, or of no correct replica; nothing changed), unauthorized (another cluster),
    /// invalid_argument (of this database itself, or the name stands for another one), unavailable,
    /// limit, the storage's.
    Result<void> receive(const std::string& peer, BytesView message) const;
    /// Begins the exchange with a peer anew, from what both sides have by now. The name may stand
    /// for another replica from now on.
    Result<void> restart_exchange(const std::string& peer) const;

    /// Error: those of a read.
    Result<DatabaseStats> stats() const;
    /// One line of it, for logs.
    Result<std::string> describe() const;

    /// Copies the database into a new directory, in the state it is in when the copy is done, while
    /// other threads read and write; `syncline verify` and `restore` take it. It runs on the
    /// caller's thread. `told` is called after each piece, and ends the backup by answering false;
    /// what is there then is no backup. Errors: invalid_argument (`path` is not empty), unavailable
    /// (another backup is under way, it was cancelled, or there is nothing yet), io, no_space,
    /// corrupt.  O(rows), and the log that was written meanwhile.
    Result<void> backup(const std::string& path,
                        const std::function<bool(const BackupProgress&)>& told = {}) const;

    /// Reads and verifies every stored row, and what is derived from it. Between parts of it, of
    /// some milliseconds, other calls run; `progress` hears after each of (rows done, rows there
    /// are), without the lock, and may answer false to give up. What is found damaged is not shown
    /// any more, and is fetched from a peer as soon as a Node has connected one. Damage is no error
    /// of this call: see the report. Errors: those of a read.
    using ScrubProgress = std::function<bool(std::uint64_t rows, std::uint64_t rows_all)>;
    Result<ScrubReport> scrub(const ScrubProgress& progress = {}) const;

    /// Waits for calls under way, makes a last checkpoint, and lets go of the directory. A second
    /// time does nothing. Errors: the storage's; what was acknowledged is durable all the same.
    Result<void> close();

    /// For Node.
    [[nodiscard]] const std::shared_ptr<DatabaseEngine>& engine() const { return engine_; }

private:
    explicit Database(std::shared_ptr<DatabaseEngine> engine);

    std::shared_ptr<DatabaseEngine> engine_;  // shared with handles, watches and a Node
};

}  // namespace syncline
