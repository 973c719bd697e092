// The register's rules, one by one, and as a whole under random schedules.
#include "core/protocol/caspaxos.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/seeds.hpp"

namespace syncline::caspaxos {
BOOST_AUTO_TEST_SUITE(caspaxos)
namespace {

Uuid replica(std::uint8_t number) {
    Uuid uuid;
    uuid.bytes[0] = number;
    return uuid;
}

Ballot ballot(std::uint64_t number, std::uint8_t proposer) {
    return Ballot{number, replica(proposer), 7};
}

const std::vector<Uuid> three = {replica(1), replica(2), replica(3)};

BOOST_AUTO_TEST_CASE(an_acceptor_keeps_its_promise) {
    Acceptance state;
    BOOST_TEST(state.prepare(ballot(2, 1)));
    BOOST_TEST(state.prepare(ballot(2, 1)));  // repeated
    BOOST_TEST(!state.prepare(ballot(1, 9)));
    BOOST_TEST(!state.accept(ballot(1, 9), "low"));
    BOOST_TEST(state.value.empty());
    BOOST_TEST(state.accept(ballot(2, 1), "two"));
    // What is accepted without having been prepared here is a promise as well.
    BOOST_TEST(state.accept(ballot(4, 1), "four"));
    BOOST_TEST(!state.prepare(ballot(3, 3)));
    BOOST_TEST(!state.accept(ballot(3, 3), "three"));
    BOOST_TEST((state.accepted == ballot(4, 1)));
    BOOST_TEST(state.value == "four");
}

BOOST_AUTO_TEST_CASE(ballots_of_two_proposers_and_of_two_lives_differ) {
    BOOST_TEST((ballot(1, 1) != ballot(1, 2)));
    BOOST_TEST((Ballot{1, replica(1), 1} != Ballot{1, replica(1), 2}));
    BOOST_TEST((ballot(1, 2) < ballot(2, 1)));
}

BOOST_AUTO_TEST_CASE(what_may_have_been_chosen_is_proposed_again) {
    Round round(ballot(5, 1), Quorum::majority(three));
    round.promised(replica(1), {}, {});
    BOOST_TEST((round.phase() == Round::Phase::preparing));
    round.promised(replica(1), {}, {});  // a repeated answer is one vote
    BOOST_TEST((round.phase() == Round::Phase::preparing));
    round.promised(replica(2), ballot(3, 2), "older");
    BOOST_TEST((round.phase() == Round::Phase::prepared));
    BOOST_TEST(round.found() == "older");
    Round other(ballot(5, 1), Quorum::majority(three));
    other.promised(replica(3), ballot(4, 3), "newer");
    other.promised(replica(2), ballot(3, 2), "older");
    BOOST_TEST(other.found() == "newer");
}

BOOST_AUTO_TEST_CASE(each_quorum_must_accept) {
    Round round(ballot(1, 1), Quorum::majority({replica(1)}));
    round.promised(replica(1), {}, {});
    round.propose("value", {Quorum::majority({replica(1), replica(2), replica(3)}),
                            Quorum::all({replica(3), replica(4)})});
    for (const Uuid& acceptor : three) round.accepted(acceptor);
    BOOST_TEST((round.phase() == Round::Phase::accepting));
    BOOST_TEST((round.silent() == std::vector<Uuid>{replica(4)}));
    round.accepted(replica(4));
    BOOST_TEST((round.phase() == Round::Phase::chosen));
}

/// Messages that are lost, repeated and late, acceptors that forget nothing, proposers that begin
/// again: no two values are ever chosen.
bool one_value_is_chosen(std::uint64_t seed, std::uint64_t& chosen_count) {
    test::SeededRandom random(seed);
    const std::size_t acceptors_count = 3 + 2 * (random.below(2));
    std::vector<Uuid> voters;
    for (std::size_t i = 0; i < acceptors_count; ++i) {
        voters.push_back(replica(static_cast<std::uint8_t>(i + 1)));
    }
    std::vector<Acceptance> acceptors(acceptors_count);
    struct Message {
        std::size_t proposer = 0;
        std::size_t acceptor = 0;
        Ballot ballot;
        bool preparing = true;
        bool answer = false;
        Ballot accepted;
        Bytes value;
    };
    std::vector<Message> messages;
    std::vector<Round> rounds;
    std::uint64_t number = 0;
    const auto send_round = [&](std::size_t proposer) {
        for (std::size_t i = 0; i < acceptors_count; ++i) {
            const Round& round = rounds[proposer];
            const bool preparing = round.phase() == Round::Phase::preparing;
            messages.push_back({proposer,
                                i,
                                round.ballot(),
                                preparing,
                                false,
                                {},
                                preparing ? Bytes() : round.value()});
        }
    };
    const auto begin = [&](std::size_t proposer) {
        Round round(ballot(++number, static_cast<std::uint8_t>(proposer + 100)),
                    Quorum::majority(voters));
        if (proposer < rounds.size()) rounds[proposer] = round;
        if (proposer == rounds.size()) rounds.push_back(round);
        send_round(proposer);
    };
    begin(0);
    begin(1);
    begin(2);
    std::optional<Bytes> chosen;
    for (int step = 0; step < 150; ++step) {
        if (messages.empty() || random.below(12) == 0) {
            begin(random.below(3));
            continue;
        }
        const std::size_t at = random.below(messages.size());
        const Message message = messages[at];
        if (random.below(5) != 0)
            messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(at));
        if (random.below(6) == 0) continue;  // lost
        if (!message.answer) {
            Acceptance& acceptor = acceptors[message.acceptor];
            Message answer = message;
            answer.answer = true;
            const bool granted = message.preparing ? acceptor.prepare(message.ballot)
                                                   : acceptor.accept(message.ballot, message.value);
            answer.accepted = acceptor.accepted;
            answer.value = acceptor.value;
            if (granted) messages.push_back(answer);
            continue;
        }
        Round& round = rounds[message.proposer];
        if (message.ballot != round.ballot()) continue;
        const Uuid from = voters[message.acceptor];
        if (message.preparing) {
            const bool before = round.phase() == Round::Phase::preparing;
            round.promised(from, message.accepted, message.value);
            if (!before || round.phase() != Round::Phase::prepared) continue;
            const Bytes own = "of " + to_string(round.ballot());
            round.propose(round.found().empty() ? own : round.found(), {Quorum::majority(voters)});
            send_round(message.proposer);
            continue;
        }
        const bool before = round.phase() == Round::Phase::accepting;
        round.accepted(from);
        if (!before || round.phase() != Round::Phase::chosen) continue;
        ++chosen_count;
        if (chosen && *chosen != round.value()) return false;
        chosen = round.value();
    }
    return true;
}

BOOST_AUTO_TEST_CASE(no_schedule_chooses_two_values) {
    const std::vector<std::uint64_t> seeds = test::seeds(test::sanitized ? 2000 : 20000);
    std::uint64_t chosen = 0;
    for (const std::uint64_t seed : seeds) {
        if (one_value_is_chosen(seed, chosen)) continue;
        BOOST_FAIL("two values were chosen: seed " << seed);
    }
    BOOST_TEST(chosen > seeds.size() / 2);
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline::caspaxos
