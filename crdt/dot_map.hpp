#pragma once
#include <optional>
#include <vector>

#include "crdt/dot.hpp"
#include "crdt/hlc.hpp"
#include "crdt/version_vector.hpp"

namespace syncline {

/// What a live dot carries: when it was written, and the bytes. Set elements carry neither.
struct DotValue {
    Hlc hlc;
    Bytes value;
    bool negative = false;  ///< of a removal, kept against concurrent adds

    bool operator==(const DotValue&) const = default;
};

/// The live dots of one cell; every add-wins and register type is one of these. At most one dot per
/// actor. Sorted by dot, so that equal maps have equal bytes.
/// Source: dotted version vectors (Preguiça et al. 2012), ORSWOT (Bieniusa et al. 2012).
class DotMap {
public:
    struct Entry {
        Dot dot;
        DotValue payload;
        bool operator==(const Entry&) const = default;
    };

    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    [[nodiscard]] const DotValue* find(const Dot& dot) const;

    /// Adds or replaces one dot.
    void put(const Dot& dot, DotValue payload);
    /// Removes every dot the context covers: the effect of any operation made on that past.
    void remove_covered(const VersionVector& past);

    /// Of the dots that a cut covers only the last writer's stays.
    void keep_last_writer(const VersionVector& cut);

    /// The one join: dots on both sides stay; a dot on one side stays iff the other side's context
    /// does not cover it (else the other side has seen it die). Associative, commutative,
    /// idempotent on (map, context) pairs. O(n + m) look-ups.
    static DotMap join(const DotMap& a, const VersionVector& a_context, const DotMap& b,
                       const VersionVector& b_context);

    /// The entry with the largest (hlc, actor), or null: the last writer.
    [[nodiscard]] const Entry* winner() const;
    /// A dot of a removal is among them.
    [[nodiscard]] bool has_negative() const;
    /// A context covers all of them.
    [[nodiscard]] bool covered_by(const VersionVector& context) const;

    bool operator==(const DotMap&) const = default;

private:
    std::vector<Entry> entries_;
};

}  // namespace syncline
