#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tools/compare_load.hpp"

namespace syncline {

/// A way to replicate, as options of `syncline serve`.
struct CompareMode {
    std::string name;
    std::vector<std::string> options;
    bool single_writer = false;
};

/// What happens to three replicas a, b and c under load, in the second third of a run.
/// partition: c is cut off from a and b, with its clients, then joined again.
/// leader_kill: a, the primary where there is one, loses its links to the others but not to its
/// clients; half a second later it dies (kill -9). After another half second, the time somebody
/// takes to see it, b is promoted where there is a primary, and a's clients go to others. When the
/// load has ended a is started again.
enum class CompareFault : std::uint8_t { none, partition, leader_kill };

struct CompareCase {
    CompareMode mode;
    Workload workload = Workload::ycsb_a;
    CompareFault fault = CompareFault::none;
    std::size_t clients = 12;
    std::uint64_t ms = 4500;
    std::uint64_t seed = 1;
};

struct Latency {
    double p50_ms = 0;
    double p95_ms = 0;
    double p99_ms = 0;
    double max_ms = 0;
};

/// Share of clients that had at least one write, or read, answered in a slice of time.
struct AvailabilityPoint {
    std::uint64_t at_ms = 0;
    double writes = 0;           ///< of all clients, 0 to 1
    double reads = 0;            ///< of all clients
    double writes_isolated = 0;  ///< of those at the replica that is cut off (c)
    double writes_others = 0;    ///< of those at a and b
};

struct CompareResult {
    CompareCase of;
    double operations_per_second = 0;
    double writes_per_second = 0;
    Latency reads;
    Latency writes;
    std::vector<AvailabilityPoint> timeline;
    double write_availability_in_fault = 1;  ///< mean over the slices of the fault
    double write_availability_isolated = 1;  ///< the same, of clients at c
    double write_availability_others = 1;    ///< the same, of clients at a and b
    std::uint64_t acknowledged_writes = 0;
    std::uint64_t uncertain_writes = 0;
    std::uint64_t failed_operations = 0;
    /// Acknowledged writes that b lacks while a is dead; of records, those that were not written
    /// over since.
    std::uint64_t missing_without_a = 0;
    std::uint64_t missing_at_end = 0;  ///< at b, when all are back and equal
    std::uint64_t counted_twice = 0;
    std::uint64_t wire_bytes = 0;  ///< between replicas
    /// From the heal, the restart or the end of the load until every replica had all that any had
    /// then.
    std::uint64_t converge_ms = 0;
    bool equal = false;  ///< the same root everywhere in the end
};

/// Starts three processes, runs one case, ends them. Errors: io, unavailable (the sentence names
/// the case's step that failed).
Result<CompareResult> run_case(const CompareCase& of);

std::string_view workload_name(Workload workload);
std::string_view fault_name(CompareFault fault);

}  // namespace syncline
