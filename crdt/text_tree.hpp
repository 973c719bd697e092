#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "crdt/text_child_table.hpp"
#include "crdt/text_index.hpp"
#include "crdt/text_op.hpp"

namespace syncline {

/// The tree of a text as chains: only the first element of a chain has a parent on record, each
/// other one is the right child of the one before it, with the next index of the same actor.
/// Knows where elements hang, not whether they are live; one actor's elements are 0 to count - 1.
/// Source: Weidner & Kleppmann, "The Art of the Fugue", 2023, algorithm 1.
/// Thread-safety: a value; confined to one thread, concurrent const use is safe.
class TextTree {
public:
    /// Stands for the parent of elements that hang at the root.
    static constexpr TextElement root = {std::numeric_limits<std::uint32_t>::max(), 0};

    struct Chain {
        std::uint64_t first = 0;
        TextElement parent = root;
        std::uint32_t actor = 0;
        std::uint32_t next_sibling = none;  ///< same parent and side, ascending by id
        Side side = Side::right;
        bool forked = false;  ///< an element before the last one has another right child, too
    };

    /// Where an element belongs in the traversal: beside a neighbour, or at the beginning.
    struct Spot {
        enum class Where : std::uint8_t { first, before, after };
        Where where = Where::first;
        TextElement neighbour = root;
    };

    /// Actors have numbers in the order in which they were added.
    [[nodiscard]] std::optional<std::uint32_t> actor_number(const Actor& actor) const {
        const bool writing = writing_ < actors_count() && actors_[writing_].actor == actor;
        const std::uint32_t number = writing ? writing_ : look_up(actor);
        return number == none ? std::nullopt : std::optional(number);
    }
    std::uint32_t add_actor(const Actor& actor);
    [[nodiscard]] std::uint32_t actors_count() const {
        return static_cast<std::uint32_t>(actors_.size());
    }
    [[nodiscard]] const Actor& actor(std::uint32_t number) const { return actors_[number].actor; }
    /// Elements of this actor: the next one's index.
    [[nodiscard]] std::uint64_t count(std::uint32_t actor) const { return actors_[actor].count; }
    [[nodiscard]] ElementId id(const TextElement& element) const {
        return {actor(element.actor), element.index};
    }
    /// Nothing if there is no such element.
    [[nodiscard]] std::optional<TextElement> find(const ElementId& id) const {
        const std::optional<std::uint32_t> number = actor_number(id.actor);
        if (!number || id.index >= count(*number)) return std::nullopt;
        return TextElement{*number, id.index};
    }

    /// Numbers of the actor's chains, ascending by their first index.
    [[nodiscard]] const std::vector<std::uint32_t>& chains(std::uint32_t actor) const {
        return actors_[actor].chains;
    }
    [[nodiscard]] const Chain& chain(std::uint32_t number) const { return chains_[number]; }
    /// The chain that an element is in.  O(log chains).
    [[nodiscard]] const Chain& chain_of(const TextElement& element) const {
        return chains_[chain_number(element)];
    }
    /// One past its last index.  O(log chains).
    [[nodiscard]] std::uint64_t end_of(const Chain& chain) const;
    /// The element after this one in its chain exists.
    [[nodiscard]] bool continues(const TextElement& element) const;
    /// Ascending by id. The root may be asked, too.
    [[nodiscard]] std::vector<TextElement> children(const TextElement& parent, Side side) const;
    /// The root may be asked, too.  O(log chains).
    [[nodiscard]] bool has_right_child(const TextElement& element) const;

    /// Where the actor's next element belongs if it hangs here. O(log chains), and with siblings
    /// their number and the depth of the subtree of one of them.
    [[nodiscard]] Spot spot(std::uint32_t actor, const TextElement& parent, Side side) const;
    /// Gives an actor `count` more elements, the first of which hangs here.
    void add(std::uint32_t actor, std::uint64_t count, const TextElement& parent, Side side);

    /// For building: like add, but a parent may come later; link_chains ends it.
    void add_unlinked(std::uint32_t actor, std::uint64_t count, const TextElement& parent,
                      Side side);
    /// Hangs all chains below their parents. False if one of these does not exist.
    bool link_chains();

private:
    static constexpr std::uint32_t none = TextChildTable::none;

    struct ActorElements {
        Actor actor;
        std::uint64_t count = 0;
        std::vector<std::uint32_t> chains;
        bool last_has_right_chain = false;  // a chain hangs on the right of the last element
    };

    [[nodiscard]] std::uint32_t look_up(const Actor& actor) const;
    [[nodiscard]] std::uint32_t chain_number(const TextElement& element) const;
    [[nodiscard]] bool less(const TextElement& a, const TextElement& b) const;
    [[nodiscard]] std::uint32_t first_child(const TextElement& parent, Side side) const {
        return first_children_.find(parent, side);
    }
    [[nodiscard]] bool is_continuation(std::uint32_t actor, const TextElement& parent,
                                       Side side) const;
    [[nodiscard]] Spot left_spot(const TextElement& parent, const TextElement& element) const;
    [[nodiscard]] Spot right_spot(const TextElement& parent, const TextElement& element) const;
    [[nodiscard]] TextElement leftmost(TextElement element) const;
    [[nodiscard]] TextElement rightmost(TextElement element) const;
    [[nodiscard]] std::optional<TextElement> last_right_child(const TextElement& parent,
                                                              const TextElement* below) const;
    void link(std::uint32_t number);

    std::vector<ActorElements> actors_;
    std::vector<std::pair<Actor, std::uint32_t>> numbers_;  // ascending by actor
    std::vector<Chain> chains_;
    TextChildTable first_children_;
    std::uint32_t writing_ = 0;  // whose elements came last: mostly the next ones are theirs, too
};

}  // namespace syncline
