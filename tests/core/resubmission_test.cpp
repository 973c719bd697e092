// What an evicted replica alone had, done again at a member: the first replica of each test is the
// one that is lost, the second takes its transactions as its own.
#include "core/engine/resubmission.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "crdt/expiry.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/must.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(resubmission)
namespace {

using operations::ListEnd;
using test::must;
using Change = std::function<Result<void>(Transaction&)>;

/// A change whose answer does not matter.
template <typename F>
Change doing(const F& change) {
    return [change](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(change(txn));
        return {};
    };
}

/// Two replicas that part, and never meet again.
struct Parted {
    TestCluster cluster{2};

    Parted() { cluster.connect(0, 1); }

    /// Both have it.
    void shared(const Change& change) {
        lost().run(change);
        cluster.pump();
    }
    void part() {
        cluster.disconnect(0, 1);
        known = lost()->group().vv();
    }
    TestReplica& lost() { return cluster.at(0); }
    TestReplica& member() { return cluster.at(1); }

    /// What rejoin writes, in its order.
    std::vector<LostTransaction> transactions() {
        std::vector<LostTransaction> all;
        AmountsBefore amounts;
        for (Event& event : must(lost()->own_events_beyond(known))) {
            std::map<std::uint64_t, Amount> before = amounts.next(event);
            all.push_back({lost()->identity().cluster, std::move(event), std::move(before)});
        }
        return all;
    }
    /// One of them at the member, by way of its bytes; what is refused changes nothing.
    Result<Resubmitted> resubmit_one(const LostTransaction& transaction) {
        const LostTransaction lost =
            must(decode_lost_transaction(encode_lost_transaction(transaction)));
        const ResubmittedPast past =
            must(decode_resubmitted_past(encode_resubmitted_past(history.past_of(lost.event))));
        Resubmitted done;
        SYNCLINE_CHECK(member().try_run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_TRY(done, resubmit(txn, lost, past));
            return {};
        }));
        done = must(decode_resubmitted(encode_resubmitted(done)));
        history.note(lost.event, done);
        return done;
    }
    /// All; how many became new transactions.
    std::size_t resubmit_all() {
        std::size_t count = 0;
        for (const LostTransaction& lost : transactions()) {
            if (must(resubmit_one(lost)).outcome == Resubmitted::Outcome::done) ++count;
        }
        must(member()->group().check());
        return count;
    }

    VersionVector known;
    ResubmissionHistory history;
};

template <typename T, typename F>
T ask(TestReplica& replica, const F& question) {
    T answer{};
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(answer, question(txn));
        return {};
    });
    return answer;
}

Change set_string(const Bytes& key, const Bytes& value) {
    return [=](Transaction& txn) { return operations::string_set(txn, key, value); };
}
Change increment(const Bytes& key, std::int64_t amount) {
    return doing([=](Transaction& txn) { return operations::string_increment(txn, key, amount); });
}
Change add_member(const Bytes& key, const Bytes& member) {
    return doing([=](Transaction& txn) { return operations::set_add(txn, key, member); });
}
Change remove_key(const Bytes& key) {
    return doing([=](Transaction& txn) { return operations::key_delete(txn, key); });
}
Change push(const Bytes& key, ListEnd end, const std::vector<Bytes>& values) {
    return doing([=](Transaction& txn) { return operations::list_push(txn, key, end, values); });
}
Change insert_text(const Bytes& key, std::uint64_t position, const Bytes& text) {
    return doing(
        [=](Transaction& txn) { return operations::text_insert(txn, key, position, text); });
}
Change erase_text(const Bytes& key, std::uint64_t position, std::uint64_t count) {
    return doing(
        [=](Transaction& txn) { return operations::text_erase(txn, key, position, count); });
}

