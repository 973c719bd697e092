#include "core/engine/conflict.hpp"

#include <algorithm>
#include <tuple>

#include "core/base/limits.hpp"
#include "core/base/mutation.hpp"
#include "crdt/expiry.hpp"

namespace syncline {
namespace {

/// The `type` byte of the names of whole keys; no cell has it.
constexpr std::uint8_t whole_key_type = 0;
constexpr std::uint8_t record_version = 1;
enum SidePart : std::uint8_t { has_hlc = 1, has_field = 2, has_value = 4 };
enum ValuePart : std::uint8_t { value_hash = 1, value_bytes = 2 };

bool is_increment(const CellOp& op, const Event& event) {
    return std::any_of(op.delta.counter.begin(), op.delta.counter.end(), [&](const auto& entry) {
        return entry.first == event.dot.actor && entry.second.last == event.dot.counter;
    });
}

/// What expiry_winner() compares. Deadlines are always captured.
std::uint64_t deadline_of(const ConflictSide& side) {
    return deadline_from_text(side.value.value().bytes.value());
}

/// The one that a reader sees, or that survives: see conflict_rule.
bool wins(ConflictKind kind, const ConflictSide& one, const ConflictSide& other) {
    switch (kind) {
        case ConflictKind::write_write:
            return std::pair(one.hlc, one.dot.actor) > std::pair(other.hlc, other.dot.actor);
        case ConflictKind::add_remove:
            return one.action != ConflictAction::remove;
        case ConflictKind::reset_inc:
            return one.action == ConflictAction::increment;
        case ConflictKind::type_clash:
            return one.type > other.type;
        case ConflictKind::edit_remove:
        case ConflictKind::remove_add:
            return one.action == ConflictAction::remove;
        case ConflictKind::deadline:
            return std::tuple(deadline_of(one), one.hlc, one.dot.actor) >
                   std::tuple(deadline_of(other), other.hlc, other.dot.actor);
    }
    return true;
}

ConflictKind kind_of_writes(CellType type) {
    return type == CellType::expiry ? ConflictKind::deadline : ConflictKind::write_write;
}

void write_side(ByteWriter& out, const ConflictSide& side) {
    write(out, side.dot);
    out.u8(static_cast<std::uint8_t>(side.action));
    out.u8(static_cast<std::uint8_t>(side.type));
    out.u8((side.hlc ? has_hlc : 0) | (side.field ? has_field : 0) | (side.value ? has_value : 0));
    if (side.hlc) out.u64(side.hlc->bits);
    if (side.field) out.sized(*side.field);
    if (!side.value) return;
    const CapturedValue& value = *side.value;
    out.varint(value.length);
    out.u8((value.hash ? value_hash : 0) | (value.bytes ? value_bytes : 0));
    if (value.hash) out.u64(*value.hash);
    if (value.bytes) out.sized(*value.bytes);
}

ConflictSide read_side(ByteReader& in) {
    ConflictSide side;
    side.dot = read_dot(in);
    const std::uint8_t action = in.u8();
    const std::optional<CellType> type = cell_type_from(in.u8());
    const std::uint8_t parts = in.u8();
    if (action < 1 || action > 4 || !type || parts > (has_hlc | has_field | has_value)) {
        in.fail();
        return side;
    }
    side.action = static_cast<ConflictAction>(action);
    side.type = *type;
    if ((parts & has_hlc) != 0) side.hlc = Hlc{in.u64()};
    if ((parts & has_field) != 0) side.field = Bytes(in.sized());
    if ((parts & has_value) == 0) return side;
    CapturedValue value;
    value.length = in.varint();
    const std::uint8_t value_parts = in.u8();
    if (value_parts > (value_hash | value_bytes)) in.fail();
    if ((value_parts & value_hash) != 0) value.hash = in.u64();
    if ((value_parts & value_bytes) != 0) value.bytes = Bytes(in.sized());
    side.value = std::move(value);
    return side;
}

}  // namespace

std::string_view conflict_kind_name(ConflictKind kind) {
    switch (kind) {
        case ConflictKind::write_write:
            return "write-write";
        case ConflictKind::add_remove:
            return "add-remove";
        case ConflictKind::reset_inc:
            return "reset-increment";
        case ConflictKind::type_clash:
            return "type-clash";
        case ConflictKind::deadline:
            return "deadline";
        case ConflictKind::edit_remove:
            return "edit-remove";
        case ConflictKind::remove_add:
            return "remove-add";
    }
    return "unknown";
}

std::optional<ConflictKind> conflict_kind_from(std::string_view name) {
    for (const ConflictKind kind : conflict_kinds) {
        if (name == conflict_kind_name(kind)) return kind;
    }
    return std::nullopt;
}

std::string_view conflict_rule(ConflictKind kind) {
    switch (kind) {
        case ConflictKind::write_write:
            return "concurrent writes: the larger timestamp wins, then the larger actor";
        case ConflictKind::add_remove:
            return "a removal removes only what it has seen: the concurrent value stays";
        case ConflictKind::reset_inc:
            return "a write or removal cancels only increments it has seen: the concurrent ones "
                   "still count";
        case ConflictKind::type_clash:
            return "two types under one key: one of them is seen, by a fixed order of types; the "
                   "other is kept";
        case ConflictKind::deadline:
            return "concurrent deadlines: the latest counts, and never is later than all";
        case ConflictKind::edit_remove:
            return "a text is removed with what was inserted meanwhile: it would lack its place";
        case ConflictKind::remove_add:
            return "removals win here: the add counts once somebody who has seen them repeats it";
    }
    return "unknown";
}

std::string_view conflict_action_name(ConflictAction action) {
    switch (action) {
        case ConflictAction::write:
            return "write";
        case ConflictAction::add:
            return "add";
        case ConflictAction::increment:
            return "increment";
        case ConflictAction::remove:
            return "remove";
    }
    return "unknown";
}

CapturedValue capture_value(BytesView value, bool on) {
    CapturedValue captured{value.size(), std::nullopt, std::nullopt};
    if (!on) return captured;
    captured.hash = hash64(value);
    if (value.size() <= limits::conflict_value_bytes_max) captured.bytes = Bytes(value);
    return captured;
}

RowKey clash_row_key(BytesView key) {
    return encode_row_key(key, whole_key_type, std::nullopt);
}

Hash128 conflict_id(BytesView row_key, const Dot& one, const Dot& other) {
    Bytes dots;
    ByteWriter out(dots);
    write(out, std::min(one, other));
    write(out, std::max(one, other));
    return hash128(row_key, dots, 0);
}

Bytes encode_conflict(const ConflictRecord& record) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.u8(record_version);
    out.u64(record.id.high);
    out.u64(record.id.low);
    out.u8(static_cast<std::uint8_t>(record.kind));
    out.u64(record.first_seen.bits);
    out.sized(record.key);
    write_side(out, record.winner);
    write_side(out, record.loser);
    return bytes;
}

