#include "core/engine/event.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/limits.hpp"
#include "core/engine/event_head.hpp"
#include "crdt/bounded_counter.hpp"
#include "crdt/position.hpp"
#include "crdt/text_rows.hpp"
#include "storage/tables.hpp"

namespace syncline {
namespace {

/// First number of an op; new kinds get new numbers, unknown ones are an error, never skipped.
enum OpKind : std::uint64_t { cell_op = 0, clear_key = 1, clear_buckets = 2, text_edit = 3 };

/// How a text's generation names its actor: 0 for the event's own, else the place among the others
/// in the past, from 1.
std::uint64_t place_of(const Actor& actor, const EventHead& head) {
    if (actor == head.dot.actor) return 0;
    const auto& entries = head.past.entries();
    return 1 + static_cast<std::uint64_t>(
                   std::count_if(entries.begin(), entries.end(), [&](const auto& entry) {
                       return entry.first < actor && entry.first != head.dot.actor;
                   }));
}

/// Nothing for a place that the past does not have.
std::optional<Actor> actor_at(std::uint64_t place, const EventHead& head) {
    if (place == 0) return head.dot.actor;
    for (const auto& [other, counter] : head.past.entries()) {
        if (other != head.dot.actor && --place == 0) return other;
    }
    return std::nullopt;
}

/// The generation that the event itself makes is left out.
void pack_text_edit(Packer& out, const TextEdit& edit, const EventHead& head) {
    out.array(4);
    out.uint(text_edit);
    out.bin(edit.key);
    if (edit.generation == head.dot) {
        out.nil();
    } else {
        SYNCLINE_ASSERT(head.past.covers(edit.generation));
        out.array(2);
        out.uint(place_of(edit.generation.actor, head));
        out.uint(edit.generation.counter);
    }
    out.array(edit.edits.size());
    for (const TextOp& op : edit.edits) pack(out, op);
}

void pack_op(Packer& out, const Op& op, const EventHead& head) {
    if (const auto* cell = std::get_if<CellOp>(&op)) {
        out.array(5);
        out.uint(cell_op);
        out.bin(cell->key);
        out.uint(static_cast<std::uint64_t>(cell->type));
        if (cell->field) {
            out.bin(*cell->field);
        } else {
            out.nil();
        }
        pack(out, cell->delta, cell->type);
    } else if (const auto* clear = std::get_if<ClearKey>(&op)) {
        out.array(2);
        out.uint(clear_key);
        out.bin(clear->key);
    } else if (const auto* edit = std::get_if<TextEdit>(&op)) {
        pack_text_edit(out, *edit, head);
    } else {
        const auto& buckets = std::get<ClearBuckets>(op);
        out.array(3);
        out.uint(clear_buckets);
        out.uint(buckets.first);
        out.uint(buckets.last);
    }
}

Bytes unpack_key(Unpacker& in) {
    const BytesView bytes = in.bin();
    if (bytes.size() > limits::key_bytes_max) in.fail();
    return Bytes(bytes);
}

/// Rows of bounded counters are written by their writers alone, and never removed.
bool is_rights_write(const CellOp& op, const Actor& actor) {
    const std::optional<RightsRow> row = rights_row(*op.field);
    return row && row->writer == actor && op.delta.value.has_value();
}

Op unpack_cell_op(Unpacker& in, const Actor& actor) {
    CellOp op;
    op.key = unpack_key(in);
    const std::optional<CellType> type = cell_type_from(in.uint());
    if (!type) {
        in.fail();
        return op;
    }
    op.type = *type;
    if (!in.nil()) op.field = unpack_key(in);
    if (op.field.has_value() != traits_of(op.type).has_fields) {
        in.fail();
        return op;
    }
    const bool bad_position = traits_of(op.type).has_positions && !is_position(*op.field);
    if (bad_position || (op.type == CellType::text && !generation_from(*op.field))) {
        in.fail();
        return op;
    }
    op.delta = unpack_cell_delta(in, op.type);
    if (op.delta.value && op.delta.value->size() > limits::value_bytes_max) in.fail();
    if (op.type == CellType::bounded_counter && !is_rights_write(op, actor)) in.fail();
    return op;
}

Dot unpack_generation(Unpacker& in, const EventHead& head) {
    if (in.nil()) return head.dot;
    in.array_of(2);
    const std::optional<Actor> actor = actor_at(in.uint(), head);
    const Dot generation{actor.value_or(Actor{}), in.uint()};
    if (!actor || generation.counter == 0 || !head.past.covers(generation)) in.fail();
    return generation;
}

Op unpack_text_edit(Unpacker& in, const EventHead& head) {
    TextEdit edit;
    edit.key = unpack_key(in);
    edit.generation = unpack_generation(in, head);
    const std::size_t count = in.array();
    if (count == 0) in.fail();
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
        edit.edits.push_back(unpack_text_op(in, head.dot.actor));
    }
    return edit;
}

Op unpack_op(Unpacker& in, const EventHead& head) {
    const std::size_t elements = in.array();
    const std::uint64_t kind = in.uint();
    if (elements == 4 && kind == text_edit) return unpack_text_edit(in, head);
    if (elements == 5 && kind == cell_op) return unpack_cell_op(in, head.dot.actor);
    if (elements == 2 && kind == clear_key) return ClearKey{unpack_key(in)};
    ClearBuckets buckets;
    if (elements == 3 && kind == clear_buckets) {
        buckets.first = static_cast<std::uint16_t>(in.uint_at_most(0xffff));
        buckets.last = static_cast<std::uint16_t>(in.uint_at_most(0xffff));
        if (buckets.first <= buckets.last) return buckets;
    }
    in.fail();
    return buckets;
}

Error damaged_part(std::string_view what) {
    return Error{Code::corrupt, std::string(what) + " is damaged"};
}

}  // namespace

