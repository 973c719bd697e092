#pragma once
#include <span>
#include <utility>
#include <vector>

#include "crdt/text_counters.hpp"
#include "crdt/text_index.hpp"
#include "crdt/text_op.hpp"
#include "crdt/text_rows.hpp"
#include "crdt/text_tree.hpp"
#include "crdt/version_vector.hpp"

namespace syncline {

struct TextContent;

/// One generation of a text that several may edit at once: a Fugue tree of characters, kept as
/// runs. Its state is what was inserted, and which of that is erased; both only grow, and the join
/// is their union. Concurrent insertions at one place stand behind each other whole; an erased
/// character keeps its name and loses its content at once.
/// Positions and counts are in Unicode code points.
/// Preconditions of apply and join are those of all types here: events in causal order, each once.
/// Source: Weidner & Kleppmann, "The Art of the Fugue: Minimizing Interleaving in Collaborative
/// Text Editing", 2023; rows and index: crdt/README.md.
/// Thread-safety: a value; confined to one thread, concurrent const use is safe.
class Text {
public:
    /// Code points to read.  O(1).
    [[nodiscard]] std::uint64_t size() const { return index_.live_count(); }
    /// Characters ever inserted, erased ones included.  O(actors).
    [[nodiscard]] std::uint64_t elements_count() const;
    /// All of it, as UTF-8.  O(bytes).
    [[nodiscard]] Bytes text() const { return text(0, size()); }
    /// At most `count` code points from a position; none from the end on.  O(log n + bytes).
    [[nodiscard]] Bytes text(std::uint64_t from, std::uint64_t count) const;

    /// The live character at a position; nothing behind the end.  O(log n).
    [[nodiscard]] std::optional<ElementId> id_at(std::uint64_t position) const;
    /// Live characters before this one, which may itself be erased; nothing if it is not known.
    /// For cursors and ranges that must keep their place.  O(log n).
    [[nodiscard]] std::optional<std::uint64_t> position_of(const ElementId& id) const;

    /// What somebody inserted that a reader had not seen.
    struct Insertions {
        Dot latest;
        Bytes live;  ///< what is not erased of it, in the order of inserting
    };
    /// Of each actor with insertions that a vector does not cover, those.
    /// O(actors + characters of them x log n).
    [[nodiscard]] std::vector<Insertions> unseen(const VersionVector& seen) const;

    /// What the actor ships to insert before the character at a position, or at the end. Changes
    /// nothing yet: apply does, here as everywhere.
    /// Error{invalid_argument} when the position is behind the end, when the text is empty or no
    /// well-formed UTF-8.  O(log n + bytes).
    [[nodiscard]] Result<TextInsertion> insertion(const Actor& actor, std::uint64_t position,
                                                  BytesView utf8) const;
    /// What one ships to erase `count` characters from a position on.
    /// Error{invalid_argument} when count is 0 or there are not so many.  O(log n + spans).
    [[nodiscard]] Result<TextErasure> erasure(std::uint64_t position, std::uint64_t count) const;

    /// What apply would say; that texts are UTF-8 is known of any TextOp.  O(ranges).
    [[nodiscard]] Result<void> check(const TextOp& op, const Dot& dot) const;
    /// Takes one operation of transaction `dot`, own or remote. Nothing changes when it fails.
    /// Error{causality} when the actor's insertions before it, its parent, or what it erases are
    /// not there; Error{corrupt} when no replica can have made it.
    /// Cost: O(log n) for each span; with concurrent insertions at the same place also their number
    /// and the depth of the subtree of one of them.
    Result<void> apply(const TextOp& op, const Dot& dot);
    /// Takes everything that another replica's state of this generation has.
    /// Error{corrupt} when the two contradict each other; then nothing changes.  O(n + m).
    Result<void> join(const Text& other);

    /// A row as it is stored; its bytes are canonical.
    using Row = std::pair<TextRowName, Bytes>;
    /// Names of all rows, ascending.  O(n).
    [[nodiscard]] std::vector<TextRowName> rows() const;
    /// Names of the rows that an operation has changed or made, ascending. To be asked after apply:
    /// no other row has other bytes now than before it.  O(rows log n).
    [[nodiscard]] std::vector<TextRowName> rows_of(const TextOp& op) const;
    /// The bytes of a row. Precondition: rows() has it.  O(log n + bytes).
    [[nodiscard]] Bytes row(const TextRowName& name) const;
    /// A text out of all its rows, in any order. Equal sets of operations have equal rows.
    /// Error{corrupt} when they are not the rows of one text.  O(n log n).
    static Result<Text> load(std::span<const Row> rows);

    /// Aborts when the derived index contradicts the tree. For tests.  O(n).
    void check_invariants() const;

private:
    /// Elements [first, end) that are one row, around this element.
    struct Extent {
        std::uint64_t first;
        std::uint64_t end;
    };

    [[nodiscard]] Result<void> check_insertion(const TextInsertion& op, const Dot& dot) const;
    [[nodiscard]] Result<void> check_erasure(const TextErasure& op) const;
    void insert(const TextInsertion& op, const Dot& dot);
    void erase(const TextErasure& op);
    std::uint32_t add_actor(const Actor& actor);
    void place(TextTree::Spot spot, TextElement first, BytesView utf8, std::uint64_t count);

    [[nodiscard]] Extent run_around(const TextElement& element) const;
    void add_runs(std::uint32_t actor, std::uint64_t first, std::uint64_t end,
                  std::vector<TextRowName>& names) const;
    void add_erased(std::uint32_t actor, std::vector<TextRowName>& names) const;
    [[nodiscard]] TextRunRow run_row(const TextElement& first) const;
    [[nodiscard]] TextErasedRow erased_row(std::uint32_t actor, std::uint64_t first) const;

    [[nodiscard]] std::vector<std::uint32_t> actors_ascending() const;
    [[nodiscard]] TextContent content() const;
    static Result<Text> build(const TextContent& content);

    TextTree tree_;
    TextIndex index_;
    std::vector<TextCounters> counters_;  // by number of the actor
};

}  // namespace syncline
