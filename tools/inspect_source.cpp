#include "tools/inspect_source.hpp"

#include <optional>
#include <utility>

#include "net/endpoint.hpp"

namespace syncline {
namespace {

class LiveSource final : public InspectSource {
public:
    LiveSource(TcpEndpoint endpoint, std::uint64_t timeout_ms)
        : endpoint_(std::move(endpoint)), timeout_ms_(timeout_ms), address_(to_string(endpoint_)) {}

    Result<RespValue> command(const std::vector<Bytes>& arguments) override {
        if (!client_) {
            SYNCLINE_TRY(RespClient client,
                         RespClient::connect(endpoint_.host, endpoint_.port, timeout_ms_));
            client_.emplace(std::move(client));
        }
        Result<RespValue> reply = client_->command(arguments);
        if (!reply) client_.reset();
        return reply;
    }
    [[nodiscard]] const std::string& address() const override { return address_; }
    [[nodiscard]] bool live() const override { return true; }

private:
    TcpEndpoint endpoint_;
    std::uint64_t timeout_ms_;
    std::string address_;
    std::optional<RespClient> client_;
};

}  // namespace

std::unique_ptr<InspectSource> live_source(const TcpEndpoint& endpoint, std::uint64_t timeout_ms) {
    return std::make_unique<LiveSource>(endpoint, timeout_ms);
}

}  // namespace syncline