Bytes encode_event(const Event& event) {
    const EventHead head{event.dot, event.past, event.hlc};
    Bytes bytes;
    ByteWriter writer(bytes);
    write(writer, head);
    Packer out(bytes);
    out.array(event.ops.size());
    for (const Op& op : event.ops) pack_op(out, op, head);
    return bytes;
}

Result<Dot> peek_dot(BytesView bytes) {
    ByteReader in(bytes);
    Dot dot;
    const std::uint8_t form = in.u8();
    dot.actor = read_compact_actor(in, form);
    dot.counter = in.varint();
    if (!in.ok() || dot.counter == 0) return damaged_part("event name");
    return dot;
}

Result<Event> decode_event(BytesView bytes) {
    ByteReader reader(bytes);
    EventHead head = read_event_head(reader);
    if (!reader.ok()) return damaged_part("event head");
    Event event;
    Unpacker in(reader.raw(reader.left()));
    const std::size_t ops_count = in.array();
    for (std::size_t i = 0; i < ops_count && in.ok(); ++i) {
        event.ops.push_back(unpack_op(in, head));
    }
    if (!in.done()) return damaged_part("event " + to_string(head.dot));
    event.dot = head.dot;
    event.past = std::move(head.past);
    event.hlc = head.hlc;
    return event;
}

Bytes encode_barrier(const VersionVector& vv) {
    Bytes bytes;
    Packer out(bytes);
    pack(out, vv);
    return bytes;
}

Result<VersionVector> decode_barrier(BytesView bytes) {
    Unpacker in(bytes);
    VersionVector vv = unpack_version_vector(in);
    if (!in.done()) return damaged_part("barrier");
    return vv;
}

Bytes encode_incarnation(std::uint32_t incarnation) {
    Bytes bytes;
    Packer(bytes).uint(incarnation);
    return bytes;
}

Result<std::uint32_t> decode_incarnation(BytesView bytes) {
    Unpacker in(bytes);
    const std::uint64_t incarnation = in.uint();
    if (!in.done() || incarnation > UINT32_MAX) return damaged_part("incarnation");
    return static_cast<std::uint32_t>(incarnation);
}

std::optional<BytesView> key_of(const Op& op) {
    if (const auto* const cell = std::get_if<CellOp>(&op)) return cell->key;
    if (const auto* const edit = std::get_if<TextEdit>(&op)) return edit->key;
    if (const auto* const clear = std::get_if<ClearKey>(&op)) return clear->key;
    return std::nullopt;
}

bool lies_in(const ClearBuckets& buckets, BytesView key) {
    const auto bucket = static_cast<std::uint16_t>(key_hash(key) >> 48U);
    return buckets.first <= bucket && bucket <= buckets.last;
}

}  // namespace syncline
