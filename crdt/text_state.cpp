// The state of a text: its rows, and its way from them and from another state into memory.
#include <algorithm>
#include <numeric>

#include "crdt/text.hpp"
#include "crdt/text_content.hpp"
#include "crdt/text_utf8.hpp"

namespace syncline {

namespace {

std::uint64_t cut_before(std::uint64_t index, std::uint64_t cuts) {
    return index - index % cuts;
}

void sort_unique(std::vector<TextRowName>& names) {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
}

/// Walks through a tree from its first element to its last one and writes down the spans.
/// Chains are walked in one go up to elements that have children of other chains.
class Traversal {
public:
    Traversal(const TextTree& tree, const TextContent& content, TextIndex& index)
        : tree_(tree), content_(content), index_(index), branches_(tree.actors_count()) {
        for (std::uint32_t actor = 0; actor < tree.actors_count(); ++actor) {
            for (const std::uint32_t number : tree.chains(actor)) {
                const TextElement& parent = tree.chain(number).parent;
                if (parent != TextTree::root) branches_[parent.actor].push_back(parent.index);
            }
        }
        for (auto& branches : branches_) std::sort(branches.begin(), branches.end());
    }

    /// Answers the number of elements it has met. Those of a cycle are not among them.
    std::uint64_t run() {
        push(tree_.children(TextTree::root, Side::right));
        while (!tasks_.empty()) {
            const Task task = tasks_.back();
            tasks_.pop_back();
            if (task.left_done) {
                emit(task.element, task.element.index + 1);
                push(tree_.children(task.element, Side::right));
            } else {
                enter(task.element);
            }
        }
        return met_;
    }

private:
    /// The subtree of an element, or the rest of it after the left children.
    struct Task {
        TextElement element;
        bool left_done;
    };

    /// Actors have the same numbers in tree and content.
    void emit(TextElement first, std::uint64_t end) {
        const auto& pieces = content_.actors[first.actor].pieces;
        auto piece = std::upper_bound(
            pieces.begin(), pieces.end(), first.index,
            [](std::uint64_t index, const auto& other) { return index < other.first; });
        met_ += end - first.index;
        for (--piece; first.index < end; ++piece) {
            const std::uint64_t skipped = first.index - piece->first;
            const std::uint64_t length = std::min(end - first.index, piece->length - skipped);
            const BytesView rest = piece->text.substr(point_offset(piece->text, skipped));
            index_.append({first.actor, static_cast<std::uint32_t>(length), first.index,
                           Bytes(rest.substr(0, point_offset(rest, length)))});
            first.index += length;
        }
    }

    void enter(const TextElement& element) {
        const std::uint64_t end = tree_.end_of(tree_.chain_of(element));
        const auto& branches = branches_[element.actor];
        const auto branch = std::lower_bound(branches.begin(), branches.end(), element.index);
        if (branch == branches.end() || *branch >= end) return emit(element, end);
        if (*branch > element.index) emit(element, *branch);
        const TextElement parent = {element.actor, *branch};
        tasks_.push_back({parent, true});
        push(tree_.children(parent, Side::left));
    }

    /// The first one is done next.
    void push(const std::vector<TextElement>& elements) {
        for (auto element = elements.rbegin(); element != elements.rend(); ++element) {
            tasks_.push_back({*element, false});
        }
    }

