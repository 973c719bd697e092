/// Comparisons of a replica with a peer: a Merkle session whose result is told and never adopted.
/// The peer serves it as any other session.
#include "core/engine/replica_state.hpp"
#include "core/protocol/link.hpp"

namespace syncline {
namespace {

/// A comparison that takes longer is given up: the snapshot it holds keeps checkpoints waiting.
constexpr std::uint64_t comparison_ms_max = 10000;
constexpr std::uint64_t comparison_repeat_ms = 1000;

Error not_now(std::string sentence) {
    return Error{Code::unavailable, std::move(sentence)};
}

}  // namespace

Result<void> Replica::begin_comparison(LinkId link, DifferenceQuestion question,
                                       std::uint64_t asker) {
    if (comparing_) return not_now("another comparison is under way; ask again");
    const Link* const found = find(link);
    if (found == nullptr || !found->admitted()) return not_now("there is no link to this peer");
    comparing_ = std::make_unique<Comparing>();
    comparing_->link = link;
    comparing_->asker = asker;
    comparing_->question = std::move(question);
    comparing_->begun_ms = env_.clock.steady_ms();
    drive_comparison();
    return {};
}

std::vector<FinishedComparison> Replica::take_comparisons() {
    return std::exchange(compared_, {});
}

bool Replica::comparison_active() const {
    return comparing_ && comparing_->session;
}

void Replica::drive_comparison() {
    if (!comparing_) return;
    const std::uint64_t now = env_.clock.steady_ms();
    if (now - comparing_->begun_ms > comparison_ms_max) {
        return end_comparison(not_now("the comparison was not done within " +
                                      std::to_string(comparison_ms_max / 1000) + " s"));
    }
    if (!comparing_->session) return start_comparison();
    if (now - comparing_->sent_ms < comparison_repeat_ms) return;
    comparing_->sent_ms = now;
    send(comparing_->link, comparing_->last.type, comparing_->last.payload);
}

/// A peer serves one session on a link: one that pulls goes first.
void Replica::start_comparison() {
    if (pulling_ || session_wanted_) return;
    std::shared_ptr<const HeldCheckpoint> snapshot = snapshot_or_ask();
    if (!snapshot) return;
    comparing_->session = std::make_unique<SessionPuller>(
        std::move(snapshot), store_, session_nonce(comparing_->link),
        options_.session_fanout == 16 ? 4U : 2U, SessionPuller::Purpose::compare);
    send_comparison(comparing_->session->open());
}

void Replica::send_comparison(const Message& message) {
    comparing_->last = outgoing(comparing_->link, message);
    comparing_->sent_ms = env_.clock.steady_ms();
    comparing_->metadata_bytes += comparing_->last.payload.size();
    send(comparing_->link, comparing_->last.type, comparing_->last.payload);
}

/// Whatever goes wrong ends the comparison alone: the link stays.
void Replica::receive_comparison(const Message& message) {
    SessionPuller& session = *comparing_->session;
    const Result<std::optional<Message>> request = session.receive(message);
    if (!request) return end_comparison(request.error());
    if (*request) return send_comparison(**request);
    switch (session.state()) {
        case SessionPuller::State::running:
            return;
        case SessionPuller::State::verified:
            break;
        case SessionPuller::State::nothing:
        case SessionPuller::State::busy:
            return end_comparison(not_now("the peer is busy with another session; ask again"));
        case SessionPuller::State::mismatch:
            return end_comparison(
                not_now(session.peer_vv().entries().empty()
                            ? "the peer holds nothing yet"
                            : "a hash collided, so the result would not be exact; ask again"));
        case SessionPuller::State::refused:
            return end_comparison(Error{Code::corrupt, "the peer's rows fail their own sums"});
    }
    Result<Difference> difference = difference_of(session, store_, comparing_->question);
    if (difference) difference->metadata_bytes = comparing_->metadata_bytes;
    end_comparison(std::move(difference));
}

void Replica::end_comparison(Result<Difference> result) {
    if (comparing_->session && find(comparing_->link) != nullptr) {
        send(comparing_->link, SessionClose{comparing_->session->session()});
    }
    compared_.push_back(FinishedComparison{comparing_->asker, std::move(result)});
    comparing_.reset();
}

}  // namespace syncline
