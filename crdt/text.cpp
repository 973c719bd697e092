#include "crdt/text.hpp"

#include <algorithm>

#include "crdt/text_utf8.hpp"

namespace syncline {

namespace {

Error invalid(const std::string& what) {
    return Error{Code::invalid_argument, what};
}

/// Appends elements [from, from + count) of a span's text.
void append_part(Bytes& out, const TextSpan& span, std::uint64_t from, std::uint64_t count) {
    const std::size_t begin = span.byte_at(from);
    out.append(span.text, begin, span.byte_at(from + count) - begin);
}

/// Extends the last range, or begins another one.
void add_range(std::vector<ElementRange>& ranges, const ElementId& first, std::uint64_t count) {
    if (!ranges.empty()) {
        ElementRange& last = ranges.back();
        const bool follows =
            last.first.actor == first.actor && last.first.index + last.count == first.index;
        if (follows) {
            last.count += count;
            return;
        }
    }
    ranges.push_back({first, count});
}

}  // namespace

std::uint64_t Text::elements_count() const {
    std::uint64_t count = 0;
    for (std::uint32_t actor = 0; actor < tree_.actors_count(); ++actor)
        count += tree_.count(actor);
    return count;
}

Bytes Text::text(std::uint64_t from, std::uint64_t count) const {
    Bytes out;
    if (from >= size()) return out;
    count = std::min(count, size() - from);
    out.reserve(count);
    for (std::optional<TextIndex::Place> place = index_.at(from); count > 0;) {
        const TextSpan& span = index_.span(*place);
        if (span.live()) {
            const std::uint64_t here = std::min<std::uint64_t>(span.length - place->offset, count);
            append_part(out, span, place->offset, here);
            count -= here;
        }
        if (count > 0) place = index_.next_span(*place);
    }
    return out;
}

std::optional<ElementId> Text::id_at(std::uint64_t position) const {
    if (position >= size()) return std::nullopt;
    return tree_.id(index_.element(index_.at(position)));
}

std::optional<std::uint64_t> Text::position_of(const ElementId& id) const {
    const std::optional<TextElement> element = tree_.find(id);
    if (!element) return std::nullopt;
    return index_.position_of(index_.find(*element));
}

std::vector<Text::Insertions> Text::unseen(const VersionVector& seen) const {
    std::vector<Insertions> all;
    for (std::uint32_t number = 0; number < tree_.actors_count(); ++number) {
        const Actor& actor = tree_.actor(number);
        const TextCounters& counters = counters_[number];
        std::uint64_t first = 0;
        std::uint64_t end = counters.size();
        while (first < end) {  // counters ascend
            const std::uint64_t middle = first + (end - first) / 2;
            if (counters.at(middle) <= seen.counter(actor)) {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        if (first == counters.size()) continue;
        Insertions insertions{Dot{actor, counters.last()}, {}};
        for (std::uint64_t index = first; index < counters.size(); ++index) {
            const ElementId id{actor, index};
            const std::uint64_t position = position_of(id).value();
            if (id_at(position) == id) insertions.live += text(position, 1);
        }
        all.push_back(std::move(insertions));
    }
    return all;
}

Result<TextInsertion> Text::insertion(const Actor& actor, std::uint64_t position,
                                      BytesView utf8) const {
    if (position > size()) {
        return invalid("position " + std::to_string(position) + " in a text of " +
                       std::to_string(size()));
    }
    if (utf8.empty() || !is_utf8(utf8)) return invalid("text to insert must be UTF-8, not empty");
    TextInsertion op;
    const std::optional<std::uint32_t> number = tree_.actor_number(actor);
    op.first = {actor, number ? tree_.count(*number) : 0};
    op.text = utf8;
    std::optional<TextIndex::Place> left;
    if (position > 0) left = index_.at(position - 1);
    const TextElement neighbour = left ? index_.element(*left) : TextTree::root;
    if (!tree_.has_right_child(neighbour)) {
        if (left) op.parent = tree_.id(neighbour);
        return op;
    }
    const std::optional<TextIndex::Place> next = left ? index_.next(*left) : index_.first();
    op.parent = tree_.id(index_.element(next.value()));
    op.side = Side::left;
    return op;
}

Result<TextErasure> Text::erasure(std::uint64_t position, std::uint64_t count) const {
    if (count == 0 || position >= size() || count > size() - position) {
        return invalid(std::to_string(count) + " characters from position " +
                       std::to_string(position) + " in a text of " + std::to_string(size()));
    }
    TextErasure op;
    for (std::optional<TextIndex::Place> place = index_.at(position); count > 0;) {
        const TextSpan& span = index_.span(*place);
        if (span.live()) {
            const std::uint64_t here = std::min<std::uint64_t>(span.length - place->offset, count);
            add_range(op.ranges, tree_.id(index_.element(*place)), here);
            count -= here;
        }
        if (count > 0) place = index_.next_span(*place);
    }
    return op;
}

Result<void> Text::check(const TextOp& op, const Dot& dot) const {
    if (const auto* insertion = std::get_if<TextInsertion>(&op)) {
        return check_insertion(*insertion, dot);
    }
    return check_erasure(std::get<TextErasure>(op));
}

Result<void> Text::check_insertion(const TextInsertion& op, const Dot& dot) const {
    const auto refuse = [&op](Code code, const std::string& why) {
        return Error{code, "insertion of " + to_string(op.first) + ": " + why};
    };
    if (op.first.actor != dot.actor) return refuse(Code::corrupt, "made by another actor");
    if (op.text.empty()) return refuse(Code::corrupt, "of nothing");
    if (!op.parent && op.side == Side::left) return refuse(Code::corrupt, "left of the root");
    const std::optional<std::uint32_t> actor = tree_.actor_number(dot.actor);
    const std::uint64_t count = actor ? tree_.count(*actor) : 0;
    if (op.first.index > count) return refuse(Code::causality, "characters before it are missing");
    if (op.first.index < count) return refuse(Code::corrupt, "these names are taken");
    const std::uint64_t last = actor ? counters_[*actor].last() : 0;
    if (dot.counter == 0 || dot.counter < last) return refuse(Code::corrupt, "out of turn");
    if (!op.parent || tree_.find(*op.parent)) return {};
    // An actor knows its own elements.
    return refuse(op.parent->actor == dot.actor ? Code::corrupt : Code::causality,
                  "parent " + to_string(*op.parent) + " is missing");
}

Result<void> Text::check_erasure(const TextErasure& op) const {
    if (op.ranges.empty()) return Error{Code::corrupt, "erasure of nothing"};
    for (const ElementRange& range : op.ranges) {
        const std::optional<std::uint32_t> actor = tree_.actor_number(range.first.actor);
        const std::uint64_t count = actor ? tree_.count(*actor) : 0;
        if (range.count == 0) return Error{Code::corrupt, "erasure of an empty range"};
        if (range.first.index >= count || range.count > count - range.first.index) {
            return Error{Code::causality, "erasure of " + std::to_string(range.count) + " from " +
                                              to_string(range.first) + ": they are missing"};
        }
    }
    return {};
}

Result<void> Text::apply(const TextOp& op, const Dot& dot) {
    if (const auto* insertion = std::get_if<TextInsertion>(&op)) {
        SYNCLINE_CHECK(check_insertion(*insertion, dot));
        insert(*insertion, dot);
    } else {
        SYNCLINE_CHECK(check_erasure(std::get<TextErasure>(op)));
        erase(std::get<TextErasure>(op));
    }
    return {};
}

std::uint32_t Text::add_actor(const Actor& actor) {
    const std::uint32_t number = tree_.add_actor(actor);
    if (number == counters_.size()) counters_.emplace_back();
    return number;
}

void Text::insert(const TextInsertion& op, const Dot& dot) {
    const std::optional<std::uint32_t> known = tree_.actor_number(dot.actor);
    const std::uint32_t actor = known ? *known : add_actor(dot.actor);
    const TextElement first = {actor, op.first.index};
    const TextElement parent = op.parent ? *tree_.find(*op.parent) : TextTree::root;
    const TextTree::Spot spot = tree_.spot(actor, parent, op.side);
    const std::uint64_t count = count_points(op.text);
    tree_.add(actor, count, parent, op.side);
    counters_[actor].append(count, dot.counter, 0);
    place(spot, first, op.text, count);
}

/// Enters new elements into the index, in spans that are not too long.
void Text::place(TextTree::Spot spot, TextElement first, BytesView utf8, std::uint64_t count) {
    using Where = TextTree::Spot::Where;
    while (count > 0) {
        const std::uint64_t here = std::min<std::uint64_t>(count, TextIndex::span_length_max);
        const std::size_t bytes = here == count ? utf8.size() : point_offset(utf8, here);
        TextSpan span{first.actor, static_cast<std::uint32_t>(here), first.index,
                      Bytes(utf8.substr(0, bytes))};
        const TextElement last = {first.actor, first.index + span.length - 1};
        switch (spot.where) {
            case Where::first:
                index_.insert_first(std::move(span));
                break;
            case Where::before:
                index_.insert_before(spot.neighbour, std::move(span));
                break;
            case Where::after:
                index_.insert_after(spot.neighbour, std::move(span));
                break;
        }
        spot = {Where::after, last};
        first.index = last.index + 1;
        utf8.remove_prefix(bytes);
        count -= here;
    }
}

void Text::erase(const TextErasure& op) {
    for (const ElementRange& range : op.ranges) {
        index_.erase(*tree_.find(range.first), range.count);
    }
}

}  // namespace syncline