    const TextTree& tree_;
    const TextContent& content_;
    TextIndex& index_;
    std::vector<std::vector<std::uint64_t>> branches_;  // elements with children, by actor
    std::vector<Task> tasks_;
    std::uint64_t met_ = 0;
};

/// Makes the tree out of its chains.
Result<TextTree> build_tree(const TextContent& content) {
    TextTree tree;
    for (const TextActorContent& actor : content.actors) tree.add_actor(actor.actor);
    for (std::uint32_t number = 0; number < content.actors.size(); ++number) {
        const TextActorContent& actor = content.actors[number];
        for (std::size_t i = 0; i < actor.chains.size(); ++i) {
            const TextActorContent::Chain& chain = actor.chains[i];
            const bool last = i + 1 == actor.chains.size();
            const std::uint64_t end = last ? actor.counters.size() : actor.chains[i + 1].first;
            TextElement parent = TextTree::root;
            if (chain.parent) {
                const auto owner = tree.actor_number(chain.parent->actor);
                if (!owner) return Error{Code::corrupt, "text: a parent's actor is missing"};
                parent = {*owner, chain.parent->index};
            }
            tree.add_unlinked(number, end - chain.first, parent, chain.side);
        }
    }
    if (!tree.link_chains()) return Error{Code::corrupt, "text: a parent is missing"};
    return tree;
}

}  // namespace

std::vector<std::uint32_t> Text::actors_ascending() const {
    std::vector<std::uint32_t> numbers(tree_.actors_count());
    std::iota(numbers.begin(), numbers.end(), 0U);
    std::sort(numbers.begin(), numbers.end(),
              [this](std::uint32_t a, std::uint32_t b) { return tree_.actor(a) < tree_.actor(b); });
    return numbers;
}

TextContent Text::content() const {
    TextContent content;
    for (const std::uint32_t number : actors_ascending()) {
        TextActorContent actor{tree_.actor(number), {}, {}, counters_[number]};
        for (const std::uint32_t chain_number : tree_.chains(number)) {
            const TextTree::Chain& chain = tree_.chain(chain_number);
            std::optional<ElementId> parent;
            if (chain.parent != TextTree::root) parent = tree_.id(chain.parent);
            actor.chains.push_back({chain.first, parent, chain.side});
        }
        for (TextElement element{number, 0}; element.index < tree_.count(number);) {
            const TextSpan& span = index_.span(index_.find(element));
            actor.pieces.push_back({span.first, span.length, span.text});
            element.index += span.length;
        }
        content.actors.push_back(std::move(actor));
    }
    return content;
}

Result<Text> Text::build(const TextContent& content) {
    Text text;
    SYNCLINE_TRY(text.tree_, build_tree(content));
    std::uint64_t elements = 0;
    for (const TextActorContent& actor : content.actors) {
        text.counters_.push_back(actor.counters);
        elements += actor.counters.size();
    }
    const std::uint64_t met = Traversal(text.tree_, content, text.index_).run();
    if (met != elements) return Error{Code::corrupt, "text: elements hang on each other"};
    return text;
}

Result<Text> Text::load(std::span<const Row> rows) {
    SYNCLINE_TRY(const TextContent content, read_text_content(rows));
    return build(content);
}

Result<void> Text::join(const Text& other) {
    SYNCLINE_TRY(const TextContent joined, join_text_contents(content(), other.content()));
    SYNCLINE_TRY(Text text, build(joined));
    *this = std::move(text);
    return {};
}

Text::Extent Text::run_around(const TextElement& element) const {
    const TextTree::Chain& chain = tree_.chain_of(element);
    const std::uint64_t cut = cut_before(element.index, text_run_length_max);
    return {std::max(chain.first, cut), std::min(tree_.end_of(chain), cut + text_run_length_max)};
}

/// Names of the runs that have elements of [first, end).
void Text::add_runs(std::uint32_t actor, std::uint64_t first, std::uint64_t end,
                    std::vector<TextRowName>& names) const {
    while (first < end) {
        const Extent run = run_around({actor, first});
        names.push_back({TextRowName::Kind::run, tree_.actor(actor), run.first});
        first = run.end;
    }
}

void Text::add_erased(std::uint32_t actor, std::vector<TextRowName>& names) const {
    for (TextElement element{actor, 0}; element.index < tree_.count(actor);) {
        const TextSpan& span = index_.span(index_.find(element));
        std::uint64_t first = cut_before(span.first, text_erased_row_indexes);
        for (; !span.live() && first < span.end(); first += text_erased_row_indexes) {
            names.push_back({TextRowName::Kind::erased, tree_.actor(actor), first});
        }
        element.index = span.end();
    }
}

std::vector<TextRowName> Text::rows() const {
    std::vector<TextRowName> names;
    for (std::uint32_t actor = 0; actor < tree_.actors_count(); ++actor) {
        add_runs(actor, 0, tree_.count(actor), names);
        add_erased(actor, names);
    }
    sort_unique(names);
    return names;
}

std::vector<TextRowName> Text::rows_of(const TextOp& op) const {
    std::vector<TextRowName> names;
    const auto add = [&](const ElementId& id, std::uint64_t count) {
        const std::optional<TextElement> first = tree_.find(id);
        SYNCLINE_ASSERT(first.has_value());
        add_runs(first->actor, id.index, id.index + count, names);
    };
    if (const auto* insertion = std::get_if<TextInsertion>(&op)) {
        add(insertion->first, count_points(insertion->text));
    } else {
        for (const ElementRange& range : std::get<TextErasure>(op).ranges) {
            add(range.first, range.count);
            std::uint64_t first = cut_before(range.first.index, text_erased_row_indexes);
            const std::uint64_t end = range.first.index + range.count;
            for (; first < end; first += text_erased_row_indexes) {
                names.push_back({TextRowName::Kind::erased, range.first.actor, first});
            }
        }
    }
    sort_unique(names);
    return names;
}

TextRunRow Text::run_row(const TextElement& first) const {
    const Extent run = run_around(first);
    SYNCLINE_ASSERT(run.first == first.index);
    const TextTree::Chain& chain = tree_.chain_of(first);
    TextRunRow row;
    row.length = run.end - run.first;
    if (chain.first < run.first) {
        row.parent = tree_.id({first.actor, first.index - 1});
    } else {
        if (chain.parent != TextTree::root) row.parent = tree_.id(chain.parent);
        row.side = chain.side;
    }
    row.counter = counters_[first.actor].at(run.first);
    row.steps = counters_[first.actor].steps(run.first, row.length);
    for (TextElement element = first; element.index < run.end;) {
        const TextIndex::Place place = index_.find(element);
        const TextSpan& span = index_.span(place);
        const std::uint64_t end = std::min(span.end(), run.end);
        if (span.live()) {
            const std::size_t begin = span.byte_at(place.offset);
            row.live.append(span.text, begin, span.byte_at(end - span.first) - begin);
        }
        element.index = end;
    }
    return row;
}

TextErasedRow Text::erased_row(std::uint32_t actor, std::uint64_t first) const {
    TextErasedRow row;
    const std::uint64_t end = std::min(tree_.count(actor), first + text_erased_row_indexes);
    while (first < end) {
        const TextSpan& span = index_.span(index_.find({actor, first}));
        const std::uint64_t here = std::min(span.end(), end) - first;
        if (!span.live()) {
            const bool touches = !row.empty() && row.back().first + row.back().second == first;
            if (!touches) row.emplace_back(first, 0);
            row.back().second += here;
        }
        first += here;
    }
    return row;
}

Bytes Text::row(const TextRowName& name) const {
    const std::optional<TextElement> first = tree_.find({name.actor, name.first});
    SYNCLINE_ASSERT(first.has_value());
    Bytes bytes;
    ByteWriter out(bytes);
    if (name.kind == TextRowName::Kind::run) {
        write(out, name, run_row(*first));
    } else {
        write(out, name, erased_row(first->actor, name.first));
    }
    return bytes;
}

void Text::check_invariants() const {
    index_.check();
    SYNCLINE_ASSERT(counters_.size() == tree_.actors_count());
    for (std::uint32_t actor = 0; actor < tree_.actors_count(); ++actor) {
        SYNCLINE_ASSERT(counters_[actor].size() == tree_.count(actor));
    }
    const Result<Text> rebuilt = build(content());
    SYNCLINE_ASSERT(rebuilt.has_value());
    SYNCLINE_ASSERT(rebuilt->text() == text());
}

}  // namespace syncline
