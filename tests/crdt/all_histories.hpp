#pragma once
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/crdt/history.hpp"

/// Every history of a few operations by three replicas: who does each of them, having seen which of
/// the others, at which of the times that clocks allow. And of each history every state that a
/// replica or a reader can come to.
namespace syncline::test {

/// A set of events of one history, as bits. States belong to closed ones: each event in them has
/// its past there.
using EventSet = unsigned;

/// What is checked, of one type:
///   Operation, State         what the specification takes; a value-initialized one is empty
///   timed                    timestamps matter
///   operations(state, actor, number)   the few that a replica may do there, the number-th of all
///   Delta delta(operation, state, dot) what production code ships
///   apply(state, event, delta), join(a, a_context, b, b_context)    production code
///   collect(state, cut)      false when there is nothing that a cut could change
///   wrong(state, visible)    what is not as the specification says, in words
///   same(a, b)               equal bytes
template <typename System>
class AllHistories {
public:
    using Operation = typename System::Operation;
    using State = typename System::State;
    using Delta = typename System::Delta;
    using Event = spec::Event<Operation>;

    explicit AllHistories(std::size_t operations_max) : operations_max_(operations_max) {
        states_[0] = State{};
        closed_.push_back(0);
    }

    /// The first thing that is wrong in words, or nothing.
    std::string run() {
        extend();
        return failure_;
    }
    [[nodiscard]] std::uint64_t histories() const { return histories_; }

private:
    static constexpr std::uint32_t replicas_count = 3;
    static constexpr std::size_t operations_limit = 6;

    struct Node {
        Event event;
        Delta delta;
        EventSet past = 0;
    };
    /// A delta rests on a state that was collected: the origin had all of `had`, and knew that
    /// every replica has all of `cut`. Whatever is not in `had` was or will be done with `cut` in
    /// its past.
    struct Collected {
        EventSet cut = 0;
        EventSet had = 0;
    };

    [[nodiscard]] static bool contains(EventSet whole, EventSet part) {
        return (part & ~whole) == 0;
    }

    /// Histories are listed in the order of their timestamps, and of equal ones by actor: each
    /// once. Where timestamps do not matter, in any order in which neighbours that do not know of
    /// each other come by actor, of which there is at least one.
    void extend() {
        if (nodes_.size() == operations_max_) return;
        const std::size_t closed_count = closed_.size();
        for (std::uint32_t node = 1; node <= replicas_count; ++node) {
            for (std::size_t i = 0; i < closed_count && failure_.empty(); ++i) {
                extend(Actor{node, 1}, closed_[i]);
            }
        }
    }

