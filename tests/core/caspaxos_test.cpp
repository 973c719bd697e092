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
    Round round(ballot(5, 1), {Quorum::majority(three)});
    round.promised(replica(1), {}, {});
    BOOST_TEST((round.phase() == Round::Phase::preparing));
    round.promised(replica(1), {}, {});  // a repeated answer is one vote
    BOOST_TEST((round.phase() == Round::Phase::preparing));
    round.promised(replica(2), ballot(3, 2), "older");
    BOOST_TEST((round.phase() == Round::Phase::prepared));
    BOOST_TEST(round.found() == "older");
    Round other(ballot(5, 1), {Quorum::majority(three)});
    other.promised(replica(3), ballot(4, 3), "newer");
    other.promised(replica(2), ballot(3, 2), "older");
    BOOST_TEST(other.found() == "newer");
}

BOOST_AUTO_TEST_CASE(each_quorum_must_accept) {
    Round round(ballot(1, 1), {Quorum::majority({replica(1)})});
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
class Schedule {
public:
    explicit Schedule(std::uint64_t seed) : random_(seed) {
        const std::size_t acceptors = 3 + 2 * random_.below(2);
        for (std::size_t i = 0; i < acceptors; ++i) {
            voters_.push_back(replica(static_cast<std::uint8_t>(i + 1)));
        }
        acceptors_.resize(acceptors);
        for (std::size_t proposer = 0; proposer < proposers; ++proposer) begin(proposer);
    }

    /// False: another value was chosen than before.
    bool step() {
        if (messages_.empty() || random_.below(12) == 0) {
            begin(random_.below(proposers));
            return true;
        }
        const std::size_t at = random_.below(messages_.size());
        const Message message = messages_[at];
        const bool once = random_.below(5) != 0;
        if (once) messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(at));
        if (random_.below(6) == 0) return true;  // lost
        if (message.answer) return take(message);
        answer(message);
        return true;
    }
    [[nodiscard]] std::uint64_t choices() const { return choices_; }

private:
    static constexpr std::size_t proposers = 3;
    struct Message {
        std::size_t proposer = 0;
        std::size_t acceptor = 0;
        Ballot ballot;
        bool preparing = true;
        bool answer = false;
        Ballot accepted;
        Bytes value;
    };

    void begin(std::size_t proposer) {
        rounds_.insert_or_assign(proposer,
                                 Round(ballot(++number_, static_cast<std::uint8_t>(proposer + 100)),
                                       {Quorum::majority(voters_)}));
        send(proposer);
    }
    void send(std::size_t proposer) {
        const Round& round = rounds_.at(proposer);
        const bool preparing = round.phase() == Round::Phase::preparing;
        for (std::size_t i = 0; i < acceptors_.size(); ++i) {
            messages_.push_back({proposer,
                                 i,
                                 round.ballot(),
                                 preparing,
                                 false,
                                 {},
                                 preparing ? Bytes() : round.value()});
        }
    }
    void answer(Message message) {
        Acceptance& acceptor = acceptors_[message.acceptor];
        const bool granted = message.preparing ? acceptor.prepare(message.ballot)
                                               : acceptor.accept(message.ballot, message.value);
        message.answer = true;
        message.accepted = acceptor.accepted;
        message.value = acceptor.value;
        if (granted) messages_.push_back(message);
    }
    bool take(const Message& message) {
        Round& round = rounds_.at(message.proposer);
        if (message.ballot != round.ballot()) return true;
        const Round::Phase before = round.phase();
        const Uuid& from = voters_[message.acceptor];
        if (message.preparing) {
            round.promised(from, message.accepted, message.value);
            const bool prepared = round.phase() == Round::Phase::prepared;
            if (before != Round::Phase::preparing || !prepared) return true;
            const Bytes own = "of " + to_string(round.ballot());
            round.propose(round.found().empty() ? own : round.found(), {Quorum::majority(voters_)});
            send(message.proposer);
            return true;
        }
        round.accepted(from);
        const bool chosen = round.phase() == Round::Phase::chosen;
        if (before != Round::Phase::accepting || !chosen) return true;
        ++choices_;
        if (chosen_ && *chosen_ != round.value()) return false;
        chosen_ = round.value();
        return true;
    }

    test::SeededRandom random_;
    std::vector<Uuid> voters_;
    std::vector<Acceptance> acceptors_;
    std::map<std::size_t, Round> rounds_;
    std::vector<Message> messages_;
    std::uint64_t number_ = 0;
    std::uint64_t choices_ = 0;
    std::optional<Bytes> chosen_;
};

BOOST_AUTO_TEST_CASE(no_schedule_chooses_two_values) {
    const std::vector<std::uint64_t> seeds = test::seeds(test::fewer_if_sanitized(20000));
    std::uint64_t chosen = 0;
    for (const std::uint64_t seed : seeds) {
        Schedule schedule(seed);
        for (int step = 0; step < 150; ++step) {
            if (!schedule.step()) BOOST_FAIL("two values were chosen: seed " << seed);
        }
        chosen += schedule.choices();
    }
    BOOST_TEST(chosen > seeds.size() / 2);
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline::caspaxos