std::vector<Bytes> list(TestReplica& replica, const Bytes& key) {
    return ask<std::vector<Bytes>>(
        replica, [&](Transaction& txn) { return operations::list_range(txn, key, 0, -1); });
}
std::optional<Bytes> text(TestReplica& replica, const Bytes& key) {
    std::optional<Bytes> found;
    replica.run([&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(const Text* const seen, operations::text_get(txn, key));
        if (seen != nullptr) found = seen->text();
        return {};
    });
    return found;
}

const auto tests_print = [](const std::vector<Bytes>& values) {
    Bytes all;
    for (const Bytes& value : values) all += value + " ";
    return all;
};

// --- Each type

BOOST_AUTO_TEST_CASE(a_string_is_written_again_with_a_new_name) {
    Parted parted;
    parted.shared(set_string("s", "old"));
    parted.part();
    parted.lost().run(set_string("s", "lost"));
    parted.member().run(set_string("s", "since"));
    const std::vector<LostTransaction> lost = parted.transactions();
    BOOST_REQUIRE(lost.size() == 1U);
    const Resubmitted done = must(parted.resubmit_one(lost[0]));
    BOOST_TEST((done.outcome == Resubmitted::Outcome::done));
    BOOST_TEST((done.dot->actor == parted.member()->actor()));
    BOOST_TEST((*parted.member().get("s") == "lost"));
    BOOST_TEST(!parted.member()->group().vv().covers(lost[0].event.dot));
}

BOOST_AUTO_TEST_CASE(counters_get_what_each_transaction_added) {
    Parted parted;
    parted.shared(increment("n", 100));
    parted.shared(set_string("reset", "7"));
    parted.shared(increment("reset", 5));
    parted.part();
    parted.lost().run(increment("n", 5));
    parted.lost().run(increment("n", -2));
    parted.lost().run(increment("fresh", 3));
    parted.lost().run(increment("fresh", 4));
    parted.lost().run(set_string("reset", "0"));
    parted.lost().run(increment("reset", 9));
    parted.member().run(increment("n", 1000));
    BOOST_TEST(parted.resubmit_all() == 6U);
    BOOST_TEST((*parted.member().get("n") == "1103"));
    BOOST_TEST((*parted.member().get("fresh") == "7"));
    BOOST_TEST((*parted.member().get("reset") == "9"));
}

BOOST_AUTO_TEST_CASE(counters_of_hashes_and_decimals_add_up) {
    Parted parted;
    const auto add = [](const Bytes& field, const Bytes& amount) {
        return doing([=](Transaction& txn) {
            return operations::hash_increment(txn, "h", field, *Decimal::parse(amount));
        });
    };
    parted.shared(add("f", "0.5"));
    parted.part();
    parted.lost().run(add("f", "0.25"));
    parted.lost().run(add("f", "0.125"));
    parted.lost().run([](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::hash_set(txn, "h", "set", "10"));
        SYNCLINE_CHECK(operations::hash_increment(txn, "h", "set", 5));
        return {};
    });
    parted.member().run(add("f", "1"));
    parted.resubmit_all();
    const auto field = [&](const Bytes& name) {
        return *ask<std::optional<Bytes>>(parted.member(), [&](Transaction& txn) {
            return operations::hash_get(txn, "h", name);
        });
    };
    BOOST_TEST((field("f") == "1.875"));
    BOOST_TEST((field("set") == "15"));
}

BOOST_AUTO_TEST_CASE(an_amount_that_nobody_knows_is_refused) {
    Parted parted;
    parted.shared(increment("n", 100));
    parted.part();
    parted.lost().run(increment("n", 5));
    LostTransaction lost = parted.transactions()[0];
    auto& op = std::get<CellOp>(lost.event.ops[0]);
    op.key = "never heard of";
    const Result<Resubmitted> refused = parted.resubmit_one(lost);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Code::conflict));
    BOOST_TEST(refused.error().message.find("its sum was 105") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_event_that_resets_knows_what_it_added) {
    Parted parted;
    parted.shared(increment("n", 100));
    parted.part();
    parted.lost().run([](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::string_set(txn, "n", "7"));
        SYNCLINE_CHECK(operations::string_increment(txn, "n", 5));
        return {};
    });
    parted.member().run(remove_key("n"));
    LostTransaction lost = parted.transactions()[0];
    std::get<CellOp>(lost.event.ops[0]).key = "never heard of";
    must(parted.resubmit_one(lost));
    BOOST_TEST((*parted.member().get("never heard of") == "12"));
}

