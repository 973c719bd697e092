#include "tools/inspect_source.hpp"

#include <optional>
#include <utility>

#include "net/endpoint.hpp"

namespace syncline {
namespace {

class LiveSource final : public InspectSource {
public:
    LiveSource(TcpEndpoint endpoint, std::uint64_t timeout_ms, Login login)
        : endpoint_(std::move(endpoint)),
          timeout_ms_(timeout_ms),
          login_(std::move(login)),
          address_(to_string(endpoint_)) {}

    Result<RespValue> command(const std::vector<Bytes>& arguments) override {
        if (!client_) {
            SYNCLINE_TRY(RespClient client, connect(endpoint_, timeout_ms_, login_));
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
    Login login_;
    std::string address_;
    std::optional<RespClient> client_;
};

}  // namespace

std::unique_ptr<InspectSource> live_source(const TcpEndpoint& endpoint, std::uint64_t timeout_ms,
                                           const Login& login) {
    return std::make_unique<LiveSource>(endpoint, timeout_ms, login);
}

}  // namespace syncline
