#include "crdt/text_tree.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace syncline {

namespace {

bool number_before(const std::pair<Actor, std::uint32_t>& entry, const Actor& actor) {
    return entry.first < actor;
}

}  // namespace

/// The actor's number, or none.
std::uint32_t TextTree::look_up(const Actor& actor) const {
    const auto found = std::lower_bound(numbers_.begin(), numbers_.end(), actor, number_before);
    return found == numbers_.end() || found->first != actor ? none : found->second;
}

std::uint32_t TextTree::add_actor(const Actor& actor) {
    const auto place = std::lower_bound(numbers_.begin(), numbers_.end(), actor, number_before);
    if (place != numbers_.end() && place->first == actor) return place->second;
    const std::uint32_t number = actors_count();
    numbers_.insert(place, {actor, number});
    actors_.push_back({actor, 0, {}, false});
    return number;
}

std::uint32_t TextTree::chain_number(const TextElement& element) const {
    const std::vector<std::uint32_t>& own = chains(element.actor);
    if (chains_[own.back()].first <= element.index) return own.back();
    const auto after = std::upper_bound(own.begin(), own.end(), element.index,
                                        [this](std::uint64_t index, std::uint32_t number) {
                                            return index < chains_[number].first;
                                        });
    return *(after - 1);
}

std::uint64_t TextTree::end_of(const Chain& chain) const {
    const std::vector<std::uint32_t>& own = chains(chain.actor);
    const auto after = std::upper_bound(own.begin(), own.end(), chain.first,
                                        [this](std::uint64_t index, std::uint32_t number) {
                                            return index < chains_[number].first;
                                        });
    return after == own.end() ? count(chain.actor) : chains_[*after].first;
}

bool TextTree::continues(const TextElement& element) const {
    const TextElement next = {element.actor, element.index + 1};
    return next.index < count(element.actor) && chain_of(next).first != next.index;
}

std::vector<TextElement> TextTree::children(const TextElement& parent, Side side) const {
    std::vector<TextElement> found;
    for (std::uint32_t number = first_child(parent, side); number != none;) {
        const Chain& chain = chains_[number];
        found.push_back({chain.actor, chain.first});
        number = chain.next_sibling;
    }
    if (side == Side::left || parent == root || !continues(parent)) return found;
    const TextElement next = {parent.actor, parent.index + 1};
    const auto less_than = [this](const TextElement& a, const TextElement& b) {
        return less(a, b);
    };
    found.insert(std::lower_bound(found.begin(), found.end(), next, less_than), next);
    return found;
}

bool TextTree::has_right_child(const TextElement& element) const {
    if (element == root) return first_child(root, Side::right) != none;
    return continues(element) || first_child(element, Side::right) != none;
}

bool TextTree::less(const TextElement& a, const TextElement& b) const {
    return a.actor == b.actor ? a.index < b.index : actor(a.actor) < actor(b.actor);
}

bool TextTree::is_continuation(std::uint32_t actor, const TextElement& parent, Side side) const {
    return side == Side::right && parent.actor == actor && parent.index + 1 == count(actor);
}

TextTree::Spot TextTree::spot(std::uint32_t actor, const TextElement& parent, Side side) const {
    const TextElement element = {actor, count(actor)};
    if (side == Side::left) return left_spot(parent, element);
    const bool alone = is_continuation(actor, parent, side) && !actors_[actor].last_has_right_chain;
    if (alone) return {Spot::Where::after, parent};
    return right_spot(parent, element);
}

/// Before the subtree of the next sibling; without one directly before the parent.
TextTree::Spot TextTree::left_spot(const TextElement& parent, const TextElement& element) const {
    for (std::uint32_t number = first_child(parent, Side::left); number != none;) {
        const Chain& chain = chains_[number];
        const TextElement sibling = {chain.actor, chain.first};
        if (less(element, sibling)) return {Spot::Where::before, leftmost(sibling)};
        number = chain.next_sibling;
    }
    return {Spot::Where::before, parent};
}