Result<ConflictRecord> decode_conflict(std::uint64_t sequence, BytesView bytes) {
    ByteReader in(bytes);
    ConflictRecord record;
    record.sequence = sequence;
    if (in.u8() != record_version) in.fail();
    record.id.high = in.u64();
    record.id.low = in.u64();
    const std::uint8_t kind = in.u8();
    if (kind < 1 || kind > conflict_kinds_count) in.fail();
    record.kind = static_cast<ConflictKind>(kind);
    record.first_seen.bits = in.u64();
    record.key = Bytes(in.sized());
    record.winner = read_side(in);
    record.loser = read_side(in);
    if (in.done()) return record;
    return Error{Code::corrupt, "conflict record " + std::to_string(sequence) + " is damaged"};
}

// --- Finding

void ConflictFinder::put(const RowKey& row_key, BytesView key, ConflictKind kind, ConflictSide one,
                         ConflictSide other) {
    Place place{row_key.bytes, std::min(one.dot, other.dot), std::max(one.dot, other.dot)};
    const auto known = found_.find(place);
    // A transaction that did several things to the cell counts by the first kind that applies.
    if (known != found_.end() && known->second.kind < kind) return;
    if (known == found_.end() && found_.size() >= limits::conflicts_per_event_max) {
        ++omitted_;
        return;
    }
    ConflictRecord record;
    record.id = conflict_id(row_key.bytes, one.dot, other.dot);
    record.key = Bytes(key);
    record.kind = kind;
    if (!wins(kind, one, other)) std::swap(one, other);
    record.winner = std::move(one);
    record.loser = std::move(other);
    found_.insert_or_assign(std::move(place), std::move(record));
}

