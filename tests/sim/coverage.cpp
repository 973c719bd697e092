#include "tests/sim/coverage.hpp"

#include <algorithm>
#include <cstdio>

namespace syncline::sim {
namespace {

template <typename... Values>
std::string line(const char* format, Values... values) {
    char text[256];
    std::snprintf(text, sizeof text, format, values...);
    return text;
}

std::string pairs_table(const Coverage& coverage) {
    std::string text = line("%-11s %9s", "fault", "injected");
    for (const std::string_view name : op_names) text += line(" %7s", std::string(name).c_str());
    text += "\n";
    for (std::size_t fault = 0; fault <= faults_count; ++fault) {
        const bool none = fault == faults_count;
        text += line("%-11s", none ? "none" : std::string(fault_names[fault]).c_str());
        text += none ? line(" %9s", "") : line(" %9llu", wide(coverage.faults[fault]));
        for (const std::uint64_t count : coverage.pairs[fault]) text += line(" %7llu", wide(count));
        text += "\n";
    }
    return text;
}

std::string terms_lines(const Coverage& c) {
    if (c.backed_up_seeds == 0) return {};
    std::string text = line(
        "primary-backup: %llu seeds, promotions %llu (%llu forced), votes %llu, "
        "stepped down %llu, machines lost %llu\n",
        wide(c.backed_up_seeds), wide(c.promotions), wide(c.promotions_forced), wide(c.votes),
        wide(c.stepped_down), wide(c.machines_lost));
    text += line(
        "  terms proved on copies %llu, old batches fenced %llu, term files struck: write "
        "%llu, sync %llu, rename %llu, remove %llu, directory %llu\n",
        wide(c.terms_proved), wide(c.batches_fenced), wide(c.term_faults[0]),
        wide(c.term_faults[1]), wide(c.term_faults[2]), wide(c.term_faults[3]),
        wide(c.term_faults[4]));
    text += line(
        "  confirmed writes %llu, reads %llu, unconfirmed replies %llu, writes refused by "
        "backups %llu, suffixes %llu (%llu merged by hand)\n",
        wide(c.confirmed), wide(c.reads_confirmed), wide(c.unconfirmed), wide(c.writes_refused),
        wide(c.suffixes), wide(c.suffixes_merged));
    return text;
}

std::string missing_terms(const Coverage& c) {
    const std::uint64_t seeds = c.backed_up_seeds;
    if (seeds < 100) return {};  // with few of them the rare things may be missing by chance
    if (c.promotions < seeds) return "too few backups were promoted";
    if (c.promotions_forced == 0 || c.promotions_forced == c.promotions) {
        return "promotions by vote or by force are missing";
    }
    if (c.confirmed < seeds * 10) return "too few writes were confirmed";
    if (c.reads_confirmed < seeds) return "too few reads at primaries were judged";
    if (c.writes_refused < seeds) return "too few writes came to backups";
    if (c.terms_proved < seeds) return "too few terms were proved";
    if (c.suffixes < seeds / 2) return "too few primaries stepped down with events of their own";
    if (c.suffixes_merged == 0) return "no held suffix was merged";
    if (c.batches_fenced == 0) return "no log batch came out of an old term";
    for (const std::uint64_t struck : c.term_faults) {
        if (struck == 0) return "an operation on the file of a term never failed";
    }
    return c.machines_lost == 0 ? "no machine was lost" : "";
}

}  // namespace

Coverage& Coverage::operator+=(const Coverage& other) {
    seeds += other.seeds;
    steps += other.steps;
    operations += other.operations;
    refused += other.refused;
    replies += other.replies;
    reads_checked += other.reads_checked;
    events += other.events;
    events_applied += other.events_applied;
    frames += other.frames;
    replies_early += other.replies_early;
    crashes += other.crashes;
    recoveries_checked += other.recoveries_checked;
    sessions_completed += other.sessions_completed;
    sessions_failed += other.sessions_failed;
    session_rows += other.session_rows;
    snapshots_adopted += other.snapshots_adopted;
    checkpoints += other.checkpoints;
    clock_pauses += other.clock_pauses;
    state_checks += other.state_checks;
    keys_expired += other.keys_expired;
    rows_collected += other.rows_collected;
    damages += other.damages;
    buckets_repaired += other.buckets_repaired;
    cells_checked += other.cells_checked;
    backed_up_seeds += other.backed_up_seeds;
    promotions += other.promotions;
    promotions_forced += other.promotions_forced;
    votes += other.votes;
    stepped_down += other.stepped_down;
    batches_fenced += other.batches_fenced;
    terms_proved += other.terms_proved;
    for (std::size_t i = 0; i < term_faults.size(); ++i) term_faults[i] += other.term_faults[i];
    confirmed += other.confirmed;
    reads_confirmed += other.reads_confirmed;
    unconfirmed += other.unconfirmed;
    writes_refused += other.writes_refused;
    suffixes += other.suffixes;
    suffixes_merged += other.suffixes_merged;
    machines_lost += other.machines_lost;
    copies_seeds += other.copies_seeds;
    copies += other.copies;
    new_nodes += other.new_nodes;
    events_undone += other.events_undone;
    membership_seeds += other.membership_seeds;
    memberships += other.memberships;
    virtual_time += other.virtual_time;
    convergence_max = std::max(convergence_max, other.convergence_max);
    for (std::size_t i = 0; i < faults_count; ++i) faults[i] += other.faults[i];
    for (std::size_t i = 0; i <= faults_count; ++i) {
        for (std::size_t j = 0; j < op_kinds_count; ++j) pairs[i][j] += other.pairs[i][j];
    }
    return *this;
}

std::string to_text(const Coverage& c, double wall_seconds) {
    const double virtual_seconds = static_cast<double>(c.virtual_time) / second;
    const double wall = std::max(wall_seconds, 1e-9);
    std::string text = pairs_table(c);
    text += line("operations %llu (%llu refused), replies %llu, reads checked %llu\n",
                 wide(c.operations), wide(c.refused), wide(c.replies), wide(c.reads_checked));
    text += line("events %llu, applied elsewhere %llu, frames %llu, clock pauses %llu\n",
                 wide(c.events), wide(c.events_applied), wide(c.frames), wide(c.clock_pauses));
    text += line("sessions %llu (%llu failed), rows %llu, snapshots adopted %llu\n",
                 wide(c.sessions_completed), wide(c.sessions_failed), wide(c.session_rows),
                 wide(c.snapshots_adopted));
    text += line("crashes %llu, recoveries proved on copies %llu, checkpoints %llu\n",
                 wide(c.crashes), wide(c.recoveries_checked), wide(c.checkpoints));
    text += line("events that were not durable when a reply rested on them %llu\n",
                 wide(c.replies_early));
    text += line("keys whose time had come %llu, rows that lost what all had seen go %llu\n",
                 wide(c.keys_expired), wide(c.rows_collected));
    text += line("buckets found damaged %llu, repaired by peers %llu\n", wide(c.damages),
                 wide(c.buckets_repaired));
    text += line("state checks %llu, cells compared %llu, slowest convergence %.1f s\n",
                 wide(c.state_checks), wide(c.cells_checked),
                 static_cast<double>(c.convergence_max) / second);
    text += terms_lines(c);
    if (c.copies_seeds > 0) {
        text +=
            line("copies: %llu seeds, made %llu, new nodes %llu, events undone %llu\n",
                 wide(c.copies_seeds), wide(c.copies), wide(c.new_nodes), wide(c.events_undone));
    }
    if (c.membership_seeds > 0) {
        text += line("membership: %llu seeds, records %llu\n", wide(c.membership_seeds),
                     wide(c.memberships));
    }
    text += line("%llu seeds in %.1f s: %.0f a minute, %.0f times real time\n", wide(c.seeds),
                 wall_seconds, static_cast<double>(c.seeds) * 60 / wall, virtual_seconds / wall);
    text += line("steps of simulation %llu, %.0f/s; of these database events %.0f/s\n",
                 wide(c.steps), static_cast<double>(c.steps) / wall,
                 static_cast<double>(c.events + c.events_applied) / wall);
    return text;
}

std::string missing_activity(const Coverage& c) {
    if (c.seeds == 0) return "no seed ran";
    if (c.operations == 0 || c.replies == 0) return "no operation ran";
    if (c.events == 0 || c.events_applied == 0) return "no event reached another replica";
    if (c.state_checks == 0) return "no state was checked";
    // Of a few seeds no more can be asked: each leaves things out on purpose, and a replica that
    // is cut off or evicted keeps its events to itself for most of its run.
    if (c.seeds < 20) return {};
    if (c.operations < c.seeds * 50) return "too few operations ran";
    if (c.events < c.seeds * 10) return "too few operations had effects";
    if (c.replies < c.operations / 4) return "too few replies came";
    if (c.events_applied < c.events / 2) return "too few events reached other replicas";
    if (c.state_checks < c.seeds * 10) return "too few states were checked";
    if (c.reads_checked < c.seeds) return "too few reads were checked";
    if (c.crashes < c.seeds) return "too few crashes happened";
    const std::uint64_t multi_master = c.seeds - c.backed_up_seeds;
    if (multi_master >= 40 && c.replies_early == 0) return "no reply left before its sync";
    if (c.recoveries_checked < c.seeds) return "too few recoveries were proved";
    if (c.checkpoints < c.seeds) return "too few checkpoints were written";
    if (c.snapshots_adopted < c.seeds) return "too few Merkle sessions led to an adoption";
    if (const std::string missing = missing_terms(c); !missing.empty()) return missing;
    if (c.membership_seeds >= 20 && c.memberships < 3 * c.membership_seeds) {
        return "too few changes of members were decided";
    }
    const std::uint64_t plain = multi_master - c.membership_seeds - c.copies_seeds;
    if (c.copies_seeds >= 20 && (c.new_nodes == 0 || c.events_undone == 0)) {
        return "no copy of a machine made a difference";
    }
    for (std::size_t i = 0; i < faults_count; ++i) {
        const bool of_copies = i >= static_cast<std::size_t>(Fault::restore);
        const bool possible = of_copies                                   ? c.copies_seeds >= 40
                              : i == static_cast<std::size_t>(Fault::rot) ? plain >= 20
                                                                          : true;
        if (c.seeds >= 100 && c.faults[i] == 0 && possible) {
            return "fault " + std::string(fault_names[i]) + " was never injected";
        }
    }
    if (c.seeds >= 100 && plain >= 20 && c.buckets_repaired == 0) {
        return "no rotten bucket was repaired";
    }
    return {};
}

}  // namespace syncline::sim