BOOST_AUTO_TEST_CASE(members_fields_and_scores_come_back_and_go) {
    Parted parted;
    parted.shared(add_member("set", "both"));
    parted.shared(doing([](Transaction& txn) { return operations::sorted_add(txn, "z", "m", 1); }));
    parted.part();
    parted.lost().run(add_member("set", "lost"));
    parted.lost().run(
        doing([](Transaction& txn) { return operations::set_remove(txn, "set", "both"); }));
    parted.lost().run(
        doing([](Transaction& txn) { return operations::hash_set(txn, "h", "f", "v"); }));
    parted.lost().run(
        doing([](Transaction& txn) { return operations::sorted_increment(txn, "z", "m", 2.5); }));
    parted.lost().run(
        doing([](Transaction& txn) { return operations::sorted_add(txn, "z", "l", 7); }));
    parted.member().run(add_member("set", "since"));
    // Added again since: the removal takes it as it is now.
    parted.member().run(add_member("set", "both"));
    BOOST_TEST(parted.resubmit_all() == 5U);
    std::vector<Bytes> members = parted.member().members("set");
    std::sort(members.begin(), members.end());
    BOOST_TEST(tests_print(members) == "lost since ");
    const auto score = [&](const Bytes& member) {
        return ask<std::optional<double>>(parted.member(), [&](Transaction& txn) {
            return operations::sorted_score(txn, "z", member);
        });
    };
    BOOST_TEST(*score("m") == 3.5);
    BOOST_TEST(*score("l") == 7);
}

BOOST_AUTO_TEST_CASE(what_is_gone_already_makes_no_transaction) {
    Parted parted;
    parted.shared(add_member("set", "m"));
    parted.part();
    parted.lost().run(
        doing([](Transaction& txn) { return operations::set_remove(txn, "set", "m"); }));
    parted.lost().run(remove_key("set"));  // nothing: no event
    parted.member().run(remove_key("set"));
    const VersionVector before = parted.member()->group().vv();
    for (const LostTransaction& lost : parted.transactions()) {
        BOOST_TEST((must(parted.resubmit_one(lost)).outcome == Resubmitted::Outcome::nothing));
    }
    BOOST_TEST((parted.member()->group().vv() == before));
}

BOOST_AUTO_TEST_CASE(a_key_is_cleared_as_it_is_now) {
    Parted parted;
    parted.shared(increment("k", 3));
    parted.shared(set_string("other", "stays"));
    parted.part();
    parted.lost().run(remove_key("k"));
    parted.lost().run(add_member("k", "another type"));
    parted.member().run(increment("k", 4));
    BOOST_TEST(parted.resubmit_all() == 2U);
    BOOST_TEST(tests_print(parted.member().members("k")) == "another type ");
    BOOST_TEST((*parted.member().get("other") == "stays"));
}

BOOST_AUTO_TEST_CASE(all_keys_are_cleared_as_they_are_now) {
    Parted parted;
    parted.shared(increment("k", 3));
    parted.part();
    parted.lost().run([](Transaction& txn) { return txn.clear_buckets(0, 0xffff); });
    parted.member().run(increment("k", 4));
    parted.member().run(add_member("since", "m"));
    BOOST_TEST(parted.resubmit_all() == 1U);
    BOOST_TEST(parted.member()->group().keys_count() == 0U);
}

