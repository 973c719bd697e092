#pragma once
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/database.hpp"
#include "core/database_watches.hpp"
#include "core/engine/data_directory.hpp"
#include "core/engine/storage_jobs.hpp"
#include "core/protocol/exchange.hpp"

namespace syncline {

/// Where operations of handles run. Not part of the public interface.
class Access {
public:
    using Operation = std::function<Result<void>(Transaction&)>;

    virtual ~Access() = default;
    virtual Result<void> read(const Operation& operation) = 0;
    virtual Result<void> write(const Operation& operation) = 0;
    /// What is read stays as it is from call to call.
    [[nodiscard]] virtual bool lasts() const { return false; }
};

class SnapshotAccess;
struct SnapshotState;
struct HeldCheckpoint;

/// The inside of a Database: a replica behind a lock, its storage jobs, and those who wait.
///
/// A call locks, executes through the Replica, and waits until its reply comes out of a Committed.
/// The first call that finds the log thread idle gives it what was appended; whoever comes while it
/// syncs shares the next sync. When a job is done its thread locks, reports, hands on what became
/// due, tells watches, and wakes who waited.
/// Failures: a storage failure is the answer to all who wait and to every later call. A call from
/// inside a callback, which would wait for itself, is an error.
/// Thread-safety: all public methods.
class DatabaseEngine final : public Access, public std::enable_shared_from_this<DatabaseEngine> {
public:
    static Result<std::shared_ptr<DatabaseEngine>> open(const DatabaseOptions& options);
    explicit DatabaseEngine(const DatabaseOptions& options);
    ~DatabaseEngine() override;
    DatabaseEngine(const DatabaseEngine&) = delete;
    DatabaseEngine& operator=(const DatabaseEngine&) = delete;

    Result<void> read(const Operation& operation) override;
    Result<void> write(const Operation& operation) override;
    Result<DatabaseStats> stats();
    Result<void> backup(const std::string& path,
                        const std::function<bool(const BackupProgress&)>& told);
    Result<void> close();

    Result<void> begin_scrub();
    /// Some more rows; the status says whether that was all.
    Result<ScrubStatus> continue_scrub();
    Result<void> stop_scrub();

    // Snapshots: core/database_snapshots.cpp
    Result<std::shared_ptr<SnapshotAccess>> snapshot();
    Result<void> read_snapshot(SnapshotAccess& access, const Operation& operation);
    void release_snapshot(SnapshotAccess& access);

    Result<std::optional<Bytes>> next_message(const std::string& peer);
    Result<void> receive(const std::string& peer, BytesView bytes);
    Result<void> restart_exchange(const std::string& peer);

    // For Node: the links of connections. What is not possible any more does nothing.
    struct Output {
        std::vector<Outgoing> messages;
        std::vector<std::pair<LinkId, Error>> closed;
    };
    /// `wake` is called, with the lock held, when there is output or the database ended.
    /// Error unavailable: closed, or it has a Node already.
    Result<void> attach(std::function<void()> wake);
    void detach();
    Output take_output();
    [[nodiscard]] bool open_for_links();
    [[nodiscard]] Identity identity();
    [[nodiscard]] Actor actor();
    /// Becomes a member of the peer's cluster if of none. Error unauthorized (another cluster);
    /// unavailable (neither is of one).
    Result<void> admit(const Uuid& peer_cluster);
    void link_up(LinkId link, const Uuid& peer);
    void link_down(LinkId link);
    void receive_frame(LinkId link, std::uint8_t type, BytesView payload);
    void note_transfer(LinkId link);
    void tick();
    [[nodiscard]] std::vector<PeerStatus> peer_statuses();
    /// Of what is durable; nothing when something is not yet.
    [[nodiscard]] std::optional<VersionVector> settled_version();

    /// Error unavailable: this thread is inside a callback of this database.
    [[nodiscard]] Result<void> check_caller() const;
    [[nodiscard]] Result<void> check_open();
    [[nodiscard]] WatchList& watches() { return watches_; }

private:
    /// One call that waits for its reply. Lives on its thread's stack; guarded by mutex_.
    struct Waiter {
        Client client;
        bool done = false;
        std::optional<Error> error;
        std::condition_variable wake;

        void fail(const Error& why) {
            done = true;
            error = why;
        }
    };
    /// The state a new database shows before it is of a cluster.
    struct Virgin {
        explicit Virgin(Base& base) : store(base), group(store, 16, 0) {}
        Store store;
        Group group;
    };
    class Holding;
    class BackingUp;
    class SnapshotWaiter;
    /// A read that finds all durable makes no turn; of so many one does.
    static constexpr std::uint64_t reads_each_turn = 256;
    using Lock = std::unique_lock<std::mutex>;

    Result<void> open_directory(const DatabaseOptions& options);
    Result<void> open_replica();
    Result<void> run(const Operation& operation, Lock& lock);
    Result<void> read_replica(const Operation& operation, Lock& lock);
    Result<void> read_virgin(const Operation& operation);
    [[nodiscard]] Result<void> usable() const;
    Result<void> wait_for(Waiter& waiter, Lock& lock);
    void turn_end(Waiter* current);
    Result<void> join(const Uuid& peer_cluster);
    [[nodiscard]] Error other_cluster(const Uuid& peer_cluster) const;
    Result<void> settle(Lock& lock);
    Committed due();
    void hand_out(const Committed& committed, Waiter* current);
    void fail_waiters(const Error& error);
    void job_done();
    void keep_time();
    Result<void> last_checkpoint(Lock& lock);
    Result<std::shared_ptr<SnapshotState>> open_snapshot(
        std::shared_ptr<const HeldCheckpoint> held);
    void end_snapshot(const std::string& why);
    bool end_due_snapshot();

    const std::size_t replicas_;
    KeyPolicies policies_;
    const std::uint64_t checkpoint_interval_ms_;
    const Durability durability_;
    const std::uint64_t sync_interval_ms_;
    const std::uint64_t map_bytes_;
    const std::uint64_t repair_bandwidth_;
    const std::uint64_t snapshot_ms_max_;
    const std::uint64_t snapshot_bytes_max_;
    SystemClock clock_;
    SystemRandom random_;
    WatchList watches_;
    std::atomic<std::thread::id> holder_{};  // the thread inside a user's callback, with mutex_

    mutable std::mutex mutex_;  // guards everything below
    std::condition_variable progress_;
    DataDirectory data_;
    std::unique_ptr<Virgin> virgin_;
    std::unique_ptr<Replica> replica_;  // null: of no cluster yet, or closed
    Exchanges exchanges_{Env{clock_, random_}};
    std::function<void()> wake_node_;  // null: no Node
    Output output_;                    // for it
    std::map<std::uint64_t, Waiter*> waiters_;
    std::uint64_t next_client_ = 1;
    std::uint64_t reads_ = 0;
    bool backing_up_ = false;
    std::weak_ptr<SnapshotState> snapshot_;  // the one that can be read, if any is held
    std::size_t snapshot_waiters_ = 0;
    bool closing_ = false;
    bool closed_ = false;
    std::unique_ptr<StorageJobs> jobs_;  // its threads use everything above
    std::thread timekeeper_;             // with Durability::interval; as well
};

}  // namespace syncline
