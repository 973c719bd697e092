/// Messages carried by hand, as the database offers them; core/protocol/exchange.hpp has the rules.
#include <chrono>

#include "core/database_engine.hpp"

namespace syncline {
namespace {

/// How often time is let pass while something is waited for that a clock decides.
constexpr std::chrono::milliseconds settle_step{20};
constexpr std::uint64_t settle_ms_max = 10000;

}  // namespace

Result<std::optional<Bytes>> DatabaseEngine::next_message(const std::string& peer) {
    SYNCLINE_CHECK(check_caller());
    Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    SYNCLINE_CHECK(exchanges_.prepare(peer, replica_.get()));
    SYNCLINE_CHECK(settle(lock));
    return exchanges_.next(peer, data_.identity);
}

Result<void> DatabaseEngine::receive(const std::string& peer, BytesView bytes) {
    SYNCLINE_CHECK(check_caller());
    SYNCLINE_TRY(const CarriedMessage message, decode_carried(bytes));
    Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    if (message.node == data_.identity.node) {
        return Error{Code::invalid_argument, "the message is of this database itself"};
    }
    SYNCLINE_CHECK(join(message.cluster));
    SYNCLINE_CHECK(exchanges_.receive(peer, message, replica_.get()));
    SYNCLINE_CHECK(settle(lock));
    const std::optional<Error> failure = exchanges_.take_failure(peer);
    return failure ? Result<void>(*failure) : Result<void>();
}

Result<void> DatabaseEngine::restart_exchange(const std::string& peer) {
    SYNCLINE_CHECK(check_caller());
    Lock lock(mutex_);
    SYNCLINE_CHECK(usable());
    exchanges_.restart(peer, replica_.get());
    return settle(lock);
}

/// A peer's cluster against this one's; the first peer's becomes this one's.
Result<void> DatabaseEngine::join(const Uuid& peer_cluster) {
    if (peer_cluster.is_nil()) return {};
    if (data_.identity.cluster.is_nil()) SYNCLINE_CHECK(data_.join_cluster(peer_cluster));
    if (data_.identity.cluster != peer_cluster) return other_cluster(peer_cluster);
    return replica_ ? Result<void>() : open_replica();
}

Error DatabaseEngine::other_cluster(const Uuid& peer_cluster) const {
    return Error{Code::unauthorized,
                 "the peer is of another cluster (" + to_string(peer_cluster) + ", this is " +
                     to_string(data_.identity.cluster) +
                     "): their data cannot be merged; begin with an empty directory on one side, "
                     "without a cluster's name or with the other's"};
}

/// Waits for what is under way and may have more messages come out.
Result<void> DatabaseEngine::settle(Lock& lock) {
    if (!replica_) return {};
    const Position target = replica_->log().end();
    const std::uint64_t deadline_ms = clock_.steady_ms() + settle_ms_max;
    while (true) {
        replica_->tick();
        replica_->hurry_checkpoint();
        turn_end(nullptr);
        SYNCLINE_CHECK(usable());
        if (!replica_->busy(target) || clock_.steady_ms() > deadline_ms) return {};
        progress_.wait_for(lock, settle_step);
        SYNCLINE_CHECK(usable());
    }
}

}  // namespace syncline
