#pragma once
#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "crdt/cell.hpp"
#include "tests/crdt/spec.hpp"
#include "tests/support/seeds.hpp"

/// A generic checker: random or exhaustive histories of one cell on three replicas, delivered as
/// events in every causal order or as whole states, compared with a specification and with
/// each other after every step.
namespace syncline::test {

/// A count that a variable of the environment may set, for longer runs.
inline std::size_t count_from(const char* variable, std::size_t otherwise) {
    const char* const wanted = std::getenv(variable);
    return wanted == nullptr ? otherwise : std::strtoull(wanted, nullptr, 10);
}

/// Who decides what happens next.
class Chooser {
public:
    explicit Chooser(std::uint64_t seed) : random_(seed) {}
    /// One of 0 .. count - 1.
    std::size_t choose(std::size_t count) { return random_.below(count); }
    /// Material for an operation's values.
    std::uint64_t number() { return random_number(random_); }

private:
    SeededRandom random_;
};

/// A type under test:
///   Operation, type       what the specification takes, and the kind of cell
///   random_operation      an operation out of a chooser
///   delta                 what production code ships for an operation on a state
///   agrees                the state's value is what the specification says
template <typename Subject>
concept CellSubject = requires(Chooser& chooser, const Cell& cell, const Dot& dot,
                               const typename Subject::Operation& operation,
                               const spec::Events<typename Subject::Operation>& visible) {
    { Subject::type } -> std::convertible_to<CellType>;
    { Subject::random_operation(chooser) } -> std::same_as<typename Subject::Operation>;
    { Subject::delta(operation, cell, dot) } -> std::same_as<CellDelta>;
    { Subject::agrees(cell, visible) } -> std::same_as<bool>;
};

/// One replica of one cell.
struct CellReplica {
    Actor actor;
    std::uint64_t wall_ms = 0;
    Cell cell;
    VersionVector seen;
    HybridClock clock;
    // The same, but what every replica has is collected; operations are made on this one.
    Cell collected;
    VersionVector cut;
    std::map<Actor, VersionVector> reports;  ///< of others, as far as all of them is here
};

/// A transaction on its way, with the origin's whole state behind it.
template <typename Operation>
struct Shipped {
    spec::Event<Operation> event;
    CellDelta delta;
    Cell state_after;
    VersionVector seen_after;
};

inline Bytes bytes_of(const Cell& cell, CellType type) {
    Bytes bytes;
    ByteWriter out(bytes);
    write(out, cell, type);
    return bytes;
}

/// The delta as a peer gets it.
inline CellDelta through_wire(const CellDelta& delta, CellType type) {
    Bytes bytes;
    Packer out(bytes);
    pack(out, delta, type);
    Unpacker in(bytes);
    return unpack_cell_delta(in, type);
}

template <CellSubject Subject>
class HistoryCheck {
public:
    using Operation = typename Subject::Operation;

    explicit HistoryCheck(Chooser& chooser) : chooser_(chooser) {
        // Clocks differ by up to a second, so that timestamps and causality disagree.
        for (std::uint32_t node = 0; node < replicas_count; ++node) {
            replicas_[node].actor = Actor{node + 1, 1};
        }
        replicas_[chooser.choose(replicas_count)].wall_ms += 1000;
    }

    /// Runs so many steps, then delivers everything everywhere. Returns the first thing that is
    /// wrong in words, or nothing.
    std::string run(std::size_t steps) {
        for (std::size_t step = 0; step < steps && failure_.empty(); ++step) this->step();
        for (CellReplica& replica : replicas_) {
            while (failure_.empty() && deliver_one(replica)) continue;
        }
        for (const CellReplica& replica : replicas_) {
            if (replica.seen != replicas_[0].seen) fail("replicas did not converge");
        }
        return failure_;
    }

private:
    static constexpr std::uint32_t replicas_count = 3;

    void step() {
        CellReplica& replica = replicas_[chooser_.choose(replicas_count)];
        const std::size_t kind = chooser_.choose(3);
        trace_ << to_string(replica.actor);
        if (kind == 0) execute(replica);
        if (kind == 1) deliver_one(replica);
        if (kind == 2) join_from(replica, other_than(replica));
        check_laws();
    }

    const CellReplica& other_than(const CellReplica& replica) {
        const std::size_t index = replica.actor.node - 1;
        return replicas_[(index + 1 + chooser_.choose(replicas_count - 1)) % replicas_count];
    }