    void extend(const Actor& actor, EventSet past) {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (nodes_[i].event.dot.actor == actor && !contains(past, 1U << i)) return;
        }
        for (const Collected& collected : collected_) {
            if (!contains(past, collected.cut)) return;
        }
        Event event;
        event.past = vectors_[past];
        event.dot = Dot{actor, event.past.counter(actor) + 1};
        const std::uint64_t last = nodes_.empty() ? 0 : nodes_.back().event.hlc.bits;
        const bool beside_last = !nodes_.empty() && !contains(past, 1U << (nodes_.size() - 1));
        const bool after_last = !beside_last || nodes_.back().event.dot.actor < actor;
        if (System::timed || after_last) {
            event.hlc.bits = last + 1;
            extend(event, past);
        }
        // The same time, if that of all that was seen is smaller.
        const auto earlier = [&](std::size_t i) { return nodes_[i].event.hlc.bits < last; };
        bool may_tie = System::timed && beside_last && after_last;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (contains(past, 1U << i)) may_tie = may_tie && earlier(i);
        }
        if (may_tie) {
            event.hlc.bits = last;
            extend(event, past);
        }
    }

    void extend(Event& event, EventSet past) {
        const State base = states_[past];
        for (const Operation& operation :
             System::operations(base, event.dot.actor, nodes_.size() + 1)) {
            event.operation = operation;
            for (const auto& [delta, cut] : deltas(event, past, base)) {
                if (!failure_.empty()) return;
                const std::size_t closed_before = closed_.size();
                nodes_.push_back(Node{event, delta, past});
                if (cut != 0) collected_.push_back(Collected{cut, past});
                ++histories_;
                add_states();
                extend();
                if (cut != 0) collected_.pop_back();
                nodes_.pop_back();
                closed_.resize(closed_before);
            }
        }
    }

    /// What the origin may ship: it does not depend on what it has collected, or it does.
    std::vector<std::pair<Delta, EventSet>> deltas(const Event& event, EventSet past,
                                                   const State& base) {
        std::vector<std::pair<Delta, EventSet>> found;
        found.emplace_back(System::delta(event.operation, base, event.dot), 0);
        if (!System::collect(State(base), vectors_[past])) return found;
        for (const EventSet cut : closed_) {
            if (cut == 0 || !contains(past, cut) || !contains(stable(past), cut)) continue;
            State collected = base;
            System::collect(collected, vectors_[cut]);
            Delta delta = System::delta(event.operation, collected, event.dot);
            const bool known = std::any_of(found.begin(), found.end(), [&](const auto& other) {
                return other.first == delta && contains(cut, other.second);
            });
            if (!known) found.emplace_back(std::move(delta), cut);
        }
        return found;
    }

    /// The largest cut of whoever has seen these: what all others, too, had seen of them before
    /// they did what is not among them.
    [[nodiscard]] EventSet stable(EventSet seen) const {
        EventSet cut = seen;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (!contains(seen, 1U << i)) cut &= nodes_[i].past;
        }
        return cut;
    }

    /// All states with the new event, each by every event that may have come last: by induction
    /// every causal order leads to it.
    void add_states() {
        const Node& node = nodes_.back();
        const EventSet own = 1U << (nodes_.size() - 1);
        const std::size_t before = closed_.size();
        for (std::size_t i = 0; i < before && failure_.empty(); ++i) {
            if (!contains(closed_[i], node.past)) continue;
            const EventSet now = closed_[i] | own;
            closed_.push_back(now);
            vectors_[now] = vectors_[closed_[i]];
            vectors_[now].add(node.event.dot);
            states_[now] = states_[closed_[i]];
            System::apply(states_[now], node.event, node.delta);
            check_orders(now);
            check_meaning(states_[now], now, "");
        }
        for (std::size_t i = before; i < closed_.size() && failure_.empty(); ++i) {
            for (const EventSet other : closed_) check_join(closed_[i], other);
        }
        check_collected();
    }

    void check_orders(EventSet now) {
        for (std::size_t i = 0; i + 1 < nodes_.size(); ++i) {
            const EventSet one = 1U << i;
            if (!contains(now, one)) continue;
            const auto needs = [&](const Node& node) { return contains(node.past, one); };
            bool last = true;
            for (std::size_t j = i + 1; j < nodes_.size(); ++j) {
                last = last && !(contains(now, 1U << j) && needs(nodes_[j]));
            }
            if (!last) continue;
            State state = states_[now & ~one];
            System::apply(state, nodes_[i].event, nodes_[i].delta);
            if (!System::same(state, states_[now])) fail("another order gave another state", now);
        }
    }

    [[nodiscard]] spec::Events<Operation> events_in(EventSet seen) const {
        spec::Events<Operation> events;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (contains(seen, 1U << i)) events.push_back(nodes_[i].event);
        }
        return events;
    }

    void check_meaning(const State& state, EventSet seen, const std::string& how) {
        const std::string wrong = System::wrong(state, events_in(seen), vectors_[seen]);
        if (!wrong.empty()) fail(how + wrong, seen);
    }

    /// The join of the states of two sets is the state of their union. So it is commutative,
    /// associative, idempotent and absorbing; and joining the delta-state, or the origin's whole
    /// state, is applying the event.
    void check_join(EventSet a, EventSet b) {
        const EventSet both = a | b;
        for (const auto& [one, other] : {std::pair(a, b), std::pair(b, a)}) {
            const State joined =
                System::join(states_[one], vectors_[one], states_[other], vectors_[other]);
            if (!System::same(joined, states_[both])) {
                fail("the join of " + words(one) + " and " + words(other) + " is another state",
                     both);
            }
        }
    }

    /// Beside each state the one that is collected by the largest cut: it shows the same; the next
    /// event, or a join with another one, leads to the collected state of the union.
    void check_collected() {
        bool any = false;
        std::array<std::optional<State>, 1U << operations_limit> collected;
        for (const EventSet seen : closed_) {
            const EventSet cut = stable(seen);
            State state = states_[seen];
            any = System::collect(state, vectors_[cut]) || any;
            collected[seen] = std::move(state);
        }
        if (!any) return;
        for (const EventSet seen : closed_) {
            check_meaning(*collected[seen], seen, "when collected, ");
            if (stable(seen) == seen && System::collect(State(*collected[seen]), vectors_[seen])) {
                fail("something is left that every replica has seen go", seen);
            }
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                const bool next = !contains(seen, 1U << i) && contains(seen, nodes_[i].past);
                if (!next) continue;
                State state = *collected[seen];
                System::apply(state, nodes_[i].event, nodes_[i].delta);
                check_union(std::move(state), seen | 1U << i, *collected[seen | 1U << i]);
            }
            for (const EventSet other : closed_) {
                const EventSet both = seen | other;
                check_union(System::join(*collected[seen], vectors_[seen], *collected[other],
                                         vectors_[other]),
                            both, *collected[both]);
                check_union(
                    System::join(*collected[seen], vectors_[seen], states_[other], vectors_[other]),
                    both, *collected[both]);
            }
        }
    }

    void check_union(State state, EventSet seen, const State& expected) {
        System::collect(state, vectors_[stable(seen)]);
        if (!System::same(state, expected)) fail("equal events and cut have other bytes", seen);
    }

    [[nodiscard]] std::string words(EventSet seen) const { return to_string(vectors_[seen]); }

    void fail(const std::string& what, EventSet seen) {
        if (!failure_.empty()) return;
        std::ostringstream text;
        text << what << ", at " << words(seen) << "; the operations were:\n";
        for (const Node& node : nodes_) {
            text << to_string(node.event.dot) << " on " << words(node.past) << " at "
                 << node.event.hlc.bits << ": " << System::words(node.event.operation) << '\n';
        }
        for (const Collected& one : collected_) {
            text << "what was made on " << words(one.had) << " was made after collecting by "
                 << words(one.cut) << '\n';
        }
        failure_ = text.str();
    }

    std::size_t operations_max_;
    std::uint64_t histories_ = 0;
    std::vector<Node> nodes_;
    std::vector<EventSet> closed_;  ///< subsets come before what they are part of
    std::array<State, 1U << operations_limit> states_;
    std::array<VersionVector, 1U << operations_limit> vectors_;
    std::vector<Collected> collected_;
    std::string failure_;
};

