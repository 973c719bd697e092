#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "core/merkle/leaf_sums.hpp"
#include "crdt/cell.hpp"
#include "crdt/text.hpp"
#include "storage/store.hpp"
#include "storage/tables.hpp"

namespace syncline {

/// One generation of a text.
struct TextName {
    Bytes key;
    Dot generation;

    auto operator<=>(const TextName&) const = default;
};

/// The texts of a group: rows of table `cells`, and the values made of them, which stay loaded for
/// the next edit. Whether a generation is there at all its cell says, which the group keeps.
/// Edits are made on the loaded value first and reach the rows by write(); until then they belong
/// to one transaction, and discard() takes them back. Invariant: but for those edits a loaded text
/// is what its rows say; leaf sums follow the rows. Thread-safety: confined to one thread.
class Texts {
public:
    Texts(Store& store, LeafSums& leaf_sums) : store_(store), leaf_sums_(leaf_sums) {}

    /// The text, empty when it has no rows; valid until the next call that is not const. Whoever
    /// reads it waits for its last change. Errors: corrupt, of storage.
    /// Cost: O(1) when loaded, else O(n log n).
    Result<const Text*> find(const TextName& name);
    /// Makes an edit of transaction `dot`, without its rows. Edits of another one are discarded.
    /// Errors: those of Text::apply, with the text as it was; corrupt, of storage.
    Result<void> edit(const TextName& name, const TextOp& op, const Dot& dot);
    /// The transaction whose edits wait for their rows.
    [[nodiscard]] const std::optional<Dot>& editing() const { return editing_; }
    /// Takes back what edit() did to all texts, or to one.
    void discard();
    void discard(const TextName& name);

    /// Puts the rows that the edits of this text have changed.  O(rows changed).
    Result<void> write(const TextName& name, Position position);
    /// Lets go of loaded texts, and of edits that were made to them.
    void forget_if(const std::function<bool(const TextName&)>& which);
    /// No more edits of the transaction come; texts beyond texts_bytes_max are let go.
    void finish();
    /// Joins a peer's state of the same generation.  O(n + m).
    Result<void> join(const TextName& name, const Text& theirs, Position position);
    /// Removes all rows: the generation is no more.  O(rows).
    Result<void> remove(const TextName& name, Position position);

    /// The range of the rows of one text.
    static RowRange rows_of(const TextName& name);

private:
    struct Loaded {
        Text text;
        Position changed = 0;
        std::set<TextRowName> edited;  // rows that edits will change
        std::uint64_t used = 0;        // when, in calls
        std::size_t bytes = 0;         // estimate
    };
    using Entry = std::map<TextName, Loaded>::value_type;

    Result<Loaded*> load(const TextName& name);
    Result<void> put_row(const TextName& name, const Text& text, const TextRowName& row,
                         Position position);
    void measure(Loaded& loaded);
    void forget(std::map<TextName, Loaded>::iterator entry);

    Store& store_;
    LeafSums& leaf_sums_;
    std::map<TextName, Loaded> loaded_;
    std::optional<Dot> editing_;
    std::set<TextName> edited_;
    std::uint64_t uses_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace syncline
