#pragma once
#include <optional>
#include <variant>
#include <vector>

#include "crdt/cell.hpp"
#include "crdt/text_op.hpp"

namespace syncline {

/// Change of one cell. Strings have no field; hash fields and set members do.
struct CellOp {
    Bytes key;
    CellType type = CellType::string;
    std::optional<Bytes> field;
    CellDelta delta;

    bool operator==(const CellOp&) const = default;
};

/// Range delete of a key: every dot of every cell under it that the event's past covers goes, but
/// for those of permanent types, as in the next one.
/// Counters are not touched by it; the event carries explicit resets for them as CellOps.
struct ClearKey {
    Bytes key;

    bool operator==(const ClearKey&) const = default;
};

/// Range delete of all keys whose hash starts with 16 bits in [first, last].
struct ClearBuckets {
    std::uint16_t first = 0;
    std::uint16_t last = 0;

    bool operator==(const ClearBuckets&) const = default;
};

/// Edits of one generation of a text, in order. A replica where the generation is removed ignores
/// them: a text is removed whole, with what was edited meanwhile.
struct TextEdit {
    Bytes key;
    Dot generation;
    std::vector<TextOp> edits;  ///< not empty

    bool operator==(const TextEdit&) const = default;
};

using Op = std::variant<CellOp, ClearKey, ClearBuckets, TextEdit>;

/// The key that an operation changes; nothing: it is a range of buckets. Valid as long as `op`.
std::optional<BytesView> key_of(const Op& op);
/// Whether the range holds this key.
bool lies_in(const ClearBuckets& buckets, BytesView key);

/// One transaction as all replicas see it: its name, what it had seen, when, and what it does.
/// Decided once at the origin; applied everywhere, at the origin too. At most one CellOp per cell.
struct Event {
    Dot dot;
    VersionVector past;  ///< of the state it ran on; past[dot.actor] == dot.counter - 1
    Hlc hlc;
    std::vector<Op> ops;

    bool operator==(const Event&) const = default;
};

/// The bytes that stand in the log, and that EventHeads shortens for peers: the head, then the
/// operations as msgpack. Precondition: the past covers the generations of texts that it edits.
Bytes encode_event(const Event& event);
/// Error corrupt for anything encode_event does not write; limit for keys or values too long.
Result<Event> decode_event(BytesView bytes);
/// The dot alone. Error corrupt when the bytes are too short.
Result<Dot> peek_dot(BytesView bytes);

/// Kinds of log records.
enum class RecordKind : std::uint8_t {
    event = 1,    ///< encode_event
    barrier = 2,  ///< a version vector that was adopted as a whole
    /// The replica writes as this incarnation from here on. Peers are not told: events name it.
    incarnation = 3,
};
Bytes encode_barrier(const VersionVector& vv);
Result<VersionVector> decode_barrier(BytesView bytes);
Bytes encode_incarnation(std::uint32_t incarnation);
Result<std::uint32_t> decode_incarnation(BytesView bytes);

}  // namespace syncline