ConflictFinder::Sides ConflictFinder::unseen(const RowName& name, const Cell& cell,
                                             const VersionVector& past) const {
    Sides sides;
    const CellType type = static_cast<CellType>(name.type);
    const bool has_values = traits_of(type).has_values;
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        if (past.covers(entry.dot) && !mutated(Mutation::conflict_past)) continue;
        ConflictSide side{entry.dot, std::nullopt, ConflictAction::add, type, name.field, {}};
        if (has_values) {
            side.hlc = entry.payload.hlc;
            side.action = ConflictAction::write;
            side.value = capture_value(value_text(entry.payload.value, type), captures(type));
        }
        if (entry.payload.negative) side.action = ConflictAction::remove;
        sides.values.push_back(std::move(side));
    }
    for (const auto& [actor, entry] : cell.counter.entries()) {
        const Dot dot{actor, entry.last};
        if (!entry.live() || past.covers(dot)) continue;
        const std::string amount = to_string(entry.sum - entry.reset_sum);
        sides.increments.push_back(ConflictSide{dot, std::nullopt, ConflictAction::increment, type,
                                                name.field, capture_value(amount, capture_)});
    }
    return sides;
}

ConflictSide ConflictFinder::side_of(const CellOp& op, const Event& event) const {
    ConflictSide side{event.dot, event.hlc, ConflictAction::remove, op.type, op.field, {}};
    if (op.delta.value) {
        const bool has_values = traits_of(op.type).has_values;
        side.action = has_values ? ConflictAction::write : ConflictAction::add;
        if (has_values)
            side.value = capture_value(value_text(*op.delta.value, op.type), captures(op.type));
    } else if (!op.delta.writes_dots) {
        side.action = ConflictAction::increment;
        for (const auto& [actor, entry] : op.delta.counter) {
            if (actor != event.dot.actor) continue;
            side.value = capture_value(to_string(entry.sum - entry.reset_sum), capture_);
        }
    }
    return side;
}

bool ConflictFinder::adds(const CellOp& op, const Event& event) {
    return op.delta.value.has_value() || is_increment(op, event);
}

void ConflictFinder::on_change(const RowKey& row_key, const CellOp& op, const Cell& before,
                               const Event& event) {
    if (before.empty()) return;
    const bool increments = is_increment(op, event);
    if (!op.delta.writes_dots && !increments) return;  // the reset that goes with a range delete
    const RowName name{op.key, static_cast<std::uint8_t>(op.type), op.field};
    Sides unseen_here = unseen(name, before, event.past);
    const bool writes = op.delta.value.has_value();
    for (ConflictSide& value : unseen_here.values) {
        if (is_signed(op.type) && (writes || op.delta.negates)) {
            // A range delete in the same event does not matter then.
            found_.erase(Place{row_key.bytes, std::min(value.dot, event.dot),
                               std::max(value.dot, event.dot)});
            if (writes == (value.action == ConflictAction::add)) continue;  // they agree
            put(row_key, op.key, ConflictKind::remove_add, std::move(value), side_of(op, event));
            continue;
        }
        if (value.action == ConflictAction::remove) continue;
        const ConflictKind kind = writes                 ? kind_of_writes(op.type)
                                  : op.delta.writes_dots ? ConflictKind::add_remove
                                                         : ConflictKind::reset_inc;
        put(row_key, op.key, kind, std::move(value), side_of(op, event));
    }
    if (!op.delta.writes_dots) return;
    for (ConflictSide& increment : unseen_here.increments) {
        put(row_key, op.key, ConflictKind::reset_inc, std::move(increment), side_of(op, event));
    }
}

