// The turns of a server: what happens at the end of each, and the steps of a stop.
#include <algorithm>
#include <utility>

#include "core/base/log.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"
#include "net/http/api.hpp"
#include "net/server.hpp"

namespace syncline {
namespace {

/// Connections beyond the bound that still hear why they are turned away.
constexpr std::size_t turned_away_max = 100;
/// A stop takes no longer than this; what is durable by then is all that was acknowledged.
constexpr std::uint64_t stop_ms_max = 30000;
/// Clients that do not read their last replies are given this long.
constexpr std::uint64_t parting_ms_max = 1000;

}  // namespace

void Server::accept(std::unique_ptr<TcpConnection> connection, bool secure) {
    ++figures_.connections_received;
    const Bytes refusal = refusal_of(*connection);
    if (!refusal.empty()) ++figures_.connections_rejected;
    // They take descriptors, too; where there are few of these, few may be told.
    if (sessions_.size() >= clients_max_ + std::min(turned_away_max, clients_max_ / 4)) return;
    if (secure) {
        if (!refusal.empty()) return;  // nobody could read it before the handshake
        connection->secure(std::make_unique<TlsSession>(*tls_, TlsSession::Role::server));
    }
    const std::uint64_t id = next_client_++;
    SessionOwner& owner = *this;
    auto session =
        std::make_unique<ClientSession>(owner, id, std::move(connection), env_.clock.steady_ms());
    ClientSession& accepted = *sessions_.emplace(id, std::move(session)).first->second;
    accepted.state().become_default(users());
    accepted.start();
    if (refusal.empty()) return;
    dispatcher_.refuse(accepted.state(), refusal);
    accepted.end_gently();
}

Bytes Server::refusal_of(const TcpConnection& connection) {
    const auto wanted = parse_integer(config_.find("maxclients")->value).value_or(1);
    const std::size_t clients_max = std::min(clients_max_, static_cast<std::size_t>(wanted));
    if (sessions_.size() >= clients_max) return "ERR max number of clients reached";
    const bool open = users().default_user()->open() && !connection.remote_is_loopback();
    const bool is_protected = open && config_.find("protected-mode")->value == "yes";
    return is_protected ? Bytes(error_text::protected_mode) : Bytes();
}

void Server::look_at_clocks() {
    const auto idle_s = parse_integer(config_.find("timeout")->value).value_or(0);
    for (const auto& [id, session] : sessions_) {
        if (!session->over()) session->look_at_clock(static_cast<std::uint64_t>(idle_s));
    }
}

bool Server::may_run() {
    const bool may = phase_ == Phase::running && !failure_ &&
                     (!replica_ || (!replica_->overloaded() && !replica_->failure()));
    held_ = held_ || !may;
    return may;
}

void Server::touched(ClientSession& session) {
    if (session.listed) return;
    session.listed = true;
    touched_.push_back(session.state().order.id);
}

void Server::turn_end() {
    if (failure_) return;
    if (receiver_) turn_receiving();
    complete_comparisons();
    resume_waits();
    run_sessions();
    time_waits();
    if (replica_) {
        for (Publication& heard : replica_->take_publications()) {
            dispatcher_.deliver(
                {heard.sharded, std::move(heard.channel), std::move(heard.message)});
        }
    }
    dispatcher_.release_messages();
    for (Reply& reply : dispatcher_.take_replies()) deliver(std::move(reply));
    if (replica_) {
        backup_.turn(env_.clock.steady_ms());
        turn_serving();
        jobs_.start(*replica_);
        Committed committed = replica_->committed();
        if (replica_->failure()) return fail(*replica_->failure());
        const std::uint64_t turn_ms = replica_->stats().turn_ms;
        if (observation().latency.takes(turn_ms)) {
            observation().latency.note("turn", turn_ms, env_.clock.wall_ms() / 1000);
        }
        route(std::move(committed));
    }
    finish_sessions();
    turn_bytes_ = 0;
    if (peers_) peers_->finish_turn();
    drain();
}

/// Before the replica is asked for what may leave, so that these replies leave in this turn.
void Server::complete_comparisons() {
    if (!replica_) return;
    for (const FinishedComparison& done : replica_->take_comparisons()) {
        const auto found = sessions_.find(done.asker);
        if (found == sessions_.end() || !found->second->state().parked) continue;
        Bytes reply;
        RespWriter writer(reply, found->second->state().protocol);
        reply_comparison(writer, done.result);
        dispatcher_.complete(found->second->state(), reply);
        touched(*found->second);
    }
}

/// So many at a time as to be looked at in each turn.
void Server::resume_waits() {
    if (!replica_ || replica_->failure()) return;
    dispatcher_.serve_blocked();
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const auto found = sessions_.find(*at);
        const bool gone = found == sessions_.end() || !found->second->state().wait;
        const bool over = gone || dispatcher_.resume_wait(found->second->state());
        if (over && !gone) touched(*found->second);
        at = over ? waiting_.erase(at) : std::next(at);
    }
}

/// The next turn comes in time for the first of them.
void Server::time_waits() {
    std::optional<std::uint64_t> first = dispatcher_.interest().next_deadline();
    for (const std::uint64_t id : waiting_) {
        const auto found = sessions_.find(id);  // one that has gone is struck in the next turn
        if (found == sessions_.end() || !found->second->state().wait) continue;
        const std::optional<std::uint64_t> deadline = found->second->state().wait->deadline_ms;
        if (deadline) first = std::min(first.value_or(*deadline), *deadline);
    }
    const std::uint64_t now_ms = env_.clock.steady_ms();
    if (first) wait_timer_.start(*first > now_ms ? *first - now_ms : 1);
}

