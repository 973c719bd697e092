// Texts under random and exhaustive histories on three replicas, after each step compared with
// their specification and with each other.
#include <array>
#include <boost/test/unit_test.hpp>
#include <map>
#include <sstream>

#include "crdt/text.hpp"
#include "tests/crdt/all_histories.hpp"
#include "tests/crdt/history.hpp"
#include "tests/crdt/spec_text.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(text_history)
namespace {

using test::Chooser;
using Ops = std::vector<TextOp>;
using Rows = std::map<TextRowName, Bytes>;

/// How much is chosen. Exhaustive histories need few choices.
struct Alphabet {
    std::vector<std::string> words;
    std::size_t ops_max;            ///< in one transaction
    std::size_t positions_max;      ///< of the first and last ones
    bool joins = true;              ///< of states, besides delivery of events
    std::size_t readers_count = 3;  ///< get the whole history at the end
};

struct TextReplica {
    Actor actor;
    Text text;
    VersionVector seen;
};

struct ShippedText {
    test::spec::Event<Ops> event;
    Text state_after;
    VersionVector seen_after;
};

Rows rows_of(const Text& text) {
    Rows rows;
    for (const TextRowName& name : text.rows()) rows[name] = text.row(name);
    return rows;
}

TextOp through_wire(const TextOp& op, const Actor& actor) {
    Bytes bytes;
    Packer out(bytes);
    pack(out, op);
    Unpacker in(bytes);
    TextOp again = unpack_text_op(in, actor);
    BOOST_REQUIRE(in.done());
    return again;
}

class TextHistoryCheck {
public:
    TextHistoryCheck(Chooser& chooser, const Alphabet& alphabet)
        : chooser_(chooser), alphabet_(alphabet) {
        for (std::uint32_t i = 0; i < replicas_count; ++i) replicas_[i].actor = Actor{i + 1, 1};
    }

    std::string run(std::size_t steps) {
        for (std::size_t step = 0; step < steps && failure_.empty(); ++step) this->step();
        for (TextReplica& replica : replicas_) {
            while (failure_.empty() && deliver_one(replica)) continue;
        }
        for (const TextReplica& replica : replicas_) {
            if (replica.seen != replicas_[0].seen) fail("replicas did not converge");
        }
        for (std::size_t reader = 0; reader < alphabet_.readers_count && failure_.empty(); ++reader)
            read();
        return failure_;
    }

private:
    static constexpr std::uint32_t replicas_count = 3;

    /// Somebody gets the whole history, in an order of his own.
    void read() {
        TextReplica reader;
        trace_ << "a reader comes\n";
        while (failure_.empty() && deliver_one(reader)) continue;
        if (reader.seen != replicas_[0].seen) fail("a reader did not get everything");
    }

    void step() {
        TextReplica& replica = replicas_[chooser_.choose(replicas_count)];
        const std::size_t kind = chooser_.choose(alphabet_.joins ? 3 : 2);
        trace_ << to_string(replica.actor);
        if (kind == 0) execute(replica);
        if (kind == 1) deliver_one(replica);
        if (kind == 2) join_from(replica);
        check_laws();
    }

    std::uint64_t choose_position(std::uint64_t count) {
        const std::size_t shown = std::min<std::size_t>(count, alphabet_.positions_max);
        const std::uint64_t chosen = chooser_.choose(shown);
        return chosen * 2 < shown ? chosen : count - (shown - chosen);
    }

    void execute(TextReplica& replica) {
        const Dot dot{replica.actor, replica.seen.counter(replica.actor) + 1};
        trace_ << " executes " << to_string(dot);
        test::spec::Event<Ops> event{dot, replica.seen, {}, {}};
        const std::size_t count = 1 + chooser_.choose(alphabet_.ops_max);
        for (std::size_t i = 0; i < count; ++i) edit(replica, event);
        replica.seen.add(dot);
        trace_ << '\n';
        history_.push_back({event, replica.text, replica.seen});
        check_state(replica);
    }

    void edit(TextReplica& replica, test::spec::Event<Ops>& event) {
        const std::uint64_t size = replica.text.size();
        const std::size_t kind = chooser_.choose(size > 0 ? 2 : 1);
        TextOp op = kind == 0 ? TextOp(insert(replica, event)) : TextOp(erase(replica));
        apply(replica, event.dot, op);
        event.operation.push_back(std::move(op));
    }