/// Runs all histories of SYNCLINE_EXHAUSTIVE operations, 3 unless it says otherwise.
template <typename System>
void check_all_histories() {
    const std::size_t operations = count_from("SYNCLINE_EXHAUSTIVE", 3);
    const auto start = std::chrono::steady_clock::now();
    AllHistories<System> histories(operations);
    const std::string failure = histories.run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    BOOST_TEST_MESSAGE(histories.histories() << " histories of up to " << operations
                                             << " operations in " << took.count() << " s");
    BOOST_REQUIRE_MESSAGE(failure.empty(), failure);
    BOOST_TEST(histories.histories() > operations);
}

/// A type of cells. Subjects say with few() which operations are enough to meet every rule.
template <CellSubject Subject>
struct CellSystem {
    using Operation = typename Subject::Operation;
    using State = Cell;
    using Delta = CellDelta;
    static constexpr CellType type = Subject::type;
    static constexpr bool timed = traits_of(type).has_values;

    static std::vector<Operation> operations(const Cell& /*cell*/, const Actor& /*actor*/,
                                             std::uint64_t number) {
        return Subject::few(number);
    }
    static Delta delta(const Operation& operation, const Cell& cell, const Dot& dot) {
        return Subject::delta(operation, cell, dot);
    }
    static void apply(Cell& cell, const spec::Event<Operation>& event, const Delta& delta) {
        cell.apply(delta, type, event.dot, event.hlc, event.past);
    }
    static Cell join(const Cell& a, const VersionVector& a_context, const Cell& b,
                     const VersionVector& b_context) {
        return Cell::join(a, a_context, b, b_context);
    }
    static bool collect(Cell& cell, const VersionVector& cut) {
        if (!cell.collectable(type)) return false;
        Cell before = cell;
        cell.collect(type, cut);
        return cell != before;
    }
    static bool collect(Cell&& cell, const VersionVector& cut) { return collect(cell, cut); }
    static std::string wrong(const Cell& cell, const spec::Events<Operation>& visible,
                             const VersionVector& seen) {
        if (!Subject::agrees(cell, visible)) return "the value is not what the history says";
        const Bytes bytes = bytes_of(cell, type);
        const Result<Cell> again = read_cell(bytes, type);
        if (!again || *again != cell) return "bytes do not read back: " + to_hex(bytes);
        for (const auto& entry : cell.dots.entries()) {
            if (!seen.covers(entry.dot)) return "a live dot is not in the context";
        }
        return {};
    }
    static bool same(const Cell& a, const Cell& b) { return a == b; }
    static std::string words(const Operation& operation) { return Subject::words(operation); }
};

}  // namespace syncline::test
