#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "net/resp_client.hpp"
#include "tools/local_cluster.hpp"
#include "tools/replay.hpp"

namespace syncline {

/// Three throw-away replicas, a, b and c, as a replay sees them.
class DemoCluster final : public ReplayCluster {
public:
    struct Node {
        std::string name;
        std::uint16_t port = 0;
        std::uint16_t http_port = 0;
        std::string actor;
        std::optional<RespClient> client;
        std::size_t awaited = 0;  ///< replies that the transaction under way still owes
    };

    /// Starts the processes and waits until each answers. Errors: io, unavailable (with the place
    /// of the log that says why).
    static Result<std::unique_ptr<DemoCluster>> start(bool keep);

    Result<void> submit(std::size_t replica, const std::vector<Write>& writes) override;
    Result<Seen> await(std::size_t replica) override;
    Result<Seen> seen(std::size_t replica) override;
    Result<void> set_isolated(std::size_t replica, bool isolated) override;
    Result<std::map<Bytes, Bytes>> state(std::size_t replica) override;
    Result<std::string> root(std::size_t replica) override;
    Result<std::vector<Sibling>> siblings(std::size_t replica, BytesView key) override;
    void pass(std::uint64_t ms) override;
    std::uint64_t now_ms() override;

    /// Bytes the replicas sent to each other, all together.
    Result<std::uint64_t> peer_bytes();
    /// Any command at one replica; an error reply is an Error.
    Result<RespValue> command(std::size_t replica, const std::vector<Bytes>& arguments);
    [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
    [[nodiscard]] const std::filesystem::path& directory() const { return processes_->directory(); }

private:
    explicit DemoCluster(std::unique_ptr<LocalCluster> processes)
        : processes_(std::move(processes)) {}
    Result<Seen> parse_seen(const RespValue& clock) const;

    std::unique_ptr<LocalCluster> processes_;
    std::vector<Node> nodes_;
};

}  // namespace syncline
