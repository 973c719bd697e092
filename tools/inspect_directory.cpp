/// A replica that does not run, opened from its directory to be asked.
#include <filesystem>
#include <utility>

#include "core/engine/data_directory.hpp"
#include "net/commands/dispatcher.hpp"
#include "tools/inspect_source.hpp"

namespace syncline {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t reply_bytes_max = 256 * limits::mib;

Error not_running() {
    return Error{Code::unavailable, "the replica does not run"};
}

/// Nothing is written but what recovery writes: a torn end of the log is cut off, as a start of
/// the replica would do.
class DirectorySource final : public InspectSource, private CommandHost {
public:
    explicit DirectorySource(std::string path) : path_(std::move(path)) { client_.order.id = 1; }

    Result<RespValue> command(const std::vector<Bytes>& arguments) override {
        SYNCLINE_CHECK(open());
        dispatcher_.run(client_, arguments);
        while (client_.sliced) dispatcher_.resume(client_, 1000);
        SYNCLINE_TRY(const Bytes bytes, take_reply());
        RespReplyParser parser(reply_bytes_max);
        parser.feed(bytes);
        SYNCLINE_TRY(std::optional<RespValue> value, parser.next());
        if (!value) return Error{Code::limit, "the answer is too long"};
        return std::move(*value);
    }
    [[nodiscard]] const std::string& address() const override { return path_; }
    [[nodiscard]] bool live() const override { return false; }

private:
    /// At the first command, so that what is wrong with one directory stands beside the others.
    Result<void> open() {
        if (data_) return {};
        SYNCLINE_TRY(DataDirectory data, DataDirectory::open(path_, random_));
        std::unique_ptr<Replica> replica;
        if (!data.identity.cluster.is_nil()) {
            SYNCLINE_TRY(replica, data.open_replica(ReplicaOptions(), env()));
            figures_.cluster = to_string(data.identity.cluster);
        }
        figures_.node = data.identity.name;
        figures_.data_dir = path_;
        data_ = std::make_unique<DataDirectory>(std::move(data));
        replica_ = std::move(replica);
        return {};
    }

    /// Replies wait for what they rest on; that may be a record which recovery made.
    Result<Bytes> take_reply() {
        Bytes bytes;
        for (const Reply& reply : dispatcher_.take_replies()) bytes += reply.bytes;
        if (!replica_) return bytes;
        while (std::optional<Log::Flush> flush = replica_->begin_flush()) {
            Result<void> written = flush->write();
            if (written) written = flush->sync();
            replica_->finish_flush(*flush, written);
            SYNCLINE_CHECK(written);
        }
        for (const Reply& reply : replica_->committed().replies) bytes += reply.bytes;
        return bytes;
    }

    Env env() override { return Env{clock_, random_}; }
    Replica* replica() override { return replica_.get(); }
    ServerFigures& figures() override { return figures_; }
    ConfigTable& config() override { return config_; }
    std::vector<ClientState*> clients() override { return {&client_}; }
    void kill(ClientState& /*client*/, bool /*at_once*/) override {}
    std::vector<PeerView> peers() override { return {}; }
    Health health() override { return {}; }
    ReplicationView replication() override { return {}; }
    Result<void> set_link(BytesView /*peer*/, bool /*up*/) override { return not_running(); }
    Result<void> request_session(BytesView /*peer*/) override { return not_running(); }

    std::string path_;
    SystemClock clock_;
    SystemRandom random_;
    ClientState client_;
    ServerFigures figures_;
    ConfigTable config_;
    Dispatcher dispatcher_{*this};
    std::unique_ptr<DataDirectory> data_;  // outlives the replica
    std::unique_ptr<Replica> replica_;     // null: of no cluster yet
};

}  // namespace

Result<std::unique_ptr<InspectSource>> directory_source(const std::string& path) {
    std::error_code error;
    if (!fs::exists(fs::path(path) / "identity", error)) {
        return Error{Code::invalid_argument, "'" + path + "' is no data directory"};
    }
    return std::unique_ptr<InspectSource>(std::make_unique<DirectorySource>(path));
}

}  // namespace syncline
