#include "core/engine/event.hpp"

#include "core/base/limits.hpp"
#include "crdt/bounded_counter.hpp"
#include "crdt/position.hpp"
#include "crdt/text_rows.hpp"

namespace syncline {
namespace {

constexpr std::size_t dot_bytes = 16;
/// First number of an op; new kinds get new numbers, unknown ones are an error, never skipped.
enum OpKind : std::uint64_t { cell_op = 0, clear_key = 1, clear_buckets = 2, text_edit = 3 };

/// The generation that the event itself makes is left out.
void pack_text_edit(Packer& out, const TextEdit& edit, const Dot& own) {
    out.array(4);
    out.uint(text_edit);
    out.bin(edit.key);
    if (edit.generation == own) {
        out.nil();
    } else {
        out.array(3);
        pack(out, edit.generation);
    }
    out.array(edit.edits.size());
    for (const TextOp& op : edit.edits) pack(out, op);
}

void pack_op(Packer& out, const Op& op, const Dot& own) {
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
        pack_text_edit(out, *edit, own);
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

Op unpack_text_edit(Unpacker& in, const Dot& own) {
    TextEdit edit;
    edit.key = unpack_key(in);
    edit.generation = own;
    if (!in.nil()) {
        in.array_of(3);
        edit.generation = unpack_dot(in);
        if (edit.generation.counter == 0 || edit.generation == own) in.fail();
    }
    const std::size_t count = in.array();
    if (count == 0) in.fail();
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
        edit.edits.push_back(unpack_text_op(in, own.actor));
    }
    return edit;
}

Op unpack_op(Unpacker& in, const Dot& own) {
    const std::size_t elements = in.array();
    const std::uint64_t kind = in.uint();
    if (elements == 4 && kind == text_edit) return unpack_text_edit(in, own);
    if (elements == 5 && kind == cell_op) return unpack_cell_op(in, own.actor);
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

Error damaged(std::string_view what) {
    return Error{Code::corrupt, std::string(what) + " is damaged"};
}

}  // namespace

Bytes encode_event(const Event& event) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u32(event.dot.actor.node);
    writer.u32(event.dot.actor.incarnation);
    writer.u64(event.dot.counter);
    Packer out(bytes);
    pack(out, event.past);
    out.uint(event.hlc.bits);
    out.array(event.ops.size());
    for (const Op& op : event.ops) pack_op(out, op, event.dot);
    return bytes;
}

Result<Dot> peek_dot(BytesView bytes) {
    ByteReader reader(bytes.substr(0, dot_bytes));
    Dot dot;
    dot.actor.node = reader.u32();
    dot.actor.incarnation = reader.u32();
    dot.counter = reader.u64();
    if (!reader.done() || dot.counter == 0) return damaged("event name");
    return dot;
}

Result<Event> decode_event(BytesView bytes) {
    Event event;
    SYNCLINE_TRY(event.dot, peek_dot(bytes));
    Unpacker in(bytes.substr(dot_bytes));
    event.past = unpack_version_vector(in);
    event.hlc.bits = in.uint();
    const std::size_t ops_count = in.array();
    for (std::size_t i = 0; i < ops_count && in.ok(); ++i) {
        event.ops.push_back(unpack_op(in, event.dot));
    }
    if (!in.done()) return damaged("event");
    if (event.past.counter(event.dot.actor) != event.dot.counter - 1) {
        return damaged("past of event " + to_string(event.dot));
    }
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
    if (!in.done()) return damaged("barrier");
    return vv;
}

}  // namespace syncline
