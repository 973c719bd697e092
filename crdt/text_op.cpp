#include "crdt/text_op.hpp"

#include <limits>

namespace syncline {

namespace {

/// The first number of a packed operation.
enum Form : std::uint64_t {
    erasure = 0,       ///< then node, incarnation, first, count of each range
    continuation = 1,  ///< first, text: right child of the actor's previous element
    at_root = 2,       ///< first, text
    left_child = 3,    ///< first, text, parent's node, incarnation, index
    right_child = 4,   ///< the same
};

constexpr std::size_t numbers_per_range = 4;

Form form_of(const TextInsertion& insertion) {
    if (!insertion.parent) return at_root;
    if (insertion.side == Side::left) return left_child;
    const ElementId& first = insertion.first;
    const bool continues =
        insertion.parent->actor == first.actor && insertion.parent->index + 1 == first.index;
    return continues ? continuation : right_child;
}

void pack(Packer& out, const TextInsertion& insertion) {
    const Form form = form_of(insertion);
    const bool with_parent = form == left_child || form == right_child;
    out.array(with_parent ? 6 : 3);
    out.uint(form);
    out.uint(insertion.first.index);
    out.bin(insertion.text);
    if (!with_parent) return;
    pack(out, insertion.parent->actor);
    out.uint(insertion.parent->index);
}

void pack(Packer& out, const TextErasure& erased) {
    out.array(1 + numbers_per_range * erased.ranges.size());
    out.uint(erasure);
    for (const ElementRange& range : erased.ranges) {
        pack(out, range.first.actor);
        out.uint(range.first.index);
        out.uint(range.count);
    }
}

void unpack(Unpacker& in, TextErasure& erased, std::size_t numbers) {
    if (numbers == 0 || numbers % numbers_per_range != 0) in.fail();
    for (; in.ok() && numbers > 0; numbers -= numbers_per_range) {
        ElementRange range;
        range.first.actor = unpack_actor(in);
        range.first.index = in.uint();
        range.count = in.uint();
        const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - range.first.index;
        if (range.count == 0 || range.count > room) in.fail();
        erased.ranges.push_back(range);
    }
}

void unpack(Unpacker& in, TextInsertion& insertion, const Actor& origin, std::uint64_t form,
            std::size_t numbers) {
    const bool with_parent = form == left_child || form == right_child;
    if (numbers != (with_parent ? 5U : 2U)) in.fail();
    insertion.first = {origin, in.uint()};
    insertion.text = in.bin();
    if (insertion.text.empty() || !is_utf8(insertion.text)) in.fail();
    if (form == left_child) insertion.side = Side::left;
    if (form == continuation) {
        if (insertion.first.index == 0) in.fail();
        insertion.parent.emplace(ElementId{origin, insertion.first.index - 1});
    }
    if (with_parent) {
        const Actor actor = unpack_actor(in);
        insertion.parent.emplace(ElementId{actor, in.uint()});
    }
    // One operation has one packed form.
    if (in.ok() && form_of(insertion) != form) in.fail();
}

}  // namespace

std::optional<ElementId> element_id_from(BytesView text) {
    Bytes as_dot(text);
    const std::size_t mark = as_dot.find('#');
    if (mark == Bytes::npos) return std::nullopt;
    as_dot[mark] = ':';
    const std::optional<Dot> dot = dot_from(as_dot);
    return dot ? std::optional(ElementId{dot->actor, dot->counter}) : std::nullopt;
}

std::string to_string(const ElementId& id) {
    return to_string(id.actor) + "#" + std::to_string(id.index);
}

void pack(Packer& out, const TextOp& op) {
    std::visit([&out](const auto& edit) { pack(out, edit); }, op);
}

TextOp unpack_text_op(Unpacker& in, const Actor& origin) {
    const std::size_t count = in.array();
    if (count == 0) in.fail();
    const std::uint64_t form = in.uint_at_most(right_child);
    TextOp op;
    if (!in.ok()) return op;
    // In place: an operation that is moved right after it was written makes the processor wait.
    if (form == erasure) {
        unpack(in, op.emplace<TextErasure>(), count - 1);
    } else {
        unpack(in, op.emplace<TextInsertion>(), origin, form, count - 1);
    }
    return op;
}

}  // namespace syncline
