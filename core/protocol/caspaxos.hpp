#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/engine/identity.hpp"

/// A register that replicas agree on, one value after another, without a leader and without a log:
/// a proposer reads what a majority of the acceptors has, changes it, and has a majority accept it.
/// Source: D. Rystsov, "CASPaxos: Replicated State Machines without logs", 2018, section 2; the two
/// phases are those of the Synod in L. Lamport, "Paxos Made Simple", 2001.
/// Here are the rules alone: who keeps an acceptance, and how messages travel, is for others.
namespace syncline::caspaxos {

/// The name of one attempt. Two proposers never have the same, nor has one in two of its lives.
struct Ballot {
    std::uint64_t number = 0;  ///< 0: none
    Uuid proposer;
    std::uint64_t run = 0;  ///< of the proposer's process, random

    auto operator<=>(const Ballot&) const = default;
};
std::string to_string(const Ballot& ballot);

/// What an acceptor holds of one register. It must be durable before any answer that follows from
/// it leaves: else a promise is broken by a restart.
struct Acceptance {
    Ballot promised;
    Ballot accepted;  ///< number 0: nothing
    Bytes value;

    /// Promises to take nothing lower. False: it has promised more; nothing changes.
    bool prepare(const Ballot& ballot);
    /// Takes the value, and promises its ballot. False: it has promised more; nothing changes.
    bool accept(const Ballot& ballot, BytesView proposed);

    bool operator==(const Acceptance&) const = default;
};

/// So many of these replicas must agree.
struct Quorum {
    std::vector<Uuid> voters;
    std::size_t needed = 0;

    /// Some more than half.
    static Quorum majority(std::vector<Uuid> voters);
    static Quorum all(std::vector<Uuid> voters);
};

/// The answers to one ballot, from its preparation to its choice. Thread-safety: a value.
class Round {
public:
    enum class Phase : std::uint8_t { preparing, prepared, accepting, chosen };

    /// Each of the quorums must promise. Those of the proposal's own acceptors among them: what was
    /// accepted and cannot be chosen, because some of them are gone, would be in everybody's way.
    Round(Ballot ballot, std::vector<Quorum> preparers)
        : ballot_(std::move(ballot)), quorums_(std::move(preparers)) {}

    [[nodiscard]] const Ballot& ballot() const { return ballot_; }
    [[nodiscard]] Phase phase() const { return phase_; }
    /// A promise, with what the acceptor has accepted before. Repeated ones change nothing.
    void promised(const Uuid& acceptor, const Ballot& accepted, BytesView value);
    /// What was accepted under the highest ballot among the promises: it may have been chosen, and
    /// must be proposed again. Empty: nothing was.
    [[nodiscard]] const Bytes& found() const { return found_; }
    /// Precondition: prepared. Each of the quorums must accept.
    void propose(Bytes value, std::vector<Quorum> quorums);
    /// Precondition: proposed.
    [[nodiscard]] const Bytes& value() const { return value_; }
    void accepted(const Uuid& acceptor);

    /// Who has not answered the phase that is under way.
    [[nodiscard]] std::vector<Uuid> silent() const;
    /// "2 of 3 replicas".
    [[nodiscard]] std::string describe() const;

private:
    [[nodiscard]] bool agreed() const;

    Ballot ballot_;
    Phase phase_ = Phase::preparing;
    std::vector<Quorum> quorums_;  // of the phase
    std::set<Uuid> answered_;      // likewise
    Ballot found_ballot_;
    Bytes found_;
    Bytes value_;
};

}  // namespace syncline::caspaxos
