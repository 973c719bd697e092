// Histories that break simpler designs, each with what must happen instead.
#include <boost/test/unit_test.hpp>

#include "crdt/score.hpp"
#include "tests/crdt/subjects.hpp"

namespace syncline {
namespace {

/// A transaction on one cell, as it travels.
struct Event {
    Dot dot;
    VersionVector past;
    Hlc hlc;
    CellDelta delta;
};

class Replica {
public:
    Replica(std::uint32_t node, CellType type) : actor_{node, 1}, type_(type) {}

    Event set(BytesView value, std::uint64_t hlc = 1) {
        return execute({true, Bytes(value), resets()}, hlc);
    }
    Event del() { return execute({true, std::nullopt, resets()}, 1); }
    Event negate() { return execute({true, std::nullopt, {}, true}, 1); }
    Event increment(std::uint64_t amount) {
        return execute({false, std::nullopt, {cell.counter.increment(next(), amount, false)}}, 1);
    }

    /// False when the event was there already.
    bool deliver(const Event& event) {
        if (seen.covers(event.dot)) return false;
        BOOST_REQUIRE(seen.covers(event.past));
        cell.apply(event.delta, type_, event.dot, event.hlc, event.past);
        seen.add(event.dot);
        return true;
    }

    /// Adopts a whole state: with context, or not at all.
    void join(const Replica& peer) {
        cell = Cell::join(cell, seen, peer.cell, peer.seen);
        seen.join(peer.seen);
    }

    [[nodiscard]] std::string value() const { return string_value(cell).value_or("absent"); }

    Cell cell;
    VersionVector seen;

private:
    [[nodiscard]] Dot next() const { return {actor_, seen.counter(actor_) + 1}; }
    [[nodiscard]] std::vector<Counter::Entry> resets() const { return cell.counter.reset(next()); }

    Event execute(const CellDelta& delta, std::uint64_t hlc) {
        Event event{next(), seen, Hlc{hlc}, delta};
        deliver(event);
        return event;
    }