BOOST_AUTO_TEST_CASE(flags_are_enabled_and_disabled) {
    Parted parted;
    const auto turn = [](const Bytes& key, bool on) {
        return doing([=](Transaction& txn) {
            return on ? operations::flag_enable(txn, key) : operations::flag_disable(txn, key);
        });
    };
    parted.shared(turn("off", true));
    parted.part();
    parted.lost().run(turn("on", true));
    parted.lost().run(turn("off", false));
    parted.member().run(turn("off", true));
    parted.resubmit_all();
    const auto enabled = [&](const Bytes& key) {
        return ask<bool>(parted.member(),
                         [&](Transaction& txn) { return operations::flag_enabled(txn, key); });
    };
    BOOST_TEST(enabled("on"));
    BOOST_TEST(!enabled("off"));
}

BOOST_AUTO_TEST_CASE(where_removals_win_one_of_nothing_is_written_too) {
    Parted parted;
    KeyPolicies policies;
    must(policies.add("rw:=remove-wins"));
    for (std::size_t i = 0; i < 2; ++i) parted.cluster.at(i)->group().set_policies(policies);
    parted.part();
    parted.lost().run(
        doing([](Transaction& txn) { return operations::set_remove(txn, "rw:s", "m"); }));
    BOOST_TEST(parted.resubmit_all() == 1U);
    const Cell cell = must(parted.member()->group().cell("rw:s", CellType::set, "m"));
    BOOST_TEST(cell.dots.has_negative());
}

// --- Registers that nobody replaces unread, and deadlines

Change set_values(const Bytes& value) {
    return [=](Transaction& txn) { return operations::multi_value_set(txn, "mv", value, nullptr); };
}

std::vector<Bytes> values(TestReplica& replica) {
    std::vector<Bytes> found;
    for (const DotMap::Entry& entry : ask<std::vector<DotMap::Entry>>(
             replica, [](Transaction& txn) { return operations::multi_value_get(txn, "mv"); })) {
        found.push_back(entry.payload.value);
    }
    return found;
}

BOOST_AUTO_TEST_CASE(a_register_of_several_values_is_written_over_what_had_been_seen) {
    Parted parted;
    parted.shared(set_values("both"));
    parted.part();
    parted.lost().run(set_values("first"));
    parted.lost().run(set_values("second"));
    BOOST_TEST(parted.resubmit_all() == 2U);
    BOOST_TEST(tests_print(values(parted.member())) == "second ");
}

BOOST_AUTO_TEST_CASE(a_value_that_came_since_is_not_replaced_unread) {
    Parted parted;
    parted.shared(set_values("both"));
    parted.part();
    parted.lost().run(set_values("lost"));
    parted.member().run(set_values("since"));
    const Result<Resubmitted> refused = parted.resubmit_one(parted.transactions()[0]);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Code::conflict));
    BOOST_TEST(tests_print(values(parted.member())) == "since ");
}

std::optional<std::uint64_t> deadline(TestReplica& replica, const Bytes& key) {
    return ask<std::optional<std::uint64_t>>(
        replica, [&](Transaction& txn) { return operations::key_deadline(txn, key); });
}

