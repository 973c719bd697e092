#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "tests/sim/members.hpp"
#include "tests/sim/memory_base.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/sim_disk.hpp"
#include "tests/sim/terms.hpp"
#include "tests/sim/workload.hpp"

namespace syncline::sim {

/// What all replicas of a run share.
struct Shared {
    const Plan& plan;
    Timeline& timeline;
    History& history;
    Network& network;
    Coverage& coverage;
    Terms& terms;
    Members& members;
};

/// A machine's directory as it was: the files identity and log, and the base.
struct MachineCopy {
    std::unique_ptr<SimDisk> home;
    std::unique_ptr<SimDisk> disk;
    std::unique_ptr<MemoryBase> base;
    History::Copy history;
};

/// A production replica with its machine: clock, chance, disk, base, storage threads, clients.
/// The machine does in virtual time what the server's loop and threads do in real time; it can
/// stand still, die, and come back with what its disk kept.
class SimReplica final : public Station {
public:
    SimReplica(std::size_t index, const Uuid& cluster, Shared shared);

    [[nodiscard]] bool up() const override { return replica_ != nullptr; }
    [[nodiscard]] const Uuid& uuid() const override { return identity_.node; }
    void run(std::function<void(Replica&)> action) override;
    [[nodiscard]] TermId term() const override { return replica_->primary_backup().term().id; }
    void receive(Replica& replica, LinkId link, std::uint8_t type, const Bytes& payload,
                 const TermId& sent_in) override;

    /// Opens the replica from disk and base; ticks and clients begin.
    void start();
    /// The process dies. With power_cut the disk forgets, in part, what was not synced.
    void crash(bool power_cut);
    /// The machine is gone: nothing starts it again. Precondition: down.
    void lose() { lost_ = true; }
    [[nodiscard]] bool lost() const { return lost_; }
    /// A spare machine that is not switched on yet.
    [[nodiscard]] bool dormant() const { return dormant_; }
    void rouse();
    /// Its configuration names fewer peers, from the next start on.
    /// A copy of the machine as it would be found after a power cut now, opened once to see what it
    /// has. Nothing: the disk fails just now.
    [[nodiscard]] std::optional<MachineCopy> copy();
    /// The machine has these data from here on, put there by a tool for files. Precondition: down.
    void become(const MachineCopy& copy);
    /// Its data were replaced, and it has not been started since.
    /// When it was started with such data; 0: never.
    [[nodiscard]] Micros put_back_at() const { return put_back_at_; }
    [[nodiscard]] bool being_put_back() const { return being_put_back_; }
    void strike_peer() { --options_.primary_backup.peers_configured; }
    /// Damages a row of its base; while it is down also without a trace, which a running process
    /// need not notice at once.
    void rot();
    [[nodiscard]] bool rotten() const { return rotten_; }
    /// All that rotted has been repaired, as far as a whole look at the rows since can tell.
    [[nodiscard]] bool sound() const;
    /// The replica does nothing for a while.
    void pause(Micros length);
    /// Ends a pause early.
    void resume();
    [[nodiscard]] SimDisk& disk() { return disk_; }
    /// Clients ask nothing any more.
    void stop_clients() { clients_run_ = false; }
    /// One write now, whatever the clients do. False: not possible at this moment.
    bool write_once();

    [[nodiscard]] std::size_t index() const { return index_; }
    [[nodiscard]] SimClock& clock() { return clock_; }
    /// Precondition: up().
    [[nodiscard]] Replica& replica() { return *replica_; }
    /// No job, no undelivered reply, no session.
    [[nodiscard]] bool idle() const;
    /// Precondition: up().
    [[nodiscard]] const VersionVector& vv() const { return replica_->group().vv(); }
    [[nodiscard]] bool is_primary() const {
        return up() && replica_->primary_backup().role() == PrimaryBackup::Role::primary;
    }
    [[nodiscard]] Micros started_at() const { return started_at_; }
    /// End of the latest pause of this life; 0: none.
    [[nodiscard]] Micros paused_until() const { return paused_until_; }
    /// Compares state, pairs and the replica's own counters with what must be. State cannot be
    /// compared while rows are rotten, unless they are known to be `mended`.
    void check(bool mended = false);
    /// Adds the production statistics of this life to the coverage.
    void count_statistics();
    /// Bits of the faults that have hold of this replica, for coverage; set by whoever injects
    /// them.
    std::bitset<faults_count> afflictions;

private:
    struct Expecting {  // a reply
        std::uint64_t number = 0;
        Terms::Request request;
        std::uint64_t since_ms = 0;  // by the replica's clock
    };
    struct SimClient {
        Client client;
        std::deque<Expecting> expecting;
    };

    Result<void> identify();
    void later(Micros delay, std::function<void(Replica&)> action);
    void wake();
    void tick();
    void turn_ended();
    void check_waiting();
    void start_flush();
    void start_checkpoint();
    void release(const Committed& committed);
    void take_reply(const Reply& reply);
    void prove_recovery(bool worst_case);
    void client_loop();
    void operate(OpKind kind);
    [[nodiscard]] OpKind choose_operation();
    void on_applied(const Event& event, BytesView bytes);
    std::vector<Intent> expiry_intents(const Event& event);
    void check_pairs();
    void fail(const std::string& sentence);

    std::size_t index_;
    Shared shared_;
    SimClock clock_;
    SimRandom chance_;  // the replica's own
    SimRandom random_;  // of its machine and clients
    SimDisk home_;      // the file identity
    SimDisk disk_;      // of the log
    MemoryBase base_;
    Bytes base_mark_;
    Identity identity_;
    Workload workload_;
    ReplicaOptions options_;
    std::unique_ptr<Replica> replica_;  // null: down

    std::uint64_t life_ = 0;  // actions of an earlier life never run
    std::uint64_t lives_ = 0;
    Micros started_at_ = 0;
    Micros paused_until_ = 0;
    std::deque<std::function<void(Replica&)>> inbox_;  // while paused
    bool flushing_ = false;
    bool checkpointing_ = false;
    bool turn_open_ = false;  // its end is scheduled

    bool clients_run_ = true;
    std::vector<SimClient> clients_;
    std::uint64_t last_request_ = 0;
    Attempt* attempt_ = nullptr;  // being executed
    bool adopted_ = false;        // a snapshot was, since the state was checked
    bool changed_ = false;        // events were applied since the pairs were compared
    bool receiving_ = false;      // a peer's message
    bool being_put_back_ = false;
    Micros put_back_at_ = 0;
    std::uint64_t marks_ = 0;  // base files that there have been
    bool lost_ = false;
    bool rotten_ = false;  // or was, in this run
    std::uint64_t whole_looks_ =
        0;  // passes over all rows that will have been made when all is seen
    bool dormant_ = false;
    std::uint64_t all_durable_ms_ = 0;  // at the latest tick all was durable; 0: not, or no tick
};

}  // namespace syncline::sim
