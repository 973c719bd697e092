#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/sim/environment.hpp"

namespace syncline::sim {

/// What clients do.
enum class OpKind : std::uint8_t {
    get,
    set,
    increment,
    erase,
    set_add,
    set_remove,
    hash_set,
    hash_remove,
    hash_increment,
    sorted_add,
    sorted_remove,
    sorted_increment,
    list_push,
    list_pop,
    list_insert,
    list_set,
    expire,
    persist,
    collection_read,
    pair,
    transaction,
    clear_buckets,
    text_insert,
    text_erase,
    bounded,  ///< bounded counters: reads, changes, and attempts to replace them
    flag_enable,
    flag_disable,
};
constexpr std::size_t op_kinds_count = 27;
constexpr std::array<std::string_view, op_kinds_count> op_names = {
    "get",  "set",  "incr",  "del",   "sadd", "srem", "hset", "hdel", "hinc",
    "zadd", "zrem", "zinc",  "push",  "pop",  "lins", "lset", "exp",  "pers",
    "read", "pair", "multi", "clear", "tins", "tera", "bc",   "fon",  "foff"};

/// What goes wrong. Each seed leaves some of these out (swarm testing).
enum class Fault : std::uint8_t {
    loss,        ///< frames vanish
    duplicate,   ///< frames come twice
    reorder,     ///< frames overtake each other
    truncate,    ///< frames arrive cut: the receiver must close the link
    partition,   ///< two replicas hear nothing from each other
    one_way,     ///< one replica does not hear the other
    reset,       ///< connections break and are made anew
    slow_link,   ///< frames take seconds
    pause,       ///< a replica stands still
    kill,        ///< a process dies; what it wrote is still in the system's cache
    power_cut,   ///< a machine dies; unsynced sectors survive or not
    disk_error,  ///< a sync fails
    slow_disk,   ///< syncs and checkpoints take long
    skew,        ///< wall clocks differ and drift
    jump,        ///< a wall clock jumps
    session,     ///< Merkle sessions although the logs would do
    stream_cut,  ///< no log batches arrive: only sessions repair
    rot,         ///< rows of one replica's base are damaged, or lost, or of long ago
    restore,     ///< a machine's data are put back to what they were
    clone,       ///< a machine goes on with a copy of another one's data
};
constexpr std::size_t faults_count = 20;
constexpr std::array<std::string_view, faults_count> fault_names = {
    "loss",      "duplicate", "reorder",    "truncate",  "partition",  "one_way",   "reset",
    "slow_link", "pause",     "kill",       "power_cut", "disk_error", "slow_disk", "skew",
    "jump",      "session",   "stream_cut", "rot",       "restore",    "clone"};

/// For printf.
inline unsigned long long wide(std::uint64_t number) {
    return number;
}

/// What a run, or a batch of runs, did. Plain numbers, so that processes can hand it over.
struct Coverage {
    std::uint64_t seeds = 0;
    std::uint64_t steps = 0;       ///< of the timeline: frames, syncs, ticks, clients, faults
    std::uint64_t operations = 0;  ///< client transactions that ran
    std::uint64_t refused = 0;     ///< of these: wrong type, not a number, on purpose
    std::uint64_t replies = 0;
    std::uint64_t reads_checked = 0;
    std::uint64_t events = 0;          ///< transactions with effects, counted at their origin
    std::uint64_t events_applied = 0;  ///< at other replicas
    std::uint64_t frames = 0;
    std::uint64_t replies_early = 0;  ///< for each event they rested on that was not durable
    std::uint64_t crashes = 0;
    std::uint64_t recoveries_checked = 0;  ///< on a copy of the disk
    std::uint64_t sessions_completed = 0;
    std::uint64_t sessions_failed = 0;
    std::uint64_t session_rows = 0;
    std::uint64_t snapshots_adopted = 0;
    std::uint64_t checkpoints = 0;
    std::uint64_t clock_pauses = 0;
    std::uint64_t state_checks = 0;
    std::uint64_t keys_expired = 0;  ///< removed because their deadline was behind
    std::uint64_t rows_collected = 0;
    std::uint64_t damages = 0;  ///< buckets in which rot was found
    std::uint64_t buckets_repaired = 0;
    std::uint64_t cells_checked = 0;

    // Primary-backup mode.
    std::uint64_t backed_up_seeds = 0;
    std::uint64_t promotions = 0;
    std::uint64_t promotions_forced = 0;  ///< of these
    std::uint64_t votes = 0;
    std::uint64_t stepped_down = 0;
    std::uint64_t batches_fenced = 0;  ///< log batches that came out of an earlier term
    std::uint64_t terms_proved = 0;    ///< compared with a copy of the disk
    /// Failures of a disk while it wrote a term, by SimDisk::Operation.
    std::array<std::uint64_t, 5> term_faults{};
    std::uint64_t confirmed = 0;        ///< writes
    std::uint64_t reads_confirmed = 0;  ///< at primaries
    std::uint64_t unconfirmed = 0;      ///< replies, reads included
    std::uint64_t writes_refused = 0;   ///< by backups
    std::uint64_t suffixes = 0;
    std::uint64_t suffixes_merged = 0;  ///< by the operator, after they were held
    std::uint64_t machines_lost = 0;

    // Copies of machines.
    std::uint64_t copies_seeds = 0;
    std::uint64_t copies = 0;         ///< that were made
    std::uint64_t new_nodes = 0;      ///< directories that noticed that they are copies
    std::uint64_t events_undone = 0;  ///< that went with a machine, and nobody else had

    // Membership.
    std::uint64_t membership_seeds = 0;
    std::uint64_t memberships = 0;  ///< records, of all epochs

    Micros virtual_time = 0;
    Micros convergence_max = 0;                        ///< from heal to equal replicas
    std::array<std::uint64_t, faults_count> faults{};  ///< how often each was injected
    /// Operations that ran at a replica while a fault had hold of it.
    std::array<std::array<std::uint64_t, op_kinds_count>, faults_count + 1> pairs{};

    void count(Fault fault) { ++faults[static_cast<std::size_t>(fault)]; }
    Coverage& operator+=(const Coverage& other);
};

/// The table for people. `wall_seconds`: real time of the batch.
std::string to_text(const Coverage& coverage, double wall_seconds);
/// What a batch of runs must have done at least; the first thing missing, or an empty string.
/// A batch that exercised nothing must not pass.
std::string missing_activity(const Coverage& coverage);

}  // namespace syncline::sim
