// Who belongs to the cluster: the record, how it is decided, and what replicas do by it.
#include "core/protocol/membership.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/cluster.hpp"
#include "tests/support/must.hpp"
#include "tests/support/seeds.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(membership)
namespace {

using test::must;
using Kind = MembershipStep::Kind;
using Standing = Membership::Standing;

// --- The record

ClusterMember member(std::uint8_t number, MemberState state = MemberState::active) {
    ClusterMember member;
    member.uuid.bytes[0] = number;
    member.name = "n" + std::to_string(number);
    member.state = state;
    return member;
}

MembershipRecord three_members() {
    MembershipStep step;
    step.founders = {member(3), member(1), member(2)};
    return must(apply_step({}, step));
}

MembershipStep step_of(Kind kind, std::uint8_t number) {
    MembershipStep step;
    step.kind = kind;
    step.subject = member(number);
    if (kind == Kind::retire) step.final_vv = VersionVector();
    return step;
}

BOOST_AUTO_TEST_CASE(a_record_lives_by_steps) {
    MembershipRecord record = three_members();
    BOOST_TEST(record.epoch == 1U);
    BOOST_TEST(record.members.front().name == "n1");
    record = must(apply_step(record, step_of(Kind::join, 4)));
    BOOST_TEST(record.voters().size() == 3U);
    record = must(apply_step(record, step_of(Kind::activate, 4)));
    BOOST_TEST(record.voters().size() == 4U);
    record = must(apply_step(record, step_of(Kind::drain, 2)));
    BOOST_TEST(record.voters().size() == 4U);
    record = must(apply_step(record, step_of(Kind::retire, 2)));
    BOOST_TEST(record.voters().size() == 3U);
    BOOST_TEST(!record.formers.back().evicted);
    record = must(apply_step(record, step_of(Kind::evict, 3)));
    BOOST_TEST(record.formers.back().evicted);
    BOOST_TEST(!record.formers.back().final_vv.has_value());
    record = must(apply_step(record, step_of(Kind::retire, 3)));
    BOOST_TEST(record.formers.back().final_vv.has_value());
    BOOST_TEST(record.epoch == 7U);
    BOOST_TEST((must(decode_membership(encode_membership(record))) == record));
}

BOOST_AUTO_TEST_CASE(steps_that_make_no_sense_are_refused) {
    const MembershipRecord record = three_members();
    const auto refused = [](const MembershipRecord& from, const MembershipStep& step) {
        return !apply_step(from, step).has_value();
    };
    BOOST_TEST(refused({}, step_of(Kind::join, 1)));
    BOOST_TEST(refused(record, step_of(Kind::init, 0)));
    BOOST_TEST(refused(record, step_of(Kind::join, 1)));
    BOOST_TEST(refused(record, step_of(Kind::activate, 1)));
    BOOST_TEST(refused(record, step_of(Kind::retire, 1)));
    BOOST_TEST(refused(record, step_of(Kind::drain, 9)));
    BOOST_TEST(refused(record, step_of(Kind::evict, 9)));
    // Who was a member once does not come back under the same name.
    const MembershipRecord without = must(apply_step(record, step_of(Kind::evict, 3)));
    BOOST_TEST(refused(without, step_of(Kind::join, 3)));
    // Somebody must take writes.
    const MembershipRecord two = must(apply_step(without, step_of(Kind::drain, 2)));
    BOOST_TEST(refused(two, step_of(Kind::drain, 1)));
    BOOST_TEST(refused(two, step_of(Kind::evict, 1)));
}

BOOST_AUTO_TEST_CASE(damaged_records_are_refused) {
    const Bytes bytes = encode_membership(three_members());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        BOOST_TEST(!decode_membership(bytes.substr(0, i)).has_value());
    }
    MembershipRecord twice = three_members();
    twice.members.push_back(twice.members.back());
    BOOST_TEST(!decode_membership(encode_membership(twice)).has_value());
}

// --- A cluster

