#include "core/engine/text_names.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/assert.hpp"
#include "core/base/limits.hpp"

namespace syncline {
namespace {

ElementId moved(const ElementId& id, std::uint64_t by) {
    return ElementId{id.actor, id.index + by};
}

constexpr std::size_t numbers_per_run = 7;

void pack_element(Packer& out, const ElementId& id) {
    pack(out, id.actor);
    out.uint(id.index);
}

ElementId unpack_element(Unpacker& in) {
    const Actor actor = unpack_actor(in);
    return ElementId{actor, in.uint()};
}

void pack_generation(Packer& out, const Dot& generation) {
    out.array(3);
    pack(out, generation);
}

Dot unpack_generation_name(Unpacker& in) {
    in.array_of(3);
    return unpack_dot(in);
}

}  // namespace

void TextNames::add(const TextName& then, const Dot& now) {
    texts_[then].generation = now;
}

void TextNames::add(const TextName& text, const ElementId& then, const ElementId& now,
                    std::uint64_t count) {
    SYNCLINE_ASSERT(count > 0);
    texts_[text].runs.insert_or_assign(then, Run{now, count});
}

void TextNames::join(const TextNames& others) {
    for (const auto& [text, renamed] : others.texts_) {
        Renamed& own = texts_[text];
        if (renamed.generation) own.generation = renamed.generation;
        for (const auto& [then, run] : renamed.runs) own.runs.insert_or_assign(then, run);
    }
}

TextNames::Runs::const_iterator TextNames::run_around(const Runs& runs, const ElementId& then) {
    auto next = runs.upper_bound(then);
    if (next == runs.begin()) return next;
    const auto before = std::prev(next);
    const bool reaches = before->first.actor == then.actor &&
                         then.index - before->first.index < before->second.count;
    return reaches ? before : next;
}

TextNames TextNames::of(const TextEdit& edit) const {
    TextNames part;
    const TextName text{edit.key, edit.generation};
    const auto known = texts_.find(text);
    if (known == texts_.end()) return part;
    const Runs& runs = known->second.runs;
    Renamed& own = part.texts_[text];
    own.generation = known->second.generation;
    const auto take = [&](const ElementRange& range) {
        for (auto run = run_around(runs, range.first); run != runs.end(); ++run) {
            const bool other = run->first.actor != range.first.actor;
            if (other || run->first >= moved(range.first, range.count)) break;
            own.runs.insert(*run);
        }
    };
    for (const TextOp& op : edit.edits) {
        if (const auto* const insertion = std::get_if<TextInsertion>(&op)) {
            if (insertion->parent) take(ElementRange{*insertion->parent, 1});
            continue;
        }
        for (const ElementRange& range : std::get<TextErasure>(op).ranges) take(range);
    }
    return part;
}

Dot TextNames::generation(const TextName& then) const {
    const auto known = texts_.find(then);
    if (known == texts_.end()) return then.generation;
    return known->second.generation.value_or(then.generation);
}

ElementId TextNames::name(const TextName& text, const ElementId& then) const {
    return names(text, ElementRange{then, 1}).front().first;
}

std::vector<ElementRange> TextNames::names(const TextName& text, const ElementRange& then) const {
    std::vector<ElementRange> pieces;
    const auto known = texts_.find(text);
    ElementRange left = then;
    const auto take = [&](const ElementId& now, std::uint64_t count) {
        pieces.push_back(ElementRange{now, count});
        left = ElementRange{moved(left.first, count), left.count - count};
    };
    if (known != texts_.end()) {
        const Runs& runs = known->second.runs;
        for (auto run = run_around(runs, then.first); run != runs.end() && left.count > 0; ++run) {
            if (run->first.actor != then.first.actor) break;
            if (run->first.index > left.first.index) {  // some before it kept their names
                const std::uint64_t gap = run->first.index - left.first.index;
                if (gap >= left.count) break;
                take(left.first, gap);
            }
            const std::uint64_t skipped = left.first.index - run->first.index;
            if (skipped >= run->second.count) continue;  // no name is given twice
            take(moved(run->second.now, skipped),
                 std::min(left.count, run->second.count - skipped));
        }
    }
    if (left.count > 0) take(left.first, left.count);
    return pieces;
}

void pack(Packer& out, const TextNames& names) {
    out.array(names.texts_.size());
    for (const auto& [text, renamed] : names.texts_) {
        out.array(4);
        out.bin(text.key);
        pack_generation(out, text.generation);
        if (renamed.generation) {
            pack_generation(out, *renamed.generation);
        } else {
            out.nil();
        }
        out.array(numbers_per_run * renamed.runs.size());
        for (const auto& [then, run] : renamed.runs) {
            pack_element(out, then);
            pack_element(out, run.now);
            out.uint(run.count);
        }
    }
}

TextNames unpack_text_names(Unpacker& in) {
    TextNames names;
    const std::size_t texts_count = in.array();
    for (std::size_t i = 0; i < texts_count && in.ok(); ++i) {
        in.array_of(4);
        TextName text;
        text.key = in.text(limits::key_bytes_max);
        text.generation = unpack_generation_name(in);
        TextNames::Renamed& renamed = names.texts_[text];
        if (!in.nil()) renamed.generation = unpack_generation_name(in);
        std::size_t numbers = in.array();
        if (numbers % numbers_per_run != 0) in.fail();
        for (; in.ok() && numbers > 0; numbers -= numbers_per_run) {
            const ElementId then = unpack_element(in);
            const ElementId now = unpack_element(in);
            const std::uint64_t count = in.uint();
            if (count == 0 || count > UINT64_MAX - std::max(then.index, now.index)) in.fail();
            renamed.runs.insert_or_assign(then, TextNames::Run{now, count});
        }
    }
    return names;
}

}  // namespace syncline