    TextInsertion insert(const TextReplica& replica, const test::spec::Event<Ops>& event) {
        const std::string& word = alphabet_.words[chooser_.choose(alphabet_.words.size())];
        const std::uint64_t position = choose_position(replica.text.size() + 1);
        trace_ << " insert " << word << " at " << position;
        const auto op = replica.text.insertion(replica.actor, position, word);
        if (!op) return fail("no insertion: " + op.error().message), TextInsertion{};
        test::spec::TextEvents visible = visible_to(replica);
        visible.push_back(event);
        const auto place = test::spec::insertion_place(test::spec::text_tree(visible), position);
        if (place != test::spec::TextTree::Place(op->parent, op->side))
            fail("hangs at a wrong place");
        return *op;
    }

    TextErasure erase(const TextReplica& replica) {
        const std::uint64_t size = replica.text.size();
        const std::uint64_t position = choose_position(size);
        const std::uint64_t count =
            1 + chooser_.choose(std::min<std::uint64_t>(size - position, 3));
        trace_ << " erase " << count << " at " << position;
        const auto op = replica.text.erasure(position, count);
        if (!op) return fail("no erasure: " + op.error().message), TextErasure{};
        return *op;
    }

    void apply(TextReplica& replica, const Dot& dot, const TextOp& op) {
        const TextOp received = through_wire(op, dot.actor);
        if (received != op) fail("an operation changed on the wire");
        const Rows before = rows_of(replica.text);
        const auto applied = replica.text.apply(received, dot);
        if (!applied) return fail("apply refuses: " + applied.error().message);
        const Rows after = rows_of(replica.text);
        const std::vector<TextRowName> touched = replica.text.rows_of(op);
        for (const auto& [name, bytes] : after) {
            const auto old = before.find(name);
            const bool same = old != before.end() && old->second == bytes;
            const bool named = std::find(touched.begin(), touched.end(), name) != touched.end();
            if (!same && !named) fail("rows_of does not name " + to_string(name));
        }
        for (const auto& [name, bytes] : before) {
            if (after.count(name) == 0) fail("a row went: " + to_string(name));
        }
    }

    bool deliver_one(TextReplica& replica) {
        std::vector<const ShippedText*> deliverable;
        for (const ShippedText& shipped : history_) {
            const bool is_new = !replica.seen.covers(shipped.event.dot);
            if (is_new && replica.seen.covers(shipped.event.past)) deliverable.push_back(&shipped);
        }
        if (deliverable.empty()) return false;
        const ShippedText& shipped = *deliverable[chooser_.choose(deliverable.size())];
        trace_ << to_string(replica.actor) << " gets " << to_string(shipped.event.dot) << '\n';
        Text joined = replica.text;
        for (const TextOp& op : shipped.event.operation) apply(replica, shipped.event.dot, op);
        replica.seen.add(shipped.event.dot);
        check_state(replica);
        if (!joined.join(shipped.state_after)) fail("no join");
        VersionVector both = replica.seen;
        both.join(shipped.seen_after);
        if (both == replica.seen && rows_of(joined) != rows_of(replica.text)) {
            fail("applying an event is not joining its origin's state");
        }
        return true;
    }

    void join_from(TextReplica& replica) {
        const std::size_t index = replica.actor.node + chooser_.choose(replicas_count - 1);
        const TextReplica& peer = replicas_[index % replicas_count];
        trace_ << " joins the state of " << to_string(peer.actor) << '\n';
        if (!replica.text.join(peer.text)) fail("no join");
        replica.seen.join(peer.seen);
        check_state(replica);
    }

    [[nodiscard]] test::spec::TextEvents visible_to(const TextReplica& replica) const {
        test::spec::TextEvents visible;
        for (const ShippedText& shipped : history_) {
            if (replica.seen.covers(shipped.event.dot)) visible.push_back(shipped.event);
        }
        return visible;
    }