class Members : public TestCluster {
public:
    explicit Members(std::size_t count, const std::function<void(ReplicaOptions&)>& adjust = {})
        : TestCluster(count, adjust), count_(count) {
        connect_all();
        pump();
    }
    void connect_all() {
        for (std::size_t a = 0; a < count_; ++a) {
            for (std::size_t b = a + 1; b < count_; ++b) connect(a, b);
        }
    }
    std::size_t add_one() {
        const std::size_t index = add(directory() / ("more" + std::to_string(count_++)));
        for (std::size_t other = 0; other < index; ++other) connect(other, index);
        pump();
        return index;
    }
    void rejoin(std::size_t index) {
        for (std::size_t other = 0; other < count_; ++other) {
            if (other != index) connect(index, other);
        }
        pump();
    }

    [[nodiscard]] ClusterMember self(std::size_t index) {
        return ClusterMember{
            at(index)->identity().node, at(index)->identity().name, {}, MemberState::active};
    }
    Result<void> change(std::size_t by, Kind kind, std::size_t subject) {
        MembershipStep step;
        step.kind = kind;
        if (kind == Kind::init) {
            step.founders = at(by)->founders();
        } else {
            step.subject = self(subject);
        }
        return at(by)->change_membership(std::move(step), at(by)->membership().epoch());
    }
    void found() {
        must(change(0, Kind::init, 0));
        pump();
    }
    [[nodiscard]] std::uint64_t epoch(std::size_t index) { return at(index)->membership().epoch(); }
    [[nodiscard]] Standing standing(std::size_t index) {
        return at(index)->membership().standing();
    }
    [[nodiscard]] bool writes(std::size_t index, BytesView key, BytesView value) {
        return at(index)
            .try_run(
                [&](Transaction& txn) { return operations::string_set(txn, key, Bytes(value)); })
            .has_value();
    }
    [[nodiscard]] std::size_t values(std::size_t index, BytesView key) {
        return at(index)->group().cell(key, CellType::string, {})->dots.size();
    }

private:
    std::size_t count_;
};

BOOST_AUTO_TEST_CASE(those_who_are_there_found_the_record_and_keep_it) {
    Members cluster(3);
    BOOST_TEST((cluster.standing(1) == Standing::open));
    cluster.found();
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(cluster.epoch(i) == 1U);
        BOOST_TEST((cluster.standing(i) == Standing::active));
        BOOST_TEST(cluster.writes(i, "k" + std::to_string(i), "v"));
    }
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    // The record alone says how many there are: what all have is collected.
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST((cluster.at(i)->stable_cut().cut() == cluster.at(i)->group().vv()));
    }
    cluster.restart(1);
    BOOST_TEST(cluster.epoch(1) == 1U);
    cluster.rejoin(1);
    BOOST_TEST(cluster.writes(1, "k", "after the restart"));
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST((cluster.at(0)->stable_cut().cut() == cluster.at(0)->group().vv()));
}

BOOST_AUTO_TEST_CASE(a_newcomer_is_let_in_and_becomes_active_by_itself) {
    Members cluster(2);
    cluster.found();
    for (int i = 0; i < 50; ++i) cluster.at(0).set("k" + std::to_string(i), "v");
    const std::size_t newcomer = cluster.add_one();
    BOOST_TEST((cluster.standing(newcomer) == Standing::applicant));
    BOOST_TEST(!cluster.writes(newcomer, "k", "too early"));
    BOOST_TEST(!cluster.at(newcomer).get("k1").has_value());
    BOOST_REQUIRE(cluster.at(1)->applicants().size() == 1U);
    must(cluster.change(1, Kind::join, newcomer));
    cluster.pump();
    for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(cluster.epoch(i) == 3U);
    BOOST_TEST((cluster.standing(newcomer) == Standing::active));
    BOOST_TEST(cluster.at(newcomer).get("k1").value() == "v");
    BOOST_TEST(cluster.writes(newcomer, "k", "now"));
    cluster.pump();
    BOOST_TEST(cluster.difference() == "");
    BOOST_TEST((cluster.at(0)->stable_cut().cut() == cluster.at(0)->group().vv()));
}

