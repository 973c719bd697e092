/// What a Merkle session costs: metadata bytes beside the formula, by number of rows and of
/// differing rows, for both fan-outs. Production replicas on LMDB; half of the differing rows were
/// overwritten, a quarter removed, the rest are new. Few differing rows: the mean of 20 sessions,
/// since one bucket more or less full than the average would show. Run:
/// build/release/tests/bench_merkle [rows ...]
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/support/session_cost.hpp"

namespace {

/// Length, version, type, checksum: what the transport adds to each message.
constexpr std::uint64_t envelope_bytes = 10;

bool run(std::uint64_t rows, unsigned fanout) {
    bool within = true;
    syncline::SessionPair pair(rows, fanout);
    for (const std::uint64_t differing : {0U, 1U, 10U, 1000U, 100000U}) {
        if (differing * 5 > rows) continue;
        const unsigned sessions = differing > 0 && differing <= 10 ? 20 : 1;
        syncline::SessionCost cost;
        for (unsigned i = 0; i < sessions; ++i) {
            if (differing > 0) pair.differ(differing);
            const syncline::SessionCost one = pair.pull();
            cost.metadata_bytes += one.metadata_bytes;
            cost.messages += one.messages;
            cost.rows += one.rows;
            cost.seconds += one.seconds / sessions;
        }
        cost.metadata_bytes /= sessions;
        cost.messages /= sessions;
        cost.rows /= sessions;
        const double formula = syncline::session_cost_formula(
            static_cast<double>(pair.rows()), static_cast<double>(differing), fanout);
        const double ratio = static_cast<double>(cost.metadata_bytes) / formula;
        const std::string difference = pair.difference();
        within = within && ratio <= 1.1 && difference.empty();
        std::printf("%9" PRIu64 " %7u %3u %12" PRIu64 " %12.0f %6.2f %9" PRIu64 " %8" PRIu64
                    " %12" PRIu64 " %8.3f  %s\n",
                    pair.rows(), static_cast<unsigned>(differing), fanout, cost.metadata_bytes,
                    formula, ratio, cost.messages, cost.rows,
                    cost.metadata_bytes + envelope_bytes * cost.messages, cost.seconds,
                    difference.empty() ? "equal" : difference.c_str());
        std::fflush(stdout);
    }
    return within;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::uint64_t> sizes;
    for (int i = 1; i < argc; ++i) sizes.push_back(std::strtoull(argv[i], nullptr, 10));
    if (sizes.empty()) sizes = {10000, 100000, 1000000};
    std::printf("%9s %7s %3s %12s %12s %6s %9s %8s %12s %8s\n", "rows", "differ", "k", "metadata",
                "formula", "ratio", "messages", "rows", "w.envelopes", "seconds");
    bool within = true;
    for (const std::uint64_t rows : sizes) {
        for (const unsigned fanout : {4U, 16U}) within = run(rows, fanout) && within;
    }
    std::printf(within ? "every session within a tenth of the formula\n"
                       : "NOT every session within a tenth of the formula\n");
    return within ? 0 : 1;
}
