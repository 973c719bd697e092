#pragma once
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "core/engine/group.hpp"

namespace syncline {

/// A transaction being decided at its origin: reads see the group's state with the staged writes on
/// top; writes fold into one net change per cell. Nothing touches the group until the finished
/// Event is applied to it.
/// Lives within one turn. Thread-safety: confined to one thread.
class Transaction {
public:
    /// `wall_ms`: the time by which keys have expired, unless the group's own clock is ahead of it.
    Transaction(Group& group, Actor actor, std::uint64_t wall_ms);
    /// Looks at the clock when it has to: most reads do not.
    Transaction(Group& group, Actor actor, Clock& clock);
    /// Takes back edits of texts that no event has brought to the group.
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    // Reads.
    Result<Cell> cell(BytesView key, CellType type, std::optional<BytesView> field);
    /// As Group::plain_string, and `unclear` when the transaction has written anything.
    Result<Group::PlainString> plain_string(BytesView key);
    Result<std::uint64_t> count(BytesView key, CellType type);
    Result<std::optional<CellType>> visible_type(BytesView key);
    /// Live cells of one type of a key, in no particular order.
    Result<void> scan_cells(BytesView key, CellType type, const CellVisitor& visit);
    /// Live cells of the group alone, without what this transaction has staged, in the order of
    /// rows and from behind a field: a slice of a walk that takes several transactions.
    Result<void> scan_stored(BytesView key, CellType type, std::optional<BytesView> after,
                             const CellVisitor& visit);
    /// Elements of a list in order, or back.
    Result<void> scan_list(BytesView key, WalkOrder walk, const CellVisitor& visit) {
        return walk_list(key, walk, std::nullopt, visit);
    }
    /// The same in order, from the one that has `index` others in front of it. Where it stands is
    /// looked up, in time that hardly depends on the length of the list; nobody having asked for
    /// long, the elements are counted once.
    Result<void> scan_list_from(BytesView key, std::uint64_t index, const CellVisitor& visit);
    /// Members of a sorted set in the order of their scores.
    Result<void> scan_scores(BytesView key, const ScoreRange& range, WalkOrder walk,
                             const ScoreVisitor& visit);
    /// The generation of a text that is seen.
    Result<std::optional<Dot>> text_generation(BytesView key);
    /// A text, staged edits included, until the next edit; empty when there is no such generation.
    Result<const Text*> text(BytesView key, const Dot& generation);
    Result<std::uint64_t> scan_keys(std::uint64_t cursor, std::size_t count,
                                    const KeyVisitor& visit);
    Result<std::uint64_t> keys_count();

    // Writes. Each is a net change of one cell, or of all cells of a key.
    /// Register write: replaces what is seen; the counter part seen is reset.
    Result<void> put(BytesView key, CellType type, std::optional<BytesView> field, Bytes value);
    /// Adds to the counter part.
    Result<void> increment(BytesView key, CellType type, std::optional<BytesView> field,
                           const Amount& amount);
    /// Removes what is seen of one cell. Precondition: not of a permanent type.
    Result<void> remove(BytesView key, CellType type, std::optional<BytesView> field);
    /// The same, and what others add to the cell who have not seen this. Precondition: the type is
    /// signed.
    Result<void> negate(BytesView key, CellType type, std::optional<BytesView> field);
    /// Edits a text; its generation must be one that text_generation() has answered, or the own dot
    /// after put() of its cell. Errors of Text::apply; then nothing changes.
    Result<void> edit_text(BytesView key, const Dot& generation, TextOp op);
    /// Removes what is seen of the whole key, but for what is permanent, as the next one does.
    void clear(BytesView key);
    /// Removes what is seen of all keys in a range of buckets. Not combined with other writes.
    Result<void> clear_buckets(std::uint16_t first, std::uint16_t last);

    /// True when nothing would change: such a transaction makes no event.
    [[nodiscard]] bool empty() const;
    /// The event, on the group's present version vector.
    Result<Event> finish(Hlc hlc);

    /// Something of it takes room: a value, an amount, text. A deadline is not counted, or what
    /// would end by itself could not be told to.
    [[nodiscard]] bool adds() const { return adds_; }
    /// What is replied rests on every row there is.
    void see_all() { saw_all_ = true; }
    [[nodiscard]] bool saw_all() const { return saw_all_; }

    /// Milliseconds since 1970: when this is.
    [[nodiscard]] std::uint64_t now_ms() const;
    /// The name the event will have.
    [[nodiscard]] const Dot& dot() const { return dot_; }
    [[nodiscard]] Group& group() { return group_; }

private:
    using CellName = std::tuple<Bytes, CellType, std::optional<Bytes>>;
    struct Staged {
        Cell before;           // the group's cell
        bool cleared = false;  // its key was cleared in this transaction, before these changes
        bool writes_dots = false;
        std::optional<Bytes> value;
        bool negates = false;
        bool resets = false;
        bool increments = false;
        Amount amount;
    };

    /// A place in a list: behind a position (nothing: in front of all), and elements up to there.
    struct ListPlace {
        std::optional<Bytes> behind;
        std::uint64_t in_front = 0;
    };

    Result<void> walk_list(BytesView key, WalkOrder walk, std::optional<BytesView> behind,
                           const CellVisitor& visit);
    Result<ListPlace> place_in_list(BytesView key, std::uint64_t index);
    Result<Staged*> stage(BytesView key, CellType type, std::optional<BytesView> field);
    /// Changes a staged cell, and notes whether it lives now.
    template <typename F>
    void change(const Bytes& key, CellType type, Staged& staged, const F& change);
    [[nodiscard]] static bool lives(const Staged& staged);
    [[nodiscard]] std::int64_t live_change(BytesView key, CellType type) const;
    [[nodiscard]] Cell after(const Staged& staged) const;
    [[nodiscard]] CellDelta delta(const Staged& staged) const;
    [[nodiscard]] bool is_cleared(BytesView key) const { return cleared_.count(key) > 0; }
    /// Nothing of the group's rows of the key is seen: it was cleared, or has expired.
    Result<bool> is_gone(BytesView key);
    Result<bool> is_gone(BytesView key, CellType type);
    Result<void> clear_remains(BytesView key);
    Result<void> begin_anew(BytesView key, CellType type);

    Group& group_;
    Dot dot_;
    std::map<CellName, Staged> staged_;
    /// How the staged cells change the number of live ones, by key and type: what a reader of a key
    /// asks for, and may ask for each of many members.
    std::map<std::pair<Bytes, CellType>, std::int64_t> live_changes_;
    std::set<Bytes, std::less<>> cleared_;
    std::map<TextName, std::vector<TextOp>> text_edits_;
    std::vector<Op> bucket_ops_;
    bool saw_all_ = false;
    bool adds_ = false;
    Clock* clock_ = nullptr;
    mutable std::optional<std::uint64_t> now_ms_;  ///< looked up when asked for
    std::map<Bytes, bool, std::less<>> expired_;   ///< keys that were asked for
    std::set<Bytes, std::less<>> prepared_;        ///< keys that clear_remains() has looked at
};

}  // namespace syncline
