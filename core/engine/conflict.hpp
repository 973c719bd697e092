#pragma once
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/hash.hpp"
#include "core/engine/event.hpp"
#include "storage/tables.hpp"

namespace syncline {

/// What met. The numbers stand on disk; `write_write` is the first, kinds have no gaps.
enum class ConflictKind : std::uint8_t {
    write_write = 1,  ///< two writes of one register
    add_remove = 2,   ///< a value or member, and a removal that had not seen it
    reset_inc = 3,    ///< increments, and a write or removal that had not seen them
    type_clash = 4,   ///< two types under one key
    deadline = 5,     ///< two deadlines of one key
    edit_remove = 6,  ///< an edit of a text, and the text's removal, which had not seen it
    remove_add = 7,   ///< an add, and a removal that had not seen it and wins by policy
};
constexpr std::size_t conflict_kinds_count = 7;
constexpr ConflictKind conflict_kinds[] = {ConflictKind::write_write, ConflictKind::add_remove,
                                           ConflictKind::reset_inc,   ConflictKind::type_clash,
                                           ConflictKind::deadline,    ConflictKind::edit_remove,
                                           ConflictKind::remove_add};

/// What one side did to the cell. The numbers stand on disk.
enum class ConflictAction : std::uint8_t { write = 1, add = 2, increment = 3, remove = 4 };

/// "write-write", "add-remove", "reset-increment", "type-clash", "deadline", "edit-remove",
/// "remove-add": names for options and replies.
std::string_view conflict_kind_name(ConflictKind kind);
std::optional<ConflictKind> conflict_kind_from(std::string_view name);
/// The rule that decided, in one sentence.
std::string_view conflict_rule(ConflictKind kind);
/// "write", "add", "increment", "remove".
std::string_view conflict_action_name(ConflictAction action);

/// A value as a record keeps it: whole up to limits::conflict_value_bytes_max, else its length and
/// hash64. With capturing off the length alone is kept.
struct CapturedValue {
    std::uint64_t length = 0;
    std::optional<std::uint64_t> hash;  ///< nothing: capturing was off
    std::optional<Bytes> bytes;         ///< nothing: too long, or capturing was off

    bool operator==(const CapturedValue&) const = default;
};
CapturedValue capture_value(BytesView value, bool on);

/// One side of a conflict.
struct ConflictSide {
    Dot dot;  ///< of the transaction; dot.actor names its origin
    /// Nothing: the state does not keep when members were added and increments made.
    std::optional<Hlc> hlc;
    ConflictAction action = ConflictAction::write;
    CellType type = CellType::string;
    std::optional<Bytes> field;
    /// Of a write; of increments the decimal sum of those that are visible. None: add, remove.
    std::optional<CapturedValue> value;

    bool operator==(const ConflictSide&) const = default;
};

/// One pair of concurrent transactions on one cell, that a rule decided.
struct ConflictRecord {
    std::uint64_t sequence = 0;  ///< of this replica; 1, 2, ...
    Hash128 id;                  ///< of cell and unordered pair of dots: the same on all replicas
    Bytes key;
    ConflictKind kind = ConflictKind::write_write;
    ConflictSide winner;  ///< what a reader sees of the two, or the part that survived
    ConflictSide loser;
    /// The replica's hybrid clock when it took the record down: at least the timestamps of both
    /// sides, and reproduced when the log is replayed, which a wall clock is not.
    Hlc first_seen;

