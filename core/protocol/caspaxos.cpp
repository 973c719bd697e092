#include "core/protocol/caspaxos.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/mutation.hpp"

namespace syncline::caspaxos {

std::string to_string(const Ballot& ballot) {
    return std::to_string(ballot.number) + " of " + syncline::to_string(ballot.proposer);
}

/// The same ballot again is a repeated message.
bool Acceptance::prepare(const Ballot& ballot) {
    if (ballot < promised) return false;
    promised = ballot;
    return true;
}

bool Acceptance::accept(const Ballot& ballot, BytesView proposed) {
    if (ballot < promised && !mutated(Mutation::accept_any)) return false;
    promised = std::max(promised, ballot);
    accepted = ballot;
    value = Bytes(proposed);
    return true;
}

Quorum Quorum::majority(std::vector<Uuid> voters) {
    const std::size_t needed = voters.size() / 2 + 1;
    return {std::move(voters), needed};
}

Quorum Quorum::all(std::vector<Uuid> voters) {
    const std::size_t needed = voters.size();
    return {std::move(voters), needed};
}

bool Round::agreed() const {
    return std::all_of(quorums_.begin(), quorums_.end(), [&](const Quorum& quorum) {
        const auto votes =
            std::count_if(quorum.voters.begin(), quorum.voters.end(),
                          [&](const Uuid& voter) { return answered_.contains(voter); });
        return static_cast<std::size_t>(votes) >= quorum.needed;
    });
}

void Round::promised(const Uuid& acceptor, const Ballot& accepted, BytesView value) {
    if (phase_ != Phase::preparing) return;
    if (accepted.number > 0 && accepted > found_ballot_ && !mutated(Mutation::propose_own)) {
        found_ballot_ = accepted;
        found_ = Bytes(value);
    }
    answered_.insert(acceptor);
    if (agreed()) phase_ = Phase::prepared;
}

void Round::propose(Bytes value, std::vector<Quorum> quorums) {
    SYNCLINE_ASSERT(phase_ == Phase::prepared);
    value_ = std::move(value);
    quorums_ = std::move(quorums);
    answered_.clear();
    phase_ = Phase::accepting;
}

void Round::accepted(const Uuid& acceptor) {
    if (phase_ != Phase::accepting) return;
    answered_.insert(acceptor);
    if (agreed()) phase_ = Phase::chosen;
}

std::vector<Uuid> Round::silent() const {
    std::vector<Uuid> silent;
    for (const Quorum& quorum : quorums_) {
        for (const Uuid& voter : quorum.voters) {
            const bool known = std::find(silent.begin(), silent.end(), voter) != silent.end();
            if (!known && !answered_.contains(voter)) silent.push_back(voter);
        }
    }
    return silent;
}

std::string Round::describe() const {
    std::set<Uuid> voters;
    for (const Quorum& quorum : quorums_) voters.insert(quorum.voters.begin(), quorum.voters.end());
    return std::to_string(answered_.size()) + " of " + std::to_string(voters.size()) + " replicas";
}

}  // namespace syncline::caspaxos
