#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "../core/base/bytes.hpp"
#include "dot.hpp"

namespace syncline {

/// Counters that never go below 0, because a replica takes off only what it has the right to: each
/// unit added is a right to take one off, held by the actor that added it, until it is used or
/// transferred to another actor.
///
/// A counter is made of rows. Each is a number that only grows, and that only its writer writes: a
/// register whose new write has seen the old one. So the join of registers is the maximum.
/// Source: V. Balegas et al., "Extending Eventually Consistent Cloud Databases for Enforcing
/// Numeric Invariants", SRDS 2015.

/// The name of a row: whose number it is, and of what.
struct RightsRow {
    Actor writer;
    /// Nothing: rights used. The writer: rights made. Another actor: rights transferred to it.
    std::optional<Actor> to;

    auto operator<=>(const RightsRow&) const = default;
};

/// The name as the field of a cell, one or two actors; and the way back, nothing if these bytes are
/// no such name.
Bytes rights_field(const RightsRow& row);
std::optional<RightsRow> rights_row(BytesView field);
/// "used/1a.0", "made/1a.0", "transferred/1a.0/2b.0"; and the way back, nothing for other texts.
std::string to_string(const RightsRow& row);
std::optional<RightsRow> rights_row_from_text(BytesView text);

/// The largest number of a row, and the largest value that is shown.
constexpr std::uint64_t rights_max = std::numeric_limits<std::int64_t>::max();

/// A number from 1 to rights_max as the value of a cell, a varint; and the way back, nothing if
/// these bytes are none.
Bytes rights_bytes(std::uint64_t number);
std::optional<std::uint64_t> rights_from_bytes(BytesView bytes);

/// The rows of one counter, added up.
/// Thread-safety: a value.
class BoundedCounter {
public:
    /// What one actor has; sums of rows, shown as rights_max where they are larger.
    struct Part {
        Actor actor;
        std::uint64_t rights = 0;  ///< made + received - transferred - used: what it may take off
        std::uint64_t made = 0;
        std::uint64_t received = 0;
        std::uint64_t transferred = 0;
        std::uint64_t used = 0;

        bool operator==(const Part&) const = default;
    };

    /// Takes in a row; each one once.
    void add(const RightsRow& row, std::uint64_t number);

    [[nodiscard]] bool exists() const { return !sums_.empty(); }
    /// Rights of all actors: made - used, not below 0. Shown as rights_max where it is larger, as
    /// concurrent increments can make it.
    [[nodiscard]] std::int64_t value() const;
    /// All numbers 0 for an actor that no row names.
    [[nodiscard]] Part part(const Actor& actor) const;
    /// The parts of one actor, and then of all others that rows name: the most rights first.
    [[nodiscard]] std::vector<Part> parts_from(const Actor& first) const;

private:
    // More rows than there can be do not overflow 128 bits.
    __extension__ using Wide = __int128;
    struct Sums {
        Actor actor;
        Wide made = 0, received = 0, transferred = 0, used = 0;
    };

    Sums& of(const Actor& actor);
    static std::uint64_t shown(Wide sum);
    static Part shown(const Sums& sums);

    std::vector<Sums> sums_;  // by actor
};

}  // namespace syncline