    bool operator==(const ConflictRecord&) const = default;
};

/// Hash of the cell's name and the two dots, in ascending order.
Hash128 conflict_id(BytesView row_key, const Dot& one, const Dot& other);

Bytes encode_conflict(const ConflictRecord& record);
/// `sequence` comes from the row's key. Error corrupt for anything encode_conflict does not write.
Result<ConflictRecord> decode_conflict(std::uint64_t sequence, BytesView bytes);

/// The row of records that stands for a whole key when types clash.
RowKey clash_row_key(BytesView key);

/// Finds the conflicts of one event, or of one adopted snapshot, cell by cell. The specification,
/// with V the version vector before event e comes, and "live at V" as crdt/README.md has it:
///   On each cell that e changes, let x be a live value (dot), or an actor's latest increment if
///   live, with x outside past(e). Then {x, e} is a conflict of kind
///     write_write  if e and x are writes of a register, or deadline if these are deadlines,
///     add_remove   if e removes (also as part of a range, unless the cell is of a permanent type)
///                  and does not write, and x is a value,
///     reset_inc    if one of them is an increment and the other a write or removal.
///   If e removes a generation of a text, let x be each actor's latest insertion into it outside
///   past(e): {x, e} is an edit_remove. A replica that has e before x ignores x and cannot tell.
///   Where removals win, let x and e leave dots of different signs: {x, e} is a remove_add.
///   A pair of transactions that did several things to a cell has the first kind that applies.
///   Nothing is decided, and nothing recorded, between two adds of one member, and two increments.
///   For each other type under a key at which e adds a value, member or increment: its first live
///   cell in row order, of the first clash_rows_max rows, with such an x makes {x, e} a type_clash.
///   When a snapshot with vector W is adopted: on each cell, each x that is live here and outside
///   W, with each y that is live there and outside V, by the same table. Type clashes and removals
///   that only the peer knows are not provable from rows, and not recorded.
/// In each case neither transaction is in the other's past: x is unknown to e, and e (or y) was
/// unknown to this replica, which has x's past.
class ConflictFinder {
public:
    ConflictFinder(const VersionVector& vv, bool capture) : vv_(vv), capture_(capture) {}

    /// The event's change of one cell; `before` is the cell before it.
    void on_change(const RowKey& row_key, const CellOp& op, const Cell& before, const Event& event);
    /// A range delete covers this cell.
    void on_clear(const RowKey& row_key, const RowName& name, const Cell& before,
                  const Event& event);
    /// The change leaves a value, member or increment of the event.
    [[nodiscard]] static bool adds(const CellOp& op, const Event& event);
    /// A range delete removes a text with insertions that it has not seen: of one actor the latest
    /// of them, and what is lost of them.
    void on_lost_edit(const RowKey& row_key, const RowName& name, const Dot& latest, BytesView lost,
                      const Event& event);
    /// The event adds to a key that has rows of another type. True: found, look no further.
    bool on_other_type(const CellOp& op, const RowName& other, const Cell& cell,
                       const Event& event);
    /// A row of a snapshot joins.
    void on_join(const RowKey& row_key, const RowName& name, const Cell& mine, const Cell& theirs,
                 const VersionVector& peer_vv);

    /// What was found, in order of row keys and dots; without sequence and first_seen.
    std::vector<ConflictRecord> take();
    /// Conflicts beyond limits::conflicts_per_event_max, which are only counted.
    [[nodiscard]] std::uint64_t omitted() const { return omitted_; }

private:
    using Place = std::tuple<Bytes, Dot, Dot>;
    struct Sides {
        std::vector<ConflictSide> values;
        std::vector<ConflictSide> increments;
    };

    void put(const RowKey& row_key, BytesView key, ConflictKind kind, ConflictSide one,
             ConflictSide other);
    [[nodiscard]] Sides unseen(const RowName& name, const Cell& cell,
                               const VersionVector& past) const;
    /// Whether values of a type are kept in records. Deadlines are no values of users, and decide.
    [[nodiscard]] bool captures(CellType type) const {
        return capture_ || type == CellType::expiry;
    }
    [[nodiscard]] ConflictSide side_of(const CellOp& op, const Event& event) const;

    const VersionVector& vv_;
    bool capture_;
    std::map<Place, ConflictRecord> found_;
    std::uint64_t omitted_ = 0;
};

}  // namespace syncline