    void check_state(const TextReplica& replica) {
        replica.text.check_invariants();
        const auto expected = test::spec::text(test::spec::text_tree(visible_to(replica)));
        std::string whole;
        for (const std::string& character : expected) whole += character;
        const bool agrees = replica.text.text() == whole && replica.text.size() == expected.size();
        if (!agrees) fail("reads " + replica.text.text() + " instead of " + whole);
        for (std::uint64_t i = 0; i < replica.text.size(); ++i) {
            if (replica.text.text(i, 1) != expected[i]) fail("a part is wrong");
            if (replica.text.position_of(*replica.text.id_at(i)) != i) fail("a position is wrong");
        }
        const Rows rows = rows_of(replica.text);
        const auto [first, is_new] = rows_by_seen_.try_emplace(to_string(replica.seen), rows);
        if (!is_new && first->second != rows) fail("the same operations gave other rows");
        const std::vector<Text::Row> stored(rows.begin(), rows.end());
        const Result<Text> again = Text::load(stored);
        if (!again) return fail("rows do not load: " + again.error().message);
        if (rows_of(*again) != rows || again->text() != whole) fail("rows do not read back");
    }

    static Rows joined_rows(const Text& a, const Text& b) {
        Text joined = a;
        BOOST_REQUIRE(joined.join(b).has_value());
        return rows_of(joined);
    }

    void check_laws() {
        const Text& a = replicas_[0].text;
        const Text& b = replicas_[1].text;
        const Text& c = replicas_[2].text;
        if (joined_rows(a, b) != joined_rows(b, a)) fail("join is not commutative");
        if (joined_rows(a, a) != rows_of(a)) fail("join is not idempotent");
        Text ab = a;
        Text bc = b;
        const bool joined = ab.join(b).has_value() && bc.join(c).has_value();
        if (!joined || joined_rows(ab, c) != joined_rows(a, bc)) fail("join is not associative");
    }

    void fail(const std::string& what) {
        if (failure_.empty()) failure_ = what + "; the steps were:\n" + trace_.str();
    }

    Chooser& chooser_;
    const Alphabet& alphabet_;
    std::array<TextReplica, replicas_count> replicas_;
    std::vector<ShippedText> history_;
    std::map<std::string, Rows> rows_by_seen_;
    std::ostringstream trace_;
    std::string failure_;
};

void check_random(std::size_t steps, const Alphabet& alphabet) {
    constexpr std::size_t histories_default = test::fewer_if_sanitized(100);
    const std::size_t count = test::count_from("SYNCLINE_HISTORIES", histories_default);
    // Long runs are made in blocks, which go on where an earlier one has ended.
    const std::size_t first = test::count_from("SYNCLINE_HISTORIES_FROM", 1);
    for (const std::uint64_t seed : test::seeds(count)) {
        if (seed < first) continue;
        if (seed % 10000 == 0) BOOST_TEST_MESSAGE("histories up to " << seed);
        test::Chooser chooser(seed);
        const std::string failure = TextHistoryCheck(chooser, alphabet).run(steps);
        BOOST_REQUIRE_MESSAGE(failure.empty(), "SYNCLINE_SEED=" << seed << ": " << failure);
    }
}

/// One character inserted anywhere, or erased: longer edits are made of these. Nothing is
/// collected.
struct TextSystem {
    using Operation = Ops;
    using State = Text;
    using Delta = Ops;
    static constexpr bool timed = false;

