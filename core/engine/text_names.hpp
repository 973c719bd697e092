#pragma once
#include <map>
#include <optional>
#include <vector>

#include "core/engine/event.hpp"
#include "core/engine/texts.hpp"

namespace syncline {

/// How characters of texts are called that were inserted again by another transaction: each name of
/// then has one of now. Runs of names stand together, as in insertions.
/// Thread-safety: a value.
class TextNames {
public:
    /// The generation that took the place of another one.
    void add(const TextName& then, const Dot& now);
    /// Characters with consecutive names. Precondition: count > 0, and none of them has been named.
    void add(const TextName& text, const ElementId& then, const ElementId& now,
             std::uint64_t count);
    /// All that others has; where both name the same, those of others count.
    void join(const TextNames& others);
    /// The part that an edit of this text refers to.  O(its operations x log n).
    [[nodiscard]] TextNames of(const TextEdit& edit) const;

    [[nodiscard]] bool empty() const { return texts_.empty(); }
    /// What names a generation now; itself if nothing took its place.
    [[nodiscard]] Dot generation(const TextName& then) const;
    /// What names a character now; itself if it was not inserted again.  O(log n).
    [[nodiscard]] ElementId name(const TextName& text, const ElementId& then) const;
    /// The same of a range, in pieces with consecutive names.  O(log n + pieces).
    [[nodiscard]] std::vector<ElementRange> names(const TextName& text,
                                                  const ElementRange& then) const;

    bool operator==(const TextNames&) const = default;

private:
    struct Run {
        ElementId now;
        std::uint64_t count = 0;

        bool operator==(const Run&) const = default;
    };
    using Runs = std::map<ElementId, Run>;
    struct Renamed {
        std::optional<Dot> generation;
        Runs runs;  // by the first name of then

        bool operator==(const Renamed&) const = default;
    };

    /// The first run that ends behind a character.
    static Runs::const_iterator run_around(const Runs& runs, const ElementId& then);

    std::map<TextName, Renamed> texts_;

    friend void pack(Packer& out, const TextNames& names);
    friend TextNames unpack_text_names(Unpacker& in);
};

void pack(Packer& out, const TextNames& names);
/// Fails the unpacker for anything that pack() does not write.
TextNames unpack_text_names(Unpacker& in);

}  // namespace syncline
