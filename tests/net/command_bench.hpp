#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/backup/job.hpp"
#include "net/causal_token.hpp"
#include "net/commands/dispatcher.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {

/// Commands on a replica without loop and sockets: requests in, the bytes of their replies out.
class CommandBench final : public CommandHost {
public:
    CommandBench();

    /// Runs a line, split as an inline command; what is replied once all is durable.
    std::string run(const std::string& line);
    std::string run(Arguments arguments);
    /// The same for a second client.
    std::string run_other(const std::string& line);
    /// The same for any client; it must be forgotten before it dies.
    std::string run_as(ClientState& state, Arguments arguments);
    void forget(ClientState& state) { dispatcher_.interest().forget(state); }
    /// Looks whether the first client's wait is over; what is replied then.
    std::string resume();
    /// Time passes, and those who are blocked are looked at; what is replied then.
    std::string pass(std::uint64_t ms);
    /// What was replied to one client in the last call.
    std::string reply_to(const ClientState& state) const;
    /// Without a replica, as before the cluster is known.
    void take_replica_away() { has_replica_ = false; }
    /// One turn of the backup under way, and of the replica. A turn without a write that ended does
    /// nothing for it.
    void backup_turn();
    /// Turns until it has ended.
    void finish_backup();
    /// A path that is gone with the bench.
    [[nodiscard]] std::string scratch(const std::string& name) const;

    ClientState client;
    ClientState other;
    ManualClock clock;
    std::vector<std::string> links;  ///< what set_link and request_session were called with
    std::vector<std::uint64_t> killed;
    std::map<std::uint64_t, std::string> pushed;  ///< to each client, by its number
    Condition condition;                          ///< what CRDT.HEALTH judges
    ReplicationView view;

    Env env() override { return Env{clock, random_}; }
    Replica* replica() override { return has_replica_ ? &replica_.replica() : nullptr; }
    ServerFigures& figures() override { return figures_; }
    ConfigTable& config() override { return config_; }
    std::vector<ClientState*> clients() override { return {&client, &other}; }
    void kill(ClientState& state, bool at_once) override;
    void push(ClientState& state, const Bytes& bytes) override { pushed[state.order.id] += bytes; }
    std::vector<PeerView> peers() override { return {}; }
    Health health() override { return assess(condition); }
    ReplicationView replication() override { return view; }
    Result<void> set_link(BytesView peer, bool up) override;
    Result<void> request_session(BytesView peer) override;
    Result<void> begin_backup(const std::string& path, std::uint64_t rate_bytes) override;
    BackupStatus backup_status() override { return backup_.status(); }
    Result<void> cancel_backup() override { return backup_.cancel(); }
    Bytes make_token(const VersionVector& vv) override;
    Result<VersionVector> read_token(BytesView token) override;

private:
    std::string take_replies();

    ScratchDirectory scratch_;
    SystemRandom random_;
    TestReplica replica_;
    CausalTokens tokens_{Secret(Bytes(32, 's'))};
    bool has_replica_ = true;
    std::map<std::uint64_t, std::string> replied_;  // in the last call, by client
    ServerFigures figures_;
    ConfigTable config_;
    Dispatcher dispatcher_{*this};
    BackupJob backup_{[]() {}};  // turns look by themselves; uses the replica
};

}  // namespace syncline