void ConflictFinder::on_clear(const RowKey& row_key, const RowName& name, const Cell& before,
                              const Event& event) {
    Sides unseen_here = unseen(name, before, event.past);
    const ConflictSide removal{
        event.dot,  event.hlc, ConflictAction::remove, static_cast<CellType>(name.type),
        name.field, {}};
    for (ConflictSide& value : unseen_here.values) {
        if (value.action == ConflictAction::remove) continue;
        put(row_key, name.key, ConflictKind::add_remove, std::move(value), removal);
    }
    for (ConflictSide& increment : unseen_here.increments) {
        put(row_key, name.key, ConflictKind::reset_inc, std::move(increment), removal);
    }
}

void ConflictFinder::on_lost_edit(const RowKey& row_key, const RowName& name, const Dot& latest,
                                  BytesView lost, const Event& event) {
    ConflictSide edit{latest,         std::nullopt, ConflictAction::write,
                      CellType::text, name.field,   capture_value(lost, capture_)};
    ConflictSide removal{event.dot,      event.hlc,  ConflictAction::remove,
                         CellType::text, name.field, {}};
    put(row_key, name.key, ConflictKind::edit_remove, std::move(edit), std::move(removal));
}

bool ConflictFinder::on_other_type(const CellOp& op, const RowName& other, const Cell& cell,
                                   const Event& event) {
    if (cell.dots.has_negative()) return false;  // nobody sees it
    Sides there = unseen(other, cell, event.past);
    // Rows that the event itself has just changed show its own dot.
    const auto own = [&](const ConflictSide& side) { return side.dot == event.dot; };
    std::erase_if(there.values, own);
    std::erase_if(there.increments, own);
    std::vector<ConflictSide>& sides = there.values.empty() ? there.increments : there.values;
    if (sides.empty()) return false;
    put(clash_row_key(op.key), op.key, ConflictKind::type_clash, std::move(sides.front()),
        side_of(op, event));
    return true;
}

void ConflictFinder::on_join(const RowKey& row_key, const RowName& name, const Cell& mine,
                             const Cell& theirs, const VersionVector& peer_vv) {
    if (mine.empty() || theirs.empty()) return;
    const Sides here = unseen(name, mine, peer_vv);
    const Sides there = unseen(name, theirs, vv_);
    const bool has_values = traits_of(static_cast<CellType>(name.type)).has_values;
    for (const ConflictSide& one : here.values) {
        for (const ConflictSide& other : there.values) {
            if (!has_values && one.action == other.action) continue;
            const ConflictKind kind = has_values ? kind_of_writes(static_cast<CellType>(name.type))
                                                 : ConflictKind::remove_add;
            put(row_key, name.key, kind, one, other);
        }
        for (const ConflictSide& other : there.increments) {
            put(row_key, name.key, ConflictKind::reset_inc, one, other);
        }
    }
    for (const ConflictSide& one : here.increments) {
        for (const ConflictSide& other : there.values) {
            put(row_key, name.key, ConflictKind::reset_inc, one, other);
        }
    }
}

std::vector<ConflictRecord> ConflictFinder::take() {
    std::vector<ConflictRecord> records;
    records.reserve(found_.size());
    for (auto& [place, record] : found_) records.push_back(std::move(record));
    found_.clear();
    return records;
}

}  // namespace syncline