    void execute(CellReplica& replica) {
        const Dot dot{replica.actor, replica.seen.counter(replica.actor) + 1};
        Shipped<Operation> shipped{{dot, replica.seen, replica.clock.tick(++replica.wall_ms),
                                    Subject::random_operation(chooser_)},
                                   {},
                                   {},
                                   {}};
        trace_ << " executes " << to_string(dot) << '\n';
        shipped.delta = Subject::delta(shipped.event.operation, replica.collected, dot);
        if (through_wire(shipped.delta, Subject::type) != shipped.delta) {
            fail("a delta changed on the wire");
        }
        const spec::Event<Operation>& event = shipped.event;
        replica.cell.apply(shipped.delta, Subject::type, dot, event.hlc, event.past);
        replica.collected.apply(shipped.delta, Subject::type, dot, event.hlc, event.past);
        replica.seen.add(dot);
        shipped.state_after = replica.cell;
        shipped.seen_after = replica.seen;
        history_.push_back(std::move(shipped));
        check_state(replica);
    }

    /// Any event whose past is there: the causal orders are all the interleavings of these.
    bool deliver_one(CellReplica& replica) {
        std::vector<const Shipped<Operation>*> deliverable;
        for (const auto& shipped : history_) {
            const bool is_new = !replica.seen.covers(shipped.event.dot);
            if (is_new && replica.seen.covers(shipped.event.past)) deliverable.push_back(&shipped);
        }
        if (deliverable.empty()) return false;
        deliver(replica, *deliverable[chooser_.choose(deliverable.size())]);
        return true;
    }

    void deliver(CellReplica& replica, const Shipped<Operation>& shipped) {
        const spec::Event<Operation>& event = shipped.event;
        trace_ << to_string(replica.actor) << " gets " << to_string(event.dot) << '\n';
        const Cell before = replica.cell;
        replica.cell.apply(shipped.delta, Subject::type, event.dot, event.hlc, event.past);
        replica.collected.apply(shipped.delta, Subject::type, event.dot, event.hlc, event.past);
        check_decomposition(before, replica, shipped);
        replica.seen.add(event.dot);
        replica.clock.observe(event.hlc);
        check_state(replica);
    }

    void join_from(CellReplica& replica, const CellReplica& peer) {
        trace_ << " joins the state of " << to_string(peer.actor) << '\n';
        replica.cell = Cell::join(replica.cell, replica.seen, peer.cell, peer.seen);
        replica.collected = Cell::join(replica.collected, replica.seen, peer.collected, peer.seen);
        replica.seen.join(peer.seen);
        replica.cut.join(peer.cut);  // all that the peer had is here now
        replica.clock.observe(peer.clock.last());
        check_state(replica);
    }

    /// The replica hears from all others what they have, and collects. What a reporter has that is
    /// not here yet makes its report wait.
    void collect(CellReplica& replica) {
        VersionVector cut = replica.seen;
        for (const CellReplica& other : replicas_) {
            if (other.actor == replica.actor) continue;
            VersionVector& report = replica.reports[other.actor];
            if (replica.seen.covers(other.seen)) report = other.seen;
            VersionVector least;
            for (const auto& [actor, counter] : cut.entries()) {
                const std::uint64_t reported = std::min(counter, report.counter(actor));
                if (reported > 0) least.add(Dot{actor, reported});
            }
            cut = least;
        }
        replica.cut.join(cut);
    }

    /// Nothing that is seen has changed by collection; the same events and the same cut have the
    /// same bytes; and where the cut covers everything, nothing is left to collect.
    void check_collected(CellReplica& replica) {
        collect(replica);
        replica.collected.collect(Subject::type, replica.cut);
        const Cell& kept = replica.cell;
        const Cell& collected = replica.collected;
        const bool same =
            collected.live() == kept.live() &&
            collected.counter.exists() == kept.counter.exists() &&
            collected.counter.total() == kept.counter.total() &&
            (!traits_of(Subject::type).has_values ||
             visible_value(collected, Subject::type) == visible_value(kept, Subject::type)) &&
            (is_last_writer_wins(Subject::type) || !kept.live() || collected.dots == kept.dots);
        if (!same) fail("collection changed what is seen at " + to_string(replica.actor));
        if (replica.cut == replica.seen && collected.collectable(Subject::type)) {
            fail("something is left that every replica has seen go");
        }
        const Bytes bytes = bytes_of(collected, Subject::type);
        const auto [first, is_new] = bytes_by_cut_.try_emplace(
            to_string(replica.seen) + " " + to_string(replica.cut), bytes);
        if (!is_new && first->second != bytes) {
            fail("the same events and cut gave " + to_hex(first->second) + " and " + to_hex(bytes));
        }
    }