/// The replicas decide on something that a client asked for.
bool Server::is_deciding() const {
    return replica_ && (replica_->primary_backup().standing() || replica_->membership().deciding());
}

void Server::run_sessions() {
    if (decision_awaited_ && !is_deciding()) {
        for (const auto& [id, session] : sessions_) touched(*session);
    }
    if (held_) {
        held_ = false;
        if (may_run()) {
            for (const auto& [id, session] : sessions_) touched(*session);
        }
    }
    for (std::size_t i = 0; i < touched_.size(); ++i) {
        const auto found = sessions_.find(touched_[i]);
        if (found == sessions_.end()) continue;
        found->second->run();
        if (found->second->state().wait) waiting_.insert(found->first);
    }
    decision_awaited_ = is_deciding();
}

void Server::route(Committed committed) {
    for (Reply& reply : committed.replies) deliver(std::move(reply));
    hand_on(committed.messages, committed.closed);
}

/// To the peers.
void Server::hand_on(const std::vector<Outgoing>& messages,
                     const std::vector<std::pair<LinkId, Error>>& closed) {
    if (!peers_) return;
    for (const Outgoing& message : messages) {
        peers_->send(message.link, message.type, message.payload);
    }
    for (const auto& [link, reason] : closed) peers_->close(link, reason);
}

void Server::deliver(Reply reply) {
    const auto found = sessions_.find(reply.client);
    if (found == sessions_.end()) {  // the client is gone, or of the HTTP port
        if (web_) web_->deliver(reply);
        return;
    }
    // Pieces of a sliced command have no bytes, and stay silent.
    const bool done = reply.outcome == Outcome::done || reply.bytes.empty();
    const std::size_t produced = reply.bytes.size();
    if (!done) {
        reply.bytes = "-" + outcome_error(reply.outcome) + "\r\n";
        ++figures_.errors_replied;
    }
    figures_.bytes_out += reply.bytes.size();
    found->second->deliver(std::move(reply.bytes), produced);
    touched(*found->second);
}

void Server::finish_sessions() {
    const std::vector<std::uint64_t> ids = std::exchange(touched_, {});
    std::vector<ClientSession*> served;  // and want to go on
    bool again = false;
    for (const std::uint64_t id : ids) {
        const auto found = sessions_.find(id);
        if (found == sessions_.end()) continue;
        ClientSession& session = *found->second;
        session.listed = false;
        const bool more = session.finish_turn();
        if (session.over()) {
            CommandHost::forget(session.state());
            sessions_.erase(found);
        } else if (more) {
            again = true;
            // Who had to wait comes first in the next turn.
            if (session.waits_turn()) {
                touched(session);
            } else {
                served.push_back(&session);
            }
        }
    }
    for (ClientSession* session : served) touched(*session);
    if (again) loop_->defer([]() {});  // the next turn follows at once
}

// --- Stop

Result<void> Server::shut_down() {
    if (phase_ == Phase::running) request_stop();
    return {};
}

void Server::stop() {
    if (phase_ != Phase::running) {
        fail(Error{Code::unavailable, "stopped before the last checkpoint was made"});
        return;
    }
    log(LogLevel::info, "server.stopping");
    phase_ = Phase::flushing;
    receiver_.reset();  // the next start removes what came, and begins anew
    stop_deadline_ms_ = loop_->now_ms() + stop_ms_max;
    listener_.reset();
    tls_listener_.reset();
    peer_listener_.reset();
    if (peers_) peers_->stop();
    if (web_) web_->stop();
    for (const auto& [id, session] : sessions_) touched(*session);
}

bool Server::all_replied() const {
    return std::all_of(sessions_.begin(), sessions_.end(),
                       [](const auto& entry) { return entry.second->state().owed == 0; });
}

void Server::drain() {
    // What waits for space may wait for ever; nobody was told that it is durable.
    const bool waits = replica_ && replica_->waits_for_space();
    const bool late = phase_ != Phase::running && (waits || loop_->now_ms() > stop_deadline_ms_);
    if (late && phase_ != Phase::parting) {
        log(LogLevel::warning, "server.stop_late");
        part();
    }
    if (phase_ == Phase::flushing) {
        const bool durable = !replica_ || replica_->log().durable() == replica_->log().end();
        if (!durable) replica_->request_sync();
        if (!durable || !all_replied()) return;
        if (!replica_) return part();
        checkpoints_before_ = replica_->stats().checkpoints;
        replica_->request_checkpoint();
        phase_ = Phase::checkpointing;
        loop_->defer([]() {});
    } else if (phase_ == Phase::checkpointing) {
        if (jobs_.idle() && replica_->stats().checkpoints > checkpoints_before_) part();
    } else if (phase_ == Phase::parting) {
        if (sessions_.empty() || late) loop_->stop();
    }
}

void Server::part() {
    phase_ = Phase::parting;
    stop_deadline_ms_ = loop_->now_ms() + parting_ms_max;
    for (const auto& [id, session] : sessions_) session->end_gently();
    loop_->defer([]() {});
}

}  // namespace syncline