    Actor actor_;
    CellType type_;
};

struct StringReplicas {
    Replica p{1, CellType::string};
    Replica q{2, CellType::string};
    Replica r{3, CellType::string};
};

BOOST_FIXTURE_TEST_SUITE(counter_examples, StringReplicas)

BOOST_AUTO_TEST_CASE(a_removal_takes_a_counter_value_and_is_known_by_it) {
    const Event set = p.set("x");
    q.deliver(set);
    const Event removal = q.del();
    BOOST_TEST(removal.dot.counter == 1U);
    BOOST_TEST(!p.seen.covers(removal.dot));
    BOOST_TEST(p.deliver(removal));
    BOOST_TEST(!p.deliver(removal));
    BOOST_TEST(p.value() == "absent");
    BOOST_TEST((p.seen == q.seen));
}

BOOST_AUTO_TEST_CASE(a_removal_waits_for_what_it_removes) {
    const Event set = p.set("x");
    q.deliver(set);
    const Event removal = q.del();
    // A link never offers the removal first: its past is not there.
    BOOST_TEST(!r.seen.covers(removal.past));
    r.deliver(set);
    BOOST_TEST(r.seen.covers(removal.past));
    r.deliver(removal);
    BOOST_TEST(r.value() == "absent");
}

BOOST_AUTO_TEST_CASE(the_loser_of_two_writes_outlives_a_removal_that_saw_the_winner_only) {
    const Event winner = p.set("x", 10);
    const Event loser = q.set("y", 5);
    Replica deleter{4, CellType::string};
    deleter.deliver(winner);
    const Event removal = deleter.del();
    // Winner, loser, removal; and winner, removal, loser.
    p.deliver(loser);
    BOOST_TEST(p.value() == "x");
    BOOST_TEST(p.cell.dots.size() == 2U);
    p.deliver(removal);
    deleter.deliver(loser);
    BOOST_TEST((p.seen == deleter.seen));
    BOOST_TEST((p.cell == deleter.cell));
    BOOST_TEST(p.value() == "y");
}

BOOST_AUTO_TEST_CASE(a_write_that_saw_another_is_never_beaten_by_it) {
    p.set("old", 1000);
    q.join(p);
    q.set("new", 1);  // The clock is behind; causality decides before any timestamp.
    p.join(q);
    BOOST_TEST(p.value() == "new");
}

BOOST_AUTO_TEST_CASE(a_reset_cancels_the_increments_it_saw_and_no_other) {
    const Event five = p.increment(5);
    q.deliver(five);
    const Event reset = q.del();
    const Event two = p.increment(2);
    p.deliver(reset);
    q.deliver(two);
    BOOST_TEST(p.value() == "2");
    BOOST_TEST((p.cell == q.cell));
}

BOOST_AUTO_TEST_CASE(a_reset_reaches_a_replica_that_has_later_increments_already) {
    r.deliver(p.increment(5));
    q.join(r);
    const Event reset = q.del();
    r.deliver(p.increment(9));
    r.deliver(p.increment(1));
    // r knows the sum of 15 alone; how much of it the reset saw comes with the reset.
    r.deliver(reset);
    BOOST_TEST(r.value() == "10");
    p.deliver(reset);
    BOOST_TEST((r.cell == p.cell));
}

BOOST_AUTO_TEST_CASE(a_removal_takes_what_its_origin_had_seen_and_holds_no_more) {
    const Event loser = p.set("loser", 1);
    const Event winner = q.set("winner", 2);
    p.deliver(winner);
    q.deliver(loser);
    r.deliver(winner);
    r.deliver(loser);
    // What p would do with losers that everybody has: drop them, at a time of its own.
    p.cell.dots.remove_covered([&] {
        VersionVector lost;
        lost.add(loser.dot);
        return lost;
    }());
    const Event again = p.set("again", 3);
    // A list of the dots that p removes would lack the loser, and leave it at r.
    r.deliver(again);
    BOOST_TEST((r.cell == p.cell));
    BOOST_TEST(r.cell.dots.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_collected_counter_entry_is_not_revived_by_an_old_snapshot) {
    const Event five = p.increment(5);
    q.deliver(five);
    const Replica snapshot = q;
    const Event reset = p.del();
    q.deliver(reset);
    q.cell.counter = {};  // What collection does once every replica has seen the reset.
    q.join(snapshot);
    BOOST_TEST(q.cell.empty());
    // The other way round as well: who still has the live entry learns that it died.
    Replica late = snapshot;
    late.join(q);
    BOOST_TEST(late.cell.empty());
}

BOOST_AUTO_TEST_CASE(an_entry_made_anew_after_collection_is_not_taken_for_the_old_one) {
    p.increment(5);
    const Event reset = p.del();
    q.join(p);
    BOOST_TEST((*q.cell.counter.find(reset.dot.actor) == CounterEntry{1, 1, 5, reset.dot, 1, 5}));
    p.cell.counter = {};
    const Event three = p.increment(3);
    q.deliver(three);  // q still has the old entry, with its baseline of 5.
    BOOST_TEST(p.value() == "3");
    BOOST_TEST((p.cell == q.cell));
}

BOOST_AUTO_TEST_CASE(set_zero_beside_an_increment_reads_one) {
    const Event set = p.set("0");
    const Event increment = q.increment(1);
    p.deliver(increment);
    q.deliver(set);
    BOOST_TEST(p.value() == "1");
    BOOST_TEST((p.cell == q.cell));
}

BOOST_AUTO_TEST_CASE(set_cancels_the_increments_it_saw) {
    p.increment(41);
    q.join(p);
    const Event set = q.set("1");
    const Event late = p.increment(1);
    p.deliver(set);
    q.deliver(late);
    BOOST_TEST(p.value() == "2");
    BOOST_TEST((p.cell == q.cell));
}

BOOST_AUTO_TEST_CASE(a_score_beside_an_increment_keeps_both) {
    Replica here{1, CellType::sorted_set};
    Replica there{2, CellType::sorted_set};
    there.deliver(here.set(score_bytes(10)));
    const Event score = here.set(score_bytes(20));
    const Event increment = there.increment(3);
    here.deliver(increment);
    there.deliver(score);
    BOOST_TEST((score_value(here.cell) == 23));
    BOOST_TEST((here.cell == there.cell));
}

BOOST_AUTO_TEST_CASE(increments_beside_a_text_are_hidden_until_the_text_goes) {
    const Event text = p.set("hello");
    const Event increment = q.increment(3);
    p.deliver(increment);
    BOOST_TEST(p.value() == "hello");
    r.deliver(text);
    const Event removal = r.del();
    p.deliver(removal);
    BOOST_TEST(p.value() == "3");
}

BOOST_AUTO_TEST_CASE(relayed_logs_with_duplicates_give_the_same_bytes) {
    // q and r each relay what they have in their own order; the reader takes both, in turns.
    const Event one = p.set("1");
    const Event beside = q.set("2");
    q.deliver(one);
    r.deliver(one);
    r.deliver(beside);
    const Event three = r.increment(3);
    q.deliver(three);
    const Event four = q.increment(4);
    r.deliver(four);
    const std::vector<Event> log_of_q = {beside, one, three, four};
    const std::vector<Event> log_of_r = {one, beside, three, four};
    Replica reader{4, CellType::string};
    std::size_t applied = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        if (reader.deliver(log_of_q[i])) ++applied;
        if (reader.deliver(log_of_r[i])) ++applied;
    }
    BOOST_TEST(applied == 4U);
    BOOST_TEST((reader.cell == q.cell));
    BOOST_TEST((reader.cell == r.cell));
}

BOOST_AUTO_TEST_CASE(an_add_survives_a_concurrent_removal_also_when_it_was_there_before) {
    Replica here{1, CellType::set};
    Replica there{2, CellType::set};
    there.deliver(here.set(""));
    const Event again = here.set("");
    const Event removal = there.del();
    here.deliver(removal);
    there.deliver(again);
    BOOST_TEST(here.cell.live());
    BOOST_TEST((here.cell == there.cell));
}

BOOST_AUTO_TEST_CASE(a_removal_that_wins_is_remembered_where_the_add_came_late) {
    Replica here{1, CellType::set};
    Replica there{2, CellType::set};
    there.deliver(here.set(""));
    const Event removal = there.negate();
    const Event late = here.set("");  // has not seen the removal
    there.deliver(late);
    here.deliver(removal);
    BOOST_TEST(!here.cell.live());
    BOOST_TEST((here.cell == there.cell));
    there.deliver(here.set(""));  // has seen it
    BOOST_TEST(there.cell.live());
    BOOST_TEST((here.cell == there.cell));
}

BOOST_AUTO_TEST_CASE(a_removal_of_what_is_not_there_wins_as_well) {
    Replica here{1, CellType::flag};
    Replica there{2, CellType::flag};
    const Event removal = there.negate();
    const Event add = here.set("");
    here.deliver(removal);
    there.deliver(add);
    BOOST_TEST(!here.cell.live());
    BOOST_TEST((here.cell == there.cell));
}

BOOST_AUTO_TEST_CASE(a_removal_is_forgotten_once_all_have_it_and_what_it_met) {
    Replica here{1, CellType::set};
    Replica there{2, CellType::set};
    const Event removal = here.negate();
    const Event add = there.set("");
    here.deliver(add);
    VersionVector cut;
    cut.add(removal.dot);
    here.cell.collect(CellType::set, cut);
    BOOST_TEST(here.cell.dots.size() == 2U);  // without it the add would show
    here.cell.collect(CellType::set, here.seen);
    BOOST_TEST(here.cell.empty());
    // One that has not dropped it yet brings nothing back.
    there.deliver(removal);
    here.join(there);
    BOOST_TEST(here.cell.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace syncline