BOOST_AUTO_TEST_CASE(deadlines_stay_where_they_were_and_later_ones_stay) {
    Parted parted;
    const std::uint64_t now = parted.cluster.now_ms();
    const auto end = [&](const Bytes& key, std::uint64_t in_ms) {
        return doing(
            [=](Transaction& txn) { return operations::key_expire(txn, key, now + in_ms); });
    };
    for (const char* const key : {"sooner", "later", "over", "twice", "ever"}) {
        parted.shared(set_string(key, "v"));
    }
    parted.shared(end("ever", 90'000));
    parted.part();
    for (const char* const key : {"sooner", "later"}) parted.lost().run(end(key, 50'000));
    parted.lost().run(end("over", 10'000));
    parted.lost().run(end("twice", 80'000));
    parted.lost().run(end("twice", 60'000));
    parted.lost().run(doing([](Transaction& txn) { return operations::key_persist(txn, "ever"); }));
    parted.member().run(end("sooner", 40'000));
    parted.member().run(end("later", 70'000));
    parted.cluster.pass(20'000);
    parted.resubmit_all();
    BOOST_TEST(*deadline(parted.member(), "sooner") == now + 50'000);
    BOOST_TEST(*deadline(parted.member(), "later") == now + 70'000);
    BOOST_TEST(!parted.member().get("over").has_value());
    BOOST_TEST(*deadline(parted.member(), "twice") == now + 60'000);
    BOOST_TEST(!deadline(parted.member(), "ever").has_value());
}

BOOST_AUTO_TEST_CASE(a_key_that_was_given_an_end_since_is_not_removed) {
    Parted parted;
    const std::uint64_t now = parted.cluster.now_ms();
    const auto end = [&](const Bytes& key, std::uint64_t in_ms) {
        return doing(
            [=](Transaction& txn) { return operations::key_expire(txn, key, now + in_ms); });
    };
    for (const char* const key : {"over", "longer", "deleted"}) {
        parted.shared(set_string(key, "v"));
        parted.shared(end(key, 100'000));
    }
    parted.part();
    parted.lost().run(set_string("own", "v"));
    parted.lost().run(end("own", 900'000));
    parted.member().run(end("longer", 900'000));
    for (const char* const key : {"own", "deleted"}) parted.lost().run(remove_key(key));
    parted.cluster.pass(130'000);
    parted.cluster.pump(10'000);  // the lost one removes what is over
    BOOST_TEST(parted.lost()->stats().keys_expired == 2U);
    parted.resubmit_all();
    BOOST_TEST((*parted.member().get("longer") == "v"));
    for (const char* const key : {"over", "own", "deleted"}) {
        BOOST_TEST(!parted.member().get(key).has_value());
    }
}

// --- Lists

BOOST_AUTO_TEST_CASE(elements_stand_where_they_stood_among_what_is_still_there) {
    Parted parted;
    parted.shared(push("l", ListEnd::back, {"1", "2", "3"}));
    parted.part();
    parted.lost().run(push("l", ListEnd::back, {"e", "f"}));
    parted.lost().run(push("l", ListEnd::front, {"a"}));
    const auto insert = [](const Bytes& pivot, const Bytes& value) {
        return doing([=](Transaction& txn) {
            return operations::list_insert(txn, "l", false, pivot, value);
        });
    };
    parted.lost().run(insert("1", "x"));
    parted.lost().run(insert("x", "y"));
    parted.lost().run(
        doing([](Transaction& txn) { return operations::list_insert(txn, "l", true, "y", "w"); }));
    parted.lost().run([](Transaction& txn) { return operations::list_set(txn, "l", 1, "one"); });
    parted.lost().run(
        doing([](Transaction& txn) { return operations::list_remove(txn, "l", 0, "e"); }));
    BOOST_TEST(tests_print(list(parted.lost(), "l")) == "a one x w y 2 3 f ");
    parted.member().run(push("l", ListEnd::back, {"since"}));
    parted.member().run(
        doing([](Transaction& txn) { return operations::list_remove(txn, "l", 0, "2"); }));
    BOOST_TEST(parted.resubmit_all() == 7U);
    const std::vector<Bytes> there = list(parted.member(), "l");
    BOOST_TEST(there.size() == 8U);
    const Bytes line = tests_print(there);
    BOOST_TEST(line.starts_with("a one x w y 3 "));
    BOOST_TEST(line.find("since ") != Bytes::npos);
    BOOST_TEST(line.find("f ") != Bytes::npos);
    // A line that is sent twice puts no element twice.
    must(parted.resubmit_one(parted.transactions()[0]));
    must(parted.resubmit_one(parted.transactions()[1]));
    for (const char* const value : {"a", "f"}) {
        const std::vector<Bytes> now = list(parted.member(), "l");
        BOOST_TEST(std::count(now.begin(), now.end(), value) == 1);
    }
}

// --- Texts

BOOST_AUTO_TEST_CASE(what_was_typed_stands_beside_what_it_stood_beside) {
    Parted parted;
    parted.shared(insert_text("t", 0, "one two"));
    parted.part();
    parted.lost().run(insert_text("t", 3, "!"));
    parted.lost().run(insert_text("t", 4, "?"));            // behind the lost one
    parted.lost().run(insert_text("t", 3, " and a half"));  // in front of it
    parted.lost().run(erase_text("t", 4, 4));               // of the lost words
    parted.lost().run(erase_text("t", 0, 1));               // of the shared ones
    parted.lost().run(insert_text("t", 0, "O"));
    BOOST_TEST((*text(parted.lost(), "t") == "One a half!? two"));
    parted.member().run(insert_text("t", 0, "since: "));
    BOOST_TEST(parted.resubmit_all() == 6U);
    BOOST_TEST((*text(parted.member(), "t") == "since: One a half!? two"));
}

BOOST_AUTO_TEST_CASE(a_lost_text_is_made_again_or_continues_one_that_is_there) {
    Parted parted;
    parted.part();
    for (const char* const key : {"new", "there"}) {
        parted.lost().run(insert_text(key, 0, "lost"));
        parted.lost().run(insert_text(key, 4, " words"));
        parted.lost().run(insert_text(key, 0, "my "));
    }
    parted.member().run(insert_text("there", 0, "words since, "));
    BOOST_TEST(parted.resubmit_all() == 6U);
    BOOST_TEST((*text(parted.member(), "new") == "my lost words"));
    BOOST_TEST((*text(parted.member(), "there") == "words since, my lost words"));
}

BOOST_AUTO_TEST_CASE(edits_of_one_transaction_find_each_other) {
    Parted parted;
    parted.shared(insert_text("t", 0, "one"));
    parted.part();
    parted.lost().run([](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::text_insert(txn, "t", 3, " abcd"));
        SYNCLINE_CHECK(operations::text_insert(txn, "t", 5, "X"));
        SYNCLINE_CHECK(operations::text_erase(txn, "t", 6, 2));
        return {};
    });
    BOOST_TEST((*text(parted.lost(), "t") == "one aXd"));
    BOOST_TEST(parted.resubmit_all() == 1U);
    BOOST_TEST((*text(parted.member(), "t") == "one aXd"));
}

BOOST_AUTO_TEST_CASE(an_edit_of_a_text_that_is_no_more_is_refused) {
    Parted parted;
    parted.shared(insert_text("t", 0, "one"));
    parted.part();
    parted.lost().run(insert_text("t", 3, " two"));
    parted.lost().run(erase_text("t", 0, 1));
    parted.member().run(remove_key("t"));
    const std::vector<LostTransaction> lost = parted.transactions();
    const Result<Resubmitted> refused = parted.resubmit_one(lost[0]);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Code::conflict));
    BOOST_TEST((must(parted.resubmit_one(lost[1])).outcome == Resubmitted::Outcome::nothing));
}

BOOST_AUTO_TEST_CASE(an_edit_beside_characters_that_were_left_out_is_refused) {
    Parted parted;
    parted.shared(insert_text("t", 0, "one"));
    parted.part();
    parted.lost().run(insert_text("t", 3, " two"));
    parted.lost().run(insert_text("t", 5, "x"));
    parted.lost().run(erase_text("t", 4, 1));
    const std::vector<LostTransaction> lost = parted.transactions();
    for (const std::size_t left : {1U, 2U}) {
        const Result<Resubmitted> refused = parted.resubmit_one(lost[left]);
        BOOST_REQUIRE(!refused.has_value());
        BOOST_TEST((refused.error().code == Code::conflict));
    }
    BOOST_TEST((*text(parted.member(), "t") == "one"));
}

// --- Bounded counters

Change make_rights(std::int64_t amount) {
    return doing([=](Transaction& txn) { return operations::bounded_increment(txn, "b", amount); });
}
Change use_rights(std::int64_t amount) {
    return doing([=](Transaction& txn) { return operations::bounded_decrement(txn, "b", amount); });
}

std::int64_t rights(TestReplica& replica) {
    return ask<BoundedCounter>(replica,
                               [](Transaction& txn) { return operations::bounded_read(txn, "b"); })
        .value();
}

BOOST_AUTO_TEST_CASE(rights_are_made_and_used_by_the_member) {
    Parted parted;
    parted.shared(make_rights(10));
    parted.shared(use_rights(1));
    parted.part();
    parted.lost().run(use_rights(2));
    parted.lost().run(make_rights(5));
    parted.lost().run([](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::bounded_increment(txn, "b", 1));
        SYNCLINE_CHECK(operations::bounded_decrement(txn, "b", 4));
        return {};
    });
    BOOST_TEST(rights(parted.lost()) == 9);
    const std::vector<LostTransaction> lost = parted.transactions();
    // The member has no rights of its own yet.
    const Result<Resubmitted> refused = parted.resubmit_one(lost[0]);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Code::conflict));
    BOOST_TEST(rights(parted.member()) == 9);
    must(parted.resubmit_one(lost[1]));
    must(parted.resubmit_one(lost[2]));
    BOOST_TEST(rights(parted.member()) == 11);
    must(parted.resubmit_one(lost[0]));
    BOOST_TEST(rights(parted.member()) == 9);
}

BOOST_AUTO_TEST_CASE(rights_are_made_before_they_are_used) {
    Parted parted;
    parted.part();
    parted.lost().run([](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::bounded_increment(txn, "b", 3));
        SYNCLINE_CHECK(operations::bounded_decrement(txn, "b", 2));
        return {};
    });
    BOOST_TEST(parted.resubmit_all() == 1U);
    BOOST_TEST(rights(parted.member()) == 1);
}

// --- Whole, once, and undamaged

BOOST_AUTO_TEST_CASE(a_transaction_comes_whole_or_not_at_all) {
    Parted parted;
    parted.shared(set_string("n", "1"));
    parted.part();
    parted.lost().run([](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::string_set(txn, "a", "1"));
        SYNCLINE_CHECK(operations::set_add(txn, "b", "m"));
        SYNCLINE_CHECK(operations::string_increment(txn, "n", 1));
        return {};
    });
    const std::vector<LostTransaction> lost = parted.transactions();
    BOOST_REQUIRE(lost.size() == 1U);
    parted.member().run(set_string("n", "no number"));
    const VersionVector before = parted.member()->group().vv();
    const Result<Resubmitted> refused = parted.resubmit_one(lost[0]);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Code::conflict));
    BOOST_TEST((parted.member()->group().vv() == before));
    BOOST_TEST(!parted.member().get("a").has_value());
    parted.member().run(set_string("n", "5"));
    const std::uint64_t counter = parted.member()->group().vv().counter(parted.member()->actor());
    must(parted.resubmit_one(lost[0]));
    BOOST_TEST(parted.member()->group().vv().counter(parted.member()->actor()) == counter + 1);
    BOOST_TEST((*parted.member().get("a") == "1"));
    BOOST_TEST((*parted.member().get("n") == "6"));
}

BOOST_AUTO_TEST_CASE(a_key_that_holds_another_type_now_is_left_alone) {
    Parted parted;
    parted.part();
    parted.lost().run(add_member("k", "m"));
    parted.member().run(push("k", ListEnd::back, {"v"}));
    const Result<Resubmitted> refused = parted.resubmit_one(parted.transactions()[0]);
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == Code::conflict));
    BOOST_TEST(tests_print(list(parted.member(), "k")) == "v ");
}

BOOST_AUTO_TEST_CASE(what_the_member_has_under_its_old_name_is_not_done_again) {
    Parted parted;
    parted.shared(increment("n", 5));
    parted.part();
    parted.known = VersionVector();  // as with --force
    parted.lost().run(increment("n", 1));
    const std::vector<LostTransaction> lost = parted.transactions();
    BOOST_REQUIRE(lost.size() == 2U);
    BOOST_TEST((must(parted.resubmit_one(lost[0])).outcome == Resubmitted::Outcome::present));
    BOOST_TEST((must(parted.resubmit_one(lost[1])).outcome == Resubmitted::Outcome::done));
    BOOST_TEST((*parted.member().get("n") == "6"));
}

BOOST_AUTO_TEST_CASE(others_take_it_as_any_transaction) {
    Parted parted;
    const std::size_t third = parted.cluster.add(parted.cluster.directory() / "third");
    parted.cluster.connect(1, third);
    parted.shared(push("l", ListEnd::back, {"1"}));
    parted.part();
    parted.lost().run(push("l", ListEnd::back, {"2"}));
    parted.lost().run(insert_text("t", 0, "words"));
    parted.lost().run(increment("n", 5));
    BOOST_TEST(parted.resubmit_all() == 3U);
    parted.cluster.pump();
    TestReplica& other = parted.cluster.at(third);
    BOOST_TEST(tests_print(list(other, "l")) == "1 2 ");
    BOOST_TEST((*text(other, "t") == "words"));
    BOOST_TEST((*other.get("n") == "5"));
}

BOOST_AUTO_TEST_CASE(damaged_bytes_are_refused) {
    Parted parted;
    parted.shared(increment("n", 5));
    parted.part();
    parted.lost().run(increment("n", 1));
    parted.lost().run(increment("n", 2));
    const LostTransaction lost = parted.transactions()[1];
    BOOST_TEST(!lost.before.empty());
    const Bytes bytes = encode_lost_transaction(lost);
    BOOST_TEST((must(decode_lost_transaction(bytes)) == lost));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        BOOST_TEST(!decode_lost_transaction(bytes.substr(0, i)).has_value());
        Bytes flipped = bytes;
        flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
        BOOST_TEST(!decode_lost_transaction(flipped).has_value());
    }
    BOOST_TEST(!decode_lost_transaction(bytes + "x").has_value());
    BOOST_TEST(!decode_resubmitted("x").has_value());
    BOOST_TEST(!decode_resubmitted_past("x").has_value());
}

BOOST_AUTO_TEST_CASE(names_of_characters_are_found_in_pieces) {
    const Actor then{1, 1};
    const Actor now{2, 1};
    const TextName name{"t", Dot{then, 1}};
    TextNames names;
    names.add(name, ElementId{then, 10}, ElementId{now, 100}, 5);
    names.add(name, ElementId{then, 20}, ElementId{now, 105}, 5);
    BOOST_TEST((names.name(name, ElementId{then, 14}) == ElementId{now, 104}));
    BOOST_TEST((names.name(name, ElementId{then, 15}) == ElementId{then, 15}));
    const std::vector<ElementRange> expected = {
        {{then, 8}, 2}, {{now, 100}, 5}, {{then, 15}, 5}, {{now, 105}, 5}, {{then, 25}, 3}};
    BOOST_TEST((names.names(name, ElementRange{{then, 8}, 20}) == expected));
    const TextEdit edit{"t", name.generation, {TextErasure{{{{then, 12}, 1}}}}};
    const TextNames part = names.of(edit);
    BOOST_TEST((part.name(name, ElementId{then, 12}) == ElementId{now, 102}));
    BOOST_TEST((part.name(name, ElementId{then, 20}) == ElementId{then, 20}));
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