BOOST_AUTO_TEST_CASE(who_joins_holds_collection_back_until_it_has_everything) {
    Members cluster(2);
    cluster.found();
    const std::size_t newcomer = cluster.add_one();
    must(cluster.change(0, Kind::join, newcomer));
    cluster.isolate(newcomer);
    cluster.pump();
    BOOST_TEST(cluster.epoch(0) == 2U);
    // Two values, of which one is to be dropped.
    cluster.disconnect(0, 1);
    cluster.at(0).set("k", "zero");
    cluster.at(1).set("k", "one");
    cluster.connect(0, 1);
    cluster.pump();
    BOOST_TEST(cluster.values(0, "k") == 2U);
    cluster.rejoin(newcomer);
    cluster.pump();
    BOOST_TEST((cluster.standing(newcomer) == Standing::active));
    for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(cluster.values(i, "k") == 1U);
    BOOST_TEST(cluster.difference() == "");
}

BOOST_AUTO_TEST_CASE(who_leaves_goes_when_the_others_have_all) {
    Members cluster(3);
    cluster.found();
    cluster.isolate(2);
    cluster.at(2).set("k", "only here");
    must(cluster.change(0, Kind::drain, 2));
    cluster.pump();
    BOOST_TEST(cluster.epoch(0) == 2U);
    BOOST_TEST(cluster.at(0)->membership().record().formers.empty());
    // It hears of it, gives what it has, and is gone.
    cluster.rejoin(2);
    BOOST_TEST(!cluster.writes(2, "k", "too late"));
    cluster.pump();
    const MembershipRecord& record = cluster.at(0)->membership().record();
    BOOST_REQUIRE(record.formers.size() == 1U);
    BOOST_TEST(!record.formers[0].evicted);
    BOOST_TEST(record.formers[0].final_vv->entries().size() == 1U);
    BOOST_TEST((cluster.standing(2) == Standing::former));
    BOOST_TEST(cluster.at(0).get("k").value() == "only here");
    BOOST_TEST(cluster.at(1).get("k").value() == "only here");
}

BOOST_AUTO_TEST_CASE(an_evicted_replica_is_fenced_and_nothing_comes_back) {
    Members cluster(3);
    cluster.found();
    cluster.at(0).increment("n", 5);
    cluster.at(0).set("gone", "v");
    cluster.pump();
    cluster.isolate(2);
    // It does not know yet, and goes on.
    cluster.at(2).set("lost", "acknowledged here only");
    cluster.at(2).increment("n", 100);
    must(cluster.change(0, Kind::evict, 2));
    cluster.pump();
    BOOST_TEST(cluster.epoch(1) >= 2U);
    // The others go on without it: what both have seen go is dropped.
    cluster.at(0).set("n", "7");
    cluster.at(1).run([](Transaction& txn) -> Result<void> {
        txn.clear("gone");
        return {};
    });
    cluster.pump();
    BOOST_TEST((cluster.at(0)->stable_cut().cut() == cluster.at(0)->group().vv()));
    BOOST_TEST(cluster.at(0)->group().cell("n", CellType::string, {})->counter.empty());
    const FormerMember former = cluster.at(0)->membership().record().formers.at(0);
    BOOST_TEST(former.evicted);
    BOOST_REQUIRE(former.final_vv.has_value());

    cluster.rejoin(2);
    BOOST_TEST((cluster.standing(2) == Standing::former));
    BOOST_TEST(!cluster.writes(2, "k", "v"));
    BOOST_TEST(cluster.at(2).get("lost").value() == "acknowledged here only");
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(!cluster.at(i).get("lost").has_value());
        BOOST_TEST(!cluster.at(i).get("gone").has_value());
        BOOST_TEST(cluster.at(i).get("n").value() == "7");
    }
    // It remembers, also when nobody is there to tell.
    cluster.restart(2);
    BOOST_TEST((cluster.standing(2) == Standing::former));
    BOOST_TEST(!cluster.writes(2, "k", "v"));
    // Under its old name nobody lets it in again.
    BOOST_TEST(!cluster.change(0, Kind::join, 2).has_value());
}

