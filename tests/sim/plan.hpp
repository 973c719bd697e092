#pragma once
#include <array>
#include <bitset>

#include "core/engine/replica.hpp"
#include "tests/sim/coverage.hpp"
#include "tests/sim/timeline.hpp"

namespace syncline::sim {

/// How the replicas of a run replicate.
/// Membership: multi-master, with members that come and go in each seed. Copies: multi-master, with
/// machines that are put back or cloned in each seed.
enum class Mode : std::uint8_t { mixed, multi_master, primary_backup, membership, copies };

/// What the command line says about each run.
struct RunOptions {
    std::uint64_t seconds = 60;  ///< virtual seconds of the phase with faults
    unsigned replicas = 0;       ///< 0: 3 and 5 in turn, by seed
    std::uint64_t rate = 10;     ///< operations a second at each replica
    Mode mode = Mode::mixed;     ///< mixed: the seed decides
    bool idle = false;           ///< no faults and no clients, to see what replicas cost
    bool trace = false;
};

/// How often something happens, and for how long.
struct Rhythm {
    Micros gap = 0;
    Micros length = 0;
};

/// Everything about a run that is decided before it begins; a function of the seed.
struct Plan {
    std::uint64_t seed = 0;
    unsigned replicas = 3;
    Micros safety_time = 0;
    bool trace = false;

    std::bitset<faults_count> faults;

    // Network.
    Micros delay = 0;
    Micros jitter = 0;
    unsigned loss_per_mille = 0;
    unsigned duplicate_per_mille = 0;
    unsigned reorder_per_mille = 0;
    unsigned truncate_per_million = 0;
    Micros slow_delay = 0;

    // Faults that come and go, by Fault. Network faults: for each link; others: for each replica.
    std::array<Rhythm, faults_count> rhythms{};
    std::size_t rotting = 0;   ///< whose rows are damaged; two that are could not help each other
    std::size_t put_back = 0;  ///< whose data are replaced by copies; two could lose all that is
    std::int64_t skew_ms_max = 0;
    std::int64_t drift_ppm_max = 0;

    // Storage.
    Micros write_time = 0;
    Micros sync_time = 0;
    Micros checkpoint_time = 0;
    ReplicaOptions replica;  ///< without identity

    // Clients.
    Micros operation_gap = 0;
    unsigned clients = 1;  ///< for each replica
    unsigned keys = 4;     ///< of each family
    unsigned fields = 3;
    bool mixed_types = false;  ///< one family of keys for all types
    std::array<unsigned, op_kinds_count> weights{};

    // Primary-backup mode; the mode itself is in `replica`.
    Micros patience = 0;         ///< of the operator with a primary that does not answer
    Micros switch_gap = 0;       ///< between promotions without need
    unsigned force_one_in = 1;   ///< promotions for need that are forced
    bool term_faults = false;    ///< disks fail while terms change
    bool loses_machine = false;  ///< one replica does not come back from the faults

    // Membership, in multi-master mode.
    bool membership = false;    ///< there is a record, and it changes
    unsigned spares = 0;        ///< machines that are switched on later
    Micros membership_gap = 0;  ///< between changes

    /// All that there will ever be.
    [[nodiscard]] std::size_t machines() const { return replicas + spares; }

    [[nodiscard]] bool primary_backup() const {
        return replica.primary_backup.mode == ReplicationMode::primary_backup;
    }

    /// Replies do not wait for the disk.
    [[nodiscard]] bool interval() const { return replica.durability == Durability::interval; }

    [[nodiscard]] bool has(Fault fault) const {
        return faults.test(static_cast<std::size_t>(fault));
    }
    /// Copies of machines are made, and used.
    [[nodiscard]] bool copies() const { return has(Fault::restore) || has(Fault::clone); }
    [[nodiscard]] const Rhythm& rhythm(Fault fault) const {
        return rhythms[static_cast<std::size_t>(fault)];
    }
};

Plan make_plan(std::uint64_t seed, const RunOptions& options);
/// One line for --trace and failures.
std::string describe(const Plan& plan);

}  // namespace syncline::sim
