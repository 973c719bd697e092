#include "tests/net/command_bench.hpp"

#include <thread>

#include "net/resp.hpp"

namespace syncline {
namespace {

Uuid some_cluster() {
    Uuid cluster;
    cluster.bytes.fill(7);
    return cluster;
}

}  // namespace

CommandBench::CommandBench() : replica_(scratch_.path() / "replica", some_cluster(), clock) {
    client.order.id = 1;
    client.address = "127.0.0.1:50001";
    other.order.id = 2;
    other.address = "127.0.0.1:50002";
    figures_.node = "bench";
    client.become_default(users());
    other.become_default(users());
    replica_->on_applied = [this](const Event& event, BytesView) {
        dispatcher_.interest().note(event);
        config_.keyspace_events().stage(event, origin_of(event, replica_.replica()), pubsub());
    };
    replica_->on_adopted = [this](const VersionVector&) { dispatcher_.interest().note_all(); };
}

std::string CommandBench::pass(std::uint64_t ms) {
    clock.now_ms += ms;
    dispatcher_.serve_blocked();
    return take_replies();
}

std::string CommandBench::reply_to(const ClientState& state) const {
    const auto found = replied_.find(state.order.id);
    return found == replied_.end() ? std::string() : found->second;
}

std::string CommandBench::run(const std::string& line) {
    return run_as(client, *split_arguments(line));
}

std::string CommandBench::run(Arguments arguments) {
    return run_as(client, std::move(arguments));
}

std::string CommandBench::run_other(const std::string& line) {
    return run_as(other, *split_arguments(line));
}

std::string CommandBench::run_as(ClientState& state, Arguments arguments) {
    dispatcher_.run(state, std::move(arguments));
    while (state.sliced) dispatcher_.resume(state, 1);
    return take_replies();
}

std::string CommandBench::resume() {
    return dispatcher_.resume_wait(client) ? take_replies() : std::string();
}

Bytes CommandBench::make_token(const VersionVector& vv) {
    return tokens_.make(some_cluster(), vv);
}

Result<VersionVector> CommandBench::read_token(BytesView token) {
    return tokens_.read(some_cluster(), token);
}

std::string CommandBench::take_replies() {
    replica_.settle();
    std::string bytes;
    replied_.clear();
    const auto take = [&](const std::vector<Reply>& replies) {
        for (const Reply& reply : replies) {
            bytes += reply.bytes;
            replied_[reply.client] += reply.bytes;
        }
    };
    take(dispatcher_.take_replies());
    take(replica_->committed().replies);
    return bytes;
}

void CommandBench::backup_turn() {
    backup_.turn(clock.now_ms);
    replica_.settle();
    (void)replica_->committed();
}

void CommandBench::finish_backup() {
    while (backup_.status().state == BackupStatus::State::running) {
        ++clock.now_ms;  // a bounded rate goes on
        backup_turn();
        std::this_thread::yield();
    }
}

std::string CommandBench::scratch(const std::string& name) const {
    return (scratch_.path() / name).string();
}

Result<void> CommandBench::begin_backup(const std::string& path, std::uint64_t rate_bytes) {
    return backup_.start(replica_.replica(), path, rate_bytes, env());
}

void CommandBench::kill(ClientState& state, bool at_once) {
    killed.push_back(state.order.id);
    state.closing = !at_once;
}

Result<void> CommandBench::set_link(BytesView peer, bool up) {
    if (peer == "nobody") return Error{Code::invalid_argument, "no such peer"};
    links.push_back(Bytes(peer) + (up ? " up" : " down"));
    return {};
}

Result<void> CommandBench::request_session(BytesView peer) {
    if (peer == "nobody") return Error{Code::invalid_argument, "no such peer"};
    links.push_back(Bytes(peer) + " sync");
    return {};
}

}  // namespace syncline