/// The two that stay have not the same of the third when it is evicted. What one of them has goes
/// to the other, and then all is known of it.
BOOST_AUTO_TEST_CASE(what_any_member_has_of_an_evicted_replica_reaches_all) {
    Members cluster(3);
    cluster.found();
    cluster.disconnect(0, 2);
    cluster.disconnect(0, 1);
    cluster.at(2).set("k", "seen by one");
    cluster.pump();
    BOOST_TEST(!cluster.at(0).get("k").has_value());
    cluster.isolate(2);
    cluster.connect(0, 1);
    must(cluster.change(0, Kind::evict, 2));
    cluster.pump();
    BOOST_TEST(cluster.at(0).get("k").value() == "seen by one");
    const FormerMember former = cluster.at(0)->membership().record().formers.at(0);
    BOOST_REQUIRE(former.final_vv.has_value());
    const Actor actor{node_id_of(former.uuid), 1};
    BOOST_TEST(former.final_vv->counter(actor) == 1U);
}

/// A report that was made before the eviction says less than the reporter got from the evicted one
/// afterwards. Were it counted, the cut would pass what is still on its way.
BOOST_AUTO_TEST_CASE(reports_of_an_older_epoch_do_not_count) {
    StableCut cut(3);
    const Uuid bob = member(1).uuid;
    const Uuid eve = member(2).uuid;
    VersionVector own;
    own.add(Dot{Actor{1, 1}, 5});
    for (const Uuid& uuid : {bob, eve}) {
        cut.introduce(uuid, "name");
    }
    cut.report(bob, own);
    BOOST_TEST(!cut.advance(own));  // eve has not reported
    cut.set_members({bob}, true, false);
    BOOST_TEST(!cut.advance(own));  // and bob must do it again
    cut.report(bob, own);
    BOOST_TEST(cut.advance(own));
    BOOST_TEST((cut.cut() == own));
}

BOOST_AUTO_TEST_CASE(without_a_majority_nothing_is_decided_and_writes_go_on) {
    Members cluster(3);
    cluster.found();
    cluster.isolate(0);
    must(cluster.change(0, Kind::evict, 1));
    cluster.pump(6000);
    BOOST_TEST(!cluster.at(0)->membership().changing());
    BOOST_TEST(cluster.at(0)->membership().failure().find("1 of 3 replicas") != Bytes::npos);
    BOOST_TEST(cluster.epoch(0) == 1U);
    BOOST_TEST(cluster.writes(0, "k", "v"));
    cluster.rejoin(0);
    BOOST_TEST(cluster.at(1).get("k").value() == "v");
    must(cluster.change(0, Kind::evict, 1));
    cluster.pump();
    BOOST_TEST(cluster.epoch(2) >= 2U);
}

BOOST_AUTO_TEST_CASE(of_two_changes_at_once_one_is_told_to_plan_again) {
    Members cluster(5);
    cluster.found();
    must(cluster.change(0, Kind::evict, 3));
    must(cluster.change(1, Kind::drain, 4));
    cluster.pump(8000);
    const std::string first = cluster.at(0)->membership().failure();
    const std::string second = cluster.at(1)->membership().failure();
    BOOST_TEST((first.empty() != second.empty()));
    BOOST_TEST((first + second).find("plan again") != Bytes::npos);
    for (std::size_t i = 1; i < 3; ++i) {
        BOOST_TEST((cluster.at(i)->membership().record() == cluster.at(0)->membership().record()));
    }
    // A plan that was made for another record is refused.
    MembershipStep step;
    step.kind = Kind::drain;
    step.subject = cluster.self(2);
    BOOST_TEST((cluster.at(0)->change_membership(step, 1).error().code == Code::conflict));
}