    static std::vector<Ops> operations(const Text& text, const Actor& actor, std::uint64_t number) {
        std::vector<Ops> all;
        const std::string letter(1, static_cast<char>('a' + number));
        for (std::uint64_t position = 0; position <= text.size(); ++position) {
            all.push_back({text.insertion(actor, position, letter).value()});
            if (position < text.size()) all.push_back({text.erasure(position, 1).value()});
        }
        return all;
    }
    static Ops delta(const Ops& operation, const Text& /*text*/, const Dot& /*dot*/) {
        return operation;
    }
    static void apply(Text& text, const test::spec::Event<Ops>& event, const Ops& ops) {
        for (const TextOp& op : ops) BOOST_REQUIRE(text.apply(op, event.dot).has_value());
    }
    static Text join(const Text& a, const VersionVector& /*a_context*/, const Text& b,
                     const VersionVector& /*b_context*/) {
        Text joined = a;
        BOOST_REQUIRE(joined.join(b).has_value());
        return joined;
    }
    static bool collect(const Text& /*text*/, const VersionVector& /*cut*/) { return false; }
    static std::string wrong(const Text& text, const test::spec::TextEvents& visible,
                             const VersionVector& /*seen*/) {
        std::string expected;
        for (const auto& character : test::spec::text(test::spec::text_tree(visible))) {
            expected += character;
        }
        if (text.text() == expected) return {};
        return "it reads " + text.text() + " instead of " + expected;
    }
    static bool same(const Text& a, const Text& b) { return rows_of(a) == rows_of(b); }
    static std::string words(const Ops& ops) {
        return std::holds_alternative<TextErasure>(ops[0])
                   ? "erase"
                   : "insert " + std::get<TextInsertion>(ops[0]).text;
    }
};

/// A few events of three writers who seldom hear of each other, delivered in every causal order.
class AllOrders {
public:
    AllOrders(std::uint64_t seed, std::size_t events) : chooser_(seed) {
        for (std::uint32_t i = 0; i < writers_.size(); ++i) writers_[i].actor = Actor{i + 1, 1};
        while (events_.size() < events) write(writers_[chooser_.choose(writers_.size())]);
        for (const std::string& character : test::spec::text(test::spec::text_tree(events_))) {
            expected_ += character;
        }
    }

    /// Answers the number of orders; fails at the first one with another text.
    std::size_t run() {
        deliver_all(TextReplica());
        return orders_;
    }

private:
    void write(TextReplica& writer) {
        for (const auto& event : events_) {
            const bool deliverable =
                !writer.seen.covers(event.dot) && writer.seen.covers(event.past);
            if (deliverable && chooser_.choose(3) == 0) deliver(writer, event);
        }
        const Dot dot{writer.actor, writer.seen.counter(writer.actor) + 1};
        const std::uint64_t size = writer.text.size();
        const std::string letter(1, static_cast<char>('a' + events_.size()));
        TextOp op;
        if (size > 0 && chooser_.choose(5) == 0) {
            op = *writer.text.erasure(chooser_.choose(size), 1);
        } else {
            op = *writer.text.insertion(writer.actor, chooser_.choose(size + 1), letter);
        }
        events_.push_back({dot, writer.seen, {}, {op}});
        deliver(writer, events_.back());
    }

    static void deliver(TextReplica& replica, const test::spec::Event<Ops>& event) {
        for (const TextOp& op : event.operation) {
            BOOST_REQUIRE(replica.text.apply(op, event.dot).has_value());
        }
        replica.seen.add(event.dot);
    }

    void deliver_all(const TextReplica& reader) {
        bool more = false;
        for (const auto& event : events_) {
            if (reader.seen.covers(event.dot)) continue;
            more = true;
            if (!reader.seen.covers(event.past)) continue;
            TextReplica next = reader;
            deliver(next, event);
            deliver_all(next);
        }
        if (more) return;
        ++orders_;
        BOOST_REQUIRE(reader.text.text() == expected_);
    }

    test::Chooser chooser_;
    std::array<TextReplica, 3> writers_;
    test::spec::TextEvents events_;
    std::string expected_;
    std::size_t orders_ = 0;
};

BOOST_AUTO_TEST_CASE(every_causal_order_gives_the_same_text) {
    std::size_t orders = 0;
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(2000))) {
        BOOST_TEST_CONTEXT("SYNCLINE_SEED=" << seed) {
            orders += AllOrders(seed, 7).run();
        }
    }
    BOOST_TEST_MESSAGE(orders << " orders");
}

BOOST_AUTO_TEST_CASE(texts_follow_their_specification) {
    check_random(40, {{"a", "bc", "déf", "𝄞", "€x"}, 3, 1000});
}

/// Few positions, many editors: siblings, and children on both sides of inner elements.
BOOST_AUTO_TEST_CASE(texts_with_crowded_places_follow_their_specification) {
    check_random(40, {{"1", "23"}, 1, 3});
    check_random(40, {{"1"}, 1, 3, false});
}

BOOST_AUTO_TEST_CASE(every_history_is_right) {
    test::check_all_histories<TextSystem>();
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
