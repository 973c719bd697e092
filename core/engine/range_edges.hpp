#pragma once
#include <map>
#include <optional>

#include "core/base/bytes.hpp"
#include "storage/log.hpp"

namespace syncline {

/// Where the rows of ordered collections begin and end. Queues take rows off an end, and until a
/// checkpoint the overlay still has each of them, as erased: a walk that began at the range's own
/// bound would look at all of them again.
/// Memory: of at most limits::range_edges_max collections, the first ones anew after that.
/// Thread-safety: confined to one thread.
class RangeEdges {
public:
    struct Edges {
        Bytes first;           ///< no row stands in front of this key
        Bytes end;             ///< nor here, nor behind
        Position changed = 0;  ///< end of the log record that changed a row of the range last
    };

    /// What is known of the collection whose rows begin with `prefix`; null: nothing.
    [[nodiscard]] const Edges* find(const Bytes& prefix) const;
    /// A walk upward from in front of all rows met this one first; with nothing: none. `seen`: the
    /// position up to which what it saw was made.
    void first_is(const Bytes& prefix, std::optional<BytesView> row_key, Position seen);
    /// The same downward.
    void last_is(const Bytes& prefix, std::optional<BytesView> row_key, Position seen);
    /// A row was put, or erased.
    void changed(const Bytes& prefix, BytesView row_key, bool put, Position position);

private:
    Edges& edges_of(const Bytes& prefix, Position seen);

    std::map<Bytes, Edges> ranges_;
};

}  // namespace syncline
