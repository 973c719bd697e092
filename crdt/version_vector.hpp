#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "dot.hpp"

namespace syncline {

/// For each actor the highest counter seen; everything below it has been seen too (no gaps).
/// A sorted flat array: copies are one allocation, comparison is one merge walk.
/// Lattice: join is the pointwise maximum, covers() is the order.
/// Thread-safety: a value.
class VersionVector {
public:
    using Entry = std::pair<Actor, std::uint64_t>;

    /// 0 for an actor never seen.  O(log n).
    [[nodiscard]] std::uint64_t counter(const Actor& actor) const;
    [[nodiscard]] bool covers(const Dot& dot) const { return dot.counter <= counter(dot.actor); }
    /// other <= *this, pointwise.  O(n + m).
    [[nodiscard]] bool covers(const VersionVector& other) const;

    /// Events of `other` that are not in *this.  O(n log n).
    [[nodiscard]] std::uint64_t lacks(const VersionVector& other) const;

    /// The entries of one node, of all its incarnations.  O(n).
    [[nodiscard]] VersionVector of_node(std::uint32_t node) const;

    /// Raises the actor's counter to at least this one.
    void add(const Dot& dot);
    void join(const VersionVector& other);

    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    bool operator==(const VersionVector&) const = default;

private:
    std::vector<Entry> entries_;  // strictly ascending by actor; counters > 0
};

std::string to_string(const VersionVector& vv);

void write(ByteWriter& out, const VersionVector& vv);
VersionVector read_version_vector(ByteReader& in);
void pack(Packer& out,
          const VersionVector& vv);  ///< one flat array: node, incarnation, counter, ...
VersionVector unpack_version_vector(Unpacker& in);

}  // namespace syncline