/// The proposer ends between its proposal and the answers: the next one finds it accepted, and
/// finishes it before its own.
BOOST_AUTO_TEST_CASE(what_a_lost_proposer_left_is_finished) {
    Members cluster(5);
    cluster.found();
    cluster.filter = [](std::size_t, std::size_t to, std::uint8_t type, Bytes&) {
        const auto kind = static_cast<MessageType>(type);
        const bool answer = kind == MessageType::accepted || kind == MessageType::membership;
        return !(answer && to == 0) && kind != MessageType::membership;
    };
    must(cluster.change(0, Kind::drain, 4));
    cluster.pump(500);
    cluster.isolate(0);
    cluster.filter = {};
    must(cluster.change(1, Kind::evict, 0));
    cluster.pump(8000);
    BOOST_TEST(cluster.at(1)->membership().failure().find("plan again") != Bytes::npos);
    const ClusterMember* const leaving =
        cluster.at(1)->membership().record().find(cluster.self(4).uuid);
    BOOST_REQUIRE(leaving != nullptr);
    BOOST_TEST((leaving->state == MemberState::leaving));
    BOOST_TEST(cluster.at(1)->membership().record().find(cluster.self(0).uuid) != nullptr);
}

/// Of two voters each is needed. Who votes itself out and is switched off as the only one that
/// knows leaves one that can never decide again.
BOOST_AUTO_TEST_CASE(who_votes_itself_out_stays_until_others_know) {
    Members cluster(3);
    cluster.found();
    must(cluster.change(0, Kind::evict, 2));
    cluster.pump();
    bool told = false;
    cluster.filter = [&](std::size_t from, std::size_t, std::uint8_t type, Bytes&) {
        return told || from != 1 || static_cast<MessageType>(type) != MessageType::membership;
    };
    must(cluster.change(1, Kind::evict, 1));
    cluster.pump(1000);
    const Membership& gone = cluster.at(1)->membership();
    BOOST_TEST((gone.standing() == Standing::former));
    BOOST_TEST(cluster.epoch(0) < cluster.epoch(1));
    BOOST_TEST(gone.deciding());  // whoever asked hears nothing yet
    BOOST_TEST(!gone.known_to_majority());
    told = true;
    cluster.pump(1000);
    BOOST_TEST(gone.known_to_majority());
    BOOST_TEST(!gone.deciding());
    BOOST_TEST(gone.failure() == "");
    cluster.isolate(1);
    const std::size_t more = cluster.add_one();
    must(cluster.change(0, Kind::join, more));
    cluster.pump();
    BOOST_TEST(cluster.at(0)->membership().record().find(cluster.self(more).uuid) != nullptr);
}

BOOST_AUTO_TEST_CASE(who_votes_itself_out_is_told_when_nobody_else_knows) {
    Members cluster(3);
    cluster.found();
    must(cluster.change(0, Kind::evict, 2));
    cluster.pump();
    cluster.filter = [](std::size_t from, std::size_t, std::uint8_t type, Bytes&) {
        return from != 1 || static_cast<MessageType>(type) != MessageType::membership;
    };
    must(cluster.change(1, Kind::evict, 1));
    cluster.pump(8000);
    const Membership& gone = cluster.at(1)->membership();
    BOOST_TEST(!gone.deciding());
    BOOST_TEST(gone.decided_alone());
    BOOST_TEST(gone.failure().find("leave this replica running") != Bytes::npos);
}

BOOST_AUTO_TEST_CASE(lost_and_late_messages_only_cost_time) {
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(20))) {
        test::SeededRandom random(seed);
        Members cluster(3);
        cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes&) {
            const bool of_membership = type >= static_cast<std::uint8_t>(MessageType::membership);
            return !of_membership || random.below(3) != 0;
        };
        must(cluster.change(0, Kind::init, 0));
        cluster.pump(8000);
        BOOST_TEST_CONTEXT("seed " << seed) {
            BOOST_REQUIRE_MESSAGE(cluster.epoch(0) == 1U, cluster.at(0)->membership().failure());
            must(cluster.change(1, Kind::drain, 2));
            cluster.pump(10000);
            for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(cluster.epoch(i) == 3U);
            BOOST_TEST((cluster.standing(2) == Standing::former));
        }
    }
}

