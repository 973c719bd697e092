#include "tests/sim/plan.hpp"

#include <algorithm>
#include <initializer_list>

namespace syncline::sim {
namespace {

constexpr std::uint64_t plan_stream = 1;
constexpr std::uint64_t mode_stream = 5;
constexpr std::uint64_t later_stream = 6;
constexpr std::uint64_t collection_stream = 7;
constexpr std::uint64_t policies_stream = 8;
constexpr std::uint64_t durability_stream = 9;
constexpr std::uint64_t compression_stream = 10;
constexpr std::uint64_t membership_stream = 11;
constexpr std::uint64_t rot_stream = 12;
constexpr std::uint64_t copies_stream = 13;
constexpr std::uint64_t cap_stream = 14;
constexpr Micros never = 1'000'000 * second;
/// One seed in so many of multi-master mode without a record has rows that rot.
constexpr std::uint64_t rot_rarity = 4;
/// Faults that are drawn together; the others have streams of their own.
constexpr auto faults_drawn = static_cast<std::size_t>(Fault::rot);
/// One seed in so many caps what is sent for repair.
constexpr std::uint64_t cap_rarity = 6;
/// One seed in so many of multi-master mode has members that come and go.
constexpr std::uint64_t membership_rarity = 3;
/// A slow disk writes a segment of some KiB in a fifth of a second. With more operations than these
/// a second it is behind for minutes after the faults have ended: overload, which ends by itself.
constexpr std::uint64_t slow_disk_rate_max = 100;
/// One seed in so many runs in primary-backup mode.
constexpr std::uint64_t backed_up_rarity = 4;

template <typename T>
T choose(SimRandom& random, std::initializer_list<T> values) {
    return *(values.begin() + random.below(values.size()));
}

Micros ms(std::uint64_t count) {
    return count * micros_per_ms;
}

/// Swarm: each fault is left out of half of the seeds; now and then nothing goes wrong at all.
void choose_faults(Plan& plan, SimRandom& random) {
    if (random.one_in(20)) return;
    for (std::size_t i = 0; i < faults_drawn; ++i) plan.faults.set(i, random.one_in(2));
    // Faults that leave little else to happen are rarer.
    for (const Fault rare : {Fault::truncate, Fault::disk_error, Fault::slow_disk}) {
        if (!random.one_in(2)) plan.faults.reset(static_cast<std::size_t>(rare));
    }
    if (!random.one_in(6)) plan.faults.reset(static_cast<std::size_t>(Fault::stream_cut));
    if (plan.has(Fault::stream_cut)) plan.faults.set(static_cast<std::size_t>(Fault::session));
}

void choose_network(Plan& plan, SimRandom& random) {
    plan.delay = choose<Micros>(random, {200, ms(1), ms(5), ms(20), ms(80)});
    plan.jitter = plan.delay * random.between(0, 3);
    if (plan.has(Fault::loss)) {
        plan.loss_per_mille = choose(random, {2U, 10U, 50U, 150U, 300U});
    }
    if (plan.has(Fault::duplicate)) {
        plan.duplicate_per_mille = choose(random, {5U, 50U, 200U, 500U});
    }
    if (plan.has(Fault::reorder)) plan.reorder_per_mille = choose(random, {5U, 50U, 300U});
    if (plan.has(Fault::truncate)) plan.truncate_per_million = choose(random, {100U, 1000U, 5000U});
    plan.slow_delay = ms(random.between(100, 3000));

    const auto rhythm = [&](Fault fault, std::uint64_t gap_s, std::uint64_t length_ms) {
        if (!plan.has(fault)) return;
        plan.rhythms[static_cast<std::size_t>(fault)] =
            Rhythm{random.between(1, 4) * gap_s * second, ms(random.between(1, 8) * length_ms)};
    };
    rhythm(Fault::partition, 6, 1500);
    rhythm(Fault::one_way, 6, 1500);
    rhythm(Fault::reset, 3, 0);
    rhythm(Fault::slow_link, 5, 1500);
    rhythm(Fault::pause, 6, 800);
    rhythm(Fault::kill, 8, 400);
    rhythm(Fault::power_cut, 8, 400);
    rhythm(Fault::jump, 5, 0);
    rhythm(Fault::session, 1, 0);
}

void choose_storage(Plan& plan, SimRandom& random) {
    plan.write_time = choose<Micros>(random, {20, 200});
    plan.sync_time = choose<Micros>(random, {100, ms(1), ms(5)});
    plan.checkpoint_time = choose<Micros>(random, {ms(1), ms(10), ms(100)});
    if (plan.has(Fault::slow_disk)) {
        plan.sync_time = ms(random.between(10, 200));
        plan.checkpoint_time = ms(random.between(100, 2000));
    }
    ReplicaOptions& replica = plan.replica;
    replica.log.segment_bytes = choose<std::size_t>(random, {8192, 12288, 16384, 32768});
    replica.log_retention.bytes =
        choose<std::uint64_t>(random, {0, 0, 8192, 32768, 131072, 1 << 30});
    replica.checkpoint_log_bytes = choose<std::uint64_t>(random, {1024, 4096, 16384, 65536});
    replica.checkpoint_interval_ms = choose<std::uint64_t>(random, {100, 500, 2000, 5000});
    replica.batch_bytes_target = choose<std::size_t>(random, {1, 200, 1000, 10000});
    replica.scrub_interval_ms = 1500;  // all the time, and in slices: nothing is damaged here
    replica.scrub_rows_per_tick = 50;
    replica.leaf_bits = choose(random, {4U, 6U, 8U});
    replica.session_fanout = replica.leaf_bits % 4 == 0 && random.one_in(2) ? 16 : 4;
}

void choose_clients(Plan& plan, SimRandom& random) {
    plan.clients = static_cast<unsigned>(random.between(1, 3));
    plan.keys = choose(random, {1U, 2U, 4U, 12U, 40U});
    plan.fields = choose(random, {1U, 2U, 4U, 12U});
    plan.mixed_types = random.one_in(2);
    plan.replica.expiry_grace_ms = choose<std::uint64_t>(random, {50, 500, 3000});
    // Swarm again: each seed likes other operations.
    SimRandom later_random(plan.seed, later_stream);  // drawn apart, as the mode is
    for (std::size_t i = 0; i < op_kinds_count; ++i) {
        const auto kind = static_cast<OpKind>(i);
        const bool apart = kind >= OpKind::text_insert;
        plan.weights[i] = choose(apart ? later_random : random, {0U, 1U, 4U, 10U});
    }
    const auto weight_of = [&](OpKind kind) -> unsigned& {
        return plan.weights[static_cast<std::size_t>(kind)];
    };
    weight_of(OpKind::clear_buckets) = random.one_in(3) ? 1 : 0;
    for (const OpKind kind : {OpKind::set, OpKind::pair}) {
        weight_of(kind) = std::max(weight_of(kind), 2U);
    }
}

/// Has a stream of its own: what was drawn above stays as it was before this mode was simulated.
void choose_mode(Plan& plan, const RunOptions& options) {
    SimRandom random(plan.seed, mode_stream);
    const bool drawn = random.one_in(backed_up_rarity);
    if (options.mode == Mode::mixed ? !drawn : options.mode != Mode::primary_backup) return;
    if (options.replicas == 0) plan.replicas = random.one_in(4) ? 5 : 3;
    PrimaryBackupOptions& mode = plan.replica.primary_backup;
    mode.mode = ReplicationMode::primary_backup;
    mode.acks = choose<std::optional<unsigned>>(
        random, {std::nullopt, std::nullopt, std::nullopt, std::optional(0U), std::optional(1U)});
    mode.ack_timeout_ms = choose<std::uint64_t>(random, {200, 1000, 5000});
    mode.hold_suffix = random.one_in(3);
    mode.peers_configured = plan.replicas - 1;
    plan.patience = ms(random.between(3, 40) * 100);
    plan.switch_gap = random.between(3, 30) * second;
    plan.force_one_in = choose(random, {1U, 3U, 10U});
    plan.term_faults = random.one_in(2);
    plan.loses_machine = random.one_in(4);
}

/// Most clusters say how many replicas they have, and collect what all have seen go. One that
/// loses a replica for good would wait for it.
void choose_collection(Plan& plan) {
    SimRandom random(plan.seed, collection_stream);
    if (!random.one_in(4) && !plan.loses_machine) plan.replica.replicas = plan.replicas;
}

/// In every other cluster removals win, but for some keys.
void choose_policies(Plan& plan) {
    SimRandom random(plan.seed, policies_stream);
    if (!random.one_in(2)) return;
    for (const char* const policy : {"=remove-wins", "set0=add-wins", "flag1=add-wins"}) {
        SYNCLINE_ASSERT(plan.replica.policies.add(policy).has_value());
    }
}

/// Some clusters of many masters do not wait for the disk.
void choose_durability(Plan& plan) {
    SimRandom random(plan.seed, durability_stream);
    if (plan.primary_backup() || !random.one_in(4)) return;
    plan.replica.durability = Durability::interval;
    plan.replica.sync_interval_ms = choose<std::uint64_t>(random, {1, 20, 300, 2000});
}

void choose_compression(Plan& plan) {
    SimRandom random(plan.seed, compression_stream);
    plan.replica.compressed_bytes_min = choose<std::size_t>(random, {0, 1, 200, 4096});
}

/// So low that sessions wait, and so high that all of them are over in time.
void choose_cap(Plan& plan) {
    SimRandom random(plan.seed, cap_stream);
    if (!random.one_in(cap_rarity)) return;
    plan.replica.repair_bandwidth = choose<std::uint64_t>(random, {10000, 30000, 200000});
}

void choose_membership(Plan& plan, const RunOptions& options) {
    SimRandom random(plan.seed, membership_stream);
    const bool drawn = random.one_in(membership_rarity);
    if (plan.primary_backup() || options.mode == Mode::copies) return;
    if (!drawn && options.mode != Mode::membership) return;
    plan.membership = true;
    plan.spares = static_cast<unsigned>(random.between(0, 2));
    plan.membership_gap = ms(random.between(2, 20) * 500);
    plan.replica.replicas = 0;  // the record says it
}

/// Only one replica's rows: nobody could repair what is damaged at two. And its log must have what
/// it alone has written, because a damaged bucket comes back from those who have seen all of its
/// events.
void choose_rot(Plan& plan, const RunOptions& options) {
    SimRandom random(plan.seed, rot_stream);
    if (plan.primary_backup() || plan.membership || options.mode == Mode::copies) return;
    if (!random.one_in(rot_rarity)) return;
    plan.faults.set(static_cast<std::size_t>(Fault::rot));
    plan.rhythms[static_cast<std::size_t>(Fault::rot)] = Rhythm{random.between(1, 12) * second, 0};
    plan.rotting = random.below(plan.replicas);
    plan.replica.replicas = plan.replicas;
    plan.replica.log_retention.bytes = 1ULL << 30;
    plan.faults.reset(static_cast<std::size_t>(Fault::stream_cut));
}

/// Only one machine goes back in time: what two had told each other could be gone for both. Seeds
/// that are run in multi-master mode by name stay what they were before there were copies.
void choose_copies(Plan& plan, const RunOptions& options) {
    SimRandom random(plan.seed, copies_stream);
    const bool asked = options.mode == Mode::copies;
    if (options.mode != Mode::mixed && !asked) return;
    if (plan.primary_backup() || plan.membership || plan.has(Fault::rot)) return;
    for (const Fault fault : {Fault::restore, Fault::clone}) {
        plan.faults.set(static_cast<std::size_t>(fault), random.one_in(2));
        plan.rhythms[static_cast<std::size_t>(fault)] =
            Rhythm{random.between(4, 16) * second, ms(random.between(1, 8) * 400)};
    }
    plan.put_back = random.below(plan.replicas);
    if (asked && !plan.copies()) plan.faults.set(static_cast<std::size_t>(Fault::restore));
}

}  // namespace

Plan make_plan(std::uint64_t seed, const RunOptions& options) {
    SimRandom random(seed, plan_stream);
    Plan plan;
    plan.seed = seed;
    plan.replicas = options.replicas != 0 ? options.replicas : (seed % 2 == 0 ? 3 : 5);
    plan.safety_time = options.seconds * second;
    plan.trace = options.trace;
    choose_faults(plan, random);
    if (options.idle) plan.faults.reset();
    if (options.rate > slow_disk_rate_max)
        plan.faults.reset(static_cast<std::size_t>(Fault::slow_disk));
    choose_network(plan, random);
    choose_storage(plan, random);
    choose_clients(plan, random);
    plan.operation_gap = options.idle ? never : second / options.rate;
    // A look at all that is stored has to end, also at a log that is so many times as long.
    plan.replica.scrub_rows_per_tick *=
        std::max<std::uint64_t>(1, options.rate / RunOptions().rate);
    if (seed % 3 == 0) plan.replica.conflicts.ring_bytes = 4096;  // so that it wraps
    if (plan.has(Fault::skew)) {
        // Rarely beyond what replicas accept of each other.
        plan.skew_ms_max = choose<std::int64_t>(random, {50, 1000, 4000, 4000, 12000});
        plan.drift_ppm_max = choose<std::int64_t>(random, {10, 500, 20000});
    }
    choose_mode(plan, options);
    choose_collection(plan);
    choose_policies(plan);
    choose_durability(plan);
    choose_compression(plan);
    choose_cap(plan);
    choose_membership(plan, options);
    if (!options.idle) choose_rot(plan, options);
    if (!options.idle) choose_copies(plan, options);
    return plan;
}

std::string describe(const Plan& plan) {
    std::string text = "seed " + std::to_string(plan.seed) + ": " + std::to_string(plan.replicas) +
                       " replicas, faults:";
    for (std::size_t i = 0; i < faults_count; ++i) {
        if (plan.faults.test(i)) text += " " + std::string(fault_names[i]);
    }
    if (plan.faults.none()) text += " none";
    text += "; delay " + to_text(plan.delay) + " s, keys " + std::to_string(plan.keys) +
            ", fields " + std::to_string(plan.fields) + (plan.mixed_types ? ", mixed types" : "") +
            (plan.replica.policies.empty() ? "" : ", removals win") + ", segments of " +
            std::to_string(plan.replica.log.segment_bytes) + " B, retention " +
            std::to_string(plan.replica.log_retention.bytes) + " B, 2^" +
            std::to_string(plan.replica.leaf_bits) + " leaves, fanout " +
            std::to_string(plan.replica.session_fanout);
    if (plan.interval()) {
        text += ", synced every " + std::to_string(plan.replica.sync_interval_ms) + " ms";
    }
    if (plan.replica.repair_bandwidth > 0) {
        text += ", repair " + std::to_string(plan.replica.repair_bandwidth) + " B a second";
    }
    if (plan.membership) {
        text += "; members change every " + to_text(plan.membership_gap) + " s, " +
                std::to_string(plan.spares) + " spare";
    }
    if (!plan.primary_backup()) return text;
    const PrimaryBackupOptions& mode = plan.replica.primary_backup;
    text += "; primary-backup, ack " + (mode.acks ? std::to_string(*mode.acks) : "all") +
            " within " + std::to_string(mode.ack_timeout_ms) + " ms, patience " +
            to_text(plan.patience) + " s" + (mode.hold_suffix ? ", suffixes held" : "") +
            (plan.term_faults ? ", term faults" : "") +
            (plan.loses_machine ? ", a machine is lost" : "");
    return text;
}

}  // namespace syncline::sim