/// After the subtree of the sibling before it; without one directly after the parent.
TextTree::Spot TextTree::right_spot(const TextElement& parent, const TextElement& element) const {
    const std::optional<TextElement> sibling = last_right_child(parent, &element);
    if (sibling) return {Spot::Where::after, rightmost(*sibling)};
    if (parent == root) return {Spot::Where::first, root};
    return {Spot::Where::after, parent};
}

/// Of all right children, or of those below an id.
std::optional<TextElement> TextTree::last_right_child(const TextElement& parent,
                                                      const TextElement* below) const {
    std::optional<TextElement> last;
    if (parent != root && continues(parent)) {
        const TextElement next = {parent.actor, parent.index + 1};
        if (below == nullptr || less(next, *below)) last = next;
    }
    for (std::uint32_t number = first_child(parent, Side::right); number != none;) {
        const Chain& chain = chains_[number];
        const TextElement child = {chain.actor, chain.first};
        if (below != nullptr && !less(child, *below)) break;
        if (!last || less(*last, child)) last = child;
        number = chain.next_sibling;
    }
    return last;
}

/// The first element of a subtree.
TextElement TextTree::leftmost(TextElement element) const {
    for (std::uint32_t number = first_child(element, Side::left); number != none;) {
        element = {chains_[number].actor, chains_[number].first};
        number = first_child(element, Side::left);
    }
    return element;
}

/// The last element of a subtree.
TextElement TextTree::rightmost(TextElement element) const {
    for (;;) {
        const Chain& chain = chain_of(element);
        if (!chain.forked) element.index = end_of(chain) - 1;
        const std::optional<TextElement> child = last_right_child(element, nullptr);
        if (!child) return element;
        element = *child;
    }
}

void TextTree::add(std::uint32_t actor, std::uint64_t count, const TextElement& parent, Side side) {
    const bool had_chain = actors_[actor].last_has_right_chain;
    if (is_continuation(actor, parent, side)) {
        if (had_chain) chains_[actors_[actor].chains.back()].forked = true;
        actors_[actor].count += count;
    } else {
        add_unlinked(actor, count, parent, side);
        link(actors_[actor].chains.back());
    }
    actors_[actor].last_has_right_chain = false;
    writing_ = actor;
}

void TextTree::add_unlinked(std::uint32_t actor, std::uint64_t count, const TextElement& parent,
                            Side side) {
    ActorElements& elements = actors_[actor];
    if (!is_continuation(actor, parent, side)) {
        elements.chains.push_back(static_cast<std::uint32_t>(chains_.size()));
        chains_.push_back({elements.count, parent, actor, none, side, false});
    }
    elements.count += count;
}

bool TextTree::link_chains() {
    first_children_.reserve(chains_.size());
    for (std::uint32_t number = 0; number < chains_.size(); ++number) {
        const TextElement& parent = chains_[number].parent;
        const bool exists =
            parent == root || (parent.actor < actors_count() && parent.index < count(parent.actor));
        if (!exists || (parent == root && chains_[number].side == Side::left)) return false;
        link(number);
    }
    return true;
}

/// Enters a chain among its siblings.
void TextTree::link(std::uint32_t number) {
    Chain& chain = chains_[number];
    const TextElement element = {chain.actor, chain.first};
    const auto precedes = [this, &element](std::uint32_t sibling) {
        return less({chains_[sibling].actor, chains_[sibling].first}, element);
    };
    std::uint32_t* link = &first_children_.entry(chain.parent, chain.side);
    while (*link != none && precedes(*link)) link = &chains_[*link].next_sibling;
    chain.next_sibling = *link;
    *link = number;
    if (chain.parent == root || chain.side == Side::left) return;
    ActorElements& owner = actors_[chain.parent.actor];
    if (chain.parent.index + 1 == owner.count) {
        owner.last_has_right_chain = true;
    } else if (continues(chain.parent)) {
        chains_[chain_number(chain.parent)].forked = true;
    }
}

}  // namespace syncline