/// What a peer says that it has accepted is none: its link ends, and nothing else.
BOOST_AUTO_TEST_CASE(a_promise_that_makes_no_sense_ends_a_link_and_no_replica) {
    Members cluster(3);
    cluster.found();
    cluster.filter = [&](std::size_t, std::size_t, std::uint8_t type, Bytes& payload) {
        if (static_cast<MessageType>(type) != MessageType::promise) return true;
        auto promise = std::get<Promise>(must(decode_message(type, payload)));
        promise.accepted = promise.ballot;
        promise.value = "no record";
        payload = encode_message(promise);
        return true;
    };
    must(cluster.change(0, Kind::evict, 2));
    cluster.pump(6000);
    BOOST_TEST(!cluster.closed.empty());
    BOOST_TEST(!cluster.at(0)->failure().has_value());
    BOOST_TEST(cluster.epoch(0) == 1U);
    BOOST_TEST(cluster.writes(0, "k", "v"));
}

/// An acceptor that ends right after its promise has it after a restart.
BOOST_AUTO_TEST_CASE(promises_survive) {
    Members cluster(3);
    cluster.found();
    const std::filesystem::path path = cluster.at(1).directory() / "log";
    const auto disk = must(open_posix_disk(path.string()));
    SystemRandom random;
    Identity identity = cluster.at(1)->identity();
    const caspaxos::Ballot high{1000, member(9).uuid, 1};
    {
        const auto one = must(Membership::open(identity, *disk, random));
        BOOST_TEST(must(one->on_prepare(Prepare{high, 1})).granted);
    }
    const auto again = must(Membership::open(identity, *disk, random));
    const caspaxos::Ballot low{999, member(9).uuid, 1};
    BOOST_TEST(!must(again->on_prepare(Prepare{low, 1})).granted);
    BOOST_TEST(again->epoch() == 1U);
    // A damaged file is refused.
    Bytes bytes = must(read_file(*disk, "membership", 1 << 20)).value();
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    must(replace_file(*disk, "membership", bytes));
    BOOST_TEST((Membership::open(identity, *disk, random).error().code == Code::corrupt));
}

BOOST_AUTO_TEST_CASE(two_foundings_do_not_mix) {
    Members cluster(4);
    for (const std::size_t a : {0U, 1U}) {
        for (const std::size_t b : {2U, 3U}) cluster.disconnect(a, b);
    }
    must(cluster.change(0, Kind::init, 0));
    must(cluster.change(2, Kind::init, 2));
    cluster.pump();
    BOOST_TEST(cluster.epoch(1) == 1U);
    BOOST_TEST(cluster.epoch(3) == 1U);
    cluster.at(0).set("k", "here");
    BOOST_TEST(cluster.closed.empty());
    cluster.connect(0, 2);
    cluster.pump();
    BOOST_TEST(!cluster.at(2).get("k").has_value());
    // Who is connected and left out is not passed over.
    Members other(3);
    MembershipStep step;
    step.founders = {other.self(0), other.self(1)};
    must(other.at(0)->change_membership(step, 0));
    other.pump();
    BOOST_TEST(other.epoch(0) == 0U);
    BOOST_TEST(other.at(0)->membership().failure().find("left out") != Bytes::npos);
}

/// A newcomer that has been with an evicted replica brings what the members agreed not to have.
BOOST_AUTO_TEST_CASE(what_nobody_had_when_a_replica_went_is_kept_out) {
    Members cluster(3);
    cluster.found();
    cluster.isolate(2);
    cluster.at(2).set("lost", "v");
    must(cluster.change(0, Kind::evict, 2));
    cluster.pump();
    BOOST_REQUIRE(cluster.at(0)->membership().record().formers.at(0).final_vv.has_value());
    const std::size_t newcomer = cluster.add(cluster.directory() / "newcomer");
    // It gets all of it, because neither of the two has heard of the eviction.
    cluster.connect(newcomer, 2);
    cluster.pump();
    must(cluster.at(2)->membership().check_writer());
    BOOST_TEST(cluster.epoch(newcomer) == 1U);
    cluster.disconnect(newcomer, 2);
    cluster.connect(newcomer, 0);
    cluster.pump();
    BOOST_TEST(!cluster.at(0).get("lost").has_value());
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
