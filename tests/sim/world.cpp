#include "tests/sim/world.hpp"

#include <algorithm>
#include <cstdio>

#include "storage/tables.hpp"

namespace syncline::sim {
namespace {

constexpr std::uint64_t world_stream = 4;
constexpr Micros check_gap = 400 * micros_per_ms;
/// How long mended replicas may take until they are equal. The slowest way is a clock that was
/// ahead, which the others have to wait for, and then a session with all its retries.
constexpr Micros convergence_bound = 60 * second;
/// Where repair is capped: each session moves some 50 KB, and who adopts rows ends those that draw
/// from it, which begin again.
constexpr Micros capped_convergence_bound = 240 * second;
/// After they have become equal they must stay so.
constexpr Micros quiet_time = 2 * second;

using StoredRows = std::vector<std::pair<Bytes, Bytes>>;

StoredRows rows_of(Replica& replica) {
    StoredRows rows;
    const auto visit = [&](BytesView key, BytesView value) {
        rows.emplace_back(Bytes(key), Bytes(value));
        return true;
    };
    const Result<void> scanned = replica.group().store().scan(Table::cells, {}, {}, visit);
    SYNCLINE_ASSERT(scanned.has_value());
    return rows;
}

/// The first row, in order, that one has and the other has not, or has otherwise.
std::string first_difference(const StoredRows& one, const StoredRows& other) {
    const auto [mine, theirs] = std::mismatch(one.begin(), one.end(), other.begin(), other.end());
    const auto describe = [](const StoredRows& rows, StoredRows::const_iterator at) {
        return at == rows.end() ? "nothing" : printable(at->first) + " = " + to_hex(at->second);
    };
    return describe(one, mine) + " here, " + describe(other, theirs) + " there";
}

}  // namespace

World::World(const Plan& plan)
    : plan_(plan),
      timeline_(plan.trace),
      random_(plan.seed, world_stream),
      history_(timeline_, plan.machines()),
      network_(plan_, timeline_, coverage_),
      terms_(plan_, timeline_, coverage_, history_),
      members_(plan_, timeline_, coverage_, history_),
      faults_(shared(), replicas_),
      copies_(shared(), replicas_),
      operator_(shared(), replicas_),
      steward_(shared(), replicas_) {
    const Uuid cluster = random_uuid(random_);
    for (std::size_t i = 0; i < plan_.machines(); ++i) {
        replicas_.push_back(std::make_unique<SimReplica>(i, cluster, shared()));
    }
}

Shared World::shared() {
    return Shared{plan_, timeline_, history_, network_, coverage_, terms_, members_};
}

SeedOutcome World::run() {
    if (plan_.trace) std::printf("%s\n", describe(plan_).c_str());
    std::vector<Station*> stations;
    for (const auto& replica : replicas_) {
        replica->start();
        stations.push_back(replica.get());
    }
    network_.start(std::move(stations));
    faults_.start();
    copies_.start();
    operator_.start();
    steward_.start();
    check_now_and_then();
    timeline_.run_until(plan_.safety_time);

    for (const auto& replica : replicas_) replica->stop_clients();
    const bool loses = plan_.primary_backup() && plan_.loses_machine && !timeline_.failure();
    const std::optional<std::size_t> lost = loses ? std::optional(lose_machine()) : std::nullopt;
    copies_.heal();
    faults_.heal();
    if (lost) operator_.strike(*lost);
    operator_.heal();
    steward_.heal();
    converge("the faults ended");
    terms_.expect_confirmation();
    for (const auto& replica : replicas_) (void)replica->write_once();  // refusals are fine
    converge("one more write at each");
    compare_replicas();
    check_acknowledged();
    for (SimReplica* const replica : present()) {
        if (!timeline_.failure()) members_.check_end(replica->index(), replica->replica());
    }
    if (random_.one_in(4)) restart_all();

    SeedOutcome outcome;
    outcome.failure = timeline_.failure();
    outcome.failed_at = timeline_.now();
    for (const auto& replica : replicas_) {
        if (replica->up()) replica->count_statistics();
    }
    for (const auto& replica : replicas_) {
        for (std::size_t i = 0; i < SimDisk::operations_count; ++i) {
            coverage_.term_faults[i] += replica->disk().struck()[i];
        }
    }
    coverage_.seeds = 1;
    coverage_.steps = timeline_.steps_count();
    coverage_.virtual_time = timeline_.now();
    timeline_.note("end", Timeline::nobody, coverage_.frames);
    outcome.hash = timeline_.hash();
    outcome.coverage = coverage_;
    return outcome;
}

void World::check_now_and_then() {
    replicas_[random_.below(replicas_.size())]->check();
    timeline_.after(random_.around(check_gap), [this] { check_now_and_then(); });
}

bool World::equal_vectors() const {
    const std::vector<SimReplica*> all = present();
    return std::all_of(all.begin(), all.end(), [&](const SimReplica* replica) {
        return replica->up() && replica->vv() == all[0]->vv();
    });
}

/// StoredRows are a function of the vector and of what was collected.
bool World::equal_cuts() const {
    const std::vector<SimReplica*> all = present();
    return std::all_of(all.begin(), all.end(), [&](SimReplica* replica) {
        Replica& production = replica->replica();
        return production.group().collected() &&
               production.stable_cut().cut() == all[0]->replica().stable_cut().cut();
    });
}

bool World::converged() const {
    const std::vector<SimReplica*> all = present();
    return equal_vectors() && equal_cuts() && operator_.content() && steward_.content() &&
           std::all_of(all.begin(), all.end(), [](const SimReplica* replica) {
               return replica->idle() && replica->sound();
           });
}

void World::converge(const char* after_what) {
    const Micros healed = timeline_.now();
    const bool capped = plan_.replica.repair_bandwidth > 0;
    const Micros bound = capped ? capped_convergence_bound : convergence_bound;
    while (!timeline_.failure() && !converged()) {
        if (timeline_.now() > healed + bound) {
            timeline_.fail("no convergence " + to_text(bound) + " s after " + after_what + ": " +
                           describe_replicas());
            return;
        }
        timeline_.run_until(timeline_.now() + 50 * micros_per_ms);
    }
    coverage_.convergence_max = std::max(coverage_.convergence_max, timeline_.now() - healed);
    timeline_.note("converged", Timeline::nobody, 0,
                   [&] { return "after " + to_text(timeline_.now() - healed) + " s"; });
    const std::uint64_t expired = coverage_.keys_expired;
    timeline_.run_until(timeline_.now() + quiet_time);
    // A key whose time came meanwhile is a write; there are only so many of them left.
    if (coverage_.keys_expired != expired) return converge(after_what);
    if (!timeline_.failure() && !equal_vectors()) {
        timeline_.fail("equal replicas became unequal without a write: " + describe_replicas());
    }
}

std::string World::describe_replicas() {
    std::string text;
    for (const auto& replica : replicas_) {
        text += "\n  replica " + std::to_string(replica->index());
        if (!replica->up()) {
            text += replica->lost()      ? " is lost"
                    : replica->dormant() ? " is not switched on"
                                         : " is down";
            continue;
        }
        Replica& production = replica->replica();
        text += " at " + to_string(production.group().vv()) + ", durable " +
                to_string(production.durable_vv()) +
                (production.session_active() ? ", in a session" : "") +
                (replica->idle() ? "" : ", not idle") +
                (replica->sound() ? "" : ", rotten: " + production.scrub_status().finding);
        if (const PrimaryBackup& mode = production.primary_backup(); mode.on()) {
            text += ", term " + std::to_string(mode.term().id.number) +
                    (replica->is_primary() ? ", primary" : "") +
                    (mode.standing() ? ", stands" : "") +
                    (mode.holds_suffix() ? ", holds a suffix" : "");
        }
        if (const Membership& members = production.membership(); members.on()) {
            text += ", epoch " + std::to_string(members.epoch()) + ", standing " +
                    std::to_string(static_cast<int>(members.standing())) +
                    (members.changing() ? ", " + members.describe_change() : "");
        }
        for (const PeerStatus& peer : production.peers()) {
            text += "\n    link " + std::to_string(peer.link) + ": " + peer.describe;
        }
    }
    return text;
}

/// All replicas have seen the same events: leaf sums and rows must be the same bytes.
void World::compare_replicas() {
    for (const auto& replica : replicas_) {
        if (timeline_.failure()) return;
        replica->check(true);
    }
    const std::vector<SimReplica*> all = present();
    Replica& first = all[0]->replica();
    const auto rows = rows_of(first);
    for (std::size_t i = 1; i < all.size() && !timeline_.failure(); ++i) {
        Replica& other = all[i]->replica();
        const std::string both = "replicas " + std::to_string(all[0]->index()) + " and " +
                                 std::to_string(all[i]->index());
        const auto others = rows_of(other);
        if (!(first.group().leaf_sums() == other.group().leaf_sums())) {
            timeline_.fail(both + " have the same events and other leaf sums: " +
                           first_difference(rows, others));
        } else if (others != rows) {
            timeline_.fail(
                both + " have the same events and other rows: " + first_difference(rows, others));
        }
    }
}

std::vector<SimReplica*> World::present() const {
    std::vector<SimReplica*> all;
    for (const auto& replica : replicas_) {
        if (!replica->lost() && !replica->dormant()) all.push_back(replica.get());
    }
    return all;
}

/// More often the primary than not. What it alone had is gone; what clients were told is not.
std::size_t World::lose_machine() {
    std::size_t lost = random_.below(replicas_.size());
    for (const auto& replica : replicas_) {
        if (replica->is_primary() && random_.one_in(2)) lost = replica->index();
    }
    timeline_.note("lost", lost, 0, [] { return "with its disk"; });
    replicas_[lost]->crash(true);
    replicas_[lost]->lose();
    return lost;
}

void World::check_acknowledged() {
    const bool bound = present().size() == replicas_.size() || terms_.outlives_a_machine();
    for (const SimReplica* replica : present()) {
        if (timeline_.failure() || !bound) return;
        const VersionVector& vv = history_.durable_vv(replica->index());
        if (vv.covers(terms_.acknowledged())) continue;
        timeline_.fail("replica " + std::to_string(replica->index()) + ": has in the end only " +
                       to_string(vv) +
                       " of what clients were told is done: " + to_string(terms_.acknowledged()));
    }
}

/// A last crash of all: what they agreed on must come back from their disks.
void World::restart_all() {
    for (const auto& replica : replicas_) replica->crash(random_.one_in(2));
    for (const auto& replica : replicas_) {
        if (!timeline_.failure()) replica->start();
    }
    // They may have collected less.
    if (plan_.replica.replicas > 0 || plan_.membership) converge("a last restart");
    compare_replicas();
}

SeedOutcome run_seed(std::uint64_t seed, const RunOptions& options) {
    const Plan plan = make_plan(seed, options);
    World world(plan);
    return world.run();
}

}  // namespace syncline::sim
