#pragma once
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "crdt/cell.hpp"
#include "crdt/text.hpp"

namespace syncline::sim {

/// What a client asked for, in the words of the specification. Recorded beside the production
/// code's own event, from which the oracle takes only the name, the past and the timestamp.
struct Intent {
    enum class Kind { write, add, increment, remove, negate, edit, clear_key, clear_buckets };
    Kind kind = Kind::write;
    Bytes key;
    CellType type = CellType::string;
    Bytes field;              ///< hash field or set member; of edits the generation
    Bytes value;              ///< write
    std::int64_t amount = 0;  ///< increment
    std::int64_t halves = 0;  ///< of an increment by decimals
    std::uint16_t first = 0;  ///< clear_buckets: range of the top 16 bits of h64(key)
    std::uint16_t last = 0;
    std::optional<TextOp> edit;
};

/// A deadline as intents and oracles have it: a number, or "never".
std::uint64_t deadline_number(const Bytes& text);

/// What a cell must hold at some version vector.
struct Expected {
    struct Value {
        Dot dot;
        Hlc hlc;
        Bytes bytes;
        bool negative = false;  ///< of a removal that wins
    };
    std::vector<Value> values;  ///< concurrent ones are all kept; ascending by dot
    bool counted = false;       ///< increments are visible
    std::int64_t sum = 0;       ///< of the visible increments, mod 2^64
    std::int64_t halves = 0;    ///< of those by decimals
    std::vector<Dot> latest;    ///< of the visible increments, of each actor; ascending

    [[nodiscard]] bool empty() const { return !counted && values.empty(); }
    [[nodiscard]] bool live() const;
};

/// The specification as a function of history: the value of every cell follows from the set of
/// events that a version vector covers, and from nothing else.
///   register, set element: the writes that no covered event which saw them replaced or removed;
///   element of a set or flag where removals win: these writes, and such removals of which the same
///   holds; it is there if it has writes and no removals;
///   counter: the sum of the increments that no covered write, removal or clear has seen;
///   clear: removes exactly what its past covers, but for bounded counters.
/// An event "sees" another when its past covers it; within one transaction, when it comes later.
///
/// Each write and increment keeps the first events that end it; one that is ended by an event which
/// all replicas have for ever is forgotten, which changes no answer.
class Oracle {
public:
    struct Name {
        Bytes key;
        CellType type = CellType::string;
        Bytes field;

        bool operator<(const Name& other) const {
            return std::tie(key, type, field) < std::tie(other.key, other.type, other.field);
        }
    };

    void record(const Dot& dot, const VersionVector& past, Hlc hlc,
                const std::vector<Intent>& intents);
    /// The actor's events above this counter were lost in a crash, before anybody else had them.
    void forget(const Actor& actor, std::uint64_t above);
    /// Every replica covers this vector from now on, even after a crash.
    void settle(const VersionVector& everywhere);

    /// What a cell's value rests on: a live item on its own event; that one is gone, on one of
    /// those that ended it, or on the item's never having been there.
    struct Ground {
        Dot item;
        std::vector<Dot> ended_by;
    };
    using Grounds = std::vector<Ground>;
    [[nodiscard]] Grounds grounds(const VersionVector& vv, const Name& name) const;
    /// The same for all cells of one type under a key.
    [[nodiscard]] Grounds grounds(const VersionVector& vv, BytesView key, CellType type) const;

    [[nodiscard]] Expected cell(const VersionVector& vv, const Name& name) const;
    /// The cells of which a row remains, live or not.
    [[nodiscard]] std::map<Name, Expected> rows(const VersionVector& vv, BytesView key) const;
    [[nodiscard]] std::map<Name, Expected> rows(const VersionVector& vv) const;
    /// The live cells of one key.
    [[nodiscard]] std::map<Name, Expected> live_cells(const VersionVector& vv, BytesView key) const;
    /// The cells that are live at this vector.
    [[nodiscard]] std::map<Name, Expected> live_cells(const VersionVector& vv) const;
    /// The type a reader of the key sees: the live one of highest precedence.
    [[nodiscard]] std::optional<CellType> visible_type(const VersionVector& vv,
                                                       BytesView key) const;
    /// When a key ends: the latest of its deadlines; nothing if it has none.
    [[nodiscard]] std::optional<std::uint64_t> deadline(const VersionVector& vv,
                                                        BytesView key) const;
    /// The deadline is behind: nothing of the key is seen any more.
    [[nodiscard]] bool expired(const VersionVector& vv, BytesView key, std::uint64_t now_ms) const {
        const std::optional<std::uint64_t> ends = deadline(vv, key);
        return ends && *ends <= now_ms;
    }
    /// Fields of a hash or members of a set with the values that readers see.
    [[nodiscard]] std::map<Bytes, Bytes> fields(const VersionVector& vv, BytesView key,
                                                CellType type) const;
    /// The value a reader sees: the last writer's, plus the increments if that is a number.
    [[nodiscard]] static std::optional<Bytes> visible_value(const Expected& cell);

    /// The generation of a text that a reader sees: its field, nothing if there is none.
    [[nodiscard]] std::optional<Bytes> text_generation(const VersionVector& vv,
                                                       BytesView key) const;
    /// What one generation holds. By production code, which other tests compare with the
    /// specification: here its way through events, rows, sessions and crashes is what counts.
    [[nodiscard]] Text text(const VersionVector& vv, BytesView key, BytesView generation) const;

    /// The latest insertion of each actor into a generation, ascending.
    [[nodiscard]] std::vector<Dot> latest_insertions(const VersionVector& vv, BytesView key,
                                                     BytesView generation) const;

    /// Why a write or increment is not live at this vector, for people.
    [[nodiscard]] std::string why_gone(const VersionVector& vv, const Name& name,
                                       const Dot& dot) const;

private:
    struct Item {  // a write or an increment
        Dot dot;
        Hlc hlc;
        Bytes value;
        std::uint64_t amount = 0;
        std::int64_t halves = 0;
        std::vector<Dot> ended_by;
        bool negative = false;
    };
    struct History {
        std::vector<Item> writes;
        std::vector<Item> increments;
    };
    using Cells = std::map<std::pair<CellType, Bytes>, History>;
    struct Event {
        Dot dot;
        const VersionVector& past;
        Hlc hlc;
    };

    void apply(const Event& event, const Intent& intent);
    static void end_seen(std::vector<Item>& items, const Event& event);
    static void end_all(Cells& cells, const Event& event);
    static bool alive(const Item& item, const VersionVector& vv);
    static void add_grounds(const VersionVector& vv, const History& history, Grounds& grounds);
    static Expected evaluate(const VersionVector& vv, const History& history);

    struct Edit {
        Dot dot;
        TextOp op;
    };

    std::map<Bytes, Cells, std::less<>> keys_;
    std::map<std::pair<Bytes, Bytes>, std::vector<Edit>> edits_;  // by key and generation
};

}  // namespace syncline::sim