    /// Applying an event is joining its delta-state, and is joining the origin's whole state.
    void check_decomposition(const Cell& before, const CellReplica& replica,
                             const Shipped<Operation>& shipped) {
        const Cell& after = replica.cell;
        const spec::Event<Operation>& event = shipped.event;
        VersionVector context = event.past;
        context.add(event.dot);
        if (shipped.delta.writes_dots) {
            Cell delta_state;
            delta_state.apply(shipped.delta, Subject::type, event.dot, event.hlc, event.past);
            const DotMap joined =
                DotMap::join(before.dots, replica.seen, delta_state.dots, context);
            if (joined != after.dots) fail("applying dots is not joining their delta-state");
        }
        Counter counter_delta;
        for (const auto& [actor, entry] : shipped.delta.counter) counter_delta.merge(actor, entry);
        const Counter joined = Counter::join(before.counter, replica.seen, counter_delta, {});
        if (joined != after.counter) fail("applying increments is not joining their entries");
        const Cell whole =
            Cell::join(before, replica.seen, shipped.state_after, shipped.seen_after);
        if (whole != after) fail("applying an event is not joining its origin's state");
    }

    /// The value is what the specification says of the events seen; the same events gave the same
    /// bytes wherever and however they came; the bytes can be read back.
    void check_state(CellReplica& replica) {
        check_collected(replica);
        spec::Events<Operation> visible;
        for (const auto& shipped : history_) {
            if (replica.seen.covers(shipped.event.dot)) visible.push_back(shipped.event);
        }
        if (!Subject::agrees(replica.cell, visible)) {
            fail("the value at " + to_string(replica.actor) + " is not what the history says");
        }
        const Bytes bytes = bytes_of(replica.cell, Subject::type);
        const auto [first, is_new] = bytes_by_seen_.try_emplace(to_string(replica.seen), bytes);
        if (!is_new && first->second != bytes) {
            fail("the same events gave " + to_hex(first->second) + " and " + to_hex(bytes));
        }
        const Result<Cell> again = read_cell(bytes, Subject::type);
        if (!again || *again != replica.cell) fail("bytes do not read back: " + to_hex(bytes));
        for (const auto& entry : replica.cell.dots.entries()) {
            if (!replica.seen.covers(entry.dot)) fail("a live dot is not in the context");
        }
        if (replica.cell.dots.size() > replicas_count) fail("more siblings than actors");
    }

    /// The join is commutative, associative and idempotent on the states that are there.
    void check_laws() {
        const auto& [a, b, c] = replicas_;
        const auto join = [](const CellReplica& x, const CellReplica& y) {
            CellReplica joined;
            joined.cell = Cell::join(x.cell, x.seen, y.cell, y.seen);
            joined.seen = x.seen;
            joined.seen.join(y.seen);
            return joined;
        };
        const CellReplica ab = join(a, b);
        if (join(b, a).cell != ab.cell) fail("join is not commutative");
        if (join(a, a).cell != a.cell) fail("join is not idempotent");
        if (join(ab, b).cell != ab.cell) fail("join does not absorb");
        if (join(ab, c).cell != join(a, join(b, c)).cell) fail("join is not associative");
    }

    void fail(const std::string& what) {
        if (failure_.empty()) failure_ = what + "; the steps were:\n" + trace_.str();
    }

    Chooser& chooser_;
    std::array<CellReplica, replicas_count> replicas_;
    std::vector<Shipped<Operation>> history_;
    std::map<std::string, Bytes> bytes_by_seen_;
    std::map<std::string, Bytes> bytes_by_cut_;
    std::ostringstream trace_;
    std::string failure_;
};

/// What is wrong with one random history, or nothing.
template <CellSubject Subject>
std::string check_random_history(std::uint64_t seed, std::size_t steps) {
    Chooser chooser(seed);
    return HistoryCheck<Subject>(chooser).run(steps);
}

}  // namespace syncline::test
