#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "tests/support/cluster.hpp"

namespace syncline {

/// What a Merkle session sent, both ways, without the rows themselves.
struct SessionCost {
    std::uint64_t metadata_bytes = 0;  ///< payloads of messages, less the rows in them
    std::uint64_t messages = 0;
    std::uint64_t rows = 0;
    double seconds = 0;
};

/// Two replicas with the same rows, of which one then changes some and the other pulls them by
/// Merkle session; the log stream is cut.
class SessionPair {
public:
    SessionPair(std::uint64_t rows, unsigned fanout);

    /// Changes `rows` rows at the first replica: half of them overwritten, a quarter removed, the
    /// rest new, so that the number of rows stays.
    void differ(std::uint64_t rows);
    SessionCost pull();
    std::string difference() { return cluster_.difference(); }
    [[nodiscard]] std::uint64_t rows() { return cluster_.at(0)->group().keys_count(); }

private:
    void write(std::uint64_t first, std::uint64_t count, std::uint64_t stride, BytesView value);

    TestCluster cluster_;
    SessionCost cost_;
    std::uint64_t next_key_ = 0;
    std::uint64_t next_removed_ = 10;  // apart from those that are overwritten, mostly
    std::uint64_t rounds_ = 0;
};

/// Expected metadata of a session over n rows of which d differ, with k children a node:
/// 128 + sum of the nodes that differ on each level, times (6 (k - 1) + 3), + tags of the leaves.
double session_cost_formula(double n, double d, double k);

}  // namespace syncline
